//! The service inside another program: for tests and benches that have their hand on
//! its simulated board. It hears no signals.
//!
//! Not here: what the service is made of (`composition`).

use std::net::SocketAddr;
use std::path::Path;

use super::composition::{ApiPort, CameraReaders, Service};
use super::error::ServiceError;
use super::signals::Stopper;
use crate::base::StopLevel;
use crate::board::lights::Lights;
use crate::board::sim::SimHandle;
use crate::config::Config;

/// A running service. Dropping it stops it at once.
pub struct EmbeddedService {
    service: Option<Service>,
    stopper: Stopper,
    sim: Option<SimHandle>,
    lights: Lights,
    addr: SocketAddr,
}

impl EmbeddedService {
    /// All of it; cameras are read by threads of this program.
    pub fn start(config: &Config) -> Result<EmbeddedService, ServiceError> {
        EmbeddedService::start_with(config, CameraReaders::Threads)
    }

    /// All of it; cameras are read by processes of `hindsight`, whose file is `program`.
    pub fn start_with_processes(
        config: &Config,
        program: &Path,
    ) -> Result<EmbeddedService, ServiceError> {
        let readers = CameraReaders::Processes(program.to_owned());
        EmbeddedService::start_with(config, readers)
    }

    fn start_with(
        config: &Config,
        readers: CameraReaders,
    ) -> Result<EmbeddedService, ServiceError> {
        let stopper = Stopper::deaf();
        let service = Service::start(config, ApiPort::Fixed, readers, &stopper)?;
        Ok(EmbeddedService {
            sim: service.board.sim.clone(),
            lights: service.board.panel.lights.clone(),
            addr: service.addr(),
            service: Some(service),
            stopper,
        })
    }

    /// The hand on a simulated board; `None` where the config has another.
    pub fn sim(&self) -> Option<&SimHandle> {
        self.sim.as_ref()
    }

    /// What the lights were told.
    pub fn lights(&self) -> &Lights {
        &self.lights
    }

    /// Where the API listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whether somebody wants it to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopper.stop.level() > StopLevel::Running
    }

    /// Lets open windows run to their end, as the first signal does; the exit code.
    pub fn stop(mut self) -> u8 {
        self.stopper.stop.raise(StopLevel::Finish);
        if let Some(service) = self.service.take() {
            service.drain(|_| {});
            service.leave();
        }
        self.stopper.exit_code()
    }
}

impl Drop for EmbeddedService {
    fn drop(&mut self) {
        if let Some(service) = self.service.take() {
            service.leave();
        }
    }
}
