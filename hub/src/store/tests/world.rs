//! A small fund in a file of its own, and terminals that write journals.

use std::path::PathBuf;

use cabas_protocol::chain::ChainId;
use cabas_protocol::enrol::{Code, CodeKeys};
use cabas_protocol::head::HeadContext;
use cabas_protocol::ids::BootId;
use cabas_protocol::keys::KeyCert;
use cabas_protocol::objects::Category;
use cabas_protocol::row::{
    ClockQuality, Line, Origin, RefundRequest, Return, Reversal, Row, RowTime, Sale, Start, Tier,
};
use cabas_protocol::sync::{Recall, SyncRequest, TerminalStatus};
use cabas_protocol::{
    CardRef, CategoryId, Cents, ChainHead, Epoch, FundId, Hash, Incarnation, ObjectType, PolicyId, PurseRef, RequestId,
    RowBody, Seq, Serial, Signed, SignedBalance, Signer, Stan, TerminalId, TimeEpoch, Timestamp, Version,
};

use super::card_proofs::Witness;
use crate::core::household_rules::Household;
use crate::core::ingest::{Upload, prepare};
use crate::store::{
    CloseOrder, Closing, Db, Deliverable, ImportCard, ImportHousehold, ImportPlan, ImportShop, IngestOutcome, InitFund,
    NewCode, NewsLimits, OpenMode, PolicyLimits, StoreError, VerifyReport,
};

pub(super) const FUND: FundId = FundId::new(8);
pub(super) const NOW: Timestamp = Timestamp::new(1_800_000_000);
pub(super) const CONTEXT: HeadContext =
    HeadContext { fund: FUND, incarnation: Incarnation::new(1), time_epoch: TimeEpoch::new(1) };
pub(super) const ALL_NEWS: NewsLimits = NewsLimits { objects_max: 256, bytes_max: 200_000 };

pub(super) fn cents(cents: u64) -> Cents {
    Cents::new(cents).unwrap()
}

pub(super) fn at(seconds: u64) -> Timestamp {
    NOW.after_s(seconds)
}

pub(super) fn purse_ref(number: u8) -> PurseRef {
    PurseRef::new([0xaa, 0, 0, 0, 0, 0, 0, number])
}

pub(super) fn card_ref(number: u8) -> CardRef {
    CardRef::new([0xcc, 0, 0, 0, 0, 0, 0, number])
}

pub(super) fn signer(seed: u8) -> Signer {
    Signer::from_seed(&[seed; 32]).unwrap()
}

/// A fund with two shops and three households of one person, credited 150 € each by [`World::credited`].
pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) db: Db,
    codes: u8,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&folder.path().join("hub.db"), OpenMode::Create).unwrap();
        let mut world = Self { folder, db, codes: 0 };
        world.db.write(|tx| tx.init_fund(&init(), NOW)).unwrap();
        world.import(&plan());
        world
    }

    pub(super) fn credited() -> Self {
        let mut world = Self::new();
        world.credit("2026-11");
        world
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("hub.db")
    }

    pub(super) fn import(&mut self, plan: &ImportPlan) {
        let mut next: u8 = self.number("SELECT count(*) FROM purses");
        let mut random = || {
            next += 1;
            purse_ref(next)
        };
        let report = self.db.write(|tx| tx.import(plan, &mut random, false, NOW)).unwrap();
        assert!(report.applied, "{report:?}");
    }

    pub(super) fn credit(&mut self, period: &str) {
        let period = period.parse().unwrap();
        while self.db.write(|tx| tx.credit_book(period, "Ville de Lyon", NOW)).unwrap().more {}
    }

    /// Adds a terminal to shop `A` or `B` and enrols it.
    pub(super) fn terminal(&mut self, shop: &str) -> Terminal {
        let code = self.code();
        let terminal = self.db.write(|tx| tx.terminal_add(shop, &code, NOW)).unwrap();
        self.enrol(terminal, &code)
    }

    /// Enrols a terminal that is there once more.
    pub(super) fn enrol_again(&mut self, terminal: TerminalId) -> Terminal {
        let code = self.code();
        self.db.write(|tx| tx.terminal_code(terminal, &code, NOW)).unwrap();
        self.enrol(terminal, &code)
    }

    fn enrol(&mut self, terminal: TerminalId, code: &NewCode) -> Terminal {
        let signer = signer(self.codes + 100);
        let enrolled = self.db.write(|tx| tx.enrol(&code.locator, signer.public(), NOW)).unwrap();
        assert_eq!(enrolled.terminal, terminal);
        Terminal::new(terminal, enrolled.epoch, signer)
    }

    pub(super) fn code(&mut self) -> NewCode {
        self.codes += 1;
        let locator = Code::of_random(&[self.codes; 12]).locator().to_owned();
        NewCode { locator, keys: CodeKeys::of_stretched([self.codes; 32]), expires_at: at(3600) }
    }

    /// Two people close a terminal's epoch.
    pub(super) fn close(&mut self, terminal: &Terminal, first: &str, second: &str) -> Closing {
        self.propose(terminal, first).unwrap();
        self.propose(terminal, second).unwrap()
    }

    /// One person proposes or confirms a closing, at the newest row of the hub.
    pub(super) fn propose(&mut self, terminal: &Terminal, by: &str) -> Result<Closing, StoreError> {
        let by = by.to_owned();
        let order = CloseOrder { terminal: terminal.id, epoch: Some(terminal.epoch), at: None, by };
        self.db.write(|tx| tx.terminal_close(&order, NOW))
    }

    /// Reserves what is to be reserved.
    pub(super) fn allocate(&mut self) {
        while self.db.write(|tx| tx.allocate_pending(NOW)).unwrap().more {}
    }

    pub(super) fn ingest(&mut self, upload: &Upload) -> IngestOutcome {
        self.db.write(|tx| tx.ingest(upload, &Witness, NOW)).unwrap()
    }

    /// Sends everything that a terminal wrote since it was acknowledged.
    pub(super) fn sync(&mut self, terminal: &mut Terminal) -> IngestOutcome {
        let outcome = self.ingest(&terminal.upload());
        terminal.acked = outcome.acked;
        outcome
    }

    /// Raises a purse's slice at a terminal to a level, as far as it goes.
    pub(super) fn extend(&mut self, terminal: &Terminal, purse: u8, level: u64) -> Option<SignedBalance> {
        self.try_extend(terminal, purse, level).unwrap()
    }

    pub(super) fn try_extend(
        &mut self,
        terminal: &Terminal,
        purse: u8,
        level: u64,
    ) -> Result<Option<SignedBalance>, StoreError> {
        let (id, epoch) = (terminal.id, terminal.epoch);
        self.db.write(|tx| tx.extend(id, epoch, purse_ref(purse), cents(level), NOW))
    }

    pub(super) fn news(&mut self, terminal: &Terminal, cursor: u64) -> Vec<Deliverable> {
        self.db.write(|tx| tx.news(terminal.id, terminal.epoch, cursor, ALL_NEWS, NOW)).unwrap().items
    }

    /// The sums of the payables: what was taken out and what was put in.
    pub(super) fn owed(&mut self) -> (Cents, Cents) {
        let lines = self.db.read(|tx| tx.trial_balance()).unwrap();
        let payable = lines.iter().find(|line| line.kind == crate::core::ledger::AccountKind::Payable);
        payable.map_or((Cents::ZERO, Cents::ZERO), |line| (line.debits, line.credits))
    }

    pub(super) fn verify(&mut self) -> VerifyReport {
        self.db.verify(&Witness).unwrap()
    }

    /// Everything adds up.
    pub(super) fn audit(&mut self) {
        let report = self.verify();
        assert_eq!(report.findings, [], "{} findings", report.found);
        super::figures::agree(self);
    }

    /// Runs SQL that the program itself never would, as a fault or as evil intent may.
    pub(super) fn tamper(&mut self, sql: &str) {
        let conn = rusqlite::Connection::open(self.path()).unwrap();
        conn.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;").unwrap();
        const KEPT: [&str; 36] = [
            "jumps",
            "rows",
            "moves",
            "serials",
            "claims",
            "credits",
            "refunded",
            "voted",
            "expired",
            "corrected",
            "tapped",
            "released",
            "proven",
            "recorded",
            "brought",
            "repaid",
            "taps",
            "prepared",
            "payments",
            "files",
            "paid",
            "back",
            "accounts",
            "joined",
            "agreed",
            "switched",
            "money_in",
            "banked",
            "budgets",
            "overruns",
            "runs",
            "run_lines",
            "booked",
            "returns",
            "asides",
            "refusals",
        ];
        for trigger in KEPT {
            for name in ["stay", "remain"] {
                conn.execute_batch(&format!("DROP TRIGGER IF EXISTS {trigger}_{name}")).unwrap();
            }
        }
        conn.execute_batch(sql).unwrap();
        assert!(conn.changes() > 0, "the fault was planted: {sql}");
    }

    /// The bytes of the file and of its write-ahead log, as anybody may read them.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let log = std::fs::read(self.folder.path().join("hub.db-wal")).unwrap_or_default();
        [std::fs::read(self.path()).unwrap(), log].concat()
    }

    pub(super) fn number<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.db.conn.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

pub(super) fn init() -> InitFund {
    let root = signer(1);
    let cert = root.sign(&KeyCert {
        head: CONTEXT.head(ObjectType::KeyCert),
        key: *signer(2).public(),
        issued_at: NOW,
        revoked: false,
    });
    let food = Category {
        id: CategoryId::new(0),
        share_percent: 100,
        label_fr: "Alimentation".to_owned(),
        label_en: "Food".to_owned(),
    };
    InitFund {
        fund: FUND,
        name: "Caisse de Lyon 8e".to_owned(),
        helpline: "04 00 00 00 00".to_owned(),
        root: *root.public(),
        cert,
        policy: limits(),
        categories: vec![food],
    }
}

pub(super) fn limits() -> PolicyLimits {
    PolicyLimits {
        sale_cents_max: cents(50_000),
        plain_sale_cents_max: cents(10_000),
        plain_day_cents_max: cents(20_000),
        plain_list_age_s_max: 86_400,
        part_payment: true,
    }
}

pub(super) fn plan() -> ImportPlan {
    ImportPlan {
        households: (1..=3).map(|number| household(number, 1, 0)).collect(),
        cards: (1..=3).map(|number| card(number, number)).collect(),
        shops: vec![shop("A", 500), shop("B", 500)],
        members: Vec::new(),
    }
}

pub(super) fn household(number: u8, size: u32, children_under_14: u32) -> ImportHousehold {
    let people = Household::new(size, children_under_14).unwrap();
    ImportHousehold { code: format!("H{number}"), people, contribution: Some(cents(100)) }
}

pub(super) fn card(number: u8, household: u8) -> ImportCard {
    let household = format!("H{household}");
    ImportCard { number: u32::from(number), card: card_ref(number), tier: Tier::Plain, household }
}

pub(super) fn shop(code: &str, weight_permille: u32) -> ImportShop {
    ImportShop { code: code.to_owned(), name: format!("Shop {code}"), kind: "grocery".to_owned(), weight_permille }
}

/// A terminal: its journal, and what it believes the hub has of it. `Clone` is the thief who copies its disk.
#[derive(Clone)]
pub(super) struct Terminal {
    pub(super) id: TerminalId,
    pub(super) epoch: Epoch,
    seed: u8,
    pub(super) head: ChainHead,
    pub(super) acked: ChainHead,
    pub(super) journal: Vec<Signed<Row>>,
    /// What the rows say the clock was.
    pub(super) clock: (Timestamp, ClockQuality),
    pub(super) incarnation: Incarnation,
}

impl Terminal {
    fn new(id: TerminalId, epoch: Epoch, signer: Signer) -> Self {
        let genesis = ChainId { fund: FUND, terminal: id, epoch }.genesis(signer.public());
        let seed = (0..=255).find(|seed| super::world::signer(*seed).public() == signer.public()).unwrap();
        let clock = (NOW, ClockQuality::Synced);
        let incarnation = Incarnation::new(1);
        Self { id, epoch, seed, head: genesis, acked: genesis, journal: Vec::new(), clock, incarnation }
    }

    pub(super) fn signer(&self) -> Signer {
        signer(self.seed)
    }

    pub(super) fn chain(&self) -> ChainId {
        ChainId { fund: FUND, terminal: self.id, epoch: self.epoch }
    }

    /// A row as it would stand next, signed.
    pub(super) fn next_row(&self, body: RowBody) -> Signed<Row> {
        let row = Row {
            head: HeadContext { incarnation: self.incarnation, ..CONTEXT }.head(ObjectType::Row),
            terminal: self.id,
            epoch: self.epoch,
            seq: self.head.seq.next().unwrap(),
            prev: self.head.hash,
            time: RowTime { boot: BootId::new([1; 8]), monotonic_ms: 1, wall: self.clock.0, quality: self.clock.1 },
            body,
        };
        self.signer().sign(&row)
    }

    pub(super) fn write(&mut self, body: RowBody) {
        let row = self.next_row(body);
        self.head = ChainHead { seq: self.head.seq.next().unwrap(), hash: row.hash() };
        self.journal.push(row);
    }

    pub(super) fn start(&mut self) {
        self.write(RowBody::Start(Start { program: "test".to_owned() }));
    }

    /// A sale of a plain card: `amount` cents that end at `spent_after`, under a serial.
    pub(super) fn sale(&mut self, purse: u8, amount: u64, spent_after: u64, serial: u32) {
        self.write(RowBody::Sale(sale(purse, amount, spent_after, serial)));
    }

    pub(super) fn hand_back(&mut self, purse: u8, amount: u64, spent_after: u64, serial: u32) {
        self.write(RowBody::Return(Return {
            purse: purse_ref(purse),
            cents: cents(amount),
            spent_after: cents(spent_after),
            serial: Serial::new(serial),
            request: None,
        }));
    }

    /// Answers a recall.
    pub(super) fn answer(&mut self, recall: &Recall, amount: u64, spent_after: u64, serial: u32) {
        self.write(RowBody::Return(Return {
            purse: recall.purse,
            cents: cents(amount),
            spent_after: cents(spent_after),
            serial: Serial::new(serial),
            request: Some(recall.request),
        }));
    }

    /// Undoes the sale of a row; the reversed counter stands at `reversed_after` then.
    pub(super) fn reversal(&mut self, purse: u8, sale: u32, amount: u64, reversed_after: u64) {
        self.write(RowBody::Reversal(Reversal {
            stan: Stan::FIRST,
            sale: Seq::new(sale),
            purse: purse_ref(purse),
            cents: cents(amount),
            reversed_after: cents(reversed_after),
        }));
    }

    /// Asks for a refund of the sale that another terminal, or this one, wrote at a row.
    pub(super) fn refund(&mut self, purse: u8, of: (TerminalId, Epoch, u32), amount: u64, request: u8) {
        let (terminal, epoch, seq) = of;
        self.write(RowBody::RefundRequest(RefundRequest {
            stan: Stan::FIRST,
            original: Origin { terminal, epoch, seq: Seq::new(seq) },
            purse: purse_ref(purse),
            lines: vec![line(amount)],
            request: RequestId::new([request; 8]),
        }));
    }

    /// The place of a row of this journal.
    pub(super) fn place(&self, seq: u32) -> (TerminalId, Epoch, u32) {
        (self.id, self.epoch, seq)
    }

    /// What the hub has not acknowledged.
    pub(super) fn upload(&self) -> Upload {
        let from = usize::try_from(self.acked.seq.get()).unwrap().min(self.journal.len());
        self.upload_of(self.acked, &self.journal[from..])
    }

    pub(super) fn upload_of(&self, base: ChainHead, rows: &[Signed<Row>]) -> Upload {
        let request = self.request(base, rows);
        prepare(self.chain(), self.signer().public(), self.incarnation, request).unwrap()
    }

    pub(super) fn request(&self, base: ChainHead, rows: &[Signed<Row>]) -> SyncRequest {
        SyncRequest {
            head: CONTEXT.head(ObjectType::SyncRequest),
            terminal: self.id,
            epoch: self.epoch,
            nonce: RequestId::new([0; 8]),
            base,
            rows: rows.iter().map(|row| row.as_bytes().to_vec().into()).collect(),
            cursor: 0,
            wait_ms: 0,
            status: self.status(),
            held: Vec::new(),
            held_end: false,
            held_list: None,
        }
    }

    pub(super) fn status(&self) -> TerminalStatus {
        TerminalStatus {
            program: "test".to_owned(),
            wall: self.clock.0,
            clock: self.clock.1,
            hot_list: Version::new(1),
            newest: self.head.seq,
            refused_unfunded: 0,
        }
    }

    /// The chain's head after so many rows.
    pub(super) fn head_at(&self, rows: usize) -> ChainHead {
        match rows.checked_sub(1) {
            Some(last) => ChainHead { seq: Seq::new(u32::try_from(rows).unwrap()), hash: self.journal[last].hash() },
            None => self.chain().genesis(self.signer().public()),
        }
    }
}

fn line(amount: u64) -> Line {
    Line { category: CategoryId::new(0), requested: cents(amount), fund: cents(amount), member: Cents::ZERO }
}

pub(super) fn sale(purse: u8, amount: u64, spent_after: u64, serial: u32) -> Sale {
    Sale {
        stan: Stan::FIRST,
        card: card_ref(purse),
        tier: Tier::Plain,
        purse: purse_ref(purse),
        spent_after: cents(spent_after),
        serial: Serial::new(serial),
        lines: vec![line(amount)],
        hot_list: Version::new(1),
        grid: Version::new(1),
        policy: PolicyId::new(1),
        request: None,
        asked: None,
        intent: None,
        card_counter: None,
        card_mac: None,
    }
}

pub(super) const NO_HASH: Hash = Hash::new([0; 32]);
