//! Looks at the machine, beside everything else: a disk that hangs takes one thread, which nothing else needs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

/// One look at a time, on a thread of its own.
#[derive(Debug)]
pub struct Looks(Arc<Semaphore>);

impl Default for Looks {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Looks {
    /// What a look saw; none where it does not end in time, or where the one before has not. It goes on all the same.
    pub async fn take<R: Send + 'static>(
        &self,
        timeout: Duration,
        look: impl FnOnce() -> R + Send + 'static,
    ) -> Option<R> {
        let looking = async {
            let turn = Arc::clone(&self.0).acquire_owned().await.ok()?;
            let (tell, told) = oneshot::channel();
            let looking = move || {
                let seen = look();
                drop(turn);
                // Nobody may wait for it any more.
                drop(tell.send(seen));
            };
            if let Err(error) = std::thread::Builder::new().name("look".to_owned()).spawn(looking) {
                tracing::error!(%error, "no thread for a look");
                return None;
            }
            told.await.ok()
        };
        tokio::time::timeout(timeout, looking).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[tokio::test]
    async fn a_look_that_hangs_is_not_waited_for_and_no_other_begins_beside_it() {
        let (looks, soon) = (Looks::default(), Duration::from_millis(50));
        let (end, hangs) = std::sync::mpsc::channel::<()>();
        assert_eq!(looks.take(soon, move || hangs.recv().is_ok()).await, None);
        assert_eq!(looks.take(soon, || true).await, None, "one at a time");
        end.send(()).unwrap();
        assert_eq!(looks.take(Duration::from_secs(30), || true).await, Some(true));
    }
}
