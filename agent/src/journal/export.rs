//! `journal export`: the rows as text, for people and other programs. The signed bytes stay in the file.

use super::error::JournalError;
use super::load::load_identity;
use super::schema;
use super::verify::hex;
use crate::clock;
use cabas_protocol::row::{ClockQuality, Row, RowBody, Tier};
use cabas_protocol::sign::SignError;
use cabas_protocol::{Cents, Seq, Signed, Timestamp};
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::path::Path;

/// How the rows are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExportFormat {
    /// One JSON array.
    Json,
    /// A line a row, semicolons between, as French spreadsheets expect.
    Csv,
}

const CSV_HEAD: &str = "seq;kind;local_time;hub_time;wall_time;clock;stan;sales;requested_cents;fund_cents;member_cents;\
                        spent_after_cents;serial;tier;card;purse;till_ref;hash";

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The output.
    #[error("the export could not be written: {0}")]
    Io(#[from] io::Error),
}

/// Writes all rows, one after the other.
///
/// # Errors
/// [`ExportError`].
pub fn export(path: &Path, format: ExportFormat, to: &mut dyn Write) -> Result<(), ExportError> {
    let sql = JournalError::from;
    let db = schema::open_read_only(path)?;
    let (id, _) = load_identity(&db)?;
    let mut select = db.prepare("SELECT at, till_ref, bytes FROM rows ORDER BY seq").map_err(sql)?;
    let mut rows = select.query([]).map_err(sql)?;
    match format {
        ExportFormat::Json => write!(to, "[")?,
        ExportFormat::Csv => writeln!(to, "{CSV_HEAD}")?,
    }
    let mut separator = "\n";
    while let Some(columns) = rows.next().map_err(sql)? {
        let at = Timestamp::new(columns.get(0).map_err(sql)?);
        let till_ref: Option<String> = columns.get(1).map_err(sql)?;
        let signed = Signed::<Row>::from_bytes(columns.get(2).map_err(sql)?).map_err(|e| sql_form(e.into()))?;
        let row = signed.read_trusted(id.fund).map_err(sql_form)?.into_payload();
        let line = Line { at, till_ref, hash: signed.hash().to_string(), row };
        match format {
            ExportFormat::Json => write!(to, "{separator}{}", line.json())?,
            ExportFormat::Csv => writeln!(to, "{}", line.csv()?)?,
        }
        separator = ",\n";
    }
    if format == ExportFormat::Json {
        writeln!(to, "\n]")?;
    }
    Ok(())
}

fn sql_form(error: SignError) -> JournalError {
    JournalError::Stored(error)
}

struct Line {
    at: Timestamp,
    till_ref: Option<String>,
    hash: String,
    row: Row,
}

impl Line {
    fn local_time(&self) -> String {
        let time = clock::local(self.at);
        format!("{:04}-{:02}-{:02} {:02}:{:02}", time.year, time.month, time.day, time.hour, time.minute)
    }

    const fn clock(&self) -> &'static str {
        match self.row.time.quality {
            ClockQuality::Unknown => "unknown",
            ClockQuality::Carried => "carried",
            ClockQuality::Synced => "synced",
        }
    }

    fn json(&self) -> Value {
        let mut line = Map::new();
        let mut put = |key: &str, value: Value| drop(line.insert(key.to_owned(), value));
        put("seq", json!(self.row.seq.get()));
        put("kind", json!(self.row.body.name()));
        put("local_time", json!(self.local_time()));
        put("hub_time", json!(self.at.get()));
        put("wall_time", json!(self.row.time.wall.get()));
        put("clock", json!(self.clock()));
        put("hash", json!(self.hash));
        put("body", body(&self.row.body));
        if let Some(till_ref) = &self.till_ref {
            put("till_ref", json!(till_ref));
        }
        Value::Object(line)
    }

    fn csv(&self) -> io::Result<String> {
        let mut fields = vec![
            self.row.seq.to_string(),
            self.row.body.name().to_owned(),
            self.local_time(),
            self.at.to_string(),
            self.row.time.wall.to_string(),
            self.clock().to_owned(),
        ];
        match &self.row.body {
            RowBody::Sale(sale) => {
                let requested = Cents::sum(sale.lines.iter().map(|line| line.requested)).map_err(io::Error::other)?;
                fields.extend([
                    sale.stan.to_string(),
                    String::from("1"),
                    requested.get().to_string(),
                    sale.fund_cents().map_err(io::Error::other)?.get().to_string(),
                    sale.member_cents().map_err(io::Error::other)?.get().to_string(),
                    sale.spent_after.get().to_string(),
                    sale.serial.to_string(),
                    tier(sale.tier).to_owned(),
                    sale.card.to_string(),
                    sale.purse.to_string(),
                ]);
            }
            RowBody::Close(close) => {
                let empty = String::new;
                let sales = close.sales.to_string();
                let (fund, member) = (close.fund.get().to_string(), close.member.get().to_string());
                fields.extend([empty(), sales, empty(), fund, member]);
                fields.extend([empty(), empty(), empty(), empty(), empty()]);
            }
            RowBody::Start(_)
            | RowBody::RefundRequest(_)
            | RowBody::Reversal(_)
            | RowBody::Return(_)
            | RowBody::ListApplied(_)
            | RowBody::Intent(_)
            | RowBody::InDoubt(_)
            | RowBody::DoubtResolved(_)
            | RowBody::Courier(_)
            | RowBody::CashierChange(_)
            | RowBody::Training(_)
            | RowBody::ClockSet(_)
            | RowBody::Configured(_)
            | RowBody::CardWritten(_)
            | RowBody::Unknown { .. } => fields.extend(std::iter::repeat_n(String::new(), 10)),
        }
        fields.push(csv_text(self.till_ref.as_deref().unwrap_or_default()));
        fields.push(self.hash.clone());
        Ok(fields.join(";"))
    }
}

/// The only text that comes from outside: quoted, and never the beginning of a formula.
fn csv_text(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = text.replace('"', "\"\"");
    if text.is_empty() { text } else { format!("\"{}{text}\"", if formula { "'" } else { "" }) }
}

const fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Purse => "T1",
        Tier::Identity => "T2",
        Tier::Plain => "T3",
    }
}

/// What a row says, by kind. Kinds that this version does not write stay as their bytes.
fn body(body: &RowBody) -> Value {
    match body {
        RowBody::Start(start) => json!({ "program": start.program }),
        RowBody::Sale(sale) => json!({
            "stan": sale.stan.to_string(),
            "card": sale.card.to_string(),
            "tier": tier(sale.tier),
            "purse": sale.purse.to_string(),
            "spent_after_cents": sale.spent_after.get(),
            "serial": sale.serial.get(),
            "lines": sale.lines.iter().map(|line| json!({
                "category": line.category.get(),
                "requested_cents": line.requested.get(),
                "fund_cents": line.fund.get(),
                "member_cents": line.member.get(),
            })).collect::<Vec<_>>(),
            "hot_list": sale.hot_list.get(),
            "grid": sale.grid.get(),
            "policy": sale.policy.get(),
            "request_id": sale.request.map(|request| request.to_string()),
            "asked_cents": sale.asked.map(Cents::get),
            "intent_seq": sale.intent.map(Seq::get),
            "card_counter": sale.card_counter,
            "card_mac": sale.card_mac.as_ref().map(|mac| hex(mac)),
        }),
        RowBody::Intent(_)
        | RowBody::InDoubt(_)
        | RowBody::DoubtResolved(_)
        | RowBody::Courier(_)
        | RowBody::CardWritten(_) => card_body(body),
        RowBody::Close(close) => json!({
            "period": format!("{:?}", close.period).to_lowercase(),
            "number": close.number,
            "from_seq": close.from.get(),
            "sales": close.sales,
            "fund_cents": close.fund.get(),
            "member_cents": close.member.get(),
            "reversed_cents": close.reversed.get(),
            "refunds_cents": close.refunds.get(),
            "perpetual_cents": close.perpetual.get(),
        }),
        RowBody::ListApplied(list) => json!({ "version": list.version.get() }),
        RowBody::Configured(configured) => json!({
            "config": configured.config.get(),
            "grid": configured.grid.get(),
            "policy": configured.policy.get(),
        }),
        RowBody::ClockSet(set) => json!({ "before": set.before.get(), "after": set.after.get() }),
        RowBody::Unknown { kind, body } => json!({ "kind": kind, "cbor": hex(body.as_bytes()) }),
        RowBody::CashierChange(change) => json!({ "cashier": change.cashier }),
        RowBody::Training(training) => json!({ "on": training.on }),
        RowBody::RefundRequest(_) | RowBody::Reversal(_) | RowBody::Return(_) => Value::Null,
    }
}

/// What a row says of a card that counts for itself.
fn card_body(body: &RowBody) -> Value {
    match body {
        RowBody::Intent(debit) | RowBody::InDoubt(debit) => json!({
            "stan": debit.stan.to_string(),
            "card": debit.card.to_string(),
            "purse": debit.purse.to_string(),
            "cents": debit.cents.get(),
            "spent_before_cents": debit.spent_before.get(),
        }),
        RowBody::DoubtResolved(resolved) => {
            json!({ "doubt_seq": resolved.doubt.seq.get(), "debited": resolved.debited })
        }
        RowBody::Courier(courier) => json!({
            "terminal": courier.origin.terminal.get(),
            "epoch": courier.origin.epoch.get(),
            "seq": courier.origin.seq.get(),
            "card": courier.card.to_string(),
            "purse": courier.purse.to_string(),
            "record": hex(&courier.record),
        }),
        RowBody::CardWritten(written) => json!({
            "card": written.card.to_string(),
            "purse": written.purse.to_string(),
            "serial": written.serial.get(),
            "card_counter": written.card_counter,
            "card_mac": hex(&written.card_mac),
        }),
        RowBody::Start(_)
        | RowBody::Sale(_)
        | RowBody::RefundRequest(_)
        | RowBody::Reversal(_)
        | RowBody::Return(_)
        | RowBody::ListApplied(_)
        | RowBody::Close(_)
        | RowBody::CashierChange(_)
        | RowBody::Training(_)
        | RowBody::ClockSet(_)
        | RowBody::Configured(_)
        | RowBody::Unknown { .. } => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::csv_text;

    #[test]
    fn a_till_reference_is_never_a_formula_or_a_field_more() {
        for (text, written) in
            [("", ""), ("T-12", "\"T-12\""), ("=1+1", "\"'=1+1\""), ("a;b\"c", "\"a;b\"\"c\""), ("@x", "\"'@x\"")]
        {
            assert_eq!(csv_text(text), written);
        }
    }
}
