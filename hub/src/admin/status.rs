//! `/`: the status page. French first; `?lang=en` for English.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use cabas_protocol::Timestamp;
use serde::Deserialize;

use super::html::Text;
use super::overview::{self, Overview, TerminalLine, Totals};
use super::{guard, html};
use crate::app::App;
use crate::config::AdminPage;
use crate::store::Lane;

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%;margin:1rem 0}
th,td{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #bbb;vertical-align:top}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
.look{font-weight:bold;color:#8a1c00}
a{color:#0b4f8a}
";

/// What a page asks for.
#[derive(Debug, Deserialize)]
pub struct Asked {
    lang: Option<String>,
}

/// The status page, to this machine.
pub async fn page(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    if app.admin_page == AdminPage::Off || !guard::is_loopback(peer, &headers) {
        return html::not_here();
    }
    let words = if asked.lang.as_deref() == Some("en") { &ENGLISH } else { &FRENCH };
    let now = app.clock.now();
    match app.store.call(Lane::Sync, |tx| overview::read(tx)).await {
        Ok(overview) => {
            let shown = render(words, &overview, now).unwrap_or_default();
            html::response(StatusCode::OK, HTML, shown)
        }
        Err(error) => {
            tracing::error!(%error, "the status page cannot be read");
            html::response(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", words.failed.to_owned())
        }
    }
}

/// The page's style.
pub async fn style() -> Response {
    html::response(StatusCode::OK, "text/css; charset=utf-8", STYLE.to_owned())
}

struct Words {
    lang: &'static str,
    other_lang: &'static str,
    other_name: &'static str,
    title: &'static str,
    totals: &'static str,
    sums: [&'static str; 8],
    terminals: &'static str,
    none: &'static str,
    columns: [&'static str; 6],
    standings: [(&'static str, &'static str); 5],
    never: &'static str,
    ago: [&'static str; 4],
    alarms: [(&'static str, &'static str); 8],
    failed: &'static str,
}

const FRENCH: Words = Words {
    lang: "fr",
    other_lang: "en",
    other_name: "English",
    title: "État du fonds",
    totals: "Sommes",
    sums: [
        "Crédité aux foyers",
        "Libre au fonds",
        "Réservé aux terminaux",
        "Dépensé en magasin",
        "Dû aux magasins",
        "Clos, en attente de la banque",
        "Hors droit (non payé)",
        "Lignes contestées",
    ],
    terminals: "Terminaux",
    none: "Aucun terminal. Ajoutez-en un : cabas-hub terminal add --shop CODE",
    columns: ["N°", "Magasin", "État", "Dernier contact", "Lignes reçues", "À regarder"],
    standings: [
        ("new", "jamais inscrit"),
        ("live", "actif"),
        ("quarantined", "en quarantaine"),
        ("revoked", "révoqué"),
        ("closed", "fermé"),
    ],
    never: "jamais",
    ago: ["il y a moins d'une minute", "il y a {} min", "il y a {} h", "il y a {} j"],
    alarms: [
        ("fork", "le journal a deux suites : réinscrire le terminal"),
        ("gap", "il manque des lignes au journal : réinscrire le terminal"),
        ("over_right", "ventes hors droit"),
        ("future_incarnation", "lignes d'une vie ultérieure du serveur"),
        ("not_authentic", "lignes non authentiques reçues"),
        ("not_split_by_the_grid", "ventes non réparties selon la grille"),
        ("not_proven_by_the_card", "ventes que la carte ne prouve pas"),
        ("copied_card", "carte peut-être copiée : cabas-hub card copies"),
    ],
    failed: "La base de données ne répond pas. Voir le journal du serveur.\n",
};

const ENGLISH: Words = Words {
    lang: "en",
    other_lang: "fr",
    other_name: "Français",
    title: "State of the fund",
    totals: "Sums",
    sums: [
        "Credited to households",
        "Free at the hub",
        "Reserved for terminals",
        "Spent in shops",
        "Owed to shops",
        "Closed, bank to confirm",
        "Over-right (not paid)",
        "Disputed rows",
    ],
    terminals: "Terminals",
    none: "No terminal. Add one: cabas-hub terminal add --shop CODE",
    columns: ["No.", "Shop", "Standing", "Last contact", "Rows received", "To look at"],
    standings: [
        ("new", "never enrolled"),
        ("live", "live"),
        ("quarantined", "quarantined"),
        ("revoked", "revoked"),
        ("closed", "closed"),
    ],
    never: "never",
    ago: ["less than a minute ago", "{} min ago", "{} h ago", "{} days ago"],
    alarms: [
        ("fork", "the journal has two futures: enrol the terminal again"),
        ("gap", "rows are missing from the journal: enrol the terminal again"),
        ("over_right", "over-right sales"),
        ("future_incarnation", "rows of a later life of the hub"),
        ("not_authentic", "rows came that are not authentic"),
        ("not_split_by_the_grid", "sales not split as the grid says"),
        ("not_proven_by_the_card", "sales not proven by the card"),
        ("copied_card", "a card may have been copied: cabas-hub card copies"),
    ],
    failed: "The database does not answer. See the hub's log.\n",
};

fn word<'w>(words: &'w [(&'static str, &'static str)], name: &'w str) -> &'w str {
    words.iter().find(|(key, _)| *key == name).map_or(name, |(_, text)| text)
}

fn render(words: &Words, overview: &Overview, now: Timestamp) -> Result<String, std::fmt::Error> {
    let mut page = String::with_capacity(4096);
    let (lang, title, name) = (words.lang, words.title, Text(&overview.name));
    write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"{lang}\"><head><meta charset=\"utf-8\"><title>{title}: {name}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/style.css\"></head>\n\
         <body><p><a href=\"/?lang={0}\" hreflang=\"{0}\" lang=\"{0}\">{1}</a></p><h1>{title}: {name}</h1>\n",
        words.other_lang, words.other_name
    )?;
    sums(&mut page, words, overview)?;
    writeln!(page, "<h2>{}</h2>", words.terminals)?;
    if overview.terminals.is_empty() {
        writeln!(page, "<p>{}</p>", Text(words.none))?;
    } else {
        terminals(&mut page, words, &overview.terminals, now)?;
    }
    page.push_str("</body></html>\n");
    Ok(page)
}

fn sums(page: &mut String, words: &Words, overview: &Overview) -> std::fmt::Result {
    let Totals { credited_cents, free_cents, reserved_cents, spent_cents, owed_cents, in_transit_cents } =
        overview.totals;
    let euros = |cents| euros(words, cents);
    let values = [
        euros(credited_cents),
        euros(free_cents),
        euros(reserved_cents),
        euros(spent_cents),
        euros(owed_cents),
        euros(in_transit_cents),
        euros(overview.over_right_cents),
        overview.disputed_rows.to_string(),
    ];
    writeln!(page, "<h2>{}</h2>\n<table>", words.totals)?;
    for (name, value) in words.sums.iter().zip(values) {
        writeln!(page, "<tr><th scope=\"row\">{name}</th><td class=\"number\">{value}</td></tr>")?;
    }
    writeln!(page, "</table>")
}

fn terminals(page: &mut String, words: &Words, lines: &[TerminalLine], now: Timestamp) -> std::fmt::Result {
    page.push_str("<table>\n<tr>");
    for column in words.columns {
        write!(page, "<th scope=\"col\">{column}</th>")?;
    }
    page.push_str("</tr>\n");
    for line in lines {
        let standing = word(&words.standings, line.standing);
        let seen = line.last_contact_at.map_or(words.never.to_owned(), |at| ago(words, now.get().saturating_sub(at)));
        let rows = line.acked_seq.map_or(String::new(), |seq| seq.to_string());
        let look = line.alarms.iter().map(|alarm| format!("{} ({})", word(&words.alarms, alarm.kind), alarm.count));
        let look = look.collect::<Vec<_>>().join("; ");
        let class = if line.standing == "quarantined" { " class=\"look\"" } else { "" };
        writeln!(
            page,
            "<tr><td>{}</td><td>{} ({})</td><td{class}>{}</td><td>{}</td><td>{}</td><td class=\"look\">{}</td></tr>",
            line.terminal,
            Text(&line.shop_name),
            Text(&line.shop),
            Text(standing),
            Text(&seen),
            rows,
            Text(&look)
        )?;
    }
    page.push_str("</table>\n");
    Ok(())
}

/// Whole cents as people read them.
#[expect(clippy::integer_division, reason = "euros and cents are a quotient and a rest")]
fn euros(words: &Words, cents: u64) -> String {
    let (euros, rest) = (cents / 100, cents % 100);
    if words.lang == "fr" { format!("{euros},{rest:02}\u{a0}€") } else { format!("€{euros}.{rest:02}") }
}

#[expect(clippy::integer_division, reason = "whole minutes, hours and days")]
fn ago(words: &Words, seconds: u64) -> String {
    let [now, minutes, hours, days] = words.ago;
    let (text, number) = match seconds {
        0..60 => (now, 0),
        60..3_600 => (minutes, seconds / 60),
        3_600..172_800 => (hours, seconds / 3_600),
        _ => (days, seconds / 86_400),
    };
    text.replace("{}", &number.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::admin::overview::AlarmLine;

    fn overview(name: &str) -> Overview {
        let line = TerminalLine {
            terminal: 3,
            shop: "s1".into(),
            shop_name: name.into(),
            standing: "quarantined",
            epoch: Some(1),
            acked_seq: Some(42),
            backed_up_seq: Some(0),
            last_contact_at: Some(1_000_000),
            quarantine: Some("its journal has two futures (fork)".into()),
            program: Some("0.1.0".into()),
            hot_list: Some(1),
            refused_unfunded: Some(0),
            alarms: vec![AlarmLine { kind: "fork", count: 2, last_at: 1 }],
            code_expires_at: None,
        };
        Overview {
            fund_id: 1,
            name: name.into(),
            incarnation: 1,
            root_key: String::new(),
            terminals: vec![line],
            totals: Totals {
                credited_cents: 123_456,
                free_cents: 5,
                reserved_cents: 0,
                spent_cents: 0,
                owed_cents: 0,
                in_transit_cents: 0,
            },
            over_right_cents: 0,
            disputed_rows: 7,
            restore: None,
        }
    }

    #[test]
    fn the_page_speaks_french_and_english() {
        let now = Timestamp::new(1_000_000 + 7_200);
        let french = render(&FRENCH, &overview("L'Œuf"), now).unwrap();
        for shown in
            ["lang=\"fr\"", "1234,56\u{a0}€", "0,05\u{a0}€", "il y a 2 h", "en quarantaine", "deux suites", "42"]
        {
            assert!(french.contains(shown), "{shown} is missing in {french}");
        }
        let english = render(&ENGLISH, &overview("L'Œuf"), now).unwrap();
        for shown in ["lang=\"en\"", "€1234.56", "2 h ago", "quarantined", "two futures", "(2)"] {
            assert!(english.contains(shown), "{shown} is missing in {english}");
        }
    }

    #[test]
    fn a_name_cannot_become_markup() {
        let page = render(&FRENCH, &overview("<script>alert(1)</script>"), Timestamp::new(0)).unwrap();
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn every_standing_and_alarm_has_words() {
        for words in [&FRENCH, &ENGLISH] {
            assert_eq!(words.standings.map(|(name, _)| name), overview::STANDINGS);
            assert_eq!(words.alarms.map(|(name, _)| name), overview::ALARMS);
        }
    }
}
