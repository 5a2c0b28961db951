//! The local API: bodies are checked here, everything else is the service's.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use cabas_protocol::{CategoryId, RequestId};
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::error::{answer, refused, wrong};
use crate::core::amount;
use crate::core::receipt::Language;
use crate::core::split::AskedLine;
use crate::service::{BeginAsk, Refusal, request_of};

/// Bytes of an id or reference that a till gives.
const REFERENCE_BYTES_MAX: usize = 64;

/// A line of a sale: whole cents, or the amount as a person types it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LineBody {
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    cents: Option<serde_json::Number>,
    #[serde(default)]
    amount: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaleBody {
    lines: Vec<LineBody>,
    #[serde(default)]
    till_ref: Option<String>,
    request_id: String,
    /// Said by who knows that nothing is sold.
    #[serde(default)]
    training: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReceiptBody {
    #[serde(default)]
    language: Option<String>,
}

/// The body, or an answer that says what is wrong with it.
pub(super) fn read<'b, T: Deserialize<'b>>(
    app: &App,
    body: &'b Result<Bytes, BytesRejection>,
) -> Result<T, Box<Response>> {
    let texts = app.service.texts();
    let bytes = body.as_ref().map_err(|_| Box::new(wrong(413, "error-body-too-large", texts)))?;
    serde_json::from_slice(bytes).map_err(|_| Box::new(wrong(400, "error-bad-json", texts)))
}

pub(super) fn answer_of(app: &App, status: u16, result: Result<serde_json::Value, Refusal>) -> Response {
    match result {
        Ok(value) => answer(status, &value),
        Err(refusal) => refused(&refusal, app.service.texts()),
    }
}

/// An id as it stands in a path.
pub(super) fn id_of(id: &str) -> RequestId {
    request_of(id)
}

pub(super) async fn health(State(app): State<App>) -> Response {
    let status = app.service.status();
    let well = status.pointer("/journal/state").is_some_and(|state| state == "ok");
    let body = json!({ "ok": well, "program": crate::stamp::version(), "journal": status.get("journal") });
    answer(if well { 200 } else { 503 }, &body)
}

pub(super) async fn metrics(State(app): State<App>) -> Response {
    let kind = [(axum::http::header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, app.service.metrics_text()).into_response()
}

pub(super) async fn status(State(app): State<App>) -> Response {
    let mut status = app.service.status();
    if let Some(status) = status.as_object_mut() {
        // Who is let in is shown at this machine alone.
        status.insert(String::from("phones"), json!(app.phones.is_some() && app.is_this_machine));
    }
    answer(200, &status)
}

/// The words of the pages, in both languages.
pub(super) async fn texts(State(app): State<App>) -> Response {
    let texts = app.service.texts();
    answer(200, &json!({ "fr": texts.page(Language::French), "en": texts.page(Language::English) }))
}

pub(super) async fn begin(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Response {
    let sale: SaleBody = match read(&app, &body) {
        Ok(sale) => sale,
        Err(response) => return *response,
    };
    match ask_of(&app, sale) {
        Ok(ask) => match app.service.begin(ask).await {
            Ok((sale, is_new)) => answer(if is_new { 201 } else { 200 }, &sale),
            Err(refusal) => refused(&refusal, app.service.texts()),
        },
        Err(response) => *response,
    }
}

fn ask_of(app: &App, sale: SaleBody) -> Result<BeginAsk, Box<Response>> {
    let texts = app.service.texts();
    let malformed = || Box::new(wrong(400, "error-bad-json", texts));
    let too_long = sale.till_ref.as_ref().is_some_and(|text| text.len() > REFERENCE_BYTES_MAX);
    let id_length = sale.request_id.len();
    let has_control = |text: &str| text.chars().any(char::is_control);
    if too_long
        || id_length == 0
        || id_length > REFERENCE_BYTES_MAX
        || sale.till_ref.as_deref().is_some_and(has_control)
    {
        return Err(malformed());
    }
    let mut lines = Vec::with_capacity(sale.lines.len().min(cabas_protocol::row::LINES_MAX));
    for line in sale.lines {
        lines.push(asked_line(app, line)?);
    }
    let (request, training) = (request_of(&sale.request_id), sale.training);
    Ok(BeginAsk { request, till_ref: sale.till_ref, lines, training, from_till: false, takes_part: false })
}

/// A line as a till or a person gives it.
pub(super) fn asked_line(app: &App, line: LineBody) -> Result<AskedLine, Box<Response>> {
    let texts = app.service.texts();
    let malformed = || Box::new(wrong(400, "error-bad-json", texts));
    let category = match line.category {
        Some(text) => CategoryId::new(text.parse().map_err(|_| malformed())?),
        None => app.service.categories().categories.first().map(|category| category.id).unwrap_or_default(),
    };
    let max = app.service.settings().sale_max;
    let requested = match (line.cents, line.amount) {
        // A number that is not whole, negative or larger than any amount is an amount that is wrong, not a form.
        (Some(cents), None) => match cents.as_u64() {
            Some(cents) => amount::check(cents, max),
            None => amount::parse(&cents.to_string(), max).and(Err(amount::AmountError::NotANumber)),
        },
        (None, Some(text)) => amount::parse(&text, max),
        (Some(_), Some(_)) | (None, None) => return Err(malformed()),
    };
    let requested = requested.map_err(|error| Box::new(refused(&error.into(), texts)))?;
    Ok(AskedLine { category, requested })
}

pub(super) async fn sale(State(app): State<App>, Path(id): Path<String>) -> Response {
    answer_of(&app, 200, app.service.sale(id_of(&id)).await)
}

pub(super) async fn last(State(app): State<App>) -> Response {
    answer_of(&app, 200, app.service.last_sale().await)
}

pub(super) async fn cancel(State(app): State<App>, Path(id): Path<String>) -> Response {
    answer_of(&app, 200, app.service.cancel(id_of(&id)).await)
}

pub(super) async fn member_side(State(app): State<App>, Path(id): Path<String>) -> Response {
    answer_of(&app, 200, app.service.member_side(id_of(&id)))
}

pub(super) async fn receipt(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let asked: ReceiptBody = match read(&app, &body) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let language = match language_of(&app, &asked) {
        Ok(language) => language,
        Err(response) => return *response,
    };
    let printed = app.service.print(id_of(&id), language).await;
    answer_of(&app, 202, printed.map(|(job, copies)| json!({ "job": job.get(), "duplicate": copies })))
}

/// The language of a receipt.
pub(super) fn language_of(app: &App, asked: &ReceiptBody) -> Result<Language, Box<Response>> {
    match asked.language.as_deref() {
        Some("fr") => Ok(Language::French),
        Some("en") => Ok(Language::English),
        Some(_) => Err(Box::new(wrong(400, "error-bad-json", app.service.texts()))),
        None => Ok(app.service.settings().language),
    }
}

pub(super) async fn balance(State(app): State<App>) -> Response {
    answer_of(&app, 200, app.service.balance().await)
}
