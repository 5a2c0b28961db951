//! What terminals call: `POST /v1/…`, one file a call. Form and signatures are checked here; what follows from a
//! request is the store's affair.

pub mod about;
pub mod card_session;
pub mod direct;
pub mod enrol;
pub mod extend;
pub mod message;
pub mod sync;
pub mod terminal;
pub mod waiting;
