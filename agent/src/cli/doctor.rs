//! `doctor`: looks at everything, says what is wrong and what to do, and changes nothing; beside a terminal that runs and
//! where none does.

use std::path::Path;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use super::Context;
use super::failure::Failure;
use super::local::Local;
use super::machine;
use crate::card;
use crate::clock::Clock;
use crate::config::Config;
use crate::core::doctor::{Check, HubSeen, JournalSeen, KeysSeen, Seen, ServingSeen, Verdict, checks};
use crate::core::receipt::Language;
use crate::journal::keyfile::{KeyFileError, TerminalKeys};
use crate::journal::{FILE, JournalError, KEY_FILE, State, peek};
use crate::out::{Format, plain, print};
use crate::printer::PrinterState;
use crate::service::advice::{self, Advice, Level};
use crate::service::health::Disk;
use crate::sync::{HubClient, NetworkState, Reach};
use crate::texts::Texts;

/// How long the hub is waited for.
const HUB_TIMEOUT: Duration = Duration::from_secs(10);
/// Where systemd-timesyncd says that the clock was set by another one.
const TIMESYNC: &str = "/run/systemd/timesync";

#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// Recompute the whole journal too, as `journal verify` does
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

/// One line of what was found.
#[derive(Serialize)]
struct Line {
    code: String,
    verdict: Verdict,
    title_fr: Option<String>,
    title_en: Option<String>,
    message_fr: Option<String>,
    message_en: Option<String>,
    todo_fr: Option<String>,
    todo_en: Option<String>,
}

/// What a program gets.
#[derive(Serialize)]
struct Report {
    verdict: Verdict,
    terminal: Option<u32>,
    unsent_rows: Option<u32>,
    balances_age_s: Option<u64>,
    checks: Vec<Line>,
}

/// Where the configuration itself is not taken, that is all there is to say.
pub(super) fn no_settings(doctor: &Doctor, format: Format, why: &str) -> Result<u8, Failure> {
    let texts = Texts::default();
    let mut line = of_check(&texts, Check { code: "settings", verdict: Verdict::Wrong, says: Some("settings_wrong") });
    for message in [&mut line.message_fr, &mut line.message_en].into_iter().flatten() {
        message.push_str(&format!(" {why}"));
    }
    let report =
        Report { verdict: Verdict::Wrong, terminal: None, unsent_rows: None, balances_age_s: None, checks: vec![line] };
    show(doctor, format, &report)
}

/// Gives the exit code: 0 fine, 1 look, 2 wrong.
pub(super) async fn run(context: &Context, doctor: &Doctor) -> Result<u8, Failure> {
    let (texts, config, now) = (Texts::default(), &context.config, Clock::system().now());
    let file = config.data_dir.join(FILE);
    // Before the journal is opened here: who has it open is asked then.
    let holds = machine::holder(&config.data_dir.join("lock"));
    let has_others = machine::others(&file, holds.flatten());
    let peeked = file.exists().then(|| peek(&file));
    let state = peeked.as_ref().and_then(|peeked| peeked.as_ref().ok());
    let status = Local::of(context).ask(reqwest::Method::GET, "/api/status", None).await.ok();
    let serving = match (&status, holds) {
        (Some(_), _) => ServingSeen::Yes,
        (None, Some(Some(_))) => ServingSeen::Mute,
        (None, _) => ServingSeen::No,
    };
    let seen = Seen {
        are_settings_good: true,
        folder: machine::folder(&config.data_dir),
        is_enrolled: peeked.is_some(),
        keys: peeked.as_ref().map(|_| keys(&config.data_dir.join(KEY_FILE), state)),
        journal: peeked.as_ref().map(|peeked| journal(&file, peeked, doctor.deep)),
        serving: peeked.as_ref().map(|_| serving),
        has_others: peeked.is_some().then_some(has_others).flatten(),
        is_synchronized: machine::is_synchronized(Path::new(TIMESYNC)),
        hub: hub(config, state).await,
    };
    let mut lines: Vec<Line> = checks(&seen).into_iter().map(|check| of_check(&texts, check)).collect();
    lines.extend(match (&status, state) {
        (Some(status), _) => of_status(status),
        (None, Some(state)) => of_state(&texts, config, state, now),
        (None, None) => Vec::new(),
    });
    let verdict = lines.iter().map(|line| line.verdict).max().unwrap_or(Verdict::Fine);
    let report = Report {
        verdict,
        terminal: state.map(|state| state.id.terminal.get()),
        unsent_rows: state.map(State::unsent_rows),
        balances_age_s: state.and_then(|state| state.hub.age_s(now)),
        checks: lines,
    };
    show(doctor, context.format, &report)
}

fn keys(file: &Path, state: Option<&State>) -> KeysSeen {
    match TerminalKeys::read(file) {
        Ok(keys) => match (keys.signer(), state) {
            (None, _) => KeysSeen::Missing,
            (Some(signer), Some(state)) if *signer.public() != state.id.key => KeysSeen::Other,
            (Some(_), _) => KeysSeen::Fine,
        },
        Err(KeyFileError::Open { .. }) => KeysSeen::Open,
        Err(KeyFileError::Io { .. } | KeyFileError::Malformed(_)) => KeysSeen::Missing,
    }
}

fn journal(file: &Path, peeked: &Result<State, JournalError>, deep: bool) -> JournalSeen {
    match peeked {
        Err(JournalError::Newer { .. }) => JournalSeen::Newer,
        Err(_) => JournalSeen::Unread,
        Ok(_) if deep => match crate::journal::verify::verify(file, None) {
            Ok(report) if report.sound => JournalSeen::Fine,
            Ok(_) => JournalSeen::Unsound,
            Err(_) => JournalSeen::Unread,
        },
        Ok(_) => JournalSeen::Fine,
    }
}

/// Asks the hub that the configuration names, or the one of the enrolment.
async fn hub(config: &Config, state: Option<&State>) -> Option<HubSeen> {
    let url = config.hub_url.clone().or_else(|| state.map(|state| state.id.hub_url.clone()))?;
    let client = HubClient::new(&url, config.hub_ca.as_deref()).ok()?;
    let reached = tokio::time::timeout(HUB_TIMEOUT, client.reach()).await;
    Some(match reached {
        Ok(Reach::Well) => HubSeen::Fine,
        Ok(Reach::Ill) => HubSeen::Ill,
        Ok(Reach::NotTheHub) => HubSeen::Other,
        Ok(Reach::NotTrusted) => HubSeen::Tls,
        Ok(Reach::Not) | Err(_) => HubSeen::Unreached,
    })
}

fn of_check(texts: &Texts, check: Check) -> Line {
    let text = |prefix: &str, name: &str, language| texts.get(language, &format!("{prefix}{}", name.replace('_', "-")));
    let said = |prefix, language| check.says.map(|says| text(prefix, says, language));
    Line {
        code: check.code.to_owned(),
        verdict: check.verdict,
        title_fr: Some(text("doctor-title-", check.code, Language::French)),
        title_en: Some(text("doctor-title-", check.code, Language::English)),
        message_fr: said("doctor-says-", Language::French),
        message_en: said("doctor-says-", Language::English),
        todo_fr: said("doctor-todo-", Language::French),
        todo_en: said("doctor-todo-", Language::English),
    }
}

const fn verdict_of(level: Level) -> Verdict {
    match level {
        Level::Stop => Verdict::Wrong,
        Level::Warn | Level::Info => Verdict::Look,
    }
}

/// What the running terminal advises.
fn of_status(status: &Value) -> Vec<Line> {
    let advice = status.get("advice").and_then(Value::as_array).into_iter().flatten();
    advice
        .map(|advice| {
            let text = |key| advice.get(key).and_then(Value::as_str).map(str::to_owned);
            let levels = [Level::Stop, Level::Warn, Level::Info];
            let level = levels.into_iter().find(|level| text("level").as_deref() == Some(level.name()));
            Line {
                code: text("code").unwrap_or_default(),
                verdict: level.map_or(Verdict::Look, verdict_of),
                title_fr: None,
                title_en: None,
                message_fr: text("message_fr"),
                message_en: text("message_en"),
                todo_fr: text("todo_fr"),
                todo_en: text("todo_en"),
            }
        })
        .collect()
}

/// The same advice, from what can be seen while no terminal runs.
fn of_state(texts: &Texts, config: &Config, state: &State, now: crate::core::ages::Moment) -> Vec<Line> {
    let seen = advice::Seen {
        standing: state.terminal_state(),
        has_limits: state.policy.is_some(),
        trouble: None,
        disk: machine::free_bytes(&config.data_dir).map_or(Disk::Ok, Disk::of),
        reader: card::look(&config.reader()),
        cashiers_broken: false,
        // It was asked above, from here.
        network: NetworkState::Unknown,
        age_s: state.hub.age_s(now),
        list_age_s_max: state.policy.as_ref().map(|policy| policy.plain_list_age_s_max.into()),
        unsent_sales: state.unsent().sales,
        printer: printer(config),
        kept: 0,
        clock: state.hub.anchor.carry(state.newest.moment.unwrap_or(state.hub.anchor.at), now).quality(now),
        alarms: state.alarms.len(),
        doubts: state.doubts.len(),
        closing_due: None,
        till: crate::till::desk::Seen::default(),
    };
    advice::advice(&seen).into_iter().map(|advice| of_advice(texts, advice)).collect()
}

fn of_advice(texts: &Texts, advice: Advice) -> Line {
    let id = advice.message_id();
    let (wrong, todo) = (texts.both(&id), texts.both(&format!("{id}-todo")));
    Line {
        code: advice.code.to_owned(),
        verdict: verdict_of(advice.level),
        title_fr: None,
        title_en: None,
        message_fr: Some(wrong.message_fr),
        message_en: Some(wrong.message_en),
        todo_fr: Some(todo.message_fr),
        todo_en: Some(todo.message_en),
    }
}

/// Whether the printer is there; what it says of paper only the running terminal asks.
fn printer(config: &Config) -> PrinterState {
    let Ok(printer) = config.printer() else { return PrinterState::Unreachable };
    if machine::is_reachable(&printer.target) { PrinterState::Unknown } else { PrinterState::Unreachable }
}

fn show(doctor: &Doctor, format: Format, report: &Report) -> Result<u8, Failure> {
    let language = match doctor.lang {
        Some(Tongue::Fr) => Language::French,
        Some(Tongue::En) => Language::English,
        None => machine::language(),
    };
    print(format, report, |report| text(report, language)).map_err(Failure::Print)?;
    Ok(report.verdict.exit_code())
}

fn text(report: &Report, language: Language) -> String {
    let texts = Texts::default();
    let mut lines = Vec::new();
    for line in &report.checks {
        let (title, message, todo) = match language {
            Language::French => (&line.title_fr, &line.message_fr, &line.todo_fr),
            Language::English => (&line.title_en, &line.message_en, &line.todo_en),
        };
        let mark = texts.get(
            language,
            match line.verdict {
                Verdict::Fine => "doctor-fine",
                Verdict::Look => "doctor-look",
                Verdict::Wrong => "doctor-wrong",
            },
        );
        let (first, rest) = match title {
            Some(title) => (title.as_str(), message.as_deref()),
            None => (message.as_deref().unwrap_or_default(), None),
        };
        lines.push(format!("[{mark}] {}", plain(first)));
        lines.extend(rest.map(|rest| format!("    {}", plain(rest))));
        lines.extend(todo.iter().map(|todo| format!("    → {}", plain(todo))));
    }
    if let Some(rows) = report.unsent_rows {
        lines.push(texts.with(language, "doctor-unsent", &[("rows", &rows.to_string())]));
    }
    lines.push(texts.get(
        language,
        match report.verdict {
            Verdict::Fine => "doctor-all-fine",
            Verdict::Look => "doctor-all-look",
            Verdict::Wrong => "doctor-all-wrong",
        },
    ));
    lines.join("\n")
}
