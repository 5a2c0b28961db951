//! A purchase with a card that counts for itself (tier T1): what it may take, whose balance counts, and what became of a
//! debit that nobody answered for.

use crate::core::authorize::{Decision, DeclineReason, Facts, authorize};
use cabas_card::layout::Record;
use cabas_protocol::balance::{Scope, SignedBalance};
use cabas_protocol::{Cents, PurseRef, Serial};

/// What a card can count to: the value on it starts at 2³¹ − 1 and is only taken from.
pub const SPENT_CENTS_MAX: u64 = 0x7fff_ffff;

/// A decision on a purchase.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PurseDecision {
    /// The card is to be debited.
    Pay {
        /// By so much: the fund's part.
        fund: Cents,
        /// The card's counter after it.
        spent_after: Cents,
        /// The balance that allows it.
        serial: Serial,
    },
    /// It is not.
    Decline {
        /// Why.
        reason: DeclineReason,
        /// The part that could be paid, where only money is short and the limits allow parts.
        offer: Option<Cents>,
    },
}

/// True for a balance that says what this purse's own card may spend; its signature was checked before.
#[must_use]
pub fn is_of_card(balance: &SignedBalance, purse: PurseRef) -> bool {
    balance.scope == Scope::Card && balance.purse == purse
}

/// Decides a purchase of which the fund pays `whole`, or `most` where the member has taken a part. The counters of `facts`
/// are the card's: spent as the card says, nothing reversed, for the chip cannot go back.
#[must_use]
pub fn decide(facts: &Facts<'_>, whole: Cents, most: Option<Cents>) -> PurseDecision {
    let fund = most.map_or(whole, |most| most.min(whole));
    let reason = match authorize(facts, fund) {
        Decision::Approve { spent_after, serial, .. } if !fund.is_zero() && spent_after.get() <= SPENT_CENTS_MAX => {
            return PurseDecision::Pay { fund, spent_after, serial };
        }
        Decision::Approve { .. } => DeclineReason::InsufficientFunds,
        Decision::Decline(reason) => reason,
    };
    // Money is the last of all reasons: where it is given for the whole, everything else would let the sale be.
    let only_money = authorize(facts, whole) == Decision::Decline(DeclineReason::InsufficientFunds);
    let in_parts = facts.policy.is_some_and(|policy| policy.part_payment);
    let available = facts.balance.map(|balance| facts.counters.available(balance.allowed));
    let offer = available.map(|available| most.map_or(available, |most| most.min(available)));
    PurseDecision::Decline { reason, offer: offer.filter(|offer| only_money && in_parts && !offer.is_zero()) }
}

/// A debit that was announced, and of which no end is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Announced {
    /// The card's counter before it.
    pub spent_before: Cents,
    /// What it was to take.
    pub cents: Cents,
}

/// What the same card says at its next tap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    /// Its counter.
    pub spent: Cents,
    /// It has the record of the debit, which only this terminal can have made.
    pub has_record: bool,
    /// Records of other debits account for every cent since the announcement ([`accounts_for`]).
    pub others_account: bool,
}

/// What became of a debit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resolution {
    /// The card was debited, once.
    Debited,
    /// It was not, and will not be.
    NotDebited,
    /// The card does not tell: a person has to ask the fund.
    Open,
}

/// True where `records`, oldest first, lead from one state of a card's counter to a later one without a gap.
#[must_use]
pub fn accounts_for(from: Cents, to: Cents, records: &[Record]) -> bool {
    let mut at = from.get();
    for record in records.iter().filter(|record| u64::from(record.spent_after) > from.get()) {
        if u64::from(record.spent_after).checked_sub(record.cents.into()) != Some(at) {
            return false;
        }
        at = record.spent_after.into();
    }
    at == to.get() && to > from
}

/// Resolves a doubt. Value and record change in one commit, so each must fit the other; where they do not, nothing is
/// concluded. A debit without a record did not happen where others lead from before it to what the card counts now.
#[must_use]
pub fn resolve(announced: Announced, answer: Answer) -> Resolution {
    let Ok(after) = announced.spent_before.plus(announced.cents) else { return Resolution::Open };
    if answer.has_record && answer.spent >= after {
        Resolution::Debited
    } else if !answer.has_record && (answer.spent == announced.spent_before || answer.others_account) {
        Resolution::NotDebited
    } else {
        Resolution::Open
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::card::UidClass;
    use crate::core::authorize::{BalanceFacts, CardFacts, Counters, TerminalState};
    use crate::fixture::{Fund, cents, purse};
    use cabas_protocol::Signed;
    use cabas_protocol::objects::Policy;
    use cabas_protocol::row::Tier;

    fn limits(parts: bool) -> Policy {
        let fund = Fund::default();
        let signed: Signed<Policy> = if parts { fund.policy_with_parts(1) } else { fund.policy(1) };
        signed.peek().unwrap()
    }

    fn facts(policy: &Policy, allowed: u64, spent: u64) -> Facts<'_> {
        Facts {
            terminal: TerminalState::Live,
            policy: Some(policy),
            card: CardFacts { proven: Tier::Purse, uid: UidClass::Unique, bound: Some(Tier::Purse), is_hot: false },
            balance: Some(BalanceFacts { allowed: cents(allowed), serial: Serial::new(4), age_s: 10, valid_for_s: 10 }),
            counters: Counters { spent: cents(spent), ..Counters::default() },
            list_age_s: None,
        }
    }

    fn pay(fund: u64, spent_after: u64) -> PurseDecision {
        PurseDecision::Pay { fund: cents(fund), spent_after: cents(spent_after), serial: Serial::new(4) }
    }

    fn no(reason: DeclineReason, offer: Option<u64>) -> PurseDecision {
        PurseDecision::Decline { reason, offer: offer.map(cents) }
    }

    #[test]
    fn what_the_card_has_spent_is_what_its_balance_lacks() {
        use DeclineReason::{AboveSaleLimit, InsufficientFunds};
        for (parts, allowed, spent, whole, most, decision) in [
            (false, 1000, 0, 1000, None, pay(1000, 1000)),
            (false, 1000, 1, 1000, None, no(InsufficientFunds, None)),
            (false, 5000, 4000, 1000, None, pay(1000, 5000)),
            (false, 4000, 5000, 1, None, no(InsufficientFunds, None)),
            (true, 1000, 400, 1000, None, no(InsufficientFunds, Some(600))),
            (true, 1000, 400, 1000, Some(600), pay(600, 1000)),
            (true, 1000, 500, 1000, Some(600), no(InsufficientFunds, Some(500))),
            (true, 1000, 1000, 1000, Some(600), no(InsufficientFunds, None)),
            (true, 9000, 400, 1000, Some(600), pay(600, 1000)),
            (true, 100_000, 0, 50_001, None, no(AboveSaleLimit, None)),
            (false, 100_000, 0, 30_000, None, pay(30_000, 30_000)),
            (false, 0x8000_0000, 0x7fff_fff0, 15, None, pay(15, 0x7fff_ffff)),
            (false, 0x8000_0000, 0x7fff_fff0, 16, None, no(InsufficientFunds, None)),
        ] {
            let policy = limits(parts);
            let given = decide(&facts(&policy, allowed, spent), cents(whole), most.map(cents));
            assert_eq!(given, decision, "{allowed} {spent} {whole} {most:?}");
        }
    }

    #[test]
    fn a_card_is_refused_for_the_same_reasons_as_any_other() {
        use DeclineReason as R;
        let policy = limits(true);
        let good = facts(&policy, 1000, 0);
        for (facts, reason) in [
            (Facts { card: CardFacts { is_hot: true, ..good.card }, ..good }, R::Blocked),
            (Facts { card: CardFacts { proven: Tier::Plain, ..good.card }, ..good }, R::TierTooLow),
            (Facts { card: CardFacts { bound: None, ..good.card }, ..good }, R::UnknownCard),
            (Facts { terminal: TerminalState::Quarantined, ..good }, R::Quarantined),
            (Facts { policy: None, ..good }, R::NoPolicy),
            (Facts { balance: None, ..good }, R::NoBalance),
            (Facts { balance: good.balance.map(|b| BalanceFacts { age_s: 11, ..b }), ..good }, R::BalanceExpired),
        ] {
            assert_eq!(decide(&facts, cents(5000), None), no(reason, None));
        }
    }

    #[test]
    fn a_balance_counts_for_its_own_purse_and_for_the_card_alone() {
        let fund = Fund::default();
        let of_card = fund.card_balance(1, 1, 100).peek().unwrap();
        assert!(is_of_card(&of_card, purse(1)));
        assert!(!is_of_card(&of_card, purse(2)));
        assert!(!is_of_card(&fund.balance(1, 1, 100).peek().unwrap(), purse(1)), "a slice");
    }

    #[test]
    fn a_doubt_is_resolved_only_where_counter_and_record_agree() {
        use Resolution::{Debited, NotDebited, Open};
        let announced = Announced { spent_before: cents(1000), cents: cents(250) };
        for (spent, has_record, others_account, resolution) in [
            (1000, false, false, NotDebited),
            (1250, true, false, Debited),
            // Others sold to it since.
            (1900, true, false, Debited),
            (1250, false, false, Open),
            (1900, false, false, Open),
            (1900, false, true, NotDebited),
            (1000, true, false, Open),
            (1249, true, false, Open),
            (999, false, false, Open),
            (0, false, false, Open),
        ] {
            let answer = Answer { spent: cents(spent), has_record, others_account };
            assert_eq!(resolve(announced, answer), resolution, "{spent} {has_record} {others_account}");
        }
    }

    #[test]
    fn only_records_without_a_gap_account_for_what_a_card_has_spent() {
        let record =
            |spent_after, cents| Record { terminal: 9, epoch: 1, seq: 1, time_s: 0, cents, spent_after, serial: 1 };
        let whole = [record(800, 100), record(1000, 200), record(1500, 500), record(1600, 100)];
        for (from, to, records, accounts) in [
            (1000, 1600, &whole[..], true),
            (1000, 1600, &whole[2..], true),
            (1000, 1600, &whole[3..], false),
            (1000, 1600, &whole[..3], false),
            (1000, 1500, &whole[..3], true),
            (1000, 1500, &whole[..], false),
            (1250, 1600, &whole[..], false),
            (1000, 1600, &[record(1500, 500), record(1500, 500), record(1600, 100)], false),
            (1000, 1600, &[record(1600, 100), record(1500, 500)], false),
            (1000, 1000, &whole[..2], false),
            (1600, 1000, &whole[..], false),
            (0, 0, &[], false),
        ] {
            assert_eq!(accounts_for(cents(from), cents(to), records), accounts, "{from} {to} {records:?}");
        }
    }
}
