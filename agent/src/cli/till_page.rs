//! `till test` by hw_proxy: calls as a page of a point of sale does, and shows what it would see.

use std::time::Duration;

use cabas_protocol::{Cents, RequestId};
use serde_json::{Number, Value, json};

use super::Context;
use super::failure::Failure;
use crate::out::{Format, complain, plain, print};
use crate::till::hw_proxy::server::Door;
use crate::till::new_request;

/// As long as the food co-ops' page waits.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(240);
/// What the probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// A page at one of the origins that are let in.
struct Page {
    http: reqwest::Client,
    address: String,
    origin: String,
}

impl Page {
    async fn call(&self, verb: &str, params: &Value, timeout: Duration) -> Result<Value, Failure> {
        let mute = |error: reqwest::Error| Failure::TillMute {
            address: self.address.clone(),
            source: std::io::Error::other(error.without_url()),
        };
        let call = json!({ "jsonrpc": "2.0", "method": "call", "params": params, "id": 1 });
        let asked = self.http.post(format!("http://{}/hw_proxy/{verb}", self.address)).timeout(timeout);
        let asked = asked.header("origin", &self.origin).header("content-type", "application/json");
        let answer = asked.body(call.to_string()).send().await.map_err(mute)?;
        let answer: Value = serde_json::from_slice(&answer.bytes().await.map_err(mute)?)?;
        Ok(answer.get("result").cloned().unwrap_or(answer))
    }
}

pub(super) async fn run(context: &Context, door: &Door, amount: Option<u64>) -> Result<(), Failure> {
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap_or_default();
    let (address, origin) = (door.address.to_string(), door.origins.first().cloned().unwrap_or_default());
    let page = Page { http, address, origin };
    let listens = page.call("handshake", &json!({}), PROBE_TIMEOUT).await? == true;
    let probe = page.call("status_json", &json!({}), PROBE_TIMEOUT).await?;
    let mut shown =
        json!({ "address": page.address, "origin": page.origin, "probe": { "done": listens, "answer": probe } });
    let mut text = format!("{} for {}: {}", page.address, page.origin, plain(&probe.to_string()));
    let mut is_done = listens;
    if let Some(cents) = amount.filter(|_| listens) {
        if context.format == Format::Text {
            complain("Hold the card to the reader.");
        }
        let payment = json!({ "payment_info": payment(cents)?.to_string() });
        let paid = match page.call("payment_terminal_transaction_start_with_return", &payment, ANSWER_TIMEOUT).await {
            Err(Failure::TillMute { address, source }) => return Err(Failure::TillUnknown { address, source }),
            paid => paid?,
        };
        // As a page does: that it goes on says that the answer was read.
        page.call("handshake", &json!({}), PROBE_TIMEOUT).await?;
        is_done = paid.get("transaction_result").is_some_and(|result| result == 0);
        text = format!("{text}\n{}", plain(&paid.to_string()));
        if let Value::Object(shown) = &mut shown {
            shown.insert(String::from("debit"), json!({ "done": is_done, "answer": paid }));
        }
    }
    print(context.format, &shown, |_| text.clone()).map_err(Failure::Print)?;
    if is_done { Ok(()) } else { Err(Failure::Refused(String::from("the till would see a refusal"))) }
}

/// What the page of a point of sale asks for, under a key of its own.
fn payment(cents: u64) -> Result<Value, Failure> {
    let cents = Cents::new(cents).map_err(|error| Failure::Refused(error.to_string()))?;
    let amount: Number = serde_json::from_str(&cents.to_string())?;
    let key = new_request().zip(new_request()).map(uuid);
    Ok(
        json!({ "amount": amount, "currency_iso": "EUR", "currency_decimals": 2, "payment_mode": "card", "payment_id": key }),
    )
}

fn uuid((one, other): (RequestId, RequestId)) -> String {
    let mut uuid = format!("{one}{other}");
    for hyphen in [8, 13, 18, 23] {
        uuid.insert(hyphen, '-');
    }
    uuid
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::till::hw_proxy::message::Payment;

    #[test]
    fn what_is_asked_for_is_the_amount_to_the_cent_under_a_key_of_its_own() {
        let read = |cents| Payment::read(&json!({ "payment_info": payment(cents).unwrap().to_string() })).unwrap();
        for cents in [1, 99, 101, 1245, 999_999_999_999] {
            assert_eq!((read(cents).cents.get(), read(cents).is_keyed), (cents, true));
        }
        assert_ne!(read(5).reference, read(5).reference);
    }
}
