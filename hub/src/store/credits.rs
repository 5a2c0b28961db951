//! The monthly credit: booked once per household, period and source, whatever happens.

use cabas_protocol::Timestamp;

use super::error::StoreError;
use super::model::{CreditPlan, CreditReport};
use super::tx::Tx;
use crate::core::period::Period;

/// Households that are credited in one step, at the most.
pub const STEP_HOUSEHOLDS_MAX: u32 = 1_000;

impl Tx<'_> {
    /// What [`Tx::credit_book`] would do.
    ///
    /// # Errors
    /// [`StoreError::Rule`], [`StoreError::Sqlite`].
    pub fn credit_preview(&self, period: Period, source: &str) -> Result<CreditPlan, StoreError> {
        unimplemented!("{period} {source}")
    }

    /// Books one step of the run and raises the slices by it; call it until [`CreditReport::more`] is false. Each step
    /// stands for itself: after a crash the same call goes on with the households that are missing.
    ///
    /// # Errors
    /// [`StoreError::Rule`], [`StoreError::Text`] for a source without a name.
    pub fn credit_book(&mut self, period: Period, source: &str, now: Timestamp) -> Result<CreditReport, StoreError> {
        unimplemented!("{period} {source} {now}")
    }
}
