//! The gst-rtsp-server peer as the tests use it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::oracle::Sent;

/// A running peer; it ends when dropped.
pub struct Peer {
    child: Child,
    port: u16,
    log: Arc<Mutex<HashMap<String, Vec<Sent>>>>,
    reader: Option<std::thread::JoinHandle<()>>,
    _told: tempfile::TempDir,
}

impl Peer {
    /// `mounts` as `gst_peer.py` wants them.
    pub fn start(mounts: &[Value]) -> Peer {
        let told = tempfile::tempdir().unwrap();
        let list = told.path().join("mounts.json");
        std::fs::write(&list, serde_json::to_vec(mounts).unwrap()).unwrap();
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/support/gst_peer.py");
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .arg(&list)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is needed: `make test` installs it");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines
            .next()
            .expect("the gst peer did not start: is gst-rtsp-server there? `make test` installs it")
            .unwrap();
        let first: Value = serde_json::from_str(&first).unwrap();
        let port = u16::try_from(first["port"].as_u64().unwrap()).unwrap();
        let log = Arc::new(Mutex::new(HashMap::<String, Vec<Sent>>::new()));
        let reader = {
            let log = log.clone();
            std::thread::spawn(move || {
                for line in lines.map_while(Result::ok) {
                    let said: Value = serde_json::from_str(&line).unwrap();
                    let sent = Sent {
                        number: u32::try_from(said["n"].as_u64().unwrap()).unwrap(),
                        pts_90k: said["p"].as_i64().unwrap(),
                        sent_mono_ns: said["t"].as_u64().unwrap(),
                    };
                    let mount = said["m"].as_str().unwrap().to_owned();
                    log.lock().unwrap().entry(mount).or_default().push(sent);
                }
            })
        };
        Peer {
            child,
            port,
            log,
            reader: Some(reader),
            _told: told,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("rtsp://127.0.0.1:{}{path}", self.port)
    }

    /// What was sent on a mount so far, in the order of sending.
    pub fn log(&self, path: &str) -> Vec<Sent> {
        self.log
            .lock()
            .unwrap()
            .get(path)
            .cloned()
            .unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
