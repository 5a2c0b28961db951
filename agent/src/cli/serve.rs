//! `run`: opens the journal, starts the threads of the devices, serves the page, syncs, until it is told to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cabas_protocol::Signer;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::failure::Failure;
use super::lock;
use crate::clock::Clock;
use crate::config::Config;
use crate::journal::keyfile::TerminalKeys;
use crate::journal::seal::{SealCredential, SealedBy};
use crate::journal::second::{self, Copy};
use crate::journal::{self, FILE, Journal, KEY_FILE};
use crate::phones::Phones;
use crate::service::counter::Alive;
use crate::service::{Parts, Place, Service, Settings};
use crate::sync::{HubClient, HubLink, Network, Timing};
use crate::till::caisse_ap::server as caisse_ap_server;
use crate::till::concert::server as concert_server;
use crate::till::hw_proxy::server as hw_proxy_server;
use crate::upgrade::take::{Setting, Upgrader};
use crate::{card, printer, web};

/// Card events that wait for the counter: more than a person can make.
const CARD_EVENTS_MAX: usize = 16;

pub(super) async fn run(config: &Config, config_file: Option<PathBuf>, is_launched: bool) -> Result<(), Failure> {
    let clock = Clock::system();
    let start = |what| move |source| Failure::Start { what, source };
    if !config.data_dir.join(FILE).exists() {
        return Err(Failure::NotEnrolled);
    }
    // Held until the end: a second agent would write a second future of the same journal.
    let _lock = lock::take(&config.data_dir)?;
    let keys = keys(config)?;
    let (journal, sealed_by) = open(config, &keys, &clock)?;
    let hub_url = config.hub_url.clone().unwrap_or_else(|| journal.state().id.hub_url.clone());
    let client = HubClient::new(&hub_url, config.hub_ca.as_deref())?;
    let listener = tokio::net::TcpListener::bind(config.listen).await.map_err(start("the page's address"))?;

    let (journal, journal_thread) = journal::handle::start(journal).map_err(start("the journal's thread"))?;
    let link = Arc::new(HubLink::new(client, signer(config, &keys)?, journal.clone(), clock.clone()));
    let (network, network_seen) = watch::channel(Network::default());
    let parts = Parts {
        settings: settings(config, sealed_by)?,
        clock: clock.clone(),
        journal,
        link: Arc::clone(&link),
        network: network_seen,
        printer: printer::start(config.printer()?).map_err(start("the printer's thread"))?,
        place: place(config),
    };
    let (service, counter) = Service::new(parts, keys.card_key());
    second(config, &config.data_dir.join(FILE), &service)?;
    let (cards, card_events) = mpsc::channel(CARD_EVENTS_MAX);
    let reader = card::start(config.reader(), cards).map_err(start("the reader's thread"))?;

    let (stop, stopped) = watch::channel(false);
    let timing = Timing {
        wait: Duration::from_millis(u64::from(config.sync_wait_ms)),
        pause_max: Duration::from_millis(u64::from(config.sync_pause_ms_max)),
    };
    let phones = phones(config, &clock);
    let (restart, mut restarts) = watch::channel(false);
    let reader_alive = Box::new(reader.alive());
    let setting = upgrading(config, config_file, is_launched)?;
    let upgrader = Upgrader { setting, link: Arc::clone(&link), service: Arc::clone(&service), reader_alive };
    let syncing = tokio::spawn(crate::sync::run(link, clock, timing, network));
    let watching = tokio::spawn(Arc::clone(&service).watch_changes());
    let door = phones.clone().map(|phones| web::serve_phones(phones, Arc::clone(&service), stopped.clone()));
    let door = door.map(tokio::spawn);
    let pages = tokio::spawn(web::serve_with(listener, Arc::clone(&service), phones, stopped.clone()));
    let tills = tills(config, &service, &stopped)?;
    tracing::info!(address = %config.listen, "ready");
    tell(NotifyState::Ready);

    // Half of what systemd allows, as sd_watchdog_enabled(3) advises; fed by the loop that sells.
    let every = sd_notify::watchdog_enabled().map(|timeout| timeout.checked_div(2).unwrap_or(timeout));
    let alive = Alive { every, call: || tell(NotifyState::Watchdog) };
    let counting = tokio::spawn(counter.run(card_events, stopped, alive));
    let upgrading = tokio::spawn(upgrader.run(restart));
    tokio::select! {
        ended = wait_for_the_end() => ended.map_err(start("the signals"))?,
        () = asked_for(&mut restarts) => tracing::info!("nobody is served: ends, to start as the new program"),
    }

    tell(NotifyState::Stopping);
    stop.send_replace(true);
    drop(counting.await);
    drop(reader);
    for task in [syncing, watching, upgrading] {
        task.abort();
        drop(task.await);
    }
    drop(pages.await);
    for task in door.into_iter().chain(tills) {
        drop(task.await);
    }
    drop(service);
    // Every row that was asked for is written before the program ends.
    journal_thread.finish();
    Ok(())
}

/// The second copy of the journal, where the configuration names a folder for it. It never keeps the counter shut.
fn second(config: &Config, file: &Path, service: &Service) -> Result<(), Failure> {
    if config.second_journal.is_empty() {
        return Ok(());
    }
    let copy = Copy::new(file, Path::new(&config.second_journal))
        .map_err(|source| Failure::Journal { file: file.to_owned(), source })?;
    let start = |source| Failure::Start { what: "the thread of the journal's second copy", source };
    service.has_second(second::start(copy, service.journal_changes()).map_err(start)?);
    Ok(())
}

fn no_keys(config: &Config, why: String) -> Failure {
    Failure::Keys { file: config.data_dir.join(KEY_FILE), why }
}

/// The terminal's keys.
pub(super) fn keys(config: &Config) -> Result<TerminalKeys, Failure> {
    TerminalKeys::read(&config.data_dir.join(KEY_FILE)).map_err(|error| no_keys(config, error.to_string()))
}

/// The terminal's key, to sign with.
pub(super) fn signer(config: &Config, keys: &TerminalKeys) -> Result<Signer, Failure> {
    keys.signer().ok_or_else(|| no_keys(config, String::from("it holds no key")))
}

/// Opens the journal, and says what the keys of cards in it are sealed by.
fn open(config: &Config, keys: &TerminalKeys, clock: &Clock) -> Result<(Journal, SealedBy), Failure> {
    let file = config.data_dir.join(FILE);
    let credential = systemd_credential()?;
    let secrets = (signer(config, keys)?, keys, credential.as_ref());
    let opened = Journal::open_with(&file, secrets, clock.now(), crate::stamp::version());
    let sealed_by = if credential.is_some() { SealedBy::Credential } else { SealedBy::KeyFile };
    Ok((opened.map_err(|source| Failure::Journal { file, source })?, sealed_by))
}

/// The tills' door, where the configuration lets any in.
fn tills(
    config: &Config,
    service: &Arc<Service>,
    stopped: &watch::Receiver<bool>,
) -> Result<Option<tokio::task::JoinHandle<()>>, Failure> {
    let (caisse_ap, hw_proxy) = (config.caisse_ap()?, config.hw_proxy()?);
    let (concert, device) = (config.concert()?, config.concert_device()?);
    let ways = [
        caisse_ap.as_ref().map(|door| (caisse_ap_server::WAY, door.address.to_string())),
        hw_proxy.as_ref().map(|door| (hw_proxy_server::WAY, door.address.to_string())),
        concert.as_ref().map(|door| (concert_server::ADDRESS, door.address.to_string())),
        device.as_ref().map(|device| (concert_server::DEVICE, device.path.display().to_string())),
    ];
    if ways.iter().all(Option::is_none) {
        return Ok(None);
    }
    for (way, address) in ways.into_iter().flatten() {
        service.till.opens(way, &address, &config.till_category);
    }
    let (watching, service, mut stop) = (Arc::clone(service), Arc::clone(service), stopped.clone());
    let stopped = stopped.clone();
    Ok(Some(tokio::spawn(async move {
        let ended = async move { drop(stop.wait_for(|stop| *stop).await) };
        let watched = async move {
            tokio::select! {
                () = watching.till_watch() => {}
                () = ended => {}
            }
        };
        let (service, stopped) = (|| Arc::clone(&service), || stopped.clone());
        let caisse_ap = caisse_ap.map(|door| caisse_ap_server::serve(door, service(), stopped()));
        let hw_proxy = hw_proxy.map(|door| hw_proxy_server::serve(door, service(), stopped()));
        let concert = concert.map(|door| concert_server::serve_address(door, service(), stopped()));
        let device = device.map(|device| concert_server::serve_device(device, service(), stopped()));
        tokio::join!(watched, if_any(caisse_ap), if_any(hw_proxy), if_any(concert), if_any(device));
    })))
}

/// Waits for the end of what there may be.
async fn if_any(work: Option<impl Future<Output = ()>>) {
    if let Some(work) = work {
        work.await;
    }
}

fn settings(config: &Config, sealed_by: SealedBy) -> Result<Settings, Failure> {
    Ok(Settings {
        sale_max: config.sale_max()?,
        timeout: Duration::from_secs(u64::from(config.sale_timeout_s)),
        extend_timeout: Duration::from_millis(u64::from(config.extend_timeout_ms)),
        auto_print: config.auto_print,
        language: config.language()?,
        sealed_by,
    })
}

/// The telephones, where the configuration lets any in. What is wrong with them never keeps the counter shut.
fn phones(config: &Config, clock: &Clock) -> Option<Arc<Phones>> {
    let address = config.phone_address().ok().flatten()?;
    let name = (!config.phone_name.is_empty()).then(|| config.phone_name.clone());
    match Phones::open(&config.data_dir, address, name, clock.clone()) {
        Ok(phones) => Some(Arc::new(phones)),
        Err(error) => {
            tracing::error!(%error, "no telephone is let in");
            None
        }
    }
}

/// What the task of upgrades needs to know.
fn upgrading(config: &Config, config_file: Option<PathBuf>, is_launched: bool) -> Result<Setting, Failure> {
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
    Ok(Setting {
        key: config.release_key()?,
        config: config_file,
        data_dir: config.data_dir.clone(),
        journal: config.data_dir.join(FILE),
        page: config.listen,
        is_launched,
        every: seconds(config.upgrade_check_s),
        quiet: seconds(config.upgrade_quiet_s),
        trial: seconds(config.upgrade_trial_s),
    })
}

/// Returns once something is asked for; never where nobody asks any more.
async fn asked_for(what: &mut watch::Receiver<bool>) {
    if what.wait_for(|asked| *asked).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn place(config: &Config) -> Place {
    let lock_after = (config.lock_after_s > 0).then(|| Duration::from_secs(u64::from(config.lock_after_s)));
    Place { data_dir: Some(config.data_dir.clone()), lock_after }
}

/// What systemd decrypted for this run, where it did.
pub(super) fn systemd_credential() -> Result<Option<SealCredential>, Failure> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    Ok(SealCredential::read(folder.as_deref())?)
}

async fn wait_for_the_end() -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Tells systemd; where there is none, nobody hears it.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}
