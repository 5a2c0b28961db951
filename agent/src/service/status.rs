//! How the terminal is, for the cashier's page and for programs.

use super::Service;
use super::advice::{self, Seen};
use super::board::{Board, coded};
use super::health::{Disk, clock_name, clock_words};
use super::lock::AtCounter;
use crate::card::ReaderState;
use crate::core::ages::Moment;
use crate::core::authorize::TerminalState;
use crate::journal::handle::Published;
use crate::journal::second::Second;
use crate::journal::{State, Trouble};
use crate::printer::PrinterState;
use crate::sync::NetworkState;
use crate::texts::Texts;
use cabas_protocol::row::ClockQuality;
use serde_json::{Value, json};

/// The age that stands for "never", for a curve: longer than any terminal lives.
const LIST_AGE_UNKNOWN_S: u64 = 100 * 365 * 86_400;
/// Alarms that the status shows.
const ALARMS_SHOWN: usize = 10;

impl Service {
    /// What does not work here, for the fund.
    #[must_use]
    pub fn troubles(&self) -> Vec<cabas_protocol::release::Trouble> {
        let Published { state, trouble } = self.journal.published();
        let (board, at_counter) = (self.board().clone(), self.at_counter());
        let disk = self.free_bytes().map_or(Disk::Ok, Disk::of);
        advice::troubles(&advice::advice(&self.seen(&state, trouble, &board, (disk, &at_counter), self.clock.now())))
    }

    /// How the terminal is.
    #[must_use]
    pub fn status(&self) -> Value {
        let Published { state, trouble } = self.journal.published();
        let now = self.clock.now();
        let board = self.board().clone();
        let (at_counter, free_bytes) = (self.at_counter(), self.free_bytes());
        let disk = free_bytes.map_or(Disk::Ok, Disk::of);
        let mut status = json!({
            "program": crate::stamp::version(),
            "standing": state.terminal_state().name(),
            "terminal": terminal(&state),
            "hub": self.hub(&state, now),
            "hot_list": { "version": state.hub.hot_list.get(), "age_s": state.hub.age_s(now) },
            "balances": { "count": state.balances, "age_s": state.hub.age_s(now) },
            "unsynced": {
                "count": state.unsent().sales,
                "cents": state.unsent().fund.get(),
                "rows": state.unsent_rows(),
            },
            "reader": reader(&self.texts, &board),
            "printer": printer(&self.texts, &self.printer.state().borrow(), *self.printer.kept().borrow()),
            "journal": journal(&self.texts, &state, trouble),
            "clock": clock(&self.texts, &state, now),
            "disk": disk.json(free_bytes, &self.texts),
            "cashier": at_counter.cashier.as_ref().map(|(number, label)| json!({ "number": number, "label": label })),
            "cashiers_set": at_counter.is_set,
            "locked": at_counter.is_locked(),
            "training": state.training,
            "second_journal": self.second().map(Second::name),
            "sealed_by": self.settings.sealed_by.name(),
            "refused_unfunded": self.link.refused_unfunded(),
            "alarms": state.alarms.iter().take(ALARMS_SHOWN).map(|alarm| json!({
                "at": alarm.at.get(), "text": alarm.text,
            })).collect::<Vec<_>>(),
            "doubts": state.doubts.iter().map(|doubt| json!({
                "id": doubt.request.to_string(),
                "stan": doubt.sale.stan.to_string(),
                "at": doubt.at.get(),
                "cents": doubt.sale.fund_cents().map_or(Value::Null, |cents| json!(cents.get())),
            })).collect::<Vec<_>>(),
            "balance_asked": board.balance_asked,
            "closing": self.closing_due(&state, state.hub.anchor.time(now)),
            "till": self.till.json(&self.texts, state.hub.anchor.time(now)),
            "upgrade": self.upgrade.json(),
        });
        let categories = self.categories();
        let seen = self.seen(&state, trouble, &board, (disk, &at_counter), now);
        if let Value::Object(status) = &mut status {
            let shown = categories.categories.iter().map(|category| {
                json!({
                    "id": category.id.to_string(),
                    "label_fr": category.label_fr,
                    "label_en": category.label_en,
                    "share_percent": category.share_percent,
                })
            });
            status.insert(String::from("categories"), shown.collect());
            let current = board.current.and_then(|id| board.find(id));
            status.insert(String::from("sale"), json!(current.map(|sale| sale.json(&self.texts, &categories))));
            status.insert(String::from("last_sale"), json!(board.last_accepted().map(|sale| sale.id.to_string())));
            let advised = advice::advice(&seen).into_iter().map(|advice| advice.json(&self.texts)).collect();
            status.insert(String::from("advice"), advised);
            if let Some(reason) = state.terminal_state().reason() {
                let words = self.texts.both(reason.message_id());
                status.insert(String::from("message_fr"), json!(words.message_fr));
                status.insert(String::from("message_en"), json!(words.message_en));
            }
        }
        status
    }

    /// What advice is made of.
    fn seen(
        &self,
        state: &State,
        trouble: Option<Trouble>,
        board: &Board,
        (disk, at_counter): (Disk, &AtCounter),
        now: Moment,
    ) -> Seen {
        Seen {
            standing: state.terminal_state(),
            has_limits: state.policy.is_some(),
            trouble,
            disk,
            reader: board.reader.clone(),
            cashiers_broken: at_counter.is_broken,
            second: self.second(),
            network: self.network.borrow().state,
            age_s: state.hub.age_s(now),
            list_age_s_max: state.policy.as_ref().map(|policy| policy.plain_list_age_s_max.into()),
            unsent_sales: state.unsent().sales,
            printer: *self.printer.state().borrow(),
            kept: *self.printer.kept().borrow(),
            clock: state.hub.anchor.quality(now),
            alarms: state.alarms.len(),
            doubts: state.doubts.len(),
            closing_due: Self::period_due(state, state.hub.anchor.time(now)),
            till: self.till.seen(),
        }
    }

    fn hub(&self, state: &State, now: Moment) -> Value {
        let network = *self.network.borrow();
        let (reachable, id) = match network.state {
            NetworkState::Unknown => (None, "network-unknown"),
            NetworkState::Online => (Some(true), "network-online"),
            NetworkState::Offline("not_the_hub") => (Some(false), "network-not-the-hub"),
            NetworkState::Offline("refused") => (Some(false), "network-refused"),
            NetworkState::Offline(_) => (Some(false), "network-offline"),
        };
        let words = self.texts.both(id);
        json!({
            "reachable": reachable,
            "synced": reachable == Some(true) && network.has_all_news && state.unsent_rows() == 0,
            "last_seen_s": network.seen.and_then(|seen| now.elapsed_s(seen)),
            "message_fr": words.message_fr,
            "message_en": words.message_en,
        })
    }

    /// What `/metrics` gives.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        let Published { state, trouble } = self.journal.published();
        let now = self.clock.now();
        let ready = matches!(self.board().reader, ReaderState::Ready { .. });
        // What is not known is as bad as what is old: a terminal that never heard the hub has no list.
        let list_age_s = state.hub.age_s(now).unwrap_or(LIST_AGE_UNKNOWN_S);
        self.metrics.text(&[
            ("cabas_disk_free_bytes", "Free room on the journal's disk.", self.free_bytes().unwrap_or(0)),
            ("cabas_list_age_seconds", "Since the hub last had nothing new for the terminal.", list_age_s),
            ("cabas_clock_trusted", "1 where the clock agrees with the hub's.", {
                u64::from(state.hub.anchor.quality(now) != ClockQuality::Unknown)
            }),
            ("cabas_clock_off_seconds", "How far the clock is from the hub's time, as well as that is known.", {
                now.wall.get().abs_diff(state.hub.anchor.time(now).get())
            }),
            ("cabas_reader_ready", "1 where a card reader is there.", u64::from(ready)),
            ("cabas_sells", "1 where the fund lets the terminal sell.", {
                u64::from(state.terminal_state() == TerminalState::Live)
            }),
            ("cabas_till_unconfirmed", "Payments that a till may not know of.", {
                u64::try_from(self.till.seen().unconfirmed).unwrap_or(u64::MAX)
            }),
            ("cabas_alarms", "Things that the terminal wants somebody at the fund to see.", {
                u64::try_from(state.alarms.len()).unwrap_or(u64::MAX)
            }),
            ("cabas_unsynced_rows", "Rows that the hub does not have.", state.unsent_rows().into()),
            ("cabas_unsynced_cents", "The fund's part of sales that the hub does not have.", state.unsent().fund.get()),
            ("cabas_journal_rows", "Rows in the journal.", state.newest.chain.seq.get().into()),
            (
                "cabas_doubts",
                "Card payments without a known end.",
                u64::try_from(state.doubts.len()).unwrap_or(u64::MAX),
            ),
            ("cabas_journal_ok", "1 where the journal takes rows.", u64::from(trouble.is_none())),
            ("cabas_hub_reachable", "1 where the hub answers.", {
                u64::from(self.network.borrow().state == NetworkState::Online)
            }),
            (
                "cabas_refused_unfunded",
                "Sales refused since the start though the fund may have had the money.",
                self.link.refused_unfunded().into(),
            ),
        ])
    }
}

fn terminal(state: &State) -> Value {
    let config = state.config.as_deref();
    json!({
        "fund": state.id.fund.get(),
        "id": state.id.terminal.get(),
        "epoch": state.id.epoch.get(),
        "shop_name": config.map(|config| config.shop_name.as_str()),
        "fund_name": config.map(|config| config.fund_name.as_str()),
        "helpline": config.map(|config| config.helpline.as_str()),
    })
}

fn with_state(mut words: Value, more: Value) -> Value {
    if let (Value::Object(words), Value::Object(more)) = (&mut words, more) {
        if let Some(code) = words.remove("code") {
            words.insert(String::from("state"), code);
        }
        words.extend(more);
    }
    words
}

fn reader(texts: &Texts, board: &Board) -> Value {
    let (id, code) = match board.reader {
        ReaderState::NoService => ("reader-no-service", "no_service"),
        ReaderState::NoReader => ("reader-none", "no_reader"),
        ReaderState::Ready { .. } => ("reader-ready", "ready"),
        ReaderState::Lost => ("reader-lost", "lost"),
    };
    let name = match &board.reader {
        ReaderState::Ready { name } => Some(crate::out::plain(name)),
        ReaderState::NoService | ReaderState::NoReader | ReaderState::Lost => None,
    };
    with_state(coded(texts, id, code), json!({ "name": name, "card_present": board.card_present }))
}

fn printer(texts: &Texts, state: &PrinterState, kept: usize) -> Value {
    let (id, code) = match state {
        PrinterState::Off => ("printer-off", "off"),
        PrinterState::Unknown => ("printer-unknown", "unknown"),
        PrinterState::Ready => ("printer-ready", "ready"),
        PrinterState::ReadyMute => ("printer-ready-mute", "ready_mute"),
        PrinterState::PaperOut => ("printer-paper-out", "paper_out"),
        PrinterState::CoverOpen => ("printer-cover-open", "cover_open"),
        PrinterState::OffLine => ("printer-offline", "off_line"),
        PrinterState::Unreachable => ("printer-unreachable", "unreachable"),
        PrinterState::Hanging => ("printer-hanging", "hanging"),
        PrinterState::LastJobUnsure { .. } => ("printer-unsure", "last_job_unsure"),
    };
    with_state(coded(texts, id, code), json!({ "kept": kept }))
}

fn journal(texts: &Texts, state: &State, trouble: Option<Trouble>) -> Value {
    let (id, code) = trouble.map_or(("journal-ok", "ok"), |trouble| (trouble.message_id(), trouble.name()));
    with_state(coded(texts, id, code), json!({ "rows": state.newest.chain.seq.get() }))
}

fn clock(texts: &Texts, state: &State, now: Moment) -> Value {
    let quality = state.hub.anchor.quality(now);
    let mut clock = json!({
        "quality": clock_name(quality).0,
        "hub_time": state.hub.anchor.time(now).get(),
        "wall_time": now.wall.get(),
    });
    if let Value::Object(clock) = &mut clock {
        clock.extend(clock_words(texts, quality).map(|(key, value)| (key.to_owned(), value)));
    }
    clock
}
