//! An update of 700 MB, beside `zstd -d` of the same bytes: how fast it is checked, unpacked and
//! written, read back; how much memory it takes.
//!
//! The system in it is made of this machine's own programs and libraries, packed as the image's
//! are (`zstd -19`). That takes minutes, once; the packed file is kept.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use hindsight::disk::Disk;
use hindsight::update::install::{InstallStep, UpdateRules};
use hindsight::update::{Image, Layout, Slot, SlotState, SlotStore, Updater};
use sha2::{Digest, Sha256};

use crate::Row;
use crate::process::{cpu_s, rss_anon_mb, work_dir};

const BYTES: u64 = 700_000_000;

pub fn bench() -> Vec<Row> {
    let dir = work_dir().join("update");
    fs::create_dir_all(&dir).unwrap();
    let system = dir.join("system");
    let packed = dir.join("system.zst");
    if !packed.exists() {
        println!("update: packing {BYTES} bytes, once");
        make(&system);
        let out = File::create(dir.join("packing")).unwrap();
        let done = Command::new("zstd")
            .args(["-q", "-19", "-T0", "-c"])
            .arg(&system)
            .stdout(out)
            .status();
        if !done.is_ok_and(|status| status.success()) {
            println!("SKIPPED: no zstd here");
            return Vec::new();
        }
        fs::rename(dir.join("packing"), &packed).unwrap();
    }
    let update = sign(&dir, &system, &packed);
    let beside = alone(&packed);
    let rows = install(&dir, &update, beside);
    fs::remove_dir_all(dir.join("box")).unwrap();
    rows
}

/// What lies below /usr, one file after the other.
fn make(system: &Path) {
    let mut out = BufWriter::new(File::create(system).unwrap());
    let mut left = BYTES;
    let mut todo = vec![
        PathBuf::from("/usr/share"),
        "/usr/bin".into(),
        "/usr/lib".into(),
    ];
    while let (Some(path), true) = (todo.pop(), left > 0) {
        let Ok(facts) = fs::symlink_metadata(&path) else {
            continue;
        };
        if facts.is_dir() {
            let mut inside: Vec<PathBuf> = fs::read_dir(&path)
                .map(|all| all.flatten().map(|entry| entry.path()).collect())
                .unwrap_or_default();
            inside.sort();
            todo.extend(inside);
        } else if facts.is_file()
            && let Ok(file) = File::open(&path)
        {
            left -= std::io::copy(&mut file.take(left), &mut out).unwrap();
        }
    }
    assert!(left == 0, "this machine has too little below /usr");
    out.flush().unwrap();
}

/// The update with its signature, and the key beside it.
fn sign(dir: &Path, system: &Path, packed: &Path) -> PathBuf {
    let update = dir.join("bench.hsu");
    let sum = Sha256::digest(fs::read(system).unwrap());
    let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut bytes = format!(
        "{{\"format\":1,\"version\":\"9.0.0\",\"arch\":\"x\",\"size\":{BYTES},\"sha256\":\"{hex}\"}}\n"
    )
    .into_bytes();
    bytes.extend(fs::read(packed).unwrap());
    let keys = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let signature = minisign::sign(Some(&keys.pk), &keys.sk, &bytes[..], None, None).unwrap();
    fs::write(&update, bytes).unwrap();
    fs::write(dir.join("bench.hsu.minisig"), signature.into_string()).unwrap();
    let public = keys.pk.to_box().unwrap().into_string();
    fs::write(dir.join("update.pub"), public).unwrap();
    update
}

/// Seconds that `zstd -d` needs to throw it away.
fn alone(packed: &Path) -> f64 {
    let begun = Instant::now();
    let done = Command::new("zstd")
        .args(["-q", "-d", "-c"])
        .arg(packed)
        .stdout(Stdio::null())
        .status();
    assert!(done.unwrap().success());
    begun.elapsed().as_secs_f64()
}

/// Wall and processor seconds at the end of each step.
#[derive(Clone, Copy)]
struct At {
    wall_s: f64,
    cpu_s: f64,
}

/// A box with an empty slot.
fn empty_box(place: &Path, disk: &Disk) -> Layout {
    let layout = Layout {
        boot: place.to_owned(),
        a: place.join("a"),
        b: place.join("b"),
        running: Slot::A,
        arch: "x".to_owned(),
        lock: place.join("lock"),
        mounts: "/proc/self/mountinfo".into(),
    };
    fs::create_dir_all(place).unwrap();
    File::create(&layout.b).unwrap().set_len(BYTES).unwrap();
    let store = SlotStore::new(disk, place);
    store.write(SlotState::settled(Slot::A)).unwrap();
    layout
}

fn install(dir: &Path, update: &Path, beside_s: f64) -> Vec<Row> {
    let disk = Disk::default();
    let layout = empty_box(&dir.join("box"), &disk);
    let begun = Instant::now();
    let pid = std::process::id();
    let now = || At {
        wall_s: begun.elapsed().as_secs_f64(),
        cpu_s: cpu_s(pid),
    };
    let memory = rss_anon_mb(pid);
    let (mut ends, mut most_mb) = ([now(); 4], 0_f64);
    let image = Image::open(update).unwrap();
    let rules = UpdateRules {
        key: dir.join("update.pub"),
        running: semver::Version::new(1, 0, 0),
        allow_older: false,
    };
    let mut tell = |step| {
        let n = match step {
            InstallStep::Proving { .. } => 1,
            InstallStep::Writing { .. } => 2,
            _ => 3,
        };
        ends[n] = now();
        if n == 2 {
            most_mb = most_mb.max(rss_anon_mb(pid) - memory);
        }
    };
    let begin = Updater::begin(&layout, &disk).unwrap();
    begin.install(&image, &rules, &mut tell).unwrap();
    table(ends, image.len, most_mb, beside_s)
}

fn table(ends: [At; 4], packed: u64, most_mb: f64, beside_s: f64) -> Vec<Row> {
    let row = |what: &str, value: String, measured: String| Row {
        what: format!("update of 700 MB: {what}"),
        measured,
        value,
        must: "",
        aim: "",
    };
    let step = |n: usize, bytes: u64, what: &str| {
        let wall_s = ends[n].wall_s - ends[n - 1].wall_s;
        let cpu_s = ends[n].cpu_s - ends[n - 1].cpu_s;
        let mb = bytes as f64 / 1e6;
        let value = format!("{:.0} MB/s", mb / cpu_s);
        row(
            what,
            value,
            format!("{mb:.0} MB: {cpu_s:.1} s of CPU, {wall_s:.1} s in all"),
        )
    };
    vec![
        step(1, packed, "signature"),
        step(2, BYTES, "unpack, hash, write, sync"),
        step(3, BYTES, "read back, hash"),
        row(
            "zstd -d, thrown away",
            format!("{:.0} MB/s", BYTES as f64 / 1e6 / beside_s),
            format!("{beside_s:.1} s in all"),
        ),
        row(
            "memory for it",
            format!("{most_mb:.0} MB"),
            "anonymous, most while unpacking".to_owned(),
        ),
    ]
}
