//! A client that looks at the bytes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hindsight::demo::DemoCamera;

pub struct Raw {
    stream: TcpStream,
    input: Vec<u8>,
    sequence: u32,
    url: String,
}

/// An answer's status and all of its text.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

/// An RTP packet of the video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: Vec<u8>,
}

/// Long enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long silence is listened to before it is believed.
const SILENCE: Duration = Duration::from_millis(300);

impl Raw {
    pub fn connect(camera: &DemoCamera) -> Raw {
        let stream = TcpStream::connect(camera.addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Raw {
            stream,
            input: Vec::new(),
            sequence: 0,
            url: camera.url().to_string(),
        }
    }

    /// Connected and playing the video over TCP.
    pub fn play(camera: &DemoCamera) -> Raw {
        let mut raw = Raw::connect(camera);
        for method in ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"] {
            assert_eq!(raw.ask(method).status, 200, "{method}");
        }
        raw
    }

    pub fn say(&mut self, method: &str) {
        self.sequence += 1;
        let (path, transport) = match method {
            "SETUP" => ("/trackID=1", "Transport: RTP/AVP/TCP;interleaved=0-1\r\n"),
            _ => ("", ""),
        };
        let (url, sequence) = (&self.url, self.sequence);
        let text = format!("{method} {url}{path} RTSP/1.0\r\nCSeq: {sequence}\r\n{transport}\r\n");
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Asks, and waits for the answer; packets that come before it are dropped.
    pub fn ask(&mut self, method: &str) -> Answer {
        self.say(method);
        loop {
            if self.input.first() == Some(&b'$') {
                self.take_data();
                continue;
            }
            if let Some(head) = self.input.windows(4).position(|w| w == b"\r\n\r\n") {
                let text = String::from_utf8(self.input[..head].to_vec()).unwrap();
                let body = text
                    .lines()
                    .find_map(|l| l.strip_prefix("Content-Length: "));
                let whole = head + 4 + body.map_or(0, |n| n.parse::<usize>().unwrap());
                while self.input.len() < whole {
                    assert!(self.read());
                }
                let text = String::from_utf8(self.input.drain(..whole).collect()).unwrap();
                let status = text[9..12].parse().unwrap();
                return Answer { status, text };
            }
            assert!(self.read(), "closed instead of an answer to {method}");
        }
    }

    /// The next packet of video; `None` when the camera closes.
    pub fn packet(&mut self) -> Option<Packet> {
        loop {
            let (channel, data) = self.data()?;
            if channel == 0 {
                let word = |at: usize| u32::from_be_bytes(data[at..at + 4].try_into().unwrap());
                return Some(Packet {
                    sequence: u16::from_be_bytes([data[2], data[3]]),
                    timestamp: word(4),
                    ssrc: word(8),
                    payload: data[12..].to_vec(),
                });
            }
        }
    }

    /// The next interleaved data, RTCP too.
    pub fn data(&mut self) -> Option<(u8, Vec<u8>)> {
        while self.input.len() < 4 || self.input.len() < 4 + self.data_len() {
            if !self.read() {
                return None;
            }
        }
        assert_eq!(self.input[0], b'$', "no interleaved data");
        Some(self.take_data())
    }

    fn data_len(&self) -> usize {
        usize::from(u16::from_be_bytes([self.input[2], self.input[3]]))
    }

    fn take_data(&mut self) -> (u8, Vec<u8>) {
        while self.input.len() < 4 || self.input.len() < 4 + self.data_len() {
            assert!(self.read());
        }
        let channel = self.input[1];
        let data = self.input.drain(..4 + self.data_len()).skip(4).collect();
        (channel, data)
    }

    /// False when the camera has closed.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 65_536];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(n) => {
                self.input.extend_from_slice(&buffer[..n]);
                true
            }
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(e) => panic!("nothing came from the camera: {e}"),
        }
    }

    /// The next bytes, whatever they are.
    pub fn bytes(&mut self) -> Vec<u8> {
        if self.input.is_empty() {
            assert!(self.read(), "closed");
        }
        std::mem::take(&mut self.input)
    }

    /// What was received and not yet looked at; after [`Raw::packet`] said `None`, a torn end.
    pub fn rest(&self) -> &[u8] {
        &self.input
    }

    /// True if nothing at all comes for a while, and the connection stays open.
    pub fn is_silent(&mut self) -> bool {
        self.stream.set_read_timeout(Some(SILENCE)).unwrap();
        let mut byte = [0; 1];
        let silent = self.stream.read(&mut byte).is_err_and(|e| {
            matches!(
                e.kind(),
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
            )
        });
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        silent
    }

    /// Reads on until nothing more comes.
    pub fn drain(&mut self) {
        while !self.is_silent() {}
        self.input.clear();
    }
}
