//! A real small disk: full, read-only, gone. Each test runs itself again in
//! mounts of its own, where it may mount what it likes.

use std::path::Path;
use std::process::Command;

use hindsight::base::{PressError, Sentence};
use hindsight::cut::Ended;
use hindsight::highlight::ExportPhase;

use crate::rig::{PATIENCE, Place, SECOND, now};

const INSIDE: &str = "HINDSIGHT_TEST_MOUNTS";

/// True in the child that may mount. The parent runs it, and passes if it does.
fn in_mounts_of_its_own(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    for flags in ["-m", "-rm"] {
        let allowed = Command::new("unshare").args([flags, "true"]).status();
        if !allowed.is_ok_and(|status| status.success()) {
            continue;
        }
        let status = Command::new("unshare")
            .arg(flags)
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(INSIDE, "1")
            .status();
        assert!(status.unwrap().success());
        return false;
    }
    println!("this machine lets nobody mount: not tested");
    false
}

fn mount(arguments: &[&str], at: &Path) {
    let status = Command::new("mount").args(arguments).arg(at).status();
    assert!(status.unwrap().success(), "mount {arguments:?}");
}

/// A place on a file system of 6 MB.
fn small() -> Place {
    let place = Place::new(&["court1"]);
    mount(&["-t", "tmpfs", "-o", "size=6M", "none"], place.disk.path());
    place
}

/// Takes all that is free.
fn fill(place: &Place) {
    use std::io::Write;
    let mut file = std::fs::File::create(place.disk.path().join("fill")).unwrap();
    while file.write(&[1; 4096]).is_ok() {}
}

#[test]
fn a_full_disk_refuses_and_what_was_taken_is_finished_when_there_is_room() {
    if !in_mounts_of_its_own(
        "mounted::a_full_disk_refuses_and_what_was_taken_is_finished_when_there_is_room",
    ) {
        return;
    }
    let place = small();
    let _camera = place.camera("court1", 8).live();
    let service = place.start();
    let press = service.press(&place.request(now(), 4_000, 2_000));
    fill(&place);
    let refused = service.highlights.press(&place.request(now(), 1_000, 0));
    assert!(
        matches!(refused, Err(PressError::DiskFull(_))),
        "{refused:?}"
    );
    let limit = std::time::Instant::now() + PATIENCE;
    loop {
        let export = service.highlights.status().pending[0].exports[0].clone();
        if export.phase == ExportPhase::Retrying {
            let trouble = export.trouble.unwrap();
            assert!(
                trouble.text.contains("No space") || trouble.text.contains("no room"),
                "{trouble}"
            );
            break;
        }
        assert!(std::time::Instant::now() < limit);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::fs::remove_file(place.disk.path().join("fill")).unwrap();
    let outcome = &service.outcomes(&press)[0];
    assert_eq!(outcome.ended, Some(Ended::Complete), "{outcome:?}");
    assert!((6_000..6_050).contains(&outcome.duration_ms));
    place.verify_is_clean("after the disk was full");
}

#[test]
fn a_read_only_disk_and_one_that_is_gone_refuse_in_words() {
    if !in_mounts_of_its_own("mounted::a_read_only_disk_and_one_that_is_gone_refuse_in_words") {
        return;
    }
    let place = small();
    let _camera = place.camera("court1", 8);
    let service = place.start();
    let request = place.request(place.filled() - SECOND, 2_000, 0);
    let press = service.press(&request);
    service.outcomes(&press);

    // The journal is open for writing: the kernel remounts only what is not busy.
    let over = place.storage();
    mount(&["--bind", over.to_str().unwrap()], &over);
    mount(&["-o", "remount,bind,ro"], &over);
    let Err(PressError::Storage(Sentence { text, .. })) = service.highlights.press(&request) else {
        panic!("a press was taken on a read-only disk");
    };
    assert!(text.contains("read-only"), "{text}");
    assert_eq!(
        service
            .highlights
            .status()
            .storage
            .trouble
            .map(|why| why.text),
        Some(text)
    );

    let unmounted = Command::new("umount").args(["-l"]).arg(&over).status();
    assert!(unmounted.unwrap().success());
    service.press(&request);
    let unmounted = Command::new("umount")
        .args(["-l"])
        .arg(place.disk.path())
        .status();
    assert!(unmounted.unwrap().success());
    let Err(PressError::Storage(Sentence { text, .. })) = service.highlights.press(&request) else {
        panic!("a press was taken on a disk that is gone");
    };
    assert!(text.contains("cannot be reached"), "{text}");
}
