//! A disk that loses what was not synced: a file system in memory, mounted by FUSE, for the real programs to write on.
//!
//! It keeps what each file and folder has been told to make durable, and apart from it each write, size and name since.
//! The power goes at the N-th of these: whoever asked is killed inside the call, and the disk takes nothing more. What was
//! not synced is then lost: all of it, or a random part, page by page, some pages torn. A sync of a file makes its contents
//! durable and not its name, as POSIX has it; a sync of a folder its names.

mod files;
mod loss;
mod mount;

use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use fuser::{BackgroundSession, Config, MountOption};

use files::Files;
use mount::{Mounted, Powered};

/// What becomes of what was not synced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Loss {
    /// It is gone.
    All,
    /// Some pages and sectors of it are gone, and the newest names; the seed says which.
    Some(u64),
    /// It is there, as where only the program was killed.
    Nothing,
}

/// A disk, mounted in a folder of its own.
pub struct Disk {
    powered: Mounted,
    /// Takes the disk off when dropped. Nobody waits for its thread: another test's pcscd, in a namespace of its own, has a
    /// copy of what was mounted as it started, and holds it to its end.
    _session: BackgroundSession,
    folder: tempfile::TempDir,
}

/// What lies on a disk, to be put back.
pub struct Image(Files);

impl Disk {
    /// Mounts an empty disk; none where this machine lets nobody mount one, which is said.
    ///
    /// # Errors
    /// Where it cannot be mounted though the machine has the device.
    pub fn mount() -> anyhow::Result<Option<Self>> {
        if let Err(error) = std::fs::File::options().read(true).write(true).open("/dev/fuse") {
            eprintln!("SKIPPED: no disk that loses what was not synced, for /dev/fuse does not open: {error}");
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        let powered =
            Powered { files: Files::new(), count: 0, cut_at: None, is_cut: false, lies: false, is_read_only: false };
        let powered = Mounted(Arc::new(Mutex::new(powered)));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("cabas-test-disk".to_owned()), MountOption::NoAtime];
        let session = match fuser::spawn_mount(powered.clone(), folder.path(), &config) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                eprintln!("SKIPPED: no disk that loses what was not synced, for nobody may mount here: {error}");
                return Ok(None);
            }
            mounted => mounted.context("the disk cannot be mounted (fuse3 is needed where not root)")?,
        };
        Ok(Some(Self { powered, _session: session, folder }))
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// From here on, the power goes at this write, sync or name, from 1.
    pub fn cut_at(&self, at: u32) {
        let mut disk = self.powered.lock();
        disk.count = 0;
        disk.cut_at = Some(at);
    }

    /// Takes the power away at once: what is written from here on goes nowhere. Whoever writes is to be killed.
    pub fn cut(&self) {
        self.powered.lock().is_cut = true;
    }

    /// True where the power is gone.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.powered.lock().is_cut
    }

    /// Says that it synced from here on, and does not.
    pub fn lie(&self) {
        self.powered.lock().lies = true;
    }

    /// Refuses every change from here on, as a disk does that the system mounted read-only after an error.
    pub fn set_read_only(&self, is_read_only: bool) {
        self.powered.lock().is_read_only = is_read_only;
    }

    /// Gives the power back, once nobody has a file open: what was not synced is lost.
    pub fn lose(&self, loss: Loss) {
        let mut disk = self.powered.lock();
        disk.files.lose(loss);
        disk.is_cut = false;
        disk.cut_at = None;
    }

    /// What lies there, all of it made durable.
    #[must_use]
    pub fn image(&self) -> Image {
        let mut files = self.powered.lock().files.clone();
        files.lose(Loss::Nothing);
        Image(files)
    }

    /// Puts an image in the place of what is there, once nobody has a file open.
    pub fn put_back(&self, image: &Image) {
        let mut disk = self.powered.lock();
        disk.files = image.0.clone().after(&disk.files);
        disk.is_cut = false;
        disk.cut_at = None;
    }
}
