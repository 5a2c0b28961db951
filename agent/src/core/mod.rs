//! What the agent decides: values in, values out; no clock, no socket, no SQL.

pub mod receipt;
