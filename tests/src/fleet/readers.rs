//! What the hub does with cards at a shop's reader: new ones, and the keys that are due.
#![allow(clippy::arithmetic_side_effects, reason = "numbers of a simulation, checked in this build")]

use cabas_hub::store::{CardVerb, StoreError};
use cabas_protocol::TerminalId;
use cabas_protocol::row::Tier;

use super::auditor::{Broken, Checked};
use super::card::{Chip, MemberCard};
use super::event::Mishap;
use super::hub::{household_code, purse_ref, shop_code};
use super::hub_people::Done;
use super::till::Till;
use super::world::World;

/// Cards that are issued later are numbered from here, and their purses.
const ISSUED: u32 = 60_000;
const ISSUED_PURSES: u32 = 200_000;
/// How long a reader may be used for one card, in seconds.
const GRANTED_S: u32 = 600;

/// What became of a card at a reader.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Session {
    Done,
    /// The card left.
    Left,
    /// The hub does not do it.
    Refused,
}

impl World {
    /// True where a terminal has had all news since keys of cards changed last.
    pub(super) fn has_keys(&self, till: &Till) -> bool {
        let news = self.has_news_of.get(&(till.terminal.get(), till.epoch.get()));
        self.keys_changed.is_none_or(|changed| news.is_some_and(|news| *news > changed))
    }

    /// A card is given the keys that are due, and its newest balance.
    pub(super) fn renew(&mut self, shop: u8, place: u16, mishap: Mishap) -> Checked {
        let Some(card) = self.cards.get(usize::from(place)).cloned() else { return Ok(()) };
        let Some((terminal, _)) = self.reader(shop) else { return Ok(()) };
        if card.tier() == Tier::Plain {
            return Ok(());
        }
        let done = self.session(terminal, (CardVerb::Renew, None), &card, mishap)?;
        if done == Session::Left && mishap == Mishap::None {
            return Err(Broken::new("a card that is held still is renewed", format!("card {place}")));
        }
        Ok(())
    }

    /// A card is replaced by a new one. Where it left meanwhile, it comes again.
    pub(super) fn issue_new(
        &mut self,
        shop: u8,
        place: u16,
        (is_purse, is_backed_up): (bool, bool),
        mishap: Mishap,
    ) -> Checked {
        let Some(old) = self.cards.get(usize::from(place)).cloned() else { return Ok(()) };
        let Some((terminal, _)) = self.reader(shop) else { return Ok(()) };
        let time = self.time();
        let new = match self.half_issued.get(&place) {
            Some(half) => half.clone(),
            None => {
                // One that a restore forgot is not known: there is nothing to block.
                let is_forgotten = self.forgotten_cards.contains(&old.number);
                if !is_forgotten && !self.hub.people(Done::Block(old.number), time)? {
                    return Ok(());
                }
                self.unblocked.remove(&place);
                self.issued += 1;
                let tier = if is_purse { Tier::Purse } else { Tier::Identity };
                MemberCard::new(ISSUED + self.issued, old.household, tier)
            }
        };
        if let Chip::Purse(_) = new.chip {
            self.audit.owner.insert(purse_of(&new), new.household);
        }
        let code = household_code(new.household);
        match self.session(terminal, (CardVerb::Issue, Some(&code)), &new, mishap)? {
            Session::Done => {
                self.half_issued.remove(&place);
                self.blocked.remove(&place);
                self.lost_blocks.remove(&place);
                self.unblocked.remove(&place);
                self.audit.chips.remove(&place);
                if let Some(at) = self.cards.get_mut(usize::from(place)) {
                    *at = new;
                }
                if is_backed_up {
                    self.hub.back_up(time)?;
                }
            }
            Session::Left if mishap == Mishap::None => {
                return Err(Broken::new("a card that is held still is issued", format!("for {place}")));
            }
            Session::Left => drop(self.half_issued.insert(place, new)),
            Session::Refused => {}
        }
        Ok(())
    }

    /// The key of a shop's slot is renewed, where no card would be left behind.
    pub(super) fn rotate(&mut self, shop: u8) -> Checked {
        let code = shop_code(self.shape.shop_of(shop));
        match self.hub.direct()?.db.write(|tx| tx.slot_renew(&code)) {
            Ok(_) => {
                self.figures.rotations += 1;
                self.keys_change();
                Ok(())
            }
            Err(StoreError::KeysBehind { .. } | StoreError::Exhausted(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn keys_change(&mut self) {
        self.keys_changed = Some(self.keys_changed.unwrap_or_default().max(self.at));
    }

    /// A terminal that is connected.
    fn reader(&self, shop: u8) -> Option<(TerminalId, u32)> {
        let till = self.tills.get(usize::from(shop)).and_then(Option::as_ref)?;
        let is_there =
            !self.shape.is_stall(shop) && !self.audit.forgotten.contains(&(till.terminal.get(), till.epoch.get()));
        is_there.then_some((till.terminal, till.epoch.get()))
    }

    fn session(
        &mut self,
        terminal: TerminalId,
        (verb, household): (CardVerb, Option<&str>),
        card: &MemberCard,
        mishap: Mishap,
    ) -> Checked<Session> {
        let (time, drawn) = (self.time(), self.nonce());
        let until = time.after_s(GRANTED_S.into());
        let granted = self
            .hub
            .direct()?
            .db
            .write(|tx| tx.card_grant(terminal, verb, (card.number, card.tier()), household, until));
        match granted {
            Ok(()) => {}
            Err(StoreError::CardSession(_)) => return Ok(Session::Refused),
            Err(error) => return Err(error.into()),
        }
        let words = format!("{} {}", if verb == CardVerb::Issue { "issue" } else { "renew" }, card.number);
        let mut seed = [9; 32];
        for (to, from) in seed.iter_mut().zip(drawn.as_bytes()) {
            *to = *from;
        }
        let mut tap = card.tap(mishap);
        let mut over = cabas_agent::card::purse::exchange_over(&mut tap);
        let done = self.hub.direct()?.card(&mut over, (card.uid, &words), terminal, (purse_of(card), seed), time);
        self.keys_change();
        match done {
            Ok(true) => {
                self.figures.sessions += 1;
                Ok(Session::Done)
            }
            Ok(false) => {
                self.figures.torn_sessions += 1;
                Ok(Session::Left)
            }
            Err(StoreError::CardSession(_) | StoreError::Restoring(_) | StoreError::CardTaken { .. }) => {
                Ok(Session::Refused)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The purse of a card that is issued later.
pub(super) fn purse_of(card: &MemberCard) -> cabas_protocol::PurseRef {
    purse_ref(ISSUED_PURSES + card.number)
}
