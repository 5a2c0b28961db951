//! A bare terminal and a purse card: it debits the card as an agent does, and leaves it to the test which row it writes.

use anyhow::Context as _;
use cabas_agent::card::purse::{PurseCard as _, over};
use cabas_card::Key;
use cabas_card::layout::Record;
use cabas_protocol::keys::CardKey;
use cabas_protocol::row::{CardDebit, Line, Sale, Tier};
use cabas_protocol::{CardRef, CategoryId, Cents, PolicyId, PurseRef, RowBody, Signed, SignedBalance, Version};

use crate::fleet::Tap;
use crate::terminal::Terminal;
use crate::virtual_card::desfire::DesfireChip;

impl Terminal {
    /// How it names a card.
    #[must_use]
    pub fn card_ref(&self, chip: &DesfireChip) -> CardRef {
        CardKey::new(self.secrets.card_key).card_ref(&chip.uid())
    }

    /// Announces a debit and makes it; gives the sale that an agent would write next, with the card's answer.
    ///
    /// # Errors
    /// Where the card has no key of this terminal's slot, or is not debited.
    pub fn debit(&mut self, chip: &DesfireChip, purse: PurseRef, amount: Cents) -> anyhow::Result<Sale> {
        let card = self.card_ref(chip);
        let slot = self.slot_keys.get(&card).context("no key of the card")?.clone();
        let mut tap = Tap::of(chip);
        let mut spoken = over(&mut tap);
        let mut open = spoken.open(slot.slot, &Key::new(*slot.key))?;
        let carried = Signed::<SignedBalance>::from_bytes(open.balance()?)?.peek()?;
        let spent = open.spent()?;
        let spent_before = Cents::new(spent.into())?;
        self.stan = self.stan.next();
        let announced = CardDebit { stan: self.stan, card, purse, cents: amount, spent_before, card_counter: 0 };
        let intent = self.append(RowBody::Intent(announced))?.read_trusted(self.fund())?.into_payload();
        let cents = u32::try_from(amount.get())?;
        let record = Record {
            terminal: self.id.get(),
            epoch: self.epoch.get(),
            seq: intent.seq.get(),
            time_s: u32::try_from(intent.time.wall.get())?,
            cents,
            spent_after: spent.checked_add(cents).context("more than a card counts")?,
            serial: carried.serial.get(),
        };
        let record = record.to_bytes(&Key::new(self.secrets.record_key), &chip.uid());
        let answer = open.debit(cents, &record)?;
        let line = Line { category: CategoryId::new(0), requested: amount, fund: amount, member: Cents::ZERO };
        Ok(Sale {
            stan: self.stan,
            card,
            tier: Tier::Purse,
            purse,
            spent_after: spent_before.plus(amount)?,
            serial: carried.serial,
            lines: vec![line],
            hot_list: Version::new(0),
            grid: Version::new(1),
            policy: PolicyId::new(1),
            request: None,
            asked: None,
            intent: Some(intent.seq),
            card_counter: Some(answer.counter),
            card_mac: Some(answer.mac.to_vec().into()),
        })
    }
}
