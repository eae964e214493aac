//! The retina adapter: one RTSP session, from the call to the next frame.
//!
//! Not here: which of its streams are taken (`tracks`), what becomes of frames
//! (`normalizer`), when to call again (`reconnect`), stalls (`camera`).

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use retina::client::{
    Demuxed, InitialTimestampPolicy, PlayOptions, Session, SessionGroup, SessionOptions,
    SetupOptions, Stream, TcpTransportOptions, TeardownPolicy, UdpTransportOptions,
};
use retina::codec::{CodecItem, FrameFormat, ParametersRef, VideoParametersCodec};

use crate::base::Clock;
use crate::config::{Camera, Transport};
use crate::media::{Codec, TICKS_90K, Track, TrackParams};

use super::error_text;
use super::normalizer::{FrameOutcome, Normalizer, ReceivedFrame, Sink};
use super::sentence::{CaptureSentence, RtspStep};
use super::settings::POLITE;
use super::tracks;

/// A camera that sends.
pub struct Playing {
    frames: Demuxed,
    video: usize,
    audio: Option<usize>,
    codec: Codec,
    audio_rate: Option<u32>,
    /// What was left out, for people.
    pub left_out: Vec<CaptureSentence>,
    /// Start times of video and audio, as far as frames showed them; `None`
    /// once handed on, and where the camera tells none.
    starts: Option<(Option<i64>, Option<i64>)>,
}

/// What one item from the camera came to.
#[derive(Debug)]
pub struct StreamItem {
    /// `None` for a report.
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
    group: &Arc<SessionGroup>,
    limit: Duration,
    start_times: &mut StartTimes,
) -> Result<Playing, CaptureSentence> {
    let both = async {
        match call(camera, group, *start_times).await {
            Err(Unanswered::NoStartTimes) => {
                *start_times = StartTimes::Missing;
                // Some cameras serve few at a time: let it hear the good-bye first.
                let _ = tokio::time::timeout(POLITE, group.await_teardown()).await;
                call(camera, group, *start_times).await
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
    group: &Arc<SessionGroup>,
    start_times: StartTimes,
) -> Result<Playing, Unanswered> {
    let fail = |step: RtspStep| move |e: retina::Error| error_text::of(&e, step, camera);
    let mut session = Session::describe(camera.url.clone(), session_options(camera, group))
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
    let play = PlayOptions::default().initial_timestamp(if require {
        InitialTimestampPolicy::Require
    } else {
        InitialTimestampPolicy::Ignore
    });
    let frames = match session.play(play).await {
        Err(e) if require && e.status_code() == Some(200) => return Err(Unanswered::NoStartTimes),
        other => other.map_err(fail(RtspStep::Play {}))?,
    };
    Ok(Playing {
        frames: frames.demuxed().map_err(fail(RtspStep::Read {}))?,
        video: chosen.video,
        audio: chosen.audio,
        codec: chosen.codec,
        audio_rate: chosen.audio_rate,
        left_out: chosen.left_out,
        starts: require.then_some((None, None)),
    })
}

fn session_options(camera: &Camera, group: &Arc<SessionGroup>) -> SessionOptions {
    let credentials = camera
        .credentials
        .as_ref()
        .map(|known| retina::client::Credentials {
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
    SetupOptions::default()
        .transport(match camera.transport {
            Transport::Tcp => retina::client::Transport::Tcp(TcpTransportOptions::default()),
            Transport::Udp => retina::client::Transport::Udp(UdpTransportOptions::default()),
        })
        .frame_format(FrameFormat::MP4)
}

impl Playing {
    pub fn normalizer(&self) -> Normalizer {
        let mut normalizer = Normalizer::new(self.codec, self.audio_rate);
        for index in [Some(self.video), self.audio].into_iter().flatten() {
            if let Some(params) = self.params(index) {
                normalizer.set_params(params);
            }
        }
        normalizer
    }

    /// Parameters of both tracks, as far as they are known.
    pub fn known(&self) -> (Option<TrackParams>, Option<TrackParams>) {
        (
            self.params(self.video),
            self.audio.and_then(|index| self.params(index)),
        )
    }

    fn params(&self, index: usize) -> Option<TrackParams> {
        track_params(&self.frames.streams()[index])
    }

    /// The next frame or report, already handed to `sink`. An error is final.
    pub async fn next<S: Sink>(
        &mut self,
        normalizer: &mut Normalizer,
        sink: &mut S,
        clock: &dyn Clock,
        camera: &Camera,
    ) -> Result<StreamItem, CaptureSentence> {
        match self.frames.next().await {
            Some(Ok(item)) => Ok(self.take(&item, normalizer, sink, clock)),
            Some(Err(e)) => Err(error_text::of(&e, RtspStep::Read {}, camera)),
            None => Err(CaptureSentence::Closed {}),
        }
    }

    fn take<S: Sink>(
        &mut self,
        item: &CodecItem,
        normalizer: &mut Normalizer,
        sink: &mut S,
        clock: &dyn Clock,
    ) -> StreamItem {
        let (track, at, ctx, loss, data) = match item {
            CodecItem::VideoFrame(f) => {
                let due = f.has_new_parameters() || !normalizer.has_video_params();
                if let Some(params) = due.then(|| self.params(self.video)).flatten() {
                    normalizer.set_params(params);
                }
                (Track::Video, f.timestamp(), f.end_ctx(), f.loss(), f.data())
            }
            CodecItem::AudioFrame(f) => (Track::Audio, f.timestamp(), f.ctx(), f.loss(), f.data()),
            CodecItem::Rtcp(report) => {
                self.report(report, normalizer);
                return StreamItem::nothing();
            }
            _ => return StreamItem::nothing(),
        };
        self.learn_start(track, at, normalizer);
        let frame = ReceivedFrame {
            pts: at.timestamp(),
            arrival_mono_ns: mono_ns(ctx.received(), clock),
            lost_packets: u32::from(loss),
            data,
        };
        let taken = match track {
            Track::Video => normalizer.video(sink, &frame),
            Track::Audio => normalizer.audio(sink, &frame),
        };
        StreamItem {
            track: Some(track),
            taken,
            len: data.len(),
            arrival_mono_ns: frame.arrival_mono_ns,
            lost_packets: frame.lost_packets,
        }
    }

    /// Retina hands the start time of a track out with each of its frames.
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
            id if id == self.video => Track::Video,
            id if Some(id) == self.audio => Track::Audio,
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

fn track_params(stream: &Stream) -> Option<TrackParams> {
    match stream.parameters()? {
        ParametersRef::Video(video) => {
            let (width, height) = video.pixel_dimensions();
            let (wide, high) = video.pixel_aspect_ratio().unwrap_or((1, 1));
            let pixel_aspect = match (u16::try_from(wide), u16::try_from(high)) {
                (Ok(wide), Ok(high)) if wide > 0 && high > 0 => (wide, high),
                _ => (1, 1),
            };
            Some(TrackParams {
                codec: match video.codec_params() {
                    VideoParametersCodec::H264 { .. } => Codec::H264,
                    VideoParametersCodec::H265 { .. } => Codec::H265,
                    _ => return None,
                },
                timescale: u32::try_from(TICKS_90K).unwrap_or(90_000),
                config: video.extra_data().to_vec(),
                width: u16::try_from(width).ok()?,
                height: u16::try_from(height).ok()?,
                pixel_aspect,
                channels: 0,
            })
        }
        ParametersRef::Audio(_) if tracks::pcm_params(stream).is_some() => {
            tracks::pcm_params(stream)
        }
        ParametersRef::Audio(audio) => Some(TrackParams {
            codec: Codec::Aac,
            timescale: stream.clock_rate_hz(),
            config: audio.extra_data().to_vec(),
            width: 0,
            height: 0,
            pixel_aspect: (1, 1),
            channels: audio.channels().get(),
        }),
        ParametersRef::Message(_) => None,
    }
}
