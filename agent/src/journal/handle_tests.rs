//! The journal's thread with a journal; `schedule_tests.rs` has what holds in every order of its steps.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
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
