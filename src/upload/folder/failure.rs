//! What is wrong with a folder waits until it is mended.

use std::path::Path;

use crate::queue::work::Failure;
use crate::upload::sentence::FolderUploadSentence;

pub fn silent(root: &Path) -> Failure {
    Failure::unavailable(FolderUploadSentence::Silent {
        path: root.display().to_string(),
    })
}
