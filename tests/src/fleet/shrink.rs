//! The shortest list of events that still breaks the same rule: delta debugging.

use super::auditor::Broken;
use super::event::Event;

/// Runs that shrinking may take.
pub const RUNS_MAX: usize = 400;

/// Leaves out whatever is not needed to break the rule. `broken` plays a list.
pub fn shrink(
    mut events: Vec<Event>,
    rule: &'static str,
    mut broken: impl FnMut(&[Event]) -> Option<(usize, Broken)>,
) -> Vec<Event> {
    let mut runs = 0_usize;
    let mut part = events.len().div_ceil(2).max(1);
    loop {
        let (mut from, mut is_shorter) = (0_usize, false);
        while from < events.len() && runs < RUNS_MAX {
            let to = from.saturating_add(part).min(events.len());
            let rest: Vec<_> = events
                .iter()
                .enumerate()
                .filter(|(place, _)| !(from..to).contains(place))
                .map(|(_, event)| *event)
                .collect();
            runs = runs.saturating_add(1);
            match broken(&rest) {
                Some((place, found)) if found.rule == rule => {
                    is_shorter = true;
                    events = rest;
                    // What comes after the rule broke is not needed either.
                    events.truncate(place.saturating_add(1));
                }
                Some(_) | None => from = to,
            }
        }
        if runs >= RUNS_MAX || part == 1 && !is_shorter {
            return events;
        }
        part = part.div_ceil(2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::What;
    use super::*;

    #[test]
    fn what_is_not_needed_is_left_out() {
        let events: Vec<_> = (0..97).map(|at| Event { at, what: What::Jobs }).collect();
        // It takes the events 13 and 60, in this order.
        let broken = |events: &[Event]| {
            let first = events.iter().position(|event| event.at == 13)?;
            let second = events.iter().skip(first).position(|event| event.at == 60)?;
            Some((first.saturating_add(second), Broken::new("rule", "")))
        };
        let left: Vec<_> = shrink(events, "rule", broken).iter().map(|event| event.at).collect();
        assert_eq!(left, [13, 60]);
    }
}
