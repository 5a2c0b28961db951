//! Whether a program on trial works: its journal writes, its reader's thread lives, its counter answers and its page is
//! there, for a while. Whether the hub is reached says nothing of it: stalls are off line.

use super::files::Folder;
use super::state::Slot;
use crate::service::Service;
use std::net::SocketAddr;
use std::time::Duration;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long the counter may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// What is looked at.
pub struct Health<'a> {
    /// The counter and the journal.
    pub service: &'a Service,
    /// Whether the reader's thread works.
    pub reader_alive: &'a (dyn Fn() -> bool + Send + Sync),
    /// Where the page is.
    pub page: SocketAddr,
}

impl Health<'_> {
    /// Returns once all of it worked for so long without a break.
    pub async fn wait(&self, well_for: Duration) {
        let mut well = Duration::ZERO;
        loop {
            well = if self.is_well().await { well.saturating_add(LOOK) } else { Duration::ZERO };
            if well >= well_for {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn is_well(&self) -> bool {
        let answers = tokio::time::timeout(ANSWER, self.service.rests(false)).await.is_ok_and(|answer| answer.is_ok());
        let page = tokio::time::timeout(ANSWER, tokio::net::TcpStream::connect(self.page)).await;
        let writes = self.service.journal().published().trouble.is_none();
        answers && writes && (self.reader_alive)() && page.is_ok_and(|page| page.is_ok())
    }
}

/// A program that works stays. Where that cannot be written down it is tried again later; until then it is on trial.
pub async fn confirm(folder: &Folder, slot: Slot) {
    loop {
        let mut state = folder.state();
        state.confirm(slot);
        match folder.save(&state) {
            Ok(()) => {
                tracing::info!(slot = slot.name(), "the new program works and stays");
                return;
            }
            Err(error) => tracing::error!(%error, "that the new program works cannot be written down; free the disk"),
        }
        tokio::time::sleep(LOOK.saturating_mul(30)).await;
    }
}
