//! What is said to people of the storage.

crate::sentences! {
    /// Why the storage cannot be used.
    pub enum StorageSentence {
        NotOpen {} = "storage_not_open": "the storage is not open",
        NotMounted { path: String, mount_point: String } = "storage_not_mounted":
            "{path} belongs on the disk that /etc/fstab mounts at {mount_point}, and nothing is mounted there: plug it in or mount it",
        Replaced { path: String } = "storage_replaced":
            "{path} is not the folder that it was when the service started: was its disk unmounted? Mount it again or restart hindsight",
        Unreachable { path: String, error: String } = "storage_unreachable": "{path} cannot be reached: {error}",
        RoomUnknown { path: String, error: String } = "storage_room_unknown":
            "{path} cannot be asked for its room: {error}",
        ReadOnly { path: String } = "storage_read_only": "{path} is mounted read-only",
        NotWritable { path: String, error: String } = "storage_not_writable": "{path} cannot be written to: {error}",
        /// `what` says what was tried.
        Failed { path: String, what: &'static str, error: String } = "storage_failed": "{path}: {what}: {error}",
        Unusable { error: String } = "storage_unusable": "{error}",
        /// What the disk said of a clip or of the journal, since the start.
        Refused { error: String } = "storage_refused": "{error}",
        JournalRefused { error: String } = "storage_journal_refused": "the journal: {error}",
        JournalFailed { path: String, error: String } = "storage_journal_failed": "{path}: {error}",
    }
}
