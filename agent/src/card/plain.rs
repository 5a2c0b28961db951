//! A plain card (tier T3): its UID is all it has, and anybody can copy it.

use super::{Card, CardError, ForeignCard, Uid, UidClass};

/// GET DATA, UID (PC/SC part 3, §3.2.2.1.3): the reader answers it by itself.
const GET_UID: [u8; 5] = [0xff, 0xca, 0, 0, 0];
const SUCCESS: u16 = 0x9000;

/// Reads the UID of what is in the field.
///
/// # Errors
/// What it is instead of a card that can be used.
pub fn read_uid(card: &mut dyn Card) -> Result<Uid, ForeignCard> {
    let answer = match card.transmit(&GET_UID) {
        Ok(answer) => answer,
        Err(CardError::LinkLost) => return Err(ForeignCard::Left),
        Err(CardError::Refused(status)) => return Err(ForeignCard::NoUid { status }),
        Err(CardError::Foreign) => return Err(ForeignCard::Mute),
    };
    if answer.status != SUCCESS {
        return Err(ForeignCard::NoUid { status: answer.status });
    }
    let uid = Uid::new(&answer.data).map_err(|error| ForeignCard::BadUid { len: error.len })?;
    match uid.class() {
        UidClass::Unique => Ok(uid),
        UidClass::Random => Err(ForeignCard::RandomUid),
        UidClass::NonUnique => Err(ForeignCard::NonUniqueUid),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use crate::card::Answer;

    struct Fixed(Result<Answer, CardError>);

    impl Card for Fixed {
        fn transmit(&mut self, apdu: &[u8]) -> Result<Answer, CardError> {
            assert_eq!(apdu, [0xff, 0xca, 0, 0, 0]);
            self.0.clone()
        }
    }

    fn read(given: Result<&[u8], CardError>) -> Result<Uid, ForeignCard> {
        read_uid(&mut Fixed(given.and_then(Answer::parse)))
    }

    #[test]
    fn only_a_unique_uid_of_a_right_length_is_taken() {
        assert_eq!(read(Ok(&[4, 1, 2, 3, 0x90, 0])).unwrap().as_bytes(), [4, 1, 2, 3]);
        assert_eq!(read(Ok(&[4, 1, 2, 3, 4, 5, 6, 0x90, 0])).unwrap().as_bytes(), [4, 1, 2, 3, 4, 5, 6]);
        for (given, foreign) in [
            (Ok(&[8, 1, 2, 3, 0x90, 0][..]), ForeignCard::RandomUid),
            (Ok(&[1, 2, 3, 4, 0x90, 0]), ForeignCard::NonUniqueUid),
            (Ok(&[0, 0, 0, 0, 0x90, 0]), ForeignCard::NonUniqueUid),
            (Ok(&[0x90, 0]), ForeignCard::BadUid { len: 0 }),
            (Ok(&[1, 2, 3, 0x90, 0]), ForeignCard::BadUid { len: 3 }),
            (Ok(&[7; 40]), ForeignCard::NoUid { status: 0x0707 }),
            (Ok(&[0x6a, 0x81]), ForeignCard::NoUid { status: 0x6a81 }),
            (Ok(&[]), ForeignCard::Left),
            (Ok(&[0x90]), ForeignCard::Left),
            (Err(CardError::LinkLost), ForeignCard::Left),
            (Err(CardError::Refused(0x6982)), ForeignCard::NoUid { status: 0x6982 }),
            (Err(CardError::Foreign), ForeignCard::Mute),
        ] {
            assert_eq!(read(given).unwrap_err(), foreign, "{given:02x?}");
        }
    }
}
