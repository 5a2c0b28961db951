//! Households, cards and imports on the site: what is shown to whom, what is refused, and what is done once.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use crate::common;

use cabas_protocol::Version;
use cabas_protocol::row::{ListApplied, RowBody};
use common::site::{Client, Person, Program};
use common::{Fund, Hub};
use serde_json::{Value, json};

const NAME: &str = "Zoé Dupré-Quelconque";
const HEADER: &str = "household,size,children_under_14,contribution_cents\n";

/// A fund with names in two households, and an admin.
fn fund() -> (Fund, Hub, Client) {
    let fund = Fund::example();
    let file = fund.dir.path().join("members.csv");
    common::write(&file, &format!("household,member\nF001,{NAME}\nF001,Al\nF002,Bo\n"));
    fund.json(&["import", file.to_str().unwrap()]);
    fund.json(&["credit", "run", "--period", "2026-11", "--source", "Ville", "--book"]);
    let hub = fund.serve();
    let (_, claire) = Person::add(&fund, &hub, "claire", "admin", None);
    (fund, hub, claire)
}

fn stands_in_no_file(fund: &Fund, what: &str) {
    for entry in std::fs::read_dir(fund.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        let has = |bytes: &[u8]| bytes.windows(10).any(|window| window == b"Quelconque");
        assert!(!path.is_file() || !has(&std::fs::read(&path).unwrap()), "{what}: {path:?}");
    }
}

fn ended(program: &Program, work: &Value) -> Value {
    let ended = (0..200).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let (_, value) = program.get("/api/works/{work}", &format!("/api/works/{work}"));
        (value["state"] != "open").then_some(value)
    });
    ended.unwrap()
}

#[test]
fn a_loss_reported_by_phone_takes_three_clicks_from_the_front_page() {
    let (fund, hub, mut claire) = fund();
    let code = fund.code("biocoop-bachut");
    let mut terminal = common::terminal::Terminal::enrol(&hub, &code, 1);
    terminal.sync(&hub, 0);
    let front = claire.get("/dashboard").text();
    assert!(front.contains("href=\"/cards/lost\""), "{front}");
    let mut clicks = 0;
    let mut click = |method: &str, path: &str, fields: &[(&str, &str)]| {
        clicks += 1;
        if method == "GET" { claire.get(path) } else { claire.post(path, fields) }
    };
    click("GET", "/cards/lost", &[]);
    let found = click("POST", "/cards/lost", &[("search", "dupre-q")]).text();
    assert!(found.contains(NAME) && found.contains("action=\"/cards/1/block\""), "{found}");
    assert!(!found.contains("Bo<"), "another household is not shown");
    let blocked = click("POST", "/cards/1/block", &[]);
    assert_eq!((blocked.status, blocked.header("location").as_deref()), (303, Some("/cards/1")));
    assert_eq!(clicks, 3);
    let card = claire.get("/cards/1").text();
    for said in
        ["bloquée depuis", "Rien n’est retenu", "Biocoop du Bachut", "ne la refusent pas encore", "règle est éteinte"]
    {
        assert!(card.contains(said), "{said} is missing in {card}");
    }
    assert!(!claire.get("/audit").text().contains("Quelconque"));
    // By number and by code, too; blocked again it stays as it is.
    let version = fund.json(&["card", "block", "--card-number", "1"])["hot_list_version"].clone();
    for search in ["1", "F001", "n° 1"] {
        assert!(claire.post("/cards/lost", &[("search", search)]).text().contains("href=\"/cards/1\""), "{search}");
    }
    claire.post("/cards/1/block", &[]);
    assert_eq!(fund.json(&["card", "block", "--card-number", "1"])["hot_list_version"], version);
    let empty = claire.post("/cards/lost", &[("search", " ")]);
    assert!(empty.status == 422 && empty.text().contains("href=\"#search\""));
    assert!(claire.post("/cards/lost", &[("search", "nobody at all")]).text().contains("Rien ne correspond"));
    assert_eq!(claire.get("/cards/999999").status, 404);
    assert_eq!(claire.post("/cards/999999/block", &[]).status, 404);
    fund.json(&["verify"]);
}

#[test]
fn names_are_for_admins_and_stand_in_no_file_no_address_and_no_log() {
    let (fund, hub, mut claire) = fund();
    let (_, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    let page = claire.get("/households/F001").text();
    assert!(page.contains(NAME) && page.contains("crédit du mois"), "{page}");
    for text in [
        denis.get("/households/F001").text(),
        denis.get("/households").text(),
        denis.get("/cards/lost").text(),
        denis.post("/cards/lost", &[("search", "Quelconque")]).text(),
        denis.post("/cards/lost", &[("search", "F001")]).text(),
    ] {
        assert!(!text.contains("Dupr") && !text.contains(">Al<"), "{text}");
    }
    assert_eq!(claire.post("/households/F001/members", &[("name", " Éva Quelconque ")]).status, 303);
    assert!(claire.get("/households/F001").text().contains("Éva Quelconque"));
    let again = claire.post("/households/F001/members", &[("name", "Éva Quelconque")]);
    assert!(again.status == 422 && again.text().contains("déjà là"), "{}", again.text());
    for bad in ["", " ", &"x".repeat(65), "a\u{7}b"] {
        assert_eq!(claire.post("/households/F001/members", &[("name", bad)]).status, 422, "{bad:?}");
    }
    assert_eq!(claire.post("/households/F999/members", &[("name", "x")]).status, 404);
    let office = Program::add(&fund, &hub, "office", "admin", None);
    let money = Program::add(&fund, &hub, "money", "treasurer", None);
    let (_, household) = office.get("/api/households/{household}", "/api/households/F001");
    let members = household["members"].as_array().unwrap();
    assert_eq!(members.len(), 3);
    assert!(money.get("/api/households/{household}", "/api/households/F001").1.get("members").is_none());
    let search = money.post("/api/cards/lost", "/api/cards/lost", None, &json!({ "search": "F001" })).1;
    assert!(
        search["households"][0].get("names").is_none() && search["households"][0]["household"] == "F001",
        "{search}"
    );
    let last = members[2]["member"].as_u64().unwrap();
    assert_eq!(claire.post(&format!("/households/F002/members/{last}/remove"), &[]).status, 404);
    assert_eq!(claire.post(&format!("/households/F001/members/{last}/remove"), &[]).status, 303);
    assert!(!claire.get("/households/F001").text().contains("Éva"));
    let log = claire.get("/audit").text();
    assert!(log.contains("nom ajouté") && log.contains("nom retiré") && !log.contains("Quelconque"), "{log}");
    stands_in_no_file(&fund, "kept");
    fund.json(&["verify"]);
}

#[test]
fn a_household_comes_changes_leaves_and_is_forgotten_and_the_books_stay() {
    let (fund, _hub, mut claire) = fund();
    claire.get("/households/new");
    let bad = [("household", "F 1"), ("size", "2"), ("children_under_14", "2"), ("contribution", "beaucoup")];
    let page = claire.post("/households", &bad);
    let text = page.text();
    assert_eq!(page.status, 422);
    for said in ["href=\"#size\"", "href=\"#contribution\"", "value=\"beaucoup\"", "value=\"F 1\""] {
        assert!(text.contains(said), "{said} is missing in {text}");
    }
    let new = |code: &'static str, contribution: &'static str| {
        [("household", code), ("size", "3"), ("children_under_14", "1"), ("contribution", contribution), ("once", "a")]
    };
    for (sent, field) in
        [(new("F001", "12,50"), "household"), (new("F 1", ""), "household"), (new("G1", "2"), "contribution")]
    {
        let page = claire.post("/households", &sent);
        assert!(page.status == 422 && page.text().contains(&format!("href=\"#{field}\"")), "{sent:?} {}", page.text());
    }
    let added = claire.post("/households", &new("G1", "1 012,50 €"));
    assert_eq!((added.status, added.header("location").as_deref()), (303, Some("/households/G1")));
    assert_eq!(claire.post("/households", &new("G1", "1 012,50 €")).status, 303, "sent twice it is done once");
    assert_eq!(fund.json(&["household", "show", "G1"])["contribution_cents"], 101_250);
    assert!(claire.get("/households?show=without-card").text().contains("href=\"/households/G1\""));
    assert!(!claire.get("/households?show=left").text().contains("href=\"/households/G1\""));

    // More people, from a month on that was credited: another person books the difference.
    let grown = [("size", "3"), ("children_under_14", "1"), ("contribution", "4"), ("since", "2026-11")];
    assert!(claire.get("/households/F001/change").text().contains("value=\"4,00\""));
    assert_eq!(claire.post("/households/F001/change", &[("size", "3"), ("since", "novembre")]).status, 422);
    assert_eq!(claire.post("/households/F001/change", &grown).status, 303);
    let corrections = fund.json(&["correction", "list"]);
    assert_eq!((&corrections[0]["proposed_by"], &corrections[0]["more_cents"]), (&json!("claire"), &json!(7_500)));
    assert_eq!(fund.json(&["household", "show", "F001"])["size"], 3);

    let ask = claire.get("/households/F001/leave").text();
    assert!(ask.contains("libres reviennent au fonds") && ask.contains("1 carte(s)"), "{ask}");
    assert!(claire.get("/households/F001/erase").text().contains("n’est pas parti"));
    assert_eq!(claire.post("/households/F001/erase", &[]).status, 409);
    assert_eq!(claire.post("/households/F001/leave", &[]).status, 303);
    assert_eq!(claire.post("/households/F001/return", &[]).status, 303);
    assert_eq!(claire.post("/households/F001/leave", &[]).status, 303);
    let page = claire.get("/households/F001").text();
    assert!(page.contains("Ce foyer est parti") && page.contains("carte bloquée"), "{page}");
    let ask = claire.get("/households/F001/erase").text();
    assert!(ask.contains("2 nom(s)") && ask.contains("restent"), "{ask}");
    assert_eq!(claire.post("/households/F001/erase", &[]).status, 303);
    assert_eq!(claire.post("/households/F001/erase", &[]).status, 409);
    assert_eq!(claire.post("/households/F001/return", &[]).status, 409);
    assert_eq!(claire.post("/households/F001/members", &[("name", "x")]).status, 409);
    assert_eq!(claire.post("/households/F001/change", &grown).status, 409);
    assert_eq!(fund.json(&["household", "show", "F001"])["contribution_cents"], json!(null));
    assert!(!claire.get("/households/F001").text().contains("Quelconque"));
    assert!(claire.get("/households?show=left").text().contains("effacé"));
    fund.json(&["verify"]);
}

#[test]
fn cards_are_given_replaced_and_unblocked_and_a_purse_card_says_what_it_holds() {
    let (fund, hub, mut claire) = fund();
    claire.get("/households/F001/cards/new");
    let issue = |kind: &'static str, number: &'static str, uid: &'static str, terminal: &'static str| {
        [("kind", kind), ("card_number", number), ("uid", uid), ("terminal", terminal)]
    };
    for (sent, field) in [
        (issue("plain", "x", "04aabbccddeeff", ""), "card_number"),
        (issue("plain", "1", "04aabbccddeeff", ""), "card_number"),
        (issue("plain", "901", "04aabb", ""), "uid"),
        (issue("plain", "901", "08aabbcc", ""), "uid"),
        (issue("purse", "901", "", ""), "terminal"),
        (issue("purse", "901", "", "77"), "terminal"),
    ] {
        let page = claire.post("/households/F001/cards", &sent);
        assert!(page.status == 422 && page.text().contains(&format!("href=\"#{field}\"")), "{sent:?} {}", page.text());
    }
    assert_eq!(claire.post("/households/F001/cards", &issue("plain", "901", "04:aa:bb:cc:dd:ee:ff", "")).status, 303);
    assert_eq!(claire.post("/households/F999/cards", &issue("plain", "902", "04aabbccddee01", "")).status, 404);
    let replaced = claire.post("/cards/901/replace", &[("card_number", "902"), ("uid", "04aabbccddee02")]);
    assert_eq!(replaced.status, 303, "{}", replaced.text());
    assert_eq!(claire.post("/cards/901/replace", &[("card_number", "902"), ("uid", "04aabbccddee03")]).status, 422);
    let page = claire.get("/cards/901").text();
    assert!(page.contains("bloquée depuis") && page.contains("Tous les terminaux refusent"), "{page}");
    assert_eq!(claire.post("/cards/901/unblock", &[]).status, 303);
    assert!(claire.get("/cards/901").text().contains("utilisable"));
    // What needs a reader is allowed there for a while.
    let code = fund.code("biocoop-bachut");
    let given = claire.post("/households/F001/cards", &issue("identity", "903", "", "1"));
    assert!(given.text().contains("cabas-agent card issue --card-number 903"), "{}", given.text());
    // A purse card's money is held while a terminal may not know, and goes back when none is left that does not.
    fund.json(&["card", "add-purse", "--card-number", "904", "--uid", "04aabbccddee04", "--household", "F001"]);
    let mut terminal = common::terminal::Terminal::enrol(&hub, &code, 1);
    terminal.sync(&hub, 0);
    let office = Program::add(&fund, &hub, "office", "admin", None);
    let card = || office.get("/api/cards/{card}", "/api/cards/904").1;
    let left = card()["left_cents"].as_u64().unwrap();
    assert!(left > 0);
    assert!(claire.get("/cards/904/replace").text().contains("sont sur cette carte"));
    let (_, blocked) = office.post("/api/cards/{card}/block", "/api/cards/904/block", None, &json!({}));
    let held = card();
    assert_eq!((held["left_cents"].as_u64(), held["can_spend_cents"].as_u64()), (Some(left), Some(left)), "{held}");
    assert_eq!((&held["unaware"][0]["terminal"], &held["released_cents"]), (&json!(1), &json!(null)), "{held}");
    assert!(claire.get("/cards/904").text().contains("Encore retenu sur la carte"));
    let allowed = claire.post("/cards/904/reader", &[("verb", "retire"), ("terminal", "1")]);
    assert!(allowed.text().contains("cabas-agent card retire --card-number 904"), "{}", allowed.text());
    // The terminal tells that it applied the list: the next look gives the money back.
    let version = Version::new(u32::try_from(blocked["hot_list_version"].as_u64().unwrap()).unwrap());
    terminal.write(RowBody::ListApplied(ListApplied { version }));
    terminal.sync(&hub, 0);
    office.post("/api/cards/{card}/block", "/api/cards/904/block", None, &json!({}));
    let released = card();
    assert_eq!((released["released_cents"].as_u64(), &released["unaware"]), (Some(left), &json!([])), "{released}");
    assert!(claire.get("/cards/904").text().contains("Rendu au foyer"));
    assert_eq!(claire.post("/cards/904/unblock", &[]).status, 409);
    let log = claire.get("/audit").text();
    assert!(log.contains("carte donnée") && !log.to_lowercase().contains("04aabb"), "{log}");
    fund.json(&["verify"]);
}

#[test]
fn an_import_is_looked_at_first_and_booked_as_it_was_looked_at_once() {
    let (fund, hub, mut claire) = fund();
    let office = Program::add(&fund, &hub, "office", "admin", None);
    claire.get("/imports");
    let upload =
        |claire: &mut Client, text: &str| claire.upload("/imports", &[], "Dupré-Quelconque.csv", text.as_bytes());
    // Every bad line with its number and column; nothing is kept.
    let bad = upload(&mut claire, &format!("{HEADER}G1,2,2,400\nG2,x,0,400\nG3,1,0,12\nG 4,1,0,100\n"));
    let text = bad.text();
    assert_eq!(bad.status, 422);
    for said in [
        "<td class=\"number\">2</td>",
        "14 ans ou plus",
        "<td class=\"number\">3</td>",
        "de 1 à 30",
        "contribution_cents",
    ] {
        assert!(text.contains(said), "{said} is missing in {text}");
    }
    let refused = office.upload("/api/imports", "/api/imports", b"household,member\nF001,\nF 1,Zoe\n");
    assert_eq!((refused.0, &refused.1["fields"][0]["field"]), (422, &json!("line 2, member")), "{refused:?}");
    assert_eq!(office.get("/api/imports", "/api/imports").1["imports"], json!([]));

    let first = upload(&mut claire, &format!("{HEADER}G1,2,1,400\nF001,4,1,400\nF002,4,2,16000\n"));
    assert_eq!(first.header("location").as_deref(), Some("/imports/1"), "{}", first.text());
    let page = claire.get("/imports/1").text();
    assert!(page.contains("4 personne(s), dont 1 de moins de 14 ans") && page.contains("nouveau"), "{page}");
    let preview = || office.get("/api/imports/{import}", "/api/imports/1").1;
    let seen = preview();
    assert_eq!((&seen["added"], &seen["changed"], &seen["same"]), (&json!(1), &json!(1), &json!(1)), "{seen}");
    assert_eq!(fund.json(&["household", "show", "F001"])["size"], 2, "a preview books nothing");
    // The fund changes under it: it is shown again.
    fund.json(&["household", "change", "F002", "--size", "5"]);
    let fingerprint = seen["fingerprint"].as_str().unwrap();
    let stale = claire.post("/imports/1/confirm", &[("fingerprint", fingerprint)]);
    assert!(stale.status == 422 && stale.text().contains("Le fonds a changé"), "{}", stale.text());
    assert_eq!(fund.json(&["household", "show", "F001"])["size"], 2);
    let seen = preview();
    assert_eq!((&seen["changed"], &seen["same"]), (&json!(2), &json!(0)));
    let confirm = json!({ "fingerprint": seen["fingerprint"] });
    let ask = || office.post("/api/imports/{import}/confirm", "/api/imports/1/confirm", None, &confirm);
    let (status, asked) = ask();
    assert_eq!(status, 200, "{asked}");
    let done = ended(&office, &asked["work"]);
    assert_eq!(
        (&done["state"], &done["result"]["added"], &done["result"]["changed"]),
        (&json!("done"), &json!(1), &json!(2)),
        "{done}"
    );
    assert_eq!(fund.json(&["household", "show", "F001"])["size"], 4);
    assert_eq!(ask().0, 409, "it was imported");
    assert_eq!(preview()["state"], "imported");
    fund.json(&["verify"]);
}

#[test]
fn a_file_confirmed_twice_is_imported_once_and_one_that_does_not_fit_is_put_away() {
    let (fund, hub, mut claire) = fund();
    let office = Program::add(&fund, &hub, "office", "admin", None);
    claire.get("/imports");
    let upload = |claire: &mut Client, text: &str| claire.upload("/imports", &[], "names.csv", text.as_bytes());
    // Two confirmations of one file: one of them comes too late.
    let names = format!("household,member\nF003,{NAME}\n");
    assert_eq!(upload(&mut claire, &names).status, 303);
    stands_in_no_file(&fund, "waits");
    let (_, seen) = office.get("/api/imports/{import}", "/api/imports/1");
    let confirm = json!({ "fingerprint": seen["fingerprint"] });
    let works: Vec<Value> = (0..2)
        .map(|_| office.post("/api/imports/{import}/confirm", "/api/imports/1/confirm", None, &confirm))
        .filter_map(|(status, asked)| (status == 200).then(|| ended(&office, &asked["work"])))
        .collect();
    assert_eq!(works.iter().filter(|work| work["state"] == "done").count(), 1, "{works:?}");
    assert!(claire.get("/households/F003").text().contains(NAME));

    // What does not fit the fund is told by its line; nothing of it is imported, and it can be put away.
    let cards =
        "card_number,uid_hex,household\n801,04aabbccddee11,F001\n802,04aabbccddee12,NONE\n1,04aabbccddee13,F001\n";
    assert_eq!(upload(&mut claire, cards).status, 303);
    let page = claire.get("/imports/2").text();
    for said in ["<td class=\"number\">3</td>", "Le foyer NONE", "<td class=\"number\">4</td>", "Le numéro 1 est déjà"]
    {
        assert!(page.contains(said), "{said} is missing in {page}");
    }
    assert!(!page.contains("/imports/2/confirm"));
    let (_, seen) = office.get("/api/imports/{import}", "/api/imports/2");
    let confirm = json!({ "fingerprint": seen["fingerprint"] });
    assert_eq!(office.post("/api/imports/{import}/confirm", "/api/imports/2/confirm", None, &confirm).0, 422);
    assert_eq!(claire.post("/imports/2/put-away", &[]).status, 303);
    assert_eq!(claire.post("/imports/2/put-away", &[]).status, 409);
    assert_eq!(claire.get("/cards/801").status, 404);
    // So many files wait, and no more.
    let statuses: Vec<u16> = (0..17).map(|_| upload(&mut claire, &names).status).collect();
    assert_eq!((statuses[15], statuses[16]), (303, 409), "{statuses:?}");
    assert!(!claire.get("/audit").text().contains("Quelconque"));
    stands_in_no_file(&fund, "imported");
    fund.json(&["verify"]);
}

#[test]
fn an_import_goes_on_after_a_restart_and_is_done_once() {
    let (fund, mut hub, _) = fund();
    let rows: String = (0..3_000).map(|row| format!("G{row},2,1,400\n")).collect();
    let office = Program::add(&fund, &hub, "office", "admin", None);
    let (status, uploaded) = office.upload("/api/imports", "/api/imports", format!("{HEADER}{rows}").as_bytes());
    assert_eq!((status, &uploaded["import"]), (200, &json!(1)), "{uploaded}");
    let seen = office.get("/api/imports/{import}", "/api/imports/1").1;
    assert_eq!((&seen["added"], seen["changes"].as_array().unwrap().len()), (&json!(3_000), 1_000));
    let confirm = json!({ "fingerprint": seen["fingerprint"] });
    let (_, asked) = office.post("/api/imports/{import}/confirm", "/api/imports/1/confirm", None, &confirm);
    hub.stop();
    let hub = fund.serve();
    let office = Program::add(&fund, &hub, "office again", "admin", None);
    let done = ended(&office, &asked["work"]);
    assert_eq!((&done["state"], &done["result"]["added"]), (&json!("done"), &json!(3_000)), "{done}");
    assert_eq!(office.get("/api/imports/{import}", "/api/imports/1").1["state"], "imported");
    assert_eq!(fund.json(&["household", "list"]).as_array().unwrap().len(), 3_108);
    // The list is told page by page, each household once.
    let (mut seen, mut after) = (std::collections::BTreeSet::new(), String::new());
    loop {
        let page = office.get("/api/households", &format!("/api/households?after={after}")).1;
        let lines = page["households"].as_array().unwrap();
        assert!(lines.len() <= 100);
        seen.extend(lines.iter().map(|line| line["household"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_after"].as_str() else { break };
        next.clone_into(&mut after);
    }
    assert_eq!(seen.len(), 3_108);
    fund.json(&["verify"]);
}
