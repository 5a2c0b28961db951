//! An amount as a person types it. The answer to a bad one says what is wrong with it.

use cabas_protocol::Cents;

/// Characters that are read; a longer text is no amount.
const TEXT_CHARS_MAX: usize = 32;

/// Why a text or a number is no amount of a sale.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AmountError {
    /// Nothing was typed.
    #[error("no amount was given")]
    Empty,
    /// Digits of another script: they look like numbers and may be read as others.
    #[error("write the amount with the digits 0 to 9")]
    ForeignDigits,
    /// Letters, an exponent, a thousands separator, two commas.
    #[error("not an amount; write it like 12,50")]
    NotANumber,
    /// Below zero.
    #[error("an amount cannot be negative")]
    Negative,
    /// A fraction of a cent.
    #[error("an amount has at most two decimals")]
    TooManyDecimals,
    /// Nothing to pay.
    #[error("the amount is zero")]
    Zero,
    /// More than one sale may be.
    #[error("the amount is over the limit of {max} euros for one sale")]
    OverLimit {
        /// The limit.
        max: Cents,
    },
}

impl AmountError {
    /// The name of the message in `agent/locales`, and the code in the local API.
    #[must_use]
    pub const fn message_id(self) -> &'static str {
        match self {
            Self::Empty => "amount-empty",
            Self::ForeignDigits => "amount-foreign-digits",
            Self::NotANumber => "amount-not-a-number",
            Self::Negative => "amount-negative",
            Self::TooManyDecimals => "amount-too-many-decimals",
            Self::Zero => "amount-zero",
            Self::OverLimit { .. } => "amount-over-limit",
        }
    }
}

/// Reads `12`, `12,5`, `12,50` or `12.50`.
///
/// # Errors
/// [`AmountError`].
pub fn parse(text: &str, max: Cents) -> Result<Cents, AmountError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(AmountError::Empty);
    }
    if text.len() > TEXT_CHARS_MAX {
        return Err(AmountError::NotANumber);
    }
    if text.chars().any(|c| c.is_numeric() && !c.is_ascii_digit()) {
        return Err(AmountError::ForeignDigits);
    }
    if let Some(rest) = text.strip_prefix(['-', '\u{2212}']) {
        return Err(if euros_and_cents(rest).is_ok() { AmountError::Negative } else { AmountError::NotANumber });
    }
    let (euros, cents) = euros_and_cents(text)?;
    let over = AmountError::OverLimit { max };
    let total = euros.checked_mul(100).and_then(|euros| euros.checked_add(cents)).ok_or(over)?;
    check(total, max)
}

/// Checks a whole number of cents.
///
/// # Errors
/// [`AmountError::Zero`] or [`AmountError::OverLimit`].
pub fn check(cents: u64, max: Cents) -> Result<Cents, AmountError> {
    match Cents::new(cents) {
        Ok(amount) if amount.is_zero() => Err(AmountError::Zero),
        Ok(amount) if amount <= max => Ok(amount),
        Ok(_) | Err(_) => Err(AmountError::OverLimit { max }),
    }
}

fn euros_and_cents(text: &str) -> Result<(u64, u64), AmountError> {
    let (euros, decimals) = match text.split_once([',', '.']) {
        Some((euros, decimals)) => (euros, decimals),
        None => (text, "00"),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(euros) || !digits(decimals) {
        return Err(AmountError::NotANumber);
    }
    let tenths = match decimals.len() {
        1 => 10,
        2 => 1,
        _ => return Err(AmountError::TooManyDecimals),
    };
    let cents = decimals.parse::<u64>().ok().and_then(|cents| cents.checked_mul(tenths));
    // Only digits: what does not fit is too many of them, which the caller calls over the limit.
    Ok((euros.parse().unwrap_or(u64::MAX), cents.unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use proptest::prelude::*;

    fn max() -> Cents {
        Cents::new(100_000).unwrap()
    }

    #[test]
    fn an_amount_is_read_as_it_is_written_in_france_and_elsewhere() {
        for (text, cents) in [
            ("12", 1200),
            ("12,5", 1250),
            ("12,50", 1250),
            ("12.50", 1250),
            ("12.5", 1250),
            (" 0,01 ", 1),
            ("007", 700),
            ("1000", 100_000),
            ("000000000000000000000000000012,5", 1250),
        ] {
            assert_eq!(parse(text, max()).map(Cents::get), Ok(cents), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_says_why() {
        let over = AmountError::OverLimit { max: max() };
        for (text, error) in [
            ("", AmountError::Empty),
            ("  ", AmountError::Empty),
            ("0", AmountError::Zero),
            ("0,00", AmountError::Zero),
            ("-5", AmountError::Negative),
            ("\u{2212}5", AmountError::Negative),
            ("--5", AmountError::NotANumber),
            ("1e9", AmountError::NotANumber),
            ("1 234", AmountError::NotANumber),
            ("1,2,3", AmountError::NotANumber),
            ("1.234,50", AmountError::NotANumber),
            ("12,", AmountError::NotANumber),
            (",5", AmountError::NotANumber),
            ("+5", AmountError::NotANumber),
            ("0x10", AmountError::NotANumber),
            ("12€", AmountError::NotANumber),
            ("NaN", AmountError::NotANumber),
            ("١٢", AmountError::ForeignDigits),
            ("１２", AmountError::ForeignDigits),
            ("12½", AmountError::ForeignDigits),
            ("1,234", AmountError::TooManyDecimals),
            ("1000,01", over),
            ("99999999999999999999999999", over),
            ("18446744073709551615", over),
            ("111111111111111111111111111111111", AmountError::NotANumber),
        ] {
            assert_eq!(parse(text, max()), Err(error), "{text}");
        }
    }

    #[test]
    fn each_fault_has_a_message_of_its_own() {
        for (error, id) in [
            (AmountError::Empty, "amount-empty"),
            (AmountError::ForeignDigits, "amount-foreign-digits"),
            (AmountError::NotANumber, "amount-not-a-number"),
            (AmountError::Negative, "amount-negative"),
            (AmountError::TooManyDecimals, "amount-too-many-decimals"),
            (AmountError::Zero, "amount-zero"),
            (AmountError::OverLimit { max: max() }, "amount-over-limit"),
        ] {
            assert_eq!(error.message_id(), id);
        }
    }

    proptest! {
        #[test]
        fn nothing_typed_makes_it_panic(text in ".*") {
            let _any = parse(&text, max());
        }

        #[test]
        fn what_is_shown_is_read_back(cents in 1..=100_000_u64) {
            let amount = Cents::new(cents).unwrap();
            prop_assert_eq!(parse(&amount.to_string(), max()), Ok(amount));
        }
    }
}
