//! What purse cards prove, by examples: household 1 has 150.00 and purse card 51, issued by this hub and loaded with what was free.

use cabas_card::Key;
use cabas_card::issue::Renewed;
use cabas_card::layout::{RECORD_BYTES, Record};
use cabas_card::purse::{purchase_input, written_input};
use cabas_card::tmac::{TransactionInput, transaction_mac};
use cabas_protocol::row::{CardDebit, CardWritten, Courier, Origin, Sale, Tier};
use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, Epoch, Hash, RowBody, Seq, Serial, Signed, SignedBalance, Stan, TerminalId};
use zeroize::Zeroizing;

use super::world::{NOW, Terminal, World, at, card_ref, cents, purse_ref, sale, signer};
use crate::core::bank_text::BankKeys;
use crate::core::card_proof::{CardWitness, Proof};
use crate::core::claims::Stretch;
use crate::store::{AlarmKind, CardVerb, CarriedReport, FindingKind, RepaymentOrder, RepaymentRefusal, StoreError};

/// Keys that are made of what they are for. A sealed UID is the UID.
#[derive(Clone, Copy)]
pub(super) struct Witness;

fn key(of: &[u8]) -> Key {
    let mut bytes = [7; 16];
    for (to, from) in bytes.iter_mut().zip(of) {
        *to = *from;
    }
    Key::new(bytes)
}

impl CardWitness for Witness {
    fn transaction_mac(&self, uid: &[u8], counter: u32, input: &TransactionInput) -> Option<[u8; 8]> {
        let uid: &[u8; 7] = uid.try_into().ok()?;
        Some(transaction_mac(&key(uid), uid, counter, input))
    }

    fn record(&self, uid: &[u8], record: Record) -> Option<[u8; RECORD_BYTES]> {
        let terminal = key(&[&record.terminal.to_be_bytes()[..], &record.epoch.to_be_bytes()].concat());
        Some(record.to_bytes(&terminal, uid.try_into().ok()?))
    }
}

/// Texts are turned over, with their entry's number before them.
impl BankKeys for Witness {
    fn seal_text(&self, entry: u64, text: &[u8]) -> Option<Vec<u8>> {
        Some(entry.to_be_bytes().into_iter().chain(text.iter().map(|byte| !byte)).collect())
    }

    fn open_text(&self, entry: u64, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let text = sealed.strip_prefix(entry.to_be_bytes().as_slice())?;
        Some(Zeroizing::new(text.iter().map(|byte| !byte).collect()))
    }

    fn known_by(&self, said: &Hash) -> Option<Hash> {
        Some(Hash::new(said.as_bytes().map(|byte| !byte)))
    }
}

fn uid(card: u8) -> [u8; 7] {
    [4, 0, 0, 0, 0, 0, card]
}

/// A chip: what it carries and counts.
#[derive(Clone)]
pub(super) struct Chip {
    pub(super) number: u8,
    pub(super) balance: Vec<u8>,
    pub(super) spent: u64,
    pub(super) counter: u32,
    pub(super) records: Vec<[u8; RECORD_BYTES]>,
}

impl Chip {
    /// A purchase: the rows that its terminal writes, and what the card has afterwards.
    pub(super) fn pay(&mut self, terminal: &mut Terminal, amount: u64, serial: u32) {
        let row = self.debit(terminal, amount, serial);
        terminal.write(RowBody::Sale(row));
    }

    /// The same up to the debit: gives the sale that its terminal would write.
    pub(super) fn debit(&mut self, terminal: &mut Terminal, amount: u64, serial: u32) -> Sale {
        let before = self.spent;
        terminal.write(RowBody::Intent(CardDebit {
            stan: Stan::FIRST,
            card: card_ref(self.number),
            purse: purse_ref(self.number),
            cents: cents(amount),
            spent_before: cents(before),
            card_counter: 0,
        }));
        let intent = terminal.head.seq;
        self.spent += amount;
        self.counter += 1;
        let small = |number: u64| u32::try_from(number).unwrap();
        let record = Record {
            terminal: terminal.id.get(),
            epoch: terminal.epoch.get(),
            seq: intent.get(),
            time_s: small(terminal.clock.0.get()),
            cents: small(amount),
            spent_after: small(self.spent),
            serial,
        };
        let bytes = Witness.record(&uid(self.number), record).unwrap();
        self.records.push(bytes);
        let input = purchase_input(Some(&self.balance), small(before), small(amount), &bytes).unwrap();
        let mac = Witness.transaction_mac(&uid(self.number), self.counter, &input).unwrap();
        Sale {
            tier: Tier::Purse,
            intent: Some(intent),
            card_counter: Some(self.counter),
            card_mac: Some(mac.to_vec().into()),
            ..sale(self.number, amount, self.spent, serial)
        }
    }

    /// A newer balance is written to it.
    pub(super) fn write(&mut self, terminal: &mut Terminal, balance: &Signed<SignedBalance>) -> CardWritten {
        self.balance = balance.as_bytes().to_vec();
        self.counter += 1;
        let input = written_input(&self.balance).unwrap();
        let mac = Witness.transaction_mac(&uid(self.number), self.counter, &input).unwrap();
        let written = CardWritten {
            card: card_ref(self.number),
            purse: purse_ref(self.number),
            serial: balance.peek().unwrap().serial,
            card_counter: self.counter,
            card_mac: mac.to_vec().into(),
        };
        terminal.write(RowBody::CardWritten(written.clone()));
        written
    }

    /// Its records go along at a tap elsewhere.
    pub(super) fn bring(&self, terminal: &mut Terminal) {
        for record in &self.records {
            terminal.write(RowBody::Courier(carried(self.number, record)));
        }
    }
}

fn carried(card: u8, bytes: &[u8; RECORD_BYTES]) -> Courier {
    let record = Record::parse(bytes).unwrap();
    let (terminal, epoch, seq) = (TerminalId::new(record.terminal), Epoch::new(record.epoch), Seq::new(record.seq));
    let origin = Origin { terminal, epoch, seq };
    Courier { origin, card: card_ref(card), purse: purse_ref(card), record: bytes.to_vec().into() }
}

impl World {
    /// Issues a purse card as its dialogue does.
    pub(super) fn issue(&mut self, at_reader: &Terminal, number: u8, household: u8) -> Chip {
        let (card, household) = (u32::from(number), format!("H{household}"));
        let order = (at_reader.id, CardVerb::Issue, card);
        self.db.write(|tx| tx.card_grant(order.0, order.1, (card, Tier::Purse), Some(&household), at(900))).unwrap();
        let plan = self.db.write(|tx| tx.card_plan(order, card_ref(number), purse_ref(number), NOW)).unwrap();
        let balance = plan.balance.map(|balance| self.send(&balance).into_bytes()).unwrap_or_default();
        let renewed = Renewed { committed: None, versions: vec![(1, 1)] };
        self.db.write(|tx| tx.card_done(order, &uid(number), &renewed, NOW)).unwrap();
        Chip { number, balance, spent: 0, counter: 0, records: Vec::new() }
    }

    /// Signs a card's balance as it is sent.
    pub(super) fn send(&mut self, balance: &SignedBalance) -> Signed<SignedBalance> {
        let signed = signer(2).sign(balance);
        self.db.write(|tx| tx.card_envelope(&signed)).unwrap();
        signed
    }

    /// The newest balance of a card, sent.
    fn newest(&mut self, terminal: &Terminal, card: u8) -> Signed<SignedBalance> {
        let balance = self.extend(terminal, card, 0).unwrap();
        self.send(&balance)
    }

    fn proofs(&self) -> Vec<(u32, Option<u32>)> {
        let mut read = self.db.conn.prepare("SELECT proof, counter FROM card_commits ORDER BY id").unwrap();
        read.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }

    fn owed_to(&self, shop: u32) -> u32 {
        self.number(&format!("SELECT ifnull(sum(credits - debits), 0) FROM accounts WHERE id = (6 << 56) | {shop}"))
    }

    fn report(&mut self, terminal: &Terminal) -> CarriedReport {
        self.db.read(|tx| tx.carried_report(terminal.id)).unwrap()
    }

    /// Two people give back a stretch of a card's counter.
    fn repay(&mut self, card: u8, from: u64, to: u64) -> Result<Cents, StoreError> {
        let order = RepaymentOrder {
            card: card.into(),
            stretch: Stretch::between(cents(from), cents(to)).unwrap(),
            reason: "the bread was not given".to_owned(),
            by: "Ada".to_owned(),
        };
        let id = self.db.write(|tx| tx.repayment_propose(&order, NOW))?;
        let alone = self.db.write(|tx| tx.repayment_end(id, " ADA", true, NOW)).unwrap_err();
        assert!(matches!(alone, StoreError::Repayment(RepaymentRefusal::SamePerson)), "{alone}");
        self.db.write(|tx| tx.repayment_end(id, "Bo", true, NOW))
    }

    /// What a household has, wherever it lies.
    fn has(&mut self) -> u64 {
        let view = self.db.read(|tx| tx.household_money("H1")).unwrap().unwrap();
        let slices: u64 = view.slices.iter().map(|slice| slice.allowed.get() - slice.claimed.get()).sum();
        view.free.get() + slices + view.cards.iter().map(|card| card.left.get()).sum::<u64>()
    }
}

fn world() -> (World, Terminal, Terminal, Chip) {
    let mut world = World::credited();
    let (a, b) = (world.terminal("A"), world.terminal("B"));
    let chip = world.issue(&a, 51, 1);
    (world, a, b, chip)
}

#[test]
fn a_sale_that_the_card_proves_is_settled_and_nobody_is_alarmed() {
    let (mut world, mut a, mut b, mut chip) = world();
    chip.pay(&mut a, 1_000, 1);
    chip.pay(&mut b, 250, 1);
    for terminal in [&mut b, &mut a] {
        let outcome = world.sync(terminal);
        assert_eq!((outcome.over_right, outcome.alarms), (Cents::ZERO, vec![]));
    }
    assert_eq!(world.proofs(), [(1, Some(2)), (1, Some(1))]);
    assert_eq!((world.owed_to(1), world.owed_to(2)), (1_000, 250));
    // A newer balance for the next ones; the card has still the old one when it is named first.
    let balance = world.newest(&a, 51);
    chip.pay(&mut a, 10, 1);
    chip.write(&mut a, &balance);
    chip.pay(&mut a, 20, 1);
    let outcome = world.sync(&mut a);
    assert_eq!((outcome.settled, outcome.alarms), (cents(30), vec![]));
    assert!(world.proofs().iter().all(|(proof, _)| *proof == 1), "{:?}", world.proofs());
    let card = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap().cards[0];
    assert_eq!((card.proofs.counter, card.proofs.unheard, card.unclaimed), (5, 0, Cents::ZERO));
    world.audit();
}

#[test]
fn a_sale_that_the_card_did_not_make_is_kept_shown_and_not_paid_and_takes_nobodys_right() {
    type Change = fn(&mut World, &mut Terminal, &mut Sale);
    let changes: [(&str, Change); 8] = [
        ("a bit of the MAC", |_, _, sale| sale.card_mac.as_mut().unwrap()[7] ^= 1),
        ("a shorter MAC", |_, _, sale| sale.card_mac.as_mut().unwrap().truncate(7)),
        ("another counter", |_, _, sale| sale.card_counter = Some(2)),
        ("no counter that a card has", |_, _, sale| sale.card_counter = Some(0)),
        ("another serial than the record says", |world, terminal, sale| {
            world.credit("2026-12");
            drop(world.newest(terminal, 51));
            sale.serial = Serial::new(2);
        }),
        ("more than was debited", |_, _, sale| {
            sale.lines[0].fund = cents(1_001);
            sale.lines[0].requested = cents(1_001);
            sale.spent_after = cents(1_001);
        }),
        ("another card", |_, _, sale| sale.card = card_ref(1)),
        ("no announcement", |_, _, sale| sale.intent = Some(Seq::new(77))),
    ];
    for (what, change) in changes {
        let (mut world, mut a, mut b, chip) = world();
        let mut forged = chip.clone().debit(&mut a, 1_000, 1);
        change(&mut world, &mut a, &mut forged);
        let claimed = forged.fund_cents().unwrap();
        a.write(RowBody::Sale(forged));
        let outcome = world.sync(&mut a);
        assert_eq!((outcome.settled, outcome.over_right), (Cents::ZERO, claimed), "{what}");
        assert!(outcome.alarms.contains(&AlarmKind::CardProof), "{what}");
        let flags = world.db.read(|tx| tx.card_flags(10)).unwrap();
        assert_eq!(flags.len(), 1, "{what}");
        assert_eq!((flags[0].card, flags[0].terminal, flags[0].proof), (51, a.id, Proof::Wrong), "{what}");
        assert_eq!((flags[0].cents, flags[0].settled), (claimed, Cents::ZERO), "{what}");
        // The card's true sale elsewhere has its right.
        let mut chip = chip;
        chip.pay(&mut b, 700, 1);
        let outcome = world.sync(&mut b);
        assert_eq!((outcome.settled, outcome.alarms), (cents(700), vec![]), "{what}");
        world.audit();
    }
}

#[test]
fn a_sale_without_the_cards_answer_is_paid_and_shown() {
    let (mut world, mut a, _, mut chip) = world();
    let torn = Sale { card_counter: None, card_mac: None, ..chip.debit(&mut a, 1_000, 1) };
    a.write(RowBody::Sale(torn));
    chip.pay(&mut a, 500, 1);
    let outcome = world.sync(&mut a);
    assert_eq!((outcome.settled, outcome.alarms), (cents(1_500), vec![AlarmKind::CardProof]));
    let flags = world.db.read(|tx| tx.card_flags(10)).unwrap();
    assert_eq!((flags.len(), flags[0].proof, flags[0].settled), (1, Proof::Missing, cents(1_000)));
    let card = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap().cards[0];
    assert_eq!((card.proofs.counter, card.proofs.unheard, card.proofs.without_answer), (2, 1, 1));
    world.audit();
}

#[test]
fn one_debit_is_one_sale_and_one_counter_one_transaction() {
    let (mut world, mut a, _, mut chip) = world();
    let first = chip.debit(&mut a, 1_000, 1);
    a.write(RowBody::Sale(first.clone()));
    a.write(RowBody::Sale(first.clone()));
    let again = Sale { spent_after: cents(2_000), card_counter: None, card_mac: None, ..first };
    a.write(RowBody::Sale(again));
    let outcome = world.sync(&mut a);
    assert_eq!((outcome.settled, outcome.over_right), (cents(1_000), cents(2_000)));
    assert_eq!(world.proofs().iter().map(|(proof, _)| *proof).collect::<Vec<_>>(), [1, 5, 4]);
    world.audit();
    // A card that was issued elsewhere proves nothing here, and no row of it is in the way of others.
    world.purse_card(52, 2);
    let mut other = Chip { number: 52, balance: Vec::new(), spent: 0, counter: 6, records: Vec::new() };
    for _ in 0..2 {
        other.counter = 6;
        let sale = other.debit(&mut a, 100, 1);
        a.write(RowBody::Sale(sale.clone()));
        other.counter = 6;
        let no_mac = Sale { card_mac: None, ..other.debit(&mut a, 100, 1) };
        a.write(RowBody::Sale(no_mac));
    }
    let outcome = world.sync(&mut a);
    assert_eq!((outcome.settled, outcome.over_right), (cents(400), Cents::ZERO));
    world.audit();
}

#[test]
fn a_balance_that_was_sent_and_is_not_known_any_more_makes_a_proof_uncertain_and_not_wrong() {
    let (mut world, mut a, _, mut chip) = world();
    // Sent, and lost with the hub's disk.
    world.credit("2026-12");
    chip.balance = signer(2).sign(&world.extend(&a, 51, 0).unwrap()).into_bytes();
    world.tamper("UPDATE card_balances SET sure_from = NULL");
    chip.pay(&mut a, 1_000, 2);
    let outcome = world.sync(&mut a);
    assert_eq!((outcome.settled, outcome.alarms), (cents(1_000), vec![]));
    assert_eq!(world.proofs(), [(3, Some(1))]);
    // Once it is seen with a balance that is known, it is sure again.
    let balance = world.newest(&a, 51);
    chip.write(&mut a, &balance);
    chip.pay(&mut a, 10, 2);
    chip.balance = b"another one".to_vec();
    chip.pay(&mut a, 10, 2);
    let outcome = world.sync(&mut a);
    assert_eq!(
        (outcome.settled, outcome.over_right, outcome.alarms.contains(&AlarmKind::CardProof)),
        (cents(10), cents(10), true)
    );
    assert_eq!(world.proofs().iter().map(|(proof, _)| *proof).collect::<Vec<_>>(), [3, 1, 1, 4]);
    world.audit();
}

#[test]
fn rows_of_nobody_take_no_counter_from_the_true_sales_of_a_card_that_is_not_sure() {
    let (mut world, mut a, mut b, mut chip) = world();
    world.tamper("UPDATE card_balances SET sure_from = NULL");
    let mut forged = chip.clone();
    for _ in 0..3 {
        let sale = forged.debit(&mut b, 1, 1);
        b.write(RowBody::Sale(Sale { card_mac: Some(vec![9; 8].into()), ..sale }));
    }
    assert_eq!(world.sync(&mut b).settled, cents(3));
    chip.spent = 3;
    chip.pay(&mut a, 1_000, 1);
    assert_eq!((world.sync(&mut a).settled, world.proofs().last()), (cents(1_000), Some(&(1, Some(1)))));
    world.audit();
}

#[test]
fn after_a_restore_only_a_balance_of_the_new_life_makes_a_card_sure() {
    let (mut world, mut a, b, mut chip) = world();
    let backup = world.backup("before.db");
    chip.pay(&mut a, 1_000, 1);
    let lost = signer(2).sign(&SignedBalance { serial: Serial::new(2), ..world.newest(&a, 51).peek().unwrap() });
    chip.write(&mut a, &lost);
    chip.pay(&mut a, 500, 1);
    let copy = world.folder.path().join("restored.db");
    std::fs::copy(&backup, &copy).unwrap();
    world.restore(&copy);
    for terminal in [&a, &b] {
        world.hand_back(terminal, Vec::new(), true);
    }
    a.acked = a.head_at(0);
    let outcome = world.sync(&mut a);
    assert_eq!((outcome.settled, outcome.alarms), (cents(1_500), vec![]), "{:?}", world.proofs());
    assert_eq!(world.proofs().iter().map(|(proof, _)| *proof).collect::<Vec<_>>(), [1, 3, 3]);
    assert_eq!(world.number::<Option<u32>>("SELECT sure_from FROM card_balances"), None);
    world.audit();
}

#[test]
fn a_record_counts_as_far_as_another_terminal_proves_what_the_card_has_counted() {
    let (mut world, mut a, mut b, mut chip) = world();
    a.start();
    world.sync(&mut a);
    // A record that its terminal made up: the card was never debited.
    let mut made_up = chip.clone();
    made_up.debit(&mut a, 5_000, 1);
    made_up.bring(&mut b);
    chip.pay(&mut b, 40, 1);
    world.sync(&mut b);
    world.close(&a, "Ada", "Bo");
    assert_eq!((world.owed_to(1), world.report(&a).provisional), (0, 1));
    // The card goes on, and pays at B whatever it pays: what A made up takes no cent of it before that is proven.
    chip.pay(&mut b, 4_900, 1);
    assert_eq!(world.sync(&mut b).settled, cents(4_900));
    assert_eq!((world.owed_to(1), world.owed_to(2)), (0, 4_940));
    world.audit();
}

#[test]
fn a_false_word_on_a_record_does_not_hide_the_true_one() {
    let (mut world, mut a, mut b, mut chip) = world();
    a.start();
    world.sync(&mut a);
    chip.pay(&mut a, 1_000, 1);
    let record = chip.records[0];
    chip.pay(&mut b, 40, 1);
    let origin = Origin { terminal: b.id, epoch: b.epoch, seq: Seq::new(1) };
    b.write(RowBody::Courier(Courier { origin, ..carried(51, &record) }));
    b.write(RowBody::Courier(Courier { card: card_ref(1), ..carried(51, &record) }));
    assert_eq!(world.sync(&mut b).alarms, [AlarmKind::CardProof]);
    b.write(RowBody::Courier(carried(51, &record)));
    assert_eq!(world.sync(&mut b).alarms, []);
    world.close(&a, "Ada", "Bo");
    assert_eq!(world.owed_to(1), 1_000);
    world.audit();
}

#[test]
fn a_debit_that_its_terminal_had_in_doubt_is_no_sale_when_its_epoch_is_closed() {
    let (mut world, mut a, mut b, mut chip) = world();
    chip.debit(&mut a, 1_000, 1);
    a.start();
    world.sync(&mut a);
    chip.pay(&mut b, 40, 1);
    chip.bring(&mut b);
    world.sync(&mut b);
    world.close(&a, "Ada", "Bo");
    assert_eq!((world.owed_to(1), world.report(&a).provisional), (0, 1), "no goods were given");
    assert_eq!(world.repay(51, 0, 1_000).unwrap(), cents(1_000));
    world.audit();
}

#[test]
fn a_balance_that_was_not_written_as_a_row_says_is_shown() {
    let (mut world, mut a, _, mut chip) = world();
    let balance = world.newest(&a, 51);
    let mut written = chip.write(&mut a, &balance);
    assert_eq!(world.sync(&mut a).alarms, []);
    written.card_counter += 1;
    a.write(RowBody::CardWritten(written));
    assert_eq!(world.sync(&mut a).alarms, [AlarmKind::CardProof]);
    assert_eq!(world.proofs(), [(1, Some(1)), (4, Some(2))]);
    world.audit();
}

#[test]
fn what_a_card_carried_and_what_its_terminal_tells_count_once_whichever_comes_first() {
    for card_first in [true, false] {
        let (mut world, mut a, mut b, mut chip) = world();
        chip.pay(&mut a, 1_000, 1);
        chip.bring(&mut b);
        if card_first {
            assert_eq!(world.sync(&mut b).alarms, []);
            assert_eq!(world.owed_to(1), 0, "a record proves the debit, not that goods were given");
            let report = world.report(&a);
            assert_eq!((report.provisional, report.provisional_cents, report.told), (1, cents(1_000), 0));
            world.audit();
        }
        world.sync(&mut a);
        world.sync(&mut b);
        assert_eq!(world.owed_to(1), 1_000);
        let report = world.report(&a);
        assert_eq!((report.provisional, report.told, report.told_cents, report.booked), (0, 1, cents(1_000), 0));
        // The same records again, by the same card at a third shop's terminal.
        let mut c = world.terminal("B");
        chip.bring(&mut c);
        world.sync(&mut c);
        world.close(&a, "Ada", "Bo");
        assert_eq!((world.owed_to(1), world.report(&a).booked), (1_000, 0));
        world.audit();
    }
}

#[test]
fn a_destroyed_terminals_sales_come_back_by_the_cards_once_its_epoch_is_closed() {
    let (mut world, mut a, mut b, mut chip) = world();
    a.start();
    world.sync(&mut a);
    for amount in [1_000, 250, 30] {
        chip.pay(&mut a, amount, 1);
    }
    let records = std::mem::take(&mut chip.records);
    chip.records = records[..2].to_vec();
    chip.pay(&mut b, 40, 1);
    chip.bring(&mut b);
    world.sync(&mut b);
    let closing = world.close(&a, "Ada", "Bo");
    assert_eq!((closing.carried, world.owed_to(1)), (cents(1_250), 1_250));
    let report = world.report(&a);
    assert_eq!((report.booked, report.booked_cents, report.provisional), (2, cents(1_250), 0));
    // The third is on the card only: what the card counted and nobody told of says how much is missing.
    assert_eq!((report.unclaimed, report.unclaimed_cards), (cents(30), 1));
    world.audit();
    // It comes by another tap; and the terminal's disk, found months later, brings nothing that is paid again.
    b.write(RowBody::Courier(carried(51, &records[2])));
    world.sync(&mut b);
    assert_eq!((world.owed_to(1), world.report(&a).unclaimed), (1_280, Cents::ZERO));
    let late = world.sync(&mut a);
    assert_eq!((late.standing, late.settled, late.over_right), (Standing::Closed, Cents::ZERO, cents(1_280)));
    assert_eq!(world.owed_to(1), 1_280);
    world.audit();
    // The shop is paid with the next settlement.
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    let closed = world.db.write(|tx| tx.settlement_close(&cut, at(10))).unwrap().unwrap();
    let shop = closed.shops.iter().find(|shop| shop.shop_code == "A").unwrap();
    assert_eq!((shop.sums.brought_sales, shop.sums.brought, shop.payout), (3, cents(1_280), cents(1_280)));
    assert!(world.db.write(|tx| tx.settlement_close(&cut, at(11))).unwrap().is_none());
    world.audit();
}

#[test]
fn a_record_that_its_terminal_did_not_make_for_this_card_is_shown_and_never_booked() {
    let (mut world, mut a, mut b, mut chip) = world();
    let other = world.issue(&a, 52, 2);
    chip.pay(&mut a, 1_000, 1);
    let true_one = chip.records[0];
    let made = Record::parse(&true_one).unwrap();
    // Another terminal's key, another card's record, another place than the row names, garbage.
    let forged = made.to_bytes(&key(b"whatever"), &uid(51));
    let of_other = Witness.record(&uid(52), made).unwrap();
    let garbage = Courier { record: vec![9; RECORD_BYTES].into(), ..carried(51, &true_one) };
    let of_nobody = Courier { purse: purse_ref(99), ..carried(51, &true_one) };
    for courier in [carried(51, &forged), carried(51, &of_other), garbage, of_nobody] {
        b.write(RowBody::Courier(courier));
        assert_eq!(world.sync(&mut b).alarms, [AlarmKind::CardProof]);
    }
    world.close(&a, "Ada", "Bo");
    assert_eq!((world.owed_to(1), world.report(&a).booked), (0, 0));
    assert_eq!(world.number::<u32>("SELECT count(*) FROM card_records WHERE proof = 1"), 0);
    assert_eq!(other.spent, 0);
    world.audit();
}

#[test]
fn a_debit_without_goods_is_given_back_by_two_people_once() {
    let (mut world, mut a, mut b, mut chip) = world();
    // The commit was torn at A, and the card never came back there.
    let torn = chip.debit(&mut a, 1_000, 1);
    chip.pay(&mut b, 500, 1);
    world.sync(&mut b);
    let before = world.has();
    let found = world.db.read(|tx| tx.unclaimed(51)).unwrap();
    assert_eq!(found.iter().map(|view| (view.from.get(), view.to.get())).collect::<Vec<_>>(), [(0, 1_000)]);
    for (from, to) in [(0, 1_001), (900, 1_100), (1_500, 1_600)] {
        let refused = world.repay(51, from, to).unwrap_err();
        assert!(matches!(refused, StoreError::Repayment(RepaymentRefusal::Claimed)), "{from} {to}: {refused}");
    }
    assert_eq!(world.repay(51, 0, 1_000).unwrap(), cents(1_000));
    // It was part of what was left on the card, where nobody could spend it: now it can be spent.
    assert_eq!(world.has(), before);
    let card = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap().cards[0];
    assert_eq!((card.unclaimed, card.spent), (Cents::ZERO, cents(1_500)));
    assert!(world.repay(51, 0, 1_000).is_err(), "it is given back once");
    world.audit();
    // A terminal that says it was a sale after all comes too late: two people decided.
    a.write(RowBody::Sale(torn));
    let outcome = world.sync(&mut a);
    assert_eq!((outcome.settled, outcome.over_right), (Cents::ZERO, cents(1_000)));
    assert!(outcome.alarms.contains(&AlarmKind::OverRight));
    world.audit();
}

#[test]
fn what_went_back_with_a_released_card_is_not_given_back_again() {
    let (mut world, mut a, mut b, mut chip) = world();
    chip.debit(&mut a, 1_000, 1);
    chip.pay(&mut b, 500, 1);
    world.sync(&mut b);
    let version = world.db.write(|tx| tx.card_block(crate::store::CardName::Number(51), NOW)).unwrap();
    for terminal in [&mut a, &mut b] {
        terminal.write(RowBody::ListApplied(cabas_protocol::row::ListApplied { version }));
        world.sync(terminal);
    }
    let refused = world.repay(51, 0, 1_000).unwrap_err();
    assert!(matches!(refused, StoreError::Repayment(RepaymentRefusal::Released)), "{refused}");
    world.audit();
}

#[test]
fn the_auditor_finds_what_is_planted_among_proofs_records_and_repayments() {
    let lived = || {
        let (mut world, mut a, mut b, mut chip) = world();
        let forged = Sale { card_counter: Some(9), ..chip.clone().debit(&mut a, 100, 1) };
        a.write(RowBody::Sale(forged));
        world.sync(&mut a);
        chip.pay(&mut a, 1_000, 1);
        chip.bring(&mut b);
        chip.number = 51;
        let mut elsewhere = a.clone();
        chip.debit(&mut elsewhere, 70, 1);
        chip.pay(&mut b, 500, 1);
        world.sync(&mut b);
        world.close(&a, "Ada", "Bo");
        world.repay(51, 1_000, 1_070).unwrap();
        world.audit();
        world
    };
    for (kind, subject, sql) in [
        (FindingKind::Claim, "card 4 claim 1", "UPDATE card_commits SET proof = 1 WHERE proof = 4"),
        (FindingKind::Claim, "card 4 claim 2", "UPDATE card_commits SET proof = 4 WHERE proof = 1"),
        (FindingKind::Card, "record 1", "UPDATE card_records SET record = zeroblob(48)"),
        (FindingKind::Card, "record 1", "UPDATE card_records SET cents = cents + 1"),
        (FindingKind::Card, "proof 1", "UPDATE card_commits SET proof = 1 WHERE proof = 4"),
        (FindingKind::Card, "proof 1", "UPDATE card_commits SET counter = counter + 1 WHERE id = 1"),
        (FindingKind::Card, "proof 2", "UPDATE card_commits SET before = before + 1 WHERE id = 2"),
        (FindingKind::Claim, "card 4 claim 2", "DELETE FROM card_commits WHERE id = 2"),
        (FindingKind::Transfer, "transfer 12", "UPDATE carried_sales SET settled = settled - 1"),
        (FindingKind::Card, "carried sale 1", "UPDATE carried_sales SET shop = 2"),
        (FindingKind::Card, "carried sale 1", "UPDATE epochs SET standing = 0 WHERE terminal = 1"),
        (
            FindingKind::Card,
            "carried sale 2",
            "UPDATE carried_sales SET place = 2; UPDATE card_claims SET carried = 2 WHERE carried = 1",
        ),
        (FindingKind::Card, "repayment 1", "UPDATE card_repayments SET ended_by = 'ada'"),
        (FindingKind::Claim, "card 4 claim 4", "UPDATE card_repayments SET to_cents = to_cents + 1"),
        (FindingKind::Claim, "card 4", "DELETE FROM card_claims WHERE repayment = 1"),
    ] {
        let mut world = lived();
        world.tamper(sql);
        let report = world.verify();
        let found = report.findings.iter().any(|finding| finding.kind == kind && finding.subject == subject);
        assert!(found, "{sql}: {kind:?} {subject} is not among {:#?}", report.findings);
    }
}
