//! Bank entries that are money in: proposed by what the bank says, matched by a person, once.

use super::bank::{import, own_account, statement};
use super::card_proofs::Witness;
use super::money_in::{budget, contribute, order, refused, source};
use super::world::{World, at, cents};
use crate::core::ledger::AccountId;
use crate::store::{BankRefusal, FindingKind, MoneyInRef, MoneyInRefusal, Payer, StoreError};

/// Who paid from which account, and what was written.
fn paid(name: &str, iban: &str, text: &str) -> String {
    format!(
        "<TxDtls><RltdPties><Dbtr><Pty><Nm>{name}</Nm></Pty></Dbtr><DbtrAcct><Id><IBAN>{iban}</IBAN></Id></DbtrAcct>\
         </RltdPties><RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>"
    )
}

const SENDER: &str = "FR1420041010050500013M02606";
const OTHER: &str = "DE89370400440532013000";

/// A fund whose statement has these entries, as numbers 1, 2, …
fn world(entries: &[(i64, &str)]) -> World {
    let mut world = World::new();
    own_account(&mut world);
    let report = import(&mut world, &statement(entries));
    assert_eq!(usize::try_from(report.open).unwrap(), entries.len());
    world
}

fn of(code: &str) -> MoneyInRef {
    MoneyInRef::New(Payer::Household(code.to_owned()))
}

fn matched(world: &mut World, entry: u64, meant: &MoneyInRef) -> Result<Vec<u64>, StoreError> {
    world.db.write(|tx| tx.bank_match_money_in(entry, meant, ("Bo", false), at(2_500)))
}

fn proposals(world: &mut World, entry: u64) -> Vec<(String, &'static str)> {
    let entries = world.db.read(|tx| tx.bank_entries(&Witness, false, 100)).unwrap();
    let view = entries.into_iter().find(|view| view.id == entry).unwrap();
    let name = |meant: MoneyInRef| match meant {
        MoneyInRef::New(Payer::Household(name) | Payer::Source(name)) => name,
        MoneyInRef::Noted(ids) => format!("{ids:?}"),
    };
    view.money_in.into_iter().map(|proposal| (name(proposal.meant), proposal.why)).collect()
}

fn left(world: &mut World, account: AccountId) -> (u64, u64) {
    let account = world.db.read(|tx| tx.account(account)).unwrap();
    (account.debits.get(), account.credits.get())
}

#[test]
fn a_bank_entry_is_proposed_by_the_code_in_its_text_and_matched_once() {
    let mut world = world(&[
        (100, &paid("Dupont", SENDER, "cotisation foyer h2, novembre")),
        (2_500, &paid("Durand", OTHER, "H1/H10-NOV")),
        (77, &paid("Martin", OTHER, "merci H")),
    ]);
    assert_eq!(proposals(&mut world, 1)[0], ("H2".to_owned(), "code and amount"));
    assert_eq!(proposals(&mut world, 2), [("H1".to_owned(), "code")]);
    assert_eq!(proposals(&mut world, 3), []);
    assert_eq!(matched(&mut world, 1, &of("H2")).unwrap(), [1]);
    let again = matched(&mut world, 1, &of("H1")).unwrap_err();
    assert!(matches!(again, StoreError::Bank(BankRefusal::EntryExplained(1))), "{again}");
    let none = matched(&mut world, 9, &of("H1")).unwrap_err();
    assert!(matches!(none, StoreError::Bank(BankRefusal::NoEntry(9))), "{none}");
    assert_eq!(proposals(&mut world, 1), [], "what is explained is not proposed");
    assert_eq!((left(&mut world, AccountId::BANK), left(&mut world, AccountId::INCOMING)), ((100, 0), (100, 100)));
    assert_eq!(source(&mut world, "Contributions").left, Some(cents(100)));
    let view = world.db.read(|tx| tx.money_in_list(true, None)).unwrap().remove(0);
    assert_eq!((view.entry, view.day), (Some(1), 20_787), "the bank's day");
    let report = import(&mut world, &statement(&[(100, &paid("Dupont", SENDER, "cotisation foyer h2, novembre"))]));
    assert_eq!((report.added, report.open), (0, 2), "the entry in another file is the same entry");
    world.audit();
}

#[test]
fn a_sender_is_known_again_and_a_funder_by_its_name() {
    let mut world = world(&[
        (100, &paid("Dupont", SENDER, "H2")),
        (900, &paid("Dupont", SENDER, "sans code")),
        (60_000, &paid("VILLE DE LYON DIRECTION", OTHER, "subvention")),
    ]);
    assert_eq!(proposals(&mut world, 2), []);
    matched(&mut world, 1, &of("H2")).unwrap();
    assert_eq!(proposals(&mut world, 2), [("H2".to_owned(), "sender")]);
    budget(&mut world, "Ville de Lyon", 2026, 100_000);
    assert_eq!(proposals(&mut world, 3), [("Ville de Lyon".to_owned(), "funder")]);
    let funder = MoneyInRef::New(Payer::Source("Ville de Lyon".to_owned()));
    matched(&mut world, 3, &funder).unwrap();
    assert_eq!(source(&mut world, "Ville de Lyon").paid_in, cents(60_000));
    world.audit();
}

#[test]
fn what_was_noted_by_hand_is_confirmed_and_not_booked_a_second_time() {
    let mut world = world(&[(500, "<TxDtls/>"), (300, &paid("Dupont", SENDER, "H1"))]);
    let ids: Vec<_> = [("H1", 300), ("H2", 200)]
        .map(|(household, amount)| contribute(&mut world, &order(household, amount, None)))
        .to_vec();
    assert_eq!(refused(matched(&mut world, 2, &of("H1"))), MoneyInRefusal::WaitsForBank(ids[0]));
    let short = refused(matched(&mut world, 1, &MoneyInRef::Noted(vec![ids[0]])));
    assert_eq!(short, MoneyInRefusal::OtherSum { entry: cents(500), noted: cents(300) });
    let twice = refused(matched(&mut world, 1, &MoneyInRef::Noted(vec![ids[1], ids[1]])));
    assert_eq!(twice, MoneyInRefusal::OtherSum { entry: cents(500), noted: cents(200) });
    assert_eq!(refused(matched(&mut world, 1, &MoneyInRef::Noted(vec![9]))), MoneyInRefusal::Unknown(9));
    // Cash of two households, brought to the bank as one.
    assert_eq!(matched(&mut world, 1, &MoneyInRef::Noted(ids.clone())).unwrap(), ids);
    assert_eq!(refused(matched(&mut world, 2, &MoneyInRef::Noted(vec![ids[0]]))), MoneyInRefusal::BankedBefore(ids[0]));
    matched(&mut world, 2, &of("H1")).unwrap();
    assert_eq!((left(&mut world, AccountId::BANK), left(&mut world, AccountId::INCOMING)), ((800, 0), (800, 800)));
    world.audit();
}

#[test]
fn a_payment_that_the_bank_takes_back_is_taken_back_and_explained() {
    let mut world =
        world(&[(300, &paid("Dupont", SENDER, "H1")), (-300, "<TxDtls/>"), (-300, "<TxDtls><Refs/></TxDtls>")]);
    let [id] = matched(&mut world, 1, &of("H1")).unwrap()[..] else { panic!() };
    assert_eq!(refused(matched(&mut world, 2, &of("H1"))), MoneyInRefusal::EntryIsDebit(2));
    let by_hand = contribute(&mut world, &order("H2", 300, None));
    let never = world.db.write(|tx| tx.money_in_take_back(by_hand, "typed twice", "Ada", at(3_000))).unwrap();
    let counter = world.db.write(|tx| tx.money_in_take_back(id, "returned by the bank", "Ada", at(3_000))).unwrap();
    for (entry, wrong) in [(2, id), (2, by_hand), (2, never)] {
        let refusal = refused(matched(&mut world, entry, &MoneyInRef::Noted(vec![wrong])));
        assert!(
            matches!(refusal, MoneyInRefusal::NotForEntry(_) | MoneyInRefusal::BankedBefore(_)),
            "{wrong}: {refusal}"
        );
    }
    assert_eq!(proposals(&mut world, 2), [(format!("[{counter}]"), "noted")]);
    matched(&mut world, 2, &MoneyInRef::Noted(vec![counter])).unwrap();
    assert_eq!(
        refused(matched(&mut world, 3, &MoneyInRef::Noted(vec![counter]))),
        MoneyInRefusal::BankedBefore(counter)
    );
    assert_eq!((left(&mut world, AccountId::BANK), left(&mut world, AccountId::INCOMING)), ((300, 300), (900, 900)));
    world.audit();
}

#[test]
fn the_books_of_a_year_tell_contributions_from_what_funders_owe() {
    let mut world = world(&[(60_000, &paid("Ville de Lyon", OTHER, "subvention"))]);
    budget(&mut world, "Ville de Lyon", 2027, 100_000);
    contribute(&mut world, &order("H1", 15_000, None));
    matched(&mut world, 1, &MoneyInRef::New(Payer::Source("Ville de Lyon".to_owned()))).unwrap();
    let order = crate::store::RunOrder {
        period: "2027-01".parse().unwrap(),
        sources: &["Contributions", "Ville de Lyon"],
        over: None,
        extra: false,
    };
    world.db.write(|tx| tx.credit_run(&order, at(1))).unwrap();
    let mut out = Vec::new();
    let report = world.db.read(|tx| tx.fec(2027, &mut out)).unwrap();
    assert_eq!((report.entries, report.total), (6, cents(15_000 + 2 * 60_000 + 45_000)));
    let text = encoding_rs::ISO_8859_15.decode(&out).0.into_owned();
    let mut balances = std::collections::BTreeMap::<(String, String), i64>::new();
    for line in text.lines().skip(1) {
        let fields: Vec<_> = line.split('\t').collect();
        let amount = |text: &str| text.replace(',', "").parse::<i64>().unwrap();
        let account = (fields[4].to_owned(), fields[7].to_owned());
        *balances.entry(account).or_default() += amount(fields[11]) - amount(fields[12]);
    }
    let balances: Vec<_> =
        balances.iter().map(|((account, part), left)| (account.as_str(), part.as_str(), *left)).collect();
    assert_eq!(
        balances,
        [
            ("467100", "", -45_000),
            ("467300", "Contributions", 0),
            ("468700", "Ville de Lyon", -30_000),
            ("511000", "", 15_000),
            ("512000", "", 60_000),
        ]
    );
    assert!(!text.contains("H1"), "no household is named");
}

/// What is wrong, where it shows, and how it was done: a contribution, a funder's payment, a contribution taken back.
const FAULTS: [(FindingKind, &str, &str); 7] = [
    (FindingKind::Bank, "bank entry 1", "UPDATE bank_entries SET state = 0 WHERE id = 1"),
    (FindingKind::Bank, "bank entry 2", "DELETE FROM banked WHERE entry = 2"),
    (FindingKind::Transfer, "transfer", "DELETE FROM banked WHERE entry = 2"),
    (FindingKind::Bank, "bank entry 4", "UPDATE banked SET entry = 4 WHERE entry = 1"),
    (FindingKind::Bank, "money in 3", "UPDATE banked SET entry = 1 WHERE money_in = 3"),
    (FindingKind::Bank, "all money in", "UPDATE transfers SET kind = 40, cause = 9 WHERE kind = 43"),
    (FindingKind::Bank, "money in 1", "UPDATE transfers SET cause = 1 WHERE kind = 42"),
];

#[test]
fn each_planted_fault_is_found_and_named() {
    for (kind, subject, sql) in FAULTS {
        let entries = [
            (100, paid("Dupont", SENDER, "H1")),
            (200, "<TxDtls/>".to_owned()),
            (-100, "<TxDtls/>".to_owned()),
            (100, "<TxDtls/>".to_owned()),
        ];
        let entries: Vec<_> = entries.iter().map(|(amount, text)| (*amount, text.as_str())).collect();
        let mut world = world(&entries);
        budget(&mut world, "Ville de Lyon", 2026, 1_000);
        matched(&mut world, 1, &of("H1")).unwrap();
        matched(&mut world, 2, &MoneyInRef::New(Payer::Source("Ville de Lyon".to_owned()))).unwrap();
        let counter = world.db.write(|tx| tx.money_in_take_back(1, "bounced", "Ada", at(3_000))).unwrap();
        matched(&mut world, 3, &MoneyInRef::Noted(vec![counter])).unwrap();
        world.audit();
        world.tamper(sql);
        let report = world.verify();
        let found = report.findings.iter().any(|finding| finding.kind == kind && finding.subject.starts_with(subject));
        let all: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
        assert!(found, "{kind:?} of {subject} by {sql}\nfound: {all:#?}");
    }
}
