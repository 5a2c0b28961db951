//! `sell`: a sale from a shell, so over SSH too. It begins a sale at the running terminal, follows it, and takes it back
//! where the shell is left before a card came.

use std::time::Duration;

use clap::Args;
use reqwest::Method;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Context;
use super::failure::Failure;
use super::follow::{Events, Progress, Told};
use super::local::{Local, text_of};
use crate::clock::Stopwatch;
use crate::core::receipt::{Language, amount};
use crate::out::{plain, print};
use crate::texts::Texts;
use cabas_protocol::Cents;

/// How often the line moves, and a sale is looked at where nothing is told.
const TICK: Duration = Duration::from_secs(1);
/// How often in a row the terminal may not answer before it is given up.
const SILENT_MAX: u32 = 5;

#[derive(Args, Debug)]
#[command(
    group = clap::ArgGroup::new("what").required(true),
    after_help = "Exit code: 0 accepted; 1 anything else, and standard error says what to do; 2 wrong use of the command.\n\
                  Ctrl-C takes the sale back where no card has come yet."
)]
pub(super) struct Sell {
    /// The amount, as 12,50
    #[arg(long, value_name = "AMOUNT", group = "what")]
    amount: Option<String>,
    /// The amount in cents
    #[arg(long, value_name = "N", group = "what")]
    cents: Option<u64>,
    /// The amount of a category, as 2=12,50; once for each
    #[arg(long = "line", value_name = "CATEGORY=AMOUNT", group = "what", value_parser = line_of)]
    lines: Vec<(String, String)>,
    /// The category of the shop's grid [default: its first one]
    #[arg(long, value_name = "ID", conflicts_with = "lines")]
    category: Option<String>,
    /// The operation: the same one is never done twice [default: a new one]
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Only play it, where the terminal is in training: nothing is sold
    #[arg(long)]
    training: bool,
}

fn line_of(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((category, amount)) if !category.is_empty() && !amount.is_empty() => {
            Ok((category.to_owned(), amount.to_owned()))
        }
        Some(_) | None => Err("write it as CATEGORY=AMOUNT, such as 2=12,50"),
    }
}

impl Sell {
    fn body(&self, request: &str) -> Value {
        let mut lines: Vec<Value> =
            self.lines.iter().map(|(category, amount)| json!({ "category": category, "amount": amount })).collect();
        let one = match (&self.amount, self.cents) {
            (Some(amount), _) => Some(("amount", json!(amount))),
            (None, Some(cents)) => Some(("cents", json!(cents))),
            (None, None) => None,
        };
        if let Some((key, value)) = one {
            let mut line = json!({ key: value });
            if let (Some(category), Value::Object(line)) = (&self.category, &mut line) {
                line.insert(String::from("category"), json!(category));
            }
            lines.push(line);
        }
        json!({ "lines": lines, "request_id": request, "training": self.training })
    }
}

/// What ends a shell: Ctrl-C, the end of an SSH session, or whoever stops the command.
struct Leaving([Signal; 3]);

impl Leaving {
    fn listen() -> std::io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?, signal(SignalKind::terminate())?]))
    }

    async fn asked(&mut self) {
        let [interrupt, hangup, terminate] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// A sale that is followed.
struct Followed {
    local: Local,
    texts: Texts,
    language: Language,
    progress: Progress,
    request: String,
    sale: Value,
    /// How long it waits for its card, where that is known here.
    time: Option<(Stopwatch, Duration)>,
    /// The counter waits for it no more, and what became of it is not known.
    is_left: bool,
    /// Somebody asked to take it back, and it was too late.
    was_late: bool,
    silent: u32,
    said: String,
}

pub(super) async fn sell(context: &Context, sell: &Sell) -> Result<(), Failure> {
    let mut leaving = Leaving::listen().map_err(Failure::Runtime)?;
    let local = Local::of(context);
    let request = match &sell.request_id {
        Some(request) => request.clone(),
        None => new_request()?,
    };
    let language = if context.config.language == "en" { Language::English } else { Language::French };
    // Before the sale begins, so that nothing of it is missed.
    let texts = Texts::default();
    let events = tokio::select! {
        events = Events::of(&local) => events,
        () = leaving.asked() => return Err(Failure::Refused(texts.get(language, "sell-nothing-paid"))),
    };
    let mut followed = Followed {
        local,
        texts,
        language,
        progress: Progress::new(context.format),
        sale: Value::Null,
        time: None,
        is_left: false,
        was_late: false,
        silent: 0,
        said: String::new(),
        request,
    };
    followed.begin(sell, context.config.sale_timeout_s).await?;
    let ended = followed.follow(events, &mut leaving).await;
    followed.progress.clear();
    ended?;
    print(context.format, &followed.sale, |_| followed.result()).map_err(Failure::Print)?;
    if let Some(remark) = followed.remark() {
        followed.progress.say(&remark);
    }
    if followed.state() == "accepted" { Ok(()) } else { Err(Failure::Refused(followed.todo())) }
}

impl Followed {
    fn get(&self, id: &str) -> String {
        self.texts.with(self.language, id, &[("request", &self.request)])
    }

    fn state(&self) -> &str {
        self.sale.get("state").and_then(Value::as_str).unwrap_or_default()
    }

    fn id(&self) -> String {
        text_of(&self.sale, "id")
    }

    fn path(&self) -> String {
        format!("/api/sales/{}", self.id())
    }

    /// What became of the sale is not known: the failure itself names the request, in every format.
    fn lost(&self, why: &str) -> Failure {
        Failure::Refused(format!("{} ({why})", self.get("sell-lost")))
    }

    async fn begin(&mut self, sell: &Sell, timeout_s: u32) -> Result<(), Failure> {
        let body = sell.body(&self.request);
        let (status, sale) = match self.local.send(Method::POST, "/api/sales", Some(body)).await {
            Err(failure) if !matches!(&failure, Failure::NoTerminal { source, .. } if source.is_connect()) => {
                return Err(self.lost(&failure.to_string()));
            }
            sent => sent?,
        };
        self.sale = self.local.well((status, sale))?;
        // Of one that was begun before, it is not known when.
        self.time = (status == 201).then(|| (Stopwatch::start(), Duration::from_secs(timeout_s.into())));
        Ok(())
    }

    async fn follow(&mut self, mut events: Events, leaving: &mut Leaving) -> Result<(), Failure> {
        let mut was_asked = false;
        loop {
            self.show();
            if !self.is_open() {
                return Ok(());
            }
            let is_told = events.are_told();
            let ticks = self.progress.is_moving() || !is_told;
            tokio::select! {
                told = events.next() => match told {
                    Told::Sale(sale) if text_of(&sale, "id") == self.id() => self.sale = sale,
                    Told::Sale(_) => {}
                    Told::Something => self.look().await?,
                },
                () = tokio::time::sleep(TICK), if ticks => if !is_told { self.look().await? },
                () = leaving.asked() => {
                    if was_asked {
                        return Err(Failure::Refused(self.get("sell-goes-on")));
                    }
                    was_asked = true;
                    self.take_back().await?;
                }
            }
        }
    }

    /// True while something can still happen to it.
    fn is_open(&self) -> bool {
        match self.state() {
            "waiting" | "authorizing" | "offer" => true,
            "in_doubt" => !self.is_left,
            _ => false,
        }
    }

    /// Looks how it stands. A terminal that starts anew is waited for a little.
    async fn look(&mut self) -> Result<(), Failure> {
        let sent = self.local.send(Method::GET, &self.path(), None).await;
        // Too busy to tell is no answer either.
        let why = match &sent {
            Ok((status, _)) if status.is_server_error() || *status == 408 => Some(status.to_string()),
            Ok(_) => None,
            Err(failure) => Some(failure.to_string()),
        };
        if let Some(why) = why {
            self.silent = self.silent.saturating_add(1);
            return if self.silent < SILENT_MAX { Ok(()) } else { Err(self.lost(&why)) };
        }
        let (status, value) = sent?;
        self.silent = 0;
        if status == 404 {
            // It was not written down before the terminal ended: a card that paid would have left a row or a doubt.
            return Err(Failure::Refused(self.get("sell-gone")));
        }
        self.sale = self.local.well((status, value))?;
        if self.state() == "in_doubt" {
            let status = self.local.ask(Method::GET, "/api/status", None).await;
            // Who gets no answer looks again.
            self.is_left = status.is_ok_and(|status| status.pointer("/sale/id") != self.sale.get("id"));
        }
        Ok(())
    }

    /// Takes it back, where no card has come.
    async fn take_back(&mut self) -> Result<(), Failure> {
        let (status, value) = match self.local.send(Method::DELETE, &self.path(), None).await {
            Ok(answer) => answer,
            Err(failure) => return Err(self.lost(&failure.to_string())),
        };
        if status.is_success() {
            self.sale = value;
            return Ok(());
        }
        self.was_late = true;
        self.look().await?;
        // In doubt it was left for later: nothing is waited for.
        self.is_left = self.state() == "in_doubt";
        if self.is_open() {
            self.progress.say(&self.get("sell-too-late"));
        }
        Ok(())
    }

    fn show(&mut self) {
        let mut message = text_of(&self.sale, self.local.message());
        if let Some(notice) = self.sale.get("notice") {
            message = format!("{message}. {}", text_of(notice, self.local.message()));
        }
        if self.is_open() && message != self.said {
            if !self.progress.is_moving() {
                self.progress.say(&format!("{message} ({})", self.cents("cents")));
            }
            if let Some(todo) = self.while_open() {
                self.progress.say(&todo);
            }
            self.said.clone_from(&message);
        }
        if self.is_open() {
            let left = self.time.filter(|_| matches!(self.state(), "waiting" | "offer"));
            let left = left.map(|(watch, whole)| whole.saturating_sub(watch.elapsed()).as_secs().to_string());
            let left =
                left.map(|left| format!(" - {}", self.texts.with(self.language, "sell-left", &[("left", &left)])));
            let line = format!("{} - {message}{}", self.cents("cents"), left.unwrap_or_default());
            self.progress.show(&line);
        }
    }

    fn while_open(&self) -> Option<String> {
        match self.state() {
            "offer" => Some(self.get("sell-offer")),
            "in_doubt" => Some(self.get("sell-same-card")),
            "waiting" if self.is_training() && self.said.is_empty() => Some(self.get("sell-training")),
            _ => None,
        }
    }

    fn is_training(&self) -> bool {
        self.sale.get("training") == Some(&Value::Bool(true))
    }

    fn cents(&self, key: &str) -> String {
        let cents = self.sale.get(key).and_then(Value::as_u64).and_then(|cents| Cents::new(cents).ok());
        cents.map(|cents| amount(cents, self.language)).unwrap_or_default()
    }

    /// The sale in one line.
    fn result(&self) -> String {
        let mut text = format!("{} - {}", text_of(&self.sale, self.local.message()), self.cents("cents"));
        let rest = self.sale.get("member_cents").and_then(Value::as_u64).unwrap_or(0);
        if self.state() == "accepted" {
            let (fund, member) = (self.cents("fund_cents"), self.cents("member_cents"));
            let values = [("number", text_of(&self.sale, "stan")), ("fund", fund), ("member", member)];
            let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let id = if rest == 0 { "sell-number" } else { "sell-number-and-parts" };
            text = format!("{text} - {}", self.texts.with(self.language, id, &values));
        }
        if self.is_training() {
            text = format!("{} - {text}", self.get("sell-training-mark"));
        }
        plain(&text)
    }

    /// What is to be known of one that was accepted.
    fn remark(&self) -> Option<String> {
        if self.state() != "accepted" {
            return None;
        }
        if self.is_training() {
            return Some(self.get("sell-training"));
        }
        let late = self.was_late.then(|| self.get("sell-was-late"));
        let not_proven = self.sale.get("proven") == Some(&Value::Bool(false));
        late.or_else(|| not_proven.then(|| self.get("sell-not-proven")))
    }

    /// What to do about one that was not.
    fn todo(&self) -> String {
        let class = self.sale.get("class").map(|class| text_of(class, self.local.message()));
        match (self.state(), class) {
            ("in_doubt", _) => self.get("sell-doubt"),
            ("failed", _) => self.get("sell-failed"),
            (_, Some(class)) => class,
            (_, None) => self.get("sell-nothing-paid"),
        }
    }
}

fn new_request() -> Result<String, Failure> {
    let mut bytes = [0; 8];
    let random = SystemRandom::new().fill(&mut bytes);
    random.map_err(|_| Failure::NoRandomness)?;
    Ok(cabas_protocol::RequestId::new(bytes).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Both;

    #[test]
    fn a_line_has_a_category_and_an_amount() {
        assert_eq!(line_of("2=12,50"), Ok((String::from("2"), String::from("12,50"))));
        for text in ["", "2", "=5", "2=", "="] {
            assert!(line_of(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn whatever_is_said_at_a_shell_has_words_in_both_languages() {
        let (source, texts) = (include_str!("sell.rs"), Texts::default());
        let ids: Vec<_> =
            source.split('"').skip(1).filter(|word| word.starts_with("sell-") && word.len() > 5).collect();
        assert!(ids.len() > 10, "{ids:?}");
        for id in ids {
            let Both { message_fr, message_en } = texts.both(id);
            assert!(message_fr != id && message_en != id && message_fr != message_en, "{id}");
        }
    }
}
