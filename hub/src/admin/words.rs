//! The words of the pages, from `hub/locales`, in French and English.

use std::fmt;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::{LanguageIdentifier, langid};

/// One file a subject; each stands in both folders.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        const FRENCH: &[&str] = &[$(include_str!(concat!("../../locales/fr/", $name, ".ftl"))),*];
        const ENGLISH: &[&str] = &[$(include_str!(concat!("../../locales/en/", $name, ".ftl"))),*];
    };
}

files![
    "site",
    "works",
    "figures",
    "voted",
    "money",
    "people",
    "cards",
    "imports",
    "shops",
    "settlement",
    "bank",
    "users",
    "receipt",
    "watch"
];

/// A language of the pages.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Lang {
    /// The first one.
    #[default]
    French,
    /// The other one.
    English,
}

impl Lang {
    /// Its code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::French => "fr",
            Self::English => "en",
        }
    }

    /// The language of a code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        [Self::French, Self::English].into_iter().find(|lang| lang.code() == code)
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::French => Self::English,
            Self::English => Self::French,
        }
    }
}

/// All words.
pub struct Words {
    french: FluentBundle<FluentResource>,
    english: FluentBundle<FluentResource>,
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words")
    }
}

impl Default for Words {
    fn default() -> Self {
        Self { french: bundle(langid!("fr"), FRENCH), english: bundle(langid!("en"), ENGLISH) }
    }
}

/// What Fluent could make of the files; a test makes sure that it is all of them.
fn bundle(language: LanguageIdentifier, sources: &[&str]) -> FluentBundle<FluentResource> {
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    bundle.set_use_isolating(false);
    for source in sources {
        let resource = FluentResource::try_new((*source).to_owned()).unwrap_or_else(|(resource, _)| resource);
        bundle.add_resource_overriding(resource);
    }
    bundle
}

impl Words {
    /// A text; its own name where there is none.
    #[must_use]
    pub fn get(&self, lang: Lang, id: &str) -> String {
        self.with(lang, id, &[])
    }

    /// A text with values.
    #[must_use]
    pub fn with(&self, lang: Lang, id: &str, values: &[(&str, &str)]) -> String {
        let mut arguments = FluentArgs::new();
        for (name, value) in values {
            arguments.set(*name, *value);
        }
        self.filled(lang, id, &arguments)
    }

    /// A text with a `count`, which says whether it is of one thing or of many.
    #[must_use]
    pub fn counted(&self, lang: Lang, id: &str, count: &str) -> String {
        let mut arguments = FluentArgs::new();
        arguments.set("count", FluentValue::try_number(count));
        self.filled(lang, id, &arguments)
    }

    fn filled(&self, lang: Lang, id: &str, arguments: &FluentArgs<'_>) -> String {
        let bundle = match lang {
            Lang::French => &self.french,
            Lang::English => &self.english,
        };
        let Some(pattern) = bundle.get_message(id).and_then(|message| message.value()) else { return id.to_owned() };
        bundle.format_pattern(pattern, Some(arguments), &mut Vec::new()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::admin::pages::{bank, people, settlement_view};
    use crate::admin::{actions, labels, overview, pages, plot};
    use crate::core::audit::Deed;
    use crate::core::checks::{CODES, SAYINGS};
    use crate::core::joining::{Stage, Step};
    use crate::core::ledger::OverRight;
    use crate::core::roles::Role;
    use crate::store::WorkState;
    use crate::works;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn ids(sources: &[&'static str]) -> Vec<&'static str> {
        let lines = sources.iter().flat_map(|source| source.lines());
        let lines = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
        lines.filter_map(|line| line.split_once(" =").map(|(id, _)| id)).collect()
    }

    /// Templates and the code of the pages, wherever somebody adds a file.
    fn sources(folder: &str, into: &mut String) {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && !path.ends_with("words.rs") {
                into.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }

    /// What the code puts together from a name of its own.
    fn made() -> BTreeSet<String> {
        let mut made: BTreeSet<String> = Deed::ALL.iter().map(|deed| format!("deed-{}", deed.name())).collect();
        made.extend(Role::ALL.iter().map(|role| format!("role-{}", role.name())));
        made.extend(overview::STANDINGS.iter().map(|name| format!("standing-{name}")));
        made.extend(overview::ALARMS.iter().map(|name| format!("alarm-{}", name.replace('_', "-"))));
        made.extend(overview::TROUBLES.iter().map(|name| format!("trouble-{}", name.replace('_', "-"))));
        made.extend(overview::PHASES.iter().map(|name| format!("upgrade-{name}")));
        made.extend(overview::CLOCKS.iter().map(|name| format!("clock-{name}")));
        made.extend(overview::QUARANTINES.iter().map(|name| format!("quarantine-{name}")));
        made.extend(settlement_view::LINE_KINDS.iter().map(|name| format!("line-{name}")));
        made.extend(settlement_view::PAYOUT_STATES.iter().map(|name| format!("payout-is-{name}")));
        made.extend(bank::ENTRY_STATES.iter().map(|name| format!("entry-is-{name}")));
        made.extend(WorkState::ALL.iter().map(|state| format!("work-is-{}", state.name())));
        made.extend(actions::KINDS.iter().map(|kind| format!("action-{}", kind.replace('_', "-"))));
        made.extend(plot::What::ALL.iter().map(|what| format!("plot-{}", what.name())));
        made.extend(labels::KINDS.iter().map(|kind| format!("shop-kind-{kind}")));
        made.extend(OverRight::ALL.iter().map(|why| format!("row-{}", pages::why_name(*why).replace('_', "-"))));
        made.extend(["missing", "wrong", "repeated", "not-checked"].map(|proof| format!("proof-{proof}")));
        made.extend(["repeats", "fell", "untold"].map(|why| format!("tap-{why}")));
        made.extend(people::made());
        made.extend(pages::receipt::made());
        made.extend(Stage::ALL.iter().map(|stage| format!("stage-{}", stage.name())));
        for step in Step::ALL.iter().map(|step| step.name()) {
            made.extend(["step-", "step-done-", "step-title-", "step-what-"].map(|prefix| format!("{prefix}{step}")));
        }
        let questions = pages::SHOP_QUESTIONS.iter().chain(&pages::PRODUCER_QUESTIONS);
        made.extend(questions.map(|question| format!("question-{question}")));
        made.extend(pages::KINDS.iter().map(|kind| format!("shop-kind-{kind}")));
        made.extend(pages::MISSING.iter().map(|missing| format!("missing-{missing}")));
        made.extend(pages::WEEK.iter().map(|day| format!("day-{day}")));
        made.extend(pages::GRID_STATES.iter().map(|state| format!("grids-{}", state.name())));
        made.extend(works::Job::NAMES.iter().map(|name| format!("job-{name}")));
        made.extend(works::Job::RESULTS.iter().map(|name| format!("job-gave-{}", name.replace('_', "-"))));
        for (prefix, names) in
            [("check-title-", CODES.as_slice()), ("check-says-", &SAYINGS), ("check-todo-", &SAYINGS)]
        {
            made.extend(names.iter().map(|name| format!("{prefix}{}", name.replace('_', "-"))));
        }
        made
    }

    #[test]
    fn both_languages_say_the_same_things_and_every_line_is_understood() {
        for source in FRENCH.iter().chain(ENGLISH) {
            assert!(FluentResource::try_new((*source).to_owned()).is_ok());
        }
        let (french, english): (BTreeSet<_>, BTreeSet<_>) =
            (ids(FRENCH).into_iter().collect(), ids(ENGLISH).into_iter().collect());
        assert_eq!(french.symmetric_difference(&english).collect::<Vec<_>>(), Vec::<&&str>::new());
        assert_eq!(ids(FRENCH).len(), french.len(), "a name stands twice");
    }

    #[test]
    fn every_text_is_used_and_every_name_that_is_used_has_a_text() {
        let mut text = String::new();
        for folder in ["templates", "src/admin", "src/admin/pages", "src/admin/pages/people", "src/alerts", "src/cli"] {
            sources(folder, &mut text);
        }
        let known: BTreeSet<String> = ids(FRENCH).into_iter().map(str::to_owned).collect();
        let made = made();
        for name in &made {
            assert!(known.contains(name), "{name} has no words");
        }
        for id in &known {
            assert!(made.contains(id) || text.contains(&format!("\"{id}\"")), "{id} is not used");
        }
        for asked in [".t(\"", ".tv(\"", ".tn(\""] {
            for part in text.split(asked).skip(1) {
                let (id, _) = part.split_once('"').unwrap();
                assert!(id.ends_with('-') || known.contains(id), "{id} has no words");
            }
        }
    }

    /// The words of the agent, which this program does not hold.
    const OF_AGENT: &str = include_str!("../../../agent/locales/fr.ftl");

    #[test]
    fn no_french_line_breaks_before_a_sign_that_stands_off_its_word() {
        let lines = FRENCH.iter().chain([&OF_AGENT]).flat_map(|source| source.lines());
        for line in lines.filter(|line| !line.starts_with('#')) {
            let wrong = [" :", " ;", " ?", " !", " »", "« "].iter().find(|sign| line.contains(**sign));
            assert_eq!(wrong, None, "{line}: a no-break space belongs there (U+00A0)");
        }
    }

    #[test]
    fn values_are_put_in() {
        let words = Words::default();
        assert_eq!(words.with(Lang::English, "ago-minutes", &[("count", "5")]), "5 min ago");
        assert_eq!(words.with(Lang::French, "ago-minutes", &[("count", "5")]), "il y a 5 min");
        for (count, french, english) in [("1", "1 personne", "1 person"), ("30", "30 personnes", "30 people")] {
            let both = [Lang::French, Lang::English].map(|lang| words.counted(lang, "voted-people", count));
            assert_eq!(both, [french, english]);
        }
        assert_eq!(words.get(Lang::French, "no such text"), "no such text");
    }
}
