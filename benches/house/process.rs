//! What the kernel says of a process: CPU, memory, bytes written.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

fn proc_file(pid: u32, name: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default()
}

/// User and system time of all threads so far, in seconds.
pub fn cpu_s(pid: u32) -> f64 {
    let stat = proc_file(pid, "stat");
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks: f64 = [11, 12]
        .iter()
        .filter_map(|i| fields.get(*i)?.parse::<f64>().ok())
        .sum();
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    ticks / per_second as f64
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

/// Bytes that it caused to be written to storage.
pub fn write_bytes(pid: u32) -> u64 {
    let io = proc_file(pid, "io");
    io.lines()
        .find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok())
        .unwrap_or(0)
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

/// CPU seconds that the process spends in `span`.
pub fn cpu_in(pid: u32, span: Duration) -> f64 {
    let before = cpu_s(pid);
    std::thread::sleep(span);
    cpu_s(pid) - before
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
