//! Refusals: one total function from what went wrong to the number that the terminal gets.

use std::error::Error as _;

use cabas_protocol::RefusalCode;
use cabas_protocol::codec::CodecError;
use cabas_protocol::refusal::DETAIL_BYTES_MAX;
use cabas_protocol::sign::{SignError, WeakKey};
use cabas_protocol::sync::Standing;

use crate::core::ingest::PrepareError;
use crate::store::{EnrolRefusal, StoreError};

/// A request that is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// The number.
    pub code: RefusalCode,
    detail: String,
}

impl Refused {
    /// Refuses, and says why in English; what is said must name no person and no secret.
    #[must_use]
    pub fn new(code: RefusalCode, detail: &str) -> Self {
        let mut short = String::with_capacity(detail.len().min(DETAIL_BYTES_MAX));
        for character in detail.chars().map(|c| if c.is_control() { '?' } else { c }) {
            if short.len().saturating_add(character.len_utf8()) > DETAIL_BYTES_MAX {
                break;
            }
            short.push(character);
        }
        Self { code, detail: short }
    }

    /// Why: at most [`DETAIL_BYTES_MAX`] bytes without control characters.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<RefusalCode> for Refused {
    fn from(code: RefusalCode) -> Self {
        Self::new(code, code.text())
    }
}

impl From<CodecError> for Refused {
    fn from(error: CodecError) -> Self {
        let code = match &error {
            CodecError::TooLarge { .. } => RefusalCode::TooLarge,
            CodecError::UnknownCriticalField => RefusalCode::UnsupportedVersion,
            CodecError::Field(field) if is_weak_key(field) => RefusalCode::WeakKey,
            CodecError::Field(_)
            | CodecError::TrailingBytes(_)
            | CodecError::TooDeep(_)
            | CodecError::KeyOrder(_)
            | CodecError::ForeignItem(_)
            | CodecError::NotCanonical
            | CodecError::BadExtension(_)
            | CodecError::Limit(_) => RefusalCode::Malformed,
        };
        Self::new(code, &error.to_string())
    }
}

impl From<SignError> for Refused {
    fn from(error: SignError) -> Self {
        let code = match error {
            SignError::Form(form) => return form.into(),
            SignError::UnknownKey(_) | SignError::BadSignature => RefusalCode::BadSignature,
            SignError::WrongType { .. } | SignError::WrongCurrency(_) => RefusalCode::Malformed,
            SignError::UnknownVersion(_) => RefusalCode::UnsupportedVersion,
            SignError::WrongFund(_) => RefusalCode::WrongFund,
        };
        Self::new(code, &error.to_string())
    }
}

impl From<PrepareError> for Refused {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::NothingAuthentic(first) => Self::new(RefusalCode::BadSignature, &first.to_string()),
        }
    }
}

impl From<EnrolRefusal> for Refused {
    fn from(refusal: EnrolRefusal) -> Self {
        let code = match refusal {
            EnrolRefusal::WrongCode => RefusalCode::WrongCode,
            EnrolRefusal::CodeVoid => RefusalCode::CodeVoid,
            EnrolRefusal::CodeExpired => RefusalCode::CodeExpired,
        };
        code.into()
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Busy => RefusalCode::Busy,
            StoreError::UnknownTerminal(_) | StoreError::UnknownEpoch { .. } => RefusalCode::UnknownTerminal,
            StoreError::UnknownPurse | StoreError::UnknownCard => RefusalCode::NotFound,
            StoreError::Restoring(_) => RefusalCode::Restoring,
            StoreError::NotLive(Standing::Revoked) => RefusalCode::Revoked,
            StoreError::NotLive(Standing::Closed) => RefusalCode::EpochClosed,
            StoreError::NotLive(Standing::Quarantined) => RefusalCode::Quarantined,
            StoreError::Enrol(refusal) => return (*refusal).into(),
            StoreError::NotLive(Standing::Live)
            | StoreError::Sqlite(_)
            | StoreError::Io(_)
            | StoreError::Pragma { .. }
            | StoreError::Newer { .. }
            | StoreError::Foreign
            | StoreError::NoFund
            | StoreError::FundExists
            | StoreError::Damaged(_)
            | StoreError::Stopped
            | StoreError::NotCommitted(_)
            | StoreError::Money(_)
            | StoreError::Ledger(_)
            | StoreError::UnknownShop
            | StoreError::HotListFull
            | StoreError::NotGone(_)
            | StoreError::CardReleased
            | StoreError::Voted(_)
            | StoreError::Correction(_)
            | StoreError::Bank(_)
            | StoreError::Repayment(_)
            | StoreError::MoneyIn(_)
            | StoreError::Budget(_)
            | StoreError::User(_)
            | StoreError::CardSession(_)
            | StoreError::KeysBehind { .. }
            | StoreError::Closing(_)
            | StoreError::CardTaken { .. }
            | StoreError::PaymentsUnknown { .. }
            | StoreError::Rule(_)
            | StoreError::Text(_)
            | StoreError::Exhausted(_)
            | StoreError::BackupExists
            | StoreError::BadCopy(_)
            | StoreError::NoStatement { .. }
            | StoreError::Joining(_)
            | StoreError::Release(_)
            | StoreError::Goodwill(_)
            | StoreError::Erasure(_)
            | StoreError::Register(_)
            | StoreError::BadCert(_)
            | StoreError::LocatorTaken => {
                // What failed inside is for the log of the hub, not for the terminal.
                tracing::error!(%error, "the store failed");
                RefusalCode::Internal
            }
        };
        code.into()
    }
}

fn is_weak_key(error: &minicbor::decode::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<WeakKey>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use cabas_protocol::{CurrencyCode, FundId, KeyId, PublicKey};

    #[test]
    fn each_fault_has_its_number() {
        let form = |error| Refused::from(SignError::Form(error)).code;
        assert_eq!(form(CodecError::TooLarge { len: 2, max: 1 }), RefusalCode::TooLarge);
        assert_eq!(form(CodecError::UnknownCriticalField), RefusalCode::UnsupportedVersion);
        assert_eq!(form(CodecError::NotCanonical), RefusalCode::Malformed);
        let code = |error| Refused::from(error).code;
        assert_eq!(code(SignError::BadSignature), RefusalCode::BadSignature);
        assert_eq!(code(SignError::UnknownKey(KeyId::new([0; 8]))), RefusalCode::BadSignature);
        assert_eq!(code(SignError::UnknownVersion(2)), RefusalCode::UnsupportedVersion);
        assert_eq!(code(SignError::WrongFund(FundId::new(9))), RefusalCode::WrongFund);
        assert_eq!(code(SignError::WrongCurrency(CurrencyCode::new(756))), RefusalCode::Malformed);
    }

    #[test]
    fn a_weak_key_in_a_field_is_told_from_a_bad_field() {
        let weak = minicbor::to_vec(minicbor::bytes::ByteVec::from(vec![0; 32])).unwrap();
        let error = minicbor::decode::<PublicKey>(&weak).unwrap_err();
        assert_eq!(Refused::from(CodecError::from(error)).code, RefusalCode::WeakKey);
        let error = minicbor::decode::<PublicKey>(&[0x41, 0]).unwrap_err();
        assert_eq!(Refused::from(CodecError::from(error)).code, RefusalCode::Malformed);
    }

    #[test]
    fn a_detail_is_cut_at_a_character_and_harmless() {
        let refused = Refused::new(RefusalCode::Internal, &"é\u{1b}".repeat(200));
        assert!(refused.detail().len() <= DETAIL_BYTES_MAX);
        assert!(!refused.detail().chars().any(char::is_control));
    }
}
