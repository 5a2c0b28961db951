//! A real Chromium: what a page of another origin can do to the terminal, and whom the terminal's own pages ask.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use cabas_tests::browser::Browser;
use cabas_tests::example::Cards;
use serde_json::{Value, json};

use super::world;

/// Chromium by itself asks its maker for updates, the time and how to fill in forms. With this it finds no name: `operating.md`
/// has it for the machines of shops.
const NOBODY_ELSE: &str = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1";

/// What a hostile page tries; each answers with what it came to.
const TRIES: &str = r#"<!doctype html><meta charset="utf-8"><title>evil</title><script>
const agent = 'http://127.0.0.1:AGENT';
const sale = JSON.stringify({ lines: [{ cents: 100 }], request_id: 'evil' });
const tries = [];
const attempt = (name, work) => tries.push(Promise.race([
    work().then((got) => [name, got], (error) => [name, 'refused']),
    new Promise((go) => setTimeout(() => go([name, 'nothing']), 4000))]));
const element = (tag, set) => new Promise((go) => {
    const one = document.createElement(tag);
    one.onload = () => go('loaded'); one.onerror = () => go('refused');
    set(one); document.body.append(one); });
const read = async (path, options) => { const answer = await fetch(agent + path, options); return answer.type + ' ' + answer.status + ' ' + await answer.text(); };
window.go = async () => {
  for (const path of ['/', '/api/status', '/api/today', '/api/sales/last', '/api/openapi.json', '/api/phones', '/metrics']) {
    attempt('fetch ' + path, () => read(path));
    attempt('opaque ' + path, () => read(path, { mode: 'no-cors' }));
  }
  attempt('post json', () => read('/api/sales', { method: 'POST', headers: { 'content-type': 'application/json' }, body: sale }));
  attempt('post text', () => read('/api/sales', { method: 'POST', mode: 'no-cors', headers: { 'content-type': 'text/plain' }, body: sale }));
  attempt('post blob', () => read('/api/sales', { method: 'POST', mode: 'no-cors', body: new Blob([sale], { type: 'application/json' }) }));
  attempt('beacon', async () => { navigator.sendBeacon(agent + '/api/sales', new Blob([sale], { type: 'application/json' })); return 'sent'; });
  attempt('delete', () => read('/api/cashier', { method: 'DELETE' }));
  attempt('events', () => new Promise((go, no) => { const all = new EventSource(agent + '/api/events'); all.onopen = all.onmessage = () => go('open'); all.onerror = no; }));
  attempt('socket', () => new Promise((go, no) => { const one = new WebSocket('ws://127.0.0.1:AGENT/api/events'); one.onopen = () => go('open'); one.onerror = no; }));
  attempt('image', () => element('img', (one) => { one.src = agent + '/api/today/RECEIPT/e-receipt.svg'; }));
  attempt('script', () => element('script', (one) => { one.src = agent + '/assets/tools.js'; }));
  attempt('style', () => element('link', (one) => { one.rel = 'stylesheet'; one.href = agent + '/assets/style.css'; }));
  attempt('object', () => element('object', (one) => { one.data = agent + '/api/status'; }));
  attempt('frame', async () => { let one; await element('iframe', (made) => { one = made; one.src = agent + '/'; }); try { return one.contentWindow.document.body.textContent; } catch { return 'refused'; } });
  attempt('form', async () => {
    const frame = document.createElement('iframe'); frame.name = 'into'; document.body.append(frame);
    const form = document.createElement('form'); form.method = 'post'; form.enctype = 'text/plain'; form.target = 'into'; form.action = agent + '/api/sales';
    const field = document.createElement('input'); field.name = sale.slice(0, -1) + ',"x":"'; field.value = '"}'; form.append(field); document.body.append(form); form.submit();
    await new Promise((go) => setTimeout(go, 1000));
    try { return frame.contentWindow.document.body.textContent; } catch { return 'refused'; } });
  return Object.fromEntries(await Promise.all(tries));
};
</script><body>evil</body>"#;

/// Serves one page at every address, on every connection, until the test ends.
fn serve(page: String) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let page = page.clone();
            std::thread::spawn(move || {
                let _head = stream.read(&mut [0; 8192]);
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: ";
                drop(write!(stream, "{head}{}\r\n\r\n{page}", page.len()));
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_gets_nothing_through_and_reads_nothing() {
    let world = world().await;
    let sold = world.shop.sell(100, Cards::read().unwrap().uid(1), "before").await.unwrap();
    let before = world.shop.get("/api/today").await.unwrap();
    let tries =
        TRIES.replace("AGENT", &world.shop.address().1.to_string()).replace("RECEIPT", &sold["seq"].to_string());
    let port = serve(tries);
    let window = Browser::open(800, 480).await.unwrap();
    // Beside it on the same address (which browsers call the same site), and under another name.
    for name in ["127.0.0.1", "localhost"] {
        window.goto(&format!("http://{name}:{port}/")).await.unwrap();
        let came_to = window.script("return window.go()").await.unwrap();
        let came_to = came_to.as_object().unwrap();
        assert!(came_to.len() > 20, "{came_to:?}");
        for (tried, got) in came_to {
            let got = got.as_str().unwrap();
            // The browser says of what is sent blindly that it was sent, and gives nothing of the answer.
            let is_blind = tried == "beacon" || got == "opaque 0 ";
            assert!(got == "refused" || got == "nothing" || is_blind || got.is_empty(), "{name} {tried}: {got}");
        }
        let status = world.shop.get("/api/status").await.unwrap();
        assert_eq!((&status["sale"], &status["training"]), (&Value::Null, &json!(false)), "{name}");
        assert_eq!(world.shop.get("/api/today").await.unwrap(), before, "{name}");
        assert_eq!(world.shop.get("/api/sales/evil").await.unwrap()["error"]["code"], "error_not_found");
    }
    // The same page can do all this where it may: the tries are no empty ones.
    window.goto(&format!("{}/", world.shop.url())).await.unwrap();
    let own = "const answer = await fetch('/api/status'); return answer.status + ' ' + (await answer.json()).standing";
    assert_eq!(window.script(own).await.unwrap(), "200 live");
    window.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_whole_sale_both_pages_ask_the_terminal_and_nobody_else() {
    let world = world().await;
    let dir = tempfile::tempdir().unwrap();
    let mut windows = Vec::new();
    for (path, said) in [("", "Encaisser"), ("/customer", "Bonjour"), ("/help", "carte")] {
        let file = dir.path().join(format!("net{}.json", path.replace('/', "-")));
        let log = format!("--log-net-log={}", file.display());
        let log = [log, "--net-log-capture-mode=IncludeSensitive".to_owned(), NOBODY_ELSE.to_owned()];
        let window = Browser::open_phone_with(800, 480, &log).await.unwrap();
        window.goto(&format!("{}{path}", world.shop.url())).await.unwrap();
        window.wait_for_text(said).await.unwrap();
        windows.push((window, file));
    }
    windows[0].0.keys("body", "12,5\u{e007}").await.unwrap();
    windows[1].0.wait_for_text("12,50").await.unwrap();
    let card = world.shop.tap(Cards::read().unwrap().uid(1)).unwrap();
    windows[0].0.wait_for_text("Accepté").await.unwrap();
    windows[1].0.wait_for_text("Merci").await.unwrap();
    card.remove();
    let own = format!("127.0.0.1:{}", world.shop.address().1);
    for (window, file) in windows {
        window.close().await.unwrap();
        let log = net_log(&file).await;
        let asked = requests(&log, &format!("http://{own}"));
        assert!(asked.iter().any(|url| url.contains("/assets/")), "{asked:?}");
        let foreign: Vec<_> = asked.iter().filter(|url| !url.starts_with(&format!("http://{own}/"))).collect();
        assert_eq!(foreign, Vec::<&String>::new(), "{}", file.display());
        assert_eq!(connections(&log), BTreeSet::from([own.clone()]), "{}", file.display());
    }
}

/// What Chromium wrote of everything that went over its network, once it has ended.
async fn net_log(file: &std::path::Path) -> Value {
    for _ in 0..200 {
        if let Some(log) = std::fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return log;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("Chromium never finished {}", file.display());
}

fn events<'l>(log: &'l Value, name: &str) -> impl Iterator<Item = &'l Value> + use<'l> {
    let number = log["constants"]["logEventTypes"][name].clone();
    assert!(number.is_u64(), "Chromium has no {name}");
    log["events"].as_array().unwrap().iter().filter(move |event| event["type"] == number)
}

/// Every address that a page of this origin asked for.
fn requests(log: &Value, origin: &str) -> BTreeSet<String> {
    let of_page = |event: &&Value| event["params"]["initiator"] == origin;
    let urls = events(log, "URL_REQUEST_START_JOB").filter(of_page).filter_map(|event| event["params"]["url"].as_str());
    urls.filter(|url| !url.starts_with("data:")).map(str::to_owned).collect()
}

/// Every address that was connected to, by whatever part of the browser.
fn connections(log: &Value) -> BTreeSet<String> {
    let tries = events(log, "TCP_CONNECT_ATTEMPT").filter_map(|event| event["params"]["address"].as_str());
    tries.map(str::to_owned).collect()
}
