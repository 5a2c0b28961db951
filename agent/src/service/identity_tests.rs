//! The counter with identity cards.
use super::*;
use crate::service::purse_double::{Double, Tear};

/// A counter with 1000 cents for purse 1, to which the identity card with the UID of [`OURS`] is bound.
fn identity_shop() -> (Shop, Double) {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let fund = Fund::default();
    let mut journal = fund.ready(folder.path(), 1000);
    let card = CardKey::new(CARD_KEY).card_ref(&OURS);
    let objects = vec![
        fund.binding_as(Tier::Identity, card, 1, 1).into_bytes(),
        fund.slot_key(card, 1, [9; 16]).into_bytes(),
        fund.slot_key(card, 2, [1; 16]).into_bytes(),
    ];
    assert_eq!(fund.give(&mut journal, objects).taken, 3);
    drop(journal);
    (open(folder, settings()), Double::new([1; 16], 0))
}

impl Shop {
    async fn tap_identity(&self, card: &Double) {
        let card = PresentedCard { uid: Uid::new(&OURS).unwrap(), tier: Tier::Plain, tap: 1, link: Some(card.link()) };
        self.cards.send(CardEvent::Presented(card)).await.unwrap();
        self.cards.send(CardEvent::Removed).await.unwrap();
    }

    async fn sell_identity(&self, number: u64, amount: u64, card: &Double) -> Value {
        self.begin(number, amount).await.unwrap();
        self.tap_identity(card).await;
        self.over(number).await
    }

    fn reason(&self, number: u64) -> Value {
        self.service.member_side(request(number)).unwrap()["code"].clone()
    }

    fn alarms(&self) -> String {
        self.service.status()["alarms"].to_string()
    }
}

#[tokio::test]
async fn a_card_that_proves_itself_sells_from_the_slice() {
    let (shop, card) = identity_shop();
    let sale = shop.sell_identity(1, 600, &card).await;
    assert_eq!((&sale["state"], &sale["proven"]), (&json!("accepted"), &json!(true)), "{sale}");
    // It has the older of two keys: asked by the newer one first.
    card.chip().key = [9; 16];
    assert_eq!(shop.sell_identity(2, 100, &card).await["state"], "accepted");
    assert_eq!(shop.sell_identity(3, 500, &card).await["state"], "declined");
    assert_eq!(shop.reason(3), "insufficient_funds");
    assert_eq!(sales_in(shop.folder.path()), (2, 700));
    let service = Arc::clone(&shop.service);
    let asked = tokio::spawn(async move { service.balance().await });
    while shop.service.status()["balance_asked"] != true {
        tokio::task::yield_now().await;
    }
    shop.tap_identity(&card).await;
    assert_eq!(asked.await.unwrap().unwrap()["available_cents"], 300);
}

#[tokio::test]
async fn what_does_not_prove_itself_is_declined_neutrally_and_told() {
    let (shop, card) = identity_shop();
    // The key of another card; another UID in the session; the UID alone.
    card.chip().key = [7; 16];
    let sale = shop.sell_identity(1, 100, &card).await;
    assert_eq!((&sale["state"], &sale["message_fr"]), (&json!("declined"), &json!("Paiement non abouti")), "{sale}");
    assert!(shop.alarms().contains("did not prove that it has its key"), "{}", shop.alarms());
    card.chip().key = [1; 16];
    card.chip().uid = [4, 9, 9, 9, 9, 9, 9];
    assert_eq!(shop.sell_identity(2, 100, &card).await["state"], "declined");
    assert!(shop.alarms().contains("proved another number"), "{}", shop.alarms());
    assert_eq!(shop.sell(3, 100).await["state"], "declined");
    for number in [1, 2, 3] {
        assert_eq!(shop.reason(number), "tier_too_low");
    }
    assert_eq!(sales_in(shop.folder.path()), (0, 0));
}

#[tokio::test]
async fn a_count_of_taps_that_fell_is_declined_and_told() {
    let (shop, card) = identity_shop();
    assert_eq!(shop.sell_identity(1, 100, &card).await["state"], "accepted");
    card.chip().counter -= 1;
    assert_eq!(shop.sell_identity(2, 100, &card).await["state"], "declined");
    assert_eq!(shop.reason(2), "tier_too_low");
    assert!(shop.alarms().contains("taps, and"), "{}", shop.alarms());
    assert_eq!(shop.sell_identity(3, 100, &card).await["state"], "accepted", "the next tap counts on");
}

#[tokio::test]
async fn a_card_that_left_too_early_is_asked_for_again() {
    let (shop, card) = identity_shop();
    card.chip().tear = Tear::Opening;
    shop.begin(1, 100).await.unwrap();
    shop.tap_identity(&card).await;
    for _ in 0..100 {
        if shop.service.status()["sale"]["notice"]["code"] == "card_again" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(shop.service.sale(request(1)).await.unwrap()["state"], "waiting");
    shop.tap_identity(&card).await;
    assert_eq!(shop.over(1).await["state"], "accepted");
    assert_eq!(shop.alarms(), "[]");
}
