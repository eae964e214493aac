//! Through a backend that says where to upload to: the flow, its signatures, its faults.
//! `signed_url.json` is the contract.

pub mod backend;
mod proxy;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hindsight::base::{Clock, SimClock, Stop, StopLevel};
use hindsight::config::Secret;
use hindsight::config::{Never, SignedUrlFields, SignedUrlTarget};
use hindsight::queue::sidecar::Sidecar;
use hindsight::queue::work::{Failure, Job, Notebook, Uploaded};
use hindsight::upload::Limits;
use hindsight::upload::rate::Limiter;
use hindsight::upload::signed_url::{SignedUrlAdapter, names};
use hindsight::upload::{Adapter, Attempt, Bundle, Flow, Shared};
use jiff::tz::TimeZone;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket};
use serde_json::{Value, json};

use crate::waiting::{sha256, sidecar};
use backend::{Backend, Fault, SECRET, STAGES, Stage, find, signature};
use proxy::{Proxy, Then};

const NOW_S: i64 = 1_790_000_000;
const CANARY: &str = "canary";

fn fixture() -> Value {
    serde_json::from_str(include_str!("signed_url.json")).unwrap()
}

/// A highlight on the disk, and what its target noted.
struct Rig {
    dir: tempfile::TempDir,
    about: Sidecar,
    target: SignedUrlTarget,
    limits: Limits,
    clock: Arc<SimClock>,
    stop: Stop,
    noted: RefCell<Option<Value>>,
    progress: RefCell<Vec<u16>>,
}

struct Notes<'a> {
    noted: &'a RefCell<Option<Value>>,
    /// Dies at this note, as if killed: it is on the disk.
    killed: bool,
}

impl Notebook for Notes<'_> {
    fn note(&self, resume: Option<Value>) -> Result<(), Failure> {
        assert!(
            !resume
                .as_ref()
                .is_some_and(|r| r.to_string().contains(CANARY))
        );
        *self.noted.borrow_mut() = resume;
        match self.killed {
            true => Err(Failure::Cancelled),
            false => Ok(()),
        }
    }
}

impl Rig {
    fn with_clip(server: SocketAddr, clip: &[u8]) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("court1.mp4"), clip).unwrap();
        std::fs::write(dir.path().join("court1.vertical.mp4"), b"vertical").unwrap();
        std::fs::write(dir.path().join("court1.jpg"), b"thumbnail").unwrap();
        let beside = json!({
            "vertical_path": "court1.vertical.mp4", "thumbnail_path": "court1.jpg",
        });
        Rig {
            dir,
            about: sidecar(clip, beside),
            target: target(server),
            limits: Limits::default(),
            clock: Arc::new(SimClock::at(1, NOW_S * 1_000_000_000)),
            stop: Stop::default(),
            noted: RefCell::default(),
            progress: RefCell::default(),
        }
    }

    fn new(server: SocketAddr) -> Rig {
        Rig::with_clip(server, b"clip bytes!")
    }

    fn attempt(&self) -> Result<Uploaded, Failure> {
        self.attempt_with(false)
    }

    /// One that is killed at its first note.
    fn killed(&self) {
        assert_eq!(self.attempt_with(true), Err(Failure::Cancelled));
    }

    fn attempt_with(&self, killed: bool) -> Result<Uploaded, Failure> {
        let job = Job {
            folder: self.dir.path(),
            sidecar: &self.about,
            tmp: Path::new("/nowhere"),
        };
        let shared = Arc::new(Shared {
            venue: "Arena Central".to_owned(),
            timezone: TimeZone::UTC,
            window: None,
            limiter: Limiter::new(None),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            max_attempts: 3,
        });
        let template = names();
        let bundle = Bundle::of(&job, &template, &shared.venue).unwrap();
        let progress = |permille| self.progress.borrow_mut().push(permille);
        let resume = self.noted.borrow().clone();
        let notebook = Notes {
            noted: &self.noted,
            killed,
        };
        let attempt = Attempt {
            job: &job,
            bundle: &bundle,
            resume: resume.as_ref(),
            notebook: &notebook,
            last: false,
            flow: Flow::new(&shared, &self.stop, bundle.total_bytes(), &progress),
            shared: &shared,
        };
        let adapter = SignedUrlAdapter::new("backend", &self.target, self.limits).unwrap();
        let result = adapter.send(&attempt);
        let told = format!("{result:?}");
        assert!(!told.contains(CANARY), "{told}");
        result
    }
}

fn target(server: SocketAddr) -> SignedUrlTarget {
    SignedUrlTarget {
        url: format!("http://{server}").parse().unwrap(),
        device_id: "box-17".to_owned(),
        client_id: "arena".to_owned(),
        secret: Secret::new(SECRET),
        register_path: "/api/v1/videos".to_owned(),
        finalize_path: "/api/v1/videos/{id}/finalize".to_owned(),
        fields: SignedUrlFields::default(),
        never: vec![Never {
            status: 403,
            word: Some("outside_allowed_window".to_owned()),
        }],
        ca_file: None,
    }
}

fn waits(result: Result<Uploaded, Failure>) -> (String, Option<u64>) {
    match result {
        Err(Failure::Unavailable {
            why,
            retry_after_ms,
        }) => (why.text, retry_after_ms),
        other => panic!("{other:?}"),
    }
}

fn fails(result: Result<Uploaded, Failure>) -> String {
    match result {
        Err(Failure::Failed { why }) => why.text,
        other => panic!("{other:?}"),
    }
}

/// All four files, whole, each finalized once.
fn all_there(backend: &Backend, clip: &[u8]) {
    let held = backend.holds();
    let kinds: Vec<&str> = held.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["video", "vertical", "thumbnail", "sidecar"]);
    assert!(held[0].1 == clip, "other bytes");
    assert_eq!(held[1].1, b"vertical");
    assert_eq!(held[2].1, b"thumbnail");
    let copy = Sidecar::from_bytes(&held[3].1).unwrap();
    assert_eq!(
        copy.file_name.unwrap(),
        "0badc0de-00000012345-00010002-court1.mp4"
    );
}

#[test]
fn requests_and_answers_are_those_of_the_contract() {
    let (backend, contract) = (Backend::start(NOW_S), fixture());
    let rig = Rig::new(backend.addr);
    assert_eq!(rig.attempt().unwrap().place, "v1");
    all_there(&backend, b"clip bytes!");
    let inner = backend.inner();
    let exchanges = contract["exchanges"].as_array().unwrap();
    for (seen, wanted) in inner.seen.iter().zip(exchanges) {
        assert_eq!(seen.path, wanted["path"]);
        if let Some(request) = wanted.get("request") {
            assert_eq!(seen.json, *request);
            for name in contract["signed_headers"].as_array().unwrap() {
                assert!(seen.headers.contains_key(name.as_str().unwrap()), "{name}");
            }
        }
        for (name, value) in wanted["headers"].as_object().into_iter().flatten() {
            assert_eq!(seen.headers[name], *value, "{name}");
        }
        // A signed address needs no signature of ours, and its store is somebody else's.
        assert_eq!(
            seen.headers.contains_key("x-signature"),
            seen.stage != Stage::Put
        );
    }
    let order: Vec<&Value> = inner
        .videos
        .values()
        .map(|video| &video.registration)
        .collect();
    for (registration, wanted) in order.iter().zip(contract["order"].as_array().unwrap()) {
        for (name, value) in wanted.as_object().unwrap() {
            assert_eq!(registration[name], *value);
        }
    }
    assert_eq!(order.len(), 4);
    assert_eq!(rig.progress.borrow().last(), Some(&1000));
}

#[test]
fn the_signature_of_the_contract_is_the_one_that_the_backend_checks() {
    let example = &fixture()["signature"];
    let text = |name: &str| example[name].as_str().unwrap().to_owned();
    assert_eq!(sha256(text("body").as_bytes()), text("body_sha256"));
    let parts = ["method", "path", "timestamp", "nonce", "body_sha256"].map(text);
    assert_eq!(format!("v1:{}", parts.join(":")), text("text"));
    assert_eq!(signature(&text("secret"), &text("text")), text("signature"));
}

#[test]
fn a_backend_may_have_other_names_and_other_paths() {
    let backend = Backend::start(NOW_S);
    let mut fields = SignedUrlFields::default();
    for (name, theirs) in fields.each_mut() {
        *theirs = match name {
            "upload_url" => "data.upload.url".to_owned(),
            "id" => "data.video_id".to_owned(),
            "size_bytes" | "sha256" => format!("file.{name}"),
            "kind" => "file.type".to_owned(),
            other => format!("x_{other}"),
        };
    }
    backend.inner().fields = fields.clone();
    let mut rig = Rig::new(backend.addr);
    rig.target.fields = fields;
    rig.target.register_path = "/videos".to_owned();
    rig.target.finalize_path = "/final/{id}/done".to_owned();
    rig.attempt().unwrap();
    all_there(&backend, b"clip bytes!");
    let inner = backend.inner();
    let first = &inner.seen[0].json;
    assert_eq!(find(first, "file.size_bytes"), Some(&json!(11)));
    assert_eq!(find(first, "x_court"), Some(&json!("Court 1")));
    assert_eq!(inner.seen[2].path, "/final/v1/done");
    assert_eq!(inner.seen[2].json["x_etag"], "etag-11");
}

#[test]
fn a_connection_that_breaks_anywhere_waits_and_all_arrives_once_in_the_end() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let clip: Vec<u8> = (0..3_000_000).map(|_| random.u8(..)).collect();
    let backend = Backend::start(NOW_S);
    let proxy = Proxy::before(backend.addr);
    let rig = Rig::with_clip(proxy.addr, &clip);
    for round in 1..=5 {
        proxy.after(random.i64(1..3_003_000), Then::Reset);
        let (why, _) = waits(rig.attempt());
        assert!(why.contains(&proxy.addr.to_string()), "{why}");
        assert_eq!(proxy.struck(), round, "{why}");
    }
    proxy.through();
    rig.attempt().unwrap();
    all_there(&backend, &clip);
}

#[test]
fn a_slow_way_is_a_way_and_a_silent_one_is_given_up() {
    let backend = Backend::start(NOW_S);
    let clip = vec![7; 400_000];
    let proxy = Proxy::before(backend.addr);
    let mut rig = Rig::with_clip(proxy.addr, &clip);
    rig.limits.idle = Duration::from_secs(1);
    proxy.after(200_000, Then::Stall);
    let (why, _) = waits(rig.attempt());
    assert!(why.contains("took and sent nothing"), "{why}");
    rig.limits = Limits::default();
    proxy.through();
    proxy.slow();
    rig.attempt().unwrap();
    all_there(&backend, &clip);
}

#[test]
fn a_backend_that_is_not_there_waits() {
    // Bound, so that nobody else gets the port, and not listening.
    let socket = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::empty(),
        None,
    )
    .unwrap();
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let port = getsockname::<SockaddrIn>(socket.as_raw_fd())
        .unwrap()
        .port();
    let gone = SocketAddr::from(([127, 0, 0, 1], port));
    let (why, _) = waits(Rig::new(gone).attempt());
    assert!(why.contains("refuses connections"), "{why}");
}

#[test]
fn later_waits_as_long_as_it_is_told_at_every_stage() {
    for stage in STAGES {
        let backend = Backend::start(NOW_S);
        let rig = Rig::new(backend.addr);
        let leak = json!({ "message": format!("{SECRET} http://x/?canary") }).to_string();
        backend.fault(stage, Fault::Answer(500, vec![], leak));
        let (why, after) = waits(rig.attempt());
        assert!(why.contains("500 Internal Server Error"), "{why}");
        assert_eq!(after, None);
        for status in [429, 503] {
            let header = ("retry-after", "120".to_owned());
            backend.fault(stage, Fault::Answer(status, vec![header], String::new()));
            assert_eq!(waits(rig.attempt()).1, Some(120_000), "{stage:?} {status}");
        }
        rig.attempt().unwrap();
        all_there(&backend, b"clip bytes!");
    }
}

#[test]
fn no_counts_and_says_what_to_look_at() {
    for (stage, status, word) in [
        (
            Stage::Register,
            401,
            "are secret, device_id and client_id right",
        ),
        (
            Stage::Register,
            403,
            "are secret, device_id and client_id right",
        ),
        (Stage::Register, 404, "is register_path right?"),
        (Stage::Register, 422, "422"),
        (Stage::Register, 302, "redirects are not followed"),
        (Stage::Put, 403, "may want headers"),
        (Stage::Put, 400, "AccessDenied"),
        (Stage::Finalize, 404, "is finalize_path right?"),
        (Stage::Finalize, 409, "409 Conflict"),
    ] {
        let backend = Backend::start(NOW_S);
        let rig = Rig::new(backend.addr);
        let body = match stage {
            Stage::Put => "<Error><Code>AccessDenied</Code><Sign>canary</Sign></Error>".to_owned(),
            _ => json!({ "error": format!("see http://x?{CANARY}"), "x": SECRET }).to_string(),
        };
        backend.fault(stage, Fault::Answer(status, vec![], body));
        let why = fails(rig.attempt());
        assert!(why.contains(word), "{stage:?} {status}: {why}");
        rig.attempt().unwrap();
        all_there(&backend, b"clip bytes!");
    }
}

#[test]
fn a_signed_address_that_expired_on_a_slow_line_costs_no_attempt_and_a_new_one_is_asked_for() {
    let expired = |code: &str| {
        format!(
            "<Error><Code>{code}</Code><Message>Request has expired</Message>\
             <Sign>{CANARY}</Sign></Error>"
        )
    };
    for (status, body) in [
        (403, expired("AccessDenied")),
        (400, expired("ExpiredToken")),
    ] {
        let backend = Backend::start(NOW_S);
        let rig = Rig::new(backend.addr);
        for round in 1..=5 {
            // More often than attempts may count.
            backend.fault(Stage::Put, Fault::Answer(status, vec![], body.clone()));
            let (why, after) = waits(rig.attempt());
            assert!(why.contains("expired before the file was there"), "{why}");
            assert_eq!(after, None);
            assert_eq!(backend.count(Stage::Register), round);
        }
        assert_eq!(rig.attempt().unwrap().place, "v6");
        all_there(&backend, b"clip bytes!");
    }
}

#[test]
fn a_video_that_this_box_damaged_is_never_whole_at_the_far_side() {
    let backend = Backend::start(NOW_S);
    let clip = vec![7; 400_000];
    let rig = Rig::with_clip(backend.addr, &clip);
    let mut damaged = clip;
    damaged[390_000] ^= 1;
    std::fs::write(rig.dir.path().join("court1.mp4"), damaged).unwrap();
    let why = fails(rig.attempt());
    assert!(why.contains("this box's disk damaged it"), "{why}");
    assert_eq!(backend.count(Stage::Put), 0, "a whole file was taken");
    assert_eq!(backend.holds(), []);
}

#[test]
fn an_answer_that_says_never_ends_it_and_its_status_alone_does_not() {
    let never = fixture()["never"].clone();
    for stage in [Stage::Register, Stage::Finalize] {
        let backend = Backend::start(NOW_S);
        let rig = Rig::new(backend.addr);
        let answer = never["answer"].to_string();
        backend.fault(stage, Fault::Answer(403, vec![], answer));
        match rig.attempt() {
            Err(Failure::Permanent { why }) => assert!(why.text.contains("08:00-20:00"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    let backend = Backend::start(NOW_S);
    let rig = Rig::new(backend.addr);
    for (status, body) in [(403, "{}"), (410, "outside_allowed_window")] {
        backend.fault(
            Stage::Register,
            Fault::Answer(status, vec![], body.to_owned()),
        );
        fails(rig.attempt());
    }
}

#[test]
fn a_backend_that_holds_something_else_is_no_success_and_gets_it_anew() {
    for wrong in [
        json!({ "size_bytes": 10 }),
        json!({ "size_bytes": 11, "sha256": "00".repeat(32) }),
    ] {
        let backend = Backend::start(NOW_S);
        let rig = Rig::new(backend.addr);
        backend.fault(Stage::Finalize, Fault::Says(wrong.clone()));
        let why = fails(rig.attempt());
        assert!(why.contains("says that it holds"), "{why}");
        // Asked once more, it says so again: the file is sent once more.
        backend.fault(Stage::Finalize, Fault::Says(wrong));
        rig.attempt().unwrap();
        let puts = backend
            .inner()
            .seen
            .iter()
            .filter(|s| s.path.starts_with("/store/v"))
            .count();
        assert_eq!(puts, 5);
    }
    let backend = Backend::start(NOW_S);
    let rig = Rig::new(backend.addr);
    let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned();
    backend.fault(Stage::Put, Fault::Header("x-amz-checksum-sha256", other));
    let why = fails(rig.attempt());
    assert!(why.contains("holds something else"), "{why}");
    rig.attempt().unwrap();
    all_there(&backend, b"clip bytes!");
}

#[test]
fn an_answer_without_an_address_is_no_success() {
    let backend = Backend::start(NOW_S);
    let rig = Rig::new(backend.addr);
    for (says, word) in [
        (
            json!({ "id": "7" }),
            "has no field \"upload_url\" (it has: id)",
        ),
        (json!({ "upload_url": "/x?canary" }), "has no field \"id\""),
        (
            json!({ "id": "7", "upload_url": "ftp://x/canary" }),
            "neither with https:// nor",
        ),
        (
            json!({ "id": "..", "upload_url": "/x" }),
            "can stand in no path",
        ),
        (
            json!({ "id": "7", "upload_url": "/x", "upload_headers": { "a b": "c" } }),
            "cannot be sent",
        ),
        (json!("canary"), "has no field \"id\" (it has: nothing)"),
    ] {
        backend.fault(Stage::Register, Fault::Says(says));
        let why = fails(rig.attempt());
        assert!(why.contains(word), "{why}");
    }
    backend.fault(
        Stage::Register,
        Fault::Answer(200, vec![], "<html>canary".to_owned()),
    );
    assert!(fails(rig.attempt()).contains("is no JSON"));
    assert_eq!(backend.count(Stage::Put), 0);
    rig.attempt().unwrap();
    all_there(&backend, b"clip bytes!");
}

#[test]
fn what_was_sent_before_a_kill_is_only_finalized_and_what_was_finalized_is_left_alone() {
    let backend = Backend::start(NOW_S);
    let rig = Rig::new(backend.addr);
    // Each attempt is killed at its first note: file by file behind the PUT, then behind the
    // finalization.
    let mut puts = Vec::new();
    for _ in 0..8 {
        rig.killed();
        puts.push((backend.count(Stage::Put), backend.count(Stage::Finalize)));
    }
    let wanted = [
        (1, 0),
        (1, 1),
        (2, 1),
        (2, 2),
        (3, 2),
        (3, 3),
        (4, 3),
        (4, 4),
    ];
    assert_eq!(puts, wanted);
    assert_eq!(rig.attempt().unwrap().place, "v1");
    assert_eq!(backend.count(Stage::Register), 4);
    assert_eq!(backend.inner().seen.len(), 12);
    all_there(&backend, b"clip bytes!");
}

#[test]
fn what_a_backend_has_forgotten_meanwhile_is_sent_anew() {
    let backend = Backend::start(NOW_S);
    let rig = Rig::new(backend.addr);
    rig.killed();
    backend.fault(Stage::Finalize, Fault::Answer(404, vec![], String::new()));
    assert_eq!(rig.attempt().unwrap().place, "v2");
    all_there(&backend, b"clip bytes!");
    // A note that is none, or of another version: from the beginning.
    let backend = Backend::start(NOW_S);
    let rig = Rig::new(backend.addr);
    *rig.noted.borrow_mut() = Some(json!({ "parts": [1] }));
    rig.attempt().unwrap();
    all_there(&backend, b"clip bytes!");
}

#[test]
fn a_box_that_does_not_know_the_time_waits_and_asks_nobody() {
    let backend = Backend::start(NOW_S);
    let rig = Rig::new(backend.addr);
    rig.clock.set_wall(0, false);
    let (why, after) = waits(rig.attempt());
    assert!(why.contains("clock was never set"), "{why}");
    assert_eq!((after, backend.inner().seen.len()), (Some(60_000), 0));
}

#[test]
fn a_clock_that_is_off_is_named_and_waits() {
    let backend = Backend::start(NOW_S);
    let rig = Rig::new(backend.addr);
    rig.clock.set_wall((NOW_S - 4000) * 1_000_000_000, false);
    let (why, after) = waits(rig.attempt());
    assert!(
        why.contains("time is off; this box's clock is 4000 s slow"),
        "{why}"
    );
    assert_eq!(after, Some(60_000));
}

#[test]
fn told_to_stop_it_leaves_wherever_it_is() {
    for stage in STAGES {
        let backend = Backend::start(NOW_S);
        let rig = Rig::new(backend.addr);
        backend.fault(stage, Fault::Hang);
        let stop = rig.stop.clone();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while backend.count(stage) == 0 {
                    std::thread::sleep(Duration::from_millis(5));
                }
                stop.raise(StopLevel::Finish);
            });
            assert_eq!(rig.attempt(), Err(Failure::Cancelled), "{stage:?}");
        });
    }
}
