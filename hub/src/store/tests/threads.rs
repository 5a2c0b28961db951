//! The thread that owns the file: groups, lanes, failures, the end.

use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use super::world::{NOW, World, household};
use crate::store::{Db, ImportPlan, Lane, OpenMode, Store, StoreError, Wake};

fn store() -> (World, Store) {
    let world = World::credited();
    let store = Store::start(Db::open(&world.path(), OpenMode::Existing).unwrap()).unwrap();
    (world, store)
}

/// Holds the thread inside a transaction until the sender is dropped.
fn hold(store: &Store) -> mpsc::Sender<()> {
    let (release, held) = mpsc::channel::<()>();
    let (started, begun) = mpsc::channel();
    let store = store.clone();
    std::thread::spawn(move || {
        store.call_blocking(Lane::Sync, move |_| {
            started.send(()).unwrap();
            assert!(held.recv().is_err(), "released by dropping");
            Ok(())
        })
    });
    begun.recv().unwrap();
    release
}

#[test]
fn work_that_fails_takes_back_only_itself() {
    let (mut world, store) = store();
    let release = hold(&store);
    let mut waiting = Vec::new();
    for number in 10..16_u8 {
        let store = store.clone();
        waiting.push(std::thread::spawn(move || {
            store.call_blocking(Lane::Sync, move |tx| {
                let plan = ImportPlan { households: vec![household(number, 1, 0)], ..ImportPlan::default() };
                let mut random = || super::world::purse_ref(number);
                tx.import(&plan, &mut random, false, NOW)?;
                match number % 3 {
                    0 => Err(StoreError::UnknownPurse),
                    1 => panic!("a fault in the work"),
                    _ => Ok(number),
                }
            })
        }));
    }
    drop(release);
    let results: Vec<_> = waiting.into_iter().map(|thread| thread.join().unwrap()).collect();
    let kept: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
    assert_eq!(kept, [11, 14]);
    assert!(matches!(results[0], Err(StoreError::Stopped)), "a panic is no answer: {:?}", results[0]);
    assert!(matches!(results[2], Err(StoreError::UnknownPurse)));
    assert_eq!(world.number::<i64>("SELECT count(*) FROM households"), 5);
    world.audit();
}

#[test]
fn nothing_is_answered_before_the_commit() {
    let (world, store) = store();
    let before = world.number::<u32>("SELECT change FROM fund");
    let held = hold(&store);
    let (begun_at, begun) = mpsc::channel();
    let (release, until) = mpsc::channel::<()>();
    let mut first = Box::pin(store.call(Lane::Counter, |tx| tx.next_change()));
    assert!(poll(first.as_mut()).is_pending(), "it is queued");
    let mut second = Box::pin(store.call(Lane::Sync, move |_| {
        begun_at.send(()).map_err(|_| StoreError::Stopped)?;
        assert!(until.recv().is_err(), "released by dropping");
        Ok(())
    }));
    assert!(poll(second.as_mut()).is_pending(), "it is queued");
    drop(held);
    begun.recv().unwrap();
    // The first work is done, in the same transaction as the second, which is still open.
    assert!(poll(first.as_mut()).is_pending());
    assert_eq!(world.number::<u32>("SELECT change FROM fund"), before);
    drop(release);
    let change = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(first).unwrap();
    assert_eq!(change, u64::from(before) + 1);
    assert_eq!(world.number::<u32>("SELECT change FROM fund"), before + 1, "what is answered is committed");
}

/// Polls once, and asks for no wake.
fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn the_counter_goes_before_sync() {
    let (_world, store) = store();
    let release = hold(&store);
    let (order, happened) = mpsc::channel();
    let queued = |lane, name: &'static str| {
        let (order, store) = (order.clone(), store.clone());
        // Polled once, the work is in its lane.
        let mut call = Box::pin(store.call(lane, move |_| order.send(name).map_err(|_| StoreError::Stopped)));
        assert!(poll(call.as_mut()).is_pending());
    };
    for name in ["sync 1", "sync 2"] {
        queued(Lane::Sync, name);
    }
    queued(Lane::Counter, "counter");
    drop(release);
    drop(order);
    let order: Vec<_> = happened.iter().take(3).collect();
    assert_eq!(order, ["counter", "sync 1", "sync 2"], "and a caller who went away does not undo his work");
}

#[test]
fn a_full_lane_says_busy_and_the_other_lane_goes_on() {
    let (_world, store) = store();
    let release = hold(&store);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut calls = Vec::new();
        let mut busy = 0;
        for _ in 0..1_030 {
            let mut call = Box::pin(store.call(Lane::Sync, |_| Ok(())));
            match poll(call.as_mut()) {
                Poll::Ready(Err(StoreError::Busy)) => busy += 1,
                Poll::Ready(other) => panic!("{other:?}"),
                Poll::Pending => calls.push(call),
            }
        }
        assert_eq!(busy, 6);
        let counter = store.call(Lane::Counter, |_| Ok(7));
        drop(release);
        assert_eq!(counter.await.unwrap(), 7);
        for call in calls {
            call.await.unwrap();
        }
    });
}

#[test]
fn the_last_handle_ends_the_thread_and_the_file_is_whole() {
    let (mut world, store) = store();
    let again = store.clone();
    drop(store);
    again.call_blocking(Lane::Sync, |tx| tx.credit_book("2026-12".parse().unwrap(), "x", NOW)).unwrap();
    drop(again);
    assert_eq!(world.number::<i64>("SELECT count(*) FROM credits"), 6);
    world.audit();
}

#[test]
fn terminals_that_wait_are_woken_by_what_was_committed_and_only_by_that() {
    let (mut world, store) = store();
    let terminal = world.terminal("A");
    let mut wakes = store.wakes();
    let (id, epoch) = (terminal.id, terminal.epoch);
    let extend = move |tx: &mut crate::store::Tx<'_>| {
        tx.extend(id, epoch, super::world::purse_ref(1), super::world::cents(10_000), NOW).map(|_| ())
    };
    store.call_blocking(Lane::Counter, extend).unwrap();
    assert_eq!(wakes.try_recv().unwrap(), Wake::Terminal(terminal.id));
    store.call_blocking(Lane::Sync, |tx| tx.card_block(crate::store::CardName::Number(1), NOW)).unwrap();
    assert_eq!(wakes.try_recv().unwrap(), Wake::All);
    store.call_blocking(Lane::Sync, |tx| tx.fund()).unwrap();
    assert!(wakes.try_recv().is_err(), "reading wakes nobody");
}

#[test]
fn a_command_beside_the_program_is_seen() {
    let (mut world, store) = store();
    let version = || store.call_blocking(Lane::Sync, |tx| tx.data_version()).unwrap();
    let before = version();
    store.call_blocking(Lane::Sync, |tx| tx.card_block(crate::store::CardName::Number(1), NOW)).unwrap();
    assert_eq!(version(), before, "what the program itself does is woken otherwise");
    world.credit("2026-12");
    assert_ne!(version(), before);
}

#[test]
fn a_disk_that_is_full_is_told_and_nothing_is_half_done() {
    let (mut world, store) = store();
    let pages: i64 = world.number("PRAGMA page_count");
    let full = store.call_blocking(Lane::Sync, move |tx| {
        // SQLite's own limit on the file stands for the disk's.
        tx.conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        for number in 0..5_000_u16 {
            let code = format!("N{number}");
            let people = crate::core::household_rules::Household::new(1, 0).unwrap();
            let new = crate::store::ImportHousehold { code, people, contribution: None };
            let plan = ImportPlan { households: vec![new], ..ImportPlan::default() };
            let [high, low] = number.to_be_bytes();
            let mut random = || cabas_protocol::PurseRef::new([1, 1, 1, 1, 1, 1, high, low]);
            tx.import(&plan, &mut random, false, NOW)?;
        }
        Ok(())
    });
    let error = full.unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
    store.call_blocking(Lane::Sync, |tx| tx.fund()).unwrap();
    assert_eq!(world.number::<i64>("SELECT count(*) FROM households"), 3);
    world.audit();
}
