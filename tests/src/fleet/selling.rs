//! Purchases, reversals and refunds at a terminal, and who saw what of them.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::integer_division,
    reason = "figures of a simulation; what of it is money is checked in this build"
)]

use cabas_agent::core::split::AskedLine;
use cabas_agent::journal::{IdentityStart, PresentedBy, RefundAsk, SaleAsk, SaleRef, Sold, Undone};
use cabas_protocol::row::Tier;
use cabas_protocol::{CategoryId, Cents};

use super::auditor::{Broken, Checked, Shown};
use super::card::{Chip, MemberCard};
use super::event::Mishap;
use super::till::Till;
use super::world::{RungUp, World, lines, request_id};

impl World {
    /// A purchase is rung up, or once more.
    pub(super) fn sell(&mut self, id: u32, (mishap, is_online): (Mishap, bool), is_again: bool) -> Checked {
        let Some(rung_up) = self.rung_up.get(&id).copied() else { return Ok(()) };
        let here = self.enrolled(rung_up.shop);
        if here != rung_up.enrolled || here.is_some_and(|here| self.audit.tainted.contains(&here)) && is_again {
            return Ok(());
        }
        self.with_till(rung_up.shop, |world, till| world.sell_at(till, id, rung_up, mishap, is_online))
    }

    pub(super) fn sell_at(
        &mut self,
        till: &mut Till,
        id: u32,
        rung_up: RungUp,
        mishap: Mishap,
        is_online: bool,
    ) -> Checked {
        let Some(card) = self.cards.get(usize::from(rung_up.card)).cloned() else { return Ok(()) };
        if let Chip::Purse(_) = card.chip {
            return self.sell_to_purse(till, (id, rung_up), (&card, None), mishap, is_online).map(drop);
        }
        let by = till.presented(&card, card.tier())?;
        let by = match self.identify(till, id, &card, by, mishap)? {
            Some(by) => by,
            None => return Ok(()),
        };
        let ask = SaleAsk { request: request_id(id), till_ref: None, lines: lines(rung_up.cents)?, card: by };
        let now = till.clocks.moment(self.now());
        if let Mishap::Cut { work, sectors } = mishap {
            return self.cut_in_sale(till, id, &ask, (work, sectors));
        }
        let mut sold = till.journal()?.sell(now, &ask)?;
        if let Sold::Declined(declined) = &sold
            && is_online
            && declined.reason.may_extend()
            && self.extend(till, declined, ask.request)?
        {
            sold = till.journal()?.sell(now, &ask)?;
        }
        self.sold(till, id, rung_up, sold)
    }

    /// What became of a sale whose money the terminal counts.
    pub(super) fn sold(&mut self, till: &Till, id: u32, rung_up: RungUp, sold: Sold) -> Checked {
        let at = (till.terminal.get(), till.epoch.get());
        match sold {
            Sold::Accepted(record) | Sold::Known(record) => {
                let cents = record.sale.fund_cents()?.get();
                if cents != u64::from(self.due(id, rung_up)) {
                    return Err(Broken::new("what is accepted is what was asked", format!("sale {id}: {cents}")));
                }
                let (seq, purse, tier) = (record.seq.get(), record.sale.purse, record.sale.tier);
                self.shown(Shown { id, at, seq, cents, purse, tier, is_kept: true }, rung_up)
            }
            Sold::Declined(declined) => {
                self.declined(id, rung_up, declined.reason);
                Ok(())
            }
            Sold::NotSplit(error) => Err(error.into()),
        }
    }

    /// A card with keys proves who it is; nothing where it cannot pay.
    pub(super) fn identify(
        &mut self,
        till: &mut Till,
        id: u32,
        card: &MemberCard,
        by: PresentedBy,
        mishap: Mishap,
    ) -> Checked<Option<PresentedBy>> {
        if card.tier() != Tier::Identity {
            return Ok(Some(by));
        }
        let now = till.clocks.moment(self.now());
        let keys = match till.journal()?.identity_start(now, by, Some(request_id(id)))? {
            IdentityStart::Go(keys) => keys,
            IdentityStart::Known(_) => return Ok(Some(by.identified(u32::MAX))),
            IdentityStart::Declined(_) => return Ok(None),
        };
        let mut tap = card.tap(mishap);
        let mut over = cabas_agent::card::purse::over(&mut tap);
        for secret in &keys {
            if let Ok(proven) = cabas_agent::card::purse::PurseCard::prove(&mut over, secret.slot, &secret.key) {
                return Ok(Some(by.identified(proven.counter)));
            }
        }
        if mishap == Mishap::None && self.has_keys(till) {
            return Err(Broken::new("a card proves itself by the keys that lie at the terminal", format!("sale {id}")));
        }
        Ok(None)
    }

    /// The power goes in the one commit of a sale: nobody is shown anything.
    fn cut_in_sale(&mut self, till: &mut Till, id: u32, ask: &SaleAsk, (work, sectors): (u8, u16)) -> Checked {
        self.figures.cuts += 1;
        let now = till.clocks.moment(self.now());
        let before = till.disk()?;
        if work > 0 {
            drop(till.journal()?.sell(now, ask)?);
        }
        let after = till.disk()?;
        till.reboot_on(&before.cut_off(&after, sectors.into()), self.now())?;
        self.all_there(till)?;
        // It is there or it is not: what is there counts, and asking again shows it.
        let found = till.journal()?.find_sale(ask.request)?;
        let rung_up = self.rung_up.get(&id).copied();
        match (found, rung_up) {
            (Some(record), Some(rung_up)) => self.sold(till, id, rung_up, Sold::Known(record)),
            _ => Ok(()),
        }
    }

    /// Whether a card is not in the backup that the hub was restored from: it cannot be blocked before it is imported again.
    fn is_forgotten(&self, card: u16) -> bool {
        self.cards.get(usize::from(card)).is_some_and(|card| self.forgotten_cards.contains(&card.number))
    }

    /// Notes that somebody saw it accepted.
    pub(super) fn shown(&mut self, shown: Shown, rung_up: RungUp) -> Checked {
        if !self.audit.shown.contains_key(&shown.id)
            && self.knows_as_blocked(shown.at, rung_up.card)
            && !self.is_forgotten(rung_up.card)
            && !self.audit.tainted.contains(&shown.at)
            && self.audit.debited_before(shown.id, self.at) != Some(true)
        {
            return Err(Broken::new(
                "a blocked card spends nothing where the list is held",
                format!("{shown:?}: card at {}, blocked at {:?}", rung_up.card, self.blocked.get(&rung_up.card)),
            ));
        }
        if !self.audit.shown.contains_key(&shown.id) {
            self.figures.accepted += 1;
            self.figures.accepted_cents += shown.cents;
        }
        self.audit.accepted(shown)
    }

    /// A reversal.
    pub(super) fn reverse(&mut self, id: u32, request: u32) -> Checked {
        let Some(rung_up) = self.rung_up.get(&id).copied() else { return Ok(()) };
        self.with_till(rung_up.shop, |world, till| {
            let now = till.clocks.moment(world.now());
            let at = (till.terminal.get(), till.epoch.get());
            let undone = till.journal()?.reverse(now, SaleRef::Request(request_id(id)), request_id(request))?;
            if let Undone::Done(record) = undone {
                world.audit.reversed(at, record.reversal.purse, record.reversal.cents.get());
            }
            Ok(())
        })
    }

    /// A refund.
    pub(super) fn refund(&mut self, id: u32, percent: u8, request: u32) -> Checked {
        let Some(rung_up) = self.rung_up.get(&id).copied() else { return Ok(()) };
        self.with_till(rung_up.shop, |world, till| {
            let now = till.clocks.moment(world.now());
            let part = u64::from(rung_up.cents) * u64::from(percent.clamp(1, 100)) / 100;
            let requested = Cents::new(part.max(1))?;
            let lines = (percent < 100).then(|| vec![AskedLine { category: CategoryId::new(0), requested }]);
            let ask = RefundAsk { request: request_id(request), sale: SaleRef::Request(request_id(id)), lines };
            till.journal()?.refund(now, &ask).map(drop)?;
            Ok(())
        })
    }
}
