//! Cards that count for themselves: intent, proof, doubt and what settles it, over any restart.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a failed unwrap is the test's failure"
)]
use super::*;
use crate::card::UidClass;
use crate::core::authorize::DeclineReason;
use crate::core::undo::UndoRefusal;
use crate::fixture::{Fund, RECORD_KEY, card, cents, lines, moment, purse, request};
use cabas_card::Key;
use cabas_card::commands::Committed;
use cabas_card::layout::Record;
use cabas_protocol::row::{ClosePeriod, Tier};
use cabas_protocol::{Cents, Seq, Serial};

const UID: [u8; 7] = [4, 1, 2, 3, 4, 5, 6];

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn assert_sound(folder: &Path, fund: &Fund) -> verify::Report {
    let report = verify::verify(&folder.join(FILE), Some(*fund.root.public())).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    report
}

fn by() -> PresentedBy {
    PresentedBy { card: card(5), proven: Tier::Purse, uid: UidClass::Unique, counter: None }
}

fn wish(number: u64, amount: u64) -> SaleAsk {
    SaleAsk { request: request(number), till_ref: Some(String::from("T1")), lines: lines(amount), card: by() }
}

fn read(spent: u32) -> PurseRead {
    PurseRead { balance: Vec::new(), spent }
}

fn proof(counter: u32) -> Committed {
    Committed { counter, mac: [7; 8] }
}

/// A terminal that can sell to the purse card 5.
fn ready(fund: &Fund, folder: &Path, allowed: u64) -> Journal {
    let mut journal = fund.ready(folder, 10_000);
    let applied = fund.give(
        &mut journal,
        vec![
            fund.binding_as(Tier::Purse, card(5), 5, 1).into_bytes(),
            fund.card_balance(5, 1, allowed).into_bytes(),
            fund.slot_key(card(5), 0, [1; 16]).into_bytes(),
        ],
    );
    assert_eq!((applied.taken, applied.alarms), (3, vec![]));
    journal
}

fn intend(journal: &mut Journal, number: u64, amount: u64, spent: u32) -> Intent {
    match journal.intend(moment(1, 10), &wish(number, amount), &UID, &read(spent), None).unwrap() {
        Intended::Go(intent) => *intent,
        other => panic!("{other:?}"),
    }
}

fn declined(intended: Intended) -> (DeclineReason, Option<Cents>) {
    match intended {
        Intended::Declined(declined, offer) => (declined.reason, offer),
        other => panic!("{other:?}"),
    }
}

fn says(spent: u32, records: Vec<[u8; 48]>) -> CardSays {
    CardSays { uid: UID, spent, records }
}

fn kinds(folder: &Path) -> Vec<u16> {
    let db = schema::open_read_only(&folder.join(FILE)).unwrap();
    let mut select = db.prepare("SELECT kind FROM rows WHERE kind IN (2, 7, 8, 9) ORDER BY seq").unwrap();
    let kinds = select.query_map([], |row| row.get(0)).unwrap();
    kinds.collect::<Result<_, _>>().unwrap()
}

#[test]
fn keys_of_cards_are_sealed_and_three_of_them_are_kept_until_the_card_has_the_next() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path(), 1000);
    let keys = |journal: &mut Journal| match journal.purse_start(moment(1, 5), by(), None).unwrap() {
        PurseStart::Go { keys, .. } => keys.iter().map(|secret| secret.key.expose()[0]).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(keys(&mut journal), [1]);
    let give = |journal: &mut Journal, version, key| {
        let applied = fund.give(journal, vec![fund.slot_key(card(5), version, [key; 16]).into_bytes()]);
        (applied.taken, applied.alarms.len())
    };
    let rekeyed = |journal: &mut Journal, version, key| {
        let told = fund.slot_key_since(card(5), (version, version), [key; 16]);
        fund.give(journal, vec![told.into_bytes()]).alarms.len()
    };
    assert_eq!(give(&mut journal, 0, 1), (0, 0), "held");
    assert_eq!(give(&mut journal, 0, 9), (0, 1), "the same version with another key");
    assert_eq!(give(&mut journal, 1, 2), (1, 0));
    assert_eq!(keys(&mut journal), [2, 1]);
    assert_eq!(give(&mut journal, 2, 3), (1, 0));
    assert_eq!(give(&mut journal, 3, 4), (1, 0));
    assert_eq!(keys(&mut journal), [4, 3, 2], "three");
    assert_eq!(give(&mut journal, 0, 1), (0, 0), "older than those that are held");
    // The card has a key now that is not the newest: what it lost is dropped, what it is to have is kept.
    assert_eq!(rekeyed(&mut journal, 2, 3), 0);
    assert_eq!(keys(&mut journal), [4, 3]);
    assert_eq!(rekeyed(&mut journal, 3, 4), 0);
    assert_eq!(keys(&mut journal), [4]);
    // The one that the card has may come after the one that it is to have.
    assert_eq!(give(&mut journal, 2, 3), (1, 0));
    assert_eq!(keys(&mut journal), [4, 3]);
    let other = Fund { terminal: cabas_protocol::TerminalId::new(8), ..Fund::default() };
    assert_eq!(
        fund.give(&mut journal, vec![other.slot_key(card(5), 3, [4; 16]).into_bytes()]).alarms.len(),
        1,
        "made for another terminal"
    );
    drop(journal);
    let file = std::fs::read(folder.path().join(FILE)).unwrap();
    for key in [[1_u8; 16], [2; 16], [3; 16]] {
        assert!(!file.windows(16).any(|bytes| bytes == key), "a key lies in the file");
    }
    // A copy of the file with other secrets opens nothing.
    let keys = keyfile::TerminalKeys::new(
        &[8; 32],
        cabas_protocol::enrol::TerminalSecrets { card_key: [0; 32], record_key: [0; 16] },
    );
    let mut copied = fund.open(folder.path(), moment(1, 6)).with_secrets(&keys);
    let start = copied.purse_start(moment(1, 6), by(), None).unwrap();
    assert!(matches!(start, PurseStart::Declined(Declined { reason: DeclineReason::NoBalance, .. })), "{start:?}");
}

#[test]
fn a_purchase_is_an_intent_and_a_proof_and_exactly_two_commits() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path(), 1000);
    let before = journal.commits;
    assert!(matches!(journal.purse_start(moment(1, 9), by(), Some(request(1))), Ok(PurseStart::Go { .. })));
    let intent = intend(&mut journal, 1, 600, 400);
    let record = Record::parse(&intent.record).unwrap();
    assert_eq!(
        (record.seq, record.cents, record.spent_after, record.serial),
        (intent.doubt.intent.get(), 600, 1000, 1)
    );
    assert!(Record::is_authentic(&intent.record, &Key::new(RECORD_KEY), &UID));
    let sold = journal.prove(moment(1, 11), intent.doubt.intent, proof(41)).unwrap();
    assert_eq!(journal.commits - before, 2);
    assert_eq!(
        (sold.sale.tier, sold.sale.intent, sold.sale.card_counter, sold.sale.spent_after, sold.sale.serial),
        (Tier::Purse, Some(intent.doubt.intent), Some(41), cents(1000), Serial::new(1))
    );
    assert_eq!(sold.till_ref.as_deref(), Some("T1"));
    assert_eq!(journal.prove(moment(1, 11), intent.doubt.intent, proof(41)).unwrap(), sold, "once");
    let known = journal.purse_start(moment(1, 12), by(), Some(request(1))).unwrap();
    assert!(matches!(known, PurseStart::Known(record) if record == sold));
    let state = journal.state();
    assert_eq!((state.newest.totals.sales, state.newest.totals.fund), (1, cents(600)));
    let found = journal.by_stan(sold.sale.stan).unwrap();
    assert_eq!(found.map(|entry| entry.seq()), Some(sold.seq), "its number was taken by the intent");
    let close = journal.close(moment(1, 13), ClosePeriod::Day).unwrap().asked.close;
    assert_eq!((close.sales, close.fund), (1, cents(600)));
    let report = assert_sound(folder.path(), &fund);
    assert_eq!((report.sales, report.fund_cents, report.doubts), (1, 600, 0));
    drop(journal);
    // A plain sale and a restart go on from there.
    let mut journal = fund.open(folder.path(), moment(2, 1));
    assert!(matches!(journal.sell(moment(2, 2), &crate::fixture::ask(2, 1, 100)), Ok(Sold::Accepted(_))));
    assert_eq!(kinds(folder.path()), [7, 2, 2]);
    assert_sound(folder.path(), &fund);
}

#[test]
fn a_payment_announced_before_a_closing_and_proven_after_it_belongs_to_the_next() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path(), 1000);
    let intent = intend(&mut journal, 1, 600, 400);
    assert_eq!(journal.by_stan(cabas_protocol::Stan::FIRST).unwrap(), None, "nothing is sold yet");
    let first = journal.close(moment(1, 10), ClosePeriod::Day).unwrap().asked;
    assert!(matches!(journal.sell(moment(1, 10), &crate::fixture::ask(2, 1, 100)), Ok(Sold::Accepted(_))));
    let sold = journal.prove(moment(1, 11), intent.doubt.intent, proof(41)).unwrap();
    let second = journal.close(moment(1, 12), ClosePeriod::Day).unwrap().asked;
    assert_eq!((first.close.sales, second.close.sales, second.close.fund), (0, 2, cents(700)));
    let found = journal.by_stan(sold.sale.stan).unwrap();
    assert_eq!(found.map(|entry| entry.seq()), Some(sold.seq), "though a later number was given out before it");
    assert_sound(folder.path(), &fund);
}

#[test]
fn what_a_card_may_pay_is_decided_by_its_own_counter_and_the_newest_signed_balance() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path(), 1000);
    let mut try_with = |spent, balance: Vec<u8>, amount| {
        let read = PurseRead { balance, spent };
        journal.intend(moment(1, 10), &wish(1, amount), &UID, &read, None).unwrap()
    };
    assert_eq!(declined(try_with(400, vec![], 601)).0, DeclineReason::InsufficientFunds);
    // A newer one that the card brings is taken over.
    let brought = fund.card_balance(5, 2, 1001).into_bytes();
    assert!(matches!(try_with(400, brought, 601), Intended::Go(intent) if intent.on_card == Some(Serial::new(2))));
    drop(journal);
    let mut journal = fund.open(folder.path(), moment(1, 20));
    let held = journal.newer_balance(purse(5), Some(Serial::new(1))).unwrap();
    assert_eq!(held.unwrap().0, Serial::new(2));
    assert_eq!(journal.newer_balance(purse(5), Some(Serial::new(2))).unwrap(), None);
    // A higher number that allows less is refused and told.
    let lower = fund.card_balance(5, 3, 500).into_bytes();
    let view = journal.view_purse(moment(1, 21), by(), &PurseRead { balance: lower, spent: 400 }).unwrap();
    assert_eq!(view, CardView::Usable { available: cents(601) });
    assert!(
        journal.state().alarms.iter().any(|alarm| alarm.text.contains("less than")),
        "{:?}",
        journal.state().alarms
    );
}

#[test]
fn a_part_is_offered_as_of_a_slice() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path(), 1000);
    fund.give(&mut journal, vec![fund.policy_with_parts(2).into_bytes()]);
    let asked = journal.intend(moment(1, 10), &wish(1, 900), &UID, &read(400), None).unwrap();
    assert_eq!(declined(asked), (DeclineReason::InsufficientFunds, Some(cents(600))));
    let taken = journal.intend(moment(1, 10), &wish(1, 900), &UID, &read(400), Some(cents(600))).unwrap();
    let Intended::Go(intent) = taken else { panic!("{taken:?}") };
    let sold = journal.prove(moment(1, 11), intent.doubt.intent, proof(1)).unwrap();
    assert_eq!((sold.sale.fund_cents(), sold.sale.member_cents()), (Ok(cents(600)), Ok(cents(300))));
    assert_eq!(sold.sale.asked, Some(cents(900)));
    assert_sound(folder.path(), &fund);
}

#[test]
fn what_the_hub_did_not_sign_for_a_card_is_replaced_before_it_pays() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path(), 1000);
    let stranger = cabas_protocol::Signer::from_seed(&[77; 32]).unwrap();
    let forged = stranger.sign(&fund.card_balance(5, 9, 99_999).peek().unwrap()).into_bytes();
    let of_other = fund.card_balance(6, 9, 99_999).into_bytes();
    let of_terminal = fund.balance(5, 9, 99_999).into_bytes();
    for balance in [forged, of_other, of_terminal, vec![7; 160]] {
        let read = PurseRead { balance, spent: 400 };
        let found = journal.intend(moment(1, 10), &wish(1, 600), &UID, &read, None).unwrap();
        let Intended::Foreign(held) = found else { panic!("{found:?}") };
        assert_eq!((held.purse, held.serial), (purse(5), Serial::new(1)));
        let read = PurseRead { balance: held.bytes, spent: 400 };
        let above = journal.intend(moment(1, 10), &wish(2, 601), &UID, &read, None).unwrap();
        assert_eq!(declined(above).0, DeclineReason::InsufficientFunds);
    }
    // A card that carries none pays by what is held here.
    let read = PurseRead { balance: Vec::new(), spent: 400 };
    assert!(matches!(journal.intend(moment(1, 10), &wish(1, 600), &UID, &read, None).unwrap(), Intended::Go(_)));
}

#[test]
fn a_purse_card_that_proves_nothing_is_refused() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path(), 1000);
    let bound = [5, 1, 9].map(|number| journal.bound_tier(card(number)).unwrap());
    assert_eq!(bound, [Some(Tier::Purse), Some(Tier::Plain), None]);
    match journal.sell(moment(1, 10), &crate::fixture::ask(1, 5, 10)).unwrap() {
        Sold::Declined(declined) => assert_eq!(declined.reason, DeclineReason::TierTooLow),
        other => panic!("{other:?}"),
    }
    let hot = fund.hot_list(2, 0, &[5]).into_bytes();
    fund.give(&mut journal, vec![hot]);
    let start = journal.purse_start(moment(1, 11), by(), None).unwrap();
    assert!(matches!(start, PurseStart::Declined(Declined { reason: DeclineReason::Blocked, .. })), "{start:?}");
}

#[test]
fn a_doubt_survives_restarts_and_is_settled_once_by_what_the_card_says() {
    for (debited, spent) in [(true, 700), (false, 400)] {
        let (folder, fund) = (folder(), Fund::default());
        let mut journal = ready(&fund, folder.path(), 1000);
        let intent = intend(&mut journal, 1, 300, 400);
        journal.doubt(moment(1, 11), intent.doubt.intent).unwrap();
        journal.doubt(moment(1, 11), intent.doubt.intent).unwrap();
        assert_eq!(journal.state().doubts.len(), 1);
        assert_eq!(assert_sound(folder.path(), &fund).doubts, 1, "open is no problem");
        // Nothing else happens with the request or the card meanwhile; others go on.
        assert!(matches!(
            journal.sell(moment(1, 12), &crate::fixture::ask(1, 1, 300)),
            Err(JournalError::RequestTaken)
        ));
        assert!(matches!(
            journal.intend(moment(1, 12), &wish(2, 10), &UID, &read(400), None),
            Err(JournalError::RequestTaken)
        ));
        assert!(matches!(journal.sell(moment(1, 13), &crate::fixture::ask(3, 1, 50)), Ok(Sold::Accepted(_))));
        drop(journal);
        let mut journal = fund.open(folder.path(), moment(2, 1));
        let doubt = journal.find_doubt(request(1)).unwrap().unwrap();
        assert_eq!(*journal.state().doubts, vec![doubt.clone()]);
        assert_eq!(doubt.intent, intent.doubt.intent);
        let records = if debited { vec![intent.record] } else { vec![] };
        let settled = journal.settle(moment(2, 2), doubt.intent, &says(spent, records.clone())).unwrap();
        match &settled {
            Settled::Debited(record) => {
                assert!(debited);
                assert_eq!(record.sale.card_mac, None);
                assert_eq!((record.sale.fund_cents(), record.sale.request), (Ok(cents(300)), Some(request(1))));
            }
            Settled::NotDebited => assert!(!debited),
            Settled::Open => panic!("open"),
        }
        assert_eq!(journal.settle(moment(2, 3), doubt.intent, &says(spent, records)).unwrap(), settled, "once");
        assert!(journal.state().doubts.is_empty());
        let report = assert_sound(folder.path(), &fund);
        assert_eq!((report.sales, report.doubts), (if debited { 2 } else { 1 }, 0));
        assert_eq!(kinds(folder.path()), if debited { vec![7, 8, 2, 9, 2] } else { vec![7, 8, 2, 9] });
        drop(journal);
        fund.open(folder.path(), moment(3, 1));
    }
}

#[test]
fn what_was_cut_off_between_intent_and_proof_is_a_doubt_at_the_next_start() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path(), 1000);
    let intent = intend(&mut journal, 1, 300, 400);
    assert!(journal.state().doubts.is_empty());
    drop(journal);
    let mut journal = fund.open(folder.path(), moment(2, 1));
    assert_eq!(journal.state().doubts.len(), 1);
    assert_eq!(kinds(folder.path()), [7, 8]);
    // A record by another key or for another card settles nothing, nor does another terminal's that leaves a gap.
    let mut record = Record::parse(&intent.record).unwrap();
    let forged = record.to_bytes(&Key::new([1; 16]), &UID);
    let elsewhere = record.to_bytes(&Key::new(RECORD_KEY), &[4, 9, 9, 9, 9, 9, 9]);
    (record.terminal, record.cents) = (8, 299);
    let other = record.to_bytes(&Key::new(RECORD_KEY), &UID);
    for records in [vec![], vec![forged], vec![elsewhere], vec![other]] {
        let settled = journal.settle(moment(2, 2), intent.doubt.intent, &says(700, records)).unwrap();
        assert_eq!(settled, Settled::Open);
    }
    let settled = journal.settle(moment(2, 3), intent.doubt.intent, &says(900, vec![intent.record])).unwrap();
    assert!(matches!(settled, Settled::Debited(_)), "others sold to it since: {settled:?}");
    assert_eq!(assert_sound(folder.path(), &fund).sales, 1);
}

#[test]
fn a_debit_that_was_never_committed_leaves_the_request_free() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path(), 1000);
    let first = intend(&mut journal, 1, 300, 400);
    assert_eq!(journal.not_debited(moment(1, 11), first.doubt.intent).unwrap(), Settled::NotDebited);
    let second = intend(&mut journal, 1, 300, 400);
    assert_ne!(first.doubt.sale.stan, second.doubt.sale.stan);
    journal.prove(moment(1, 12), second.doubt.intent, proof(2)).unwrap();
    assert!(journal.prove(moment(1, 13), first.doubt.intent, proof(3)).is_err());
    assert_eq!(kinds(folder.path()), [7, 9, 7, 2]);
    drop(journal);
    assert_eq!(assert_sound(folder.path(), &fund).sales, 1);
}

#[test]
fn a_sale_that_a_card_counted_is_refunded_and_never_reversed() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path(), 1000);
    let intent = intend(&mut journal, 1, 300, 0);
    let sold = journal.prove(moment(1, 11), intent.doubt.intent, proof(1)).unwrap();
    let by = SaleRef::Request(request(1));
    let reversed = journal.reverse(moment(1, 12), by, request(2)).unwrap();
    assert!(matches!(reversed, Undone::Refused(UndoRefusal::CardCounts)), "{reversed:?}");
    let ask = RefundAsk { request: request(3), sale: by, lines: None };
    let refunded = journal.refund(moment(1, 13), &ask).unwrap();
    assert!(matches!(refunded, Undone::Done(record) if record.sale == sold));
    assert_sound(folder.path(), &fund);
    let mut out = Vec::new();
    export::export(&folder.path().join(FILE), export::ExportFormat::Json, &mut out).unwrap();
    let rows: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let of = |kind: &str| rows.as_array().unwrap().iter().find(|row| row["kind"] == kind).unwrap()["body"].clone();
    assert_eq!(of("Intent")["cents"], 300);
    assert_eq!((of("Sale")["tier"].as_str(), of("Sale")["card_mac"].as_str()), (Some("T1"), Some("0707070707070707")));
}

#[test]
fn records_of_other_terminals_are_taken_along_once_and_a_written_balance_is_a_row() {
    let (folder, fund) = (folder(), Fund::default());
    let mut journal = ready(&fund, folder.path(), 1000);
    let record = |terminal, seq| {
        let record = Record { terminal, epoch: 1, seq, time_s: 1, cents: 5, spent_after: 10, serial: 1 };
        record.to_bytes(&Key::new([5; 16]), &UID)
    };
    let records = [record(8, 1), record(7, 1), [0; 48], record(8, 2)];
    assert_eq!(journal.courier(moment(1, 10), by(), &records).unwrap(), 2, "its own and empty ones are not");
    let commits = journal.commits;
    assert_eq!(journal.courier(moment(1, 11), by(), &records).unwrap(), 0);
    assert_eq!(journal.commits, commits);
    assert_eq!(journal.courier(moment(1, 12), by(), &[record(8, 2), record(9, 1)]).unwrap(), 1);
    let seq = journal.card_written(moment(1, 13), card(5), purse(5), Serial::new(1), proof(9)).unwrap();
    assert!(seq > Seq::NONE);
    assert_sound(folder.path(), &fund);
}
