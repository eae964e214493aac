//! The protocol over plain memory with real threads: for Miri, which checks for
//! undefined behaviour and shows old values, with another schedule per seed;
//! without Miri it is a short stress.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ring_model::protocol::{self, CopyFault, LEN, Ring, START, WriteCursor};

/// As the real ring has it.
const E: usize = 8;
const PUSHES: u64 = if cfg!(miri) { 24 } else { 200_000 };
const LOOKS: u64 = if cfg!(miri) { 12 } else { 200_000 };

struct Memory {
    control: Vec<AtomicU64>,
    index: Vec<AtomicU64>,
    data: Vec<AtomicU64>,
}

fn zeroes(n: usize) -> Vec<AtomicU64> {
    (0..n).map(|_| AtomicU64::new(0)).collect()
}

impl Memory {
    fn new(entries: usize, data_words: usize) -> Memory {
        Memory {
            control: zeroes(4),
            index: zeroes(entries * E),
            data: zeroes(data_words),
        }
    }

    fn ring(&self) -> Ring<'_, AtomicU64, E> {
        Ring {
            control: &self.control,
            index: &self.index,
            data: &self.data,
        }
    }
}

/// 0 to 30 bytes that follow from the position.
fn content(pos: u64) -> Vec<u8> {
    let mix = pos.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let len = usize::from(mix[0]) % 31;
    mix.iter().cycle().take(len).copied().collect()
}

fn entry(pos: u64) -> [u64; E] {
    let mut entry = [pos.wrapping_mul(3); E];
    entry[LEN] = pos << 32;
    entry
}

/// Reads `pos` and believes nothing; the fault if it is not there.
fn check(ring: &Ring<'_, AtomicU64, E>, pos: u64) -> Option<CopyFault> {
    let got = match ring.entry(pos) {
        Ok(got) => got,
        Err(CopyFault::Damaged) => panic!("position {pos} looks damaged"),
        Err(fault) => return Some(fault),
    };
    let expected = content(pos);
    assert_eq!(got[3..], entry(pos)[3..], "entry {pos}");
    assert_eq!(
        got[LEN],
        pos << 32 | expected.len() as u64,
        "length of {pos}"
    );
    let mut bytes = vec![1];
    match ring.bytes(got[START], expected.len(), &mut bytes) {
        Ok(()) => assert_eq!(bytes[1..], expected, "bytes of {pos}"),
        Err(CopyFault::Overtaken) => {
            assert_eq!(bytes, [1]);
            return Some(CopyFault::Overtaken);
        }
        Err(fault) => panic!("bytes of {pos}: {fault:?}"),
    }
    None
}

fn write(memory: &Memory) {
    let mut cursor = WriteCursor::default();
    for pos in 0..PUSHES {
        let at = cursor.append(&memory.ring(), entry(pos), &content(pos));
        assert_eq!(at, pos);
        if cfg!(not(miri)) && pos % 64 == 0 {
            std::thread::yield_now();
        }
    }
}

/// Follows from position to position, and is overtaken now and then.
fn follow(memory: &Memory) -> u64 {
    let ring = memory.ring();
    let (mut next, mut whole) = (0, 0);
    for _ in 0..LOOKS {
        match check(&ring, next) {
            None => (next, whole) = (next + 1, whole + 1),
            Some(CopyFault::Overtaken) => {
                let oldest = ring.oldest();
                assert!(oldest > next, "{oldest} is no way on from {next}");
                next = oldest;
            }
            Some(_) => std::thread::yield_now(),
        }
    }
    whole
}

/// Looks at the oldest and at the newest.
fn peek(memory: &Memory) {
    let ring = memory.ring();
    for _ in 0..LOOKS {
        let (oldest, head) = (ring.oldest(), ring.head());
        assert!(oldest <= head);
        let fault = check(&ring, oldest);
        assert!(fault.is_none_or(|f| f == CopyFault::Overtaken || oldest == head));
        if head > 0 {
            check(&ring, head - 1);
        }
    }
}

#[test]
fn readers_get_what_was_written_or_are_told() {
    // The index runs out first, then the bytes.
    for (entries, data_words) in [(4, 16), (16, 9)] {
        let memory = Memory::new(entries, data_words);
        std::thread::scope(|scope| {
            scope.spawn(|| follow(&memory));
            scope.spawn(|| peek(&memory));
            write(&memory);
        });
        let ring = memory.ring();
        assert_eq!(ring.head(), PUSHES);
        for pos in ring.oldest()..PUSHES {
            assert_eq!(check(&ring, pos), None, "{pos} in the end");
        }
    }
}

#[test]
fn a_slot_that_is_reused_never_mixes() {
    let slot = zeroes(5);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..LOOKS {
                let name = slot[0].load(Relaxed);
                let mut words = [0; 4];
                if protocol::get_slot(&slot, name, &mut words) {
                    assert_eq!(words, [name * 7; 4]);
                }
            }
        });
        for name in 1..PUSHES {
            protocol::put_slot(&slot, name, &[name * 7; 4]);
        }
    });
}
