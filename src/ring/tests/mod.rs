//! The ring as its users see it: files on a real tmpfs, writer and readers in one process.
#![allow(clippy::unwrap_used)]

mod against_a_model;
mod following;
mod scribbled;

use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::*;
use crate::base::{BootId, CameraId};
use crate::media::{Alignment, AuFlags, AuMeta, Codec, Track, TrackParams};

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("hindsight-test-")
        .tempdir_in("/dev/shm")
        .unwrap()
}

fn court() -> CameraId {
    CameraId::new("court1").unwrap()
}

fn spec(dir: &Path, data_bytes: u64, entries: u64) -> RingSpec {
    RingSpec {
        dir: dir.to_owned(),
        camera: court(),
        boot_id: BootId([7; 16]),
        data_bytes,
        entries,
    }
}

fn meta(n: i64) -> AuMeta {
    AuMeta {
        track: Track::Video,
        flags: AuFlags::default(),
        generation: 1,
        epoch: 1,
        pts: n * 3600,
        pts_90k: n * 3600,
        alignment: Alignment::Arrival,
        arrival_mono_ns: n.cast_unsigned() * 40_000_000,
        lost_packets: 0,
        dropped_bytes: 0,
        len: 0,
    }
}

fn video(config: &[u8]) -> TrackParams {
    TrackParams {
        codec: Codec::H264,
        timescale: 90_000,
        config: config.to_vec(),
        width: 1920,
        height: 1080,
        pixel_aspect: (4, 3),
        channels: 0,
    }
}

fn audio() -> TrackParams {
    TrackParams {
        codec: Codec::Aac,
        timescale: 48_000,
        config: vec![0x11, 0x90],
        width: 0,
        height: 0,
        pixel_aspect: (1, 1),
        channels: 2,
    }
}

fn read(reader: &RingReader, pos: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    reader.read(pos, &mut bytes).map(|_| bytes)
}

#[test]
fn what_is_pushed_is_read_with_everything_that_belongs_to_it() {
    let dir = folder();
    let (mut writer, opened) = RingWriter::open(&spec(dir.path(), 4096, 16)).unwrap();
    assert!(matches!(opened, RingOpened::Created));
    assert_eq!(writer.begin_epoch(), 1);
    let generation = writer.set_params(&audio());
    let full = AuMeta {
        track: Track::Audio,
        flags: AuFlags {
            key: true,
            open_gop: true,
            rasl: false,
            tainted: true,
            gap: false,
        },
        generation,
        epoch: 1,
        pts: -5,
        pts_90k: i64::MIN,
        alignment: Alignment::SenderReport,
        arrival_mono_ns: u64::MAX,
        lost_packets: 70_000,
        dropped_bytes: 9,
        len: 12345,
    };
    let pushed = writer.push(&full, b"thirteen byte");
    assert_eq!(pushed, Pushed::Stored { pos: 0 });
    let reader = RingReader::open(dir.path(), &court()).unwrap();
    assert_eq!((reader.oldest(), reader.head()), (0, 1));
    let mut bytes = b"before ".to_vec();
    let got = reader.read(0, &mut bytes).unwrap();
    assert_eq!(got, AuMeta { len: 13, ..full });
    assert_eq!(reader.meta(0).unwrap(), got);
    assert_eq!(bytes, b"before thirteen byte");
    assert_eq!(reader.params(generation).unwrap(), audio());
    assert_eq!(reader.read(1, &mut bytes), Err(ReadError::NotYet));
    assert_eq!(bytes, b"before thirteen byte");
    assert_eq!(reader.boot_id(), BootId([7; 16]));
}

#[test]
fn an_overtaken_reader_learns_the_oldest_position_whichever_runs_out_first() {
    let dir = folder();
    // 5 of 800 bytes fit; then 16 entries.
    for (len, held) in [(800, 5), (8, 16)] {
        let (mut writer, _) = RingWriter::open(&spec(dir.path(), 4096, 16)).unwrap();
        let reader = RingReader::open(dir.path(), &court()).unwrap();
        for n in 0..100 {
            writer.push(&meta(n), &vec![u8::try_from(n).unwrap(); len]);
        }
        let oldest = reader.head() - held;
        assert_eq!(reader.oldest(), oldest);
        assert_eq!(reader.meta(3), Err(ReadError::Overtaken { oldest }));
        assert_eq!(
            read(&reader, oldest - 1),
            Err(ReadError::Overtaken { oldest })
        );
        for pos in oldest..reader.head() {
            let n = reader.meta(pos).unwrap().pts / 3600;
            assert_eq!(
                read(&reader, pos).unwrap(),
                vec![u8::try_from(n).unwrap(); len]
            );
        }
    }
}

#[test]
fn an_au_larger_than_a_quarter_is_a_gap_with_its_size() {
    let dir = folder();
    let (mut writer, _) = RingWriter::open(&spec(dir.path(), 4096, 16)).unwrap();
    let key = AuMeta {
        flags: AuFlags {
            key: true,
            ..AuFlags::default()
        },
        ..meta(1)
    };
    assert_eq!(writer.push(&key, &[1; 1024]), Pushed::Stored { pos: 0 });
    let pushed = writer.push(&key, &[2; 1025]);
    assert_eq!(
        pushed,
        Pushed::TooLarge {
            pos: 1,
            limit: 1024
        }
    );
    let reader = RingReader::open(dir.path(), &court()).unwrap();
    let gap = reader.meta(1).unwrap();
    assert!(gap.flags.gap && !gap.flags.key);
    assert_eq!((gap.dropped_bytes, gap.len), (1025, 0));
    assert_eq!(read(&reader, 1).unwrap(), b"");
    assert_eq!(read(&reader, 0).unwrap(), [1; 1024]);
}

#[test]
fn a_new_process_adopts_the_ring_and_its_parameters_and_goes_on() {
    let dir = folder();
    let spec = spec(dir.path(), 4096, 16);
    let (mut writer, _) = RingWriter::open(&spec).unwrap();
    writer.begin_epoch();
    writer.set_params(&video(b"one"));
    let generation = writer.set_params(&video(b"two"));
    writer.push(&meta(0), b"before");
    drop(writer);
    let reader = RingReader::open(dir.path(), &court()).unwrap();
    let (mut writer, opened) = RingWriter::open(&spec).unwrap();
    assert!(matches!(opened, RingOpened::Adopted { entries_held: 1 }));
    assert_eq!(writer.begin_epoch(), 2);
    assert_eq!(writer.set_params(&video(b"two")), generation);
    assert_eq!(writer.set_params(&video(b"three")), generation + 1);
    assert_eq!(writer.push(&meta(1), b"after"), Pushed::Stored { pos: 1 });
    assert_eq!(read(&reader, 0).unwrap(), b"before");
    assert_eq!(read(&reader, 1).unwrap(), b"after");
    assert_eq!(reader.params(generation).unwrap(), video(b"two"));
    assert!(!reader.ended());
}

#[test]
fn a_second_writer_is_refused_and_a_reader_cannot_hold_the_lock() {
    let dir = folder();
    let spec = spec(dir.path(), 4096, 16);
    let (writer, _) = RingWriter::open(&spec).unwrap();
    let refused = RingWriter::open(&spec).unwrap_err();
    assert!(matches!(refused, RingError::Locked { .. }), "{refused}");
    drop(writer);
    let ring = std::fs::File::open(spec.path()).unwrap();
    ring.lock().unwrap();
    assert!(RingWriter::open(&spec).is_ok());
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(spec.path()), 0o640);
    assert_eq!(mode(spec.lock_path()), 0o600);
}

#[test]
fn a_ring_of_another_size_or_boot_ends_and_stays_readable_to_who_holds_it() {
    let dir = folder();
    let first = spec(dir.path(), 4096, 16);
    let bigger = spec(dir.path(), 8192, 16);
    let rebooted = RingSpec {
        boot_id: BootId([8; 16]),
        ..bigger.clone()
    };
    let (mut writer, _) = RingWriter::open(&first).unwrap();
    writer.push(&meta(0), b"old");
    drop(writer);
    let mut follower = RingReader::open(dir.path(), &court()).unwrap();
    for (spec, word) in [(bigger, "size"), (rebooted, "boot")] {
        let (mut writer, opened) = RingWriter::open(&spec).unwrap();
        let RingOpened::Replaced { why, old } = opened else {
            panic!("{opened:?}");
        };
        assert!(why.to_string().contains(word), "{why}");
        for reader in [&old.unwrap(), &follower] {
            assert!(reader.ended());
            assert_eq!(read(reader, 0).unwrap(), b"old");
            assert_eq!(reader.meta(1), Err(ReadError::Ended));
        }
        writer.push(&meta(0), b"old");
        follower = RingReader::open(dir.path(), &court()).unwrap();
        assert!(!follower.ended());
    }
}

#[test]
fn foreign_files_under_the_rings_name_are_replaced_untouched() {
    let dir = folder();
    let spec = spec(dir.path(), 4096, 16);
    let elsewhere = dir.path().join("elsewhere");
    let long = vec![0x55; 10_000];
    for text in [&b""[..], b"notes", &long] {
        std::fs::write(&elsewhere, text).unwrap();
        let _ = std::fs::remove_file(spec.path());
        std::fs::hard_link(&elsewhere, spec.path()).unwrap();
        let (_, opened) = RingWriter::open(&spec).unwrap();
        assert!(matches!(opened, RingOpened::Replaced { old: None, .. }));
        assert_eq!(std::fs::read(&elsewhere).unwrap(), text);
        assert!(RingReader::open(dir.path(), &court()).is_ok());
    }
    std::fs::remove_file(spec.path()).unwrap();
    std::os::unix::fs::symlink(&elsewhere, spec.path()).unwrap();
    assert!(RingReader::open(dir.path(), &court()).is_err());
    let (_, opened) = RingWriter::open(&spec).unwrap();
    assert!(matches!(opened, RingOpened::Replaced { old: None, .. }));
    assert_eq!(std::fs::read(&elsewhere).unwrap(), long);
}

#[test]
fn only_tmpfs_will_do_and_too_large_a_ring_says_how_much_is_free() {
    let on_disk = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let refused = RingWriter::open(&spec(on_disk.path(), 4096, 16)).unwrap_err();
    assert!(matches!(refused, RingError::NotTmpfs { .. }), "{refused}");
    let dir = folder();
    let huge = spec(dir.path(), 1 << 45, 16);
    let refused = RingWriter::open(&huge).unwrap_err();
    let RingError::NoSpace { needed, free, .. } = refused else {
        panic!("{refused}");
    };
    assert!(needed == huge.file_bytes() && free < needed);
    assert!(!huge.new_path().exists());
}

#[test]
fn a_generation_stays_as_long_as_its_track_or_an_au_held_needs_it() {
    let dir = folder();
    let (mut writer, _) = RingWriter::open(&spec(dir.path(), 4096, 40)).unwrap();
    let reader = RingReader::open(dir.path(), &court()).unwrap();
    let sound = writer.set_params(&audio());
    for n in 0..1000 {
        let config = n.to_string();
        let generation = writer.set_params(&video(config.as_bytes()));
        assert_eq!(generation, writer.set_params(&video(config.as_bytes())));
        // Two AUs of each: 20 generations are held by 40 entries.
        for _ in 0..2 {
            writer.push(
                &AuMeta {
                    generation,
                    ..meta(n)
                },
                b"",
            );
        }
        assert_eq!(reader.params(sound).unwrap(), audio());
        for pos in reader.oldest()..reader.head() {
            let meta = reader.meta(pos).unwrap();
            let held = reader.params(meta.generation).unwrap();
            assert_eq!(held.config, (meta.pts / 3600).to_string().as_bytes());
        }
    }
    assert!(matches!(reader.params(2), Err(ReadError::Damaged(_))));
    assert!(matches!(reader.params(0), Err(ReadError::Damaged(_))));
}

#[test]
fn parameters_that_come_by_turns_stay_known_however_often_they_turn() {
    let dir = folder();
    let (mut writer, _) = RingWriter::open(&spec(dir.path(), 4096, 200)).unwrap();
    let reader = RingReader::open(dir.path(), &court()).unwrap();
    for n in 0..400 {
        let kind = [b"one".as_slice(), b"two"][usize::try_from(n % 2).unwrap()];
        let generation = writer.set_params(&video(kind));
        writer.push(
            &AuMeta {
                generation,
                ..meta(n)
            },
            b"",
        );
        for pos in reader.oldest()..reader.head() {
            let meta = reader.meta(pos).unwrap();
            assert!(reader.params(meta.generation).is_ok(), "{n}: {pos}");
        }
    }
    assert_eq!(writer.set_params(&audio()), 3);
}

#[test]
fn parameters_too_long_for_the_table_cost_only_themselves() {
    let dir = folder();
    let (mut writer, _) = RingWriter::open(&spec(dir.path(), 4096, 16)).unwrap();
    let reader = RingReader::open(dir.path(), &court()).unwrap();
    let longest = video(&[9; layout::MAX_CONFIG]);
    let good = writer.set_params(&longest);
    let bad = writer.set_params(&video(&[9; layout::MAX_CONFIG + 1]));
    assert_eq!(reader.params(good).unwrap(), longest);
    assert!(matches!(reader.params(bad), Err(ReadError::Damaged(_))));
}

#[test]
fn a_removed_ring_has_ended_for_who_waits_for_its_next_au() {
    let dir = folder();
    let spec = spec(dir.path(), 4096, 16);
    let (mut writer, _) = RingWriter::open(&spec).unwrap();
    writer.push(&meta(0), b"x");
    let reader = RingReader::open(dir.path(), &court()).unwrap();
    std::fs::remove_file(spec.path()).unwrap();
    assert_eq!(read(&reader, 0).unwrap(), b"x");
    assert_eq!(reader.meta(1), Err(ReadError::Ended));
}

#[test]
fn a_sized_ring_holds_what_its_seconds_and_bitrate_say() {
    let dir = folder();
    let spec = RingSpec::sized(dir.path(), court(), BootId([7; 16]), 3, 1_000_000);
    let (mut writer, _) = RingWriter::open(&spec).unwrap();
    // 110 AUs a second share 125 000 bytes.
    let au = vec![1; 125_000 / 110];
    for n in 0..330 {
        writer.push(&meta(n), &au);
    }
    let reader = RingReader::open(dir.path(), &court()).unwrap();
    assert_eq!((reader.oldest(), reader.head()), (0, 330));
    let file = std::fs::metadata(spec.path()).unwrap();
    assert_eq!(file.len(), spec.file_bytes());
    assert_eq!(file.blocks() * 512, spec.file_bytes(), "not all allocated");
}

#[test]
fn what_a_killed_writer_left_half_made_is_swept_away() {
    let dir = folder();
    let spec = spec(dir.path(), 4096, 16);
    std::fs::write(spec.new_path(), b"half").unwrap();
    let (_, opened) = RingWriter::open(&spec).unwrap();
    assert!(matches!(opened, RingOpened::Created));
    assert!(!spec.new_path().exists());
}

#[test]
fn a_writer_killed_in_the_middle_of_a_push_loses_only_what_it_was_writing() {
    let dir = folder();
    let spec = spec(dir.path(), 4096, 16);
    let (mut writer, _) = RingWriter::open(&spec).unwrap();
    for n in 0..40 {
        writer.push(&meta(n), &[u8::try_from(n).unwrap(); 200]);
    }
    drop(writer);
    let reader = RingReader::open(dir.path(), &court()).unwrap();
    let (oldest, head) = (reader.oldest(), reader.head());
    // Floors raised past two more, bytes and entry half written, head not.
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(spec.path())
        .unwrap();
    let layout = spec.layout();
    let put = |word: usize, value: u64| shm::write_word(&file, word, value).unwrap();
    put(layout::CONTROL + protocol::FLOOR_ENTRY, head + 1 - 16);
    put(
        layout::CONTROL + protocol::FLOOR_BYTE,
        (head + 1) * 200 - 4096 + 8,
    );
    let slot = layout.index_at() + head % 16 * layout::ENTRY_BYTES;
    file.write_all_at(&[0xee; 30], slot).unwrap();
    file.write_all_at(&[0xee; 100], layout.data_at() + head * 200 % 4096)
        .unwrap();
    let (mut writer, opened) = RingWriter::open(&spec).unwrap();
    let RingOpened::Adopted { entries_held } = opened else {
        panic!("{opened:?}");
    };
    assert!(entries_held < head - oldest && entries_held >= head - oldest - 2);
    for pos in reader.oldest()..head {
        assert_eq!(
            read(&reader, pos).unwrap(),
            [u8::try_from(pos).unwrap(); 200]
        );
    }
    writer.push(&meta(40), b"next");
    assert_eq!(read(&reader, head).unwrap(), b"next");
}

/// The numbers stand here once more: other programs read them off the header of `layout`.
#[test]
fn a_ring_file_is_what_the_published_format_says() {
    let dir = folder();
    let spec = spec(dir.path(), 4096, 70);
    let (mut writer, _) = RingWriter::open(&spec).unwrap();
    let epoch = writer.begin_epoch();
    let generation = writer.set_params(&video(b"nine byte"));
    for n in 0..71 {
        let mut au = AuMeta {
            generation,
            epoch,
            ..meta(n)
        };
        (au.track, au.alignment) = (Track::Audio, Alignment::SenderReport);
        (au.lost_packets, au.flags.tainted) = (5, true);
        writer.push(&au, b"0123456789");
    }
    let file = std::fs::read(spec.path()).unwrap();
    let word = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
    let index_at = 4096 + 32 * 2048;
    let data_at = index_at + 8192;
    assert_eq!(&file[..8], b"HINDSRNG");
    let fixed = [2 | 4096 << 32, data_at + 4096, 4096, 32 | 2048 << 32];
    assert_eq!([1, 2, 3, 4].map(|n| word(n * 8)), fixed);
    let sizes = [index_at, 70, data_at, 4096];
    assert_eq!([5, 6, 7, 8].map(|n| word(n * 8)), sizes);
    assert_eq!(
        &file[72..96],
        b"\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07court1\0\0"
    );
    assert_eq!(word(17 * 8), u64::from(crc32fast::hash(&file[..17 * 8])));
    let pid = u64::from(std::process::id());
    assert_eq!([32, 33, 34].map(|n| word(n * 8)), [0, pid, 1]);
    // 71 AUs and one epoch.
    assert_eq!([40, 41, 42, 43].map(|n| word(n * 8)), [71, 1, 0, 72]);
    // Position 70 stands in slot 0.
    let at = usize::try_from(index_at).unwrap();
    let time = 70 * 3600;
    let entry = [
        70,
        70 * 16,
        10,
        time,
        time,
        70 * 40_000_000,
        1 | 1 << 32,
        5 | 1 << 32 | 2 << 40 | 8 << 48,
    ];
    assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(|n| word(at + n * 8)), entry);
    let bytes = usize::try_from(data_at).unwrap() + 70 * 16;
    assert_eq!(&file[bytes..bytes + 16], b"0123456789\0\0\0\0\0\0");
    let params = [1, 90_000, 1920 | 1080 << 16 | 4 << 32 | 3 << 48, 9];
    assert_eq!([0, 1, 2, 3].map(|n| word(4096 + n * 8)), params);
    assert_eq!(&file[4096 + 32..4096 + 41], b"nine byte");
}
