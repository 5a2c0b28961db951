//! What sales of a purse card claim of the card's counter, whatever terminal sends them.

use rusqlite::params;

use super::error::StoreError;
use super::ingest::Verdict;
use super::ledger::Books;
use super::sql::Sql;
use super::tx::Tx;
use crate::core::effect::Claim;
use crate::core::ledger::{AccountId, Entry, OverRight, PurseNo, RowKey, ShopNo, TransferKind};

impl Tx<'_> {
    /// Judges a claim of a card's counter by the claim rule, and books what it has a right to for the shop that sold. The
    /// order in which such rows are taken is written down: rows of many terminals share one counter.
    pub(super) fn settle_card(
        &self,
        books: &mut Books<'_>,
        (row, shop): (RowKey, ShopNo),
        purse: PurseNo,
        claim: &Claim,
    ) -> Result<Verdict, StoreError> {
        let over = |why| Ok(Verdict::over(claim.stretch.cents(), why));
        let Some(card) = self.purse_card(purse)? else { return over(OverRight::UnknownSlice) };
        self.conn
            .prepare_cached("INSERT INTO card_claims (account, row) VALUES (?1, ?2)")?
            .execute(params![Sql(card.id), Sql(row)])?;
        if card.is_released {
            return over(OverRight::CardReleased);
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
}
