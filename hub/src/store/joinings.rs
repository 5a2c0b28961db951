//! Shops on their way to the fund, step by step, and what opening, suspending and closing one does to its terminals.

use cabas_protocol::sign::sha256;
use cabas_protocol::{Hash, TerminalId, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::fund::name;
use super::model::ImportShop;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::joining::{NotNow, Stage, Step, step};
use crate::core::ledger::ShopNo;

/// Bytes of what a step says.
pub const WORDS_BYTES_MAX: usize = 4_096;
/// Documents of one step.
pub const DOCUMENTS_MAX: usize = 8;
const DAY_S: u64 = 86_400;

/// A shop as it is proposed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Joining {
    /// Its code in the fund's files.
    pub code: String,
    /// Its name, as on receipts.
    pub name: String,
    /// What kind of shop it is.
    pub kind: String,
    /// True where the producers' questionnaire fits it.
    pub is_producer: bool,
}

/// A document of a step. Its file lies in the data folder, under its hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JoiningDocument {
    /// SHA-256 of the file.
    pub hash: Hash,
    /// The name that it came with.
    pub name: String,
    /// What its first bytes say it is.
    pub media_type: String,
    /// Its length.
    pub bytes: u64,
}

impl JoiningDocument {
    /// A document of these contents.
    #[must_use]
    pub fn of(name: String, media_type: String, contents: &[u8]) -> Self {
        let bytes = u64::try_from(contents.len()).unwrap_or(u64::MAX);
        Self { hash: sha256(&[contents]), name, media_type, bytes }
    }
}

/// A step as it is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JoiningStep {
    /// The shop's code.
    pub code: String,
    /// What was done.
    pub step: Step,
    /// On which day, in days since 1970-01-01.
    pub day: u64,
    /// Who says so.
    pub by: String,
    /// A reason, an amendment, what was found or agreed.
    pub words: String,
    /// Its documents.
    pub documents: Vec<JoiningDocument>,
}

/// What a step did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct JoiningDone {
    /// Where the shop stands.
    pub stage: Stage,
    /// Slices that are asked back.
    pub recalled: u32,
    /// Enrolments that were revoked.
    pub revoked: u32,
}

/// A step that was done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepView {
    /// The step.
    pub told: JoiningStep,
    /// When it was written down.
    pub recorded_at: Timestamp,
}

/// A shop and how it came here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JoiningView {
    /// The shop.
    pub joining: Joining,
    /// Where it stands.
    pub stage: Stage,
    /// Its steps, oldest first; none in a list.
    pub steps: Vec<StepView>,
}

/// Why a step is not done.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JoiningRefusal {
    /// It does not follow.
    #[error(transparent)]
    NotNow(#[from] NotNow),
    /// Nobody proposed such a shop.
    #[error("no shop of this code was proposed or imported; see cabas-hub joining list")]
    Unknown,
    /// The code is another shop's.
    #[error("a shop of this code is {}; name another code", .0.name())]
    Taken(Stage),
    /// The shop has no live terminals.
    #[error("the shop is {}, and only an open shop has terminals; see cabas-hub joining show", .0.name())]
    NotOpen(Stage),
    /// The step must say something.
    #[error("this step needs words (--words) or a document (--document)")]
    NoWords,
    /// A day that cannot be.
    #[error("the day lies in the future, or before the step before it (day {before})")]
    Day {
        /// The day of the step before, in days since 1970-01-01.
        before: u64,
    },
}

/// A row of `joinings`.
struct Known {
    id: i64,
    stage: Stage,
    shop: Option<ShopNo>,
    newest_day: u64,
}

impl Tx<'_> {
    /// A member proposes a shop. One that had closed is proposed anew under its code.
    ///
    /// # Errors
    /// [`JoiningRefusal`]; [`StoreError::Text`].
    pub fn joining_propose(
        &mut self,
        joining: &Joining,
        told: &JoiningStep,
        now: Timestamp,
    ) -> Result<JoiningDone, StoreError> {
        name("code", &joining.code)?;
        name("shop name", &joining.name)?;
        name("shop kind", &joining.kind)?;
        let told = JoiningStep { step: Step::Propose, code: joining.code.clone(), ..told.clone() };
        let grid = if joining.is_producer { 2 } else { 1 };
        match self.joining_known(&joining.code)? {
            Some(Known { stage: Stage::Closed, .. }) => self.joining_step(&told, now),
            Some(known) => Err(JoiningRefusal::Taken(known.stage).into()),
            None => {
                check_told(&told, 0, now)?;
                self.conn.execute(
                    "INSERT INTO joinings (code, name, kind, grid, stage) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![joining.code, joining.name, joining.kind, grid, Stage::Proposed.number()],
                )?;
                self.joining_note(self.conn.last_insert_rowid(), &told, now)?;
                Ok(JoiningDone { stage: Stage::Proposed, recalled: 0, revoked: 0 })
            }
        }
    }

    /// Does a step, if it may follow. Opening makes the shop; suspending voids its enrolment codes, pauses its terminals and
    /// asks back what lies there; closing revokes them too.
    ///
    /// # Errors
    /// [`JoiningRefusal`]; [`StoreError::Text`].
    pub fn joining_step(&mut self, told: &JoiningStep, now: Timestamp) -> Result<JoiningDone, StoreError> {
        let known = self.joining_known(&told.code)?.ok_or(JoiningRefusal::Unknown)?;
        let stage = step(known.stage, told.step).map_err(JoiningRefusal::from)?;
        check_told(told, known.newest_day, now)?;
        self.joining_note(known.id, told, now)?;
        self.conn.execute("UPDATE joinings SET stage = ?2 WHERE id = ?1", params![known.id, stage.number()])?;
        let (mut recalled, mut revoked) = (0, 0);
        match (told.step, known.shop) {
            (Step::Open, shop) => self.shop_opens(known.id, shop, &told.code, now)?,
            (Step::Suspend | Step::Close, Some(shop)) => {
                // A revoked terminal is asked for nothing any more: its epoch is closed by two people.
                if told.step == Step::Suspend {
                    recalled = self.recall_shop(shop, now)?;
                }
                for terminal in self.terminals_of(shop)? {
                    self.void_codes(terminal)?;
                    if told.step == Step::Close {
                        revoked = self.terminal_revoke(terminal, now)?.saturating_add(revoked);
                    }
                }
                self.shop_renamed(&told.code)?;
            }
            (_, _) => {}
        }
        Ok(JoiningDone { stage, recalled, revoked })
    }

    /// Every shop, by code, without its steps.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn joinings(&self) -> Result<Vec<JoiningView>, StoreError> {
        let mut read = self.conn.prepare(
            "SELECT joinings.code, ifnull(shops.name, joinings.name), ifnull(shops.kind, joinings.kind), grid = 2, stage
             FROM joinings LEFT JOIN shops ON shops.number = joinings.shop ORDER BY joinings.code",
        )?;
        let mut rows = read.query([])?;
        let mut views = Vec::new();
        while let Some(row) = rows.next()? {
            let joining = Joining { code: row.get(0)?, name: row.get(1)?, kind: row.get(2)?, is_producer: row.get(3)? };
            views.push(JoiningView { joining, stage: stage_of(row.get(4)?)?, steps: Vec::new() });
        }
        Ok(views)
    }

    /// A shop with its steps.
    ///
    /// # Errors
    /// [`JoiningRefusal::Unknown`], [`StoreError::Damaged`].
    pub fn joining(&self, code: &str) -> Result<JoiningView, StoreError> {
        let mut view = self.joinings()?.into_iter().find(|view| view.joining.code == code);
        let view = view.as_mut().ok_or(JoiningRefusal::Unknown)?;
        let mut read = self.conn.prepare_cached(
            "SELECT joining_steps.id, step, day, by, words, recorded_at FROM joining_steps
             JOIN joinings ON joinings.id = joining WHERE code = ?1 ORDER BY joining_steps.id",
        )?;
        let mut rows = read.query([code])?;
        while let Some(row) = rows.next()? {
            let told = JoiningStep {
                code: code.to_owned(),
                step: Step::of_number(row.get(1)?).ok_or(StoreError::Damaged("a step of a shop"))?,
                day: col(row, 2)?,
                by: row.get(3)?,
                words: row.get(4)?,
                documents: self.documents_of(row.get(0)?)?,
            };
            view.steps.push(StepView { told, recorded_at: col(row, 5)? });
        }
        Ok(view.clone())
    }

    fn documents_of(&self, of: i64) -> Result<Vec<JoiningDocument>, StoreError> {
        let mut read = self
            .conn
            .prepare_cached("SELECT hash, name, type, bytes FROM joining_documents WHERE step = ?1 ORDER BY name")?;
        let documents = read.query_map([of], |row| {
            let (hash, name, media_type, bytes) = (col(row, 0)?, row.get(1)?, row.get(2)?, col(row, 3)?);
            Ok(JoiningDocument { hash, name, media_type, bytes })
        })?;
        Ok(documents.collect::<Result<_, _>>()?)
    }

    /// Only an open shop gets enrolment codes.
    pub(super) fn shop_is_open(&self, code: &str) -> Result<(), StoreError> {
        match self.joining_known(code)?.map(|known| known.stage) {
            Some(Stage::Open) => Ok(()),
            Some(stage) => Err(JoiningRefusal::NotOpen(stage).into()),
            None => Err(StoreError::UnknownShop),
        }
    }

    /// True where a shop was proposed and has not opened yet.
    pub(super) fn is_on_its_way(&self, code: &str) -> Result<bool, StoreError> {
        Ok(self.joining_known(code)?.is_some_and(|known| known.shop.is_none()))
    }

    /// An imported shop is open.
    pub(super) fn joined_by_import(&self, shop: &ImportShop, now: Timestamp) -> Result<(), StoreError> {
        self.conn.execute(
            "INSERT INTO joinings (code, name, kind, grid, stage, shop)
             SELECT code, name, kind, 1, ?2, number FROM shops WHERE code = ?1",
            params![shop.code, Stage::Open.number()],
        )?;
        let told = JoiningStep {
            code: shop.code.clone(),
            step: Step::Open,
            day: day_of(now),
            by: "import".to_owned(),
            words: "imported as open".to_owned(),
            documents: Vec::new(),
        };
        self.joining_note(self.conn.last_insert_rowid(), &told, now)
    }

    fn joining_known(&self, code: &str) -> Result<Option<Known>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT id, stage, shop, (SELECT ifnull(max(day), 0) FROM joining_steps WHERE joining = joinings.id)
             FROM joinings WHERE code = ?1",
        )?;
        let known =
            read.query_row([code], |row| Ok((row.get(0)?, row.get(1)?, col_opt(row, 2)?, col(row, 3)?))).optional()?;
        known
            .map(|(id, stage, shop, newest_day)| Ok(Known { id, stage: stage_of(stage)?, shop, newest_day }))
            .transpose()
    }

    fn joining_note(&self, joining: i64, told: &JoiningStep, now: Timestamp) -> Result<(), StoreError> {
        let id: i64 = self.conn.query_row(
            "INSERT INTO joining_steps (joining, step, day, by, words, recorded_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             RETURNING id",
            params![joining, told.step.number(), Sql(told.day), told.by.trim(), told.words.trim(), Sql(now)],
            |row| row.get(0),
        )?;
        for document in &told.documents {
            self.conn.execute(
                "INSERT INTO joining_documents (step, hash, name, type, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO NOTHING",
                params![id, Sql(document.hash), document.name, document.media_type, Sql(document.bytes)],
            )?;
        }
        Ok(())
    }

    fn shop_opens(&mut self, id: i64, shop: Option<ShopNo>, code: &str, now: Timestamp) -> Result<(), StoreError> {
        if shop.is_none() {
            self.conn.execute(
                "INSERT INTO shops (code, name, kind, weight_permille, created_at)
                 SELECT code, name, kind, 0, ?2 FROM joinings WHERE id = ?1",
                params![id, Sql(now)],
            )?;
            let shop = self.conn.last_insert_rowid();
            self.conn.execute("UPDATE joinings SET shop = ?2 WHERE id = ?1", params![id, shop])?;
            self.slots_given()?;
        }
        self.shop_renamed(code)?;
        self.allocate_all()
    }

    fn terminals_of(&self, shop: ShopNo) -> Result<Vec<TerminalId>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT number FROM terminals WHERE shop = ?1 ORDER BY number")?;
        Ok(read.query_map([Sql(shop)], |row| col(row, 0))?.collect::<Result<_, _>>()?)
    }
}

fn day_of(at: Timestamp) -> u64 {
    at.get().checked_div(DAY_S).unwrap_or(0)
}

fn stage_of(number: u8) -> Result<Stage, StoreError> {
    Stage::of_number(number).ok_or(StoreError::Damaged("a shop's stage"))
}

fn check_told(told: &JoiningStep, before: u64, now: Timestamp) -> Result<(), StoreError> {
    name("by", &told.by)?;
    let words = told.words.trim();
    if !words.is_empty() {
        let is_text = words.len() <= WORDS_BYTES_MAX && !words.chars().any(|c| c.is_control() && c != '\n');
        if !is_text {
            return Err(StoreError::Text("words"));
        }
    }
    told.documents.iter().try_for_each(|document| name("document name", &document.name))?;
    if told.documents.len() > DOCUMENTS_MAX {
        return Err(StoreError::Exhausted("document of a step"));
    }
    if told.step.needs_words() && words.is_empty() && told.documents.is_empty() {
        return Err(JoiningRefusal::NoWords.into());
    }
    // A day is the fund's own; its clock's is that of UTC, which may lie a day behind.
    if told.day < before || told.day > day_of(now).saturating_add(1) {
        return Err(JoiningRefusal::Day { before }.into());
    }
    Ok(())
}
