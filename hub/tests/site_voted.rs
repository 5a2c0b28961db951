//! What is voted, the month's credit, and what two logins decide: by the pages and by programs.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a failed unwrap is the test's failure"
)]

use crate::common;

use std::sync::Arc;

use cabas_hub::admin::fields::this_month;
use cabas_hub::admin::visit::By;
use cabas_hub::app::App;
use cabas_hub::clock::Clock;
use cabas_hub::config::Config;
use cabas_hub::core::period::Period;
use cabas_hub::store::{Lane, RunOrder, STEP_HOUSEHOLDS_MAX};
use cabas_hub::works::{self, Job};
use common::site::{Client, Person, Program};
use common::terminal::Terminal;
use common::{Fund, Hub};
use serde_json::{Value, json};

const SOURCE: &str = "Ville de Lyon";
const SHOP: &str = "biocoop-bachut";
/// What the example's 108 households are credited in a month.
const HOUSEHOLDS: u64 = 108;

/// So many months from the one that it is.
fn month(hub: &Hub, from_now: i64) -> String {
    let month: Period = this_month(hub.app.clock.now()).unwrap();
    month.plus(from_now).unwrap().to_string()
}

/// Waits until a work has ended.
fn ended(program: &Program, work: &Value) -> Value {
    let look = || program.get("/api/works/{work}", &format!("/api/works/{work}")).1;
    let found = (0..400).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(25));
        Some(look()).filter(|value| value["state"] != "open")
    });
    found.unwrap()
}

fn preview(fund: &Fund, period: &str) -> Value {
    fund.json(&["credit", "run", "--period", period, "--source", SOURCE])
}

fn credit(fund: &Fund, period: &str) {
    fund.json(&["credit", "run", "--period", period, "--source", SOURCE, "--book"]);
}

fn verify(fund: &Fund) {
    assert_eq!(fund.json(&["verify"])["ok"], true);
}

fn money(fund: &Fund, household: &str) -> u64 {
    fund.json(&["purse", "show", "--household", household])["free_cents"].as_u64().unwrap()
}

/// A household of the example.
fn household(fund: &Fund) -> String {
    fund.json(&["household", "list"])[0]["household"].as_str().unwrap().to_owned()
}

/// The hidden field of a form that leads there.
fn hidden(page: &str, action: &str, name: &str) -> String {
    let (_, form) = page
        .split_once(&format!("method=\"post\" action=\"{action}\""))
        .unwrap_or_else(|| panic!("no {action} in {page}"));
    let form = form.split("</form>").next().unwrap();
    let (_, rest) = form.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn a_rule_is_shown_with_examples_noted_once_and_never_changed() {
    let fund = Fund::example();
    let hub = fund.serve();
    credit(&fund, &month(&hub, 0));
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let page = claire.get("/rules").text();
    for part in ["150,00\u{a0}€", "75,00\u{a0}€", "40,00\u{a0}€", "305,00\u{a0}€", "en vigueur", "reporté sans"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    let (now, next) = (month(&hub, 0), month(&hub, 1));
    let ask = |client: &mut Client, from: &str, first: &str, expire: &str| {
        let first = first.replace(',', "%2C");
        client.get(&format!("/rules/new?from={from}&first={first}&further=80&child=45%2C50&expire={expire}"))
    };
    for (from, first, expire, fault) in [
        ("novembre", "160", "", "Écrivez le mois comme 2026-12"),
        (next.as_str(), "0", "", "Écrivez un montant en euros"),
        (next.as_str(), "12,345", "", "Écrivez un montant en euros"),
        (next.as_str(), "160", "121", "Écrivez un nombre de mois de 1 à 120"),
        (now.as_str(), "160", "", "est déjà crédité"),
    ] {
        let answer = ask(&mut claire, from, first, expire);
        assert_eq!(answer.status, 422, "{from} {first} {expire}");
        let page = answer.text();
        assert!(page.contains(fault) && page.contains(&format!("value=\"{first}\"")), "{fault} in {page}");
    }
    let answer = ask(&mut claire, &next, "160,00", "6");
    let page = answer.text();
    assert_eq!(answer.status, 200, "{page}");
    // Four people, two of them children: 160 + 80 + 2 × 45.50 instead of 150 + 75 + 2 × 40.
    for part in ["305,00\u{a0}€", "331,00\u{a0}€", "expire au bout de 6 mois"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let fields = ["from", "first_cents", "further_cents", "child_cents", "expire_months", "once"];
    let values = fields.map(|name| hidden(&page, "/rules", name));
    let form: Vec<_> = fields.iter().copied().zip(values.iter().map(String::as_str)).collect();
    let noted = claire.post("/rules", &form);
    assert_eq!(claire.follow(&noted), "/rules");
    assert_eq!(claire.post("/rules", &form).status, 303, "the same form again is answered alike");
    let again: Vec<_> =
        form.iter().map(|(name, value)| (*name, if *name == "once" { "other" } else { value })).collect();
    let answer = claire.post("/rules", &again);
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("Une règle commence déjà ce mois-là"));
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    let rules = program.get("/api/rules", "/api/rules").1["rules"].clone();
    assert_eq!((&rules[0]["holds"], &rules[0]["set_by"]), (&json!("later"), &json!("claire")));
    assert_eq!((&rules[0]["examples"][2]["cents"], &rules[1]["until"]), (&json!(33_100), &json!(now)));
    let third = json!({ "from": month(&hub, 2), "first_cents": 0, "further_cents": 1, "child_cents": 1 });
    let (status, told) = program.post("/api/rules", "/api/rules", None, &third);
    assert_eq!((status, &told["fields"][0]["field"]), (422, &json!("from")), "{told}");
    assert_eq!(fund.json(&["rule", "list"]).as_array().unwrap().len(), 2);
    assert_eq!(claire.get("/audit").text().matches("règle votée inscrite").count(), 1);
    verify(&fund);
}

#[test]
fn a_month_is_looked_at_with_who_gets_nothing_and_booked_exactly_once() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (now, code) = (month(&hub, 0), household(&fund));
    fund.json(&["household", "leave", &code]);
    let (_, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    let path = format!("/credits?period={now}&source=Ville%20de%20Lyon");
    let page = denis.get(&path).text();
    let told = preview(&fund, &now);
    assert_eq!(told["households"], HOUSEHOLDS - 1);
    assert_eq!(hidden(&page, "/credits", "cents"), told["cents"].to_string());
    assert!(page.contains("à créditer à 107 foyers") && page.contains("n’a encore jamais rien donné"), "{page}");
    assert!(page.contains("parti\u{a0}: ne reçoit rien") && page.contains(&code), "{page}");
    for (query, fault) in [
        ("period=2026-13&source=x", "Écrivez le mois comme"),
        (&*format!("period={now}&source="), "Donnez le nom du financeur"),
    ] {
        let answer = denis.get(&format!("/credits?{query}"));
        assert_eq!(answer.status, 422, "{query}");
        assert!(answer.text().contains(fault), "{query}");
    }
    let other = [("period", now.as_str()), ("source", SOURCE), ("cents", "1")];
    let answer = denis.post("/credits", &other);
    assert_eq!(answer.status, 409);
    assert!(answer.text().contains("Le montant, ou un foyer, a changé"));
    assert_eq!(preview(&fund, &now)["booked_before_cents"], 0);
    // Two people at once, each with the page in front of them.
    let (_, mut odile) = Person::add(&fund, &hub, "odile", "admin", None);
    let cents = told["cents"].to_string();
    let book = |client: &mut Client| {
        client.get(&path);
        client.post("/credits", &[("period", &now), ("source", SOURCE), ("cents", &cents)])
    };
    let answers = std::thread::scope(|scope| {
        let other = scope.spawn(|| book(&mut odile));
        [book(&mut denis), other.join().unwrap()]
    });
    assert!(answers.iter().any(|answer| answer.status == 303));
    assert!(answers.iter().all(|answer| [303, 409].contains(&answer.status)));
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    let works = program.get("/api/works", "/api/works").1["works"].clone();
    let first = works.as_array().unwrap().last().unwrap()["work"].clone();
    let work = ended(&program, &first);
    assert_eq!((&work["state"], &work["result"]["credited_cents"]), (&json!("done"), &told["cents"]), "{work}");
    assert_eq!(works.as_array().unwrap().len(), 1, "asked for by two, done once: {works}");
    let (_, seen) = program.get("/api/credits", &format!("/api/credits?period={now}&source=Ville%20de%20Lyon"));
    assert_eq!((&seen["plan"]["households"], &seen["plan"]["to_book_cents"]), (&json!(0), &json!(0)));
    assert_eq!((&seen["booked"][0]["cents"], &seen["booked"][0]["households"]), (&told["cents"], &json!(107)));
    let body = json!({ "period": now, "source": SOURCE, "cents": told["cents"] });
    let (status, told) = program.post("/api/credits", "/api/credits", None, &body);
    assert_eq!(status, 409, "{told}");
    assert!(told["reason"].as_str().unwrap().contains("Everything is booked already"), "{told}");
    // Another funder in the same month: everybody is told of, nothing is hidden.
    let other = program.get("/api/credits", &format!("/api/credits?period={now}&source=Grand%20Lyon")).1;
    let both = other["plan"]["exceptions"].as_array().unwrap();
    assert_eq!(both.iter().filter(|line| line["why"] == "other-source").count(), 107);
    let body = json!({ "period": now, "source": "Grand Lyon", "cents": other["plan"]["to_book_cents"] });
    let (status, told) = program.post("/api/credits", "/api/credits", None, &body);
    let field = &told["fields"][0];
    assert_eq!((status, &field["field"]), (422, &json!("extra")), "{told}");
    assert!(field["reason"].as_str().unwrap().contains("once more"), "{told}");
    assert!(denis.get(&path).text().contains("Tout est enregistré pour ce mois"));
    verify(&fund);
}

#[test]
fn a_credit_run_that_was_cut_off_goes_on_after_a_restart_and_books_each_household_once() {
    let fund = Fund::example();
    let config = Config { data_dir: fund.data_dir(), listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
    let period = "2027-02".to_owned();
    let all = preview(&fund, &period)["cents"].clone();
    let step = || {
        // A life of the hub that does one step and ends.
        let app = App::open(&config, Clock::System).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let held = Arc::clone(&app);
        let ask = app.store.call_blocking(Lane::Sync, move |tx| {
            let period = "2027-02".parse().unwrap();
            let order = RunOrder { period, sources: &[SOURCE], over: None, extra: false };
            if tx.work_next()?.is_none() {
                let run = tx.credit_begin(&order, held.clock.now())?.unwrap();
                Job::credit(&tx.credit_run_view(run)?).ask(
                    &held,
                    tx,
                    None,
                    &By { who: "claire".to_owned(), now: held.clock.now() },
                )?;
            }
            Ok(())
        });
        ask.unwrap();
        assert!(runtime.block_on(works::further(&app)).unwrap());
        let work = app.store.call_blocking(Lane::Sync, |tx| tx.work(1)).unwrap().unwrap();
        (work.done, work.total)
    };
    let a_step = u64::from(STEP_HOUSEHOLDS_MAX);
    for steps in 1..=2 {
        assert_eq!(step(), (steps * a_step, Some(HOUSEHOLDS)));
        assert_eq!(preview(&fund, &period)["households"], HOUSEHOLDS - steps * a_step);
        verify(&fund);
    }
    let hub = fund.serve();
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    let work = ended(&program, &json!(1));
    assert_eq!((&work["state"], &work["result"]["households"]), (&json!("done"), &json!(HOUSEHOLDS)), "{work}");
    assert_eq!(work["result"]["credited_cents"], all);
    let after = preview(&fund, &period);
    assert_eq!((&after["households"], &after["booked_before_cents"]), (&json!(0), &all));
    assert_eq!(program.get("/api/works", "/api/works").1["works"].as_array().unwrap().len(), 1);
    verify(&fund);
}

/// A correction as it is typed.
fn good(code: &str) -> [(&'static str, &str); 5] {
    [("household", code), ("direction", "more"), ("amount", "12,50 €"), ("source", SOURCE), ("reason", "une naissance")]
}

#[test]
fn a_correction_that_is_not_as_it_should_be_is_shown_again_with_what_was_typed() {
    let fund = Fund::example();
    let hub = fund.serve();
    credit(&fund, &month(&hub, 0));
    let code = household(&fund);
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    claire.get("/corrections");
    let good = good(&code);
    for (field, value, fault) in [
        ("household", "nobody", "Aucun foyer n’a ce code"),
        ("direction", "", "Choisissez\u{a0}: donner ou retirer"),
        ("amount", "0", "au-dessus de zéro"),
        ("amount", "-3", "au-dessus de zéro"),
        ("source", "Ville de Lion", "Choisissez un financeur de la liste"),
        ("reason", " ", "de 1 à 64 lettres"),
    ] {
        let bad: Vec<_> = good.iter().map(|(name, kept)| (*name, if *name == field { value } else { kept })).collect();
        let answer = claire.post("/corrections", &bad);
        assert_eq!(answer.status, 422, "{field} {value}");
        let page = answer.text();
        assert!(page.contains(fault) && page.contains("id=\"faults\""), "{page}");
        assert!(field == "reason" || page.contains("une naissance"), "what was typed is kept");
    }
    assert_eq!(fund.json(&["correction", "list"]), json!([]));
}

#[test]
fn a_correction_is_booked_by_another_login_once_and_by_no_token() {
    let fund = Fund::example();
    let hub = fund.serve();
    credit(&fund, &month(&hub, 0));
    let code = household(&fund);
    let before = money(&fund, &code);
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    claire.get("/corrections");
    let good = good(&code);
    let answer = claire.post("/corrections", &good);
    assert_eq!(claire.follow(&answer), "/corrections");
    assert!(claire.get("/dashboard").text().contains("1 décision attend"));
    let own = claire.get("/approvals").text();
    assert!(own.contains("Vous l’avez proposé") && !own.contains("/approvals/correction/1/approve"), "{own}");
    let answer = claire.post("/approvals/correction/1/approve", &[]);
    assert_eq!(answer.status, 409);
    assert!(answer.text().contains("Une autre personne"));
    assert_eq!(money(&fund, &code), before, "nothing moves before two said so");
    // No token proposes or approves: there is no such call, and a form takes no token.
    let program = Program::add(&fund, &hub, "office", "admin", None);
    let paths = program.document()["paths"].as_object().unwrap();
    for (path, methods) in paths {
        assert!(!path.contains("/approve") && !path.contains("/refuse"), "{path}");
        let is_two = ["/api/corrections", "/api/repayments", "/api/goodwill", "/api/closings"].contains(&path.as_str());
        assert!(!is_two || methods.get("post").is_none(), "{path}");
    }
    let seen = program.get("/api/approvals", "/api/approvals").1;
    assert_eq!(
        (&seen["waiting"][0]["about"]["matter"], &seen["waiting"][0]["number"]),
        (&json!("correction"), &json!(1))
    );
    // Two treasurers at once: one books it, the other is told.
    let (_, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    let (_, mut odile) = Person::add(&fund, &hub, "odile", "treasurer", None);
    // Both have the page open before either sends.
    for client in [&mut denis, &mut odile] {
        assert!(client.get("/approvals").text().contains("/approvals/correction/1/approve"));
    }
    let approve = |client: &mut Client| client.post("/approvals/correction/1/approve", &[]).status;
    let statuses = std::thread::scope(|scope| {
        let other = scope.spawn(|| approve(&mut odile));
        let mut both = [approve(&mut denis), other.join().unwrap()];
        both.sort_unstable();
        both
    });
    assert_eq!(statuses, [303, 409]);
    assert_eq!(money(&fund, &code), before + 1_250);
    // A second one is refused by another, a third taken back by who proposed it.
    for (who, by) in [(2, &mut denis), (3, &mut claire)] {
        let answer = by.get("/corrections");
        assert_eq!(answer.status, 200);
        let less: Vec<_> = good.iter().map(|(n, v)| (*n, if *n == "direction" { "less" } else { v })).collect();
        by.post("/corrections", &less);
        let refuse = format!("/approvals/correction/{who}/refuse");
        let answer = if who == 2 { odile.post(&refuse, &[]) } else { by.post(&refuse, &[]) };
        assert_eq!(answer.status, 303, "{}", answer.text());
    }
    let states: Vec<_> =
        fund.json(&["correction", "list"]).as_array().unwrap().iter().map(|line| line["state"].clone()).collect();
    assert_eq!(states, ["withdrawn", "withdrawn", "booked"]);
    assert_eq!(money(&fund, &code), before + 1_250);
    assert_eq!(claire.post("/approvals/correction/77/approve", &[]).status, 409);
    assert_eq!(claire.post("/approvals/bank/1/approve", &[]).status, 404);
    let log = claire.get("/audit").text();
    assert_eq!((log.matches("correction validée").count(), log.matches("une naissance").count()), (1, 0), "{log}");
    verify(&fund);
}

#[test]
fn unspent_money_expires_by_the_rule_of_its_month_once() {
    let fund = Fund::example();
    let hub = fund.serve();
    let [before, last, now] = [-2, -1, 0].map(|from| month(&hub, from));
    let (_, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    let page = denis.get(&format!("/expiries?period={before}")).text();
    assert!(page.contains("rien n’expire\u{a0}: tout est reporté"), "{page}");
    let rule = ["--first-cents", "15000", "--further-cents", "7500", "--child-cents", "4000", "--expire-months", "1"];
    fund.json(&[&["rule", "set", "--from", &before, "--by", "claire"][..], &rule[..]].concat());
    credit(&fund, &before);
    assert!(denis.get(&format!("/expiries?period={now}")).text().contains("Ce mois n’est pas terminé"));
    assert_eq!(denis.get("/expiries?period=x").status, 422);
    let page = denis.get("/expiries").text();
    let all = preview(&fund, &before)["booked_before_cents"].to_string();
    assert_eq!(
        (hidden(&page, "/expiries", "cents"), hidden(&page, "/expiries", "period")),
        (all.clone(), last.clone())
    );
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    let book = |cents: &Value| {
        program.post("/api/expiries", "/api/expiries", None, &json!({ "period": last, "cents": cents }))
    };
    assert_eq!(book(&json!(1)).0, 409);
    assert_eq!(program.post("/api/expiries", "/api/expiries", None, &json!({ "period": "x", "cents": 1 })).0, 422);
    let answer = denis.post("/expiries", &[("period", &last), ("cents", &all)]);
    let work = answer.header("location").unwrap().rsplit('/').next().unwrap().parse::<u64>().unwrap();
    let work = ended(&program, &json!(work));
    assert_eq!((&work["state"], work["result"]["expired_cents"].to_string()), (&json!("done"), all.clone()), "{work}");
    assert_eq!(work["result"]["households"], HOUSEHOLDS);
    let (status, told) = book(&json!(1));
    assert_eq!((status, told["reason"].as_str().unwrap().contains("Everything is booked")), (409, true), "{told}");
    let seen = program.get("/api/expiries", &format!("/api/expiries?period={last}")).1;
    assert_eq!((seen["booked"][0]["cents"].to_string(), &seen["to_book_cents"]), (all, &json!(0)));
    verify(&fund);
}

#[test]
fn goodwill_is_switched_by_two_logins_within_thirty_days() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (claires, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let (deniss, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    claire.get("/goodwill");
    let on = [("switch", "on"), ("household", "20"), ("total", "500,00"), ("days", "3")];
    for (field, value) in [("switch", "x"), ("household", "0"), ("total", "beaucoup"), ("days", "366"), ("days", "0")] {
        let bad: Vec<_> = on.iter().map(|(name, kept)| (*name, if *name == field { value } else { kept })).collect();
        assert_eq!(claire.post("/goodwill", &bad).status, 422, "{field} {value}");
    }
    let propose = |client: &mut Client| client.post("/goodwill", &on).status;
    assert_eq!(propose(&mut claire), 303);
    denis.get("/goodwill");
    assert_eq!(propose(&mut denis), 422, "one waits already");
    assert_eq!(claire.post("/approvals/goodwill/1/approve", &[]).status, 409);
    hub.pass(30 * 86_400);
    let (mut claire, mut denis) = (claires.login(&hub), deniss.login(&hub));
    assert!(!denis.get("/approvals").text().contains("/approvals/goodwill/1"));
    let answer = denis.post("/approvals/goodwill/1/approve", &[]);
    assert_eq!(answer.status, 409);
    assert!(answer.text().contains("plus de 30 jours"));
    assert_eq!(fund.json(&["goodwill", "show"])["on"], false);
    claire.get("/goodwill");
    assert_eq!(propose(&mut claire), 303, "what is too old makes place");
    assert!(denis.get("/approvals").text().contains("/approvals/goodwill/2/approve"));
    assert_eq!(denis.post("/approvals/goodwill/2/approve", &[]).status, 303);
    let shown = fund.json(&["goodwill", "show"]);
    let figures = [&shown["on"], &shown["per_household_cents"], &shown["total_cents"], &shown["silent_days"]];
    assert_eq!(figures, [&json!(true), &json!(2_000), &json!(50_000), &json!(3)]);
    assert_eq!(denis.post("/approvals/goodwill/2/refuse", &[]).status, 409);
    let program = Program::add(&fund, &hub, "office", "admin", None);
    let seen = program.get("/api/goodwill", "/api/goodwill").1;
    let states: Vec<_> = seen["proposals"].as_array().unwrap().iter().map(|line| line["state"].clone()).collect();
    assert_eq!((states, &seen["switch"]["is_on"]), (vec![json!("booked"), json!("expired")], &json!(true)));
    verify(&fund);
}

#[test]
fn a_lost_terminal_is_closed_by_two_logins_at_the_same_row() {
    let fund = Fund::example();
    let hub = fund.serve();
    let mut terminal = Terminal::enrol(&hub, &fund.code(SHOP), 1);
    credit(&fund, &month(&hub, 0));
    terminal.sync_all(&hub);
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let (_, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    assert!(claire.get("/closings").text().contains("/terminals/1/close"));
    assert!(!denis.get("/closings").text().contains("/terminals/1/close"), "the admin proposes");
    assert_eq!(denis.get("/terminals/1/close").status, 403);
    let meant = |client: &mut Client, path: &str, action: &str| {
        let page = client.get(path).text();
        ["at_seq", "at_hash"].map(|name| (name, hidden(&page, action, name)))
    };
    let propose = |client: &mut Client| {
        let [seq, hash] = meant(client, "/terminals/1/close", "/terminals/1/close");
        client.post("/terminals/1/close", &[("epoch", "1"), (seq.0, &seq.1), (hash.0, &hash.1)])
    };
    let answer = propose(&mut claire);
    assert_eq!(claire.follow(&answer), "/approvals");
    let again = claire.post("/terminals/1/close", &[("epoch", "1"), ("at_seq", "0"), ("at_hash", &"0".repeat(64))]);
    assert_eq!(again.status, 409, "a proposal is approved, not proposed again");
    let [seq, hash] = meant(&mut denis, "/approvals", "/approvals/closing/1/approve");
    // It comes back meanwhile and brings a row.
    terminal.write_list_applied();
    terminal.sync_all(&hub);
    let approve = |client: &mut Client, number: u32, seq: &str, hash: &str| {
        client.post(&format!("/approvals/closing/{number}/approve"), &[("at_seq", seq), ("at_hash", hash)])
    };
    let answer = approve(&mut denis, 1, &seq.1, &hash.1);
    assert_eq!(answer.status, 409);
    assert!(answer.text().contains("D’autres lignes sont arrivées"));
    assert_eq!(denis.post("/approvals/closing/1/refuse", &[]).status, 303);
    assert_eq!(propose(&mut claire).status, 303);
    let [seq, hash] = meant(&mut denis, "/approvals", "/approvals/closing/2/approve");
    assert_eq!(approve(&mut claire, 2, &seq.1, &hash.1).status, 409, "one person is not two");
    assert_eq!(approve(&mut denis, 2, &seq.1, "x").status, 409);
    let left = fund.json(&["exposure"]);
    assert_eq!(approve(&mut denis, 2, &seq.1, &hash.1).status, 303, "{left}");
    assert_eq!(approve(&mut denis, 2, &seq.1, &hash.1).status, 409);
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    let seen = program.get("/api/closings", "/api/closings").1;
    assert_eq!((&seen["closings"][0]["state"], &seen["closings"][0]["ended_by"]), (&json!("closed"), &json!("denis")));
    assert_eq!(seen["open"], json!([]));
    assert!(claire.get("/terminals/1/close").text().contains("Cette inscription est déjà fermée"));
    verify(&fund);
}

#[test]
fn a_card_without_a_chip_has_nothing_to_give_back() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    assert_eq!(claire.get("/repayments").status, 200);
    for card in ["1", "x", "99999999999"] {
        let answer = claire.get(&format!("/repayments?card={card}"));
        assert_eq!(answer.status, 422, "{card}");
        assert!(answer.text().contains("Aucune carte à puce n’a ce numéro"), "{card}");
    }
    let sent = [("card", "1"), ("from_cents", "0"), ("to_cents", "100"), ("reason", "x")];
    assert_eq!(claire.post("/repayments", &sent).status, 422);
    assert_eq!(claire.post("/approvals/repayment/1/approve", &[]).status, 409);
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    assert_eq!(program.get("/api/repayments", "/api/repayments").1["repayments"], json!([]));
}
