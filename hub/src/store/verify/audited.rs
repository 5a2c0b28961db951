//! The audit log: no entry changed, none missing, none behind the end.

use super::super::audit::entry;
use super::super::error::StoreError;
use super::super::sql::col;
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::audit::GENESIS;

impl Tx<'_> {
    /// Recomputes the chain from its first entry.
    pub(super) fn check_audit(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read =
            self.conn.prepare("SELECT seq, at, who, what, subject, detail, prev, hash FROM audit ORDER BY seq")?;
        let mut rows = read.query([])?;
        let (mut newest, mut before) = (0_u64, GENESIS);
        while let Some(row) = rows.next()? {
            let entry = entry(row)?;
            let (prev, hash) = (col(row, 6)?, col(row, 7)?);
            let subject = format!("audit entry {}", entry.seq);
            if Some(entry.seq) != newest.checked_add(1) {
                report.add(FindingKind::Audit, subject.clone(), format!("it follows entry {newest}"));
            }
            if prev != before {
                report.add(FindingKind::Audit, subject.clone(), "it does not build on the one before");
            }
            if entry.hash(&prev) != hash {
                report.add(FindingKind::Audit, subject, "its hash is not that of what it says");
            }
            (newest, before) = (entry.seq, hash);
        }
        let head: u64 = self.conn.query_row("SELECT seq FROM audit_head", [], |row| col(row, 0))?;
        if head != newest {
            report.add(FindingKind::Audit, "audit log", format!("it ends with entry {newest}, not {head}"));
        }
        Ok(())
    }
}
