//! The main job through the real programs: amount, tap, accepted, receipt, sync, owed. On line, off line, and cut short.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test code"
)]

use cabas_tests::example::Cards;
use cabas_tests::hub::{Hub, http_client};
use cabas_tests::shop::Shop;
use cabas_tests::virtual_printer::Mood;
use serde_json::json;

const SHOP: &str = "biocoop-platanes";
const OTHER_SHOP: &str = "maraicher-combe";

/// A fund that was credited, and one shop that sells.
struct World {
    hub: Hub,
    shop: Shop,
    cards: Cards,
    dir: tempfile::TempDir,
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(&dir.path().join("hub")).unwrap();
    hub.credit("2026-11").unwrap();
    let shop = Shop::enrolled(&dir.path().join("shop"), &http_client().unwrap(), &hub, SHOP).await.unwrap();
    World { hub, shop, cards: Cards::read().unwrap(), dir }
}

#[tokio::test]
async fn a_sale_on_line_is_accepted_printed_on_request_and_owed() {
    let world = world().await;
    let sale = world.shop.sell(1250, world.cards.uid(1), "one").await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
    assert_eq!((&sale["fund_cents"], &sale["member_cents"]), (&json!(1250), &json!(0)));
    assert_eq!(world.shop.printer.printed().len(), 0, "nothing is printed that nobody asked for");
    let id = sale["id"].as_str().unwrap();
    let (status, answer) = world.shop.post(&format!("/api/sales/{id}/receipt"), &json!({})).await.unwrap();
    assert!(status < 300, "{answer}");
    let receipts = world.shop.printer.wait_for_receipts(1).unwrap();
    // Lines break where they fit the paper.
    let text = receipts[0].text().split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["Biocoop des Platanes", "12,50", "000001", "ne vaut pas facture"] {
        assert!(text.contains(part), "{part} is missing on\n{text}");
    }
    assert!(receipts[0].unknown.is_empty(), "{:?}", receipts[0].unknown);
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 1250);
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_sale_with_the_network_cut_is_accepted_and_owed_later() {
    let mut world = world().await;
    world.hub.kill_9().unwrap();
    let sale = world.shop.sell(835, world.cards.uid(2), "one").await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
    let status = world.shop.get("/api/status").await.unwrap();
    assert_eq!((&status["unsynced"]["count"], &status["unsynced"]["cents"]), (&json!(1), &json!(835)), "{status}");
    // A restart of the agent in between loses nothing.
    world.shop.stop().unwrap();
    world.shop.start().await.unwrap();
    world.hub.start().unwrap();
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 835);
    world.hub.verify().unwrap();
    world.shop.stop().unwrap();
    let verified = world.shop.said(&["journal", "verify"]).unwrap();
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[tokio::test]
async fn a_sale_larger_than_the_slice_is_extended_on_line_and_refused_off_line() {
    let mut world = world().await;
    // Card 2 belongs to a household of four with 150 + 75 + 2 x 40 euros: more than any one slice, less than the credit.
    let sale = world.shop.sell(14_900, world.cards.uid(2), "large").await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
    world.hub.kill_9().unwrap();
    let sale = world.shop.sell(14_900, world.cards.uid(2), "too large").await.unwrap();
    assert_eq!(sale["state"], "declined", "{sale}");
    assert!(!sale.to_string().contains("solde") || sale["member_side"].is_object(), "{sale}");
    world.hub.start().unwrap();
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 14_900);
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn one_request_is_one_debit_however_often_it_is_sent() {
    let mut world = world().await;
    let sale = world.shop.sell(600, world.cards.uid(1), "the-same").await.unwrap();
    assert_eq!(sale["state"], "accepted");
    let again = world.shop.begin_sale(600, "the-same").await.unwrap();
    assert_eq!(again, sale["id"].as_str().unwrap());
    world.shop.kill_9().unwrap();
    world.shop.start().await.unwrap();
    let again = world.shop.begin_sale(600, "the-same").await.unwrap();
    let state = world.shop.sale_over(&again).await.unwrap();
    assert_eq!(state["state"], "accepted", "{state}");
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 600);
}

#[tokio::test]
async fn two_terminals_off_line_with_the_same_card_spend_no_more_than_was_credited() {
    let mut world = world().await;
    let mut other =
        Shop::enrolled(&world.dir.path().join("other"), &http_client().unwrap(), &world.hub, OTHER_SHOP).await.unwrap();
    world.hub.kill_9().unwrap();
    let mut accepted = [0, 0];
    for (index, shop) in [&world.shop, &other].into_iter().enumerate() {
        for (number, amount) in [5000, 2000, 1000, 500, 200, 100].into_iter().enumerate() {
            let sale = shop.sell(amount, world.cards.uid(1), &format!("{index}-{number}")).await.unwrap();
            if sale["state"] == "accepted" {
                accepted[index] += amount;
            }
        }
    }
    world.hub.start().unwrap();
    world.shop.wait_until_synced().await.unwrap();
    other.wait_until_synced().await.unwrap();
    let owed = [world.hub.owed(SHOP).unwrap(), world.hub.owed(OTHER_SHOP).unwrap()];
    assert_eq!(owed, accepted, "what was shown as accepted is owed, to the cent");
    let credited = 15_000 + 4_000;
    assert!(accepted[0] > 0 && accepted[0] + accepted[1] <= credited, "{accepted:?} of {credited}");
    world.hub.verify().unwrap();
    other.stop().unwrap();
}

#[tokio::test]
async fn a_copied_agent_that_runs_twice_never_makes_the_fund_pay_twice() {
    let mut world = world().await;
    world.shop.stop().unwrap();
    let copy_dir = world.dir.path().join("copy");
    let mut copy = Shop::new(&copy_dir, &http_client().unwrap()).unwrap();
    let copied = std::process::Command::new("cp").arg("-a").args([world.shop.data_dir(), copy.data_dir()]).status();
    assert!(copied.unwrap().success());
    world.hub.kill_9().unwrap();
    world.shop.start().await.unwrap();
    copy.start().await.unwrap();
    for (shop, name) in [(&world.shop, "original"), (&copy, "copy")] {
        let sale = shop.sell(2000, world.cards.uid(1), name).await.unwrap();
        assert_eq!(sale["state"], "accepted", "{sale}");
    }
    world.hub.start().unwrap();
    let quarantined = |status: &serde_json::Value| (status["standing"] == "quarantined").then_some(());
    world.shop.wait("the quarantine", quarantined).await.unwrap();
    copy.wait("the quarantine", quarantined).await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 2000, "one of the two is evidence, not debt");
    let sale = world.shop.sell(100, world.cards.uid(1), "after").await.unwrap();
    assert_eq!(sale["state"], "declined", "a quarantined terminal sells no more: {sale}");
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_blocked_card_is_refused_once_the_list_is_here() {
    let world = world().await;
    let before = world.shop.get("/api/status").await.unwrap()["hot_list"]["version"].as_u64();
    world.hub.ok(&["card", "block", "--card-number", "1"]).unwrap();
    let newer = |status: &serde_json::Value| (status["hot_list"]["version"].as_u64() > before).then_some(());
    world.shop.wait("the hot list", newer).await.unwrap();
    let sale = world.shop.sell(100, world.cards.uid(1), "blocked").await.unwrap();
    assert_eq!(sale["state"], "declined", "{sale}");
    let sale = world.shop.sell(100, world.cards.uid(5), "another card").await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
}

#[tokio::test]
async fn cards_that_are_none_of_ours_are_refused_in_neutral_words() {
    let world = world().await;
    let unknown = [0x04, 0xde, 0xad, 0xbe, 0xef, 0, 1];
    for (name, uid) in
        [("unknown", &unknown[..]), ("random", &[8, 1, 2, 3]), ("shared", &[1, 2, 3, 4]), ("zeros", &[0; 4])]
    {
        let id = world.shop.begin_sale(100, name).await.unwrap();
        let card = world.shop.tap(uid).unwrap();
        let state = world.shop.wait_declined_or_told(&id).await.unwrap();
        let shown = state.to_string().to_lowercase();
        for word in ["pauvre", "aide sociale", "solidarité", "refusé"] {
            assert!(!shown.contains(word), "{name}: {shown}");
        }
        card.remove();
        drop(world.shop.delete(&format!("/api/sales/{id}")).await);
        world.shop.wait("the card to be gone", |s| (s["reader"]["card_present"] != true).then_some(())).await.unwrap();
    }
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 0);
}

#[tokio::test]
async fn a_printer_that_is_off_hangs_or_has_no_paper_never_undoes_a_sale() {
    let world = world().await;
    for (number, mood) in [Mood::PaperOut, Mood::Hanging, Mood::ClosesAfter(20)].into_iter().enumerate() {
        world.shop.printer.set(mood);
        let sale = world.shop.sell(100, world.cards.uid(1), &format!("printer-{number}")).await.unwrap();
        assert_eq!(sale["state"], "accepted", "{mood:?}: {sale}");
        let id = sale["id"].as_str().unwrap();
        drop(world.shop.post(&format!("/api/sales/{id}/receipt"), &json!({})).await.unwrap());
        let told = |status: &serde_json::Value| (status["printer"]["state"] != "ready").then_some(());
        world.shop.wait("word of the printer", told).await.unwrap();
    }
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 300);
}

#[tokio::test]
async fn a_sale_reversed_at_once_is_owed_to_nobody_and_spent_again_once() {
    let mut world = world().await;
    world.hub.kill_9().unwrap();
    let sale = world.shop.sell(2000, world.cards.uid(1), "mistake").await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
    let path = format!("/api/sales/{}/reversal", sale["id"].as_str().unwrap());
    for expected in [201, 200] {
        let (status, reversal) = world.shop.post(&path, &json!({"request_id": "undo"})).await.unwrap();
        assert_eq!((status, &reversal["fund_cents"]), (expected, &json!(2000)), "{reversal}");
    }
    let again = world.shop.sell(1900, world.cards.uid(1), "right").await.unwrap();
    assert_eq!(again["state"], "accepted", "{again}");
    world.hub.start().unwrap();
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 1900);
    world.hub.verify().unwrap();
}

/// Asks for a refund, and gives its path.
async fn ask_refund(shop: &Shop, sale: &serde_json::Value, amount: u64, request: &str) -> (serde_json::Value, String) {
    let lines = json!([{"category": "0", "cents": amount}]);
    let body = json!({"sale": sale["id"], "lines": lines, "request_id": request});
    let (status, asked) = shop.post("/api/refunds", &body).await.unwrap();
    assert_eq!(status, 201, "{asked}");
    let path = format!("/api/refunds/{}", asked["id"].as_str().unwrap());
    (asked, path)
}

/// Waits some seconds for a decision, and prints the refund's receipt: what it says.
async fn decided(shop: &Shop, path: &str) -> (serde_json::Value, String) {
    for _ in 0..160 {
        let refund = shop.get(path).await.unwrap();
        if !["unsent", "received"].contains(&refund["state"].as_str().unwrap()) {
            let receipt = printed(shop, &refund).await;
            return (refund, receipt);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("not decided within 8 s: {path}");
}

async fn printed(shop: &Shop, entry: &serde_json::Value) -> String {
    let before = shop.printer.printed().len();
    let path = format!("/api/today/{}/receipt", entry["seq"]);
    let (status, answer) = shop.post(&path, &json!({})).await.unwrap();
    assert!(status < 300, "{answer}");
    shop.printer.wait_for_receipts(before + 1).unwrap()[before].text()
}

#[tokio::test]
async fn a_refund_on_line_is_credited_within_seconds_and_its_receipt_says_so() {
    let world = world().await;
    let sale = world.shop.sell(1250, world.cards.uid(1), "one").await.unwrap();
    world.shop.wait_until_synced().await.unwrap();
    let (_, path) = ask_refund(&world.shop, &sale, 300, "back").await;
    let (refund, receipt) = decided(&world.shop, &path).await;
    assert_eq!(refund["state"], "credited", "{refund}");
    assert!(receipt.contains("3,00") && receipt.contains("créditée"), "{receipt}");
    assert_eq!(world.hub.owed(SHOP).unwrap(), 950);
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_refund_without_a_network_is_written_down_and_decided_later() {
    let mut world = world().await;
    world.hub.kill_9().unwrap();
    let sale = world.shop.sell(1000, world.cards.uid(2), "one").await.unwrap();
    let (asked, path) = ask_refund(&world.shop, &sale, 400, "back").await;
    assert_eq!(asked["state"], "unsent", "{asked}");
    let receipt = printed(&world.shop, &asked).await;
    assert!(receipt.contains("DEMANDE DE REMBOURSEMENT") && receipt.contains("réseau"), "{receipt}");
    world.hub.start().unwrap();
    let (refund, receipt) = decided(&world.shop, &path).await;
    assert_eq!(refund["state"], "credited", "{refund}");
    assert!(receipt.contains("créditée"), "{receipt}");
    assert_eq!(world.hub.owed(SHOP).unwrap(), 600);
    let settled = world.hub.ok(&["settlement", "close", "--by", "Ada", "--approved-by", "Bo"]).unwrap();
    let text = settled.to_string();
    assert!(text.contains("\"refunded_cents\":400"), "{text}");
    world.hub.verify().unwrap();
}

/// Another shop of the fund, and what a household can spend there without asking a further one.
async fn another_shop(world: &World) -> (Shop, u64) {
    let (dir, http) = (world.dir.path().join("other"), http_client().unwrap());
    let other = Shop::enrolled(&dir, &http, &world.hub, OTHER_SHOP).await.unwrap();
    let purse = world.hub.ok(&["purse", "show", "--household", "F001"]).unwrap();
    let slices = purse["slices"].as_array().unwrap().iter().filter(|slice| slice["shop"] == OTHER_SHOP);
    let left: u64 = slices.map(|slice| slice["left_cents"].as_u64().unwrap()).sum();
    (other, purse["free_cents"].as_u64().unwrap() + left)
}

#[tokio::test]
async fn money_that_lies_at_one_shop_is_spent_at_another_in_one_tap() {
    let world = world().await;
    let (other, reach) = another_shop(&world).await;
    let amount = reach + 1_000;
    let sale = other.sell(amount, world.cards.uid(1), "all").await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
    other.wait_until_synced().await.unwrap();
    let purse = world.hub.ok(&["purse", "show", "--household", "F001"]).unwrap();
    let recalls = purse["slices"].as_array().unwrap().iter().map(|slice| &slice["recall"]["answered_at"]);
    assert!(recalls.clone().any(|answered| answered.is_u64()), "{purse}");
    assert_eq!(world.hub.owed(OTHER_SHOP).unwrap(), amount);
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn money_that_nobody_can_reach_in_time_is_refused_and_counted() {
    let mut world = world().await;
    let (other, reach) = another_shop(&world).await;
    world.shop.stop().unwrap();
    let sale = other.sell(reach + 1_000, world.cards.uid(1), "all").await.unwrap();
    assert_ne!(sale["state"], "accepted", "{sale}");
    let metrics = format!("{}/metrics", world.hub.url());
    let metrics = http_client().unwrap().get(metrics).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("cabas_hub_refused_though_funded_total 1"), "{metrics}");
}

#[tokio::test]
async fn a_shops_grid_splits_a_sale_without_a_network_and_the_receipt_shows_both_parts() {
    let mut world = world().await;
    let today = world.shop.get("/api/status").await.unwrap();
    let set = ["grid", "set", "--shop", SHOP, "--from", "2026-01-01", "--category", "1:100:Légumes:Vegetables"];
    world.hub.ok(&[set.as_slice(), &["--category", "2:70:Épicerie:Groceries"]].concat()).unwrap();
    let held = |status: &serde_json::Value| (status["categories"].as_array()?.len() == 2).then_some(());
    world.shop.wait("the grid", held).await.unwrap_or_else(|error| panic!("{error}: {today}"));
    world.hub.kill_9().unwrap();
    let lines = json!([{"category": "1", "cents": 500}, {"category": "2", "cents": 1005}]);
    let sale = world.shop.sell_lines(lines, world.cards.uid(1), "split").await.unwrap();
    assert_eq!((&sale["state"], &sale["fund_cents"]), (&json!("accepted"), &json!(500 + 704)), "{sale}");
    assert_eq!(sale["member_cents"], 301);
    world.shop.post(&format!("/api/sales/{}/receipt", sale["id"].as_str().unwrap()), &json!({})).await.unwrap();
    let receipt = world.shop.printer.wait_for_receipts(1).unwrap()[0].text();
    for part in ["Légumes", "Épicerie", "12,04", "3,01"] {
        assert!(receipt.contains(part), "{part} is missing on\n{receipt}");
    }
    world.hub.start().unwrap();
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 1204);
    let terminals = world.hub.ok(&["terminal", "list"]).unwrap().to_string();
    assert!(!terminals.contains("not_split"), "{terminals}");
    world.hub.verify().unwrap();
}

#[tokio::test]
async fn a_household_that_leaves_is_refused_at_the_counter_and_its_money_comes_back() {
    let world = world().await;
    let sale = world.shop.sell(1000, world.cards.uid(1), "before").await.unwrap();
    assert_eq!(sale["state"], "accepted", "{sale}");
    world.shop.wait_until_synced().await.unwrap();
    world.hub.ok(&["household", "leave", "F001"]).unwrap();
    let left = |hub: &Hub| {
        let purse = hub.ok(&["purse", "show", "--household", "F001"]).unwrap();
        purse["slices"].as_array().unwrap().iter().map(|slice| slice["left_cents"].as_u64().unwrap()).sum::<u64>()
    };
    for _ in 0..160 {
        if left(&world.hub) == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(left(&world.hub), 0, "the terminal hands back what lies there");
    let sale = world.shop.sell(100, world.cards.uid(1), "after").await.unwrap();
    assert_eq!(sale["state"], "declined", "{sale}");
    world.shop.wait_until_synced().await.unwrap();
    assert_eq!(world.hub.owed(SHOP).unwrap(), 1000);
    world.hub.verify().unwrap();
}
