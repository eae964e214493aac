//! An update's file, and whether it is to be believed.
//!
//! First the signature over all of it, then the header. Nothing of it is unpacked here.
//!
//! Not here: fetching (`fetch`), whether it fits this box (`install`), unpacking (`unpack`).

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use minisign_verify::{Error as SignError, PublicKey, Signature};

use super::error::UpdateError;
use super::header::{Header, LONGEST};

/// Ends the name of the signature.
pub const SIGNATURE: &str = ".minisig";
/// A signature of minisign is four lines.
pub const SIGNATURE_BYTES: u64 = 16 << 10;

/// An update that lies on this box; nothing of it is proved.
pub struct Image {
    /// As it was named: a path or an address.
    pub from: String,
    pub file: fs::File,
    pub len: u64,
    /// The text of its signature.
    pub signature: String,
}

/// An update whose signature holds.
#[derive(Debug)]
pub struct Proved {
    pub header: Header,
    /// Where the packed bytes begin.
    pub body_at: u64,
}

impl Image {
    /// A file, with its signature beside it.
    pub fn open(path: &Path) -> Result<Image, UpdateError> {
        let from = path.display().to_string();
        let no_file = |error: io::Error| UpdateError::NoFile {
            from: from.clone(),
            why: match error.kind() {
                io::ErrorKind::NotFound => "there is no such file".to_owned(),
                _ => error.to_string(),
            },
        };
        let file = fs::File::open(path).map_err(no_file)?;
        let facts = file.metadata().map_err(no_file)?;
        if !facts.is_file() {
            return Err(no_file(io::Error::other(
                "is no file; name the .hsu itself",
            )));
        }
        let beside = format!("{from}{SIGNATURE}");
        let mut name = path.as_os_str().to_owned();
        name.push(SIGNATURE);
        let signature = signature_of(Path::new(&name)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => UpdateError::NoSignature {
                from: from.clone(),
                signature: beside.clone(),
            },
            _ => UpdateError::BadSignature {
                signature: beside.clone(),
                why: error.to_string(),
            },
        })?;
        let len = facts.len();
        Ok(Image {
            from,
            file,
            len,
            signature,
        })
    }

    /// Whether it was signed with the key in the file `key`, and begins with a header. Reads all of it;
    /// `tell` hears how many bytes it has read.
    pub fn prove(&self, key: &Path, tell: &mut dyn FnMut(u64)) -> Result<Proved, UpdateError> {
        let public = public_key(key)?;
        let bad = |why: String| UpdateError::BadSignature {
            signature: format!("{}{SIGNATURE}", self.from),
            why,
        };
        let signature = Signature::decode(&self.signature).map_err(|e| bad(words(&e)))?;
        let from = || self.from.clone();
        let mut verifier = public
            .verify_stream(&signature)
            .map_err(|error| match error {
                SignError::UnexpectedKeyId => UpdateError::OtherKey {
                    from: from(),
                    key: key.to_owned(),
                },
                SignError::UnsupportedLegacyMode => UpdateError::OldSignature { from: from() },
                other => bad(words(&other)),
            })?;
        let mut beginning = Vec::new();
        let mut buffer = vec![0; 256 << 10];
        let mut at = 0;
        while at < self.len {
            let n = usize::try_from(self.len - at).unwrap_or(usize::MAX);
            let n = n.min(buffer.len());
            self.read(&mut buffer[..n], at)?;
            verifier.update(&buffer[..n]);
            let more = LONGEST.saturating_sub(beginning.len()).min(n);
            beginning.extend_from_slice(&buffer[..more]);
            at += n as u64;
            tell(at);
        }
        if verifier.finalize().is_err() {
            return Err(UpdateError::WrongSignature {
                from: self.from.clone(),
                len: self.len,
            });
        }
        let (header, body_at) = Header::of(&beginning).map_err(|why| UpdateError::NotAnUpdate {
            from: self.from.clone(),
            why,
        })?;
        Ok(Proved { header, body_at })
    }

    fn read(&self, into: &mut [u8], at: u64) -> Result<(), UpdateError> {
        let read = self.file.read_exact_at(into, at);
        read.map_err(UpdateError::io("reading", Path::new(&self.from)))
    }
}

fn signature_of(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > SIGNATURE_BYTES {
        return Err(io::Error::other("it is far too long"));
    }
    fs::read_to_string(path)
}

/// Two lines as minisign writes them, or the second alone.
fn public_key(path: &Path) -> Result<PublicKey, UpdateError> {
    let bad = |why: String| UpdateError::BadKey {
        key: path.to_owned(),
        why,
    };
    let text = fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => UpdateError::NoKey {
            key: path.to_owned(),
        },
        _ => bad(error.to_string()),
    })?;
    let text = text.trim();
    let key = match text.contains('\n') {
        true => PublicKey::decode(text),
        false => PublicKey::from_base64(text),
    };
    key.map_err(|error| bad(words(&error)))
}

fn words(error: &SignError) -> String {
    match error {
        SignError::UnsupportedAlgorithm => "of a kind that is not known here".to_owned(),
        _ => "it is damaged or something else".to_owned(),
    }
}
