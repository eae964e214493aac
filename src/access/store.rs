//! The files of this room: `users.json`, `sessions.json` and `links.json` in the folder `access` of the storage.
//!
//! Only their owner may read them. Each is written whole (temp → sync → rename → sync directory), under a lock: the
//! service and a command on the box may change them side by side, and each notices by a file's identity that it was
//! changed. One that is damaged is an error, and never taken for an empty one; and where `users.json` alone is missing,
//! it was taken away: a box that has been set up does not become new by losing a file.
//!
//! All calls may block on the disk.
//!
//! Not here: the rules of what they hold (`accounts`, `sessions`, `links`).

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::accounts::{Account, AccountRole, Accounts, NewAccount};
use super::error::AccessError;
use super::files::{AccessFiles, Cached};
use super::links::{Link, LinkAnswer, Links};
use super::moment::Moment;
use super::password::PasswordHash;
use super::records::StoredFile;
use super::secret::{SecretHash, SecretText};
use super::sessions::{SessionRecord, Sessions};
use crate::base::{PressId, lock};
use crate::disk::Disk;

/// Somebody who has just signed in.
#[derive(Debug)]
pub struct SignedIn {
    pub secret: SecretText,
    pub standing: Standing,
}

/// A session that stands, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub session: String,
    pub name: String,
    pub role: AccountRole,
    pub court: Option<String>,
}

impl Standing {
    fn of(session: &SessionRecord, account: &Account) -> Standing {
        Standing {
            session: session.id.clone(),
            name: account.name.clone(),
            role: account.role,
            court: account.court.clone(),
        }
    }
}

pub struct AccessStore {
    files: AccessFiles,
    known: Mutex<Known>,
    /// Was seen once, and is never forgotten.
    claimed: AtomicBool,
}

#[derive(Default)]
struct Known {
    accounts: Cached<Accounts>,
    sessions: Cached<Sessions>,
    links: Cached<Links>,
}

impl std::fmt::Debug for AccessStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccessStore({})", self.files.storage.display())
    }
}

/// Users.
impl AccessStore {
    pub fn new(disk: Disk, storage: &Path) -> AccessStore {
        AccessStore {
            files: AccessFiles {
                disk,
                storage: storage.to_owned(),
            },
            known: Mutex::default(),
            claimed: AtomicBool::new(false),
        }
    }

    /// Whether there is an administrator. Makes the files of a storage that has none.
    pub fn claimed(&self) -> Result<bool, AccessError> {
        if self.was_claimed() {
            return Ok(true);
        }
        self.with_accounts(|accounts| accounts.claimed())
    }

    /// The same as far as it is known without a look at the disk.
    pub fn was_claimed(&self) -> bool {
        self.claimed.load(Relaxed)
    }

    /// `None`: it has been used.
    pub fn setup_token(&self) -> Result<Option<String>, AccessError> {
        self.with_accounts(|accounts| accounts.setup_token().map(str::to_owned))
    }

    /// The box gets its first administrator from somebody who has seen its token.
    pub fn claim(
        &self,
        token: &str,
        name: &str,
        password: &str,
        now: Moment,
    ) -> Result<(), AccessError> {
        self.with_accounts(|accounts| accounts.check_setup_token(token))??;
        let new = NewAccount {
            name: name.to_owned(),
            role: AccountRole::Admin,
            court: None,
        };
        new.check()?;
        let password = PasswordHash::of(password)?;
        self.change_accounts(|accounts| {
            // Somebody may have been faster.
            accounts.check_setup_token(token)?;
            accounts.add(new, password, now.unix_s).map(drop)
        })
    }

    pub fn accounts(&self) -> Result<Vec<Account>, AccessError> {
        self.with_accounts(|accounts| accounts.list().to_vec())
    }

    pub fn add(&self, new: NewAccount, password: &str, now: Moment) -> Result<(), AccessError> {
        new.check()?;
        let password = PasswordHash::of(password)?;
        self.change_accounts(|accounts| accounts.add(new, password, now.unix_s).map(drop))
    }

    pub fn remove(&self, name: &str) -> Result<(), AccessError> {
        self.change_accounts(|accounts| accounts.remove(name).map(drop))
    }

    pub fn reset(&self, name: &str, password: &str) -> Result<(), AccessError> {
        let password = PasswordHash::of(password)?;
        self.change_accounts(|accounts| accounts.reset(name, password))
    }

    fn with_accounts<T>(&self, look: impl FnOnce(&Accounts) -> T) -> Result<T, AccessError> {
        let mut known = self.known();
        let accounts = self.accounts_now(&mut known)?;
        Ok(look(accounts))
    }

    fn accounts_now<'a>(&self, known: &'a mut Known) -> Result<&'a Accounts, AccessError> {
        if !self.files.folder().join(Accounts::FILE).exists() {
            self.found()?;
        }
        let accounts = self.files.fresh(&mut known.accounts, None)?;
        self.claimed.fetch_or(accounts.claimed(), Relaxed);
        Ok(accounts)
    }

    fn change_accounts(
        &self,
        change: impl FnOnce(&mut Accounts) -> Result<(), AccessError>,
    ) -> Result<(), AccessError> {
        let mut known = self.known();
        self.accounts_now(&mut known)?;
        let _lock = self.files.lock()?;
        let mut accounts = self.accounts_now(&mut known)?.clone();
        change(&mut accounts)?;
        self.files.write(&mut known.accounts, accounts)?;
        self.accounts_now(&mut known).map(drop)
    }
}

/// Sessions.
impl AccessStore {
    /// Takes the moment that a password takes, whoever it is.
    pub fn sign_in(
        &self,
        name: &str,
        password: &str,
        address: &str,
        now: Moment,
    ) -> Result<SignedIn, AccessError> {
        let account = self.with_accounts(|accounts| match accounts.claimed() {
            true => Ok(accounts.named(name).cloned()),
            false => Err(AccessError::Unclaimed {}),
        })??;
        let Some(account) = account else {
            PasswordHash::of_nobody(password);
            return Err(AccessError::SignIn {});
        };
        if !account.password.is_of(password) {
            return Err(AccessError::SignIn {});
        }
        let secret = SecretText::session()?;
        let hash = secret.hash();
        let who = (account.id.as_str(), account.role);
        let standing = self.change_sessions(now, |sessions| {
            let session = sessions.begin(hash, who, address, now)?;
            Ok(Standing::of(session, &account))
        })?;
        Ok(SignedIn { secret, standing })
    }

    /// Whether it could be a session's, without a look at the disk: a stranger's guesses cost nothing.
    pub fn may_be_session(&self, secret: &SecretHash) -> bool {
        match &self.known().sessions.0 {
            Some((_, sessions)) => sessions.find(secret).is_some(),
            // Not read yet.
            None => true,
        }
    }

    /// Used, it stands for longer. `None`: it is over, or its user is gone or has a new password.
    pub fn session(
        &self,
        secret: &SecretHash,
        now: Moment,
    ) -> Result<Option<Standing>, AccessError> {
        let mut known = self.known();
        self.sessions_now(&mut known)?;
        self.accounts_now(&mut known)?;
        let Known {
            accounts, sessions, ..
        } = &mut *known;
        let (Some((_, accounts)), Some((_, sessions))) = (&accounts.0, &mut sessions.0) else {
            return Ok(None);
        };
        let Some(session) = sessions.in_use(secret, now) else {
            return Ok(None);
        };
        let Some(account) = accounts.with_id(&session.account_id) else {
            return Ok(None);
        };
        let standing = Standing::of(session, account);
        if sessions.note_use(&standing.session, now) {
            let noted = sessions.clone();
            // Known in memory; that a file does not hear of it shortens the session, at worst.
            let _ = self.files.write(&mut known.sessions, noted);
        }
        Ok(Some(standing))
    }

    /// Those that stand, with their users' names.
    pub fn sessions(&self, now: Moment) -> Result<Vec<(SessionRecord, String)>, AccessError> {
        let mut known = self.known();
        let mut sessions = self.sessions_now(&mut known)?.clone();
        let accounts = self.accounts_now(&mut known)?;
        sessions.sweep(now, |id| accounts.with_id(id).is_some());
        let named = sessions.list().iter().filter_map(|session| {
            let account = accounts.with_id(&session.account_id)?;
            Some((session.clone(), account.name.clone()))
        });
        Ok(named.collect())
    }

    pub fn end_session(&self, id: &str, now: Moment) -> Result<(), AccessError> {
        self.change_sessions(now, |sessions| sessions.end(id))
    }

    fn sessions_now<'a>(&self, known: &'a mut Known) -> Result<&'a Sessions, AccessError> {
        self.files
            .fresh(&mut known.sessions, Some(Sessions::default()))
    }

    fn change_sessions<T>(
        &self,
        now: Moment,
        change: impl FnOnce(&mut Sessions) -> Result<T, AccessError>,
    ) -> Result<T, AccessError> {
        let mut known = self.known();
        self.accounts_now(&mut known)?;
        let _lock = self.files.lock()?;
        let mut sessions = self.sessions_now(&mut known)?.clone();
        let accounts = self.accounts_now(&mut known)?;
        sessions.sweep(now, |id| accounts.with_id(id).is_some());
        let done = change(&mut sessions)?;
        self.files.write(&mut known.sessions, sessions)?;
        Ok(done)
    }
}

/// Links.
impl AccessStore {
    pub fn make_link(
        &self,
        press: &PressId,
        day: &str,
        lasts: Duration,
        now: Moment,
    ) -> Result<(SecretText, Link), AccessError> {
        let secret = SecretText::link()?;
        let hash = secret.hash();
        let link = self.change_links(|links| {
            let made = links.make(hash, (press.clone(), day), lasts, now)?;
            Ok(made.clone())
        })?;
        Ok((secret, link))
    }

    pub fn revoke_link(&self, id: &str) -> Result<(), AccessError> {
        self.change_links(|links| links.revoke(id))
    }

    pub fn link(&self, secret: &SecretHash, now: Moment) -> Result<LinkAnswer, AccessError> {
        let mut known = self.known();
        self.accounts_now(&mut known)?;
        let links = self.files.fresh(&mut known.links, Some(Links::default()))?;
        Ok(links.open(secret, now))
    }

    fn change_links<T>(
        &self,
        change: impl FnOnce(&mut Links) -> Result<T, AccessError>,
    ) -> Result<T, AccessError> {
        let mut known = self.known();
        self.accounts_now(&mut known)?;
        let _lock = self.files.lock()?;
        let mut links = self
            .files
            .fresh(&mut known.links, Some(Links::default()))?
            .clone();
        let done = change(&mut links)?;
        self.files.write(&mut known.links, links)?;
        Ok(done)
    }
}

/// The files.
impl AccessStore {
    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    /// Makes the files of a storage that never had any. `users.json` comes first: where another is there without it, it
    /// was lost.
    fn found(&self) -> Result<(), AccessError> {
        let files = &self.files;
        files.make_folder()?;
        let _lock = files.lock()?;
        if files.has(Accounts::FILE)? {
            return Ok(());
        }
        if files.has(Sessions::FILE)? || files.has(Links::FILE)? {
            return Err(files.damaged(
                Accounts::FILE,
                &"it is missing, and the files beside it are there",
            ));
        }
        files.write(&mut Cached::default(), Accounts::unclaimed()?)?;
        files.write(&mut Cached::default(), Sessions::default())?;
        files.write(&mut Cached::default(), Links::default())
    }
}

#[cfg(test)]
mod tests;
