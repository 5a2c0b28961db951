//! Refunds: a request, not a fact. What the fund paid of a sale can go back once, to the household, at the shop's expense.

use cabas_protocol::{Cents, MoneyError};

use super::ledger::OverRight;

/// What is known of a sale that a refund is asked of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PaidSale {
    /// True where the same shop sold it, for the purse that the request names.
    pub is_of_shop_and_purse: bool,
    /// What the fund paid of it.
    pub settled: Cents,
    /// True where its terminal undid it.
    pub is_undone: bool,
    /// What was refunded of it before.
    pub refunded: Cents,
}

/// Decides a request: granted whole, or not at all. No sale: there is none at that place, and never will be.
///
/// # Errors
/// Why it is refused.
pub fn judge(cents: Cents, sale: Option<PaidSale>) -> Result<(), OverRight> {
    let Some(sale) = sale.filter(|sale| sale.is_of_shop_and_purse && !cents.is_zero()) else {
        return Err(OverRight::NothingToRefund);
    };
    if sale.is_undone {
        return Err(OverRight::UndoneBefore);
    }
    let left: Result<Cents, MoneyError> = sale.settled.minus(sale.refunded);
    match left {
        Ok(left) if cents <= left => Ok(()),
        Ok(_) | Err(_) => Err(OverRight::MoreThanPaid),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    fn cents(cents: u64) -> Cents {
        Cents::new(cents).unwrap()
    }

    #[test]
    fn what_the_fund_paid_goes_back_once_and_to_whom_it_came_from() {
        let sale =
            PaidSale { is_of_shop_and_purse: true, settled: cents(100), is_undone: false, refunded: Cents::ZERO };
        for (asked, sale, expected) in [
            (100, Some(sale), Ok(())),
            (1, Some(sale), Ok(())),
            (101, Some(sale), Err(OverRight::MoreThanPaid)),
            (40, Some(PaidSale { refunded: cents(60), ..sale }), Ok(())),
            (41, Some(PaidSale { refunded: cents(60), ..sale }), Err(OverRight::MoreThanPaid)),
            (1, Some(PaidSale { settled: Cents::ZERO, ..sale }), Err(OverRight::MoreThanPaid)),
            (1, Some(PaidSale { is_undone: true, ..sale }), Err(OverRight::UndoneBefore)),
            (1, Some(PaidSale { is_of_shop_and_purse: false, ..sale }), Err(OverRight::NothingToRefund)),
            (0, Some(sale), Err(OverRight::NothingToRefund)),
            (1, None, Err(OverRight::NothingToRefund)),
        ] {
            assert_eq!(judge(cents(asked), sale), expected, "{asked} of {sale:?}");
        }
    }
}
