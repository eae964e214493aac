//! `hindsight users`: who may sign in. Works on the storage itself, beside a running service or without one.

use std::process::ExitCode;

use clap::ValueEnum;
use jiff::Timestamp;

use super::common::Common;
use super::exit::{NOT_DONE, WRONG};
use super::password;
use crate::access::{AccessError, AccessStore, AccountRole, Moment, NewAccount};
use crate::base::{Coded, RealClock};
use crate::config::Config;
use crate::disk::Disk;
use crate::service::say::table;

/// Who may sign in to the page and the API: add, list, remove, give a new password
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hindsight users add ana --role admin\n  \
    hindsight users add tv1 --role kiosk --court \"Court 1\"\n  \
    hindsight users list\n  \
    echo \"$PASSWORD\" | hindsight users reset ana\n\n\
    The password is asked for on the terminal, or read from stdin as one line. The first user is an administrator.")]
pub struct Args {
    #[command(subcommand)]
    action: UsersAction,
}

#[derive(Debug, clap::Subcommand)]
enum UsersAction {
    /// A new user
    #[command(after_help = "Example:\n  hindsight users add ana --role admin")]
    Add {
        /// By which the user signs in
        #[arg(value_name = "NAME")]
        name: String,
        /// What the user may do
        #[arg(long, value_name = "ROLE")]
        role: RoleArg,
        /// The court of a kiosk, as the cameras' "court" says it
        #[arg(long, value_name = "COURT")]
        court: Option<String>,
    },
    /// All users
    #[command(after_help = "Example:\n  hindsight users list")]
    List,
    /// A user goes, and is signed out everywhere
    #[command(after_help = "Example:\n  hindsight users remove ana")]
    Remove {
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// A new password; the user is signed out everywhere
    #[command(after_help = "Example:\n  hindsight users reset ana")]
    Reset {
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleArg {
    /// A screen or tablet of one court
    Kiosk,
    /// All courts
    Staff,
    /// Settings and users, too
    Admin,
}

impl From<RoleArg> for AccountRole {
    fn from(role: RoleArg) -> AccountRole {
        match role {
            RoleArg::Kiosk => AccountRole::Kiosk,
            RoleArg::Staff => AccountRole::Staff,
            RoleArg::Admin => AccountRole::Admin,
        }
    }
}

impl Args {
    pub fn run(self, common: &Common) -> ExitCode {
        with_store(common, |store| match self.action {
            UsersAction::Add { name, role, court } => add(
                store,
                NewAccount {
                    name,
                    role: role.into(),
                    court,
                },
            ),
            UsersAction::List => list(store),
            UsersAction::Remove { name } => {
                store.remove(&name)?;
                println!("{name} is gone, and signed out everywhere");
                Ok(())
            }
            UsersAction::Reset { name } => reset(store, &name),
        })
    }
}

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum UsersError {
    #[error("{0}")]
    Access(#[from] AccessError),
    #[error("{0}")]
    Password(#[from] password::PasswordError),
}

/// Goes on with the users of the configuration's storage.
pub(super) fn with_store(
    common: &Common,
    go_on: impl FnOnce(&AccessStore) -> Result<(), UsersError>,
) -> ExitCode {
    // A box without cameras has users, too.
    let sources = crate::config::Sources {
        may_lack_cameras: true,
        ..common.sources()
    };
    common.with_sources(
        &sources,
        super::common::Show::Nothing,
        &[],
        |config: &Config| {
            let store = AccessStore::new(Disk::default(), &config.storage.path);
            match go_on(&store) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => told(&error),
            }
        },
    )
}

fn told(error: &UsersError) -> ExitCode {
    eprintln!("{error}");
    let UsersError::Access(error) = error else {
        return ExitCode::from(NOT_DONE);
    };
    if let Some(remedy) = error.remedy() {
        eprintln!("{remedy}");
    }
    use AccessError as E;
    ExitCode::from(match error {
        E::StorageMissing { .. }
        | E::Damaged { .. }
        | E::Trouble { .. }
        | E::Busy { .. }
        | E::NoRandom { .. } => NOT_DONE,
        _ => WRONG,
    })
}

fn add(store: &AccessStore, new: NewAccount) -> Result<(), UsersError> {
    // Before anybody types a password for nothing.
    new.check()?;
    let (name, role) = (new.name.clone(), new.role.name());
    let is_first = !store.claimed()?;
    if store.accounts()?.iter().any(|user| user.name == name) {
        return Err(AccessError::UserExists { name }.into());
    }
    let password = password::ask_for_new()?;
    store.add(new, &password, Moment::of(&RealClock))?;
    println!("{name} can sign in now, as {role}");
    if is_first {
        println!("the box has been set up: its token is not good for anything any more");
    }
    Ok(())
}

fn reset(store: &AccessStore, name: &str) -> Result<(), UsersError> {
    if !store.accounts()?.iter().any(|user| user.name == name) {
        return Err(AccessError::UserUnknown {
            name: name.to_owned(),
        }
        .into());
    }
    let password = password::ask_for_new()?;
    store.reset(name, &password)?;
    println!("{name} has a new password, and is signed out everywhere");
    Ok(())
}

fn list(store: &AccessStore) -> Result<(), UsersError> {
    let users = store.accounts()?;
    if users.is_empty() {
        println!(
            "there is nobody yet; the first is an administrator: hindsight users add NAME --role admin"
        );
        return Ok(());
    }
    let mut rows = vec![
        ["NAME", "ROLE", "COURT", "SINCE"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for user in users {
        let since = Timestamp::from_second(user.created_unix_s).unwrap_or(Timestamp::UNIX_EPOCH);
        rows.push(vec![
            user.name,
            user.role.name().to_owned(),
            user.court.unwrap_or_default(),
            since.strftime("%Y-%m-%d").to_string(),
        ]);
    }
    print!("{}", table(&rows));
    Ok(())
}
