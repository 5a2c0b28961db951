//! Closing the enrolment of a terminal that will not come back: one login proposes it at the newest row that the hub has,
//! another one closes it at the same row.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use cabas_protocol::{ChainHead, Epoch, Hash, Seq, TerminalId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::frame::{Frame, answer};
use super::super::overview::standing_name;
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::corrections::state_text;
use crate::core::audit::Deed;
use crate::core::roles::Role;
use crate::store::{ClosableView, CloseOrder, ClosingView, StoreError};

/// Closings that are listed.
const LISTED_MAX: u32 = 200;

/// A closing.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Closing {
    /// Its number.
    closing: u64,
    /// The terminal and its enrolment.
    terminal: u32,
    epoch: u32,
    /// Rows up to here stand.
    at_seq: u32,
    at_hash: String,
    /// `proposed`, `closed` or `withdrawn`.
    state: &'static str,
    /// Who proposed it, and when.
    proposed_by: String,
    proposed_at: u64,
    /// Who closed or withdrew it, and when.
    ended_by: Option<String>,
    ended_at: Option<u64>,
}

impl Closing {
    fn of(view: ClosingView) -> Self {
        let (ended_by, ended_at) = view.ended.unzip();
        Self {
            closing: view.id,
            terminal: view.terminal.get(),
            epoch: view.epoch.get(),
            at_seq: view.at.seq.get(),
            at_hash: view.at.hash.to_string(),
            state: view.state,
            proposed_by: view.proposed_by,
            proposed_at: view.proposed_at.get(),
            ended_by,
            ended_at: ended_at.map(cabas_protocol::Timestamp::get),
        }
    }

    fn state_text(&self) -> &'static str {
        state_text(self.state)
    }
}

/// An enrolment that may be closed.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Open {
    terminal: u32,
    shop_name: String,
    epoch: u32,
    /// `live`, `quarantined` or `revoked`.
    standing: &'static str,
    /// The newest row that the hub has.
    at_seq: u32,
    at_hash: String,
    /// What lies there and goes back to the households.
    left_cents: u64,
    /// When it called last.
    last_contact_at: Option<u64>,
    /// True where a closing waits for another person.
    is_proposed: bool,
}

/// Closings, and what may be closed.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Closings {
    /// Enrolments that are not closed, by terminal.
    open: Vec<Open>,
    /// Newest first.
    closings: Vec<Closing>,
}

/// The enrolments of one terminal that may be closed.
#[derive(Debug, Serialize)]
struct Asking {
    terminal: u32,
    open: Vec<Open>,
}

/// What is to be closed, as it was shown.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Meant {
    epoch: u32,
    at_seq: u32,
    at_hash: String,
}

#[derive(Template)]
#[template(path = "closings.html")]
struct ClosingsPage {
    f: Frame,
    data: Closings,
    may_propose: bool,
}

#[derive(Template)]
#[template(path = "closing_ask.html")]
struct AskPage {
    f: Frame,
    data: Asking,
}

fn open(terminal: TerminalId, shop_name: &str, view: &ClosableView) -> Open {
    Open {
        terminal: terminal.get(),
        shop_name: shop_name.to_owned(),
        epoch: view.epoch.get(),
        standing: standing_name(view.standing),
        at_seq: view.at.seq.get(),
        at_hash: view.at.hash.to_string(),
        left_cents: view.left.get(),
        last_contact_at: view.contact_at.map(cabas_protocol::Timestamp::get),
        is_proposed: view.is_proposed,
    }
}

pub(super) async fn list(visit: Visit) -> Result<Response, Wrong> {
    let read = visit.store(|tx| {
        let mut all = Vec::new();
        for view in tx.terminals()? {
            let closable = tx.closable(view.terminal)?;
            all.extend(closable.iter().map(|epoch| open(view.terminal, &view.shop_name, epoch)));
        }
        Ok(Closings { open: all, closings: tx.closings(LISTED_MAX)?.into_iter().map(Closing::of).collect() })
    });
    let data = read.await?;
    let may_propose = visit.standing.role() == Some(Role::Admin);
    answer(&visit, "closings-title", Vec::new(), data, |f, data| ClosingsPage { f, data, may_propose })
}

pub(super) async fn ask(visit: Visit, Path(terminal): Path<u32>) -> Result<Response, Wrong> {
    let id = TerminalId::new(terminal);
    let read = visit.store(move |tx| {
        let closable = tx.closable(id)?;
        let views = tx.terminals()?;
        let shop = views.iter().find(|view| view.terminal == id).map_or("", |view| view.shop_name.as_str());
        Ok(Asking { terminal, open: closable.iter().map(|epoch| open(id, shop, epoch)).collect() })
    });
    let data = read.await?;
    answer(&visit, "closing-ask-title", Vec::new(), data, |f, data| AskPage { f, data })
}

/// The row that somebody means; a hash that is none means no row.
pub(super) fn meant(seq: u32, hash: &str) -> Result<ChainHead, StoreError> {
    let hash = Hash::from_hex(hash).ok_or(StoreError::Text("at_hash"))?;
    Ok(ChainHead { seq: Seq::new(seq), hash })
}

/// No program proposes: who holds its token may be the person who approves.
pub(super) async fn propose(
    visit: Visit,
    Path(terminal): Path<u32>,
    Sent(sent): Sent<Meant>,
) -> Result<Response, Wrong> {
    let at = meant(sent.at_seq, &sent.at_hash)?;
    let proposed = visit.deed(Deed::ClosingProposed, move |tx, by| {
        let epoch = Some(Epoch::new(sent.epoch));
        let order = CloseOrder { terminal: TerminalId::new(terminal), epoch, at: Some(at), by: by.who.clone() };
        tx.terminal_close_propose(&order, by.now)?;
        let subject = format!("terminal {terminal} epoch {}", sent.epoch);
        Ok(Done { given: (), subject, detail: format!("row {}", sent.at_seq) })
    });
    proposed.await?;
    Ok(Redirect::to("/approvals").into_response())
}
