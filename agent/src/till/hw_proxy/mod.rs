//! hw_proxy: a point of sale in a browser asks the terminal by JSON over HTTP, as it asks Odoo's own box of devices. The door
//! is one of its own: pages of other origins than the configured ones are refused, whatever the page on this machine allows.

pub mod message;
pub mod server;
mod table;
