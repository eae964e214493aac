//! A proxy between a client and a real HTTP server that makes trouble as a test wants it, and
//! remembers what passed. One request a connection; TLS towards the client if wished.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// With its query.
    pub path: String,
    /// As they came, lower case names.
    pub headers: Vec<(String, String)>,
    /// The n-th since the start, from 0.
    pub number: usize,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    fn length(&self) -> u64 {
        let length = self.header("content-length");
        length.and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

/// What becomes of a request.
#[derive(Clone)]
pub enum Fate {
    Pass,
    /// The connection is reset when so many bytes of the body have come.
    ResetAfter(u64),
    /// It reaches the server, whose answer is lost.
    LoseAnswer,
    /// It is answered like this, whole, without the server.
    Answer(String),
    /// So many bytes of the body are taken, then nothing more ever.
    StallAfter(u64),
    /// The body passes in small pieces with this pause between them.
    Slow(Duration),
    /// The head of the server's answer is changed.
    Edit(fn(String) -> String),
    /// The byte at this place of the body arrives changed.
    Spoil(u64),
    /// When the server has got so many bytes of the body the blow falls, and both connections
    /// end.
    StrikeIn(u64, Blow),
    /// When the server has answered the blow falls, and nobody hears the answer.
    StrikeBehind(Blow),
}

pub type Blow = Arc<dyn Fn() + Send + Sync>;

/// What becomes of a request.
pub type Decide = dyn Fn(&Seen) -> Fate + Send + Sync;

struct Inner {
    upstream: String,
    decide: Box<Decide>,
    seen: Mutex<Vec<Seen>>,
    body_bytes: AtomicU64,
    tls: Option<Arc<rustls::ServerConfig>>,
}

/// Ends with the process; its listener closes with the last clone.
#[derive(Clone)]
pub struct Proxy {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

trait Wire: Read + Write {
    fn reset(&mut self);
}

impl Wire for TcpStream {
    fn reset(&mut self) {
        let at_once = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        let _ = setsockopt(self, sockopt::Linger, &at_once);
    }
}

impl Wire for rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    fn reset(&mut self) {
        self.sock.reset();
    }
}

impl Proxy {
    /// In front of `upstream` (`host:port`).
    pub fn start(
        upstream: &str,
        tls: Option<Arc<rustls::ServerConfig>>,
        decide: impl Fn(&Seen) -> Fate + Send + Sync + 'static,
    ) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // What waits in the kernel was not taken yet.
        setsockopt(&listener, sockopt::RcvBuf, &(64 << 10)).unwrap();
        let proxy = Proxy {
            address: listener.local_addr().unwrap(),
            inner: Arc::new(Inner {
                upstream: upstream.to_owned(),
                decide: Box::new(decide),
                seen: Mutex::default(),
                body_bytes: AtomicU64::new(0),
                tls,
            }),
        };
        let inner = Arc::clone(&proxy.inner);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), inner) = (stream, Arc::clone(&inner)) else {
                    return;
                };
                std::thread::spawn(move || inner.serve(stream));
            }
        });
        proxy
    }

    pub fn url(&self) -> String {
        let scheme = if self.inner.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// Requests of this method whose path holds `part`.
    pub fn count(&self, method: &str, part: &str) -> usize {
        let seen = self.seen();
        let these = seen
            .iter()
            .filter(|s| s.method == method && s.path.contains(part));
        these.count()
    }

    /// Bytes of bodies that came in.
    pub fn body_bytes(&self) -> u64 {
        self.inner.body_bytes.load(SeqCst)
    }
}

impl Inner {
    fn serve(&self, stream: TcpStream) {
        // Whatever goes wrong here went wrong for the client: it is what the tests are about.
        let _ = match &self.tls {
            None => self.exchange(stream),
            Some(config) => rustls::ServerConnection::new(Arc::clone(config))
                .map_err(io::Error::other)
                .and_then(|tls| self.exchange(rustls::StreamOwned::new(tls, stream))),
        };
    }

    fn exchange(&self, mut client: impl Wire) -> io::Result<()> {
        let (line, headers) = head(&mut client)?;
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let seen = {
            let mut all = self.seen.lock().unwrap();
            let seen = Seen {
                method: word(),
                path: word(),
                headers,
                number: all.len(),
            };
            all.push(seen.clone());
            seen
        };
        let fate = (self.decide)(&seen);
        if seen.header("expect").is_some() && !matches!(fate, Fate::Answer(_)) {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        match fate {
            Fate::Answer(answer) => {
                client.write_all(answer.as_bytes())?;
                client.flush()
            }
            Fate::StallAfter(bytes) => {
                self.body(&mut client, bytes.min(seen.length()), |_| Ok(()))?;
                loop {
                    std::thread::park();
                }
            }
            Fate::ResetAfter(bytes) => {
                self.body(&mut client, bytes.min(seen.length()), |_| Ok(()))?;
                client.reset();
                Ok(())
            }
            fate => self.relay(&mut client, &line, &seen, &fate),
        }
    }

    fn relay(
        &self,
        client: &mut impl Wire,
        line: &str,
        seen: &Seen,
        fate: &Fate,
    ) -> io::Result<()> {
        let mut server = TcpStream::connect(&self.upstream)?;
        let mut text = format!("{line}\r\n");
        let of_the_hop = ["expect", "connection"];
        for (name, value) in seen
            .headers
            .iter()
            .filter(|(n, _)| !of_the_hop.contains(&n.as_str()))
        {
            text += &format!("{name}: {value}\r\n");
        }
        server.write_all(format!("{text}connection: close\r\n\r\n").as_bytes())?;
        let mut through = 0;
        self.body(client, seen.length(), |piece| {
            let (from, to) = (through, through + piece.len() as u64);
            through = to;
            match fate {
                Fate::Slow(pause) => std::thread::sleep(*pause),
                Fate::Spoil(at) if (from..to).contains(at) => {
                    let mut spoilt = piece.to_vec();
                    spoilt[usize::try_from(at - from).unwrap()] ^= 1;
                    return server.write_all(&spoilt);
                }
                Fate::StrikeIn(at, blow) if to > *at => {
                    server.write_all(&piece[..usize::try_from(at - from).unwrap()])?;
                    blow();
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                _ => {}
            }
            server.write_all(piece)
        })?;
        let (line, headers) = head(&mut server)?;
        let mut rest = Vec::new();
        server.read_to_end(&mut rest)?;
        if let Fate::StrikeBehind(blow) = fate {
            blow();
        }
        if matches!(fate, Fate::LoseAnswer | Fate::StrikeBehind(_)) {
            client.reset();
            return Ok(());
        }
        let mut text = format!("{line}\r\n");
        for (name, value) in headers.iter().filter(|(n, _)| n != "connection") {
            text += &format!("{name}: {value}\r\n");
        }
        if let Fate::Edit(edit) = fate {
            text = edit(text);
        }
        client.write_all(format!("{text}connection: close\r\n\r\n").as_bytes())?;
        client.write_all(&rest)?;
        client.flush()
    }

    fn body(
        &self,
        client: &mut impl Wire,
        length: u64,
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut piece = vec![0; 32 << 10];
        let mut left = length;
        while left > 0 {
            let want = usize::try_from(left).unwrap().min(piece.len());
            let read = client.read(&mut piece[..want])?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let bytes = u64::try_from(read).unwrap();
            self.body_bytes.fetch_add(bytes, SeqCst);
            left -= bytes;
            each(&piece[..read])?;
        }
        Ok(())
    }
}

/// First line and headers, byte by byte: what follows is the body's.
fn head(stream: &mut impl Read) -> io::Result<(String, Vec<(String, String)>)> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default().to_owned();
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Ok((first, headers.collect()))
}
