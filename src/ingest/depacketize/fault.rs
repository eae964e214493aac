//! What is wrong with packets, counted by kind.
//!
//! Not here: what is said of it, and how often (`camera`).

/// A kind of mistake in a camera's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PacketFault {
    /// Nothing in it, or nothing behind its headers.
    Empty,
    /// A kind of unit or packet that the standards keep free.
    Reserved,
    /// Lengths inside that go beyond its end.
    Broken,
    /// A piece of a unit whose beginning or end is not there.
    Fragment,
    /// Start codes, which belong in files: the units between them are taken.
    AnnexB,
    /// A picture, or a frame of sound, that never ends.
    Endless,
    /// A parameter set that cannot be one.
    BadSet,
    /// A picture that names a parameter set that was never sent.
    UnknownSet,
    /// A picture that went on behind its last packet.
    MarkerTooEarly,
    /// Another sender's, or one whose header makes no sense.
    Foreign,
}

impl PacketFault {
    pub const ALL: [PacketFault; 10] = [
        PacketFault::Empty,
        PacketFault::Reserved,
        PacketFault::Broken,
        PacketFault::Fragment,
        PacketFault::AnnexB,
        PacketFault::Endless,
        PacketFault::BadSet,
        PacketFault::UnknownSet,
        PacketFault::MarkerTooEarly,
        PacketFault::Foreign,
    ];

    fn index(self) -> usize {
        PacketFault::ALL
            .iter()
            .position(|kind| *kind == self)
            .unwrap_or(0)
    }
}

/// How often each was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketFaults([u64; PacketFault::ALL.len()]);

impl PacketFaults {
    pub fn add(&mut self, kind: PacketFault) {
        if let Some(count) = self.0.get_mut(kind.index()) {
            *count = count.saturating_add(1);
        }
    }

    pub fn count(&self, kind: PacketFault) -> u64 {
        self.0.get(kind.index()).copied().unwrap_or(0)
    }

    #[cfg(test)]
    pub fn total(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Of both together.
    pub fn and(&self, other: &PacketFaults) -> PacketFaults {
        let mut sum = *self;
        for (count, more) in sum.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
        sum
    }

    /// Those that were met since, most often first.
    pub fn since(&self, earlier: &PacketFaults) -> Vec<(PacketFault, u64)> {
        let grown = PacketFault::ALL.into_iter().map(|kind| {
            let more = self.count(kind).saturating_sub(earlier.count(kind));
            (kind, more)
        });
        let mut met: Vec<(PacketFault, u64)> = grown.filter(|(_, more)| *more > 0).collect();
        met.sort_by_key(|(_, more)| std::cmp::Reverse(*more));
        met
    }
}
