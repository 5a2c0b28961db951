//! `doctor`: looks at everything, says what is wrong and what to do, and changes nothing.

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use crate::admin::actions::{self, Action, Patience};
use crate::admin::words::{Lang, Words};
use crate::alerts::{sentence, title, todo};
use crate::calendar::Calendar;
use crate::checkup::Checkup;
use crate::core::bank_text::VerifyKeys;
use crate::core::card_proof::NoWitness;
use crate::core::checks::{Check, LedgerSeen, Seen, Verdict, checks, worst};
use crate::keys::HubSecrets;
use crate::out::{plain, print};
use crate::store::{Db, OpenMode};

/// What the list of checks says already.
const SAID: [&str; 3] = ["fork", "gap", "stale_terminal"];

#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// Recompute the whole ledger too, as `verify` does: minutes where it is large
    #[arg(long)]
    deep: bool,
    /// Which language it speaks [default: French, or English where LANG says so]
    #[arg(long, value_enum)]
    lang: Option<Tongue>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Tongue {
    Fr,
    En,
}

/// What a program gets.
#[derive(Serialize)]
struct Report {
    verdict: Verdict,
    checks: Vec<Said>,
    /// What is to be done about money and people; none where the ledger cannot be read.
    actions: Vec<Action>,
}

#[derive(Serialize)]
struct Said {
    #[serde(flatten)]
    check: Check,
    message_fr: Option<String>,
    message_en: Option<String>,
    todo_fr: Option<String>,
    todo_en: Option<String>,
}

/// Gives the exit code: 0 fine, 1 look, 2 wrong.
pub(super) fn run(context: &Context, doctor: &Doctor) -> Result<u8, Failure> {
    let (words, lang) = (Words::default(), lang(doctor.lang));
    let now = context.clock.now();
    let checkup = Checkup::of(&context.config);
    let (mut seen, actions) = checkup.see(now, |tx| actions::read(tx, &Calendar::system(), Patience::default(), now));
    seen.is_serving = checkup.is_serving();
    if doctor.deep {
        deep(context, &mut seen);
    }
    let checks = checks(&seen);
    let actions = actions.unwrap_or_default().into_iter().filter(|action| !SAID.contains(&action.kind)).collect();
    let verdict = worst(&checks).max(if Vec::is_empty(&actions) { Verdict::Fine } else { Verdict::Look });
    let report = Report { verdict, checks: checks.into_iter().map(|check| said(&words, check)).collect(), actions };
    print(context.format, &report, |report| text(&words, lang, report)).map_err(Failure::Print)?;
    Ok(report.verdict.exit_code())
}

fn lang(asked: Option<Tongue>) -> Lang {
    match asked {
        Some(Tongue::Fr) => Lang::French,
        Some(Tongue::En) => Lang::English,
        None => {
            let said = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(std::env::var_os);
            let first = said.filter_map(|text| text.into_string().ok()).find(|text| !text.is_empty());
            if first.is_some_and(|text| text.starts_with("en")) { Lang::English } else { Lang::French }
        }
    }
}

/// Recomputes everything; a file that cannot be read says so elsewhere in the list.
fn deep(context: &Context, seen: &mut Seen) {
    let secrets = HubSecrets::load(&context.config.keys_dir()).ok();
    let witness: &dyn VerifyKeys = secrets.as_ref().map_or(&NoWitness, |secrets| secrets);
    let verified = Db::open(&context.config.database(), OpenMode::ReadOnly).and_then(|mut db| db.verify(witness));
    if let Ok(report) = verified {
        seen.ledger = if report.found == 0 { LedgerSeen::Sound } else { LedgerSeen::Wrong(report.found) };
    }
}

fn said(words: &Words, check: Check) -> Said {
    let message = |lang| check.says.map(|says| sentence(words, lang, says, check.value, &check.terminals));
    let todo = |lang| check.says.map(|says| todo(words, lang, says));
    Said {
        message_fr: message(Lang::French),
        message_en: message(Lang::English),
        todo_fr: todo(Lang::French),
        todo_en: todo(Lang::English),
        check,
    }
}

fn text(words: &Words, lang: Lang, report: &Report) -> String {
    let mut lines = Vec::new();
    for said in &report.checks {
        let name = title(words, lang, said.check.code);
        let mark = |id| words.get(lang, id);
        let (message, todo) = match lang {
            Lang::French => (&said.message_fr, &said.todo_fr),
            Lang::English => (&said.message_en, &said.todo_en),
        };
        let mark = match said.check.verdict {
            Verdict::Fine => mark("doctor-fine"),
            Verdict::Look => mark("doctor-look"),
            Verdict::Wrong => mark("doctor-wrong"),
        };
        lines.push(format!("[{mark}] {name}"));
        lines.extend(message.iter().map(|message| format!("    {}", plain(message))));
        lines.extend(todo.iter().map(|todo| format!("    → {}", plain(todo))));
    }
    if !report.actions.is_empty() {
        lines.push(words.get(lang, "doctor-money"));
    }
    for action in &report.actions {
        let what = match lang {
            Lang::French => words.get(lang, &format!("action-{}", action.kind.replace('_', "-"))),
            Lang::English => action.what.to_owned(),
        };
        lines.push(format!("    {what} ({})", action.count));
        lines.push(format!("    → {}", action.command));
    }
    lines.push(sum(words, lang, report));
    lines.join("\n")
}

fn sum(words: &Words, lang: Lang, report: &Report) -> String {
    let count = |verdict| report.checks.iter().filter(|said| said.check.verdict == verdict).count();
    let look = count(Verdict::Look).saturating_add(report.actions.len());
    let (look, wrong) = (look.to_string(), count(Verdict::Wrong).to_string());
    match report.verdict {
        Verdict::Fine => words.get(lang, "doctor-all-fine"),
        Verdict::Look | Verdict::Wrong => words.with(lang, "doctor-some", &[("wrong", &wrong), ("look", &look)]),
    }
}
