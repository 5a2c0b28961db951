//! How fast the hub takes rows, against what the disk can do; and what a sync with nothing new costs.
//!
//! ```text
//! cargo run --profile release-hub -p cabas-hub --example bench_ingest -- ingest --rows 1000000
//! cargo run --profile release-hub -p cabas-hub --example bench_ingest -- idle
//! cargo run --profile release-hub -p cabas-hub --example bench_ingest -- settle
//! ```
//!
//! `ingest`: terminals send uploads of 64 signed sales, each in a slice of its own household. Measured are `prepare` (the
//! chain and the newest signature) and the ledger's group commit, without HTTP. Rows are made and signed between the
//! measured stretches, so the sender's work does not count. The disk's own rate is measured in the same run, before and
//! after; `others` is the share of all CPU time that other programs took meanwhile.
//!
//! `settle`: how long each step of a settlement of so many shops takes, and for how long it holds the one writer.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the time")]
#![expect(clippy::float_arithmetic, reason = "rates and shares are for people")]
#![expect(clippy::as_conversions, reason = "rates and shares are for people")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails stops")]
#![expect(clippy::arithmetic_side_effects, reason = "a benchmark counts what it made itself")]
#![expect(clippy::integer_division, reason = "a benchmark divides what it made itself")]
#![expect(clippy::indexing_slicing, reason = "a benchmark indexes what it made itself")]

use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use cabas_hub::core::card_proof::NoWitness;
use cabas_hub::core::household_rules::Household;
use cabas_hub::core::ingest::prepare;
use cabas_hub::store::{
    Contact, Db, ImportCard, ImportHousehold, ImportPlan, ImportShop, InitFund, Lane, NewCode, NewsLimits, OpenMode,
    PolicyLimits, Store, StoreError,
};
use cabas_protocol::chain::ChainId;
use cabas_protocol::enrol::CodeKeys;
use cabas_protocol::head::HeadContext;
use cabas_protocol::ids::BootId;
use cabas_protocol::keys::KeyCert;
use cabas_protocol::objects::Category;
use cabas_protocol::row::{ClockQuality, Line, Row, RowTime, Sale, Tier};
use cabas_protocol::sync::{ROWS_MAX, SyncRequest, TerminalStatus};
use cabas_protocol::{
    CardRef, CategoryId, Cents, ChainHead, Epoch, FundId, Incarnation, ObjectType, PolicyId, PublicKey, PurseRef,
    RequestId, RowBody, Serial, Signed, Signer, Stan, TerminalId, TimeEpoch, Timestamp, Version,
};
use clap::{Parser, Subcommand};

const FUND: FundId = FundId::new(1);
const CONTEXT: HeadContext =
    HeadContext { fund: FUND, incarnation: Incarnation::new(1), time_epoch: TimeEpoch::new(1) };
const NOW: Timestamp = Timestamp::new(1_800_000_000);
/// The file in which the disk's own rate is measured.
const DISK_BYTES: usize = 16 * 1024 * 1024;
/// Rows that are made before they are sent: bounds memory.
const STRETCH_ROWS: usize = 250_000;

#[derive(Parser)]
struct Arguments {
    /// Where the database goes; it is removed afterwards.
    #[arg(long, default_value = "/var/tmp")]
    folder: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Uploads of 64 sales.
    Ingest {
        /// Rows in all; the last stretch of them is reported by itself.
        #[arg(long, default_value_t = 1_000_000)]
        rows: usize,
        /// Terminals that send at the same time.
        #[arg(long, default_value_t = 64)]
        terminals: usize,
        /// Households that buy at each terminal.
        #[arg(long, default_value_t = 100)]
        purses: usize,
    },
    /// A settlement of many shops.
    Settle {
        /// Shops, each with one terminal.
        #[arg(long, default_value_t = 19)]
        shops: usize,
        /// Sales of each.
        #[arg(long, default_value_t = 30_000)]
        sales: usize,
    },
    /// Syncs with nothing new.
    Idle {
        /// Cards.
        #[arg(long, default_value_t = 1_000_000)]
        cards: u32,
        /// Terminals.
        #[arg(long, default_value_t = 10_000)]
        terminals: usize,
    },
}

fn main() {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir_in(&arguments.folder).unwrap();
    match arguments.what {
        What::Ingest { rows, terminals, purses } => {
            let fund = Sold { rows, terminals, purses, shops: 1 };
            let payable = sold(folder.path(), fund).read(|tx| tx.settlement_preview(&tx.settlement_cut()?));
            say(&format!("the shop is owed {} cents", payable.unwrap().unwrap().payout.get()));
        }
        What::Settle { shops, sales } => settle(folder.path(), shops, sales),
        What::Idle { cards, terminals } => idle(folder.path(), cards, terminals),
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
}

/// What was used up to a moment.
#[derive(Clone, Copy)]
struct Meter {
    at: Instant,
    written: u64,
    own_ticks: u64,
    busy_ticks: u64,
    all_ticks: u64,
}

impl Meter {
    fn read() -> Self {
        let number = |text: &str| text.trim().parse::<u64>().unwrap_or(0);
        let io = std::fs::read_to_string("/proc/self/io").unwrap();
        let written = io.lines().find_map(|line| line.strip_prefix("write_bytes:")).map_or(0, number);
        let own = std::fs::read_to_string("/proc/self/stat").unwrap();
        let own: Vec<&str> = own.rsplit(')').next().unwrap().split_whitespace().collect();
        let stat = std::fs::read_to_string("/proc/stat").unwrap();
        let ticks: Vec<u64> = stat.lines().next().unwrap().split_whitespace().skip(1).take(8).map(number).collect();
        let all_ticks = ticks.iter().sum();
        Self {
            at: Instant::now(),
            written,
            own_ticks: number(own[11]) + number(own[12]),
            busy_ticks: all_ticks - ticks[3] - ticks[4],
            all_ticks,
        }
    }

    /// Rows a second, bytes written a row, and the share of the CPU that others took.
    fn report(self, name: &str, rows: usize, disk: f64) -> f64 {
        let now = Self::read();
        let seconds = now.at.duration_since(self.at).as_secs_f64();
        let rate = rows as f64 / seconds;
        let others = (now.busy_ticks - self.busy_ticks).saturating_sub(now.own_ticks - self.own_ticks);
        say(&format!(
            "{name}: {rate:.0} tx/s = {:.1} x fdatasync; {:.0} B written a tx; own CPU {:.2} s in {seconds:.2} s, others {:.0} %",
            rate / disk,
            (now.written - self.written) as f64 / rows as f64,
            (now.own_ticks - self.own_ticks) as f64 / 100.0,
            100.0 * others as f64 / (now.all_ticks - self.all_ticks).max(1) as f64,
        ));
        rate
    }
}

/// Writes of 4 KiB in place that are made durable one by one, a second long: the most that the disk can do.
fn disk_rate(folder: &Path) -> f64 {
    let path = folder.join("disk");
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(&vec![1; DISK_BYTES]).unwrap();
    file.sync_all().unwrap();
    let start = Instant::now();
    let mut count = 0_u32;
    while start.elapsed().as_secs_f64() < 1.0 {
        let place = usize::try_from(count).unwrap() * 4096 % DISK_BYTES;
        file.seek(std::io::SeekFrom::Start(u64::try_from(place).unwrap())).unwrap();
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    std::fs::remove_file(path).unwrap();
    say(&format!("fdatasync: {rate:.0} a second"));
    rate
}

fn seed(number: usize) -> [u8; 32] {
    let mut seed = [9; 32];
    seed[..8].copy_from_slice(&u64::try_from(number).unwrap().to_be_bytes());
    seed
}

fn reference(kind: u8, number: usize) -> [u8; 8] {
    let mut bytes = u64::try_from(number).unwrap().wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    bytes[0] ^= kind;
    bytes
}

fn purse(number: usize) -> PurseRef {
    PurseRef::new(reference(0, number))
}

fn card(number: usize) -> CardRef {
    CardRef::new(reference(1, number))
}

fn shop(number: usize) -> String {
    format!("S{number}")
}

/// A fund with so many households of one card each, and so many shops.
fn fund(folder: &Path, households: usize, shops: usize) -> Db {
    let mut db = Db::open(&folder.join("hub.db"), OpenMode::Create).unwrap();
    let root = Signer::from_seed(&[1; 32]).unwrap();
    let key = *Signer::from_seed(&[2; 32]).unwrap().public();
    let cert = root.sign(&KeyCert { head: CONTEXT.head(ObjectType::KeyCert), key, issued_at: NOW, revoked: false });
    let init = InitFund {
        fund: FUND,
        name: "Bench".to_owned(),
        helpline: "0".to_owned(),
        root: *root.public(),
        cert,
        policy: PolicyLimits {
            sale_cents_max: Cents::new(50_000).unwrap(),
            plain_sale_cents_max: Cents::new(50_000).unwrap(),
            plain_day_cents_max: Cents::new(50_000).unwrap(),
            plain_list_age_s_max: 86_400,
            part_payment: true,
        },
        categories: vec![Category {
            id: CategoryId::new(0),
            share_percent: 100,
            label_fr: "Alimentation".to_owned(),
            label_en: "Food".to_owned(),
        }],
    };
    db.write(|tx| tx.init_fund(&init, NOW)).unwrap();
    let people = Household::new(1, 0).unwrap();
    let plan = ImportPlan {
        households: (0..households)
            .map(|number| ImportHousehold { code: format!("H{number}"), people, contribution: None })
            .collect(),
        cards: (0..households)
            .map(|number| ImportCard {
                number: u32::try_from(number).unwrap(),
                card: card(number),
                tier: Tier::Plain,
                household: format!("H{number}"),
            })
            .collect(),
        shops: (0..shops)
            .map(|number| ImportShop {
                code: shop(number),
                name: shop(number),
                kind: "grocery".to_owned(),
                weight_permille: 1000,
            })
            .collect(),
        members: Vec::new(),
    };
    let mut next = 0;
    let mut random = || {
        next += 1;
        purse(next - 1)
    };
    assert!(db.write(|tx| tx.import(&plan, &mut random, false, NOW)).unwrap().applied);
    db
}

fn enrol(db: &mut Db, number: usize, shops: usize) -> (TerminalId, Epoch, Signer) {
    let signer = Signer::from_seed(&seed(number)).unwrap();
    let code =
        NewCode { locator: format!("T{number}"), keys: CodeKeys::of_stretched([0; 32]), expires_at: NOW.after_s(1) };
    let enrolled = db
        .write(|tx| {
            tx.terminal_add(&shop(number % shops), &code, NOW)?;
            tx.enrol(&code.locator, signer.public(), NOW)
        })
        .unwrap();
    (enrolled.terminal, enrolled.epoch, signer)
}

/// A terminal that sells to its own households in turn.
struct Till {
    id: ChainId,
    signer: Signer,
    head: ChainHead,
    first_purse: usize,
    spent: Vec<u64>,
    serials: Vec<Serial>,
    sold: usize,
}

impl Till {
    fn sell(&mut self) -> Signed<Row> {
        let turn = self.sold % self.spent.len();
        let amount = 20 + u64::try_from(self.sold % 60).unwrap();
        self.sold += 1;
        self.spent[turn] += amount;
        let amount = Cents::new(amount).unwrap();
        let sale = Sale {
            stan: Stan::FIRST,
            card: card(self.first_purse + turn),
            tier: Tier::Plain,
            purse: purse(self.first_purse + turn),
            spent_after: Cents::new(self.spent[turn]).unwrap(),
            serial: self.serials[turn],
            lines: vec![Line { category: CategoryId::new(0), requested: amount, fund: amount, member: Cents::ZERO }],
            hot_list: Version::new(1),
            grid: Version::new(1),
            policy: PolicyId::new(1),
            request: Some(RequestId::new(reference(2, self.sold))),
            asked: None,
            intent: None,
            card_counter: None,
            card_mac: None,
        };
        let row = Row {
            head: CONTEXT.head(ObjectType::Row),
            terminal: self.id.terminal,
            epoch: self.id.epoch,
            seq: self.head.seq.next().unwrap(),
            prev: self.head.hash,
            time: RowTime {
                boot: BootId::new([3; 8]),
                monotonic_ms: 123_456_789,
                wall: NOW.after_s(u64::try_from(self.sold).unwrap()),
                quality: ClockQuality::Synced,
            },
            body: RowBody::Sale(sale),
        };
        let signed = self.signer.sign(&row);
        self.head = ChainHead { seq: row.seq, hash: signed.hash() };
        signed
    }

    fn upload(&mut self) -> SyncRequest {
        let base = self.head;
        let rows = (0..ROWS_MAX).map(|_| self.sell().into_bytes().into()).collect();
        SyncRequest {
            head: CONTEXT.head(ObjectType::SyncRequest),
            terminal: self.id.terminal,
            epoch: self.id.epoch,
            nonce: RequestId::new([0; 8]),
            base,
            rows,
            cursor: 0,
            wait_ms: 0,
            status: status(),
            held: Vec::new(),
            held_end: false,
            held_list: None,
        }
    }
}

fn status() -> TerminalStatus {
    let (clock, hot_list) = (ClockQuality::Synced, Version::new(1));
    let newest = cabas_protocol::Seq::NONE;
    TerminalStatus { program: "bench".to_owned(), wall: NOW, clock, hot_list, newest, refused_unfunded: 0 }
}

/// What is sold, and where.
#[derive(Clone, Copy)]
struct Sold {
    rows: usize,
    terminals: usize,
    purses: usize,
    shops: usize,
}

/// A fund in which so much was sold.
fn sold(folder: &Path, Sold { rows, terminals, purses, shops }: Sold) -> Db {
    let mut db = fund(folder, terminals * purses, shops);
    let mut tills: Vec<_> = (0..terminals).map(|number| till(&mut db, number, purses, shops)).collect();
    // A purse's money at one terminal is at least the four tenths that stay free: three times what is sold is enough.
    let months = 2 + 3 * rows * 60 / (terminals * purses) / 15_000;
    for month in 0..months {
        let (year, month) = (2026 + month / 12, 1 + month % 12);
        let period = format!("{year}-{month:02}").parse().unwrap();
        while db.write(|tx| tx.credit_book(period, "Bench", NOW)).unwrap().more {}
    }
    for till in &mut tills {
        let (id, first, all) = (till.id, till.first_purse, Cents::new(Cents::MAX).unwrap());
        till.serials = db
            .write(|tx| {
                let extend = |turn| {
                    let balance = tx.extend(id.terminal, id.epoch, purse(first + turn), all, NOW)?;
                    Ok(balance.unwrap().serial)
                };
                (0..purses).map(extend).collect::<Result<Vec<_>, StoreError>>()
            })
            .unwrap();
    }
    let disk_before = disk_rate(folder);
    let store = Store::start(db).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let mut done = 0;
    while done < rows {
        let each = (STRETCH_ROWS.min(rows - done) / terminals / ROWS_MAX).max(1);
        let uploads = make(&mut tills, each);
        let count = terminals * each * ROWS_MAX;
        done += count;
        let meter = Meter::read();
        runtime.block_on(send(&store, uploads));
        meter.report(&format!("up to row {done}"), count, disk_before);
    }
    drop(store);
    disk_rate(folder);
    let mut db = Db::open(&folder.join("hub.db"), OpenMode::Existing).unwrap();
    let settled: u64 = db.read(|tx| tx.trial_balance()).unwrap().iter().map(|line| line.credits.get()).sum();
    let sold: u64 = tills.iter().flat_map(|till| &till.spent).sum();
    let bytes = std::fs::metadata(folder.join("hub.db")).unwrap().len();
    say(&format!(
        "sold {sold} cents, all accounts {settled}; {} B in the file a row",
        bytes / u64::try_from(done).unwrap()
    ));
    let payable = db.read(|tx| tx.settlement_preview(&tx.settlement_cut()?)).unwrap().unwrap().payout;
    assert_eq!(payable.get(), sold, "the shops are owed exactly what was sold");
    db
}

/// How long it takes, cold and then again.
fn timed<R>(name: &str, work: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let given = work();
    say(&format!("{name}: {:.0} ms", start.elapsed().as_secs_f64() * 1e3));
    given
}

/// The steps of a settlement, as the pages ask for them.
fn settle(folder: &Path, shops: usize, sales: usize) {
    let mut db = sold(folder, Sold { rows: shops * sales, terminals: shops, purses: 100, shops });
    let read = |db: &mut Db| {
        let read = db.read(|tx| tx.settlement_work_out(&tx.settlement_cut()?, &mut |_, _| {}));
        read.unwrap()
    };
    let worked = timed("read the rows, beside the writer", || read(&mut db));
    let prepare = |tx: &mut cabas_hub::store::Tx<'_>| tx.settlement_prepare_worked(&worked, "Ada", NOW);
    let prepared = timed("prepare, holding the writer", || db.write(prepare).unwrap().unwrap());
    timed("show what is prepared, beside the writer", || db.read(|tx| tx.settlement_prepared()).unwrap());
    let number = prepared.settlement.number;
    let meant = (number, Some(prepared.id));
    let approve = |tx: &mut cabas_hub::store::Tx<'_>| tx.settlement_approve_worked(meant, &worked, "Bo", NOW);
    timed("approve, holding the writer", || db.write(approve).unwrap());
    timed("a shop's statement", || db.read(|tx| tx.settlement_statement(number, &shop(0))).unwrap());
}

fn till(db: &mut Db, number: usize, purses: usize, shops: usize) -> Till {
    let (terminal, epoch, signer) = enrol(db, number, shops);
    let id = ChainId { fund: FUND, terminal, epoch };
    let head = id.genesis(signer.public());
    Till { id, signer, head, first_purse: number * purses, spent: vec![0; purses], serials: Vec::new(), sold: 0 }
}

/// A terminal's requests of one stretch, and the key that signs its rows.
type Uploads = (ChainId, PublicKey, Vec<SyncRequest>);

/// The requests of one stretch, terminal by terminal, made on all cores.
fn make(tills: &mut [Till], each: usize) -> Vec<Uploads> {
    let half = tills.len().div_ceil(2).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = tills
            .chunks_mut(half)
            .map(|tills| {
                scope.spawn(move || {
                    let of_one = |till: &mut Till| {
                        let requests = (0..each).map(|_| till.upload()).collect();
                        (till.id, *till.signer.public(), requests)
                    };
                    tills.iter_mut().map(of_one).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// Each terminal sends its uploads one after the other, as its connection would.
async fn send(store: &Store, uploads: Vec<Uploads>) {
    let mut calls = Vec::new();
    for (id, key, requests) in uploads {
        let store = store.clone();
        calls.push(tokio::spawn(async move {
            for request in requests {
                let upload = prepare(id, &key, Incarnation::new(1), request).unwrap();
                let outcome = store.call(Lane::Sync, move |tx| tx.ingest(&upload, &NoWitness, NOW)).await.unwrap();
                assert!(outcome.over_right.is_zero() && outcome.alarms.is_empty(), "{outcome:?}");
            }
        }));
    }
    for call in calls {
        call.await.unwrap();
    }
}

fn idle(folder: &Path, cards: u32, terminals: usize) {
    let mut db = fund(folder, usize::try_from(cards).unwrap(), 1);
    let enrolled: Vec<_> = (0..terminals).map(|number| enrol(&mut db, number, 1)).collect();
    let cursor = db.read(|tx| tx.fund()).unwrap().change;
    let limits = NewsLimits { objects_max: 256, bytes_max: 200_000 };
    let store = Store::start(db).unwrap();
    for (name, seconds) in [("first contact", 0), ("again", 1), ("and again", 2)] {
        let mut taken: Vec<f64> = Vec::with_capacity(terminals);
        for (terminal, epoch, _) in &enrolled {
            let (terminal, epoch, now) = (*terminal, *epoch, NOW.after_s(seconds));
            let start = Instant::now();
            let work = move |tx: &mut cabas_hub::store::Tx<'_>| -> Result<_, StoreError> {
                tx.terminal_key(terminal, epoch)?;
                let news = tx.news(terminal, epoch, cursor, limits, now)?;
                tx.contact(&Contact { terminal, epoch, status: status(), cursor: news.cursor }, now)?;
                Ok(news)
            };
            let news = store.call_blocking(Lane::Sync, work).unwrap();
            assert!(news.items.is_empty());
            taken.push(start.elapsed().as_secs_f64() * 1e6);
        }
        taken.sort_by(f64::total_cmp);
        let (median, p99) = (taken[taken.len() / 2], taken[taken.len() * 99 / 100]);
        say(&format!(
            "{name}: a sync with nothing new takes {median:.0} µs, p99 {p99:.0} µs ({cards} cards, {terminals} terminals)"
        ));
    }
}
