//! `exposure`, `goodwill`, `purse show`, `fund pause`: where money is that cannot be spent where it should be.

use std::fmt::Write as _;

use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, TerminalId, Timestamp};
use clap::Subcommand;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::fund::euros;
use crate::admin::overview::standing_name;
use crate::out::print;
use crate::store::{Exposure, GoodwillRule, OpenMode, PurseView, StoreError};

#[derive(Serialize)]
struct Shown {
    /// The sum of the six parts.
    exposure_cents: u64,
    blocked_cards_cents: u64,
    locked_cents: u64,
    lost_keys_cents: u64,
    goodwill_cents: u64,
    restored_missing_cents: u64,
    overpaid_shops_cents: u64,
    cards: Vec<CardLine>,
    terminals: Vec<TerminalLine>,
    /// Terminals whose keys of purse cards are not in good hands; cards of several lines overlap.
    keys: Vec<KeyLine>,
}

#[derive(Serialize)]
struct KeyLine {
    terminal: u32,
    epoch: u32,
    /// `silent`, `quarantined`, `revoked` or `closed`.
    standing: &'static str,
    slot: u8,
    /// The newest version of the slot's keys that it may know.
    version: u8,
    /// Cards that it can play.
    cards: u32,
    /// To so many other terminals.
    terminals: u32,
    cents: u64,
}

#[derive(Serialize)]
struct CardLine {
    card_number: u32,
    cents: u64,
    terminals: u32,
}

#[derive(Serialize)]
struct TerminalLine {
    terminal: u32,
    epoch: u32,
    /// `silent`, `quarantined` or `revoked`.
    standing: &'static str,
    cents: u64,
}

pub(super) fn exposure(context: &Context) -> Result<(), Failure> {
    let now = context.clock.now();
    let exposure = context.open(OpenMode::Existing)?.read(|tx| tx.exposure(now))?;
    let total = exposure.total()?;
    print(context.format, &shown(&exposure, total), |shown| exposure_text(shown).unwrap_or_default())
        .map_err(Failure::Print)
}

fn shown(exposure: &Exposure, total: Cents) -> Shown {
    let card = |card: &crate::store::CardExposure| CardLine {
        card_number: card.number,
        cents: card.cents.get(),
        terminals: card.terminals,
    };
    let terminal = |epoch: &crate::store::EpochExposure| TerminalLine {
        terminal: epoch.terminal.get(),
        epoch: epoch.epoch.get(),
        standing: lost_name(epoch.standing),
        cents: epoch.cents.get(),
    };
    let key = |key: &crate::store::KeyExposure| KeyLine {
        terminal: key.terminal.get(),
        epoch: key.epoch.get(),
        standing: lost_name(key.standing),
        slot: key.slot,
        version: key.version,
        cards: key.cards,
        terminals: key.terminals,
        cents: key.cents.get(),
    };
    Shown {
        exposure_cents: total.get(),
        blocked_cards_cents: exposure.blocked_cards.get(),
        locked_cents: exposure.locked.get(),
        lost_keys_cents: exposure.lost_keys.get(),
        goodwill_cents: exposure.goodwill.get(),
        restored_missing_cents: exposure.restored.get(),
        overpaid_shops_cents: exposure.overpaid.get(),
        cards: exposure.cards.iter().map(card).collect(),
        terminals: exposure.epochs.iter().map(terminal).collect(),
        keys: exposure.keys.iter().map(key).collect(),
    }
}

/// A live terminal is here because it is silent.
fn lost_name(standing: Standing) -> &'static str {
    match standing_name(standing) {
        "live" => "silent",
        other => other,
    }
}

fn exposure_text(shown: &Shown) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "Exposure {:>12} €", euros(shown.exposure_cents))?;
    for (name, cents) in [
        ("blocked cards, list not applied", shown.blocked_cards_cents),
        ("at terminals that do not answer", shown.locked_cents),
        ("on cards whose keys were lost", shown.lost_keys_cents),
        ("goodwill not paid back", shown.goodwill_cents),
        ("missing since a restore", shown.restored_missing_cents),
        ("paid to shops and taken back since", shown.overpaid_shops_cents),
    ] {
        writeln!(text, "  {name:<32} {:>12} €", euros(cents))?;
    }
    for card in &shown.cards {
        writeln!(text, "  card {}: {} € at {} terminals", card.card_number, euros(card.cents), card.terminals)?;
    }
    for line in &shown.terminals {
        let TerminalLine { terminal, epoch, standing, cents } = line;
        writeln!(text, "  terminal {terminal} epoch {epoch} ({standing}): {} €", euros(*cents))?;
    }
    for line in &shown.keys {
        let KeyLine { terminal, epoch, standing, slot, version, cards, terminals, cents } = line;
        writeln!(
            text,
            "  keys of terminal {terminal} epoch {epoch} ({standing}), slot {slot} up to version {version}: {cards} cards, \
             {} €, at {terminals} other terminals",
            euros(*cents)
        )?;
    }
    Ok(text)
}

#[derive(Debug, Subcommand)]
pub(super) enum Goodwill {
    /// Show the switch and what is outstanding
    Show,
    /// Advance to households, within these limits, what lies at terminals that are silent
    Set {
        /// To one household, at the most
        #[arg(long, value_name = "CENTS", required_unless_present = "off")]
        per_household_cents: Option<u64>,
        /// In the whole fund, at the most
        #[arg(long, value_name = "CENTS", required_unless_present = "off")]
        total_cents: Option<u64>,
        /// After so many days without a call a terminal counts as silent
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=365))]
        silent_days: Option<u32>,
        /// Advance nothing more; what was advanced stays owed
        #[arg(long, conflicts_with_all = ["per_household_cents", "total_cents"])]
        off: bool,
    },
}

#[derive(Serialize)]
struct Switch {
    on: bool,
    per_household_cents: u64,
    total_cents: u64,
    silent_days: u32,
    outstanding_cents: u64,
    /// By this run.
    advanced_cents: u64,
}

pub(super) fn goodwill(context: &Context, command: &Goodwill) -> Result<(), Failure> {
    let now = context.clock.now();
    let mut db = context.open(OpenMode::Existing)?;
    let mut advanced = Cents::ZERO;
    if let Goodwill::Set { per_household_cents, total_cents, silent_days, off } = command {
        let cents = |given: Option<u64>, before: Cents| given.map_or(Ok(before), Cents::new).map_err(StoreError::from);
        advanced = db.write(|tx| {
            let before = tx.goodwill_rule()?;
            tx.goodwill_set(GoodwillRule {
                is_on: !off,
                per_household: cents(*per_household_cents, before.per_household)?,
                total: cents(*total_cents, before.total)?,
                silent_days: silent_days.unwrap_or(before.silent_days),
            })?;
            tx.goodwill_advance(now)
        })?;
        while db.write(|tx| tx.allocate_pending(now))?.more {}
    }
    let (rule, outstanding) = db.read(|tx| Ok((tx.goodwill_rule()?, tx.exposure(now)?.goodwill)))?;
    let switch = Switch {
        on: rule.is_on,
        per_household_cents: rule.per_household.get(),
        total_cents: rule.total.get(),
        silent_days: rule.silent_days,
        outstanding_cents: outstanding.get(),
        advanced_cents: advanced.get(),
    };
    print(context.format, &switch, |switch| {
        let state = if switch.on { "on" } else { "off" };
        format!(
            "Goodwill is {state}: {} € a household, {} € in all, after {} days of silence. Outstanding: {} €.\n",
            euros(switch.per_household_cents),
            euros(switch.total_cents),
            switch.silent_days,
            euros(switch.outstanding_cents)
        )
    })
    .map_err(Failure::Print)
}

#[derive(Debug, Subcommand)]
pub(super) enum Purse {
    /// Show a household's free money and what of it lies at which terminal
    Show {
        /// The household's code
        #[arg(long, value_name = "CODE")]
        household: String,
    },
    /// Ask a household's money back from terminals; it is free when their answer comes
    Recall {
        /// The household's code
        #[arg(long, value_name = "CODE")]
        household: String,
        /// One terminal; without it all that sell
        #[arg(long, value_name = "NUMBER")]
        terminal: Option<u32>,
        /// What each may keep
        #[arg(long, value_name = "CENTS", default_value_t = 0)]
        keep_cents: u64,
    },
}

#[derive(Serialize)]
struct Recalled {
    household: String,
    /// How many terminals were asked.
    terminals: u32,
}

#[derive(Serialize)]
struct PurseShown {
    household: String,
    purse: String,
    credited_cents: u64,
    free_cents: u64,
    goodwill_cents: u64,
    restored_missing_cents: u64,
    /// Still to be withheld, by expiry or a correction downward.
    withheld_cents: u64,
    slices: Vec<SliceLine>,
    cards: Vec<PurseCardLine>,
}

#[derive(Serialize)]
struct PurseCardLine {
    card_number: u32,
    purse: String,
    serial: u32,
    issued_at: u64,
    allowed_cents: u64,
    spent_cents: u64,
    left_cents: u64,
    /// Of that: counted by the card, and claimed by no shop.
    unclaimed_cents: u64,
    /// The highest transaction of the card that was told of, and how many below it were not.
    card_counter: u32,
    card_counters_unheard: u32,
    /// Sales whose proof never came, and rows that the card refutes.
    proofs_missing: u32,
    proofs_refuted: u32,
    blocked: bool,
    /// What went back from it, once it was lost or retired.
    released_cents: Option<u64>,
}

#[derive(Serialize)]
struct SliceLine {
    terminal: u32,
    shop: String,
    epoch: u32,
    standing: &'static str,
    serial: u32,
    issued_at: u64,
    allowed_cents: u64,
    /// Settled there; what went back is not in it.
    claimed_cents: u64,
    /// Handed back, or gone back when the epoch was closed.
    returned_cents: u64,
    voided_cents: u64,
    left_cents: u64,
    /// When the terminal called last.
    contact_at: Option<u64>,
    /// What was asked back of it last.
    recall: Option<RecallLine>,
}

#[derive(Serialize)]
struct RecallLine {
    keep_cents: u64,
    asked_at: u64,
    /// None while the terminal has not answered.
    answered_at: Option<u64>,
}

pub(super) fn purse(context: &Context, command: &Purse) -> Result<(), Failure> {
    match command {
        Purse::Show { household } => show(context, household),
        Purse::Recall { household, terminal, keep_cents } => recall(context, household, *terminal, *keep_cents),
    }
}

fn recall(context: &Context, household: &str, terminal: Option<u32>, keep_cents: u64) -> Result<(), Failure> {
    let now = context.clock.now();
    let mut db = context.open(OpenMode::Existing)?;
    let view = db.read(|tx| tx.household_money(household))?;
    let purse = view.ok_or_else(|| Failure::UnknownHousehold(household.to_owned()))?.purse;
    let keep = Cents::new(keep_cents).map_err(StoreError::from)?;
    let terminals = db.write(|tx| tx.recall_by_hand(purse, terminal.map(TerminalId::new), keep, now))?;
    let household = household.to_owned();
    print(context.format, &Recalled { household, terminals }, |done| {
        format!("{} terminals were asked; `purse show` tells who answered.\n", done.terminals)
    })
    .map_err(Failure::Print)
}

fn show(context: &Context, household: &str) -> Result<(), Failure> {
    let read = |tx: &crate::store::Tx<'_>| Ok((tx.household_money(household)?, tx.terminals()?));
    let (view, terminals) = context.open(OpenMode::Existing)?.read(read)?;
    let view = view.ok_or_else(|| Failure::UnknownHousehold(household.to_owned()))?;
    let shop = |terminal| {
        let found = terminals.iter().find(|view| view.terminal == terminal);
        found.map_or_else(String::new, |view| view.shop_code.clone())
    };
    let shown = purse_shown(view, shop);
    let now = context.clock.now().get();
    print(context.format, &shown, |shown| purse_text(shown, now).unwrap_or_default()).map_err(Failure::Print)
}

fn purse_shown(view: PurseView, shop: impl Fn(cabas_protocol::TerminalId) -> String) -> PurseShown {
    let slice = |slice: &crate::store::SliceView| SliceLine {
        terminal: slice.terminal.get(),
        shop: shop(slice.terminal),
        epoch: slice.epoch.get(),
        standing: standing_name(slice.standing),
        serial: slice.serial.get(),
        issued_at: slice.issued_at.get(),
        allowed_cents: slice.allowed.get(),
        claimed_cents: slice.claimed.minus_or_zero(slice.returned).get(),
        returned_cents: slice.returned.get(),
        voided_cents: slice.voided.get(),
        left_cents: slice.allowed.minus_or_zero(slice.claimed).get(),
        contact_at: slice.contact_at.map(Timestamp::get),
        recall: slice.recall.map(|recall| RecallLine {
            keep_cents: recall.keep.get(),
            asked_at: recall.asked_at.get(),
            answered_at: recall.answered_at.map(Timestamp::get),
        }),
    };
    let card = |card: &crate::store::PurseCardView| PurseCardLine {
        card_number: card.number,
        purse: card.purse.to_string(),
        serial: card.serial.get(),
        issued_at: card.issued_at.get(),
        allowed_cents: card.allowed.get(),
        spent_cents: card.spent.get(),
        left_cents: card.left.get(),
        unclaimed_cents: card.unclaimed.get(),
        card_counter: card.proofs.counter,
        card_counters_unheard: card.proofs.unheard,
        proofs_missing: card.proofs.without_answer,
        proofs_refuted: card.proofs.refuted,
        blocked: card.is_blocked,
        released_cents: card.released.map(Cents::get),
    };
    PurseShown {
        purse: view.purse.to_string(),
        credited_cents: view.credited.get(),
        free_cents: view.free.get(),
        goodwill_cents: view.goodwill.get(),
        restored_missing_cents: view.missing.get(),
        withheld_cents: view.withheld.get(),
        slices: view.slices.iter().map(slice).collect(),
        cards: view.cards.iter().map(card).collect(),
        household: view.household,
    }
}

/// How long ago, in the largest unit that fits.
fn ago(now: u64, at: u64) -> String {
    let seconds = now.saturating_sub(at);
    let of = |unit: u64| seconds.checked_div(unit).unwrap_or(0);
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", of(60)),
        3_600..172_800 => format!("{} h ago", of(3_600)),
        _ => format!("{} days ago", of(86_400)),
    }
}

fn purse_text(shown: &PurseShown, now: u64) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let household = crate::out::plain(&shown.household);
    writeln!(text, "{household}: {} € credited, {} € free", euros(shown.credited_cents), euros(shown.free_cents))?;
    if shown.goodwill_cents > 0 || shown.restored_missing_cents > 0 {
        let (goodwill, missing) = (euros(shown.goodwill_cents), euros(shown.restored_missing_cents));
        writeln!(text, "  goodwill {goodwill} €, missing since a restore {missing} €")?;
    }
    if shown.withheld_cents > 0 {
        writeln!(text, "  {} € still to be withheld", euros(shown.withheld_cents))?;
    }
    for line in &shown.slices {
        writeln!(
            text,
            "  terminal {:<4} {:<20} epoch {:<4} {:<11} serial {:<4} allowed {:>9} spent {:>9} back {:>9} left {:>9}",
            line.terminal,
            line.shop,
            line.epoch,
            line.standing,
            line.serial,
            euros(line.allowed_cents),
            euros(line.claimed_cents),
            euros(line.returned_cents),
            euros(line.left_cents)
        )?;
        let heard = line.contact_at.map_or_else(|| "never heard".to_owned(), |at| format!("heard {}", ago(now, at)));
        let recall = line.recall.as_ref().map_or_else(String::new, |recall| {
            let answered = if recall.answered_at.is_some() { "answered" } else { "not answered" };
            format!(", asked {} to keep {} €: {answered}", ago(now, recall.asked_at), euros(recall.keep_cents))
        });
        writeln!(text, "       {heard}{recall}")?;
    }
    for line in &shown.cards {
        let state = match line.released_cents {
            Some(cents) => format!(", blocked, {} € went back", euros(cents)),
            None if line.blocked => ", blocked".to_owned(),
            None => String::new(),
        };
        writeln!(
            text,
            "  purse card {:<10} serial {:<4} allowed {:>9} spent {:>9} left {:>9}{state}",
            line.card_number,
            line.serial,
            euros(line.allowed_cents),
            euros(line.spent_cents),
            euros(line.left_cents)
        )?;
        if line.unclaimed_cents > 0 {
            let (cents, card) = (euros(line.unclaimed_cents), line.card_number);
            writeln!(
                text,
                "       {cents} € of it counted and claimed by nobody: cabas-hub card unclaimed --card-number {card}"
            )?;
        }
        if line.proofs_missing > 0 || line.proofs_refuted > 0 {
            let (missing, refuted) = (line.proofs_missing, line.proofs_refuted);
            writeln!(
                text,
                "       {missing} sales without the card's answer, {refuted} rows refuted: cabas-hub card proofs"
            )?;
        }
    }
    Ok(text)
}

#[derive(Debug, Subcommand)]
pub(super) enum Fund {
    /// Pause all sales: terminals sell no more once they hear of it; credits and settlements go on
    Pause {
        /// Why, for this command's output and whoever keeps it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let sales go on
    Resume {
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

#[derive(Serialize)]
struct Paused {
    paused: bool,
    /// False where it was so before.
    changed: bool,
    reason: Option<String>,
}

pub(super) fn fund(context: &Context, command: &Fund) -> Result<(), Failure> {
    let (paused, reason) = match command {
        Fund::Pause { reason } => (true, reason.clone()),
        Fund::Resume { reason } => (false, reason.clone()),
    };
    let changed = context.open(OpenMode::Existing)?.write(|tx| tx.pause(paused))?;
    print(context.format, &Paused { paused, changed, reason }, |done| {
        let state = if done.paused { "paused" } else { "not paused" };
        let before = if done.changed { "" } else { ", as it was" };
        format!("Sales are {state}{before}. Connected terminals hear it within seconds.\n")
    })
    .map_err(Failure::Print)
}
