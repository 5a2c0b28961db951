//! What a card waits for between two frames (0xAF, "additional frame").

use super::handshake::Handshake;
use std::collections::VecDeque;

/// The first frame of two, or the last of many.
#[derive(Clone, Debug, Default)]
pub(crate) enum Pending {
    /// Nothing: a command begins with the next frame.
    #[default]
    Nothing,
    /// The host's half of an authentication.
    Proof(Box<Handshake>),
    /// The rest of a command that comes in several frames.
    Command {
        /// Which.
        instruction: u8,
        /// What came so far.
        bytes: Vec<u8>,
    },
    /// That the host asks for the rest of an answer.
    Answer(VecDeque<Vec<u8>>),
}

/// Cuts an answer into frames.
pub(crate) fn frames(answer: &[u8], bytes_max: usize) -> VecDeque<Vec<u8>> {
    if answer.is_empty() {
        return VecDeque::from([Vec::new()]);
    }
    answer.chunks(bytes_max.max(1)).map(<[u8]>::to_vec).collect()
}
