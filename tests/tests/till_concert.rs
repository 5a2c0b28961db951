//! Unmodified tills that speak Concert at the real agent, over a pseudo-terminal (`deploy/tills-concert.txt`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::ports::free_port;
use cabas_tests::shop::Shop;
use cabas_tests::tills::Asking;
use serde_json::{Value, json};

/// A cable: two pseudo-terminals, or one and a connection.
struct Cable(Child);

impl Cable {
    fn new(till: &Path, other: &str) -> Self {
        let till = format!("pty,raw,echo=0,link={}", till.display());
        Self(Command::new("socat").args([&till, other]).spawn().unwrap())
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct World {
    hub: Hub,
    shop: Shop,
    till: PathBuf,
    terminal: PathBuf,
    port: u16,
    cards: Cards,
    cable: Option<Cable>,
    _dir: tempfile::TempDir,
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let (http, port) = (http_client().unwrap(), free_port().unwrap());
    let (till, terminal) = (dir.path().join("till"), dir.path().join("terminal"));
    let set = |key: &str, value: String| (format!("CABAS_AGENT_TILL_CONCERT_{key}"), value);
    let environment = vec![set("DEVICE", terminal.display().to_string()), set("LISTEN", format!("127.0.0.1:{port}"))];
    let shop =
        Shop::enrolled_with(&dir.path().join("shop"), &http, &hub, "biocoop-platanes", environment).await.unwrap();
    let mut world = World { hub, shop, till, terminal, port, cards: Cards::read().unwrap(), cable: None, _dir: dir };
    world.plug().await;
    world
}

impl World {
    async fn listening(&self, is_listening: bool) {
        let there = |status: &Value| (status["till"]["listening"] == is_listening).then_some(());
        self.shop.wait("the till's line", there).await.unwrap();
    }

    async fn plug(&mut self) {
        self.cable = Some(Cable::new(&self.till, &format!("pty,raw,echo=0,link={}", self.terminal.display())));
        self.listening(true).await;
    }

    async fn unplug(&mut self) {
        self.cable = None;
        self.listening(false).await;
    }

    fn ask(&self, client: &str, arguments: &[&str]) -> Asking {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("../target/tills/concert/bin/python");
        assert!(python.exists(), "run deploy/test once: it puts the tills' programs into target/tills");
        let mut command = Command::new(python);
        command.arg(root.join("till/concert_client.py")).arg(&self.till).arg(client).args(arguments);
        Asking(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    async fn tap(&self, id: &str, uid: &[u8]) -> Value {
        let sale = self.shop.tap_until_over(id, uid).await.unwrap();
        self.shop.card_gone().await.unwrap();
        sale
    }

    async fn pay(&self, client: &str, euros: &str, uid: &[u8]) -> Value {
        let asking = self.ask(client, &[euros]);
        let id = self.shop.till_sale().await.unwrap();
        self.tap(&id, uid).await;
        asking.told().await.unwrap()
    }

    /// What the screens say of the newest operation whose till knows no end.
    async fn blind(&self, cents: u64, state: &str) {
        let there = |status: &Value| {
            let blind = status["till"]["blind"].as_array()?;
            blind.iter().any(|one| one["cents"] == cents && one["state"] == state).then_some(())
        };
        self.shop.wait("what the till does not know", there).await.unwrap();
    }

    async fn answer(&self, answer: &str) {
        let asked = |status: &Value| status["till"]["question"]["question"].as_u64();
        let question = self.shop.wait("the question", asked).await.unwrap();
        let body = json!({ "question": question, "answer": answer });
        assert_eq!(self.shop.post("/api/till/answer", &body).await.unwrap().0, 200);
    }
}

#[tokio::test]
async fn unmodified_telium_clients_are_told_what_was_paid_and_what_not() {
    let mut world = world().await;
    let uid = world.cards.uid(1).to_vec();
    assert_eq!(world.ask("telium-probe", &[]).told().await.unwrap(), json!({ "ok": true }));
    for cents in 101..=106_u64 {
        let told = world.pay("telium", &format!("1.{:02}", cents - 100), &uid).await;
        assert_eq!(
            (&told["asked"], &told["answer"], &told["status"]),
            (&json!(true), &json!(true), &json!(0)),
            "{told}"
        );
    }
    assert_eq!(world.shop.sold_today().await.unwrap(), (6, 621));
    world.shop.till_unconfirmed(0).await.unwrap();
    let refused = |told: &Value| assert_eq!((&told["answer"], &told["status"]), (&json!(false), &json!(7)), "{told}");
    // Over the limit of a card that proves nothing, of any sale; a card of nobody; taken back; nothing to be given back.
    refused(&world.pay("telium", "990.00", &uid).await);
    refused(&world.ask("telium", &["1000.01"]).told().await.unwrap());
    refused(&world.pay("telium", "2.00", &[4, 9, 9, 9, 9, 9, 9]).await);
    let asking = world.ask("telium", &["2.00"]);
    let id = world.shop.till_sale().await.unwrap();
    // Another till hears that it is busy.
    let said = world.shop.said(&["till", "test"]).unwrap();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("NAK: it is busy"), "{said:?}");
    assert_eq!(world.shop.delete(&format!("/api/sales/{id}")).await.unwrap(), 200);
    refused(&asking.told().await.unwrap());
    refused(&world.ask("telium", &["2.00", "credit"]).told().await.unwrap());
    // The till waits two seconds, and the member is slower: paid, and not confirmed by the till.
    let late = world.ask("telium", &["7.00", "debit", "2"]);
    let id = world.shop.till_sale().await.unwrap();
    assert_eq!(late.told().await.unwrap()["answer"], Value::Null);
    assert_eq!(world.tap(&id, &uid).await["state"], "accepted");
    world.shop.till_unconfirmed(1).await.unwrap();
    // The line is free once it has called three times.
    tokio::time::sleep(Duration::from_secs(10)).await;
    // The till dies while the member pays: the same again is asked about first.
    let dies = world.ask("telium", &["12.45"]);
    let id = world.shop.till_sale().await.unwrap();
    drop(dies);
    assert_eq!(world.tap(&id, &uid).await["state"], "accepted");
    world.shop.till_unconfirmed(2).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let again = world.ask("telium", &["12.45"]);
    world.answer("resend").await;
    assert_eq!(again.told().await.unwrap()["status"], 0);
    world.shop.till_unconfirmed(1).await.unwrap();
    assert_eq!(world.shop.sold_today().await.unwrap(), (8, 621 + 700 + 1245));
    // A slow card; then money back for it, and the last sale undone.
    let asking = world.ask("telium", &["4.00"]);
    let id = world.shop.till_sale().await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.tap(&id, &uid).await;
    assert_eq!(asking.told().await.unwrap()["status"], 0);
    let asking = world.ask("telium", &["4.00", "credit"]);
    world.shop.till_asks_for_card().await.unwrap();
    let card = world.shop.tap(&uid).unwrap();
    let told = asking.told().await.unwrap();
    card.remove();
    world.shop.card_gone().await.unwrap();
    assert_eq!(told["status"], 0, "{told}");
    assert_eq!(world.pay("telium", "5.00", &uid).await["status"], 0);
    let told = world.ask("telium", &["5.00", "refund"]).told().await.unwrap();
    assert_eq!(told["status"], 0, "{told}");
    // The device is pulled out while a till waits, and comes back.
    let asking = world.ask("telium", &["6.00"]);
    world.shop.till_sale().await.unwrap();
    world.unplug().await;
    world.blind(600, "not_paid").await;
    drop(asking);
    world.plug().await;
    assert_eq!(world.pay("telium", "6.00", &uid).await["status"], 0);
    world.shop.wait_until_synced().await.unwrap();
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn clients_that_never_learn_the_end_leave_it_to_the_terminals_screen() {
    let world = world().await;
    let uid = world.cards.uid(1).to_vec();
    for cents in 101..=106_u64 {
        let told = world.ask("pypostelium", &[&format!("1.{:02}", cents - 100)]).told().await.unwrap();
        assert_eq!(told, json!({ "result": true }), "it takes for paid what was heard");
        let id = world.shop.till_sale().await.unwrap();
        world.blind(cents, "asked").await;
        assert_eq!(world.tap(&id, &uid).await["state"], "accepted");
        world.blind(cents, "paid").await;
    }
    world.shop.till_unconfirmed(0).await.unwrap();
    // Refused: for it that is paid as well, and the screen says that it is not.
    for (euros, cents) in [("1000.01", 100_001), ("-3.50", 0)] {
        let told = world.ask("pypostelium", &[euros]).told().await.unwrap();
        assert_eq!(told, json!({ "result": cents > 0 }), "{euros}");
        if cents > 0 {
            world.blind(cents, "not_paid").await;
        }
    }
    assert_eq!(world.ask("pypostelium", &["2.00"]).told().await.unwrap(), json!({ "result": true }));
    let id = world.shop.till_sale().await.unwrap();
    assert_eq!(world.ask("pypostelium", &["9.00"]).told().await.unwrap(), json!({ "result": false }), "busy");
    assert_eq!(world.shop.delete(&format!("/api/sales/{id}")).await.unwrap(), 200);
    world.blind(200, "not_paid").await;
    assert_eq!(world.ask("pypostelium", &["2.00", "check"]).told().await.unwrap(), json!({ "result": true }));
    assert_eq!(world.shop.sold_today().await.unwrap(), (6, 621));
    // Odoo's driver closes its line as soon as it was heard.
    let told = world.ask("odoo-driver", &["1.03"]).told().await.unwrap();
    assert_eq!(told, json!({ "code": 200, "result": true }));
    let id = world.shop.till_sale().await.unwrap();
    assert_eq!(world.tap(&id, &uid).await["state"], "accepted");
    world.shop.till_unconfirmed(1).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(world.ask("odoo-driver", &["1.03"]).told().await.unwrap()["result"], true);
    world.answer("new").await;
    let id = world.shop.till_sale().await.unwrap();
    assert_eq!(world.shop.delete(&format!("/api/sales/{id}")).await.unwrap(), 200);
    world.blind(103, "not_paid").await;
    assert_eq!(world.shop.sold_today().await.unwrap(), (7, 621 + 103));
}

#[tokio::test]
async fn a_till_behind_a_connection_is_served_and_till_test_shows_what_it_would_see() {
    let mut world = world().await;
    let uid = world.cards.uid(1).to_vec();
    let by_device = world.shop.said(&["till", "test", "--json", "--line", &world.till.display().to_string()]).unwrap();
    assert_eq!(by_device.code, Some(0), "{by_device:?}");
    // The same client, its bytes carried by TCP.
    world.cable = None;
    let tcp = Cable::new(&world.till, &format!("tcp:127.0.0.1:{},nodelay", world.port));
    for _ in 0..100 {
        if world.till.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = world.pay("telium", "12.45", &uid).await;
    assert_eq!((&told["answer"], &told["euros"]), (&json!(true), &json!(12.45)), "{told}");
    drop(tcp);
    let said = world.shop.said(&["till", "test", "--json"]).unwrap();
    assert_eq!(said.code, Some(0), "{said:?}");
    let shown: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&shown["probe"]["done"], &shown["probe"]["answer"]), (&json!(true), &json!("ACK")));
    // A sale is under way at the counter: a till would be refused.
    let id = world.shop.begin_sale(300, "typed").await.unwrap();
    let said = world.shop.said(&["till", "test", "--amount", "200"]).unwrap();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("NAK: it is busy"), "{said:?}");
    assert_eq!(world.shop.delete(&format!("/api/sales/{id}")).await.unwrap(), 200);
    assert_eq!(world.shop.sold_today().await.unwrap(), (1, 1245));
    world.shop.stop().unwrap();
    let said = world.shop.said(&["till", "test"]).unwrap();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("nothing answers"), "{said:?}");
}
