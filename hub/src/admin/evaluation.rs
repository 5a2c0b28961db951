//! The evaluation's table as pages, commands and programs are given it. No person, no household, nothing of few.

use std::io::Write;

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::evaluation::{Line, SizeClass, Told};
use crate::store::StoreError;

/// What stands in place of all kinds or all sizes.
pub const ALL: &str = "(all)";

/// A line of the table.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct LineShown {
    /// The month, such as `2026-11`.
    pub month: String,
    /// The kind of shop; `(all)` for all of them.
    pub shop_kind: String,
    /// The number of people of the households, `5+` for five or more; `(all)` for all of them.
    pub household_size: &'static str,
    /// How many households bought something; nothing where it is hidden.
    pub households: Option<u64>,
    /// How many purchases.
    pub purchases: Option<u64>,
    /// What the fund paid of them.
    pub cents: Option<u64>,
    /// `yes` or `no`.
    pub hidden: &'static str,
}

impl From<&Line> for LineShown {
    fn from(line: &Line) -> Self {
        let told = |of: fn(&Told) -> u64| line.told.as_ref().map(of);
        Self {
            month: line.period.to_string(),
            shop_kind: line.kind.as_deref().unwrap_or(ALL).to_owned(),
            household_size: line.class.map_or(ALL, SizeClass::name),
            households: told(|told| told.households),
            purchases: told(|told| told.purchases),
            cents: told(|told| told.cents.get()),
            hidden: if line.told.is_none() { "yes" } else { "no" },
        }
    }
}

/// Writes the table as CSV, with semicolons.
///
/// # Errors
/// [`StoreError::Io`].
pub fn write(lines: &[Line], out: impl Write) -> Result<(), StoreError> {
    let mut csv = csv::WriterBuilder::new().delimiter(b';').from_writer(out);
    for line in lines {
        csv.serialize(LineShown::from(line)).map_err(|error| StoreError::Io(error.into()))?;
    }
    csv.flush().map_err(StoreError::Io)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn a_hidden_line_says_that_it_is_and_nothing_else() {
        let period = "2026-11".parse().unwrap();
        let told = Told { households: 5, purchases: 9, cents: cabas_protocol::Cents::new(1_250).unwrap() };
        let lines = [
            Line { period, kind: Some("market; \"old\"".to_owned()), class: Some(SizeClass::FiveOrMore), told: None },
            Line { period, kind: None, class: None, told: Some(told) },
        ];
        let mut out = Vec::new();
        write(&lines, &mut out).unwrap();
        let expected = "month;shop_kind;household_size;households;purchases;cents;hidden\n\
                        2026-11;\"market; \"\"old\"\"\";5+;;;;yes\n2026-11;(all);(all);5;9;1250;no\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
