//! The fund at one glance, and what is to be done.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::super::frame::{Frame, page as show};
use super::super::overview::{self, Overview};
use super::super::visit::{Visit, Wrong};
use crate::core::roles::Role;

/// A live terminal that has not called for so long is looked after, in seconds.
pub(super) const STALE_S: u64 = overview::STALE_S;

#[derive(Template)]
#[template(path = "dashboard.html")]
struct Dashboard {
    f: Frame,
    overview: Overview,
    exposure: Vec<(&'static str, u64)>,
    exposure_cents: u64,
    /// Terminals that need a person's eyes: their numbers and shops, and why.
    todo: Vec<Todo>,
    may_see_terminals: bool,
    /// How many deeds wait for a second person; nothing for those who may not look.
    waiting: u64,
}

struct Todo {
    terminal: u32,
    shop_name: String,
    standing: Option<&'static str>,
    last_contact_at: Option<u64>,
    is_stale: bool,
    alarms: Vec<(&'static str, u64)>,
}

pub(super) async fn page(visit: Visit) -> Result<Response, Wrong> {
    let now = visit.now;
    let read = visit.store(move |tx| {
        let exposure = tx.exposure(now)?;
        Ok((overview::read(tx)?, exposure.total()?, exposure, tx.waiting_count(now)?))
    });
    let (overview, total, exposure, waiting) = read.await?;
    let is_office = visit.standing.role() != Some(Role::Evaluator);
    let parts = [
        ("exposure-blocked", exposure.blocked_cards),
        ("exposure-locked", exposure.locked),
        ("exposure-keys", exposure.lost_keys),
        ("exposure-goodwill", exposure.goodwill),
        ("exposure-restored", exposure.restored),
        ("exposure-overpaid", exposure.overpaid),
    ];
    let shown = Dashboard {
        f: Frame::new(&visit, "dashboard-title"),
        todo: todo(&overview, now.get()),
        overview,
        exposure: parts.map(|(name, cents)| (name, cents.get())).to_vec(),
        exposure_cents: total.get(),
        may_see_terminals: is_office,
        waiting: if is_office { waiting } else { 0 },
    };
    show(StatusCode::OK, &shown)
}

fn todo(overview: &Overview, now: u64) -> Vec<Todo> {
    let items = overview.terminals.iter().map(|line| {
        let is_live = line.standing == "live";
        Todo {
            terminal: line.terminal,
            shop_name: line.shop_name.clone(),
            standing: (line.standing == "quarantined").then_some(line.standing),
            is_stale: is_live && line.last_contact_at.is_none_or(|at| now.saturating_sub(at) >= STALE_S),
            last_contact_at: line.last_contact_at,
            alarms: line.alarms.iter().map(|alarm| (alarm.kind, alarm.count)).collect(),
        }
    });
    items.filter(|item| item.standing.is_some() || item.is_stale || !item.alarms.is_empty()).collect()
}
