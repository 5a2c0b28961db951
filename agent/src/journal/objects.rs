//! Taking over what the hub signed: the decision is `core::objects`, here it is stored.

use super::append::Writer;
use super::error::JournalError;
use super::hub::Applied;
use super::load::{cents_of, count_balances, documents, type_number};
use crate::core::objects::{self, HeldBalance, HeldBinding, ListVerdict, Verdict};
use cabas_protocol::balance::{Scope, SignedBalance};
use cabas_protocol::hot_list::HotList;
use cabas_protocol::keys::{HubKeys, KeyCert, SlotKey};
use cabas_protocol::objects::{Binding, Grid, Policy, TerminalConfig};
use cabas_protocol::row::{ListApplied, RowBody, Tier};
use cabas_protocol::sign::Payload;
use cabas_protocol::sync::{Recall, RefundDecision};
use cabas_protocol::{PurseRef, Serial, Signed, Timestamp, Verified, Version};
use rusqlite::{OptionalExtension as _, params};
use std::sync::Arc;

/// Grids that are kept: the one of today and those of days to come.
const GRIDS_MAX: u32 = 8;

/// An object of the hub whose signature was checked.
#[derive(Clone, Debug)]
pub enum HubObject {
    /// A balance.
    Balance(Signed<SignedBalance>, Verified<SignedBalance>),
    /// A binding.
    Binding(Verified<Binding>),
    /// A hot list or the step to one.
    HotList(Verified<HotList>),
    /// Limits.
    Policy(Signed<Policy>, Verified<Policy>),
    /// A grid.
    Grid(Signed<Grid>, Verified<Grid>),
    /// The terminal's configuration.
    Config(Signed<TerminalConfig>, Verified<TerminalConfig>),
    /// The hub asks for money back.
    Recall(Verified<Recall>),
    /// What became of a refund request.
    Refund(Verified<RefundDecision>),
    /// The key by which this terminal speaks with one card.
    SlotKey(Verified<SlotKey>),
    /// The root's word on a signing key.
    Cert(Signed<KeyCert>, Verified<KeyCert>),
}

impl Writer<'_> {
    pub(super) fn take(&mut self, object: &HubObject, applied: &mut Applied) -> Result<(), JournalError> {
        let verdict = match object {
            HubObject::Balance(signed, balance) => self.take_balance(signed, balance.payload())?,
            HubObject::Binding(binding) => self.take_binding(binding.payload())?,
            HubObject::HotList(list) => self.take_hot_list(list.payload())?,
            HubObject::Policy(signed, policy) => self.take_policy(signed, policy.payload())?,
            HubObject::Grid(signed, grid) => self.take_grid(signed, grid.payload())?,
            HubObject::Config(signed, config) => self.take_config(signed, config.payload())?,
            HubObject::Recall(recall) => self.take_recall(recall.payload())?,
            HubObject::Refund(decision) => self.take_refund(decision.payload())?,
            HubObject::SlotKey(key) => self.take_slot_key(key.payload())?,
            HubObject::Cert(signed, cert) => self.take_cert(signed, cert.payload())?,
        };
        match verdict {
            Verdict::Take => applied.taken = applied.taken.saturating_add(1),
            Verdict::Ignore => {}
            Verdict::Reject(alarm) => applied.alarms.push(alarm),
        }
        Ok(())
    }

    fn take_balance(
        &mut self,
        signed: &Signed<SignedBalance>,
        balance: &SignedBalance,
    ) -> Result<Verdict, JournalError> {
        let scope = match balance.scope {
            Scope::Card => 0,
            Scope::Terminal(..) => 1,
        };
        let mut select = self.tx.prepare_cached(
            "SELECT serial, issued_at, allowed_cents, bytes FROM balances WHERE purse = ?1 AND scope = ?2",
        )?;
        let held = select.query_row(params![balance.purse.as_bytes(), scope], |row| {
            let (serial, issued_at) = (Serial::new(row.get(0)?), Timestamp::new(row.get(1)?));
            let (allowed, bytes) = (cents_of(row, 2)?, row.get::<_, Vec<u8>>(3)?);
            let binds = !self.state.is_void(&bytes);
            Ok((HeldBalance { serial, issued_at, allowed, binds }, bytes))
        });
        let (held, bytes) = held.optional()?.unzip();
        let verdict = objects::balance(self.state.id.me(), held, balance);
        if let (Verdict::Take, Some(HeldBalance { binds: false, .. }), Some(bytes)) = (&verdict, held, bytes) {
            let keep = "INSERT OR IGNORE INTO void_words (purse, scope, bytes) VALUES (?1, ?2, ?3)";
            self.tx.prepare_cached(keep)?.execute(params![balance.purse.as_bytes(), scope, bytes])?;
        }
        if verdict == Verdict::Take {
            let mut upsert = self.tx.prepare_cached(
                "INSERT INTO balances (purse, scope, serial, allowed_cents, issued_at, valid_for_s, bytes) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (purse, scope) DO UPDATE SET serial = ?3, \
                 allowed_cents = ?4, issued_at = ?5, valid_for_s = ?6, bytes = ?7",
            )?;
            upsert.execute(params![
                balance.purse.as_bytes(),
                scope,
                balance.serial.get(),
                balance.allowed.get(),
                balance.issued_at.get(),
                balance.valid_for_s,
                signed.as_bytes(),
            ])?;
            if held.is_none() {
                self.state.balances = count_balances(self.tx)?;
            }
        }
        Ok(verdict)
    }

    fn take_binding(&mut self, binding: &Binding) -> Result<Verdict, JournalError> {
        let mut select = self.tx.prepare_cached("SELECT version, purse FROM bindings WHERE card = ?1")?;
        let held = select.query_row([binding.card.as_bytes()], |row| {
            Ok(HeldBinding { version: Version::new(row.get(0)?), purse: PurseRef::new(row.get(1)?) })
        });
        let verdict = objects::binding(held.optional()?, binding);
        if verdict == Verdict::Take {
            let tier = match binding.tier {
                Tier::Purse => 1,
                Tier::Identity => 2,
                Tier::Plain => 3,
            };
            let mut upsert = self.tx.prepare_cached(
                "INSERT INTO bindings (card, tier, purse, version) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (card) DO UPDATE SET tier = ?2, purse = ?3, version = ?4",
            )?;
            let purse = binding.purse.as_bytes();
            upsert.execute(params![binding.card.as_bytes(), tier, purse, binding.version.get()])?;
        }
        Ok(verdict)
    }

    fn take_hot_list(&mut self, list: &HotList) -> Result<Verdict, JournalError> {
        match objects::hot_list(self.state.hub.hot_list, list) {
            ListVerdict::Ignore => return Ok(Verdict::Ignore),
            ListVerdict::Gap(alarm) => return Ok(Verdict::Reject(alarm)),
            ListVerdict::Replace => {
                self.tx.execute("DELETE FROM hot", [])?;
            }
            ListVerdict::Step => {}
        }
        let mut remove = self.tx.prepare_cached("DELETE FROM hot WHERE kind = ?1 AND ref = ?2")?;
        let mut add = self.tx.prepare_cached("INSERT OR IGNORE INTO hot (kind, ref) VALUES (?1, ?2)")?;
        for card in &list.cards_removed {
            remove.execute(params![1, card.as_bytes()])?;
        }
        for purse in &list.purses_removed {
            remove.execute(params![2, purse.as_bytes()])?;
        }
        for card in &list.cards {
            add.execute(params![1, card.as_bytes()])?;
        }
        for purse in &list.purses {
            add.execute(params![2, purse.as_bytes()])?;
        }
        self.state.hub.hot_list = list.version;
        self.append(RowBody::ListApplied(ListApplied { version: list.version }), None)?;
        Ok(Verdict::Take)
    }

    fn take_policy(&mut self, signed: &Signed<Policy>, policy: &Policy) -> Result<Verdict, JournalError> {
        let verdict = objects::policy(self.state.policy.as_deref(), policy);
        if verdict == Verdict::Take {
            self.store_only(signed)?;
            self.state.policy = Some(Arc::new(policy.clone()));
        }
        Ok(verdict)
    }

    fn take_config(
        &mut self,
        signed: &Signed<TerminalConfig>,
        config: &TerminalConfig,
    ) -> Result<Verdict, JournalError> {
        let verdict = objects::terminal_config(self.state.id.me(), self.state.config.as_deref(), config);
        if verdict == Verdict::Take {
            self.store_only(signed)?;
            self.state.config = Some(Arc::new(config.clone()));
        }
        Ok(verdict)
    }

    fn take_grid(&mut self, signed: &Signed<Grid>, grid: &Grid) -> Result<Verdict, JournalError> {
        let held = self.state.grids.iter().find(|held| held.version == grid.version);
        let verdict = objects::grid(self.state.id.me(), held, grid);
        if verdict == Verdict::Take {
            self.store(signed, i64::from(grid.version.get()))?;
            self.tx.execute(
                "DELETE FROM documents WHERE type = ?1 AND id NOT IN \
                 (SELECT id FROM documents WHERE type = ?1 ORDER BY id DESC LIMIT ?2)",
                params![type_number(Grid::TYPE), GRIDS_MAX],
            )?;
            let kept: Result<Vec<Grid>, _> = documents::<Grid>(self.tx)?
                .iter()
                .map(|signed| signed.read_trusted(self.state.id.fund).map(Verified::into_payload))
                .collect();
            self.state.grids = Arc::new(kept?);
        }
        Ok(verdict)
    }

    fn take_cert(&mut self, signed: &Signed<KeyCert>, cert: &KeyCert) -> Result<Verdict, JournalError> {
        let mut keys = HubKeys::clone(&self.state.keys);
        keys.certify(signed)?;
        let id = i64::from_be_bytes(*cert.key.id().as_bytes());
        let mut select = self.tx.prepare_cached("SELECT bytes FROM documents WHERE type = ?1 AND id = ?2")?;
        let held =
            select.query_row(params![type_number(KeyCert::TYPE), id], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        let is_revoked = |bytes: Vec<u8>| {
            let held = Signed::<KeyCert>::from_bytes(bytes).ok()?.peek().ok()?;
            Some(held.revoked)
        };
        // A key once taken back stays so.
        if held.is_some_and(|bytes| is_revoked(bytes) == Some(true) || !cert.revoked) {
            return Ok(Verdict::Ignore);
        }
        self.store(signed, id)?;
        self.state.keys = Arc::new(keys);
        Ok(Verdict::Take)
    }

    /// Stores the only document of its type.
    fn store_only<T: Payload>(&self, signed: &Signed<T>) -> Result<(), JournalError> {
        self.store(signed, 0)
    }

    fn store<T: Payload>(&self, signed: &Signed<T>, id: i64) -> Result<(), JournalError> {
        let mut upsert = self.tx.prepare_cached(
            "INSERT INTO documents (type, id, bytes) VALUES (?1, ?2, ?3) ON CONFLICT (type, id) DO UPDATE SET bytes = ?3",
        )?;
        upsert.execute(params![type_number(T::TYPE), id, signed.as_bytes()])?;
        Ok(())
    }
}
