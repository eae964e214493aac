//! Whether a folder is there, mounted, and may be written to: a small file is written, synced
//! and removed.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use super::FolderAdapter;
use super::copy::{Copier, News};
use super::failure::silent;
use crate::base::Stop;
use crate::disk::{Disk, files::for_people};
use crate::queue::work::Failure;
use crate::upload::sentence::FolderUploadSentence;
use crate::upload::types::{Limits, Shared};

impl FolderAdapter {
    /// What it has room for. A share that hangs is left after `limits.connect`.
    pub fn probe(
        &self,
        shared: &Arc<Shared>,
        limits: Limits,
        stop: &Stop,
    ) -> Result<String, Failure> {
        let (tell, told) = channel();
        let copier = Copier {
            root: self.root.clone(),
            disk: self.disk.clone(),
            seen: Arc::clone(&self.seen),
            items: Vec::new(),
            shared: Arc::clone(shared),
            stop: stop.clone(),
            tell,
        };
        let (answer, answered) = channel();
        let asking = move || {
            // Nothing to copy: only whether it is mounted.
            copier.run();
            let mounted = told.iter().find_map(|news| match news {
                News::Done(result) => Some(result),
                _ => None,
            });
            let tried = mounted
                .unwrap_or(Ok(()))
                .and_then(|()| try_out(&copier.disk, &copier.root));
            // Nobody listens to a thread that was left behind.
            let _ = answer.send(tried);
        };
        let thread = std::thread::Builder::new().name("reach-folder".to_owned());
        let spawned = thread.spawn(asking);
        spawned.map_err(|error| {
            Failure::unavailable(FolderUploadSentence::NoThreadToLook {
                error: error.to_string(),
            })
        })?;
        let heard = answered.recv_timeout(limits.connect);
        heard.unwrap_or_else(|_| Err(silent(&self.root)))
    }
}

fn try_out(disk: &Disk, root: &Path) -> Result<String, Failure> {
    let barred = |error: std::io::Error| {
        Failure::unavailable(FolderUploadSentence::NotWritable {
            path: root.display().to_string(),
            error: for_people(&error),
        })
    };
    let probe = root.join(format!(".hindsight-check-{}", std::process::id()));
    let written = disk.create(&probe).and_then(|file| {
        file.write_all_at(b"hindsight check", 0)?;
        file.sync()
    });
    let removed = disk.remove(&probe);
    written.and(removed).map_err(barred)?;
    let tenths = disk.space(root).map_err(barred)?.free / 100_000_000;
    Ok(format!(
        "can be written, {}.{} GB free",
        tenths / 10,
        tenths % 10
    ))
}
