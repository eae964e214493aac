//! `verify` on storages that are in order, and on each way in which they can not be.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hindsight::base::{CameraId, Coded, Press};
use hindsight::cut::plan;
use hindsight::cut::{Ended, NoFootage};
use hindsight::disk::Disk;
use hindsight::highlight::journal::{CameraRecord, Journal, PressRecord};
use hindsight::highlight::sidecar::{About, FileFacts, Sidecar};
use hindsight::highlight::verify::{Report, verify};
use hindsight::media::Track;
use hindsight::mp4;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::camera::*;
use super::sidecar::a_press;

const AT: u64 = ON_MONO_NS + 30 * SECOND_NS;

struct Storage {
    root: tempfile::TempDir,
    press: Press,
    taken: PressRecord,
}

impl Storage {
    /// One whole highlight, and a journal that has retired its press.
    fn with_a_highlight() -> Storage {
        Storage::with_a_highlight_of(&film(&Spec {
            audio: true,
            b_frames: 2,
            ..Spec::default()
        }))
    }

    fn with_a_highlight_of(ring: &Ring) -> Storage {
        Storage::of_pictures(ring, &|_| 0x80)
    }

    /// `second`: names the parameter set of the picture with this many before it (0x80: it names PPS 0, 0x40: PPS 1).
    fn of_pictures(ring: &Ring, second: &dyn Fn(usize) -> u8) -> Storage {
        let press = a_press();
        let plan = plan(&ring.at(AT), &window(AT, 3_000, 1_000)).unwrap();
        let storage = Storage {
            root: tempfile::tempdir().unwrap(),
            taken: PressRecord {
                press: press.clone(),
                cameras: vec![CameraRecord {
                    id: press.cameras[0].clone(),
                    name: "Court 1".to_owned(),
                    court: None,
                    plan: plan.clone(),
                    witnesses: vec![],
                }],
            },
            press,
        };
        fs::create_dir_all(storage.folder()).unwrap();
        fs::create_dir_all(storage.path().join("tmp")).unwrap();
        storage.journal().retire(&storage.press.id);
        storage.commit(ring, &export(ring, &plan, Feed::AtOnce, false), second);
        storage
    }

    fn path(&self) -> &Path {
        self.root.path()
    }

    fn folder(&self) -> PathBuf {
        self.path()
            .join("highlights")
            .join(&self.press.folder)
            .join(self.press.id.as_str())
    }

    fn clip(&self) -> PathBuf {
        self.folder().join("court1.mp4")
    }

    fn sidecar(&self) -> PathBuf {
        self.folder().join("court1.json")
    }

    fn journal(&self) -> Journal {
        Journal::open(&Disk::default(), self.path()).unwrap().0
    }

    /// Has its press pending.
    fn journaled(&self) {
        let journal = self.journal();
        let noted = journal.note(&self.taken).unwrap();
        journal.take(noted, Arc::new(self.taken.clone())).unwrap();
    }

    fn about<'a>(&'a self, timezone: &'a TimeZone) -> About<'a> {
        About {
            press: &self.press,
            camera_name: "Court 1",
            court: None,
            camera_id: &self.press.cameras[0],
            latency_ms: 0,
            timezone,
        }
    }

    /// Writes the clip and its sidecar.
    fn commit(&self, ring: &Ring, exported: &Exported, second: &dyn Fn(usize) -> u8) {
        let finished = exported.finished.as_ref().unwrap();
        let mut data = Vec::new();
        let mut pictures = 0;
        for (offset, pos) in &exported.placed {
            assert_eq!(*offset, data.len() as u64);
            let au = ring.stored(*pos).au;
            data.extend((au.len - 4).to_be_bytes());
            let kind = if au.flags.key && au.track == Track::Video {
                0x65
            } else {
                0x41
            };
            // First macroblock, kind of slice, PPS.
            let end = data.len() + au.len as usize - 4;
            match au.track {
                Track::Video => data.extend([kind, 0x88, second(pictures)]),
                Track::Audio => {}
            }
            pictures += usize::from(au.track == Track::Video);
            data.resize(end, kind);
        }
        data.extend(&finished.sound);
        data.truncate(usize::try_from(finished.data_len).unwrap());
        let reserve = mp4::reserve_for(1000, 1000, &finished.clip.tracks[0].entries);
        let placed = mp4::place(reserve, finished.data_len, &finished.clip).unwrap();
        let bytes = [placed.front, data, placed.tail].concat();
        let difference = mp4::read_back(
            std::io::Cursor::new(&bytes),
            bytes.len() as u64,
            reserve,
            &finished.clip,
        );
        assert_eq!(difference.unwrap(), None);
        fs::write(self.clip(), &bytes).unwrap();
        let facts = FileFacts {
            file_name: "court1.mp4".to_owned(),
            size_bytes: bytes.len() as u64,
            sha256: Sha256::digest(&bytes)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect(),
        };
        let utc = TimeZone::UTC;
        let about = self.about(&utc);
        let sidecar = Sidecar::for_clip(&about, facts, &finished.report, None);
        fs::write(self.sidecar(), sidecar.to_bytes()).unwrap();
    }

    /// Reads, changes and writes the sidecar.
    fn edit(&self, change: impl FnOnce(&mut Sidecar)) {
        let mut sidecar = Sidecar::from_bytes(&fs::read(self.sidecar()).unwrap()).unwrap();
        change(&mut sidecar);
        fs::write(self.sidecar(), sidecar.to_bytes()).unwrap();
    }

    fn verify(&self) -> Report {
        verify(&[self.path().to_owned()])
    }

    /// The only fault there is.
    fn fault(&self) -> String {
        only_fault(&self.verify())
    }
}

fn only_fault(report: &Report) -> String {
    assert_eq!(report.faults.len(), 1, "{report:?}");
    let fault = &report.faults[0];
    format!(
        "{}: {}",
        fault.path.file_name().unwrap().to_string_lossy(),
        fault.what
    )
}

#[test]
fn a_storage_in_order_has_no_fault() {
    let storage = Storage::with_a_highlight();
    let report = storage.verify();
    assert_eq!((report.clips, report.sidecars, report.presses), (1, 1, 0));
    assert!(
        report.faults.is_empty() && report.notes.is_empty(),
        "{report:?}"
    );
    // Named twice, or by a part of it, it is looked at once, or in part.
    let twice = verify(&[storage.path().to_owned(), storage.folder()]);
    assert_eq!((twice.clips, twice.faults.len()), (1, 0));
    for path in [storage.folder(), storage.clip(), storage.sidecar()] {
        let report = verify(&[path]);
        assert_eq!(
            (report.clips, report.sidecars, report.faults.len()),
            (1, 1, 0),
            "{report:?}"
        );
    }
}

#[test]
fn a_clip_whose_pictures_name_parameter_sets_that_it_does_not_hold_is_found() {
    let ring = film(&Spec::default());
    // Every fourth picture that is no key frame names PPS 1.
    let storage = Storage::of_pictures(&ring, &|n| if n % 4 == 3 { 0x40 } else { 0x80 });
    let fault = storage.fault();
    assert!(fault.starts_with("court1.mp4: "), "{fault}");
    let what =
        "pictures cannot be decoded: picture 4 needs picture parameter set 1, which is missing";
    assert!(fault.ends_with(what), "{fault}");
}

#[test]
fn a_clip_of_which_a_byte_changed_is_found_wherever_the_byte_stands() {
    let storage = Storage::with_a_highlight();
    let good = fs::read(storage.clip()).unwrap();
    for at in [0, 40, 400, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(storage.clip(), &bad).unwrap();
        let faults = storage.verify().faults;
        assert!(faults[0].what.contains("SHA-256 differs"), "{faults:?}");
    }
    fs::write(storage.clip(), &good[..good.len() - 5]).unwrap();
    let faults = storage.verify().faults;
    assert!(faults[0].what.contains("its sidecar says"), "{faults:?}");
    assert_eq!(faults.len(), 2, "and its tables: {faults:?}");
}

#[test]
fn a_clip_whose_samples_are_damaged_is_found_without_a_sidecar() {
    let storage = Storage::with_a_highlight();
    fs::remove_file(storage.sidecar()).unwrap();
    let alone = verify(&[storage.clip()]);
    assert!(alone.faults.is_empty(), "{alone:?}");
    assert!(alone.notes[0].what.contains("only the clip itself"));
    let mut bytes = fs::read(storage.clip()).unwrap();
    let inspected = mp4::inspect(std::io::Cursor::new(&bytes), bytes.len() as u64).unwrap();
    let sample = inspected.tracks[0].samples[7];
    bytes[usize::try_from(sample.offset).unwrap() + 2] ^= 0x40;
    fs::write(storage.clip(), &bytes).unwrap();
    assert_eq!(
        only_fault(&verify(&[storage.clip()])),
        "court1.mp4: picture 8 is damaged"
    );
}

#[test]
fn sound_in_flac_is_decoded_and_damage_in_it_is_found() {
    let storage = Storage::with_a_highlight_of(&super::pcm::with_pcm());
    let report = storage.verify();
    assert!(report.faults.is_empty(), "{report:?}");
    fs::remove_file(storage.sidecar()).unwrap();
    let mut bytes = fs::read(storage.clip()).unwrap();
    let inspected = mp4::inspect(std::io::Cursor::new(&bytes), bytes.len() as u64).unwrap();
    let sample = inspected.tracks[1].samples[3];
    bytes[usize::try_from(sample.offset).unwrap() + 8] ^= 0x40;
    fs::write(storage.clip(), &bytes).unwrap();
    let fault = only_fault(&verify(&[storage.clip()]));
    assert!(fault.contains("its sound is damaged, part 4"), "{fault}");
}

#[test]
fn a_clip_with_neither_sidecar_nor_press_is_a_fault_and_with_a_pending_press_is_none() {
    let storage = Storage::with_a_highlight();
    fs::remove_file(storage.sidecar()).unwrap();
    assert!(
        storage
            .fault()
            .contains("no sidecar, and the journal knows no press of it")
    );
    storage.journaled();
    let report = storage.verify();
    assert!(report.faults.is_empty(), "{report:?}");
    assert_eq!((report.presses, report.notes.len()), (1, 2), "{report:?}");
    assert!(
        report
            .notes
            .iter()
            .any(|n| n.what.contains("not finished yet (court1)"))
    );
    assert!(verify(&[storage.folder()]).faults.is_empty());
}

#[test]
fn a_press_with_all_its_sidecars_that_is_still_in_the_journal_is_noted() {
    let storage = Storage::with_a_highlight();
    storage.journaled();
    let report = storage.verify();
    assert!(report.faults.is_empty());
    assert!(
        report.notes[0]
            .what
            .contains("all its sidecars are written"),
        "{report:?}"
    );
    let elsewhere = verify(&[storage.path().join("tmp")]);
    assert_eq!(elsewhere.presses, 0);
}

type Change<'a> = &'a dyn Fn(&mut Sidecar);

#[test]
fn a_sidecar_must_fit_its_clip_its_place_and_itself() {
    let storage = Storage::with_a_highlight();
    let good = fs::read(storage.sidecar()).unwrap();
    let cases: [(Change, &str); 7] = [
        (
            &|s| s.sha256 = None,
            "without file_name, size_bytes, sha256",
        ),
        (
            &|s| s.camera.id = CameraId::new("court2").unwrap(),
            "the sidecar of camera court2",
        ),
        (
            &|s| s.press_id = hindsight::base::PressId::new(s.clock.boot_id, 1),
            "it belongs to press",
        ),
        (
            &|s| s.file_name = Some("court1.suspect.mp4".to_owned()),
            "its clip court1.suspect.mp4 is missing",
        ),
        (
            &|s| s.meta.as_mut().unwrap().width = 640,
            "320x240; its sidecar says H264 640x240",
        ),
        (
            &|s| s.meta.as_mut().unwrap().duration_sec += 0.04,
            "its sidecar says 4.0",
        ),
        (
            &|s| s.meta.as_mut().unwrap().audio_codec = None,
            "wrong about its sound",
        ),
    ];
    for (change, what) in cases {
        fs::write(storage.sidecar(), &good).unwrap();
        storage.edit(change);
        let fault = storage.fault();
        assert!(fault.contains(what), "{fault}");
    }
    fs::write(storage.sidecar(), &good[..good.len() / 2]).unwrap();
    assert!(storage.fault().starts_with("court1.json: not a sidecar"));
    fs::write(storage.sidecar(), &good).unwrap();
    fs::remove_file(storage.clip()).unwrap();
    assert_eq!(
        storage.fault(),
        "court1.json: its clip court1.mp4 is missing"
    );
}

#[test]
fn none_has_a_reason_and_no_clip() {
    let storage = Storage::with_a_highlight();
    let utc = TimeZone::UTC;
    let none = Sidecar::without_clip(&storage.about(&utc), &NoFootage::Hole {}.sentence());
    fs::write(storage.sidecar(), none.to_bytes()).unwrap();
    assert!(
        storage
            .fault()
            .contains("it says that there is no clip, but court1.mp4 is there")
    );
    fs::remove_file(storage.clip()).unwrap();
    assert!(storage.verify().faults.is_empty());
    storage.edit(|s| s.reason = Some(" ".to_owned()));
    assert!(storage.fault().contains("without a reason"));
}

#[test]
fn a_suspect_clip_is_no_fault_as_long_as_its_bytes_are_what_they_were() {
    let storage = Storage::with_a_highlight();
    let suspect = storage.folder().join("court1.suspect.mp4");
    let mut bytes = fs::read(storage.clip()).unwrap();
    fs::remove_file(storage.clip()).unwrap();
    bytes[40] ^= 0xff;
    fs::write(&suspect, &bytes).unwrap();
    storage.edit(|s| {
        s.status = hindsight::highlight::sidecar::Status::Suspect;
        s.reason = Some("readers disagree".to_owned());
        s.file_name = Some("court1.suspect.mp4".to_owned());
        s.sha256 = Some(
            Sha256::digest(&bytes)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect(),
        );
    });
    let report = storage.verify();
    assert!(report.faults.is_empty(), "{report:?}");
    assert_eq!(report.notes[0].what, "suspect: readers disagree");
    bytes[50] ^= 0xff;
    fs::write(&suspect, &bytes).unwrap();
    assert!(storage.fault().contains("SHA-256"));
}

#[test]
fn what_is_being_written_is_noted_and_what_is_strange_too() {
    let storage = Storage::with_a_highlight();
    fs::write(storage.path().join("tmp/a.court1.part"), b"half").unwrap();
    fs::write(storage.folder().join("thumbs.db"), b"?").unwrap();
    let report = storage.verify();
    assert!(report.faults.is_empty(), "{report:?}");
    assert_eq!(report.notes.len(), 2, "{report:?}");
}

#[test]
fn what_cannot_be_read_is_a_fault_that_says_what_to_do() {
    let missing = verify(&[PathBuf::from("/no/such/place")]);
    assert_eq!(missing.faults[0].what, "does not exist");
    let storage = Storage::with_a_highlight();
    let text = storage.path().join("notes.txt");
    fs::write(&text, b"x").unwrap();
    assert!(only_fault(&verify(&[text])).contains("neither a clip"));
    fs::write(storage.path().join("journal"), b"something else entirely").unwrap();
    assert!(storage.fault().starts_with("journal: not a journal"));
    let empty = verify(&[storage.path().join("tmp")]);
    assert_eq!((empty.clips, empty.sidecars), (0, 0));
}

#[test]
fn a_clip_cut_short_by_a_stop_is_in_order_too() {
    let storage = Storage::with_a_highlight();
    let ring = film(&Spec {
        audio: true,
        b_frames: 3,
        ..Spec::default()
    });
    let plan = plan(&ring.at(AT), &window(AT, 3_000, 3_000)).unwrap();
    for ms in [10, 500, 1234] {
        let mut exporter = Exporter::new(&ring, &plan, false);
        exporter.read_until(AT + ms * 1_000_000);
        storage.commit(&ring, &exporter.finish(Ended::Stopped), &|_| 0x80);
        let report = storage.verify();
        assert!(report.faults.is_empty(), "{report:?}");
    }
}
