//! A terminal: the real journal in a folder of its own, with clocks that do what they like.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cabas_agent::card::{Uid, UidClass};
use cabas_agent::core::ages::Moment;
use cabas_agent::journal::keyfile::TerminalKeys;
use cabas_agent::journal::{Enrolment, FILE, Journal, JournalError, KEY_FILE, PresentedBy, create};
use cabas_hub::api::direct::DirectHub;
use cabas_protocol::enrol::{CodeKeys, EnrolAnswer, EnrolRequest};
use cabas_protocol::head::HeadContext;
use cabas_protocol::ids::BootId;
use cabas_protocol::row::Tier;
use cabas_protocol::{Epoch, Incarnation, ObjectType, RequestId, Signed, Signer, TerminalId, TimeEpoch, Timestamp};

use super::card::MemberCard;
use super::event::ClockFault;
use super::power::Disk;

/// Seconds from 1970 to 2099.
const IN_2099: i64 = 4_070_908_800;

/// The clocks of a machine.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    boot: u64,
    booted_at: u64,
    /// The wall clock's error in seconds.
    off_s: i64,
    frozen_at: Option<u64>,
}

impl Clocks {
    /// A machine that was just started.
    #[must_use]
    pub const fn started(at: u64) -> Self {
        Self { boot: 1, booted_at: at, off_s: 0, frozen_at: None }
    }

    /// The machine is started again.
    pub const fn restart(&mut self, at: u64) {
        self.boot = self.boot.saturating_add(1);
        self.booted_at = at;
    }

    /// Something happens to the wall clock.
    pub fn set(&mut self, fault: ClockFault, now: u64) {
        let signed = i64::try_from(now).unwrap_or(i64::MAX);
        (self.off_s, self.frozen_at) = match fault {
            ClockFault::Right => (0, None),
            ClockFault::At1970 => (signed.saturating_neg(), None),
            ClockFault::At2099 => (IN_2099.saturating_sub(signed), None),
            ClockFault::Jump(hours) => (self.off_s.saturating_add(i64::from(hours).saturating_mul(3_600)), None),
            ClockFault::Frozen => (self.off_s, Some(now)),
        };
    }

    /// What they say at a time that they do not know.
    #[must_use]
    pub fn moment(&self, now: u64) -> Moment {
        let wall = self.frozen_at.unwrap_or(now).saturating_add_signed(self.off_s);
        Moment {
            boot: BootId::new(self.boot.to_be_bytes()),
            monotonic_ms: now.saturating_sub(self.booted_at).saturating_mul(1_000),
            wall: Timestamp::new(wall),
        }
    }
}

/// A terminal.
#[derive(Debug)]
pub struct Till {
    /// Its shop.
    pub shop: u8,
    dir: PathBuf,
    journal: Option<Journal>,
    keys: TerminalKeys,
    /// Its number.
    pub terminal: TerminalId,
    /// Its enrolment.
    pub epoch: Epoch,
    /// Its clocks.
    pub clocks: Clocks,
}

impl Till {
    /// Enrols a terminal in a folder.
    ///
    /// # Errors
    /// Where the hub refuses, or a file cannot be written.
    pub fn enrol(
        shop: u8,
        dir: &Path,
        hub: &mut DirectHub,
        (locator, keys): (String, &CodeKeys),
        clocks: Clocks,
        now: u64,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        // The code makes the key: the same list of events makes the same terminals.
        let mut seed = [0x5e; 32];
        for (to, from) in seed.iter_mut().zip(locator.bytes()) {
            *to = from;
        }
        let signer = Signer::from_seed(&seed)?;
        let nobody = HeadContext {
            fund: EnrolRequest::NO_FUND,
            incarnation: Incarnation::new(0),
            time_epoch: TimeEpoch::new(0),
        };
        let nonce = RequestId::new([7; 8]);
        let request = signer.sign(&EnrolRequest {
            head: nobody.head(ObjectType::EnrolRequest),
            locator,
            key: *signer.public(),
            nonce,
            proof: keys.prove_terminal(signer.public(), nonce),
            program: "cabas-tests".to_owned(),
        });
        let (status, body) = hub.enrol(request.as_bytes().to_vec(), Timestamp::new(now));
        anyhow::ensure!(status == 200, "the hub refuses an enrolment: {status}");
        let answer = Signed::<EnrolAnswer>::from_bytes(body)?;
        let said = answer.peek()?;
        let secrets = keys.open(&request.hash(), &said.sealed)?;
        let keys = TerminalKeys::new(&seed, secrets);
        let enrolment = Enrolment { request, answer, keys, hub_url: "http://simulated".to_owned() };
        create(dir, &enrolment, clocks.moment(now))?;
        Self::open(shop, dir, (said.terminal, said.epoch), clocks, now)
    }

    /// Starts what lies in a folder.
    ///
    /// # Errors
    /// Where its journal does not open.
    pub fn open(
        shop: u8,
        dir: &Path,
        (terminal, epoch): (TerminalId, Epoch),
        clocks: Clocks,
        now: u64,
    ) -> anyhow::Result<Self> {
        let keys = TerminalKeys::read(&dir.join(KEY_FILE))?;
        let mut till = Self { shop, dir: dir.to_owned(), journal: None, keys, terminal, epoch, clocks };
        till.start(now)?;
        Ok(till)
    }

    fn start(&mut self, now: u64) -> anyhow::Result<()> {
        let signer = self.signer()?;
        let path = self.dir.join(FILE);
        let journal = Journal::open_with(&path, (signer, &self.keys, None), self.clocks.moment(now), "cabas-tests")?;
        self.journal = Some(journal);
        Ok(())
    }

    /// Its key.
    ///
    /// # Errors
    /// Where it has none.
    pub fn signer(&self) -> anyhow::Result<Signer> {
        self.keys.signer().context("the terminal has no key")
    }

    /// Its journal.
    ///
    /// # Errors
    /// [`JournalError::Closed`] where the program does not run.
    pub fn journal(&mut self) -> Result<&mut Journal, JournalError> {
        self.journal.as_mut().ok_or(JournalError::Closed)
    }

    /// Its journal, for who goes on with it.
    #[must_use]
    pub fn into_journal(self) -> Option<Journal> {
        self.journal
    }

    /// By what it names cards.
    #[must_use]
    pub fn card_key(&self) -> cabas_protocol::keys::CardKey {
        self.keys.card_key()
    }

    /// Ends the program.
    pub fn stop(&mut self) {
        self.journal = None;
    }

    /// Starts the machine again.
    ///
    /// # Errors
    /// Where its journal does not open.
    pub fn reboot(&mut self, now: u64) -> anyhow::Result<()> {
        self.stop();
        self.clocks.restart(now);
        self.start(now)
    }

    /// What its disk holds.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn disk(&self) -> anyhow::Result<Disk> {
        Ok(Disk::read(&self.dir)?)
    }

    /// Starts the machine again on what its disk holds.
    ///
    /// # Errors
    /// Where its journal does not open.
    pub fn reboot_on(&mut self, disk: &Disk, now: u64) -> anyhow::Result<()> {
        self.stop();
        disk.put(&self.dir)?;
        self.reboot(now)
    }

    /// A machine made of a copy of a disk.
    ///
    /// # Errors
    /// Where the journal does not open.
    pub fn twin(&self, dir: &Path, disk: &Disk, now: u64) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        disk.put(dir)?;
        let mut clocks = self.clocks;
        clocks.restart(now);
        Self::open(self.shop, dir, (self.terminal, self.epoch), clocks, now)
    }

    /// Where its files lie.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How it names a card, as what it proves itself to be.
    ///
    /// # Errors
    /// Never for a UID of 7 bytes.
    pub fn presented(&self, card: &MemberCard, proven: Tier) -> anyhow::Result<PresentedBy> {
        let uid = Uid::new(&card.uid)?;
        let card = self.keys.card_key().card_ref(uid.as_bytes());
        Ok(PresentedBy { card, proven, uid: UidClass::Unique, counter: None })
    }
}
