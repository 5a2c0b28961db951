//! People and cards: households with their people and money, cards and what becomes of lost ones, files to import.
//!
//! Names are opened for admins alone, and stand in no address, log or entry of the audit log.

mod card_forms;
mod cards;
mod ends;
mod household_forms;
mod households;
mod import_words;
mod imports;
mod lost;
mod members;

use axum::routing::{get, post};
use cabas_protocol::Timestamp;
use cabas_protocol::row::Tier;
use schemars::JsonSchema;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};

use super::{ADMIN, Nothing, OFFICE, works};
use crate::admin::document::Told;
use crate::admin::site::{Group, Route};
use crate::admin::visit::Visit;
use crate::core::roles::Role;
use crate::store;

/// The routes of this subject.
pub(super) fn routes() -> Vec<Route> {
    [household_routes(), card_routes(), import_routes()].concat()
}

fn household_routes() -> Vec<Route> {
    vec![
        Route::get("/households", OFFICE, get(households::list))
            .menu(Group::People, "menu-households")
            .api(Told::of::<households::List>("Households by code, a page of them.").taking::<households::Asked>()),
        Route::get("/households/new", ADMIN, get(household_forms::new)),
        Route::post("/households", ADMIN, post(household_forms::add))
            .api(Told::of::<Named>("Adds a household, with a purse.").taking::<household_forms::New>()),
        Route::get("/households/{household}", OFFICE, get(households::one))
            .api(Told::of::<households::Household>("A household, its money, cards and history; names for admins.")),
        Route::get("/households/{household}/change", ADMIN, get(household_forms::ask_change)),
        Route::post("/households/{household}/change", ADMIN, post(household_forms::change)).api(
            Told::of::<household_forms::Changed>("A household has other people, or contributes otherwise.")
                .taking::<household_forms::Change>(),
        ),
        Route::get("/households/{household}/leave", ADMIN, get(ends::ask_leave)),
        Route::post("/households/{household}/leave", ADMIN, post(ends::leave))
            .api(Told::of::<ends::Left>("A household leaves.").taking::<Nothing>()),
        Route::post("/households/{household}/return", ADMIN, post(ends::back))
            .api(Told::of::<Named>("A household comes back.").taking::<Nothing>()),
        Route::get("/households/{household}/erase", ADMIN, get(ends::ask_erase)),
        Route::post("/households/{household}/erase", ADMIN, post(ends::erase))
            .api(Told::of::<ends::Erased>("Erases what is personal of a household that left.").taking::<Nothing>()),
        Route::post("/households/{household}/members", ADMIN, post(members::add))
            .api(Told::of::<Named>("Adds a name to a household.").taking::<members::New>()),
        Route::post("/households/{household}/members/{member}/remove", ADMIN, post(members::remove))
            .api(Told::of::<Named>("Takes a name out of a household.").taking::<Nothing>()),
    ]
}

fn card_routes() -> Vec<Route> {
    vec![
        Route::get("/cards/lost", OFFICE, get(lost::form)).menu(Group::People, "menu-lost"),
        Route::post("/cards/lost", OFFICE, post(lost::find)).api(
            Told::of::<lost::Found>("Finds households by code or card number; by name, too, for admins.")
                .taking::<lost::Asked>(),
        ),
        Route::get("/cards/{card}", OFFICE, get(cards::one))
            .under(Group::People)
            .api(Told::of::<cards::File>("A card: what was released of it, what is held and why.")),
        Route::post("/cards/{card}/block", OFFICE, post(cards::block))
            .api(Told::of::<cards::Listed>("Blocks a card.").taking::<Nothing>()),
        Route::post("/cards/{card}/unblock", ADMIN, post(cards::unblock))
            .api(Told::of::<cards::Listed>("Takes a card off the hot list.").taking::<Nothing>()),
        Route::get("/cards/{card}/replace", ADMIN, get(card_forms::ask_replace)),
        Route::post("/cards/{card}/replace", ADMIN, post(card_forms::replace)).api(
            Told::of::<card_forms::Replaced>("Blocks a card; a new plain one takes its place.")
                .taking::<card_forms::New>(),
        ),
        Route::post("/cards/{card}/reader", ADMIN, post(card_forms::reader)).api(
            Told::of::<card_forms::Allowed>("Lets a terminal's reader renew or retire a card, for a while.")
                .taking::<card_forms::Reader>(),
        ),
        Route::get("/households/{household}/cards/new", ADMIN, get(card_forms::ask_issue)),
        Route::post("/households/{household}/cards", ADMIN, post(card_forms::issue)).api(
            Told::of::<card_forms::Issued>("Issues a card, or lets a terminal's reader issue it.")
                .taking::<card_forms::New>(),
        ),
    ]
}

fn import_routes() -> Vec<Route> {
    vec![
        Route::get("/imports", ADMIN, get(imports::list)).menu(Group::People, "menu-imports").api(Told::of::<
            imports::List,
        >(
            "Uploaded files, newest first.",
        )),
        Route::post("/imports", ADMIN, post(imports::upload))
            .file()
            .api(Told::of::<imports::Uploaded>("Uploads a CSV file; nothing is booked yet.")),
        Route::get("/imports/{import}", ADMIN, get(imports::one))
            .api(Told::of::<imports::Preview>("What an uploaded file would add and change.")),
        Route::post("/imports/{import}/confirm", ADMIN, post(imports::confirm))
            .api(Told::of::<works::Asked>("Imports just what was shown.").taking::<imports::Confirm>()),
        Route::post("/imports/{import}/put-away", ADMIN, post(imports::put_away))
            .api(Told::of::<imports::Uploaded>("Puts an uploaded file away.").taking::<Nothing>()),
    ]
}

/// What words are made of from names of the program.
#[cfg(test)]
pub(in crate::admin) fn made() -> Vec<String> {
    let texts = |prefix: &str, names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("{prefix}{}", name.replace(' ', "-"))).collect()
    };
    let states = store::UploadState::ALL.map(store::UploadState::name);
    [
        texts("event-", &households::EVENTS),
        texts("card-is-", &["purse", "identity", "plain"]),
        texts("import-is-", &states),
        texts("import-kind-", &["households", "cards", "shops", "members"]),
        texts("households-", &["there", "left", "without-card"]),
    ]
    .concat()
}

/// A household was meant.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Named {
    /// Its code.
    household: String,
}

/// A card.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Card {
    /// The number printed on it.
    card_number: u32,
    /// `purse`, `identity` or `plain`.
    kind: &'static str,
    /// Since when it is blocked.
    blocked_at: Option<u64>,
    /// What went back from it to its household; then it never spends again.
    released_cents: Option<u64>,
    /// When.
    released_at: Option<u64>,
    /// What lies on it and nowhere else, as far as the hub has heard; none for a card that spends from what its household
    /// shares.
    left_cents: Option<u64>,
}

impl Card {
    fn of(line: &store::CardLine, left_cents: Option<u64>) -> Self {
        Self {
            card_number: line.number,
            kind: kind(line.tier),
            blocked_at: line.blocked_at.map(Timestamp::get),
            released_cents: line.released.map(|(cents, _)| cents.get()),
            released_at: line.released.map(|(_, at)| at.get()),
            left_cents,
        }
    }
}

const fn kind(tier: Tier) -> &'static str {
    match tier {
        Tier::Purse => "purse",
        Tier::Identity => "identity",
        Tier::Plain => "plain",
    }
}

fn is_admin(visit: &Visit) -> bool {
    visit.standing.role() == Some(Role::Admin)
}

/// The page of a household. Codes are letters, digits, `.`, `_` and `-`; what else stands in one is escaped.
fn path_of(household: &str) -> String {
    format!("/households/{}", crate::admin::fields::segment(household))
}

/// The names of a household, as its pages give them to admins; nothing in the place of one that other keys sealed.
fn opened(visit: &Visit, household: &str, sealed: &[u8]) -> Option<String> {
    visit.app.secrets.open_name(household, sealed).map(|name| name.to_string())
}

/// What a form sends as a text, and a program as a number or a text.
fn typed<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    struct Typed;
    impl Visitor<'_> for Typed {
        type Value = String;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a whole number")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            Ok(text.trim().to_owned())
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_unit<E: Error>(self) -> Result<String, E> {
            Ok(String::new())
        }
    }
    from.deserialize_any(Typed)
}

/// When the month began, on the machine's calendar; a moment that no calendar has is its own month.
fn month_began(now: Timestamp) -> Timestamp {
    let at = i64::try_from(now.get()).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let first = at.and_then(|at| at.to_zoned(jiff::tz::TimeZone::system()).first_of_month().ok()?.start_of_day().ok());
    first.and_then(|first| u64::try_from(first.timestamp().as_second()).ok()).map_or(now, Timestamp::new)
}
