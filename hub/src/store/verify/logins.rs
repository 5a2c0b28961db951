//! Who gave which login, and who confirmed it, by the audit log: two logins were two people whenever two were needed.

use std::collections::BTreeMap;

use super::super::audit::entry;
use super::super::closing::same_person;
use super::super::error::StoreError;
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::audit::{AuditEntry, COMMAND_LINE, Deed};

/// A login that was given on the site.
struct Login {
    given_by: String,
    /// Who confirmed it, where somebody did.
    vouched_by: Option<String>,
}

/// Every login that was given on the site, by name.
type Logins = BTreeMap<String, Login>;

impl Tx<'_> {
    /// Goes through the log from the entry on from which logins are held against it, and compares what comes of it.
    pub(super) fn check_logins(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(
            "SELECT seq, at, who, what, subject, detail FROM audit
             WHERE seq >= (SELECT logins_from FROM audit_head) ORDER BY seq",
        )?;
        let mut rows = read.query([])?;
        let mut logins = Logins::new();
        while let Some(row) = rows.next()? {
            let entry = entry(row)?;
            if let Some(wrong) = follow(&mut logins, &entry) {
                report.add(FindingKind::Login, format!("audit entry {}", entry.seq), wrong);
            }
        }
        for user in self.users()? {
            let expected = logins.remove(&user.name);
            let (given, vouched) = expected.map_or((None, None), |login| (Some(login.given_by), login.vouched_by));
            let stands = user.vouched_at.map(|_| user.vouched_by.clone().unwrap_or_else(|| COMMAND_LINE.to_owned()));
            if (given, vouched) != (user.given_by, stands) {
                let subject = format!("user {}", user.number);
                report.add(FindingKind::Login, subject, "given or confirmed otherwise than the audit log says");
            }
        }
        Ok(())
    }
}

/// What an entry does to the logins, and what is wrong with it.
fn follow(logins: &mut Logins, entry: &AuditEntry) -> Option<&'static str> {
    let is = |deed: Deed| entry.what == deed.name();
    let on_server = entry.who == COMMAND_LINE || entry.detail == COMMAND_LINE;
    let waits = logins.get(&entry.who).is_some_and(|login| login.vouched_by.is_none());
    let may_not = waits && Deed::OF_VOUCHED.iter().any(|deed| is(*deed));
    let mut wrong = may_not.then_some("by a login that waited for a confirmation");
    if is(Deed::UserAdded) || is(Deed::UserRecovered) {
        if on_server {
            logins.remove(&entry.subject);
        } else {
            logins.insert(entry.subject.clone(), Login { given_by: entry.who.clone(), vouched_by: None });
        }
    }
    if is(Deed::UserConfirmed) {
        match logins.get_mut(&entry.subject).filter(|login| login.vouched_by.is_none()) {
            Some(login) if same_person(&login.given_by, &entry.who) => {
                wrong = wrong.or(Some("by the login that gave it"))
            }
            Some(login) => login.vouched_by = Some(entry.who.clone()),
            None => wrong = wrong.or(Some("of a login that waited for nobody")),
        }
    }
    wrong
}
