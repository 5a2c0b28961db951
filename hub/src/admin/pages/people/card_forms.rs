//! Cards are issued and replaced: plain ones by their UID, those with keys at a terminal's reader.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use cabas_protocol::row::Tier;
use cabas_protocol::{CardRef, TerminalId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cards::{File, shown};
use super::{path_of, typed};
use crate::admin::frame::{Fault, Frame, page, refused_fields};
use crate::admin::sent::Sent;
use crate::admin::visit::{Done, Visit, Wrong};
use crate::core::audit::Deed;
use crate::import::{Wrong as Uid, card_uid};
use crate::store::{CardVerb, StoreError, TerminalView};

/// How long a reader may do it, in seconds.
const READER_S: u64 = 15 * 60;

/// A new card.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct New {
    /// `plain`, or where it is issued at a reader `purse` or `identity`.
    #[serde(default)]
    kind: String,
    /// The number printed on it.
    #[serde(default, deserialize_with = "typed")]
    #[schemars(with = "u32")]
    card_number: String,
    /// A plain card's UID, in hexadecimal.
    #[serde(default)]
    uid: String,
    /// The terminal at whose reader a card with keys will lie.
    #[serde(default, deserialize_with = "typed")]
    #[schemars(with = "Option<u32>")]
    terminal: String,
}

/// What a reader is to do with a card.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Reader {
    /// `renew` or `retire`.
    #[serde(default)]
    verb: String,
    /// The terminal at whose reader the card will lie.
    #[serde(default, deserialize_with = "typed")]
    #[schemars(with = "u32")]
    terminal: String,
}

/// A card was issued, or may be at a reader.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Issued {
    /// The household.
    household: String,
    /// The card.
    card_number: u32,
    /// What is to be run at the terminal, where the card has keys.
    at_reader: Option<Allowed>,
}

/// A reader may do something with a card.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Allowed {
    /// The card.
    card_number: u32,
    /// The terminal.
    terminal: u32,
    /// What is to be run there.
    command: String,
    /// Until when.
    until: u64,
}

/// A card was replaced.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Replaced {
    /// The card that is blocked.
    card_number: u32,
    /// The one in its place.
    new_card_number: u32,
    /// The hot list that names the blocked one.
    hot_list_version: u32,
}

#[derive(Template)]
#[template(path = "card_new.html")]
struct NewPage {
    f: Frame,
    path: String,
    sent: New,
    terminals: Vec<TerminalView>,
}

#[derive(Template)]
#[template(path = "card_replace.html")]
struct ReplacePage {
    f: Frame,
    data: File,
    sent: New,
}

#[derive(Template)]
#[template(path = "card_reader.html")]
struct ReaderPage {
    f: Frame,
    allowed: Allowed,
    household: String,
    path: String,
}

impl New {
    fn number(&self) -> Result<u32, Fault> {
        let number = self.card_number.parse().ok().filter(|number| *number > 0);
        number.ok_or(Fault { field: "card_number", text: "card-number-wrong" })
    }

    /// The reference of the card of this UID, which goes no further.
    fn card(&self, visit: &Visit) -> Result<CardRef, Fault> {
        let wrong = |wrong| Fault { field: "uid", text: uid_text(&wrong) };
        Ok(visit.app.secrets.card_key.card_ref(&card_uid("uid", self.uid.trim()).map_err(wrong)?))
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a UID is wrong in these ways alone")]
const fn uid_text(wrong: &Uid) -> &'static str {
    match wrong {
        Uid::RandomUid => "import-random-uid",
        Uid::NotUniqueUid => "import-not-unique-uid",
        Uid::CascadeTag => "import-cascade-tag",
        _ => "card-uid-wrong",
    }
}

fn terminal(text: &str) -> Result<TerminalId, Fault> {
    let terminal = text.parse().map(TerminalId::new);
    terminal.map_err(|_| Fault { field: "terminal", text: "card-terminal-wrong" })
}

/// Where a refusal of the store belongs in a form.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not named here belongs to no field")]
const fn fault(error: &StoreError) -> Option<Fault> {
    match error {
        StoreError::CardTaken { .. } => Some(Fault { field: "card_number", text: "refusal-card-taken" }),
        StoreError::UnknownTerminal(_) => Some(Fault { field: "terminal", text: "card-terminal-wrong" }),
        _ => None,
    }
}

pub(super) async fn ask_issue(visit: Visit, Path(code): Path<String>) -> Result<Response, Wrong> {
    let sent = New { kind: "plain".to_owned(), ..New::default() };
    new_page(&visit, StatusCode::OK, (code, sent), Vec::new()).await
}

async fn new_page(
    visit: &Visit,
    status: StatusCode,
    (code, sent): (String, New),
    faults: Vec<Fault>,
) -> Result<Response, Wrong> {
    if visit.is_program() {
        return refused_fields(visit, &faults);
    }
    let path = path_of(&code);
    // A household that is not there is told before anything is typed.
    let read = visit.store(move |tx| {
        tx.household_for_treasurer(&code)?;
        tx.terminals()
    });
    let terminals = read.await?;
    page(status, &NewPage { f: Frame::new(visit, "card-new-title").with_faults(faults), path, sent, terminals })
}

pub(super) async fn issue(visit: Visit, Path(code): Path<String>, Sent(sent): Sent<New>) -> Result<Response, Wrong> {
    let tier = match sent.kind.as_str() {
        "purse" => Tier::Purse,
        "identity" => Tier::Identity,
        _ => Tier::Plain,
    };
    let asked = if tier == Tier::Plain {
        sent.number().and_then(|number| Ok((number, Ok(sent.card(&visit)?))))
    } else {
        sent.number().and_then(|number| Ok((number, Err(terminal(&sent.terminal)?))))
    };
    let (number, how) = match asked {
        Ok(asked) => asked,
        Err(fault) => return new_page(&visit, StatusCode::UNPROCESSABLE_ENTITY, (code, sent), vec![fault]).await,
    };
    let household = code.clone();
    let deed = if how.is_ok() { Deed::CardIssued } else { Deed::CardAllowed };
    let issued = visit.deed(deed, move |tx, by| {
        let until = by.now.after_s(READER_S);
        let at_reader = match how {
            Ok(card) => {
                tx.plain_card_add(number, card, &household)?;
                None
            }
            Err(terminal) => {
                tx.card_grant(terminal, CardVerb::Issue, (number, tier), Some(&household), until)?;
                Some(allowed("issue", number, terminal, until.get()))
            }
        };
        let detail = at_reader.as_ref().map_or_else(String::new, |at| format!("issue at terminal {}", at.terminal));
        let detail = format!("household {household} {detail}").trim().to_owned();
        let given = Issued { household, card_number: number, at_reader };
        Ok(Done { given, subject: format!("card {number}"), detail })
    });
    match issued.await {
        Ok(Issued { at_reader: Some(allowed), household, .. }) if !visit.is_program() => {
            reader_page(&visit, allowed, household)
        }
        Ok(issued) => visit.done(&issued, &path_of(&code)),
        Err(error) => match fault(&error) {
            Some(fault) => new_page(&visit, StatusCode::UNPROCESSABLE_ENTITY, (code, sent), vec![fault]).await,
            None => Err(error.into()),
        },
    }
}

fn allowed(verb: &str, number: u32, terminal: TerminalId, until: u64) -> Allowed {
    let command = format!("cabas-agent card {verb} --card-number {number}");
    Allowed { card_number: number, terminal: terminal.get(), command, until }
}

fn reader_page(visit: &Visit, allowed: Allowed, household: String) -> Result<Response, Wrong> {
    let (f, path) = (Frame::new(visit, "card-reader-title"), path_of(&household));
    page(StatusCode::OK, &ReaderPage { f, allowed, household, path })
}

pub(super) async fn reader(visit: Visit, Path(number): Path<u32>, Sent(sent): Sent<Reader>) -> Result<Response, Wrong> {
    let (verb, name) = match sent.verb.as_str() {
        "renew" => (CardVerb::Renew, "renew"),
        "retire" => (CardVerb::Retire, "retire"),
        _ => return Err(Wrong::Unread("verb".to_owned())),
    };
    let Ok(terminal) = terminal(&sent.terminal) else { return Err(Wrong::Unread("terminal".to_owned())) };
    let allowed = visit.deed(Deed::CardAllowed, move |tx, by| {
        let household = tx.household_of_card(number)?.ok_or(StoreError::UnknownCard)?;
        let until = by.now.after_s(READER_S);
        tx.card_grant(terminal, verb, (number, Tier::Purse), Some(&household), until)?;
        let detail = format!("{name} at terminal {terminal}");
        let given = (allowed(name, number, terminal, until.get()), household);
        Ok(Done { given, subject: format!("card {number}"), detail })
    });
    let (allowed, household) = allowed.await?;
    if visit.is_program() {
        return visit.done(&allowed, "");
    }
    reader_page(&visit, allowed, household)
}

pub(super) async fn ask_replace(visit: Visit, Path(number): Path<u32>) -> Result<Response, Wrong> {
    replace_page(&visit, StatusCode::OK, (number, New::default()), Vec::new()).await
}

async fn replace_page(
    visit: &Visit,
    status: StatusCode,
    (number, sent): (u32, New),
    faults: Vec<Fault>,
) -> Result<Response, Wrong> {
    if visit.is_program() {
        return refused_fields(visit, &faults);
    }
    let now = visit.now;
    let file = visit.store(move |tx| tx.card_file(number, now)).await?;
    let f = Frame::new(visit, "card-replace-title").with_faults(faults);
    page(status, &ReplacePage { f, data: shown(&file), sent })
}

pub(super) async fn replace(visit: Visit, Path(number): Path<u32>, Sent(sent): Sent<New>) -> Result<Response, Wrong> {
    let asked = sent.number().and_then(|new| Ok((new, sent.card(&visit)?)));
    let (new, card) = match asked {
        Ok(asked) => asked,
        Err(fault) => {
            return replace_page(&visit, StatusCode::UNPROCESSABLE_ENTITY, (number, sent), vec![fault]).await;
        }
    };
    let replaced = visit.deed(Deed::CardReplaced, move |tx, by| {
        let version = tx.card_replace(number, new, card, by.now)?;
        tx.release_cards(by.now)?;
        let given = Replaced { card_number: number, new_card_number: new, hot_list_version: version.get() };
        Ok(Done { given, subject: format!("card {number}"), detail: format!("by card {new}, hot list {version}") })
    });
    match replaced.await {
        Ok(replaced) => visit.done(&replaced, &format!("/cards/{number}")),
        Err(error) => match fault(&error) {
            Some(fault) => replace_page(&visit, StatusCode::UNPROCESSABLE_ENTITY, (number, sent), vec![fault]).await,
            None => Err(error.into()),
        },
    }
}
