//! Money in, recomputed: each payment and counter-entry booked once, matched once with what the bank says; no source credited
//! beyond its budget without an agreement.

use cabas_protocol::Cents;
use rusqlite::OptionalExtension as _;

use super::super::error::StoreError;
use super::super::sources::CONTRIBUTIONS;
use super::super::sql::{Sql, col};
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::ledger::{AccountId, Transfer, TransferKind};

/// Each says what is wrong with what it finds, by number.
const RULES: [(FindingKind, &str, &str, &str); 10] = [
    (
        FindingKind::MoneyIn,
        "money in",
        "is not in its order",
        "SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS nth FROM money_in) WHERE id <> nth",
    ),
    (
        FindingKind::MoneyIn,
        "money in",
        "takes back something else than a whole payment, once",
        "SELECT m.id FROM money_in AS m LEFT JOIN money_in AS o ON o.id = m.takes_back WHERE m.takes_back IS NOT NULL AND (
            o.id IS NULL OR o.takes_back IS NOT NULL OR o.id >= m.id OR o.household IS NOT m.household
            OR (o.source, o.cents, o.day) <> (m.source, m.cents, m.day)
            OR 1 < (SELECT count(*) FROM money_in AS other WHERE other.takes_back = m.takes_back))",
    ),
    (
        FindingKind::MoneyIn,
        "money in",
        "is a household's and not of the source of contributions, or a funder's and of it",
        "SELECT id FROM money_in WHERE (household IS NOT NULL) <> (source IN (SELECT number FROM sources WHERE name = ?1))",
    ),
    (
        FindingKind::MoneyIn,
        "money in",
        "was booked more than once",
        "SELECT cause FROM transfers WHERE kind IN (40, 41) GROUP BY cause HAVING count(*) > 1",
    ),
    (
        FindingKind::Bank,
        "money in",
        "was confirmed by the bank more than once",
        "SELECT cause FROM transfers WHERE kind IN (42, 43) GROUP BY cause HAVING count(*) > 1",
    ),
    (
        FindingKind::Bank,
        "bank entry",
        "is not what the money in that it explains comes to",
        "SELECT id FROM bank_entries AS e WHERE iif(state = 2, cents, 0) <> (SELECT ifnull(sum(m.cents), 0) FROM banked
            JOIN money_in AS m ON m.id = banked.money_in WHERE entry = e.id)",
    ),
    (
        FindingKind::Bank,
        "money in",
        "is matched with money that went the other way, or that the bank never had",
        "SELECT m.id FROM banked JOIN money_in AS m ON m.id = banked.money_in LEFT JOIN bank_entries AS e ON e.id = entry
            WHERE (m.takes_back IS NULL) IS NOT e.is_credit
            OR (m.takes_back IS NOT NULL AND m.takes_back NOT IN (SELECT money_in FROM banked))",
    ),
    (
        FindingKind::Budget,
        "agreement",
        "is of no source, or of contributions",
        "SELECT id FROM overruns WHERE source NOT IN (SELECT number FROM sources WHERE name <> ?1)",
    ),
    (
        // What was credited before a year had budgets was limited by nothing, so it is not held against them; nor is what a
        // run fixed before and booked after.
        FindingKind::Budget,
        "credit",
        "went beyond what its source had, without an agreement",
        "SELECT max(c.id) FROM credits AS c LEFT JOIN credit_run_lines AS l ON l.credit = c.id
            LEFT JOIN credit_runs AS r ON r.number = l.run WHERE EXISTS (SELECT 1 FROM budgets AS b
                WHERE b.year = CAST(substr(c.period, 1, 4) AS INTEGER) AND b.set_at < ifnull(r.begun_at, c.booked_at))
            AND c.source NOT IN (SELECT number FROM sources WHERE name = ?1)
            GROUP BY c.source, substr(c.period, 1, 4) HAVING sum(c.cents) >
                (SELECT ifnull(max(cents), 0) FROM budgets WHERE source = c.source AND year = CAST(substr(c.period, 1, 4) AS INTEGER))
                + (SELECT ifnull(sum(cents), 0) FROM overruns
                    WHERE source = c.source AND year = CAST(substr(c.period, 1, 4) AS INTEGER))
                + (SELECT ifnull(sum(cents), 0) FROM corrections WHERE source = c.source AND state = 1 AND NOT is_up)",
    ),
    (
        FindingKind::Budget,
        "credit",
        "is of contributions, and more than what had been contributed",
        "SELECT max(c.id) FROM credits AS c JOIN sources AS s ON s.number = c.source WHERE s.name = ?1
            AND c.booked_at > (SELECT min(said_at) FROM money_in WHERE household IS NOT NULL)
            GROUP BY c.source HAVING sum(c.cents) >
                (SELECT ifnull(sum(cents), 0) FROM money_in WHERE source = c.source AND takes_back IS NULL)
                + (SELECT ifnull(sum(cents), 0) FROM corrections WHERE source = c.source AND state = 1 AND NOT is_up)",
    ),
];

impl Tx<'_> {
    /// Everything that was paid in, and what was agreed beyond budgets.
    pub(super) fn check_money_in(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        for (kind, what, wrong, sql) in RULES {
            let mut read = self.conn.prepare(sql)?;
            let name = [CONTRIBUTIONS];
            let values: &[&str] = if read.parameter_count() == 0 { &[] } else { &name };
            for number in read.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, i64>(0))? {
                report.add(kind, format!("{what} {}", number?), wrong);
            }
        }
        let count = |sql: &str| self.conn.query_row(sql, [], |row| col::<u64>(row, 0));
        for (kind, subject, said, booked) in [
            (
                FindingKind::MoneyIn,
                "all money in",
                "SELECT count(*) FROM money_in",
                "SELECT count(*) FROM transfers WHERE kind IN (40, 41)",
            ),
            (
                FindingKind::Bank,
                "all money in that the bank confirmed",
                "SELECT count(*) FROM banked",
                "SELECT count(*) FROM transfers WHERE kind IN (42, 43)",
            ),
        ] {
            let (said, booked) = (count(said)?, count(booked)?);
            if said != booked {
                report.add(kind, subject, format!("{said} said, {booked} booked"));
            }
        }
        Ok(())
    }

    /// Why a transfer is not the money in that it names, if it is not.
    pub(super) fn not_paid_in(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read =
            self.conn.prepare_cached("SELECT cents, source, takes_back IS NULL FROM money_in WHERE id = ?1")?;
        let found = read.query_row([Sql(transfer.cause)], |row| {
            let (source, is_payment) = (AccountId::source(row.get(1)?), row.get::<_, bool>(2)?);
            Ok(if is_payment {
                (col::<Cents>(row, 0)?, AccountId::INCOMING, source, TransferKind::MoneyIn)
            } else {
                (col::<Cents>(row, 0)?, source, AccountId::INCOMING, TransferKind::MoneyBack)
            })
        });
        Ok(match found.optional()? {
            None => Some("nothing was paid in for it"),
            Some(found) if found == (transfer.cents, transfer.debit, transfer.credit, transfer.kind) => None,
            Some(_) => Some("another amount was paid in, for another source, or taken back"),
        })
    }

    /// Why a transfer is not what the bank confirmed, if it is not.
    pub(super) fn not_banked(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached(
            "SELECT cents, takes_back IS NULL FROM banked JOIN money_in AS m ON m.id = banked.money_in WHERE m.id = ?1",
        )?;
        let found = read.query_row([Sql(transfer.cause)], |row| {
            let kind = if row.get(1)? { TransferKind::Banked } else { TransferKind::Unbanked };
            Ok((col::<Cents>(row, 0)?, kind))
        });
        let sides = [transfer.debit, transfer.credit];
        Ok(match found.optional()? {
            None => Some("the bank did not confirm it"),
            Some(found)
                if found == (transfer.cents, transfer.kind)
                    && sides.contains(&AccountId::BANK)
                    && sides.contains(&AccountId::INCOMING) =>
            {
                None
            }
            Some(_) => Some("the bank confirmed another amount"),
        })
    }
}
