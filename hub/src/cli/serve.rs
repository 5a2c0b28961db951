//! `serve`.

use std::future::Future;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::failure::Failure;
use super::{Context, logs, restore};
use crate::app::App;
use crate::jobs;
use crate::server::run;

pub(super) fn serve(context: &Context) -> Result<(), Failure> {
    logs::start(&context.config.log)?;
    let _lock = restore::lock(&context.config.data_dir)?;
    let app = App::open(&context.config, context.clock.clone())?;
    let system = |what| move |source| Failure::System { what, source };
    let threads = std::thread::available_parallelism().map_err(system("number of processors"))?.get();
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        // Work on them is cryptography: more threads than processors only get in each other's way.
        .max_blocking_threads(threads.saturating_add(1))
        .enable_all()
        .build()
        .map_err(system("threads"))?;
    // Before anybody can call: a stop that comes with the first of them is one in order.
    let stop = runtime.block_on(async { stop_signal() }).map_err(system("signals"))?;
    let listening = run::listen(&context.config)?;
    // Held to the end: the ledger's thread ends, its work done, when the last handle is dropped.
    let store = app.store.clone();
    let served = runtime.block_on(async {
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
