//! The words of what is refused, for those who can do something about it. One arm a subject.

use crate::store::{BudgetRefusal, MoneyInRefusal, StoreError, UserRefusal};

/// The name of the text; none where the store failed.
#[must_use]
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not named here is no refusal, but a failure of the store")]
pub const fn refusal(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::Text(_) => Some("refusal-name"),
        StoreError::User(refusal) => Some(user(refusal)),
        StoreError::MoneyIn(refusal) => Some(money_in(refusal)),
        StoreError::Budget(refusal) => Some(budget(refusal)),
        _ => None,
    }
}

const fn user(refusal: &UserRefusal) -> &'static str {
    match refusal {
        UserRefusal::Unknown | UserRefusal::UnknownToken => "wrong-not-found",
        UserRefusal::Taken | UserRefusal::TokenTaken => "refusal-taken",
        UserRefusal::ShopAndRole => "refusal-shop-and-role",
        UserRefusal::NotAnotherAdmin => "refusal-not-another-admin",
        UserRefusal::LastAdmin => "refusal-last-admin",
        UserRefusal::Disabled => "refusal-disabled",
        UserRefusal::TooMany => "refusal-too-many",
    }
}

/// The words for money that does not come in.
#[must_use]
pub const fn money_in(refusal: &MoneyInRefusal) -> &'static str {
    match refusal {
        MoneyInRefusal::NoHousehold => "money-household-wrong",
        MoneyInRefusal::NoSource => "money-source-wrong",
        MoneyInRefusal::OfHouseholds => "money-of-households",
        MoneyInRefusal::Nothing => "money-amount-wrong",
        MoneyInRefusal::Day(_) => "money-day-wrong",
        MoneyInRefusal::ReferenceTaken(_) => "money-reference-taken",
        MoneyInRefusal::ReferenceTakenBack(_) => "money-reference-taken-back",
        MoneyInRefusal::Alike(_) => "money-alike",
        MoneyInRefusal::Unknown(_) => "wrong-not-found",
        MoneyInRefusal::TakenBackBefore(_) => "refusal-taken-back-before",
        MoneyInRefusal::CounterEntry(_) => "refusal-counter-entry",
        MoneyInRefusal::EntryIsDebit(_) => "refusal-entry-is-debit",
        MoneyInRefusal::BankedBefore(_) => "refusal-banked-before",
        MoneyInRefusal::NotForEntry(_) => "refusal-not-for-entry",
        MoneyInRefusal::WaitsForBank(_) => "money-waits-for-bank",
        MoneyInRefusal::OtherSum { .. } => "refusal-other-sum",
        MoneyInRefusal::NotAsShown => "refusal-not-as-shown",
    }
}

const fn budget(refusal: &BudgetRefusal) -> &'static str {
    match refusal {
        BudgetRefusal::Sources => "refusal-sources",
        BudgetRefusal::NoBudget { .. } => "refusal-no-budget",
        BudgetRefusal::TooLittle { .. } => "refusal-too-little",
        BudgetRefusal::OverOfContributions => "refusal-over-of-contributions",
        BudgetRefusal::CreditedElsewhere { .. } => "refusal-credited-elsewhere",
        BudgetRefusal::ContributionsBudget => "sources-contributions-budget",
        BudgetRefusal::NoBudgetOfYear(_) => "forecast-no-budget",
        BudgetRefusal::NoHouseholds => "forecast-no-households",
    }
}
