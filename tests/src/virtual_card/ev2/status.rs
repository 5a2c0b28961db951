//! What a card answers besides data.

/// The second status byte of an answer; the first is 0x91.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Status(u8);

impl Status {
    pub(crate) const OK: Self = Self(0x00);
    /// Nothing to commit or to abort.
    pub(crate) const NO_CHANGES: Self = Self(0x0c);
    pub(crate) const OUT_OF_MEMORY: Self = Self(0x0e);
    pub(crate) const ILLEGAL_COMMAND: Self = Self(0x1c);
    /// A MAC, a checksum or a padding is wrong.
    pub(crate) const INTEGRITY: Self = Self(0x1e);
    pub(crate) const NO_SUCH_KEY: Self = Self(0x40);
    pub(crate) const LENGTH: Self = Self(0x7e);
    /// Not allowed to anybody, or not at this moment.
    pub(crate) const PERMISSION_DENIED: Self = Self(0x9d);
    pub(crate) const PARAMETER: Self = Self(0x9e);
    pub(crate) const APPLICATION_NOT_FOUND: Self = Self(0xa0);
    /// Not allowed to who is authenticated, or the authentication failed.
    pub(crate) const AUTHENTICATION: Self = Self(0xae);
    pub(crate) const MORE: Self = Self(0xaf);
    /// Beyond the end of a file, or beyond the limits of a value.
    pub(crate) const BOUNDARY: Self = Self(0xbe);
    /// A command came where the rest of another was due.
    pub(crate) const ABORTED: Self = Self(0xca);
    pub(crate) const TOO_MANY_APPLICATIONS: Self = Self(0xce);
    pub(crate) const DUPLICATE: Self = Self(0xde);
    pub(crate) const FILE_NOT_FOUND: Self = Self(0xf0);

    /// An answer: data and status.
    pub(crate) fn after(self, data: &[u8]) -> Vec<u8> {
        [data, &self.bytes()].concat()
    }

    /// Both status bytes.
    pub(crate) fn bytes(self) -> [u8; 2] {
        [0x91, self.0]
    }

    pub(crate) fn byte(self) -> u8 {
        self.0
    }
}
