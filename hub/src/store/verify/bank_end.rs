//! Who said what bank entries are, recomputed: payouts that came back by two people or by the bank's own word, what was set
//! aside, and texts that open.

use super::super::error::StoreError;
use super::super::sql::col;
use super::super::statements::Payout;
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::bank_text::VerifyKeys;

/// Each says what is wrong with what it finds, by number.
const RULES: [(&str, &str, &str); 4] = [
    (
        "return",
        "was agreed to and brought nothing back, or not by these two people",
        "SELECT id FROM payout_returns AS r WHERE state = 1 AND cents IS NOT (SELECT sum(cents) FROM payouts_back AS b
            WHERE b.entry = r.entry AND b.settlement = r.settlement AND b.shop = ifnull(r.shop, b.shop)
              AND (b.said_by, b.approved_by, b.booked_at) = (r.said_by, r.ended_by, r.ended_at))",
    ),
    (
        "bank entry",
        "is set aside and nobody said so, or nobody took it up again and it is not",
        "SELECT id FROM bank_entries AS e WHERE (state = 3) <>
            ifnull((SELECT is_aside FROM set_asides WHERE entry = e.id ORDER BY id DESC LIMIT 1), 0)",
    ),
    (
        "bank entry",
        "came in and was set aside",
        "SELECT DISTINCT entry FROM set_asides JOIN bank_entries AS e ON e.id = entry WHERE is_credit",
    ),
    (
        "bank entry",
        "was set aside or taken up again twice in a row",
        "SELECT entry FROM (SELECT entry, is_aside, lag(is_aside, 1, 0) OVER (PARTITION BY entry ORDER BY id) AS was
            FROM set_asides) WHERE is_aside = was",
    ),
];

impl Tx<'_> {
    /// What people said of bank entries, and their texts as far as the keys are at hand.
    pub(super) fn check_bank_end(&self, keys: &dyn VerifyKeys, report: &mut VerifyReport) -> Result<(), StoreError> {
        for (what, wrong, sql) in RULES {
            let mut read = self.conn.prepare(sql)?;
            for number in read.query_map([], |row| row.get::<_, i64>(0))? {
                report.add(FindingKind::Bank, format!("{what} {}", number?), wrong);
            }
        }
        let shut = self.texts_that_do_not_open(keys)?;
        for entry in &shut {
            report.add(FindingKind::Bank, format!("bank entry {entry}"), "has a text that does not open");
        }
        // Where the bank's own word was enough, it is read again.
        let mut read = self.conn.prepare(
            "SELECT place, entry, settlement, shop, cents FROM payouts_back WHERE entry IS NOT NULL
               AND place > (SELECT place FROM two_people_returns) AND approved_by IS NULL",
        )?;
        let alone = read.query_map([], |row| {
            let (settlement, shop, cents) = (row.get(2)?, col(row, 3)?, col(row, 4)?);
            let payout = Payout { settlement, shop, cents, paid: true, back: true };
            Ok((row.get::<_, i64>(0)?, col::<u64>(row, 1)?, payout))
        })?;
        for alone in alone.collect::<Result<Vec<_>, _>>()? {
            let (place, entry, payout) = alone;
            let is_readable = keys.known_by(&cabas_protocol::Hash::new([0; 32])).is_some() && !shut.contains(&entry);
            if is_readable && !self.is_said_by_bank(keys, entry, &[payout])? {
                let wrong = "was said to have come back by one person alone, and the bank does not say so";
                report.add(FindingKind::Bank, format!("returned payout {place}"), wrong);
            }
        }
        Ok(())
    }
}
