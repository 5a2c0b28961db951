//! Objects of the hub: the signature first, by a key that the root certified.

use crate::journal::HubObject;
use cabas_protocol::head::ObjectType;
use cabas_protocol::keys::HubKeys;
use cabas_protocol::sign::{Payload, SignError, peek_type};
use cabas_protocol::{Signed, Verified};

/// Why an object is not taken from the hub's answer.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It is not genuine.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// It is not of a type that a terminal of this version takes.
    #[error("an object of type {0:?} is not taken here")]
    NotTaken(ObjectType),
}

/// Checks one object. A certificate of a signing key counts for the objects after it.
///
/// # Errors
/// [`ObjectError`].
pub fn verify_object(keys: &mut HubKeys, bytes: &[u8]) -> Result<HubObject, ObjectError> {
    Ok(match peek_type(bytes)? {
        ObjectType::Balance => both(keys, bytes, HubObject::Balance)?,
        ObjectType::Binding => both(keys, bytes, |_, binding| HubObject::Binding(binding))?,
        ObjectType::HotList => both(keys, bytes, |_, list| HubObject::HotList(list))?,
        ObjectType::Policy => both(keys, bytes, HubObject::Policy)?,
        ObjectType::Grid => both(keys, bytes, HubObject::Grid)?,
        ObjectType::TerminalConfig => both(keys, bytes, HubObject::Config)?,
        ObjectType::Recall => both(keys, bytes, |_, recall| HubObject::Recall(recall))?,
        ObjectType::RefundDecision => both(keys, bytes, |_, decision| HubObject::Refund(decision))?,
        ObjectType::SlotKey => both(keys, bytes, |_, key| HubObject::SlotKey(key))?,
        ObjectType::KeyCert => {
            let cert = signed(bytes)?;
            let verified = keys.certify(&cert)?;
            HubObject::Cert(cert, verified)
        }
        other @ (ObjectType::Row
        | ObjectType::EnrolRequest
        | ObjectType::EnrolAnswer
        | ObjectType::SyncRequest
        | ObjectType::SyncAnswer
        | ObjectType::ExtendRequest
        | ObjectType::ExtendAnswer
        | ObjectType::CardSessionRequest
        | ObjectType::CardSessionAnswer
        | ObjectType::SettlementStatement
        | ObjectType::EReceipt
        | ObjectType::Release
        | ObjectType::AboutRequest
        | ObjectType::AboutAnswer
        | ObjectType::PieceRequest
        | ObjectType::PieceAnswer
        | ObjectType::Refusal) => return Err(ObjectError::NotTaken(other)),
    })
}

fn signed<T: Payload>(bytes: &[u8]) -> Result<Signed<T>, SignError> {
    Signed::from_bytes(bytes.to_vec()).map_err(SignError::from)
}

fn both<T: Payload>(
    keys: &HubKeys,
    bytes: &[u8],
    make: impl FnOnce(Signed<T>, Verified<T>) -> HubObject,
) -> Result<HubObject, SignError> {
    let signed = signed(bytes)?;
    let verified = keys.verify(&signed)?;
    Ok(make(signed, verified))
}
