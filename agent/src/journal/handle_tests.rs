//! The journal's thread with a journal; `schedule_tests.rs` has what holds in every order of its steps.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
use super::JournalError;
use super::handle::start;
use crate::fixture::Fund;

#[tokio::test]
async fn what_is_told_is_published_before() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let (handle, thread) = start(fund.ready(folder.path(), 100)).unwrap();
    let seen = handle.customer(|journal| Ok(journal.state().newest.chain.seq)).await.unwrap();
    assert_eq!(seen, handle.published().state.newest.chain.seq);
    drop(handle);
    thread.finish();
}

#[tokio::test]
async fn work_that_panics_leaves_nobody_waiting() {
    let (folder, fund) = (tempfile::tempdir().unwrap(), Fund::default());
    let (handle, thread) = start(fund.ready(folder.path(), 100)).unwrap();
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let asks = |work: fn()| {
        let handle = handle.clone();
        async move {
            let asked = handle.sync(move |_| {
                work();
                Ok(())
            });
            asked.await
        }
    };
    let first = handle.customer::<()>(move |_| {
        drop(gone.recv());
        std::panic::resume_unwind(Box::new("planted"))
    });
    // It lets the first one go once the second one waits behind it.
    let behind = async move {
        let waits = asks(|| {});
        tokio::pin!(waits);
        assert!(futures_util::poll!(&mut waits).is_pending());
        drop(go);
        waits.await
    };
    let (first, behind) = tokio::join!(first, behind);
    assert!(matches!((first, behind), (Err(JournalError::Closed), Err(JournalError::Closed))));
    assert!(matches!(handle.sync(|_| Ok(())).await, Err(JournalError::Closed)), "later");
    thread.finish();
}
