//! What people write into a configuration, and what they are told about it.

use std::path::PathBuf;

use hindsight::config::{self, LogFormat, Sources, Transport};

#[test]
fn the_example_loads_and_says_what_the_defaults_are() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("hindsight.example.toml");
    let loaded = config::load(&Sources {
        file: Some(path),
        ..Sources::default()
    })
    .unwrap();
    let config = loaded.config;
    assert_eq!(config.venue.name, "Arena Central");
    assert_eq!(config.venue.timezone.iana_name(), Some("America/Sao_Paulo"));
    assert_eq!(config.storage.path, PathBuf::from("/var/lib/hindsight"));
    assert_eq!(config.ring.dir, PathBuf::from("/dev/shm"));
    assert_eq!(config.ring.seconds, 90);
    assert_eq!(config.ring.max_bitrate_bps, 8_000_000);
    assert_eq!(
        (config.highlight.pre_ms, config.highlight.post_ms),
        (40_000, 10_000)
    );
    assert_eq!(config.highlight.stop_grace_ms, 20_000);
    assert!(config.trigger.keyboard && config.trigger.http);
    assert_eq!(config.reconnect.max_attempts, None);
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.log.format, LogFormat::Text);
    let camera = &config.cameras[0];
    assert_eq!(camera.id.as_str(), "court1");
    assert_eq!(camera.transport, Transport::Tcp);
    assert_eq!(camera.latency_ms, 300);
    let credentials = camera.credentials.as_ref().unwrap();
    assert_eq!(credentials.username, "viewer");
    assert_eq!(credentials.password.reveal(), "change me");
}
