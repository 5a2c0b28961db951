//! One shop: how it came here, what may come next and what is missing, its terminals, what it covers and how it is set.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use cabas_protocol::Cents;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::fields::{day_text, today};
use super::super::frame::{Frame, answer};
use super::super::visit::{Visit, Wrong};
use super::grids::{self, CategoryLine};
use super::shop_settings::days_of;
use super::shops::questionnaire;
use super::terminals::{self, TerminalShown};
use crate::core::joining::{Stage, Step, ahead, steps_from};
use crate::core::roles::Role;
use crate::documents;
use crate::store::{JoiningDocument, JoiningView, ShopView, StepView};

/// What can be missing, beside steps.
pub(in crate::admin) const MISSING: [&str; 4] = ["account", "terminal", "agreement", "documents"];

/// A shop.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct OneShop {
    /// Its code.
    shop: String,
    name: String,
    kind: String,
    /// `shop` or `producer`.
    questionnaire: &'static str,
    /// Where it stands.
    stage: &'static str,
    /// What was done, oldest first.
    steps: Vec<StepLine>,
    /// What may be done.
    next: Vec<&'static str>,
    /// Steps before it opens for the first time.
    ahead: Vec<&'static str>,
    /// What else is missing: `account` (no bank account is known), `terminal` (none is live), `agreement` (the signed one is not
    /// among the documents), `documents` (one is not in the data folder, or is damaged).
    missing: Vec<&'static str>,
    /// Once it has opened.
    settings: Option<Settings>,
    terminals: Vec<TerminalShown>,
    /// What the fund covers there today.
    covers: Vec<CategoryLine>,
}

/// A step that was done.
#[derive(Clone, Debug, JsonSchema, Serialize)]
struct StepLine {
    /// `propose`, `pair`, `visit`, `present`, `consent`, `object`, `amend`, `sign`, `open`, `suspend` or `close`.
    step: &'static str,
    /// The day on which it happened.
    day: String,
    #[serde(skip)]
    day_number: u32,
    /// Who says so.
    by: String,
    words: String,
    /// When it was written down.
    recorded_at: u64,
    documents: Vec<DocumentLine>,
}

/// A document.
#[derive(Clone, Debug, JsonSchema, Serialize)]
struct DocumentLine {
    /// Its address is `/documents/` and this.
    hash: String,
    name: String,
    media_type: String,
    bytes: u64,
    /// False where it is not in the data folder, or is damaged.
    is_kept: bool,
}

/// How an open shop is set.
#[derive(Clone, Debug, JsonSchema, Serialize)]
struct Settings {
    /// Its share of all purchases, as the fund expects it.
    expected_share_permille: u32,
    /// What each household is to find there on market days.
    floor_cents: u64,
    /// `mon` to `sun`.
    market_days: Vec<&'static str>,
    /// The key slot on purse cards that its terminals use.
    slot: Option<u8>,
    /// The newest version of its key.
    slot_version: Option<u8>,
    /// Settled sales that no settlement has closed yet.
    owed_cents: u64,
}

#[derive(Template)]
#[template(path = "shop_file.html")]
struct ShopFilePage {
    f: Frame,
    data: OneShop,
    is_admin: bool,
}

impl DocumentLine {
    /// Whole kilobytes, at least one.
    const fn kilobytes(&self) -> u64 {
        self.bytes.div_ceil(1_000)
    }
}

impl StepLine {
    fn of(view: StepView, is_kept: impl Fn(&JoiningDocument) -> bool) -> Self {
        let told = view.told;
        let day_number = u32::try_from(told.day).unwrap_or(u32::MAX);
        let document = |document: JoiningDocument| DocumentLine {
            is_kept: is_kept(&document),
            hash: document.hash.to_string(),
            name: document.name,
            media_type: document.media_type,
            bytes: document.bytes,
        };
        Self {
            step: told.step.name(),
            day: day_text(day_number),
            day_number,
            by: told.by,
            words: told.words,
            recorded_at: view.recorded_at.get(),
            documents: told.documents.into_iter().map(document).collect(),
        }
    }
}

pub(super) async fn page(visit: Visit, Path(shop): Path<String>) -> Result<Response, Wrong> {
    let data = read(&visit, shop).await?;
    let is_admin = visit.standing.role() == Some(Role::Admin);
    let title = data.name.clone();
    answer(&visit, &title, Vec::new(), data, |f, data| ShopFilePage { f, data, is_admin })
}

async fn read(visit: &Visit, code: String) -> Result<OneShop, Wrong> {
    let now = visit.now;
    let read = visit.store(move |tx| {
        let view = tx.joining(&code)?;
        let shop = tx.shops()?.into_iter().find(|shop| shop.code == code);
        let (owed, has_account) = match &shop {
            Some(_) => (tx.shop_owed(&code)?, !tx.shop_accounts(&code)?.is_empty()),
            None => (Cents::ZERO, false),
        };
        let terminals = terminals::read(tx, now)?.into_iter().filter(|shown| shown.line.shop == code);
        let terminals: Vec<_> = terminals.collect();
        let covers = grids::holding(&tx.grids()?, Some(&code), today(now)).map(grids::categories).unwrap_or_default();
        Ok((view, shop, owed, has_account, terminals, covers))
    });
    let (view, shop, owed, has_account, terminals, covers) = read.await?;
    let dir = visit.app.documents.clone();
    let JoiningView { joining, stage, steps } = view;
    // Looking at documents takes a while: not on the ledger's thread.
    let steps = visit.app.workers.run(move || {
        let is_kept = |document: &JoiningDocument| documents::is_kept(&dir, &document.hash);
        Ok(steps.into_iter().map(|step| StepLine::of(step, is_kept)).collect::<Vec<_>>())
    });
    let steps = steps.await?;
    Ok(OneShop {
        missing: missing(stage, &steps, &terminals, has_account),
        steps,
        next: steps_from(stage).map(Step::name).collect(),
        ahead: ahead(stage).iter().map(|step| step.name()).collect(),
        stage: stage.name(),
        questionnaire: questionnaire(joining.is_producer),
        settings: shop.map(|shop| settings(shop, owed)),
        terminals,
        covers,
        shop: joining.code,
        name: joining.name,
        kind: joining.kind,
    })
}

fn settings(shop: ShopView, owed: Cents) -> Settings {
    Settings {
        expected_share_permille: shop.weight_permille,
        floor_cents: shop.floor.get(),
        market_days: days_of(shop.market_days),
        slot: shop.slot.map(|(slot, _)| slot),
        slot_version: shop.slot.map(|(_, version)| version),
        owed_cents: owed.get(),
    }
}

fn missing(stage: Stage, steps: &[StepLine], terminals: &[TerminalShown], has_account: bool) -> Vec<&'static str> {
    let signed = steps.iter().rev().find(|step| step.step == Step::Sign.name());
    let is_lost = steps.iter().flat_map(|step| &step.documents).any(|document| !document.is_kept);
    let is_open = stage == Stage::Open;
    let of = |name: &str| match name {
        "account" => is_open && !has_account,
        "terminal" => is_open && !terminals.iter().any(|shown| shown.line.standing == "live"),
        "agreement" => stage != Stage::Closed && signed.is_some_and(|step| step.documents.is_empty()),
        _ => is_lost,
    };
    MISSING.into_iter().filter(|name| of(name)).collect()
}
