//! How often an address may try to log in: guesses over many names are slowed down here, those on one name at the account.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use cabas_protocol::Timestamp;

/// Tries of one address in [`WINDOW_S`].
pub const TRIES_MAX: u32 = 30;
/// The stretch over which they are counted.
pub const WINDOW_S: u64 = 15 * 60;
/// Addresses that are counted at once; above that, all are counted as one.
pub const ADDRESSES_MAX: usize = 4_096;

/// Tries by address.
#[derive(Debug, Default)]
pub struct Tries(Mutex<BTreeMap<IpAddr, (Timestamp, u32)>>);

impl Tries {
    /// Counts a try to log in; false where it is one too many.
    pub fn take(&self, address: IpAddr, now: Timestamp) -> bool {
        self.take_up_to(address, now, TRIES_MAX)
    }

    /// Counts a try; false where there were more than `most` of them.
    pub fn take_up_to(&self, address: IpAddr, now: Timestamp, most: u32) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= ADDRESSES_MAX {
            counts.retain(|_, (start, _)| holds(*start, now));
        }
        let own = network(address);
        let everybody = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let key = if counts.len() >= ADDRESSES_MAX && !counts.contains_key(&own) { everybody } else { own };
        let (start, count) = counts.entry(key).or_insert((now, 0));
        if !holds(*start, now) {
            (*start, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= most
    }
}

/// A clock that was set back begins anew: nobody is shut out for ever.
fn holds(start: Timestamp, now: Timestamp) -> bool {
    now >= start && now.since_s(start) < WINDOW_S
}

/// Who has one IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn an_address_that_tries_too_often_waits_and_another_does_not() {
        let tries = Tries::default();
        let take = |address: &str, second| tries.take(address.parse().unwrap(), Timestamp::new(second));
        assert!((0..TRIES_MAX).all(|_| take("192.0.2.1", 1_000)));
        assert!(!take("192.0.2.1", 1_000 + WINDOW_S - 1));
        assert!(!take("::ffff:192.0.2.1", 1_000));
        assert!(take("192.0.2.2", 1_000));
        assert!(take("192.0.2.1", 1_000 + WINDOW_S));
        assert!(take("192.0.2.1", 5), "the clock was set back");
        assert!((0..TRIES_MAX).all(|last| take(&format!("2001:db8::{last:x}"), 1_000)));
        assert!(!take("2001:db8::ffff", 1_000), "one network counts as one");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let tries = Tries::default();
        for number in 0..u32::try_from(ADDRESSES_MAX).unwrap() + 10 {
            tries.take(IpAddr::V4(number.into()), Timestamp::new(1));
        }
        assert!(tries.0.lock().unwrap().len() <= ADDRESSES_MAX + 1);
    }
}
