//! HTTP over the service's local socket: ureq above a stream that is there already.
//!
//! Not here: where the socket is (`web::local_socket`), what is asked (`client`).

use crate::base::lock;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;

use ureq::Error;
use ureq::config::Config;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// For one request over `stream`.
pub fn agent(config: Config, stream: UnixStream) -> ureq::Agent {
    // The address of the request is a number: nothing is looked up.
    ureq::Agent::with_parts(
        config,
        Once(Mutex::new(Some(stream))),
        DefaultResolver::default(),
    )
}

#[derive(Debug)]
struct Once(Mutex<Option<UnixStream>>);

impl Connector<()> for Once {
    type Out = LocalTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<LocalTransport>, Error> {
        let stream = lock(&self.0).take();
        let stream = stream.ok_or_else(|| io::Error::from(ErrorKind::NotConnected))?;
        let config = details.config;
        Ok(Some(LocalTransport {
            stream,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
        }))
    }
}

struct LocalTransport {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl std::fmt::Debug for LocalTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalTransport")
    }
}

/// What did not come in time is told as that.
fn or_late<T>(done: io::Result<T>, timeout: NextTimeout) -> Result<T, Error> {
    done.map_err(|error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    })
}

impl Transport for LocalTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream
            .set_write_timeout(timeout.not_zero().map(|left| *left))?;
        or_late(
            self.stream.write_all(&self.buffers.output()[..amount]),
            timeout,
        )
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream
            .set_read_timeout(timeout.not_zero().map(|left| *left))?;
        let input = self.buffers.input_append_buf();
        let read = loop {
            match self.stream.read(input) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => break or_late(done, timeout)?,
            }
        };
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    /// Each request has a connection of its own.
    fn is_open(&mut self) -> bool {
        false
    }
}
