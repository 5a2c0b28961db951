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
            (Self::Offered, SaleEvent::TakePart) => Ok(Self::Waiting),
            (Self::Offered, SaleEvent::Cancel) => Ok(Self::Cancelled),
            (Self::Offered, SaleEvent::TimeOut) => Ok(Self::TimedOut),
            (
                Self::Waiting,
                SaleEvent::Committed
                | SaleEvent::Decline(_)
                | SaleEvent::JournalFailed
                | SaleEvent::Offer
                | SaleEvent::TakePart,
            )
            | (Self::Authorizing, SaleEvent::Card | SaleEvent::Cancel | SaleEvent::TimeOut | SaleEvent::TakePart)
            | (
                Self::Offered,
                SaleEvent::Card
                | SaleEvent::Committed
                | SaleEvent::Decline(_)
                | SaleEvent::JournalFailed
                | SaleEvent::Offer,
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
            Self::Waiting | Self::Authorizing | Self::Offered => false,
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

    #[test]
    fn every_pair_of_state_and_event_is_decided() {
        let events =
            [E::Card, E::Committed, E::Decline(REASON), E::Cancel, E::TimeOut, E::JournalFailed, E::Offer, E::TakePart];
        let no = None;
        for (state, next) in [
            (S::Waiting, [Some(S::Authorizing), no, no, Some(S::Cancelled), Some(S::TimedOut), no, no, no]),
            (
                S::Authorizing,
                [no, Some(S::Accepted), Some(S::Declined(REASON)), no, no, Some(S::Failed), Some(S::Offered), no],
            ),
            (S::Offered, [no, no, no, Some(S::Cancelled), Some(S::TimedOut), no, no, Some(S::Waiting)]),
            (S::Accepted, [no; 8]),
            (S::Declined(REASON), [no; 8]),
            (S::Cancelled, [no; 8]),
            (S::TimedOut, [no; 8]),
            (S::Failed, [no; 8]),
        ] {
            for (event, next) in events.into_iter().zip(next) {
                assert_eq!(state.step(event).ok(), next, "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn accepted_comes_from_a_commit_and_from_nothing_else() {
        for state in [S::Waiting, S::Authorizing, S::Offered, S::Declined(REASON), S::Cancelled, S::TimedOut, S::Failed]
        {
            for event in [
                E::Card,
                E::Committed,
                E::Decline(REASON),
                E::Cancel,
                E::TimeOut,
                E::JournalFailed,
                E::Offer,
                E::TakePart,
            ] {
                if state.step(event) == Ok(S::Accepted) {
                    assert_eq!((state, event), (S::Authorizing, E::Committed));
                }
            }
        }
    }
}
