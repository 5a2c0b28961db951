//! `household show`, `household erase`: who belongs to a household, what happened to it, and what is forgotten of it.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::fund::euros;
use crate::keys::HubSecrets;
use crate::out::{plain, print};
use crate::store::{CardLine, HouseholdFigures, OpenMode};

#[derive(Args, Debug)]
pub(super) struct Show {
    /// The household's code
    #[arg(value_name = "CODE")]
    household: String,
    /// Show the names of its people, too
    #[arg(long)]
    names: bool,
}

#[derive(Args, Debug)]
pub(super) struct Erase {
    /// The household's code
    #[arg(value_name = "CODE")]
    household: String,
    /// Who says so
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(Serialize)]
struct Shown {
    household: String,
    size: u32,
    children_under_14: u32,
    contribution_cents: Option<u64>,
    created_at: u64,
    left_at: Option<u64>,
    erased_at: Option<u64>,
    /// Only where they were asked for; nothing in the place of one that was sealed by other keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<Vec<Option<String>>>,
    cards: Vec<Card>,
    history: Vec<Event>,
}

#[derive(Serialize)]
struct Card {
    number: u32,
    blocked_at: Option<u64>,
}

#[derive(Serialize)]
struct Event {
    at: u64,
    what: String,
    card_number: Option<u32>,
    cents: Option<u64>,
}

pub(super) fn show(context: &Context, arguments: &Show) -> Result<(), Failure> {
    let mut db = context.open(OpenMode::Existing)?;
    let code = &arguments.household;
    let (figures, names) = if arguments.names {
        let file = db.read(|tx| tx.household_for_admin(code))?;
        let secrets = HubSecrets::load(&context.config.keys_dir())?;
        let open = |sealed: &Vec<u8>| secrets.open_name(code, sealed).map(|name| name.to_string());
        (file.figures, Some(file.sealed_names.iter().map(open).collect()))
    } else {
        (db.read(|tx| tx.household_for_treasurer(code))?, None)
    };
    let cards = db.read(|tx| tx.cards_of_household(code))?;
    print(context.format, &shown(figures, cards, names), |shown| text(shown).unwrap_or_default())
        .map_err(Failure::Print)
}

fn shown(figures: HouseholdFigures, cards: Vec<CardLine>, names: Option<Vec<Option<String>>>) -> Shown {
    let card =
        |card: CardLine| Card { number: card.number, blocked_at: card.blocked_at.map(cabas_protocol::Timestamp::get) };
    let event = |event: crate::store::HouseholdEvent| Event {
        at: event.at.get(),
        what: event.what,
        card_number: event.card,
        cents: event.cents.map(cabas_protocol::Cents::get),
    };
    Shown {
        household: figures.code,
        size: figures.people.size(),
        children_under_14: figures.people.children_under_14(),
        contribution_cents: figures.contribution.map(cabas_protocol::Cents::get),
        created_at: figures.created_at.get(),
        left_at: figures.left_at.map(cabas_protocol::Timestamp::get),
        erased_at: figures.erased_at.map(cabas_protocol::Timestamp::get),
        names,
        cards: cards.into_iter().map(card).collect(),
        history: figures.history.into_iter().map(event).collect(),
    }
}

fn text(shown: &Shown) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{}: {} people, {} under 14", plain(&shown.household), shown.size, shown.children_under_14)?;
    for name in shown.names.iter().flatten() {
        writeln!(text, "  {}", name.as_deref().map_or("(sealed by other keys)".to_owned(), plain))?;
    }
    for card in &shown.cards {
        writeln!(text, "  card {}{}", card.number, if card.blocked_at.is_some() { ", blocked" } else { "" })?;
    }
    for event in &shown.history {
        let card = event.card_number.map_or(String::new(), |card| format!(" {card}"));
        let cents = event.cents.map_or(String::new(), |cents| format!(" {} €", euros(cents)));
        writeln!(text, "  {} {}{card}{cents}", event.at, event.what)?;
    }
    Ok(text)
}

#[derive(Serialize)]
struct Erased {
    household: String,
    names_erased: u32,
}

pub(super) fn erase(context: &Context, arguments: &Erase) -> Result<(), Failure> {
    let now = context.clock.now();
    let mut db = context.open(OpenMode::Existing)?;
    let names_erased = db.write(|tx| tx.household_erase(&arguments.household, &arguments.by, now))?;
    let erased = Erased { household: arguments.household.clone(), names_erased };
    print(context.format, &erased, |erased| {
        format!(
            "{}: {} names and the contribution are erased; its money stays in the books. Older backups still hold the names, \
             sealed: let them expire.\n",
            plain(&erased.household),
            erased.names_erased
        )
    })
    .map_err(Failure::Print)
}
