//! What is wrong with a folder waits until it is mended.

use std::path::Path;

use crate::queue::work::Failure;

pub fn wait(why: String) -> Failure {
    Failure::Unavailable {
        why,
        retry_after_ms: None,
    }
}

pub fn silent(root: &Path) -> Failure {
    let root = root.display();
    wait(format!(
        "{root} does not answer: the share's server or the disk hangs"
    ))
}
