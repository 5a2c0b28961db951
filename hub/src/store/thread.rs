//! The one thread that owns the hub's file.
//!
//! What waits is done together: each piece of work in a savepoint of its own, all of it in one transaction, one commit
//! for all, and only then the answers. A customer at a counter (an extension) goes before everything else.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokio::sync::{broadcast, oneshot};

use super::db::{Db, empty_log};
use super::error::StoreError;
use super::locks::{Arc, Builder, Condvar, JoinHandle, Mutex, MutexGuard, PoisonError, current};
use super::model::Wake;
use super::tx::{Tx, Wakes};

/// Work that may wait in one lane.
const LANE_MAX: usize = 1024;
/// Work that is committed together, at the most: bounds how long a customer waits behind it.
const GROUP_MAX: usize = 64;
/// Transactions until the write-ahead log is emptied again, where somebody read beside when something was erased.
const EMPTY_AGAIN_AFTER: u32 = 64;
/// Wakes that a slow listener may be behind before it is told so (and then wakes everybody).
pub const WAKES_KEPT: usize = 256;

/// Which queue work goes into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lane {
    /// Somebody stands at a counter and waits.
    Counter,
    /// Sync, administration, jobs.
    Sync,
}

/// A handle on the thread that owns the store. The thread ends, its work done, when the last handle is dropped.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    wakes: broadcast::Sender<Wake>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    queues: Mutex<Queues>,
    changed: Condvar,
}

#[derive(Default)]
struct Queues {
    counter: VecDeque<Box<dyn Job>>,
    sync: VecDeque<Box<dyn Job>>,
    closed: bool,
}

/// Work that waits for the thread.
trait Job: Send {
    /// Does it; the answer is given once it is known what became of the transaction. `Err` takes the work back.
    fn run(self: Box<Self>, tx: &mut Tx<'_>) -> Result<Answer, Answer>;

    /// Tells the caller that it was not begun.
    fn refuse(self: Box<Self>, reason: &str);
}

/// Tells the caller: with the reason where the transaction was not committed.
type Answer = Box<dyn FnOnce(Option<&str>) + Send>;

struct Work<F, R> {
    work: F,
    answer: oneshot::Sender<Result<R, StoreError>>,
}

impl<F, R> Job for Work<F, R>
where
    F: FnOnce(&mut Tx<'_>) -> Result<R, StoreError> + Send,
    R: Send + 'static,
{
    fn run(self: Box<Self>, tx: &mut Tx<'_>) -> Result<Answer, Answer> {
        let Self { work, answer } = *self;
        let result = work(tx);
        let kept = result.is_ok();
        let tell: Answer = Box::new(move |failed| {
            let result = match (result, failed) {
                (Ok(_), Some(reason)) => Err(StoreError::NotCommitted(reason.to_owned())),
                (result, _) => result,
            };
            drop(answer.send(result));
        });
        if kept { Ok(tell) } else { Err(tell) }
    }

    fn refuse(self: Box<Self>, reason: &str) {
        drop(self.answer.send(Err(StoreError::NotCommitted(reason.to_owned()))));
    }
}

impl Store {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the system gives no thread.
    pub fn start(db: Db) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::default());
        let (wakes, _) = broadcast::channel(WAKES_KEPT);
        let (for_thread, wakes_out) = (Arc::clone(&shared), wakes.clone());
        let thread = Builder::new().name("hub-store".to_owned()).spawn(move || serve(db, &for_thread, &wakes_out))?;
        Ok(Self { inner: Arc::new(Inner { shared, wakes, thread: Some(thread) }) })
    }

    /// Does work on the store's thread and gives its answer once it is durable.
    ///
    /// # Errors
    /// What the work gives; [`StoreError::Busy`] where the lane is full, [`StoreError::Stopped`] where the work
    /// panicked or the thread has ended, [`StoreError::NotCommitted`].
    pub async fn call<R: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce(&mut Tx<'_>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.queue(lane, work)?.await.map_err(|_| StoreError::Stopped)?
    }

    /// The same for a caller that may block.
    ///
    /// # Errors
    /// As [`Store::call`].
    pub fn call_blocking<R: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce(&mut Tx<'_>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.queue(lane, work)?.blocking_recv().map_err(|_| StoreError::Stopped)?
    }

    /// What is committed from here on and has news for terminals that wait. A listener that is told it lags looks for
    /// all of them. Commands beside this program are seen by [`Tx::data_version`] instead.
    #[must_use]
    pub fn wakes(&self) -> broadcast::Receiver<Wake> {
        self.inner.wakes.subscribe()
    }

    fn queue<R: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce(&mut Tx<'_>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<R, StoreError>>, StoreError> {
        let (answer, receiver) = oneshot::channel();
        let mut queues = self.inner.shared.lock();
        if queues.closed {
            return Err(StoreError::Stopped);
        }
        let queue = match lane {
            Lane::Counter => &mut queues.counter,
            Lane::Sync => &mut queues.sync,
        };
        if queue.len() >= LANE_MAX {
            return Err(StoreError::Busy);
        }
        queue.push_back(Box::new(Work { work, answer }));
        drop(queues);
        self.inner.shared.changed.notify_one();
        Ok(receiver)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.close();
        // Work that held the last handle ends on the thread itself, which cannot wait for its own end.
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != current().id()) {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        // Nothing that holds this lock can leave the queues half changed.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The next work, the counter's first; nothing at the end.
    fn wait(&self) -> Option<Box<dyn Job>> {
        let mut queues = self.lock();
        loop {
            if let Some(job) = queues.next() {
                return Some(job);
            }
            if queues.closed {
                return None;
            }
            queues = self.changed.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn next(&self) -> Option<Box<dyn Job>> {
        self.lock().next()
    }
}

impl Queues {
    fn next(&mut self) -> Option<Box<dyn Job>> {
        self.counter.pop_front().or_else(|| self.sync.pop_front())
    }
}

/// Closes the lanes however the thread ends, so that nobody waits for an answer that cannot come.
struct CloseAtEnd<'s>(&'s Shared);

impl Drop for CloseAtEnd<'_> {
    fn drop(&mut self) {
        self.0.close();
        let mut queues = self.0.lock();
        queues.counter.clear();
        queues.sync.clear();
    }
}

fn serve(mut db: Db, shared: &Shared, wakes_out: &broadcast::Sender<Wake>) {
    let _close = CloseAtEnd(shared);
    let mut erased = Erased::default();
    while let Some(first) = shared.wait() {
        let (conn, wakes) = db.parts();
        let mut answers = Vec::new();
        let reason = group(conn, wakes, shared, first, &mut answers).err().map(|error| error.to_string());
        if let Some(reason) = &reason {
            tracing::error!(error.reason = %reason, work.count = answers.len(), "a transaction was not committed");
        }
        let is_erased = wakes.take_erased();
        let woken = wakes.take();
        if reason.is_none() {
            for wake in woken {
                drop(wakes_out.send(wake));
            }
        }
        // Before it is answered, so that whoever is told that it is erased can rely on it.
        erased.after_a_transaction(conn, is_erased);
        for answer in answers {
            answer(reason.as_deref());
        }
    }
}

/// What was erased and still stands in the write-ahead log.
#[derive(Default)]
struct Erased {
    /// Transactions since it was tried; none where nothing is left there.
    since: Option<u32>,
}

impl Erased {
    /// Empties the log where something was just erased, or was long enough ago. Nobody at a counter waits for who reads
    /// beside.
    fn after_a_transaction(&mut self, conn: &Connection, is_new: bool) {
        let is_due = is_new || self.since.is_some_and(|since| since >= EMPTY_AGAIN_AFTER);
        if !is_due {
            self.since = self.since.map(|since| since.saturating_add(1));
            return;
        }
        self.since = match empty_log(conn, 0) {
            Ok(true) => None,
            Ok(false) => {
                tracing::warn!("what was erased stays in the write-ahead log for now: somebody reads beside");
                Some(0)
            }
            Err(error) => {
                tracing::warn!(%error, "what was erased stays in the write-ahead log for now");
                Some(0)
            }
        };
    }
}

/// Does what waits in one transaction.
fn group(
    conn: &Connection,
    wakes: &mut Wakes,
    shared: &Shared,
    first: Box<dyn Job>,
    answers: &mut Vec<Answer>,
) -> Result<(), rusqlite::Error> {
    if let Err(error) = conn.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([])) {
        first.refuse(&error.to_string());
        return Err(error);
    }
    let mut next = Some(first);
    let mut done = 0_usize;
    let mut result = Ok(());
    while let (Some(job), Ok(())) = (next.take(), &result) {
        result = one(conn, wakes, job, answers);
        done = done.saturating_add(1);
        next = if done < GROUP_MAX && result.is_ok() { shared.next() } else { None };
    }
    let committed = result.and_then(|()| conn.prepare_cached("COMMIT")?.execute([]));
    if committed.is_err() && !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK")?;
    }
    committed.map(|_| ())
}

/// Does one piece of work in a savepoint; what fails or panics is taken back alone.
fn one(
    conn: &Connection,
    wakes: &mut Wakes,
    job: Box<dyn Job>,
    answers: &mut Vec<Answer>,
) -> Result<(), rusqlite::Error> {
    conn.prepare_cached("SAVEPOINT job")?.execute([])?;
    // What a panic leaves half done in the file is taken back below; nothing else is shared with the work.
    let ran = catch_unwind(AssertUnwindSafe(|| job.run(&mut Tx::new(conn, wakes))));
    let keep = matches!(ran, Ok(Ok(_)));
    if let Ok(Ok(answer) | Err(answer)) = ran {
        answers.push(answer);
    }
    // A full disk or an I/O error may have ended the whole transaction.
    if conn.is_autocommit() {
        let lost = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT);
        return Err(rusqlite::Error::SqliteFailure(lost, Some("the transaction was lost".to_owned())));
    }
    if !keep {
        conn.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    conn.prepare_cached("RELEASE job")?.execute([])?;
    Ok(())
}
