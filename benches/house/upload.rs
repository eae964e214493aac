//! Uploads to an S3 server on this machine, beside a plain `curl` PUT of the same file; and how
//! much memory they take.
//!
//! All sign. `curl` neither hashes the file nor asks for a proof. The server keeps its objects in
//! memory (`/dev/shm`), for everybody. What goes in parts is also sent to `s3s-fs` as it comes,
//! which reads, hashes and writes every byte once more to join the parts, as no large server
//! does; there, `curl` sends the same parts one after the other, to compare with.

use std::cell::RefCell;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use hindsight::base::{RealClock, Stop};
use hindsight::config::{self, Sources};
use hindsight::queue::sidecar::Sidecar;
use hindsight::queue::work::{Failure, Job, Notebook, UploadTarget};
use hindsight::upload;
use serde_json::{Value, json};

use crate::Row;
use crate::process::{median, rss_anon_mb, work_dir};
use crate::s3::{BUCKET, KEY_ID, Keeps, S3, SECRET};
use crate::waiting::{footage, sidecar};

const ROUNDS: usize = 7;
/// As the uploads have them.
const PART_BYTES: usize = 8 << 20;

/// Nobody restarts here; but something is noted when an upload in parts has begun, after each
/// part, and when the server has joined them.
struct Steps {
    begun: Instant,
    noted: RefCell<Vec<Duration>>,
}

impl Notebook for Steps {
    fn note(&self, _: Option<Value>) -> Result<(), Failure> {
        self.noted.borrow_mut().push(self.begun.elapsed());
        Ok(())
    }
}

/// Seconds since its beginning, and megabytes.
struct Spent {
    begun_s: f64,
    /// The server has the last part.
    parts_s: f64,
    /// It has joined them.
    joined_s: f64,
    whole_s: f64,
    grown_mb: f64,
}

pub fn bench() -> Vec<Row> {
    let below = Path::new("/dev/shm");
    let mut rows = Vec::new();
    if let Some(s3) = S3::fast(Keeps::InPlace, below) {
        for bytes in [15_000_000, 25_000_000, 200_000_000] {
            rows.extend(rows_of(&s3, bytes, ">= 80 %"));
        }
    }
    if let Some(s3) = S3::fast(Keeps::Copied, below) {
        for bytes in [25_000_000, 200_000_000] {
            rows.extend(rows_of(&s3, bytes, ""));
        }
    }
    rows
}

/// `must`: empty for the server that copies.
fn rows_of(s3: &S3, bytes: usize, must: &'static str) -> Vec<Row> {
    let dir = work_dir().join("upload");
    std::fs::create_dir_all(&dir).unwrap();
    let about = highlight(&dir, bytes);
    let in_parts = bytes > 16_000_000;
    let (mut ours, mut curls, mut by_parts): (Vec<Spent>, Vec<f64>, Vec<f64>) = Default::default();
    for round in 0..ROUNDS {
        // By turns: what else the machine does meets all.
        let name = format!("{bytes}-{round}");
        curls.push(seconds(|| curl_put(s3, &dir, &format!("curl/{name}.mp4"))));
        let target = target(s3, &dir, &format!("ours-{name}"));
        ours.push(ours_once(&*target, &dir, &about));
        if in_parts {
            by_parts.push(curl_parts(s3, &dir, &format!("parts/{name}.mp4"), bytes));
        }
        s3.empty();
    }
    let _ = std::fs::remove_dir_all(&dir);
    let size = bytes / 1_000_000;
    let mut rows = vec![speed_row(size, &ours, median(&curls), must)];
    if in_parts {
        rows[0].measured += &format!(
            "; curl by the same parts {:.0} MB/s",
            size as f64 / median(&by_parts)
        );
        rows.push(steps_row(size, &ours, median(&by_parts)));
    }
    if !must.is_empty() {
        rows.push(memory_row(size, &ours));
    }
    rows
}

fn seconds(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64()
}

fn of(ours: &[Spent], f: fn(&Spent) -> f64) -> f64 {
    median(&ours.iter().map(f).collect::<Vec<_>>())
}

fn speed_row(size: usize, ours: &[Spent], curl_s: f64, must: &'static str) -> Row {
    let whole_s = of(ours, |o| o.whole_s);
    let server = if must.is_empty() { "s3s-fs" } else { "S3" };
    let speed = |seconds: f64| size as f64 / seconds;
    Row {
        what: format!("upload of {size} MB to {server}"),
        measured: format!(
            "{:.0} MB/s with its proof; curl PUT {:.0} MB/s",
            speed(whole_s),
            speed(curl_s)
        ),
        value: format!("{:.0} %", 100.0 * curl_s / whole_s),
        must,
        aim: "",
    }
}

fn steps_row(size: usize, ours: &[Spent], by_parts_s: f64) -> Row {
    let ms = |f: fn(&Spent) -> f64| 1_000.0 * of(ours, f);
    Row {
        what: format!("… its steps, and against curl by the same {size} MB of parts"),
        measured: format!(
            "begun {:.1} ms, parts {:.1} ms, joined {:.1} ms, proof and sidecar {:.1} ms",
            ms(|o| o.begun_s),
            ms(|o| o.parts_s - o.begun_s),
            ms(|o| o.joined_s - o.parts_s),
            ms(|o| o.whole_s - o.joined_s)
        ),
        value: format!("{:.0} %", 100.0 * by_parts_s / of(ours, |o| o.whole_s)),
        must: "",
        aim: "",
    }
}

fn memory_row(size: usize, ours: &[Spent]) -> Row {
    let grown = ours.iter().map(|o| o.grown_mb).fold(0.0, f64::max);
    Row {
        what: format!("memory of an upload of {size} MB"),
        measured: "anonymous memory at its most, beyond what it was before; the largest".to_owned(),
        value: format!("{grown:.1} MB"),
        must: "<= 16 MB",
        aim: "",
    }
}

/// `curl`, signing, to say what is done with the bodies; its output.
fn curl(transfers: &[Vec<String>]) -> String {
    let mut command = Command::new("curl");
    for (at, transfer) in transfers.iter().enumerate() {
        if at > 0 {
            command.arg("--next");
        }
        command.args(["--silent", "--show-error", "--fail"]);
        command.args(["--aws-sigv4", "aws:amz:us-east-1:s3", "--user"]);
        command.arg(format!("{KEY_ID}:{SECRET}"));
        command.args(["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]);
        command.args(transfer);
    }
    let out = command.output().expect("the bench needs curl");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "curl could not upload: {said}");
    String::from_utf8(out.stdout).unwrap()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn curl_put(s3: &S3, dir: &Path, key: &str) {
    let file = dir.join("court1.mp4").display().to_string();
    let url = format!("{}/{BUCKET}/{key}", s3.url());
    curl(&[words(&["--upload-file", &file, &url])]);
}

/// Begins, sends part after part over one connection, completes. The file is cut up before.
fn curl_parts(s3: &S3, dir: &Path, key: &str, bytes: usize) -> f64 {
    let video = std::fs::read(dir.join("court1.mp4")).unwrap();
    let part = |n: usize| dir.join(format!("part-{n}")).display().to_string();
    let count = bytes.div_ceil(PART_BYTES);
    for (n, piece) in video.chunks(PART_BYTES).enumerate() {
        std::fs::write(part(n + 1), piece).unwrap();
    }
    let url = format!("{}/{BUCKET}/{key}", s3.url());
    seconds(|| {
        let begin = format!("{url}?uploads=");
        let said = curl(&[words(&["--request", "POST", &begin])]);
        let id = between(&said, "<UploadId>", "</UploadId>");
        let puts = (1..=count).map(|n| {
            let url = format!("{url}?partNumber={n}&uploadId={id}");
            words(&["--upload-file", &part(n), "--dump-header", "-", &url])
        });
        let said = curl(&puts.collect::<Vec<_>>()).to_ascii_lowercase();
        let tags = said.split("etag: ").skip(1).zip(1..);
        let tags = tags.map(|(text, n)| {
            let tag = text.lines().next().unwrap_or_default().trim();
            format!("<Part><PartNumber>{n}</PartNumber><ETag>{tag}</ETag></Part>")
        });
        let tags: String = tags.collect();
        let xml = format!("<CompleteMultipartUpload>{tags}</CompleteMultipartUpload>");
        let complete = format!("{url}?uploadId={id}");
        let kind = "content-type: application/xml";
        curl(&[words(&["--header", kind, "--data-binary", &xml, &complete])]);
    })
}

fn between<'t>(text: &'t str, before: &str, behind: &str) -> &'t str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(behind).map_or("", |(found, _)| found)
}

fn ours_once(target: &dyn UploadTarget, dir: &Path, about: &Sidecar) -> Spent {
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
        let steps = Steps {
            begun: Instant::now(),
            noted: RefCell::default(),
        };
        let result = target.upload(&job, None, &steps, &|_| {}, &Stop::default());
        let whole_s = steps.begun.elapsed().as_secs_f64();
        done.store(true, SeqCst);
        result.unwrap();
        let noted = steps.noted.into_inner();
        let at = |n: Option<usize>| {
            let step = n.and_then(|n| noted.get(n));
            step.map_or(whole_s, Duration::as_secs_f64)
        };
        Spent {
            begun_s: at(Some(0)),
            parts_s: at(noted.len().checked_sub(2)),
            joined_s: at(noted.len().checked_sub(1)),
            whole_s,
            grown_mb: watch.join().unwrap(),
        }
    })
}

fn target(s3: &S3, dir: &Path, folder: &str) -> Arc<dyn UploadTarget> {
    let file = dir.join("hindsight.toml");
    let text = format!(
        "[venue]\nname = \"Bench\"\ntimezone = \"UTC\"\n[storage]\npath = \"/nowhere/at/all\"\n\
         [[target]]\nid = \"s3\"\nkind = \"s3\"\nendpoint = \"{}\"\nbucket = \"{BUCKET}\"\n\
         key = \"{folder}/{{press}}-{{camera}}.mp4\"\naccess_key_id = \"{KEY_ID}\"\n\
         secret_access_key = \"{SECRET}\"\n[[camera]]\nid = \"court1\"\nurl = \"rtsp://127.0.0.1/s\"\n",
        s3.url()
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
    let video = footage(bytes);
    std::fs::write(dir.join("court1.mp4"), &video).unwrap();
    sidecar(&video, json!({}))
}
