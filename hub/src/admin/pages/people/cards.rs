//! A card: what became of it, and of its money.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use cabas_protocol::{Cents, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Card, is_admin};
use crate::admin::frame::{Frame, answer};
use crate::admin::overview::standing_name;
use crate::admin::visit::{Done, Visit, Wrong};
use crate::core::audit::Deed;
use crate::store::{CardFile, CardName, TerminalView};

/// A card, and what is held and why.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct File {
    /// The card.
    #[serde(flatten)]
    pub(super) card: Card,
    /// Its household's code.
    pub(super) household: String,
    /// True where the household left.
    is_gone: bool,
    /// What the card counted and no shop told of: part of what is left on it, and nobody can spend it.
    unclaimed_cents: u64,
    /// Terminals that have not told that they refuse the card: until the last of them has, what lies on it is held.
    unaware: Vec<Unaware>,
    /// What it can still spend there, at the most.
    can_spend_cents: u64,
    /// What was advanced to the household and is not paid back.
    goodwill_cents: u64,
    /// True where the fund advances what lies at terminals that are silent.
    is_goodwill_on: bool,
    /// To one household, at the most.
    goodwill_cents_max: u64,
    /// After so many days without a call.
    goodwill_after_days: u32,
}

/// A terminal that has not told that it refuses the card.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Unaware {
    terminal: u32,
    epoch: u32,
    shop_name: String,
    /// `live`, `quarantined` or `revoked`.
    standing: &'static str,
    /// When it called last.
    contact_at: Option<u64>,
}

/// A card was put on the hot list, or taken off it.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Listed {
    pub(super) card_number: u32,
    /// From this version of the list on.
    pub(super) hot_list_version: u32,
}

#[derive(Template)]
#[template(path = "card.html")]
struct CardPage {
    f: Frame,
    data: File,
    may_change: bool,
    terminals: Vec<TerminalView>,
}

impl File {
    /// True where no reader speaks with it.
    pub(super) fn is_plain(&self) -> bool {
        self.card.kind == "plain"
    }
}

pub(super) fn shown(file: &CardFile) -> File {
    let unaware = |terminal: &crate::store::Unaware| Unaware {
        terminal: terminal.terminal.get(),
        epoch: terminal.epoch.get(),
        shop_name: terminal.shop_name.clone(),
        standing: standing_name(terminal.standing),
        contact_at: terminal.contact_at.map(Timestamp::get),
    };
    File {
        card: Card::of(&file.line, file.held.map(Cents::get)),
        household: file.household.clone(),
        is_gone: file.is_gone,
        unclaimed_cents: file.unclaimed.get(),
        unaware: file.unaware.iter().map(unaware).collect(),
        can_spend_cents: file.can_spend.get(),
        goodwill_cents: file.goodwill.get(),
        is_goodwill_on: file.rule.is_on,
        goodwill_cents_max: file.rule.per_household.get(),
        goodwill_after_days: file.rule.silent_days,
    }
}

pub(super) async fn one(visit: Visit, Path(number): Path<u32>) -> Result<Response, Wrong> {
    let now = visit.now;
    let read = visit.store(move |tx| Ok((tx.card_file(number, now)?, tx.terminals()?)));
    let (file, terminals) = read.await?;
    let (data, may_change) = (shown(&file), is_admin(&visit));
    answer(&visit, "card-title", Vec::new(), data, |f, data| CardPage { f, data, may_change, terminals })
}

pub(super) async fn block(visit: Visit, Path(number): Path<u32>) -> Result<Response, Wrong> {
    list(&visit, number, true).await
}

pub(super) async fn unblock(visit: Visit, Path(number): Path<u32>) -> Result<Response, Wrong> {
    list(&visit, number, false).await
}

async fn list(visit: &Visit, number: u32, blocks: bool) -> Result<Response, Wrong> {
    let deed = if blocks { Deed::CardBlocked } else { Deed::CardUnblocked };
    let listed = visit.deed(deed, move |tx, by| {
        let card = CardName::Number(number);
        let version = if blocks { tx.card_block(card, by.now)? } else { tx.card_unblock(card, by.now)? };
        // Where every terminal knows the list already, nothing has to wait for the next look.
        tx.release_cards(by.now)?;
        let given = Listed { card_number: number, hot_list_version: version.get() };
        Ok(Done { given, subject: format!("card {number}"), detail: format!("hot list {version}") })
    });
    let listed = listed.await?;
    visit.done(&listed, &format!("/cards/{number}"))
}
