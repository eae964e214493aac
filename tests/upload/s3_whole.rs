//! To a real S3 server, when nothing is wrong.

use std::sync::{Arc, Mutex};

use hindsight::base::{Clock, RealClock, SimClock, Stop, StopLevel};
use hindsight::queue::sidecar::Sidecar;
use hindsight::queue::work::Failure;

use crate::proxy::{Fate, Proxy};
use crate::rig::*;
use crate::s3::{Keeps, S3};

#[test]
fn a_highlight_is_uploaded_whole_with_the_sidecar_last_and_only_once() {
    let Some(s3) = S3::start() else { return };
    let proxy = Proxy::start(&s3.address, None, |_| Fate::Pass);
    let highlight = Highlight::of(300_000);
    let more = "[queue]\nmax_attempts = 3";
    let target = target(&s3_lines(&proxy.url(), more));
    let notes = Notes::default();
    let done = attempt(&*target, &highlight, &notes).unwrap();
    assert_eq!(done.place, format!("clips/{STEM}.mp4"));
    let read = |end: &str| std::fs::read(s3.object(&format!("{STEM}{end}"))).unwrap();
    assert_eq!(read(".mp4"), highlight.video());
    assert!(read(".jpg").starts_with(b"\xff\xd8"));
    let copy = Sidecar::from_bytes(&read(".json")).unwrap();
    assert_eq!(copy.contradiction(), None);
    assert_eq!(
        copy.file_name.as_deref(),
        STEM.rsplit('/')
            .next()
            .map(|s| format!("{s}.mp4"))
            .as_deref()
    );
    holds_no_secret(&String::from_utf8(read(".json")).unwrap());

    let puts: Vec<_> = proxy
        .seen()
        .into_iter()
        .filter(|s| s.method == "PUT")
        .collect();
    let ends = [".mp4", ".jpg", ".json"];
    let types = ["video/mp4", "image/jpeg", "application/json"];
    assert_eq!(puts.len(), 3);
    for ((put, end), kind) in puts.iter().zip(ends).zip(types) {
        assert_eq!(put.path, format!("/clips/{STEM}{end}"));
        assert_eq!(put.header("content-type"), Some(kind));
        assert_eq!(put.header("content-disposition"), Some("inline"));
        assert!(
            put.header("cache-control")
                .is_some_and(|text| text.contains("immutable"))
        );
        assert!(put.header("x-amz-checksum-sha256").is_some());
    }
    // Each is looked at after it was sent: the proof.
    assert_eq!(proxy.count("HEAD", ".mp4"), 2);
    assert!(
        proxy.seen().iter().all(|s| !s.path.contains("X-Amz-")),
        "a signature in a URL"
    );

    attempt(&*target, &highlight, &notes).unwrap();
    assert_eq!(proxy.count("PUT", ""), 3, "what is there was sent again");
}

#[test]
fn storage_class_encryption_and_key_are_sent_as_configured() {
    let Some(s3) = S3::start() else { return };
    let proxy = Proxy::start(&s3.address, None, |_| Fate::Pass);
    let lines = format!(
        "{}storage_class = \"REDUCED_REDUNDANCY\"\nencryption = \"aws:kms\"\nkms_key = \"alias/clips\"\n\
         cache_control = \"max-age=60\"\nkey = \"{{court}}/{{time}}_{{press}}_{{camera}}.mp4\"\n",
        s3_lines(&proxy.url(), "")
    );
    // In one piece the PUT says it, in parts the POST that begins.
    for (bytes, method) in [(1_000, "PUT"), (17_000_000, "POST")] {
        let highlight = Highlight::of(bytes);
        let before = proxy.seen().len();
        attempt(&*target(&lines), &highlight, &Notes::default()).unwrap();
        let key = format!("Court-1/18-30-05_{PRESS}_court1.mp4");
        assert!(std::fs::read(s3.object(&key)).unwrap() == highlight.video());
        let seen = proxy.seen().split_off(before);
        let first = seen.iter().find(|s| s.method == method).unwrap();
        for (name, value) in [
            ("content-type", "video/mp4"),
            ("content-disposition", "inline"),
            ("cache-control", "max-age=60"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "alias/clips"),
        ] {
            assert_eq!(first.header(name), Some(value), "{method}: {name}");
        }
    }
}

#[test]
fn a_large_video_goes_in_parts_and_nothing_of_them_stays_behind() {
    for keeps in [Keeps::InPlace, Keeps::Copied] {
        let Some(s3) = S3::keeping(keeps) else { return };
        let proxy = Proxy::start(&s3.address, None, |_| Fate::Pass);
        let highlight = Highlight::of(20_000_000);
        let notes = Notes::default();
        let said = Mutex::new(Vec::new());
        let target = target(&s3_lines(&proxy.url(), ""));
        let progress = |permille| said.lock().unwrap().push(permille);
        let done = target.upload(&highlight.job(), None, &notes, &progress, &Stop::default());
        done.unwrap();
        assert!(std::fs::read(s3.object(&format!("{STEM}.mp4"))).unwrap() == highlight.video());
        assert_eq!(proxy.count("PUT", "partNumber="), 3);
        assert_eq!((s3.open_parts(), s3.open_uploads()), (0, 0));
        assert_eq!(notes.last(), None, "nothing is left to go on with");
        let said = said.into_inner().unwrap();
        assert!(said.is_sorted() && said.last() == Some(&1000), "{said:?}");
        // It is kept with what was said when the upload began.
        let kept = s3.attributes();
        for word in ["video/mp4", "inline", "immutable"] {
            assert!(kept.contains(word), "{word} is not in {kept}");
        }
    }
}

#[test]
fn sixteen_million_bytes_go_in_one_piece_and_one_more_in_parts() {
    let Some(s3) = S3::start() else { return };
    for (bytes, parts) in [(16_000_000, 0), (16_000_001, 2)] {
        let proxy = Proxy::start(&s3.address, None, |_| Fate::Pass);
        let highlight = Highlight::of(bytes);
        let target = target(&s3_lines(&proxy.url(), ""));
        attempt(&*target, &highlight, &Notes::default()).unwrap();
        assert_eq!(proxy.count("PUT", "partNumber="), parts);
        assert!(std::fs::read(s3.object(&format!("{STEM}.mp4"))).unwrap() == highlight.video());
        s3.empty();
    }
}

#[test]
fn a_restart_goes_on_where_it_was_and_sends_no_part_twice() {
    for keeps in [Keeps::InPlace, Keeps::Copied] {
        let Some(s3) = S3::keeping(keeps) else { return };
        let highlight = Highlight::of(30_000_000);
        let notes = Notes::default();
        // The third part's answer never comes: as if the power had gone.
        let first = Proxy::start(&s3.address, None, |seen| {
            match seen.path.contains("partNumber=3") {
                true => Fate::ResetAfter(1_000_000),
                false => Fate::Pass,
            }
        });
        waits(
            attempt(&*target(&s3_lines(&first.url(), "")), &highlight, &notes),
            "broke",
        );
        assert_eq!(first.count("POST", "uploads"), 1);
        let noted = notes.last().unwrap();
        let noted: Vec<u64> = noted["parts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["number"].as_u64().unwrap())
            .collect();
        // The fourth may have been on its way.
        assert!(
            noted.starts_with(&[1, 2]) && !noted.contains(&3),
            "{noted:?}"
        );

        let second = Proxy::start(&s3.address, None, |_| Fate::Pass);
        attempt(&*target(&s3_lines(&second.url(), "")), &highlight, &notes).unwrap();
        for n in 1..=4 {
            let sent = second.count("PUT", &format!("partNumber={n}&"));
            assert_eq!(sent, usize::from(!noted.contains(&n)), "part {n}");
        }
        assert_eq!(second.count("POST", "uploads"), 0, "a new upload was begun");
        assert!(std::fs::read(s3.object(&format!("{STEM}.mp4"))).unwrap() == highlight.video());
        assert_eq!((s3.open_parts(), s3.open_uploads()), (0, 0));
    }
}

#[test]
fn an_upload_that_the_server_has_forgotten_begins_anew() {
    let Some(s3) = S3::start() else { return };
    let highlight = Highlight::of(17_000_000);
    let notes = Notes::default();
    let first = Proxy::start(&s3.address, None, |seen| {
        match seen.path.contains("partNumber=2") {
            true => Fate::ResetAfter(0),
            false => Fate::Pass,
        }
    });
    waits(
        attempt(&*target(&s3_lines(&first.url(), "")), &highlight, &notes),
        "broke",
    );
    s3.forget_uploads();
    let second = Proxy::start(&s3.address, None, |_| Fate::Pass);
    attempt(&*target(&s3_lines(&second.url(), "")), &highlight, &notes).unwrap();
    assert_eq!(second.count("GET", "uploadId="), 1, "it was not asked for");
    assert_eq!(second.count("PUT", "partNumber="), 3);
    assert!(std::fs::read(s3.object(&format!("{STEM}.mp4"))).unwrap() == highlight.video());
}

#[test]
fn the_limit_of_bandwidth_holds_in_bytes_and_simulated_time() {
    let Some(s3) = S3::start() else { return };
    let proxy = Proxy::start(&s3.address, None, |_| Fate::Pass);
    let highlight = Highlight::of(2_000_000);
    // 8 Mbit/s: a megabyte a second.
    let lines = s3_lines(&proxy.url(), "[upload]\nmax_rate = \"8M\"");
    let began_ns: u64 = 1_000_000_000;
    let clock = Arc::new(SimClock::at(began_ns, RealClock.wall().unix_ns));
    let target = target_with(&lines, clock.clone(), LIMITS);
    std::thread::scope(|scope| {
        let uploading = scope.spawn(|| attempt(&*target, &highlight, &Notes::default()));
        while !uploading.is_finished() {
            // What has come in was permitted before it was sent.
            let bytes = proxy.body_bytes();
            let since_ns = clock.mono_ns() - began_ns;
            let most = 100_000 + since_ns / 1_000 + 10_000;
            assert!(
                bytes <= most,
                "{bytes} bytes after {since_ns} ns, at most {most}"
            );
            clock.advance_ns(10_000_000);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        uploading.join().unwrap().unwrap();
    });
    assert!(clock.mono_ns() - began_ns >= 1_800_000_000);
}

#[test]
fn outside_of_the_hours_nothing_is_asked_of_anybody() {
    let lines = s3_lines("http://127.0.0.1:9", "[upload]\nwindow = \"00:00-07:00\"");
    // 2026-11-21, 12:00 in Berlin.
    let clock = SimClock::at(1, 1_795_258_800_000_000_000);
    let target = target_with(&lines, Arc::new(clock), LIMITS);
    match attempt(&*target, &Highlight::of(10), &Notes::default()) {
        Err(Failure::Deferred { again_in_ms, why }) => {
            assert_eq!(again_in_ms, 12 * 3_600_000);
            assert!(why.text.contains("00:00 to 07:00"), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stop_is_no_failure_and_what_was_sent_is_kept() {
    let Some(s3) = S3::start() else { return };
    let stop = Stop::default();
    let raise = stop.clone();
    // The third part is taken by nobody; then the box is told to stop. One of the first two has
    // arrived by then.
    let proxy = Proxy::start(&s3.address, None, move |seen| {
        if !seen.path.contains("partNumber=3") {
            return Fate::Pass;
        }
        raise.raise(StopLevel::Finish);
        Fate::StallAfter(0)
    });
    let highlight = Highlight::of(17_000_000);
    let notes = Notes::default();
    let target = target(&s3_lines(&proxy.url(), ""));
    let result = target.upload(&highlight.job(), None, &notes, &|_| {}, &stop);
    assert_eq!(result, Err(Failure::Cancelled));
    assert!(
        !notes.last().unwrap()["parts"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}
