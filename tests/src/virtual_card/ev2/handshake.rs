//! AuthenticateEV2First and AuthenticateEV2NonFirst, the card's side.

use super::crypto::{BLOCK, Key, decrypt, encrypt};
use super::messaging::Session;
use super::status::Status;

/// What a card can do: nothing beyond EV2.
const CARD_CAPABILITIES: [u8; 6] = [0; 6];

/// Half an authentication: the card has sent its challenge.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    pub(crate) key_no: u8,
    pub(crate) key: Key,
    pub(crate) rnd_b: [u8; 16],
    pub(crate) kind: Kind,
}

/// Which of the two.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// It starts a dialogue under this identifier.
    First { identifier: [u8; 4], host_capabilities: [u8; 6] },
    /// It goes on with a dialogue, under another key.
    NonFirst { identifier: [u8; 4], commands: u16 },
}

impl Handshake {
    pub(crate) fn challenge(&self) -> Vec<u8> {
        encrypt(&self.key, [0; 16], &self.rnd_b)
    }

    /// Checks the host's answer. Gives the session, and the card's proof.
    pub(crate) fn finish(&self, answer: &[u8]) -> Result<(Session, Vec<u8>), Status> {
        let answer: &[u8; 2 * BLOCK] = answer.try_into().map_err(|_| Status::LENGTH)?;
        let answer = decrypt(&self.key, [0; 16], answer);
        let (rnd_a, rotated_b) = answer.split_first_chunk().ok_or(Status::LENGTH)?;
        if rotated_b != rotated(self.rnd_b) {
            return Err(Status::AUTHENTICATION);
        }
        let rotated_a = rotated(*rnd_a);
        let (dialogue, proof) = match &self.kind {
            Kind::First { identifier, host_capabilities } => {
                let proof = [identifier, rotated_a.as_slice(), &CARD_CAPABILITIES, host_capabilities].concat();
                ((*identifier, 0), proof)
            }
            Kind::NonFirst { identifier, commands } => ((*identifier, *commands), rotated_a.to_vec()),
        };
        let session = Session::derive(self.key_no, &self.key, (rnd_a, &self.rnd_b), dialogue);
        Ok((session, encrypt(&self.key, [0; 16], &proof)))
    }
}

fn rotated(mut random: [u8; 16]) -> [u8; 16] {
    random.rotate_left(1);
    random
}
