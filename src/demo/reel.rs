//! One track of footage: coded frames in memory, already cut into packets.
//!
//! Not here: how packets are cut (`packet`), where frames come from (`footage`, `mp4_reader`).

use super::packet::Packets;

/// How a track is coded, with what its SDP must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// SPS, PPS.
    H264(Vec<Vec<u8>>),
    /// VPS, SPS, PPS.
    H265(Vec<Vec<u8>>),
    /// The AudioSpecificConfig.
    Aac {
        config: Vec<u8>,
        channels: u16,
    },
    /// G.711 µ-law and A-law, 8 kHz, mono.
    Pcmu,
    Pcma,
}

/// One track of one loop.
#[derive(Debug)]
pub(super) struct Reel {
    pub coding: Coding,
    /// Ticks per second of its times.
    pub rate: u32,
    /// Length of the loop in ticks (video), or of one frame (audio).
    pub span: i64,
    /// In decoding order.
    pub units: Vec<Unit>,
    /// Largest `pts - dts`: how long the encoder must hold a frame back.
    pub hold: i64,
    /// The parameter sets in a packet of their own; empty for audio.
    pub sets: Packets,
}

/// A frame.
#[derive(Debug)]
pub(super) struct Unit {
    /// Ticks from the loop's start; `dts` never falls.
    pub pts: i64,
    pub dts: i64,
    pub key: bool,
    /// Its place in presentation order: the number drawn in it.
    pub number: u32,
    pub packets: Packets,
}

impl Reel {
    pub fn copy(&self) -> Reel {
        let units = self.units.iter().map(|u| Unit {
            packets: u.packets.clone(),
            ..*u
        });
        Reel {
            coding: self.coding.clone(),
            units: units.collect(),
            sets: self.sets.clone(),
            ..*self
        }
    }

    /// Sorts out what follows from the units: their numbers and the hold.
    pub fn new(coding: Coding, rate: u32, span: i64, mut units: Vec<Unit>) -> Reel {
        let mut order: Vec<usize> = (0..units.len()).collect();
        order.sort_by_key(|&i| units[i].pts);
        for (number, i) in (0..).zip(order) {
            units[i].number = number;
        }
        let mut sets = Packets::default();
        match &coding {
            Coding::H264(nals) => sets.push_h264_sets(nals),
            Coding::H265(nals) => sets.push_h265_sets(nals),
            _ => {}
        }
        let hold = units.iter().map(|u| u.pts - u.dts).max().unwrap_or(0);
        Reel {
            coding,
            rate,
            span,
            units,
            hold,
            sets,
        }
    }
}
