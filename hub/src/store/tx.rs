//! One piece of work on the store, inside a transaction.

use std::collections::BTreeSet;

use cabas_protocol::{PurseRef, TerminalId};
use rusqlite::Connection;

use super::error::StoreError;
use super::model::Wake;
use crate::core::slices::Shares;

/// Terminals that are woken one by one; above that, all are.
const WAKES_MAX: usize = 64;

/// The store inside a transaction. Every read and change of the hub is a method of this type; the modules beside it
/// hold them by subject.
pub struct Tx<'c> {
    pub(super) conn: &'c Connection,
    /// How money is to lie.
    pub(super) shares: Shares,
    wakes: &'c mut Wakes,
}

/// Whom a transaction has news for.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    all: bool,
    terminals: BTreeSet<TerminalId>,
    freed: BTreeSet<PurseRef>,
    erased: bool,
    /// What the fund's configuration says to each transaction.
    pub(super) shares: Shares,
}

impl Wakes {
    pub(super) fn take(&mut self) -> Vec<Wake> {
        let shares = self.shares;
        let Self { all, terminals, freed, .. } = std::mem::replace(self, Self { shares, ..Self::default() });
        let mut wakes: Vec<_> = freed.into_iter().map(Wake::Freed).collect();
        if all {
            wakes.push(Wake::All);
        } else {
            wakes.extend(terminals.into_iter().map(Wake::Terminal));
        }
        wakes
    }

    /// True where something was erased since it was asked.
    pub(super) fn take_erased(&mut self) -> bool {
        std::mem::take(&mut self.erased)
    }

    fn add(&mut self, wake: Wake) {
        match wake {
            Wake::All => self.all = true,
            Wake::Freed(purse) => drop(self.freed.insert(purse)),
            Wake::Terminal(terminal) => {
                self.terminals.insert(terminal);
                self.all |= self.terminals.len() > WAKES_MAX;
            }
        }
    }
}

impl<'c> Tx<'c> {
    pub(super) const fn new(conn: &'c Connection, wakes: &'c mut Wakes) -> Self {
        Self { conn, shares: wakes.shares, wakes }
    }

    pub(super) fn wake(&mut self, wake: Wake) {
        self.wakes.add(wake);
    }

    /// Something was erased: once that is committed, it is to leave the write-ahead log too.
    pub(super) fn erased(&mut self) {
        self.wakes.erased = true;
    }

    /// A number that moves when *another* connection (a command beside `serve`) has committed something.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn data_version(&self) -> Result<i64, StoreError> {
        Ok(self.conn.query_row("PRAGMA data_version", [], |row| row.get(0))?)
    }
}
