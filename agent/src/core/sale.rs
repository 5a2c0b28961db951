//! The life of one sale. A sale ends once, and an accepted one is written down already.

use crate::core::authorize::DeclineReason;

/// Where a sale stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SaleState {
    /// It waits for a card.
    Waiting,
    /// A card was presented; nothing is decided or shown yet.
    Authorizing,
    /// Only a part can be paid: the member is asked.
    Offered,
    /// A card was asked to pay, and whether it did is not known: the same card has to come again.
    InDoubt,
    /// The row is durable.
    Accepted,
    /// It may not be.
    Declined(DeclineReason),
    /// The cashier took it back before a card came.
    Cancelled,
    /// No card came in time.
    TimedOut,
    /// The journal could not be written: nothing was taken, as far as can be told; the request's id tells later.
    Failed,
}

/// What happens to a sale.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SaleEvent {
    /// A card was presented.
    Card,
    /// The row was committed.
    Committed,
    /// The card left before it was asked to pay.
    Again,
    /// Whether the card has paid is not known.
    Doubt,
    /// The card has not paid what was in doubt, and another sale goes on with it.
    NotPaid,
    /// The decision was no.
    Decline(DeclineReason),
    /// Only a part can be paid.
    Offer,
    /// The member takes the part; the card has to be there for it.
    TakePart,
    /// The cashier takes it back.
    Cancel,
    /// The time is over.
    TimeOut,
    /// The journal could not be written.
    JournalFailed,
}

/// An event that does not fit the state.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{event:?} does not fit a sale that is {state:?}")]
pub struct TransitionError {
    /// The state.
    pub state: SaleState,
    /// The event.
    pub event: SaleEvent,
}

impl SaleState {
    /// The next state.
    ///
    /// # Errors
    /// [`TransitionError`] where the event does not fit: the sale stays as it is.
    pub const fn step(self, event: SaleEvent) -> Result<Self, TransitionError> {
        match (self, event) {
            (Self::Waiting, SaleEvent::Card) => Ok(Self::Authorizing),
            (Self::Waiting, SaleEvent::Cancel) => Ok(Self::Cancelled),
            (Self::Waiting, SaleEvent::TimeOut) => Ok(Self::TimedOut),
            (Self::Authorizing, SaleEvent::Committed) => Ok(Self::Accepted),
            (Self::Authorizing, SaleEvent::Decline(reason)) => Ok(Self::Declined(reason)),
            (Self::Authorizing, SaleEvent::JournalFailed) => Ok(Self::Failed),
            (Self::Authorizing, SaleEvent::Offer) => Ok(Self::Offered),
            (Self::Authorizing, SaleEvent::Again) => Ok(Self::Waiting),
            (Self::Authorizing, SaleEvent::Doubt) => Ok(Self::InDoubt),
            (Self::InDoubt, SaleEvent::Card) => Ok(Self::Authorizing),
            (Self::InDoubt, SaleEvent::Committed) => Ok(Self::Accepted),
            (Self::InDoubt, SaleEvent::NotPaid) => Ok(Self::Failed),
            (Self::Offered, SaleEvent::TakePart) => Ok(Self::Waiting),
            (Self::Offered, SaleEvent::Cancel) => Ok(Self::Cancelled),
            (Self::Offered, SaleEvent::TimeOut) => Ok(Self::TimedOut),
            (
                Self::Waiting,
                SaleEvent::Committed
                | SaleEvent::Decline(_)
                | SaleEvent::JournalFailed
                | SaleEvent::Offer
                | SaleEvent::TakePart
                | SaleEvent::Again
                | SaleEvent::Doubt
                | SaleEvent::NotPaid,
            )
            | (
                Self::Authorizing,
                SaleEvent::Card | SaleEvent::Cancel | SaleEvent::TimeOut | SaleEvent::TakePart | SaleEvent::NotPaid,
            )
            | (
                Self::InDoubt,
                SaleEvent::Decline(_)
                | SaleEvent::Cancel
                | SaleEvent::TimeOut
                | SaleEvent::JournalFailed
                | SaleEvent::Offer
                | SaleEvent::TakePart
                | SaleEvent::Again
                | SaleEvent::Doubt,
            )
            | (
                Self::Offered,
                SaleEvent::Card
                | SaleEvent::Committed
                | SaleEvent::Decline(_)
                | SaleEvent::JournalFailed
                | SaleEvent::Offer
                | SaleEvent::Again
                | SaleEvent::Doubt
                | SaleEvent::NotPaid,
            )
            | (Self::Accepted | Self::Declined(_) | Self::Cancelled | Self::TimedOut | Self::Failed, _) => {
                Err(TransitionError { state: self, event })
            }
        }
    }

    /// True where nothing can happen to it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Waiting | Self::Authorizing | Self::Offered | Self::InDoubt => false,
            Self::Accepted | Self::Declined(_) | Self::Cancelled | Self::TimedOut | Self::Failed => true,
        }
    }

    /// Its name in the local API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Authorizing => "authorizing",
            Self::Offered => "offer",
            Self::InDoubt => "in_doubt",
            Self::Accepted => "accepted",
            Self::Declined(_) => "declined",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SaleEvent as E;
    use SaleState as S;

    const REASON: DeclineReason = DeclineReason::InsufficientFunds;

    const EVENTS: [E; 11] = [
        E::Card,
        E::Committed,
        E::Decline(REASON),
        E::Cancel,
        E::TimeOut,
        E::JournalFailed,
        E::Offer,
        E::TakePart,
        E::Again,
        E::Doubt,
        E::NotPaid,
    ];

    #[test]
    fn every_pair_of_state_and_event_is_decided() {
        let next_of = |state: S| -> Vec<(E, S)> {
            match state {
                S::Waiting => vec![(E::Card, S::Authorizing), (E::Cancel, S::Cancelled), (E::TimeOut, S::TimedOut)],
                S::Authorizing => vec![
                    (E::Committed, S::Accepted),
                    (E::Decline(REASON), S::Declined(REASON)),
                    (E::JournalFailed, S::Failed),
                    (E::Offer, S::Offered),
                    (E::Again, S::Waiting),
                    (E::Doubt, S::InDoubt),
                ],
                S::Offered => vec![(E::Cancel, S::Cancelled), (E::TimeOut, S::TimedOut), (E::TakePart, S::Waiting)],
                S::InDoubt => vec![(E::Card, S::Authorizing), (E::Committed, S::Accepted), (E::NotPaid, S::Failed)],
                S::Accepted | S::Declined(_) | S::Cancelled | S::TimedOut | S::Failed => vec![],
            }
        };
        for state in STATES {
            for event in EVENTS {
                let next = next_of(state).iter().find(|(of, _)| *of == event).map(|(_, next)| *next);
                assert_eq!(state.step(event).ok(), next, "{state:?} {event:?}");
            }
            assert_eq!(state.is_final(), next_of(state).is_empty());
        }
    }

    const STATES: [S; 9] = [
        S::Waiting,
        S::Authorizing,
        S::Offered,
        S::InDoubt,
        S::Accepted,
        S::Declined(REASON),
        S::Cancelled,
        S::TimedOut,
        S::Failed,
    ];

    #[test]
    fn accepted_comes_from_a_commit_and_from_nothing_else() {
        for state in STATES {
            for event in EVENTS {
                if state.step(event) == Ok(S::Accepted) {
                    assert!(matches!((state, event), (S::Authorizing | S::InDoubt, E::Committed)));
                }
            }
        }
    }

    #[test]
    fn states_are_called_as_the_local_api_says() {
        let states = [
            S::Waiting,
            S::Authorizing,
            S::Offered,
            S::InDoubt,
            S::Accepted,
            S::Declined(REASON),
            S::Cancelled,
            S::TimedOut,
            S::Failed,
        ];
        let names = states.map(S::name);
        let known =
            ["waiting", "authorizing", "offer", "in_doubt", "accepted", "declined", "cancelled", "timed_out", "failed"];
        assert_eq!(names, known);
    }
}
