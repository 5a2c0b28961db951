//! Programs for terminals: which there are, who is offered which, and what terminals say of themselves.

use std::collections::BTreeMap;

use cabas_protocol::release::{AboutRequest, Capability, ProgramVersion, Release, Trouble, UpgradePhase};
use cabas_protocol::{Epoch, Hash, Signed, TerminalId, Timestamp, Verified};
use rusqlite::{OptionalExtension as _, params};

use super::error::StoreError;
use super::model::TroubleView;
use super::sql::{Sql, col, col_opt};
use super::tx::Tx;
use crate::core::ledger::EpochNo;

/// Releases that are kept.
pub const RELEASES_MAX: u32 = 256;
/// What a terminal says of itself is written at most so often, in seconds, unless it changed.
const ABOUT_EVERY_S: u64 = 60;
/// Stands for every terminal.
const ALL: TerminalId = TerminalId::new(0);

/// Why nothing is done with a release.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReleaseRefusal {
    /// There is none of that version.
    #[error("no such release was added, or it was withdrawn; see cabas-hub release list")]
    Unknown,
    /// The same version for the same machines was added with another program.
    #[error("another program of this version is there; withdraw it, or give the new one another version")]
    VersionTaken,
    /// Too many are kept.
    #[error(
        "the hub keeps {RELEASES_MAX} releases, and each of them is the newest, not offered yet, or runs; withdraw some"
    )]
    TooMany,
}

/// A release as the admin sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReleaseView {
    /// The hash of the signed release.
    pub hash: Hash,
    /// Its version.
    pub version: String,
    /// The machines.
    pub target: String,
    /// SHA-256 of the program.
    pub program: Hash,
    /// Its length.
    pub size: u32,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it was withdrawn.
    pub withdrawn_at: Option<Timestamp>,
    /// True where every terminal is offered it.
    pub to_all: bool,
    /// The terminals that are offered it by number.
    pub offered_to: Vec<TerminalId>,
}

/// What a terminal said of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AboutView {
    /// When.
    pub at: Timestamp,
    /// The version that runs.
    pub program: String,
    /// The machine.
    pub target: String,
    /// What it can do.
    pub capabilities: Vec<u16>,
    /// How far it is with an upgrade.
    pub phase: UpgradePhase,
    /// The version of that upgrade, where the hub knows it.
    pub version: Option<String>,
    /// What it says about it.
    pub note: String,
}

/// A program that may be given out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OfferedProgram {
    /// SHA-256 of the program.
    pub program: Hash,
    /// Its length.
    pub size: u32,
}

impl Tx<'_> {
    /// Takes a release whose signature was checked. The same one again changes nothing. Where too many are kept, the oldest
    /// that is of no more use goes; gives the program that nothing names any more.
    ///
    /// # Errors
    /// [`ReleaseRefusal::VersionTaken`], [`ReleaseRefusal::TooMany`].
    pub fn release_add(
        &mut self,
        signed: &Signed<Release>,
        release: &Verified<Release>,
        now: Timestamp,
    ) -> Result<Option<Hash>, StoreError> {
        let (hash, release) = (release.hash(), release.payload());
        let taken =
            "SELECT count(*) FROM releases WHERE version = ?1 AND target = ?2 AND hash <> ?3 AND withdrawn_at IS NULL";
        let taken: u32 =
            self.conn.query_row(taken, params![release.version, release.target, Sql(hash)], |row| row.get(0))?;
        if taken > 0 {
            return Err(ReleaseRefusal::VersionTaken.into());
        }
        let kept = "SELECT count(*) FROM releases WHERE hash <> ?1";
        let kept: u32 = self.conn.query_row(kept, [Sql(hash)], |row| row.get(0))?;
        let gone = if kept >= RELEASES_MAX { Some(self.release_take_away(hash)?) } else { None };
        self.conn.execute(
            "INSERT INTO releases (hash, manifest, version, target, program, size, added_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (hash) DO UPDATE SET withdrawn_at = NULL",
            params![
                Sql(hash),
                signed.as_bytes(),
                release.version,
                release.target,
                Sql(release.hash),
                release.size,
                Sql(now)
            ],
        )?;
        let Some(program) = gone else { return Ok(None) };
        let named = "SELECT count(*) FROM releases WHERE program = ?1";
        let named: u32 = self.conn.query_row(named, [Sql(program)], |row| row.get(0))?;
        Ok((named == 0).then_some(program))
    }

    /// Takes away the oldest release that was withdrawn or followed by one for all, and that no terminal runs or speaks of.
    fn release_take_away(&mut self, but: Hash) -> Result<Hash, StoreError> {
        let version = |text: String| text.parse().map_err(|_| StoreError::Damaged("a release's version"));
        let mut newest: BTreeMap<String, ProgramVersion> = BTreeMap::new();
        let mut to_all = self.conn.prepare(
            "SELECT target, version FROM releases JOIN release_offers ON release = hash
             WHERE terminal = 0 AND withdrawn_at IS NULL",
        )?;
        let mut rows = to_all.query([])?;
        while let Some(row) = rows.next()? {
            let (target, version) = (row.get(0)?, version(row.get(1)?)?);
            let newest = newest.entry(target).or_insert(version);
            *newest = version.max(*newest);
        }
        let mut unused = self.conn.prepare(
            "SELECT hash, program, target, version, withdrawn_at FROM releases
             WHERE hash <> ?1 AND NOT EXISTS (SELECT 1 FROM abouts WHERE abouts.release = releases.hash
                OR (abouts.program = releases.version AND abouts.target = releases.target))
             ORDER BY added_at, hash",
        )?;
        let mut rows = unused.query([Sql(but)])?;
        while let Some(row) = rows.next()? {
            let (hash, program): (Hash, Hash) = (col(row, 0)?, col(row, 1)?);
            let (target, version): (String, ProgramVersion) = (row.get(2)?, version(row.get(3)?)?);
            let withdrawn: Option<Timestamp> = col_opt(row, 4)?;
            if withdrawn.is_some() || newest.get(&target).is_some_and(|newest| version < *newest) {
                self.conn.execute("DELETE FROM release_offers WHERE release = ?1", [Sql(hash)])?;
                self.conn.execute("DELETE FROM releases WHERE hash = ?1", [Sql(hash)])?;
                return Ok(program);
            }
        }
        Err(ReleaseRefusal::TooMany.into())
    }

    /// Offers a version, for every kind of machine that it was added for, to some terminals or to all.
    ///
    /// # Errors
    /// [`ReleaseRefusal::Unknown`], [`StoreError::UnknownTerminal`].
    pub fn release_offer(
        &mut self,
        version: &str,
        terminals: Option<&[TerminalId]>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let releases = self.releases_in_force(version)?;
        let known = "SELECT count(*) FROM terminals WHERE number = ?1";
        for terminal in terminals.unwrap_or_default() {
            let known: u32 = self.conn.query_row(known, [Sql(*terminal)], |row| row.get(0))?;
            if known == 0 {
                return Err(StoreError::UnknownTerminal(*terminal));
            }
        }
        for release in releases {
            for terminal in terminals.unwrap_or(&[ALL]) {
                self.conn.execute(
                    "INSERT OR IGNORE INTO release_offers (release, terminal, offered_at) VALUES (?1, ?2, ?3)",
                    params![Sql(release), Sql(*terminal), Sql(now)],
                )?;
            }
        }
        Ok(())
    }

    /// Withdraws a version: no terminal is offered it any more, and none gets a further piece of it.
    ///
    /// # Errors
    /// [`ReleaseRefusal::Unknown`].
    pub fn release_withdraw(&mut self, version: &str, now: Timestamp) -> Result<(), StoreError> {
        for release in self.releases_in_force(version)? {
            self.conn.execute("DELETE FROM release_offers WHERE release = ?1", [Sql(release)])?;
            let write = "UPDATE releases SET withdrawn_at = ?2 WHERE hash = ?1";
            self.conn.execute(write, params![Sql(release), Sql(now)])?;
        }
        Ok(())
    }

    fn releases_in_force(&self, version: &str) -> Result<Vec<Hash>, StoreError> {
        let mut read = self.conn.prepare("SELECT hash FROM releases WHERE version = ?1 AND withdrawn_at IS NULL")?;
        let found: Vec<Hash> = read.query_map([version], |row| col(row, 0))?.collect::<Result<_, _>>()?;
        if found.is_empty() { Err(ReleaseRefusal::Unknown.into()) } else { Ok(found) }
    }

    /// Every release, newest first.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn releases(&self) -> Result<Vec<ReleaseView>, StoreError> {
        let mut read = self.conn.prepare(
            "SELECT hash, version, target, program, size, added_at, withdrawn_at FROM releases ORDER BY added_at DESC, hash",
        )?;
        let mut rows = read.query([])?;
        let mut views = Vec::new();
        while let Some(row) = rows.next()? {
            let hash: Hash = col(row, 0)?;
            let offered = "SELECT terminal FROM release_offers WHERE release = ?1 ORDER BY terminal";
            let mut offered = self.conn.prepare_cached(offered)?;
            let mut offered_to: Vec<TerminalId> =
                offered.query_map([Sql(hash)], |row| col(row, 0))?.collect::<Result<_, _>>()?;
            let to_all = offered_to.contains(&ALL);
            offered_to.retain(|terminal| *terminal != ALL);
            views.push(ReleaseView {
                hash,
                version: row.get(1)?,
                target: row.get(2)?,
                program: col(row, 3)?,
                size: row.get(4)?,
                added_at: col(row, 5)?,
                withdrawn_at: col_opt(row, 6)?,
                to_all,
                offered_to,
            });
        }
        Ok(views)
    }

    /// Keeps what a terminal says of itself, and gives the release that it is offered: the newest for its machine that is
    /// newer than what it runs.
    ///
    /// # Errors
    /// [`StoreError::UnknownEpoch`].
    pub fn about(&mut self, about: &AboutRequest, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        let epoch = self.epoch(about.terminal, about.epoch)?;
        let capabilities: Vec<String> = about.capabilities.iter().map(u16::to_string).collect();
        let unchanged = "SELECT count(*) FROM abouts WHERE epoch = ?1 AND at > ?2 AND at <= ?3 AND (program, target, capabilities, phase, release, note) IS (?4, ?5, ?6, ?7, ?8, ?9)";
        let since = Timestamp::new(now.get().saturating_sub(ABOUT_EVERY_S));
        let release = about.release.map(Sql);
        let unchanged: u32 = self.conn.prepare_cached(unchanged)?.query_row(
            params![
                Sql(epoch.number),
                Sql(since),
                Sql(now),
                about.program,
                about.target,
                capabilities.join(","),
                phase_number(about.phase),
                release,
                about.note
            ],
            |row| row.get(0),
        )?;
        if unchanged == 0 {
            self.conn.execute(
                "INSERT OR REPLACE INTO abouts (epoch, at, program, target, capabilities, phase, release, note)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    Sql(epoch.number),
                    Sql(now),
                    about.program,
                    about.target,
                    capabilities.join(","),
                    phase_number(about.phase),
                    release,
                    about.note
                ],
            )?;
        }
        self.note_troubles(epoch.number, about, now)?;
        self.offer_for(about)
    }

    /// What does not work at a terminal, each with the time since which the hub has heard of it. A terminal that did not say what
    /// troubles it this time changes nothing, for it knows not yet that the hub listens; one that cannot say has none.
    fn note_troubles(&self, epoch: EpochNo, about: &AboutRequest, now: Timestamp) -> Result<(), StoreError> {
        let can = about.capabilities.contains(&Capability::TROUBLES.number());
        let Some(told) = about.troubles.as_deref().or(if can { None } else { Some(&[]) }) else { return Ok(()) };
        let known = self.troubles(epoch)?;
        for over in known.iter().filter(|known| !told.contains(&known.trouble.number())) {
            let delete = "DELETE FROM troubles WHERE epoch = ?1 AND number = ?2";
            self.conn.execute(delete, params![Sql(epoch), over.trouble.number()])?;
        }
        for new in told.iter().filter(|number| !known.iter().any(|known| known.trouble.number() == **number)) {
            let insert = "INSERT INTO troubles (epoch, number, since) VALUES (?1, ?2, ?3)";
            self.conn.execute(insert, params![Sql(epoch), new, Sql(now)])?;
        }
        Ok(())
    }

    /// What does not work at a terminal.
    pub(super) fn troubles(&self, epoch: EpochNo) -> Result<Vec<TroubleView>, StoreError> {
        let mut read =
            self.conn.prepare_cached("SELECT number, since FROM troubles WHERE epoch = ?1 ORDER BY number")?;
        let found = read.query_map([Sql(epoch)], |row| {
            Ok(TroubleView { trouble: Trouble::new(row.get(0)?), since: col(row, 1)? })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Whether a terminal said that it can do something.
    pub(super) fn can(&self, epoch: EpochNo, capability: Capability) -> Result<bool, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT capabilities FROM abouts WHERE epoch = ?1")?;
        let told: Option<String> = read.query_row([Sql(epoch)], |row| row.get(0)).optional()?;
        let number = capability.number().to_string();
        Ok(told.is_some_and(|told| told.split(',').any(|told| told == number)))
    }

    fn offer_for(&self, about: &AboutRequest) -> Result<Option<Vec<u8>>, StoreError> {
        let Ok(running) = about.program.parse::<ProgramVersion>() else { return Ok(None) };
        let mut read = self.conn.prepare_cached(
            "SELECT version, manifest FROM releases JOIN release_offers ON release = hash
             WHERE target = ?1 AND terminal IN (0, ?2) AND withdrawn_at IS NULL",
        )?;
        let mut rows = read.query(params![about.target, Sql(about.terminal)])?;
        let mut newest: Option<(ProgramVersion, Vec<u8>)> = None;
        while let Some(row) = rows.next()? {
            let version: String = row.get(0)?;
            let version = version.parse().map_err(|_| StoreError::Damaged("a release's version"))?;
            if version > running && newest.as_ref().is_none_or(|(newest, _)| version > *newest) {
                newest = Some((version, row.get(1)?));
            }
        }
        Ok(newest.map(|(_, manifest)| manifest))
    }

    /// The program of a release that a terminal is offered; nothing where it is not.
    ///
    /// # Errors
    /// [`StoreError::UnknownEpoch`].
    pub fn offered_program(
        &self,
        terminal: TerminalId,
        epoch: Epoch,
        release: Hash,
    ) -> Result<Option<OfferedProgram>, StoreError> {
        self.epoch(terminal, epoch)?;
        let mut read = self.conn.prepare_cached(
            "SELECT program, size FROM releases WHERE hash = ?1 AND withdrawn_at IS NULL AND EXISTS
                (SELECT 1 FROM release_offers WHERE release = hash AND terminal IN (0, ?2))",
        )?;
        let found = read.query_row(params![Sql(release), Sql(terminal)], |row| {
            Ok(OfferedProgram { program: col(row, 0)?, size: row.get(1)? })
        });
        Ok(found.optional()?)
    }

    /// What a terminal's newest enrolment said of itself; nothing where it never did.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Damaged`].
    pub fn about_view(&self, terminal: TerminalId) -> Result<Option<AboutView>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT at, abouts.program, abouts.target, capabilities, phase, releases.version, note FROM abouts
             JOIN epochs ON epochs.number = abouts.epoch LEFT JOIN releases ON releases.hash = abouts.release
             WHERE epochs.terminal = ?1 AND epochs.epoch = (SELECT max(epoch) FROM epochs WHERE terminal = ?1)",
        )?;
        let mut rows = read.query([Sql(terminal)])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let capabilities: String = row.get(3)?;
        Ok(Some(AboutView {
            at: col(row, 0)?,
            program: row.get(1)?,
            target: row.get(2)?,
            capabilities: capabilities.split(',').filter_map(|number| number.parse().ok()).collect(),
            phase: phase_of_number(row.get(4)?).ok_or(StoreError::Damaged("the phase of an upgrade"))?,
            version: row.get(5)?,
            note: row.get(6)?,
        }))
    }
}

const PHASES: [UpgradePhase; 8] = [
    UpgradePhase::None,
    UpgradePhase::Loading,
    UpgradePhase::Testing,
    UpgradePhase::Ready,
    UpgradePhase::Trial,
    UpgradePhase::Refused,
    UpgradePhase::RolledBack,
    UpgradePhase::NoKey,
];

const fn phase_number(phase: UpgradePhase) -> u8 {
    match phase {
        UpgradePhase::None => 0,
        UpgradePhase::Loading => 1,
        UpgradePhase::Testing => 2,
        UpgradePhase::Ready => 3,
        UpgradePhase::Trial => 4,
        UpgradePhase::Refused => 5,
        UpgradePhase::RolledBack => 6,
        UpgradePhase::NoKey => 7,
    }
}

fn phase_of_number(number: u8) -> Option<UpgradePhase> {
    PHASES.into_iter().find(|phase| phase_number(*phase) == number)
}
