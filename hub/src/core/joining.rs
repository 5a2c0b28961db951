//! How a shop joins the fund, as the members agreed on it: proposed, named a pair, visited, presented, decided by consent,
//! signed, open; later suspended or closed. A pure table of what may follow what.

/// Where a shop stands.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Stage {
    /// A member proposed it.
    Proposed,
    /// A pair or a trio looks after it.
    Paired,
    /// It was visited, and the questionnaire is filled in.
    Visited,
    /// It was presented at a session, and waits for the decision.
    Presented,
    /// Somebody objected, with a reason: it is visited or presented again, or closed.
    Objected,
    /// It was consented to.
    Accepted,
    /// The agreement is signed.
    Signed,
    /// It sells.
    Open,
    /// It does not sell for the time being.
    Suspended,
    /// It is over.
    Closed,
}

/// What is done.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Step {
    /// A member proposes the shop: the first step.
    Propose,
    /// A pair or a trio is named, or another one.
    Pair,
    /// A visit, with the questionnaire.
    Visit,
    /// It is presented at a session.
    Present,
    /// Nobody objects.
    Consent,
    /// Somebody objects, with a reason.
    Object,
    /// The proposal is amended, and is decided on again.
    Amend,
    /// The agreement is signed.
    Sign,
    /// It opens, for the first time or again.
    Open,
    /// It stops for the time being.
    Suspend,
    /// It is over.
    Close,
}

/// A step that cannot be done where the shop stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a shop that is {} cannot be {}; next may be: {}", .stage.name(), .step.done(), next(*.stage))]
pub struct NotNow {
    /// Where it stands.
    pub stage: Stage,
    /// What was to be done.
    pub step: Step,
}

/// What leads from where to where. What is not here cannot be done.
const TABLE: [(Stage, Step, Stage); 24] = [
    (Stage::Proposed, Step::Pair, Stage::Paired),
    (Stage::Proposed, Step::Close, Stage::Closed),
    (Stage::Paired, Step::Pair, Stage::Paired),
    (Stage::Paired, Step::Visit, Stage::Visited),
    (Stage::Paired, Step::Close, Stage::Closed),
    (Stage::Visited, Step::Visit, Stage::Visited),
    (Stage::Visited, Step::Present, Stage::Presented),
    (Stage::Visited, Step::Close, Stage::Closed),
    (Stage::Presented, Step::Consent, Stage::Accepted),
    (Stage::Presented, Step::Object, Stage::Objected),
    (Stage::Presented, Step::Amend, Stage::Presented),
    (Stage::Presented, Step::Close, Stage::Closed),
    (Stage::Objected, Step::Visit, Stage::Visited),
    (Stage::Objected, Step::Present, Stage::Presented),
    (Stage::Objected, Step::Close, Stage::Closed),
    (Stage::Accepted, Step::Sign, Stage::Signed),
    (Stage::Accepted, Step::Close, Stage::Closed),
    (Stage::Signed, Step::Open, Stage::Open),
    (Stage::Signed, Step::Close, Stage::Closed),
    (Stage::Open, Step::Suspend, Stage::Suspended),
    (Stage::Open, Step::Close, Stage::Closed),
    (Stage::Suspended, Step::Open, Stage::Open),
    (Stage::Suspended, Step::Close, Stage::Closed),
    // A shop that had closed begins anew, under its code.
    (Stage::Closed, Step::Propose, Stage::Proposed),
];

/// Does a step.
///
/// # Errors
/// [`NotNow`] says what may be done instead.
pub fn step(stage: Stage, step: Step) -> Result<Stage, NotNow> {
    let found = TABLE.iter().find(|(from, by, _)| (*from, *by) == (stage, step));
    found.map(|(_, _, to)| *to).ok_or(NotNow { stage, step })
}

/// What may be done where a shop stands.
pub fn steps_from(stage: Stage) -> impl Iterator<Item = Step> {
    TABLE.into_iter().filter(move |(from, _, _)| *from == stage).map(|(_, step, _)| step)
}

fn next(stage: Stage) -> String {
    steps_from(stage).map(Step::done).collect::<Vec<_>>().join(", ")
}

/// The steps that are still ahead of a shop before it opens for the first time, in their order.
#[must_use]
pub fn ahead(stage: Stage) -> &'static [Step] {
    const WAY: &[Step] = &[Step::Pair, Step::Visit, Step::Present, Step::Consent, Step::Sign, Step::Open];
    let done = match stage {
        Stage::Proposed => 0,
        Stage::Paired => 1,
        Stage::Visited | Stage::Objected => 2,
        Stage::Presented => 3,
        Stage::Accepted => 4,
        Stage::Signed => 5,
        Stage::Open | Stage::Suspended | Stage::Closed => WAY.len(),
    };
    WAY.get(done..).unwrap_or_default()
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 11] = [
        Self::Propose,
        Self::Pair,
        Self::Visit,
        Self::Present,
        Self::Consent,
        Self::Object,
        Self::Amend,
        Self::Sign,
        Self::Open,
        Self::Suspend,
        Self::Close,
    ];

    /// As it is stored; a number is never used again.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Propose => 1,
            Self::Pair => 2,
            Self::Visit => 3,
            Self::Present => 4,
            Self::Consent => 5,
            Self::Object => 6,
            Self::Amend => 7,
            Self::Sign => 8,
            Self::Open => 9,
            Self::Suspend => 10,
            Self::Close => 11,
        }
    }

    /// The step of a number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.number() == number)
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Propose => "propose",
            Self::Pair => "pair",
            Self::Visit => "visit",
            Self::Present => "present",
            Self::Consent => "consent",
            Self::Object => "object",
            Self::Amend => "amend",
            Self::Sign => "sign",
            Self::Open => "open",
            Self::Suspend => "suspend",
            Self::Close => "close",
        }
    }

    /// The step of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    /// What the shop is by it.
    #[must_use]
    pub const fn done(self) -> &'static str {
        match self {
            Self::Propose => "proposed",
            Self::Pair => "paired",
            Self::Visit => "visited",
            Self::Present => "presented",
            Self::Consent => "consented to",
            Self::Object => "objected to",
            Self::Amend => "amended",
            Self::Sign => "signed",
            Self::Open => "opened",
            Self::Suspend => "suspended",
            Self::Close => "closed",
        }
    }

    /// True where the step must say something: a reason, an amendment, what the visit found, what was agreed.
    #[must_use]
    pub const fn needs_words(self) -> bool {
        match self {
            Self::Visit | Self::Object | Self::Amend | Self::Sign | Self::Suspend | Self::Close => true,
            Self::Propose | Self::Pair | Self::Present | Self::Consent | Self::Open => false,
        }
    }
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 10] = [
        Self::Proposed,
        Self::Paired,
        Self::Visited,
        Self::Presented,
        Self::Objected,
        Self::Accepted,
        Self::Signed,
        Self::Open,
        Self::Suspended,
        Self::Closed,
    ];

    /// As it is stored; a number is never used again.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Proposed => 1,
            Self::Paired => 2,
            Self::Visited => 3,
            Self::Presented => 4,
            Self::Objected => 5,
            Self::Accepted => 6,
            Self::Signed => 7,
            Self::Open => 8,
            Self::Suspended => 9,
            Self::Closed => 10,
        }
    }

    /// The stage of a number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.number() == number)
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Paired => "paired",
            Self::Visited => "visited",
            Self::Presented => "presented",
            Self::Objected => "objected",
            Self::Accepted => "accepted",
            Self::Signed => "signed",
            Self::Open => "open",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_that_the_members_agreed_on_leads_to_an_open_shop() {
        let way = [Step::Pair, Step::Visit, Step::Present, Step::Consent, Step::Sign, Step::Open];
        let end = way.into_iter().try_fold(Stage::Proposed, step);
        assert_eq!(end, Ok(Stage::Open));
        for left_out in 0..way.len() {
            let others = way.into_iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, step)| step);
            let mut others = others;
            let end = others.try_fold(Stage::Proposed, step);
            assert_ne!(end, Ok(Stage::Open), "without {:?}", way.get(left_out));
        }
    }

    /// One line a stage, one mark a step in the order of `Step::ALL`: where it leads, or `-`.
    const EXPECTED: [(Stage, &str); 10] = [
        (Stage::Proposed, "-  2  -  -  -  -  -  -  -  -  10"),
        (Stage::Paired, "-  2  3  -  -  -  -  -  -  -  10"),
        (Stage::Visited, "-  -  3  4  -  -  -  -  -  -  10"),
        (Stage::Presented, "-  -  -  -  6  5  4  -  -  -  10"),
        (Stage::Objected, "-  -  3  4  -  -  -  -  -  -  10"),
        (Stage::Accepted, "-  -  -  -  -  -  -  7  -  -  10"),
        (Stage::Signed, "-  -  -  -  -  -  -  -  8  -  10"),
        (Stage::Open, "-  -  -  -  -  -  -  -  -  9  10"),
        (Stage::Suspended, "-  -  -  -  -  -  -  -  8  -  10"),
        (Stage::Closed, "1  -  -  -  -  -  -  -  -  -  -"),
    ];

    #[test]
    fn every_stage_takes_the_steps_that_are_written_here_and_no_others() {
        for (stage, marks) in EXPECTED {
            let marks: Vec<_> = marks.split_whitespace().collect();
            assert_eq!(marks.len(), Step::ALL.len());
            for (by, mark) in Step::ALL.into_iter().zip(marks) {
                let led = step(stage, by).map_or("-".to_owned(), |to| to.number().to_string());
                assert_eq!(led, mark, "{stage:?} {by:?}");
            }
        }
    }

    #[test]
    fn numbers_and_names_are_all_different_and_read_back() {
        for stage in Stage::ALL {
            assert_eq!(Stage::of_number(stage.number()), Some(stage));
            assert_eq!(Stage::ALL.into_iter().filter(|other| other.name() == stage.name()).count(), 1);
        }
        for by in Step::ALL {
            assert_eq!((Step::of_number(by.number()), Step::of_name(by.name())), (Some(by), Some(by)));
        }
        assert_eq!((Stage::of_number(0), Step::of_number(0)), (None, None));
    }

    #[test]
    fn what_is_ahead_of_a_shop_leads_to_its_opening_from_wherever_it_stands() {
        for stage in Stage::ALL {
            let end = ahead(stage).iter().try_fold(stage, |stage, by| step(stage, *by));
            let is_past = matches!(stage, Stage::Suspended | Stage::Closed);
            let expected = if is_past { stage } else { Stage::Open };
            assert_eq!(end, Ok(expected), "{stage:?}");
        }
    }

    #[test]
    fn what_cannot_be_done_says_what_can() {
        let said = step(Stage::Accepted, Step::Open).map_err(|error| error.to_string());
        assert_eq!(said, Err("a shop that is accepted cannot be opened; next may be: signed, closed".to_owned()));
    }
}
