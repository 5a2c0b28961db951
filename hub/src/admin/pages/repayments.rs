//! What a purse card counted as spent and no shop claims: one login proposes to give it back, another one books it.

use askama::Template;
use axum::extract::Query;
use axum::response::{IntoResponse as _, Redirect, Response};
use cabas_protocol::Cents;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::frame::{Fault, Frame, answer};
use super::super::refusals::refusal;
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::corrections::{state, state_text};
use crate::core::audit::Deed;
use crate::core::claims::Stretch;
use crate::store::{RepaymentOrder, RepaymentRefusal, RepaymentView, StoreError, UnclaimedView};

/// Repayments that are listed.
const LISTED_MAX: u32 = 200;

/// A repayment.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Repayment {
    /// Its number.
    repayment: u64,
    /// The number printed on the card.
    card_number: u32,
    /// How much.
    cents: u64,
    /// The stretch of the card's counter.
    from_cents: u64,
    to_cents: u64,
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

/// A stretch of a card's counter that no shop claims.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
pub(super) struct Unclaimed {
    /// Above this cent.
    from_cents: u64,
    /// Up to this one.
    to_cents: u64,
    /// How much.
    cents: u64,
    /// What shops were told by cards of sales in it: their own rows may still come.
    told: usize,
}

/// Repayments, and what one card counted without a claim.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Repayments {
    /// Newest first.
    repayments: Vec<Repayment>,
    /// What no shop claims of the card that was asked for; none where none was.
    unclaimed: Option<Vec<Unclaimed>>,
}

/// Which card.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Asked {
    /// The number printed on it.
    #[serde(default)]
    card: String,
}

/// A repayment that is proposed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    card: String,
    from_cents: u64,
    to_cents: u64,
    #[serde(default)]
    reason: String,
}

#[derive(Template)]
#[template(path = "repayments.html")]
struct RepaymentsPage {
    f: Frame,
    data: Repayments,
    card: String,
    reason: String,
}

impl Repayment {
    fn of(view: RepaymentView) -> Self {
        Self {
            repayment: view.id,
            card_number: view.card,
            cents: view.to.minus_or_zero(view.from).get(),
            from_cents: view.from.get(),
            to_cents: view.to.get(),
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

fn unclaimed(view: &UnclaimedView) -> Unclaimed {
    Unclaimed {
        from_cents: view.from.get(),
        to_cents: view.to.get(),
        cents: view.to.minus_or_zero(view.from).get(),
        told: view.told.len(),
    }
}

pub(super) async fn list(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    show(&visit, asked.card, String::new(), Vec::new()).await
}

async fn show(visit: &Visit, card: String, reason: String, mut faults: Vec<Fault>) -> Result<Response, Wrong> {
    let number = card.trim().parse::<u32>().ok();
    let read = visit.store(move |tx| {
        let found = match number.map(|number| tx.unclaimed(number)) {
            Some(Err(StoreError::Repayment(RepaymentRefusal::NoCard(_)))) | None => None,
            Some(found) => Some(found?),
        };
        Ok((tx.repayments(LISTED_MAX)?, found))
    });
    let (views, found) = read.await?;
    if found.is_none() && !card.trim().is_empty() && faults.is_empty() {
        faults.push(Fault { field: "card", text: "repayments-card-wrong" });
    }
    let data = Repayments {
        repayments: views.into_iter().map(Repayment::of).collect(),
        unclaimed: found.map(|found| found.iter().map(unclaimed).collect()),
    };
    answer(visit, "repayments-title", faults, data, |f, data| RepaymentsPage { f, data, card, reason })
}

/// No program proposes: who holds its token may be the person who approves.
pub(super) async fn propose(visit: Visit, Sent(typed): Sent<Typed>) -> Result<Response, Wrong> {
    let stretch = Cents::new(typed.from_cents).ok().zip(Cents::new(typed.to_cents).ok());
    let stretch = stretch.and_then(|(from, to)| Stretch::between(from, to));
    let (Ok(card), Some(stretch)) = (typed.card.trim().parse::<u32>(), stretch) else {
        let fault = Fault { field: "card", text: "repayments-card-wrong" };
        return show(&visit, typed.card, typed.reason, vec![fault]).await;
    };
    let reason = typed.reason.trim().to_owned();
    let proposed = visit.deed(Deed::RepaymentProposed, move |tx, by| {
        let id = tx.repayment_propose(&RepaymentOrder { card, stretch, reason, by: by.who.clone() }, by.now)?;
        let detail = format!("card {card}, cents {}", stretch.cents().get());
        Ok(Done { given: id, subject: format!("repayment {id}"), detail })
    });
    let fault = match proposed.await {
        Ok(_) => return Ok(Redirect::to("/repayments").into_response()),
        Err(StoreError::Text("reason")) => Fault { field: "reason", text: "voted-reason-wrong" },
        Err(error) => match refusal(&error) {
            Some(text) => Fault { field: "card", text },
            None => return Err(error.into()),
        },
    };
    show(&visit, typed.card, typed.reason, vec![fault]).await
}
