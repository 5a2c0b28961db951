//! The cards of the example fund.

use anyhow::Context as _;

/// Their UIDs by card number.
pub struct Cards(Vec<Vec<u8>>);

impl Cards {
    /// Reads `deploy/example-fund/cards.csv`.
    ///
    /// # Errors
    /// Where it is not there or not as it was.
    pub fn read() -> anyhow::Result<Self> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/example-fund/cards.csv");
        let text = std::fs::read_to_string(file).context(file)?;
        let uids = text.lines().skip(1).map(|line| hex(line.split(',').nth(1).context("no UID")?));
        Ok(Self(uids.collect::<anyhow::Result<_>>()?))
    }

    /// The UID of the card with a number from 1; an empty one where there is no such card.
    #[must_use]
    pub fn uid(&self, number: usize) -> &[u8] {
        number.checked_sub(1).and_then(|index| self.0.get(index)).map_or(&[], Vec::as_slice)
    }
}

fn hex(text: &str) -> anyhow::Result<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}
