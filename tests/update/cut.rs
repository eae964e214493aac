//! Cut at any moment, and a disk that fails at any call: what U-Boot starts then is a whole
//! system, and the running slot is as it was.
//!
//! Kills and failing calls are swept over every system call that changes something. A power cut
//! takes more: what was not synced may be lost, each file for itself. That is played through with
//! what each file held when it was last synced.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hindsight::disk::{Disk, DiskCall, DiskFault, Faults};
use hindsight::update::{Slot, SlotState};

use crate::rig::{Rig, system};

const LEN: usize = 1_300_000;

/// What U-Boot makes of the two files: the slot it starts, and the one after that. Written from
/// `image/`'s description of them, not from the room's code.
fn u_boot([first, second]: [&[u8]; 2]) -> (char, char) {
    let text = |copy: &[u8]| {
        let sum = copy.get(..4)?;
        let whole = copy.len() == 512 && sum == crc32fast::hash(&copy[4..]).to_le_bytes();
        whole.then(|| String::from_utf8_lossy(&copy[4..]).into_owned())
    };
    let text = text(first).or_else(|| text(second)).unwrap_or_default();
    let value = |name: &str| {
        let entries = text.split('\0').take_while(|entry| !entry.is_empty());
        let mut values = entries.filter_map(|entry| entry.strip_prefix(name));
        values.next().unwrap_or("").to_owned()
    };
    let slot = if value("slot=") == "b" { 'b' } else { 'a' };
    let left = ["1", "2", "3"].contains(&value("left=").as_str());
    match (value("try=").as_str(), left) {
        ("a", true) => ('a', slot),
        ("b", true) => ('b', slot),
        _ => (slot, slot),
    }
}

/// How a box may be when an update begins.
#[derive(Clone, Copy, Debug)]
enum Before {
    Settled,
    /// An update waits for its restart.
    Waiting,
    /// It went back.
    WentBack,
    FirstDamaged,
    SecondDamaged,
    /// The second file was left behind by a cut, and speaks of the other slot.
    SecondOld,
}

const BEFORE: [Before; 6] = [
    Before::Settled,
    Before::Waiting,
    Before::WentBack,
    Before::FirstDamaged,
    Before::SecondDamaged,
    Before::SecondOld,
];

struct Box_ {
    rig: Rig,
    new: Vec<u8>,
    update: PathBuf,
}

impl Box_ {
    fn new(running: Slot, seed: u64) -> Box_ {
        let rig = Rig::new(running, LEN);
        let new = system(seed, LEN);
        let update = rig.update_of(&new);
        Box_ { rig, new, update }
    }

    fn restore(&self, before: Before) {
        let running = self.rig.layout.running;
        let settled = SlotState::settled(running);
        let waiting = SlotState::trying_other(running);
        self.rig.restore(settled);
        match before {
            Before::Settled => {}
            Before::Waiting => self.rig.restore(waiting),
            Before::WentBack => self.rig.restore(SlotState { left: 0, ..waiting }),
            Before::FirstDamaged => self.rig.say(0, &[7; 512]),
            Before::SecondDamaged => self.rig.say(1, b"editor"),
            Before::SecondOld => self
                .rig
                .say(1, &SlotState::settled(running.other()).encode()),
        }
    }

    fn running_slot(&self) -> (&Path, &Vec<u8>) {
        let at = &self.rig.layout;
        match at.running {
            Slot::A => (&at.a, &self.rig.a),
            Slot::B => (&at.b, &self.rig.b),
        }
    }

    fn other_slot(&self) -> &Path {
        self.rig.layout.device(self.rig.layout.running.other())
    }

    fn name(slot: Slot) -> char {
        if slot == Slot::A { 'a' } else { 'b' }
    }

    fn env_bytes(&self) -> [Vec<u8>; 2] {
        [0, 1].map(|copy| fs::read(self.rig.env_file(copy)).unwrap())
    }

    /// Whether the other slot holds a system: the one before or the new one.
    fn other_is_whole(&self, other: &[u8]) -> bool {
        let old = match self.rig.layout.running {
            Slot::A => &self.rig.b,
            Slot::B => &self.rig.a,
        };
        other == self.new || other == old
    }

    /// The laws of an update, for a box with these files and this in its other slot.
    fn check(&self, files: [&[u8]; 2], other: &[u8], when: &str) {
        let (path, was) = self.running_slot();
        assert!(
            fs::read(path).unwrap() == *was,
            "{when}: the running slot was touched"
        );
        let running = Box_::name(self.rig.layout.running);
        let (first, then) = u_boot(files);
        assert_eq!(then, running, "{when}: nothing to go back to");
        assert!(
            first == running || self.other_is_whole(other),
            "{when}: a slot is started that holds no whole system"
        );
    }

    fn check_now(&self, when: &str) {
        let [first, second] = self.env_bytes();
        let other = fs::read(self.other_slot()).unwrap();
        self.check([&first, &second], &other, when);
    }
}

#[cfg(target_arch = "x86_64")]
mod swept {
    use super::*;
    use crate::strike::{Blow, Calls, Struck, strike, wait_until_watched};
    use hindsight::update::Layout;
    use hindsight::update::install::UpdateRules;
    use hindsight::update::{Image, Updater};
    use nix::errno::Errno;
    use std::process::{Command, Stdio};

    const CHILD: &str = "HINDSIGHT_TEST_CHILD";

    #[test]
    fn child_that_updates() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let path = |name: &str| PathBuf::from(std::env::var_os(name).unwrap());
        let layout = Layout::of_file(&path("HINDSIGHT_TEST_LAYOUT")).unwrap();
        let rules = UpdateRules {
            key: path("HINDSIGHT_TEST_KEY"),
            running: semver::Version::new(1, 0, 0),
            allow_older: false,
        };
        wait_until_watched();
        let done = Updater::begin(&layout, &Disk::default()).and_then(|update| {
            let image = Image::open(&path("HINDSIGHT_TEST_UPDATE"))?;
            update.install(&image, &rules, &mut |_| {})
        });
        std::process::exit(if done.is_ok() { 0 } else { 1 });
    }

    impl Box_ {
        fn strike(&self, n: u64, blow: Blow) -> Struck {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child
                .args(["--exact", "cut::swept::child_that_updates"])
                .args(["--nocapture", "--test-threads=1"])
                .env(CHILD, "1")
                .env("HINDSIGHT_TEST_LAYOUT", self.rig.layout_file())
                .env("HINDSIGHT_TEST_KEY", self.rig.path("update.pub"))
                .env("HINDSIGHT_TEST_UPDATE", &self.update)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            strike(&mut child, self.rig.dir.path(), Calls::Changing, n, blow)
        }

        /// Strikes every call in turn; how many there were.
        fn sweep(&self, before: Before, blow: Blow) -> u64 {
            for n in 1..1_000 {
                self.restore(before);
                let struck = self.strike(n, blow);
                let when = format!("{before:?}, {blow:?} at {n}: {:?}", struck.at);
                self.check_now(&when);
                if struck.exit_code == Some(0) {
                    assert_eq!(
                        self.rig.says(),
                        SlotState::trying_other(self.rig.layout.running)
                    );
                    assert!(fs::read(self.other_slot()).unwrap() == self.new, "{when}");
                }
                if struck.at.is_none() {
                    assert_eq!(struck.exit_code, Some(0), "{when}");
                    return struck.counted;
                }
                if n % 5 == 0 {
                    self.rig.install(&self.update).unwrap();
                    self.check_now(&format!("{when}, and once more"));
                }
            }
            panic!("it does not end");
        }
    }

    #[test]
    fn killed_at_any_call_the_box_starts_a_whole_system() {
        for (running, before) in [Slot::A, Slot::B].iter().cycle().zip(BEFORE) {
            let calls = Box_::new(*running, 40).sweep(before, Blow::Kill);
            assert!(calls > 12, "only {calls} calls were seen");
            println!("{before:?}: {calls} calls");
        }
    }

    #[test]
    fn whatever_call_fails_the_box_starts_a_whole_system() {
        let box_ = Box_::new(Slot::A, 41);
        for blow in [
            Blow::FailOnce(Errno::EIO),
            Blow::FailFrom(Errno::EIO),
            Blow::FailFrom(Errno::ENOSPC),
        ] {
            box_.sweep(Before::Settled, blow);
        }
        box_.sweep(Before::SecondOld, Blow::FailOnce(Errno::EIO));
    }
}

/// Before each call: every way in which the power could go.
struct Power {
    box_: Box_,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// What is certain to be there.
    synced: HashMap<PathBuf, Vec<u8>>,
    syncing: Option<PathBuf>,
    cuts: u64,
}

impl Power {
    fn new(box_: Box_) -> Arc<Power> {
        let files = [
            box_.rig.env_file(0),
            box_.rig.env_file(1),
            box_.other_slot().to_owned(),
        ];
        let synced = files.map(|path| (path.clone(), fs::read(path).unwrap()));
        Arc::new(Power {
            box_,
            seen: Mutex::new(Seen {
                synced: synced.into(),
                ..Seen::default()
            }),
        })
    }

    fn cut(&self, seen: &mut Seen, when: &str) {
        let box_ = &self.box_;
        let ways = |path: &Path| [seen.synced[path].clone(), fs::read(path).unwrap()];
        let [first, second] = [0, 1].map(|copy| ways(&box_.rig.env_file(copy)));
        for other in ways(box_.other_slot()) {
            for first in &first {
                for second in &second {
                    box_.check([first, second], &other, when);
                    seen.cuts += 1;
                }
            }
        }
    }
}

impl Faults for Power {
    fn before(&self, call: DiskCall, path: &Path) -> Option<DiskFault> {
        let mut seen = self.seen.lock().unwrap();
        if let Some(path) = seen.syncing.take() {
            let held = fs::read(&path).unwrap();
            seen.synced.insert(path, held);
        }
        self.cut(
            &mut seen,
            &format!("the power goes before {call:?} {}", path.display()),
        );
        if call == DiskCall::Sync {
            seen.syncing = Some(path.to_owned());
        }
        None
    }
}

#[test]
fn the_power_may_go_at_any_moment_and_take_whatever_was_not_synced() {
    for before in BEFORE {
        let box_ = Box_::new(Slot::B, 42);
        box_.restore(before);
        let power = Power::new(box_);
        let disk = Disk::with_faults(power.clone());
        power
            .box_
            .rig
            .install_on(&disk, &power.box_.update)
            .unwrap();
        let mut seen = power.seen.lock().unwrap();
        power.cut(&mut seen, "the power goes after all");
        assert!(seen.cuts > 8 * 12, "only {} cuts were played", seen.cuts);
    }
}
