//! The agent's card reader on the real pcscd, with cards that come, go and misbehave.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is the test's failure")]

use cabas_agent::card::{self, CardEvent, ForeignCard, ReaderConfig, ReaderHandle, ReaderState};
use cabas_tests::pcscd::{Pcscd, in_own_process};
use cabas_tests::program::WAIT;
use cabas_tests::virtual_card::{CONTACT_ATR, Chip, Fault, VirtualCard};
use std::path::Path;
use tokio::sync::mpsc;

const UID: [u8; 4] = [0x04, 0xa1, 0xb2, 0xc3];
const OTHER_UID: [u8; 7] = [0x04, 1, 2, 3, 4, 5, 6];

#[test]
fn each_tap_is_one_event() {
    in_own_process("card_reader::each_tap_is_one_event", |folder| {
        let service = Pcscd::start(folder, &["Cabas PICC"])?;
        let mut agent = Agent::start("PICC");
        agent.expect_ready("Cabas PICC 00 00");
        for (tap, uid) in [(1, UID.as_slice()), (2, &OTHER_UID), (3, &UID)] {
            let card = VirtualCard::insert(service.port(0, 0)?, Chip::plain(uid))?;
            agent.expect_card(uid, tap);
            card.remove();
            agent.expect(&CardEvent::Removed);
        }
        agent.stop();
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_cannot_be_used_is_told_apart() {
    in_own_process("card_reader::what_cannot_be_used_is_told_apart", |folder| {
        let service = Pcscd::start(folder, &["Cabas PICC"])?;
        let mut agent = Agent::start("");
        agent.expect_ready("Cabas PICC 00 00");
        let mut contact = Chip::with_fault(&UID, Fault::Status(0x6d00));
        contact.atr = CONTACT_ATR.to_vec();
        for (chip, foreign) in [
            (Chip::with_fault(&UID, Fault::Status(0x6a81)), ForeignCard::NoUid { status: 0x6a81 }),
            (contact, ForeignCard::Contact),
            (Chip::plain(&[0x08, 1, 2, 3]), ForeignCard::RandomUid),
            (Chip::plain(&[1, 2, 3, 4]), ForeignCard::NonUniqueUid),
            (Chip::plain(&[0; 7]), ForeignCard::NonUniqueUid),
            (Chip::plain(&[1, 2, 3]), ForeignCard::BadUid { len: 3 }),
            (Chip::with_fault(&UID, Fault::Garbled), ForeignCard::NoUid { status: 0x1337 }),
            (Chip::with_fault(&UID, Fault::Short), ForeignCard::Left),
            (Chip::with_fault(&UID, Fault::TooLong), ForeignCard::Mute),
        ] {
            let card = VirtualCard::insert(service.port(0, 0)?, chip)?;
            agent.expect(&CardEvent::Foreign(foreign));
            card.remove();
            agent.expect(&CardEvent::Removed);
        }
        let _card = VirtualCard::insert(service.port(0, 0)?, Chip::plain(&UID))?;
        agent.expect_card(&UID, 1);
        agent.stop();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_card_that_leaves_while_it_is_asked_may_come_again() {
    in_own_process("card_reader::a_card_that_leaves_while_it_is_asked_may_come_again", |folder| {
        let service = Pcscd::start(folder, &["Cabas PICC"])?;
        let mut agent = Agent::start("");
        agent.expect_ready("Cabas PICC 00 00");
        for fault in [Fault::LeaveAt(1), Fault::Mute] {
            let mut card = VirtualCard::insert(service.port(0, 0)?, Chip::with_fault(&UID, fault))?;
            card.wait_until_gone()?;
            agent.expect(&CardEvent::Foreign(ForeignCard::Left));
            agent.expect(&CardEvent::Removed);
        }
        let _card = VirtualCard::insert(service.port(0, 0)?, Chip::plain(&UID))?;
        agent.expect_card(&UID, 1);
        agent.stop();
        Ok(())
    })
    .unwrap();
}

#[test]
fn of_two_cards_none_is_read_until_both_have_left() {
    in_own_process("card_reader::of_two_cards_none_is_read_until_both_have_left", |folder| {
        let service = Pcscd::start(folder, &["Cabas PICC", "Other PICC"])?;
        let mut agent = Agent::start("picc");
        agent.expect_ready("Cabas PICC 00 00");
        let first = VirtualCard::insert(service.port(0, 0)?, Chip::plain(&UID))?;
        agent.expect_card(&UID, 1);
        let second = VirtualCard::insert(service.port(1, 0)?, Chip::plain(&OTHER_UID))?;
        agent.expect(&CardEvent::Several);
        first.remove();
        second.remove();
        agent.expect(&CardEvent::Removed);
        let _card = VirtualCard::insert(service.port(1, 0)?, Chip::plain(&OTHER_UID))?;
        agent.expect_card(&OTHER_UID, 2);
        agent.stop();
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_reader_survives_the_service() {
    in_own_process("card_reader::the_reader_survives_the_service", |folder| {
        let mut agent = Agent::start("");
        agent.expect(&CardEvent::Reader(ReaderState::NoService));
        let mut service = Pcscd::start(folder, &["Cabas PICC"])?;
        agent.expect_ready("Cabas PICC 00 00");
        for tap in 1..=2 {
            let card = VirtualCard::insert(service.port(0, 0)?, Chip::plain(&UID))?;
            agent.expect_card(&UID, tap);
            service.kill()?;
            agent.expect(&CardEvent::Removed);
            agent.expect(&CardEvent::Reader(ReaderState::NoService));
            card.remove();
            service.restart()?;
            agent.expect_ready("Cabas PICC 00 00");
        }
        agent.stop();
        Ok(())
    })
    .unwrap();
}

#[test]
fn only_a_reader_that_fits_is_used() {
    in_own_process("card_reader::only_a_reader_that_fits_is_used", |folder| {
        let service = Pcscd::start(folder, &["Cabas SAM", "Cabas PICC"])?;
        let mut agent = Agent::start("Cabas");
        agent.expect_ready("Cabas PICC 00 00");
        let _module = VirtualCard::insert(service.port(0, 0)?, Chip::plain(&OTHER_UID))?;
        let _card = VirtualCard::insert(service.port(1, 0)?, Chip::plain(&UID))?;
        agent.expect_card(&UID, 1);
        let mut other = Agent::start("ACR1252");
        other.expect(&CardEvent::Reader(ReaderState::NoReader));
        other.stop();
        agent.stop();
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_test_in_a_process_of_its_own_can_fail() {
    assert!(in_own_process("no_such_test", |_: &Path| Ok(())).is_err());
}

/// The agent's side.
struct Agent {
    handle: ReaderHandle,
    events: mpsc::Receiver<CardEvent>,
    runtime: tokio::runtime::Runtime,
}

impl Agent {
    fn start(name_contains: &str) -> Self {
        let (sender, events) = mpsc::channel(4);
        let config = ReaderConfig { name_contains: name_contains.to_owned() };
        let handle = card::start(config, sender).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Self { handle, events, runtime }
    }

    fn next(&mut self, expected: &dyn std::fmt::Debug) -> Option<CardEvent> {
        let event = async { tokio::time::timeout(WAIT, self.events.recv()).await };
        self.runtime.block_on(event).unwrap_or_else(|_| panic!("no event in {WAIT:?}, {expected:?} was expected"))
    }

    fn expect(&mut self, event: &CardEvent) {
        assert_eq!(self.next(event).as_ref(), Some(event));
    }

    fn expect_ready(&mut self, name: &str) {
        self.expect(&CardEvent::Reader(ReaderState::Ready { name: name.to_owned() }));
    }

    fn expect_card(&mut self, uid: &[u8], tap: u64) {
        match self.next(&"a card") {
            Some(CardEvent::Presented(card)) => assert_eq!((card.uid.as_bytes(), card.tap), (uid, tap)),
            other => panic!("{other:?} instead of the card"),
        }
    }

    /// Drops the handle: the thread ends, and nothing more comes.
    fn stop(mut self) {
        drop(self.handle);
        assert_eq!(self.runtime.block_on(async { tokio::time::timeout(WAIT, self.events.recv()).await }), Ok(None));
    }
}
