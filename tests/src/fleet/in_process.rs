//! A shop without its screens, in process: the real journal, the real dialogue with a card of software, the real way to the
//! hub. Its clock is set, so that a week passes in seconds; its program and its machine go down where a test says so.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use cabas_agent::card::purse::over;
use cabas_agent::card::{Answer, Card, CardError, Uid, UidClass};
use cabas_agent::clock::Clock;
use cabas_agent::core::ages::Moment;
use cabas_agent::core::split::AskedLine;
use cabas_agent::journal::handle::{JournalThread, start};
use cabas_agent::journal::keyfile::TerminalKeys;
use cabas_agent::journal::{
    Declined, FILE, Journal, JournalError, JournalHandle, KEY_FILE, PresentedBy, SaleAsk, State, verify::verify,
};
use cabas_agent::service::dialogue::{Books, Paid, Purchase, purchase};
use cabas_agent::sync::enrol::enrol;
use cabas_agent::sync::{HubClient, HubLink, Synced, relay};
use cabas_protocol::ids::BootId;
use cabas_protocol::row::Tier;
use cabas_protocol::{CategoryId, Cents, RequestId, Timestamp};
use tokio::runtime::Handle;

use crate::virtual_card::Reaction;
use crate::virtual_card::desfire::DesfireChip;

/// Bytes that a short answer has room for, its status included.
const ANSWER_BYTES_MAX: usize = 258;
/// Exchanges until a hub has said all that it has to say.
const EXCHANGES_MAX: usize = 200;

/// A card held to a reader, for one tap. What left does not come back before the next.
pub struct Tap {
    chip: DesfireChip,
    is_gone: bool,
}

impl Tap {
    /// Holds a card to the reader.
    #[must_use]
    pub fn of(chip: &DesfireChip) -> Self {
        let mut chip = chip.clone();
        chip.power_off();
        Self { chip, is_gone: false }
    }
}

impl Card for Tap {
    fn transmit(&mut self, apdu: &[u8]) -> Result<Answer, CardError> {
        if self.is_gone {
            return Err(CardError::LinkLost);
        }
        match self.chip.react(apdu) {
            Reaction::Answer(answer) if answer.len() <= ANSWER_BYTES_MAX => Answer::parse(&answer),
            Reaction::Answer(_) | Reaction::Leave | Reaction::Silence => {
                self.is_gone = true;
                Err(CardError::LinkLost)
            }
        }
    }
}

/// The program while it runs.
struct Running {
    journal: JournalHandle,
    thread: JournalThread,
    link: HubLink,
}

/// A shop.
pub struct FleetShop {
    dir: PathBuf,
    runtime: Handle,
    client: HubClient,
    keys: TerminalKeys,
    clock: Arc<Mutex<Moment>>,
    /// When the machine was started, by its wall clock.
    booted_at: u64,
    running: Option<Running>,
}

/// The journal's thread, until the power goes.
struct Remote<'s> {
    shop: &'s FleetShop,
    journal: &'s JournalHandle,
    /// Pieces of work that are still done; none where the power stays.
    left: Option<u32>,
}

impl Books for Remote<'_> {
    fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1).ok_or(JournalError::Closed)?;
        }
        self.shop.runtime.block_on(self.journal.customer(work))
    }

    fn now(&self) -> Moment {
        self.shop.now()
    }

    fn is_awaited(&self) -> bool {
        true
    }

    fn extend(&mut self, _: &Declined, _: RequestId) -> bool {
        false
    }
}

/// A sale that is rung up.
#[derive(Clone, Copy, Debug)]
pub struct RungUp {
    /// The operation.
    pub request: RequestId,
    /// What the goods cost.
    pub cents: Cents,
    /// After so many pieces of work of the journal the power goes; none where it stays.
    pub power_goes_after: Option<u32>,
}

impl FleetShop {
    /// Enrols a terminal in a folder of its own, at a wall clock.
    ///
    /// # Errors
    /// Where the hub refuses, or a file cannot be written.
    pub fn enrol(runtime: &Handle, dir: &Path, hub_url: &str, code: &str, wall: u64) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let client = HubClient::new(hub_url, None)?;
        let clock = Arc::new(Mutex::new(moment(wall, wall)));
        runtime.block_on(enrol(dir, &client, hub_url, code, moment(wall, wall)))?;
        let keys = TerminalKeys::read(&dir.join(KEY_FILE))?;
        let dir = dir.to_owned();
        let mut shop = Self { dir, runtime: runtime.clone(), client, keys, clock, booted_at: wall, running: None };
        shop.start()?;
        Ok(shop)
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let signer = || self.keys.signer().context("the terminal has no key");
        let secrets = (signer()?, &self.keys, None);
        let journal = Journal::open_with(&self.dir.join(FILE), secrets, self.now(), "cabas-tests")?;
        let (journal, thread) = start(journal)?;
        let clock = Clock::Set(Arc::clone(&self.clock));
        let link = HubLink::new(self.client.clone(), signer()?, journal.clone(), clock);
        self.running = Some(Running { journal, thread, link });
        Ok(())
    }

    fn running(&self) -> anyhow::Result<&Running> {
        self.running.as_ref().context("the shop's program does not run")
    }

    /// What its clocks say.
    #[must_use]
    pub fn now(&self) -> Moment {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets its clocks on.
    pub fn set_clock(&self, wall: u64) {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = moment(wall, self.booted_at);
    }

    /// Ends the program and starts it again; with it the machine, where it was that.
    ///
    /// # Errors
    /// Where the journal cannot be opened any more.
    pub fn restart(&mut self, is_reboot: bool) -> anyhow::Result<()> {
        self.stop();
        if is_reboot {
            let wall = self.now().wall.get();
            self.booted_at = wall;
            self.set_clock(wall);
        }
        self.start()
    }

    fn stop(&mut self) {
        if let Some(Running { thread, .. }) = self.running.take() {
            thread.finish();
        }
    }

    /// Ends the program for good and destroys what it wrote.
    ///
    /// # Errors
    /// Where its folder cannot be removed.
    pub fn destroy(mut self) -> anyhow::Result<()> {
        self.stop();
        Ok(std::fs::remove_dir_all(&self.dir)?)
    }

    /// What its journal keeps at hand.
    ///
    /// # Errors
    /// Where the program does not run.
    pub fn state(&self) -> anyhow::Result<Arc<State>> {
        Ok(self.running()?.journal.published().state)
    }

    /// Does work in its journal.
    ///
    /// # Errors
    /// Where the program does not run, or the journal refuses.
    pub fn in_journal<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> anyhow::Result<T> {
        Ok(self.runtime.block_on(self.running()?.journal.customer(work))?)
    }

    /// How it names a card.
    ///
    /// # Errors
    /// Never for a UID of 7 bytes.
    pub fn presented(&self, chip: &DesfireChip) -> anyhow::Result<PresentedBy> {
        let uid = Uid::new(&chip.uid())?;
        let card = self.keys.card_key().card_ref(uid.as_bytes());
        Ok(PresentedBy { card, proven: Tier::Purse, uid: UidClass::Unique, counter: None })
    }

    /// Holds a card to the reader for a sale. Where the power went the program was started again.
    ///
    /// # Errors
    /// Where it cannot be started again, or says nothing of the tap.
    pub fn tap(&mut self, chip: &DesfireChip, sale: RungUp) -> anyhow::Result<Paid> {
        let lines = vec![AskedLine { category: CategoryId::new(0), requested: sale.cents }];
        let card = self.presented(chip)?;
        let ask = SaleAsk { request: sale.request, till_ref: None, lines, card };
        let wish = Purchase { ask, uid: chip.uid(), most: None };
        let (mut tap, mut told) = (Tap::of(chip), None);
        let journal = &self.running()?.journal;
        let mut books = Remote { shop: self, journal, left: sale.power_goes_after };
        purchase(&mut over(&mut tap), &mut books, &wish, |paid| told = Some(paid));
        if sale.power_goes_after.is_some() {
            self.restart(true)?;
        }
        told.context("nothing was said of a tap")
    }

    /// Lets the hub do something with a card that was allowed before.
    ///
    /// # Errors
    /// What the hub says where it did not.
    pub fn administer(&self, chip: &DesfireChip, command: &str) -> anyhow::Result<String> {
        let (uid, state) = (Uid::new(&chip.uid())?, self.state()?);
        let signer = self.keys.signer().context("the terminal has no key")?;
        let mut tap = Tap::of(chip);
        let said = self.runtime.block_on(relay(&self.client, &signer, &state, &mut tap, (&uid, command)))?;
        ensure!(!said.starts_with(cabas_protocol::card_session::FAILED), "{said}");
        Ok(said)
    }

    /// One exchange with the hub that carries so many rows at the most.
    ///
    /// # Errors
    /// Where the hub is not reached, or the journal refuses.
    pub fn exchange(&self, rows_max: usize) -> anyhow::Result<Synced> {
        let Running { journal, link, .. } = self.running()?;
        self.runtime.block_on(async {
            let mut unsent = journal.sync(Journal::unsent).await?;
            unsent.rows.truncate(rows_max);
            Ok(link.sync(unsent, None, Duration::ZERO).await?)
        })
    }

    /// Exchanges until the hub has everything and there is no more news.
    ///
    /// # Errors
    /// As [`Self::exchange`], and where that never comes.
    pub fn sync(&self) -> anyhow::Result<()> {
        for _ in 0..EXCHANGES_MAX {
            let synced = self.exchange(usize::MAX)?;
            ensure!(synced.applied.alarms.is_empty(), "alarms: {:?}", synced.applied.alarms);
            if !synced.more && self.state()?.unsent_rows() == 0 {
                return Ok(());
            }
        }
        anyhow::bail!("the hub never has no more news")
    }

    /// Checks its journal row by row, as `journal verify` does.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self) -> anyhow::Result<()> {
        let report = verify(&self.dir.join(FILE), None)?;
        ensure!(report.problems.is_empty(), "{:?}", report.problems);
        Ok(())
    }
}

/// A moment of a machine that was started at `booted_at`, by its wall clock.
fn moment(wall: u64, booted_at: u64) -> Moment {
    Moment {
        boot: BootId::new(booted_at.to_be_bytes()),
        monotonic_ms: wall.saturating_sub(booted_at).saturating_mul(1000),
        wall: Timestamp::new(wall),
    }
}
