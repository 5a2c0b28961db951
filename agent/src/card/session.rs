//! One card in one PC/SC reader, held in exclusive mode for as long as a dialogue lasts.

use super::purse::{CardLink, Connect, PurseCard, Spoken, Wire};
use super::{Answer, Card, CardError, ForeignCard};
use cabas_card::LinkLost;
use pcsc::{Context, Disposition, Error, Protocols, Scope, ShareMode};
use std::ffi::{CStr, CString};
use tracing::info;
use zeroize::Zeroizing;

/// A short answer: 256 bytes and the status (ISO 7816-4).
const ANSWER_BYTES_MAX: usize = 258;

/// A connected card. Whatever way it is dropped, the card is left as it is: a reset of a card that has gone would
/// stall the PC/SC service for seconds.
pub(super) struct Session {
    card: Option<pcsc::Card>,
}

/// Why there is no session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NoSession {
    /// For this card.
    Card(ForeignCard),
    /// The PC/SC service is gone.
    Service,
}

impl Session {
    /// Connects to what is in the reader.
    pub(super) fn connect(context: &Context, reader: &CStr) -> Result<Self, NoSession> {
        match context.connect(reader, ShareMode::Exclusive, Protocols::ANY) {
            Ok(card) => Ok(Self { card: Some(card) }),
            Err(error) => Err(no_session(error)),
        }
    }
}

impl Card for Session {
    fn transmit(&mut self, apdu: &[u8]) -> Result<Answer, CardError> {
        let card = self.card.as_ref().ok_or(CardError::LinkLost)?;
        let mut buffer = Zeroizing::new([0; ANSWER_BYTES_MAX]);
        match card.transmit(apdu, buffer.as_mut_slice()) {
            Ok(answer) => Answer::parse(answer),
            Err(Error::InsufficientBuffer) => Err(CardError::Foreign),
            // What went wrong between the reader and the card is not for us to tell apart: the outcome is unknown.
            Err(_) => Err(CardError::LinkLost),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(card) = self.card.take()
            && let Err((card, _)) = card.disconnect(Disposition::LeaveCard)
        {
            // The service does not know the handle any more, so the reset that this drop asks for reaches no card.
            drop(card);
        }
    }
}

/// A card on a reader. Who speaks with it has a context of its own: the PC/SC library lets nothing else through while this
/// thread waits for changes in its own.
pub(super) struct OnReader {
    reader: CString,
}

impl OnReader {
    /// The way to it, for the one who wants to speak with it.
    pub(super) fn link(reader: &CStr) -> CardLink {
        CardLink::new(Self { reader: reader.to_owned() })
    }
}

impl Connect for OnReader {
    fn connect(&self) -> Result<Box<dyn PurseCard>, LinkLost> {
        let context = Context::establish(Scope::User).map_err(|error| {
            info!(%error, "no PC/SC service");
            LinkLost
        })?;
        let session = Session::connect(&context, &self.reader).map_err(|_| LinkLost)?;
        Ok(Box::new(Spoken(Wire(session))))
    }
}

/// What a failed connection says about the card.
#[expect(clippy::wildcard_enum_match_arm, reason = "PC/SC has some sixty errors; all others mean a broken service")]
fn no_session(error: Error) -> NoSession {
    match error {
        Error::NoSmartcard | Error::RemovedCard | Error::ReaderUnavailable | Error::UnknownReader => {
            NoSession::Card(ForeignCard::Left)
        }
        Error::SharingViolation => NoSession::Card(ForeignCard::InUse),
        Error::UnresponsiveCard
        | Error::UnpoweredCard
        | Error::UnsupportedCard
        | Error::CardUnsupported
        | Error::ProtoMismatch
        | Error::NotTransacted
        | Error::CommError
        | Error::Timeout
        | Error::InvalidAtr => NoSession::Card(ForeignCard::Mute),
        _ => NoSession::Service,
    }
}
