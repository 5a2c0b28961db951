//! What is wrong with a line of a file, in the visitor's language.

use crate::admin::visit::Visit;
use crate::admin::words::Lang;
use crate::import::Wrong;
use crate::store::ImportConflict;

/// A person is told in their language, a program in English.
pub(super) fn lang_of(visit: &Visit) -> Lang {
    if visit.is_program() { Lang::English } else { visit.lang }
}

/// What is wrong with a line by itself.
#[expect(clippy::wildcard_enum_match_arm, reason = "what has no words of its own is told in those of the program")]
pub(super) fn problem_told(visit: &Visit, wrong: &Wrong) -> String {
    let with = |text: &str, values: &[(&str, &str)]| visit.app.site.words.with(lang_of(visit), text, values);
    let plain = |text: &str| with(text, &[]);
    match wrong {
        Wrong::FileTooLarge => plain("import-file-too-large"),
        Wrong::TooManyRows => plain("import-too-many-rows"),
        Wrong::NoRows => plain("import-no-rows"),
        Wrong::UnknownHeader => plain("import-unknown-header"),
        Wrong::Contributions => plain("import-contributions"),
        Wrong::NotCsv => plain("import-not-csv"),
        Wrong::FieldCount { found, expected } => {
            with("import-field-count", &[("found", &found.to_string()), ("expected", &expected.to_string())])
        }
        Wrong::NotUtf8(_) => plain("import-not-utf8"),
        Wrong::FieldText(_) => plain("import-field-text"),
        Wrong::Code(_) => plain("import-code"),
        Wrong::Name(_) => plain("import-name"),
        Wrong::Number { min, max, .. } => {
            with("import-number", &[("min", &min.to_string()), ("max", &max.to_string())])
        }
        Wrong::Cents(_) => plain("import-cents"),
        Wrong::OnlyChildren { .. } => plain("import-only-children"),
        Wrong::ContributionTooLow { least, .. } => with("import-contribution-low", &[("least", &least.to_string())]),
        Wrong::Uid(_) => plain("import-uid"),
        Wrong::RandomUid => plain("import-random-uid"),
        Wrong::NotUniqueUid => plain("import-not-unique-uid"),
        Wrong::CascadeTag => plain("import-cascade-tag"),
        Wrong::Twice { line, .. } => with("import-twice", &[("line", &line.to_string())]),
        Wrong::NotSealed => plain("import-not-sealed"),
        Wrong::SharesOver1000(_) => plain("import-shares"),
        other => other.to_string(),
    }
}

/// What is wrong with a line as the fund stands, and in which column.
pub(super) fn conflict_told(visit: &Visit, conflict: &ImportConflict) -> (Option<&'static str>, String) {
    let with = |text: &str, values: &[(&str, &str)]| visit.app.site.words.with(lang_of(visit), text, values);
    match conflict {
        ImportConflict::NoSuchHousehold { household, .. } | ImportConflict::MemberOfNoHousehold { household } => {
            (Some("household"), with("import-no-household", &[("household", household)]))
        }
        ImportConflict::Erased { household } => (Some("household"), with("import-erased", &[("household", household)])),
        ImportConflict::ShopIsJoining { shop } => (Some("shop"), with("import-shop-joining", &[("shop", shop)])),
        ImportConflict::CardOfAnotherHousehold { number, .. } => {
            (Some("household"), with("import-card-of-another", &[("number", &number.to_string())]))
        }
        ImportConflict::NumberTaken { number } => {
            (Some("card_number"), with("import-number-taken", &[("number", &number.to_string())]))
        }
        ImportConflict::CardTaken { known, .. } => {
            (Some("uid_hex"), with("import-card-taken", &[("known", &known.to_string())]))
        }
        ImportConflict::OtherTier { number } => {
            (Some("card_number"), with("import-other-tier", &[("number", &number.to_string())]))
        }
    }
}
