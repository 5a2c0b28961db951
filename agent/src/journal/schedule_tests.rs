//! The journal's thread under many orders of its steps, chosen by a schedule explorer (shuttle): `handle.rs` is built here a
//! second time, with the explorer's locks and threads, and with a journal that only counts. An answer that never comes is a
//! deadlock, which the explorer tells with the schedule that leads to it.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::integer_division,
    reason = "a failed unwrap is the test's failure; which asker a number is of is a quotient"
)]

mod locks {
    pub(super) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
    pub(super) use shuttle::thread::{Builder, JoinHandle};
}
#[path = "handle.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::duplicate_mod,
    reason = "built a second time: not all of it is asked for here"
)]
mod handle;

use super::{JournalError, Trouble};
use handle::{JournalHandle, LANE_MAX, start};
use locks::Arc;
use shuttle::future::block_on;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::mpsc;
use shuttle::{Config, Runner, thread};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Schedules of each kind that are tried of a scenario.
const SCHEDULES: usize = 400;
/// Changes of priority in one schedule of the second kind (PCT): so deep may a fault lie to be found surely.
const DEPTH: usize = 3;

/// What is kept at hand: how much was done.
#[derive(Debug)]
struct State {
    done: u32,
}

/// A journal that only counts.
struct Journal {
    state: Arc<State>,
}

impl Journal {
    fn new() -> Self {
        Self { state: Arc::new(State { done: 0 }) }
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    const fn trouble(&self) -> Option<Trouble> {
        None
    }

    const fn tidy(&mut self) {}

    fn work(&mut self) -> u32 {
        self.state = Arc::new(State { done: self.state.done + 1 });
        self.state.done
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lane {
    Customer,
    Sync,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Event {
    /// It waits in its lane.
    Waits(Lane, u32),
    Begun(Lane, u32),
    Told(u32),
}

/// What happened, in order. The explorer lets one thread run at a time and sees nothing of this lock.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<Event>>>);

impl Log {
    fn add(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }

    fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}

type Asked = Pin<Box<dyn Future<Output = Result<u32, JournalError>> + Send>>;

/// Asks for work that is done, or that fails where its number can be divided by three.
fn ask(handle: &JournalHandle, log: &Log, lane: Lane, number: u32) -> Asked {
    let (handle, log) = (handle.clone(), log.clone());
    let work = move |journal: &mut Journal| {
        log.add(Event::Begun(lane, number));
        let done = journal.work();
        if number.is_multiple_of(3) { Err(JournalError::Full) } else { Ok(done) }
    };
    Box::pin(async move {
        match lane {
            Lane::Customer => handle.customer(work).await,
            Lane::Sync => handle.sync(work).await,
        }
    })
}

/// Puts all of it into the lane, one behind the other, and waits for every answer.
fn asks(handle: &JournalHandle, log: &Log, lane: Lane, numbers: std::ops::Range<u32>) -> Vec<(u32, Answer)> {
    let mut waiting = Vec::new();
    for number in numbers {
        let mut asked = ask(handle, log, lane, number);
        let first = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if first.is_pending() {
            log.add(Event::Waits(lane, number));
        }
        waiting.push((number, asked, first));
    }
    let mut answers = Vec::new();
    for (number, asked, first) in waiting {
        let answer = match first {
            Poll::Ready(answer) => answer,
            Poll::Pending => block_on(asked),
        };
        log.add(Event::Told(number));
        if let Ok(done) = answer {
            assert!(handle.published().state.done >= done, "{number} was told before it was published");
        }
        answers.push((number, Answer::of(&answer)));
    }
    answers
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answer {
    Done,
    Failed,
    NotBegun,
}

impl Answer {
    fn of(answer: &Result<u32, JournalError>) -> Self {
        match answer {
            Ok(_) => Self::Done,
            Err(JournalError::Full) => Self::Failed,
            Err(JournalError::Closed | JournalError::Busy) => Self::NotBegun,
            Err(other) => panic!("{other}"),
        }
    }
}

/// Each answer says what happened, everything was done in its turn, and no sync went before a customer who stood there.
fn check(log: &Log, answers: &[(u32, Answer)], asked_at_once: u32) {
    let events = log.events();
    let begun: Vec<_> = events
        .iter()
        .filter_map(|event| if let Event::Begun(_, number) = event { Some(*number) } else { None })
        .collect();
    for (number, answer) in answers {
        let times = begun.iter().filter(|begun| *begun == number).count();
        let expected = match answer {
            Answer::NotBegun => (0, Answer::NotBegun),
            Answer::Done | Answer::Failed if number.is_multiple_of(3) => (1, Answer::Failed),
            Answer::Done | Answer::Failed => (1, Answer::Done),
        };
        assert_eq!((times, *answer), expected, "{number}: {events:?}");
    }
    for (place, number) in begun.iter().enumerate() {
        let passed = begun.iter().skip(place + 1).find(|later| **later < *number);
        let passed = passed.filter(|later| **later / asked_at_once == number / asked_at_once);
        assert_eq!(passed, None, "{number} passed it: {events:?}");
    }
    // Between two pieces of work the thread looks once: whoever stood there when the one before was begun is seen.
    let mut standing: Vec<u32> = Vec::new();
    let mut seen: Vec<u32> = Vec::new();
    for event in events {
        match event {
            Event::Waits(Lane::Customer, number) if !begun_before(log, number, event) => standing.push(number),
            Event::Begun(lane, number) => {
                standing.retain(|other| *other != number);
                seen.retain(|other| *other != number);
                assert!(lane == Lane::Customer || seen.is_empty(), "{seen:?} waited for {number}: {:?}", log.events());
                seen.clone_from(&standing);
            }
            Event::Waits(..) | Event::Told(_) => {}
        }
    }
}

/// True where the work was begun before the asker came to write down that it waits.
fn begun_before(log: &Log, number: u32, waits: Event) -> bool {
    let events = log.events();
    let begun = events.iter().position(|event| matches!(event, Event::Begun(_, other) if *other == number));
    begun.is_some_and(|begun| events.iter().position(|event| *event == waits).is_some_and(|waits| begun < waits))
}

fn explore(schedules: usize, scenario: impl Fn() + Clone + Send + Sync + 'static) {
    fn run(scheduler: impl Scheduler + 'static, scenario: impl Fn() + Send + Sync + 'static) {
        let mut config = Config::new();
        config.stack_size = 256 * 1024;
        Runner::new(scheduler, config).run(scenario);
    }
    run(RandomScheduler::new_from_seed(7, schedules), scenario.clone());
    run(PctScheduler::new_from_seed(7, DEPTH, schedules), scenario);
}

#[test]
fn every_question_has_one_answer_and_a_customer_goes_before_sync() {
    explore(SCHEDULES, || {
        let (handle, ended) = start(Journal::new()).unwrap();
        let log = Log::default();
        let lanes = [(Lane::Sync, 0..4), (Lane::Customer, 4..8), (Lane::Customer, 8..12)];
        let askers = lanes.map(|(lane, numbers)| {
            let (handle, log) = (handle.clone(), log.clone());
            thread::spawn(move || asks(&handle, &log, lane, numbers))
        });
        let answers: Vec<_> = askers.into_iter().flat_map(|asker| asker.join().unwrap()).collect();
        assert!(answers.len() == 12 && answers.iter().all(|(_, answer)| *answer != Answer::NotBegun));
        check(&log, &answers, 4);
        drop(handle);
        ended.finish();
    });
}

#[test]
fn at_the_end_what_waits_is_done_and_what_comes_later_is_told_so() {
    explore(SCHEDULES, || {
        let (handle, ended) = start(Journal::new()).unwrap();
        let log = Log::default();
        let lanes = [(Lane::Sync, 0..3), (Lane::Customer, 3..6)];
        let askers = lanes.map(|(lane, numbers)| {
            let (handle, log) = (handle.clone(), log.clone());
            thread::spawn(move || asks(&handle, &log, lane, numbers))
        });
        ended.finish();
        let begun_by_the_end = log.events().iter().filter(|event| matches!(event, Event::Begun(..))).count();
        let answers: Vec<_> = askers.into_iter().flat_map(|asker| asker.join().unwrap()).collect();
        check(&log, &answers, 3);
        let done = answers.iter().filter(|(_, answer)| *answer != Answer::NotBegun).count();
        assert_eq!(done, begun_by_the_end, "nothing is begun after the end");
    });
}

#[test]
fn the_last_handle_ends_the_thread_and_nothing_that_waits_is_lost() {
    explore(SCHEDULES, || {
        let (handle, ended) = start(Journal::new()).unwrap();
        let log = Log::default();
        let asker = {
            let log = log.clone();
            thread::spawn(move || asks(&handle, &log, Lane::Sync, 0..3))
        };
        let answers = asker.join().unwrap();
        check(&log, &answers, 3);
        assert!(answers.iter().all(|(_, answer)| *answer != Answer::NotBegun));
        ended.finish();
    });
}

#[test]
fn a_full_lane_of_sync_says_so_and_leaves_room_for_a_customer() {
    explore(SCHEDULES / 20, || {
        let (handle, ended) = start(Journal::new()).unwrap();
        let (go, wait) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        let first = {
            let handle = handle.clone();
            thread::spawn(move || {
                let work = move |_: &mut Journal| {
                    began.send(()).unwrap();
                    wait.recv().unwrap();
                    Ok(())
                };
                block_on(handle.sync(work)).unwrap();
            })
        };
        begun.recv().unwrap();
        let log = Log::default();
        let one_too_many = u32::try_from(LANE_MAX).unwrap();
        let mut sync: Vec<_> = (0..=one_too_many).map(|number| ask(&handle, &log, Lane::Sync, number)).collect();
        let mut poll = |asked: &mut Asked| asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let refused: Vec<_> = sync.iter_mut().map(&mut poll).map(|answer| answer.is_ready()).collect();
        assert_eq!(refused.iter().position(|refused| *refused), Some(LANE_MAX));
        let mut customer = ask(&handle, &log, Lane::Customer, 1_000);
        assert!(poll(&mut customer).is_pending());
        go.send(()).unwrap();
        assert!(block_on(customer).is_ok());
        let _refused = sync.pop();
        for (number, asked) in sync.into_iter().enumerate() {
            assert_eq!(block_on(asked).is_err(), number.is_multiple_of(3));
        }
        let events = log.events();
        assert_eq!(events.first(), Some(&Event::Begun(Lane::Customer, 1_000)));
        first.join().unwrap();
        ended.finish();
    });
}
