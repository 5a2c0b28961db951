//! Cards that prove who they are and count their taps: their keys, and the highest count that each has shown here. What
//! they spend this journal counts, as for plain cards.

use super::Journal;
use super::append::Writer;
use super::error::JournalError;
use super::purse::keys_of;
use super::sales::{CardView, Declined, PresentedBy, SaleRecord, declined, facts, find_sale, known_of, tier_of};
use super::secrets::SlotSecret;
use crate::core::ages::Moment;
use crate::core::authorize::{DeclineReason, usable_balance};
use crate::core::objects::{Alarm, CopySign};
use cabas_protocol::row::Tier;
use cabas_protocol::{CardRef, Cents, RequestId};
use rusqlite::{OptionalExtension as _, params};

/// What the journal says before an identity card is spoken to.
#[derive(Clone, Debug)]
pub enum IdentityStart {
    /// The request was done before: this is its sale.
    Known(SaleRecord),
    /// The card cannot pay, whatever it proves.
    Declined(Declined),
    /// It is asked to prove itself, by these keys, the newest first.
    Go(Vec<SlotSecret>),
}

/// An identity card, as its session proved it.
impl PresentedBy {
    /// The same card, once it has proven that it has the key, and counted the tap.
    #[must_use]
    pub const fn identified(self, counter: u32) -> Self {
        Self { proven: Tier::Identity, counter: Some(counter), ..self }
    }
}

impl Journal {
    /// The tier that a card is bound to; nothing where no binding names it.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn bound_tier(&mut self, card: CardRef) -> Result<Option<Tier>, JournalError> {
        self.read(|db, _| {
            let mut select = db.prepare_cached("SELECT tier FROM bindings WHERE card = ?1")?;
            Ok(select.query_row([card.as_bytes()], |row| row.get(0).map(tier_of)).optional()?)
        })
    }

    /// What is known before an identity card is spoken to: nothing is written.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn identity_start(
        &mut self,
        now: Moment,
        card: PresentedBy,
        request: Option<RequestId>,
    ) -> Result<IdentityStart, JournalError> {
        let (secrets, card) = (self.secrets.clone(), card.identified(0));
        self.read(|db, state| {
            let known = request.map(|request| find_sale(db, state, request)).transpose()?.flatten();
            if let Some(known) = known {
                return Ok(IdentityStart::Known(known));
            }
            let known = known_of(db, state, now, card)?;
            let keys = keys_of(secrets.as_deref(), db, card.card)?;
            match usable_balance(&facts(state, now, &known)) {
                // What only lacks money or its renewal the hub may still give.
                Err(reason) if !reason.may_extend() => {
                    Ok(IdentityStart::Declined(declined(reason, &known, Cents::ZERO)))
                }
                Ok(_) | Err(_) if keys.is_empty() => {
                    Ok(IdentityStart::Declined(declined(DeclineReason::NoBalance, &known, Cents::ZERO)))
                }
                Ok(_) | Err(_) => Ok(IdentityStart::Go(keys)),
            }
        })
    }

    /// What a card could pay that has proven itself; its count of taps is kept.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn view_identity(&mut self, now: Moment, card: PresentedBy) -> Result<CardView, JournalError> {
        self.write(now, |writer| {
            let known = known_of(writer.tx, writer.state, now, card)?;
            if let Some(reason) = writer.copied(card)? {
                return Ok(CardView::Declined(declined(reason, &known, Cents::ZERO)));
            }
            writer.keep_taps(card)?;
            Ok(match usable_balance(&facts(writer.state, now, &known)) {
                Ok(balance) => CardView::Usable { available: known.counters.available(balance.allowed) },
                Err(reason) => CardView::Declined(declined(reason, &known, Cents::ZERO)),
            })
        })
    }

    /// Keeps the count of taps of a card whose sale came to nothing.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn tapped(&mut self, now: Moment, card: PresentedBy) -> Result<(), JournalError> {
        self.write(now, |writer| if writer.copied(card)?.is_none() { writer.keep_taps(card) } else { Ok(()) })
    }

    /// A card that is bound as an identity did not prove that it is: why it is declined. People are told.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn not_proven(&mut self, now: Moment, card: CardRef, sign: CopySign) -> Result<Declined, JournalError> {
        self.write(now, |writer| {
            writer.flag_copy(card, sign)?;
            let reason = DeclineReason::TierTooLow;
            Ok(Declined { reason, purse: None, available: None, allowed_at_least: None })
        })
    }
}

impl Writer<'_> {
    /// Why a card is declined whose count of taps says that there is a copy of it. People are told.
    pub(super) fn copied(&mut self, card: PresentedBy) -> Result<Option<DeclineReason>, JournalError> {
        if card.proven != Tier::Identity {
            return Ok(None);
        }
        let mut select = self.tx.prepare_cached("SELECT counter FROM identity_counters WHERE card = ?1")?;
        let held: Option<u32> = select.query_row([card.card.as_bytes()], |row| row.get(0)).optional()?;
        match (held, card.counter) {
            (_, None) => Ok(Some(DeclineReason::TierTooLow)),
            (Some(held), Some(counter)) if counter <= held => {
                self.flag_copy(card.card, CopySign::CounterFell { held, counter })?;
                Ok(Some(DeclineReason::TierTooLow))
            }
            (Some(_) | None, Some(_)) => Ok(None),
        }
    }

    /// Keeps the count of taps of a card that proved it.
    pub(super) fn keep_taps(&self, card: PresentedBy) -> Result<(), JournalError> {
        let (Tier::Identity, Some(counter)) = (card.proven, card.counter) else { return Ok(()) };
        let mut upsert = self.tx.prepare_cached(
            "INSERT INTO identity_counters (card, counter, oldest) \
             VALUES (?1, ?2, ifnull((SELECT min(version) FROM slot_keys WHERE card = ?1), 0)) \
             ON CONFLICT (card) DO UPDATE SET counter = max(counter, ?2)",
        )?;
        upsert.execute(params![card.card.as_bytes(), counter])?;
        Ok(())
    }

    fn flag_copy(&mut self, card: CardRef, sign: CopySign) -> Result<(), JournalError> {
        for alarm in self.note_alarms(vec![Alarm::CardCopied { card: card.into(), sign }])? {
            tracing::error!(%alarm, "there is a copy of a card");
        }
        Ok(())
    }
}
