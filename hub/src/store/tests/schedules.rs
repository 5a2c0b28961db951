//! The store's thread under many orders of its steps, chosen by a schedule explorer (shuttle): `thread.rs` is built here a
//! second time, with the explorer's locks and threads, on a small SQLite file. An answer that never comes is a deadlock,
//! which the explorer tells with the schedule that leads to it.

mod locks {
    pub(super) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
    pub(super) use shuttle::thread::{Builder, JoinHandle, current};
}
mod db {
    //! A file of one table, instead of the ledger's.
    pub(super) use crate::store::db::empty_log;
    use crate::store::tx::Wakes;
    use rusqlite::Connection;

    pub(super) struct Db {
        pub(super) conn: Connection,
        pub(super) wakes: Wakes,
    }

    impl Db {
        pub(super) const fn parts(&mut self) -> (&Connection, &mut Wakes) {
            (&self.conn, &mut self.wakes)
        }
    }
}
use crate::store::{error, model, tx};
#[path = "../thread.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::duplicate_mod,
    reason = "built a second time: not all of it is asked for here"
)]
mod thread;

use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use rusqlite::Connection;
use shuttle::future::block_on;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

use error::StoreError;
use model::Wake;
use thread::{Lane, Store};

/// Schedules of each kind that are tried of a scenario.
const SCHEDULES: usize = 150;
/// Changes of priority in one schedule of the second kind (PCT): so deep may a fault lie to be found surely.
const DEPTH: usize = 3;

/// What one piece of work does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Work {
    Fits,
    /// It fails by itself, after it wrote.
    Fails,
    Panics,
    /// It names what is not there, which SQLite tells at the commit: the whole group fails.
    Spoils,
}

type Call = Pin<Box<dyn Future<Output = Result<u32, StoreError>> + Send>>;
type Begun = std::sync::Arc<std::sync::Mutex<Vec<(Lane, u32)>>>;

fn call(store: &Store, begun: &Begun, lane: Lane, number: u32, what: Work) -> Call {
    let (store, begun) = (store.clone(), std::sync::Arc::clone(begun));
    Box::pin(async move {
        let work = move |tx: &mut tx::Tx<'_>| {
            begun.lock().unwrap().push((lane, number));
            let of = if what == Work::Spoils { 99 } else { 1 };
            tx.conn.execute("INSERT INTO done VALUES (?1, ?2)", (number, of))?;
            tx.wake(Wake::All);
            match what {
                Work::Fits | Work::Spoils => Ok(number),
                Work::Fails => Err(StoreError::UnknownPurse),
                // Not through the hook: the explorer takes what goes there for a fault of its own.
                Work::Panics => std::panic::resume_unwind(Box::new("a fault in the work")),
            }
        };
        store.call(lane, work).await
    })
}

fn is_durable(path: &Path, number: u32) -> bool {
    let beside = Connection::open(path).unwrap();
    beside.query_row("SELECT count(*) FROM done WHERE number = ?1", [number], |row| row.get::<_, u32>(0)).unwrap() == 1
}

/// A new file for each schedule, and its thread.
fn opened(folder: &Path) -> (std::path::PathBuf, Store) {
    let path = folder.join("store.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = off; PRAGMA foreign_keys = on;
         CREATE TABLE IF NOT EXISTS known (id INTEGER PRIMARY KEY) STRICT;
         CREATE TABLE IF NOT EXISTS done (number INTEGER PRIMARY KEY, known INTEGER NOT NULL
             REFERENCES known DEFERRABLE INITIALLY DEFERRED) STRICT;
         DELETE FROM done;
         INSERT OR IGNORE INTO known VALUES (1);",
    )
    .unwrap();
    (path, Store::start(db::Db { conn, wakes: tx::Wakes::default() }).unwrap())
}

/// Puts all of it into the lane, waits for every answer, and holds each against what is durable when it comes.
fn calls(store: &Store, begun: &Begun, path: &Path, lane: Lane, works: &[(u32, Work)]) -> Vec<(u32, Work, bool)> {
    let mut waiting = Vec::new();
    for (number, what) in works {
        let mut call = call(store, begun, lane, *number, *what);
        let first = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        waiting.push((*number, *what, call, first));
    }
    let mut answers = Vec::new();
    for (number, what, call, first) in waiting {
        let answer = match first {
            Poll::Ready(answer) => answer,
            Poll::Pending => block_on(call),
        };
        let is_done = match (what, answer) {
            (Work::Fits, Ok(done)) => done == number,
            (Work::Fits | Work::Spoils, Err(StoreError::NotCommitted(_)))
            | (Work::Fails, Err(StoreError::UnknownPurse))
            | (Work::Panics, Err(StoreError::Stopped)) => false,
            (what, answer) => panic!("{number} {what:?} was told {answer:?}"),
        };
        assert_eq!(is_durable(path, number), is_done, "{number} {what:?}");
        answers.push((number, what, is_done));
    }
    answers
}

fn explore(scenario: impl Fn(&Path) + Clone + Send + Sync + 'static) {
    fn run(scheduler: impl Scheduler + 'static, scenario: impl Fn(&Path) + Send + Sync + 'static) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let mut config = Config::new();
        config.stack_size = 1024 * 1024;
        Runner::new(scheduler, config).run(move || scenario(&path));
    }
    run(RandomScheduler::new_from_seed(7, SCHEDULES), scenario.clone());
    run(PctScheduler::new_from_seed(7, DEPTH, SCHEDULES), scenario);
}

fn begun_in_turn(begun: &Begun) {
    for lane in [Lane::Counter, Lane::Sync] {
        let of_lane: Vec<_> = begun.lock().unwrap().iter().filter(|(of, _)| *of == lane).map(|(_, n)| *n).collect();
        assert!(of_lane.is_sorted(), "{lane:?}: {of_lane:?}");
    }
}

#[test]
fn every_call_has_one_answer_after_the_commit_that_holds_it() {
    explore(|folder| {
        let (path, store) = opened(folder);
        let mut wakes = store.wakes();
        let begun = Begun::default();
        let lanes = [
            (Lane::Sync, vec![(1, Work::Fits), (2, Work::Fails), (3, Work::Fits)]),
            (Lane::Counter, vec![(4, Work::Panics), (5, Work::Fits)]),
        ];
        let callers = lanes.map(|(lane, works)| {
            let (store, begun, path) = (store.clone(), Begun::clone(&begun), path.clone());
            shuttle::thread::spawn(move || calls(&store, &begun, &path, lane, &works))
        });
        let answers: Vec<_> = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
        for (number, what, is_done) in answers {
            assert_eq!(is_done, what == Work::Fits, "{number}");
        }
        assert!(wakes.try_recv().is_ok(), "who waits is woken before it is answered");
        assert_eq!(begun.lock().unwrap().len(), 5, "each is begun once");
        begun_in_turn(&begun);
    });
}

#[test]
fn a_commit_that_fails_is_told_to_each_of_its_group_and_to_nobody_else() {
    explore(|folder| {
        let (path, store) = opened(folder);
        let begun = Begun::default();
        let lanes = [
            (Lane::Sync, vec![(1, Work::Fits), (2, Work::Spoils), (3, Work::Fits)]),
            (Lane::Counter, vec![(4, Work::Fits), (5, Work::Fails)]),
        ];
        let callers = lanes.map(|(lane, works)| {
            let (store, begun, path) = (store.clone(), Begun::clone(&begun), path.clone());
            shuttle::thread::spawn(move || calls(&store, &begun, &path, lane, &works))
        });
        for caller in callers {
            caller.join().unwrap();
        }
        begun_in_turn(&begun);
        // The thread goes on, and the next group is its own.
        let after = calls(&store, &begun, &path, Lane::Sync, &[(6, Work::Fits)]);
        assert_eq!(after, [(6, Work::Fits, true)]);
    });
}

#[test]
fn the_last_handle_ends_the_thread_when_what_waits_is_done() {
    explore(|folder| {
        let (path, store) = opened(folder);
        let begun = Begun::default();
        let caller = {
            let (store, begun) = (store.clone(), Begun::clone(&begun));
            shuttle::thread::spawn(move || {
                for number in 1..4 {
                    // Whoever goes away after asking does not undo it, and work may hold the last handle.
                    let mut call = call(&store, &begun, Lane::Sync, number, Work::Fits);
                    let first = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    assert!(!matches!(first, Poll::Ready(Err(_))));
                }
            })
        };
        drop(store);
        caller.join().unwrap();
        for number in 1..4 {
            assert!(is_durable(&path, number), "{number} was lost at the end");
        }
    });
}
