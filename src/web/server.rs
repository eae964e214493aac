//! The sockets: one thread, one single-threaded runtime, bounded connections.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::socket::Backlog;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tower::ServiceExt;

use super::api_call::ArrivalTime;
use super::connections::{ConnectionTable, OpenConnection, RequestAtWork};
use super::error::WebError;
use super::guard::identify::{Guard, Peer};
use super::local_socket::LocalSocket;
use super::places::{Origin, PlaceRules};
use super::refusal::ApiRefusal;
use super::sentence::RequestSentence;
use super::settings::{Limits, RefusedPeers};
use crate::base::{Clock, Counted, Heartbeat, Stop, StopLevel};

/// Threads for calls that block; more than `api` can ask for at once.
const BLOCKING: usize = 80;
/// Bytes and number of a request's headers.
const HEADER_BYTES: usize = 16 * 1024;
const HEADERS: usize = 64;
/// Connections that wait to be taken.
const WAITING: i32 = 1024;
/// Open connections of the box's own commands, which no others displace.
const LOCAL_CONNECTIONS: usize = 16;
/// What is answered from memory, to whoever asks, however many are at work.
const FROM_MEMORY: &str = "/health";
/// Between two beats of a server that nobody asks.
const BEAT: Duration = Duration::from_secs(1);
/// How long answers may take to be sent after the stop.
const LEAVE: Duration = Duration::from_secs(2);

/// The socket of the box's own commands, and whom it is not for.
type Local = (LocalSocket, RefusedPeers);

/// The running server.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    threads: Vec<JoinHandle<()>>,
    heartbeat: Arc<Heartbeat>,
}

impl Server {
    /// Where it really listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// It beats while connections are taken.
    pub fn heartbeat(&self) -> Arc<Heartbeat> {
        self.heartbeat.clone()
    }

    /// Waits until it has ended, soon after the stop signal reached `Now`.
    pub fn join(self) {
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

/// What every connection's task shares.
struct Shared {
    limits: Limits,
    guard: Arc<Guard>,
    router: Router,
    clock: Arc<dyn Clock>,
    /// Of the network.
    connections: Arc<ConnectionTable>,
    /// Of the box's own commands.
    commands: Arc<ConnectionTable>,
    heartbeat: Arc<Heartbeat>,
}

impl Shared {
    fn table(&self, peer: Peer) -> &Arc<ConnectionTable> {
        match peer {
            Peer::Address(_) => &self.connections,
            Peer::Local => &self.commands,
        }
    }
}

fn table(places: usize, per_origin: usize) -> Arc<ConnectionTable> {
    Arc::new(ConnectionTable::new(PlaceRules { places, per_origin }))
}

pub(super) fn bind(listen: SocketAddr, or_any_port: bool) -> Result<TcpListener, WebError> {
    let bound = TcpListener::bind(listen).or_else(|error| match error.kind() {
        ErrorKind::AddrInUse if or_any_port => TcpListener::bind((listen.ip(), 0)),
        _ => Err(error),
    });
    let bound = bound.and_then(|listener| {
        listener.set_nonblocking(true)?;
        // The usual 128 are soon full, and who comes then tries again after a second.
        nix::sys::socket::listen(&listener, Backlog::new(WAITING)?)?;
        Ok(listener)
    });
    bound.map_err(|source| match source.kind() {
        ErrorKind::AddrInUse => WebError::InUse { listen, source },
        _ => WebError::Listen { listen, source },
    })
}

pub(super) fn start(
    (listener, local): (TcpListener, Option<Local>),
    limits: Limits,
    guard: Arc<Guard>,
    router: Router,
    clock: Arc<dyn Clock>,
    stop: Stop,
) -> Result<Server, WebError> {
    let addr = listener.local_addr().map_err(WebError::Thread)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING)
        .thread_name("web-blocking")
        .build()
        .map_err(WebError::Thread)?;
    let heartbeat = Arc::new(Heartbeat::new("web"));
    let shared = Arc::new(Shared {
        heartbeat: heartbeat.clone(),
        limits,
        guard,
        router,
        clock,
        connections: table(limits.connections, limits.per_origin),
        commands: table(LOCAL_CONNECTIONS, LOCAL_CONNECTIONS),
    });
    let (end, ended) = watch::channel(false);
    let serving = std::thread::Builder::new()
        .name("web".to_owned())
        .spawn(move || {
            runtime.block_on(accept((listener, local), shared, ended));
            // What still blocks (a stuck disk) must not keep the process.
            runtime.shutdown_background();
        })
        .map_err(WebError::Thread)?;
    let watching = std::thread::Builder::new()
        .name("web-stop".to_owned())
        .spawn(move || {
            while !stop.wait(StopLevel::Now, Duration::from_secs(3600)) {}
            let _ = end.send(true);
        })
        .map_err(WebError::Thread)?;
    Ok(Server {
        addr,
        threads: vec![serving, watching],
        heartbeat,
    })
}

async fn accept(
    (listener, mut local): (TcpListener, Option<Local>),
    shared: Arc<Shared>,
    mut ended: watch::Receiver<bool>,
) {
    let commands = local.as_mut().and_then(|(socket, refused)| {
        let listener = UnixListener::from_std(socket.take_listener()?).ok()?;
        Some((listener, refused.clone()))
    });
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            log::error!(target: "hindsight", event = "error_http"; "cannot serve HTTP: {error}");
            return;
        }
    };
    let mut troubles = Counted::default();
    // Each connection has one, too.
    let told = ended.clone();
    loop {
        shared.heartbeat.beat();
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted.map(|arrived| {
                let more = std::iter::from_fn(|| waiting(&listener));
                let batch = std::iter::once(arrived).chain(more);
                for (stream, from) in batch.take(shared.limits.batch()) {
                    greet(&stream, &shared.limits);
                    admit(stream, Peer::Address(from.ip()), &shared, &told);
                }
            }),
            accepted = next_command(commands.as_ref()) => accepted.map(|stream| {
                if let Some(stream) = stream {
                    admit(stream, Peer::Local, &shared, &told);
                }
            }),
            () = tokio::time::sleep(BEAT) => continue,
            _ = ended.wait_for(|ended| *ended) => break,
        };
        // What the new connections ask is heard before the next may take their places.
        tokio::task::yield_now().await;
        if let Err(error) = accepted {
            if let Some(times) = troubles.happened(shared.clock.mono_ns()) {
                log::warn!(target: "hindsight", event = "error_http", times;
                    "cannot accept HTTP connections: {error}");
            }
            // Out of file descriptors, mostly: no busy loop.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    drop((listener, commands, local));
    let _ = timeout(LEAVE, async {
        shared.connections.empty().await;
        shared.commands.empty().await;
    })
    .await;
}

/// A connection that waits already.
fn waiting(listener: &tokio::net::TcpListener) -> Option<(TcpStream, SocketAddr)> {
    let mut now = Context::from_waker(Waker::noop());
    match listener.poll_accept(&mut now) {
        Poll::Ready(Ok(arrived)) => Some(arrived),
        // An error comes again, or has gone.
        Poll::Ready(Err(_)) | Poll::Pending => None,
    }
}

/// The next connection of a command; `None`: of somebody else. Never, where there is no socket.
async fn next_command(
    commands: Option<&(UnixListener, RefusedPeers)>,
) -> std::io::Result<Option<UnixStream>> {
    let Some((listener, refused)) = commands else {
        return std::future::pending().await;
    };
    let (stream, _) = listener.accept().await?;
    let peer = stream.peer_cred()?;
    let own = nix::unistd::geteuid().as_raw();
    let user = peer.uid() == own || peer.uid() == 0;
    let refused = peer.pid().is_none_or(|pid| refused.has(pid));
    Ok((user && !refused).then_some(stream))
}

fn greet(stream: &TcpStream, limits: &Limits) {
    let _ = stream.set_nodelay(true);
    let stalled = u32::try_from(limits.stalled.as_millis()).unwrap_or(u32::MAX);
    // The kernel gives up on a peer that takes nothing.
    let _ =
        nix::sys::socket::setsockopt(stream, nix::sys::socket::sockopt::TcpUserTimeout, &stalled);
}

/// Gives the connection a task, in the place of an idle one if need be.
fn admit(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    shared: &Arc<Shared>,
    ended: &watch::Receiver<bool>,
) {
    let origin = match peer {
        Peer::Address(address) => Origin::of(address, shared.limits.this_machine),
        Peer::Local => Origin::ThisMachine,
    };
    let table = shared.table(peer);
    let Ok(id) = table.enter(origin) else {
        tokio::spawn(turn_away(stream));
        return;
    };
    let task = tokio::spawn(serve(stream, peer, shared.clone(), ended.clone(), id));
    table.handle(id, task.abort_handle());
}

/// Every connection is at work.
async fn turn_away(mut stream: impl AsyncWrite + Unpin) {
    let said = RequestSentence::ConnectionsTaken {};
    let refusal = ApiRefusal::new(StatusCode::SERVICE_UNAVAILABLE, said);
    let body = serde_json::to_string(&refusal.body()).unwrap_or_default();
    let length = body.len();
    let text = format!(
        "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let _ = timeout(
        Duration::from_millis(500),
        stream.write_all(text.as_bytes()),
    )
    .await;
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    shared: Arc<Shared>,
    mut ended: watch::Receiver<bool>,
    id: u64,
) {
    let _place = OpenConnection(shared.table(peer), id);
    let service = service_fn(|request| {
        let stamp = ArrivalTime(shared.clock.mono_ns());
        let shared = shared.clone();
        async move { Ok::<_, std::convert::Infallible>(respond(request, stamp, peer, shared, id).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.limits.headers)
        .max_headers(HEADERS)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // An error here is the client's: it went away, or spoke nonsense.
    tokio::select! {
        _ = &mut connection => return,
        _ = ended.wait_for(|ended| *ended) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(LEAVE, connection).await;
}

async fn respond(
    request: Request<Incoming>,
    stamp: ArrivalTime,
    peer: Peer,
    shared: Arc<Shared>,
    id: u64,
) -> Response<Tracked> {
    let (head, body) = request.into_parts();
    let asks = shared
        .guard
        .identify(peer, &head.method, &head.uri, &head.headers);
    let asks = asks.await;
    let known = asks.as_ref().is_ok_and(|who| who.role().is_some());
    if !known && shared.table(peer).hear(id) {
        // Many requests may lie ready on a stranger's connection: others have their turn in between.
        tokio::task::yield_now().await;
    }
    let busy = match head.uri.path() {
        FROM_MEMORY if !known => None,
        _ => match RequestAtWork::begin(shared.table(peer), id, known) {
            Some(busy) => Some(busy),
            None => return no_place(),
        },
    };
    let mut response = match asks {
        Ok(principal) => {
            let request = Request::from_parts(head, body);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(stamp);
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(principal);
            match shared.router.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
        Err(refused) => refused.into_response(),
    };
    explain(&mut response);
    response.map(|body| Tracked { body, _busy: busy })
}

/// All places of those like the one who asks are at work.
fn no_place() -> Response<Tracked> {
    let said = RequestSentence::ConnectionsTaken {};
    let mut refusal = ApiRefusal::new(StatusCode::SERVICE_UNAVAILABLE, said).into_response();
    let headers = refusal.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    explain(&mut refusal);
    refusal.map(|body| Tracked { body, _busy: None })
}

/// What each answer carries: browsers must not guess, embed or cache.
fn explain(response: &mut Response<Body>) {
    let uncached = !response.headers().contains_key(header::CACHE_CONTROL);
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("same-origin"),
    );
    if uncached {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// An answer's body that keeps its connection busy until it is sent.
struct Tracked {
    body: Body,
    _busy: Option<RequestAtWork>,
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
