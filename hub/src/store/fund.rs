//! The fund itself, its keys, its limits and its grid.

use cabas_protocol::codec;
use cabas_protocol::keys::KeyCert;
use cabas_protocol::objects::NAME_BYTES_MAX;
use cabas_protocol::sign::SignError;
use cabas_protocol::{Incarnation, PolicyId, Signed, TimeEpoch, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::model::{FundInfo, InitFund, KeyView, PolicyLimits, Wake};
use super::sql::{Sql, col};
use super::tx::Tx;
use crate::core::ledger::AccountId;
use crate::core::signing::SigningKey;

impl Tx<'_> {
    /// Makes the fund: its key, its first limits, its first grid, an empty hot list and the accounts that are always
    /// there.
    ///
    /// # Errors
    /// [`StoreError::FundExists`]; [`StoreError::Text`] for a name or label that terminals would refuse;
    /// [`StoreError::BadCert`] for a certificate that the root did not sign.
    pub fn init_fund(&mut self, init: &InitFund, now: Timestamp) -> Result<(), StoreError> {
        if self.conn.query_row("SELECT count(*) FROM fund", [], |row| row.get::<_, i64>(0))? > 0 {
            return Err(StoreError::FundExists);
        }
        name("name", &init.name)?;
        name("helpline", &init.helpline)?;
        self.conn.execute(
            "INSERT INTO fund (id, fund, name, helpline, root_key, incarnation, time_epoch, paused, created_at, change,
                change_for_all) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, 0, 0)",
            params![
                Sql(init.fund),
                init.name,
                init.helpline,
                Sql(init.root),
                Sql(Incarnation::new(1)),
                Sql(TimeEpoch::new(1)),
                Sql(now)
            ],
        )?;
        let chart = [AccountId::BANK, AccountId::INCOMING, AccountId::TRANSIT, AccountId::GOODWILL, AccountId::EXPIRED];
        for account in chart {
            let open = "INSERT INTO accounts (id, debits, credits, newest) VALUES (?1, 0, 0, 0)";
            self.conn.execute(open, [Sql(account)])?;
        }
        self.key_certify(&init.cert)?;
        self.policy_set(init.policy, now)?;
        self.grid_set(None, &init.categories, 0, now)?;
        let change = self.change_for_all()?;
        self.conn.execute(
            "INSERT INTO hot_list (id, version, issued_at, change) VALUES (1, 1, ?1, ?2)",
            params![Sql(now), Sql(change)],
        )?;
        Ok(())
    }

    /// The fund.
    ///
    /// # Errors
    /// [`StoreError::NoFund`].
    pub fn fund(&self) -> Result<FundInfo, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT fund, name, helpline, root_key, incarnation, time_epoch, paused, change, change_for_all, created_at,
                (SELECT ifnull(max(id), 0) FROM policies) FROM fund",
        )?;
        let fund = read.query_row([], |row| {
            Ok(FundInfo {
                fund: col(row, 0)?,
                name: row.get(1)?,
                helpline: row.get(2)?,
                root: col(row, 3)?,
                incarnation: col(row, 4)?,
                time_epoch: col(row, 5)?,
                paused: row.get(6)?,
                change: col(row, 7)?,
                change_for_all: col(row, 8)?,
                created_at: col(row, 9)?,
                policy: col(row, 10)?,
            })
        });
        fund.optional()?.ok_or(StoreError::NoFund)
    }

    /// The certificates of the signing keys, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn key_certs(&self) -> Result<Vec<Signed<KeyCert>>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT cert FROM signing_keys ORDER BY change")?;
        let certs = read.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        certs.map(|cert| Signed::from_bytes(cert?).map_err(|_| StoreError::Damaged("a key's certificate"))).collect()
    }

    /// The signing keys, oldest change first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT change, cert FROM signing_keys ORDER BY change")?;
        let keys = read.query_map([], |row| Ok((col(row, 0)?, row.get::<_, Vec<u8>>(1)?)))?;
        keys.map(|key| {
            let (change, cert) = key?;
            // Its signature was checked when it came in.
            let cert = Signed::<KeyCert>::from_bytes(cert).ok().and_then(|cert| cert.peek().ok());
            let cert = cert.ok_or(StoreError::Damaged("a key's certificate"))?;
            Ok(SigningKey { id: cert.key.id(), change, revoked: cert.revoked })
        })
        .collect()
    }

    /// The signing keys as the admin sees them, and how many enrolments are open.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn key_views(&self) -> Result<(Vec<KeyView>, u64), StoreError> {
        let mut read = self.conn.prepare(
            "SELECT cert, (SELECT count(*) FROM epochs WHERE standing <> 3 AND keys_confirmed >= signing_keys.change)
             FROM signing_keys ORDER BY change",
        )?;
        let views = read.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, col(row, 1)?)))?;
        let views = views.map(|view| {
            let (cert, confirmed_by) = view?;
            let cert = Signed::<KeyCert>::from_bytes(cert).ok().and_then(|cert| cert.peek().ok());
            let KeyCert { key, issued_at, revoked, .. } = cert.ok_or(StoreError::Damaged("a key's certificate"))?;
            Ok(KeyView { id: key.id(), key, issued_at, revoked, confirmed_by })
        });
        let views = views.collect::<Result<_, StoreError>>()?;
        let open = self.conn.query_row("SELECT count(*) FROM epochs WHERE standing <> 3", [], |row| col(row, 0))?;
        Ok((views, open))
    }

    /// Takes a certificate of a signing key, or its revocation. A key once taken back stays so.
    ///
    /// # Errors
    /// [`StoreError::BadCert`] where the root did not sign it.
    pub fn key_certify(&mut self, cert: &Signed<KeyCert>) -> Result<(), StoreError> {
        let fund = self.fund()?;
        let verified = cert.verify(&fund.root, fund.fund)?;
        let known = self
            .conn
            .query_row("SELECT cert FROM signing_keys WHERE key = ?1", [Sql(verified.payload().key)], |row| row.get(0))
            .optional()?;
        if let Some(known) = known {
            let known: Signed<KeyCert> =
                Signed::from_bytes(known).map_err(|_| StoreError::Damaged("a key's certificate"))?;
            if known == *cert || known.verify(&fund.root, fund.fund)?.payload().revoked {
                return Ok(());
            }
        }
        let change = self.change_for_all()?;
        self.conn.execute(
            "INSERT INTO signing_keys (key, cert, change) VALUES (?1, ?2, ?3)
             ON CONFLICT (key) DO UPDATE SET cert = ?2, change = ?3",
            params![Sql(verified.payload().key), cert.as_bytes(), Sql(change)],
        )?;
        Ok(())
    }

    /// Sets the limits under which terminals authorize from here on.
    ///
    /// # Errors
    /// [`StoreError::Exhausted`].
    pub fn policy_set(&mut self, limits: PolicyLimits, now: Timestamp) -> Result<PolicyId, StoreError> {
        let next = self.fund()?.policy.get().checked_add(1).ok_or(StoreError::Exhausted("policy number"))?;
        let change = self.change_for_all()?;
        self.conn.execute(
            "INSERT INTO policies (id, sale_cents_max, plain_sale_cents_max, plain_day_cents_max, plain_list_age_s_max,
                part_payment, created_at, change) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                next,
                Sql(limits.sale_cents_max),
                Sql(limits.plain_sale_cents_max),
                Sql(limits.plain_day_cents_max),
                limits.plain_list_age_s_max,
                limits.part_payment,
                Sql(now),
                Sql(change)
            ],
        )?;
        Ok(PolicyId::new(next))
    }

    /// Pauses all sales, or lets them go on: each terminal hears it by its configuration. Says whether that was new.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn pause(&mut self, paused: bool) -> Result<bool, StoreError> {
        if self.conn.execute("UPDATE fund SET paused = ?1 WHERE paused <> ?1", [paused])? == 0 {
            return Ok(false);
        }
        let open = self
            .conn
            .prepare("SELECT number FROM epochs WHERE standing <> 3 ORDER BY number")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<Vec<u32>, _>>()?;
        for epoch in open {
            let change = self.next_change()?;
            self.conn
                .prepare_cached(
                    "UPDATE epochs SET config_version = config_version + 1, config_change = ?2, change = ?2
                     WHERE number = ?1",
                )?
                .execute(params![epoch, Sql(change)])?;
        }
        self.wake(Wake::All);
        Ok(true)
    }

    /// The next value of the change counter, for what one terminal takes.
    pub(super) fn next_change(&self) -> Result<u64, StoreError> {
        let mut next = self.conn.prepare_cached("UPDATE fund SET change = change + 1 RETURNING change")?;
        next.query_row([], |row| col(row, 0)).optional()?.ok_or(StoreError::NoFund)
    }

    /// The next value of the change counter, for what every terminal takes; all of them are woken.
    pub(super) fn change_for_all(&mut self) -> Result<u64, StoreError> {
        self.wake(Wake::All);
        self.next_change_for_all()
    }

    /// The same where the caller wakes them.
    pub(super) fn next_change_for_all(&self) -> Result<u64, StoreError> {
        let mut next = self
            .conn
            .prepare_cached("UPDATE fund SET change = change + 1, change_for_all = change + 1 RETURNING change")?;
        next.query_row([], |row| col(row, 0)).optional()?.ok_or(StoreError::NoFund)
    }
}

/// Checks a text that goes to terminals.
pub(super) fn name(field: &'static str, text: &str) -> Result<(), StoreError> {
    if text.trim().is_empty() {
        return Err(StoreError::Text(field));
    }
    codec::text(field, text, NAME_BYTES_MAX).map_err(|_| StoreError::Text(field))
}

impl From<SignError> for StoreError {
    fn from(error: SignError) -> Self {
        Self::BadCert(error)
    }
}
