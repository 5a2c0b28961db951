//! What thieves, fire and repairs do to terminals.

use cabas_agent::journal::{SaleAsk, Sold};
use cabas_protocol::row::Tier;
use cabas_protocol::sync::Standing;

use super::auditor::{Broken, Checked};
use super::event::{Mishap, Net};
use super::hub_people::Done;
use super::till::{Clocks, Till};
use super::world::{RungUp, World, lines, request_id};

impl World {
    /// A card's UID on a plain card: it buys nothing where the card has keys. Where it has none it is the card, to everybody:
    /// what it buys is the household's loss, within what its household has here, until it is blocked.
    pub(super) fn fake(&mut self, shop: u8, place: u16, cents: u32, id: u32) -> Checked {
        let Some(card) = self.cards.get(usize::from(place)).cloned() else { return Ok(()) };
        self.figures.copies = self.figures.copies.saturating_add(1);
        if card.tier() == Tier::Plain {
            let rung_up = RungUp { shop, card: place, cents, enrolled: self.enrolled(shop) };
            if self.rung_up.insert(id, rung_up).is_some() {
                return Ok(());
            }
            return self.with_till(shop, |world, till| world.sell_at(till, id, rung_up, Mishap::None, false));
        }
        self.with_till(shop, |world, till| {
            let by = till.presented(&card, Tier::Plain)?;
            let ask = SaleAsk { request: request_id(id), till_ref: None, lines: lines(cents)?, card: by };
            let now = till.clocks.moment(world.now());
            match till.journal()?.sell(now, &ask)? {
                Sold::Declined(_) => Ok(()),
                other @ (Sold::Accepted(_) | Sold::Known(_) | Sold::NotSplit(_)) => {
                    Err(Broken::new("a lower tier than bound is never accepted", format!("{other:?}")))
                }
            }
        })
    }

    /// A disk becomes what it was.
    pub(super) fn old_image(&mut self, shop: u8) -> Checked {
        let Some((epoch, disk)) = self.images.remove(&shop) else { return Ok(()) };
        self.with_till(shop, |world, till| {
            if till.epoch != epoch {
                return Ok(());
            }
            let at = (till.terminal.get(), epoch.get());
            world.audit.tainted.insert(at);
            till.reboot_on(&disk, world.now())?;
            world.audit.lose(at);
            Ok(())
        })
    }

    /// A machine made of the copy of a disk sells, and calls the hub.
    pub(super) fn twin(&mut self, shop: u8, card: u16, cents: u32, id: u32) -> Checked {
        let current = self.tills.get(usize::from(shop)).and_then(Option::as_ref).map(|till| till.epoch);
        let mut twin = match self.twins.remove(&shop) {
            Some(twin) if Some(twin.epoch) == current => twin,
            Some(_) | None => {
                let Some((epoch, disk)) = self.images.get(&shop).cloned() else { return Ok(()) };
                let dir = self.twin_dir();
                let Some(till) = self.tills.get(usize::from(shop)).and_then(Option::as_ref) else { return Ok(()) };
                if till.epoch != epoch {
                    return Ok(());
                }
                till.twin(&dir, &disk, self.now())?
            }
        };
        self.audit.tainted.insert((twin.terminal.get(), twin.epoch.get()));
        let rung_up = RungUp { shop, card, cents, enrolled: self.enrolled(shop) };
        let done = if self.rung_up.insert(id, rung_up).is_none() {
            self.sell_at(&mut twin, id, rung_up, Mishap::None, id.is_multiple_of(2))
        } else {
            Ok(())
        };
        let net = if id.is_multiple_of(3) { Net::RequestLost } else { Net::Fine };
        let done = done.and_then(|()| self.sync(&mut twin, net));
        self.twins.insert(shop, twin);
        done
    }

    /// A terminal is gone with all that is in it.
    pub(super) fn destroyed(&mut self, shop: u8) {
        let Some(till) = self.tills.get_mut(usize::from(shop)).and_then(Option::take) else { return };
        self.audit.lose((till.terminal.get(), till.epoch.get()));
        self.dead.insert(shop, (till.terminal, till.epoch, till.clocks));
    }

    /// People look at a shop: what may not sell any more is closed by two of them and enrolled again.
    pub(super) fn repair(&mut self, shop: u8, is_backed_up: bool) -> Checked {
        let mut bad = self.dead.get(&shop).copied();
        self.with_till(shop, |world, till| {
            world.sync(till, Net::Fine)?;
            let at = (till.terminal.get(), till.epoch.get());
            let is_lost = world.audit.tainted.contains(&at) || world.audit.forgotten.contains(&at);
            if till.journal()?.state().hub.standing != Standing::Live || is_lost {
                bad = Some((till.terminal, till.epoch, till.clocks));
            }
            Ok(())
        })?;
        let Some((terminal, epoch, clocks)) = bad else { return Ok(()) };
        let at = (terminal.get(), epoch.get());
        let time = self.time();
        // Of an enrolment that a restore forgot there is nothing to close.
        let is_forgotten = self.audit.forgotten.contains(&at);
        if !is_forgotten && !self.audit.closed.contains(&at) && !self.hub.people(Done::Close(terminal, epoch), time)? {
            return Ok(());
        }
        self.audit.closed.insert(at);
        self.audit.lose(at);
        if let Some(till) = self.tills.get_mut(usize::from(shop)).and_then(Option::take) {
            drop(till);
        }
        self.dead.insert(shop, (terminal, epoch, clocks));
        self.images.remove(&shop);
        let of = if self.knows(terminal)? { Err(terminal) } else { Ok(self.shape.shop_of(shop)) };
        self.enrol(shop, of, clocks, is_backed_up)
    }

    /// A terminal is enrolled, a new one or one that is there.
    pub(super) fn enrol(
        &mut self,
        shop: u8,
        of: Result<u8, cabas_protocol::TerminalId>,
        clocks: Clocks,
        is_backed_up: bool,
    ) -> Checked {
        self.enrolments = self.enrolments.saturating_add(1);
        let (time, now) = (self.time(), self.now());
        let (locator, keys) = self.hub.code(of, time)?;
        let dir = self.dir.join(format!("till-{shop}-{}", self.enrolments));
        let till = Till::enrol(shop, &dir, self.hub.direct()?, (locator, &keys), clocks, now)?;
        let at = (till.terminal.get(), till.epoch.get());
        if self.audit.forgotten.contains(&at) || self.audit.closed.contains(&at) {
            return Err(Broken::new("an enrolment's number is given once", format!("{at:?}")));
        }
        if let Some(place) = self.tills.get_mut(usize::from(shop)) {
            *place = Some(till);
        }
        self.dead.remove(&shop);
        self.jobs()?;
        self.with_till(shop, |world, till| world.sync(till, Net::Fine))?;
        if is_backed_up {
            self.hub.back_up(time)?;
        }
        Ok(())
    }
}
