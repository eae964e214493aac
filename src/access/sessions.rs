//! Who is signed in. Pure.
//!
//! How long somebody was idle is measured by the monotonic clock while the service runs, and by the wall clock only from
//! one run to the next. A wall clock that jumps ends a session early, at worst; one that was set back keeps it longer by
//! as much.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::accounts::AccountRole;
use super::error::AccessError;
use super::moment::Moment;
use super::records::{StoredFile, VERSION};
use super::secret::{self, SecretHash};

const SESSIONS_MOST: usize = 1000;
/// How old what a file says of a session's last use may be.
const SEEN_STEP_S: i64 = 15 * 60;

/// How long a session lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Since it was used last.
    Idle(Duration),
    /// Since it began.
    Whole(Duration),
}

impl Lifetime {
    pub fn of(role: AccountRole) -> Lifetime {
        match role {
            AccountRole::Kiosk => Lifetime::Whole(Duration::from_secs(90 * 24 * 3600)),
            AccountRole::Staff | AccountRole::Admin => {
                Lifetime::Idle(Duration::from_secs(12 * 3600))
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRecord {
    /// By which it can be ended; no secret.
    pub id: String,
    pub secret_sha256: SecretHash,
    pub account_id: String,
    pub role: AccountRole,
    pub created_unix_s: i64,
    /// As a file last heard of it.
    pub seen_unix_s: i64,
    /// Where it was begun.
    pub address: String,
    /// Its last use; `None`: in an earlier run.
    #[serde(skip)]
    seen_mono_ns: Option<u64>,
}

impl SessionRecord {
    fn idle_s(&self, now: Moment) -> u64 {
        match self.seen_mono_ns {
            Some(seen) => now.mono_ns.saturating_sub(seen) / 1_000_000_000,
            None => since_s(self.seen_unix_s, now.unix_s),
        }
    }

    fn is_over(&self, now: Moment) -> bool {
        match Lifetime::of(self.role) {
            Lifetime::Idle(most) => self.idle_s(now) >= most.as_secs(),
            Lifetime::Whole(most) => since_s(self.created_unix_s, now.unix_s) >= most.as_secs(),
        }
    }
}

/// A clock that was set back is no reason to end anything.
fn since_s(then_unix_s: i64, now_unix_s: i64) -> u64 {
    u64::try_from(now_unix_s.saturating_sub(then_unix_s)).unwrap_or(0)
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    version: u32,
    sessions: Vec<SessionRecord>,
}

impl Default for Sessions {
    fn default() -> Sessions {
        Sessions {
            version: VERSION,
            sessions: Vec::new(),
        }
    }
}

impl StoredFile for Sessions {
    const FILE: &'static str = "sessions.json";
    const MOST_BYTES: u64 = 1 << 20;

    fn version(&self) -> u32 {
        self.version
    }

    fn broken_rule(&self) -> Option<&'static str> {
        let sessions = &self.sessions;
        let rules: [(bool, &'static str); 2] = [
            (sessions.len() <= SESSIONS_MOST, "it has too many sessions"),
            (
                sessions.iter().all(|s| s.secret_sha256.is_well_formed()),
                "a session's hash in it is wrong",
            ),
        ];
        rules
            .into_iter()
            .find(|(kept, _)| !kept)
            .map(|(_, rule)| rule)
    }

    /// When each was used in this run.
    fn carry_over(&mut self, older: &Sessions) {
        for session in &mut self.sessions {
            session.seen_mono_ns = older
                .find(&session.secret_sha256)
                .and_then(|s| s.seen_mono_ns);
        }
    }
}

impl Sessions {
    pub fn list(&self) -> &[SessionRecord] {
        &self.sessions
    }

    pub fn find(&self, secret: &SecretHash) -> Option<&SessionRecord> {
        self.sessions
            .iter()
            .find(|session| session.secret_sha256 == *secret)
    }

    /// The one that it is, if it still stands. Used, it stands for longer.
    pub fn in_use(&mut self, secret: &SecretHash, now: Moment) -> Option<&SessionRecord> {
        let mut all = self.sessions.iter_mut();
        let session = all.find(|session| session.secret_sha256 == *secret)?;
        if session.is_over(now) {
            return None;
        }
        session.seen_mono_ns = Some(now.mono_ns);
        Some(session)
    }

    /// Whether the file should hear that this one was used; it is told so.
    pub fn note_use(&mut self, id: &str, now: Moment) -> bool {
        let found = self.sessions.iter_mut().find(|session| session.id == id);
        let Some(session) = found else { return false };
        let noted = (now.unix_s - session.seen_unix_s).abs() >= SEEN_STEP_S;
        if noted {
            session.seen_unix_s = now.unix_s;
        }
        noted
    }

    /// Where there are too many, the one that was not used for longest ends.
    pub fn begin(
        &mut self,
        secret: SecretHash,
        (account_id, role): (&str, AccountRole),
        address: &str,
        now: Moment,
    ) -> Result<&SessionRecord, AccessError> {
        self.sessions.retain(|session| !session.is_over(now));
        while self.sessions.len() >= SESSIONS_MOST {
            let ages = self.sessions.iter().enumerate();
            let Some((oldest, _)) = ages.max_by_key(|(_, session)| session.idle_s(now)) else {
                break;
            };
            self.sessions.remove(oldest);
        }
        self.sessions.push(SessionRecord {
            id: secret::record_id()?,
            secret_sha256: secret,
            account_id: account_id.to_owned(),
            role,
            created_unix_s: now.unix_s,
            seen_unix_s: now.unix_s,
            address: address.to_owned(),
            seen_mono_ns: Some(now.mono_ns),
        });
        Ok(&self.sessions[self.sessions.len() - 1])
    }

    pub fn end(&mut self, id: &str) -> Result<(), AccessError> {
        let before = self.sessions.len();
        self.sessions.retain(|session| session.id != id);
        match self.sessions.len() < before {
            true => Ok(()),
            false => Err(AccessError::SessionUnknown {}),
        }
    }

    /// Those that are over, and those of users that are not (`known`) any more.
    pub fn sweep(&mut self, now: Moment, known: impl Fn(&str) -> bool) {
        self.sessions
            .retain(|session| !session.is_over(now) && known(&session.account_id));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::access::records;

    const HOUR_S: u64 = 3600;
    const T0: i64 = 1_795_000_000;

    fn after(seconds: u64) -> Moment {
        Moment {
            mono_ns: (1_000_000 + seconds) * 1_000_000_000,
            unix_s: T0 + i64::try_from(seconds).unwrap(),
        }
    }

    fn hash(n: u64) -> SecretHash {
        SecretHash::of(&n.to_string())
    }

    fn begin(sessions: &mut Sessions, n: u64, role: AccountRole, now: Moment) -> String {
        sessions
            .begin(hash(n), ("a", role), "192.0.2.1", now)
            .unwrap()
            .id
            .clone()
    }

    #[test]
    fn staff_is_signed_out_after_twelve_idle_hours_and_never_while_at_work() {
        let mut sessions = Sessions::default();
        begin(&mut sessions, 1, AccountRole::Staff, after(0));
        for hours in 1..100 {
            let now = after(hours * 11 * HOUR_S);
            assert!(sessions.in_use(&hash(1), now).is_some(), "{hours}");
        }
        let last = 99 * 11 * HOUR_S;
        assert!(
            sessions
                .in_use(&hash(1), after(last + 12 * HOUR_S))
                .is_none()
        );
        assert!(sessions.in_use(&hash(2), after(0)).is_none());
    }

    #[test]
    fn a_kiosk_stays_for_ninety_days_and_no_longer() {
        let mut sessions = Sessions::default();
        begin(&mut sessions, 1, AccountRole::Kiosk, after(0));
        assert!(sessions.in_use(&hash(1), after(89 * 24 * HOUR_S)).is_some());
        assert!(sessions.in_use(&hash(1), after(90 * 24 * HOUR_S)).is_none());
    }

    #[test]
    fn a_wall_clock_that_jumps_ends_nothing_while_the_service_runs() {
        let mut sessions = Sessions::default();
        begin(&mut sessions, 1, AccountRole::Staff, after(0));
        let jumped = Moment {
            unix_s: T0 + 1_000_000_000,
            ..after(60)
        };
        assert!(sessions.in_use(&hash(1), jumped).is_some());
        let back = Moment {
            unix_s: 0,
            ..after(120)
        };
        assert!(sessions.in_use(&hash(1), back).is_some());
    }

    #[test]
    fn the_next_run_goes_by_the_wall_clock() {
        let mut sessions = Sessions::default();
        let id = begin(&mut sessions, 1, AccountRole::Admin, after(0));
        assert!(
            !sessions.note_use(&id, after(60)),
            "a file need not hear of every minute"
        );
        assert!(sessions.note_use(&id, after(HOUR_S)));
        let read = || records::read::<Sessions>(&records::written(&sessions).unwrap()).unwrap();
        // A reboot: the monotonic clock begins anew.
        let late = |hours| Moment {
            mono_ns: 1,
            unix_s: after(hours * HOUR_S).unix_s,
        };
        for (hours, stands) in [(12, true), (13, false), (0, true)] {
            let mut next = read();
            assert_eq!(
                next.in_use(&hash(1), late(hours)).is_some(),
                stands,
                "{hours} h"
            );
        }
    }

    #[test]
    fn there_are_a_thousand_and_the_one_idle_longest_makes_room() {
        let mut sessions = Sessions::default();
        for n in 0..1000 {
            begin(&mut sessions, n, AccountRole::Staff, after(n));
        }
        assert!(sessions.in_use(&hash(0), after(1000)).is_some());
        begin(&mut sessions, 1000, AccountRole::Staff, after(1001));
        assert_eq!(sessions.list().len(), 1000);
        assert!(sessions.find(&hash(0)).is_some() && sessions.find(&hash(1)).is_none());
        let bytes = records::written(&sessions).unwrap();
        assert!(u64::try_from(bytes.len()).unwrap() < Sessions::MOST_BYTES);
        begin(&mut sessions, 2000, AccountRole::Staff, after(100 * HOUR_S));
        assert_eq!(sessions.list().len(), 1, "those that were over go first");
    }

    #[test]
    fn a_session_ends_by_its_id_and_with_its_user() {
        let mut sessions = Sessions::default();
        let id = begin(&mut sessions, 1, AccountRole::Staff, after(0));
        begin(&mut sessions, 2, AccountRole::Staff, after(0));
        sessions.end(&id).unwrap();
        assert_eq!(sessions.end(&id), Err(AccessError::SessionUnknown {}));
        assert!(sessions.find(&hash(1)).is_none());
        sessions.sweep(after(0), |account| account != "a");
        assert!(sessions.list().is_empty());
    }
}
