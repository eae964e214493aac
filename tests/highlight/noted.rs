//! What the next start makes of a press of which only the note had been written: its
//! cameras had not answered yet when the process, or the power, went.

use std::path::Path;
use std::sync::Arc;

use hindsight::base::PressId;
use hindsight::cut::Ended;
use hindsight::cut::Plan;
use hindsight::disk::Disk;
use hindsight::highlight::journal::{self, Journal, PressRecord};
use hindsight::highlight::sidecar::{Sidecar, Status};
use hindsight::storage::StorageLayout;

use crate::left::{another_boot, left_in_the_middle, next_start, this_boot};
use crate::rig::{Place, SECOND};

/// The press that is pending.
fn pending(place: &Place) -> PressRecord {
    let mut held = journal::pending(&place.storage()).unwrap().pending;
    assert_eq!(held.len(), 1);
    held.remove(0)
}

/// As it stands between the note and what the cameras answered.
fn only_noted(place: &Place, taken: &PressRecord) {
    let mut noted = taken.clone();
    for camera in &mut noted.cameras {
        camera.plan = Plan::unmade(camera.plan.window);
        camera.witnesses.clear();
    }
    std::fs::remove_file(StorageLayout::new(place.storage()).journal()).unwrap();
    let (journal, _) = Journal::open(&Disk::default(), &place.storage()).unwrap();
    journal.note(&noted).unwrap();
    assert_eq!(pending(place), noted);
}

fn forget_all_but_the_journal(place: &Place) {
    for folder in ["tmp", "highlights"] {
        let folder = place.storage().join(folder);
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
    }
}

/// A sidecar and its clip.
fn said(sidecar: &Path) -> (Sidecar, Vec<u8>) {
    let said = Sidecar::from_bytes(&std::fs::read(sidecar).unwrap()).unwrap();
    let clip = std::fs::read(sidecar.with_extension("mp4")).unwrap();
    (said, clip)
}

#[test]
fn the_ring_gives_the_same_answer_again_and_the_clip_is_the_same_to_the_byte() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 8);
    let service = place.start();
    // More than it will ever have: not made before the service leaves.
    let press = service.press(&place.request(place.filled() - SECOND, 3_000, 9_000));
    service.leave();
    let taken = pending(&place);
    assert!(taken.cameras[0].plan.is_made());

    let mut made = Vec::new();
    for noted in [false, true] {
        forget_all_but_the_journal(&place);
        std::fs::remove_file(StorageLayout::new(place.storage()).journal()).unwrap();
        let (journal, _) = Journal::open(&Disk::default(), &place.storage()).unwrap();
        let note = journal.note(&taken).unwrap();
        journal.take(note, Arc::new(taken.clone())).unwrap();
        drop(journal);
        if noted {
            only_noted(&place, &taken);
        }
        let outcome = next_start(&place, this_boot(), &press);
        assert_eq!(outcome.status, Status::Queued, "{outcome:?}");
        let (said, clip) = said(&outcome.sidecar);
        made.push((
            outcome.duration_ms,
            outcome.ended,
            said.clock.certainty,
            clip,
        ));
    }
    assert!(made[0].0 >= 3_000, "{} ms", made[0].0);
    assert!(made[0] == made[1], "{:?} {:?}", made[0].0, made[1].0);
}

/// The end of a press of which a note is all that is left.
fn end_of_a_note(in_this_boot: bool) -> String {
    let place = Place::new(&["court1"]);
    let (press, camera) = left_in_the_middle(&place, 25_000);
    drop(camera);
    only_noted(&place, &pending(&place));
    forget_all_but_the_journal(&place);
    std::fs::remove_file(place.rings.path().join("hindsight-court1")).unwrap();
    let boot = if in_this_boot {
        this_boot()
    } else {
        another_boot()
    };
    let outcome = next_start(&place, boot, &press);
    assert_eq!(outcome.status, Status::None);
    outcome.reason.unwrap()
}

#[test]
fn where_its_ring_is_gone_a_sidecar_says_so() {
    let reason = end_of_a_note(true);
    assert!(reason.contains("its ring in memory is gone"), "{reason}");
}

#[test]
fn where_the_power_went_a_sidecar_says_so() {
    let reason = end_of_a_note(false);
    assert!(reason.contains("the power went before"), "{reason}");
}

#[test]
fn after_a_power_cut_the_plan_beside_what_was_written_of_the_clip_holds() {
    let place = Place::new(&["court1"]);
    let (press, _camera): (PressId, _) = left_in_the_middle(&place, 25_000);
    let taken = pending(&place);
    only_noted(&place, &taken);
    let outcome = next_start(&place, another_boot(), &press);
    assert_eq!(outcome.ended, Some(Ended::Power), "{outcome:?}");
    assert!(outcome.duration_ms > 500, "{outcome:?}");
    let sidecar = Sidecar::from_bytes(&std::fs::read(&outcome.sidecar).unwrap()).unwrap();
    let plan = &taken.cameras[0].plan;
    assert_eq!(sidecar.clock.certainty, Some(plan.certainty));
}
