//! The words for people, from `agent/locales`, in French and English.

use crate::core::receipt::{Language, ReceiptTexts};
use crate::printer::TestPageTexts;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use serde::Serialize;
use std::collections::BTreeMap;
use unic_langid::langid;

const FRENCH: &str = include_str!("../locales/fr.ftl");
const ENGLISH: &str = include_str!("../locales/en.ftl");
/// Messages that the pages show.
const PAGE_PREFIXES: [&str; 4] = ["page-", "sale-", "class-", "undo-done-"];

/// A text in both languages, as the local API gives it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Both {
    /// In French.
    pub message_fr: String,
    /// In English.
    pub message_en: String,
}

/// What a receipt is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReceiptKind {
    /// A sale.
    Sale,
    /// A sale that was undone.
    Reversal,
    /// A refund that was asked for.
    Refund,
}

/// All texts.
pub struct Texts {
    french: FluentBundle<FluentResource>,
    english: FluentBundle<FluentResource>,
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Texts")
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self { french: bundle(langid!("fr"), FRENCH), english: bundle(langid!("en"), ENGLISH) }
    }
}

/// What Fluent could make of a file; a test makes sure that it is all of it.
fn bundle(language: unic_langid::LanguageIdentifier, source: &str) -> FluentBundle<FluentResource> {
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    bundle.set_use_isolating(false);
    let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, _)| resource);
    bundle.add_resource_overriding(resource);
    bundle
}

impl Texts {
    /// A text; its own name where there is none.
    #[must_use]
    pub fn get(&self, language: Language, id: &str) -> String {
        self.with(language, id, &[])
    }

    /// A text with values.
    #[must_use]
    pub fn with(&self, language: Language, id: &str, values: &[(&str, &str)]) -> String {
        let bundle = match language {
            Language::French => &self.french,
            Language::English => &self.english,
        };
        let Some(pattern) = bundle.get_message(id).and_then(|message| message.value()) else { return id.to_owned() };
        let mut arguments = FluentArgs::new();
        for (name, value) in values {
            arguments.set(*name, *value);
        }
        bundle.format_pattern(pattern, Some(&arguments), &mut Vec::new()).into_owned()
    }

    /// A text in both languages.
    #[must_use]
    pub fn both(&self, id: &str) -> Both {
        Both { message_fr: self.get(Language::French, id), message_en: self.get(Language::English, id) }
    }

    /// The words of a receipt.
    #[must_use]
    pub fn receipt(&self, language: Language, kind: ReceiptKind) -> ReceiptTexts {
        let get = |id| self.get(language, id);
        ReceiptTexts {
            title: get(match kind {
                ReceiptKind::Sale => "receipt-title-sale",
                ReceiptKind::Reversal => "receipt-title-reversal",
                ReceiptKind::Refund => "receipt-title-refund",
            }),
            not_an_invoice: get("receipt-not-an-invoice"),
            terminal: get("receipt-terminal"),
            number: get("receipt-number"),
            till: get("receipt-till"),
            total: get("receipt-total"),
            fund_part: get("receipt-fund-part"),
            member_part: get("receipt-member-part"),
            duplicate: get("receipt-duplicate"),
            training: get("receipt-training"),
            not_proven: get("receipt-not-proven"),
            helpline: get("receipt-helpline"),
        }
    }

    /// The words of a test page.
    #[must_use]
    pub fn test_page(&self, language: Language) -> TestPageTexts {
        let get = |id| self.get(language, id);
        TestPageTexts { title: get("printer-test-title"), check: get("printer-test-ok") }
    }

    /// The names of what is advised.
    #[cfg(test)]
    pub(crate) fn advice_ids(&self) -> impl Iterator<Item = &'static str> + use<> {
        ids(FRENCH).filter(|id| id.starts_with("advice-"))
    }

    /// What the pages show, by name.
    #[must_use]
    pub fn page(&self, language: Language) -> BTreeMap<&'static str, String> {
        ids(FRENCH)
            .filter(|id| PAGE_PREFIXES.iter().any(|prefix| id.starts_with(prefix)))
            .map(|id| (id, self.get(language, id)))
            .collect()
    }
}

/// The names of the messages of a file: `name = …` at the beginning of a line.
fn ids(source: &'static str) -> impl Iterator<Item = &'static str> {
    source
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(" =").map(|(id, _)| id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::core::amount::AmountError;
    use crate::core::authorize::{DeclineClass, DeclineReason};
    use crate::core::split::SplitError;
    use crate::journal::Trouble;
    use cabas_protocol::{CategoryId, Cents, MoneyError};
    use std::collections::BTreeSet;

    #[test]
    fn both_languages_say_the_same_things_and_every_line_is_understood() {
        for source in [FRENCH, ENGLISH] {
            assert!(FluentResource::try_new(source.to_owned()).is_ok());
        }
        let (french, english): (BTreeSet<_>, BTreeSet<_>) = (ids(FRENCH).collect(), ids(ENGLISH).collect());
        assert_eq!(french.symmetric_difference(&english).collect::<Vec<_>>(), Vec::<&&str>::new());
        assert_eq!(ids(FRENCH).count(), french.len(), "a name stands twice");
    }

    #[test]
    fn whatever_is_answered_has_words() {
        let texts = Texts::default();
        let mut used: Vec<&str> = DeclineReason::ALL.iter().map(|reason| reason.message_id()).collect();
        used.extend(
            [DeclineClass::AnotherMeans, DeclineClass::TryAgain, DeclineClass::CallFund].map(DeclineClass::message_id),
        );
        used.extend(
            [Trouble::DiskFull, Trouble::ReadOnly, Trouble::Io, Trouble::Corrupt, Trouble::Other]
                .map(Trouble::message_id),
        );
        used.extend(
            [
                AmountError::Empty,
                AmountError::ForeignDigits,
                AmountError::NotANumber,
                AmountError::Negative,
                AmountError::TooManyDecimals,
                AmountError::Zero,
                AmountError::OverLimit { max: Cents::ZERO },
            ]
            .map(AmountError::message_id),
        );
        used.extend(
            [
                SplitError::Empty,
                SplitError::TooManyLines,
                SplitError::UnknownCategory(CategoryId::new(0)),
                SplitError::NothingCovered,
                SplitError::Money(MoneyError::TooLarge),
            ]
            .map(SplitError::message_id),
        );
        for id in used {
            let Both { message_fr, message_en } = texts.both(id);
            assert!(message_fr != id && message_en != id && message_fr != message_en, "{id}");
        }
    }

    #[test]
    fn every_word_of_doctor_is_there_and_none_is_left_over() {
        let texts = Texts::default();
        let name = |prefix: &str, name: &str| format!("doctor-{prefix}-{}", name.replace('_', "-"));
        let mut used: BTreeSet<String> = crate::core::doctor::CODES.iter().map(|code| name("title", code)).collect();
        for says in crate::core::doctor::SAYINGS {
            used.extend([name("says", says), name("todo", says)]);
        }
        for rest in ["fine", "look", "wrong", "unsent", "all-fine", "all-look", "all-wrong"] {
            used.insert(format!("doctor-{rest}"));
        }
        let known: BTreeSet<String> = ids(FRENCH).filter(|id| id.starts_with("doctor-")).map(str::to_owned).collect();
        assert_eq!(used, known);
        assert!(used.iter().all(|id| texts.both(id).message_fr != texts.both(id).message_en));
    }

    #[test]
    fn bystanders_read_nothing_of_money_or_need() {
        let texts = Texts::default();
        for id in
            ids(FRENCH).filter(|id| id.starts_with("sale-") || id.starts_with("class-") || id.starts_with("notice-"))
        {
            let shown = texts.get(Language::French, id).to_lowercase();
            for word in ["solde", "refus", "insuffisant", "aide", "solidarité", "bloqué"] {
                assert!(!shown.contains(word), "{id}: {shown}");
            }
        }
    }

    #[test]
    fn values_are_put_in() {
        let shown = Texts::default().with(Language::English, "amount-over-limit", &[("max", "€1,000.00")]);
        assert_eq!(shown, "The amount is over the limit of €1,000.00 for one sale.");
    }

    #[test]
    fn every_name_that_the_code_uses_has_words() {
        let known: BTreeSet<_> = ids(FRENCH).collect();
        let sources = [
            include_str!("service/board.rs"),
            include_str!("service/status.rs"),
            include_str!("service/refusal.rs"),
            include_str!("service/parts.rs"),
            include_str!("service/undo.rs"),
            include_str!("service/receipts.rs"),
            include_str!("service/closings.rs"),
            include_str!("service/closing_slip.rs"),
            include_str!("service/counter.rs"),
            include_str!("service/purse.rs"),
            include_str!("service/taps.rs"),
            include_str!("service/devices.rs"),
            include_str!("service/health.rs"),
            include_str!("core/undo.rs"),
            include_str!("web/error.rs"),
            include_str!("web/assets/app.js"),
            include_str!("web/assets/cashier.js"),
            include_str!("web/assets/customer.js"),
            include_str!("web/assets/day.js"),
            include_str!("web/assets/member.js"),
            include_str!("web/assets/page.js"),
            include_str!("web/assets/sale.js"),
            include_str!("web/assets/state.js"),
            include_str!("web/assets/till.js"),
            include_str!("web/assets/today.js"),
            include_str!("web/assets/tools.js"),
            include_str!("web/assets/turned.js"),
        ];
        let page = include_str!("web/assets/cashier.html");
        let prefixes = [
            "sale-", "class-", "notice-", "error-", "journal-", "network-", "reader-", "printer-", "page-", "undo-",
            "refund-", "receipt-", "closing-", "disk-", "clock-",
        ];
        // A page names its words as `data-text="…"`, which reads like any quoted name.
        for source in sources.into_iter().chain([page]) {
            for quoted in source.split('"').skip(1).step_by(2) {
                // The name of an element of the page is none of a text.
                let is_element = page.contains(&format!("id=\"{quoted}\""));
                // The beginning of names, to which the page adds a word.
                let quoted = match quoted.strip_suffix('-') {
                    Some(_) => known.iter().find(|id| id.starts_with(quoted)).copied().unwrap_or(quoted),
                    None => quoted,
                };
                if prefixes.iter().any(|prefix| quoted.starts_with(prefix)) && !quoted.contains(' ') && !is_element {
                    assert!(known.contains(quoted), "{quoted} has no words");
                }
            }
        }
    }
}
