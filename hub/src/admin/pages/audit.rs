//! The audit log.

use askama::Template;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::frame::{Frame, page as show};
use super::super::visit::{Visit, Wrong};
use crate::core::audit::AuditEntry;

#[derive(Template)]
#[template(path = "audit.html")]
struct Log {
    f: Frame,
    entries: Vec<AuditEntry>,
    newest: u64,
    hash: String,
    /// The number of the oldest entry shown, where older ones are left.
    older: Option<u64>,
}

/// Where a page of the log begins.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Asked {
    before: Option<u64>,
}

impl Asked {
    /// A number that the file can hold.
    pub(super) fn before(&self) -> Option<u64> {
        self.before.filter(|before| i64::try_from(*before).is_ok())
    }
}

pub(super) async fn page_of(visit: &Visit, asked: &Asked) -> Result<(Vec<AuditEntry>, u64, String), Wrong> {
    let before = asked.before();
    let (entries, (newest, hash)) = visit.store(move |tx| Ok((tx.audit_page(before)?, tx.audit_head()?))).await?;
    Ok((entries, newest, hash.to_string()))
}

pub(super) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    let (entries, newest, hash) = page_of(&visit, &asked).await?;
    let older = entries.last().map(|entry| entry.seq).filter(|seq| *seq > 1);
    show(StatusCode::OK, &Log { f: Frame::new(&visit, "audit-title"), entries, newest, hash, older })
}
