//! A month of the example fund by the real programs: 108 households credited, 3,000 sales at 19 shops, settled, paid, and the
//! bank's statement matched. `kill -9` cuts the hub between and within syncs and every command at several moments; each is
//! then done again. In the end every account of the ledger is explained to the cent by a model that only adds and takes away.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::integer_division,
    reason = "test code"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cabas_protocol::{Cents, PurseRef};
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::terminal::Terminal;
use rusqlite::{Connection, OpenFlags};

const SALES: u32 = 3_000;
const DAYS: u32 = 30;
/// After so many milliseconds a command is cut, until one try had done its work before.
const CUTS_MS: [u64; 9] = [1, 4, 8, 12, 17, 23, 30, 40, 60];
/// After so long in the first day's syncs the hub is cut.
const HUB_CUT: Duration = Duration::from_millis(40);
/// Kinds of accounts, by the top byte of their number (hub/ledger.md).
const BANK: i64 = 1;
const SOURCE: i64 = 2;
const PURSE: i64 = 4;
const SLICE: i64 = 5;
const PAYABLE: i64 = 6;
const TRANSIT: i64 = 7;

/// The same numbers in every run (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }
}

/// A shop with its terminal.
struct Place {
    code: String,
    weight: u64,
    terminal: Terminal,
}

/// What ought to be there.
#[derive(Default)]
struct Model {
    credited: u64,
    spent: BTreeMap<PurseRef, u64>,
    sold: BTreeMap<String, u64>,
    settled: bool,
    paid: bool,
}

impl Model {
    fn total(&self) -> u64 {
        self.sold.values().sum()
    }
}

/// An account as the file has it.
struct Account {
    kind: i64,
    owner: i64,
    debits: u64,
    credits: u64,
}

fn ledger(hub: &Hub) -> Connection {
    Connection::open_with_flags(hub.data_dir().join("hub.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

fn number(hub: &Hub, read: &str) -> u64 {
    ledger(hub).query_row(read, [], |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
}

fn accounts(hub: &Hub) -> Vec<Account> {
    let ledger = ledger(hub);
    let mut read = ledger.prepare("SELECT id >> 56, id & 0xffffffffffffff, debits, credits FROM accounts").unwrap();
    let account = |row: &rusqlite::Row<'_>| {
        let (debits, credits): (i64, i64) = (row.get(2)?, row.get(3)?);
        let [debits, credits] = [debits, credits].map(|cents| cents.try_into().unwrap());
        Ok(Account { kind: row.get(0)?, owner: row.get(1)?, debits, credits })
    };
    read.query_map([], account).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Every account is what the model says, and nothing else is there.
fn explain(hub: &Hub, model: &Model) {
    let (accounts, ledger) = (accounts(hub), ledger(hub));
    let shop = |number: i64| -> String {
        ledger.query_row("SELECT code FROM shops WHERE number = ?1", [number], |row| row.get(0)).unwrap()
    };
    let purse = |number: i64| -> PurseRef {
        let bytes: Vec<u8> =
            ledger.query_row("SELECT ref FROM purses WHERE number = ?1", [number], |row| row.get(0)).unwrap();
        PurseRef::from_slice(&bytes).unwrap()
    };
    let (mut left, mut owed) = (BTreeMap::<PurseRef, u64>::new(), BTreeMap::new());
    let [settled, paid] = [model.settled, model.paid].map(|is_done| if is_done { model.total() } else { 0 });
    for account in &accounts {
        let Account { kind, owner, debits, credits } = *account;
        match kind {
            SOURCE => assert_eq!((debits, credits), (model.credited, 0)),
            PURSE => *left.entry(purse(owner)).or_default() += credits - debits,
            SLICE => *left.entry(purse(owner & 0xffff_ffff)).or_default() += credits - debits,
            PAYABLE => {
                if credits > 0 {
                    owed.insert(shop(owner), credits);
                }
                assert_eq!(debits, if model.settled { credits } else { 0 }, "{}", shop(owner));
            }
            TRANSIT => assert_eq!((credits, debits), (settled, paid)),
            BANK => assert_eq!((credits, debits), (paid, 0)),
            other => assert_eq!((credits, debits), (0, 0), "nothing explains an account of kind {other}"),
        }
    }
    assert_eq!(owed, model.sold, "what each shop is owed");
    let read =
        "SELECT purses.ref, sum(credits.cents) FROM credits JOIN purses ON purses.number = credits.purse GROUP BY 1";
    let mut read = ledger.prepare(read).unwrap();
    let credited = read.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?))).unwrap();
    for line in credited {
        let (purse, cents) = line.unwrap();
        let purse = PurseRef::from_slice(&purse).unwrap();
        let spent = model.spent.get(&purse).copied().unwrap_or_default();
        assert_eq!(left.remove(&purse), Some(u64::try_from(cents).unwrap() - spent), "{purse}");
    }
    assert!(left.is_empty());
    let sum = |of: fn(&Account) -> u64| accounts.iter().map(of).sum::<u64>();
    assert_eq!(sum(|account| account.debits), sum(|account| account.credits), "the books balance");
}

/// Runs a command that is killed again and again, until its work is done.
fn through_cuts(hub: &Hub, arguments: &[&str], is_done: impl Fn() -> bool) -> u32 {
    let mut cuts = 0;
    for after_ms in CUTS_MS {
        if is_done() {
            break;
        }
        let mut command = hub.command(arguments).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(after_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        cuts += 1;
    }
    if !is_done() {
        hub.ok(arguments).unwrap();
    }
    assert!(is_done(), "{arguments:?}");
    hub.verify().unwrap();
    cuts
}

/// A German account number with its check digits (ISO 13616).
fn iban(number: usize) -> String {
    let bban = format!("{:018}", 370_400_440_532_013_000_u64 + u64::try_from(number).unwrap());
    let check = 98 - format!("{bban}131400").bytes().fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    format!("DE{check:02}{bban}")
}

/// A bank's statement of a payment file, written by the Python of the hub's own tests.
fn statement(file: &Path, out: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("../target/venv/bin/python");
    assert!(python.exists(), "run deploy/test once: it installs the Python tools into target/venv");
    let script = root.join("../hub/tests/bank/check.py");
    let output = Command::new(python).arg(script).args(["statement", "parts"]).args([file, out]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn open_shops(hub: &Hub) -> Vec<Place> {
    let (http, mut places) = (http_client().unwrap(), Vec::new());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/example-fund/shops.csv");
    for line in std::fs::read_to_string(file).unwrap().lines().skip(1) {
        let code = line.split(',').next().unwrap();
        let weight = line.rsplit(',').next().unwrap().parse().unwrap();
        let terminal = hub.bare_terminal(&http, code).await.unwrap();
        places.push(Place { code: code.to_owned(), weight, terminal });
    }
    places
}

/// One sale somewhere, by the shops' shares; false where the household has too little there.
async fn sell(places: &mut [Place], purses: &[PurseRef], dice: &mut Dice, model: &mut Model) -> bool {
    let mut at = dice.below(places.iter().map(|place| place.weight).sum());
    let place = places.iter_mut().find(|place| {
        let is_here = at < place.weight;
        at = at.saturating_sub(place.weight);
        is_here
    });
    let place = place.unwrap();
    let purse = purses[usize::try_from(dice.below(u64::try_from(purses.len()).unwrap())).unwrap()];
    let cents = Cents::new(50 + dice.below(1_100)).unwrap();
    if place.terminal.available(purse) < cents {
        let spent = place.terminal.spent.get(&purse).copied().unwrap_or_default();
        place.terminal.extend(purse, spent.plus(cents).unwrap()).await.unwrap();
    }
    let cents = cents.min(place.terminal.available(purse));
    if cents < Cents::new(50).unwrap() {
        return false;
    }
    place.terminal.sell(purse, cents).unwrap();
    *model.spent.entry(purse).or_default() += cents.get();
    *model.sold.entry(place.code.clone()).or_default() += cents.get();
    true
}

/// Every shop syncs; in the middle the hub's power goes. True where it went before all was done.
async fn sync_through_a_cut(hub: &mut Hub, places: &mut [Place], after: Duration) -> bool {
    let syncs = async {
        for place in places.iter_mut() {
            // What the cut hits is sent again below.
            let _cut = place.terminal.sync().await;
        }
    };
    let cut = tokio::time::timeout(after, syncs).await;
    if cut.is_err() {
        hub.kill_9().unwrap();
        hub.start().unwrap();
    }
    let http = http_client().unwrap();
    for place in places {
        place.terminal.reconnect(http.clone());
        place.terminal.sync().await.unwrap();
    }
    cut.is_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_the_example_fund_balances_to_the_cent_through_power_cuts_at_every_step() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::empty(dir.path()).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example-fund").display().to_string();
    let count = |hub: &Hub, of: &str| number(hub, &format!("SELECT count(*) FROM {of}"));
    let mut cuts = through_cuts(&hub, &["import", &example], || count(&hub, "households") == 108);
    hub.start().unwrap();
    let mut places = open_shops(&hub).await;
    assert_eq!(places.len(), 19);
    let credit = ["credit", "run", "--period", "2026-11", "--source", "ville", "--book"];
    cuts += through_cuts(&hub, &credit, || count(&hub, "credits") == 108);
    let mut model = Model { credited: number(&hub, "SELECT sum(cents) FROM credits"), ..Model::default() };
    explain(&hub, &model);
    places[0].terminal.wait_for_balances().await.unwrap();
    for place in &mut places {
        place.terminal.sync().await.unwrap();
    }
    let purses: Vec<PurseRef> = places[0].terminal.balances.keys().copied().collect();
    let mut dice = Dice(0x2026_1100_0000_0001);
    let (mut made, mut hub_cuts, mut after) = (0, 0, HUB_CUT);
    for day in 1..=DAYS {
        while made < SALES * day / DAYS {
            made += u32::from(sell(&mut places, &purses, &mut dice, &mut model).await);
        }
        let is_cut = sync_through_a_cut(&mut hub, &mut places, after).await;
        hub_cuts += u32::from(is_cut);
        // Sooner where the machine was faster, a little later where it was not: cuts lie all over a day's syncs.
        after = if is_cut { after.mul_f32(1.3) } else { after / 2 };
    }
    assert_eq!((count(&hub, "rows"), model.sold.len()), (u64::from(SALES), 19));
    explain(&hub, &model);
    hub.verify().unwrap();

    for (index, place) in places.iter().enumerate() {
        hub.ok(&["shop", "account", &place.code, "--iban", &iban(index), "--name", &place.code, "--by", "Ada"])
            .unwrap();
    }
    let own = "FR76 3000 6000 0112 3456 7890 189";
    hub.ok(&["bank", "account", "--iban", own, "--name", "Caisse", "--by", "Ada"]).unwrap();
    cuts += through_cuts(&hub, &["settlement", "prepare", "--by", "Ada"], || count(&hub, "preparations") == 1);
    cuts += through_cuts(&hub, &["settlement", "approve", "1", "--by", "Bo"], || count(&hub, "settlements") == 1);
    model.settled = true;
    explain(&hub, &model);
    hub.said(&["settlement", "approve", "1", "--by", "Cy"]).unwrap();
    assert_eq!(count(&hub, "settlements"), 1, "approved again nothing is booked");

    let out = |name: &str| -> (PathBuf, String) {
        let path = dir.path().join(name);
        (path.clone(), path.display().to_string())
    };
    let (_, cut_file) = out("cut.xml");
    let pay = ["settlement", "payment-file", "1", "--out", &cut_file, "--by", "Bo"];
    cuts += through_cuts(&hub, &pay, || count(&hub, "payment_files") == 1);
    let (file, path) = out("pay.xml");
    hub.ok(&["settlement", "payment-file", "1", "--out", &path, "--by", "Bo"]).unwrap();
    assert_eq!(number(&hub, "SELECT sum(cents) FROM payments"), model.total());
    let (camt, camt_path) = out("camt.xml");
    statement(&file, &camt);
    cuts += through_cuts(&hub, &["bank", "import", &camt_path, "--by", "Bo"], || count(&hub, "statements") == 1);
    let again = hub.ok(&["bank", "import", &camt_path, "--by", "Bo"]).unwrap();
    assert_eq!((&again["entries_added"], &again["payouts_paid"]), (&0.into(), &0.into()));
    model.paid = true;
    explain(&hub, &model);
    let payouts = hub.ok(&["settlement", "payouts", "1"]).unwrap();
    let payouts = payouts.as_array().unwrap();
    assert!(payouts.len() == 19 && payouts.iter().all(|payout| payout["state"] == "paid"), "{payouts:?}");
    assert_eq!(number(&hub, "SELECT count(*) FROM bank_entries WHERE state = 0"), 1, "the gift waits for a person");
    hub.verify().unwrap();
    assert!(cuts >= 8 && hub_cuts >= 10, "only {cuts} commands and {hub_cuts} hubs were cut");
}
