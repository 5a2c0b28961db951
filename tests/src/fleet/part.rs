//! Sales of which the fund pays a part: what there is, where only the money is short and the member takes it.
#![allow(clippy::arithmetic_side_effects, reason = "sums of a model, checked in this build")]

use cabas_agent::journal::{SaleAsk, Sold};
use cabas_protocol::Cents;

use super::auditor::{Broken, Checked};
use super::card::Chip;
use super::event::Mishap;
use super::world::{RungUp, World, lines, request_id};

impl World {
    /// What the fund is to pay of a sale: what it costs, or the part that the member took.
    pub(super) fn due(&self, id: u32, rung_up: RungUp) -> u32 {
        self.parts.get(&id).copied().unwrap_or(rung_up.cents)
    }

    /// The member takes the part that is offered of a sale that was declined.
    pub(super) fn take_part(&mut self, id: u32, mishap: Mishap) -> Checked {
        let Some(rung_up) = self.rung_up.get(&id).copied() else { return Ok(()) };
        let here = self.enrolled(rung_up.shop);
        let is_copied = here.is_some_and(|here| self.audit.tainted.contains(&here));
        if here != rung_up.enrolled || is_copied || self.audit.shown.contains_key(&id) {
            return Ok(());
        }
        let Some(card) = self.cards.get(usize::from(rung_up.card)).cloned() else { return Ok(()) };
        if matches!(card.chip, Chip::Purse(_)) {
            return self.with_till(rung_up.shop, |world, till| {
                let Some(offer) = world.sell_to_purse(till, (id, rung_up), (&card, None), Mishap::None, false)? else {
                    return Ok(());
                };
                let part = u32::try_from(offer.get())?;
                if part == 0 || part >= rung_up.cents {
                    return Err(Broken::new("a part is less than the whole", format!("sale {id}: {part}")));
                }
                world.taken.entry(id).or_default().insert(part);
                let again = world.sell_to_purse(till, (id, rung_up), (&card, Some(offer)), mishap, false)?;
                match (again, mishap) {
                    (Some(again), Mishap::None) => Err(Broken::new(
                        "a part that is offered can be taken",
                        format!("sale {id}: {offer}, then {again}"),
                    )),
                    _ => Ok(()),
                }
            });
        }
        self.with_till(rung_up.shop, |world, till| {
            // One whose answer nobody saw is there already: presented again it is shown, and there is no part to take.
            if till.journal()?.find_sale(request_id(id))?.is_some() {
                return Ok(());
            }
            let by = till.presented(&card, card.tier())?;
            let Some(by) = world.identify(till, id, &card, by, Mishap::None)? else { return Ok(()) };
            let ask = SaleAsk { request: request_id(id), till_ref: None, lines: lines(rung_up.cents)?, card: by };
            let now = till.clocks.moment(world.now());
            let Some(offer) = till.journal()?.offer(now, &ask, None)? else { return Ok(()) };
            let sold = till.journal()?.sell_part(now, &ask, offer)?;
            if let Sold::Accepted(_) = sold {
                let part = u32::try_from(offer.get())?;
                if offer == Cents::ZERO || part >= rung_up.cents {
                    return Err(Broken::new("a part is less than the whole", format!("sale {id}: {part}")));
                }
                world.parts.insert(id, part);
                world.figures.parts += 1;
            }
            world.sold(till, id, rung_up, sold)
        })
    }
}
