//! A camera on paper: frames with their references, sent over a jittery
//! network into a ring that is a list. It knows the truth; the cut does not.

use hindsight::cut::{Cut, Ended, Fact, FinishedCut, FootageReadError, Offer, Payload};
use hindsight::cut::{Index, NoFootage, Plan, Window, plan};
use hindsight::media::{Alignment, AuFlags, AuMeta, Codec, Track, TrackParams, pcm};

pub const SECOND_NS: u64 = 1_000_000_000;
/// The camera was switched on.
pub const ON_MONO_NS: u64 = 1_000 * SECOND_NS;
pub const VIDEO_PARAMS: u32 = 1;
pub const AUDIO_PARAMS: u32 = 2;
pub const CHANGED_PARAMS: u32 = 3;
pub const OTHER_CODEC: u32 = 4;
pub const PCM_PARAMS: u32 = 5;
pub const AUDIO_RATE: u32 = 48_000;

/// What kind of stream.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Distance of frames in 90 kHz ticks.
    pub ticks: i64,
    /// Frames of a GOP.
    pub gop: u32,
    /// B-frames between two anchors.
    pub b_frames: u32,
    /// H.265 whose key frames are CRAs with RASL pictures.
    pub open_gop: bool,
    pub frames: u32,
    /// Largest additional delay of a frame.
    pub jitter_ns: u64,
    pub seed: u64,
    pub audio: bool,
    /// How much later sound arrives than the picture of the same moment; may be negative.
    pub audio_delay_ns: i64,
    /// Presentation times may be off by a tick.
    pub shaky_ticks: bool,
}

impl Default for Spec {
    fn default() -> Spec {
        Spec {
            ticks: 3600,
            gop: 50,
            b_frames: 0,
            open_gop: false,
            frames: 25 * 100,
            jitter_ns: 0,
            seed: 1,
            audio: false,
            audio_delay_ns: 0,
            shaky_ticks: false,
        }
    }
}

/// One frame as the camera made it; `number` counts in the order of presentation.
#[derive(Clone, Debug)]
pub struct Made {
    pub number: u32,
    pub refs: Vec<u32>,
    pub au: AuMeta,
}

/// Something in the ring: a frame of the picture by number, or sound.
#[derive(Clone, Debug)]
pub struct Stored {
    pub au: AuMeta,
    pub number: Option<u32>,
}

/// A ring as a list. Positions begin somewhere.
#[derive(Clone, Debug)]
pub struct Ring {
    pub entries: Vec<Stored>,
    pub made: Vec<Made>,
    pub base: u64,
    pub oldest: u64,
    pub head: u64,
}

impl Index for Ring {
    fn oldest(&self) -> u64 {
        self.oldest
    }
    fn head(&self) -> u64 {
        self.head
    }
    fn meta(&self, pos: u64) -> Result<AuMeta, FootageReadError> {
        if pos < self.oldest {
            return Err(FootageReadError::Overtaken {
                oldest: self.oldest,
            });
        }
        if pos >= self.head {
            return Err(FootageReadError::NotYet);
        }
        Ok(self.stored(pos).au)
    }
}

impl Payload for Ring {
    fn read(&self, pos: u64, into: &mut Vec<u8>) -> Result<AuMeta, FootageReadError> {
        let au = self.meta(pos)?;
        let byte = au.pts_90k.rem_euclid(251).to_le_bytes()[0];
        into.extend(std::iter::repeat_n(byte, usize::try_from(au.len).unwrap()));
        Ok(au)
    }

    fn params(&self, generation: u32) -> Result<TrackParams, FootageReadError> {
        let video = params_of(Codec::H264);
        Ok(match generation {
            AUDIO_PARAMS => params_of(Codec::Aac),
            CHANGED_PARAMS => TrackParams {
                width: 160,
                ..video
            },
            OTHER_CODEC => params_of(Codec::H265),
            _ => video,
        })
    }
}

impl Ring {
    pub fn stored(&self, pos: u64) -> &Stored {
        &self.entries[usize::try_from(pos - self.base).unwrap()]
    }

    /// Everything that has arrived by then, and nothing later.
    pub fn at(&self, mono_ns: u64) -> Ring {
        let held = self
            .entries
            .partition_point(|s| s.au.arrival_mono_ns <= mono_ns);
        Ring {
            head: self.base + u64::try_from(held).unwrap(),
            ..self.clone()
        }
    }

    /// The writer has overwritten all that arrived before.
    pub fn forget_before(&self, mono_ns: u64) -> Ring {
        let gone = self
            .entries
            .partition_point(|s| s.au.arrival_mono_ns < mono_ns);
        Ring {
            oldest: (self.base + u64::try_from(gone).unwrap()).min(self.head),
            ..self.clone()
        }
    }

    pub fn number(&self, number: u32) -> &Made {
        self.made.iter().find(|m| m.number == number).unwrap()
    }

    /// Changes entries of pictures by number.
    pub fn edit(&mut self, mut change: impl FnMut(u32, &mut AuMeta)) {
        for stored in &mut self.entries {
            if let Some(number) = stored.number {
                change(number, &mut stored.au);
            }
        }
    }

    /// Drops pictures as a lossy network does: the next one says how many
    /// packets are missing, and all are tainted up to the next whole key frame.
    pub fn lose(&mut self, lost: impl Fn(u32) -> bool) {
        let mut missing = 0;
        let mut tainted = false;
        let mut kept = Vec::new();
        for mut stored in std::mem::take(&mut self.entries) {
            match stored.number {
                Some(number) if lost(number) => {
                    missing += 3;
                    tainted = true;
                    continue;
                }
                Some(_) => {
                    tainted &= !stored.au.flags.key;
                    stored.au.flags.tainted = tainted;
                    stored.au.lost_packets = std::mem::take(&mut missing);
                }
                None => {}
            }
            kept.push(stored);
        }
        self.entries = kept;
        self.head = self.base + u64::try_from(self.entries.len()).unwrap();
    }

    /// From `number` on (in the order of decoding: a key frame) the camera is
    /// connected anew: another epoch, another clock.
    pub fn reconnect(&mut self, number: u32, pts_jump: i64) {
        let from = self.number(number).au.arrival_mono_ns;
        for stored in &mut self.entries {
            if stored.au.arrival_mono_ns >= from {
                stored.au.epoch += 1;
                stored.au.pts_90k += pts_jump;
                stored.au.pts = match stored.au.track {
                    Track::Video => stored.au.pts_90k,
                    Track::Audio => stored.au.pts + 777,
                };
            }
        }
    }

    /// Removes all that arrived in between.
    pub fn silence(&mut self, from_mono_ns: u64, to_mono_ns: u64) {
        self.entries
            .retain(|s| !(from_mono_ns..to_mono_ns).contains(&s.au.arrival_mono_ns));
        self.head = self.base + u64::try_from(self.entries.len()).unwrap();
    }
}

/// x264, 320x240, High.
const AVCC: &[u8] = &[
    1, 100, 0, 13, 0xff, 0xe1, 0, 24, 0x67, 0x64, 0x00, 0x0d, 0xac, 0xd9, 0x41, 0x41, 0xfa, 0x10,
    0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x42, 0x99, 0x60, 1, 0, 6,
    0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0,
];

fn params_of(codec: Codec) -> TrackParams {
    let audio = codec == Codec::Aac;
    TrackParams {
        codec,
        timescale: if audio { AUDIO_RATE } else { 90_000 },
        config: if audio {
            vec![0x11, 0x90]
        } else {
            AVCC.to_vec()
        },
        width: if audio { 0 } else { 320 },
        height: if audio { 0 } else { 240 },
        pixel_aspect: (1, 1),
        channels: if audio { 2 } else { 0 },
    }
}

pub fn film(spec: &Spec) -> Ring {
    let mut random = fastrand::Rng::with_seed(spec.seed);
    let frame_ns = u64::try_from(spec.ticks).unwrap() * SECOND_NS / 90_000;
    let pts_base = random.i64(-1_000_000..1_000_000_000);
    let mut made = Vec::new();
    let mut last_arrival = 0;
    for (number, sent_with, refs, rasl) in decoding_order(spec) {
        let captured = ON_MONO_NS + u64::from(sent_with) * frame_ns;
        let delay = 20_000_000 + random.u64(0..=spec.jitter_ns);
        last_arrival = (captured + delay).max(last_arrival + 1000);
        let shaken = if spec.shaky_ticks {
            random.i64(-1..=1)
        } else {
            0
        };
        let pts = pts_base + i64::from(number) * spec.ticks + shaken;
        let key = number % spec.gop == 0;
        made.push(Made {
            number,
            refs,
            au: AuMeta {
                track: Track::Video,
                flags: AuFlags {
                    key,
                    open_gop: key && spec.open_gop,
                    rasl,
                    ..AuFlags::default()
                },
                generation: VIDEO_PARAMS,
                epoch: 4,
                pts,
                pts_90k: pts,
                alignment: Alignment::SenderReport,
                arrival_mono_ns: last_arrival,
                lost_packets: 0,
                dropped_bytes: 0,
                len: 1000 + number % 7,
            },
        });
    }
    let mut entries: Vec<Stored> = made
        .iter()
        .map(|m| Stored {
            au: m.au,
            number: Some(m.number),
        })
        .collect();
    if spec.audio {
        entries.extend(record(spec, pts_base, frame_ns));
    }
    entries.sort_by_key(|s| s.au.arrival_mono_ns);
    let base = random.u64(0..1000);
    Ring {
        base,
        oldest: base,
        head: base + u64::try_from(entries.len()).unwrap(),
        entries,
        made,
    }
}

/// `(number, number whose capture completes it, references, RASL)`.
fn decoding_order(spec: &Spec) -> Vec<(u32, u32, Vec<u32>, bool)> {
    let step = spec.b_frames + 1;
    let mut order: Vec<(u32, u32, Vec<u32>, bool)> = Vec::new();
    let mut anchor: Option<u32> = None;
    let mut number = 0;
    while number < spec.frames {
        let key = number % spec.gop == 0;
        let refs = if key {
            vec![]
        } else {
            anchor.into_iter().collect()
        };
        order.push((number, number, refs, false));
        for b in anchor.map_or(0, |a| a + 1)..number {
            let before = anchor.unwrap();
            order.push((b, number, vec![before, number], key && spec.open_gop));
        }
        anchor = Some(number);
        let gop_end = (number / spec.gop + 1) * spec.gop;
        // A closed GOP ends with an anchor; an open one reaches into the next.
        let last = if spec.open_gop { gop_end } else { gop_end - 1 };
        number = if number + 1 == gop_end {
            gop_end
        } else {
            (number + step).min(last)
        };
    }
    order
}

/// Sound of the same time: frame n lies at n · 1024 samples from the first picture.
fn record(spec: &Spec, pts_base: i64, frame_ns: u64) -> Vec<Stored> {
    let frames = u64::from(spec.frames) * frame_ns * u64::from(AUDIO_RATE) / SECOND_NS / 1024;
    (0..frames)
        .map(|n| {
            let at_ns = n * 1024 * SECOND_NS / u64::from(AUDIO_RATE);
            let pts = i64::try_from(n).unwrap() * 1024 + 5_000_000;
            let arrival =
                i64::try_from(ON_MONO_NS + at_ns + 40_000_000).unwrap() + spec.audio_delay_ns;
            Stored {
                number: None,
                au: AuMeta {
                    track: Track::Audio,
                    flags: AuFlags {
                        key: true,
                        ..AuFlags::default()
                    },
                    generation: AUDIO_PARAMS,
                    epoch: 4,
                    pts,
                    pts_90k: pts_base
                        + i64::try_from(n).unwrap() * 1024 * 90_000 / i64::from(AUDIO_RATE),
                    alignment: Alignment::SenderReport,
                    arrival_mono_ns: u64::try_from(arrival).unwrap(),
                    lost_packets: 0,
                    dropped_bytes: 0,
                    len: 300,
                },
            }
        })
        .collect()
}

pub fn window(press_mono_ns: u64, pre_ms: u64, post_ms: u64) -> Window {
    Window {
        press_mono_ns,
        latency_ms: 0,
        pre_ms,
        post_ms,
    }
}

/// A sample of the camera's sound at this tick: L16, 8 kHz, mono.
pub fn pcm_sample(tick: i64) -> i32 {
    i32::try_from(tick.rem_euclid(30_011) * 7 % 30_011).unwrap() - 15_000
}

/// The bytes of a packet of it.
pub fn pcm_bytes(au: &AuMeta) -> Vec<u8> {
    let ticks = au.pts..au.pts + i64::from(au.len / 2);
    ticks
        .flat_map(|tick| i16::try_from(pcm_sample(tick)).unwrap().to_be_bytes())
        .collect()
}

/// How an exporter meets the ring.
#[derive(Clone, Copy, Debug)]
pub enum Feed {
    /// Everything is there already.
    AtOnce,
    /// As it arrives; looks every so many nanoseconds.
    Live { every_ns: u64 },
}

/// What an exporter has at the end.
#[derive(Clone, Debug)]
pub struct Exported {
    pub finished: Result<FinishedCut, NoFootage>,
    pub facts: Vec<Fact>,
    /// Position of the AU at each offset.
    pub placed: Vec<(u64, u64)>,
}

/// The exporter in short: reads, offers, notes facts.
pub struct Exporter<'a> {
    pub ring: &'a Ring,
    pub cut: Cut,
    pub pos: u64,
    pub offset: u64,
    pub facts: Vec<Fact>,
    pub placed: Vec<(u64, u64)>,
    pub params: Vec<(u32, TrackParams)>,
}

impl<'a> Exporter<'a> {
    pub fn new(ring: &'a Ring, plan: &Plan, open_gop: bool) -> Exporter<'a> {
        let video = if open_gop { Codec::H265 } else { Codec::H264 };
        let mut changed = params_of(video);
        changed.width = 160;
        Exporter {
            ring,
            cut: Cut::new(plan),
            pos: plan.first_pos,
            offset: 0,
            facts: Vec::new(),
            placed: Vec::new(),
            params: vec![
                (VIDEO_PARAMS, params_of(video)),
                (AUDIO_PARAMS, params_of(Codec::Aac)),
                (CHANGED_PARAMS, changed),
                (OTHER_CODEC, params_of(Codec::H265)),
                (PCM_PARAMS, pcm::params(Codec::L16, 8_000, 1).unwrap()),
            ],
        }
    }

    /// Offers what the ring holds by then.
    pub fn read_until(&mut self, mono_ns: u64) {
        if self.pos < self.ring.oldest {
            self.cut.lost(self.pos, self.ring.oldest);
            self.facts.push(Fact::Lost {
                from_pos: self.pos,
                to_pos: self.ring.oldest,
            });
            self.pos = self.ring.oldest;
        }
        while self.pos < self.ring.head && !self.cut.done() {
            let au = self.ring.stored(self.pos).au;
            if au.arrival_mono_ns > mono_ns {
                break;
            }
            self.offer(&au);
            self.pos += 1;
        }
    }

    /// Takes up what an earlier exporter noted, and reads on behind it.
    pub fn replay(&mut self, fact: &Fact) {
        self.cut.replay(fact);
        self.facts.push(fact.clone());
        match fact {
            Fact::Taken { pos, au, offset } => {
                self.placed.push((*offset, *pos));
                self.offset = offset + u64::from(au.len);
                self.pos = pos + 1;
            }
            Fact::Heard { pos, .. } | Fact::Noted { pos, .. } => self.pos = pos + 1,
            Fact::Lost { to_pos, .. } => self.pos = *to_pos,
            Fact::Params { .. } => {}
        }
    }

    fn offer(&mut self, au: &AuMeta) {
        if self.cut.needs_params(au.generation) {
            let (generation, params) = self.params.iter().find(|p| p.0 == au.generation).unwrap();
            self.cut.params(*generation, params);
            self.facts.push(Fact::Params {
                generation: *generation,
                params: params.clone(),
            });
        }
        let prefix = self.cut.prefix(au).len() as u64;
        let (pos, offset) = (self.pos, self.offset + prefix);
        match self.cut.offer(pos, au, offset) {
            Offer::Take => {
                self.offset += prefix;
                self.facts.push(Fact::Taken {
                    pos,
                    au: *au,
                    offset,
                });
                self.placed.push((offset, pos));
                self.offset += u64::from(au.len);
            }
            Offer::Hear => {
                let bytes = pcm_bytes(au);
                self.cut.hear(au, &bytes);
                self.facts.push(Fact::Heard {
                    pos,
                    au: *au,
                    bytes,
                });
            }
            Offer::Note => self.facts.push(Fact::Noted { pos, au: *au }),
            Offer::Leave => {}
        }
    }

    pub fn finish(self, ended: Ended) -> Exported {
        Exported {
            finished: self.cut.finish(ended),
            facts: self.facts,
            placed: self.placed,
        }
    }
}

pub fn export(ring: &Ring, plan: &Plan, feed: Feed, open_gop: bool) -> Exported {
    let mut exporter = Exporter::new(ring, plan, open_gop);
    match feed {
        Feed::AtOnce => exporter.read_until(u64::MAX),
        Feed::Live { every_ns } => {
            let mut now = plan.window.press_mono_ns;
            loop {
                exporter.read_until(now);
                if exporter.cut.complete(now) {
                    break;
                }
                now += every_ns;
            }
        }
    }
    exporter.finish(Ended::Complete)
}

/// The same from the noted facts, gone through JSON as they do on a disk.
pub fn salvage(plan: &Plan, facts: &[Fact], ended: Ended) -> Result<FinishedCut, NoFootage> {
    let plan: Plan = serde_json::from_str(&serde_json::to_string(plan).unwrap()).unwrap();
    let mut cut = Cut::new(&plan);
    for fact in facts {
        cut.replay(&serde_json::from_str(&serde_json::to_string(fact).unwrap()).unwrap());
    }
    cut.finish(ended)
}

/// What a player shows of a clip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    pub numbers: Vec<u32>,
    /// Presentation times from the clip's start, 90 kHz.
    pub times: Vec<i64>,
    pub duration: i64,
    /// Numbers that could not be decoded as the camera meant them.
    pub smeared: Vec<u32>,
}

/// Decodes and shows the picture of a clip as a player that honours the edit does.
pub fn play(ring: &Ring, exported: &Exported) -> Played {
    let finished = exported.finished.as_ref().unwrap();
    let track = &finished.clip.tracks[0];
    let number_at = |offset: u64| {
        let behind = exported.placed.partition_point(|p| p.0 < offset);
        ring.stored(exported.placed[behind].1).number.unwrap()
    };
    let mut decoded: Vec<u32> = Vec::new();
    let mut smeared = Vec::new();
    let mut shown: Vec<(i64, u32)> = Vec::new();
    for sample in &track.samples {
        let number = number_at(sample.offset);
        if ring.number(number).refs.iter().all(|r| decoded.contains(r)) {
            decoded.push(number);
        } else {
            smeared.push(number);
        }
        if (track.start..track.end).contains(&sample.pts) {
            shown.push((sample.pts - track.start, number));
        }
    }
    assert!(track.samples[0].sync, "decoding starts at a key frame");
    shown.sort_unstable();
    smeared.retain(|n| shown.iter().any(|s| s.1 == *n));
    Played {
        numbers: shown.iter().map(|s| s.1).collect(),
        times: shown.iter().map(|s| s.0).collect(),
        duration: track.end - track.start,
        smeared,
    }
}

/// Plans at the press, exports at once, and plays.
pub fn press(ring: &Ring, window: &Window, open_gop: bool) -> (Plan, Exported, Played) {
    let plan = plan(&ring.at(window.press_mono_ns), window).unwrap();
    let exported = export(ring, &plan, Feed::AtOnce, open_gop);
    let played = play(ring, &exported);
    (plan, exported, played)
}
