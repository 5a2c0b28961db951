//! Caisse-AP over IP: tills connect by TCP, send one request and read one answer. The protocol has no security of its own:
//! whoever is let in can ask for a sale, and for money back for one that was made.

pub mod message;
pub mod server;
