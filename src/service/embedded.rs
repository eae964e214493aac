//! The service inside another program: for tests and benches that have their hand on
//! its simulated board. It hears no signals.
//!
//! Not here: what the service is made of (`house`).

use std::net::SocketAddr;

use super::house::{House, Port};
use super::signals::Stopper;
use crate::base::StopLevel;
use crate::board::lights::Lights;
use crate::board::sim::SimHandle;
use crate::config::Config;

/// A running service. Dropping it stops it at once.
pub struct Service {
    house: Option<House>,
    stopper: Stopper,
    sim: Option<SimHandle>,
    lights: Lights,
    addr: SocketAddr,
}

impl Service {
    /// All of it; the error is for people.
    pub fn start(config: &Config) -> Result<Service, String> {
        let stopper = Stopper::deaf();
        let house = House::start(config, Port::Fixed, &stopper).map_err(|e| e.to_string())?;
        Ok(Service {
            sim: house.board.sim.clone(),
            lights: house.board.panel.lights.clone(),
            addr: house.addr(),
            house: Some(house),
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
        if let Some(house) = self.house.take() {
            house.drain(|_| {});
            house.leave();
        }
        self.stopper.exit_code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(house) = self.house.take() {
            house.leave();
        }
    }
}
