//! The loop: push what is new at once, otherwise wait at the hub for news; pause where it cannot be reached.

use super::client::CallError;
use super::link::{HubLink, SyncError, Synced};
use super::pause::Pause;
use crate::clock::{Clock, Stopwatch};
use crate::core::ages::Moment;
use crate::journal::handle::Published;
use crate::journal::{HeldKey, HeldPage, Unsent};
use cabas_protocol::{RefusalCode, Seq};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The shortest time between two exchanges that changed nothing: a hub that does not wait must not keep us busy.
const QUIET: Duration = Duration::from_secs(1);

/// Whether the hub is there.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum NetworkState {
    /// Nothing was tried yet.
    #[default]
    Unknown,
    /// It answered.
    Online,
    /// It did not: by the name of [`super::CallError::name`].
    Offline(&'static str),
}

/// What is known of the network.
#[derive(Clone, Copy, Debug, Default)]
pub struct Network {
    /// Whether the hub is there.
    pub state: NetworkState,
    /// When it last answered, since the start.
    pub seen: Option<Moment>,
    /// True where its last answer said that there is no more news.
    pub has_all_news: bool,
}

/// How the loop waits.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long the hub may wait for news.
    pub wait: Duration,
    /// The longest pause between two tries.
    pub pause_max: Duration,
}

/// Exchanges with the hub for as long as the program runs.
pub async fn run(link: Arc<HubLink>, clock: Clock, timing: Timing, network: watch::Sender<Network>) {
    let mut pause = Pause::new(u64::try_from(timing.pause_max.as_millis()).unwrap_or(u64::MAX));
    let mut journal = link.journal().watch();
    let mut held = Held::default();
    let mut again = false;
    loop {
        let watch = Stopwatch::start();
        let newest = journal.borrow_and_update().state.newest.chain.seq;
        // Whether the hub is back is told at once, not when it has news.
        let away = network.borrow().state != NetworkState::Online;
        let wait = if again || away || held.asked { Duration::ZERO } else { timing.wait };
        let has_rows = link.journal().published().state.unsent_rows() > 0;
        let done = exchange(&link, &mut held, wait, &mut journal).await;
        match done {
            Ok(None) => {}
            Ok(Some(synced)) => {
                network.send_replace(Network {
                    state: NetworkState::Online,
                    seen: Some(clock.now()),
                    has_all_news: !synced.more,
                });
                again = synced.more;
                let in_vain = held.given && synced.want_held;
                held.asked = held.asked || synced.want_held;
                held.list_asked = synced.want_list;
                if synced.stuck || in_vain {
                    again = false;
                    wait_for(pause.after_failure(chance()), &mut journal, None).await;
                } else {
                    pause.reset();
                    // After a push the hub is asked for news at once: it may want money back for a sale elsewhere.
                    let is_poll = !wait.is_zero() && !has_rows;
                    let quiet = is_poll && synced.applied.taken == 0 && !synced.more && !held.asked;
                    let rest = QUIET.saturating_sub(watch.elapsed());
                    if quiet && link.journal().published().state.unsent_rows() == 0 && !rest.is_zero() {
                        wait_for(rest, &mut journal, Some(newest)).await;
                    }
                }
            }
            Err(error) => {
                note(&network, &error);
                let cannot_read = [RefusalCode::Malformed, RefusalCode::UnsupportedVersion];
                if matches!(error, SyncError::Call(CallError::Refused(code)) if cannot_read.contains(&code)) {
                    // Another program may answer there than the one that asked for the list.
                    held.list_asked = false;
                }
                again = false;
                let length = pause.after_failure(chance());
                tokio::time::sleep(QUIET).await;
                wait_for(length.saturating_sub(QUIET), &mut journal, Some(newest)).await;
            }
        }
    }
}

/// The balances that the hub asked to have handed back, page by page.
#[derive(Debug, Default)]
struct Held {
    asked: bool,
    /// True where the hub asks for the hot list too.
    list_asked: bool,
    after: Option<HeldKey>,
    /// True where the last exchange carried the last page.
    given: bool,
}

/// One exchange; nothing where it was a question about news that a sale made old.
async fn exchange(
    link: &HubLink,
    held: &mut Held,
    wait: Duration,
    journal: &mut watch::Receiver<Published>,
) -> Result<Option<Synced>, SyncError> {
    held.given = false;
    if held.asked {
        return hand_back(link, held).await.map(Some);
    }
    let unsent = link.journal().sync(crate::journal::Journal::unsent).await?;
    let newest = unsent.state.newest.chain.seq;
    if unsent.rows.is_empty() && !wait.is_zero() {
        // A sale does not wait for the hub's answer about news: the poll is dropped and asked again after the push.
        return tokio::select! {
            biased;
            synced = link.sync(unsent, None, wait) => synced.map(Some),
            () = more_rows(journal, newest) => Ok(None),
        };
    }
    link.sync(unsent, None, Duration::ZERO).await.map(Some)
}

/// Gives one page of what the hub asked for. A page that was not answered is given again: of two the larger counts.
async fn hand_back(link: &HubLink, held: &mut Held) -> Result<Synced, SyncError> {
    let after = held.after;
    let unsent = link.journal().sync(crate::journal::Journal::unsent).await?;
    // Until it has all of it, the hub takes no row.
    let unsent = Unsent { rows: Vec::new(), ..unsent };
    let page = link.journal().sync(move |journal| journal.held_after(after)).await?;
    // A hub that does not ask for the list would not understand it.
    let page = HeldPage { list: page.list.filter(|_| held.list_asked), ..page };
    let (is_end, last) = (page.is_end, page.last);
    let synced = link.sync(unsent, Some(page), Duration::ZERO).await?;
    *held = if is_end {
        tracing::info!("what is held was handed back to the hub");
        Held { given: true, ..Held::default() }
    } else {
        Held { asked: true, after: last, ..Held::default() }
    };
    Ok(synced)
}

fn note(network: &watch::Sender<Network>, error: &SyncError) {
    let name = match error {
        SyncError::Call(error) => error.name(),
        SyncError::Journal(_) => "journal",
        SyncError::Random => "random",
    };
    let was = *network.borrow();
    network.send_replace(Network { state: NetworkState::Offline(name), has_all_news: false, ..was });
    if was.state == NetworkState::Offline(name) {
        tracing::debug!(%error, "the hub is still not reached");
    } else {
        // A stall is off line every day; what waits too long is told by the advice.
        tracing::info!(error = %chain(error), "the hub is not reached; sales go on with what lies here");
    }
}

/// An error with its causes: the outermost one alone often says too little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

/// Returns when the journal has a row after `newest`.
async fn more_rows(journal: &mut watch::Receiver<Published>, newest: Seq) {
    if journal.wait_for(|published| published.state.newest.chain.seq > newest).await.is_err() {
        // The journal is closed: the program ends.
        std::future::pending::<()>().await;
    }
}

/// Waits, but not past a new row.
async fn wait_for(length: Duration, journal: &mut watch::Receiver<Published>, newest: Option<Seq>) {
    let rows = async {
        match newest {
            Some(newest) => more_rows(journal, newest).await,
            None => std::future::pending().await,
        }
    };
    drop(tokio::time::timeout(length, rows).await);
}

fn chance() -> u8 {
    let mut byte = [u8::MAX];
    // Without randomness the pause is the longest one.
    let _filled = SystemRandom::new().fill(&mut byte);
    let [byte] = byte;
    byte
}
