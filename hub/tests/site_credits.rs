//! The month's credit from several funders, beyond a budget and once more, by the page as people fill it in; and what it does
//! when something changes after it was asked for.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed unwrap is the test's failure"
)]

use crate::common;

use std::sync::Arc;

use cabas_hub::admin::visit::By;
use cabas_hub::app::App;
use cabas_hub::clock::Clock;
use cabas_hub::config::Config;
use cabas_hub::store::{Lane, RunOrder, STEP_HOUSEHOLDS_MAX, WorkState};
use cabas_hub::works::{self, Job};
use common::Fund;
use common::site::{Client, Person, Program};
use serde_json::{Value, json};

const CITY: &str = "Ville de Lyon";
const PERIOD: &str = "2026-11";
const PATH: &str = "/credits?period=2026-11&source=Contributions&source3=Ville%20de%20Lyon";

/// A fund whose two funders have too little for all; what a run would book.
fn short() -> (Fund, Value) {
    let fund = Fund::example();
    fund.json(&["source", "set", "--name", CITY, "--year", "2026", "--budget-cents", "2700000", "--by", "Ada"]);
    fund.json(&["contribution", "add", "--household", "F001", "--cents", "30000", "--on", "2024-03-05", "--by", "Ada"]);
    let told = preview(&fund, &["Contributions", CITY]);
    (fund, told)
}

fn preview(fund: &Fund, sources: &[&str]) -> Value {
    let sources = sources.iter().flat_map(|source| ["--source", source]);
    fund.json(&["credit", "run", "--period", PERIOD].into_iter().chain(sources).collect::<Vec<_>>())
}

fn ended(program: &Program, work: &Value) -> Value {
    let look = || program.get("/api/works/{work}", &format!("/api/works/{work}")).1;
    let found = (0..400).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(25));
        Some(look()).filter(|value| value["state"] != "open")
    });
    found.unwrap()
}

/// The fields of the form that books, as the page has them.
fn form(page: &str) -> Vec<(String, String)> {
    let (_, form) =
        page.split_once("method=\"post\" action=\"/credits\"").unwrap_or_else(|| panic!("no form in {page}"));
    let form = form.split("</form>").next().unwrap();
    let inputs = form.split("<input type=\"hidden\" name=\"").skip(1);
    let field = |input: &str| {
        let (name, rest) = input.split_once("\" value=\"").unwrap();
        (name.to_owned(), rest.split('"').next().unwrap().to_owned())
    };
    inputs.map(field).filter(|(name, _)| name != "csrf" && name != "once").collect()
}

fn send(client: &mut Client, form: &[(String, String)], typed: &[(&str, &str)]) -> common::http::Answer {
    let hidden = form.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    client.post("/credits", &hidden.chain(typed.iter().copied()).collect::<Vec<_>>())
}

#[test]
fn the_page_takes_several_funders_and_an_agreement_and_keeps_what_was_typed() {
    let (fund, told) = short();
    let hub = fund.serve();
    let (_, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    let (_, mut odile) = Person::add(&fund, &hub, "odile", "admin", None);
    let page = denis.get(PATH).text();
    for part in ["Contributions puis Ville de Lyon", "Il manque", "Accord pour dépasser un budget", "<details open"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let (cents, missing) = (told["cents"].to_string(), told["missing_cents"].as_u64().unwrap());
    let fields = form(&page);
    assert!(fields.contains(&("cents".to_owned(), cents)) && fields.contains(&("source3".to_owned(), CITY.to_owned())));
    for (typed, fault) in [("", "n’ont pas assez pour tous"), ("1,00", "n’ont pas assez"), ("beaucoup", "comme 12,50")]
    {
        let answer = send(&mut denis, &fields, &[("over", typed)]);
        let page = answer.text();
        assert_eq!(answer.status, 422, "{typed}");
        assert!(page.contains(fault) && page.contains("id=\"over-fault\""), "{fault} in {page}");
        assert!(
            page.contains(&format!("name=\"over\" type=\"text\" inputmode=\"decimal\" value=\"{typed}\"")),
            "{page}"
        );
        assert_eq!(form(&page), fields, "the form is there again");
    }
    let page = denis.get("/credits?period=2026-11&source=Ville%20de%20Lyon&source2=Contributions").text();
    assert!(page.contains("Nommez un financeur après les cotisations") && !page.contains("name=\"over\""), "{page}");
    for (query, fault) in [
        ("source=Ville%20de%20Lyon&source2=Ville%20de%20Lyon", "chacun nommé une fois"),
        ("source=Ville%20de%20Lyon&source5=Lion", "n’a pas de budget"),
        ("source2=&source3=", "Donnez le nom du financeur"),
    ] {
        let answer = denis.get(&format!("/credits?period=2026-11&{query}"));
        assert_eq!(answer.status, 422, "{query}");
        assert!(answer.text().contains(fault), "{query}");
    }
    assert_eq!(fund.json(&["status"])["totals"]["credited_cents"], 0);
    // Two people with the same page.
    odile.get(PATH);
    let euros = cabas_hub::admin::fields::typed(missing);
    let answers = [&mut denis, &mut odile].map(|client| send(client, &fields, &[("over", &euros)]));
    assert!(answers.iter().any(|answer| answer.status == 303), "{}", answers[0].text());
    assert!(answers.iter().all(|answer| [303, 409].contains(&answer.status)), "{}", answers[1].text());
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    let work = ended(&program, &json!(1));
    assert_eq!(
        (&work["result"]["credited_cents"], &work["result"]["households"]),
        (&told["cents"], &json!(108)),
        "{work}"
    );
    assert_eq!(program.get("/api/works", "/api/works").1["works"].as_array().unwrap().len(), 1);
    let sources = fund.json(&["source", "list", "--year", "2026"]);
    let over: u64 = sources.as_array().unwrap().iter().filter_map(|source| source["agreed_over_cents"].as_u64()).sum();
    assert_eq!(over, missing, "{sources}");
    assert!(denis.get(PATH).text().contains("Tout est enregistré pour ce mois et ces financeurs"));
    assert!(denis.get("/audit").text().contains(&format!("beyond the budget {missing}")));
    assert_eq!(fund.json(&["verify"])["ok"], true);
}

#[test]
fn households_that_others_credited_are_credited_once_more_only_where_that_is_ticked() {
    let fund = Fund::example();
    fund.json(&["credit", "run", "--period", PERIOD, "--source", CITY, "--book"]);
    let hub = fund.serve();
    let (_, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    let page = denis.get("/credits?period=2026-11&source=Grand%20Lyon").text();
    assert!(page.contains("D’autres financeurs ont déjà donné") && page.contains("name=\"extra\""), "{page}");
    let fields = form(&page);
    let answer = send(&mut denis, &fields, &[]);
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("id=\"extra-fault\"") && answer.text().contains("Nommez-les aussi"));
    assert_eq!(send(&mut denis, &fields, &[("extra", "true")]).status, 303);
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    assert_eq!(ended(&program, &json!(1))["result"]["households"], 108);
    assert_eq!(fund.json(&["verify"])["ok"], true);
}

#[test]
fn another_request_for_a_month_that_is_under_way_finds_it_or_is_refused() {
    let (fund, told) = short();
    let missing = told["missing_cents"].as_u64().unwrap();
    let config = Config { data_dir: fund.data_dir(), listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
    // A command begins the run and its machine goes off after the first step.
    let app = App::open(&config, Clock::System).unwrap();
    let begun = app.store.call_blocking(Lane::Sync, move |tx| {
        let over = Some((cabas_protocol::Cents::new(missing)?, "Bo"));
        let period = PERIOD.parse().unwrap();
        let order = RunOrder { period, sources: &["Contributions", CITY], over, extra: false };
        tx.credit_run(&order, cabas_protocol::Timestamp::new(1_800_000_000))
    });
    assert_eq!(begun.unwrap().households, STEP_HOUSEHOLDS_MAX);
    drop(app);
    let hub = fund.serve();
    let (_, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    let other = denis.get("/credits?period=2026-11&source=Ville%20de%20Lyon").text();
    let here = "/credits?period=2026-11&#38;source=Contributions&#38;source2=Ville%20de%20Lyon";
    assert!(other.contains("Un autre crédit de ce mois a commencé") && other.contains(here), "{other}");
    assert!(!other.contains("method=\"post\" action=\"/credits\""), "{other}");
    let asked = |sources: [&str; 2], cents: u64| {
        let body = json!({ "period": PERIOD, "source": sources[0], "source2": sources[1], "cents": cents });
        program.post("/api/credits", "/api/credits", None, &body)
    };
    let (status, why) = asked([CITY, ""], 1);
    assert_eq!((status, why["reason"].as_str().unwrap().contains("finish it first")), (409, true), "{why}");
    let all = told["cents"].as_u64().unwrap();
    assert_eq!(asked(["Contributions", CITY], all + 1).0, 409, "another sum than was fixed");
    let page = denis.get(PATH).text();
    assert!(page.contains("n’est pas terminé") && page.contains("Terminer\u{a0}: créditer"), "{page}");
    let rest =
        program.get("/api/credits", "/api/credits?period=2026-11&source=Contributions&source2=Ville%20de%20Lyon").1;
    let open = &rest["open"];
    assert_eq!((&open["cents"], &open["waiting_cents"]), (&told["cents"], &rest["plan"]["to_book_cents"]), "{open}");
    let fields = form(&page);
    assert_eq!(send(&mut denis, &fields, &[]).status, 303, "what was agreed to stands");
    assert_eq!(ended(&program, &json!(1))["result"]["credited_cents"], told["cents"]);
    assert_eq!(fund.json(&["verify"])["ok"], true);
}

#[test]
fn what_changes_after_a_run_was_asked_for_changes_nothing_of_it_and_a_household_that_leaves_stops_it() {
    let fund = Fund::example();
    let config = Config { data_dir: fund.data_dir(), listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
    let shown = preview(&fund, &[CITY]);
    let codes: Vec<_> = shown["lines"].as_array().unwrap().iter().rev().map(|line| line["household"].clone()).collect();
    let app = App::open(&config, Clock::System).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ask = |period: &'static str| {
        let held = Arc::clone(&app);
        app.store.call_blocking(Lane::Sync, move |tx| {
            let order = RunOrder { period: period.parse().unwrap(), sources: &[CITY], over: None, extra: false };
            let run = tx.credit_begin(&order, held.clock.now())?.unwrap();
            let by = By { who: "claire".to_owned(), now: held.clock.now() };
            Job::credit(&tx.credit_run_view(run)?).ask(&held, tx, None, &by)
        })
    };
    let work = ask(PERIOD).unwrap();
    // Between the yes and the first step.
    let rule =
        ["rule", "set", "--from", PERIOD, "--first-cents", "99900", "--further-cents", "1", "--child-cents", "1"];
    let refused = fund.run(&[&rule[..], &["--by", "Ada"]].concat());
    assert!(!refused.status.success(), "{refused:?}");
    fund.json(&["household", "change", codes[0].as_str().unwrap(), "--size", "9", "--children-under-14", "0"]);
    while runtime.block_on(works::further(&app)).unwrap() {}
    let done = app.store.call_blocking(Lane::Sync, move |tx| tx.work(work)).unwrap().unwrap();
    let result: Value = serde_json::from_str(&done.result.unwrap()).unwrap();
    assert_eq!((&result["credited_cents"], done.state), (&shown["cents"], WorkState::Done), "just what was shown");

    let work = ask("2026-12").unwrap();
    assert!(runtime.block_on(works::further(&app)).unwrap());
    fund.json(&["household", "leave", codes[1].as_str().unwrap()]);
    while runtime.block_on(works::further(&app)).unwrap() {}
    drop(app);
    let hub = fund.serve();
    let (_, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    let page = denis.get(&format!("/works/{work}")).text();
    assert!(page.contains("Rien de plus n’a été enregistré\u{a0}: regardez de nouveau"), "{page}");
    let path = "/credits?period=2026-12&source=Ville%20de%20Lyon";
    let fields = form(&denis.get(path).text());
    assert!(fields.contains(&("households".to_owned(), (107 - STEP_HOUSEHOLDS_MAX).to_string())), "{fields:?}");
    assert_eq!(send(&mut denis, &fields, &[]).status, 303);
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    assert_eq!(ended(&program, &json!(work + 1))["state"], "done");
    assert_eq!(fund.json(&["verify"])["ok"], true);
}
