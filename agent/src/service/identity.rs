//! Cards at the counter that prove who they are (tier T2): the card is asked first, then the sale is decided as with any
//! card whose money this terminal counts. What does not prove itself is declined, and people are told.

use super::counter::Open;
use super::parts::Part;
use super::purse::{CardAt, DIALOGUE_TIMEOUT};
use super::{BeginAsk, Counter, Refusal};
use crate::card::purse::PurseCard;
use crate::core::objects::CopySign;
use crate::core::sale::SaleEvent;
use crate::journal::{CardView, Declined, IdentityStart, JournalError, PresentedBy, SaleRecord, SlotSecret};
use cabas_card::commands::WRONG_KEY;
use cabas_card::identity::Proven;
use cabas_card::{CardError, LinkLost};
use cabas_protocol::{Cents, RequestId};
use std::pin::Pin;
use tokio::time::Sleep;

/// What a card came to that was asked to prove itself.
enum Proof {
    /// It is the card, and this is its tap.
    Given(PresentedBy),
    /// The request was done before.
    Known(SaleRecord),
    /// It is declined.
    Declined(Declined),
    /// It left, or could not be understood: it may be presented again.
    Again,
    /// The journal could not be used.
    Failed(JournalError),
}

/// What a card said to all keys.
#[derive(Debug, Eq, PartialEq)]
enum Said {
    Proven(Proven),
    /// It does not have a key of that card.
    NotProven,
    /// It left, or could not be understood.
    Left,
}

/// Asks a card by each key, the newest first: it may not have that one yet.
fn ask(card: &mut dyn PurseCard, keys: &[SlotSecret]) -> Said {
    for SlotSecret { slot, key } in keys {
        match card.prove(*slot, key) {
            Ok(proven) => return Said::Proven(proven),
            Err(CardError::Refused { command: "authenticate", status: WRONG_KEY }) => {}
            // No card of the kind, or one that answers as no card of ours does: the field's own checks leave no noise.
            Err(
                error @ (CardError::Refused { command: "select" | "count the tap", .. } | CardError::NotAuthentic(_)),
            ) => {
                tracing::info!(%error, "a card did not prove itself");
                return Said::NotProven;
            }
            Err(
                error @ (CardError::Refused { .. } | CardError::Link(_) | CardError::Foreign(_) | CardError::Range(_)),
            ) => {
                tracing::info!(%error, "a card could not be asked to prove itself");
                return Said::Left;
            }
        }
    }
    Said::NotProven
}

impl Counter {
    /// Lets a card prove who it is.
    async fn prove(&mut self, by: PresentedBy, at: CardAt, request: Option<RequestId>) -> Proof {
        let now = self.service.clock.now();
        let start = self.service.journal.customer(move |journal| journal.identity_start(now, by, request)).await;
        let keys = match start {
            Ok(IdentityStart::Go(keys)) => keys,
            Ok(IdentityStart::Known(record)) => return Proof::Known(record),
            Ok(IdentityStart::Declined(declined)) => return Proof::Declined(declined),
            Err(error) => return Proof::Failed(error),
        };
        self.let_go().await;
        let link = at.link;
        let said = tokio::task::spawn_blocking(move || match link.connect() {
            Ok(mut card) => ask(&mut *card, &keys),
            Err(LinkLost) => Said::Left,
        });
        let said = tokio::time::timeout(DIALOGUE_TIMEOUT, said).await.ok().and_then(Result::ok).unwrap_or(Said::Left);
        let sign = match said {
            Said::Proven(proven) if proven.uid == at.uid => return Proof::Given(by.identified(proven.counter)),
            Said::Proven(_) => CopySign::OtherNumber,
            Said::NotProven => CopySign::NoKey,
            Said::Left => return Proof::Again,
        };
        match self.service.journal.customer(move |journal| journal.not_proven(now, by.card, sign)).await {
            Ok(declined) => Proof::Declined(declined),
            Err(error) => Proof::Failed(error),
        }
    }

    /// An identity card at a sale.
    pub(super) async fn identify_and_sell(
        &mut self,
        begun: BeginAsk,
        deadline: Pin<Box<Sleep>>,
        part: Option<Part>,
        by: PresentedBy,
        at: CardAt,
    ) {
        let id = begun.request;
        self.step(id, SaleEvent::Card);
        match self.prove(by, at, Some(id)).await {
            Proof::Given(by) => self.decide(begun, deadline, part, by).await,
            Proof::Known(record) => self.accepted(id, record),
            Proof::Declined(declined) => self.declined(id, declined),
            Proof::Again => self.wait_again(begun, deadline, part, "notice-card-again"),
            Proof::Failed(error) => {
                tracing::error!(%error, sale.id = %id, "a card could not be asked to prove itself");
                self.failed(id);
            }
        }
    }

    /// The count of taps of a card whose sale came to nothing is kept as well.
    pub(super) async fn keep_tap(&self, by: PresentedBy) {
        if by.counter.is_none() {
            return;
        }
        let now = self.service.clock.now();
        if let Err(error) = self.service.journal.customer(move |journal| journal.tapped(now, by)).await {
            tracing::warn!(%error, "a card's count of taps could not be kept");
        }
    }

    /// What an identity card could pay.
    pub(super) async fn look_at_identity(&mut self, by: PresentedBy, at: CardAt) -> Result<Cents, Refusal> {
        let by = match self.prove(by, at, None).await {
            Proof::Given(by) => by,
            Proof::Declined(declined) => return Err(Refusal::Card(declined.reason)),
            Proof::Again | Proof::Known(_) => return Err(Refusal::NoCard),
            Proof::Failed(error) => return Err(error.into()),
        };
        let now = self.service.clock.now();
        match self.service.journal.customer(move |journal| journal.view_identity(now, by)).await? {
            CardView::Usable { available } => Ok(available),
            CardView::Declined(declined) => Err(Refusal::Card(declined.reason)),
        }
    }

    /// True where somebody waits for a card.
    pub(super) const fn is_awaiting(&self) -> bool {
        !matches!(self.open, Open::Nothing)
    }
}
