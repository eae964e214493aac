//! How often an address may try a password or a token. Pure.
//!
//! Not here: sessions that stand, which no count touches.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::web::places::network;

/// Tries that are free.
const FREE: u32 = 5;
/// After the last free one; doubled with each that follows.
const FIRST_WAIT_NS: u64 = 30 * 1_000_000_000;
const LONGEST_WAIT_NS: u64 = 3600 * 1_000_000_000;
/// After so long without one, the count begins anew.
const FORGOTTEN_NS: u64 = 24 * 3600 * 1_000_000_000;
/// Sources that are remembered.
const SOURCES_MOST: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Tries(HashMap<IpAddr, SourceTries>);

#[derive(Clone, Copy, Debug)]
struct SourceTries {
    failed: u32,
    last_ns: u64,
    not_before_ns: u64,
}

/// How long until the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TryWait {
    pub seconds: u64,
}

impl Tries {
    /// Counts as a failure until [`Tries::succeeded`]: many at once are no way around it.
    pub fn begin(&mut self, address: IpAddr, now_ns: u64) -> Result<(), TryWait> {
        let source = network(address);
        self.0
            .retain(|_, tries| now_ns.saturating_sub(tries.last_ns) < FORGOTTEN_NS);
        if !self.0.contains_key(&source) {
            self.make_room();
        }
        let tries = self.0.entry(source).or_insert(SourceTries {
            failed: 0,
            last_ns: now_ns,
            not_before_ns: 0,
        });
        let left_ns = tries.not_before_ns.saturating_sub(now_ns);
        if left_ns > 0 {
            return Err(TryWait {
                seconds: left_ns.div_ceil(1_000_000_000),
            });
        }
        tries.failed = tries.failed.saturating_add(1);
        tries.last_ns = now_ns;
        if tries.failed >= FREE {
            let doubled = FIRST_WAIT_NS.saturating_mul(1 << (tries.failed - FREE).min(20));
            tries.not_before_ns = now_ns.saturating_add(doubled.min(LONGEST_WAIT_NS));
        }
        Ok(())
    }

    /// It was no failure. Earlier ones stay counted: who has one password cannot try others in between for ever.
    pub fn succeeded(&mut self, address: IpAddr) {
        let source = network(address);
        if let Some(tries) = self.0.get_mut(&source) {
            tries.failed = tries.failed.saturating_sub(1);
            tries.not_before_ns = 0;
            if tries.failed == 0 {
                self.0.remove(&source);
            }
        }
    }

    /// The one that has tried least, and of those the oldest, is forgotten.
    fn make_room(&mut self) {
        while self.0.len() >= SOURCES_MOST {
            let least = self
                .0
                .iter()
                .min_by_key(|(_, tries)| (tries.failed, tries.last_ns));
            let Some(source) = least.map(|(source, _)| *source) else {
                return;
            };
            self.0.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn five_tries_are_free_and_then_each_waits_twice_as_long() {
        let (mut tries, guest) = (Tries::default(), ip("192.0.2.7"));
        let mut now = 7 * SECOND;
        for _ in 0..5 {
            tries.begin(guest, now).unwrap();
        }
        for wait in [30, 60, 120, 240, 480, 960, 1920, 3600, 3600] {
            assert_eq!(tries.begin(guest, now), Err(TryWait { seconds: wait }));
            let early = now + wait * SECOND - 1;
            assert_eq!(
                tries.begin(guest, early),
                Err(TryWait { seconds: 1 }),
                "{wait}"
            );
            assert!(
                tries.begin(ip("192.0.2.8"), now).is_ok(),
                "others do not wait"
            );
            tries.succeeded(ip("192.0.2.8"));
            now += wait * SECOND;
            tries.begin(guest, now).unwrap();
        }
        assert!(
            tries.begin(guest, now + 25 * 3600 * SECOND).is_ok(),
            "forgotten after a day"
        );
    }

    #[test]
    fn who_gets_in_has_not_failed_and_has_no_new_tries_either() {
        let (mut tries, guest) = (Tries::default(), ip("192.0.2.7"));
        for _ in 0..100 {
            tries.begin(guest, 0).unwrap();
            tries.succeeded(guest);
        }
        for _ in 0..4 {
            tries.begin(guest, 0).unwrap();
        }
        tries.begin(guest, 0).unwrap();
        tries.succeeded(guest);
        tries.begin(guest, 0).unwrap();
        assert!(tries.begin(guest, 0).is_err(), "the four are still counted");
    }

    #[test]
    fn of_ipv6_a_network_counts_as_one_and_ipv4_stays_itself() {
        let mut tries = Tries::default();
        for n in 0..5 {
            tries.begin(ip(&format!("2001:db8:0:1::{n}")), 0).unwrap();
            tries.begin(ip("::ffff:192.0.2.7"), 0).unwrap();
        }
        assert!(tries.begin(ip("2001:db8:0:1:ffff::1"), 0).is_err());
        assert!(tries.begin(ip("2001:db8:0:2::1"), 0).is_ok());
        assert!(tries.begin(ip("192.0.2.7"), 0).is_err());
        assert!(tries.begin(ip("192.0.2.8"), 0).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_who_has_to_wait_is_not_forgotten_for_strangers() {
        let (mut tries, guest) = (Tries::default(), ip("192.0.2.7"));
        for _ in 0..5 {
            tries.begin(guest, 0).unwrap();
        }
        for n in 0..20_000_u32 {
            let stranger = std::net::Ipv4Addr::from(0x0a00_0000 + n);
            tries.begin(stranger.into(), u64::from(n)).unwrap();
        }
        assert_eq!(tries.0.len(), SOURCES_MOST);
        assert!(tries.begin(guest, SECOND).is_err());
    }
}
