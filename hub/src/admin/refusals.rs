//! The words of what is refused, for those who can do something about it. One arm a subject.

use crate::store::{CardSessionRefusal, ErasureRefusal, RegisterRefusal, StoreError, UserRefusal};

/// The name of the text; none where the store failed.
#[must_use]
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not named here is no refusal, but a failure of the store")]
pub const fn refusal(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::Text(_) => Some("refusal-name"),
        StoreError::User(refusal) => Some(user(refusal)),
        StoreError::Register(refusal) => Some(register(refusal)),
        StoreError::Erasure(ErasureRefusal::NotLeft) => Some("refusal-not-left"),
        StoreError::Erasure(ErasureRefusal::Erased) => Some("refusal-erased"),
        StoreError::CardTaken { .. } => Some("refusal-card-taken"),
        StoreError::CardReleased => Some("refusal-card-released"),
        StoreError::HotListFull => Some("refusal-hot-list-full"),
        StoreError::CardSession(CardSessionRefusal::NoHousehold) => Some("wrong-not-found"),
        _ => None,
    }
}

const fn user(refusal: &UserRefusal) -> &'static str {
    match refusal {
        UserRefusal::Unknown | UserRefusal::UnknownToken => "wrong-not-found",
        UserRefusal::Taken | UserRefusal::TokenTaken => "refusal-taken",
        UserRefusal::ShopAndRole => "refusal-shop-and-role",
        UserRefusal::NotAnotherAdmin => "refusal-not-another-admin",
        UserRefusal::LastAdmin => "refusal-last-admin",
        UserRefusal::Disabled => "refusal-disabled",
        UserRefusal::TooMany => "refusal-too-many",
    }
}

const fn register(refusal: &RegisterRefusal) -> &'static str {
    match refusal {
        RegisterRefusal::Taken => "refusal-household-taken",
        RegisterRefusal::Code => "refusal-household-code",
        RegisterRefusal::Contribution => "refusal-contribution",
        RegisterRefusal::NoMember => "wrong-not-found",
        RegisterRefusal::MemberKnown => "refusal-member-known",
        RegisterRefusal::TooManyMembers => "refusal-too-many-members",
        RegisterRefusal::UploadEnded => "refusal-upload-ended",
        RegisterRefusal::UploadChanged => "refusal-upload-changed",
        RegisterRefusal::TooManyUploads => "refusal-too-many-uploads",
    }
}
