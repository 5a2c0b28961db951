//! One request of a browser or a program: who asks, in which language, and what is answered where it goes wrong.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use cabas_protocol::{Hash, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::refusals::refusal;
use super::words::Lang;
use super::{frame, html, secret};
use crate::app::App;
use crate::core::audit::Deed;
use crate::core::roles::Role;
use crate::error::Refused;
use crate::keys::KeyError;
use crate::store::{
    BankRefusal, CorrectionRefusal, Db, JoiningRefusal, Lane, MoneyInRefusal, Note, OpenMode, RegisterRefusal,
    SessionView, StoreError, TokenView, Tx, UserRefusal,
};

/// What somebody has still to do before the pages are theirs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Set up a second factor.
    SetUp,
    /// Show a code of it.
    Code,
    /// Choose a password of their own.
    Password,
    /// Nothing.
    Done,
}

impl Step {
    /// Where it is done.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::SetUp => "/login/set-up",
            Self::Code => "/login/code",
            Self::Password => "/password",
            Self::Done => "/",
        }
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Standing {
    /// Nobody who is known.
    Nobody,
    /// A person.
    User(Arc<SessionView>),
    /// A program.
    Program(Arc<TokenView>),
}

impl Standing {
    /// What is still to be done; none where nobody is known.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        match self {
            Self::Nobody => None,
            Self::Program(_) => Some(Step::Done),
            Self::User(session) => Some(match (&session.user.totp, session.proven, session.user.given_until) {
                (None, _, _) => Step::SetUp,
                (Some(_), false, _) => Step::Code,
                (Some(_), true, Some(_)) => Step::Password,
                (Some(_), true, None) => Step::Done,
            }),
        }
    }

    /// The role.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Nobody => None,
            Self::User(session) => Some(session.user.role),
            Self::Program(token) => Some(token.role),
        }
    }

    /// The code of the shop whose figures alone may be seen.
    #[must_use]
    pub fn shop(&self) -> Option<&str> {
        match self {
            Self::Nobody => None,
            Self::User(session) => session.user.shop.as_deref(),
            Self::Program(token) => token.shop.as_deref(),
        }
    }

    /// True for a login that one admin alone gave and nobody else has confirmed yet.
    #[must_use]
    pub fn waits(&self) -> bool {
        match self {
            Self::Nobody | Self::Program(_) => false,
            Self::User(session) => session.user.waits(),
        }
    }

    /// The name, as it stands in the audit log.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Nobody => "",
            Self::User(session) => &session.user.name,
            Self::Program(token) => &token.name,
        }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Everything else.
    pub app: Arc<App>,
    /// The language of the answer.
    pub lang: Lang,
    /// The path that was asked for.
    pub path: String,
    /// Its query, without the language.
    pub query: String,
    /// When.
    pub now: Timestamp,
    /// From where, as far as tries are counted.
    pub address: IpAddr,
    /// What the browser holds; empty where it holds nothing.
    pub token: String,
    /// Who asks.
    pub standing: Standing,
    /// True where only a login does this that does not wait for a confirmation.
    pub needs_vouched: bool,
    /// What this very deed is known by, where its form or its program gave it a name.
    pub once: Option<Hash>,
}

/// Who does something, and when.
#[derive(Clone, Debug)]
pub struct By {
    /// The name of the user or the program.
    pub who: String,
    /// When.
    pub now: Timestamp,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Done<R> {
    /// What is given back.
    pub given: R,
    /// To whom or what it was done, for the audit log.
    pub subject: String,
    /// What else is to be known: no name of a member, no secret.
    pub detail: String,
}

impl Visit {
    pub(super) fn new(app: &Arc<App>, request: &Request, address: IpAddr, lang: Lang, token: String) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let kept: Vec<&str> = query.split('&').filter(|part| !part.is_empty() && !part.starts_with("lang=")).collect();
        Self {
            app: Arc::clone(app),
            lang,
            path: request.uri().path().to_owned(),
            query: kept.join("&"),
            now: app.clock.now(),
            address,
            token,
            standing: Standing::Nobody,
            needs_vouched: false,
            once: None,
        }
    }

    /// True where a program asks: it is answered in JSON.
    #[must_use]
    pub const fn is_program(&self) -> bool {
        matches!(self.standing, Standing::Program(_))
    }

    /// Does something: the work, its entry in the audit log, and the note that it was done are kept together or not at all.
    /// Sent twice, it is done once and answered alike. A login that waits for a confirmation does nothing that needs another:
    /// tokens are given on the server, and what two people decide no token does.
    ///
    /// # Errors
    /// What the work gives.
    pub async fn deed<R: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        deed: Deed,
        work: impl FnOnce(&mut Tx<'_>, &By) -> Result<Done<R>, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (by, once) = (By { who: self.who(), now: self.now }, self.once);
        let needs_vouched = self.needs_vouched && !self.is_program();
        let given = self.store(move |tx| {
            if let Some(key) = once
                && let Some(given) = tx.done_before(key)?
            {
                return serde_json::from_str(&given).map_err(|_| StoreError::Damaged("what was answered before"));
            }
            if needs_vouched {
                tx.check_vouched(&by.who)?;
            }
            let done = work(tx, &by)?;
            tx.note(Note { who: &by.who, deed, subject: &done.subject, detail: &done.detail }, by.now)?;
            if let Some(key) = once {
                let given = serde_json::to_string(&done.given);
                tx.done_once(key, &given.map_err(|_| StoreError::Damaged("an answer cannot be written"))?, by.now)?;
            }
            Ok(done.given)
        });
        let given = given.await?;
        self.app.site.watch.forget();
        self.app.allocate.notify_one();
        self.app.works.notify_one();
        Ok(given)
    }

    /// Tells that it was done: a program gets it as JSON, a person goes on to a page.
    ///
    /// # Errors
    /// [`Wrong::Work`] where it cannot be written.
    pub fn done(&self, given: &impl Serialize, to: &str) -> Result<Response, Wrong> {
        if self.is_program() {
            return html::json(given);
        }
        Ok(Redirect::to(to).into_response())
    }

    /// Works on the store.
    ///
    /// # Errors
    /// What the work gives.
    pub async fn store<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.app.store.call(Lane::Sync, work).await
    }

    /// Reads what takes long, on a connection of its own: the ledger's thread goes on with sales.
    ///
    /// # Errors
    /// What reading gives; [`Wrong::Work`] where too many others read.
    pub async fn read_beside<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Tx<'_>) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, Wrong> {
        let app = Arc::clone(&self.app);
        let open = move || Ok(Db::open(&app.database, OpenMode::ReadOnly).and_then(|mut db| db.read(read)));
        Ok(self.app.workers.run(open).await??)
    }

    /// The session of the person who asks.
    ///
    /// # Errors
    /// [`Wrong::Nobody`] for a route that is open to others than persons.
    pub fn session(&self) -> Result<&SessionView, Wrong> {
        match &self.standing {
            Standing::User(session) => Ok(session),
            Standing::Nobody | Standing::Program(_) => Err(Wrong::Nobody),
        }
    }

    /// The name for the audit log.
    #[must_use]
    pub fn who(&self) -> String {
        self.standing.name().to_owned()
    }

    /// What a form on this page sends back.
    #[must_use]
    pub fn csrf(&self) -> String {
        secret::form_token(&self.token)
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Wrong;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Wrong> {
        parts.extensions.get::<Self>().cloned().ok_or(Wrong::Nobody)
    }
}

/// Why a page is not shown.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Wrong {
    /// The store failed.
    #[error("{0}")]
    Store(Arc<StoreError>),
    /// The hub is too busy, or gives no random bytes.
    #[error("the hub can do no work for a page: {0}")]
    Work(String),
    /// The page is for persons.
    #[error("nobody is logged in")]
    Nobody,
    /// What was asked for is not there.
    #[error("it is not there")]
    NotFound,
    /// What was sent cannot be read.
    #[error("what was sent cannot be read: {0}")]
    Unread(String),
}

impl From<StoreError> for Wrong {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<KeyError> for Wrong {
    fn from(error: KeyError) -> Self {
        Self::Work(error.to_string())
    }
}

impl From<Refused> for Wrong {
    fn from(refused: Refused) -> Self {
        Self::Work(refused.detail().to_owned())
    }
}

impl From<askama::Error> for Wrong {
    fn from(error: askama::Error) -> Self {
        Self::Work(error.to_string())
    }
}

impl Wrong {
    /// The page that says so.
    #[must_use]
    pub fn shown(&self, visit: &Visit) -> Response {
        let (status, text) = self.told();
        if status.is_server_error() {
            tracing::error!(error = %self, page = %visit.path, "a page cannot be shown");
        }
        match visit.standing {
            Standing::Program(_) => html::api_refusal(status, &self.reason(visit, text)),
            Standing::Nobody | Standing::User(_) => frame::wrong(visit, status, text),
        }
    }

    /// What a program is told: the text in English, and what a program's author alone can put right.
    fn reason(&self, visit: &Visit, text: &str) -> String {
        let words = visit.app.site.words.get(Lang::English, text);
        match self {
            Self::Unread(what) => format!("{words} ({what})"),
            Self::Store(_) | Self::Work(_) | Self::Nobody | Self::NotFound => words,
        }
    }

    fn told(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unread(_) => (StatusCode::BAD_REQUEST, "wrong-form"),
            Self::Nobody => (StatusCode::FORBIDDEN, "wrong-role"),
            Self::NotFound => (StatusCode::NOT_FOUND, "wrong-not-found"),
            Self::Work(_) => (StatusCode::SERVICE_UNAVAILABLE, "wrong-busy"),
            Self::Store(error) if is_unknown(error) => (StatusCode::NOT_FOUND, "wrong-not-found"),
            Self::Store(error) if matches!(error.as_ref(), StoreError::Busy) => {
                (StatusCode::SERVICE_UNAVAILABLE, "wrong-busy")
            }
            Self::Store(error) if matches!(error.as_ref(), StoreError::User(UserRefusal::Waits)) => {
                (StatusCode::FORBIDDEN, "refusal-waits")
            }
            Self::Store(error) => match refusal(error) {
                Some(text) => (StatusCode::CONFLICT, text),
                None => (StatusCode::SERVICE_UNAVAILABLE, "wrong-store"),
            },
        }
    }
}

/// True for what was asked for and is not there.
fn is_unknown(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::UnknownTerminal(_)
            | StoreError::UnknownShop
            | StoreError::UnknownCard
            | StoreError::Correction(CorrectionRefusal::NoHousehold)
            | StoreError::Register(RegisterRefusal::NoMember)
            | StoreError::Joining(JoiningRefusal::Unknown)
            | StoreError::NoStatement { .. }
            | StoreError::Bank(BankRefusal::NoSettlement(_) | BankRefusal::NoEntry(_))
            | StoreError::User(UserRefusal::Unknown | UserRefusal::UnknownToken)
            | StoreError::MoneyIn(MoneyInRefusal::Unknown(_))
    )
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let mut response = self.told().0.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
