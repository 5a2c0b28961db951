//! Users of the web site: who they are, and what proves it. Nothing here sees a password, a code or a token.

use cabas_protocol::{Hash, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use super::closing::same_person;
use super::error::StoreError;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::audit::COMMAND_LINE;
use crate::core::roles::Role;

/// A user's name, in bytes.
pub const USER_NAME_BYTES_MAX: usize = 64;
/// Users, those who were shut out included.
pub const USERS_MAX: u32 = 1_000;
/// Wrong passwords or codes after which an account rests.
pub const FAILURES_MAX: u32 = 5;
/// How long it rests.
pub const LOCK_S: u64 = 15 * 60;
/// How long a password that somebody else gave holds.
pub const GIVEN_PASSWORD_S: u64 = 72 * 3_600;
/// Recovery codes that are given with a second factor.
pub const RECOVERY_CODES: usize = 10;

/// Why a change of users is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UserRefusal {
    /// There is no such user.
    #[error("there is no user of this name; see cabas-hub user list")]
    Unknown,
    /// The name is in use.
    #[error("a user of this name is there already; choose another name")]
    Taken,
    /// A shop's user without a shop, or another one with a shop.
    #[error("the role shop needs a shop, and no other role takes one")]
    ShopAndRole,
    /// Somebody shuts out or recovers themselves, or who says so is no admin.
    #[error("another admin than the user must do this, one who is not disabled")]
    NotAnotherAdmin,
    /// Nobody could let anybody in again.
    #[error("this is the only admin left; add another one first")]
    LastAdmin,
    /// The user was shut out.
    #[error("this user is disabled; recover the account first")]
    Disabled,
    /// One admin alone gave this login, and nobody else has confirmed it yet.
    #[error(
        "one admin alone gave this login; another admin confirms it on the page Users, or cabas-hub user confirm NAME does"
    )]
    Waits,
    /// Who gave a login does not confirm it.
    #[error("who gave this login does not confirm it; another admin must, or cabas-hub user confirm")]
    GaveIt,
    /// The password that was given still opens it: nobody can say who holds it.
    #[error("nobody holds this login yet; confirm it when its person has logged in and chosen a password")]
    NotHeld,
    /// It waits for nobody.
    #[error("this login waits for no confirmation")]
    NotWaiting,
    /// There are too many.
    #[error("there are {USERS_MAX} users, and no more are kept")]
    TooMany,
    /// There is no such token.
    #[error("there is no token of this name in force; see cabas-hub token list")]
    UnknownToken,
    /// A token of that name is there.
    #[error("a token of this name is there already; choose another name")]
    TokenTaken,
}

/// A user who is to be added.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The shop's code, for the role shop.
    pub shop: Option<String>,
    /// The hash of a password that the user must change.
    pub password: String,
    /// The login that gives it on the site; none on the server.
    pub given_by: Option<String>,
}

/// Who gives somebody a new password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Giver<'g> {
    /// An admin, on the site.
    Login(&'g str),
    /// The server's operator, who names an admin.
    Server(&'g str),
}

/// A user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserView {
    /// The number.
    pub number: u32,
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The shop's code, for the role shop.
    pub shop: Option<String>,
    /// The hash of the password (PHC string).
    pub password: String,
    /// Until when the password holds that somebody else gave; none where its owner chose it.
    pub given_until: Option<Timestamp>,
    /// The secret of the second factor, sealed; none before it was set up.
    pub totp: Option<Vec<u8>>,
    /// The newest step of it that was used.
    pub totp_step: u64,
    /// Wrong tries since the last right one.
    pub failures: u32,
    /// Until when nobody is let in by this name.
    pub locked_until: Timestamp,
    /// When the user was shut out.
    pub disabled_at: Option<Timestamp>,
    /// Recovery codes that were not used.
    pub recovery_left: u32,
    /// The login that gave the last password on the site; none where it was given on the server.
    pub given_by: Option<String>,
    /// When it gave it.
    pub given_at: Option<Timestamp>,
    /// The login that confirmed it; none where that was done on the server, or not at all.
    pub vouched_by: Option<String>,
    /// When it was confirmed.
    pub vouched_at: Option<Timestamp>,
}

const COLUMNS: &str = "users.number, users.name, users.role, shops.code, users.password, users.given_until, users.totp,
    users.totp_step, users.failures, users.locked_until, users.disabled_at,
    (SELECT count(*) FROM recovery_codes WHERE user = users.number AND used_at IS NULL),
    users.given_by, users.given_at, users.vouched_by, users.vouched_at
    FROM users LEFT JOIN shops ON shops.number = users.shop";

impl Tx<'_> {
    /// Every user, by name.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn users(&self) -> Result<Vec<UserView>, StoreError> {
        let mut read = self.conn.prepare(&format!("SELECT {COLUMNS} ORDER BY users.name"))?;
        Ok(read.query_map([], view)?.collect::<Result<_, _>>()?)
    }

    /// The user of a name.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn user(&self, name: &str) -> Result<Option<UserView>, StoreError> {
        let mut read = self.conn.prepare_cached(&format!("SELECT {COLUMNS} WHERE users.name = ?1"))?;
        Ok(read.query_row([name], view).optional()?)
    }

    /// The user of a number.
    ///
    /// # Errors
    /// [`UserRefusal::Unknown`].
    pub fn user_of(&self, number: u32) -> Result<UserView, StoreError> {
        let mut read = self.conn.prepare_cached(&format!("SELECT {COLUMNS} WHERE users.number = ?1"))?;
        read.query_row([number], view).optional()?.ok_or_else(|| UserRefusal::Unknown.into())
    }

    /// Adds a user, whose password ends after [`GIVEN_PASSWORD_S`] unless it is changed. Given on the site, the login waits
    /// until somebody else has confirmed it.
    ///
    /// # Errors
    /// [`UserRefusal`], [`StoreError::Text`], [`StoreError::UnknownShop`].
    pub fn user_add(&mut self, new: &NewUser, now: Timestamp) -> Result<UserView, StoreError> {
        check_name(&new.name)?;
        if self.user(&new.name)?.is_some() {
            return Err(UserRefusal::Taken.into());
        }
        let number: u32 = self.conn.query_row("SELECT ifnull(max(number), 0) + 1 FROM users", [], |row| row.get(0))?;
        if number > USERS_MAX {
            return Err(UserRefusal::TooMany.into());
        }
        let shop = self.shop_of_role(new.role, new.shop.as_deref())?;
        if let Some(by) = &new.given_by {
            self.check_admin(by)?;
        }
        self.conn.execute(
            "INSERT INTO users (number, name, role, shop, password, given_until, totp_step, failures, locked_until,
                created_at, given_by, given_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0, ?7, ?8, ?9)",
            params![
                number,
                new.name,
                new.role.number(),
                shop,
                new.password,
                Sql(now.after_s(GIVEN_PASSWORD_S)),
                Sql(now),
                new.given_by,
                new.given_by.as_ref().map(|_| Sql(now))
            ],
        )?;
        self.user_of(number)
    }

    pub(super) fn shop_of_role(&self, role: Role, code: Option<&str>) -> Result<Option<u32>, StoreError> {
        match (role, code) {
            (Role::Shop, Some(code)) => {
                let mut read = self.conn.prepare_cached("SELECT number FROM shops WHERE code = ?1")?;
                let number = read.query_row([code], |row| row.get(0)).optional()?;
                number.map(Some).ok_or(StoreError::UnknownShop)
            }
            (Role::Admin | Role::Treasurer | Role::Evaluator, None) => Ok(None),
            (Role::Shop, None) | (Role::Admin | Role::Treasurer | Role::Evaluator, Some(_)) => {
                Err(UserRefusal::ShopAndRole.into())
            }
        }
    }

    /// Shuts a user out, at once. An admin stays who can give and confirm logins.
    ///
    /// # Errors
    /// [`UserRefusal::LastAdmin`].
    pub fn user_disable(&mut self, number: u32, now: Timestamp) -> Result<(), StoreError> {
        let user = self.user_of(number)?;
        let others = "SELECT count(*) FROM users WHERE role = ?1 AND disabled_at IS NULL AND number <> ?2
            AND (given_by IS NULL OR vouched_at IS NOT NULL)";
        let others: u32 = self.conn.query_row(others, params![Role::Admin.number(), number], |row| row.get(0))?;
        if user.role == Role::Admin && others == 0 {
            return Err(UserRefusal::LastAdmin.into());
        }
        let disable = "UPDATE users SET disabled_at = ifnull(disabled_at, ?2) WHERE number = ?1";
        self.conn.execute(disable, params![number, Sql(now)])?;
        self.sessions_end(number)
    }

    /// Gives a user a new password, to be changed; second factor and recovery codes are to be set up again. Given on the
    /// site, the login waits until somebody else has confirmed it.
    ///
    /// # Errors
    /// As [`Self::check_other_admin`].
    pub fn user_recover(
        &mut self,
        number: u32,
        by: Giver<'_>,
        password: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (name, given_by) = match by {
            Giver::Login(name) => (name, Some(name)),
            Giver::Server(name) => (name, None),
        };
        self.check_other_admin(number, name)?;
        self.conn.execute(
            "UPDATE users SET password = ?2, given_until = ?3, totp = NULL, failures = 0, locked_until = 0,
                disabled_at = NULL, given_by = ?4, given_at = ?5, vouched_by = NULL, vouched_at = NULL WHERE number = ?1",
            params![
                number,
                password,
                Sql(now.after_s(GIVEN_PASSWORD_S)),
                given_by,
                given_by.map(|_| Sql(now))
            ],
        )?;
        self.conn.execute("DELETE FROM recovery_codes WHERE user = ?1", [number])?;
        self.sessions_end(number)
    }

    /// Fails unless `by` is an admin, not shut out, not waiting for a confirmation, and not that user.
    ///
    /// # Errors
    /// [`UserRefusal::NotAnotherAdmin`], [`UserRefusal::Waits`].
    pub fn check_other_admin(&self, number: u32, by: &str) -> Result<(), StoreError> {
        let user = self.user_of(number)?;
        if self.check_admin(by)? == user.number { Err(UserRefusal::NotAnotherAdmin.into()) } else { Ok(()) }
    }

    /// The user chose a password; every session of theirs ends. A login that waits for a confirmation waits on.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn user_password(&mut self, number: u32, password: &str) -> Result<(), StoreError> {
        let set = "UPDATE users SET password = ?2, given_until = NULL WHERE number = ?1";
        self.conn.execute(set, params![number, password])?;
        self.sessions_end(number)
    }

    /// The user has shown a code of a new second factor: it holds from here on, with new recovery codes.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn user_totp(&mut self, number: u32, sealed: &[u8], step: u64, codes: &[Hash]) -> Result<(), StoreError> {
        let set = "UPDATE users SET totp = ?2, totp_step = ?3 WHERE number = ?1";
        self.conn.execute(set, params![number, sealed, Sql(step)])?;
        self.conn.execute("DELETE FROM recovery_codes WHERE user = ?1", [number])?;
        for code in codes {
            self.conn
                .execute("INSERT INTO recovery_codes (user, hash) VALUES (?1, ?2)", params![number, Sql(*code)])?;
        }
        Ok(())
    }

    /// Uses a step of the second factor; false where it or a later one was used before.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn totp_use(&mut self, number: u32, step: u64) -> Result<bool, StoreError> {
        let set = "UPDATE users SET totp_step = ?2 WHERE number = ?1 AND totp_step < ?2";
        Ok(self.conn.execute(set, params![number, Sql(step)])? == 1)
    }

    /// Uses a recovery code; false where there is none such, or it was used before.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn recovery_use(&mut self, number: u32, code: Hash, now: Timestamp) -> Result<bool, StoreError> {
        let set = "UPDATE recovery_codes SET used_at = ?3 WHERE user = ?1 AND hash = ?2 AND used_at IS NULL";
        Ok(self.conn.execute(set, params![number, Sql(code), Sql(now)])? == 1)
    }

    /// Counts a wrong password or code; true where the account rests from here on.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn user_failed(&mut self, number: u32, now: Timestamp) -> Result<bool, StoreError> {
        let failures = self.user_of(number)?.failures.saturating_add(1);
        let locks = failures >= FAILURES_MAX;
        let (kept, until) = if locks { (0, now.after_s(LOCK_S)) } else { (failures, Timestamp::new(0)) };
        let set = "UPDATE users SET failures = ?2, locked_until = ?3 WHERE number = ?1";
        self.conn.execute(set, params![number, kept, Sql(until)])?;
        Ok(locks)
    }

    /// Forgets the wrong tries.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn user_succeeded(&mut self, number: u32) -> Result<(), StoreError> {
        self.conn.execute("UPDATE users SET failures = 0, locked_until = 0 WHERE number = ?1", [number])?;
        Ok(())
    }
}

pub(super) fn check_name(name: &str) -> Result<(), StoreError> {
    // Nobody can be taken for the server's operator in the audit log.
    let fits = !same_person(name, COMMAND_LINE)
        && !name.is_empty()
        && name.len() <= USER_NAME_BYTES_MAX
        && name.trim() == name;
    if fits && !name.chars().any(char::is_control) { Ok(()) } else { Err(StoreError::Text("name")) }
}

fn view(row: &Row<'_>) -> rusqlite::Result<UserView> {
    Ok(UserView {
        number: row.get(0)?,
        name: row.get(1)?,
        role: role(row, 2)?,
        shop: row.get(3)?,
        password: row.get(4)?,
        given_until: col_opt(row, 5)?,
        totp: row.get(6)?,
        totp_step: col(row, 7)?,
        failures: row.get(8)?,
        locked_until: col(row, 9)?,
        disabled_at: col_opt(row, 10)?,
        recovery_left: row.get(11)?,
        given_by: row.get(12)?,
        given_at: col_opt(row, 13)?,
        vouched_by: row.get(14)?,
        vouched_at: col_opt(row, 15)?,
    })
}

pub(super) fn role(row: &Row<'_>, index: usize) -> rusqlite::Result<Role> {
    let number: u8 = row.get(index)?;
    Role::of_number(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(index, i64::from(number)))
}
