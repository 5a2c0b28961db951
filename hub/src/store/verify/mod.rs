//! Recomputes everything from what was signed, and says what is wrong.
//!
//! The rows with their signatures are the evidence; accounts, verdicts and settlements are what the hub made of them. The
//! file is read in order and each part once, so memory is bounded by the slices of one terminal, not by the rows.

mod audited;
mod bank;
mod bank_end;
mod books;
mod carried;
mod conserved;
mod credit_runs;
mod joined;
mod journals;
mod lives;
mod logins;
mod money_in;
mod purse_cards;
mod refunded;
mod settled;
mod voted;

use super::db::Db;
use super::error::StoreError;
use super::tx::Tx;
use crate::core::bank_text::VerifyKeys;

/// Findings that are kept; what comes after them is only counted.
pub const FINDINGS_MAX: usize = 1_000;

/// Something that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// Where: an account, a row, a settlement, by number.
    pub subject: String,
    /// What was expected, and what is there.
    pub detail: String,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FindingKind {
    /// The file itself: a page, an index, a reference to nothing.
    File,
    /// A signing key that the root did not certify.
    Certificate,
    /// A movement of money without its cause, or between the wrong accounts.
    Transfer,
    /// An account that is not the sum of its transfers.
    Account,
    /// More was taken than given.
    Overdrawn,
    /// A serial that allows less than the one before, or not what its slice was given.
    Serial,
    /// A household was allowed more than it was credited.
    Conservation,
    /// A credit that is not by the rule.
    Credit,
    /// A row whose bytes are not a row of its place.
    Row,
    /// A row whose own signature does not fit.
    Signature,
    /// A row that does not build on the one before, or is missing.
    Chain,
    /// A row that was settled otherwise than by the claim rule.
    Claim,
    /// A settlement that is not the sum of its rows.
    Settlement,
    /// An epoch that was closed by fewer than two people, or whose later rows were paid.
    Closing,
    /// A balance that was handed back and is not the hub's word.
    Held,
    /// A refund that nobody asked for, or of more than the fund paid.
    Refund,
    /// A correction that two people did not book, or that was booked otherwise.
    Correction,
    /// An expiry that was booked otherwise.
    Expiry,
    /// A switch of goodwill that two people did not decide, or too late.
    Goodwill,
    /// A purse card that is bound otherwise, or was released otherwise than by the rule; a tap that is kept otherwise.
    Card,
    /// An entry of the audit log that was changed, taken out or put in.
    Audit,
    /// A login that was given or confirmed otherwise than the audit log says, or took part before it was confirmed.
    Login,
    /// A payment file that does not pay what its settlement says, once.
    Payment,
    /// A statement that does not add up, or a payout that was paid or came back otherwise.
    Bank,
    /// A shop that stands where no steps of the members lead.
    Joining,
    /// Something personal of a household that was erased.
    Erasure,
    /// Money in that was booked otherwise, taken back otherwise than whole and once, or not what the bank says.
    MoneyIn,
    /// A source that was credited from beyond its budget without an agreement.
    Budget,
}

impl FindingKind {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Certificate => "certificate",
            Self::Transfer => "transfer",
            Self::Account => "account",
            Self::Overdrawn => "overdrawn",
            Self::Serial => "serial",
            Self::Conservation => "conservation",
            Self::Credit => "credit",
            Self::Row => "row",
            Self::Signature => "signature",
            Self::Chain => "chain",
            Self::Claim => "claim",
            Self::Settlement => "settlement",
            Self::Closing => "closing",
            Self::Held => "held",
            Self::Refund => "refund",
            Self::Correction => "correction",
            Self::Expiry => "expiry",
            Self::Goodwill => "goodwill",
            Self::Card => "card",
            Self::Audit => "audit",
            Self::Login => "login",
            Self::Payment => "payment",
            Self::Bank => "bank",
            Self::Joining => "joining",
            Self::Erasure => "erasure",
            Self::MoneyIn => "money in",
            Self::Budget => "budget",
        }
    }
}

/// `claim: row 3/17: settled 5.00, by the claim rule 0.00`
impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}: {}", self.kind.name(), self.subject, self.detail)
    }
}

/// What a verification read and found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct VerifyReport {
    /// Rows read, each with its own signature checked.
    pub rows: u64,
    /// Transfers read.
    pub transfers: u64,
    /// Accounts recomputed.
    pub accounts: u64,
    /// What is wrong, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many findings there were in all.
    pub found: u64,
}

impl VerifyReport {
    /// Notes something that is wrong.
    pub(super) fn add(&mut self, kind: FindingKind, subject: impl Into<String>, detail: impl Into<String>) {
        self.found = self.found.saturating_add(1);
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { kind, subject: subject.into(), detail: detail.into() });
        }
    }
}

/// One part of a verification.
type Part<'p> = dyn Fn(&Tx<'_>, &mut VerifyReport) -> Result<(), StoreError> + 'p;

impl Db {
    /// Reads everything as it stands at one moment and recomputes it: the ledger, every chain, every signature, every
    /// claimed interval, every settlement; the proofs of cards as far as the witness knows their keys. Works beside a
    /// running hub.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] or [`StoreError::Damaged`] where the file cannot be read at all.
    pub fn verify(&mut self, witness: &dyn VerifyKeys) -> Result<VerifyReport, StoreError> {
        self.verify_told(witness, &mut |_, _| {})
    }

    /// The same; tells after each part how many are done, and of how many.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_told(
        &mut self,
        witness: &dyn VerifyKeys,
        told: &mut dyn FnMut(u64, u64),
    ) -> Result<VerifyReport, StoreError> {
        let parts: &[&Part<'_>] = &[
            &|tx, report| tx.check_file(report),
            &|tx, report| tx.check_certificates(report),
            &|tx, report| tx.check_transfers(report),
            &|tx, report| tx.check_accounts(report),
            &|tx, report| tx.check_serials(report),
            &|tx, report| tx.check_credits(report),
            &|tx, report| tx.check_conservation(report),
            &|tx, report| tx.check_journals(report),
            &|tx, report| tx.check_purse_cards(witness, report),
            &|tx, report| tx.check_disputed(report),
            &|tx, report| tx.check_refunds(report),
            &|tx, report| tx.check_voted(report),
            &|tx, report| tx.check_goodwill(report),
            &|tx, report| tx.check_settlements(report),
            &|tx, report| tx.check_bank(report),
            &|tx, report| tx.check_bank_end(witness, report),
            &|tx, report| tx.check_money_in(report),
            &|tx, report| tx.check_credit_runs(report),
            &|tx, report| tx.check_joinings(report),
            &|tx, report| tx.check_erasures(report),
            &|tx, report| tx.check_closings(report),
            &|tx, report| tx.check_held(report),
            &|tx, report| tx.check_advances(report),
            &|tx, report| tx.check_audit(report),
            &|tx, report| tx.check_logins(report),
        ];
        self.read(|tx| {
            let mut report = VerifyReport::default();
            for (done, part) in (1..).zip(parts) {
                part(tx, &mut report)?;
                told(done, u64::try_from(parts.len()).unwrap_or(u64::MAX));
            }
            Ok(report)
        })
    }
}

impl Tx<'_> {
    fn check_file(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut check = self.conn.prepare("PRAGMA integrity_check(20)")?;
        for line in check.query_map([], |row| row.get::<_, String>(0))? {
            let line = line?;
            if line != "ok" {
                report.add(FindingKind::File, "database", line);
            }
        }
        let mut check = self.conn.prepare("SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT 20")?;
        let mut rows = check.query([])?;
        while let Some(row) = rows.next()? {
            let (table, number, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let number = number.map_or_else(String::new, |number| format!(" {number}"));
            report.add(
                FindingKind::File,
                format!("{table}{number}"),
                format!("names a row of {parent} that is not there"),
            );
        }
        Ok(())
    }

    fn check_certificates(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let fund = self.fund()?;
        let mut read = self.conn.prepare("SELECT key, cert FROM signing_keys ORDER BY change")?;
        let mut rows = read.query([])?;
        let mut count = 0_u64;
        while let Some(row) = rows.next()? {
            count = count.saturating_add(1);
            let (key, cert): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let subject = format!("signing key {count}");
            let checked = cabas_protocol::Signed::<cabas_protocol::keys::KeyCert>::from_bytes(cert)
                .map_err(Into::into)
                .and_then(|cert| cert.verify(&fund.root, fund.fund));
            match checked {
                Ok(cert) if cert.payload().key.as_bytes().as_slice() == key => {}
                Ok(_) => report.add(FindingKind::Certificate, subject, "the certificate is for another key"),
                Err(error) => report.add(FindingKind::Certificate, subject, error.to_string()),
            }
        }
        if count == 0 {
            report.add(FindingKind::Certificate, "signing keys", "there is none");
        }
        Ok(())
    }
}
