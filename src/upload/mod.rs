//! Folder, S3, signed URL: what to send (pure) and adapters (thin).
//!
//! Not here: which highlight is next, when it is tried again (`queue`).
//! Called by: app, which hands the targets to the queue.
