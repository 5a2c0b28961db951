//! What the bank took and no payout explains, a fee for one: set aside with a reason, and taken up again in the same way.

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
use crate::store::{BankRefusal, SetAside, StoreError};

/// That an entry was set aside, or taken up again.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Aside {
    /// False where it was taken up again.
    pub(super) is_aside: bool,
    pub(super) reason: String,
    pub(super) said_by: String,
    pub(super) said_at: u64,
}

pub(super) fn aside(said: SetAside) -> Aside {
    let SetAside { is_aside, reason, said_by, said_at } = said;
    Aside { is_aside, reason, said_by, said_at: said_at.get() }
}

/// Why.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Why {
    #[serde(default)]
    reason: String,
}

/// How an entry stands.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Stands {
    entry: u64,
    is_aside: bool,
}

pub(super) async fn set_aside(visit: Visit, Path(entry): Path<u64>, Sent(why): Sent<Why>) -> Result<Response, Wrong> {
    say(&visit, entry, why, true).await
}

pub(super) async fn take_up(visit: Visit, Path(entry): Path<u64>, Sent(why): Sent<Why>) -> Result<Response, Wrong> {
    say(&visit, entry, why, false).await
}

/// The reason is shown with the entry; the audit log does not repeat it.
async fn say(visit: &Visit, entry: u64, why: Why, is_aside: bool) -> Result<Response, Wrong> {
    let (app, reason) = (Arc::clone(&visit.app), why.reason.clone());
    let deed = if is_aside { Deed::EntrySetAside } else { Deed::EntryTakenUp };
    let said = visit.deed(deed, move |tx, by| {
        tx.bank_set_aside(entry, is_aside, (&reason, &by.who), (&app.secrets, by.now))?;
        let given = Stands { entry, is_aside };
        Ok(Done { given, subject: format!("bank entry {entry}"), detail: String::new() })
    });
    let text = match said.await {
        Ok(given) => return visit.done(&given, &format!("/bank/entries/{entry}")),
        Err(StoreError::Text(_)) => "aside-reason-wrong",
        Err(StoreError::Bank(BankRefusal::NotADebit(_))) => "refusal-not-a-debit",
        Err(StoreError::Bank(BankRefusal::NamesPayout(_))) => "refusal-names-payout",
        Err(error) => return Err(error.into()),
    };
    let typed = Typed { reason: why.reason, ..Typed::default() };
    show_entry(visit, entry, typed, vec![Fault { field: "reason", text }]).await
}
