//! The system's requests to the disk.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenAccMode, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::files::{Files, Refused, Seen};

/// The system may remember a file for that long. Names, and files with them, it asks for each time: another file has the
/// name once the power went.
const REMEMBERED: Duration = Duration::from_secs(3600);
const NAMES_REMEMBERED: Duration = Duration::ZERO;
const BLOCK: u32 = 4096;
/// So much is free, always.
const FREE_BLOCKS: u64 = 1 << 24;

/// The disk with its power.
#[derive(Debug)]
pub(super) struct Powered {
    pub(super) files: Files,
    /// Writes, syncs and names so far.
    pub(super) count: u32,
    /// The power goes at this one.
    pub(super) cut_at: Option<u32>,
    pub(super) is_cut: bool,
    /// It says that it synced, and did not.
    pub(super) lies: bool,
    /// It takes nothing, and says so.
    pub(super) is_read_only: bool,
}

impl Powered {
    /// Counts something that is to be on the disk; the power may go over it, and takes the program along.
    fn count(&mut self, request: &Request) -> Result<(), Errno> {
        if self.is_cut {
            return Err(Errno::EIO);
        }
        self.count = self.count.saturating_add(1);
        if self.cut_at == Some(self.count) {
            self.is_cut = true;
            kill(request.pid());
            return Err(Errno::EIO);
        }
        Ok(())
    }

    fn count_unless_scratch(&mut self, request: &Request, number: u64) -> Result<(), Errno> {
        if self.files.is_scratch(number) { Ok(()) } else { self.count(request) }
    }

    /// A change that may or may not be there after the power went over it.
    fn change(
        &mut self,
        request: &Request,
        is_scratch: bool,
        change: impl FnOnce(&mut Files) -> Result<(), Refused>,
    ) -> Result<(), Errno> {
        if self.is_cut {
            return Err(Errno::EIO);
        }
        if self.is_read_only {
            return Err(Errno::EROFS);
        }
        change(&mut self.files).map_err(errno)?;
        if is_scratch { Ok(()) } else { self.count(request) }
    }
}

/// Kills the program of a thread.
fn kill(thread: u32) {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
    let program = status.lines().find_map(|line| line.strip_prefix("Tgid:")).and_then(|id| id.trim().parse().ok());
    let program = program.and_then(rustix::process::Pid::from_raw);
    if let Some(program) = program.filter(|program| *program != rustix::process::getpid()) {
        let _ = rustix::process::kill_process(program, rustix::process::Signal::KILL);
    }
}

const fn errno(refused: Refused) -> Errno {
    match refused {
        Refused::Missing => Errno::ENOENT,
        Refused::Exists => Errno::EEXIST,
        Refused::NoFolder => Errno::ENOTDIR,
        Refused::Folder => Errno::EISDIR,
        Refused::NotEmpty => Errno::ENOTEMPTY,
        Refused::TooLarge => Errno::EFBIG,
    }
}

/// What is mounted.
#[derive(Clone, Debug)]
pub(super) struct Mounted(pub(super) Arc<Mutex<Powered>>);

impl Mounted {
    pub(super) fn lock(&self) -> MutexGuard<'_, Powered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self, number: u64) -> Result<FileAttr, Errno> {
        self.lock().files.see(number).map(attributes).map_err(errno)
    }

    fn entry(&self, number: Result<u64, Errno>, reply: ReplyEntry) {
        match number.and_then(|number| self.seen(number)) {
            Ok(seen) => reply.entry_with_ttls(&REMEMBERED, &NAMES_REMEMBERED, &seen, Generation(0)),
            Err(error) => reply.error(error),
        }
    }
}

fn attributes(seen: Seen) -> FileAttr {
    let Seen { number, is_folder, mode, size } = seen;
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    let time = SystemTime::UNIX_EPOCH;
    FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind: if is_folder { FileType::Directory } else { FileType::RegularFile },
        perm: u16::try_from(mode).unwrap_or(0o600),
        nlink: if is_folder { 2 } else { 1 },
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        rdev: 0,
        blksize: BLOCK,
        flags: 0,
    }
}

fn end(done: Result<(), Errno>, reply: ReplyEmpty) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn place(at: u64) -> Result<usize, Errno> {
    usize::try_from(at).map_err(|_| Errno::EFBIG)
}

impl Filesystem for Mounted {
    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.lock().files.find(parent.0, name).map_err(errno);
        self.entry(found, reply);
    }

    fn getattr(&self, _request: &Request, number: INodeNo, _open: Option<FileHandle>, reply: ReplyAttr) {
        match self.seen(number.0) {
            Ok(seen) => reply.attr(&REMEMBERED, &seen),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        request: &Request,
        number: INodeNo,
        mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _open: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut disk = self.lock();
        let is_scratch = disk.files.is_scratch(number.0);
        let mut done = Ok(());
        if let Some(mode) = mode {
            done = disk.change(request, is_scratch, |files| files.set_mode(number.0, mode));
        }
        if let (Some(size), Ok(())) = (size, &done) {
            done =
                place(size).and_then(|size| disk.change(request, is_scratch, |files| files.set_size(number.0, size)));
        }
        drop(disk);
        match done.and_then(|()| self.seen(number.0)) {
            Ok(seen) => reply.attr(&REMEMBERED, &seen),
            Err(error) => reply.error(error),
        }
    }

    fn mkdir(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        let mut made = Err(Errno::EIO);
        let done = self.lock().change(request, false, |files| {
            let number = files.make(parent.0, name, true, mode & !umask)?;
            made = Ok(number);
            Ok(())
        });
        self.entry(done.and(made), reply);
    }

    fn unlink(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let mut disk = self.lock();
        let is_scratch = disk.files.find(parent.0, name).is_ok_and(|number| disk.files.is_scratch(number));
        end(disk.change(request, is_scratch, |files| files.take_away(parent.0, name, false)), reply);
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        end(self.lock().change(request, false, |files| files.take_away(parent.0, name, true)), reply);
    }

    fn rename(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if flags.contains(RenameFlags::RENAME_EXCHANGE) {
            return reply.error(Errno::EINVAL);
        }
        let may_replace = !flags.contains(RenameFlags::RENAME_NOREPLACE);
        let rename = |files: &mut Files| files.rename((parent.0, name), (new_parent.0, new_name), may_replace);
        end(self.lock().change(request, false, rename), reply);
    }

    fn link(&self, request: &Request, number: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let done = self.lock().change(request, false, |files| files.link(number.0, parent.0, name));
        self.entry(done.map(|()| number.0), reply);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let mut made = Err(Errno::EIO);
        let mut disk = self.lock();
        let mut done = match (disk.is_cut, disk.is_read_only) {
            (true, _) => Err(Errno::EIO),
            (false, true) => Err(Errno::EROFS),
            (false, false) => Ok(()),
        };
        if done.is_ok() {
            made = disk.files.make(parent.0, name, false, mode & !umask).map_err(errno);
            if let Ok(number) = made {
                done = disk.count_unless_scratch(request, number);
            }
        }
        drop(disk);
        match done.and(made).and_then(|number| self.seen(number)) {
            Ok(seen) => reply.created(&NAMES_REMEMBERED, &seen, Generation(0), FileHandle(0), FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn open(&self, _request: &Request, _number: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        if self.lock().is_read_only && flags.acc_mode() != OpenAccMode::O_RDONLY {
            reply.error(Errno::EROFS);
        } else {
            reply.opened(FileHandle(0), FopenFlags::empty());
        }
    }

    fn read(
        &self,
        _request: &Request,
        number: INodeNo,
        _open: FileHandle,
        at: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let disk = self.lock();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        match place(at).and_then(|at| disk.files.read(number.0, at, size).map_err(errno)) {
            Ok(bytes) => reply.data(bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        request: &Request,
        number: INodeNo,
        _open: FileHandle,
        at: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut disk = self.lock();
        let is_scratch = disk.files.is_scratch(number.0);
        let done = place(at).and_then(|at| disk.change(request, is_scratch, |files| files.write(number.0, at, data)));
        match done.and_then(|()| u32::try_from(data.len()).map_err(|_| Errno::EFBIG)) {
            Ok(written) => reply.written(written),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _request: &Request, _number: INodeNo, _open: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, request: &Request, number: INodeNo, _open: FileHandle, _data: bool, reply: ReplyEmpty) {
        let mut disk = self.lock();
        let done = disk
            .count_unless_scratch(request, number.0)
            .and_then(|()| if disk.lies { Ok(()) } else { disk.files.sync(number.0).map_err(errno) });
        end(done, reply);
    }

    fn fsyncdir(&self, request: &Request, number: INodeNo, open: FileHandle, data: bool, reply: ReplyEmpty) {
        self.fsync(request, number, open, data, reply);
    }

    fn readdir(&self, _request: &Request, number: INodeNo, _open: FileHandle, from: u64, mut reply: ReplyDirectory) {
        let listed = self.lock().files.list(number.0);
        let Ok(listed) = listed else { return reply.error(Errno::ENOTDIR) };
        for (at, (number, is_folder, name)) in (1..).zip(listed).skip(usize::try_from(from).unwrap_or(usize::MAX)) {
            let kind = if is_folder { FileType::Directory } else { FileType::RegularFile };
            if reply.add(INodeNo(number), at, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _request: &Request, _number: INodeNo, reply: ReplyStatfs) {
        reply.statfs(FREE_BLOCKS, FREE_BLOCKS, FREE_BLOCKS, FREE_BLOCKS, FREE_BLOCKS, BLOCK, 255, BLOCK);
    }
}
