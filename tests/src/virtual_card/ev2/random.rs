//! Randomness that a test can repeat.

use super::crypto::{Key, encrypt};

/// A card's generator: AES in counter mode, its key the test's seed. It does not forget without power, so that a card
/// never repeats a challenge.
#[derive(Clone)]
pub(crate) struct Random {
    key: Key,
    drawn: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { key: block(seed), drawn: 0 }
    }

    pub(crate) fn block(&mut self) -> [u8; 16] {
        self.drawn = self.drawn.wrapping_add(1);
        encrypt(&self.key, [0; 16], &block(self.drawn)).first_chunk().copied().unwrap_or_default()
    }

    pub(crate) fn word(&mut self) -> [u8; 4] {
        self.block().first_chunk().copied().unwrap_or_default()
    }
}

fn block(number: u64) -> [u8; 16] {
    u128::from(number).to_le_bytes()
}
