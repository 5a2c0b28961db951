//! What lies on the disk: how the programs see it, and how much of it would be there after a power cut. Pure; the system's
//! requests come in through `mount.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

/// The number of the outermost folder.
pub(super) const ROOT: u64 = 1;
/// What a disk keeps or loses as one.
pub(super) const PAGE: usize = 4096;
/// No file of a test grows beyond.
const FILE_BYTES_MAX: usize = 1 << 30;
/// What SQLite keeps for the running programs alone, and makes anew.
const SCRATCH: &str = "-shm";

/// Why something is not done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refused {
    Missing,
    Exists,
    NoFolder,
    Folder,
    NotEmpty,
    TooLarge,
}

/// What a file got since it was last synced.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Size(usize),
}

impl Change {
    pub(super) fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Size(size) => to.resize(*size, 0),
            Self::Write { at, bytes } => put(to, *at, bytes),
        }
    }
}

pub(super) fn put(to: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at.saturating_add(bytes.len());
    if to.len() < end {
        to.resize(end, 0);
    }
    if let Some(place) = to.get_mut(at..end) {
        place.copy_from_slice(bytes);
    }
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    Folder { now: BTreeMap<OsString, u64>, synced: BTreeMap<OsString, u64> },
    File { now: Vec<u8>, synced: Vec<u8>, unsynced: Vec<Change> },
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    mode: u32,
    /// Never on the disk, and not counted.
    is_scratch: bool,
    pub(super) body: Body,
}

/// What a name in a folder means from here on.
pub(super) type Entry = (u64, OsString, Option<u64>);

/// What the system asks of a file or folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) number: u64,
    pub(super) is_folder: bool,
    pub(super) mode: u32,
    pub(super) size: usize,
}

/// The disk's files.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) nodes: BTreeMap<u64, Node>,
    next: u64,
    /// Names given and taken that no folder's sync made durable, oldest first. What belongs together is one.
    pub(super) unsynced: Vec<Vec<Entry>>,
}

impl Files {
    pub(super) fn new() -> Self {
        let root = Node { mode: 0o755, is_scratch: false, body: empty_folder() };
        Self { nodes: BTreeMap::from([(ROOT, root)]), next: ROOT.saturating_add(1), unsynced: Vec::new() }
    }

    fn node(&self, number: u64) -> Result<&Node, Refused> {
        self.nodes.get(&number).ok_or(Refused::Missing)
    }

    fn node_mut(&mut self, number: u64) -> Result<&mut Node, Refused> {
        self.nodes.get_mut(&number).ok_or(Refused::Missing)
    }

    fn folder(&self, number: u64) -> Result<&BTreeMap<OsString, u64>, Refused> {
        match &self.node(number)?.body {
            Body::Folder { now, .. } => Ok(now),
            Body::File { .. } => Err(Refused::NoFolder),
        }
    }

    /// True for what is of no account after a power cut.
    pub(super) fn is_scratch(&self, number: u64) -> bool {
        self.node(number).is_ok_and(|node| node.is_scratch)
    }

    pub(super) fn see(&self, number: u64) -> Result<Seen, Refused> {
        let node = self.node(number)?;
        let (is_folder, size) = match &node.body {
            Body::Folder { .. } => (true, PAGE),
            Body::File { now, .. } => (false, now.len()),
        };
        Ok(Seen { number, is_folder, mode: node.mode, size })
    }

    pub(super) fn find(&self, folder: u64, name: &OsStr) -> Result<u64, Refused> {
        self.folder(folder)?.get(name).copied().ok_or(Refused::Missing)
    }

    pub(super) fn list(&self, folder: u64) -> Result<Vec<(u64, bool, OsString)>, Refused> {
        let names = self.folder(folder)?.iter();
        names.map(|(name, number)| Ok((*number, self.see(*number)?.is_folder, name.clone()))).collect()
    }

    pub(super) fn read(&self, number: u64, at: usize, size: usize) -> Result<&[u8], Refused> {
        match &self.node(number)?.body {
            Body::Folder { .. } => Err(Refused::Folder),
            Body::File { now, .. } => {
                let end = at.saturating_add(size).min(now.len());
                Ok(now.get(at..end).unwrap_or(&[]))
            }
        }
    }

    fn change(&mut self, number: u64, change: Change) -> Result<(), Refused> {
        let end = match &change {
            Change::Write { at, bytes } => at.saturating_add(bytes.len()),
            Change::Size(size) => *size,
        };
        if end > FILE_BYTES_MAX {
            return Err(Refused::TooLarge);
        }
        let node = self.node_mut(number)?;
        match &mut node.body {
            Body::Folder { .. } => Err(Refused::Folder),
            Body::File { now, unsynced, .. } => {
                change.apply(now);
                if !node.is_scratch {
                    unsynced.push(change);
                }
                Ok(())
            }
        }
    }

    pub(super) fn write(&mut self, number: u64, at: usize, bytes: &[u8]) -> Result<(), Refused> {
        self.change(number, Change::Write { at, bytes: bytes.to_vec() })
    }

    pub(super) fn set_size(&mut self, number: u64, size: usize) -> Result<(), Refused> {
        self.change(number, Change::Size(size))
    }

    /// Modes are durable at once: nothing here depends on the order of a mode and its contents.
    pub(super) fn set_mode(&mut self, number: u64, mode: u32) -> Result<(), Refused> {
        self.node_mut(number)?.mode = mode & 0o7777;
        Ok(())
    }

    /// Gives names and takes them, all of these or none.
    fn rename_entries(&mut self, entries: Vec<Entry>) {
        for (folder, name, number) in &entries {
            if let Some(Node { body: Body::Folder { now, .. }, .. }) = self.nodes.get_mut(folder) {
                set(now, name, *number);
            }
        }
        self.unsynced.push(entries);
    }

    pub(super) fn make(&mut self, folder: u64, name: &OsStr, is_folder: bool, mode: u32) -> Result<u64, Refused> {
        if self.folder(folder)?.contains_key(name) {
            return Err(Refused::Exists);
        }
        let number = self.next;
        self.next = self.next.saturating_add(1);
        let body = if is_folder { empty_folder() } else { empty_file() };
        let is_scratch = name.to_string_lossy().ends_with(SCRATCH);
        self.nodes.insert(number, Node { mode: mode & 0o7777, is_scratch, body });
        self.rename_entries(vec![(folder, name.to_owned(), Some(number))]);
        Ok(number)
    }

    pub(super) fn link(&mut self, number: u64, folder: u64, name: &OsStr) -> Result<(), Refused> {
        if self.folder(folder)?.contains_key(name) {
            return Err(Refused::Exists);
        }
        self.rename_entries(vec![(folder, name.to_owned(), Some(number))]);
        Ok(())
    }

    /// Takes a name away. What is open lives on, as the system wants it.
    pub(super) fn take_away(&mut self, folder: u64, name: &OsStr, is_folder: bool) -> Result<(), Refused> {
        let seen = self.see(self.find(folder, name)?)?;
        match (is_folder, seen.is_folder) {
            (true, false) => return Err(Refused::NoFolder),
            (false, true) => return Err(Refused::Folder),
            (true, true) if !self.folder(seen.number)?.is_empty() => return Err(Refused::NotEmpty),
            (true, true) | (false, false) => {}
        }
        self.rename_entries(vec![(folder, name.to_owned(), None)]);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: (u64, &OsStr), to: (u64, &OsStr), may_replace: bool) -> Result<(), Refused> {
        let number = self.find(from.0, from.1)?;
        match self.find(to.0, to.1) {
            Ok(_) if !may_replace => return Err(Refused::Exists),
            Ok(there) if self.see(there)?.is_folder && !self.folder(there)?.is_empty() => {
                return Err(Refused::NotEmpty);
            }
            Ok(there) if there == number => return Ok(()),
            Ok(_) => {}
            Err(refused) if refused != Refused::Missing => return Err(refused),
            Err(_) => {}
        }
        self.rename_entries(vec![(from.0, from.1.to_owned(), None), (to.0, to.1.to_owned(), Some(number))]);
        Ok(())
    }

    /// Makes a file's contents durable, or a folder's names: never the name of the file, nor what is in the folder's files.
    pub(super) fn sync(&mut self, number: u64) -> Result<(), Refused> {
        match &mut self.node_mut(number)?.body {
            Body::File { synced, unsynced, .. } => {
                for change in unsynced.drain(..) {
                    change.apply(synced);
                }
            }
            Body::Folder { .. } => self.sync_folder(number),
        }
        Ok(())
    }

    fn sync_folder(&mut self, number: u64) {
        // A name that moved between two folders is durable in both; so is what came before it in the other.
        let mut folders = BTreeSet::from([number]);
        for entries in self.unsynced.iter().rev() {
            if entries.iter().any(|(folder, ..)| folders.contains(folder)) {
                folders.extend(entries.iter().map(|(folder, ..)| *folder));
            }
        }
        let all = std::mem::take(&mut self.unsynced);
        for entries in all {
            if entries.iter().any(|(folder, ..)| folders.contains(folder)) {
                self.keep(entries);
            } else {
                self.unsynced.push(entries);
            }
        }
    }

    pub(super) fn keep(&mut self, entries: Vec<Entry>) {
        for (folder, name, number) in entries {
            if let Some(Node { body: Body::Folder { synced, .. }, .. }) = self.nodes.get_mut(&folder) {
                set(synced, &name, number);
            }
        }
    }

    pub(super) fn renumber(&mut self) {
        let mut numbers = BTreeMap::from([(ROOT, ROOT)]);
        let mut open = vec![ROOT];
        while let Some(folder) = open.pop() {
            for number in self.folder(folder).cloned().unwrap_or_default().into_values() {
                if let std::collections::btree_map::Entry::Vacant(vacant) = numbers.entry(number) {
                    vacant.insert(self.next);
                    self.next = self.next.saturating_add(1);
                    open.push(number);
                }
            }
        }
        let nodes = std::mem::take(&mut self.nodes);
        for (old, mut node) in nodes {
            if let Body::Folder { now, synced } = &mut node.body {
                for number in now.values_mut() {
                    *number = numbers.get(number).copied().unwrap_or(*number);
                }
                synced.clone_from(now);
            }
            if let Some(number) = numbers.get(&old) {
                self.nodes.insert(*number, node);
            }
        }
    }

    /// Goes on where the other's numbers end, so that none is used twice.
    pub(super) fn after(mut self, other: &Self) -> Self {
        self.next = self.next.max(other.next);
        self.renumber();
        self
    }
}

fn set(names: &mut BTreeMap<OsString, u64>, name: &OsStr, number: Option<u64>) {
    match number {
        Some(number) => names.insert(name.to_owned(), number),
        None => names.remove(name),
    };
}

const fn empty_folder() -> Body {
    Body::Folder { now: BTreeMap::new(), synced: BTreeMap::new() }
}

const fn empty_file() -> Body {
    Body::File { now: Vec::new(), synced: Vec::new(), unsynced: Vec::new() }
}
