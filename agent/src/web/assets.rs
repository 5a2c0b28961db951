//! The files of the pages, inside the program: they work with no network, and nothing else is ever fetched.

use std::borrow::Cow;

use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{Html, IntoResponse as _, Response};
use serde::Deserialize;

use super::App;
use super::error::wrong;
use crate::core::receipt::Language;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const FILES: [(&str, &str, &str); 16] = [
    ("app.js", SCRIPT, include_str!("assets/app.js")),
    ("cashier.js", SCRIPT, include_str!("assets/cashier.js")),
    ("customer.js", SCRIPT, include_str!("assets/customer.js")),
    ("day.js", SCRIPT, include_str!("assets/day.js")),
    ("help.js", SCRIPT, include_str!("assets/help.js")),
    ("member.js", SCRIPT, include_str!("assets/member.js")),
    ("page.js", SCRIPT, include_str!("assets/page.js")),
    ("sale.js", SCRIPT, include_str!("assets/sale.js")),
    ("sound.js", SCRIPT, include_str!("assets/sound.js")),
    ("state.js", SCRIPT, include_str!("assets/state.js")),
    ("till.js", SCRIPT, include_str!("assets/till.js")),
    ("tills.js", SCRIPT, include_str!("assets/tills.js")),
    ("today.js", SCRIPT, include_str!("assets/today.js")),
    ("tools.js", SCRIPT, include_str!("assets/tools.js")),
    ("turned.js", SCRIPT, include_str!("assets/turned.js")),
    ("style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
];

/// The local API for whoever writes a program for it: OpenAPI 3.1.
pub(super) const OPENAPI: &str = include_str!("assets/openapi.json");

/// The language that a page is asked for in.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    lang: Option<String>,
}

pub(super) async fn cashier() -> Html<&'static str> {
    Html(include_str!("assets/cashier.html"))
}

pub(super) async fn customer() -> Html<&'static str> {
    Html(include_str!("assets/customer.html"))
}

/// The guide of one page; in the shop's language where none is asked for.
pub(super) async fn help(State(app): State<App>, Query(asked): Query<Asked>) -> Html<&'static str> {
    let language = match asked.lang.as_deref() {
        Some("en") => Language::English,
        Some("fr") => Language::French,
        Some(_) | None => app.service.settings().language,
    };
    Html(match language {
        Language::French => include_str!("assets/help.fr.html"),
        Language::English => include_str!("assets/help.en.html"),
    })
}

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], OPENAPI).into_response()
}

pub(super) async fn asset(State(app): State<App>, Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(file, _, _)| *file == name) {
        Some((_, kind, text)) => {
            ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "no-cache")], served(kind, text)).into_response()
        }
        None => wrong(404, "error-unknown-path", app.service.texts()),
    }
}

/// What a file is sent as: remarks are for who reads the source, and would be a tenth of what a telephone loads.
fn served(kind: &str, text: &'static str) -> Cow<'static, str> {
    if kind != SCRIPT {
        return Cow::Borrowed(text);
    }
    let code = text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("//"));
    Cow::Owned(code.collect())
}

#[cfg(test)]
mod tests {
    use super::FILES;

    /// All pages with all their words, in bytes.
    const WEIGHT_MAX: usize = 100_000;

    #[test]
    fn pages_and_words_together_are_light() {
        let pages = [
            include_str!("assets/cashier.html"),
            include_str!("assets/customer.html"),
            include_str!("assets/help.fr.html"),
        ];
        let files: usize = FILES.iter().map(|(_, _, text)| text.len()).sum();
        let pages: usize = pages.iter().map(|text| text.len()).sum();
        assert!(files + pages < WEIGHT_MAX, "{files} + {pages} bytes");
    }

    #[test]
    fn no_page_names_another_address_or_holds_code_of_its_own() {
        for (name, _, text) in FILES {
            assert!(!text.contains("http://") && !text.contains("https://"), "{name} names an address");
        }
        for page in [
            include_str!("assets/cashier.html"),
            include_str!("assets/customer.html"),
            include_str!("assets/help.fr.html"),
            include_str!("assets/help.en.html"),
        ] {
            assert!(!page.contains("://") && !page.contains(" style=") && !page.contains("<style"), "{page:.200}");
            assert!(!page.contains("<script>") && !page.contains(" onclick="), "{page:.200}");
        }
    }
}
