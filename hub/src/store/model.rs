//! What goes into the store and what comes out of it: plain values.

mod bank;
mod import;
mod money;
mod money_in;
mod proof;

use cabas_protocol::enrol::CodeKeys;
use cabas_protocol::head::HeadContext;
use cabas_protocol::hot_list::HotList;
use cabas_protocol::keys::KeyCert;
use cabas_protocol::objects::{Binding, Category, Grid, Policy, TerminalConfig};
use cabas_protocol::release::Trouble;
use cabas_protocol::row::Tier;
use cabas_protocol::sync::{Recall, RefundDecision, Standing, TerminalStatus};
use cabas_protocol::{
    CardRef, Cents, ChainHead, Epoch, FundId, Incarnation, KeyId, PolicyId, PublicKey, PurseRef, Seq, Signed,
    SignedBalance, TerminalId, TimeEpoch, Timestamp,
};

use super::error::EnrolRefusal;
pub use bank::*;
pub use import::*;
pub use money::*;
pub use money_in::*;
pub use proof::*;

/// What a new fund starts with.
#[derive(Clone, Debug)]
pub struct InitFund {
    /// Its number.
    pub fund: FundId,
    /// Its name, as on receipts.
    pub name: String,
    /// Whom a shop calls.
    pub helpline: String,
    /// The root key that terminals pin.
    pub root: PublicKey,
    /// The root's certificate of the first signing key.
    pub cert: Signed<KeyCert>,
    /// The limits that terminals start with; its head and id are set by the store.
    pub policy: PolicyLimits,
    /// The first grid: at least one category.
    pub categories: Vec<Category>,
}

/// The limits of a [`Policy`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PolicyLimits {
    /// The fund's part of one sale, at the most.
    pub sale_cents_max: Cents,
    /// The same with a plain card.
    pub plain_sale_cents_max: Cents,
    /// One purse's sales with plain cards at one terminal in one business day, at the most.
    pub plain_day_cents_max: Cents,
    /// The age of the hot list past which plain cards are refused, in seconds.
    pub plain_list_age_s_max: u32,
    /// True where a part of the amount may be offered.
    pub part_payment: bool,
}

/// The fund.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FundInfo {
    /// Its number.
    pub fund: FundId,
    /// Its name.
    pub name: String,
    /// Whom a shop calls.
    pub helpline: String,
    /// The root key.
    pub root: PublicKey,
    /// The hub's life.
    pub incarnation: Incarnation,
    /// The run of hub time.
    pub time_epoch: TimeEpoch,
    /// True where all sales are paused.
    pub paused: bool,
    /// The limits that hold.
    pub policy: PolicyId,
    /// The change counter: every deliverable thing carries the value at which it last changed.
    pub change: u64,
    /// The same for what every terminal takes alike.
    pub change_for_all: u64,
    /// When the fund was made.
    pub created_at: Timestamp,
}

impl FundInfo {
    /// What an object of this fund starts with.
    #[must_use]
    pub const fn context(&self) -> HeadContext {
        HeadContext { fund: self.fund, incarnation: self.incarnation, time_epoch: self.time_epoch }
    }
}

/// An enrolment code as the hub keeps it.
#[derive(Clone, Debug)]
pub struct EnrolmentCode {
    /// Whom it enrols.
    pub terminal: TerminalId,
    /// The keys of the code.
    pub keys: CodeKeys,
    /// Wrong tries that are left; at 0 it is void.
    pub tries_left: u32,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The key that it enrolled, and the epoch that it opened.
    pub used_by: Option<(PublicKey, Epoch)>,
    /// True where a newer code took its place, or the terminal was revoked.
    pub void: bool,
}

impl EnrolmentCode {
    /// Whether a key may still be enrolled by it. A code that was used serves its key for ever, so that an answer that
    /// got lost can be asked for again.
    ///
    /// # Errors
    /// [`EnrolRefusal::CodeVoid`] or [`EnrolRefusal::CodeExpired`].
    pub fn usable(&self, key: &PublicKey, now: Timestamp) -> Result<(), EnrolRefusal> {
        match &self.used_by {
            Some((used_by, _)) if used_by == key && self.tries_left > 0 => Ok(()),
            Some(_) => Err(EnrolRefusal::CodeVoid),
            None if self.void || self.tries_left == 0 => Err(EnrolRefusal::CodeVoid),
            None if now >= self.expires_at => Err(EnrolRefusal::CodeExpired),
            None => Ok(()),
        }
    }
}

/// A terminal was enrolled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Enrolled {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its epoch.
    pub epoch: Epoch,
}

/// What the hub needs to check a terminal's request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TerminalKey {
    /// Its key in this epoch.
    pub key: PublicKey,
    /// How the enrolment stands.
    pub standing: Standing,
    /// The newest row that the hub has.
    pub acked: ChainHead,
    /// The newest row that a completed backup has.
    pub backed_up: Seq,
    /// True where the hub asks for the balances that the terminal holds.
    pub want_held: bool,
    /// The newest change of a signing key that the terminal has confirmed.
    pub keys_confirmed: u64,
}

/// A signing key as the admin sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyView {
    /// Its id.
    pub id: KeyId,
    /// Its public half.
    pub key: PublicKey,
    /// When its newest certificate was made.
    pub issued_at: Timestamp,
    /// True where the root took it back.
    pub revoked: bool,
    /// Open enrolments that are known to have the certificate.
    pub confirmed_by: u64,
}

/// A terminal as the admin sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TerminalView {
    /// The terminal.
    pub terminal: TerminalId,
    /// The shop's code.
    pub shop_code: String,
    /// The shop's name.
    pub shop_name: String,
    /// Its newest enrolment; none before the first.
    pub enrolment: Option<EnrolmentView>,
    /// When its pending code expires, where one was given and not used.
    pub code_expires_at: Option<Timestamp>,
}

/// An enrolment as the admin sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EnrolmentView {
    /// The enrolment.
    pub epoch: Epoch,
    /// How it stands.
    pub standing: Standing,
    /// Why it was quarantined.
    pub quarantine: Option<Quarantine>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The newest row that the hub has.
    pub acked: Seq,
    /// The newest row that a completed backup has.
    pub backed_up: Seq,
    /// What the terminal told of itself at its last contact.
    pub status: Option<TerminalStatus>,
    /// When it last called.
    pub last_contact_at: Option<Timestamp>,
    /// When it last had everything that the hub had for it: the age of its balances counts from here.
    pub current_at: Option<Timestamp>,
    /// What needs a person's eyes, one entry a kind.
    pub alarms: Vec<AlarmView>,
    /// What does not work there, as it says itself.
    pub troubles: Vec<TroubleView>,
    /// When it said last what it is, and what does not work.
    pub told_at: Option<Timestamp>,
}

/// Something that does not work at a terminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TroubleView {
    /// What.
    pub trouble: Trouble,
    /// Since when the hub has heard of it.
    pub since: Timestamp,
}

/// Why a terminal is quarantined.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Quarantine {
    /// Two different rows in one place, or a row that builds on another past.
    #[error("its journal has two futures (fork)")]
    Fork,
    /// Rows are missing.
    #[error("its journal has a hole (gap)")]
    Gap,
}

/// What a person must look at.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum AlarmKind {
    /// The journal has two futures.
    Fork,
    /// The journal has a hole.
    Gap,
    /// A row claims what it has no right to.
    OverRight,
    /// A row was written under a later life of the hub than this one.
    FutureIncarnation,
    /// A row came that is not the terminal's own.
    NotAuthentic,
    /// A sale was not split as its grid says.
    Split,
    /// A card did not prove what a row says of it.
    CardProof,
    /// An identity card's counter fell or repeats: there is a copy of it.
    CopiedCard,
}

/// Alarms of one kind of one enrolment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AlarmView {
    /// What it is about.
    pub kind: AlarmKind,
    /// How often.
    pub count: u64,
    /// First time.
    pub first_at: Timestamp,
    /// Last time.
    pub last_at: Timestamp,
    /// The row of the last time.
    pub seq: Seq,
}

/// What the hub made of an upload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IngestOutcome {
    /// The newest row that the hub has.
    pub acked: ChainHead,
    /// The newest row that a completed backup has.
    pub backed_up: Seq,
    /// How the enrolment stands.
    pub standing: Standing,
    /// Rows that were new and fit the chain.
    pub new_rows: u32,
    /// Rows that were there already.
    pub known_rows: u32,
    /// Rows that do not fit the chain, kept as evidence.
    pub disputed_rows: u32,
    /// Cents settled.
    pub settled: Cents,
    /// Cents over the right.
    pub over_right: Cents,
    /// What was raised, once each.
    pub alarms: Vec<AlarmKind>,
}

/// One thing that a terminal takes, not signed yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Deliverable {
    /// A certificate as the root signed it.
    KeyCert(Signed<KeyCert>),
    /// A card's binding.
    Binding(Binding),
    /// The whole hot list.
    HotList(HotList),
    /// Limits.
    Policy(Policy),
    /// The shop's grid.
    Grid(Grid),
    /// The terminal's configuration.
    TerminalConfig(TerminalConfig),
    /// A balance of the terminal's scope.
    Balance(SignedBalance),
    /// Money of a slice is asked back.
    Recall(Recall),
    /// The key by which the terminal's shop speaks with a card, still to be made.
    SlotKey(SlotKeyOrder),
    /// What became of a refund that the terminal asked for.
    Refund(RefundDecision),
}

/// What a terminal takes at one sync.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct News {
    /// In the order in which they changed.
    pub items: Vec<Deliverable>,
    /// Where the next request asks from.
    pub cursor: u64,
    /// True where more waits.
    pub more: bool,
}

/// How much of the news goes into one answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NewsLimits {
    /// Objects.
    pub objects_max: usize,
    /// Bytes, envelopes included, by what an object takes at the most.
    pub bytes_max: usize,
}

/// A terminal called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contact {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its enrolment.
    pub epoch: Epoch,
    /// What it tells of itself.
    pub status: TerminalStatus,
    /// Up to where it has the news.
    pub cursor: u64,
}

/// Numbers for `/metrics`, each cheap to read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StoreFigures {
    /// Transfers booked.
    pub transfers: u64,
    /// Terminals whose newest enrolment is live.
    pub terminals_live: u64,
    /// Terminals whose newest enrolment is quarantined.
    pub terminals_quarantined: u64,
    /// Rows with an over-right part.
    pub over_right_rows: u64,
    /// Their over-right cents.
    pub over_right_cents: Cents,
    /// Disputed rows.
    pub disputed_rows: u64,
    /// Bytes of the database file.
    pub file_bytes: u64,
}

/// A backup that was completed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BackupReport {
    /// Its size.
    pub bytes: u64,
    /// Terminal epochs whose mark was raised by it.
    pub epochs_marked: u64,
}

/// What may be done with a card at a reader.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CardVerb {
    /// A blank card becomes a purse, or an identity.
    Issue,
    /// It becomes blank again.
    Retire,
    /// It gets the newest balance, and its slots the newest keys.
    Renew,
}

/// What a dialogue with a card needs to know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CardPlan {
    /// What the card is: a purse, or an identity.
    pub tier: Tier,
    /// The newest balance; none before the first load.
    pub balance: Option<SignedBalance>,
    /// Slot and version of each key that a card is to have.
    pub due: Vec<(u8, u8)>,
    /// True where it was issued before: where it is blank now, what it counted is gone, and it may not begin at zero again.
    pub was_issued: bool,
}

/// A slot's key of a card that a terminal is to have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SlotKeyOrder {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its enrolment.
    pub epoch: Epoch,
    /// The card.
    pub card: CardRef,
    /// What the card is: a purse, or an identity.
    pub tier: Tier,
    /// Its UID, sealed.
    pub uid_sealed: Vec<u8>,
    /// The number of the key on the card.
    pub slot: u8,
    /// The key's version.
    pub version: u8,
    /// The version that the card has: older ones open it no more.
    pub oldest: u8,
}

/// What is wrong with the counter of an identity card's tap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TapFault {
    /// It stands in another row too.
    Repeats,
    /// It is lower than one before in the same journal.
    Fell,
    /// None was told.
    Untold,
}

impl TapFault {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Repeats => "repeats",
            Self::Fell => "fell",
            Self::Untold => "untold",
        }
    }
}

/// A sale whose card's counter says that there is a copy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CopiedTap {
    /// The number printed on the card; nothing where the hub does not know it.
    pub card_number: Option<u32>,
    /// The terminal.
    pub terminal: TerminalId,
    /// Its enrolment.
    pub epoch: Epoch,
    /// The row.
    pub seq: Seq,
    /// What the card counted; nothing where none was told.
    pub counter: Option<u32>,
    /// What the fund paid or was to pay.
    pub cents: Cents,
    /// What is wrong.
    pub why: TapFault,
    /// When the hub had the row.
    pub received_at: Timestamp,
    /// Terminal and row where the same counter stands too.
    pub other: Option<(TerminalId, Seq)>,
}

/// What makes waiting terminals look again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wake {
    /// Something for every terminal.
    All,
    /// Something for one terminal.
    Terminal(TerminalId),
    /// Money of a household came back that a sale waits for.
    Freed(PurseRef),
}

/// A card by its number or its reference.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CardName {
    /// The number printed on it.
    Number(u32),
    /// Its reference.
    Ref(CardRef),
}
