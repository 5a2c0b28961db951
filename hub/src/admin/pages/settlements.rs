//! Settlements: what each shop is owed, prepared by one person and approved by another one. No program closes one.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use cabas_protocol::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::frame::{Frame, answer, page};
use super::super::sent::Sent;
use super::super::visit::{By, Done, Visit, Wrong};
use super::settlement_view::{self as view, Asked, Draft, LISTED_MAX, Statement};
use super::works;
use crate::core::audit::Deed;
use crate::store::{BankRefusal, OpenPreparation, StoreError, Tx, WorkView};
use crate::works::Job;

/// The settlements, newest first.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Settlements {
    /// The one that waits for a second person.
    prepared: Option<Waiting>,
    settlements: Vec<Closed>,
}

/// A settlement that waits for a second person.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Waiting {
    /// Which preparation it is.
    preparation: u64,
    settlement: u32,
    prepared_by: String,
    prepared_at: u64,
    payout_cents: u64,
}

/// A settlement that was closed.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Closed {
    settlement: u32,
    closed_at: Option<u64>,
    payout_cents: u64,
    shops: usize,
    /// How many payouts stand how.
    due: usize,
    ordered: usize,
    paid: usize,
    back: usize,
}

/// What the next settlement would pay, or will where it was prepared.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Next {
    /// Who prepared it, where somebody did.
    prepared: Option<Waiting>,
    /// Nothing where there is nothing new.
    settlement: Option<Draft>,
    /// The work on it that is under way, where there is one: see `/api/works/{work}`.
    under_way: Option<u32>,
    /// True after a restore, until somebody has asked the bank what was paid after the backup.
    payments_unknown: bool,
}

#[derive(Template)]
#[template(path = "settlements.html")]
struct ListPage {
    f: Frame,
    data: Settlements,
}

#[derive(Template)]
#[template(path = "settlement_next.html")]
struct NextPage {
    f: Frame,
    data: Next,
    is_mine: bool,
}

#[derive(Template)]
#[template(path = "settlement_approve.html")]
struct ApprovePage {
    f: Frame,
    data: Next,
    is_mine: bool,
}

#[derive(Template)]
#[template(path = "statement.html")]
pub(super) struct StatementPage {
    pub(super) f: Frame,
    pub(super) data: Statement,
    /// Where this page is.
    pub(super) here: String,
    /// Where one came from.
    pub(super) back: String,
}

impl From<OpenPreparation> for Waiting {
    fn from(open: OpenPreparation) -> Self {
        Self {
            preparation: open.id,
            settlement: open.number,
            prepared_by: open.by,
            prepared_at: open.at.get(),
            payout_cents: open.payout.get(),
        }
    }
}

pub(super) async fn list(visit: Visit) -> Result<Response, Wrong> {
    let read = visit.store(|tx| {
        let prepared = tx.settlement_open()?;
        let closed = tx.settlements(LISTED_MAX)?.into_iter().map(|settlement| {
            let payouts = tx.payouts(settlement.number)?;
            Ok::<_, StoreError>((settlement, payouts))
        });
        Ok((prepared, closed.collect::<Result<Vec<_>, _>>()?))
    });
    let (prepared, closed) = read.await?;
    let settlements = closed.into_iter().map(|(settlement, payouts)| {
        let count = |state: &str| payouts.iter().filter(|payout| payout.state == state).count();
        Closed {
            settlement: settlement.number,
            closed_at: settlement.closed_at.map(Timestamp::get),
            payout_cents: settlement.payout.get(),
            shops: settlement.shops.len(),
            due: count("due"),
            ordered: count("ordered"),
            paid: count("paid"),
            back: count("back"),
        }
    });
    let data = Settlements { prepared: prepared.map(Waiting::from), settlements: settlements.collect() };
    answer(&visit, "settlements-title", Vec::new(), data, |f, data| ListPage { f, data })
}

fn read_next(tx: &Tx<'_>) -> Result<Next, StoreError> {
    let payments_unknown = tx.restore_view()?.is_some_and(|life| !life.payments_checked);
    let prepared = tx.settlement_open()?;
    let cut = prepared.as_ref().map_or_else(|| tx.settlement_cut(), |open| Ok(open.cut.clone()))?;
    let settlement = tx.settlement_preview(&cut)?.map(Draft::from);
    Ok(Next { prepared: prepared.map(Waiting::from), settlement, under_way: under_way(tx)?, payments_unknown })
}

/// The work on the next settlement that has not ended.
fn under_way(tx: &Tx<'_>) -> Result<Option<u32>, StoreError> {
    let is_ours = |work: &WorkView| {
        let job = serde_json::from_str::<Job>(&work.job);
        matches!(job, Ok(Job::SettlementPrepare | Job::SettlementApprove { .. }))
    };
    Ok(tx.works_open()?.into_iter().find(is_ours).map(|work| work.number))
}

/// Asks for work on the next settlement, one at a time.
async fn ask(
    visit: &Visit,
    (deed, job): (Deed, Job),
    may: impl FnOnce(&mut Tx<'_>, &By) -> Result<(String, &'static str), StoreError> + Send + 'static,
) -> Result<Response, Wrong> {
    let app = Arc::clone(&visit.app);
    let asked = visit.deed(deed, move |tx, by| {
        let (subject, detail) = may(tx, by)?;
        if let Some(work) = under_way(tx)? {
            return Err(BankRefusal::UnderWay(work).into());
        }
        let work = job.ask(&app, tx, None, by)?;
        Ok(Done { given: works::Asked { work }, subject, detail: detail.to_owned() })
    });
    let asked: works::Asked = asked.await?;
    visit.done(&asked, &asked.path())
}

fn is_mine(visit: &Visit, data: &Next) -> bool {
    data.prepared.as_ref().is_some_and(|waiting| waiting.prepared_by == visit.standing.name())
}

pub(super) async fn next(visit: Visit) -> Result<Response, Wrong> {
    let data = visit.read_beside(read_next).await?;
    let is_mine = is_mine(&visit, &data);
    answer(&visit, "settlement-next-title", Vec::new(), data, |f, data| NextPage { f, data, is_mine })
}

/// What is sent to prepare one.
#[derive(Deserialize)]
pub(super) struct Prepare {
    /// `yes` where the bank was asked after a restore.
    #[serde(default)]
    payments_checked: String,
}

/// One person asks for the next settlement to be fixed: long work in their name. No program does: it is the first of two
/// people.
pub(super) async fn prepare(visit: Visit, Sent(sent): Sent<Prepare>) -> Result<Response, Wrong> {
    let checked = sent.payments_checked == "yes";
    ask(&visit, (Deed::SettlementPrepareAsked, Job::SettlementPrepare), move |tx, by| {
        if checked {
            tx.payments_checked()?;
        }
        tx.settlement_may_prepare(&by.who)?;
        if tx.settlement_is_idle()? {
            return Err(BankRefusal::NothingNew.into());
        }
        Ok(("next settlement".to_owned(), if checked { "payments checked at the bank" } else { "" }))
    })
    .await
}

/// Asks once more, with all that will be booked.
pub(super) async fn ask_approve(visit: Visit) -> Result<Response, Wrong> {
    let data = visit.read_beside(read_next).await?;
    let is_mine = is_mine(&visit, &data);
    page(StatusCode::OK, &ApprovePage { f: Frame::new(&visit, "settlement-approve-title"), data, is_mine })
}

/// The settlement, and the preparation that was looked at.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct Seen {
    settlement: u32,
    preparation: u64,
}

/// Another person approves what they saw: long work in their name, and it is booked once. No program does.
pub(super) async fn approve(visit: Visit, Sent(seen): Sent<Seen>) -> Result<Response, Wrong> {
    let Seen { settlement, preparation } = seen;
    let job = Job::SettlementApprove { settlement, preparation };
    ask(&visit, (Deed::SettlementApproveAsked, job), move |tx, by| {
        tx.settlement_may_approve((settlement, Some(preparation)), &by.who)?;
        Ok((format!("settlement {settlement}"), ""))
    })
    .await
}

/// Takes back what was prepared: anybody of the office may, for it only puts the settlement off. No program does.
pub(super) async fn withdraw(visit: Visit, Sent(seen): Sent<Seen>) -> Result<Response, Wrong> {
    let Seen { settlement, preparation } = seen;
    let withdrawn = visit.deed(Deed::SettlementWithdrawn, move |tx, by| {
        let open = tx.settlement_open()?;
        if open.is_some_and(|open| open.id != preparation) {
            return Err(BankRefusal::Outdated(settlement).into());
        }
        tx.settlement_withdraw(settlement, &by.who, by.now)?;
        Ok(Done { given: settlement, subject: format!("settlement {settlement}"), detail: String::new() })
    });
    withdrawn.await?;
    visit.done(&settlement, "/settlements")
}

pub(super) async fn statement(
    visit: Visit,
    Path((number, shop)): Path<(u32, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Wrong> {
    let (here, back) = (format!("/settlements/{number}/shops/{shop}"), format!("/settlements/{number}"));
    let data = view::statement(&visit, number, shop, asked.from).await?;
    answer(&visit, "statement-title", Vec::new(), data, |f, data| StatementPage { f, data, here, back })
}

pub(super) async fn statement_file(visit: Visit, Path((number, shop)): Path<(u32, String)>) -> Result<Response, Wrong> {
    view::signed_file(&visit, number, shop).await
}
