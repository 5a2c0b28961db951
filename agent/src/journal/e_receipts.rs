//! A receipt without paper of a row: read, made of what the row says, signed. Nothing is written.

use super::Journal;
use super::error::JournalError;
use super::state::State;
use cabas_protocol::e_receipt::EReceipt;
use cabas_protocol::row::RowBody;
use cabas_protocol::{Row, Seq, Signed, Verified};
use rusqlite::{Connection, OptionalExtension as _};

impl Journal {
    /// The receipt of a sale, a reversal or a refund request, the same bytes each time; nothing for any other row.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn e_receipt(&mut self, seq: Seq) -> Result<Option<Signed<EReceipt>>, JournalError> {
        let receipt = self.read(|db, state| {
            let Some(row) = row_at(db, state, seq)? else { return Ok(None) };
            let undoes =
                if let RowBody::Reversal(reversal) = &row.body { row_at(db, state, reversal.sale)? } else { None };
            Ok(EReceipt::of_row(&row, undoes.as_ref()))
        })?;
        Ok(receipt.map(|receipt| self.signer.sign(&receipt)))
    }
}

fn row_at(db: &Connection, state: &State, seq: Seq) -> Result<Option<Row>, JournalError> {
    let mut select = db.prepare_cached("SELECT bytes FROM rows WHERE seq = ?1")?;
    let bytes: Option<Vec<u8>> = select.query_row([seq.get()], |row| row.get(0)).optional()?;
    let row = bytes.map(|bytes| Signed::<Row>::from_bytes(bytes)?.read_trusted(state.id.fund)).transpose();
    Ok(row.map_err(|_| JournalError::Inconsistent("a row cannot be read"))?.map(Verified::into_payload))
}
