//! Where programs lie, and what is written down of them: each change whole or not at all, and durable before it counts.

use super::state::{Held, STATE_BYTES_MAX, Slot, State, Why};
use crate::journal::keyfile::{KeyFileError, make_folder, sync_folder, write_private};
use crate::journal::verify::hex;
use ring::digest::{Context, SHA256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The folder in the data folder: the only place from which the unit lets anything be started.
pub const FOLDER: &str = "upgrade";
/// The program's name in a slot.
const PROGRAM: &str = "cabas-agent";
/// What the file is called, with the release behind it, in which comes what has come of a program.
const PART: &str = "part-";
/// The copy of the journal that a program is tried on.
const COPY: &str = "trial.db";
const STATE: &str = "state.json";
const STATE_BEFORE: &str = "state.before.json";
/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// The folder of programs.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// Why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What failed.
        #[source]
        source: io::Error,
    },
    /// A file that only its owner reads.
    #[error(transparent)]
    Private(#[from] KeyFileError),
    /// The state cannot be put into words.
    #[error("the state of programs: {0}")]
    State(#[from] serde_json::Error),
}

impl Folder {
    /// The folder in a data folder; it need not be there.
    #[must_use]
    pub fn of(data_dir: &Path) -> Self {
        Self(data_dir.join(FOLDER))
    }

    /// Where the program of a slot lies.
    #[must_use]
    pub fn program(&self, slot: Slot) -> PathBuf {
        self.0.join(slot.name()).join(PROGRAM)
    }

    /// The slot that a program was started from.
    #[must_use]
    pub fn slot_of(&self, program: &Path) -> Option<Slot> {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Slot::BOTH.into_iter().find(|slot| real(&self.program(*slot)) == real(program))
    }

    /// Where the copy of the journal lies.
    #[must_use]
    pub fn copy(&self) -> PathBuf {
        self.0.join(COPY)
    }

    /// What is written down. A file that cannot be read is as if the one before it were the newest; where neither can be, the
    /// packaged program is all that is known.
    #[must_use]
    pub fn state(&self) -> State {
        let read = |name: &str| -> Option<State> {
            let mut text = String::new();
            File::open(self.0.join(name)).ok()?.take(STATE_BYTES_MAX).read_to_string(&mut text).ok()?;
            serde_json::from_str(&text).ok()
        };
        read(STATE).or_else(|| read(STATE_BEFORE)).unwrap_or_default()
    }

    /// Writes the state down, durably.
    ///
    /// # Errors
    /// [`FolderError`]; then the state before it stands.
    pub fn save(&self, state: &State) -> Result<(), FolderError> {
        make_folder(&self.0).map_err(|source| self.failed(&self.0, source))?;
        let before = serde_json::to_vec(&self.state())?;
        write_private(&self.0.join(STATE_BEFORE), &before)?;
        Ok(write_private(&self.0.join(STATE), &serde_json::to_vec_pretty(state)?)?)
    }

    /// What keeps the program of a slot from being started, where something does: its bytes are read and compared.
    #[must_use]
    pub fn broken(&self, slot: Slot, held: &Held) -> Option<Why> {
        let path = self.program(slot);
        let is_whole = || -> io::Result<bool> {
            let file = File::open(&path)?;
            let meta = file.metadata()?;
            let fits = meta.len() == u64::from(held.size) && meta.permissions().mode() & 0o100 != 0;
            Ok(fits && hash_of(file)?.1 == held.hash)
        };
        is_whole().is_ok_and(|whole| whole).then_some(()).map_or(Some(Why::Damaged), |()| None)
    }

    /// Goes on with what has come of a release, or begins: how many bytes there are, and their hash so far. What lies in the
    /// slot is taken away.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn part(&self, slot: Slot, release: &str) -> Result<Part, FolderError> {
        let folder = self.0.join(slot.name());
        let path = folder.join(format!("{PART}{release}"));
        make_folder(&folder).map_err(|source| self.failed(&path, source))?;
        for entry in std::fs::read_dir(&folder).map_err(|source| self.failed(&folder, source))?.flatten() {
            let other = entry.path();
            if other != path {
                std::fs::remove_file(&other).map_err(|source| self.failed(&other, source))?;
            }
        }
        let open = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path);
        let file = open.map_err(|source| self.failed(&path, source))?;
        let mut context = Context::new(&SHA256);
        let length = feed(&file, &mut context).map_err(|source| self.failed(&path, source))?;
        Ok(Part { path, file, length, context })
    }

    /// Puts a whole program in its place, to be started from there.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn put(&self, slot: Slot, part: Part) -> Result<(), FolderError> {
        let Part { path, file, .. } = part;
        let program = self.program(slot);
        let done = || -> io::Result<()> {
            file.set_permissions(std::fs::Permissions::from_mode(0o700))?;
            file.sync_all()?;
            // A program that is open for writing is not started.
            drop(file);
            std::fs::rename(&path, &program)?;
            sync_folder(&program)
        };
        done().map_err(|source| self.failed(&program, source))
    }

    /// Takes away what a trial left.
    pub fn tidy(&self) {
        for end in ["", "-wal", "-shm", "-journal"] {
            let path = self.0.join(format!("{COPY}{end}"));
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "a copy of the journal cannot be taken away");
                }
                Ok(()) | Err(_) => {}
            }
        }
    }

    fn failed(&self, path: &Path, source: io::Error) -> FolderError {
        FolderError::Io { path: path.to_owned(), source }
    }
}

/// What has come of a program.
pub struct Part {
    path: PathBuf,
    file: File,
    length: u64,
    context: Context,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Part({} bytes)", self.length)
    }
}

impl Part {
    /// How many bytes there are.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Their hash, in hexadecimal.
    #[must_use]
    pub fn hash(&self) -> String {
        hex(self.context.clone().finish().as_ref())
    }

    /// Adds what came.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), FolderError> {
        let failed = |source| FolderError::Io { path: self.path.clone(), source };
        self.file.write_all(bytes).map_err(failed)?;
        self.context.update(bytes);
        self.length = self.length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Throws it away: what came was not what was signed, or belongs to another release.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn empty(&mut self) -> Result<(), FolderError> {
        self.file.set_len(0).map_err(|source| FolderError::Io { path: self.path.clone(), source })?;
        self.context = Context::new(&SHA256);
        self.length = 0;
        Ok(())
    }
}

fn hash_of(file: File) -> io::Result<(u64, String)> {
    let mut context = Context::new(&SHA256);
    let length = feed(&file, &mut context)?;
    Ok((length, hex(context.finish().as_ref())))
}

fn feed(mut file: &File, context: &mut Context) -> io::Result<u64> {
    let (mut chunk, mut length) = (vec![0; CHUNK], 0_u64);
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok(length);
        }
        context.update(chunk.get(..read).unwrap_or_default());
        length = length.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
}
