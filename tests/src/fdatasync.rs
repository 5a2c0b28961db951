//! The limit that durable work is measured against: how often a second this disk makes bytes durable.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Appends 4 KiB and syncs, again and again for `time`, in a file of `folder`; gives the number of syncs and the time.
///
/// # Errors
/// Where the file cannot be written.
pub fn measure(folder: &Path, time: Duration) -> std::io::Result<Rate> {
    let mut file = File::options().create(true).append(true).open(folder.join("fdatasync.tmp"))?;
    let page = [0x5a; 4096];
    let mut syncs = 0_u64;
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the time")]
    let start = Instant::now();
    while start.elapsed() < time {
        file.write_all(&page)?;
        file.sync_data()?;
        syncs = syncs.saturating_add(1);
    }
    let rate = Rate { count: syncs, time: start.elapsed() };
    std::fs::remove_file(folder.join("fdatasync.tmp"))?;
    Ok(rate)
}

/// So many in so long.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// In how long.
    pub time: Duration,
}

impl Rate {
    /// How many a second.
    #[must_use]
    #[expect(clippy::as_conversions, clippy::float_arithmetic, reason = "a figure for people")]
    pub fn per_second(self) -> f64 {
        self.count as f64 / self.time.as_secs_f64()
    }
}
