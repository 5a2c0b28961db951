//! Receipts without paper, checked against the terminal's key and the row that they are of. Nothing is written.

use cabas_protocol::e_receipt::EReceipt;
use cabas_protocol::objects::Category;
use cabas_protocol::row::RowBody;
use cabas_protocol::sign::SignError;
use cabas_protocol::{Row, Seq, Signed, TerminalId, Timestamp, Verified};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::ledger::{EpochNo, RowKey, ShopNo};
use crate::core::receipts::{ReceiptFacts, ReceiptVerdict, judge};

/// Rows of one place that are looked at: more do not stand side by side but by somebody's doing.
const DISPUTED_MAX: u32 = 16;
const DAY_S: u64 = 86_400;

/// A receipt, and what is to be thought of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReceiptCheck {
    /// Not the bytes of a receipt, or not all of them.
    Unreadable,
    /// No terminal of this fund signed it.
    NotOurs,
    /// A terminal of this fund did.
    Signed(Box<SignedReceipt>),
}

/// A receipt that a terminal of the fund signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedReceipt {
    /// What it says.
    pub receipt: EReceipt,
    /// The shop's name.
    pub shop: String,
    /// What it is worth.
    pub verdict: ReceiptVerdict,
    /// The names of its categories, of the grid of that day; those that it did not have are missing.
    pub categories: Vec<Category>,
}

impl Tx<'_> {
    /// Checks a receipt.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn receipt_check(&self, signed: &Signed<EReceipt>) -> Result<ReceiptCheck, StoreError> {
        let claimed = match signed.peek() {
            Ok(claimed) => claimed,
            Err(SignError::WrongType { .. } | SignError::WrongFund(_)) => return Ok(ReceiptCheck::NotOurs),
            Err(_) => return Ok(ReceiptCheck::Unreadable),
        };
        let epoch = match self.epoch(claimed.terminal, claimed.epoch) {
            Ok(epoch) => epoch,
            Err(StoreError::UnknownTerminal(_) | StoreError::UnknownEpoch { .. }) => return Ok(ReceiptCheck::NotOurs),
            Err(error) => return Err(error),
        };
        let fund = self.fund()?.fund;
        let Ok(receipt) = signed.verify(&epoch.key, fund).map(Verified::into_payload) else {
            return Ok(ReceiptCheck::NotOurs);
        };
        let row = self.row_at(fund, RowKey::new(epoch.number, receipt.seq))?;
        let row_fits = match &row {
            Some(row) => Some(self.says_the_same(epoch.number, row, &receipt)?),
            None => None,
        };
        let facts = ReceiptFacts {
            seq: receipt.seq,
            standing: epoch.standing,
            closed: self.closed_at(epoch.number)?,
            row_fits,
            disputed_fits: self.disputed_says_the_same(epoch.number, &receipt)?,
        };
        let verdict = judge(&facts);
        if verdict == ReceiptVerdict::Contradicted {
            tracing::warn!(terminal.id = %receipt.terminal, row.seq = %receipt.seq,
                "a receipt is signed by a terminal whose journal says something else: is its key stolen?");
        }
        let (shop, categories) = (self.shop_name(receipt.terminal)?, self.labels_on(epoch.shop, receipt.at)?);
        Ok(ReceiptCheck::Signed(Box::new(SignedReceipt { receipt, shop, verdict, categories })))
    }

    /// The receipt is a function of its row: it is made again and compared.
    fn says_the_same(&self, epoch: EpochNo, row: &Row, receipt: &EReceipt) -> Result<bool, StoreError> {
        let undoes = if let RowBody::Reversal(reversal) = &row.body {
            self.row_at(row.head.fund, RowKey::new(epoch, reversal.sale))?
        } else {
            None
        };
        Ok(EReceipt::of_row(row, undoes.as_ref()).as_ref() == Some(receipt))
    }

    fn disputed_says_the_same(&self, epoch: EpochNo, receipt: &EReceipt) -> Result<bool, StoreError> {
        let mut read = self
            .conn
            .prepare_cached("SELECT envelope FROM disputed WHERE epoch = ?1 AND seq = ?2 ORDER BY id LIMIT ?3")?;
        let envelopes = read
            .query_map(params![Sql(epoch), Sql(receipt.seq), DISPUTED_MAX], |row| row.get(0))?
            .collect::<Result<Vec<Vec<u8>>, _>>()?;
        for envelope in envelopes {
            let row = Signed::<Row>::from_bytes(envelope).ok().and_then(|row| row.read_trusted(receipt.head.fund).ok());
            if let Some(row) = row
                && self.says_the_same(epoch, row.payload(), receipt)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn closed_at(&self, epoch: EpochNo) -> Result<Option<(Seq, Timestamp)>, StoreError> {
        let mut read =
            self.conn.prepare_cached("SELECT at_seq, ended_at FROM closings WHERE epoch = ?1 AND state = 1")?;
        Ok(read.query_row([Sql(epoch)], |row| Ok((col(row, 0)?, col(row, 1)?))).optional()?)
    }

    fn shop_name(&self, terminal: TerminalId) -> Result<String, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT name FROM shops WHERE number = (SELECT shop FROM terminals WHERE terminals.number = ?1)",
        )?;
        Ok(read.query_row([Sql(terminal)], |row| row.get(0))?)
    }

    /// Of the grids that held on a day at a shop the newest, as its terminals choose.
    fn labels_on(&self, shop: ShopNo, at: Timestamp) -> Result<Vec<Category>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT max(version) FROM grids WHERE (shop IS NULL OR shop = ?1) AND valid_from_day <= ?2 HAVING count(*) > 0",
        )?;
        // A day that no calendar has is after every grid.
        let day = at.get().checked_div(DAY_S).and_then(|day| u32::try_from(day).ok()).unwrap_or(u32::MAX);
        let version = read.query_row(params![Sql(shop), day], |row| col(row, 0)).optional()?;
        version.map_or_else(|| Ok(Vec::new()), |version| self.categories(version))
    }
}
