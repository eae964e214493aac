//! Updates from an address.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::time::Duration;

use hindsight::disk::{Disk, DiskCall, DiskFault, Faults};
use hindsight::update::fetch::Fetch;
use hindsight::update::install::InstallStep;
use hindsight::update::{Slot, SlotState, UpdateError, Updater};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::rig::{Rig, said, system};
use crate::server::{Answer, Server, free_address};

const LEN: usize = 2_000_000;
const PATH: &str = "/updates/hindsight-9.0.0-arm64.hsu";

/// A box, a server with an update for it, and a storage.
struct Net {
    rig: Rig,
    server: Server,
    new: Vec<u8>,
    bytes: Vec<u8>,
}

impl Net {
    fn new() -> Net {
        Net::with(None)
    }

    fn with(tls: Option<Arc<rustls::ServerConfig>>) -> Net {
        let rig = Rig::new(Slot::A, LEN);
        let new = system(50, LEN);
        let bytes = fs::read(rig.update_of(&new)).unwrap();
        fs::create_dir_all(rig.path("storage/tmp")).unwrap();
        let server = Server::start(tls);
        server.has(PATH, Answer::File(bytes.clone()));
        let signature = rig.maker.sign(&bytes).into_bytes();
        server.has(&format!("{PATH}.minisig"), Answer::File(signature));
        Net {
            rig,
            server,
            new,
            bytes,
        }
    }

    fn storage(&self) -> PathBuf {
        self.rig.path("storage")
    }

    fn fetch(
        &self,
        url: &str,
        disk: &Disk,
        steps: &mut Vec<InstallStep>,
    ) -> Result<(), UpdateError> {
        let fetch = self.patient_for(url)?;
        let image = fetch.fetch(disk, &mut |step| steps.push(step))?;
        let begun = Updater::begin(&self.rig.layout, disk)?;
        begun.install(&image, &self.rig.rules(), &mut |_| {})?;
        Ok(())
    }

    /// Not for long.
    fn patient_for(&self, url: &str) -> Result<Fetch, UpdateError> {
        let mut fetch = Fetch::new(url, &self.storage())?;
        fetch.idle = Duration::from_secs(1);
        Ok(fetch)
    }

    /// Why it is not taken; nothing is changed and nothing lies about.
    fn refused(&self, url: &str) -> String {
        let before = self.rig.all();
        let error = self.fetch(url, &Disk::default(), &mut Vec::new());
        let error = error.unwrap_err().to_string();
        assert!(self.rig.all() == before, "something was changed: {error}");
        self.nothing_lies_about();
        error
    }

    fn nothing_lies_about(&self) {
        let left: Vec<_> = files(&self.storage());
        assert!(left.is_empty(), "{left:?}");
    }

    /// With the update, and with where the storage is.
    fn command(&self, url: &str) -> std::process::Command {
        let config = self.rig.path("venue.toml");
        let text = format!(
            "[storage]\npath = \"{}\"\n[[camera]]\nid = \"c1\"\nurl = \"rtsp://127.0.0.1:1/s\"\n",
            self.storage().display()
        );
        fs::write(&config, text).unwrap();
        let mut command = self.rig.update_command(url);
        command.arg("--config").arg(config);
        command
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

#[test]
fn an_update_is_fetched_with_its_signature_and_taken_like_any_other() {
    let net = Net::new();
    let mut steps = Vec::new();
    let url = net.server.url(PATH);
    net.fetch(&url, &Disk::default(), &mut steps).unwrap();
    assert_eq!(net.rig.says(), SlotState::trying_other(Slot::A));
    assert!(fs::read(&net.rig.layout.b).unwrap() == net.new);
    let all = net.bytes.len() as u64;
    let last = InstallStep::Fetching {
        done: all,
        total: Some(all),
    };
    assert_eq!(steps.last(), Some(&last));
    net.nothing_lies_about();
}

#[test]
fn redirects_a_query_and_a_missing_length_are_no_matter() {
    let net = Net::new();
    let to = |path: &str| Answer::Redirect(net.server.url(path));
    net.server.has("/latest", to(PATH));
    net.server
        .has("/latest.minisig", to(&format!("{PATH}.minisig")));
    net.server.has(PATH, Answer::Unmeasured(net.bytes.clone()));
    let url = net.server.url("/latest?token=canary");
    net.fetch(&url, &Disk::default(), &mut Vec::new()).unwrap();
    assert!(fs::read(&net.rig.layout.b).unwrap() == net.new);
    net.server.has("/round", to("/round"));
    net.server.has("/round.minisig", to("/round.minisig"));
    let why = net.refused(&net.server.url("/round"));
    assert!(
        why.contains("from one address to the next without end"),
        "{why}"
    );
}

#[test]
fn a_download_that_breaks_or_falls_silent_is_told_and_leaves_nothing() {
    let net = Net::new();
    let url = net.server.url(PATH);
    net.server
        .has(PATH, Answer::Broken(net.bytes.clone(), 300_000));
    let why = net.refused(&url);
    assert!(why.contains("broke") || why.contains("bytes came"), "{why}");
    net.server
        .has(PATH, Answer::Silent(net.bytes.clone(), 300_000));
    let why = net.refused(&url);
    assert!(why.contains("nothing came for 1 s"), "{why}");
    // Cut short where nobody said how long it is: the signature tells.
    let half = net.bytes[..net.bytes.len() / 2].to_vec();
    net.server.has(PATH, Answer::Unmeasured(half));
    let why = net.refused(&url);
    assert!(why.contains("the signature does not hold"), "{why}");
}

#[test]
fn a_server_that_sends_drop_by_drop_is_given_up_whatever_it_sends() {
    let net = Net::new();
    let url = net.server.url(PATH);
    let signature = format!("{PATH}.minisig");
    let sign = net.rig.maker.sign(&net.bytes).into_bytes();
    for (head, words) in [
        ("200 OK\r\n\r\n", "it had not come within 3 s"),
        (
            "200 OK\r\nContent-Length: 4000\r\n\r\n",
            "it had not come within 3 s",
        ),
        ("200 OK\r\nX-Long: ", "it does not answer"),
        (
            "302 Found\r\nContent-Length: 4000\r\nLocation: /\r\n\r\n",
            "",
        ),
    ] {
        for path in [signature.as_str(), PATH] {
            net.server.has(&signature, Answer::File(sign.clone()));
            net.server.has(PATH, Answer::File(net.bytes.clone()));
            net.server.has(path, Answer::Drops(head));
            let mut fetch = net.patient_for(&url).unwrap();
            fetch.within = Duration::from_secs(3);
            fetch.signature_within = Duration::from_secs(3);
            let (tell, told) = channel();
            std::thread::spawn(move || tell.send(fetch.fetch(&Disk::default(), &mut |_| {})));
            let given_up = told.recv_timeout(Duration::from_secs(120));
            let given_up =
                given_up.unwrap_or_else(|_| panic!("{path}, {head:?}: still waited for"));
            let why = given_up.err().unwrap().to_string();
            assert!(why.contains(words), "{path}, {head:?}: {why}");
            net.nothing_lies_about();
        }
    }
}

#[test]
fn a_signature_that_is_none_is_told() {
    let net = Net::new();
    let url = net.server.url(PATH);
    for (answer, words) in [
        (Answer::Silent(vec![b'u'; 400], 10), "nothing came for 1 s"),
        (Answer::Unmeasured(vec![b'u'; 40_000]), "far too long"),
        (Answer::File(vec![0xff; 400]), "it is no text"),
    ] {
        net.server.has(&format!("{PATH}.minisig"), answer);
        let why = net.refused(&url);
        assert!(why.contains(".minisig") && why.contains(words), "{why}");
    }
}

#[test]
fn what_a_server_takes_its_time_with_keeps_no_other_update_out() {
    let net = Net::new();
    let signature = format!("{PATH}.minisig");
    let file = net.rig.update_of(&net.new);
    for path in [PATH, signature.as_str()] {
        net.server.has(path, Answer::Drops("200 OK\r\n\r\n"));
        net.server.asked.lock().unwrap().clear();
        let mut waiting = net
            .command(&net.server.url(PATH))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while !net
            .server
            .asked
            .lock()
            .unwrap()
            .iter()
            .any(|asked| asked == path)
        {
            assert!(waiting.try_wait().unwrap().is_none(), "it ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        let installed = net.rig.install(&file);
        let still_waits = waiting.try_wait().unwrap().is_none();
        waiting.kill().unwrap();
        waiting.wait().unwrap();
        installed.unwrap();
        assert!(still_waits, "{path}");
        net.rig.restore(SlotState::settled(Slot::A));
    }
}

#[test]
fn a_password_in_an_address_is_not_repeated() {
    let net = Net::new();
    for from in [
        "https://ana:canary@example.com/x.hsu",
        "ftp://c/x.hsu?pwd=canary",
        "https://c:x/token=canary",
    ] {
        let output = net.command(from).output().unwrap();
        let (code, out, err) = said(&output);
        assert_ne!(code, Some(0));
        assert!(
            !out.contains("canary") && !err.contains("canary"),
            "{out}{err}"
        );
    }
}

#[test]
fn nothing_is_said_of_what_an_update_holds_before_its_signature_does() {
    let net = Net::new();
    let url = net.server.url(PATH);
    // Its first line is no header, and it is not what was signed.
    net.server
        .has(PATH, Answer::File(b"{\"format\":7}\n".to_vec()));
    let why = net.refused(&url);
    assert!(why.contains("the signature does not hold"), "{why}");
    assert!(!why.contains("format"), "{why}");
}

#[test]
fn a_download_that_is_killed_leaves_nothing() {
    let net = Net::new();
    net.server
        .has(PATH, Answer::Silent(net.bytes.clone(), 300_000));
    let mut child = net
        .command(&net.server.url(PATH))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert!(line.starts_with("fetching: "), "{line}");
    child.kill().unwrap();
    child.wait().unwrap();
    net.nothing_lies_about();
    assert_eq!(net.rig.says(), SlotState::settled(Slot::A));
}

#[test]
fn what_is_not_there_is_told_and_a_query_is_repeated_nowhere() {
    let net = Net::new();
    let why = net.refused(&net.server.url("/none.hsu?sig=canary"));
    assert!(
        why.contains("no signature beside it") && why.contains("/none.hsu.minisig"),
        "{why}"
    );
    assert!(!why.contains("canary"), "{why}");
    net.server
        .has("/none.hsu.minisig", Answer::File(b"x".to_vec()));
    let why = net.refused(&net.server.url("/none.hsu?sig=canary"));
    assert!(
        why.contains("there is no such file on that server"),
        "{why}"
    );
    net.server
        .has(PATH, Answer::Status("503 Service Unavailable"));
    let why = net.refused(&net.server.url(PATH));
    assert!(why.contains("the server answered 503"), "{why}");
    let why = net.refused(&format!("http://{}/x.hsu?sig=canary", free_address()));
    assert!(why.contains("reach") || why.contains("refuse"), "{why}");
    assert!(!why.contains("canary"), "{why}");
}

#[test]
fn a_wrong_signature_is_found_before_anything_is_written() {
    let net = Net::new();
    let mut bytes = net.bytes.clone();
    bytes[9_000] ^= 1;
    net.server.has(PATH, Answer::File(bytes));
    let why = net.refused(&net.server.url(PATH));
    assert!(why.contains("the signature does not hold"), "{why}");
}

/// A data disk with so many bytes left.
struct Full(AtomicU64);

impl Faults for Full {
    fn before(&self, call: DiskCall, _: &Path) -> Option<DiskFault> {
        let free = usize::try_from(self.0.load(SeqCst)).unwrap();
        (call == DiskCall::Space).then_some(DiskFault::Short(free))
    }
}

#[test]
fn a_full_data_disk_refuses_the_download_before_it_begins() {
    let net = Net::new();
    let keep = 512 << 20;
    let half = net.bytes.len() as u64 / 2;
    let full = Arc::new(Full(AtomicU64::new(keep + half)));
    let disk = Disk::with_faults(full.clone());
    let url = net.server.url(PATH);
    let error = net.fetch(&url, &disk, &mut Vec::new()).unwrap_err();
    let why = error.to_string();
    assert!(
        why.contains("make room, or copy it to a USB stick"),
        "{why}"
    );
    net.nothing_lies_about();
    full.0.store(keep + 2 * half + 1, SeqCst);
    net.fetch(&url, &disk, &mut Vec::new()).unwrap();
}

#[test]
fn a_storage_that_is_not_there_is_told() {
    let net = Net::new();
    fs::remove_dir_all(net.storage()).unwrap();
    let fetch = Fetch::new(&net.server.url(PATH), &net.storage()).unwrap();
    let error = fetch.fetch(&Disk::default(), &mut |_| {}).err().unwrap();
    assert!(
        error.to_string().contains("there is no such folder"),
        "{error}"
    );
    assert!(net.server.asked.lock().unwrap().is_empty());
}

#[test]
fn nothing_is_fetched_for_a_box_that_cannot_take_it() {
    let net = Net::new();
    net.rig.say(0, &[0; 512]);
    net.rig.say(1, &[0; 512]);
    let output = net.command(&net.server.url(PATH)).output().unwrap();
    let (code, out, err) = said(&output);
    assert_eq!(code, Some(2), "{out}{err}");
    assert!(net.server.asked.lock().unwrap().is_empty());
}

#[test]
fn the_shell_fetches_onto_the_storage_of_the_configuration() {
    let net = Net::new();
    let url = net.server.url(PATH);
    let output = net.command(&url).output().unwrap();
    let (code, out, err) = said(&output);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("fetching: 100 % of"), "{out}");
    assert_eq!(net.rig.says(), SlotState::trying_other(Slot::A));
    // A configuration that is wrong keeps only an address out.
    fs::write(net.rig.path("venue.toml"), "[storag]\n").unwrap();
    let wrong = |from: &str| {
        let mut command = net.rig.update_command(from);
        command.arg("--config").arg(net.rig.path("venue.toml"));
        said(&command.output().unwrap())
    };
    let (code, _, err) = wrong(&url);
    assert_eq!(code, Some(2));
    assert!(err.contains("where to put what is fetched"), "{err}");
    let file = net.rig.update_of(&net.new);
    assert_eq!(wrong(file.to_str().unwrap()).0, Some(0));
}

#[test]
fn https_is_trusted_by_the_authorities_of_the_system_and_by_no_other() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let net = Net::with(Some(Arc::new(config)));
    let url = format!("https://{}{PATH}", net.server.address);
    let authorities = net.rig.path("authorities.pem");
    fs::write(&authorities, authority).unwrap();
    let run = |system: &Path| {
        let mut command = net.command(&url);
        command
            .env("SSL_CERT_FILE", system)
            .env_remove("SSL_CERT_DIR");
        said(&command.output().unwrap())
    };
    let other = net.rig.path("other.pem");
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let stranger = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    fs::write(&other, stranger.pem()).unwrap();
    let (code, _, err) = run(&other);
    assert_eq!(code, Some(2));
    assert!(err.contains("certificate"), "{err}");
    assert_eq!(net.rig.says(), SlotState::settled(Slot::A));
    let (code, out, err) = run(&authorities);
    assert_eq!(code, Some(0), "{out}{err}");
}
