//! `user` and `token`: who works with the web site, and which programs read it.

use std::fmt::Write as _;

use cabas_protocol::Timestamp;
use clap::Subcommand;
use serde::Serialize;
use zeroize::Zeroizing;

use super::Context;
use super::failure::Failure;
use crate::admin::secret;
use crate::core::audit::{COMMAND_LINE, Deed};
use crate::core::roles::Role;
use crate::out::{plain, print};
use crate::store::{GIVEN_PASSWORD_S, Giver, NewUser, Note, OpenMode, UserRefusal};

/// Hours that a given password holds.
const GIVEN_HOURS: u64 = GIVEN_PASSWORD_S.div_euclid(3_600);

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add somebody; a password is shown this once, and changed at the first login
    Add {
        /// The name, as it is typed at login
        #[arg(long, value_name = "NAME")]
        name: String,
        /// admin, treasurer, evaluator or shop
        #[arg(long, value_name = "ROLE", value_parser = role)]
        role: Role,
        /// The shop's code, for the role shop
        #[arg(long, value_name = "CODE")]
        shop: Option<String>,
    },
    /// List who may log in
    List,
    /// Shut somebody out, at once
    Disable {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Give somebody a new password, by a second admin; the second factor is set up again
    Recover {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
        /// Another admin, who made sure that it is the right person
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Confirm that a login which one admin alone gave on the site is held by its person
    Confirm {
        /// The name; that person has logged in and chosen a password
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Give a program a token, which is shown this once
    Add {
        /// What it is called
        #[arg(long, value_name = "NAME")]
        name: String,
        /// admin, treasurer, evaluator or shop
        #[arg(long, value_name = "ROLE", value_parser = role)]
        role: Role,
        /// The shop's code, for the role shop
        #[arg(long, value_name = "CODE")]
        shop: Option<String>,
    },
    /// List the tokens
    List,
    /// Take a token back, at once
    Revoke {
        /// What it is called
        #[arg(value_name = "NAME")]
        name: String,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::of_name(text).ok_or_else(|| "not admin, treasurer, evaluator or shop".to_owned())
}

pub(super) fn user(context: &Context, command: &User) -> Result<(), Failure> {
    match command {
        User::Add { name, role, shop } => add(context, name, *role, shop.as_deref()),
        User::List => list(context),
        User::Disable { name } => disable(context, name),
        User::Recover { name, by } => recover(context, name, by),
        User::Confirm { name } => confirm(context, name),
    }
}

#[derive(Serialize)]
struct Given<'g> {
    name: &'g str,
    /// Shown this once; the hub keeps only what is derived from it.
    password: &'g str,
    expires_at: u64,
}

fn given(context: &Context, name: &str, password: &str) -> Result<(), Failure> {
    let expires_at = context.clock.now().after_s(GIVEN_PASSWORD_S).get();
    let text = |given: &Given<'_>| {
        format!(
            "{}: password {}\nIt is shown this once, holds for {GIVEN_HOURS} h, and is changed at the first login.\n",
            plain(given.name),
            given.password
        )
    };
    print(context.format, &Given { name, password, expires_at }, text).map_err(Failure::Print)
}

fn add(context: &Context, name: &str, role: Role, shop: Option<&str>) -> Result<(), Failure> {
    let (password, now) = (secret::new_code()?, context.clock.now());
    let hash = secret::hash_password(&password)?;
    let new = NewUser { name: name.to_owned(), role, shop: shop.map(str::to_owned), password: hash, given_by: None };
    context.open(OpenMode::Existing)?.write(|tx| {
        tx.user_add(&new, now)?;
        tx.note(Note { who: COMMAND_LINE, deed: Deed::UserAdded, subject: name, detail: role.name() }, now)
    })?;
    given(context, name, &password)
}

#[derive(Serialize)]
struct UserLine {
    name: String,
    role: Role,
    shop: Option<String>,
    /// False before the first login.
    second_factor: bool,
    recovery_codes_left: u32,
    locked_until: Option<u64>,
    disabled_at: Option<u64>,
    /// True until somebody else than the admin who gave it has confirmed it: it takes no part in what two people decide.
    waits_for_confirmation: bool,
    /// The login that gave its last password on the site.
    given_by: Option<String>,
    given_at: Option<u64>,
    /// The login that confirmed it; none where that was done on the server.
    confirmed_by: Option<String>,
    confirmed_at: Option<u64>,
}

#[derive(Serialize)]
struct Users {
    users: Vec<UserLine>,
}

fn list(context: &Context) -> Result<(), Failure> {
    let now = context.clock.now();
    let users = context.open(OpenMode::Existing)?.read(|tx| tx.users())?;
    let line = |user: crate::store::UserView| UserLine {
        second_factor: user.totp.is_some(),
        recovery_codes_left: user.recovery_left,
        locked_until: Some(user.locked_until).filter(|until| *until > now).map(Timestamp::get),
        disabled_at: user.disabled_at.map(Timestamp::get),
        waits_for_confirmation: user.waits(),
        given_at: user.given_at.map(Timestamp::get),
        confirmed_at: user.vouched_at.map(Timestamp::get),
        given_by: user.given_by,
        confirmed_by: user.vouched_by,
        name: user.name,
        role: user.role,
        shop: user.shop,
    };
    let users = Users { users: users.into_iter().map(line).collect() };
    print(context.format, &users, |users| table(users).unwrap_or_default()).map_err(Failure::Print)
}

fn table(users: &Users) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    if users.users.is_empty() {
        text.push_str("Nobody. Add an admin: cabas-hub user add --name NAME --role admin\n");
    }
    for user in &users.users {
        write!(text, "{:<24} {:<10}", plain(&user.name), user.role.name())?;
        if let Some(shop) = &user.shop {
            write!(text, " {}", plain(shop))?;
        }
        let state = match (user.disabled_at, user.second_factor, user.locked_until) {
            (Some(_), _, _) => "disabled",
            (None, false, _) => "has not logged in yet",
            (None, true, Some(_)) => "waits after too many tries",
            (None, true, None) => "active",
        };
        write!(text, " {state}")?;
        if let Some(by) = user.given_by.as_deref().filter(|_| user.waits_for_confirmation) {
            write!(text, "; given by {}, waits for a confirmation (cabas-hub user confirm)", plain(by))?;
        }
        text.push('\n');
    }
    Ok(text)
}

#[derive(Serialize)]
struct Done<'d> {
    name: &'d str,
}

fn disable(context: &Context, name: &str) -> Result<(), Failure> {
    let now = context.clock.now();
    context.open(OpenMode::Existing)?.write(|tx| {
        let user = tx.user(name)?.ok_or(UserRefusal::Unknown)?;
        tx.user_disable(user.number, now)?;
        tx.note(Note { who: COMMAND_LINE, deed: Deed::UserDisabled, subject: name, detail: "" }, now)
    })?;
    print(context.format, &Done { name }, |_| "Shut out; every session ended.\n".to_owned()).map_err(Failure::Print)
}

fn recover(context: &Context, name: &str, by: &str) -> Result<(), Failure> {
    let (password, now) = (secret::new_code()?, context.clock.now());
    let hash = secret::hash_password(&password)?;
    context.open(OpenMode::Existing)?.write(|tx| {
        let user = tx.user(name)?.ok_or(UserRefusal::Unknown)?;
        tx.user_recover(user.number, Giver::Server(by), &hash, now)?;
        tx.note(Note { who: by, deed: Deed::UserRecovered, subject: name, detail: COMMAND_LINE }, now)
    })?;
    given(context, name, &password)
}

fn confirm(context: &Context, name: &str) -> Result<(), Failure> {
    let now = context.clock.now();
    context.open(OpenMode::Existing)?.write(|tx| {
        let user = tx.user(name)?.ok_or(UserRefusal::Unknown)?;
        tx.user_confirm(user.number, None, now)?;
        tx.note(Note { who: COMMAND_LINE, deed: Deed::UserConfirmed, subject: name, detail: "" }, now)
    })?;
    let text = "Confirmed: this login takes part in what two people decide.\n";
    print(context.format, &Done { name }, |_| text.to_owned()).map_err(Failure::Print)
}

pub(super) fn token(context: &Context, command: &Token) -> Result<(), Failure> {
    match command {
        Token::Add { name, role, shop } => token_add(context, name, *role, shop.as_deref()),
        Token::List => token_list(context),
        Token::Revoke { name } => token_revoke(context, name),
    }
}

#[derive(Serialize)]
struct NewToken<'t> {
    name: &'t str,
    /// Shown this once; the hub keeps only its hash.
    token: &'t str,
}

fn token_add(context: &Context, name: &str, role: Role, shop: Option<&str>) -> Result<(), Failure> {
    let (token, now): (Zeroizing<String>, _) = (secret::new_token()?, context.clock.now());
    let hash = secret::token_hash(&token);
    context.open(OpenMode::Existing)?.write(|tx| {
        tx.token_add(name, role, shop, hash, now)?;
        tx.note(Note { who: COMMAND_LINE, deed: Deed::TokenAdded, subject: name, detail: role.name() }, now)
    })?;
    let text = |new: &NewToken<'_>| {
        format!("{}: token {}\nIt is shown this once. Authorization: Bearer TOKEN\n", plain(new.name), new.token)
    };
    print(context.format, &NewToken { name, token: &token }, text).map_err(Failure::Print)
}

#[derive(Serialize)]
struct TokenLine {
    name: String,
    role: Role,
    shop: Option<String>,
    created_at: u64,
    revoked_at: Option<u64>,
}

#[derive(Serialize)]
struct Tokens {
    tokens: Vec<TokenLine>,
}

fn token_list(context: &Context) -> Result<(), Failure> {
    let tokens = context.open(OpenMode::Existing)?.read(|tx| tx.tokens())?;
    let line = |token: crate::store::TokenView| TokenLine {
        name: token.name,
        role: token.role,
        shop: token.shop,
        created_at: token.created_at.get(),
        revoked_at: token.revoked_at.map(Timestamp::get),
    };
    let text = |tokens: &Tokens| {
        let lines = tokens.tokens.iter().map(|token| {
            let state = if token.revoked_at.is_some() { "revoked" } else { "in force" };
            format!("{:<24} {:<10} {state}\n", plain(&token.name), token.role.name())
        });
        let all: String = lines.collect();
        if all.is_empty() { "No token.\n".to_owned() } else { all }
    };
    print(context.format, &Tokens { tokens: tokens.into_iter().map(line).collect() }, text).map_err(Failure::Print)
}

fn token_revoke(context: &Context, name: &str) -> Result<(), Failure> {
    let now = context.clock.now();
    context.open(OpenMode::Existing)?.write(|tx| {
        tx.token_revoke(name, now)?;
        tx.note(Note { who: COMMAND_LINE, deed: Deed::TokenRevoked, subject: name, detail: "" }, now)
    })?;
    print(context.format, &Done { name }, |_| "The token opens nothing from now on.\n".to_owned())
        .map_err(Failure::Print)
}
