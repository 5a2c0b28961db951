//! Random lives of purse cards: taps at terminals that are off line, in any order of arrival, with forged counters, copied
//! chips, loads, extensions, refunds, lost cards, closed epochs and restores, against a model of single cents.
#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::integer_division,
    reason = "rows that move no money, and months of a year"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cabas_card::layout::Record;
use cabas_protocol::row::{ListApplied, Sale};
use cabas_protocol::{Incarnation, RowBody, Scope, SignedBalance, Version};
use proptest::prelude::*;

use super::card_proofs;
use super::world::{NOW, Terminal, World, cents, purse_ref};
use crate::core::claims::Stretch;
use crate::store::{CardName, Deliverable, RepaymentOrder};

/// Two purse cards of household 1, one of household 2.
const CARDS: [(u8, u8); 3] = [(51, 1), (52, 1), (53, 2)];
/// By the order of their making, after the shared purses of three households.
const OWN_PURSES: [u32; 3] = [4, 5, 6];

#[derive(Clone, Debug)]
enum Step {
    /// A card is presented; what the chip and the terminal's list allow is sold, and records go along.
    Tap {
        who: usize,
        card: usize,
        amount: u64,
        end: End,
    },
    /// A forged row: the counter stands wherever it likes, with a proof that is none, or without one.
    Forge {
        who: usize,
        card: usize,
        amount: u64,
        more: u64,
        serial: u32,
        proof: bool,
    },
    /// Two people give back what a card counted and nobody claims.
    Repay {
        card: usize,
    },
    /// Rows go up, as many as that; balances and the list come down.
    Sync {
        who: usize,
        rows: usize,
    },
    Resend {
        who: usize,
        from: usize,
        rows: usize,
    },
    Extend {
        who: usize,
        card: usize,
        level: u64,
    },
    Credit,
    Refund {
        who: usize,
        sale: usize,
        amount: u64,
    },
    Lose {
        card: usize,
    },
    Find {
        card: usize,
    },
    Close {
        who: usize,
    },
    Backup,
    Restore,
}

/// How a tap ends after the debit.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Proven, and a newer balance is written to the card.
    Whole,
    /// Proven, and the card leaves.
    Left,
    /// The answer is lost; the terminal learns from the card that it was debited, and says so.
    Told,
    /// The answer is lost, and the terminal never learns what became of it.
    Untold,
}

fn step() -> impl Strategy<Value = Step> {
    let end = prop_oneof![5 => Just(End::Whole), 2 => Just(End::Left), 1 => Just(End::Told), 1 => Just(End::Untold)];
    let (who, card) = (0..3_usize, 0..3_usize);
    prop_oneof![
        12 => (who.clone(), card.clone(), 1..4_000_u64, end)
            .prop_map(|(who, card, amount, end)| Step::Tap { who, card, amount, end }),
        1 => (who.clone(), card.clone(), 1..4_000_u64, 0..9_000_u64, 1..4_u32, any::<bool>())
            .prop_map(|(who, card, amount, more, serial, proof)| Step::Forge { who, card, amount, more, serial, proof }),
        2 => card.clone().prop_map(|card| Step::Repay { card }),
        9 => (who.clone(), 0..5_usize).prop_map(|(who, rows)| Step::Sync { who, rows }),
        1 => (who.clone(), 0..9_usize, 0..5_usize).prop_map(|(who, from, rows)| Step::Resend { who, from, rows }),
        3 => (who.clone(), card.clone(), 0..30_000_u64)
            .prop_map(|(who, card, level)| Step::Extend { who, card, level }),
        2 => Just(Step::Credit),
        2 => (who.clone(), 0..3_usize, 1..4_000_u64).prop_map(|(who, sale, amount)| Step::Refund { who, sale, amount }),
        2 => card.clone().prop_map(|card| Step::Lose { card }),
        1 => card.prop_map(|card| Step::Find { card }),
        1 => who.prop_map(|who| Step::Close { who }),
        1 => Just(Step::Backup),
        1 => Just(Step::Restore),
    ]
}

/// The rules at their simplest. Keys are enrolments by number, cards by place.
#[derive(Clone, Default)]
struct Model {
    months: u32,
    chain: BTreeMap<u32, Vec<RowBody>>,
    closed: BTreeSet<u32>,
    claimed: BTreeMap<usize, BTreeSet<u64>>,
    /// By row, what was settled, and refunded of it.
    sales: BTreeMap<(u32, u32), (u64, u64)>,
    released: BTreeSet<usize>,
    blocked: BTreeMap<usize, u32>,
    applied: BTreeMap<u32, u32>,
    sold: BTreeMap<u8, u64>,
    refunded: BTreeMap<u8, u64>,
    /// By enrolment and the row that announced it: debits that rows tell of, and those that cards told of elsewhere.
    told: BTreeSet<(u32, u32)>,
    carried: BTreeMap<(u32, u32), (usize, u64, u64, u32)>,
    /// At which row each was closed.
    closed_at: BTreeMap<u32, u32>,
    /// Of those, what was booked.
    booked: BTreeSet<(u32, u32)>,
    repaid: BTreeMap<usize, u64>,
}

impl Model {
    /// Sales of closed enrolments that only cards told of are paid, once, as far as another terminal has proven what the
    /// card counted; those that were announced and followed by other rows were in doubt.
    fn book(&mut self, allowed: impl Fn(usize, u32) -> Option<u64>, proven: impl Fn(usize, u32) -> u64) {
        for (place, (card, to, amount, serial)) in self.carried.clone() {
            let known = self.closed_at.get(&place.0).is_some_and(|at| place.1 >= *at);
            if known && to <= proven(card, place.0) && !self.told.contains(&place) && self.booked.insert(place) {
                let limit = allowed(card, serial).filter(|_| !self.released.contains(&card)).unwrap_or(0);
                let settled = self.claim(card, to, amount, limit);
                *self.sold.entry(CARDS[card].1).or_default() += settled;
            }
        }
    }

    fn claim(&mut self, card: usize, to: u64, amount: u64, limit: u64) -> u64 {
        let claimed = self.claimed.entry(card).or_default();
        let before = claimed.len();
        claimed.extend((to - amount + 1..=to).filter(|cent| *cent <= limit));
        u64::try_from(claimed.len() - before).unwrap()
    }

    fn take(&mut self, epoch: u32, body: &RowBody, is_refuted: bool, allowed: impl Fn(usize, u32) -> Option<u64>) {
        let chain = self.chain.entry(epoch).or_default();
        chain.push(body.clone());
        let seq = u32::try_from(chain.len()).unwrap();
        match body {
            RowBody::ListApplied(list) => {
                let applied = self.applied.entry(epoch).or_default();
                *applied = (*applied).max(list.version.get());
            }
            RowBody::Sale(sale) => {
                let card = CARDS.iter().position(|(card, _)| purse_ref(*card) == sale.purse).unwrap();
                let is_paid = !self.closed.contains(&epoch) && !self.released.contains(&card);
                let is_paid = is_paid && !is_refuted;
                let limit = allowed(card, sale.serial.get()).filter(|_| is_paid).unwrap_or(0);
                let settled = self.claim(card, sale.spent_after.get(), sale.fund_cents().unwrap().get(), limit);
                self.told
                    .extend(sale.intent.filter(|_| !self.closed.contains(&epoch)).map(|intent| (epoch, intent.get())));
                *self.sold.entry(CARDS[card].1).or_default() += settled;
                self.sales.insert((epoch, seq), (settled, 0));
            }
            RowBody::RefundRequest(asked) => {
                let card = CARDS.iter().position(|(card, _)| purse_ref(*card) == asked.purse).unwrap();
                let amount: u64 = asked.lines.iter().map(|line| line.fund.get()).sum();
                if let Some((settled, refunded)) = self.sales.get_mut(&(epoch, asked.original.seq.get()))
                    && *refunded + amount <= *settled
                    && !self.closed.contains(&epoch)
                {
                    *refunded += amount;
                    *self.refunded.entry(CARDS[card].1).or_default() += amount;
                }
            }
            RowBody::Courier(courier) if !self.closed.contains(&epoch) => {
                let card = CARDS.iter().position(|(card, _)| purse_ref(*card) == courier.purse).unwrap();
                let record = Record::parse(courier.record.as_slice().try_into().unwrap()).unwrap();
                let place = (record.terminal, record.seq);
                let debit = (card, record.spent_after.into(), record.cents.into(), record.serial);
                self.carried.entry(place).or_insert(debit);
            }
            _ => {}
        }
    }

    /// The live-terminal rule, once an upload or a closing was taken whole.
    fn release(&mut self, open: &[u32]) {
        let oldest = open.iter().map(|epoch| self.applied.get(epoch).copied().unwrap_or_default()).min();
        self.released.extend(
            self.blocked.iter().filter(|(_, list)| oldest.is_none_or(|oldest| oldest >= **list)).map(|(card, _)| *card),
        );
    }
}

/// The proof that a forger makes up.
const FORGED: [u8; 8] = [0xf0; 8];

fn is_false(sale: &Sale) -> bool {
    sale.card_mac.as_ref().is_some_and(|mac| mac.as_slice() == FORGED)
}

/// A chip: what it spent, and the newest balance that was written to it.
#[derive(Clone)]
struct Chip {
    chip: card_proofs::Chip,
    balance: Option<SignedBalance>,
    /// True once somebody made up a proof for it; false for honest once that may take its right.
    is_forged: bool,
    is_honest: bool,
}

/// A terminal, with the balances and the list that it holds.
struct Holder {
    terminal: Terminal,
    number: u32,
    held: BTreeMap<usize, SignedBalance>,
    blocked: BTreeSet<usize>,
    list: u32,
    requests: u8,
}

struct Life {
    world: World,
    model: Model,
    terminals: Vec<Holder>,
    chips: Vec<Chip>,
    backup: Option<(PathBuf, Model)>,
    files: u32,
    /// True once a closed epoch may have held the only balance by which a card was tapped: it does not hand it back.
    has_lost: bool,
    was_restored: bool,
}

impl Life {
    fn new() -> Self {
        let mut world = World::credited();
        let terminals = ["A", "B", "A"].map(|shop| world.terminal(shop));
        let chips = CARDS.map(|(card, household)| world.issue(&terminals[0], card, household));
        let chips = chips.map(|chip| Chip { chip, balance: None, is_forged: false, is_honest: true }).to_vec();
        let holders = terminals.into_iter().zip(1..).map(|(terminal, number)| {
            let (held, blocked) = (BTreeMap::new(), BTreeSet::new());
            Holder { terminal, number, held, blocked, list: 1, requests: 0 }
        });
        let (terminals, model) = (holders.collect(), Model { months: 1, ..Model::default() });
        Self { world, model, terminals, chips, backup: None, files: 0, has_lost: false, was_restored: false }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Tap { who, card, amount, end } => self.tap(who, card, amount, end),
            Step::Forge { who, card, amount, more, serial, proof } => {
                // What the card refutes takes nobody's right; after a restore it may not be sure enough of it.
                self.chips[card].is_forged = true;
                self.chips[card].is_honest &= proof && !self.was_restored;
                let terminal = &mut self.terminals[who].terminal;
                let mut copy = self.chips[card].chip.clone();
                (copy.spent, copy.counter) = (more, 6);
                let sale = copy.debit(terminal, amount, serial);
                let (card_counter, card_mac) =
                    if proof { (Some(7), Some(FORGED.to_vec().into())) } else { (None, None) };
                terminal.write(RowBody::Sale(Sale { card_counter, card_mac, ..sale }));
            }
            Step::Repay { card } => self.repay(card),
            Step::Sync { who, rows } => self.sync(who, rows),
            Step::Resend { who, from, rows } => {
                let acked = usize::try_from(self.terminals[who].terminal.acked.seq.get()).unwrap();
                self.send(who, from.min(acked), rows);
            }
            Step::Extend { who, card, level } => self.extend(who, card, level),
            Step::Credit => {
                self.model.months += 1;
                let months = self.model.months;
                self.world.credit(&format!("{}-{:02}", 2027 + months / 12, months % 12 + 1));
            }
            Step::Refund { who, sale, amount } => self.refund(who, sale, amount),
            Step::Lose { card } => {
                let number = CardName::Number(CARDS[card].0.into());
                let version = self.world.db.write(|tx| tx.card_block(number, NOW)).unwrap();
                self.model.blocked.entry(card).or_insert(version.get());
            }
            Step::Find { card } => {
                let number = CardName::Number(CARDS[card].0.into());
                let found = self.world.db.write(|tx| tx.card_unblock(number, NOW));
                assert_eq!(found.is_err(), self.model.released.contains(&card), "{found:?}");
                if found.is_ok() {
                    self.model.blocked.remove(&card);
                }
            }
            Step::Close { who } => self.close(who),
            Step::Backup => {
                self.files += 1;
                let path = self.world.backup(&format!("backup-{}.db", self.files));
                self.backup = Some((path, self.model.clone()));
            }
            Step::Restore => self.restore(),
        }
    }

    /// The chip takes a newer balance of the terminal, or the terminal one of the chip; then it is sold within it.
    fn tap(&mut self, who: usize, card: usize, amount: u64, end: End) {
        let (holder, chip) = (&mut self.terminals[who], &mut self.chips[card]);
        let newest = chip.balance.iter().chain(holder.held.get(&card)).max_by_key(|balance| balance.allowed).cloned();
        let Some(newest) = newest.filter(|_| !holder.blocked.contains(&card)) else { return };
        holder.held.insert(card, newest.clone());
        if chip.chip.spent + amount > newest.allowed.get() {
            return;
        }
        let sale = chip.chip.debit(&mut holder.terminal, amount, newest.serial.get());
        match end {
            End::Untold => return,
            End::Told => {
                holder.terminal.write(RowBody::Sale(Sale { card_counter: None, card_mac: None, ..sale }));
                return;
            }
            End::Whole | End::Left => holder.terminal.write(RowBody::Sale(sale)),
        }
        if matches!(end, End::Whole) {
            if chip.balance.as_ref() != Some(&newest) {
                chip.chip.write(&mut holder.terminal, &super::world::signer(2).sign(&newest));
                chip.balance = Some(newest);
            }
            let me = holder.terminal.id.get();
            let others =
                chip.chip.records.iter().rev().take(15).filter(|record| Record::parse(record).unwrap().terminal != me);
            let brought = card_proofs::Chip { records: others.copied().collect(), ..chip.chip.clone() };
            brought.bring(&mut holder.terminal);
        }
    }

    /// What nobody claims is given back; a terminal that still tells of it is not paid.
    fn repay(&mut self, card: usize) {
        let number = CARDS[card].0.into();
        let Some(hole) = self.world.db.read(|tx| tx.unclaimed(number)).unwrap().into_iter().next() else { return };
        let stretch = Stretch::between(hole.from, hole.to).unwrap();
        let order = RepaymentOrder { card: number, stretch, reason: "no bread".to_owned(), by: "Ada".to_owned() };
        let is_released = self.model.released.contains(&card);
        let proposed = self.world.db.write(|tx| tx.repayment_propose(&order, NOW));
        assert_eq!(proposed.is_err(), is_released, "{proposed:?}");
        let Ok(id) = proposed else { return };
        let (from, cents) = (hole.from.get(), hole.to.get() - hole.from.get());
        assert_eq!(self.world.db.write(|tx| tx.repayment_end(id, "Bo", true, NOW)).unwrap().get(), cents);
        assert_eq!(self.model.claim(card, from + cents, cents, u64::MAX), cents, "no shop had claimed it");
        *self.model.repaid.entry(card).or_default() += cents;
        self.chips[card].is_honest = false;
    }

    fn refund(&mut self, who: usize, sale: usize, amount: u64) {
        let holder = &mut self.terminals[who];
        let sales =
            holder.terminal.journal.iter().zip(1_u32..).filter_map(|(row, seq)| match row.peek().unwrap().body {
                RowBody::Sale(sale) => Some((seq, sale.purse)),
                _ => None,
            });
        let sales: Vec<_> = sales.collect();
        if let Some((seq, purse)) = sales.iter().rev().nth(sale).copied() {
            let card = CARDS.iter().find(|(card, _)| purse_ref(*card) == purse).unwrap().0;
            holder.requests += 1;
            let request = holder.requests * 4 + u8::try_from(who).unwrap();
            holder.terminal.refund(card, holder.terminal.place(seq), amount, request);
        }
    }

    fn extend(&mut self, who: usize, card: usize, level: u64) {
        let terminal = self.terminals[who].terminal.clone();
        if let Ok(Some(balance)) = self.world.try_extend(&terminal, CARDS[card].0, level) {
            assert_eq!(balance.scope, Scope::Card);
            self.world.send(&balance);
            self.terminals[who].hold(balance);
        }
    }

    fn sync(&mut self, who: usize, rows: usize) {
        let holder = &mut self.terminals[who];
        holder.terminal.incarnation = Incarnation::new(self.world.number("SELECT incarnation FROM fund"));
        let from = usize::try_from(holder.terminal.acked.seq.get()).unwrap();
        self.send(who, from, rows);
        let terminal = self.terminals[who].terminal.clone();
        for item in self.world.news(&terminal, 0) {
            let holder = &mut self.terminals[who];
            match item {
                Deliverable::Balance(balance) if balance.scope == Scope::Card => {
                    holder.hold(balance.clone());
                    self.world.send(&balance);
                }
                Deliverable::HotList(list) if list.version.get() > holder.list => {
                    let is_on = |number: u8| list.cards.contains(&super::world::card_ref(number));
                    holder.blocked = (0..CARDS.len()).filter(|card| is_on(CARDS[*card].0)).collect();
                    holder.list = list.version.get();
                    holder.terminal.write(RowBody::ListApplied(ListApplied { version: Version::new(holder.list) }));
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, who: usize, from: usize, rows: usize) {
        let holder = &self.terminals[who];
        let (sender, epoch) = (&holder.terminal, holder.number);
        let from = from.min(sender.journal.len());
        let until = (from + rows).min(sender.journal.len());
        let known = self.model.chain.get(&epoch).map_or(0, Vec::len);
        // What an upload itself brings about, such as a release, makes no serial for its rows.
        let serials = self.world.card_serials();
        let outcome = self.world.ingest(&sender.upload_of(sender.head_at(from), &sender.journal[from..until]));
        let acked = usize::try_from(outcome.acked.seq.get()).unwrap();
        for row in known..acked {
            let allowed = |card: usize, serial: u32| allowed_by(&serials, OWN_PURSES[card], serial);
            let body = sender.journal[row].peek().unwrap().body;
            let is_refuted = self.is_refuted(epoch, row, &body);
            self.model.take(epoch, &body, is_refuted, allowed);
            // What honest chips and terminals sold is paid, whatever came first, unless two people closed the epoch.
            if let RowBody::Sale(sale) = &body {
                let card = CARDS.iter().position(|(card, _)| purse_ref(*card) == sale.purse).unwrap();
                let (settled, _) = self.model.sales[&(epoch, u32::try_from(row + 1).unwrap())];
                let is_sound = self.chips[card].is_honest
                    && !is_false(sale)
                    && !self.model.closed.contains(&epoch)
                    && !self.has_lost;
                assert!(
                    !is_sound || settled == sale.fund_cents().unwrap().get(),
                    "an honest tap is not paid: {sale:?}"
                );
            }
        }
        assert_eq!(outcome.disputed_rows, 0);
        self.book(&serials);
        self.release();
        let sender = &mut self.terminals[who].terminal;
        if sender.head_at(acked) == outcome.acked {
            sender.acked = outcome.acked;
        }
    }

    /// True where the card refutes a sale: every made-up proof, unless a restore made the card unsure.
    fn is_refuted(&self, epoch: u32, row: usize, body: &RowBody) -> bool {
        let RowBody::Sale(sale) = body else { return false };
        let key = (i64::from(epoch) << 32) | i64::try_from(row + 1).unwrap();
        let read = "SELECT ifnull((SELECT proof FROM card_commits WHERE row = ?1), 0)";
        let proof: u8 = self.world.db.conn.query_row(read, [key], |found| found.get(0)).unwrap();
        let is_closed = self.model.closed.contains(&epoch);
        assert!(self.was_restored || is_closed || is_false(sale) == (proof > 3), "{proof}: {sale:?}");
        assert!(is_false(sale) || proof <= 3, "an honest proof is refuted: {proof}, {sale:?}");
        proof > 3
    }

    /// What each card is proven to have counted is the hub's own word; what follows from it is not.
    fn book(&mut self, serials: &BTreeMap<(u32, u32), u64>) {
        let conn = &self.world.db.conn;
        let proven = |card: usize, epoch: u32| {
            let read = "SELECT ifnull(max(before), 0) FROM card_commits
                WHERE account = (12 << 56) | ?1 AND proof = 1 AND row >> 32 <> ?2";
            let found: u32 = conn.query_row(read, [OWN_PURSES[card], epoch], |row| row.get(0)).unwrap();
            u64::from(found)
        };
        self.model.book(|card, serial| allowed_by(serials, OWN_PURSES[card], serial), proven);
    }

    fn release(&mut self) {
        let closed = self.model.closed.clone();
        let open: Vec<_> =
            self.terminals.iter().map(|holder| holder.number).filter(|it| !closed.contains(it)).collect();
        self.world.db.write(|tx| tx.release_cards(NOW)).unwrap();
        self.model.release(&open);
    }

    fn close(&mut self, who: usize) {
        if self.model.closed.insert(self.terminals[who].number) {
            let terminal = self.terminals[who].terminal.clone();
            let serials = self.world.card_serials();
            let number = self.terminals[who].number;
            let at = self.model.chain.get(&number).map_or(0, Vec::len);
            self.model.closed_at.insert(number, u32::try_from(at).unwrap());
            self.world.close(&terminal, "Ada", "Bo");
            self.book(&serials);
            self.world.allocate();
            self.release();
        }
    }

    /// The hub comes back as it was; the terminals hand back what they hold, and what the chips showed them.
    fn restore(&mut self) {
        let Some((path, model)) = self.backup.clone() else { return };
        self.files += 1;
        let copy = self.world.folder.path().join(format!("restored-{}.db", self.files));
        std::fs::copy(&path, &copy).unwrap();
        self.world.restore(&copy);
        self.was_restored = true;
        self.chips.iter_mut().for_each(|chip| chip.is_honest &= !chip.is_forged);
        self.has_lost |= !model.closed.is_empty();
        // A card that was found after the backup is blocked again: what it paid meanwhile may come after its release.
        self.has_lost |= model.blocked.keys().any(|card| !self.model.blocked.contains_key(card));
        self.model = model;
        for who in 0..self.terminals.len() {
            let holder = &self.terminals[who];
            let held: Vec<_> = holder.held.values().cloned().collect();
            let terminal = holder.terminal.clone();
            self.world.hand_back(&terminal, super::restores::signed(&held), true);
            // Its answer says where the hub stands.
            let acked = self.model.chain.get(&self.terminals[who].number).map_or(0, Vec::len);
            let holder = &mut self.terminals[who];
            holder.terminal.acked = holder.terminal.head_at(acked);
            holder.list = 0;
        }
        self.world.allocate();
        self.release();
    }

    /// Every cent is where the model says, and the auditor finds nothing.
    fn audit(&mut self) {
        for (card, own) in OWN_PURSES.iter().enumerate() {
            let sum = |what: &str| {
                let read = format!("SELECT ifnull(sum({what}), 0) FROM accounts WHERE id = (12 << 56) | {own}");
                self.world.number::<i64>(&read)
            };
            let claimed = i64::try_from(self.model.claimed.get(&card).map_or(0, BTreeSet::len)).unwrap();
            if self.model.released.contains(&card) {
                assert_eq!(sum("credits - debits"), 0, "card {card} was released");
            } else {
                assert_eq!(sum("debits"), claimed, "card {card}");
            }
            let released = format!("SELECT count(*) FROM card_releases WHERE account = (12 << 56) | {own}");
            assert_eq!(self.world.number::<i64>(&released), i64::from(self.model.released.contains(&card)));
        }
        for household in [1_u8, 2] {
            let left = self.world.number::<i64>(&format!(
                "SELECT sum(credits - debits) FROM accounts JOIN purses ON purses.number = accounts.id & 4294967295
                 WHERE id >> 56 IN (4, 5, 12) AND household = {household}"
            ));
            let missing = self.world.number::<i64>(&format!(
                "SELECT ifnull(sum(debits - credits), 0) FROM accounts WHERE id = (10 << 56) | {household}"
            ));
            let of = |sums: &BTreeMap<u8, u64>| i64::try_from(sums.get(&household).copied().unwrap_or(0)).unwrap();
            let given = i64::from(self.model.months) * 15_000 + of(&self.model.refunded) + missing;
            // What was given back went from the card to the household: it is there all the same.
            assert_eq!(left, given - of(&self.model.sold), "household {household}");
        }
        assert_eq!(self.world.owed().1, cents(self.model.sold.values().sum()));
        self.world.audit();
    }
}

/// What a serial allows: one that a restore skipped, as much as the next that is known.
fn allowed_by(serials: &BTreeMap<(u32, u32), u64>, purse: u32, serial: u32) -> Option<u64> {
    serials.range((purse, serial)..=(purse, u32::MAX)).next().map(|(_, allowed)| *allowed)
}

impl World {
    /// What each serial of each card allows, by the card's own purse.
    fn card_serials(&self) -> BTreeMap<(u32, u32), u64> {
        let read = "SELECT slice & 4294967295, serial, allowed FROM serials WHERE slice >> 56 = 12";
        let mut read = self.db.conn.prepare(read).unwrap();
        let serials = read.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), u64::from(row.get::<_, u32>(2)?))));
        serials.unwrap().map(Result::unwrap).collect()
    }
}

impl Holder {
    fn hold(&mut self, balance: SignedBalance) {
        let card = CARDS.iter().position(|(card, _)| purse_ref(*card) == balance.purse).unwrap();
        match self.held.get(&card) {
            Some(held) if held.serial >= balance.serial => {}
            Some(held) => {
                assert!(held.allowed <= balance.allowed, "a higher serial never allows less");
                self.held.insert(card, balance);
            }
            None => drop(self.held.insert(card, balance)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_order_taps_come_in_each_cent_of_a_card_is_paid_once_and_none_beyond_its_credit(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut life = Life::new();
        for step in &steps {
            life.step(step);
            life.audit();
        }
    }
}
