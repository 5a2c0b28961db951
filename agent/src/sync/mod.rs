//! The way to the hub: rows go up from where it acknowledged, objects come down, and what is not signed was never said.

mod verify;

pub use verify::{ObjectError, verify_object};
