//! Whether a sale may be: a pure function of what the terminal holds.
//!
//! Where several reasons apply, the first in the order of [`DeclineReason`] is given.

use crate::card::UidClass;
use cabas_protocol::objects::Policy;
use cabas_protocol::row::Tier;
use cabas_protocol::{Cents, Serial};

/// Whether the terminal may sell at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TerminalState {
    /// It has no enrolment.
    NotEnrolled,
    /// The fund took its right to sell.
    Revoked,
    /// Its epoch is closed.
    Closed,
    /// Its journal does not fit what the hub has.
    Quarantined,
    /// The fund pauses sales here.
    Paused,
    /// It sells.
    Live,
}

impl TerminalState {
    /// Its name in the local API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotEnrolled => "not_enrolled",
            Self::Revoked => "revoked",
            Self::Closed => "closed",
            Self::Quarantined => "quarantined",
            Self::Paused => "paused",
            Self::Live => "live",
        }
    }

    /// Why it does not sell.
    #[must_use]
    pub const fn reason(self) -> Option<DeclineReason> {
        match self {
            Self::NotEnrolled => Some(DeclineReason::NotEnrolled),
            Self::Revoked => Some(DeclineReason::TerminalRevoked),
            Self::Closed => Some(DeclineReason::EpochClosed),
            Self::Quarantined => Some(DeclineReason::Quarantined),
            Self::Paused => Some(DeclineReason::Paused),
            Self::Live => None,
        }
    }
}

/// Why a sale is declined, in order of precedence: where several apply, the first is given.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum DeclineReason {
    /// The terminal has no enrolment.
    NotEnrolled,
    /// The fund took the terminal's right to sell.
    TerminalRevoked,
    /// The terminal's enrolment is closed.
    EpochClosed,
    /// The terminal is quarantined.
    Quarantined,
    /// The fund pauses sales here.
    Paused,
    /// The terminal has not received its limits yet.
    NoPolicy,
    /// No binding names the card.
    UnknownCard,
    /// The hot list names the card or its purse.
    Blocked,
    /// The card proved less than its binding asks for: a copy, perhaps.
    TierTooLow,
    /// A UID that changes at each tap.
    RandomUid,
    /// A UID that many cards share.
    NonUniqueUid,
    /// No signed balance of the purse lies here.
    NoBalance,
    /// The signed balance is too old.
    BalanceExpired,
    /// The hot list is too old for a card that proves nothing.
    ListTooOld,
    /// Over the limit of one sale.
    AboveSaleLimit,
    /// Over the limit of one sale with a plain card.
    AbovePlainSaleLimit,
    /// Over the limit of a day with a plain card.
    AbovePlainDayLimit,
    /// The balance here is too small.
    InsufficientFunds,
}

/// What the cashier is told: never why.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum DeclineClass {
    /// Pay by another means.
    AnotherMeans,
    /// The same again may work.
    TryAgain,
    /// Somebody has to call the fund.
    CallFund,
}

impl DeclineClass {
    /// Its name in the local API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnotherMeans => "another_means",
            Self::TryAgain => "try_again",
            Self::CallFund => "call_fund",
        }
    }

    /// The name of the message in `agent/locales`.
    #[must_use]
    pub const fn message_id(self) -> &'static str {
        match self {
            Self::AnotherMeans => "class-another-means",
            Self::TryAgain => "class-try-again",
            Self::CallFund => "class-call-fund",
        }
    }
}

macro_rules! reasons {
    ($($reason:ident $name:literal $message:literal $class:ident,)*) => {
        impl DeclineReason {
            /// Every reason, in order of precedence.
            pub const ALL: &'static [Self] = &[$(Self::$reason,)*];

            /// Its name in the local API and the metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$reason => $name,)* }
            }

            /// The name of the message for the member's side in `agent/locales`.
            #[must_use]
            pub const fn message_id(self) -> &'static str {
                match self { $(Self::$reason => $message,)* }
            }

            /// What the cashier is told.
            #[must_use]
            pub const fn class(self) -> DeclineClass {
                match self { $(Self::$reason => DeclineClass::$class,)* }
            }
        }
    };
}

reasons! {
    NotEnrolled "not_enrolled" "decline-not-enrolled" CallFund,
    TerminalRevoked "terminal_revoked" "decline-terminal-revoked" CallFund,
    EpochClosed "epoch_closed" "decline-epoch-closed" CallFund,
    Quarantined "quarantined" "decline-quarantined" CallFund,
    Paused "paused" "decline-paused" AnotherMeans,
    NoPolicy "no_policy" "decline-no-policy" TryAgain,
    UnknownCard "unknown_card" "decline-unknown-card" AnotherMeans,
    Blocked "blocked" "decline-blocked" AnotherMeans,
    TierTooLow "tier_too_low" "decline-tier-too-low" AnotherMeans,
    RandomUid "random_uid" "decline-random-uid" AnotherMeans,
    NonUniqueUid "non_unique_uid" "decline-non-unique-uid" AnotherMeans,
    NoBalance "no_balance" "decline-no-balance" AnotherMeans,
    BalanceExpired "balance_expired" "decline-balance-expired" TryAgain,
    ListTooOld "list_too_old" "decline-list-too-old" TryAgain,
    AboveSaleLimit "above_sale_limit" "decline-above-sale-limit" AnotherMeans,
    AbovePlainSaleLimit "above_plain_sale_limit" "decline-above-plain-sale-limit" AnotherMeans,
    AbovePlainDayLimit "above_plain_day_limit" "decline-above-plain-day-limit" AnotherMeans,
    InsufficientFunds "insufficient_funds" "decline-insufficient-funds" AnotherMeans,
}

impl DeclineReason {
    /// True where a larger or newer signed balance could change the decision.
    #[must_use]
    pub fn may_extend(self) -> bool {
        matches!(self, Self::NoBalance | Self::BalanceExpired | Self::InsufficientFunds)
    }
}

/// What was presented.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CardFacts {
    /// What the card proved.
    pub proven: Tier,
    /// What its UID is worth as a name.
    pub uid: UidClass,
    /// The tier that its binding asks for, where there is one.
    pub bound: Option<Tier>,
    /// The hot list names the card or its purse.
    pub is_hot: bool,
}

/// The newest signed balance of the purse.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BalanceFacts {
    /// The total that may ever be spent.
    pub allowed: Cents,
    /// Its number.
    pub serial: Serial,
    /// Seconds since the hub issued it.
    pub age_s: u64,
    /// Seconds for which it is honoured.
    pub valid_for_s: u32,
}

/// The purse's counters in this journal.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// The total that was spent.
    pub spent: Cents,
    /// The total that was reversed.
    pub reversed: Cents,
    /// The fund's part of the sales with plain cards on this business day.
    pub plain_today: Cents,
}

impl Counters {
    /// What a balance leaves.
    #[must_use]
    pub fn available(self, allowed: Cents) -> Cents {
        match allowed.plus(self.reversed) {
            Ok(usable) => usable.minus_or_zero(self.spent),
            Err(_) => Cents::ZERO,
        }
    }
}

/// Everything that a decision rests on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Facts<'a> {
    /// The terminal.
    pub terminal: TerminalState,
    /// The limits.
    pub policy: Option<&'a Policy>,
    /// The card.
    pub card: CardFacts,
    /// The balance.
    pub balance: Option<BalanceFacts>,
    /// The counters.
    pub counters: Counters,
    /// Seconds since the hot list was known to be the newest; nothing where it never was.
    pub list_age_s: Option<u64>,
}

/// A decision. A decline is one, not an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// The purse may pay.
    Approve {
        /// The counter after the sale.
        spent_after: Cents,
        /// What is left.
        available_after: Cents,
        /// The balance that allows it.
        serial: Serial,
    },
    /// It may not.
    Decline(DeclineReason),
}

/// Decides whether the fund may pay `fund` cents.
#[must_use]
pub fn authorize(facts: &Facts<'_>, fund: Cents) -> Decision {
    match check(facts, fund) {
        Ok(decision) => decision,
        Err(reason) => Decision::Decline(reason),
    }
}

/// Whether a card could pay anything at all; the balance it could use.
///
/// # Errors
/// The first reason against it.
pub fn usable_balance(facts: &Facts<'_>) -> Result<BalanceFacts, DeclineReason> {
    if let Some(reason) = facts.terminal.reason() {
        return Err(reason);
    }
    check_card(facts)?;
    let balance = facts.balance.ok_or(DeclineReason::NoBalance)?;
    if balance.age_s > u64::from(balance.valid_for_s) { Err(DeclineReason::BalanceExpired) } else { Ok(balance) }
}

fn check_card(facts: &Facts<'_>) -> Result<(), DeclineReason> {
    if facts.policy.is_none() {
        return Err(DeclineReason::NoPolicy);
    }
    let bound = facts.card.bound.ok_or(DeclineReason::UnknownCard)?;
    if facts.card.is_hot {
        return Err(DeclineReason::Blocked);
    }
    if facts.card.proven < bound {
        return Err(DeclineReason::TierTooLow);
    }
    match facts.card.uid {
        UidClass::Random => Err(DeclineReason::RandomUid),
        UidClass::NonUnique => Err(DeclineReason::NonUniqueUid),
        UidClass::Unique => Ok(()),
    }
}

fn check(facts: &Facts<'_>, fund: Cents) -> Result<Decision, DeclineReason> {
    let balance = usable_balance(facts)?;
    let policy = facts.policy.ok_or(DeclineReason::NoPolicy)?;
    let plain = facts.card.proven == Tier::Plain;
    if plain && facts.list_age_s.is_none_or(|age_s| age_s > u64::from(policy.plain_list_age_s_max)) {
        return Err(DeclineReason::ListTooOld);
    }
    if fund > policy.sale_cents_max {
        return Err(DeclineReason::AboveSaleLimit);
    }
    if plain && fund > policy.plain_sale_cents_max {
        return Err(DeclineReason::AbovePlainSaleLimit);
    }
    let today = facts.counters.plain_today.plus(fund).map_err(|_| DeclineReason::AbovePlainDayLimit)?;
    if plain && today > policy.plain_day_cents_max {
        return Err(DeclineReason::AbovePlainDayLimit);
    }
    let available = facts.counters.available(balance.allowed);
    let available_after = available.minus(fund).map_err(|_| DeclineReason::InsufficientFunds)?;
    let spent_after = facts.counters.spent.plus(fund).map_err(|_| DeclineReason::InsufficientFunds)?;
    Ok(Decision::Approve { spent_after, available_after, serial: balance.serial })
}

#[cfg(test)]
#[path = "authorize_tests.rs"]
mod tests;
