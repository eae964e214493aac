//! The live stream out of a ring, as fragmented MP4 on a pipe, without a
//! second RTSP session.
//!
//! It starts at the newest key frame and follows. What it cannot follow is a
//! hole of its true length in the timeline, and a line in the log: being
//! overtaken (it goes on at the newest key frame), a new epoch, a ring that was
//! replaced. Parameters of video may change; a change of codec, or of audio's
//! parameters, ends the stream, for no player goes on over it.
//!
//! Not here: the command line (`commands`), boxes (`mp4`). Called by: app.

mod pace;
mod stream;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::base::{CameraId, Stop, StopLevel};
use crate::media::{AuMeta, Track, params};
use crate::mp4::Mp4Error;
use crate::ring::{ReadError, RingError, RingReader};

use pace::Reorder;
use stream::{Stream, Tracks};

/// How often it looks for something new.
const LOOK: Duration = Duration::from_millis(20);
/// How often it looks for a ring that is gone.
const LOOK_FOR_RING: Duration = Duration::from_millis(250);
/// Frames by which reordering is judged.
const JUDGED: usize = 250;
/// Fewer than these say little about it.
const TOO_FEW: usize = 30;

#[derive(Debug, thiserror::Error)]
pub enum TapError {
    #[error(transparent)]
    Ring(#[from] RingError),
    #[error("{camera}: {source}")]
    Read { camera: CameraId, source: ReadError },
    #[error(transparent)]
    Mp4(#[from] Mp4Error),
    #[error("cannot write the stream: {0}")]
    Write(#[from] std::io::Error),
}

/// Why following came to an end.
enum End {
    Stopped,
    /// It cannot go on in one stream.
    Changed,
}

/// Whether the stream can go on with an AU.
enum Known {
    Yes,
    No,
    /// Its parameters have left the ring: it was overtaken.
    Gone,
}

/// Writes the camera's live stream to `out` until `stop` (what the ring holds
/// by then is still written), or until nobody reads it any more. A camera that
/// sends nothing is waited for.
///
/// # Errors
/// There is no ring of this camera, it is damaged, or `out` fails otherwise
/// than by being closed.
pub fn run(dir: &Path, camera: &CameraId, out: impl Write, stop: &Stop) -> Result<(), TapError> {
    let reader = RingReader::open(dir, camera)?;
    let mut tap = Tap {
        dir,
        camera,
        out,
        stop,
        reader,
        pos: 0,
    };
    match tap.follow() {
        Ok(End::Stopped) => Ok(()),
        Ok(End::Changed) => {
            log::warn!(target: "hindsight", event = "camera_changed", camera = camera.as_str();
                "{camera}: its coding changed; the stream ends here, start it again");
            Ok(())
        }
        Err(TapError::Write(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(other) => Err(other),
    }
}

struct Tap<'a, W> {
    dir: &'a Path,
    camera: &'a CameraId,
    out: W,
    stop: &'a Stop,
    reader: RingReader,
    /// The next to be read.
    pos: u64,
}

impl<W: Write> Tap<'_, W> {
    fn follow(&mut self) -> Result<End, TapError> {
        let Some(mut stream) = self.begin()? else {
            return Ok(End::Stopped);
        };
        let mut data = Vec::new();
        loop {
            data.clear();
            // Asked first, so that what came before the signal is still read.
            let last_look = self.stop.level() >= StopLevel::Finish;
            match self.reader.read(self.pos, &mut data) {
                Ok(meta) => match self.knows(&mut stream, &meta)? {
                    Known::Yes => {
                        self.pos += 1;
                        let fragment = stream.take(&meta, &data)?;
                        self.send(&fragment)?;
                    }
                    Known::No => {
                        self.send(&stream.finish()?)?;
                        return Ok(End::Changed);
                    }
                    Known::Gone => self.jump(&mut stream),
                },
                Err(ReadError::NotYet) if last_look => break,
                Err(ReadError::NotYet) => drop(self.stop.wait(StopLevel::Finish, LOOK)),
                Err(ReadError::Overtaken { .. }) => self.jump(&mut stream),
                Err(ReadError::Ended) => {
                    if !self.reopen()? {
                        break;
                    }
                    stream.another_ring();
                }
                Err(source @ ReadError::Damaged(_)) => return self.damaged(source),
            }
            if self.stop.level() >= StopLevel::Now {
                break;
            }
        }
        self.send(&stream.finish()?)?;
        Ok(End::Stopped)
    }

    fn send(&mut self, fragment: &[u8]) -> Result<(), TapError> {
        if !fragment.is_empty() {
            self.out.write_all(fragment)?;
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
    fn begin(&mut self) -> Result<Option<Stream>, TapError> {
        loop {
            if let Some(begun) = self.try_begin()? {
                let (stream, init) = begun;
                self.send(&init)?;
                return Ok(Some(stream));
            }
            if self.stop.wait(StopLevel::Finish, LOOK) {
                return Ok(None);
            }
            if self.reader.ended() && !self.reopen()? {
                return Ok(None);
            }
        }
    }

    fn try_begin(&mut self) -> Result<Option<(Stream, Vec<u8>)>, TapError> {
        let Some((pos, key)) = self.newest(is_key) else {
            return Ok(None);
        };
        let audio = self.newest(|au| au.track == Track::Audio && !au.flags.gap);
        let audio = audio.filter(|(_, au)| au.epoch == key.epoch);
        let video = self.reader.params(key.generation);
        let audio = audio.map(|(_, au)| self.reader.params(au.generation));
        let (video, audio) = match (video, audio.transpose()) {
            (Ok(video), Ok(audio)) => (video, audio),
            (Err(_), _) | (_, Err(_)) if self.reader.oldest() > pos => return Ok(None),
            (Err(e), _) | (_, Err(e)) => return self.damaged(e),
        };
        let begun = Stream::begin(Tracks { video, audio }, self.reorder(&key))?;
        self.pos = pos;
        Ok(Some(begun))
    }

    /// The newest AU that is `wanted`, and where it stands.
    fn newest(&self, wanted: impl Fn(&AuMeta) -> bool) -> Option<(u64, AuMeta)> {
        let mut back = (self.reader.oldest()..self.reader.head()).rev();
        back.find_map(|pos| {
            let meta = self.reader.meta(pos).ok()?;
            wanted(&meta).then_some((pos, meta))
        })
    }

    /// As the frames held show it; where they are few, as the parameters say.
    fn reorder(&self, key: &AuMeta) -> Reorder {
        let mut pts: Vec<i64> = (self.reader.oldest()..self.reader.head())
            .rev()
            .filter_map(|pos| self.reader.meta(pos).ok())
            .filter(|au| au.track == Track::Video && au.epoch == key.epoch && !au.flags.gap)
            .map(|au| au.pts_90k)
            .take(JUDGED)
            .collect();
        pts.reverse();
        let seen = Reorder::of(&pts);
        if pts.len() >= TOO_FEW {
            return seen;
        }
        let said = self.reader.params(key.generation).ok();
        let said = said.and_then(|p| params::picture(p.codec, &p.config).ok());
        let frames = said.and_then(|picture| usize::try_from(picture.reorder?).ok());
        let frames = frames.unwrap_or(0).min(16).max(seen.frames);
        // 25 frames a second, in case.
        let ticks = i64::try_from(frames).unwrap_or(0) * 3600;
        Reorder {
            frames,
            ticks: ticks.max(seen.ticks),
        }
    }

    /// Makes an AU's parameters known to the stream.
    fn knows(&self, stream: &mut Stream, meta: &AuMeta) -> Result<Known, TapError> {
        let mid_gop = meta.track == Track::Video && !meta.flags.key;
        if meta.flags.gap || mid_gop || stream.knows(meta.track, meta.generation) {
            return Ok(Known::Yes);
        }
        match self.reader.params(meta.generation) {
            Ok(params) if stream.goes_on_with(&params) => {
                stream.learn(meta.generation, &params)?;
                Ok(Known::Yes)
            }
            Ok(_) => Ok(Known::No),
            Err(_) if self.reader.oldest() > self.pos => Ok(Known::Gone),
            Err(source) => self.damaged(source),
        }
    }

    /// Overtaken: on with the newest key frame. The oldest held would be gone
    /// before it is written.
    fn jump(&mut self, stream: &mut Stream) {
        let from = self.pos;
        self.pos = self.catch_up();
        log::warn!(target: "hindsight", event = "buffer_overtaken", camera = self.camera.as_str();
            "{}: who reads the stream is too slow; {} frames are missing in it",
            self.camera, self.pos.saturating_sub(from));
        stream.hole();
    }

    /// The newest key frame; where there is none, all that comes.
    fn catch_up(&self) -> u64 {
        self.newest(is_key)
            .map_or_else(|| self.reader.head(), |(pos, _)| pos)
    }

    /// Opens the ring that took the place of an ended one; false when stopped before.
    fn reopen(&mut self) -> Result<bool, TapError> {
        loop {
            match RingReader::open(self.dir, self.camera) {
                Ok(reader) if !reader.ended() => {
                    self.reader = reader;
                    self.pos = self.catch_up();
                    log::info!(target: "hindsight", event = "buffer_reopened", camera = self.camera.as_str();
                        "{}: its ring was replaced; the stream goes on with the new one", self.camera);
                    return Ok(true);
                }
                // It is being made.
                Ok(_) | Err(RingError::Io { .. } | RingError::Damaged { .. }) => {}
                Err(other) => return Err(other.into()),
            }
            if self.stop.wait(StopLevel::Finish, LOOK_FOR_RING) {
                return Ok(false);
            }
        }
    }
}

fn is_key(au: &AuMeta) -> bool {
    au.track == Track::Video && au.flags.key && !au.flags.gap
}
