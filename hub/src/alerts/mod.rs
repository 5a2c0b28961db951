//! Tells an association that has no Prometheus what is wrong: by mail, to a program, or both.
//!
//! A look and the message that follows from it are one transaction; a delivery is tried until it succeeds. So a restart
//! tells nothing twice, and a mail server that is down loses nothing. Only where the power goes between a mail server's yes
//! and our note of it does a message go twice, under one id. No message names a person, a purse, a card or a shop.

mod deliver;
mod mail;
mod text;
mod webhook;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cabas_protocol::Timestamp;
use tokio::time::MissedTickBehavior;

use crate::app::App;
use crate::config::Config;
use crate::core::checks::checks;
use crate::store::{Lane, StoreError, Way};

pub use self::deliver::{Undelivered, send};
pub use self::mail::{MAIL_TO_MAX, Mail};
pub use self::text::{Letter, page_of, sentence, title, todo};
pub use self::webhook::Webhook;

/// How often messages that wait are tried.
const DELIVER_EVERY: Duration = Duration::from_secs(60);
/// How often the hub looks at itself.
pub const LOOK_EVERY_S: u64 = 300;
/// How long a look may take.
pub const LOOK_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one delivery may take.
pub const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Where alerts go.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// By mail.
    pub mail: Option<Mail>,
    /// To a program.
    pub webhook: Option<Webhook>,
    /// The site's address, without a slash at its end.
    pub site: Option<String>,
}

impl Ways {
    /// What the configuration names; a sentence about what is wrong with it otherwise.
    ///
    /// # Errors
    /// What cannot be, and what to do.
    pub fn of(config: &Config) -> Result<Self, &'static str> {
        let site = config.alert_site.as_deref().map(|site| site.trim_end_matches('/').to_owned());
        if site.as_deref().is_some_and(|site| !site.starts_with("https://") && !site.starts_with("http://")) {
            return Err("alert_site is the address of the web site, such as https://hub.example");
        }
        if config.alert_silent_hours == 0 {
            return Err("alert_silent_hours = 0 would tell of every terminal at once; set hours, such as 96");
        }
        Ok(Self { mail: Mail::of(config)?, webhook: Webhook::of(config)?, site })
    }

    /// Every way that there is.
    #[must_use]
    pub fn all(&self) -> Vec<Way> {
        let is_there = |way: &Way| match way {
            Way::Mail => self.mail.is_some(),
            Way::Webhook => self.webhook.is_some(),
        };
        Way::ALL.into_iter().filter(is_there).collect()
    }
}

/// Messages that went, of which the ledger could not yet be told: they do not go again.
#[derive(Debug, Default)]
pub struct Sent(Mutex<BTreeSet<(u64, Way)>>);

impl Sent {
    fn all(&self) -> BTreeSet<(u64, Way)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, message: u64, way: Way) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((message, way));
    }

    fn forget(&self, message: u64, way: Way) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(message, way));
    }
}

/// Looks and delivers until the hub stops; without a way to tell anybody it only looks, for the site.
pub async fn run(app: Arc<App>) {
    let mut every = tokio::time::interval(DELIVER_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looked_at: Option<Timestamp> = None;
    loop {
        every.tick().await;
        let now = app.clock.now();
        // A clock that was set back is looked at at once.
        if looked_at.is_none_or(|at| now < at || now.since_s(at) >= LOOK_EVERY_S) {
            looked_at = Some(now);
            if let Err(error) = look(&app).await {
                tracing::error!(%error, "the hub could not look at itself; it is tried again");
            }
        }
        if let Err(error) = deliver(&app).await {
            tracing::error!(%error, "whether alerts were delivered could not be noted; it is tried again");
        }
    }
}

/// Looks once: what begins, lasts or ends becomes a message in the same transaction.
///
/// # Errors
/// [`StoreError`].
pub async fn look(app: &Arc<App>) -> Result<bool, StoreError> {
    let (checkup, now) = (app.checkup.clone(), app.clock.now());
    let seen = app.looks.take(LOOK_TIMEOUT, move || checkup.see(now, |_| Ok(())).0).await;
    let seen = seen.ok_or(StoreError::Damaged("a look did not end in time; does a disk hang?"))?;
    let (checks, ways) = (checks(&seen), app.ways.all());
    app.store.call(Lane::Sync, move |tx| tx.alerts_look(&checks, &ways, now)).await
}

/// Tries every message that is due, once. What cannot be noted keeps no other message back.
///
/// # Errors
/// [`StoreError`]; a way that does not take a message is no error: it is tried again.
pub async fn deliver(app: &Arc<App>) -> Result<(), StoreError> {
    let now = app.clock.now();
    let mut noted = Ok(());
    for (message, way) in app.sent.all() {
        noted = noted.and(note(app, message, way, now).await);
    }
    let sent = app.sent.all();
    let due = app.store.call(Lane::Sync, move |tx| tx.alerts_due(now)).await?;
    for delivery in due.into_iter().filter(|delivery| !sent.contains(&(delivery.message, delivery.way))) {
        let letter = Letter::new(app, delivery.message, delivery.made_at, &delivery.lines);
        let (message, way) = (delivery.message, delivery.way);
        let kept = match send(&app.ways, way, &letter).await {
            Ok(()) => {
                app.sent.add(message, way);
                note(app, message, way, now).await
            }
            Err(error) => {
                tracing::warn!(alert.message = message, alert.way = way.name(), %error, "an alert was not delivered; it is tried again");
                app.store.call(Lane::Sync, move |tx| tx.alert_failed(&delivery, now)).await
            }
        };
        noted = noted.and(kept);
    }
    noted
}

/// Notes that a message went.
async fn note(app: &Arc<App>, message: u64, way: Way, now: Timestamp) -> Result<(), StoreError> {
    app.store.call(Lane::Sync, move |tx| tx.alert_delivered(message, way, now)).await?;
    app.sent.forget(message, way);
    Ok(())
}

/// A secret in a file of its own: one line.
fn secret(file: &PathBuf) -> Result<zeroize::Zeroizing<String>, Undelivered> {
    let unread = |source| Undelivered::Secret { file: file.clone(), source };
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(file).map_err(unread)?);
    Ok(zeroize::Zeroizing::new(text.trim().to_owned()))
}

/// True for a name of this machine.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
