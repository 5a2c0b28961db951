//! Terminals: how each stands, and enrolment codes.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use cabas_protocol::enrol::{CODE_RANDOM_BYTES, Code};
use cabas_protocol::{Cents, TerminalId, Timestamp, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::frame::{Fault, Frame, answer, page};
use super::super::overview::{TerminalLine, phase_name, terminal_line};
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::super::{html, secret};
use super::dashboard::STALE_S;
use crate::core::audit::Deed;
use crate::core::joining::Stage;
use crate::core::roles::Role;
use crate::keys::random;
use crate::store::{AboutView, JoiningRefusal, JoiningView, NewCode, StoreError, TerminalView, Tx};

/// How often another code is made where its name is taken.
const CODE_TRIES_MAX: u32 = 8;
/// A terminal that has not called for so long may have sold without the hub's knowing it, in seconds.
const UNHEARD_S: u64 = 300;

/// A terminal with what it holds.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct TerminalShown {
    #[serde(flatten)]
    pub(super) line: TerminalLine,
    /// What lies there, by all of its enrolments.
    pub(super) lies_cents: u64,
    /// Sales that the hub has not, at the most: what lies there, where it has not called for a while or says that it has more
    /// rows; without the money that purse cards carry.
    pub(super) unsynced_cents_max: u64,
    /// The newest hot list, to be compared with its own.
    pub(super) newest_hot_list: u32,
    /// When that one was made.
    pub(super) newest_hot_list_at: u64,
    /// True where it sells and has not called for a day.
    pub(super) is_stale: bool,
    /// How far it is with another program; none where it never asked for one.
    pub(super) upgrade: Option<UpgradeShown>,
}

/// How far a terminal is with another program.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct UpgradeShown {
    /// `none`, `loading`, `testing`, `ready`, `trial`, `refused`, `rolled_back` or `no_key`.
    pub(super) phase: &'static str,
    /// The version that it is about, where the hub knows it.
    pub(super) version: Option<String>,
    /// What the terminal says about it, in English.
    pub(super) note: String,
}

impl UpgradeShown {
    pub(super) fn of(about: AboutView) -> Self {
        Self { phase: phase_name(about.phase), version: about.version, note: about.note }
    }

    /// True where somebody has to look at it.
    pub(super) fn is_to_look_at(&self) -> bool {
        matches!(self.phase, "refused" | "rolled_back")
    }
}

/// Every terminal.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Terminals {
    /// By number.
    terminals: Vec<TerminalShown>,
}

impl TerminalShown {
    /// True where it has the newest hot list.
    pub(super) fn has_newest_list(&self) -> bool {
        self.line.hot_list.is_some_and(|list| list >= self.newest_hot_list)
    }

    /// True where a right to sell is left to be taken.
    pub(super) fn is_revocable(&self) -> bool {
        matches!(self.line.standing, "live" | "quarantined") || self.line.code_expires_at.is_some()
    }
}

#[derive(Template)]
#[template(path = "terminals.html")]
struct TerminalsPage {
    f: Frame,
    data: Terminals,
    /// Where a terminal may be added.
    shops: Vec<JoiningView>,
    is_admin: bool,
}

#[derive(Template)]
#[template(path = "terminal_code.html")]
struct CodePage {
    f: Frame,
    data: Coded,
    shop_name: String,
    picture: String,
}

/// The shop of a new terminal.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(super) struct NewTerminal {
    /// Its code; it must be open.
    #[serde(default)]
    shop: String,
}

/// A terminal with a code to enrol with.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Coded {
    terminal: u32,
    /// Shown this once; none where the same was asked before.
    code: Option<String>,
    /// When it ends.
    expires_at: u64,
}

/// What is kept of a code that was given.
#[derive(Debug, Deserialize, Serialize)]
struct Made {
    terminal: u32,
    /// The public part of the code.
    locator: String,
    expires_at: u64,
}

/// Reads every terminal.
pub(super) fn read(tx: &Tx<'_>, now: Timestamp) -> Result<Vec<TerminalShown>, StoreError> {
    let (lying, list) = (tx.lying()?, tx.hot_list_head()?);
    let lies = |view: &TerminalView| {
        lying.iter().find(|(terminal, _)| *terminal == view.terminal).map_or(Cents::ZERO, |(_, cents)| *cents)
    };
    let mut all = Vec::new();
    for view in tx.terminals()? {
        let upgrade = tx.about_view(view.terminal)?.map(UpgradeShown::of);
        all.push(TerminalShown { upgrade, ..shown(lies(&view), view, list, now) });
    }
    Ok(all)
}

/// A terminal as it is shown.
pub(super) fn shown(lies: Cents, view: TerminalView, list: (Version, Timestamp), now: Timestamp) -> TerminalShown {
    let line = terminal_line(view);
    let silent_s = line.last_contact_at.map(|at| now.get().saturating_sub(at));
    let is_behind = line.standing == "quarantined"
        || line.unsynced_rows.is_some_and(|rows| rows > 0)
        || silent_s.is_some_and(|silent| silent >= UNHEARD_S);
    TerminalShown {
        lies_cents: lies.get(),
        unsynced_cents_max: if is_behind && line.standing != "closed" { lies.get() } else { 0 },
        newest_hot_list: list.0.get(),
        newest_hot_list_at: list.1.get(),
        upgrade: None,
        is_stale: line.standing == "live" && silent_s.is_none_or(|silent| silent >= STALE_S),
        line,
    }
}

pub(super) async fn list(visit: Visit) -> Result<Response, Wrong> {
    show(&visit, Vec::new()).await
}

async fn show(visit: &Visit, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let now = visit.now;
    let (terminals, mut shops) = visit.store(move |tx| Ok((read(tx, now)?, tx.joinings()?))).await?;
    shops.retain(|shop| shop.stage == Stage::Open);
    let is_admin = visit.standing.role() == Some(Role::Admin);
    answer(visit, "terminals-title", faults, Terminals { terminals }, |f, data| TerminalsPage {
        f,
        data,
        shops,
        is_admin,
    })
}

pub(super) async fn add(visit: Visit, Sent(sent): Sent<NewTerminal>) -> Result<Response, Wrong> {
    let shop = sent.shop;
    let add =
        move |tx: &mut Tx<'_>, code: &NewCode, now: Timestamp| Ok((tx.terminal_add(&shop, code, now)?, shop.clone()));
    let text = match with_code(&visit, Deed::TerminalAdded, add).await {
        Err(Wrong::Store(error)) if matches!(*error, StoreError::UnknownShop) => "terminals-shop-wrong",
        Err(Wrong::Store(error)) if matches!(*error, StoreError::Joining(JoiningRefusal::NotOpen(_))) => {
            "terminals-shop-not-open"
        }
        made => return given(&visit, made?).await,
    };
    show(&visit, vec![Fault { field: "shop", text }]).await
}

pub(super) async fn code(visit: Visit, Path(terminal): Path<u32>) -> Result<Response, Wrong> {
    let terminal = TerminalId::new(terminal);
    let renew = move |tx: &mut Tx<'_>, code: &NewCode, now: Timestamp| {
        tx.terminal_code(terminal, code, now)?;
        Ok((terminal, String::new()))
    };
    let made = with_code(&visit, Deed::TerminalCode, renew).await?;
    given(&visit, made).await
}

/// Does something with a new code. What is kept for who asks again holds no code: it is shown once.
async fn with_code(
    visit: &Visit,
    deed: Deed,
    work: impl Fn(&mut Tx<'_>, &NewCode, Timestamp) -> Result<(TerminalId, String), StoreError> + Clone + Send + 'static,
) -> Result<Coded, Wrong> {
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
        let work = work.clone();
        let made = visit.deed(deed, move |tx, by| {
            let (terminal, detail) = work(tx, &new, by.now)?;
            let given = Made { terminal: terminal.get(), locator: new.locator.clone(), expires_at: expires_at.get() };
            Ok(Done { given, subject: format!("terminal {terminal}"), detail })
        });
        match made.await {
            Ok(Made { terminal, locator, expires_at }) => {
                let code = (locator == code.locator()).then(|| code.reveal().to_string());
                return Ok(Coded { terminal, code, expires_at });
            }
            Err(StoreError::LocatorTaken) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::LocatorTaken.into())
}

async fn given(visit: &Visit, data: Coded) -> Result<Response, Wrong> {
    if visit.is_program() {
        return html::json(&data);
    }
    let terminal = TerminalId::new(data.terminal);
    let shop_name = visit.store(move |tx| tx.terminal_file(terminal)).await?.view.shop_name;
    let picture = data.code.as_deref().and_then(secret::qr).unwrap_or_default();
    let f = Frame::new(visit, "terminal-code-title");
    page(StatusCode::OK, &CodePage { f, data, shop_name, picture })
}
