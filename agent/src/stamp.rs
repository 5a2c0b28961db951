//! What this program says of itself: read from its own bytes, where who signs a release reads it too.

use cabas_protocol::stamp::{STAMP_BYTES, Stamp, made};

#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
macro_rules! target {
    () => {
        "x86_64-linux-gnu"
    };
}
#[cfg(all(target_arch = "aarch64", target_os = "linux", target_env = "gnu"))]
macro_rules! target {
    () => {
        "aarch64-linux-gnu"
    };
}
#[cfg(all(target_arch = "arm", target_os = "linux", target_env = "gnu"))]
macro_rules! target {
    () => {
        "arm-linux-gnueabihf"
    };
}
#[cfg(not(all(
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"),
    target_os = "linux",
    target_env = "gnu"
)))]
macro_rules! target {
    () => {
        "other"
    };
}

/// Version, machine, form of the journal, capabilities; a test holds the numbers against what they stand for.
#[used]
static STAMP: [u8; STAMP_BYTES] = made(concat!(env!("CARGO_PKG_VERSION"), " ", target!(), " 9 1,2,3"));

/// What this program says of itself. Read at run time: the bytes in the file count, not what the compiler saw.
#[must_use]
pub fn own() -> Option<Stamp<'static>> {
    Stamp::read(std::hint::black_box(&STAMP))
}

/// The version of this program.
#[must_use]
pub fn version() -> &'static str {
    own().map_or(env!("CARGO_PKG_VERSION"), |stamp| stamp.version_text)
}

/// The machines that this program runs on.
#[must_use]
pub fn target() -> &'static str {
    own().map_or("other", |stamp| stamp.target)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn the_stamp_says_what_the_program_is() {
        let stamp = own().unwrap();
        assert_eq!(stamp.version_text, env!("CARGO_PKG_VERSION"));
        assert_eq!(u32::from(stamp.journal_form), crate::journal::FORM);
        assert_eq!(stamp.capabilities, cabas_protocol::release::own_capabilities());
    }
}
