//! What is wrong, and what a cashier does about it: one list, the worst first. Pure: from what the terminal sees of itself.

use super::health::Disk;
use crate::card::ReaderState;
use crate::core::authorize::TerminalState;
use crate::journal::Trouble;
use crate::journal::second::Second;
use crate::printer::PrinterState;
use crate::sync::NetworkState;
use crate::texts::Texts;
use cabas_protocol::release::Trouble as Told;
use cabas_protocol::row::{ClockQuality, ClosePeriod};
use serde_json::{Value, json};

/// Balances that were not renewed for so long are told.
pub const BALANCES_OLD_S: u64 = 3 * 86_400;
/// Sales that wait for so long to be sent are told: until then they lie on this disk alone.
pub const UNSENT_OLD_S: u64 = 2 * 86_400;

/// How much it matters.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Nothing can be sold, or soon cannot.
    Stop,
    /// Something does not work, or money could be lost.
    Warn,
    /// To be known.
    Info,
}

impl Level {
    /// Its name in the local API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

/// What the terminal sees of itself.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Whether it may sell.
    pub standing: TerminalState,
    /// True where it has its limits.
    pub has_limits: bool,
    /// What keeps the journal from writing.
    pub trouble: Option<Trouble>,
    /// The disk.
    pub disk: Disk,
    /// The reader.
    pub reader: ReaderState,
    /// True where the list of cashiers cannot be read.
    pub cashiers_broken: bool,
    /// The network.
    pub network: NetworkState,
    /// Seconds since the hub said that there is no more news.
    pub age_s: Option<u64>,
    /// The age of the hot list past which plain cards are declined.
    pub list_age_s_max: Option<u64>,
    /// Sales that the hub does not have.
    pub unsent_sales: u32,
    /// The printer.
    pub printer: PrinterState,
    /// Receipts that wait for it.
    pub kept: usize,
    /// How far the clock is to be trusted.
    pub clock: ClockQuality,
    /// Alarms on the screen.
    pub alarms: usize,
    /// Payments of which no end is known.
    pub doubts: usize,
    /// What should be closed.
    pub closing_due: Option<ClosePeriod>,
    /// The tills.
    pub till: crate::till::desk::Seen,
    /// The second copy of the journal, where there is to be one.
    pub second: Option<Second>,
}

/// One thing that is wrong.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Advice {
    /// How much it matters.
    pub level: Level,
    /// Its name.
    pub code: &'static str,
}

const fn stop(code: &'static str) -> Advice {
    Advice { level: Level::Stop, code }
}

const fn warn(code: &'static str) -> Advice {
    Advice { level: Level::Warn, code }
}

const fn info(code: &'static str) -> Advice {
    Advice { level: Level::Info, code }
}

impl Advice {
    /// As the local API gives it.
    #[must_use]
    pub fn json(self, texts: &Texts) -> Value {
        let id = self.message_id();
        let (wrong, todo) = (texts.both(&id), texts.both(&format!("{id}-todo")));
        json!({
            "code": self.code,
            "level": self.level.name(),
            "message_fr": wrong.message_fr,
            "message_en": wrong.message_en,
            "todo_fr": todo.message_fr,
            "todo_en": todo.message_en,
        })
    }

    /// The name of its message in `agent/locales`; with `-todo` what to do.
    #[must_use]
    pub fn message_id(self) -> String {
        format!("advice-{}", self.code.replace('_', "-"))
    }
}

/// Everything that is wrong, the worst first; within a level in the order in which a person would see to it.
#[must_use]
pub fn advice(seen: &Seen) -> Vec<Advice> {
    let all = [
        journal(seen.trouble),
        standing(seen.standing),
        (!seen.has_limits && seen.standing == TerminalState::Live).then(|| stop("no_settings")),
        reader(&seen.reader),
        // The journal says itself that the disk is full once it is.
        match seen.disk {
            Disk::Ok => None,
            Disk::Low => Some(warn("disk_low")),
            Disk::Full => (seen.trouble != Some(Trouble::DiskFull)).then(|| stop("disk_full")),
        },
        seen.cashiers_broken.then(|| warn("cashiers_unreadable")),
        seen.second.and_then(second),
        (seen.doubts > 0).then(|| warn("doubts")),
        (seen.till.unconfirmed > 0).then(|| warn("till_unconfirmed")),
        seen.till.is_shut.then(|| warn("till_shut")),
        seen.till.has_no_category.then(|| warn("till_category")),
        network(seen.network),
        list(seen),
        seen.age_s.filter(|age_s| *age_s >= BALANCES_OLD_S).map(|_| warn("balances_old")),
        seen.age_s.filter(|age_s| seen.unsent_sales > 0 && *age_s >= UNSENT_OLD_S).map(|_| warn("unsynced_days")),
        printer(&seen.printer),
        (seen.kept > 0).then(|| info("receipts_kept")),
        (seen.clock == ClockQuality::Unknown).then(|| warn("clock_unknown")),
        (seen.alarms > 0).then(|| warn("alarms")),
        closing(seen.closing_due),
    ];
    let mut found: Vec<Advice> = all.into_iter().flatten().collect();
    // Stable: the order within a level stays.
    found.sort_by_key(|advice| advice.level);
    found
}

const fn journal(trouble: Option<Trouble>) -> Option<Advice> {
    match trouble {
        None => None,
        Some(Trouble::DiskFull) => Some(stop("journal_disk_full")),
        Some(Trouble::ReadOnly) => Some(stop("journal_read_only")),
        Some(Trouble::Io) => Some(stop("journal_io_error")),
        Some(Trouble::Corrupt) => Some(stop("journal_corrupt")),
        Some(Trouble::Other) => Some(stop("journal_other")),
    }
}

const fn second(second: Second) -> Option<Advice> {
    match second {
        Second::InStep | Second::Unknown => None,
        Second::Absent => Some(warn("second_absent")),
        Second::Full => Some(warn("second_full")),
        Second::Failing => Some(warn("second_failing")),
        Second::Other => Some(warn("second_other")),
    }
}

const fn standing(standing: TerminalState) -> Option<Advice> {
    match standing {
        TerminalState::Live => None,
        TerminalState::NotEnrolled => Some(stop("terminal_not_enrolled")),
        TerminalState::Revoked => Some(stop("terminal_revoked")),
        TerminalState::Closed => Some(stop("terminal_closed")),
        TerminalState::Quarantined => Some(stop("terminal_quarantined")),
        TerminalState::Paused => Some(stop("terminal_paused")),
    }
}

const fn reader(reader: &ReaderState) -> Option<Advice> {
    match reader {
        ReaderState::Ready { .. } => None,
        ReaderState::NoService => Some(stop("reader_no_service")),
        ReaderState::NoReader => Some(stop("reader_none")),
        ReaderState::Lost => Some(stop("reader_lost")),
    }
}

fn network(network: NetworkState) -> Option<Advice> {
    match network {
        NetworkState::Unknown | NetworkState::Online => None,
        NetworkState::Offline("not_the_hub") => Some(warn("captive_portal")),
        NetworkState::Offline("refused") => Some(warn("hub_refused")),
        NetworkState::Offline(_) => Some(info("network_offline")),
    }
}

fn list(seen: &Seen) -> Option<Advice> {
    let (age_s, max) = (seen.age_s?, seen.list_age_s_max?);
    (age_s > max).then(|| warn("list_too_old"))
}

const fn printer(printer: &PrinterState) -> Option<Advice> {
    match printer {
        PrinterState::Off | PrinterState::Unknown | PrinterState::Ready | PrinterState::ReadyMute => None,
        PrinterState::PaperOut => Some(warn("printer_paper_out")),
        PrinterState::CoverOpen => Some(warn("printer_cover_open")),
        PrinterState::OffLine => Some(warn("printer_offline")),
        PrinterState::Unreachable => Some(warn("printer_unreachable")),
        PrinterState::Hanging => Some(warn("printer_hanging")),
        PrinterState::LastJobUnsure { .. } => Some(warn("printer_unsure")),
    }
}

const fn closing(due: Option<ClosePeriod>) -> Option<Advice> {
    match due {
        None => None,
        Some(ClosePeriod::Day) => Some(info("closing_day_due")),
        Some(ClosePeriod::Month) => Some(info("closing_month_due")),
        Some(ClosePeriod::Year) => Some(info("closing_year_due")),
    }
}

/// What of it the fund is told, for somebody there may have to do something about it.
#[must_use]
pub fn troubles(advice: &[Advice]) -> Vec<Told> {
    let mut told: Vec<Told> = advice.iter().filter_map(|advice| told(advice.code)).collect();
    told.sort_unstable();
    told.dedup();
    told
}

fn told(code: &str) -> Option<Told> {
    match code {
        "disk_low" => Some(Told::DISK_LOW),
        "disk_full" | "journal_disk_full" => Some(Told::DISK_FULL),
        "journal_read_only" | "journal_io_error" | "journal_corrupt" | "journal_other" => Some(Told::JOURNAL),
        "reader_no_service" | "reader_none" | "reader_lost" => Some(Told::READER),
        "printer_paper_out" | "printer_cover_open" | "printer_offline" | "printer_unreachable" | "printer_hanging" => {
            Some(Told::PRINTER)
        }
        "second_absent" | "second_full" | "second_failing" | "second_other" => Some(Told::SECOND_COPY),
        _ => None,
    }
}

#[cfg(test)]
#[path = "advice_tests.rs"]
mod tests;
