//! The words of what is refused, for those who can do something about it. One arm a subject.

use crate::store::{
    BudgetRefusal, ClosingRefusal, CorrectionRefusal, GoodwillRefusal, RepaymentRefusal, RuleRefusal, StoreError,
    UserRefusal,
};

/// The name of the text; none where the store failed.
#[must_use]
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not named here is no refusal, but a failure of the store")]
pub const fn refusal(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::Text(_) => Some("refusal-name"),
        StoreError::User(refusal) => Some(user(refusal)),
        StoreError::Rule(_) => Some("refusal-no-rule"),
        StoreError::Voted(refusal) => Some(voted(refusal)),
        StoreError::Correction(refusal) => Some(correction(refusal)),
        StoreError::Repayment(refusal) => Some(repayment(refusal)),
        StoreError::Closing(refusal) => Some(closing(refusal)),
        StoreError::Goodwill(refusal) => Some(goodwill(refusal)),
        StoreError::Budget(refusal) => Some(budget(refusal)),
        StoreError::Restoring(_) => Some("refusal-restoring"),
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

const fn voted(refusal: &RuleRefusal) -> &'static str {
    match refusal {
        RuleRefusal::Credited { .. } => "refusal-rule-credited",
        RuleRefusal::Nothing => "refusal-rule-nothing",
        RuleRefusal::Taken(_) => "refusal-rule-taken",
        RuleRefusal::NothingExpires(_) => "refusal-nothing-expires",
        RuleRefusal::NotOver(_) => "refusal-not-over",
        RuleRefusal::PlanChanged(_) => "refusal-plan-changed",
        RuleRefusal::NothingToBook(_) => "refusal-nothing-to-book",
    }
}

const fn correction(refusal: &CorrectionRefusal) -> &'static str {
    match refusal {
        CorrectionRefusal::NoHousehold => "corrections-household-wrong",
        CorrectionRefusal::Nothing => "corrections-amount-wrong",
        CorrectionRefusal::Unknown(_) => "wrong-not-found",
        CorrectionRefusal::Ended(_) => "refusal-ended",
        CorrectionRefusal::SamePerson => "refusal-same-person",
    }
}

const fn repayment(refusal: &RepaymentRefusal) -> &'static str {
    match refusal {
        RepaymentRefusal::NoCard(_) => "repayments-card-wrong",
        RepaymentRefusal::Claimed => "refusal-claimed",
        RepaymentRefusal::Released => "refusal-released",
        RepaymentRefusal::Unknown(_) => "wrong-not-found",
        RepaymentRefusal::Ended(_) => "refusal-ended",
        RepaymentRefusal::SamePerson => "refusal-same-person",
    }
}

const fn closing(refusal: &ClosingRefusal) -> &'static str {
    match refusal {
        ClosingRefusal::WhichEpoch(_) | ClosingRefusal::NothingOpen(_) | ClosingRefusal::Closed(_) => {
            "refusal-closed-before"
        }
        ClosingRefusal::SamePerson(_) => "refusal-same-person",
        ClosingRefusal::NotTheNewest { .. } | ClosingRefusal::OtherRow { .. } => "refusal-other-row",
        ClosingRefusal::Waits(_) => "refusal-closing-waits",
        ClosingRefusal::Ended(_) | ClosingRefusal::NotProposed(_) => "refusal-ended",
    }
}

const fn goodwill(refusal: &GoodwillRefusal) -> &'static str {
    match refusal {
        GoodwillRefusal::Waits(_) => "refusal-goodwill-waits",
        GoodwillRefusal::Limits => "goodwill-limit-wrong",
        GoodwillRefusal::Unknown(_) => "wrong-not-found",
        GoodwillRefusal::Ended(_) => "refusal-ended",
        GoodwillRefusal::TooOld(_) => "refusal-too-old",
        GoodwillRefusal::SamePerson => "refusal-same-person",
    }
}

const fn budget(refusal: &BudgetRefusal) -> &'static str {
    match refusal {
        BudgetRefusal::CreditedElsewhere { .. } => "refusal-credited-elsewhere",
        BudgetRefusal::TooLittle { .. } | BudgetRefusal::OverOfContributions => "refusal-too-little",
        BudgetRefusal::Sources
        | BudgetRefusal::NoBudget { .. }
        | BudgetRefusal::ContributionsBudget
        | BudgetRefusal::NoBudgetOfYear(_)
        | BudgetRefusal::NoHouseholds => "refusal-budget",
    }
}
