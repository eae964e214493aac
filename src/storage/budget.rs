//! Who may still write to the storage, and what goes first where room is needed. Pure.
//!
//! | who | needs free |
//! |---|---|
//! | a press | its clips, what others were promised, a margin; two presses of all cameras at least |
//! | finishing | one press of all cameras: what waits is finished while presses are refused already |
//!
//! Below twice what presses are kept free, or above [`PRESSED_PERCENT`], recordings go, the oldest first, and then highlights
//! that are proved elsewhere, the oldest first. Nothing else ever goes to make room.
//!
//! Not here: what goes because its time is over (`queue::retention`).

/// Above so much of the disk things go before their time.
pub const PRESSED_PERCENT: u64 = 90;
/// With room for fewer presses, people should make some.
pub const FEW_PRESSES: u64 = 20;
/// Besides the clips of a press: journal, sidecars, folders.
const MARGIN_BYTES: u64 = 1 << 20;

/// A file system as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageRoom {
    pub free_bytes: u64,
    pub total_bytes: u64,
}

impl StorageRoom {
    /// Of what there is, what is taken, by `spare_bytes` less.
    pub fn used_percent(&self, spare_bytes: u64) -> u64 {
        let used = self.total_bytes.saturating_sub(self.free_bytes);
        let used = u128::from(used.saturating_sub(spare_bytes));
        let percent = used * 100 / u128::from(self.total_bytes.max(1));
        u64::try_from(percent).unwrap_or(100)
    }
}

/// Bytes that are kept free for presses, above those that a press needs itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// Below so many free bytes presses are refused.
    pub presses_bytes: u64,
    /// Below so many nothing is finished.
    pub finishing_bytes: u64,
}

impl Reserve {
    /// `press_bytes`: what one press of all cameras needs at most.
    pub fn of(press_bytes: u64) -> Reserve {
        Reserve {
            presses_bytes: press_bytes.saturating_mul(2),
            finishing_bytes: press_bytes,
        }
    }
}

/// Free bytes that a press needs. `clips_bytes`: its own; `promised_bytes`: what clips of earlier presses will still
/// write; `presses_bytes`: of the [`Reserve`].
pub fn press_needs(clips_bytes: u64, promised_bytes: u64, presses_bytes: u64) -> u64 {
    clips_bytes
        .saturating_add(promised_bytes)
        .saturating_add(MARGIN_BYTES)
        .max(presses_bytes)
}

/// How the storage is for presses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Not one more press.
    Full,
    /// So many more.
    Few(u64),
    Enough,
}

/// For people, who may delete something.
pub fn outlook(free_bytes: u64, press_bytes: u64) -> Outlook {
    match free_bytes / press_bytes.max(1) {
        0 => Outlook::Full,
        presses if presses < FEW_PRESSES => Outlook::Few(presses),
        _ => Outlook::Enough,
    }
}

/// What may go to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpareKind {
    /// A segment of one.
    Recording,
    /// Proved by every target.
    UploadedHighlight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spare {
    pub kind: SpareKind,
    /// Milliseconds since 1970; `None` if nobody knows, and then it is the oldest.
    pub born_unix_ms: Option<i64>,
    pub bytes: u64,
}

/// Indices of what goes now, the first to go first.
pub fn what_makes_room(spares: &[Spare], room: StorageRoom, presses_bytes: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..spares.len()).collect();
    order.sort_by_key(|at| (spares[*at].kind, spares[*at].born_unix_ms));
    let mut free_bytes = room.free_bytes;
    let mut goes = Vec::new();
    for at in order {
        let now = StorageRoom { free_bytes, ..room };
        let narrow = free_bytes < presses_bytes.saturating_mul(2);
        if !narrow && now.used_percent(0) < PRESSED_PERCENT {
            break;
        }
        free_bytes = free_bytes.saturating_add(spares[at].bytes);
        goes.push(at);
    }
    goes
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn room(free: u64) -> StorageRoom {
        StorageRoom {
            free_bytes: free * GB,
            total_bytes: 100 * GB,
        }
    }

    #[test]
    fn a_press_needs_its_clips_what_was_promised_and_never_less_than_the_reserve() {
        let reserve = Reserve::of(3 * GB);
        assert_eq!(
            (reserve.presses_bytes, reserve.finishing_bytes),
            (6 * GB, 3 * GB)
        );
        for (clips, promised, presses, needed) in [
            (0, 0, 0, MARGIN_BYTES),
            (GB, 0, 0, GB + MARGIN_BYTES),
            (GB, 2 * GB, 0, 3 * GB + MARGIN_BYTES),
            (GB, 2 * GB, 6 * GB, 6 * GB),
            (u64::MAX, 1, 0, u64::MAX),
        ] {
            assert_eq!(press_needs(clips, promised, presses), needed);
        }
    }

    #[test]
    fn people_are_told_how_many_presses_there_is_room_for() {
        for (free, press, right) in [
            (0, GB, Outlook::Full),
            (GB - 1, GB, Outlook::Full),
            (GB, GB, Outlook::Few(1)),
            (20 * GB - 1, GB, Outlook::Few(19)),
            (20 * GB, GB, Outlook::Enough),
            (20, 0, Outlook::Enough),
        ] {
            assert_eq!(outlook(free, press), right, "{free} of {press}");
        }
    }

    #[test]
    fn recordings_go_before_highlights_and_the_oldest_first_until_there_is_room() {
        let spare = |kind, born: Option<i64>| Spare {
            kind,
            born_unix_ms: born,
            bytes: GB,
        };
        let (recording, highlight) = (SpareKind::Recording, SpareKind::UploadedHighlight);
        let all = [
            spare(highlight, Some(1)),
            spare(recording, Some(5)),
            spare(recording, Some(3)),
            spare(highlight, None),
            spare(highlight, Some(2)),
        ];
        for (free, presses, right) in [
            (11, GB, &[][..]),
            (10, GB, &[2][..]),
            (8, GB, &[2, 1, 3][..]),
            (0, GB, &[2, 1, 3, 0, 4][..]),
            // The percentage is no matter where presses need more.
            (40, 21 * GB, &[2, 1][..]),
        ] {
            let goes = what_makes_room(&all, room(free), presses);
            assert_eq!(goes, right, "{free} GB free");
        }
    }

    #[test]
    fn what_deleting_could_free_does_not_count_as_used() {
        assert_eq!(room(15).used_percent(0), 85);
        assert_eq!(room(15).used_percent(6 * GB), 79);
        assert_eq!(room(15).used_percent(u64::MAX), 0);
    }
}
