//! Two logins are two people: a login that one admin alone gave takes no part in what two people decide.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed unwrap is the test's failure")]

use crate::common;

use cabas_hub::admin::pages::routes;
use cabas_hub::admin::site::{Access, Takes};
use common::Fund;
use common::http::Answer;
use common::site::{Client, PASSWORD, Person};
use serde_json::{Value, json};

/// What two people decide, and what a payment file holds two logins against each other for.
const OF_TWO: [&str; 19] = [
    "/corrections",
    "/repayments",
    "/goodwill",
    "/terminals/{terminal}/close",
    "/approvals/{matter}/{number}/approve",
    "/approvals/{matter}/{number}/refuse",
    "/settlements/next",
    "/settlements/next/approve",
    "/settlements/next/withdraw",
    "/settlements/{settlement}/payment-file",
    "/settlements/{settlement}/shops/{shop}/refusal",
    "/settlements/{settlement}/shops/{shop}/refusal/approve",
    "/settlements/{settlement}/shops/{shop}/refusal/withdraw",
    "/bank/entries/{entry}/match",
    "/bank/accounts/fund",
    "/bank/accounts/shops/{shop}",
    "/users",
    "/users/{user}/recover",
    "/users/{user}/confirm",
];

/// Sent by people alone, for another reason than that two people decide it; each has a route of its own for programs, or
/// shuts somebody out.
const OF_ONE: [&str; 2] = ["/shops", "/shops/{shop}/steps/{step}"];

/// The password on the page that shows one.
fn given(answer: &Answer) -> String {
    let page = answer.text();
    assert_eq!(answer.status, 200, "{page}");
    page.split_once("id=\"given\">").unwrap().1.split('<').next().unwrap().to_owned()
}

fn listed(fund: &Fund, name: &str) -> Value {
    let users = fund.json(&["user", "list"]);
    users["users"].as_array().unwrap().iter().find(|user| user["name"] == name).unwrap().clone()
}

fn filled(path: &str) -> String {
    path.replace("{terminal}", "1")
        .replace("{user}", "1")
        .replace("{shop}", "biocoop-bachut")
        .replace("{step}", "suspend")
        .replace("{settlement}", "1")
        .replace("{matter}", "correction")
        .replace("{number}", "1")
        .replace("{entry}", "1")
}

/// True where the answer says who confirms the login.
fn says_who_confirms(answer: &Answer) -> bool {
    let (text, who) = (answer.text(), ["par une autre personne administratrice", "another admin confirms it"]);
    answer.status == 403 && who.iter().any(|who| text.contains(who)) && text.contains("cabas-hub user confirm")
}

#[test]
fn no_route_of_two_people_takes_a_login_that_one_admin_gave_until_it_is_confirmed() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    claire.get("/users");
    let password = given(&claire.post("/users", &[("name", "paul"), ("role", "admin")]));
    let (_, mut paul) = Person::first_login(&hub, "paul", &password);
    let mut of_two = Vec::new();
    for route in routes() {
        if route.method != "POST" || !matches!(route.access, Access::Roles(_)) {
            continue;
        }
        // What is for people alone is decided by two, or is named here.
        let is_for_people = route.told.is_none() && route.takes == Takes::Form;
        assert!(route.needs_vouched || !is_for_people || OF_ONE.contains(&&*route.path), "{}", route.path);
        if !route.needs_vouched {
            continue;
        }
        for (lang, other) in [("fr", "Nothing was changed"), ("en", "Rien n’a été changé")] {
            paul.get(&format!("/approvals?lang={lang}"));
            let answer = paul.post(&filled(&route.path), &[]);
            assert!(says_who_confirms(&answer), "{} {lang}: {} {}", route.path, answer.status, answer.text());
            assert!(!answer.text().contains(other), "{} {lang}", route.path);
            let titles = [
                ("fr", "<h1>Ce compte attend une autre personne</h1>"),
                ("en", "<h1>This login waits for another person</h1>"),
            ];
            let is_title = titles.iter().any(|(of, title)| *of == lang && answer.text().contains(title));
            assert!(is_title, "{} {lang}: {}", route.path, answer.text());
        }
        of_two.push(route.path.to_string());
    }
    let mut expected: Vec<_> = OF_TWO.iter().map(ToString::to_string).collect();
    expected.push("/users/{user}/disable".to_owned());
    of_two.sort();
    expected.sort();
    assert_eq!(of_two, expected);
    assert!(paul.get("/approvals?lang=fr").text().contains("Votre compte attend"), "every page says so");
    fund.json(&["user", "confirm", "paul"]);
    assert!(!paul.get("/approvals").text().contains("Votre compte attend"));
    for path in of_two.iter().filter(|path| *path != "/users/{user}/recover" && *path != "/users/{user}/disable") {
        let answer = paul.post(&filled(path), &[]);
        assert!(answer.status != 403, "{path}: {}", answer.text());
    }
    fund.json(&["verify"]);
}

fn propose(client: &mut Client) -> Answer {
    client.get("/corrections?lang=fr");
    let fields = [("household", "F001"), ("direction", "more"), ("amount", "1"), ("reason", "une naissance")];
    client.post("/corrections", &[&fields[..], &[("source", "Ville de Lyon")]].concat())
}

#[test]
fn one_admin_with_two_logins_stays_one_person_and_a_second_admin_makes_them_two() {
    let fund = Fund::example();
    let hub = fund.serve();
    fund.json(&["credit", "run", "--period", "2026-11", "--source", "Ville de Lyon", "--book"]);
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let (_, mut bo) = Person::add(&fund, &hub, "bo", "admin", None);
    claire.get("/users");
    let answer = claire.post("/users", &[("name", "paul"), ("role", "treasurer")]);
    assert!(answer.text().contains("Une autre personne administratrice que vous confirmera ce compte"));
    // Bo is told, and does not confirm what Claire's password still opens.
    assert!(bo.get("/dashboard").text().contains("Comptes à confirmer"), "it is a thing to do");
    let page = bo.get("/users").text();
    assert!(page.contains("Attend une confirmation") && page.contains("(donné par claire)"), "{page}");
    assert!(page.contains("/users/3/confirm") && !claire.get("/users").text().contains("/users/3/confirm"));
    assert!(bo.get("/users/3/confirm").text().contains("personne ne peut encore dire"));
    let early = bo.post("/users/3/confirm", &[]);
    assert!(early.status == 409 && early.text().contains("Personne ne tient encore"), "{}", early.text());
    // Claire, or Paul, has logged in by that name: it decides nothing yet.
    let (_, mut paul) = Person::first_login(&hub, "paul", &given(&answer));
    assert!(says_who_confirms(&propose(&mut paul)));
    assert_eq!(fund.json(&["correction", "list"]), json!([]));
    assert!(claire.get("/users/3/confirm").text().contains("par une autre personne administratrice"));
    let own = claire.post("/users/3/confirm", &[]);
    assert!(own.status == 409 && own.text().contains("Vous avez donné ce compte"), "{}", own.text());
    let user = listed(&fund, "paul");
    assert_eq!((&user["waits_for_confirmation"], &user["given_by"]), (&json!(true), &json!("claire")));
    assert!(bo.get("/users/3/confirm").text().contains("vous connaissez cette personne"));
    assert_eq!(bo.post("/users/3/confirm", &[]).status, 303);
    let user = listed(&fund, "paul");
    assert_eq!((&user["waits_for_confirmation"], &user["confirmed_by"]), (&json!(false), &json!("bo")));
    assert!(bo.get("/audit").text().contains("compte confirmé"));
    assert!(!bo.get("/dashboard").text().contains("Comptes à confirmer"));
    assert_eq!(bo.post("/users/3/confirm", &[]).status, 409, "it waits no more");
    assert_eq!(propose(&mut paul).status, 303);
    // A password of one's own changes nothing; one that an admin gives makes the login wait again.
    paul.get("/password");
    let new = [("old", PASSWORD), ("new", "encore un autre assez long"), ("again", "encore un autre assez long")];
    assert_eq!(paul.post("/password", &new).status, 303);
    assert_eq!(listed(&fund, "paul")["waits_for_confirmation"], false);
    claire.get("/users");
    let again = given(&claire.post("/users/3/recover", &[]));
    let (_, mut paul) = Person::first_login(&hub, "paul", &again);
    assert!(says_who_confirms(&propose(&mut paul)));
    paul.get("/approvals");
    assert!(says_who_confirms(&paul.post("/approvals/correction/1/refuse", &[])), "not even what it proposed before");
    let told = fund.run(&["user", "list"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("given by claire, waits for a confirmation"), "{told}");
    fund.json(&["user", "confirm", "paul"]);
    assert_eq!(listed(&fund, "paul")["confirmed_by"], Value::Null, "on the server");
    assert!(!fund.run(&["user", "confirm", "paul"]).status.success(), "once");
    assert!(!fund.run(&["user", "confirm", "nobody"]).status.success());
    assert_eq!(propose(&mut paul).status, 303);
    fund.json(&["verify"]);
}

#[test]
fn an_admin_who_waits_gives_and_confirms_no_login() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    claire.get("/users");
    let (first, second) = (
        given(&claire.post("/users", &[("name", "denis"), ("role", "admin")])),
        given(&claire.post("/users", &[("name", "paul"), ("role", "treasurer")])),
    );
    let ((_, mut denis), _) = (Person::first_login(&hub, "denis", &first), Person::first_login(&hub, "paul", &second));
    let page = denis.get("/users").text();
    assert!(!page.contains("/users/3/confirm"), "{page}");
    for (path, fields) in [
        ("/users", &[("name", "eva"), ("role", "admin")][..]),
        ("/users/1/recover", &[]),
        ("/users/1/disable", &[]),
        ("/users/3/confirm", &[]),
    ] {
        assert!(says_who_confirms(&denis.post(path, fields)), "{path}");
    }
    assert_eq!(fund.json(&["user", "list"])["users"].as_array().unwrap().len(), 3);
    assert!(listed(&fund, "claire")["disabled_at"].is_null());
    assert!(!fund.run(&["user", "recover", "paul", "--by", "denis"]).status.success());
    // Confirmed on the server, Denis confirms Paul, whom Claire gave.
    fund.json(&["user", "confirm", "denis"]);
    denis.get("/users");
    assert_eq!(denis.post("/users/3/confirm", &[]).status, 303);
    assert_eq!(listed(&fund, "paul")["confirmed_by"], "denis");
    fund.json(&["verify"]);
}
