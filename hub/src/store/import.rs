//! Households, cards and shops from an admin's files.

use cabas_protocol::{PurseRef, Timestamp};

use super::error::StoreError;
use super::model::{ImportPlan, ImportReport};
use super::tx::Tx;

impl Tx<'_> {
    /// Takes over what the files say: all of it, or nothing where there is a conflict. What is already so is not
    /// touched, so the same files change nothing the second time; what the files leave out stays. Each new household
    /// gets a purse, whose reference comes from `random`. With `dry_run` it only says what it would do.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Text`].
    pub fn import(
        &mut self,
        plan: &ImportPlan,
        random: &mut dyn FnMut() -> PurseRef,
        dry_run: bool,
        now: Timestamp,
    ) -> Result<ImportReport, StoreError> {
        unimplemented!("{plan:?} {} {dry_run} {now}", random())
    }
}
