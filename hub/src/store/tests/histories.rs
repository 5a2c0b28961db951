//! Random lives of a whole fund: credits, sales, hand-backs, reversals, refunds, recalls, corrections, expiries, lost answers, copied disks, closed and replaced
//! terminals, lost cards, settlements, crashes, backups and restores, in any order, against a model of one page.
#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::integer_division,
    reason = "rows that move no money, and months of a year"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cabas_protocol::row::ListApplied;
use cabas_protocol::sync::Recall;
use cabas_protocol::{Epoch, Incarnation, RowBody, SignedBalance, TerminalId, Version};
use proptest::prelude::*;

use super::world::{NOW, Terminal, World, at, cents, purse_ref};
use crate::core::household_rules::Rule;
use crate::store::{CardName, Contact, CorrectionOrder, Db, Deliverable, GoodwillRule, OpenMode, StoreError};

const PURSES: u8 = 3;

/// One thing that happens. `who` picks a terminal, of those that sell or of all that ever did.
#[derive(Clone, Debug)]
enum Step {
    Credit,
    Sell {
        who: usize,
        purse: u8,
        amount: u64,
    },
    /// Money is handed back; `beyond` says that the journal claims more than it was allowed.
    HandBack {
        who: usize,
        purse: u8,
        amount: u64,
        beyond: bool,
    },
    /// A person asks a purse's money back from a terminal, or a sale elsewhere does.
    Recall {
        who: usize,
        purse: u8,
        keep: u64,
        by_sale: bool,
    },
    /// A dishonest journal: the counter stands wherever it likes.
    Cheat {
        who: usize,
        purse: u8,
        amount: u64,
        spent_after: u64,
    },
    Undo {
        who: usize,
        purse: u8,
    },
    /// A refund is asked of any sale of any journal, under a number that others may have used.
    Refund {
        who: usize,
        of: usize,
        sale: usize,
        amount: u64,
        request: u8,
    },
    /// Rows go up and balances come down; `lost` is an answer that never arrives.
    Sync {
        who: usize,
        rows: usize,
        lost: bool,
    },
    /// A stretch of the journal is sent again.
    Resend {
        who: usize,
        from: usize,
        rows: usize,
    },
    Extend {
        who: usize,
        purse: u8,
        level: u64,
        lost: bool,
    },
    /// A thief copies a disk, sells with it and sends what he sold.
    Clone {
        who: usize,
        purse: u8,
        amount: u64,
    },
    /// A terminal is enrolled anew while its old journal may still hold unsent sales.
    Replace {
        who: usize,
    },
    /// Two people close an epoch.
    Close {
        who: usize,
    },
    Lost {
        card: u32,
    },
    Found {
        card: u32,
    },
    ApplyList {
        who: usize,
    },
    Goodwill {
        days: u64,
    },
    /// Two people give a household more, or less.
    Correct {
        purse: u8,
        amount: u64,
        up: bool,
    },
    /// A month's money expires.
    Expire {
        months_ago: u32,
    },
    Leave {
        purse: u8,
    },
    ComeBack {
        purse: u8,
    },
    Settle,
    /// The hub's process ends as if killed, and begins again.
    Crash,
    Backup,
    Restore,
}

fn step() -> impl Strategy<Value = Step> {
    let (who, purse, lost) = (0..8_usize, 1..=PURSES, prop::bool::weighted(0.2));
    prop_oneof![
        2 => Just(Step::Credit),
        8 => (who.clone(), purse.clone(), 1..6_000_u64).prop_map(|(who, purse, amount)| Step::Sell { who, purse, amount }),
        3 => (who.clone(), purse.clone(), 1..9_000_u64, prop::bool::weighted(0.1))
            .prop_map(|(who, purse, amount, beyond)| Step::HandBack { who, purse, amount, beyond }),
        2 => (who.clone(), purse.clone(), 0..9_000_u64, any::<bool>())
            .prop_map(|(who, purse, keep, by_sale)| Step::Recall { who, purse, keep, by_sale }),
        1 => (who.clone(), purse.clone(), 1..6_000_u64, 0..20_000_u64).prop_map(|(who, purse, amount, more)| {
            Step::Cheat { who, purse, amount, spent_after: amount + more }
        }),
        3 => (who.clone(), purse.clone()).prop_map(|(who, purse)| Step::Undo { who, purse }),
        6 => (who.clone(), 0..8_usize, 0..3_usize, 1..5_000_u64, any::<u8>()).prop_map(|(who, of, sale, amount, request)| {
            Step::Refund { who, of, sale, amount, request }
        }),
        9 => (who.clone(), 0..9_usize, lost).prop_map(|(who, rows, lost)| Step::Sync { who, rows, lost }),
        2 => (who.clone(), 0..20_usize, 1..9_usize).prop_map(|(who, from, rows)| Step::Resend { who, from, rows }),
        4 => (who.clone(), purse.clone(), 0..30_000_u64, lost)
            .prop_map(|(who, purse, level, lost)| Step::Extend { who, purse, level, lost }),
        1 => (purse.clone(), 1..20_000_u64, any::<bool>())
            .prop_map(|(purse, amount, up)| Step::Correct { purse, amount, up }),
        1 => (0..4_u32).prop_map(|months_ago| Step::Expire { months_ago }),
        1 => purse.clone().prop_map(|purse| Step::Leave { purse }),
        1 => purse.clone().prop_map(|purse| Step::ComeBack { purse }),
        1 => (who.clone(), purse, 1..3_000_u64).prop_map(|(who, purse, amount)| Step::Clone { who, purse, amount }),
        1 => who.clone().prop_map(|who| Step::Replace { who }),
        2 => who.clone().prop_map(|who| Step::Close { who }),
        1 => (1..=3_u32).prop_map(|card| Step::Lost { card }),
        1 => (1..=3_u32).prop_map(|card| Step::Found { card }),
        1 => who.prop_map(|who| Step::ApplyList { who }),
        1 => (0..30_u64).prop_map(|days| Step::Goodwill { days }),
        2 => Just(Step::Settle),
        1 => Just(Step::Crash),
        1 => Just(Step::Backup),
        1 => Just(Step::Restore),
    ]
}

/// A sale: what was settled of it, and what went back.
#[derive(Clone)]
struct Sold {
    purse: u8,
    amount: u64,
    settled: u64,
    is_undone: bool,
    refunded: u64,
}

/// A refund that an enrolment asks for.
#[derive(Clone)]
struct Asked {
    by: u32,
    row: (u32, usize),
    sale: (u32, usize),
    purse: u8,
    amount: u64,
    request: [u8; 8],
}

/// The rules at their simplest: what the hub has taken in, cent by cent. Keys are (enrolment's number, purse).
#[derive(Clone, Default)]
struct Model {
    /// Rows of each enrolment that the hub has.
    chain: BTreeMap<u32, Vec<RowBody>>,
    closed: BTreeSet<u32>,
    claimed: BTreeMap<(u32, u8), BTreeSet<u64>>,
    /// By purse: credited, sold and settled, and of that undone.
    credited: BTreeMap<u8, u64>,
    sold: BTreeMap<u8, u64>,
    undone: BTreeMap<u8, u64>,
    /// By slice, what reversals gave back and how far they counted; by sale, what was settled of it and still stands.
    reversed: BTreeMap<(u32, u8), (u64, u64)>,
    sales: BTreeMap<(u32, usize), Sold>,
    /// By terminal and epoch, the enrolment's number and its shop.
    enrolled: BTreeMap<(u32, u32), (u32, &'static str)>,
    /// Requests that wait for their sale, numbers of those that were not refused, and by purse what was granted.
    waiting: Vec<Asked>,
    requests: BTreeSet<[u8; 8]>,
    refunded: BTreeMap<u8, u64>,
    payouts: u64,
    months: u32,
    /// Households that are gone; by purse, what two people took and what expired.
    gone: BTreeSet<u8>,
    less: BTreeMap<u8, u64>,
    expired: BTreeMap<u8, u64>,
}

impl Model {
    /// One more row of an enrolment; `allowed` says what a serial of one of its slices allows.
    fn take(&mut self, epoch: u32, body: &RowBody, allowed: impl Fn(u8, u32) -> Option<u64>) {
        let place = self.chain.entry(epoch).or_default().len();
        self.chain.entry(epoch).or_default().push(body.clone());
        if self.closed.contains(&epoch) {
            return;
        }
        match body {
            RowBody::Sale(sale) => {
                let (purse, amount) = (number(sale.purse), sale.fund_cents().unwrap().get());
                let new = self.claim(epoch, purse, amount, sale.spent_after.get(), allowed(purse, sale.serial.get()));
                *self.sold.entry(purse).or_default() += new;
                let sold = Sold { purse, amount, settled: new, is_undone: false, refunded: 0 };
                self.sales.insert((epoch, place), sold);
            }
            RowBody::Return(back) => {
                let purse = number(back.purse);
                let allowed = allowed(purse, back.serial.get());
                self.claim(epoch, purse, back.cents.get(), back.spent_after.get(), allowed);
            }
            RowBody::Reversal(undo) => {
                let purse = number(undo.purse);
                let has_slice = (1..10).any(|serial| allowed(purse, serial).is_some());
                let sale = usize::try_from(undo.sale.get()).unwrap() - 1;
                let (back, counter) = self.reversed.entry((epoch, purse)).or_default();
                if let Some(sold) = self.sales.get_mut(&(epoch, sale))
                    && (sold.purse, sold.amount, has_slice) == (purse, undo.cents.get(), true)
                    && (sold.is_undone, sold.refunded) == (false, 0)
                    && undo.reversed_after.get() - sold.amount >= *counter
                {
                    sold.is_undone = true;
                    (*back, *counter) = (*back + sold.settled, undo.reversed_after.get());
                    *self.undone.entry(purse).or_default() += sold.settled;
                }
            }
            RowBody::RefundRequest(asked) => {
                let (origin, request) = (asked.original, *asked.request.as_bytes());
                let sale = usize::try_from(origin.seq.get()).unwrap() - 1;
                let known = self.enrolled.get(&(origin.terminal.get(), origin.epoch.get()));
                let Some((of, _)) = known.copied().filter(|_| !self.requests.contains(&request)) else { return };
                let amount = asked.lines.iter().map(|line| line.fund.get()).sum();
                let row = (epoch, place);
                let asked = Asked { by: epoch, row, sale: (of, sale), purse: number(asked.purse), amount, request };
                if of != epoch && !self.closed.contains(&of) && sale >= self.chain.get(&of).map_or(0, Vec::len) {
                    self.requests.insert(request);
                    self.waiting.push(asked);
                } else {
                    self.decide(asked);
                }
            }
            _ => {}
        }
    }

    /// Decides what waited for sales that came, once all rows that came with them were taken.
    fn decide_waiting(&mut self, known: impl Fn((u32, usize)) -> bool) {
        let (ready, waiting): (Vec<_>, _) =
            std::mem::take(&mut self.waiting).into_iter().partition(|asked| known(asked.sale));
        self.waiting = waiting;
        let mut ready: Vec<_> = ready;
        ready.sort_by_key(|asked| (asked.sale, asked.row));
        ready.into_iter().for_each(|asked| self.decide(asked));
    }

    /// Grants a refund whole, or refuses it.
    fn decide(&mut self, asked: Asked) {
        let shop = |epoch| self.enrolled.values().find(|(number, _)| *number == epoch).map(|(_, shop)| *shop);
        let same_shop = shop(asked.by) == shop(asked.sale.0);
        self.requests.remove(&asked.request);
        if let Some(sold) = self.sales.get_mut(&asked.sale)
            && (same_shop, sold.is_undone, sold.purse) == (true, false, asked.purse)
            && sold.refunded + asked.amount <= sold.settled
        {
            sold.refunded += asked.amount;
            *self.refunded.entry(asked.purse).or_default() += asked.amount;
            self.requests.insert(asked.request);
        }
    }

    /// Two people close an enrolment: what waits for its sales will never be paid, nor what it asks for itself.
    fn close(&mut self, epoch: u32) -> bool {
        let (refused, waiting): (Vec<_>, _) =
            std::mem::take(&mut self.waiting).into_iter().partition(|asked| [asked.sale.0, asked.by].contains(&epoch));
        self.waiting = waiting;
        for asked in refused {
            self.requests.remove(&asked.request);
        }
        self.closed.insert(epoch)
    }

    /// Cents that a claim settles: not claimed before, and within what the serial allows.
    fn claim(&mut self, epoch: u32, purse: u8, amount: u64, to: u64, allowed: Option<u64>) -> u64 {
        let (back, _) = self.reversed.get(&(epoch, purse)).copied().unwrap_or_default();
        let limit = allowed.map_or(0, |allowed| allowed + back);
        let claimed = self.claimed.entry((epoch, purse)).or_default();
        let before = claimed.len();
        claimed.extend((to - amount + 1..=to).filter(|cent| *cent <= limit));
        u64::try_from(claimed.len() - before).unwrap()
    }
}

fn number(purse: cabas_protocol::PurseRef) -> u8 {
    (1..=PURSES).find(|number| purse_ref(*number) == purse).unwrap()
}

/// A terminal with the balances that it holds.
#[derive(Clone)]
struct Holder {
    terminal: Terminal,
    shop: &'static str,
    held: BTreeMap<u8, SignedBalance>,
    /// False for one whose place another enrolment took.
    sells: bool,
    /// False once its disk was copied or its journal claimed what it had no right to.
    is_honest: bool,
}

struct Life {
    world: World,
    model: Model,
    backup: Option<(PathBuf, Model)>,
    backups: u32,
    all: Vec<Holder>,
}

impl Life {
    fn new() -> Self {
        let mut world = World::credited();
        let rule = GoodwillRule { is_on: true, per_household: cents(5_000), total: cents(8_000), silent_days: 7 };
        world.db.write(|tx| tx.goodwill_set(rule)).unwrap();
        let (first_person, other) = (cents(15_000), cents(0));
        let (from, expire_months) = ("2027-01".parse().unwrap(), Some(2));
        let rule = Rule { from, first_person, further_person: other, child_under_14: other, expire_months };
        world.db.write(|tx| tx.rule_set(rule, "the assembly", NOW)).unwrap();
        let mut model = Model { months: 1, ..Model::default() };
        model.credited.extend((1..=PURSES).map(|purse| (purse, 15_000)));
        let mut life = Self { world, model, backup: None, backups: 0, all: Vec::new() };
        life.open("A");
        life.open("B");
        life.open("A");
        life
    }

    fn open(&mut self, shop: &'static str) {
        let terminal = self.world.terminal(shop);
        self.add(terminal, shop);
    }

    fn add(&mut self, mut terminal: Terminal, shop: &'static str) {
        terminal.start();
        self.all.push(Holder { terminal, shop, held: BTreeMap::new(), sells: true, is_honest: true });
        self.sync(self.all.len() - 1, usize::MAX, false);
    }

    /// The place of one of the terminals that sell.
    fn seller(&self, who: usize) -> usize {
        let sellers: Vec<_> = (0..self.all.len()).filter(|place| self.all[*place].sells).collect();
        sellers[who % sellers.len()]
    }

    fn seller_mut(&mut self, who: usize) -> &mut Holder {
        let place = self.seller(who);
        &mut self.all[place]
    }

    fn epoch(&self, who: usize) -> Option<u32> {
        let terminal = &self.all[who].terminal;
        let read = "SELECT number FROM epochs WHERE terminal = ?1 AND epoch = ?2";
        let found = self.world.db.conn.query_row(read, [terminal.id.get(), terminal.epoch.get()], |row| row.get(0));
        found.ok()
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Credit => self.credit(),
            Step::Sell { who, purse, amount } => self.seller_mut(who).sell(purse, amount),
            Step::HandBack { who, purse, amount, beyond } => self.seller_mut(who).hand_back(purse, amount, beyond),
            Step::Recall { who, purse, keep, by_sale } => self.recall(self.seller(who), purse, keep, by_sale),
            Step::Cheat { who, purse, amount, spent_after } => self.seller_mut(who).cheat(purse, amount, spent_after),
            Step::Undo { who, purse } => {
                let who = self.seller(who);
                if let Some(seq) = self.all[who].undo(purse)
                    && self.all.iter().any(|other| other.asks_back(self.all[who].terminal.place(seq)))
                {
                    self.all[who].is_honest = false;
                }
            }
            Step::Refund { who, of, sale, amount, request } => self.refund((who, of), sale, amount, request),
            Step::Sync { who, rows, lost } => self.sync(who % self.all.len(), rows, lost),
            Step::Resend { who, from, rows } => {
                let who = who % self.all.len();
                let acked = usize::try_from(self.all[who].terminal.acked.seq.get()).unwrap();
                self.send(who, from % (acked + 1), rows, true);
            }
            Step::Extend { who, purse, level, lost } => self.extend(self.seller(who), purse, level, lost),
            Step::Clone { who, purse, amount } => self.clone_disk(self.seller(who), purse, amount),
            Step::Replace { who } => self.replace(self.seller(who)),
            Step::Close { who } => self.close(who % self.all.len()),
            Step::Lost { card } => drop(self.world.db.write(|tx| tx.card_block(CardName::Number(card), NOW)).unwrap()),
            Step::Found { card } => {
                self.world.db.write(|tx| tx.card_unblock(CardName::Number(card), NOW)).unwrap();
            }
            Step::ApplyList { who } => {
                let version = Version::new(self.world.number("SELECT version FROM hot_list"));
                self.seller_mut(who).terminal.write(RowBody::ListApplied(ListApplied { version }));
            }
            Step::Goodwill { days } => {
                self.world.db.write(|tx| tx.goodwill_advance(at(days * 86_400))).unwrap();
                self.world.allocate();
            }
            Step::Correct { purse, amount, up } => self.correct(purse, amount, up),
            Step::Expire { months_ago } => self.expire(months_ago),
            Step::Leave { purse } => self.leave(purse),
            Step::ComeBack { purse } => {
                self.model.gone.remove(&purse);
                self.world.db.write(|tx| tx.household_return(&format!("H{purse}"))).unwrap();
            }
            Step::Settle => self.settle(),
            Step::Crash => self.world.db = Db::open(&self.world.path(), OpenMode::Existing).unwrap(),
            Step::Backup => {
                self.backups += 1;
                let path = self.world.backup(&format!("backup-{}.db", self.backups));
                self.backup = Some((path, self.model.clone()));
            }
            Step::Restore => self.restore(),
        }
    }

    fn credit(&mut self) {
        self.model.months += 1;
        // A month that is booked twice is booked once.
        for _ in 0..2 {
            self.world.credit(&month(self.model.months));
        }
        for purse in (1..=PURSES).filter(|purse| !self.model.gone.contains(purse)) {
            *self.model.credited.entry(purse).or_default() += 15_000;
        }
    }

    fn correct(&mut self, purse: u8, amount: u64, is_up: bool) {
        let order = CorrectionOrder {
            household: format!("H{purse}"),
            cents: cents(amount),
            is_up,
            source: "Ville de Lyon".to_owned(),
            reason: "voted".to_owned(),
            by: "Ada".to_owned(),
        };
        let id = self.world.db.write(|tx| tx.correction_propose(&order, NOW)).unwrap();
        assert!(self.world.db.write(|tx| tx.correction_end(id, "ada", true, NOW)).is_err(), "one person is not two");
        self.world.db.write(|tx| tx.correction_end(id, "Bo", true, NOW)).unwrap();
        let of = if is_up { &mut self.model.credited } else { &mut self.model.less };
        *of.entry(purse).or_default() += amount;
    }

    /// What expires is the program's word; here it is held against what there was to take, and that it counts once.
    fn expire(&mut self, months_ago: u32) {
        let Some(months) = self.model.months.checked_sub(months_ago).filter(|months| *months > 1) else { return };
        let period = month(months).parse().unwrap();
        let now = at(40 * 366 * 86_400);
        for holder in &self.all {
            let terminal = &holder.terminal;
            let (terminal, epoch, status) = (terminal.id, terminal.epoch, terminal.status());
            drop(self.world.db.write(|tx| tx.contact(&Contact { terminal, epoch, status, cursor: 0 }, now)));
        }
        for once in [true, false] {
            let lines = self.world.db.read(|tx| tx.expiry_preview(period, now)).unwrap();
            self.world.db.write(|tx| tx.expiry_book(period, 0, now)).unwrap();
            for line in lines.iter().filter(|line| line.booked.is_none()) {
                assert!(once, "a month's money expires once");
                let purse: u8 = line.household[1..].parse().unwrap();
                *self.model.expired.entry(purse).or_default() += line.cents.get();
                assert!(self.model.expired[&purse] <= self.model.credited[&purse], "more than was credited");
            }
        }
    }

    /// What is free of a household that leaves expires, and what came free of those that are gone.
    fn leave(&mut self, purse: u8) {
        self.model.gone.insert(purse);
        for gone in self.model.gone.clone() {
            let read = "SELECT ifnull(sum(credits - debits), 0) FROM accounts WHERE id = ";
            let free: i64 = self.world.number(&format!("{read}{}", account(4, gone.into())));
            *self.model.expired.entry(gone).or_default() += u64::try_from(free).unwrap();
        }
        self.world.db.write(|tx| tx.household_leave(&format!("H{purse}"), NOW)).unwrap();
    }

    fn sync(&mut self, who: usize, rows: usize, lost: bool) {
        let incarnation: u32 = self.world.number("SELECT incarnation FROM fund");
        self.all[who].terminal.incarnation = Incarnation::new(incarnation);
        let from = usize::try_from(self.all[who].terminal.acked.seq.get()).unwrap();
        self.send(who, from, rows, lost);
        if !lost && self.epoch(who).is_some() {
            let news = self.world.news(&self.all[who].terminal.clone(), 0);
            for item in news {
                match item {
                    Deliverable::Balance(balance) => self.all[who].hold(balance),
                    Deliverable::Recall(recall) => self.all[who].answer(&recall),
                    _ => {}
                }
            }
        }
    }

    /// One of the last sales of some journal is to be refunded.
    fn refund(&mut self, (who, of): (usize, usize), sale: usize, amount: u64, request: u8) {
        let journal = &self.all[of % self.all.len()].terminal;
        let sales = journal.journal.iter().zip(1_u32..).filter_map(|(row, seq)| match row.peek().unwrap().body {
            RowBody::Sale(sale) => Some((journal.place(seq), number(sale.purse), sale.fund_cents().unwrap().get())),
            _ => None,
        });
        let sales: Vec<_> = sales.collect();
        if let Some((place, purse, sold)) = sales.iter().rev().nth(sale % sales.len().max(1)).copied() {
            // A shop that undoes a sale at one terminal and refunds it at another contradicts itself.
            let seller = self.seller(who);
            let of = of % self.all.len();
            if seller != of && self.all[of].is_undone(place.2) {
                self.all[of].is_honest = false;
            }
            let seller = &mut self.all[seller];
            seller.terminal.refund(purse, place, amount.min(sold), request);
            // Often what was refunded is refunded once more, or undone as well.
            match request % 4 {
                0 => seller.terminal.refund(purse, place, amount.min(sold), request.wrapping_add(1)),
                1 if place == seller.terminal.place(place.2) => seller.is_honest &= seller.undo(purse).is_none(),
                _ => {}
            }
        }
    }

    fn send(&mut self, who: usize, from: usize, rows: usize, lost: bool) {
        let Some(epoch) = self.epoch(who) else { return };
        let sender = &self.all[who].terminal;
        let from = from.min(sender.journal.len());
        let until = from.saturating_add(rows.min(64)).min(sender.journal.len());
        let outcome = self.world.ingest(&sender.upload_of(sender.head_at(from), &sender.journal[from..until]));
        let acked = usize::try_from(outcome.acked.seq.get()).unwrap();
        self.model.enrolled.insert((sender.id.get(), sender.epoch.get()), (epoch, self.all[who].shop));
        let known = self.model.chain.get(&epoch).map_or(0, Vec::len);
        let conn = &self.world.db.conn;
        for row in known..acked {
            let allowed = |purse: u8, serial: u32| {
                let slice = account(5, u64::from(epoch) << 32 | u64::from(purse));
                let read = "SELECT allowed FROM serials WHERE slice = ?1 AND serial >= ?2 ORDER BY serial LIMIT 1";
                conn.query_row(read, [slice, i64::from(serial)], |row| row.get::<_, i64>(0))
                    .ok()
                    .map(|cents| u64::try_from(cents).unwrap())
            };
            let body = sender.journal[row].peek().unwrap().body;
            self.model.take(epoch, &body, allowed);
        }
        let sales = |(of, place): (u32, usize)| of == epoch && (known..acked).contains(&place);
        let is_sale = |(_, place): (u32, usize)| matches!(sender.journal[place].peek().unwrap().body, RowBody::Sale(_));
        self.model.decide_waiting(|sale| sales(sale) && is_sale(sale));
        // What an honest terminal accepted is paid, unless two people had closed its epoch.
        let is_closed = self.model.closed.contains(&epoch);
        let honest = self.all[who].is_honest;
        assert!(!honest || is_closed || outcome.over_right.is_zero(), "an honest sale is over-right: {outcome:?}");
        assert!(!honest || outcome.disputed_rows == 0, "an honest row is disputed: {outcome:?}");
        let sender = &mut self.all[who].terminal;
        if !lost && acked <= sender.journal.len() && sender.head_at(acked) == outcome.acked {
            sender.acked = outcome.acked;
        }
    }

    fn extend(&mut self, who: usize, purse: u8, level: u64, lost: bool) {
        match self.world.try_extend(&self.all[who].terminal.clone(), purse, level) {
            Ok(Some(balance)) if !lost => self.all[who].hold(balance),
            Ok(_) | Err(StoreError::NotLive(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn recall(&mut self, who: usize, purse: u8, keep: u64, by_sale: bool) {
        let terminal = self.all[who].terminal.clone();
        let sellers: Vec<_> = self.all.iter().map(|holder| holder.terminal.id).collect();
        self.world
            .db
            .write(|tx| {
                if by_sale {
                    let level = cents(keep * 3);
                    tx.recall_for(terminal.id, terminal.epoch, purse_ref(purse), level, &sellers, NOW)?;
                    return Ok(());
                }
                tx.recall_by_hand(purse_ref(purse), Some(terminal.id), cents(keep), NOW).map(drop)
            })
            .unwrap();
    }

    fn clone_disk(&mut self, who: usize, purse: u8, amount: u64) {
        let mut thief = self.all[who].clone();
        thief.is_honest = false;
        thief.sells = false;
        thief.sell(purse, amount);
        self.all[who].is_honest = false;
        self.all.push(thief);
        self.sync(self.all.len() - 1, 64, false);
        self.all.pop();
    }

    fn replace(&mut self, who: usize) {
        let (id, shop) = (self.all[who].terminal.id, self.all[who].shop);
        self.all[who].sells = false;
        let terminal = self.world.enrol_again(id);
        self.world.allocate();
        self.add(terminal, shop);
    }

    fn close(&mut self, who: usize) {
        let Some(epoch) = self.epoch(who) else { return };
        if !self.model.close(epoch) {
            return;
        }
        let terminal = self.all[who].terminal.clone();
        self.world.close(&terminal, "Ada", "Bo");
        if self.all[who].sells {
            self.replace(who);
        }
    }

    fn settle(&mut self) {
        let cut = self.world.db.read(|tx| tx.settlement_cut()).unwrap();
        self.world.db.write(|tx| tx.payments_checked()).unwrap();
        let closed = self.world.db.write(|tx| tx.settlement_close(&cut, NOW)).unwrap();
        self.model.payouts += closed.map_or(0, |closed| closed.payout.get());
        let again = self.world.db.write(|tx| tx.settlement_close(&cut, NOW)).unwrap();
        assert!(again.is_none(), "the same rows are settled once");
    }

    /// The hub comes back as it was at the backup; each terminal hands back what it holds, twice.
    fn restore(&mut self) {
        let Some((path, model)) = self.backup.take() else { return };
        let copy = self.world.folder.path().join(format!("restored-{}.db", self.backups));
        std::fs::copy(&path, &copy).unwrap();
        self.backup = Some((path, model.clone()));
        self.world.restore(&copy);
        self.model = model;
        self.audit();
        let holders = std::mem::take(&mut self.all);
        let mut lost = Vec::new();
        for holder in holders {
            self.all.push(holder);
            let who = self.all.len() - 1;
            if self.epoch(who).is_none() {
                lost.extend(self.all.pop().filter(|holder| holder.sells));
                continue;
            }
            let held: Vec<_> = self.all[who].held.values().cloned().collect();
            for is_end in [false, true] {
                let terminal = self.all[who].terminal.clone();
                self.world.hand_back(&terminal, super::restores::signed(&held), is_end);
            }
            // The answer says where the hub stands.
            self.send(who, 0, 0, false);
        }
        self.world.allocate();
        for holder in lost {
            let known = "SELECT count(*) FROM terminals WHERE number = ";
            let id = holder.terminal.id;
            if self.world.number::<u32>(&format!("{known}{}", id.get())) == 0 {
                self.open(holder.shop);
            } else {
                let terminal = self.world.enrol_again(id);
                self.world.allocate();
                self.add(terminal, holder.shop);
            }
        }
        assert!(self.world.db.read(|tx| tx.is_restoring()).is_ok_and(|restoring| !restoring));
    }

    /// Every cent is where the model says, and the auditor finds nothing.
    fn audit(&mut self) {
        for purse in 1..=PURSES {
            let of = |kind: u64| account(kind, u64::from(purse));
            let sum = |sql: &str| self.world.number::<i64>(sql);
            let free = sum(&format!("SELECT ifnull(sum(credits - debits), 0) FROM accounts WHERE id = {}", of(4)));
            let left = sum(&format!(
                "SELECT ifnull(sum(credits - debits), 0) FROM accounts WHERE id >> 56 = 5 AND id & 0xffffffff = {purse}"
            ));
            let owed =
                |kind| sum(&format!("SELECT ifnull(sum(debits - credits), 0) FROM accounts WHERE id = {}", of(kind)));
            let of = |map: &BTreeMap<u8, u64>| i64::try_from(map.get(&purse).copied().unwrap_or_default()).unwrap();
            let model = &self.model;
            let given = of(&model.credited) - of(&model.less) - of(&model.expired);
            let expected =
                given + owed(8) + owed(10) + owed(11) - of(&model.sold) + of(&model.undone) + of(&model.refunded);
            assert!(owed(11) == 0 || free == 0 || owed(8) > 0, "purse {purse}: {free} are free and {} owed", owed(11));
            assert_eq!(free + left, expected, "purse {purse}: free {free}, at terminals {left}");
        }
        let (out, owed) = self.world.owed();
        let undone: u64 = self.model.undone.values().sum();
        assert_eq!(owed, cents(self.model.sold.values().sum()), "what shops are owed");
        let refunded: u64 = self.model.refunded.values().sum();
        assert_eq!(out, cents(self.model.payouts + undone + refunded), "what was paid or taken back");
        self.world.audit();
    }
}

impl Holder {
    fn hold(&mut self, balance: SignedBalance) {
        let purse = number(balance.purse);
        let newest = self.held.get(&purse);
        if let Some(held) = newest.filter(|held| held.serial < balance.serial) {
            assert!(held.allowed <= balance.allowed, "a higher serial never allows less");
        }
        if newest.is_none_or(|held| held.serial < balance.serial) {
            self.held.insert(purse, balance);
        }
    }

    /// Spent and reversed counters of a purse, as the journal has them.
    fn counters(&self, purse: u8) -> (u64, u64) {
        let (mut spent, mut reversed) = (0, 0);
        for row in &self.terminal.journal {
            match row.peek().unwrap().body {
                RowBody::Sale(sale) if sale.purse == purse_ref(purse) => spent = spent.max(sale.spent_after.get()),
                RowBody::Return(back) if back.purse == purse_ref(purse) => spent = spent.max(back.spent_after.get()),
                RowBody::Reversal(undo) if undo.purse == purse_ref(purse) => reversed += undo.cents.get(),
                _ => {}
            }
        }
        (spent, reversed)
    }

    /// What can be spent of a purse: serial, counter, cents.
    fn available(&self, purse: u8) -> Option<(u32, u64, u64)> {
        let held = self.held.get(&purse)?;
        let (spent, reversed) = self.counters(purse);
        Some((held.serial.get(), spent, (held.allowed.get() + reversed).saturating_sub(spent)))
    }

    fn sell(&mut self, purse: u8, amount: u64) {
        if let Some((serial, spent, available)) = self.available(purse)
            && amount <= available
        {
            self.terminal.sale(purse, amount, spent + amount, serial);
        }
    }

    fn cheat(&mut self, purse: u8, amount: u64, spent_after: u64) {
        self.is_honest = false;
        let serial = self.held.get(&purse).map_or(1, |held| held.serial.get());
        self.terminal.sale(purse, amount, spent_after, serial);
    }

    fn hand_back(&mut self, purse: u8, amount: u64, beyond: bool) {
        let Some((serial, spent, available)) = self.available(purse) else { return };
        let amount = if beyond { amount + available } else { amount.min(available) };
        if amount > 0 {
            self.is_honest &= !beyond;
            self.terminal.hand_back(purse, amount, spent + amount, serial);
        }
    }

    /// Answers a recall once, with what is free above its level.
    fn answer(&mut self, recall: &Recall) {
        let is_known = self.terminal.journal.iter().any(
            |row| matches!(row.peek().unwrap().body, RowBody::Return(back) if back.request == Some(recall.request)),
        );
        let Some((serial, spent, available)) = self.available(number(recall.purse)) else { return };
        let amount = available.saturating_sub(recall.keep.get());
        if !is_known && amount > 0 {
            self.terminal.answer(recall, amount, spent + amount, serial);
        }
    }

    /// Undoes the newest sale of a purse, where that was not done before.
    fn undo(&mut self, purse: u8) -> Option<u32> {
        let bodies: Vec<_> = self.terminal.journal.iter().map(|row| row.peek().unwrap().body).collect();
        let newest =
            bodies.iter().rposition(|body| matches!(body, RowBody::Sale(sale) if sale.purse == purse_ref(purse)));
        let place = newest?;
        let seq = u32::try_from(place + 1).unwrap();
        if self.is_undone(seq) {
            return None;
        }
        if let RowBody::Sale(sale) = &bodies[place] {
            let amount = sale.fund_cents().unwrap().get();
            let (_, reversed) = self.counters(purse);
            self.terminal.reversal(purse, seq, amount, reversed + amount);
        }
        Some(seq)
    }

    fn is_undone(&self, seq: u32) -> bool {
        let undoes = |body: &RowBody| matches!(body, RowBody::Reversal(undo) if undo.sale.get() == seq);
        self.terminal.journal.iter().any(|row| undoes(&row.peek().unwrap().body))
    }

    /// True where a refund of that sale is asked for here.
    fn asks_back(&self, (terminal, epoch, seq): (TerminalId, Epoch, u32)) -> bool {
        let is_asked = |body: &RowBody| {
            matches!(body, RowBody::RefundRequest(asked) if (asked.original.terminal, asked.original.epoch,
                asked.original.seq.get()) == (terminal, epoch, seq))
        };
        self.terminal.journal.iter().any(|row| is_asked(&row.peek().unwrap().body))
    }
}

/// The months that are credited one after another; the world's own, 2026-11, was before them.
fn month(number: u32) -> String {
    format!("{}-{:02}", 2027 + number / 12, number % 12 + 1)
}

fn account(kind: u64, owner: u64) -> i64 {
    i64::try_from(kind << 56 | owner).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_in_whatever_order_every_cent_is_accounted_for_after_every_step(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut life = Life::new();
        for step in &steps {
            life.step(step);
            life.audit();
        }
    }
}
