//! Passwords: argon2id with 19 MiB, two passes, one lane (OWASP's least; a Raspberry Pi 3 takes a moment for it).
//!
//! Not here: how many may be tried (`web::guard`), and who hashes when (each hashing takes its memory: one at a time).

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::AccessError;
use super::secret::random;

/// In characters. There is no other rule: length is what counts.
pub const PASSWORD_LEAST: usize = 10;
/// In bytes.
const PASSWORD_MOST: usize = 1024;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const HASH_BYTES: usize = 32;
/// What a file may ask for, at most.
const MEMORY_MOST_KIB: u32 = 64 * 1024;
const PASSES_MOST: u32 = 16;

/// What is kept of a password; with what is needed to check one by it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordHash {
    algorithm: HashAlgorithm,
    memory_kib: u32,
    passes: u32,
    /// Base64, as is `hash`.
    salt: String,
    hash: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum HashAlgorithm {
    Argon2id,
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

impl PasswordHash {
    /// Takes a moment and 19 MiB.
    pub fn of(password: &str) -> Result<PasswordHash, AccessError> {
        if password.chars().count() < PASSWORD_LEAST {
            return Err(AccessError::PasswordShort {
                least: PASSWORD_LEAST,
            });
        }
        if password.len() > PASSWORD_MOST {
            return Err(AccessError::PasswordLong {
                most: PASSWORD_MOST,
            });
        }
        let salt: [u8; 16] = random()?;
        let hash = derive(password, &salt, MEMORY_KIB, PASSES).ok_or(AccessError::SignIn {})?;
        Ok(PasswordHash {
            algorithm: HashAlgorithm::Argon2id,
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            salt: BASE64.encode(salt),
            hash: BASE64.encode(hash),
        })
    }

    /// Takes as long as making it did.
    pub fn is_of(&self, password: &str) -> bool {
        if password.len() > PASSWORD_MOST || !self.is_well_formed() {
            return false;
        }
        let (Ok(salt), Ok(hash)) = (BASE64.decode(&self.salt), BASE64.decode(&self.hash)) else {
            return false;
        };
        // Compared by their hashes: how long that takes tells nothing of them.
        derive(password, &salt, self.memory_kib, self.passes)
            .is_some_and(|found| Sha256::digest(found) == Sha256::digest(&hash))
    }

    /// Hashes as for somebody who is known, so that the time does not tell who is.
    pub fn of_nobody(password: &str) {
        if password.len() <= PASSWORD_MOST {
            let _ = std::hint::black_box(derive(password, &[0; 16], MEMORY_KIB, PASSES));
        }
    }

    /// A file that was tampered with cannot ask for all the memory.
    pub(super) fn is_well_formed(&self) -> bool {
        let bytes = |text: &str| BASE64.decode(text).map_or(0, |bytes| bytes.len());
        (8..=MEMORY_MOST_KIB).contains(&self.memory_kib)
            && (1..=PASSES_MOST).contains(&self.passes)
            && bytes(&self.salt) >= 8
            && bytes(&self.hash) == HASH_BYTES
    }
}

fn derive(password: &str, salt: &[u8], memory_kib: u32, passes: u32) -> Option<[u8; HASH_BYTES]> {
    let params = Params::new(memory_kib, passes, LANES, Some(HASH_BYTES)).ok()?;
    let mut hash = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), salt, &mut hash)
        .ok()?;
    Some(hash)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_and_another_is_not() {
        let hash = PasswordHash::of("golo na quadra 2").unwrap();
        assert!(hash.is_of("golo na quadra 2"));
        assert!(!hash.is_of("golo na quadra 3"));
        assert!(!hash.is_of(""));
        let again = PasswordHash::of("golo na quadra 2").unwrap();
        assert_ne!(hash, again, "each has its own salt");
        let text = serde_json::to_string(&hash).unwrap();
        assert!(
            !text.contains("quadra") && text.contains("\"argon2id\""),
            "{text}"
        );
        let back: PasswordHash = serde_json::from_str(&text).unwrap();
        assert!(back.is_of("golo na quadra 2"));
    }

    #[test]
    fn length_is_the_only_rule_and_it_counts_characters() {
        assert_eq!(
            PasswordHash::of("123456789").unwrap_err(),
            AccessError::PasswordShort { least: 10 }
        );
        assert!(
            PasswordHash::of("ééééééééé").is_err(),
            "nine characters, eighteen bytes"
        );
        assert!(PasswordHash::of("aaaaaaaaaa").is_ok());
        assert!(PasswordHash::of(&"a".repeat(1025)).is_err());
    }

    #[test]
    fn a_hash_that_asks_for_all_the_memory_is_not_tried() {
        let mut hash = PasswordHash::of("aaaaaaaaaa").unwrap();
        hash.memory_kib = u32::MAX;
        assert!(!hash.is_well_formed() && !hash.is_of("aaaaaaaaaa"));
        hash.memory_kib = MEMORY_KIB;
        hash.passes = u32::MAX;
        assert!(!hash.is_well_formed() && !hash.is_of("aaaaaaaaaa"));
    }

    /// A known answer of the reference implementation (`argon2 -id -t 2 -k 19456 -p 1 -l 32`), so that hashes stay good
    /// whatever library makes them.
    #[test]
    fn it_is_the_argon2id_that_others_know() {
        let expected = "iPOQ5f2O";
        let hash = derive(
            "correct horse battery",
            b"saltsaltsaltsalt",
            MEMORY_KIB,
            PASSES,
        )
        .unwrap();
        assert_eq!(&BASE64.encode(hash)[..8], expected);
    }
}
