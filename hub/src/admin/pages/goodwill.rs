//! Goodwill: how far the fund advances what lies at terminals that do not answer. One login proposes how it is to stand,
//! another one approves it.

use askama::Template;
use axum::response::{IntoResponse as _, Redirect, Response};
use cabas_protocol::Cents;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fields::{cents, typed_in};
use super::super::frame::{Fault, Frame, answer};
use super::super::refusals::refusal;
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::corrections::state_text;
use crate::core::audit::Deed;
use crate::store::{GoodwillProposal, GoodwillRule, SILENT_DAYS_MAX};

/// Proposals that are listed.
const LISTED_MAX: u32 = 50;

/// How the switch stands, or is to stand.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
pub(super) struct Switch {
    /// True where money is advanced.
    pub(super) is_on: bool,
    /// To one household, at the most.
    pub(super) per_household_cents: u64,
    /// In the whole fund, at the most.
    pub(super) total_cents: u64,
    /// After so many days without a call a terminal counts as silent.
    pub(super) silent_days: u32,
}

impl Switch {
    pub(super) const fn of(rule: GoodwillRule) -> Self {
        Self {
            is_on: rule.is_on,
            per_household_cents: rule.per_household.get(),
            total_cents: rule.total.get(),
            silent_days: rule.silent_days,
        }
    }
}

/// A proposal.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Proposal {
    /// Its number.
    proposal: u64,
    /// What it asks for.
    switch: Switch,
    /// `proposed`, `booked`, `withdrawn` or `expired`.
    state: &'static str,
    /// Who proposed it, and when.
    proposed_by: String,
    proposed_at: u64,
    /// Until when it may be approved.
    expires_at: u64,
    /// Who approved it or took it back, and when.
    ended_by: Option<String>,
    ended_at: Option<u64>,
}

impl Proposal {
    fn of(view: GoodwillProposal) -> Self {
        Self {
            proposal: view.id,
            switch: Switch::of(view.rule),
            state: view.state.name(),
            expires_at: view.expires_at().get(),
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

/// Goodwill.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Goodwill {
    /// As it stands.
    switch: Switch,
    /// Advanced and not paid back.
    outstanding_cents: u64,
    /// Newest first.
    proposals: Vec<Proposal>,
}

/// What is proposed, as people type it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Typed {
    /// `on` or `off`.
    #[serde(default)]
    switch: String,
    #[serde(default)]
    household: String,
    #[serde(default)]
    total: String,
    #[serde(default)]
    days: String,
}

#[derive(Template)]
#[template(path = "goodwill.html")]
struct GoodwillPage {
    f: Frame,
    data: Goodwill,
    typed: Typed,
}

pub(super) async fn page(visit: Visit) -> Result<Response, Wrong> {
    show(&visit, None, Vec::new()).await
}

async fn show(visit: &Visit, typed: Option<Typed>, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let now = visit.now;
    let data = visit.store(move |tx| {
        Ok(Goodwill {
            switch: Switch::of(tx.goodwill_rule()?),
            outstanding_cents: tx.exposure(now)?.goodwill.get(),
            proposals: tx.goodwill_proposals(LISTED_MAX, now)?.into_iter().map(Proposal::of).collect(),
        })
    });
    let data = data.await?;
    let switch = data.switch;
    let typed = typed.unwrap_or_else(|| Typed {
        switch: if switch.is_on { "on" } else { "off" }.to_owned(),
        household: typed_in(visit.lang, switch.per_household_cents),
        total: typed_in(visit.lang, switch.total_cents),
        days: switch.silent_days.to_string(),
    });
    answer(visit, "goodwill-title", faults, data, |f, data| GoodwillPage { f, data, typed })
}

/// What was typed, or what is to be corrected.
fn read(typed: &Typed) -> Result<GoodwillRule, Vec<Fault>> {
    let mut faults = Vec::new();
    let is_on = typed.switch == "on";
    if !is_on && typed.switch != "off" {
        faults.push(Fault { field: "switch", text: "goodwill-switch-wrong" });
    }
    let mut limit = |field, text: &str| {
        let read = cents(text).filter(|cents| !is_on || !cents.is_zero());
        if read.is_none() {
            faults.push(Fault { field, text: "goodwill-limit-wrong" });
        }
        read.unwrap_or(Cents::ZERO)
    };
    let (per_household, total) = (limit("household", &typed.household), limit("total", &typed.total));
    let silent_days = typed.days.trim().parse().ok().filter(|days| (1..=SILENT_DAYS_MAX).contains(days));
    if silent_days.is_none() {
        faults.push(Fault { field: "days", text: "goodwill-days-wrong" });
    }
    match silent_days {
        Some(silent_days) if faults.is_empty() => Ok(GoodwillRule { is_on, per_household, total, silent_days }),
        Some(_) | None => Err(faults),
    }
}

/// No program proposes: who holds its token may be the person who approves.
pub(super) async fn propose(visit: Visit, Sent(typed): Sent<Typed>) -> Result<Response, Wrong> {
    let rule = match read(&typed) {
        Ok(rule) => rule,
        Err(faults) => return show(&visit, Some(typed), faults).await,
    };
    let proposed = visit.deed(Deed::GoodwillProposed, move |tx, by| {
        let id = tx.goodwill_propose(rule, &by.who, by.now)?;
        Ok(Done { given: id, subject: format!("goodwill {id}"), detail: detail(&rule) })
    });
    match proposed.await {
        Ok(_) => Ok(Redirect::to("/goodwill").into_response()),
        Err(error) => match refusal(&error) {
            Some(text) => show(&visit, Some(typed), vec![Fault { field: "switch", text }]).await,
            None => Err(error.into()),
        },
    }
}

/// For the audit log.
pub(super) fn detail(rule: &GoodwillRule) -> String {
    let state = if rule.is_on { "on" } else { "off" };
    let (household, total) = (rule.per_household.get(), rule.total.get());
    format!("{state}, cents {household} a household, {total} in all, {} days", rule.silent_days)
}
