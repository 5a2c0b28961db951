//! What a terminal does not have yet.

use std::collections::BTreeMap;

use cabas_protocol::codec;
use cabas_protocol::keys::SlotKey;
use cabas_protocol::objects::{Binding, Grid, Policy, TerminalConfig};
use cabas_protocol::sign::{ENVELOPE_BYTES_MAX, Payload as _};
use cabas_protocol::sync::{RefundDecision, Standing};
use cabas_protocol::{Epoch, ObjectType, PurseRef, Scope, Signed, SignedBalance, TerminalId, Timestamp};
use rusqlite::params;

use super::error::StoreError;
use super::import::tier_of_number;
use super::model::{Deliverable, FundInfo, News, NewsLimits};
use super::slices::VALID_FOR_S;
use super::sql::{Sql, col};
use super::terminals::EpochRecord;
use super::tx::Tx;
use crate::core::ledger::RowKey;

/// What is new, by the change with which it came.
pub(super) type ByChange = BTreeMap<u64, Deliverable>;

impl Tx<'_> {
    /// What changed since the cursor, oldest change first; 0 for all. A cursor that the hub never gave counts as 0.
    /// Balances that grow old are made anew here. A terminal that is not live gets no cards and no balances.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`] or [`StoreError::UnknownEpoch`].
    pub fn news(
        &mut self,
        terminal: TerminalId,
        epoch: Epoch,
        cursor: u64,
        limits: NewsLimits,
        now: Timestamp,
    ) -> Result<News, StoreError> {
        let mut record = self.epoch(terminal, epoch)?;
        if record.renew_at.is_some_and(|at| at <= now) {
            self.renew(&self.fund()?, &record, now)?;
            record = self.epoch(terminal, epoch)?;
        }
        let fund = self.fund()?;
        let since = if cursor > fund.change { 0 } else { cursor };
        if since >= fund.change_for_all.max(record.change) {
            return Ok(News { items: Vec::new(), cursor: since, more: false });
        }
        let mut found = ByChange::new();
        let at_most = limits.objects_max.saturating_add(1);
        if since < fund.change_for_all {
            self.news_for_all(&mut found, &fund, &record, since, at_most)?;
        }
        if since < record.change {
            self.news_for_one(&mut found, &fund, &record, since, at_most)?;
        }
        Ok(first_page(found, limits, since, fund.change))
    }

    /// True where [`Tx::news`] would give something: two look-ups.
    ///
    /// # Errors
    /// [`StoreError::UnknownTerminal`] or [`StoreError::UnknownEpoch`].
    pub fn has_news(
        &self,
        terminal: TerminalId,
        epoch: Epoch,
        cursor: u64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let record = self.epoch(terminal, epoch)?;
        let fund = self.fund()?;
        let newest = fund.change_for_all.max(record.change);
        let renews = record.may_be_raised() && record.renew_at.is_some_and(|at| at <= now);
        Ok(renews || cursor < newest || cursor > fund.change)
    }

    fn news_for_all(
        &self,
        found: &mut ByChange,
        fund: &FundInfo,
        record: &EpochRecord,
        since: u64,
        at_most: usize,
    ) -> Result<(), StoreError> {
        self.new_keys(found, since)?;
        self.new_policy(found, fund, since)?;
        self.new_grids(found, fund, record.terminal, since)?;
        let changed: u64 = self.conn.query_row("SELECT change FROM hot_list", [], |row| col(row, 0))?;
        if changed > since && !record.to_hand_back {
            found.insert(changed, Deliverable::HotList(self.hot_list(fund)?));
        }
        if record.standing != Standing::Live {
            return Ok(());
        }
        self.new_bindings(found, fund, since, at_most)?;
        self.new_slot_keys(found, record, since, at_most)?;
        if self.is_restoring()? { Ok(()) } else { self.new_card_balances(found, fund, since, at_most) }
    }

    fn news_for_one(
        &self,
        found: &mut ByChange,
        fund: &FundInfo,
        record: &EpochRecord,
        since: u64,
        at_most: usize,
    ) -> Result<(), StoreError> {
        self.new_config(found, fund, record, since)?;
        self.new_refunds(found, fund, record, since, at_most)?;
        if record.standing == Standing::Live && !self.is_restoring()? {
            self.new_recalls(found, fund, record, since, at_most)?;
            self.new_balances(found, fund, record, since, at_most)
        } else {
            Ok(())
        }
    }

    fn new_keys(&self, found: &mut ByChange, since: u64) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached("SELECT change, cert FROM signing_keys WHERE change > ?1")?;
        let mut rows = read.query([Sql(since)])?;
        while let Some(row) = rows.next()? {
            let cert = Signed::from_bytes(row.get(1)?).map_err(|_| StoreError::Damaged("a key's certificate"))?;
            found.insert(col(row, 0)?, Deliverable::KeyCert(cert));
        }
        Ok(())
    }

    fn new_policy(&self, found: &mut ByChange, fund: &FundInfo, since: u64) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT change, sale_cents_max, plain_sale_cents_max, plain_day_cents_max, plain_list_age_s_max, part_payment
             FROM policies WHERE id = ?1 AND change > ?2",
        )?;
        let mut rows = read.query(params![Sql(fund.policy), Sql(since)])?;
        if let Some(row) = rows.next()? {
            let policy = Policy {
                head: fund.context().head(ObjectType::Policy),
                id: fund.policy,
                sale_cents_max: col(row, 1)?,
                plain_sale_cents_max: col(row, 2)?,
                plain_day_cents_max: col(row, 3)?,
                plain_list_age_s_max: row.get(4)?,
                part_payment: row.get(5)?,
            };
            found.insert(col(row, 0)?, Deliverable::Policy(policy));
        }
        Ok(())
    }

    fn new_grids(
        &self,
        found: &mut ByChange,
        fund: &FundInfo,
        terminal: TerminalId,
        since: u64,
    ) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT change, version, valid_from_day FROM grids WHERE change > ?1 AND
                (shop IS NULL OR shop = (SELECT shop FROM terminals WHERE number = ?2))",
        )?;
        let mut rows = read.query(params![Sql(since), Sql(terminal)])?;
        while let Some(row) = rows.next()? {
            let version = col(row, 1)?;
            let head = fund.context().head(ObjectType::Grid);
            let categories = self.categories(version)?;
            let grid = Grid { head, terminal, version, valid_from_day: row.get(2)?, categories };
            found.insert(col(row, 0)?, Deliverable::Grid(grid));
        }
        Ok(())
    }

    fn new_bindings(
        &self,
        found: &mut ByChange,
        fund: &FundInfo,
        since: u64,
        at_most: usize,
    ) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT cards.change, cards.ref, cards.tier, purses.ref, cards.version FROM cards
             JOIN purses ON purses.number = cards.purse WHERE cards.change > ?1 ORDER BY cards.change LIMIT ?2",
        )?;
        let mut rows = read.query(params![Sql(since), limit(at_most)])?;
        while let Some(row) = rows.next()? {
            let binding = Binding {
                head: fund.context().head(ObjectType::Binding),
                card: col(row, 1)?,
                tier: tier_of_number(row.get(2)?)?,
                purse: col(row, 3)?,
                version: col(row, 4)?,
            };
            found.insert(col(row, 0)?, Deliverable::Binding(binding));
        }
        Ok(())
    }

    fn new_config(
        &self,
        found: &mut ByChange,
        fund: &FundInfo,
        record: &EpochRecord,
        since: u64,
    ) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT config_change, config_version, (SELECT name FROM shops WHERE number = ?3) FROM epochs
             WHERE number = ?1 AND config_change > ?2",
        )?;
        let mut rows = read.query(params![Sql(record.number), Sql(since), Sql(record.shop)])?;
        if let Some(row) = rows.next()? {
            let config = TerminalConfig {
                head: fund.context().head(ObjectType::TerminalConfig),
                terminal: record.terminal,
                epoch: record.epoch,
                version: col(row, 1)?,
                shop_name: row.get(2)?,
                fund_name: fund.name.clone(),
                helpline: fund.helpline.clone(),
                // Only an open shop sells.
                paused: fund.paused || !record.is_shop_open,
            };
            found.insert(col(row, 0)?, Deliverable::TerminalConfig(config));
        }
        Ok(())
    }

    fn new_refunds(
        &self,
        found: &mut ByChange,
        fund: &FundInfo,
        record: &EpochRecord,
        since: u64,
        at_most: usize,
    ) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT change, row, state = 1 FROM refunds WHERE row >> 32 = ?1 AND change > ?2 ORDER BY change LIMIT ?3",
        )?;
        let mut rows = read.query(params![Sql(record.number), Sql(since), limit(at_most)])?;
        while let Some(row) = rows.next()? {
            let decision = RefundDecision {
                head: fund.context().head(ObjectType::RefundDecision),
                terminal: record.terminal,
                epoch: record.epoch,
                seq: col::<RowKey>(row, 1)?.seq(),
                granted: row.get(2)?,
            };
            found.insert(col(row, 0)?, Deliverable::Refund(decision));
        }
        Ok(())
    }

    fn new_balances(
        &self,
        found: &mut ByChange,
        fund: &FundInfo,
        record: &EpochRecord,
        since: u64,
        at_most: usize,
    ) -> Result<(), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT slices.change, purses.ref, slices.serial, accounts.credits - slices.reversed_cents,
                slices.policy, slices.issued_at
             FROM slices JOIN accounts ON accounts.id = slices.id
             JOIN purses ON purses.number = slices.id & 0xffffffff
             WHERE slices.epoch = ?1 AND slices.change > ?2 ORDER BY slices.change LIMIT ?3",
        )?;
        let mut rows = read.query(params![Sql(record.number), Sql(since), limit(at_most)])?;
        while let Some(row) = rows.next()? {
            let purse: PurseRef = col(row, 1)?;
            let balance = SignedBalance {
                head: fund.context().head(ObjectType::Balance),
                purse,
                scope: Scope::Terminal(record.terminal, record.epoch),
                serial: col(row, 2)?,
                allowed: col(row, 3)?,
                policy: col(row, 4)?,
                issued_at: col(row, 5)?,
                valid_for_s: VALID_FOR_S,
            };
            found.insert(col(row, 0)?, Deliverable::Balance(balance));
        }
        Ok(())
    }
}

pub(super) fn limit(at_most: usize) -> i64 {
    i64::try_from(at_most).unwrap_or(i64::MAX)
}

/// What fits into one answer, at least one thing. Everything up to `newest` was looked at, so where nothing remains the
/// cursor goes there.
///
/// Certificates stand first, and all of them: the rest may be signed by a key that only they make known. One whose place
/// is on a later page comes again there.
fn first_page(found: ByChange, limits: NewsLimits, since: u64, newest: u64) -> News {
    let waiting = found.len();
    let is_cert = |item: &Deliverable| matches!(item, Deliverable::KeyCert(_));
    let (mut certs, mut items): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    let ahead = if waiting > limits.objects_max { found.values().filter(|item| is_cert(item)).count() } else { 0 };
    let room = limits.objects_max.saturating_sub(ahead).max(1);
    let (mut cursor, mut bytes, mut placed, mut is_full) = (since, 0_usize, 0_usize, false);
    for (change, item) in found {
        bytes = bytes.saturating_add(item.signed_bytes_max());
        is_full = is_full || placed >= room || (bytes > limits.bytes_max && placed > 0);
        if !is_full {
            placed = placed.saturating_add(1);
            cursor = change;
        }
        if is_cert(&item) && (!is_full || certs.len().saturating_add(items.len()) < limits.objects_max) {
            certs.push(item);
        } else if !is_full {
            items.push(item);
        }
    }
    certs.append(&mut items);
    let more = placed < waiting;
    News { items: certs, cursor: if more { cursor } else { newest }, more }
}

impl Deliverable {
    /// How long its signed form is, at the most.
    #[must_use]
    pub fn signed_bytes_max(&self) -> usize {
        let payload = match self {
            Self::KeyCert(cert) => return cert.as_bytes().len(),
            Self::Binding(binding) => codec::encode(binding),
            Self::HotList(list) => codec::encode(list),
            Self::Policy(policy) => codec::encode(policy),
            Self::Grid(grid) => codec::encode(grid),
            Self::TerminalConfig(config) => codec::encode(config),
            Self::Balance(balance) => codec::encode(balance),
            Self::SlotKey(_) => return SlotKey::MAX_BYTES.saturating_add(ENVELOPE_BYTES_MAX),
            Self::Recall(recall) => codec::encode(recall),
            Self::Refund(decision) => codec::encode(decision),
        };
        payload.len().saturating_add(ENVELOPE_BYTES_MAX)
    }
}
