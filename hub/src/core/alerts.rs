//! When somebody is told of what is wrong, without being told too often: once when it begins or gets worse, once when it
//! has ended, and a reminder a day, all of them in one message. Pure: what was open, what is seen, now.

use std::collections::BTreeMap;

use cabas_protocol::Timestamp;
use serde::{Deserialize, Serialize};

use super::checks::{ALERTED, Check, Verdict};

/// Between two reminders.
pub const REMIND_S: u64 = 24 * 3600;
/// Something has ended once it was fine for so long: a disk at the edge makes no two messages a minute.
pub const END_AFTER_S: u64 = 15 * 60;

/// What an alert is about: a thing of the machine, or one terminal.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// What was looked at.
    pub code: String,
    /// The terminal; 0 where it is about none.
    pub terminal: u32,
}

/// An alert that has not ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Open {
    /// True where it is wrong, and not only to be looked at.
    pub is_wrong: bool,
    /// The sentence.
    pub says: String,
    /// The number in it.
    pub value: Option<u64>,
    /// Since when.
    pub began_at: Timestamp,
    /// When somebody was last told, reminders included.
    pub told_at: Timestamp,
    /// When somebody was last reminded.
    pub reminded_at: Option<Timestamp>,
    /// Since when it is fine again, not yet long enough.
    pub fine_since: Option<Timestamp>,
}

/// All that are open.
pub type Alerts = BTreeMap<Key, Open>;

/// Why a line stands in a message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It is new, or worse than before.
    Begins,
    /// It still is so.
    Lasts,
    /// It is over.
    Ends,
}

/// A line of a message: one sentence, with every terminal that it holds for.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Line {
    /// Why it is told.
    pub event: Event,
    /// What was looked at.
    pub code: String,
    /// The sentence.
    pub says: String,
    /// The number in it.
    pub value: Option<u64>,
    /// The terminals.
    pub terminals: Vec<u32>,
    /// Since when the oldest is so.
    pub since: u64,
}

/// What follows from a look.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Step {
    /// What is open from here on.
    pub open: Alerts,
    /// The message; empty where there is nothing to tell.
    pub lines: Vec<Line>,
}

/// One look. What could not be looked at stays as it was.
#[must_use]
pub fn step(open: &Alerts, checks: &[Check], now: Timestamp) -> Step {
    let mut step = Step { open: open.clone(), lines: Vec::new() };
    for alert in step.open.values_mut() {
        clamp(alert, now);
    }
    let on = on(checks);
    for (key, (check, says)) in &on {
        begin(&mut step, key, check, says, now);
    }
    let looked = |key: &Key| checks.iter().any(|check| check.code == key.code);
    let over: Vec<Key> = step.open.keys().filter(|key| looked(key) && !on.contains_key(*key)).cloned().collect();
    for key in over {
        end(&mut step, &key, now);
    }
    remind(&mut step, now);
    step.lines.sort();
    step
}

/// What a clock that ran ahead noted counts as noted now.
fn clamp(alert: &mut Open, now: Timestamp) {
    alert.began_at = alert.began_at.min(now);
    alert.told_at = alert.told_at.min(now);
    alert.reminded_at = alert.reminded_at.map(|at| at.min(now));
    alert.fine_since = alert.fine_since.map(|at| at.min(now));
}

/// What is wrong as it is seen, one a terminal.
fn on(checks: &[Check]) -> BTreeMap<Key, (&Check, &'static str)> {
    let alerted = checks.iter().filter(|check| check.verdict > Verdict::Fine && ALERTED.contains(&check.code));
    let each = alerted.filter_map(|check| Some((check, check.says?)));
    each.flat_map(|(check, says)| {
        let none = check.terminals.is_empty().then_some(0);
        let terminals = check.terminals.iter().copied().chain(none);
        terminals.map(move |terminal| (Key { code: check.code.to_owned(), terminal }, (check, says)))
    })
    .collect()
}

fn begin(step: &mut Step, key: &Key, check: &Check, says: &str, now: Timestamp) {
    let is_wrong = check.verdict == Verdict::Wrong;
    let before = step.open.get(key);
    // One that is told to end is not told to begin again where it comes back at once; one that gets worse is.
    let is_told = before.is_none_or(|before| is_wrong && !before.is_wrong);
    let alert = Open {
        is_wrong: is_wrong || before.is_some_and(|before| before.is_wrong),
        says: says.to_owned(),
        value: check.value,
        began_at: before.map_or(now, |before| before.began_at),
        told_at: if is_told { now } else { before.map_or(now, |before| before.told_at) },
        reminded_at: before.and_then(|before| before.reminded_at),
        fine_since: None,
    };
    if is_told {
        tell(&mut step.lines, Event::Begins, key, &alert);
    }
    step.open.insert(key.clone(), alert);
}

fn end(step: &mut Step, key: &Key, now: Timestamp) {
    let Some(alert) = step.open.get_mut(key) else { return };
    let since = *alert.fine_since.get_or_insert(now);
    if now.since_s(since) < END_AFTER_S {
        return;
    }
    if let Some(alert) = step.open.remove(key) {
        tell(&mut step.lines, Event::Ends, key, &alert);
    }
}

/// At most one message a day reminds, of everything that nobody was told of since the day before.
fn remind(step: &mut Step, now: Timestamp) {
    let newest = step.open.values().filter_map(|alert| alert.reminded_at).max();
    if newest.is_some_and(|newest| now.since_s(newest) < REMIND_S) {
        return;
    }
    for (key, alert) in &mut step.open {
        if alert.fine_since.is_none() && now.since_s(alert.told_at) >= REMIND_S {
            alert.told_at = now;
            alert.reminded_at = Some(now);
            tell(&mut step.lines, Event::Lasts, key, alert);
        }
    }
}

/// What is open, in lines: for who looks.
#[must_use]
pub fn lines(open: &Alerts) -> Vec<Line> {
    let mut lines = Vec::new();
    for (key, alert) in open {
        tell(&mut lines, Event::Lasts, key, alert);
    }
    lines
}

/// Puts it into the line that says the same, or makes one.
fn tell(lines: &mut Vec<Line>, event: Event, key: &Key, alert: &Open) {
    let same = lines.iter_mut().find(|line| line.event == event && line.code == key.code && line.says == alert.says);
    let terminal = (key.terminal != 0).then_some(key.terminal);
    match (same, terminal) {
        (Some(line), terminal) => {
            line.terminals.extend(terminal);
            line.since = line.since.min(alert.began_at.get());
        }
        (None, terminal) => lines.push(Line {
            event,
            code: key.code.clone(),
            says: alert.says.clone(),
            value: alert.value,
            terminals: terminal.into_iter().collect(),
            since: alert.began_at.get(),
        }),
    }
}

#[cfg(test)]
mod tests;
