//! RTP payloads in, access units out. Pure: no clock, no socket, no library but for parameter sets.
//!
//! An access unit is one picture, or one frame of sound, and ends where the coding says that the next begins; the marker
//! bit is a hint that has to be earned (`marker`). What makes no sense is left out and counted (`fault`), and counts as a
//! loss where it may have been a piece of a picture; nothing here ends a connection.
//!
//! Belongs here: the payload forms of H.264 (RFC 6184), H.265 (RFC 7798) and AAC (RFC 3640), which parameter sets are in force.
//! Not here: RTP headers, sequence numbers, RTCP (the RTSP library); what an access unit means for decoding (`normalizer`).

mod aac;
mod fault;
mod h264;
mod h265;
mod marker;
mod packet;
mod pictures;
mod sets;
mod units;

use crate::media::{Codec, TrackParams};

pub use aac::AacForm;
pub use fault::{PacketFault, PacketFaults};
pub use packet::{Depacketized, ReceivedFrame, RtpPacket};

/// One track's.
#[derive(Debug)]
pub struct Depacketizer {
    faults: PacketFaults,
    track: OfTrack,
}

#[derive(Debug)]
enum OfTrack {
    H264(Box<pictures::PictureAssembly<h264::H264>>),
    H265(Box<pictures::PictureAssembly<h265::H265>>),
    Aac(aac::Frames),
    /// A packet is a frame.
    Plain,
}

impl Depacketizer {
    /// `fmtp`: what the SDP says of the track's coding. An access unit of more than `most_bytes` is left out.
    pub fn video(codec: Codec, fmtp: &str, most_bytes: usize) -> Depacketizer {
        let mut faults = PacketFaults::default();
        let track = match codec {
            Codec::H265 => {
                let h265 = h265::H265::new(fmtp);
                OfTrack::H265(Box::new(pictures::PictureAssembly::new(
                    h265,
                    fmtp,
                    most_bytes,
                    &mut faults,
                )))
            }
            _ => OfTrack::H264(Box::new(pictures::PictureAssembly::new(
                h264::H264::default(),
                fmtp,
                most_bytes,
                &mut faults,
            ))),
        };
        Depacketizer { faults, track }
    }

    pub fn aac(form: AacForm) -> Depacketizer {
        Depacketizer {
            faults: PacketFaults::default(),
            track: OfTrack::Aac(aac::Frames::new(form)),
        }
    }

    /// PCM: samples as they came.
    pub fn pcm() -> Depacketizer {
        Depacketizer {
            faults: PacketFaults::default(),
            track: OfTrack::Plain,
        }
    }

    /// The track's parameters, as far as the SDP tells them.
    pub fn params(&self) -> Option<TrackParams> {
        match &self.track {
            OfTrack::H264(pictures) => pictures.params(),
            OfTrack::H265(pictures) => pictures.params(),
            OfTrack::Aac(frames) => Some(frames.params().clone()),
            OfTrack::Plain => None,
        }
    }

    pub fn push(&mut self, packet: &RtpPacket<'_>, out: &mut impl FnMut(Depacketized<'_>)) {
        let faults = &mut self.faults;
        match &mut self.track {
            OfTrack::H264(pictures) => pictures.push(packet, faults, out),
            OfTrack::H265(pictures) => pictures.push(packet, faults, out),
            OfTrack::Aac(frames) => frames.push(packet, faults, out),
            OfTrack::Plain if packet.payload.is_empty() => faults.add(PacketFault::Empty),
            OfTrack::Plain => out(Depacketized::Frame(ReceivedFrame {
                pts: packet.pts,
                arrival_mono_ns: packet.arrival_mono_ns,
                lost_packets: packet.lost_packets,
                data: packet.payload,
            })),
        }
    }

    /// What was left out so far.
    pub fn faults(&self) -> &PacketFaults {
        &self.faults
    }
}

#[cfg(test)]
mod tests;
