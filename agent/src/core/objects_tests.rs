#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
use super::*;
use cabas_protocol::head::{Head, HeadContext, ObjectType};
use cabas_protocol::objects::Category;
use cabas_protocol::row::Tier;
use cabas_protocol::{CategoryId, FundId, PolicyId};

const ME: Me = Me { terminal: TerminalId::new(7), epoch: Epoch::new(2) };

fn head(object_type: ObjectType) -> Head {
    let context = HeadContext { fund: FundId::new(1), incarnation: Incarnation::new(1), time_epoch: TimeEpoch::new(1) };
    context.head(object_type)
}

fn cents(cents: u64) -> Cents {
    Cents::new(cents).unwrap()
}

fn offered(scope: Scope, serial: u32, allowed: u64, issued_at: u64) -> SignedBalance {
    SignedBalance {
        head: head(ObjectType::Balance),
        purse: PurseRef::new([0xab; 8]),
        scope,
        serial: Serial::new(serial),
        allowed: cents(allowed),
        policy: PolicyId::new(1),
        issued_at: Timestamp::new(issued_at),
        valid_for_s: 0,
    }
}

#[test]
fn a_balance_is_taken_by_serial_and_never_allows_less() {
    let held = HeldBalance { serial: Serial::new(5), allowed: cents(1000), issued_at: Timestamp::new(1), binds: true };
    let mine = Scope::Terminal(ME.terminal, ME.epoch);
    for (serial, allowed, issued_at, verdict) in [
        (6, 1001, 2, "take"),
        (6, 1000, 2, "take"),
        (6, 999, 2, "lower"),
        (400, 0, 2, "lower"),
        (5, 1000, 1, "ignore"),
        (5, 1000, 2, "take"),
        (5, 1000, 0, "ignore"),
        (5, 1001, 2, "same"),
        (5, 999, 2, "same"),
        (4, 9999, 2, "ignore"),
        (4, 1, 2, "ignore"),
    ] {
        let found = match balance(ME, Some(held), &offered(mine, serial, allowed, issued_at)) {
            Verdict::Take => "take",
            Verdict::Ignore => "ignore",
            Verdict::Reject(Alarm::LowerAllowed { .. }) => "lower",
            Verdict::Reject(Alarm::SameNumber { .. }) => "same",
            Verdict::Reject(other) => panic!("{other}"),
        };
        assert_eq!(found, verdict, "serial {serial}, allowed {allowed}");
    }
    assert_eq!(balance(ME, None, &offered(mine, 1, 0, 0)), Verdict::Take);
    // Of a key that was taken back: only a newer word may allow less.
    let void = HeldBalance { binds: false, ..held };
    assert_eq!(balance(ME, Some(void), &offered(mine, 6, 999, 2)), Verdict::Take);
    assert_eq!(balance(ME, Some(void), &offered(mine, 5, 1000, 1)), Verdict::Take, "the same word by another key");
    assert_eq!(balance(ME, Some(void), &offered(mine, 4, 999, 2)), Verdict::Ignore);
}

#[test]
fn a_balance_for_another_terminal_or_epoch_is_not_taken() {
    let misaddressed = Verdict::Reject(Alarm::Misaddressed { what: "a balance" });
    for (scope, verdict) in [
        (Scope::Terminal(TerminalId::new(8), ME.epoch), misaddressed.clone()),
        (Scope::Terminal(ME.terminal, Epoch::new(1)), misaddressed.clone()),
        (Scope::Terminal(ME.terminal, Epoch::new(3)), misaddressed),
        (Scope::Terminal(ME.terminal, ME.epoch), Verdict::Take),
        (Scope::Card, Verdict::Take),
    ] {
        assert_eq!(balance(ME, None, &offered(scope, 1, 100, 0)), verdict, "{scope:?}");
    }
}

#[test]
fn a_card_never_changes_purse() {
    let purse = PurseRef::new([1; 8]);
    let held = HeldBinding { version: Version::new(3), purse };
    let offer = |version, purse| Binding {
        head: head(ObjectType::Binding),
        card: CardRef::new([0xcd; 8]),
        tier: Tier::Plain,
        purse,
        version: Version::new(version),
    };
    let other = PurseRef::new([2; 8]);
    let changed = Verdict::Reject(Alarm::CardChangedPurse { card: CardRef::new([0xcd; 8]).into() });
    for (binding_offered, verdict) in [
        (offer(4, purse), Verdict::Take),
        (offer(4, other), changed),
        (offer(3, purse), Verdict::Ignore),
        (offer(2, other), Verdict::Ignore),
    ] {
        assert_eq!(binding(Some(held), &binding_offered), verdict);
    }
    assert_eq!(binding(None, &offer(0, other)), Verdict::Take);
}

#[test]
fn the_version_of_a_hot_list_never_goes_down() {
    let list = |version, base| HotList {
        head: head(ObjectType::HotList),
        version: Version::new(version),
        base: Version::new(base),
        issued_at: Timestamp::new(0),
        cards: vec![],
        purses: vec![],
        cards_removed: vec![],
        purses_removed: vec![],
    };
    for (version, base, verdict) in [
        (5, 0, "ignore"),
        (4, 0, "ignore"),
        (1, 0, "ignore"),
        (5, 4, "ignore"),
        (6, 5, "step"),
        (9, 5, "step"),
        (6, 0, "replace"),
        (7, 6, "gap"),
        (7, 4, "gap"),
    ] {
        let found = match hot_list(Version::new(5), &list(version, base)) {
            ListVerdict::Replace => "replace",
            ListVerdict::Step => "step",
            ListVerdict::Ignore => "ignore",
            ListVerdict::Gap(_) => "gap",
        };
        assert_eq!(found, verdict, "version {version} from {base}");
    }
}

#[test]
fn the_number_of_a_policy_never_goes_down_and_means_one_thing() {
    let limits = |id, sale| Policy {
        head: head(ObjectType::Policy),
        id: PolicyId::new(id),
        sale_cents_max: cents(sale),
        plain_sale_cents_max: cents(1),
        plain_day_cents_max: cents(1),
        plain_list_age_s_max: 1,
        part_payment: false,
    };
    let held = limits(3, 100);
    let same = Verdict::Reject(Alarm::SameNumber { what: "a policy", number: 3 });
    for (offered, verdict) in [
        (limits(4, 1), Verdict::Take),
        (limits(3, 100), Verdict::Ignore),
        (limits(3, 101), same),
        (limits(2, 1_000_000), Verdict::Ignore),
    ] {
        assert_eq!(policy(Some(&held), &offered), verdict);
    }
    let restored = Policy { head: Head { incarnation: Incarnation::new(9), ..held.head }, ..held.clone() };
    assert_eq!(policy(Some(&held), &restored), Verdict::Ignore, "the same limits of a later life of the hub");
    assert_eq!(policy(None, &held), Verdict::Take);
}

#[test]
fn a_grid_and_a_configuration_are_for_this_terminal() {
    let category = Category {
        id: CategoryId::new(1),
        share_percent: 100,
        label_fr: String::from("a"),
        label_en: String::from("b"),
    };
    let made = |terminal, share| Grid {
        head: head(ObjectType::Grid),
        terminal: TerminalId::new(terminal),
        version: Version::new(1),
        valid_from_day: 0,
        categories: vec![Category { share_percent: share, ..category.clone() }],
    };
    let held = made(7, 100);
    assert_eq!(grid(ME, None, &held), Verdict::Take);
    assert_eq!(grid(ME, Some(&held), &held.clone()), Verdict::Ignore);
    assert!(matches!(grid(ME, Some(&held), &made(7, 50)), Verdict::Reject(Alarm::SameNumber { .. })));
    assert!(matches!(grid(ME, None, &made(8, 100)), Verdict::Reject(Alarm::Misaddressed { .. })));

    let config = |terminal, epoch, version| TerminalConfig {
        head: head(ObjectType::TerminalConfig),
        terminal: TerminalId::new(terminal),
        epoch: Epoch::new(epoch),
        version: Version::new(version),
        shop_name: String::new(),
        fund_name: String::new(),
        helpline: String::new(),
        paused: false,
    };
    let held = config(7, 2, 5);
    assert_eq!(terminal_config(ME, Some(&held), &config(7, 2, 6)), Verdict::Take);
    assert_eq!(terminal_config(ME, Some(&held), &config(7, 2, 5)), Verdict::Ignore);
    assert!(matches!(terminal_config(ME, None, &config(7, 1, 6)), Verdict::Reject(Alarm::Misaddressed { .. })));
    assert!(matches!(terminal_config(ME, None, &config(8, 2, 6)), Verdict::Reject(Alarm::Misaddressed { .. })));
}

#[test]
fn an_older_life_of_the_hub_is_not_believed() {
    let life = |incarnation, time_epoch| HubLife {
        incarnation: Incarnation::new(incarnation),
        time_epoch: TimeEpoch::new(time_epoch),
    };
    for (seen, believed) in
        [(life(3, 2), true), (life(4, 2), true), (life(3, 3), true), (life(2, 2), false), (life(3, 1), false)]
    {
        assert_eq!(life(3, 2).believes(seen), believed, "{seen:?}");
    }
}

#[test]
fn an_alarm_shows_only_the_beginning_of_a_pseudonym() {
    let alarm = Alarm::CardChangedPurse { card: CardRef::new([0xcd; 8]).into() };
    assert_eq!(alarm.to_string(), "a binding gives card cdcd… another purse: not taken");
    assert!(!format!("{alarm:?}").contains("cdcdcd"));
}

#[test]
fn the_key_of_a_card_is_taken_by_version_and_for_this_terminal_alone() {
    let key = |slot, version, terminal| SlotKey {
        head: head(ObjectType::SlotKey),
        terminal: TerminalId::new(terminal),
        epoch: ME.epoch,
        card: CardRef::new([1; 8]),
        slot,
        version,
        key: minicbor::bytes::ByteArray::from([3; 16]),
        oldest: 0,
    };
    let held = |slot, version, is_same| HeldSlotKey { slot, version, is_same };
    for (held, offered, verdict) in [
        (vec![], key(1, 0, 7), "take"),
        (vec![], key(1, 0, 8), "alarm"),
        (vec![held(1, 0, true)], key(1, 0, 7), "ignore"),
        (vec![held(1, 0, false)], key(1, 0, 7), "alarm"),
        (vec![held(1, 0, false)], key(1, 1, 7), "take"),
        (vec![held(1, 2, false), held(1, 1, false)], key(1, 0, 7), "take"),
        (vec![held(1, 3, false), held(1, 2, false), held(1, 1, false)], key(1, 0, 7), "ignore"),
        (vec![held(1, 2, false)], key(2, 0, 7), "take"),
    ] {
        let given = match slot_key(ME, &held, &offered) {
            Verdict::Take => "take",
            Verdict::Ignore => "ignore",
            Verdict::Reject(_) => "alarm",
        };
        assert_eq!(given, verdict, "{held:?} {offered:?}");
    }
}
