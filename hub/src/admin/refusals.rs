//! The words of what is refused, for those who can do something about it. One arm a subject.

use crate::store::{
    BankRefusal, BudgetRefusal, CardSessionRefusal, ClosingRefusal, CorrectionRefusal, ErasureRefusal, GoodwillRefusal,
    JoiningRefusal, MoneyInRefusal, RegisterRefusal, RepaymentRefusal, RuleRefusal, StoreError, UserRefusal,
};

/// The name of the text; none where the store failed.
#[must_use]
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not named here is no refusal, but a failure of the store")]
pub const fn refusal(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::Text(_) => Some("refusal-name"),
        StoreError::User(refusal) => Some(user(refusal)),
        StoreError::Register(refusal) => Some(register(refusal)),
        StoreError::Erasure(ErasureRefusal::NotLeft) => Some("refusal-not-left"),
        StoreError::Erasure(ErasureRefusal::Erased) => Some("refusal-erased"),
        StoreError::CardTaken { .. } => Some("refusal-card-taken"),
        StoreError::CardReleased => Some("refusal-card-released"),
        StoreError::HotListFull => Some("refusal-hot-list-full"),
        StoreError::CardSession(CardSessionRefusal::NoHousehold) => Some("wrong-not-found"),
        StoreError::Joining(refusal) => Some(joining(refusal)),
        StoreError::KeysBehind { .. } => Some("refusal-keys-behind"),
        StoreError::Exhausted(_) => Some("refusal-exhausted"),
        StoreError::Bank(refusal) => Some(bank(refusal)),
        StoreError::Restoring(_) => Some("refusal-restoring"),
        StoreError::PaymentsUnknown { .. } => Some("refusal-payments-unknown"),
        StoreError::Rule(_) => Some("refusal-no-rule"),
        StoreError::Voted(refusal) => Some(voted(refusal)),
        StoreError::Correction(refusal) => Some(correction(refusal)),
        StoreError::Repayment(refusal) => Some(repayment(refusal)),
        StoreError::Closing(refusal) => Some(closing(refusal)),
        StoreError::Goodwill(refusal) => Some(goodwill(refusal)),
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
        UserRefusal::Waits => "refusal-waits",
        UserRefusal::GaveIt => "refusal-gave-it",
        UserRefusal::NotHeld => "refusal-not-held",
        UserRefusal::NotWaiting => "refusal-not-waiting",
    }
}

const fn register(refusal: &RegisterRefusal) -> &'static str {
    match refusal {
        RegisterRefusal::Taken => "refusal-household-taken",
        RegisterRefusal::Code => "refusal-household-code",
        RegisterRefusal::Contribution => "refusal-contribution",
        RegisterRefusal::NoMember => "wrong-not-found",
        RegisterRefusal::MemberKnown => "refusal-member-known",
        RegisterRefusal::TooManyMembers => "refusal-too-many-members",
        RegisterRefusal::UploadEnded => "refusal-upload-ended",
        RegisterRefusal::UploadChanged => "refusal-upload-changed",
        RegisterRefusal::TooManyUploads => "refusal-too-many-uploads",
    }
}

const fn joining(refusal: &JoiningRefusal) -> &'static str {
    match refusal {
        JoiningRefusal::NotNow(_) => "refusal-not-now",
        JoiningRefusal::Unknown => "wrong-not-found",
        JoiningRefusal::Taken(_) => "joining-taken",
        JoiningRefusal::NotOpen(_) => "terminals-shop-not-open",
        JoiningRefusal::NoWords => "joining-no-words",
        JoiningRefusal::Day { .. } => "joining-day-wrong",
    }
}

const fn bank(refusal: &BankRefusal) -> &'static str {
    match refusal {
        BankRefusal::Iban(_) => "refusal-iban",
        BankRefusal::Bic(_) => "refusal-bic",
        BankRefusal::NotSepa(_) => "refusal-not-sepa",
        BankRefusal::SamePerson(_) => "refusal-same-person",
        BankRefusal::PreparedBefore { .. } => "refusal-prepared-before",
        BankRefusal::NothingNew => "refusal-nothing-new",
        BankRefusal::NotPrepared(_) => "refusal-not-prepared",
        BankRefusal::Approved { .. } => "refusal-approved",
        BankRefusal::UnderWay(_) => "refusal-settlement-under-way",
        BankRefusal::Outdated(_) => "refusal-outdated",
        BankRefusal::RefusalOpen(..) => "refusal-refusal-open",
        BankRefusal::OwnAccountChange { .. } => "refusal-own-account-change",
        BankRefusal::NoSettlement(_) | BankRefusal::NoEntry(_) => "wrong-not-found",
        BankRefusal::NothingToPay(_) => "refusal-nothing-to-pay",
        BankRefusal::NoOwnAccount => "refusal-no-own-account",
        BankRefusal::NoAccount(_) => "refusal-no-account",
        BankRefusal::FileMade(_) => "refusal-file-made",
        BankRefusal::Build(_) => "refusal-build",
        BankRefusal::OtherAccount(_) => "refusal-other-account",
        BankRefusal::EntryExplained(_) => "refusal-entry-explained",
        BankRefusal::NoPayout(_) => "refusal-no-payout",
        BankRefusal::PaidBefore(_) => "refusal-paid-before",
        BankRefusal::NotPaid(_) => "refusal-not-paid",
        BankRefusal::CameBack(_) => "refusal-came-back",
        BankRefusal::SaidBefore { .. } => "refusal-said-before",
        BankRefusal::NotSaid(_) => "refusal-not-said",
        BankRefusal::OtherAmount { .. } => "refusal-other-amount",
        BankRefusal::NotSaidByBank(_) => "refusal-not-said-by-bank",
        BankRefusal::ReturnSaid { .. } => "refusal-return-said",
        BankRefusal::ReturnEnded(_) => "refusal-ended",
        BankRefusal::NotACredit(_) => "refusal-not-paid",
        BankRefusal::NotADebit(_) => "refusal-not-a-debit",
        BankRefusal::NamesPayout(_) => "refusal-names-payout",
        BankRefusal::NotByProgram(_) => "refusal-not-by-program",
        BankRefusal::NotAside(_) => "refusal-not-aside",
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
        CorrectionRefusal::NotCredited(_) => "refusal-not-credited",
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
        BudgetRefusal::RunOpen { .. } => "refusal-run-open",
        BudgetRefusal::ContributionsBudget => "sources-contributions-budget",
        BudgetRefusal::NoBudgetOfYear(_) => "forecast-no-budget",
        BudgetRefusal::NoHouseholds => "forecast-no-households",
    }
}
