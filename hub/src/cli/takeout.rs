//! `export all`: everything that the fund's books hold, in a folder, for who leaves this software or keeps its data elsewhere.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use cabas_protocol::{Hash, Timestamp};
use clap::Args;
use ring::digest;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::payout::write_whole;
use crate::keys::HubSecrets;
use crate::out::print;
use crate::store::{Db, LINES, OpenMode, PURCHASES, StoreError, TABLES, Table};

const MEMBERS: &str = "members";
const COPY: &str = "hub.db";
const CHECKSUMS: &str = "SHA256SUMS";
const PIECE_BYTES: usize = 64 * 1024;

/// Where to, and whether with names.
#[derive(Args, Debug)]
pub(super) struct All {
    /// The folder to make; it must be empty where it is there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write the names of members, too, in clear
    #[arg(long)]
    names: bool,
}

#[derive(Serialize)]
struct Exported {
    folder: PathBuf,
    tables: Vec<Written>,
    documents: u64,
    names: bool,
}

#[derive(Serialize)]
struct Written {
    file: String,
    about: &'static str,
    lines: u64,
}

pub(super) fn export(context: &Context, asked: &All) -> Result<(), Failure> {
    let folder = &asked.out;
    make_folder(folder)?;
    context.open(OpenMode::Existing)?.take_copy(&folder.join(COPY))?;
    // All tables are of the one moment of the copy, whatever the hub does meanwhile.
    let file = folder.join(COPY);
    let mut copy = Db::open(&file, OpenMode::ReadOnly).map_err(|source| Failure::Open { file, source })?;
    let mut tables = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let mut lines = 0;
        write_whole(&csv(folder, table.name), |out| {
            lines = copy.read(|tx| tx.take_out(table, out))?;
            Ok(())
        })?;
        tables.push(told(table, lines));
    }
    let mut counts = (0, 0);
    write_whole(&csv(folder, PURCHASES.name), |purchases| {
        let lines = File::create(csv(folder, LINES.name))?;
        counts = copy.read(|tx| tx.take_out_purchases(purchases, io::BufWriter::new(&lines)))?;
        Ok(lines.sync_all()?)
    })?;
    tables.extend([told(&PURCHASES, counts.0), told(&LINES, counts.1)]);
    if asked.names {
        let lines = members(context, &mut copy, folder)?;
        let about = "who belongs to which household, as `cabas-hub import` reads them";
        tables.push(Written { file: format!("{MEMBERS}.csv"), about, lines });
    }
    drop(copy);
    let documents = documents(&context.config.documents_dir(), &folder.join("documents"))?;
    let exported = Exported { folder: folder.clone(), tables, documents, names: asked.names };
    write_whole(&folder.join("README.txt"), |out| {
        Ok(out.write_all(readme(&exported, context.clock.now()).as_bytes())?)
    })?;
    write_whole(&folder.join(CHECKSUMS), |out| Ok(out.write_all(checksums(folder)?.as_bytes())?))?;
    print(context.format, &exported, text).map_err(Failure::Print)
}

fn csv(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.csv"))
}

fn told(table: &Table, lines: u64) -> Written {
    Written { file: format!("{}.csv", table.name), about: table.about, lines }
}

fn failed(file: &Path) -> impl FnOnce(io::Error) -> Failure {
    let file = file.to_owned();
    move |source| Failure::File { what: "the export", file, source }
}

/// What is written is for its owner alone; nothing is written over.
fn make_folder(folder: &Path) -> Result<(), Failure> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.map_err(failed(folder))?,
    }
    let mut inside = std::fs::read_dir(folder).map_err(failed(folder))?;
    if inside.next().is_some() { Err(Failure::FolderInUse(folder.to_owned())) } else { Ok(()) }
}

fn members(context: &Context, copy: &mut Db, folder: &Path) -> Result<u64, Failure> {
    let secrets = HubSecrets::load(&context.config.keys_dir())?;
    let sealed = copy.read(|tx| tx.all_members(u32::MAX))?;
    let mut lines = 0_u64;
    write_whole(&csv(folder, MEMBERS), |out| {
        let mut out = csv::Writer::from_writer(out);
        let written = |error: csv::Error| StoreError::Io(error.into());
        out.write_record(["household", "member"]).map_err(written)?;
        for (household, name) in &sealed {
            let name = secrets.open_name(household, name).ok_or(StoreError::Damaged("a sealed name"))?;
            out.write_record([household.as_str(), name.as_str()]).map_err(written)?;
            lines = lines.saturating_add(1);
        }
        Ok(out.flush()?)
    })?;
    Ok(lines)
}

/// Copies the documents as they are kept: each under its hash.
fn documents(from: &Path, to: &Path) -> Result<u64, Failure> {
    if !from.is_dir() {
        return Ok(0);
    }
    DirBuilder::new().mode(0o700).create(to).map_err(failed(to))?;
    let mut copied = 0_u64;
    for entry in std::fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let file = entry.path();
        std::fs::copy(&file, to.join(entry.file_name())).map_err(failed(&file))?;
        copied = copied.saturating_add(1);
    }
    Ok(copied)
}

/// As `sha256sum --check` reads them.
fn checksums(folder: &Path) -> io::Result<String> {
    let mut names = Vec::new();
    for (inside, above) in [(folder.to_owned(), ""), (folder.join("documents"), "documents/")] {
        if !inside.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(inside)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_ours = name != CHECKSUMS && !name.ends_with(".part");
            if is_ours && entry.file_type()?.is_file() {
                names.push(format!("{above}{name}"));
            }
        }
    }
    names.sort();
    names.iter().map(|name| Ok(format!("{}  {name}\n", checksum(&folder.join(name))?))).collect()
}

/// A ledger of years is larger than a small server's memory: it is read piece by piece.
fn checksum(file: &Path) -> io::Result<Hash> {
    let (mut file, mut piece) = (File::open(file)?, vec![0; PIECE_BYTES]);
    let mut sum = digest::Context::new(&digest::SHA256);
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => sum.update(piece.get(..read).unwrap_or_default()),
        }
    }
    sum.finish().as_ref().try_into().map(Hash::new).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn readme(exported: &Exported, now: Timestamp) -> String {
    let tables: String = exported
        .tables
        .iter()
        .map(|table| format!("{} ({} lines)\n    {}\n", table.file, table.lines, table.about))
        .collect();
    let names = if exported.names {
        "members.csv names people: keep it as you would a register, and delete it when it is no longer needed.\n"
    } else {
        "Names of members are not written out (`export all --names` does).\n"
    };
    format!(
        "All data of the fund, exported by cabas-hub {} at {} seconds since 1970-01-01 UTC.\n\n\
         Tables are CSV (UTF-8, comma, a header, RFC 4180). Amounts are whole cents, times UTC. A text that a spreadsheet would take for a\n\
         formula begins with '. `cause` of a movement is a `number`, `credit`, `entry` … of the table of its kind; of Sale, Return, Reversal and\n\
         Refund it is the `number` of a purchase or of another row in hub.db.\n\n\
         {tables}\n\
         hub.db is the whole ledger as one SQLite file: all of the above, every signed row of every terminal, and what is left out above\n\
         (what cards proved, balances that were signed, votes that were not decided).\n\
         documents/ holds {} documents, each under the SHA-256 of its bytes. {CHECKSUMS}: `sha256sum --check {CHECKSUMS}`.\n\n\
         {names}\
         What people wrote is here in clear: reasons, references, the words of steps, documents. hub.db also holds names and texts of the bank,\n\
         sealed by the fund's keys, and what proves logins: whoever has it and the keys reads all of it. The keys are not here.\n",
        env!("CARGO_PKG_VERSION"),
        now.get(),
        exported.documents,
    )
}

fn text(exported: &Exported) -> String {
    let mut text: String =
        exported.tables.iter().map(|table| format!("{:<22} {:>9} lines\n", table.file, table.lines)).collect();
    let names = if exported.names { "with the names of members" } else { "without names" };
    text.push_str(&format!(
        "{}: {} tables, the ledger ({COPY}), {} documents, {names}; README.txt says what is what\n",
        crate::out::plain(&exported.folder.display().to_string()),
        exported.tables.len(),
        exported.documents
    ));
    text
}
