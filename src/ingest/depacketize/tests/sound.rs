//! Frames of AAC in the forms that cameras send.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_bytes_in_a_packet_of_aac_give_frames_of_at_most_its_size(
        payload in proptest::collection::vec(any::<u8>(), 0..80), mark: bool,
    ) {
        let mut aac = Depacketizer::aac(aac_form(""));
        for (_, data, _) in run(&mut aac, &[(payload.clone(), 0, mark, 0)]).frames {
            prop_assert!(data.len() <= payload.len());
        }
    }
}

fn aac_form(more: &str) -> AacForm {
    AacForm::of(
        &format!("streamtype=5;mode=AAC-hbr;config=1190;{more}"),
        48_000,
    )
    .unwrap()
}

#[test]
fn frames_of_aac_are_found_in_every_form_that_cameras_send() {
    let usual = "sizelength=13;indexlength=3;indexdeltalength=3";
    let frame = [0x21, 0x22, 0x23];
    let adts = [&[0xff, 0xf1, 0x4c, 0x80, 0x01, 0x5f, 0xfc][..], &frame].concat();
    let table: Vec<(&str, &str, Vec<u8>, usize)> = vec![
        ("one", usual, vec![0, 16, 0, 24, 0x21, 0x22, 0x23], 1),
        (
            "two",
            usual,
            vec![0, 32, 0, 24, 0, 24, 0x21, 0x22, 0x23, 0x21, 0x22, 0x23],
            2,
        ),
        ("defaults", "", vec![0, 16, 0, 24, 0x21, 0x22, 0x23], 1),
        (
            "headers counted in bytes",
            usual,
            vec![0, 2, 0, 24, 0x21, 0x22, 0x23],
            1,
        ),
        (
            "low bit rate",
            "mode=AAC-lbr;sizelength=6;indexlength=2;indexdeltalength=2",
            vec![0, 8, 12, 0x21, 0x22, 0x23],
            1,
        ),
        (
            "constant size",
            "sizelength=0;indexlength=0;indexdeltalength=0;constantsize=3",
            frame.repeat(2),
            2,
        ),
        (
            "with a file's header",
            usual,
            [vec![0, 16, 0, 80], adts].concat(),
            1,
        ),
    ];
    for (what, fmtp, payload, count) in table {
        let mut aac = Depacketizer::aac(aac_form(fmtp));
        let seen = run(&mut aac, &[(payload, 5_000, true, 0)]);
        assert_eq!(seen.bytes(), vec![frame.to_vec(); count], "{what}");
        let times: Vec<i64> = seen.frames.iter().map(|(pts, _, _)| *pts).collect();
        assert_eq!(times, [5_000, 6_024][..count], "{what}");
        assert_eq!(aac.faults().total(), 0, "{what}");
    }
    assert_eq!(AacForm::of("mode=AAC-hbr;config=zz", 48_000), None);
    assert_eq!(AacForm::of("mode=AAC-hbr", 48_000), None);
}

#[test]
fn a_frame_of_aac_in_pieces_is_whole_or_missing() {
    let head = [0, 16, 0, 6 << 3];
    let piece = |bytes: &[u8]| [&head[..], bytes].concat();
    let two = |lost| {
        vec![
            (piece(&[1, 2, 3]), 7, false, 0),
            (piece(&[4, 5, 6]), 7, true, lost),
        ]
    };
    let mut aac = Depacketizer::aac(aac_form(""));
    assert_eq!(run(&mut aac, &two(0)).bytes(), [vec![1, 2, 3, 4, 5, 6]]);
    let mut sent = two(1);
    sent.push((vec![0, 16, 0, 8, 9], 8, true, 0));
    let seen = run(&mut aac, &sent);
    assert_eq!(seen.bytes(), [vec![9]]);
    assert!(seen.frames[0].2 >= 1);
}
