//! Who may sign in: users, their sessions, and addresses shared with guests.
//!
//! Pure: [`Accounts`] (users, and whether the box has been set up), [`Sessions`], [`Links`]. Only hashes of secrets are
//! kept; the one exception is the set-up token, which the box must be able to show. [`AccessStore`] keeps them in files of
//! the storage; the service and `hindsight users` work on them side by side.
//!
//! Not here: what a role may do, cookies, addresses that try too often (`web::guard`).

mod accounts;
mod error;
mod files;
mod links;
mod moment;
mod password;
mod records;
mod secret;
mod sessions;
mod store;

pub use accounts::{Account, AccountRole, Accounts, NewAccount};
pub use error::AccessError;
pub use links::{Link, LinkAnswer, Links};
pub use moment::Moment;
pub use password::{PASSWORD_LEAST, PasswordHash};
pub use secret::{SecretHash, SecretText};
pub use sessions::{Lifetime, SessionRecord, Sessions};
pub use store::{AccessStore, SignedIn, Standing};
