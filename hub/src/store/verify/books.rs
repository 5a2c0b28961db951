//! The ledger, recomputed from its transfers, and each transfer held against its cause.

use std::collections::BTreeSet;

use cabas_protocol::{Cents, Serial};
use rusqlite::{OptionalExtension as _, Row, params};

use super::super::debts::owed;
use super::super::error::StoreError;
use super::super::import::people;
use super::super::settlements::REVERSAL;
use super::super::slices::first_serial;
use super::super::sql::{Sql, col, col_opt};
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::household_rules::monthly_credit;
use crate::core::ledger::{Account, AccountId, AccountKind, EpochNo, Transfer, TransferKind};

/// A transfer as it lies in the file; what is no transfer at all is a finding.
type Stored = Result<Transfer, &'static str>;

/// The totals of one account, recomputed.
#[derive(Default)]
struct Walk {
    account: Account,
    steps: u64,
    /// The causes that were seen last, newest first, each kind of cause apart.
    causes: [Option<u64>; 11],
}

impl Tx<'_> {
    pub(super) fn check_transfers(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(
            "SELECT id, debit, credit, cents, kind, cause, debit_prev, credit_prev FROM transfers ORDER BY id",
        )?;
        let mut rows = read.query([])?;
        let mut expected = 1_u64;
        while let Some(row) = rows.next()? {
            let id: u64 = col(row, 0)?;
            let subject = format!("transfer {id}");
            if id != expected {
                report.add(FindingKind::Transfer, subject.clone(), format!("transfer {expected} is missing before it"));
            }
            expected = id.saturating_add(1);
            report.transfers = report.transfers.saturating_add(1);
            let wrong = match transfer(row)? {
                Ok(transfer) if transfer.kind.between() != (transfer.debit.kind(), transfer.credit.kind()) => {
                    Some(format!("a {:?} from {} to {}", transfer.kind, transfer.debit, transfer.credit))
                }
                Ok(transfer) => self.without_cause(&transfer)?.map(str::to_owned),
                Err(wrong) => Some(wrong.to_owned()),
            };
            if let Some(wrong) = wrong {
                report.add(FindingKind::Transfer, subject, wrong);
            }
        }
        Ok(())
    }

    /// Why a transfer is not what its cause says, if it is not.
    fn without_cause(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        match transfer.kind {
            TransferKind::Credit => self.not_a_credit(transfer),
            TransferKind::Raise | TransferKind::Recover | TransferKind::Load | TransferKind::CardRecover => {
                self.not_a_raise(transfer)
            }
            TransferKind::CardSale => self.not_a_card_sale(transfer),
            TransferKind::Unload => self.not_an_unload(transfer),
            TransferKind::CarriedSale => self.not_a_carried_sale(transfer),
            TransferKind::CardRepay => self.not_a_repayment(transfer),
            TransferKind::Void => self.not_a_void(transfer),
            TransferKind::Repay | TransferKind::Regain => self.not_paid_back(transfer),
            TransferKind::Advance => self.not_an_advance(transfer),
            TransferKind::Sale | TransferKind::Return => self.not_a_claim(transfer),
            TransferKind::Reversal => self.not_a_reversal(transfer),
            TransferKind::Refund => self.not_a_refund(transfer),
            TransferKind::Expire => self.not_an_expiry(transfer),
            TransferKind::CorrectUp | TransferKind::CorrectDown => self.not_a_correction(transfer),
            TransferKind::Withhold => self.not_withheld(transfer),
            TransferKind::MoneyIn | TransferKind::MoneyBack => self.not_paid_in(transfer),
            TransferKind::Banked | TransferKind::Unbanked => self.not_banked(transfer),
            TransferKind::Settlement => self.not_a_payout(transfer),
            TransferKind::PayoutPaid => self.not_paid_out(transfer),
            TransferKind::PayoutRejected | TransferKind::PayoutReturned => self.not_come_back(transfer),
        }
    }

    fn not_a_credit(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT cents, purse, source FROM credits WHERE id = ?1")?;
        let credit = read
            .query_row([Sql(transfer.cause)], |row| {
                let (cents, purse): (Cents, _) = (col(row, 0)?, AccountId::purse(col(row, 1)?));
                Ok((cents, purse, AccountId::source(row.get(2)?)))
            })
            .optional()?;
        Ok(match credit {
            None => Some("its credit is not there"),
            Some(credit) if credit == (transfer.cents, transfer.credit, transfer.debit) => None,
            Some(_) => Some("its credit says another amount, purse or source"),
        })
    }

    fn not_a_raise(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        if transfer.debit.purse_no() != self.payer_of(transfer.credit)? {
            return Ok(Some("it raises another household's slice or card"));
        }
        let Ok(serial) = u32::try_from(transfer.cause) else { return Ok(Some("its serial is none")) };
        let now = self.allowed_by(transfer.credit, Serial::new(serial))?;
        let before = self.allowed_before(transfer.credit, Serial::new(serial))?;
        let raised = now.and_then(|now| now.minus(before).ok());
        let parts = self.held_parts(transfer.credit, serial)?;
        let mut given =
            self.conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM serials WHERE slice = ?1 AND serial = ?2)")?;
        if parts.is_none() && !given.query_row(params![Sql(transfer.credit), serial], |row| row.get::<_, bool>(0))? {
            return Ok(Some("its serial was never given"));
        }
        let expected = match (transfer.kind, parts) {
            (TransferKind::Recover | TransferKind::CardRecover, None) => {
                return Ok(Some("no balance was handed back for it"));
            }
            (_, Some((free, nothing))) if free.plus(nothing).ok() != raised => None,
            (TransferKind::Recover | TransferKind::CardRecover, Some((_, nothing))) => Some(nothing),
            (_, Some((free, _))) => Some(free),
            (_, None) => raised,
        };
        Ok((expected != Some(transfer.cents)).then_some("its serial does not allow that much more than the one before"))
    }

    fn not_a_claim(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT rows.settled, rows.kind, epochs.number, terminals.shop FROM rows
             JOIN epochs ON epochs.number = rows.key >> 32 JOIN terminals ON terminals.number = epochs.terminal
             WHERE rows.key = ?1",
        )?;
        let row = read.query_row([Sql(transfer.cause)], |row| {
            Ok((col::<Cents>(row, 0)?, row.get::<_, u16>(1)?, col::<EpochNo>(row, 2)?, col(row, 3)?))
        });
        let Some((settled, kind, epoch, shop)) = row.optional()? else { return Ok(Some("its row is not there")) };
        let to = match transfer.kind {
            TransferKind::Return => transfer.debit.purse_no().map(AccountId::purse),
            TransferKind::Sale
            | TransferKind::CardSale
            | TransferKind::CarriedSale
            | TransferKind::CardRepay
            | TransferKind::MoneyIn
            | TransferKind::MoneyBack
            | TransferKind::Banked
            | TransferKind::Unbanked
            | TransferKind::Load
            | TransferKind::Unload
            | TransferKind::CardRecover
            | TransferKind::Credit
            | TransferKind::Raise
            | TransferKind::Settlement
            | TransferKind::Reversal
            | TransferKind::Refund
            | TransferKind::Expire
            | TransferKind::CorrectUp
            | TransferKind::CorrectDown
            | TransferKind::Withhold
            | TransferKind::Void
            | TransferKind::Recover
            | TransferKind::Repay
            | TransferKind::Advance
            | TransferKind::PayoutPaid
            | TransferKind::PayoutRejected
            | TransferKind::PayoutReturned
            | TransferKind::Regain => Some(AccountId::payable(shop)),
        };
        let kind_fits = matches!((transfer.kind, kind), (TransferKind::Sale, 2) | (TransferKind::Return, 5));
        Ok(if settled != transfer.cents {
            Some("its row settles another amount")
        } else if !kind_fits || transfer.debit.epoch_no() != Some(epoch) || to != Some(transfer.credit) {
            Some("its row is of another kind, terminal or shop")
        } else {
            None
        })
    }

    fn not_a_reversal(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT undo.settled, undo.kind, sale.settled, epochs.number, terminals.shop FROM rows AS undo
             JOIN reversals ON reversals.row = undo.key JOIN rows AS sale ON sale.key = reversals.sale
             JOIN epochs ON epochs.number = undo.key >> 32 JOIN terminals ON terminals.number = epochs.terminal
             WHERE undo.key = ?1 AND sale.key >> 32 = undo.key >> 32",
        )?;
        let row = read.query_row([Sql(transfer.cause)], |row| {
            let (back, kind, settled): (Cents, u16, Cents) = (col(row, 0)?, row.get(1)?, col(row, 2)?);
            Ok((back, kind, settled, col::<EpochNo>(row, 3)?, AccountId::payable(col(row, 4)?)))
        });
        let Some((back, kind, settled, epoch, shop)) = row.optional()? else {
            return Ok(Some("its row, or the sale that it undoes, is not there"));
        };
        Ok(if back != transfer.cents || settled != transfer.cents {
            Some("its sale was settled by another amount")
        } else if kind != REVERSAL || transfer.credit.epoch_no() != Some(epoch) || shop != transfer.debit {
            Some("its row is of another kind, terminal or shop")
        } else {
            None
        })
    }

    fn not_a_payout(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT payout, transfer FROM settlement_shops WHERE settlement = ?1 AND (6 << 56) | shop = ?2",
        )?;
        let paid: Option<(Cents, Option<u64>)> = read
            .query_row(params![Sql(transfer.cause), Sql(transfer.debit)], |row| Ok((col(row, 0)?, col_opt(row, 1)?)))
            .optional()?;
        Ok(match paid {
            None => Some("its settlement does not pay this shop"),
            Some((cents, id)) if (cents, id) == (transfer.cents, Some(transfer.id)) => None,
            Some(_) => Some("its settlement pays another amount, or by another transfer"),
        })
    }

    /// Every account is the sum of its own chain of transfers, and every transfer stands in exactly two chains.
    pub(super) fn check_accounts(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare("SELECT id, debits, credits, newest FROM accounts ORDER BY id")?;
        let mut rows = read.query([])?;
        let mut steps = 0_u64;
        while let Some(row) = rows.next()? {
            report.accounts = report.accounts.saturating_add(1);
            let number: u64 = col(row, 0)?;
            let Some(id) = AccountId::of_number(number) else {
                report.add(FindingKind::Account, format!("account {number}"), "not an account of the chart");
                continue;
            };
            let stored = Account { debits: col(row, 1)?, credits: col(row, 2)?, newest: col(row, 3)? };
            let owes = matches!(id.kind(), AccountKind::Restored | AccountKind::Goodwill | AccountKind::Withheld);
            if owes && owed(stored).is_err() {
                let detail = format!("{} given, {} paid back", stored.debits, stored.credits);
                report.add(FindingKind::Overdrawn, id.to_string(), detail);
            }
            if id.kind().never_overdrawn() && stored.left().is_err() {
                let detail = format!("{} taken, {} given", stored.debits, stored.credits);
                report.add(FindingKind::Overdrawn, id.to_string(), detail);
            }
            match self.walk(id, stored.newest)? {
                Ok(walk) => {
                    steps = steps.saturating_add(walk.steps);
                    if (walk.account.debits, walk.account.credits) != (stored.debits, stored.credits) {
                        let detail = format!(
                            "debits {} and credits {}, by its transfers {} and {}",
                            stored.debits, stored.credits, walk.account.debits, walk.account.credits
                        );
                        report.add(FindingKind::Account, id.to_string(), detail);
                    }
                }
                Err(wrong) => report.add(FindingKind::Account, id.to_string(), wrong),
            }
        }
        if steps != report.transfers.saturating_mul(2) {
            let detail = format!("{} transfers stand in accounts {steps} times, not twice each", report.transfers);
            report.add(FindingKind::Account, "all accounts", detail);
        }
        Ok(())
    }

    /// Follows an account's transfers from the newest to the first.
    fn walk(&self, id: AccountId, newest: u64) -> Result<Result<Walk, String>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT id, debit, credit, cents, kind, cause, debit_prev, credit_prev FROM transfers WHERE id = ?1",
        )?;
        let mut walk = Walk::default();
        let mut next = newest;
        while next != 0 {
            let Some(transfer) = read.query_row([Sql(next)], transfer).optional()? else {
                return Ok(Err(format!("transfer {next} is not there")));
            };
            match transfer.and_then(|transfer| walk.step(id, &transfer)) {
                Ok(prev) => next = prev,
                Err(wrong) => return Ok(Err(format!("transfer {next}: {wrong}"))),
            }
        }
        Ok(Ok(walk))
    }

    pub(super) fn check_serials(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(
            "SELECT slices.id, slices.serial, max(0, accounts.credits - slices.reversed_cents),
                (SELECT max(serial) FROM serials WHERE slice = slices.id),
                (SELECT allowed FROM serials WHERE slice = slices.id AND serial = slices.serial), slices.epoch
             FROM slices LEFT JOIN accounts ON accounts.id = slices.id ORDER BY slices.id",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let id: AccountId = col(row, 0)?;
            let (serial, newest): (u64, Option<u64>) = (col(row, 1)?, col_opt(row, 3)?);
            let (given, allowed): (Option<Cents>, Option<Cents>) = (col_opt(row, 2)?, col_opt(row, 4)?);
            if newest != Some(serial) || given != allowed || allowed.is_none() || id.epoch_no() != Some(col(row, 5)?) {
                let text = |cents: Option<Cents>| cents.map_or_else(|| "nothing".to_owned(), |cents| cents.to_string());
                let detail = format!("serial {serial} allows {}, the slice was given {}", text(allowed), text(given));
                report.add(FindingKind::Serial, id.to_string(), detail);
            }
        }
        let mut read = self.conn.prepare(
            "SELECT id, returned_cents, ifnull(back.cents, 0) FROM slices
             LEFT JOIN (SELECT debit, sum(cents) AS cents FROM transfers WHERE kind IN (4, 20) GROUP BY 1) AS back
                ON back.debit = slices.id WHERE returned_cents <> ifnull(back.cents, 0)",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let (id, kept, booked): (AccountId, Cents, Cents) = (col(row, 0)?, col(row, 1)?, col(row, 2)?);
            report.add(FindingKind::Account, id.to_string(), format!("{kept} came back, {booked} was booked"));
        }
        // By how much the lives of this ledger jumped as their restores ended, and the first serials that each life could give.
        let mut read = self.conn.prepare("SELECT jump FROM lives WHERE ended_at IS NOT NULL")?;
        let jumps = read.query_map([], |row| col(row, 0))?.collect::<Result<BTreeSet<u64>, _>>()?;
        let lives_before = 1..self.fund()?.incarnation.get();
        let firsts: BTreeSet<u64> = lives_before.map(|before| u64::from(first_serial(before).get())).collect();
        let mut read = self.conn.prepare(
            "SELECT serials.slice, serials.serial, allowed, held.from_serial, serial_jumps.is_first FROM serials
             LEFT JOIN held_balances AS held ON held.slice = serials.slice AND held.to_serial = serials.serial
             LEFT JOIN serial_jumps ON serial_jumps.slice = serials.slice AND serial_jumps.serial = serials.serial
             ORDER BY serials.slice, serials.serial",
        )?;
        let mut rows = read.query([])?;
        let mut before: Option<(AccountId, u64, Cents)> = None;
        while let Some(row) = rows.next()? {
            let (id, serial, allowed): (AccountId, u64, Cents) = (col(row, 0)?, col(row, 1)?, col(row, 2)?);
            let (last, least) = match before {
                Some((slice, serial, allowed)) if slice == id => (serial, allowed),
                Some(_) | None => (0, Cents::ZERO),
            };
            // Only a restore leaves serials out: below a balance that was handed back, where it jumped, and below the first one
            // that a later life gave.
            let (held_from, is_first): (Option<u64>, Option<bool>) = (col_opt(row, 3)?, row.get(4)?);
            let follows = [Some(serial), held_from].contains(&last.checked_add(1));
            let is_right = match is_first {
                Some(true) => last == 0 && firsts.contains(&serial),
                Some(false) => allowed == least && serial.checked_sub(last).is_some_and(|by| jumps.contains(&by)),
                None => follows && allowed >= least,
            };
            if !is_right {
                let detail = format!("serial {serial} allows {allowed} after serial {last} with {least}");
                report.add(FindingKind::Serial, id.to_string(), detail);
            }
            before = Some((id, serial, allowed));
        }
        let mut read = self
            .conn
            .prepare("SELECT id FROM accounts WHERE id >> 56 = 5 AND id NOT IN (SELECT id FROM slices) LIMIT 20")?;
        for id in read.query_map([], |row| col::<AccountId>(row, 0))? {
            report.add(FindingKind::Serial, id?.to_string(), "an account of a slice that is not there");
        }
        Ok(())
    }

    pub(super) fn check_credits(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(
            "SELECT credits.id, period, size, children_under_14, cents, purses.household = credits.household
             FROM credits JOIN purses ON purses.number = credits.purse ORDER BY credits.id",
        )?;
        let mut rows = read.query([])?;
        let rules = self.rules()?;
        let mut count = 0_u64;
        while let Some(row) = rows.next()? {
            count = count.saturating_add(1);
            let (id, period): (u64, String) = (col(row, 0)?, row.get(1)?);
            let cents: Cents = col(row, 4)?;
            let by_rule = match (period.parse(), people(row.get(2)?, row.get(3)?)) {
                (Ok(period), Ok(people)) => monthly_credit(&rules, period, people).ok(),
                (Ok(_) | Err(_), _) => None,
            };
            if by_rule != Some(cents) || !row.get::<_, bool>(5)? {
                let by_rule = by_rule.map_or_else(|| "nothing".to_owned(), |cents| cents.to_string());
                let detail = format!("{cents} for {period}, by the rule {by_rule}, to the household's own purse");
                report.add(FindingKind::Credit, format!("credit {id}"), detail);
            }
        }
        let booked = "SELECT count(*) FROM transfers WHERE kind = ?1";
        let booked: u64 = self.conn.query_row(booked, [TransferKind::Credit.number()], |row| col(row, 0))?;
        if booked != count {
            report.add(FindingKind::Credit, "all credits", format!("{count} credits, {booked} transfers for them"));
        }
        Ok(())
    }
}

impl Walk {
    /// Adds a transfer and says which one comes before it.
    fn step(&mut self, id: AccountId, transfer: &Transfer) -> Result<u64, &'static str> {
        let too_large = |_| "the totals cannot be held";
        let prev = if transfer.debit == id {
            self.account.debits = self.account.debits.plus(transfer.cents).map_err(too_large)?;
            transfer.debit_prev
        } else if transfer.credit == id {
            self.account.credits = self.account.credits.plus(transfer.cents).map_err(too_large)?;
            transfer.credit_prev
        } else {
            return Err("it belongs to other accounts");
        };
        self.steps = self.steps.saturating_add(1);
        if prev >= transfer.id {
            return Err("the transfer before it is not older");
        }
        if !self.newer_than(id, transfer) {
            return Err("its cause was booked before, or out of order");
        }
        Ok(prev)
    }

    /// In a slice each serial and each row is booked once and in order, on a purse card each serial, in a purse each credit,
    /// in what a purse owes each advance and each paying back. The serials of a purse's many slices, and the rows of many
    /// terminals, are in no order in what they share.
    fn newer_than(&mut self, id: AccountId, transfer: &Transfer) -> bool {
        let [credit, raise, row, recover, void, back, advance, undo, paid, returned, money] = &mut self.causes;
        let last = match (id.kind(), transfer.kind) {
            (AccountKind::Purse, TransferKind::Credit) => credit,
            (AccountKind::Slice, TransferKind::Raise) | (AccountKind::Card, TransferKind::Load) => raise,
            (AccountKind::Slice, TransferKind::Sale | TransferKind::Return) => row,
            (AccountKind::Slice, TransferKind::Reversal) => undo,
            (AccountKind::Slice, TransferKind::Recover) | (AccountKind::Card, TransferKind::CardRecover) => recover,
            (AccountKind::Slice, TransferKind::Void) | (AccountKind::Card, TransferKind::Unload) => void,
            (
                AccountKind::Restored | AccountKind::Goodwill | AccountKind::Withheld,
                TransferKind::Repay | TransferKind::Regain | TransferKind::Withhold,
            ) => back,
            (AccountKind::Goodwill, TransferKind::Advance) => advance,
            (AccountKind::Transit, TransferKind::PayoutPaid) => paid,
            (AccountKind::Payable, TransferKind::PayoutRejected | TransferKind::PayoutReturned) => returned,
            (AccountKind::Incoming, TransferKind::MoneyIn | TransferKind::MoneyBack) => money,
            (_, _) => return true,
        };
        let rises = last.is_none_or(|last| transfer.cause < last);
        *last = Some(transfer.cause);
        rises
    }
}

/// Reads a transfer.
fn transfer(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let (debit, credit): (u64, u64) = (col(row, 1)?, col(row, 2)?);
    let (id, cents, cause): (u64, Cents, u64) = (col(row, 0)?, col(row, 3)?, col(row, 5)?);
    let (debit_prev, credit_prev) = (col(row, 6)?, col(row, 7)?);
    let Some((debit, credit)) = AccountId::of_number(debit).zip(AccountId::of_number(credit)) else {
        return Ok(Err("not between accounts of the chart"));
    };
    let Some(kind) = TransferKind::of_number(row.get(4)?) else { return Ok(Err("of no known kind")) };
    Ok(Ok(Transfer { id, debit, credit, cents, kind, cause, debit_prev, credit_prev }))
}
