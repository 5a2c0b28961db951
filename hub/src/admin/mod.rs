//! What people look at: the web site behind a login (`pages`), health and metrics for what watches the hub.

pub mod actions;
pub mod chart;
pub mod document;
pub mod evaluation;
pub mod fields;
pub mod figures;
pub mod frame;
pub mod guard;
pub mod health;
pub mod html;
pub mod labels;
pub mod overview;
pub mod pages;
pub mod places;
pub mod plot;
pub mod refusals;
mod route;
pub mod secret;
pub mod sent;
pub mod site;
pub mod tries;
pub mod visit;
pub mod watch;
pub mod words;
