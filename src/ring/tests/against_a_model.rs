//! Whatever is pushed in whatever order: the ring holds what a list of AUs and
//! two subtractions say, and adoption changes nothing of it.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Push { len: usize, audio: bool },
    Params { which: u8 },
    Epoch,
    Restart,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (0..1100usize, any::<bool>()).prop_map(|(len, audio)| Op::Push { len, audio }),
        4 => (0..40usize, any::<bool>()).prop_map(|(len, audio)| Op::Push { len, audio }),
        2 => (0..4u8).prop_map(|which| Op::Params { which }),
        1 => Just(Op::Epoch),
        1 => Just(Op::Restart),
    ]
}

/// What was pushed, with the byte counter it starts at.
struct Expected {
    meta: AuMeta,
    data: Vec<u8>,
    start: u64,
}

struct Model {
    spec: RingSpec,
    pushed: Vec<Expected>,
    bytes: u64,
    epoch: u32,
    generation: [u32; 2],
    params: HashMap<u32, TrackParams>,
}

impl Model {
    fn oldest(&self) -> usize {
        let entries = usize::try_from(self.spec.entries).unwrap();
        let by_entries = self.pushed.len().saturating_sub(entries);
        let lowest = self.bytes.saturating_sub(self.spec.data_bytes);
        let by_bytes = self.pushed.iter().position(|au| au.start >= lowest);
        by_entries.max(by_bytes.unwrap_or(self.pushed.len()))
    }

    fn push(&mut self, writer: &mut RingWriter, len: usize, audio: bool) {
        let n = self.pushed.len();
        let mut data: Vec<u8> = (0..len)
            .map(|i| u8::try_from((n * 31 + i) % 251).unwrap())
            .collect();
        let mut meta = AuMeta {
            track: if audio { Track::Audio } else { Track::Video },
            generation: self.generation[usize::from(audio)],
            epoch: self.epoch,
            flags: AuFlags {
                key: n.is_multiple_of(3),
                ..AuFlags::default()
            },
            ..meta(i64::try_from(n).unwrap())
        };
        let pushed = writer.push(&meta, &data);
        let pos = u64::try_from(n).unwrap();
        if len > 1024 {
            assert_eq!(pushed, Pushed::TooLarge { pos, limit: 1024 });
            (meta.flags.gap, meta.flags.key) = (true, false);
            meta.dropped_bytes = u32::try_from(len).unwrap();
            data.clear();
        } else {
            assert_eq!(pushed, Pushed::Stored { pos });
        }
        meta.len = u32::try_from(data.len()).unwrap();
        let start = self.bytes;
        self.bytes += u64::from(meta.len).next_multiple_of(8);
        self.pushed.push(Expected { meta, data, start });
    }

    fn compare(&self, reader: &RingReader) {
        let oldest = self.oldest();
        let as_pos = |n: usize| u64::try_from(n).unwrap();
        assert_eq!(
            (reader.oldest(), reader.head()),
            (as_pos(oldest), as_pos(self.pushed.len()))
        );
        for (n, expected) in self.pushed.iter().enumerate() {
            let mut bytes = b"kept".to_vec();
            let got = reader.read(as_pos(n), &mut bytes);
            if n < oldest {
                assert_eq!(
                    got,
                    Err(ReadError::Overtaken {
                        oldest: as_pos(oldest)
                    })
                );
                assert_eq!(bytes, b"kept");
            } else {
                assert_eq!(got.unwrap(), expected.meta);
                assert_eq!(bytes[4..], expected.data[..]);
                if let Some(params) = self.params.get(&expected.meta.generation) {
                    assert_eq!(reader.params(expected.meta.generation).unwrap(), *params);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_ring_holds_what_a_list_of_aus_says(
        ops in proptest::collection::vec(op(), 1..120),
        entries in 2..24u64,
    ) {
        let dir = folder();
        let spec = spec(dir.path(), 4096, entries);
        let (mut writer, _) = RingWriter::open(&spec).unwrap();
        let reader = RingReader::open(dir.path(), &court()).unwrap();
        let mut model = Model {
            spec: spec.clone(), pushed: Vec::new(), bytes: 0, epoch: 0,
            generation: [0; 2], params: HashMap::new(),
        };
        for op in ops {
            match op {
                Op::Push { len, audio } => model.push(&mut writer, len, audio),
                Op::Params { which } => {
                    let params = if which == 0 { audio() } else { video(&[which]) };
                    let generation = writer.set_params(&params);
                    model.generation[usize::from(which == 0)] = generation;
                    model.params.insert(generation, params);
                }
                Op::Epoch => {
                    model.epoch += 1;
                    prop_assert_eq!(writer.begin_epoch(), model.epoch);
                }
                Op::Restart => {
                    drop(writer);
                    let (again, opened) = RingWriter::open(&spec).unwrap();
                    let held = u64::try_from(model.pushed.len() - model.oldest()).unwrap();
                    prop_assert!(matches!(opened, RingOpened::Adopted { entries_held } if entries_held == held), "{:?}", opened);
                    writer = again;
                }
            }
            model.compare(&reader);
        }
        let stats = reader.stats();
        prop_assert_eq!(stats.entries_held, reader.head() - reader.oldest());
    }
}
