#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
use super::*;
use proptest::prelude::*;

fn version(text: &str) -> ProgramVersion {
    text.parse().unwrap()
}

fn held(version: &str) -> Held {
    Held {
        version: version.to_owned(),
        release: format!("release {version}"),
        hash: String::new(),
        size: 1,
        journal_form: 8,
        worked: false,
    }
}

fn start(state: &mut State, broken: &[Slot]) -> Choice {
    let packaged = version("0.1.0");
    let (choice, next) = state.launch(packaged, true, |slot, _| broken.contains(&slot).then_some(Why::Damaged));
    *state = next;
    choice
}

/// The packaged program runs 0.2.0 in slot A, and it worked.
fn upgraded() -> State {
    let mut state = State::default();
    state.try_next(state.free_slot(), held("0.2.0"));
    assert_eq!(start(&mut state, &[]), Choice::Slot(Slot::A));
    state.confirm(Slot::A);
    state
}

#[test]
fn nothing_but_the_packaged_program_is_started_before_an_upgrade() {
    assert_eq!(start(&mut State::default(), &[]), Choice::Packaged);
}

#[test]
fn a_new_program_is_tried_three_times_and_then_the_one_before_runs_again() {
    let mut state = upgraded();
    state.try_next(state.free_slot(), held("0.3.0"));
    for _ in 0..STARTS_MAX {
        assert_eq!(start(&mut state, &[]), Choice::Slot(Slot::B));
    }
    assert_eq!(start(&mut state, &[]), Choice::Slot(Slot::A));
    assert_eq!(state.bad("release 0.3.0").unwrap().why, Why::NotHealthy);
    assert_eq!((state.trial, state.running, state.free_slot()), (None, Some(Slot::A), Slot::B));
}

#[test]
fn a_new_program_that_works_stays() {
    let mut state = upgraded();
    state.try_next(state.free_slot(), held("0.3.0"));
    assert_eq!(start(&mut state, &[]), Choice::Slot(Slot::B));
    state.confirm(Slot::B);
    for _ in 0..10 {
        assert_eq!(start(&mut state, &[]), Choice::Slot(Slot::B));
    }
    assert_eq!(state.free_slot(), Slot::A);
}

#[test]
fn a_damaged_program_is_not_started() {
    let mut state = upgraded();
    assert_eq!(start(&mut state, &[Slot::A]), Choice::Packaged);
    assert_eq!(state.bad("release 0.2.0").unwrap().why, Why::Damaged);
    let mut state = upgraded();
    state.try_next(Slot::B, held("0.3.0"));
    assert_eq!(start(&mut state, &[Slot::B]), Choice::Slot(Slot::A), "the trial's file is damaged");
    let mut state = upgraded();
    state.try_next(Slot::B, held("0.3.0"));
    state.confirm(Slot::B);
    assert_eq!(start(&mut state, &[Slot::B]), Choice::Slot(Slot::A), "the one before still lies there");
}

#[test]
fn a_newer_package_is_what_a_person_installed_last() {
    let state = upgraded();
    for packaged in ["0.2.0", "0.3.0"] {
        assert_eq!(state.launch(version(packaged), true, |_, _| None).0, Choice::Packaged, "{packaged}");
    }
    let mut state = upgraded();
    state.try_next(Slot::B, held("0.3.0"));
    let (choice, next) = state.launch(version("0.3.0"), true, |_, _| None);
    assert_eq!((choice, next.bad.len(), next.trial), (Choice::Packaged, 0, None), "and nothing is wrong with it");
}

#[test]
fn a_start_that_cannot_be_counted_is_none_of_the_trial() {
    let mut state = upgraded();
    state.try_next(Slot::B, held("0.3.0"));
    let (choice, next) = state.launch(version("0.1.0"), false, |_, _| None);
    assert_eq!((choice, next.trial), (Choice::Slot(Slot::A), state.trial));
}

#[test]
fn what_a_person_takes_back_is_not_taken_again() {
    let mut state = upgraded();
    assert!(state.take_back());
    assert_eq!(start(&mut state, &[]), Choice::Packaged);
    assert_eq!(state.bad("release 0.2.0").unwrap().why, Why::TakenBack);
    assert!(!state.take_back());
    let mut state = upgraded();
    state.try_next(Slot::B, held("0.3.0"));
    state.confirm(Slot::B);
    assert!(state.take_back());
    assert_eq!(start(&mut state, &[]), Choice::Slot(Slot::A));
}

#[test]
fn a_failure_is_shown_until_a_program_runs_that_is_newer() {
    let mut state = State::default();
    let shown = |state: &State, runs: &str| state.rolled_back(version(runs)).map(|bad| bad.version.clone());
    state.note_bad("one", "0.3.0", Why::NotHealthy);
    assert_eq!(shown(&state, "0.2.0"), Some(String::from("0.3.0")));
    assert_eq!(shown(&state, "0.3.0"), None);
    assert_eq!(shown(&state, "0.10.0"), None);
    state.note_bad("two", "0.9.0", Why::SelfTest);
    assert_eq!(shown(&state, "0.2.0"), Some(String::from("0.3.0")), "what never ran was not rolled back");
    state.note_bad("three", "0.11.0", Why::TakenBack);
    assert_eq!(shown(&state, "0.10.0"), Some(String::from("0.11.0")));
}

#[test]
fn a_version_that_failed_is_taken_again_once_a_person_says_so() {
    let mut state = State::default();
    state.note_bad("one", "0.2.0", Why::NotHealthy);
    state.note_bad("the same for another machine", "0.2.0", Why::SelfTest);
    state.note_bad("two", "0.3.0", Why::NotHealthy);
    assert!(!state.forget_bad("0.4.0"));
    assert!(state.forget_bad("0.2.0"));
    assert!(state.bad("one").is_none() && state.bad("the same for another machine").is_none());
    assert_eq!(state.bad("two").map(|bad| bad.why), Some(Why::NotHealthy));
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut state = State::default();
    for number in 0..40 {
        state.note_bad(&format!("release {number}"), "0.0.1", Why::SelfTest);
    }
    assert_eq!(state.bad.len(), BAD_MAX);
    assert!(state.bad("release 39").is_some() && state.bad("release 0").is_none());
}

#[derive(Clone, Debug)]
enum Step {
    New,
    Start { broken: Vec<Slot>, counts: bool },
    Confirm,
    TakeBack,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let slots = proptest::sample::subsequence(Slot::BOTH.to_vec(), 0..=2);
    let start = (slots, any::<bool>()).prop_map(|(broken, counts)| Step::Start { broken, counts });
    proptest::collection::vec(prop_oneof![Just(Step::New), start, Just(Step::Confirm), Just(Step::TakeBack)], 0..60)
}

proptest! {
    #[test]
    fn whatever_happens_something_whole_is_started_and_no_trial_is_without_end(steps in steps()) {
        let (mut state, mut number, mut runs, mut tried) = (State::default(), 1_u16, None, 0_u8);
        for step in steps {
            match step {
                Step::New => {
                    number = number.saturating_add(1);
                    let slot = state.free_slot();
                    prop_assert!(state.running != Some(slot), "a new program never goes where one runs");
                    state.clear(slot);
                    state.try_next(slot, held(&format!("0.{number}.0")));
                    tried = 0;
                    runs = runs.filter(|runs| *runs != Choice::Slot(slot));
                }
                Step::Start { broken, counts } => {
                    let fault = |slot: Slot, _: &Held| broken.contains(&slot).then_some(Why::Damaged);
                    let (choice, next) = state.launch(version("0.1.0"), counts, fault);
                    if let Choice::Slot(slot) = choice {
                        prop_assert!(!broken.contains(&slot));
                        let is_trial = next.trial.is_some_and(|trial| trial.slot == slot);
                        prop_assert!(is_trial || next.held(slot).is_some_and(|held| held.worked));
                        tried = if is_trial { tried.saturating_add(1) } else { tried };
                        prop_assert!(tried <= STARTS_MAX);
                    }
                    runs = Some(choice);
                    // What cannot be written down is not there at the next start.
                    if counts {
                        state = next;
                    }
                }
                Step::Confirm => {
                    if let Some(Choice::Slot(slot)) = runs {
                        state.confirm(slot);
                    }
                }
                Step::TakeBack => drop(state.take_back()),
            }
        }
    }
}
