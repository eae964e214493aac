//! A packet as it goes in, and what comes out.
//!
//! Not here: anything that is done with them.

use crate::media::TrackParams;

/// A packet of one track, in the order in which it was sent.
#[derive(Clone, Copy, Debug)]
pub struct RtpPacket<'a> {
    pub payload: &'a [u8],
    /// In the track's ticks, extended beyond 32 bits.
    pub pts: i64,
    pub mark: bool,
    /// Packets of the track that are missing directly before it.
    pub lost_packets: u32,
    /// `CLOCK_MONOTONIC` when it was read.
    pub arrival_mono_ns: u64,
}

/// What comes out.
#[derive(Debug)]
pub enum Depacketized<'a> {
    /// What the frames that follow need.
    Params(TrackParams),
    Frame(ReceivedFrame<'a>),
    /// A picture that is whole by its marker, which cannot be believed yet: it comes with the next picture.
    Awaited {
        arrival_mono_ns: u64,
    },
}

/// A frame as it came out of the network.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedFrame<'a> {
    /// In the track's ticks, already extended beyond 32 bits.
    pub pts: i64,
    /// `CLOCK_MONOTONIC` when its last packet was read.
    pub arrival_mono_ns: u64,
    /// RTP packets of this track lost directly before it.
    pub lost_packets: u32,
    pub data: &'a [u8],
}
