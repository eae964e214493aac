//! An upload to an S3 server on this machine, beside a plain `curl` PUT of the same file; and
//! how much memory it takes.
//!
//! Both sign; curl neither hashes the file nor asks for a proof.

use std::cell::Cell;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use hindsight::base::{RealClock, Stop};
use hindsight::config::{self, Sources};
use hindsight::queue::sidecar::Sidecar;
use hindsight::queue::work::{Failure, Job, Notebook, Target};
use hindsight::upload;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Row;
use crate::process::{median, rss_anon_mb, work_dir};
use crate::s3::{BUCKET, KEY_ID, S3, SECRET};

const ROUNDS: usize = 5;

/// Nobody restarts here; but after each part something is noted, and after the last one the
/// server joins them.
#[derive(Default)]
struct LastPart(Cell<Option<Instant>>);

impl Notebook for LastPart {
    fn note(&self, resume: Option<Value>) -> Result<(), Failure> {
        if resume.is_some() {
            self.0.set(Some(Instant::now()));
        }
        Ok(())
    }
}

struct Spent {
    whole_s: f64,
    /// Until the server had the last part.
    parts_s: f64,
    grown_mb: f64,
}

pub fn bench() -> Vec<Row> {
    let Some(s3) = S3::start() else {
        return Vec::new();
    };
    let sizes = [25_000_000, 200_000_000];
    sizes
        .into_iter()
        .flat_map(|bytes| one(&s3, bytes))
        .collect()
}

fn one(s3: &S3, bytes: usize) -> Vec<Row> {
    let dir = work_dir().join("upload");
    std::fs::create_dir_all(&dir).unwrap();
    let about = highlight(&dir, bytes);
    let (mut ours, mut curls): (Vec<Spent>, Vec<f64>) = Default::default();
    for round in 0..ROUNDS {
        // By turns: what else the machine does meets both.
        curls.push(curl(s3, &dir, &format!("curl/{bytes}-{round}.mp4")));
        let target = target(s3, &dir, &format!("ours-{bytes}-{round}"));
        ours.push(ours_once(&*target, &dir, &about));
    }
    let _ = std::fs::remove_dir_all(&dir);
    rows(bytes / 1_000_000, &ours, median(&curls))
}

fn rows(size: usize, ours: &[Spent], curl_s: f64) -> Vec<Row> {
    let of = |f: fn(&Spent) -> f64| median(&ours.iter().map(f).collect::<Vec<_>>());
    let (whole_s, parts_s) = (of(|o| o.whole_s), of(|o| o.parts_s));
    let speed = |seconds: f64| size as f64 / seconds;
    let percent = |seconds: f64| format!("{:.0} %", 100.0 * curl_s / seconds);
    let curl = format!("curl PUT {:.0} MB/s", speed(curl_s));
    let joined_ms = 1_000.0 * (whole_s - parts_s);
    let grown = ours.iter().map(|o| o.grown_mb).fold(0.0, f64::max);
    vec![
        Row {
            what: format!("upload of {size} MB to S3"),
            measured: format!("{:.0} MB/s with its proof; {curl}", speed(whole_s)),
            value: percent(whole_s),
            must: ">= 80 %",
            aim: "",
        },
        Row {
            what: format!("… until the server has all {size} MB"),
            measured: format!(
                "{:.0} MB/s; then this server copies the parts together, and is asked for the proof: {joined_ms:.0} ms",
                speed(parts_s)
            ),
            value: percent(parts_s),
            must: "",
            aim: "",
        },
        Row {
            what: format!("memory of an upload of {size} MB"),
            measured: "anonymous memory at its most, beyond what it was before; the largest"
                .to_owned(),
            value: format!("{grown:.1} MB"),
            must: "<= 16 MB",
            aim: "",
        },
    ]
}

fn curl(s3: &S3, dir: &Path, key: &str) -> f64 {
    let begun = Instant::now();
    let status = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--fail",
            "--output",
            "/dev/null",
        ])
        .args(["--aws-sigv4", "aws:amz:us-east-1:s3", "--user"])
        .arg(format!("{KEY_ID}:{SECRET}"))
        .args([
            "--header",
            "x-amz-content-sha256: UNSIGNED-PAYLOAD",
            "--upload-file",
        ])
        .arg(dir.join("court1.mp4"))
        .arg(format!("http://{}/{BUCKET}/{key}", s3.address))
        .status()
        .expect("the bench needs curl");
    assert!(status.success(), "curl could not upload");
    begun.elapsed().as_secs_f64()
}

fn ours_once(target: &dyn Target, dir: &Path, about: &Sidecar) -> Spent {
    let job = Job {
        folder: dir,
        sidecar: about,
        tmp: dir,
    };
    let me = std::process::id();
    let (before, done) = (rss_anon_mb(me), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = before;
            while !done.load(SeqCst) {
                most = most.max(rss_anon_mb(me));
                std::thread::sleep(Duration::from_millis(5));
            }
            most - before
        });
        let last = LastPart::default();
        let begun = Instant::now();
        let result = target.upload(&job, None, &last, &|_| {}, &Stop::default());
        let whole_s = begun.elapsed().as_secs_f64();
        done.store(true, SeqCst);
        result.unwrap();
        let parts = last.0.get().expect("it went in parts");
        Spent {
            whole_s,
            parts_s: (parts - begun).as_secs_f64(),
            grown_mb: watch.join().unwrap(),
        }
    })
}

fn target(s3: &S3, dir: &Path, folder: &str) -> Arc<dyn Target> {
    let file = dir.join("hindsight.toml");
    let text = format!(
        "[venue]\nname = \"Bench\"\ntimezone = \"UTC\"\n[storage]\npath = \"/nowhere/at/all\"\n\
         [[target]]\nid = \"s3\"\nkind = \"s3\"\nendpoint = \"http://{}\"\nbucket = \"{BUCKET}\"\n\
         key = \"{folder}/{{press}}-{{camera}}.mp4\"\naccess_key_id = \"{KEY_ID}\"\n\
         secret_access_key = \"{SECRET}\"\n[[camera]]\nid = \"court1\"\nurl = \"rtsp://127.0.0.1/s\"\n",
        s3.address
    );
    std::fs::write(&file, text).unwrap();
    let sources = Sources {
        file: Some(file),
        ..Sources::default()
    };
    let loaded = config::load(&sources).unwrap();
    let mut targets = upload::targets(&loaded.config, Arc::new(RealClock)).unwrap();
    targets.remove(0)
}

fn highlight(dir: &Path, bytes: usize) -> Sidecar {
    let mut video = vec![0; bytes];
    fastrand::Rng::with_seed(7).fill(&mut video);
    std::fs::write(dir.join("court1.mp4"), &video).unwrap();
    let hash = Sha256::digest(&video);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let about = json!({
        "type": "highlight", "status": "watermarked", "reason": null,
        "created_at": "2026-11-21T18:30:05.250+00:00", "press_id": "0badc0de-00000012345-00010002",
        "camera": { "id": "court1", "name": "Court 1" }, "source": "http",
        "file_name": "court1.mp4", "size_bytes": bytes, "sha256": hash,
        "meta": { "codec": "h264", "width": 1920, "height": 1080, "fps": 30.0,
                  "duration_sec": 50.0, "audio_codec": null },
        "pre_seconds": 40.0, "post_seconds": 10.0,
        "requested": { "pre_seconds": 40.0, "post_seconds": 10.0 },
        "ended": "complete", "gaps": [], "damaged": [],
        "clock": { "boot_id": "0badc0de0badc0de0badc0de0badc0de", "wall_synchronised": true,
                   "press_mono_ns": 1000, "latency_ms": 0, "mapping": null,
                   "certainty": null, "alignment": null },
        "notes": [],
    });
    serde_json::from_value(about).unwrap()
}
