//! Terminals: how each stands, enrolment codes, revocation.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use cabas_protocol::TerminalId;
use cabas_protocol::enrol::{CODE_RANDOM_BYTES, Code};
use serde::Deserialize;

use super::super::frame::{Fault, Frame, page};
use super::super::overview::{TerminalLine, terminal_line};
use super::super::secret;
use super::super::visit::{Visit, Wrong};
use super::dashboard::STALE_S;
use crate::core::audit::Deed;
use crate::core::roles::Role;
use crate::keys::random;
use crate::store::{NewCode, Note, ShopView, StoreError, Tx};

/// How often another code is made where its name is taken.
const CODE_TRIES_MAX: u32 = 8;

#[derive(Template)]
#[template(path = "terminals.html")]
struct Terminals {
    f: Frame,
    terminals: Vec<TerminalLine>,
    shops: Vec<ShopView>,
    may_change: bool,
    now: u64,
}

impl Terminals {
    fn is_stale(&self, line: &TerminalLine) -> bool {
        let at = line.last_contact_at.unwrap_or(0);
        line.standing == "live" && self.now.saturating_sub(at) >= STALE_S
    }
}

#[derive(Template)]
#[template(path = "terminal_code.html")]
struct CodePage {
    f: Frame,
    terminal: u32,
    shop_name: String,
    code: String,
    picture: String,
    expires_at: u64,
}

#[derive(Template)]
#[template(path = "terminal_revoke.html")]
struct AskRevoke {
    f: Frame,
    line: TerminalLine,
}

/// The shop of a new terminal.
#[derive(Deserialize)]
pub(super) struct NewTerminal {
    #[serde(default)]
    shop: String,
}

pub(super) async fn list(visit: Visit) -> Result<Response, Wrong> {
    show(&visit, StatusCode::OK, Vec::new()).await
}

async fn show(visit: &Visit, status: StatusCode, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let (terminals, shops) = visit.store(|tx| Ok((tx.terminals()?, tx.shops()?))).await?;
    let shown = Terminals {
        f: Frame::new(visit, "terminals-title").with_faults(faults),
        terminals: terminals.into_iter().map(terminal_line).collect(),
        shops,
        may_change: visit.standing.role() == Some(Role::Admin),
        now: visit.now.get(),
    };
    page(status, &shown)
}

async fn line(visit: &Visit, terminal: u32) -> Result<TerminalLine, Wrong> {
    let views = visit.store(|tx| tx.terminals()).await?;
    let found = views.into_iter().find(|view| view.terminal.get() == terminal);
    found.map(terminal_line).ok_or(Wrong::NotFound)
}

pub(super) async fn add(visit: Visit, Form(sent): Form<NewTerminal>) -> Result<Response, Wrong> {
    let shop = sent.shop;
    let add = move |tx: &mut Tx<'_>, code: &NewCode, visit: &Visit| {
        let terminal = tx.terminal_add(&shop, code, visit.now)?;
        note(tx, visit, Deed::TerminalAdded, terminal, &shop)?;
        Ok(terminal)
    };
    match with_code(&visit, add).await {
        Err(Wrong::Store(error)) if matches!(*error, StoreError::UnknownShop) => {
            let fault = Fault { field: "shop", text: "terminals-shop-wrong" };
            show(&visit, StatusCode::UNPROCESSABLE_ENTITY, vec![fault]).await
        }
        other => other,
    }
}

pub(super) async fn code(visit: Visit, Path(terminal): Path<u32>) -> Result<Response, Wrong> {
    let terminal = TerminalId::new(terminal);
    let renew = move |tx: &mut Tx<'_>, code: &NewCode, visit: &Visit| {
        tx.terminal_code(terminal, code, visit.now)?;
        note(tx, visit, Deed::TerminalCode, terminal, "")?;
        Ok(terminal)
    };
    with_code(&visit, renew).await
}

fn note(tx: &mut Tx<'_>, visit: &Visit, deed: Deed, terminal: TerminalId, detail: &str) -> Result<(), StoreError> {
    let subject = format!("terminal {terminal}");
    tx.note(Note { who: visit.standing.name(), deed, subject: &subject, detail }, visit.now)
}

/// Does something with a new code, which is shown this once.
async fn with_code(
    visit: &Visit,
    work: impl Fn(&mut Tx<'_>, &NewCode, &Visit) -> Result<TerminalId, StoreError> + Clone + Send + 'static,
) -> Result<Response, Wrong> {
    let expires_at = visit.now.after_s(u64::from(visit.app.code_valid_hours).saturating_mul(3_600));
    for _ in 0..CODE_TRIES_MAX {
        let bytes = random::<CODE_RANDOM_BYTES>()?;
        // Stretching a code takes a while: not on the ledger's thread.
        let stretch = move || {
            let code = Code::of_random(&bytes);
            let keys = code.keys();
            Ok((code, keys))
        };
        let (code, keys) = visit.app.workers.run(stretch).await?;
        let new = NewCode { locator: code.locator().to_owned(), keys, expires_at };
        let (work, inner) = (work.clone(), visit.clone());
        match visit.store(move |tx| work(tx, &new, &inner)).await {
            Ok(terminal) => {
                let line = line(visit, terminal.get()).await?;
                let code = code.reveal().to_string();
                let shown = CodePage {
                    f: Frame::new(visit, "terminal-code-title"),
                    terminal: line.terminal,
                    shop_name: line.shop_name,
                    picture: secret::qr(&code).unwrap_or_default(),
                    code,
                    expires_at: expires_at.get(),
                };
                return page(StatusCode::OK, &shown);
            }
            Err(StoreError::LocatorTaken) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::LocatorTaken.into())
}

pub(super) async fn ask_revoke(visit: Visit, Path(terminal): Path<u32>) -> Result<Response, Wrong> {
    let line = line(&visit, terminal).await?;
    page(StatusCode::OK, &AskRevoke { f: Frame::new(&visit, "terminal-revoke-title"), line })
}

pub(super) async fn revoke(visit: Visit, Path(terminal): Path<u32>) -> Result<Response, Wrong> {
    let (terminal, inner) = (TerminalId::new(terminal), visit.clone());
    visit
        .store(move |tx| {
            let epochs = tx.terminal_revoke(terminal, inner.now)?;
            note(tx, &inner, Deed::TerminalRevoked, terminal, &format!("enrolments: {epochs}"))
        })
        .await?;
    Ok(Redirect::to("/terminals").into_response())
}
