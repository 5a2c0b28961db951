//! The fund at one glance: how each terminal stands, and what was credited, spent and is owed. No person, no purse.

use cabas_protocol::release::{Trouble, UpgradePhase};
use cabas_protocol::row::ClockQuality;
use cabas_protocol::sync::Standing;
use cabas_protocol::{Cents, Epoch, MoneyError, TerminalId, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::core::ledger::AccountKind;
use crate::store::{
    AlarmKind, BlockedAgain, Quarantine, RestoreView, StoreError, TerminalView, TrialLine, TroubleView, Tx,
};

/// A live terminal that has not called for so long is looked after, in seconds.
pub const STALE_S: u64 = 86_400;

/// The fund at one glance.
#[derive(Clone, Debug, Eq, PartialEq, JsonSchema, Serialize)]
pub struct Overview {
    /// The fund's number.
    pub fund_id: u32,
    /// Its name.
    pub name: String,
    /// The hub's life.
    pub incarnation: u32,
    /// The root key, in hexadecimal.
    pub root_key: String,
    /// Every terminal.
    pub terminals: Vec<TerminalLine>,
    /// The sums.
    pub totals: Totals,
    /// Cents outside what was allowed: kept as evidence, not paid.
    pub over_right_cents: u64,
    /// Rows that do not fit their chain.
    pub disputed_rows: u64,
    /// How the newest restore from a backup stands; none where there never was one.
    pub restore: Option<RestoreLine>,
}

/// A restore from a backup.
#[derive(Clone, Debug, Eq, PartialEq, JsonSchema, Serialize)]
pub struct RestoreLine {
    /// When it began.
    pub restored_at: u64,
    /// When the last enrolment had handed back what it holds, or was closed; until then nothing is signed or settled.
    pub ended_at: Option<u64>,
    /// The enrolments that it waits for.
    pub waiting_for: Vec<EpochLine>,
    /// Cents that terminals proved and that no credit in the ledger covers yet.
    pub missing_cents: u64,
    /// Balances that were handed back for purses which the backup does not have.
    pub unplaced_balances: u64,
    /// Cards blocked again: terminals knew them as blocked, and the backup did not.
    pub blocked_again: Vec<BlockedLine>,
    /// Cards that terminals know as blocked and that the backup does not have: blocked as they are imported again.
    pub blocked_unknown: u64,
    /// The enrolments that have handed back, or never will, without telling what they know as blocked.
    pub lists_unheard: Vec<EpochLine>,
    /// The newest settlement in the backup.
    pub newest_settlement: u32,
    /// True once somebody has said that no later settlement was paid.
    pub payments_checked: bool,
}

/// A card that was blocked again after a restore.
#[derive(Clone, Copy, Debug, Eq, PartialEq, JsonSchema, Serialize)]
pub struct BlockedLine {
    /// Its number.
    pub card_number: u32,
    /// The terminal that knew it as blocked.
    pub terminal: u32,
}

impl BlockedLine {
    const fn of(view: BlockedAgain) -> Self {
        Self { card_number: view.card, terminal: view.terminal.get() }
    }
}

/// An enrolment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, JsonSchema, Serialize)]
pub struct EpochLine {
    /// The terminal.
    pub terminal: u32,
    /// Its epoch.
    pub epoch: u32,
}

/// The sums over the whole fund, in cents.
#[derive(Clone, Copy, Debug, Eq, PartialEq, JsonSchema, Serialize)]
pub struct Totals {
    /// Given to households.
    pub credited_cents: u64,
    /// Lies free at the hub.
    pub free_cents: u64,
    /// Reserved for terminals, or on purse cards, and not spent.
    pub reserved_cents: u64,
    /// Spent in shops and settled.
    pub spent_cents: u64,
    /// Owed to shops, not closed yet.
    pub owed_cents: u64,
    /// Closed in settlements, not confirmed by the bank.
    pub in_transit_cents: u64,
}

/// A terminal.
#[derive(Clone, Debug, Eq, PartialEq, JsonSchema, Serialize)]
pub struct TerminalLine {
    /// Its number.
    pub terminal: u32,
    /// The shop's code.
    pub shop: String,
    /// The shop's name.
    pub shop_name: String,
    /// `new` (never enrolled), `live`, `quarantined`, `revoked` or `closed`.
    pub standing: &'static str,
    /// Its newest enrolment; none before the first.
    pub epoch: Option<u32>,
    /// The newest row that the hub has.
    pub acked_seq: Option<u32>,
    /// The newest row that a completed backup has.
    pub backed_up_seq: Option<u32>,
    /// When it last called, in seconds since 1970.
    pub last_contact_at: Option<u64>,
    /// Why it is quarantined.
    pub quarantine: Option<String>,
    /// The same in one word: `fork` or `gap`.
    pub quarantine_kind: Option<&'static str>,
    /// The version that it runs.
    pub program: Option<String>,
    /// The hot list that it holds.
    pub hot_list: Option<u32>,
    /// Sales refused though they may have been funded, since its program started.
    pub refused_unfunded: Option<u32>,
    /// When it last had everything that the hub had for it: the age of its balances.
    pub current_at: Option<u64>,
    /// Rows that it said it had and the hub has not.
    pub unsynced_rows: Option<u32>,
    /// How good its clock is: `unknown`, `carried` or `synced`.
    pub clock: Option<&'static str>,
    /// What it says does not work, for the admin.
    pub troubles: Vec<TroubleLine>,
    /// What needs a person's eyes.
    pub alarms: Vec<AlarmLine>,
    /// When its unused code expires.
    pub code_expires_at: Option<u64>,
}

/// Something that does not work at a terminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq, JsonSchema, Serialize)]
pub struct TroubleLine {
    /// `disk_low`, `disk_full`, `journal`, `reader`, `printer`, `second_copy`; `other` where a newer terminal says it.
    pub kind: &'static str,
    /// Since when the hub has heard of it.
    pub since: u64,
}

/// Every kind of trouble.
#[cfg(test)]
pub const TROUBLES: [&str; 7] = ["disk_low", "disk_full", "journal", "reader", "printer", "second_copy", "other"];

impl TroubleLine {
    fn of(view: TroubleView) -> Self {
        let kind = match view.trouble {
            Trouble::DISK_LOW => "disk_low",
            Trouble::DISK_FULL => "disk_full",
            Trouble::JOURNAL => "journal",
            Trouble::READER => "reader",
            Trouble::PRINTER => "printer",
            Trouble::SECOND_COPY => "second_copy",
            _ => "other",
        };
        Self { kind, since: view.since.get() }
    }
}

/// Alarms of one kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq, JsonSchema, Serialize)]
pub struct AlarmLine {
    /// What it is about.
    pub kind: &'static str,
    /// How often.
    pub count: u64,
    /// The last time, in seconds since 1970.
    pub last_at: u64,
}

/// Reads the overview.
///
/// # Errors
/// [`StoreError`].
pub fn read(tx: &Tx<'_>) -> Result<Overview, StoreError> {
    let fund = tx.fund()?;
    let figures = tx.figures()?;
    let balance = tx.trial_balance()?;
    let restore = tx.restore_view()?.map(|view| restore_line(view, &balance)).transpose()?;
    Ok(Overview {
        fund_id: fund.fund.get(),
        name: fund.name,
        incarnation: fund.incarnation.get(),
        root_key: fund.root.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect(),
        terminals: tx.terminals()?.into_iter().map(terminal_line).collect(),
        totals: totals(&balance, tx.taken_back_total()?)?,
        over_right_cents: figures.over_right_cents.get(),
        disputed_rows: figures.disputed_rows,
        restore,
    })
}

fn restore_line(view: RestoreView, balance: &[TrialLine]) -> Result<RestoreLine, MoneyError> {
    let restored = balance.iter().find(|line| line.kind == AccountKind::Restored);
    let epoch = |(terminal, epoch): (TerminalId, Epoch)| EpochLine { terminal: terminal.get(), epoch: epoch.get() };
    Ok(RestoreLine {
        restored_at: view.restored_at.get(),
        ended_at: view.ended_at.map(Timestamp::get),
        waiting_for: view.missing.0.into_iter().map(epoch).collect(),
        missing_cents: restored.map_or(Ok(Cents::ZERO), |line| line.debits.minus(line.credits))?.get(),
        unplaced_balances: view.unplaced,
        blocked_again: view.blocked_again.iter().copied().map(BlockedLine::of).collect(),
        blocked_unknown: view.blocked_unknown,
        lists_unheard: view.lists_unheard.into_iter().map(epoch).collect(),
        newest_settlement: view.settlement,
        payments_checked: view.payments_checked,
    })
}

/// The name of a standing, in JSON and metrics.
#[must_use]
pub const fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Live => "live",
        Standing::Quarantined => "quarantined",
        Standing::Revoked => "revoked",
        Standing::Closed => "closed",
    }
}

/// The name of an upgrade's phase.
#[must_use]
pub const fn phase_name(phase: UpgradePhase) -> &'static str {
    match phase {
        UpgradePhase::None => "none",
        UpgradePhase::Loading => "loading",
        UpgradePhase::Testing => "testing",
        UpgradePhase::Ready => "ready",
        UpgradePhase::Trial => "trial",
        UpgradePhase::Refused => "refused",
        UpgradePhase::RolledBack => "rolled_back",
        UpgradePhase::NoKey => "no_key",
    }
}

/// Every phase of an upgrade.
#[cfg(test)]
pub const PHASES: [&str; 8] = [
    phase_name(UpgradePhase::None),
    phase_name(UpgradePhase::Loading),
    phase_name(UpgradePhase::Testing),
    phase_name(UpgradePhase::Ready),
    phase_name(UpgradePhase::Trial),
    phase_name(UpgradePhase::Refused),
    phase_name(UpgradePhase::RolledBack),
    phase_name(UpgradePhase::NoKey),
];

/// Every standing that a terminal may have.
pub const STANDINGS: [&str; 5] = ["new", "live", "quarantined", "revoked", "closed"];

/// A terminal as it is shown.
#[must_use]
pub fn terminal_line(view: TerminalView) -> TerminalLine {
    let enrolment = view.enrolment.as_ref();
    let status = enrolment.and_then(|enrolment| enrolment.status.as_ref());
    let alarms = enrolment.map(|enrolment| enrolment.alarms.as_slice()).unwrap_or_default();
    TerminalLine {
        terminal: view.terminal.get(),
        standing: enrolment.map_or("new", |enrolment| standing_name(enrolment.standing)),
        epoch: enrolment.map(|enrolment| enrolment.epoch.get()),
        acked_seq: enrolment.map(|enrolment| enrolment.acked.get()),
        backed_up_seq: enrolment.map(|enrolment| enrolment.backed_up.get()),
        last_contact_at: enrolment.and_then(|enrolment| enrolment.last_contact_at).map(Timestamp::get),
        quarantine: enrolment.and_then(|enrolment| enrolment.quarantine).map(|reason| reason.to_string()),
        quarantine_kind: enrolment.and_then(|enrolment| enrolment.quarantine).map(quarantine_name),
        program: status.map(|status| status.program.clone()),
        troubles: enrolment
            .map_or_else(Vec::new, |enrolment| enrolment.troubles.iter().copied().map(TroubleLine::of).collect()),
        hot_list: status.map(|status| status.hot_list.get()),
        refused_unfunded: status.map(|status| status.refused_unfunded),
        current_at: enrolment.and_then(|enrolment| enrolment.current_at).map(Timestamp::get),
        unsynced_rows: enrolment.and_then(|enrolment| {
            let told = enrolment.status.as_ref()?.newest.get();
            Some(told.saturating_sub(enrolment.acked.get()))
        }),
        clock: status.map(|status| clock_name(status.clock)),
        alarms: alarms
            .iter()
            .map(|alarm| AlarmLine { kind: alarm_name(alarm.kind), count: alarm.count, last_at: alarm.last_at.get() })
            .collect(),
        code_expires_at: view.code_expires_at.map(Timestamp::get),
        shop: view.shop_code,
        shop_name: view.shop_name,
    }
}

/// Every clock quality.
#[cfg(test)]
pub const CLOCKS: [&str; 3] =
    [clock_name(ClockQuality::Unknown), clock_name(ClockQuality::Carried), clock_name(ClockQuality::Synced)];

const fn clock_name(quality: ClockQuality) -> &'static str {
    match quality {
        ClockQuality::Unknown => "unknown",
        ClockQuality::Carried => "carried",
        ClockQuality::Synced => "synced",
    }
}

/// Every reason for a quarantine.
#[cfg(test)]
pub const QUARANTINES: [&str; 2] = [quarantine_name(Quarantine::Fork), quarantine_name(Quarantine::Gap)];

/// The word for a quarantine's reason.
#[must_use]
pub const fn quarantine_name(quarantine: Quarantine) -> &'static str {
    match quarantine {
        Quarantine::Fork => "fork",
        Quarantine::Gap => "gap",
    }
}

/// What an alarm can be about.
#[cfg(test)]
pub const ALARMS: [&str; 8] = [
    alarm_name(AlarmKind::Fork),
    alarm_name(AlarmKind::Gap),
    alarm_name(AlarmKind::OverRight),
    alarm_name(AlarmKind::FutureIncarnation),
    alarm_name(AlarmKind::NotAuthentic),
    alarm_name(AlarmKind::Split),
    alarm_name(AlarmKind::CardProof),
    alarm_name(AlarmKind::CopiedCard),
];

/// The word for what an alarm is about.
#[must_use]
pub const fn alarm_name(kind: AlarmKind) -> &'static str {
    match kind {
        AlarmKind::Fork => "fork",
        AlarmKind::Gap => "gap",
        AlarmKind::OverRight => "over_right",
        AlarmKind::FutureIncarnation => "future_incarnation",
        AlarmKind::NotAuthentic => "not_authentic",
        AlarmKind::Split => "not_split_by_the_grid",
        AlarmKind::CardProof => "not_proven_by_the_card",
        AlarmKind::CopiedCard => "copied_card",
    }
}

fn totals(lines: &[TrialLine], taken_back: Cents) -> Result<Totals, MoneyError> {
    let of = |kind| lines.iter().filter(move |line| line.kind == kind);
    let credits = |kind| Cents::sum(of(kind).map(|line| line.credits));
    let debits = |kind| Cents::sum(of(kind).map(|line| line.debits));
    let left = |kind| credits(kind)?.minus(debits(kind)?);
    Ok(Totals {
        credited_cents: debits(AccountKind::Source)?.get(),
        free_cents: left(AccountKind::Purse)?.get(),
        reserved_cents: left(AccountKind::Slice)?.plus(left(AccountKind::Card)?)?.get(),
        spent_cents: credits(AccountKind::Payable)?.minus(taken_back)?.get(),
        // Below nothing where sales that were paid were reversed: the next settlements take it off.
        owed_cents: credits(AccountKind::Payable)?.minus_or_zero(debits(AccountKind::Payable)?).get(),
        in_transit_cents: left(AccountKind::Transit)?.get(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn the_sums_follow_the_accounts() {
        let line = |kind, debits, credits| TrialLine {
            kind,
            accounts: 1,
            debits: Cents::new(debits).unwrap(),
            credits: Cents::new(credits).unwrap(),
        };
        // 1000 credited, 600 of it reserved, 250 of that spent, 200 of that closed.
        let lines = [
            line(AccountKind::Source, 1000, 0),
            line(AccountKind::Purse, 600, 1000),
            line(AccountKind::Slice, 250, 600),
            line(AccountKind::Payable, 200, 250),
            line(AccountKind::Transit, 0, 200),
        ];
        let expected = Totals {
            credited_cents: 1000,
            free_cents: 400,
            reserved_cents: 350,
            spent_cents: 250,
            owed_cents: 50,
            in_transit_cents: 200,
        };
        assert_eq!(totals(&lines, Cents::ZERO).unwrap(), expected);
        // 200 were paid and 80 reversed: the shop has 30 less than nothing.
        let reversed = [line(AccountKind::Payable, 280, 250)];
        let sums = totals(&reversed, Cents::new(80).unwrap()).unwrap();
        assert_eq!((sums.spent_cents, sums.owed_cents), (170, 0));
        assert_eq!(totals(&[line(AccountKind::Purse, 1, 0)], Cents::ZERO), Err(MoneyError::Negative));
    }
}
