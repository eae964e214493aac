//! Who asks.
//!
//! Not here: how somebody proves who they are (`identify`), which route asks for what (`table`).

use axum::http::StatusCode;

use super::role::{Access, Role};
use super::sentence::GuardSentence;
use crate::access::{AccountRole, Standing};
use crate::base::Sentence;
use crate::web::refusal::ApiRefusal;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    Nobody,
    /// Somebody showed a session, and the list of sessions cannot be read.
    Unclear(Sentence),
    /// Signed in.
    User(Standing),
    /// A machine with the token of the config.
    Bearer,
    /// The box itself: its own commands. Where there is neither a token nor an administrator, whoever is on it.
    Local,
}

impl Principal {
    pub fn role(&self) -> Option<Role> {
        match self {
            Principal::Nobody | Principal::Unclear(_) => None,
            Principal::User(user) => Some(match user.role {
                AccountRole::Kiosk => Role::Kiosk,
                AccountRole::Staff => Role::Staff,
                AccountRole::Admin => Role::Admin,
            }),
            Principal::Bearer => Some(Role::Bearer),
            Principal::Local => Some(Role::Local),
        }
    }

    pub fn may(&self, access: Access) -> bool {
        let Some(role) = self.role() else {
            return matches!(access, Access::Open | Access::Link);
        };
        match access {
            Access::Open | Access::Link => true,
            Access::Kiosk => true,
            Access::User => role != Role::Bearer,
            Access::Staff => role != Role::Kiosk,
            Access::Admin => matches!(role, Role::Admin | Role::Local),
        }
    }

    /// Why not, where it may not.
    pub fn admit(&self, access: Access) -> Result<(), ApiRefusal> {
        if self.may(access) {
            return Ok(());
        }
        Err(match (self, self.role()) {
            (Principal::Unclear(why), _) => {
                ApiRefusal::said(StatusCode::SERVICE_UNAVAILABLE, why.clone())
            }
            (_, None) => ApiRefusal::new(StatusCode::UNAUTHORIZED, GuardSentence::TokenNeeded {}),
            (_, Some(role)) => {
                let said = GuardSentence::RoleTooLow {
                    role: role.name(),
                    needed: access.name(),
                };
                ApiRefusal::new(StatusCode::FORBIDDEN, said)
            }
        })
    }

    /// The one court that it is confined to.
    pub fn court(&self) -> Option<&str> {
        match self {
            Principal::User(user) => user.court.as_deref(),
            _ => None,
        }
    }
}
