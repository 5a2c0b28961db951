//! How much of the machine's time went to others while a benchmark ran: where it is much, the figures mean little.

use std::fs::read_to_string;

use anyhow::Context as _;

/// Clock ticks of the whole machine and of some processes.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    busy: u64,
    total: u64,
    own: u64,
}

impl Ticks {
    /// Reads them.
    ///
    /// # Errors
    /// Where /proc does not look as it does on Linux.
    pub fn read(own_pids: &[u32]) -> anyhow::Result<Self> {
        let stat = read_to_string("/proc/stat")?;
        let first = stat.lines().next().context("/proc/stat is empty")?;
        let fields: Vec<u64> =
            first.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
        let total: u64 = fields.iter().sum();
        let idle: u64 = fields.iter().skip(3).take(2).sum();
        let mut own = 0_u64;
        for pid in own_pids {
            let stat = read_to_string(format!("/proc/{pid}/stat"))?;
            let behind_name = stat.rsplit(')').next().context("no name")?;
            let times = behind_name.split_whitespace().skip(11).take(2);
            own = times.filter_map(|time| time.parse::<u64>().ok()).fold(own, u64::saturating_add);
        }
        Ok(Self { busy: total.saturating_sub(idle), total, own })
    }

    /// The share of the machine's time that neither idled nor belonged to us since `before`, in percent.
    #[must_use]
    pub fn others_percent_since(self, before: Self) -> u64 {
        let busy = self.busy.saturating_sub(before.busy);
        let own = self.own.saturating_sub(before.own);
        let total = self.total.saturating_sub(before.total).max(1);
        busy.saturating_sub(own).saturating_mul(100).checked_div(total).unwrap_or(0)
    }
}
