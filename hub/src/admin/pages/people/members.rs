//! The names of a household's people.

use axum::extract::Path;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Named, households, opened, path_of};
use crate::admin::frame::Fault;
use crate::admin::refusals::refusal;
use crate::admin::sent::Sent;
use crate::admin::visit::{Done, Visit, Wrong};
use crate::core::audit::Deed;
use crate::store::{ImportMember, RegisterRefusal, StoreError};

/// Somebody of a household.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Member {
    /// The number by which the name is taken out.
    pub(super) member: u32,
    /// The name; nothing where other keys sealed it.
    pub(super) name: Option<String>,
}

/// A name to add.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct New {
    /// The name and no more.
    #[serde(default)]
    name: String,
}

/// The names, opened.
pub(super) fn members(visit: &Visit, household: &str, sealed: &[(u32, Vec<u8>)]) -> Vec<Member> {
    let open = |(member, name): &(u32, Vec<u8>)| Member { member: *member, name: opened(visit, household, name) };
    sealed.iter().map(open).collect()
}

pub(super) async fn add(visit: Visit, Path(code): Path<String>, Sent(new): Sent<New>) -> Result<Response, Wrong> {
    let name = new.name.trim().to_owned();
    let wrong = |text| Fault { field: "name", text };
    let is_text = !name.is_empty() && !name.chars().any(char::is_control);
    let sealed = is_text.then(|| visit.app.secrets.seal_name(&code, &name)).flatten();
    let Some(sealed) = sealed else { return refused(&visit, code, wrong("member-name-wrong"), name).await };
    let member = ImportMember { household: code.clone(), sealed };
    let added = visit.deed(Deed::MemberAdded, move |tx, _| {
        tx.member_add(&member)?;
        let subject = format!("household {}", member.household);
        Ok(Done { given: Named { household: member.household }, subject, detail: String::new() })
    });
    match added.await {
        Ok(named) => visit.done(&named, &path_of(&named.household)),
        Err(error @ StoreError::Register(RegisterRefusal::MemberKnown | RegisterRefusal::TooManyMembers)) => {
            let text = refusal(&error).unwrap_or("wrong-store");
            refused(&visit, code, wrong(text), name).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn refused(visit: &Visit, code: String, fault: Fault, name: String) -> Result<Response, Wrong> {
    if visit.is_program() {
        return crate::admin::frame::refused_fields(visit, &[fault]);
    }
    households::with_fault(visit, code, fault, name).await
}

pub(super) async fn remove(visit: Visit, Path((code, member)): Path<(String, u32)>) -> Result<Response, Wrong> {
    let removed = visit.deed(Deed::MemberRemoved, move |tx, _| {
        tx.member_remove(&code, member)?;
        let subject = format!("household {code}");
        Ok(Done { given: Named { household: code }, subject, detail: String::new() })
    });
    let named = removed.await?;
    visit.done(&named, &path_of(&named.household))
}
