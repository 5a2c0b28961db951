//! Unmodified tills at the real agent: the Odoo addons of `deploy/tills.txt`, run without Odoo by `tests/till/odoo_stub.py`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::ports::free_port;
use cabas_tests::shop::Shop;
use cabas_tests::tills::Asking;
use serde_json::{Value, json};

/// From the oldest that is in use to the newest.
const ADDONS: [&str; 3] = ["16.0.1.0.0.14", "18.0.1.5.0.1", "19.0.1.0.0.3"];

struct World {
    hub: Hub,
    shop: Shop,
    port: u16,
    cards: Cards,
    _dir: tempfile::TempDir,
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let (http, port) = (http_client().unwrap(), free_port().unwrap());
    let till = (String::from("CABAS_AGENT_TILL_CAISSE_AP_LISTEN"), format!("127.0.0.1:{port}"));
    let folder = dir.path().join("shop");
    let shop = Shop::enrolled_with(&folder, &http, &hub, "biocoop-platanes", vec![till]).await.unwrap();
    shop.wait("the tills' door", |status| (status["till"]["listening"] == true).then_some(())).await.unwrap();
    World { hub, shop, port, cards: Cards::read().unwrap(), _dir: dir }
}

impl World {
    fn ask(&self, addon: &str, euros: &str, more: &[&str]) -> Asking {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder: PathBuf = root.join("../target/tills").join(addon).join("x");
        assert!(folder.exists(), "run deploy/test once: it puts the tills' programs into target/tills");
        let mut command = Command::new("python3");
        command.arg(root.join("till/odoo_stub.py")).arg(folder).arg(self.port.to_string()).arg(euros).args(more);
        Asking(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    /// A till asks, a card is held to the reader: what the till is told.
    async fn pay(&self, addon: &str, euros: &str, uid: &[u8]) -> Value {
        let asking = self.ask(addon, euros, &[]);
        let id = self.shop.till_sale().await.unwrap();
        self.shop.tap_until_over(&id, uid).await.unwrap();
        let told = asking.told().await.unwrap();
        self.shop.card_gone().await.unwrap();
        told
    }
}

fn assert_failed(told: &Value, label: &str) {
    assert_eq!(told["payment_status"], "failure", "{told}");
    assert!(told["error_message"].as_str().unwrap().contains(label), "{told}");
}

/// One addon, from amounts that are paid to each reason why not.
async fn one_is_told(addon: &str) {
    let world = world().await;
    let uid = world.cards.uid(1);
    for over in 1..=6_u64 {
        let told = world.pay(addon, &format!("1.{over:02}"), uid).await;
        assert_eq!(told["payment_status"], "success", "{addon} 1.{over:02}: {told}");
        let stan = world.shop.get("/api/sales/last").await.unwrap()["stan"].as_str().unwrap().to_owned();
        assert!(told["transaction_id"].as_str().unwrap().contains(&format!("AC-{stan}")), "{told}");
    }
    // Six sales of 1.01 to 1.06 euros.
    let expected = (6, 621);
    assert_eq!(world.shop.sold_today().await.unwrap(), expected);
    world.shop.till_unconfirmed(0).await.unwrap();

    // Over the limit of a card that proves nothing, and over that of any sale: no card is asked for then.
    assert_failed(&world.pay(addon, "990.00", uid).await, "Non aboutie");
    assert_failed(&world.ask(addon, "1000.01", &[]).told().await.unwrap(), "Refusée");
    assert_failed(&world.pay(addon, "2.00", &[4, 9, 9, 9, 9, 9, 9]).await, "Interdite");
    let asking = world.ask(addon, "2.00", &[]);
    let id = world.shop.till_sale().await.unwrap();
    assert_failed(&world.ask(addon, "3.00", &[]).told().await.unwrap(), "Abandon Opérateur");
    assert_eq!(world.shop.delete(&format!("/api/sales/{id}")).await.unwrap(), 200);
    assert_failed(&asking.told().await.unwrap(), "Abandon Opérateur");
    assert_failed(&world.ask(addon, "-2.00", &[]).told().await.unwrap(), "erreur sélection");
    // The till waits two seconds only, and what comes later is no sale; the oldest addon waits without end, and is told
    // after 80 s that no card came.
    let late = world.ask(addon, "2.00", &["card", "5000"]);
    let id = world.shop.till_sale().await.unwrap();
    let told = late.told().await.unwrap();
    if addon == ADDONS[0] {
        assert_failed(&told, "Time-out");
    } else {
        assert_eq!(told["payment_status"], "issue");
    }
    assert_eq!(world.shop.sale_over(&id).await.unwrap()["state"], "cancelled");
    assert_eq!(world.shop.sold_today().await.unwrap(), expected);
    world.shop.wait_until_synced().await.unwrap();
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn the_unmodified_odoo_16_addon_is_told_what_was_paid_and_why_not() {
    one_is_told(ADDONS[0]).await;
}

#[tokio::test]
async fn the_unmodified_odoo_18_addon_is_told_what_was_paid_and_why_not() {
    one_is_told(ADDONS[1]).await;
}

#[tokio::test]
async fn the_unmodified_odoo_19_addon_is_told_what_was_paid_and_why_not() {
    one_is_told(ADDONS[2]).await;
}

#[tokio::test]
async fn other_modes_are_refused_a_slow_member_pays_and_money_goes_back() {
    let world = world().await;
    let uid = world.cards.uid(1);
    assert_failed(&world.ask("18.0.1.5.0.1", "2.00", &["check"]).told().await.unwrap(), "erreur sélection");
    assert_failed(&world.ask("18.0.1.5.0.1", "2.00", &["ancv"]).told().await.unwrap(), "erreur sélection");
    // A member who looks for the card.
    let asking = world.ask("18.0.1.5.0.1", "4.00", &[]);
    let id = world.shop.till_sale().await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    world.shop.tap_until_over(&id, uid).await.unwrap();
    assert_eq!(asking.told().await.unwrap()["payment_status"], "success");
    // Money back for the sale that the member's card paid.
    let asking = world.ask("18.0.1.5.0.1", "-4.00", &[]);
    world.shop.till_asks_for_card().await.unwrap();
    let card = world.shop.tap(uid).unwrap();
    let told = asking.told().await.unwrap();
    card.remove();
    assert_eq!(told["payment_status"], "success", "{told}");
    world.shop.wait_until_synced().await.unwrap();
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_till_that_dies_before_it_reads_is_told_again_and_nothing_is_paid_twice() {
    let world = world().await;
    let uid = world.cards.uid(1);
    let asking = world.ask("18.0.1.5.0.1", "12.45", &[]);
    let id = world.shop.till_sale().await.unwrap();
    asking.signal("-STOP").unwrap();
    assert_eq!(world.shop.tap_until_over(&id, uid).await.unwrap()["state"], "accepted");
    world.shop.card_gone().await.unwrap();
    asking.signal("-KILL").unwrap();
    assert_eq!(world.shop.till_unconfirmed(1).await.unwrap()[0]["cents"], 1245);
    let again = world.ask("18.0.1.5.0.1", "12.45", &[]);
    let asked = |status: &Value| status["till"]["question"]["question"].as_u64();
    let question = world.shop.wait("the question", asked).await.unwrap();
    let answer = json!({ "question": question, "answer": "resend" });
    assert_eq!(world.shop.post("/api/till/answer", &answer).await.unwrap().0, 200);
    assert_eq!(again.told().await.unwrap()["payment_status"], "success");
    world.shop.till_unconfirmed(0).await.unwrap();
    assert_eq!(world.shop.sold_today().await.unwrap(), (1, 1245));
}

#[tokio::test]
async fn an_agent_killed_between_the_row_and_the_till_knows_after_its_start_what_was_not_confirmed() {
    let mut world = world().await;
    let uid = world.cards.uid(1).to_vec();
    let mut till = TcpStream::connect(("127.0.0.1", world.port)).unwrap();
    till.write_all(b"CZ0040300CA00201CD0010CB003700").unwrap();
    let id = world.shop.till_sale().await.unwrap();
    assert_eq!(world.shop.tap_until_over(&id, &uid).await.unwrap()["state"], "accepted");
    world.shop.kill_9().unwrap();
    drop(till);
    world.shop.start().await.unwrap();
    let listed = world.shop.till_unconfirmed(1).await.unwrap();
    assert_eq!((listed[0]["id"].as_str(), listed[0]["cents"].as_u64()), (Some(id.as_str()), Some(700)));
    assert_eq!(world.shop.delete(&format!("/api/till/unconfirmed/{id}")).await.unwrap(), 200);
    world.shop.till_unconfirmed(0).await.unwrap();
    assert_eq!(world.shop.sold_today().await.unwrap(), (1, 700));
}

#[tokio::test]
async fn till_test_shows_what_a_till_would_see_and_its_exit_code_says_how_it_went() {
    let mut world = world().await;
    let said = world.shop.said(&["till", "test", "--json"]).unwrap();
    assert_eq!(said.code, Some(0), "{said:?}");
    let shown: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((shown["probe"]["done"].as_bool(), shown["probe"]["fields"]["AE"].as_str()), (Some(true), Some("10")));
    // A sale is under way at the counter: the till would be refused.
    let id = world.shop.begin_sale(300, "typed").await.unwrap();
    let said = world.shop.said(&["till", "test", "--amount", "200"]).unwrap();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("AF 11"), "{said:?}");
    assert_eq!(world.shop.delete(&format!("/api/sales/{id}")).await.unwrap(), 200);
    world.shop.stop().unwrap();
    let said = world.shop.said(&["till", "test"]).unwrap();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("nothing answers"), "{said:?}");
}
