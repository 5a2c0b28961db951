//! `status` and `balance`: the local API from a shell, so over SSH too.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::Context;
use super::failure::Failure;
use crate::out::{Format, complain, plain, print};

/// How long the running terminal may take for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn status(context: &Context) -> Result<(), Failure> {
    let status = Local::of(context).ask(reqwest::Method::GET, "/api/status", None).await?;
    print(context.format, &status, status_text).map_err(Failure::Print)
}

pub(super) async fn balance(context: &Context) -> Result<(), Failure> {
    let local = Local::of(context);
    if context.format == Format::Text {
        complain("Hold the card to the reader.");
    }
    let balance = local.ask(reqwest::Method::POST, "/api/balance", Some(json!({}))).await?;
    print(context.format, &balance, |balance| {
        format!("{} cents", balance.get("available_cents").and_then(Value::as_u64).unwrap_or_default())
    })
    .map_err(Failure::Print)
}

/// The terminal that runs on this machine.
pub(super) struct Local {
    http: reqwest::Client,
    base: String,
    message: &'static str,
}

impl Local {
    pub(super) fn of(context: &Context) -> Self {
        let address = context.config.listen;
        let message = if context.config.language == "en" { "message_en" } else { "message_fr" };
        let built = reqwest::Client::builder().no_proxy().tls_certs_only([]).build();
        Self { http: built.unwrap_or_default(), base: format!("http://{address}"), message }
    }

    /// The key of messages in the shop's language.
    pub(super) const fn message(&self) -> &'static str {
        self.message
    }

    /// Follows the terminal's events; nothing where they are not told.
    pub(super) async fn listen(&self) -> Option<reqwest::Response> {
        let asked = self.http.get(format!("{}/api/events", self.base)).send();
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, asked).await.ok()?.ok()?;
        (answer.status() == StatusCode::OK).then_some(answer)
    }

    /// Asks, and gives status and answer, whatever it is.
    pub(super) async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Value), Failure> {
        let failed = |source| Failure::NoTerminal { url: self.base.clone(), source };
        // A balance waits for a card; nothing else takes long.
        let waits_for_card = path == "/api/balance";
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if !waits_for_card {
            request = request.timeout(ANSWER_TIMEOUT);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        Ok((status, serde_json::from_slice(&answer.bytes().await.map_err(failed)?)?))
    }

    /// The answer where it was done, in the shop's language why not.
    pub(super) fn well(&self, (status, value): (StatusCode, Value)) -> Result<Value, Failure> {
        if status.is_success() {
            return Ok(value);
        }
        let error = value.get("error").unwrap_or(&Value::Null);
        Err(Failure::Refused(format!("{} ({status})", text_of(error, self.message))))
    }

    pub(super) async fn ask(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Result<Value, Failure> {
        self.well(self.send(method, path, body).await?)
    }
}

pub(super) fn text_of(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn status_text(status: &Value) -> String {
    let at = |pointer: &str| match status.pointer(pointer) {
        None | Some(Value::Null) => String::from("-"),
        Some(Value::String(text)) => plain(text),
        Some(other) => other.to_string(),
    };
    let mut lines = vec![
        format!(
            "Terminal {} (enrolment {}), {}: {}",
            at("/terminal/id"),
            at("/terminal/epoch"),
            at("/terminal/shop_name"),
            at("/standing")
        ),
        format!("Hub: {} Last seen {} s ago.", at("/hub/message_en"), at("/hub/last_seen_s")),
        format!(
            "Balances: {}, {} s old. Hot list {}.",
            at("/balances/count"),
            at("/balances/age_s"),
            at("/hot_list/version")
        ),
        format!(
            "Not sent: {} sales, {} cents, {} rows.",
            at("/unsynced/count"),
            at("/unsynced/cents"),
            at("/unsynced/rows")
        ),
    ];
    for part in ["reader", "printer", "journal"] {
        lines.push(format!("{part}: {}", at(&format!("/{part}/message_en"))));
    }
    lines.push(format!("clock: {}", at("/clock/quality")));
    lines.push(format!("disk: {}", at("/disk/message_en")));
    match (status.pointer("/cashier/number"), status.get("locked") == Some(&Value::Bool(true))) {
        (Some(number), _) => lines.push(format!("cashier: {number} {}", at("/cashier/label"))),
        (None, true) => lines.push(String::from("cashier: none, the counter is locked")),
        (None, false) => {}
    }
    if status.get("training") == Some(&Value::Bool(true)) {
        lines.push(String::from("TRAINING: sales are played, nothing is sold"));
    }
    lines.push(format!("keys of purse cards sealed by: {}", at("/sealed_by")));
    for advice in status.get("advice").and_then(Value::as_array).into_iter().flatten() {
        let text = |key| plain(&text_of(advice, key));
        lines.push(format!("{}: {} {}", text("level"), text("message_en"), text("todo_en")));
    }
    for alarm in status.get("alarms").and_then(Value::as_array).into_iter().flatten() {
        lines.push(format!("ALARM {}", plain(&text_of(alarm, "text"))));
    }
    lines.join("\n")
}
