//! Coded frames of an MP4 that FFmpeg wrote, as a ring wants them.

use std::path::Path;

use hindsight::media::{Codec, TrackParams};

/// A frame: its time in the track's ticks, its bytes, whether decoding can start at it.
pub struct Frame {
    pub pts: i64,
    pub key: bool,
    pub bytes: Vec<u8>,
}

pub struct Coded {
    pub video: TrackParams,
    pub frames: Vec<Frame>,
    /// AAC, if there is any.
    pub audio: Option<(TrackParams, Vec<Frame>)>,
}

/// Reads H.264 (and AAC). Panics at anything else: it is for tests and benches.
pub fn load(file: &Path) -> Coded {
    let size = std::fs::metadata(file).unwrap().len();
    let reader = std::io::BufReader::new(std::fs::File::open(file).unwrap());
    let mut mp4 = mp4::Mp4Reader::read_header(reader, size).unwrap();
    let mut video = None;
    let mut audio = None;
    let mut ids: Vec<u32> = mp4.tracks().keys().copied().collect();
    ids.sort_unstable();
    for id in ids {
        let track = &mp4.tracks()[&id];
        let ticks = track.timescale();
        let stsd = &track.trak.mdia.minf.stbl.stsd;
        if let Some(avc1) = &stsd.avc1 {
            let params = TrackParams {
                codec: Codec::H264,
                timescale: 90_000,
                config: {
                    let box_ = &avc1.avcc;
                    let head = [
                        box_.avc_profile_indication,
                        box_.profile_compatibility,
                        box_.avc_level_indication,
                    ];
                    avcc(
                        head,
                        &box_.sequence_parameter_sets[0].bytes,
                        &box_.picture_parameter_sets[0].bytes,
                    )
                },
                width: avc1.width,
                height: avc1.height,
                pixel_aspect: (1, 1),
                channels: 0,
            };
            video = Some((params, frames(&mut mp4, id, ticks, 90_000)));
        } else if let Some(mp4a) = &stsd.mp4a {
            let specific = &mp4a.esds.as_ref().unwrap().es_desc.dec_config.dec_specific;
            let asc = u16::from(specific.profile) << 11
                | u16::from(specific.freq_index) << 7
                | u16::from(specific.chan_conf) << 3;
            let params = TrackParams {
                codec: Codec::Aac,
                timescale: ticks,
                config: asc.to_be_bytes().to_vec(),
                width: 0,
                height: 0,
                pixel_aspect: (1, 1),
                channels: u16::from(specific.chan_conf),
            };
            audio = Some((params, frames(&mut mp4, id, ticks, ticks)));
        }
    }
    let (video, frames) = video.expect("a track of H.264");
    Coded {
        video,
        frames,
        audio,
    }
}

fn frames<R: std::io::Read + std::io::Seek>(
    mp4: &mut mp4::Mp4Reader<R>,
    id: u32,
    from_ticks: u32,
    to_ticks: u32,
) -> Vec<Frame> {
    let count = mp4.sample_count(id).unwrap();
    (1..=count)
        .map(|n| {
            let sample = mp4.read_sample(id, n).unwrap().unwrap();
            let pts =
                i64::try_from(sample.start_time).unwrap() + i64::from(sample.rendering_offset);
            Frame {
                pts: pts * i64::from(to_ticks) / i64::from(from_ticks),
                key: sample.is_sync,
                bytes: sample.bytes.to_vec(),
            }
        })
        .collect()
}

/// The body of an `avcC` box with one SPS and one PPS.
fn avcc([profile, compatibility, level]: [u8; 3], sps: &[u8], pps: &[u8]) -> Vec<u8> {
    let size_of = |set: &[u8]| u16::try_from(set.len()).unwrap().to_be_bytes();
    [
        &[1, profile, compatibility, level, 0xff, 0xe1][..],
        &size_of(sps),
        sps,
        &[1],
        &size_of(pps),
        pps,
    ]
    .concat()
}
