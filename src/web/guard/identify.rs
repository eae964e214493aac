//! Finds out who asks: from the socket, the token, the session; and refuses what a foreign page makes a browser ask.
//!
//! Whoever shows the token of the config is believed as they are: no page knows it. All others are asked for `Host` and
//! `Origin` first. Without a token and without an administrator, this machine is served as a whole; once there is an
//! administrator, being on this machine is worth nothing (a tunnel ends here, too).
//!
//! Not here: which role may do what (`principal`); signing in (`routes::session`).

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::headers::{bearer_is, cookie, is_websocket, single};
use super::own_names::{OwnNames, is_loopback, is_same_origin};
use super::principal::Principal;
use super::sentence::GuardSentence;
use super::tries::Tries;
use crate::access::{AccessError, AccessStore, Moment, SecretHash};
use crate::base::{Clock, Coded, lock};
use crate::config::Secret;
use crate::web::refusal::ApiRefusal;

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Address(IpAddr),
    /// A command of this box, by the socket that only its owner and root reach.
    Local,
}

/// How many sessions are looked up on the disk at once.
const LOOKUPS: usize = 4;
/// How long the disk may take to say who somebody is.
const LOOKUP: Duration = Duration::from_secs(5);
/// The same for whether there is an administrator.
const CLAIM_LOOKUP: Duration = Duration::from_secs(1);

pub struct Guard {
    /// A digest, so that neither length nor content of the token shows in the
    /// time that a comparison takes.
    token_sha256: Option<[u8; 32]>,
    names: OwnNames,
    cookie: String,
    pub store: Arc<AccessStore>,
    tries: Mutex<Tries>,
    clock: Arc<dyn Clock>,
    lookups: Arc<Semaphore>,
    /// As it was last seen.
    unclaimed: AtomicBool,
}

impl Guard {
    /// `port` is the one that is listened on.
    pub fn new(
        token: Option<&Secret>,
        names: OwnNames,
        port: u16,
        store: Arc<AccessStore>,
        clock: Arc<dyn Clock>,
    ) -> Guard {
        Guard {
            token_sha256: token.map(|t| Sha256::digest(t.reveal().as_bytes()).into()),
            names,
            cookie: format!("hindsight_{port}"),
            store,
            tries: Mutex::default(),
            clock,
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            unclaimed: AtomicBool::new(false),
        }
    }

    /// Of sessions. Cookies are shared by all ports of a name, so that the port stands in it.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    pub fn moment(&self) -> Moment {
        Moment::of(self.clock.as_ref())
    }

    pub async fn identify(
        &self,
        peer: Peer,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Principal, ApiRefusal> {
        if peer == Peer::Local {
            return Ok(Principal::Local);
        }
        match &self.token_sha256 {
            Some(token) if bearer_is(headers, token) => return Ok(Principal::Bearer),
            Some(_) => self.no_foreign_page(method, uri, headers)?,
            None => {
                self.no_foreign_page_here(uri, headers)?;
                if self.nobody_owns_this_box().await {
                    return Ok(Principal::Local);
                }
            }
        }
        let Some(secret) = cookie(headers, &self.cookie).map(SecretHash::of) else {
            return Ok(Principal::Nobody);
        };
        if changes_something(method, headers) && !headers.contains_key(header::ORIGIN) {
            return Err(forbidden(GuardSentence::OriginMissing {}));
        }
        Ok(self.session_of(secret).await)
    }

    fn no_foreign_page(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), ApiRefusal> {
        let host = single(headers, header::HOST).unwrap_or("");
        let asked = uri.authority().map_or(host, |a| a.as_str());
        if !self.names.are(host) || !self.names.are(asked) {
            // A machine whose token is wrong hears of the token.
            return Err(match headers.contains_key(header::AUTHORIZATION) {
                true => ApiRefusal::new(StatusCode::UNAUTHORIZED, GuardSentence::TokenNeeded {}),
                false => forbidden(GuardSentence::HostNotOurs {}),
            });
        }
        let own = has_own_origin(headers, host);
        if changes_something(method, headers) && own == Some(false) {
            return Err(forbidden(GuardSentence::OriginNotOurs {}));
        }
        Ok(())
    }

    /// The same where only this machine is served.
    fn no_foreign_page_here(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiRefusal> {
        let Some(host) = single(headers, header::HOST) else {
            return Err(forbidden(GuardSentence::HostUnclear {}));
        };
        let asked = uri.authority().map_or(host, |a| a.as_str());
        let local = |host: &str| is_loopback(host) || self.names.are_configured(host);
        if !local(host) || !local(asked) {
            return Err(forbidden(GuardSentence::HostForeign {}));
        }
        match has_own_origin(headers, host) {
            Some(false) => Err(forbidden(GuardSentence::OriginForeign {})),
            _ => Ok(()),
        }
    }

    /// No administrator, as far as can be known. A storage that is not there keeps nobody from looking why: there is
    /// nothing on this box that could be taken. One whose list of users is damaged is owned.
    async fn nobody_owns_this_box(&self) -> bool {
        if self.store.was_claimed() {
            return false;
        }
        let known = self.on_disk(CLAIM_LOOKUP, AccessStore::claimed).await;
        let unclaimed = match known {
            Some(Ok(claimed)) => !claimed,
            Some(Err(AccessError::StorageMissing { .. })) => true,
            Some(Err(_)) => false,
            // The disk does not answer.
            None => return self.unclaimed.load(Relaxed),
        };
        self.unclaimed.store(unclaimed, Relaxed);
        unclaimed
    }

    async fn session_of(&self, secret: SecretHash) -> Principal {
        if !self.store.may_be_session(&secret) {
            return Principal::Nobody;
        }
        let now = self.moment();
        let found = self
            .on_disk(LOOKUP, move |store| store.session(&secret, now))
            .await;
        match found {
            Some(Ok(Some(standing))) => Principal::User(standing),
            Some(Ok(None)) => Principal::Nobody,
            Some(Err(error)) => Principal::Unclear(error.sentence()),
            None => Principal::Unclear(GuardSentence::DiskSilent {}.sentence()),
        }
    }

    /// `None`: it did not answer in time.
    async fn on_disk<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce(&AccessStore) -> T + Send + 'static,
    ) -> Option<T> {
        let (store, places) = (self.store.clone(), self.lookups.clone());
        let done = async {
            let permit = places.acquire_owned().await;
            let work = move || {
                let _permit = permit;
                work(&store)
            };
            tokio::task::spawn_blocking(work).await
        };
        tokio::time::timeout(limit, done).await.ok()?.ok()
    }

    /// A password or a token is about to be tried; `Err`: not yet.
    pub fn begin_try(&self, peer: Peer) -> Result<(), u64> {
        let Peer::Address(address) = peer else {
            return Ok(());
        };
        let mut tries = lock(&self.tries);
        tries
            .begin(address, self.clock.mono_ns())
            .map_err(|wait| wait.seconds)
    }

    /// It was the right one.
    pub fn try_succeeded(&self, peer: Peer) {
        if let Peer::Address(address) = peer {
            let mut tries = lock(&self.tries);
            tries.succeeded(address);
        }
    }
}

fn forbidden(why: GuardSentence) -> ApiRefusal {
    ApiRefusal::new(StatusCode::FORBIDDEN, why)
}

/// A WebSocket begins with a GET, and says much afterwards.
fn changes_something(method: &Method, headers: &HeaderMap) -> bool {
    !(method == Method::GET || method == Method::HEAD) || is_websocket(headers)
}

/// `None`: the request does not say which page it comes from.
fn has_own_origin(headers: &HeaderMap, host: &str) -> Option<bool> {
    headers.contains_key(header::ORIGIN).then(|| {
        let origin = single(headers, header::ORIGIN).unwrap_or("");
        is_same_origin(origin, host)
    })
}

#[cfg(test)]
mod tests;
