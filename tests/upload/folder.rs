//! Into real folders and file systems.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use hindsight::base::{RealClock, Stop};
use hindsight::config::FolderTarget;
use hindsight::config::template::KeyTemplate;
use hindsight::disk::{Disk, DiskCall, DiskFault, Faults};
use hindsight::queue::work::Failure;
use hindsight::upload::folder::FolderAdapter;
use hindsight::upload::rate::Limiter;
use hindsight::upload::{Adapter, Attempt, Bundle, Flow, Shared};
use jiff::tz::TimeZone;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount, umount};

use crate::rig::*;

fn share() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

#[test]
fn a_highlight_is_copied_whole_and_only_once() {
    let (share, highlight) = (share(), Highlight::of(3_000_000));
    let target = target(&folder_lines(share.path()));
    let done = attempt(&*target, &highlight, &Notes::default()).unwrap();
    let video = share.path().join(format!("{STEM}.mp4"));
    assert_eq!(Path::new(&done.place), video);
    assert!(std::fs::read(&video).unwrap() == highlight.video());
    let names: Vec<String> = files(share.path())
        .iter()
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert_eq!(
        names,
        [".jpg", ".json", ".mp4"].map(|end| format!("{STEM}{end}"))
    );
    let before = std::fs::metadata(&video).unwrap();
    attempt(&*target, &highlight, &Notes::default()).unwrap();
    let after = std::fs::metadata(&video).unwrap();
    assert_eq!(before.ino(), after.ino(), "what was there was copied again");
}

#[test]
fn a_folder_that_is_not_there_is_waited_for_and_never_made() {
    let (share, highlight) = (share(), Highlight::of(1_000));
    let root = share.path().join("nas");
    let target = target(&folder_lines(&root));
    waits(attempt(&*target, &highlight, &Notes::default()), "mounted?");
    assert!(!root.exists());
    std::fs::create_dir(&root).unwrap();
    attempt(&*target, &highlight, &Notes::default()).unwrap();
}

#[test]
fn what_lies_there_under_the_name_but_is_something_else_is_replaced() {
    let (share, highlight) = (share(), Highlight::of(1_000));
    let video = share.path().join(format!("{STEM}.mp4"));
    std::fs::create_dir_all(video.parent().unwrap()).unwrap();
    std::fs::write(&video, vec![0; 1_000]).unwrap();
    attempt(
        &*target(&folder_lines(share.path())),
        &highlight,
        &Notes::default(),
    )
    .unwrap();
    assert!(std::fs::read(&video).unwrap() == highlight.video());
}

#[test]
fn a_video_that_this_box_damaged_is_not_passed_on() {
    let (share, highlight) = (share(), Highlight::of(1_000));
    std::fs::write(highlight.dir.path().join("court1.mp4"), vec![1; 1_000]).unwrap();
    fails(
        attempt(
            &*target(&folder_lines(share.path())),
            &highlight,
            &Notes::default(),
        ),
        "this box's disk damaged it",
    );
    assert_eq!(files(share.path()), []);
}

/// A small file system of its own, gone with this.
struct Mounted(tempfile::TempDir);

impl Mounted {
    /// `None` where nobody may mount; that is said.
    fn tmpfs(options: &str, flags: MsFlags) -> Option<Mounted> {
        let dir = tempfile::tempdir().unwrap();
        match mount(
            Some("tmpfs"),
            dir.path(),
            Some("tmpfs"),
            flags,
            Some(options),
        ) {
            Ok(()) => Some(Mounted(dir)),
            Err(error) => {
                eprintln!("SKIPPED: a file system cannot be mounted here ({error})");
                None
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = umount(self.0.path());
    }
}

#[test]
fn a_full_share_is_waited_for_and_keeps_no_half_file() {
    let Some(share) = Mounted::tmpfs("size=1m", MsFlags::empty()) else {
        return;
    };
    let root = share.0.path();
    let target = target(&folder_lines(root));
    let highlight = Highlight::of(3_000_000);
    waits(attempt(&*target, &highlight, &Notes::default()), "is full");
    assert_eq!(files(root), [], "something stays behind");
    mount(
        None::<&str>,
        root,
        None::<&str>,
        MsFlags::MS_REMOUNT,
        Some("size=9m"),
    )
    .unwrap();
    attempt(&*target, &highlight, &Notes::default()).unwrap();
}

#[test]
fn a_read_only_share_waits_and_says_so() {
    let Some(share) = Mounted::tmpfs("size=9m", MsFlags::MS_RDONLY) else {
        return;
    };
    let highlight = Highlight::of(1_000);
    let target = target(&folder_lines(share.0.path()));
    waits(
        attempt(&*target, &highlight, &Notes::default()),
        "read-only",
    );
}

#[test]
fn a_share_that_was_mounted_and_now_is_not_does_not_fill_the_boxs_own_disk() {
    let Some(share) = Mounted::tmpfs("size=9m", MsFlags::empty()) else {
        return;
    };
    let root = share.0.path().to_owned();
    if std::fs::metadata(root.parent().unwrap()).unwrap().dev()
        != std::fs::metadata("/").unwrap().dev()
    {
        eprintln!("SKIPPED: temporary folders do not lie on the system's disk here");
        return;
    }
    let target = target(&folder_lines(&root));
    attempt(&*target, &Highlight::of(1_000), &Notes::default()).unwrap();
    umount(&root).unwrap();
    waits(
        attempt(&*target, &Highlight::of(2_000), &Notes::default()),
        "the system's own disk",
    );
    assert_eq!(files(&root), []);
}

/// Strikes the n-th call on the share.
struct Nth {
    left: AtomicUsize,
    errno: Errno,
    struck: Mutex<Option<DiskCall>>,
}

impl Faults for Nth {
    fn before(&self, call: DiskCall, _: &Path) -> Option<DiskFault> {
        let left = self.left.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1));
        if left != Ok(1) {
            return None;
        }
        *self.struck.lock().unwrap() = Some(call);
        Some(DiskFault::Error(self.errno))
    }
}

#[test]
fn whatever_call_fails_a_name_is_whole_and_the_next_attempt_succeeds() {
    let highlight = Highlight::of(600_000);
    for errno in [Errno::ENOSPC, Errno::EIO, Errno::ESTALE] {
        for nth in 1..200 {
            let share = share();
            let faults = Arc::new(Nth {
                left: AtomicUsize::new(nth),
                errno,
                struck: Mutex::default(),
            });
            let result = by_hand(share.path(), &highlight, Disk::with_faults(faults.clone()));
            let struck = *faults.struck.lock().unwrap();
            match (&result, struck) {
                (Ok(_), None) => {
                    assert!(nth > 20, "only {nth} calls could be struck");
                    break;
                }
                // Naming the free space is one of the calls, for the error itself.
                (Err(Failure::Unavailable { .. }), Some(_)) => {}
                other => panic!("call {nth}: {other:?}"),
            }
            for (path, bytes) in files(share.path()) {
                assert!(
                    !path.display().to_string().ends_with(".part")
                        || struck == Some(DiskCall::Remove)
                );
                if path.extension().is_some_and(|end| end == "mp4") {
                    assert!(bytes == highlight.video(), "call {nth}: half a video");
                }
            }
            by_hand(share.path(), &highlight, Disk::default()).unwrap();
            assert_eq!(
                files(share.path()).len(),
                3,
                "call {nth}: something stays behind"
            );
        }
    }
}

fn by_hand(
    root: &Path,
    highlight: &Highlight,
    disk: Disk,
) -> Result<hindsight::queue::work::Uploaded, Failure> {
    let shared = Arc::new(Shared {
        venue: "Arena".to_owned(),
        timezone: TimeZone::UTC,
        window: None,
        limiter: Limiter::new(None),
        clock: Arc::new(RealClock),
        max_attempts: 3,
    });
    let adapter = FolderAdapter::with_disk(
        &FolderTarget {
            path: root.to_owned(),
            key: KeyTemplate::default(),
        },
        disk,
    );
    let job = highlight.job();
    let template = KeyTemplate::new("{date}/{press}-{camera}.mp4").unwrap();
    let bundle = Bundle::of(&job, &template, "Arena")?;
    let stop = Stop::default();
    let notes = Notes::default();
    let attempt = Attempt {
        job: &job,
        bundle: &bundle,
        resume: None,
        notebook: &notes,
        last: false,
        flow: Flow::new(&shared, &stop, bundle.total_bytes(), &|_| {}),
        shared: &shared,
    };
    adapter.send(&attempt)
}
