//! Who may have one of the server's places, and who makes room for whom. Pure.
//!
//! A connection is a stranger's until one of its requests was that of somebody known (a token, a session, this
//! box). Strangers from elsewhere have few places each, share most of all places, and never all: who is known,
//! and this machine, find one. Who is at work keeps its place; who is not gives it up for another, strangers
//! first, and of those whoever comes from where most come from, and who has been heard before who has not.
//!
//! Not here: the connections (`connections`), what is sent on them (`server`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// Where strangers come from, as far as they are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Origin {
    Elsewhere(IpAddr),
    ThisMachine,
}

impl Origin {
    pub fn of(address: IpAddr, this_machine: fn(IpAddr) -> bool) -> Origin {
        match this_machine(address.to_canonical()) {
            true => Origin::ThisMachine,
            false => Origin::Elsewhere(network(address)),
        }
    }
}

/// An IPv6 network gives each of its guests as many addresses as they like.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        other => other,
    }
}

/// How many places there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlaceRules {
    pub places: usize,
    /// Of strangers of one origin elsewhere.
    pub per_origin: usize,
}

impl PlaceRules {
    /// How many may be at work when one more of this kind begins.
    fn at_work_most(&self, known: bool, origin: Origin) -> usize {
        let kept = match (known, origin) {
            (true, _) => 0,
            (false, Origin::ThisMachine) => self.places / 8,
            (false, Origin::Elsewhere(_)) => self.places / 4,
        };
        self.places - kept
    }
}

/// All places are taken by connections that are at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoPlace;

/// A place was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GivenPlace {
    pub id: u64,
    /// Whose place it was.
    pub displaced: Option<u64>,
}

#[derive(Debug)]
struct Holder {
    origin: Origin,
    known: bool,
    /// It has asked for something. Who has not yet may be somebody known.
    heard: bool,
    /// `None` while a request is at work; else a number that grows with each change.
    idle_since: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Places {
    rules: PlaceRules,
    next: u64,
    holders: BTreeMap<u64, Holder>,
}

impl Places {
    pub fn new(rules: PlaceRules) -> Places {
        Places {
            rules,
            next: 0,
            holders: BTreeMap::new(),
        }
    }

    /// A connection comes.
    pub fn admit(&mut self, origin: Origin) -> Result<GivenPlace, NoPlace> {
        let displaced = self.who_makes_room(origin)?;
        if let Some(id) = displaced {
            self.holders.remove(&id);
        }
        let id = self.tick();
        let holder = Holder {
            origin,
            known: false,
            heard: false,
            idle_since: Some(id),
        };
        self.holders.insert(id, holder);
        Ok(GivenPlace { id, displaced })
    }

    fn who_makes_room(&self, origin: Origin) -> Result<Option<u64>, NoPlace> {
        let elsewhere = matches!(origin, Origin::Elsewhere(_));
        if elsewhere && self.strangers_of(origin) >= self.rules.per_origin {
            let own = self
                .holders
                .iter()
                .filter(|(_, h)| h.is_stranger_of(origin));
            let idle = own.filter_map(|(id, h)| Some((!h.heard, h.idle_since?, *id)));
            if let Some((.., id)) = idle.min() {
                return Ok(Some(id));
            }
            // All of them at work: one more is heard, for it could be somebody known (behind the same router, or in
            // the same IPv6 network); a stranger begins nothing then.
        }
        if self.holders.len() < self.rules.places {
            return Ok(None);
        }
        let idle = self.holders.iter().filter_map(|(id, holder)| {
            let since = holder.idle_since?;
            let crowd = match holder.origin {
                _ if holder.known => 0,
                Origin::ThisMachine => 1,
                Origin::Elsewhere(_) => 1 + self.strangers_of(holder.origin),
            };
            Some((std::cmp::Reverse(crowd), !holder.heard, since, *id))
        });
        idle.min().map(|(.., id)| Some(id)).ok_or(NoPlace)
    }

    fn strangers_of(&self, origin: Origin) -> usize {
        let all = self.holders.values();
        all.filter(|holder| holder.is_stranger_of(origin)).count()
    }

    /// A request begins; false: it must not, since the places of its kind are all at work.
    pub fn begin(&mut self, id: u64, known: bool) -> bool {
        let Some(holder) = self.holders.get_mut(&id) else {
            return false;
        };
        holder.heard = true;
        holder.known |= known;
        let (known, origin) = (holder.known, holder.origin);
        let at_work = self.holders.values().filter(|h| h.idle_since.is_none());
        let of_origin = at_work.clone().filter(|h| h.is_stranger_of(origin));
        let crowded = !known && matches!(origin, Origin::Elsewhere(_));
        if at_work.count() >= self.rules.at_work_most(known, origin)
            || (crowded && of_origin.count() >= self.rules.per_origin)
        {
            return false;
        }
        if let Some(holder) = self.holders.get_mut(&id) {
            holder.idle_since = None;
        }
        true
    }

    /// A stranger asks; whether not for the first time.
    pub fn hear(&mut self, id: u64) -> bool {
        let holder = self.holders.get_mut(&id);
        holder.is_some_and(|holder| std::mem::replace(&mut holder.heard, true))
    }

    /// A request was answered.
    pub fn end(&mut self, id: u64) {
        let now = self.tick();
        if let Some(holder) = self.holders.get_mut(&id) {
            holder.idle_since = Some(now);
        }
    }

    pub fn leave(&mut self, id: u64) {
        self.holders.remove(&id);
    }

    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }

    fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Holder {
    fn is_stranger_of(&self, origin: Origin) -> bool {
        !self.known && self.origin == origin
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const RULES: PlaceRules = PlaceRules {
        places: 16,
        per_origin: 4,
    };

    fn guest(n: u8) -> Origin {
        Origin::of([10, 0, 0, n].into(), |_| false)
    }

    fn id(given: Result<GivenPlace, NoPlace>) -> u64 {
        given.unwrap().id
    }

    #[test]
    fn an_ipv6_network_is_one_origin_and_loopback_is_this_machine() {
        let of = |text: &str| Origin::of(text.parse().unwrap(), |ip| ip.is_loopback());
        assert_eq!(of("2001:db8::1"), of("2001:db8::2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        for this in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(of(this), Origin::ThisMachine, "{this}");
        }
    }

    #[test]
    fn one_more_of_an_origin_takes_the_place_of_its_own_that_was_idle_longest() {
        let mut places = Places::new(RULES);
        let own: Vec<u64> = (0..4).map(|_| id(places.admit(guest(1)))).collect();
        assert!(places.begin(own[0], false));
        let given = places.admit(guest(1)).unwrap();
        assert_eq!(given.displaced, Some(own[1]));
        assert_eq!(places.admit(guest(2)).unwrap().displaced, None);
    }

    #[test]
    fn an_origin_whose_connections_are_all_at_work_gets_no_more_but_who_is_known_there_is_heard() {
        let mut places = Places::new(RULES);
        for _ in 0..4 {
            let id = id(places.admit(guest(1)));
            assert!(places.begin(id, false));
        }
        let more = places.admit(guest(1)).unwrap();
        assert_eq!(more.displaced, None);
        assert!(!places.begin(more.id, false));
        let yet_more = places.admit(guest(1)).unwrap();
        assert_eq!(yet_more.displaced, Some(more.id), "one is heard at a time");
        assert!(places.begin(yet_more.id, true), "somebody known");
        let other = id(places.admit(guest(2)));
        assert!(places.begin(other, false));
    }

    #[test]
    fn where_all_places_are_taken_the_crowd_makes_room_and_the_known_do_not() {
        let mut places = Places::new(RULES);
        let known = id(places.admit(guest(9)));
        assert!(places.begin(known, true));
        places.end(known);
        let here = id(places.admit(Origin::ThisMachine));
        let alone = id(places.admit(guest(8)));
        let mut crowd = Vec::new();
        for n in 0..13 {
            crowd.push(id(places.admit(guest(n / 4))));
        }
        let displaced: Vec<u64> = (0..3)
            .map(|n| places.admit(guest(20 + n)).unwrap().displaced.unwrap())
            .collect();
        // Of each of three crowds of four the oldest.
        assert_eq!(displaced, [crowd[0], crowd[4], crowd[8]]);
        for who in [known, here, alone] {
            assert!(places.holders.contains_key(&who));
        }
    }

    #[test]
    fn who_has_been_heard_makes_room_before_who_may_still_turn_out_to_be_known() {
        let mut places = Places::new(RULES);
        let all: Vec<u64> = (0..16)
            .map(|_| id(places.admit(Origin::ThisMachine)))
            .collect();
        for heard in [all[7], all[9]] {
            assert!(!places.hear(heard), "the first time");
            assert!(places.hear(heard));
        }
        let displaced: Vec<Option<u64>> = (0..3)
            .map(|_| places.admit(Origin::ThisMachine).unwrap().displaced)
            .collect();
        assert_eq!(displaced, [Some(all[7]), Some(all[9]), Some(all[0])]);
        // Of one guest, too.
        let mut places = Places::new(RULES);
        let own: Vec<u64> = (0..4).map(|_| id(places.admit(guest(1)))).collect();
        places.hear(own[3]);
        assert_eq!(places.admit(guest(1)).unwrap().displaced, Some(own[3]));
    }

    #[test]
    fn strangers_at_work_leave_places_for_this_machine_and_it_leaves_places_for_the_known() {
        let mut places = Places::new(RULES);
        let begun = |places: &mut Places, origin, known| {
            let id = id(places.admit(origin));
            places.begin(id, known)
        };
        let mut taken = 0;
        while begun(&mut places, guest(taken / 4), false) {
            taken += 1;
        }
        assert_eq!(taken, 12);
        let mut here = 0;
        while begun(&mut places, Origin::ThisMachine, false) {
            here += 1;
        }
        assert_eq!(here, 2);
        assert!(begun(&mut places, guest(30), true));
        assert!(begun(&mut places, Origin::ThisMachine, true));
        assert_eq!(places.admit(guest(31)), Err(NoPlace));
    }

    #[test]
    fn who_is_known_is_no_stranger_of_its_address_any_more() {
        let mut places = Places::new(RULES);
        for _ in 0..6 {
            let id = id(places.admit(guest(1)));
            assert!(places.begin(id, true));
            places.end(id);
        }
        assert_eq!(places.holders.len(), 6);
    }

    #[test]
    fn who_was_displaced_begins_nothing() {
        let mut places = Places::new(PlaceRules {
            places: 1,
            per_origin: 1,
        });
        let first = id(places.admit(Origin::ThisMachine));
        let given = places.admit(Origin::ThisMachine).unwrap();
        assert_eq!(given.displaced, Some(first));
        assert!(!places.begin(first, true));
        places.leave(given.id);
        assert!(places.is_empty());
    }
}
