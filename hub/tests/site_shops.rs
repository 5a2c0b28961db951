//! The pages and the API of shops, grids and terminals.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a failed unwrap is the test's failure"
)]

use crate::common;

use cabas_protocol::sign::sha256;
use common::site::{Client, Person, Program};
use common::terminal::Terminal;
use common::{Fund, Hub};
use serde_json::{Value, json};

const SHOP: &str = "biocoop-bachut";
const STEP: &str = "/api/shops/{shop}/steps/{step}";

const PROPOSAL: [(&str, &str); 5] = [
    ("shop", "ferme-des-oeillets"),
    ("name", "Ferme des <Œillets>"),
    ("kind", "market-gardener"),
    ("questionnaire", "producer"),
    ("words", "Proposée par Ada\r\nles légumes du samedi"),
];

fn propose(client: &mut Client) -> common::http::Answer {
    client.upload("/shops", &PROPOSAL, "", b"")
}

/// Does a step, which must be taken.
fn step(client: &mut Client, step: &str, fields: &[(&str, &str)]) {
    let answer = client.upload(&format!("/shops/ferme-des-oeillets/steps/{step}"), fields, "", b"");
    assert_eq!(answer.status, 303, "{step}: {}", answer.text());
}

fn stage(fund: &Fund) -> Value {
    fund.json(&["joining", "show", "ferme-des-oeillets"])["stage"].clone()
}

#[test]
fn a_shop_joins_by_the_pages_step_by_step_with_its_documents() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let (_, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    denis.get("/shops");
    assert_eq!(propose(&mut denis).header("location").unwrap(), "/shops/ferme-des-oeillets");
    let page = denis.get("/shops/ferme-des-oeillets").text();
    assert!(page.contains("Ferme des &#60;Œillets&#62;") && page.contains("Proposée par Ada\nles légumes"), "{page}");
    assert!(
        page.contains("Avant l’ouverture") && !page.contains("/steps/pair"),
        "a treasurer proposes, no more: {page}"
    );
    assert_eq!(denis.get("/shops/ferme-des-oeillets/steps/pair").status, 403);
    let page = claire.get("/shops/ferme-des-oeillets").text();
    assert!(
        page.contains("/steps/pair\"") && !page.contains("/steps/visit\""),
        "only what may follow is offered: {page}"
    );

    let visit = "/shops/ferme-des-oeillets/steps/visit";
    let answer = claire.get(visit);
    assert!(answer.status == 409 && answer.text().contains("ne suit pas"), "{}", answer.text());
    claire.get("/shops/ferme-des-oeillets/steps/pair");
    let alone =
        claire.upload("/shops/ferme-des-oeillets/steps/pair", &[("member1", "Bo"), ("member2", "bo ")], "", b"");
    assert!(alone.status == 422 && alone.text().contains("deux ou trois personnes"), "{}", alone.text());
    step(&mut claire, "pair", &[("member1", "Bo"), ("member3", "Cy")]);

    a_visit_is_noted_by_its_questionnaire(&fund, &mut claire, visit);
    step(&mut claire, "present", &[]);
    assert_eq!(claire.upload("/shops/ferme-des-oeillets/steps/object", &[], "", b"").status, 422, "a reason is needed");
    step(&mut claire, "object", &[("words", "trop loin")]);
    step(&mut claire, "present", &[]);
    step(&mut claire, "amend", &[("words", "un an à l’essai")]);
    step(&mut claire, "consent", &[]);
    step(&mut claire, "sign", &[("words", "classeur 3")]);
    let page = claire.get("/shops/ferme-des-oeillets").text();
    assert!(page.contains("n’est pas parmi les documents"), "{page}");
    assert_eq!(claire.post("/terminals", &[("shop", "ferme-des-oeillets")]).status, 422, "it is not open");
    step(&mut claire, "open", &[]);
    let page = claire.get("/shops/ferme-des-oeillets?lang=en").text();
    assert!(page.contains("No live terminal") && page.contains("No bank account"), "{page}");
    assert_eq!(claire.post("/terminals", &[("shop", "ferme-des-oeillets")]).status, 200);
    let ask = claire.get("/shops/ferme-des-oeillets/steps/close?lang=fr").text();
    assert!(ask.contains("terminaux sont révoqués") && ask.contains("name=\"words\""), "it asks first: {ask}");
    step(&mut claire, "suspend", &[("words", "travaux")]);
    step(&mut claire, "close", &[("words", "fini")]);
    step(&mut claire, "propose", &[]);
    assert_eq!(stage(&fund), "proposed");

    let log = claire.get("/audit").text();
    for said in ["étape d’un lieu", "lieu proposé", "shop ferme-des-oeillets", "<td>amend</td>"] {
        assert!(log.contains(said), "{said} is missing in {log}");
    }
    for private in ["Ada", "Cy", "12 km", "trop loin", "visite"] {
        assert!(!log.contains(private), "{private} stands in {log}");
    }
    fund.json(&["verify"]);
}

/// Tries what cannot be taken, then what can.
fn a_visit_is_noted_by_its_questionnaire(fund: &Fund, claire: &mut Client, visit: &str) {
    let form = claire.get(visit).text();
    assert!(
        form.contains("Pratiques de culture") && !form.contains("Choix pour cuisiner"),
        "the producers' questions: {form}"
    );
    for (fields, name, file, said) in [
        (&[][..], "", &b""[..], "joignez un document"),
        (&[("day", "2021-01-01"), ("words", "x")], "", b"", "avant l’étape précédente"),
        (&[("day", "2999-01-01"), ("words", "x")], "", b"", "Ce jour est dans"),
        (&[("day", "31/02/2026"), ("words", "x")], "", b"", "01/12/2026"),
        (&[("words", "gardé à l’écran")], "visite.pdf", b"\x7fELF\x02\x01\x01\0", "ni un PDF"),
        (&[("words", "x")], "visite.pdf", b"", "est vide"),
        (&[("words", &"é".repeat(2_100))], "", b"", "trop long"),
    ] {
        let answer = claire.upload(visit, fields, name, file);
        let page = answer.text();
        assert!(answer.status == 422 && page.contains(said), "{said}: {page}");
        assert!(fields.iter().all(|(_, typed)| page.contains(typed)), "what was typed is kept: {page}");
    }
    assert_eq!(stage(fund), "paired", "nothing of it was done");
    let answers = [("answer-distance", "12 km"), ("answer-range", "légumes\r\nœufs"), ("words", "À revoir en mars")];
    let pdf = b"%PDF-1.7\nvisite\r\n--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"notes.txt\"\r\n\r\nNotes.";
    let answer = claire.upload(visit, &answers, "C:\\x\\visite \u{e9}.pdf", pdf);
    assert_eq!(answer.status, 303, "{}", answer.text());
    let shown = fund.json(&["joining", "show", "ferme-des-oeillets"]);
    let visited = &shown["steps"][2];
    let said = "Distance et livraison : 12 km\nProduits et saisons : légumes\nœufs\nÀ revoir en mars";
    assert_eq!((&visited["words"], &visited["by"]), (&json!(said), &json!("claire")));
    let names: Vec<_> = visited["documents"].as_array().unwrap().iter().map(|document| &document["name"]).collect();
    assert_eq!(names, ["notes.txt", "visite é.pdf"]);
}

#[test]
fn a_proposal_that_cannot_be_taken_says_why_field_by_field() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    claire.get("/shops");
    let answer = claire.upload("/shops", &[("shop", "../x"), ("day", "hier")], "", b"");
    let page = answer.text();
    assert_eq!(answer.status, 422, "{page}");
    for field in ["shop", "name", "kind", "questionnaire", "day"] {
        assert!(
            page.contains(&format!("href=\"#{field}\"")) && page.contains(&format!("id=\"{field}\"")),
            "{field}: {page}"
        );
    }
    let taken = [("shop", SHOP), ("name", "x"), ("kind_other", "kiosque"), ("questionnaire", "shop")];
    let answer = claire.upload("/shops", &taken, "", b"");
    let page = answer.text();
    assert!(
        answer.status == 422 && page.contains("déjà celui d’un autre lieu") && page.contains("value=\"kiosque\""),
        "{page}"
    );
    assert_eq!(claire.get("/shops/no-such-shop").status, 404);
    assert_eq!(claire.get(&format!("/shops/{SHOP}/steps/paint")).status, 404);
    let page = claire.get("/shops?kind=bakery&stage=open").text();
    assert!(page.contains("Levain") && !page.contains("Bachut"), "{page}");
    let page = claire.get("/shops?stage=closed").text();
    assert!(page.contains("Aucun lieu ne répond"), "{page}");
}

#[test]
fn a_form_with_a_document_sent_twice_is_done_once() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    claire.get("/shops");
    let fields = [&PROPOSAL[..], &[("once", "a")]].concat();
    for _ in 0..2 {
        let answer = claire.upload("/shops", &fields, "a.txt", b"why");
        assert_eq!(answer.header("location").unwrap(), "/shops/ferme-des-oeillets", "{}", answer.text());
    }
    let steps = fund.json(&["joining", "show", "ferme-des-oeillets"])["steps"].clone();
    assert_eq!(steps.as_array().unwrap().len(), 1);
    assert_eq!(std::fs::read_dir(fund.data_dir().join("documents")).unwrap().count(), 1);
}

#[test]
fn a_document_comes_back_as_a_file_that_no_browser_runs() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let (_, mut denis) = Person::add(&fund, &hub, "denis", "treasurer", None);
    let (_, mut eve) = Person::add(&fund, &hub, "eve", "evaluator", None);
    claire.get("/shops");
    let script = b"<html><script>alert(1)</script>";
    let answer = claire.upload("/shops", &PROPOSAL, "pro\u{201d}po;s\u{e9}.html", script);
    assert_eq!(answer.status, 422, "HTML is none of what is taken: {}", answer.text());
    let text = "alert(1) // \u{e9}".as_bytes();
    let answer = claire.upload("/shops", &PROPOSAL, "pro;s\u{e9}.html", text);
    assert_eq!(answer.status, 303, "{}", answer.text());
    let path = format!("/documents/{}", sha256(&[text]));
    let answer = denis.get(&path);
    assert_eq!((answer.status, answer.body.as_slice()), (200, text));
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-disposition", "attachment; filename=\"pro_s_.html\"; filename*=UTF-8''pro%3Bs%C3%A9.html"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name).as_deref(), Some(value), "{}", answer.head);
    }
    assert_eq!(eve.get(&path).status, 403);
    for none in ["/documents/x", "/documents/..%2f..%2fhub.sqlite", &format!("/documents/{}", sha256(&[b"none"]))] {
        assert_eq!(denis.get(none).status, 404, "{none}");
    }
    // On the disk, but no step names it.
    let dir = fund.data_dir().join("documents");
    common::write(&dir.join(sha256(&[b"loose"]).to_string()), "loose");
    assert_eq!(denis.get(&format!("/documents/{}", sha256(&[b"loose"]))).status, 404);
    common::write(&dir.join(sha256(&[text]).to_string()), "changed");
    assert_eq!(denis.get(&path).status, 404, "a damaged document is not given");
    let page = denis.get("/shops/ferme-des-oeillets").text();
    assert!(page.contains("ou est abîmé") && !page.contains(&path), "{page}");
}

#[test]
fn programs_do_the_same_and_are_told_what_is_wrong() {
    let fund = Fund::example();
    let hub = fund.serve();
    let admin = Program::add(&fund, &hub, "office", "admin", None);
    let treasurer = Program::add(&fund, &hub, "money", "treasurer", None);
    let (status, kept) = treasurer.upload("/api/documents", "/api/documents", b"%PDF-1.7\nwhy");
    assert_eq!((status, &kept["media_type"], &kept["bytes"]), (200, &json!("application/pdf"), &json!(12)));
    for (file, said) in [(&b""[..], "empty"), (b"\x7fELF\x02\x01\x01\0", "no PDF"), (&vec![b'a'; 10_485_761], "10 MB")]
    {
        let (status, refused) = treasurer.upload("/api/documents", "/api/documents", file);
        assert!(status == 422 && refused["reason"].as_str().unwrap().contains(said), "{status} {refused}");
    }
    assert_eq!(treasurer.upload("/api/documents", "/api/documents", &vec![b'a'; 17_000_000]).0, 413);
    let proposal = json!({ "shop": "kiosk", "name": "Kiosk", "kind": "bakery", "questionnaire": "shop", "words": "Ada\nBo",
        "documents": [{ "hash": kept["hash"], "name": "why.pdf" }] });
    let (status, done) = treasurer.post("/api/shops", "/api/shops", Some("a"), &proposal);
    assert_eq!((status, &done["stage"]), (200, &json!("proposed")), "{done}");
    assert_eq!(treasurer.post("/api/shops", "/api/shops", Some("a"), &proposal), (status, done));
    assert_eq!(treasurer.post("/api/shops", "/api/shops", Some("b"), &proposal).0, 422, "its code is taken");
    let step = |step: &str, body: &Value| admin.post(STEP, &format!("/api/shops/kiosk/steps/{step}"), None, body);
    assert_eq!(treasurer.post(STEP, "/api/shops/kiosk/steps/pair", None, &json!({})).0, 403);
    let fields = |(status, refused): (u16, Value)| (status, refused["fields"][0]["field"].as_str().unwrap().to_owned());
    assert_eq!(fields(step("pair", &json!({ "members": ["Bo"] }))), (422, "members".to_owned()));
    assert_eq!(step("pair", &json!({ "members": ["Bo", "Cy"] })).0, 200);
    let unknown = json!({ "documents": [{ "hash": "00".repeat(32), "name": "x" }] });
    assert_eq!(fields(step("visit", &unknown)), (422, "documents".to_owned()));
    assert_eq!(fields(step("visit", &json!({}))), (422, "words".to_owned()));
    assert_eq!(fields(step("visit", &json!({ "words": "x", "day": "soon" }))), (422, "day".to_owned()));
    assert_eq!(step("open", &json!({})).0, 409);
    assert_eq!(step("paint", &json!({})).0, 404);
    let (_, shown) = admin.get("/api/shops/{shop}", "/api/shops/kiosk");
    assert_eq!((&shown["next"], &shown["ahead"][0]), (&json!(["pair", "visit", "close"]), &json!("visit")), "{shown}");
    assert_eq!(shown["steps"][1]["words"], "Bo, Cy");
    let document = shown["steps"][0]["documents"][0].clone();
    assert_eq!((&document["name"], &document["is_kept"]), (&json!("why.pdf"), &json!(true)));
    let path = format!("/api/documents/{}", document["hash"].as_str().unwrap());
    let (_, given) = admin.get("/api/documents/{document}", &path);
    assert_eq!((&given["contents_base64"], &given["name"]), (&json!("JVBERi0xLjcKd2h5"), &json!("why.pdf")));
    let (_, listed) = admin.get("/api/shops", "/api/shops?stage=paired");
    assert_eq!(listed["shops"].as_array().unwrap().len(), 1, "{listed}");
    fund.json(&["verify"]);
}

#[test]
fn a_grid_is_set_from_a_day_on_and_the_page_says_what_holds_today_and_later() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let form = claire.get("/grids/new").text();
    assert!(
        form.contains("name=\"share-0\"") && form.contains("value=\"100\""),
        "the grid that holds is there: {form}"
    );
    let today = day(&hub, 0);
    let next_year = day(&hub, 365);
    let good = [
        ("id-0", "1"),
        ("share-0", "30 %"),
        ("fr-0", "Épicerie"),
        ("en-0", "Groceries"),
        ("id-2", "2"),
        ("share-2", "70"),
        ("fr-2", "Légumes"),
        ("en-2", "Vegetables"),
    ];
    let set = |claire: &mut Client, fields: &[(&str, &str)]| claire.post("/grids", &[&good[..], fields].concat());
    for (fields, said) in [
        (&[("from", "")][..], "01/12/2026"),
        (&[("from", "2020-01-01")], "aujourd’hui ou plus tard"),
        (&[("from", &next_year), ("shop", "no-such-shop")], "lieu de la liste"),
        (&[("from", &next_year), ("fr-3", "Pain")], "un nom français et un nom anglais"),
        (
            &[("from", &next_year), ("fr-3", "Pain"), ("en-3", "Bread"), ("id-3", "2"), ("share-3", "5")],
            "le même numéro",
        ),
        (&[("from", &next_year), ("fr-3", "Pain"), ("en-3", "Bread"), ("id-3", "3"), ("share-3", "101")], "de 0 à 100"),
        (&[("from", &next_year), ("fr-3", "Pain"), ("en-3", "Bread"), ("id-3", "x"), ("share-3", "5")], "65535"),
    ] {
        let answer = set(&mut claire, fields);
        let page = answer.text();
        assert!(answer.status == 422 && page.contains(said) && page.contains("value=\"Légumes\""), "{said}: {page}");
    }
    assert_eq!(fund.json(&["grid", "list"]).as_array().unwrap().len(), 1);
    assert_eq!(set(&mut claire, &[("from", &next_year)]).status, 303);
    assert_eq!(set(&mut claire, &[("from", &today), ("shop", SHOP)]).status, 303);
    let page = claire.get("/grids").text();
    let (holds, later) = page.split_once("id=\"to-come\"").unwrap();
    assert!(holds.contains("Bachut") && holds.contains("70 %") && holds.contains("Tous les lieux"), "{page}");
    assert!(later.contains("Légumes") && !later.contains("Bachut"), "{page}");
    let page = claire.get(&format!("/shops/{SHOP}")).text();
    assert!(page.contains("30 % – Épicerie"), "{page}");
    let program = Program::add(&fund, &hub, "office", "admin", None);
    let new = json!({ "from": next_year, "categories": [{ "category": 9, "share_percent": 100, "label_fr": "a", "label_en": "b" }] });
    assert_eq!(program.post("/api/grids", "/api/grids", None, &new), (200, json!({ "version": 4 })));
    assert_eq!(program.post("/api/grids", "/api/grids", None, &json!({ "from": next_year, "categories": [] })).0, 422);
    let (_, grids) = program.get("/api/grids", "/api/grids");
    let states: Vec<_> = grids["grids"].as_array().unwrap().iter().map(|grid| grid["state"].clone()).collect();
    assert_eq!(states, ["to-come", "holds", "past", "holds"], "{grids}");
    assert!(claire.get("/audit").text().contains("grid 3 from"));
    fund.json(&["verify"]);
}

/// A day so many days from today, on the machine's calendar.
fn day(hub: &Hub, days: u32) -> String {
    let today = cabas_hub::admin::fields::today(hub.app.clock.now());
    cabas_hub::admin::fields::day_text(today + days)
}

#[test]
fn market_days_are_set_as_people_type_them() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let path = format!("/shops/{SHOP}/floor");
    claire.get(&path);
    let answer = claire.post(&path, &[("floor", "beaucoup"), ("sat", "on")]);
    let page = answer.text();
    assert!(
        answer.status == 422
            && page.contains("value=\"beaucoup\"")
            && page.contains("name=\"sat\" value=\"on\" checked"),
        "{page}"
    );
    assert_eq!(claire.post(&path, &[("floor", "12,5 €"), ("tue", "on"), ("sat", "on")]).status, 303);
    let floor = |fund: &Fund| {
        let shops = fund.json(&["shop", "list"]);
        let shop = shops.as_array().unwrap().iter().find(|shop| shop["code"] == SHOP).unwrap().clone();
        (shop["floor_cents"].as_u64().unwrap(), shop["market_days"].as_array().unwrap().len())
    };
    assert_eq!(floor(&fund), (1_250, 2));
    let page = claire.get(&format!("/shops/{SHOP}")).text();
    assert!(page.contains("12,50") && page.contains("mardi, samedi"), "{page}");
    let program = Program::add(&fund, &hub, "office", "admin", None);
    let (route, api) = ("/api/shops/{shop}/floor", format!("/api/shops/{SHOP}/floor"));
    let set = |body: Value| program.post(route, &api, None, &body).0;
    assert_eq!(set(json!({ "floor_cents": 300, "market_days": ["sunday"] })), 422);
    assert_eq!(set(json!({ "market_days": ["sun"] })), 422, "an amount is needed");
    assert_eq!(set(json!({ "floor_cents": u64::MAX })), 422);
    assert_eq!(floor(&fund), (1_250, 2));
    assert_eq!(set(json!({ "floor_cents": 300 })), 200);
    assert_eq!(floor(&fund), (300, 7), "without a day it is every day");
    assert_eq!(program.post(route, "/api/shops/no-such-shop/floor", None, &json!({ "floor_cents": 1 })).0, 404);
    fund.json(&["verify"]);
}

#[test]
fn a_shops_key_is_renewed_once_and_asks_first() {
    let fund = Fund::example();
    fund.code(SHOP);
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let path = format!("/shops/{SHOP}/slot");
    assert!(claire.get(&path).text().contains("a été volé"));
    for _ in 0..2 {
        assert_eq!(claire.post(&path, &[("once", "a")]).status, 303);
    }
    let (_, shown) =
        Program::add(&fund, &hub, "office", "admin", None).get("/api/shops/{shop}", &format!("/api/shops/{SHOP}"));
    assert_eq!(shown["settings"]["slot_version"], 2, "{shown}");
    fund.json(&["verify"]);
}

#[test]
fn an_enrolment_code_is_shown_once_and_kept_nowhere() {
    let fund = Fund::example();
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    claire.get("/terminals");
    let add = |claire: &mut Client| claire.post("/terminals", &[("shop", SHOP), ("once", "a")]).text();
    let page = add(&mut claire);
    let code = page.split_once("id=\"code\">").unwrap().1.split('<').next().unwrap().to_owned();
    let again = add(&mut claire);
    assert!(!again.contains(&code) && again.contains("déjà été envoyé"), "{again}");
    assert_eq!(fund.json(&["terminal", "list"])["terminals"].as_array().unwrap().len(), 1, "there is one terminal");
    Terminal::enrol(&hub, &code, 1);
    let program = Program::add(&fund, &hub, "office", "admin", None);
    let (route, path) = ("/api/terminals/{terminal}/code", "/api/terminals/1/code");
    let (_, first) = program.post(route, path, Some("k"), &json!({}));
    let (_, second) = program.post(route, path, Some("k"), &json!({}));
    assert!(first["code"].is_string() && second["code"].is_null(), "{first} {second}");
    assert_eq!(program.post(route, "/api/terminals/9/code", None, &json!({})).0, 404);
    assert_eq!(program.post("/api/terminals", "/api/terminals", None, &json!({ "shop": "none" })).0, 422);
    drop(hub);
    let secrets = [code, first["code"].as_str().unwrap().to_owned()];
    for file in
        std::fs::read_dir(fund.data_dir()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
    {
        let bytes = std::fs::read(&file).unwrap();
        for code in &secrets {
            assert!(!bytes.windows(code.len()).any(|window| window == code.as_bytes()), "the code stands in {file:?}");
        }
    }
    fund.json(&["verify"]);
}

#[test]
fn a_terminals_page_tells_what_lies_there_what_may_be_missing_and_the_way_out_of_a_quarantine() {
    let fund = Fund::example();
    let code = fund.code(SHOP);
    fund.json(&["credit", "run", "--period", "2026-11", "--source", "ville", "--book"]);
    let hub = fund.serve();
    let (_, mut claire) = Person::add(&fund, &hub, "claire", "admin", None);
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    let shown = || program.get("/api/terminals/{terminal}", "/api/terminals/1").1;
    let before = shown();
    assert_eq!((&before["standing"], &before["lies_cents"]), (&json!("new"), &json!(0)));
    assert!(claire.get("/terminals/1").text().contains("jamais été inscrit"));
    let mut terminal = Terminal::enrol(&hub, &code, 1);
    let laid = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        shown()["lies_cents"].as_u64().unwrap() > 0
    });
    assert!(laid, "nothing was laid there: {}", shown());
    terminal.sync_all(&hub);
    let now = shown();
    assert_eq!(
        (&now["unsynced_rows"], &now["unsynced_cents_max"], &now["clock"]),
        (&json!(0), &json!(0), &json!("synced"))
    );
    hub.pass(600);
    let later = shown();
    assert_eq!(later["unsynced_cents_max"], later["lies_cents"], "it has not called: {later}");
    let page = claire.get("/terminals/1?lang=en").text();
    assert!(page.contains("Sales not received yet, at most") && page.contains("list 0, not the newest"), "{page}");
    let genesis = terminal.head;
    terminal.write_list_applied();
    terminal.sync(&hub, 0);
    // The same place in the journal, another row: a fork.
    (terminal.head, terminal.acked) = (genesis, genesis);
    terminal.rows.clear();
    terminal.write(cabas_protocol::row::RowBody::ListApplied(cabas_protocol::row::ListApplied {
        version: cabas_protocol::Version::new(2),
    }));
    terminal.sync(&hub, 0);
    let forked = shown();
    assert_eq!(forked["enrolments"][0]["quarantine"], "fork", "{forked}");
    assert_eq!(forked["enrolments"][0]["alarms"][0]["kind"], "fork", "{forked}");
    let page = claire.get("/terminals/1?lang=fr").text();
    for said in [
        "Sortir de la quarantaine",
        "deux suites",
        "Deux personnes ferment",
        "action=\"/terminals/1/code\"",
        "/terminals/1/revoke",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let office = Program::add(&fund, &hub, "admin", "admin", None);
    let (status, revoked) =
        office.post("/api/terminals/{terminal}/revoke", "/api/terminals/1/revoke", None, &json!({}));
    assert_eq!((status, &revoked["enrolments"]), (200, &json!(1)));
    assert_eq!(shown()["standing"], "revoked");
    assert_eq!(program.post("/api/terminals/{terminal}/revoke", "/api/terminals/1/revoke", None, &json!({})).0, 403);
    fund.json(&["verify"]);
}
