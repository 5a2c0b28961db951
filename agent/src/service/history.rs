//! What was done on any day, and what a receipt's number stands for.

use super::{Refusal, Service};
use crate::clock;
use cabas_protocol::{Seq, Stan};
use serde_json::{Value, json};

impl Service {
    /// What was done on a business day, newest first; today where none is given. `before` goes on where a list ended.
    ///
    /// # Errors
    /// [`Refusal::Day`] where it is no date.
    pub async fn history(&self, day: Option<&str>, before: Option<Seq>) -> Result<Value, Refusal> {
        let day = match day {
            Some(day) => clock::day_of(day).ok_or(Refusal::Day)?,
            None => clock::business_day(self.journal.published().state.hub.anchor.time(self.clock.now())),
        };
        let found = self.journal.customer(move |journal| journal.history(clock::day_span(day), before)).await?;
        Ok(json!({
            "day": clock::date_text(day),
            "truncated": found.is_truncated,
            "entries": found.entries.iter().map(|entry| self.entry_json(entry)).collect::<Vec<_>>(),
        }))
    }

    /// What a receipt's number stands for: the newest of this enrolment.
    ///
    /// # Errors
    /// [`Refusal::Number`] where it is none.
    pub async fn history_of(&self, stan: &str) -> Result<Value, Refusal> {
        let digits = (1..=6).contains(&stan.len()) && stan.bytes().all(|byte| byte.is_ascii_digit());
        let stan = stan.parse().ok().filter(|_| digits).and_then(Stan::new).ok_or(Refusal::Number)?;
        let found = self.journal.customer(move |journal| journal.by_stan(stan)).await?;
        let entries: Vec<Value> = found.iter().map(|entry| self.entry_json(entry)).collect();
        Ok(json!({ "day": null, "truncated": false, "entries": entries }))
    }
}
