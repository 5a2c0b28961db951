//! What somebody does with their own account: second factor, password.

use askama::Template;
use axum::Form;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::frame::{Fault, Frame, page};
use super::super::secret::{self, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, SecondFactor};
use super::super::visit::{Visit, Wrong};
use super::login;
use crate::core::audit::Deed;
use crate::store::{Note, RECOVERY_CODES};

#[derive(Template)]
#[template(path = "set_up.html")]
struct SetUpPage {
    f: Frame,
    picture: String,
    secret: Zeroizing<String>,
}

#[derive(Template)]
#[template(path = "recovery.html")]
struct RecoveryPage {
    f: Frame,
    codes: Vec<Zeroizing<String>>,
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    f: Frame,
    is_given: bool,
}

/// A code of the new second factor.
#[derive(Deserialize)]
pub(super) struct Code {
    #[serde(default)]
    code: String,
}

/// The old password and twice the new one.
#[derive(Deserialize)]
pub(super) struct NewPassword {
    #[serde(default)]
    old: String,
    #[serde(default)]
    new: String,
    #[serde(default)]
    again: String,
}

pub(super) async fn set_up_form(visit: Visit) -> Result<Response, Wrong> {
    let factor = match pending(&visit)? {
        Some(factor) => factor,
        None => {
            let user = &visit.session()?.user;
            let (factor, sealed) =
                SecondFactor::new(&visit.app.secrets, user.number, &user.name, &visit.app.site.fund)?;
            let token = secret::token_hash(&visit.token);
            visit.store(move |tx| tx.session_pending(token, &sealed)).await?;
            factor
        }
    };
    show_set_up(&visit, &factor, StatusCode::OK, Vec::new())
}

fn pending(visit: &Visit) -> Result<Option<SecondFactor>, Wrong> {
    let session = visit.session()?;
    let (user, fund) = (&session.user, &visit.app.site.fund);
    let sealed = session.pending_totp.as_deref();
    Ok(sealed.and_then(|sealed| SecondFactor::open(&visit.app.secrets, user.number, &user.name, fund, sealed)))
}

fn show_set_up(
    visit: &Visit,
    factor: &SecondFactor,
    status: StatusCode,
    faults: Vec<Fault>,
) -> Result<Response, Wrong> {
    let f = Frame::new(visit, "set-up-title").with_faults(faults);
    let picture = factor.picture().unwrap_or_default();
    page(status, &SetUpPage { f, picture, secret: factor.secret() })
}

/// A code shows that the app has the secret: it holds, and recovery codes are shown this once.
pub(super) async fn set_up(visit: Visit, Form(sent): Form<Code>) -> Result<Response, Wrong> {
    let Some(factor) = pending(&visit)? else { return Ok(Redirect::to("/login/set-up").into_response()) };
    let Some(step) = factor.step_of(&sent.code, visit.now.get()) else {
        let fault = Fault { field: "code", text: "code-wrong" };
        return show_set_up(&visit, &factor, StatusCode::UNPROCESSABLE_ENTITY, vec![fault]);
    };
    let session = visit.session()?;
    let (user, sealed) = (session.user.clone(), session.pending_totp.clone().unwrap_or_default());
    let codes: Vec<_> = (0..RECOVERY_CODES).map(|_| secret::new_code()).collect::<Result<_, _>>()?;
    let hashes: Vec<_> = codes.iter().map(|code| secret::recovery_hash(user.number, code)).collect();
    let token = secret::new_token()?;
    let (new, old, now) = (secret::token_hash(&token), secret::token_hash(&visit.token), visit.now);
    visit
        .store(move |tx| {
            tx.user_totp(user.number, &sealed, step, &hashes)?;
            tx.note(Note { who: &user.name, deed: Deed::TotpSet, subject: &user.name, detail: "" }, now)?;
            login::begin(tx, &user, old, new, now)
        })
        .await?;
    let shown = page(StatusCode::OK, &RecoveryPage { f: Frame::new(&visit, "recovery-title"), codes })?;
    Ok(([(header::SET_COOKIE, visit.app.site.cookie(&token))], shown).into_response())
}

pub(super) async fn password_form(visit: Visit) -> Result<Response, Wrong> {
    show_password(&visit, StatusCode::OK, Vec::new())
}

fn show_password(visit: &Visit, status: StatusCode, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let is_given = visit.session()?.user.given_until.is_some();
    page(status, &PasswordPage { f: Frame::new(visit, "password-title").with_faults(faults), is_given })
}

/// Changes the password; every other session of the user ends.
pub(super) async fn password(visit: Visit, Form(sent): Form<NewPassword>) -> Result<Response, Wrong> {
    let user = visit.session()?.user.clone();
    let (old, new, again) = (Zeroizing::new(sent.old), Zeroizing::new(sent.new), Zeroizing::new(sent.again));
    let faults = faults_of(&user.name, &old, &new, &again);
    if visit.now < user.locked_until {
        let fault = Fault { field: "old", text: "login-too-many" };
        return show_password(&visit, StatusCode::TOO_MANY_REQUESTS, vec![fault]);
    }
    if !faults.is_empty() {
        return show_password(&visit, StatusCode::UNPROCESSABLE_ENTITY, faults);
    }
    let kept = user.password.clone();
    let checked = visit
        .app
        .workers
        .run(move || Ok(if secret::is_password(&old, Some(&kept)) { Some(secret::hash_password(&new)) } else { None }))
        .await?;
    let now = visit.now;
    let Some(hash) = checked.transpose()? else {
        let failed = user.clone();
        visit.store(move |tx| login::failed(tx, &failed, now)).await?;
        let fault = Fault { field: "old", text: "password-wrong" };
        return show_password(&visit, StatusCode::UNPROCESSABLE_ENTITY, vec![fault]);
    };
    let token = secret::new_token()?;
    let session = secret::token_hash(&token);
    visit
        .store(move |tx| {
            tx.user_password(user.number, &hash)?;
            tx.session_begin(user.number, session, true, now)?;
            tx.note(Note { who: &user.name, deed: Deed::PasswordChanged, subject: &user.name, detail: "" }, now)
        })
        .await?;
    Ok(([(header::SET_COOKIE, visit.app.site.cookie(&token))], Redirect::to("/")).into_response())
}

fn faults_of(name: &str, old: &str, new: &str, again: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |is_wrong: bool, field, text| {
        if is_wrong {
            faults.push(Fault { field, text });
        }
    };
    fault(old.is_empty() || old.len() > PASSWORD_BYTES_MAX, "old", "password-wrong");
    let is_long = new.chars().count() >= PASSWORD_CHARS_MIN && new.len() <= PASSWORD_BYTES_MAX;
    let is_own = new == old || new.to_lowercase().contains(&name.to_lowercase());
    fault(!is_long || is_own, "new", "password-weak");
    fault(new != again, "again", "password-differs");
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_password_is_long_unlike_the_name_and_typed_twice() {
        let fields = |old, new, again| -> Vec<_> {
            faults_of("claire", old, new, again).iter().map(|fault| fault.field).collect()
        };
        assert!(fields("old password", "a better password", "a better password").is_empty());
        assert_eq!(fields("old password", "elevenchars", "elevenchars"), ["new"]);
        assert_eq!(fields("old password", "Claire-and-more", "Claire-and-more"), ["new"]);
        assert_eq!(fields("a better password", "a better password", "a better password"), ["new"]);
        assert_eq!(fields("old password", "a better password", "another password"), ["again"]);
        assert_eq!(fields("", "a better password", "a better password"), ["old"]);
        let long = "x".repeat(PASSWORD_BYTES_MAX + 1);
        assert_eq!(fields("old password", &long, &long), ["new"]);
    }
}
