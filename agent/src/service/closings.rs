//! Closings, where the day stands, and their papers.

use super::closing_slip::{About, slip};
use super::{By, Refusal, Service};
use crate::clock;
use crate::core::closing::{Day, OpenSince, due};
use crate::core::receipt::{Language, date_time};
use crate::core::split::Categories;
use crate::journal::{Closed, Closing, Periods, State, Sums, Totals, period_name};
use crate::printer::{JobId, PrinterState};
use cabas_protocol::row::ClosePeriod;
use cabas_protocol::{CategoryId, Cents, Seq, Timestamp};
use serde_json::{Map, Value, json};

/// The figures of a stretch of rows.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// The first row.
    pub(crate) from: Seq,
    /// The last row.
    pub(crate) upto: Seq,
    /// What was added in it.
    pub(crate) totals: Totals,
    /// The fund's part of all sales of the enrolment, up to its end.
    pub(crate) perpetual: Cents,
    /// By category and by cashier.
    pub(crate) sums: Sums,
}

impl Service {
    /// Closes a period and gives its totals.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn close(&self, period: ClosePeriod) -> Result<Value, Refusal> {
        self.may_really(By::Person)?;
        let now = self.clock.now();
        let Closed { asked, is_new, added } = self.journal.customer(move |journal| journal.close(now, period)).await?;
        for closing in &added {
            let close = closing.close;
            tracing::info!(close.period = period_name(close.period), close.number, seq = closing.seq.get(), "closed");
        }
        let figures = self.figures_of(&asked).await?;
        let mut view = closing_json(&asked);
        view.extend(self.sums_json(&figures.sums));
        let doubts = self.journal.published().state.doubts.len();
        for (key, value) in [
            ("is_new", json!(is_new)),
            ("closed", added.iter().map(|closing| Value::Object(closing_json(closing))).collect()),
            ("closed_at", json!(sortable(asked.at))),
            ("doubts", json!(doubts)),
        ] {
            view.insert(key.to_owned(), value);
        }
        Ok(Value::Object(view))
    }

    /// Where the day stands; nothing is written.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn day(&self) -> Result<Value, Refusal> {
        let (figures, since) = self.running().await?;
        let mut view = Map::from_iter([
            (String::from("since_seq"), json!(figures.from.get())),
            (String::from("since"), json!(since.map(shown))),
            (String::from("at"), json!(shown(self.time()))),
        ]);
        view.extend(totals_json(figures.totals, figures.perpetual));
        view.extend(self.sums_json(&figures.sums));
        Ok(Value::Object(view))
    }

    /// Closings, newest first.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn closings(&self, before: Option<Seq>, limit: u32) -> Result<Value, Refusal> {
        let found = self.journal.customer(move |journal| journal.closings(before, limit)).await?;
        let found: Vec<Value> = found.iter().map(|closing| Value::Object(closing_json(closing))).collect();
        Ok(json!({ "closings": found }))
    }

    /// Puts the paper of a closing into the printer's queue. A second one says that it is a duplicate.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn print_closing(&self, seq: Seq, language: Language) -> Result<(JobId, u32), Refusal> {
        self.may(By::Person)?;
        self.check_printer()?;
        let found = self.journal.customer(move |journal| journal.closing(seq)).await?;
        let closing = found.ok_or(Refusal::NoClosing)?;
        let figures = self.figures_of(&closing).await?;
        let now = self.clock.now();
        // Counted first: a print that failed half-way must not come out a second time as the first.
        let copies = self.journal.customer(move |journal| journal.count_print(now, seq)).await?;
        let opened_at = Some(closing.opened_at);
        let about = About { closing: Some(&closing), figures: &figures, opened_at, at: closing.at, copies };
        Ok((self.print_slip(language, &about)?, copies))
    }

    /// Puts where the day stands into the printer's queue.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn print_day(&self, language: Language) -> Result<JobId, Refusal> {
        self.may(By::Person)?;
        self.check_printer()?;
        let (figures, opened_at) = self.running().await?;
        self.print_slip(language, &About { closing: None, figures: &figures, opened_at, at: self.time(), copies: 0 })
    }

    fn check_printer(&self) -> Result<(), Refusal> {
        if *self.printer.state().borrow() == PrinterState::Off { Err(Refusal::PrinterOff) } else { Ok(()) }
    }

    fn print_slip(&self, language: Language, about: &About<'_>) -> Result<JobId, Refusal> {
        let slip = slip(&self.journal.published().state, &self.texts, language, about).map_err(|error| {
            tracing::error!(%error, "the paper of a closing could not be made");
            Refusal::Receipt
        })?;
        self.printer.print_slip(slip).map_err(|_| Refusal::PrinterBusy)
    }

    fn time(&self) -> Timestamp {
        self.journal.published().state.hub.anchor.time(self.clock.now())
    }

    async fn figures_of(&self, closing: &Closing) -> Result<Figures, Refusal> {
        let close = closing.close;
        let (sales, fund, member) = (close.sales, close.fund, close.member);
        let totals = Totals { sales, fund, member, reversed: close.reversed, refunds: close.refunds };
        let sums = self.sums(close.from, closing.seq).await?;
        Ok(Figures { from: close.from, upto: closing.seq, totals, perpetual: close.perpetual, sums })
    }

    /// The figures since the newest closing of a day, and when the first row that counts was written.
    async fn running(&self) -> Result<(Figures, Option<Timestamp>), Refusal> {
        // What the thread has at hand: never behind what was read before.
        let begin = |journal: &mut crate::journal::Journal| {
            let state = journal.state();
            let from = state.periods.day.closed.next().ok_or(crate::journal::JournalError::Full)?;
            let sums = journal.sums(from, state.newest.chain.seq)?;
            Ok((state, from, sums))
        };
        let (state, from, sums) = self.journal.customer(begin).await?;
        let (day, upto) = (state.periods.day, state.newest.chain.seq);
        let totals = state.newest.totals.since(day.totals).map_err(|_| Refusal::Receipt)?;
        let sums = self.sum_up(sums).await?;
        Ok((Figures { from, upto, totals, perpetual: state.newest.totals.fund, sums }, day.since))
    }

    /// Read step by step behind whatever a customer asks: a year's rows take a while.
    async fn sums(&self, from: Seq, upto: Seq) -> Result<Sums, Refusal> {
        let sums = self.journal.customer(move |journal| journal.sums(from, upto)).await?;
        self.sum_up(sums).await
    }

    async fn sum_up(&self, mut sums: Sums) -> Result<Sums, Refusal> {
        while !sums.is_done() {
            sums = self.journal.sync(move |journal| journal.sum_on(sums)).await?;
        }
        Ok(sums)
    }

    fn sums_json(&self, sums: &Sums) -> Map<String, Value> {
        let state = self.journal.published().state;
        let categories = sums.categories.iter().map(|(id, sum)| {
            json!({
                "id": id.to_string(),
                "label_fr": category_label(&state, *id, Language::French),
                "label_en": category_label(&state, *id, Language::English),
                "sales": sum.sales,
                "fund_cents": sum.fund.get(),
                "member_cents": sum.member.get(),
            })
        });
        let on_roll = self.lock.cashiers.now();
        let cashiers = sums.cashiers.iter().map(|(number, sum)| {
            let label = on_roll.find(*number).map(|cashier| cashier.label.as_str());
            json!({ "number": number, "label": label, "sales": sum.sales, "fund_cents": sum.fund.get() })
        });
        Map::from_iter([
            (String::from("by_category"), categories.collect()),
            (String::from("cashiers"), cashiers.collect()),
        ])
    }

    /// The closing that is due, for the list of what is wrong.
    pub(super) fn period_due(state: &State, time: Timestamp) -> Option<ClosePeriod> {
        due(&open_since(&state.periods), day_at(time)).map(|(period, _)| period)
    }

    /// What should be closed, for the status.
    pub(super) fn closing_due(&self, state: &State, time: Timestamp) -> Value {
        let Some((period, since)) = due(&open_since(&state.periods), day_at(time)) else {
            return json!({ "due": null, "since": null, "message_fr": null, "message_en": null });
        };
        let id = match period {
            ClosePeriod::Day => "closing-due-day",
            ClosePeriod::Month => "closing-due-month",
            ClosePeriod::Year => "closing-due-year",
        };
        let date = clock::date_text(since.number);
        let say = |language| {
            let date = match language {
                Language::French => french_date(&date),
                Language::English => date.clone(),
            };
            self.texts.with(language, id, &[("date", &date)])
        };
        json!({
            "due": period_name(period),
            "since": date,
            "message_fr": say(Language::French),
            "message_en": say(Language::English),
        })
    }
}

fn day_at(time: Timestamp) -> Day {
    let number = clock::business_day(time);
    let (year, month, _) = clock::ymd(number);
    Day { number, year, month }
}

fn open_since(periods: &Periods) -> OpenSince {
    OpenSince {
        day: periods.day.since.map(day_at),
        month: periods.month.since.map(day_at),
        year: periods.year.since.map(day_at),
        year_closed: periods.year.closed_at.map(day_at),
    }
}

/// `2026-11-28` as `28/11/2026`.
fn french_date(date: &str) -> String {
    date.rsplit('-').collect::<Vec<_>>().join("/")
}

fn shown(time: Timestamp) -> String {
    date_time(clock::local(time))
}

/// A time whose text sorts as the time does.
fn sortable(time: Timestamp) -> String {
    let time = clock::local(time);
    format!("{:04}-{:02}-{:02} {:02}:{:02}", time.year, time.month, time.day, time.hour, time.minute)
}

/// The name of a category in the newest grid that has it.
pub(super) fn category_label(state: &State, id: CategoryId, language: Language) -> Option<String> {
    let default = Categories::default();
    let mut known = state.grids.iter().flat_map(|grid| &grid.categories).chain(&default.categories);
    known.find(|category| category.id == id).map(|category| match language {
        Language::French => category.label_fr.clone(),
        Language::English => category.label_en.clone(),
    })
}

fn closing_json(closing: &Closing) -> Map<String, Value> {
    let close = closing.close;
    let totals = Totals {
        sales: close.sales,
        fund: close.fund,
        member: close.member,
        reversed: close.reversed,
        refunds: close.refunds,
    };
    let mut view = Map::from_iter([
        (String::from("seq"), json!(closing.seq.get())),
        (String::from("period"), json!(period_name(close.period))),
        (String::from("number"), json!(close.number)),
        (String::from("from"), json!(shown(closing.opened_at))),
        (String::from("at"), json!(shown(closing.at))),
        (String::from("from_seq"), json!(close.from.get())),
        (String::from("hash"), json!(closing.hash.to_string())),
    ]);
    view.extend(totals_json(totals, close.perpetual));
    view
}

fn totals_json(totals: Totals, perpetual: Cents) -> Map<String, Value> {
    Map::from_iter([
        (String::from("sales"), json!(totals.sales)),
        (
            String::from("requested_cents"),
            json!(totals.fund.plus(totals.member).map_or(Value::Null, |sum| json!(sum.get()))),
        ),
        (String::from("fund_cents"), json!(totals.fund.get())),
        (String::from("member_cents"), json!(totals.member.get())),
        (String::from("reversed_cents"), json!(totals.reversed.get())),
        (String::from("refunds_cents"), json!(totals.refunds.get())),
        (String::from("perpetual_cents"), json!(perpetual.get())),
    ])
}
