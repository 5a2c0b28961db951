//! `till test`: connects as a till does, and shows what it would see.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Context;
use super::failure::Failure;
use super::{till_concert, till_page};
use crate::out::{Format, complain, plain, print};
use crate::till::caisse_ap::message::{MESSAGE_BYTES_MAX, Message};

/// As long as the Odoo addon waits.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(177);
/// What the probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Subcommand)]
pub(super) enum Till {
    /// Connect as a till does and show what it would see: 0 done, 1 refused or nobody there, 2 no answer to a debit
    Test(Test),
}

#[derive(Args, Debug)]
pub(super) struct Test {
    /// Also ask for a real debit of so many cents, and wait for its card
    #[arg(long, value_name = "CENTS", value_parser = clap::value_parser!(u64).range(1..=999_999_999_999))]
    amount: Option<u64>,
    /// The protocol to speak, where tills come in by more than one
    #[arg(long, value_enum, conflicts_with = "line")]
    by: Option<By>,
    /// Speak Concert on this device file: the other end of the cable, or of a pseudo-terminal
    #[arg(long, value_name = "DEVICE")]
    line: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum By {
    CaisseAp,
    Concert,
    HwProxy,
}

pub(super) async fn run(context: &Context, till: &Till) -> Result<(), Failure> {
    let Till::Test(test) = till;
    let is_meant = |by| test.line.is_none() && test.by.is_none_or(|chosen| chosen == by);
    if let Some(door) = context.config.caisse_ap()?.filter(|_| is_meant(By::CaisseAp)) {
        return caisse_ap(context, door.address.to_string(), test.amount).await;
    }
    if let Some(door) = context.config.hw_proxy()?.filter(|_| is_meant(By::HwProxy)) {
        return till_page::run(context, &door, test.amount).await;
    }
    if test.line.is_none() && !is_meant(By::Concert) {
        return Err(Failure::TillOff);
    }
    till_concert::run(context, test.line.as_deref(), test.amount).await
}

async fn caisse_ap(context: &Context, address: String, amount: Option<u64>) -> Result<(), Failure> {
    let probe = "CZ0040300CJ012012345678901CA00201CD001I";
    let answered = exchange(&address, probe, PROBE_TIMEOUT).await?;
    let mut shown = json!({ "address": address, "probe": shown(&answered) });
    let mut is_done = is_done(&answered);
    if let Some(cents) = amount.filter(|_| is_done) {
        if context.format == Format::Text {
            complain("Hold the card to the reader.");
        }
        let amount = cents.to_string();
        let request = format!("CZ0040300CJ012012345678901CA00201CE003978CD0010CB{:03}{amount}", amount.len());
        let answered = match exchange(&address, &request, ANSWER_TIMEOUT).await {
            Ok(answered) => answered,
            Err(Failure::TillMute { source, .. }) => return Err(Failure::TillUnknown { address, source }),
            Err(failure) => return Err(failure),
        };
        is_done = self::is_done(&answered);
        if let Value::Object(shown) = &mut shown {
            shown.insert(String::from("debit"), self::shown(&answered));
        }
    }
    print(context.format, &shown, text).map_err(Failure::Print)?;
    if is_done { Ok(()) } else { Err(Failure::Refused(String::from("the till would see a refusal"))) }
}

async fn exchange(address: &str, request: &str, timeout: Duration) -> Result<Vec<u8>, Failure> {
    let mute = |source| Failure::TillMute { address: address.to_owned(), source };
    let work = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = vec![0; MESSAGE_BYTES_MAX];
        let count = stream.read(&mut bytes).await?;
        bytes.truncate(count);
        if bytes.is_empty() { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
    };
    match tokio::time::timeout(timeout, work).await {
        Ok(done) => done.map_err(mute),
        Err(_) => Err(mute(std::io::ErrorKind::TimedOut.into())),
    }
}

fn is_done(answer: &[u8]) -> bool {
    Message::all(answer).iter().any(|(tag, value)| tag == "AE" && value == "10")
}

fn shown(answer: &[u8]) -> Value {
    let fields = Message::all(answer).into_iter().map(|(tag, value)| (tag, json!(value)));
    json!({ "done": is_done(answer), "answer": plain(&String::from_utf8_lossy(answer)), "fields": fields.collect::<Map<_, _>>() })
}

fn text(shown: &Value) -> String {
    let at = |pointer: &str| shown.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut lines = vec![format!("{}: {}", at("/address"), at("/probe/answer"))];
    for (name, debit) in shown.get("debit").into_iter().flat_map(Value::as_object).flatten() {
        if name == "fields" {
            for (tag, value) in debit.as_object().into_iter().flatten() {
                lines.push(format!("{tag} {}", value.as_str().unwrap_or_default()));
            }
        }
    }
    lines.join("\n")
}
