//! The wall clock as a label: what it was at a press, as far as known by now.
//!
//! Not here: which clock is believed (`base`), the correction of what was written before (`recover`).

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::base::{BootId, Clock, Press, Wall};

/// The wall clock, and who writes by it.
pub struct WallLabels {
    clock: Arc<dyn Clock>,
    boot_id: BootId,
    /// Held by writers of sidecars; the one who corrects clocks takes it whole.
    writing: RwLock<()>,
}

impl WallLabels {
    pub fn new(clock: Arc<dyn Clock>, boot_id: BootId) -> WallLabels {
        WallLabels {
            clock,
            boot_id,
            writing: RwLock::default(),
        }
    }

    /// Held from the look at the clock until the sidecar has its name.
    pub fn write_sidecar(&self) -> RwLockReadGuard<'_, ()> {
        self.writing.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no sidecar is between its making and its name.
    pub fn no_sidecar_on_its_way(&self) {
        drop(self.writing.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The wall time of an instant, by what the wall clock says now (`wall`): nanoseconds since 1970.
    pub fn unix_ns_at(&self, wall: Wall, mono_ns: u64) -> i64 {
        let since_ns = i128::from(self.clock.mono_ns()) - i128::from(mono_ns);
        i64::try_from(i128::from(wall.unix_ns) - since_ns).unwrap_or(wall.unix_ns)
    }

    /// The press with the wall time that it really had, as far as known by now.
    pub fn press_as_known(&self, press: &Press) -> Press {
        let mut press = press.clone();
        let ours = press.boot_id == self.boot_id;
        let wall = self.clock.wall();
        if ours && wall.synchronised && !press.wall_synchronised {
            press.wall_unix_ns = self.unix_ns_at(wall, press.instant_mono_ns);
            press.wall_synchronised = true;
        }
        press
    }
}
