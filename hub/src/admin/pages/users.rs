//! Users: who may work with the site, shutting out, recovery by a second admin. A login that one admin alone gave waits until
//! another one, or the server's operator, has confirmed who holds it.

use askama::Template;
use axum::Form;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use cabas_protocol::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::frame::{Fault, Frame, page};
use super::super::refusals::refusal;
use super::super::secret;
use super::super::visit::{Done, Visit, Wrong};
use crate::core::audit::Deed;
use crate::core::roles::Role;
use crate::store::{Giver, NewUser, Note, ShopView, StoreError, UserRefusal, UserView, same_person};

#[derive(Template)]
#[template(path = "users.html")]
struct Users {
    f: Frame,
    users: Vec<UserView>,
    shops: Vec<ShopView>,
    roles: [Role; 4],
    sent: Sent,
    me: u32,
    now: Timestamp,
}

impl Users {
    /// True where the one who looks may confirm this login now or once it is held.
    fn may_confirm(&self, user: &UserView) -> bool {
        user.waits() && user.disabled_at.is_none() && !user.was_given_by(self.f.user()) && !self.f.waits()
    }

    fn giver<'u>(&self, user: &'u UserView) -> &'u str {
        user.given_by.as_deref().unwrap_or_default()
    }

    fn is_locked(&self, user: &UserView) -> bool {
        user.locked_until > self.now
    }
}

#[derive(Template)]
#[template(path = "user_given.html")]
struct Given {
    f: Frame,
    name: String,
    password: Zeroizing<String>,
}

#[derive(Template)]
#[template(path = "user_ask.html")]
struct Ask {
    f: Frame,
    name: String,
    text: &'static str,
    button: &'static str,
    action: String,
}

#[derive(Template)]
#[template(path = "user_confirm.html")]
struct Confirm {
    f: Frame,
    number: u32,
    name: String,
    given_by: String,
    given_at: u64,
    /// Why it is not confirmed by the one who looks.
    why_not: Option<&'static str>,
}

/// A new user.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    name: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    shop: String,
}

pub(super) async fn list(visit: Visit) -> Result<Response, Wrong> {
    show(&visit, StatusCode::OK, Sent::default(), Vec::new()).await
}

async fn show(visit: &Visit, status: StatusCode, sent: Sent, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let (users, shops) = visit.store(|tx| Ok((tx.users()?, tx.shops()?))).await?;
    let f = Frame::new(visit, "users-title").with_faults(faults);
    page(status, &Users { f, users, shops, roles: Role::ALL, sent, me: visit.session()?.user.number, now: visit.now })
}

pub(super) async fn add(visit: Visit, Form(sent): Form<Sent>) -> Result<Response, Wrong> {
    let Some(role) = Role::of_name(&sent.role) else {
        let fault = Fault { field: "role", text: "users-role-wrong" };
        return show(&visit, StatusCode::UNPROCESSABLE_ENTITY, sent, vec![fault]).await;
    };
    let shop = Some(sent.shop.clone()).filter(|shop| !shop.is_empty());
    let (password, hash) = new_password(&visit).await?;
    let name = sent.name.trim().to_owned();
    let new = NewUser { name: name.clone(), role, shop, password: hash, given_by: Some(visit.who()) };
    let (who, now) = (visit.who(), visit.now);
    let added = visit
        .store(move |tx| {
            let user = tx.user_add(&new, now)?;
            tx.note(Note { who: &who, deed: Deed::UserAdded, subject: &user.name, detail: role.name() }, now)
        })
        .await;
    match added {
        Ok(()) => given(&visit, name, password),
        Err(error) => {
            let is_shop = matches!(error, StoreError::UnknownShop | StoreError::User(UserRefusal::ShopAndRole));
            let field = if is_shop { "shop" } else { "name" };
            let unknown = matches!(error, StoreError::UnknownShop).then_some("refusal-shop-and-role");
            let Some(text) = refusal(&error).or(unknown) else { return Err(error.into()) };
            show(&visit, StatusCode::UNPROCESSABLE_ENTITY, sent, vec![Fault { field, text }]).await
        }
    }
}

async fn new_password(visit: &Visit) -> Result<(Zeroizing<String>, String), Wrong> {
    let password = secret::new_code()?;
    let copy = password.clone();
    let hash = visit.app.workers.run(move || Ok(secret::hash_password(&copy))).await??;
    Ok((password, hash))
}

/// The password is shown this once.
fn given(visit: &Visit, name: String, password: Zeroizing<String>) -> Result<Response, Wrong> {
    page(StatusCode::OK, &Given { f: Frame::new(visit, "user-given-title"), name, password })
}

pub(super) async fn ask_disable(visit: Visit, Path(user): Path<u32>) -> Result<Response, Wrong> {
    let name = visit.store(move |tx| tx.user_of(user)).await?.name;
    let action = format!("/users/{user}/disable");
    let f = Frame::new(&visit, "user-disable-title");
    page(StatusCode::OK, &Ask { f, name, text: "user-disable-ask", button: "user-disable", action })
}

pub(super) async fn disable(visit: Visit, Path(user): Path<u32>) -> Result<Response, Wrong> {
    let (who, now) = (visit.who(), visit.now);
    visit
        .store(move |tx| {
            tx.check_other_admin(user, &who)?;
            tx.user_disable(user, now)?;
            let name = tx.user_of(user)?.name;
            tx.note(Note { who: &who, deed: Deed::UserDisabled, subject: &name, detail: "" }, now)
        })
        .await?;
    Ok(Redirect::to("/users").into_response())
}

pub(super) async fn ask_recover(visit: Visit, Path(user): Path<u32>) -> Result<Response, Wrong> {
    let name = visit.store(move |tx| tx.user_of(user)).await?.name;
    let action = format!("/users/{user}/recover");
    let f = Frame::new(&visit, "user-recover-title");
    page(StatusCode::OK, &Ask { f, name, text: "user-recover-ask", button: "user-recover", action })
}

pub(super) async fn recover(visit: Visit, Path(user): Path<u32>) -> Result<Response, Wrong> {
    let (password, hash) = new_password(&visit).await?;
    let (who, now) = (visit.who(), visit.now);
    let name = visit
        .store(move |tx| {
            tx.user_recover(user, Giver::Login(&who), &hash, now)?;
            let name = tx.user_of(user)?.name;
            tx.note(Note { who: &who, deed: Deed::UserRecovered, subject: &name, detail: "" }, now)?;
            Ok(name)
        })
        .await?;
    given(&visit, name, password)
}

/// Why the one who asks does not confirm this login; none where they may.
fn why_not(user: &UserView, by: &str, by_waits: bool) -> Option<&'static str> {
    if !user.waits() {
        Some("user-confirm-not-waiting")
    } else if by_waits || user.was_given_by(by) || same_person(&user.name, by) {
        Some("user-confirm-not-you")
    } else if user.disabled_at.is_some() {
        Some("user-confirm-disabled")
    } else if !user.is_held() {
        Some("user-confirm-not-held")
    } else {
        None
    }
}

pub(super) async fn ask_confirm(visit: Visit, Path(number): Path<u32>) -> Result<Response, Wrong> {
    let user = visit.store(move |tx| tx.user_of(number)).await?;
    let why_not = why_not(&user, visit.standing.name(), visit.standing.waits());
    let f = Frame::new(&visit, "user-confirm-title");
    let given_at = user.given_at.map_or(0, Timestamp::get);
    let given_by = user.given_by.unwrap_or_default();
    page(StatusCode::OK, &Confirm { f, number, name: user.name, given_by, given_at, why_not })
}

/// Another admin knows this person and says that they hold this login. No program does.
pub(super) async fn confirm(visit: Visit, Path(number): Path<u32>) -> Result<Response, Wrong> {
    let confirmed = visit.deed(Deed::UserConfirmed, move |tx, by| {
        let user = tx.user_confirm(number, Some(&by.who), by.now)?;
        Ok(Done { given: (), subject: user.name, detail: String::new() })
    });
    confirmed.await?;
    visit.done(&(), "/users")
}
