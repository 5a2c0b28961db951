//! A loss is reported by phone: the household is found by code, card number or name, and one button blocks the card.
//!
//! What was typed may be a name: it is sent in a form's body, and stands in no address.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Card, households, is_admin, opened};
use crate::admin::frame::{Fault, Frame, answer, page};
use crate::admin::sent::Sent;
use crate::admin::visit::{Visit, Wrong};
use crate::store::{HouseholdFilter, NAMES_SEARCHED_MAX, StoreError, Tx};

/// Households that are shown of what was found.
const FOUND_MAX: usize = 20;
/// Letters of what is looked for.
const ASKED_CHARS_MAX: usize = 64;
/// The least letters of a name that are looked for.
const NAME_CHARS_MIN: usize = 2;

/// What is looked for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Asked {
    /// A part of a code, a card's number; for admins a part of a name, too.
    #[serde(default)]
    search: String,
}

/// What was found.
#[derive(Debug, Default, JsonSchema, Serialize)]
pub(super) struct Found {
    /// By code.
    households: Vec<Household>,
    /// True where there are more than are shown.
    more: bool,
}

/// A household that was found.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Household {
    /// Its code.
    household: String,
    /// Since when it is gone.
    left_at: Option<u64>,
    /// Its people by name: for admins alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<Vec<String>>,
    /// Its cards.
    cards: Vec<Card>,
}

#[derive(Template)]
#[template(path = "cards_lost.html")]
struct LostPage {
    f: Frame,
    data: Option<Found>,
    search: String,
    with_names: bool,
    /// The number that was looked for; 0 where it is none.
    number: u32,
}

pub(super) async fn form(visit: Visit) -> Result<Response, Wrong> {
    let f = Frame::new(&visit, "lost-title");
    let (search, with_names) = (String::new(), is_admin(&visit));
    page(StatusCode::OK, &LostPage { f, data: None, search, with_names, number: 0 })
}

pub(super) async fn find(visit: Visit, Sent(asked): Sent<Asked>) -> Result<Response, Wrong> {
    let search = asked.search.trim().to_owned();
    let with_names = is_admin(&visit);
    let is_good = !search.is_empty() && search.chars().count() <= ASKED_CHARS_MAX;
    let faults: Vec<_> =
        (!is_good).then_some(Fault { field: "search", text: "lost-search-wrong" }).into_iter().collect();
    let (found, number) = if is_good { found(&visit, &search).await? } else { (Found::default(), 0) };
    answer(&visit, "lost-title", faults, found, |f, found| {
        let data = f.faults.is_empty().then_some(found);
        LostPage { f, data, search, with_names, number }
    })
}

async fn found(visit: &Visit, search: &str) -> Result<(Found, u32), Wrong> {
    let number = search.trim_start_matches(['#', 'n', 'N', '°', ' ']).parse::<u32>().ok();
    let part = search.to_owned();
    let read = visit.store(move |tx| {
        let of_card = number.map(|number| tx.household_of_card(number)).transpose()?.flatten();
        let mut codes: Vec<String> = of_card.into_iter().collect();
        for filter in [HouseholdFilter::There, HouseholdFilter::Left] {
            let (lines, _) = tx.household_lines(filter, &part, "")?;
            codes.extend(lines.into_iter().map(|line| line.code));
        }
        Ok(codes)
    });
    let mut codes = read.await?;
    codes.extend(by_name(visit, search).await?);
    let mut seen = std::collections::BTreeSet::new();
    codes.retain(|code| seen.insert(code.clone()));
    let more = codes.len() > FOUND_MAX;
    codes.truncate(FOUND_MAX);
    let read = visit.store(move |tx| codes.into_iter().map(|code| household(tx, code)).collect::<Result<Vec<_>, _>>());
    let mut households = Vec::new();
    for (mut household, sealed) in read.await? {
        let names = sealed.iter().filter_map(|(_, name)| opened(visit, &household.household, name));
        household.names = is_admin(visit).then(|| names.collect());
        households.push(household);
    }
    Ok((Found { households, more }, number.unwrap_or(0)))
}

/// Names as they lie in the file, with the number of each.
type Sealed = Vec<(u32, Vec<u8>)>;

/// A household with its cards, and its names as they lie in the file.
fn household(tx: &Tx<'_>, code: String) -> Result<(Household, Sealed), StoreError> {
    let money = tx.household_money(&code)?.ok_or(StoreError::UnknownPurse)?;
    let left_at = tx.household_for_treasurer(&code)?.left_at.map(cabas_protocol::Timestamp::get);
    let cards = households::cards(tx, &code, &money)?;
    let sealed = tx.members(&code)?;
    Ok((Household { household: code, left_at, names: None, cards }, sealed))
}

/// The codes of households with such a name; none for who sees no names. Names are opened beside the ledger's thread.
async fn by_name(visit: &Visit, search: &str) -> Result<Vec<String>, Wrong> {
    let wanted = folded(search);
    if !is_admin(visit) || wanted.chars().count() < NAME_CHARS_MIN {
        return Ok(Vec::new());
    }
    let sealed = visit.store(|tx| tx.all_members(NAMES_SEARCHED_MAX)).await?;
    let app = std::sync::Arc::clone(&visit.app);
    let look = move || {
        let fits = |(code, name): &(String, Vec<u8>)| {
            app.secrets.open_name(code, name).is_some_and(|name| folded(&name).contains(&wanted))
        };
        Ok(sealed.into_iter().filter(fits).map(|(code, _)| code).collect())
    };
    Ok(visit.app.workers.run(look).await?)
}

/// Small letters without the accents of French: `Zoé` is found by `zoe`.
fn folded(text: &str) -> String {
    let plain = |letter: char| match letter {
        'à' | 'á' | 'â' | 'ä' | 'ã' | 'å' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'ö' | 'õ' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ý' | 'ÿ' => 'y',
        '’' => '\'',
        other => other,
    };
    text.to_lowercase().chars().map(plain).collect::<String>().replace('œ', "oe").replace('æ', "ae")
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn a_name_is_found_however_it_is_typed() {
        assert_eq!(folded("Zoé L’Œuvre-Ça"), folded("zoe l'oeuvre-ca"));
        assert_ne!(folded("Zoé"), folded("Zora"));
    }
}
