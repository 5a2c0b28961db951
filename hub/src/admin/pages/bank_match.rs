//! What an entry of the bank is said to be: a payout that it paid or brought back.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::frame::Fault;
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::bank::{Typed, show_entry};
use crate::core::audit::Deed;
use crate::store::{BankRefusal, PayoutRef, StoreError, WhoseWord};

/// What an entry is.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Meant {
    /// A settlement's number, for all its payouts that are open, or that and a shop's code: `3`, `3/biocoop-bachut`.
    #[serde(default)]
    payout: String,
}

/// That an entry was matched.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Matched {
    entry: u64,
    settlement: u32,
    shop: Option<String>,
    /// True where another person must agree first.
    waits: bool,
}

/// Says that an open entry paid a payout, or brought it back. That it brought something back is a person's word, and where the
/// bank does not say so, two people's: no program says it.
pub(super) async fn match_entry(
    visit: Visit,
    Path(number): Path<u64>,
    Sent(sent): Sent<Meant>,
) -> Result<Response, Wrong> {
    let payout = sent.payout.trim().to_owned();
    let (settlement, shop) = match payout.split_once('/') {
        Some((settlement, shop)) => (settlement.trim().parse(), Some(shop.trim().to_owned())),
        None => (payout.parse(), None),
    };
    let typed = Typed { payout, ..Typed::default() };
    let Ok(settlement) = settlement else {
        return show_entry(&visit, number, typed, vec![Fault { field: "payout", text: "bank-payout-wrong" }]).await;
    };
    match said(&visit, number, PayoutRef { settlement, shop }).await {
        Ok(matched) => visit.done(&matched, if matched.waits { "/approvals" } else { "/bank" }),
        Err(StoreError::UnknownShop) => {
            show_entry(&visit, number, typed, vec![Fault { field: "payout", text: "refusal-no-payout" }]).await
        }
        Err(error @ StoreError::Bank(BankRefusal::EntryExplained(_) | BankRefusal::NoEntry(_))) => Err(error.into()),
        Err(error) => match super::super::refusals::refusal(&error) {
            Some(text) => show_entry(&visit, number, typed, vec![Fault { field: "payout", text }]).await,
            None => Err(error.into()),
        },
    }
}

/// Books it, or keeps it for another person to agree.
async fn said(visit: &Visit, number: u64, meant: PayoutRef) -> Result<Matched, StoreError> {
    let (app, asked) = (Arc::clone(&visit.app), meant.clone());
    let word = visit.store(move |tx| tx.bank_whose_word(&app.secrets, number, &asked)).await;
    if visit.is_program() && matches!(word, Ok(WhoseWord::Person | WhoseWord::TwoPeople)) {
        return Err(BankRefusal::NotByProgram(number).into());
    }
    // What does not fit is told below, where what was done before is known.
    let waits = matches!(word, Ok(WhoseWord::TwoPeople));
    let app = Arc::clone(&visit.app);
    let deed = if waits { Deed::ReturnProposed } else { Deed::EntryMatched };
    let said = visit.deed(deed, move |tx, by| {
        if waits {
            tx.payout_return_say(number, &meant, &by.who, by.now)?;
        } else {
            tx.bank_match(number, &meant, (&by.who, None), (&app.secrets, by.now))?;
        }
        let given = Matched { entry: number, settlement: meant.settlement, shop: meant.shop, waits };
        let shop = given.shop.as_deref().unwrap_or("all that are open");
        let detail = format!("settlement {}: {shop}", given.settlement);
        Ok(Done { given, subject: format!("bank entry {number}"), detail })
    });
    said.await
}
