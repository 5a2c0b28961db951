//! Files that people bring: of the bank, of the fund, of the operator.

use cabas_agent::{cashiers, phones};
use cabas_hub::bank;
use cabas_hub::import::{self, CONTRIBUTION_CENTS_PER_PERSON_MIN, Input, PROBLEMS_MAX, Problems};
use cabas_protocol::keys::CardKey;

/// Divides the files of one import.
const BETWEEN: u8 = 0;
/// A telephone's token.
const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A bank's statement: taken whole or not at all, and it adds up.
pub(super) fn statement(bytes: &[u8]) {
    let read = match bank::read(bytes) {
        Ok(read) => read,
        Err(error) => return told(&error.to_string()),
    };
    assert!(!read.statements.is_empty());
    for statement in read.statements {
        let moved = statement.entries.iter().try_fold(statement.opening, |sum, entry| {
            let cents = i64::try_from(entry.cents.get()).ok()?;
            if entry.is_credit { sum.checked_add(cents) } else { sum.checked_sub(cents) }
        });
        assert_eq!(moved, Some(statement.closing), "it does not add up");
        let mut keys: Vec<_> = statement.entries.iter().map(|entry| entry.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), statement.entries.len(), "two entries under one key");
        assert!(!statement.iban.chars().any(char::is_whitespace));
        for entry in &statement.entries {
            assert!(entry.cents.get() > 0, "an entry of nothing");
            let own = [&entry.servicer_ref, &entry.message];
            let parts = entry.parts.iter().flat_map(|part| {
                [&part.end_to_end, &part.return_code, &part.counterparty, &part.iban, &part.remittance]
            });
            own.into_iter().chain(parts).flatten().for_each(|text| told(text));
        }
    }
}

/// Text of one line that steers no terminal.
fn told(text: &str) {
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "a control character in {text:?}");
}

fn refused(problems: &Problems) {
    assert!(problems.count > 0, "refused for nothing");
    assert_eq!(problems.shown.len(), problems.count.min(PROBLEMS_MAX));
    for problem in &problems.shown {
        told(&problem.to_string());
    }
}

/// The files of one import, one behind the other.
pub(super) fn import(bytes: &[u8]) {
    let files = bytes.split(|byte| *byte == BETWEEN).zip(1..);
    let inputs: Vec<_> = files.map(|(bytes, n)| Input { name: format!("{n}.csv"), bytes: bytes.to_vec() }).collect();
    let seal = |household: &str, name: &str| Some([household.as_bytes(), b"/", name.as_bytes()].concat());
    let (plan, files) = match import::read_sealing(&inputs, &CardKey::new([7; 32]), &seal) {
        Ok(read) => read,
        Err(problems) => return refused(&problems),
    };
    let rows: usize = files.iter().map(|file| file.rows).sum();
    let taken = [plan.households.len(), plan.cards.len(), plan.shops.len(), plan.members.len()];
    assert_eq!(rows, taken.iter().sum::<usize>(), "a row was lost or came twice");
    assert!(files.iter().all(|file| file.rows == file.lines.len()), "a row without its line");
    for household in &plan.households {
        let least = u64::from(household.people.size()) * CONTRIBUTION_CENTS_PER_PERSON_MIN;
        assert!(household.contribution.is_some_and(|cents| cents.get() >= least));
    }
    let shares: u64 = plan.shops.iter().map(|shop| u64::from(shop.weight_permille)).sum();
    assert!(shares <= 1000, "{shares} thousandths");
    let mut cards: Vec<_> = plan.cards.iter().map(|card| card.card).collect();
    cards.sort_unstable();
    cards.dedup();
    assert_eq!(cards.len(), plan.cards.len(), "one card twice");
}

/// A file of contributions.
pub(super) fn contributions(bytes: &[u8]) {
    let input = Input { name: "paid.csv".to_owned(), bytes: bytes.to_vec() };
    let lines = match import::contributions(&input) {
        Ok(lines) => lines,
        Err(problems) => return refused(&problems),
    };
    assert!(!lines.is_empty());
    let mut references: Vec<_> = lines.iter().map(|line| line.order("Ada").reference).collect();
    references.sort_unstable();
    references.dedup();
    assert_eq!(references.len(), lines.len(), "a payment twice");
    for line in &lines {
        told(&format!("{line:?}"));
    }
}

/// A configuration file, for either program.
pub(super) fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match cabas_agent::config::Config::of_text(text) {
        Ok(config) => {
            assert!(config.listen.ip().is_loopback(), "open to other machines");
            assert!(config.sale_max().is_ok() && config.printer().is_ok() && config.language().is_ok());
            assert!(config.phone_address().is_ok_and(|address| address.is_none_or(|a| !a.ip().is_unspecified())));
        }
        Err(error) => drop(error.to_string()),
    }
    match cabas_hub::config::Config::of_text(text) {
        Ok(config) => {
            let is_private = config.listen.ip().is_loopback() || config.tls_key.is_some() || config.allow_plain_http;
            assert!(is_private, "plain text to other machines");
        }
        Err(error) => drop(error.to_string()),
    }
}

/// The lists of telephones and of cashiers beside the journal, and a document that is kept.
pub(super) fn rolls(bytes: &[u8]) {
    if let Some(roll) = phones::roll::Roll::of_bytes(bytes) {
        let mut roll = roll;
        let now = cabas_protocol::Timestamp::new(1_800_000_000);
        assert!(roll.live(now).count() <= phones::roll::PHONES_MAX);
        if let Some(id) = roll.add("Z".to_owned(), TOKEN, now) {
            assert_eq!(roll.admit(TOKEN, now).map(|(admitted, _)| admitted), Some(id), "not the one that was let in");
            assert!(roll.remove(id) && roll.admit(TOKEN, now).is_none());
        }
    }
    if let Some(roll) = cashiers::Roll::of_bytes(bytes) {
        assert!(cashiers::Roll::of_bytes(&serde_json::to_vec(&roll).unwrap_or_default()) == Some(roll));
    }
    if let Some(kind) = cabas_hub::documents::media_type(bytes) {
        assert!(kind != "text/html" && !bytes.starts_with(b"\x7fELF"), "taken as {kind}");
    }
}
