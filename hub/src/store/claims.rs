//! What rows claim of a counter, and what stays claimable of it; and the sales of purse cards, which claim of one counter
//! whatever terminal sends them.

use cabas_protocol::{Cents, Serial};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::ingest::Verdict;
use super::ledger::Books;
use super::purse_cards::PurseCard;
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::card_proof::Proof;
use crate::core::claims::{Claimed, Judgement, Stretch};
use crate::core::effect::Claim;
use crate::core::ledger::{AccountId, AccountKind, Entry, OverRight, RowKey, ShopNo, TransferKind};

impl Tx<'_> {
    /// Judges a claim of a card's counter by the claim rule, and books what it has a right to for the shop that sold. The
    /// order in which such rows are taken is written down: rows of many terminals share one counter.
    pub(super) fn settle_card(
        &self,
        books: &mut Books<'_>,
        (row, shop): (RowKey, ShopNo),
        card: &PurseCard,
        claim: &Claim,
        proof: Proof,
    ) -> Result<Verdict, StoreError> {
        let over = |why| Ok(Verdict::over(claim.stretch.cents(), why));
        self.conn
            .prepare_cached("INSERT INTO card_claims (account, row) VALUES (?1, ?2)")?
            .execute(params![Sql(card.id), Sql(row)])?;
        if card.is_released {
            return over(OverRight::CardReleased);
        }
        if proof.is_false() {
            return over(OverRight::CardProof);
        }
        let Some(allowed) = self.allowed_by(card.id, claim.serial)? else { return over(OverRight::UnknownSerial) };
        let account = books.account(card.id)?;
        let judgement = self.claim(card.id, card.unclaimed, account.debits, claim.stretch, allowed)?;
        if !judgement.settled.is_zero() {
            let (cents, kind, cause) = (judgement.settled, TransferKind::CardSale, row.get());
            books.post(Entry { debit: card.id, credit: AccountId::payable(shop), cents, kind, cause })?;
        }
        Ok(Verdict { settled: judgement.settled, over_right: judgement.over_right()?, why: judgement.why() })
    }

    /// Claims a stretch of a slice, or of a purse card, and keeps what became of its holes.
    pub(super) fn claim(
        &self,
        id: AccountId,
        unclaimed_before: Cents,
        settled_before: Cents,
        stretch: Stretch,
        allowed: Cents,
    ) -> Result<Judgement, StoreError> {
        let holes = if unclaimed_before.is_zero() { Vec::new() } else { self.holes(id)? };
        let mut claimed = Claimed::new(settled_before.plus(unclaimed_before)?, holes.clone());
        let judgement = claimed.claim(stretch, allowed)?;
        let unclaimed = claimed.to().minus(settled_before.plus(judgement.settled)?)?;
        if unclaimed != unclaimed_before {
            let note = if id.kind() == AccountKind::Card {
                "UPDATE card_balances SET unclaimed_cents = ?2 WHERE id = ?1"
            } else {
                "UPDATE slices SET unclaimed_cents = ?2 WHERE id = ?1"
            };
            self.conn.prepare_cached(note)?.execute(params![Sql(id), Sql(unclaimed)])?;
        }
        if claimed.holes() != holes {
            self.conn.prepare_cached("DELETE FROM holes WHERE slice = ?1")?.execute([Sql(id)])?;
            let mut insert =
                self.conn.prepare_cached("INSERT INTO holes (slice, from_cents, to_cents) VALUES (?1, ?2, ?3)")?;
            for hole in claimed.holes() {
                insert.execute(params![Sql(id), Sql(hole.from()), Sql(hole.to())])?;
            }
        }
        Ok(judgement)
    }

    pub(super) fn holes(&self, id: AccountId) -> Result<Vec<Stretch>, StoreError> {
        let mut read =
            self.conn.prepare_cached("SELECT from_cents, to_cents FROM holes WHERE slice = ?1 ORDER BY from_cents")?;
        let holes = read.query_map([Sql(id)], |row| Ok(Stretch::between(col(row, 0)?, col(row, 1)?)))?;
        holes.map(|hole| hole?.ok_or(StoreError::Damaged("a hole"))).collect()
    }

    /// What a serial allows; nothing where it was never given. One that a restore skipped is judged by the next that is known,
    /// whatever it said: nobody handed it back, or the balance after it was handed back.
    pub(super) fn allowed_by(&self, id: AccountId, serial: Serial) -> Result<Option<Cents>, StoreError> {
        if serial == Serial::new(0) {
            return Ok(None);
        }
        let mut read = self
            .conn
            .prepare_cached("SELECT allowed FROM serials WHERE slice = ?1 AND serial >= ?2 ORDER BY serial LIMIT 1")?;
        Ok(read.query_row(params![Sql(id), Sql(serial)], |row| col(row, 0)).optional()?)
    }

    /// What the newest serial before another one allowed.
    pub(super) fn allowed_before(&self, id: AccountId, serial: Serial) -> Result<Cents, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT allowed FROM serials WHERE slice = ?1 AND serial < ?2 ORDER BY serial DESC LIMIT 1",
        )?;
        Ok(read.query_row(params![Sql(id), Sql(serial)], |row| col(row, 0)).optional()?.unwrap_or(Cents::ZERO))
    }
}
