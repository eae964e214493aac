//! The sound that most cameras have: G.711, with its picture, in clips and in what is made of them; and no voice that
//! nobody wants recorded.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hindsight::demo::footage::PATTERN_FPS;
use hindsight::demo::{DemoCamera, Footage, Script};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::service::{Place, Told, camera};
use crate::together::{beeps, flashes};

fn g711(a_law: bool) -> DemoCamera {
    DemoCamera::start(Script {
        footage: Footage::pattern_with_g711(a_law),
        ..Script::default()
    })
    .unwrap()
}

/// Name, rate and channels of the sound, by ffprobe; empty where there is none.
fn probed(video: &Path) -> String {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "a", "-of", "csv=p=0"])
        .args(["-show_entries", "stream=codec_name,sample_rate,channels"])
        .arg(video)
        .output()
        .unwrap();
    assert!(out.stderr.is_empty(), "{out:?}");
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// Each flash has its beep, at most 40 ms apart; but for those that a service was not there to hear.
fn together(video: &Path, least: usize, unheard: usize) {
    let (flashes, beeps) = (flashes(video, PATTERN_FPS), beeps(video));
    // A beep at the very beginning has no silence before it.
    let clear: Vec<f64> = flashes.iter().copied().filter(|t| *t > 0.6).collect();
    let near = |beep: &f64, flash: &f64| (beep - flash).abs() <= 0.040;
    let missed = clear
        .iter()
        .filter(|f| !beeps.iter().any(|b| near(b, f)))
        .count();
    let stray = beeps
        .iter()
        .filter(|b| !flashes.iter().any(|f| near(b, f)))
        .count();
    assert!(
        clear.len() >= least && missed <= unheard && stray == 0,
        "{}: flashes at {flashes:.3?}, beeps at {beeps:.3?}",
        video.display()
    );
}

#[test]
fn g711_is_heard_in_clip_and_marked_video_with_its_picture() {
    let sources = [g711(true), g711(false)];
    let cameras = camera("a-law", sources[0].url().as_str(), "")
        + &camera("mu-law", sources[1].url().as_str(), "transport = \"udp\"");
    let logo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/logo.png");
    let told = Told {
        more: format!(
            "[[logo]]\nfile = \"{}\"\n[finish]\npreset = \"ultrafast\"\n",
            logo.display()
        ),
        ..Told::default()
    };
    let place = Place::new(&told, &cameras);
    let mut service = place.start();
    service.wait_until_held(&["a-law", "mu-law"], 6.0);
    let (status, answer) = service.press(&json!({"pre": 4.3, "post": 1.2}), true);
    assert_eq!(status, 200, "{answer}");
    let press_id = answer["press_id"].as_str().unwrap().to_owned();
    // A service that is killed in a window finishes the clip, sound and all.
    let (status, answer) = service.press(&json!({"pre": 3, "post": 4}), false);
    assert_eq!(status, 200, "{answer}");
    let struck = answer["press_id"].as_str().unwrap().to_owned();
    std::thread::sleep(Duration::from_millis(1_700));
    service.signal(Signal::SIGKILL);
    service.wait_for_end();
    let mut service = place.start();
    let clips = ["a-law", "mu-law"].map(|id| [&press_id, &struck].map(|press| (press.clone(), id)));
    let marked = |press: &str, id: &str| {
        let clip = place.clip(press, id)?;
        let marked = clip.with_file_name(format!("{id}.marked.mp4"));
        marked.exists().then_some((clip, marked))
    };
    service.wait_for("all marked videos", |_| {
        clips
            .iter()
            .flatten()
            .all(|(press, id)| marked(press, id).is_some())
    });
    for (press, id) in clips.iter().flatten() {
        let (clip, marked) = marked(press, id).unwrap();
        assert_eq!(probed(&clip), "flac,8000,1");
        assert_eq!(probed(&marked), "aac,48000,1");
        // The flash at which it was struck.
        let unheard = usize::from(*press == struck);
        together(&clip, 4, unheard);
        together(&marked, 4, unheard);
    }
    let facts = std::fs::read_to_string(
        place
            .clip(&press_id, "a-law")
            .unwrap()
            .with_extension("json"),
    );
    let facts: serde_json::Value = serde_json::from_str(&facts.unwrap()).unwrap();
    assert_eq!(facts["meta"]["audio_codec"], "flac", "{facts}");
    assert_eq!(service.stop(), Some(0));
    assert_eq!(place.verify(), "");
}

#[test]
fn no_voice_is_recorded_that_was_not_before_an_update_and_none_where_it_is_off() {
    let talks = DemoCamera::start(Script {
        footage: Footage::pattern_with_g711(true),
        back_channel: true,
        ..Script::default()
    });
    let sources = [g711(true), talks.unwrap(), g711(false)];
    let aac = DemoCamera::start(Script::default()).unwrap();
    let cameras = camera("unsaid", sources[0].url().as_str(), "")
        + &camera("auto", sources[1].url().as_str(), "sound = \"auto\"")
        + &camera("off", sources[2].url().as_str(), "sound = \"off\"")
        + &camera("aac", aac.url().as_str(), "");
    let place = Place::new(&Told::default(), &cameras);
    // As an earlier version left it.
    std::fs::create_dir(place.storage().join("highlights")).unwrap();
    let expected = [
        ("unsaid", ""),
        ("auto", "flac,8000,1"),
        ("off", ""),
        ("aac", "aac,48000,1"),
    ];
    // What was decided at the first start holds at the next.
    for _ in 0..2 {
        let mut service = place.start();
        service.wait_until_held(&["unsaid", "auto", "off", "aac"], 3.0);
        let (status, answer) = service.press(&json!({"pre": 2, "post": 0.3}), true);
        assert_eq!(status, 200, "{answer}");
        for (id, sound) in expected {
            let clip = place
                .clip(answer["press_id"].as_str().unwrap(), id)
                .unwrap();
            assert_eq!(probed(&clip), sound, "{id}");
        }
        let said = service.said();
        let line = said
            .lines()
            .find(|line| line.contains("as it was before the update"));
        assert!(
            line.is_some_and(|l| l.contains("unsaid") && l.contains(" warn ")),
            "{said}"
        );
        let back = said
            .lines()
            .filter(|l| l.contains("for talking to the camera"));
        assert!(
            back.clone().count() == 1 && back.clone().all(|l| l.contains("auto")),
            "{said}"
        );
        assert_eq!(service.stop(), Some(0));
    }
    let out = place.command("check").output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    let note = |id: &str, words: &str| {
        let head = format!("note   {id}: its sound");
        let mut notes = said.lines().filter(|line| line.starts_with(&head));
        assert!(
            notes.any(|line| line.contains(words)),
            "{id}, {words}: {said}"
        );
    };
    note("unsaid", "write sound = \"auto\" below its [[camera]]");
    note(
        "auto",
        "for AAC from the camera choose it as audio encoding",
    );
    note("off", "sound = \"off\" says so");
    assert_eq!(place.verify(), "");
}
