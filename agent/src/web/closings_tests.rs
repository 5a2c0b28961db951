//! Closings, their papers and the history as a page sees them: real routes, a printer of the test's own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed unwrap is the test's failure")]

use super::undo_tests::{Shop, code, shop_with};
use crate::fixture::moment;
use crate::printer::{PrinterConfig, PrinterTarget};
use serde_json::{Value, json};
use std::io::Read as _;
use std::time::Duration;

const DAY_S: u64 = 86_400;

async fn shop(printer: PrinterConfig) -> Shop {
    shop_with(10_000, false, Duration::from_secs(60), printer).await
}

async fn get(shop: &Shop, path: &str) -> (u16, Value) {
    shop.call("GET", path, json!({})).await
}

async fn post(shop: &Shop, path: &str, body: Value) -> (u16, Value) {
    shop.call("POST", path, body).await
}

fn periods(closings: &Value) -> Vec<(String, u64)> {
    let of = |closing: &Value| (closing["period"].as_str().unwrap().to_owned(), closing["number"].as_u64().unwrap());
    closings.as_array().unwrap().iter().map(of).collect()
}

#[tokio::test]
async fn the_running_day_is_what_the_closing_then_says() {
    let shop = shop(PrinterConfig::default()).await;
    shop.sell("a", 1250).await;
    shop.sell("b", 350).await;
    let rows = get(&shop, "/api/status").await.1["journal"]["rows"].clone();
    let (status, day) = get(&shop, "/api/day").await;
    assert_eq!(
        (status, &day["since_seq"], &day["sales"], &day["fund_cents"]),
        (200, &json!(1), &json!(2), &json!(1600))
    );
    let food = json!([{
        "id": "0", "label_fr": "Alimentation", "label_en": "Food", "sales": 2, "fund_cents": 1600, "member_cents": 0,
    }]);
    assert_eq!((&day["by_category"], &day["cashiers"]), (&food, &json!([])));
    assert_eq!(get(&shop, "/api/status").await.1["journal"]["rows"], rows, "nothing is written");

    let (status, closed) = post(&shop, "/api/day-close", json!({ "period": "year" })).await;
    assert_eq!((status, &closed["period"], &closed["is_new"]), (200, &json!("year"), &json!(true)));
    for key in ["sales", "requested_cents", "fund_cents", "member_cents", "reversed_cents", "by_category", "cashiers"] {
        assert_eq!(closed[key], day[key], "{key}");
    }
    let expected = [("day", 1), ("month", 1), ("year", 1)].map(|(period, number)| (period.to_owned(), number));
    assert_eq!(periods(&closed["closed"]), expected);
    // Asked twice, by whichever of two pages: the same closing.
    let again = post(&shop, "/api/day-close", json!({})).await.1;
    assert_eq!((&again["is_new"], &again["closed"], &again["number"]), (&json!(false), &json!([]), &json!(1)));

    shop.sell("c", 40).await;
    let day = get(&shop, "/api/day").await.1;
    assert_eq!((&day["fund_cents"], &day["perpetual_cents"]), (&json!(40), &json!(1640)));
    let listed = get(&shop, "/api/closings").await.1;
    assert_eq!(periods(&listed["closings"]).len(), 3);
    let newest = &listed["closings"][0];
    assert_eq!((&newest["period"], &newest["perpetual_cents"]), (&json!("year"), &json!(1600)));
    let older = get(&shop, &format!("/api/closings?limit=1&before={}", newest["seq"])).await.1;
    assert_eq!(periods(&older["closings"]), [("month".to_owned(), 1)]);
    for wrong in ["/api/closings?limit=x", "/api/closings?limit=-1", "/api/closings?month=1"] {
        assert_eq!(code(&get(&shop, wrong).await), (400, "error_bad_query"), "{wrong}");
    }
    assert_eq!(code(&post(&shop, "/api/day-close", json!({ "period": "week" })).await), (400, "error_bad_json"));
    let path = format!("/api/closings/{}/receipt", newest["seq"]);
    assert_eq!(code(&post(&shop, &path, json!({})).await), (503, "error_printer_off"));
}

#[tokio::test]
async fn a_closing_is_due_once_its_day_is_over_and_until_it_is_closed() {
    let shop = shop(PrinterConfig::default()).await;
    let due = async || get(&shop, "/api/status").await.1["closing"].clone();
    let nothing = json!({ "due": null, "since": null, "message_fr": null, "message_en": null });
    assert_eq!(due().await, nothing);
    shop.sell("a", 100).await;
    assert_eq!(due().await, nothing, "the day is not over");
    *shop.clock.lock().unwrap() = moment(1, DAY_S);
    let found = due().await;
    // The enrolment was in the middle of January.
    assert_eq!((&found["due"], &found["since"]), (&json!("day"), &json!("2027-01-15")));
    assert!(found["message_fr"].as_str().unwrap().contains("15/01/2027"), "{found}");
    assert!(found["message_en"].as_str().unwrap().contains("2027-01-15"), "{found}");
    post(&shop, "/api/day-close", json!({})).await;
    assert_eq!(due().await, nothing);
    // The month goes on, and is due when the next one has begun.
    *shop.clock.lock().unwrap() = moment(1, 30 * DAY_S);
    assert_eq!(due().await["due"], "month");
    post(&shop, "/api/day-close", json!({ "period": "month" })).await;
    assert_eq!(due().await, nothing);
    *shop.clock.lock().unwrap() = moment(1, 366 * DAY_S);
    assert_eq!(due().await["due"], "year");
    post(&shop, "/api/day-close", json!({ "period": "year" })).await;
    assert_eq!(due().await, nothing);
}

#[tokio::test]
async fn papers_of_closings_come_out_marked_and_counted() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = PrinterTarget::Tcp { host: String::from("127.0.0.1"), port: listener.local_addr().unwrap().port() };
    let (papers, mut printed) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut paper = Vec::new();
            drop(stream.read_to_end(&mut paper));
            // Windows-1252, whose letters here are those of Unicode.
            let text: String = paper.iter().map(|byte| char::from(*byte)).collect();
            if text.contains('-') && papers.send(text).is_err() {
                return;
            }
        }
    });
    let shop = shop(PrinterConfig { target, ..PrinterConfig::default() }).await;
    shop.sell("a", 1250).await;
    let mut next = async || tokio::time::timeout(Duration::from_secs(20), printed.recv()).await.unwrap().unwrap();
    assert_eq!(post(&shop, "/api/day/receipt", json!({})).await.0, 202);
    let running = next().await;
    assert_eq!(running.matches("ne vaut pas clôture").count(), 2, "{running}");
    let seq = post(&shop, "/api/day-close", json!({})).await.1["seq"].clone();
    let path = format!("/api/closings/{seq}/receipt");
    for copy in 0..3 {
        let (status, said) = post(&shop, &path, json!({ "language": if copy == 1 { "en" } else { "fr" } })).await;
        assert_eq!((status, &said["duplicate"]), (202, &json!(copy)));
        let paper = next().await;
        let (title, mark) =
            if copy == 1 { ("DAY CLOSING No. 1", "DUPLICATE 1") } else { ("CLÔTURE DU JOUR N° 1", "DUPLICATA 2") };
        assert!(paper.contains(title), "{paper}");
        assert_eq!(paper.contains(mark), copy > 0, "{paper}");
        assert!(paper.contains("12,50") || paper.contains("12.50"), "{paper}");
    }
    for none in [1_u32, 4_000_000_000] {
        let path = format!("/api/closings/{none}/receipt");
        assert_eq!(code(&post(&shop, &path, json!({})).await), (404, "error_no_closing"));
    }
    assert_eq!(code(&post(&shop, &path, json!({ "language": "de" })).await), (400, "error_bad_json"));
}

#[tokio::test]
async fn an_old_sale_is_found_by_day_or_number_and_refunded_from_there() {
    let shop = shop(PrinterConfig::default()).await;
    shop.sell("a", 1000).await;
    *shop.clock.lock().unwrap() = moment(1, 3 * DAY_S);
    shop.sell("b", 500).await;
    let (status, today) = get(&shop, "/api/history").await;
    assert_eq!((status, &today["day"], &today["truncated"]), (200, &json!("2027-01-18"), &json!(false)));
    assert_eq!(today["entries"], get(&shop, "/api/today").await.1["entries"]);
    let old = get(&shop, "/api/history?day=2027-01-15").await.1["entries"].clone();
    assert_eq!((old.as_array().unwrap().len(), &old[0]["cents"]), (1, &json!(1000)));
    assert_eq!(get(&shop, "/api/history?stan=000001").await.1["entries"], old);
    assert_eq!(get(&shop, "/api/history?stan=1").await.1["entries"], old);
    assert_eq!(get(&shop, "/api/history?stan=3").await.1["entries"], json!([]));
    assert_eq!(get(&shop, "/api/history?day=1999-12-31").await.1["entries"], json!([]));

    let status = get(&shop, "/api/status").await.1;
    let sale =
        json!({ "terminal": status["terminal"]["id"], "epoch": status["terminal"]["epoch"], "seq": old[0]["seq"] });
    let part = json!({ "sale": sale, "lines": [{ "category": "0", "cents": 300 }], "request_id": "f1" });
    let refund = post(&shop, "/api/refunds", part).await;
    assert_eq!((refund.0, &refund.1["cents"]), (201, &json!(300)), "{}", refund.1);
    let rest = post(&shop, "/api/refunds", json!({ "sale": sale, "request_id": "f2" })).await;
    assert_eq!((rest.0, &rest.1["cents"]), (201, &json!(700)));
    let found = get(&shop, &format!("/api/history?stan={}", refund.1["stan"].as_str().unwrap())).await.1;
    assert_eq!((&found["entries"][0]["kind"], &found["entries"][0]["sale_seq"]), (&json!("refund"), &old[0]["seq"]));
    assert_eq!(get(&shop, "/api/history?stan=1").await.1["entries"][0]["refunded_cents"], 1000);

    for day in ["", "28/11/2026", "2026-02-30", "2026-11-28T10:00", "1969-01-01"] {
        assert_eq!(code(&get(&shop, &format!("/api/history?day={day}")).await), (400, "error_bad_day"), "{day}");
    }
    for stan in ["", "0", "-1", "1000000", "+1", "0000001", "a"] {
        assert_eq!(code(&get(&shop, &format!("/api/history?stan={stan}")).await), (400, "error_bad_number"), "{stan}");
    }
    for query in ["day=2027-01-15&stan=1", "seq=1", "before=x"] {
        assert_eq!(code(&get(&shop, &format!("/api/history?{query}")).await), (400, "error_bad_query"), "{query}");
    }
}
