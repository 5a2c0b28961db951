//! What is left of the files after a power cut.

use super::Loss;
use super::files::{Body, Change, Files, PAGE, put};

/// Where a page can be torn.
const SECTOR: usize = 512;

impl Files {
    /// What is there after a power cut. Every file has another number, so that the system remembers nothing of the old.
    pub(super) fn lose(&mut self, loss: Loss) {
        let mut random = match loss {
            Loss::All | Loss::Nothing => fastrand::Rng::with_seed(0),
            Loss::Some(seed) => fastrand::Rng::with_seed(seed),
        };
        // Names are kept in their order, as a journal of names keeps them.
        let kept = match loss {
            Loss::All => 0,
            Loss::Nothing => self.unsynced.len(),
            Loss::Some(_) => random.usize(0..=self.unsynced.len()),
        };
        let unsynced = std::mem::take(&mut self.unsynced);
        for entries in unsynced.into_iter().take(kept) {
            self.keep(entries);
        }
        for node in self.nodes.values_mut() {
            match &mut node.body {
                Body::Folder { now, synced } => now.clone_from(synced),
                Body::File { now, synced, unsynced } => {
                    for change in unsynced.drain(..) {
                        match loss {
                            Loss::All => {}
                            Loss::Nothing => change.apply(synced),
                            Loss::Some(_) => keep_some(&change, synced, &mut random),
                        }
                    }
                    now.clone_from(synced);
                }
            }
        }
        self.renumber();
    }
}

/// Each page of a write is there or not; now and then only its first sectors.
fn keep_some(change: &Change, to: &mut Vec<u8>, random: &mut fastrand::Rng) {
    match change {
        Change::Size(size) => {
            if random.bool() {
                to.resize(*size, 0);
            }
        }
        Change::Write { at, bytes } => {
            let (mut at, mut rest) = (*at, bytes.as_slice());
            while !rest.is_empty() {
                let to_page = PAGE.saturating_sub(at.checked_rem(PAGE).unwrap_or(0));
                let (piece, behind) = rest.split_at(to_page.min(rest.len()));
                match random.u8(0..8) {
                    0..4 => put(to, at, piece),
                    4 => {
                        let sectors = random.usize(0..PAGE.checked_div(SECTOR).unwrap_or(1));
                        let torn = sectors.saturating_mul(SECTOR).saturating_sub(at.checked_rem(SECTOR).unwrap_or(0));
                        put(to, at, piece.get(..torn.min(piece.len())).unwrap_or(&[]));
                    }
                    _ => {}
                }
                at = at.saturating_add(piece.len());
                rest = behind;
            }
        }
    }
}
