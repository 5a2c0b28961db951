//! The names of things on the wire: each a type of its own, so that two can never be swapped.

use std::fmt;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, minicbor::Encode, minicbor::Decode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] $inner);

        impl $name {
            /// Makes the id of a number.
            #[must_use]
            pub const fn new(number: $inner) -> Self {
                Self(number)
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! counter {
    ($name:ident($inner:ty)) => {
        impl $name {
            /// The next one, or nothing at the end of the numbers.
            #[must_use]
            pub const fn next(self) -> Option<Self> {
                match self.0.checked_add(1) {
                    Some(next) => Some(Self(next)),
                    None => None,
                }
            }
        }
    };
}

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident[$len:literal]) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Makes the id of its bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The id of exactly as many bytes as it has.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// Reads lower-case or upper-case hexadecimal of the exact length.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut bytes = [0; $len];
                let mut pairs = text.as_bytes().chunks_exact(2);
                if text.len() != 2 * $len {
                    return None;
                }
                for (byte, pair) in bytes.iter_mut().zip(pairs.by_ref()) {
                    let pair = std::str::from_utf8(pair).ok().filter(|p| !p.starts_with('+'))?;
                    *byte = u8::from_str_radix(pair, 16).ok()?;
                }
                Some(Self(bytes))
            }
        }

        /// Lower-case hexadecimal.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let position = d.position();
                Self::from_slice(d.bytes()?)
                    .ok_or_else(|| minicbor::decode::Error::message(concat!("not ", $len, " bytes")).at(position))
            }
        }
    };
}

number_id!(
    /// A fund. Objects of another fund are refused.
    FundId(u32)
);
number_id!(
    /// A terminal, given by the hub and never used again for another.
    TerminalId(u32)
);
number_id!(
    /// An enrolment of a terminal: +1 each time. Counters, slices and rows belong to (terminal, epoch).
    Epoch(u32)
);
number_id!(
    /// A life of the hub: +1 at each restore from a backup.
    Incarnation(u32)
);
number_id!(
    /// A run of hub time: +1 at each hub-signed reset that lets time go back.
    TimeEpoch(u32)
);
number_id!(
    /// The place of a row in its epoch's journal, dense from 1.
    Seq(u32)
);
number_id!(
    /// The number of a signed balance within its scope; a higher one never allows less.
    Serial(u32)
);
number_id!(
    /// The number of a set of limits.
    PolicyId(u32)
);
number_id!(
    /// A version of a hot list, a grid, a binding or a configuration. It never goes down.
    Version(u32)
);
number_id!(
    /// A category of goods in a shop's grid. 0 is the default category.
    CategoryId(u16)
);
number_id!(
    /// An ISO 4217 number: 978 is the euro.
    CurrencyCode(u16)
);
number_id!(
    /// Seconds since 1970-01-01 UTC.
    Timestamp(u64)
);

counter!(Epoch(u32));
counter!(Incarnation(u32));
counter!(TimeEpoch(u32));
counter!(Seq(u32));
counter!(Serial(u32));
counter!(Version(u32));

impl CurrencyCode {
    /// The euro.
    pub const EUR: Self = Self(978);
}

impl Seq {
    /// What comes before the first row.
    pub const NONE: Self = Self(0);
    /// The first row of an epoch.
    pub const FIRST: Self = Self(1);
}

impl Timestamp {
    /// This moment and `seconds` more, at most the end of time.
    #[must_use]
    pub const fn after_s(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this moment; nothing where it is not earlier.
    #[must_use]
    pub const fn since_s(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

bytes_id!(
    /// A purse: random, a pseudonym of a household or of one purse card.
    PurseRef[8]
);
bytes_id!(
    /// A card: the first 8 bytes of HMAC-SHA-256 of its UID under the fund's card key. It hides the UID from a casual
    /// reader of the disk, no more: who holds the key can search the UIDs.
    CardRef[8]
);
bytes_id!(
    /// A key: the first 8 bytes of SHA-256 of the public key.
    KeyId[8]
);
bytes_id!(
    /// An operation: random, made once by whoever starts it and resent for ever.
    RequestId[8]
);
bytes_id!(
    /// A SHA-256 hash.
    Hash[32]
);
bytes_id!(
    /// A run of the operating system, so that monotonic times are compared within it only.
    BootId[8]
);

/// The number on a receipt: 1 to 999 999 per terminal, wraps. For people; the key is (terminal, epoch, seq).
/// ISO 8583 field 11, n6.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Stan(u32);

impl Stan {
    /// The first one.
    pub const FIRST: Self = Self(1);
    /// The last one before it wraps.
    pub const MAX: u32 = 999_999;

    /// Makes a number in range.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 || number > Self::MAX { None } else { Some(Self(number)) }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The next one; 1 after 999 999.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 >= Self::MAX { Self::FIRST } else { Self(self.0.saturating_add(1)) }
    }
}

/// Six digits.
impl fmt::Display for Stan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl<C> minicbor::Encode<C> for Stan {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u32(self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Stan {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let position = d.position();
        Self::new(d.u32()?).ok_or_else(|| minicbor::decode::Error::message("not a STAN (1 to 999999)").at(position))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn a_stan_wraps_to_one() {
        assert_eq!(Stan::new(0), None);
        assert_eq!(Stan::new(1_000_000), None);
        assert_eq!(Stan::new(Stan::MAX).unwrap().next(), Stan::FIRST);
        assert_eq!(Stan::FIRST.next().to_string(), "000002");
    }

    #[test]
    fn hexadecimal_is_read_exactly() {
        let purse = PurseRef::new([0, 1, 2, 3, 4, 5, 0xfe, 0xff]);
        assert_eq!(purse.to_string(), "000102030405feff");
        assert_eq!(PurseRef::from_hex("000102030405FEFF"), Some(purse));
        for bad in ["", "00010203", "000102030405feff00", "+00102030405feff", "0001020304é5fff", "000102030405fefg"] {
            assert_eq!(PurseRef::from_hex(bad), None, "{bad}");
        }
    }
}
