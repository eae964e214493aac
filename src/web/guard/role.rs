//! Who asks, and what a route asks of them.
//!
//! Not here: how somebody proves who they are (`guard`), which route asks for what (`table`).

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// One press's clips, by a shared address.
    Link,
    /// One court.
    Kiosk,
    /// All courts.
    Staff,
    /// Settings, users, updates.
    Admin,
    /// A machine with the token of the config.
    Bearer,
}

/// The least role that a route is open to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Everybody.
    Open,
    Link,
    Kiosk,
    Staff,
    Admin,
}

impl Access {
    pub fn name(self) -> &'static str {
        match self {
            Access::Open => "open",
            Access::Link => "link",
            Access::Kiosk => "kiosk",
            Access::Staff => "staff",
            Access::Admin => "admin",
        }
    }
}
