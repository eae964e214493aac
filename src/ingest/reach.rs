//! From a camera's name to its address.
//!
//! A process that reads cameras may open no file, and so cannot look up names: it asks the service each
//! time it connects.
//! Not here: the call itself (`dial`), looking up (`process::names`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use retina::client::SessionGroup;
use tokio::sync::{Notify, oneshot};
use url::Host;

use crate::base::lock;
use crate::config::Camera;

use super::dial;
use super::process::message::{CameraIndex, Resolved};
use super::relay::RelayMemory;
use super::sentence::CaptureSentence;
use super::session::{Playing, StartTimes};

/// Who knows addresses.
#[derive(Clone)]
pub(super) enum Names {
    /// As for any other program.
    OfTheSystem,
    /// The service, for the camera of this number.
    Asked(Arc<NameQuestions>, CameraIndex),
}

/// Names that are to be looked up, and who waits for them.
#[derive(Debug)]
pub(super) struct NameQuestions {
    waiting: Mutex<BTreeMap<CameraIndex, (bool, oneshot::Sender<Resolved>)>>,
    asked: Arc<Notify>,
}

impl NameQuestions {
    /// `asked` hears of new ones.
    pub fn new(asked: Arc<Notify>) -> NameQuestions {
        NameQuestions {
            waiting: Mutex::default(),
            asked,
        }
    }

    fn ask(&self, camera: CameraIndex) -> oneshot::Receiver<Resolved> {
        let (answer, answered) = oneshot::channel();
        lock(&self.waiting).insert(camera, (false, answer));
        self.asked.notify_one();
        answered
    }

    /// A question that was not yet passed on.
    pub fn next(&self) -> Option<CameraIndex> {
        let mut waiting = lock(&self.waiting);
        let new = waiting.iter_mut().find(|(_, (passed_on, _))| !*passed_on);
        new.map(|(camera, (passed_on, _))| {
            *passed_on = true;
            *camera
        })
    }

    pub fn answer(&self, camera: CameraIndex, found: Resolved) {
        if let Some((_, waiting)) = lock(&self.waiting).remove(&camera) {
            // It may have had no patience.
            let _ = waiting.send(found);
        }
    }
}

/// [`dial::connect`], at any of the camera's addresses.
pub(super) async fn connect(
    camera: &Camera,
    names: &Names,
    group: &Arc<SessionGroup>,
    limit: Duration,
    start_times: &mut StartTimes,
    memory: &mut RelayMemory,
) -> Result<Playing, CaptureSentence> {
    let (Names::Asked(questions, index), Some(Host::Domain(name))) = (names, camera.url.host())
    else {
        return dial::connect(camera, group, limit, start_times, memory).await;
    };
    let name = name.to_owned();
    let answered = tokio::time::timeout(limit, questions.ask(*index)).await;
    let addresses = match answered {
        Ok(Ok(Resolved::Addresses(addresses))) => addresses,
        Ok(Ok(Resolved::Nothing(error))) => return Err(unknown(camera, name, error)),
        _ => return Err(unknown(camera, name, "nobody knows it".to_owned())),
    };
    let mut why = unknown(camera, name.clone(), "it has no address".to_owned());
    for address in addresses {
        let Some(there) = at(camera, address) else {
            continue;
        };
        match dial::connect(&there, group, limit, start_times, memory).await {
            Err(reason) if nobody_there(&reason) => why = by_name(reason, &name),
            other => return other,
        }
    }
    Err(why)
}

fn unknown(camera: &Camera, host: String, error: String) -> CaptureSentence {
    let port = camera.url.port().unwrap_or(554);
    CaptureSentence::NameUnknown { host, port, error }
}

fn at(camera: &Camera, address: IpAddr) -> Option<Camera> {
    let mut there = camera.clone();
    there.url.set_ip_host(address).ok()?;
    Some(there)
}

fn nobody_there(reason: &CaptureSentence) -> bool {
    matches!(
        reason,
        CaptureSentence::RefusesConnection { .. } | CaptureSentence::Unreachable { .. }
    )
}

/// People wrote a name, and look for it.
fn by_name(reason: CaptureSentence, name: &str) -> CaptureSentence {
    let host = name.to_owned();
    match reason {
        CaptureSentence::RefusesConnection { port, error, .. } => {
            CaptureSentence::RefusesConnection { host, port, error }
        }
        CaptureSentence::Unreachable { port, error, .. } => {
            CaptureSentence::Unreachable { host, port, error }
        }
        other => other,
    }
}
