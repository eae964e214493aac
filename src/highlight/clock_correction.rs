//! The wall clock was set: sidecars of this boot that were written before get the right time.
//!
//! Not here: what the wall clock was at a press (`wall`).

use std::io;
use std::path::{Path, PathBuf};

use super::engine::Engine;
use super::store::OpenStorage;
use crate::storage::listing::{file_name, sidecars_in, subfolders};

impl Engine {
    /// The wall clock was set: sidecars of this boot that were written before get the right time.
    pub fn correct_clocks(&self) {
        let Some(store) = self.store.get() else {
            return;
        };
        // From here on sidecars are written with the right time.
        self.wall.no_sidecar_on_its_way();
        let mut corrected = 0;
        for path in self.sidecars_of_this_boot(store) {
            match self.correct(store, &path) {
                Ok(true) => corrected += 1,
                Ok(false) => {}
                Err(error) => {
                    log::warn!(target: "hindsight", event = "error_disk"; "{}: correcting its time: {error}", path.display());
                }
            }
        }
        if corrected > 0 {
            log::info!(target: "hindsight", event = "clip_clock_corrected"; "the clock is synchronised: the times of {corrected} highlights were corrected");
        }
    }

    fn sidecars_of_this_boot(&self, store: &OpenStorage) -> Vec<PathBuf> {
        let boot = self.settings.boot_id.to_string();
        let presses = subfolders(&store.layout.highlights())
            .into_iter()
            .flat_map(|day| subfolders(&day))
            .filter(|press| file_name(press).starts_with(&boot[..8]));
        presses.flat_map(|press| sidecars_in(&press)).collect()
    }

    /// As a change among those of the queue, which may be at work on it.
    fn correct(&self, store: &OpenStorage, path: &Path) -> io::Result<bool> {
        let mut corrected = false;
        store.sidecars.change(path, |sidecar| {
            let ours = sidecar.clock.boot_id == self.settings.boot_id;
            corrected = ours && !sidecar.clock.wall_synchronised;
            if corrected {
                let wall = self.clock.wall();
                sidecar.correct_clock(wall, self.clock.mono_ns(), &self.settings.timezone);
            }
            corrected
        })?;
        Ok(corrected)
    }
}
