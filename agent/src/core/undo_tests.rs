#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::integer_division,
    clippy::type_complexity,
    reason = "a failed unwrap is the test's failure"
)]
use super::*;
use proptest::prelude::*;

fn cents(cents: u64) -> Cents {
    Cents::new(cents).unwrap()
}

fn line(category: u16, requested: u64, fund: u64) -> Line {
    let member = cents(requested - fund);
    Line { category: CategoryId::new(category), requested: cents(requested), fund: cents(fund), member }
}

fn asked(category: u16, requested: u64) -> AskedLine {
    AskedLine { category: CategoryId::new(category), requested: cents(requested) }
}

#[test]
fn each_reason_against_a_reversal_is_given_until_exactly_its_fault_is_cured() {
    let mut sale = SaleFacts {
        terminal: TerminalState::Quarantined,
        is_reversed: true,
        is_refunded: true,
        is_today: false,
        is_newest: false,
        age_s: REVERSAL_S_MAX + 1,
    };
    type Cure = fn(&mut SaleFacts);
    let cures: [(UndoRefusal, Cure); 7] = [
        (UndoRefusal::Terminal(TerminalState::Quarantined), |sale| sale.terminal = TerminalState::Closed),
        (UndoRefusal::Terminal(TerminalState::Closed), |sale| sale.terminal = TerminalState::Revoked),
        (UndoRefusal::Terminal(TerminalState::Revoked), |sale| sale.terminal = TerminalState::Paused),
        (UndoRefusal::Reversed, |sale| sale.is_reversed = false),
        (UndoRefusal::Refunded, |sale| sale.is_refunded = false),
        (UndoRefusal::TooLate, |sale| sale.is_today = true),
        (UndoRefusal::TooLate, |sale| sale.age_s = REVERSAL_S_MAX),
    ];
    for (refusal, cure) in cures {
        assert_eq!(check_reversal(sale), Err(refusal));
        cure(&mut sale);
    }
    assert_eq!(check_reversal(sale), Ok(()));
    sale = SaleFacts { is_newest: true, age_s: 80_000, ..sale };
    assert_eq!(check_reversal(sale), Ok(()), "the purse's newest sale, for the whole day");
    assert_eq!(check_reversal(SaleFacts { is_today: false, ..sale }), Err(UndoRefusal::TooLate));
}

#[test]
fn a_refund_has_the_parts_of_its_sale() {
    let sale = [line(1, 1000, 1000), line(2, 1001, 701)];
    let cases: [(&[Line], Option<&[AskedLine]>, &[(u16, u64, u64)]); 6] = [
        (&[], None, &[(1, 1000, 1000), (2, 1001, 701)]),
        (&[], Some(&[asked(2, 500)]), &[(2, 500, 350)]),
        (&[line(2, 500, 350)], Some(&[asked(2, 501)]), &[(2, 501, 351)]),
        (&[line(2, 500, 350)], None, &[(1, 1000, 1000), (2, 501, 351)]),
        (&[line(1, 1000, 1000)], None, &[(2, 1001, 701)]),
        (&[], Some(&[asked(1, 1), asked(1, 2), asked(2, 0)]), &[(1, 3, 3)]),
    ];
    for (before, asked, lines) in cases {
        let given = refund_lines(&sale, before, asked).unwrap();
        let given: Vec<_> =
            given.iter().map(|line| (line.category.get(), line.requested.get(), line.fund.get())).collect();
        assert_eq!(given, lines, "{before:?} {asked:?}");
    }
}

#[test]
fn a_refund_of_a_part_payment_gives_back_what_the_fund_paid() {
    let given = refund_lines(&[line(1, 3000, 1000)], &[], Some(&[asked(1, 1500)])).unwrap();
    assert_eq!(given, [line(1, 1500, 500)]);
}

#[test]
fn what_cannot_be_refunded_says_why() {
    let sale = [line(1, 1000, 1000), line(2, 1000, 1), line(3, 500, 0)];
    let category = CategoryId::new;
    let too_much = |number, left| UndoRefusal::TooMuch { category: category(number), left: cents(left) };
    let cases: [(&[Line], &[AskedLine], UndoRefusal); 8] = [
        (&[], &[], UndoRefusal::Lines),
        (&[], &[asked(1, 1); LINES_MAX + 1], UndoRefusal::Lines),
        (&[], &[asked(9, 1)], UndoRefusal::UnknownCategory(category(9))),
        (&[], &[asked(1, 1001)], too_much(1, 1000)),
        (&[], &[asked(1, 600), asked(1, 401)], too_much(1, 1000)),
        (&[line(1, 400, 400)], &[asked(1, 601)], too_much(1, 600)),
        (&[], &[asked(2, 400)], UndoRefusal::NothingPaid),
        (&[], &[asked(3, 500)], UndoRefusal::NothingPaid),
    ];
    for (before, asked, refusal) in cases {
        assert_eq!(refund_lines(&sale, before, Some(asked)), Err(refusal), "{asked:?}");
    }
    assert_eq!(refund_lines(&sale, &sale, None), Err(UndoRefusal::NothingPaid), "all of it was refunded");
    let most = [line(1, Cents::MAX, Cents::MAX)];
    assert_eq!(refund_lines(&most, &[], None).unwrap(), most);
}

#[test]
fn a_refund_has_as_many_lines_as_a_row_holds() {
    let most = [asked(1, 1); LINES_MAX];
    assert!(refund_lines(&[line(1, 1_000, 1_000)], &[], Some(&most)).is_ok());
}

#[test]
fn each_reason_against_undoing_has_a_message_of_its_own_and_half_an_hour_is_1800_seconds() {
    for (refusal, id) in [
        (UndoRefusal::UnknownSale, "undo-unknown-sale"),
        (UndoRefusal::Reversed, "undo-reversed"),
        (UndoRefusal::Refunded, "undo-refunded"),
        (UndoRefusal::TooLate, "undo-too-late"),
        (UndoRefusal::NothingPaid, "undo-nothing-paid"),
    ] {
        assert_eq!(refusal.message_id(), id);
    }
    assert_eq!(REVERSAL_S_MAX, 1_800);
}

proptest! {
    #[test]
    fn refunds_of_a_sale_never_come_to_more_than_it_paid(
        amounts in prop::collection::vec((1u16..4, 1u64..5000, 0u64..=100), 1..5),
        steps in prop::collection::vec((1u16..5, 1u64..3000), 0..20),
    ) {
        let sale: Vec<_> = amounts.iter().map(|(id, requested, share)| line(*id, *requested, requested * share / 100)).collect();
        let mut before: Vec<Line> = Vec::new();
        let by = |lines: &[Line], id: u16| {
            let of = lines.iter().filter(|line| line.category.get() == id);
            of.fold((0, 0), |sum, line| (sum.0 + line.requested.get(), sum.1 + line.fund.get()))
        };
        for (id, requested) in steps {
            if let Ok(lines) = refund_lines(&sale, &before, Some(&[asked(id, requested)])) {
                before.extend(lines);
            }
            let (paid, back) = (by(&sale, id), by(&before, id));
            prop_assert!(back.0 <= paid.0 && back.1 <= paid.1, "{:?} of {:?}", back, paid);
        }
        if let Ok(rest) = refund_lines(&sale, &before, None) {
            before.extend(rest);
            for id in 1..4 {
                prop_assert_eq!(by(&before, id), by(&sale, id));
            }
        }
    }
}
