//! The live stream out of a ring, as fragmented MP4 on a pipe, without a
//! second RTSP session.
//!
//! It starts at the newest key frame and follows. What it cannot follow is a
//! hole of its true length in the timeline, and a line in the log: being
//! overtaken (it goes on at the newest key frame), a new epoch, a ring that was
//! replaced. Parameters of video may change; a change of codec, or of audio's
//! parameters, ends the stream, for no player goes on over it.
//!
//! Not here: the command line (`commands`), following (`ring`), fragments (`fragment`).

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::base::{CameraId, Clock, RealClock, Stop, StopLevel};
use crate::fragment::{FragmentError, Pacing, Packager, StreamTracks};
use crate::media::{AuMeta, Track};
use crate::ring::{Follower, ReadError, Resume, RingError, RingEvent};

/// How often it looks whether to stop.
const LOOK: Duration = Duration::from_millis(250);
/// Fragments last about this long.
const FRAGMENT_90K: u64 = 45_000;
/// Frames by which reordering is judged.
const JUDGED: usize = 250;
/// A camera that has just begun sends its first audio not long after its first key frame.
const AUDIO_COMES_NS: u64 = 200_000_000;

#[derive(Debug, thiserror::Error)]
pub enum TapError {
    #[error(transparent)]
    Ring(#[from] RingError),
    #[error("{camera}: {source}")]
    Read { camera: CameraId, source: ReadError },
    #[error(transparent)]
    Fragment(#[from] FragmentError),
    #[error("cannot write the stream: {0}")]
    Write(#[from] std::io::Error),
}

/// Writes the camera's live stream to `out` until `stop` (what the ring holds
/// by then is still written), or until nobody reads it any more. A camera that
/// sends nothing is waited for.
///
/// # Errors
/// There is no ring of this camera, it is damaged, or `out` fails otherwise
/// than by being closed.
pub fn run(dir: &Path, camera: &CameraId, out: impl Write, stop: &Stop) -> Result<(), TapError> {
    let mut tap = Tap {
        camera,
        out,
        stop,
        follower: Follower::open(dir, camera, Resume::NewestKey)?,
    };
    match tap.follow() {
        Err(TapError::Write(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

struct Tap<'a, W> {
    camera: &'a CameraId,
    out: W,
    stop: &'a Stop,
    follower: Follower,
}

impl<W: Write> Tap<'_, W> {
    fn follow(&mut self) -> Result<(), TapError> {
        let Some(mut packager) = self.begin()? else {
            return Ok(());
        };
        let mut data = Vec::new();
        while self.stop.level() < StopLevel::Now {
            data.clear();
            // Asked first, so that what came before the signal is still read.
            let last_look = self.stop.level() >= StopLevel::Finish;
            match self.follower.next(&mut data) {
                RingEvent::AccessUnit { pos, meta } => {
                    match self.take(&mut packager, pos, &meta, &data) {
                        Err(TapError::Fragment(FragmentError::CodingChanged { .. })) => {
                            self.say_changed();
                            break;
                        }
                        taken => taken?,
                    }
                }
                RingEvent::Overtaken { lost } => {
                    self.say_overtaken(lost);
                    packager.hole();
                }
                RingEvent::Reopened { .. } => {
                    self.say_reopened();
                    packager.another_ring();
                }
                RingEvent::Damaged { why, .. } => return self.damaged(why.into()),
                RingEvent::NotYet if last_look => break,
                RingEvent::NotYet => drop(self.follower.wait(LOOK)),
            }
        }
        let rest = packager.finish()?;
        self.send(rest.map(|fragment| fragment.bytes))
    }

    fn take(
        &mut self,
        packager: &mut Packager,
        pos: u64,
        meta: &AuMeta,
        data: &[u8],
    ) -> Result<(), TapError> {
        if packager.needs(meta) {
            let reader = self.follower.reader();
            match reader.params(meta.generation) {
                Ok(params) => packager.learn(meta.generation, &params)?,
                // Its parameters have left the ring: overtaken, as the next look will say.
                Err(_) if reader.oldest() > pos => {
                    packager.hole();
                    return Ok(());
                }
                Err(source) => return self.damaged(source),
            }
        }
        let fragment = packager.push(pos, meta, data)?;
        self.send(fragment.map(|fragment| fragment.bytes))
    }

    fn send(&mut self, bytes: Option<Vec<u8>>) -> Result<(), TapError> {
        if let Some(bytes) = bytes {
            self.out.write_all(&bytes)?;
            self.out.flush()?;
        }
        Ok(())
    }

    fn damaged<T>(&self, source: ReadError) -> Result<T, TapError> {
        Err(TapError::Read {
            camera: self.camera.clone(),
            source,
        })
    }

    /// Waits for a key frame and starts the stream there; `None` when stopped before.
    fn begin(&mut self) -> Result<Option<Packager>, TapError> {
        loop {
            if let Some(packager) = self.try_begin()? {
                self.send(Some(packager.init_segment()?))?;
                return Ok(Some(packager));
            }
            // All that is there has been looked at.
            while self.follower.next_meta() != RingEvent::NotYet {}
            if self.stop.level() >= StopLevel::Finish {
                return Ok(None);
            }
            self.follower.wait(LOOK);
        }
    }

    fn try_begin(&mut self) -> Result<Option<Packager>, TapError> {
        let reader = self.follower.reader();
        let Some((pos, key)) = reader.newest_key() else {
            return Ok(None);
        };
        let audio = reader.newest(|au| au.track == Track::Audio && !au.flags.gap);
        let audio = audio.filter(|(_, au)| au.epoch == key.epoch);
        let age_ns = RealClock.mono_ns().saturating_sub(key.arrival_mono_ns);
        if audio.is_none() && age_ns < AUDIO_COMES_NS {
            return Ok(None);
        }
        let video = reader.params(key.generation);
        let audio = audio.map(|(_, au)| reader.params(au.generation));
        let tracks = match (video, audio.transpose()) {
            (Ok(video), Ok(audio)) => StreamTracks { video, audio },
            (Err(_), _) | (_, Err(_)) if reader.oldest() > pos => return Ok(None),
            (Err(e), _) | (_, Err(e)) => return self.damaged(e),
        };
        let pacing = self.pacing(&key, &tracks);
        self.follower = Follower::at(reader.clone(), pos, Resume::NewestKey);
        Ok(Some(Packager::new(tracks, pacing, FRAGMENT_90K)))
    }

    /// By the newest frames of the epoch.
    fn pacing(&self, key: &AuMeta, tracks: &StreamTracks) -> Pacing {
        let reader = self.follower.reader();
        let mut pts: Vec<i64> = (reader.oldest()..reader.head())
            .rev()
            .filter_map(|pos| reader.meta(pos).ok())
            .filter(|au| au.track == Track::Video && au.epoch == key.epoch && !au.flags.gap)
            .map(|au| au.pts_90k)
            .take(JUDGED)
            .collect();
        pts.reverse();
        Pacing::judged(&pts, &tracks.video)
    }

    fn say_changed(&self) {
        log::warn!(target: "hindsight", event = "camera_changed", camera = self.camera.as_str();
            "{}: its coding changed; the stream ends here, start it again", self.camera);
    }

    fn say_overtaken(&self, lost: u64) {
        log::warn!(target: "hindsight", event = "buffer_overtaken", camera = self.camera.as_str();
            "{}: who reads the stream is too slow; {lost} frames are missing in it", self.camera);
    }

    fn say_reopened(&self) {
        log::info!(target: "hindsight", event = "buffer_reopened", camera = self.camera.as_str();
            "{}: its ring was replaced; the stream goes on with the new one", self.camera);
    }
}
