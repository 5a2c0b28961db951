//! What the reader tells, and what that is to who waits for a card.

use super::counter::Open;
use super::parts::Part;
use super::purse::Keyed;
use super::training::Outcome;
use super::{Counter, Event, Refusal};
use crate::card::{CardEvent, ForeignCard, PresentedCard, ReaderState};
use crate::core::authorize::DeclineReason;
use crate::core::sale::SaleEvent;
use crate::journal::{CardView, Declined, PresentedBy};
use cabas_protocol::Cents;

impl Counter {
    pub(super) async fn card(&mut self, event: CardEvent) {
        match event {
            CardEvent::Reader(state) => {
                let gone = !matches!(state, ReaderState::Ready { .. });
                self.on_reader = None;
                {
                    let mut board = self.service.board();
                    board.reader = state;
                    board.card_present = board.card_present && !gone;
                }
                let notice = self.service.board().reader_notice();
                self.notice(notice);
            }
            CardEvent::Presented(card) => {
                self.service.board().card_present = true;
                self.presented(&card).await;
            }
            CardEvent::Removed => {
                self.on_reader = None;
                self.service.board().card_present = false;
                self.notice(self.lasting_notice());
            }
            CardEvent::Several => {
                self.on_reader = None;
                self.service.board().card_present = true;
                self.notice(Some("notice-several-cards"));
            }
            CardEvent::Foreign(card) => {
                self.service.board().card_present = card != ForeignCard::Left;
                self.foreign(card);
            }
        }
        self.service.tell(Event::Status);
    }

    async fn presented(&mut self, card: &PresentedCard) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Played { id, deadline } => {
                self.on_reader = None;
                self.open = Open::Played { id, deadline };
                return self.play_tap(id, Outcome::Accepted);
            }
            Open::ReaderTest { reply, .. } => {
                self.on_reader = None;
                let tier = self.tier_of(card).await;
                return self.tested(reply, tier);
            }
            Open::Card { reply, .. } => {
                self.on_reader = None;
                drop(reply.send(Ok(self.card_key.card_ref(card.uid.as_bytes()))));
                return;
            }
            open @ (Open::Nothing | Open::Sale { .. } | Open::Balance { .. }) => self.open = open,
        }
        let by = PresentedBy {
            card: self.card_key.card_ref(card.uid.as_bytes()),
            proven: card.tier,
            uid: card.uid.class(),
            counter: None,
        };
        let seen = self.seen(card, by).await;
        self.on_reader = Some(seen.clone());
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing | Open::Played { .. } | Open::Card { .. } | Open::ReaderTest { .. } => {}
            // Another card, or what has only the UID of the one that it waits for.
            Open::Sale { ask, deadline, part, doubt }
                if doubt.is_some_and(|card| card != by.card || !matches!(seen.keyed, Some(Keyed::Purse(_)))) =>
            {
                self.open = Open::Sale { ask, deadline, part, doubt };
                self.notice(Some("notice-same-card"));
            }
            Open::Sale { ask, deadline, part, doubt } => {
                let is_taken = doubt.is_some();
                let part = part.map(|part| Part { is_taken: part.is_taken || is_taken, ..part });
                self.sell_or_wait(ask, deadline, part, seen).await;
            }
            Open::Balance { reply, .. } => {
                let looked = match seen.keyed {
                    Some(Keyed::Purse(at)) => self.look(by, at).await,
                    Some(Keyed::Identity(at)) => self.look_at_identity(by, at).await,
                    None => self.look_at_plain(by).await,
                };
                self.service.board().balance_asked = false;
                drop(reply.send(looked));
            }
        }
    }

    async fn look_at_plain(&self, by: PresentedBy) -> Result<Cents, Refusal> {
        let now = self.service.clock.now();
        match self.service.journal.customer(move |journal| journal.view_card(now, by)).await? {
            CardView::Usable { available } => Ok(available),
            CardView::Declined(declined) => Err(Refusal::Card(declined.reason)),
        }
    }

    /// A card that names nobody ends a sale; one that could not be read may be presented again.
    fn foreign(&mut self, card: ForeignCard) {
        let reason = match card {
            ForeignCard::RandomUid => Ok(DeclineReason::RandomUid),
            ForeignCard::NonUniqueUid => Ok(DeclineReason::NonUniqueUid),
            ForeignCard::Contact => Err("notice-card-with-contacts"),
            ForeignCard::InUse => Err("notice-reader-in-use"),
            ForeignCard::NoUid { .. } | ForeignCard::BadUid { .. } | ForeignCard::Mute | ForeignCard::Left => {
                Err("notice-card-unreadable")
            }
        };
        match reason {
            Err(notice) => self.notice(Some(notice)),
            // A part that was offered is for the card that was there; so is a doubt.
            Ok(_) if self.has_part() => self.notice(Some("notice-same-card")),
            Ok(reason) => match std::mem::replace(&mut self.open, Open::Nothing) {
                Open::Nothing => {}
                Open::Sale { ask, .. } => {
                    self.step(ask.request, SaleEvent::Card);
                    let declined = Declined { reason, purse: None, available: None, allowed_at_least: None };
                    self.declined(ask.request, declined);
                }
                Open::Balance { reply, .. } => {
                    self.service.board().balance_asked = false;
                    drop(reply.send(Err(Refusal::Card(reason))));
                }
                open @ Open::Played { .. } => {
                    self.open = open;
                    self.notice(Some("notice-card-unreadable"));
                }
                Open::Card { reply, .. } => drop(reply.send(Err(Refusal::Card(reason)))),
                Open::ReaderTest { reply, .. } => self.tested(reply, Ok(None)),
            },
        }
    }
}
