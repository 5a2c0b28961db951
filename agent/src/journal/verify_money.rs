//! The money's part of `journal verify`: every counter, and what undoes what, from the rows alone.

use super::error::JournalError;
use super::load::cents_of;
use super::state::{Identity, Totals};
use super::verify::Check;
use crate::core::objects::Masked;
use crate::core::undo::refund_lines;
use cabas_protocol::balance::SignedBalance;
use cabas_protocol::keys::KeyCert;
use cabas_protocol::row::{Line, RefundRequest, Return, Reversal, Sale, Tier};
use cabas_protocol::sign::SignError;
use cabas_protocol::{Cents, KeyId, PublicKey, PurseRef, Seq, Signed, Stan};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// A sale, and what was undone of it.
#[derive(Debug)]
struct Sold {
    purse: PurseRef,
    /// The card counted it: it is never reversed.
    is_of_card: bool,
    fund: Cents,
    lines: Vec<Line>,
    reversal: Option<Seq>,
    refunds: Vec<Seq>,
    refunded: Vec<Line>,
}

/// What the rows add up to.
#[derive(Debug, Default)]
pub(super) struct Money {
    /// By purse: spent and reversed.
    counters: BTreeMap<PurseRef, (Cents, Cents)>,
    sales: BTreeMap<Seq, Sold>,
    returns: BTreeMap<([u8; 8], [u8; 8]), Seq>,
    /// Every key that the root vouched for, those that it took back among them: what they signed before still counts.
    vouched: BTreeMap<KeyId, PublicKey>,
}

impl Money {
    pub(super) fn vouch(&mut self, cert: &KeyCert) {
        self.vouched.insert(cert.key.id(), cert.key);
    }
}

impl Check {
    pub(super) fn next_stan(&mut self, seq: Seq, stan: Stan) {
        let expected = self.stan.map_or(Stan::FIRST, Stan::next);
        self.expect(stan == expected, || format!("row {seq}: STAN {stan} where {expected} comes next"));
        self.stan = Some(stan);
    }

    /// The claimed interval must start where the counter stood.
    fn claim(&mut self, seq: Seq, purse: PurseRef, cents: Cents, spent_after: Cents) {
        let (spent, reversed) = self.money.counters.get(&purse).copied().unwrap_or_default();
        let holds = spent.plus(cents) == Ok(spent_after);
        self.expect(holds, || {
            format!("row {seq}: it claims {cents} up to {spent_after}, and the purse's counter stood at {spent}")
        });
        self.money.counters.insert(purse, (spent_after, reversed));
    }

    pub(super) fn sale(&mut self, seq: Seq, sale: &Sale) {
        let (Ok(fund), Ok(member)) = (sale.fund_cents(), sale.member_cents()) else {
            return self.problem(format!("row {seq}: its amounts are too large"));
        };
        if sale.tier == Tier::Purse {
            self.card_sale(seq, sale, fund);
        } else {
            self.next_stan(seq, sale.stan);
            self.claim(seq, sale.purse, fund, sale.spent_after);
        }
        if sale.tier == Tier::Identity {
            self.identity_sale(seq, sale);
        }
        let sold = Sold {
            purse: sale.purse,
            is_of_card: sale.tier == Tier::Purse,
            fund,
            lines: sale.lines.clone(),
            reversal: None,
            refunds: Vec::new(),
            refunded: Vec::new(),
        };
        self.money.sales.insert(seq, sold);
        match (self.totals.fund.plus(fund), self.totals.member.plus(member)) {
            (Ok(fund), Ok(member)) => {
                self.totals = Totals { sales: self.totals.sales.saturating_add(1), fund, member, ..self.totals };
            }
            (Err(_), _) | (_, Err(_)) => self.problem(format!("row {seq}: the totals are too large")),
        }
    }

    pub(super) fn reversal(&mut self, seq: Seq, row: &Reversal) {
        self.next_stan(seq, row.stan);
        let (spent, reversed) = self.money.counters.get(&row.purse).copied().unwrap_or_default();
        self.expect(reversed.plus(row.cents) == Ok(row.reversed_after) && row.reversed_after <= spent, || {
            format!("row {seq}: it raises what was reversed to {}, and that stood at {reversed}", row.reversed_after)
        });
        self.money.counters.insert(row.purse, (spent, row.reversed_after));
        let fits = self.money.sales.get_mut(&row.sale).is_some_and(|sale| {
            let fits = sale.reversal.is_none() && sale.refunds.is_empty() && !sale.is_of_card;
            sale.reversal = Some(seq);
            fits && (sale.purse, sale.fund) == (row.purse, row.cents)
        });
        self.expect(fits, || format!("row {seq}: it reverses row {}, which is no such sale", row.sale));
        self.totals.reversed = self.totals.reversed.plus(row.cents).unwrap_or(self.totals.reversed);
    }

    pub(super) fn refund(&mut self, id: &Identity, seq: Seq, row: &RefundRequest) {
        self.next_stan(seq, row.stan);
        let mine = (row.original.terminal, row.original.epoch) == (id.terminal, id.epoch);
        let fits = mine
            && self.money.sales.get_mut(&row.original.seq).is_some_and(|sale| {
                let fits = sale.reversal.is_none() && sale.purse == row.purse;
                let asked: Vec<_> = row.lines.iter().map(Into::into).collect();
                let expected = refund_lines(&sale.lines, &sale.refunded, Some(&asked));
                sale.refunds.push(seq);
                sale.refunded.extend(&row.lines);
                fits && expected.as_deref() == Ok(&row.lines)
            });
        self.expect(fits, || format!("row {seq}: it asks back what row {} did not pay", row.original.seq));
        match Cents::sum(row.lines.iter().map(|line| line.fund)).and_then(|fund| self.totals.refunds.plus(fund)) {
            Ok(refunds) => self.totals.refunds = refunds,
            Err(error) => self.problem(format!("row {seq}: {error}")),
        }
    }

    pub(super) fn returned(&mut self, seq: Seq, row: &Return) {
        self.claim(seq, row.purse, row.cents, row.spent_after);
        let Some(request) = row.request else { return };
        let before = self.money.returns.insert((*request.as_bytes(), *row.purse.as_bytes()), seq);
        self.expect(before.is_none(), || format!("row {seq}: the recall was answered before"));
    }

    pub(super) fn counters(&mut self, db: &Connection) -> Result<(), JournalError> {
        let mut select = db.prepare("SELECT purse, spent_cents, reversed_cents FROM counters WHERE scope = 1")?;
        let stored =
            select.query_map([], |row| Ok((PurseRef::new(row.get(0)?), (cents_of(row, 1)?, cents_of(row, 2)?))))?;
        let stored: BTreeMap<_, _> = stored.collect::<Result<_, _>>()?;
        self.expect(stored == self.money.counters, || String::from("the counters are not what the rows add up to"));
        Ok(())
    }

    /// The tables beside the rows name the same sales as the rows.
    pub(super) fn undone(&mut self, db: &Connection) -> Result<(), JournalError> {
        let pairs = |sql: &str| -> Result<Vec<(Seq, Seq)>, JournalError> {
            let mut select = db.prepare(sql)?;
            let pairs = select.query_map([], |row| Ok((Seq::new(row.get(0)?), Seq::new(row.get(1)?))))?;
            Ok(pairs.collect::<Result<_, _>>()?)
        };
        let reversals = pairs("SELECT sale, seq FROM reversals ORDER BY sale")?;
        let refunds = pairs("SELECT sale, seq FROM refunds ORDER BY sale, seq")?;
        let mut select = db.prepare("SELECT request, purse, seq FROM returns")?;
        let returns = select.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), Seq::new(row.get(2)?))))?;
        let returns: BTreeMap<_, _> = returns.collect::<Result<_, _>>()?;
        let sales = &self.money.sales;
        let reversed: Vec<_> = sales.iter().filter_map(|(sale, sold)| Some((*sale, sold.reversal?))).collect();
        let refunded: Vec<_> =
            sales.iter().flat_map(|(sale, sold)| sold.refunds.iter().map(|seq| (*sale, *seq))).collect();
        let fits = (reversals, refunds) == (reversed, refunded) && returns == self.money.returns;
        self.expect(fits, || String::from("what is kept of reversals, refunds and returns is not what the rows say"));
        Ok(())
    }

    /// What was spent is allowed by a balance that the hub signed.
    pub(super) fn balances(&mut self, db: &Connection) -> Result<(), JournalError> {
        let (allowed, cards) = (self.allowed(db, 1)?, self.allowed(db, 0)?);
        self.within_cards(&cards);
        for (purse, (spent, reversed)) in std::mem::take(&mut self.money.counters) {
            let most = allowed.get(&purse).copied().unwrap_or_default();
            self.expect(most.plus(reversed).is_ok_and(|most| spent <= most), || {
                format!("purse {}: spent {spent}, reversed {reversed}, allowed {most}", Masked::from(purse))
            });
        }
        Ok(())
    }

    /// By purse: what the newest signed balance of a scope allows, or allowed before its key was taken back.
    fn allowed(&mut self, db: &Connection, scope: u8) -> Result<BTreeMap<PurseRef, Cents>, JournalError> {
        let mut allowed = BTreeMap::new();
        // A copy of an older form has none that are void.
        let void = if db.table_exists(None, "void_words")? { "UNION SELECT scope, bytes FROM void_words" } else { "" };
        let all = format!("SELECT bytes FROM (SELECT scope, bytes FROM balances {void}) WHERE scope = ?1");
        let mut select = db.prepare(&all)?;
        for bytes in select.query_map([scope], |row| row.get::<_, Vec<u8>>(0))? {
            match self.balance(bytes?) {
                Ok(balance) => {
                    let most: &mut Cents = allowed.entry(balance.purse).or_default();
                    *most = (*most).max(balance.allowed);
                }
                Err(error) => self.problem(format!("a balance: {error}")),
            }
        }
        Ok(allowed)
    }

    /// A balance that was signed with a key which the root vouched for; what is held stays valid where the key was taken
    /// back later.
    fn balance(&self, bytes: Vec<u8>) -> Result<SignedBalance, SignError> {
        let signed = Signed::<SignedBalance>::from_bytes(bytes)?;
        let kid = signed.kid()?;
        let key = self.money.vouched.get(&kid).ok_or(SignError::UnknownKey(kid))?;
        Ok(signed.verify(key, self.fund)?.into_payload())
    }
}
