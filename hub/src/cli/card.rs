//! `card block` and its like.

use cabas_protocol::PurseRef;
use cabas_protocol::TerminalId;
use cabas_protocol::row::Tier;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::Context;
use super::card_proofs;
use super::failure::Failure;
use super::fund::euros;
use crate::import::card_uid;
use crate::keys::{self, load_card_key};
use crate::out::print;
use crate::store::{CardName, CardVerb, OpenMode};

#[derive(Debug, Subcommand)]
pub(super) enum Card {
    /// Block a card: every terminal that holds the new hot list refuses it
    Block {
        /// The number printed on the card
        #[arg(long, value_name = "N")]
        card_number: u32,
    },
    /// Block a lost card and bind a new plain one to the same household's money
    Replace {
        /// The number printed on the lost card
        #[arg(long, value_name = "N")]
        card_number: u32,
        /// The number printed on the new card
        #[arg(long, value_name = "M")]
        new_card_number: u32,
        /// The new card's UID, in hexadecimal
        #[arg(long, value_name = "HEX")]
        uid: String,
    },
    /// Bind a new purse card to a household: it gets a purse of its own, and its part of the household's money
    AddPurse {
        /// The number printed on the card
        #[arg(long, value_name = "N")]
        card_number: u32,
        /// Its UID, in hexadecimal
        #[arg(long, value_name = "HEX")]
        uid: String,
        /// The household's code
        #[arg(long, value_name = "CODE")]
        household: String,
    },
    /// Let a terminal's reader do one thing with one card that has keys, for a while: `cabas-agent card` does it there
    Grant(Grant),
    /// List what purse cards did not prove: rows with a wrong, repeated or missing proof
    Proofs,
    /// Show what a purse card counted as spent and no shop claims
    Unclaimed {
        /// The number printed on the card
        #[arg(long, value_name = "N")]
        card_number: u32,
    },
    /// Sales with identity cards whose counter says that there is a copy of the card
    Copies {
        /// At most so many, the newest first
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=COPIES_SHOWN_MAX))]
        limit: u32,
    },
    /// Take a card off the hot list
    Unblock {
        /// The number printed on the card
        #[arg(long, value_name = "N")]
        card_number: u32,
    },
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("verb").required(true).args(["issue", "retire", "renew"])))]
pub(super) struct Grant {
    /// The terminal at whose reader the card will lie
    #[arg(long, value_name = "N")]
    terminal: u32,
    /// Issue the blank card with this number printed on it
    #[arg(long, value_name = "M", requires = "household")]
    issue: Option<u32>,
    /// What it will be: a purse that counts by itself (DESFire), or an identity (NTAG 424 DNA)
    #[arg(long, value_name = "TIER", default_value = "purse", requires = "issue")]
    tier: KeyedTier,
    /// Make this card blank, and block it
    #[arg(long, value_name = "M")]
    retire: Option<u32>,
    /// Give this card its newest balance and the newest keys of its slots
    #[arg(long, value_name = "M")]
    renew: Option<u32>,
    /// Whose card it will be
    #[arg(long, value_name = "CODE")]
    household: Option<String>,
    /// For how long
    #[arg(long, value_name = "MINUTES", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1_440))]
    minutes: u32,
}

/// Sales that are shown of copies, at the most.
const COPIES_SHOWN_MAX: i64 = 10_000;

/// A kind of card with keys.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeyedTier {
    Purse,
    Identity,
}

#[derive(Serialize)]
struct Copied {
    card_number: Option<u32>,
    terminal: u32,
    epoch: u32,
    row: u32,
    counter: Option<u32>,
    cents: u64,
    why: &'static str,
    received_at: u64,
    /// Where the same counter stands too.
    other_terminal: Option<u32>,
    other_row: Option<u32>,
}

fn copies(context: &Context, limit: u32) -> Result<(), Failure> {
    let taps = context.open(OpenMode::Existing)?.read(|tx| tx.copied_taps(limit))?;
    let lines = taps.iter().map(|tap| Copied {
        card_number: tap.card_number,
        terminal: tap.terminal.get(),
        epoch: tap.epoch.get(),
        row: tap.seq.get(),
        counter: tap.counter,
        cents: tap.cents.get(),
        why: tap.why.name(),
        received_at: tap.received_at.get(),
        other_terminal: tap.other.map(|(terminal, _)| terminal.get()),
        other_row: tap.other.map(|(_, row)| row.get()),
    });
    print(context.format, &lines.collect::<Vec<_>>(), |lines| {
        if lines.is_empty() {
            return String::from("No sale shows a copied card.\n");
        }
        lines.iter().map(copied_text).collect()
    })
    .map_err(Failure::Print)
}

fn copied_text(line: &Copied) -> String {
    let number = |number: Option<u32>| number.map_or_else(|| String::from("unknown"), |number| number.to_string());
    let other = match (line.other_terminal, line.other_row) {
        (Some(terminal), Some(row)) => format!(" (also terminal {terminal}, row {row})"),
        _ => String::new(),
    };
    format!(
        "Card {}: {} € at terminal {}, row {}: its counter {} {}{other}\n",
        number(line.card_number),
        euros(line.cents),
        line.terminal,
        line.row,
        number(line.counter),
        line.why,
    )
}

#[derive(Serialize)]
struct Granted {
    terminal: u32,
    card_number: u32,
    command: String,
    expires_at: u64,
}

fn grant(context: &Context, grant: &Grant) -> Result<(), Failure> {
    let verbs = [(CardVerb::Issue, "issue", grant.issue), (CardVerb::Retire, "retire", grant.retire)];
    let verbs = verbs.into_iter().chain([(CardVerb::Renew, "renew", grant.renew)]);
    let until = context.clock.now().after_s(u64::from(grant.minutes).saturating_mul(60));
    let mut db = context.open(OpenMode::Existing)?;
    for (verb, name, number) in verbs {
        let Some(card_number) = number else { continue };
        let terminal = TerminalId::new(grant.terminal);
        let tier = match grant.tier {
            KeyedTier::Purse => Tier::Purse,
            KeyedTier::Identity => Tier::Identity,
        };
        db.write(|tx| tx.card_grant(terminal, verb, (card_number, tier), grant.household.as_deref(), until))?;
        let command = format!("cabas-agent card {name} --card-number {card_number}");
        let granted = Granted { terminal: grant.terminal, card_number, command, expires_at: until.get() };
        print(context.format, &granted, |granted| {
            format!("For {} minutes, at terminal {}: {}\n", grant.minutes, granted.terminal, granted.command)
        })
        .map_err(Failure::Print)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Blocked {
    card_number: u32,
    blocked: bool,
    hot_list_version: u32,
}

pub(super) fn run(context: &Context, command: &Card) -> Result<(), Failure> {
    let now = context.clock.now();
    let (card_number, blocked) = match command {
        Card::Block { card_number } => (*card_number, true),
        Card::Unblock { card_number } => (*card_number, false),
        Card::Replace { card_number, new_card_number, uid } => {
            return replace(context, *card_number, *new_card_number, uid);
        }
        Card::Proofs => return card_proofs::proofs(context),
        Card::Unclaimed { card_number } => return card_proofs::unclaimed(context, *card_number),
        Card::Grant(given) => return grant(context, given),
        Card::Copies { limit } => return copies(context, *limit),
        Card::AddPurse { card_number, uid, household } => return add_purse(context, *card_number, uid, household),
    };
    let card = CardName::Number(card_number);
    let mut db = context.open(OpenMode::Existing)?;
    let version = db.write(|tx| if blocked { tx.card_block(card, now) } else { tx.card_unblock(card, now) })?;
    let done = Blocked { card_number, blocked, hot_list_version: version.get() };
    let text = |done: &Blocked| {
        let state = if done.blocked { "blocked" } else { "off the hot list" };
        format!("Card {} is {state}, from hot list {} on.\n", done.card_number, done.hot_list_version)
    };
    print(context.format, &done, text).map_err(Failure::Print)
}

#[derive(Serialize)]
struct Added {
    card_number: u32,
    household: String,
    /// What it may spend at once.
    left_cents: u64,
}

fn add_purse(context: &Context, number: u32, uid: &str, household: &str) -> Result<(), Failure> {
    let now = context.clock.now();
    let uid = card_uid("uid", uid).map_err(Failure::Uid)?;
    let card = load_card_key(&context.config.keys_dir())?.card_ref(&uid);
    let purse = PurseRef::new(*keys::random()?);
    let view = context.open(OpenMode::Existing)?.write(|tx| {
        tx.purse_card_add(number, card, household, purse, now)?;
        tx.household_money(household)
    })?;
    let cards = view.map(|view| view.cards).unwrap_or_default();
    let left_cents = cards.iter().find(|card| card.number == number).map_or(0, |card| card.left.get());
    print(context.format, &Added { card_number: number, household: household.to_owned(), left_cents }, |done| {
        let (number, household) = (done.card_number, crate::out::plain(&done.household));
        format!("Purse card {number} belongs to {household} and may spend {} €.\n", euros(done.left_cents))
    })
    .map_err(Failure::Print)
}

#[derive(Serialize)]
struct Replaced {
    card_number: u32,
    new_card_number: u32,
    hot_list_version: u32,
}

fn replace(context: &Context, old: u32, new: u32, uid: &str) -> Result<(), Failure> {
    let now = context.clock.now();
    let uid = card_uid("uid", uid).map_err(Failure::Uid)?;
    let card = load_card_key(&context.config.keys_dir())?.card_ref(&uid);
    let version = context.open(OpenMode::Existing)?.write(|tx| tx.card_replace(old, new, card, now))?;
    let done = Replaced { card_number: old, new_card_number: new, hot_list_version: version.get() };
    print(context.format, &done, |done| {
        let (old, new, list) = (done.card_number, done.new_card_number, done.hot_list_version);
        format!("Card {old} is blocked, from hot list {list} on; card {new} takes its place.\n")
    })
    .map_err(Failure::Print)
}
