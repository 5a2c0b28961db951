//! One terminal: its enrolments, what they hold, their alarms, the way out of a quarantine; revocation.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use cabas_protocol::{Cents, TerminalId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::frame::{Frame, answer, page};
use super::super::overview::{alarm_name, quarantine_name, standing_name};
use super::super::visit::{Done, Visit, Wrong};
use super::terminals::{TerminalShown, UpgradeShown, shown};
use crate::core::audit::Deed;
use crate::core::roles::Role;
use crate::store::{AlarmView, EnrolmentView};

/// Where two people close an enrolment, as far as there is such a page.
const CLOSING: &str = "/terminals/{terminal}/close";

/// A terminal with all that it ever was.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct OneTerminal {
    #[serde(flatten)]
    shown: TerminalShown,
    /// Newest first.
    enrolments: Vec<EnrolmentLine>,
}

/// An enrolment.
#[derive(Clone, Debug, JsonSchema, Serialize)]
struct EnrolmentLine {
    epoch: u32,
    /// `live`, `quarantined`, `revoked` or `closed`.
    standing: &'static str,
    /// `fork` or `gap`.
    quarantine: Option<&'static str>,
    opened_at: u64,
    last_contact_at: Option<u64>,
    /// The newest row that the hub has.
    acked_seq: u32,
    /// The newest row that a completed backup has.
    backed_up_seq: u32,
    program: Option<String>,
    /// What lies there.
    lies_cents: u64,
    alarms: Vec<AlarmShown>,
}

/// Alarms of one kind.
#[derive(Clone, Debug, JsonSchema, Serialize)]
struct AlarmShown {
    kind: &'static str,
    /// How often.
    count: u64,
    first_at: u64,
    last_at: u64,
    /// The row it was about the last time.
    seq: u32,
}

#[derive(Template)]
#[template(path = "terminal.html")]
struct TerminalPage {
    f: Frame,
    data: OneTerminal,
    is_admin: bool,
    /// Where two people close its enrolment.
    closing: Option<String>,
}

#[derive(Template)]
#[template(path = "terminal_revoke.html")]
struct AskRevoke {
    f: Frame,
    data: OneTerminal,
}

/// What was revoked.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Revoked {
    terminal: u32,
    /// Enrolments that were open.
    enrolments: u32,
}

impl TerminalPage {
    fn has_alarms(&self) -> bool {
        self.data.enrolments.iter().any(|enrolment| !enrolment.alarms.is_empty())
    }
}

fn line((view, lies): (EnrolmentView, Cents)) -> EnrolmentLine {
    let alarm = |alarm: AlarmView| AlarmShown {
        kind: alarm_name(alarm.kind),
        count: alarm.count,
        first_at: alarm.first_at.get(),
        last_at: alarm.last_at.get(),
        seq: alarm.seq.get(),
    };
    EnrolmentLine {
        epoch: view.epoch.get(),
        standing: standing_name(view.standing),
        quarantine: view.quarantine.map(quarantine_name),
        opened_at: view.opened_at.get(),
        last_contact_at: view.last_contact_at.map(cabas_protocol::Timestamp::get),
        acked_seq: view.acked.get(),
        backed_up_seq: view.backed_up.get(),
        program: view.status.map(|status| status.program),
        lies_cents: lies.get(),
        alarms: view.alarms.into_iter().map(alarm).collect(),
    }
}

async fn read(visit: &Visit, terminal: u32) -> Result<OneTerminal, Wrong> {
    let now = visit.now;
    let terminal = TerminalId::new(terminal);
    let read = move |tx: &mut crate::store::Tx<'_>| {
        Ok((tx.terminal_file(terminal)?, tx.hot_list_head()?, tx.about_view(terminal)?))
    };
    let (file, list, about) = visit.store(read).await?;
    let lies = Cents::sum(file.enrolments.iter().map(|(_, lies)| *lies)).map_err(crate::store::StoreError::from)?;
    let enrolments = file.enrolments.into_iter().map(line).collect();
    let upgrade = about.map(UpgradeShown::of);
    Ok(OneTerminal { shown: TerminalShown { upgrade, ..shown(lies, file.view, list, now) }, enrolments })
}

pub(super) async fn one(visit: Visit, Path(terminal): Path<u32>) -> Result<Response, Wrong> {
    let data = read(&visit, terminal).await?;
    let is_admin = visit.standing.role() == Some(Role::Admin);
    let has_page = super::routes().iter().any(|route| route.path == CLOSING);
    let closing = has_page.then(|| CLOSING.replace("{terminal}", &terminal.to_string()));
    let number = visit.app.site.words.with(visit.lang, "terminal-number", &[("number", &terminal.to_string())]);
    let title = format!("{number} – {}", data.shown.line.shop_name);
    answer(&visit, &title, Vec::new(), data, |f, data| TerminalPage { f, data, is_admin, closing })
}

pub(super) async fn ask_revoke(visit: Visit, Path(terminal): Path<u32>) -> Result<Response, Wrong> {
    let data = read(&visit, terminal).await?;
    page(StatusCode::OK, &AskRevoke { f: Frame::new(&visit, "terminal-revoke-title"), data })
}

pub(super) async fn revoke(visit: Visit, Path(terminal): Path<u32>) -> Result<Response, Wrong> {
    let revoked = visit.deed(Deed::TerminalRevoked, move |tx, by| {
        let enrolments = tx.terminal_revoke(TerminalId::new(terminal), by.now)?;
        let (subject, detail) = (format!("terminal {terminal}"), format!("enrolments: {enrolments}"));
        Ok(Done { given: Revoked { terminal, enrolments }, subject, detail })
    });
    visit.done(&revoked.await?, &format!("/terminals/{terminal}"))
}
