#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
use super::*;

const NOW: u64 = 1_800_000_000;

fn at(seconds_ago: u64) -> Timestamp {
    Timestamp::new(NOW.saturating_sub(seconds_ago))
}

fn terminal(number: u32) -> TerminalSeen {
    TerminalSeen {
        terminal: number,
        is_live: true,
        is_quarantined: false,
        is_clock_unknown: false,
        troubles: Vec::new(),
        told_at: at(0),
        called_at: at(60),
        current_at: at(60),
    }
}

fn fine() -> Seen {
    Seen {
        now: at(0),
        is_serving: Some(true),
        keys: KeysSeen::Fine,
        database: DatabaseSeen::Fine,
        ledger: LedgerSeen::Sound,
        disk_free: Some(DISK_LOW_BYTES),
        log_bytes: Some(LOG_LARGE_BYTES),
        is_clock_synchronized: Some(true),
        newest_at: Some(Timestamp::new(NOW + CLOCK_BEHIND_S_MAX)),
        certificate: CertificateSeen::EndsAt(Timestamp::new(NOW + CERTIFICATE_NEAR_DAYS * DAY_S)),
        founded_at: Some(at(400 * DAY_S)),
        backup_at: Some(at(BACKUP_LATE_S)),
        drill_at: Some(at(DRILL_LATE_S)),
        drill_failed_at: None,
        is_replicating: Some(true),
        alerts_on: true,
        undelivered_since: Some(at(UNDELIVERED_S_MAX)),
        terminals: vec![terminal(1)],
        list_age_s_max: 3 * DAY_S,
        silent_s: SILENT_S,
    }
}

#[test]
fn where_nothing_is_wrong_everything_is_said_to_be_fine() {
    let all = checks(&fine());
    assert_eq!(worst(&all), Verdict::Fine, "{all:?}");
    assert_eq!(all.iter().map(|check| check.code).collect::<Vec<_>>(), CODES);
    assert!(all.iter().all(|check| check.says.is_none() && check.value.is_none() && check.terminals.is_empty()));
}

/// One line a case: what differs from a hub that is fine, and the one thing that is said of it.
#[test]
fn each_thing_that_is_wrong_is_said_and_nothing_else() {
    use Verdict::{Look, Wrong};
    type Change = fn(&mut Seen);
    let cases: &[(Change, &str, &str, Verdict, Option<u64>)] = &[
        (|seen| seen.is_serving = Some(false), "serving", "serving_not", Wrong, None),
        (|seen| seen.keys = KeysSeen::Missing, "keys", "keys_missing", Wrong, None),
        (|seen| seen.keys = KeysSeen::Open, "keys", "keys_open", Wrong, None),
        (|seen| seen.database = DatabaseSeen::Missing, "database", "database_missing", Wrong, None),
        (|seen| seen.database = DatabaseSeen::Newer, "database", "database_newer", Wrong, None),
        (|seen| seen.database = DatabaseSeen::Older, "database", "database_older", Look, None),
        (|seen| seen.database = DatabaseSeen::Damaged, "database", "database_damaged", Wrong, None),
        (|seen| seen.ledger = LedgerSeen::Wrong(3), "ledger", "ledger_wrong", Wrong, Some(3)),
        (|seen| seen.disk_free = Some(DISK_LOW_BYTES - 1), "disk", "disk_low", Look, Some(1023)),
        (|seen| seen.disk_free = Some(DISK_FULL_BYTES - 1), "disk", "disk_full", Wrong, Some(99)),
        (|seen| seen.log_bytes = Some(LOG_LARGE_BYTES + 1), "log", "log_large", Look, Some(512)),
        (|seen| seen.newest_at = Some(Timestamp::new(NOW + 61)), "clock", "clock_behind", Wrong, Some(61)),
        (|seen| seen.is_clock_synchronized = Some(false), "clock", "clock_alone", Look, None),
        (|seen| seen.certificate = CertificateSeen::Unread, "certificate", "certificate_unread", Wrong, None),
        (|seen| seen.certificate = CertificateSeen::EndsAt(at(0)), "certificate", "certificate_over", Wrong, None),
        (
            |seen| seen.certificate = CertificateSeen::EndsAt(Timestamp::new(NOW + 3 * DAY_S - 1)),
            "certificate",
            "certificate_near",
            Wrong,
            Some(2),
        ),
        (
            |seen| seen.certificate = CertificateSeen::EndsAt(Timestamp::new(NOW + 14 * DAY_S - 1)),
            "certificate",
            "certificate_near",
            Look,
            Some(13),
        ),
        (|seen| seen.backup_at = Some(at(BACKUP_LATE_S + 1)), "backup", "backup_late", Wrong, Some(36)),
        (|seen| seen.backup_at = None, "backup", "backup_none", Wrong, None),
        (|seen| seen.drill_at = Some(at(DRILL_LATE_S + 1)), "drill", "drill_late", Wrong, Some(84)),
        (|seen| seen.drill_at = None, "drill", "drill_none", Wrong, None),
        (|seen| seen.drill_failed_at = Some(at(5)), "drill", "drill_failed", Wrong, None),
        (|seen| seen.is_replicating = Some(false), "replica", "replica_down", Wrong, None),
        (|seen| seen.alerts_on = false, "alerts", "alerts_off", Look, None),
        (|seen| seen.undelivered_since = Some(at(UNDELIVERED_S_MAX + 1)), "alerts", "alerts_stuck", Look, Some(6)),
    ];
    for (change, code, says, verdict, value) in cases {
        let mut seen = fine();
        change(&mut seen);
        let found: Vec<Check> = checks(&seen).into_iter().filter(|check| check.verdict != Verdict::Fine).collect();
        let said = Check { code, verdict: *verdict, says: Some(says), value: *value, terminals: Vec::new() };
        assert_eq!(found, [said], "{says}");
        assert!(CODES.contains(code) && SAYINGS.contains(says), "{says} has no words");
    }
}

#[test]
fn terminals_are_told_by_number_and_only_those_that_sell_are_missed() {
    let mut seen = fine();
    let revoked = TerminalSeen { is_live: false, called_at: at(90 * DAY_S), current_at: at(90 * DAY_S), ..terminal(2) };
    let silent = TerminalSeen { called_at: at(SILENT_S), ..terminal(3) };
    let old = TerminalSeen { current_at: at(3 * DAY_S + 1), ..terminal(4) };
    let forked = TerminalSeen { is_live: false, is_quarantined: true, ..terminal(5) };
    let wrong_clock = TerminalSeen { is_clock_unknown: true, ..terminal(6) };
    seen.terminals = vec![terminal(1), revoked, silent, old, forked, wrong_clock];
    let all = checks(&seen);
    let of = |code: &str| all.iter().find(|check| check.code == code).unwrap();
    assert_eq!((of("silent").terminals.as_slice(), of("silent").value), ([3].as_slice(), Some(96)));
    assert_eq!((of("list_old").terminals.as_slice(), of("list_old").value), ([4].as_slice(), Some(72)));
    assert_eq!((of("forks").terminals.as_slice(), of("forks").verdict), ([5].as_slice(), Verdict::Wrong));
    assert_eq!(of("terminal_clock").terminals, [6]);
    assert_eq!(worst(&all).exit_code(), 2);
}

#[test]
fn what_a_terminal_says_does_not_work_is_told_once_it_lasts() {
    let told = |trouble, age_s: u64, told_s: u64| {
        let troubled = TerminalSeen { troubles: vec![(trouble, at(age_s))], told_at: at(told_s), ..terminal(2) };
        let revoked = TerminalSeen { terminal: 3, is_live: false, ..troubled.clone() };
        let seen = Seen { terminals: vec![terminal(1), troubled, revoked], ..fine() };
        let found = checks(&seen).into_iter().filter(|check| check.verdict != Verdict::Fine).collect::<Vec<_>>();
        found.into_iter().map(|check| (check.code, check.verdict, check.terminals)).collect::<Vec<_>>()
    };
    let of = |trouble, age_s| told(trouble, age_s, 0);
    for (trouble, code, lasts_s, verdict) in [
        (Trouble::DISK_LOW, "terminal_disk", TROUBLE_DISK_S, Verdict::Wrong),
        (Trouble::DISK_FULL, "terminal_disk", TROUBLE_DISK_S, Verdict::Wrong),
        (Trouble::JOURNAL, "terminal_disk", TROUBLE_DISK_S, Verdict::Wrong),
        (Trouble::READER, "terminal_reader", TROUBLE_DEVICE_S, Verdict::Look),
        (Trouble::PRINTER, "terminal_printer", TROUBLE_DEVICE_S, Verdict::Look),
        (Trouble::SECOND_COPY, "terminal_copy", TROUBLE_DEVICE_S, Verdict::Look),
    ] {
        assert_eq!(of(trouble, lasts_s - 1), [], "{code}");
        assert_eq!(of(trouble, lasts_s), [(code, verdict, vec![2])], "a revoked terminal is nobody's worry");
        assert!(ALERTED.contains(&code) && CODES.contains(&code) && SAYINGS.contains(&code));
    }
    // A printer that was switched off with the terminal a minute later has not been missing for a day on Sunday.
    assert_eq!(told(Trouble::PRINTER, DAY_S, DAY_S - 60), []);
    assert_eq!(told(Trouble::PRINTER, 2 * DAY_S, DAY_S).len(), 1);
    assert_eq!(told(Trouble::PRINTER, SILENT_S + DAY_S, SILENT_S), [], "it is silent, which is told");
    assert_eq!(of(Trouble::new(9_000), 9 * DAY_S), [], "a newer terminal's words mean nothing here");
}

#[test]
fn a_fund_that_was_just_made_has_time_for_its_first_copy() {
    let young = Seen { founded_at: Some(at(BACKUP_LATE_S)), backup_at: None, drill_at: None, ..fine() };
    assert_eq!(worst(&checks(&young)), Verdict::Fine);
    let older = Seen { founded_at: Some(at(BACKUP_LATE_S + 1)), ..young.clone() };
    assert_eq!(worst(&checks(&older)), Verdict::Wrong);
    let passed_since = Seen { drill_failed_at: Some(at(50)), drill_at: Some(at(40)), ..fine() };
    assert_eq!(worst(&checks(&passed_since)), Verdict::Fine, "a drill that passed later counts");
}

#[test]
fn what_nobody_looked_at_is_not_called_fine() {
    let seen = Seen {
        is_serving: None,
        ledger: LedgerSeen::Unknown,
        disk_free: None,
        log_bytes: None,
        certificate: CertificateSeen::None,
        is_replicating: None,
        ..fine()
    };
    let codes: Vec<&str> = checks(&seen).iter().map(|check| check.code).collect();
    for code in ["serving", "ledger", "disk", "log", "certificate", "replica"] {
        assert!(!codes.contains(&code), "{code}");
    }
    assert!(ALERTED.iter().all(|code| CODES.contains(code)));
}
