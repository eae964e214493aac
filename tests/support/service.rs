//! `hindsight run` as the tests use it: config, start, presses, stop.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// How long a test waits for an event before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// What is told to the service besides its cameras.
#[derive(Clone, Debug)]
pub struct Told {
    pub ring_seconds: u32,
    pub pre: &'static str,
    pub post: &'static str,
    /// Lines for `[reconnect]`, `[http]` and the like.
    pub more: String,
}

impl Default for Told {
    fn default() -> Told {
        Told {
            ring_seconds: 40,
            pre: "3s",
            post: "1s",
            more: String::new(),
        }
    }
}

/// Folders of a service; they stay when it dies and go with this.
pub struct Place {
    pub dir: tempfile::TempDir,
    _rings: tempfile::TempDir,
    pub config: PathBuf,
    pub port: u16,
}

impl Place {
    /// `cameras`: lines of `[[camera]]` tables.
    pub fn new(told: &Told, cameras: &str) -> Place {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let rings = tempfile::tempdir_in("/dev/shm").unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        std::fs::create_dir(dir.path().join("storage")).unwrap();
        let config = dir.path().join("hindsight.toml");
        let text = format!(
            "[venue]\nname = \"Test\"\ntimezone = \"America/Sao_Paulo\"\n[storage]\npath = \"{}\"\n[ring]\ndir = \"{}\"\nseconds = {}\n\
             max_bitrate = \"4M\"\n[highlight]\npre = \"{}\"\npost = \"{}\"\n[http]\nlisten = \"127.0.0.1:{port}\"\n{}\n{cameras}",
            dir.path().join("storage").display(),
            rings.path().display(),
            told.ring_seconds,
            told.pre,
            told.post,
            told.more,
        );
        std::fs::write(&config, text).unwrap();
        Place {
            dir,
            _rings: rings,
            config,
            port,
        }
    }

    pub fn storage(&self) -> PathBuf {
        self.dir.path().join("storage")
    }

    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hindsight"));
        command.arg(name).arg("--config").arg(&self.config);
        // What is said to the tests is no configuration.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HINDSIGHT_") {
                command.env_remove(name);
            }
        }
        command
    }

    pub fn start(&self) -> Service {
        self.start_with(&[])
    }

    /// With more arguments.
    pub fn start_with(&self, arguments: &[&str]) -> Service {
        let mut child = self
            .command("run")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            listen(child.stdout.take().unwrap(), said.clone()),
            listen(child.stderr.take().unwrap(), said.clone()),
        ];
        Service {
            child,
            base: format!("http://127.0.0.1:{}", self.port),
            said,
            readers,
        }
    }

    /// Every fault that `hindsight verify` finds, as it prints them; empty: none.
    pub fn verify(&self) -> String {
        let out = Command::new(env!("CARGO_BIN_EXE_hindsight"))
            .arg("verify")
            .arg(self.storage())
            .output()
            .unwrap();
        if out.status.success() {
            return String::new();
        }
        format!(
            "{}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        )
    }

    /// The clip of a press and a camera, if it is there.
    pub fn clip(&self, press_id: &str, camera: &str) -> Option<PathBuf> {
        let days = std::fs::read_dir(self.storage().join("highlights")).ok()?;
        days.map(|day| {
            day.unwrap()
                .path()
                .join(press_id)
                .join(format!("{camera}.mp4"))
        })
        .find(|path| path.exists())
    }
}

fn listen(
    pipe: impl std::io::Read + Send + 'static,
    said: Arc<Mutex<Vec<String>>>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            said.lock().unwrap().push(line);
        }
    })
}

/// A running service; killed when dropped.
pub struct Service {
    child: Child,
    base: String,
    said: Arc<Mutex<Vec<String>>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Service {
    pub fn get(&self, path: &str) -> Option<Value> {
        let mut answer = ureq::get(format!("{}{path}", self.base)).call().ok()?;
        answer.body_mut().read_json().ok()
    }

    /// Waits until `wanted` holds of `/status`.
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.get("/status")
                && wanted(&status)
            {
                return status;
            }
            if let Some(code) = self.child.try_wait().unwrap() {
                panic!("the service ended ({code}) before {what}:\n{}", self.said());
            }
            assert!(
                Instant::now() < limit,
                "no {what}: {:?}\n{}",
                self.get("/status"),
                self.said()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until each camera's ring holds `seconds`.
    pub fn wait_until_held(&mut self, cameras: &[&str], seconds: f64) {
        let held = |status: &Value, camera: &str| {
            let buffers = status["buffers"].as_array().unwrap();
            buffers.iter().any(|b| {
                b["camera_id"] == camera && b["seconds_held"].as_f64().is_some_and(|s| s >= seconds)
            })
        };
        self.wait_for("full enough rings", |status| {
            cameras.iter().all(|c| held(status, c))
        });
    }

    /// `POST /save-clip`: the status code and the answer.
    pub fn press(&self, wish: &Value, wait: bool) -> (u16, Value) {
        let query = if wait { "?wait=true" } else { "" };
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let mut answer = agent
            .post(format!("{}/save-clip{query}", self.base))
            .send_json(wish)
            .unwrap();
        let status = answer.status().as_u16();
        (status, answer.body_mut().read_json().unwrap_or(json!(null)))
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// SIGTERM, and its exit code when it has ended.
    pub fn stop(mut self) -> Option<i32> {
        self.signal(Signal::SIGTERM);
        self.wait_for_end()
    }

    pub fn wait_for_end(&mut self) -> Option<i32> {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                for reader in self.readers.drain(..) {
                    let _ = reader.join();
                }
                return status.code();
            }
            assert!(
                Instant::now() < limit,
                "the service does not end:\n{}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// All it printed and logged so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A `[[camera]]` table.
pub fn camera(id: &str, url: &str, more: &str) -> String {
    format!("[[camera]]\nid = \"{id}\"\nname = \"{id}\"\nurl = \"{url}\"\n{more}\n")
}
