//! A purse card that plays a script: it counts as a chip does, and its field is lost where a test says so.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]

use crate::card::purse::{CardLink, Connect, OpenPurse, PurseCard};
use cabas_card::commands::Committed;
use cabas_card::commands::WRONG_KEY;
use cabas_card::identity::Proven;
use cabas_card::layout::RECORD_BYTES;
use cabas_card::purse::DebitError;
use cabas_card::{CardError, Key, LinkLost};
use std::sync::{Arc, Mutex, MutexGuard};

/// Where the field is lost, once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tear {
    Nowhere,
    Opening,
    Reading,
    BeforeCommit,
    /// The card has committed, and its answer is lost.
    CommitDone,
    /// The card has not, and nobody knows.
    CommitNotDone,
    AfterDebit,
}

#[derive(Debug)]
pub(super) struct Chip {
    pub(super) key: [u8; 16],
    pub(super) uid: [u8; 7],
    pub(super) spent: u32,
    pub(super) balance: Vec<u8>,
    pub(super) records: Vec<[u8; RECORD_BYTES]>,
    pub(super) counter: u32,
    pub(super) debits: u32,
    pub(super) tear: Tear,
    pub(super) opened: u32,
    /// A tear for the time after so many further sessions.
    later: Option<(u32, Tear)>,
}

/// The card, in the hand of a test and on the reader at once.
#[derive(Clone, Debug)]
pub(super) struct Double(Arc<Mutex<Chip>>);

impl Double {
    pub(super) fn new(key: [u8; 16], spent: u32) -> Self {
        let chip = Chip {
            key,
            uid: [4, 1, 2, 3, 4, 5, 6],
            spent,
            balance: Vec::new(),
            records: Vec::new(),
            counter: 7,
            debits: 0,
            tear: Tear::Nowhere,
            opened: 0,
            later: None,
        };
        Self(Arc::new(Mutex::new(chip)))
    }

    pub(super) fn chip(&self) -> MutexGuard<'_, Chip> {
        self.0.lock().unwrap()
    }

    pub(super) fn link(&self) -> CardLink {
        CardLink::new(self.clone())
    }
}

impl Connect for Double {
    fn connect(&self) -> Result<Box<dyn PurseCard>, LinkLost> {
        Ok(Box::new(self.clone()))
    }
}

impl PurseCard for Double {
    fn open(&mut self, slot: u8, key: &Key) -> Result<Box<dyn OpenPurse + '_>, CardError> {
        assert_eq!(slot, 3);
        let mut chip = self.chip();
        if let Some((_, tear)) = chip.later.take_if(|(sessions, _)| *sessions == 0) {
            chip.tear = tear;
        }
        if let Some((sessions, _)) = &mut chip.later {
            *sessions -= 1;
        }
        chip.torn(Tear::Opening)?;
        if key.expose() != &chip.key {
            return Err(CardError::Refused { command: "authenticate", status: WRONG_KEY });
        }
        chip.opened += 1;
        Ok(Box::new(Session(chip)))
    }

    fn prove(&mut self, number: u8, key: &Key) -> Result<Proven, CardError> {
        assert_eq!(number, 3);
        let mut chip = self.chip();
        chip.torn(Tear::Opening)?;
        chip.counter += 1;
        if key.expose() != &chip.key {
            return Err(CardError::Refused { command: "authenticate", status: WRONG_KEY });
        }
        chip.opened += 1;
        Ok(Proven { uid: chip.uid, counter: chip.counter })
    }
}

impl Chip {
    /// Lets the field be lost once, after so many further sessions.
    pub(super) fn tear_after(&mut self, sessions: u32, tear: Tear) {
        self.later = Some((sessions, tear));
    }

    fn torn(&mut self, at: Tear) -> Result<(), LinkLost> {
        if self.tear == at {
            self.tear = Tear::Nowhere;
            return Err(LinkLost);
        }
        Ok(())
    }

    fn commit(&mut self) -> Committed {
        self.counter += 1;
        Committed { counter: self.counter, mac: [7; 8] }
    }
}

struct Session<'c>(MutexGuard<'c, Chip>);

impl OpenPurse for Session<'_> {
    fn balance(&mut self) -> Result<Vec<u8>, CardError> {
        self.0.torn(Tear::Reading)?;
        Ok(self.0.balance.clone())
    }

    fn spent(&mut self) -> Result<u32, CardError> {
        Ok(self.0.spent)
    }

    fn debit(&mut self, cents: u32, record: &[u8; RECORD_BYTES]) -> Result<Committed, DebitError> {
        let lost = |_| DebitError::InDoubt(CardError::Link(LinkLost));
        self.0.torn(Tear::BeforeCommit).map_err(|lost| DebitError::NotDebited(lost.into()))?;
        self.0.torn(Tear::CommitNotDone).map_err(lost)?;
        self.0.spent += cents;
        self.0.records.push(*record);
        self.0.debits += 1;
        let committed = self.0.commit();
        self.0.torn(Tear::CommitDone).map_err(lost)?;
        Ok(committed)
    }

    fn write_balance(&mut self, balance: &[u8]) -> Result<Committed, CardError> {
        self.0.torn(Tear::AfterDebit)?;
        self.0.balance = balance.to_vec();
        Ok(self.0.commit())
    }

    fn records(&mut self) -> Result<Vec<[u8; RECORD_BYTES]>, CardError> {
        self.0.torn(Tear::AfterDebit)?;
        Ok(self.0.records.clone())
    }
}
