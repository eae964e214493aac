//! A finished highlight on the disk, its target, and what the queue would keep of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use hindsight::base::{Clock, RealClock, Stop};
use hindsight::config::{self, Config, Sources};
use hindsight::queue::sidecar::{Sidecar, TargetState, UploadStatus};
use hindsight::queue::work::{Failure, Job, Notebook, UploadTarget, Uploaded};
use hindsight::upload::{self, Limits};
use serde_json::{Value, json};

use crate::s3::{KEY_ID, SECRET};
pub use crate::waiting::{PRESS, footage, sidecar};

/// A highlight of the press `PRESS` and camera court1.
pub struct Highlight {
    pub dir: tempfile::TempDir,
    pub about: Sidecar,
}

/// What every name there begins with.
pub const STEM: &str = "Arena/2026-11-21/0badc0de-00000012345-00010002-court1";

impl Highlight {
    /// With a video of so many bytes and a thumbnail.
    pub fn of(video_bytes: usize) -> Highlight {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let bytes = footage(video_bytes);
        std::fs::write(dir.path().join("court1.mp4"), &bytes).unwrap();
        std::fs::write(dir.path().join("court1.jpg"), b"\xff\xd8 a goal \xff\xd9").unwrap();
        let about = sidecar(&bytes, json!({ "thumbnail_path": "court1.jpg" }));
        Highlight { dir, about }
    }

    pub fn video(&self) -> Vec<u8> {
        std::fs::read(self.dir.path().join("court1.mp4")).unwrap()
    }

    pub fn job(&self) -> Job<'_> {
        Job {
            folder: self.dir.path(),
            sidecar: &self.about,
            tmp: Path::new("/nowhere"),
        }
    }

    /// So many attempts at "there" have counted.
    pub fn tried(&mut self, attempts: u32) {
        self.about.uploads = vec![TargetState {
            target: "there".to_owned(),
            status: UploadStatus::Waiting,
            attempts,
            last_error: None,
            last_error_code: None,
            last_error_args: Default::default(),
            updated_at: String::new(),
            place: None,
            resume: None,
        }];
    }
}

/// What the queue would write into the sidecar.
#[derive(Default)]
pub struct Notes(Mutex<(Option<Value>, usize)>);

impl Notes {
    pub fn last(&self) -> Option<Value> {
        self.0.lock().unwrap().0.clone()
    }

    /// How often something was noted.
    pub fn times(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

impl Notebook for Notes {
    fn note(&self, resume: Option<Value>) -> Result<(), Failure> {
        let mut notes = self.0.lock().unwrap();
        *notes = (resume, notes.1 + 1);
        Ok(())
    }
}

/// Patience of the tests' client: seconds where nothing moves, so that a loaded machine is no fault.
pub const LIMITS: Limits = Limits {
    connect: Duration::from_secs(20),
    idle: Duration::from_secs(60),
};

/// A whole configuration with these lines, as people write them.
pub fn config(lines: &str) -> Config {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = dir.path().join("hindsight.toml");
    let text = format!(
        "[venue]\nname = \"Arena\"\ntimezone = \"Europe/Berlin\"\n[storage]\npath = \"/nowhere/at/all\"\n\
         {lines}\n[[camera]]\nid = \"court1\"\nurl = \"rtsp://127.0.0.1/s\"\n"
    );
    std::fs::write(&file, text).unwrap();
    let sources = Sources {
        file: Some(file),
        ..Sources::default()
    };
    config::load(&sources).unwrap().config
}

/// Lines of an S3 target at `endpoint`.
pub fn s3_lines(endpoint: &str, more: &str) -> String {
    format!(
        "{more}\n[[target]]\nid = \"there\"\nkind = \"s3\"\nendpoint = \"{endpoint}\"\nbucket = \"clips\"\n\
         access_key_id = \"{KEY_ID}\"\nsecret_access_key = \"{SECRET}\"\n"
    )
}

pub fn folder_lines(path: &Path) -> String {
    let path = path.display();
    format!("[[target]]\nid = \"there\"\nkind = \"folder\"\npath = \"{path}\"\n")
}

pub fn target_with(lines: &str, clock: Arc<dyn Clock>, limits: Limits) -> Arc<dyn UploadTarget> {
    hear_logs();
    let mut targets = upload::patient(&config(lines), clock, limits).unwrap();
    assert_eq!(targets.len(), 1);
    targets.remove(0)
}

pub fn target(lines: &str) -> Arc<dyn UploadTarget> {
    target_with(lines, Arc::new(RealClock), LIMITS)
}

/// One attempt, that goes on where `notes` say.
pub fn attempt(
    target: &dyn UploadTarget,
    highlight: &Highlight,
    notes: &Notes,
) -> Result<Uploaded, Failure> {
    let resume = notes.last();
    let result = target.upload(
        &highlight.job(),
        resume.as_ref(),
        notes,
        &|permille| assert!(permille <= 1000),
        &Stop::default(),
    );
    if let Err(failure) = &result {
        holds_no_secret(&failure.to_string());
    }
    holds_no_secret(&format!("{:?}", notes.last()));
    result
}

pub fn holds_no_secret(text: &str) {
    assert!(!text.contains(SECRET), "a secret is told: {text}");
    assert!(
        !text.contains("X-Amz-Signature"),
        "a signature is told: {text}"
    );
}

pub fn waits(result: Result<Uploaded, Failure>, word: &str) -> Option<u64> {
    match result {
        Err(Failure::Unavailable {
            why,
            retry_after_ms,
        }) => {
            assert!(why.text.contains(word), "{word} is not in: {why}");
            retry_after_ms
        }
        other => panic!("not a wait: {other:?}"),
    }
}

pub fn fails(result: Result<Uploaded, Failure>, word: &str) {
    match result {
        Err(Failure::Failed { why }) => assert!(why.text.contains(word), "{word} is not in: {why}"),
        other => panic!("not a failure that counts: {other:?}"),
    }
}

/// Every log line of every crate, at every level, is looked at.
fn hear_logs() {
    struct Ears;
    impl log::Log for Ears {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            let line = record.args().to_string();
            assert!(!line.contains(SECRET), "a secret is logged: {line}");
        }
        fn flush(&self) {}
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Ears).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
}

/// All files below a folder, with their bytes.
pub fn files(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut todo = vec![root.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_owned(), bytes));
            }
        }
    }
    found.sort();
    found
}
