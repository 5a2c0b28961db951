//! What is looked at after an event, now and then, and in the end.
#![allow(clippy::arithmetic_side_effects, reason = "sums of a model, checked in this build")]

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use cabas_agent::journal::{FILE, verify::verify};
use cabas_protocol::{PurseRef, Row, RowBody, Signed};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::auditor::{Asked, Auditor, Broken, Checked, Counter, Enrolled};
use super::event::{ClockFault, Net};
use super::hub::{FUND, household_code};
use super::till::Till;
use super::world::{World, id_of, request_id};

/// How many events lie between two looks at all households.
const LOOK_EVERY: u64 = 100;
/// Sales that a terminal is asked for after a power cut.
const ASKED_FOR: usize = 12;

impl World {
    /// Looks after an event.
    pub(super) fn look(&mut self) -> Checked {
        let path = self.hub.database();
        let (mut reader, restores) = (None, self.hub.restores());
        let mut ask = |audit: &Auditor, asked: Asked| -> Checked<Option<u64>> {
            let conn = match &mut reader {
                Some(conn) => conn,
                none => none.insert(open(&path)?),
            };
            match asked {
                Asked::Used(counter) => used(conn, counter, audit, restores > 0),
                Asked::Refunds(household) => refunded(conn, household).map(Some),
                Asked::Taken(household) => taken(conn, household).map(Some),
                Asked::Missing(_) if restores == 0 => Ok(None),
                Asked::Missing(household) => missing(conn, household).map(Some),
            }
        };
        self.audit.conserved(&mut ask)?;
        if self.figures.events.is_multiple_of(LOOK_EVERY) {
            self.paid_within_credits()?;
        }
        Ok(())
    }

    /// A terminal that was started again has every sale that it showed.
    pub(super) fn all_there(&mut self, till: &mut Till) -> Checked {
        let at = (till.terminal.get(), till.epoch.get());
        if self.audit.tainted.contains(&at) {
            return Ok(());
        }
        let shown: Vec<_> =
            self.audit.shown.values().rev().filter(|shown| shown.at == at).take(ASKED_FOR).copied().collect();
        for shown in shown {
            let found = till.journal()?.find_sale(request_id(shown.id))?;
            let is_there = found.is_some_and(|record| {
                record.seq.get() == shown.seq && record.sale.fund_cents().is_ok_and(|cents| cents.get() == shown.cents)
            });
            if !is_there {
                return Err(Broken::new("what was shown as accepted is never lost", format!("{shown:?}")));
            }
        }
        Ok(())
    }

    /// True while a restore waits for terminals.
    pub(super) fn is_restoring(&mut self) -> Checked<bool> {
        let view = self.hub.direct()?.db.read(|tx| tx.restore_view())?;
        Ok(view.is_some_and(|view| view.ended_at.is_none()))
    }

    /// The shops together are owed no more of a household's money than it was given.
    fn paid_within_credits(&mut self) -> Checked {
        let conn = open(&self.hub.database())?;
        let mut read = conn.prepare(
            "SELECT households.code, sum(moved.cents) FROM (
                SELECT debit & 4294967295 AS purse, cents FROM transfers WHERE kind IN (3, 12, 14)
                UNION ALL SELECT credit & 4294967295, -cents FROM transfers WHERE kind IN (6, 7)) AS moved
             JOIN purses ON purses.number = moved.purse JOIN households ON households.number = purses.household
             GROUP BY households.code",
        )?;
        let mut rows = read.query([])?;
        // Goodwill is advanced for what lies at silent terminals, less what is to be withheld of it: only that may be free.
        let kept: u64 = conn.query_row(
            "SELECT count(*) FROM accounts AS owed JOIN accounts AS free ON free.id = (4 << 56) | (owed.id & 4294967295)
             LEFT JOIN accounts AS goodwill ON goodwill.id = (8 << 56) | (owed.id & 4294967295)
             WHERE owed.id >> 56 = 11 AND owed.debits > owed.credits
                AND free.credits - free.debits > ifnull(goodwill.debits - goodwill.credits, 0)",
            [],
            |row| row.get(0),
        )?;
        if kept > 0 {
            return Err(Broken::new("what is to be withheld is taken from what is free", format!("not of {kept}")));
        }
        let advanced: u64 =
            conn.query_row("SELECT ifnull(sum(debits - credits), 0) FROM accounts WHERE id >> 56 = 8", [], |row| {
                row.get(0)
            })?;
        if advanced > self.audit.goodwill.1 {
            let detail = format!("{advanced} advanced, {} allowed", self.audit.goodwill.1);
            return Err(Broken::new("goodwill stays within the fund's limit", detail));
        }
        let mut beyond = 0;
        while let Some(row) = rows.next()? {
            let (code, paid): (String, i64) = (row.get(0)?, row.get(1)?);
            let household: usize = code.trim_start_matches('H').parse()?;
            let given = self.audit.credited.get(household).copied().unwrap_or_default();
            let more = u64::try_from(paid).unwrap_or_default().saturating_sub(given);
            beyond += more;
            if more > self.audit.goodwill.0 || beyond > self.audit.goodwill.1 {
                return Err(Broken::new(
                    "the fund never pays out more than it credited",
                    format!(
                        "household {household} was credited {given}, and {paid} was settled; {beyond} beyond in all"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Lets all that is still alive come to rest, and looks at everything.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn finish(&mut self) -> Checked {
        self.at = self.at.saturating_add(3_600);
        while let Some(late) = self.forget_late() {
            self.hear_late(late)?;
        }
        for round in 0..4 {
            for shop in 0..self.shape.tills() {
                self.at = self.at.saturating_add(60);
                self.with_till(shop, |world, till| {
                    till.clocks.set(ClockFault::Right, world.now());
                    if round == 0 {
                        till.reboot(world.now())?;
                    }
                    world.sync(till, Net::Fine)
                })?;
                if round == 1 {
                    self.repair(shop, true)?;
                }
            }
            self.jobs()?;
        }
        self.all_credited()?;
        self.all_blocked_again()?;
        self.who_left_has_nothing()?;
        self.news_come_once()?;
        self.newest_key_signs()?;
        self.look()?;
        self.paid_within_credits()?;
        self.all_settled()?;
        self.chips_agree()?;
        self.journals_verify()?;
        let hub = self.hub.direct()?;
        let report = hub.db.verify(&hub.secrets)?;
        if let Some(first) = report.findings.first() {
            let detail = format!("{} findings, the first: {first:?}", report.found);
            return Err(Broken::new("the hub's books verify", detail));
        }
        Ok(())
    }

    /// A terminal that has all news is told none of it again.
    fn news_come_once(&mut self) -> Checked {
        for shop in 0..self.shape.tills() {
            self.with_till(shop, |world, till| {
                let at = (till.terminal.get(), till.epoch.get());
                world.sync(till, Net::Fine)?;
                let (has_all, before) = (world.has_news_of.get(&at) == Some(&world.at), world.audit.news);
                world.sync(till, Net::Fine)?;
                let again = world.audit.news - before;
                if has_all && again > 0 && !world.audit.tainted.contains(&at) {
                    return Err(Broken::new("news come once", format!("shop {shop} is told {again} again")));
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn journals_verify(&mut self) -> Checked {
        for till in self.tills.iter_mut().flatten() {
            let at = (till.terminal.get(), till.epoch.get());
            if self.audit.tainted.contains(&at) {
                continue;
            }
            let report = verify(&till.dir().join(FILE), None)?;
            if !report.problems.is_empty() {
                return Err(Broken::new("journals verify", format!("shop {}: {:?}", till.shop, report.problems)));
            }
        }
        Ok(())
    }

    fn chips_agree(&self) -> Checked {
        for (place, card) in (0_u16..).zip(&self.cards) {
            let Some(spent) = card.spent() else { continue };
            let seen = self.audit.chips.get(&place).copied().unwrap_or_default();
            if spent != seen {
                return Err(Broken::new(
                    "a chip counts what was debited",
                    format!("card {place}: {spent}, seen {seen}"),
                ));
            }
        }
        Ok(())
    }

    /// What honest terminals showed is with the hub, once, and paid.
    fn all_settled(&mut self) -> Checked {
        let conn = open(&self.hub.database())?;
        let numbers = epochs(&conn)?;
        let mut read = conn.prepare("SELECT key, settled, over_right, why, envelope FROM rows WHERE kind = 2")?;
        let mut rows = read.query([])?;
        let mut sales = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let (key, settled, over, why): (i64, u64, u64, u32) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            self.figures.over_right_cents += over;
            sales.insert(key, (settled, over, why, row.get::<_, Vec<u8>>(4)?));
        }
        let disputed = "SELECT ifnull(sum(claimed), 0) FROM disputed";
        self.figures.over_right_cents += conn.query_row(disputed, [], |row| row.get::<_, u64>(0))?;
        let advanced = "SELECT ifnull(sum(cents), 0) FROM goodwill_advances";
        self.figures.advanced_cents = conn.query_row(advanced, [], |row| row.get(0))?;
        let mut once = BTreeSet::new();
        for (key, (settled, over, _, envelope)) in &sales {
            let Some(at) = numbers.iter().find(|(_, (number, _))| *number == key >> 32).map(|(at, _)| *at) else {
                continue;
            };
            if self.audit.tainted.contains(&at) {
                continue;
            }
            let row = Signed::<Row>::from_bytes(envelope.clone())?.read_trusted(FUND)?.into_payload();
            let RowBody::Sale(sale) = row.body else { continue };
            let id = sale.request.map(id_of).unwrap_or_default();
            let rung_up = self.rung_up.get(&id);
            if rung_up.is_none_or(|rung_up| u64::from(self.due(id, *rung_up)) != settled + over)
                || !once.insert((at, id))
            {
                return Err(Broken::new("every sale was rung up, once", format!("{at:?} {sale:?}")));
            }
        }
        for shown in self.audit.shown.values() {
            let is_out = |of: &BTreeSet<Enrolled>| of.contains(&shown.at);
            let audit = &self.audit;
            if !shown.is_kept || is_out(&audit.tainted) || is_out(&audit.closed) || is_out(&audit.forgotten) {
                continue;
            }
            let (number, acked) = numbers.get(&shown.at).copied().context("an enrolment that the hub does not know")?;
            if acked < shown.seq {
                return Err(Broken::new(
                    "what was shown as accepted reaches the hub",
                    format!("{shown:?}, acked {acked}"),
                ));
            }
            match sales.get(&((number << 32) | i64::from(shown.seq))) {
                Some((settled, 0, _, _)) if *settled == shown.cents => {}
                // Of a card that a restore forgot the hub knows nothing: two people may pay it.
                Some((0, over, 3, _)) if *over == shown.cents && audit.forgotten_purses.contains(&shown.purse) => {}
                Some((settled, over, why, envelope)) if *settled + *over == shown.cents => {
                    let row = Signed::<Row>::from_bytes(envelope.clone())?.read_trusted(FUND)?.into_payload();
                    if !audit.is_of_lost_word(&row, (shown.at, shown.purse), *settled, *why) {
                        return Err(Broken::new(
                            "an honest sale is paid in full",
                            format!("{shown:?}: {settled}, {why}"),
                        ));
                    }
                }
                found => {
                    let found = found.map(|(settled, over, why, _)| (settled, over, why));
                    return Err(Broken::new("an honest sale is paid in full", format!("{shown:?}: {found:?}")));
                }
            }
        }
        Ok(())
    }
}

/// Opens the hub's file for reading.
pub(super) fn open(path: &std::path::Path) -> Checked<Connection> {
    Ok(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}

fn epochs(conn: &Connection) -> Checked<BTreeMap<Enrolled, (i64, u32)>> {
    let mut read = conn.prepare("SELECT terminal, epoch, number, acked_seq FROM epochs")?;
    let found = read.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?))))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The enrolments that the hub knows.
pub(super) fn enrolments(path: &std::path::Path) -> Checked<BTreeSet<Enrolled>> {
    Ok(epochs(&open(path)?)?.into_keys().collect())
}

/// The purse cards whose money the hub gave back.
pub(super) fn released_cards(path: &std::path::Path) -> Checked<BTreeSet<PurseRef>> {
    let conn = open(path)?;
    let mut read = conn
        .prepare("SELECT ref FROM purses JOIN card_releases ON card_releases.account = (12 << 56) | purses.number")?;
    let found = read.query_map([], |row| row.get(0).map(PurseRef::new))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// What each slice handed back.
pub(super) fn returned(path: &std::path::Path) -> Checked<BTreeMap<Counter, u64>> {
    let conn = open(path)?;
    let mut read = conn.prepare(
        "SELECT terminal, epochs.epoch, ref, returned_cents FROM slices JOIN epochs ON epochs.number = slices.epoch
         JOIN purses ON purses.number = slices.id & 4294967295 WHERE returned_cents > 0",
    )?;
    let found = read.query_map([], |row| {
        let at = (row.get(0)?, row.get(1)?);
        Ok((Counter::Slice(at, PurseRef::new(row.get(2)?)), row.get(3)?))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The newest serial of each counter.
pub(super) fn newest_serials(path: &std::path::Path) -> Checked<BTreeMap<Counter, u32>> {
    let conn = open(path)?;
    let mut found = BTreeMap::new();
    let mut read = conn.prepare(
        "SELECT terminal, epochs.epoch, ref, serial FROM slices JOIN epochs ON epochs.number = slices.epoch
         JOIN purses ON purses.number = slices.id & 4294967295",
    )?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let at = (row.get(0)?, row.get(1)?);
        found.insert(Counter::Slice(at, PurseRef::new(row.get(2)?)), row.get(3)?);
    }
    let mut read = conn.prepare(
        "SELECT ref, serial FROM card_balances JOIN purses ON purses.number = card_balances.id & 4294967295",
    )?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        found.insert(Counter::Card(PurseRef::new(row.get(0)?)), row.get(1)?);
    }
    Ok(found)
}

/// What expired of each household's money.
pub(super) fn expired(path: &std::path::Path) -> Checked<BTreeMap<u16, u64>> {
    let conn = open(path)?;
    let mut read = conn.prepare(
        "SELECT households.code, sum(cents) FROM expiries JOIN purses ON purses.number = expiries.purse
         JOIN households ON households.number = purses.household GROUP BY households.code",
    )?;
    let mut rows = read.query([])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (code, cents): (String, u64) = (row.get(0)?, row.get(1)?);
        found.insert(code.trim_start_matches('H').parse()?, cents);
    }
    Ok(found)
}

/// What expired of a household's money or was corrected downward, without what is still to be withheld.
fn taken(conn: &Connection, household: u16) -> Checked<u64> {
    let read = "SELECT (SELECT ifnull(sum(cents), 0) FROM transfers
                WHERE debit = (11 << 56) | purses.number AND kind IN (8, 10))
            - (SELECT ifnull(sum(debits - credits), 0) FROM accounts WHERE id = (11 << 56) | purses.number)
         FROM purses JOIN households ON households.number = purses.household WHERE households.code = ?1";
    Ok(conn.query_row(read, [household_code(household)], |row| row.get(0))?)
}

/// What is missing of a household's money since a restore: not known before it has ended, for terminals have more to hand back.
fn missing(conn: &Connection, household: u16) -> Checked<u64> {
    if conn.query_row("SELECT EXISTS (SELECT 1 FROM lives WHERE ended_at IS NULL)", [], |row| row.get(0))? {
        return Ok(u64::MAX);
    }
    let read = "SELECT ifnull(sum(accounts.debits - accounts.credits), 0) FROM accounts
         JOIN purses ON accounts.id = (10 << 56) | purses.number
         JOIN households ON households.number = purses.household WHERE households.code = ?1";
    Ok(conn.query_row(read, [household_code(household)], |row| row.get(0))?)
}

/// What was refunded to a household by rows of an enrolment.
pub(super) fn refunds_at(path: &std::path::Path, at: Enrolled) -> Checked<Vec<(String, u64)>> {
    let conn = open(path)?;
    let mut read = conn.prepare(
        "SELECT households.code, sum(refunds.cents) FROM refunds JOIN epochs ON epochs.number = refunds.row >> 32
         JOIN purses ON purses.number = refunds.purse
         JOIN households ON households.number = purses.household
         WHERE state = 1 AND epochs.terminal = ?1 AND epochs.epoch = ?2 GROUP BY households.code",
    )?;
    let found = read.query_map([at.0, at.1], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// What was refunded to a household.
fn refunded(conn: &Connection, household: u16) -> Checked<u64> {
    let read = "SELECT ifnull(sum(refunds.cents), 0) FROM refunds JOIN purses ON purses.number = refunds.purse
         JOIN households ON households.number = purses.household WHERE state = 1 AND households.code = ?1";
    Ok(conn.query_row(read, [household_code(household)], |row| row.get(0))?)
}

/// What a counter can still cost, where the auditor cannot know it: a closed enrolment's costs what was paid of it, a
/// copied one's what the hub did not take back, one's whose word is void what the hub knows of, a lost card's what was paid before its
/// money went back.
fn used(conn: &Connection, counter: Counter, audit: &Auditor, was_restored: bool) -> Checked<Option<u64>> {
    let number = |purse: PurseRef| -> Checked<Option<i64>> {
        let read = "SELECT number FROM purses WHERE ref = ?1";
        Ok(conn.query_row(read, params![purse.as_bytes()], |row| row.get(0)).optional()?)
    };
    let paid = |account: i64| -> Checked<u64> {
        let read = "SELECT (SELECT ifnull(sum(cents), 0) FROM transfers WHERE debit = ?1 AND kind IN (3, 12, 14))
                - (SELECT ifnull(sum(cents), 0) FROM transfers WHERE credit = ?1 AND kind = 6)";
        Ok(conn.query_row(read, [account], |row| row.get(0))?)
    };
    match counter {
        Counter::Slice(at, _) if audit.forgotten.contains(&at) => Ok(Some(0)),
        Counter::Slice(_, purse) | Counter::Card(purse) if audit.forgotten_purses.contains(&purse) => Ok(Some(0)),
        Counter::Slice(at, purse)
            if audit.closed.contains(&at) || audit.tainted.contains(&at) || audit.is_void(counter) =>
        {
            let (Some(purse), Some((epoch, _))) = (number(purse)?, epochs(conn)?.get(&at).copied()) else {
                return Ok(None);
            };
            let account = (5 << 56) | (epoch << 32) | purse;
            if audit.closed.contains(&at) {
                return paid(account).map(Some);
            }
            let read =
                "SELECT returned_cents, credits - reversed_cents FROM slices JOIN accounts ON accounts.id = slices.id
                 WHERE slices.id = ?1";
            let found = conn.query_row(read, [account], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let (returned, known): (u64, u64) = found.unwrap_or_default();
            let signed = audit.allowed.get(&counter).map_or(0, |(_, allowed)| *allowed);
            // Where a hub and a terminal both went back in time, or the key was taken back, nobody holds what was signed last: it is
            // paid to nobody.
            let signed = if was_restored { signed.min(known) } else { signed };
            Ok(Some(signed.saturating_sub(returned)))
        }
        Counter::Slice(..) => Ok(None),
        Counter::Card(purse) => {
            let Some(purse) = number(purse)? else { return Ok(None) };
            let account: i64 = (12 << 56) | purse;
            let read = "SELECT EXISTS (SELECT 1 FROM card_releases WHERE account = ?1)";
            let is_released: bool = conn.query_row(read, [account], |row| row.get(0))?;
            if is_released { paid(account).map(Some) } else { Ok(None) }
        }
    }
}
