//! Settlements and the bank on the pages and for programs: two people, files to download, statements to import, a shop's
//! own figures.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a failed unwrap is the test's failure"
)]

use crate::common;

use base64ct::{Base64, Encoding as _};
use cabas_hub::config::Config;
use common::bank::{OWN, SHOPS, accounts, paid, part, sell, settled, sold, statement};
use common::http::Answer;
use common::site::{Client, Person, Program};
use common::{Fund, Hub, http};
use serde_json::json;

const BACHUT: &str = SHOPS[0].0;
const COMBE: &str = SHOPS[1].0;

/// Claire runs the fund, Denis keeps its money.
fn office(fund: &Fund, hub: &Hub) -> (Client, Client) {
    let (_, claire) = Person::add(fund, hub, "claire", "admin", None);
    let (_, denis) = Person::add(fund, hub, "denis", "treasurer", None);
    (claire, denis)
}

/// A hidden field of the page's first form that has it.
fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn seen(client: &mut Client) -> [(&'static str, String); 2] {
    let page = client.get("/settlements/next").text();
    [("settlement", hidden(&page, "settlement")), ("preparation", hidden(&page, "preparation"))]
}

fn post(client: &mut Client, path: &str, fields: &[(&'static str, String)]) -> Answer {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    client.post(path, &fields)
}

/// Whether a page says this, as its template escapes it.
fn says(answer: &Answer, text: &str) -> bool {
    answer.text().contains(text)
}

#[test]
fn a_settlement_is_prepared_by_one_login_and_approved_by_another_once_and_by_no_program() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (mut claire, mut denis) = office(&fund, &hub);
    assert!(says(&claire.get("/settlements/next"), "rien de nouveau"));
    assert_eq!(claire.post("/settlements/next", &[]).status, 409);
    sold(&fund, &hub);
    let preview = claire.get("/settlements/next");
    assert!(says(&preview, "1,40\u{a0}€") && says(&preview, "Rien n’est encore fixé"), "{}", preview.text());
    let prepared = claire.post("/settlements/next", &[]);
    let work = claire.ended(&prepared);
    assert!(work.contains("href=\"/settlements/next\"") && work.contains("1,40\u{a0}€"), "{work}");
    assert_eq!(denis.get("/settlements/next").status, 200);
    assert_eq!(denis.post("/settlements/next", &[]).status, 409, "one waits already");
    // Whoever prepared it does not approve it, from whatever page.
    let first = seen(&mut claire);
    assert!(!says(&claire.get("/settlements/next"), "/settlements/next/approve"));
    let own = post(&mut claire, "/settlements/next/approve", &first);
    assert!(own.status == 409 && says(&own, "Une autre personne"), "{}", own.text());
    // Programs see it and cannot close it.
    let program = Program::add(&fund, &hub, "office", "admin", None);
    let (_, next) = program.get("/api/settlements/next", "/api/settlements/next");
    assert_eq!(
        (&next["settlement"]["payout_cents"], &next["prepared"]["prepared_by"]),
        (&json!(140), &json!("claire"))
    );
    assert!(program.document()["paths"]["/api/settlements/next"]["post"].is_null());
    assert!(program.document()["paths"]["/api/settlements/next/approve"].is_null());
    // It is withdrawn and prepared again: what Denis has looked at is outdated.
    denis.get("/settlements/next/approve");
    claire.get("/settlements/next");
    assert_eq!(post(&mut claire, "/settlements/next/withdraw", &first).status, 303);
    claire.get("/settlements/next");
    let prepared = claire.post("/settlements/next", &[]);
    claire.ended(&prepared);
    let outdated = post(&mut denis, "/settlements/next/approve", &first);
    assert!(outdated.status == 409 && says(&outdated, "préparé de nouveau depuis"), "{}", outdated.text());
    let outdated = post(&mut denis, "/settlements/next/withdraw", &first);
    assert!(outdated.status == 409, "{}", outdated.text());
    let second = seen(&mut denis);
    assert!(says(&denis.get("/settlements/next/approve"), "ne peut pas être défait"));
    let approved = post(&mut denis, "/settlements/next/approve", &second);
    let work = denis.ended(&approved);
    assert!(work.contains("href=\"/settlements/1\""), "{work}");
    let again = post(&mut denis, "/settlements/next/approve", &second);
    assert!(again.status == 409 && says(&again, "déjà été approuvé"), "{}", again.text());
    let page = denis.get("/settlements/1");
    assert!(says(&page, "préparé par claire") && says(&page, "approuvé par denis"), "{}", page.text());
    let log = claire.get("/audit").text();
    assert_eq!(log.matches("<td>règlement approuvé</td>").count(), 1, "{log}");
    assert_eq!(fund.json(&["settlement", "list"])["settlements"].as_array().unwrap().len(), 1);
    fund.json(&["verify"]);
}

#[test]
fn of_two_treasurers_who_approve_at_once_one_wins_and_the_other_is_told() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (mut claire, denis) = office(&fund, &hub);
    let (_, eva) = Person::add(&fund, &hub, "eva", "treasurer", None);
    for (round, seed) in [(1, 1), (2, 2), (3, 3)] {
        if round == 1 {
            sold(&fund, &hub);
        } else {
            sell(&fund, &hub, BACHUT, seed, 50);
        }
        claire.get("/settlements/next");
        let prepared = claire.post("/settlements/next", &[]);
        claire.ended(&prepared);
        let fields = seen(&mut claire);
        let gate = std::sync::Barrier::new(2);
        let approve = |treasurer: &Client| {
            let mut client = Client { cookies: treasurer.cookies.clone(), ..Client::new(&hub) };
            client.get("/settlements/next/approve");
            gate.wait();
            post(&mut client, "/settlements/next/approve", &fields)
        };
        let answers = std::thread::scope(|scope| {
            let (denis, eva) = (scope.spawn(|| approve(&denis)), scope.spawn(|| approve(&eva)));
            [denis.join().unwrap(), eva.join().unwrap()]
        });
        let mut statuses = answers.each_ref().map(|answer| answer.status);
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 409]);
        let told = answers.iter().find(|answer| answer.status == 409).unwrap();
        let said = ["déjà été approuvé par quelqu’un d’autre", "Un travail sur ce règlement"];
        assert!(said.iter().any(|said| says(told, said)), "{}", told.text());
        let won = answers.iter().find(|answer| answer.status == 303).unwrap();
        claire.get(&won.header("location").unwrap());
        claire.ended(won);
        assert_eq!(fund.json(&["settlement", "list"])["settlements"].as_array().unwrap().len(), round);
    }
    fund.json(&["verify"]);
}

#[test]
fn the_payment_file_is_made_once_and_given_out_byte_by_byte() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (mut claire, _) = office(&fund, &hub);
    sold(&fund, &hub);
    fund.json(&["settlement", "close", "--by", "Ada", "--approved-by", "Bo"]);
    let page = claire.get("/settlements/1");
    assert!(says(&page, "compte bancaire du fonds n’est pas encore connu"), "{}", page.text());
    assert_eq!(claire.post("/settlements/1/payment-file", &[]).status, 409);
    assert_eq!(claire.get("/settlements/1/payment-file").status, 404);
    accounts(&fund);
    let page = claire.get("/settlements/1");
    assert!(says(&page, "Nouveau compte, jamais payé") && says(&page, "FR14…2606"), "{}", page.text());
    assert!(!says(&page, SHOPS[0].1));
    for wrong in ["2020-01-01", "demain", "2999-01-01"] {
        let answer = claire.post("/settlements/1/payment-file", &[("execute_on", wrong)]);
        assert!(answer.status == 422 && says(&answer, "href=\"#execute_on\"") && says(&answer, wrong), "{wrong}");
    }
    let day = hub.app.clock.now().get().div_euclid(86_400) + 2;
    let day = cabas_hub::bank::day(u32::try_from(day).unwrap());
    let made = claire.post("/settlements/1/payment-file", &[("execute_on", &day)]);
    assert_eq!(claire.follow(&made), "/settlements/1");
    let file = claire.get("/settlements/1/payment-file");
    assert_eq!(file.header("content-type").as_deref(), Some("application/xml"));
    let name = file.header("content-disposition").unwrap();
    assert!(name.starts_with("attachment; filename=\"CABAS7-") && name.ends_with("-1.xml\""), "{name}");
    assert_eq!(file.header("x-content-type-options").as_deref(), Some("nosniff"));
    assert!(file.text().contains(&format!("<Dt>{day}</Dt>")), "{}", file.text());
    let again = claire.get("/settlements/1").text();
    assert!(again.contains("demandé à la banque") && again.contains("octet par octet"), "{again}");
    let other = claire.post("/settlements/1/payment-file", &[("execute_on", "")]);
    assert_eq!(other.status, 303, "asked again without a day it is the same file");
    let next = cabas_hub::bank::day(u32::try_from(hub.app.clock.now().get().div_euclid(86_400) + 3).unwrap());
    assert_eq!(claire.post("/settlements/1/payment-file", &[("execute_on", &next)]).status, 422);
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    let route = "/api/settlements/{settlement}/payment-file";
    let (_, given) = program.get(route, "/api/settlements/1/payment-file");
    assert_eq!(Base64::decode_vec(given["base64"].as_str().unwrap()).unwrap(), file.body);
    let out = fund.dir.path().join("cli.xml");
    fund.json(&["settlement", "payment-file", "1", "--out", &out.display().to_string(), "--by", "Bo"]);
    assert_eq!(std::fs::read(out).unwrap(), file.body);
    fund.json(&["verify"]);
}

#[test]
fn who_changes_an_account_after_the_approval_does_not_pay_to_it_and_a_doubt_stops_the_file() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (mut claire, mut denis) = office(&fund, &hub);
    settled(&fund, &hub);
    hub.pass(60);
    let path = format!("/bank/accounts/shops/{BACHUT}");
    claire.get(&path);
    let other = [("iban", "DE89370400440532013000"), ("name", "Quelqu’un d’autre")];
    assert_eq!(claire.post(&path, &other).status, 303);
    let own = claire.post("/settlements/1/payment-file", &[]);
    assert!(own.status == 409 && says(&own, "une autre personne doit faire"), "{}", own.text());
    let refusal = format!("/settlements/1/shops/{BACHUT}/refusal");
    claire.get(&refusal);
    assert_eq!(claire.post(&refusal, &[("reason", "pas encore")]).status, 303);
    denis.get("/settlements/1");
    let doubtful = denis.post("/settlements/1/payment-file", &[]);
    assert!(doubtful.status == 409 && says(&doubtful, "ou retirez-le"), "{}", doubtful.text());
    assert_eq!(denis.post(&format!("{refusal}/withdraw"), &[]).status, 303);
    assert_eq!(denis.post("/settlements/1/payment-file", &[]).status, 303, "another person saw the new account");
    fund.json(&["verify"]);
}

#[test]
fn a_transfer_that_the_bank_refused_is_said_by_one_login_and_approved_by_another() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (mut claire, mut denis) = office(&fund, &hub);
    settled(&fund, &hub);
    claire.get("/settlements/1");
    assert_eq!(claire.post("/settlements/1/payment-file", &[]).status, 303);
    let path = format!("/settlements/1/shops/{BACHUT}/refusal");
    assert_eq!(claire.get("/settlements/1/shops/boulangerie-levain/refusal").status, 404);
    assert_eq!(claire.get(&path).status, 200);
    assert_eq!(claire.post(&path, &[("reason", "")]).status, 422);
    let approve = format!("{path}/approve");
    assert_eq!(claire.post(&approve, &[]).status, 409, "nobody said it yet");
    assert_eq!(claire.post(&path, &[("reason", "AC04 compte fermé")]).status, 303);
    assert_eq!(claire.post(&path, &[("reason", "AC04")]).status, 409, "said before");
    let own = claire.post(&approve, &[("said", "1")]);
    assert!(own.status == 409 && says(&own, "Une autre personne"), "{}", own.text());
    // It stands among all that waits for a second person, and leads there.
    for (client, own) in [(&mut claire, true), (&mut denis, false)] {
        let waiting = client.get("/approvals");
        assert!(
            says(&waiting, "AC04 compte fermé") && says(&waiting, &format!("href=\"{path}\"")),
            "{}",
            waiting.text()
        );
        assert_eq!(says(&waiting, "Vous l’avez proposé"), own, "{}", waiting.text());
        assert_eq!(says(&waiting, "Vérifier et approuver le refus"), !own, "{}", waiting.text());
    }
    let asked = denis.get(&path);
    assert!(says(&asked, "AC04 compte fermé") && says(&asked, "claire"), "{}", asked.text());
    assert!(says(&asked, "name=\"said\" value=\"1\""), "{}", asked.text());
    assert_eq!(denis.post(&format!("{path}/withdraw"), &[]).status, 303);
    assert_eq!(denis.post(&approve, &[("said", "1")]).status, 409, "it was taken back");
    assert_eq!(denis.post(&path, &[("reason", "AC04 compte fermé")]).status, 303);
    assert_eq!(claire.post(&approve, &[("said", "1")]).status, 409, "another word than the one that was seen");
    assert_eq!(claire.post(&approve, &[("said", "2")]).status, 303);
    assert_eq!(claire.post(&approve, &[("said", "2")]).status, 409, "once");
    assert!(!says(&claire.get("/approvals"), "AC04"), "nothing waits any more");
    let page = claire.get("/settlements/1");
    assert!(says(&page, "revenu, payé par un règlement suivant") && says(&page, "AC04"), "{}", page.text());
    let next = claire.get("/settlements/next");
    assert!(says(&next, "1 versements revenus, payés ici") && says(&next, "1,00\u{a0}€"), "{}", next.text());
    fund.json(&["verify"]);
}

#[test]
fn an_account_with_a_digit_off_is_told_and_the_log_has_no_whole_iban() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (mut claire, _) = office(&fund, &hub);
    let path = format!("/bank/accounts/shops/{BACHUT}");
    claire.get(&path);
    let fields = |iban: &'static str| [("name", "Biocoop du Bachut SARL"), ("iban", iban)];
    for (iban, told) in [
        ("FR1420041010050500013M02607", "un chiffre ou une lettre ne va pas"),
        ("FR142004101005050001", "trop court ou trop long"),
        ("FR1420041010050500013M0260!", "n’est pas un IBAN"),
        ("AE070331234567890123456", "virement SEPA"),
    ] {
        let answer = claire.post(&path, &fields(iban));
        assert!(answer.status == 422 && says(&answer, told) && says(&answer, "href=\"#iban\""), "{}", answer.text());
        assert!(says(&answer, &format!("value=\"{iban}\"")), "what was typed is kept");
    }
    assert_eq!(claire.post(&path, &[("name", ""), ("iban", SHOPS[0].1)]).status, 422);
    assert_eq!(claire.post("/bank/accounts/shops/nobody", &fields(SHOPS[0].1)).status, 404);
    assert_eq!(claire.post(&path, &fields("FR14 2004 1010 0505 0001 3M02 606")).status, 303);
    let own = [("name", "Caisse d’essai"), ("iban", OWN), ("bic", "AGRIFRPP"), ("pain", "03")];
    assert_eq!(claire.post("/bank/accounts/fund", &[("name", "x"), ("iban", OWN), ("pain", "9")]).status, 422);
    assert_eq!(claire.post("/bank/accounts/fund", &[("name", "x"), ("iban", OWN), ("bic", "!")]).status, 422);
    assert_eq!(claire.post("/bank/accounts/fund", &own).status, 303);
    let shown = claire.get("/bank/accounts");
    assert!(says(&shown, SHOPS[0].1) && says(&shown, OWN), "{}", shown.text());
    let log = claire.get("/audit").text();
    assert!(log.contains("FR14…2606") && log.contains("FR76…0189"), "{log}");
    assert!(!log.contains(SHOPS[0].1) && !log.contains(OWN) && !log.contains("3M02"), "{log}");
    // A shop sees which account is paid, and not the whole of it.
    let (_, mut shop) = Person::add(&fund, &hub, "bachut", "shop", Some(BACHUT));
    let shown = shop.get("/statements");
    assert!(says(&shown, "FR14…2606") && !says(&shown, SHOPS[0].1), "{}", shown.text());
    assert_eq!(shop.get("/bank/accounts").status, 403);
    fund.json(&["verify"]);
}

#[test]
fn an_import_says_how_many_open_entries_have_a_text_that_does_not_open() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (mut claire, _) = office(&fund, &hub);
    settled(&fund, &hub);
    let gift = |text: &str| format!("<TxDtls><RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>");
    let entries = [(1_000, gift("de F001")), (2_000, gift("de F002")), (3_000, gift("de F003"))];
    let file = statement(OWN, "EUR", &entries);
    claire.get("/bank");
    let done = claire.upload("/bank/statements", &[("once", "a")], "releve.xml", file.as_bytes());
    assert!(done.status == 200 && !says(&done, "ne se lit plus"), "{}", done.text());
    let damaged = rusqlite::Connection::open(fund.data_dir().join("hub.db")).unwrap();
    let damage = "DELETE FROM bank_texts WHERE entry = 2; INSERT INTO bank_texts (entry, sealed) VALUES (2, x'00')";
    damaged.execute_batch(damage).unwrap();
    drop(damaged);
    let again = claire.upload("/bank/statements", &[("once", "b")], "releve.xml", file.as_bytes());
    assert!(says(&again, "Le texte de 1 opération(s) ouverte(s) ne se lit plus"), "{}", again.text());
    let program = Program::add(&fund, &hub, "bank", "treasurer", None);
    let (_, report) = program.upload("/api/bank/statements", "/api/bank/statements", file.as_bytes());
    assert_eq!((&report["entries_unreadable"], &report["entries_open"]), (&json!(1), &json!(3)));
    let (_, open) = program.get("/api/bank/money-in", "/api/bank/money-in");
    let proposed = |entry: u64| {
        let entries = open["entries"].as_array().unwrap();
        let found = entries.iter().find(|one| one["entry"] == json!(entry)).unwrap();
        found["proposals"].as_array().unwrap().iter().any(|proposal| proposal["household"] == json!("F002"))
    };
    assert!(!proposed(2), "{open}");
    let found = fund.run(&["verify"]);
    let told = String::from_utf8_lossy(&found.stdout).into_owned() + &String::from_utf8_lossy(&found.stderr);
    assert!(!found.status.success() && told.contains("bank entry 2") && told.contains("does not open"), "{told}");
}

#[test]
fn a_statement_is_imported_once_and_what_does_not_match_is_matched_by_a_click() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (mut claire, _) = office(&fund, &hub);
    settled(&fund, &hub);
    claire.get("/settlements/1");
    assert_eq!(claire.post("/settlements/1/payment-file", &[]).status, 303);
    let order = claire.get("/settlements/1/payment-file").text();
    let ids: Vec<&str> = order.split("<EndToEndId>").skip(1).map(|part| part.split('<').next().unwrap()).collect();
    // The bank names one payment, forgets the reference of the other, and something came in.
    let gift = "<TxDtls><Refs/><RltdPties><Dbtr><Pty><Nm>Madame Personne</Nm></Pty></Dbtr></RltdPties></TxDtls>";
    let entries = [(-100, part(ids[0])), (-40, part("NOTPROVIDED")), (1_500, gift.to_owned())];
    let file = statement(OWN, "EUR", &entries);
    claire.get("/bank");
    let done = claire.upload("/bank/statements", &[("once", "a")], "releve.xml", file.as_bytes());
    assert!(done.status == 200 && says(&done, "1 – 1,00\u{a0}€"), "{}", done.text());
    let twice = claire.upload("/bank/statements", &[("once", "b")], "releve.xml", file.as_bytes());
    assert!(says(&twice, "avait déjà été importé"), "{}", twice.text());
    let program = Program::add(&fund, &hub, "bank", "treasurer", None);
    let (_, report) = program.upload("/api/bank/statements", "/api/bank/statements", file.as_bytes());
    assert_eq!(
        (&report["repeated"], &report["entries_added"], &report["entries_open"]),
        (&json!(1), &json!(0), &json!(2))
    );
    let page = claire.get("/bank");
    assert!(says(&page, &format!("value=\"1/{COMBE}\"")), "a proposal by its amount: {}", page.text());
    assert!(!says(&page, "Personne") && !says(&claire.get("/bank/entries/3"), "Personne"), "who paid in is not told");
    assert!(!says(&page, "Opération 1<"), "what is explained is not among what is open");
    assert!(says(&claire.get("/bank?show=all"), "Opération 1<"));
    let wrong = claire.post("/bank/entries/3/match", &[("payout", "1")]);
    assert!(wrong.status == 422, "what came in pays nothing: {}", wrong.text());
    assert_eq!(claire.post("/bank/entries/2/match", &[("payout", "x")]).status, 422);
    assert_eq!(claire.post("/bank/entries/2/match", &[("payout", &format!("1/{BACHUT}"))]).status, 422);
    assert_eq!(claire.post("/bank/entries/2/match", &[("payout", "1/nobody")]).status, 422);
    assert_eq!(claire.post("/bank/entries/77/match", &[("payout", "1")]).status, 404);
    let good = [("payout", format!("1/{COMBE}"))];
    let matched = post(&mut claire, "/bank/entries/2/match", &good);
    assert_eq!(claire.follow(&matched), "/bank");
    let again = post(&mut claire, "/bank/entries/2/match", &good);
    assert!(again.status == 409 && says(&again, "déjà expliquée"), "{}", again.text());
    assert!(says(&claire.get("/settlements"), "2 payés"));
    let (_, entry) = program.get("/api/bank/entries/{entry}", "/api/bank/entries/2");
    assert_eq!((&entry["state"], &entry["payouts"][0]["shop"]), (&json!("payouts"), &json!(COMBE)));
    fund.json(&["verify"]);
}

#[test]
fn a_statement_that_is_not_right_is_told_with_the_place_and_nothing_is_kept() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (mut claire, _) = office(&fund, &hub);
    settled(&fund, &hub);
    claire.get("/bank");
    let good = statement(OWN, "EUR", &[(500, part("a"))]);
    let program = Program::add(&fund, &hub, "bank", "admin", None);
    for (file, french, english) in [
        (
            statement(OWN, "USD", &[(500, part("a"))]),
            "n° 1 du relevé n° 1 n’est pas en euros",
            "Entry 1 of statement 1",
        ),
        (
            statement(SHOPS[0].1, "EUR", &[(500, part("a"))]),
            "n° 1 du fichier est celui d’un autre compte",
            "another account",
        ),
        (good.replace("1005.00", "1006.00"), "il manque 1.00 €", "1.00 € is missing"),
        (good.replace("</Stmt>", ""), "pas un relevé camt.053", "cannot be read"),
        (String::new(), "pas un relevé camt.053", "cannot be read"),
    ] {
        let answer = claire.upload("/bank/statements", &[], "releve.xml", file.as_bytes());
        assert!(answer.status == 422 && says(&answer, french), "{french}: {}", answer.text());
        assert!(says(&answer, "href=\"#file\""), "the summary leads to the field");
        let (status, refused) = program.upload("/api/bank/statements", "/api/bank/statements", file.as_bytes());
        assert_eq!((status, &refused["fields"][0]["field"]), (422, &json!("file")), "{refused}");
        assert!(refused["reason"].as_str().unwrap().contains(english), "{refused}");
    }
    assert_eq!(fund.json(&["bank", "list"]), json!([]));
    fund.json(&["verify"]);
}

#[test]
fn a_shop_sees_its_own_settlements_whatever_it_types() {
    let fund = Fund::example();
    let hub = fund.serve();
    paid(&fund, &hub);
    // In the second settlement only the other shop has something.
    sell(&fund, &hub, COMBE, 9, 30);
    fund.json(&["settlement", "close", "--by", "Ada", "--approved-by", "Bo"]);
    let (_, mut shop) = Person::add(&fund, &hub, "bachut", "shop", Some(BACHUT));
    let list = shop.get("/statements");
    assert!(says(&list, "Règlement 1") && !says(&list, "Règlement 2") && !says(&list, COMBE), "{}", list.text());
    assert!(says(&list, "<td>payé</td>"), "{}", list.text());
    let own = shop.get("/statements/1");
    assert!(says(&own, "1,00\u{a0}€") && !says(&own, "0,40") && !says(&own, COMBE), "{}", own.text());
    for path in [
        "/statements/2".to_owned(),
        "/statements/2/file".to_owned(),
        "/statements/77".to_owned(),
        format!("/statements/{COMBE}"),
    ] {
        let answer = shop.get(&path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        assert!(!says(&answer, "0,30"), "{path}");
    }
    for path in [
        format!("/settlements/1/shops/{COMBE}"),
        format!("/settlements/1/shops/{BACHUT}"),
        format!("/settlements/1/shops/{COMBE}/file"),
        "/settlements".to_owned(),
        "/settlements/1".to_owned(),
        "/settlements/1/payment-file".to_owned(),
        "/bank".to_owned(),
        format!("/statements/1?shop={COMBE}"),
    ] {
        let answer = shop.get(&path);
        assert_eq!(answer.status, if path.starts_with("/statements/1?") { 200 } else { 403 }, "{path}");
        assert!(!says(&answer, "0,40"), "{path}");
    }
    let file = shop.get("/statements/1/file");
    assert_eq!(file.header("content-type").as_deref(), Some("application/cose"));
    let name = format!("attachment; filename=\"reglement-1-{BACHUT}.cose\"");
    assert_eq!(file.header("content-disposition"), Some(name));
    let out = fund.dir.path().join("own.cose");
    let out_text = out.display().to_string();
    fund.json(&["settlement", "statement", "1", "--shop", BACHUT, "--out", &out_text]);
    assert_eq!(std::fs::read(out).unwrap(), file.body, "the same file that the shop's terminals check");
    let program = Program::add(&fund, &hub, "till", "shop", Some(BACHUT));
    let (_, own) = program.get("/api/statements/{settlement}", "/api/statements/1");
    assert_eq!((&own["sums"]["payout_cents"], &own["lines"].as_array().unwrap().len()), (&json!(100), &1));
    assert_eq!(program.get("/api/statements/{settlement}", "/api/statements/2").0, 404);
    let (_, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    let page = denis.get(&format!("/settlements/2/shops/{COMBE}"));
    assert!(page.status == 200 && says(&page, "0,30\u{a0}€"), "{}", page.text());
    assert_eq!(denis.get(&format!("/settlements/2/shops/{BACHUT}")).status, 404);
    fund.json(&["verify"]);
}

#[test]
fn the_accounting_export_is_given_for_a_year_and_the_log_says_to_whom() {
    let fund = Fund::example();
    {
        let hub = fund.serve();
        paid(&fund, &hub);
        let (_, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
        denis.get("/bank/fec");
        let answer = denis.post("/bank/fec", &[("year", "2026")]);
        assert!(answer.status == 422 && says(&answer, "SIREN du fonds manque"), "{}", answer.text());
    }
    let hub = fund.serve_with(|config: Config| Config { siren: Some("732829320".to_owned()), ..config });
    let (_, mut eva) = Person::add(&fund, &hub, "eva", "treasurer", None);
    let form = eva.get("/bank/fec");
    let year = form.text().split("name=\"year\" type=\"text\" value=\"").nth(1).unwrap()[..4].to_owned();
    for wrong in ["", "26", "1999", "deux mille"] {
        assert_eq!(eva.post("/bank/fec", &[("year", wrong)]).status, 422, "{wrong}");
    }
    let file = eva.post("/bank/fec", &[("year", &year)]);
    assert_eq!(file.status, 200, "{}", file.text());
    assert_eq!(file.header("content-type").as_deref(), Some("text/plain; charset=iso-8859-15"));
    let name = format!("attachment; filename=\"732829320FEC{year}1231.txt\"");
    assert_eq!(file.header("content-disposition"), Some(name));
    let export = common::binary(fund.dir.path())
        .env("CABAS_HUB_SIREN", "732829320")
        .args(["export", "fec", "--year", &year, "--out", &fund.dir.path().display().to_string()])
        .output()
        .unwrap();
    assert!(export.status.success());
    let written = std::fs::read(fund.dir.path().join(format!("732829320FEC{year}1231.txt"))).unwrap();
    assert_eq!(written, file.body);
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let log = claire.get("/audit").text();
    assert!(log.contains("<td>eva</td><td>export comptable fait</td>"), "{log}");
    assert_eq!(log.matches("export comptable fait").count(), 1, "what was refused is not in the log");
    let described = eva.get("/bank/fec/description");
    assert_eq!(described.header("content-type").as_deref(), Some("text/plain; charset=utf-8"));
    let head = String::from_utf8_lossy(&file.body).lines().next().unwrap().to_owned();
    for column in head.trim().split('\t') {
        assert!(described.text().contains(column), "{column} is not described");
    }
    fund.json(&["verify"]);
}

#[test]
fn no_token_prepares_approves_or_refuses() {
    let fund = Fund::example();
    let hub = fund.serve();
    settled(&fund, &hub);
    let token = fund.json(&["token", "add", "--name", "office", "--role", "admin"]);
    let token = token["token"].as_str().unwrap();
    for path in [
        "/api/settlements/next",
        "/api/settlements/next/approve",
        "/api/settlements/next/withdraw",
        "/api/settlements/1/shops/biocoop-bachut/refusal",
        "/api/settlements/1/shops/biocoop-bachut/refusal/approve",
        // A token opens no page either.
        "/settlements/next",
        "/settlements/next/approve",
    ] {
        let body = "{\"settlement\":2,\"preparation\":1,\"reason\":\"x\"}";
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let answer = http::exchange(hub.address, head.as_bytes());
        assert!(matches!(answer.status, 303 | 404 | 405), "{path}: {}", answer.status);
    }
    assert!(fund.json(&["settlement", "prepared"])["settlement"].is_null());
    fund.json(&["verify"]);
}
