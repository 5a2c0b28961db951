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
    let ask = |work: Box<dyn FnOnce() + Send>| {
        let handle = handle.clone();
        tokio::spawn(async move {
            let asked = handle.sync(move |_| {
                work();
                Ok(())
            });
            asked.await
        })
    };
    let first = ask(Box::new(move || {
        drop(gone.recv());
        std::panic::resume_unwind(Box::new("planted"));
    }));
    let behind = ask(Box::new(|| {}));
    // On one thread: both have asked then, and the second one waits.
    tokio::task::yield_now().await;
    drop(go);
    for asked in [first, behind, ask(Box::new(|| {}))] {
        assert!(matches!(asked.await.unwrap(), Err(JournalError::Closed)));
    }
    thread.finish();
}
