//! Shops: the list by kind and stage, and who proposes a new one.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fields::{day, day_text, segment, today};
use super::super::frame::{Fault, Frame, answer};
use super::super::sent::{Sent, Upload};
use super::super::visit::{Done, Visit, Wrong};
use super::documents::{self, Named};
use super::joining::{StepDone, fault_of};
use crate::core::audit::Deed;
use crate::core::joining::{Stage, Step};
use crate::store::{Joining, JoiningDocument, JoiningStep, JoiningView, ShopView};

/// Kinds that have words of their own; a shop may be of another one.
pub(in crate::admin) const KINDS: [&str; 10] = [
    "amap",
    "bakery",
    "butcher",
    "cheese-maker",
    "fishmonger",
    "market-gardener",
    "meat-producer",
    "organic-store",
    "restaurant",
    "solidarity-grocery",
];
/// Letters of a code, as the import takes them.
const CODE_CHARS_MAX: usize = 32;

impl Frame {
    /// A kind of shop in words; the word itself where it is the fund's own.
    #[must_use]
    pub fn kind(&self, kind: &str) -> String {
        if KINDS.contains(&kind) { self.named("shop-kind-", kind) } else { kind.to_owned() }
    }
}

/// A shop in the list.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct ShopLine {
    /// Its code.
    shop: String,
    name: String,
    kind: String,
    /// `shop` or `producer`: the questionnaire that fits it.
    questionnaire: &'static str,
    /// Where it stands: `proposed`, `paired`, `visited`, `presented`, `objected`, `accepted`, `signed`, `open`, `suspended`
    /// or `closed`.
    stage: &'static str,
    /// How many terminals it has.
    terminals: u32,
}

/// The shops.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Shops {
    /// By kind and name.
    shops: Vec<ShopLine>,
}

/// Which shops.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Asked {
    /// Those of this kind alone.
    #[serde(default)]
    kind: String,
    /// Those that stand here alone.
    #[serde(default)]
    stage: String,
}

/// A shop as it is proposed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Proposal {
    /// Its code: 1 to 32 letters, digits, `.`, `_` and `-`.
    shop: String,
    /// Its name, as on receipts.
    name: String,
    /// What kind of shop it is.
    kind: String,
    /// `shop` or `producer`.
    questionnaire: String,
    /// The day [default: today].
    #[serde(default)]
    day: String,
    /// Who proposes it, and why.
    #[serde(default)]
    words: String,
    /// Documents that were sent to `/api/documents`.
    #[serde(default)]
    documents: Vec<Named>,
}

#[derive(Template)]
#[template(path = "shops.html")]
struct ShopsPage {
    f: Frame,
    data: Shops,
    asked: Asked,
    kinds: Vec<String>,
    sent: Proposal,
}

impl ShopsPage {
    const STAGES: [Stage; 10] = Stage::ALL;

    /// Kinds for a new shop: those that have words, then the fund's own.
    fn kinds_to_choose(&self) -> Vec<String> {
        let own = self.kinds.iter().filter(|kind| !KINDS.contains(&kind.as_str())).cloned();
        KINDS.into_iter().map(str::to_owned).chain(own).collect()
    }

    /// A kind that was typed and is none of these.
    fn other_kind(&self) -> &str {
        if self.kinds_to_choose().contains(&self.sent.kind) { "" } else { &self.sent.kind }
    }
}

/// The name of the questionnaire that fits a shop.
pub(super) const fn questionnaire(is_producer: bool) -> &'static str {
    if is_producer { "producer" } else { "shop" }
}

fn line(view: JoiningView, known: &[ShopView]) -> ShopLine {
    let terminals = known.iter().find(|shop| shop.code == view.joining.code).map_or(0, |shop| shop.terminals);
    ShopLine {
        questionnaire: questionnaire(view.joining.is_producer),
        stage: view.stage.name(),
        terminals,
        shop: view.joining.code,
        name: view.joining.name,
        kind: view.joining.kind,
    }
}

pub(super) async fn list(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Wrong> {
    let sent = Proposal { day: day_text(today(visit.now)), ..Proposal::default() };
    show(&visit, asked, sent, Vec::new()).await
}

async fn show(visit: &Visit, asked: Asked, sent: Proposal, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let (views, known) = visit.store(|tx| Ok((tx.joinings()?, tx.shops()?))).await?;
    let mut shops: Vec<_> = views.into_iter().map(|view| line(view, &known)).collect();
    let mut kinds: Vec<_> = shops.iter().map(|shop| shop.kind.clone()).collect();
    kinds.sort();
    kinds.dedup();
    shops.retain(|shop| {
        (asked.kind.is_empty() || shop.kind == asked.kind) && (asked.stage.is_empty() || shop.stage == asked.stage)
    });
    shops.sort_by(|one, other| (&one.kind, &one.name).cmp(&(&other.kind, &other.name)));
    answer(visit, "shops-title", faults, Shops { shops }, |f, data| ShopsPage { f, data, asked, kinds, sent })
}

/// A person proposes a shop.
pub(super) async fn propose(visit: Visit, upload: Upload) -> Result<Response, Wrong> {
    let field = |name: &str| upload.field(name).trim().to_owned();
    let other = field("kind_other");
    let sent = Proposal {
        shop: field("shop"),
        name: field("name"),
        kind: if other.is_empty() { field("kind") } else { other },
        questionnaire: field("questionnaire"),
        day: field("day"),
        words: super::joining::lines(upload.field("words")),
        documents: Vec::new(),
    };
    let mut faults = faults(&sent);
    let documents = documents::keep(&visit, &upload).await?.unwrap_or_else(|text| {
        faults.push(Fault { field: "file", text });
        Vec::new()
    });
    proposed(visit, sent, documents, faults).await
}

/// A program does.
pub(super) async fn propose_told(visit: Visit, Sent(sent): Sent<Proposal>) -> Result<Response, Wrong> {
    let mut faults = faults(&sent);
    let documents = documents::named(&visit, sent.documents.clone()).await?.unwrap_or_else(|text| {
        faults.push(Fault { field: "documents", text });
        Vec::new()
    });
    proposed(visit, sent, documents, faults).await
}

fn faults(sent: &Proposal) -> Vec<Fault> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let code = &sent.shop;
    let is_code = code.len() <= CODE_CHARS_MAX && code.starts_with(|c: char| c.is_ascii_alphanumeric());
    let wrong = [
        (is_code && code.chars().all(fits), Fault { field: "shop", text: "shops-code-wrong" }),
        (!sent.name.is_empty(), Fault { field: "name", text: "shops-name-wrong" }),
        (!sent.kind.is_empty(), Fault { field: "kind", text: "shops-kind-wrong" }),
        (
            matches!(sent.questionnaire.as_str(), "shop" | "producer"),
            Fault { field: "questionnaire", text: "shops-questionnaire-wrong" },
        ),
        (sent.day.is_empty() || day(&sent.day).is_some(), Fault { field: "day", text: "joining-day-unread" }),
    ];
    wrong.into_iter().filter(|(fits, _)| !fits).map(|(_, fault)| fault).collect()
}

async fn proposed(
    visit: Visit,
    sent: Proposal,
    documents: Vec<JoiningDocument>,
    faults: Vec<Fault>,
) -> Result<Response, Wrong> {
    if !faults.is_empty() {
        return show(&visit, Asked::default(), sent, faults).await;
    }
    let joining = Joining {
        code: sent.shop.clone(),
        name: sent.name.clone(),
        kind: sent.kind.clone(),
        is_producer: sent.questionnaire == "producer",
    };
    let (on, words) = (day(&sent.day).unwrap_or_else(|| today(visit.now)), sent.words.clone());
    let done = visit.deed(Deed::ShopProposed, move |tx, by| {
        let code = joining.code.clone();
        let told = JoiningStep {
            code: code.clone(),
            step: Step::Propose,
            day: on.into(),
            by: by.who.clone(),
            words,
            documents,
        };
        let done = tx.joining_propose(&joining, &told, by.now)?;
        let subject = format!("shop {code}");
        Ok(Done { given: StepDone::of(code, done), subject, detail: joining.kind.clone() })
    });
    match done.await {
        Ok(done) => visit.done(&done, &format!("/shops/{}", segment(&sent.shop))),
        Err(error) => match fault_of(&error) {
            Some(fault) => show(&visit, Asked::default(), sent, vec![fault]).await,
            None => Err(error.into()),
        },
    }
}
