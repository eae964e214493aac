//! What ingest says of a camera: why it does not stream, what is odd while it does.
//!
//! Not here: how an error becomes one of these (`error_text`), log lines.

use crate::base::sentence::{Arg, Coded, Sentence, ToArg};

use super::depacketize::{PacketFault, PacketFaults};

crate::sentences! {
    /// Why a camera does not stream, or what is odd while it does.
    pub enum CaptureSentence {
        RefusesConnection { host: String, port: u16, error: String } = "camera_refuses_connection":
            "nothing answers at {host}:{port} ({error}): is RTSP switched on in it, and the port in url right?",
        NameUnknown { host: String, port: u16, error: String } = "camera_name_unknown":
            "nothing answers at {host}:{port} ({error}): no such name; is it spelt right in url? An address like 192.0.2.10 needs no look-up",
        Unreachable { host: String, port: u16, error: String } = "camera_unreachable":
            "nothing answers at {host}:{port} ({error}): is it powered, is its cable in, is the address in url right?",
        NoAnswer { within_s: u64 } = "camera_no_answer": "no answer within {within_s} s",
        WantsPassword { status: u16 } = "camera_wants_password":
            "the camera wants a user name and password ({status}): set username and password_file",
        RefusesPassword { status: u16 } = "camera_refuses_password":
            "the camera refuses the user name or password ({status}): check username and password",
        NoSuchStream {} = "camera_no_such_stream": "the camera has no stream of this name (404): check the path in url",
        OffersNothing {} = "camera_offers_nothing": "the camera offers no stream at all: check the path in url",
        /// No video that is taken.
        OffersNoVideo { offers: String } = "camera_offers_no_video":
            "the camera offers no H.264 or H.265 video (it offers {offers}): set its video encoding to H.264 or H.265",
        Redirects { status: u16 } = "camera_redirects":
            "the camera sends us elsewhere ({status}): put the address it really streams from into url",
        NoBandwidth {} = "camera_no_bandwidth": "the camera has no bandwidth left (453): too many viewers?",
        NoTransport {} = "camera_no_transport":
            "the camera does not offer this transport (461): set transport to the other of tcp and udp",
        Busy {} = "camera_busy": "the camera is busy (503): too many viewers?",
        AnswersStatus { step: RtspStep, status: u16 } = "camera_answers_status": "{step} failed: the camera answers {status}",
        StepFailed { step: RtspStep, error: String } = "camera_step_failed": "{step} failed: {error}",
        Misspeaks { step: RtspStep, what: QuirkSentence } = "camera_misspeaks": "{step} failed: {what}",
        NoSignIn { status: u16 } = "camera_no_sign_in":
            "the camera refuses us ({status}) and does not say how to sign in: allow Digest authentication for RTSP in its settings",
        NeedsRelay { why: QuirkSentence } = "camera_needs_relay": "needs the relay, because {why}",
        NeedsRelayOverTcp { why: QuirkSentence } = "camera_needs_relay_over_tcp":
            "needs the relay, because {why}; the relay reads over TCP only: set transport = \"tcp\"",
        CommaInPath { step: RtspStep, error: String } = "camera_comma_in_path":
            "{step} failed: {error}; a comma in the path of url may be what confuses it: choose another name for the stream",
        PlayNonsense {} = "camera_play_nonsense": "the answer to PLAY makes no sense",
        Closed {} = "camera_closed": "the camera closed the connection",
        OnlyBadPackets {} = "camera_only_bad_packets":
            "it sent only packets that make no sense, or another sender's: it may have started anew",
        PacketsWrong { count: u64, most: PacketSentence } = "camera_packets_wrong":
            "wrong packets: {count}, most of them {most}; what could not be taken was left out",
        ClockStepsBack {} = "camera_clock_steps_back":
            "its clock steps back, which its own stream does not allow: the pictures concerned are shown at times made even, and their clips say so",
        Stalled { silent_s: u64 } = "camera_stalled": "no picture for {silent_s} s",
        NoParameters {} = "camera_no_parameters": "the camera sends pictures but no parameter sets: nothing can be decoded",
        OnlyRecoveryPoints {} = "camera_only_recovery_points":
            "the camera sends recovery points (intra refresh) and no key frames: clips need key frames; set its I-frame interval (GOP) to 1 or 2 s and switch intra refresh off",
        NoKeyFrame {} = "camera_no_key_frame":
            "the camera sends pictures but no key frame: set its I-frame interval (GOP) to 1 or 2 s",
        ProgramFault {} = "camera_program_fault": "a fault in this program ended the connection",
        ReaderEnded { code: i64 } = "camera_reader_ended": "the process that reads it ended with code {code}",
        ReaderKilled { signal: String } = "camera_reader_killed": "the process that reads it was killed by {signal}",
        ReaderMemory { limit_mb: u64 } = "camera_reader_memory":
            "what it sends needed more than {limit_mb} MB of memory: the process that reads it was ended",
        ReadersMemory { limit_mb: u64 } = "camera_readers_memory":
            "all cameras together needed more than {limit_mb} MB of memory ([ingest] memory): the process that reads it was ended, which had most",
        ReaderHung { silent_s: u64 } = "camera_reader_hung":
            "the process that reads it stood still for {silent_s} s and was ended",
        ReaderNonsense { what: String } = "camera_reader_nonsense":
            "the process that reads it made no sense and was ended: {what}",
        ReaderNotStarted { error: String } = "camera_reader_not_started":
            "no process can be started that reads it: {error}",
        ReaderWithoutRing { error: String } = "camera_reader_without_ring": "its ring cannot be opened: {error}",
        ReaderShared {} = "camera_reader_shared": "the process that reads it was ended for another camera",
        ReaderHeavy {} = "camera_reader_heavy": "it is so much work that it gets a process of its own",
        GivenUp { why: Sentence } = "camera_given_up": "{why}; given up after reconnect.max_attempts",
        TrackLeftOut { media: String, encoding: String } = "camera_track_left_out":
            "its {media} track in {encoding} is left out: of pictures H.264 and H.265 are taken, of sound AAC, and G.711 and L16 of 8 to 48 kHz in one or two channels",
        SecondTrackLeftOut { media: String, encoding: String } = "camera_second_track_left_out":
            "its {media} track in {encoding} is left out: one track of each kind is taken, the first picture and the sound that belongs to it",
        MoreTracksLeftOut { more: u64 } = "camera_more_tracks_left_out": "{more} more of its tracks are left out",
        TalkBackLeftOut { encoding: String } = "camera_talk_back_left_out":
            "its audio track in {encoding} is left out: it is for talking to the camera",
        SoundOff { encoding: String } = "camera_sound_off": "its sound in {encoding} is left out: sound = \"off\" says so",
        SoundAsBefore { encoding: String } = "camera_sound_as_before":
            "its sound in {encoding} is left out, as it was before the update that can record it: voices are personal data; write sound = \"auto\" below its [[camera]] to record it, or sound = \"off\"",
        /// A word of advice, in `check`.
        SoundIsPcm { encoding: String } = "camera_sound_is_pcm":
            "its sound comes in {encoding}: clips carry it as FLAC, without loss, and marked videos as AAC; voices are personal data, sound = \"off\" leaves them out; for AAC from the camera choose it as audio encoding in the camera's settings (Audio, or Video & Audio)",
        BitrateAboveRing { sends_bps: Bitrate, sized_bps: Bitrate, holds_s: u64, seconds: u32 } = "camera_bitrate_above_ring":
            "the camera sends {sends_bps} and the ring is sized for {sized_bps}: it holds about {holds_s} s instead of {seconds} s; lower the camera's bitrate or raise ring.max_bitrate",
        KeyFramesFarApart { apart_ms: TenthsOfSecond, window_s: u64, needs_s: u64, holds_s: u64 } = "camera_key_frames_far_apart":
            "key frames are up to {apart_ms} s apart: a clip of {window_s} s needs {needs_s} s in the ring, which holds about {holds_s} s; set the camera's I-frame interval (GOP) to 1 or 2 s and switch \"Smart codec\" or \"H.264+\" off, or raise ring.seconds",
    }
}

crate::sentences! {
    /// What is wrong with a camera's packets.
    pub enum PacketSentence {
        Empty {} = "packet_empty": "empty",
        Reserved {} = "packet_reserved": "of a kind that its coding does not have",
        Broken {} = "packet_broken": "with lengths inside that go beyond their end",
        Fragment {} = "packet_fragment": "pieces of a picture whose others did not come",
        AnnexB {} = "packet_annex_b": "with start codes, as in files (these were taken)",
        Endless {} = "packet_endless": "of a picture that never ended",
        BadSet {} = "packet_bad_set": "with parameter sets that cannot be read",
        UnknownSet {} = "packet_unknown_set": "of pictures that name a parameter set that never came: nothing can decode them",
        MarkerTooEarly {} = "packet_marker_too_early": "marked as a picture's last before its end",
        Foreign {} = "packet_foreign": "another sender's, out of order, or with a header that makes no sense",
    }
}

impl From<PacketFault> for PacketSentence {
    fn from(fault: PacketFault) -> PacketSentence {
        match fault {
            PacketFault::Empty => PacketSentence::Empty {},
            PacketFault::Reserved => PacketSentence::Reserved {},
            PacketFault::Broken => PacketSentence::Broken {},
            PacketFault::Fragment => PacketSentence::Fragment {},
            PacketFault::AnnexB => PacketSentence::AnnexB {},
            PacketFault::Endless => PacketSentence::Endless {},
            PacketFault::BadSet => PacketSentence::BadSet {},
            PacketFault::UnknownSet => PacketSentence::UnknownSet {},
            PacketFault::MarkerTooEarly => PacketSentence::MarkerTooEarly {},
            PacketFault::Foreign => PacketSentence::Foreign {},
        }
    }
}

impl ToArg for PacketSentence {
    fn to_arg(&self) -> Arg {
        self.sentence().to_arg()
    }
}

crate::sentences! {
    /// What was being done when a camera's answer came, or none.
    pub enum RtspStep {
        Describe {} = "camera_step_describe": "connecting",
        Setup {} = "camera_step_setup": "setting up the stream",
        Play {} = "camera_step_play": "starting the stream",
        Read {} = "camera_step_read": "reading the stream",
    }
}

crate::sentences! {
    /// What is odd about a camera's RTSP: what retina refuses, and the relay mends where it can.
    pub enum QuirkSentence {
        HeaderWithoutValue {} = "camera_quirk_header_without_value": "its answer has a header without a value",
        BlankFoldedLine {} = "camera_quirk_blank_folded_line": "its answer has a line of blanks among the headers",
        FoldedLine {} = "camera_quirk_folded_line": "its answer breaks a header into two lines",
        LineWithoutColon {} = "camera_quirk_line_without_colon": "its answer has a line that is no header",
        OddHeaderName {} = "camera_quirk_odd_header_name": "its answer has a header whose name has blanks or signs in it",
        HeaderNotAscii {} = "camera_quirk_header_not_ascii": "its answer has a header that is no plain text",
        LineEnds {} = "camera_quirk_line_ends": "its answer ends lines in a way of its own",
        NoReasonPhrase {} = "camera_quirk_no_reason_phrase": "its answer has a status without words",
        OddStatusLine {} = "camera_quirk_odd_status_line": "the first line of its answer is written in a way of its own",
        OddLength {} = "camera_quirk_odd_length": "its answer does not say how long it is",
        OddSequence {} = "camera_quirk_odd_sequence": "its answer does not say what it is the answer to",
        AsksUs {} = "camera_quirk_asks_us": "it asks us something before it answers",
        NoSession {} = "camera_quirk_no_session": "its answer names no session",
        SessionChanges {} = "camera_quirk_session_changes": "it changes the name of the session",
        OddSession {} = "camera_quirk_odd_session": "how long its sessions last is written in a way of its own",
        TimeoutZero {} = "camera_quirk_timeout_zero": "it says that its sessions last 0 s",
        OddTransport {} = "camera_quirk_odd_transport": "its answer describes the transport in a way of its own",
        OtherSender {} = "camera_quirk_other_sender": "its packets come from another sender (SSRC) than its answer says",
        OddRtpInfo {} = "camera_quirk_odd_rtp_info": "its answer says in a way of its own where the stream begins",
        OddContentType {} = "camera_quirk_odd_content_type": "it calls the description of its stream by another name",
        OddContentBase {} = "camera_quirk_odd_content_base": "it names an address that is none",
        SdpNotText {} = "camera_quirk_sdp_not_text": "the description of its stream is not in UTF-8",
        SdpNegativePort {} = "camera_quirk_sdp_negative_port": "the description of its stream has a negative port",
        OddSdp {} = "camera_quirk_odd_sdp": "the description of its stream has lines that are not as they should be",
        DigestAlgorithm {} = "camera_quirk_digest_algorithm": "it wants the algorithm of the password's digest named",
        NonceOnce {} = "camera_quirk_nonce_once": "it wants the password anew for each request",
        NonceExpires {} = "camera_quirk_nonce_expires": "it wants the password anew while it streams",
        OddChallenge {} = "camera_quirk_odd_challenge": "it asks for the password in a way of its own",
        SilentKeepAlive {} = "camera_quirk_silent_keep_alive": "it does not answer when it is asked to keep the stream up",
        OddKeepAlive {} = "camera_quirk_odd_keep_alive": "it answers oddly when it is asked to keep the stream up",
        OddBytes {} = "camera_quirk_odd_bytes": "it sends bytes that are neither an answer nor part of the stream",
        NotRtsp {} = "camera_quirk_not_rtsp": "what it answers is no RTSP",
        LongLine {} = "camera_quirk_long_line": "a line of its answer is longer than 8 KB",
        LongHead {} = "camera_quirk_long_head": "the headers of its answer are longer than 64 KB",
        LongBody {} = "camera_quirk_long_body": "its answer is longer than 1 MB",
    }
}

crate::sentences! {
    /// How a camera's ring was found at the start.
    pub enum BufferSentence {
        Created {} = "ring_created": "created",
        Adopted { entries: u64 } = "ring_adopted": "adopted with {entries} entries",
        Replaced { why: String } = "ring_replaced": "replaced: {why}",
    }
}

impl CaptureSentence {
    /// What of a camera's packets could not be taken beyond what was `said`; `None` if there is no more.
    pub fn of_packets(faults: &PacketFaults, said: &PacketFaults) -> Option<CaptureSentence> {
        let met = faults.since(said);
        let (most, _) = *met.first()?;
        let counts = met.iter().map(|(_, more)| *more);
        Some(CaptureSentence::PacketsWrong {
            count: counts.fold(0, u64::saturating_add),
            most: most.into(),
        })
    }

    /// The camera wants a user name and password, or others.
    pub fn is_password(&self) -> bool {
        matches!(
            self,
            CaptureSentence::WantsPassword { .. } | CaptureSentence::RefusesPassword { .. }
        )
    }
}

impl ToArg for RtspStep {
    fn to_arg(&self) -> Arg {
        self.sentence().to_arg()
    }
}

impl ToArg for QuirkSentence {
    fn to_arg(&self) -> Arg {
        self.sentence().to_arg()
    }
}

crate::quantities! {
    /// Bits per second; for people in Mbit/s.
    pub struct Bitrate(f, bps: u64) {
        let tenths = bps.saturating_add(50_000) / 100_000;
        write!(f, "{}.{} Mbit/s", tenths / 10, tenths % 10)
    }

    /// Milliseconds; for people in seconds with one decimal.
    pub struct TenthsOfSecond(f, ms: u64) {
        let tenths = ms.saturating_add(50) / 100;
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn quantities_are_numbers_for_programs_and_rounded_for_people() {
        let said = CaptureSentence::BitrateAboveRing {
            sends_bps: Bitrate(16_040_000),
            sized_bps: Bitrate(8_000_000),
            holds_s: 45,
            seconds: 90,
        };
        assert!(said.to_string().starts_with(
            "the camera sends 16.0 Mbit/s and the ring is sized for 8.0 Mbit/s: it holds about 45 s"
        ));
        assert_eq!(said.args()["sends_bps"], Arg::Number(16_040_000));
        assert_eq!(TenthsOfSecond(39_960).to_string(), "40.0");
    }

    #[test]
    fn a_step_is_a_sentence_within_the_sentence() {
        let said = CaptureSentence::AnswersStatus {
            step: RtspStep::Describe {},
            status: 500,
        };
        assert_eq!(
            said.to_string(),
            "connecting failed: the camera answers 500"
        );
        let Arg::Sentence(step) = &said.args()["step"] else {
            panic!("{said:?}")
        };
        assert_eq!(step.code, "camera_step_describe");
    }
}
