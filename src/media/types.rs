//! Access units, tracks, their parameters.
//!
//! Not here: how any of it is read from bytes (`nal`, `params`, `sps`).

use serde::{Deserialize, Serialize};

/// Ticks per second of the presentation timeline on which windows are cut.
pub const TICKS_90K: i64 = 90_000;

/// Which of a camera's tracks an access unit belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Track {
    Video,
    Audio,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    H264,
    H265,
    Aac,
    /// G.711, A-law and µ-law.
    Pcma,
    Pcmu,
    /// 16 bits, the high byte first.
    L16,
    /// What a clip carries PCM as. No camera sends it, so no ring holds it.
    Flac,
}

impl Codec {
    /// Which of a camera's tracks it is for.
    pub fn track(self) -> Track {
        match self {
            Codec::H264 | Codec::H265 => Track::Video,
            Codec::Aac | Codec::Pcma | Codec::Pcmu | Codec::L16 | Codec::Flac => Track::Audio,
        }
    }

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Codec::H264 => "H.264",
            Codec::H265 => "H.265",
            Codec::Aac => "AAC",
            Codec::Pcma => "G.711 A-law",
            Codec::Pcmu => "G.711 µ-law",
            Codec::L16 => "L16",
            Codec::Flac => "FLAC",
        }
    }
}

/// Parameters of a track, as a decoder needs them; one *generation* of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackParams {
    pub codec: Codec,
    /// Ticks per second of this track's media time: 90 000 for video, the
    /// sample rate for audio.
    pub timescale: u32,
    /// Body of `avcC`, `hvcC` or `dfLa`, or the AudioSpecificConfig; empty for PCM.
    pub config: Vec<u8>,
    /// Pixels as shown after cropping; 0 for audio.
    pub width: u16,
    pub height: u16,
    /// Sample (pixel) aspect ratio; (1, 1) where unknown.
    pub pixel_aspect: (u16, u16),
    /// 0 for video.
    pub channels: u16,
}

impl TrackParams {
    pub fn track(&self) -> Track {
        self.codec.track()
    }
}

/// How audio was placed on the video's timeline. Later is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alignment {
    /// By when the packets came.
    Arrival,
    /// By the `RTP-Info` header of the answer to PLAY.
    RtpInfo,
    /// By RTCP sender reports of both tracks.
    SenderReport,
}

/// What a decoder and a cutter must know of an access unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuFlags {
    /// Decoding can start here (H.264 IDR; H.265 IDR, CRA, BLA). Audio: always.
    pub key: bool,
    /// A CRA or BLA: the RASL pictures that follow cannot be decoded when
    /// decoding starts here.
    pub open_gop: bool,
    /// A RASL picture: to be dropped when decoding starts at the CRA or BLA before it.
    pub rasl: bool,
    /// After a loss, up to the next key frame: decodable, but perhaps smeared.
    pub tainted: bool,
    /// No access unit at all but a hole: the camera's AU of `dropped_bytes`
    /// was too large for the ring. It has no bytes.
    pub gap: bool,
}

/// An access unit without its bytes: an entry of the ring's index.
///
/// The bytes of video are NAL units with 4-byte big-endian lengths, parameter
/// sets left out (they are in [`TrackParams`]); of audio one raw AAC frame, or a
/// packet's samples as they came.
/// AUs of one track stand in decoding order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuMeta {
    pub track: Track,
    pub flags: AuFlags,
    /// Which parameters of this track it needs; see `RingReader::params`.
    pub generation: u32,
    /// Stretch of the stream in which the camera's clock runs on. Times of
    /// different epochs have nothing to do with each other.
    pub epoch: u32,
    /// Presentation time in the track's own ticks, extended to 64 bits.
    pub pts: i64,
    /// The same instant on the camera's common timeline: the video's, in
    /// 90 kHz ticks. For video equal to `pts`, but where the camera's clock stepped back though its
    /// stream reorders nothing: there a time that rises. For audio as believed at its
    /// arrival, by `alignment`; a cut uses one alignment for all of a clip.
    pub pts_90k: i64,
    pub alignment: Alignment,
    /// `CLOCK_MONOTONIC` when its last packet was read, in nanoseconds.
    pub arrival_mono_ns: u64,
    /// RTP packets of this track lost directly before it.
    pub lost_packets: u32,
    /// With `flags.gap`: size of the AU that was left out.
    pub dropped_bytes: u32,
    /// Bytes of the AU in the ring.
    pub len: u32,
}

impl AuMeta {
    /// A picture whose time is ours: the camera's clock stepped back, which its stream does not allow.
    pub fn is_retimed(&self) -> bool {
        self.track == Track::Video && self.pts != self.pts_90k
    }
}
