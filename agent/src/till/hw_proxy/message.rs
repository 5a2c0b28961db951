//! The messages of hw_proxy: pure, from JSON to a payment and back.

use cabas_protocol::Cents;
use cabas_protocol::sign::sha256;
use serde_json::{Map, Value, json};

use crate::till::Why;

/// Bytes of an id or a reference that a point of sale gives.
const TEXT_BYTES_MAX: usize = 64;
/// Digits of a UUID with its hyphens.
const UUID_BYTES: usize = 36;

/// Why a payment is not begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Wrong {
    /// No payment is described.
    #[error("payment_info is not the text of a JSON object")]
    Form,
    /// No amount over zero of whole cents.
    #[error("amount is not an amount over zero")]
    Amount,
    /// Not in euros.
    #[error("only euros with two decimals are taken")]
    Currency,
    /// Another mode of payment, such as cheques.
    #[error("only the payment mode card is taken")]
    Mode,
    /// An id or a reference too long, or not of printable characters.
    #[error("payment_id, order_id or terminal_id is too long or not text")]
    Reference,
}

/// A payment that a point of sale asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Payment {
    /// How much.
    pub cents: Cents,
    /// What makes it the same payment again: its key, or the order and the line in it.
    pub reference: String,
    /// The reference is a UUID of one payment. Older points of sale give a number of the page alone, which comes again.
    pub is_keyed: bool,
    /// The order, for lists and exports.
    pub order: Option<String>,
    /// The terminal's name at the point of sale, which its page repeats as it asks for the end; empty where it has none.
    pub terminal: String,
}

impl Payment {
    /// Reads the parameters of a call.
    ///
    /// # Errors
    /// [`Wrong`], in the order of the checks.
    pub fn read(params: &Value) -> Result<Self, Wrong> {
        let text = params.get("payment_info").and_then(Value::as_str).ok_or(Wrong::Form)?;
        let info: Map<String, Value> = serde_json::from_str(text).map_err(|_| Wrong::Form)?;
        let cents = match info.get("amount") {
            Some(Value::Number(number)) => cents_of(&number.to_string()),
            _ => None,
        };
        let cents = cents.ok_or(Wrong::Amount)?;
        let is_absent = |name: &str| info.get(name).is_none_or(Value::is_null);
        let is_euro = is_absent("currency_iso") || info.get("currency_iso").is_some_and(|iso| iso == "EUR");
        let has_cents = is_absent("currency_decimals") || info.get("currency_decimals").is_some_and(|two| two == 2);
        if !is_euro || !has_cents {
            return Err(Wrong::Currency);
        }
        let mode = info.get("payment_mode").and_then(Value::as_str).unwrap_or("card");
        if !is_absent("payment_mode") && !matches!(mode, "card" | "") {
            return Err(Wrong::Mode);
        }
        let (id, order) = (text_of(&info, "payment_id")?, text_of(&info, "order_id")?);
        let is_keyed = is_uuid(&id);
        let reference = if is_keyed { id.to_ascii_lowercase() } else { format!("{order} {id}").trim().to_owned() };
        let terminal = text_of(&info, "terminal_id")?;
        Ok(Self { cents, reference, is_keyed, order: (!order.is_empty()).then_some(order), terminal })
    }

    /// The number that stands for it in the point of sale: the same whenever it is asked for again, also after a start.
    #[must_use]
    pub fn transaction(&self) -> u64 {
        transaction_of(&self.reference)
    }
}

/// The terminal's name in the parameters of a call; empty where there is none.
#[must_use]
pub fn terminal_of(params: &Value) -> String {
    params.as_object().and_then(|params| text_of(params, "terminal_id").ok()).unwrap_or_default()
}

/// The number of what a reference stands for: 48 bits, exact in a browser.
#[must_use]
pub fn transaction_of(reference: &str) -> u64 {
    let [a, b, c, d, e, f, ..] = *sha256(&[b"cabas hw_proxy 1", reference.as_bytes()]).as_bytes();
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

fn text_of(info: &Map<String, Value>, name: &str) -> Result<String, Wrong> {
    match info.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) if text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control) => {
            Ok(text.trim().to_owned())
        }
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(_) => Err(Wrong::Reference),
    }
}

fn is_uuid(text: &str) -> bool {
    let fits = |(index, byte): (usize, u8)| match index {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == UUID_BYTES && text.bytes().enumerate().all(fits)
}

/// Cents of an amount as a browser writes it, to the nearest: `12.45`, `68.32000000000001`. Nothing for what is not over zero.
fn cents_of(text: &str) -> Option<Cents> {
    let (euros, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if euros.is_empty() || !is_digits(euros) || !is_digits(decimals) {
        return None;
    }
    let mut three = decimals.bytes().chain(std::iter::repeat(b'0')).map(|digit| u64::from(digit.saturating_sub(b'0')));
    let (tens, ones, next) = (three.next()?, three.next()?, three.next()?);
    let cents = euros.parse::<u64>().ok()?.checked_mul(100)?.checked_add(tens.checked_mul(10)?)?.checked_add(ones)?;
    let cents = if next >= 5 { cents.checked_add(1)? } else { cents };
    Cents::new(cents).ok().filter(|cents| !cents.is_zero())
}

/// What is called: the number to answer to, and the parameters; nothing for what is no JSON-RPC.
#[must_use]
pub fn call(body: &[u8]) -> Option<(Value, Value)> {
    let mut call: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let id = call.remove("id").unwrap_or(Value::Null);
    if !(id.is_null() || id.is_number() || id.is_string()) {
        return None;
    }
    match call.remove("params") {
        None | Some(Value::Null) => Some((id, json!({}))),
        Some(params @ Value::Object(_)) => Some((id, params)),
        Some(_) => None,
    }
}

/// An answer.
#[must_use]
pub fn answer(id: &Value, result: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

/// What is no call, or calls what is not there (JSON-RPC 2.0 §5.1).
#[must_use]
pub fn fault(code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": null, "error": { "code": code, "message": message, "data": {} } })
}

/// What the cashier reads of why nothing was paid: neutral, and never the member's reason.
#[must_use]
pub const fn words_of(why: Why) -> &'static str {
    match why {
        Why::Refused | Why::Forbidden | Why::NotCompleted => "till-not-paid",
        Why::Operator => "till-busy",
        Why::TimedOut => "till-no-card",
        Why::Selection => "till-key-taken",
        Why::Left(_) => "till-left",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    fn read(info: &Value) -> Result<Payment, Wrong> {
        Payment::read(&json!({ "payment_info": info.to_string() }))
    }

    #[test]
    fn amounts_are_read_to_the_nearest_cent_and_nothing_else_is_an_amount() {
        for (text, cents) in [
            ("12.45", Some(1245)),
            ("68.32000000000001", Some(6832)),
            ("68.31999999999999", Some(6832)),
            ("0.1", Some(10)),
            ("7", Some(700)),
            ("0.005", Some(1)),
            ("0.004", None),
            ("0", None),
            ("-3.5", None),
            ("1e3", None),
            ("1e-7", None),
            ("99999999999999999999", None),
            (".5", None),
        ] {
            assert_eq!(cents_of(text).map(Cents::get), cents, "{text}");
        }
    }

    #[test]
    fn what_odoo_sends_is_read_and_each_fault_is_named() {
        let sent = json!({ "amount": 12.45, "currency_iso": "EUR", "currency_decimals": 2, "payment_mode": "card",
            "payment_id": KEY, "order_id": "ORDER000120030001" });
        let payment = read(&sent).unwrap();
        assert_eq!((payment.cents.get(), payment.reference.as_str(), payment.is_keyed), (1245, KEY, true));
        assert_eq!(payment.order.as_deref(), Some("ORDER000120030001"));
        let with = |name: &str, value: Value| {
            let mut sent = sent.clone();
            sent[name] = value;
            read(&sent)
        };
        assert_eq!(with("amount", json!("12.45")), Err(Wrong::Amount));
        assert_eq!(with("amount", json!(-1)), Err(Wrong::Amount));
        assert_eq!(with("currency_iso", json!("USD")), Err(Wrong::Currency));
        assert_eq!(with("currency_decimals", json!(3)), Err(Wrong::Currency));
        assert_eq!(with("payment_mode", json!("check")), Err(Wrong::Mode));
        assert_eq!(with("payment_id", json!("x".repeat(65))), Err(Wrong::Reference));
        assert_eq!(with("order_id", json!("a\nb")), Err(Wrong::Reference));
        assert_eq!(Payment::read(&json!({})), Err(Wrong::Form));
        // Odoo 14: a number of the page, which comes again, is no key.
        let payment = with("payment_id", json!("c42")).unwrap();
        assert_eq!((payment.reference.as_str(), payment.is_keyed), ("ORDER000120030001 c42", false));
        assert!(payment.transaction() < 1 << 48 && payment.transaction() == transaction_of("ORDER000120030001 c42"));
    }

    proptest! {
        #[test]
        fn no_bytes_stop_it(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,80}") {
            let _called: Option<_> = call(&bytes);
            let _read: Result<_, Wrong> = Payment::read(&json!({ "payment_info": text }));
        }

        #[test]
        fn every_amount_that_a_browser_writes_is_exact(cents in 1u64..100_000_000) {
            #[expect(clippy::float_arithmetic, clippy::cast_precision_loss, clippy::as_conversions, reason = "as a browser does")]
            let amount = cents as f64 / 100.0;
            prop_assert_eq!(read(&json!({ "amount": amount })).unwrap().cents.get(), cents);
        }
    }
}
