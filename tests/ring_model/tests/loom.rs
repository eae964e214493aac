//! Every order in which the steps of a writer and a reader can fall, and every
//! old value that weak memory may show them, on a ring of four slots.
//!
//! A break of the protocol (see `../run`) must make one of these fail.
#![cfg(not(miri))]

use loom::sync::atomic::{AtomicU64, Ordering, fence};
use loom::sync::{Arc, Condvar, Mutex};

use ring_model::protocol::{
    self, BELL, CopyFault, LEN, LoadWord, Ring, START, StoreWord, WriteCursor,
};

struct Word(AtomicU64);

impl LoadWord for Word {
    fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
    fn fence_acquire() {
        fence(Ordering::Acquire);
    }
}

impl StoreWord for Word {
    fn store(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
    fn store_release(&self, value: u64) {
        self.0.store(value, Ordering::Release);
    }
    fn fence_release() {
        fence(Ordering::Release);
    }
}

/// Words of an entry: the three that the protocol needs.
const E: usize = 3;
const ENTRIES: usize = 4;

struct Memory {
    control: Vec<Word>,
    index: Vec<Word>,
    data: Vec<Word>,
}

fn zeroes(n: usize) -> Vec<Word> {
    (0..n).map(|_| Word(AtomicU64::new(0))).collect()
}

impl Memory {
    fn new(data_words: usize) -> Memory {
        Memory {
            control: zeroes(4),
            index: zeroes(ENTRIES * E),
            data: zeroes(data_words),
        }
    }

    fn ring(&self) -> Ring<'_, Word, E> {
        Ring {
            control: &self.control,
            index: &self.index,
            data: &self.data,
        }
    }
}

/// Every word of an AU says which AU it is of: a mixture shows.
fn content(pos: u64, words: usize) -> Vec<u8> {
    (0..words).flat_map(|_| (pos + 100).to_le_bytes()).collect()
}

fn push(cursor: &mut WriteCursor, memory: &Memory, words: usize) {
    let data = content(cursor.head, words);
    cursor.append(&memory.ring(), [0; E], &data);
}

/// What `pos` may say: its own bytes, or that they are not there.
fn check(ring: &Ring<'_, Word, E>, pos: u64, words: usize) -> Option<CopyFault> {
    let mut bytes = Vec::new();
    let entry = match ring.entry(pos) {
        Ok(entry) => entry,
        Err(CopyFault::Damaged) => panic!("position {pos} looks damaged"),
        Err(fault) => return Some(fault),
    };
    assert_eq!(entry[LEN], words as u64 * 8, "length of position {pos}");
    match ring.bytes(entry[START], words * 8, &mut bytes) {
        Ok(()) => assert_eq!(bytes, content(pos, words), "bytes of position {pos}"),
        Err(CopyFault::Overtaken) => assert!(bytes.is_empty()),
        Err(fault) => panic!("position {pos}: {fault:?}"),
    }
    None
}

fn explore(model: impl Fn() + Sync + Send + 'static) {
    // `LOOM_MAX_PREEMPTIONS` bounds it; unbounded, it takes seconds.
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 10_000;
    builder.check(model);
}

/// `filled` AUs of `words` words stand in the ring when the threads start; the
/// writer appends `more`, and the reader reads `pos`.
fn race(data_words: usize, words: usize, filled: u64, more: u64, reads: &'static [u64]) {
    explore(move || {
        let memory = Arc::new(Memory::new(data_words));
        let mut cursor = WriteCursor::default();
        for _ in 0..filled {
            push(&mut cursor, &memory, words);
        }
        let reader = {
            let memory = memory.clone();
            loom::thread::spawn(move || {
                for pos in reads {
                    check(&memory.ring(), *pos, words);
                }
            })
        };
        for _ in 0..more {
            push(&mut cursor, &memory, words);
        }
        reader.join().unwrap();
        let ring = memory.ring();
        assert_eq!(ring.head(), filled + more);
        for pos in ring.oldest()..ring.head() {
            assert_eq!(check(&ring, pos, words), None, "position {pos} in the end");
        }
    });
}

#[test]
fn an_entry_that_is_overwritten_is_never_believed() {
    // Room for all bytes: the index runs out first.
    race(16, 1, 4, 1, &[0]);
    race(16, 1, 4, 2, &[1]);
}

#[test]
fn bytes_that_are_overwritten_are_never_believed() {
    // Two AUs of two words fill the data: the bytes run out first.
    race(4, 2, 2, 1, &[0]);
    race(4, 2, 2, 1, &[1]);
}

#[test]
fn an_au_over_the_end_of_the_data_is_whole_or_not_there() {
    race(5, 2, 2, 1, &[0]);
    race(5, 2, 2, 1, &[2]);
}

#[test]
fn what_is_published_is_there() {
    race(16, 1, 0, 1, &[0]);
    race(16, 1, 4, 1, &[4]);
    race(4, 1, 3, 2, &[4]);
}

#[test]
fn a_reader_that_follows_sees_no_au_twice_and_none_torn() {
    race(3, 1, 2, 2, &[2, 3]);
}

#[test]
fn two_readers_do_not_disturb_each_other() {
    explore(|| {
        let memory = Arc::new(Memory::new(4));
        let mut cursor = WriteCursor::default();
        push(&mut cursor, &memory, 2);
        push(&mut cursor, &memory, 2);
        let readers = [0, 2].map(|pos| {
            let memory = memory.clone();
            loom::thread::spawn(move || {
                check(&memory.ring(), pos, 2);
            })
        });
        push(&mut cursor, &memory, 2);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn the_oldest_position_found_is_never_above_the_head_nor_below_what_was_gone() {
    explore(|| {
        let memory = Arc::new(Memory::new(4));
        let mut cursor = WriteCursor::default();
        for _ in 0..4 {
            push(&mut cursor, &memory, 1);
        }
        let reader = {
            let memory = memory.clone();
            loom::thread::spawn(move || {
                let oldest = memory.ring().oldest();
                assert!(oldest <= 1, "{oldest}");
            })
        };
        push(&mut cursor, &memory, 1);
        reader.join().unwrap();
        assert_eq!(memory.ring().oldest(), 1);
    });
}

/// A writer is killed after any of its stores; another adopts what it left.
#[test]
fn a_killed_writers_half_push_is_never_believed() {
    explore(|| {
        let memory = Arc::new(Memory::new(4));
        let mut cursor = WriteCursor::default();
        push(&mut cursor, &memory, 2);
        push(&mut cursor, &memory, 2);
        let reader = {
            let memory = memory.clone();
            loom::thread::spawn(move || {
                check(&memory.ring(), 0, 2);
                check(&memory.ring(), 2, 1);
            })
        };
        // Killed with the floors raised and one word of two written.
        memory.control[protocol::FLOOR_BYTE].store(16);
        Word::fence_release();
        memory.data[0].store(0xdead);
        // The adopter starts from the head that was published.
        let mut adopter = WriteCursor {
            floor_byte: 16,
            ..cursor
        };
        push(&mut adopter, &memory, 1);
        reader.join().unwrap();
        assert_eq!(check(&memory.ring(), 1, 2), None);
        assert_eq!(check(&memory.ring(), 2, 1), None);
    });
}

fn read_slot(slot: &[Word], name: u64) -> Option<[u64; 2]> {
    let mut words = [0; 2];
    protocol::get_slot(slot, name, &mut words).then_some(words)
}

#[test]
fn a_reused_slot_is_the_old_one_the_new_one_or_none() {
    for wanted in [1, 2] {
        explore(move || {
            let slot = Arc::new(zeroes(3));
            protocol::put_slot(&slot, 1, &[11, 11]);
            let reader = {
                let slot = slot.clone();
                loom::thread::spawn(move || {
                    if let Some(words) = read_slot(&slot, wanted) {
                        assert_eq!(words, [wanted * 11; 2], "slot {wanted}");
                    }
                })
            };
            protocol::put_slot(&slot, 2, &[22, 22]);
            reader.join().unwrap();
            assert_eq!(read_slot(&slot, 1), None);
            assert_eq!(read_slot(&slot, 2), Some([22, 22]));
        });
    }
}

#[test]
fn parameters_are_there_before_the_first_au_that_names_them() {
    explore(|| {
        let memory = Arc::new((zeroes(3), Memory::new(4)));
        let reader = {
            let memory = memory.clone();
            loom::thread::spawn(move || {
                if check(&memory.1.ring(), 0, 1).is_none() {
                    assert_eq!(read_slot(&memory.0, 1), Some([11, 11]));
                }
            })
        };
        protocol::put_slot(&memory.0, 1, &[11, 11]);
        push(&mut WriteCursor::default(), &memory.1, 1);
        reader.join().unwrap();
    });
}

/// As the kernel's futex does it: to compare and to fall asleep is one step.
struct Kernel {
    queue: Mutex<()>,
    woken: Condvar,
}

impl Kernel {
    fn new() -> Kernel {
        Kernel {
            queue: Mutex::new(()),
            woken: Condvar::new(),
        }
    }

    fn sleep(&self, bell: &Word, value: u32) {
        let queue = self.queue.lock().unwrap();
        if bell.load() == u64::from(value) {
            drop(self.woken.wait(queue).unwrap());
        }
    }

    fn wake(&self) {
        let _queue = self.queue.lock().unwrap();
        self.woken.notify_all();
    }
}

/// The follower sleeps without a limit: what it sleeps through, it sleeps for ever.
fn follow_sleeping(filled: u64, more: u64) {
    explore(move || {
        let memory = Arc::new((Memory::new(16), Kernel::new()));
        let mut cursor = WriteCursor::default();
        for _ in 0..filled {
            push(&mut cursor, &memory.0, 0);
        }
        let follower = {
            let memory = memory.clone();
            loom::thread::spawn(move || {
                let ring = memory.0.ring();
                let mut pos = filled;
                while pos < filled + more {
                    match ring.entry(pos) {
                        Ok(_) => pos += 1,
                        Err(CopyFault::NotYet) => {
                            if let Some(bell) = ring.bell_before(pos) {
                                memory.1.sleep(&memory.0.control[BELL], bell);
                            }
                        }
                        Err(fault) => panic!("position {pos}: {fault:?}"),
                    }
                }
            })
        };
        for _ in 0..more {
            push(&mut cursor, &memory.0, 0);
            memory.1.wake();
        }
        follower.join().unwrap();
    });
}

#[test]
fn a_follower_sleeps_through_no_au() {
    follow_sleeping(0, 1);
    follow_sleeping(0, 2);
    follow_sleeping(4, 1);
}

#[test]
fn nobody_sleeps_through_the_end_of_a_ring() {
    explore(|| {
        let memory = Arc::new((zeroes(1), Memory::new(4), Kernel::new()));
        let sleeper = {
            let memory = memory.clone();
            loom::thread::spawn(move || {
                let ring = memory.1.ring();
                loop {
                    let bell = ring.bell();
                    if memory.0[0].load() == 1 {
                        return;
                    }
                    memory.2.sleep(&memory.1.control[BELL], bell);
                }
            })
        };
        memory.0[0].store(1);
        memory.1.ring().raise_bell();
        memory.2.wake();
        sleeper.join().unwrap();
    });
}
