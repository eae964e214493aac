//! For the tests of this folder.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use crate::config::S3Target;
use crate::config::Secret;
use crate::config::template::KeyTemplate;

pub fn target() -> S3Target {
    S3Target {
        endpoint: "http://127.0.0.1:1".parse().unwrap(),
        region: "eu-central-1".to_owned(),
        bucket: "clips".to_owned(),
        key: KeyTemplate::default(),
        path_style: true,
        storage_class: None,
        encryption: None,
        kms_key: None,
        cache_control: None,
        access_key_id: "KEYCANARY".to_owned(),
        secret_access_key: Secret::new("SECRETCANARY"),
        ca_file: None::<PathBuf>,
    }
}
