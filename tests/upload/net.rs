//! Nobody there, and nobody that can be trusted.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::proxy::{Fate, Proxy};
use crate::rig::*;
use crate::s3::S3;

#[test]
fn offline_for_a_week_everything_waits_and_nothing_counts_or_grows() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let highlight = Highlight::of(20_000_000);
    let before = files(highlight.dir.path());
    let notes = Notes::default();
    let refusing = target(&s3_lines(&refused, ""));
    // A week of attempts, one every ten minutes.
    for _ in 0..7 * 24 * 6 {
        waits(
            attempt(&*refusing, &highlight, &notes),
            "refuses connections",
        );
    }
    let nameless = target(&s3_lines("http://no-such-host.invalid", ""));
    waits(attempt(&*nameless, &highlight, &notes), "DNS");
    assert_eq!(notes.times(), 0);
    assert!(files(highlight.dir.path()) == before);
}

/// An authority of our own: its PEM in a file, and a server with a certificate of it.
struct Authority {
    dir: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(dir.path().join("ca.pem"), certificate.pem()).unwrap();
        Authority {
            dir,
            issuer: Issuer::new(params, key),
        }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    fn server(&self, names: &[&str], expired: bool) -> Arc<rustls::ServerConfig> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        if expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}

#[test]
fn a_server_with_a_certificate_of_the_ca_file_is_trusted_and_no_other() {
    let Some(s3) = S3::start() else { return };
    let authority = Authority::new();
    let ca_file = |path: PathBuf| format!("ca_file = \"{}\"\n", path.display());
    let highlight = Highlight::of(17_000_000);
    let good = authority.server(&["127.0.0.1"], false);
    let proxy = Proxy::start(&s3.address, Some(good), |_| Fate::Pass);
    let lines = s3_lines(&proxy.url(), "");

    let unknown = attempt(&*target(&lines), &highlight, &Notes::default());
    waits(unknown, "name its certificate as ca_file");
    let other = format!("{lines}{}", ca_file(Authority::new().file_kept()));
    waits(
        attempt(&*target(&other), &highlight, &Notes::default()),
        "TLS",
    );
    assert_eq!(
        proxy.seen().len(),
        0,
        "something was said to a server that nobody trusts"
    );

    let trusted = format!("{lines}{}", ca_file(authority.file()));
    attempt(&*target(&trusted), &highlight, &Notes::default()).unwrap();
    assert!(std::fs::read(s3.object(&format!("{STEM}.mp4"))).unwrap() == highlight.video());
}

#[test]
fn an_expired_certificate_and_one_for_another_name_wait_and_say_so() {
    let authority = Authority::new();
    let highlight = Highlight::of(1_000);
    for (names, expired, word) in [
        (["127.0.0.1"], true, "set this box's clock"),
        (["s3.example.com"], false, "is for another name"),
    ] {
        let config = authority.server(&names, expired);
        let proxy = Proxy::start("127.0.0.1:9", Some(config), |_| Fate::Pass);
        let ca_file = authority.file();
        let lines = s3_lines(&proxy.url(), "");
        let lines = format!("{lines}ca_file = \"{}\"\n", ca_file.display());
        waits(
            attempt(&*target(&lines), &highlight, &Notes::default()),
            word,
        );
    }
}

#[test]
fn a_server_that_speaks_no_tls_on_that_port_waits_and_says_so() {
    let Some(s3) = S3::start() else { return };
    let lines = s3_lines(&format!("https://{}", s3.address), "");
    let result = attempt(&*target(&lines), &Highlight::of(1_000), &Notes::default());
    waits(result, "begin with http://?");
}

#[test]
fn a_ca_file_without_certificates_is_an_error_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, "not a certificate").unwrap();
    let mut config = config(&s3_lines("https://127.0.0.1:9", ""));
    let hindsight::config::TargetKind::S3(s3) = &mut config.targets[0].kind else {
        panic!("no S3 target")
    };
    s3.ca_file = Some(file);
    let result = hindsight::upload::targets(&config, Arc::new(hindsight::base::RealClock));
    let why = result.err().unwrap().to_string();
    assert!(
        why.contains("ca.pem") && why.contains("BEGIN CERTIFICATE"),
        "{why}"
    );
}

impl Authority {
    /// Its file, for as long as the test runs.
    fn file_kept(self) -> PathBuf {
        self.dir.keep().join("ca.pem")
    }
}
