//! The fund's hub and the people who run it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cabas_agent::journal::keyfile::write_private;
use cabas_hub::api::direct::DirectHub;
use cabas_hub::core::household_rules::{Household, Rule};
use cabas_hub::core::period::Period;
use cabas_hub::core::slices::Shares;
use cabas_hub::keys::{HubSecrets, load_certs};
use cabas_hub::store::{
    Db, ImportCard, ImportHousehold, ImportPlan, ImportShop, InitFund, NewCode, OpenMode, PolicyLimits, RestorePlan,
    StoreError, Tx, restore,
};
use cabas_protocol::enrol::{Code, CodeKeys};
use cabas_protocol::head::HeadContext;
use cabas_protocol::keys::KeyCert;
use cabas_protocol::objects::Category;
use cabas_protocol::row::Tier;
use cabas_protocol::{
    CategoryId, Cents, FundId, Incarnation, ObjectType, PurseRef, Signer, TerminalId, TimeEpoch, Timestamp,
};

use super::card::MemberCard;
use super::hub_people::{ADA, Done};
use super::shape::{LARGE_PERMILLE, Shape};

/// The fund.
pub const FUND: FundId = FundId::new(8);
/// Backups of a copied fund are numbered from here: those of the one it is copied from lie beside them.
const COPIED: u32 = 10_000;

/// The hub.
#[derive(Debug)]
pub struct Hub {
    pub(super) dir: PathBuf,
    direct: Option<DirectHub>,
    pub(super) done: Vec<Done>,
    /// Months that are to be credited and households that are to leave once a restore has ended.
    pub(super) postponed: Vec<Done>,
    backup: Option<PathBuf>,
    backups: u32,
    codes: u32,
    life: Incarnation,
    shares: Shares,
}

impl Hub {
    /// Founds a fund in a folder.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn found(dir: &Path, shape: &Shape, cards: &[MemberCard], now: Timestamp) -> anyhow::Result<Self> {
        let keys = dir.join("keys");
        std::fs::create_dir_all(&keys)?;
        for (name, byte) in [("root.key", 1_u8), ("signing.key", 2), ("card.key", 3), ("record.key", 4)] {
            let digits = format!("{}\n", format!("{byte:02x}").repeat(32));
            write_private(&keys.join(name), digits.as_bytes())?;
        }
        let mut db = Db::open(&dir.join("hub.db"), OpenMode::Create)?.with_shares(shape.shares);
        db.write(|tx| {
            tx.init_fund(&init(now)?, now)?;
            tx.rule_set(rule()?, ADA, now)
        })?;
        let mut hub = Self::opened(dir, db, shape.shares)?;
        hub.import(shape, cards, now)?;
        Ok(hub)
    }

    /// Opens what lies in a folder.
    ///
    /// # Errors
    /// Where it is no fund.
    pub fn open(dir: &Path, shares: Shares, codes: u32) -> anyhow::Result<Self> {
        let db = Db::open(&dir.join("hub.db"), OpenMode::Existing)?.with_shares(shares);
        Ok(Self { codes, backups: COPIED, ..Self::opened(dir, db, shares)? })
    }

    fn opened(dir: &Path, db: Db, shares: Shares) -> anyhow::Result<Self> {
        let direct = DirectHub::new(db, HubSecrets::load(&dir.join("keys"))?)?;
        let life = Incarnation::new(1);
        let (dir, direct) = (dir.to_owned(), Some(direct));
        Ok(Self {
            dir,
            direct,
            done: Vec::new(),
            postponed: Vec::new(),
            backup: None,
            backups: 0,
            codes: 0,
            life,
            shares,
        })
    }

    /// The hub itself.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn direct(&mut self) -> anyhow::Result<&mut DirectHub> {
        self.direct.as_mut().context("the hub does not run")
    }

    /// Closes its file; gives how many codes it had given out.
    #[must_use]
    pub fn close(mut self) -> u32 {
        self.direct = None;
        self.codes
    }

    /// How often it was restored.
    #[must_use]
    pub const fn restores(&self) -> u32 {
        self.life.get().saturating_sub(1)
    }

    /// Where its file lies.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.dir.join("hub.db")
    }

    fn import(&mut self, shape: &Shape, cards: &[MemberCard], now: Timestamp) -> anyhow::Result<()> {
        let card_key = HubSecrets::load(&self.dir.join("keys"))?;
        let households = (0..shape.households).map(|number| {
            Ok(ImportHousehold {
                code: household_code(number),
                people: Household::new(1, 0)?,
                contribution: Some(Cents::new(100)?),
            })
        });
        let plain = cards.iter().filter(|card| card.tier() == Tier::Plain);
        let plan = ImportPlan {
            households: households.collect::<anyhow::Result<_>>()?,
            cards: plain
                .map(|card| ImportCard {
                    number: card.number,
                    card: card_key.card_key.card_ref(&card.uid),
                    tier: Tier::Plain,
                    household: household_code(card.household),
                })
                .collect(),
            shops: (0..shape.shops).map(|shop| import_shop(shape, shop)).collect(),
            members: Vec::new(),
        };
        let mut next = 0_u32;
        let mut random = || {
            next = next.saturating_add(1);
            purse_ref(next)
        };
        let report = self.direct()?.db.write(|tx| tx.import(&plan, &mut random, false, now))?;
        anyhow::ensure!(report.applied, "the example was not imported: {:?}", report.conflicts);
        let floor = Cents::new(shape.floor_cents.into())?;
        for shop in (0..shape.shops).filter(|shop| shape.is_stall(*shop)) {
            self.write(|tx| tx.shop_floor(&shop_code(shop), floor, Shape::market_days(shop)))?;
        }
        Ok(())
    }

    /// Does something in the ledger.
    ///
    /// # Errors
    /// What it gives.
    pub fn write<T>(&mut self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError>) -> anyhow::Result<T> {
        Ok(self.direct()?.db.write(work)?)
    }

    /// A code for a terminal: for a new one of a shop, or for one that is there.
    ///
    /// # Errors
    /// Where the shop or the terminal is not known.
    pub fn code(&mut self, of: Result<u8, TerminalId>, now: Timestamp) -> anyhow::Result<(String, CodeKeys)> {
        self.codes = self.codes.saturating_add(1);
        // A letter of a code is five bits.
        let [a, b, c, d] = [15, 10, 5, 0].map(|bits| (self.codes >> bits).to_le_bytes()[0] & 31);
        let random = [a, b, c, d, 9, 9, 9, 9, 9, 9, 9, 9];
        let locator = Code::of_random(&random).locator().to_owned();
        let stretched = || CodeKeys::of_stretched([a ^ b ^ 0x55, c, d, 7].repeat(8).try_into().unwrap_or([1; 32]));
        let code = NewCode { locator: locator.clone(), keys: stretched(), expires_at: now.after_s(3_600) };
        match of {
            Ok(shop) => drop(self.write(|tx| tx.terminal_add(&shop_code(shop), &code, now))?),
            Err(terminal) => self.write(|tx| tx.terminal_code(terminal, &code, now))?,
        }
        Ok((locator, stretched()))
    }

    /// Does what the hub does by itself every hour, and people what waited for a restore's end; gives the months that they
    /// credited.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn jobs(&mut self, now: Timestamp) -> anyhow::Result<Vec<u8>> {
        let months = self.do_at_last(now)?;
        self.write(|tx| {
            tx.release_cards(now)?;
            tx.expire_left(now)?;
            tx.goodwill_advance(now)?;
            tx.lay_floors(now)
        })?;
        while self.write(|tx| tx.renew_cards(now))? {}
        while self.write(|tx| tx.allocate_pending(now))?.more {}
        Ok(months)
    }

    /// Backs it up.
    ///
    /// # Errors
    /// Where the copy fails.
    pub fn back_up(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.backups = self.backups.saturating_add(1);
        let to = self.dir.join(format!("backup-{}", self.backups));
        self.direct()?.db.backup(&to, now)?;
        if let Some(old) = self.backup.replace(to) {
            std::fs::remove_file(old)?;
        }
        self.done.clear();
        Ok(())
    }

    /// Puts the newest backup back. False where there is none.
    ///
    /// # Errors
    /// Where the restore fails.
    pub fn restore(&mut self, now: Timestamp) -> anyhow::Result<bool> {
        let Some(backup) = self.backup.clone() else { return Ok(false) };
        self.direct = None;
        let database = self.database();
        let certs = load_certs(&self.dir.join("keys"))?;
        let plan = RestorePlan { backup: &backup, database: &database, newest_life: self.life, certs: &certs };
        let report = restore(&plan, now)?;
        self.life = report.incarnation;
        if let Some(moved) = report.moved_to {
            std::fs::remove_file(moved)?;
        }
        let db = Db::open(&database, OpenMode::Existing)?.with_shares(self.shares);
        self.direct = Some(DirectHub::new(db, HubSecrets::load(&self.dir.join("keys"))?)?);
        self.write(|tx| tx.payments_checked())?;
        Ok(true)
    }
}

/// As the fund's own, and what was not spent expires with the next month's end.
fn rule() -> Result<Rule, StoreError> {
    let (first_person, further_person) = (Cents::new(15_000)?, Cents::new(7_500)?);
    let (from, child_under_14) = (period(0)?, Cents::new(4_000)?);
    Ok(Rule { from, first_person, further_person, child_under_14, expire_months: Some(1) })
}

/// Months are counted from October 2026.
pub(super) fn period(month: u8) -> Result<Period, StoreError> {
    let month = month.saturating_add(9);
    let (years, month) = (month.checked_div(12).unwrap_or(0), month.checked_rem(12).unwrap_or(0));
    Period::new(2026_u16.saturating_add(years.into()), month.saturating_add(1)).ok_or(StoreError::Exhausted("months"))
}

fn import_shop(shape: &Shape, shop: u8) -> ImportShop {
    let small = u32::from(shape.shops.saturating_sub(2).max(1));
    let weight_permille = if shop < 2 { LARGE_PERMILLE } else { 170_u32.checked_div(small).unwrap_or(1) };
    let kind = if shape.is_stall(shop) { "stall" } else { "grocery" };
    ImportShop { code: shop_code(shop), name: shop_code(shop), kind: kind.to_owned(), weight_permille }
}

/// What a shop is called.
#[must_use]
pub fn shop_code(shop: u8) -> String {
    format!("shop-{shop}")
}

/// What a household is called.
#[must_use]
pub fn household_code(household: u16) -> String {
    format!("H{household:04}")
}

/// What a purse is called.
#[must_use]
pub fn purse_ref(number: u32) -> PurseRef {
    let [a, b, c, d] = number.to_be_bytes();
    PurseRef::new([0xaa, 0x55, 0, 0, a, b, c, d])
}

fn init(now: Timestamp) -> Result<InitFund, StoreError> {
    let weak = |_| StoreError::Exhausted("keys");
    let root = Signer::from_seed(&[1; 32]).map_err(weak)?;
    let signing = Signer::from_seed(&[2; 32]).map_err(weak)?;
    let context = HeadContext { fund: FUND, incarnation: Incarnation::new(1), time_epoch: TimeEpoch::new(1) };
    let (head, key) = (context.head(ObjectType::KeyCert), *signing.public());
    let cert = root.sign(&KeyCert { head, key, issued_at: now, revoked: false });
    let labels = ("Alimentation".to_owned(), "Food".to_owned());
    let food = Category { id: CategoryId::new(0), share_percent: 100, label_fr: labels.0, label_en: labels.1 };
    Ok(InitFund {
        fund: FUND,
        name: "Caisse de la simulation".to_owned(),
        helpline: "04 00 00 00 00".to_owned(),
        root: *root.public(),
        cert,
        policy: PolicyLimits {
            sale_cents_max: Cents::new(50_000)?,
            plain_sale_cents_max: Cents::new(10_000)?,
            plain_day_cents_max: Cents::new(20_000)?,
            plain_list_age_s_max: 7 * 86_400,
            part_payment: true,
        },
        categories: vec![food],
    })
}
