//! The users, and whether the box has been set up ("claimed"). Pure.
//!
//! A box that is new has a set-up token and no users. The first administrator takes the token's place, in one step, and
//! there is no way back from it: whoever loses all passwords makes a new one on the box.

use serde::{Deserialize, Serialize};

use super::error::AccessError;
use super::password::PasswordHash;
use super::records::{StoredFile, VERSION};
use super::secret;

const ACCOUNTS_MOST: usize = 100;
const NAME_MOST: usize = 64;

/// What a user is to the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum AccountRole {
    /// A screen or tablet of one court.
    Kiosk,
    /// All courts.
    Staff,
    /// Settings and users, too.
    Admin,
}

impl AccountRole {
    pub const ALL: [AccountRole; 3] = [AccountRole::Kiosk, AccountRole::Staff, AccountRole::Admin];

    pub fn name(self) -> &'static str {
        match self {
            AccountRole::Kiosk => "kiosk",
            AccountRole::Staff => "staff",
            AccountRole::Admin => "admin",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Another after each new password, so that sessions of the old one end.
    pub id: String,
    pub name: String,
    pub role: AccountRole,
    /// Of a kiosk only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub court: Option<String>,
    pub created_unix_s: i64,
    pub password: PasswordHash,
}

/// A user to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    pub name: String,
    pub role: AccountRole,
    pub court: Option<String>,
}

impl NewAccount {
    /// What needs no look at the others.
    pub fn check(&self) -> Result<(), AccessError> {
        if !is_label(&self.name) {
            return Err(AccessError::UserName { most: NAME_MOST });
        }
        match (self.role, &self.court) {
            (AccountRole::Kiosk, None) => Err(AccessError::KioskWithoutCourt {}),
            (AccountRole::Kiosk, Some(court)) if !is_label(court) => {
                Err(AccessError::Court { most: NAME_MOST })
            }
            (AccountRole::Kiosk, Some(_)) | (_, None) => Ok(()),
            (_, Some(_)) => Err(AccessError::CourtOfOthers {}),
        }
    }
}

fn is_label(text: &str) -> bool {
    (1..=NAME_MOST).contains(&text.chars().count())
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    version: u32,
    /// Until the box has been set up. The one secret that is kept readable: the box must show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    setup_token: Option<String>,
    users: Vec<Account>,
}

impl StoredFile for Accounts {
    const FILE: &'static str = "users.json";
    const MOST_BYTES: u64 = 256 << 10;

    fn version(&self) -> u32 {
        self.version
    }

    fn broken_rule(&self) -> Option<&'static str> {
        let users = &self.users;
        let twice = |same: &dyn Fn(&Account, &Account) -> bool| {
            let mut pairs = users.iter().enumerate();
            pairs.any(|(n, one)| users[..n].iter().any(|other| same(one, other)))
        };
        let rules: [(bool, &'static str); 6] = [
            (
                self.setup_token.is_none() || users.is_empty(),
                "it has users and a set-up token as well",
            ),
            (users.len() <= ACCOUNTS_MOST, "it has too many users"),
            (
                !twice(&|a, b| a.name == b.name),
                "a user stands in it twice",
            ),
            (
                !twice(&|a, b| a.id == b.id),
                "two of its users have the same id",
            ),
            (
                users.iter().all(|u| u.password.is_well_formed()),
                "a password's hash in it is wrong",
            ),
            (
                users.iter().all(|u| u.as_new().check().is_ok()),
                "a user in it has a wrong name or court",
            ),
        ];
        rules
            .into_iter()
            .find(|(kept, _)| !kept)
            .map(|(_, rule)| rule)
    }
}

impl Account {
    fn as_new(&self) -> NewAccount {
        NewAccount {
            name: self.name.clone(),
            role: self.role,
            court: self.court.clone(),
        }
    }
}

impl Accounts {
    /// Of a box that is new.
    pub fn unclaimed() -> Result<Accounts, AccessError> {
        Ok(Accounts {
            version: VERSION,
            setup_token: Some(secret::setup_token()?),
            users: Vec::new(),
        })
    }

    pub fn claimed(&self) -> bool {
        self.setup_token.is_none()
    }

    /// `None` once it has been used.
    pub fn setup_token(&self) -> Option<&str> {
        self.setup_token.as_deref()
    }

    /// Whether `token` sets the box up; without doing it.
    pub fn check_setup_token(&self, token: &str) -> Result<(), AccessError> {
        match &self.setup_token {
            None => Err(AccessError::AlreadyClaimed {}),
            Some(own) if secret::is_setup_token(token, own) => Ok(()),
            Some(_) => Err(AccessError::ClaimToken {}),
        }
    }

    pub fn list(&self) -> &[Account] {
        &self.users
    }

    pub fn named(&self, name: &str) -> Option<&Account> {
        self.users.iter().find(|user| user.name == name)
    }

    pub fn with_id(&self, id: &str) -> Option<&Account> {
        self.users.iter().find(|user| user.id == id)
    }

    /// The first one is an administrator, and with it the box is set up.
    pub fn add(
        &mut self,
        new: NewAccount,
        password: PasswordHash,
        now_unix_s: i64,
    ) -> Result<&Account, AccessError> {
        new.check()?;
        if !self.claimed() && new.role != AccountRole::Admin {
            return Err(AccessError::Unclaimed {});
        }
        if self.named(&new.name).is_some() {
            return Err(AccessError::UserExists { name: new.name });
        }
        if self.users.len() >= ACCOUNTS_MOST {
            return Err(AccessError::UsersFull {
                most: ACCOUNTS_MOST,
            });
        }
        let id = secret::record_id()?;
        self.setup_token = None;
        self.users.push(Account {
            id,
            name: new.name,
            role: new.role,
            court: new.court,
            created_unix_s: now_unix_s,
            password,
        });
        Ok(&self.users[self.users.len() - 1])
    }

    pub fn remove(&mut self, name: &str) -> Result<Account, AccessError> {
        let at = self.place_of(name)?;
        let admins = self
            .users
            .iter()
            .filter(|user| user.role == AccountRole::Admin);
        if self.users[at].role == AccountRole::Admin && admins.count() == 1 {
            return Err(AccessError::UserLastAdmin {
                name: name.to_owned(),
            });
        }
        Ok(self.users.remove(at))
    }

    /// A new password ends the sessions of the old one.
    pub fn reset(&mut self, name: &str, password: PasswordHash) -> Result<(), AccessError> {
        let at = self.place_of(name)?;
        self.users[at].id = secret::record_id()?;
        self.users[at].password = password;
        Ok(())
    }

    fn place_of(&self, name: &str) -> Result<usize, AccessError> {
        let found = self.users.iter().position(|user| user.name == name);
        found.ok_or_else(|| AccessError::UserUnknown {
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::access::records;
    use std::sync::OnceLock;

    fn hash() -> PasswordHash {
        static HASH: OnceLock<PasswordHash> = OnceLock::new();
        HASH.get_or_init(|| PasswordHash::of("golo na quadra").unwrap())
            .clone()
    }

    fn new(name: &str, role: AccountRole) -> NewAccount {
        let court = (role == AccountRole::Kiosk).then(|| "1".to_owned());
        NewAccount {
            name: name.to_owned(),
            role,
            court,
        }
    }

    fn claimed() -> Accounts {
        let mut accounts = Accounts::unclaimed().unwrap();
        accounts
            .add(new("ana", AccountRole::Admin), hash(), 1)
            .unwrap();
        accounts
    }

    #[test]
    fn the_first_is_an_administrator_and_takes_the_tokens_place() {
        let mut accounts = Accounts::unclaimed().unwrap();
        let token = accounts.setup_token().unwrap().to_owned();
        assert!(!accounts.claimed());
        assert_eq!(
            accounts.check_setup_token("x"),
            Err(AccessError::ClaimToken {})
        );
        assert_eq!(accounts.check_setup_token(&token), Ok(()));
        let staff = accounts.add(new("bia", AccountRole::Staff), hash(), 1);
        assert_eq!(staff.unwrap_err(), AccessError::Unclaimed {});
        accounts
            .add(new("ana", AccountRole::Admin), hash(), 1)
            .unwrap();
        assert!(accounts.claimed() && accounts.setup_token().is_none());
        assert_eq!(
            accounts.check_setup_token(&token),
            Err(AccessError::AlreadyClaimed {})
        );
        let text = String::from_utf8(records::written(&accounts).unwrap()).unwrap();
        assert!(!text.contains(&token) && !text.contains("golo"), "{text}");
    }

    #[test]
    fn the_last_administrator_stays_and_others_go() {
        let mut accounts = claimed();
        accounts
            .add(new("bia", AccountRole::Staff), hash(), 1)
            .unwrap();
        let last = AccessError::UserLastAdmin {
            name: "ana".to_owned(),
        };
        assert_eq!(accounts.remove("ana").unwrap_err(), last);
        accounts
            .add(new("caio", AccountRole::Admin), hash(), 1)
            .unwrap();
        accounts.remove("ana").unwrap();
        accounts.remove("bia").unwrap();
        let unknown = AccessError::UserUnknown {
            name: "bia".to_owned(),
        };
        assert_eq!(accounts.remove("bia").unwrap_err(), unknown);
        assert!(accounts.claimed(), "whatever becomes of the users");
    }

    #[test]
    fn a_new_password_is_a_new_id() {
        let mut accounts = claimed();
        let before = accounts.named("ana").unwrap().id.clone();
        accounts.reset("ana", hash()).unwrap();
        assert_ne!(accounts.named("ana").unwrap().id, before);
        assert!(accounts.with_id(&before).is_none());
    }

    #[test]
    fn names_courts_and_numbers_have_bounds() {
        let mut accounts = claimed();
        for name in ["", " ana", "ana ", "a\nb", &"a".repeat(65)] {
            let added = accounts.add(new(name, AccountRole::Staff), hash(), 1);
            assert_eq!(
                added.unwrap_err(),
                AccessError::UserName { most: 64 },
                "{name:?}"
            );
        }
        let exists = AccessError::UserExists {
            name: "ana".to_owned(),
        };
        assert_eq!(
            accounts
                .add(new("ana", AccountRole::Staff), hash(), 1)
                .unwrap_err(),
            exists
        );
        let courtless = NewAccount {
            court: None,
            ..new("tv", AccountRole::Kiosk)
        };
        assert_eq!(courtless.check(), Err(AccessError::KioskWithoutCourt {}));
        let court = NewAccount {
            court: Some("1".to_owned()),
            ..new("bia", AccountRole::Staff)
        };
        assert_eq!(court.check(), Err(AccessError::CourtOfOthers {}));
        for n in 1..100 {
            accounts
                .add(new(&format!("u{n}"), AccountRole::Kiosk), hash(), 1)
                .unwrap();
        }
        let full = accounts.add(new("one more", AccountRole::Staff), hash(), 1);
        assert_eq!(full.unwrap_err(), AccessError::UsersFull { most: 100 });
        let bytes = records::written(&accounts).unwrap();
        assert!(u64::try_from(bytes.len()).unwrap() < Accounts::MOST_BYTES);
        assert_eq!(records::read::<Accounts>(&bytes).unwrap(), accounts);
    }

    #[test]
    fn what_is_no_list_of_users_is_told_from_an_empty_one() {
        let mut both = claimed();
        both.setup_token = Some("K7QM".to_owned());
        let mut twice = claimed();
        twice.users.push(twice.users[0].clone());
        for broken in [both, twice] {
            let bytes = records::written(&broken).unwrap();
            assert!(records::read::<Accounts>(&bytes).is_err());
        }
        for text in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"version":2,"users":[]}"#,
            r#"{"version":1}"#,
            r#"{"version":1,"users":[],"more":1}"#,
            r#"{"version":1,"users":[{"name":"ana"}]}"#,
        ] {
            assert!(
                records::read::<Accounts>(text.as_bytes()).is_err(),
                "{text}"
            );
        }
        let newer = records::read::<Accounts>(br#"{"version":2,"persons":[]}"#).unwrap_err();
        assert_eq!(
            newer.to_string(),
            "it is of version 2, and this hindsight knows version 1"
        );
    }
}
