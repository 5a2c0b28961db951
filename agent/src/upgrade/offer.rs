//! Whether a release is taken: pure, from what the release key signed and what is known here.

use super::state::State;
use cabas_protocol::Hash;
use cabas_protocol::release::{ProgramVersion, Release};

/// A release that the hub offers, its signature checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Offered {
    /// The hash of its envelope.
    pub id: Hash,
    /// What the release key says.
    pub release: Release,
}

impl Offered {
    /// The hash of its envelope in hexadecimal.
    #[must_use]
    pub fn name(&self) -> String {
        self.id.to_string()
    }
}

/// What this terminal is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Here<'a> {
    /// The version that runs.
    pub version: ProgramVersion,
    /// The machine.
    pub target: &'a str,
    /// The form of the journal that runs.
    pub journal_form: u32,
    /// True where the launcher started this program.
    pub is_launched: bool,
    /// Bytes free on the disk, where that is known.
    pub free_bytes: Option<u64>,
    /// The journal's length in bytes.
    pub journal_bytes: u64,
}

/// What has to be free beside program and copy, so that sales go on.
pub const SPARE_BYTES: u64 = 64 * 1024 * 1024;

/// Why a release is not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// No newer than what runs: what was signed once could otherwise be given again for ever.
    #[error("it is no newer than {0}, which runs")]
    NotNewer(ProgramVersion),
    /// For other machines.
    #[error("it is for {0}")]
    OtherMachine(String),
    /// It was tried.
    #[error("{0}")]
    Bad(&'static str),
    /// Its journal is older than what is written here.
    #[error("it writes an older form of the journal")]
    OlderJournal,
    /// Nobody would put it back.
    #[error(
        "this program was not started by `cabas-agent launch`, which puts a bad one back; correct ExecStart of the unit"
    )]
    NotLaunched,
    /// No room.
    #[error("the disk has not enough room: {0} bytes are needed")]
    NoRoom(u64),
}

/// Whether a release is to be taken; what cannot be taken at present is asked about again.
///
/// # Errors
/// [`Refused`].
pub fn judge(release: &Offered, here: &Here<'_>, state: &State) -> Result<(), Refused> {
    let Release { target, size, journal_form, .. } = &release.release;
    let version = release.release.version().ok().filter(|version| *version > here.version);
    if version.is_none() {
        return Err(Refused::NotNewer(here.version));
    }
    if target != here.target {
        return Err(Refused::OtherMachine(target.clone()));
    }
    if let Some(bad) = state.bad(&release.name()) {
        return Err(Refused::Bad(bad.why.text()));
    }
    if u32::from(*journal_form) < here.journal_form {
        return Err(Refused::OlderJournal);
    }
    if !here.is_launched {
        return Err(Refused::NotLaunched);
    }
    let needed = u64::from(*size).saturating_add(here.journal_bytes.saturating_mul(2)).saturating_add(SPARE_BYTES);
    if here.free_bytes.is_some_and(|free| free < needed) {
        return Err(Refused::NoRoom(needed));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::upgrade::state::Why;
    use cabas_protocol::head::{HeadContext, ObjectType};
    use cabas_protocol::{Incarnation, TimeEpoch, Timestamp};

    fn offered(version: &str) -> Offered {
        let none =
            HeadContext { fund: Release::NO_FUND, incarnation: Incarnation::new(0), time_epoch: TimeEpoch::new(0) };
        let release = Release {
            head: none.head(ObjectType::Release),
            version: version.to_owned(),
            target: String::from("x86_64-linux-gnu"),
            size: 1000,
            hash: Hash::new([1; 32]),
            journal_form: 8,
            capabilities: vec![1],
            signed_at: Timestamp::new(0),
        };
        Offered { id: Hash::new([2; 32]), release }
    }

    fn here() -> Here<'static> {
        Here {
            version: "0.1.0".parse().unwrap(),
            target: "x86_64-linux-gnu",
            journal_form: 8,
            is_launched: true,
            free_bytes: Some(SPARE_BYTES + 1000 + 200),
            journal_bytes: 100,
        }
    }

    #[test]
    fn a_release_is_taken_only_where_it_is_newer_fits_and_was_not_bad() {
        let none = State::default();
        let offer = offered("0.2.0");
        assert_eq!(judge(&offer, &here(), &none), Ok(()));
        for version in ["0.1.0", "0.0.9", "0.0.65535"] {
            assert!(matches!(judge(&offered(version), &here(), &none), Err(Refused::NotNewer(_))), "{version}");
        }
        let arm = Here { target: "aarch64-linux-gnu", ..here() };
        assert!(matches!(judge(&offer, &arm, &none), Err(Refused::OtherMachine(_))));
        assert_eq!(judge(&offer, &Here { journal_form: 9, ..here() }, &none), Err(Refused::OlderJournal));
        assert_eq!(judge(&offer, &Here { is_launched: false, ..here() }, &none), Err(Refused::NotLaunched));
        let full = Here { free_bytes: here().free_bytes.map(|bytes| bytes - 1), ..here() };
        assert!(matches!(judge(&offer, &full, &none), Err(Refused::NoRoom(_))));
        assert_eq!(judge(&offer, &Here { free_bytes: None, ..here() }, &none), Ok(()));
        let mut state = State::default();
        state.note_bad(&offer.name(), "0.2.0", Why::NotHealthy);
        assert_eq!(judge(&offer, &here(), &state), Err(Refused::Bad(Why::NotHealthy.text())));
    }
}
