//! A copy of the journal, on which a program is tried that is to take this one's place. The copy is of one moment, and
//! nothing is ever written in it that would be another future of this terminal.

use super::append;
use super::error::JournalError;
use super::keyfile::TerminalKeys;
use super::sales::{CardView, PresentedBy};
use super::seal::{self, SealCredential};
use super::secrets::CardSecrets;
use super::state::State;
use super::{Journal, counters, log, schema};
use crate::card::UidClass;
use crate::core::ages::Moment;
use cabas_protocol::row::Tier;
use cabas_protocol::{CardRef, Signer};
use rusqlite::backup::Backup;
use rusqlite::{Connection, OptionalExtension as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Pages that are copied before others get a turn at the disk.
const PAGES_AT_ONCE: i32 = 1024;
/// The pause between them.
const PAUSE: Duration = Duration::from_millis(2);

/// What a trial on a copy came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CopyTried {
    /// The form of the copy.
    pub form: u32,
    /// What a card of it could pay, where it knows one: the decision was made, and nothing was written.
    pub view: Option<CardView>,
}

/// Copies the journal into a new file, beside the agent that writes it.
///
/// # Errors
/// [`JournalError`].
pub fn copy_to(path: &Path, copy: &Path) -> Result<(), JournalError> {
    let from = schema::open_read_only(path)?;
    // One moment: a row that is written meanwhile does not start it anew.
    let reading = from.unchecked_transaction()?;
    let _tables: u32 = reading.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let mut to = Connection::open(copy)?;
    to.pragma_update(None, "synchronous", "OFF")?;
    Backup::new(&reading, &mut to)?.run_to_completion(PAGES_AT_ONCE, PAUSE, None)?;
    Ok(())
}

/// Whether this program could go on with a copy that another one has worked on.
///
/// # Errors
/// [`JournalError`] says why not.
pub fn can_open(copy: &Path) -> Result<(), JournalError> {
    log::check(copy)?;
    let db = schema::open(copy, false)?;
    counters::check_counters(&db, &State::load(&db)?)
}

/// Whether this program may use a journal as it is; nothing is changed.
///
/// # Errors
/// [`JournalError`] says why not.
pub fn may_open(path: &Path) -> Result<(), JournalError> {
    schema::open_read_only(path).map(drop)
}

/// Does with a copy what a start and a sale do, the writing aside: brings it to this program's form, reads it, decides for
/// a card, and writes as much as a sale needs, to take it away again.
///
/// # Errors
/// [`JournalError`] says what this program cannot do with it.
pub fn try_copy(
    copy: &Path,
    (signer, keys, credential): (Signer, &TerminalKeys, Option<&SealCredential>),
    now: Moment,
) -> Result<CopyTried, JournalError> {
    log::check(copy)?;
    let db = schema::open(copy, false)?;
    seal::check(&db, credential)?;
    let state = State::load(&db)?;
    if state.id.key != *signer.public() {
        return Err(JournalError::Inconsistent("the terminal's key is not the one that was enrolled"));
    }
    counters::check_counters(&db, &state)?;
    let form = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let card = some_card(&db)?;
    let mut journal = Journal::of(db, copy, signer, state);
    journal.secrets = Some(Arc::new(CardSecrets::new(keys, credential)));
    let view = card.map(|card| journal.view_card(now, plain(card)));
    journal.write(now, append::write_and_take_away)?;
    Ok(CopyTried { form, view: view.transpose()? })
}

fn plain(card: CardRef) -> PresentedBy {
    PresentedBy { card, proven: Tier::Plain, uid: UidClass::Unique, counter: None }
}

/// Any card that is known there.
fn some_card(db: &Connection) -> Result<Option<CardRef>, JournalError> {
    let card: Option<Vec<u8>> = db.query_row("SELECT card FROM bindings LIMIT 1", [], |row| row.get(0)).optional()?;
    Ok(card.and_then(|card| CardRef::from_slice(&card)))
}
