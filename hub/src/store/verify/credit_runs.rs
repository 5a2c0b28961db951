//! Runs of credits, recomputed: each books just what was fixed when it began, each household once, and no more beyond a
//! budget than was agreed to.

use super::super::error::StoreError;
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};

/// Each says what is wrong with what it finds, by number.
const RULES: [(FindingKind, &str, &str, &str); 6] = [
    (
        FindingKind::Credit,
        "run",
        "is not the sum of its lines",
        "SELECT number FROM credit_runs AS r WHERE (households, cents) <>
            (SELECT count(*), ifnull(sum(cents), 0) FROM credit_run_lines WHERE run = r.number)",
    ),
    (
        FindingKind::Credit,
        "run",
        "has ended before all was booked, or goes on though all is",
        "SELECT number FROM credit_runs AS r WHERE state <> 2
            AND (state = 0) <> EXISTS (SELECT 1 FROM credit_run_lines WHERE run = r.number AND credit IS NULL)",
    ),
    (
        FindingKind::Credit,
        "run",
        "names a household whose credit is another than was fixed",
        "SELECT DISTINCT r.number FROM credit_runs AS r JOIN credit_run_lines AS l ON l.run = r.number
            LEFT JOIN credits AS c ON c.id = l.credit WHERE l.credit IS NOT NULL AND
            (c.period, c.household, c.source, c.size, c.children_under_14, c.cents)
            IS NOT (r.period, l.household, l.source, l.size, l.children_under_14, l.cents)",
    ),
    (
        // Credits of before there were runs have none.
        FindingKind::Credit,
        "credit",
        "is of no run",
        "SELECT id FROM credits WHERE id >= (SELECT min(credit) FROM credit_run_lines)
            AND id NOT IN (SELECT credit FROM credit_run_lines WHERE credit IS NOT NULL)",
    ),
    (
        FindingKind::Budget,
        "run",
        "went beyond a budget by another sum than was noted, or from another source",
        "SELECT number FROM credit_runs AS r WHERE
            (SELECT ifnull(sum(cents), 0) FROM credit_run_lines WHERE run = r.number AND is_over AND credit IS NOT NULL)
            <> (SELECT ifnull(sum(cents), 0) FROM overruns AS o WHERE run = r.number AND o.period = r.period
                AND o.source = json_extract(r.sources, '$[#-1]'))",
    ),
    (
        FindingKind::Budget,
        "run",
        "goes further beyond a budget than was agreed to for its month",
        "SELECT number FROM credit_runs AS r WHERE EXISTS (SELECT 1 FROM credit_run_lines WHERE run = r.number AND is_over)
            AND ifnull(agreed_cents, 0) < (SELECT sum(cents) FROM credit_run_lines WHERE run = r.number AND is_over)
                + (SELECT ifnull(sum(cents), 0) FROM overruns AS o WHERE o.period = r.period
                    AND o.source = json_extract(r.sources, '$[#-1]') AND ifnull(o.run, 0) < r.number)",
    ),
];

impl Tx<'_> {
    /// Every run of credits.
    pub(super) fn check_credit_runs(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        for (kind, what, wrong, sql) in RULES {
            let mut read = self.conn.prepare(sql)?;
            for number in read.query_map([], |row| row.get::<_, i64>(0))? {
                report.add(kind, format!("{what} {}", number?), wrong);
            }
        }
        Ok(())
    }
}
