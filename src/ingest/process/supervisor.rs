//! The thread that starts the processes that read cameras, hears them, ends them, and starts them again.
//! It lives as long as they do: their death signal follows it.
//!
//! Not here: what it decides by (`policy`, `conversation`), one process (`link`).

use std::collections::BTreeSet;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};

use crate::base::{Clock, Heartbeat};

use super::super::error::IngestError;
use super::super::sentence::CaptureSentence;
use super::super::settings::{Limits, Settings};
use super::super::state::CameraShared;
use super::control::{Control, ReaderPids, ReaderProcesses};
use super::death::Death;
use super::link::{LinkEnd, ReaderLink};
use super::message::{FromChild, Heavy, LogLine, ReaderBegin, ToChild};
use super::names::NameServer;
use super::policy::{Group, GroupId, Groups};
use super::reader_view::ReaderView;

/// Between two looks where nothing happens.
const LOOK: Duration = Duration::from_millis(500);
/// While one is on its way out.
const SHORT_LOOK: Duration = Duration::from_millis(5);
/// One that says nothing for so long, while we look, hangs. It beats twice a second.
const SILENT_NS: u64 = 5_000_000_000;
/// Before it reads: a large ring takes its time.
const SILENT_AT_START_NS: u64 = 60_000_000_000;
/// One that closed its channel is given so long to be gone.
const LEAVING_NS: u64 = 2_000_000_000;

/// One that is on its way out.
struct Leaving {
    link: ReaderLink,
    /// Known, or to be read off its end.
    death: Option<Death>,
    since_mono_ns: u64,
}

/// The thread, while it runs.
pub struct Supervisor {
    settings: Settings,
    limits: Limits,
    how: ReaderProcesses,
    clock: Arc<dyn Clock>,
    control: Arc<Control>,
    pub pids: ReaderPids,
    pub heartbeat: Arc<Heartbeat>,
    views: Vec<ReaderView>,
    groups: Groups,
    links: Vec<ReaderLink>,
    leaving: Vec<Leaving>,
    names: NameServer,
    /// Cameras whose rings were not yet heard of, and who waits for that.
    unopened: BTreeSet<usize>,
    ready: Option<Sender<Result<(), IngestError>>>,
    cage_told: bool,
    looked_mono_ns: u64,
}

impl Supervisor {
    pub fn new(
        settings: Settings,
        how: ReaderProcesses,
        clock: Arc<dyn Clock>,
        limits: Limits,
        control: Arc<Control>,
        ready: Sender<Result<(), IngestError>>,
    ) -> Supervisor {
        let count = settings.cameras.len();
        let cameras = settings.cameras.iter();
        Supervisor {
            views: cameras.map(|c| ReaderView::new(c.id.clone())).collect(),
            groups: Groups::new(count, how.count, settings.reconnect),
            looked_mono_ns: clock.mono_ns(),
            settings,
            limits,
            how,
            clock,
            control,
            pids: ReaderPids::default(),
            heartbeat: Arc::new(Heartbeat::new("ingest")),
            links: Vec::new(),
            leaving: Vec::new(),
            names: NameServer::new(),
            unopened: (0..count).collect(),
            ready: Some(ready),
            cage_told: false,
        }
    }

    /// What is known of each camera.
    pub fn shared(&self) -> Vec<Arc<CameraShared>> {
        let views = self.views.iter();
        views.map(|view| view.shared.clone()).collect()
    }

    /// Until it is told to end; `woken` hears of that.
    pub fn run(mut self, woken: &UnixStream) {
        self.tell_ready();
        while !self.control.due() {
            self.heartbeat.beat();
            let now = self.clock.mono_ns();
            for group in self.groups.due(now) {
                self.start(&group, now);
            }
            self.wait(woken);
            self.look();
        }
        self.end(woken);
    }

    fn start(&mut self, group: &Group, now_mono_ns: u64) {
        let one_bytes = self.how.one_bytes();
        let mut begin = ReaderBegin::of(&self.settings, &group.cameras, &self.limits, one_bytes);
        let views = group.cameras.iter().map(|camera| self.views.get(*camera));
        begin.remember(views.map(|view| view.and_then(|view| view.shared.words().relay)));
        let link = ReaderLink::start(&self.how.program, group.id, group.cameras.clone(), begin);
        self.groups.started(group.id, now_mono_ns);
        match link {
            Ok(link) => {
                self.pids.begun(link.child.pid.as_raw());
                self.links.push(link);
            }
            Err(error) => {
                let error = error.to_string();
                self.died(group.id, &group.cameras, &Death::NotStarted { error });
            }
        }
    }

    /// Sleeps until somebody says something, or it is time for something.
    fn wait(&self, woken: &UnixStream) {
        let now = self.clock.mono_ns();
        let next = self.groups.next_start_mono_ns();
        let next = next.map_or(LOOK, |at| Duration::from_nanos(at.saturating_sub(now)));
        let limit = match self.leaving.is_empty() {
            true => next.min(LOOK),
            false => SHORT_LOOK,
        };
        let mut fds = vec![PollFd::new(woken.as_fd(), PollFlags::POLLIN)];
        for link in &self.links {
            let mut wanted = PollFlags::POLLIN;
            wanted.set(PollFlags::POLLOUT, link.wants_to_send());
            fds.push(PollFd::new(link.channel.as_fd(), wanted));
        }
        // Rounded up: too early would be to spin.
        let ms = u16::try_from(limit.as_millis() + 1).unwrap_or(u16::MAX);
        let _ = poll(&mut fds, PollTimeout::from(ms));
        let mut bytes = [0; 64];
        while matches!((&*woken).read(&mut bytes), Ok(n) if n > 0) {}
    }

    /// Hears all, and sees who is silent, who leaves, who has too much.
    fn look(&mut self) {
        let now = self.clock.mono_ns();
        // Where we did not look, they may have spoken.
        let since_ns = now.saturating_sub(self.looked_mono_ns);
        let silent_ns = since_ns.min(2 * u64::try_from(LOOK.as_nanos()).unwrap_or(0));
        self.looked_mono_ns = now;
        for mut link in std::mem::take(&mut self.links) {
            link.silent_ns += silent_ns;
            let (heard, end) = link.hear(now);
            let death = heard
                .into_iter()
                .find_map(|message| self.take(&mut link, message, now));
            let end = end.or_else(|| link.send().err());
            let most = match link.caged {
                true => SILENT_NS,
                false => SILENT_AT_START_NS,
            };
            match (death, end) {
                (Some(death), _) => self.leaves(link, Some(death), now),
                (None, Some(LinkEnd::Closed)) => self.leaves(link, None, now),
                (None, Some(nonsense)) => {
                    let what = nonsense.to_string();
                    self.leaves(link, Some(Death::Nonsense { what }), now);
                }
                (None, None) if link.silent_ns >= most => {
                    let silent_s = link.silent_ns / 1_000_000_000;
                    self.leaves(link, Some(Death::Hung { silent_s }), now);
                }
                // It has given all of its cameras back.
                (None, None) if self.groups.all().iter().all(|group| group.id != link.group) => {
                    self.leaves(link, None, now);
                }
                (None, None) => self.links.push(link),
            }
        }
        self.bound_memory(now);
        self.answer_names();
        self.bury(now);
    }

    /// What one message does. `Some`: the process has to end.
    fn take(
        &mut self,
        link: &mut ReaderLink,
        message: FromChild,
        now_mono_ns: u64,
    ) -> Option<Death> {
        match message {
            FromChild::Ring { camera, found } => {
                let place = link.place(camera)?;
                self.views.get(place)?.ring(&found);
                self.unopened.remove(&place);
                self.tell_ready();
            }
            FromChild::NoRing { camera, error } => return Some(Death::NoRing { camera, error }),
            FromChild::Caged(report) => {
                link.caged = true;
                if !report.whole() && !std::mem::replace(&mut self.cage_told, true) {
                    log::warn!(target: "hindsight", event = "camera_cage_not_whole";
                        "processes that read cameras are not locked in as they should be: {report}");
                }
            }
            FromChild::Beat { used_bytes } => link.used_bytes = used_bytes,
            FromChild::Words { camera, words } => {
                self.views.get(link.place(camera)?)?.words(*words);
            }
            FromChild::Counters { camera, counters } => {
                self.views.get(link.place(camera)?)?.counters(counters);
            }
            FromChild::Line(line) => self.log(link, &line),
            FromChild::Resolve { camera } => self.resolve(link.place(camera)?),
            FromChild::GaveBack { camera, why } => {
                self.gave_back(link, link.place(camera)?, why, now_mono_ns);
            }
        }
        None
    }

    fn gave_back(&mut self, link: &ReaderLink, place: usize, why: Heavy, now_mono_ns: u64) {
        let Some(view) = self.views.get_mut(place) else {
            return;
        };
        let reason = CaptureSentence::ReaderHeavy {};
        let id = view.shared.camera.to_string();
        let much = match why {
            Heavy::Memory => "memory",
            Heavy::Work => "work",
        };
        log::warn!(target: "hindsight", event = "camera_reader_heavy", camera = id.as_str(); "{id}: {reason} ({much})");
        view.lost(&reason, now_mono_ns, now_mono_ns);
        self.groups.gave_back(link.group, place, now_mono_ns);
    }

    fn log(&self, link: &ReaderLink, line: &LogLine) {
        let place = line.camera.and_then(|camera| link.place(camera));
        let camera = place.and_then(|place| self.settings.cameras.get(place));
        let (event, text) = (line.event.as_str(), &line.text);
        match camera.map(|camera| camera.id.as_str()) {
            Some(id) => {
                // Whatever it says, it says it of its own camera.
                let text = text.strip_prefix(id).unwrap_or(text);
                let text = text.strip_prefix(": ").unwrap_or(text);
                log::log!(target: "hindsight", line.level, event = event, camera = id; "{id}: {text}");
            }
            None => log::log!(target: "hindsight", line.level, event = event; "{text}"),
        }
    }

    fn resolve(&mut self, place: usize) {
        let host = self.settings.cameras.get(place).map(|c| c.url.host());
        if let Some(Some(url::Host::Domain(name))) = host {
            let control = Arc::downgrade(&self.control);
            let wake = move || control.upgrade().iter().for_each(|control| control.wake());
            self.names.ask(place, name, wake);
        }
    }

    fn answer_names(&mut self) {
        while let Some((place, found)) = self.names.next() {
            for link in &mut self.links {
                if let Some(camera) = link.number(place) {
                    let found = found.clone();
                    // One that is gone or deaf is seen at the next look.
                    let _ = link.tell(&ToChild::Resolved { camera, found });
                }
            }
        }
    }

    /// All together may have so much; the one that has most goes.
    fn bound_memory(&mut self, now_mono_ns: u64) {
        let all: u64 = self.links.iter().map(|link| link.used_bytes).sum();
        if all <= self.how.memory_bytes {
            return;
        }
        let links = self.links.iter().enumerate();
        let most = links.max_by_key(|(_, link)| link.used_bytes);
        if let Some(at) = most.map(|(at, _)| at) {
            let link = self.links.remove(at);
            self.leaves(link, Some(Death::AllMemory), now_mono_ns);
        }
    }

    fn leaves(&mut self, link: ReaderLink, death: Option<Death>, now_mono_ns: u64) {
        if death.is_some() {
            // It may be gone already.
            let _ = kill(link.child.pid, Signal::SIGKILL);
        }
        self.leaving.push(Leaving {
            link,
            death,
            since_mono_ns: now_mono_ns,
        });
    }

    /// Those that are gone.
    fn bury(&mut self, now_mono_ns: u64) {
        for mut leaving in std::mem::take(&mut self.leaving) {
            let pid = leaving.link.child.pid;
            let ended = match leaving.link.child.try_wait() {
                Ok(ended) => ended,
                // Somebody else has waited for it.
                Err(_) => Some(std::process::ExitStatus::default()),
            };
            let Some(status) = ended else {
                if now_mono_ns.saturating_sub(leaving.since_mono_ns) >= LEAVING_NS {
                    let _ = kill(pid, Signal::SIGKILL);
                }
                self.leaving.push(leaving);
                continue;
            };
            self.pids.ended(pid.as_raw());
            let death = leaving.death.unwrap_or_else(|| Death::of(status));
            self.died(leaving.link.group, &leaving.link.cameras, &death);
        }
    }

    /// Its cameras are lost until the next one reads them.
    fn died(&mut self, group: GroupId, cameras: &[usize], death: &Death) {
        let now = self.clock.mono_ns();
        let of = self.groups.all().iter().find(|of| of.id == group);
        let Some(still_its) = of.map(|of| of.cameras.clone()) else {
            return;
        };
        let culprit = death.culprit().and_then(|n| cameras.get(usize::from(n)));
        let culprit = culprit.copied();
        self.not_ready(&still_its, death);
        self.groups.died(group, culprit, now, fastrand::u64(..));
        let reason = death.reason(self.how.one_bytes(), self.how.memory_bytes);
        for place in still_its {
            let innocent = culprit.is_some_and(|culprit| culprit != place);
            let its = match innocent {
                true => CaptureSentence::ReaderShared {},
                false => reason.clone(),
            };
            let of = self.groups.all().iter();
            let mut of = of.filter(|of| of.cameras.contains(&place));
            let next = of.next().and_then(Group::starts_at).unwrap_or(now);
            let Some(view) = self.views.get_mut(place) else {
                continue;
            };
            view.lost(&its, now, next);
            let id = view.shared.camera.to_string();
            let delay_s = Duration::from_nanos(next.saturating_sub(now)).as_secs_f32();
            log::warn!(target: "hindsight", event = "camera_lost", camera = id.as_str(); "{id}: {its}; next try in {delay_s:.0} s");
        }
    }

    /// All rings are open.
    fn tell_ready(&mut self) {
        if self.unopened.is_empty()
            && let Some(ready) = self.ready.take()
        {
            let _ = ready.send(Ok(()));
        }
    }

    /// A process that dies before its rings were open ends the start; one that dies of a camera, while
    /// others open theirs, does not.
    fn not_ready(&mut self, cameras: &[usize], death: &Death) {
        if cameras.iter().all(|at| !self.unopened.contains(at)) {
            return;
        }
        let Some(ready) = self.ready.take() else {
            return;
        };
        let ids = cameras
            .iter()
            .filter_map(|at| self.settings.cameras.get(*at));
        let ids: Vec<&str> = ids.map(|camera| camera.id.as_str()).collect();
        let reason = death.reason(self.how.one_bytes(), self.how.memory_bytes);
        let error = match death {
            Death::NoRing { camera, error } => {
                let at = cameras.get(usize::from(*camera));
                at.and_then(|at| self.settings.cameras.get(*at))
                    .map(|camera| IngestError::NoRing {
                        camera: camera.id.clone(),
                        why: error.clone(),
                    })
            }
            _ => None,
        };
        let error = error.unwrap_or_else(|| IngestError::Process {
            cameras: ids.join(", "),
            why: reason.to_string(),
        });
        let _ = ready.send(Err(error));
    }

    /// Tells all to leave, and waits for them.
    fn end(mut self, woken: &UnixStream) {
        let now = self.clock.mono_ns();
        for mut link in std::mem::take(&mut self.links) {
            // One that does not hear it hears the end of the channel, or is killed.
            let _ = link.tell(&ToChild::Stop {});
            let _ = link.channel.shutdown(std::net::Shutdown::Write);
            self.leaves(link, None, now);
        }
        while !self.leaving.is_empty() {
            self.heartbeat.beat();
            self.wait(woken);
            let now = self.clock.mono_ns();
            for mut leaving in std::mem::take(&mut self.leaving) {
                // Its last words must not keep it.
                let _ = leaving.link.hear(now);
                let pid = leaving.link.child.pid;
                match leaving.link.child.try_wait() {
                    Ok(None) => {
                        if now.saturating_sub(leaving.since_mono_ns) >= LEAVING_NS {
                            let _ = kill(pid, Signal::SIGKILL);
                        }
                        self.leaving.push(leaving);
                    }
                    Ok(Some(_)) | Err(_) => self.pids.ended(pid.as_raw()),
                }
            }
        }
    }
}
