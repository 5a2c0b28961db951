//! One shop: how it came here, what may come next and what is missing, its terminals, what it covers and its settings.

use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use cabas_protocol::Cents;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fields::{cents, day_text, segment, today, typed};
use super::super::frame::{Fault, Frame, answer};
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::grids::{self, CategoryLine};
use super::shops::questionnaire;
use super::terminals::{self, TerminalShown};
use crate::core::audit::Deed;
use crate::core::joining::{Stage, Step, ahead, steps_from};
use crate::core::roles::Role;
use crate::documents;
use crate::store::{JoiningDocument, JoiningView, ShopView, StepView};

/// Days of a week, Monday first.
pub(in crate::admin) const WEEK: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// What can be missing, beside steps.
pub(in crate::admin) const MISSING: [&str; 4] = ["account", "terminal", "agreement", "documents"];

/// A shop.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct OneShop {
    /// Its code.
    shop: String,
    name: String,
    kind: String,
    /// `shop` or `producer`.
    questionnaire: &'static str,
    /// Where it stands.
    stage: &'static str,
    /// What was done, oldest first.
    steps: Vec<StepLine>,
    /// What may be done.
    next: Vec<&'static str>,
    /// Steps before it opens for the first time.
    ahead: Vec<&'static str>,
    /// What else is missing: `account` (no bank account is known), `terminal` (none is live), `agreement` (the signed one is not
    /// among the documents), `documents` (one is not in the data folder, or is damaged).
    missing: Vec<&'static str>,
    /// Once it has opened.
    settings: Option<Settings>,
    terminals: Vec<TerminalShown>,
    /// What the fund covers there today.
    covers: Vec<CategoryLine>,
}

/// A step that was done.
#[derive(Clone, Debug, JsonSchema, Serialize)]
struct StepLine {
    /// `propose`, `pair`, `visit`, `present`, `consent`, `object`, `amend`, `sign`, `open`, `suspend` or `close`.
    step: &'static str,
    /// The day on which it happened.
    day: String,
    #[serde(skip)]
    day_number: u32,
    /// Who says so.
    by: String,
    words: String,
    /// When it was written down.
    recorded_at: u64,
    documents: Vec<DocumentLine>,
}

/// A document.
#[derive(Clone, Debug, JsonSchema, Serialize)]
struct DocumentLine {
    /// Its address is `/documents/` and this.
    hash: String,
    name: String,
    media_type: String,
    bytes: u64,
    /// False where it is not in the data folder, or is damaged.
    is_kept: bool,
}

/// How an open shop is set.
#[derive(Clone, Debug, JsonSchema, Serialize)]
struct Settings {
    /// Its share of all purchases, as the fund expects it.
    expected_share_permille: u32,
    /// What each household is to find there on market days.
    floor_cents: u64,
    /// `mon` to `sun`.
    market_days: Vec<&'static str>,
    /// The key slot on purse cards that its terminals use.
    slot: Option<u8>,
    /// The newest version of its key.
    slot_version: Option<u8>,
    /// Settled sales that no settlement has closed yet.
    owed_cents: u64,
}

#[derive(Template)]
#[template(path = "shop_file.html")]
struct ShopFilePage {
    f: Frame,
    data: OneShop,
    is_admin: bool,
}

impl DocumentLine {
    /// Whole kilobytes, at least one.
    const fn kilobytes(&self) -> u64 {
        self.bytes.div_ceil(1_000)
    }
}

impl StepLine {
    fn of(view: StepView, is_kept: impl Fn(&JoiningDocument) -> bool) -> Self {
        let told = view.told;
        let day_number = u32::try_from(told.day).unwrap_or(u32::MAX);
        let document = |document: JoiningDocument| DocumentLine {
            is_kept: is_kept(&document),
            hash: document.hash.to_string(),
            name: document.name,
            media_type: document.media_type,
            bytes: document.bytes,
        };
        Self {
            step: told.step.name(),
            day: day_text(day_number),
            day_number,
            by: told.by,
            words: told.words,
            recorded_at: view.recorded_at.get(),
            documents: told.documents.into_iter().map(document).collect(),
        }
    }
}

fn days_of(bits: u8) -> Vec<&'static str> {
    let days = WEEK.into_iter().zip(0_u8..);
    days.filter(|(_, place)| bits.checked_shr((*place).into()).unwrap_or(0) & 1 > 0).map(|(day, _)| day).collect()
}

fn bits_of(days: &[String]) -> Option<u8> {
    let bit = |day: &String| {
        let place = WEEK.iter().position(|known| known == day)?;
        1_u8.checked_shl(u32::try_from(place).ok()?)
    };
    days.iter().map(bit).try_fold(0, |bits, bit| Some(bits | bit?))
}

pub(super) async fn page(visit: Visit, Path(shop): Path<String>) -> Result<Response, Wrong> {
    let data = read(&visit, shop).await?;
    let is_admin = visit.standing.role() == Some(Role::Admin);
    let title = data.name.clone();
    answer(&visit, &title, Vec::new(), data, |f, data| ShopFilePage { f, data, is_admin })
}

async fn read(visit: &Visit, code: String) -> Result<OneShop, Wrong> {
    let now = visit.now;
    let read = visit.store(move |tx| {
        let view = tx.joining(&code)?;
        let shop = tx.shops()?.into_iter().find(|shop| shop.code == code);
        let (owed, has_account) = match &shop {
            Some(_) => (tx.shop_owed(&code)?, !tx.shop_accounts(&code)?.is_empty()),
            None => (Cents::ZERO, false),
        };
        let terminals = terminals::read(tx, now)?.into_iter().filter(|shown| shown.line.shop == code);
        let terminals: Vec<_> = terminals.collect();
        let covers = grids::holding(&tx.grids()?, Some(&code), today(now)).map(grids::categories).unwrap_or_default();
        Ok((view, shop, owed, has_account, terminals, covers))
    });
    let (view, shop, owed, has_account, terminals, covers) = read.await?;
    let dir = visit.app.documents.clone();
    let JoiningView { joining, stage, steps } = view;
    // Looking at documents takes a while: not on the ledger's thread.
    let steps = visit.app.workers.run(move || {
        let is_kept = |document: &JoiningDocument| documents::is_kept(&dir, &document.hash);
        Ok(steps.into_iter().map(|step| StepLine::of(step, is_kept)).collect::<Vec<_>>())
    });
    let steps = steps.await?;
    Ok(OneShop {
        missing: missing(stage, &steps, &terminals, has_account),
        steps,
        next: steps_from(stage).map(Step::name).collect(),
        ahead: ahead(stage).iter().map(|step| step.name()).collect(),
        stage: stage.name(),
        questionnaire: questionnaire(joining.is_producer),
        settings: shop.map(|shop| settings(shop, owed)),
        terminals,
        covers,
        shop: joining.code,
        name: joining.name,
        kind: joining.kind,
    })
}

fn settings(shop: ShopView, owed: Cents) -> Settings {
    Settings {
        expected_share_permille: shop.weight_permille,
        floor_cents: shop.floor.get(),
        market_days: days_of(shop.market_days),
        slot: shop.slot.map(|(slot, _)| slot),
        slot_version: shop.slot.map(|(_, version)| version),
        owed_cents: owed.get(),
    }
}

fn missing(stage: Stage, steps: &[StepLine], terminals: &[TerminalShown], has_account: bool) -> Vec<&'static str> {
    let signed = steps.iter().rev().find(|step| step.step == Step::Sign.name());
    let is_lost = steps.iter().flat_map(|step| &step.documents).any(|document| !document.is_kept);
    let is_open = stage == Stage::Open;
    let of = |name: &str| match name {
        "account" => is_open && !has_account,
        "terminal" => is_open && !terminals.iter().any(|shown| shown.line.standing == "live"),
        "agreement" => stage != Stage::Closed && signed.is_some_and(|step| step.documents.is_empty()),
        _ => is_lost,
    };
    MISSING.into_iter().filter(|name| of(name)).collect()
}

/// What each household is to find there.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Floor {
    /// For each household; 0 for none.
    #[serde(default)]
    floor_cents: Option<u64>,
    /// `mon` to `sun`; none for every day.
    #[serde(default)]
    market_days: Vec<String>,
    /// As a person types it.
    #[serde(default)]
    #[schemars(skip)]
    floor: String,
    #[serde(default)]
    #[schemars(skip)]
    mon: String,
    #[serde(default)]
    #[schemars(skip)]
    tue: String,
    #[serde(default)]
    #[schemars(skip)]
    wed: String,
    #[serde(default)]
    #[schemars(skip)]
    thu: String,
    #[serde(default)]
    #[schemars(skip)]
    fri: String,
    #[serde(default)]
    #[schemars(skip)]
    sat: String,
    #[serde(default)]
    #[schemars(skip)]
    sun: String,
}

/// How it is set.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct FloorSet {
    shop: String,
    floor_cents: u64,
    /// `mon` to `sun`.
    market_days: Vec<String>,
}

#[derive(Template)]
#[template(path = "shop_floor.html")]
struct FloorPage {
    f: Frame,
    data: FloorSet,
    name: String,
    typed: String,
}

impl FloorPage {
    const WEEK: [&str; 7] = WEEK;

    fn is_on(&self, day: &str) -> bool {
        self.data.market_days.iter().any(|known| known == day)
    }
}

impl Floor {
    /// The days that were ticked, or named.
    fn days(&self) -> Vec<String> {
        let ticks = [&self.mon, &self.tue, &self.wed, &self.thu, &self.fri, &self.sat, &self.sun];
        let ticked = WEEK.into_iter().zip(ticks).filter(|(_, tick)| !tick.is_empty());
        ticked.map(|(day, _)| day.to_owned()).chain(self.market_days.iter().cloned()).collect()
    }
}

/// A shop that has opened.
async fn opened(visit: &Visit, code: String) -> Result<ShopView, Wrong> {
    let shops = visit.store(|tx| tx.shops()).await?;
    shops.into_iter().find(|shop| shop.code == code).ok_or(Wrong::NotFound)
}

pub(super) async fn floor_form(visit: Visit, Path(code): Path<String>) -> Result<Response, Wrong> {
    let shop = opened(&visit, code).await?;
    let market_days = days_of(shop.market_days).into_iter().map(str::to_owned).collect();
    let data = FloorSet { shop: shop.code, floor_cents: shop.floor.get(), market_days };
    let (name, typed) = (shop.name, typed(data.floor_cents));
    answer(&visit, "floor-title", Vec::new(), data, |f, data| FloorPage { f, data, name, typed })
}

pub(super) async fn floor(visit: Visit, Path(code): Path<String>, Sent(sent): Sent<Floor>) -> Result<Response, Wrong> {
    let name = opened(&visit, code.clone()).await?.name;
    let mut market_days = sent.days();
    let floor = match sent.floor_cents {
        Some(told) => Cents::new(told).ok(),
        None => cents(&sent.floor),
    };
    let bits = bits_of(&market_days);
    let mut faults = Vec::new();
    if floor.is_none() {
        let field = if visit.is_program() { "floor_cents" } else { "floor" };
        faults.push(Fault { field, text: "floor-cents-wrong" });
    }
    if bits.is_none() {
        faults.push(Fault { field: "market_days", text: "floor-days-wrong" });
    }
    let (Some(floor), Some(bits)) = (floor, bits) else {
        let data = FloorSet { shop: code, floor_cents: 0, market_days };
        return answer(&visit, "floor-title", faults, data, |f, data| FloorPage { f, data, name, typed: sent.floor });
    };
    // No day is named: it holds every day.
    let bits = if bits == 0 { 0b111_1111 } else { bits };
    market_days = days_of(bits).into_iter().map(str::to_owned).collect();
    let to = format!("/shops/{}", segment(&code));
    let set = visit.deed(Deed::ShopFloor, move |tx, _| {
        tx.shop_floor(&code, floor, bits)?;
        let detail = format!("{floor} cents, {}", market_days.join(" "));
        let subject = format!("shop {code}");
        Ok(Done { given: FloorSet { shop: code, floor_cents: floor.get(), market_days }, subject, detail })
    });
    visit.done(&set.await?, &to)
}

/// A key of a slot.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Slot {
    shop: String,
    /// The slot on purse cards.
    slot: u8,
    /// The newest version of its key.
    slot_version: u8,
}

#[derive(Template)]
#[template(path = "shop_slot.html")]
struct SlotPage {
    f: Frame,
    shop: ShopView,
}

pub(super) async fn ask_slot(visit: Visit, Path(code): Path<String>) -> Result<Response, Wrong> {
    let shop = opened(&visit, code).await?;
    super::super::frame::page(axum::http::StatusCode::OK, &SlotPage { f: Frame::new(&visit, "slot-title"), shop })
}

pub(super) async fn slot(visit: Visit, Path(code): Path<String>) -> Result<Response, Wrong> {
    let to = format!("/shops/{}", segment(&code));
    let renewed = visit.deed(Deed::ShopSlot, move |tx, _| {
        let (slot, slot_version) = tx.slot_renew(&code)?;
        let (subject, detail) = (format!("shop {code}"), format!("slot {slot}, key {slot_version}"));
        Ok(Done { given: Slot { shop: code, slot, slot_version }, subject, detail })
    });
    let renewed = renewed.await?;
    if visit.is_program() {
        return visit.done(&renewed, &to);
    }
    Ok(Redirect::to(&to).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_bits_from_monday_on() {
        let days = |days: &[&str]| days.iter().map(|day| (*day).to_owned()).collect::<Vec<_>>();
        assert_eq!(bits_of(&days(&["tue", "sun", "tue"])), Some(0b100_0010));
        assert_eq!((bits_of(&[]), bits_of(&days(&["tuesday"]))), (Some(0), None));
        assert_eq!((days_of(0b100_0010), days_of(0b111_1111).len()), (vec!["tue", "sun"], 7));
    }
}
