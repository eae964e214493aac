//! NAL units → pictures: where an access unit begins and ends, whatever markers and timestamps say. Pure.
//!
//! A unit that may stand before a picture (parameter sets, SEI, delimiter) behind a slice is where the next access unit
//! *may* begin; the next slice decides. So what a picture is, is asked of slices alone.
//!
//! After a loss inside a picture the whole picture is left out; the next one tells of it.
//!
//! Not here: what stands in a NAL unit (`h264`, `h265`), how far a loss reaches (`normalizer`).

use memchr::memmem;

use crate::media::TrackParams;

use super::fault::{PacketFault, PacketFaults};
use super::marker::MarkerTrust;
use super::packet::{Depacketized, ReceivedFrame, RtpPacket};
use super::sets::{ParameterSets, SetId};
use super::units::{HEAD, NalRole, Part, SliceHead, VideoCoding, between_start_codes, continues};

/// Memory that is kept for the next picture.
const KEPT: usize = 2 << 20;
/// What a ring holds of parameters at most; see its layout.
const MOST_PARAMS: usize = 2_000;
const LENGTH: usize = 4;

/// The access unit that is being put together.
#[derive(Debug, Default)]
struct Unit {
    /// NAL units behind lengths of four bytes.
    data: Vec<u8>,
    pts: i64,
    arrival_mono_ns: u64,
    last_slice: Option<SliceHead>,
    key: bool,
    pps: Option<u32>,
    unknown_set: bool,
    /// A piece of it is missing.
    broken: bool,
    /// Its last packet was marked.
    marked: bool,
    /// Where in `data` the next one may begin.
    next_at: Option<usize>,
    /// Lost before it.
    lost_packets: u32,
    /// Sets that came behind its slices: for the next.
    sets: Vec<(SetId, Vec<u8>)>,
}

/// A unit that is not at its end yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Of its length, in `data`.
    at: usize,
    role: NalRole,
    kept: bool,
}

#[derive(Debug)]
pub(super) struct PictureAssembly<C> {
    coding: C,
    sets: ParameterSets,
    unit: Unit,
    open: Option<Open>,
    /// The picture that was handed on with its marker.
    handed_on: Option<(SliceHead, i64)>,
    /// What follows still belongs to a picture that was handed on.
    skipping: bool,
    trust: MarkerTrust,
    lost_packets: u32,
    /// Parameters were told.
    told: bool,
    most_bytes: usize,
}

impl<C: VideoCoding> PictureAssembly<C> {
    pub fn new(
        coding: C,
        fmtp: &str,
        most_bytes: usize,
        faults: &mut PacketFaults,
    ) -> PictureAssembly<C> {
        let mut pictures = PictureAssembly {
            coding,
            sets: ParameterSets::default(),
            unit: Unit::default(),
            open: None,
            handed_on: None,
            skipping: false,
            trust: MarkerTrust::default(),
            lost_packets: 0,
            told: false,
            most_bytes,
        };
        for nal in C::sets_of(fmtp) {
            let role = pictures.role(&nal);
            match role {
                Some(NalRole::Set(set)) => pictures.learn(set, &nal, faults),
                _ => faults.add(PacketFault::BadSet),
            }
        }
        pictures
    }

    pub fn params(&self) -> Option<TrackParams> {
        let params = self.sets.params(C::H265, MOST_PARAMS).ok()?;
        self.sets.is_usable().then_some(params)
    }

    pub fn push(
        &mut self,
        packet: &RtpPacket<'_>,
        faults: &mut PacketFaults,
        out: &mut impl FnMut(Depacketized<'_>),
    ) {
        if packet.lost_packets > 0 {
            self.lost(packet.lost_packets);
        }
        // Too short a list to be worth keeping.
        let mut parts: [Option<Part<'_>>; 1] = [None];
        let mut more: Vec<Part<'_>> = Vec::new();
        let taken = self.coding.parts(packet.payload, &mut |part| match parts {
            [None] => parts = [Some(part)],
            _ => more.push(part),
        });
        for part in parts.into_iter().flatten().chain(more) {
            self.part(part, packet, faults, out);
        }
        if let Err(fault) = taken {
            faults.add(fault);
            // What ends early may have held a piece of a picture; what is of no kind that there is did not.
            if fault == PacketFault::Broken {
                self.lost(1);
            }
        }
        if packet.mark {
            // Nothing is missing: its end was not said, and is here.
            self.end(packet, faults, out);
            self.marked(packet, faults, out);
        }
    }

    fn part(
        &mut self,
        part: Part<'_>,
        packet: &RtpPacket<'_>,
        faults: &mut PacketFaults,
        out: &mut impl FnMut(Depacketized<'_>),
    ) {
        match part {
            Part::Nal(nal) => {
                self.close_without_end(faults);
                self.bytes(nal, packet, faults, out);
            }
            Part::Fragment {
                header,
                starts,
                ends,
                piece,
            } => {
                if starts {
                    self.close_without_end(faults);
                    let header = header.get(..C::HEADER).unwrap_or(&header);
                    self.begin(header, piece, packet, faults, out);
                } else if self.open.is_some() {
                    self.extend(piece, faults);
                } else {
                    faults.add(PacketFault::Fragment);
                    self.lost(1);
                    return;
                }
                if ends {
                    self.end(packet, faults, out);
                }
            }
        }
    }

    /// One unit, or several between start codes.
    fn bytes(
        &mut self,
        bytes: &[u8],
        packet: &RtpPacket<'_>,
        faults: &mut PacketFaults,
        out: &mut impl FnMut(Depacketized<'_>),
    ) {
        if memmem::find(bytes, &[0, 0, 1]).is_none() {
            return self.whole(bytes, packet, faults, out);
        }
        faults.add(PacketFault::AnnexB);
        for nal in between_start_codes(bytes) {
            self.whole(nal, packet, faults, out);
        }
    }

    fn whole(
        &mut self,
        nal: &[u8],
        packet: &RtpPacket<'_>,
        faults: &mut PacketFaults,
        out: &mut impl FnMut(Depacketized<'_>),
    ) {
        let Some((header, body)) = nal.split_at_checked(C::HEADER) else {
            return faults.add(PacketFault::Empty);
        };
        self.begin(header, body, packet, faults, out);
        self.finish(packet, faults);
    }

    fn role(&self, nal: &[u8]) -> Option<NalRole> {
        let head = nal.get(..HEAD).unwrap_or(nal);
        (head.len() >= C::HEADER).then(|| self.coding.role(head, &self.sets))
    }

    /// A unit begins with these bytes; what it is decides whether an access unit ended before it.
    fn begin(
        &mut self,
        header: &[u8],
        body: &[u8],
        packet: &RtpPacket<'_>,
        faults: &mut PacketFaults,
        out: &mut impl FnMut(Depacketized<'_>),
    ) {
        let mut head = [0; HEAD];
        let len = header
            .iter()
            .chain(body)
            .zip(&mut head)
            .map(|(byte, slot)| *slot = *byte)
            .count();
        let role = self
            .coding
            .role(head.get(..len).unwrap_or(header), &self.sets);
        let kept = match role {
            NalRole::Slice(slice) => self.slice(slice, packet, faults, out),
            NalRole::Set(_) | NalRole::Prefix => {
                if self.unit.last_slice.is_some() {
                    self.unit.next_at.get_or_insert(self.unit.data.len());
                }
                true
            }
            NalRole::Suffix => true,
            NalRole::Filler => false,
            NalRole::BadSet => {
                faults.add(PacketFault::BadSet);
                false
            }
            NalRole::Reserved => {
                faults.add(PacketFault::Reserved);
                false
            }
        };
        let at = self.unit.data.len();
        self.open = Some(Open { at, role, kept });
        if kept {
            self.unit.data.extend_from_slice(&[0; LENGTH]);
            self.unit.data.extend_from_slice(header);
            self.extend(body, faults);
        }
    }

    /// Whether it is kept.
    fn slice(
        &mut self,
        slice: SliceHead,
        packet: &RtpPacket<'_>,
        faults: &mut PacketFaults,
        out: &mut impl FnMut(Depacketized<'_>),
    ) -> bool {
        if let Some(last) = self.unit.last_slice {
            let moved = packet.pts != self.unit.pts;
            // Since its first slice.
            let lost = self.lost_packets > 0;
            if continues(&last, &slice, moved, lost) {
                if self.unit.marked && !lost {
                    self.trust.was_wrong();
                }
                self.unit.broken |= lost;
                self.unit.marked = false;
                self.unit.next_at = None;
            } else {
                if self.unit.marked && !lost {
                    self.trust.was_right(self.unit.key);
                }
                self.hand_on(faults, out);
            }
        } else if let Some((last, pts)) = self.handed_on {
            let lost = self.lost_packets > 0;
            let first = !self.skipping;
            self.skipping = continues(&last, &slice, packet.pts != pts, lost);
            if self.skipping {
                if first {
                    faults.add(PacketFault::MarkerTooEarly);
                    self.trust.was_wrong();
                    self.lost_packets = self.lost_packets.saturating_add(1);
                }
                self.handed_on = Some((slice, pts));
                return false;
            }
            if first {
                self.trust.was_right(false);
            }
        }
        self.handed_on = None;
        self.join(slice, packet);
        true
    }

    /// The slice belongs to the unit.
    fn join(&mut self, slice: SliceHead, packet: &RtpPacket<'_>) {
        let unit = &mut self.unit;
        if unit.last_slice.is_none() {
            unit.pts = packet.pts;
            unit.lost_packets = std::mem::take(&mut self.lost_packets);
            unit.pps = slice.pps;
        }
        unit.key |= slice.key;
        unit.unknown_set |= slice.pps.is_none_or(|pps| !self.sets.has(pps));
        unit.last_slice = Some(slice);
    }

    fn extend(&mut self, piece: &[u8], faults: &mut PacketFaults) {
        if !self.open.is_some_and(|open| open.kept) {
            return;
        }
        if self.unit.data.len().saturating_add(piece.len()) > self.most_bytes {
            faults.add(PacketFault::Endless);
            self.open = self.open.map(|open| Open {
                kept: false,
                ..open
            });
            // Without a slice it is no picture yet, and what stands before one can be missed.
            self.unit.broken = self.unit.last_slice.is_some();
            self.unit.data.clear();
            self.unit.next_at = self.unit.next_at.map(|_| 0);
            return;
        }
        self.unit.data.extend_from_slice(piece);
    }

    /// The last piece of a unit has come; start codes in it are looked for only now.
    fn end(
        &mut self,
        packet: &RtpPacket<'_>,
        faults: &mut PacketFaults,
        out: &mut impl FnMut(Depacketized<'_>),
    ) {
        let from = self
            .open
            .filter(|open| open.kept)
            .map(|open| open.at + LENGTH);
        let unit = from.and_then(|from| self.unit.data.get(from..));
        let code = unit.and_then(|unit| memmem::find(unit, &[0, 0, 1]));
        let (Some(code), Some(from)) = (code, from) else {
            return self.finish(packet, faults);
        };
        faults.add(PacketFault::AnnexB);
        let rest = self.unit.data.split_off(from + code);
        while self.unit.data.len() > from + C::HEADER && self.unit.data.last() == Some(&0) {
            self.unit.data.pop();
        }
        self.finish(packet, faults);
        for nal in between_start_codes(&rest) {
            self.whole(nal, packet, faults, out);
        }
    }

    /// A unit is whole.
    fn finish(&mut self, packet: &RtpPacket<'_>, faults: &mut PacketFaults) {
        let Some(Open {
            at,
            role,
            kept: true,
        }) = self.open.take()
        else {
            return;
        };
        let len = self.unit.data.len().saturating_sub(at + LENGTH);
        if let (Ok(len), Some(slot)) = (u32::try_from(len), self.unit.data.get_mut(at..at + LENGTH))
        {
            slot.copy_from_slice(&len.to_be_bytes());
        }
        match role {
            NalRole::Set(set) => {
                let nal = self.unit.data.split_off(at + LENGTH);
                self.unit.data.truncate(at);
                match self.unit.last_slice {
                    // What came before is decoded with what it had.
                    Some(_) if self.unit.sets.len() < 64 => self.unit.sets.push((set, nal)),
                    Some(_) => faults.add(PacketFault::BadSet),
                    None => self.learn(set, &nal, faults),
                }
            }
            NalRole::Slice(_) => self.unit.arrival_mono_ns = packet.arrival_mono_ns,
            _ => {}
        }
    }

    fn learn(&mut self, set: SetId, nal: &[u8], faults: &mut PacketFaults) {
        match self.sets.learn(set, nal) {
            Ok(true) => self.coding.learnt(set, nal),
            Ok(false) => {}
            Err(_) => faults.add(PacketFault::BadSet),
        }
    }

    /// Another unit begins where one was not at its end.
    fn close_without_end(&mut self, faults: &mut PacketFaults) {
        if self.open.is_some() {
            faults.add(PacketFault::Fragment);
            self.lost(1);
        }
    }

    /// Something is missing here. A picture that is not known to be whole goes.
    fn lost(&mut self, packets: u32) {
        self.lost_packets = self.lost_packets.saturating_add(packets);
        if let Some(open) = self.open.take().filter(|open| open.kept) {
            self.unit.data.truncate(open.at);
        }
        // A marker that is not believed does not say that it is whole, either.
        self.unit.broken |= self.unit.last_slice.is_some();
    }

    /// The packet was marked: its picture may be whole.
    fn marked(
        &mut self,
        packet: &RtpPacket<'_>,
        faults: &mut PacketFaults,
        out: &mut impl FnMut(Depacketized<'_>),
    ) {
        let Some(last) = self.unit.last_slice.filter(|_| self.unit.next_at.is_none()) else {
            return;
        };
        self.unit.marked = true;
        if self.trust.believed() {
            let pts = self.unit.pts;
            self.hand_on(faults, out);
            self.handed_on = Some((last, pts));
        } else if !self.unit.broken {
            out(Depacketized::Awaited {
                arrival_mono_ns: packet.arrival_mono_ns,
            });
        }
    }

    /// The access unit ends; what stands behind it begins the next.
    fn hand_on(&mut self, faults: &mut PacketFaults, out: &mut impl FnMut(Depacketized<'_>)) {
        let end = self.unit.next_at.unwrap_or(self.unit.data.len());
        self.out(end, faults, out);
        let mut data = std::mem::take(&mut self.unit.data);
        data.drain(..end);
        if data.capacity() > KEPT {
            data.shrink_to(KEPT);
        }
        for (set, nal) in std::mem::take(&mut self.unit.sets) {
            self.learn(set, &nal, faults);
        }
        self.unit = Unit {
            data,
            ..Unit::default()
        };
        self.handed_on = None;
        self.skipping = false;
    }

    fn out(
        &mut self,
        end: usize,
        faults: &mut PacketFaults,
        out: &mut impl FnMut(Depacketized<'_>),
    ) {
        let unit = &self.unit;
        let undecodable = unit.unknown_set && self.told;
        if unit.broken || undecodable {
            if undecodable {
                faults.add(PacketFault::UnknownSet);
            }
            // The next picture tells of it.
            let lost = unit.lost_packets.max(u32::from(undecodable));
            self.lost_packets = self.lost_packets.saturating_add(lost).max(1);
            return;
        }
        let pps = unit.pps.filter(|pps| self.sets.has(*pps));
        if pps.is_some_and(|pps| self.sets.activate(pps)) {
            match self.sets.params(C::H265, MOST_PARAMS) {
                Ok(params) => {
                    self.told = true;
                    out(Depacketized::Params(params));
                }
                Err(_) => faults.add(PacketFault::BadSet),
            }
        }
        out(Depacketized::Frame(ReceivedFrame {
            pts: unit.pts,
            arrival_mono_ns: unit.arrival_mono_ns,
            lost_packets: unit.lost_packets,
            data: unit.data.get(..end).unwrap_or_default(),
        }));
    }
}
