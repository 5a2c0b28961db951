//! What every page has around it, and how amounts and times are written.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use cabas_protocol::Timestamp;
use serde::Serialize;

use super::document::RefusedField;
use super::site::{Group, MenuEntry};
use super::visit::{Step, Visit, Wrong};
use super::words::Lang;
use super::{html, secret};

/// An entry of the menu.
#[derive(Debug)]
pub struct Entry {
    /// Where it leads.
    pub path: String,
    /// What it is called.
    pub text: String,
    /// True where one is there already.
    pub is_here: bool,
}

/// A field of a form that is not as it should be.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The id of the field.
    pub field: &'static str,
    /// The text that says what to do.
    pub text: &'static str,
}

/// What a template calls `f`.
#[derive(Clone, Debug)]
pub struct Frame {
    visit: Visit,
    /// The page's title.
    pub title: String,
    /// What is to be corrected.
    pub faults: Vec<Fault>,
}

impl Frame {
    /// The frame of a page whose title is the text of that name.
    #[must_use]
    pub fn new(visit: &Visit, title: &str) -> Self {
        let title = visit.app.site.words.get(visit.lang, title);
        Self { visit: visit.clone(), title, faults: Vec::new() }
    }

    /// The same with what is to be corrected.
    #[must_use]
    pub fn with_faults(self, faults: Vec<Fault>) -> Self {
        Self { faults, ..self }
    }

    /// What is wrong with a field.
    #[must_use]
    pub fn fault(&self, field: &str) -> Option<&'static str> {
        self.faults.iter().find(|fault| fault.field == field).map(|fault| fault.text)
    }

    /// A text.
    #[must_use]
    pub fn t(&self, id: &str) -> String {
        self.visit.app.site.words.get(self.visit.lang, id)
    }

    /// A text with one value.
    #[must_use]
    pub fn tv(&self, id: &str, name: &str, value: impl ToString) -> String {
        self.visit.app.site.words.with(self.visit.lang, id, &[(name, &value.to_string())])
    }

    /// A text with a count.
    #[must_use]
    pub fn tn(&self, id: &str, count: impl ToString) -> String {
        self.visit.app.site.words.counted(self.visit.lang, id, &count.to_string())
    }

    /// A text whose name ends with a name of the program.
    #[must_use]
    pub fn named(&self, prefix: &str, name: &str) -> String {
        self.t(&format!("{prefix}{}", name.replace('_', "-")))
    }

    /// The code of the language.
    #[must_use]
    pub fn lang(&self) -> &'static str {
        self.visit.lang.code()
    }

    /// The code of the other language.
    #[must_use]
    pub fn other_lang(&self) -> &'static str {
        self.visit.lang.other().code()
    }

    /// The same page in the other language.
    #[must_use]
    pub fn other_page(&self) -> String {
        let Visit { path, query, .. } = &self.visit;
        let query = if query.is_empty() { String::new() } else { format!("{query}&") };
        format!("{path}?{query}lang={}", self.other_lang())
    }

    /// The fund's name.
    #[must_use]
    pub fn fund(&self) -> &str {
        &self.visit.app.site.fund
    }

    /// Who is logged in; empty where nobody is.
    #[must_use]
    pub fn user(&self) -> &str {
        self.visit.standing.name()
    }

    /// True where the second factor was shown.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        matches!(self.visit.standing.step(), Some(Step::Password | Step::Done))
    }

    /// True where the one who looks takes no part yet in what two people decide, and is not just being told so.
    #[must_use]
    pub fn waits(&self) -> bool {
        !self.visit.needs_vouched && self.visit.standing.step() == Some(Step::Done) && self.visit.standing.waits()
    }

    /// What a form sends back.
    #[must_use]
    pub fn csrf(&self) -> String {
        self.visit.csrf()
    }

    /// A name for what this form does, so that it is done once however often it is sent.
    #[must_use]
    pub fn once(&self) -> String {
        secret::new_token().map(|token| token.to_string()).unwrap_or_default()
    }

    /// The groups of the menu of the one who looks, each leading to its first page.
    #[must_use]
    pub fn menu(&self) -> Vec<Entry> {
        let (theirs, here) = (self.entries(), self.here());
        let first = |group| theirs.iter().find(|entry| entry.group == group && !entry.text.is_empty());
        let groups = Group::ALL.into_iter().filter_map(first);
        groups
            .map(|entry| Entry {
                path: entry.path.clone(),
                text: self.t(entry.group.text()),
                is_here: here.is_some_and(|here| here.group == entry.group),
            })
            .collect()
    }

    /// The pages of the group that one is in; empty where there is only one.
    #[must_use]
    pub fn submenu(&self) -> Vec<Entry> {
        let (mut theirs, here) = (self.entries(), self.here());
        theirs.retain(|entry| !entry.text.is_empty() && here.is_some_and(|here| here.group == entry.group));
        if theirs.len() < 2 {
            return Vec::new();
        }
        let is_here = |entry: &MenuEntry| here.is_some_and(|here| here.path == entry.path);
        theirs
            .into_iter()
            .map(|entry| Entry { path: entry.path.clone(), text: self.t(entry.text), is_here: is_here(entry) })
            .collect()
    }

    fn entries(&self) -> Vec<&MenuEntry> {
        let role = self.visit.standing.role().filter(|_| self.visit.standing.step() == Some(Step::Done));
        let entries = self.visit.app.site.menu.iter();
        entries.filter(|entry| role.is_some_and(|role| entry.roles.contains(&role))).collect()
    }

    /// The entry of this page, or of the page that it belongs to.
    fn here(&self) -> Option<&MenuEntry> {
        let path = self.visit.path.as_str();
        let is_above = |entry: &&MenuEntry| {
            path.strip_prefix(entry.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.entries().into_iter().filter(is_above).max_by_key(|entry| entry.path.len())
    }

    /// An amount.
    #[must_use]
    pub fn euros(&self, cents: &u64) -> String {
        euros(self.visit.lang, *cents)
    }

    /// A moment, on the machine's calendar.
    #[must_use]
    pub fn when(&self, seconds: &u64) -> String {
        let form = match self.visit.lang {
            Lang::French => "%d/%m/%Y %H:%M",
            Lang::English => "%Y-%m-%d %H:%M",
        };
        let at = i64::try_from(*seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        at.map(|at| at.to_zoned(jiff::tz::TimeZone::system()).strftime(form).to_string()).unwrap_or_default()
    }

    /// How long ago a moment was.
    #[must_use]
    #[expect(clippy::integer_division, reason = "whole minutes, hours and days")]
    pub fn ago(&self, seconds: &u64) -> String {
        let passed = self.visit.now.since_s(Timestamp::new(*seconds));
        match passed {
            0..60 => self.t("ago-now"),
            60..3_600 => self.tv("ago-minutes", "count", passed / 60),
            3_600..172_800 => self.tv("ago-hours", "count", passed / 3_600),
            _ => self.tv("ago-days", "count", passed / 86_400),
        }
    }
}

/// Whole cents as people read them.
#[expect(clippy::integer_division, reason = "euros and cents are a quotient and a rest")]
#[must_use]
pub fn euros(lang: Lang, cents: u64) -> String {
    let (whole, rest) = ((cents / 100).to_string(), cents % 100);
    let apart = match lang {
        Lang::French => '\u{202f}',
        Lang::English => ',',
    };
    let mut euros = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && whole.len().saturating_sub(index).is_multiple_of(3) {
            euros.push(apart);
        }
        euros.push(digit);
    }
    match lang {
        Lang::French => format!("{euros},{rest:02}\u{a0}€"),
        Lang::English => format!("€{euros}.{rest:02}"),
    }
}

/// A page.
///
/// # Errors
/// [`Wrong::Work`] where the template cannot be filled.
pub fn page(status: StatusCode, template: &impl Template) -> Result<Response, Wrong> {
    Ok(html::page(status, template.render()?))
}

/// The same for a person as a page and for a program as JSON. Where something is to be corrected nothing was done.
///
/// # Errors
/// As [`page`].
pub fn answer<D: Serialize, T: Template>(
    visit: &Visit,
    title: &str,
    faults: Vec<Fault>,
    data: D,
    template: impl FnOnce(Frame, D) -> T,
) -> Result<Response, Wrong> {
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    if !visit.is_program() {
        return page(status, &template(Frame::new(visit, title).with_faults(faults), data));
    }
    if faults.is_empty() {
        return html::json(&data);
    }
    refused_fields(visit, &faults)
}

/// What a program is told of fields that are to be corrected.
///
/// # Errors
/// None; a result for who answers pages beside it.
pub fn refused_fields(visit: &Visit, faults: &[Fault]) -> Result<Response, Wrong> {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let words = |text: &str| visit.app.site.words.get(Lang::English, text);
    let fields = faults.iter().map(|fault| RefusedField { field: fault.field.to_owned(), reason: words(fault.text) });
    Ok(html::refused(status, &words("layout-faults"), fields.collect()))
}

#[derive(Template)]
#[template(path = "wrong.html")]
struct WrongPage {
    f: Frame,
    text: &'static str,
}

/// A page that says what went wrong, and what to do.
#[must_use]
pub fn wrong(visit: &Visit, status: StatusCode, text: &'static str) -> Response {
    let title = if text == "refusal-waits" { "wrong-waits-title" } else { "wrong-title" };
    let shown = WrongPage { f: Frame::new(visit, title), text };
    page(status, &shown).unwrap_or_else(|_| status.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_people_read_them() {
        for (cents, french, english) in [
            (0, "0,00\u{a0}€", "€0.00"),
            (5, "0,05\u{a0}€", "€0.05"),
            (123_456, "1\u{202f}234,56\u{a0}€", "€1,234.56"),
            (99_999, "999,99\u{a0}€", "€999.99"),
            (123_456_789, "1\u{202f}234\u{202f}567,89\u{a0}€", "€1,234,567.89"),
        ] {
            assert_eq!((euros(Lang::French, cents), euros(Lang::English, cents)), (french.into(), english.into()));
        }
    }
}
