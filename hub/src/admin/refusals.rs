//! The words of what is refused, for those who can do something about it. One arm a subject.

use crate::store::{StoreError, UserRefusal};

/// The name of the text; none where the store failed.
#[must_use]
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not named here is no refusal, but a failure of the store")]
pub const fn refusal(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::Text(_) => Some("refusal-name"),
        StoreError::User(refusal) => Some(user(refusal)),
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
