//! Facts about disks in, one plan out. Pure.
//!
//! Not here: how the facts are found (`look`), how the plan is carried out (`prepare`).

use super::content::DiskContent;
use crate::appliance::sentence::BoxSentence;
use crate::base::Notice;

/// A disk that could hold the highlights: USB, SATA or NVMe, never the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskInfo {
    /// `sda`.
    pub name: String,
    /// As printed on it, for people.
    pub model: String,
    /// The one name that is its own; from its maker.
    pub serial: String,
    pub bytes: u64,
    pub read_only: bool,
    /// Something of it is mounted: the system may run from it.
    pub in_use: bool,
    pub content: DiskContent,
}

/// All that the decision rests on. Disks in the kernel's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisksFound {
    pub disks: Vec<DiskInfo>,
    /// The card's partition (`mmcblk0p4`).
    pub card: Option<String>,
    /// What `use-this-disk.txt` says.
    pub agreed: Option<String>,
    /// Serial of the disk that was used last.
    pub known: Option<String>,
    /// The FAT partition is there: an agreement can be given, and taken back.
    pub firmware: bool,
}

/// Where the storage is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoragePlace {
    /// Hindsight's already, in this partition.
    Disk { disk: DiskInfo, device: String },
    /// To be prepared first: everything on it goes.
    Prepare { disk: DiskInfo, why: Why },
    /// The card's partition.
    Card { device: String },
    /// Nothing that lasts.
    Memory,
}

/// Why a disk may be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Empty,
    /// Somebody wrote its serial into `use-this-disk.txt`.
    Agreed,
    /// This was begun before.
    Unfinished,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskPlan {
    pub place: StoragePlace,
    pub notices: Vec<Notice>,
}

/// Smaller ones hold no evening of highlights.
pub const SMALLEST_BYTES: u64 = 64 << 20;
/// Where agreement is given, for people.
pub const AGREE: &str = "use-this-disk.txt";

impl DiskInfo {
    fn can_be_written(&self) -> bool {
        !self.read_only && !self.in_use && self.bytes >= SMALLEST_BYTES
    }

    fn is_ours(&self) -> bool {
        matches!(self.content, DiskContent::Ours { .. })
    }

    /// "Samsung T7 (serial S5T2), 500 GB".
    pub fn shown(&self) -> String {
        let gigabytes = self.bytes / 1_000_000_000;
        let size = match gigabytes {
            0 => format!("{} MB", self.bytes / 1_000_000),
            n => format!("{n} GB"),
        };
        let model = match self.model.as_str() {
            "" => &self.name,
            model => model,
        };
        match self.serial.as_str() {
            "" => format!("{model}, {size}"),
            serial => format!("{model} (serial {serial}), {size}"),
        }
    }
}

pub fn decide(facts: &DisksFound) -> DiskPlan {
    let usable: Vec<&DiskInfo> = facts.disks.iter().filter(|d| d.can_be_written()).collect();
    let known =
        |disk: &DiskInfo| !disk.serial.is_empty() && Some(&disk.serial) == facts.known.as_ref();
    let mut ours: Vec<&DiskInfo> = usable.iter().copied().filter(|d| d.is_ours()).collect();
    // The one it worked with before goes first; else the kernel's order.
    ours.sort_by_key(|disk| !known(disk));
    let mut notices = Vec::new();
    let place = match (ours.first(), to_prepare(facts, &usable)) {
        (Some(disk), _) => on_it(disk),
        (None, Some((disk, why))) => StoragePlace::Prepare {
            disk: disk.clone(),
            why,
        },
        (None, None) => without_disk(facts, &mut notices),
    };
    if let [taken, others @ ..] = ours.as_slice() {
        notices.extend(others.iter().map(|other| second(other, taken)));
    }
    if !facts.disks.iter().any(known) {
        notices.extend(vanished(facts, &place));
    }
    DiskPlan { place, notices }
}

fn on_it(disk: &DiskInfo) -> StoragePlace {
    match &disk.content {
        DiskContent::Ours { device } => StoragePlace::Disk {
            disk: disk.clone(),
            device: device.clone(),
        },
        // `ours` holds no others.
        _ => StoragePlace::Memory,
    }
}

/// A disk that may be erased, and why.
fn to_prepare<'a>(facts: &DisksFound, usable: &[&'a DiskInfo]) -> Option<(&'a DiskInfo, Why)> {
    let find = |why: Why, fits: &dyn Fn(&DiskInfo) -> bool| {
        let found = usable.iter().find(|disk| fits(disk));
        found.map(|disk| (*disk, why))
    };
    find(Why::Unfinished, &|disk| {
        disk.content == DiskContent::Unfinished
    })
    .or_else(|| find(Why::Agreed, &|disk| is_agreed(facts, disk)))
    .or_else(|| find(Why::Empty, &|disk| disk.content == DiskContent::Empty))
}

/// Only a foreign disk needs agreement, only its own serial gives it, and only where that
/// serial names one disk alone.
fn is_agreed(facts: &DisksFound, disk: &DiskInfo) -> bool {
    let same = facts.disks.iter().filter(|d| d.serial == disk.serial);
    matches!(disk.content, DiskContent::Foreign { .. })
        && facts.firmware
        && disk.serial.len() >= SHORTEST_SERIAL
        && facts.agreed.as_deref() == Some(disk.serial.as_str())
        && same.count() == 1
}

/// Makers that number nothing write "0" or "123".
const SHORTEST_SERIAL: usize = 4;

/// The card, or memory; and what would be better.
fn without_disk(facts: &DisksFound, notices: &mut Vec<Notice>) -> StoragePlace {
    notices.extend(facts.disks.iter().filter_map(|disk| refused(facts, disk)));
    let despite_disk = !notices.is_empty();
    let Some(device) = &facts.card else {
        let said = match despite_disk {
            true => BoxSentence::HighlightsInMemoryDespiteDisk {},
            false => BoxSentence::HighlightsInMemory {},
        };
        notices.push(Notice::new(&said, "SSD"));
        return StoragePlace::Memory;
    };
    let said = match despite_disk {
        true => BoxSentence::HighlightsOnCardDespiteDisk {},
        false => BoxSentence::HighlightsOnCard {},
    };
    // Some do without on purpose.
    notices.push(Notice::warning(&said, "SSD"));
    StoragePlace::Card {
        device: device.clone(),
    }
}

/// Why a disk is not taken.
fn refused(facts: &DisksFound, disk: &DiskInfo) -> Option<Notice> {
    let said = match &disk.content {
        // The system's own.
        _ if disk.in_use => return None,
        _ if disk.bytes == 0 => return None,
        _ if disk.read_only => BoxSentence::DiskReadOnly {},
        _ if disk.bytes < SMALLEST_BYTES => BoxSentence::DiskTooSmall {},
        DiskContent::Unreadable { why } => BoxSentence::DiskUnreadable { why: why.clone() },
        DiskContent::Foreign { what } => foreign(facts, disk, what.clone()),
        _ => return None,
    };
    Some(Notice::new(&said, disk.shown()))
}

/// How to agree that a foreign disk is erased.
fn foreign(facts: &DisksFound, disk: &DiskInfo, holds: String) -> BoxSentence {
    let same = facts.disks.iter().filter(|d| d.serial == disk.serial);
    if disk.serial.len() < SHORTEST_SERIAL || same.count() > 1 {
        return BoxSentence::DiskForeignNameless { holds };
    }
    let serial = disk.serial.clone();
    match facts.agreed.clone() {
        Some(agreed) if agreed != serial => BoxSentence::DiskForeignOtherAgreed {
            holds,
            serial,
            agreed,
        },
        _ => BoxSentence::DiskForeign { holds, serial },
    }
}

fn second(other: &DiskInfo, taken: &DiskInfo) -> Notice {
    let used = taken.shown();
    Notice::warning(&BoxSentence::SecondDisk { used }, other.shown())
}

/// The disk of the last time is not there.
fn vanished(facts: &DisksFound, place: &StoragePlace) -> Option<Notice> {
    let serial = facts.known.as_ref()?;
    let replaced = matches!(
        place,
        StoragePlace::Disk { .. } | StoragePlace::Prepare { .. }
    );
    (!replaced).then(|| {
        let place = format!("disk with the serial {serial}");
        Notice::new(&BoxSentence::DiskGone {}, place)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn disk(name: &str, content: DiskContent) -> DiskInfo {
        DiskInfo {
            name: name.to_owned(),
            model: "Extreme".to_owned(),
            serial: format!("SER-{name}"),
            bytes: 500_000_000_000,
            read_only: false,
            in_use: false,
            content,
        }
    }

    fn ours(name: &str) -> DiskInfo {
        let device = format!("{name}1");
        disk(name, DiskContent::Ours { device })
    }

    fn foreign(name: &str) -> DiskInfo {
        let what = "2 partitions".to_owned();
        disk(name, DiskContent::Foreign { what })
    }

    fn with(disks: Vec<DiskInfo>) -> DisksFound {
        DisksFound {
            disks,
            card: Some("mmcblk0p4".to_owned()),
            firmware: true,
            ..DisksFound::default()
        }
    }

    fn taken(plan: &DiskPlan) -> String {
        match &plan.place {
            StoragePlace::Disk { device, .. } => device.clone(),
            StoragePlace::Prepare { disk, why } => format!("{why:?} {}", disk.name),
            StoragePlace::Card { device } => device.clone(),
            StoragePlace::Memory => "memory".to_owned(),
        }
    }

    fn said(plan: &DiskPlan) -> String {
        let lines = plan.notices.iter();
        let lines = lines.map(|n| format!("{} | {} | {}", n.what, n.place, n.what_to_do));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn ours_goes_before_empty_and_the_known_one_first() {
        let mut facts = with(vec![disk("sda", DiskContent::Empty), ours("sdb")]);
        let plan = decide(&facts);
        assert_eq!(
            (taken(&plan), said(&plan)),
            ("sdb1".to_owned(), String::new())
        );
        facts.disks.push(ours("sdc"));
        assert_eq!(taken(&decide(&facts)), "sdb1");
        facts.known = Some("SER-sdc".to_owned());
        let plan = decide(&facts);
        assert_eq!(taken(&plan), "sdc1");
        assert!(said(&plan).starts_with(
            "a second disk of Hindsight is plugged in | Extreme (serial SER-sdb), 500 GB"
        ));
        let empty = with(vec![foreign("sda"), disk("sdb", DiskContent::Empty)]);
        assert_eq!(taken(&decide(&empty)), "Empty sdb");
    }

    #[test]
    fn a_foreign_disk_is_left_alone_and_its_notice_says_how_to_agree() {
        let mut facts = with(vec![foreign("sda")]);
        let plan = decide(&facts);
        assert_eq!(taken(&plan), "mmcblk0p4");
        let text = said(&plan);
        assert!(
            text.contains(
                "a disk is not used, for it is not empty | Extreme (serial SER-sda), 500 GB"
            ),
            "{text}"
        );
        assert!(text.contains("make a file use-this-disk.txt beside hindsight.toml with the line SER-sda, and restart"), "{text}");
        assert!(text.contains("highlights go to the card"), "{text}");
        facts.agreed = Some("SER-sdb".to_owned());
        let plan = decide(&facts);
        assert_eq!(taken(&plan), "mmcblk0p4");
        assert!(said(&plan).contains("(it says \"SER-sdb\" now, which is another)"));
        facts.agreed = Some("SER-sda".to_owned());
        assert_eq!(taken(&decide(&facts)), "Agreed sda");
        facts.firmware = false;
        assert_eq!(
            taken(&decide(&facts)),
            "mmcblk0p4",
            "it could not be taken back"
        );
    }

    #[test]
    fn an_agreement_must_name_one_disk_alone() {
        let mut facts = with(vec![foreign("sda"), foreign("sdb")]);
        facts.agreed = Some(String::new());
        facts.disks[0].serial = String::new();
        assert_eq!(taken(&decide(&facts)), "mmcblk0p4");
        facts.disks[0].serial = "0123456789".to_owned();
        facts.disks[1].serial = "0123456789".to_owned();
        facts.agreed = Some("0123456789".to_owned());
        let plan = decide(&facts);
        assert_eq!(taken(&plan), "mmcblk0p4");
        assert!(
            said(&plan).contains("it has no serial of its own"),
            "{}",
            said(&plan)
        );
    }

    #[test]
    fn a_vanished_disk_is_told_unless_another_took_its_place() {
        let mut facts = with(vec![]);
        facts.known = Some("SER-old".to_owned());
        let plan = decide(&facts);
        assert_eq!(taken(&plan), "mmcblk0p4");
        assert!(
            said(&plan)
                .contains("the disk of the highlights is gone | disk with the serial SER-old")
        );
        facts.disks.push(disk("sda", DiskContent::Empty));
        let plan = decide(&facts);
        assert_eq!(
            (taken(&plan), said(&plan)),
            ("Empty sda".to_owned(), String::new())
        );
        facts.disks = vec![foreign("sda")];
        facts.card = None;
        let plan = decide(&facts);
        assert_eq!(taken(&plan), "memory");
        assert!(said(&plan).contains("highlights are lost when the power goes"));
    }

    #[test]
    fn the_systems_own_disk_a_locked_one_and_an_empty_reader_are_not_taken() {
        let mut facts = with(vec![disk("sda", DiskContent::Empty); 3]);
        facts.disks[0].in_use = true;
        facts.disks[1].read_only = true;
        facts.disks[2].bytes = 0;
        let plan = decide(&facts);
        assert_eq!(taken(&plan), "mmcblk0p4");
        let text = said(&plan);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.starts_with("a disk cannot be written to"), "{text}");
    }

    #[test]
    fn what_was_begun_is_finished_first() {
        let facts = with(vec![
            disk("sda", DiskContent::Empty),
            disk("sdb", DiskContent::Unfinished),
        ]);
        assert_eq!(taken(&decide(&facts)), "Unfinished sdb");
    }

    fn contents() -> impl Strategy<Value = DiskContent> {
        prop_oneof![
            Just(DiskContent::Empty),
            Just(DiskContent::Unfinished),
            Just(DiskContent::Ours {
                device: "x1".to_owned()
            }),
            Just(DiskContent::Foreign {
                what: "photos".to_owned()
            }),
            Just(DiskContent::Unreadable {
                why: "I/O error".to_owned()
            }),
        ]
    }

    prop_compose! {
        fn any_disk()(
            content in contents(),
            serial in prop_oneof![Just(String::new()), "[AB]{1,5}"],
            bytes in prop_oneof![Just(0), Just(1 << 20), Just(1 << 40)],
            read_only in any::<bool>(), in_use in any::<bool>(),
        ) -> DiskInfo {
            DiskInfo { name: "sdx".to_owned(), model: String::new(), serial, bytes, read_only, in_use, content }
        }
    }

    prop_compose! {
        fn any_facts()(
            disks in prop::collection::vec(any_disk(), 0..5),
            agreed in prop::option::of("[AB]{0,5}"), known in prop::option::of("[AB]{0,5}"),
            card in any::<bool>(), firmware in any::<bool>(),
        ) -> DisksFound {
            DisksFound { disks, card: card.then(|| "mmcblk0p4".to_owned()), agreed, known, firmware }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn whatever_is_plugged_in_nothing_is_erased_that_is_not_empty_begun_or_agreed(facts in any_facts()) {
            let plan = decide(&facts);
            if let StoragePlace::Prepare { disk, why } = &plan.place {
                prop_assert!(!disk.read_only && !disk.in_use && disk.bytes >= SMALLEST_BYTES);
                match &disk.content {
                    DiskContent::Empty => prop_assert_eq!(*why, Why::Empty),
                    DiskContent::Unfinished => prop_assert_eq!(*why, Why::Unfinished),
                    DiskContent::Foreign { .. } => {
                        prop_assert_eq!(*why, Why::Agreed);
                        prop_assert_eq!(facts.agreed.as_ref(), Some(&disk.serial));
                        prop_assert_eq!(facts.disks.iter().filter(|d| d.serial == disk.serial).count(), 1);
                    }
                    other => prop_assert!(false, "{:?} would be erased", other),
                }
                let ours = facts.disks.iter().any(|d| d.can_be_written() && d.is_ours());
                prop_assert!(!ours, "another is there already");
            }
            // Whoever has no SSD is told so.
            if matches!(plan.place, StoragePlace::Card { .. } | StoragePlace::Memory) {
                prop_assert!(!plan.notices.is_empty());
            }
        }
    }
}
