//! A house that does what a test says, and a client that sends bytes as they are.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use hindsight::base::{
    BootId, CameraId, Coded, Press, PressAck, PressError, PressId, PressRequest, Refusal, SimClock,
    Stop, StopLevel,
};
use hindsight::cut::Ended;
use hindsight::queue::QueueError;
use hindsight::web::RefusedPeers;
use hindsight::web::answers::health::HealthAnswer;
use hindsight::web::answers::highlights::HighlightList;
use hindsight::web::answers::press::ClipOutcome;
use hindsight::web::answers::queue::{JobStatus, QueueAnswer};
use hindsight::web::answers::status::StatusSnapshot;
use hindsight::web::{
    ApiBackend, Jobs, Library, Limits, Presses, QueueChange, QueueRefusal, Server, Settings,
    Status, WebError, serve as serve_web,
};
use serde_json::Value;

use crate::samples;

pub const PRESS_ID: &str = "0123abcd-00000000abc-00010002";
/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// 2026-11-21T12:00:00Z.
const NOW_UNIX_NS: i64 = 1_795_262_400_000_000_000;

pub fn id(text: &str) -> CameraId {
    CameraId::new(text).unwrap()
}

/// A gate that calls wait at until a test opens it.
#[derive(Default)]
pub struct Gate(Mutex<(bool, usize)>, Condvar);

impl Gate {
    /// False if it did not open within `limit`.
    fn pass(&self, limit: Duration) -> bool {
        let mut state = self.0.lock().unwrap();
        state.1 += 1;
        self.1.notify_all();
        let closed = |state: &mut (bool, usize)| !state.0;
        self.1.wait_timeout_while(state, limit, closed).unwrap().0.0
    }

    pub fn open(&self) {
        self.0.lock().unwrap().0 = true;
        self.1.notify_all();
    }

    /// Calls that came so far.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().1
    }

    /// Returns when so many calls stand before it.
    pub fn wait_for(&self, count: usize) {
        let mut state = self.0.lock().unwrap();
        while state.1 < count {
            let (next, timeout) = self.1.wait_timeout(state, PATIENCE).unwrap();
            assert!(!timeout.timed_out(), "{} of {count} calls came", next.1);
            state = next;
        }
    }
}

#[derive(Default)]
pub struct Fake {
    pub error: Option<PressError>,
    pub refused: Vec<Refusal>,
    /// Presses wait here.
    pub press_gate: Option<Arc<Gate>>,
    /// Waiters wait here.
    pub wait_gate: Option<Arc<Gate>>,
    pub presses: Mutex<Vec<PressRequest>>,
}

impl Fake {
    pub fn pressed(&self) -> Vec<PressRequest> {
        self.presses.lock().unwrap().clone()
    }
}

impl Presses for Fake {
    fn press(&self, request: &PressRequest) -> Result<PressAck, PressError> {
        self.presses.lock().unwrap().push(request.clone());
        if let Some(gate) = &self.press_gate {
            gate.pass(PATIENCE);
        }
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        Ok(PressAck {
            press: Press {
                id: PressId::try_from(PRESS_ID.to_owned()).unwrap(),
                boot_id: BootId([1; 16]),
                instant_mono_ns: request.instant_mono_ns,
                pre_ms: request.pre_ms,
                post_ms: request.post_ms,
                source: request.source,
                button: request.button.clone(),
                cameras: vec![id("court1")],
                folder: "2026-11-21".to_owned(),
                wall_unix_ns: NOW_UNIX_NS,
                wall_synchronised: true,
            },
            refused: self.refused.clone(),
            notes: vec![],
        })
    }

    fn wait(&self, _: &PressId, limit: Duration) -> Option<Vec<ClipOutcome>> {
        if let Some(gate) = &self.wait_gate
            && !gate.pass(limit)
        {
            return None;
        }
        let clip = format!("/highlights/2026-11-21/{PRESS_ID}/court1.mp4");
        Some(vec![ClipOutcome {
            camera_id: id("court1"),
            status: JobStatus::Queued,
            reason: None,
            reason_code: None,
            reason_args: Default::default(),
            ended: Some(Ended::Complete),
            duration_ms: 5000,
            size_bytes: 7,
            sidecar: Some(clip.replace("mp4", "json")),
            clip: Some(clip),
        }])
    }
}

impl Status for Fake {
    fn status(&self) -> StatusSnapshot {
        samples::status()
    }

    fn health(&self) -> HealthAnswer {
        samples::health()
    }
}

impl Jobs for Fake {
    fn queue(&self, limit: usize) -> QueueAnswer {
        let mut jobs = vec![samples::job(); 7];
        jobs.truncate(limit);
        QueueAnswer {
            status: samples::queue(),
            jobs,
        }
    }

    fn change(&self, change: &QueueChange) -> Result<Vec<String>, QueueRefusal> {
        match change {
            QueueChange::RetryFailed => Ok(Vec::new()),
            QueueChange::Retry(id) | QueueChange::Drop(id) if id == "known" => Ok(vec![id.clone()]),
            QueueChange::Retry(id) | QueueChange::Drop(id) => {
                let job = id.clone();
                Err(QueueRefusal::Unknown(
                    QueueError::Unknown { job }.sentence(),
                ))
            }
        }
    }
}

impl Library for Fake {
    fn highlights(&self, limit: usize) -> HighlightList {
        assert!(limit > 0);
        HighlightList {
            highlights: vec![samples::highlight()],
        }
    }
}

pub fn settings() -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        or_any_port: false,
        token: None,
        names: Vec::new(),
        storage: PathBuf::from("/nonexistent"),
        local_socket: None,
        refused_peers: RefusedPeers::default(),
        cameras: vec![id("court1"), id("goal")],
        courts: [(id("court1"), "1".to_owned()), (id("goal"), "2".to_owned())].into(),
        pre_ms: 40_000,
        post_ms: 10_000,
        ring_ms: 90_000,
        timezone: jiff::tz::TimeZone::get("America/Sao_Paulo").unwrap(),
        highlights: PathBuf::from("/nonexistent"),
        presses: true,
        limits: Limits::default(),
    }
}

pub fn serve(settings: Settings, fake: Fake) -> Result<Running, WebError> {
    let (fake, stop) = (Arc::new(fake), Stop::default());
    let clock = Arc::new(SimClock::at(77, NOW_UNIX_NS));
    let backend = ApiBackend {
        presses: fake.clone(),
        status: fake.clone(),
        library: fake.clone(),
        jobs: fake.clone(),
    };
    let server = serve_web(settings, backend, clock.clone(), stop.clone())?;
    Ok(Running {
        addr: server.addr(),
        fake,
        clock,
        server: Some(server),
        stop,
    })
}

pub struct Running {
    pub addr: SocketAddr,
    pub fake: Arc<Fake>,
    pub clock: Arc<SimClock>,
    server: Option<Server>,
    stop: Stop,
}

pub fn start(fake: Fake) -> Running {
    start_with(fake, |_| {})
}

pub fn start_with(fake: Fake, change: impl FnOnce(&mut Settings)) -> Running {
    let mut settings = settings();
    change(&mut settings);
    serve(settings, fake).unwrap()
}

impl Running {
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends `request` as it is on a connection of its own, and reads the answer.
    pub fn send(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let head_only = request.starts_with("HEAD");
        Answer::read(&mut stream, head_only)
    }

    pub fn stop(mut self) {
        self.stop.raise(StopLevel::Now);
        self.server.take().unwrap().join();
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "running at {}", self.addr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.raise(StopLevel::Now);
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub bytes: Vec<u8>,
    /// `bytes` as text.
    pub body: String,
}

impl Answer {
    /// Reads one answer with a content length.
    pub fn read(stream: &mut TcpStream, head_only: bool) -> Answer {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut byte).unwrap();
            assert_eq!(
                read,
                1,
                "the answer ends in its head: {:?}",
                String::from_utf8_lossy(&head)
            );
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let mut answer = Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            bytes: Vec::new(),
            body: String::new(),
        };
        let length = match answer.header("content-length") {
            _ if head_only || answer.status == 304 => 0,
            "" => 0,
            length => length.parse().unwrap(),
        };
        answer.bytes = vec![0; length];
        stream.read_exact(&mut answer.bytes).unwrap();
        answer.body = String::from_utf8_lossy(&answer.bytes).into_owned();
        answer
    }

    /// A header's value; empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.lines();
        let mut values = lines.filter_map(|line| line.split_once(": "));
        values
            .find(|(n, _)| *n == name)
            .map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// Panics if `value` is not what the schema of that name says.
pub fn conforms(name: &str, value: &Value) {
    let path = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:?}\n{value}");
}
