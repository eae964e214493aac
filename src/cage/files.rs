//! No file may be opened any more: Landlock without a single exception.
//!
//! Not here: other locks.

use landlock::{
    ABI, Access, AccessFs, LandlockStatus, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope,
};

use super::report::LockState;

/// The newest rules that this program knows; an older kernel holds what it knows of them.
const RULES: ABI = ABI::V6;

pub fn lock() -> LockState {
    match try_lock() {
        Ok(state) => state,
        Err(error) => LockState::Missing(error.to_string()),
    }
}

fn try_lock() -> Result<LockState, RulesetError> {
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(RULES))?
        .scope(Scope::from_all(RULES))?
        .create()?
        .restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced, _) => LockState::Holds,
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
            LockState::Missing("the kernel has it switched off".to_owned())
        }
        (RulesetStatus::NotEnforced, _) => {
            LockState::Missing("the kernel does not have it".to_owned())
        }
    })
}
