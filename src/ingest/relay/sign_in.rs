//! Signing requests in, and what a refusal means: another nonce, or really a wrong password. Pure.
//!
//! Not here: the digest itself (`digest`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::sentence::QuirkSentence as Quirk;
use super::digest::{Challenge, DigestChallenge, DigestHash, DigestRequest, challenges};

/// A request is sent at most so often with new nonces.
const MOST_TRIES: u32 = 4;

/// A user name and password.
#[derive(Clone)]
pub struct SignInAs {
    pub username: String,
    pub password: String,
    /// Whether the password may be given away to whoever asks for Basic.
    pub basic: bool,
}

/// What signs requests.
pub struct SignIn {
    known: Option<SignInAs>,
    asked: Option<Asked>,
    /// Makes our nonces: random, once a connection.
    seed: [u8; 16],
    count: u32,
    /// Something was let through with the present nonce.
    good: bool,
}

enum Asked {
    Digest(DigestChallenge),
    Basic,
}

/// What a 401 means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInRefusal {
    /// It is to be asked again; `Some` if retina would have given up here.
    Again(Option<Quirk>),
    /// The name or password is wrong, or there is none.
    Final,
    /// It asks for nothing that we could, or may, answer.
    NoWay,
}

impl SignIn {
    pub fn new(known: Option<SignInAs>, seed: [u8; 16]) -> SignIn {
        SignIn {
            known,
            asked: None,
            seed,
            count: 0,
            good: false,
        }
    }

    /// The value of the `Authorization` header; `None` as long as nobody asked.
    pub fn authorization(&mut self, method: &str, uri: &str) -> Option<String> {
        let known = self.known.as_ref()?;
        match self.asked.as_ref()? {
            Asked::Basic => {
                let plain = format!("{}:{}", known.username, known.password);
                Some(format!("Basic {}", STANDARD.encode(plain)))
            }
            Asked::Digest(challenge) => {
                self.count = self.count.saturating_add(1);
                let number = u128::from_be_bytes(self.seed).wrapping_add(self.count.into());
                Some(challenge.answer(&DigestRequest {
                    username: &known.username,
                    password: &known.password,
                    method,
                    uri,
                    cnonce: &format!("{number:032x}"),
                    count: self.count,
                }))
            }
        }
    }

    /// A request that was signed was let through.
    pub fn let_through(&mut self) -> Option<Quirk> {
        let first = !std::mem::replace(&mut self.good, true);
        match &self.asked {
            // Retina leaves the algorithm's name out.
            Some(Asked::Digest(challenge))
                if first && challenge.hash != DigestHash::Md5 && challenge.algorithm.is_some() =>
            {
                Some(Quirk::DigestAlgorithm {})
            }
            _ => None,
        }
    }

    /// A nonce for the next request (`Authentication-Info`).
    pub fn next_nonce(&mut self, value: &str) {
        let Some((_, nonce)) = value.split_once("nextnonce=") else {
            return;
        };
        let nonce = nonce.trim_start_matches('"');
        let nonce = nonce.split(['"', ',']).next().unwrap_or_default();
        if let (Some(Asked::Digest(challenge)), false) = (&mut self.asked, nonce.is_empty()) {
            nonce.clone_into(&mut challenge.nonce);
            self.count = 0;
        }
    }

    /// A request was refused with 401 and these challenges: signed or not, for the `tries`-th time, in the
    /// middle of the stream or before it.
    pub fn refused(
        &mut self,
        values: &[&str],
        signed: bool,
        tries: u32,
        playing: bool,
    ) -> SignInRefusal {
        let Some(known) = &self.known else {
            return SignInRefusal::Final;
        };
        let offered: Vec<Challenge> = values.iter().flat_map(|value| challenges(value)).collect();
        // The stronger hash first; of two the same, the first.
        let digest = offered.iter().filter_map(|challenge| match challenge {
            Challenge::Digest(digest) => Some(digest),
            _ => None,
        });
        let strongest = digest.rev().max_by_key(|digest| digest.hash).cloned();
        match (strongest, &self.asked) {
            (Some(new), Some(Asked::Digest(old))) if signed => {
                let other = new.nonce != old.nonce;
                let good = std::mem::replace(&mut self.good, false);
                if !other || !(new.stale || good) || tries >= MOST_TRIES {
                    return SignInRefusal::Final;
                }
                self.take(Asked::Digest(new));
                SignInRefusal::Again(Some(match playing {
                    true => Quirk::NonceExpires {},
                    false => Quirk::NonceOnce {},
                }))
            }
            (Some(_), _) if signed => SignInRefusal::Final,
            (Some(new), _) => {
                self.take(Asked::Digest(new));
                SignInRefusal::Again(None)
            }
            (None, Some(_)) if signed => SignInRefusal::Final,
            (None, _) if known.basic && offered.contains(&Challenge::Basic) => {
                self.take(Asked::Basic);
                SignInRefusal::Again(None)
            }
            (None, _) => SignInRefusal::NoWay,
        }
    }

    fn take(&mut self, asked: Asked) {
        self.asked = Some(asked);
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sign_in(basic: bool) -> SignIn {
        let known = SignInAs {
            username: "user".to_owned(),
            password: "pass".to_owned(),
            basic,
        };
        SignIn::new(Some(known), [0; 16])
    }

    fn nonce(of: &str, more: &str) -> String {
        format!("Digest realm=\"r\", nonce=\"{of}\"{more}")
    }

    #[test]
    fn a_nonce_that_is_good_once_is_renewed_each_time() {
        let mut sign_in = sign_in(false);
        assert_eq!(sign_in.authorization("DESCRIBE", "x"), None);
        let asked = sign_in.refused(&[&nonce("n0", ", stale=true")], false, 0, false);
        assert_eq!(asked, SignInRefusal::Again(None));
        assert!(
            sign_in
                .authorization("DESCRIBE", "x")
                .unwrap()
                .contains("n0")
        );
        assert_eq!(sign_in.let_through(), None);
        let asked = sign_in.refused(&[&nonce("n1", ", stale=true")], true, 0, false);
        assert_eq!(asked, SignInRefusal::Again(Some(Quirk::NonceOnce {})));
        assert!(sign_in.authorization("SETUP", "x").unwrap().contains("n1"));
    }

    #[test]
    fn a_nonce_that_was_good_and_is_not_any_more_is_renewed_even_where_nobody_says_stale() {
        let mut sign_in = sign_in(false);
        sign_in.refused(&[&nonce("a", "")], false, 0, false);
        sign_in.let_through();
        let asked = sign_in.refused(&[&nonce("b", "")], true, 0, true);
        assert_eq!(asked, SignInRefusal::Again(Some(Quirk::NonceExpires {})));
        // It was not let through with that one.
        let asked = sign_in.refused(&[&nonce("c", "")], true, 1, true);
        assert_eq!(asked, SignInRefusal::Final);
    }

    #[test]
    fn a_wrong_password_is_one_after_one_try() {
        let mut sign_in = sign_in(true);
        for (again, refusal) in [
            ("a", SignInRefusal::Again(None)),
            ("b", SignInRefusal::Final),
        ] {
            let signed = again == "b";
            let asked = sign_in.refused(&[&nonce(again, "")], signed, 0, false);
            assert_eq!(asked, refusal);
        }
    }

    #[test]
    fn a_camera_that_says_stale_for_ever_is_not_asked_for_ever() {
        let mut sign_in = sign_in(false);
        sign_in.refused(&[&nonce("n", "")], false, 0, false);
        let mut tries = 0;
        while let SignInRefusal::Again(_) = sign_in.refused(
            &[&nonce(&format!("n{tries}"), ", stale=true")],
            true,
            tries,
            false,
        ) {
            tries += 1;
        }
        assert_eq!(tries, MOST_TRIES);
    }

    #[test]
    fn the_strongest_digest_is_taken_and_basic_only_where_it_is_allowed() {
        let md5 = nonce("m", ", algorithm=MD5");
        let sha = nonce("s", ", algorithm=\"SHA-256\"");
        let basic = "Basic realm=\"r\"";
        for values in [[&*md5, &sha, basic], [basic, &sha, &md5]] {
            let mut sign_in = sign_in(true);
            assert_eq!(
                sign_in.refused(&values, false, 0, false),
                SignInRefusal::Again(None)
            );
            let value = sign_in.authorization("DESCRIBE", "x").unwrap();
            assert!(value.contains("algorithm=SHA-256"), "{value}");
            assert_eq!(sign_in.let_through(), Some(Quirk::DigestAlgorithm {}));
        }
        assert_eq!(
            sign_in(false).refused(&[basic], false, 0, false),
            SignInRefusal::NoWay
        );
        let mut allowed = sign_in(true);
        assert_eq!(
            allowed.refused(&[basic], false, 0, false),
            SignInRefusal::Again(None)
        );
        assert_eq!(
            allowed.authorization("DESCRIBE", "x").unwrap(),
            "Basic dXNlcjpwYXNz"
        );
        assert_eq!(
            allowed.refused(&[basic], true, 1, false),
            SignInRefusal::Final
        );
    }

    #[test]
    fn a_camera_that_once_asked_for_digest_gets_no_basic() {
        let mut sign_in = sign_in(true);
        sign_in.refused(&[&nonce("n", "")], false, 0, false);
        let asked = sign_in.refused(&["Basic realm=\"r\""], true, 0, false);
        assert_eq!(asked, SignInRefusal::Final);
    }

    #[test]
    fn the_next_nonce_is_taken_where_it_is_told() {
        let mut sign_in = sign_in(false);
        sign_in.refused(&[&nonce("n", ", qop=\"auth\"")], false, 0, false);
        let first = sign_in.authorization("SETUP", "x").unwrap();
        let second = sign_in.authorization("SETUP", "x").unwrap();
        assert!(first.contains("nc=00000001") && second.contains("nc=00000002"));
        assert_ne!(first, second);
        sign_in.next_nonce("rspauth=\"x\", nextnonce=\"m\"");
        let third = sign_in.authorization("PLAY", "x").unwrap();
        assert!(third.contains("nonce=\"m\"") && third.contains("nc=00000001"));
    }
}
