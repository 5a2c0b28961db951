//! Random lives of a fund against a naive model of the claim rule.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::world::{Terminal, World, cents};

/// One thing that happens. Terminals 0 and 1 are honest or not; 2 is a thief's copy of 0.
#[derive(Clone, Debug)]
enum Step {
    /// A sale whose counter may repeat, jump or go back, under some serial.
    Sale { terminal: usize, purse: u8, amount: u64, spent_after: u64, serial: u32 },
    /// The next sale of an honest counter under the newest serial.
    Honest { terminal: usize, purse: u8, amount: u64 },
    /// Everything that was not acknowledged is sent.
    Sync { terminal: usize },
    /// Some of the journal is sent, from anywhere to anywhere, as it came before or never did.
    Resend { terminal: usize, from: usize, rows: usize },
    /// A larger slice is asked for.
    Extend { terminal: usize, purse: u8, level: u64 },
    /// The thief copies the disk of terminal 0.
    Copy,
    /// A sale of the journal is undone, by a reversed counter that may repeat, jump or go back.
    Undo { terminal: usize, purse: u8, sale: usize, more: u64, reversed_after: u64 },
    /// The newest sale of a purse is undone as an honest terminal does it.
    HonestUndo { terminal: usize, purse: u8 },
    /// A settlement is closed.
    Settle,
}

/// What a row does.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Sale(Claim),
    Undo { purse: u8, sale: usize, amount: u64, reversed_after: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (terminal, purse) = (0..3_usize, 1..3_u8);
    prop_oneof![
        3 => (terminal.clone(), purse.clone(), 1..4_000_u64, 0..16_000_u64, 1..5_u32).prop_map(
            |(terminal, purse, amount, spent, serial)| {
                Step::Sale { terminal, purse, amount, spent_after: spent.max(amount), serial }
            }
        ),
        6 => (terminal.clone(), purse.clone(), 1..2_000_u64)
            .prop_map(|(terminal, purse, amount)| Step::Honest { terminal, purse, amount }),
        5 => terminal.clone().prop_map(|terminal| Step::Sync { terminal }),
        3 => (terminal.clone(), 0..20_usize, 0..8_usize)
            .prop_map(|(terminal, from, rows)| Step::Resend { terminal, from, rows }),
        2 => (terminal.clone(), purse.clone(), 0..20_usize, prop_oneof![9 => Just(0_u64), 1 => 1..5_u64], 0..16_000_u64)
            .prop_map(|(terminal, purse, sale, more, reversed_after)| {
                Step::Undo { terminal, purse, sale, more, reversed_after }
            }),
        4 => (terminal.clone(), purse.clone()).prop_map(|(terminal, purse)| Step::HonestUndo { terminal, purse }),
        3 => (terminal, purse, 0..16_000_u64)
            .prop_map(|(terminal, purse, level)| Step::Extend { terminal, purse, level }),
        1 => Just(Step::Copy),
        1 => Just(Step::Settle),
    ]
}

/// The claim rule at its simplest: single cents in sets.
#[derive(Default)]
struct Naive {
    /// Cents of (enrolment, purse) that were settled.
    settled: BTreeMap<(u32, u8), BTreeSet<u64>>,
    /// What each (enrolment, purse, serial) allowed.
    allowed: BTreeMap<(u32, u8, u32), u64>,
    /// The sales of each enrolment that the hub took, as (purse, from, to, serial).
    taken: BTreeMap<u32, usize>,
    /// Each sale that the hub took, as (purse, amount, settled, undone).
    sales: BTreeMap<(u32, usize), (u8, u64, u64, bool)>,
    /// What reversals gave back to each (enrolment, purse), and how far they took its reversed counter.
    reversed: BTreeMap<(u32, u8), (u64, u64)>,
}

type Claim = (u8, u64, u64, u32);

impl Naive {
    fn learn(&mut self, world: &mut World) {
        let mut read = world
            .db
            .conn
            .prepare("SELECT (slice >> 32) & 0xffffff, slice & 0xffffffff, serial, allowed FROM serials")
            .unwrap();
        let all = read
            .query_map([], |row| Ok(((row.get(0)?, row.get(1)?, row.get(2)?), u64::from(row.get::<_, u32>(3)?))))
            .unwrap();
        self.allowed.extend(all.map(Result::unwrap));
    }

    /// Takes the rows that the hub has acknowledged since.
    fn take(&mut self, epoch: u32, acked: usize, deeds: &[Deed]) {
        let taken = self.taken.entry(epoch).or_default();
        for (row, deed) in deeds.iter().enumerate().take(acked).skip(*taken) {
            match *deed {
                Deed::Sale((purse, from, to, serial)) => {
                    let (reversed, _) = self.reversed.get(&(epoch, purse)).copied().unwrap_or_default();
                    let mut known = self.allowed.range((epoch, purse, serial)..=(epoch, purse, u32::MAX));
                    let allowed = known.next().map_or(0, |(_, allowed)| allowed + reversed);
                    let settled = self.settled.entry((epoch, purse)).or_default();
                    let before = settled.len();
                    settled.extend((from + 1..=to).filter(|cent| *cent <= allowed));
                    let new = u64::try_from(settled.len() - before).unwrap();
                    self.sales.insert((epoch, row), (purse, to - from, new, false));
                }
                Deed::Undo { purse, sale, amount, reversed_after } => {
                    let has_slice = self.allowed.range((epoch, purse, 0)..=(epoch, purse, u32::MAX)).next().is_some();
                    let Some(sale) = self.sales.get_mut(&(epoch, sale)).filter(|_| has_slice) else { continue };
                    let (reversed, counter) = self.reversed.entry((epoch, purse)).or_default();
                    if (sale.0, sale.1, sale.3) == (purse, amount, false) && reversed_after - amount >= *counter {
                        sale.3 = true;
                        (*reversed, *counter) = (*reversed + sale.2, reversed_after);
                    }
                }
            }
        }
        *taken = acked;
    }

    fn undone(&self) -> u64 {
        self.reversed.values().map(|(reversed, _)| reversed).sum()
    }

    fn total(&self) -> u64 {
        self.settled.values().map(|cents| u64::try_from(cents.len()).unwrap()).sum()
    }
}

struct Life {
    world: World,
    terminals: Vec<Terminal>,
    /// What each row of each terminal's journal does.
    deeds: Vec<Vec<Deed>>,
    /// The deeds of the rows that the hub holds as the true chain, by enrolment.
    chain: [Vec<Deed>; 2],
    naive: Naive,
    payouts: u64,
}

impl Life {
    fn new() -> Self {
        let mut world = World::credited();
        let terminals = vec![world.terminal("A"), world.terminal("B")];
        let mut life = Self {
            world,
            deeds: vec![Vec::new(); 3],
            chain: [Vec::new(), Vec::new()],
            naive: Naive::default(),
            payouts: 0,
            terminals,
        };
        life.terminals.push(life.terminals[0].clone());
        life
    }

    fn sell(&mut self, terminal: usize, claim: Claim) {
        let (purse, from, to, serial) = claim;
        self.terminals[terminal].sale(purse, to - from, to, serial);
        self.deeds[terminal].push(Deed::Sale(claim));
    }

    fn undo(&mut self, terminal: usize, purse: u8, sale: usize, amount: u64, reversed_after: u64) {
        self.terminals[terminal].reversal(purse, u32::try_from(sale + 1).unwrap(), amount, reversed_after);
        self.deeds[terminal].push(Deed::Undo { purse, sale, amount, reversed_after });
    }

    /// What a terminal's own journal says that it spent of a purse, and that it reversed.
    fn counters(&self, terminal: usize, purse: u8) -> (u64, u64) {
        self.deeds[terminal].iter().fold((0, 0), |(spent, reversed), deed| match *deed {
            Deed::Sale((of, _, to, _)) if of == purse => (spent.max(to), reversed),
            Deed::Undo { purse: of, reversed_after, .. } if of == purse => (spent, reversed.max(reversed_after)),
            Deed::Sale(_) | Deed::Undo { .. } => (spent, reversed),
        })
    }

    fn honest_undo(&mut self, terminal: usize, purse: u8) {
        let newest = self.deeds[terminal].iter().enumerate().rev().find_map(|(row, deed)| match *deed {
            Deed::Sale((of, from, to, _)) if of == purse => Some((row, to - from)),
            Deed::Sale(_) | Deed::Undo { .. } => None,
        });
        let Some((sale, amount)) = newest else { return };
        let (_, reversed) = self.counters(terminal, purse);
        self.undo(terminal, purse, sale, amount, reversed + amount);
    }

    fn send(&mut self, terminal: usize, from: usize, rows: usize) {
        let sender = &self.terminals[terminal];
        let from = from.min(sender.journal.len());
        let until = (from + rows).min(sender.journal.len());
        let upload = sender.upload_of(sender.head_at(from), &sender.journal[from..until]);
        self.naive.learn(&mut self.world);
        let outcome = self.world.ingest(&upload);
        let slot = terminal % 2;
        let acked = usize::try_from(outcome.acked.seq.get()).unwrap();
        // What is new in the chain came from this terminal's journal, at the same places.
        let known = self.chain[slot].len();
        self.chain[slot].extend(self.deeds[terminal].get(known..acked).unwrap_or_default().iter().copied());
        assert_eq!(self.chain[slot].len(), acked.max(known));
        self.naive.take(u32::try_from(slot).unwrap() + 1, acked, &self.chain[slot].clone());
        if outcome.acked == self.terminals[terminal].head_at(acked.min(self.terminals[terminal].journal.len())) {
            self.terminals[terminal].acked = outcome.acked;
        }
    }

    fn honest(&mut self, terminal: usize, purse: u8, amount: u64) {
        self.naive.learn(&mut self.world);
        let epoch = u32::try_from(terminal % 2).unwrap() + 1;
        let newest = self.naive.allowed.range((epoch, purse, 0)..=(epoch, purse, u32::MAX)).next_back();
        let Some(((_, _, serial), allowed)) = newest.map(|(key, allowed)| (*key, *allowed)) else { return };
        let (spent, reversed) = self.counters(terminal, purse);
        if spent + amount <= allowed + reversed {
            self.sell(terminal, (purse, spent, spent + amount, serial));
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Sale { terminal, purse, amount, spent_after, serial } => {
                self.sell(terminal, (purse, spent_after - amount, spent_after, serial));
            }
            Step::Honest { terminal, purse, amount } => self.honest(terminal, purse, amount),
            Step::Sync { terminal } => {
                let from = usize::try_from(self.terminals[terminal].acked.seq.get()).unwrap();
                self.send(terminal, from, 64);
            }
            Step::Resend { terminal, from, rows } => self.send(terminal, from, rows),
            Step::Extend { terminal, purse, level } => {
                drop(self.world.try_extend(&self.terminals[terminal].clone(), purse, level));
            }
            Step::Copy => {
                self.terminals[2] = self.terminals[0].clone();
                self.deeds[2] = self.deeds[0].clone();
            }
            Step::Undo { terminal, purse, sale, more, reversed_after } => {
                let amount = match self.deeds[terminal].get(sale) {
                    Some(Deed::Sale((_, from, to, _))) => to - from + more,
                    Some(Deed::Undo { .. }) | None => 100,
                };
                self.undo(terminal, purse, sale, amount, reversed_after.max(amount));
            }
            Step::HonestUndo { terminal, purse } => self.honest_undo(terminal, purse),
            Step::Settle => {
                let cut = self.world.db.read(|tx| tx.settlement_cut()).unwrap();
                let closed = self.world.db.write(|tx| tx.settlement_close(&cut, super::world::NOW)).unwrap();
                self.payouts += closed.map_or(0, |closed| closed.payout.get());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_replayed_forked_or_reordered_no_cent_is_paid_twice_or_without_credit(
        steps in prop::collection::vec(step(), 1..50),
    ) {
        let mut life = Life::new();
        for step in &steps {
            life.step(step);
        }
        let (paid, owed) = life.world.owed();
        prop_assert_eq!(owed, cents(life.naive.total()));
        prop_assert_eq!(paid, cents(life.payouts + life.naive.undone()));
        prop_assert!(life.naive.total() - life.naive.undone() <= 3 * 15_000);
        let report = life.world.verify();
        prop_assert_eq!(report.findings, []);
    }
}
