//! `close`, `closings` and `history`: the local API from a shell.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Context;
use super::failure::Failure;
use super::local::{Local, text_of};
use crate::out::print;

#[derive(Args, Debug)]
pub(super) struct Close {
    /// What to close; a month closes its open day first, a year its open month
    period: Period,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Period {
    /// The day
    Day,
    /// The month
    Month,
    /// The year, or the shop's own accounting year
    Year,
}

#[derive(Args, Debug)]
pub(super) struct Closings {
    /// How many, newest first; 200 at the most
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// Only those before this row
    #[arg(long, value_name = "SEQ")]
    before: Option<u32>,
}

#[derive(Args, Debug)]
pub(super) struct History {
    /// The day, as 2026-11-28 [default: today]
    #[arg(long, value_name = "DATE", conflicts_with = "number")]
    day: Option<String>,
    /// The number on a receipt
    #[arg(long, value_name = "N")]
    number: Option<String>,
    /// Only what was done before this row, where a day was too long for one list
    #[arg(long, value_name = "SEQ", conflicts_with = "number")]
    before: Option<u32>,
}

pub(super) async fn close(context: &Context, close: &Close) -> Result<(), Failure> {
    let period = match close.period {
        Period::Day => "day",
        Period::Month => "month",
        Period::Year => "year",
    };
    let body = json!({ "period": period });
    let closed = Local::of(context).ask(reqwest::Method::POST, "/api/day-close", Some(body)).await?;
    print(context.format, &closed, closed_text).map_err(Failure::Print)
}

pub(super) async fn closings(context: &Context, closings: &Closings) -> Result<(), Failure> {
    let before = closings.before.map_or(String::new(), |before| format!("&before={before}"));
    let path = format!("/api/closings?limit={}{before}", closings.limit);
    let found = Local::of(context).ask(reqwest::Method::GET, &path, None).await?;
    print(context.format, &found, |found| lines(found, "closings", closing_line)).map_err(Failure::Print)
}

pub(super) async fn history(context: &Context, history: &History) -> Result<(), Failure> {
    let mut asked = Vec::new();
    for (name, value) in [("day", &history.day), ("stan", &history.number)] {
        if let Some(value) = value {
            // What the terminal would refuse anyway must not become another question.
            if !value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
                return Err(Failure::Refused(format!("{value:?}: give a day as 2026-11-28, or a receipt's number")));
            }
            asked.push(format!("{name}={value}"));
        }
    }
    asked.extend(history.before.map(|before| format!("before={before}")));
    let path = format!("/api/history?{}", asked.join("&"));
    let found = Local::of(context).ask(reqwest::Method::GET, &path, None).await?;
    print(context.format, &found, |found| {
        let more = if found.get("truncated") == Some(&Value::Bool(true)) { "older ones: --before SEQ\n" } else { "" };
        format!("{}{more}", lines(found, "entries", entry_line))
    })
    .map_err(Failure::Print)
}

fn closed_text(closed: &Value) -> String {
    let added = lines(closed, "closed", closing_line);
    if closed.get("is_new") == Some(&Value::Bool(true)) {
        return added;
    }
    format!("{added}nothing was sold since:\n{}\n", closing_line(closed))
}

/// One line each.
fn lines(found: &Value, key: &str, line: fn(&Value) -> String) -> String {
    let found = found.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    found.iter().map(|value| format!("{}\n", line(value))).collect()
}

fn closing_line(closing: &Value) -> String {
    let number = |key| closing.get(key).and_then(Value::as_u64).unwrap_or_default();
    format!(
        "row {}: {} {} closed {}, {} sales, fund {}, member {}, reversed {}, refunds {}, perpetual {} cents",
        number("seq"),
        text_of(closing, "period"),
        number("number"),
        text_of(closing, "at"),
        number("sales"),
        number("fund_cents"),
        number("member_cents"),
        number("reversed_cents"),
        number("refunds_cents"),
        number("perpetual_cents"),
    )
}

fn entry_line(entry: &Value) -> String {
    let number = |key| entry.get(key).and_then(Value::as_u64).unwrap_or_default();
    let undone = match (entry.get("reversed") == Some(&Value::Bool(true)), number("refunded_cents")) {
        (true, _) => String::from(", reversed"),
        (false, 0) => String::new(),
        (false, cents) => format!(", {cents} asked back"),
    };
    format!(
        "row {}: {} {} at {}, {} cents, fund {}, member {}{undone}",
        number("seq"),
        text_of(entry, "kind"),
        text_of(entry, "stan"),
        text_of(entry, "at"),
        number("cents"),
        number("fund_cents"),
        number("member_cents"),
    )
}
