//! Who may do what: the access rights of a file and the settings of a key holder.

use crate::virtual_card::ev2::status::Status;

const FREE: u8 = 0xe;
const NEVER: u8 = 0xf;

/// The four rights of a file, a nibble each: a key's number, free, or never.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Rights(pub(super) u16);

/// Why something is granted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Grant {
    /// By the key that authenticated: the file's own communication mode applies.
    Key,
    /// To anybody: nothing protects the dialogue, even within a session.
    Free,
}

impl Rights {
    pub(super) fn read(self) -> u8 {
        nibble(self.0 >> 12)
    }

    pub(super) fn write(self) -> u8 {
        nibble(self.0 >> 8)
    }

    pub(super) fn read_write(self) -> u8 {
        nibble(self.0 >> 4)
    }

    pub(super) fn change(self) -> u8 {
        nibble(self.0)
    }

    /// Whether all of them name keys that there are.
    pub(super) fn fit(self, keys: usize) -> bool {
        [self.read(), self.write(), self.read_write(), self.change()]
            .iter()
            .all(|right| usize::from(*right) < keys || [FREE, NEVER].contains(right))
    }
}

fn nibble(bits: u16) -> u8 {
    let [low, _] = bits.to_le_bytes();
    low & 0x0f
}

/// Whether any of these rights is granted to who authenticated with this key.
pub(super) fn granted(rights: &[u8], key: Option<u8>) -> Result<Grant, Status> {
    if key.is_some_and(|key| key < FREE && rights.contains(&key)) {
        Ok(Grant::Key)
    } else if rights.contains(&FREE) {
        Ok(Grant::Free)
    } else if rights.iter().all(|right| *right == NEVER) {
        Err(Status::PERMISSION_DENIED)
    } else {
        Err(Status::AUTHENTICATION)
    }
}

/// The settings of the card or of an application (the first settings byte).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Settings(pub(super) u8);

impl Settings {
    /// A new card's.
    pub(super) const FACTORY: Self = Self(0x0f);

    pub(super) fn master_key_may_change(self) -> bool {
        self.0 & 0b0001 != 0
    }

    pub(super) fn may_list_freely(self) -> bool {
        self.0 & 0b0010 != 0
    }

    pub(super) fn may_create_freely(self) -> bool {
        self.0 & 0b0100 != 0
    }

    pub(super) fn may_change(self) -> bool {
        self.0 & 0b1000 != 0
    }

    /// Whether who authenticated with one key may change another.
    pub(super) fn may_change_key(self, authenticated: u8, changed: u8) -> Result<(), Status> {
        if changed == 0 && !self.master_key_may_change() {
            return Err(Status::PERMISSION_DENIED);
        }
        let needed = match self.0 >> 4 {
            _ if changed == 0 => 0,
            0xf => return Err(Status::PERMISSION_DENIED),
            0xe => changed,
            // The key that changes the others is itself changed by the master key only.
            change_key if change_key == changed => 0,
            change_key => change_key,
        };
        if authenticated == needed { Ok(()) } else { Err(Status::AUTHENTICATION) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_granted_by_its_key_or_to_all() {
        for (rights, key, grant) in [
            (&[1, 2][..], Some(2), Ok(Grant::Key)),
            (&[1, 2], Some(3), Err(Status::AUTHENTICATION)),
            (&[1, 2], None, Err(Status::AUTHENTICATION)),
            (&[1, FREE], None, Ok(Grant::Free)),
            (&[1, FREE], Some(1), Ok(Grant::Key)),
            (&[1, FREE], Some(2), Ok(Grant::Free)),
            (&[NEVER, NEVER], Some(0), Err(Status::PERMISSION_DENIED)),
            (&[NEVER, 3], Some(0), Err(Status::AUTHENTICATION)),
        ] {
            assert_eq!(granted(rights, key), grant, "{rights:?} {key:?}");
        }
    }

    #[test]
    fn keys_are_changed_by_whom_the_settings_name() {
        let (allowed, denied, wrong_key) = (Ok(()), Err(Status::PERMISSION_DENIED), Err(Status::AUTHENTICATION));
        for (settings, authenticated, changed, result) in [
            (0x0f, 0, 0, allowed),
            (0x0e, 0, 0, denied),
            (0x0f, 0, 3, allowed),
            (0x0f, 3, 3, wrong_key),
            (0x2f, 2, 3, allowed),
            (0x2f, 0, 3, wrong_key),
            (0x2f, 2, 2, wrong_key),
            (0x2f, 0, 2, allowed),
            (0x2f, 2, 0, wrong_key),
            (0xef, 3, 3, allowed),
            (0xef, 0, 3, wrong_key),
            (0xff, 0, 3, denied),
            (0xff, 0, 0, allowed),
        ] {
            assert_eq!(Settings(settings).may_change_key(authenticated, changed), result, "{settings:02x} {changed}");
        }
    }
}
