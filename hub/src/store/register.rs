//! Households, their people and their cards as the office looks them up and changes them.

use cabas_protocol::row::Tier;
use cabas_protocol::sync::Standing;
use cabas_protocol::{CardRef, Cents, Epoch, PurseRef, TerminalId, Timestamp};
use rusqlite::{OptionalExtension as _, Row, params};

use super::error::{CorrectionRefusal, StoreError};
use super::exposure::GoodwillRule;
use super::import::{people, tier_of_number};
use super::model::{ImportCard, ImportMember, PurseView};
use super::people::ErasureRefusal;
use super::sql::{Sql, col, col_opt};
use super::terminals::standing_number;
use super::tx::Tx;
use crate::core::household_rules::{Household, PEOPLE_MAX};
use crate::core::ledger::{AccountId, PurseNo, TransferKind};
use crate::core::period::Period;

/// Households of one page of the list.
pub const HOUSEHOLDS_SHOWN_MAX: u32 = 100;
/// Names of one household.
pub const MEMBERS_MAX: u32 = PEOPLE_MAX;
/// Names that are looked through for one.
pub const NAMES_SEARCHED_MAX: u32 = 200_000;
/// A household contributes at least this for each person, in cents a month.
pub const CONTRIBUTION_CENTS_PER_PERSON_MIN: u64 = 100;
/// Bytes of a household's code.
pub const CODE_BYTES_MAX: usize = 32;
/// Movements of one account that are read back for what was spent in a month.
const MOVEMENTS_MAX: u32 = 20_000;

/// Which households are listed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum HouseholdFilter {
    /// Those that are there.
    #[default]
    There,
    /// Those that left.
    Left,
    /// Those that are there and have no card that is not blocked.
    WithoutCard,
}

/// A household in the list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HouseholdLine {
    /// Its code.
    pub code: String,
    /// Its people.
    pub people: Household,
    /// What it contributes each month, if that was agreed.
    pub contribution: Option<Cents>,
    /// Since when it is gone.
    pub left_at: Option<Timestamp>,
    /// True where its personal data were erased.
    pub is_erased: bool,
    /// Cards that are not blocked.
    pub cards: u32,
}

/// A card in a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CardLine {
    /// The number printed on it.
    pub number: u32,
    /// Its tier.
    pub tier: Tier,
    /// Since when it is blocked.
    pub blocked_at: Option<Timestamp>,
    /// What went back from it, and when; then it never spends again.
    pub released: Option<(Cents, Timestamp)>,
}

/// A terminal that has not told that it refuses a blocked card.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unaware {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its enrolment.
    pub epoch: Epoch,
    /// Its shop's name.
    pub shop_name: String,
    /// How it stands.
    pub standing: Standing,
    /// When it called last.
    pub contact_at: Option<Timestamp>,
}

/// A card with what becomes of its money.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CardFile {
    /// The card.
    pub line: CardLine,
    /// Its household's code.
    pub household: String,
    /// True where the household is gone.
    pub is_gone: bool,
    /// What lies on it and nowhere else; none for a card that spends from what its household shares.
    pub held: Option<Cents>,
    /// What it counted and no shop told of: part of `held`.
    pub unclaimed: Cents,
    /// Where it is not refused yet; empty for a card that is not blocked.
    pub unaware: Vec<Unaware>,
    /// What it can still spend there, at the most.
    pub can_spend: Cents,
    /// What was advanced to the household and is not paid back.
    pub goodwill: Cents,
    /// The fund's rule for it.
    pub rule: GoodwillRule,
}

/// Why households, people or uploads are not changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RegisterRefusal {
    /// The code is another household's.
    #[error("a household has this code already; choose another")]
    Taken,
    /// Not a code.
    #[error("a code is 1 to {CODE_BYTES_MAX} characters of A-Z a-z 0-9 . _ -")]
    Code,
    /// Under 1 € a person.
    #[error("a contribution is at least {CONTRIBUTION_CENTS_PER_PERSON_MIN} cents a person")]
    Contribution,
    /// There is no such name.
    #[error("the household has no such name; open its page anew")]
    NoMember,
    /// The name is there.
    #[error("the household has this name already")]
    MemberKnown,
    /// Too many names.
    #[error("a household has at most {MEMBERS_MAX} names")]
    TooManyMembers,
    /// It was imported or put away.
    #[error("this file was imported or put away before; upload it again")]
    UploadEnded,
    /// The books changed since the preview.
    #[error("the fund changed since the preview; look at it again")]
    UploadChanged,
    /// Too many files wait.
    #[error("too many files wait; import them or put them away")]
    TooManyUploads,
}

impl Tx<'_> {
    /// Households in the order of their codes, after a code; those whose code contains a part. True where there are more.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn household_lines(
        &self,
        filter: HouseholdFilter,
        part: &str,
        after: &str,
    ) -> Result<(Vec<HouseholdLine>, bool), StoreError> {
        let wanted = match filter {
            HouseholdFilter::There => "left_at IS NULL",
            HouseholdFilter::Left => "left_at IS NOT NULL",
            HouseholdFilter::WithoutCard => "left_at IS NULL AND cards = 0",
        };
        let mut read = self.conn.prepare_cached(&format!(
            "SELECT code, size, children_under_14, contribution_cents, left_at,
                EXISTS (SELECT 1 FROM erasures WHERE household = households.number),
                (SELECT count(*) FROM cards JOIN purses ON purses.number = cards.purse
                    WHERE purses.household = households.number AND blocked_at IS NULL) AS cards
             FROM households WHERE code > ?1 AND instr(lower(code), lower(?2)) > 0 AND {wanted} ORDER BY code LIMIT ?3",
        ))?;
        let mut rows = read.query(params![after, part.trim(), HOUSEHOLDS_SHOWN_MAX.saturating_add(1)])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            lines.push(HouseholdLine {
                code: row.get(0)?,
                people: people(row.get(1)?, row.get(2)?)?,
                contribution: col_opt(row, 3)?,
                left_at: col_opt(row, 4)?,
                is_erased: row.get(5)?,
                cards: row.get(6)?,
            });
        }
        let most = usize::try_from(HOUSEHOLDS_SHOWN_MAX).unwrap_or(usize::MAX);
        let more = lines.len() > most;
        lines.truncate(most);
        Ok((lines, more))
    }

    /// A new household, with a purse.
    ///
    /// # Errors
    /// [`RegisterRefusal::Code`], [`RegisterRefusal::Taken`], [`RegisterRefusal::Contribution`].
    pub fn household_add(
        &mut self,
        code: &str,
        people: Household,
        contribution: Option<Cents>,
        purse: PurseRef,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.fund()?;
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if code.is_empty() || code.len() > CODE_BYTES_MAX || !code.chars().all(known) {
            return Err(RegisterRefusal::Code.into());
        }
        enough(people, contribution)?;
        if self.purse_of_household(code)?.is_some() {
            return Err(RegisterRefusal::Taken.into());
        }
        self.conn.execute(
            "INSERT INTO households (code, size, children_under_14, contribution_cents, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![code, people.size(), people.children_under_14(), contribution.map(Sql), Sql(now)],
        )?;
        let number = self.conn.last_insert_rowid();
        self.conn.execute("INSERT INTO purses (ref, household) VALUES (?1, ?2)", params![Sql(purse), number])?;
        Ok(())
    }

    /// A household has other people, or contributes otherwise, from now on; what is due for months that were credited is
    /// proposed as in [`Self::household_change`]. Gives the numbers of the proposals.
    ///
    /// # Errors
    /// [`ErasureRefusal::Erased`], [`RegisterRefusal::Contribution`], and as [`Self::household_change`].
    pub fn household_amend(
        &mut self,
        code: &str,
        (people, contribution): (Household, Option<Cents>),
        since: Option<Period>,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<u64>, StoreError> {
        if self.is_erased(code)? {
            return Err(ErasureRefusal::Erased.into());
        }
        enough(people, contribution)?;
        let proposed = self.household_change(code, people, since, by, now)?;
        self.conn.execute(
            "UPDATE households SET contribution_cents = ?2 WHERE code = ?1",
            params![code, contribution.map(Sql)],
        )?;
        Ok(proposed)
    }

    /// The sealed names of a household's people, with the number of each.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn members(&self, code: &str) -> Result<Vec<(u32, Vec<u8>)>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT id, name_sealed FROM members JOIN households ON households.number = household WHERE code = ?1 ORDER BY id",
        )?;
        Ok(read.query_map([code], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
    }

    /// The sealed names of all, each with its household's code, so many at the most.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn all_members(&self, at_most: u32) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut read = self.conn.prepare(
            "SELECT code, name_sealed FROM members JOIN households ON households.number = household ORDER BY code LIMIT ?1",
        )?;
        Ok(read.query_map([at_most], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
    }

    /// Notes a name, sealed.
    ///
    /// # Errors
    /// [`CorrectionRefusal::NoHousehold`], [`ErasureRefusal::Erased`], [`RegisterRefusal`].
    pub fn member_add(&mut self, member: &ImportMember) -> Result<(), StoreError> {
        if self.is_erased(&member.household)? {
            return Err(ErasureRefusal::Erased.into());
        }
        if u32::try_from(self.members(&member.household)?.len()).is_ok_and(|names| names >= MEMBERS_MAX) {
            return Err(RegisterRefusal::TooManyMembers.into());
        }
        match self.import_member(member)? {
            None => Err(CorrectionRefusal::NoHousehold.into()),
            Some(false) => Err(RegisterRefusal::MemberKnown.into()),
            Some(true) => Ok(()),
        }
    }

    /// Takes a name out; what is deleted is written over in the file.
    ///
    /// # Errors
    /// [`RegisterRefusal::NoMember`].
    pub fn member_remove(&mut self, code: &str, member: u32) -> Result<(), StoreError> {
        self.conn.execute_batch("PRAGMA secure_delete = ON")?;
        let delete =
            "DELETE FROM members WHERE id = ?2 AND household = (SELECT number FROM households WHERE code = ?1)";
        if self.conn.execute(delete, params![code, member])? == 0 {
            return Err(RegisterRefusal::NoMember.into());
        }
        self.erased();
        Ok(())
    }

    /// The cards of a household, by number.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn cards_of_household(&self, code: &str) -> Result<Vec<CardLine>, StoreError> {
        let mut read = self.conn.prepare_cached(&format!(
            "SELECT {CARD_COLUMNS} FROM cards JOIN purses ON purses.number = cards.purse
             JOIN households ON households.number = purses.household WHERE households.code = ?1 ORDER BY cards.number"
        ))?;
        let mut rows = read.query([code])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            lines.push(card_line(row)?);
        }
        Ok(lines)
    }

    /// The code of the household that a card belongs to; nothing where the number is not known.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn household_of_card(&self, number: u32) -> Result<Option<String>, StoreError> {
        let read = "SELECT code FROM cards JOIN purses ON purses.number = cards.purse
             JOIN households ON households.number = purses.household WHERE cards.number = ?1";
        Ok(self.conn.query_row(read, [number], |row| row.get(0)).optional()?)
    }

    /// A card, and what becomes of its money.
    ///
    /// # Errors
    /// [`StoreError::UnknownCard`], [`StoreError::Damaged`].
    pub fn card_file(&self, number: u32, now: Timestamp) -> Result<CardFile, StoreError> {
        let household = self.household_of_card(number)?.ok_or(StoreError::UnknownCard)?;
        let line = self.cards_of_household(&household)?.into_iter().find(|line| line.number == number);
        let line = line.ok_or(StoreError::UnknownCard)?;
        let money = self.household_money(&household)?.ok_or(StoreError::UnknownPurse)?;
        let own = money.cards.iter().find(|card| card.number == number);
        let (unaware, can_spend) = match line.blocked_at {
            Some(_) => (self.unaware_of(number)?, self.exposure(now)?.cards),
            None => (Vec::new(), Vec::new()),
        };
        Ok(CardFile {
            line,
            is_gone: self.household_for_treasurer(&household)?.left_at.is_some(),
            household,
            held: own.map(|card| card.left),
            unclaimed: own.map_or(Cents::ZERO, |card| card.unclaimed),
            unaware,
            can_spend: can_spend.iter().find(|card| card.number == number).map_or(Cents::ZERO, |card| card.cents),
            goodwill: money.goodwill,
            rule: self.goodwill_rule()?,
        })
    }

    /// Enrolments that are not closed and have not journaled that they applied the list that names the card.
    fn unaware_of(&self, number: u32) -> Result<Vec<Unaware>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT terminals.number, epochs.epoch, shops.name, contact_at FROM epochs
             JOIN terminals ON terminals.number = epochs.terminal JOIN shops ON shops.number = terminals.shop
             LEFT JOIN contacts ON contacts.epoch = epochs.number
             WHERE standing <> ?2 AND list_applied < (SELECT ifnull(blocked_in, 0) FROM cards WHERE number = ?1)
             ORDER BY terminals.number, epochs.epoch",
        )?;
        let found = read
            .query_map(params![number, standing_number(Standing::Closed)], |row| {
                Ok((col(row, 0)?, col(row, 1)?, row.get(2)?, col_opt(row, 3)?))
            })?
            .collect::<Result<Vec<(TerminalId, Epoch, String, Option<Timestamp>)>, _>>()?;
        let unaware = found.into_iter().map(|(terminal, epoch, shop_name, contact_at)| {
            let standing = self.epoch(terminal, epoch)?.standing;
            Ok(Unaware { terminal, epoch, shop_name, standing, contact_at })
        });
        unaware.collect()
    }

    /// Binds a new plain card to what a household's cards share.
    ///
    /// # Errors
    /// [`CorrectionRefusal::NoHousehold`]; [`StoreError::CardTaken`] for a number or a card that is known.
    pub fn plain_card_add(&mut self, number: u32, card: CardRef, household: &str) -> Result<(), StoreError> {
        let purse = self.purse_of_household(household)?.ok_or(CorrectionRefusal::NoHousehold)?;
        self.not_taken(number, card)?;
        self.card_bind(&ImportCard { number, card, tier: Tier::Plain, household: household.to_owned() }, purse)
    }

    /// What shops told since a moment that a household spent, less what they undid.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn household_spent(&self, money: &PurseView, since: Timestamp) -> Result<Cents, StoreError> {
        let shared = self.purse_no(money.purse)?.ok_or(StoreError::UnknownPurse)?;
        let mut accounts = self.slice_ids(shared)?;
        for card in &money.cards {
            let own: Option<PurseNo> = self.purse_no(card.purse)?;
            accounts.extend(own.map(AccountId::card));
        }
        let (mut spent, mut undone) = (Cents::ZERO, Cents::ZERO);
        for account in accounts {
            let (out, back) = self.moved_since(account, since)?;
            (spent, undone) = (spent.plus(out)?, undone.plus(back)?);
        }
        Ok(spent.minus_or_zero(undone))
    }

    /// Sales and reversals of one account, newest first, until one that came before.
    fn moved_since(&self, account: AccountId, since: Timestamp) -> Result<(Cents, Cents), StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT iif(debit = ?2, debit_prev, credit_prev), kind, cents, debit = ?2,
                (SELECT received_at FROM rows WHERE key = cause) FROM transfers WHERE id = ?1",
        )?;
        let sales = [TransferKind::Sale, TransferKind::CardSale, TransferKind::CarriedSale].map(TransferKind::number);
        let (mut out, mut back) = (Cents::ZERO, Cents::ZERO);
        let mut next = self.account(account)?.newest;
        for _ in 0..MOVEMENTS_MAX {
            let found = read.query_row(params![Sql(next), Sql(account)], |row| {
                Ok((col(row, 0)?, row.get(1)?, col(row, 2)?, row.get(3)?, col_opt(row, 4)?))
            });
            let found: Option<(u64, u8, Cents, bool, Option<Timestamp>)> = found.optional()?;
            let Some((before, kind, cents, is_debit, at)) = found else { break };
            next = before;
            let (is_sale, is_undone) = (is_debit && sales.contains(&kind), kind == TransferKind::Reversal.number());
            if !is_sale && !is_undone {
                continue;
            }
            // Only of these two the cause is a row.
            let has_row = kind != TransferKind::CarriedSale.number();
            if has_row && at.is_some_and(|at| at < since) {
                break;
            }
            if is_sale {
                out = out.plus(cents)?;
            } else {
                back = back.plus(cents)?;
            }
        }
        Ok((out, back))
    }
}

const CARD_COLUMNS: &str = "cards.number, cards.tier, cards.blocked_at,
    (SELECT cents FROM card_releases JOIN card_balances ON card_balances.id = account WHERE card_balances.card = cards.number),
    (SELECT released_at FROM card_releases JOIN card_balances ON card_balances.id = account
        WHERE card_balances.card = cards.number)";

fn card_line(row: &Row<'_>) -> Result<CardLine, StoreError> {
    let released: (Option<Cents>, Option<Timestamp>) = (col_opt(row, 3)?, col_opt(row, 4)?);
    Ok(CardLine {
        number: row.get(0)?,
        tier: tier_of_number(row.get(1)?)?,
        blocked_at: col_opt(row, 2)?,
        released: released.0.zip(released.1),
    })
}

fn enough(people: Household, contribution: Option<Cents>) -> Result<(), StoreError> {
    let least = u64::from(people.size()).saturating_mul(CONTRIBUTION_CENTS_PER_PERSON_MIN);
    match contribution {
        Some(cents) if cents.get() < least => Err(RegisterRefusal::Contribution.into()),
        Some(_) | None => Ok(()),
    }
}
