//! Who sees what: every route with every role; login, its limits, and what a form must carry.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a failed unwrap is the test's failure"
)]

use crate::common;

use cabas_hub::admin::pages::routes;
use cabas_hub::admin::site::{Access, Takes};
use cabas_hub::admin::visit::Step;
use cabas_hub::config::Config;
use cabas_hub::core::roles::Role;
use common::site::{Client, PASSWORD, Person, Program, digits};
use common::{Fund, http};
use serde_json::json;

const SHOP: &str = "biocoop-bachut";

fn path_of(path: &str) -> String {
    let path = path.replace("{terminal}", "1").replace("{user}", "1").replace("{work}", "1");
    path.replace("{household}", "F001")
        .replace("{card}", "1")
        .replace("{member}", "1")
        .replace("{import}", "1")
        .replace("{shop}", SHOP)
        .replace("{step}", "suspend")
        .replace("{document}", &common::site::document().to_string())
        .replace("{settlement}", "1")
        .replace("{entry}", "1")
        .replace("{matter}", "correction")
        .replace("{number}", "1")
        .replace("{money}", "1")
}

/// What somebody of this role, or with this step before them, is to get.
fn may(access: Access, role: Option<Role>, step: Option<Step>) -> bool {
    match access {
        Access::Anyone => true,
        Access::Step(wanted) => step == Some(wanted),
        Access::Own => step == Some(Step::Done),
        Access::Roles(roles) => step == Some(Step::Done) && role.is_some_and(|role| roles.contains(&role)),
        Access::Token(_) => false,
    }
}

#[test]
fn every_route_answers_every_role_as_the_table_says_and_nobody_else() {
    let fund = Fund::example();
    fund.code(SHOP);
    common::site::proposed_with_a_document(&fund);
    common::money::sample(&fund, "2026");
    let hub = fund.serve();
    common::bank::paid(&fund, &hub);
    let office = Program::add(&fund, &hub, "office", "admin", None);
    office.post("/api/works/verify", "/api/works/verify", None, &json!({}));
    office.upload("/api/imports", "/api/imports", b"household,member\nF001,Al\n");
    let mut clients = vec![(None, None, Client::new(&hub))];
    for role in Role::ALL {
        let shop = (role == Role::Shop).then_some(SHOP);
        let (_, client) = Person::add(&fund, &hub, role.name(), role.name(), shop);
        clients.push((Some(role), Some(Step::Done), client));
    }
    let given = fund.json(&["user", "add", "--name", "half", "--role", "admin"]);
    let mut half = Client::new(&hub);
    half.password("half", given["password"].as_str().unwrap());
    clients.push((Some(Role::Admin), Some(Step::SetUp), half));
    for route in routes() {
        // A logout would end the walk.
        if route.path == "/logout" {
            continue;
        }
        let path = path_of(&route.path);
        for (role, step, client) in &mut clients {
            let answer = match route.method.as_str() {
                "GET" => client.get(&path),
                // A token that fits no form: whoever may send it is told so, everybody else is turned away before.
                _ => {
                    client.csrf = "0".repeat(64);
                    match route.takes {
                        Takes::Form | Takes::Question => client.post(&path, &[]),
                        Takes::File => client.upload(&path, &[], "x", b""),
                    }
                }
            };
            let told = format!("{} {path} as {role:?} {step:?}: {}", route.method, answer.status);
            let is_page = answer.status == 200 || (answer.status == 303 && route.path == "/") || route.path == "/login";
            let is_stale_form = answer.status == 403 && answer.text().contains("trop ancien");
            if may(route.access, *role, *step) {
                let is_right = match (route.method.as_str(), route.takes) {
                    ("GET", _) => is_page,
                    // What is only asked needs no page before it: this question is empty.
                    (_, Takes::Question) => answer.status == 422,
                    (_, Takes::Form | Takes::File) => is_stale_form,
                };
                assert!(is_right, "{told}");
            } else if matches!(route.access, Access::Token(_)) {
                assert_eq!(answer.status, 401, "{told}");
            } else if *step == Some(Step::Done) && !matches!(route.access, Access::Step(_)) {
                assert_eq!(answer.status, 403, "{told}");
                assert!(!is_stale_form, "{told}");
            } else {
                assert_eq!(answer.status, 303, "{told}");
            }
            let policy = answer.header("content-security-policy").unwrap();
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{told}");
            let kept = answer.header("cache-control").unwrap();
            assert_eq!(kept == "no-cache", ["/style.css", "/site.js"].contains(&&*route.path), "{told}");
        }
    }
    assert_eq!(fund.json(&["user", "list"])["users"].as_array().unwrap().len(), 5, "nobody was added by the walk");
}

#[test]
fn what_is_not_there_is_told_in_the_visitors_language() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut admin) = Person::add(&fund, &hub, "claire", "admin", None);
    for path in ["/nowhere", "/terminals/77/revoke", "/users/77/disable", "/users/77/recover"] {
        let answer = admin.get(&format!("{path}?lang=en"));
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("There is no such page"), "{path}");
    }
    assert!(admin.get("/users").text().contains("<html lang=\"en\">"), "the language is kept");
    assert!(admin.get("/users?lang=fr").text().contains("<html lang=\"fr\">"));
}

#[test]
fn whatever_is_wrong_at_login_is_told_alike_and_five_times_wrong_waits() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (claire, _) = Person::add(&fund, &hub, "claire", "admin", None);
    let mut client = Client::new(&hub);
    let unknown = client.password("nobody", PASSWORD);
    let wrong = client.password("claire", "not the password");
    assert_eq!((unknown.status, wrong.status), (401, 401));
    let without = |text: String, name: &str| {
        let once = text.split("name=\"once\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        text.replace(once, "").replace(name, "").replace(client.csrf.as_str(), "")
    };
    let same = without(unknown.text(), "nobody") == without(wrong.text(), "claire");
    assert!(same, "the answers differ");
    for _ in 0..4 {
        client.password("claire", "not the password");
    }
    assert_eq!(client.password("claire", PASSWORD).status, 401, "the account waits");
    hub.pass(15 * 60);
    let mut client = claire.login(&hub);
    assert!(client.get("/audit").text().contains("trop d’essais"));
}

#[test]
fn a_code_works_once_and_so_does_a_recovery_code() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (claire, _) = Person::add(&fund, &hub, "claire", "admin", None);
    let code = |code: &str| {
        let mut client = Client::new(&hub);
        let answer = client.password("claire", PASSWORD);
        client.follow(&answer);
        let answer = client.post("/login/code", &[("code", code)]);
        (answer.status, client)
    };
    let now = digits(&claire.secret, hub.app.clock.now().get());
    assert_eq!(code(&now).0, 401, "it was used to set up the app");
    hub.pass(60);
    let now = digits(&claire.secret, hub.app.clock.now().get());
    assert_eq!(code(&now).0, 303);
    assert_eq!(code(&now).0, 401);
    let first = claire.codes.first().unwrap().to_uppercase();
    let (status, mut client) = code(&first);
    assert_eq!(status, 303);
    assert_eq!(client.get("/users").status, 200);
    assert_eq!(code(&first).0, 401, "a recovery code is used up");
    let listed = fund.json(&["user", "list"]);
    assert_eq!(listed["users"][0]["recovery_codes_left"], 9);
    fund.json(&["verify"]);
}

#[test]
fn one_address_that_tries_many_names_waits_and_another_does_not() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (claire, _) = Person::add(&fund, &hub, "claire", "admin", None);
    let mut guesser = Client::new(&hub);
    guesser.from = Some("192.0.2.1");
    let wrong: Vec<u16> = (0..31).map(|name| guesser.password(&format!("name{name}"), "x").status).collect();
    assert_eq!(wrong.iter().filter(|status| **status == 401).count(), 30);
    assert_eq!(*wrong.last().unwrap(), 429);
    claire.login(&hub);
}

#[test]
fn a_form_of_another_site_or_without_its_token_changes_nothing() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut admin) = Person::add(&fund, &hub, "claire", "admin", None);
    admin.get("/users");
    let new = [("name", "paul"), ("role", "treasurer")];
    let own = admin.origin.clone();
    admin.origin = "http://evil.example".to_owned();
    assert_eq!(admin.post("/users", &new).status, 403);
    admin.origin = own;
    let good = std::mem::replace(&mut admin.csrf, "f".repeat(64));
    assert_eq!(admin.post("/users", &new).status, 403);
    // The token of another session's form.
    let (_, mut other) = Person::add(&fund, &hub, "denis", "treasurer", None);
    other.get("/password");
    admin.csrf.clone_from(&other.csrf);
    assert_eq!(admin.post("/users", &new).status, 403);
    assert_eq!(fund.json(&["user", "list"])["users"].as_array().unwrap().len(), 2);
    admin.csrf = good;
    let answer = admin.post("/users", &new);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(fund.json(&["user", "list"])["users"].as_array().unwrap().len(), 3);
}

#[test]
fn a_session_ends_when_idle_after_a_day_at_logout_and_when_its_user_is_shut_out() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (claire, mut client) = Person::add(&fund, &hub, "claire", "admin", None);
    let first = client.cookies["cabas"].clone();
    hub.pass(29 * 60);
    assert_eq!(client.get("/users").status, 200);
    hub.pass(29 * 60);
    assert_eq!(client.get("/users").status, 200, "it was used in between");
    hub.pass(30 * 60);
    assert_eq!(client.get("/users").status, 303);
    let mut client = claire.login(&hub);
    assert_ne!(client.cookies["cabas"], first, "each login has a token of its own");
    for _ in 0..24 {
        hub.pass(29 * 60);
        client.get("/users");
    }
    assert_eq!(client.get("/users").status, 200);
    hub.pass(29 * 60);
    assert_eq!(client.get("/users").status, 303, "12 hours are over");
    let mut client = claire.login(&hub);
    let stolen = client.cookies["cabas"].clone();
    client.get("/users");
    assert_eq!(client.post("/logout", &[]).status, 303);
    client.cookies.insert("cabas".to_owned(), stolen);
    assert_eq!(client.get("/users").status, 303, "what was logged out opens nothing");
    let (_, mut paul) = Person::add(&fund, &hub, "paul", "treasurer", None);
    assert_eq!(paul.get("/audit").status, 200);
    fund.json(&["user", "disable", "paul"]);
    assert_eq!(paul.get("/audit").status, 303);
    assert_eq!(paul.password("paul", PASSWORD).status, 401);
}

#[test]
fn a_given_password_must_be_changed_and_ends_by_itself() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut other) = Person::add(&fund, &hub, "denis", "admin", None);
    let weak = [("old", PASSWORD), ("new", "court"), ("again", "court")];
    other.get("/password");
    let answer = other.post("/password", &weak);
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("href=\"#new\""), "the summary leads to the field");
    let wrong = [("old", "not the old one"), ("new", "another long one"), ("again", "another long one")];
    assert_eq!(other.post("/password", &wrong).status, 422);
    let two = Client { cookies: other.cookies.clone(), ..Client::new(&hub) };
    let right = [("old", PASSWORD), ("new", "another long one"), ("again", "another long one")];
    assert_eq!(other.post("/password", &right).status, 303);
    assert_eq!(other.get("/users").status, 200);
    let mut two = two;
    assert_eq!(two.get("/users").status, 303, "the session before ended");
    let given = fund.json(&["user", "add", "--name", "claire", "--role", "admin"]);
    let given = given["password"].as_str().unwrap();
    // The command took the machine's time, which went on since the hub began.
    hub.pass(72 * 3_600 + 60);
    assert_eq!(Client::new(&hub).password("claire", given).status, 401);
}

#[test]
fn an_account_is_recovered_by_another_admin_alone() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    claire.get("/users");
    assert_eq!(claire.post("/users/1/recover", &[]).status, 409, "nobody recovers their own account");
    assert_eq!(claire.post("/users/1/disable", &[]).status, 409);
    assert!(!fund.run(&["user", "recover", "claire", "--by", "claire"]).status.success());
    assert!(!fund.run(&["user", "recover", "claire", "--by", "nobody"]).status.success());
    assert!(!fund.run(&["user", "disable", "claire"]).status.success(), "the last admin stays");
    let (_, mut paul) = Person::add(&fund, &hub, "paul", "treasurer", None);
    assert!(!fund.run(&["user", "recover", "claire", "--by", "paul"]).status.success(), "a treasurer is no admin");
    let answer = claire.post("/users/2/recover", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(paul.get("/audit").status, 303, "the old session ended");
    assert_eq!(paul.password("paul", PASSWORD).status, 401, "and so did the old password");
    let page = answer.text();
    let (_, rest) = page.split_once("id=\"given\">").unwrap();
    let (_, mut paul) = Person::first_login(&hub, "paul", rest.split('<').next().unwrap());
    assert_eq!(paul.get("/audit").status, 200);
    assert!(claire.get("/audit").text().contains("compte rouvert"));
    fund.json(&["verify"]);
}

#[test]
fn terminals_are_added_given_codes_and_revoked_and_the_log_says_by_whom() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let page = claire.get("/terminals");
    assert!(page.text().contains("Aucun terminal."));
    let answer = claire.post("/terminals", &[("shop", SHOP)]);
    let page = answer.text();
    assert!(page.contains("<svg") && answer.status == 200, "{page}");
    let code = page.split_once("id=\"code\">").unwrap().1.split('<').next().unwrap().to_owned();
    let mut terminal = common::terminal::Terminal::enrol(&hub, &code, 1);
    terminal.sync(&hub, 0);
    let page = claire.get("/terminals").text();
    assert!(page.contains("actif") && page.contains("il y a moins d’une minute"), "{page}");
    assert_eq!(claire.post("/terminals", &[("shop", "no-such-shop")]).status, 422);
    assert_eq!(claire.post("/terminals/1/code", &[]).status, 200);
    assert_eq!(claire.post("/terminals/9/code", &[]).status, 404);
    assert!(claire.get("/terminals/1/revoke").text().contains("ne vendra plus"));
    assert_eq!(claire.post("/terminals/1/revoke", &[]).status, 303);
    assert_eq!(fund.json(&["terminal", "list"])["terminals"][0]["standing"], "revoked");
    let log = claire.get("/audit").text();
    for said in ["terminal ajouté", "nouveau code d’inscription", "terminal révoqué", "<td>claire</td>", "terminal 1"]
    {
        assert!(log.contains(said), "{said} is missing in {log}");
    }
    assert!(!log.contains(&code) && !log.contains("no-such-shop"));
    fund.json(&["verify"]);
}

#[test]
fn a_shop_sees_its_own_figures_and_no_other_shops() {
    let fund = Fund::example();
    let hub = fund.serve();
    fund.code(SHOP);
    fund.code("boulangerie-levain");
    let (_, mut shop) = Person::add(&fund, &hub, "bachut", "shop", Some(SHOP));
    let token = fund.json(&["token", "add", "--name", "till", "--role", "shop", "--shop", SHOP]);
    let token = token["token"].as_str().unwrap();
    for text in [shop.get("/shop").text(), api(&hub, "/api/shop", token).text()] {
        assert!(text.contains("Bachut"), "{text}");
        assert!(!text.contains("Levain"), "{text}");
    }
    for path in ["/api/overview", "/api/terminals", "/api/audit"] {
        assert_eq!(api(&hub, path, token).status, 403, "{path}");
    }
    assert!(!fund.run(&["user", "add", "--name", "x", "--role", "shop"]).status.success());
    assert!(!fund.run(&["user", "add", "--name", "x", "--role", "admin", "--shop", SHOP]).status.success());
    assert!(!fund.run(&["user", "add", "--name", "x", "--role", "shop", "--shop", "none"]).status.success());
}

fn api(hub: &common::Hub, path: &str, token: &str) -> http::Answer {
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    http::exchange(hub.address, head.as_bytes())
}

#[test]
fn the_document_of_the_api_tells_every_route_of_programs_and_what_it_gives() {
    let fund = Fund::example();
    fund.code(SHOP);
    common::site::proposed_with_a_document(&fund);
    common::money::sample(&fund, "2026");
    let hub = fund.serve();
    common::bank::paid(&fund, &hub);
    let office = Program::add(&fund, &hub, "office", "admin", None);
    office.post("/api/works/verify", "/api/works/verify", None, &json!({}));
    office.upload("/api/imports", "/api/imports", b"household,member\nF001,Al\n");
    let served: Vec<_> = routes().into_iter().filter(|route| matches!(route.access, Access::Token(_))).collect();
    let told = office.document()["paths"].as_object().unwrap();
    let methods: usize = told.values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(served.len(), methods);
    for (index, route) in served.into_iter().enumerate() {
        let Access::Token(roles) = route.access else { continue };
        let told = &told[&*route.path][route.method.as_str().to_lowercase()];
        let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
        assert_eq!(told["description"], format!("Roles: {}.", names.join(", ")), "{}", route.path);
        for role in Role::ALL {
            let name = format!("{} {} {}", role.name(), route.method, route.path);
            let holder = format!("{} {index}", role.name());
            let program = Program::add(&fund, &hub, &holder, role.name(), (role == Role::Shop).then_some(SHOP));
            let path = path_of(&route.path);
            let status = if route.method == "GET" {
                program.get(&route.path, &path).0
            } else {
                // Nothing that a route could take: who may ask is told what is wrong, everybody else is turned away.
                program.post(&route.path, &path, None, &json!("")).0
            };
            let may = roles.contains(&role);
            let fits = match (route.method.as_str(), may) {
                ("GET", true) => status == 200,
                (_, true) => status != 403 && status < 500,
                (_, false) => status == 403,
            };
            assert!(fits, "{name}: {status}");
            fund.json(&["token", "revoke", &holder]);
            assert_eq!(program.get("/api/works", "/api/works").0, 401, "{name}");
        }
    }
}

#[test]
fn a_form_sent_twice_is_done_once_and_so_is_a_call_of_a_program() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    claire.get("/works");
    let first = claire.post("/works/verify", &[("once", "a")]);
    let again = claire.post("/works/verify", &[("once", "a")]);
    assert_eq!((first.status, first.header("location")), (303, again.header("location")));
    let other = claire.post("/works/verify", &[("once", "b")]);
    assert_ne!(first.header("location"), other.header("location"));
    let program = Program::add(&fund, &hub, "watch", "treasurer", None);
    let ask = |key| program.post("/api/works/verify", "/api/works/verify", key, &json!({})).1["work"].clone();
    assert_eq!(ask(Some("a")), ask(Some("a")));
    assert_ne!(ask(Some("a")), ask(Some("c")));
    assert_ne!(ask(None), ask(None));
    assert_eq!(program.get("/api/works", "/api/works").1["works"].as_array().unwrap().len(), 6);
    let log = claire.get("/audit").text();
    assert_eq!(log.matches("vérification demandée").count(), 6, "{log}");
}

#[test]
fn long_work_goes_on_after_a_restart_and_tells_what_came_of_it() {
    let fund = Fund::example();
    let hub = fund.serve();
    let program = Program::add(&fund, &hub, "watch", "treasurer", None);
    let work = program.post("/api/works/verify", "/api/works/verify", None, &json!({})).1["work"].clone();
    drop(hub);
    let hub = fund.serve();
    let program = Program::add(&fund, &hub, "watch again", "treasurer", None);
    let ended = (0..200).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let (_, value) = program.get("/api/works/{work}", &format!("/api/works/{work}"));
        (value["state"] != "open").then_some(value)
    });
    let ended = ended.unwrap();
    assert_eq!((&ended["state"], &ended["result"]["ok"]), (&json!("done"), &json!(true)), "{ended}");
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let page = claire.get(&format!("/works/{work}")).text();
    assert!(page.contains("Tout est juste") && !page.contains("data-live"), "{page}");
    assert_eq!(claire.get("/works/77").status, 404);
}

#[test]
fn behind_tls_the_cookie_is_bound_to_the_host_and_goes_nowhere_else() {
    let fund = Fund::example();
    let cookie = |hub: &common::Hub| http::get(hub.address, "/login", "localhost").header("set-cookie").unwrap();
    let plain = cookie(&fund.serve());
    assert!(plain.starts_with("cabas=") && plain.contains("HttpOnly") && plain.contains("SameSite=Strict"), "{plain}");
    let secure = cookie(&fund.serve_with(|config| Config { behind_tls_proxy: true, ..config }));
    assert!(secure.starts_with("__Host-cabas=") && secure.contains("Secure") && secure.contains("Path=/"), "{secure}");
    assert!(!secure.contains("Domain"), "{secure}");
}

#[test]
fn the_audit_log_is_paged_and_programs_read_it() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let token = fund.json(&["token", "add", "--name", "watch", "--role", "treasurer"]);
    let token = token["token"].as_str().unwrap();
    let all: serde_json::Value = serde_json::from_slice(&api(&hub, "/api/audit", token).body).unwrap();
    let newest = all["newest"].as_u64().unwrap();
    assert_eq!(all["entries"][0]["what"], "token-added");
    let older: serde_json::Value = serde_json::from_slice(&api(&hub, "/api/audit?before=2", token).body).unwrap();
    assert_eq!(older["entries"].as_array().unwrap().len(), 1);
    assert!(newest >= 4, "{all}");
    for path in ["/audit?before=0", "/audit?before=18446744073709551615", "/audit?before=x"] {
        let status = claire.get(path).status;
        assert!(status == 200 || status == 400, "{path}: {status}");
    }
}
