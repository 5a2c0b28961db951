//! The counter with purse cards.
use super::*;
use crate::service::purse_double::{Double, Tear};

/// A counter that can sell to the purse card with the UID of [`OURS`].
fn purse_shop() -> (Shop, Double) {
    purse_shop_of(|_| Vec::new())
}

fn purse_shop_of(more: impl FnOnce(&Fund) -> Vec<Vec<u8>>) -> (Shop, Double) {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let fund = Fund::default();
    let mut journal = fund.ready(folder.path(), 10_000);
    let card = CardKey::new(CARD_KEY).card_ref(&OURS);
    let objects = vec![
        fund.binding_as(Tier::Purse, card, 5, 1).into_bytes(),
        fund.card_balance(5, 1, 1000).into_bytes(),
        fund.slot_key(card, 0, [1; 16]).into_bytes(),
        // A plain card of another household.
        fund.binding(CardKey::new(CARD_KEY).card_ref(&PLAIN), 1, 1).into_bytes(),
    ];
    assert_eq!(fund.give(&mut journal, objects).taken, 4);
    fund.give(&mut journal, more(&fund));
    drop(journal);
    (open(folder, settings()), Double::new([1; 16], 0))
}

const PLAIN: [u8; 4] = [4, 9, 9, 9];

impl Shop {
    async fn tap(&self, card: &Double) {
        let card = PresentedCard { uid: Uid::new(&OURS).unwrap(), tier: Tier::Plain, tap: 1, link: Some(card.link()) };
        self.cards.send(CardEvent::Presented(card)).await.unwrap();
        self.cards.send(CardEvent::Removed).await.unwrap();
    }

    async fn until_notice(&self, code: &str) {
        for _ in 0..100 {
            if self.service.status()["sale"]["notice"]["code"] == code {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never {code}: {}", self.service.status()["sale"]);
    }

    async fn until(&self, number: u64, state: &str) -> Value {
        let mut events = self.service.events();
        for _ in 0..100 {
            let sale = self.service.sale(request(number)).await.unwrap();
            if sale["state"] == state {
                return sale;
            }
            drop(tokio::time::timeout(Duration::from_millis(50), events.recv()).await);
        }
        panic!("never {state}: {}", self.service.sale(request(number)).await.unwrap());
    }
}

#[tokio::test]
async fn a_purse_card_pays_and_is_proven() {
    let (shop, card) = purse_shop();
    shop.begin(1, 600).await.unwrap();
    shop.tap(&card).await;
    let sale = shop.until(1, "accepted").await;
    assert_eq!((&sale["proven"], &sale["message_fr"]), (&json!(true), &json!("Accepté")));
    assert_eq!((sales_in(shop.folder.path()), card.chip().debits), ((1, 600), 1));
    shop.begin(2, 600).await.unwrap();
    shop.tap(&card).await;
    assert_eq!(shop.until(2, "declined").await["message_fr"], "Paiement non abouti");
    assert_eq!(shop.service.member_side(request(2)).unwrap()["available_cents"], 400);
    // A plain card with its UID, which proves nothing.
    shop.begin(3, 1).await.unwrap();
    shop.present(&OURS).await;
    shop.until(3, "declined").await;
    assert_eq!(shop.service.member_side(request(3)).unwrap()["code"], "tier_too_low");
}

#[tokio::test]
async fn in_doubt_the_sale_waits_for_the_same_card_and_for_no_other() {
    for tear in [Tear::CommitDone, Tear::CommitNotDone] {
        let (shop, card) = purse_shop();
        card.chip().tear = tear;
        shop.begin(1, 600).await.unwrap();
        shop.tap(&card).await;
        let sale = shop.until(1, "in_doubt").await;
        assert_eq!(sale["message_fr"], "Présentez à nouveau la même carte");
        let status = shop.service.status();
        assert_eq!((&status["doubts"][0]["cents"], &status["sale"]["state"]), (&json!(600), &json!("in_doubt")));
        // The copy of a UID is another card too.
        for uid in [&PLAIN[..], &OURS] {
            let plain = PresentedCard { uid: Uid::new(uid).unwrap(), tier: Tier::Plain, tap: 2, link: None };
            shop.cards.send(CardEvent::Presented(plain)).await.unwrap();
            shop.until_notice("notice_same_card").await;
            assert_eq!(shop.service.sale(request(1)).await.unwrap()["state"], "in_doubt");
            shop.cards.send(CardEvent::Removed).await.unwrap();
        }
        shop.tap(&card).await;
        shop.until(1, "accepted").await;
        assert_eq!((sales_in(shop.folder.path()), card.chip().debits), ((1, 600), 1));
        assert_eq!(shop.service.status()["doubts"], json!([]));
    }
}

#[tokio::test]
async fn a_doubt_that_was_set_aside_is_settled_at_a_later_tap_and_over_a_restart() {
    let (shop, card) = purse_shop();
    card.chip().tear = Tear::CommitDone;
    shop.begin(1, 600).await.unwrap();
    shop.tap(&card).await;
    shop.until(1, "in_doubt").await;
    assert_eq!(shop.service.cancel(request(1)).await.unwrap_err(), Refusal::InDoubt);
    // The next customer is served meanwhile.
    shop.begin(2, 100).await.unwrap();
    shop.present(&PLAIN).await;
    shop.until(2, "accepted").await;
    let shop = open(shop.close().await, settings());
    assert_eq!(shop.service.sale(request(1)).await.unwrap()["state"], "in_doubt");
    assert_eq!(shop.service.status()["doubts"][0]["id"], request(1).to_string());
    assert_eq!(shop.begin(1, 599).await.unwrap_err(), Refusal::RequestConflict);
    // The cashier has entered the amount again, as another sale: the tap settles the first and pays nothing more.
    shop.begin(3, 300).await.unwrap();
    shop.tap(&card).await;
    shop.until(1, "accepted").await;
    let waiting = shop.until(3, "waiting").await;
    assert_eq!(card.chip().debits, 1);
    shop.until_notice("notice_paid_before").await;
    assert_eq!(waiting["cents"], 300);
    shop.tap(&card).await;
    shop.until(3, "accepted").await;
    assert_eq!((sales_in(shop.folder.path()), card.chip().debits), ((3, 1000), 2));
}

#[tokio::test]
async fn a_till_that_asks_again_for_what_a_doubt_turns_out_to_have_paid_is_asked_about_before_the_card_pays_again() {
    use crate::journal::{TillAction, TillAsk};
    use crate::till::{Choice, Ended, Left, Why, operate};
    let (shop, card) = purse_shop();
    let (peer, till) = (String::from("127.0.0.1"), String::from("01"));
    let cents = Cents::new(600).unwrap();
    let ask = TillAsk { peer, till, action: TillAction::Debit, cents, reference: String::new() };
    card.chip().tear = Tear::CommitDone;
    let doubtful = async {
        while shop.service.status()["sale"]["state"] != "waiting" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        shop.tap(&card).await;
        while shop.service.status()["sale"]["state"] != "in_doubt" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // The till gives up while nobody knows.
    let gone = async {
        doubtful.await;
        Left::Closed
    };
    let ended = operate(&shop.service, ask.clone(), gone).await;
    assert!(matches!(ended, Ended::Not(Why::NotCompleted | Why::Left(Left::Closed))), "{ended:?}");
    // It asks again; the member's tap shows that the first was paid, and the cashier says that it is the same.
    let tapped = async {
        while shop.service.status()["sale"]["state"] != "waiting" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        shop.tap(&card).await;
        while !shop.service.till.is_asking() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        shop.tap(&card).await;
        assert!(shop.service.till.answer(1, Choice::Resend));
    };
    let (ended, ()) = tokio::join!(operate(&shop.service, ask, std::future::pending()), tapped);
    assert!(matches!(&ended, Ended::Done(done, None) if done.cents == cents), "{ended:?}");
    assert_eq!((sales_in(shop.folder.path()), card.chip().debits), ((1, 600), 1));
}

#[tokio::test]
async fn the_same_request_takes_a_doubt_up_again() {
    let (shop, card) = purse_shop();
    card.chip().tear = Tear::CommitNotDone;
    shop.begin(1, 600).await.unwrap();
    shop.tap(&card).await;
    shop.until(1, "in_doubt").await;
    let shop = open(shop.close().await, settings());
    let (sale, is_new) = shop.begin(1, 600).await.unwrap();
    assert_eq!((&sale["state"], is_new), (&json!("in_doubt"), false));
    shop.tap(&card).await;
    shop.until(1, "accepted").await;
    assert_eq!((sales_in(shop.folder.path()), card.chip().debits), ((1, 600), 1));
}

#[tokio::test]
async fn a_card_that_left_too_early_is_presented_again_and_its_balance_is_shown() {
    let (shop, card) = purse_shop();
    for tear in [Tear::Opening, Tear::Reading, Tear::BeforeCommit] {
        card.chip().tear = tear;
        shop.begin(1, 600).await.unwrap();
        shop.tap(&card).await;
        shop.until_notice("notice_card_again").await;
        assert_eq!(shop.service.sale(request(1)).await.unwrap()["state"], "waiting");
        assert_eq!((sales_in(shop.folder.path()), card.chip().debits), ((0, 0), 0));
        shop.service.board().find_mut(request(1)).unwrap().notice = None;
    }
    shop.tap(&card).await;
    shop.until(1, "accepted").await;
    let service = Arc::clone(&shop.service);
    let asked = tokio::spawn(async move { service.balance().await });
    while !shop.service.board().balance_asked {
        tokio::task::yield_now().await;
    }
    shop.tap(&card).await;
    assert_eq!(asked.await.unwrap().unwrap()["available_cents"], 400);
}

#[tokio::test]
async fn a_part_that_was_taken_is_all_that_is_paid_after_a_doubt_and_a_second_tear() {
    let (shop, card) = purse_shop_of(|fund| vec![fund.policy_with_parts(2).into_bytes()]);
    card.chip().spent = 800;
    shop.begin(1, 300).await.unwrap();
    shop.tap(&card).await;
    shop.until(1, "offer").await;
    shop.service.take_part(request(1)).await.unwrap();
    card.chip().tear = Tear::CommitNotDone;
    shop.tap(&card).await;
    shop.until(1, "in_doubt").await;
    let shop = open(shop.close().await, settings());
    shop.begin(1, 300).await.unwrap();
    // The doubt is settled as not paid, and the card leaves again.
    card.chip().tear = Tear::Reading;
    shop.tap(&card).await;
    while card.chip().tear != Tear::Nowhere {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    card.chip().balance = Fund::default().card_balance(5, 2, 9000).into_bytes();
    shop.tap(&card).await;
    shop.until(1, "accepted").await;
    assert_eq!((sales_in(shop.folder.path()), card.chip().spent), ((1, 200), 1000));
}

#[tokio::test]
async fn a_card_that_answers_after_the_screen_gave_up_is_shown_as_accepted_when_asked() {
    let (shop, card) = purse_shop();
    card.chip().tear = Tear::CommitDone;
    shop.begin(1, 600).await.unwrap();
    shop.tap(&card).await;
    shop.until(1, "in_doubt").await;
    let now = shop.service.clock.now();
    let prove = move |journal: &mut crate::journal::Journal| {
        let doubt = journal.find_doubt(request(1))?.unwrap();
        journal.prove(now, doubt.intent, cabas_card::commands::Committed { counter: 8, mac: [7; 8] })
    };
    shop.service.journal.customer(prove).await.unwrap();
    assert_eq!(shop.service.sale(request(1)).await.unwrap()["state"], "accepted");
}

#[tokio::test]
async fn a_look_at_the_balance_settles_a_doubt_and_the_screens_are_told() {
    for (tear, left, restarts) in
        [(Tear::CommitDone, 400, false), (Tear::CommitDone, 400, true), (Tear::CommitNotDone, 1000, false)]
    {
        let (mut shop, card) = purse_shop();
        card.chip().tear = tear;
        shop.begin(1, 600).await.unwrap();
        shop.tap(&card).await;
        shop.until(1, "in_doubt").await;
        assert_eq!(shop.service.cancel(request(1)).await.unwrap_err(), Refusal::InDoubt);
        if restarts {
            shop = open(shop.close().await, settings());
        }
        let mut events = shop.service.events();
        let service = Arc::clone(&shop.service);
        let asked = tokio::spawn(async move { service.balance().await });
        while !shop.service.board().balance_asked {
            tokio::task::yield_now().await;
        }
        shop.tap(&card).await;
        assert_eq!(asked.await.unwrap().unwrap()["available_cents"], left, "{tear:?}");
        assert_eq!(shop.service.status()["doubts"], json!([]), "{tear:?}");
        let state = if tear == Tear::CommitDone { "accepted" } else { "failed" };
        let mut told = None;
        while told.is_none() {
            if let Event::Sale(sale) = events.recv().await.unwrap() {
                told = Some(serde_json::from_str::<Value>(&sale).unwrap());
            }
        }
        assert_eq!((&told.unwrap()["state"], card.chip().debits), (&json!(state), u32::from(left == 400)), "{tear:?}");
    }
}
