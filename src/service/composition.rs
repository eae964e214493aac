//! The service as one thing: its rooms, built in order, stopped in order.
//!
//! The board opens, and its lights say "booting" → ingest opens the rings → highlights bring back what earlier runs left →
//! the queue goes on with what they left, web serves. Stopping: highlights finish while ingest goes on; then all leave.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, select};

use super::buttons::{self, Buttons, ServiceHands};
use super::delivery::Delivery;
use super::error::ServiceError;
use super::monitor::{Monitor, Rooms};
use super::panel::{self, Opened};
use super::press_gate::PressGate;
use super::signals::Stopper;
use super::sound_before;
use super::status_view::StatusView;
use crate::base::{BootId, Clock, Heartbeat, RealClock, Stop, StopLevel};
use crate::config::{Camera, Config};
use crate::disk::Disk;
use crate::highlight::{CameraSettings, Event, Highlights, Settings};
use crate::ingest::{self, CameraState, Ingest, IngestError, ReaderPids, ReaderProcesses};
use crate::queue;
use crate::storage::StorageLayout;
use crate::storage::budget::Reserve;
use crate::web::{self, Limits, Server};

/// What to do where another listens on the API's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApiPort {
    Fixed,
    OrAnother,
}

/// Who reads the cameras.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CameraReaders {
    /// Processes of this program, whose file that is: they harm at most themselves.
    Processes(PathBuf),
    /// Threads of this process: for tests, whose program is another, and under an emulator.
    Threads,
}

impl CameraReaders {
    /// Of the program that runs, also where an update has put another in its place.
    pub fn ours() -> CameraReaders {
        CameraReaders::Processes(PathBuf::from("/proc/self/exe"))
    }
}

/// The running service.
pub(crate) struct Service {
    pub gate: Arc<PressGate>,
    pub status: Arc<StatusView>,
    pub monitor: Arc<Monitor>,
    pub highlights: Arc<Highlights>,
    pub delivery: Arc<Delivery>,
    /// From the start on: also of what earlier runs left.
    events: Receiver<Event>,
    worked: Receiver<queue::Event>,
    ingest: Arc<Ingest>,
    server: Server,
    watching: JoinHandle<()>,
    /// Buttons and lights.
    pub board: Opened,
    buttons: Buttons,
    feeding: Listening,
    stopper: Stopper,
}

impl Service {
    /// Starts all rooms. After an error nothing of them is left.
    pub fn start(
        config: &Config,
        port: ApiPort,
        readers: CameraReaders,
        stopper: &Stopper,
    ) -> Result<Service, ServiceError> {
        let clock: Arc<dyn Clock> = Arc::new(RealClock);
        let boot_id = BootId::of_this_boot().map_err(ServiceError::Boot)?;
        let board = panel::open(config, &clock).map_err(ServiceError::Thread)?;
        let mut ingest = start_ingest(config, boot_id, readers, &clock, stopper)?;
        let (inbox, mail) = queue::inbox();
        let highlights = Settings {
            old_rings: ingest.take_old_rings(),
            queue: Some(inbox),
            ..highlight_settings(config, boot_id)
        };
        let ingest = Arc::new(ingest);
        let begun = Begun {
            highlights,
            mail,
            board,
        };
        let started = Service::start_behind(config, begun, port, &clock, &ingest, stopper);
        started.inspect_err(|_| {
            stopper.stop.raise(StopLevel::Now);
            leave(ingest);
        })
    }

    /// All that reads what ingest writes.
    fn start_behind(
        config: &Config,
        begun: Begun,
        port: ApiPort,
        clock: &Arc<dyn Clock>,
        ingest: &Arc<Ingest>,
        stopper: &Stopper,
    ) -> Result<Service, ServiceError> {
        let (highlights, board) = (begun.highlights, begun.board);
        let stop = &stopper.stop;
        // Waits for the storage that highlights open.
        let boot_id = highlights.boot_id;
        let delivery = Delivery::start(config, boot_id, begun.mail, clock, stop)?;
        let delivery = Arc::new(delivery);
        let worked = delivery.queue.events();
        let highlights = Highlights::start(highlights, clock.clone(), stop.clone())?;
        let highlights = Arc::new(highlights);
        let events = highlights.events();
        let gate = Arc::new(PressGate::new(
            config,
            highlights.clone(),
            board.panel.clone(),
            clock.clone(),
        ));
        let rooms = Rooms {
            ingest: ingest.clone(),
            highlights: highlights.clone(),
            delivery: delivery.clone(),
            panel: board.panel.clone(),
            clock: clock.clone(),
            stop: stop.clone(),
        };
        let monitor = Arc::new(Monitor::new(config, rooms.clone()));
        let status = StatusView::new(config, gate.clone(), monitor.clone(), rooms);
        let status = Arc::new(status);
        let feeding = feed_lights(&board, &highlights, stop).map_err(ServiceError::Thread)?;
        let buttons = start_buttons(config, &board, &gate, clock, stopper)?;
        let settings = web_settings(config, port, ingest.reader_pids());
        let backend = backend(&gate, &status);
        let server = web::serve(settings, backend, clock.clone(), stop.clone())?;
        let watching = watch(&monitor).map_err(ServiceError::Thread)?;
        Ok(Service {
            gate,
            status,
            monitor,
            highlights,
            delivery,
            events,
            worked,
            ingest: ingest.clone(),
            server,
            watching,
            board,
            buttons,
            feeding,
            stopper: stopper.clone(),
        })
    }

    /// Where the API listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Every loop that must turn while the service runs.
    pub fn heartbeats(&self) -> Vec<Arc<Heartbeat>> {
        let mut heartbeats = self.monitor.heartbeats();
        heartbeats.push(self.server.heartbeat());
        heartbeats
    }

    /// What ingest knows of each camera.
    pub fn cameras(&self) -> Vec<CameraState> {
        self.ingest.states()
    }

    /// Calls `act` for every event, on a thread of its own.
    pub fn on_events(&self, act: impl FnMut(Event) + Send + 'static) -> std::io::Result<Listening> {
        Listening::start(self.events.clone(), act)
    }

    /// The same for what is done with clips.
    pub fn on_work(
        &self,
        act: impl FnMut(queue::Event) + Send + 'static,
    ) -> std::io::Result<Listening> {
        Listening::start(self.worked.clone(), act)
    }

    /// Returns when open windows have run to their end, or at once after a second
    /// wish to stop. `say` hears what is waited for.
    pub fn drain(&self, say: impl FnMut(&str)) {
        self.highlights.drain(say);
    }

    /// Ends all rooms and waits for them.
    pub fn leave(self) {
        self.stopper.stop.raise(StopLevel::Now);
        self.server.join();
        let _ = self.watching.join();
        drop(self.buttons);
        // It works on the storage that is highlights' to lock.
        self.delivery.queue.join();
        self.board.panel.close();
        drop(self.feeding);
        // The last word of the lights: dead.
        drop(self.board);
        drop((self.gate, self.status, self.monitor));
        leave(self.ingest);
    }
}

/// What is there before anything reads.
struct Begun {
    highlights: Settings,
    mail: queue::Mail,
    board: Opened,
}

/// What the API asks.
fn backend(gate: &Arc<PressGate>, status: &Arc<StatusView>) -> web::ApiBackend {
    web::ApiBackend {
        presses: gate.clone(),
        status: status.clone(),
        library: status.clone(),
        jobs: status.clone(),
    }
}

/// From now on the monitor looks at everything.
fn watch(monitor: &Arc<Monitor>) -> std::io::Result<JoinHandle<()>> {
    let monitor = monitor.clone();
    std::thread::Builder::new()
        .name("monitor".to_owned())
        .spawn(move || monitor.watch())
}

/// From now on buttons are heard; what was pressed since the board was opened, first.
fn start_buttons(
    config: &Config,
    board: &Opened,
    gate: &Arc<PressGate>,
    clock: &Arc<dyn Clock>,
    stopper: &Stopper,
) -> Result<Buttons, ServiceError> {
    let hands = Arc::new(ServiceHands {
        gate: gate.clone(),
        panel: board.panel.clone(),
        stopper: stopper.clone(),
    });
    let heard = board.heard.clone();
    buttons::start(&config.buttons, heard, hands, clock.clone()).map_err(ServiceError::Thread)
}

/// The lights hear of clips and of the stop.
fn feed_lights(board: &Opened, highlights: &Highlights, stop: &Stop) -> std::io::Result<Listening> {
    let lights = board.panel.lights.clone();
    stop.tell({
        let lights = lights.clone();
        move || lights.shutting_down()
    });
    if stop.level() > StopLevel::Running {
        lights.shutting_down();
    }
    let panel = board.panel.clone();
    Listening::start(highlights.events(), move |event| panel.feed.event(&event))
}

/// Ends ingest and waits for it, unless a stuck request still looks at it.
fn leave(ingest: Arc<Ingest>) {
    ingest.stop();
    if let Some(ingest) = Arc::into_inner(ingest) {
        ingest.join();
    }
}

/// Opens the rings, and has cameras read from now on.
fn start_ingest(
    config: &Config,
    boot_id: BootId,
    readers: CameraReaders,
    clock: &Arc<dyn Clock>,
    stopper: &Stopper,
) -> Result<Ingest, IngestError> {
    let cameras = sound_before::cameras(config, &Disk::default());
    let settings = ingest_settings(config, cameras, boot_id);
    let (clock, stop) = (clock.clone(), stopper.stop.clone());
    let CameraReaders::Processes(program) = readers else {
        return ingest::start(settings, clock, stop);
    };
    let processes = ReaderProcesses {
        program,
        count: config.ingest.processes,
        memory_bytes: config.ingest.memory_bytes,
    };
    let limits = ingest::Limits::default();
    ingest::start_in_processes(settings, processes, clock, stop, limits)
}

fn ingest_settings(config: &Config, cameras: Vec<Camera>, boot_id: BootId) -> ingest::Settings {
    ingest::Settings {
        cameras,
        ring: config.ring.clone(),
        reconnect: config.reconnect,
        window_ms: config.longest_window_ms(),
        boot_id,
    }
}

fn highlight_settings(config: &Config, boot_id: BootId) -> Settings {
    let cameras = config.cameras.iter().map(|camera| CameraSettings {
        id: camera.id.clone(),
        name: camera.name.clone(),
        court: camera.court.clone(),
        latency_ms: camera.latency_ms,
    });
    Settings {
        storage: config.storage.path.clone(),
        ring_dir: config.ring.dir.clone(),
        timezone: config.venue.timezone.clone(),
        cameras: cameras.collect(),
        boot_id,
        stop_grace_ms: config.highlight.stop_grace_ms,
        old_rings: Vec::new(),
        reserve_bytes: Reserve::of(config.press_bytes()).presses_bytes,
        queue: None,
    }
}

fn web_settings(config: &Config, port: ApiPort, readers: ReaderPids) -> web::Settings {
    let courts = config.cameras.iter();
    let courts = courts.map(|camera| (camera.id.clone(), camera.court.clone()));
    web::Settings {
        listen: config.http.listen,
        or_any_port: port == ApiPort::OrAnother,
        token: config.http.token.clone(),
        names: config.http.names.clone(),
        storage: config.storage.path.clone(),
        local_socket: Some(web::local_socket::place(
            &config.storage.path,
            &config.ring.dir,
        )),
        refused_peers: web::RefusedPeers::new(move |pid| readers.contains(pid)),
        cameras: config.cameras.iter().map(|c| c.id.clone()).collect(),
        courts: courts.collect(),
        pre_ms: config.highlight.pre_ms,
        post_ms: config.highlight.post_ms,
        ring_ms: u64::from(config.ring.seconds) * 1000,
        timezone: config.venue.timezone.clone(),
        highlights: StorageLayout::new(&config.storage.path).highlights(),
        presses: config.trigger.http,
        limits: Limits::default(),
    }
}

/// A thread that hears the events. Dropping it lets it hear what has happened so far, and ends it.
pub(crate) struct Listening {
    done: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    fn start<E: Send + 'static>(
        events: Receiver<E>,
        mut act: impl FnMut(E) + Send + 'static,
    ) -> std::io::Result<Listening> {
        let (done, over) = crossbeam_channel::bounded::<()>(0);
        let listen = move || {
            loop {
                select! {
                    recv(events) -> event => match event {
                        Ok(event) => act(event),
                        Err(_) => return,
                    },
                    recv(over) -> _ => break,
                }
            }
            events.try_iter().for_each(act);
        };
        let thread = std::thread::Builder::new()
            .name("events".to_owned())
            .spawn(listen)?;
        Ok(Listening {
            done: Some(done),
            thread: Some(thread),
        })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        drop(self.done.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
