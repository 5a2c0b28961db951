//! `journal export`: the rows as text, for people and other programs. The signed bytes stay in the file.

use super::close::period_name;
use super::error::JournalError;
use super::export_body::{body, tier};
use super::load::load_identity;
use super::{log, schema};
use crate::clock;
use cabas_protocol::row::{ClockQuality, RefundRequest, Reversal, Row, RowBody};
use cabas_protocol::sign::SignError;
use cabas_protocol::{Cents, MoneyError, Signed, Timestamp};
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
                        spent_after_cents;serial;tier;card;purse;till_ref;hash;reversed_cents;refund_cents;\
                        perpetual_cents;period;number;from_seq;sale_seq";

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
    log::check_in_use(path)?;
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
            RowBody::RefundRequest(RefundRequest { stan, .. }) | RowBody::Reversal(Reversal { stan, .. }) => {
                fields.push(stan.to_string());
                fields.extend(std::iter::repeat_n(String::new(), 9));
            }
            RowBody::Start(_)
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
        fields.extend(more(&self.row.body).map_err(io::Error::other)?);
        Ok(fields.join(";"))
    }
}

/// The last columns: what a reversal, a refund or a closing says beyond the others.
fn more(body: &RowBody) -> Result<[String; 7], MoneyError> {
    let mut columns: [String; 7] = Default::default();
    let [reversed, refund, perpetual, period, number, from, sale] = &mut columns;
    if let RowBody::Close(close) = body {
        (*reversed, *refund) = (close.reversed.get().to_string(), close.refunds.get().to_string());
        (*perpetual, *period) = (close.perpetual.get().to_string(), period_name(close.period).to_owned());
        (*number, *from) = (close.number.to_string(), close.from.to_string());
    } else if let RowBody::Reversal(row) = body {
        (*reversed, *sale) = (row.cents.get().to_string(), row.sale.to_string());
    } else if let RowBody::RefundRequest(row) = body {
        *refund = Cents::sum(row.lines.iter().map(|line| line.fund))?.get().to_string();
        *sale = row.original.seq.to_string();
    }
    Ok(columns)
}

/// The only text that comes from outside: quoted, and never the beginning of a formula.
fn csv_text(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = text.replace('"', "\"\"");
    if text.is_empty() { text } else { format!("\"{}{text}\"", if formula { "'" } else { "" }) }
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
