//! The credentials that systemd hands to the service.

use std::path::PathBuf;

/// Where systemd puts them (`$CREDENTIALS_DIRECTORY`).
#[derive(Clone, Debug, Default)]
pub struct SystemdCredentials {
    pub dir: Option<PathBuf>,
}

impl SystemdCredentials {
    /// The file of the credential of that name, if there is one.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        let path = self.dir.as_ref()?.join(name);
        path.is_file().then_some(path)
    }
}
