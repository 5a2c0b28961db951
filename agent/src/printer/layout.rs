//! A receipt to lines of text: pure, for 32 or 48 columns.

use super::charset::clean;
use super::{PrinterConfig, TestPageTexts};
use crate::core::closing::{Slip, SlipLine};
use crate::core::receipt::{Receipt, ReceiptLine, ReceiptParts, amount, date_time};
use cabas_protocol::Cents;

/// Lines that one name or label may take; the rest of it is cut off.
const LINES_PER_TEXT_MAX: usize = 4;

/// How a line stands out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Emphasis {
    /// Not at all.
    Plain,
    /// Bold.
    Bold,
    /// Bold and of double height: as many columns as any other line.
    Tall,
}

/// One line on paper, at most as long as the paper is wide.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct PrintLine {
    /// Only characters of the printer's page.
    pub(super) text: String,
    /// How it stands out.
    pub(super) emphasis: Emphasis,
}

/// Lays out a receipt.
pub(super) fn receipt(receipt: &Receipt, config: &PrinterConfig) -> Vec<PrintLine> {
    let mut paper = Paper::new(config);
    let parts = receipt.parts();
    head(&mut paper, parts);
    for line in &parts.lines {
        goods(&mut paper, parts, line);
    }
    paper.rule();
    let money = |cents| amount(cents, parts.language);
    paper.row(&parts.texts.total, &money(receipt.requested()), Emphasis::Bold);
    paper.row(&parts.texts.fund_part, &money(receipt.fund()), Emphasis::Tall);
    paper.row(&parts.texts.member_part, &money(receipt.member()), Emphasis::Bold);
    paper.rule();
    for note in receipt.notes() {
        paper.centred(note, Emphasis::Plain);
    }
    if parts.show_not_proven {
        paper.centred(&parts.texts.not_proven, Emphasis::Plain);
    }
    paper.centred(&parts.texts.not_an_invoice, Emphasis::Plain);
    if let Some(helpline) = &parts.helpline {
        paper.centred(&format!("{} {helpline}", parts.texts.helpline), Emphasis::Plain);
    }
    marks(&mut paper, parts);
    paper.lines
}

/// Lays out a paper that is no receipt.
pub(super) fn slip(slip: &Slip, config: &PrinterConfig) -> Vec<PrintLine> {
    let mut paper = Paper::new(config);
    let emphasis = |bold| if bold { Emphasis::Bold } else { Emphasis::Plain };
    for line in slip.lines() {
        match line {
            SlipLine::Centred { text, bold } => paper.centred(text, emphasis(*bold)),
            SlipLine::Row { label, value, bold } => paper.row(label, value, emphasis(*bold)),
            SlipLine::Rule => paper.rule(),
        }
    }
    paper.lines
}

/// Lays out a page that shows width, accents and emphasis.
pub(super) fn test_page(texts: &TestPageTexts, config: &PrinterConfig) -> Vec<PrintLine> {
    let mut paper = Paper::new(config);
    paper.centred(&texts.title, Emphasis::Tall);
    paper.centred(&format!("ESC t {} - {} x", config.code_page.number(), paper.columns), Emphasis::Plain);
    let ruler: String = "1234567890".chars().cycle().take(paper.columns).collect();
    paper.push(ruler, Emphasis::Plain);
    paper.left("é è à ç œ € - – ’ … É", Emphasis::Plain);
    paper.row("é è à ç œ", &amount(Cents::ZERO, crate::core::receipt::Language::French), Emphasis::Bold);
    paper.left(&texts.check, Emphasis::Plain);
    paper.lines
}

fn head(paper: &mut Paper<'_>, parts: &ReceiptParts) {
    paper.centred(&parts.shop, Emphasis::Bold);
    paper.centred(&parts.fund, Emphasis::Plain);
    paper.centred(&parts.texts.title, Emphasis::Bold);
    marks(paper, parts);
    paper.rule();
    paper.left(&date_time(parts.at), Emphasis::Plain);
    paper.row(
        &format!("{} {}", parts.texts.terminal, parts.terminal),
        &format!("{} {}", parts.texts.number, parts.stan),
        Emphasis::Plain,
    );
    if let Some(till_ref) = &parts.till_ref {
        paper.left(&format!("{} {till_ref}", parts.texts.till), Emphasis::Plain);
    }
    paper.rule();
}

/// What keeps a paper from being taken for the receipt itself; it stands above and below the amounts.
fn marks(paper: &mut Paper<'_>, parts: &ReceiptParts) {
    if let Some(copy) = parts.duplicate {
        paper.centred(&format!("*** {} {copy} ***", parts.texts.duplicate), Emphasis::Bold);
    }
    if parts.training {
        paper.centred(&format!("*** {} ***", parts.texts.training), Emphasis::Bold);
    }
}

/// A category; its parts where the fund does not cover all of it and the sums at the end would not show them.
fn goods(paper: &mut Paper<'_>, parts: &ReceiptParts, line: &ReceiptLine) {
    let money = |cents| amount(cents, parts.language);
    paper.row(&line.label, &money(line.requested), Emphasis::Plain);
    if parts.lines.len() > 1 && !line.member.is_zero() {
        paper.row(&format!("\u{a0}\u{a0}{}", parts.texts.fund_part), &money(line.fund), Emphasis::Plain);
        paper.row(&format!("\u{a0}\u{a0}{}", parts.texts.member_part), &money(line.member), Emphasis::Plain);
    }
}

/// The lines so far, and the width that none may pass.
struct Paper<'a> {
    config: &'a PrinterConfig,
    columns: usize,
    lines: Vec<PrintLine>,
}

impl<'a> Paper<'a> {
    fn new(config: &'a PrinterConfig) -> Self {
        Self { config, columns: config.width.columns(), lines: Vec::new() }
    }

    fn push(&mut self, text: String, emphasis: Emphasis) {
        self.lines.push(PrintLine { text, emphasis });
    }

    fn rule(&mut self) {
        self.push("-".repeat(self.columns), Emphasis::Plain);
    }

    fn left(&mut self, text: &str, emphasis: Emphasis) {
        for line in self.wrapped(text) {
            self.push(line, emphasis);
        }
    }

    fn centred(&mut self, text: &str, emphasis: Emphasis) {
        let mut lines = balanced(&clean(text, self.config.code_page), self.columns);
        lines.truncate(LINES_PER_TEXT_MAX);
        for line in lines {
            let before = self.columns.saturating_sub(length(&line)).checked_div(2).unwrap_or(0);
            self.push(format!("{}{line}", " ".repeat(before)), emphasis);
        }
    }

    /// A label on the left and an amount that ends at the right edge, on one line where both fit.
    fn row(&mut self, label: &str, value: &str, emphasis: Emphasis) {
        let value = clean(value, self.config.code_page);
        let mut labels = self.wrapped(label);
        let last = labels.pop().unwrap_or_default();
        let last = if length(&last).saturating_add(length(&value)) < self.columns {
            last
        } else {
            labels.push(last);
            String::new()
        };
        for line in labels {
            self.push(line, emphasis);
        }
        let between = self.columns.saturating_sub(length(&last)).saturating_sub(length(&value));
        self.push(format!("{last}{}{value}", " ".repeat(between)), emphasis);
    }

    fn wrapped(&self, text: &str) -> Vec<String> {
        let mut lines = wrap(&clean(text, self.config.code_page), self.columns);
        lines.truncate(LINES_PER_TEXT_MAX);
        lines
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// As few lines as it takes, and those as even as they can be: no short word stands alone on the last.
fn balanced(text: &str, columns: usize) -> Vec<String> {
    let fewest = wrap(text, columns);
    let longest_word = text.split(' ').map(length).max().unwrap_or(0).min(columns);
    let narrower = (longest_word.max(1)..columns).map(|narrower| wrap(text, narrower));
    narrower.into_iter().find(|lines| lines.len() <= fewest.len()).unwrap_or(fewest)
}

/// Breaks between words, and inside one that is longer than a line, there after a hyphen. A no-break space is no end of a
/// word.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let needed = length(&line).saturating_add(usize::from(!line.is_empty())).saturating_add(length(word));
        if needed <= columns {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            if length(&line) >= columns {
                let after_hyphen = line.rfind('-').and_then(|at| at.checked_add(1)).unwrap_or(line.len());
                let rest = line.split_off(after_hyphen);
                lines.push(std::mem::replace(&mut line, rest));
            }
            line.push(c);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "slip_tests.rs"]
mod slip_tests;
