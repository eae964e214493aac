//! What is done with what the buttons mean.
//!
//! Not here: what their edges mean (`buttons`).

use std::sync::Arc;

use crate::base::{PressAck, PressError, PressId, PressRequest, Sentence};
use crate::config::PressWindow;
use crate::service::panel::Panel;
use crate::service::press_gate::PressGate;
use crate::service::signals::Stopper;

/// The service; in tests something simpler.
pub(crate) trait Hands: Send + Sync {
    /// `others`: windows that a gesture may give it instead.
    fn press(&self, request: &PressRequest, others: &[PressWindow])
    -> Result<PressAck, PressError>;
    fn decide(&self, press: &PressId, window: PressWindow);
    /// A press within the cooldown: its moment is in a clip that is being made.
    fn again(&self);
    /// A press was lost in an error of the program.
    fn failed(&self);
    fn trouble(&self, button: usize, what: Option<Sentence>);
    fn held(&self, button: usize) -> Option<bool>;
    fn stop(&self);
}

pub(crate) struct ServiceHands {
    pub gate: Arc<PressGate>,
    pub panel: Arc<Panel>,
    pub stopper: Stopper,
}

impl Hands for ServiceHands {
    fn press(
        &self,
        request: &PressRequest,
        others: &[PressWindow],
    ) -> Result<PressAck, PressError> {
        self.gate.take(request, others)
    }

    fn decide(&self, press: &PressId, window: PressWindow) {
        self.gate.decide(press, window);
    }

    fn again(&self) {
        self.panel.lights.taken();
    }

    fn failed(&self) {
        self.panel.lights.refused();
    }

    fn trouble(&self, button: usize, what: Option<Sentence>) {
        self.panel.set_trouble(button, what);
    }

    fn held(&self, button: usize) -> Option<bool> {
        self.panel.held(button)
    }

    fn stop(&self) {
        self.stopper.switch_off();
    }
}
