//! What a message says: French first, then English; what it is, what to do, and where.

use std::fmt::Write as _;

use cabas_protocol::Timestamp;
use serde_json::{Value, json};

use crate::admin::words::{Lang, Words};
use crate::app::App;
use crate::core::alerts::{Event, Line};

/// A message as it goes out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Letter {
    /// The same however often it is tried.
    pub id: String,
    /// The mail's subject.
    pub subject: String,
    /// The mail's text.
    pub text: String,
    /// What a program gets.
    pub json: Value,
}

/// The page of the site where a thing is seen to.
#[must_use]
pub fn page_of(code: &str) -> Option<&'static str> {
    match code {
        "silent" | "list_old" | "forks" => Some("/terminals"),
        _ if code.starts_with("terminal_") => Some("/terminals"),
        "ledger" => Some("/works"),
        _ => None,
    }
}

impl Letter {
    /// Writes a message about lines.
    #[must_use]
    pub fn new(app: &App, number: u64, made_at: Timestamp, lines: &[Line]) -> Self {
        let fund = app.context.fund.get();
        Self::write(&app.site.words, app.ways.site.as_deref(), (fund, number, made_at), lines)
    }

    /// The same from its parts: the fund, the message's number, and when it was made.
    #[must_use]
    pub fn write(
        words: &Words,
        site: Option<&str>,
        (fund, number, made_at): (u32, u64, Timestamp),
        lines: &[Line],
    ) -> Self {
        let writer = Writer { words, site, made_at };
        // The moment keeps the ids of a fund apart that was restored from a backup and counts anew.
        let id = format!("cabas-{fund}-{number}-{}", made_at.get());
        let text = [Lang::French, Lang::English].map(|lang| writer.text(lang, lines)).join("\n-- \n\n");
        let json = json!({
            "id": id,
            "fund": fund,
            "at": made_at.get(),
            "text": text,
            "alerts": lines.iter().map(|line| writer.json(line)).collect::<Vec<_>>(),
        });
        Self { id, subject: writer.subject(lines), text, json }
    }

    /// A message that says that messages arrive.
    #[must_use]
    pub fn test(words: &Words, fund: u32, now: Timestamp) -> Self {
        let id = format!("cabas-{fund}-test-{}", now.get());
        let both = [Lang::French, Lang::English].map(|lang| words.get(lang, "alert-test"));
        let text = both.join("\n-- \n");
        let json = json!({ "id": id, "fund": fund, "at": now.get(), "text": text, "alerts": [] });
        Self { id, subject: "Cabas – essai / test".to_owned(), text, json }
    }
}

struct Writer<'w> {
    words: &'w Words,
    site: Option<&'w str>,
    made_at: Timestamp,
}

impl Writer<'_> {
    fn subject(&self, lines: &[Line]) -> String {
        let Some(first) = lines.first() else { return "Cabas".to_owned() };
        let title = |lang| title(self.words, lang, &first.code);
        let more = lines.len().saturating_sub(1);
        let more = if more > 0 { format!(" (+ {more})") } else { String::new() };
        let event = |lang| self.words.get(lang, event_word(first.event));
        format!(
            "Cabas – {} : {} / {}: {}{more}",
            event(Lang::French),
            title(Lang::French),
            event(Lang::English),
            title(Lang::English)
        )
    }

    fn text(&self, lang: Lang, lines: &[Line]) -> String {
        let mut text = String::new();
        for line in lines {
            let _infallible =
                writeln!(text, "{} – {}", self.words.get(lang, event_word(line.event)), self.said(lang, line));
            if line.event == Event::Ends {
                let _infallible = writeln!(text, "{}", self.lasted(lang, line));
            } else {
                let todo = todo(self.words, lang, &line.says);
                let _infallible = writeln!(text, "{} {todo}", self.words.get(lang, "alert-todo"));
                if line.event == Event::Lasts {
                    let _infallible = writeln!(text, "{}", self.lasted(lang, line));
                }
                if let Some(page) = self.page(line) {
                    let _infallible = writeln!(text, "{page}");
                }
            }
            text.push('\n');
        }
        text
    }

    fn said(&self, lang: Lang, line: &Line) -> String {
        let said = sentence(self.words, lang, &line.says, line.value, &line.terminals);
        // What is over is named, not said again as if it still were so.
        if line.event == Event::Ends { named(self.words, lang, &line.code, &line.terminals) } else { said }
    }

    fn lasted(&self, lang: Lang, line: &Line) -> String {
        let hours = self.made_at.since_s(Timestamp::new(line.since)).checked_div(3600).unwrap_or(0);
        self.words.with(lang, "alert-since", &[("hours", &hours.to_string())])
    }

    fn page(&self, line: &Line) -> Option<String> {
        Some(format!("{}{}", self.site?, page_of(&line.code).unwrap_or("/")))
    }

    fn json(&self, line: &Line) -> Value {
        json!({
            "event": line.event,
            "code": line.code,
            "says": line.says,
            "value": line.value,
            "terminals": line.terminals,
            "since": line.since,
            "message_fr": self.said(Lang::French, line),
            "message_en": self.said(Lang::English, line),
            "todo_fr": todo(self.words, Lang::French, &line.says),
            "todo_en": todo(self.words, Lang::English, &line.says),
            "page": self.page(line),
        })
    }
}

const fn event_word(event: Event) -> &'static str {
    match event {
        Event::Begins => "alert-begins",
        Event::Lasts => "alert-lasts",
        Event::Ends => "alert-ends",
    }
}

fn id(prefix: &str, name: &str) -> String {
    format!("{prefix}{}", name.replace('_', "-"))
}

/// The name of what was looked at.
#[must_use]
pub fn title(words: &Words, lang: Lang, code: &str) -> String {
    words.get(lang, &id("check-title-", code))
}

/// The sentence that says what is wrong.
#[must_use]
pub fn sentence(words: &Words, lang: Lang, says: &str, value: Option<u64>, terminals: &[u32]) -> String {
    let (value, terminals) = (value.unwrap_or(0).to_string(), numbers(terminals));
    words.with(lang, &id("check-says-", says), &[("value", &value), ("terminals", &terminals)])
}

/// What to do about it.
#[must_use]
pub fn todo(words: &Words, lang: Lang, says: &str) -> String {
    words.get(lang, &id("check-todo-", says))
}

fn named(words: &Words, lang: Lang, code: &str, terminals: &[u32]) -> String {
    let title = title(words, lang, code);
    if terminals.is_empty() { title } else { format!("{title} ({})", numbers(terminals)) }
}

fn numbers(terminals: &[u32]) -> String {
    terminals.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}
