//! EV2 secure messaging, the card's side, as MIFARE DESFire EV2 and NTAG 424 DNA share it.
//!
//! Written from the published application notes (AN12343, AN12196) and checked against their vectors and against the
//! crate `ntag424`. It must never share code with a host of ours: two sides with one mistake would agree.

pub(crate) mod apdu;
pub(crate) mod crypto;
pub(crate) mod fields;
pub(crate) mod handshake;
pub(crate) mod messaging;
pub(crate) mod native;
pub(crate) mod pending;
pub(crate) mod random;
pub(crate) mod status;
#[cfg(test)]
pub(crate) mod test_host;
#[cfg(test)]
pub(crate) mod vectors;
