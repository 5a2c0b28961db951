//! How Cabas speaks with a card that has keys: MIFARE DESFire EV2/EV3 (tier T1), NTAG 424 DNA (tier T2). Pure: APDUs go
//! out through [`Exchange`], answers come back; no reader, no clock, no disk.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `exchange` | one APDU there and back, and what can go wrong |
//! | `crypto` | keys, CMAC, CBC, diversification (AN10922) |
//! | `session` | AuthenticateEV2First and EV2 secure messaging |
//! | `layout` | the application, its files, the record (card.md) |
//! | `commands` | each command that is used |
//! | `purse` | a purchase: open, read, debit, and the balance after it |
//! | `issue` | the hub's part: application, files, keys, and their renewal |
//! | `selftest` | all of it with a blank card, and what a real one does otherwise |
//! | `identity` | a card that proves who it is and counts its taps: prove, issue, re-key |
//! | `tmac` | the transaction MAC, as the card computes it |

pub mod commands;
pub mod crypto;
pub mod exchange;
pub mod identity;
pub mod issue;
pub mod layout;
pub mod purse;
pub mod selftest;
pub mod session;
pub mod tmac;
#[cfg(test)]
mod vectors;

pub use crypto::Key;
pub use exchange::{Answer, CardError, Exchange, LinkLost};
pub use session::{Comm, Session};
