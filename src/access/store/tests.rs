//! The files: what survives, what is noticed, what is never taken for nothing.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use nix::errno::Errno;
use tempfile::TempDir;

use super::*;
use crate::disk::{DiskCall, DiskFault, Faults};

const PASSWORD: &str = "golo na quadra";

fn now() -> Moment {
    Moment {
        mono_ns: 5_000_000_000,
        unix_s: 1_795_000_000,
    }
}

fn store(storage: &TempDir) -> AccessStore {
    AccessStore::new(Disk::default(), storage.path())
}

fn claimed() -> (TempDir, AccessStore) {
    let storage = tempfile::tempdir().unwrap();
    let store = store(&storage);
    let token = store.setup_token().unwrap().unwrap();
    store.claim(&token, "ana", PASSWORD, now()).unwrap();
    (storage, store)
}

fn staff(name: &str) -> NewAccount {
    NewAccount {
        name: name.to_owned(),
        role: AccountRole::Staff,
        court: None,
    }
}

fn sign_in(store: &AccessStore, name: &str) -> SecretHash {
    store
        .sign_in(name, PASSWORD, "192.0.2.1", now())
        .unwrap()
        .secret
        .hash()
}

#[test]
fn a_new_storage_has_a_token_that_makes_one_administrator() {
    let (storage, first) = claimed();
    assert!(first.claimed().unwrap() && first.setup_token().unwrap().is_none());
    let again = first.claim("K7QM", "eva", PASSWORD, now());
    assert_eq!(again, Err(AccessError::AlreadyClaimed {}));
    assert!(store(&storage).claimed().unwrap(), "also for the next run");
    let fresh = tempfile::tempdir().unwrap();
    let unclaimed = store(&fresh);
    let token = unclaimed.setup_token().unwrap().unwrap();
    assert_eq!(
        store(&fresh).setup_token().unwrap().unwrap(),
        token,
        "the next run shows the same"
    );
    assert_eq!(
        unclaimed.claim("wrong", "ana", PASSWORD, now()),
        Err(AccessError::ClaimToken {})
    );
    assert!(matches!(
        unclaimed.claim(&token, "ana", "short", now()),
        Err(AccessError::PasswordShort { .. })
    ));
    assert_eq!(
        unclaimed.sign_in("ana", PASSWORD, "", now()).unwrap_err(),
        AccessError::Unclaimed {}
    );
    assert!(!unclaimed.claimed().unwrap());
}

#[test]
fn only_the_owner_may_read_the_files_and_none_holds_a_secret() {
    let (storage, store) = claimed();
    let signed_in = store.sign_in("ana", PASSWORD, "192.0.2.1", now()).unwrap();
    let press = PressId::try_from("0123abcd-00000000abc-00010002".to_owned()).unwrap();
    let (link, _) = store
        .make_link(&press, "2026-11-21", Duration::from_secs(60), now())
        .unwrap();
    let folder = storage.path().join("access");
    assert_eq!(
        fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let mut seen = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600,
            "{path:?}"
        );
        let text = fs::read_to_string(&path).unwrap();
        for secret in [PASSWORD, signed_in.secret.reveal(), link.reveal()] {
            assert!(!text.contains(secret), "{path:?} holds a secret");
        }
        seen += 1;
    }
    assert_eq!(seen, 4, "users, sessions, links and the lock");
}

#[test]
fn a_session_stands_until_it_is_ended_its_user_goes_or_the_password_changes() {
    let (_storage, store) = claimed();
    store.add(staff("bia"), PASSWORD, now()).unwrap();
    store.add(staff("caio"), PASSWORD, now()).unwrap();
    let [ana, bia, caio] = ["ana", "bia", "caio"].map(|name| sign_in(&store, name));
    let stands = |hash: &SecretHash| store.session(hash, now()).unwrap();
    assert_eq!(stands(&bia).unwrap().name, "bia");
    assert_eq!(stands(&ana).unwrap().role, AccountRole::Admin);
    assert_eq!(stands(&SecretHash::of("guess")), None);
    assert!(!store.may_be_session(&SecretHash::of("guess")) && store.may_be_session(&ana));
    assert_eq!(store.sessions(now()).unwrap().len(), 3);
    store.remove("bia").unwrap();
    store.reset("caio", "another password").unwrap();
    assert_eq!((stands(&bia), stands(&caio)), (None, None));
    let left = store.sessions(now()).unwrap();
    assert_eq!(left.len(), 1);
    store.end_session(&left[0].0.id, now()).unwrap();
    assert_eq!(stands(&ana), None);
}

#[test]
fn a_wrong_name_is_refused_as_a_wrong_password_is() {
    let (_storage, store) = claimed();
    for (name, password) in [("ana", "another password"), ("eva", PASSWORD), ("", "")] {
        let refused = store.sign_in(name, password, "", now());
        assert_eq!(refused.unwrap_err(), AccessError::SignIn {}, "{name}");
    }
}

#[test]
fn what_a_command_changes_the_running_service_notices_and_sessions_keep_their_time() {
    let (storage, service) = claimed();
    let command = store(&storage);
    command.add(staff("bia"), PASSWORD, now()).unwrap();
    let bia = sign_in(&service, "bia");
    let later = |hours: u64| Moment {
        mono_ns: now().mono_ns + hours * 3_600_000_000_000,
        unix_s: now().unix_s,
    };
    assert!(service.session(&bia, later(10)).unwrap().is_some());
    // Another session is begun: the file is another now.
    sign_in(&service, "ana");
    assert!(
        service.session(&bia, later(20)).unwrap().is_some(),
        "it was used ten hours ago"
    );
    command.remove("bia").unwrap();
    assert_eq!(service.session(&bia, later(20)).unwrap(), None);
    let claims = command.setup_token().unwrap();
    assert_eq!(claims, None);
}

#[test]
fn two_who_change_at_once_lose_nothing() {
    let (storage, first) = claimed();
    let second = store(&storage);
    std::thread::scope(|scope| {
        for (store, name) in [(&first, "a"), (&second, "b")] {
            scope.spawn(move || {
                for n in 0..4 {
                    store
                        .add(staff(&format!("{name}{n}")), PASSWORD, now())
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(first.accounts().unwrap().len(), 9);
    assert_eq!(second.accounts().unwrap(), first.accounts().unwrap());
}

#[test]
fn a_file_that_is_damaged_or_gone_is_an_error_and_no_empty_list() {
    for bytes in [
        &b""[..],
        b"{",
        b"{\"version\": 1}",
        b"\0\0\0\0",
        b"{\"version\": 9, \"users\": []}",
    ] {
        let (storage, store) = claimed();
        let session = sign_in(&store, "ana");
        fs::write(storage.path().join("access/users.json"), bytes).unwrap();
        for store in [&store, &super::tests::store(&storage)] {
            let error = store.accounts().unwrap_err();
            assert!(matches!(error, AccessError::Damaged { .. }), "{error}");
            assert!(store.setup_token().is_err() && store.session(&session, now()).is_err());
            assert!(store.claim("x", "eva", PASSWORD, now()).is_err());
            assert!(store.add(staff("eva"), PASSWORD, now()).is_err());
        }
        assert_eq!(
            fs::read(storage.path().join("access/users.json")).unwrap(),
            bytes,
            "kept as it is"
        );
    }
    let (storage, store) = claimed();
    fs::remove_file(storage.path().join("access/users.json")).unwrap();
    for store in [&store, &super::tests::store(&storage)] {
        assert!(matches!(store.accounts(), Err(AccessError::Damaged { .. })));
        assert!(matches!(
            store.setup_token(),
            Err(AccessError::Damaged { .. })
        ));
    }
    let (storage, store) = claimed();
    let session = sign_in(&store, "ana");
    fs::write(storage.path().join("access/sessions.json"), "{").unwrap();
    assert!(matches!(
        store.session(&session, now()),
        Err(AccessError::Damaged { .. })
    ));
    fs::remove_file(storage.path().join("access/sessions.json")).unwrap();
    assert_eq!(
        store.session(&session, now()).unwrap(),
        None,
        "without the file nobody is signed in"
    );
}

#[test]
fn a_storage_that_is_not_there_has_no_users_and_gets_none() {
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("disk");
    let store = AccessStore::new(Disk::default(), &gone);
    assert!(matches!(
        store.claimed(),
        Err(AccessError::StorageMissing { .. })
    ));
    assert!(!gone.exists());
}

/// Fails the n-th call that changes something.
struct Nth(Mutex<usize>);

impl Faults for Nth {
    fn before(&self, call: DiskCall, _: &Path) -> Option<DiskFault> {
        if matches!(call, DiskCall::Read | DiskCall::Space) {
            return None;
        }
        let mut left = self.0.lock().unwrap();
        *left = left.checked_sub(1)?;
        (*left == 0).then_some(DiskFault::Error(Errno::EIO))
    }
}

#[test]
fn whatever_call_fails_the_box_is_unclaimed_or_claimed_and_never_unclaimed_again() {
    let mut outcomes = [0, 0];
    for n in 1..60 {
        let storage = tempfile::tempdir().unwrap();
        let faults = Arc::new(Nth(Mutex::new(n)));
        let faults_left = faults.clone();
        let first = AccessStore::new(Disk::with_faults(faults), storage.path());
        let token = first.setup_token().or_else(|_| first.setup_token());
        let token = token
            .unwrap_or_else(|error| panic!("call {n}: {error}"))
            .unwrap();
        let told = first.claim(&token, "ana", PASSWORD, now());
        let struck = *faults_left.0.lock().unwrap() == 0;
        // The next run.
        let claimed = store(&storage).claimed().unwrap();
        assert!(
            claimed || told.is_err(),
            "call {n}: told that it is claimed"
        );
        outcomes[usize::from(claimed)] += 1;
        if !struck {
            // No call was left to fail.
            break;
        }
        if claimed {
            assert!(
                store(&storage).sign_in("ana", PASSWORD, "", now()).is_ok(),
                "call {n}"
            );
        }
    }
    assert!(outcomes.iter().all(|&count| count > 0), "{outcomes:?}");
}
