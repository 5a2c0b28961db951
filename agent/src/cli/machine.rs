//! What `doctor` asks the machine. Nothing is written, no lock is taken.

use std::net::ToSocketAddrs as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, access, statvfs};

use crate::core::doctor::FolderSeen;
use crate::core::receipt::Language;
use crate::printer::PrinterTarget;

/// How long a printer is waited for.
const PRINTER_TIMEOUT: Duration = Duration::from_secs(3);
/// Rights of others on a folder or a file.
const OTHERS: u32 = 0o077;

/// Who holds a lock on a file; nothing inside where nobody does, and nothing at all where the kernel does not tell.
pub(super) fn holder(file: &Path) -> Option<Option<u32>> {
    let Ok(found) = std::fs::metadata(file) else { return Some(None) };
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    Some(pids(&locks, "FLOCK", found.ino()).first().copied())
}

/// Whether anybody else than the terminal and this program has a journal open: SQLite holds a lock as long as it has.
pub(super) fn others(journal: &Path, holder: Option<u32>) -> Option<bool> {
    let inode = std::fs::metadata(journal).ok()?.ino();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let mine = std::process::id();
    Some(pids(&locks, "POSIX", inode).into_iter().any(|pid| Some(pid) != holder && pid != mine))
}

/// The processes that hold locks of a kind on a file, as the kernel lists them.
fn pids(locks: &str, kind: &str, inode: u64) -> Vec<u32> {
    let of_line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // `1: FLOCK ADVISORY WRITE 77 fe:00:4711 0 EOF`; one that waits has an arrow behind the number.
        let at = fields.iter().position(|field| *field == kind)?;
        let (pid, place) = (fields.get(at.checked_add(3)?)?, fields.get(at.checked_add(4)?)?);
        let (_, number) = place.rsplit_once(':')?;
        (number.parse() == Ok(inode)).then_some(pid.parse().ok()).flatten()
    };
    locks.lines().filter_map(of_line).collect()
}

/// How the data folder is.
pub(super) fn folder(folder: &Path) -> FolderSeen {
    let Ok(found) = std::fs::metadata(folder) else { return FolderSeen::Missing };
    if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return FolderSeen::ReadOnly;
    }
    if found.mode() & OTHERS != 0 { FolderSeen::Open } else { FolderSeen::Fine }
}

/// Room on the disk of a folder.
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    let found = statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Whether the clock was set by another one; none where systemd-timesyncd does not look after it.
pub(super) fn is_synchronized(folder: &Path) -> Option<bool> {
    folder.exists().then(|| folder.join("synchronized").exists())
}

/// Whether a printer is there, without a byte to it.
pub(super) fn is_reachable(target: &PrinterTarget) -> bool {
    match target {
        PrinterTarget::Off => true,
        PrinterTarget::Tcp { host, port } => {
            let addresses = (host.as_str(), *port).to_socket_addrs().into_iter().flatten();
            addresses.take(2).any(|address| std::net::TcpStream::connect_timeout(&address, PRINTER_TIMEOUT).is_ok())
        }
        PrinterTarget::Device(path) | PrinterTarget::Serial { path, .. } => access(path, Access::WRITE_OK).is_ok(),
    }
}

/// The language of who asks: French, or English where the environment says so.
pub(super) fn language() -> Language {
    let said = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(std::env::var_os);
    let first = said.filter_map(|text| text.into_string().ok()).find(|text| !text.is_empty());
    if first.is_some_and(|text| text.starts_with("en")) { Language::English } else { Language::French }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn who_holds_a_file_is_read_from_the_kernel() {
        let locks = "1: FLOCK  ADVISORY  WRITE 77 fe:00:4711 0 EOF\n2: POSIX  ADVISORY  READ 78 fe:00:4711 124 125\n\
                     2: -> POSIX  ADVISORY  WRITE 79 fe:00:4711 124 125\n3: POSIX  ADVISORY  READ 80 fe:00:14711 0 EOF\nnonsense\n";
        assert_eq!(pids(locks, "FLOCK", 4711), [77]);
        assert_eq!(pids(locks, "POSIX", 4711), [78, 79]);
        assert!(pids(locks, "FLOCK", 711).is_empty());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lock");
        assert_eq!(holder(&file), Some(None));
        let held = std::fs::File::create(&file).unwrap();
        held.try_lock().unwrap();
        assert_eq!(holder(&file), Some(Some(std::process::id())));
        assert_eq!(others(&file, None), Some(false));
    }

    #[test]
    fn a_folder_is_for_the_agent_alone() {
        let folder = tempfile::tempdir().unwrap();
        let set = |mode| std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        for (mode, seen) in [(0o700, FolderSeen::Fine), (0o750, FolderSeen::Open), (0o701, FolderSeen::Open)] {
            set(mode);
            assert_eq!(super::folder(folder.path()), seen, "{mode:o}");
        }
        assert_eq!(super::folder(&folder.path().join("none")), FolderSeen::Missing);
        assert_eq!(is_synchronized(folder.path()), Some(false));
        assert_eq!(is_synchronized(&folder.path().join("none")), None);
        assert!(free_bytes(folder.path()).is_some());
    }

    #[test]
    fn a_printer_is_there_where_it_takes_a_connection_or_its_device_may_be_written() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let tcp = PrinterTarget::Tcp { host: String::from("127.0.0.1"), port };
        assert!(is_reachable(&tcp) && is_reachable(&PrinterTarget::Off));
        drop(listener);
        assert!(!is_reachable(&tcp));
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_reachable(&PrinterTarget::Device(folder.path().join("lp0"))));
    }
}
