//! The fund at one glance, and what is to be done.

use askama::Template;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::figures::{MonthsShown, NearnessShown, ThresholdsShown};
use super::super::frame::{Frame, answer};
use super::super::overview::{self, Totals};
use super::super::places;
use super::super::plot::{Plot, What};
use super::super::visit::{Visit, Wrong};
use super::super::watch::Watched;
use super::super::words::{Lang, Words};
use crate::alerts::{sentence, todo};
use crate::calendar::Calendar;
use crate::core::alerts::{Alerts, Line, lines};
use crate::core::roles::Role;
use crate::store::Way;

/// A live terminal that has not called for so long is looked after, in seconds.
pub(super) const STALE_S: u64 = overview::STALE_S;
/// Months that are shown: this one and those before it.
const MONTHS: i64 = 12;

/// The fund at one glance.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Board {
    /// The moment that all of it is of.
    at: u64,
    /// What is to be done, what costs money first; nothing for the evaluator, who looks at figures.
    actions: Vec<ToDo>,
    /// Enrolments that a restore waits for; nothing is signed or settled before.
    restore_waits_for: u64,
    /// What the fund may still lose.
    exposure_cents: u64,
    /// Its parts, which have no cent in common.
    exposure: Parts,
    /// Sums over the whole fund.
    totals: Totals,
    /// Cents outside what was allowed: kept as evidence, not paid.
    over_right_cents: u64,
    /// Rows that do not fit their chain.
    disputed_rows: u64,
    /// The legal thresholds.
    thresholds: ThresholdsShown,
    /// The last 12 months.
    months: MonthsShown,
    /// What is wrong with the server's machine and the terminals, as alerts tell it.
    watch: Vec<WatchLine>,
    /// How alerts go out: `mail`, `webhook`; nobody is told where that is empty.
    told_by: Vec<&'static str>,
}

/// Something that is wrong with the machine or a terminal.
#[derive(Debug, JsonSchema, Serialize)]
struct WatchLine {
    /// What was looked at, in one word.
    code: String,
    /// What is wrong with it, in one word.
    says: String,
    /// The number that goes with it: days, hours, MiB.
    value: Option<u64>,
    /// The terminals that it is about.
    terminals: Vec<u32>,
    /// Since when.
    since: u64,
}

/// Something to do.
#[derive(Debug, JsonSchema, Serialize)]
struct ToDo {
    /// What it is, in one word.
    kind: &'static str,
    /// The same in a sentence.
    what: &'static str,
    /// How many.
    count: u64,
    /// Since when the oldest is; nothing where that is not known.
    since: Option<u64>,
    /// The terminals that it is about; none where it is about none.
    terminals: Vec<u32>,
    /// The page where it is seen to, where there is one that the role may open.
    page: Option<&'static str>,
    /// The command that shows it, or does it.
    command: &'static str,
}

/// What the fund may still lose.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
struct Parts {
    /// What blocked cards can still spend at terminals that do not know it.
    blocked_cards_cents: u64,
    /// What lies at terminals that are silent, quarantined or revoked.
    locked_cents: u64,
    /// What cards may spend whose keys are at such terminals.
    lost_keys_cents: u64,
    /// Advanced to households and not paid back.
    goodwill_cents: u64,
    /// Missing since a restore.
    restored_missing_cents: u64,
    /// Paid to shops and taken back since.
    overpaid_shops_cents: u64,
}

#[derive(Template)]
#[template(path = "dashboard.html")]
struct Dashboard {
    f: Frame,
    data: Board,
    plots: Vec<Plot>,
    /// False for who only looks at figures.
    may_act: bool,
    /// How many deeds wait for a second person; nothing for those who may not look.
    waiting: u64,
    /// What is wrong and what to do, in words.
    watched: Vec<(String, String)>,
}

impl WatchLine {
    fn of(line: Line) -> Self {
        let Line { event: _, code, says, value, terminals, since } = line;
        Self { code, says, value, terminals, since }
    }
}

impl ToDo {
    fn is_one(&self) -> bool {
        places::is_one(self.kind)
    }

    fn terminals_text(&self) -> String {
        self.terminals.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl Parts {
    fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("exposure-blocked", self.blocked_cards_cents),
            ("exposure-locked", self.locked_cents),
            ("exposure-keys", self.lost_keys_cents),
            ("exposure-goodwill", self.goodwill_cents),
            ("exposure-restored", self.restored_missing_cents),
            ("exposure-overpaid", self.overpaid_shops_cents),
        ]
    }
}

impl Board {
    fn sums(&self) -> [(&'static str, u64); 7] {
        let Totals { credited_cents, free_cents, reserved_cents, spent_cents, owed_cents, in_transit_cents } =
            self.totals;
        [
            ("sum-credited", credited_cents),
            ("sum-free", free_cents),
            ("sum-reserved", reserved_cents),
            ("sum-spent", spent_cents),
            ("sum-owed", owed_cents),
            ("sum-in-transit", in_transit_cents),
            ("sum-over-right", self.over_right_cents),
        ]
    }

    /// So many hundredths of the limit: where a meter changes its colour.
    fn at_percent(&self, percent: u64) -> u64 {
        self.thresholds.limit_cents.saturating_mul(percent).checked_div(100).unwrap_or(0)
    }

    fn near(&self) -> [(&'static str, NearnessShown); 2] {
        [("threshold-volume", self.thresholds.volume), ("threshold-outstanding", self.thresholds.outstanding)]
    }
}

pub(super) async fn page(visit: Visit) -> Result<Response, Wrong> {
    let watched = visit.app.site.watch.board(&visit.app).await?;
    let may_act = visit.standing.role() != Some(Role::Evaluator);
    let now = visit.now;
    let waiting = if may_act { visit.store(move |tx| tx.waiting_count(now)).await? } else { 0 };
    let alerts = if may_act { visit.store(|tx| tx.alerts_open()).await? } else { Alerts::new() };
    let board = board(&visit, &watched, &alerts, may_act)?;
    answer(&visit, "dashboard-title", Vec::new(), board, |f, data| Dashboard {
        plots: [What::PaidIn, What::Credited, What::Spent, What::Owed]
            .map(|what| Plot::of(&f, &data.months, what))
            .into(),
        may_act,
        waiting,
        watched: words_of(&visit.app.site.words, f.lang(), &data.watch),
        data,
        f,
    })
}

/// Each thing that is wrong, and what to do about it.
fn words_of(words: &Words, lang: &str, watch: &[WatchLine]) -> Vec<(String, String)> {
    let lang = Lang::of_code(lang).unwrap_or_default();
    let said = |line: &WatchLine| {
        let sentence = sentence(words, lang, &line.says, line.value, &line.terminals);
        (sentence, todo(words, lang, &line.says))
    };
    watch.iter().map(said).collect()
}

fn board(visit: &Visit, watched: &Watched, alerts: &Alerts, may_act: bool) -> Result<Board, Wrong> {
    let Watched { at, months, thresholds, actions, exposure, overview } = watched;
    let last = Calendar::system().month_of(*at);
    let span = last.plus(MONTHS.saturating_neg().saturating_add(1)).and_then(|first| first.months_to(last, 12));
    let actions = actions.iter().filter(|_| may_act).map(|action| ToDo {
        kind: action.kind,
        what: action.what,
        count: action.count,
        since: action.since,
        terminals: action.terminals.clone(),
        page: places::page(visit, action),
        command: action.command,
    });
    let waits = overview.restore.as_ref().filter(|restore| restore.ended_at.is_none());
    let waits = waits.map_or(0, |restore| restore.waiting_for.len());
    Ok(Board {
        at: at.get(),
        actions: actions.collect(),
        restore_waits_for: u64::try_from(waits).unwrap_or(u64::MAX),
        exposure_cents: exposure.total()?.get(),
        exposure: Parts {
            blocked_cards_cents: exposure.blocked_cards.get(),
            locked_cents: exposure.locked.get(),
            lost_keys_cents: exposure.lost_keys.get(),
            goodwill_cents: exposure.goodwill.get(),
            restored_missing_cents: exposure.restored.get(),
            overpaid_shops_cents: exposure.overpaid.get(),
        },
        totals: overview.totals,
        over_right_cents: overview.over_right_cents,
        disputed_rows: overview.disputed_rows,
        thresholds: *thresholds,
        months: months.of_span(&span.unwrap_or_default()),
        watch: lines(alerts).into_iter().map(WatchLine::of).collect(),
        told_by: if may_act { visit.app.ways.all().into_iter().map(Way::name).collect() } else { Vec::new() },
    })
}
