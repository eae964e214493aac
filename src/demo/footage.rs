//! What the camera serves: coded frames in memory, already cut into packets.
//!
//! Not here: how packets are cut (`packet`), how an MP4 is read (`mp4_reader`), time (`stream`).

use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::mp4_reader::{self, UnusableMp4};
use super::packet::Packets;
use super::reel::{Coding, Reel, Unit};

#[derive(Debug, thiserror::Error)]
pub enum DemoFootageError {
    #[error("cannot read the footage {name}: {source}")]
    Io {
        name: String,
        source: std::io::Error,
    },
    #[error("{name} is no footage that the camera can serve: {why}")]
    Unusable { name: String, why: UnusableMp4 },
}

/// Coded video and audio that is served in an endless loop. Immutable; shared by sessions.
#[derive(Debug)]
pub struct Footage {
    pub(super) video: Reel,
    pub(super) audio: Option<Reel>,
}

/// Frames in the bundled pattern; their numbers run from 0 to this less 1.
pub const PATTERN_FRAMES: u32 = 720;

/// Frames per second of the bundled pattern. The panel beside the number
/// flashes, and a beep begins, at each multiple of this.
pub const PATTERN_FPS: u32 = 30;

static PATTERN: &[u8] = include_bytes!("../../assets/pattern.mp4");

impl Footage {
    /// The bundled pattern: 1280x720, 30 frames a second, a key frame each
    /// second, no B-frames, H.264 and AAC.
    pub fn pattern() -> Arc<Footage> {
        static CUT: OnceLock<Arc<Footage>> = OnceLock::new();
        let cut = || match Footage::read("the bundled pattern", PATTERN) {
            Ok(footage) => Arc::new(footage),
            Err(error) => unreachable!("the bundled pattern does not read: {error}"),
        };
        CUT.get_or_init(cut).clone()
    }

    /// An MP4 with one track of H.264 or H.265 (B-frames may be) and perhaps
    /// one of AAC, as FFmpeg writes it. Video should start at 0 with a key frame.
    pub fn from_mp4(path: &Path) -> Result<Arc<Footage>, DemoFootageError> {
        let name = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Footage::read(&name, &bytes).map(Arc::new),
            Err(source) => Err(DemoFootageError::Io { name, source }),
        }
    }

    fn read(name: &str, bytes: &[u8]) -> Result<Footage, DemoFootageError> {
        match mp4_reader::read(bytes) {
            Ok((video, audio)) => Ok(Footage { video, audio }),
            Err(why) => Err(DemoFootageError::Unusable {
                name: name.to_owned(),
                why,
            }),
        }
    }

    /// The pattern's video with G.711 instead of AAC: A-law or else µ-law, a beep with each flash.
    pub fn pattern_with_g711(a_law: bool) -> Arc<Footage> {
        let pattern = Footage::pattern();
        let (coding, silence) = if a_law {
            (Coding::Pcma, 0xd5)
        } else {
            (Coding::Pcmu, 0xff)
        };
        // A beep each second, as in the pattern's own sound, for all of its 24 s.
        let packets = pattern.video.span / 1_800;
        let units = (0..packets).map(|i| {
            let mut packets = Packets::default();
            // A square wave of 500 Hz for 100 ms, then silence.
            let loud = (0..160_u8).map(|n| if n / 8 % 2 == 0 { 0x20 } else { 0xa0 });
            let sound: Vec<u8> = if i % 50 < 5 {
                loud.collect()
            } else {
                vec![silence; 160]
            };
            packets.push(&[&sound]);
            Unit {
                pts: i * 160,
                dts: i * 160,
                key: true,
                number: u32::try_from(i).unwrap_or(0),
                packets,
            }
        });
        Arc::new(Footage {
            video: pattern.video.copy(),
            audio: Some(Reel {
                coding,
                rate: 8_000,
                span: 160,
                units: units.collect(),
                hold: 0,
                sets: Packets::default(),
            }),
        })
    }

    /// Made-up H.264 that no decoder can show, but with real parameter sets and of
    /// the given bitrate: for benches. One GOP long; a key frame is six times another's size.
    pub fn synthetic(
        bits_per_second: u64,
        frames_per_second: u32,
        gop_frames: u32,
    ) -> Arc<Footage> {
        const KEY_SHARES: u64 = 6;
        let (fps, gop) = (frames_per_second.max(1), gop_frames.max(1));
        let gop_bytes = bits_per_second / 8 * u64::from(gop) / u64::from(fps);
        let share = gop_bytes / (u64::from(gop) - 1 + KEY_SHARES);
        let mut rng = fastrand::Rng::with_seed(bits_per_second);
        let units = (0..gop).map(|i| {
            let key = i == 0;
            let bytes = if key { share * KEY_SHARES } else { share }.max(16);
            // Odd bytes only: nothing in there looks like a start code.
            let mut nal: Vec<u8> = (0..bytes).map(|_| rng.u8(..) | 1).collect();
            nal[0] = if key { 0x65 } else { 0x41 };
            let mut packets = Packets::default();
            packets.push_h264(&nal);
            let pts = i64::from(i) * 90_000 / i64::from(fps);
            Unit {
                pts,
                dts: pts,
                key,
                number: i,
                packets,
            }
        });
        let pattern = Footage::pattern();
        Arc::new(Footage {
            video: Reel {
                units: units.collect(),
                span: i64::from(gop) * 90_000 / i64::from(fps),
                ..pattern.video.copy()
            },
            audio: None,
        })
    }

    /// Video frames in one loop; the numbers drawn in them run from 0 to this less 1.
    pub fn frames(&self) -> u32 {
        u32::try_from(self.video.units.len()).unwrap_or(u32::MAX)
    }

    /// Length of one loop, in ticks of 90 kHz.
    pub fn duration_90k(&self) -> i64 {
        self.video.span
    }

    /// Bytes of RTP payload in one loop of the video.
    pub fn video_bytes(&self) -> usize {
        self.video.units.iter().map(|u| u.packets.bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_bundled_pattern_is_what_its_constants_say() {
        let pattern = Footage::pattern();
        assert_eq!(pattern.frames(), PATTERN_FRAMES);
        assert_eq!(pattern.duration_90k(), 24 * 90_000);
        let video = &pattern.video;
        assert_eq!((video.rate, video.hold), (90_000, 0));
        for (i, unit) in (0_u32..).zip(&video.units) {
            assert_eq!((unit.number, unit.pts), (i, i64::from(i) * 3_000));
            assert_eq!(unit.key, i % PATTERN_FPS == 0, "frame {i}");
        }
        let audio = pattern.audio.as_ref().unwrap();
        assert_eq!(
            (audio.rate, audio.span, audio.units.len()),
            (48_000, 1_024, 1_125)
        );
        assert_eq!(audio.units[0].pts, 0);
    }

    #[test]
    fn synthetic_footage_has_the_bitrate_it_was_asked_for() {
        let footage = Footage::synthetic(4_000_000, 30, 60);
        assert_eq!((footage.frames(), footage.duration_90k()), (60, 180_000));
        let bits = footage.video_bytes() * 8 / 2;
        assert!((3_980_000..4_040_000).contains(&bits), "{bits}");
    }
}
