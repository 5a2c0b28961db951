//! Pages for the fund's admin and for what watches the hub. What tells of the fund is served to this machine alone.

pub mod guard;
pub mod health;
pub mod html;
pub mod overview;
pub mod status;
