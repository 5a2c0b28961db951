//! Purse cards: their bindings, what rows of all terminals claimed of each, in the order in which the hub took them, and
//! what was released.

use std::collections::BTreeMap;

use cabas_protocol::row::Row;
use cabas_protocol::{Cents, FundId, RowBody, Seq, Serial, Signed};
use rusqlite::{OptionalExtension as _, params};

use super::super::card_records::Carried;
use super::super::error::StoreError;
use super::super::sql::{Sql, col, col_opt};
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::card_proof::CardWitness;
use crate::core::claims::{Claimed, Stretch};
use crate::core::effect::{Claim, Effect, effect};
use crate::core::ledger::{AccountId, EpochNo, OverRight, PurseNo, RowKey, ShopNo, Transfer, TransferKind};

/// A card's counter as its rows make it.
struct CardState {
    id: AccountId,
    claimed: Claimed,
    settled: Cents,
    /// The last row of each enrolment: a journal is taken in its own order.
    last: BTreeMap<EpochNo, Seq>,
    /// The highest serial that a claim until here was judged by: it, and those below, were made before.
    made: Serial,
}

/// What claims of a card's counter.
enum By {
    /// A row of the terminal that sold.
    Row(RowKey),
    /// A record that a card brought.
    Record(Carried),
    /// Two people, for the household.
    Repayment(Stretch),
    /// Nothing that is there.
    Nothing,
}

/// A claim as it lies in the file.
struct Stored {
    id: u64,
    by: By,
    settled: Cents,
    over_right: Cents,
    why: Option<OverRight>,
    /// True where the card's money had been released before.
    is_late: bool,
}

impl Tx<'_> {
    pub(super) fn check_purse_cards(
        &self,
        witness: &dyn CardWitness,
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        self.check_bindings(report)?;
        self.check_card_claims(report)?;
        self.check_carried(report)?;
        self.check_commits(witness, report)?;
        self.check_releases(report)
    }

    /// Each purse card has a purse of its own, of which no other card spends, and the newest serial allows what its account
    /// was given.
    fn check_bindings(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(
            "SELECT card_balances.id, card_balances.serial, ifnull(accounts.credits, 0),
                (SELECT ifnull(max(serial), 0) FROM serials WHERE slice = card_balances.id),
                (SELECT allowed FROM serials WHERE slice = card_balances.id AND serial = card_balances.serial),
                card_balances.id >> 56 = 12 AND cards.tier = 1 AND cards.purse = card_balances.id & 4294967295
                    AND (SELECT count(*) FROM cards AS other WHERE other.purse = cards.purse) = 1
                    AND cards.purse <> (SELECT min(number) FROM purses AS shared WHERE shared.household = purses.household)
             FROM card_balances LEFT JOIN accounts ON accounts.id = card_balances.id
             LEFT JOIN cards ON cards.number = card_balances.card LEFT JOIN purses ON purses.number = cards.purse
             ORDER BY card_balances.id",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let Some(id) = AccountId::of_number(col(row, 0)?) else {
                report.add(FindingKind::Card, "a purse card", "its account is not one of the chart");
                continue;
            };
            let (serial, given, newest): (u64, Cents, u64) = (col(row, 1)?, col(row, 2)?, col(row, 3)?);
            let allowed: Cents = col_opt(row, 4)?.unwrap_or_default();
            if serial != newest || allowed != given {
                let detail = format!("serial {serial} of {newest} allows {allowed}, the card was given {given}");
                report.add(FindingKind::Serial, id.to_string(), detail);
            }
            if row.get::<_, Option<bool>>(5)? != Some(true) {
                report.add(FindingKind::Card, id.to_string(), "its purse is not its own, or it is bound otherwise");
            }
        }
        let mut read = self.conn.prepare(
            "SELECT id FROM accounts WHERE id >> 56 = 12 AND id NOT IN (SELECT id FROM card_balances) LIMIT 20",
        )?;
        for id in read.query_map([], |row| col::<AccountId>(row, 0))? {
            report.add(FindingKind::Card, id?.to_string(), "an account of a purse card that is not there");
        }
        Ok(())
    }

    /// Recomputes each card's counter from the rows that claim it.
    fn check_card_claims(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let (count, newest, rows): (u64, u64, u64) = self.conn.query_row(
            "SELECT count(*), ifnull(max(id), 0), count(DISTINCT iif(carried IS NULL AND repayment IS NULL, row, NULL))
                + count(DISTINCT carried) + count(DISTINCT repayment) FROM card_claims",
            [],
            |row| Ok((col(row, 0)?, col(row, 1)?, col(row, 2)?)),
        )?;
        if (newest, rows) != (count, count) {
            let detail = format!("{count} claims up to number {newest}, of {rows} rows, records and repayments");
            report.add(FindingKind::Claim, "all purse cards", detail);
        }
        let fund = self.fund()?.fund;
        let mut read = self.conn.prepare(
            "SELECT card_claims.account, card_claims.id, card_claims.row, card_claims.carried, card_claims.repayment,
                coalesce(rows.settled, carried_sales.settled, card_repayments.settled, 0),
                coalesce(rows.over_right, carried_sales.over_right, 0), coalesce(rows.why, carried_sales.why, 0),
                card_claims.id > card_releases.claims_upto
             FROM card_claims LEFT JOIN rows ON rows.key = card_claims.row
             LEFT JOIN carried_sales ON carried_sales.place = card_claims.carried
             LEFT JOIN card_repayments ON card_repayments.id = card_claims.repayment
             LEFT JOIN card_releases ON card_releases.account = card_claims.account
             ORDER BY card_claims.account, card_claims.id",
        )?;
        let mut rows = read.query([])?;
        let mut state: Option<CardState> = None;
        while let Some(row) = rows.next()? {
            let id: AccountId = col(row, 0)?;
            let stored = Stored {
                id: col(row, 1)?,
                by: match (col_opt(row, 3)?, col_opt(row, 4)?) {
                    (Some(place), None) => self.carried_by(place)?.map_or(By::Nothing, By::Record),
                    (None, Some(repayment)) => self.repaid_by(repayment, id)?.map_or(By::Nothing, By::Repayment),
                    (None, None) => RowKey::of_number(col(row, 2)?).map_or(By::Nothing, By::Row),
                    (Some(_), Some(_)) => By::Nothing,
                },
                settled: col(row, 5)?,
                over_right: col(row, 6)?,
                why: OverRight::of_number(row.get(7)?),
                is_late: row.get::<_, Option<bool>>(8)?.unwrap_or(false),
            };
            if state.as_ref().is_none_or(|state| state.id != id)
                && let Some(done) = state.replace(CardState::new(id))
            {
                self.check_counter(&done, report)?;
            }
            if let Some(state) = &mut state {
                self.check_card_claim(fund, state, &stored, report)?;
            }
        }
        if let Some(done) = state {
            self.check_counter(&done, report)?;
        }
        let mut read =
            self.conn.prepare("SELECT id FROM card_balances WHERE id NOT IN (SELECT account FROM card_claims)")?;
        for id in read.query_map([], |row| col::<AccountId>(row, 0))? {
            self.check_counter(&CardState::new(id?), report)?;
        }
        Ok(())
    }

    fn check_card_claim(
        &self,
        fund: FundId,
        state: &mut CardState,
        stored: &Stored,
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        let subject = format!("{} claim {}", state.id, stored.id);
        let claim = self.claim_by(fund, state.id, &stored.by)?;
        let Some((stretch, serial)) = claim else {
            report.add(FindingKind::Claim, subject, "what it is for is not there, or is of another card");
            return Ok(());
        };
        if let By::Row(row) = stored.by
            && state.last.insert(row.epoch(), row.seq()).is_some_and(|before| before >= row.seq())
        {
            report.add(FindingKind::Claim, subject.clone(), "a later row of its journal was taken before it");
        }
        let all = stretch.cents();
        // A repayment is under no balance: it is of what the card has counted.
        let allowed = match serial {
            Some(serial) => self.allowed_by(state.id, serial)?,
            None => Some(self.account(state.id)?.credits),
        };
        let serial = serial.unwrap_or(state.made);
        let was_unknown = stored.why == Some(OverRight::UnknownSerial) && serial > state.made;
        let is_false = match stored.by {
            By::Row(row) => match self.noted_proof(row)? {
                Some(proof) => proof.is_false(),
                None if stored.id > self.unproven_claims()? => {
                    report.add(FindingKind::Claim, subject, "nothing is noted of its card's proof");
                    return Ok(());
                }
                None => false,
            },
            By::Record(_) | By::Repayment(_) | By::Nothing => false,
        };
        let expected = match (stored.is_late, is_false, was_unknown, allowed) {
            (true, ..) => (Cents::ZERO, all, Some(OverRight::CardReleased)),
            (false, true, ..) => (Cents::ZERO, all, Some(OverRight::CardProof)),
            // It was not made yet when the row came; what came later does not change it.
            (false, false, true, _) | (false, false, false, None) => (Cents::ZERO, all, Some(OverRight::UnknownSerial)),
            (false, false, false, Some(allowed)) => {
                state.made = state.made.max(serial);
                let judgement = state.claimed.claim(stretch, allowed)?;
                state.settled = state.settled.plus(judgement.settled)?;
                (judgement.settled, judgement.over_right()?, judgement.why())
            }
        };
        if expected != (stored.settled, stored.over_right, stored.why) {
            let detail = format!(
                "{} settled and {} over-right, by the claim rule {} and {}",
                stored.settled, stored.over_right, expected.0, expected.1
            );
            report.add(FindingKind::Claim, subject, detail);
        }
        Ok(())
    }

    /// What is claimed of a card, and under which balance.
    fn claim_by(
        &self,
        fund: FundId,
        card: AccountId,
        by: &By,
    ) -> Result<Option<(Stretch, Option<Serial>)>, StoreError> {
        Ok(match by {
            By::Row(row) => {
                let claim = self.card_claim(fund, *row)?.filter(|(id, _)| *id == card);
                claim.map(|(_, claim)| (claim.stretch, Some(claim.serial)))
            }
            By::Record(carried) if carried.account == card => {
                carried.stretch().ok().map(|stretch| (stretch, Some(carried.serial)))
            }
            By::Repayment(stretch) => Some((*stretch, None)),
            By::Record(_) | By::Nothing => None,
        })
    }

    /// What a row claims of a purse card; nothing where it is no sale of one.
    fn card_claim(&self, fund: FundId, row: RowKey) -> Result<Option<(AccountId, Claim)>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT envelope FROM rows WHERE key = ?1")?;
        let envelope: Option<Vec<u8>> = read.query_row([Sql(row)], |found| found.get(0)).optional()?;
        let row = envelope.and_then(|bytes| Signed::<Row>::from_bytes(bytes).ok());
        let Some(row) = row.and_then(|row| row.read_trusted(fund).ok()) else { return Ok(None) };
        let RowBody::Sale(_) = &row.payload().body else { return Ok(None) };
        let Effect::Claim(claim) = effect(&row.payload().body) else { return Ok(None) };
        let purse = self.purse_no(claim.purse)?.filter(|_| claim.kind == TransferKind::CardSale);
        Ok(purse.map(|purse| (AccountId::card(purse), claim)))
    }

    /// What was taken from a card is what its rows settled and what was released, and what stays claimable is what they
    /// left.
    fn check_counter(&self, state: &CardState, report: &mut VerifyReport) -> Result<(), StoreError> {
        let released: Cents = self
            .conn
            .prepare_cached("SELECT ifnull(sum(cents), 0) FROM card_releases WHERE account = ?1")?
            .query_row([Sql(state.id)], |row| col(row, 0))?;
        let taken = self.account(state.id)?.debits.minus_or_zero(released);
        if taken != state.settled {
            let detail = format!("{taken} taken, its rows settle {}", state.settled);
            report.add(FindingKind::Claim, state.id.to_string(), detail);
        }
        let unclaimed: Option<Cents> = self
            .conn
            .prepare_cached("SELECT unclaimed_cents FROM card_balances WHERE id = ?1")?
            .query_row([Sql(state.id)], |row| col(row, 0))
            .optional()?;
        let left = state.claimed.to().minus_or_zero(state.settled);
        if self.holes(state.id)? != state.claimed.holes() || unclaimed != Some(left) {
            report.add(FindingKind::Claim, state.id.to_string(), "what stays claimable is not what its rows left");
        }
        Ok(())
    }

    /// A released card is blocked, by a list that every enrolment had applied which was open then, and has nothing left.
    fn check_releases(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(
            "SELECT card_releases.account, ifnull(accounts.credits - accounts.debits, 0),
                cards.blocked_at IS NOT NULL AND cards.blocked_in <= list, claims_upto <= (SELECT ifnull(max(id), 0)
                    FROM card_claims),
                (SELECT count(*) FROM epochs WHERE standing <> 3 AND opened_at < released_at AND list_applied < list)
             FROM card_releases LEFT JOIN accounts ON accounts.id = card_releases.account
             LEFT JOIN card_balances ON card_balances.id = card_releases.account
             LEFT JOIN cards ON cards.number = card_balances.card ORDER BY card_releases.id",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let subject = format!("card {}", col::<u64>(row, 0)? & u64::from(u32::MAX));
            let (left, without): (i64, i64) = (row.get(1)?, row.get(4)?);
            if left != 0 {
                report.add(FindingKind::Card, subject.clone(), "its money was released, but not all of it");
            }
            if row.get::<_, Option<bool>>(2)? != Some(true) {
                report.add(FindingKind::Card, subject.clone(), "its money was released, but it is not blocked since");
            }
            if !row.get::<_, bool>(3)? {
                report.add(FindingKind::Card, subject.clone(), "released after a claim that is not there");
            }
            if without != 0 {
                let detail = format!("its money was released while {without} enrolments had not applied the list");
                report.add(FindingKind::Card, subject, detail);
            }
        }
        let (released, booked): (u64, u64) = self.conn.query_row(
            "SELECT (SELECT count(*) FROM card_releases WHERE cents > 0), (SELECT count(*) FROM transfers WHERE kind = ?1)",
            [TransferKind::Unload.number()],
            |row| Ok((col(row, 0)?, col(row, 1)?)),
        )?;
        if released != booked {
            let detail = format!("{released} of them gave money back, {booked} transfers for them");
            report.add(FindingKind::Card, "all releases", detail);
        }
        Ok(())
    }

    /// Sales of purse cards that reached their cards are all written down in order.
    pub(super) fn check_card_sales(&self, in_journals: u64, report: &mut VerifyReport) -> Result<(), StoreError> {
        let read = "SELECT count(*) FROM card_claims WHERE carried IS NULL AND repayment IS NULL";
        let noted: u64 = self.conn.query_row(read, [], |row| col(row, 0))?;
        if noted != in_journals {
            let detail = format!("{in_journals} sales of them in the journals, {noted} claims");
            report.add(FindingKind::Claim, "all purse cards", detail);
        }
        Ok(())
    }

    pub(super) fn not_a_card_sale(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let Some(row) = RowKey::of_number(transfer.cause) else { return Ok(Some("its row is none")) };
        let mut read = self.conn.prepare_cached("SELECT settled FROM rows WHERE key = ?1")?;
        let settled: Option<Cents> = read.query_row([Sql(row)], |found| col(found, 0)).optional()?;
        let Some(settled) = settled else { return Ok(Some("its row is not there")) };
        let claim = self.card_claim(self.fund()?.fund, row)?;
        let mut read = self.conn.prepare_cached(
            "SELECT shop FROM terminals JOIN epochs ON epochs.terminal = terminals.number WHERE epochs.number = ?1",
        )?;
        let shop: Option<ShopNo> = read.query_row([Sql(row.epoch())], |found| col(found, 0)).optional()?;
        Ok(if settled != transfer.cents {
            Some("its row settles another amount")
        } else if claim.is_none_or(|(id, _)| id != transfer.debit)
            || shop.map(AccountId::payable) != Some(transfer.credit)
        {
            Some("its row is of another kind, card or shop")
        } else {
            None
        })
    }

    pub(super) fn not_an_unload(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT account, cents FROM card_releases WHERE id = ?1")?;
        let release: Option<(AccountId, Cents)> =
            read.query_row(params![Sql(transfer.cause)], |row| Ok((col(row, 0)?, col(row, 1)?))).optional()?;
        let shared = self.payer_of(transfer.debit)?.map(AccountId::purse);
        Ok(match release {
            None => Some("its release is not there"),
            Some(release) if release != (transfer.debit, transfer.cents) => {
                Some("its release says another amount or card")
            }
            Some(_) => (shared != Some(transfer.credit)).then_some("it gives back to another household"),
        })
    }

    /// The purse that pays for an account: a card's household's, or a slice's own.
    pub(super) fn payer_of(&self, account: AccountId) -> Result<Option<PurseNo>, StoreError> {
        let Some(purse) = account.purse_no() else { return Ok(None) };
        if account.epoch_no().is_some() { Ok(Some(purse)) } else { self.find_shared_purse(purse) }
    }
}

impl CardState {
    const fn new(id: AccountId) -> Self {
        Self {
            id,
            claimed: Claimed::new(Cents::ZERO, Vec::new()),
            settled: Cents::ZERO,
            last: BTreeMap::new(),
            made: Serial::new(0),
        }
    }
}
