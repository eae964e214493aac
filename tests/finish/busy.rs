//! Cameras stream into their rings while FFmpeg takes all the processors that it can get.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use hindsight::config::{Corner, Finish};
use hindsight::demo::{DemoCamera, Script};
use hindsight::ingest::ConnectionPhase;
use hindsight::media::Track;

use crate::media::Recipe;
use crate::rig::{Storage, logo, plain, png};
use crate::source::{self, TICKS_PER_FRAME};
use crate::watch::{Watched, camera, units, wait_for};

const CAMERAS: usize = 4;

#[test]
fn ingest_loses_nothing_while_a_clip_is_finished() {
    let courts = DemoCamera::start_many(vec![Script::default(); CAMERAS]).unwrap();
    let ids: Vec<String> = (0..CAMERAS).map(|n| format!("court{n}")).collect();
    let cameras = ids
        .iter()
        .zip(&courts)
        .map(|(id, court)| camera(id, court.url()));
    let watched = Watched::start(cameras.collect());
    for id in &ids {
        watched.wait_units(id, 30);
    }
    let from: Vec<u64> = ids.iter().map(|id| watched.reader(id).head()).collect();

    // Slow on purpose: every processor has work for some seconds.
    let recipe = Recipe {
        width: 1280,
        height: 720,
        seconds: 6,
        ..source::recipe()
    };
    let storage = Storage::with(&source::make(recipe), 0, 140 * TICKS_PER_FRAME);
    let file = png(storage.dir.path(), "logo.png", (480, 160), [255; 4]);
    let done = AtomicBool::new(false);
    let looks = std::thread::scope(|scope| {
        let follower = scope.spawn(|| {
            // Somebody who follows a ring, as an exporter does, is never overtaken.
            let reader = watched.reader(&ids[0]);
            let (mut at, mut bytes, mut looks) = (reader.head(), Vec::new(), 0u64);
            while !done.load(SeqCst) {
                while at < reader.head() {
                    reader.read(at, &mut bytes).unwrap();
                    at += 1;
                }
                looks += 1;
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            looks
        });
        let finished = storage.finished(Finish {
            logos: vec![logo(&file, Corner::TopRight, 0.2, 0.6)],
            vertical: true,
            preset: Some("slow".to_owned()),
            ..plain()
        });
        done.store(true, SeqCst);
        assert!(finished.marked.is_some() && finished.vertical.is_some());
        follower.join().unwrap()
    });
    assert!(looks > 0);

    for (id, from) in ids.iter().zip(from) {
        let reader = watched.reader(id);
        let until = reader.head();
        wait_for("the cameras go on", || {
            (reader.head() > until + 30).then_some(())
        });
        let state = watched.state(id);
        assert_eq!(
            (state.state, state.connections),
            (ConnectionPhase::Streaming, 1),
            "{id}"
        );
        let all = units(&reader);
        assert!(all.len() as u64 > from + 30);
        let video: Vec<_> = all
            .iter()
            .filter(|u| u.meta.track == Track::Video)
            .collect();
        for pair in video.windows(2) {
            let (a, b) = (&pair[0].meta, &pair[1].meta);
            assert_eq!(b.pts_90k - a.pts_90k, 3_000, "{id}: a frame is missing");
            assert!(
                !b.flags.gap && !b.flags.tainted && b.lost_packets == 0,
                "{id}: {b:?}"
            );
        }
    }
    watched.end();
}
