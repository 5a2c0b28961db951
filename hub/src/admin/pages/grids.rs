//! Grids: what part of which goods the fund covers, today and later, at all shops or at one.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use cabas_protocol::CategoryId;
use cabas_protocol::objects::{CATEGORIES_MAX, Category};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fields::{day, day_text, today};
use super::super::frame::{Fault, Frame, answer};
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use crate::core::audit::Deed;
use crate::core::roles::Role;
use crate::store::{GridView, ShopView, StoreError};

/// Empty lines of the form under those of the grid that holds.
const EMPTY_LINES: usize = 3;

/// How a grid stands on a day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::admin) enum State {
    /// It counts.
    Holds,
    /// It will.
    ToCome,
    /// It does not count any more, or never will: a newer one stands over it.
    Past,
}

impl State {
    /// Every state.
    pub(in crate::admin) const ALL: [Self; 3] = [Self::Holds, Self::ToCome, Self::Past];

    /// What it is called.
    #[must_use]
    pub(in crate::admin) const fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::ToCome => "to-come",
            Self::Past => "past",
        }
    }
}

/// A category of a grid.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub(super) struct CategoryLine {
    /// Its number, the same in every grid.
    pub(super) category: u16,
    /// What part the fund covers.
    pub(super) share_percent: u8,
    pub(super) label_fr: String,
    pub(super) label_en: String,
}

/// A grid.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct GridLine {
    version: u32,
    /// Its shop; none where it is for all.
    shop: Option<String>,
    shop_name: Option<String>,
    /// The first day.
    from: String,
    #[serde(skip)]
    from_day: u32,
    /// `holds`, `to-come` or `past`.
    state: &'static str,
    /// The first one is the default.
    categories: Vec<CategoryLine>,
}

/// All grids.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Grids {
    /// Newest first: of those that hold on a day the newest counts.
    grids: Vec<GridLine>,
}

/// A new grid.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct NewGrid {
    /// One shop; none, or nothing, for all.
    #[serde(default)]
    shop: String,
    /// The first day, today at the earliest.
    #[serde(default)]
    from: String,
    /// The first one is the default.
    #[serde(default)]
    categories: Vec<CategoryLine>,
    /// What a form sends: `id-0`, `share-0`, `fr-0`, `en-0` and so on.
    #[serde(flatten)]
    #[schemars(skip)]
    typed: BTreeMap<String, serde_json::Value>,
}

/// The number of the grid that was set.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct GridSet {
    version: u32,
}

/// For which shop the form is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct For {
    #[serde(default)]
    shop: String,
}

#[derive(Template)]
#[template(path = "grids.html")]
struct GridsPage {
    f: Frame,
    data: Grids,
    is_admin: bool,
}

impl GridsPage {
    const STATES: [State; 3] = State::ALL;

    fn of(&self, state: &State) -> Vec<&GridLine> {
        self.data.grids.iter().filter(|grid| grid.state == state.name()).collect()
    }
}

/// A line of the form, as it was typed.
#[derive(Clone, Debug, Default, Serialize)]
struct Line {
    id: String,
    share: String,
    fr: String,
    en: String,
}

#[derive(Template)]
#[template(path = "grid_new.html")]
struct NewPage {
    f: Frame,
    lines: Vec<Line>,
    shops: Vec<ShopView>,
    shop: String,
    from: String,
}

/// A grid's categories as they are shown.
pub(super) fn categories(grid: &GridView) -> Vec<CategoryLine> {
    let line = |category: &Category| CategoryLine {
        category: category.id.get(),
        share_percent: category.share_percent,
        label_fr: category.label_fr.clone(),
        label_en: category.label_en.clone(),
    };
    grid.categories.iter().map(line).collect()
}

/// The grid that counts on a day, at a shop or where a shop has none of its own: the newest of those that hold.
pub(super) fn holding<'g>(grids: &'g [GridView], shop: Option<&str>, day: u32) -> Option<&'g GridView> {
    let theirs = grids.iter().filter(|grid| grid.shop.is_none() || grid.shop.as_deref() == shop);
    theirs.filter(|grid| grid.valid_from_day <= day).max_by_key(|grid| grid.version)
}

/// How a grid stands on a day.
fn state(grids: &[GridView], grid: &GridView, shops: &[ShopView], day: u32) -> State {
    let own = grid.shop.as_deref();
    let counts_at =
        |shop: Option<&str>, day: u32| holding(grids, shop, day).map(|found| found.version) == Some(grid.version);
    // One for all counts as long as it does at one shop, or where a shop has none of its own.
    let counts_on = |day: u32| match own {
        Some(_) => counts_at(own, day),
        None => counts_at(None, day) || shops.iter().any(|shop| counts_at(Some(&shop.code), day)),
    };
    if counts_on(day) {
        State::Holds
    } else if grid.valid_from_day > day && counts_on(grid.valid_from_day) {
        State::ToCome
    } else {
        State::Past
    }
}

pub(super) async fn list(visit: Visit) -> Result<Response, Wrong> {
    let (grids, shops) = visit.store(|tx| Ok((tx.grids()?, tx.shops()?))).await?;
    let day = today(visit.now);
    let line = |grid: &GridView| GridLine {
        version: grid.version.get(),
        shop_name: shops.iter().find(|shop| Some(&shop.code) == grid.shop.as_ref()).map(|shop| shop.name.clone()),
        shop: grid.shop.clone(),
        from: day_text(grid.valid_from_day),
        from_day: grid.valid_from_day,
        state: state(&grids, grid, &shops, day).name(),
        categories: categories(grid),
    };
    let data = Grids { grids: grids.iter().map(line).collect() };
    let is_admin = visit.standing.role() == Some(Role::Admin);
    answer(&visit, "grids-title", Vec::new(), data, |f, data| GridsPage { f, data, is_admin })
}

pub(super) async fn form(visit: Visit, Query(asked): Query<For>) -> Result<Response, Wrong> {
    let grids = visit.store(|tx| tx.grids()).await?;
    let shop = Some(asked.shop.as_str()).filter(|shop| !shop.is_empty());
    let held = holding(&grids, shop, today(visit.now)).map(categories).unwrap_or_default();
    let line = |category: CategoryLine| Line {
        id: category.category.to_string(),
        share: category.share_percent.to_string(),
        fr: category.label_fr,
        en: category.label_en,
    };
    let lines = held.into_iter().map(line).collect();
    show(&visit, lines, asked.shop, day_text(today(visit.now)), Vec::new()).await
}

async fn show(
    visit: &Visit,
    mut lines: Vec<Line>,
    shop: String,
    from: String,
    faults: Vec<Fault>,
) -> Result<Response, Wrong> {
    let shops = visit.store(|tx| tx.shops()).await?;
    let room = lines.len().saturating_add(EMPTY_LINES).min(CATEGORIES_MAX);
    lines.resize_with(room, Line::default);
    answer(visit, "grid-new-title", faults, lines, |f, lines| NewPage { f, lines, shops, shop, from })
}

/// The lines of a form that are not empty.
fn typed(sent: &BTreeMap<String, serde_json::Value>) -> Vec<Line> {
    let field = |name: &str, place: usize| {
        let value = sent.get(&format!("{name}-{place}")).and_then(serde_json::Value::as_str);
        value.unwrap_or_default().trim().to_owned()
    };
    let line = |place| Line {
        id: field("id", place),
        share: field("share", place),
        fr: field("fr", place),
        en: field("en", place),
    };
    let lines = (0..CATEGORIES_MAX).map(line);
    // A line without names is one that was taken out.
    lines.filter(|line| !line.fr.is_empty() || !line.en.is_empty()).collect()
}

fn category(line: &Line) -> Result<CategoryLine, &'static str> {
    let share = line.share.trim_end_matches('%').trim();
    if line.fr.is_empty() || line.en.is_empty() {
        return Err("grid-names-wrong");
    }
    Ok(CategoryLine {
        category: line.id.parse().map_err(|_| "grid-number-wrong")?,
        share_percent: share.parse().map_err(|_| "grid-share-wrong")?,
        label_fr: line.fr.clone(),
        label_en: line.en.clone(),
    })
}

pub(super) async fn set(visit: Visit, Sent(sent): Sent<NewGrid>) -> Result<Response, Wrong> {
    let lines = typed(&sent.typed);
    let mut faults = Vec::new();
    let told = if visit.is_program() {
        Ok(sent.categories)
    } else {
        lines.iter().map(category).collect::<Result<Vec<_>, _>>()
    };
    let told = told.unwrap_or_else(|text| {
        faults.push(Fault { field: "categories", text });
        Vec::new()
    });
    if faults.is_empty() {
        faults.extend(wrong(&told).map(|text| Fault { field: "categories", text }));
    }
    let from = day(&sent.from);
    match from {
        None => faults.push(Fault { field: "from", text: "joining-day-unread" }),
        Some(from) if from < today(visit.now) => faults.push(Fault { field: "from", text: "grid-day-past" }),
        Some(_) => {}
    }
    let (Some(from), true) = (from, faults.is_empty()) else {
        return show(&visit, lines, sent.shop, sent.from, faults).await;
    };
    let categories: Vec<_> = told.into_iter().map(of_line).collect();
    let shop = Some(sent.shop.clone()).filter(|shop| !shop.is_empty());
    let given = visit.deed(Deed::GridSet, move |tx, by| {
        let version = tx.grid_set(shop.as_deref(), &categories, from, by.now)?.get();
        let shares: Vec<_> =
            categories.iter().map(|category| format!("{}: {} %", category.id, category.share_percent)).collect();
        let subject = shop.map_or_else(|| "all shops".to_owned(), |shop| format!("shop {shop}"));
        let detail = format!("grid {version} from {}: {}", day_text(from), shares.join(", "));
        Ok(Done { given: GridSet { version }, subject, detail })
    });
    match given.await {
        Ok(given) => visit.done(&given, "/grids"),
        Err(StoreError::UnknownShop) => {
            let fault = Fault { field: "shop", text: "terminals-shop-wrong" };
            show(&visit, lines, sent.shop, sent.from, vec![fault]).await
        }
        Err(StoreError::Text(_)) => {
            let fault = Fault { field: "categories", text: "grid-names-wrong" };
            show(&visit, lines, sent.shop, sent.from, vec![fault]).await
        }
        Err(error) => Err(error.into()),
    }
}

fn of_line(line: CategoryLine) -> Category {
    let CategoryLine { category, share_percent, label_fr, label_en } = line;
    Category { id: CategoryId::new(category), share_percent, label_fr, label_en }
}

/// What terminals would not take.
fn wrong(lines: &[CategoryLine]) -> Option<&'static str> {
    let numbers: std::collections::BTreeSet<_> = lines.iter().map(|line| line.category).collect();
    if lines.is_empty() || lines.len() > CATEGORIES_MAX {
        Some("grid-none")
    } else if numbers.len() < lines.len() {
        Some("grid-number-twice")
    } else if lines.iter().any(|line| line.share_percent > 100) {
        Some("grid-share-wrong")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cabas_protocol::Version;

    fn grid(version: u32, shop: Option<&str>, valid_from_day: u32) -> GridView {
        GridView {
            version: Version::new(version),
            shop: shop.map(str::to_owned),
            valid_from_day,
            categories: Vec::new(),
        }
    }

    #[test]
    fn of_the_grids_that_hold_on_a_day_the_newest_counts() {
        let grids =
            [grid(5, None, 30), grid(4, Some("a"), 10), grid(3, None, 20), grid(2, Some("a"), 25), grid(1, None, 0)];
        let version = |shop, day| holding(&grids, shop, day).map(|grid| grid.version.get());
        for (shop, day, expected) in [
            (None, 5, 1),
            (Some("a"), 5, 1),
            (Some("a"), 10, 4),
            (Some("b"), 10, 1),
            (Some("b"), 20, 3),
            (Some("a"), 26, 4),
            (Some("a"), 30, 5),
        ] {
            assert_eq!(version(shop, day), Some(expected), "{shop:?} on {day}");
        }
        let states: Vec<_> = grids.iter().map(|grid| state(&grids, grid, &[], 12).name()).collect();
        assert_eq!(states, ["to-come", "holds", "to-come", "past", "holds"]);
        assert_eq!(holding(&[], None, 5), None);
    }
}
