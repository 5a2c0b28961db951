//! Sessions of browsers, and tokens of programs. Only hashes of what they hold are kept.

use cabas_protocol::{Hash, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use super::users::{UserRefusal, UserView, check_name, role};
use crate::core::roles::Role;

/// A session ends so long after it was last used.
pub const SESSION_IDLE_S: u64 = 30 * 60;
/// And so long after it began, used or not.
pub const SESSION_WHOLE_S: u64 = 12 * 3_600;
/// A session whose second factor is still to be shown ends so long after it began.
pub const SESSION_UNPROVEN_S: u64 = 10 * 60;
/// Sessions of one user; the oldest goes where there would be more.
pub const SESSIONS_PER_USER_MAX: u32 = 8;
/// Tokens, those that were taken back included.
pub const TOKENS_MAX: u32 = 1_000;
/// A session's last use is written so often, in seconds.
const SEEN_EVERY_S: u64 = 60;

/// A session that holds.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// Whose it is.
    pub user: UserView,
    /// True once the second factor was shown.
    pub proven: bool,
    /// A second factor that is being set up, sealed.
    pub pending_totp: Option<Vec<u8>>,
}

/// A program's token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenView {
    /// What it is called.
    pub name: String,
    /// What it may see.
    pub role: Role,
    /// The shop's code, for the role shop.
    pub shop: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

impl Tx<'_> {
    /// Begins a session.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn session_begin(&mut self, user: u32, token: Hash, proven: bool, now: Timestamp) -> Result<(), StoreError> {
        let over = "DELETE FROM sessions WHERE (user = ?1 AND token NOT IN
                (SELECT token FROM sessions WHERE user = ?1 ORDER BY created_at DESC, token LIMIT ?2)) OR created_at < ?3";
        let oldest = Timestamp::new(now.get().saturating_sub(SESSION_WHOLE_S));
        self.conn.execute(over, params![user, SESSIONS_PER_USER_MAX.saturating_sub(1), Sql(oldest)])?;
        self.conn.execute(
            "INSERT INTO sessions (token, user, proven, created_at, seen_at) VALUES (?1, ?2, ?3, ?4, ?4)",
            params![Sql(token), user, proven, Sql(now)],
        )?;
        Ok(())
    }

    /// The session of a token, where it holds and its user is not shut out; it is used by this.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn session(&mut self, token: Hash, now: Timestamp) -> Result<Option<SessionView>, StoreError> {
        let mut read = self
            .conn
            .prepare_cached("SELECT user, proven, pending_totp, created_at, seen_at FROM sessions WHERE token = ?1")?;
        let found = read
            .query_row([Sql(token)], |row| {
                let (user, proven, pending): (u32, bool, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let (created_at, seen_at): (Timestamp, Timestamp) = (col(row, 3)?, col(row, 4)?);
                Ok((user, proven, pending, created_at, seen_at))
            })
            .optional()?;
        let Some((user, proven, pending_totp, created_at, seen_at)) = found else { return Ok(None) };
        let user = self.user_of(user)?;
        let whole = if proven { SESSION_WHOLE_S } else { SESSION_UNPROVEN_S };
        if now.since_s(created_at) >= whole || now.since_s(seen_at) >= SESSION_IDLE_S || user.disabled_at.is_some() {
            self.session_end(token)?;
            return Ok(None);
        }
        if now.since_s(seen_at) >= SEEN_EVERY_S {
            let seen = "UPDATE sessions SET seen_at = ?2 WHERE token = ?1";
            self.conn.execute(seen, params![Sql(token), Sql(now)])?;
        }
        Ok(Some(SessionView { user, proven, pending_totp }))
    }

    /// Keeps a second factor that is being set up.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn session_pending(&mut self, token: Hash, sealed: &[u8]) -> Result<(), StoreError> {
        let keep = "UPDATE sessions SET pending_totp = ?2 WHERE token = ?1";
        self.conn.execute(keep, params![Sql(token), sealed])?;
        Ok(())
    }

    /// Ends one session.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn session_end(&mut self, token: Hash) -> Result<(), StoreError> {
        self.conn.execute("DELETE FROM sessions WHERE token = ?1", [Sql(token)])?;
        Ok(())
    }

    pub(super) fn sessions_end(&self, user: u32) -> Result<(), StoreError> {
        self.conn.execute("DELETE FROM sessions WHERE user = ?1", [user])?;
        Ok(())
    }

    /// Gives a program a token.
    ///
    /// # Errors
    /// [`UserRefusal`], [`StoreError::Text`], [`StoreError::UnknownShop`].
    pub fn token_add(
        &mut self,
        name: &str,
        role: Role,
        shop: Option<&str>,
        token: Hash,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        check_name(name)?;
        let taken: bool =
            self.conn.query_row("SELECT count(*) > 0 FROM api_tokens WHERE name = ?1", [name], |row| row.get(0))?;
        let number: u32 =
            self.conn.query_row("SELECT ifnull(max(number), 0) + 1 FROM api_tokens", [], |row| row.get(0))?;
        if taken {
            return Err(UserRefusal::TokenTaken.into());
        }
        if number > TOKENS_MAX {
            return Err(UserRefusal::TooMany.into());
        }
        let shop = self.shop_of_role(role, shop)?;
        self.conn.execute(
            "INSERT INTO api_tokens (number, name, role, shop, token, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![number, name, role.number(), shop, Sql(token), Sql(now)],
        )?;
        Ok(())
    }

    /// Takes a program's token back.
    ///
    /// # Errors
    /// [`UserRefusal::UnknownToken`].
    pub fn token_revoke(&mut self, name: &str, now: Timestamp) -> Result<(), StoreError> {
        let revoke = "UPDATE api_tokens SET revoked_at = ?2 WHERE name = ?1 AND revoked_at IS NULL";
        let revoked = self.conn.execute(revoke, params![name, Sql(now)])?;
        if revoked == 0 { Err(UserRefusal::UnknownToken.into()) } else { Ok(()) }
    }

    /// The token of a hash, where it holds.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn token(&self, token: Hash) -> Result<Option<TokenView>, StoreError> {
        Ok(self.read_tokens("WHERE token = ?1 AND revoked_at IS NULL", &[&Sql(token)])?.pop())
    }

    /// Every token, by name.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn tokens(&self) -> Result<Vec<TokenView>, StoreError> {
        self.read_tokens("ORDER BY api_tokens.name", &[])
    }

    fn read_tokens(&self, which: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<TokenView>, StoreError> {
        let mut read = self.conn.prepare_cached(&format!(
            "SELECT api_tokens.name, role, shops.code, api_tokens.created_at, revoked_at FROM api_tokens
                LEFT JOIN shops ON shops.number = api_tokens.shop {which}"
        ))?;
        let tokens = read.query_map(values, |row| {
            Ok(TokenView {
                name: row.get(0)?,
                role: role(row, 1)?,
                shop: row.get(2)?,
                created_at: col(row, 3)?,
                revoked_at: col_opt(row, 4)?,
            })
        })?;
        Ok(tokens.collect::<Result<_, _>>()?)
    }
}
