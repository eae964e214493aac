//! Whether a bucket answers and knows our key: a signed look into it, nothing is written.

use jiff::Timestamp;

use super::answers::{self, Said};
use super::bucket::S3Adapter;
use super::sign::{S3Payload, S3Signer, encoded};
use crate::base::{Clock, Stop};
use crate::queue::work::Failure;
use crate::upload::http::{Body, Request};

impl S3Adapter {
    pub fn probe(&self, clock: &dyn Clock, stop: &Stop) -> Result<String, Failure> {
        let wall = clock.wall();
        let now = Timestamp::from_nanosecond(i128::from(wall.unix_ns));
        let now = now.unwrap_or(Timestamp::UNIX_EPOCH);
        let target = &self.target;
        let mut url = self.base.clone();
        url.set_query(Some(&format!(
            "{}=2&{}=1",
            encoded("list-type"),
            encoded("max-keys")
        )));
        let signer = S3Signer {
            access_key_id: &target.access_key_id,
            secret: target.secret_access_key.reveal(),
            region: &target.region,
        };
        let headers = signer.sign("GET", &url, Vec::new(), S3Payload::Bytes(b""), now);
        let answer = self.client.session(stop).send(Request {
            method: "GET",
            url: &url,
            headers,
            body: Body::None,
        })?;
        if answer.is_success() {
            return Ok("answers, and knows the access key".to_owned());
        }
        // Who may upload need not be allowed to list: the signature was read all the same.
        if Said::in_body(&answer.body).code == "AccessDenied" {
            return Ok(
                "answers, and knows the access key, which may not list the bucket: whether it may \
                 write shows at the first upload"
                    .to_owned(),
            );
        }
        Err(answers::failure(
            &answer,
            "looking into the bucket",
            target,
            now,
        ))
    }
}
