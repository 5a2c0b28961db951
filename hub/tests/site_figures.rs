//! The pages for watching and evaluation: dashboard, figures by month, evaluation, anomalies.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a failed unwrap is the test's failure"
)]

use crate::common;

use cabas_hub::calendar::Calendar;
use cabas_hub::core::period::Period;
use cabas_protocol::SignedBalance;
use cabas_protocol::objects::Binding;
use common::site::{Client, Person, Program};
use common::terminal::Terminal;
use common::{Fund, Hub};
use serde_json::{Value, json};

const SHOP: &str = "biocoop-bachut";
/// The first card of the example fund.
const UID: &str = "04856e8a295022";
const SOURCE: &str = "Ville de Lyon €";

/// A terminal that has sold once, and the balance that it sold under.
fn sell(fund: &Fund, hub: &Hub, cents: u64) -> (Terminal, SignedBalance) {
    let mut terminal = Terminal::enrol(hub, &fund.code(SHOP), 1);
    let (card, mut objects, mut found) = (fund.card(UID), Vec::new(), None);
    for _ in 0..20 {
        objects.extend(terminal.sync(hub, 1_000).objects.iter().map(|object| object.to_vec()));
        let binding = terminal.of_type::<Binding>(&objects).into_iter().find(|binding| binding.card == card);
        let balances = terminal.of_type::<SignedBalance>(&objects).into_iter();
        found = binding.and_then(|binding| {
            balances.filter(|balance| balance.purse == binding.purse).max_by_key(|balance| balance.serial)
        });
        if found.as_ref().is_some_and(|balance| balance.allowed.get() >= cents) {
            break;
        }
    }
    let balance = found.unwrap();
    terminal.write_sale(card, &balance, cents, cents);
    terminal.sync(hub, 0);
    (terminal, balance)
}

fn credited() -> Fund {
    let fund = Fund::example();
    fund.json(&["credit", "run", "--period", "2026-11", "--source", SOURCE, "--book"]);
    fund
}

/// This month, and those before it.
fn month(hub: &Hub, before: i64) -> Period {
    Calendar::system().month_of(hub.app.clock.now()).plus(-before).unwrap()
}

fn text(client: &mut Client, path: &str) -> String {
    let answer = client.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.text()
}

#[test]
fn the_dashboard_says_what_was_credited_and_spent_by_month_and_what_is_to_be_done() {
    let fund = credited();
    let hub = fund.serve();
    sell(&fund, &hub, 1_250);
    let (_, mut admin) = Person::add(&fund, &hub, "claire", "admin", None);
    let page = text(&mut admin, "/dashboard?lang=fr");
    let number = month(&hub, 0).to_string();
    let number = format!("{}/{}", &number[5..], &number[..4]);
    for said in [
        "Rien ne demande votre attention.",
        "12,50\u{a0}€",
        "soit 0,0\u{a0}% du seuil",
        "<meter min=\"0\" max=\"100000000\" low=\"50000000\" high=\"80000000\" optimum=\"0\" value=\"1250\"",
        &format!("<title>{number}, magasin bio: 12,50\u{a0}€</title>"),
        &format!("<th scope=\"row\">{number}</th>"),
        SOURCE,
        "id=\"plot-owed-title\"",
    ] {
        assert!(page.contains(said), "{said} is missing in {page}");
    }
    assert!(!page.contains("bakery") && !page.contains("F001"), "{page}");
    // Two days without a call: the terminal is in the list, with the page where it is seen to.
    hub.pass(2 * 86_400);
    let (_, mut admin) = Person::add(&fund, &hub, "denis", "admin", None);
    let page = text(&mut admin, "/dashboard?lang=en");
    let stale = "<a href=\"/terminals\">Terminals without contact for a day or more</a> – <strong>1</strong>";
    assert!(page.contains(stale), "{page}");
    assert!(page.contains("<title>") && page.contains("organic store: €12.50"), "{page}");
}

#[test]
fn an_evaluator_is_shown_figures_and_no_link_that_does_not_open() {
    let fund = credited();
    let hub = fund.serve();
    sell(&fund, &hub, 1_250);
    hub.pass(2 * 86_400);
    let (_, mut evaluator) = Person::add(&fund, &hub, "eva", "evaluator", None);
    let page = text(&mut evaluator, "/dashboard");
    assert!(page.contains("12,50\u{a0}€") && !page.contains("sans contact"), "{page}");
    let program = Program::add(&fund, &hub, "eva-program", "evaluator", None);
    let (status, board) = program.get("/api/dashboard", "/api/dashboard");
    assert_eq!((status, &board["actions"]), (200, &json!([])));
    let treasurer = Program::add(&fund, &hub, "paul-program", "treasurer", None);
    let (_, board) = treasurer.get("/api/dashboard", "/api/dashboard");
    assert_eq!(board["actions"][0]["kind"], "stale_terminal");
    assert_eq!(board["actions"][0]["page"], "/terminals");
    for (name, role) in [("eva", "evaluator"), ("paul", "treasurer"), ("ada", "admin")] {
        let (_, mut client) = if name == "eva" {
            Person::add(&fund, &hub, "eve", role, None)
        } else {
            Person::add(&fund, &hub, name, role, None)
        };
        for from in ["/dashboard", "/figures", "/figures/evaluation"] {
            let page = text(&mut client, from);
            let links = page.split("href=\"/").skip(1).filter_map(|part| part.split(['"', '#']).next());
            for link in links.map(|link| format!("/{}", link.replace("&amp;", "&").replace("&#38;", "&"))) {
                let answer = client.get(&link);
                assert_eq!(answer.status, 200, "{role} on {from}: {link}");
            }
        }
    }
}

#[test]
fn the_sums_of_the_dashboard_are_those_of_the_command_line_and_of_the_months() {
    let fund = credited();
    let hub = fund.serve();
    let (mut terminal, _) = sell(&fund, &hub, 1_250);
    let program = Program::add(&fund, &hub, "office", "admin", None);
    let (_, board) = program.get("/api/dashboard", "/api/dashboard");
    let status = fund.json(&["status"]);
    assert_eq!(board["totals"], status["totals"]);
    assert_eq!(board["months"], fund.json(&["report", "months"]));
    let near = fund.json(&["report", "thresholds"]);
    for part in ["limit_cents", "volume", "outstanding", "alert_percent"] {
        assert_eq!(board["thresholds"][part], near[part], "{part}");
    }
    let sum: u64 = board["exposure"].as_object().unwrap().values().map(|cents| cents.as_u64().unwrap()).sum();
    assert_eq!(board["exposure_cents"], sum);
    // What is asked for again is read again.
    terminal.sync(&hub, 0);
    fund.json(&["credit", "run", "--period", "2026-12", "--source", SOURCE, "--book"]);
    fund.json(&["token", "add", "--name", "another", "--role", "admin"]);
    let other = Program::add(&fund, &hub, "third", "admin", None);
    other.post("/api/works/verify", "/api/works/verify", None, &json!({}));
    let (_, later) = other.get("/api/dashboard", "/api/dashboard");
    assert_eq!(later["totals"]["credited_cents"], fund.json(&["status"])["totals"]["credited_cents"]);
    assert_ne!(later["totals"]["credited_cents"], board["totals"]["credited_cents"]);
    fund.json(&["verify"]);
}

#[test]
fn figures_are_shown_drawn_and_given_as_a_file_for_the_months_that_were_chosen() {
    let fund = credited();
    let hub = fund.serve();
    sell(&fund, &hub, 1_250);
    let (_, mut treasurer) = Person::add(&fund, &hub, "paul", "treasurer", None);
    let (this, before) = (month(&hub, 0), month(&hub, 1));
    let page = text(&mut treasurer, "/figures?lang=fr");
    assert!(page.contains(&format!("value=\"{this}\"")) && page.contains("Dépensé en magasin"), "{page}");
    assert!(page.contains("magasin bio: 12,50"), "{page}");
    let page = text(&mut treasurer, &format!("/figures?from={this}&to={this}&what=credited&lang=en"));
    assert!(page.contains(&format!("{SOURCE}: €")) && page.contains("value=\"credited\" selected"), "{page}");
    let page = text(&mut treasurer, &format!("/figures?from={before}&to={before}"));
    assert!(page.contains("Nothing to show for these months."), "{page}");
    for (query, field) in [
        ("from=hier", "from"),
        ("from=2026-05&to=2026-04", "to"),
        ("from=2020-01&to=2031-01", "to"),
        ("to=2026-13", "to"),
    ] {
        for path in ["/figures", "/figures/file"] {
            let answer = treasurer.get(&format!("{path}?{query}"));
            assert_eq!(answer.status, 422, "{path}?{query}");
            let page = answer.text();
            assert!(page.contains(&format!("href=\"#{field}\"")), "{query}: {page}");
        }
    }
    let answer = treasurer.get(&format!("/figures/file?from={before}&to={this}"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type").unwrap(), "text/csv; charset=utf-8");
    let name = format!("attachment; filename=\"cabas-figures-{before}-{this}.csv\"");
    assert_eq!(answer.header("content-disposition").unwrap(), name);
    let file = answer.text();
    let mut lines = file.lines();
    assert!(lines.next().unwrap().starts_with("month;source;shop_kind;paid_in_cents;paid_back_cents;credited_cents;"));
    assert!(file.contains(&format!("{this};;organic-store;;;;;;;1;1250;0;0;0;0;1250;0\n")), "{file}");
    let all = file.lines().last().unwrap();
    let credited = fund.json(&["status"])["totals"]["credited_cents"].clone();
    assert_eq!(all, format!("{this};(all);(all);0;0;{credited};0;0;0;1;1250;0;0;0;0;1250;0"));
    assert!(!file.contains("F001"), "{file}");
    let program = Program::add(&fund, &hub, "eva", "evaluator", None);
    let (status, shown) = program.get("/api/figures", &format!("/api/figures?from={before}&to={this}"));
    assert_eq!((status, &shown["months"]), (200, &fund.json(&["report", "months"])["months"]));
    let (status, refused) = program.get("/api/figures", "/api/figures?from=2026-05&to=2026-04");
    assert_eq!((status, &refused["fields"][0]["field"]), (422, &json!("to")));
}

#[test]
fn an_evaluation_is_shown_with_what_is_hidden_and_given_as_the_same_lines() {
    let fund = credited();
    let hub = fund.serve();
    sell(&fund, &hub, 1_250);
    let bought = month(&hub, 0);
    let program = Program::add(&fund, &hub, "eva", "evaluator", None);
    let asked = format!("/api/figures/evaluation?from={bought}&to={bought}");
    let (status, refused) = program.get("/api/figures/evaluation", &asked);
    assert_eq!((status, &refused["fields"][0]["field"]), (422, &json!("to")), "the month is not over");
    let (eve, _) = Person::add(&fund, &hub, "eve", "evaluator", None);
    hub.pass(40 * 86_400);
    let mut evaluator = eve.login(&hub);
    let (status, table) = program.get("/api/figures/evaluation", &asked);
    assert_eq!(status, 200, "{table}");
    let lines = table["lines"].as_array().unwrap();
    let is_hidden = |line: &&Value| line["hidden"] == "yes" && line["households"].is_null() && line["cents"].is_null();
    assert_eq!((table["hidden"].as_u64().unwrap(), lines.iter().filter(is_hidden).count()), (66, 66), "{table}");
    let page = text(&mut evaluator, &format!("/figures/evaluation?from={bought}&to={bought}"));
    assert_eq!(page.matches(">masqué</td>").count(), 66, "{page}");
    for said in ["moins de 5 foyers", "épicerie solidaire", "Cases masquées\u{a0}: 66", "5 et plus"] {
        assert!(page.contains(said), "{said} is missing in {page}");
    }
    assert!(!page.contains("12,50"), "{page}");
    let answer = evaluator.get(&format!("/figures/evaluation/file?from={bought}&to={bought}"));
    assert_eq!(answer.header("content-type").unwrap(), "text/csv; charset=utf-8");
    let file = answer.text();
    assert_eq!(file.lines().next(), Some("month;shop_kind;household_size;households;purchases;cents;hidden"));
    assert_eq!(file.lines().filter(|line| line.ends_with(";;;;yes")).count(), 66, "{file}");
    let this = month(&hub, 0);
    for query in [format!("from={this}&to={this}"), "from=2026-02&to=2026-01".to_owned(), "from=x".to_owned()] {
        for path in ["/figures/evaluation", "/figures/evaluation/file"] {
            assert_eq!(evaluator.get(&format!("{path}?{query}")).status, 422, "{path}?{query}");
        }
    }
}

#[test]
fn rows_that_are_not_paid_are_listed_and_lead_to_their_page() {
    let fund = credited();
    let hub = fund.serve();
    let (mut terminal, balance) = sell(&fund, &hub, 1_250);
    let (mut admin, program) =
        (Person::add(&fund, &hub, "claire", "admin", None).1, Program::add(&fund, &hub, "office", "admin", None));
    let page = text(&mut admin, "/evidence");
    assert!(page.contains("Toutes les lignes sont payées en entier."), "{page}");
    // The same cents of the counter once more.
    terminal.write_sale(fund.card(UID), &balance, 500, 1_250);
    terminal.sync(&hub, 0);
    let (status, evidence) = program.get("/api/evidence", "/api/evidence");
    assert_eq!(status, 200);
    assert_eq!((&evidence["rows"][0]["terminal"], &evidence["proofs"]), (&json!(1), &json!([])));
    assert_eq!(evidence["rows"][0]["settled_cents"], 0);
    let rows = fund.json(&["report", "rows"]);
    assert_eq!(evidence["rows"].as_array().unwrap().len(), rows.as_array().unwrap().len());
    let (_, board) = program.get("/api/dashboard", "/api/dashboard");
    assert_eq!((&board["actions"][0]["page"], &board["actions"][0]["count"]), (&json!("/evidence"), &json!(1)));
    assert!(text(&mut admin, "/dashboard").contains("<a href=\"/evidence\">"));
    fund.json(&["verify"]);
}

#[test]
fn figures_are_read_while_somebody_else_writes() {
    let fund = credited();
    let hub = fund.serve();
    let lock = rusqlite::Connection::open(fund.data_dir().join("hub.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let read = async { tokio::join!(hub.app.site.watch.board(&hub.app), hub.app.site.watch.evaluated(&hub.app)) };
    let limit = std::time::Duration::from_secs(8);
    let (board, evaluated) = runtime.block_on(async { tokio::time::timeout(limit, read).await }).unwrap();
    assert!(board.unwrap().overview.totals.credited_cents > 0);
    assert_eq!(evaluated.unwrap().kinds.len(), 10);
    lock.execute_batch("ROLLBACK").unwrap();
}
