//! A real S3 server in a process of its own (`tests/s3_server`), built when first wanted.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

pub const KEY_ID: &str = "KEYIDCANARY7";
pub const SECRET: &str = "SECRETCANARY9";
pub const BUCKET: &str = "clips";

/// Ends when this is dropped.
pub struct S3 {
    child: Child,
    folder: tempfile::TempDir,
    /// `127.0.0.1:port`
    pub address: String,
}

impl S3 {
    /// With an empty bucket. `None` where the server cannot be built; that is said.
    pub fn start() -> Option<S3> {
        let program = program()?;
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut child = Command::new(program)
            .arg(folder.path())
            .args([KEY_ID, SECRET])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let said = child.stdout.take().unwrap();
        BufReader::new(said).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().to_owned();
        Some(S3 {
            child,
            folder,
            address,
        })
    }

    pub fn object(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(key)
    }

    /// Files of uploads in parts that were neither completed nor aborted.
    pub fn open_parts(&self) -> usize {
        let names = std::fs::read_dir(self.folder.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(".part-")).count()
    }

    /// Forgets what has begun, as a server does after some days.
    pub fn forget_uploads(&self) {
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = PROGRAM.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = root.join("target/s3_server");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--manifest-path"])
            .arg(root.join("tests/s3_server/Cargo.toml"))
            .env("CARGO_TARGET_DIR", &target)
            .env_remove("RUSTFLAGS")
            .status();
        let built = status.is_ok_and(|status| status.success());
        if !built {
            eprintln!(
                "SKIPPED: tests/s3_server cannot be built here; nothing is uploaded to an S3 server"
            );
        }
        built.then(|| target.join("debug/s3_server"))
    });
    built.as_deref()
}
