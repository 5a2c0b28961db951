//! A hub that comes back from yesterday's backup.

use std::path::{Path, PathBuf};

use cabas_protocol::keys::KeyCert;
use cabas_protocol::row::Tier;
use cabas_protocol::sync::{HeldList, Standing, TerminalStatus};
use cabas_protocol::{Cents, Epoch, Incarnation, ObjectType, Seq, SignedBalance, TerminalId, Version};

use super::releases::about;
use super::world::{ALL_NEWS, CONTEXT, NOW, Terminal, World, at, card_ref, cents, purse_ref, signer};
use crate::core::card_proof::NoWitness;
use crate::core::ledger::AccountKind;
use crate::store::{
    BlockedAgain, CardName, Contact, Db, Deliverable, FindingKind, HandBack, ImportCard, ImportPlan, Missing, OpenMode,
    RESTORE_GAP, RestorePlan, RestoreReport, StoreError, restore,
};

impl World {
    pub(super) fn backup(&mut self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        self.db.backup(&path, NOW).unwrap();
        path
    }

    pub(super) fn restore(&mut self, backup: &Path) -> RestoreReport {
        self.restore_with(backup, &[])
    }

    fn restore_with(&mut self, backup: &Path, certs: &[cabas_protocol::Signed<KeyCert>]) -> RestoreReport {
        let database = self.path();
        drop(std::mem::replace(&mut self.db, Db::open(backup, OpenMode::Existing).unwrap()));
        let plan = RestorePlan { backup, database: &database, newest_life: Incarnation::new(0), certs };
        let files = std::fs::read_dir(self.folder.path()).unwrap().count();
        let report = restore(&plan, at(u64::try_from(files).unwrap())).unwrap();
        self.db = Db::open(&database, OpenMode::Existing).unwrap();
        report
    }

    pub(super) fn hand_back(&mut self, terminal: &Terminal, balances: Vec<Vec<u8>>, is_end: bool) {
        let handed = HandBack { balances, list: None, is_end };
        self.db.write(|tx| tx.take_held(terminal.id, terminal.epoch, &handed, NOW)).unwrap();
    }

    /// What is free, left at terminals, paid to shops, and missing, in the whole fund.
    fn sums(&mut self) -> (u64, u64, u64, u64) {
        let lines = self.db.read(|tx| tx.trial_balance()).unwrap();
        let of = |kind| lines.iter().find(|line| line.kind == kind);
        let left = |kind| of(kind).map_or(0, |line| line.credits.get() - line.debits.get());
        let missing = of(AccountKind::Restored).map_or(0, |line| line.debits.get() - line.credits.get());
        let paid = of(AccountKind::Payable).map_or(0, |line| line.credits.get());
        (left(AccountKind::Purse), left(AccountKind::Slice), paid, missing)
    }

    fn close_settlement(&mut self) -> Result<Option<Cents>, StoreError> {
        let cut = self.db.read(|tx| tx.settlement_cut())?;
        Ok(self.db.write(|tx| tx.settlement_close(&cut, NOW))?.map(|settlement| settlement.payout))
    }

    pub(super) fn all_balances(&mut self, terminal: &Terminal) -> Vec<SignedBalance> {
        let news = self.news(terminal, 0);
        let balances = news
            .into_iter()
            .filter_map(|item| if let Deliverable::Balance(balance) = item { Some(balance) } else { None });
        balances.collect()
    }
}

/// As the hub delivers them.
pub(super) fn signed(balances: &[SignedBalance]) -> Vec<Vec<u8>> {
    balances.iter().map(|balance| signer(2).sign(balance).into_bytes()).collect()
}

fn missing(error: StoreError) -> Vec<(u32, u32)> {
    let StoreError::Restoring(Missing(all)) = error else { panic!("{error}") };
    all.iter().map(|(id, epoch)| (id.get(), epoch.get())).collect()
}

/// A terminal that sold on after the backup, under balances that the backup does not know.
struct Yesterday {
    world: World,
    terminal: Terminal,
    backup: PathBuf,
    held: Vec<SignedBalance>,
}

/// 450.00 credited and backed up; then a sale of 10.00, a second credit, a slice raised to 250.00, and a sale of 200.00
/// that the hub has not heard of.
fn yesterday() -> Yesterday {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.start();
    world.sync(&mut terminal);
    let backup = world.backup("yesterday.db");
    terminal.sale(1, 1_000, 1_000, 1);
    world.sync(&mut terminal);
    world.credit("2026-12");
    let raised = world.extend(&terminal, 1, 25_000).unwrap();
    assert_eq!((raised.serial.get(), raised.allowed), (3, cents(25_000)));
    terminal.sale(1, 20_000, 21_000, 3);
    let held = world.all_balances(&terminal);
    assert_eq!(held.iter().map(|balance| balance.allowed.get()).sum::<u64>(), 25_000 + 18_000 + 18_000);
    Yesterday { world, terminal, backup, held }
}

#[test]
fn what_the_backup_lacks_comes_back_to_the_cent() {
    let Yesterday { mut world, mut terminal, backup, held } = yesterday();
    let report = world.restore(&backup);
    assert_eq!(report.incarnation, Incarnation::new(2));
    assert_eq!(report.missing, [(terminal.id, terminal.epoch)]);
    assert_eq!(world.sums(), (18_000, 27_000, 0, 0), "as it was yesterday");
    world.audit();

    // (a) Rows that the backup lacks wait until the balances that they name are known.
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.acked.seq, outcome.new_rows, outcome.disputed_rows), (Seq::new(1), 0, 0));
    terminal.incarnation = Incarnation::new(2);

    // (b) Balances raised after the backup: what is free pays for them first, the rest is missing.
    world.hand_back(&terminal, signed(&held), false);
    assert_eq!(world.sums(), (0, 25_000 + 36_000, 0, 10_000 + 3_000 + 3_000));
    world.audit();
    world.hand_back(&terminal, signed(&held), true);
    assert_eq!(world.sums(), (0, 61_000, 0, 16_000), "handing back twice changes nothing");
    assert_eq!(world.sync(&mut terminal).settled, cents(21_000));
    assert_eq!(world.sums(), (0, 40_000, 21_000, 16_000));
    world.audit();

    // (c) The credit is booked again: what is missing is paid back before the household has more.
    world.credit("2026-12");
    let (free, left, paid, missing) = world.sums();
    assert_eq!((free + left, paid, missing), (90_000 - 21_000, 21_000, 0));
    let view = world.db.read(|tx| tx.household_money("H1")).unwrap().unwrap();
    assert_eq!(view.free.get() + view.slices[0].allowed.get(), 30_000);
    world.audit();
    world.db.write(|tx| tx.payments_checked()).unwrap();
    assert_eq!(world.close_settlement().unwrap(), Some(cents(21_000)));
    world.audit();
}

#[test]
fn a_row_under_a_balance_that_the_backup_lacks_waits_for_the_balance() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    let backup = world.backup("b.db");
    let raised = world.extend(&terminal, 1, 12_000).unwrap();
    terminal.sale(1, 12_000, 12_000, raised.serial.get());
    world.restore(&backup);
    // The row fits the chain, and the serial that it names is not known yet: over-right for ever, if it were taken.
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.acked.seq, outcome.over_right), (Seq::NONE, Cents::ZERO));
    world.hand_back(&terminal, signed(&[raised]), true);
    assert_eq!(world.sync(&mut terminal).settled, cents(12_000));
    assert_eq!(world.sums(), (3_000 + 12_000, 18_000, 12_000, 0));
    world.audit();
}

#[test]
fn a_serial_that_nobody_handed_back_is_not_given_again_whatever_is_restored_how_often() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    let backup = world.backup("b.db");
    let mut given = vec![world.all_balances(&terminal)[0].clone()];
    let mut is_new = |word: SignedBalance| {
        assert!(given.iter().all(|before| before.serial < word.serial), "{word:?}");
        given.push(word);
        given[1].serial.get()
    };
    let mut lost = 0;
    for life in 2..=4 {
        // The word is lost: the terminal was put back to what it held before, and hands nothing back.
        lost = is_new(world.extend(&terminal, 1, 9_000 + u64::from(life) * 500).unwrap());
        assert_eq!(world.restore(&backup).incarnation, Incarnation::new(life));
        world.hand_back(&terminal, Vec::new(), true);
        is_new(world.all_balances(&terminal)[0].clone());
        world.audit();
    }
    // A backup of a life that still waited: it went on, ended and jumped before that backup was put back.
    world.restore(&backup);
    let waiting = world.backup("waiting.db");
    for _ in 5..=7 {
        world.hand_back(&terminal, Vec::new(), true);
        is_new(world.all_balances(&terminal)[0].clone());
        world.audit();
        world.restore(&waiting);
    }
    world.hand_back(&terminal, Vec::new(), true);
    terminal.incarnation = Incarnation::new(8);
    // What a machine sold under a lost word is paid as far as the hub knows of its money, and not a cent beyond.
    let allowed = world.all_balances(&terminal)[0].allowed.get();
    terminal.sale(1, allowed + 700, allowed + 700, lost);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.settled, outcome.over_right), (cents(allowed), cents(700)));
    world.audit();
    // A hole in the serials that no restore left is found.
    world.tamper("DELETE FROM serials WHERE serial = 1");
    assert!(world.verify().findings.iter().any(|finding| finding.kind == FindingKind::Serial));
}

#[test]
fn a_row_that_names_a_serial_which_is_lost_waits_for_the_restores_end_wherever_it_is() {
    let mut world = World::credited();
    let (mut a, b) = (world.terminal("A"), world.terminal("B"));
    let backup = world.backup("b.db");
    let lost = world.extend(&a, 1, 12_000).unwrap();
    a.sale(1, 600, 600, lost.serial.get());
    world.restore(&backup);
    // It hands nothing back: the key that signed it was taken back. Another terminal is still missing.
    world.hand_back(&a, Vec::new(), true);
    let outcome = world.sync(&mut a);
    assert_eq!((outcome.acked.seq, outcome.over_right), (Seq::NONE, Cents::ZERO));
    world.hand_back(&b, Vec::new(), true);
    a.incarnation = Incarnation::new(2);
    let outcome = world.sync(&mut a);
    assert_eq!((outcome.settled, outcome.over_right), (cents(600), Cents::ZERO));
    world.audit();
}

#[test]
fn no_restore_waits_for_a_machine_that_is_gone_and_what_its_stick_has_is_paid() {
    let mut world = World::credited();
    let (mut dead, b) = (world.terminal("A"), world.terminal("B"));
    dead.sale(1, 300, 300, 1);
    let backup = world.backup("b.db");
    let lost = world.extend(&dead, 1, 12_000).unwrap();
    dead.sale(1, 600, 900, lost.serial.get());
    world.restore(&backup);
    assert_eq!(world.sync(&mut dead).acked.seq, Seq::NONE, "it is asked first");
    // One that has called since is not gone.
    let heard = at(100);
    let contact = |of: &Terminal| Contact { terminal: of.id, epoch: of.epoch, cursor: 0, status: of.status() };
    world.db.write(|tx| tx.contact(&contact(&b), heard)).unwrap();
    let refused = world.db.write(|tx| tx.hands_back_no_more(b.id, b.epoch, heard)).unwrap_err();
    assert!(matches!(refused, StoreError::NotGone(id) if id == b.id), "{refused}");
    let gone = |world: &mut World| world.db.write(|tx| tx.hands_back_no_more(dead.id, dead.epoch, NOW)).unwrap();
    assert!(gone(&mut world) && !gone(&mut world));
    let exposed = "SELECT count(*) FROM epochs WHERE keys_upto IS NOT NULL";
    let exposed: u32 = world.db.conn.query_row(exposed, [], |row| row.get(0)).unwrap();
    assert_eq!(exposed, 0, "nobody has its keys by that");
    let standing = world.db.read(|tx| tx.terminal_key(dead.id, dead.epoch)).unwrap();
    assert_eq!(
        (standing.standing, standing.want_held),
        (Standing::Revoked, false),
        "should it turn up, it sells no more"
    );
    let outcome = world.sync(&mut dead);
    assert_eq!(
        (outcome.acked.seq, outcome.settled),
        (Seq::new(1), cents(300)),
        "what is known is paid, the rest waits"
    );
    assert!(world.db.read(|tx| tx.restore_view()).unwrap().unwrap().ended_at.is_none());
    world.hand_back(&b, Vec::new(), true);
    let outcome = world.sync(&mut dead);
    assert_eq!((outcome.settled, outcome.over_right), (cents(600), Cents::ZERO));
    world.audit();
}

#[test]
fn what_had_no_serial_in_the_backup_gets_none_that_was_given_since() {
    let mut world = World::credited();
    let backup = world.backup("b.db");
    let (_, lost) = (world.purse_card(51, 1), world.card(1));
    world.restore(&backup);
    world.purse_card(51, 1);
    assert!(world.card(1).serial > lost.serial && world.card(1).serial.get() > RESTORE_GAP);
    let terminal = world.terminal("A");
    assert!(world.all_balances(&terminal).iter().all(|balance| balance.serial.get() > RESTORE_GAP));
    world.audit();
}

#[test]
fn a_serial_that_leaves_no_room_for_jumps_is_kept_as_evidence() {
    let Yesterday { mut world, terminal, backup, mut held } = yesterday();
    world.restore(&backup);
    held[0].serial = cabas_protocol::Serial::new(u32::MAX - 1);
    world.hand_back(&terminal, signed(&held), true);
    assert_eq!(world.db.read(|tx| tx.restore_view()).unwrap().unwrap().unplaced, 1);
    world.audit();
}

#[test]
fn the_auditor_sees_a_jump_that_no_restore_made() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let backup = world.backup("b.db");
    world.restore(&backup);
    world.hand_back(&terminal, Vec::new(), true);
    world.audit();
    let blamed = |world: &mut World| {
        let findings = world.verify().findings;
        findings.iter().filter(|finding| finding.kind == FindingKind::Serial).count()
    };
    // A jump of another length than a restore's, then none at all.
    world.tamper("UPDATE lives SET jump = jump + 1");
    assert_eq!(blamed(&mut world), 3);
    world.tamper("UPDATE lives SET jump = jump - 1; UPDATE serial_jumps SET is_first = 1");
    assert_eq!(blamed(&mut world), 3);
    world.tamper("DELETE FROM serial_jumps");
    assert_eq!(blamed(&mut world), 3);
}

fn blocked(world: &World) -> Vec<u32> {
    let mut read =
        world.db.conn.prepare("SELECT number FROM cards WHERE blocked_at IS NOT NULL ORDER BY number").unwrap();
    read.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

fn give_list(world: &mut World, of: &Terminal, version: u32, cards: &[u8], is_end: bool) {
    let list = HeldList { version: Version::new(version), cards: cards.iter().map(|card| card_ref(*card)).collect() };
    let handed = HandBack { balances: Vec::new(), list: Some(list), is_end };
    world.db.write(|tx| tx.take_held(of.id, of.epoch, &handed, NOW)).unwrap();
}

#[test]
fn cards_that_terminals_know_as_blocked_are_blocked_again() {
    let mut world = World::credited();
    let [newest, stale, old, revoked, last] = ["A", "B", "A", "B", "A"].map(|shop| world.terminal(shop));
    let v0 = world.db.write(|tx| tx.card_block(CardName::Number(1), NOW)).unwrap().get();
    let backup = world.backup("yesterday.db");
    let v2 = world.db.write(|tx| tx.card_block(CardName::Number(2), NOW)).unwrap().get();

    world.restore(&backup);
    world.db.write(|tx| tx.terminal_revoke(revoked.id, NOW)).unwrap();
    give_list(&mut world, &revoked, v2, &[2], true);
    give_list(&mut world, &old, v0, &[2], true);
    give_list(&mut world, &newest, v2, &[2], false);
    assert_eq!(
        blocked(&world),
        [1],
        "not of a revoked terminal, not of before the backup, and with the last page only"
    );
    // What a terminal cannot have: it neither blocks nor keeps others from it.
    give_list(&mut world, &stale, u32::MAX, &[3], true);
    assert_eq!(blocked(&world), [1]);
    // People unblock a card meanwhile: no list blocks it again. Card 99 was issued after the backup.
    world.db.write(|tx| tx.card_unblock(CardName::Number(1), NOW)).unwrap();
    give_list(&mut world, &newest, v2, &[1, 2, 99], true);
    assert_eq!(blocked(&world), [2], "at once: a restore may last for days");
    let view = world.db.read(|tx| tx.restore_view()).unwrap().unwrap();
    let again = BlockedAgain { card: 2, terminal: newest.id };
    assert_eq!((view.ended_at, view.blocked_again, view.blocked_unknown), (None, vec![again], 1));
    let list = world.db.read(|tx| tx.hot_list(&tx.fund()?)).unwrap();
    assert!(list.version.get() > v2 && list.cards == [card_ref(2)], "every terminal takes it");

    // It is a block like any other: who unblocks it while the restore lasts is not overruled either.
    world.db.write(|tx| tx.card_unblock(CardName::Number(2), NOW)).unwrap();
    give_list(&mut world, &last, v2, &[2], true);
    assert_eq!(blocked(&world), [0; 0]);
    assert_eq!(world.db.read(|tx| tx.restore_view()).unwrap().unwrap().ended_at, Some(NOW));
    world.audit();
}

#[test]
fn a_blocked_card_that_the_backup_lacks_is_blocked_as_it_is_imported_again() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let backup = world.backup("yesterday.db");
    let version = world.db.write(|tx| tx.card_block(CardName::Number(1), NOW)).unwrap().get();
    world.restore(&backup);
    give_list(&mut world, &terminal, version, &[99], true);
    let card = ImportCard { number: 99, card: card_ref(99), tier: Tier::Plain, household: "H1".to_owned() };
    let plan = ImportPlan { cards: vec![card], ..ImportPlan::default() };
    world.db.write(|tx| tx.import(&plan, &mut || purse_ref(99), false, NOW)).unwrap();
    assert_eq!(blocked(&world), [99]);
    let view = world.db.read(|tx| tx.restore_view()).unwrap().unwrap();
    assert_eq!((view.blocked_again.len(), view.blocked_unknown), (1, 0));
}

#[test]
fn what_a_restore_was_still_to_hear_of_counts_in_the_next_one() {
    let mut world = World::credited();
    let [a, b] = ["A", "B"].map(|shop| world.terminal(shop));
    let backup = world.backup("yesterday.db");
    world.db.write(|tx| tx.card_block(CardName::Number(3), NOW)).unwrap();
    let lost = world.db.write(|tx| tx.card_block(CardName::Number(2), NOW)).unwrap().get();
    world.restore(&backup);
    world.db.write(|tx| tx.card_block(CardName::Number(1), NOW)).unwrap();
    give_list(&mut world, &a, lost, &[3, 99], true);
    world.db.write(|tx| tx.card_unblock(CardName::Number(3), NOW)).unwrap();
    let while_it_lasts = world.backup("today.db");

    world.restore(&while_it_lasts);
    assert_eq!(blocked(&world), [1]);
    give_list(&mut world, &b, lost, &[2, 3], true);
    assert_eq!(blocked(&world), [1, 2], "of the first restore's lists, but for what people said since");
    assert_eq!(world.db.read(|tx| tx.restore_view()).unwrap().unwrap().blocked_unknown, 1);
}

#[test]
fn a_card_that_was_blocked_again_after_people_unblocked_it_is_told() {
    let mut world = World::credited();
    let [a, b] = ["A", "B"].map(|shop| world.terminal(shop));
    let backup = world.backup("yesterday.db");
    let first = world.db.write(|tx| tx.card_block(CardName::Number(2), NOW)).unwrap().get();
    world.restore(&backup);
    give_list(&mut world, &a, first, &[2], true);
    let unblocked = world.db.write(|tx| tx.card_unblock(CardName::Number(2), NOW)).unwrap().get();
    let while_it_lasts = world.backup("today.db");
    let again = world.db.write(|tx| tx.card_block(CardName::Number(2), NOW)).unwrap().get();

    for (version, expected) in [(first, vec![]), (unblocked, vec![]), (again, vec![2])] {
        world.restore(&while_it_lasts);
        give_list(&mut world, &b, version, &[2], true);
        assert_eq!(blocked(&world), expected, "a list of version {version}, unblocked in {unblocked}");
    }
}

#[test]
fn what_was_told_of_a_card_that_is_not_imported_yet_outlives_the_next_restore() {
    let mut world = World::credited();
    let [a, b] = ["A", "B"].map(|shop| world.terminal(shop));
    let backup = world.backup("yesterday.db");
    let lost = world.db.write(|tx| tx.card_block(CardName::Number(2), NOW)).unwrap().get();
    world.restore(&backup);
    give_list(&mut world, &a, lost, &[2, 99], true);
    world.hand_back(&b, Vec::new(), true);
    let view = world.db.read(|tx| tx.restore_view()).unwrap().unwrap();
    assert_eq!((view.ended_at.is_some(), view.blocked_unknown), (true, 1));
    assert_eq!(view.lists_unheard, [(b.id, b.epoch)], "what it knew people have to look after");
    let after = world.backup("after.db");
    world.restore(&after);
    let card = ImportCard { number: 99, card: card_ref(99), tier: Tier::Plain, household: "H1".to_owned() };
    let plan = ImportPlan { cards: vec![card], ..ImportPlan::default() };
    world.db.write(|tx| tx.import(&plan, &mut || purse_ref(99), false, NOW)).unwrap();
    assert_eq!(blocked(&world), [2, 99]);
}

#[test]
fn what_people_say_of_a_card_before_a_terminal_tells_of_it_stands() {
    let mut world = World::credited();
    let a = world.terminal("A");
    let backup = world.backup("yesterday.db");
    let lost = world.db.write(|tx| tx.card_block(CardName::Number(2), NOW)).unwrap().get();
    world.db.write(|tx| tx.card_unblock(CardName::Number(2), NOW)).unwrap();
    world.restore(&backup);
    let said = world.db.write(|tx| tx.card_unblock(CardName::Number(2), NOW)).unwrap();
    assert!(said.get() > lost, "a terminal that hands back no list takes this one");
    give_list(&mut world, &a, lost, &[2], true);
    assert_eq!(blocked(&world), [0_u32; 0]);
}

#[test]
fn a_list_of_this_life_does_not_take_the_place_of_what_is_still_to_be_handed_back() {
    let mut world = World::credited();
    let [a, b] = ["A", "B"].map(|shop| world.terminal(shop));
    let backup = world.backup("yesterday.db");
    let lists = |world: &mut World, of: &Terminal| {
        let news = world.db.write(|tx| tx.news(of.id, of.epoch, 0, ALL_NEWS, NOW)).unwrap();
        let lists = news.items.into_iter().filter_map(|item| {
            let Deliverable::HotList(list) = item else { return None };
            Some(list.cards)
        });
        lists.collect::<Vec<_>>()
    };
    let version = world.db.write(|tx| tx.card_block(CardName::Number(2), NOW)).unwrap().get();
    world.restore(&backup);
    world.db.write(|tx| tx.card_block(CardName::Number(3), NOW)).unwrap();
    assert!(lists(&mut world, &a).is_empty() && lists(&mut world, &b).is_empty());
    let cursor = world.db.write(|tx| tx.news(a.id, a.epoch, 0, ALL_NEWS, NOW)).unwrap().cursor;
    give_list(&mut world, &a, version, &[2], true);
    assert_eq!(blocked(&world), [2, 3]);
    let news = world.db.write(|tx| tx.news(a.id, a.epoch, cursor, ALL_NEWS, NOW)).unwrap();
    assert!(
        news.items.iter().any(|item| matches!(item, Deliverable::HotList(list) if list.cards.len() == 2)),
        "{news:?}"
    );
    assert!(lists(&mut world, &b).is_empty(), "it has not handed back yet");
    // A list of this life brings nothing back, and is no reason to block anything.
    let own = world.db.read(|tx| tx.hot_list(&tx.fund()?)).unwrap().version.get();
    give_list(&mut world, &b, own, &[1], true);
    assert_eq!((blocked(&world), lists(&mut world, &b).len()), (vec![2, 3], 1));
}

#[test]
fn what_a_terminal_tells_of_its_list_does_not_drive_the_numbers_to_their_end() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let status = TerminalStatus { hot_list: Version::new(u32::MAX), ..terminal.status() };
    let contact = Contact { terminal: terminal.id, epoch: terminal.epoch, status, cursor: 0 };
    world.db.write(|tx| tx.contact(&contact, NOW)).unwrap();
    let backup = world.backup("yesterday.db");
    let version = world.db.write(|tx| tx.card_block(CardName::Number(2), NOW)).unwrap().get();
    world.restore(&backup);
    give_list(&mut world, &terminal, version, &[2], true);
    assert_eq!(blocked(&world), [2]);
    assert!(world.db.read(|tx| tx.restore_view()).unwrap().unwrap().ended_at.is_some());
    world.db.write(|tx| tx.card_block(CardName::Number(3), NOW)).unwrap();
}

#[test]
fn a_hot_list_is_asked_for_only_where_the_terminal_can_and_not_for_ever() {
    let mut world = World::credited();
    let [old, new] = ["A", "B"].map(|shop| world.terminal(shop));
    world.db.write(|tx| tx.about(&about(new.id, "0.1.0"), NOW)).unwrap();
    let backup = world.backup("yesterday.db");
    let wants = |world: &mut World, of: &Terminal, begins: bool| {
        world.db.write(|tx| tx.wants_list(of.id, of.epoch, begins)).unwrap()
    };
    assert!(!wants(&mut world, &new, true), "nothing was restored");
    world.restore(&backup);
    assert!(!wants(&mut world, &old, true));
    for _ in 0..8 {
        assert!(wants(&mut world, &new, true), "an answer may be lost");
    }
    assert!(wants(&mut world, &new, false), "nor do many pages end it");
    assert!(!wants(&mut world, &new, true), "a program from before would never come to hand back");
    world.restore(&backup);
    assert!(wants(&mut world, &new, true), "each restore asks anew");
    world.hand_back(&new, Vec::new(), true);
    assert!(!wants(&mut world, &new, true));
}

#[test]
fn nothing_is_signed_settled_or_credited_too_early() {
    let Yesterday { mut world, terminal, backup, held } = yesterday();
    world.restore(&backup);
    let waiting = [(terminal.id.get(), terminal.epoch.get())];
    assert_eq!(missing(world.try_extend(&terminal, 1, 99_999).unwrap_err()), waiting);
    assert_eq!(missing(world.close_settlement().unwrap_err()), waiting);
    let period = "2026-12".parse().unwrap();
    assert_eq!(missing(world.db.write(|tx| tx.credit_book(period, "Ville de Lyon", NOW)).unwrap_err()), waiting);
    assert!(world.all_balances(&terminal).is_empty());
    assert!(world.db.read(|tx| tx.terminal_key(terminal.id, terminal.epoch)).unwrap().want_held);
    // A terminal that is enrolled meanwhile gets its money afterwards.
    let new = world.terminal("B");
    assert!(!world.db.read(|tx| tx.terminal_key(new.id, new.epoch)).unwrap().want_held);
    assert_eq!(world.sums().1, 27_000);

    world.hand_back(&terminal, signed(&held), true);
    assert!(!world.db.read(|tx| tx.terminal_key(terminal.id, terminal.epoch)).unwrap().want_held);
    let error = world.close_settlement().unwrap_err();
    assert!(matches!(error, StoreError::PaymentsUnknown { settlement: 0, .. }), "{error}");
    assert_eq!(world.all_balances(&terminal).len(), 3, "every balance is given anew");
    world.credit("2026-12");
    world.allocate();
    assert_eq!(world.extend(&new, 1, 1_000).unwrap().allowed, cents(1_000));
    world.audit();
}

#[test]
fn balances_that_were_not_taken_before_the_restore_come_after_it() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    let backup = world.backup("b.db");
    world.restore(&backup);
    // The terminal polls while the hub waits for another one: its cursor goes past its balances.
    let news = world.db.write(|tx| tx.news(terminal.id, terminal.epoch, 0, super::world::ALL_NEWS, NOW)).unwrap();
    assert!(!news.more);
    world.hand_back(&terminal, Vec::new(), true);
    // And the hot list, which was kept from it.
    assert_eq!(world.news(&terminal, news.cursor).len(), 4);
    assert_eq!(world.all_balances(&terminal).len(), 3);
    world.audit();
}

#[test]
fn an_epoch_that_never_comes_back_is_closed_and_the_restore_ends() {
    let Yesterday { mut world, mut terminal, backup, .. } = yesterday();
    world.restore(&backup);
    world.close(&terminal, "Ada", "Bo");
    assert!(world.db.read(|tx| tx.restore_view()).unwrap().unwrap().ended_at.is_some());
    assert_eq!(world.sums(), (45_000, 0, 0, 0));
    assert_eq!(world.sync(&mut terminal).acked.seq, Seq::new(1), "it hears where the hub stands");
    terminal.incarnation = Incarnation::new(2);
    let outcome = world.sync(&mut terminal);
    assert_eq!((outcome.acked, outcome.settled, outcome.over_right), (terminal.head, Cents::ZERO, cents(21_000)));
    world.credit("2026-12");
    assert_eq!(world.sums(), (90_000, 0, 0, 0));
    world.audit();
}

#[test]
fn what_is_handed_back_counts_only_as_the_hubs_own_word() {
    let Yesterday { mut world, terminal, backup, held } = yesterday();
    world.restore(&backup);
    let forged = SignedBalance { allowed: cents(900_000), ..held[0].clone() };
    let elsewhere =
        SignedBalance { scope: cabas_protocol::Scope::Terminal(TerminalId::new(9), Epoch::new(1)), ..forged.clone() };
    let by_terminal = terminal.signer().sign(&forged).into_bytes();
    let by_hub = signer(2).sign(&elsewhere).into_bytes();
    world.hand_back(&terminal, vec![by_terminal, by_hub, vec![1, 2, 3]], false);
    assert_eq!(world.sums(), (18_000, 27_000, 0, 0));
    // A stolen key that was taken back says nothing either.
    let revoked =
        KeyCert { head: CONTEXT.head(ObjectType::KeyCert), key: *signer(2).public(), issued_at: NOW, revoked: true };
    world.db.write(|tx| tx.key_certify(&signer(1).sign(&revoked))).unwrap();
    world.hand_back(&terminal, signed(&[forged]), true);
    assert_eq!(world.sums(), (18_000, 27_000, 0, 0));
    world.audit();
}

#[test]
fn a_balance_of_a_household_that_the_backup_lacks_is_kept_as_evidence() {
    let Yesterday { mut world, terminal, backup, held } = yesterday();
    world.restore(&backup);
    let unknown = SignedBalance { purse: purse_ref(77), ..held[0].clone() };
    world.hand_back(&terminal, signed(&[unknown]), true);
    assert_eq!(world.db.read(|tx| tx.restore_view()).unwrap().unwrap().unplaced, 1);
    assert_eq!(world.sums(), (18_000, 27_000, 0, 0));
    world.audit();
}

#[test]
fn only_a_backup_of_this_life_lets_rows_leave_a_terminal() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.start();
    world.sync(&mut terminal);
    world.backup("first.db");
    assert_eq!(world.sync(&mut terminal).backed_up, Seq::new(1));
    let second = world.backup("second.db");
    world.restore(&second);
    terminal.incarnation = Incarnation::new(2);
    world.hand_back(&terminal, Vec::new(), true);
    assert_eq!(world.sync(&mut terminal).backed_up, Seq::NONE);
    world.backup("third.db");
    assert_eq!(world.sync(&mut terminal).backed_up, Seq::new(1));
}

#[test]
fn numbers_that_may_have_been_given_after_the_backup_are_not_given_again() {
    let mut world = World::credited();
    let first = world.terminal("A");
    let backup = world.backup("b.db");
    let lost = world.terminal("B");
    let lost_epoch = world.enrol_again(first.id);
    assert_eq!((lost.id.get(), lost_epoch.epoch.get()), (2, 2));
    world.db.write(|tx| tx.card_block(CardName::Number(1), NOW)).unwrap();
    world.restore(&backup);
    let error = world.db.read(|tx| tx.terminal_key(lost.id, lost.epoch)).unwrap_err();
    assert!(matches!(error, StoreError::UnknownTerminal(_)), "{error}");
    assert!(world.terminal("B").id.get() > RESTORE_GAP);
    assert_eq!(world.enrol_again(first.id).epoch.get(), RESTORE_GAP + 1);
    let version = world.db.write(|tx| tx.card_block(CardName::Number(2), NOW)).unwrap();
    assert!(version.get() > RESTORE_GAP, "a terminal that holds a later list takes this one");
    // Restored once more, it is yet another life.
    let again = world.backup("again.db");
    world.restore(&again);
    assert_eq!(world.restore(&backup).incarnation, Incarnation::new(4));
    world.audit();
}

#[test]
fn a_backup_of_a_later_life_that_gave_nothing_yet_gives_other_numbers_than_the_life_that_was_lost() {
    let mut world = World::credited();
    world.terminal("A");
    let first = world.backup("first.db");
    world.restore(&first);
    let second = world.backup("second.db");
    let give = |world: &mut World, card| {
        let version = world.db.write(|tx| tx.card_block(CardName::Number(card), NOW)).unwrap();
        (version, world.terminal("B").id)
    };
    let lost = give(&mut world, 2);
    world.restore(&second);
    let given = give(&mut world, 3);
    assert!(given.0 > lost.0, "a terminal that holds the lost list takes no other one of that version");
    assert!(given.1 > lost.1, "two terminals of one number");
    world.audit();
}

#[test]
fn the_database_that_was_there_is_moved_away_whole() {
    let Yesterday { mut world, backup, .. } = yesterday();
    let before = world.sums();
    let moved = world.restore(&backup).moved_to.unwrap();
    assert!(moved.file_name().unwrap().to_str().unwrap().starts_with("hub.db.before-restore-"));
    let mut old = Db::open(&moved, OpenMode::Existing).unwrap();
    assert_eq!(old.verify(&NoWitness).unwrap().findings, []);
    std::mem::swap(&mut world.db, &mut old);
    assert_eq!(world.sums(), before);
}

#[test]
fn a_backup_that_is_none_leaves_the_database_as_it_is() {
    let mut world = World::credited();
    let path = world.folder.path().join("torn.db");
    let good = world.backup("good.db");
    let bytes = std::fs::read(&good).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a damaged file is made on purpose")]
    std::fs::write(&path, &bytes[..20_000]).unwrap();
    let database = world.path();
    let plan = RestorePlan { backup: &path, database: &database, newest_life: Incarnation::new(0), certs: &[] };
    assert!(restore(&plan, NOW).is_err());
    assert_eq!(world.db.read(|tx| tx.fund()).unwrap().incarnation, Incarnation::new(1));
    world.audit();
}

#[test]
fn a_key_that_was_taken_back_after_the_backup_stays_so() {
    let mut world = World::credited();
    let backup = world.backup("b.db");
    let head = CONTEXT.head(ObjectType::KeyCert);
    let cert = |seed, revoked| signer(1).sign(&KeyCert { head, key: *signer(seed).public(), issued_at: NOW, revoked });
    world.restore_with(&backup, &[cert(2, true), cert(3, false)]);
    let keys = world.db.read(|tx| tx.signing_keys()).unwrap();
    let of = |seed: u8| keys.iter().find(|key| key.id == signer(seed).public().id()).unwrap().revoked;
    assert!(of(2) && !of(3));
    // And the older word of the root does not bring it back.
    world.db.write(|tx| tx.key_certify(&cert(2, false))).unwrap();
    assert!(world.db.read(|tx| tx.signing_keys()).unwrap().iter().any(|key| key.revoked));
    world.audit();
}

#[test]
fn the_auditor_sees_a_catch_up_without_the_hubs_word() {
    let Yesterday { mut world, terminal, backup, held } = yesterday();
    world.restore(&backup);
    world.hand_back(&terminal, signed(&held), true);
    world.audit();
    world.tamper("DROP TRIGGER held_stay; UPDATE held_balances SET envelope = x'00' ");
    let report = world.verify();
    assert_eq!(report.findings.iter().filter(|finding| finding.kind == FindingKind::Held).count(), 3);
}

#[test]
fn a_shops_own_grid_stays_its_own_and_recalls_are_heard_after_a_restore() {
    let mut world = World::credited();
    let (a, b) = (world.terminal("A"), world.terminal("B"));
    let food = |share_percent| {
        let mut category = super::world::init().categories.remove(0);
        category.share_percent = share_percent;
        category
    };
    world.db.write(|tx| tx.grid_set(Some("B"), &[food(30)], 0, NOW)).unwrap();
    world.db.write(|tx| tx.recall_by_hand(super::world::purse_ref(1), Some(a.id), Cents::ZERO, NOW)).unwrap();
    let backup = world.backup("backup.db");
    world.restore(&backup);
    let shares = |world: &mut World, terminal: &Terminal| {
        let news = world.news(terminal, 0);
        let grids =
            news.into_iter().filter_map(|item| if let Deliverable::Grid(grid) = item { Some(grid) } else { None });
        grids.max_by_key(|grid| grid.version).unwrap().categories[0].share_percent
    };
    assert_eq!((shares(&mut world, &a), shares(&mut world, &b)), (100, 30));
    let cursor = world.db.write(|tx| tx.news(a.id, a.epoch, 0, super::world::ALL_NEWS, NOW)).unwrap().cursor;
    for terminal in [&a, &b] {
        world.hand_back(terminal, Vec::new(), true);
    }
    let heard = world.news(&a, cursor);
    assert!(heard.iter().any(|item| matches!(item, Deliverable::Recall(_))), "{heard:?}");
    world.audit();
}

#[test]
fn each_restore_copies_the_grids_that_still_decide_and_no_others() {
    let mut world = World::credited();
    let [a, b] = ["A", "B"].map(|shop| world.terminal(shop));
    let food = |share_percent| {
        let mut category = super::world::init().categories.remove(0);
        category.share_percent = share_percent;
        category
    };
    // For all from now on; for B now, and for B later; for all later, which B's own do not outlive.
    let today = 20_000;
    for (shop, share, day) in [(None, 90, 0), (Some("B"), 30, 0), (Some("B"), 40, today + 9), (None, 70, today + 20)] {
        world.db.write(|tx| tx.grid_set(shop, &[food(share)], day, NOW)).unwrap();
    }
    let shares = |world: &mut World, terminal: &Terminal, day: u32| {
        let grids = world.news(terminal, 0).into_iter().filter_map(|item| {
            let Deliverable::Grid(grid) = item else { return None };
            (grid.valid_from_day <= day).then_some(grid)
        });
        grids.max_by_key(|grid| grid.version).unwrap().categories[0].share_percent
    };
    let mut counts = Vec::new();
    for life in 0..5 {
        for (terminal, expected) in [(&a, [90, 90, 90, 70]), (&b, [30, 30, 40, 70])] {
            let found = [0, today, today + 10, today + 20].map(|day| shares(&mut world, terminal, day));
            assert_eq!(found, expected, "life {life}");
        }
        counts.push(world.db.read(|tx| tx.grids()).unwrap().len());
        let backup = world.backup(&format!("backup-{life}.db"));
        world.restore(&backup);
    }
    let grown: Vec<_> = counts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(grown, [4, 4, 4, 4], "the first of all decides no more: {counts:?}");
    let newest = world.db.read(|tx| tx.grids()).unwrap().iter().map(|grid| grid.version.get()).max().unwrap();
    assert_eq!(newest, 5 + 5 * (RESTORE_GAP + 4), "nor do the numbers double");
}
