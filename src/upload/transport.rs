//! A TCP connection that can be left: names are looked up and connections made on a thread of
//! their own, and no read or write waits for longer than a moment before it looks at the stop
//! signal. What counts is progress: a slow upload may take hours, a silent one may not.
//!
//! Not here: HTTP and TLS (ureq and rustls above it).

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

use super::types::Limits;
use crate::base::{Stop, StopLevel};

/// How long nobody looks at the stop signal, at most.
const LOOK: Duration = Duration::from_millis(200);

/// What the kernel may hold of what was sent (it takes twice this). With more, a slow line would
/// look silent for minutes while the kernel sends what it has; this is enough for 80 Mbit/s over
/// 50 ms.
const SEND_BUFFER: usize = 256 << 10;

/// Why there is no connection, or no more.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error("told to stop")]
    Stopped,
    #[error("no address was found for its name: {0}")]
    Lookup(String),
    #[error("{0}")]
    Connect(io::Error),
    #[error("it did not answer within {} s", .0.as_secs())]
    Unanswered(Duration),
    #[error("it took and sent nothing for {} s", .0.as_secs())]
    Silent(Duration),
}

impl TransportError {
    fn into_io(self) -> io::Error {
        io::Error::other(self)
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Error {
        Error::Other(Box::new(error))
    }
}

/// Leaves it to [`TcpConnector`], which can be left, to look names up.
#[derive(Debug)]
pub struct Unresolved;

impl Resolver for Unresolved {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        addresses.push(SocketAddr::from(([0, 0, 0, 0], 0)));
        Ok(addresses)
    }
}

/// Makes connections.
pub struct TcpConnector {
    pub stop: Stop,
    pub limits: Limits,
}

impl fmt::Debug for TcpConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TcpConnector")
    }
}

impl Connector<()> for TcpConnector {
    type Out = TcpTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<TcpTransport>, Error> {
        let host = details.uri.host().unwrap_or_default().to_owned();
        let usual = if details.needs_tls() { 443 } else { 80 };
        let port = details.uri.port_u16().unwrap_or(usual);
        let stream = self.probe(host, port)?;
        stream.set_nodelay(true)?;
        setsockopt(&stream, sockopt::SndBuf, &SEND_BUFFER).map_err(io::Error::from)?;
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_write_timeout(Some(LOOK))?;
        let config = details.config;
        Ok(Some(TcpTransport {
            stream,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            stop: self.stop.clone(),
            idle: self.limits.idle,
        }))
    }
}

impl TcpConnector {
    /// A thread that is left behind ends when the system's lookup or connect does.
    fn probe(&self, host: String, port: u16) -> Result<TcpStream, TransportError> {
        let limit = self.limits.connect;
        let (tell, told) = channel();
        let thread = std::thread::Builder::new().name("upload-connect".to_owned());
        let work = move || {
            // A receiver that is gone has left; the stream closes itself.
            let _ = tell.send(connected(&host, port, limit));
        };
        thread.spawn(work).map_err(TransportError::Connect)?;
        let begun = Instant::now();
        loop {
            match told.recv_timeout(LOOK) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(TransportError::Unanswered(limit));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.stop.level() >= StopLevel::Finish {
                return Err(TransportError::Stopped);
            }
            // Each of the addresses has its own limit.
            if begun.elapsed() > limit * 3 {
                return Err(TransportError::Unanswered(begun.elapsed()));
            }
        }
    }
}

fn connected(host: &str, port: u16, limit: Duration) -> Result<TcpStream, TransportError> {
    // Of an IPv6 address, the brackets are the URL's.
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = (name, port).to_socket_addrs();
    let addresses = addresses.map_err(|error| TransportError::Lookup(error.to_string()))?;
    let mut last = TransportError::Lookup("its name has none".to_owned());
    for address in addresses.take(8) {
        last = match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::TimedOut => TransportError::Unanswered(limit),
            Err(error) => TransportError::Connect(error),
        };
    }
    Err(last)
}

pub struct TcpTransport {
    stream: TcpStream,
    buffers: LazyBuffers,
    stop: Stop,
    idle: Duration,
}

impl fmt::Debug for TcpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TcpTransport")
    }
}

/// Nothing moved within [`LOOK`].
fn is_wait(error: &io::Error) -> bool {
    use ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

impl TcpTransport {
    /// Whether to go on waiting.
    fn patience(&self, since: Instant) -> Result<(), TransportError> {
        if self.stop.level() >= StopLevel::Finish {
            return Err(TransportError::Stopped);
        }
        if since.elapsed() >= self.idle {
            return Err(TransportError::Silent(self.idle));
        }
        Ok(())
    }
}

impl Transport for TcpTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let mut done = 0;
        let mut moved = Instant::now();
        while done < amount {
            let rest = &self.buffers.output()[done..amount];
            match self.stream.write(rest) {
                Ok(0) => return Err(io::Error::from(ErrorKind::WriteZero).into()),
                Ok(n) => {
                    done += n;
                    moved = Instant::now();
                    // A slow reader takes a little at a time: it must not keep us from leaving.
                    if self.stop.level() >= StopLevel::Finish {
                        return Err(TransportError::Stopped.into_io().into());
                    }
                }
                Err(error) if is_wait(&error) => {
                    self.patience(moved).map_err(TransportError::into_io)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let begun = Instant::now();
        // Only the wait for "100 Continue" has a limit of its own.
        let limit = timeout.after;
        loop {
            let mut step = LOOK;
            if !limit.is_not_happening() {
                let left = limit.saturating_sub(begun.elapsed());
                if left.is_zero() {
                    return Err(Error::Timeout(timeout.reason));
                }
                step = step.min(left);
            }
            self.stream.set_read_timeout(Some(step))?;
            match self.stream.read(self.buffers.input_append_buf()) {
                Ok(n) => {
                    self.buffers.input_appended(n);
                    return Ok(n > 0);
                }
                Err(error) if is_wait(&error) => {
                    self.patience(begun).map_err(TransportError::into_io)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn is_open(&mut self) -> bool {
        // A quiet connection has nothing to read: bytes nobody asked for, or its end, spoil it.
        if self.stream.set_nonblocking(true).is_err() {
            return false;
        }
        let quiet =
            matches!(self.stream.peek(&mut [0]), Err(e) if e.kind() == ErrorKind::WouldBlock);
        self.stream.set_nonblocking(false).is_ok() && quiet
    }
}
