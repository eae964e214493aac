//! The guest: user-mode Linux with simulated GPIO chips, its root the host's own
//! files, read-only. A test starts it with itself as the first program.
//!
//! On the host [`in_guest`] boots the kernel with this very test and waits for
//! its word; in the guest it runs the body. No kernel: skipped, loudly.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// What a guest says at its end.
const PASSED: &str = "hindsight guest: passed";
/// A boot takes less than a second, a test a few more; a machine at work much longer.
const LIMIT: Duration = Duration::from_secs(300);
/// What the long row of presses may take besides, for each of them: five times its turn.
const A_PRESS: Duration = Duration::from_millis(100);

/// How many presses the long row has.
pub fn presses() -> u32 {
    match std::env::var("HINDSIGHT_TEST_PRESSES") {
        Ok(text) => text.parse().expect("HINDSIGHT_TEST_PRESSES is a number"),
        Err(_) => 1_000,
    }
}

/// Of the guest: the house, its clips, and what the presses of the long row leave.
fn memory_mb() -> u32 {
    1_000 + presses() / 4
}

/// Runs `test` inside the guest. The test's name is that of the function whose closure it is.
pub fn in_guest<F: FnOnce()>(test: F) {
    if std::process::id() == 1 {
        run_and_end(test);
    }
    let name = std::any::type_name::<F>();
    let name = name.strip_suffix("::{{closure}}").unwrap_or(name);
    let name = name.split_once("::").map_or(name, |(_, name)| name);
    match kernel() {
        Some(kernel) => boot(&kernel, name),
        None => skipped(name, "no guest kernel here; tests/board/run builds it"),
    }
}

fn skipped(name: &str, why: &str) {
    // Not by a macro: the harness would keep it to itself.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {name}: {why}");
}

/// What user-mode Linux says where a processor has more registers than it has room for (AMX): it starts no program then.
const TOO_MANY_REGISTERS: &str = "userspace - ptrace set fp regs failed";

/// The kernel that `tests/board/kernel/build` made.
fn kernel() -> Option<PathBuf> {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/board/kernel/build");
    let answer = Command::new(build).arg("--path").output().ok()?;
    let path = String::from_utf8(answer.stdout).ok()?;
    answer.status.success().then(|| PathBuf::from(path.trim()))
}

fn boot(kernel: &Path, name: &str) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let console = dir.path().join("console");
    let out = std::fs::File::create(&console).unwrap();
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(kernel)
        .arg(format!("mem={}M", memory_mb()))
        .args(["rootfstype=hostfs", "rootflags=/", "ro", "quiet"])
        .arg("panic=-1")
        .args(["con=null", "con0=fd:0,fd:1", "ssl=null"])
        .arg(format!("uml_dir={}", dir.path().display()))
        .arg(format!("init={}", program.display()))
        .arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .args(passed_on())
        .args(["--", "--exact", name, "--nocapture", "--test-threads=1"])
        .env("TMPDIR", std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .process_group(0)
        .spawn()
        .unwrap();
    let ended = wait(&mut child);
    // The kernel's helpers, and whatever ran in it, are of its group.
    let _ = killpg(
        Pid::from_raw(i32::try_from(child.id()).unwrap()),
        Signal::SIGKILL,
    );
    let _ = child.wait();
    let mut said = String::new();
    let mut console = std::fs::File::open(&console).unwrap();
    let _ = console.read_to_string(&mut said);
    let told: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("told: "))
        .collect();
    if said.contains(PASSED) {
        told.iter().for_each(|line| println!("{line}"));
        return;
    }
    if said.contains(TOO_MANY_REGISTERS) {
        let why = "user-mode Linux cannot run programs on this machine's processor (AMX)";
        return skipped(name, why);
    }
    let how = match ended {
        true => "failed",
        false => "did not end in time",
    };
    panic!("in the guest the test {how}; its console:\n{said}");
}

/// Settings of the tests that a guest must know as well.
fn passed_on() -> Vec<String> {
    let ours = |(name, value): (String, String)| {
        name.starts_with("HINDSIGHT_TEST_")
            .then(|| format!("{name}={value}"))
    };
    std::env::vars().filter_map(ours).collect()
}

fn wait(child: &mut Child) -> bool {
    let until = Instant::now() + LIMIT + A_PRESS * presses();
    while Instant::now() < until {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// In the guest, as its first process: what is mounted, the test, the end.
fn run_and_end(test: impl FnOnce()) -> ! {
    let done = catch_unwind(AssertUnwindSafe(|| {
        prepare();
        test();
    }));
    if done.is_ok() {
        println!("{PASSED}");
    }
    let _ = std::io::stdout().flush();
    let ended = reboot(RebootMode::RB_POWER_OFF);
    panic!("the guest does not end: {ended:?}");
}

fn prepare() {
    let mounted = |kind: &str, at: &str| {
        // More than there is: a press is refused by what was promised before it, not by what is held.
        let (row, usual) = (u64::from(presses().max(1_000)), 1_000);
        let size = (kind == "tmpfs").then(|| format!("size={}m", 64 * row * row / usual));
        mount(
            Some(kind),
            at,
            Some(kind),
            MsFlags::empty(),
            size.as_deref(),
        )
        .unwrap_or_else(|why| panic!("{kind} on {at}: {why}"));
    };
    mounted("proc", "/proc");
    mounted("sysfs", "/sys");
    mounted("configfs", "/sys/kernel/config");
    let place = env!("CARGO_TARGET_TMPDIR");
    // A checkout below it must stay in sight.
    if !std::path::Path::new(place).starts_with("/tmp") {
        mounted("tmpfs", "/tmp");
    }
    mounted("tmpfs", place);
    std::fs::create_dir_all("/dev/shm").unwrap();
    mounted("tmpfs", "/dev/shm");
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    assert!(up.unwrap().success(), "loopback cannot be brought up");
}

/// From now on the storage has so much room, in megabytes.
pub fn leave_room_mb(room: u64) {
    let place = env!("CARGO_TARGET_TMPDIR");
    let held = nix::sys::statvfs::statvfs(place).unwrap();
    let used = (held.blocks() - held.blocks_free()) * held.fragment_size();
    let size = format!("size={}k", used / 1024 + room * 1024);
    let again = MsFlags::MS_REMOUNT;
    mount(
        None::<&str>,
        place,
        None::<&str>,
        again,
        Some(size.as_str()),
    )
    .unwrap();
}
