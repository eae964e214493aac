//! What `hindsight check` has to say in the end.

/// What is to be said once everything has been looked at.
#[derive(Default)]
pub(super) struct CheckFindings {
    /// Worth knowing; all works.
    pub notes: Vec<String>,
    /// What does not work, and what would be right.
    pub wrong: Vec<String>,
}
