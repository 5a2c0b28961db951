//! A fund that has just begun: shops enrolled, cards given out, a month credited. It is made once, and copied for each run.

use std::path::{Path, PathBuf};

use cabas_hub::store::CardVerb;
use cabas_protocol::row::Tier;
use cabas_protocol::{Epoch, TerminalId};
use rusqlite::Connection;
use tempfile::TempDir;

use super::auditor::{Auditor, Checked};
use super::card::{Chip, MemberCard};
use super::event::Net;
use super::hub::{Hub, household_code, purse_ref};
use super::shape::Shape;
use super::till::{Clocks, Till};
use super::world::{BEGINS, World};

/// What a household of one person is credited a month, in cents.
pub const MONTH_CENTS: u64 = 15_000;
/// Cards are numbered from here.
const NUMBERS: u32 = 1_000;
/// Purses of purse cards are numbered from here.
const OWN_PURSES: u32 = 100_000;

/// A fund, at rest.
#[derive(Debug)]
pub struct Template {
    folder: TempDir,
    shape: Shape,
    cards: Vec<MemberCard>,
    audit: Auditor,
    tills: Vec<(PathBuf, u8, (TerminalId, Epoch), Clocks)>,
    codes: u32,
    enrolments: u32,
}

impl Template {
    /// Makes one in a folder of its own under `parent`.
    ///
    /// # Errors
    /// Where a file cannot be written, or a rule does not hold.
    pub fn make(parent: &Path, shape: Shape) -> Checked<Self> {
        let folder = tempfile::Builder::new().prefix("cabas-fleet-").tempdir_in(parent)?;
        let dir = folder.path().to_owned();
        let cards = cards(shape);
        let time = cabas_protocol::Timestamp::new(BEGINS);
        let hub = Hub::found(&dir.join("hub"), &shape, &cards, time)?;
        let mut world = World::new(dir, shape, hub, cards, Auditor::of(shape.households));
        world.tills = (0..shape.tills()).map(|_| None).collect();
        for till in 0..shape.tills() {
            world.enrol(till, Ok(shape.shop_of(till)), Clocks::started(BEGINS), true)?;
        }
        world.issue()?;
        world.know_owners()?;
        world.credit(0)?;
        for shop in 0..shape.tills() {
            world.with_till(shop, |world, till| world.sync(till, Net::Fine))?;
        }
        world.look()?;
        let World { hub, tills, cards, audit, enrolments, .. } = world;
        let tills = tills.into_iter().flatten();
        // Their programs end here: what they wrote lies in one file each.
        let tills =
            tills.map(|till| (till.dir().to_owned(), till.shop, (till.terminal, till.epoch), till.clocks)).collect();
        Ok(Self { folder, shape, cards, audit, tills, codes: hub.close(), enrolments })
    }

    /// The same fund in a folder of its own, to be played with.
    ///
    /// # Errors
    /// Where it cannot be copied.
    pub fn world(&self, dir: &Path) -> Checked<World> {
        let to = dir.join("hub");
        copy(&self.folder.path().join("hub"), &to)?;
        let hub = Hub::open(&to, self.shape.shares, self.codes)?;
        let cards = self.cards.iter().map(MemberCard::apart).collect();
        let mut world = World::new(dir.to_owned(), self.shape, hub, cards, self.audit.clone());
        world.at = 3_600;
        world.enrolments = self.enrolments;
        for (from, shop, enrolled, clocks) in &self.tills {
            let Some(name) = from.file_name() else { continue };
            let to = dir.join(name);
            copy(from, &to)?;
            let mut clocks = *clocks;
            clocks.restart(world.now());
            world.tills.push(Some(Till::open(*shop, &to, *enrolled, clocks, world.now())?));
        }
        Ok(world)
    }
}

fn copy(from: &Path, to: &Path) -> Checked {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Two cards for each household, by the mix.
fn cards(shape: Shape) -> Vec<MemberCard> {
    let (purse, identity) = (u32::from(shape.tiers.0), u32::from(shape.tiers.1));
    let tier = |place: u32| match place.wrapping_mul(7).checked_rem(10).unwrap_or(0) {
        drawn if drawn < purse => Tier::Purse,
        drawn if drawn < purse.saturating_add(identity) => Tier::Identity,
        _ => Tier::Plain,
    };
    let households = (0..shape.households).flat_map(|household| [household, household]);
    let card = |(place, household)| MemberCard::new(place, household, tier(place));
    (NUMBERS..).zip(households).map(card).collect()
}

impl World {
    /// The hub gives each card with keys what it needs.
    fn issue(&mut self) -> Checked {
        let time = self.time();
        let Some(terminal) = self.tills.first().and_then(Option::as_ref).map(|till| till.terminal) else {
            return Ok(());
        };
        for card in self.cards.clone() {
            let tier = card.tier();
            if let Chip::Plain = card.chip {
                continue;
            }
            let code = household_code(card.household);
            let until = time.after_s(600);
            self.hub.write(|tx| tx.card_grant(terminal, CardVerb::Issue, (card.number, tier), Some(&code), until))?;
            let words = format!("issue {}", card.number);
            let purse = purse_ref(OWN_PURSES.saturating_add(card.number));
            let mut tap = card.tap(super::event::Mishap::None);
            let mut over = cabas_agent::card::purse::exchange_over(&mut tap);
            let done = self.hub.direct()?.card(&mut over, (card.uid, &words), terminal, (purse, [9; 32]), time)?;
            if !done {
                return Err(super::auditor::Broken::new("a card is issued", words));
            }
        }
        Ok(())
    }

    /// The auditor learns whose purses there are.
    fn know_owners(&mut self) -> Checked {
        let conn = Connection::open(self.hub.database())?;
        let mut read = conn.prepare(
            "SELECT purses.ref, households.code FROM purses JOIN households ON households.number = purses.household",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let (purse, code): ([u8; 8], String) = (row.get(0)?, row.get(1)?);
            let household = code.trim_start_matches('H').parse::<u16>()?;
            self.audit.owner.insert(cabas_protocol::PurseRef::new(purse), household);
        }
        Ok(())
    }
}
