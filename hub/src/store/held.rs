//! Balances that terminals hand back after a restore: the hub's own signed word, by which the ledger catches up.

use cabas_protocol::keys::HubKeys;
use cabas_protocol::sync::{HeldList, Standing};
use cabas_protocol::{CardRef, Cents, Epoch, Scope, Serial, Signed, SignedBalance, TerminalId, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::ledger::Books;
use super::model::{AlarmKind, CardName};
use super::sql::{Sql, col};
use super::terminals::EpochRecord;
use super::tx::Tx;
use crate::core::ledger::{AccountId, AccountKind, Entry, PurseNo, TransferKind};

/// A serial above it is no honest hub's: the next jumps would leave the numbers.
const SERIAL_MAX: u32 = u32::MAX >> 1;

/// What a terminal handed back.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HandBack {
    /// Signed balances.
    pub balances: Vec<Vec<u8>>,
    /// What the terminal knows as blocked, where it was asked for that.
    pub list: Option<HeldList>,
    /// True where these are the last.
    pub is_end: bool,
}

/// What a balance that was handed back is of.
#[derive(Clone, Copy, Debug)]
struct Counter {
    /// The slice's account, or the card's.
    id: AccountId,
    /// The purse that its money comes from.
    payer: PurseNo,
    /// The newest serial that the ledger knows.
    newest: u32,
    /// True for a card whose money went back: what it is allowed means nothing any more.
    is_released: bool,
}

impl Tx<'_> {
    /// Takes what a terminal hands back: where a balance allows more than the ledger knows, the ledger catches up. It
    /// takes the household's free money for it, and what is not there is missing until it is credited again. The same
    /// balances again change nothing; an epoch that was not asked is not listened to.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`], [`StoreError::UnknownEpoch`], [`StoreError::Ledger`].
    pub fn take_held(
        &mut self,
        terminal: TerminalId,
        epoch: Epoch,
        handed: &HandBack,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let record = self.epoch(terminal, epoch)?;
        if !record.to_hand_back {
            return Ok(());
        }
        let fund = self.fund()?;
        let mut keys = HubKeys::new(fund.fund, fund.root);
        for cert in self.key_certs()? {
            keys.certify(&cert)?;
        }
        let mut strange = 0_u64;
        self.with_books(|books| {
            for bytes in &handed.balances {
                let signed = Signed::<SignedBalance>::from_bytes(bytes.clone());
                let balance = signed.map_err(Into::into).and_then(|signed| keys.verify(&signed));
                match balance.map(cabas_protocol::Verified::into_payload) {
                    Ok(balance) if [Scope::Card, Scope::Terminal(terminal, epoch)].contains(&balance.scope) => {
                        self.catch_up(books, &record, &balance, bytes, now)?;
                    }
                    Ok(_) | Err(_) => strange = strange.saturating_add(1),
                }
            }
            Ok(())
        })?;
        if strange > 0 {
            self.alarm(record.number, AlarmKind::NotAuthentic, strange, record.acked.seq, now)?;
            tracing::warn!(
                terminal.id = %terminal, terminal.epoch = %epoch, objects.count = strange,
                "what was handed back is not the hub's word to this terminal, and counts for nothing"
            );
        }
        if let Some(list) = handed.list.as_ref().filter(|_| handed.is_end && record.standing == Standing::Live) {
            if self.take_list(&record, list, now)? {
                self.conn.execute("UPDATE hand_backs SET list_heard = 1 WHERE epoch = ?1", [Sql(record.number)])?;
            }
        } else if handed.is_end {
            tracing::warn!(terminal.id = %terminal, terminal.epoch = %epoch, "a terminal hands back, but not what it knows as blocked");
        }
        if handed.is_end { self.hand_back_done(&record, now) } else { Ok(()) }
    }

    /// Blocks what a terminal knows as blocked and the backup does not: too much is the safe side, and people see and undo it. Only a
    /// list counts that came after the backup and before this life. Nothing here keeps a restore from its end. False for a list that it
    /// cannot have.
    fn take_list(&mut self, record: &EpochRecord, list: &HeldList, now: Timestamp) -> Result<bool, StoreError> {
        let window = "SELECT hot_list, hot_list_from FROM lives WHERE ended_at IS NULL";
        let window: Option<(u64, u64)> =
            self.conn.query_row(window, [], |row| Ok((col(row, 0)?, col(row, 1)?))).optional()?;
        let version = u64::from(list.version.get());
        let Some((of_backup, from)) = window else { return Ok(false) };
        if version <= of_backup || version >= from {
            return Ok(version < from);
        }
        let mut blocked = 0_u64;
        for card in &list.cards {
            // What people took off a list stays off, but where the same card was blocked again later, in a life that was lost.
            let new = "INSERT INTO held_blocks (card, epoch, blocked) VALUES (?1, ?2, 0)
                 ON CONFLICT (card) DO UPDATE SET epoch = ?2, unblocked_in = NULL WHERE epoch IS NULL AND unblocked_in < ?3";
            self.conn.execute(new, params![Sql(*card), Sql(record.number), Sql(list.version)])?;
            if self.block_told(*card, now)? {
                blocked = blocked.saturating_add(1);
            }
        }
        if blocked > 0 {
            tracing::warn!(
                terminal.id = %record.terminal, terminal.epoch = %record.epoch, cards.count = blocked,
                "cards that the terminal knew as blocked are blocked again"
            );
        }
        Ok(true)
    }

    /// Blocks a card that was told, where it is known and buys. False where nothing was to be done, or the list is full.
    pub(super) fn block_told(&mut self, card: CardRef, now: Timestamp) -> Result<bool, StoreError> {
        let read = "SELECT EXISTS (SELECT 1 FROM cards JOIN held_blocks ON held_blocks.card = cards.ref
             WHERE ref = ?1 AND blocked_at IS NULL AND held_blocks.epoch IS NOT NULL)";
        if !self.conn.prepare_cached(read)?.query_row([Sql(card)], |row| row.get::<_, bool>(0))? {
            return Ok(false);
        }
        match self.card_block(CardName::Ref(card), now) {
            Ok(_) => {}
            Err(error @ (StoreError::HotListFull | StoreError::Exhausted(_))) => {
                tracing::error!(%error, "a card that a terminal knows as blocked is not blocked again");
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        self.conn.execute("UPDATE held_blocks SET blocked = 1 WHERE card = ?1", [Sql(card)])?;
        Ok(true)
    }

    fn catch_up(
        &self,
        books: &mut Books<'_>,
        record: &EpochRecord,
        balance: &SignedBalance,
        envelope: &[u8],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(counter) = self.counter_of(record, balance)? else {
            return self.keep_unplaced(record, balance, envelope, now);
        };
        let Counter { id, newest, is_released, .. } = counter;
        if id.kind() == AccountKind::Card {
            self.keep_envelope(id, balance.serial, envelope)?;
        }
        if is_released {
            return Ok(());
        }
        let known = self.allowed(id, books.account(id)?)?;
        let more = balance.allowed.minus_or_zero(known);
        let least = if more.is_zero() { newest } else { newest.saturating_add(1) };
        let to = balance.serial.get().max(least);
        if to == newest {
            return Ok(());
        }
        if to > SERIAL_MAX {
            return self.keep_unplaced(record, balance, envelope, now);
        }
        let first = newest.saturating_add(1);
        let (from_free, from_nothing) = self.fund_catch_up(books, &counter, more, first)?;
        let allowed = known.plus(more)?;
        self.conn
            .prepare_cached(
                "INSERT INTO held_balances (slice, from_serial, to_serial, from_free, from_nothing, taken_at, envelope)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![Sql(id), first, to, Sql(from_free), Sql(from_nothing), Sql(now), envelope])?;
        let (fund, to) = (self.fund()?, Serial::new(to));
        if id.kind() == AccountKind::Card {
            self.sign_card_anew(&fund, id, to, allowed, now)
        } else {
            self.sign_anew(&fund, record, id, to, allowed, now)
        }
    }

    /// The counter that a balance is of; nothing where its purse, or its purse card, is not known. A card's balance may
    /// come from any terminal, for every terminal has it.
    fn counter_of(&self, record: &EpochRecord, balance: &SignedBalance) -> Result<Option<Counter>, StoreError> {
        let Some(purse) = self.purse_no(balance.purse)? else { return Ok(None) };
        if balance.scope == Scope::Card {
            let counter = self.purse_card(purse)?.map(|card| Counter {
                id: card.id,
                payer: card.shared,
                newest: card.serial.get(),
                is_released: card.is_released,
            });
            return Ok(counter);
        }
        let id = AccountId::slice(record.number, purse);
        let newest = self.slice(id)?.map_or(Serial::new(0), |slice| slice.serial).get();
        Ok(Some(Counter { id, payer: purse, newest, is_released: false }))
    }

    /// Moves what a balance allows more into its slice, or onto its card: free money first.
    fn fund_catch_up(
        &self,
        books: &mut Books<'_>,
        counter: &Counter,
        more: Cents,
        serial: u32,
    ) -> Result<(Cents, Cents), StoreError> {
        let Counter { id, payer, .. } = *counter;
        let from_free = books.account(AccountId::purse(payer))?.left()?.min(more);
        let from_nothing = more.minus(from_free)?;
        let (raise, recover) = if id.kind() == AccountKind::Card {
            (TransferKind::Load, TransferKind::CardRecover)
        } else {
            (TransferKind::Raise, TransferKind::Recover)
        };
        for (debit, cents, kind) in
            [(AccountId::purse(payer), from_free, raise), (AccountId::restored(payer), from_nothing, recover)]
        {
            if !cents.is_zero() {
                books.post(Entry { debit, credit: id, cents, kind, cause: u64::from(serial) })?;
            }
        }
        Ok((from_free, from_nothing))
    }

    fn keep_unplaced(
        &self,
        record: &EpochRecord,
        balance: &SignedBalance,
        envelope: &[u8],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tracing::error!(
            terminal.id = %record.terminal, terminal.epoch = %record.epoch, allowed_cents = balance.allowed.get(),
            "a balance was handed back that this ledger cannot place (an unknown purse, or a serial that is none), and is kept as evidence"
        );
        self.conn.execute(
            "INSERT OR REPLACE INTO held_unplaced (epoch, purse, allowed, taken_at, envelope)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![Sql(record.number), Sql(balance.purse), Sql(balance.allowed), Sql(now), envelope],
        )?;
        Ok(())
    }
}
