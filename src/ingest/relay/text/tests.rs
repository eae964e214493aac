//! Messages as cameras write them.

#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

/// A message or frame, owned.
#[derive(Debug, PartialEq)]
enum Got {
    Message(RtspText),
    Frame(u8, Vec<u8>),
}

/// All pieces, put in steps of so many bytes.
fn read(bytes: &[u8], step: usize) -> (Vec<Got>, Quirks, Option<Quirk>) {
    let (mut reader, mut quirks, mut all) = (TextReader::default(), Quirks::default(), Vec::new());
    for some in bytes.chunks(step.max(1)) {
        reader.put(some);
        loop {
            match reader.next(|channel| channel < 4, &mut quirks) {
                Ok(Some(TextPiece::Message(message))) => all.push(Got::Message(message)),
                Ok(Some(TextPiece::Frame { channel, payload })) => {
                    all.push(Got::Frame(channel, payload.to_vec()));
                }
                Ok(None) => break,
                Err(end) => return (all, quirks, Some(end)),
            }
        }
    }
    (all, quirks, None)
}

fn headers(text: &str) -> (Vec<(String, String)>, Vec<Quirk>) {
    let (got, quirks, end) = read(text.as_bytes(), usize::MAX);
    assert_eq!(end, None, "{text:?}");
    let [Got::Message(message)] = &got[..] else {
        panic!("{text:?}: {got:?}")
    };
    (message.headers.clone(), quirks.all().to_vec())
}

#[test]
fn each_oddity_of_text_is_read_and_named() {
    let table: &[(&str, Quirk)] = &[
        (
            "RTSP/1.0 200 OK\r\nServer:\r\nCSeq: 1\r\n\r\n",
            Quirk::HeaderWithoutValue {},
        ),
        (
            "RTSP/1.0 200 OK\r\nX-Empty: \t\r\nCSeq: 1\r\n\r\n",
            Quirk::HeaderWithoutValue {},
        ),
        (
            "RTSP/1.0 200 OK\r\n \r\nCSeq: 1\r\n\r\n",
            Quirk::BlankFoldedLine {},
        ),
        (
            "RTSP/1.0 200 OK\r\nno header at all\r\nCSeq: 1\r\n\r\n",
            Quirk::LineWithoutColon {},
        ),
        (
            "RTSP/1.0 200 OK\r\nCSeq : 1\r\n\r\n",
            Quirk::OddHeaderName {},
        ),
        ("RTSP/1.0 200 OK\nCSeq: 1\n\n", Quirk::LineEnds {}),
        ("RTSP/1.0 200\r\nCSeq: 1\r\n\r\n", Quirk::NoReasonPhrase {}),
        (
            "RTSP/1.0  200  OK\r\nCSeq: 1\r\n\r\n",
            Quirk::OddStatusLine {},
        ),
        (
            "RTSP/1.1 200 OK\r\nCSeq: 1\r\n\r\n",
            Quirk::OddStatusLine {},
        ),
        (
            "rtsp/1.0 200 OK\r\nCSeq: 1\r\n\r\n",
            Quirk::OddStatusLine {},
        ),
    ];
    for (text, quirk) in table {
        let (headers, quirks) = headers(text);
        assert_eq!(headers, [("CSeq".to_owned(), "1".to_owned())], "{text:?}");
        assert_eq!(quirks, std::slice::from_ref(quirk), "{text:?}");
    }
    let (folded, quirks) = headers("RTSP/1.0 200 OK\r\nPublic: OPTIONS,\r\n\tPLAY\r\n\r\n");
    assert_eq!(folded[0].1, "OPTIONS, PLAY");
    assert_eq!(quirks, [Quirk::FoldedLine {}]);
}

#[test]
fn text_as_it_should_be_is_no_quirk() {
    let text = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic:OPTIONS\r\nx: y  \r\n\r\n";
    let (headers, quirks) = headers(text);
    assert_eq!((headers.len(), quirks), (3, vec![]));
}

#[test]
fn latin_1_is_read_and_leaves_as_ascii() {
    let bytes = b"RTSP/1.0 200 OK\r\nServer: K\xfcche\r\n\r\n";
    let (got, quirks, _) = read(bytes, 1);
    let [Got::Message(message)] = &got[..] else {
        panic!("{got:?}")
    };
    assert_eq!(message.header("server"), Some("Küche"));
    assert_eq!(quirks.all(), [Quirk::HeaderNotAscii {}]);
    let mut out = Vec::new();
    message.write(&mut out);
    assert_eq!(out, b"RTSP/1.0 200 OK\r\nServer: K?che\r\n\r\n");
}

#[test]
fn messages_and_frames_come_out_however_they_are_cut() {
    let mut bytes = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 3\r\n\r\na=b\r\n".to_vec();
    bytes.extend_from_slice(b"$\x00\x00\x03\x80ab$\x01\x00\x00");
    bytes.extend_from_slice(b"OPTIONS rtsp://h/ RTSP/1.0\r\nCSeq: 7\r\n\r\n$\x02\x00\x01\x80");
    let (whole, quirks, _) = read(&bytes, usize::MAX);
    assert_eq!(whole.len(), 5, "{whole:?}");
    assert_eq!(quirks, Quirks::default());
    let Got::Message(first) = &whole[0] else {
        panic!("{whole:?}")
    };
    assert_eq!(first.body, b"a=b");
    assert_eq!(whole[1], Got::Frame(0, b"\x80ab".to_vec()));
    for step in 1..40 {
        assert_eq!(read(&bytes, step).0, whole, "{step} bytes at a time");
    }
}

#[test]
fn behind_noise_the_stream_is_found_again() {
    let mut bytes = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n".to_vec();
    bytes.extend_from_slice(&[0xff; 300]);
    bytes.extend_from_slice(b"$\x09\x00\x03abc$\x00\x00\x02zz");
    bytes.extend_from_slice(b"$\x00\x00\x03\x80ab");
    let (got, quirks, end) = read(&bytes, 7);
    assert_eq!(end, None);
    assert_eq!(got.last(), Some(&Got::Frame(0, b"\x80ab".to_vec())));
    assert_eq!(got.len(), 2, "{got:?}");
    assert_eq!(quirks.all(), [Quirk::OddBytes {}]);
}

#[test]
fn an_answer_without_end_or_sense_is_given_up_early() {
    let long = |head: &str, unit: &str, times: usize| format!("{head}{}", unit.repeat(times));
    let table = [
        (
            "\x16\x03\x01 what is RTSP? \r\n\r\n".to_owned(),
            Quirk::NotRtsp {},
        ),
        ("HTTP/1.1 200 OK\r\n\r\n".to_owned(), Quirk::NotRtsp {}),
        (long("", "x", 5_000), Quirk::NotRtsp {}),
        (
            long("RTSP/1.0 200 OK\r\nX: ", "x", 9_000),
            Quirk::LongLine {},
        ),
        (
            long("RTSP/1.0 200 OK\r\n", "X-Endless: more\r\n", 5_000),
            Quirk::LongHead {},
        ),
        (
            "RTSP/1.0 200 OK\r\nContent-Length: 4611686018427387904\r\n\r\n".to_owned(),
            Quirk::LongBody {},
        ),
        (
            "RTSP/1.0 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n".to_owned(),
            Quirk::LongBody {},
        ),
    ];
    for (text, quirk) in table {
        for step in [1, 1000] {
            let (got, _, end) = read(text.as_bytes(), step);
            assert_eq!(end, Some(quirk.clone()), "{}", &text[..20]);
            assert_eq!(got, []);
        }
    }
}

#[test]
fn a_length_in_words_is_read_as_far_as_it_is_one() {
    let text = "RTSP/1.0 200 OK\r\nContent-Length: 2 bytes\r\n\r\nab";
    let (got, quirks, _) = read(text.as_bytes(), 3);
    assert!(matches!(&got[..], [Got::Message(message)] if message.body == b"ab"));
    assert_eq!(quirks.all(), [Quirk::OddLength {}]);
}

proptest! {
    #[test]
    fn any_bytes_give_pieces_or_an_end(
        bytes in proptest::collection::vec(any::<u8>(), 0..2_000),
        step in 1_usize..200,
    ) {
        read(&bytes, step);
    }

    #[test]
    fn text_that_was_cut_and_bent_gives_pieces_or_an_end(
        bends in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        step in 1_usize..50,
    ) {
        let mut bytes = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 3\r\n\r\na=b$\x00\x00\x03\x80ab\
            $\x01\x00\x00RTSP/1.0 404 Not Found\r\nSession: 1;timeout=60\r\n\r\n".to_vec();
        for (at, byte) in bends {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for got in read(&bytes, step).0 {
            // What is written again is read again.
            if let Got::Message(message) = got {
                let mut out = Vec::new();
                message.write(&mut out);
                let (again, _, end) = read(&out, usize::MAX);
                prop_assert_eq!(end, None);
                prop_assert_eq!(again.len(), 1);
            }
        }
    }
}
