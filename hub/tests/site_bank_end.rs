//! The bank's last holes on the pages and for programs: a gift is no returned payout by one person's word, a fee is set aside,
//! nobody reads in the file what the bank told.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a failed unwrap is the test's failure"
)]

use crate::common;

use common::bank::{OWN, SHOPS, batch, part, settled, statement};
use common::http::Answer;
use common::site::{Client, Person, Program};
use common::{Fund, Hub};
use serde_json::json;

const BACHUT: &str = SHOPS[0].0;

/// Claire runs the fund, Denis keeps its money.
fn office(fund: &Fund, hub: &Hub) -> (Client, Client) {
    let (_, claire) = Person::add(fund, hub, "claire", "admin", None);
    let (_, denis) = Person::add(fund, hub, "denis", "treasurer", None);
    (claire, denis)
}

fn says(answer: &Answer, text: &str) -> bool {
    answer.text().contains(text)
}

/// A credit in which a member is named.
fn gift(name: &str) -> String {
    format!(
        "<TxDtls><Refs><EndToEndId>VIR-{name}</EndToEndId></Refs><RltdPties><Dbtr><Pty><Nm>Mme {name}</Nm></Pty></Dbtr>\
         <DbtrAcct><Id><IBAN>BE68539007547034</IBAN></Id></DbtrAcct></RltdPties><RmtInf><Ustrd>de {name}</Ustrd></RmtInf></TxDtls>"
    )
}

/// Settlement 1 was paid as one, and these came or went: entries 2, 3, …
fn paid(fund: &Fund, hub: &Hub, client: &mut Client, more: &[(i64, String)]) -> Vec<String> {
    settled(fund, hub);
    client.get("/settlements/1");
    assert_eq!(client.post("/settlements/1/payment-file", &[]).status, 303);
    let order = client.get("/settlements/1/payment-file").text();
    let message = order.split("<PmtInfId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let ids = order.split("<EndToEndId>").skip(1).map(|part| part.split('<').next().unwrap().to_owned()).collect();
    let entries = [&[(-140, batch(&message))], more].concat();
    client.get("/bank");
    let file = statement(OWN, "EUR", &entries);
    let done = client.upload("/bank/statements", &[("once", "a")], "releve.xml", file.as_bytes());
    assert!(done.status == 200 && says(&done, "2 – 1,40\u{a0}€"), "{}", done.text());
    ids
}

#[test]
fn a_gift_is_called_a_returned_payout_by_two_logins_and_by_no_program() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (mut claire, mut denis) = office(&fund, &hub);
    let ids = paid(&fund, &hub, &mut claire, &[(100, gift("Personne")), (40, gift("Quidam"))]);
    let meant = [("payout", format!("1/{BACHUT}"))];
    let meant: Vec<_> = meant.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let page = claire.get("/bank/entries/2");
    assert!(says(&page, "C’est un versement revenu") && says(&page, "un don du même montant"), "{}", page.text());
    assert!(!says(&page, "Personne"), "who paid in is not told: {}", page.text());
    // A program's word does not count, whatever it says.
    let program = Program::add(&fund, &hub, "office", "admin", None);
    let route = "/api/bank/entries/{entry}/match";
    let sent = json!({ "payout": format!("1/{BACHUT}") });
    let (status, refused) = program.post(route, "/api/bank/entries/2/match", None, &sent);
    assert!(status == 422 && refused.to_string().contains("a program does not"), "{refused}");
    assert!(!program.document()["paths"].as_object().unwrap().keys().any(|path| path.contains("/approve")));
    // The command asks for a second name.
    let alone = fund.run(&["bank", "match", "2", "--settlement", "1", "--shop", BACHUT, "--by", "Ada"]);
    assert!(String::from_utf8_lossy(&alone.stderr).contains("it may be a gift"), "{alone:?}");
    let same = ["bank", "match", "2", "--settlement", "1", "--shop", BACHUT, "--by", "Ada", "--approved-by", "ada"];
    assert!(!fund.run(&same).status.success());
    assert_eq!(fund.json(&["settlement", "payouts", "1"])[0]["state"], "paid");
    // One login says so, and says it again; another one approves.
    let said = claire.post("/bank/entries/2/match", &meant);
    assert_eq!(claire.follow(&said), "/approvals");
    let again = claire.post("/bank/entries/2/match", &meant);
    assert!(again.status == 422 && says(&again, "déjà dit de cette opération"), "{}", again.text());
    assert!(says(&claire.get("/bank/entries/2"), "une autre personne doit être d’accord"));
    let own = claire.post("/approvals/return/1/approve", &[]);
    assert!(own.status == 409 && says(&own, "Une autre personne"), "{}", own.text());
    let (_, waits) = program.get("/api/approvals", "/api/approvals");
    let about = &waits["waiting"][0]["about"];
    assert_eq!((&about["matter"], &about["cents"], &about["entry"]), (&json!("return"), &json!(100), &json!(2)));
    let asked = denis.get("/approvals");
    assert!(
        says(&asked, "Versement revenu") && says(&asked, "claire") && !says(&asked, "Personne"),
        "{}",
        asked.text()
    );
    assert_eq!(denis.post("/approvals/return/1/refuse", &[]).status, 303);
    assert_eq!(denis.post("/bank/entries/2/match", &meant).status, 303);
    assert_eq!(denis.post("/approvals/return/2/approve", &[]).status, 409);
    claire.get("/approvals");
    assert_eq!(claire.post("/approvals/return/2/approve", &[]).status, 303);
    assert_eq!(claire.post("/approvals/return/2/approve", &[]).status, 409, "once");
    assert!(says(&claire.get("/settlements/1"), "revenu, payé par un règlement suivant"));
    let log = claire.get("/audit").text();
    for deed in ["versement dit revenu", "versement revenu approuvé", "versement revenu refusé ou retiré"] {
        assert!(log.contains(deed), "{deed} is missing in {log}");
    }
    assert!(!log.contains("Personne"));
    // What names the payment is one person's word, and is told.
    let returned = format!("<TxDtls><RmtInf><Ustrd>RETOUR {}</Ustrd></RmtInf></TxDtls>", ids[1]);
    let file = statement(OWN, "EUR", &[(40, returned)]);
    claire.get("/bank");
    claire.upload("/bank/statements", &[("once", "b")], "releve.xml", file.as_bytes());
    let (status, _) = program.post(route, "/api/bank/entries/4/match", None, &json!({ "payout": "1" }));
    assert_eq!(status, 422, "no program says that something came back");
    let alone = claire.post("/bank/entries/4/match", &[("payout", "1")]);
    assert_eq!(claire.follow(&alone), "/bank");
    assert_eq!(fund.json(&["settlement", "payouts", "1"])[1]["state"], "back");
    fund.json(&["verify"]);
}

#[test]
fn a_fee_is_set_aside_with_a_reason_and_taken_up_again() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (mut claire, mut denis) = office(&fund, &hub);
    paid(&fund, &hub, &mut claire, &[(-7, part("NOTPROVIDED")), (100, gift("Personne"))]);
    let page = denis.get("/bank/entries/2");
    assert!(says(&page, "Mettre de côté") && !says(&denis.get("/bank/entries/3"), "set-aside"), "{}", page.text());
    denis.get("/bank/entries/2");
    let none = denis.post("/bank/entries/2/set-aside", &[("reason", " ")]);
    assert!(none.status == 422 && says(&none, "href=\"#reason\""), "{}", none.text());
    let aside = denis.post("/bank/entries/2/set-aside", &[("reason", "frais de tenue de compte")]);
    assert_eq!(denis.follow(&aside), "/bank/entries/2");
    let page = denis.get("/bank/entries/2");
    assert!(says(&page, "mise de côté") && says(&page, "frais de tenue de compte (denis"), "{}", page.text());
    assert!(!says(&denis.get("/bank"), "Opération 2<") && says(&denis.get("/bank?show=all"), "Opération 2<"));
    let twice = denis.post("/bank/entries/2/set-aside", &[("reason", "x")]);
    assert!(twice.status == 409 && says(&twice, "déjà expliquée"), "{}", twice.text());
    denis.get("/bank/entries/3");
    let credit = denis.post("/bank/entries/3/set-aside", &[("reason", "x")]);
    assert!(credit.status == 422 && says(&credit, "Cet argent est entré"), "{}", credit.text());
    assert_eq!(denis.post("/bank/entries/1/set-aside", &[("reason", "x")]).status, 409, "it is a payout");
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    let (status, up) = program.post(
        "/api/bank/entries/{entry}/take-up",
        "/api/bank/entries/2/take-up",
        None,
        &json!({ "reason": "à revoir" }),
    );
    assert_eq!((status, &up["is_aside"]), (200, &json!(false)), "{up}");
    let (_, entry) = program.get("/api/bank/entries/{entry}", "/api/bank/entries/2");
    assert_eq!((&entry["state"], &entry["asides"][0]["reason"]), (&json!("open"), &json!("à revoir")));
    let listed = fund.json(&["bank", "set-aside", "2", "--reason", "frais", "--by", "Bo"]);
    assert!(!listed.as_array().unwrap().iter().any(|line| line["entry"] == 2), "{listed}");
    let log = claire.get("/audit").text();
    assert!(log.contains("opération mise de côté") && log.contains("opération reprise"), "{log}");
    assert!(!log.contains("frais de tenue"), "the reason stands with the entry alone");
    fund.json(&["verify"]);
}

#[test]
fn nobody_reads_in_the_file_what_the_bank_told_and_a_start_seals_what_was_told_before() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (mut claire, _) = office(&fund, &hub);
    paid(&fund, &hub, &mut claire, &[(1_500, gift("Personne")), (-200, gift("Quidam").replace("Dbtr", "Cdtr"))]);
    let has = |text: &str| {
        let name = fund.data_dir().join("hub.db");
        let log = std::fs::read(name.with_extension("db-wal")).unwrap_or_default();
        let bytes = [std::fs::read(&name).unwrap(), log].concat();
        assert!(bytes.windows(8).any(|window| window == b"biocoop-"), "the right file is looked at");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    for text in ["Personne", "Quidam", "BE68539007547034", "VIR-"] {
        assert!(!has(text), "{text} can be read");
    }
    // To whom money went is told to who works with the bank, who paid in is not.
    assert!(says(&claire.get("/bank/entries/3"), "Mme Quidam"));
    let page = claire.get("/bank/entries/2");
    assert!(!says(&page, "Personne") && !says(&page, "VIR-"), "{}", page.text());
    drop(hub);
    // As a hub of before kept it.
    let old = rusqlite::Connection::open(fund.data_dir().join("hub.db")).unwrap();
    old.execute_batch(
        "DELETE FROM bank_texts WHERE entry = 2;
         INSERT INTO bank_entry_parts VALUES (2, 0, 1500, NULL, 'VIR-Personne', NULL, 'Mme Personne', 'BE68539007547034', 'de F001');",
    )
    .unwrap();
    drop(old);
    assert!(has("Mme Personne"));
    let hub = fund.serve();
    for text in ["Personne", "BE68539007547034", "VIR-", "de F001"] {
        assert!(!has(text), "{text} can be read");
    }
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    let (_, open) = program.get("/api/bank/money-in", "/api/bank/money-in");
    assert_eq!(open["entries"][0]["proposals"][0]["household"], "F001", "it is matched all the same: {open}");
    // It goes with the household.
    fund.json(&["bank", "match", "2", "--contribution", "F001", "--by", "Bo"]);
    fund.json(&["household", "leave", "F001"]);
    fund.json(&["household", "erase", "F001", "--by", "Ada"]);
    let (_, entry) = program.get("/api/bank/entries/{entry}", "/api/bank/entries/2");
    assert_eq!(entry["parts"][0]["remittance"], json!(null));
    fund.json(&["verify"]);
}
