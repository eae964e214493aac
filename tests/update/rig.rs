//! A box: a folder with the two files and two slots, and whoever signs its updates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hindsight::disk::Disk;
use hindsight::update::install::{InstalledUpdate, UpdateRules};
use hindsight::update::{Image, Layout, Slot, SlotState, UpdateError, Updater};
use minisign::KeyPair;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use semver::Version;
use sha2::{Digest, Sha256};

pub const ARCH: &str = "arm64";

/// A slot's bytes: compressible in part, nowhere alike, another for each `seed`.
pub fn system(seed: u64, len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = Vec::with_capacity(len + 64);
    while bytes.len() < len {
        let word = random.u64(..).to_le_bytes();
        bytes.extend(word.repeat(random.usize(1..9)));
    }
    bytes.truncate(len);
    bytes
}

/// Whoever makes updates.
pub struct Maker {
    keys: KeyPair,
}

impl Maker {
    pub fn new() -> Maker {
        Maker {
            keys: KeyPair::generate_unencrypted_keypair().unwrap(),
        }
    }

    pub fn public(&self) -> String {
        self.keys.pk.to_box().unwrap().into_string()
    }

    pub fn sign(&self, bytes: &[u8]) -> String {
        let KeyPair { pk, sk } = &self.keys;
        let signature = minisign::sign(Some(pk), sk, bytes, Some("an update"), None).unwrap();
        signature.into_string()
    }
}

/// What an update says it is.
#[derive(Clone)]
pub struct Says {
    pub version: String,
    pub arch: String,
    pub size: u64,
    pub sha256: String,
}

impl Says {
    /// The truth about `system`.
    pub fn of(system: &[u8]) -> Says {
        Says {
            version: "9.0.0".to_owned(),
            arch: ARCH.to_owned(),
            size: system.len() as u64,
            sha256: hex(&Sha256::digest(system)),
        }
    }

    /// The file's bytes, with `body` behind the header.
    pub fn file(&self, body: &[u8]) -> Vec<u8> {
        let mut bytes = format!(
            "{{\"format\":1,\"version\":\"{}\",\"arch\":\"{}\",\"size\":{},\"sha256\":\"{}\"}}\n",
            self.version, self.arch, self.size, self.sha256
        )
        .into_bytes();
        bytes.extend(body);
        bytes
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn packed(system: &[u8]) -> Vec<u8> {
    compress_to_vec(system, CompressionLevel::Fastest)
}

pub struct Rig {
    pub dir: tempfile::TempDir,
    pub maker: Maker,
    pub layout: Layout,
    /// What the slots hold at first: whole systems.
    pub a: Vec<u8>,
    pub b: Vec<u8>,
}

impl Rig {
    /// `running` runs and is confirmed; slots of `len` bytes.
    pub fn new(running: Slot, len: usize) -> Rig {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let at = |name: &str| dir.path().join(name);
        let maker = Maker::new();
        fs::create_dir(at("boot")).unwrap();
        fs::write(at("update.pub"), maker.public()).unwrap();
        fs::write(at("mounts"), "").unwrap();
        let layout = Layout {
            boot: at("boot"),
            a: at("slot-a"),
            b: at("slot-b"),
            running,
            arch: ARCH.to_owned(),
            lock: at("lock"),
            mounts: at("mounts"),
        };
        let rig = Rig {
            maker,
            layout,
            a: system(1, len),
            b: system(2, len),
            dir,
        };
        rig.restore(SlotState::settled(running));
        rig
    }

    /// Everything as at first, but for what the two files say.
    pub fn restore(&self, state: SlotState) {
        fs::write(&self.layout.a, &self.a).unwrap();
        fs::write(&self.layout.b, &self.b).unwrap();
        self.say(0, &state.encode());
        self.say(1, &state.encode());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn env_file(&self, copy: usize) -> PathBuf {
        self.layout.boot.join(format!("slots-{copy}.env"))
    }

    pub fn say(&self, copy: usize, bytes: &[u8]) {
        fs::write(self.env_file(copy), bytes).unwrap();
    }

    /// Both files say this and nothing else.
    pub fn says(&self) -> SlotState {
        let copies = [0, 1].map(|copy| SlotState::decode(&fs::read(self.env_file(copy)).unwrap()));
        assert_eq!(copies[0], copies[1]);
        copies[0].clone().unwrap()
    }

    /// What the slots and the files hold.
    pub fn all(&self) -> [Vec<u8>; 4] {
        [
            self.layout.a.clone(),
            self.layout.b.clone(),
            self.env_file(0),
            self.env_file(1),
        ]
        .map(|path| fs::read(path).unwrap())
    }

    /// An update under its usual name, with a signature of the maker's.
    pub fn update(&self, bytes: &[u8]) -> PathBuf {
        let path = self.path("hindsight-9.0.0-arm64.hsu");
        fs::write(&path, bytes).unwrap();
        fs::write(signature_of(&path), self.maker.sign(bytes)).unwrap();
        path
    }

    /// One with `system` in it.
    pub fn update_of(&self, system: &[u8]) -> PathBuf {
        self.update(&Says::of(system).file(&packed(system)))
    }

    pub fn rules(&self) -> UpdateRules {
        UpdateRules {
            key: self.path("update.pub"),
            running: Version::new(1, 0, 0),
            allow_older: false,
        }
    }

    pub fn install(&self, update: &Path) -> Result<InstalledUpdate, UpdateError> {
        self.install_on(&Disk::default(), update)
    }

    pub fn install_on(&self, disk: &Disk, update: &Path) -> Result<InstalledUpdate, UpdateError> {
        let begun = Updater::begin(&self.layout, disk)?;
        begun.install(&Image::open(update)?, &self.rules(), &mut |_| {})
    }

    /// The layout as a file, for the program.
    pub fn layout_file(&self) -> PathBuf {
        let at = &self.layout;
        let text = format!(
            "boot = {:?}\na = {:?}\nb = {:?}\nrunning = \"{}\"\narch = {:?}\nlock = {:?}\nmounts = {:?}\n",
            at.boot, at.a, at.b, at.running, at.arch, at.lock, at.mounts
        );
        let path = self.path("layout.toml");
        fs::write(&path, text).unwrap();
        path
    }

    /// `hindsight update` on this box.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hindsight"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HINDSIGHT_") {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null()).arg("update").arg("--layout");
        command.arg(self.layout_file());
        command
    }

    /// The same, with the key of this box's maker.
    pub fn update_command(&self, from: &str) -> Command {
        let mut command = self.command();
        command.arg(from).arg("--key").arg(self.path("update.pub"));
        command
    }
}

pub fn signature_of(update: &Path) -> PathBuf {
    PathBuf::from(format!("{}.minisig", update.display()))
}

/// Exit code, stdout, stderr.
pub fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}
