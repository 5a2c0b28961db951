//! Cashiers and the lock with a real journal.

use super::*;
use crate::cashiers::{FILE as CASHIERS, Roll};
use crate::core::ages::Moment;
use crate::core::cashier::Code;
use crate::service::training::Outcome;
use cabas_protocol::row::ClosePeriod;

/// Sets up cashier 3, whose code is 1234, and 5, whose code is 98765.
fn set_up(folder: &Path) {
    let mut roll = Roll::empty().unwrap().quick();
    roll.add(3, "Léa", &Code::new("1234").unwrap()).unwrap();
    roll.add(5, "", &Code::new("98765").unwrap()).unwrap();
    roll.write(&folder.join(CASHIERS)).unwrap();
}

async fn locked_shop(lock_after: Option<u64>) -> Shop {
    let shop = shop(10_000, settings());
    set_up(shop.folder.path());
    open_at(shop.close().await, lock_after)
}

fn open_at(folder: Arc<tempfile::TempDir>, lock_after: Option<u64>) -> Shop {
    let place = Place { data_dir: Some(folder.path().to_owned()), lock_after: lock_after.map(Duration::from_secs) };
    open_with(folder, settings(), place)
}

impl Shop {
    fn is_locked(&self) -> bool {
        self.service.status()["locked"] == true
    }

    /// Lets so many seconds pass on the terminal's clock.
    fn pass(&self, seconds: u64) {
        let Clock::Set(clock) = &self.service.clock else { panic!("a test sets its clock") };
        let mut now = clock.lock().unwrap();
        *now = Moment { monotonic_ms: now.monotonic_ms.saturating_add(seconds.saturating_mul(1000)), ..*now };
    }
}

#[tokio::test]
async fn without_codes_nothing_is_locked() {
    let shop = shop(10_000, settings());
    let status = shop.service.status();
    assert_eq!(
        (&status["cashiers_set"], &status["locked"], &status["cashier"]),
        (&json!(false), &json!(false), &Value::Null)
    );
    assert_eq!(shop.service.log_in("1234").await.unwrap_err(), Refusal::NoCashiers);
    assert_eq!(shop.service.log_out().await.unwrap_err(), Refusal::NoCashiers);
    assert_eq!(shop.sell(1, 500).await["state"], "accepted");
}

#[tokio::test]
async fn a_locked_counter_begins_nothing_and_a_code_opens_it() {
    let shop = locked_shop(None).await;
    assert!(shop.is_locked());
    assert_eq!(shop.service.status()["cashiers_set"], true);
    let sale = journal::SaleRef::Request(request(1));
    assert_eq!(shop.begin(1, 500).await.unwrap_err(), Refusal::Locked);
    assert_eq!(shop.service.reverse(sale, request(11)).await.unwrap_err(), Refusal::Locked);
    let ask = journal::RefundAsk { request: request(12), sale, lines: None };
    assert_eq!(shop.service.refund(ask).await.unwrap_err(), Refusal::Locked);
    assert_eq!(shop.service.balance().await.unwrap_err(), Refusal::Locked);
    assert_eq!(shop.service.close(ClosePeriod::Day).await.unwrap_err(), Refusal::Locked);
    assert_eq!(shop.service.train(true).await.unwrap_err(), Refusal::Locked);
    assert_eq!(shop.service.test_printer().unwrap_err(), Refusal::Locked);
    assert_eq!(shop.service.test_reader().await.unwrap_err(), Refusal::Locked);
    assert_eq!(shop.service.log_in("1235").await.unwrap_err(), Refusal::CodeWrong);
    assert!(shop.is_locked());
    let said = shop.service.log_in("1234").await.unwrap();
    assert_eq!(said, json!({ "number": 3, "label": "Léa" }));
    assert_eq!(shop.service.status()["cashier"], said);
    assert_eq!(shop.sell(1, 500).await["state"], "accepted");
    assert_eq!(shop.service.log_in("98765").await.unwrap()["number"], 5, "another one takes over");
    assert_eq!(shop.service.journal.published().state.cashier, 5);
    shop.service.log_out().await.unwrap();
    assert_eq!((shop.is_locked(), shop.service.journal.published().state.cashier), (true, 0));
    // A program has its own cashiers.
    let ask = BeginAsk {
        request: request(2),
        till_ref: None,
        lines: lines(100),
        training: false,
        from_till: false,
        takes_part: false,
    };
    assert!(shop.service.begin_by(By::Program, ask).await.unwrap().1);
    assert_eq!(sales_in(shop.folder.path()), (1, 500));
}

#[tokio::test]
async fn a_sale_under_way_goes_on_while_the_counter_is_locked() {
    let shop = locked_shop(None).await;
    shop.service.log_in("1234").await.unwrap();
    shop.begin(1, 500).await.unwrap();
    shop.service.log_out().await.unwrap();
    assert!(shop.is_locked());
    let (again, is_new) = shop.begin(1, 500).await.unwrap();
    assert_eq!((&again["state"], is_new), (&json!("waiting"), false), "asked for again");
    shop.present(&OURS).await;
    assert_eq!(shop.over(1).await["state"], "accepted");
    assert!(!shop.begin(1, 500).await.unwrap().1, "the page may have lost the answer");
    assert_eq!(shop.begin(2, 500).await.unwrap_err(), Refusal::Locked);
    shop.service.log_in("1234").await.unwrap();
    shop.begin(3, 500).await.unwrap();
    shop.service.log_out().await.unwrap();
    assert_eq!(shop.service.cancel(request(3)).await.unwrap()["state"], "cancelled");
}

#[tokio::test]
async fn five_wrong_codes_are_enough_for_a_while() {
    let shop = locked_shop(None).await;
    for code in ["0000", "1", "12345678", "abcd", "9999"] {
        assert_eq!(shop.service.log_in(code).await.unwrap_err(), Refusal::CodeWrong, "{code}");
    }
    assert_eq!(shop.service.log_in("1234").await.unwrap_err(), Refusal::CodeWait { wait_s: 30 }, "the right one too");
    shop.pass(29);
    assert_eq!(shop.service.log_in("1234").await.unwrap_err(), Refusal::CodeWait { wait_s: 1 });
    shop.pass(1);
    shop.service.log_in("1234").await.unwrap();
    assert_eq!(shop.service.log_in("0000").await.unwrap_err(), Refusal::CodeWrong);
    let waits = shop.service.log_in("1234").await.unwrap_err();
    assert_eq!(waits, Refusal::CodeWait { wait_s: 60 }, "a right one forgets no wrong one");
}

#[tokio::test]
async fn who_has_a_code_cannot_guess_another_ones_by_typing_the_own_in_between() {
    let shop = locked_shop(None).await;
    for code in ["0000", "0001", "0002", "0003", "0004"] {
        shop.service.log_in("98765").await.unwrap();
        assert_eq!(shop.service.log_in(code).await.unwrap_err(), Refusal::CodeWrong, "{code}");
    }
    assert_eq!(shop.service.log_in("98765").await.unwrap_err(), Refusal::CodeWait { wait_s: 30 });
}

#[tokio::test]
async fn a_machine_that_starts_is_locked_where_time_locks_it() {
    let shop = locked_shop(Some(60)).await;
    shop.service.log_in("1234").await.unwrap();
    let shop = open_at(shop.close().await, Some(60));
    assert!(shop.is_locked(), "nobody knows how long it was off");
    assert_eq!(shop.begin(1, 500).await.unwrap_err(), Refusal::Locked);
    shop.service.log_in("1234").await.unwrap();
    assert_eq!(shop.sell(1, 500).await["state"], "accepted");
    // Where there are no codes, there is nothing to type.
    let folder = shop.close().await;
    std::fs::remove_file(folder.path().join(CASHIERS)).unwrap();
    let shop = open_at(folder, Some(60));
    assert_eq!(shop.sell(2, 500).await["state"], "accepted");
}

#[tokio::test]
async fn a_locked_counter_prints_the_sale_just_made_and_no_other_paper() {
    let shop = locked_shop(None).await;
    shop.service.log_in("1234").await.unwrap();
    shop.sell(1, 500).await;
    let sold = shop.sell(2, 600).await;
    shop.service.log_out().await.unwrap();
    let (fr, seq) = (Language::French, cabas_protocol::Seq::new(sold["seq"].as_u64().unwrap().try_into().unwrap()));
    // This shop has no printer: who is not locked out is told so.
    assert_eq!(shop.service.print(request(2), fr).await.unwrap_err(), Refusal::PrinterOff, "the sale just made");
    assert_eq!(shop.service.print(request(1), fr).await.unwrap_err(), Refusal::Locked);
    assert_eq!(shop.service.print_row(seq, fr).await.unwrap_err(), Refusal::Locked);
    assert_eq!(shop.service.print_kept().unwrap_err(), Refusal::Locked);
    assert_eq!(shop.service.discard_kept().unwrap_err(), Refusal::Locked);
    assert_eq!(shop.service.print_day(fr).await.unwrap_err(), Refusal::Locked);
    assert_eq!(shop.service.print_closing(seq, fr).await.unwrap_err(), Refusal::Locked);
    shop.service.log_in("1234").await.unwrap();
    assert_eq!(shop.service.print(request(1), fr).await.unwrap_err(), Refusal::PrinterOff);
    assert_eq!(shop.service.print_row(seq, fr).await.unwrap_err(), Refusal::PrinterOff);
    assert_eq!(shop.service.print_kept().unwrap_err(), Refusal::PrinterOff);
    assert_eq!(shop.service.discard_kept(), Ok(()));
    assert_eq!(shop.service.print_day(fr).await.unwrap_err(), Refusal::PrinterOff);
}

#[tokio::test]
async fn a_counter_that_is_left_alone_locks_but_never_in_the_middle_of_a_sale() {
    let shop = locked_shop(Some(60)).await;
    shop.service.log_in("1234").await.unwrap();
    shop.pass(59);
    assert!(!shop.is_locked());
    shop.begin(1, 500).await.unwrap();
    shop.pass(1000);
    assert!(!shop.is_locked(), "a sale is under way");
    shop.present(&OURS).await;
    shop.over(1).await;
    assert!(!shop.is_locked(), "the tap was work");
    shop.pass(59);
    assert_eq!(shop.sell(2, 500).await["state"], "accepted");
    shop.pass(60);
    assert!(shop.is_locked(), "computed when asked, whatever a timer does");
    assert_eq!(shop.begin(3, 500).await.unwrap_err(), Refusal::Locked);
    shop.service.log_in("1234").await.unwrap();
    assert!(!shop.is_locked());
}

#[tokio::test]
async fn leaving_the_counter_alone_is_written_down_by_one_timer() {
    let folder = locked_shop(None).await.close().await;
    let place = Place { data_dir: Some(folder.path().to_owned()), lock_after: Some(Duration::from_secs(1)) };
    let shop = open_with(folder, settings(), place);
    shop.service.log_in("1234").await.unwrap();
    let mut journal = shop.service.journal.watch();
    shop.pass(2);
    let written = journal.wait_for(|published| published.state.cashier == 0);
    assert!(tokio::time::timeout(Duration::from_secs(10), written).await.is_ok());
    assert!(shop.is_locked());
}

#[tokio::test]
async fn cashier_lock_and_training_are_what_the_rows_say_after_a_restart() {
    let shop = locked_shop(None).await;
    shop.service.log_in("1234").await.unwrap();
    shop.service.train(true).await.unwrap();
    let shop = open_at(shop.close().await, None);
    let status = shop.service.status();
    assert_eq!(
        (&status["cashier"]["number"], &status["locked"], &status["training"]),
        (&json!(3), &json!(false), &json!(true))
    );
    shop.begin(1, 500).await.unwrap();
    shop.service.play(request(1), Outcome::Accepted).await.unwrap();
    shop.service.log_out().await.unwrap();
    let shop = open_at(shop.close().await, None);
    assert!(shop.is_locked());
    // The cashier of the newest row has left the list: nobody is there.
    shop.service.log_in("1234").await.unwrap();
    let path = shop.folder.path().join(CASHIERS);
    let mut roll = Roll::read(&path).unwrap().unwrap();
    roll.remove(3).unwrap();
    roll.write(&path).unwrap();
    assert!(shop.is_locked());
    assert_eq!(shop.service.log_in("1234").await.unwrap_err(), Refusal::CodeWrong);
    // The last one is removed: the counter is open to all.
    roll.remove(5).unwrap();
    roll.write(&path).unwrap();
    assert!(!shop.is_locked());
}

#[tokio::test]
async fn a_journal_that_does_not_write_keeps_the_counter_locked_all_the_same() {
    let shop = locked_shop(None).await;
    shop.service.log_in("1234").await.unwrap();
    let fill = |pages: Option<u32>| {
        shop.service.journal.customer(move |journal| {
            journal.limit_pages(pages);
            while pages.is_some() && journal.train(moment(1, 20), !journal.state().training).is_ok() {}
            Ok(())
        })
    };
    fill(Some(1)).await.unwrap();
    assert_eq!(shop.service.status()["journal"]["state"], "disk_full");
    shop.service.log_out().await.unwrap();
    assert!(shop.is_locked());
    let stays = shop.service.log_in("98765").await.unwrap_err();
    assert_eq!(stays.message_id(), "journal-disk-full", "in words");
    fill(None).await.unwrap();
    shop.service.log_in("98765").await.unwrap();
    assert!(!shop.is_locked());
}

#[tokio::test]
async fn the_test_of_the_reader_tells_the_kind_of_a_card_and_nothing_else() {
    let shop = shop(10_000, settings());
    assert_eq!(shop.service.test_reader().await.unwrap_err(), Refusal::NoReader);
    shop.cards.send(CardEvent::Reader(ReaderState::Ready { name: String::from("reader") })).await.unwrap();
    for (uid, tier) in [(OURS, "plain"), ([4, 9, 9, 9, 9, 9, 9], "unknown")] {
        while shop.service.status()["reader"]["state"] != "ready" {
            tokio::task::yield_now().await;
        }
        let service = Arc::clone(&shop.service);
        let tested = tokio::spawn(async move { service.test_reader().await });
        while !shop.service.board().reader_tested {
            tokio::task::yield_now().await;
        }
        assert_eq!(shop.service.test_reader().await.unwrap_err(), Refusal::Busy);
        assert_eq!(shop.begin(1, 500).await.unwrap_err(), Refusal::Busy);
        shop.present(&uid).await;
        let said = tested.await.unwrap().unwrap();
        assert_eq!(said["tier"], tier);
        assert_eq!(said.as_object().unwrap().len(), 3, "{said}");
    }
    let service = Arc::clone(&shop.service);
    let tested = tokio::spawn(async move { service.test_reader().await });
    while !shop.service.board().reader_tested {
        tokio::task::yield_now().await;
    }
    shop.cards.send(CardEvent::Foreign(ForeignCard::RandomUid)).await.unwrap();
    assert_eq!(tested.await.unwrap().unwrap()["tier"], "unknown");
    assert_eq!(sales_in(shop.folder.path()), (0, 0));
    assert_eq!(shop.service.test_printer().unwrap_err(), Refusal::PrinterOff);
}
