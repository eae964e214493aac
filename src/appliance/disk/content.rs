//! What is on a disk, from its first and last bytes and what the kernel calls its partitions. Pure.
//!
//! The rule that everything else rests on: a disk is empty only if everything looked at is
//! zero, and Hindsight's only by name. All else is somebody's.

/// How much of a disk's begin is looked at, and of its end.
pub const HEAD: usize = 4 << 20;
pub const TAIL: usize = 1 << 20;
/// Where the claim stands while a disk is being prepared: behind a partition table, before
/// the first partition.
pub const CLAIM_AT: usize = 512 << 10;
/// Written before anything else and erased after everything else: a disk that a power cut met
/// in between is still to be prepared.
pub const CLAIM: &[u8; 64] = b"Hindsight prepares this disk; nothing of anybody's is on it. \n\n\0";
/// Name of the partition, and label of the file system in it.
pub const NAME: &str = "hindsight";
/// Label of the file system of the card that stands in for an SSD.
pub const CARD_NAME: &str = "hindsight-card";

/// Behind the last entry of a partition table (GPT), on disks with sectors of 4096 bytes too.
const TABLE_END: usize = 6 * 4096;

/// A partition as the kernel sees it, or a whole disk without any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// `sda1`.
    pub device: String,
    /// Its name in the partition table.
    pub name: Option<String>,
    /// Label of the ext4 file system in it.
    pub label: Option<String>,
}

impl Partition {
    /// By the label of its file system. The partition's name alone proves nothing: who formats it at
    /// another computer keeps that name.
    fn is_ours(&self) -> bool {
        self.label.as_deref() == Some(NAME)
    }
}

/// What a disk holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskContent {
    /// Nothing at all.
    Empty,
    /// Hindsight's, in this partition (`sda1`).
    Ours { device: String },
    /// It was empty, or given to us, and a power cut met it while it was prepared.
    Unfinished,
    /// Somebody's; in words, as far as it can be told.
    Foreign { what: String },
    /// It cannot be told, for it cannot be read.
    Unreadable { why: String },
}

/// `head` and `tail`: the first [`HEAD`] and the last [`TAIL`] bytes, or all there is.
pub fn content(head: &[u8], tail: &[u8], parts: &[Partition]) -> DiskContent {
    if is_claimed(head, parts) {
        return DiskContent::Unfinished;
    }
    if let Some(part) = parts.iter().find(|part| part.is_ours()) {
        return DiskContent::Ours {
            device: part.device.clone(),
        };
    }
    let nothing = parts.is_empty() && !head.is_empty() && is_zero(head) && is_zero(tail);
    match nothing {
        true => DiskContent::Empty,
        false => DiskContent::Foreign {
            what: in_words(head, parts),
        },
    }
}

/// The claim stands, and beside it nothing but what preparing puts there.
fn is_claimed(head: &[u8], parts: &[Partition]) -> bool {
    let claim_end = CLAIM_AT + CLAIM.len();
    if head.len() < HEAD || &head[CLAIM_AT..claim_end] != CLAIM {
        return false;
    }
    let ours_alone = parts
        .iter()
        .all(|part| part.name.as_deref() == Some(NAME) && part.label.as_deref() != Some(CARD_NAME));
    // Also those that this kernel does not see.
    let named_ours = table(head).iter().all(|(_, name)| name == NAME);
    // A boot sector of anybody's has code, or a file system's facts, in front.
    ours_alone
        && named_ours
        && parts.len() <= 1
        && is_zero(&head[..440])
        && is_zero(&head[TABLE_END..CLAIM_AT])
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// For the one who must recognise the disk.
fn in_words(head: &[u8], parts: &[Partition]) -> String {
    let has = |at: usize, magic: &[u8]| head.get(at..at + magic.len()) == Some(magic);
    let labels: Vec<&str> = parts
        .iter()
        .filter_map(|part| part.label.as_deref().or(part.name.as_deref()))
        .filter(|label| !label.is_empty())
        .collect();
    let partitions = match parts.len() {
        1 => "a partition".to_owned(),
        n => format!("{n} partitions"),
    };
    match () {
        () if !parts.is_empty() && labels.is_empty() => partitions,
        () if !parts.is_empty() => format!("{partitions} ({})", labels.join(", ")),
        () if has(512, b"EFI PART") => "an empty partition table".to_owned(),
        () if has(3, b"NTFS    ") => "a file system of Windows (NTFS)".to_owned(),
        () if has(3, b"EXFAT   ") => "a file system of cameras and phones (exFAT)".to_owned(),
        () if has(82, b"FAT32") || has(54, b"FAT1") => "a file system (FAT)".to_owned(),
        () if has(1024 + 0x38, &[0x53, 0xef]) => "a file system of Linux (ext4)".to_owned(),
        () if has(0, b"LUKS") => "an encrypted disk".to_owned(),
        () if has(510, &[0x55, 0xaa]) => "an empty partition table, or a boot sector".to_owned(),
        () => "data of an unknown kind".to_owned(),
    }
}

/// Numbers and names of the partitions of a GPT; none where there is none.
pub fn table(head: &[u8]) -> Vec<(usize, String)> {
    let number = |at: usize, bytes: usize| -> Option<usize> {
        let read = head.get(at..at + bytes)?.iter().rev();
        let value = read.fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        usize::try_from(value).ok()
    };
    let is_header = |sector: &usize| head.get(*sector..*sector + 8) == Some(b"EFI PART");
    let Some(sector) = [512, 4096].into_iter().find(is_header) else {
        return Vec::new();
    };
    let facts = (
        number(sector + 72, 8),
        number(sector + 80, 4),
        number(sector + 84, 4),
    );
    let (Some(first), Some(count), Some(size @ 128..=4096)) = facts else {
        return Vec::new();
    };
    let Some(begin) = first.checked_mul(sector) else {
        return Vec::new();
    };
    let entry = |index: usize| head.get(begin.checked_add(index * size)?..)?.get(..128);
    let entries = (0..count.min(256)).filter_map(|index| Some((index + 1, entry(index)?)));
    entries
        .filter(|(_, entry)| !is_zero(&entry[..16]))
        .map(|(number, entry)| (number, name_of(&entry[56..])))
        .collect()
}

fn name_of(utf16: &[u8]) -> String {
    let units = utf16
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    String::from_utf16_lossy(&units)
}

/// The label of an ext2, 3 or 4 file system; `superblock`: the bytes from 1024 on.
pub fn ext_label(superblock: &[u8]) -> Option<String> {
    if superblock.get(0x38..0x3a)? != [0x53, 0xef] {
        return None;
    }
    let label = superblock.get(0x78..0x88)?;
    let end = label.iter().position(|byte| *byte == 0).unwrap_or(16);
    Some(String::from_utf8_lossy(&label[..end]).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn part(name: &str, label: &str) -> Partition {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Partition {
            device: "sda1".to_owned(),
            name: text(name),
            label: text(label),
        }
    }

    fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut head = vec![0; HEAD];
        head[at..at + bytes.len()].copy_from_slice(bytes);
        head
    }

    fn of(head: &[u8], parts: &[Partition]) -> DiskContent {
        content(head, &[0; TAIL], parts)
    }

    #[test]
    fn only_zeroes_are_empty() {
        assert_eq!(of(&[0; HEAD], &[]), DiskContent::Empty);
        let foreign = |found: DiskContent| matches!(found, DiskContent::Foreign { .. });
        assert!(foreign(of(&with(HEAD - 1, &[1]), &[])));
        assert!(foreign(of(&[0; HEAD], &[part("", "")])), "a partition");
        let mut tail = vec![0; TAIL];
        tail[7] = 1;
        assert!(foreign(content(&[0; HEAD], &tail, &[])), "RAIDs sign there");
        assert!(foreign(content(&[], &[], &[])), "nothing was looked at");
    }

    #[test]
    fn ours_is_known_by_its_names_and_a_foreign_one_is_described() {
        let ours = DiskContent::Ours {
            device: "sda1".to_owned(),
        };
        let table = with(512, b"EFI PART");
        assert_eq!(of(&table, &[part("hindsight", "hindsight")]), ours);
        assert_eq!(of(&with(0, b"x"), &[part("", "hindsight")]), ours);
        let said = |head: &[u8], parts: &[Partition]| match of(head, parts) {
            DiskContent::Foreign { what } => what,
            other => format!("{other:?}"),
        };
        let renamed = part("hindsight", "");
        assert_eq!(
            said(&table, &[renamed]),
            "a partition (hindsight)",
            "formatted anew by somebody"
        );
        let card = part("", CARD_NAME);
        assert_eq!(said(&table, &[card]), "a partition (hindsight-card)");
        assert_eq!(said(&table, &[]), "an empty partition table");
        assert_eq!(
            said(&with(3, b"NTFS    "), &[]),
            "a file system of Windows (NTFS)"
        );
        let photos = [part("", "PHOTOS"), part("", "")];
        assert_eq!(said(&table, &photos), "2 partitions (PHOTOS)");
    }

    #[test]
    fn a_claim_counts_only_beside_what_preparing_itself_leaves() {
        let mut claimed = with(CLAIM_AT, CLAIM);
        assert_eq!(of(&claimed, &[]), DiskContent::Unfinished);
        claimed[510..520].copy_from_slice(b"\x55\xaaEFI PART");
        claimed[446..450].copy_from_slice(&[0, 0, 2, 0]);
        assert_eq!(
            of(&claimed, &[part("hindsight", "")]),
            DiskContent::Unfinished
        );
        let kept = |found: DiskContent| matches!(found, DiskContent::Foreign { .. });
        assert!(kept(of(&claimed, &[part("Basic data partition", "")])));
        let both = [part("hindsight", ""), part("mine", "")];
        assert_ne!(of(&claimed, &both), DiskContent::Unfinished);
        claimed[3..11].copy_from_slice(b"NTFS    ");
        assert!(kept(of(&claimed, &[])), "formatted as a whole since");
        let mut claimed = with(CLAIM_AT, CLAIM);
        claimed[65536 + 64..65536 + 72].copy_from_slice(b"_BHRfS_M");
        assert!(kept(of(&claimed, &[])), "btrfs");
    }

    #[test]
    fn names_are_read_from_the_table_and_a_damaged_one_has_none() {
        for sector in [512, 4096] {
            let mut head = with(sector, b"EFI PART");
            head[sector + 72] = 2;
            head[sector + 80] = 128;
            head[sector + 84] = 128;
            let third = 2 * sector + 2 * 128;
            head[third] = 0xaf;
            for (at, byte) in "hindsight".bytes().enumerate() {
                head[third + 56 + 2 * at] = byte;
            }
            assert_eq!(table(&head), [(3, "hindsight".to_owned())]);
            head[sector + 72..sector + 80].fill(0xff);
            assert_eq!(table(&head), []);
        }
        assert_eq!(table(b""), []);
    }

    #[test]
    fn the_label_of_ext4_is_read_from_its_superblock() {
        let mut block = vec![0; 1024];
        assert_eq!(ext_label(&block), None);
        block[0x38..0x3a].copy_from_slice(&[0x53, 0xef]);
        assert_eq!(ext_label(&block).unwrap(), "");
        block[0x78..0x81].copy_from_slice(b"hindsight");
        assert_eq!(ext_label(&block).unwrap(), "hindsight");
        block[0x78..0x88].copy_from_slice(b"sixteen-letters!");
        assert_eq!(ext_label(&block).unwrap(), "sixteen-letters!");
        assert_eq!(ext_label(&block[..100]), None);
    }

    proptest! {
        #[test]
        fn no_table_is_too_strange_to_be_read(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut head = with(512, b"EFI PART");
            head[520..520 + bytes.len()].copy_from_slice(&bytes);
            table(&head);
        }

        #[test]
        fn no_byte_anywhere_leaves_a_disk_empty(at in 0..HEAD + TAIL, byte in 1u8..) {
            let (mut head, mut tail) = (vec![0; HEAD], vec![0; TAIL]);
            match at.checked_sub(HEAD) {
                None => head[at] = byte,
                Some(at) => tail[at] = byte,
            }
            let foreign = matches!(content(&head, &tail, &[]), DiskContent::Foreign { .. });
            prop_assert!(foreign);
        }
    }
}
