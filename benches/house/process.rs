//! What the kernel says of a process: CPU, memory, bytes written.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

fn proc_file(pid: u32, name: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default()
}

/// A process and those that it started: what reads the cameras is the service's as well.
fn family(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    all.extend(pids.filter(|child| parent_of(*child) == Some(pid)));
    all
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = proc_file(pid, "stat");
    let behind_name = stat.rsplit_once(')')?.1;
    behind_name.split_whitespace().nth(1)?.parse().ok()
}

/// User and system time of all threads of the family so far, in seconds, to the nanosecond.
pub fn cpu_s(pid: u32) -> f64 {
    let of = |pid: u32| {
        let pid = Pid::from_raw(i32::try_from(pid).expect("a process id"));
        let spent = clock_getcpuclockid(pid).and_then(clock_gettime);
        spent.map_or(f64::NAN, |t| Duration::from(t).as_secs_f64())
    };
    family(pid).into_iter().map(of).sum()
}

/// How often the family's threads gave up the processor to wait for something, so far.
pub fn waits(pid: u32) -> u64 {
    let of_thread = |entry: std::io::Result<std::fs::DirEntry>| {
        let status = std::fs::read_to_string(entry.ok()?.path().join("status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse::<u64>().ok()
    };
    let threads = |pid: u32| std::fs::read_dir(format!("/proc/{pid}/task"));
    let all = family(pid).into_iter().flat_map(threads).flatten();
    all.filter_map(of_thread).sum()
}

/// Anonymous memory in use, in megabytes of 10^6 bytes.
pub fn rss_anon_mb(pid: u32) -> f64 {
    let status = proc_file(pid, "status");
    let kib = status.lines().find_map(|line| {
        line.strip_prefix("RssAnon:")?
            .split_whitespace()
            .next()?
            .parse::<f64>()
            .ok()
    });
    kib.unwrap_or(f64::NAN) * 1024.0 / 1e6
}

/// The same of the family.
pub fn family_rss_anon_mb(pid: u32) -> f64 {
    family(pid).into_iter().map(rss_anon_mb).sum()
}

/// Bytes that the family caused to be written to storage.
pub fn write_bytes(pid: u32) -> u64 {
    let of = |pid: u32| {
        let io = proc_file(pid, "io");
        io.lines()
            .find_map(|line| line.strip_prefix("write_bytes: ")?.parse::<u64>().ok())
            .unwrap_or(0)
    };
    family(pid).into_iter().map(of).sum()
}

/// A child that ends when this is dropped.
pub struct Running(pub Child);

impl Running {
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// This bench program again, in another role. Its standard output can be read.
pub fn role(name: &str, arguments: &[String]) -> Running {
    let child = Command::new(std::env::current_exe().expect("the bench knows its own file"))
        .arg("--role")
        .arg(name)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starting a child of the bench");
    Running(child)
}

/// What a process spends.
#[derive(Clone, Copy)]
pub struct Spent {
    pub cpu_s: f64,
    pub waits_a_second: f64,
}

/// What each of the processes spends in `span`.
pub fn spent_in<const N: usize>(pids: [u32; N], span: Duration) -> [Spent; N] {
    let before = pids.map(|pid| (cpu_s(pid), waits(pid)));
    std::thread::sleep(span);
    std::array::from_fn(|n| Spent {
        cpu_s: cpu_s(pids[n]) - before[n].0,
        waits_a_second: (waits(pids[n]) - before[n].1) as f64 / span.as_secs_f64(),
    })
}

/// A folder for the bench's files on a real disk, kept between runs.
pub fn work_dir() -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&dir).expect("the bench needs target/bench");
    dir
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}
