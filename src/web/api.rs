//! What every handler stands on: the settings, the service behind the API, and the places for calls that block.
//!
//! Blocking calls go to the blocking pool, each kind under a bound of its own,
//! so that neither a stuck disk nor patient clients keep a press from its turn.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::backend::ApiBackend;
use super::guard::identify::Guard;
use super::guard::principal::Principal;
use super::health_memory::HealthMemory;
use super::refusal::ApiRefusal;
use super::sentence::RequestSentence;
use super::settings::Settings;
use crate::base::{CameraId, Clock};

/// A kind of calls that block, of which so many are at work at once; others wait, but for downloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    Presses,
    /// Those who wait for the clips of their press.
    Waiters,
    /// Whoever wants to see or change something.
    Looks,
    /// Refused when all places are taken.
    Downloads,
    /// Whoever looks at users and sessions.
    Accounts,
    /// Each takes memory and a core.
    Passwords,
}

impl Bound {
    /// They add up to less than the blocking pool has threads (`server::BLOCKING`).
    pub fn places(self) -> usize {
        match self {
            Bound::Presses => 24,
            Bound::Waiters | Bound::Downloads => 16,
            Bound::Looks | Bound::Accounts => 4,
            Bound::Passwords => 1,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Bound::Presses => "presses",
            Bound::Waiters => "waiters",
            Bound::Looks => "looks",
            Bound::Downloads => "downloads",
            Bound::Accounts => "accounts",
            Bound::Passwords => "passwords",
        }
    }
}

#[derive(Clone)]
pub(super) struct Api(Arc<ApiParts>);

pub(super) struct ApiParts {
    pub settings: Settings,
    backend: ApiBackend,
    pub clock: Arc<dyn Clock>,
    pub guard: Arc<Guard>,
    pub health: HealthMemory,
    presses: Arc<Semaphore>,
    waiters: Arc<Semaphore>,
    looks: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
    accounts: Arc<Semaphore>,
    passwords: Arc<Semaphore>,
}

impl Deref for Api {
    type Target = ApiParts;

    fn deref(&self) -> &ApiParts {
        &self.0
    }
}

impl Api {
    pub fn new(
        settings: Settings,
        backend: ApiBackend,
        clock: Arc<dyn Clock>,
        guard: Arc<Guard>,
    ) -> Api {
        let places = |bound: Bound| Arc::new(Semaphore::new(bound.places()));
        Api(Arc::new(ApiParts {
            settings,
            backend,
            clock,
            guard,
            health: HealthMemory::default(),
            presses: places(Bound::Presses),
            waiters: places(Bound::Waiters),
            looks: places(Bound::Looks),
            downloads: places(Bound::Downloads),
            accounts: places(Bound::Accounts),
            passwords: places(Bound::Passwords),
        }))
    }

    fn semaphore(&self, bound: Bound) -> Arc<Semaphore> {
        let of = match bound {
            Bound::Presses => &self.presses,
            Bound::Waiters => &self.waiters,
            Bound::Looks => &self.looks,
            Bound::Downloads => &self.downloads,
            Bound::Accounts => &self.accounts,
            Bound::Passwords => &self.passwords,
        };
        of.clone()
    }

    /// A place, if one is free now.
    pub fn place(&self, bound: Bound) -> Option<OwnedSemaphorePermit> {
        self.semaphore(bound).try_acquire_owned().ok()
    }

    /// Runs `work` on the blocking pool, at most so many at once as `bound` has
    /// room for. What exceeds `limit` runs on, and keeps its place, unheard.
    pub async fn blocking<T: Send + 'static>(
        &self,
        bound: Bound,
        limit: Duration,
        work: impl FnOnce(&ApiBackend) -> T + Send + 'static,
    ) -> Result<T, ApiRefusal> {
        let (backend, places) = (self.backend.clone(), self.semaphore(bound));
        let done = async {
            let permit = places.acquire_owned().await;
            let work = move || {
                let _permit = permit;
                work(&backend)
            };
            tokio::task::spawn_blocking(work).await
        };
        match tokio::time::timeout(limit, done).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) => Err(ApiRefusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                RequestSentence::Broken {},
            )),
            Err(_) => Err(ApiRefusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                RequestSentence::Busy {},
            )),
        }
    }

    /// The cameras that somebody may press and see, in the config's order.
    pub fn cameras_of(&self, principal: &Principal) -> Vec<CameraId> {
        let all = self.settings.cameras.iter();
        let theirs = all.filter(|camera| match principal.court() {
            Some(court) => self
                .settings
                .courts
                .get(camera)
                .is_some_and(|own| own == court),
            None => true,
        });
        theirs.cloned().collect()
    }

    pub fn now(&self) -> String {
        self.rfc3339(self.clock.wall().unix_ns)
    }

    /// With milliseconds and the venue's offset, as in `2026-11-21T18:03:07.250-03:00`.
    pub fn rfc3339(&self, unix_ns: i64) -> String {
        rfc3339(unix_ns, &self.settings.timezone)
    }

    pub fn rfc3339_s(&self, unix_s: i64) -> String {
        self.rfc3339(unix_s.saturating_mul(1_000_000_000))
    }
}

fn rfc3339(unix_ns: i64, timezone: &TimeZone) -> String {
    let instant = Timestamp::from_nanosecond(i128::from(unix_ns)).unwrap_or(Timestamp::UNIX_EPOCH);
    let local = instant.to_zoned(timezone.clone());
    local.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}
