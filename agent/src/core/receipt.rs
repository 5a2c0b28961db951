//! What a receipt says: plain values, already in the member's language, with sums that add up.
//!
//! A receipt never names the member, the card or the balance, and is no invoice: the shop's till makes that.

use cabas_protocol::{Cents, MoneyError, Stan, TerminalId};

/// The language of amounts and dates on paper. The words come with [`ReceiptTexts`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Language {
    /// `12,50 €`
    #[default]
    French,
    /// `€12.50`
    English,
}

/// A local date and time, to the minute. The caller knows the time zone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReceiptTime {
    /// Four digits.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

/// One category of goods on a receipt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReceiptLine {
    /// The category's name.
    pub label: String,
    /// What the goods cost.
    pub requested: Cents,
    /// What the fund pays of it.
    pub fund: Cents,
    /// What the member pays of it by other means.
    pub member: Cents,
}

/// The words of a receipt, already in its language. Each field is a message of `agent/locales`, named in its comment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ReceiptTexts {
    /// What was done: `receipt-title-sale`, `receipt-title-reversal` or `receipt-title-refund`.
    pub title: String,
    /// `receipt-not-an-invoice`: "reçu de paiement – ne vaut pas facture ni ticket de caisse".
    pub not_an_invoice: String,
    /// `receipt-terminal`.
    pub terminal: String,
    /// `receipt-number`: the word before the STAN.
    pub number: String,
    /// `receipt-till`: the word before the till's own reference.
    pub till: String,
    /// `receipt-total`.
    pub total: String,
    /// `receipt-fund-part`.
    pub fund_part: String,
    /// `receipt-member-part`.
    pub member_part: String,
    /// `receipt-duplicate`: the word before the number of the copy, "DUPLICATA".
    pub duplicate: String,
    /// `receipt-training`: "FORMATION – SANS VALEUR".
    pub training: String,
    /// `receipt-not-proven`: "accepté, carte non prouvée".
    pub not_proven: String,
    /// `receipt-helpline`: the words before the number to call.
    pub helpline: String,
}

/// Everything that goes into a receipt. [`Receipt::new`] checks the sums.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReceiptParts {
    /// The shop's name.
    pub shop: String,
    /// The fund's name.
    pub fund: String,
    /// Whom to call.
    pub helpline: Option<String>,
    /// When.
    pub at: ReceiptTime,
    /// Where.
    pub terminal: TerminalId,
    /// The number for people.
    pub stan: Stan,
    /// The till's own reference.
    pub till_ref: Option<String>,
    /// The amounts by category.
    pub lines: Vec<ReceiptLine>,
    /// Which copy this is: nothing for the first print, 1 for the first DUPLICATA.
    pub duplicate: Option<u32>,
    /// True for a sale that was only played.
    pub training: bool,
    /// True where the receipt is to say that the card did not prove the sale (tier T3).
    pub show_not_proven: bool,
    /// How amounts and dates are written.
    pub language: Language,
    /// The words.
    pub texts: ReceiptTexts,
}

/// Why a receipt cannot be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReceiptError {
    /// A sum is too large.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// A line where the parts do not add up to what the goods cost.
    #[error("line {0} of the receipt: the fund's and the member's part do not add up to the amount")]
    Parts(usize),
}

/// Notes on one receipt.
pub const NOTES_MAX: usize = 4;

/// A receipt whose sums are right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Receipt {
    parts: ReceiptParts,
    notes: Vec<String>,
    requested: Cents,
    fund: Cents,
    member: Cents,
}

impl Receipt {
    /// Makes a receipt.
    ///
    /// # Errors
    /// [`ReceiptError`] where the amounts do not add up.
    pub fn new(parts: ReceiptParts) -> Result<Self, ReceiptError> {
        for (index, line) in parts.lines.iter().enumerate() {
            if line.fund.plus(line.member)? != line.requested {
                return Err(ReceiptError::Parts(index));
            }
        }
        let requested = Cents::sum(parts.lines.iter().map(|line| line.requested))?;
        let fund = Cents::sum(parts.lines.iter().map(|line| line.fund))?;
        let member = Cents::sum(parts.lines.iter().map(|line| line.member))?;
        Ok(Self { parts, notes: Vec::new(), requested, fund, member })
    }

    /// The same receipt with sentences below the amounts: what it undoes, and when the money is there. Those over
    /// [`NOTES_MAX`] are left out.
    #[must_use]
    pub fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.notes = notes;
        self.notes.truncate(NOTES_MAX);
        self
    }

    /// The sentences below the amounts.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What it is made of.
    #[must_use]
    pub const fn parts(&self) -> &ReceiptParts {
        &self.parts
    }

    /// What all goods cost.
    #[must_use]
    pub const fn requested(&self) -> Cents {
        self.requested
    }

    /// The fund's part of it.
    #[must_use]
    pub const fn fund(&self) -> Cents {
        self.fund
    }

    /// The member's part of it.
    #[must_use]
    pub const fn member(&self) -> Cents {
        self.member
    }
}

/// An amount as people read it: `1 234,50 €` with no-break spaces, or `€1,234.50`.
#[must_use]
pub fn amount(cents: Cents, language: Language) -> String {
    let plain = cents.to_string();
    let (euros, rest) = plain.split_once('.').unwrap_or((&plain, "00"));
    match language {
        Language::French => format!("{},{rest}\u{a0}€", grouped(euros, '\u{a0}')),
        Language::English => format!("€{}.{rest}", grouped(euros, ',')),
    }
}

/// Day, month, year, and the time of day; the same in both languages.
#[must_use]
pub fn date_time(at: ReceiptTime) -> String {
    let ReceiptTime { year, month, day, hour, minute } = at;
    format!("{day:02}/{month:02}/{year:04} {hour:02}:{minute:02}")
}

/// Digits in groups of three from the right.
fn grouped(digits: &str, separator: char) -> String {
    let mut grouped = String::with_capacity(digits.len().saturating_mul(2));
    for (left, digit) in (1..=digits.len()).rev().zip(digits.chars()) {
        if left.is_multiple_of(3) && !grouped.is_empty() {
            grouped.push(separator);
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    fn cents(cents: u64) -> Cents {
        Cents::new(cents).unwrap()
    }

    fn parts(lines: &[(u64, u64, u64)]) -> ReceiptParts {
        let line = |&(requested, fund, member): &(u64, u64, u64)| ReceiptLine {
            label: "Food".to_owned(),
            requested: cents(requested),
            fund: cents(fund),
            member: cents(member),
        };
        ReceiptParts {
            shop: String::new(),
            fund: String::new(),
            helpline: None,
            at: ReceiptTime { year: 2026, month: 7, day: 5, hour: 9, minute: 4 },
            terminal: TerminalId::new(1),
            stan: Stan::FIRST,
            till_ref: None,
            lines: lines.iter().map(line).collect(),
            duplicate: None,
            training: false,
            show_not_proven: false,
            language: Language::French,
            texts: ReceiptTexts::default(),
        }
    }

    #[test]
    fn amounts_are_written_as_people_read_them() {
        for (given, french, english) in [
            (0, "0,00\u{a0}€", "€0.00"),
            (5, "0,05\u{a0}€", "€0.05"),
            (1250, "12,50\u{a0}€", "€12.50"),
            (99_999, "999,99\u{a0}€", "€999.99"),
            (100_000, "1\u{a0}000,00\u{a0}€", "€1,000.00"),
            (Cents::MAX, "9\u{a0}999\u{a0}999\u{a0}999,99\u{a0}€", "€9,999,999,999.99"),
        ] {
            assert_eq!(amount(cents(given), Language::French), french);
            assert_eq!(amount(cents(given), Language::English), english);
        }
    }

    #[test]
    fn a_date_has_two_digits_a_part() {
        assert_eq!(date_time(parts(&[]).at), "05/07/2026 09:04");
    }

    #[test]
    fn the_sums_of_a_receipt_are_its_lines() {
        let receipt = Receipt::new(parts(&[(1001, 701, 300), (5, 5, 0)])).unwrap();
        assert_eq!((receipt.requested(), receipt.fund(), receipt.member()), (cents(1006), cents(706), cents(300)));
    }

    #[test]
    fn a_receipt_that_does_not_add_up_is_none() {
        assert_eq!(Receipt::new(parts(&[(5, 5, 0), (10, 5, 4)])), Err(ReceiptError::Parts(1)));
        assert_eq!(
            Receipt::new(parts(&[(Cents::MAX, Cents::MAX, 0), (1, 1, 0)])),
            Err(ReceiptError::Money(MoneyError::TooLarge))
        );
    }
}
