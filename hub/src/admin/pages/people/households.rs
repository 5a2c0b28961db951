//! Households: the list, and one with its people, money, cards and history.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use cabas_protocol::{Cents, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::members::{Member, members};
use super::{Card, is_admin, month_began};

use crate::admin::frame::{Fault, Frame, answer, page};
use crate::admin::overview::standing_name;
use crate::admin::visit::{Visit, Wrong};
use crate::store::{self, HouseholdFigures, HouseholdFilter, PurseView, StoreError, TerminalView, Tx};

/// What happens to households.
#[cfg(test)]
pub(super) const EVENTS: [&str; 13] = [
    "came",
    "left",
    "erased",
    "credited",
    "given more",
    "given less",
    "expired",
    "advanced",
    "contributed",
    "contribution taken back",
    "card issued",
    "card blocked",
    "card released",
];

/// Which households are asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Show {
    /// Those that are there.
    #[default]
    There,
    /// Those that left.
    Left,
    /// Those without a card that is not blocked.
    WithoutCard,
}

impl Show {
    const ALL: [Self; 3] = [Self::There, Self::Left, Self::WithoutCard];

    const fn name(self) -> &'static str {
        match self {
            Self::There => "there",
            Self::Left => "left",
            Self::WithoutCard => "without-card",
        }
    }
}

/// Which page of the list.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Asked {
    /// Which ones.
    #[serde(default)]
    show: Show,
    /// Only those whose code has this in it.
    #[serde(default)]
    code: String,
    /// Only those after this code: the last one of the page before.
    #[serde(default)]
    after: String,
}

/// A household in the list.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Line {
    /// Its code.
    household: String,
    /// People, children included.
    size: u32,
    /// Those of them under 14.
    children_under_14: u32,
    /// What it contributes each month, if that was agreed.
    contribution_cents: Option<u64>,
    /// Since when it is gone.
    left_at: Option<u64>,
    /// True where its personal data were erased.
    is_erased: bool,
    /// Cards that are not blocked.
    cards: u32,
}

/// A page of households.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct List {
    /// By code.
    households: Vec<Line>,
    /// Which ones.
    show: Show,
    /// Where the next page begins; none where there is none.
    next_after: Option<String>,
}

#[derive(Template)]
#[template(path = "households.html")]
struct ListPage {
    f: Frame,
    data: List,
    may_change: bool,
}

/// What a household has, and where.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Money {
    /// All that was credited.
    credited_cents: u64,
    /// What lies free at the hub.
    pub(super) free_cents: u64,
    /// What shops told this month that it spent, less what they undid.
    spent_this_month_cents: u64,
    /// Still to be withheld, by expiry or a correction downward.
    withheld_cents: u64,
    /// Advanced, and not paid back.
    goodwill_cents: u64,
    /// Missing since the hub was restored.
    restored_missing_cents: u64,
    /// What lies ready at terminals.
    held: Vec<Held>,
}

/// What lies ready at a terminal.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Held {
    /// The terminal.
    terminal: u32,
    /// Its shop.
    shop_name: String,
    /// `live`, `quarantined`, `revoked` or `closed`.
    standing: &'static str,
    /// How much.
    cents: u64,
    /// When the terminal called last.
    contact_at: Option<u64>,
    /// True where it was asked back and has not come.
    is_asked_back: bool,
}

/// Something that happened.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Event {
    /// When.
    at: u64,
    /// What: `came`, `left`, `credited`, `card blocked` …
    what: String,
    /// With which card.
    card_number: Option<u32>,
    /// How much.
    cents: Option<u64>,
}

/// A household.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Household {
    /// Its code.
    pub(super) household: String,
    /// People, children included.
    pub(super) size: u32,
    /// Those of them under 14.
    pub(super) children_under_14: u32,
    /// What it contributes each month, if that was agreed.
    pub(super) contribution_cents: Option<u64>,
    /// When it came.
    created_at: u64,
    /// When it left.
    pub(super) left_at: Option<u64>,
    /// When its personal data were erased.
    pub(super) erased_at: Option<u64>,
    /// Its people by name: for admins alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) members: Option<Vec<Member>>,
    /// What it has.
    pub(super) money: Money,
    /// Its cards.
    pub(super) cards: Vec<Card>,
    /// What happened, newest first.
    history: Vec<Event>,
}

impl Household {
    /// What lies at terminals, in all.
    pub(super) fn held_cents(&self) -> u64 {
        self.money.held.iter().fold(0, |all, held| all.saturating_add(held.cents))
    }

    /// What lies on cards that are not released, in all.
    pub(super) fn on_cards_cents(&self) -> u64 {
        self.cards.iter().filter_map(|card| card.left_cents).fold(0, u64::saturating_add)
    }

    /// Cards that are not blocked.
    pub(super) fn usable_cards(&self) -> usize {
        self.cards.iter().filter(|card| card.blocked_at.is_none()).count()
    }

    /// How many names are kept.
    pub(super) fn names(&self) -> usize {
        self.members.as_ref().map_or(0, Vec::len)
    }

    /// The key of an event's words.
    fn event(event: &Event) -> String {
        event.what.replace(' ', "-")
    }
}

#[derive(Template)]
#[template(path = "household.html")]
struct HouseholdPage {
    f: Frame,
    data: Household,
    may_change: bool,
    /// What was typed as a new name, where it is to be corrected.
    name: String,
}

impl HouseholdPage {
    /// A name, or that it cannot be opened.
    fn name_of(&self, f: &Frame, member: &Member) -> String {
        member.name.clone().unwrap_or_else(|| f.t("member-sealed"))
    }
}

pub(super) async fn list(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    let filter = match asked.show {
        Show::There => HouseholdFilter::There,
        Show::Left => HouseholdFilter::Left,
        Show::WithoutCard => HouseholdFilter::WithoutCard,
    };
    let show = asked.show;
    let (lines, more) = visit.store(move |tx| tx.household_lines(filter, &asked.code, &asked.after)).await?;
    let next_after = lines.last().filter(|_| more).map(|line| line.code.clone());
    let data = List { households: lines.into_iter().map(line).collect(), show, next_after };
    let may_change = is_admin(&visit);
    answer(&visit, "households-title", Vec::new(), data, |f, data| ListPage { f, data, may_change })
}

fn line(line: store::HouseholdLine) -> Line {
    Line {
        household: line.code,
        size: line.people.size(),
        children_under_14: line.people.children_under_14(),
        contribution_cents: line.contribution.map(Cents::get),
        left_at: line.left_at.map(Timestamp::get),
        is_erased: line.is_erased,
        cards: line.cards,
    }
}

pub(super) async fn one(visit: Visit, Path(code): Path<String>) -> Result<Response, Wrong> {
    let data = read(&visit, code).await?;
    let may_change = is_admin(&visit);
    answer(&visit, "household-title", Vec::new(), data, |f, data| HouseholdPage {
        f,
        data,
        may_change,
        name: String::new(),
    })
}

/// The page again, where a new name is to be corrected.
pub(super) async fn with_fault(visit: &Visit, code: String, fault: Fault, name: String) -> Result<Response, Wrong> {
    let data = read(visit, code).await?;
    let f = Frame::new(visit, "household-title").with_faults(vec![fault]);
    page(StatusCode::UNPROCESSABLE_ENTITY, &HouseholdPage { f, data, may_change: true, name })
}

/// All of a household; its names where an admin asks.
pub(super) async fn read(visit: &Visit, code: String) -> Result<Household, Wrong> {
    let (names, since, asked) = (is_admin(visit), month_began(visit.now), code.clone());
    let read = visit.store(move |tx| {
        let figures = tx.household_for_treasurer(&code)?;
        let money = tx.household_money(&code)?.ok_or(StoreError::UnknownPurse)?;
        let spent = tx.household_spent(&money, since)?;
        let cards = cards(tx, &code, &money)?;
        let sealed = if names { tx.members(&code)? } else { Vec::new() };
        Ok((figures, money, spent, cards, sealed, tx.terminals()?))
    });
    let (figures, money, spent, cards, sealed, terminals) = read.await?;
    let members = names.then(|| members(visit, &asked, &sealed));
    Ok(shown(figures, members, &money, spent, (cards, &terminals)))
}

/// A household's cards, each with what lies on it.
pub(super) fn cards(tx: &Tx<'_>, code: &str, money: &PurseView) -> Result<Vec<Card>, StoreError> {
    let left = |number: u32| money.cards.iter().find(|card| card.number == number).map(|card| card.left.get());
    Ok(tx.cards_of_household(code)?.iter().map(|line| Card::of(line, left(line.number))).collect())
}

fn shown(
    figures: HouseholdFigures,
    members: Option<Vec<Member>>,
    money: &PurseView,
    spent: Cents,
    (cards, terminals): (Vec<Card>, &[TerminalView]),
) -> Household {
    let held = money.slices.iter().map(|slice| Held {
        terminal: slice.terminal.get(),
        shop_name: terminals
            .iter()
            .find(|view| view.terminal == slice.terminal)
            .map_or_else(String::new, |view| view.shop_name.clone()),
        standing: standing_name(slice.standing),
        cents: slice.allowed.minus_or_zero(slice.claimed).get(),
        contact_at: slice.contact_at.map(Timestamp::get),
        is_asked_back: slice.recall.is_some_and(|recall| recall.answered_at.is_none()),
    });
    let event = |event: store::HouseholdEvent| Event {
        at: event.at.get(),
        what: event.what,
        card_number: event.card,
        cents: event.cents.map(Cents::get),
    };
    Household {
        household: figures.code,
        size: figures.people.size(),
        children_under_14: figures.people.children_under_14(),
        contribution_cents: figures.contribution.map(Cents::get),
        created_at: figures.created_at.get(),
        left_at: figures.left_at.map(Timestamp::get),
        erased_at: figures.erased_at.map(Timestamp::get),
        members,
        money: Money {
            credited_cents: money.credited.get(),
            free_cents: money.free.get(),
            spent_this_month_cents: spent.get(),
            withheld_cents: money.withheld.get(),
            goodwill_cents: money.goodwill.get(),
            restored_missing_cents: money.missing.get(),
            held: held.filter(|held| held.cents > 0).collect(),
        },
        cards,
        history: figures.history.into_iter().map(event).collect(),
    }
}
