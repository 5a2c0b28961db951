//! The counter with a real journal, and cards that a test presents.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use super::counter::Alive;
use super::*;
use crate::card::{CardEvent, ForeignCard, PresentedCard, ReaderState, Uid};
use crate::core::authorize::DeclineReason;
use crate::fixture::{CARD_KEY, Fund, cents, lines, moment, request};
use crate::journal::handle::JournalThread;
use crate::journal::{self, FILE, verify};
use crate::printer::{self, PrinterConfig};
use crate::sync::HubClient;
use cabas_protocol::keys::CardKey;
use cabas_protocol::row::Tier;
use std::path::Path;
use tokio::task::JoinHandle;

/// A card of the household of purse 1.
const OURS: [u8; 7] = [4, 1, 2, 3, 4, 5, 6];

struct Shop {
    service: Arc<Service>,
    cards: mpsc::Sender<CardEvent>,
    stop: watch::Sender<bool>,
    counter: JoinHandle<()>,
    thread: JournalThread,
    folder: Arc<tempfile::TempDir>,
}

fn settings() -> Settings {
    Settings {
        sale_max: cents(100_000),
        timeout: Duration::from_secs(60),
        extend_timeout: Duration::from_millis(200),
        auto_print: false,
        language: Language::French,
        sealed_by: crate::journal::seal::SealedBy::KeyFile,
    }
}

/// A counter whose fund allows so much to the card; the hub is not there.
fn shop(allowed: u64, settings: Settings) -> Shop {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let fund = Fund::default();
    let mut journal = fund.ready(folder.path(), allowed);
    let card = CardKey::new(CARD_KEY).card_ref(&OURS);
    fund.give(&mut journal, vec![fund.binding(card, 1, 1).into_bytes()]);
    drop(journal);
    open(folder, settings)
}

fn open(folder: Arc<tempfile::TempDir>, settings: Settings) -> Shop {
    open_with(folder, settings, Place::default())
}

fn open_with(folder: Arc<tempfile::TempDir>, settings: Settings, place: Place) -> Shop {
    drop(rustls::crypto::ring::default_provider().install_default());
    let fund = Fund::default();
    let (journal, thread) = journal::handle::start(fund.open(folder.path(), moment(1, 5))).unwrap();
    let clock = Clock::Set(Arc::new(Mutex::new(moment(1, 10))));
    let client = HubClient::new("http://127.0.0.1:1", None).unwrap();
    let link = Arc::new(HubLink::new(client, fund.signer(), journal.clone(), clock.clone()));
    let printer = printer::start(PrinterConfig::default()).unwrap();
    let network = watch::channel(Network::default()).1;
    let parts = Parts { settings, clock, journal, link, network, printer, place };
    let (service, counter) = Service::new(parts, CardKey::new(CARD_KEY));
    let (cards, events) = mpsc::channel(16);
    let (stop, stopped) = watch::channel(false);
    let counter = tokio::spawn(counter.run(events, stopped, Alive { every: None, call: || () }));
    Shop { service, cards, stop, counter, thread, folder }
}

impl Shop {
    async fn begin(&self, number: u64, amount: u64) -> Result<(Value, bool), Refusal> {
        // As the page does: it says that the terminal trains.
        let training = self.service.status()["training"] == true;
        self.begin_as(number, amount, training).await
    }

    async fn begin_as(&self, number: u64, amount: u64, training: bool) -> Result<(Value, bool), Refusal> {
        let ask = BeginAsk {
            request: request(number),
            till_ref: None,
            lines: lines(amount),
            training,
            from_till: false,
            takes_part: false,
        };
        self.service.begin(ask).await
    }

    async fn present(&self, uid: &[u8]) {
        let card = PresentedCard { uid: Uid::new(uid).unwrap(), tier: Tier::Plain, tap: 1, link: None };
        self.cards.send(CardEvent::Presented(card)).await.unwrap();
        self.cards.send(CardEvent::Removed).await.unwrap();
    }

    async fn over(&self, number: u64) -> Value {
        let mut events = self.service.events();
        loop {
            let sale = self.service.sale(request(number)).await.unwrap();
            if !["waiting", "authorizing"].contains(&sale["state"].as_str().unwrap()) {
                return sale;
            }
            drop(tokio::time::timeout(Duration::from_millis(100), events.recv()).await);
        }
    }

    async fn sell(&self, number: u64, amount: u64) -> Value {
        self.begin(number, amount).await.unwrap();
        self.present(&OURS).await;
        self.over(number).await
    }

    /// Ends the program's part, in order.
    async fn close(self) -> Arc<tempfile::TempDir> {
        self.stop.send_replace(true);
        self.counter.await.unwrap();
        drop(self.service);
        self.thread.finish();
        self.folder
    }
}

/// What another reader of the file finds: only what is committed.
fn sales_in(folder: &Path) -> (u32, u64) {
    let report = verify::verify(&folder.join(FILE), None).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    (report.sales, report.fund_cents)
}

#[tokio::test]
async fn accepted_is_shown_only_once_the_row_is_in_the_file() {
    let shop = shop(10_000, settings());
    let mut events = shop.service.events();
    shop.begin(1, 1250).await.unwrap();
    shop.present(&OURS).await;
    let mut states = Vec::new();
    while states.last().map(String::as_str) != Some("accepted") {
        let Event::Sale(shown) = events.recv().await.unwrap() else { continue };
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let written = sales_in(shop.folder.path());
        assert!(shown["state"] != "accepted" || written == (1, 1250), "shown {shown}, written {written:?}");
        states.push(shown["state"].as_str().unwrap().to_owned());
    }
    assert_eq!(states, ["waiting", "authorizing", "accepted"]);
    let sale = shop.service.sale(request(1)).await.unwrap();
    assert_eq!((&sale["fund_cents"], &sale["proven"]), (&json!(1250), &json!(false)), "{sale}");
}

#[tokio::test]
async fn a_full_disk_is_no_accepted_sale_and_the_same_request_sells_once_there_is_space() {
    let shop = shop(1_000_000, settings());
    let limit = |pages| {
        shop.service.journal.customer(move |journal| {
            journal.limit_pages(pages);
            Ok(())
        })
    };
    limit(Some(1)).await.unwrap();
    let mut number = 0;
    let failed = loop {
        number += 1;
        match shop.begin(number, 1).await {
            Ok(_) => {
                shop.present(&OURS).await;
                let sale = shop.over(number).await;
                if sale["state"] != "accepted" {
                    break sale;
                }
            }
            Err(refusal) => panic!("{refusal:?}"),
        }
    };
    assert_eq!(failed["state"], "failed", "{failed}");
    assert_eq!(shop.service.status()["journal"]["state"], "disk_full");
    let refused = shop.begin(9999, 1).await.unwrap_err();
    assert_eq!(refused.message_id(), "journal-disk-full", "sales stop, in words");
    limit(None).await.unwrap();
    assert_eq!(shop.sell(number, 1).await["state"], "accepted", "the same request again");
    assert_eq!(shop.service.status()["journal"]["state"], "ok");
    assert_eq!(sales_in(shop.folder.path()), (u32::try_from(number).unwrap(), number));
}

#[tokio::test]
async fn one_request_is_one_sale_before_and_after_a_restart() {
    let first = shop(10_000, settings());
    let done = first.sell(1, 500).await;
    assert_eq!(done["state"], "accepted", "{done}");
    let (again, is_new) = first.begin(1, 500).await.unwrap();
    assert_eq!((&again, is_new), (&done, false));
    assert_eq!(first.begin(1, 501).await.unwrap_err(), Refusal::RequestConflict);
    first.begin(2, 700).await.unwrap();
    assert!(!first.begin(2, 700).await.unwrap().1, "pressed twice");
    assert_eq!(first.begin(3, 700).await.unwrap_err(), Refusal::Busy);
    let second = open(first.close().await, settings());
    let (again, is_new) = second.begin(1, 500).await.unwrap();
    assert_eq!((&again["state"], &again["stan"], is_new), (&json!("accepted"), &done["stan"], false));
    assert_eq!(second.begin(1, 499).await.unwrap_err(), Refusal::RequestConflict);
    assert_eq!(second.service.sale(request(2)).await.unwrap_err(), Refusal::NotFound, "it had no card and no row");
    assert_eq!(sales_in(second.folder.path()), (1, 500));
}

#[tokio::test]
async fn a_sale_is_cancelled_before_its_card_and_never_after() {
    let shop = shop(10_000, settings());
    shop.begin(1, 500).await.unwrap();
    assert_eq!(shop.service.cancel(request(1)).await.unwrap()["state"], "cancelled");
    shop.present(&OURS).await;
    assert_eq!(shop.sell(2, 500).await["state"], "accepted");
    assert_eq!(shop.service.cancel(request(2)).await.unwrap_err(), Refusal::TooLate);
    assert_eq!(shop.service.cancel(request(3)).await.unwrap_err(), Refusal::NotFound);
    assert_eq!(sales_in(shop.folder.path()), (1, 500), "a card without a sale takes nothing");
}

#[tokio::test]
async fn a_sale_waits_for_its_card_only_so_long() {
    let shop = shop(10_000, Settings { timeout: Duration::from_millis(30), ..settings() });
    shop.begin(1, 500).await.unwrap();
    assert_eq!(shop.over(1).await["state"], "timed_out");
    shop.present(&OURS).await;
    shop.begin(2, 500).await.unwrap();
    shop.service.cancel(request(2)).await.unwrap();
    assert_eq!(sales_in(shop.folder.path()), (0, 0));
}

#[tokio::test]
async fn what_is_no_card_of_ours_is_told_neutrally_and_why_only_to_the_member() {
    let shop = shop(100, settings());
    shop.cards.send(CardEvent::Reader(ReaderState::Ready { name: String::from("reader") })).await.unwrap();
    for (number, uid, reason) in
        [(1, &[4, 9, 9, 9, 9, 9, 9][..], DeclineReason::UnknownCard), (2, &OURS[..], DeclineReason::InsufficientFunds)]
    {
        shop.begin(number, 500).await.unwrap();
        shop.present(uid).await;
        let sale = shop.over(number).await;
        assert_eq!((&sale["state"], &sale["message_fr"]), (&json!("declined"), &json!("Paiement non abouti")));
        assert!(!sale.to_string().contains(reason.name()) && !sale.to_string().contains("available"), "{sale}");
        let side = shop.service.member_side(request(number)).unwrap();
        assert_eq!(side["code"], reason.name(), "{side}");
    }
    assert_eq!(shop.service.member_side(request(2)).unwrap()["available_cents"], 100);
    assert_eq!(shop.service.status()["refused_unfunded"], 1, "the hub was not there to ask");
    for (number, card, reason) in [
        (3, ForeignCard::RandomUid, Some("random_uid")),
        (4, ForeignCard::NonUniqueUid, Some("non_unique_uid")),
        (5, ForeignCard::Mute, None),
        (6, ForeignCard::Contact, None),
    ] {
        shop.begin(number, 50).await.unwrap();
        shop.cards.send(CardEvent::Foreign(card)).await.unwrap();
        shop.cards.send(CardEvent::Removed).await.unwrap();
        match reason {
            Some(reason) => {
                shop.over(number).await;
                assert_eq!(shop.service.member_side(request(number)).unwrap()["code"], reason);
            }
            None => {
                shop.present(&OURS).await;
                assert_eq!(shop.over(number).await["state"], "accepted", "it may be presented again: {card:?}");
            }
        }
    }
    assert_eq!(sales_in(shop.folder.path()), (2, 100));
}

#[tokio::test]
async fn the_balance_is_asked_with_a_card_and_takes_nothing() {
    let shop = shop(1234, settings());
    let service = Arc::clone(&shop.service);
    let asked = tokio::spawn(async move { service.balance().await });
    while !shop.service.board().balance_asked {
        tokio::task::yield_now().await;
    }
    assert_eq!(shop.begin(1, 100).await.unwrap_err(), Refusal::Busy);
    shop.present(&OURS).await;
    assert_eq!(asked.await.unwrap().unwrap()["available_cents"], 1234);
    assert_eq!(sales_in(shop.folder.path()), (0, 0));
}

#[tokio::test]
async fn a_stop_finishes_the_sale_in_hand_and_ends_though_somebody_holds_on() {
    let shop = shop(10_000, settings());
    let (held, folder) = (Arc::clone(&shop.service), Arc::clone(&shop.folder));
    shop.begin(1, 500).await.unwrap();
    shop.present(&OURS).await;
    shop.over(1).await;
    shop.close().await;
    assert_eq!(sales_in(folder.path()), (1, 500));
    // A connection that is still open finds a journal that takes no more.
    assert!(held.last_sale().await.is_err());
}

#[path = "identity_tests.rs"]
mod identity_cards;
#[path = "lock_tests.rs"]
mod locked;
#[path = "purse_tests.rs"]
mod purse_cards;
#[path = "training_tests.rs"]
mod trains;

#[path = "concert_tests.rs"]
mod concert_tills;
#[path = "till_double.rs"]
mod till_double;
#[path = "till_tests.rs"]
mod tills;

#[path = "hw_proxy_tests.rs"]
mod tills_by_page;
