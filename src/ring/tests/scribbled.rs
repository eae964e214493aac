//! Whatever is scribbled over a ring: errors, never a crash, never more memory
//! than the ring has, and the next writer has a ring that works.

use proptest::prelude::*;

use super::*;

fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        Just(1 << 32),
        Just(u64::MAX - 7),
        Just(1 << 62),
        0..100u64,
        any::<u64>(),
    ]
}

/// Word numbers, mostly where numbers stand that a reader follows.
fn place() -> impl Strategy<Value = u64> {
    let index = spec(Path::new("/"), 4096, 16).layout().index_at() / 8;
    prop_oneof![
        2 => 0..18u64,
        2 => 32..44u64,
        2 => 512..520u64,
        6 => index..index + 16 * 8,
        1 => 0..(index + 512),
    ]
}

fn filled(spec: &RingSpec) {
    let (mut writer, _) = RingWriter::open(spec).unwrap();
    writer.begin_epoch();
    writer.set_params(&video(b"config"));
    for n in 0..45 {
        writer.push(&meta(n), &vec![7; usize::try_from(n * 10).unwrap()]);
    }
}

fn read_all(reader: &RingReader) {
    let mut bytes = Vec::new();
    let head = reader.head();
    let near = head.saturating_sub(20)..head.saturating_add(2);
    for pos in (0..60).chain(near).chain([u64::MAX, 1 << 62]) {
        bytes.clear();
        let _ = reader.read(pos, &mut bytes);
        assert!(bytes.capacity() <= 8192);
    }
    let _ = (
        reader.oldest(),
        reader.ended(),
        reader.epoch(),
        reader.writer_pid(),
    );
    for generation in [0, 1, 2, u32::MAX] {
        let _ = reader.params(generation);
    }
    let _ = picture(&reader.stats(), 80);
    for resume in [Resume::Oldest, Resume::NewestKey] {
        let mut follower = Follower::at(reader.clone(), 0, resume);
        let events = std::iter::from_fn(|| {
            bytes.clear();
            Some(follower.next(&mut bytes)).filter(|event| *event != RingEvent::NotYet)
        });
        // A head that was scribbled on is not followed position by position.
        assert!(events.take(1000).count() < 100);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_scribbled_ring_gives_errors_and_the_next_writer_a_good_one(
        scribbles in proptest::collection::vec((place(), word()), 1..6),
    ) {
        let dir = folder();
        let spec = spec(dir.path(), 4096, 16);
        filled(&spec);
        let before = RingReader::open(dir.path(), &court()).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(spec.path()).unwrap();
        for (at, value) in scribbles {
            file.write_all_at(&value.to_le_bytes(), at * 8).unwrap();
        }
        read_all(&before);
        match RingReader::open(dir.path(), &court()) {
            Ok(reader) => read_all(&reader),
            Err(e) => prop_assert!(matches!(e, RingError::Damaged { .. }), "{}", e),
        }
        let (mut writer, opened) = RingWriter::open(&spec).unwrap();
        if let RingOpened::Replaced { old: Some(old), .. } = &opened {
            read_all(old);
        }
        let epoch = writer.begin_epoch();
        let generation = writer.set_params(&video(b"other"));
        let reader = RingReader::open(dir.path(), &court()).unwrap();
        for n in 0..40 {
            let au = AuMeta { epoch, generation, ..meta(n) };
            let Pushed::Stored { pos } = writer.push(&au, &[3; 99]) else { panic!() };
            prop_assert_eq!(reader.meta(pos), Ok(AuMeta { len: 99, ..au }));
            prop_assert_eq!(read(&reader, pos).unwrap(), [3; 99]);
        }
        prop_assert_eq!(reader.params(generation), Ok(video(b"other")));
        prop_assert_eq!(reader.head() - reader.oldest(), 16);
    }
}
