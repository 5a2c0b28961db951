//! Server-sent events: the pages follow the sale without asking again and again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{Stream, StreamExt as _, iter, once};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::App;
use super::error::refused;
use crate::service::{Event, Refusal};

/// A word now and then, so that a dead connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

pub(super) async fn events(State(app): State<App>) -> Response {
    let Ok(place) = Arc::clone(&app.listeners).try_acquire_owned() else {
        return refused(&Refusal::Overloaded, app.service.texts());
    };
    let mut stop = app.stop.clone();
    let stopped = async move { drop(stop.wait_for(|stop| *stop).await) };
    let events = once(async { Event::Status }).map(sent).chain(follow(&app)).take_until(Box::pin(stopped));
    let events = events.inspect(move |_| {
        let _held_while_it_listens = &place;
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

fn follow(app: &App) -> impl Stream<Item = Result<Sent, Infallible>> + use<> {
    BroadcastStream::new(app.service.events()).flat_map(|event| match event {
        Ok(event) => iter(vec![sent(event)]),
        // Who was too slow asks for everything again.
        Err(BroadcastStreamRecvError::Lagged(_)) => iter(vec![sent(Event::Status)]),
    })
}

fn sent(event: Event) -> Result<Sent, Infallible> {
    Ok(match event {
        Event::Sale(sale) => Sent::default().event("sale").data(&*sale),
        Event::Status => Sent::default().event("status").data("{}"),
    })
}
