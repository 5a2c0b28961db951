//! The whole hub: from the files on disk to a port that answers, and down again.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use cabas_protocol::keys::HubKeys;
use tokio::sync::{Notify, Semaphore};

use super::{Certificate, GRACE, Listening, TlsError};
use crate::admin::site::Site;
use crate::alerts::Sent;
use crate::alerts::Ways;
use crate::api::terminal::KnownKeys;
use crate::api::waiting::Waiting;
use crate::app::{App, LARGE_BODIES_MAX, LEDGER_CALLS_MAX, PerMinute, UNKNOWN_CODES_PER_MINUTE_MAX, Workers};
use crate::card_relay::Relay;
use crate::checkup::{Checkup, Looks};
use crate::clock::Clock;
use crate::config::Config;
use crate::jobs;
use crate::keys::{HubSecrets, KeyError};
use crate::metrics::Metrics;
use crate::router::router;
use crate::store::{Db, OpenMode, Store, StoreError};

/// How long threads may take to end after [`GRACE`].
pub const AFTER_GRACE: Duration = Duration::from_secs(2);

/// Why the hub does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A key cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database cannot be opened.
    #[error("database {file}: {source}", file = file.display())]
    Store {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        #[source]
        source: StoreError,
    },
    /// Terminals would believe nothing that it signs.
    #[error(
        "no signing key in the folder keys is certified by the fund's root key and in force; restore the keys that belong to \
         this database, or make a new one: cabas-hub key rotate"
    )]
    NotCertified,
    /// TLS cannot be served.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The port cannot be opened.
    #[error("listen = {address}: {source}; is another program using it?")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
}

impl App {
    /// Opens database and keys.
    ///
    /// # Errors
    /// [`StartError`] names the file.
    pub fn open(config: &Config, clock: Clock) -> Result<Arc<Self>, StartError> {
        let secrets = HubSecrets::load(&config.keys_dir())?;
        let file = config.database();
        let failed = |source| StartError::Store { file: config.database(), source };
        let mut db = Db::open(&file, OpenMode::Existing).map_err(failed)?.with_shares(config.shares());
        let (fund, certs, signing) =
            db.read(|tx| Ok((tx.fund()?, tx.key_certs()?, tx.signing_keys()?))).map_err(failed)?;
        let mut keys = HubKeys::new(fund.fund, fund.root);
        if certs.iter().any(|cert| keys.certify(cert).is_err()) {
            return Err(StartError::NotCertified);
        }
        secrets.signers.update(&signing);
        if secrets.signers.of_anybody().is_err() {
            return Err(StartError::NotCertified);
        }
        // What was imported before the bank's text was sealed: step by step, once.
        while db.write(|tx| tx.bank_seal_old(&secrets)).map_err(failed)? {}
        db.empty_log();
        let context = fund.context();
        Ok(Arc::new(Self {
            store: Store::start(db).map_err(failed)?,
            turns: Arc::new(Semaphore::new(LEDGER_CALLS_MAX)),
            large_bodies: Arc::new(Semaphore::new(LARGE_BODIES_MAX)),
            secrets,
            context,
            root: fund.root,
            clock,
            metrics: Arc::new(Metrics::new()),
            waiting: Arc::new(Waiting::default()),
            workers: Workers::default(),
            keys: KnownKeys::default(),
            cards: Relay::default(),
            allocate: Notify::new(),
            works: Notify::new(),
            database: file,
            documents: config.documents_dir(),
            releases: config.releases_dir(),
            unknown_codes: PerMinute::new(UNKNOWN_CODES_PER_MINUTE_MAX),
            site: Site::new(config, fund.name),
            code_valid_hours: config.code_valid_hours,
            siren: config.siren.clone(),
            metrics_page: config.metrics,
            checkup: Checkup::of(config),
            looks: Looks::default(),
            sent: Sent::default(),
            // Checked when the configuration was read; a hub without alerts still sells.
            ways: Ways::of(config).unwrap_or_default(),
        }))
    }
}

/// Opens the port that the configuration names.
///
/// # Errors
/// [`StartError::Tls`], [`StartError::Listen`].
pub fn listen(config: &Config) -> Result<Listening, StartError> {
    let tls = match (&config.tls_certificate, &config.tls_key) {
        (Some(certificate), Some(key)) => Some(Certificate::load(certificate, key)?),
        (Some(_) | None, _) => None,
    };
    let address = config.listen;
    Listening::open(address, tls).map_err(|source| StartError::Listen { address, source })
}

/// Answers until `stop`; then polls end at once, and what is under way gets a little time.
///
/// # Errors
/// The port failed.
pub async fn serve(app: Arc<App>, listening: Listening, stop: impl Future<Output = ()> + Send) -> io::Result<()> {
    let handle = Handle::new();
    let mut jobs = jobs::start(&app);
    let server = listening.serve(router(Arc::clone(&app)), handle.clone());
    let stopping = async {
        stop.await;
        tracing::info!("stopping");
        jobs::tell(sd_notify::NotifyState::Stopping);
        app.waiting.close();
        handle.graceful_shutdown(Some(GRACE));
        std::future::pending::<()>().await;
    };
    let served = tokio::select! {
        served = server => served,
        () = stopping => Ok(()),
    };
    jobs.shutdown().await;
    served
}
