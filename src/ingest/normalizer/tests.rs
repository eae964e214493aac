//! What is stored of a connection, frame by frame.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::media::Alignment;

const MS: u64 = 1_000_000;

/// What was stored, in order.
#[derive(Default)]
struct Kept {
    aus: Vec<AuMeta>,
    epochs: u32,
    params: Vec<TrackParams>,
    limit: Option<usize>,
}

impl Sink for Kept {
    fn begin_epoch(&mut self) -> u32 {
        self.epochs += 1;
        self.epochs
    }
    fn set_params(&mut self, params: &TrackParams) -> u32 {
        assert!(self.epochs > 0, "parameters before any epoch");
        self.params.push(params.clone());
        u32::try_from(self.params.len()).unwrap()
    }
    fn push(&mut self, meta: &AuMeta, data: &[u8]) -> Pushed {
        assert!(self.epochs > 0, "an AU before any epoch");
        assert_eq!(meta.epoch, self.epochs);
        let pos = self.aus.len() as u64;
        self.aus.push(*meta);
        match self.limit {
            Some(limit) if data.len() > limit => Pushed::TooLarge {
                pos,
                limit: limit as u64,
            },
            _ => Pushed::Stored { pos },
        }
    }
}

fn params(codec: Codec, config: &[u8]) -> TrackParams {
    let audio = codec == Codec::Aac;
    TrackParams {
        codec,
        timescale: if audio { 48_000 } else { 90_000 },
        config: config.to_vec(),
        width: if audio { 0 } else { 1_920 },
        height: if audio { 0 } else { 1_080 },
        pixel_aspect: (1, 1),
        channels: if audio { 2 } else { 0 },
    }
}

fn nal(bytes: &[u8]) -> Vec<u8> {
    let mut au = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    au.extend_from_slice(bytes);
    au
}

fn idr() -> Vec<u8> {
    nal(&[0x65, 0x88, 1, 2, 3])
}

fn inter() -> Vec<u8> {
    nal(&[0x41, 0x9a, 1, 2])
}

/// Feeds a connection, 40 ms a frame.
struct Camera {
    normalizer: Normalizer,
    kept: Kept,
    frames: u64,
}

impl Camera {
    fn h264() -> Camera {
        let mut normalizer = Normalizer::new(Codec::H264, Some(48_000));
        normalizer.set_params(params(Codec::H264, &[1, 77, 0, 40]));
        normalizer.set_params(params(Codec::Aac, &[0x11, 0x90]));
        Camera {
            normalizer,
            kept: Kept::default(),
            frames: 0,
        }
    }

    fn h265() -> Camera {
        let mut camera = Camera::h264();
        camera.normalizer = Normalizer::new(Codec::H265, None);
        camera.normalizer.set_params(params(Codec::H265, &[1]));
        camera
    }

    fn frame(&mut self, au: &[u8], lost_packets: u32) -> FrameOutcome {
        self.frames += 1;
        let frame = ReceivedFrame {
            pts: i64::try_from(self.frames * 3_600).unwrap(),
            arrival_mono_ns: self.frames * 40 * MS,
            lost_packets,
            data: au,
        };
        self.normalizer.video(&mut self.kept, &frame)
    }

    fn sound(&mut self, lost_packets: u32) -> FrameOutcome {
        let frame = ReceivedFrame {
            pts: i64::try_from(self.frames * 40 * 48).unwrap(),
            arrival_mono_ns: self.frames * 40 * MS + MS,
            lost_packets,
            data: &[1, 2, 3],
        };
        self.normalizer.audio(&mut self.kept, &frame)
    }

    fn tainted(&self) -> Vec<bool> {
        self.kept.aus.iter().map(|au| au.flags.tainted).collect()
    }
}

#[test]
fn what_comes_before_the_first_key_frame_is_left_out() {
    let mut camera = Camera::h264();
    assert_eq!(camera.frame(&inter(), 0), FrameOutcome::Skipped);
    assert_eq!(camera.sound(0), FrameOutcome::Skipped);
    assert_eq!(camera.kept.epochs, 0);
    assert_eq!(camera.frame(&idr(), 0), FrameOutcome::Stored);
    assert_eq!(camera.frame(&inter(), 0), FrameOutcome::Stored);
    assert_eq!(camera.sound(0), FrameOutcome::Stored);
    let keys: Vec<bool> = camera.kept.aus.iter().map(|au| au.flags.key).collect();
    assert_eq!(keys, [true, false, true]);
    assert_eq!(camera.kept.epochs, 1);
}

#[test]
fn parameters_missing_from_the_description_are_waited_for() {
    let mut camera = Camera::h264();
    camera.normalizer = Normalizer::new(Codec::H264, None);
    assert_eq!(camera.frame(&idr(), 0), FrameOutcome::Skipped);
    camera
        .normalizer
        .set_params(params(Codec::H264, &[1, 66, 0, 40]));
    assert_eq!(camera.frame(&idr(), 0), FrameOutcome::Stored);
}

#[test]
fn new_parameters_are_a_new_generation_and_the_same_again_are_not() {
    let mut camera = Camera::h264();
    camera.frame(&idr(), 0);
    camera
        .normalizer
        .set_params(params(Codec::H264, &[1, 77, 0, 40]));
    camera.frame(&inter(), 0);
    camera
        .normalizer
        .set_params(params(Codec::H264, &[1, 77, 0, 31]));
    camera.frame(&idr(), 0);
    camera.sound(0);
    let generations: Vec<u32> = camera.kept.aus.iter().map(|au| au.generation).collect();
    assert_eq!(generations, [1, 1, 2, 3]);
}

#[test]
fn an_access_unit_without_a_picture_is_left_out_and_its_loss_is_not_forgotten() {
    let mut camera = Camera::h264();
    camera.frame(&idr(), 0);
    assert_eq!(camera.frame(&nal(&[6, 5, 1, 0]), 7), FrameOutcome::Skipped);
    camera.frame(&inter(), 1);
    assert_eq!(camera.kept.aus[1].lost_packets, 8);
    assert!(camera.kept.aus[1].flags.tainted);
}

#[test]
fn after_a_loss_everything_up_to_the_next_key_frame_is_tainted() {
    let mut camera = Camera::h264();
    for (au, lost) in [
        (idr(), 0),
        (inter(), 0),
        (inter(), 3),
        (inter(), 0),
        (idr(), 0),
        (inter(), 0),
    ] {
        camera.frame(&au, lost);
    }
    assert_eq!(camera.tainted(), [false, false, true, true, false, false]);
    assert_eq!(camera.kept.aus[2].lost_packets, 3);
}

#[test]
fn a_key_frame_that_comes_whole_after_a_loss_is_one() {
    let mut camera = Camera::h264();
    camera.frame(&idr(), 0);
    camera.frame(&idr(), 5);
    assert!(camera.kept.aus[1].flags.key && !camera.kept.aus[1].flags.tainted);
}

#[test]
fn a_key_frame_that_lost_its_front_is_none() {
    let mut camera = Camera::h264();
    camera.frame(&idr(), 0);
    camera.frame(&nal(&[0x65, 0x11, 1]), 5);
    let flags = camera.kept.aus[1].flags;
    assert!(!flags.key && flags.tainted);
    let mut h265 = Camera::h265();
    h265.frame(&nal(&[19 << 1, 1, 0x80]), 0);
    h265.frame(&nal(&[19 << 1, 1, 0x40]), 1);
    h265.frame(&nal(&[19 << 1, 1, 0x80]), 1);
    let keys: Vec<bool> = h265.kept.aus.iter().map(|au| au.flags.key).collect();
    assert_eq!(keys, [true, false, true]);
}

#[test]
fn lost_sound_taints_no_picture() {
    let mut camera = Camera::h264();
    camera.frame(&idr(), 0);
    camera.sound(4);
    camera.frame(&inter(), 0);
    assert_eq!(camera.tainted(), [false; 3]);
    assert_eq!(camera.kept.aus[1].lost_packets, 4);
}

#[test]
fn the_leading_pictures_of_an_open_key_frame_stay_tainted_after_a_loss() {
    let (cra, rasl, trail) = (
        nal(&[21 << 1, 1, 0x80]),
        nal(&[8 << 1, 1, 0x80]),
        nal(&[1 << 1, 1, 0x80]),
    );
    let mut camera = Camera::h265();
    for (au, lost) in [
        (&cra, 0),
        (&trail, 2),
        (&cra, 0),
        (&rasl, 0),
        (&trail, 0),
        (&cra, 0),
        (&rasl, 0),
    ] {
        camera.frame(au, lost);
    }
    assert_eq!(
        camera.tainted(),
        [false, true, false, true, false, false, false]
    );
    assert!(camera.kept.aus[3].flags.rasl && camera.kept.aus[2].flags.open_gop);
}

#[test]
fn a_picture_too_large_for_the_ring_taints_what_follows() {
    let mut camera = Camera::h264();
    camera.kept.limit = Some(100);
    camera.frame(&idr(), 0);
    let huge = nal(&[vec![0x41, 0x9a], vec![9; 200]].concat());
    assert_eq!(
        camera.frame(&huge, 0),
        FrameOutcome::TooLarge { limit: 100 }
    );
    camera.frame(&inter(), 0);
    camera.frame(&idr(), 0);
    assert_eq!(camera.tainted(), [false, false, true, false]);
}

#[test]
fn a_first_key_frame_too_large_for_the_ring_begins_nothing() {
    let mut camera = Camera::h264();
    camera.kept.limit = Some(100);
    let huge = nal(&[vec![0x65, 0x88], vec![9; 200]].concat());
    assert_eq!(
        camera.frame(&huge, 0),
        FrameOutcome::TooLarge { limit: 100 }
    );
    assert_eq!(camera.frame(&inter(), 0), FrameOutcome::Skipped);
}

#[test]
fn a_clock_that_is_set_begins_an_epoch_with_the_frame_that_shows_it() {
    let mut camera = Camera::h264();
    camera.frame(&idr(), 0);
    camera.frame(&inter(), 0);
    let jumped = ReceivedFrame {
        pts: 90_000_000,
        arrival_mono_ns: 120 * MS,
        lost_packets: 0,
        data: &inter(),
    };
    camera.normalizer.video(&mut camera.kept, &jumped);
    let epochs: Vec<u32> = camera.kept.aus.iter().map(|au| au.epoch).collect();
    assert_eq!(epochs, [1, 1, 2]);
    // The parameters are still the same generation.
    assert_eq!(camera.kept.params.len(), 1);
}

#[test]
fn intra_refresh_without_key_frames_is_noticed() {
    let mut camera = Camera::h264();
    let recovery = [nal(&[6, 6, 1, 0x84, 0x80]), inter()].concat();
    assert_eq!(camera.frame(&recovery, 0), FrameOutcome::Skipped);
    assert!(camera.normalizer.only_recovery_points());
    camera.frame(&idr(), 0);
    assert!(!camera.normalizer.only_recovery_points());
}

#[test]
fn sound_is_placed_on_the_videos_timeline() {
    let mut camera = Camera::h264();
    camera.frame(&idr(), 0);
    camera.sound(0);
    let sound = camera.kept.aus[1];
    assert_eq!(sound.alignment, Alignment::Arrival);
    assert_eq!(sound.pts_90k, 3_600 + 90);
    assert_eq!(sound.pts, 40 * 48);
}

#[test]
fn a_packet_of_pcm_stands_where_its_first_sample_does_though_it_comes_when_it_is_full() {
    let mut camera = Camera::h264();
    camera.normalizer = Normalizer::new(Codec::H264, Some(8_000));
    camera
        .normalizer
        .set_params(params(Codec::H264, &[1, 77, 0, 40]));
    let pcm = crate::media::pcm::params(Codec::Pcma, 8_000, 1).unwrap();
    camera.normalizer.set_params(pcm);
    camera.frame(&idr(), 0);
    for n in 0..10_u64 {
        camera.frame(&inter(), 0);
        let begun_ms = 40 + n * 128;
        let frame = ReceivedFrame {
            pts: i64::try_from(begun_ms * 8).unwrap() + 777,
            arrival_mono_ns: (begun_ms + 128) * MS,
            lost_packets: 0,
            data: &[0xd5; 1_024],
        };
        camera.normalizer.audio(&mut camera.kept, &frame);
        let au = camera.kept.aus.last().unwrap();
        assert_eq!(au.pts_90k, i64::try_from(begun_ms * 90).unwrap());
        assert_eq!(au.arrival_mono_ns, frame.arrival_mono_ns);
    }
}
