//! A real S3 server in a process of its own (`tests/s3_server`), built when first wanted.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

pub const KEY_ID: &str = "KEYIDCANARY7";
pub const SECRET: &str = "SECRETCANARY9";
pub const BUCKET: &str = "clips";

/// How it keeps what comes in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Each where it belongs, its checksum proved, as large servers do.
    InPlace,
    /// As `s3s-fs` does: proves no part, knows no checksum of the whole, tells of no upload that
    /// was begun, and copies all parts together in the end.
    Copied,
}

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
        S3::keeping(Keeps::InPlace)
    }

    pub fn keeping(how: Keeps) -> Option<S3> {
        let program = program(&[])?;
        Some(S3::run(
            &program,
            how,
            Path::new(env!("CARGO_TARGET_TMPDIR")),
        ))
    }

    /// Optimised, and on a folder of that file system.
    pub fn fast(how: Keeps, below: &Path) -> Option<S3> {
        let program = program(&["--release"])?;
        Some(S3::run(&program, how, below))
    }

    fn run(program: &Path, how: Keeps, below: &Path) -> S3 {
        let folder = tempfile::tempdir_in(below).unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut child = Command::new(program)
            .arg(folder.path())
            .args([KEY_ID, SECRET])
            .args((how == Keeps::Copied).then_some("plain"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let said = child.stdout.take().unwrap();
        BufReader::new(said).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().to_owned();
        S3 {
            child,
            folder,
            address,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn object(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(key)
    }

    /// What it keeps besides objects: what was said of them when they came.
    pub fn attributes(&self) -> String {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        let files = files.map(|entry| entry.unwrap().path());
        let kept = files.filter(|path| path.to_string_lossy().ends_with(".metadata.json"));
        let texts = kept.map(|path| std::fs::read_to_string(path).unwrap());
        texts.collect::<Vec<_>>().join("\n")
    }

    /// Uploads in parts that were neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        let in_place = names(&self.folder.path().join(".uploads")).len();
        let copied = |name: &String| name.starts_with(".upload-") && name.ends_with(".json");
        in_place
            + names(self.folder.path())
                .iter()
                .filter(|n| copied(n))
                .count()
    }

    /// Files of uploads in parts that were neither completed nor aborted.
    pub fn open_parts(&self) -> usize {
        let uploads = self.folder.path().join(".uploads");
        let mut all = names(self.folder.path());
        for upload in names(&uploads) {
            let parts = names(&uploads.join(upload)).into_iter();
            all.extend(
                parts
                    .filter(|name| name.starts_with("part-"))
                    .map(|n| format!(".{n}")),
            );
        }
        all.iter().filter(|name| name.contains(".part-")).count()
    }

    /// Removes all objects.
    pub fn empty(&self) {
        let bucket = self.folder.path().join(BUCKET);
        std::fs::remove_dir_all(&bucket).unwrap();
        std::fs::create_dir(&bucket).unwrap();
    }

    /// Forgets what has begun, as a server does after some days.
    pub fn forget_uploads(&self) {
        let _ = std::fs::remove_dir_all(self.folder.path().join(".uploads"));
        for name in names(self.folder.path()) {
            let path = self.folder.path().join(name);
            if path.is_file() {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

/// None where the folder is missing.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server, built as `tests/run` builds it.
fn program(how: &'static [&'static str]) -> Option<PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = root.join("target/s3_server");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--manifest-path"])
            .arg(root.join("tests/s3_server/Cargo.toml"))
            .args(how)
            .env("CARGO_TARGET_DIR", &target)
            .env_remove("RUSTFLAGS")
            // Set by `tests/timed` for the tests' own harness. Build scripts look at it: with it,
            // nearly everything would be built once more.
            .env_remove("RUSTC_BOOTSTRAP")
            .status();
        let built = status.is_ok_and(|status| status.success());
        if !built {
            eprintln!(
                "SKIPPED: tests/s3_server cannot be built here; nothing is uploaded to an S3 server"
            );
        }
        built.then_some(target)
    });
    let folder = if how.is_empty() { "debug" } else { "release" };
    Some(built.as_ref()?.join(folder).join("s3_server"))
}
