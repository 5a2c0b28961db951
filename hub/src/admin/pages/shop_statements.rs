//! A shop's own settlements: each line, what was paid, the signed file. Never another shop's.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::frame::{Frame, answer};
use super::super::visit::{Visit, Wrong};
use super::settlement_view::{self as view, Asked, LISTED_MAX, ShopSums};
use super::settlements::StatementPage;
use crate::bank;

/// A shop's settlements, newest first.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Own {
    /// Settled sales that no settlement has closed yet.
    owed_cents: u64,
    /// The account that is paid, masked.
    account: Option<String>,
    settlements: Vec<OwnLine>,
}

/// One of them.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct OwnLine {
    settlement: u32,
    closed_at: u64,
    sums: ShopSums,
    /// `due`, `ordered`, `paid` or `back`; nothing where nothing is paid.
    state: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "shop_statements.html")]
struct OwnPage {
    f: Frame,
    data: Own,
}

fn own(visit: &Visit) -> Result<String, Wrong> {
    visit.standing.shop().map(str::to_owned).ok_or(Wrong::Nobody)
}

pub(super) async fn list(visit: Visit) -> Result<Response, Wrong> {
    let shop = own(&visit)?;
    let read = visit.store(move |tx| {
        let account = tx.shop_accounts(&shop)?.into_iter().next();
        Ok((tx.shop_owed(&shop)?, account, tx.settlements_of(&shop, LISTED_MAX)?))
    });
    let (owed, account, settlements) = read.await?;
    let settlements = settlements.into_iter().map(|one| OwnLine {
        settlement: one.number,
        closed_at: one.closed_at.get(),
        sums: one.statement.into(),
        state: one.state,
    });
    let data = Own {
        owed_cents: owed.get(),
        account: account.map(|account| bank::masked(&account.iban)),
        settlements: settlements.collect(),
    };
    answer(&visit, "shop-statements-title", Vec::new(), data, |f, data| OwnPage { f, data })
}

pub(super) async fn statement(
    visit: Visit,
    Path(number): Path<u32>,
    Query(asked): Query<Asked>,
) -> Result<Response, Wrong> {
    let data = view::statement(&visit, number, own(&visit)?, asked.from).await?;
    let (here, back) = (format!("/statements/{number}"), "/statements".to_owned());
    answer(&visit, "statement-title", Vec::new(), data, |f, data| StatementPage { f, data, here, back })
}

pub(super) async fn statement_file(visit: Visit, Path(number): Path<u32>) -> Result<Response, Wrong> {
    view::signed_file(&visit, number, own(&visit)?).await
}
