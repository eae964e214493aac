//! Addresses that show one press's clips to whoever has them. Pure.
//!
//! Not here: which files that is (`web`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::AccessError;
use super::moment::Moment;
use super::records::{StoredFile, VERSION};
use super::secret::{self, SecretHash};
use crate::base::PressId;

const LINKS_MOST: usize = 10_000;
/// However long is asked for.
const LASTS_MOST: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// By which it can be revoked; no secret.
    pub id: String,
    pub secret_sha256: SecretHash,
    pub press: PressId,
    /// The press's day, the folder above its own.
    pub day: String,
    pub created_unix_s: i64,
    pub expires_unix_s: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
}

impl Link {
    fn is_over(&self, now: Moment) -> bool {
        self.revoked || now.unix_s >= self.expires_unix_s
    }
}

/// What a link's secret opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkAnswer {
    Unknown,
    /// Expired or revoked.
    Over,
    Open {
        press: PressId,
        day: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Links {
    version: u32,
    /// The oldest first.
    links: Vec<Link>,
}

impl Default for Links {
    fn default() -> Links {
        Links {
            version: VERSION,
            links: Vec::new(),
        }
    }
}

impl StoredFile for Links {
    const FILE: &'static str = "links.json";
    const MOST_BYTES: u64 = 8 << 20;

    fn version(&self) -> u32 {
        self.version
    }

    fn broken_rule(&self) -> Option<&'static str> {
        let links = &self.links;
        let rules: [(bool, &'static str); 2] = [
            (links.len() <= LINKS_MOST, "it has too many links"),
            (
                links.iter().all(|l| l.secret_sha256.is_well_formed()),
                "a link's hash in it is wrong",
            ),
        ];
        rules
            .into_iter()
            .find(|(kept, _)| !kept)
            .map(|(_, rule)| rule)
    }
}

impl Links {
    pub fn list(&self) -> &[Link] {
        &self.links
    }

    pub fn open(&self, secret: &SecretHash, now: Moment) -> LinkAnswer {
        match self.links.iter().find(|link| link.secret_sha256 == *secret) {
            None => LinkAnswer::Unknown,
            Some(link) if link.is_over(now) => LinkAnswer::Over,
            Some(link) => LinkAnswer::Open {
                press: link.press.clone(),
                day: link.day.clone(),
            },
        }
    }

    /// Where there are too many, the oldest that is over makes room, or else the oldest.
    pub fn make(
        &mut self,
        secret: SecretHash,
        (press, day): (PressId, &str),
        lasts: Duration,
        now: Moment,
    ) -> Result<&Link, AccessError> {
        while self.links.len() >= LINKS_MOST {
            let over = self.links.iter().position(|link| link.is_over(now));
            self.links.remove(over.unwrap_or(0));
        }
        let lasts_s = i64::try_from(lasts.min(LASTS_MOST).as_secs()).unwrap_or(0);
        self.links.push(Link {
            id: secret::record_id()?,
            secret_sha256: secret,
            press,
            day: day.to_owned(),
            created_unix_s: now.unix_s,
            expires_unix_s: now.unix_s.saturating_add(lasts_s),
            revoked: false,
        });
        Ok(&self.links[self.links.len() - 1])
    }

    /// It stays in the list, so that who has it learns that it is over.
    pub fn revoke(&mut self, id: &str) -> Result<(), AccessError> {
        let link = self.links.iter_mut().find(|link| link.id == id);
        link.ok_or(AccessError::LinkUnknown {})?.revoked = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::access::records;

    fn press() -> PressId {
        PressId::try_from("0123abcd-00000000abc-00010002".to_owned()).unwrap()
    }

    fn at(unix_s: i64) -> Moment {
        Moment { mono_ns: 0, unix_s }
    }

    fn make(links: &mut Links, n: i64, lasts_s: u64) -> String {
        let hash = SecretHash::of(&n.to_string());
        let lasts = Duration::from_secs(lasts_s);
        links
            .make(hash, (press(), "2026-11-21"), lasts, at(n))
            .unwrap()
            .id
            .clone()
    }

    fn open(links: &Links, n: i64, now: i64) -> LinkAnswer {
        links.open(&SecretHash::of(&n.to_string()), at(now))
    }

    #[test]
    fn a_link_opens_its_press_until_it_expires_or_is_revoked() {
        let mut links = Links::default();
        let id = make(&mut links, 0, 60);
        let opened = LinkAnswer::Open {
            press: press(),
            day: "2026-11-21".to_owned(),
        };
        assert_eq!(open(&links, 0, 59), opened);
        assert_eq!(open(&links, 0, 60), LinkAnswer::Over);
        assert_eq!(open(&links, 1, 0), LinkAnswer::Unknown);
        links.revoke(&id).unwrap();
        assert_eq!(open(&links, 0, 1), LinkAnswer::Over);
        assert_eq!(links.revoke("x"), Err(AccessError::LinkUnknown {}));
        let back = records::read::<Links>(&records::written(&links).unwrap()).unwrap();
        assert_eq!(back, links);
        let id = make(&mut links, 5, u64::MAX);
        let link = links.list().iter().find(|link| link.id == id).unwrap();
        assert_eq!(
            link.expires_unix_s,
            5 + 30 * 24 * 3600,
            "thirty days at most"
        );
    }

    #[test]
    fn there_are_ten_thousand_and_the_oldest_that_is_over_makes_room() {
        let mut links = Links::default();
        for n in 0..10_000 {
            let lasts = if n == 7 { 1 } else { 1_000_000 };
            make(&mut links, n, lasts);
        }
        let bytes = records::written(&links).unwrap();
        assert!(u64::try_from(bytes.len()).unwrap() < Links::MOST_BYTES);
        make(&mut links, 20_000, 60);
        assert_eq!(open(&links, 7, 20_000), LinkAnswer::Unknown);
        assert_ne!(open(&links, 0, 20_000), LinkAnswer::Unknown);
        make(&mut links, 20_001, 60);
        assert_eq!(
            open(&links, 0, 20_001),
            LinkAnswer::Unknown,
            "none is over: the oldest"
        );
        assert_eq!(links.list().len(), 10_000);
    }
}
