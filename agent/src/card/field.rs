//! What lies in the field of the readers, and what changed: pure, so that every order of events can be tried.

/// A card that a reader reports.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Seen {
    /// The reader's name.
    pub(super) reader: String,
    /// The reader's count of insertions and removals: another one is another tap.
    pub(super) count: u32,
}

/// What to do about what changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    /// Nothing.
    Same,
    /// The last card left.
    Emptied,
    /// One card came: read the first that is seen.
    Came,
    /// The card left and one came, between two looks.
    Replaced,
    /// There is more than one.
    Several,
}

/// The field as it was at the last look.
#[derive(Debug, Default)]
pub(super) enum Field {
    #[default]
    Empty,
    One(Seen),
    /// Until all have left: nobody can say which of them was meant.
    Several,
}

impl Field {
    /// Takes over what is seen, and says what changed.
    pub(super) fn look(&mut self, seen: &[Seen]) -> Change {
        match (&*self, seen) {
            (Self::Empty, []) | (Self::Several, [_, ..]) => Change::Same,
            (Self::One(_) | Self::Several, []) => {
                *self = Self::Empty;
                Change::Emptied
            }
            (Self::Empty, [card]) => {
                *self = Self::One(card.clone());
                Change::Came
            }
            (Self::One(before), [card]) if before == card => Change::Same,
            (Self::One(_), [card]) => {
                *self = Self::One(card.clone());
                Change::Replaced
            }
            (Self::Empty | Self::One(_), [_, _, ..]) => {
                *self = Self::Several;
                Change::Several
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(cards: &[(&str, u32)]) -> Vec<Seen> {
        cards.iter().map(|(reader, count)| Seen { reader: (*reader).to_owned(), count: *count }).collect()
    }

    #[test]
    fn each_tap_is_told_once() {
        let mut field = Field::default();
        for (step, (cards, change)) in [
            (&[][..], Change::Same),
            (&[("a", 1)][..], Change::Came),
            (&[("a", 1)], Change::Same),
            (&[], Change::Emptied),
            (&[], Change::Same),
            (&[("a", 3)], Change::Came),
            (&[("a", 5)], Change::Replaced),
            (&[("b", 5)], Change::Replaced),
            (&[], Change::Emptied),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(field.look(&seen(cards)), change, "step {step}");
        }
    }

    #[test]
    fn several_cards_are_several_until_all_have_left() {
        for first in [&[][..], &[("a", 1)][..]] {
            let mut field = Field::default();
            let _ = field.look(&seen(first));
            for (step, (cards, change)) in [
                (&[("a", 1), ("b", 1)][..], Change::Several),
                (&[("a", 1), ("b", 1)], Change::Same),
                (&[("a", 1), ("b", 1), ("c", 1)], Change::Same),
                (&[("b", 1)], Change::Same),
                (&[("b", 3)], Change::Same),
                (&[], Change::Emptied),
                (&[("b", 5)], Change::Came),
            ]
            .into_iter()
            .enumerate()
            {
                assert_eq!(field.look(&seen(cards)), change, "step {step} after {first:?}");
            }
        }
    }
}
