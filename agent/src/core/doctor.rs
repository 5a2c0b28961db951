//! What `doctor` makes of what it sees of the machine, beside the advice that the counter gives anyway. Values in,
//! verdicts out.

use serde::Serialize;

/// Everything that is looked at, by its word.
pub const CODES: [&str; 9] =
    ["settings", "enrolled", "keys", "folder", "journal", "serving", "others", "synchronized", "hub"];

/// Every sentence that says what is wrong.
pub const SAYINGS: [&str; 19] = [
    "settings_wrong",
    "enrolled_not",
    "keys_missing",
    "keys_open",
    "keys_other",
    "folder_missing",
    "folder_open",
    "folder_read_only",
    "journal_newer",
    "journal_unread",
    "journal_unsound",
    "serving_not",
    "serving_mute",
    "others",
    "synchronized_not",
    "hub_unreached",
    "hub_tls",
    "hub_other",
    "hub_ill",
];

/// How something is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing to do.
    Fine,
    /// To be looked at.
    Look,
    /// To be put right: the terminal does not sell, or may lose something.
    Wrong,
}

impl Verdict {
    /// The exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Look => 1,
            Self::Wrong => 2,
        }
    }
}

/// The key file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeysSeen {
    /// There, and for the agent alone.
    Fine,
    /// Not there, or none.
    Missing,
    /// Others may read it.
    Open,
    /// It is not the key that this journal was enrolled with.
    Other,
}

/// The data folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FolderSeen {
    /// There, writable, and for the agent alone.
    Fine,
    /// Not there, or not to be looked into.
    Missing,
    /// Others may look into it.
    Open,
    /// Nothing can be written in it.
    ReadOnly,
}

/// The journal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum JournalSeen {
    /// It opens, and what was checked of it is right.
    Fine,
    /// A newer program wrote it.
    Newer,
    /// It cannot be read.
    Unread,
    /// Something in it is wrong.
    Unsound,
}

/// The program that sells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServingSeen {
    /// It answers.
    Yes,
    /// It holds the journal and does not answer.
    Mute,
    /// It does not run.
    No,
}

/// The hub, asked from here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HubSeen {
    /// It answers and is well.
    Fine,
    /// Nothing answers.
    Unreached,
    /// Something answers whose certificate is not trusted.
    Tls,
    /// Something answers that is not the hub.
    Other,
    /// It answers that it cannot write.
    Ill,
}

/// What is seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen {
    /// True where the configuration is taken.
    pub are_settings_good: bool,
    /// The data folder.
    pub folder: FolderSeen,
    /// True where there is a journal.
    pub is_enrolled: bool,
    /// The key file; none where there is no journal.
    pub keys: Option<KeysSeen>,
    /// The journal; none where there is none.
    pub journal: Option<JournalSeen>,
    /// The program that sells; none where there is no journal.
    pub serving: Option<ServingSeen>,
    /// Whether another program has the journal open; none where the kernel does not tell.
    pub has_others: Option<bool>,
    /// Whether the machine's clock follows another one; none where the system does not tell.
    pub is_synchronized: Option<bool>,
    /// The hub; none where it was not asked.
    pub hub: Option<HubSeen>,
}

/// One thing that was looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Check {
    /// What, in one word.
    pub code: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// The name of the sentence; none where it is fine.
    pub says: Option<&'static str>,
}

/// Everything that was looked at, in the order in which a person would.
#[must_use]
pub fn checks(seen: &Seen) -> Vec<Check> {
    use Verdict::{Look, Wrong};
    let yes = |is_fine: bool, verdict, says| if is_fine { None } else { Some((verdict, says)) };
    let all = [
        ("settings", Some(yes(seen.are_settings_good, Wrong, "settings_wrong"))),
        ("folder", Some(folder(seen.folder))),
        ("enrolled", Some(yes(seen.is_enrolled, Wrong, "enrolled_not"))),
        ("keys", seen.keys.map(keys)),
        ("journal", seen.journal.map(journal)),
        ("serving", seen.serving.map(serving)),
        ("others", seen.has_others.map(|others| yes(!others, Look, "others"))),
        ("synchronized", seen.is_synchronized.map(|follows| yes(follows, Look, "synchronized_not"))),
        ("hub", seen.hub.map(hub)),
    ];
    let looked = all.into_iter().filter_map(|(code, found)| Some((code, found?)));
    looked
        .map(|(code, found)| {
            let (verdict, says) = found.unzip();
            Check { code, verdict: verdict.unwrap_or(Verdict::Fine), says }
        })
        .collect()
}

type Found = Option<(Verdict, &'static str)>;

const fn folder(folder: FolderSeen) -> Found {
    match folder {
        FolderSeen::Fine => None,
        FolderSeen::Missing => Some((Verdict::Wrong, "folder_missing")),
        FolderSeen::Open => Some((Verdict::Look, "folder_open")),
        FolderSeen::ReadOnly => Some((Verdict::Wrong, "folder_read_only")),
    }
}

const fn keys(keys: KeysSeen) -> Found {
    match keys {
        KeysSeen::Fine => None,
        KeysSeen::Missing => Some((Verdict::Wrong, "keys_missing")),
        KeysSeen::Open => Some((Verdict::Wrong, "keys_open")),
        KeysSeen::Other => Some((Verdict::Wrong, "keys_other")),
    }
}

const fn journal(journal: JournalSeen) -> Found {
    match journal {
        JournalSeen::Fine => None,
        JournalSeen::Newer => Some((Verdict::Wrong, "journal_newer")),
        JournalSeen::Unread => Some((Verdict::Wrong, "journal_unread")),
        JournalSeen::Unsound => Some((Verdict::Wrong, "journal_unsound")),
    }
}

const fn serving(serving: ServingSeen) -> Found {
    match serving {
        ServingSeen::Yes => None,
        ServingSeen::Mute => Some((Verdict::Wrong, "serving_mute")),
        ServingSeen::No => Some((Verdict::Wrong, "serving_not")),
    }
}

/// A terminal sells without a network: what is in the way of the hub is looked at when somebody has time.
const fn hub(hub: HubSeen) -> Found {
    match hub {
        HubSeen::Fine => None,
        HubSeen::Unreached => Some((Verdict::Look, "hub_unreached")),
        HubSeen::Tls => Some((Verdict::Wrong, "hub_tls")),
        HubSeen::Other => Some((Verdict::Look, "hub_other")),
        HubSeen::Ill => Some((Verdict::Look, "hub_ill")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Seen = Seen {
        are_settings_good: true,
        folder: FolderSeen::Fine,
        is_enrolled: true,
        keys: Some(KeysSeen::Fine),
        journal: Some(JournalSeen::Fine),
        serving: Some(ServingSeen::Yes),
        has_others: Some(false),
        is_synchronized: Some(true),
        hub: Some(HubSeen::Fine),
    };

    #[test]
    fn where_nothing_is_wrong_everything_is_said_to_be_fine() {
        let all = checks(&FINE);
        assert!(all.iter().all(|check| check.verdict == Verdict::Fine && check.says.is_none()), "{all:?}");
        let mut codes: Vec<&str> = all.iter().map(|check| check.code).collect();
        codes.sort_unstable();
        let mut known = CODES;
        known.sort_unstable();
        assert_eq!(codes, known);
    }

    /// One line a case, each curing only the fault before it.
    #[test]
    fn each_thing_that_is_wrong_is_said_and_nothing_else() {
        use Verdict::{Look, Wrong};
        let cases = [
            (Seen { are_settings_good: false, ..FINE }, "settings", "settings_wrong", Wrong),
            (Seen { folder: FolderSeen::Missing, ..FINE }, "folder", "folder_missing", Wrong),
            (Seen { folder: FolderSeen::Open, ..FINE }, "folder", "folder_open", Look),
            (Seen { folder: FolderSeen::ReadOnly, ..FINE }, "folder", "folder_read_only", Wrong),
            (Seen { is_enrolled: false, ..FINE }, "enrolled", "enrolled_not", Wrong),
            (Seen { keys: Some(KeysSeen::Missing), ..FINE }, "keys", "keys_missing", Wrong),
            (Seen { keys: Some(KeysSeen::Open), ..FINE }, "keys", "keys_open", Wrong),
            (Seen { keys: Some(KeysSeen::Other), ..FINE }, "keys", "keys_other", Wrong),
            (Seen { journal: Some(JournalSeen::Newer), ..FINE }, "journal", "journal_newer", Wrong),
            (Seen { journal: Some(JournalSeen::Unread), ..FINE }, "journal", "journal_unread", Wrong),
            (Seen { journal: Some(JournalSeen::Unsound), ..FINE }, "journal", "journal_unsound", Wrong),
            (Seen { serving: Some(ServingSeen::No), ..FINE }, "serving", "serving_not", Wrong),
            (Seen { serving: Some(ServingSeen::Mute), ..FINE }, "serving", "serving_mute", Wrong),
            (Seen { has_others: Some(true), ..FINE }, "others", "others", Look),
            (Seen { is_synchronized: Some(false), ..FINE }, "synchronized", "synchronized_not", Look),
            (Seen { hub: Some(HubSeen::Unreached), ..FINE }, "hub", "hub_unreached", Look),
            (Seen { hub: Some(HubSeen::Tls), ..FINE }, "hub", "hub_tls", Wrong),
            (Seen { hub: Some(HubSeen::Other), ..FINE }, "hub", "hub_other", Look),
            (Seen { hub: Some(HubSeen::Ill), ..FINE }, "hub", "hub_ill", Look),
        ];
        assert_eq!(cases.map(|(_, _, says, _)| says).len(), SAYINGS.len());
        for (seen, code, says, verdict) in cases {
            let found: Vec<Check> = checks(&seen).into_iter().filter(|check| check.verdict != Verdict::Fine).collect();
            assert_eq!(found, [Check { code, verdict, says: Some(says) }]);
            assert!(SAYINGS.contains(&says), "{says} has no words");
        }
    }

    #[test]
    fn what_nobody_looked_at_is_not_called_fine() {
        let seen = Seen {
            keys: None,
            journal: None,
            serving: None,
            has_others: None,
            is_synchronized: None,
            hub: None,
            is_enrolled: false,
            ..FINE
        };
        let codes: Vec<&str> = checks(&seen).iter().map(|check| check.code).collect();
        assert_eq!(codes, ["settings", "folder", "enrolled"]);
    }
}
