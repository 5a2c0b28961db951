//! How many rows a second the hub takes over HTTP: verified, durable, double entry, uploads of 64.
//!
//! `cargo run --profile release-hub -p cabas-hub --example ingest_http [TERMINALS] [UPLOADS_EACH]`
//!
//! Everything that the terminals send is made and signed before the clock starts. The figure is given beside the
//! fdatasync rate of the same disk in the same run, for only their ratio can be compared between machines. Client and
//! server share the processors.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::integer_division,
    clippy::indexing_slicing,
    reason = "a benchmark: what fails ends it"
)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Barrier;
use std::time::Duration;

use cabas_hub::app::App;
use cabas_hub::clock::{Clock, Stopwatch};
use cabas_hub::config::Config;
use cabas_hub::core::household_rules::Household;
use cabas_hub::core::slices::SLICES_PER_PURSE_MAX;
use cabas_hub::keys;
use cabas_hub::server::{Listening, run};
use cabas_hub::store::{
    Db, Deliverable, ImportCard, ImportHousehold, ImportPlan, ImportShop, InitFund, NewCode, NewsLimits, OpenMode,
    PolicyLimits,
};
use cabas_protocol::chain::{ChainHead, ChainId};
use cabas_protocol::enrol::CodeKeys;
use cabas_protocol::head::{HeadContext, ObjectType};
use cabas_protocol::ids::BootId;
use cabas_protocol::keys::KeyCert;
use cabas_protocol::objects::Category;
use cabas_protocol::row::{ClockQuality, Line, Row, RowBody, RowTime, Sale, Tier};
use cabas_protocol::sync::{ROWS_MAX, SyncRequest, TerminalStatus};
use cabas_protocol::{
    CardRef, CategoryId, Cents, FundId, Hash, Incarnation, PolicyId, PurseRef, RequestId, Seq, Signed, SignedBalance,
    Signer, Stan, TerminalId, TimeEpoch, Timestamp, Version,
};

const FUND: HeadContext =
    HeadContext { fund: FundId::new(1), incarnation: Incarnation::new(1), time_epoch: TimeEpoch::new(0) };
const HOUSEHOLDS: u32 = 200;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>().unwrap());
    // A purse has slices at no more terminals than that; the others would only be over their right.
    let most = u32::try_from(SLICES_PER_PURSE_MAX).unwrap();
    let terminals = arguments.next().unwrap_or(most).clamp(1, most);
    let uploads = arguments.next().unwrap_or(100);
    let dir = tempfile::tempdir().unwrap();
    let config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
    let senders = prepare(&config, terminals, uploads);
    let app = App::open(&config, Clock::System).unwrap();
    let listening = Listening::open(([127, 0, 0, 1], 0).into(), None).unwrap();
    let address = listening.address();
    std::thread::spawn(move || {
        let threads = std::thread::available_parallelism().unwrap().get();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(threads).max_blocking_threads(threads + 1).enable_all().build().unwrap();
        runtime.block_on(run::serve(app, listening, std::future::pending())).unwrap();
    });

    let syncs = fdatasync_rate(dir.path());
    let start = Barrier::new(senders.len() + 1);
    let seconds = std::thread::scope(|scope| {
        let all: Vec<_> = senders.iter().map(|bodies| scope.spawn(|| send(address, bodies, &start))).collect();
        start.wait();
        let clock = Stopwatch::start();
        all.into_iter().for_each(|one| one.join().unwrap());
        clock.elapsed()
    });
    let rows = u128::from(terminals) * u128::from(uploads) * u128::try_from(ROWS_MAX).unwrap();
    let rate = rows * 1_000_000 / seconds.as_micros().max(1);
    let tenths = rate * 10 / u128::from(syncs.max(1));
    let mut out = std::io::stdout();
    writeln!(out, "{rows} rows from {terminals} terminals in {} ms: {rate} rows/s", seconds.as_millis()).unwrap();
    writeln!(out, "fdatasync: {syncs}/s; ratio {}.{}", tenths / 10, tenths % 10).unwrap();
    let figures = Db::open(&config.database(), OpenMode::ReadOnly).unwrap().read(|tx| tx.figures()).unwrap();
    writeln!(out, "over-right {}, disputed {}", figures.over_right_cents, figures.disputed_rows).unwrap();
}

/// Writes of one page, each made durable, in a second.
fn fdatasync_rate(dir: &Path) -> u64 {
    let file = std::fs::File::create(dir.join("fdatasync")).unwrap();
    file.write_all_at(&[0; 4 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let clock = Stopwatch::start();
    let mut count = 0;
    while clock.elapsed() < Duration::from_secs(1) {
        file.write_all_at(&[1; 4096], (count % 1024) * 4096).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    count
}

/// Posts each body over one connection, as fast as they are answered.
fn send(address: SocketAddr, bodies: &[Vec<u8>], start: &Barrier) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    start.wait();
    let mut answer = vec![0; 512 * 1024];
    for body in bodies {
        let head = format!(
            "POST /v1/sync HTTP/1.1\r\nHost: hub\r\nContent-Type: application/cose\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut length = 0;
        loop {
            length += stream.read(&mut answer[length..]).unwrap();
            let text = String::from_utf8_lossy(&answer[..length.min(512)]);
            let Some(end) = text.find("\r\n\r\n") else { continue };
            assert!(text.starts_with("HTTP/1.1 200"), "{text}");
            let expected = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if length >= end + 4 + expected.parse::<usize>().unwrap() {
                break;
            }
        }
    }
}

fn prepare(config: &Config, terminals: u32, uploads: u32) -> Vec<Vec<Vec<u8>>> {
    let now = Clock::System.now();
    let (root, signing) = keys::create(&config.keys_dir()).unwrap();
    let mut db = Db::open(&config.database(), OpenMode::Create).unwrap();
    let cents = |cents| Cents::new(cents).unwrap();
    let head = FUND.head(ObjectType::KeyCert);
    let cert = root.sign(&KeyCert { head, key: *signing.public(), issued_at: now, revoked: false });
    let policy = PolicyLimits {
        sale_cents_max: cents(30_000),
        plain_sale_cents_max: cents(30_000),
        plain_day_cents_max: cents(30_000),
        plain_list_age_s_max: 86_400,
        part_payment: false,
    };
    let (name, text) = ("Bench".to_owned(), "Food".to_owned());
    let categories =
        vec![Category { id: CategoryId::new(0), share_percent: 100, label_fr: text.clone(), label_en: text }];
    let fund = InitFund {
        fund: FUND.fund,
        name: name.clone(),
        helpline: name,
        root: *root.public(),
        cert,
        policy,
        categories,
    };
    db.write(|tx| tx.init_fund(&fund, now)).unwrap();
    db.write(|tx| tx.import(&plan(), &mut || PurseRef::new(*keys::random().unwrap()), false, now)).unwrap();
    let signers: Vec<_> = (1..=terminals).map(|number| enrol(&mut db, number, now)).collect();
    let period = "2026-11".parse().unwrap();
    while db.write(|tx| tx.allocate_pending(now)).unwrap().more {}
    while db.write(|tx| tx.credit_book(period, "bench", now)).unwrap().more {}
    signers.into_iter().map(|(terminal, signer)| bodies(&mut db, terminal, &signer, uploads, now)).collect()
}

fn plan() -> ImportPlan {
    let code = |number: u32| format!("H{number}");
    let people = Household::new(30, 0).unwrap();
    ImportPlan {
        households: (1..=HOUSEHOLDS)
            .map(|number| ImportHousehold { code: code(number), people, contribution: None })
            .collect(),
        cards: (1..=HOUSEHOLDS)
            .map(|number| ImportCard {
                number,
                card: CardRef::new(u64::from(number).to_be_bytes()),
                tier: Tier::Plain,
                household: code(number),
            })
            .collect(),
        shops: vec![ImportShop { code: "S".into(), name: "S".into(), kind: "k".into(), weight_permille: 1000 }],
    }
}

fn enrol(db: &mut Db, number: u32, now: Timestamp) -> (TerminalId, Signer) {
    let locator = format!("{number:04}");
    let code =
        NewCode { locator: locator.clone(), keys: CodeKeys::of_stretched([0; 32]), expires_at: now.after_s(3600) };
    let terminal = db.write(|tx| tx.terminal_add("S", &code, now)).unwrap();
    let signer = Signer::from_seed(&keys::random().unwrap()).unwrap();
    db.write(|tx| tx.enrol(&locator, signer.public(), now)).unwrap();
    (terminal, signer)
}

/// The uploads of one terminal: sales of one cent, each under a balance that covers it.
fn bodies(db: &mut Db, terminal: TerminalId, signer: &Signer, uploads: u32, now: Timestamp) -> Vec<Vec<u8>> {
    let epoch = cabas_protocol::Epoch::new(1);
    let (balances, cursor) = balances(db, terminal, now);
    let mut head = ChainId { fund: FUND.fund, terminal, epoch }.genesis(signer.public());
    let mut number = 0_usize;
    let mut next = || {
        let balance = &balances[number % balances.len()];
        let spent_after = Cents::new(u64::try_from(number / balances.len() + 1).unwrap()).unwrap();
        number += 1;
        sale(balance, spent_after)
    };
    let mut bodies = Vec::new();
    for upload in 0..uploads {
        let base = head;
        let rows: Vec<Signed<Row>> = (0..ROWS_MAX)
            .map(|_| {
                let row = signer.sign(&row(terminal, head, next()));
                head = ChainHead { seq: head.seq.next().unwrap(), hash: row.hash() };
                row
            })
            .collect();
        let request = SyncRequest {
            head: FUND.head(ObjectType::SyncRequest),
            terminal,
            epoch,
            nonce: RequestId::new(u64::from(upload).to_be_bytes()),
            base,
            rows: rows.into_iter().map(|row| row.into_bytes().into()).collect(),
            cursor,
            wait_ms: 0,
            status: status(head.seq),
            held: Vec::new(),
            held_end: false,
        };
        bodies.push(signer.sign(&request).into_bytes());
    }
    bodies
}

fn status(newest: Seq) -> TerminalStatus {
    let (program, wall) = ("bench".to_owned(), Timestamp::new(0));
    TerminalStatus {
        program,
        wall,
        clock: ClockQuality::Synced,
        hot_list: Version::new(1),
        newest,
        refused_unfunded: 0,
    }
}

fn balances(db: &mut Db, terminal: TerminalId, now: Timestamp) -> (Vec<SignedBalance>, u64) {
    let limits = NewsLimits { objects_max: 256, bytes_max: 200_000 };
    let (mut balances, mut cursor) = (Vec::new(), 0);
    loop {
        let news = db.write(|tx| tx.news(terminal, cabas_protocol::Epoch::new(1), cursor, limits, now)).unwrap();
        cursor = news.cursor;
        for item in news.items {
            if let Deliverable::Balance(balance) = item {
                balances.push(balance);
            }
        }
        if !news.more {
            return (balances, cursor);
        }
    }
}

fn sale(balance: &SignedBalance, spent_after: Cents) -> Sale {
    let cent = Cents::new(1).unwrap();
    Sale {
        stan: Stan::FIRST,
        card: CardRef::new([1; 8]),
        tier: Tier::Plain,
        purse: balance.purse,
        spent_after,
        serial: balance.serial,
        lines: vec![Line { category: CategoryId::new(0), requested: cent, fund: cent, member: Cents::ZERO }],
        hot_list: Version::new(1),
        grid: Version::new(1),
        policy: PolicyId::new(1),
        request: Some(RequestId::new([1; 8])),
        asked: None,
        intent: None,
        card_counter: None,
        card_mac: None,
    }
}

fn row(terminal: TerminalId, head: ChainHead, sale: Sale) -> Row {
    let prev: Hash = head.hash;
    let time = RowTime {
        boot: BootId::new([1; 8]),
        monotonic_ms: 1_000_000,
        wall: Timestamp::new(1_800_000_000),
        quality: ClockQuality::Synced,
    };
    let seq = head.seq.next().unwrap();
    let body = RowBody::Sale(sale);
    Row { head: FUND.head(ObjectType::Row), terminal, epoch: cabas_protocol::Epoch::new(1), seq, prev, time, body }
}
