//! Programs for terminals as files: one each under the hash of its bytes, given out in pieces.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use cabas_protocol::Hash;
use cabas_protocol::release::PROGRAM_BYTES_MAX;

/// Reads a program, up to one byte more than one may have.
///
/// # Errors
/// The file cannot be read.
pub fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    File::open(file)?.take(u64::from(PROGRAM_BYTES_MAX).saturating_add(1)).read_to_end(&mut contents)?;
    Ok(contents)
}

/// Keeps a program, durably, before anything names it.
///
/// # Errors
/// The folder cannot be written to.
pub fn keep(dir: &Path, hash: &Hash, contents: &[u8]) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let (file, new) = (dir.join(hash.to_string()), dir.join(format!("{hash}.new")));
    let mut to = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    to.write_all(contents).and_then(|()| to.sync_all())?;
    std::fs::rename(&new, &file)?;
    File::open(dir)?.sync_all()?;
    File::open(dir.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()
}

/// Takes away a program that nothing names any more.
///
/// # Errors
/// The folder cannot be written to.
pub fn forget(dir: &Path, hash: &Hash) -> io::Result<()> {
    match std::fs::remove_file(dir.join(hash.to_string())) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A piece of a program: fewer bytes at its end, none behind it.
///
/// # Errors
/// The file cannot be read.
pub fn piece(dir: &Path, hash: &Hash, from: u32, length: u32) -> io::Result<Vec<u8>> {
    let file = File::open(dir.join(hash.to_string()))?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let mut read = 0_usize;
    while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
        let at = u64::from(from).saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(more) => read = read.saturating_add(more),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(read);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use cabas_protocol::sign::sha256;

    #[test]
    fn a_program_is_given_out_in_pieces_to_its_end() {
        let parent = tempfile::tempdir().unwrap();
        let (dir, hash) = (parent.path().join("releases"), sha256(&[b"program"]));
        for _ in 0..2 {
            keep(&dir, &hash, b"program").unwrap();
        }
        let piece = |from, length| piece(&dir, &hash, from, length).unwrap();
        assert_eq!((piece(0, 4), piece(4, 4), piece(7, 4)), (b"prog".to_vec(), b"ram".to_vec(), Vec::new()));
        assert_eq!(piece(u32::MAX, 4), b"");
        assert!(super::piece(&dir, &sha256(&[b"other"]), 0, 1).is_err());
        for _ in 0..2 {
            forget(&dir, &hash).unwrap();
        }
        assert!(super::piece(&dir, &hash, 0, 1).is_err());
    }
}
