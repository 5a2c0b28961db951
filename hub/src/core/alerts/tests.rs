#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "small numbers; a failed unwrap fails the test"
)]
use super::*;
use proptest::prelude::*;

const START: u64 = 1_800_000_000;
const HOUR: u64 = 3600;

fn check(code: &'static str, verdict: Verdict, terminals: &[u32]) -> Check {
    let says = (verdict != Verdict::Fine).then_some(code);
    Check { code, verdict, says, value: None, terminals: terminals.to_vec() }
}

/// Looks at moments, in hours since the start; what each told.
fn play(looks: &[(u64, Vec<Check>)]) -> Vec<Vec<(Event, String, Vec<u32>)>> {
    let mut open = Alerts::new();
    looks
        .iter()
        .map(|(seconds, checks)| {
            let step = step(&open, checks, Timestamp::new(START + seconds));
            open = step.open;
            step.lines.into_iter().map(|line| (line.event, line.code, line.terminals)).collect()
        })
        .collect()
}

fn said(event: Event, code: &str, terminals: &[u32]) -> Vec<(Event, String, Vec<u32>)> {
    vec![(event, code.to_owned(), terminals.to_vec())]
}

#[test]
fn one_message_when_it_begins_one_a_day_and_one_when_it_ends() {
    let low = || vec![check("disk", Verdict::Look, &[])];
    let fine = || vec![check("disk", Verdict::Fine, &[])];
    let told = play(&[
        (0, fine()),
        (300, low()),
        (600, low()),
        (300 + REMIND_S - 1, low()),
        (300 + REMIND_S, low()),
        (600 + REMIND_S, low()),
        (300 + 2 * REMIND_S, low()),
        (600 + 2 * REMIND_S, fine()),
        (600 + 2 * REMIND_S + END_AFTER_S - 1, fine()),
        (600 + 2 * REMIND_S + END_AFTER_S, fine()),
        (900 + 3 * REMIND_S, fine()),
    ]);
    let (begins, lasts) = (said(Event::Begins, "disk", &[]), said(Event::Lasts, "disk", &[]));
    let none = Vec::new;
    let ends = said(Event::Ends, "disk", &[]);
    let expected = [none(), begins, none(), none(), lasts.clone(), none(), lasts, none(), none(), ends, none()];
    assert_eq!(told, expected);
}

#[test]
fn what_comes_and_goes_is_one_alert() {
    let (low, fine) = (check("disk", Verdict::Look, &[]), check("disk", Verdict::Fine, &[]));
    let looks: Vec<_> =
        (0..200).map(|look| (look * 300, vec![if look % 2 == 0 { low.clone() } else { fine.clone() }])).collect();
    let messages = play(&looks).into_iter().filter(|lines| !lines.is_empty()).count();
    assert_eq!(messages, 1, "it never was fine for a quarter of an hour");
}

#[test]
fn what_gets_worse_is_told_again_and_what_gets_better_is_not() {
    let (look, wrong) = (check("disk", Verdict::Look, &[]), check("disk", Verdict::Wrong, &[]));
    let looks = [&look, &wrong, &look, &wrong, &wrong];
    let looks: Vec<_> = (0..).zip(looks).map(|(at, check)| (at * 300, vec![check.clone()])).collect();
    let told: Vec<usize> = play(&looks).iter().map(Vec::len).collect();
    assert_eq!(told, [1, 1, 0, 0, 0]);
}

#[test]
fn terminals_that_fall_silent_together_are_one_line_and_each_begins_once() {
    let silent = |terminals: &[u32]| vec![check("silent", Verdict::Look, terminals)];
    let none = || vec![check("silent", Verdict::Fine, &[])];
    let told = play(&[
        (0, silent(&[3, 7])),
        (HOUR, silent(&[3, 5, 7])),
        (2 * HOUR, silent(&[5])),
        (3 * HOUR, silent(&[5])),
        (4 * HOUR, none()),
        (5 * HOUR, none()),
    ]);
    let expected = [
        said(Event::Begins, "silent", &[3, 7]),
        said(Event::Begins, "silent", &[5]),
        Vec::new(),
        said(Event::Ends, "silent", &[3, 7]),
        Vec::new(),
        said(Event::Ends, "silent", &[5]),
    ];
    assert_eq!(told, expected);
}

#[test]
fn reminders_of_many_things_come_in_one_message_a_day() {
    let mut looks = Vec::new();
    // A terminal more falls silent each hour, for ten days.
    for hour in 0..240_u64 {
        let terminals: Vec<u32> = (1..=u32::try_from(hour.min(19)).unwrap() + 1).collect();
        looks.push((hour * HOUR, vec![check("silent", Verdict::Look, &terminals)]));
    }
    let reminders: Vec<usize> = play(&looks)
        .iter()
        .enumerate()
        .filter(|(_, lines)| lines.iter().any(|line| line.0 == Event::Lasts))
        .map(|(hour, _)| hour)
        .collect();
    assert!(reminders.windows(2).all(|pair| matches!(pair, [first, second] if second - first >= 24)), "{reminders:?}");
    assert!(reminders.len() >= 9, "{reminders:?}");
}

#[test]
fn what_cannot_be_looked_at_neither_begins_nor_ends() {
    let told = play(&[(0, vec![check("disk", Verdict::Look, &[])]), (HOUR, Vec::new()), (2 * HOUR, Vec::new())]);
    assert_eq!(told.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 0]);
    // What is for who looks, and not for a message.
    assert!(play(&[(0, vec![check("alerts", Verdict::Look, &[])])]).iter().all(Vec::is_empty));
}

#[test]
fn a_clock_that_ran_a_year_ahead_puts_off_no_reminder_and_no_end() {
    const YEAR: u64 = 365 * REMIND_S;
    let low = || vec![check("disk", Verdict::Look, &[])];
    let fine = || vec![check("disk", Verdict::Fine, &[])];
    let told = play(&[
        (YEAR, low()),
        (YEAR + REMIND_S, low()),
        (0, low()),
        (REMIND_S, low()),
        (YEAR, fine()),
        (REMIND_S + 300, fine()),
        (REMIND_S + 300 + END_AFTER_S, fine()),
    ]);
    let lasts = || said(Event::Lasts, "disk", &[]);
    let begins = said(Event::Begins, "disk", &[]);
    let expected = [begins, lasts(), Vec::new(), lasts(), Vec::new(), Vec::new(), said(Event::Ends, "disk", &[])];
    assert_eq!(told, expected);
}

proptest! {
    /// Whatever is seen in whatever order, clocks that go back included: who is told that something ends was told that it
    /// began, and never twice in a row.
    #[test]
    fn beginnings_and_ends_take_turns(looks in proptest::collection::vec((0_u64..400_000, 0_u8..3), 1..80)) {
        let looks: Vec<_> = looks.into_iter().map(|(at, state)| {
            let verdict = [Verdict::Fine, Verdict::Look, Verdict::Wrong].into_iter().nth(state.into()).unwrap();
            (at, vec![check("disk", verdict, &[])])
        }).collect();
        let mut is_open = false;
        for (event, _, _) in play(&looks).into_iter().flatten() {
            match event {
                Event::Begins => is_open = true,
                Event::Lasts => prop_assert!(is_open),
                Event::Ends => {
                    prop_assert!(is_open);
                    is_open = false;
                }
            }
        }
    }
}
