//! Training with a real journal: everything is played, and nothing is sold.

use super::*;
use crate::service::training::Outcome;
use cabas_protocol::row::ClosePeriod;
use cabas_protocol::row::RowBody;
use cabas_protocol::{Row, Signed};

/// Kinds of the rows in the file, from its first.
fn rows(folder: &Path) -> Vec<&'static str> {
    let db = rusqlite::Connection::open(folder.join(FILE)).unwrap();
    let mut select = db.prepare("SELECT bytes FROM rows ORDER BY seq").unwrap();
    let bytes = select.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap().map(Result::unwrap);
    let row = |bytes| Signed::<Row>::from_bytes(bytes).unwrap().read_trusted(Fund::default().id).unwrap();
    bytes.map(|bytes| row(bytes).into_payload().body).map(|body: RowBody| body.name()).collect()
}

/// Everything that money stands in.
fn money(folder: &Path) -> Vec<String> {
    let db = rusqlite::Connection::open(folder.join(FILE)).unwrap();
    let tables = ["balances", "counters", "bindings", "intents", "reversals", "refunds", "returns", "prints", "closes"];
    let dump = |table: &str| {
        let mut select = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = select.column_count();
        let mut rows = select.query([]).unwrap();
        let mut out = vec![table.to_owned()];
        while let Some(row) = rows.next().unwrap() {
            out.extend((0..columns).map(|column| format!("{:?}", row.get_ref(column).unwrap())));
        }
        out.join(" ")
    };
    tables.map(dump).to_vec()
}

impl Shop {
    async fn play(&self, number: u64, outcome: Outcome) -> Value {
        self.service.play(request(number), outcome).await.unwrap()
    }

    async fn trains(allowed: u64) -> (Self, Vec<String>, Vec<&'static str>) {
        let shop = shop(allowed, settings());
        let (money, rows) = (money(shop.folder.path()), rows(shop.folder.path()));
        shop.service.train(true).await.unwrap();
        (shop, money, rows)
    }
}

#[tokio::test]
async fn a_real_card_in_training_is_accepted_and_leaves_no_row_of_a_sale() {
    let (shop, money_before, mut expected) = Shop::trains(10_000).await;
    shop.begin(1, 1250).await.unwrap();
    // A card that counts for itself: it is not even connected to.
    let double = crate::service::purse_double::Double::new([5; 16], 0);
    let link = Some(double.link());
    let card = PresentedCard { uid: Uid::new(&OURS).unwrap(), tier: Tier::Plain, tap: 1, link };
    shop.cards.send(CardEvent::Presented(card)).await.unwrap();
    let sale = shop.over(1).await;
    assert_eq!(
        (&sale["state"], &sale["training"], &sale["fund_cents"]),
        (&json!("accepted"), &json!(true), &json!(1250))
    );
    let (opened, debits) = {
        let chip = double.chip();
        (chip.opened, chip.debits)
    };
    assert_eq!((opened, debits), (0, 0));
    // A card that nobody knows plays as well.
    shop.begin(2, 99_999).await.unwrap();
    shop.present(&[4, 9, 9, 9, 9, 9, 9]).await;
    assert_eq!(shop.over(2).await["state"], "accepted");
    let status = shop.service.status();
    assert_eq!(
        (&status["training"], &status["unsynced"]["count"], &status["last_sale"]),
        (&json!(true), &json!(0), &Value::Null)
    );
    assert!(shop.service.last_sale().await.is_err());
    assert!(
        shop.service
            .metrics_text()
            .lines()
            .filter(|line| line.starts_with("cabas_sales"))
            .all(|line| line.ends_with(" 0"))
    );
    shop.service.train(false).await.unwrap();
    assert_eq!(shop.sell(3, 500).await["state"], "accepted");
    let folder = shop.close().await;
    assert_eq!(sales_in(folder.path()), (1, 500), "journal verify is content, and only what was real is sold");
    expected.extend(["Training", "Training", "Sale"]);
    assert_eq!(rows(folder.path()), expected);
    assert_ne!(money(folder.path()), money_before, "the real sale");
}

#[tokio::test]
async fn each_outcome_is_played_as_it_would_be_and_no_money_moves() {
    let (shop, money_before, rows_before) = Shop::trains(10_000).await;
    for (number, outcome, state) in [
        (1, Outcome::Accepted, "accepted"),
        (2, Outcome::NotProven, "accepted"),
        (3, Outcome::Declined, "declined"),
        (4, Outcome::Offer, "offer"),
        (5, Outcome::InDoubt, "in_doubt"),
    ] {
        let (begun, is_new) = shop.begin(number, 1001).await.unwrap();
        assert_eq!((&begun["state"], &begun["training"], is_new), (&json!("waiting"), &json!(true), true));
        assert!(!shop.begin(number, 1001).await.unwrap().1, "pressed twice");
        let sale = shop.play(number, outcome).await;
        assert_eq!((&sale["state"], &sale["training"]), (&json!(state), &json!(true)), "{sale}");
        match outcome {
            Outcome::Accepted => assert_eq!((&sale["proven"], &sale["stan"]), (&json!(true), &json!("000001"))),
            Outcome::NotProven => assert_eq!((&sale["proven"], &sale["stan"]), (&json!(false), &json!("000002"))),
            Outcome::Declined => {
                assert_eq!(shop.service.member_side(request(number)).unwrap()["code"], "insufficient_funds");
            }
            Outcome::Offer => {
                assert_eq!(shop.service.member_side(request(number)).unwrap()["offer_cents"], 500);
                assert_eq!(shop.service.play(request(number), Outcome::Accepted).await.unwrap_err(), Refusal::TooLate);
                let taken = shop.service.take_part(request(number)).await.unwrap();
                assert_eq!((&taken["fund_cents"], &taken["member_cents"]), (&json!(500), &json!(501)), "{taken}");
                assert_eq!(taken["state"], "accepted");
            }
            Outcome::InDoubt => {
                assert_eq!(shop.service.cancel(request(number)).await.unwrap_err(), Refusal::InDoubt);
                assert_eq!(shop.service.status()["doubts"], json!([]), "nothing real is in doubt");
                shop.begin(number, 1001).await.unwrap();
                assert_eq!(shop.play(number, Outcome::Accepted).await["state"], "accepted");
            }
        }
        assert_eq!(shop.service.play(request(number), Outcome::Accepted).await.unwrap_err(), Refusal::TooLate);
    }
    assert_eq!(shop.service.play(request(9), Outcome::Accepted).await.unwrap_err(), Refusal::NotFound);
    shop.begin(6, 5).await.unwrap();
    assert_eq!(shop.service.train(false).await.unwrap_err(), Refusal::Busy, "a played sale is under way");
    shop.service.cancel(request(6)).await.unwrap();
    let folder = Arc::clone(&shop.folder);
    assert_eq!(money(folder.path()), money_before);
    let mut expected = rows_before;
    expected.push("Training");
    assert_eq!(rows(folder.path()), expected, "the mode and nothing else is written down");
}

#[tokio::test]
async fn what_is_real_is_refused_in_training_and_what_was_played_never_becomes_real() {
    let shop = shop(10_000, settings());
    assert_eq!(shop.service.play(request(1), Outcome::Accepted).await.unwrap_err(), Refusal::NotTraining);
    let real = shop.sell(1, 500).await;
    shop.begin(2, 5).await.unwrap();
    assert_eq!(shop.service.train(true).await.unwrap_err(), Refusal::Busy);
    shop.service.cancel(request(2)).await.unwrap();
    shop.service.train(true).await.unwrap();
    let (again, is_new) = shop.begin_as(1, 500, false).await.unwrap();
    assert_eq!(
        (&again["stan"], &again["training"], is_new),
        (&real["stan"], &Value::Null, false),
        "what is real stays so"
    );
    assert_eq!(shop.begin(1, 500).await.unwrap_err(), Refusal::RequestConflict, "and is nothing to train with");
    let sale = journal::SaleRef::Request(request(1));
    assert_eq!(shop.service.reverse(sale, request(11)).await.unwrap_err(), Refusal::Training);
    let ask = journal::RefundAsk { request: request(12), sale, lines: None };
    assert_eq!(shop.service.refund(ask).await.unwrap_err(), Refusal::Training);
    assert_eq!(shop.service.balance().await.unwrap_err(), Refusal::Training);
    assert_eq!(shop.service.close(ClosePeriod::Day).await.unwrap_err(), Refusal::Training);
    shop.begin(3, 700).await.unwrap();
    shop.play(3, Outcome::Accepted).await;
    shop.service.train(false).await.unwrap();
    assert_eq!(shop.begin(3, 700).await.unwrap_err(), Refusal::RequestConflict, "a played id is never a sale");
    let undo = shop.service.reverse(journal::SaleRef::Request(request(3)), request(13)).await;
    assert!(matches!(undo, Err(Refusal::Undo(_))), "{undo:?}");
    assert_eq!(sales_in(shop.folder.path()), (1, 500));
}

#[tokio::test]
async fn training_stays_on_over_a_restart_and_is_shown() {
    let (shop, ..) = Shop::trains(10_000).await;
    let shop = open(shop.close().await, settings());
    assert_eq!(shop.service.status()["training"], true);
    shop.begin(1, 500).await.unwrap();
    shop.present(&OURS).await;
    assert_eq!(shop.over(1).await["training"], true);
    assert_eq!(sales_in(shop.folder.path()), (0, 0));
}

#[tokio::test]
async fn a_played_sale_that_nobody_taps_ends_by_itself() {
    let shop = shop(100, Settings { timeout: Duration::from_millis(30), ..settings() });
    shop.service.train(true).await.unwrap();
    shop.begin(1, 500).await.unwrap();
    assert_eq!(shop.over(1).await["state"], "timed_out");
    shop.service.train(false).await.unwrap();
}

#[tokio::test]
async fn who_does_not_say_that_it_trains_is_never_told_of_a_played_sale_and_who_says_so_never_sells() {
    let (shop, money_before, _) = Shop::trains(10_000).await;
    assert_eq!(shop.begin_as(1, 500, false).await.unwrap_err(), Refusal::Training);
    assert_eq!(shop.service.sale(request(1)).await.unwrap_err(), Refusal::NotFound, "nothing was begun");
    shop.begin_as(2, 500, true).await.unwrap();
    shop.play(2, Outcome::Accepted).await;
    assert_eq!(shop.begin_as(2, 500, false).await.unwrap_err(), Refusal::Training, "nor of one that was played before");
    shop.service.train(false).await.unwrap();
    assert_eq!(shop.begin_as(3, 500, true).await.unwrap_err(), Refusal::NotTraining);
    assert_eq!(shop.service.sale(request(3)).await.unwrap_err(), Refusal::NotFound);
    assert_eq!(money(shop.folder.path()), money_before);
}
