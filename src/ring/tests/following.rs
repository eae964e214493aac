//! A ring as its followers see it: what they are told, where they go on, when they wake.

use std::sync::mpsc::channel;
use std::time::Duration;

use super::*;
use crate::ring::layout::{RingHeader, VERSION};

/// Generous: a loaded machine is not a broken ring.
const PATIENCE: Duration = Duration::from_secs(60);

fn key(n: i64) -> AuMeta {
    let mut meta = meta(n);
    meta.flags.key = true;
    meta
}

fn follow(dir: &Path, resume: Resume) -> Follower {
    Follower::open(dir, &court(), resume).unwrap()
}

/// Sleeps until there is something to say.
fn awaited(follower: &mut Follower, into: &mut Vec<u8>) -> RingEvent {
    let begun = std::time::Instant::now();
    loop {
        match follower.next(into) {
            RingEvent::NotYet => drop(follower.wait(PATIENCE)),
            event => return event,
        }
        assert!(begun.elapsed() < PATIENCE, "nothing came");
    }
}

fn position(event: RingEvent) -> u64 {
    match event {
        RingEvent::AccessUnit { pos, .. } => pos,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_follower_gets_every_au_once_with_its_bytes_and_then_not_yet() {
    let dir = folder();
    let (mut writer, _) = RingWriter::open(&spec(dir.path(), 4096, 16)).unwrap();
    writer.push(&key(0), b"first");
    writer.push(&meta(1), b" second");
    let mut follower = follow(dir.path(), Resume::Oldest);
    let mut bytes = Vec::new();
    assert_eq!(position(follower.next(&mut bytes)), 0);
    assert_eq!(position(follower.next(&mut bytes)), 1);
    assert_eq!(bytes, b"first second");
    assert_eq!(follower.next(&mut bytes), RingEvent::NotYet);
    assert_eq!(bytes, b"first second");
    writer.push(&meta(2), b" third");
    assert_eq!(position(follower.next_meta()), 2);
    assert_eq!(follower.next_meta(), RingEvent::NotYet);
}

#[test]
fn it_begins_at_the_oldest_the_newest_key_frame_a_position_or_an_instant() {
    let dir = folder();
    let (mut writer, _) = RingWriter::open(&spec(dir.path(), 4096, 16)).unwrap();
    let begins = |resume| follow(dir.path(), resume).pos();
    writer.push(&meta(0), b"au");
    assert_eq!(begins(Resume::NewestKey), 1);
    for n in 1..20 {
        let meta = if n % 6 == 0 { key(n) } else { meta(n) };
        writer.push(&meta, b"au");
    }
    assert_eq!(begins(Resume::Oldest), 4);
    assert_eq!(begins(Resume::NewestKey), 18);
    let reader = RingReader::open(dir.path(), &court()).unwrap();
    let arrived = |n: i64| meta(n).arrival_mono_ns;
    assert_eq!(reader.arrived_since(0), 4);
    assert_eq!(reader.arrived_since(arrived(9) - 1), 9);
    assert_eq!(reader.arrived_since(arrived(9) + 1), 10);
    assert_eq!(reader.arrived_since(arrived(20)), 20);
    let mut follower = Follower::at(reader, 9, Resume::Oldest);
    assert_eq!(position(follower.next_meta()), 9);
}

#[test]
fn an_overtaken_follower_is_told_how_much_is_lost_and_goes_on_as_it_wishes() {
    let dir = folder();
    let (mut writer, _) = RingWriter::open(&spec(dir.path(), 4096, 16)).unwrap();
    let mut followers = [Resume::Oldest, Resume::NewestKey].map(|r| follow(dir.path(), r));
    for n in 0..30 {
        let meta = if n == 20 { key(n) } else { meta(n) };
        writer.push(&meta, b"au");
    }
    for (follower, goes_on) in followers.iter_mut().zip([14, 20]) {
        let lost = RingEvent::Overtaken { lost: goes_on };
        assert_eq!(follower.next_meta(), lost);
        assert_eq!(position(follower.next_meta()), goes_on);
    }
}

#[test]
fn damage_is_told_and_skipped() {
    let dir = folder();
    let spec = spec(dir.path(), 4096, 16);
    let (mut writer, _) = RingWriter::open(&spec).unwrap();
    for n in 0..5 {
        writer.push(&meta(n), b"au");
    }
    let file = std::fs::File::options()
        .write(true)
        .open(spec.path())
        .unwrap();
    let entry = spec.layout().index_at() + 2 * layout::ENTRY_BYTES;
    file.write_all_at(&77_u64.to_le_bytes(), entry).unwrap();
    let reader = RingReader::open(dir.path(), &court()).unwrap();
    let mut follower = Follower::at(reader, 0, Resume::Oldest);
    let events: Vec<RingEvent> = (0..6).map(|_| follower.next_meta()).collect();
    let damaged = RingEvent::Damaged {
        why: Damage::NotAnEntry { pos: 2 },
        lost: 1,
    };
    assert_eq!(events[2], damaged);
    assert_eq!(position(events[4]), 4);
    assert_eq!(events[5], RingEvent::NotYet);
}

#[test]
fn a_ring_that_is_replaced_is_read_to_its_end_and_then_the_new_one() {
    let dir = folder();
    let (mut writer, _) = RingWriter::open(&spec(dir.path(), 4096, 16)).unwrap();
    writer.begin_epoch();
    writer.push(&meta(0), b"old");
    let mut follower = follow(dir.path(), Resume::Oldest);
    drop(writer);
    let (mut writer, _) = RingWriter::open(&spec(dir.path(), 8192, 16)).unwrap();
    writer.begin_epoch();
    writer.begin_epoch();
    let mut bytes = Vec::new();
    assert_eq!(position(follower.next(&mut bytes)), 0);
    let reopened = RingEvent::Reopened { epoch: 2 };
    assert_eq!(follower.next(&mut bytes), reopened);
    assert_eq!(follower.next(&mut bytes), RingEvent::NotYet);
    writer.push(&meta(0), b" new");
    assert_eq!(position(follower.next(&mut bytes)), 0);
    assert_eq!(bytes, b"old new");
    assert_eq!(follower.reader().data_bytes(), 8192);
}

#[test]
fn a_ring_that_is_adopted_is_followed_on() {
    let dir = folder();
    let spec = spec(dir.path(), 4096, 16);
    let (writer, _) = RingWriter::open(&spec).unwrap();
    let mut follower = follow(dir.path(), Resume::Oldest);
    assert_eq!(follower.next_meta(), RingEvent::NotYet);
    drop(writer);
    let (mut writer, _) = RingWriter::open(&spec).unwrap();
    writer.push(&meta(0), b"au");
    assert!(follower.wait(PATIENCE));
    assert_eq!(position(follower.next_meta()), 0);
}

#[test]
fn a_ring_whose_file_is_gone_is_read_on_until_another_has_its_name() {
    let dir = folder();
    let spec = spec(dir.path(), 4096, 16);
    let (mut writer, _) = RingWriter::open(&spec).unwrap();
    let mut follower = follow(dir.path(), Resume::Oldest);
    std::fs::remove_file(spec.path()).unwrap();
    let mut bytes = Vec::new();
    for n in 0..3 {
        writer.push(&meta(n), b"au");
        assert_eq!(
            position(awaited(&mut follower, &mut bytes)),
            n.cast_unsigned()
        );
        follower.looked_at_name_long_ago();
        assert_eq!(follower.next(&mut bytes), RingEvent::NotYet);
    }
    drop(writer);
    let (mut writer, opened) = RingWriter::open(&spec).unwrap();
    assert!(matches!(opened, RingOpened::Created));
    let reopened = RingEvent::Reopened { epoch: 0 };
    assert_eq!(awaited(&mut follower, &mut bytes), reopened);
    writer.push(&meta(0), b"au");
    assert_eq!(position(awaited(&mut follower, &mut bytes)), 0);
}

#[test]
fn a_sleeping_follower_is_woken_by_an_au_by_an_epoch_and_by_the_end() {
    let dir = folder();
    let (mut writer, _) = RingWriter::open(&spec(dir.path(), 4096, 16)).unwrap();
    let mut follower = follow(dir.path(), Resume::Oldest);
    let (say, said) = channel();
    let sleeper = std::thread::spawn(move || {
        loop {
            match follower.next_meta() {
                RingEvent::NotYet => say.send((follower.wait(PATIENCE), None)).unwrap(),
                event => say.send((true, Some(event))).unwrap(),
            }
            if follower.reader().data_bytes() == 8192 {
                return;
            }
        }
    });
    let said = || said.recv_timeout(PATIENCE).unwrap();
    let event = || std::iter::from_fn(|| Some(said())).find_map(|(_, event)| event);
    // One that is begun before it sleeps wakes nobody.
    while !said().0 {
        writer.begin_epoch();
    }
    writer.push(&meta(0), b"au");
    assert_eq!(position(event().unwrap()), 0);
    drop(writer);
    let (_writer, _) = RingWriter::open(&spec(dir.path(), 8192, 16)).unwrap();
    assert_eq!(event(), Some(RingEvent::Reopened { epoch: 0 }));
    sleeper.join().unwrap();
}

#[test]
fn who_has_not_read_all_does_not_sleep() {
    let dir = folder();
    let (mut writer, _) = RingWriter::open(&spec(dir.path(), 4096, 16)).unwrap();
    let mut follower = follow(dir.path(), Resume::Oldest);
    assert!(follower.wait(PATIENCE));
    assert_eq!(follower.next_meta(), RingEvent::NotYet);
    assert!(!follower.wait(Duration::from_millis(1)));
    writer.push(&meta(0), b"au");
    assert!(follower.wait(PATIENCE));
    assert_eq!(position(follower.next_meta()), 0);
    assert!(follower.wait(PATIENCE));
}

/// What a service of the version before leaves behind.
#[test]
fn a_ring_without_a_bell_is_read_and_the_next_writer_replaces_it() {
    let dir = folder();
    let spec = spec(dir.path(), 4096, 16);
    let (mut writer, _) = RingWriter::open(&spec).unwrap();
    writer.push(&meta(0), b"au");
    drop(writer);
    let header = RingReader::open(dir.path(), &court())
        .unwrap()
        .header()
        .clone();
    let without = RingHeader {
        version: 1,
        ..header
    };
    let file = std::fs::File::options()
        .write(true)
        .open(spec.path())
        .unwrap();
    let words = without.words().map(u64::to_le_bytes).concat();
    file.write_all_at(&words, 0).unwrap();
    let bell = 8 * u64::try_from(layout::CONTROL + protocol::BELL).unwrap();
    file.write_all_at(&[0; 8], bell).unwrap();

    let mut follower = follow(dir.path(), Resume::Oldest);
    assert_eq!(position(follower.next_meta()), 0);
    assert_eq!(follower.next_meta(), RingEvent::NotYet);
    assert!(!follower.wait(PATIENCE));
    let (_writer, opened) = RingWriter::open(&spec).unwrap();
    let RingOpened::Replaced { why, old } = opened else {
        panic!("{opened:?}");
    };
    assert_eq!(
        why.to_string(),
        format!("its layout is version 1, this program's is {VERSION}")
    );
    assert_eq!(read(&old.unwrap(), 0).unwrap(), b"au");
    assert_eq!(follower.next_meta(), RingEvent::Reopened { epoch: 0 });
}
