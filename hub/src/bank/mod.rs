//! What banks and accountants take and give: payment files out (pain.001), statements in (camt.053), the accounting
//! export (FEC). Values in, values out: no clock, no file, no SQL.

mod camt053;
mod fec;
mod pain001;

pub use camt053::{Entry, Part, STATEMENT_BYTES_MAX, Statement, StatementError, Statements, read};
pub use fec::{CONTRIBUTIONS_ACCOUNT, Ecriture, FecAccount, FecWriter, account_of};
pub use pain001::{Head, Payment, pain001};

/// The day that a text says, in days since 1970-01-01.
#[must_use]
pub fn day_of(text: &str) -> Option<u32> {
    sepa::IsoDate::parse(text).ok().and_then(|date| u32::try_from(date.epoch_days()).ok())
}

/// An IBAN by which people know an account again, and nobody can pay to it: `FR14…2606`.
#[must_use]
pub fn masked(iban: &str) -> String {
    let chars: Vec<char> = iban.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect();
    let (first, last) = (chars.iter().take(4), chars.iter().skip(chars.len().saturating_sub(4).max(4)));
    first.chain(std::iter::once(&'…')).chain(last).collect()
}

/// A day as people and banks write it: `2026-11-30`; nothing where it is none.
#[must_use]
pub fn day(days: u32) -> String {
    sepa::IsoDate::from_epoch_days(i64::from(days)).map_or_else(|_| String::new(), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn an_iban_is_masked_but_for_its_ends() {
        for (iban, shown) in [
            ("FR1420041010050500013M02606", "FR14…2606"),
            ("fr14 2004 1010 0505 0001 3m02 606", "FR14…2606"),
            ("FR14", "FR14…"),
            ("FR142", "FR14…2"),
            ("", "…"),
        ] {
            assert_eq!(masked(iban), shown);
        }
    }
}
