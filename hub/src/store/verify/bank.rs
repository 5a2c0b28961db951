//! What lies between settlements and the bank, recomputed: two people, payment files, statements, payouts paid and back.

use cabas_protocol::sign::sha256;
use cabas_protocol::{Cents, Hash};
use rusqlite::OptionalExtension as _;

use super::super::bank_accounts::checked;
use super::super::closing::same_person;
use super::super::error::StoreError;
use super::super::sql::{Sql, col, col_opt};
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::ledger::{AccountId, Transfer, TransferKind};

/// Each says what is wrong with what it finds, by number.
const RULES: [(FindingKind, &str, &str, &str); 10] = [
    (
        FindingKind::Settlement,
        "settlement",
        "was not approved by a second person, or with other cuts or another sum",
        "SELECT number FROM settlements AS s WHERE number > (SELECT settlement FROM two_people) AND NOT EXISTS (
            SELECT 1 FROM preparations AS p WHERE p.settlement = s.number AND p.state = 1
              AND p.payout = (SELECT ifnull(sum(payout), 0) FROM settlement_shops WHERE settlement = s.number)
              AND s.disputed_upto >= p.disputed_upto AND s.refunded_upto >= p.refunded_upto
              AND s.carried_upto >= p.carried_upto AND s.returned_upto >= p.returned_upto
              AND NOT EXISTS (SELECT 1 FROM settlement_cuts AS c LEFT JOIN preparation_cuts AS q
                ON q.preparation = p.id AND q.epoch = c.epoch
                WHERE c.settlement = s.number AND c.to_seq IS NOT q.to_seq))",
    ),
    (
        FindingKind::Payment,
        "payment file",
        "does not pay each payout of its settlement once",
        "SELECT settlement FROM payment_files AS f WHERE EXISTS (SELECT 1 FROM payments AS p
                LEFT JOIN settlement_shops AS s ON s.settlement = p.settlement AND s.shop = p.shop
                WHERE p.settlement = f.settlement AND p.cents IS NOT s.payout)
            OR EXISTS (SELECT 1 FROM settlement_shops AS s WHERE s.settlement = f.settlement AND s.payout > 0
                AND NOT EXISTS (SELECT 1 FROM payments AS p WHERE p.settlement = s.settlement AND p.shop = s.shop)
                AND NOT EXISTS (SELECT 1 FROM payouts_paid AS p WHERE p.settlement = s.settlement AND p.shop = s.shop)
                AND NOT EXISTS (SELECT 1 FROM payouts_back AS b WHERE b.settlement = s.settlement AND b.shop = s.shop))",
    ),
    (
        FindingKind::Payment,
        "payment file",
        "names an account of another shop",
        "SELECT settlement FROM payments JOIN shop_accounts AS a ON a.id = account WHERE a.shop <> payments.shop",
    ),
    (
        FindingKind::Bank,
        "statement",
        "does not lead from its opening to its closing balance",
        "SELECT id FROM statements AS s WHERE closing - opening <> (SELECT ifnull(sum(iif(is_credit, cents, -cents)), 0)
            FROM statement_entries JOIN bank_entries ON bank_entries.id = entry WHERE statement = s.id)",
    ),
    (
        FindingKind::Bank,
        "bank entry",
        "stands in no statement",
        "SELECT id FROM bank_entries WHERE id NOT IN (SELECT entry FROM statement_entries)",
    ),
    (
        FindingKind::Bank,
        "bank entry",
        "is not what the payouts that it explains come to",
        "SELECT id FROM bank_entries AS e WHERE iif(state = 1, cents, 0) <>
            (SELECT ifnull(sum(cents), 0) FROM payouts_paid WHERE entry = e.id AND NOT e.is_credit)
            + (SELECT ifnull(sum(cents), 0) FROM payouts_back WHERE entry = e.id AND e.is_credit)",
    ),
    (
        FindingKind::Bank,
        "settlement",
        "was paid otherwise than it says",
        "SELECT settlement FROM (SELECT settlement, shop, cents FROM payouts_paid
            UNION ALL SELECT settlement, shop, cents FROM payouts_back) AS p
            WHERE cents IS NOT (SELECT payout FROM settlement_shops AS s WHERE (s.settlement, s.shop) = (p.settlement, p.shop))",
    ),
    (
        FindingKind::Bank,
        "returned payout",
        "came back from the bank and was not paid, or was refused and paid all the same",
        "SELECT place FROM payouts_back AS b WHERE (entry IS NOT NULL) <> EXISTS (SELECT 1 FROM payouts_paid AS p
            WHERE p.settlement = b.settlement AND p.shop = b.shop)",
    ),
    (
        FindingKind::Bank,
        "payout refusal",
        "was approved and brought nothing back, or not by these two people",
        "SELECT id FROM payout_refusals AS r WHERE state = 1 AND NOT EXISTS (SELECT 1 FROM payouts_back AS b
            WHERE (b.settlement, b.shop, b.reason, b.said_by, b.approved_by, b.booked_at)
                = (r.settlement, r.shop, r.reason, r.said_by, r.ended_by, r.ended_at))",
    ),
    (
        FindingKind::Bank,
        "returned payout",
        "is not in its order",
        "SELECT place FROM (SELECT place, row_number() OVER (ORDER BY place) AS nth FROM payouts_back) WHERE place <> nth",
    ),
];

impl Tx<'_> {
    /// Everything between settlements and the bank.
    pub(super) fn check_bank(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        for (kind, what, wrong, sql) in RULES {
            let mut read = self.conn.prepare(sql)?;
            for number in read.query_map([], |row| row.get::<_, i64>(0))? {
                report.add(kind, format!("{what} {}", number?), wrong);
            }
        }
        self.check_people(report)?;
        self.check_files(report)?;
        self.check_ibans(report)?;
        let count = |sql: &str| self.conn.query_row(sql, [], |row| col::<u64>(row, 0));
        for (subject, said, booked) in [
            ("all payouts paid", "SELECT count(*) FROM payouts_paid", "SELECT count(*) FROM transfers WHERE kind = 30"),
            (
                "all returned payouts",
                "SELECT count(*) FROM payouts_back",
                "SELECT count(*) FROM transfers WHERE kind IN (31, 32)",
            ),
        ] {
            let (said, booked) = (count(said)?, count(booked)?);
            if said != booked {
                report.add(FindingKind::Bank, subject, format!("{said} said, {booked} booked"));
            }
        }
        Ok(())
    }

    fn check_people(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(
            "SELECT 'settlement ' || settlement, prepared_by, ended_by FROM preparations WHERE state = 1
             UNION ALL SELECT 'returned payout ' || place, said_by, approved_by FROM payouts_back
                WHERE entry IS NULL OR approved_by IS NOT NULL",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let (one, other): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
            if one.zip(other).is_none_or(|(one, other)| same_person(&one, &other)) {
                report.add(FindingKind::Settlement, row.get::<_, String>(0)?, "approved by one person alone");
            }
        }
        Ok(())
    }

    /// A file is as it was given out, and names what its payments say.
    fn check_files(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare("SELECT settlement, sha256, bytes, message FROM payment_files")?;
        let mut payments = self.conn.prepare(
            "SELECT end_to_end, cents, iban FROM payments JOIN shop_accounts AS a ON a.id = account WHERE settlement = ?1",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let (settlement, hash, bytes): (u32, Hash, Vec<u8>) = (row.get(0)?, col(row, 1)?, row.get(2)?);
            let (text, message): (_, String) = (String::from_utf8_lossy(&bytes), row.get(3)?);
            let mut wrong = sha256(&[&bytes]) != hash || !text.contains(&format!("<PmtInfId>{message}</PmtInfId>"));
            let mut total = Cents::ZERO;
            let mut each = payments.query([settlement])?;
            while let Some(row) = each.next()? {
                let (id, cents, iban): (String, Cents, String) = (row.get(0)?, col(row, 1)?, row.get(2)?);
                total = total.plus(cents)?;
                let payment = text.split("<CdtTrfTxInf>").find(|part| part.contains(&format!("<EndToEndId>{id}<")));
                wrong |= !payment.is_some_and(|part| {
                    part.contains(&format!(">{cents}</InstdAmt>")) && part.contains(&format!("<IBAN>{iban}</IBAN>"))
                });
            }
            if wrong || !text.contains(&format!("<CtrlSum>{total}</CtrlSum>")) {
                let subject = format!("payment file {settlement}");
                report.add(FindingKind::Payment, subject, "is not as it was given out, or says another payment");
            }
        }
        Ok(())
    }

    fn check_ibans(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(
            "SELECT 'shop account ' || id, iban FROM shop_accounts UNION ALL SELECT 'fund account ' || id, iban
             FROM fund_accounts",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            if checked(&row.get::<_, String>(1)?).is_err() {
                report.add(FindingKind::Payment, row.get::<_, String>(0)?, "has an IBAN that is none");
            }
        }
        Ok(())
    }

    pub(super) fn not_paid_out(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT cents FROM payouts_paid WHERE id = ?1")?;
        let paid: Option<Cents> = read.query_row([Sql(transfer.cause)], |row| col(row, 0)).optional()?;
        let between = (AccountId::TRANSIT, AccountId::BANK);
        Ok(match paid {
            None => Some("the bank did not confirm it"),
            Some(cents) if cents == transfer.cents && between == (transfer.debit, transfer.credit) => None,
            Some(_) => Some("the bank confirmed another amount"),
        })
    }

    pub(super) fn not_come_back(&self, transfer: &Transfer) -> Result<Option<&'static str>, StoreError> {
        let mut read = self.conn.prepare_cached("SELECT cents, shop, entry FROM payouts_back WHERE place = ?1")?;
        let back = read.query_row([Sql(transfer.cause)], |row| {
            let kind = match col_opt::<u64>(row, 2)? {
                Some(_) => TransferKind::PayoutReturned,
                None => TransferKind::PayoutRejected,
            };
            Ok((kind, AccountId::payable(col(row, 1)?), col(row, 0)?))
        });
        let back: Option<(TransferKind, AccountId, Cents)> = back.optional()?;
        Ok(match back {
            None => Some("no payout came back for it"),
            Some(back) if back == (transfer.kind, transfer.credit, transfer.cents) => None,
            Some(_) => Some("another payout came back"),
        })
    }
}
