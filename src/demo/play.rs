//! A session's RTP: sends what is due, with the faults that have struck it.
//!
//! Not here: requests (`session`), what is due when (`stream`), sockets (`send`).

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::{TcpStream, UdpSocket};

use super::fault::{CameraFault, When};
use super::packet::Packets;
use super::reel::Coding;
use super::script::{Join, Sent, StartAt};
use super::send::{Outgoing, send_tcp, send_udp, write_all};
use super::shared::{ServerShared, now_ns, signed};
use super::stream::{DueFrame, Programme, RtpState, StreamCursor, ns, scale};
use crate::base::lock;
use crate::media::Track;

/// How a track's packets travel.
#[derive(Debug)]
pub(super) enum Way {
    /// RTP on this channel, RTCP on the next.
    Tcp(u8),
    Udp {
        rtp: UdpSocket,
        rtcp: UdpSocket,
        rtp_to: SocketAddr,
        rtcp_to: SocketAddr,
    },
}

/// A track that was set up.
#[derive(Debug)]
pub(super) struct Carried {
    pub way: Way,
    pub wire: RtpState,
}

/// Video and audio, as far as they were set up.
pub(super) type PlayTracks = [Option<Carried>; 2];

fn index(track: Track) -> usize {
    match track {
        Track::Video => 0,
        Track::Audio => 1,
    }
}

/// What becomes of the connection after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterStep {
    GoOn,
    Close,
    /// Neither read nor write, nor close.
    Freeze,
}

/// A session that plays.
#[derive(Debug)]
pub(super) struct Play {
    shared: Arc<ServerShared>,
    session: u32,
    start_mono_ns: u64,
    cursor: StreamCursor,
    last_frame: Option<u64>,
    reports_ms: Option<u64>,
    next_report_ns: u64,
    rng: fastrand::Rng,
    stalled: bool,
    hold_until_ns: u64,
    shift_90k: i64,
    /// Of the next video frames.
    off_90k: VecDeque<i64>,
    lose: u32,
    lose_per_mille: u16,
    reorder: bool,
    duplicate: bool,
    huge_bytes: usize,
    close_mid_au: bool,
}

impl Play {
    pub fn begin(shared: Arc<ServerShared>) -> Play {
        let session = shared.sessions.fetch_add(1, Ordering::Relaxed);
        let now = now_ns();
        let (start_mono_ns, programme) = {
            let mut state = lock(&shared.state);
            let start = match shared.script.start_at {
                StartAt::EachPlay => {
                    now - spread_ns(session, state.programme.last().duration_90k())
                }
                _ => *state.start_mono_ns.get_or_insert(now),
            };
            (start, state.programme.clone())
        };
        // With the camera's start at this moment, frame 0 is just due.
        let first = start_mono_ns == now && shared.script.join == Join::NextKey;
        let camera_ns = if first {
            0
        } else {
            shared.camera_ns(start_mono_ns)
        };
        let cursor = programme.seek(camera_ns, shared.script.join);
        Play {
            session,
            start_mono_ns,
            cursor,
            last_frame: None,
            reports_ms: shared.script.sender_reports_ms,
            next_report_ns: 0,
            rng: fastrand::Rng::with_seed(shared.script.seed.wrapping_add(u64::from(session))),
            stalled: false,
            hold_until_ns: 0,
            shift_90k: 0,
            off_90k: VecDeque::new(),
            lose: 0,
            lose_per_mille: 0,
            reorder: false,
            duplicate: false,
            huge_bytes: 0,
            close_mid_au: false,
            shared,
        }
    }

    fn programme(&self) -> Programme {
        lock(&self.shared.state).programme.clone()
    }

    /// Camera time of the session's start in ticks of 90 kHz: that of its first video frame.
    pub fn start_90k(&self) -> i64 {
        self.programme().video(&mut self.cursor.clone()).ticks
    }

    /// The first of what is to be sent next.
    fn next(&mut self, tracks: &PlayTracks) -> Option<DueFrame> {
        let programme = self.programme();
        let video = tracks[0]
            .is_some()
            .then(|| programme.video(&mut self.cursor));
        let audio = tracks[1]
            .is_some()
            .then(|| programme.audio(&mut self.cursor))
            .flatten();
        match (video, audio) {
            (Some(video), Some(audio)) if audio.due_ns < video.due_ns => Some(audio),
            (None, audio) => audio,
            (video, _) => video,
        }
    }

    fn mono_ns(&self, camera_ns: i64) -> u64 {
        u64::try_from(signed(self.start_mono_ns) + camera_ns).unwrap_or(0)
    }

    /// `CLOCK_MONOTONIC` at which to call `send_due`; `None`: nothing to send.
    pub fn due_mono_ns(&mut self, tracks: &PlayTracks) -> Option<u64> {
        if self.stalled {
            return None;
        }
        let item = self.next(tracks)?;
        let due = self.mono_ns(item.due_ns) + self.shared.script.delay_ms * 1_000_000;
        Some(due.max(self.hold_until_ns))
    }

    /// The script's faults that strike every session as it begins.
    pub async fn strike_at_start(
        &mut self,
        stream: &TcpStream,
        tracks: &mut PlayTracks,
    ) -> io::Result<AfterStep> {
        let shared = self.shared.clone();
        for (when, fault) in &shared.script.faults {
            if *when == When::Start && !fault.is_of_camera() {
                match self.strike(fault, stream, tracks).await? {
                    AfterStep::GoOn => {}
                    end => return Ok(end),
                }
            }
        }
        Ok(AfterStep::GoOn)
    }

    /// A fault strikes this session.
    pub async fn strike(
        &mut self,
        fault: &CameraFault,
        stream: &TcpStream,
        tracks: &mut PlayTracks,
    ) -> io::Result<AfterStep> {
        match fault {
            CameraFault::Stall { ms: None } => self.stalled = true,
            CameraFault::Stall { ms: Some(ms) } => {
                let until_ns = self.shared.camera_ns(self.start_mono_ns) + signed(*ms) * 1_000_000;
                self.cursor = self.programme().seek(until_ns, Join::NextKey);
            }
            CameraFault::Hold { ms } => self.hold_until_ns = now_ns() + ms * 1_000_000,
            CameraFault::HalfOpen => return Ok(AfterStep::Freeze),
            CameraFault::Close => return Ok(AfterStep::Close),
            CameraFault::CloseMidAu => self.close_mid_au = true,
            CameraFault::Lose { packets } => self.lose += packets,
            CameraFault::LoseAtRandom { per_mille } => self.lose_per_mille = *per_mille,
            CameraFault::SequenceJump(by) => {
                if let Some(video) = &mut tracks[0] {
                    video.wire.sequence = video.wire.sequence.wrapping_add(*by);
                }
            }
            CameraFault::Reorder => self.reorder = true,
            CameraFault::Duplicate => self.duplicate = true,
            CameraFault::TimestampJump { ticks_90k } => self.shift_90k += ticks_90k,
            CameraFault::TimestampsOff { ticks_90k } => self.off_90k.extend(ticks_90k),
            CameraFault::SsrcChange => {
                for track in tracks.iter_mut().flatten() {
                    track.wire.ssrc ^= self.rng.u32(..) | 1;
                }
            }
            CameraFault::Garbage { bytes } => {
                // Neither '$' nor a letter: no data and no message begins like this.
                write_all(stream, &mut [IoSlice::new(&vec![0x01; *bytes])]).await?;
            }
            CameraFault::HugeAu { bytes } => self.huge_bytes = *bytes,
            CameraFault::Stray { rtcp, payload } => {
                if let Some(Way::Tcp(channel)) = tracks[0].as_ref().map(|track| &track.way) {
                    let len = u16::try_from(payload.len()).unwrap_or(0).to_be_bytes();
                    let head = [b'$', channel + u8::from(*rtcp), len[0], len[1]];
                    let mut pieces = [IoSlice::new(&head), IoSlice::new(payload)];
                    write_all(stream, &mut pieces).await?;
                }
            }
            CameraFault::SenderReports(on) => {
                self.reports_ms =
                    on.then_some(self.shared.script.sender_reports_ms.unwrap_or(2_000));
            }
            _ => {}
        }
        Ok(AfterStep::GoOn)
    }

    /// Sends what is due, but not for ever: requests want to be read in between.
    pub async fn send_due(
        &mut self,
        stream: &TcpStream,
        tracks: &mut PlayTracks,
    ) -> io::Result<AfterStep> {
        for _ in 0..16 {
            if self.due_mono_ns(tracks).is_none_or(|due| due > now_ns()) {
                break;
            }
            let Some(item) = self.next(tracks) else { break };
            if item.track == Track::Video {
                let faults = self.shared.strikes_between(self.last_frame, item.frame);
                self.last_frame = Some(item.frame);
                for fault in &faults {
                    match self.strike(fault, stream, tracks).await? {
                        AfterStep::GoOn => {}
                        end => return Ok(end),
                    }
                }
                if !faults.is_empty() {
                    // It may have moved us to another time, or forbidden to send.
                    continue;
                }
            }
            match self.send(&item, stream, tracks).await? {
                AfterStep::GoOn => {}
                end => return Ok(end),
            }
        }
        Ok(AfterStep::GoOn)
    }

    async fn send(
        &mut self,
        item: &DueFrame,
        stream: &TcpStream,
        tracks: &mut PlayTracks,
    ) -> io::Result<AfterStep> {
        self.report(item, stream, tracks).await?;
        match item.track {
            Track::Video => self.cursor.step_video(),
            Track::Audio => self.cursor.step_audio(),
        }
        let Some(carried) = &mut tracks[index(item.track)] else {
            return Ok(AfterStep::GoOn);
        };
        let off_90k = match item.track {
            Track::Video => self.off_90k.pop_front().unwrap_or(0),
            Track::Audio => 0,
        };
        let ticks = item.ticks + scale(self.shift_90k + off_90k, item.rate);
        let timestamp = carried.wire.timestamp(ticks);
        let extra = self.extra(item);
        let (outgoing, whole) = self.outgoing(item, &extra, timestamp, carried);
        self.note(item, carried.wire.extend(timestamp), whole);
        let half = self.close_mid_au && item.track == Track::Video;
        match &carried.way {
            Way::Tcp(_) => {
                send_tcp(stream, &outgoing, half).await?;
            }
            Way::Udp { rtp, rtp_to, .. } => {
                let kept = if half {
                    outgoing.len() / 2
                } else {
                    outgoing.len()
                };
                send_udp(rtp, *rtp_to, &outgoing[..kept]).await;
            }
        }
        Ok(if half {
            AfterStep::Close
        } else {
            AfterStep::GoOn
        })
    }

    /// Packets before the frame's own: parameter sets, filler.
    fn extra(&mut self, item: &DueFrame) -> Packets {
        let mut extra = Packets::default();
        if item.track != Track::Video {
            return extra;
        }
        let reel = item.reel();
        if self.shared.script.parameters_in_band && item.unit().key
            || item.unit().key && self.last_sets_differ(item)
        {
            extra = reel.sets.clone();
        }
        if self.huge_bytes > 0 {
            let bytes = std::mem::take(&mut self.huge_bytes);
            match reel.coding {
                Coding::H265(_) => extra.push_h265(&user_data(&[39 << 1, 1], bytes)),
                _ => extra.push_h264(&user_data(&[6], bytes)),
            }
        }
        extra
    }

    /// The footage is not the one that the SDP told of: its parameters must come in band.
    fn last_sets_differ(&self, item: &DueFrame) -> bool {
        item.reel().coding != self.shared.script.footage.video.coding
    }

    fn outgoing<'a>(
        &mut self,
        item: &'a DueFrame,
        extra: &'a Packets,
        timestamp: u32,
        carried: &mut Carried,
    ) -> (Outgoing<'a>, bool) {
        let video = item.track == Track::Video;
        let packets = &item.unit().packets;
        let marked = !matches!(item.reel().coding, Coding::Pcma | Coding::Pcmu);
        let count = extra.len() + packets.len();
        let channel = match carried.way {
            Way::Tcp(channel) => channel,
            Way::Udp { .. } => 0,
        };
        let mut outgoing = Vec::with_capacity(count + 1);
        let mut whole = true;
        for (i, payload) in extra.iter().chain(packets.iter()).enumerate() {
            let marker = marked && i + 1 == count;
            let header = carried
                .wire
                .header(channel, timestamp, payload.len(), marker);
            if video && self.is_lost() {
                whole = false;
                continue;
            }
            outgoing.push((header, payload));
            if video && std::mem::take(&mut self.duplicate) {
                outgoing.push((header, payload));
            }
        }
        if video && self.reorder && outgoing.len() >= 2 {
            self.reorder = false;
            outgoing.swap(0, 1);
        }
        (outgoing, whole)
    }

    fn is_lost(&mut self) -> bool {
        if self.lose > 0 {
            self.lose -= 1;
            return true;
        }
        self.lose_per_mille > 0 && self.rng.u16(0..1_000) < self.lose_per_mille
    }

    fn note(&self, item: &DueFrame, pts_90k: i64, whole: bool) {
        if item.track != Track::Video {
            return;
        }
        self.shared.frames.fetch_add(1, Ordering::Relaxed);
        if !self.shared.script.keep_log {
            return;
        }
        let unit = item.unit();
        lock(&self.shared.log).push(Sent {
            frame_number: unit.number,
            pts_90k,
            capture_mono_ns: self.mono_ns(item.capture_ns),
            sent_mono_ns: now_ns(),
            session: self.session,
            key: unit.key,
            whole: whole && !self.close_mid_au,
        });
    }

    /// Sender reports of both tracks, if it is time: what their clocks said when `item` was captured.
    async fn report(
        &mut self,
        item: &DueFrame,
        stream: &TcpStream,
        tracks: &PlayTracks,
    ) -> io::Result<()> {
        let Some(interval_ms) = self.reports_ms else {
            return Ok(());
        };
        let now = now_ns();
        if now < self.next_report_ns {
            return Ok(());
        }
        self.next_report_ns = now + interval_ms * 1_000_000;
        let unix_ns = signed(self.mono_ns(item.capture_ns)) + self.shared.wall_less_mono_ns;
        let programme = self.programme();
        let audio_rate = programme.last().audio.as_ref().map_or(90_000, |a| a.rate);
        for (carried, rate) in tracks.iter().zip([90_000, audio_rate]) {
            let Some(carried) = carried else { continue };
            let ticks = ticks_at(item.capture_ns, rate) + scale(self.shift_90k, rate);
            let report = carried
                .wire
                .sender_report(carried.wire.timestamp(ticks), unix_ns);
            match &carried.way {
                Way::Tcp(channel) => {
                    let len = u16::try_from(report.len()).unwrap_or(0).to_be_bytes();
                    let head = [b'$', channel + 1, len[0], len[1]];
                    let mut pieces = [IoSlice::new(&head), IoSlice::new(&report)];
                    write_all(stream, &mut pieces).await?;
                }
                Way::Udp { rtcp, rtcp_to, .. } => {
                    // Over UDP nobody promised that it arrives.
                    let _ = rtcp.send_to(&report, *rtcp_to).await;
                }
            }
        }
        Ok(())
    }
}

/// How long before its PLAY the time of this session's own camera began: by the
/// golden section, so that however many there are, they are spread evenly.
fn spread_ns(session: u32, loop_90k: i64) -> u64 {
    let part = u128::from(session.wrapping_mul(2_654_435_769));
    let loop_ns = u128::from(ns(loop_90k, 90_000).unsigned_abs());
    u64::try_from((part * loop_ns) >> 32).unwrap_or(0)
}

/// Nanoseconds in ticks of `rate`, to the nearest.
fn ticks_at(ns: i64, rate: u32) -> i64 {
    let ticks = (i128::from(ns) * i128::from(rate) + 500_000_000).div_euclid(1_000_000_000);
    i64::try_from(ticks).unwrap_or(i64::MAX)
}

/// A message (SEI) of so many bytes that nobody knows.
fn user_data(header: &[u8], bytes: usize) -> Vec<u8> {
    const UNREGISTERED: u8 = 5;
    let mut nal = [header, &[UNREGISTERED]].concat();
    nal.extend(std::iter::repeat_n(0xff, bytes / 255));
    nal.push(u8::try_from(bytes % 255).unwrap_or(0));
    nal.extend(std::iter::repeat_n(0x55, bytes));
    nal.push(0x80);
    nal
}
