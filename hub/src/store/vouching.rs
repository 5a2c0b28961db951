//! Two logins are two people. One admin who alone gave a login knows its first password and could use it beside their own;
//! so such a login waits, and takes no part in what two people decide, until somebody else has confirmed who holds it.

use cabas_protocol::Timestamp;
use rusqlite::params;

use super::closing::same_person;
use super::error::StoreError;
use super::sql::Sql;
use super::tx::Tx;
use super::users::{UserRefusal, UserView};
use crate::core::roles::Role;

impl UserView {
    /// True until somebody else than the admin who gave this login has confirmed it.
    #[must_use]
    pub const fn waits(&self) -> bool {
        self.given_by.is_some() && self.vouched_at.is_none()
    }

    /// True once its person has set up a second factor and chosen a password: what was given opens nothing any more.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.totp.is_some() && self.given_until.is_none()
    }

    /// True where this name gave the login.
    #[must_use]
    pub fn was_given_by(&self, name: &str) -> bool {
        self.given_by.as_deref().is_some_and(|by| same_person(by, name))
    }
}

impl Tx<'_> {
    /// Fails where the login waits for a confirmation. Whoever takes part in what two people decide passes here.
    ///
    /// # Errors
    /// [`UserRefusal::Waits`]; [`UserRefusal::Unknown`] for a name without a login.
    pub fn check_vouched(&self, name: &str) -> Result<(), StoreError> {
        let user = self.user(name)?.ok_or(UserRefusal::Unknown)?;
        if user.waits() { Err(UserRefusal::Waits.into()) } else { Ok(()) }
    }

    /// Fails where who asked for a work was shut out since, or waits for a confirmation: it is not done in their name.
    ///
    /// # Errors
    /// [`UserRefusal`] says which.
    pub fn check_still_works(&self, name: &str) -> Result<(), StoreError> {
        self.check_vouched(name)?;
        let is_out = self.user(name)?.is_none_or(|user| user.disabled_at.is_some());
        if is_out { Err(UserRefusal::Disabled.into()) } else { Ok(()) }
    }

    /// The number of an admin who is not shut out and does not wait for a confirmation.
    ///
    /// # Errors
    /// [`UserRefusal::NotAnotherAdmin`], [`UserRefusal::Waits`].
    pub(super) fn check_admin(&self, name: &str) -> Result<u32, StoreError> {
        match self.user(name)? {
            Some(by) if by.waits() => Err(UserRefusal::Waits.into()),
            Some(by) if by.role == Role::Admin && by.disabled_at.is_none() => Ok(by.number),
            Some(_) | None => Err(UserRefusal::NotAnotherAdmin.into()),
        }
    }

    /// Confirms that a login is held by its person: by another admin than the one who gave it, or on the server.
    ///
    /// # Errors
    /// [`UserRefusal`]: it does not wait, nobody holds it yet, or who says so may not.
    pub fn user_confirm(&mut self, number: u32, by: Option<&str>, now: Timestamp) -> Result<UserView, StoreError> {
        let user = self.user_of(number)?;
        if let Some(by) = by {
            self.check_other_admin(number, by)?;
        }
        if !user.waits() {
            return Err(UserRefusal::NotWaiting.into());
        }
        if by.is_some_and(|by| user.was_given_by(by)) {
            return Err(UserRefusal::GaveIt.into());
        }
        if user.disabled_at.is_some() {
            return Err(UserRefusal::Disabled.into());
        }
        if !user.is_held() {
            return Err(UserRefusal::NotHeld.into());
        }
        let confirm = "UPDATE users SET vouched_by = ?2, vouched_at = ?3 WHERE number = ?1";
        self.conn.execute(confirm, params![number, by, Sql(now)])?;
        self.user_of(number)
    }

    /// When logins were given that wait for a confirmation, those that were shut out left aside.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn logins_waiting(&self) -> Result<Vec<Timestamp>, StoreError> {
        let users = self.users()?.into_iter().filter(|user| user.waits() && user.disabled_at.is_none());
        Ok(users.filter_map(|user| user.given_at).collect())
    }
}
