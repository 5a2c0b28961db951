//! How a shop is set: what households find there without a network, its key on purse cards.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use cabas_protocol::Cents;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fields::{cents, segment, typed};
use super::super::frame::{Fault, Frame, answer, page};
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use crate::core::audit::Deed;
use crate::store::ShopView;

/// Days of a week, Monday first.
pub(in crate::admin) const WEEK: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

pub(super) fn days_of(bits: u8) -> Vec<&'static str> {
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
    page(StatusCode::OK, &SlotPage { f: Frame::new(&visit, "slot-title"), shop })
}

pub(super) async fn slot(visit: Visit, Path(code): Path<String>) -> Result<Response, Wrong> {
    let to = format!("/shops/{}", segment(&code));
    let renewed = visit.deed(Deed::ShopSlot, move |tx, _| {
        let (slot, slot_version) = tx.slot_renew(&code)?;
        let (subject, detail) = (format!("shop {code}"), format!("slot {slot}, key {slot_version}"));
        Ok(Done { given: Slot { shop: code, slot, slot_version }, subject, detail })
    });
    visit.done(&renewed.await?, &to)
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
