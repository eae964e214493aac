//! Whether the backend answers at all: what it thinks of us shows only when something is
//! registered, and that would stay.

use super::SignedUrlAdapter;
use crate::base::Stop;
use crate::queue::work::Failure;
use crate::upload::http::{Body, Request};

impl SignedUrlAdapter {
    pub fn probe(&self, stop: &Stop) -> Result<String, Failure> {
        let mut url = self.target.url.clone();
        url.set_path("/");
        url.set_query(None);
        // Whatever it says to that: it is there.
        self.client.session(stop).send(Request {
            method: "HEAD",
            url: &url,
            headers: Vec::new(),
            body: Body::None,
        })?;
        Ok("answers; whether it accepts this device shows at the first upload".to_owned())
    }
}
