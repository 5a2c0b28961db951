//! At each start: the counters stand where the rows left them.

use super::error::JournalError;
use super::sales::{counters_of, looked_from};
use super::state::State;
use cabas_protocol::row::RowBody;
use cabas_protocol::{Cents, Row, Signed};
use rusqlite::{Connection, OptionalExtension as _};

/// The counter of the newest row that raised one must be where that row left it: bounded work, at each start.
pub(super) fn check_counters(db: &Connection, state: &State) -> Result<(), JournalError> {
    // What a card counted raised no counter here.
    let mut select = db.prepare_cached(
        "SELECT bytes FROM rows WHERE seq > ?1 AND kind IN (2, 4, 5) \
             AND NOT EXISTS (SELECT 1 FROM intents WHERE ended = rows.seq) ORDER BY seq DESC LIMIT 1",
    )?;
    let newest = select.query_row([looked_from(state)], |row| row.get::<_, Vec<u8>>(0)).optional()?;
    let Some(bytes) = newest else { return Ok(()) };
    let signed = Signed::<Row>::from_bytes(bytes).map_err(cabas_protocol::sign::SignError::from)?;
    let body = signed.read_trusted(state.id.fund)?.into_payload().body;
    let (purse, spent_after, reversed_after) = if let RowBody::Sale(sale) = &body {
        (sale.purse, Some(sale.spent_after), None)
    } else if let RowBody::Return(returned) = &body {
        (returned.purse, Some(returned.spent_after), None)
    } else if let RowBody::Reversal(reversal) = &body {
        (reversal.purse, None, Some(reversal.reversed_after))
    } else {
        return Err(JournalError::Inconsistent("a row is not of the kind that it is filed under"));
    };
    let (spent, reversed) =
        counters_of(db, purse)?.map_or((Cents::ZERO, Cents::ZERO), |(spent, reversed, _)| (spent, reversed));
    if spent_after.is_none_or(|after| after == spent) && reversed_after.is_none_or(|after| after == reversed) {
        Ok(())
    } else {
        Err(JournalError::Inconsistent("a counter is not where its newest row left it"))
    }
}
