//! What files and the system tell: copies, the certificate's end, the log's size, locks, services.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use cabas_protocol::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::core::checks::CertificateSeen;

/// How the nightly script names what it makes, before the ending.
const NAME: &str = "%Y-%m-%dT%H%M%SZ";
/// A drill that did not end in this time did not pass: systemd has ended it.
const DRILL_S_MAX: u64 = 2 * 3600;
/// Files in the folder of copies that are looked at.
const FILES_MAX: usize = 10_000;

/// What lies in the folder of copies.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Copies {
    /// The newest copy.
    pub backup_at: Option<Timestamp>,
    /// The newest drill that passed.
    pub drill_at: Option<Timestamp>,
    /// The newest drill that did not pass.
    pub drill_failed_at: Option<Timestamp>,
}

impl Copies {
    /// Reads the folder; one that is not there holds nothing.
    #[must_use]
    pub fn read(folder: &Path, now: Timestamp) -> Self {
        let Ok(files) = std::fs::read_dir(folder) else { return Self::default() };
        let names = files.take(FILES_MAX).filter_map(|file| file.ok()?.file_name().into_string().ok());
        Self::of_names(names, now)
    }

    fn of_names(names: impl Iterator<Item = String>, now: Timestamp) -> Self {
        let mut copies = Self::default();
        for name in names {
            let Some((date, ending)) = name.split_once('.') else { continue };
            let Some(at) = date_of(date) else { continue };
            let newest = match ending {
                "db" => &mut copies.backup_at,
                "drill.txt" => &mut copies.drill_at,
                "drill.txt.unfinished" if now.since_s(at) > DRILL_S_MAX => &mut copies.drill_failed_at,
                _ => continue,
            };
            *newest = (*newest).max(Some(at));
        }
        copies
    }
}

fn date_of(name: &str) -> Option<Timestamp> {
    let read = jiff::civil::DateTime::strptime(NAME, name).ok()?;
    let seconds = read.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    u64::try_from(seconds).ok().map(Timestamp::new)
}

/// Until when the first certificate of a file holds.
#[must_use]
pub fn certificate_end(file: Option<&Path>) -> CertificateSeen {
    let Some(file) = file else { return CertificateSeen::None };
    let first = CertificateDer::pem_file_iter(file).ok().and_then(|mut found| found.next()?.ok());
    let end = first.and_then(|der| {
        let (_, parsed) = X509Certificate::from_der(&der).ok()?;
        u64::try_from(parsed.validity().not_after.timestamp()).ok()
    });
    end.map_or(CertificateSeen::Unread, |end| CertificateSeen::EndsAt(Timestamp::new(end)))
}

/// The size of a database's write-ahead log; nothing where there is none.
pub(super) fn log_bytes(database: &Path) -> Option<u64> {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    Some(std::fs::metadata(log).ok()?.len())
}

/// Whether the clock was set by another one; none where systemd-timesyncd does not look after it.
pub(super) fn is_synchronized(folder: &Path) -> Option<bool> {
    folder.exists().then(|| folder.join("synchronized").exists())
}

/// Whether a service that was set up has a process; none where it was not, or where the kernel does not tell.
pub(super) fn is_running(set_up: &Path, cgroups: &Path, unit: &str) -> Option<bool> {
    (set_up.exists() && cgroups.join("cgroup.controllers").exists()).then(|| {
        let processes = std::fs::read_to_string(cgroups.join(unit).join("cgroup.procs"));
        processes.is_ok_and(|processes| !processes.trim().is_empty())
    })
}

/// Whether somebody holds a lock on a file, as the kernel lists it: to try the lock would be to hold it.
pub(super) fn is_locked(file: &Path) -> Option<bool> {
    let Ok(found) = std::fs::metadata(file) else { return Some(false) };
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    Some(is_listed(&locks, found.ino()))
}

fn is_listed(locks: &str, inode: u64) -> bool {
    let ending = format!(":{inode}");
    locks.lines().any(|line| {
        let mut fields = line.split_whitespace();
        line.contains(" FLOCK ") && fields.any(|field| field.ends_with(&ending))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn copies_are_known_by_their_names_and_a_drill_that_never_ended_has_failed() {
        let at = |text| date_of(text).unwrap();
        assert_eq!(at("2026-11-28T023312Z").get(), 1_795_833_192);
        let names = [
            "2026-11-26T023312Z.db",
            "2026-11-28T023312Z.db",
            "2026-11-27T023312Z.db",
            "2026-11-26T023312Z.drill.txt",
            "2026-11-27T023312Z.drill.txt.unfinished",
            "2026-11-28T023312Z.tar.age",
            "2026-13-28T023312Z.db",
            "archive.db",
            "notes",
        ];
        let names = || names.iter().map(|name| (*name).to_owned());
        let copies = Copies::of_names(names(), Timestamp::new(NOW));
        let expected = Copies {
            backup_at: Some(at("2026-11-28T023312Z")),
            drill_at: Some(at("2026-11-26T023312Z")),
            drill_failed_at: Some(at("2026-11-27T023312Z")),
        };
        assert_eq!(copies, expected);
        let running = Copies::of_names(names(), at("2026-11-27T023312Z").after_s(DRILL_S_MAX));
        assert_eq!(running.drill_failed_at, None, "it may be under way");
        assert_eq!(Copies::read(Path::new("/nowhere"), Timestamp::new(NOW)), Copies::default());
    }

    #[test]
    fn a_certificate_says_until_when_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cert.pem");
        let mut params = rcgen::CertificateParams::new(vec!["hub.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2027, 1, 15);
        let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        write(&file, &made.pem());
        assert_eq!(certificate_end(Some(&file)), CertificateSeen::EndsAt(Timestamp::new(1_799_971_200)));
        write(&file, "no certificate");
        assert_eq!(certificate_end(Some(&file)), CertificateSeen::Unread);
        assert_eq!(certificate_end(Some(&folder.path().join("none"))), CertificateSeen::Unread);
        assert_eq!(certificate_end(None), CertificateSeen::None);
    }

    #[test]
    fn who_holds_a_lock_is_read_from_the_kernel_and_the_lock_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("serve.lock");
        assert_eq!(is_locked(&file), Some(false), "there is no file");
        let held = std::fs::File::create(&file).unwrap();
        assert_eq!(is_locked(&file), Some(false));
        held.try_lock().unwrap();
        assert_eq!(is_locked(&file), Some(true));
        drop(held);
        assert_eq!(is_locked(&file), Some(false));
        assert!(is_listed("1: FLOCK  ADVISORY  WRITE 77 fe:00:4711 0 EOF\n", 4711));
        assert!(!is_listed("1: POSIX  ADVISORY  WRITE 77 fe:00:4711 0 EOF\n", 4711));
        assert!(!is_listed("1: FLOCK  ADVISORY  WRITE 77 fe:00:14711 0 EOF\n", 4711));
    }

    #[test]
    fn a_service_runs_where_it_has_a_process_and_is_not_missed_where_it_was_not_set_up() {
        let folder = tempfile::tempdir().unwrap();
        let (set_up, groups) = (folder.path().join("litestream.yml"), folder.path().join("cgroup"));
        std::fs::create_dir_all(groups.join("a.service")).unwrap();
        assert_eq!(is_running(&set_up, &groups, "a.service"), None);
        write(&set_up, "");
        assert_eq!(is_running(&set_up, &groups, "a.service"), None, "the kernel does not tell");
        write(&groups.join("cgroup.controllers"), "cpu");
        assert_eq!(is_running(&set_up, &groups, "a.service"), Some(false));
        write(&groups.join("a.service/cgroup.procs"), "77\n");
        assert_eq!(is_running(&set_up, &groups, "a.service"), Some(true));
        assert_eq!(is_synchronized(&folder.path().join("timesync")), None);
        assert_eq!(is_synchronized(folder.path()), Some(false));
        write(&folder.path().join("synchronized"), "");
        assert_eq!(is_synchronized(folder.path()), Some(true));
    }

    fn write(file: &Path, text: &str) {
        std::io::Write::write_all(&mut std::fs::File::create(file).unwrap(), text.as_bytes()).unwrap();
    }
}
