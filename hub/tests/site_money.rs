//! Money in by the site: as people click and as programs ask; refused clearly, booked once, and the books are right.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed unwrap is the test's failure")]

use crate::common;

use common::money::{import, sample};
use common::site::{Client, Person, Program};
use common::{Fund, Hub};
use serde_json::{Value, json};

const CITY: &str = "Ville de Lyon";
const HEADER: &str = "household,paid_on,cents,reference\n";

fn admin(fund: &Fund, hub: &Hub) -> Client {
    Person::add(fund, hub, "claire", "admin", None).1
}

fn listed(fund: &Fund, year: &str) -> Vec<Value> {
    fund.json(&["contribution", "list", "--year", year]).as_array().unwrap().clone()
}

/// What a page's form holds in a field.
fn value<'p>(page: &'p str, name: &str) -> &'p str {
    page.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1.split('"').next().unwrap()
}

fn plain(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&#34;", "\"").replace("&#39;", "'")
}

#[test]
fn budgets_are_set_payments_noted_and_taken_back_with_a_reason() {
    let fund = Fund::example();
    let hub = fund.serve();
    let mut claire = admin(&fund, &hub);
    assert!(claire.get("/sources?year=2024").text().contains("Aucun financeur"));
    let set = [("year", "2024"), ("name", CITY), ("budget", "1 000,50")];
    let answer = claire.post("/sources/budgets", &set);
    assert_eq!(claire.follow(&answer), "/sources?year=2024");
    let bad = claire.post("/sources/budgets", &[("year", "2024"), ("name", CITY), ("budget", "mille")]);
    assert!(bad.status == 422 && bad.text().contains("value=\"mille\"") && bad.text().contains("href=\"#budget\""));
    let own = claire.post("/sources/budgets", &[("year", "2024"), ("name", "contributions"), ("budget", "5")]);
    assert!(own.status == 422 && own.text().contains("n’ont pas de budget"), "{}", own.text());
    assert_eq!(claire.post("/sources/budgets", &[("year", "1999"), ("name", CITY), ("budget", "5")]).status, 400);
    let pay = [("source", CITY), ("amount", "500"), ("paid_on", "2024-03-05"), ("once", "a")];
    for _ in 0..2 {
        assert_eq!(claire.post("/sources/payments", &pay).status, 303, "sent twice, it is noted once");
    }
    let alike = claire.post("/sources/payments", &pay[..3]);
    assert!(alike.status == 422 && alike.text().contains("id=\"again\""), "{}", alike.text());
    let again = [&pay[..3], &[("again", "true")]].concat();
    assert_eq!(claire.post("/sources/payments", &again).status, 303);
    let page = claire.get("/sources?year=2024").text();
    assert!(page.contains("1\u{202f}000,50\u{a0}€") && page.contains("1\u{202f}000,00\u{a0}€"), "{page}");
    let ask = claire.get("/sources/payments/2/take-back").text();
    assert!(ask.contains("écriture contraire"), "{ask}");
    let without = claire.post("/sources/payments/2/take-back", &[("reason", " ")]);
    assert!(without.status == 422 && without.text().contains("href=\"#reason\""));
    assert_eq!(claire.post("/sources/payments/2/take-back", &[("reason", "saisi deux fois")]).status, 303);
    assert_eq!(claire.post("/sources/payments/2/take-back", &[("reason", "encore")]).status, 409);
    assert_eq!(claire.get("/sources/payments/77/take-back").status, 404);
    let list = fund.json(&["source", "list", "--year", "2024"]);
    assert_eq!((&list[0]["budget_cents"], &list[0]["paid_in_cents"]), (&json!(100_050), &json!(50_000)));
    let log = claire.get("/audit").text();
    for said in ["budget fixé", "argent reçu enregistré", "entrée d’argent annulée", "money in 2"] {
        assert!(log.contains(said), "{said}: {log}");
    }
    fund.json(&["verify"]);
}

#[test]
fn contributions_are_noted_one_after_the_other_and_the_report_tells_the_share() {
    let fund = Fund::example();
    sample(&fund, "2024");
    let hub = fund.serve();
    let mut claire = admin(&fund, &hub);
    claire.get("/contributions");
    let new = [("household", "F002"), ("amount", "12,50"), ("paid_on", "06/03/2024")];
    let answer = claire.post("/contributions", &new);
    let to = claire.follow(&answer);
    assert_eq!(to, "/contributions?month=2024-03&noted=3&on=2024-03-06");
    let page = claire.get(&to).text();
    assert!(page.contains("autofocus") && page.contains("value=\"2024-03-06\"") && page.contains("n° 3"), "{page}");
    assert!(page.contains("F001") && page.contains("F002") && page.contains("37,50\u{a0}€"), "{page}");
    for (field, value, said) in [
        ("household", "F999", "Aucun foyer n’a ce code"),
        ("amount", "0", "plus grand que zéro"),
        ("amount", "12,505", "plus grand que zéro"),
        ("paid_on", "2024-02-30", "entre 2020 et aujourd’hui"),
        ("paid_on", "2019-02-03", "entre 2020 et aujourd’hui"),
        ("paid_on", "2999-02-03", "entre 2020 et aujourd’hui"),
        ("reference", &"x".repeat(65), "64 octets au plus"),
    ] {
        let fields: Vec<_> = new.iter().filter(|(name, _)| *name != field).copied().chain([(field, value)]).collect();
        let answer = claire.post("/contributions", &fields);
        let page = answer.text();
        assert_eq!(answer.status, 422, "{field} {value}: {page}");
        assert!(page.contains(said) && page.contains(&format!("href=\"#{field}\"")), "{field} {value}: {page}");
        assert!(page.contains(&format!("value=\"{value}\"")), "what was typed stays: {page}");
    }
    assert_eq!(listed(&fund, "2024").len(), 2, "nothing of what was refused is booked");
    assert_eq!(claire.post("/contributions/3/take-back", &[("reason", "faux code")]).status, 303);
    let page = claire.get("/contributions?month=2024-03").text();
    assert!(page.contains("faux code") && page.contains("annulée par l’entrée n° 4"), "{page}");
    assert!(claire.get("/contributions?month=2024-04").text().contains("Aucune cotisation"));
    assert_eq!(claire.get("/contributions?month=x").status, 422);
    let report = claire.get("/contributions/report?year=2024").text();
    // 25.00 of 500,000.00.
    assert!(
        report.contains("<svg") && report.contains("0,0\u{a0}%") && report.contains("prévue\u{a0}: 30 %"),
        "{report}"
    );
    assert_eq!(claire.post("/contributions/plan", &[("percent", "101")]).status, 422);
    assert_eq!(claire.post("/contributions/plan", &[("percent", "25")]).status, 303);
    assert!(claire.get("/contributions/report").text().contains("prévue\u{a0}: 25 %"));
    let (_, mut eva) = Person::add(&fund, &hub, "eva", "evaluator", None);
    assert_eq!(eva.get("/contributions?month=2024-03").status, 403);
    assert_eq!(eva.get("/forecast").status, 200);
    fund.json(&["verify"]);
}

#[test]
fn a_file_of_contributions_is_booked_just_as_it_was_shown_or_not_at_all() {
    let fund = Fund::example();
    let hub = fund.serve();
    let mut claire = admin(&fund, &hub);
    claire.get("/contributions/file");
    let bad = format!("{HEADER}F002,2024-03-06,1000,R1\nNOBODY,2024-03-07,1000,R2\n");
    let answer = claire.upload("/contributions/file", &[], "c.csv", bad.as_bytes());
    let page = answer.text();
    assert!(page.contains("Aucun foyer n’a ce code") && page.contains("class=\"number\">3</th>"), "{page}");
    assert!(!page.contains("/contributions/file/book"), "nothing can be booked: {page}");
    for (file, said) in [
        ("name,amount\nx,1\n", "doit nommer les colonnes"),
        (HEADER, "aucune ligne"),
        (&format!("{HEADER}F002,2024-03-06,12.50,R1\n"), "nombre entier de centimes"),
        (&format!("{HEADER}F002,2024-13-06,1250,R1\n"), "un jour comme"),
        (&format!("{HEADER}F002,2024-03-06,1250,R1\nF003,2024-03-06,1,R1\n"), "sur une autre ligne"),
        (&format!("{HEADER}F002,2024-03-06\n"), "ne peut pas être lue"),
        ("", "Choisissez un fichier"),
    ] {
        let page = claire.upload("/contributions/file", &[], "c.csv", file.as_bytes()).text();
        assert!(page.contains(said), "{said}: {page}");
    }
    let good = format!("{HEADER}F002,2024-03-06,1000,\"R <1>\"\nF003,2024-03-07,700,R2\n");
    let page = claire.upload("/contributions/file", &[], "c.csv", good.as_bytes()).text();
    assert!(page.contains("17,00\u{a0}€") && listed(&fund, "2024").is_empty(), "{page}");
    let (proof, content) = (value(&page, "proof").to_owned(), plain(value(&page, "content")));
    let content = content.replace("&lt;", "<").replace("&gt;", ">").replace("&#60;", "<").replace("&#62;", ">");
    assert_eq!(content, good);
    // As browsers send it: with other line ends.
    let content = content.replace('\n', "\r\n");
    let mut book = |content: &str, once: &str| {
        let fields = [("proof", proof.as_str()), ("content", content), ("once", once)];
        let answer = claire.upload("/contributions/file/book", &fields, "", b"");
        (answer.status, answer.text())
    };
    let (status, page) = book(&content.replace("700", "7000"), "a");
    assert!(status == 422 && page.contains("quelque chose a changé"), "{page}");
    assert_eq!(listed(&fund, "2024").len(), 0, "what was not shown is not booked");
    let (status, page) = book(&content, "b");
    assert!(status == 200 && page.contains("17,00\u{a0}€"), "{page}");
    let (status, page) = book(&content, "b");
    assert!(status == 200 && page.contains("17,00\u{a0}€"), "sent twice it is answered alike: {page}");
    assert_eq!(book(&content, "c").0, 422, "it is no longer what was shown");
    assert_eq!(listed(&fund, "2024").len(), 2);
    let long = (0..5_001).map(|line| format!("F002,2024-03-06,100,L{line}\n")).collect::<String>();
    let answer = claire.upload("/contributions/file", &[], "c.csv", format!("{HEADER}{long}").as_bytes());
    assert!(answer.status == 422 && answer.text().contains("5 000 lignes"));
    fund.json(&["verify"]);
}

#[test]
fn what_the_bank_received_is_explained_by_one_click_and_once() {
    let fund = Fund::example();
    let hub = fund.serve();
    let mut claire = admin(&fund, &hub);
    assert!(claire.get("/bank/money-in").text().contains("Tout est expliqué"));
    fund.json(&["source", "set", "--name", CITY, "--year", "2024", "--budget-cents", "9", "--by", "Ada"]);
    import(&fund);
    let page = claire.get("/bank/money-in").text();
    assert!(page.contains("Cotisation du foyer F007") && page.contains("Versement de Ville de Lyon"), "{page}");
    assert!(!page.contains("Dupont"), "who paid is not told: {page}");
    let nothing = claire.post("/bank/money-in/1", &[]);
    assert!(nothing.status == 422 && nothing.text().contains("Remplissez un champ, et un seul"));
    let two = claire.post("/bank/money-in/1", &[("household", "F007"), ("source", CITY)]);
    assert_eq!(two.status, 422);
    let nobody = claire.post("/bank/money-in/1", &[("household", "F999")]);
    assert!(nobody.status == 422 && nobody.text().contains("href=\"#household\""));
    let number = claire.post("/bank/money-in/1", &[("noted", "77")]);
    assert!(number.status == 422 && number.text().contains("Aucune entrée n’a ce numéro"), "{}", number.text());
    // Noted before by hand: the bank's entry is not a second payment.
    claire.get("/contributions");
    let new = [("household", "F007"), ("amount", "25"), ("paid_on", "2024-03-04")];
    assert_eq!(claire.post("/contributions", &new).status, 303);
    let waits = claire.post("/bank/money-in/1", &[("household", "F007")]);
    assert!(waits.status == 422 && waits.text().contains("attend la banque"), "{}", waits.text());
    assert_eq!(claire.post("/bank/money-in/2", &[("noted", "1")]).status, 422, "another amount");
    let answer = claire.post("/bank/money-in/1", &[("noted", "1")]);
    assert_eq!(claire.follow(&answer), "/bank/money-in");
    let again = claire.post("/bank/money-in/1", &[("household", "F008")]);
    assert!(again.status == 422 && again.text().contains("déjà expliquée"), "{}", again.text());
    assert_eq!(claire.get("/bank/money-in/1").status, 404);
    assert_eq!(claire.get("/bank/money-in/77").status, 404);
    assert_eq!(claire.post("/bank/money-in/2", &[("source", CITY)]).status, 303);
    assert!(claire.get("/bank/money-in").text().contains("Tout est expliqué"));
    assert!(claire.get("/contributions?month=2024-03").text().contains("confirmé par la banque"));
    assert_eq!(listed(&fund, "2024").len(), 1);
    fund.json(&["verify"]);
}

#[test]
fn the_forecast_says_what_is_lacking_and_until_when_and_what_if() {
    let fund = Fund::example();
    let hub = fund.serve();
    let mut claire = admin(&fund, &hub);
    let page = claire.get("/forecast").text();
    assert!(page.contains("Aucun budget n’est fixé pour cette année") && !page.contains("<svg"), "{page}");
    let year = fund.json(&["contribution", "report"])["year"].to_string();
    fund.json(&["source", "set", "--name", CITY, "--year", &year, "--budget-cents", "9900000000", "--by", "Ada"]);
    let page = claire.get("/forecast").text();
    assert!(page.contains(&format!("fin 12/{year}")) && page.contains("Foyers présents\u{a0}: 108."), "{page}");
    assert!(page.contains("<svg") && page.contains("D’après la règle en vigueur"), "{page}");
    let page = claire.get("/forecast?households=1000000&pace=rule&lang=en").text();
    assert!(page.contains("not enough for") && page.contains("value=\"1000000\""), "{page}");
    let page = claire.get("/forecast?households=0&lang=fr");
    assert!(page.status == 422 && page.text().contains("href=\"#households\""));
    assert_eq!(claire.get("/forecast?households=x&pace=y").status, 422);
}

#[test]
fn programs_do_and_read_the_same() {
    let fund = Fund::example();
    sample(&fund, "2024");
    let hub = fund.serve();
    let program = Program::add(&fund, &hub, "office", "treasurer", None);
    let get = |route: &str, path: &str| {
        let (status, value) = program.get(route, path);
        assert_eq!(status, 200, "{value}");
        value
    };
    let post = |route: &str, body: &Value| program.post(route, route, None, body);
    let sources = get("/api/sources", "/api/sources?year=2024");
    assert_eq!(sources["payments"][0]["cents"], 90_000, "{sources}");
    let budget = json!({ "name": CITY, "year": 2024, "budget": "100.00" });
    assert_eq!(post("/api/sources/budgets", &budget).1["budget_cents"], 10_000);
    let paid = json!({ "source": CITY, "amount": "1", "paid_on": "2024-01-02", "reference": "P1" });
    let (first, second) = (post("/api/sources/payments", &paid).1, post("/api/sources/payments", &paid).1);
    assert_eq!(
        (&first["before"], &second["before"], &first["number"]),
        (&json!(false), &json!(true), &second["number"])
    );
    let new = json!({ "household": "F004", "amount": "7", "paid_on": "2024-03-09" });
    assert_eq!(post("/api/contributions", &new).0, 200);
    let (status, refused) = post("/api/contributions", &new);
    assert_eq!((status, &refused["fields"][0]["field"]), (422, &json!("again")), "{refused}");
    let month = get("/api/contributions", "/api/contributions?month=2024-03");
    assert_eq!((&month["cents"], &month["contributions"][0]["household"]), (&json!(3_200), &json!("F004")));
    let reason = json!({ "reason": "typed wrongly" });
    let back = "/api/contributions/{money}/take-back";
    assert_eq!(program.post(back, "/api/contributions/1/take-back", None, &reason).1["takes_back"], 1);
    assert_eq!(program.post(back, "/api/contributions/1/take-back", None, &reason).0, 409);
    assert_eq!(post("/api/contributions/plan", &json!({ "percent": "20" })).0, 200);
    let report = get("/api/contributions/report", "/api/contributions/report?year=2024");
    assert_eq!((&report["planned_percent"], &report["received_permille"]), (&json!(20), &json!(70)), "{report}");
    let file = format!("{HEADER}F002,2024-03-06,1000,R1\n");
    let (_, shown) = program.upload("/api/contributions/file", "/api/contributions/file", file.as_bytes());
    assert_eq!((&shown["added"], &shown["lines"][0]["household"]), (&json!(1), &json!("F002")), "{shown}");
    let book = "/api/contributions/file/book";
    assert_eq!(program.upload(book, book, file.as_bytes()).0, 422, "a proof is needed");
    let path = format!("{book}?proof={}", shown["proof"].as_str().unwrap());
    assert_eq!(
        program.upload(book, &path, file.as_bytes()),
        (200, json!({ "added": 1, "added_cents": 1_000, "before": 0 }))
    );
    let open = get("/api/bank/money-in", "/api/bank/money-in");
    assert_eq!(open["entries"].as_array().unwrap().len(), 2, "{open}");
    let one = "/api/bank/money-in/{entry}";
    assert_eq!(get(one, "/api/bank/money-in/1")["proposals"][0]["household"], "F007");
    let said = program.post(one, "/api/bank/money-in/1", None, &json!({ "household": "F007" }));
    assert_eq!((said.0, &said.1["entry"]), (200, &json!(1)), "{said:?}");
    assert_eq!(program.post(one, "/api/bank/money-in/1", None, &json!({ "household": "F007" })).0, 422);
    assert_eq!(program.post(one, "/api/bank/money-in/77", None, &json!({ "household": "F007" })).0, 404);
    assert!(get("/api/forecast", "/api/forecast")["planned_percent"] == 20);
    fund.json(&["verify"]);
}

/// Waits until a work has ended.
fn ended(program: &Program, work: &Value) -> Value {
    let ended = (0..400).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let (_, value) = program.get("/api/works/{work}", &format!("/api/works/{work}"));
        (value["state"] != "open").then_some(value)
    });
    ended.unwrap()
}

#[test]
fn a_run_of_several_sources_is_long_work_and_goes_beyond_a_budget_only_where_that_was_agreed() {
    let fund = Fund::example();
    fund.json(&["source", "set", "--name", CITY, "--year", "2026", "--budget-cents", "2700000", "--by", "Ada"]);
    fund.json(&["contribution", "add", "--household", "F001", "--cents", "30000", "--on", "2024-03-05", "--by", "Ada"]);
    let hub = fund.serve();
    let program = Program::add(&fund, &hub, "watch", "treasurer", None);
    let named = ["--source", "Contributions", "--source", CITY];
    let run = ["credit", "run", "--period", "2026-11"];
    let preview = fund.json(&[run.as_slice(), named.as_slice()].concat());
    let (all, missing) = (preview["cents"].as_u64().unwrap(), preview["missing_cents"].as_u64().unwrap());
    let path = format!("/api/credits?period=2026-11&source=contributions&source3={}", CITY.replace(' ', "%20"));
    let plan = program.get("/api/credits", &path).1["plan"].clone();
    assert_eq!((&plan["to_book_cents"], &plan["over_cents"]), (&json!(all), &json!(missing)), "{plan}");
    let given: u64 = plan["sources"].as_array().unwrap().iter().map(|giver| giver["cents"].as_u64().unwrap()).sum();
    assert_eq!((given, &plan["sources"][1]["source"]), (all - missing, &json!(CITY)));
    let ask = |change: Value| {
        let mut body = json!({ "period": "2026-11", "source": "Contributions", "source2": CITY, "cents": all });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        program.post("/api/credits", "/api/credits", None, &body)
    };
    for change in [json!({}), json!({ "over_cents": missing - 1 }), json!({ "over": "0,01" }), json!({ "over": "x" })] {
        let (status, told) = ask(change);
        assert_eq!((status, &told["fields"][0]["field"]), (422, &json!("over")), "{told}");
    }
    let (status, told) = ask(json!({ "source": CITY, "source2": "Contributions", "over_cents": missing }));
    assert_eq!((status, &told["fields"][0]["field"]), (422, &json!("over")), "contributions are what came in: {told}");
    assert_eq!(ask(json!({ "over_cents": missing, "cents": all - 1 })).0, 409);
    assert_eq!(ask(json!({ "over_cents": missing, "households": 107 })).0, 409);
    assert_eq!(fund.json(&["status"])["totals"]["credited_cents"], 0);
    assert_eq!(program.get("/api/works", "/api/works").1["works"], json!([]));
    let (status, asked) = ask(json!({ "over_cents": missing, "households": 108 }));
    assert_eq!(status, 200, "{asked}");
    let done = ended(&program, &asked["work"]);
    let expected = json!({ "households": 108, "credited_cents": all });
    assert_eq!((&done["state"], &done["result"]), (&json!("done"), &expected), "{done}");
    let city = program.get("/api/sources", "/api/sources?year=2026").1["sources"][1].clone();
    assert_eq!((&city["source"], &city["agreed_over_cents"]), (&json!(CITY), &json!(missing)), "{city}");
    assert_eq!(ask(json!({ "over_cents": missing })).0, 409, "booked once");
    let told = program.get("/api/audit", "/api/audit").1["entries"].to_string();
    let detail = format!("2026-11, cents {all}, households 108, beyond the budget {missing}, Contributions, {CITY}");
    assert!(told.contains(&detail), "{detail} in {told}");
    fund.json(&["verify"]);
}
