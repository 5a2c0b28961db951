//! Native commands in their ISO wrapper: from an APDU to a frame, from frames to a command, and back.

use super::apdu::{self, Apdu};
use super::crypto::Key;
use super::fields::Fields;
use super::handshake::{Handshake, Kind};
use super::messaging::Session;
use super::pending::Pending;
use super::random::Random;
use super::status::Status;
use std::collections::VecDeque;

/// What goes back: whether more is to come, and data.
pub(crate) type Frame = Result<(Status, Vec<u8>), Status>;

/// What a dialogue needs; it does not outlive the power.
#[derive(Clone, Default)]
pub(crate) struct Dialogue {
    pub(crate) session: Option<Session>,
    pub(crate) pending: Pending,
}

/// A chip that speaks them.
pub(crate) trait Native {
    fn dialogue(&mut self) -> &mut Dialogue;
    fn random(&mut self) -> &mut Random;
    /// Nobody is authenticated after this, and nothing is half done.
    fn end_session(&mut self);
    /// Selects what has this name (ISO SELECT).
    fn select_name(&mut self, name: &[u8]) -> bool;
    /// A key of what is selected.
    fn key(&self, number: u8) -> Option<Key>;
    /// Runs a command, or waits for the rest of it.
    fn command(&mut self, instruction: u8, bytes: Vec<u8>) -> Frame;

    /// Answers an APDU. Every error ends the session, and what is half done.
    fn answer_apdu(&mut self, bytes: &[u8]) -> Vec<u8> {
        let refusal = match Apdu::parse(bytes) {
            None => apdu::WRONG_LENGTH,
            Some(apdu) => match (apdu.class, apdu.instruction, apdu.parameters) {
                (apdu::NATIVE, instruction, [0, 0]) => match self.frame(instruction, apdu.data) {
                    Ok((status, data)) => return status.after(&data),
                    Err(status) => status.bytes(),
                },
                (apdu::NATIVE, ..) => apdu::WRONG_PARAMETERS,
                (apdu::ISO, apdu::SELECT, [4, _]) if self.select_name(apdu.data) => return apdu::DONE.to_vec(),
                (apdu::ISO, apdu::SELECT, _) => apdu::NOT_FOUND,
                (apdu::ISO, ..) => apdu::WRONG_INSTRUCTION,
                _ => apdu::WRONG_CLASS,
            },
        };
        self.end_session();
        refusal.to_vec()
    }

    fn frame(&mut self, instruction: u8, data: &[u8]) -> Frame {
        let more = instruction == 0xaf;
        match std::mem::take(&mut self.dialogue().pending) {
            Pending::Nothing if more => Err(Status::ILLEGAL_COMMAND),
            Pending::Nothing if instruction == 0x71 => self.first(data),
            Pending::Nothing if instruction == 0x77 => self.non_first(data),
            Pending::Nothing => self.command(instruction, data.to_vec()),
            Pending::Proof(handshake) if more => {
                let (session, proof) = handshake.finish(data)?;
                self.dialogue().session = Some(session);
                Ok((Status::OK, proof))
            }
            Pending::Command { instruction, bytes } if more => self.command(instruction, [&bytes, data].concat()),
            Pending::Answer(rest) if more && data.is_empty() => Ok(self.send(rest)),
            Pending::Proof(_) | Pending::Command { .. } | Pending::Answer(_) => Err(Status::ABORTED),
        }
    }

    /// Sends the next of these frames.
    fn send(&mut self, mut rest: VecDeque<Vec<u8>>) -> (Status, Vec<u8>) {
        let next = rest.pop_front().unwrap_or_default();
        if rest.is_empty() {
            return (Status::OK, next);
        }
        self.dialogue().pending = Pending::Answer(rest);
        (Status::MORE, next)
    }

    /// AuthenticateEV2First: whatever was before is over.
    fn first(&mut self, data: &[u8]) -> Frame {
        self.end_session();
        let mut fields = Fields(data);
        let (key_no, length) = (fields.byte()?, fields.byte()?);
        let capabilities = fields.rest();
        if capabilities.len() != usize::from(length) || capabilities.len() > 6 {
            return Err(Status::LENGTH);
        }
        let mut host_capabilities = [0; 6];
        host_capabilities.iter_mut().zip(capabilities).for_each(|(to, from)| *to = *from);
        let identifier = self.random().word();
        self.challenge(key_no, Kind::First { identifier, host_capabilities })
    }

    /// AuthenticateEV2NonFirst: another key within the same dialogue.
    fn non_first(&mut self, data: &[u8]) -> Frame {
        let mut fields = Fields(data);
        let key_no = fields.byte()?;
        fields.end()?;
        let session = self.dialogue().session.as_ref().ok_or(Status::PERMISSION_DENIED)?;
        let kind = Kind::NonFirst { identifier: session.identifier, commands: session.commands };
        self.challenge(key_no, kind)
    }

    fn challenge(&mut self, key_no: u8, kind: Kind) -> Frame {
        let key = self.key(key_no).ok_or(Status::NO_SUCH_KEY)?;
        let handshake = Handshake { key_no, key, rnd_b: self.random().block(), kind };
        let challenge = handshake.challenge();
        self.dialogue().pending = Pending::Proof(Box::new(handshake));
        Ok((Status::MORE, challenge))
    }
}
