//! `init` and `status`.

use std::fmt::Write as _;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use cabas_protocol::head::{HeadContext, ObjectType};
use cabas_protocol::keys::KeyCert;
use cabas_protocol::objects::{Category, NAME_BYTES_MAX};
use cabas_protocol::{CategoryId, Cents, FundId, Incarnation, PublicKey, Signer, TimeEpoch, Timestamp, codec};
use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::{Context, terminal};
use crate::admin::overview::{self, BlockedLine, Overview, RestoreLine};
use crate::keys;
use crate::out::print;
use crate::store::{Db, InitFund, OpenMode, PolicyLimits};

/// Says in the data folder that a fund is being made.
const BEGUN: &str = "init.begun";

/// What a new fund's terminals may do by themselves.
#[derive(Args, Debug)]
pub(super) struct Init {
    /// The fund's name, as it stands on receipts
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The fund's number: its terminals refuse those of other funds
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    fund_id: u32,
    /// Whom a shop calls, as it stands on the cashier's screen [default: the fund's name]
    #[arg(long, value_name = "TEXT")]
    helpline: Option<String>,
    /// The fund's part of one sale, at the most
    #[arg(long, value_name = "CENTS", default_value_t = 30_000)]
    sale_cents_max: u64,
    /// The fund's part of one sale with a plain card, at the most
    #[arg(long, value_name = "CENTS", default_value_t = 15_000)]
    plain_sale_cents_max: u64,
    /// The fund's part of one household's sales with plain cards, at one terminal in one day, at the most
    #[arg(long, value_name = "CENTS", default_value_t = 20_000)]
    plain_day_cents_max: u64,
    /// Age of the hot list past which a terminal refuses plain cards, in hours
    #[arg(long, value_name = "HOURS", default_value_t = 72, value_parser = clap::value_parser!(u32).range(1..=8_760))]
    plain_list_age_hours_max: u32,
}

#[derive(Debug, Serialize)]
struct Made {
    fund_id: u32,
    name: String,
    data_dir: String,
    /// The root key that every terminal pins, in hexadecimal.
    root_key: String,
    root_key_file: String,
}

pub(super) fn init(context: &Context, init: &Init) -> Result<(), Failure> {
    let dir = &context.config.data_dir;
    check_name("--name", &init.name)?;
    check_name("--helpline", init.helpline.as_deref().unwrap_or(&init.name))?;
    let limits = limits(init)?;
    let begun = make_data_dir(context)?;
    let keys_dir = context.config.keys_dir();
    let root = match make(context, init, limits) {
        Ok(root) => root,
        Err(failure) => {
            // The folder was empty before this run: what is in it is half a fund that nobody has used.
            let _left = clear(context);
            return Err(failure);
        }
    };
    finish(dir)?;
    drop(begun);
    let made = Made {
        fund_id: init.fund_id,
        name: init.name.clone(),
        data_dir: dir.display().to_string(),
        root_key: root.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect(),
        root_key_file: keys_dir.join(keys::ROOT).display().to_string(),
    };
    let text = |made: &Made| {
        format!(
            "Fund {} \"{}\" made in {}.\nCopy the folder keys to a safe place: without it this fund cannot be continued.\n\
             {} is needed by no running hub: keep it off this machine.\nNext: cabas-hub import DIR; cabas-hub terminal \
             add --shop CODE; cabas-hub serve\n",
            made.fund_id, made.name, made.data_dir, made.root_key_file
        )
    };
    print(context.format, &made, text).map_err(Failure::Print)
}

/// Makes keys and database, and gives the root key.
fn make(context: &Context, init: &Init, limits: PolicyLimits) -> Result<PublicKey, Failure> {
    let (root, signing) = keys::create(&context.config.keys_dir())?;
    let now = context.clock.now();
    let fund = init_fund(init, limits, &root, &signing, now);
    let file = context.config.database();
    let mut db = Db::open(&file, OpenMode::Create).map_err(|source| Failure::Open { file: file.clone(), source })?;
    db.write(|tx| tx.init_fund(&fund, now))?;
    for entry in [file.as_path(), &context.config.data_dir] {
        sync(entry)?;
    }
    Ok(*root.public())
}

/// Makes a folder and those above it that are missing. A folder's name is durable once the one above it is synced; an
/// earlier try that was cut off may have made it, so one is synced in any case.
fn make_dir(dir: &Path) -> std::io::Result<()> {
    let missing = dir.ancestors().take_while(|above| !above.exists()).count();
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    for above in dir.ancestors().skip(1).take(missing.max(1)) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match File::open(above).and_then(|above| above.sync_all()) {
            // Who may not read a folder cannot sync it.
            Err(error) if error.kind() != std::io::ErrorKind::PermissionDenied => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// An empty folder for the owner alone; one that has anything in it is left as it is, but for what an earlier try that was
/// cut off has left. The file that is given says that this try has begun, and keeps another one out.
fn make_data_dir(context: &Context) -> Result<File, Failure> {
    let dir = &context.config.data_dir;
    let failed = |source| Failure::File { what: "data_dir", file: dir.to_owned(), source };
    make_dir(dir).map_err(failed)?;
    let was_begun = dir.join(BEGUN).exists();
    if !was_begun && std::fs::read_dir(dir).map_err(failed)?.next().is_some() {
        return Err(Failure::DataDirInUse(dir.to_owned()));
    }
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).map_err(failed)?;
    let begun = File::options().create(true).truncate(false).write(true).open(dir.join(BEGUN)).map_err(failed)?;
    begun.try_lock().map_err(|_| Failure::DataDirInUse(dir.to_owned()))?;
    if was_begun {
        if has_fund(context) {
            finish(dir)?;
            return Err(Failure::DataDirInUse(dir.to_owned()));
        }
        clear(context).map_err(failed)?;
    }
    sync(dir)?;
    Ok(begun)
}

/// The fund is written in one transaction, after its keys: where it can be read, it is whole.
fn has_fund(context: &Context) -> bool {
    let opened = Db::open(&context.config.database(), OpenMode::Existing);
    opened.is_ok_and(|mut db| db.read(|tx| tx.fund()).is_ok())
}

/// Takes away what a try that was cut off has made.
fn clear(context: &Context) -> std::io::Result<()> {
    let database = context.config.database();
    let gone = |done: std::io::Result<()>| match done {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    };
    gone(std::fs::remove_dir_all(context.config.keys_dir()))?;
    for end in ["", "-wal", "-shm", "-journal"] {
        let mut file = database.clone().into_os_string();
        file.push(end);
        gone(std::fs::remove_file(file))?;
    }
    Ok(())
}

/// The fund is made: a later `init` finds no try to take up.
fn finish(dir: &Path) -> Result<(), Failure> {
    let begun = dir.join(BEGUN);
    std::fs::remove_file(&begun).map_err(|source| Failure::File { what: "data_dir", file: begun, source })?;
    sync(dir)
}

fn sync(path: &Path) -> Result<(), Failure> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| Failure::File { what: "cannot make durable", file: path.to_owned(), source })
}

fn check_name(option: &'static str, text: &str) -> Result<(), Failure> {
    let fits = !text.is_empty() && codec::text(option, text, NAME_BYTES_MAX).is_ok();
    if fits { Ok(()) } else { Err(Failure::Name(option)) }
}

fn limits(init: &Init) -> Result<PolicyLimits, Failure> {
    let cents = |cents| Cents::new(cents).map_err(|error| Failure::Store(error.into()));
    Ok(PolicyLimits {
        sale_cents_max: cents(init.sale_cents_max)?,
        plain_sale_cents_max: cents(init.plain_sale_cents_max)?,
        plain_day_cents_max: cents(init.plain_day_cents_max)?,
        plain_list_age_s_max: init.plain_list_age_hours_max.saturating_mul(3_600),
        part_payment: true,
    })
}

fn init_fund(init: &Init, policy: PolicyLimits, root: &Signer, signing: &Signer, now: Timestamp) -> InitFund {
    let fund = FundId::new(init.fund_id);
    let context = HeadContext { fund, incarnation: Incarnation::new(1), time_epoch: TimeEpoch::new(0) };
    let cert =
        KeyCert { head: context.head(ObjectType::KeyCert), key: *signing.public(), issued_at: now, revoked: false };
    InitFund {
        fund,
        name: init.name.clone(),
        helpline: init.helpline.clone().unwrap_or_else(|| init.name.clone()),
        root: *root.public(),
        cert: root.sign(&cert),
        policy,
        categories: vec![Category {
            id: CategoryId::new(0),
            share_percent: 100,
            label_fr: "Alimentation".to_owned(),
            label_en: "Food".to_owned(),
        }],
    }
}

pub(super) fn status(context: &Context) -> Result<(), Failure> {
    let overview = context.open(OpenMode::Existing)?.read(overview::read)?;
    print(context.format, &overview, |overview| text(overview).unwrap_or_default()).map_err(Failure::Print)
}

fn text(overview: &Overview) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let totals = overview.totals;
    writeln!(text, "Fund {} \"{}\"", overview.fund_id, crate::out::plain(&overview.name))?;
    for (name, cents) in [
        ("credited to households", totals.credited_cents),
        ("free at the hub", totals.free_cents),
        ("reserved for terminals", totals.reserved_cents),
        ("spent in shops", totals.spent_cents),
        ("owed to shops", totals.owed_cents),
        ("closed, bank to confirm", totals.in_transit_cents),
        ("over-right, not paid", overview.over_right_cents),
    ] {
        writeln!(text, "  {name:<24} {:>12} €", euros(cents))?;
    }
    writeln!(text, "  {:<24} {:>12}", "disputed rows", overview.disputed_rows)?;
    text.push_str(&terminal::table(&overview.terminals)?);
    if let Some(restore) = &overview.restore {
        restore_text(&mut text, restore)?;
    }
    Ok(text)
}

fn restore_text(text: &mut String, restore: &RestoreLine) -> std::fmt::Result {
    writeln!(
        text,
        "Restored at {} from a backup that ends with settlement {}",
        restore.restored_at, restore.newest_settlement
    )?;
    for line in &restore.waiting_for {
        writeln!(text, "  waits for terminal {} epoch {} to hand back what it holds", line.terminal, line.epoch)?;
    }
    writeln!(text, "  {:<24} {:>12} €", "proven, no credit yet", euros(restore.missing_cents))?;
    if restore.unplaced_balances > 0 {
        writeln!(text, "  {} balances of purses that are not in the backup", restore.unplaced_balances)?;
    }
    for line in &restore.blocked_again {
        let BlockedLine { card_number, terminal } = line;
        writeln!(
            text,
            "  card {card_number} was blocked again: terminal {terminal} knew it so (card unblock undoes it)"
        )?;
    }
    if restore.blocked_unknown > 0 {
        let count = restore.blocked_unknown;
        writeln!(text, "  {count} blocked cards that are not in the backup: blocked as they are imported again")?;
    }
    if !restore.lists_unheard.is_empty() {
        let named: Vec<_> =
            restore.lists_unheard.iter().map(|line| format!("{} (epoch {})", line.terminal, line.epoch)).collect();
        let named = named.join(", ");
        writeln!(
            text,
            "  did not tell what they know as blocked: terminals {named}; block again by hand what was blocked after the backup"
        )?;
    }
    if !restore.payments_checked {
        writeln!(
            text,
            "  before the next settlement: was anything paid after the backup? settlement close --payments-checked"
        )?;
    }
    Ok(())
}

/// Whole cents as euros.
pub(super) fn euros(cents: u64) -> String {
    Cents::new(cents).map_or_else(|_| format!("{cents} cents"), |cents| cents.to_string())
}
