//! What stands in for plastic and paper, and the world of an end-to-end test: real programs, real pcscd, real sockets.

pub mod browser;
pub mod ports;
pub mod program;
pub mod terminal;
