//! The files of the pages, inside the program: they work with no network, and nothing else is ever fetched.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{Html, IntoResponse as _, Response};

use super::App;
use super::error::wrong;

const FILES: [(&str, &str, &str); 5] = [
    ("cashier.js", "text/javascript; charset=utf-8", include_str!("assets/cashier.js")),
    ("customer.js", "text/javascript; charset=utf-8", include_str!("assets/customer.js")),
    ("page.js", "text/javascript; charset=utf-8", include_str!("assets/page.js")),
    ("today.js", "text/javascript; charset=utf-8", include_str!("assets/today.js")),
    ("style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
];

pub(super) async fn cashier() -> Html<&'static str> {
    Html(include_str!("assets/cashier.html"))
}

pub(super) async fn customer() -> Html<&'static str> {
    Html(include_str!("assets/customer.html"))
}

pub(super) async fn asset(State(app): State<App>, Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(file, _, _)| *file == name) {
        Some((_, kind, text)) => {
            ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "no-cache")], *text).into_response()
        }
        None => wrong(404, "error-unknown-path", app.service.texts()),
    }
}
