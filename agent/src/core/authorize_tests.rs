#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]
use super::*;
use cabas_protocol::head::{HeadContext, ObjectType};
use cabas_protocol::{FundId, Incarnation, PolicyId, TimeEpoch};
use proptest::prelude::*;

fn cents(cents: u64) -> Cents {
    Cents::new(cents).unwrap()
}

fn policy() -> Policy {
    let context = HeadContext { fund: FundId::new(1), incarnation: Incarnation::new(1), time_epoch: TimeEpoch::new(1) };
    Policy {
        head: context.head(ObjectType::Policy),
        id: PolicyId::new(3),
        sale_cents_max: cents(15_000),
        plain_sale_cents_max: cents(10_000),
        plain_day_cents_max: cents(12_000),
        plain_list_age_s_max: 3600,
        part_payment: false,
    }
}

/// Everything is wrong, the amount included: a sale of 200 euros.
fn all_wrong() -> Facts<'static> {
    Facts {
        terminal: TerminalState::NotEnrolled,
        policy: None,
        card: CardFacts { proven: Tier::Plain, uid: UidClass::Random, bound: None, is_hot: true },
        balance: None,
        counters: Counters { spent: cents(4_000), reversed: Cents::ZERO, plain_today: cents(4_000) },
        list_age_s: None,
    }
}

type Cure = fn(&mut Facts<'static>, &mut Cents);

#[test]
fn each_reason_is_given_until_exactly_its_fault_is_cured() {
    use DeclineReason as R;
    let policy: &'static Policy = Box::leak(Box::new(policy()));
    let mut facts = all_wrong();
    let mut amount = cents(20_000);
    let cures: [(DeclineReason, Cure); 17] = [
        (R::NotEnrolled, |f, _| f.terminal = TerminalState::Revoked),
        (R::TerminalRevoked, |f, _| f.terminal = TerminalState::Closed),
        (R::EpochClosed, |f, _| f.terminal = TerminalState::Quarantined),
        (R::Quarantined, |f, _| f.terminal = TerminalState::Paused),
        (R::Paused, |f, _| f.terminal = TerminalState::Live),
        (R::NoPolicy, |_, _| ()),
        (R::UnknownCard, |f, _| f.card.bound = Some(Tier::Identity)),
        (R::Blocked, |f, _| f.card.is_hot = false),
        (R::TierTooLow, |f, _| f.card.bound = Some(Tier::Plain)),
        (R::RandomUid, |f, _| f.card.uid = UidClass::NonUnique),
        (R::NonUniqueUid, |f, _| f.card.uid = UidClass::Unique),
        (R::NoBalance, |f, _| {
            f.balance =
                Some(BalanceFacts { allowed: cents(9_000), serial: Serial::new(7), age_s: 1001, valid_for_s: 1000 });
        }),
        (R::BalanceExpired, |f, _| f.balance.as_mut().unwrap().age_s = 1000),
        (R::ListTooOld, |f, _| f.list_age_s = Some(3600)),
        (R::AboveSaleLimit, |_, amount| *amount = cents(15_000)),
        (R::AbovePlainSaleLimit, |_, amount| *amount = cents(10_000)),
        (R::AbovePlainDayLimit, |_, amount| *amount = cents(8_000)),
    ];
    let mut seen = Vec::new();
    for (reason, cure) in cures {
        assert_eq!(authorize(&facts, amount), Decision::Decline(reason));
        seen.push(reason);
        cure(&mut facts, &mut amount);
        if reason == R::NoPolicy {
            facts.policy = Some(policy);
        }
    }
    assert_eq!(authorize(&facts, amount), Decision::Decline(R::InsufficientFunds));
    seen.push(R::InsufficientFunds);
    assert_eq!(seen, R::ALL, "every reason is in the table, in the order of precedence");
    let approve = Decision::Approve { spent_after: cents(9_000), available_after: Cents::ZERO, serial: Serial::new(7) };
    assert_eq!(authorize(&facts, cents(5_000)), approve);
    assert_eq!(authorize(&facts, cents(5_001)), Decision::Decline(R::InsufficientFunds));
}

fn good(policy: &Policy) -> Facts<'_> {
    Facts {
        terminal: TerminalState::Live,
        policy: Some(policy),
        card: CardFacts { proven: Tier::Plain, uid: UidClass::Unique, bound: Some(Tier::Plain), is_hot: false },
        balance: Some(BalanceFacts { allowed: cents(9_000), serial: Serial::new(1), age_s: 0, valid_for_s: 1000 }),
        counters: Counters::default(),
        list_age_s: Some(0),
    }
}

#[test]
fn a_list_past_its_age_refuses_plain_cards_only() {
    let policy = policy();
    let mut facts = good(&policy);
    facts.list_age_s = Some(3601);
    assert_eq!(authorize(&facts, cents(1)), Decision::Decline(DeclineReason::ListTooOld));
    facts.card.proven = Tier::Identity;
    assert!(matches!(authorize(&facts, cents(1)), Decision::Approve { .. }));
}

#[test]
fn a_card_that_proves_more_than_it_must_has_no_limit_of_plain_cards() {
    let policy = policy();
    let mut facts = good(&policy);
    facts.balance.as_mut().unwrap().allowed = cents(100_000);
    facts.counters.plain_today = cents(12_000);
    facts.card.proven = Tier::Identity;
    assert!(matches!(authorize(&facts, cents(15_000)), Decision::Approve { .. }));
}

#[test]
fn names_of_reasons_are_all_different() {
    let names: std::collections::BTreeSet<_> = DeclineReason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), DeclineReason::ALL.len());
}

#[test]
fn only_money_that_the_hub_can_add_or_renew_is_worth_asking_for() {
    let worth: Vec<_> = DeclineReason::ALL.iter().filter(|reason| reason.may_extend()).collect();
    assert_eq!(worth, [&DeclineReason::NoBalance, &DeclineReason::BalanceExpired, &DeclineReason::InsufficientFunds]);
}

#[test]
fn states_and_classes_are_called_as_the_local_api_says() {
    let states = [
        (TerminalState::NotEnrolled, "not_enrolled"),
        (TerminalState::Revoked, "revoked"),
        (TerminalState::Closed, "closed"),
        (TerminalState::Quarantined, "quarantined"),
        (TerminalState::Paused, "paused"),
        (TerminalState::Live, "live"),
    ];
    for (state, name) in states {
        assert_eq!(state.name(), name);
    }
    let classes = [
        (DeclineClass::AnotherMeans, "another_means", "class-another-means"),
        (DeclineClass::TryAgain, "try_again", "class-try-again"),
        (DeclineClass::CallFund, "call_fund", "class-call-fund"),
    ];
    for (class, name, message) in classes {
        assert_eq!((class.name(), class.message_id()), (name, message));
    }
}

proptest! {
    #[test]
    fn spent_never_passes_allowed_whatever_is_asked(
        allowed in 0u64..=200_000,
        amounts in prop::collection::vec(0u64..=20_000, 0..60),
    ) {
        let policy = policy();
        let mut facts = good(&policy);
        facts.balance.as_mut().unwrap().allowed = cents(allowed);
        let mut sum = 0;
        for amount in amounts {
            if let Decision::Approve { spent_after, available_after, .. } = authorize(&facts, cents(amount)) {
                sum += amount;
                prop_assert_eq!(spent_after.get(), sum);
                prop_assert_eq!(available_after.get(), allowed - sum);
                facts.counters.spent = spent_after;
            }
            prop_assert!(facts.counters.spent.get() <= allowed);
        }
    }

    #[test]
    fn counters_out_of_range_decline(spent in 0..=Cents::MAX, allowed in 0..=Cents::MAX, fund in 1..=10_000u64) {
        let policy = policy();
        let mut facts = good(&policy);
        facts.balance.as_mut().unwrap().allowed = cents(allowed);
        facts.counters.spent = cents(spent);
        let approved = matches!(authorize(&facts, cents(fund)), Decision::Approve { .. });
        prop_assert_eq!(approved, spent.checked_add(fund).is_some_and(|after| after <= allowed));
    }
}
