//! Corrections of a household's money: one login proposes one with its reason, another one books it on the page of what
//! waits. Proposing is for people alone, too: a person with a token would be two.

use askama::Template;
use axum::response::{IntoResponse as _, Redirect, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fields::cents;
use super::super::frame::{Fault, Frame, answer};
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use crate::core::audit::Deed;
use crate::store::{CorrectionOrder, CorrectionRefusal, CorrectionView, StoreError};

/// Corrections that are listed.
const LISTED_MAX: u32 = 200;
/// Givers to choose from.
const SOURCES_MAX: u32 = 50;

/// A correction.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Correction {
    /// Its number.
    correction: u64,
    /// The household's code.
    household: String,
    /// How much.
    cents: u64,
    /// True where the household gets more.
    is_more: bool,
    /// Whose money is given or saved.
    source: String,
    /// Why.
    reason: String,
    /// `proposed`, `booked` or `withdrawn`.
    state: &'static str,
    /// Who proposed it, and when.
    proposed_by: String,
    proposed_at: u64,
    /// Who booked it or took it back, and when.
    ended_by: Option<String>,
    ended_at: Option<u64>,
}

/// Corrections.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Corrections {
    /// Newest first.
    corrections: Vec<Correction>,
}

/// A correction that is proposed.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    household: String,
    /// `more` or `less`.
    #[serde(default)]
    direction: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    reason: String,
}

#[derive(Template)]
#[template(path = "corrections.html")]
struct CorrectionsPage {
    f: Frame,
    data: Corrections,
    sources: Vec<String>,
    typed: Typed,
}

/// The words of a state.
pub(super) fn state_text(state: &str) -> &'static str {
    match state {
        "booked" => "voted-is-booked",
        "closed" => "voted-is-closed",
        "withdrawn" => "voted-is-withdrawn",
        "expired" => "voted-is-expired",
        _ => "voted-is-proposed",
    }
}

/// How what two people do stands.
pub(super) const fn state(is_booked: bool, ended_by: Option<&String>) -> &'static str {
    match (is_booked, ended_by) {
        (true, _) => "booked",
        (false, Some(_)) => "withdrawn",
        (false, None) => "proposed",
    }
}

impl Correction {
    fn of(view: CorrectionView) -> Self {
        Self {
            correction: view.id,
            household: view.household,
            cents: view.cents.get(),
            is_more: view.is_up,
            source: view.source,
            reason: view.reason,
            state: state(view.is_booked, view.ended_by.as_ref()),
            proposed_by: view.proposed_by,
            proposed_at: view.proposed_at.get(),
            ended_by: view.ended_by,
            ended_at: view.ended_at.map(cabas_protocol::Timestamp::get),
        }
    }

    fn state_text(&self) -> &'static str {
        state_text(self.state)
    }
}

pub(super) async fn list(visit: Visit) -> Result<Response, Wrong> {
    show(&visit, Typed::default(), Vec::new()).await
}

async fn show(visit: &Visit, typed: Typed, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let (views, sources) = visit.store(|tx| Ok((tx.corrections(LISTED_MAX)?, tx.source_names(SOURCES_MAX)?))).await?;
    let data = Corrections { corrections: views.into_iter().map(Correction::of).collect() };
    answer(visit, "corrections-title", faults, data, |f, data| CorrectionsPage { f, data, sources, typed })
}

/// No program proposes: who holds its token may be the person who approves.
pub(super) async fn propose(visit: Visit, Sent(typed): Sent<Typed>) -> Result<Response, Wrong> {
    let (amount, reason) = (cents(&typed.amount).filter(|cents| !cents.is_zero()), typed.reason.trim().to_owned());
    let is_up = match typed.direction.as_str() {
        "more" => Some(true),
        "less" => Some(false),
        _ => None,
    };
    let sources = visit.store(|tx| tx.source_names(SOURCES_MAX)).await?;
    let mut faults = Vec::new();
    for (field, text, is_wrong) in [
        ("direction", "corrections-direction-wrong", is_up.is_none()),
        ("amount", "corrections-amount-wrong", amount.is_none()),
        ("source", "corrections-source-wrong", !sources.contains(&typed.source)),
    ] {
        if is_wrong {
            faults.push(Fault { field, text });
        }
    }
    let (Some(cents), Some(is_up), true) = (amount, is_up, faults.is_empty()) else {
        return show(&visit, typed, faults).await;
    };
    let (household, source) = (typed.household.trim().to_owned(), typed.source.clone());
    let proposed = visit.deed(Deed::CorrectionProposed, move |tx, by| {
        let who = by.who.clone();
        let order = CorrectionOrder { household: household.clone(), cents, is_up, source, reason, by: who };
        let id = tx.correction_propose(&order, by.now)?;
        let direction = if is_up { "more" } else { "less" };
        Ok(Done {
            given: id,
            subject: format!("correction {id}"),
            detail: format!("household {household}, cents {cents} {direction}", cents = cents.get()),
        })
    });
    match proposed.await {
        Ok(_) => Ok(Redirect::to("/corrections").into_response()),
        Err(StoreError::Correction(CorrectionRefusal::NoHousehold)) => {
            show(&visit, typed, vec![Fault { field: "household", text: "corrections-household-wrong" }]).await
        }
        Err(StoreError::Text("reason")) => {
            show(&visit, typed, vec![Fault { field: "reason", text: "voted-reason-wrong" }]).await
        }
        Err(error) => Err(error.into()),
    }
}
