//! What the members vote each household is credited: the rules with their months, and a new one.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use cabas_protocol::Cents;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::fields::{cents, this_month, typed_in};
use super::super::frame::{Fault, Frame, answer};
use super::super::refusals::refusal;
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use super::super::words::Lang;
use crate::core::audit::Deed;
use crate::core::household_rules::{Household, Rule, RuleError, monthly_credit};
use crate::core::period::Period;
use crate::store::{RuleNote, StoreError};

/// Months after which money may expire, at the most.
const EXPIRE_MONTHS_MAX: u32 = 120;
/// Households that show what a rule gives: people, and children under 14 among them.
const EXAMPLES: [(u32, u32); 3] = [(1, 0), (2, 1), (4, 2)];

/// A rule with what it gives.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct RuleShown {
    /// The first month.
    from: String,
    /// The last month, where another rule follows.
    until: Option<String>,
    /// For the first person.
    first_cents: u64,
    /// For each further person of 14 or more.
    further_cents: u64,
    /// For each child under 14.
    child_cents: u64,
    /// After how many months unspent money expires; none where it is carried over.
    expire_months: Option<u32>,
    /// `past`, `now` or `later`.
    holds: &'static str,
    /// Who noted it, and when; none for the rule that the fund was made with.
    set_by: Option<String>,
    set_at: Option<u64>,
    /// What it gives.
    examples: Vec<Example>,
}

/// What a household is credited in a month.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
pub(super) struct Example {
    /// People, children included.
    size: u32,
    /// Children under 14.
    children_under_14: u32,
    /// Each month.
    cents: u64,
}

/// Every rule.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Rules {
    /// Newest first.
    rules: Vec<RuleShown>,
}

/// A new rule, as people type it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    from: String,
    #[serde(default)]
    first: String,
    #[serde(default)]
    further: String,
    #[serde(default)]
    child: String,
    #[serde(default)]
    expire: String,
}

/// A new rule that was voted.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct NewRule {
    /// The first month: one that was not credited yet.
    from: String,
    /// For the first person.
    first_cents: u64,
    /// For each further person of 14 or more.
    further_cents: u64,
    /// For each child under 14.
    child_cents: u64,
    /// After how many months unspent money expires, 1 to 120; without it, it is carried over.
    #[serde(default)]
    expire_months: Option<u32>,
}

/// The rule that was noted.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Noted {
    /// Its first month.
    from: String,
}

#[derive(Template)]
#[template(path = "rules.html")]
struct RulesPage {
    f: Frame,
    data: Rules,
    typed: Typed,
}

/// What a new rule would change.
#[derive(Debug, Serialize)]
struct Check {
    new: NewRule,
    /// What the rule before gives, and what the new one would.
    pairs: Vec<(Example, Example)>,
}

#[derive(Template)]
#[template(path = "rule_check.html")]
struct CheckPage {
    f: Frame,
    data: Check,
}

pub(super) async fn list(visit: Visit) -> Result<Response, Wrong> {
    show(&visit, Typed::default(), Vec::new()).await
}

async fn show(visit: &Visit, mut sent: Typed, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let (rules, notes) = visit.store(|tx| Ok((tx.rules()?, tx.rule_notes()?))).await?;
    let now = this_month(visit.now);
    if let Some(newest) = rules.last().filter(|_| sent.first.is_empty() && faults.is_empty()) {
        sent = of_rule(visit.lang, newest, now.and_then(|now| now.plus(1)));
    }
    let data = Rules { rules: shown(&rules, &notes, now)? };
    answer(visit, "rules-title", faults, data, |f, data| RulesPage { f, data, typed: sent })
}

fn of_rule(lang: Lang, rule: &Rule, from: Option<Period>) -> Typed {
    Typed {
        from: from.map(|from| from.to_string()).unwrap_or_default(),
        first: typed_in(lang, rule.first_person.get()),
        further: typed_in(lang, rule.further_person.get()),
        child: typed_in(lang, rule.child_under_14.get()),
        expire: rule.expire_months.map(|months| months.to_string()).unwrap_or_default(),
    }
}

fn shown(rules: &[Rule], notes: &[RuleNote], now: Option<Period>) -> Result<Vec<RuleShown>, StoreError> {
    let nexts = rules.iter().skip(1).map(Some).chain([None]);
    let holding = rules.iter().filter(|rule| now.is_some_and(|now| rule.from <= now)).map(|rule| rule.from).max();
    let mut shown = Vec::new();
    for (rule, next) in rules.iter().zip(nexts) {
        let note = notes.iter().find(|note| note.from == rule.from).filter(|note| note.set_at.is_some());
        shown.push(RuleShown {
            from: rule.from.to_string(),
            until: next.and_then(|next| next.from.plus(-1)).map(|last| last.to_string()),
            first_cents: rule.first_person.get(),
            further_cents: rule.further_person.get(),
            child_cents: rule.child_under_14.get(),
            expire_months: rule.expire_months,
            holds: match now {
                _ if holding == Some(rule.from) => "now",
                Some(now) if rule.from > now => "later",
                Some(_) | None => "past",
            },
            set_by: note.map(|note| note.set_by.clone()),
            set_at: note.and_then(|note| note.set_at).map(cabas_protocol::Timestamp::get),
            examples: examples(rules, rule.from)?,
        });
    }
    shown.reverse();
    Ok(shown)
}

fn examples(rules: &[Rule], period: Period) -> Result<Vec<Example>, StoreError> {
    let example = |(size, children_under_14)| {
        let people = Household::new(size, children_under_14).map_err(|_| StoreError::Damaged("an example"))?;
        let cents = monthly_credit(rules, period, people)?.get();
        Ok(Example { size, children_under_14, cents })
    };
    EXAMPLES.into_iter().map(example).collect()
}

/// What was typed as a rule, or what is to be corrected.
fn read(sent: &Typed) -> Result<NewRule, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut amount = |field, text: &str, least| {
        let read = cents(text).map(Cents::get).filter(|cents| *cents >= least);
        if read.is_none() {
            faults.push(Fault { field, text: "voted-amount-wrong" });
        }
        read.unwrap_or_default()
    };
    let (first_cents, further_cents) = (amount("first", &sent.first, 1), amount("further", &sent.further, 0));
    let child_cents = amount("child", &sent.child, 0);
    let from = sent.from.trim().to_owned();
    if from.parse::<Period>().is_err() {
        faults.insert(0, Fault { field: "from", text: "voted-month-wrong" });
    }
    let expire = sent.expire.trim();
    let expire_months = expire.parse().ok().filter(|months| (1..=EXPIRE_MONTHS_MAX).contains(months));
    if expire_months.is_none() && !expire.is_empty() {
        faults.push(Fault { field: "expire", text: "rules-expire-wrong" });
    }
    if faults.is_empty() {
        Ok(NewRule { from, first_cents, further_cents, child_cents, expire_months })
    } else {
        Err(faults)
    }
}

fn rule(new: &NewRule) -> Result<Rule, StoreError> {
    Ok(Rule {
        from: new.from.parse().map_err(|_| StoreError::Text("from"))?,
        first_person: Cents::new(new.first_cents)?,
        further_person: Cents::new(new.further_cents)?,
        child_under_14: Cents::new(new.child_cents)?,
        expire_months: new.expire_months,
    })
}

/// Shows a new rule beside the one before, to be confirmed: it is never changed.
pub(super) async fn check(visit: Visit, Query(sent): Query<Typed>) -> Result<Response, Wrong> {
    if [&sent.from, &sent.first, &sent.further, &sent.child].iter().all(|text| text.is_empty()) {
        return show(&visit, Typed::default(), Vec::new()).await;
    }
    let new = match read(&sent) {
        Ok(new) => new,
        Err(faults) => return show(&visit, sent, faults).await,
    };
    let meant = rule(&new)?;
    let read = visit.store(move |tx| {
        tx.rule_fits(meant)?;
        tx.rules()
    });
    let rules = match read.await {
        Ok(rules) => rules,
        Err(error) => return refused(&visit, sent, error).await,
    };
    let before = match examples(&rules, meant.from) {
        // Nothing held before.
        Err(StoreError::Rule(RuleError::NoRule(_))) => Vec::new(),
        examples => examples?,
    };
    let after = examples(&[meant], meant.from)?;
    let data = Check { new, pairs: before.into_iter().zip(after).collect() };
    answer(&visit, "rule-check-title", Vec::new(), data, |f, data| CheckPage { f, data })
}

async fn refused(visit: &Visit, sent: Typed, error: StoreError) -> Result<Response, Wrong> {
    match refusal(&error) {
        Some(text) => show(visit, sent, vec![Fault { field: "from", text }]).await,
        None => Err(error.into()),
    }
}

pub(super) async fn set(visit: Visit, Sent(new): Sent<NewRule>) -> Result<Response, Wrong> {
    let mut faults = Vec::new();
    if new.from.parse::<Period>().is_err() {
        faults.push(Fault { field: "from", text: "voted-month-wrong" });
    }
    if new.expire_months.is_some_and(|months| !(1..=EXPIRE_MONTHS_MAX).contains(&months)) {
        faults.push(Fault { field: "expire", text: "rules-expire-wrong" });
    }
    let again = Typed {
        from: new.from.clone(),
        first: typed_in(visit.lang, new.first_cents),
        further: typed_in(visit.lang, new.further_cents),
        child: typed_in(visit.lang, new.child_cents),
        expire: new.expire_months.map(|months| months.to_string()).unwrap_or_default(),
    };
    if !faults.is_empty() {
        return show(&visit, again, faults).await;
    }
    let set = visit.deed(Deed::RuleSet, move |tx, by| {
        tx.rule_set(rule(&new)?, &by.who, by.now)?;
        let (first, further, child) = (new.first_cents, new.further_cents, new.child_cents);
        let expires = new.expire_months.map_or_else(|| "never".to_owned(), |months| format!("{months} months"));
        let detail = format!("cents {first} + {further} + {child}, expires: {expires}");
        Ok(Done { given: Noted { from: new.from.clone() }, subject: format!("from {}", new.from), detail })
    });
    match set.await {
        Ok(noted) => visit.done(&noted, "/rules"),
        Err(error) => refused(&visit, again, error).await,
    }
}
