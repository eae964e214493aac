//! To a real S3 server, through a proxy that makes trouble.

use std::sync::Arc;

use hindsight::base::{Clock, RealClock, SimClock};
use hindsight::upload::Limits;

use crate::proxy::{Fate, Proxy, Seen};
use crate::rig::*;
use crate::s3::S3;

fn says(status: &str, body: &str) -> Fate {
    let len = body.len();
    Fate::Answer(format!(
        "HTTP/1.1 {status}\r\ncontent-length: {len}\r\nconnection: close\r\n\r\n{body}"
    ))
}

fn error(status: &str, code: &str) -> Fate {
    says(
        status,
        &format!("<Error><Code>{code}</Code><Message>said</Message></Error>"),
    )
}

#[test]
fn connections_that_break_anywhere_cost_no_byte_of_the_video() {
    let Some(s3) = S3::start() else { return };
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let highlight = Highlight::of(30_000_000);
    let notes = Notes::default();
    for round in 0..5 {
        // Somewhere in the n-th request of this attempt, before, in or behind its body.
        let (nth, at) = (random.usize(0..6), random.u64(0..9_000_000));
        let lose = random.bool();
        let proxy = Proxy::start(&s3.address, None, move |seen: &Seen| {
            match (seen.number == nth, lose) {
                (true, true) => Fate::LoseAnswer,
                (true, false) => Fate::ResetAfter(at),
                _ => Fate::Pass,
            }
        });
        let result = attempt(&*target(&s3_lines(&proxy.url(), "")), &highlight, &notes);
        println!("round {round}: request {nth} at {at}, answer lost: {lose}: {result:?}");
        if result.is_err() {
            waits(result, "broke");
        }
    }
    let last = target(&s3_lines(&s3.url(), ""));
    attempt(&*last, &highlight, &notes).unwrap();
    assert!(std::fs::read(s3.object(&format!("{STEM}.mp4"))).unwrap() == highlight.video());
    assert_eq!((s3.open_parts(), s3.open_uploads()), (0, 0));
}

#[test]
fn a_completion_whose_answer_was_lost_is_found_done() {
    let Some(s3) = S3::start() else { return };
    let highlight = Highlight::of(17_000_000);
    let notes = Notes::default();
    let proxy = Proxy::start(&s3.address, None, |seen| {
        let completion = seen.method == "POST" && seen.path.contains("uploadId=");
        if completion {
            Fate::LoseAnswer
        } else {
            Fate::Pass
        }
    });
    waits(
        attempt(&*target(&s3_lines(&proxy.url(), "")), &highlight, &notes),
        "broke",
    );
    let after = Proxy::start(&s3.address, None, |_| Fate::Pass);
    attempt(&*target(&s3_lines(&after.url(), "")), &highlight, &notes).unwrap();
    assert_eq!(
        after.count("PUT", "partNumber="),
        0,
        "the video was sent again"
    );
}

#[test]
fn a_server_that_is_busy_waits_as_long_as_it_says() {
    let highlight = Highlight::of(1_000);
    let notes = Notes::default();
    for (fate, word, after_ms) in [
        (
            error("500 Internal Server Error", "InternalError"),
            "500",
            None,
        ),
        (
            error("503 Service Unavailable", "SlowDown"),
            "SlowDown",
            None,
        ),
        (
            Fate::Answer(
                "HTTP/1.1 429 Too Many Requests\r\nretry-after: 90\r\ncontent-length: 0\r\n\
                 connection: close\r\n\r\n"
                    .to_owned(),
            ),
            "429",
            Some(90_000),
        ),
    ] {
        let proxy = Proxy::start("127.0.0.1:9", None, move |seen| {
            match seen.method.as_str() {
                "HEAD" => says("404 Not Found", ""),
                _ => fate.clone(),
            }
        });
        let result = attempt(&*target(&s3_lines(&proxy.url(), "")), &highlight, &notes);
        assert_eq!(waits(result, word), after_ms);
    }
    assert_eq!(notes.times(), 0);
}

#[test]
fn what_the_configuration_has_wrong_counts_and_says_what_to_change() {
    let Some(s3) = S3::start() else { return };
    let highlight = Highlight::of(1_000);
    let right = s3_lines(&s3.url(), "");
    for (from, to, word) in [
        ("KEYIDCANARY7", "NOBODY", "access_key_id"),
        (
            "SECRETCANARY9",
            "SECRETCANARY9x",
            "secret_access_key does not belong",
        ),
    ] {
        let lines = right.replace(from, to);
        fails(
            attempt(&*target(&lines), &highlight, &Notes::default()),
            word,
        );
    }
    // This server makes buckets that are missing, and knows no rights.
    for (status, code, word) in [
        ("403 Forbidden", "AccessDenied", "s3:PutObject"),
        ("404 Not Found", "NoSuchBucket", "make the bucket \"clips\""),
    ] {
        let proxy = Proxy::start(&s3.address, None, move |_| error(status, code));
        let lines = s3_lines(&proxy.url(), "");
        fails(
            attempt(&*target(&lines), &highlight, &Notes::default()),
            word,
        );
    }
    let proxy = Proxy::start(&s3.address, None, |_| {
        Fate::Answer(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\
             connection: close\r\n\r\n"
                .to_owned(),
        )
    });
    let lines = s3_lines(&proxy.url(), "");
    fails(
        attempt(&*target(&lines), &highlight, &Notes::default()),
        "redirects are not followed",
    );
}

#[test]
fn a_clock_that_is_wrong_waits_and_says_by_how_much() {
    let Some(s3) = S3::start() else { return };
    let highlight = Highlight::of(1_000);
    let lines = s3_lines(&s3.url(), "");
    let now = RealClock.wall().unix_ns;
    let early = SimClock::at(1, now - 3_600_000_000_000);
    let target_early = target_with(&lines, Arc::new(early), LIMITS);
    waits(
        attempt(&*target_early, &highlight, &Notes::default()),
        "behind the server's",
    );
    let never = target_with(&lines, Arc::new(SimClock::at(1, 5)), LIMITS);
    waits(attempt(&*never, &highlight, &Notes::default()), "never set");
}

#[test]
fn a_far_side_that_holds_something_else_is_believed() {
    let Some(s3) = S3::start() else { return };
    let highlight = Highlight::of(1_000);
    let video = |seen: &Seen, method: &str| seen.method == method && seen.path.ends_with(".mp4");
    let other = |head: String| {
        let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
        lines.retain(|line| !line.starts_with("x-amz-checksum-sha256"));
        lines
            .push("x-amz-checksum-sha256: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned());
        lines.join("\r\n") + "\r\n"
    };
    for method in ["PUT", "HEAD"] {
        let proxy = Proxy::start(&s3.address, None, move |seen| {
            let mine = video(seen, method) && seen.number > 0;
            if mine { Fate::Edit(other) } else { Fate::Pass }
        });
        let lines = format!(
            "{}key = \"{method}/{{press}}-{{camera}}.mp4\"\n",
            s3_lines(&proxy.url(), "")
        );
        let result = attempt(&*target(&lines), &highlight, &Notes::default());
        fails(result, "holds something else");
    }
    let short = |head: String| head.replace("content-length: 1000", "content-length: 999");
    let proxy = Proxy::start(&s3.address, None, move |seen| {
        let mine = video(seen, "HEAD") && seen.number > 0;
        if mine { Fate::Edit(short) } else { Fate::Pass }
    });
    let lines = format!(
        "{}key = \"size/{{press}}-{{camera}}.mp4\"\n",
        s3_lines(&proxy.url(), "")
    );
    fails(
        attempt(&*target(&lines), &highlight, &Notes::default()),
        "999 bytes, not 1000",
    );
}

#[test]
fn a_video_that_this_box_damaged_is_not_uploaded_as_if_it_were_whole() {
    let Some(s3) = S3::start() else { return };
    let highlight = Highlight::of(1_000);
    let path = highlight.dir.path().join("court1.mp4");
    let mut bytes = highlight.video();
    bytes[500] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let lines = s3_lines(&s3.url(), "");
    let result = attempt(&*target(&lines), &highlight, &Notes::default());
    fails(result, "damaged");
    assert!(!s3.object(&format!("{STEM}.json")).exists());
    assert!(!s3.object(&format!("{STEM}.mp4")).exists());
}

#[test]
fn a_large_video_that_this_box_damaged_never_becomes_an_object_and_its_parts_are_taken_back() {
    let Some(s3) = S3::start() else { return };
    let proxy = Proxy::start(&s3.address, None, |_| Fate::Pass);
    let mut highlight = Highlight::of(17_000_000);
    let path = highlight.dir.path().join("court1.mp4");
    let mut bytes = highlight.video();
    bytes[9_000_000] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let lines = s3_lines(&proxy.url(), "[queue]\nmax_attempts = 3");
    let notes = Notes::default();
    for attempts in 0..3 {
        highlight.tried(attempts);
        let result = attempt(&*target(&lines), &highlight, &notes);
        fails(result, "this box's disk damaged it");
        // What was sent once costs the line nothing more.
        assert_eq!(proxy.count("PUT", "partNumber="), 3);
    }
    assert_eq!(proxy.count("POST", "uploadId="), 0, "it was completed");
    assert_eq!(files(&s3.object("")), []);
    assert_eq!((s3.open_uploads(), notes.last()), (0, None));
}

#[test]
fn bytes_that_are_damaged_on_the_way_are_refused_and_sent_again() {
    let Some(s3) = S3::start() else { return };
    for (bytes, which, part) in [
        (500_000, ".mp4", ""),
        (17_000_000, "partNumber=2", "part 2"),
    ] {
        let highlight = Highlight::of(bytes);
        let notes = Notes::default();
        let proxy = Proxy::start(&s3.address, None, move |seen| {
            match seen.method == "PUT" && seen.path.contains(which) {
                true => Fate::Spoil(77_777),
                false => Fate::Pass,
            }
        });
        let result = attempt(&*target(&s3_lines(&proxy.url(), "")), &highlight, &notes);
        let why = result.as_ref().unwrap_err().to_string();
        assert!(why.contains(part), "{why}");
        fails(result, "BadDigest");
        attempt(&*target(&s3_lines(&s3.url(), "")), &highlight, &notes).unwrap();
        assert!(std::fs::read(s3.object(&format!("{STEM}.mp4"))).unwrap() == highlight.video());
        s3.empty();
    }
}

#[test]
fn a_far_side_that_holds_something_else_in_parts_is_believed_however_often_it_is_asked() {
    let Some(s3) = S3::start() else { return };
    let highlight = Highlight::of(17_000_000);
    let other = |head: String| {
        let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
        lines.retain(|line| !line.starts_with("x-amz-checksum-crc32"));
        lines.push("x-amz-checksum-crc32: AAAAAA==".to_owned());
        lines.join("\r\n") + "\r\n"
    };
    for (method, which) in [("PUT", "partNumber=3"), ("HEAD", ".mp4")] {
        let proxy = Proxy::start(&s3.address, None, move |seen| {
            match seen.method == method && seen.path.contains(which) {
                true => Fate::Edit(other),
                false => Fate::Pass,
            }
        });
        let target = target(&s3_lines(&proxy.url(), ""));
        let notes = Notes::default();
        for _ in 0..2 {
            let result = attempt(&*target, &highlight, &notes);
            fails(result, "holds something else");
        }
        attempt(&*self::target(&s3_lines(&s3.url(), "")), &highlight, &notes).unwrap();
        assert_eq!(s3.open_uploads(), 0);
        s3.empty();
    }
}

#[test]
fn an_upload_whose_beginning_nobody_heard_of_is_given_up_and_others_are_left_alone() {
    let Some(s3) = S3::start() else { return };
    let highlight = Highlight::of(17_000_000);
    let notes = Notes::default();
    let deaf = Proxy::start(&s3.address, None, |seen| {
        match seen.method == "POST" && seen.path.contains("uploads") {
            true => Fate::LoseAnswer,
            false => Fate::Pass,
        }
    });
    // Somebody else's, of a name that begins alike.
    let lines = |key: &str| format!("{}key = \"{key}\"\n", s3_lines(&deaf.url(), ""));
    let longer = target(&lines("{press}-{camera}.mp4{press}.mp4"));
    waits(attempt(&*longer, &highlight, &Notes::default()), "broke");
    let ours = target(&lines("{press}-{camera}.mp4"));
    waits(attempt(&*ours, &highlight, &notes), "broke");
    waits(attempt(&*ours, &highlight, &notes), "broke");
    assert_eq!((s3.open_uploads(), notes.last()), (2, None));
    // As long as it cannot be given up, no other is begun.
    let mute = Proxy::start(&s3.address, None, |seen| match seen.method.as_str() {
        "DELETE" => Fate::ResetAfter(0),
        _ => Fate::Pass,
    });
    let through = lines("{press}-{camera}.mp4").replace(&deaf.url(), &mute.url());
    waits(attempt(&*target(&through), &highlight, &notes), "broke");
    assert_eq!((s3.open_uploads(), notes.last()), (2, None));
    let lines = lines("{press}-{camera}.mp4").replace(&deaf.url(), &s3.url());
    attempt(&*target(&lines), &highlight, &notes).unwrap();
    assert_eq!(s3.open_uploads(), 1);
}

#[test]
fn an_upload_that_began_under_another_name_is_given_up() {
    let Some(s3) = S3::start() else { return };
    let highlight = Highlight::of(17_000_000);
    let notes = Notes::default();
    let proxy = Proxy::start(&s3.address, None, |seen| {
        match seen.path.contains("partNumber=2") {
            true => Fate::ResetAfter(0),
            false => Fate::Pass,
        }
    });
    let lines = s3_lines(&proxy.url(), "");
    waits(attempt(&*target(&lines), &highlight, &notes), "broke");
    assert_eq!(s3.open_uploads(), 1);
    // Somebody changed the template meanwhile.
    let lines = format!(
        "{}key = \"new/{{press}}-{{camera}}.mp4\"\n",
        s3_lines(&s3.url(), "")
    );
    attempt(&*target(&lines), &highlight, &notes).unwrap();
    assert_eq!((s3.open_uploads(), notes.last()), (0, None));
}

#[test]
fn parts_are_taken_back_when_nobody_will_try_again() {
    let Some(s3) = S3::start() else { return };
    let mut highlight = Highlight::of(17_000_000);
    let refuse = |seen: &Seen| match seen.path.contains("partNumber=2") {
        true => error("403 Forbidden", "AccessDenied"),
        false => Fate::Pass,
    };
    let notes = Notes::default();
    for attempts in 0..3 {
        highlight.tried(attempts);
        let proxy = Proxy::start(&s3.address, None, refuse);
        let lines = s3_lines(&proxy.url(), "[queue]\nmax_attempts = 3");
        fails(attempt(&*target(&lines), &highlight, &notes), "part 2 of 3");
        let kept = attempts < 2;
        assert_eq!(s3.open_parts() > 0, kept, "after {attempts} attempts");
        assert_eq!(notes.last().is_some(), kept);
    }
}

#[test]
fn a_slow_server_is_no_silent_one() {
    let Some(s3) = S3::start() else { return };
    let limits = Limits {
        idle: std::time::Duration::from_secs(5),
        ..LIMITS
    };
    let highlight = Highlight::of(4_000_000);
    let slow = Proxy::start(&s3.address, None, |_| {
        Fate::Slow(std::time::Duration::from_millis(40))
    });
    let lines = s3_lines(&slow.url(), "");
    let slowly = target_with(&lines, Arc::new(RealClock), limits);
    attempt(&*slowly, &highlight, &Notes::default()).unwrap();
    let silent = Proxy::start(&s3.address, None, |seen| match seen.method.as_str() {
        "PUT" => Fate::StallAfter(0),
        _ => Fate::Pass,
    });
    let lines = format!(
        "{}key = \"silent/{{press}}-{{camera}}.mp4\"\n",
        s3_lines(&silent.url(), "")
    );
    let silently = target_with(&lines, Arc::new(RealClock), limits);
    let result = attempt(&*silently, &highlight, &Notes::default());
    waits(result, "took and sent nothing");
}
