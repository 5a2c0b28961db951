//! What a hostile page, a broken program or a scan of the port sends: refused in words, and the next sale works.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use cabas_tests::example::Cards;
use serde_json::Value;

use super::{JSON, World, world};

fn connect(world: &World) -> TcpStream {
    let stream = TcpStream::connect(world.shop.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Sends bytes as they are, and gives all that comes back until the agent closes or is silent for a moment.
fn send(world: &World, bytes: &[u8]) -> String {
    let mut stream = connect(world);
    // The agent may refuse before it has read all.
    let _refused = stream.write_all(bytes);
    stream.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn status_of(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

fn request(world: &World, line: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let host = format!("host: 127.0.0.1:{}", world.shop.address().1);
    let has_host = headers.iter().any(|header| header.starts_with("host:"));
    let mut text = format!("{line} HTTP/1.1\r\nconnection: close\r\n");
    for header in headers.iter().copied().chain((!has_host).then_some(host.as_str())) {
        text.push_str(header);
        text.push_str("\r\n");
    }
    if !body.is_empty() {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    format!("{text}\r\n{body}").into_bytes()
}

pub(crate) async fn the_next_sale_works(world: &World, id: &str) {
    let sale = world.shop.sell(100, Cards::read().unwrap().uid(1), id).await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_page_embeds_is_refused_and_a_link_to_the_terminal_is_followed() {
    let world = world().await;
    for (site, mode, dest, status) in [
        ("cross-site", "no-cors", "image", 403),
        ("cross-site", "no-cors", "script", 403),
        ("same-site", "cors", "empty", 403),
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "navigate", "document", 200),
        ("none", "navigate", "document", 200),
        ("same-origin", "cors", "empty", 200),
    ] {
        let headers =
            [format!("sec-fetch-site: {site}"), format!("sec-fetch-mode: {mode}"), format!("sec-fetch-dest: {dest}")];
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = send(&world, &request(&world, "GET /", &headers, ""));
        assert_eq!(status_of(&answer), Some(status), "{site} {mode} {dest}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_name_that_resolves_to_this_machine_and_two_names_at_once_are_refused() {
    let world = world().await;
    // DNS rebinding: the browser is told that evil.example is 127.0.0.1, and sends its name.
    let port = world.shop.address().1;
    let rebound = reqwest::Client::builder().no_proxy().resolve("evil.example", ([127, 0, 0, 1], port).into());
    let rebound = rebound.build().unwrap();
    for path in
        ["/", "/api/status", "/api/events", "/api/sales/last", "/api/openapi.json", "/assets/app.js", "/metrics"]
    {
        let answer = rebound.get(format!("http://evil.example:{port}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 421, "{path}");
        assert!(answer.headers().get("access-control-allow-origin").is_none());
    }
    let (own, sale) = (format!("127.0.0.1:{port}"), r#"{"lines":[{"cents":100}],"request_id":"evil"}"#);
    let host = |name: &str| format!("host: {name}");
    for headers in [
        vec![host("evil.example")],
        vec![host(&format!("{own}.evil.example"))],
        vec![host(&format!("evil.example@{own}"))],
        vec![host("127.0.0.1")],
        vec![host("127.0.0.1:1")],
        vec![host(&format!("127.1:{port}"))],
        vec![host(&format!("0.0.0.0:{port}"))],
        vec![host(&own), host("evil.example")],
        vec![host("evil.example"), host(&own)],
        vec![host("")],
    ] {
        let mut all: Vec<_> = headers.iter().map(String::as_str).collect();
        all.push("content-type: application/json");
        let answer = send(&world, &request(&world, "POST /api/sales", &all, sale));
        assert!(matches!(status_of(&answer), Some(400 | 421)), "{headers:?}: {answer}");
    }
    let absolute = request(&world, "GET http://evil.example/api/status", &[], "");
    assert_eq!(status_of(&send(&world, &absolute)), Some(421), "a whole address in the request's line");
    let none = b"GET /api/status HTTP/1.0\r\n\r\n";
    assert_eq!(status_of(&send(&world, none).replace("HTTP/1.0", "HTTP/1.1")), Some(421));
    assert_eq!(world.shop.get("/api/status").await.unwrap()["sale"], Value::Null);
    the_next_sale_works(&world, "after-names").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_other_methods_and_other_origins_do_nothing() {
    let world = world().await;
    let sale = r#"{"lines":[{"cents":100}],"request_id":"form"}"#;
    for origin in ["http://evil.example", "null", "http://127.0.0.1", "https://127.0.0.1:7410", "file://", ""] {
        let origin = format!("origin: {origin}");
        for line in
            ["POST /api/sales", "DELETE /api/sales/x", "GET /api/status", "OPTIONS /api/sales", "GET /api/events"]
        {
            let headers = [origin.as_str(), "content-type: application/json"];
            let answer =
                send(&world, &request(&world, line, &headers, if line.starts_with("POST") { sale } else { "" }));
            assert_eq!(status_of(&answer), Some(403), "{line} {origin}: {answer}");
            assert!(!answer.to_lowercase().contains("access-control-allow"), "{answer}");
        }
    }
    for kind in [
        "content-type: text/plain",
        "content-type: application/x-www-form-urlencoded",
        "content-type: multipart/form-data",
        "content-type: application/jsonx",
        "content-type: text/plain;application/json",
        "x-none: 1",
        "content-type: application/json\r\ncontent-type: text/plain",
    ] {
        for path in ["/api/sales", "/api/refunds", "/api/day-close", "/api/balance", "/api/training", "/api/cashier"] {
            let answer = send(&world, &request(&world, &format!("POST {path}"), &[kind], sale));
            assert_eq!(status_of(&answer), Some(415), "{path} {kind}: {answer}");
        }
    }
    for (line, expected) in [
        ("PUT /api/sales", 405),
        ("PATCH /api/sales/x", 405),
        ("TRACE /", 405),
        ("OPTIONS /api/sales", 405),
        ("BREW /", 405),
        ("CONNECT 127.0.0.1:80", 421),
        ("HEAD /api/status", 200),
        ("HEAD /", 200),
        ("HEAD /api/sales", 405),
        ("GET /assets/../Cargo.toml", 404),
        ("GET /assets/..%2f..%2fetc%2fpasswd", 404),
        ("GET /assets/%2e%2e/%2e%2e/etc/passwd", 404),
        ("GET /assets/..\\..\\etc\\passwd", 404),
        ("GET /assets//etc/passwd", 404),
        ("GET /assets/app.js%00.css", 404),
        ("GET //assets/app.js", 404),
        ("GET /ASSETS/app.js", 404),
        ("GET /assets/", 404),
        ("GET /api/sales/%ff%fe", 400),
    ] {
        let answer = send(&world, &request(&world, line, &[], ""));
        let status = status_of(&answer);
        assert!(
            status == Some(expected) || matches!(status, Some(400 | 404 | 405)) && matches!(expected, 400..=405),
            "{line}: {answer}"
        );
        assert!(!answer.contains("root:") && !answer.contains("[package]"), "{line}: {answer}");
        if line.starts_with("HEAD") {
            assert!(answer.ends_with("\r\n\r\n"), "{line} has no body: {answer}");
        }
    }
    assert_eq!(world.shop.get("/api/status").await.unwrap()["sale"], Value::Null);
    the_next_sale_works(&world, "after-forms").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_no_honest_till_sends_are_refused_and_nothing_waits_for_them() {
    let world = world().await;
    let deep = format!("{}{}", "[".repeat(8_000), "]".repeat(8_000));
    let line = |cents: &str| format!(r#"{{"lines":[{{"cents":{cents}}}],"request_id":"n"}}"#);
    let cases = [
        (deep, 400),
        (format!(r#"{{"lines":{}}}"#, "[".repeat(15_000)), 400),
        (r#"{"lines":[{"cents":1}],"request_id":"a","request_id":"b"}"#.to_owned(), 400),
        (r#"{"lines":[{"cents":1,"cents":2}],"request_id":"a"}"#.to_owned(), 400),
        (r#"{"lines":[{"cents":1}],"lines":[],"request_id":"a"}"#.to_owned(), 400),
        (line("NaN"), 400),
        (line("Infinity"), 400),
        (line("1e400"), 400),
        (line("-1"), 422),
        (line("-0"), 422),
        (line("0.1"), 422),
        (line("1e2"), 422),
        (line("18446744073709551616"), 422),
        (line("18446744073709551615"), 422),
        (line("\"١٢\""), 400),
        (line("null"), 400),
        (r#"{"lines":[{"amount":"１２"}],"request_id":"n"}"#.to_owned(), 422),
        (r#"{"lines":[{"amount":"12\u0000"}],"request_id":"n"}"#.to_owned(), 422),
        (r#"{"lines":[{"cents":1}],"request_id":"n","till_ref":"\u001b[2J"}"#.to_owned(), 400),
        (r#"{"lines":[{"cents":1}],"request_id":"\ud800"}"#.to_owned(), 400),
        ("\u{feff}{}".to_owned(), 400),
        (" ".repeat(16_000), 400),
        (format!(r#"{{"lines":[{}],"request_id":"n"}}"#, vec![r#"{"cents":1}"#; 1_000].join(",")), 422),
        // Fits into the socket: who sends more than it takes may lose the answer with the connection.
        ("x".repeat(100_000), 413),
    ];
    for (body, expected) in &cases {
        let answer = world.raw(&[JSON], body).await;
        assert_eq!(answer.0, *expected, "{body:.80}: {}", answer.1);
    }
    // Heads without an end, and bodies whose length lies.
    let long = format!("x-long: {}", "x".repeat(1_000_000));
    let many = (0..500).map(|n| format!("x-{n}: 1")).collect::<Vec<_>>();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for bytes in [
        request(&world, "GET /api/status", &[&long], ""),
        request(&world, "GET /api/status", &many, ""),
        request(&world, &format!("GET /api/status?{}", "x".repeat(1_000_000)), &[], ""),
        request(&world, "POST /api/sales", &["content-type: application/json", "content-length: -1"], ""),
        request(&world, "POST /api/sales", &["content-type: application/json", "content-length: 5, 6"], ""),
        request(
            &world,
            "POST /api/sales",
            &["content-type: application/json", "transfer-encoding: chunked", "content-length: 3"],
            "{}",
        ),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![0; 10_000],
    ] {
        let status = status_of(&send(&world, &bytes));
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{status:?}");
    }
    the_next_sale_works(&world, "after-bodies").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_listeners_and_connections_that_say_nothing_keep_nobody_from_selling() {
    let world = world().await;
    let mut listeners = Vec::new();
    let (mut heard, mut refused) = (0, 0);
    for _ in 0..100 {
        let answer = world.http.get(format!("{}/api/events", world.shop.url())).send().await.unwrap();
        match answer.status().as_u16() {
            200 => heard += 1,
            503 => refused += 1,
            other => panic!("{other}"),
        }
        listeners.push(answer);
    }
    assert_eq!((heard, refused), (16, 84));
    // Connections that say nothing, half a head, or a body byte by byte.
    let mut open = Vec::new();
    for said in ["", "GET /api/sta", "POST /api/sales HTTP/1.1\r\nhost: x\r\ncontent-length: 9000\r\n\r\n{"] {
        for _ in 0..40 {
            let mut stream = connect(&world);
            stream.write_all(said.as_bytes()).unwrap();
            open.push(stream);
        }
    }
    // The shell is not told then, and asks by itself.
    let mut sell = world.shop.command(&["sell", "--cents", "300", "--json"]).unwrap();
    let selling = std::thread::spawn(move || cabas_tests::program::run(&mut sell).unwrap());
    world.shop.wait("the sale", |status| status["sale"]["id"].as_str().map(str::to_owned)).await.unwrap();
    let card = world.shop.tap(Cards::read().unwrap().uid(1)).unwrap();
    assert_eq!(selling.join().unwrap().json().unwrap()["state"], "accepted");
    card.remove();
    world.shop.wait("no card", |status| (status["reader"]["card_present"] != true).then_some(())).await.unwrap();
    // Two requests in one piece are two answers, in order.
    let first = request(&world, "GET /api/texts", &[], "");
    let pipelined = [
        String::from_utf8_lossy(&first).replace("connection: close\r\n", "").as_bytes(),
        &request(&world, "GET /nowhere", &[], ""),
    ]
    .concat();
    let answer = send(&world, &pipelined);
    assert_eq!(
        (answer.matches("HTTP/1.1 200").count(), answer.matches("HTTP/1.1 404").count()),
        (1, 1),
        "{answer:.300}"
    );
    drop((listeners, open));
    the_next_sale_works(&world, "after-crowd").await;
    let heard = world.http.get(format!("{}/api/events", world.shop.url())).send().await.unwrap();
    assert_eq!(heard.status(), 200, "the places are free again");
}
