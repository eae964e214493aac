//! A client of the running service, for all commands that ask it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::local;
use crate::config::{Config, Http};
use crate::web::local_socket;

/// Most of an answer that is read.
const ANSWER_BYTES: u64 = 4 << 20;

/// The service's answer.
pub(super) struct ServiceAnswer {
    pub status: u16,
    pub body: Value,
}

impl ServiceAnswer {
    /// What it says to people.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or("")
    }
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error(
        "no service answers at http://{0}; start it with \"hindsight run\", or see why it stopped: \"journalctl -u hindsight\""
    )]
    NoService(SocketAddr),
    #[error("the service at http://{0} did not answer in time")]
    Late(SocketAddr),
    #[error("what answers at http://{addr} is no hindsight: {why}")]
    Strange { addr: SocketAddr, why: String },
}

/// Where the service of a configuration is.
pub(super) struct ServicePlace {
    http: Http,
    storage: PathBuf,
    ring_dir: PathBuf,
}

impl ServicePlace {
    pub fn of(config: &Config) -> ServicePlace {
        ServicePlace {
            http: config.http.clone(),
            storage: config.storage.path.clone(),
            ring_dir: config.ring.dir.clone(),
        }
    }

    /// Where nothing else is said.
    pub fn usual() -> ServicePlace {
        ServicePlace {
            http: Http {
                listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
                token: None,
                names: Vec::new(),
            },
            storage: PathBuf::from("/var/lib/hindsight"),
            ring_dir: PathBuf::from("/dev/shm"),
        }
    }
}

/// It asks by the box's own socket, where guests are not heard; by TCP only where that is not there, or is not for
/// this user.
pub(super) struct ServiceClient {
    addr: SocketAddr,
    place: ServicePlace,
    by_tcp: ureq::Agent,
}

impl ServiceClient {
    /// `limit` is for the whole of one request.
    pub fn new(config: &Config, limit: Duration) -> ServiceClient {
        ServiceClient::at(ServicePlace::of(config), limit)
    }

    pub fn at(place: ServicePlace, limit: Duration) -> ServiceClient {
        let by_tcp = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(3)))
            .timeout_global(Some(limit))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build()
            .into();
        ServiceClient {
            addr: reached_at(place.http.listen),
            place,
            by_tcp,
        }
    }

    pub fn get(&self, path: &str) -> Result<ServiceAnswer, ClientError> {
        let (agent, bearer) = self.way();
        let mut request = agent.get(format!("http://{}{path}", self.addr));
        if let Some(bearer) = bearer {
            request = request.header("authorization", bearer);
        }
        self.read(request.call())
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<ServiceAnswer, ClientError> {
        let (agent, bearer) = self.way();
        let mut request = agent.post(format!("http://{}{path}", self.addr));
        if let Some(bearer) = bearer {
            request = request.header("authorization", bearer);
        }
        self.read(request.send_json(body))
    }

    /// The socket needs no token, and hears of none.
    fn way(&self) -> (ureq::Agent, Option<String>) {
        match local_socket::connect(&self.place.storage, &self.place.ring_dir) {
            Ok(stream) => (local::agent(self.by_tcp.config().clone(), stream), None),
            Err(_) => (self.by_tcp.clone(), self.bearer()),
        }
    }

    fn bearer(&self) -> Option<String> {
        let token = self.place.http.token.as_ref()?;
        Some(format!("Bearer {}", token.reveal()))
    }

    fn read(
        &self,
        answered: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<ServiceAnswer, ClientError> {
        let addr = self.addr;
        let strange = |why: String| ClientError::Strange { addr, why };
        let mut response = answered.map_err(|error| match error {
            ureq::Error::ConnectionFailed | ureq::Error::HostNotFound | ureq::Error::Io(_) => {
                ClientError::NoService(addr)
            }
            ureq::Error::Timeout(ureq::Timeout::Connect) => ClientError::NoService(addr),
            ureq::Error::Timeout(_) => ClientError::Late(addr),
            other => strange(other.to_string()),
        })?;
        let status = response.status().as_u16();
        let text = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES)
            .read_to_string()
            .map_err(|error| strange(error.to_string()))?;
        let body = serde_json::from_str(&text)
            .map_err(|_| strange(format!("status {status}, and no JSON")))?;
        Ok(ServiceAnswer { status, body })
    }
}

/// Where a service that listens on `listen` can be reached from this machine.
fn reached_at(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
