//! Whether a camera is read through the relay. Pure: what happened in, what to do out.
//!
//! A camera is called without it first. What retina refuses is tried with the relay at once; if pictures come so,
//! the camera keeps it for as long as the service lives. Where the cause can only be guessed (the camera hung up in
//! the middle of the stream, or says that the password is wrong) the relay is on trial: it stays only if it found
//! something to mend.
//!
//! Not here: calling (`dial`).

use super::super::sentence::{CaptureSentence, QuirkSentence};
use super::quirk;
use crate::base::sentence::{Arg, Sentence};
use crate::config::{Camera, Transport};

/// How a camera is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallWay {
    Direct,
    Relayed,
}

/// What is known of one camera.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayMemory {
    needs: Option<Option<QuirkSentence>>,
    trial: Trial,
    /// A camera that does not answer was tried with it, too: retina waits for ever for an end of a line.
    silence_tried: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trial {
    #[default]
    Never,
    /// The next session goes through the relay.
    Due,
    /// It found nothing.
    InVain,
}

impl RelayMemory {
    /// A camera that hangs up so soon may have found our signature too old.
    const SOON_MS: u64 = 300_000;

    /// By what was said of it.
    pub fn remembered(said: Option<&Sentence>) -> RelayMemory {
        let why = said.and_then(|said| said.args.get("why"));
        let why = why.and_then(|why| match why {
            Arg::Sentence(why) => quirk::by_code(&why.code),
            _ => None,
        });
        RelayMemory {
            needs: said.map(|_| why),
            ..RelayMemory::default()
        }
    }

    pub fn way(&self) -> CallWay {
        match self.needs.is_some() || self.trial == Trial::Due {
            true => CallWay::Relayed,
            false => CallWay::Direct,
        }
    }

    /// A call without it failed so: whether it is tried with it at once.
    pub fn tries_after(&mut self, reason: &CaptureSentence, camera: &Camera) -> bool {
        if camera.transport == Transport::Udp {
            return false;
        }
        match reason {
            CaptureSentence::Misspeaks { .. } => true,
            // One wrong password is not sent again and again.
            CaptureSentence::RefusesPassword { .. } => self.trial == Trial::Never,
            CaptureSentence::NoAnswer { .. } => !std::mem::replace(&mut self.silence_tried, true),
            _ => false,
        }
    }

    /// A call with it failed, too.
    pub fn failed(&mut self, reason: &CaptureSentence) {
        // A camera that nobody reaches just now says nothing about it.
        let answers =
            matches!(reason, CaptureSentence::Misspeaks { .. }) && self.trial == Trial::Due;
        if reason.is_password() || answers {
            self.trial = Trial::InVain;
        }
    }

    /// A call with it, after one without that failed for `reason`, came to a stream.
    pub fn helped(&mut self, reason: &CaptureSentence, mended: Option<QuirkSentence>) {
        let refused = match reason {
            CaptureSentence::Misspeaks { what, .. } => Some(what.clone()),
            // It may just have been slow.
            CaptureSentence::NoAnswer { .. } if mended.is_none() => return,
            _ => None,
        };
        self.needs = Some(mended.or(refused));
    }

    /// A session ended so, after so many milliseconds of pictures.
    pub fn ended(
        &mut self,
        way: CallWay,
        reason: &CaptureSentence,
        streamed_ms: Option<u64>,
        mended: Option<QuirkSentence>,
        camera: &Camera,
    ) {
        if camera.transport == Transport::Udp {
            return;
        }
        match (way, mended) {
            (CallWay::Relayed, Some(mended)) => {
                let known = self.needs.take().flatten();
                self.needs = Some(known.or(Some(mended)));
            }
            (CallWay::Relayed, None) if self.trial == Trial::Due => self.trial = Trial::InVain,
            (CallWay::Relayed, None) => {}
            (CallWay::Direct, _) => {
                if let CaptureSentence::Misspeaks { what, .. } = reason {
                    self.needs = Some(Some(what.clone()));
                }
                // Not one was of the sender that it had announced.
                if matches!(reason, CaptureSentence::OnlyBadPackets {}) && streamed_ms.is_none() {
                    self.needs = Some(Some(QuirkSentence::OtherSender {}));
                }
                let soon = streamed_ms.is_some_and(|ms| ms < Self::SOON_MS);
                let signs = camera.credentials.is_some();
                let closed = matches!(reason, CaptureSentence::Closed {});
                if closed && soon && signs && self.trial == Trial::Never {
                    self.trial = Trial::Due;
                }
            }
        }
    }

    /// The words for it, where it is needed; `mended` is what the present session met.
    pub fn said(&self, mended: Option<QuirkSentence>) -> Option<CaptureSentence> {
        let why = match &self.needs {
            Some(why) => mended.or_else(|| why.clone())?,
            None => mended?,
        };
        Some(CaptureSentence::NeedsRelay { why })
    }
}

/// What is said of a camera that is read by UDP, where no relay can stand.
pub fn over_udp(reason: CaptureSentence, camera: &Camera) -> CaptureSentence {
    match reason {
        CaptureSentence::Misspeaks { what, .. } if camera.transport == Transport::Udp => {
            CaptureSentence::NeedsRelayOverTcp { why: what }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::super::sentence::RtspStep;
    use super::*;
    use crate::base::{CameraId, Coded};
    use crate::config::{CameraSound, Credentials, Secret};

    fn camera(password: bool, transport: Transport) -> Camera {
        Camera {
            id: CameraId::new("court1").unwrap(),
            name: String::new(),
            court: String::new(),
            url: "rtsp://192.0.2.1/a".parse().unwrap(),
            credentials: password.then(|| Credentials {
                username: "user".to_owned(),
                password: Secret::new("pass"),
            }),
            transport,
            sound: CameraSound::Auto,
            latency_ms: 0,
        }
    }

    fn misspeaks() -> CaptureSentence {
        CaptureSentence::Misspeaks {
            step: RtspStep::Setup {},
            what: QuirkSentence::NoSession {},
        }
    }

    const WRONG: CaptureSentence = CaptureSentence::RefusesPassword { status: 401 };
    const CLOSED: CaptureSentence = CaptureSentence::Closed {};

    #[test]
    fn a_camera_is_called_without_it_and_what_was_refused_is_tried_with_it() {
        let tcp = camera(true, Transport::Tcp);
        let mut memory = RelayMemory::default();
        assert_eq!(memory.way(), CallWay::Direct);
        for (reason, tries) in [
            (misspeaks(), true),
            (WRONG, true),
            (CLOSED, false),
            (CaptureSentence::NoSuchStream {}, false),
            (CaptureSentence::WantsPassword { status: 401 }, false),
            (CaptureSentence::Stalled { silent_s: 5 }, false),
        ] {
            assert_eq!(memory.tries_after(&reason, &tcp), tries, "{reason}");
        }
        memory.helped(&misspeaks(), None);
        assert_eq!(memory.way(), CallWay::Relayed);
        let said = memory.said(None).map(|said| said.sentence());
        assert_eq!(RelayMemory::remembered(said.as_ref()), memory);
        assert_eq!(RelayMemory::remembered(None), RelayMemory::default());
        let why = QuirkSentence::NoSession {};
        assert_eq!(memory.said(None), Some(CaptureSentence::NeedsRelay { why }));
        // For as long as the service lives.
        memory.ended(CallWay::Relayed, &CLOSED, Some(1), None, &tcp);
        memory.failed(&CaptureSentence::Busy {});
        assert_eq!(memory.way(), CallWay::Relayed);
    }

    #[test]
    fn a_camera_that_does_not_answer_is_tried_with_it_once_and_keeps_it_if_that_was_it() {
        let tcp = camera(false, Transport::Tcp);
        let silent = CaptureSentence::NoAnswer { within_s: 10 };
        for mended in [Some(QuirkSentence::LineEnds {}), None] {
            let mut memory = RelayMemory::default();
            assert!(memory.tries_after(&silent, &tcp));
            memory.helped(&silent, mended.clone());
            assert_eq!(memory.way() == CallWay::Relayed, mended.is_some());
            assert!(!memory.tries_after(&silent, &tcp));
        }
    }

    #[test]
    fn a_wrong_password_is_tried_with_it_once() {
        let tcp = camera(true, Transport::Tcp);
        let mut memory = RelayMemory::default();
        assert!(memory.tries_after(&WRONG, &tcp));
        memory.failed(&WRONG);
        assert!(!memory.tries_after(&WRONG, &tcp));
        assert_eq!((memory.way(), memory.said(None)), (CallWay::Direct, None));
        assert!(memory.tries_after(&misspeaks(), &tcp));
    }

    #[test]
    fn a_camera_that_hangs_up_on_who_signs_is_tried_with_it_and_keeps_it_only_if_it_helped() {
        let tcp = camera(true, Transport::Tcp);
        for mended in [Some(QuirkSentence::NonceExpires {}), None] {
            let mut memory = RelayMemory::default();
            memory.ended(CallWay::Direct, &CLOSED, Some(12_000), None, &tcp);
            assert_eq!(memory.way(), CallWay::Relayed);
            memory.ended(
                CallWay::Relayed,
                &CLOSED,
                Some(90_000),
                mended.clone(),
                &tcp,
            );
            let way = memory.way();
            assert_eq!(way == CallWay::Relayed, mended.is_some());
            // Not over and over.
            memory.ended(CallWay::Direct, &CLOSED, Some(12_000), None, &tcp);
            assert_eq!(memory.way(), way);
        }
        let mut memory = RelayMemory::default();
        memory.ended(CallWay::Direct, &CLOSED, Some(3_600_000), None, &tcp);
        memory.ended(
            CallWay::Direct,
            &CLOSED,
            Some(1),
            None,
            &camera(false, Transport::Tcp),
        );
        assert_eq!(memory.way(), CallWay::Direct);
    }

    #[test]
    fn what_was_refused_in_the_middle_of_the_stream_is_mended_from_the_next_session_on() {
        let tcp = camera(false, Transport::Tcp);
        let mut memory = RelayMemory::default();
        let what = QuirkSentence::SilentKeepAlive {};
        let step = RtspStep::Read {};
        let reason = CaptureSentence::Misspeaks { step, what };
        memory.ended(CallWay::Direct, &reason, Some(60_000), None, &tcp);
        assert_eq!(memory.way(), CallWay::Relayed);
        assert!(
            memory
                .said(None)
                .unwrap()
                .to_string()
                .contains("does not answer")
        );
    }

    #[test]
    fn one_of_whose_packets_none_were_its_own_is_read_through_it() {
        let camera = camera(false, Transport::Tcp);
        let bad = CaptureSentence::OnlyBadPackets {};
        for (streamed_ms, way) in [(Some(5), CallWay::Direct), (None, CallWay::Relayed)] {
            let mut memory = RelayMemory::default();
            memory.ended(CallWay::Direct, &bad, streamed_ms, None, &camera);
            assert_eq!(memory.way(), way, "{streamed_ms:?}");
        }
    }

    #[test]
    fn over_udp_no_relay_can_stand_and_it_is_said() {
        let udp = camera(true, Transport::Udp);
        let mut memory = RelayMemory::default();
        assert!(!memory.tries_after(&misspeaks(), &udp));
        memory.ended(CallWay::Direct, &misspeaks(), None, None, &udp);
        assert_eq!(memory.way(), CallWay::Direct);
        let said = over_udp(misspeaks(), &udp).to_string();
        assert!(said.contains("set transport = \"tcp\""), "{said}");
        assert_eq!(over_udp(WRONG, &udp), WRONG);
    }
}
