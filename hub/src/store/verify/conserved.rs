//! Conservation: what a household may spend, over all its purses, is no more than it was credited.

use cabas_protocol::Cents;

use super::super::error::StoreError;
use super::super::sql::col;
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};

impl Tx<'_> {
    /// Per household: what all slices and purse cards allow, less what came back, is at most what was credited, what is
    /// missing since a restore, and goodwill.
    pub(super) fn check_conservation(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(
            "WITH parts(purse, allowed, returned, credited, owed, withheld) AS (
                SELECT slices.id & 0xffffffff, max(0, credits - reversed_cents), 0, 0, 0, 0
                    FROM slices JOIN accounts ON accounts.id = slices.id
                UNION ALL SELECT id & 0xffffffff, credits, 0, 0, 0, 0 FROM accounts WHERE id >> 56 = 12
                UNION ALL SELECT credit & 0xffffffff, 0, cents, 0, 0, 0 FROM transfers WHERE kind IN (4, 7, 13, 15, 20)
                UNION ALL SELECT purse, 0, 0, cents, 0, 0 FROM credits
                UNION ALL SELECT purse, 0, 0, cents, 0, 0 FROM corrections WHERE state = 1 AND is_up = 1
                UNION ALL SELECT id & 0xffffffff, 0, 0, 0, max(0, debits - credits), 0 FROM accounts WHERE id >> 56 IN (8, 10)
                UNION ALL SELECT id & 0xffffffff, 0, 0, 0, 0, credits FROM accounts WHERE id >> 56 = 11)
             SELECT (SELECT min(number) FROM purses AS shared WHERE shared.household = purses.household),
                sum(allowed), sum(returned), sum(credited), sum(owed), sum(withheld)
             FROM parts JOIN purses ON purses.number = parts.purse GROUP BY purses.household ORDER BY 1",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let (allowed, returned, credited): (Cents, Cents, Cents) = (col(row, 1)?, col(row, 2)?, col(row, 3)?);
            let (owed, withheld): (Cents, Cents) = (col(row, 4)?, col(row, 5)?);
            if allowed.plus(withheld)? > credited.plus(returned)?.plus(owed)? {
                let detail = format!(
                    "slices and cards allow {allowed}, {withheld} was withheld, {returned} came back, {credited} was \
                     credited, {owed} missing or advanced"
                );
                report.add(FindingKind::Conservation, format!("purse {}", row.get::<_, i64>(0)?), detail);
            }
        }
        Ok(())
    }
}
