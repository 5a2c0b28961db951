//! What a policy costs: what is refused though the household has the money, and what shops ask for over the right. As a
//! table, and as a chart.

use std::fmt::Write as _;

use cabas_hub::core::slices::Shares;

use super::figures::Figures;
use super::plan::HARD_LIFE;
use super::shape::Shape;

/// A policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What is changed.
    pub name: String,
    /// The fund with it.
    pub shape: Shape,
}

/// What a policy came to.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Which.
    pub name: String,
    /// The sums.
    pub figures: Figures,
}

/// Every policy that is compared: the defaults, and one thing changed at a time.
#[must_use]
pub fn policies(fund: Shape) -> Vec<Policy> {
    let base = Shape { kinds: Some(HARD_LIFE), ..fund };
    let Shares { free_percent, steady_percent } = base.shares;
    let mut all = vec![Policy { name: "as it is".to_owned(), shape: base }];
    let mut add = |name: String, shape: Shape| all.push(Policy { name, shape });
    for percent in [0, 20, 60, 80] {
        let shares = Shares { free_percent: percent, steady_percent };
        add(format!("kept free {percent} %"), Shape { shares, ..base });
    }
    for percent in [0, 50, 100] {
        let shares = Shares { free_percent, steady_percent: percent };
        add(format!("steady terminals {percent} % of their part"), Shape { shares, ..base });
    }
    for (euros, floor_cents) in [(10, 1_000), (20, 2_000), (40, 4_000)] {
        add(format!("floor at stalls {euros} €"), Shape { floor_cents, ..base });
    }
    add("stalls call once a week".to_owned(), Shape { stall_net_days: 0b000_0010, ..base });
    add("stalls call every day".to_owned(), Shape { stall_net_days: 0b111_1111, ..base });
    add("plain cards only".to_owned(), Shape { tiers: (0, 0), ..base });
    add("identity cards only".to_owned(), Shape { tiers: (0, 10), ..base });
    add("purse cards only".to_owned(), Shape { tiers: (10, 0), ..base });
    all
}

/// Parts of a thousand.
fn permille(part: u64, whole: u64) -> u64 {
    part.saturating_mul(1_000).checked_div(whole).unwrap_or(0)
}

impl Judged {
    /// Purchases refused though funded, in permille of those tried.
    #[must_use]
    pub fn refused(&self) -> u64 {
        permille(self.figures.refused_funded, self.figures.tried)
    }

    /// Cents over the right, in permille of those accepted.
    #[must_use]
    pub fn over(&self) -> u64 {
        permille(self.figures.over_right_cents, self.figures.accepted_cents)
    }
}

/// As a table in Markdown.
#[must_use]
pub fn table(judged: &[Judged]) -> String {
    let mut text =
        String::from("| policy | purchases | refused though funded | over the right |\n| --- | ---: | ---: | ---: |\n");
    for one in judged {
        let _written = writeln!(
            text,
            "| {} | {} | {} ({} ‰) | {} cents ({} ‰) |",
            one.name,
            one.figures.tried,
            one.figures.refused_funded,
            one.refused(),
            one.figures.over_right_cents,
            one.over()
        );
    }
    text
}

/// As bars, two a policy.
#[must_use]
pub fn chart(judged: &[Judged]) -> String {
    const LINE: u64 = 34;
    const BARS: u64 = 260;
    const WIDTH: u64 = 700;
    let most = judged.iter().map(|one| one.refused().max(one.over())).max().unwrap_or(1).max(1);
    let length = |value: u64| value.saturating_mul(WIDTH - BARS - 60).checked_div(most).unwrap_or(0);
    let lines = u64::try_from(judged.len()).unwrap_or(0);
    let height = lines.saturating_mul(LINE).saturating_add(50);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Refused though funded, and asked for over the right, by policy</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <rect x=\"8\" y=\"10\" width=\"12\" height=\"12\" fill=\"#1f5fa8\"/><text x=\"26\" y=\"20\">refused though funded, ‰ of purchases</text>\n\
         <rect x=\"300\" y=\"10\" width=\"12\" height=\"12\" fill=\"#c8641e\"/><text x=\"318\" y=\"20\">over the right, ‰ of cents accepted</text>\n"
    );
    for (place, one) in (0_u64..).zip(judged) {
        let top = place.saturating_mul(LINE).saturating_add(38);
        for (value, fill, at) in [(one.refused(), "#1f5fa8", top), (one.over(), "#c8641e", top.saturating_add(13))] {
            let (width, text) = (length(value), at.saturating_add(10));
            let after = width.saturating_add(BARS).saturating_add(4);
            let _written = writeln!(
                svg,
                "<rect x=\"{BARS}\" y=\"{at}\" width=\"{width}\" height=\"12\" fill=\"{fill}\"/><text x=\"{after}\" y=\"{text}\">{value}</text>"
            );
        }
        let _written = writeln!(svg, "<text x=\"8\" y=\"{}\">{}</text>", top.saturating_add(17), one.name);
    }
    svg.push_str("</svg>\n");
    svg
}
