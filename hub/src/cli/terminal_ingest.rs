//! `terminal ingest`: the second copy of a dead terminal's journal, brought by hand.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use cabas_protocol::second::{self, Frame};
use cabas_protocol::sync::ROWS_MAX;
use cabas_protocol::{Epoch, Row, Signed, TerminalId};
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use crate::core::ingest::of_second_copy;
use crate::keys::HubSecrets;
use crate::out::print;
use crate::store::{Db, OpenMode, StoreError};

/// What a file brought.
#[derive(Debug, Default, Serialize)]
struct Brought {
    terminal: u32,
    epoch: u32,
    rows: u64,
    new_rows: u64,
    known_rows: u64,
    disputed_rows: u64,
    not_authentic_rows: u64,
    settled_cents: u64,
    over_right_cents: u64,
    /// True where the machine was said to be gone just now: its enrolment may not sell any more.
    revoked: bool,
    /// True where the file ends in the middle of a row: the medium was pulled out there.
    torn: bool,
}

/// Takes what is in the file: each row by its own signature, in the order in which the terminal wrote them.
pub(super) fn ingest(context: &Context, path: &Path, is_dead: bool) -> Result<(), Failure> {
    let failed = |source| Failure::File { what: "the copy", file: path.to_owned(), source };
    let no_copy = || Failure::NoSecondCopy(path.to_owned());
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    if !second::read_head(&mut file).map_err(failed)? {
        return Err(no_copy());
    }
    let secrets = HubSecrets::load(&context.config.keys_dir())?;
    let mut db = context.open(OpenMode::Existing)?;
    let (mut brought, mut origin) = (Brought::default(), None);
    while !brought.torn {
        let mut batch = Vec::with_capacity(ROWS_MAX);
        while batch.len() < ROWS_MAX {
            match second::read(&mut file).map_err(failed)? {
                Frame::Row(row) => batch.push(row),
                Frame::End => break,
                Frame::Torn => {
                    brought.torn = true;
                    break;
                }
            }
        }
        if batch.is_empty() {
            break;
        }
        let origin = match origin {
            Some(origin) => origin,
            None => {
                let of = whose(&mut db, &batch)?.ok_or_else(no_copy)?;
                brought.revoked = may_be_taken(context, &mut db, of, is_dead)?;
                *origin.insert(of)
            }
        };
        take(context, (&mut db, &secrets), origin, batch, &mut brought)?;
    }
    print(context.format, &brought, text).map_err(Failure::Print)
}

/// The enrolment whose rows they are, by the first one that its key signed.
fn whose(db: &mut Db, batch: &[Vec<u8>]) -> Result<Option<(TerminalId, Epoch)>, Failure> {
    for row in batch {
        let Ok(signed) = Signed::<Row>::from_bytes(row.clone()) else { continue };
        let Ok(Row { terminal, epoch, .. }) = signed.peek() else { continue };
        let known = db.read(|tx| {
            let (key, _) = tx.epoch_chain(terminal, epoch)?;
            Ok((tx.fund()?.fund, key))
        });
        match known {
            Ok((fund, key)) if signed.verify(&key, fund).is_ok() => return Ok(Some((terminal, epoch))),
            Ok(_) | Err(StoreError::UnknownTerminal(_) | StoreError::UnknownEpoch { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Refuses while the hub asks the terminal what it holds. A machine that is gone is not asked any more: true where that was said just now.
fn may_be_taken(
    context: &Context,
    db: &mut Db,
    (terminal, epoch): (TerminalId, Epoch),
    is_dead: bool,
) -> Result<bool, Failure> {
    let now = context.clock.now();
    let is_revoked = is_dead && db.write(|tx| tx.hands_back_no_more(terminal, epoch, now))?;
    if db.read(|tx| tx.terminal_key(terminal, epoch))?.want_held {
        return Err(Failure::SecondCopyAsked(terminal.get()));
    }
    Ok(is_revoked)
}

/// Books one batch.
fn take(
    context: &Context,
    (db, secrets): (&mut Db, &HubSecrets),
    (terminal, epoch): (TerminalId, Epoch),
    batch: Vec<Vec<u8>>,
    brought: &mut Brought,
) -> Result<(), Failure> {
    (brought.terminal, brought.epoch) = (terminal.get(), epoch.get());
    let (fund, key, acked) = db.read(|tx| {
        let (key, acked) = tx.epoch_chain(terminal, epoch)?;
        Ok((tx.fund()?, key, acked))
    })?;
    let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
    let chain = cabas_protocol::chain::ChainId { fund: fund.fund, terminal, epoch };
    let upload = of_second_copy((chain, fund.incarnation), &key, acked, batch);
    let now = context.clock.now();
    let outcome = db.write(|tx| tx.ingest(&upload, secrets, now))?;
    let kept = [outcome.new_rows, outcome.known_rows, outcome.disputed_rows].into_iter().map(u64::from).sum::<u64>();
    let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
    // Rows that wait for a restore's end are not booked, and what follows them would look like a gap.
    if kept < u64::try_from(upload.rows().len()).unwrap_or(u64::MAX) {
        add(&mut brought.new_rows, outcome.new_rows.into());
        return Err(Failure::SecondCopyWaits { taken: brought.new_rows });
    }
    add(&mut brought.rows, count);
    add(&mut brought.new_rows, outcome.new_rows.into());
    add(&mut brought.known_rows, outcome.known_rows.into());
    add(&mut brought.disputed_rows, outcome.disputed_rows.into());
    add(&mut brought.not_authentic_rows, u64::try_from(upload.not_authentic()).unwrap_or(u64::MAX));
    add(&mut brought.settled_cents, outcome.settled.get());
    add(&mut brought.over_right_cents, outcome.over_right.get());
    Ok(())
}

fn text(brought: &Brought) -> String {
    let Brought { terminal, epoch, rows, new_rows, known_rows, .. } = brought;
    let mut text =
        format!("Terminal {terminal}, enrolment {epoch}: {rows} rows, {new_rows} new, {known_rows} known.\n");
    if brought.disputed_rows > 0 {
        text.push_str(&format!("{} do not fit the chain and are kept as disputed.\n", brought.disputed_rows));
    }
    if brought.not_authentic_rows > 0 {
        text.push_str(&format!("{} are not the terminal's own and are kept nowhere.\n", brought.not_authentic_rows));
    }
    if brought.torn {
        text.push_str(
            "The file ends in the middle of a row, as where a medium was pulled out: what is whole was taken.\n",
        );
    }
    if brought.revoked {
        text.push_str("Its machine was said to be gone: it may not sell by this enrolment any more, and no restore waits for it.\n");
    }
    text.push_str(&format!(
        "Settled {} cents, over the right {} cents.\n",
        brought.settled_cents, brought.over_right_cents
    ));
    text
}
