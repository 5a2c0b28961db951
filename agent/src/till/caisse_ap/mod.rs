//! Caisse-AP over IP: tills connect by TCP, send one request and read one answer. The protocol has no security of its own.

pub mod message;
