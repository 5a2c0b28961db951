//! Settlements as long work: the rows are read beside the ledger's thread, which goes on with sales; what they come to is
//! then fixed or booked in one short transaction with the end of the work and its entry in the audit log. Killed before
//! that, nothing was kept, and the work begins again; killed after it, the work has ended.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{Hand, Progress, on_ledger, tell};
use crate::app::App;
use crate::clock::Stopwatch;
use crate::core::audit::Deed;
use crate::store::{BankRefusal, Db, Note, OpenMode, Settlement, SettlementCut, StoreError, Tx, WorkView, WorkedOut};

/// How often is told how far the reading is.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// Fixes the next settlement, in the name of who asked.
pub(super) async fn prepare(app: &Arc<App>, work: &WorkView) -> Result<(), StoreError> {
    let worked = worked_out(app, work, |tx, _| tx.settlement_cut()).await?;
    on_ledger(app, work, move |tx, hand| {
        tx.check_still_works(&hand.work.who)?;
        let prepared = tx.settlement_prepare_worked(&worked, &hand.work.who, hand.now)?;
        end(tx, hand, Deed::SettlementPrepared, &prepared.ok_or(BankRefusal::NothingNew)?.settlement)
    })
    .await?;
    app.site.watch.forget();
    Ok(())
}

/// Books what was prepared, in the name of who asked.
pub(super) async fn approve(app: &Arc<App>, work: &WorkView, seen: (u32, u64)) -> Result<(), StoreError> {
    let seen = (seen.0, Some(seen.1));
    let worked = worked_out(app, work, move |tx, who| Ok(tx.settlement_may_approve(seen, who)?.cut)).await?;
    on_ledger(app, work, move |tx, hand| {
        tx.check_still_works(&hand.work.who)?;
        let booked = tx.settlement_approve_worked(seen, &worked, &hand.work.who, hand.now)?;
        end(tx, hand, Deed::SettlementApproved, &booked)
    })
    .await?;
    app.site.watch.forget();
    Ok(())
}

fn end(tx: &mut Tx<'_>, hand: &Hand<'_>, deed: Deed, settlement: &Settlement) -> Result<Progress, StoreError> {
    let Settlement { number, payout, shops, .. } = settlement;
    let (subject, detail) =
        (format!("settlement {number}"), format!("{} cents to {} shops", payout.get(), shops.len()));
    tx.note(Note { who: &hand.work.who, deed, subject: &subject, detail: &detail }, hand.now)?;
    Ok(Progress::Done(json!({ "settlement": number, "shops": shops.len(), "payout_cents": payout.get() })))
}

/// Reads the rows up to a cut on a connection of its own.
async fn worked_out(
    app: &Arc<App>,
    work: &WorkView,
    cut: impl FnOnce(&Tx<'_>, &str) -> Result<SettlementCut, StoreError> + Send + 'static,
) -> Result<WorkedOut, StoreError> {
    let (held, number, who) = (Arc::clone(app), work.number, work.who.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let mut since = Stopwatch::start();
        let mut told = |done, total| {
            if since.elapsed() >= TELL_EVERY {
                tell(&held, number, done, total);
                since = Stopwatch::start();
            }
        };
        let mut db = Db::open(&held.database, OpenMode::ReadOnly)?;
        db.read(|tx| tx.settlement_work_out(&cut(tx, &who)?, &mut told))
    });
    reading.await.map_err(|_| StoreError::Damaged("a settlement ended without a result"))?
}
