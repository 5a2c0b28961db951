//! Requests of chance, the same for a seed: nothing of them breaks anything.

use std::time::Duration;

use serde_json::{Value, json};

use super::abuse::the_next_sale_works;
use super::world;

/// Requests of one run of chance.
const REQUESTS: usize = 10_000;
/// `CABAS_ABUSE_SEED` plays another run.
const SEED: u64 = 20_261_129;

/// Numbers that look like chance and are the same for a seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[usize::try_from(self.next()).unwrap() % of.len()]
    }
}

const PARTS: [&str; 14] =
    ["x", "0", "1", "4294967296", "-1", "%ff", "%00", "a/b", "..", "é", "first", "last", "{id}", "0000000000000000"];
const WORDS: [&str; 34] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"lines\"",
    "\"cents\"",
    "\"amount\"",
    "\"request_id\"",
    "\"sale\"",
    "\"on\"",
    "\"code\"",
    "\"period\"",
    "\"outcome\"",
    "\"action\"",
    "\"language\"",
    "\"fr\"",
    "\"day\"",
    "\"print\"",
    "\"x\"",
    "\"1,50\"",
    "1",
    "0",
    "-1",
    "1e400",
    "null",
    "true",
    "false",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "{}",
    "[]",
    "\u{feff}",
];
/// Bodies that are nearly right, so that chance comes past the first check.
const NEARLY: [&str; 9] = [
    "{}",
    r#"{"lines":[{"cents":C}],"request_id":"R"}"#,
    r#"{"lines":[{"amount":"C"}],"request_id":"R"}"#,
    r#"{"sale":"R","request_id":"R"}"#,
    r#"{"sale":{"terminal":1,"epoch":1,"seq":C},"request_id":"R"}"#,
    r#"{"request_id":"R"}"#,
    r#"{"outcome":"accepted"}"#,
    r#"{"code":"C"}"#,
    r#"{"language":"fr"}"#,
];

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_requests_of_chance_break_nothing() {
    let world = world().await;
    let seed = std::env::var("CABAS_ABUSE_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    println!("CABAS_ABUSE_SEED={seed}");
    let mut chance = Chance(seed);
    // What waits for a card is not asked, for a minute each; and a day is not closed ten thousand times.
    let paths: Vec<_> = world.document.operations().into_iter().map(|(path, ..)| path).collect();
    let paths: Vec<_> = paths
        .iter()
        .map(String::as_str)
        .filter(|path| !matches!(*path, "/api/balance" | "/api/reader/test" | "/api/events"))
        .collect();
    for number in 0..REQUESTS {
        let mut path = chance.one(&paths).to_owned();
        for name in ["{id}", "{seq}", "{name}"] {
            path = path.replace(name, chance.one(&PARTS));
        }
        if chance.next().is_multiple_of(8) {
            path = format!(
                "{path}?{}={}",
                chance.one(&["limit", "before", "day", "stan", "n", "lang"]),
                chance.one(&PARTS)
            );
        }
        let method = chance.one(&["GET", "POST", "POST", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"]);
        let body = if chance.next().is_multiple_of(2) {
            let (cents, id) =
                (chance.one(&["1", "150", "0", "-1", "99999999999999999999", "1,50", "12"]), chance.one(&PARTS));
            chance.one(&NEARLY).replace('C', cents).replace('R', id)
        } else {
            (0..chance.next() % 14).map(|_| chance.one(&WORDS)).collect()
        };
        let kind = chance.one(&["application/json", "application/json", "application/json", "text/plain", ""]);
        let request = world.http.request(method.parse().unwrap(), format!("{}{path}", world.shop.url()));
        let answer =
            request.header("content-type", kind).body(body.clone()).timeout(Duration::from_secs(20)).send().await;
        let answer =
            answer.unwrap_or_else(|error| panic!("seed {seed} request {number} {method} {path} {body}: {error}"));
        let status = answer.status().as_u16();
        assert!(status < 500 || status == 503, "seed {seed} request {number} {method} {path} {body}: {status}");
        if status >= 400 && method != "HEAD" {
            let error: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            assert!(error["error"]["message_fr"].is_string() || path == "/health", "{number} {method} {path}: {error}");
        }
    }
    assert!(!world.shop.log().contains("panicked"), "{}", world.shop.log());
    let status = world.shop.get("/api/status").await.unwrap();
    if let Some(id) = status["sale"]["id"].as_str() {
        world.shop.delete(&format!("/api/sales/{id}")).await.unwrap();
    }
    assert_eq!(world.shop.post("/api/training", &json!({ "on": false })).await.unwrap().0, 200);
    the_next_sale_works(&world, "after-chance").await;
    let verified = world.shop.said(&["journal", "export", "--csv"]).unwrap();
    assert_eq!(verified.code, Some(0), "{verified:?}");
}
