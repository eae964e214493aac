//! The conversation: what the camera says goes to retina mended, what retina says goes to the camera signed.
//! Pure: bytes in, bytes out.
//!
//! Towards the camera all is the relay's own: numbers of requests, passwords, the session's name, keep-alives. Retina
//! knows no password, and hears of a session only that it is there.
//!
//! Not here: sockets (`run`).

use super::super::sentence::{CaptureSentence, QuirkSentence as Quirk, RtspStep};
use super::frames::{BegunAnew, FrameGate};
use super::keepalive::{self, KeepAlive, keeps_up};
use super::mend::{self, OnlyUdp};
use super::quirk::Quirks;
use super::sdp_text;
use super::sign_in::{SignIn, SignInRefusal};
use super::text::{RtspText, StartLine, TextPiece, TextReader};

/// Requests to the camera that may be open.
const MOST_OPEN: usize = 8;
/// Of the stream, while the answer to PLAY has not come.
const MOST_EARLY: usize = 4 * 1024 * 1024;
/// The session's name for retina.
const SESSION: &str = "relay";

/// A request that the camera has not answered yet.
#[derive(Debug)]
struct OpenRequest {
    sequence: u32,
    /// Retina's number for it; `None`: it only keeps the session up.
    asked_as: Option<String>,
    /// As it is sent, but for number and signature.
    request: RtspText,
    signed: bool,
    tries: u32,
}

/// Why the relay ends.
#[derive(Debug, PartialEq, Eq)]
pub enum TalkEnd {
    Quirk(Quirk),
    OnlyUdp,
    BegunAnew,
}

impl From<Quirk> for TalkEnd {
    fn from(quirk: Quirk) -> TalkEnd {
        TalkEnd::Quirk(quirk)
    }
}

impl From<OnlyUdp> for TalkEnd {
    fn from(_: OnlyUdp) -> TalkEnd {
        TalkEnd::OnlyUdp
    }
}

impl From<BegunAnew> for TalkEnd {
    fn from(_: BegunAnew) -> TalkEnd {
        TalkEnd::BegunAnew
    }
}

/// Both sides of the conversation.
pub struct RelayTalk {
    /// What retina takes for the camera's address.
    ours: String,
    /// The camera's, without credentials.
    camera: String,
    from_camera: TextReader,
    from_retina: TextReader,
    sign_in: SignIn,
    keep_alive: KeepAlive,
    gate: FrameGate,
    open: Vec<OpenRequest>,
    sequence: u32,
    /// The camera's name for it.
    session: Option<String>,
    playing: bool,
    early: Vec<u8>,
    pub to_camera: Vec<u8>,
    pub to_retina: Vec<u8>,
    pub quirks: Quirks,
    /// Why it was refused, where retina cannot know.
    pub refusal: Option<CaptureSentence>,
}

impl RelayTalk {
    pub fn new(ours: String, camera: String, sign_in: SignIn) -> RelayTalk {
        RelayTalk {
            ours,
            camera,
            from_camera: TextReader::default(),
            from_retina: TextReader::default(),
            sign_in,
            keep_alive: KeepAlive::default(),
            gate: FrameGate::default(),
            open: Vec::new(),
            sequence: 0,
            session: None,
            playing: false,
            early: Vec::new(),
            to_camera: Vec::new(),
            to_retina: Vec::new(),
            quirks: Quirks::default(),
            refusal: None,
        }
    }

    /// Frames that were not passed on.
    pub fn bad_frames(&self) -> u64 {
        self.gate.bad.sum()
    }

    /// What is being done.
    pub fn step(&self) -> RtspStep {
        let asked = self.open.iter().filter(|open| open.asked_as.is_some());
        let method = asked.map(|open| method_of(&open.request)).next_back();
        match method {
            Some("SETUP") => RtspStep::Setup {},
            Some("PLAY") => RtspStep::Play {},
            _ if self.playing => RtspStep::Read {},
            _ => RtspStep::Describe {},
        }
    }

    /// The reason for people.
    pub fn why(&self, end: TalkEnd) -> CaptureSentence {
        match end {
            TalkEnd::Quirk(what) => CaptureSentence::Misspeaks {
                step: self.step(),
                what,
            },
            TalkEnd::OnlyUdp => CaptureSentence::NoTransport {},
            TalkEnd::BegunAnew => CaptureSentence::OnlyBadPackets {},
        }
    }

    pub fn retina_said(&mut self, bytes: &[u8]) -> Result<(), TalkEnd> {
        self.from_retina.put(bytes);
        let mut quirks = Quirks::default();
        loop {
            match self.from_retina.next(|_| true, &mut quirks)? {
                None => return Ok(()),
                Some(TextPiece::Message(message)) => self.request(message),
                Some(TextPiece::Frame { .. }) => {}
            }
        }
    }

    pub fn camera_said(&mut self, bytes: &[u8]) -> Result<(), TalkEnd> {
        self.from_camera.put(bytes);
        loop {
            let gate = &self.gate;
            let piece = self
                .from_camera
                .next(|channel| gate.knows(channel), &mut self.quirks)?;
            match piece {
                None => return Ok(()),
                Some(TextPiece::Frame { channel, payload }) if self.playing => {
                    self.gate.take(channel, payload, &mut self.to_retina)?;
                }
                // Retina would let it pass, and with it the first key frame.
                Some(TextPiece::Frame { channel, payload }) => {
                    self.gate.take(channel, payload, &mut self.early)?;
                    if self.early.len() > MOST_EARLY {
                        self.early.clear();
                    }
                }
                Some(TextPiece::Message(message)) => self.message(message)?,
            }
        }
    }

    fn request(&mut self, mut request: RtspText) {
        let StartLine::Request { method, uri } = &mut request.start else {
            return;
        };
        if let Some(behind) = uri.strip_prefix(&self.ours) {
            *uri = format!("{}{behind}", self.camera);
        }
        let keeps_up = keeps_up(method);
        let asked_as = request.header("CSeq").map(ToOwned::to_owned);
        if self.playing && keeps_up {
            let mut answer = keepalive::answer(SESSION);
            answer.set("CSeq", asked_as);
            answer.write(&mut self.to_retina);
            let (method, quirk) = self.keep_alive.ask(self.sequence.saturating_add(1));
            quirk.into_iter().for_each(|quirk| self.quirks.met(quirk));
            if let StartLine::Request { method: of, .. } = &mut request.start {
                method.clone_into(of);
            }
            return self.send(request, None, 0);
        }
        self.send(request, asked_as, 0);
    }

    fn send(&mut self, mut request: RtspText, asked_as: Option<String>, tries: u32) {
        self.sequence = self.sequence.saturating_add(1);
        let StartLine::Request { method, uri } = &request.start else {
            return;
        };
        let authorization = self.sign_in.authorization(method, uri);
        let signed = authorization.is_some();
        request.set("CSeq", Some(self.sequence.to_string()));
        request.set("Session", self.session.clone());
        request.set("Authorization", authorization);
        request.write(&mut self.to_camera);
        if self.open.len() >= MOST_OPEN {
            self.open.remove(0);
        }
        self.open.push(OpenRequest {
            sequence: self.sequence,
            asked_as,
            request,
            signed,
            tries,
        });
    }

    fn message(&mut self, message: RtspText) -> Result<(), TalkEnd> {
        match &message.start {
            StartLine::Answer { status, .. } => {
                let status = *status;
                self.answer(message, status)
            }
            StartLine::Request { method, .. } => {
                if !self.playing {
                    self.quirks.met(Quirk::AsksUs {});
                }
                let known = keeps_up(method);
                let mut answer = keepalive::answer("");
                if !known {
                    answer.start = StartLine::Answer {
                        status: 501,
                        reason: "Not Implemented".to_owned(),
                    };
                }
                answer.set("CSeq", message.header("CSeq").map(ToOwned::to_owned));
                answer.set("Session", self.session.clone());
                answer.write(&mut self.to_camera);
                Ok(())
            }
        }
    }

    fn answer(&mut self, answer: RtspText, status: u16) -> Result<(), TalkEnd> {
        if status < 200 {
            return Ok(());
        }
        let Some(open) = self.answered(&answer) else {
            return Ok(());
        };
        if let Some(public) = answer.header("Public") {
            self.keep_alive.understands(public);
        }
        if open.asked_as.is_none() {
            self.keep_alive.answered(open.sequence, status);
        }
        if status == 401 {
            self.refused(open, answer);
            return Ok(());
        }
        if open.signed {
            let quirk = self.sign_in.let_through();
            quirk.into_iter().for_each(|quirk| self.quirks.met(quirk));
            if let Some(value) = answer.header("Authentication-Info") {
                self.sign_in.next_nonce(value);
            }
        }
        match open.asked_as.is_some() {
            true => self.forward(&open, answer, status),
            false => Ok(()),
        }
    }

    /// The request that it answers.
    fn answered(&mut self, answer: &RtspText) -> Option<OpenRequest> {
        let sequence = answer
            .header("CSeq")
            .and_then(|number| number.parse::<u32>().ok());
        let exact = self
            .open
            .iter()
            .position(|open| Some(open.sequence) == sequence);
        if let Some(at) = exact {
            return Some(self.open.remove(at));
        }
        // Without a number, or with that of another: there is rarely more than one that it could be of.
        let at = self.open.iter().position(|open| open.asked_as.is_some());
        let quirk = match (at, self.playing) {
            (None, true) => Quirk::OddKeepAlive {},
            _ => Quirk::OddSequence {},
        };
        self.quirks.met(quirk);
        let at = at.or((!self.open.is_empty()).then_some(0))?;
        Some(self.open.remove(at))
    }

    fn refused(&mut self, open: OpenRequest, answer: RtspText) {
        let values = answer.headers.iter().filter_map(|(name, value)| {
            let asks = name.eq_ignore_ascii_case("WWW-Authenticate");
            asks.then_some(value.as_str())
        });
        let values: Vec<&str> = values.collect();
        match self
            .sign_in
            .refused(&values, open.signed, open.tries, self.playing)
        {
            SignInRefusal::Again(quirk) => {
                quirk.into_iter().for_each(|quirk| self.quirks.met(quirk));
                let tries = open.tries + u32::from(open.signed);
                if open.asked_as.is_none() {
                    self.keep_alive.ask(self.sequence.saturating_add(1));
                }
                return self.send(open.request, open.asked_as, tries);
            }
            SignInRefusal::NoWay => self.refusal = Some(CaptureSentence::NoSignIn { status: 401 }),
            SignInRefusal::Final => {}
        }
        if open.asked_as.is_some() {
            self.pass_on(&open, answer);
        }
    }

    fn forward(
        &mut self,
        open: &OpenRequest,
        mut answer: RtspText,
        status: u16,
    ) -> Result<(), TalkEnd> {
        let method = method_of(&open.request);
        if !(200..300).contains(&status) {
            self.pass_on(open, answer);
            return Ok(());
        }
        match method {
            "DESCRIBE" => self.describe(&open.request, &mut answer),
            "SETUP" => self.setup(&open.request, &mut answer)?,
            "PLAY" => {
                let info = answer.header("RTP-Info").map(ToOwned::to_owned);
                let info = info.and_then(|info| mend::rtp_info(&info, &mut self.quirks));
                answer.set("RTP-Info", info);
            }
            _ => {}
        }
        self.pass_on(open, answer);
        if method == "PLAY" {
            self.playing = true;
            self.to_retina.append(&mut self.early);
        }
        Ok(())
    }

    fn describe(&mut self, request: &RtspText, answer: &mut RtspText) {
        const KIND: &str = "application/sdp";
        if answer
            .header("Content-Type")
            .is_some_and(|kind| kind != KIND)
        {
            self.quirks.met(Quirk::OddContentType {});
        }
        answer.set("Content-Type", Some(KIND.to_owned()));
        let named = answer
            .header("Content-Base")
            .or_else(|| answer.header("Content-Location"));
        let asked = match &request.start {
            StartLine::Request { uri, .. } => uri.as_str(),
            StartLine::Answer { .. } => &self.camera,
        };
        let base = mend::base(named, asked, &mut self.quirks);
        answer.set("Content-Base", Some(base));
        answer.body = sdp_text::mended(&answer.body, &mut self.quirks);
    }

    fn setup(&mut self, request: &RtspText, answer: &mut RtspText) -> Result<(), TalkEnd> {
        let mut asked = Quirks::default();
        let offer = mend::transport(request.header("Transport"), (0, 1), &mut asked)?;
        let ours = offer.channels;
        let set_up = mend::transport(answer.header("Transport"), ours, &mut self.quirks)?;
        self.gate.add(set_up.channels, ours, set_up.sender);
        let transport = format!("RTP/AVP/TCP;unicast;interleaved={}-{}", ours.0, ours.1);
        answer.set("Transport", Some(transport));
        let timeout = match answer.header("Session") {
            Some(value) => {
                let (name, timeout) = mend::session(value, &mut self.quirks);
                if self.session.as_ref().is_some_and(|known| *known != name) {
                    self.quirks.met(Quirk::SessionChanges {});
                }
                self.session = Some(name);
                timeout
            }
            None => {
                self.quirks.met(Quirk::NoSession {});
                60
            }
        };
        answer.set("Session", Some(format!("{SESSION};timeout={timeout}")));
        Ok(())
    }

    fn pass_on(&mut self, open: &OpenRequest, mut answer: RtspText) {
        answer.set("CSeq", open.asked_as.clone());
        // The relay has signed, and retina knows no password.
        answer.set("Authentication-Info", None);
        if method_of(&open.request) != "SETUP" {
            answer.set("Session", None);
        }
        answer.write(&mut self.to_retina);
    }
}

fn method_of(request: &RtspText) -> &str {
    match &request.start {
        StartLine::Request { method, .. } => method,
        StartLine::Answer { .. } => "",
    }
}

#[cfg(test)]
mod tests;
