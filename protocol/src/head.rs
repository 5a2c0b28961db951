//! What stands first in every signed object: what it is, whose it is, and of which life of the hub.

use crate::ids::{CurrencyCode, FundId, Incarnation, TimeEpoch};

/// The type tag of a signed object. A number is never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum ObjectType {
    /// [`crate::SignedBalance`]
    #[n(1)]
    Balance,
    /// [`crate::objects::Binding`]
    #[n(2)]
    Binding,
    /// [`crate::hot_list::HotList`]
    #[n(3)]
    HotList,
    /// [`crate::objects::Policy`]
    #[n(4)]
    Policy,
    /// [`crate::objects::Grid`]
    #[n(5)]
    Grid,
    /// [`crate::objects::TerminalConfig`]
    #[n(6)]
    TerminalConfig,
    /// [`crate::keys::KeyCert`]
    #[n(7)]
    KeyCert,
    /// [`crate::Row`]
    #[n(8)]
    Row,
    /// [`crate::enrol::EnrolRequest`]
    #[n(9)]
    EnrolRequest,
    /// [`crate::enrol::EnrolAnswer`]
    #[n(10)]
    EnrolAnswer,
    /// [`crate::sync::SyncRequest`]
    #[n(11)]
    SyncRequest,
    /// [`crate::sync::SyncAnswer`]
    #[n(12)]
    SyncAnswer,
    /// [`crate::extend::ExtendRequest`]
    #[n(13)]
    ExtendRequest,
    /// [`crate::extend::ExtendAnswer`]
    #[n(14)]
    ExtendAnswer,
    /// [`crate::card_session::CardSessionRequest`]
    #[n(15)]
    CardSessionRequest,
    /// [`crate::card_session::CardSessionAnswer`]
    #[n(16)]
    CardSessionAnswer,
    /// [`crate::sync::Recall`]
    #[n(17)]
    Recall,
    /// [`crate::refusal::Refusal`]
    #[n(18)]
    Refusal,
    /// [`crate::sync::RefundDecision`]
    #[n(19)]
    RefundDecision,
    /// [`crate::keys::SlotKey`]
    #[n(20)]
    SlotKey,
    /// [`crate::statement::SettlementStatement`]
    #[n(21)]
    SettlementStatement,
    /// [`crate::e_receipt::EReceipt`]
    #[n(22)]
    EReceipt,
    /// [`crate::release::Release`]
    #[n(23)]
    Release,
    /// [`crate::release::AboutRequest`]
    #[n(24)]
    AboutRequest,
    /// [`crate::release::AboutAnswer`]
    #[n(25)]
    AboutAnswer,
    /// [`crate::release::PieceRequest`]
    #[n(26)]
    PieceRequest,
    /// [`crate::release::PieceAnswer`]
    #[n(27)]
    PieceAnswer,
}

/// The first field of every signed object.
#[derive(Clone, Copy, Debug, Eq, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct Head {
    /// What the object is.
    #[n(0)]
    pub object_type: ObjectType,
    /// The version of its form; [`Head::VERSION`] is the one written here.
    #[n(1)]
    pub version: u8,
    /// Whose it is.
    #[n(2)]
    pub fund: FundId,
    /// What its amounts are in.
    #[n(3)]
    pub currency: CurrencyCode,
    /// The hub's life as the signer knows it.
    #[n(4)]
    pub incarnation: Incarnation,
    /// The run of hub time as the signer knows it.
    #[n(5)]
    pub time_epoch: TimeEpoch,
}

impl Head {
    /// The form version written and understood.
    pub const VERSION: u8 = 1;
}

/// What a signer knows of the fund when it makes a head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeadContext {
    /// The fund.
    pub fund: FundId,
    /// The hub's life.
    pub incarnation: Incarnation,
    /// The run of hub time.
    pub time_epoch: TimeEpoch,
}

impl HeadContext {
    /// The head of an object of this fund, in euros.
    #[must_use]
    pub const fn head(self, object_type: ObjectType) -> Head {
        Head {
            object_type,
            version: Head::VERSION,
            fund: self.fund,
            currency: CurrencyCode::EUR,
            incarnation: self.incarnation,
            time_epoch: self.time_epoch,
        }
    }
}
