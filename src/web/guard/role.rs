//! Roles, and what a route asks of them.
//!
//! Not here: how somebody proves who they are (`identify`), which route asks for what (`table`).

/// What somebody is to the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// One court.
    Kiosk,
    /// All courts.
    Staff,
    /// Settings, users, updates.
    Admin,
    /// A machine with the token of the config.
    Bearer,
    /// The box's own commands.
    Local,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Kiosk => "kiosk",
            Role::Staff => "staff",
            Role::Admin => "admin",
            Role::Bearer => "bearer",
            Role::Local => "local",
        }
    }
}

/// Whom a route is open to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Everybody.
    Open,
    /// Whoever has the address: the route itself looks at the secret in its path.
    Link,
    /// Whoever has a role; a kiosk gets what is its court's.
    Kiosk,
    /// Whoever signed in with a name: no machine.
    User,
    /// All but kiosks.
    Staff,
    /// Administrators, and the box's own commands.
    Admin,
}

impl Access {
    pub fn name(self) -> &'static str {
        match self {
            Access::Open => "open",
            Access::Link => "link",
            Access::Kiosk => "kiosk",
            Access::User => "user",
            Access::Staff => "staff",
            Access::Admin => "admin",
        }
    }
}
