//! `key list`, `key rotate`, `key revoke`: public halves only, never a byte of a private key.

use std::path::PathBuf;

use cabas_protocol::head::ObjectType;
use cabas_protocol::keys::{KeyCert, SIGNING_KEYS_MAX};
use cabas_protocol::{KeyId, PublicKey, Signed, Signer, Timestamp};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use crate::keys;
use crate::out::print;
use crate::store::{Db, FundInfo, KeyView, OpenMode};

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// List the signing keys, and how many terminals have which
    List,
    /// Make a new signing key; terminals that have not heard of it go on with an older one
    Rotate(Root),
    /// Take a signing key back, because it was lost or stolen: nothing it signs is honoured by who has heard of it
    Revoke {
        /// The key's id, as `key list` shows it
        #[arg(value_name = "KID", value_parser = kid)]
        kid: KeyId,
        #[command(flatten)]
        root: Root,
    },
}

#[derive(Args, Debug)]
pub(super) struct Root {
    /// The fund's root key, where it is kept apart [default: keys/root.key in data_dir]
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
}

fn kid(text: &str) -> Result<KeyId, &'static str> {
    KeyId::from_hex(text).ok_or("not 16 hexadecimal digits")
}

pub(super) fn run(context: &Context, command: &Key) -> Result<(), Failure> {
    match command {
        Key::List => list(context),
        Key::Rotate(root) => rotate(context, root),
        Key::Revoke { kid, root } => revoke(context, *kid, root),
    }
}

#[derive(Serialize)]
struct Listed {
    keys: Vec<Line>,
    /// Enrolments that are not closed.
    open_epochs: u64,
}

#[derive(Serialize)]
struct Line {
    kid: String,
    issued_at: u64,
    revoked: bool,
    /// False where the private half is not in the folder `keys`.
    at_hand: bool,
    /// Open enrolments that are known to have its certificate.
    confirmed_by: u64,
}

fn list(context: &Context) -> Result<(), Failure> {
    let (views, open_epochs) = context.open(OpenMode::Existing)?.read(|tx| tx.key_views())?;
    let at_hand: Vec<KeyId> =
        keys::load_signers(&context.config.keys_dir())?.iter().map(|signer| signer.public().id()).collect();
    let line = |view: KeyView| Line {
        at_hand: at_hand.contains(&view.id),
        kid: view.id.to_string(),
        issued_at: view.issued_at.get(),
        revoked: view.revoked,
        confirmed_by: view.confirmed_by,
    };
    let listed = Listed { keys: views.into_iter().map(line).collect(), open_epochs };
    print(context.format, &listed, |listed| {
        let lines = listed.keys.iter().map(|line| {
            let state = if line.revoked { "taken back" } else { "in force" };
            let here = if line.at_hand { "" } else { ", private half not here" };
            let (confirmed, of) = (line.confirmed_by, listed.open_epochs);
            format!(
                "{}  {state}, made at {}, known to {confirmed} of {of} enrolments{here}\n",
                line.kid, line.issued_at
            )
        });
        lines.collect()
    })
    .map_err(Failure::Print)
}

#[derive(Serialize)]
struct Changed {
    kid: String,
    revoked: bool,
}

fn rotate(context: &Context, root: &Root) -> Result<(), Failure> {
    let (mut db, fund, root) = with_root(context, root)?;
    if db.read(|tx| tx.signing_keys())?.len() >= SIGNING_KEYS_MAX {
        return Err(Failure::TooManyKeys(SIGNING_KEYS_MAX));
    }
    let dir = context.config.keys_dir();
    let signer = keys::create_signing(&dir)?;
    let cert = cert(&fund, &root, *signer.public(), false, context.clock.now());
    certify(context, &mut db, &cert, signer.public().id())?;
    let changed = Changed { kid: signer.public().id().to_string(), revoked: false };
    print(context.format, &changed, |changed| {
        format!(
            "Key {} is certified. Each terminal goes on with the key it has until it has heard of this one.\n\
             Copy the folder keys to a safe place again, and take root.key away.\n",
            changed.kid
        )
    })
    .map_err(Failure::Print)
}

fn revoke(context: &Context, kid: KeyId, root: &Root) -> Result<(), Failure> {
    let (mut db, fund, root) = with_root(context, root)?;
    let views = db.read(|tx| tx.key_views())?.0;
    let Some(view) = views.iter().find(|view| view.id == kid) else { return Err(Failure::UnknownKey(kid)) };
    let at_hand: Vec<KeyId> =
        keys::load_signers(&context.config.keys_dir())?.iter().map(|signer| signer.public().id()).collect();
    let others = views.iter().filter(|other| other.id != kid && !other.revoked && at_hand.contains(&other.id));
    if others.count() == 0 {
        return Err(Failure::LastKey(kid));
    }
    let cert = cert(&fund, &root, view.key, true, context.clock.now());
    certify(context, &mut db, &cert, kid)?;
    // What the key signed is taken back with it: purse cards get their balances anew.
    let now = context.clock.now();
    while db.write(|tx| tx.balances_anew(now))? {}
    let changed = Changed { kid: kid.to_string(), revoked: true };
    print(context.format, &changed, |changed| {
        format!("Key {} is taken back. Terminals that are off line honour it until they call.\n", changed.kid)
    })
    .map_err(Failure::Print)
}

fn with_root(context: &Context, root: &Root) -> Result<(Db, FundInfo, Signer), Failure> {
    let mut db = context.open(OpenMode::Existing)?;
    let fund = db.read(|tx| tx.fund())?;
    let file = root.root_key.clone().unwrap_or_else(|| context.config.keys_dir().join(keys::ROOT));
    let root = keys::load_root(&file, &fund.root)?;
    Ok((db, fund, root))
}

fn cert(fund: &FundInfo, root: &Signer, key: PublicKey, revoked: bool, now: Timestamp) -> Signed<KeyCert> {
    root.sign(&KeyCert { head: fund.context().head(ObjectType::KeyCert), key, issued_at: now, revoked })
}

/// Beside the keys first: what the root said must outlive the database.
fn certify(context: &Context, db: &mut Db, cert: &Signed<KeyCert>, kid: KeyId) -> Result<(), Failure> {
    keys::keep_cert(&context.config.keys_dir(), kid, cert)?;
    Ok(db.write(|tx| tx.key_certify(cert))?)
}
