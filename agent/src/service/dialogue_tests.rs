//! The dialogue, torn at every point, with every next tap: never two debits, never accepted without a durable row.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a failed unwrap is the test's failure"
)]
use super::*;
use crate::card::UidClass;
use crate::core::authorize::DeclineReason;
use crate::fixture::{Fund, card, cents, lines, moment, request};
use crate::journal::{FILE, verify};
use crate::service::purse_double::{Double, Tear};
use cabas_card::Key;
use cabas_card::layout::Record;
use cabas_protocol::row::Tier;
use cabas_protocol::sync::Standing;
use std::path::Path;

const KEY: [u8; 16] = [1; 16];
const UID: [u8; 7] = [4, 1, 2, 3, 4, 5, 6];

/// A journal that may die after so many pieces of work, as a program does when the power goes.
struct Direct {
    journal: Journal,
    left: Option<u32>,
    /// From this piece of work on nobody waits any more.
    given_up_after: Option<u32>,
    done: u32,
    /// What the hub gives where it is asked for more.
    hub: Option<Vec<u8>>,
    asked: Vec<(DeclineReason, Option<Cents>)>,
}

impl Direct {
    fn new(journal: Journal) -> Self {
        Self { journal, left: None, given_up_after: None, done: 0, hub: None, asked: Vec::new() }
    }
}

impl Books for Direct {
    fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        self.done += 1;
        match &mut self.left {
            Some(0) => return Err(JournalError::Closed),
            Some(left) => *left -= 1,
            None => {}
        }
        work(&mut self.journal)
    }

    fn now(&self) -> Moment {
        moment(1, 10)
    }

    fn is_awaited(&self) -> bool {
        self.given_up_after.is_none_or(|after| self.done < after)
    }

    fn extend(&mut self, declined: &Declined, _: RequestId) -> bool {
        self.asked.push((declined.reason, declined.allowed_at_least));
        let Some(balance) = self.hub.take() else { return false };
        Fund::default().give(&mut self.journal, vec![balance]).taken == 1
    }
}

struct Shop {
    folder: tempfile::TempDir,
    fund: Fund,
    books: Direct,
    card: Double,
}

fn shop(allowed: u64, spent: u32) -> Shop {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let mut journal = fund.ready(folder.path(), 10_000);
    let objects = vec![
        fund.binding_as(Tier::Purse, card(5), 5, 1).into_bytes(),
        fund.card_balance(5, 1, allowed).into_bytes(),
        fund.slot_key(card(5), 0, KEY).into_bytes(),
    ];
    assert_eq!(fund.give(&mut journal, objects).taken, 3);
    let card = Double::new(KEY, spent);
    card.chip().balance = fund.card_balance(5, 1, allowed).into_bytes();
    Shop { folder, fund, books: Direct::new(journal), card }
}

fn sales_in(folder: &Path) -> (u32, u32) {
    let report = verify::verify(&folder.join(FILE), None).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    (report.sales, report.doubts)
}

impl Shop {
    /// One tap for a sale of 300 cents. What is told as accepted is in the file.
    fn tap(&mut self, number: u64) -> Paid {
        self.tap_of(number, 300, None)
    }

    fn tap_of(&mut self, number: u64, amount: u64, most: Option<u64>) -> Paid {
        let by = PresentedBy { card: card(5), proven: Tier::Purse, uid: UidClass::Unique, counter: None };
        let ask = SaleAsk { request: request(number), till_ref: None, lines: lines(amount), card: by };
        let wish = Purchase { ask, uid: UID, most: most.map(cents) };
        let mut told = None;
        let (before, debits) = (sales_in(self.folder.path()).0, self.card.chip().debits);
        let (mut card, folder) = (self.card.clone(), self.folder.path().to_owned());
        purchase(&mut card, &mut self.books, &wish, |paid| {
            if let Paid::Accepted(record) | Paid::Earlier(record) = &paid {
                assert_eq!(record.sale.tier, Tier::Purse);
                assert!(sales_in(&folder).0 > 0, "told before it was written");
            }
            told = Some(paid);
        });
        assert!(self.card.chip().debits <= debits + 1, "one tap, one debit");
        assert!(sales_in(self.folder.path()).0 <= before + 1);
        told.unwrap()
    }

    fn restart(self) -> Self {
        let Self { folder, fund, books, card } = self;
        drop(books);
        let journal = fund.open(folder.path(), moment(2, 1));
        Self { folder, fund, books: Direct::new(journal), card }
    }

    /// Debits, and the counter.
    fn counted(&self) -> (u32, u32) {
        let chip = self.card.chip();
        (chip.debits, chip.spent)
    }

    fn debits(&self) -> u32 {
        self.card.chip().debits
    }
}

#[test]
fn a_purchase_is_accepted_proven_and_one_debit() {
    let mut shop = shop(1000, 400);
    let paid = shop.tap(1);
    assert!(matches!(&paid, Paid::Accepted(record) if record.sale.card_counter == Some(8)), "{paid:?}");
    assert_eq!(shop.counted(), (1, 700));
    assert_eq!(shop.card.chip().opened, 1, "one session");
    assert!(matches!(shop.tap(1), Paid::Accepted(_)), "the same request again");
    assert_eq!(shop.debits(), 1);
    assert!(matches!(shop.tap(2), Paid::Accepted(_)));
    let paid = shop.tap(3);
    assert!(matches!(&paid, Paid::Declined(declined, None) if declined.reason == DeclineReason::InsufficientFunds));
    assert_eq!((shop.debits(), sales_in(shop.folder.path())), (2, (2, 0)));
}

#[test]
fn torn_anywhere_the_next_tap_here_makes_it_exactly_one_sale_and_one_debit() {
    for (tear, crash_after, first_is_doubt) in [
        (Tear::Opening, None, false),
        (Tear::Reading, None, false),
        (Tear::BeforeCommit, None, false),
        (Tear::CommitDone, None, true),
        (Tear::CommitNotDone, None, true),
        // The power goes: after the intent and before the debit, after it with and without an answer.
        (Tear::BeforeCommit, Some(2), false),
        (Tear::CommitDone, Some(2), true),
        (Tear::CommitNotDone, Some(2), true),
        (Tear::Nowhere, Some(2), true),
        // It goes before the intent is written.
        (Tear::Nowhere, Some(1), false),
        (Tear::Nowhere, Some(0), false),
    ] {
        for restarts in [false, true] {
            let mut shop = shop(1000, 400);
            shop.card.chip().tear = tear;
            shop.books.left = crash_after;
            let first = shop.tap(1);
            assert!(!matches!(first, Paid::Accepted(_)), "{tear:?} {crash_after:?}");
            assert_eq!(matches!(first, Paid::InDoubt), first_is_doubt, "{tear:?} {crash_after:?}: {first:?}");
            assert_eq!(sales_in(shop.folder.path()).0, 0);
            if restarts || crash_after.is_some() {
                shop = shop.restart();
            }
            let second = shop.tap(1);
            assert!(matches!(second, Paid::Accepted(_)), "{tear:?} {crash_after:?}: {second:?}");
            assert_eq!((shop.debits(), sales_in(shop.folder.path())), (1, (1, 0)), "{tear:?} {crash_after:?}");
            shop = shop.restart();
            assert!(matches!(shop.tap(1), Paid::Accepted(_)));
            assert_eq!((shop.debits(), sales_in(shop.folder.path())), (1, (1, 0)), "{tear:?} {crash_after:?}");
        }
    }
}

#[test]
fn a_doubt_is_settled_first_though_the_next_tap_is_for_another_sale() {
    for (tear, crash, was_debited) in [
        (Tear::CommitDone, None, true),
        (Tear::CommitNotDone, None, false),
        (Tear::Nowhere, Some(2), true),
        (Tear::BeforeCommit, Some(2), false),
    ] {
        let mut shop = shop(1000, 400);
        shop.card.chip().tear = tear;
        shop.books.left = crash;
        shop.tap(1);
        if crash.is_some() {
            shop = shop.restart();
        }
        let second = shop.tap(2);
        if was_debited {
            // The tap has settled the earlier sale, and pays nothing more.
            assert!(matches!(&second, Paid::Earlier(record) if record.sale.request == Some(request(1))), "{second:?}");
            assert_eq!((shop.debits(), sales_in(shop.folder.path())), (1, (1, 0)));
            assert!(matches!(shop.tap(2), Paid::Accepted(_)));
            assert_eq!((shop.debits(), sales_in(shop.folder.path())), (2, (2, 0)));
        } else {
            assert!(matches!(&second, Paid::Accepted(record) if record.sale.request == Some(request(2))), "{second:?}");
            assert_eq!((shop.debits(), sales_in(shop.folder.path())), (1, (1, 0)));
        }
    }
}

#[test]
fn a_doubt_stays_one_while_the_card_is_torn_again_or_does_not_tell() {
    let mut shop = shop(1000, 400);
    shop.card.chip().tear = Tear::CommitDone;
    assert!(matches!(shop.tap(1), Paid::InDoubt));
    for tear in [Tear::Opening, Tear::AfterDebit] {
        shop.card.chip().tear = tear;
        assert!(matches!(shop.tap(1), Paid::InDoubt), "{tear:?}");
        shop.card.chip().tear = tear;
        assert!(matches!(shop.tap(2), Paid::Again), "{tear:?}");
    }
    // Another card with the same UID.
    shop.card.chip().key = [9; 16];
    assert!(matches!(shop.tap(1), Paid::InDoubt));
    shop.card.chip().key = KEY;
    // The record was overwritten by later ones.
    let records = std::mem::take(&mut shop.card.chip().records);
    assert!(matches!(shop.tap(1), Paid::Unsettled(_)));
    assert!(matches!(shop.tap(2), Paid::Unsettled(_)));
    assert_eq!((shop.debits(), sales_in(shop.folder.path())), (1, (0, 1)));
    shop.card.chip().records = records;
    assert!(matches!(shop.tap(1), Paid::Accepted(_)));
    assert_eq!((shop.debits(), sales_in(shop.folder.path())), (1, (1, 0)));
}

#[test]
fn what_others_sold_meanwhile_does_not_keep_a_doubt_open() {
    for (tear, others, settled) in [
        (Tear::CommitDone, 200, Some(1)),
        (Tear::CommitNotDone, 200, Some(1)),
        // The card has counted what no record tells of.
        (Tear::CommitNotDone, 199, None),
    ] {
        let mut shop = shop(2000, 400);
        shop.card.chip().tear = tear;
        assert!(matches!(shop.tap(1), Paid::InDoubt));
        {
            let mut chip = shop.card.chip();
            chip.spent += 200;
            let (cents, spent_after) = (others, chip.spent);
            let other = Record { terminal: 8, epoch: 1, seq: 5, time_s: 1, cents, spent_after, serial: 1 };
            chip.records.push(other.to_bytes(&Key::new([5; 16]), &UID));
        }
        let paid = shop.tap(1);
        assert_eq!(matches!(paid, Paid::Accepted(_)), settled.is_some(), "{tear:?} {others}: {paid:?}");
        assert_eq!(matches!(paid, Paid::Unsettled(_)), settled.is_none(), "{tear:?} {others}: {paid:?}");
        assert_eq!(shop.debits(), settled.unwrap_or(0));
        assert_eq!(sales_in(shop.folder.path()).0, settled.unwrap_or(0));
    }
}

#[test]
fn a_debit_that_the_hub_would_not_honour_any_more_is_not_shown_as_accepted() {
    let mut shop = shop(1000, 400);
    shop.card.chip().tear = Tear::CommitDone;
    assert!(matches!(shop.tap(1), Paid::InDoubt));
    let lost = shop.fund.hot_list(2, 0, &[5]).into_bytes();
    shop.fund.give(&mut shop.books.journal, vec![lost]);
    for number in [1, 2] {
        assert!(matches!(shop.tap(number), Paid::Unsettled(_)));
    }
    for standing in [Standing::Closed, Standing::Quarantined, Standing::Revoked] {
        shop.books.journal.set_standing(moment(1, 11), standing).unwrap();
        assert!(matches!(shop.tap(1), Paid::Unsettled(_)), "{standing:?}");
    }
    shop.books.journal.set_standing(moment(1, 12), Standing::Live).unwrap();
    assert_eq!((shop.debits(), sales_in(shop.folder.path())), (1, (0, 1)));
    // Found again before its money went back.
    let found = shop.fund.hot_list(3, 0, &[]).into_bytes();
    shop.fund.give(&mut shop.books.journal, vec![found]);
    assert!(matches!(shop.tap(1), Paid::Accepted(_)));
    assert_eq!((shop.debits(), sales_in(shop.folder.path())), (1, (1, 0)));
}

#[test]
fn what_nobody_waits_for_any_more_is_not_debited() {
    for given_up_after in [1, 2] {
        let mut shop = shop(1000, 400);
        shop.books.given_up_after = Some(given_up_after);
        assert!(matches!(shop.tap(1), Paid::Again));
        assert_eq!((shop.debits(), sales_in(shop.folder.path())), (0, (0, 0)), "{given_up_after}");
        shop.books.given_up_after = None;
        assert!(matches!(shop.tap(1), Paid::Accepted(_)));
        assert_eq!((shop.debits(), sales_in(shop.folder.path())), (1, (1, 0)));
    }
}

#[test]
fn a_card_that_does_not_have_the_key_is_a_copy_and_an_older_key_is_tried() {
    let mut shop = shop(1000, 0);
    shop.card.chip().key = [2; 16];
    let paid = shop.tap(1);
    assert!(
        matches!(&paid, Paid::Declined(declined, None) if declined.reason == DeclineReason::TierTooLow),
        "{paid:?}"
    );
    let new = shop.fund.slot_key(card(5), 1, [3; 16]).into_bytes();
    assert_eq!(shop.fund.give(&mut shop.books.journal, vec![new]).taken, 1);
    for (key, number) in [(KEY, 2), ([3; 16], 3)] {
        shop.card.chip().key = key;
        assert!(matches!(shop.tap(number), Paid::Accepted(_)));
    }
    assert_eq!(shop.debits(), 2);
}

#[test]
fn a_part_that_was_taken_still_stands_after_a_doubt() {
    let mut shop = shop(1000, 800);
    let policy = shop.fund.policy_with_parts(2).into_bytes();
    shop.fund.give(&mut shop.books.journal, vec![policy]);
    assert!(matches!(shop.tap(1), Paid::Declined(_, Some(offer)) if offer == cents(200)));
    shop.card.chip().tear = Tear::CommitNotDone;
    assert!(matches!(shop.tap_of(1, 300, Some(200)), Paid::InDoubt));
    let mut shop = shop.restart();
    let paid = shop.tap(1);
    assert!(matches!(&paid, Paid::Accepted(record) if record.sale.fund_cents() == Ok(cents(200))), "{paid:?}");
    assert_eq!(shop.counted(), (1, 1000));
}

#[test]
fn after_accepted_the_card_gets_a_newer_balance_and_gives_records_and_may_leave_in_between() {
    let (folder_rows, tears) = (|shop: &Shop| shop.books.journal.state().newest.chain.seq.get(), [true, false]);
    for is_torn in tears {
        let mut shop = shop(1000, 0);
        let newer = shop.fund.card_balance(5, 2, 1500).into_bytes();
        shop.fund.give(&mut shop.books.journal, vec![newer.clone()]);
        let other = Record { terminal: 8, epoch: 1, seq: 5, time_s: 1, cents: 9, spent_after: 9, serial: 1 };
        shop.card.chip().records.push(other.to_bytes(&Key::new([5; 16]), &UID));
        let before = folder_rows(&shop);
        if is_torn {
            shop.card.chip().tear = Tear::AfterDebit;
        }
        assert!(matches!(shop.tap(1), Paid::Accepted(_)));
        // Intent and sale; then the balance that was written and the record, or nothing.
        assert_eq!(folder_rows(&shop) - before, if is_torn { 2 } else { 4 });
        assert_eq!(shop.card.chip().balance == newer, !is_torn);
        let before = folder_rows(&shop);
        assert!(matches!(shop.tap(2), Paid::Accepted(_)));
        assert_eq!(folder_rows(&shop) - before, if is_torn { 4 } else { 2 }, "once");
        assert_eq!(sales_in(shop.folder.path()), (2, 0));
    }
}

#[test]
fn a_balance_is_looked_at_and_nothing_is_debited() {
    let mut shop = shop(1000, 400);
    let by = PresentedBy { card: card(5), proven: Tier::Purse, uid: UidClass::Unique, counter: None };
    let mut card = shop.card.clone();
    let mut shown = |shop: &mut Shop| look(&mut card, &mut shop.books, by, UID);
    assert_eq!(shown(&mut shop).view.unwrap(), CardView::Usable { available: cents(600) });
    shop.card.chip().tear = Tear::Reading;
    assert!(matches!(shown(&mut shop).view, Err(Paid::Again)));
    assert_eq!(shop.debits(), 0);
}

#[test]
fn a_look_at_a_balance_settles_a_doubt_and_debits_nothing_more() {
    let by = PresentedBy { card: card(5), proven: Tier::Purse, uid: UidClass::Unique, counter: None };
    for (tear, left, was_debited) in [(Tear::CommitDone, 300, true), (Tear::CommitNotDone, 600, false)] {
        let mut shop = shop(1000, 400);
        shop.card.chip().tear = tear;
        assert!(matches!(shop.tap(1), Paid::InDoubt));
        let mut card = shop.card.clone();
        // A card that leaves again, and one that does not tell, settle nothing.
        shop.card.chip().tear = Tear::Opening;
        assert!(look(&mut card, &mut shop.books, by, UID).earlier.is_none());
        let records = std::mem::take(&mut shop.card.chip().records);
        if was_debited {
            let looked = look(&mut card, &mut shop.books, by, UID);
            assert!(looked.earlier.is_none() && looked.view.is_ok(), "{looked:?}");
            assert_eq!(sales_in(shop.folder.path()), (0, 1), "a doubt still");
        }
        shop.card.chip().records = records;
        let looked = look(&mut card, &mut shop.books, by, UID);
        assert_eq!(looked.earlier.is_some(), was_debited, "{tear:?}");
        assert_eq!(looked.view.unwrap(), CardView::Usable { available: cents(left) });
        assert_eq!(
            (shop.debits(), sales_in(shop.folder.path())),
            (u32::from(was_debited), (u32::from(was_debited), 0))
        );
        assert!(look(&mut card, &mut shop.books, by, UID).earlier.is_none(), "once");
        assert!(matches!(shop.tap(1), Paid::Accepted(_)));
        assert_eq!((shop.debits(), sales_in(shop.folder.path())), (1, (1, 0)), "{tear:?}");
    }
}

#[test]
fn a_card_that_has_too_little_is_given_more_by_the_hub_at_the_same_tap() {
    let mut shop = shop(1000, 800);
    let larger = shop.fund.card_balance(5, 2, 1100).into_bytes();
    shop.books.hub = Some(larger.clone());
    assert!(matches!(shop.tap(1), Paid::Accepted(record) if record.sale.serial == Serial::new(2)));
    assert_eq!(shop.books.asked, [(DeclineReason::InsufficientFunds, Some(cents(1100)))]);
    assert_eq!((shop.counted(), sales_in(shop.folder.path())), ((1, 1100), (1, 0)));
    {
        let chip = shop.card.chip();
        assert_eq!((chip.opened, &chip.balance), (2, &larger), "written after it was accepted");
    }
    // The hub is asked once a tap, whatever it gives, and where it gives nothing the sale is declined.
    shop.books.hub = Some(shop.fund.card_balance(5, 3, 1399).into_bytes());
    for asked in [2, 3] {
        let paid = shop.tap(asked);
        assert!(matches!(&paid, Paid::Declined(declined, None) if declined.reason == DeclineReason::InsufficientFunds));
        assert_eq!((shop.books.asked.len(), shop.debits()), (usize::try_from(asked).unwrap(), 1));
    }
}

#[test]
fn a_card_that_leaves_while_the_hub_is_asked_pays_at_its_next_tap_without_asking_again() {
    let mut shop = shop(1000, 800);
    shop.books.hub = Some(shop.fund.card_balance(5, 2, 1100).into_bytes());
    shop.card.chip().tear_after(1, Tear::Opening);
    assert!(matches!(shop.tap(1), Paid::Again));
    assert_eq!((shop.debits(), sales_in(shop.folder.path())), (0, (0, 0)));
    assert!(matches!(shop.tap(1), Paid::Accepted(_)));
    assert_eq!((shop.books.asked.len(), shop.counted()), (1, (1, 1100)));
}

#[test]
fn what_the_hub_did_not_sign_is_written_over_before_the_card_pays() {
    let mut shop = shop(1000, 400);
    let genuine = shop.fund.card_balance(5, 1, 1000).into_bytes();
    shop.card.chip().balance = vec![7; 160];
    assert!(matches!(shop.tap(1), Paid::Accepted(_)));
    let carried = shop.card.chip().balance.clone();
    let found = (carried, shop.card.chip().spent);
    assert_eq!(found, (genuine, 700));
    // Its own transaction is told of, and a card that leaves before it is only asked for again.
    shop.card.chip().balance = vec![7; 160];
    shop.card.chip().tear_after(1, Tear::Opening);
    assert!(matches!(shop.tap(2), Paid::Again));
    assert_eq!(shop.card.chip().spent, 700);
    assert!(shop.books.journal.find_doubt(request(2)).unwrap().is_none());
    let report = verify::verify(&shop.folder.path().join(FILE), None).unwrap();
    assert_eq!((report.sales, report.problems.len()), (1, 0));
}
