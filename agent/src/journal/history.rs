//! What was done on any day, and the row of any receipt's number.

use super::Journal;
use super::day::{Entry, entry};
use super::error::JournalError;
use super::state::State;
use cabas_protocol::{Seq, Stan, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::ops::Range;

/// Entries of one list.
pub const HISTORY_ENTRIES_MAX: u32 = 200;

/// Entries, newest first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct History {
    /// They.
    pub entries: Vec<Entry>,
    /// True where there are older ones of the same day.
    pub is_truncated: bool,
}

impl Journal {
    /// What was done between two times, before a row where one is given; newest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn history(&mut self, between: Range<Timestamp>, before: Option<Seq>) -> Result<History, JournalError> {
        self.read(|db, state| {
            // Newest first is by row: the clock may have been set back between two of them.
            let mut select = db.prepare_cached(
                "SELECT seq FROM rows INDEXED BY rows_by_time WHERE kind IN (2, 3, 4) AND at >= ?1 AND at < ?2 \
                 AND seq < ?3 ORDER BY seq DESC LIMIT ?4",
            )?;
            let before = before.map_or(i64::MAX, |before| before.get().into());
            let (from, to) = (between.start.get(), between.end.get());
            let most = HISTORY_ENTRIES_MAX.saturating_add(1);
            let found = select.query_map(params![from, to, before, most], |row| Ok(Seq::new(row.get(0)?)))?;
            let mut found = found.collect::<Result<Vec<_>, _>>()?;
            let shown = usize::try_from(HISTORY_ENTRIES_MAX).unwrap_or(usize::MAX);
            let is_truncated = found.len() > shown;
            found.truncate(shown);
            let entries = found.into_iter().filter_map(|seq| entry(db, state, seq).transpose());
            Ok(History { entries: entries.collect::<Result<_, _>>()?, is_truncated })
        })
    }

    /// The newest sale, reversal or refund of a receipt's number.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn by_stan(&mut self, stan: Stan) -> Result<Option<Entry>, JournalError> {
        self.read(|db, state| {
            let Some(seq) = row_of_stan(db, state, stan)? else { return Ok(None) };
            let mut select = db.prepare_cached("SELECT ended FROM intents WHERE seq = ?1")?;
            // A card's payment took its number when it was announced; what ended that is the sale, or says that there is none.
            let ended = select.query_row([seq.get()], |row| row.get::<_, Option<u32>>(0)).optional()?;
            match ended {
                Some(ended) => ended.map_or(Ok(None), |ended| entry(db, state, Seq::new(ended))),
                None => entry(db, state, seq),
            }
        })
    }
}

/// The row that took a number. Each row takes one at the most, so that within the newest [`Stan::MAX`] rows the way back to
/// a number only grows, and is found by halving.
fn row_of_stan(db: &Connection, state: &State, stan: Stan) -> Result<Option<Seq>, JournalError> {
    let (Some(newest), last) = (state.newest.stan, state.newest.chain.seq.get()) else { return Ok(None) };
    let steps_back = |of: u32| {
        newest.get().checked_sub(of).unwrap_or_else(|| newest.get().saturating_add(Stan::MAX).saturating_sub(of))
    };
    let wanted = steps_back(stan.get());
    let mut select = db.prepare_cached("SELECT stan FROM rows WHERE seq = ?1")?;
    let (mut low, mut high) = (last.saturating_sub(Stan::MAX.saturating_sub(1)).max(1), last);
    while low < high {
        let middle = low.midpoint(high);
        // Rows before the first number stand farther back than any.
        let back = match select.query_row([middle], |row| row.get::<_, u32>(0))? {
            0 => u32::MAX,
            of => steps_back(of),
        };
        if back <= wanted { high = middle } else { low = middle.saturating_add(1) }
    }
    let found: u32 = select.query_row([low], |row| row.get(0))?;
    Ok((found == stan.get()).then_some(Seq::new(low)))
}
