//! What the sweeps play on the real agent, whatever goes wrong there: the faults of strace (`sweep`), a disk that loses what was
//! not synced (`disk`). Each gives what was shown; what is there afterwards has to agree.
#![allow(clippy::panic, reason = "a broken rule is the test's failure")]

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::program::Said;
use crate::shop::Shop;
use crate::sweep::{Fault, Trap, What, ended_well};

/// How often a program is looked at that is about to fall, and how long between.
const LOOKS: u32 = 250;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until an agent that was killed is gone: its connections are gone a moment before. True where it runs on.
pub async fn falls(shop: &mut Shop) -> bool {
    for _ in 0..LOOKS {
        if !shop.runs().unwrap_or(true) {
            return false;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    true
}

/// The power goes, at the latest now, behind a sale that met a fault, and strace with it; whether the fault was met.
///
/// # Panics
/// Where the agent fell of a call that only failed, or neither the fault nor the sale came to its end.
pub async fn power_off(shop: &mut Shop, trap: Trap, fault: Fault, shown: Option<&str>) -> bool {
    let mut runs = shop.runs().unwrap_or_else(|error| panic!("{fault}: {error:#}"));
    if runs && shown.is_none() && fault.what == What::Kill {
        runs = falls(shop).await;
    }
    if runs {
        shop.kill_9().unwrap_or_else(|error| panic!("{fault}: {error:#}"));
    }
    let injected = trap.take_away().unwrap_or_else(|error| panic!("{fault}: {error:#}"));
    let is_met = if fault.what == What::Kill { !runs } else { injected };
    assert!(is_met || shown == Some("accepted"), "{fault}: {shown:?}");
    assert!(runs || fault.what == What::Kill, "{fault}: the agent ended; {}", shop.log());
    is_met
}

/// How a sale stands; an empty text where it cannot be asked.
pub async fn state(shop: &Shop, id: &str) -> String {
    let sale = shop.get(&format!("/api/sales/{id}")).await.unwrap_or_default();
    sale.get("state").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What the agent knows of a sale when it runs again agrees with what it showed.
///
/// # Panics
/// Where it does not.
pub fn tells_the_truth(shown: Option<&str>, known: &str, fault: Fault) {
    match shown {
        Some("accepted") => assert_eq!(known, "accepted", "{fault}: shown as accepted, and lost"),
        // A fault that passed: the agent could make sure. One that lasts leaves it open, and sales stopped.
        Some("failed") if !matches!(fault.what, What::FailsOn(_)) => {
            assert_ne!(known, "accepted", "{fault}: shown as failed, and debited");
        }
        // A purse card that was debited, or may have been: it has to come again.
        Some("failed" | "in_doubt") | None => {}
        Some(other) => panic!("{fault}: {other}"),
    }
}

/// The agent's journal is whole, and it never panicked.
///
/// # Panics
/// Where it is not.
pub fn is_sound(shop: &Shop, at: &str) {
    let verified = shop.said(&["journal", "verify"]).unwrap_or_else(|error| panic!("{at}: {error:#}"));
    assert_eq!(verified.code, Some(0), "{at}: {verified:?}");
    assert!(!shop.log().contains("panicked"), "{at}: {}", shop.log());
}

/// A refund of a cent that is asked for of an agent which may fall meanwhile, and its sync.
pub struct Refund {
    body: Value,
    /// What was shown, where it was.
    shown: Option<Value>,
    /// True where the agent heard the hub's decision.
    pub is_decided: bool,
}

impl Refund {
    /// Starts the agent, asks, and waits for the decision while the agent runs.
    ///
    /// # Errors
    /// Where the agent cannot be started.
    pub async fn ask(shop: &mut Shop, sale: &Value, request: &str) -> anyhow::Result<Self> {
        let id = sale.get("id").context("a sale without an id")?;
        let body = json!({"sale": id, "lines": [{"category": "0", "cents": 1}], "request_id": request});
        // It may fall before its page answers.
        let started = shop.start_or_fall().await?;
        let asked = if started { shop.post("/api/refunds", &body).await.ok() } else { None };
        let shown = asked.filter(|(status, _)| *status < 300).map(|(_, asked)| asked);
        let mut refund = Self { body, shown, is_decided: false };
        for _ in 0..1_000 {
            if refund.is_decided || !shop.runs()? || started && refund.shown.is_none() {
                break;
            }
            if let (Some(asked), Ok(status)) = (&refund.shown, shop.get("/api/status").await) {
                let id = asked.get("id").and_then(Value::as_str).unwrap_or_default();
                let now = shop.get(&format!("/api/refunds/{id}")).await.unwrap_or_default();
                let is = |value: Option<&Value>, wanted: Value| value == Some(&wanted);
                refund.is_decided =
                    is(now.get("state"), json!("credited")) && is(status.pointer("/hub/synced"), json!(true));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(refund)
    }

    /// Asks again of an agent that runs: what was shown is there, and is the same row.
    ///
    /// # Panics
    /// Where it is not.
    pub async fn is_there(self, shop: &Shop, at: &str) {
        let again = shop.post("/api/refunds", &self.body).await;
        let (status, again) = again.unwrap_or_else(|error| panic!("{at}: {error:#}"));
        assert!(status < 300, "{at}: {again}");
        if let Some(shown) = self.shown {
            assert_eq!(
                (status, again.get("seq")),
                (200, shown.get("seq")),
                "{at}: {shown} was shown, and {again} is there"
            );
        }
    }
}

/// An enrolment that was begun again behind one that met a fault ended, or the first had come to its end but for a word or a
/// file that was of no more use: true then.
///
/// # Panics
/// Where neither holds.
pub fn enrolled_again(first: &Said, again: &Said, at: &str) -> bool {
    ended_well(again).unwrap_or_else(|error| panic!("{at}: {error}"));
    let is_over = again.err.contains("void") || again.err.contains("enrolled");
    assert!(again.code == Some(0) || is_over, "{at}: {first:?}, then {again:?}");
    again.code != Some(0)
}
