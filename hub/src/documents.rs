//! Documents of the fund on disk: each file under its hash, for the hub alone, never written over.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use cabas_protocol::Hash;
use cabas_protocol::sign::sha256;

/// Bytes of one document.
pub const DOCUMENT_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// What is taken, beside plain text.
const TYPES: [&str; 7] = [
    "application/pdf",
    "image/png",
    "image/jpeg",
    "image/webp",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
];

/// What a document's bytes say that it is; its name says nothing. Nothing where it is of no kind that is taken.
#[must_use]
pub fn media_type(contents: &[u8]) -> Option<&'static str> {
    let found = infer::get(contents).map(|kind| kind.mime_type());
    // A program that has a PDF's mark somewhere is no PDF, whatever readers make of it.
    let begins = contents.strip_prefix(b"\xef\xbb\xbf").unwrap_or(contents);
    if found == Some("application/pdf") && !begins.starts_with(b"%PDF-") {
        return None;
    }
    if let Some(found) = found {
        return TYPES.into_iter().find(|known| *known == found);
    }
    let is_text = std::str::from_utf8(contents)
        .is_ok_and(|text| !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')));
    is_text.then_some("text/plain")
}

/// Reads a file, up to one byte more than a document may have.
///
/// # Errors
/// The file cannot be read.
pub fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    File::open(file)?.take(DOCUMENT_BYTES_MAX.saturating_add(1)).read_to_end(&mut contents)?;
    Ok(contents)
}

/// Keeps a document, durably, before anything names it. The same contents are kept once.
///
/// # Errors
/// The folder cannot be written to, or something else stands at the hash's place.
pub fn keep(dir: &Path, hash: &Hash, contents: &[u8]) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // Also where the folder or the file is there: a try that was cut off may not have come to this.
    let sync = || {
        let above = dir.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(dir)?.sync_all()?;
        File::open(above)?.sync_all()
    };
    let (file, new) = (dir.join(hash.to_string()), dir.join(format!("{hash}.new")));
    if is_kept(dir, hash) {
        return sync();
    }
    let mut to = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    to.write_all(contents).and_then(|()| to.sync_all())?;
    std::fs::rename(&new, &file)?;
    sync()
}

/// True where the document lies there, whole.
#[must_use]
pub fn is_kept(dir: &Path, hash: &Hash) -> bool {
    read(&dir.join(hash.to_string())).is_ok_and(|contents| sha256(&[&contents]) == *hash)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn the_bytes_say_what_a_document_is() {
        for (contents, found) in [
            (b"%PDF-1.7\n".as_slice(), Some("application/pdf")),
            (b"\x89PNG\r\n\x1a\n\0\0", Some("image/png")),
            (b"\xff\xd8\xff\xe0\0", Some("image/jpeg")),
            ("Visité le 3 : légumes\n".as_bytes(), Some("text/plain")),
            (b"\x7fELF\x02\x01\x01\0", None),
            (b"MZ\x90\0", None),
            (b"PK\x03\x04\x14\0\0\0", None),
            (b"a\0b", None),
            (b"\xff\xfea\0", None),
            (b"\x1b[2J", None),
        ] {
            assert_eq!(media_type(contents), found, "{contents:?}");
        }
    }

    #[test]
    fn a_document_is_kept_once_under_its_hash_and_a_damaged_one_is_noticed_and_healed() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("documents");
        let hash = sha256(&[b"agreed"]);
        assert!(!is_kept(&dir, &hash));
        for _ in 0..2 {
            keep(&dir, &hash, b"agreed").unwrap();
        }
        assert!(is_kept(&dir, &hash));
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
        OpenOptions::new().append(true).open(dir.join(hash.to_string())).unwrap().write_all(b"!").unwrap();
        assert!(!is_kept(&dir, &hash));
        keep(&dir, &hash, b"agreed").unwrap();
        assert!(is_kept(&dir, &hash));
    }
}
