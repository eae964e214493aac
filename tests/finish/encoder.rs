//! Who encodes, how well, and what it would take; how long it may.

use hindsight::base::Stop;
use hindsight::config::{Corner, Encoder, Finish};
use hindsight::finish::{Limits, Picture};
use hindsight::queue::work::Failure;

use crate::rig::{Storage, logo, maker, maker_within, plain, png, probe, program};
use crate::source::{self, TICKS_PER_FRAME};

fn storage_of(frames: i64) -> Storage {
    let tracks = source::make(source::recipe());
    Storage::with(
        &tracks,
        60 * TICKS_PER_FRAME,
        (60 + frames) * TICKS_PER_FRAME,
    )
}

/// Marks, with a program in FFmpeg's place.
fn marks(storage: &Storage, script: &str) -> Finish {
    let file = png(storage.dir.path(), "logo.png", (480, 160), [255; 4]);
    Finish {
        logos: vec![logo(&file, Corner::BottomRight, 0.2, 0.6)],
        ffmpeg: program(storage.dir.path(), script),
        ..plain()
    }
}

/// Hands on to FFmpeg; libx264 plays the Raspberry Pi's encoder.
const AS_ON_A_PI: &str = "args=(); for a in \"$@\"; do case $a in \
    h264_v4l2m2m) args+=(libx264);; -num_capture_buffers) args+=(-threads);; 32) args+=(1);; *) args+=(\"$a\");; esac; done\n";

#[test]
fn the_encoder_of_a_raspberry_pi_is_taken_where_it_works() {
    let storage = storage_of(50);
    let said = storage.dir.path().join("said");
    let script = format!(
        "{AS_ON_A_PI}echo \" $* \" >>{}\nexec ffmpeg \"${{args[@]}}\"",
        said.display()
    );
    let auto = Finish {
        encoder: Encoder::Auto,
        ..marks(&storage, &script)
    };
    let finished = storage.finished(auto.clone());
    let (marked, meta) = finished.marked.unwrap();
    let stream = probe(&marked, "stream=codec_name,profile,nb_frames");
    assert_eq!(stream["streams"][0]["nb_frames"], "50");
    assert_eq!(meta.size_bytes, marked.metadata().unwrap().len());
    let said = std::fs::read_to_string(said).unwrap();
    let work = said
        .lines()
        .find(|line| line.contains("filter_complex"))
        .unwrap();
    // It knows no constant quality: it gets a bitrate, and no word of x264's.
    assert!(
        work.contains(" -c:v h264_v4l2m2m -num_capture_buffers 32 -b:v "),
        "{work}"
    );
    assert!(
        !work.contains(" -crf ") && !work.contains(" -preset "),
        "{work}"
    );
    let told = maker(auto).describe(&Stop::default()).unwrap();
    assert_eq!(told, "h264_v4l2m2m");
}

#[test]
fn where_there_is_none_x264_encodes() {
    let storage = storage_of(50);
    let auto = Finish {
        encoder: Encoder::Auto,
        preset: None,
        ..marks(
            &storage,
            "case \" $* \" in *v4l2m2m*) exit 1;; esac; exec ffmpeg \"$@\"",
        )
    };
    let told = maker(auto).describe(&Stop::default()).unwrap();
    assert_eq!(told, "libx264, preset veryfast");
}

#[test]
fn an_encoder_that_fails_at_its_first_clip_costs_one_attempt_and_x264_takes_over() {
    let storage = storage_of(50);
    let script = "case \" $* \" in *lavfi*v4l2m2m*) exit 0;; *v4l2m2m*) echo no free buffers >&2; exit 1;; esac\n\
                  exec ffmpeg \"$@\"";
    let auto = Finish {
        encoder: Encoder::Auto,
        ..marks(&storage, script)
    };
    let maker = maker(auto);
    let first = storage.finish(&maker, &Stop::default());
    let Err(Failure::Failed { why }) = first else {
        panic!("{first:?}");
    };
    assert_eq!(why.text, "FFmpeg gave up with code 1: no free buffers");
    assert_eq!(why.code, "finish_ffmpeg_gave_up");
    assert_eq!(storage.left(), Vec::<String>::new());
    assert!(
        storage
            .finish(&maker, &Stop::default())
            .unwrap()
            .marked
            .is_some()
    );

    // Who wants that one alone does not get another.
    let only = Finish {
        encoder: Encoder::V4l2m2m,
        ..marks(&storage, script)
    };
    let maker = crate::rig::maker(only);
    for _ in 0..2 {
        let failure = storage.finish(&maker, &Stop::default());
        assert!(
            matches!(failure, Err(Failure::Failed { .. })),
            "{failure:?}"
        );
    }
}

#[test]
fn quality_and_preset_are_the_encoders() {
    let storage = storage_of(50);
    let settings_of = |crf: u8, preset: &str| {
        let finished = storage.finished(Finish {
            crf,
            preset: Some(preset.to_owned()),
            ..marks(&storage, "exec ffmpeg \"$@\"")
        });
        let (marked, meta) = finished.marked.unwrap();
        // x264 writes into the stream how it was told to encode.
        let bytes = std::fs::read(marked).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let at = text.find("x264 - core").expect("its settings");
        (
            text[at..].chars().take(1000).collect::<String>(),
            meta.size_bytes,
        )
    };
    let (fine, large) = settings_of(18, "fast");
    assert!(
        fine.contains("crf=18.0") && fine.contains("subme=6"),
        "{fine}"
    );
    let (coarse, small) = settings_of(40, "ultrafast");
    assert!(
        coarse.contains("crf=40.0") && coarse.contains("subme=0"),
        "{coarse}"
    );
    assert!(small < large, "{small} {large}");
}

#[test]
fn how_long_it_may_take_grows_with_the_clip() {
    let limits = Limits {
        base_ms: 4_000,
        each_second_ms: 500,
        stalled_ms: 60_000,
    };
    for (frames, limit) in [(25, 5), (75, 6)] {
        let storage = storage_of(frames);
        let script = "case \" $* \" in *lavfi*) exec ffmpeg \"$@\";; esac; exec sleep 1000";
        let maker = maker_within(marks(&storage, script), limits);
        let failure = storage.finish(&maker, &Stop::default());
        let Err(Failure::Failed { why }) = failure else {
            panic!("{frames} frames: {failure:?}");
        };
        let ended = format!("FFmpeg was ended: it had not finished after {limit} s");
        assert_eq!(why.text, ended, "{frames} frames");
    }
}

const SMALL: Picture = Picture {
    width: 320,
    height: 180,
    fps: 25.0,
};

#[test]
fn what_a_clip_will_take_is_tried_with_the_marks_and_without_a_file() {
    let storage = storage_of(50);
    let finish = Finish {
        vertical: true,
        text: Some(hindsight::config::Text {
            template: "{venue}: {time}".to_owned(),
            corner: Corner::TopLeft,
        }),
        ..marks(&storage, "exec ffmpeg \"$@\"")
    };
    let trial = maker(finish).trial(SMALL, &Stop::default()).unwrap();
    assert!(trial.program.starts_with("FFmpeg "), "{trial:?}");
    assert_eq!(trial.coder, "libx264, preset veryfast");
    assert!(trial.each_second_s.is_some_and(|s| s > 0.0), "{trial:?}");
    assert_eq!(storage.left(), Vec::<String>::new());

    let trial = maker(plain()).trial(SMALL, &Stop::default()).unwrap();
    assert_eq!(trial.each_second_s, None, "nothing is to be encoded");
}

#[test]
fn where_the_usual_preset_does_not_keep_up_a_faster_one_is_found_unless_one_is_named() {
    let storage = storage_of(50);
    let script = "case \" $* \" in *complex*veryfast*) sleep 3;; esac; exec ffmpeg \"$@\"";
    let named = marks(&storage, script);
    let unnamed = Finish {
        preset: None,
        ..named.clone()
    };
    let trial = maker(unnamed).trial(SMALL, &Stop::default()).unwrap();
    let faster = ["libx264, preset superfast", "libx264, preset ultrafast"];
    assert!(faster.contains(&trial.coder.as_str()), "{trial:?}");
    let trial = maker(named).trial(SMALL, &Stop::default()).unwrap();
    assert_eq!(trial.coder, "libx264, preset veryfast");
    assert!(trial.each_second_s.is_some_and(|s| s >= 1.5), "{trial:?}");
}
