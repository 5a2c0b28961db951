//! Each thing that can be wrong is told once, in words, and the worst first.

use super::*;
use crate::printer::{JobId, PrinterFault};
use std::collections::BTreeSet;

fn well() -> Seen {
    Seen {
        standing: TerminalState::Live,
        has_limits: true,
        trouble: None,
        disk: Disk::Ok,
        reader: ReaderState::Ready { name: String::from("reader") },
        cashiers_broken: false,
        network: NetworkState::Online,
        age_s: Some(10),
        list_age_s_max: Some(7 * 86_400),
        unsent_sales: 3,
        printer: PrinterState::Ready,
        kept: 0,
        clock: ClockQuality::Synced,
        alarms: 0,
        doubts: 0,
        closing_due: None,
        till: crate::till::desk::Seen::default(),
        second: Some(Second::InStep),
    }
}

/// Every thing that can be wrong by itself: what is seen then, and what is said.
fn wrongs() -> Vec<(Seen, Advice)> {
    let standing = |standing, code| (Seen { standing, ..well() }, stop(code));
    let trouble = |trouble, code| (Seen { trouble: Some(trouble), ..well() }, stop(code));
    let reader = |reader, code| (Seen { reader, ..well() }, stop(code));
    let network = |name, advice| (Seen { network: NetworkState::Offline(name), ..well() }, advice);
    let printer = |printer, code| (Seen { printer, ..well() }, warn(code));
    let till = |till, code| (Seen { till, ..well() }, warn(code));
    let due = |due, code| (Seen { closing_due: Some(due), ..well() }, info(code));
    let unsure = PrinterState::LastJobUnsure { job: JobId::new(1), fault: PrinterFault::Hanging };
    vec![
        trouble(Trouble::DiskFull, "journal_disk_full"),
        trouble(Trouble::ReadOnly, "journal_read_only"),
        trouble(Trouble::Io, "journal_io_error"),
        trouble(Trouble::Corrupt, "journal_corrupt"),
        trouble(Trouble::Other, "journal_other"),
        standing(TerminalState::NotEnrolled, "terminal_not_enrolled"),
        standing(TerminalState::Revoked, "terminal_revoked"),
        standing(TerminalState::Closed, "terminal_closed"),
        standing(TerminalState::Quarantined, "terminal_quarantined"),
        standing(TerminalState::Paused, "terminal_paused"),
        (Seen { has_limits: false, ..well() }, stop("no_settings")),
        reader(ReaderState::NoService, "reader_no_service"),
        reader(ReaderState::NoReader, "reader_none"),
        reader(ReaderState::Lost, "reader_lost"),
        (Seen { disk: Disk::Full, ..well() }, stop("disk_full")),
        (Seen { disk: Disk::Low, ..well() }, warn("disk_low")),
        (Seen { cashiers_broken: true, ..well() }, warn("cashiers_unreadable")),
        (Seen { doubts: 1, ..well() }, warn("doubts")),
        till(crate::till::desk::Seen { unconfirmed: 1, ..Default::default() }, "till_unconfirmed"),
        till(crate::till::desk::Seen { is_shut: true, ..Default::default() }, "till_shut"),
        till(crate::till::desk::Seen { has_no_category: true, ..Default::default() }, "till_category"),
        (Seen { second: Some(Second::Absent), ..well() }, warn("second_absent")),
        (Seen { second: Some(Second::Full), ..well() }, warn("second_full")),
        (Seen { second: Some(Second::Failing), ..well() }, warn("second_failing")),
        (Seen { second: Some(Second::Other), ..well() }, warn("second_other")),
        network("not_the_hub", warn("captive_portal")),
        network("refused", warn("hub_refused")),
        network("not_reached", info("network_offline")),
        (Seen { age_s: Some(86_401), list_age_s_max: Some(86_400), ..well() }, warn("list_too_old")),
        (Seen { age_s: Some(BALANCES_OLD_S), unsent_sales: 0, ..well() }, warn("balances_old")),
        (Seen { age_s: Some(UNSENT_OLD_S), ..well() }, warn("unsynced_days")),
        printer(PrinterState::PaperOut, "printer_paper_out"),
        printer(PrinterState::CoverOpen, "printer_cover_open"),
        printer(PrinterState::OffLine, "printer_offline"),
        printer(PrinterState::Unreachable, "printer_unreachable"),
        printer(PrinterState::Hanging, "printer_hanging"),
        printer(unsure, "printer_unsure"),
        (Seen { kept: 2, ..well() }, info("receipts_kept")),
        (Seen { clock: ClockQuality::Unknown, ..well() }, warn("clock_unknown")),
        (Seen { alarms: 1, ..well() }, warn("alarms")),
        due(ClosePeriod::Day, "closing_day_due"),
        due(ClosePeriod::Month, "closing_month_due"),
        due(ClosePeriod::Year, "closing_year_due"),
    ]
}

#[test]
fn where_all_is_well_nothing_is_said() {
    assert_eq!(advice(&well()), []);
    for printer in [PrinterState::Off, PrinterState::Unknown, PrinterState::ReadyMute] {
        assert_eq!(advice(&Seen { printer, ..well() }), []);
    }
    let quiet = Seen { network: NetworkState::Unknown, clock: ClockQuality::Carried, age_s: None, ..well() };
    assert_eq!(advice(&quiet), []);
    assert_eq!(advice(&Seen { age_s: Some(UNSENT_OLD_S), unsent_sales: 0, ..well() }), []);
}

#[test]
fn each_thing_that_is_wrong_is_told_and_nothing_else() {
    for (seen, expected) in wrongs() {
        assert_eq!(advice(&seen), [expected], "{seen:?}");
    }
}

#[test]
fn the_worst_comes_first_and_a_full_disk_is_said_once() {
    let seen = Seen {
        closing_due: Some(ClosePeriod::Day),
        kept: 1,
        alarms: 1,
        printer: PrinterState::PaperOut,
        reader: ReaderState::NoReader,
        trouble: Some(Trouble::DiskFull),
        disk: Disk::Full,
        network: NetworkState::Offline("not_reached"),
        ..well()
    };
    let codes: Vec<_> = advice(&seen).into_iter().map(|advice| advice.code).collect();
    let expected = [
        "journal_disk_full",
        "reader_none",
        "printer_paper_out",
        "alarms",
        "network_offline",
        "receipts_kept",
        "closing_day_due",
    ];
    assert_eq!(codes, expected);
}

#[test]
fn every_code_has_words_and_something_to_do_in_both_languages() {
    let texts = Texts::default();
    let mut said = BTreeSet::new();
    for (_, advice) in wrongs() {
        let id = advice.message_id();
        for id in [id.clone(), format!("{id}-todo")] {
            let words = texts.both(&id);
            assert!(words.message_fr != id && words.message_en != id && words.message_fr != words.message_en, "{id}");
        }
        let shown = advice.json(&texts);
        assert_eq!(shown.get("level"), Some(&json!(advice.level.name())));
        assert!(said.insert(advice.code), "{} stands twice", advice.code);
    }
    for id in texts.advice_ids() {
        let code = id.trim_end_matches("-todo").trim_start_matches("advice-").replace('-', "_");
        assert!(said.contains(code.as_str()), "{id} is said of nothing");
    }
}

#[test]
fn the_fund_is_told_what_it_may_have_to_mend_and_nothing_of_what_a_cashier_sees_to() {
    let of = |seen: &Seen| troubles(&advice(seen));
    assert_eq!(of(&well()), []);
    let mut told: BTreeSet<Told> = BTreeSet::new();
    for (seen, wrong) in wrongs() {
        let found = of(&seen);
        let words = wrong.code.split('_').next().unwrap_or_default();
        let is_the_machines = ["journal", "disk", "reader", "second"].contains(&words)
            || (words == "printer" && wrong.code != "printer_unsure");
        assert_eq!(found.len(), usize::from(is_the_machines), "{}", wrong.code);
        told.extend(found);
    }
    let all = [Told::DISK_LOW, Told::DISK_FULL, Told::JOURNAL, Told::READER, Told::PRINTER, Told::SECOND_COPY];
    assert_eq!(told, BTreeSet::from(all), "each of them");
    // Two ways to say the same are one trouble.
    let full = Seen { disk: Disk::Full, trouble: Some(Trouble::DiskFull), reader: ReaderState::Lost, ..well() };
    assert_eq!(of(&full), [Told::DISK_FULL, Told::READER]);
}
