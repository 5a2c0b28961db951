//! Which of the fund's signing keys signs what a terminal gets: the newest that it is known to have, so that a terminal
//! which was off line for weeks can still check what it hears.

use cabas_protocol::KeyId;

/// A signing key as the ledger knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SigningKey {
    /// Its id.
    pub id: KeyId,
    /// The change with which its certificate came.
    pub change: u64,
    /// True where the root took it back.
    pub revoked: bool,
}

/// Chooses the key for a terminal that has every certificate up to the change `confirmed`: the newest of those that were
/// not taken back and whose private half is `at_hand`. Where it has none of them, the oldest there is: it stands with the
/// certificates in the same answer.
#[must_use]
pub fn choose(keys: &[SigningKey], confirmed: u64, at_hand: impl Fn(KeyId) -> bool) -> Option<KeyId> {
    let usable = || keys.iter().filter(|key| !key.revoked && at_hand(key.id));
    let known = usable().filter(|key| key.change <= confirmed).max_by_key(|key| key.change);
    known.or_else(|| usable().min_by_key(|key| key.change)).map(|key| key.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8, change: u64, revoked: bool) -> SigningKey {
        SigningKey { id: KeyId::new([number; 8]), change, revoked }
    }

    #[test]
    fn the_newest_key_that_a_terminal_has_signs_and_a_revoked_one_never() {
        let (first, second, third) = (key(1, 10, false), key(2, 20, false), key(3, 30, false));
        let lost = |key: SigningKey| SigningKey { revoked: true, ..key };
        for (keys, confirmed, expected) in [
            (vec![first], 0, Some(1)),
            (vec![first, second, third], 5, Some(1)),
            (vec![first, second, third], 19, Some(1)),
            (vec![first, second, third], 20, Some(2)),
            (vec![first, second, third], 99, Some(3)),
            (vec![lost(first), second, third], 12, Some(2)),
            (vec![first, lost(second), third], 25, Some(1)),
            (vec![lost(first), lost(second)], 25, None),
            (vec![], 25, None),
        ] {
            let chosen = choose(&keys, confirmed, |_| true);
            assert_eq!(chosen, expected.map(|number| KeyId::new([number; 8])), "{keys:?} {confirmed}");
        }
        let at_hand = |id| id != second.id;
        assert_eq!(choose(&[first, second], 25, at_hand), Some(first.id));
    }
}
