//! What a Cabas terminal and its hub sign and send.
//!
//! Pure: no clock, no socket, no SQL, no async. `wire.md` beside this folder describes every message byte by byte;
//! `testdata/` holds the golden vectors that a second implementation checks too.

pub mod balance;
pub mod card_session;
pub mod cents;
pub mod chain;
pub mod codec;
pub mod e_receipt;
pub mod enrol;
pub mod extend;
pub mod head;
pub mod hot_list;
pub mod ids;
pub mod keys;
pub mod objects;
pub mod refusal;
pub mod release;
pub mod row;
pub mod second;
pub mod sign;
pub mod stamp;
pub mod statement;
pub mod sync;

pub use balance::{Scope, SignedBalance};
pub use cents::{Cents, MoneyError};
pub use chain::ChainHead;
pub use head::{Head, ObjectType};
pub use ids::{
    CardRef, CategoryId, CurrencyCode, Epoch, FundId, Hash, Incarnation, KeyId, PolicyId, PurseRef, RequestId, Seq,
    Serial, Stan, TerminalId, TimeEpoch, Timestamp, Version,
};
pub use refusal::RefusalCode;
pub use row::{Row, RowBody};
pub use sign::{PublicKey, Signed, Signer, Verified};
