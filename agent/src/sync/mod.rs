//! The way to the hub: rows go up from where it acknowledged, objects come down, and what is not signed was never said.

mod card;
mod client;
pub mod enrol;
mod link;
mod pause;
mod run;
pub mod verify;

pub use card::{CardSessionError, relay};
pub use client::{CallError, ClientError, HubClient, Reach, read_answer};
pub use link::{Checked, HubLink, SyncError, Synced, standing_of, sync_request, verified_balance};
pub use pause::Pause;
pub use run::{Network, NetworkState, Timing, run};
pub use verify::{ObjectError, verify_object};

#[cfg(test)]
mod tests;
