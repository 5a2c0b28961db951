//! `card issue`, `card retire`, `card renew`: the hub speaks with a card on this machine's reader. `card inspect` only reads;
//! `card selftest` needs no hub.

use cabas_protocol::Signer;
use clap::Subcommand;
use serde::Serialize;
use std::path::Path;

use super::Context;
use super::failure::Failure;
use super::inspect;
use super::lock::{self, Lock};
use super::selftest;
use super::serve::systemd_credential;
use crate::card::{NoCard, with_card};
use crate::clock::Clock;
use crate::core::ages::Moment;
use crate::journal::keyfile::TerminalKeys;
use crate::journal::{FILE, Journal, JournalError, KEY_FILE};
use crate::out::print;
use crate::sync::{HubClient, relay};

/// Looks at the reader, five a second: one minute.
pub(super) const LOOKS: u32 = 300;

/// Cards with keys. Whatever changes one the hub must have allowed before: `cabas-hub card grant`.
#[derive(Debug, Subcommand)]
pub(super) enum Card {
    /// Issue a blank card, as a purse or an identity: the hub makes its files and keys, through this reader
    Issue {
        /// The number printed on the card
        #[arg(long, value_name = "N")]
        card_number: u32,
    },
    /// Take everything of ours off a card; what is left of its money goes back to the household
    Retire {
        /// The number printed on the card
        #[arg(long, value_name = "N")]
        card_number: u32,
    },
    /// Give a card its newest balance and the newest keys of its slots: where its balance is old, or a key was stolen
    Renew {
        /// The number printed on the card
        #[arg(long, value_name = "N")]
        card_number: u32,
    },
    /// Read what stands on a card, by this terminal's own key
    Inspect,
    /// Try everything with a blank card, without a hub: what it does otherwise than is expected, and how fast it is
    Selftest,
}

#[derive(Serialize)]
struct Done {
    card_number: u32,
    note: String,
}

/// A terminal whose counter does not run: nobody else has its journal meanwhile.
pub(super) struct Opened {
    pub(super) keys: TerminalKeys,
    pub(super) journal: Journal,
    /// To be kept for as long as the journal is used.
    pub(super) lock: Lock,
}

impl Opened {
    /// The hub speaks by keys of its own: those that lie here are left sealed.
    pub(super) fn from(context: &Context) -> Result<Self, Failure> {
        Self::by(context, |file, _, signer, now| Journal::open(file, signer, now, crate::stamp::version()))
    }

    /// The same with this terminal's own keys of cards.
    pub(super) fn unsealed(context: &Context) -> Result<Self, Failure> {
        let credential = systemd_credential()?;
        Self::by(context, |file, keys, signer, now| {
            Journal::open_with(file, (signer, keys, credential.as_ref()), now, crate::stamp::version())
        })
    }

    fn by(
        context: &Context,
        open: impl FnOnce(&Path, &TerminalKeys, Signer, Moment) -> Result<Journal, JournalError>,
    ) -> Result<Self, Failure> {
        let dir = &context.config.data_dir;
        let file = dir.join(FILE);
        if !file.exists() {
            return Err(Failure::NotEnrolled);
        }
        let lock = lock::take(dir)?;
        let key_file = dir.join(KEY_FILE);
        let keys =
            TerminalKeys::read(&key_file).map_err(|error| Failure::Keys { file: key_file, why: error.to_string() })?;
        let signer = signer_of(&keys, context)?;
        let journal =
            open(&file, &keys, signer, Clock::system().now()).map_err(|source| Failure::Journal { file, source })?;
        Ok(Self { keys, journal, lock })
    }
}

fn signer_of(keys: &TerminalKeys, context: &Context) -> Result<Signer, Failure> {
    let no_key =
        || Failure::Keys { file: context.config.data_dir.join(KEY_FILE), why: String::from("it holds no key") };
    keys.signer().ok_or_else(no_key)
}

pub(super) async fn run(context: &Context, command: &Card) -> Result<(), Failure> {
    let (verb, card_number) = match command {
        Card::Issue { card_number } => ("issue", *card_number),
        Card::Retire { card_number } => ("retire", *card_number),
        Card::Renew { card_number } => ("renew", *card_number),
        Card::Inspect => return inspect::run(context),
        Card::Selftest => return selftest::run(context),
    };
    let config = &context.config;
    let Opened { keys, journal, lock: _lock } = Opened::from(context)?;
    let state = journal.state().clone();
    let hub_url = config.hub_url.clone().unwrap_or_else(|| state.id.hub_url.clone());
    let client = HubClient::new(&hub_url, config.hub_ca.as_deref())?;
    let signer = signer_of(&keys, context)?;
    let words = format!("{verb} {card_number}");
    let runtime = tokio::runtime::Handle::current();
    let reader = config.reader();
    // The reader is held by a thread of its own, which waits; the calls to the hub go on here.
    let talk = move || {
        with_card(&reader, LOOKS, |card, uid| runtime.block_on(relay(&client, &signer, &state, card, (uid, &words))))
    };
    let said = tokio::task::spawn_blocking(talk).await.unwrap_or(Err(NoCard::NoService));
    let note = said.map_err(Failure::NoCard)?.map_err(Failure::CardSession)?;
    let failed = note.strip_prefix(cabas_protocol::card_session::FAILED);
    if let Some(why) = failed {
        return Err(Failure::Refused(why.trim().to_owned()));
    }
    print(context.format, &Done { card_number, note }, |done| format!("{}\n", done.note)).map_err(Failure::Print)
}
