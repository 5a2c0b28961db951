//! The steps by which a shop joins, stops and leaves: each on a page of its own that says what it does.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fields::{day, day_text, segment, today};
use super::super::frame::{Fault, Frame, answer};
use super::super::sent::{Sent, Upload};
use super::super::visit::{Done, Visit, Wrong};
use super::documents::{self, Named};
use crate::core::audit::Deed;
use crate::core::joining::{Stage, Step, step as leads_to};
use crate::store::{Joining, JoiningDocument, JoiningDone, JoiningRefusal, JoiningStep, JoiningView, StoreError, Tx};

/// Who look after a shop: a pair or a trio.
const PAIR_MAX: usize = 3;
/// What a visit to a shop asks.
pub(in crate::admin) const SHOP_QUESTIONS: [&str; 6] = ["prices", "origin", "choice", "welcome", "work", "till"];
/// What a visit to a producer asks.
pub(in crate::admin) const PRODUCER_QUESTIONS: [&str; 6] =
    ["practices", "distance", "range", "prices", "work", "markets"];

/// What a step did.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct StepDone {
    shop: String,
    /// Where it stands.
    stage: String,
    /// Slices that are asked back from its terminals.
    recalled_slices: u32,
    /// Enrolments that were revoked.
    revoked_enrolments: u32,
}

impl StepDone {
    pub(super) fn of(shop: String, done: JoiningDone) -> Self {
        let JoiningDone { stage, recalled, revoked } = done;
        Self { shop, stage: stage.name().to_owned(), recalled_slices: recalled, revoked_enrolments: revoked }
    }
}

/// What a program tells of a step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct Told {
    /// The day [default: today].
    #[serde(default)]
    day: String,
    /// A reason, an amendment, what was found or agreed.
    #[serde(default)]
    words: String,
    /// The pair or trio, for the step `pair`.
    #[serde(default)]
    members: Vec<String>,
    /// Documents that were sent to `/api/documents`.
    #[serde(default)]
    documents: Vec<Named>,
}

/// What a person typed.
#[derive(Clone, Debug, Default)]
struct Typed {
    day: String,
    words: String,
    members: Vec<String>,
    /// In the order of the questionnaire.
    answers: Vec<String>,
}

/// A step of a shop that may be done.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Next {
    shop: String,
    name: String,
    step: &'static str,
    /// Where it leads.
    leads_to: &'static str,
}

#[derive(Template)]
#[template(path = "shop_step.html")]
struct StepPage {
    f: Frame,
    data: Next,
    sent: Typed,
    questions: Vec<&'static str>,
    needs_words: bool,
    was_open: bool,
}

impl StepPage {
    /// What the step does.
    fn what(&self) -> String {
        let is_drop = self.data.step == Step::Close.name() && !self.was_open;
        if is_drop { self.f.t("step-what-drop") } else { self.f.named("step-what-", self.data.step) }
    }

    fn is_grave(&self) -> bool {
        matches!(self.data.step, "suspend" | "close")
    }

    fn words_label(&self) -> &'static str {
        match self.data.step {
            "object" | "suspend" | "close" => "joining-reason",
            "amend" => "joining-amendment",
            "sign" => "joining-agreement",
            "visit" => "joining-found",
            _ => "joining-words",
        }
    }

    const fn words_hint(&self) -> &'static str {
        if self.needs_words { "joining-words-needed" } else { "" }
    }

    fn member(&self, index: usize) -> &str {
        self.sent.members.get(index).map_or("", String::as_str)
    }

    fn questions(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let answers = self.sent.answers.iter().map(String::as_str).chain(std::iter::repeat(""));
        self.questions.iter().copied().zip(answers)
    }
}

/// The lines of a text as they are kept, whatever the browser parts them with.
pub(super) fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace(['\r', '\t'], " ").trim().to_owned()
}

/// The field that a refusal is about.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not named here is about no field")]
pub(super) fn fault_of(error: &StoreError) -> Option<Fault> {
    let (field, text) = match error {
        StoreError::Joining(JoiningRefusal::NoWords) => ("words", "joining-no-words"),
        StoreError::Joining(JoiningRefusal::Day { .. }) => ("day", "joining-day-wrong"),
        StoreError::Joining(JoiningRefusal::Taken(_)) => ("shop", "joining-taken"),
        StoreError::Text("words") => ("words", "joining-words-long"),
        StoreError::Text("shop name") => ("name", "shops-name-wrong"),
        StoreError::Text("shop kind") => ("kind", "shops-kind-wrong"),
        StoreError::Text("code") => ("shop", "shops-code-wrong"),
        StoreError::Text("document name") => ("file", "document-unnamed"),
        _ => return None,
    };
    Some(Fault { field, text })
}

const fn questions(by: Step, view: &JoiningView) -> &'static [&'static str] {
    match (by, view.joining.is_producer) {
        (Step::Visit, true) => &PRODUCER_QUESTIONS,
        (Step::Visit, false) => &SHOP_QUESTIONS,
        (_, _) => &[],
    }
}

/// The shop and the step, where it may be done.
async fn asked(visit: &Visit, shop: String, by: &str) -> Result<(JoiningView, Step), Wrong> {
    let by = Step::of_name(by).ok_or(Wrong::NotFound)?;
    let view = visit.store(move |tx| tx.joining(&shop)).await?;
    leads_to(view.stage, by).map_err(|error| StoreError::from(JoiningRefusal::from(error)))?;
    Ok((view, by))
}

pub(super) async fn form(visit: Visit, Path((shop, by)): Path<(String, String)>) -> Result<Response, Wrong> {
    let (view, by) = asked(&visit, shop, &by).await?;
    let sent = Typed { day: day_text(today(visit.now)), ..Typed::default() };
    show(&visit, &view, by, sent, Vec::new())
}

fn show(visit: &Visit, view: &JoiningView, by: Step, sent: Typed, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let data = Next {
        shop: view.joining.code.clone(),
        name: view.joining.name.clone(),
        step: by.name(),
        leads_to: leads_to(view.stage, by).map_or(view.stage, |stage| stage).name(),
    };
    let (questions, needs_words) = (questions(by, view).to_vec(), by.needs_words());
    let title = format!("step-title-{}", by.name());
    let was_open = matches!(view.stage, Stage::Open | Stage::Suspended);
    answer(visit, &title, faults, data, |f, data| StepPage { f, data, sent, questions, needs_words, was_open })
}

/// A person does a step.
pub(super) async fn act(
    visit: Visit,
    Path((shop, by)): Path<(String, String)>,
    upload: Upload,
) -> Result<Response, Wrong> {
    let by = Step::of_name(&by).ok_or(Wrong::NotFound)?;
    let view = visit.store(move |tx| tx.joining(&shop)).await?;
    let members = (1..=PAIR_MAX).map(|number| upload.field(&format!("member{number}")).trim().to_owned());
    let asked = questions(by, &view);
    let sent = Typed {
        day: upload.field("day").to_owned(),
        words: lines(upload.field("words")),
        members: members.collect(),
        answers: asked.iter().map(|question| lines(upload.field(&format!("answer-{question}")))).collect(),
    };
    let mut faults = Vec::new();
    let documents = documents::keep(&visit, &upload).await?.unwrap_or_else(|text| {
        faults.push(Fault { field: "file", text });
        Vec::new()
    });
    let label = |question: &str| visit.app.site.words.get(visit.lang, &format!("question-{question}"));
    let answers = asked.iter().zip(&sent.answers).filter(|(_, answer)| !answer.is_empty());
    let answered: Vec<_> = answers.map(|(question, answer)| format!("{} : {answer}", label(question))).collect();
    let words = answered.into_iter().chain((!sent.words.is_empty()).then(|| sent.words.clone()));
    let words = words.collect::<Vec<_>>().join("\n");
    done(visit, (view, by), sent, words, documents, faults).await
}

/// A program does.
pub(super) async fn told(
    visit: Visit,
    Path((shop, by)): Path<(String, String)>,
    Sent(told): Sent<Told>,
) -> Result<Response, Wrong> {
    let by = Step::of_name(&by).ok_or(Wrong::NotFound)?;
    let view = visit.store(move |tx| tx.joining(&shop)).await?;
    let mut faults = Vec::new();
    let documents = documents::named(&visit, told.documents).await?.unwrap_or_else(|text| {
        faults.push(Fault { field: "documents", text });
        Vec::new()
    });
    let members = told.members.iter().map(|name| name.trim().to_owned()).collect();
    let words = lines(&told.words);
    let sent = Typed { day: told.day, words: words.clone(), members, answers: Vec::new() };
    done(visit, (view, by), sent, words, documents, faults).await
}

/// Two or three people, each once, before what else is said of them.
fn pair(members: &[String], words: &str) -> Option<String> {
    let named: Vec<_> = members.iter().filter(|name| !name.is_empty()).cloned().collect();
    let mut different: Vec<_> = named.iter().map(|name| name.to_lowercase()).collect();
    different.sort();
    different.dedup();
    if !(2..=PAIR_MAX).contains(&named.len()) || different.len() != named.len() {
        return None;
    }
    let named = named.join(", ");
    Some(if words.is_empty() { named } else { format!("{named}: {words}") })
}

async fn done(
    visit: Visit,
    (view, by): (JoiningView, Step),
    sent: Typed,
    words: String,
    documents: Vec<JoiningDocument>,
    mut faults: Vec<Fault>,
) -> Result<Response, Wrong> {
    let on = if sent.day.trim().is_empty() { Some(today(visit.now)) } else { day(&sent.day) };
    if on.is_none() {
        faults.push(Fault { field: "day", text: "joining-day-unread" });
    }
    let words = if by == Step::Pair { pair(&sent.members, &words) } else { Some(words) };
    if words.is_none() {
        let field = if visit.is_program() { "members" } else { "member1" };
        faults.push(Fault { field, text: "joining-pair-wrong" });
    }
    let (Some(on), Some(words), true) = (on, words, faults.is_empty()) else {
        return show(&visit, &view, by, sent, faults);
    };
    let joining = view.joining.clone();
    let deed = if by == Step::Propose { Deed::ShopProposed } else { Deed::ShopStep };
    let done = visit.deed(deed, move |tx, who| {
        let told =
            JoiningStep { code: joining.code.clone(), step: by, day: on.into(), by: who.who.clone(), words, documents };
        let done = record(tx, &joining, &told, who.now)?;
        let subject = format!("shop {}", joining.code);
        Ok(Done { given: StepDone::of(told.code, done), subject, detail: by.name().to_owned() })
    });
    match done.await {
        Ok(done) => visit.done(&done, &format!("/shops/{}", segment(&view.joining.code))),
        Err(error) => match fault_of(&error) {
            Some(fault) => show(&visit, &view, by, sent, vec![fault]),
            None => Err(error.into()),
        },
    }
}

fn record(
    tx: &mut Tx<'_>,
    joining: &Joining,
    told: &JoiningStep,
    now: cabas_protocol::Timestamp,
) -> Result<JoiningDone, StoreError> {
    if told.step == Step::Propose { tx.joining_propose(joining, told, now) } else { tx.joining_step(told, now) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_or_trio_is_two_or_three_different_people() {
        let of =
            |names: &[&str], words: &str| pair(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), words);
        assert_eq!(of(&["Ada", "", "Bo"], ""), Some("Ada, Bo".to_owned()));
        assert_eq!(of(&["Ada", "Bo", "Cy"], "mardi"), Some("Ada, Bo, Cy: mardi".to_owned()));
        for wrong in [&[][..], &["Ada"], &["Ada", "ada"], &["Ada", "Bo", "BO"], &["A", "B", "C", "D"]] {
            assert_eq!(of(wrong, ""), None, "{wrong:?}");
        }
    }

    #[test]
    fn lines_are_parted_alike_whatever_the_browser_sends() {
        assert_eq!(lines(" a\r\nb\rc\td \n"), "a\nb c d");
    }
}
