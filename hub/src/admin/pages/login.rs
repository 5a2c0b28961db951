//! Login in two steps, a password and then a code; logout.

use askama::Template;
use axum::Form;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use cabas_protocol::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::frame::{Fault, Frame, page};
use super::super::secret::{self, SecondFactor};
use super::super::site::LOGIN;
use super::super::visit::{Step, Visit, Wrong};
use crate::core::audit::Deed;
use crate::core::roles::Role;
use crate::store::{Note, StoreError, Tx, UserView};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    f: Frame,
    name: String,
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage {
    f: Frame,
}

/// What is sent with a password.
#[derive(Deserialize)]
pub(super) struct Password {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
}

/// What is sent as a code.
#[derive(Deserialize)]
pub(super) struct Code {
    #[serde(default)]
    code: String,
}

/// The first page of whoever asks.
pub(super) async fn home(visit: Visit) -> Redirect {
    Redirect::to(match (visit.standing.step(), visit.standing.role()) {
        (None, _) | (_, None) => LOGIN,
        (Some(Step::Done), Some(Role::Shop)) => "/shop",
        (Some(Step::Done), Some(Role::Admin | Role::Treasurer | Role::Evaluator)) => "/dashboard",
        (Some(step @ (Step::SetUp | Step::Code | Step::Password)), _) => step.path(),
    })
}

/// The form, with a token to send it by.
pub(super) async fn form(visit: Visit) -> Result<Response, Wrong> {
    if visit.standing.step() == Some(Step::Done) {
        return Ok(Redirect::to("/").into_response());
    }
    if !visit.token.is_empty() {
        return page(StatusCode::OK, &LoginPage { f: Frame::new(&visit, "login-title"), name: String::new() });
    }
    let token = secret::new_token()?;
    let visit = Visit { token: token.to_string(), ..visit };
    let shown = page(StatusCode::OK, &LoginPage { f: Frame::new(&visit, "login-title"), name: String::new() })?;
    Ok(([(header::SET_COOKIE, visit.app.site.cookie(&token))], shown).into_response())
}

/// Checks a password. Whatever is wrong with it, the answer is the same and takes as long.
pub(super) async fn password(visit: Visit, Form(sent): Form<Password>) -> Result<Response, Wrong> {
    let name = sent.name.trim().to_owned();
    let typed = Zeroizing::new(sent.password);
    if !visit.app.site.tries.take(visit.address, visit.now) {
        tracing::warn!("too many tries to log in from one address");
        return refuse(&visit, StatusCode::TOO_MANY_REQUESTS, "login-too-many", name);
    }
    let asked = name.clone();
    let user = visit.store(move |tx| tx.user(&asked)).await?;
    let hash = user.as_ref().map(|user| user.password.clone());
    let fits = visit
        .app
        .workers
        .run(move || Ok(typed.len() <= secret::PASSWORD_BYTES_MAX && secret::is_password(&typed, hash.as_deref())))
        .await?;
    let Some(user) = user else { return refuse(&visit, StatusCode::UNAUTHORIZED, "login-wrong", name) };
    let token = secret::new_token()?;
    let (hash, old, now) = (secret::token_hash(&token), secret::token_hash(&visit.token), visit.now);
    let begun = visit
        .store(move |tx| {
            // Read again: others may have tried in the meantime.
            let now_user = tx.user_of(user.number)?;
            if now < now_user.locked_until || now_user.password != user.password {
                return Ok(false);
            }
            let is_open = now_user.disabled_at.is_none() && now_user.given_until.is_none_or(|until| now < until);
            if !fits || !is_open {
                failed(tx, &now_user, now)?;
                return Ok(false);
            }
            tx.session_end(old)?;
            tx.session_begin(user.number, hash, false, now)?;
            Ok(true)
        })
        .await?;
    if !begun {
        return refuse(&visit, StatusCode::UNAUTHORIZED, "login-wrong", name);
    }
    Ok(([(header::SET_COOKIE, visit.app.site.cookie(&token))], Redirect::to("/")).into_response())
}

fn refuse(visit: &Visit, status: StatusCode, text: &'static str, name: String) -> Result<Response, Wrong> {
    let f = Frame::new(visit, "login-title").with_faults(vec![Fault { field: "name", text }]);
    page(status, &LoginPage { f, name })
}

/// Counts a wrong try, and notes where the account rests from here on.
pub(super) fn failed(tx: &mut Tx<'_>, user: &UserView, now: Timestamp) -> Result<(), StoreError> {
    if tx.user_failed(user.number, now)? {
        let note = Note { who: &user.name, deed: Deed::Locked, subject: &user.name, detail: "" };
        tx.note(note, now)?;
    }
    Ok(())
}

pub(super) async fn code_form(visit: Visit) -> Result<Response, Wrong> {
    page(StatusCode::OK, &CodePage { f: Frame::new(&visit, "code-title") })
}

/// Checks a code of the second factor, or a recovery code.
pub(super) async fn code(visit: Visit, Form(sent): Form<Code>) -> Result<Response, Wrong> {
    let user = visit.session()?.user.clone();
    let typed = Zeroizing::new(sent.code);
    let sealed = user.totp.as_deref().unwrap_or_default();
    let factor = SecondFactor::open(&visit.app.secrets, user.number, &user.name, &visit.app.site.fund, sealed);
    let step = factor.and_then(|factor| factor.step_of(&typed, visit.now.get()));
    let recovery = secret::recovery_hash(user.number, &typed);
    let token = secret::new_token()?;
    let (hash, old, now) = (secret::token_hash(&token), secret::token_hash(&visit.token), visit.now);
    let is_allowed = visit.app.site.tries.take(visit.address, now);
    let begun = visit
        .store(move |tx| {
            let user = tx.user_of(user.number)?;
            if !is_allowed || now < user.locked_until {
                return Ok(false);
            }
            let by_step = match step {
                Some(step) => tx.totp_use(user.number, step)?,
                None => false,
            };
            let by_recovery = !by_step && tx.recovery_use(user.number, recovery, now)?;
            if !by_step && !by_recovery {
                failed(tx, &user, now)?;
                return Ok(false);
            }
            if by_recovery {
                let note = Note { who: &user.name, deed: Deed::RecoveryUsed, subject: &user.name, detail: "" };
                tx.note(note, now)?;
            }
            begin(tx, &user, old, hash, now)?;
            Ok(true)
        })
        .await?;
    if begun {
        return Ok(([(header::SET_COOKIE, visit.app.site.cookie(&token))], Redirect::to("/")).into_response());
    }
    let fault = Fault { field: "code", text: "code-wrong" };
    page(StatusCode::UNAUTHORIZED, &CodePage { f: Frame::new(&visit, "code-title").with_faults(vec![fault]) })
}

/// Both factors were shown: another token takes the place of the one before.
pub(super) fn begin(
    tx: &mut Tx<'_>,
    user: &UserView,
    old: cabas_protocol::Hash,
    new: cabas_protocol::Hash,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.session_end(old)?;
    tx.session_begin(user.number, new, true, now)?;
    tx.user_succeeded(user.number)?;
    tx.note(Note { who: &user.name, deed: Deed::LoggedIn, subject: &user.name, detail: "" }, now)
}

pub(super) async fn logout(visit: Visit) -> Result<Response, Wrong> {
    let (token, now, name) = (secret::token_hash(&visit.token), visit.now, visit.who());
    visit
        .store(move |tx| {
            tx.session_end(token)?;
            tx.note(Note { who: &name, deed: Deed::LoggedOut, subject: &name, detail: "" }, now)
        })
        .await?;
    Ok(([(header::SET_COOKIE, visit.app.site.cookie(""))], Redirect::to(LOGIN)).into_response())
}
