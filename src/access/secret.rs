//! Random secrets, and the hashes by which they are known again.
//!
//! Not here: passwords, which people choose (`password`).

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::AccessError;
use crate::base::hex;

/// A secret in its readable form. Its `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// 256 bits, as 64 hexadecimal digits.
    pub fn session() -> Result<SecretText, AccessError> {
        Ok(SecretText(hex(&random::<32>()?)))
    }

    /// 128 bits, as 32 hexadecimal digits.
    pub fn link() -> Result<SecretText, AccessError> {
        Ok(SecretText(hex(&random::<16>()?)))
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// SHA-256 of a secret, in hexadecimal. Secrets are random and long, so that a plain hash is enough; and looking one up
/// by its hash tells by its time at most something of the hash.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(String);

impl SecretHash {
    pub fn of(secret: &str) -> SecretHash {
        SecretHash(hex(&Sha256::digest(secret.as_bytes())))
    }

    pub(super) fn is_well_formed(&self) -> bool {
        self.0.len() == 64 && self.0.bytes().all(|b| b.is_ascii_hexdigit())
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// 80 bits in groups that can be read out and typed: `K7QM-3F9X-0A2B-CDEF`, without I, L, O and U.
pub(super) fn setup_token() -> Result<String, AccessError> {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    // Five of a byte's bits choose a letter, each of the 32 as often.
    let letters = random::<16>()?.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    let groups: Vec<String> = letters
        .chunks(4)
        .map(|four| four.iter().collect())
        .collect();
    Ok(groups.join("-"))
}

/// Whether `given` is `token`, as people type it; in a time that tells nothing of the token.
pub(super) fn is_setup_token(given: &str, token: &str) -> bool {
    let plain = |text: &str| -> String {
        let kept = text.chars().filter(char::is_ascii_alphanumeric);
        kept.map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
    };
    SecretHash::of(&plain(given)) == SecretHash::of(&plain(token))
}

/// A name for a record that is shown: 64 bits, no secret.
pub(super) fn record_id() -> Result<String, AccessError> {
    Ok(hex(&random::<8>()?))
}

/// From the kernel, which waits until it has enough of it (at a first boot, for instance).
pub(super) fn random<const N: usize>() -> Result<[u8; N], AccessError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| AccessError::NoRandom {
        why: error.to_string(),
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn secrets_differ_have_their_length_and_do_not_show_in_debug_output() {
        let [one, other] = [
            SecretText::session().unwrap(),
            SecretText::session().unwrap(),
        ];
        assert_ne!(one, other);
        assert_eq!(one.reveal().len(), 64);
        assert_eq!(SecretText::link().unwrap().reveal().len(), 32);
        let shown = format!("{one:?} {:?}", one.hash());
        assert!(!shown.contains(&one.reveal()[..8]), "{shown}");
        assert_eq!(one.hash(), SecretHash::of(one.reveal()));
        assert!(one.hash().is_well_formed());
    }

    #[test]
    fn the_setup_token_is_known_as_people_type_it() {
        let token = setup_token().unwrap();
        assert_eq!(token.len(), 19);
        assert_ne!(token, setup_token().unwrap());
        assert!(is_setup_token(&token, &token));
        assert!(is_setup_token(
            &format!(" {} ", token.to_lowercase()),
            &token
        ));
        assert!(is_setup_token("k7qm 3f9x oi2b cdef", "K7QM-3F9X-012B-CDEF"));
        for wrong in ["", "K7QM", "K7QM-3F9X-012B-CDEG", "K7QM-3F9X-012B-CDEF-0"] {
            assert!(!is_setup_token(wrong, "K7QM-3F9X-012B-CDEF"), "{wrong}");
        }
    }
}
