//! Reversals, refunds, part payments, the day's list and receipts that wait: bodies are checked here.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use cabas_protocol::row::Origin;
use cabas_protocol::{Epoch, RequestId, Seq, TerminalId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::api::{LineBody, ReceiptBody, answer_of, asked_line, id_of, language_of, read};
use super::error::{answer, refused, wrong};
use crate::journal::{RefundAsk, SaleRef};
use crate::service::{Refusal, request_of};

/// Bytes of an id that a till gives.
const ID_BYTES_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReversalBody {
    request_id: String,
}

/// A sale by its id, or by the key of its row.
#[derive(Deserialize)]
#[serde(untagged)]
enum SaleBody {
    Id(String),
    Row { terminal: u32, epoch: u32, seq: u32 },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundBody {
    sale: SaleBody,
    #[serde(default)]
    lines: Option<Vec<LineBody>>,
    request_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptBody {
    action: String,
}

fn operation(app: &App, text: &str) -> Result<RequestId, Box<Response>> {
    if text.is_empty() || text.len() > ID_BYTES_MAX {
        return Err(Box::new(wrong(400, "error-bad-json", app.service.texts())));
    }
    Ok(request_of(text))
}

fn written(app: &App, result: Result<(Value, bool), Refusal>) -> Response {
    match result {
        Ok((value, is_new)) => answer(if is_new { 201 } else { 200 }, &value),
        Err(refusal) => refused(&refusal, app.service.texts()),
    }
}

pub(super) async fn reverse(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let request = read(&app, &body).and_then(|body: ReversalBody| operation(&app, &body.request_id));
    match request {
        Ok(request) => written(&app, app.service.reverse(SaleRef::Request(id_of(&id)), request).await),
        Err(response) => *response,
    }
}

pub(super) async fn refund(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Response {
    match read(&app, &body).and_then(|body| refund_ask(&app, body)) {
        Ok(ask) => written(&app, app.service.refund(ask).await),
        Err(response) => *response,
    }
}

fn refund_ask(app: &App, body: RefundBody) -> Result<RefundAsk, Box<Response>> {
    let request = operation(app, &body.request_id)?;
    let sale = match body.sale {
        SaleBody::Id(id) => SaleRef::Request(operation(app, &id)?),
        SaleBody::Row { terminal, epoch, seq } => SaleRef::Origin(Origin {
            terminal: TerminalId::new(terminal),
            epoch: Epoch::new(epoch),
            seq: Seq::new(seq),
        }),
    };
    let lines = body.lines.map(|lines| lines.into_iter().map(|line| asked_line(app, line)).collect());
    Ok(RefundAsk { request, sale, lines: lines.transpose()? })
}

pub(super) async fn refund_of(State(app): State<App>, Path(id): Path<String>) -> Response {
    answer_of(&app, 200, app.service.refund_of(id_of(&id)).await)
}

pub(super) async fn take_part(State(app): State<App>, Path(id): Path<String>) -> Response {
    answer_of(&app, 200, app.service.take_part(id_of(&id)).await)
}

pub(super) async fn today(State(app): State<App>) -> Response {
    answer_of(&app, 200, app.service.today().await)
}

pub(super) async fn receipt(
    State(app): State<App>,
    Path(seq): Path<u32>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let language = read(&app, &body).and_then(|body: ReceiptBody| language_of(&app, &body));
    match language {
        Ok(language) => {
            let printed = app.service.print_row(Seq::new(seq), language).await;
            answer_of(&app, 202, printed.map(|(job, copies)| json!({ "job": job.get(), "duplicate": copies })))
        }
        Err(response) => *response,
    }
}

pub(super) async fn kept(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Response {
    let asked: KeptBody = match read(&app, &body) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    match asked.action.as_str() {
        "print" => answer_of(&app, 202, app.service.print_kept()),
        "discard" => answer_of(&app, 200, app.service.discard_kept().map(|()| json!({ "printed": 0 }))),
        _ => wrong(400, "error-bad-json", app.service.texts()),
    }
}
