//! The power goes while a window runs: what the exporter had written becomes the clip.
//!
//! A killed process stands for the cut: its memory and its rings are gone and the
//! next start is another boot. What was written and not yet synced survives a kill,
//! unlike a power cut; `tests/highlight/struck.rs` takes that away as well.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;

use hindsight::base::BootId;
use hindsight::demo::footage::PATTERN_FRAMES;

use crate::feeder::{Feeder, SECOND, now};
use crate::frames::read_frame_numbers;
use crate::rig::again;
use crate::strike::{Blow, Calls, Struck, strike};
use crate::sweep::{CAMERAS, Said, collect, judge, recover_in};

const POST_MS: u64 = 2_500;
/// Kills, spread over all calls of the press, and how many run at once: each waits for its window.
const KILLS: u64 = 28;
const AT_ONCE: usize = 4;

/// Runs a press on cameras that send on, strikes it, lets the power go and starts again.
fn cut_the_power(storage: &Path, n: u64) -> (Struck, Said) {
    let rings = tempfile::tempdir_in("/dev/shm").unwrap();
    let live = CAMERAS.map(|camera| {
        let mut feeder = Feeder::new(rings.path(), camera, 30, now() - 5 * SECOND);
        feeder.until(now());
        feeder.live()
    });
    let said = storage.with_extension("said");
    let mut child = again("sweep::child_that_takes_one_press");
    child
        .env("HINDSIGHT_TEST_STORAGE", storage)
        .env("HINDSIGHT_TEST_RINGS", rings.path())
        .env("HINDSIGHT_TEST_POST_MS", POST_MS.to_string())
        .env("HINDSIGHT_TEST_LIMIT_MS", "60000")
        .stdout(Stdio::from(std::fs::File::create(&said).unwrap()))
        .stderr(Stdio::null());
    let struck = strike(&mut child, storage, Calls::Changing, n, Blow::Kill);
    drop(live.map(|live| live.pause()));
    drop(rings);
    let nothing_in_memory = tempfile::tempdir_in("/dev/shm").unwrap();
    recover_in(storage, nothing_in_memory.path(), BootId([0x5a; 16]));
    let said = Said::from(&std::fs::read_to_string(&said).unwrap());
    (struck, said)
}

/// Every clip below plays, without a hole; how many frames each shows.
fn play(storage: &Path, context: &str) -> Vec<usize> {
    let mut sidecars = Vec::new();
    collect(&storage.join("highlights"), &mut sidecars);
    let clips = sidecars.iter().map(|path| path.with_extension("mp4"));
    clips
        .filter(|clip| clip.exists())
        .map(|clip| {
            let shown = read_frame_numbers(&clip);
            let follows = |w: &[(f64, u32)]| w[1].1 == (w[0].1 + 1) % PATTERN_FRAMES;
            assert!(
                !shown.is_empty() && shown.windows(2).all(follows),
                "{context}: {shown:?}"
            );
            shown.len()
        })
        .collect()
}

#[test]
fn a_power_cut_at_any_call_of_a_running_window_leaves_what_was_written() {
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let storage = |name: &str| {
        let storage = disk.path().join(name);
        std::fs::create_dir(&storage).unwrap();
        storage
    };
    let whole = storage("whole");
    let (untouched, said) = cut_the_power(&whole, u64::MAX);
    assert!(said.finished, "{said:?}");
    let ends = judge(&whole, &said, "not struck");
    assert!(ends.iter().all(|o| o.1 == "complete"), "{ends:?}");
    let whole_frames = play(&whole, "not struck");

    let next = Mutex::new(0..KILLS);
    let counted = Mutex::new(BTreeMap::<String, Vec<usize>>::new());
    let work = || {
        while let Some(kill) = { next.lock().unwrap().next() } {
            let n = 1 + untouched.counted * kill / KILLS;
            let storage = storage(&format!("cut-{n}"));
            let (struck, said) = cut_the_power(&storage, n);
            let at = struck.at.as_deref().unwrap_or("the end");
            let context = format!("power cut at call {n}, {at}");
            for (status, ended, duration) in judge(&storage, &said, &context) {
                let allowed = ["queued power", "queued complete", "none "];
                let end = format!("{status} {ended}");
                assert!(allowed.contains(&end.as_str()), "{context}: {end}");
                assert!(status == "none" || duration > 0.0, "{context}");
                counted.lock().unwrap().entry(end).or_default();
            }
            for shown in play(&storage, &context) {
                let mut counted = counted.lock().unwrap();
                counted.entry("shown".to_owned()).or_default().push(shown);
            }
            std::fs::remove_dir_all(&storage).unwrap();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let counted = counted.into_inner().unwrap();
    println!(
        "{} calls; whole: {whole_frames:?}; {counted:?}",
        untouched.counted
    );
    assert!(counted.contains_key("queued power"), "{counted:?}");
    // Some were cut early, some late in their window.
    let most = whole_frames.iter().max().unwrap();
    let shown = &counted["shown"];
    assert!(shown.iter().any(|n| n < &(most * 3 / 4)), "{counted:?}");
}
