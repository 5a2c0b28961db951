//! `till test` by Concert: calls as a till does, on a line or over TCP, and shows what it would see.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::Context;
use super::failure::Failure;
use crate::out::{Format, complain, plain, print};
use crate::till::concert::line::Line;
use crate::till::concert::message::{ACK, ENQ, EOT, ETX, NAK, Request, Status, debit};

/// As long as clients wait for a signal.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(3);
/// As long as the patient one waits for the end.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes of the long answer.
const ANSWER_BYTES_MAX: usize = 83;
/// The largest amount of a message.
const CENTS_MAX: u64 = 99_999_999;

/// What a till hears.
struct Heard<'l> {
    line: &'l Line,
    bytes: Vec<u8>,
}

impl Heard<'_> {
    async fn next(&mut self, timeout: Duration) -> Option<u8> {
        if self.bytes.is_empty() {
            let mut buffer = [0; ANSWER_BYTES_MAX];
            let count = tokio::time::timeout(timeout, self.line.read(&mut buffer)).await.ok().flatten()?;
            self.bytes.extend(buffer.get(..count)?.iter().rev());
        }
        self.bytes.pop()
    }

    async fn says(&self, bytes: &[u8]) -> Option<()> {
        self.line.write(bytes).await.then_some(())
    }

    /// Calls: whether the terminal listens; nothing where nobody is there.
    async fn call(&mut self) -> Option<bool> {
        self.says(&[ENQ]).await?;
        match self.next(SIGNAL_TIMEOUT).await? {
            ACK => Some(true),
            NAK => Some(false),
            _ => None,
        }
    }

    /// Sends a request, waits for the end: the answer; nothing where there is none.
    async fn debit(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        self.says(request).await?;
        self.next(SIGNAL_TIMEOUT).await.filter(|byte| *byte == ACK)?;
        self.says(&[EOT]).await?;
        self.next(ANSWER_TIMEOUT).await.filter(|byte| *byte == ENQ)?;
        self.says(&[ACK]).await?;
        let mut answer = Vec::new();
        while answer.last() != Some(&ETX) && answer.len() < ANSWER_BYTES_MAX {
            answer.push(self.next(SIGNAL_TIMEOUT).await?);
        }
        answer.push(self.next(SIGNAL_TIMEOUT).await?);
        Some(answer)
    }
}

pub(super) async fn run(context: &Context, device: Option<&Path>, amount: Option<u64>) -> Result<(), Failure> {
    let config = &context.config;
    let (address, line) = if let Some(device) = device {
        let address = device.display().to_string();
        let settings = config.till_concert_line.parse().map_err(|error| Failure::Refused(format!("{error}")))?;
        (address, Line::open(device, settings))
    } else if let Some(door) = config.concert()? {
        let connected = tokio::time::timeout(SIGNAL_TIMEOUT, TcpStream::connect(door.address)).await;
        let connected = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        (door.address.to_string(), connected.and_then(Line::of_connection))
    } else if config.concert_device()?.is_some() {
        return Err(Failure::TillLine);
    } else {
        return Err(Failure::TillOff);
    };
    let line = line.map_err(|source| Failure::TillMute { address: address.clone(), source })?;
    let mut heard = Heard { line: &line, bytes: Vec::new() };
    let mute = || Failure::TillMute { address: address.clone(), source: std::io::ErrorKind::TimedOut.into() };
    let is_free = heard.call().await.ok_or_else(mute)?;
    let mut shown =
        json!({ "address": address, "probe": { "done": is_free, "answer": if is_free { "ACK" } else { "NAK" } } });
    let mut text = format!("{address}: {}", if is_free { "ACK: it listens" } else { "NAK: it is busy" });
    let mut is_done = is_free;
    match amount.filter(|_| is_free) {
        Some(cents) if cents > CENTS_MAX => return Err(Failure::Refused(format!("at most {CENTS_MAX} cents"))),
        Some(cents) => {
            if context.format == Format::Text {
                complain("Hold the card to the reader.");
            }
            let request = debit(cents, false);
            let unknown =
                || Failure::TillUnknown { address: address.clone(), source: std::io::ErrorKind::TimedOut.into() };
            let answer = heard.debit(&request).await.ok_or_else(unknown)?;
            is_done = answer == expected(&request).unwrap_or_default();
            // The answer is read, whatever it says.
            let _is_free = heard.says(&[ACK]).await;
            let _end = heard.next(SIGNAL_TIMEOUT).await;
            let status = answer.get(3).map(|digit| char::from(*digit).to_string()).unwrap_or_default();
            let answer = plain(&String::from_utf8_lossy(&answer));
            text = format!("{text}\nstatus {status}: {}", if is_done { "paid" } else { "not paid" });
            if let Value::Object(shown) = &mut shown {
                let debit = json!({ "done": is_done, "status": status, "answer": answer });
                shown.insert(String::from("debit"), debit);
            }
        }
        None => drop(heard.says(&[EOT]).await),
    }
    print(context.format, &shown, |_| text.clone()).map_err(Failure::Print)?;
    if is_done { Ok(()) } else { Err(Failure::Refused(String::from("the till would see a refusal"))) }
}

/// The answer that says that all was paid.
fn expected(request: &[u8]) -> Option<Vec<u8>> {
    let body = request.get(1..request.len().checked_sub(2)?)?;
    Request::read(body).map(|request| request.answer(Status::Accepted))
}
