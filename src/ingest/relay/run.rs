//! The relay's sockets: one to the camera, one that retina calls on loopback.
//!
//! Whoever calls must know 128 random bits, which stand in the address that retina is given: nobody else on the
//! machine can take its place, or read the camera through us. It is called once, and ends with the session.
//! It opens no file and starts no thread.
//!
//! Not here: what is said (`talk`).

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use url::{Host, Url};

use crate::base::{hex, lock};
use crate::config::Camera;

use super::super::error_text;
use super::super::sentence::{CaptureSentence, QuirkSentence};
use super::quirk::Quirks;
use super::sign_in::{SignIn, SignInAs};
use super::talk::RelayTalk;

/// For retina to call.
const CALLED_WITHIN: Duration = Duration::from_secs(2);
/// For whoever calls to say the word.
const PROVED_WITHIN: Duration = Duration::from_millis(500);
/// Strangers that are heard out before it ends.
const MOST_STRANGERS: usize = 8;
/// What may wait for a side that does not read; then the other is not read either.
const MOST_UNSENT: usize = 256 * 1024;
const READ: usize = 64 * 1024;
/// For the last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A relay that stands ready for one session, or serves it.
#[derive(Clone, Debug)]
pub struct Relay {
    url: Url,
    found: Arc<Mutex<Found>>,
}

/// What it found, for who asks.
#[derive(Debug, Default)]
struct Found {
    quirks: Quirks,
    bad_frames: u64,
    end: Option<CaptureSentence>,
}

impl Relay {
    /// Calls the camera, and listens for retina. An error is a reason for people.
    pub async fn open(camera: &Camera) -> Result<Relay, CaptureSentence> {
        let at_camera = match camera.url.host() {
            Some(Host::Domain(name)) => TcpStream::connect((name, port(camera))).await,
            Some(Host::Ipv4(ip)) => TcpStream::connect((ip, port(camera))).await,
            Some(Host::Ipv6(ip)) => TcpStream::connect((ip, port(camera))).await,
            None => Err(ErrorKind::InvalidInput.into()),
        };
        let at_camera = at_camera.map_err(|error| error_text::of_connecting(&error, camera))?;
        let fault = |_| CaptureSentence::ProgramFault {};
        // Small packets would else wait for acknowledgements. No more than a pity if refused.
        let _ = at_camera.set_nodelay(true);
        let listener = listen().map_err(fault)?;
        let local = listener.local_addr().map_err(fault)?;
        let (mut word, mut seed) = ([0; 16], [0; 16]);
        for random in [&mut word, &mut seed] {
            getrandom::fill(random).map_err(|_| CaptureSentence::ProgramFault {})?;
        }
        let ours = format!("rtsp://{local}/{}", hex(&word));
        let url = Url::parse(&ours).map_err(|_| CaptureSentence::ProgramFault {})?;
        let known = camera.credentials.as_ref().map(|known| SignInAs {
            username: known.username.clone(),
            password: known.password.reveal().to_owned(),
            basic: true,
        });
        let sign_in = SignIn::new(known, seed);
        let talk = RelayTalk::new(ours, camera.url.to_string(), sign_in);
        let found = Arc::new(Mutex::new(Found::default()));
        tokio::spawn(serve(
            listener,
            url.to_string(),
            at_camera,
            talk,
            found.clone(),
        ));
        Ok(Relay { url, found })
    }

    /// What retina takes for the camera's.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// What it had to mend first, if anything.
    pub fn mended(&self) -> Option<QuirkSentence> {
        lock(&self.found).quirks.first().cloned()
    }

    /// Why it ended, if it was not retina that left.
    pub fn end(&self) -> Option<CaptureSentence> {
        lock(&self.found).end.clone()
    }
}

fn port(camera: &Camera) -> u16 {
    camera.url.port().unwrap_or(554)
}

fn listen() -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    socket.listen(4)
}

async fn serve(
    listener: TcpListener,
    url: String,
    at_camera: TcpStream,
    mut talk: RelayTalk,
    found: Arc<Mutex<Found>>,
) {
    let caller = tokio::time::timeout(CALLED_WITHIN, proved(&listener, &url)).await;
    // Taken once: whoever else called is sent away.
    drop(listener);
    let Ok(Some((at_retina, said))) = caller else {
        return;
    };
    let _ = at_retina.set_nodelay(true);
    let end = match talk.retina_said(&said) {
        Ok(()) => pump(&at_camera, &at_retina, &mut talk, &found).await,
        Err(end) => Some(talk.why(end)),
    };
    // Before retina hears of it.
    lock(&found).end = end;
    tell(&talk, &found);
    let both = async {
        flush(&at_retina, &mut talk.to_retina).await;
        flush(&at_camera, &mut talk.to_camera).await;
    };
    let _ = tokio::time::timeout(LAST_WORDS, both).await;
    let bad = lock(&found).bad_frames;
    if bad > 0 {
        log::debug!(target: "hindsight", event = "camera_relay_frames"; "relay: {bad} interleaved frames were left out");
    }
}

/// The first caller who asks for our address, and what it said.
async fn proved(listener: &TcpListener, url: &str) -> Option<(TcpStream, Vec<u8>)> {
    let word = format!("DESCRIBE {url} RTSP/1.0\r\n").into_bytes();
    for _ in 0..MOST_STRANGERS {
        let (mut caller, from) = listener.accept().await.ok()?;
        if !from.ip().is_loopback() {
            continue;
        }
        let mut said = vec![0; word.len()];
        let read = tokio::time::timeout(PROVED_WITHIN, caller.read_exact(&mut said)).await;
        if matches!(read, Ok(Ok(_))) && said == word {
            return Some((caller, said));
        }
    }
    None
}

/// Until one side ends it. `None`: that was retina.
async fn pump(
    at_camera: &TcpStream,
    at_retina: &TcpStream,
    talk: &mut RelayTalk,
    found: &Mutex<Found>,
) -> Option<CaptureSentence> {
    let mut bytes = vec![0; READ];
    loop {
        tokio::select! {
            ready = at_camera.readable(), if talk.to_retina.len() < MOST_UNSENT => {
                let read = ready.and_then(|()| at_camera.try_read(&mut bytes));
                let said = match read {
                    Ok(0) => return Some(CaptureSentence::Closed {}),
                    Ok(read) => bytes.get(..read).unwrap_or_default(),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(_) => return Some(CaptureSentence::Closed {}),
                };
                let heard = talk.camera_said(said);
                tell(talk, found);
                if let Err(end) = heard {
                    return Some(talk.why(end));
                }
            }
            ready = at_retina.readable(), if talk.to_camera.len() < MOST_UNSENT => {
                let read = ready.and_then(|()| at_retina.try_read(&mut bytes));
                match read {
                    Ok(0) => return None,
                    Ok(read) => {
                        let said = bytes.get(..read).unwrap_or_default();
                        if let Err(end) = talk.retina_said(said) {
                            return Some(talk.why(end));
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(_) => return None,
                }
            }
            ready = at_retina.writable(), if !talk.to_retina.is_empty() => {
                if ready.is_err() || !sent(at_retina, &mut talk.to_retina) {
                    return None;
                }
            }
            ready = at_camera.writable(), if !talk.to_camera.is_empty() => {
                if ready.is_err() || !sent(at_camera, &mut talk.to_camera) {
                    return Some(CaptureSentence::Closed {});
                }
            }
        }
        // What is there can mostly go at once.
        if !talk.to_retina.is_empty() && !sent(at_retina, &mut talk.to_retina) {
            return None;
        }
    }
}

/// As much as is taken just now; false if nothing ever will be.
fn sent(to: &TcpStream, bytes: &mut Vec<u8>) -> bool {
    match to.try_write(bytes) {
        Ok(0) => false,
        Ok(sent) => {
            bytes.drain(..sent);
            true
        }
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

async fn flush(to: &TcpStream, bytes: &mut Vec<u8>) {
    while !bytes.is_empty() {
        if to.writable().await.is_err() || !sent(to, bytes) {
            return;
        }
    }
}

fn tell(talk: &RelayTalk, found: &Mutex<Found>) {
    let mut found = lock(found);
    found.bad_frames = talk.bad_frames();
    if let Some(refusal) = &talk.refusal {
        found.end = Some(refusal.clone());
    }
    if found.quirks != talk.quirks {
        found.quirks = talk.quirks.clone();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::base::CameraId;
    use crate::config::{CameraSound, Transport};

    async fn ask(at: &str, word: &str) -> TcpStream {
        let mut caller = TcpStream::connect(at).await.unwrap();
        let text = format!("DESCRIBE rtsp://{at}/{word} RTSP/1.0\r\nCSeq: 1\r\n\r\n");
        caller.write_all(text.as_bytes()).await.unwrap();
        caller
    }

    /// What is heard until an end, or an answer.
    async fn heard(of: &mut TcpStream) -> String {
        let mut bytes = [0; 400];
        let read = of.read(&mut bytes).await.unwrap_or(0);
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    }

    async fn strangers() {
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = door.local_addr().unwrap();
        let camera = Camera {
            id: CameraId::new("court1").unwrap(),
            name: String::new(),
            court: String::new(),
            url: format!("rtsp://{there}/live").parse().unwrap(),
            credentials: None,
            transport: Transport::Tcp,
            sound: CameraSound::Auto,
            latency_ms: 0,
        };
        let relay = Relay::open(&camera).await.unwrap();
        let (mut at_camera, _) = door.accept().await.unwrap();
        let url = relay.url().clone();
        let at = format!("127.0.0.1:{}", url.port().unwrap());
        let word = url.path().trim_start_matches('/');
        assert_eq!(word.len(), 32);
        let mut stranger = ask(&at, &"0".repeat(32)).await;
        // Nothing said is no word, too.
        let mut silent = TcpStream::connect(&at).await.unwrap();
        let mut ours = ask(&at, word).await;
        let asked = heard(&mut at_camera).await;
        assert!(
            asked.starts_with(&format!("DESCRIBE rtsp://{there}/live RTSP/1.0\r\n")),
            "{asked}"
        );
        at_camera
            .write_all(b"RTSP/1.0 404\r\nCSeq: 1\r\nServer:\r\n\r\n")
            .await
            .unwrap();
        let answer = heard(&mut ours).await;
        assert!(answer.starts_with("RTSP/1.0 404 "), "{answer}");
        for other in [&mut stranger, &mut silent] {
            assert_eq!(heard(other).await, "");
        }
        // It is called once.
        assert!(TcpStream::connect(&at).await.is_err());
        assert_eq!(relay.mended(), Some(QuirkSentence::NoReasonPhrase {}));
        // It ends with the session.
        drop(ours);
        assert_eq!(heard(&mut at_camera).await, "");
        assert_eq!(relay.end(), None);
    }

    #[test]
    fn whoever_does_not_know_the_word_hears_nothing_and_takes_nobodys_place() {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(strangers());
    }
}
