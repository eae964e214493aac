//! The script, the server and its log.
//!
//! Not here: conversation (`session`), streaming (`play`). One thread with a
//! runtime of its own serves one camera or many.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{broadcast, mpsc as tokio_mpsc};
use tokio::task::JoinSet;
use url::Url;

use super::fault::Manners;
use super::stream::Programme;
use super::{Fault, Footage, When, session};
use crate::base::{Clock, RealClock, lock, sys};

/// When the camera's time (frame 0 of the first loop) begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// With the first PLAY: its client sees frame 0 first.
    FirstPlay,
    /// At this instant of `CLOCK_MONOTONIC`, in nanoseconds; it may be past. Cameras that share it show the same moment.
    MonoNs(u64),
    /// For each session apart, at moments spread evenly over the loop: many cameras behind
    /// one address, out of step with each other as real ones are. For benches.
    EachPlay,
}

/// Where a session enters the live stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// At the next key frame.
    NextKey,
    /// At the frame that is due, wherever in the GOP that is.
    MidGop,
    /// At the key frame before: what is past comes in one burst.
    Burst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Basic,
    Digest,
}

/// Who may watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password: String,
    pub scheme: Scheme,
}

/// What to serve, how, and what goes wrong when. The default serves the
/// bundled pattern with audio on an ephemeral port of loopback, without faults.
#[derive(Clone, Debug)]
pub struct Script {
    pub footage: Arc<Footage>,
    pub login: Option<Login>,
    /// How long after its capture a frame is sent: the camera's latency.
    pub delay_ms: u64,
    pub start_at: StartAt,
    pub join: Join,
    /// RTP timestamps at the start of the camera's time. Near `u32::MAX` they wrap soon.
    pub video_start_timestamp: u32,
    pub audio_start_timestamp: u32,
    /// Whether the audio of the footage is offered at all.
    pub audio: bool,
    /// Milliseconds between RTCP sender reports; `None`: none.
    pub sender_reports_ms: Option<u64>,
    /// How wrong the camera's wall clock is.
    pub wall_offset_ms: i64,
    /// Whether the answer to PLAY has an RTP-Info header.
    pub rtp_info: bool,
    /// Whether the SDP has the parameter sets.
    pub parameters_in_sdp: bool,
    /// Whether each key frame is preceded by the parameter sets.
    pub parameters_in_band: bool,
    /// Port to listen on; 0: any.
    pub port: u16,
    /// Of all chance (loss, SSRCs).
    pub seed: u64,
    /// Whether to keep [`Sent`] entries; benches need none.
    pub keep_log: bool,
    pub faults: Vec<(When, Fault)>,
}

impl Default for Script {
    fn default() -> Script {
        Script {
            footage: Footage::pattern(),
            login: None,
            delay_ms: 0,
            start_at: StartAt::FirstPlay,
            join: Join::NextKey,
            video_start_timestamp: 900_000,
            audio_start_timestamp: 4_800_000,
            audio: true,
            sender_reports_ms: Some(2_000),
            wall_offset_ms: 0,
            rtp_info: true,
            parameters_in_sdp: true,
            parameters_in_band: false,
            port: 0,
            seed: 1,
            keep_log: true,
            faults: Vec::new(),
        }
    }
}

/// A video frame that was sent, in the order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The number drawn in it.
    pub frame_number: u32,
    /// Its RTP timestamp, extended to 64 bits as the session's client would: it starts below
    /// 2³² and runs on over wraps, loops and jumps.
    pub pts_90k: i64,
    /// When the camera "saw" it.
    pub capture_mono_ns: u64,
    /// Directly before its first packet was written.
    pub sent_mono_ns: u64,
    /// Counts the camera's sessions from 0.
    pub session: u32,
    pub key: bool,
    /// Whether all its packets were sent (no loss was scripted into it).
    pub whole: bool,
}

/// A request that came, in the order of coming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    /// Counts the camera's connections from 0.
    pub connection: u32,
    pub mono_ns: u64,
}

/// What a camera's connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub script: Script,
    pub state: Mutex<State>,
    pub log: Mutex<Vec<Sent>>,
    pub asked: Mutex<Vec<Asked>>,
    pub sessions: AtomicU32,
    pub connections: AtomicU32,
    pub frames: AtomicU32,
    /// Faults of sessions, to all that play.
    pub strikes: broadcast::Sender<Fault>,
    /// Orders to the camera itself.
    orders: tokio_mpsc::UnboundedSender<Order>,
    /// Which of the script's faults of the camera have struck.
    struck: Vec<AtomicBool>,
    /// Wall clock less monotonic clock, as of the start, with the script's error.
    pub wall_less_mono_ns: i64,
}

#[derive(Debug)]
pub(super) struct State {
    pub manners: Manners,
    pub programme: Programme,
    /// Where the camera's time begins; `None` until the first PLAY.
    pub start_mono_ns: Option<u64>,
}

type Order = (Fault, Option<mpsc::Sender<()>>);

pub(super) fn now_ns() -> u64 {
    RealClock.mono_ns()
}

/// Nanoseconds as the signed numbers in which differences are taken.
pub(super) fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

impl Shared {
    fn new(script: Script, orders: tokio_mpsc::UnboundedSender<Order>) -> Shared {
        let mut manners = Manners::default();
        let at_start = script
            .faults
            .iter()
            .filter(|(when, _)| *when == When::Start);
        at_start.for_each(|(_, fault)| manners.learn(fault));
        let wall_less_mono_ns =
            sys::realtime_ns() - signed(now_ns()) + script.wall_offset_ms * 1_000_000;
        Shared {
            state: Mutex::new(State {
                manners,
                programme: Programme::new(script.footage.clone()),
                start_mono_ns: match script.start_at {
                    StartAt::FirstPlay | StartAt::EachPlay => None,
                    StartAt::MonoNs(ns) => Some(ns),
                },
            }),
            log: Mutex::default(),
            asked: Mutex::default(),
            sessions: AtomicU32::new(0),
            connections: AtomicU32::new(0),
            frames: AtomicU32::new(0),
            strikes: broadcast::channel(64).0,
            orders,
            struck: script
                .faults
                .iter()
                .map(|_| AtomicBool::new(false))
                .collect(),
            wall_less_mono_ns,
            script,
        }
    }

    /// The script's faults that strike a session that goes from frame `last` to `next`.
    /// Those of the camera are carried out once, those of the session are returned.
    pub fn strikes_between(&self, last: Option<u64>, next: u64) -> Vec<Fault> {
        let mut of_session = Vec::new();
        for ((when, fault), struck) in self.script.faults.iter().zip(&self.struck) {
            let now = match when {
                When::Start => false,
                When::Frame(n) => *n <= next && last.map_or(*n == next, |last| *n > last),
            };
            if now && !fault.is_of_camera() {
                of_session.push(fault.clone());
            } else if now && !struck.swap(true, Ordering::Relaxed) {
                // Fails only when the camera is being stopped.
                let _ = self.orders.send((fault.clone(), None));
            }
        }
        of_session
    }

    /// Camera time now, given where it begins.
    pub fn camera_ns(&self, start_mono_ns: u64) -> i64 {
        let delay_ns = signed(self.script.delay_ms) * 1_000_000;
        signed(now_ns()) - signed(start_mono_ns) - delay_ns
    }

    /// The footage is switched at the next key frame; before the first PLAY at once.
    fn switch(&self, footage: Arc<Footage>) {
        let mut state = lock(&self.state);
        state.programme = match state.start_mono_ns {
            None => Programme::new(footage),
            Some(start) => state.programme.switched(footage, self.camera_ns(start)),
        };
    }
}

/// A running camera. It stops when dropped.
#[derive(Debug)]
pub struct Camera {
    shared: Arc<Shared>,
    addr: SocketAddr,
    /// Its end tells the camera's task to stop.
    alive: Option<tokio_mpsc::Sender<()>>,
    /// Ended when the camera's sockets are closed.
    gone: mpsc::Receiver<()>,
    thread: Arc<Thread>,
}

#[derive(Debug)]
struct Thread(Mutex<Option<JoinHandle<()>>>);

impl Camera {
    /// Listens on loopback; returns when clients can connect.
    pub fn start(script: Script) -> io::Result<Camera> {
        let mut cameras = Camera::start_many(vec![script])?;
        cameras
            .pop()
            .ok_or_else(|| io::Error::other("no camera was started"))
    }

    /// Many cameras in one thread: for benches.
    pub fn start_many(scripts: Vec<Script>) -> io::Result<Vec<Camera>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = Arc::new(Thread(Mutex::new(None)));
        let (mut cameras, mut tasks) = (Vec::new(), Vec::new());
        for script in scripts {
            let (camera, task) = {
                let _inside = runtime.enter();
                Camera::prepare(script, thread.clone())?
            };
            cameras.push(camera);
            tasks.push(task);
        }
        let run = move || {
            runtime.block_on(async {
                let mut all: JoinSet<()> = tasks.into_iter().collect();
                while all.join_next().await.is_some() {}
            });
        };
        let handle = std::thread::Builder::new()
            .name("demo-camera".into())
            .spawn(run)?;
        *lock(&thread.0) = Some(handle);
        Ok(cameras)
    }

    fn prepare(
        script: Script,
        thread: Arc<Thread>,
    ) -> io::Result<(Camera, impl Future<Output = ()> + Send + 'static)> {
        let listener = listen(script.port)?;
        let addr = listener.local_addr()?;
        let starts_closed = script
            .faults
            .iter()
            .any(|(when, fault)| *when == When::Start && matches!(fault, Fault::CloseListener));
        let (orders, orders_in) = tokio_mpsc::unbounded_channel();
        let (alive, alive_in) = tokio_mpsc::channel(1);
        let (gone_in, gone) = mpsc::channel();
        let shared = Arc::new(Shared::new(script, orders));
        let server = Server {
            shared: shared.clone(),
            addr,
            listener: (!starts_closed).then_some(listener),
            orders: orders_in,
            connections: JoinSet::new(),
        };
        let task = async move {
            server.run(alive_in).await;
            drop(gone_in);
        };
        let camera = Camera {
            shared,
            addr,
            alive: Some(alive),
            gone,
            thread,
        };
        Ok((camera, task))
    }

    /// `rtsp://127.0.0.1:<port>/stream1`, without credentials. Any path is answered.
    pub fn url(&self) -> Url {
        let text = format!("rtsp://{}/stream1", self.addr);
        match Url::parse(&text) {
            Ok(url) => url,
            Err(_) => unreachable!("an address and a fixed path make a URL"),
        }
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// All video frames sent so far.
    pub fn log(&self) -> Vec<Sent> {
        lock(&self.shared.log).clone()
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// Sessions that began to play so far.
    pub fn sessions(&self) -> u32 {
        self.shared.sessions.load(Ordering::Relaxed)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u32 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Video frames sent so far in all sessions; counted without a log, too.
    pub fn frames_sent(&self) -> u32 {
        self.shared.frames.load(Ordering::Relaxed)
    }

    /// Strikes now. When it returns, a fault of conversation is in force, and
    /// one of the stream has been told to all sessions.
    pub fn inject(&self, fault: Fault) {
        let (done, wait) = mpsc::channel();
        if self.shared.orders.send((fault, Some(done))).is_ok() {
            // An error means that the camera has ended: nothing to wait for.
            let _ = wait.recv();
        }
    }

    /// Closes all connections and the listener; they are closed when it returns.
    pub fn stop(self) {}
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.alive = None;
        // Nothing is ever sent: this waits for the other end to go.
        let _ = self.gone.recv();
        if Arc::strong_count(&self.thread) == 1
            && let Some(thread) = lock(&self.thread.0).take()
        {
            let _ = thread.join();
        }
    }
}

/// The camera's own task: accepts, obeys orders.
struct Server {
    shared: Arc<Shared>,
    addr: SocketAddr,
    listener: Option<TcpListener>,
    orders: tokio_mpsc::UnboundedReceiver<Order>,
    connections: JoinSet<()>,
}

impl Server {
    async fn run(mut self, mut alive: tokio_mpsc::Receiver<()>) {
        loop {
            tokio::select! {
                _ = alive.recv() => return,
                Some((fault, done)) = self.orders.recv() => {
                    self.obey(fault);
                    // Whoever gave the order may not wait.
                    let _ = done.map(|done| done.send(()));
                }
                Ok((stream, _)) = accept(self.listener.as_ref()) => {
                    let number = self.shared.connections.fetch_add(1, Ordering::Relaxed);
                    self.connections.spawn(session::serve(self.shared.clone(), stream, number));
                }
                Some(_) = self.connections.join_next() => {}
            }
        }
    }

    fn obey(&mut self, fault: Fault) {
        lock(&self.shared.state).manners.learn(&fault);
        match fault {
            Fault::CloseListener => self.listener = None,
            Fault::OpenListener if self.listener.is_none() => match listen(self.addr.port()) {
                Ok(listener) => self.listener = Some(listener),
                Err(error) => {
                    log::error!(target: "hindsight", event = "error_demo_camera"; "the built-in camera cannot listen on {}: {error}", self.addr)
                }
            },
            Fault::Switch(footage) => self.shared.switch(footage),
            // No session is no error.
            fault if !fault.is_of_camera() => drop(self.shared.strikes.send(fault)),
            _ => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<(tokio::net::TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(1_024)
}
