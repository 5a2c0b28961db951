//! Pages, metrics and health over HTTP.
#![allow(clippy::integer_division, clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use crate::common;

use cabas_hub::config::{AdminPage, Config, Site};
use common::site::Person;
use common::terminal::Terminal;
use common::{Fund, http};

#[test]
fn the_metrics_are_for_this_machine_under_its_own_name_and_so_is_the_site_where_that_is_asked_for() {
    let fund = Fund::example();
    let hub = fund.serve_with(|config: Config| Config { site: Site::Loopback, ..config });
    for path in ["/login", "/login?lang=en", "/metrics"] {
        assert_eq!(http::get(hub.address, path, "localhost:7400").status, 200, "{path}");
        assert_eq!(http::get(hub.address, path, &hub.address.to_string()).status, 200, "{path}");
        // What a page of another site in the admin's browser would send (DNS rebinding).
        assert_eq!(http::get(hub.address, path, "evil.example").status, 404, "{path}");
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        assert_eq!(http::exchange(hub.address, request.as_bytes()).status, 404, "{path} without a Host");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
        assert_eq!(http::exchange(hub.address, request.as_bytes()).status, 404, "{path} through a proxy");
    }
    let open = fund.serve();
    assert_eq!(http::get(open.address, "/login", "hub.example.org").status, 200);
    assert_eq!(http::get(open.address, "/metrics", "hub.example.org").status, 404);
}

#[test]
fn the_pages_can_be_switched_off() {
    let fund = Fund::example();
    let off = |config: Config| Config { site: Site::Off, metrics: AdminPage::Off, ..config };
    let hub = fund.serve_with(off);
    for path in ["/", "/login", "/nowhere", "/metrics"] {
        assert_eq!(http::get(hub.address, path, "localhost").status, 404, "{path}");
    }
    assert_eq!(http::get(hub.address, "/health", "localhost").status, 200);
}

#[test]
fn a_page_runs_nothing_of_others_and_escapes_names() {
    let fund = Fund::example();
    let hub = fund.serve();
    assert_eq!(http::get(hub.address, "/", "localhost").header("location").as_deref(), Some("/login"));
    let page = http::get(hub.address, "/login", "localhost");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("x-content-type-options").as_deref(), Some("nosniff"));
    assert_eq!(page.header("cache-control").as_deref(), Some("no-store"));
    let text = page.text();
    assert!(text.contains("Fonds &#60;b&#62;d&#39;essai&#60;/b&#62;") && !text.contains("<b>"), "{text}");
    assert!(text.contains("<html lang=\"fr\">"));
    assert!(http::get(hub.address, "/login?lang=en", "localhost").text().contains("<html lang=\"en\">"));
    assert_eq!(
        http::get(hub.address, "/style.css", "localhost").header("content-type").unwrap(),
        "text/css; charset=utf-8"
    );
}

#[test]
fn terminals_and_totals_are_shown() {
    let fund = Fund::example();
    fund.json(&["credit", "run", "--period", "2026-11", "--source", "ville", "--book"]);
    let code = fund.code("biocoop-bachut");
    fund.code("boulangerie-levain");
    let hub = fund.serve();
    let mut terminal = Terminal::enrol(&hub, &code, 1);
    terminal.sync(&hub, 0);
    let credited = fund.json(&["status"])["totals"]["credited_cents"].as_u64().unwrap();
    let euros =
        format!("€{},{:03}.{:02}", credited.div_euclid(100_000), credited.div_euclid(100) % 1_000, credited % 100);
    let (_, mut admin) = Person::add(&fund, &hub, "claire", "admin", None);
    let page = admin.get("/dashboard?lang=en").text() + &admin.get("/terminals").text();
    for shown in ["Biocoop du Bachut", "Au Levain du Huitième", "never enrolled", "less than a minute ago", &euros] {
        assert!(page.contains(shown), "{shown} is missing in {page}");
    }
    let metrics = http::get(hub.address, "/metrics", "localhost").text();
    for line in [
        "cabas_hub_terminals{standing=\"live\"} 1",
        "cabas_hub_terminals{standing=\"new\"} 1",
        "cabas_hub_refused_unasked 3",
        "cabas_hub_sync_seconds_count 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in {metrics}");
    }
    assert!(metrics.ends_with("# EOF\n"));
}

#[test]
fn health_is_told_and_a_ledger_that_cannot_be_written_is_ill() {
    let fund = Fund::example();
    let hub = fund.serve();
    let health = http::get(hub.address, "/health", "hub.example.org");
    assert_eq!(health.status, 200);
    let told: serde_json::Value = serde_json::from_slice(&health.body).unwrap();
    assert_eq!(told["ok"], true);
    assert_eq!(told["database_writable"], true);
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));

    let lock = rusqlite::Connection::open(fund.data_dir().join("hub.db")).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let health = http::get(hub.address, "/health", "localhost");
    assert_eq!(health.status, 503);
    assert!(health.text().contains("\"ok\":false"));
    lock.execute_batch("ROLLBACK").unwrap();
    assert_eq!(http::get(hub.address, "/health", "localhost").status, 200);
}
