//! Inputs made of kept ones, the same in each run.

/// Bytes that decoders treat in a way of their own.
const TELLING: [u8; 24] = [
    0x00, 0x01, 0x7f, 0x80, 0xff, 0x18, 0x19, 0x1a, 0x1b, 0x40, 0x5f, 0x80, 0x9f, 0xa0, 0xbf, 0xd2, 0xf6, 0xf7, b'"',
    b';', b'\n', b'<', b'0', b'9',
];
/// How many changes one input gets at the most, from 1.
const CHANGES_MAX: u64 = 5;
/// How long an input grows, in bytes.
const BYTES_MAX: usize = 64 * 1024;

/// Bent inputs: SplitMix64 chooses what changes where.
pub struct Mutations<'s> {
    seeds: &'s [Vec<u8>],
    state: u64,
}

impl<'s> Mutations<'s> {
    /// Bends `seeds`.
    #[must_use]
    pub const fn new(seeds: &'s [Vec<u8>], seed: u64) -> Self {
        Self { seeds, state: seed }
    }

    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 where that is 0.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        self.number().checked_rem(end).and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        if self.below(2) == 0 {
            let at = self.below(TELLING.len());
            TELLING.get(at).copied().unwrap_or(0)
        } else {
            self.number().to_le_bytes()[0]
        }
    }

    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len.saturating_add(1));
        let most = len.saturating_sub(start).min(32);
        start..start.saturating_add(self.below(most.saturating_add(1)))
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        match self.below(8) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            1 => {
                let new = self.byte();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = new;
                }
            }
            2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = if self.below(2) == 0 { byte.wrapping_add(1) } else { byte.wrapping_sub(1) };
                }
            }
            3 => drop(bytes.drain(self.range(bytes.len()))),
            4 => {
                let copied = bytes.get(self.range(bytes.len())).unwrap_or_default().to_vec();
                bytes.splice(at..at, copied);
            }
            5 => {
                let new = self.byte();
                bytes.insert(at, new);
            }
            6 => bytes.truncate(at),
            _ => {
                let other = self.below(self.seeds.len());
                let other = self.seeds.get(other).map_or(&[][..], Vec::as_slice);
                let part = other.get(self.range(other.len())).unwrap_or_default().to_vec();
                let end = at.saturating_add(if self.below(2) == 0 { part.len() } else { 0 }).min(bytes.len());
                bytes.splice(at..end, part);
            }
        }
    }

    /// One of the seeds, changed in some places.
    pub fn bent(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.number() % CHANGES_MAX {
            self.change(&mut bytes);
        }
        bytes.truncate(BYTES_MAX);
        bytes
    }
}
