//! Concert E and E+ (version 2): tills that drive a bank terminal over a serial line, over USB as one, or over a TCP
//! connection that carries the same bytes. The protocol has no security of its own, and one of its two moments of answer
//! (`A011`, at once) never tells the till how it ended: then the terminal's own screen is the only one that says it.

pub mod line;
pub mod message;
pub mod server;
pub mod session;
