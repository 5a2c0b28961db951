//! `serve`.

use std::future::Future;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::failure::Failure;
use super::{Context, restore};
use crate::app::App;
use crate::jobs;
use crate::server::run;

pub(super) fn serve(context: &Context) -> Result<(), Failure> {
    log_to_stderr(&context.config.log)?;
    let _lock = restore::lock(&context.config.data_dir)?;
    let app = App::open(&context.config, context.clock.clone())?;
    let listening = run::listen(&context.config)?;
    let system = |what| move |source| Failure::System { what, source };
    let threads = std::thread::available_parallelism().map_err(system("number of processors"))?.get();
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        // Work on them is cryptography: more threads than processors only get in each other's way.
        .max_blocking_threads(threads.saturating_add(1))
        .enable_all()
        .build()
        .map_err(system("threads"))?;
    // Held to the end: the ledger's thread ends, its work done, when the last handle is dropped.
    let store = app.store.clone();
    let served = runtime.block_on(async {
        let stop = stop_signal().map_err(system("signals"))?;
        tracing::info!(
            address = %listening.address(),
            tls = context.config.tls_certificate.is_some(),
            fund = app.context.fund.get(),
            "listening"
        );
        jobs::tell(sd_notify::NotifyState::Ready);
        run::serve(app, listening, stop).await.map_err(Failure::Serve)
    });
    runtime.shutdown_timeout(run::AFTER_GRACE);
    drop(store);
    tracing::info!("stopped");
    served
}

/// Ends when the hub is told to stop.
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // From here on it ends nothing: the listening side hears by it of a renewed certificate.
    drop(signal(SignalKind::hangup())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn log_to_stderr(filter: &str) -> Result<(), Failure> {
    let parsed = EnvFilter::try_new(filter).map_err(|source| Failure::Log { filter: filter.to_owned(), source })?;
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(parsed).with_writer(std::io::stderr).with_ansi(ansi).init();
    Ok(())
}
