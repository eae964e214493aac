//! Bytes → RTSP messages and interleaved frames, as leniently as sense allows and within bounds; and messages
//! → bytes that everybody takes. Pure.
//!
//! Not here: what headers mean (`mend`), whether a frame is worth passing on (`frames`).

use super::super::sentence::QuirkSentence as Quirk;
use super::quirk::Quirks;

/// Of one header.
pub const LONGEST_LINE: usize = 8 * 1024;
/// Of all headers of a message.
pub const LONGEST_HEAD: usize = 64 * 1024;
pub const LONGEST_BODY: usize = 1024 * 1024;
/// Bytes that are neither before the first message; after it, a resend of a lost beginning is longer.
const MOST_NOISE_AT_FIRST: usize = 4 * 1024;
const MOST_NOISE: usize = 1024 * 1024;

/// What a message begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartLine {
    Answer { status: u16, reason: String },
    Request { method: String, uri: String },
}

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtspText {
    pub start: StartLine,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What stood next.
#[derive(Debug, PartialEq, Eq)]
pub enum TextPiece<'a> {
    Message(RtspText),
    Frame { channel: u8, payload: &'a [u8] },
}

impl RtspText {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// In the place of all of this name; `None` takes them out.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        self.headers
            .retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        if let Some(value) = value {
            self.headers.push((name.to_owned(), value));
        }
    }

    /// With the length that it has, and nothing in it that could end a line.
    pub fn write(&self, out: &mut Vec<u8>) {
        let first = match &self.start {
            StartLine::Answer { status, reason } => {
                format!("RTSP/1.0 {status:03} {}", plain(reason))
            }
            StartLine::Request { method, uri } => {
                format!("{} {} RTSP/1.0", plain(method), plain(uri))
            }
        };
        out.extend_from_slice(first.as_bytes());
        out.extend_from_slice(b"\r\n");
        let of_length = |name: &str| name.eq_ignore_ascii_case("Content-Length");
        for (name, value) in self.headers.iter().filter(|(name, _)| !of_length(name)) {
            let value = plain(value);
            if !value.is_empty() {
                out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
        }
        if !self.body.is_empty() {
            let length = format!("Content-Length: {}\r\n", self.body.len());
            out.extend_from_slice(length.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}

/// Printable ASCII: retina takes no other in headers.
fn plain(text: &str) -> String {
    let printable = |c: char| match c {
        ' '..='~' => c,
        _ => '?',
    };
    text.trim().chars().map(printable).collect()
}

/// Text of unknown encoding: UTF-8 where it is, else Latin-1.
pub fn decoded(bytes: &[u8]) -> (String, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), true),
        Err(_) => (bytes.iter().map(|byte| char::from(*byte)).collect(), false),
    }
}

/// A message whose head is not yet whole.
#[derive(Debug)]
struct Head {
    message: RtspText,
    bytes: usize,
    /// Of the body, once the head is whole.
    body: Option<usize>,
}

/// What one side says.
#[derive(Debug, Default)]
pub struct TextReader {
    buffer: Vec<u8>,
    /// Of the buffer, what was taken.
    taken: usize,
    /// Of the buffer, up to where no line ends.
    searched: usize,
    head: Option<Head>,
    noise: usize,
    any: bool,
}

impl TextReader {
    pub fn put(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.searched = self.searched.saturating_sub(self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    /// The next piece that is whole. `assigned`: channels on which frames may come. An error is final.
    pub fn next(
        &mut self,
        assigned: impl Fn(u8) -> bool,
        quirks: &mut Quirks,
    ) -> Result<Option<TextPiece<'_>>, Quirk> {
        loop {
            if let Some(head) = &self.head
                && let Some(body) = head.body
            {
                return Ok(self.whole(body).map(TextPiece::Message));
            }
            if self.head.is_some() {
                match self.line()? {
                    Some(line) => self.header_line(&line, quirks)?,
                    None => return Ok(None),
                }
                continue;
            }
            match begin(self.rest(), &assigned, self.noise > 0) {
                Begin::Nothing => return Ok(None),
                Begin::Blank if self.noise == 0 => self.taken += 1,
                Begin::Blank => self.skip(1, quirks)?,
                Begin::Noise(bytes) => self.skip(bytes, quirks)?,
                Begin::Frame { channel, len } => {
                    let payload = self.taken + 4..self.taken + len;
                    (self.taken, self.noise, self.any) = (payload.end, 0, true);
                    let payload = self.buffer.get(payload).unwrap_or_default();
                    return Ok(Some(TextPiece::Frame { channel, payload }));
                }
                Begin::Text => match self.line()? {
                    Some(line) => self.first_line(&line, quirks)?,
                    None => return Ok(None),
                },
            }
        }
    }

    fn whole(&mut self, body: usize) -> Option<RtspText> {
        let bytes = self.rest().get(..body)?.to_vec();
        let mut message = self.head.take()?.message;
        message.body = bytes;
        self.taken += body;
        (self.noise, self.any) = (0, true);
        Some(message)
    }

    fn skip(&mut self, bytes: usize, quirks: &mut Quirks) -> Result<(), Quirk> {
        self.taken += bytes;
        self.noise += bytes;
        let line = self
            .buffer
            .get(..self.taken)
            .is_some_and(|gone| gone.contains(&b'\n'));
        if !self.any && (line || self.noise > MOST_NOISE_AT_FIRST) || self.noise > MOST_NOISE {
            return Err(Quirk::NotRtsp {});
        }
        if self.any {
            quirks.met(Quirk::OddBytes {});
        }
        Ok(())
    }

    /// Without its end.
    fn line(&mut self) -> Result<Option<Vec<u8>>, Quirk> {
        let from = self.searched.max(self.taken);
        let new = self.buffer.get(from..).unwrap_or_default();
        let Some(end) = new
            .iter()
            .position(|byte| *byte == b'\n')
            .map(|at| from + at)
        else {
            self.searched = self.buffer.len();
            return match self.rest().len() > LONGEST_LINE {
                true => Err(Quirk::LongLine {}),
                false => Ok(None),
            };
        };
        let line = self
            .buffer
            .get(self.taken..end)
            .unwrap_or_default()
            .to_vec();
        (self.taken, self.searched) = (end + 1, end + 1);
        match line.len() > LONGEST_LINE {
            true => Err(Quirk::LongLine {}),
            false => Ok(Some(line)),
        }
    }

    fn first_line(&mut self, line: &[u8], quirks: &mut Quirks) -> Result<(), Quirk> {
        let bytes = line.len();
        let (text, _) = decoded(without_end(line, quirks));
        match start_line(&text, quirks) {
            Some(start) => {
                let message = RtspText {
                    start,
                    headers: Vec::new(),
                    body: Vec::new(),
                };
                self.head = Some(Head {
                    message,
                    bytes,
                    body: None,
                });
                Ok(())
            }
            None => {
                // It was taken; as noise it is counted.
                self.noise += bytes;
                self.skip(0, quirks)
            }
        }
    }

    fn header_line(&mut self, line: &[u8], quirks: &mut Quirks) -> Result<(), Quirk> {
        let Some(head) = &mut self.head else {
            return Ok(());
        };
        head.bytes += line.len();
        if head.bytes > LONGEST_HEAD {
            return Err(Quirk::LongHead {});
        }
        let line = without_end(line, quirks);
        if !line.is_empty() {
            header(&mut head.message.headers, line, quirks);
            return Ok(());
        }
        let body = length(&head.message, quirks);
        head.body = Some(body);
        match body > LONGEST_BODY {
            true => Err(Quirk::LongBody {}),
            false => Ok(()),
        }
    }
}

fn without_end<'a>(line: &'a [u8], quirks: &mut Quirks) -> &'a [u8] {
    line.strip_suffix(b"\r").unwrap_or_else(|| {
        quirks.met(Quirk::LineEnds {});
        line
    })
}

/// One header, or what stands in its place.
fn header(headers: &mut Vec<(String, String)>, line: &[u8], quirks: &mut Quirks) {
    let (text, utf8) = decoded(line);
    if text.trim().is_empty() {
        return quirks.met(Quirk::BlankFoldedLine {});
    }
    if !utf8 || !text.is_ascii() {
        quirks.met(Quirk::HeaderNotAscii {});
    }
    if text.starts_with([' ', '\t']) {
        quirks.met(Quirk::FoldedLine {});
        if let Some((_, value)) = headers.last_mut() {
            *value = format!("{value} {}", text.trim());
        }
        return;
    }
    let Some((name, value)) = text.split_once(':') else {
        return quirks.met(Quirk::LineWithoutColon {});
    };
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        quirks.met(Quirk::OddHeaderName {});
    }
    let name = name.trim();
    let value = value.trim();
    if name.is_empty() || !name.chars().all(token) {
        return;
    }
    if value.is_empty() {
        return quirks.met(Quirk::HeaderWithoutValue {});
    }
    headers.push((name.to_owned(), value.to_owned()));
}

fn length(message: &RtspText, quirks: &mut Quirks) -> usize {
    let Some(said) = message.header("Content-Length") else {
        return 0;
    };
    said.parse().unwrap_or_else(|_| {
        quirks.met(Quirk::OddLength {});
        let digits: String = said.chars().take_while(char::is_ascii_digit).collect();
        match digits.is_empty() {
            true => 0,
            // Too many of them: too long.
            false => digits.parse().unwrap_or(usize::MAX),
        }
    })
}

/// `None`: it is none.
fn start_line(text: &str, quirks: &mut Quirks) -> Option<StartLine> {
    let mut words = text.split_ascii_whitespace();
    let first = words.next()?;
    if is_version(first) {
        let status = words.next()?;
        let status: u16 = status
            .get(..3)?
            .parse()
            .ok()
            .filter(|_| status.len() == 3)?;
        let reason = words.collect::<Vec<_>>().join(" ");
        let exact = text
            .strip_prefix("RTSP/1.0 ")
            .and_then(|rest| rest.get(3..));
        match exact {
            Some(reason) if reason.starts_with(' ') && reason.is_ascii() => {}
            Some("") => quirks.met(Quirk::NoReasonPhrase {}),
            _ => quirks.met(Quirk::OddStatusLine {}),
        }
        let reason = match reason.is_empty() {
            true => "OK".to_owned(),
            false => reason,
        };
        return (100..=999)
            .contains(&status)
            .then_some(StartLine::Answer { status, reason });
    }
    let uri = words.next()?;
    words.next().filter(|version| is_version(version))?;
    Some(StartLine::Request {
        method: first.to_owned(),
        uri: uri.to_owned(),
    })
}

fn is_version(word: &str) -> bool {
    word.get(..5)
        .is_some_and(|name| name.eq_ignore_ascii_case("RTSP/"))
}

/// What the bytes begin with.
enum Begin {
    /// Nothing that could be told yet.
    Nothing,
    Blank,
    Noise(usize),
    /// Whole, with its four bytes of head.
    Frame {
        channel: u8,
        len: usize,
    },
    Text,
}

fn begin(bytes: &[u8], assigned: &impl Fn(u8) -> bool, lost: bool) -> Begin {
    match bytes {
        [] => Begin::Nothing,
        [b'$', rest @ ..] => frame(rest, bytes.len(), assigned, lost),
        [b'\r' | b'\n' | b' ' | b'\t' | 0, ..] => Begin::Blank,
        _ if may_be_text(bytes) => Begin::Text,
        [_, rest @ ..] => {
            let next = |at: &usize| {
                let from = rest.get(*at..).unwrap_or_default();
                from.first() == Some(&b'$') || may_be_text(from)
            };
            Begin::Noise(1 + (0..rest.len()).find(next).unwrap_or(rest.len()))
        }
    }
}

fn frame(rest: &[u8], here: usize, assigned: &impl Fn(u8) -> bool, lost: bool) -> Begin {
    let [channel, high, low, payload @ ..] = rest else {
        // Lost, it may be no frame at all; a few bytes more will tell.
        return Begin::Nothing;
    };
    let len = 4 + usize::from(u16::from_be_bytes([*high, *low]));
    // Any byte may be a `$`: behind noise a frame has to look like one.
    let looks = assigned(*channel) && payload.first().is_none_or(|byte| byte >> 6 == 2);
    if lost && !looks {
        return Begin::Noise(1);
    }
    match here >= len {
        true => Begin::Frame {
            channel: *channel,
            len,
        },
        false => Begin::Nothing,
    }
}

/// The beginning of an answer, or of a request.
fn may_be_text(bytes: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 11] = [
        b"RTSP/",
        b"OPTIONS ",
        b"DESCRIBE ",
        b"ANNOUNCE ",
        b"REDIRECT ",
        b"GET_PARAMETER ",
        b"SET_PARAMETER ",
        b"SETUP ",
        b"PLAY ",
        b"PAUSE ",
        b"TEARDOWN ",
    ];
    BEGINNINGS.iter().any(|beginning| {
        let both = beginning.len().min(bytes.len());
        let (of, here) = (beginning.get(..both), bytes.get(..both));
        both > 0
            && of
                .zip(here)
                .is_some_and(|(of, here)| of.eq_ignore_ascii_case(here))
    })
}

#[cfg(test)]
mod tests;
