//! What people type, paste and write into addresses.

use cabas_agent::card::{Uid, UidClass};
use cabas_agent::core::{amount, cashier};
use cabas_hub::admin::fields;
use cabas_hub::bank;
use cabas_hub::core::period::Period;
use cabas_hub::import::card_uid;
use cabas_protocol::e_receipt::{of_text, to_text};
use cabas_protocol::enrol::Code;
use cabas_protocol::{Cents, Hash, PurseRef};

/// Any text, as everything that is typed.
pub(super) fn words(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    amounts(text);
    days(text);
    cards(text);
    if let Ok(code) = Code::parse(text) {
        let read = Code::parse(&code.reveal());
        assert!(read.is_ok_and(|read| read == code), "a code that is not read back");
    }
    if let Ok(receipt) = of_text(text) {
        assert!(of_text(&to_text(&receipt)).is_ok_and(|read| read == receipt), "a receipt that is not read back");
    }
    if let Some(label) = cashier::label(text) {
        assert!(label.chars().count() <= cashier::LABEL_CHARS_MAX && !label.chars().any(char::is_control));
    }
    if let Some(code) = cashier::Code::new(text) {
        assert_eq!(code.digits(), text);
    }
    if let Some(hash) = Hash::from_hex(text) {
        assert!(hash.to_string().eq_ignore_ascii_case(text));
    }
    _ = PurseRef::from_hex(text);
    let masked = bank::masked(text);
    assert!(masked.chars().count() <= 9, "{masked} tells too much");
    assert!(fields::segment(text).bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.%".contains(&byte)));
}

fn amounts(text: &str) {
    let max = Cents::new(Cents::MAX).unwrap_or(Cents::ZERO);
    if let Ok(cents) = amount::parse(text, max) {
        assert!(cents > Cents::ZERO && cents <= max);
        let shown = cents.to_string();
        assert_eq!(amount::parse(&shown, max), Ok(cents), "{shown} is another amount");
        assert_eq!(fields::cents(text), Some(cents), "the two programs read {text:?} differently");
    }
    if let Some(cents) = fields::cents(text) {
        let typed = fields::typed(cents.get());
        assert_eq!(fields::cents(&typed), Some(cents), "{typed} is another amount");
    }
}

fn days(text: &str) {
    if let Some(days) = fields::day(text) {
        assert_eq!(fields::day(&fields::day_text(days)), Some(days), "{text:?} is another day");
    }
    if let Some(days) = bank::day_of(text) {
        assert_eq!(bank::day_of(&bank::day(days)), Some(days), "{text:?} is another day");
        assert_eq!(fields::day(text), Some(days), "two readings of {text:?}");
    }
    if let Ok(period) = text.parse::<Period>() {
        assert_eq!(period.to_string(), text, "one month, two texts");
        assert_eq!(Period::of(period.start()), Some(period), "{text} begins in another month");
    }
}

/// A card that the hub takes into its register is one that a terminal takes at the counter.
fn cards(text: &str) {
    let Ok(bytes) = card_uid("uid_hex", text) else { return };
    let class = Uid::new(&bytes).map(|uid| uid.class());
    assert_eq!(class, Ok(UidClass::Unique), "registered, and never to be used");
}
