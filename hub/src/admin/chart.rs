//! Bars by month, stacked by kind of shop, as an SVG that a page embeds: nothing loaded, nothing inline that the page's
//! policy forbids. All words come from the caller. Colours are never the only mark: each series has a pattern and a name,
//! and each part of a bar says in words what it is. The numbers stand in the table beside it (`role="img"`).

use askama::Template;

/// Columns that are drawn: the newest, where there are more.
pub const COLUMNS_MAX: usize = 36;
/// Series that are told apart; those after them are drawn as one.
pub const SERIES_MAX: usize = 6;
/// Characters of a name in the key.
const NAME_CHARS_MAX: usize = 60;
/// Characters of a month below its bar, and of an amount beside the scale.
const LABEL_CHARS_MAX: usize = 26;
/// Parts of the scale.
const STEPS_MAX: u128 = 5;

const WIDTH: u64 = 720;
const TOP: u64 = 16;
const PLOT_HEIGHT: u64 = 240;
const RIGHT: u64 = 16;
/// What a character of a label takes, at the most.
const CHAR_WIDTH: u64 = 8;
const MONTHS_HEIGHT: u64 = 28;
const KEY_LINE: u64 = 24;

/// A series: a kind of shop.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Series {
    /// What it is called.
    pub name: String,
    /// Its cents, one entry a column; what is missing is nothing.
    pub cents: Vec<u64>,
}

/// What is drawn.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chart {
    /// Tells the charts of one page apart: letters, digits, hyphens.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// What it says, in a sentence, for who does not see it.
    pub desc: String,
    /// The months, oldest first.
    pub columns: Vec<String>,
    /// The kinds of shops, from below.
    pub series: Vec<Series>,
    /// What the series after the first ones are called together.
    pub rest: String,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Bar {
    x: u64,
    y: u64,
    width: u64,
    height: u64,
    /// Which pattern.
    series: usize,
    words: String,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Label {
    x: u64,
    y: u64,
    words: String,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Key {
    y: u64,
    text_y: u64,
    series: usize,
    words: String,
}

#[derive(Template)]
#[template(path = "chart.html")]
struct Drawn {
    id: String,
    title: String,
    desc: String,
    width: u64,
    height: u64,
    left: u64,
    right: u64,
    bottom: u64,
    bars: Vec<Bar>,
    /// Where a line of the scale lies, and what it means.
    scale: Vec<Label>,
    months: Vec<Label>,
    keys: Vec<Key>,
}

/// The chart as SVG; `amount` writes cents as the reader's language does.
///
/// # Errors
/// None in memory; the template's type has one.
pub fn svg(chart: &Chart, amount: impl Fn(u64) -> String) -> Result<String, askama::Error> {
    draw(chart, amount).render()
}

fn draw(chart: &Chart, amount: impl Fn(u64) -> String) -> Drawn {
    let skipped = chart.columns.len().saturating_sub(COLUMNS_MAX);
    let columns: Vec<&String> = chart.columns.iter().skip(skipped).collect();
    let series = folded(chart);
    let cents = |series: &Series, column: usize| series.cents.get(skipped.saturating_add(column)).copied().unwrap_or(0);
    let total = |column: usize| series.iter().map(|series| u128::from(cents(series, column))).sum::<u128>();
    let highest = (0..columns.len()).map(total).max().unwrap_or(0);
    let (step, top) = scale(highest);
    let scale = labels_of_scale(step, top, &amount);
    let longest = scale.iter().map(|label| label.words.chars().count()).max().unwrap_or(0);
    let left = number(longest).saturating_mul(CHAR_WIDTH).saturating_add(16);
    let (count, room) = (number(columns.len()).max(1), WIDTH.saturating_sub(left).saturating_sub(RIGHT));
    let edge = |column: u64| left.saturating_add(part(room, u128::from(column), u128::from(count)));
    let slot = part(room, 1, u128::from(count));
    let width = part(slot, 7, 10).max(1);
    let mut bars = Vec::new();
    for (column, month) in columns.iter().enumerate() {
        let x = edge(number(column)).saturating_add(part(slot.saturating_sub(width), 1, 2));
        let mut below: u128 = 0;
        for (place, series) in series.iter().enumerate() {
            let value = cents(series, column);
            let above = below.saturating_add(u128::from(value));
            let (low, high) = (part(PLOT_HEIGHT, below, top), part(PLOT_HEIGHT, above, top));
            below = above;
            let (y, height) = (TOP.saturating_add(PLOT_HEIGHT).saturating_sub(high), high.saturating_sub(low));
            if height > 0 {
                let words = format!("{month}, {}: {}", series.name, amount(value));
                bars.push(Bar { x, y, width, height, series: place, words });
            }
        }
    }
    let bottom = TOP.saturating_add(PLOT_HEIGHT);
    let centre = |column: u64| edge(column).saturating_add(part(slot, 1, 2));
    let months = labels_of_months(&columns, room, centre, bottom.saturating_add(18));
    let keys = series.iter().enumerate().rev().zip(0_u64..).map(|((place, series), line)| {
        let y = bottom.saturating_add(MONTHS_HEIGHT).saturating_add(line.saturating_mul(KEY_LINE));
        Key { y, text_y: y.saturating_add(13), series: place, words: shortened(&series.name, NAME_CHARS_MAX) }
    });
    Drawn {
        id: id(&chart.id),
        title: chart.title.clone(),
        desc: chart.desc.clone(),
        width: WIDTH,
        height: bottom.saturating_add(MONTHS_HEIGHT).saturating_add(number(series.len()).saturating_mul(KEY_LINE)),
        left,
        right: WIDTH.saturating_sub(RIGHT),
        bottom,
        months,
        keys: keys.collect(),
        bars,
        scale,
    }
}

/// The series, those after the first ones as one.
fn folded(chart: &Chart) -> Vec<Series> {
    let mut series = chart.series.clone();
    if series.len() > SERIES_MAX {
        let others = series.split_off(SERIES_MAX.saturating_sub(1));
        let sum = |column: usize| {
            others.iter().fold(0_u64, |sum, series| sum.saturating_add(series.cents.get(column).copied().unwrap_or(0)))
        };
        series.push(Series { name: chart.rest.clone(), cents: (0..chart.columns.len()).map(sum).collect() });
    }
    series
}

/// A step of the scale, and its top: 1, 2 or 5 with zeros, whole euros, no more steps than there is room for.
fn scale(highest: u128) -> (u128, u128) {
    let mut power: u128 = 100;
    loop {
        for times in [1, 2, 5] {
            let step = power.saturating_mul(times);
            let steps = highest.div_ceil(step).max(1);
            if steps <= STEPS_MAX {
                return (step, step.saturating_mul(steps));
            }
        }
        power = power.saturating_mul(10);
    }
}

fn labels_of_scale(step: u128, top: u128, amount: impl Fn(u64) -> String) -> Vec<Label> {
    let steps = (0..=STEPS_MAX).map(|place| step.saturating_mul(place)).take_while(|value| *value <= top);
    steps
        .map(|value| Label {
            x: 0,
            y: TOP.saturating_add(PLOT_HEIGHT).saturating_sub(part(PLOT_HEIGHT, value, top)),
            words: shortened(&amount(u64::try_from(value).unwrap_or(u64::MAX)), LABEL_CHARS_MAX),
        })
        .collect()
}

/// The names of as many months as there is room for, counted from the newest, which always has its name.
fn labels_of_months(columns: &[&String], room: u64, centre: impl Fn(u64) -> u64, y: u64) -> Vec<Label> {
    let words: Vec<_> = columns.iter().map(|month| shortened(month, LABEL_CHARS_MAX)).collect();
    let longest = words.iter().map(|words| words.chars().count()).max().unwrap_or(0);
    let (wide, count) = (number(longest).saturating_mul(CHAR_WIDTH).saturating_add(CHAR_WIDTH), number(words.len()));
    // One fewer than fit side by side: the last is moved into the picture, towards the one before it.
    let fitting = room.checked_div(wide).unwrap_or(0).saturating_sub(1).max(1);
    let every = count.div_ceil(fitting).max(1);
    let half = wide.div_ceil(2);
    let is_named = |column: u64| count.saturating_sub(1).saturating_sub(column).checked_rem(every) == Some(0);
    let named = (0_u64..).zip(words).filter(|(column, _)| is_named(*column));
    named
        .map(|(column, words)| {
            let x = centre(column).max(half).min(WIDTH.saturating_sub(half));
            Label { x, y, words }
        })
        .collect()
}

/// `of × parts / whole`, rounded down, never more than `of`; nothing of no whole.
fn part(of: u64, parts: u128, whole: u128) -> u64 {
    let found = u128::from(of).checked_mul(parts).and_then(|product| product.checked_div(whole)).unwrap_or(0);
    u64::try_from(found).unwrap_or(of).min(of)
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

/// What may stand in an id and in `url(#…)`.
fn id(text: &str) -> String {
    let kept: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if kept.is_empty() { "chart".to_owned() } else { kept }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::integer_division,
        clippy::as_conversions,
        reason = "a failed unwrap is the test's failure"
    )]

    use proptest::prelude::*;

    use super::*;

    fn chart(columns: usize, series: &[Vec<u64>]) -> Chart {
        let named = |(place, cents): (usize, &Vec<u64>)| Series { name: format!("kind {place}"), cents: cents.clone() };
        Chart {
            id: "spent".to_owned(),
            title: "Spent".to_owned(),
            desc: "By month".to_owned(),
            columns: (0..columns).map(|column| format!("month {column}")).collect(),
            series: series.iter().enumerate().map(named).collect(),
            rest: "others".to_owned(),
        }
    }

    fn euros(cents: u64) -> String {
        format!("{}.{:02} €", cents / 100, cents % 100)
    }

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let svg = svg(&chart(2, &[vec![1_000, 0], vec![500, 250]]), euros).unwrap();
        for part in [
            "role=\"img\"",
            "aria-labelledby=\"spent-title spent-desc\"",
            "<title id=\"spent-title\">Spent</title>",
            "<desc id=\"spent-desc\">By month</desc>",
            "<title>month 0, kind 0: 10.00 €</title>",
            "<title>month 1, kind 1: 2.50 €</title>",
            "fill=\"url(#spent-1)\"",
            ">kind 1</text>",
            ">month 1</text>",
        ] {
            assert!(svg.contains(part), "{part} is missing in:\n{svg}");
        }
        assert!(!svg.contains("style") && !svg.contains("<script") && !svg.contains("href"), "{svg}");
    }

    #[test]
    fn words_cannot_leave_their_place() {
        let mut evil = chart(1, &[vec![100]]);
        let word = "\"><script>&'";
        evil.title = word.to_owned();
        evil.desc = word.to_owned();
        evil.id = format!("a{word}b");
        evil.columns = vec![word.to_owned()];
        evil.series[0].name = word.to_owned();
        let svg = svg(&evil, |_| word.to_owned()).unwrap();
        assert!(!svg.contains("<script") && !svg.contains(word), "{svg}");
        assert!(svg.contains("id=\"ascriptb-title\""), "{svg}");
    }

    #[test]
    fn a_scale_is_of_round_amounts() {
        for (highest, step, top) in [
            (0, 100, 100),
            (1, 100, 100),
            (501, 200, 600),
            (1_000, 200, 1_000),
            (123_456, 50_000, 150_000),
            (u128::from(u64::MAX), 5_000_000_000_000_000_000, 20_000_000_000_000_000_000),
        ] {
            assert_eq!(scale(highest), (step, top), "{highest}");
        }
    }

    #[test]
    fn only_so_many_series_are_told_apart_and_no_cent_is_left_out() {
        let series: Vec<_> = (1..=9).map(|kind| vec![kind * 100]).collect();
        let folded = folded(&chart(1, &series));
        assert_eq!(folded.len(), SERIES_MAX);
        assert_eq!((folded[5].name.as_str(), folded[5].cents[0]), ("others", 600 + 700 + 800 + 900));
    }

    fn amounts() -> impl Strategy<Value = u64> {
        prop_oneof![Just(0), 0_u64..10_000, 0_u64..=999_999_999_999, Just(u64::MAX)]
    }

    proptest! {
        #[test]
        fn bars_are_as_high_as_their_amounts_and_nothing_leaves_the_box(
            columns in 0_usize..45,
            series in proptest::collection::vec(proptest::collection::vec(amounts(), 0..45), 0..9),
        ) {
            let chart = chart(columns, &series);
            let drawn = draw(&chart, euros);
            let bottom = TOP + PLOT_HEIGHT;
            for bar in &drawn.bars {
                prop_assert!(bar.x >= drawn.left && bar.x + bar.width <= drawn.right, "{bar:?}");
                prop_assert!(bar.y >= TOP && bar.y + bar.height <= bottom && bar.series < SERIES_MAX, "{bar:?}");
            }
            for label in drawn.months.iter().chain(&drawn.scale) {
                prop_assert!(label.x < drawn.width && label.y < drawn.height, "{label:?}");
            }
            prop_assert!(drawn.keys.iter().all(|key| key.y + 16 <= drawn.height));
            prop_assert!(drawn.left < drawn.right);
            let half = |label: &Label| label.words.chars().count() as u64 * CHAR_WIDTH / 2;
            prop_assert!(drawn.months.iter().all(|label| label.x >= half(label) && label.x + half(label) <= WIDTH));
            for pair in drawn.months.windows(2) {
                prop_assert!(pair[0].x + half(&pair[0]) < pair[1].x - half(&pair[1]), "{pair:?}");
            }
            prop_assert_eq!(drawn.months.is_empty(), columns == 0);
            // The heights of a column's parts, to a unit each, and its whole height exactly, are its amounts.
            let shown = folded(&chart);
            let skipped = columns.saturating_sub(COLUMNS_MAX);
            let value = |series: &Series, column: usize| u128::from(series.cents.get(column).copied().unwrap_or(0));
            let total = |column: usize| shown.iter().map(|series| value(series, column)).sum::<u128>();
            let (_, top) = scale((skipped..columns).map(total).max().unwrap_or(0));
            let mut heights = vec![vec![0_u64; SERIES_MAX]; columns];
            for bar in &drawn.bars {
                let place = (skipped..columns).find(|column| bar.words.starts_with(&format!("month {column},"))).unwrap();
                heights[place][bar.series] += bar.height;
            }
            for (column, parts) in heights.iter().enumerate().skip(skipped) {
                let whole: u64 = parts.iter().sum();
                prop_assert_eq!(u128::from(whole), u128::from(PLOT_HEIGHT) * total(column) / top);
                for (place, series) in shown.iter().enumerate() {
                    let (height, value) = (u128::from(parts[place]) * top, value(series, column));
                    let exact = u128::from(PLOT_HEIGHT) * value;
                    prop_assert!(height.abs_diff(exact) <= top, "{column} {place}: {height} {exact}");
                }
            }
            prop_assert!(drawn.render().is_ok());
        }
    }
}
