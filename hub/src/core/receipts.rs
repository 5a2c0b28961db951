//! What a receipt without paper is worth, once its signature fits.

use cabas_protocol::sync::Standing;
use cabas_protocol::{Seq, Timestamp};

/// What the hub knows of the row that a receipt is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReceiptFacts {
    /// The row.
    pub seq: Seq,
    /// How its enrolment stands.
    pub standing: Standing,
    /// Where two people closed it, and when.
    pub closed: Option<(Seq, Timestamp)>,
    /// Whether the row says the same; nothing where the hub does not have it.
    pub row_fits: Option<bool>,
    /// Whether a row that does not fit its journal says the same.
    pub disputed_fits: bool,
}

/// What a receipt whose signature fits is worth.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReceiptVerdict {
    /// The hub has the row, and it says the same.
    Received,
    /// The hub does not have the row yet: a shop without a network.
    NotReceived,
    /// The hub has such a row, which does not fit its journal.
    Disputed,
    /// Signed beyond the place where the enrolment was closed: whoever holds the key may have made it.
    Closed {
        /// Since when.
        since: Timestamp,
    },
    /// The terminal may sell no more, and the hub never got the row.
    Revoked,
    /// The terminal's journal says something else in that place.
    Contradicted,
}

impl ReceiptVerdict {
    /// Its name for programs and in the words of the pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::NotReceived => "not_received",
            Self::Disputed => "disputed",
            Self::Closed { .. } => "closed",
            Self::Revoked => "revoked",
            Self::Contradicted => "contradicted",
        }
    }

    /// True where the terminal's word is taken for it.
    #[must_use]
    pub const fn is_authentic(self) -> bool {
        match self {
            Self::Received | Self::NotReceived | Self::Disputed => true,
            Self::Closed { .. } | Self::Revoked | Self::Contradicted => false,
        }
    }
}

/// What is worse counts first: a place beyond the end of an enrolment is no place, even where a row came for it.
#[must_use]
pub fn judge(facts: &ReceiptFacts) -> ReceiptVerdict {
    match (facts.closed, facts.row_fits) {
        (Some((at, since)), _) if facts.seq > at => ReceiptVerdict::Closed { since },
        (_, Some(true)) => ReceiptVerdict::Received,
        (_, _) if facts.disputed_fits => ReceiptVerdict::Disputed,
        (_, Some(false)) => ReceiptVerdict::Contradicted,
        (_, None) => match facts.standing {
            Standing::Live | Standing::Quarantined => ReceiptVerdict::NotReceived,
            Standing::Revoked | Standing::Closed => ReceiptVerdict::Revoked,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_worth_what_its_row_is() {
        let since = Timestamp::new(900);
        let sound = ReceiptFacts {
            seq: Seq::new(7),
            standing: Standing::Live,
            closed: None,
            row_fits: Some(true),
            disputed_fits: false,
        };
        let closed_at = |seq| Some((Seq::new(seq), since));
        for (facts, verdict) in [
            (sound, ReceiptVerdict::Received),
            (ReceiptFacts { standing: Standing::Revoked, ..sound }, ReceiptVerdict::Received),
            (ReceiptFacts { standing: Standing::Closed, closed: closed_at(7), ..sound }, ReceiptVerdict::Received),
            (
                ReceiptFacts { standing: Standing::Closed, closed: closed_at(6), ..sound },
                ReceiptVerdict::Closed { since },
            ),
            (ReceiptFacts { closed: closed_at(6), disputed_fits: true, ..sound }, ReceiptVerdict::Closed { since }),
            (ReceiptFacts { row_fits: Some(false), ..sound }, ReceiptVerdict::Contradicted),
            (ReceiptFacts { row_fits: Some(false), disputed_fits: true, ..sound }, ReceiptVerdict::Disputed),
            (ReceiptFacts { row_fits: None, disputed_fits: true, ..sound }, ReceiptVerdict::Disputed),
            (ReceiptFacts { row_fits: None, ..sound }, ReceiptVerdict::NotReceived),
            (ReceiptFacts { row_fits: None, standing: Standing::Quarantined, ..sound }, ReceiptVerdict::NotReceived),
            (ReceiptFacts { row_fits: None, standing: Standing::Revoked, ..sound }, ReceiptVerdict::Revoked),
        ] {
            assert_eq!(judge(&facts), verdict, "{facts:?}");
        }
    }
}
