//! Kills and failing disks, swept over every system call between a press and
//! its sidecar: the laws hold, `verify` is clean.
#![allow(clippy::unwrap_used)]

#[cfg(target_arch = "x86_64")]
#[allow(dead_code, reason = "no family is struck here")]
#[path = "../support/strike.rs"]
mod strike;

#[cfg(target_arch = "x86_64")]
#[path = "../support/coded.rs"]
mod coded;

#[cfg(target_arch = "x86_64")]
#[allow(dead_code)]
#[path = "../support/feeder.rs"]
mod feeder;

#[cfg(target_arch = "x86_64")]
#[allow(dead_code)]
#[path = "../support/frames.rs"]
mod frames;

#[cfg(target_arch = "x86_64")]
mod power;

#[cfg(target_arch = "x86_64")]
mod sweep;

#[cfg(target_arch = "x86_64")]
mod rig {
    use super::strike::*;
    use std::process::Command;

    /// This test program again, as a child that runs one of its tests.
    pub fn again(test: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
        command.env("HINDSIGHT_TEST_CHILD", "1");
        command
    }

    pub fn is_child() -> bool {
        std::env::var_os("HINDSIGHT_TEST_CHILD").is_some()
    }

    #[test]
    fn child_that_writes_three_files_from_two_threads() {
        if !is_child() {
            return;
        }
        wait_until_watched();
        let dir = std::path::PathBuf::from(std::env::var("HINDSIGHT_TEST_DIR").unwrap());
        let write = |name: &str| std::fs::write(dir.join(name), name).map_err(|e| e.raw_os_error());
        let first = write("a");
        let other = std::thread::scope(|s| s.spawn(|| write("b")).join().unwrap());
        let last = write("c");
        println!("results {first:?} {other:?} {last:?}");
    }

    fn strike_the_writer(n: u64, blow: Blow) -> (Struck, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let mut child = again("rig::child_that_writes_three_files_from_two_threads");
        child
            .env("HINDSIGHT_TEST_DIR", dir.path())
            .stdout(std::process::Stdio::null());
        let struck = strike(&mut child, dir.path(), Calls::Changing, n, blow);
        let mut names: Vec<String> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap())
            .filter(|e| e.metadata().unwrap().len() > 0)
            .map(|e| e.file_name().into_string().unwrap())
            .collect();
        names.sort();
        (struck, names)
    }

    #[test]
    fn the_rig_strikes_every_call_of_every_thread() {
        // Two calls a file: open and write.
        let (untouched, names) = strike_the_writer(100, Blow::Kill);
        assert_eq!(untouched.counted, 6, "{untouched:?}");
        assert_eq!((untouched.exit_code, names.len()), (Some(0), 3));
        for n in 1..=6 {
            let (struck, names) = strike_the_writer(n, Blow::Kill);
            assert!(
                struck.at.is_some() && struck.exit_code.is_none(),
                "{struck:?}"
            );
            assert_eq!(
                names,
                ["a", "b", "c"][..usize::try_from((n - 1) / 2).unwrap()]
            );
        }
        let (struck, names) = strike_the_writer(4, Blow::FailOnce(nix::errno::Errno::EIO));
        assert_eq!(
            (struck.exit_code, &names[..]),
            (Some(0), &["a".to_owned(), "c".to_owned()][..])
        );
        let (_, names) = strike_the_writer(3, Blow::FailFrom(nix::errno::Errno::ENOSPC));
        assert_eq!(names, ["a"]);
    }
}
