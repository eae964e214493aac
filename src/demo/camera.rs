//! The server: accepts connections, obeys orders. One thread with a runtime of its own serves
//! one camera or many.
//!
//! Not here: the script (`script`), conversation (`session`), streaming (`play`).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc as tokio_mpsc;
use tokio::task::JoinSet;
use url::Url;

use super::fault::{CameraFault, When};
use super::script::{LoggedRequest, Script, Sent};
use super::session;
use super::shared::{Order, ServerShared};
use crate::base::lock;

/// A running camera. It stops when dropped.
#[derive(Debug)]
pub struct DemoCamera {
    shared: Arc<ServerShared>,
    addr: SocketAddr,
    /// Its end tells the camera's task to stop.
    alive: Option<tokio_mpsc::Sender<()>>,
    /// Ended when the camera's sockets are closed.
    gone: mpsc::Receiver<()>,
    thread: Arc<Thread>,
}

#[derive(Debug)]
struct Thread(Mutex<Option<JoinHandle<()>>>);

impl DemoCamera {
    /// Listens on loopback; returns when clients can connect.
    pub fn start(script: Script) -> io::Result<DemoCamera> {
        let mut cameras = DemoCamera::start_many(vec![script])?;
        cameras
            .pop()
            .ok_or_else(|| io::Error::other("no camera was started"))
    }

    /// Many cameras in one thread: for benches.
    pub fn start_many(scripts: Vec<Script>) -> io::Result<Vec<DemoCamera>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = Arc::new(Thread(Mutex::new(None)));
        let (mut cameras, mut tasks) = (Vec::new(), Vec::new());
        for script in scripts {
            let (camera, task) = {
                let _inside = runtime.enter();
                DemoCamera::prepare(script, thread.clone())?
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
    ) -> io::Result<(DemoCamera, impl Future<Output = ()> + Send + 'static)> {
        let listener = listen(script.port)?;
        let addr = listener.local_addr()?;
        let starts_closed = script.faults.iter().any(|(when, fault)| {
            *when == When::Start && matches!(fault, CameraFault::CloseListener)
        });
        let (orders, orders_in) = tokio_mpsc::unbounded_channel();
        let (alive, alive_in) = tokio_mpsc::channel(1);
        let (gone_in, gone) = mpsc::channel();
        let shared = Arc::new(ServerShared::new(script, orders));
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
        let camera = DemoCamera {
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
    pub fn asked(&self) -> Vec<LoggedRequest> {
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
    pub fn inject(&self, fault: CameraFault) {
        let (done, wait) = mpsc::channel();
        if self.shared.orders.send((fault, Some(done))).is_ok() {
            // An error means that the camera has ended: nothing to wait for.
            let _ = wait.recv();
        }
    }

    /// Closes all connections and the listener; they are closed when it returns.
    pub fn stop(self) {}
}

impl Drop for DemoCamera {
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
    shared: Arc<ServerShared>,
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

    fn obey(&mut self, fault: CameraFault) {
        lock(&self.shared.state).manners.learn(&fault);
        match fault {
            CameraFault::CloseListener => self.listener = None,
            CameraFault::OpenListener if self.listener.is_none() => {
                match listen(self.addr.port()) {
                    Ok(listener) => self.listener = Some(listener),
                    Err(error) => {
                        log::error!(target: "hindsight", event = "error_demo_camera"; "the built-in camera cannot listen on {}: {error}", self.addr)
                    }
                }
            }
            CameraFault::Switch(footage) => self.shared.switch(footage),
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
