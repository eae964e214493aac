//! The retina adapter: one RTSP session, from the call to the next packet, and what comes of it.
//!
//! Not here: which of its streams are taken (`tracks`), how packets become access units (`depacketize`),
//! what becomes of those (`normalizer`), when to call again (`reconnect`), stalls (`stall`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use retina::client::{
    InitialTimestampPolicy, PacketItem, PlayOptions, Session, SessionGroup, SessionOptions,
    SetupOptions, TcpTransportOptions, TeardownPolicy, UdpTransportOptions,
};
use retina::rtp::ReceivedPacket;

use crate::base::Clock;
use crate::config::{Camera, Transport};
use crate::media::{Codec, Track, TrackParams};

use super::depacketize::{
    AacForm, Depacketized, Depacketizer, PacketFault, PacketFaults, ReceivedFrame, RtpPacket,
};
use super::error_text;
use super::normalizer::{FrameOutcome, Normalizer, Sink};
use super::relay::{CallWay, Relay};
use super::sentence::{CaptureSentence, QuirkSentence, RtspStep};
use super::settings::POLITE;
use super::tracks;

/// A larger access unit no ring takes.
const MOST_AU_BYTES: usize = 16 << 20;
/// After so many packets in a row that cannot be taken, and none of the picture between them, the session is given up:
/// a camera that has begun anew within it is taken up by the next.
const MOST_BAD_PACKETS: u32 = 200;
/// The same where none ever was good.
const MOST_BAD_AT_FIRST: u32 = 30;
/// So many packets may bring nothing before others of the same thread have their turn.
const PACKETS_IN_A_ROW: usize = 64;

/// A camera that sends.
pub struct Playing {
    session: Session<retina::client::Playing>,
    /// What stands between, if anything does.
    relay: Option<Relay>,
    video: TakenTrack,
    audio: Option<TakenTrack>,
    /// What packets came to, and nobody has heard of yet.
    items: VecDeque<StreamItem>,
    foreign: PacketFaults,
    bad_in_a_row: u32,
    some_good: bool,
    codec: Codec,
    audio_rate: Option<u32>,
    /// What was left out, for people.
    pub left_out: Vec<CaptureSentence>,
    /// Start times of video and audio, as far as packets showed them; `None`
    /// once handed on, and where the camera tells none.
    starts: Option<(Option<i64>, Option<i64>)>,
}

/// A stream whose packets are taken.
#[derive(Debug)]
struct TakenTrack {
    index: usize,
    params: Option<TrackParams>,
    depacketizer: Depacketizer,
}

/// What one access unit, or packet, from the camera came to.
#[derive(Debug)]
pub struct StreamItem {
    /// `None` where nothing came of it.
    pub track: Option<Track>,
    pub taken: FrameOutcome,
    pub len: usize,
    pub arrival_mono_ns: u64,
    pub lost_packets: u32,
}

/// Whether a camera's answer to PLAY names the instants at which its tracks
/// start (RTP-Info). Retina does not say; it only refuses a missing one if told to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartTimes {
    #[default]
    Expected,
    Missing,
}

/// Calls the camera and asks it to play. Takes no longer than `limit`. Learns
/// whether it tells `start_times`; a camera that does not is called twice the first time.
pub async fn connect(
    camera: &Camera,
    way: CallWay,
    group: &Arc<SessionGroup>,
    limit: Duration,
    start_times: &mut StartTimes,
) -> Result<Playing, CaptureSentence> {
    let both = async {
        match call(camera, way, group, *start_times).await {
            Err(Unanswered::NoStartTimes) => {
                *start_times = StartTimes::Missing;
                // Some cameras serve few at a time: let it hear the good-bye first.
                let _ = tokio::time::timeout(POLITE, group.await_teardown()).await;
                call(camera, way, group, *start_times).await
            }
            other => other,
        }
    };
    match tokio::time::timeout(limit, both).await {
        Ok(Ok(playing)) => Ok(playing),
        Ok(Err(Unanswered::NoStartTimes)) => Err(CaptureSentence::PlayNonsense {}),
        Ok(Err(Unanswered::Failed(reason))) => Err(reason),
        Err(_) => Err(CaptureSentence::NoAnswer {
            within_s: limit.as_secs().max(1),
        }),
    }
}

/// Why a call came to nothing.
enum Unanswered {
    /// It would play, but says not from when.
    NoStartTimes,
    Failed(CaptureSentence),
}

impl From<CaptureSentence> for Unanswered {
    fn from(reason: CaptureSentence) -> Unanswered {
        Unanswered::Failed(reason)
    }
}

async fn call(
    camera: &Camera,
    way: CallWay,
    group: &Arc<SessionGroup>,
    start_times: StartTimes,
) -> Result<Playing, Unanswered> {
    let relay = match way {
        CallWay::Relayed => Some(Relay::open(camera).await?),
        CallWay::Direct => None,
    };
    let relay = relay.as_ref();
    let fail = |step: RtspStep| {
        move |e: retina::Error| {
            // The relay knows more of it.
            relay
                .and_then(Relay::end)
                .unwrap_or_else(|| error_text::of(&e, step, camera))
        }
    };
    let url = relay.map_or(&camera.url, Relay::url).clone();
    let mut session = Session::describe(url, session_options(camera, way, group))
        .await
        .map_err(fail(RtspStep::Describe {}))?;
    let chosen = tracks::choose(session.streams(), session.sdp(), camera.sound)?;
    for index in [Some(chosen.video), chosen.audio].into_iter().flatten() {
        session
            .setup(index, setup_options(camera))
            .await
            .map_err(fail(RtspStep::Setup {}))?;
    }
    // A single track has nothing to be aligned with.
    let require = chosen.audio.is_some() && start_times == StartTimes::Expected;
    let session = match session.play(play_options(require)).await {
        Err(e) if require && e.status_code() == Some(200) => return Err(Unanswered::NoStartTimes),
        other => other.map_err(fail(RtspStep::Play {}))?,
    };
    let depacketizer = Depacketizer::video(chosen.codec, &chosen.video_fmtp, MOST_AU_BYTES);
    let video = TakenTrack {
        index: chosen.video,
        params: depacketizer.params(),
        depacketizer,
    };
    let audio = chosen
        .audio
        .map(|index| sound(&session, index, &chosen.audio_fmtp));
    Ok(Playing {
        session,
        relay: relay.cloned(),
        video,
        audio,
        items: VecDeque::new(),
        foreign: PacketFaults::default(),
        bad_in_a_row: 0,
        some_good: false,
        codec: chosen.codec,
        audio_rate: chosen.audio_rate,
        left_out: chosen.left_out,
        starts: require.then_some((None, None)),
    })
}

fn sound(session: &Session<retina::client::Playing>, index: usize, fmtp: &str) -> TakenTrack {
    let stream = session.streams().get(index);
    let form = stream.and_then(|stream| AacForm::of(fmtp, stream.clock_rate_hz()));
    match stream.and_then(tracks::pcm_params) {
        None => {
            let depacketizer = form.map_or_else(Depacketizer::pcm, Depacketizer::aac);
            TakenTrack {
                index,
                params: depacketizer.params(),
                depacketizer,
            }
        }
        params => TakenTrack {
            index,
            params,
            depacketizer: Depacketizer::pcm(),
        },
    }
}

fn play_options(require_start_times: bool) -> PlayOptions {
    PlayOptions::default().initial_timestamp(match require_start_times {
        true => InitialTimestampPolicy::Require,
        false => InitialTimestampPolicy::Ignore,
    })
}

fn session_options(camera: &Camera, way: CallWay, group: &Arc<SessionGroup>) -> SessionOptions {
    // The relay signs by itself.
    let known = camera
        .credentials
        .as_ref()
        .filter(|_| way == CallWay::Direct);
    let credentials = known.map(|known| retina::client::Credentials {
        username: known.username.clone(),
        password: known.password.reveal().to_owned(),
    });
    SessionOptions::default()
        .creds(credentials)
        .user_agent(concat!("hindsight/", env!("CARGO_PKG_VERSION")).to_owned())
        .session_group(group.clone())
        .teardown(TeardownPolicy::Auto)
}

fn setup_options(camera: &Camera) -> SetupOptions {
    SetupOptions::default().transport(match camera.transport {
        Transport::Tcp => retina::client::Transport::Tcp(TcpTransportOptions::default()),
        Transport::Udp => retina::client::Transport::Udp(UdpTransportOptions::default()),
    })
}

impl Playing {
    pub fn normalizer(&self) -> Normalizer {
        let mut normalizer = Normalizer::new(self.codec, self.audio_rate);
        let (video, audio) = self.known();
        for params in [video, audio].into_iter().flatten() {
            normalizer.set_params(params);
        }
        normalizer
    }

    /// Parameters of both tracks, as far as they are known.
    pub fn known(&self) -> (Option<TrackParams>, Option<TrackParams>) {
        let audio = self.audio.as_ref().and_then(|audio| audio.params.clone());
        (self.video.params.clone(), audio)
    }

    pub fn way(&self) -> CallWay {
        match self.relay {
            Some(_) => CallWay::Relayed,
            None => CallWay::Direct,
        }
    }

    /// What the relay had to mend first, if anything.
    pub fn mended(&self) -> Option<QuirkSentence> {
        self.relay.as_ref().and_then(Relay::mended)
    }

    /// The relay knows more of it.
    fn why(&self, reason: CaptureSentence) -> CaptureSentence {
        let known = self.relay.as_ref().and_then(Relay::end);
        known.unwrap_or(reason)
    }

    /// Packets, and what was in them, that could not be taken so far.
    pub fn faults(&self) -> PacketFaults {
        let audio = self
            .audio
            .as_ref()
            .map(|audio| *audio.depacketizer.faults());
        let both = self
            .video
            .depacketizer
            .faults()
            .and(&audio.unwrap_or_default());
        both.and(&self.foreign)
    }

    /// The next access unit, already handed to `sink`, or word of packets that made none. An error is final.
    pub async fn next<S: Sink>(
        &mut self,
        normalizer: &mut Normalizer,
        sink: &mut S,
        clock: &dyn Clock,
        camera: &Camera,
    ) -> Result<StreamItem, CaptureSentence> {
        for _ in 0..PACKETS_IN_A_ROW {
            if let Some(item) = self.items.pop_front() {
                return Ok(item);
            }
            match self.session.next().await {
                Some(Ok(PacketItem::Rtp(packet))) => self.take(&packet, normalizer, sink, clock),
                Some(Ok(PacketItem::Rtcp(report))) => self.report(&report, normalizer),
                Some(Ok(_)) => {}
                Some(Err(e)) if error_text::is_of_one_packet(&e) => {
                    self.foreign.add(PacketFault::Foreign);
                    self.bad_in_a_row += 1;
                    let most = match self.some_good {
                        true => MOST_BAD_PACKETS,
                        false => MOST_BAD_AT_FIRST,
                    };
                    if self.bad_in_a_row > most {
                        return Err(CaptureSentence::OnlyBadPackets {});
                    }
                }
                Some(Err(e)) => {
                    return Err(self.why(error_text::of(&e, RtspStep::Read {}, camera)));
                }
                None => return Err(self.why(CaptureSentence::Closed {})),
            }
        }
        Ok(self.items.pop_front().unwrap_or_else(StreamItem::nothing))
    }

    fn take<S: Sink>(
        &mut self,
        packet: &ReceivedPacket,
        normalizer: &mut Normalizer,
        sink: &mut S,
        clock: &dyn Clock,
    ) {
        let track = match packet.stream_id() {
            id if id == self.video.index => Track::Video,
            id if self.audio.as_ref().is_some_and(|audio| audio.index == id) => Track::Audio,
            _ => return,
        };
        if track == Track::Video {
            self.bad_in_a_row = 0;
            self.some_good = true;
        }
        let at = packet.timestamp();
        self.learn_start(track, at, normalizer);
        let arrival_mono_ns = mono_ns(packet.ctx().received(), clock);
        let rtp = RtpPacket {
            payload: packet.payload(),
            pts: at.timestamp(),
            mark: packet.mark(),
            lost_packets: u32::from(packet.loss()),
            arrival_mono_ns,
        };
        let items = &mut self.items;
        let taken = match (track, &mut self.audio) {
            (Track::Audio, Some(audio)) => audio,
            _ => &mut self.video,
        };
        let params = &mut taken.params;
        taken.depacketizer.push(&rtp, &mut |out| match out {
            Depacketized::Params(new) => {
                normalizer.set_params(new.clone());
                *params = Some(new);
            }
            Depacketized::Awaited { arrival_mono_ns } => items.push_back(StreamItem {
                track: Some(track),
                taken: FrameOutcome::Awaited,
                arrival_mono_ns,
                ..StreamItem::nothing()
            }),
            Depacketized::Frame(frame) => items.push_back(stored(track, &frame, normalizer, sink)),
        });
    }

    /// Retina hands the start time of a track out with each of its packets.
    fn learn_start(&mut self, track: Track, at: retina::Timestamp, normalizer: &mut Normalizer) {
        let Some((video, audio)) = &mut self.starts else {
            return;
        };
        let slot = match track {
            Track::Video => &mut *video,
            Track::Audio => &mut *audio,
        };
        *slot = Some(i64::from(at.start()));
        if let (Some(video), Some(audio)) = (*video, *audio) {
            normalizer.timeline().rtp_info(video, audio);
            self.starts = None;
        }
    }

    fn report(&self, report: &retina::rtcp::ReceivedCompoundPacket, normalizer: &mut Normalizer) {
        let track = match report.stream_id() {
            id if id == self.video.index => Track::Video,
            id if self.audio.as_ref().is_some_and(|audio| audio.index == id) => Track::Audio,
            _ => return,
        };
        let Some(at) = report.rtp_timestamp() else {
            return;
        };
        let ntp = report
            .pkts()
            .next()
            .and_then(|first| first.as_sender_report().ok().flatten())
            .map(|sender| sender.ntp_timestamp().0);
        // A camera without a clock reports zero.
        if let Some(ntp) = ntp.filter(|ntp| *ntp != 0) {
            normalizer.timeline().report(track, at.timestamp(), ntp);
        }
    }
}

fn stored<S: Sink>(
    track: Track,
    frame: &ReceivedFrame<'_>,
    normalizer: &mut Normalizer,
    sink: &mut S,
) -> StreamItem {
    let taken = match track {
        Track::Video => normalizer.video(sink, frame),
        Track::Audio => normalizer.audio(sink, frame),
    };
    StreamItem {
        track: Some(track),
        taken,
        len: frame.data.len(),
        arrival_mono_ns: frame.arrival_mono_ns,
        lost_packets: frame.lost_packets,
    }
}

impl StreamItem {
    fn nothing() -> StreamItem {
        StreamItem {
            track: None,
            taken: FrameOutcome::Skipped,
            len: 0,
            arrival_mono_ns: 0,
            lost_packets: 0,
        }
    }
}

/// Retina stamps packets with an `Instant`, which is `CLOCK_MONOTONIC` on
/// Linux but does not tell its number: measured back from now.
fn mono_ns(received: std::time::Instant, clock: &dyn Clock) -> u64 {
    let ago_ns = u64::try_from(received.elapsed().as_nanos()).unwrap_or(u64::MAX);
    clock.mono_ns().saturating_sub(ago_ns)
}
