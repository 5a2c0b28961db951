//! What the agent decides: values in, values out; no clock, no socket, no SQL.

pub mod ages;
pub mod amount;
pub mod authorize;
pub mod cashier;
pub mod closing;
pub mod doctor;
pub mod objects;
pub mod part;
pub mod purse;
pub mod recall;
pub mod receipt;
pub mod sale;
pub mod split;
pub mod statement;
pub mod undo;
