//! A disk with room on it, however full the machine's own is.

use std::path::Path;
use std::sync::Arc;

use hindsight::disk::{Disk, DiskCall, DiskFault, Faults, Space};

/// Half of 100 GB is free.
const HALF: Space = Space {
    free: 50_000_000_000,
    total: 100_000_000_000,
    read_only: false,
};

struct Roomy(Option<Arc<dyn Faults>>);

impl Faults for Roomy {
    fn before(&self, call: DiskCall, path: &Path) -> Option<DiskFault> {
        let struck = self.0.as_ref().and_then(|other| other.before(call, path));
        struck.or((call == DiskCall::Space).then_some(DiskFault::Space(HALF)))
    }
}

pub fn roomy() -> Disk {
    Disk::with_faults(Arc::new(Roomy(None)))
}

/// One whose other calls `faults` may strike.
pub fn roomy_but(faults: Arc<dyn Faults>) -> Disk {
    Disk::with_faults(Arc::new(Roomy(Some(faults))))
}
