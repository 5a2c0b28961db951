//! One agent a data folder: a second one would write a second future of the same journal.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::failure::Failure;

/// Held for as long as the data folder is used; the system lets go of it with the process.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, not used")] File);

/// Takes the data folder.
pub(super) fn take(folder: &Path) -> Result<Lock, Failure> {
    let failed = |source| Failure::Folder { folder: folder.to_owned(), source };
    let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(folder.join("lock"));
    let file = open.map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock(file)),
        Err(Errno::WOULDBLOCK) => Err(Failure::InUse { folder: folder.to_owned() }),
        Err(error) => Err(failed(error.into())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn a_data_folder_has_one_agent_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = take(folder.path()).unwrap();
        assert!(matches!(take(folder.path()), Err(Failure::InUse { .. })));
        drop(first);
        assert!(take(folder.path()).is_ok());
        assert!(matches!(take(&folder.path().join("none")), Err(Failure::Folder { .. })));
    }
}
