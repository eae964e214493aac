//! The service as one thing: its rooms, built in order, stopped in order.
//!
//! The board opens, and its lights say "booting" → ingest opens the rings → highlights bring back what earlier runs left →
//! the queue goes on with what they left, web serves. Stopping: highlights finish while ingest goes on; then all leave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, select};

use super::buttons::{self, Buttons, InHouse};
use super::panel::{self, Opened};
use super::port::{Doorway, Facts};
use super::signals::Stopper;
use super::work::{Work, reserve_bytes};
use crate::base::{BootId, Clock, Pulse, RealClock, Stop, StopLevel};
use crate::config::Config;
use crate::highlight::{CameraSettings, Event, Highlights, Settings, StartError};
use crate::ingest::{self, Ingest, IngestError};
use crate::queue;
use crate::upload::UploadError;
use crate::web::{self, Limits, Server, WebError};

/// Why the service cannot start; each says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HouseError {
    #[error("cannot read this boot's id: {0}")]
    Boot(std::io::Error),
    #[error("{0}")]
    Ingest(#[from] IngestError),
    #[error("{0}")]
    Highlights(#[from] StartError),
    #[error("{0}")]
    Upload(#[from] UploadError),
    #[error("{0}")]
    Web(#[from] WebError),
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// What to do where another listens on the API's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Fixed,
    OrAnother,
}

/// The running service.
pub(crate) struct House {
    pub door: Arc<Doorway>,
    pub highlights: Arc<Highlights>,
    pub work: Arc<Work>,
    /// From the start on: also of what earlier runs left.
    events: Receiver<Event>,
    worked: Receiver<queue::Event>,
    ingest: Arc<Ingest>,
    server: Server,
    monitor: JoinHandle<()>,
    /// Buttons and lights.
    pub board: Opened,
    buttons: Buttons,
    feeding: Listening,
    stopper: Stopper,
}

impl House {
    /// Starts all rooms. After an error nothing of them is left.
    pub fn start(config: &Config, port: Port, stopper: &Stopper) -> Result<House, HouseError> {
        let clock: Arc<dyn Clock> = Arc::new(RealClock);
        let boot_id = BootId::of_this_boot().map_err(HouseError::Boot)?;
        let board = panel::open(config, &clock).map_err(HouseError::Thread)?;
        let mut ingest = ingest::start(
            ingest_settings(config, boot_id),
            clock.clone(),
            stopper.stop.clone(),
        )?;
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
        let started = House::start_behind(config, begun, port, &clock, &ingest, stopper);
        started.inspect_err(|_| {
            stopper.stop.raise(StopLevel::Now);
            leave(ingest);
        })
    }

    /// All that reads what ingest writes.
    fn start_behind(
        config: &Config,
        begun: Begun,
        port: Port,
        clock: &Arc<dyn Clock>,
        ingest: &Arc<Ingest>,
        stopper: &Stopper,
    ) -> Result<House, HouseError> {
        let Begun {
            highlights,
            mail,
            board,
        } = begun;
        let stop = &stopper.stop;
        // Waits for the storage that highlights open.
        let work = Arc::new(Work::start(config, highlights.boot_id, mail, clock, stop)?);
        let worked = work.queue.events();
        let highlights = Highlights::start(highlights, clock.clone(), stop.clone())?;
        let highlights = Arc::new(highlights);
        let events = highlights.events();
        let door = Arc::new(Doorway::new(
            Facts::of(config),
            ingest.clone(),
            highlights.clone(),
            work.clone(),
            board.panel.clone(),
            clock.clone(),
            stop.clone(),
        ));
        let feeding = feed_lights(&board, &highlights, stop).map_err(HouseError::Thread)?;
        let buttons = start_buttons(config, &board, &door, clock, stopper)?;
        let server = web::serve(
            web_settings(config, port),
            door.clone(),
            clock.clone(),
            stop.clone(),
        )?;
        let watching = door.clone();
        let monitor = std::thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || watching.watch())
            .map_err(HouseError::Thread)?;
        Ok(House {
            door,
            highlights,
            work,
            events,
            worked,
            ingest: ingest.clone(),
            server,
            monitor,
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
    pub fn pulses(&self) -> Vec<Arc<Pulse>> {
        let mut pulses = self.door.pulses();
        pulses.push(self.server.pulse());
        pulses
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
        let _ = self.monitor.join();
        drop(self.buttons);
        // It works on the storage that is highlights' to lock.
        self.work.queue.join();
        self.board.panel.close();
        drop(self.feeding);
        // The last word of the lights: dead.
        drop(self.board);
        drop(self.door);
        leave(self.ingest);
    }
}

/// What is there before anything reads.
struct Begun {
    highlights: Settings,
    mail: queue::Mail,
    board: Opened,
}

/// From now on buttons are heard; what was pressed since the board was opened, first.
fn start_buttons(
    config: &Config,
    board: &Opened,
    door: &Arc<Doorway>,
    clock: &Arc<dyn Clock>,
    stopper: &Stopper,
) -> Result<Buttons, HouseError> {
    let hands = Arc::new(InHouse {
        door: door.clone(),
        panel: board.panel.clone(),
        stopper: stopper.clone(),
    });
    let heard = board.heard.clone();
    buttons::start(&config.buttons, heard, hands, clock.clone()).map_err(HouseError::Thread)
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

fn ingest_settings(config: &Config, boot_id: BootId) -> ingest::Settings {
    ingest::Settings {
        cameras: config.cameras.clone(),
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
        reserve_bytes: reserve_bytes(config),
        queue: None,
    }
}

fn web_settings(config: &Config, port: Port) -> web::Settings {
    web::Settings {
        listen: config.http.listen,
        or_any_port: port == Port::OrAnother,
        token: config.http.token.clone(),
        cameras: config.cameras.iter().map(|c| c.id.clone()).collect(),
        pre_ms: config.highlight.pre_ms,
        post_ms: config.highlight.post_ms,
        ring_ms: u64::from(config.ring.seconds) * 1000,
        timezone: config.venue.timezone.clone(),
        highlights: config.storage.path.join("highlights"),
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
