//! One camera's task: connect, stream, notice that nothing comes, connect again.
//!
//! Not here: RTSP (`session`), what becomes of frames (`normalizer`), how long is waited for them (`stall`).

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures::FutureExt;
use retina::client::SessionGroup;
use tokio::time::MissedTickBehavior;

use crate::base::Clock;
use crate::base::sentence::{Coded, Sentence};
use crate::config::Camera;
use crate::media::{Codec, Track, TrackParams};
use crate::ring::RingWriter;

use super::depacketize::PacketFaults;
use super::gop::RingCapacity;
use super::normalizer::{FrameOutcome, Normalizer};
use super::reach::{self, Names};
use super::reconnect::{ConnectionEnd, ReconnectPolicy};
use super::relay::{RelayMemory, over_udp};
use super::sentence::CaptureSentence;
use super::session::{Playing, StartTimes, StreamItem};
use super::settings::{Limits, Settings};
use super::stall::{QuietPatience, StallWatch};
use super::state::{CameraShared, ConnectionPhase, Words};

/// Until the next try where even the telling of a fault is faulty.
const LAST_RESORT: Duration = Duration::from_secs(30);
/// Pictures without a key frame for so long are worth a line.
const NO_KEY_FRAME_NS: u64 = 15_000_000_000;

/// All that one camera's task owns.
pub(super) struct Task {
    config: Camera,
    writer: RingWriter,
    room: RingCapacity,
    reconnect: ReconnectPolicy,
    patience: QuietPatience,
    limits: Limits,
    clock: Arc<dyn Clock>,
    shared: Arc<CameraShared>,
    group: Arc<SessionGroup>,
    names: Names,
    start_times: StartTimes,
    relay: RelayMemory,
    words: Words,
    /// `words` could not be told yet.
    untold: bool,
    /// Lines that were said and need not be said again at every connection.
    said: SaidOnce,
    faults_told: FaultsTold,
}

/// Lines that were said. A camera that makes up ever new ones is no longer listened to.
#[derive(Debug, Default)]
struct SaidOnce(BTreeSet<String>);

impl SaidOnce {
    const MOST: usize = 64;

    /// Whether it is new, and worth saying.
    fn insert(&mut self, line: String) -> bool {
        self.0.len() < SaidOnce::MOST && self.0.insert(line)
    }
}

/// Whether the camera is to be connected again.
#[derive(PartialEq, Eq)]
enum Go {
    On,
    GiveUp,
}

impl Task {
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        camera: &Camera,
        writer: RingWriter,
        shared: Arc<CameraShared>,
        settings: &Settings,
        clock: Arc<dyn Clock>,
        limits: Limits,
        group: Arc<SessionGroup>,
        names: Names,
    ) -> Task {
        Task {
            config: camera.clone(),
            writer,
            room: RingCapacity::of(&settings.ring, settings.window_ms),
            reconnect: ReconnectPolicy::new(settings.reconnect),
            patience: QuietPatience::new(limits.stall),
            limits,
            clock,
            shared,
            group,
            names,
            start_times: StartTimes::default(),
            relay: RelayMemory::default(),
            words: Words::default(),
            untold: true,
            said: SaidOnce::default(),
            faults_told: FaultsTold::default(),
        }
    }

    /// Runs until it gives up or is aborted.
    pub async fn run(mut self) {
        // What an earlier process learned.
        self.words.relay = self.shared.words().relay;
        self.relay = RelayMemory::remembered(self.words.relay.as_ref());
        loop {
            match AssertUnwindSafe(self.round()).catch_unwind().await {
                Ok(Go::On) => {}
                Ok(Go::GiveUp) => return,
                Err(_) => {
                    let told = AssertUnwindSafe(self.after_panic()).catch_unwind().await;
                    if told.is_err() {
                        tokio::time::sleep(LAST_RESORT).await;
                    }
                }
            }
        }
    }

    /// A connection, what comes of it, and the wait before the next.
    async fn round(&mut self) -> Go {
        self.words.attempts += 1;
        self.enter(ConnectionPhase::Connecting, None);
        let connected = reach::connect(
            &self.config,
            &self.names,
            &self.group,
            self.limits.connect,
            &mut self.start_times,
            &mut self.relay,
        )
        .await;
        let (reason, streamed_ms) = match connected {
            Ok(playing) => {
                self.patience.answered(self.clock.mono_ns());
                self.stream(playing).await
            }
            Err(reason) => {
                self.patience.unanswered();
                (reason, None)
            }
        };
        self.shared.bitrate_bps.store(0, Relaxed);
        let ended = match (reason.is_password(), streamed_ms) {
            (true, _) => ConnectionEnd::WrongPassword,
            (_, Some(streamed_ms)) => ConnectionEnd::Lost { streamed_ms },
            (_, None) => ConnectionEnd::Failed,
        };
        let Some(delay) = self.reconnect.after(ended, fastrand::u64(..)) else {
            self.give_up(&reason);
            return Go::GiveUp;
        };
        self.say_lost(ended, &reason, delay);
        let phase = match ended {
            ConnectionEnd::WrongPassword => ConnectionPhase::RefusedPassword,
            _ => ConnectionPhase::Waiting,
        };
        self.wait(phase, &reason, delay).await;
        Go::On
    }

    /// Takes what the camera sends until that ends. Also for how long it
    /// stored pictures, if at all.
    async fn stream(&mut self, mut playing: Playing) -> (CaptureSentence, Option<u64>) {
        self.say_left_out(&playing);
        let mut normalizer = playing.normalizer();
        let mut stall = StallWatch::new(self.clock.mono_ns());
        self.faults_told.said = PacketFaults::default();
        let mut tick = tokio::time::interval(self.limits.tick);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let reason = loop {
            // Not biased: a camera that floods us must not starve the tick.
            let item = tokio::select! {
                item = playing.next(&mut normalizer, &mut self.writer, &*self.clock, &self.config) => item,
                _ = tick.tick() => {
                    let now = self.clock.mono_ns();
                    if let Some(silent) = stall.stalled(now, &mut self.patience) {
                        let silent_s = silent.as_secs().max(1);
                        break CaptureSentence::Stalled { silent_s };
                    }
                    self.tell_of_faults(&playing.faults(), now);
                    self.look(&normalizer, &mut stall, now);
                    self.look_at_relay(&playing);
                    continue;
                }
            };
            match item {
                Ok(item) => {
                    self.count(&item);
                    if item.track == Some(Track::Video) {
                        stall.picture(item.arrival_mono_ns, &mut self.patience);
                    }
                    if normalizer.begun() && stall.begun_mono_ns.is_none() {
                        stall.begun_mono_ns = Some(item.arrival_mono_ns);
                        self.enter_streaming(&playing);
                    }
                }
                Err(reason) => break reason,
            }
        };
        let streamed_ms = stall
            .begun_mono_ns
            .map(|begun| stall.video_mono_ns.saturating_sub(begun) / 1_000_000);
        let reason = over_udp(reason, &self.config);
        let (way, mended) = (playing.way(), playing.mended());
        self.relay
            .ended(way, &reason, streamed_ms, mended, &self.config);
        (reason, streamed_ms)
    }

    fn count(&mut self, item: &StreamItem) {
        let shared = &*self.shared;
        if item.lost_packets > 0 {
            CameraShared::add(&shared.lost_packets, u64::from(item.lost_packets));
        }
        match (item.track, item.taken) {
            (None, _) | (_, FrameOutcome::Awaited) => {}
            (Some(_), FrameOutcome::Skipped) => CameraShared::add(&shared.skipped, 1),
            (Some(_), FrameOutcome::TooLarge { limit }) => {
                CameraShared::add(&shared.too_large, 1);
                self.say_too_large(item.len, limit);
            }
            (Some(_), FrameOutcome::Stored) => {
                CameraShared::add(&shared.access_units, 1);
                CameraShared::add(&shared.bytes, u64::try_from(item.len).unwrap_or(0));
                shared.last_au_mono_ns.store(item.arrival_mono_ns, Relaxed);
            }
        }
    }

    /// Once a second while connected: what is odd, and what could not be told before.
    fn look(&mut self, normalizer: &Normalizer, stall: &mut StallWatch, now_mono_ns: u64) {
        let watch = &normalizer.watch;
        self.shared
            .bitrate_bps
            .store(watch.bitrate_bps(now_mono_ns), Relaxed);
        self.shared
            .longest_gop_ms
            .store(watch.longest_gop_ms(), Relaxed);
        self.shared.epochs.store(normalizer.epoch(), Relaxed);
        self.patience.gop(watch.longest_gop_ms());
        if !normalizer.begun() {
            self.look_for_a_key_frame(normalizer, stall, now_mono_ns);
        }
        if normalizer.audio_unusable() {
            self.leave_audio_out();
        }
        if normalizer.clock_stepped_back() {
            self.say_clock_steps_back();
        }
        let warnings = watch.warnings(&self.room, now_mono_ns);
        for warning in &warnings {
            if self.said.insert(warning.code().to_owned()) {
                let event = match warning {
                    CaptureSentence::BitrateAboveRing { .. } => "buffer_bitrate_above_max",
                    _ => "buffer_key_frames_far_apart",
                };
                let id = self.config.id.as_str();
                log::warn!(target: "hindsight", event = event, camera = id; "{id}: {warning}");
            }
        }
        let warnings: Vec<Sentence> = warnings.iter().map(Coded::sentence).collect();
        if warnings != self.words.warnings {
            self.words.warnings = warnings;
            self.untold = true;
        }
        self.tell();
    }

    /// Once a minute at most: what its packets were that could not be taken.
    fn tell_of_faults(&mut self, faults: &PacketFaults, now_mono_ns: u64) {
        let Some(sentence) = self.faults_told.due(faults, now_mono_ns) else {
            return;
        };
        let id = self.config.id.as_str();
        log::warn!(target: "hindsight", event = "camera_packets_wrong", camera = id; "{id}: {sentence}");
    }

    /// That it needs the relay, and why, is said once.
    fn look_at_relay(&mut self, playing: &Playing) {
        let needs = self.relay.said(playing.mended());
        let said = needs.as_ref().map(Coded::sentence);
        if said == self.words.relay {
            return;
        }
        if let Some(needs) = needs
            && self.said.insert(needs.code().to_owned())
        {
            let id = self.config.id.as_str();
            log::info!(target: "hindsight", event = "camera_needs_relay", camera = id; "{id}: {needs}");
        }
        self.words.relay = said;
        self.untold = true;
        self.tell();
    }

    fn look_for_a_key_frame(
        &mut self,
        normalizer: &Normalizer,
        stall: &mut StallWatch,
        now_mono_ns: u64,
    ) {
        if stall.complained || now_mono_ns.saturating_sub(stall.since_mono_ns) < NO_KEY_FRAME_NS {
            return;
        }
        stall.complained = true;
        let reason = if !normalizer.has_video_params() {
            CaptureSentence::NoParameters {}
        } else if normalizer.only_recovery_points() {
            CaptureSentence::OnlyRecoveryPoints {}
        } else {
            CaptureSentence::NoKeyFrame {}
        };
        let id = self.config.id.as_str();
        log::warn!(target: "hindsight", event = "camera_no_key_frame", camera = id; "{id}: {reason}");
        self.words.reason = Some(reason.sentence());
        self.untold = true;
    }

    fn enter_streaming(&mut self, playing: &Playing) {
        let (video, audio) = playing.known();
        self.words.video = video.as_ref().map(describe);
        self.words.audio = audio.as_ref().map(describe);
        self.words.connections += 1;
        self.enter(ConnectionPhase::Streaming, None);
        let id = self.config.id.as_str();
        let sound = self.words.audio.as_deref().unwrap_or("no audio");
        let picture = self.words.video.as_deref().unwrap_or("video");
        log::info!(target: "hindsight", event = "camera_connected", camera = id; "{id}: connected, {picture}, {sound}");
    }

    fn say_left_out(&mut self, playing: &Playing) {
        for sentence in &playing.left_out {
            let text = sentence.to_string();
            if self.said.insert(text.clone()) {
                let level = match sentence {
                    CaptureSentence::SoundAsBefore { .. } => log::Level::Warn,
                    _ => log::Level::Info,
                };
                let id = self.config.id.as_str();
                log::log!(target: "hindsight", level, event = "camera_track_left_out", camera = id; "{id}: {text}");
            }
        }
    }

    fn leave_audio_out(&mut self) {
        self.untold |= self.words.audio.take().is_some();
        if self.said.insert("audio unusable".to_owned()) {
            let id = self.config.id.as_str();
            log::warn!(target: "hindsight", event = "camera_track_left_out", camera = id;
                "{id}: its audio is left out: the timestamps jump again and again (said once)");
        }
    }

    fn say_clock_steps_back(&mut self) {
        let sentence = CaptureSentence::ClockStepsBack {};
        if self.said.insert(sentence.code().to_owned()) {
            let id = self.config.id.as_str();
            log::warn!(target: "hindsight", event = "camera_clock_steps_back", camera = id; "{id}: {sentence} (said once)");
        }
    }

    fn say_too_large(&mut self, len: usize, limit: u64) {
        // The number alone would make every line a new one.
        if self.said.insert("too large".to_owned()) {
            let id = self.config.id.as_str();
            log::warn!(target: "hindsight", event = "buffer_frame_too_large", camera = id;
                "{id}: a picture of {len} bytes was left out, the ring takes at most {limit}: raise ring.max_bitrate (said once)");
        }
    }

    fn say_lost(&self, ended: ConnectionEnd, reason: &CaptureSentence, delay: Duration) {
        let id = self.config.id.as_str();
        let event = match ended {
            ConnectionEnd::Lost { .. } => "camera_lost",
            _ => "camera_retry",
        };
        let delay_s = delay.as_secs_f32();
        log::warn!(target: "hindsight", event = event, camera = id; "{id}: {reason}; next try in {delay_s:.0} s");
    }

    fn give_up(&mut self, reason: &CaptureSentence) {
        let id = self.config.id.as_str();
        let why = reason.sentence();
        let given_up = CaptureSentence::GivenUp { why };
        log::error!(target: "hindsight", event = "camera_given_up", camera = id; "{id}: {given_up}");
        self.enter(ConnectionPhase::GivenUp, Some(&given_up));
        // Nobody comes by later to tell it.
        let mut tries = 0;
        while self.untold && tries < 1_000 {
            std::thread::yield_now();
            self.tell();
            tries += 1;
        }
    }

    async fn after_panic(&mut self) {
        let id = self.config.id.as_str();
        log::error!(target: "hindsight", event = "error_camera_task", camera = id;
            "{id}: a fault in this program ended the camera's connection; it is started again");
        let delay = self
            .reconnect
            .after(ConnectionEnd::Failed, fastrand::u64(..))
            .unwrap_or(LAST_RESORT);
        let reason = CaptureSentence::ProgramFault {};
        self.wait(ConnectionPhase::Waiting, &reason, delay).await;
    }

    async fn wait(&mut self, phase: ConnectionPhase, reason: &CaptureSentence, delay: Duration) {
        let until = tokio::time::Instant::now() + delay;
        let delay_ns = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        let next = self.clock.mono_ns().saturating_add(delay_ns);
        self.shared.next_try_mono_ns.store(next, Relaxed);
        self.enter(phase, Some(reason));
        loop {
            let slice = tokio::time::Instant::now() + self.limits.tick;
            tokio::time::sleep_until(slice.min(until)).await;
            self.tell();
            if tokio::time::Instant::now() >= until {
                return;
            }
        }
    }

    fn enter(&mut self, phase: ConnectionPhase, reason: Option<&CaptureSentence>) {
        self.words.phase = phase;
        self.words.reason = reason.map(Coded::sentence);
        self.words.since_mono_ns = self.clock.mono_ns();
        if phase != ConnectionPhase::Streaming {
            self.words.warnings.clear();
        }
        self.untold = true;
        self.tell();
    }

    fn tell(&mut self) {
        if self.untold {
            self.untold = !self.shared.tell(&self.words);
        }
    }
}

/// What was said of the packets of this connection, and when there may be more.
#[derive(Debug, Default)]
struct FaultsTold {
    said: PacketFaults,
    next_mono_ns: u64,
}

impl FaultsTold {
    const EVERY_NS: u64 = 60_000_000_000;

    fn due(&mut self, faults: &PacketFaults, now_mono_ns: u64) -> Option<CaptureSentence> {
        if now_mono_ns < self.next_mono_ns {
            return None;
        }
        let sentence = CaptureSentence::of_packets(faults, &self.said)?;
        self.said = *faults;
        self.next_mono_ns = now_mono_ns.saturating_add(FaultsTold::EVERY_NS);
        Some(sentence)
    }
}

/// "H.264 1920x1080", "AAC 48000 Hz, 2 channels".
pub(super) fn describe(params: &TrackParams) -> String {
    let size = format!("{}x{}", params.width, params.height);
    match params.codec {
        Codec::H264 | Codec::H265 => format!("{} {size}", params.codec.name()),
        sound => {
            let (name, rate) = (sound.name(), params.timescale);
            match params.channels {
                1 => format!("{name} {rate} Hz, mono"),
                channels => format!("{name} {rate} Hz, {channels} channels"),
            }
        }
    }
}
