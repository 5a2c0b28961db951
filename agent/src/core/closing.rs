//! Which closing is due, and the paper of one: values in, values out.

use cabas_protocol::row::ClosePeriod;

/// A business day, with the month and year that it lies in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Day {
    /// Days since 1970-01-01.
    pub number: u32,
    /// Its year.
    pub year: i16,
    /// 1 to 12.
    pub month: i8,
}

/// The days of the first rows that no closing of each kind covers; nothing where all are covered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OpenSince {
    /// Since the last closing of a day.
    pub day: Option<Day>,
    /// Since the last closing of a month.
    pub month: Option<Day>,
    /// Since the last closing of a year.
    pub year: Option<Day>,
    /// When a year was closed last.
    pub year_closed: Option<Day>,
}

/// Days after the closing of a year before another one is called due: a shop's own year may end in any month.
const YEAR_DAYS: u32 = 365;

/// The closing that is due, the widest where several are, with the day since when something is open: it closes the others as
/// well. A day that lies in the future is a clock that was wrong, and calls for nothing.
#[must_use]
pub fn due(open: &OpenSince, today: Day) -> Option<(ClosePeriod, Day)> {
    let earlier = |since: Option<Day>, is_over: fn(Day, Day) -> bool| {
        since.filter(|since| since.number < today.number && is_over(*since, today))
    };
    let rested = open.year_closed.is_none_or(|closed| today.number.saturating_sub(closed.number) > YEAR_DAYS);
    let year = earlier(open.year, |since, today| since.year < today.year).filter(|_| rested);
    let month = || earlier(open.month, |since, today| (since.year, since.month) < (today.year, today.month));
    let day = || earlier(open.day, |_, _| true);
    year.map(|since| (ClosePeriod::Year, since))
        .or_else(|| month().map(|since| (ClosePeriod::Month, since)))
        .or_else(|| day().map(|since| (ClosePeriod::Day, since)))
}

/// One line of a paper that is no receipt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SlipLine {
    /// In the middle; bold where it is a heading.
    Centred {
        /// What stands there.
        text: String,
        /// Bold.
        bold: bool,
    },
    /// A label on the left, a value at the right edge.
    Row {
        /// The label.
        label: String,
        /// The value.
        value: String,
        /// Bold.
        bold: bool,
    },
    /// From edge to edge.
    Rule,
}

/// A paper that is no receipt: a closing, or where the day stands.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Slip {
    lines: Vec<SlipLine>,
}

impl Slip {
    /// Its lines.
    #[must_use]
    pub fn lines(&self) -> &[SlipLine] {
        &self.lines
    }

    /// Adds a line in the middle.
    pub fn centred(&mut self, text: impl Into<String>, bold: bool) {
        self.lines.push(SlipLine::Centred { text: text.into(), bold });
    }

    /// Adds a label and its value.
    pub fn row(&mut self, label: impl Into<String>, value: impl Into<String>, bold: bool) {
        self.lines.push(SlipLine::Row { label: label.into(), value: value.into(), bold });
    }

    /// Adds a line from edge to edge.
    pub fn rule(&mut self) {
        self.lines.push(SlipLine::Rule);
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::arithmetic_side_effects,
        reason = "a failed unwrap is the test's failure; small numbers"
    )]
    use super::*;

    /// Days of 31 in months of 31 are enough here.
    fn day(year: i16, month: i8, day: u32) -> Day {
        let months = u32::try_from(year).unwrap() * 12 + u32::try_from(month).unwrap();
        Day { number: months * 31 + day, year, month }
    }

    fn since(at: Day) -> OpenSince {
        OpenSince { day: Some(at), month: Some(at), year: Some(at), year_closed: None }
    }

    #[test]
    fn the_widest_period_that_is_over_is_due() {
        let today = day(2027, 1, 4);
        for (open, expected) in [
            (OpenSince::default(), None),
            (since(today), None),
            (since(day(2027, 1, 3)), Some((ClosePeriod::Day, day(2027, 1, 3)))),
            (since(day(2026, 12, 31)), Some((ClosePeriod::Year, day(2026, 12, 31)))),
            (
                OpenSince { day: None, year: Some(day(2027, 1, 2)), ..since(day(2026, 12, 31)) },
                Some((ClosePeriod::Month, day(2026, 12, 31))),
            ),
            (OpenSince { day: Some(today), ..OpenSince::default() }, None),
            // A clock that stood in the future.
            (since(day(2099, 1, 1)), None),
            (OpenSince { day: Some(day(2027, 1, 5)), ..OpenSince::default() }, None),
        ] {
            assert_eq!(due(&open, today), expected, "{open:?}");
        }
    }

    #[test]
    fn a_shop_whose_year_ends_in_august_is_not_asked_to_close_it_in_january() {
        let closed = OpenSince { year_closed: Some(day(2026, 8, 31)), ..since(day(2026, 9, 1)) };
        assert_eq!(due(&closed, day(2027, 1, 4)), Some((ClosePeriod::Month, day(2026, 9, 1))));
        assert_eq!(due(&closed, day(2027, 9, 2)).map(|(period, _)| period), Some(ClosePeriod::Year));
    }

    #[test]
    fn a_year_is_due_again_when_more_than_a_year_has_gone_by() {
        let closed = Day { number: 1_000, year: 2026, month: 1 };
        let open = OpenSince { year: Some(closed), year_closed: Some(closed), ..OpenSince::default() };
        let due_after = |days: u32| due(&open, Day { number: 1_000 + days, year: 2027, month: 1 });
        assert_eq!((due_after(365), due_after(366)), (None, Some((ClosePeriod::Year, closed))));
    }

    #[test]
    fn a_slip_has_the_lines_that_were_put_on_it() {
        let mut slip = Slip::default();
        slip.centred("A", true);
        slip.rule();
        slip.row("B", "1", false);
        let (text, label, value) = (String::from("A"), String::from("B"), String::from("1"));
        let (first, last) = (SlipLine::Centred { text, bold: true }, SlipLine::Row { label, value, bold: false });
        assert_eq!(slip.lines(), [first, SlipLine::Rule, last]);
    }
}
