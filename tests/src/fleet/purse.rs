//! Purchases with cards that count for themselves, and what is asked of the hub while a customer waits.
#![allow(clippy::arithmetic_side_effects, reason = "sums of a model, checked in this build")]

use cabas_agent::card::purse::over;
use cabas_agent::core::ages::Moment;
use cabas_agent::core::authorize::DeclineReason;
use cabas_agent::journal::{Declined, Journal, JournalError, SaleAsk};
use cabas_agent::service::dialogue::{Books, Paid, Purchase, purchase};
use cabas_agent::sync::{read_answer, verified_balance};
use cabas_hub::store::Wake;
use cabas_protocol::extend::{ExtendAnswer, ExtendRequest};
use cabas_protocol::row::Tier;
use cabas_protocol::{Cents, ObjectType, RequestId, Verified};

use super::auditor::{Broken, Checked, Shown};
use super::card::MemberCard;
use super::event::{Mishap, Net};
use super::power::Disk;
use super::till::Till;
use super::world::{RungUp, World, id_of, lines, request_id};

/// The journal as the dialogue with a card uses it, until the power goes.
struct Desk<'a> {
    till: &'a mut Till,
    world: &'a mut World,
    is_online: bool,
    /// Pieces of work until the power goes, and what draws the sectors.
    cut: Option<(u8, u16)>,
    /// What is on the disk then.
    left: Option<Disk>,
    broken: Option<Broken>,
}

impl Books for Desk<'_> {
    fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        if self.left.is_some() {
            return Err(JournalError::Closed);
        }
        match &mut self.cut {
            Some((0, sectors)) => {
                let sectors = *sectors;
                let before = self.till.disk();
                drop(work(self.till.journal()?));
                let after = self.till.disk();
                match (before, after) {
                    (Ok(before), Ok(after)) => self.left = Some(before.cut_off(&after, sectors.into())),
                    (Err(error), _) | (_, Err(error)) => self.broken = Some(error.into()),
                }
                Err(JournalError::Closed)
            }
            Some((left, _)) => {
                *left -= 1;
                work(self.till.journal()?)
            }
            None => work(self.till.journal()?),
        }
    }

    fn now(&self) -> Moment {
        self.till.clocks.moment(self.world.now())
    }

    fn is_awaited(&self) -> bool {
        true
    }

    fn extend(&mut self, declined: &Declined, request: RequestId) -> bool {
        if !self.is_online || self.left.is_some() || !declined.reason.may_extend() {
            return false;
        }
        match self.world.extend(self.till, declined, request) {
            Ok(extended) => extended,
            Err(broken) => {
                self.broken = Some(broken);
                false
            }
        }
    }
}

impl World {
    /// A purse card is presented.
    pub(super) fn sell_to_purse(
        &mut self,
        till: &mut Till,
        (id, rung_up): (u32, RungUp),
        (card, most): (&MemberCard, Option<Cents>),
        mishap: Mishap,
        is_online: bool,
    ) -> Checked<Option<Cents>> {
        let by = till.presented(card, Tier::Purse)?;
        let ask = SaleAsk { request: request_id(id), till_ref: None, lines: lines(rung_up.cents)?, card: by };
        let wish = Purchase { ask, uid: card.uid, most };
        let before = card.spent().unwrap_or_default();
        let (mut tap, mut told) = (card.tap(mishap), None);
        let cut = match mishap {
            Mishap::Cut { work, sectors } => Some((work, sectors)),
            Mishap::None | Mishap::Torn { .. } => None,
        };
        let mut desk = Desk { till: &mut *till, world: &mut *self, is_online, cut, left: None, broken: None };
        // What is told while the power is there was shown; what is told later nobody sees.
        purchase(&mut over(&mut tap), &mut desk, &wish, |paid| told = Some(paid));
        let Desk { left, broken, .. } = desk;
        if let Some(broken) = broken {
            return Err(broken);
        }
        let more = card.spent().unwrap_or_default().saturating_sub(before);
        // A part that was taken and not paid does not bind: the next tap may pay the whole.
        let part = u32::try_from(more)?;
        if self.taken.get(&id).is_some_and(|taken| taken.contains(&part)) {
            self.parts.insert(id, part);
            self.figures.parts += 1;
        }
        self.audit.chip((rung_up.card, self.at), id, more, self.due(id, rung_up).into())?;
        let offer = match &told {
            Some(Paid::Declined(_, offer)) => *offer,
            _ => None,
        };
        let is_off = left.is_some();
        if let Some(left) = left {
            self.figures.cuts += 1;
            till.reboot_on(&left, self.now())?;
            self.all_there(till)?;
        }
        if let (Some(Paid::Declined(declined, _)), Mishap::None) = (&told, mishap)
            && declined.reason == DeclineReason::TierTooLow
            && self.has_keys(till)
        {
            return Err(Broken::new("a card opens by the keys that lie at the terminal", format!("sale {id}")));
        }
        self.paid(till, (id, rung_up), told, (more, is_off))?;
        Ok(offer)
    }

    fn paid(
        &mut self,
        till: &Till,
        (id, rung_up): (u32, RungUp),
        told: Option<Paid>,
        (more, is_off): (u64, bool),
    ) -> Checked {
        let at = (till.terminal.get(), till.epoch.get());
        match told {
            Some(Paid::Accepted(record) | Paid::Earlier(record)) => {
                let of = record.sale.request.map(id_of).unwrap_or_default();
                let (seq, cents, purse) = (record.seq.get(), record.sale.fund_cents()?.get(), record.sale.purse);
                self.shown(Shown { id: of, at, seq, cents, purse, tier: Tier::Purse, is_kept: true }, rung_up)
            }
            Some(Paid::Declined(declined, _)) => {
                self.declined(id, rung_up, declined.reason);
                if more == 0 {
                    Ok(())
                } else {
                    Err(Broken::new("declined debits nothing", format!("sale {id}: the chip counted {more}")))
                }
            }
            Some(Paid::InDoubt) => {
                self.figures.doubts += 1;
                Ok(())
            }
            Some(Paid::Again) if more > 0 && !is_off => {
                Err(Broken::new("what is not in doubt debits nothing", format!("sale {id}: the chip counted {more}")))
            }
            Some(Paid::NotSplit(error)) => Err(error.into()),
            Some(Paid::Failed(error)) if !is_off => Err(error.into()),
            Some(Paid::Again | Paid::Unsettled(_) | Paid::Failed(_)) | None => Ok(()),
        }
    }

    /// The hub is asked for more while a customer waits; those that are connected hand back what is asked of them.
    pub(super) fn extend(&mut self, till: &mut Till, declined: &Declined, operation: RequestId) -> Checked<bool> {
        let (Some(purse), Some(level)) = (declined.purse, declined.allowed_at_least) else { return Ok(false) };
        let state = till.journal()?.state();
        let request = till.signer()?.sign(&ExtendRequest {
            head: state.context().head(ObjectType::ExtendRequest),
            terminal: till.terminal,
            epoch: till.epoch,
            request: operation,
            purse,
            allowed_at_least: level,
        });
        let shape = self.shape;
        let connected: Vec<_> = self
            .tills
            .iter()
            .flatten()
            .filter(|other| !shape.is_stall(other.shop))
            .map(|other| other.terminal)
            .collect();
        let time = self.time();
        drop(self.hub.direct()?.db.take_wakes());
        let (mut said, recalled) = self.hub.direct()?.extend(request.as_bytes().to_vec(), &connected, time);
        if recalled > 0 {
            let woken = self.hub.direct()?.db.take_wakes();
            let is_woken = |of| {
                woken.iter().any(|wake| matches!(wake, Wake::Terminal(other) if *other == of) || *wake == Wake::All)
            };
            let shops: Vec<_> =
                self.tills.iter().flatten().filter(|till| is_woken(till.terminal)).map(|till| till.shop).collect();
            for shop in shops.into_iter().filter(|shop| !shape.is_stall(*shop)) {
                self.with_till(shop, |world, other| world.sync(other, Net::Fine))?;
            }
            (said, _) = self.hub.direct()?.extend(request.as_bytes().to_vec(), &[], time);
        }
        let answer: Result<Verified<ExtendAnswer>, _> = read_answer(&request, &state.keys, said.0, said.1);
        let Ok(answer) = answer else { return Ok(false) };
        let Some(bytes) = answer.into_payload().balance else { return Ok(false) };
        let Some(balance) = verified_balance(&state.keys, &bytes, purse) else {
            return Err(Broken::new("an extension brings the hub's word", format!("{purse:?}")));
        };
        self.audit.signed((till.terminal.get(), till.epoch.get()), &balance.0)?;
        let is_enough = balance.1.payload().allowed >= level;
        let now = till.clocks.moment(self.now());
        let applied = till.journal()?.apply_balance(now, balance)?;
        Ok(applied.taken > 0 || is_enough)
    }

    /// A sale is declined: whether the household had the money, wherever it lay.
    pub(super) fn declined(&mut self, id: u32, rung_up: RungUp, reason: DeclineReason) {
        let money = matches!(reason, DeclineReason::InsufficientFunds | DeclineReason::NoBalance);
        let Some(card) = self.cards.get(usize::from(rung_up.card)) else { return };
        let has = self.audit.has(card.household);
        if money && has >= u64::from(rung_up.cents) && !self.audit.shown.contains_key(&id) {
            self.figures.refused_funded += 1;
            self.figures.refused_cents += u64::from(rung_up.cents);
        }
    }
}
