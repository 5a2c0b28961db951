//! What the journal keeps at hand, replaced only after a commit.

use super::close::Periods;
use super::doubts::Doubt;
use crate::core::ages::{Anchor, Moment, Ratchet};
use crate::core::authorize::TerminalState;
use crate::core::objects::{HubLife, Me};
use crate::core::split::Categories;
use cabas_protocol::chain::{ChainHead, ChainId};
use cabas_protocol::head::HeadContext;
use cabas_protocol::keys::HubKeys;
use cabas_protocol::objects::{Grid, Policy, TerminalConfig};
use cabas_protocol::sync::Standing;
use cabas_protocol::{
    Cents, Epoch, FundId, MoneyError, PublicKey, PurseRef, RequestId, Seq, Signed, SignedBalance, Stan, TerminalId,
    Timestamp, Version,
};
use std::sync::Arc;

/// Whose journal it is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The fund.
    pub fund: FundId,
    /// The terminal.
    pub terminal: TerminalId,
    /// Its enrolment.
    pub epoch: Epoch,
    /// The fund's root key.
    pub root: PublicKey,
    /// The terminal's own key.
    pub key: PublicKey,
    /// Where the hub was at enrolment.
    pub hub_url: String,
}

impl Identity {
    /// Its chain.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        ChainId { fund: self.fund, terminal: self.terminal, epoch: self.epoch }
    }

    /// What the first row builds on.
    #[must_use]
    pub fn genesis(&self) -> ChainHead {
        self.chain().genesis(&self.key)
    }

    /// To whom the hub's objects are addressed.
    #[must_use]
    pub const fn me(&self) -> Me {
        Me { terminal: self.terminal, epoch: self.epoch }
    }
}

/// Sums over the rows of the journal, from its first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// Sales.
    pub sales: u32,
    /// The fund's part of them.
    pub fund: Cents,
    /// The member's part of them.
    pub member: Cents,
    /// What was reversed of the fund's part.
    pub reversed: Cents,
    /// The fund's part of the refunds that were asked for.
    pub refunds: Cents,
}

impl Totals {
    /// What was added since `earlier`.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] where `earlier` is not.
    pub fn since(self, earlier: Self) -> Result<Self, MoneyError> {
        Ok(Self {
            sales: self.sales.saturating_sub(earlier.sales),
            fund: self.fund.minus(earlier.fund)?,
            member: self.member.minus(earlier.member)?,
            reversed: self.reversed.minus(earlier.reversed)?,
            refunds: self.refunds.minus(earlier.refunds)?,
        })
    }
}

/// The newest row.
#[derive(Clone, Copy, Debug)]
pub struct Newest {
    /// Its place and hash.
    pub chain: ChainHead,
    /// When it was written; nothing before the first.
    pub moment: Option<Moment>,
    /// The newest STAN.
    pub stan: Option<Stan>,
    /// The sums, this row included.
    pub totals: Totals,
}

/// What is known of the hub.
#[derive(Clone, Copy, Debug)]
pub struct HubView {
    /// Its life.
    pub life: HubLife,
    /// The latest time that it signed.
    pub ratchet: Timestamp,
    /// News are asked for since here.
    pub cursor: u64,
    /// The newest row that it has.
    pub acked: ChainHead,
    /// The sums up to there.
    pub acked_totals: Totals,
    /// The newest row that is safe in its backup.
    pub backed_up: Seq,
    /// How the enrolment stands.
    pub standing: Standing,
    /// The version of the hot list held.
    pub hot_list: Version,
    /// Hub time when there was no more news: lists and balances are as new as that.
    pub checked_at: Option<Timestamp>,
    /// Ties this machine's time to hub time.
    pub anchor: Anchor,
}

impl HubView {
    /// The latest time of the hub's current run of time.
    #[must_use]
    pub const fn ratchet(&self) -> Ratchet {
        Ratchet { time_epoch: self.life.time_epoch, time: self.ratchet }
    }

    /// Seconds since the hub said that there is no more news.
    #[must_use]
    pub fn age_s(&self, now: Moment) -> Option<u64> {
        self.checked_at.map(|checked_at| self.anchor.time(now).since_s(checked_at))
    }
}

/// Something for somebody at the fund to look at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AlarmNote {
    /// When, in hub time.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// What an open sale is about to take: a recall leaves it alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reserved {
    /// The sale.
    pub request: RequestId,
    /// The purse.
    pub purse: PurseRef,
    /// What it may take.
    pub cents: Cents,
}

/// What the journal keeps at hand.
#[derive(Clone, Debug)]
pub struct State {
    /// Whose journal it is.
    pub id: Arc<Identity>,
    /// The keys that the hub signs with.
    pub keys: Arc<HubKeys>,
    /// The newest row.
    pub newest: Newest,
    /// The hub.
    pub hub: HubView,
    /// The limits.
    pub policy: Option<Arc<Policy>>,
    /// The grids, those of days to come among them.
    pub grids: Arc<Vec<Grid>>,
    /// The terminal's configuration.
    pub config: Option<Arc<TerminalConfig>>,
    /// Balances held.
    pub balances: u32,
    /// The newest alarms, newest first.
    pub alarms: Arc<Vec<AlarmNote>>,
    /// Debits of cards of which it is written down that no end is known, newest first.
    pub doubts: Arc<Vec<Doubt>>,
    /// What the open sale is about to take; of this run only.
    pub reserved: Option<Reserved>,
    /// The cashier's number by the newest row that says so; 0 for none.
    pub cashier: u16,
    /// True where the newest row that says so put the training mode on.
    pub training: bool,
    /// What is closed, and what is not.
    pub periods: Periods,
}

impl State {
    /// What a head says that this terminal makes.
    #[must_use]
    pub fn context(&self) -> HeadContext {
        let HubLife { incarnation, time_epoch } = self.hub.life;
        HeadContext { fund: self.id.fund, incarnation, time_epoch }
    }

    /// True for a balance whose key was taken back: it is spent until the hub's next word, which may allow less.
    #[must_use]
    pub fn is_void(&self, balance: &[u8]) -> bool {
        let key = || Signed::<SignedBalance>::from_bytes(balance.to_vec()).ok()?.kid().ok();
        self.keys.any_revoked() && key().is_none_or(|key| self.keys.is_revoked(key))
    }

    /// Whether it may sell at all.
    #[must_use]
    pub fn terminal_state(&self) -> TerminalState {
        match self.hub.standing {
            Standing::Revoked => TerminalState::Revoked,
            Standing::Closed => TerminalState::Closed,
            Standing::Quarantined => TerminalState::Quarantined,
            Standing::Live if self.config.as_ref().is_some_and(|config| config.paused) => TerminalState::Paused,
            Standing::Live => TerminalState::Live,
        }
    }

    /// The categories that hold on a business day.
    #[must_use]
    pub fn categories(&self, day: u32) -> Categories {
        Categories::on_day(&self.grids, day)
    }

    /// Rows that the hub does not have.
    #[must_use]
    pub fn unsent_rows(&self) -> u32 {
        self.newest.chain.seq.get().saturating_sub(self.hub.acked.seq.get())
    }

    /// Sums of the rows that the hub does not have.
    #[must_use]
    pub fn unsent(&self) -> Totals {
        self.newest.totals.since(self.hub.acked_totals).unwrap_or_default()
    }
}
