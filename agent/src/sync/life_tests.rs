//! The hub's life: put back from a backup, new keys, keys taken back; and money that it asks back.
use super::*;
use crate::core::ages::Moment;
use crate::fixture::card;
use crate::journal::{RefundAsk, RefundProgress, SaleRef, Undone};
use cabas_protocol::hot_list::HotList;
use cabas_protocol::keys::KeyCert;
use cabas_protocol::row::RowBody;
use cabas_protocol::sync::{HeldList, OBJECTS_MAX};
use cabas_protocol::{Incarnation, PurseRef, Serial, Version};
use tokio::task::JoinHandle;

/// The loop at work, asking for news for a minute at a time.
fn start_loop(link: Arc<HubLink>, clock: Clock) -> (JoinHandle<()>, watch::Receiver<Network>) {
    let timing = Timing { wait: Duration::from_secs(60), pause_max: Duration::from_secs(1) };
    let (network, seen) = watch::channel(Network::default());
    (tokio::spawn(run(link, clock, timing, network)), seen)
}

async fn until(app: &App, mut holds: impl FnMut(&Hub) -> bool) {
    let waiting = async {
        while !app.with(|hub| holds(hub)) {
            app.news.notify_waiters();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("the hub waits in vain");
}

/// Gives objects to the terminal under a new cursor.
fn publish(hub: &mut Hub, objects: Vec<Vec<u8>>) {
    hub.objects = objects;
    hub.cursor += 1;
}

#[tokio::test]
async fn a_hub_that_was_put_back_gets_every_balance_and_every_row_again() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let (link, handle, clock) = link(folder.path(), &url);
    once(&link).await.unwrap();
    // 600 purses: more than two pages.
    let context = app.with(|hub| hub.fund.context());
    let purses = 600u32;
    for from in (0..purses).step_by(200) {
        let balances = (from..from + 200).map(|number| {
            let mut balance =
                app.with(|hub| hub.fund.balance(2, 1, 100).read_trusted(hub.fund.id).unwrap().into_payload());
            let [a, b, c, d] = (number + 1000).to_be_bytes();
            balance.purse = PurseRef::new([9, 9, 9, 9, a, b, c, d]);
            balance.serial = Serial::new(3);
            app.with(|hub| hub.fund.hub.sign(&balance).into_bytes())
        });
        let balances = balances.collect();
        app.with(|hub| publish(hub, balances));
        once(&link).await.unwrap();
    }
    for number in 1..=5 {
        assert!(matches!(sell(&handle, number, 10).await, Sold::Accepted(_)));
    }
    once(&link).await.unwrap();
    assert_eq!(handle.published().state.unsent_rows(), 0);
    let all = handle.published().state.newest.chain.seq;
    // Yesterday's backup: fewer rows than it acknowledged, another life.
    app.with(|hub| {
        hub.rows.truncate(3);
        hub.fund.incarnation = Incarnation::new(context.incarnation.get() + 1);
        hub.wants_held = true;
        hub.objects.clear();
        hub.held.clear();
    });
    let (running, _seen) = start_loop(link, clock);
    until(&app, |hub| hub.acked().seq == all).await;
    let state = handle.published().state;
    assert_eq!(state.context().incarnation, Incarnation::new(2));
    let given = app.with(|hub| hub.held.clone());
    // The first question comes before the terminal knows that anything is wanted.
    assert_eq!(given, [(0, false), (OBJECTS_MAX, false), (OBJECTS_MAX, false), (601 - 2 * OBJECTS_MAX, true)]);
    let rows = app.with(|hub| hub.rows.len());
    assert_eq!(u32::try_from(rows).unwrap(), all.get(), "nothing was lost, nothing came twice");
    assert!(matches!(sell(&handle, 6, 10).await, Sold::Accepted(_)));
    until(&app, |hub| hub.acked().seq.get() == all.get() + 1).await;
    running.abort();
}

#[tokio::test]
async fn the_hot_list_goes_back_with_the_last_page_and_only_to_a_hub_that_asks_for_it() {
    let cases = [
        (true, None, true),
        (false, None, false),
        (true, Some(RefusalCode::Busy), true),
        (true, Some(RefusalCode::Internal), true),
        // A hub of before answers now: it would never take the page with a list.
        (true, Some(RefusalCode::Malformed), false),
    ];
    for (wants_list, refused, is_told) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (app, url) = start_hub().await;
        let (link, handle, clock) = link(folder.path(), &url);
        once(&link).await.unwrap();
        app.with(|hub| {
            let list = HotList {
                head: hub.fund.context().head(ObjectType::HotList),
                version: Version::new(40),
                base: Version::new(0),
                issued_at: Timestamp::new(HUB_TIME),
                cards: vec![card(3), card(7)],
                purses: vec![purse(9)],
                cards_removed: vec![],
                purses_removed: vec![],
            };
            let list = hub.fund.hub.sign(&list).into_bytes();
            publish(hub, vec![list]);
        });
        once(&link).await.unwrap();
        assert_eq!(handle.published().state.hub.hot_list, Version::new(40));
        app.with(|hub| {
            let context = hub.fund.context();
            hub.fund.incarnation = Incarnation::new(context.incarnation.get() + 1);
            (hub.wants_held, hub.wants_list, hub.refuses_page) = (true, wants_list, refused);
            hub.objects.clear();
            hub.lists.clear();
        });
        let (running, _seen) = start_loop(link, clock);
        until(&app, |hub| !hub.wants_held).await;
        let told = app.with(|hub| hub.lists.clone());
        let list = HeldList { version: Version::new(40), cards: vec![card(3), card(7)] };
        assert_eq!(
            told,
            [None, is_told.then_some(list)],
            "{refused:?}: first it does not know that anything is wanted"
        );
        running.abort();
    }
}

#[tokio::test]
async fn exactly_full_pages_end_with_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let fund = Fund::default();
    let mut journal = fund.ready(folder.path(), 100);
    for number in 1..u32::try_from(OBJECTS_MAX).unwrap() {
        let mut balance = fund.balance(2, 1, 100).read_trusted(fund.id).unwrap().into_payload();
        let [a, b, c, d] = number.to_be_bytes();
        balance.purse = PurseRef::new([9, 9, 9, 9, a, b, c, d]);
        fund.give(&mut journal, vec![fund.hub.sign(&balance).into_bytes()]);
    }
    let first = journal.held_after(None).unwrap();
    assert_eq!((first.balances.len(), first.is_end), (OBJECTS_MAX, false));
    let second = journal.held_after(first.last).unwrap();
    assert_eq!((second.balances.len(), second.is_end), (0, true));
}

#[tokio::test]
async fn a_word_of_a_key_that_was_taken_back_makes_no_page_look_like_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let mut fund = Fund::default();
    let mut journal = fund.ready(folder.path(), 100);
    let new = [70; 32];
    fund.give(&mut journal, vec![cert(&fund, new, &fund.root, false)]);
    let old = std::mem::replace(&mut fund.hub, Signer::from_seed(&new).unwrap());
    for number in 0..u32::try_from(OBJECTS_MAX).unwrap() {
        let mut balance = fund.balance(2, 1, 100).read_trusted(fund.id).unwrap().into_payload();
        let [a, b, c, d] = number.to_be_bytes();
        balance.purse = PurseRef::new([9, 9, 9, 9, a, b, c, d]);
        fund.give(&mut journal, vec![fund.hub.sign(&balance).into_bytes()]);
    }
    let mut taken_back = fund.cert(&old).read_trusted(fund.id).unwrap().into_payload();
    taken_back.revoked = true;
    fund.give(&mut journal, vec![fund.root.sign(&taken_back).into_bytes()]);
    // What `held_end` says on the wire is whether a page is full.
    let first = journal.held_after(None).unwrap();
    assert_eq!((first.balances.len(), first.is_end), (OBJECTS_MAX, false));
    let second = journal.held_after(first.last).unwrap();
    assert_eq!((second.balances.len(), second.is_end), (0, true));
}

#[tokio::test]
async fn a_hub_that_never_has_enough_does_not_keep_the_terminal_busy() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let (link, handle, clock) = link(folder.path(), &url);
    let (running, _seen) = start_loop(link, clock);
    let mut journal = handle.watch();
    journal.wait_for(|now| now.state.unsent_rows() == 0 && now.state.policy.is_some()).await.unwrap();
    app.with(|hub| (hub.wants_held, hub.never_has_enough) = (true, true));
    until(&app, |hub| !hub.held.is_empty()).await;
    app.with(|hub| hub.held.clear());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let asked = app.with(|hub| hub.held.len());
    assert!(asked <= 8, "{asked} exchanges in a second and a half");
    running.abort();
}

#[tokio::test]
async fn nothing_leaves_the_file_though_all_of_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let (link, handle, _) = link(folder.path(), &url);
    once(&link).await.unwrap();
    for number in 1..=20 {
        assert!(matches!(sell(&handle, number, 10).await, Sold::Accepted(_)));
        once(&link).await.unwrap();
    }
    assert_eq!(handle.published().state.unsent_rows(), 0);
    app.with(|hub| hub.rows.clear());
    once(&link).await.unwrap();
    assert_eq!(handle.published().state.unsent_rows(), handle.published().state.newest.chain.seq.get());
    once(&link).await.unwrap();
    assert_eq!(app.with(|hub| hub.acked()), handle.published().state.newest.chain, "from the first row on");
    let held = handle.sync(|journal| journal.held_after(None)).await.unwrap();
    assert_eq!(held.balances.len(), 1);
}

fn cert(fund: &Fund, of: [u8; 32], by: &Signer, revoked: bool) -> Vec<u8> {
    let head = fund.context().head(ObjectType::KeyCert);
    let key = *Signer::from_seed(&of).unwrap().public();
    by.sign(&KeyCert { head, key, issued_at: Timestamp::new(HUB_TIME), revoked }).into_bytes()
}

#[tokio::test]
async fn a_new_key_is_taken_out_of_the_answer_that_it_signed_where_the_root_vouches_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let (link, handle, _) = link(folder.path(), &url);
    once(&link).await.unwrap();
    let new = [70; 32];
    app.with(|hub| hub.signer = new);
    let SyncError::Call(error) = once(&link).await.unwrap_err() else { panic!() };
    assert_eq!(error.name(), "not_the_hub", "nobody vouches for it");
    // Whoever has the new key alone, or an old key of the hub, vouches for nothing.
    for by in [Signer::from_seed(&new).unwrap(), Signer::from_seed(&[2; 32]).unwrap()] {
        app.with(|hub| {
            let forged = cert(&hub.fund, new, &by, false);
            publish(hub, vec![forged]);
        });
        assert!(once(&link).await.is_err());
    }
    app.with(|hub| {
        let config = Signer::from_seed(&new).unwrap().sign(&hub.fund.config(2).peek().unwrap()).into_bytes();
        let objects = vec![cert(&hub.fund, new, &hub.fund.root, false), config];
        publish(hub, objects);
    });
    let synced = once(&link).await.unwrap();
    assert_eq!((synced.applied.taken, synced.applied.alarms), (2, vec![]));
    // It is kept: an answer without the certificate is believed, after a restart too.
    app.with(|hub| publish(hub, vec![]));
    once(&link).await.unwrap();
    drop((link, handle));
    let reopened = loop {
        let opened = journal::Journal::open(&folder.path().join(FILE), Fund::default().signer(), moment(1, 9), "t");
        if let Ok(journal) = opened {
            break journal;
        }
    };
    let signed = app.with(|hub| Signer::from_seed(&new).unwrap().sign(&hub.fund.config(3).peek().unwrap()));
    assert!(reopened.state().keys.verify(&signed).is_ok());
    assert_eq!(reopened.state().keys.root(), Fund::default().root.public());
}

#[tokio::test]
async fn what_a_key_signs_after_it_was_taken_back_is_refused_and_what_is_held_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let (link, handle, _) = link(folder.path(), &url);
    once(&link).await.unwrap();
    let new = [70; 32];
    // The old key's last answer takes it back and names its successor.
    app.with(|hub| {
        let root = Signer::from_seed(&[1; 32]).unwrap();
        let objects = vec![cert(&hub.fund, new, &root, false), cert(&hub.fund, [2; 32], &root, true)];
        publish(hub, objects);
    });
    assert_eq!(once(&link).await.unwrap().applied.taken, 2);
    assert!(once(&link).await.is_err(), "its answers are not the hub's any more");
    app.with(|hub| {
        hub.signer = new;
        let raise = hub.fund.balance(1, 9, 99_999).into_bytes();
        publish(hub, vec![raise]);
    });
    let synced = once(&link).await.unwrap();
    assert_eq!((synced.applied.taken, synced.applied.alarms.len()), (0, 1));
    assert!(matches!(sell(&handle, 1, 1000).await, Sold::Accepted(_)), "the balance held is a counter");
    assert!(matches!(sell(&handle, 2, 1).await, Sold::Declined(_)));
    // A certificate from before does not give it back.
    app.with(|hub| {
        let old = cert(&hub.fund, [2; 32], &Signer::from_seed(&[1; 32]).unwrap(), false);
        publish(hub, vec![old]);
        hub.signer = [2; 32];
    });
    assert!(once(&link).await.is_err());
}

fn returns(hub: &Hub) -> Vec<(u64, u64)> {
    let bodies = hub.rows.iter().map(|row| row.peek().unwrap().body);
    bodies
        .filter_map(|body| match body {
            RowBody::Return(row) => Some((row.cents.get(), row.spent_after.get())),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn a_recall_is_answered_by_a_pushed_row_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let (link, handle, clock) = link(folder.path(), &url);
    let (running, _seen) = start_loop(link, clock);
    let mut journal = handle.watch();
    journal.wait_for(|now| now.state.unsent_rows() == 0 && now.state.policy.is_some()).await.unwrap();
    assert!(matches!(sell(&handle, 1, 300).await, Sold::Accepted(_)));
    until(&app, |hub| hub.waits.last() == Some(&60_000)).await;
    app.with(|hub| {
        let recall = hub.fund.recall(77, 1, 200).into_bytes();
        publish(hub, vec![recall]);
    });
    until(&app, |hub| !returns(hub).is_empty()).await;
    assert_eq!(app.with(|hub| returns(hub)), [(500, 800)]);
    assert!(matches!(sell(&handle, 2, 201).await, Sold::Declined(_)));
    // The same again, under a further cursor.
    app.with(|hub| hub.cursor += 1);
    let cursor = app.with(|hub| hub.cursor);
    while journal.borrow_and_update().state.hub.cursor != cursor {
        app.news.notify_waiters();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(app.with(|hub| returns(hub).len()), 1);
    running.abort();
}

#[tokio::test]
async fn a_refund_goes_up_and_is_done_when_the_hub_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (app, url) = start_hub().await;
    let (link, handle, clock) = link(folder.path(), &url);
    let (running, _seen) = start_loop(link, clock);
    let mut journal = handle.watch();
    journal.wait_for(|now| now.state.unsent_rows() == 0 && now.state.policy.is_some()).await.unwrap();
    assert!(matches!(sell(&handle, 1, 300).await, Sold::Accepted(_)));
    let ask = RefundAsk { request: request(2), sale: SaleRef::Request(request(1)), lines: None };
    let now: Moment = moment(1, 6);
    let asked = handle.customer(move |journal| journal.refund(now, &ask)).await.unwrap();
    assert!(matches!(asked, Undone::Done(_)), "{asked:?}");
    until(&app, |hub| hub.rows.iter().any(|row| row.peek().unwrap().body.name() == "RefundRequest")).await;
    app.with(|hub| {
        let mut asked = hub.rows.iter().map(|row| row.peek().unwrap());
        let seq = asked.rfind(|row| row.body.name() == "RefundRequest").unwrap().seq;
        let granted = hub.fund.refund_decision(seq, true).into_bytes();
        publish(hub, vec![granted]);
    });
    let progress = async || {
        let found = handle.customer(|journal| journal.find_refund(request(2))).await.unwrap();
        found.unwrap().progress
    };
    let credited = async {
        while progress().await != RefundProgress::Credited {
            app.news.notify_waiters();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), credited).await.unwrap();
    running.abort();
}
