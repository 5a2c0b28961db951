//! The journal's thread: it owns the connection. Work goes in as closures over two bounded lanes, a customer at the
//! counter before sync; answers come back one by one.

use super::locks::{Arc, Builder, Condvar, JoinHandle, Mutex, MutexGuard, PoisonError};
use super::{Journal, JournalError, State, Trouble};
use std::collections::VecDeque;
use std::io;
use tokio::sync::{oneshot, watch};

/// Jobs that wait in one lane.
pub const LANE_MAX: usize = 64;

/// Work, and what tells its outcome: called after what changed is published, so that who is told finds it there.
type Job = Box<dyn FnOnce(&mut Journal) -> Tell + Send>;
type Tell = Box<dyn FnOnce() + Send>;

/// What the journal is like after its newest job.
#[derive(Clone, Debug)]
pub struct Published {
    /// What is kept at hand.
    pub state: Arc<State>,
    /// What keeps it from writing.
    pub trouble: Option<Trouble>,
}

/// Who waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lane {
    Customer,
    Sync,
}

#[derive(Default)]
struct Waiting {
    customer: VecDeque<Job>,
    sync: VecDeque<Job>,
    closed: bool,
}

#[derive(Default)]
struct Lanes {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lanes")
    }
}

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn put(&self, lane: Lane, job: Job) -> Result<(), JournalError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(JournalError::Closed);
        }
        let queue = match lane {
            Lane::Customer => &mut waiting.customer,
            Lane::Sync => &mut waiting.sync,
        };
        if queue.len() >= LANE_MAX {
            return Err(JournalError::Busy);
        }
        queue.push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    /// The next job; nothing after the end. `idle` is called, outside the lock, before it waits.
    fn next(&self, mut idle: impl FnMut()) -> Option<Job> {
        let mut waiting = self.lock();
        let mut was_idle = false;
        loop {
            if let Some(job) = take(&mut waiting) {
                return Some(job);
            }
            if waiting.closed {
                return None;
            }
            if was_idle {
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            } else {
                drop(waiting);
                idle();
                was_idle = true;
                waiting = self.lock();
            }
        }
    }
}

fn take(waiting: &mut Waiting) -> Option<Job> {
    waiting.customer.pop_front().or_else(|| waiting.sync.pop_front())
}

/// Closes the lanes when the last handle goes; what waits is still done.
struct Closer(Arc<Lanes>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Takes no more work however the thread ends, and tells who waits: where work that panics does not end the program (it
/// does in the product), nobody waits for an answer that cannot come.
struct CloseAtEnd<'l>(&'l Lanes);

impl Drop for CloseAtEnd<'_> {
    fn drop(&mut self) {
        self.0.close();
        let (customer, sync) = {
            let mut waiting = self.0.lock();
            (std::mem::take(&mut waiting.customer), std::mem::take(&mut waiting.sync))
        };
        drop((customer, sync));
    }
}

/// A cheap way to the journal's thread.
#[derive(Clone)]
pub struct JournalHandle {
    lanes: Arc<Closer>,
    published: watch::Receiver<Published>,
}

impl std::fmt::Debug for JournalHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JournalHandle")
    }
}

/// The thread, to be ended and waited for.
#[derive(Debug)]
pub struct JournalThread {
    lanes: Arc<Lanes>,
    thread: JoinHandle<()>,
}

impl JournalThread {
    /// Takes no more work, whoever still has a handle, and waits until everything that was asked is done.
    pub fn finish(self) {
        self.lanes.close();
        if self.thread.join().is_err() {
            tracing::error!("the journal's thread failed");
        }
    }
}

/// Starts the journal's thread.
///
/// # Errors
/// An [`io::Error`] where the system gives no thread.
pub fn start(mut journal: Journal) -> io::Result<(JournalHandle, JournalThread)> {
    let first = Published { state: journal.state(), trouble: journal.trouble() };
    let (publish, published) = watch::channel(first);
    let lanes = Arc::new(Lanes::default());
    let thread_lanes = Arc::clone(&lanes);
    let work = move || {
        let _close = CloseAtEnd(&thread_lanes);
        let journal = std::cell::RefCell::new(&mut journal);
        while let Some(job) = thread_lanes.next(|| journal.borrow_mut().tidy()) {
            let mut journal = journal.borrow_mut();
            let tell = job(&mut journal);
            publish.send_if_modified(|published| {
                let (state, trouble) = (journal.state(), journal.trouble());
                let changed = !Arc::ptr_eq(&state, &published.state) || trouble != published.trouble;
                *published = Published { state, trouble };
                changed
            });
            tell();
        }
    };
    let thread = Builder::new().name(String::from("cabas-journal")).spawn(work)?;
    let thread = JournalThread { lanes: Arc::clone(&lanes), thread };
    Ok((JournalHandle { lanes: Arc::new(Closer(lanes)), published }, thread))
}

impl JournalHandle {
    /// Does work for a customer at the counter.
    ///
    /// # Errors
    /// [`JournalError`], or [`JournalError::Busy`] where too much waits already.
    pub async fn customer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        self.ask(Lane::Customer, work).await
    }

    /// Does work for sync.
    ///
    /// # Errors
    /// As [`JournalHandle::customer`].
    pub async fn sync<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        self.ask(Lane::Sync, work).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce(&mut Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (answer, answered) = oneshot::channel();
        let job = move |journal: &mut Journal| {
            let done = work(journal);
            let tell: Tell = Box::new(move || drop(answer.send(done)));
            tell
        };
        self.lanes.0.put(lane, Box::new(job))?;
        answered.await.unwrap_or(Err(JournalError::Closed))
    }

    /// What the journal is like after its newest job.
    #[must_use]
    pub fn published(&self) -> Published {
        self.published.borrow().clone()
    }

    /// Tells of each change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Published> {
        self.published.clone()
    }
}
