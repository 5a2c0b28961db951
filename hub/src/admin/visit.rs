//! One request of a browser or a program: who asks, in which language, and what is answered where it goes wrong.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use cabas_protocol::Timestamp;

use super::words::Lang;
use super::{frame, html, secret};
use crate::app::App;
use crate::core::roles::Role;
use crate::error::Refused;
use crate::keys::KeyError;
use crate::store::{Lane, SessionView, StoreError, TokenView, Tx, UserRefusal};

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
        }
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
            Standing::Program(_) => html::api_refusal(status),
            Standing::Nobody | Standing::User(_) => frame::wrong(visit, status, text),
        }
    }

    fn told(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Nobody => (StatusCode::FORBIDDEN, "wrong-role"),
            Self::NotFound => (StatusCode::NOT_FOUND, "wrong-not-found"),
            Self::Work(_) => (StatusCode::SERVICE_UNAVAILABLE, "wrong-busy"),
            Self::Store(error) if is_unknown(error) => (StatusCode::NOT_FOUND, "wrong-not-found"),
            Self::Store(error) if matches!(error.as_ref(), StoreError::Busy) => {
                (StatusCode::SERVICE_UNAVAILABLE, "wrong-busy")
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
            | StoreError::User(UserRefusal::Unknown | UserRefusal::UnknownToken)
    )
}

/// The words of what a person can do something about; none where the store failed.
#[must_use]
pub const fn refusal(error: &StoreError) -> Option<&'static str> {
    if let StoreError::Text(_) = error {
        return Some("refusal-name");
    }
    let StoreError::User(refusal) = error else { return None };
    Some(match refusal {
        UserRefusal::Unknown | UserRefusal::UnknownToken => "wrong-not-found",
        UserRefusal::Taken | UserRefusal::TokenTaken => "refusal-taken",
        UserRefusal::ShopAndRole => "refusal-shop-and-role",
        UserRefusal::NotAnotherAdmin => "refusal-not-another-admin",
        UserRefusal::LastAdmin => "refusal-last-admin",
        UserRefusal::Disabled => "refusal-disabled",
        UserRefusal::TooMany => "refusal-too-many",
    })
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let mut response = self.told().0.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
