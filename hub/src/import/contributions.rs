//! A CSV file of contributions: every line checked, nothing taken unless all of it is good.

use std::collections::BTreeMap;

use cabas_protocol::Cents;

use super::fields::{Fields, Wrong};
use super::table::{Kind, Table};
use super::{Input, Problems};
use crate::store::{MONEY_IN_LINES_MAX, MoneyInOrder, MoneyInRefusal, Payer};

/// A line of such a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PaidLine {
    /// Its number, from 1.
    pub line: u64,
    household: String,
    cents: Cents,
    day: u32,
    reference: String,
}

impl PaidLine {
    /// What it says was paid in, as somebody imports it.
    #[must_use]
    pub fn order(&self, by: &str) -> MoneyInOrder {
        MoneyInOrder {
            payer: Payer::Household(self.household.clone()),
            cents: self.cents,
            day: self.day,
            reference: Some(self.reference.clone()),
            by: by.to_owned(),
            again: false,
        }
    }
}

/// Reads a file.
///
/// # Errors
/// [`Problems`]: every line that is not good.
pub fn contributions(input: &Input) -> Result<Vec<PaidLine>, Problems> {
    let mut problems = Problems::default();
    let mut lines = Vec::new();
    match Table::open(&input.bytes) {
        Err(Wrong::UnknownHeader) => problems.push(&input.name, 1, &Wrong::NotContributions),
        Err(wrong) => problems.push(&input.name, 1, &wrong),
        Ok(table) if table.kind() != Kind::Contributions => problems.push(&input.name, 1, &Wrong::NotContributions),
        Ok(table) => {
            let mut first = BTreeMap::<String, u64>::new();
            for line in table {
                let read = line.fields.and_then(|fields| paid(&fields, line.line)).and_then(|paid| {
                    let before = first.insert(paid.reference.clone(), line.line);
                    match before {
                        Some(before) => Err(Wrong::ReferenceTwice(before)),
                        None if lines.len() >= MONEY_IN_LINES_MAX => Err(Wrong::TooManyContributions),
                        None => Ok(paid),
                    }
                });
                match read {
                    Ok(paid) => lines.push(paid),
                    Err(wrong) => problems.push(&input.name, line.line, &wrong),
                }
            }
            if lines.is_empty() && problems.count == 0 {
                problems.push(&input.name, 1, &Wrong::NoRows);
            }
        }
    }
    if problems.count == 0 { Ok(lines) } else { Err(problems) }
}

fn paid(fields: &Fields, line: u64) -> Result<PaidLine, Wrong> {
    Ok(PaidLine {
        line,
        household: fields.code("household")?,
        cents: fields.cents("cents")?,
        day: fields.day("paid_on")?,
        reference: fields.reference("reference")?,
    })
}

/// What the ledger does not take of a file, by its lines; nothing where it takes all of it.
#[must_use]
pub fn refused(input: &Input, lines: &[PaidLine], refused: &[(usize, MoneyInRefusal)]) -> Option<Problems> {
    let mut problems = Problems::default();
    for (place, refusal) in refused {
        let line = lines.get(*place).map_or(0, |line| line.line);
        problems.push(&input.name, line, &Wrong::Refused(*refusal));
    }
    (problems.count > 0).then_some(problems)
}
