//! The page that checks a receipt without paper, for whoever holds one.
//!
//! The receipt stands behind the `#` of the address, which a browser does not send: the page asks about it by a form, so
//! that no log of a server or a proxy has it. It says what the receipt says and whether it is authentic, and nothing of
//! what became of it: that is between the member, the shop and the fund, and not for whoever finds a code.

use askama::Template;
use axum::Form;
use axum::http::StatusCode;
use axum::response::Response;
use cabas_protocol::CategoryId;
use cabas_protocol::e_receipt::of_text;
use serde::Deserialize;

use super::super::frame::{Fault, Frame, page as show};
use super::super::visit::{Visit, Wrong};
use super::super::words::Lang;
use crate::core::receipts::ReceiptVerdict;
use crate::store::{ReceiptCheck, SignedReceipt, StoreError};

/// Receipts that one address may check in the stretch of [`super::super::tries`]: many phones share one.
pub(super) const CHECKS_MAX: u32 = 120;

#[derive(Template)]
#[template(path = "receipt.html")]
struct ReceiptPage {
    f: Frame,
    text: String,
    shown: Option<Shown>,
}

/// What is sent.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    receipt: String,
}

/// What the page says.
enum Shown {
    NotOurs,
    Signed(Box<Facts>),
}

struct Facts {
    verdict: &'static str,
    is_authentic: bool,
    closed_since: Option<u64>,
    shop: String,
    kind: &'static str,
    at: u64,
    terminal: u32,
    number: String,
    fund_cents: u64,
    member_cents: u64,
    cents: u64,
    lines: Vec<Line>,
}

struct Line {
    label: String,
    cents: u64,
    fund_cents: u64,
    member_cents: u64,
}

pub(super) async fn form(visit: Visit) -> Result<Response, Wrong> {
    show(StatusCode::OK, &ReceiptPage { f: Frame::new(&visit, "receipt-title"), text: String::new(), shown: None })
}

pub(super) async fn check(visit: Visit, Form(asked): Form<Asked>) -> Result<Response, Wrong> {
    if !visit.app.site.receipts.take_up_to(visit.address, visit.now, CHECKS_MAX) {
        return refuse(&visit, StatusCode::TOO_MANY_REQUESTS, "receipt-too-many", asked);
    }
    let Ok(signed) = of_text(&asked.receipt) else {
        return refuse(&visit, StatusCode::UNPROCESSABLE_ENTITY, "receipt-unread", asked);
    };
    let shown = match visit.store(move |tx| tx.receipt_check(&signed)).await? {
        ReceiptCheck::Unreadable => {
            return refuse(&visit, StatusCode::UNPROCESSABLE_ENTITY, "receipt-unread", asked);
        }
        ReceiptCheck::NotOurs => Shown::NotOurs,
        ReceiptCheck::Signed(found) => Shown::Signed(Box::new(facts(&visit, *found)?)),
    };
    let f = Frame::new(&visit, "receipt-title");
    show(StatusCode::OK, &ReceiptPage { f, text: String::new(), shown: Some(shown) })
}

fn refuse(visit: &Visit, status: StatusCode, text: &'static str, asked: Asked) -> Result<Response, Wrong> {
    let f = Frame::new(visit, "receipt-title").with_faults(vec![Fault { field: "receipt", text }]);
    show(status, &ReceiptPage { f, text: asked.receipt, shown: None })
}

fn facts(visit: &Visit, found: SignedReceipt) -> Result<Facts, Wrong> {
    let (receipt, verdict) = (&found.receipt, found.verdict);
    let (fund, member) = (receipt.fund().map_err(StoreError::from)?, receipt.member().map_err(StoreError::from)?);
    let label = |id: CategoryId| {
        let category = found.categories.iter().find(|category| category.id == id);
        category.map_or_else(
            || visit.app.site.words.with(visit.lang, "receipt-category", &[("number", &id.to_string())]),
            |category| match visit.lang {
                Lang::French => category.label_fr.clone(),
                Lang::English => category.label_en.clone(),
            },
        )
    };
    let lines = receipt.lines.iter().map(|line| {
        let (fund_cents, member_cents) = (line.fund.get(), line.member.get());
        Line { label: label(line.category), cents: fund_cents.saturating_add(member_cents), fund_cents, member_cents }
    });
    Ok(Facts {
        verdict: verdict.name(),
        is_authentic: verdict.is_authentic(),
        closed_since: match verdict {
            ReceiptVerdict::Closed { since } => Some(since.get()),
            ReceiptVerdict::Received
            | ReceiptVerdict::NotReceived
            | ReceiptVerdict::Disputed
            | ReceiptVerdict::Revoked
            | ReceiptVerdict::Contradicted => None,
        },
        lines: lines.collect(),
        shop: found.shop,
        kind: receipt.kind.name(),
        at: receipt.at.get(),
        terminal: receipt.terminal.get(),
        number: receipt.stan.to_string(),
        fund_cents: fund.get(),
        member_cents: member.get(),
        cents: fund.plus(member).map_err(StoreError::from)?.get(),
    })
}

/// What words of this page are put together from.
#[cfg(test)]
pub(in crate::admin) fn made() -> Vec<String> {
    use cabas_protocol::Timestamp;
    let verdicts = [
        ReceiptVerdict::Received,
        ReceiptVerdict::NotReceived,
        ReceiptVerdict::Disputed,
        ReceiptVerdict::Closed { since: Timestamp::new(0) },
        ReceiptVerdict::Revoked,
        ReceiptVerdict::Contradicted,
    ];
    let verdicts = verdicts.map(|verdict| format!("receipt-is-{}", verdict.name().replace('_', "-")));
    let kinds = ["sale", "reversal", "refund"].map(|kind| format!("receipt-kind-{kind}"));
    verdicts.into_iter().chain(kinds).collect()
}
