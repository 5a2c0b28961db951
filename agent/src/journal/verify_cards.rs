//! The cards' part of `journal verify`: each intent ends once, a sale that a card counted fits its intent, and no card was
//! debited by more than a signed balance allows.

use super::error::JournalError;
use super::state::Identity;
use super::verify::Check;
use crate::core::objects::Masked;
use cabas_protocol::row::{CardDebit, DoubtResolved, Sale};
use cabas_protocol::{CardRef, Cents, PurseRef, Seq};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// A debit that was announced.
#[derive(Debug)]
struct Announced {
    debit: CardDebit,
    doubt: Option<Seq>,
    /// A doubt was resolved: debited, and its sale's row comes next.
    is_debited: bool,
    ended: Option<Seq>,
}

/// What the rows say of cards that count for themselves.
#[derive(Debug, Default)]
pub(super) struct Cards {
    intents: BTreeMap<Seq, Announced>,
    /// By card: its counter as far as this journal knows it, which others may have raised since.
    spent: BTreeMap<CardRef, Cents>,
    /// By purse: the largest counter of a sale here.
    sold: BTreeMap<PurseRef, Cents>,
    /// By card that proves who it is: its count of taps at its newest sale.
    taps: BTreeMap<CardRef, u32>,
}

impl Cards {
    /// Debits of which no end is known.
    pub(super) fn open(&self) -> usize {
        self.intents.values().filter(|intent| intent.ended.is_none()).count()
    }

    /// The open intent of a doubt that is resolved: by its own row, or by the row that says that nobody knows.
    fn of_doubt(&mut self, row: Seq) -> Option<(&Seq, &mut Announced)> {
        self.intents.iter_mut().find(|(seq, intent)| intent.doubt.unwrap_or(**seq) == row && intent.ended.is_none())
    }
}

impl Check {
    pub(super) fn intent(&mut self, seq: Seq, debit: &CardDebit) {
        self.next_stan(seq, debit.stan);
        let is_open = self.cards.intents.values().any(|other| other.ended.is_none() && other.debit.card == debit.card);
        self.expect(!is_open, || format!("row {seq}: it announces a debit of a card that has one without an end"));
        let known = self.cards.spent.get(&debit.card).copied().unwrap_or_default();
        self.expect(debit.spent_before >= known, || {
            format!("row {seq}: the card's counter stands at {}, and was at {known}", debit.spent_before)
        });
        self.cards.spent.insert(debit.card, debit.spent_before);
        let announced = Announced { debit: debit.clone(), doubt: None, is_debited: false, ended: None };
        self.cards.intents.insert(seq, announced);
    }

    pub(super) fn in_doubt(&mut self, seq: Seq, debit: &CardDebit) {
        let fits = self.cards.intents.values_mut().find(|intent| intent.ended.is_none() && intent.debit == *debit);
        let fits = fits.is_some_and(|intent| intent.doubt.replace(seq).is_none());
        self.expect(fits, || format!("row {seq}: it doubts a debit that was not announced, or is in doubt already"));
    }

    pub(super) fn resolved(&mut self, id: &Identity, seq: Seq, row: &DoubtResolved) {
        let mine = (row.doubt.terminal, row.doubt.epoch) == (id.terminal, id.epoch);
        let fits = mine
            && self.cards.of_doubt(row.doubt.seq).is_some_and(|(_, intent)| {
                let fits = !intent.is_debited;
                intent.is_debited = row.debited;
                intent.ended = (!row.debited).then_some(seq);
                fits
            });
        self.expect(fits, || format!("row {seq}: it resolves row {}, which is no open doubt", row.doubt.seq));
    }

    /// A sale that a card counted: the intent that it names announced it, and it ends that intent.
    pub(super) fn card_sale(&mut self, seq: Seq, sale: &Sale, fund: Cents) {
        let intent = sale.intent.and_then(|intent| self.cards.intents.get_mut(&intent));
        let fits = intent.is_some_and(|intent| {
            let CardDebit { stan, card, purse, cents, spent_before, .. } = intent.debit;
            let is_first = intent.ended.replace(seq).is_none();
            // What was in doubt is sold only once it is resolved.
            is_first
                && (intent.doubt.is_none() || intent.is_debited)
                && (stan, card, purse, cents) == (sale.stan, sale.card, sale.purse, fund)
                && spent_before.plus(cents) == Ok(sale.spent_after)
        });
        self.expect(fits, || format!("row {seq}: a sale that a card counted, and no intent announced it so"));
        let spent = self.cards.spent.entry(sale.card).or_default();
        *spent = sale.spent_after.max(*spent);
        let sold = self.cards.sold.entry(sale.purse).or_default();
        *sold = sale.spent_after.max(*sold);
    }

    /// A sale of a card that proved who it is: it has counted further than at its sale before.
    pub(super) fn identity_sale(&mut self, seq: Seq, sale: &Sale) {
        let before = sale.card_counter.and_then(|counter| self.cards.taps.insert(sale.card, counter));
        let rises = sale.card_counter.is_some_and(|counter| before.is_none_or(|before| counter > before));
        self.expect(rises, || format!("row {seq}: the card's count of taps does not rise"));
    }

    /// The table beside the rows names the same ends as the rows.
    pub(super) fn intents(&mut self, db: &Connection) -> Result<(), JournalError> {
        let mut select = db.prepare("SELECT seq, doubt, ended FROM intents ORDER BY seq")?;
        let seq = |number: Option<u32>| number.map(Seq::new);
        let stored = select.query_map([], |row| Ok((Seq::new(row.get(0)?), seq(row.get(1)?), seq(row.get(2)?))))?;
        let stored: Vec<_> = stored.collect::<Result<_, _>>()?;
        let expected: Vec<_> =
            self.cards.intents.iter().map(|(seq, intent)| (*seq, intent.doubt, intent.ended)).collect();
        self.expect(stored == expected, || String::from("what is kept of intents is not what the rows say"));
        Ok(())
    }

    /// What cards were debited by here is allowed by a balance that the hub signed.
    pub(super) fn within_cards(&mut self, allowed: &BTreeMap<PurseRef, Cents>) {
        for (purse, spent) in std::mem::take(&mut self.cards.sold) {
            let most = allowed.get(&purse).copied().unwrap_or_default();
            self.expect(spent <= most, || {
                format!("purse {}: its card spent {spent}, allowed {most}", Masked::from(purse))
            });
        }
    }
}
