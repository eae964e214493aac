//! An update from an address: onto the data disk, and from there as any other file.
//!
//! The file has no name there, so nothing is left of it when this program ends, however it ends.
//! The signature is asked for first. Whatever is asked for, a server that falls silent is given up, and so is one
//! that sends for ever, drop by drop. Redirects are followed, as download pages make them; what comes is believed by its signature
//! alone.
//!
//! Not here: whether it is to be believed (`image`).

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body, http::Response};
use url::Url;

use super::error::UpdateError;
use super::image::{Image, SIGNATURE, SIGNATURE_BYTES};
use super::install::InstallStep;
use crate::base::redact::redacted;
use crate::disk::{Disk, mounted};

/// Stays free for clips that come meanwhile.
const KEEP: u64 = 512 << 20;
/// No slot is larger.
const MOST: u64 = 8 << 30;
const PIECE: usize = 256 << 10;
/// How long a signature may take in all.
const SIGNATURE_WITHIN: Duration = Duration::from_secs(120);
/// How long an update may take in all: 700 MB at 50 kB/s.
const WITHIN: Duration = Duration::from_secs(4 * 3600);

/// Where from, where to, and how patiently.
#[derive(Clone, Debug)]
pub struct Fetch {
    url: Url,
    /// Of the storage, on the data disk.
    folder: PathBuf,
    /// In which not one byte comes.
    pub idle: Duration,
    /// For all of a signature.
    pub signature_within: Duration,
    /// For all of an update.
    pub within: Duration,
}

impl Fetch {
    /// Whether `from` is an address, and no file.
    pub fn is_address(from: &str) -> bool {
        from.contains("://")
    }

    /// `storage` is the configuration's `[storage] path`.
    pub fn new(from: &str, storage: &Path) -> Result<Fetch, UpdateError> {
        let wrong = |why: &str| UpdateError::Fetch {
            url: redacted(from),
            why: why.to_owned(),
        };
        let url = Url::parse(from).map_err(|_| wrong("is no address"))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(wrong("must begin with https:// or http://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("must have no user name and no password in it"));
        }
        Ok(Fetch {
            url,
            folder: storage.to_owned(),
            idle: Duration::from_secs(60),
            signature_within: SIGNATURE_WITHIN,
            within: WITHIN,
        })
    }

    fn signature(&self) -> Result<String, UpdateError> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{SIGNATURE}", self.url.path()));
        let deadline = Deadline::new(self.signature_within);
        let response = self.ask(&url, deadline)?;
        match response.status().as_u16() {
            200 => {}
            404 | 410 => {
                return Err(UpdateError::NoSignature {
                    from: shown(&self.url),
                    signature: shown(&url),
                });
            }
            _ => return Err(self.wrong(&url, answered(&response))),
        }
        let pieces =
            reading(response.into_body()).map_err(UpdateError::io("reading", &self.folder))?;
        let mut text = Vec::new();
        while let Some(piece) = self.next(&url, &pieces, deadline)? {
            text.extend(piece);
            if text.len() as u64 > SIGNATURE_BYTES {
                return Err(self.wrong(&url, "it is far too long for a signature".to_owned()));
            }
        }
        let text = String::from_utf8(text);
        text.map_err(|_| self.wrong(&url, "it is no text".to_owned()))
    }

    /// The update with its signature, unproved.
    pub fn fetch(
        &self,
        disk: &Disk,
        tell: &mut dyn FnMut(InstallStep),
    ) -> Result<Image, UpdateError> {
        let folder = self.place()?;
        let signature = self.signature()?;
        let deadline = Deadline::new(self.within);
        let response = self.ask(&self.url, deadline)?;
        if response.status().as_u16() != 200 {
            return Err(self.wrong(&self.url, answered(&response)));
        }
        let total = response.body().content_length();
        self.has_room(disk, &folder, total.unwrap_or(0))?;
        let file = nameless(&folder).map_err(UpdateError::io("making a file in", &folder))?;
        let pieces =
            reading(response.into_body()).map_err(UpdateError::io("reading for", &folder))?;
        let mut next = || self.next(&self.url, &pieces, deadline);
        let len = self.take(&mut next, &file, &folder, total, (disk, tell))?;
        Ok(Image {
            from: shown(&self.url),
            file,
            len,
            signature,
        })
    }

    /// The folder for unfinished files where the service has made it.
    fn place(&self) -> Result<PathBuf, UpdateError> {
        let cannot = |why: String| UpdateError::Storage {
            folder: self.folder.clone(),
            why,
        };
        if let Some(point) = mounted::missing_mount(&self.folder) {
            return Err(cannot(format!("{} is not mounted", point.display())));
        }
        if !self.folder.is_dir() {
            return Err(cannot("there is no such folder".to_owned()));
        }
        let tmp = self.folder.join("tmp");
        Ok(match tmp.is_dir() {
            true => tmp,
            false => self.folder.clone(),
        })
    }

    fn has_room(&self, disk: &Disk, folder: &Path, need: u64) -> Result<(), UpdateError> {
        let space = disk.space(folder);
        let space = space.map_err(UpdateError::io("looking at", folder))?;
        if space.free >= need.saturating_add(KEEP) {
            return Ok(());
        }
        Err(UpdateError::NoRoom {
            folder: folder.to_owned(),
            free: space.free,
            need: need.saturating_add(KEEP),
            keep: KEEP,
        })
    }

    fn agent(&self) -> Agent {
        let system = rustls_native_certs::load_native_certs().certs;
        let roots = system
            .iter()
            .map(|der| Certificate::from_der(der).to_owned());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::Specific(Arc::new(roots.collect())))
            .build();
        Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(5)
            .timeout_resolve(Some(Duration::from_secs(20)))
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_recv_response(Some(self.idle))
            .user_agent(concat!("hindsight/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .build()
            .into()
    }

    fn wrong(&self, url: &Url, why: String) -> UpdateError {
        UpdateError::Fetch {
            url: shown(url),
            why,
        }
    }

    fn ask(&self, url: &Url, deadline: Deadline) -> Result<Response<Body>, UpdateError> {
        let request = self.agent().get(url.as_str()).config();
        let answer = request.timeout_global(Some(deadline.within)).build().call();
        answer.map_err(|error| self.wrong(url, words(&error)))
    }

    /// The next piece of an answer; `None`: that was all.
    fn next(
        &self,
        url: &Url,
        pieces: &Pieces,
        deadline: Deadline,
    ) -> Result<Option<Vec<u8>>, UpdateError> {
        let late = || {
            let within = deadline.within.as_secs();
            self.wrong(url, format!("it had not come within {within} s"))
        };
        let Some(left) = deadline.left() else {
            return Err(late());
        };
        match pieces.recv_timeout(self.idle.min(left)) {
            Ok(Ok(piece)) => Ok(Some(piece)),
            Ok(Err(_)) if deadline.left().is_none() => Err(late()),
            Ok(Err(error)) => Err(self.wrong(url, format!("the connection broke: {error}"))),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) if deadline.left().is_none() => Err(late()),
            Err(RecvTimeoutError::Timeout) => {
                let idle = self.idle.as_secs();
                Err(self.wrong(url, format!("nothing came for {idle} s")))
            }
        }
    }

    /// Writes what comes into `file`; how much it was.
    fn take(
        &self,
        next: &mut dyn FnMut() -> Result<Option<Vec<u8>>, UpdateError>,
        file: &fs::File,
        folder: &Path,
        total: Option<u64>,
        (disk, tell): (&Disk, &mut dyn FnMut(InstallStep)),
    ) -> Result<u64, UpdateError> {
        let wrong = |why: String| self.wrong(&self.url, why);
        let mut done = 0;
        while let Some(piece) = next()? {
            let written = file.write_all_at(&piece, done);
            written.map_err(UpdateError::io("writing to", folder))?;
            let before = done;
            done += piece.len() as u64;
            if done > MOST {
                return Err(wrong("it does not end".to_owned()));
            }
            if total.is_none() && before / KEEP != done / KEEP {
                self.has_room(disk, folder, 0)?;
            }
            tell(InstallStep::Fetching { done, total });
        }
        match total {
            Some(total) if total != done => Err(wrong(format!(
                "only {done} of {total} bytes came; try again"
            ))),
            _ => Ok(done),
        }
    }
}

/// When an answer must have come.
#[derive(Clone, Copy)]
struct Deadline {
    within: Duration,
    begun: Instant,
}

impl Deadline {
    fn new(within: Duration) -> Deadline {
        Deadline {
            within,
            begun: Instant::now(),
        }
    }

    /// `None`: it is over.
    fn left(&self) -> Option<Duration> {
        let left = self.within.checked_sub(self.begun.elapsed())?;
        (!left.is_zero()).then_some(left)
    }
}

/// What comes of an answer.
type Pieces = Receiver<io::Result<Vec<u8>>>;

/// Reads on a thread of its own: a server that falls silent must not keep anybody.
fn reading(body: Body) -> io::Result<Pieces> {
    let (send, receive) = sync_channel(4);
    let work = move || {
        let mut reader = body.into_reader();
        loop {
            let mut piece = vec![0; PIECE];
            let told = match reader.read(&mut piece) {
                Ok(0) => return,
                Ok(n) => {
                    piece.truncate(n);
                    send.send(Ok(piece))
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let _ = send.send(Err(error));
                    return;
                }
            };
            if told.is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("update-fetch".to_owned());
    thread.spawn(work)?;
    Ok(receive)
}

/// A file that has no name any more.
fn nameless(folder: &Path) -> io::Result<fs::File> {
    let path = folder.join(format!("update-{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Without what may be secret in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    redacted(url.as_str())
}

fn answered(response: &Response<Body>) -> String {
    let status = response.status();
    match status.as_u16() {
        404 | 410 => "there is no such file on that server".to_owned(),
        _ => format!("the server answered {status}"),
    }
}

fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => {
            "no address was found for its name; is there a network, and a DNS server?".to_owned()
        }
        ureq::Error::ConnectionFailed => "it cannot be reached".to_owned(),
        ureq::Error::TooManyRedirects => {
            "the server sends from one address to the next without end".to_owned()
        }
        ureq::Error::Timeout(_) => "it does not answer".to_owned(),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            "it refuses connections".to_owned()
        }
        ureq::Error::Tls(error) => format!("its certificate is not trusted: {error}"),
        ureq::Error::Rustls(error) => {
            format!("its certificate is not trusted: {error}; is this box's clock right?")
        }
        // Its words could repeat the address.
        ureq::Error::BadUri(_) => "is no address".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_and_an_address_are_told_apart() {
        assert!(Fetch::is_address("https://example.com/x.hsu"));
        assert!(!Fetch::is_address("/media/usb/hindsight-0.2.0-arm64.hsu"));
        let wrong = |from: &str| Fetch::new(from, Path::new("/")).unwrap_err().to_string();
        assert!(wrong("ftp://example.com/x").contains("must begin with https://"));
        assert!(wrong("https://a:b@example.com/x").contains("no password"));
        assert!(wrong("https://").contains("is no address"));
    }

    #[test]
    fn an_address_is_shown_without_its_query() {
        let url = Url::parse("https://example.com/a.hsu?sig=canary#x").unwrap();
        assert_eq!(shown(&url), "https://example.com/a.hsu");
        let url = Url::parse("https://example.com/token=canary/a.hsu").unwrap();
        assert_eq!(shown(&url), "https://example.com/token=***");
    }
}
