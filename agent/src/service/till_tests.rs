//! Tills by Caisse-AP at a counter with a real journal: real sockets, cards that a test presents.

use super::till_double::{Till, free_address, opened};
use super::*;
use crate::journal::{TillAction, TillAsk};
use crate::till::caisse_ap::message::{Cause, Message, Request, wrap};
use crate::till::caisse_ap::server::{Door, serve};
use crate::till::{Choice, Ended, operate};
use cabas_protocol::objects::{Category, Grid};
use cabas_protocol::{CategoryId, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A card that nobody has bound.
const STRANGE: [u8; 7] = [4, 9, 9, 9, 9, 9, 9];

/// What the Odoo addon sends.
fn debit(amount: u64) -> String {
    asked('0', amount)
}

fn asked(action: char, amount: u64) -> String {
    let amount = amount.to_string();
    format!("CZ0040300CJ012012345678901CA00201CE003978CD001{action}CB{:03}{amount}", amount.len())
}

async fn till_shop(allowed: u64) -> Till {
    till_at(shop(allowed, settings())).await
}

async fn till_at(shop: Shop) -> Till {
    let address = free_address();
    let door = Door { address, peers: [address.ip()].into(), silence: Duration::from_millis(20) };
    shop.service.till.opens(crate::till::caisse_ap::server::WAY, &address.to_string(), "");
    tokio::spawn(serve(door, Arc::clone(&shop.service), shop.stop.subscribe()));
    opened(shop, address).await
}

impl Till {
    async fn send(&self, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream
    }

    /// A whole request: what the till reads before it closes.
    async fn ask(&self, request: &str) -> String {
        read(&mut self.send(request.as_bytes()).await).await
    }

    /// A sale with a card: the answer.
    async fn sell(&self, amount: u64, uid: &[u8]) -> String {
        let mut stream = self.send(debit(amount).as_bytes()).await;
        self.waits().await;
        self.shop.present(uid).await;
        read(&mut stream).await
    }
}

/// What comes until there is a whole answer; empty where the terminal closes without one.
async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 2048];
    let count = stream.read(&mut bytes).await.unwrap_or(0);
    String::from_utf8(bytes.get(..count).unwrap().to_vec()).unwrap()
}

fn assert_refused(answer: &str, cause: Cause) {
    assert!(answer.contains(&format!("AE00201AF002{}", cause.code())), "{cause:?}: {answer}");
}

#[tokio::test]
async fn a_till_is_answered_once_its_sale_is_durable_and_all_its_amounts_are_exact() {
    let till = till_shop(10_000).await;
    for amount in [101, 102, 103, 104, 105, 106, 1245, 5] {
        let answer = till.sell(amount, &OURS).await;
        assert!(answer.starts_with(&debit(amount)), "{answer}");
        assert!(answer.contains("AE00210CC00300SCI0012AA016************"), "{answer}");
        let sold = till.shop.service.last_sale().await.unwrap();
        assert!(answer.ends_with(&format!("AC006{}", sold["stan"].as_str().unwrap())), "{answer} {sold}");
        assert_eq!((sold["cents"].as_u64(), sold["till_ref"].as_str()), (Some(amount), Some("01")));
    }
    till.until(|status| status["till"]["unconfirmed"].as_array().unwrap().is_empty()).await;
    assert_eq!(till.closed().await, (8, 101 + 102 + 103 + 104 + 105 + 106 + 1245 + 5));
}

#[tokio::test]
async fn the_probe_is_answered_at_once_and_sells_nothing() {
    let till = till_shop(10_000).await;
    let probe = "CZ0040301CJ012330538600404CA00201CD001I";
    assert_eq!(till.ask(probe).await, format!("{probe}AE00210"));
    let mut stream = till.send(&wrap(probe.as_bytes())).await;
    let answer = read(&mut stream).await;
    assert_eq!(answer.as_bytes(), wrap(format!("{probe}AE00210").as_bytes()));
    assert_eq!(till.closed().await, (0, 0));
}

#[tokio::test]
async fn each_reason_to_refuse_has_its_cause_and_the_payable_amount_is_on_the_members_side() {
    let till = till_shop(1000).await;
    assert_refused(&till.sell(1001, &OURS).await, Cause::Refused);
    let id = till.shop.service.status()["sale"]["id"].clone();
    assert_eq!(id, Value::Null);
    assert_refused(&till.sell(500, &STRANGE).await, Cause::Forbidden);
    assert_refused(&till.ask(&debit(100_001)).await, Cause::Refused);
    assert_refused(&till.ask("CZ0040300CD0010CB0041245CE003840").await, Cause::Currency);
    assert_refused(&till.ask("CZ0040300CD0010CB0041245CC00300C").await, Cause::Selection);
    assert_refused(&till.ask("CZ0040300CD0017CB0041245").await, Cause::UnknownAction);
    assert_refused(&till.ask("GET / HTTP/1.1\r\n\r\n").await, Cause::Format);
    assert_refused(&till.ask(&asked('1', 700)).await, Cause::Selection);
    assert_refused(&till.ask(&asked('2', 700)).await, Cause::Selection);
    // The cashier takes it back; and while it waits another till is told that it is busy.
    let mut stream = till.send(debit(700).as_bytes()).await;
    let id = till.waits().await;
    assert_refused(&till.ask(&debit(800)).await, Cause::Operator);
    till.shop.service.cancel(id).await.unwrap();
    assert_refused(&read(&mut stream).await, Cause::Operator);
    // What was typed keeps a till out, and the other way round.
    till.shop.begin(1, 300).await.unwrap();
    assert_refused(&till.ask(&debit(300)).await, Cause::Operator);
    till.shop.present(&OURS).await;
    assert_eq!(till.shop.over(1).await["state"], "accepted");
    assert_eq!(till.closed().await, (1, 300));
}

#[tokio::test]
async fn what_a_card_cannot_pay_whole_is_refused_with_what_would_pass() {
    let till = till_shop(1000).await;
    let mut stream = till.send(debit(1500).as_bytes()).await;
    let id = till.waits().await;
    till.shop.present(&OURS).await;
    assert_refused(&read(&mut stream).await, Cause::Refused);
    assert_eq!(till.shop.service.member_side(id).unwrap()["available_cents"], 1000);
    // A category of which the fund pays half: no card is asked for.
    let share = Category {
        id: CategoryId::new(0),
        share_percent: 50,
        label_fr: String::from("Épicerie"),
        label_en: String::from("Groceries"),
    };
    let folder = till.shop.close().await;
    let fund = Fund::default();
    let mut journal = fund.open(folder.path(), moment(1, 6));
    let grid = Grid {
        head: fund.context().head(cabas_protocol::ObjectType::Grid),
        terminal: fund.terminal,
        version: Version::new(1),
        valid_from_day: 0,
        categories: vec![share],
    };
    fund.give(&mut journal, vec![fund.hub.sign(&grid).into_bytes()]);
    drop(journal);
    let till = till_at(open(folder, settings())).await;
    assert_refused(&till.ask(&debit(800)).await, Cause::Refused);
    till.until(|status| status["advice"].to_string().contains("till_category")).await;
    assert_eq!(till.closed().await, (0, 0));
}

#[tokio::test]
async fn a_till_that_goes_before_the_card_has_asked_for_nothing() {
    let till = till_shop(1000).await;
    for _ in 0..3 {
        let stream = till.send(debit(700).as_bytes()).await;
        let id = till.waits().await;
        drop(stream);
        till.until(|status| status["sale"].is_null()).await;
        assert_eq!(till.shop.service.sale(id).await.unwrap()["state"], "cancelled");
    }
    // A wrapped request is taken back by CAN, and one that is followed by another is no request.
    let mut stream = till.send(&wrap(debit(700).as_bytes())).await;
    till.waits().await;
    stream.write_all(&[0x18, 0x18, 0x18, 0x04]).await.unwrap();
    assert_refused(&read(&mut stream).await, Cause::Abandoned);
    let mut stream = till.send(debit(700).as_bytes()).await;
    till.waits().await;
    stream.write_all(debit(300).as_bytes()).await.unwrap();
    assert_refused(&read(&mut stream).await, Cause::Format);
    till.shop.present(&OURS).await;
    assert_eq!(till.closed().await, (0, 0));
}

#[tokio::test]
async fn a_lost_answer_is_kept_and_the_same_request_is_asked_about_before_it_is_paid_again() {
    let till = till_shop(10_000).await;
    // The till's machine dies as the member taps: nothing is read.
    let lose = async || {
        let stream = till.send(debit(1245).as_bytes()).await;
        till.waits().await;
        till.shop.present(&OURS).await;
        till.until(|status| status["sale"].is_null()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(stream);
    };
    lose().await;
    let status = till.until(|status| status["till"]["unconfirmed"].as_array().unwrap().len() == 1).await;
    assert!(status["advice"].to_string().contains("till_unconfirmed"));
    // Another amount is another purchase.
    assert!(till.sell(300, &OURS).await.contains("AE00210"));
    let mut stream = till.send(debit(1245).as_bytes()).await;
    let status = till.until(|status| status["till"]["question"].is_object()).await;
    assert_eq!(status["till"]["question"]["cents"], 1245);
    assert_refused(&till.ask(&debit(1245)).await, Cause::Operator);
    let question = status["till"]["question"]["question"].as_u64().unwrap();
    till.shop.service.till_answer(question, Choice::Resend).unwrap();
    let answer = read(&mut stream).await;
    assert!(answer.contains("AE00210") && answer.contains("AC006000001"), "{answer}");
    drop(stream);
    till.until(|status| status["till"]["unconfirmed"].as_array().unwrap().is_empty()).await;
    assert_eq!(till.shop.service.till_answer(question, Choice::New), Err(Refusal::NotFound));
    // The till knows: the next customer's same amount is asked about no more. Its answer is lost, and it is a new purchase.
    lose().await;
    till.until(|status| status["till"]["unconfirmed"].as_array().unwrap().len() == 1).await;
    for (choice, is_paid) in [(Choice::Cancel, false), (Choice::New, true)] {
        let mut stream = till.send(debit(1245).as_bytes()).await;
        let status = till.until(|status| status["till"]["question"].is_object()).await;
        let question = status["till"]["question"]["question"].as_u64().unwrap();
        till.shop.service.till_answer(question, choice).unwrap();
        if is_paid {
            till.waits().await;
            till.shop.present(&OURS).await;
            assert!(read(&mut stream).await.contains("AE00210"));
        } else {
            assert_refused(&read(&mut stream).await, Cause::Operator);
        }
    }
    assert_eq!(till.closed().await, (4, 3 * 1245 + 300));
}

#[tokio::test]
async fn a_refund_needs_the_card_that_paid_or_the_tills_reference_and_a_cancellation_is_of_the_last() {
    let till = till_shop(10_000).await;
    for amount in [700, 800, 800] {
        assert!(till.sell(amount, &OURS).await.contains("AE00210"));
    }
    assert_refused(&till.ask(&asked('1', 100)).await, Cause::Selection);
    // The amount alone could be another member's: the card that paid names its sale.
    let back = async |request: &str, uid: &[u8]| {
        let mut stream = till.send(request.as_bytes()).await;
        let status = till.until(|status| status["till"]["question"].is_object()).await;
        assert_eq!(status["till"]["question"]["kind"], "card", "{status}");
        assert_refused(&till.ask(&debit(300)).await, Cause::Operator);
        till.shop.present(uid).await;
        read(&mut stream).await
    };
    assert_refused(&back(&asked('1', 700), &STRANGE).await, Cause::Selection);
    let answer = back(&asked('1', 700), &OURS).await;
    assert!(answer.contains("CD0011") && answer.contains("AE00210") && answer.contains("AC006000004"), "{answer}");
    assert_refused(&till.ask(&asked('1', 700)).await, Cause::Selection);
    // The cashier takes it back, or the till goes: nothing is given back, and the next one is served.
    let mut stream = till.send(asked('1', 800).as_bytes()).await;
    let status = till.until(|status| status["till"]["question"].is_object()).await;
    let question = status["till"]["question"]["question"].as_u64().unwrap();
    assert_eq!(till.shop.service.till_answer(question, Choice::New), Err(Refusal::NotFound), "no answer to this");
    till.shop.service.till_answer(question, Choice::Cancel).unwrap();
    assert_refused(&read(&mut stream).await, Cause::Operator);
    drop(till.send(asked('1', 800).as_bytes()).await);
    till.until(|status| status["till"]["question"].is_null()).await;
    // The last operation was the refund: nothing is cancelled by it.
    assert_refused(&till.ask(&asked('2', 800)).await, Cause::Selection);
    assert!(till.sell(900, &OURS).await.contains("AE00210"));
    assert_refused(&till.ask(&asked('2', 800)).await, Cause::Selection);
    let answer = till.ask(&asked('2', 900)).await;
    assert!(answer.contains("CD0012") && answer.contains("AE00210"), "{answer}");
    assert_refused(&till.ask(&asked('2', 900)).await, Cause::Selection);
    let today = till.shop.service.today().await.unwrap();
    let kinds = |kind| today["entries"].as_array().unwrap().iter().filter(|entry| entry["kind"] == kind).count();
    assert_eq!((kinds("refund"), kinds("reversal"), kinds("sale")), (1, 1, 4));
    // A reference of one sale alone names it without a card.
    let mut stream = till.send(format!("{}CF003A17", debit(800)).as_bytes()).await;
    till.waits().await;
    till.shop.present(&OURS).await;
    assert!(read(&mut stream).await.contains("AE00210"));
    drop(stream);
    assert!(till.ask(&format!("{}CF003A17", asked('1', 800))).await.contains("AE00210"));
    assert_eq!(till.closed().await, (5, 700 + 800 + 800 + 900 + 800));
}

#[tokio::test]
async fn a_till_that_wants_no_end_is_told_at_once_and_only_then() {
    let till = till_shop(10_000).await;
    let mut stream = till.send(format!("{}BA0011", debit(700)).as_bytes()).await;
    let answer = read(&mut stream).await;
    assert!(answer.ends_with("BA0011AE00211"), "{answer}");
    drop(stream);
    let blind = async |at: usize, cents: u64, state: &str| {
        let is_so = |one: &Value| one["cents"] == cents && one["state"] == state;
        till.until(|status| status["till"]["blind"].get(at).is_some_and(is_so)).await;
    };
    till.waits().await;
    blind(0, 700, "asked").await;
    till.shop.present(&OURS).await;
    blind(0, 700, "paid").await;
    // What does not even become a sale, and what is taken back: the screens alone say it.
    assert!(till.ask(&format!("{}BA0011", debit(100_001))).await.ends_with("AE00211"));
    blind(1, 100_001, "not_paid").await;
    assert!(till.ask(&format!("{}BA0011", debit(300))).await.ends_with("AE00211"));
    let id = till.waits().await;
    till.shop.service.cancel(id).await.unwrap();
    blind(2, 300, "not_paid").await;
    assert!(till.sell(700, &OURS).await.contains("AE00210"));
    till.until(|status| status["till"]["unconfirmed"].as_array().unwrap().is_empty()).await;
    assert_eq!(till.closed().await, (2, 1400));
}

#[tokio::test]
async fn in_training_a_till_is_refused() {
    let till = till_shop(10_000).await;
    till.shop.service.train(true).await.unwrap();
    assert_refused(&till.ask(&debit(700)).await, Cause::NotCompleted);
    assert_eq!(till.closed().await, (0, 0));
}

#[tokio::test]
async fn a_connection_cut_at_any_byte_is_one_debit_or_none_and_the_terminal_knows_which() {
    let till = till_shop(100_000).await;
    let request = debit(100);
    for end in 0..request.len() {
        let mut stream = TcpStream::connect(till.address).await.unwrap();
        stream.write_all(request.get(..end).unwrap().as_bytes()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(till.shop.service.status()["sale"].is_null());
    till.shop.present(&OURS).await;
    // Each amount is its own, so that none is taken for one before.
    let (mut sold, mut lost, mut end) = (0, 0, 0);
    loop {
        let amount = 200 + u64::try_from(end).unwrap();
        let mut stream = till.send(debit(amount).as_bytes()).await;
        till.waits().await;
        till.shop.present(&OURS).await;
        let mut bytes = vec![0; end];
        if end > 0 {
            stream.read_exact(&mut bytes).await.unwrap();
        } else {
            stream.readable().await.unwrap();
        }
        sold += amount;
        let is_whole = String::from_utf8(bytes).unwrap().contains(&format!("AC006{:06}", end + 1));
        drop(stream);
        till.until(|status| status["sale"].is_null()).await;
        if is_whole {
            break;
        }
        lost += 1;
        end += 1;
    }
    till.until(|status| status["till"]["unconfirmed"].as_array().unwrap().len() >= 20).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let listed = till.shop.service.till_unconfirmed_all().await;
    assert_eq!(listed, lost, "every answer but the last was cut");
    assert!(lost > 100, "{lost}");
    assert_eq!(till.closed().await, (u32::try_from(lost).unwrap() + 1, sold));
}

#[tokio::test]
async fn ten_thousand_messages_of_nonsense_sell_nothing_and_stop_nothing() {
    let till = till_shop(10_000).await;
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    for number in 0..10_000 {
        let mut bytes = debit(700).into_bytes();
        match random(5) {
            0 => bytes = (0..random(200)).map(|_| u8::try_from(random(256)).unwrap()).collect(),
            // Cut before its last field is whole.
            1 => bytes.truncate(random(bytes.len())),
            2 => bytes.extend_from_slice(debit(300).as_bytes()),
            3 => {
                // The last field but one is the action: an unknown one, and a few other bytes.
                let at = bytes.len() - 9;
                bytes[at] = b'9';
                for _ in 0..random(3) {
                    let at = random(bytes.len() - 10);
                    bytes[at] = u8::try_from(random(256)).unwrap();
                }
            }
            _ => bytes = wrap(&bytes).into_iter().take(random(debit(700).len() + 2)).collect(),
        }
        let Ok(mut stream) = TcpStream::connect(till.address).await else { panic!("{number}: nobody is there") };
        // The terminal may have closed already.
        let cut = random(bytes.len() + 1);
        drop(stream.write_all(bytes.get(..cut).unwrap()).await);
        drop(stream.write_all(bytes.get(cut..).unwrap()).await);
        if number % 400 == 0 {
            let answer = tokio::time::timeout(Duration::from_secs(5), read(&mut stream)).await.unwrap();
            assert!(!answer.contains("AE00210"), "{answer}");
        }
    }
    let (_, form) = Message::read(debit(700).as_bytes());
    assert_eq!(form, Ok(()));
    till.until(|status| status["sale"].is_null()).await;
    // Once the last of them is gone a till is served as ever.
    tokio::time::sleep(Duration::from_millis(3500)).await;
    assert!(till.sell(700, &OURS).await.contains("AE00210"));
    assert_eq!(till.closed().await, (1, 700));
}

#[tokio::test]
async fn killed_between_the_commit_and_the_answer_it_knows_what_was_paid_and_tells_it_after_70_seconds() {
    // As for a till: the end is known and nothing of it is told.
    let (message, _) = Message::read(debit(1245).as_bytes());
    let Request { cents, till, reference, .. } = message.request().unwrap();
    let ask = TillAsk { peer: String::from("127.0.0.1"), till, action: TillAction::Debit, cents, reference };
    let shop = shop(10_000, settings());
    let present = async {
        while shop.service.status()["sale"]["state"] != "waiting" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        shop.present(&OURS).await;
    };
    let (ended, ()) = tokio::join!(operate(&shop.service, ask, std::future::pending()), present);
    let Ended::Done(done, _) = ended else { panic!("not paid") };
    let till = till_at(open(shop.close().await, settings())).await;
    till.until(|status| status["till"]["unconfirmed"][0]["id"] == done.request.to_string()).await;
    // The till sends it again, and nobody answers the question in time.
    assert_eq!(till.shop.service.till.answer_within(), Duration::from_secs(70));
    till.shop.service.till.set_answer_within(Duration::from_millis(200));
    let mut stream = till.send(debit(1245).as_bytes()).await;
    till.until(|status| status["till"]["question"].is_object()).await;
    let answer = read(&mut stream).await;
    assert!(answer.contains("AE00210") && answer.contains("AC006000001"), "{answer}");
    drop(stream);
    till.until(|status| status["till"]["unconfirmed"].as_array().unwrap().is_empty()).await;
    assert_eq!(till.closed().await, (1, 1245));
}

#[tokio::test]
async fn a_till_that_takes_a_part_is_told_how_much_was_paid_and_one_that_does_not_never_is() {
    let folder = shop(1000, settings()).close().await;
    let fund = Fund::default();
    let mut journal = fund.open(folder.path(), moment(1, 6));
    let share = Category {
        id: CategoryId::new(0),
        share_percent: 70,
        label_fr: String::from("Épicerie"),
        label_en: String::from("Groceries"),
    };
    let grid = Grid {
        head: fund.context().head(cabas_protocol::ObjectType::Grid),
        terminal: fund.terminal,
        version: Version::new(1),
        valid_from_day: 0,
        categories: vec![share],
    };
    fund.give(&mut journal, vec![fund.hub.sign(&grid).into_bytes(), fund.policy_with_parts(2).into_bytes()]);
    drop(journal);
    let till = till_at(open(folder, settings())).await;
    let whole = |answer: &str, cents: u32| answer.contains(&format!("CB003{cents}")) && answer.contains("AE00210");
    // The fund pays 7 of 10 euros.
    let mut stream = till.send(format!("{}BF0011", debit(1000)).as_bytes()).await;
    till.waits().await;
    till.shop.present(&OURS).await;
    let answer = read(&mut stream).await;
    assert!(whole(&answer, 700) && !answer.contains("CB0041000"), "{answer}");
    drop(stream);
    assert_refused(&till.ask(&format!("{}BF0010", debit(1000))).await, Cause::Refused);
    // Of 7 only 3 are left, and the member takes them. The till dies before it reads.
    let mut stream = till.send(format!("{}BF0011", debit(999)).as_bytes()).await;
    let id = till.waits().await;
    till.shop.present(&OURS).await;
    till.until(|status| status["sale"]["state"] == "offer").await;
    till.shop.service.take_part(id).await.unwrap();
    till.shop.present(&OURS).await;
    stream.readable().await.unwrap();
    drop(stream);
    till.until(|status| status["till"]["unconfirmed"].as_array().unwrap().len() == 1).await;
    // Asked again as a whole it is not told of as one; as a part it is.
    for (flag, is_told) in [("BF0010", false), ("BF0011", true)] {
        stream = till.send(format!("{}{flag}", debit(999)).as_bytes()).await;
        let status = till.until(|status| status["till"]["question"].is_object()).await;
        let question = status["till"]["question"]["question"].as_u64().unwrap();
        till.shop.service.till_answer(question, Choice::Resend).unwrap();
        let answer = read(&mut stream).await;
        if is_told {
            assert!(whole(&answer, 300), "{answer}");
        } else {
            assert_refused(&answer, Cause::NotCompleted);
        }
    }
    assert_eq!(till.closed().await, (2, 1000));
}
