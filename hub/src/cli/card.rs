//! `card block`.

use clap::Subcommand;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use crate::out::print;
use crate::store::{CardName, OpenMode};

#[derive(Debug, Subcommand)]
pub(super) enum Card {
    /// Block a card: every terminal that holds the new hot list refuses it
    Block {
        /// The number printed on the card
        #[arg(long, value_name = "N")]
        card_number: u32,
    },
    /// Take a card off the hot list
    Unblock {
        /// The number printed on the card
        #[arg(long, value_name = "N")]
        card_number: u32,
    },
}

#[derive(Serialize)]
struct Blocked {
    card_number: u32,
    blocked: bool,
    hot_list_version: u32,
}

pub(super) fn run(context: &Context, command: &Card) -> Result<(), Failure> {
    let now = context.clock.now();
    let (card_number, blocked) = match *command {
        Card::Block { card_number } => (card_number, true),
        Card::Unblock { card_number } => (card_number, false),
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
