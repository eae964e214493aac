//! Uploads in parts as large servers keep them: each part is checked against its checksum when
//! it comes and written where it will lie, so that completing one gives it its name and copies
//! nothing. Whatever is not asked for in parts, `s3s-fs` does.
//!
//! `s3s-fs` alone takes parts without looking at their checksums, names none of the whole, and
//! reads and writes every byte again when an upload is completed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use s3s::crypto::{Checksum, Crc32, Md5};
use s3s::dto::*;
use s3s::{Body, S3, S3Error, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufWriter};

/// Where what is not complete lies, below the root.
pub const FOLDER: &str = ".uploads";
/// Pages are short, so that clients have to turn them.
const PAGE: usize = 2;
const LEAST_PART_BYTES: u64 = 5 << 20;

pub struct Parts {
    plain: FileSystem,
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    begun: u64,
    uploads: BTreeMap<String, Upload>,
    /// What HEAD says of objects that came in parts, by bucket and key.
    whole: HashMap<(String, String), Sums>,
}

struct Upload {
    about: CreateMultipartUploadInput,
    /// Length of the first part that came; all but the last are taken to be as long.
    step: Option<u64>,
    /// Parts whose place in the whole is taken, by whoever came first.
    placed: BTreeSet<i32>,
    parts: BTreeMap<i32, Held>,
    files: u64,
}

#[derive(Clone)]
struct Held {
    path: PathBuf,
    offset: u64,
    len: u64,
    md5: [u8; 16],
    crc32: [u8; 4],
}

#[derive(Clone)]
struct Sums {
    etag: String,
    crc32: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: [u8; 4]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let all = u64::from(u32::from_be_bytes(bytes)) << 4;
    let digit = |n: u32| char::from(DIGITS[usize::try_from(all >> (6 * n) & 63).unwrap_or(0)]);
    let text: String = (0..6).rev().map(digit).collect();
    text + "=="
}

fn internal(error: std::io::Error) -> S3Error {
    S3Error::internal_error(error)
}

impl Held {
    fn etag(&self) -> ETag {
        ETag::Strong(hex(&self.md5))
    }
}

impl Parts {
    pub fn new(root: &Path) -> Result<Parts, String> {
        let plain = FileSystem::new(root).map_err(|error| format!("{error:?}"))?;
        Ok(Parts {
            plain,
            root: root.to_owned(),
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.root.join(FOLDER).join(id)
    }

    /// The upload, if it was begun and its folder is still there (tests remove it to make the
    /// server forget).
    fn with<T>(&self, id: &str, look: impl FnOnce(&mut Upload) -> T) -> S3Result<T> {
        let mut state = self.state();
        if !self.folder(id).is_dir() {
            state.uploads.remove(id);
        }
        let upload = state.uploads.get_mut(id);
        upload.map(look).ok_or_else(|| s3_error!(NoSuchUpload))
    }

    /// Where a part is written to: its place in the whole, or a file of its own where that is
    /// taken or unknown.
    fn place(&self, id: &str, number: i32, len: u64) -> S3Result<(PathBuf, u64)> {
        let folder = self.folder(id);
        self.with(id, |upload| {
            let step = *upload.step.get_or_insert(len);
            if len <= step && upload.placed.insert(number) {
                let before = u64::try_from(number - 1).unwrap_or(0);
                return (folder.join("whole"), before * step);
            }
            upload.files += 1;
            (folder.join(format!("own-{}", upload.files)), 0)
        })
    }

    fn forget(&self, id: &str) {
        self.state().uploads.remove(id);
        // A part that still comes in finds nothing to write to.
        let _ = std::fs::remove_dir_all(self.folder(id));
    }

    /// The parts that a completion names, in order; an error where they are not what is held.
    fn wanted(upload: &Upload, named: &[CompletedPart]) -> S3Result<Vec<Held>> {
        let mut wanted = Vec::new();
        let mut before = 0;
        for (at, part) in named.iter().enumerate() {
            let number = part.part_number.unwrap_or(0);
            let Some(held) = upload.parts.get(&number) else {
                return Err(s3_error!(InvalidPart));
            };
            let tag = part.e_tag.as_ref().map(ETag::value);
            let sum = part.checksum_crc32.as_ref();
            if tag != Some(&hex(&held.md5)) || sum.is_some_and(|sum| *sum != base64(held.crc32)) {
                return Err(s3_error!(InvalidPart));
            }
            if number <= before {
                return Err(s3_error!(InvalidPartOrder));
            }
            if at + 1 < named.len() && held.len < LEAST_PART_BYTES {
                return Err(s3_error!(EntityTooSmall));
            }
            before = number;
            wanted.push(held.clone());
        }
        match wanted.is_empty() {
            true => Err(s3_error!(MalformedXML)),
            false => Ok(wanted),
        }
    }
}

/// All parts in one file: where they lie one behind the other, that is it.
async fn joined(folder: &Path, parts: &[Held]) -> std::io::Result<PathBuf> {
    let whole = folder.join("whole");
    let mut end = 0;
    let in_place = parts.iter().all(|part| {
        let fits = part.path == whole && part.offset == end;
        end += part.len;
        fits
    });
    if in_place {
        OpenOptions::new()
            .write(true)
            .open(&whole)
            .await?
            .set_len(end)
            .await?;
        return Ok(whole);
    }
    let path = folder.join("joined");
    let mut out = File::create(&path).await?;
    for part in parts {
        let mut file = File::open(&part.path).await?;
        file.seek(SeekFrom::Start(part.offset)).await?;
        tokio::io::copy(&mut file.take(part.len), &mut out).await?;
    }
    out.flush().await?;
    Ok(path)
}

fn sums(parts: &[Held]) -> Sums {
    let (mut md5, mut crc32) = (Md5::new(), Crc32::new());
    for part in parts {
        md5.update(&part.md5);
        crc32.update(&part.crc32);
    }
    let count = parts.len();
    Sums {
        etag: format!("{}-{count}", hex(md5.finalize().as_ref())),
        crc32: format!("{}-{count}", base64(crc32.finalize())),
    }
}

/// An empty object with what was said of it when the upload began: `s3s-fs` keeps that.
fn empty(about: CreateMultipartUploadInput) -> PutObjectInput {
    PutObjectInput {
        body: Some(StreamingBlob::from(Body::empty())),
        bucket: about.bucket,
        key: about.key,
        metadata: about.metadata,
        content_type: about.content_type,
        content_disposition: about.content_disposition,
        cache_control: about.cache_control,
        ..PutObjectInput::default()
    }
}

#[async_trait::async_trait]
impl S3 for Parts {
    async fn put_object(
        &self,
        req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let name = (req.input.bucket.clone(), req.input.key.clone());
        let done = self.plain.put_object(req).await?;
        self.state().whole.remove(&name);
        Ok(done)
    }

    async fn get_object(
        &self,
        req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        self.plain.get_object(req).await
    }

    async fn head_object(
        &self,
        req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let name = (req.input.bucket.clone(), req.input.key.clone());
        let mut answer = self.plain.head_object(req).await?;
        if let Some(sums) = self.state().whole.get(&name) {
            answer.output.e_tag = Some(ETag::Strong(sums.etag.clone()));
            answer.output.checksum_crc32 = Some(sums.crc32.clone());
        }
        Ok(answer)
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.plain.list_objects_v2(req).await
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let about = req.input;
        let id = {
            let mut state = self.state();
            state.begun += 1;
            format!("upload-{}", state.begun)
        };
        fs::create_dir_all(self.folder(&id))
            .await
            .map_err(internal)?;
        let output = CreateMultipartUploadOutput {
            bucket: Some(about.bucket.clone()),
            key: Some(about.key.clone()),
            upload_id: Some(id.clone()),
            ..Default::default()
        };
        let upload = Upload {
            about,
            step: None,
            placed: BTreeSet::new(),
            parts: BTreeMap::new(),
            files: 0,
        };
        self.state().uploads.insert(id, upload);
        Ok(S3Response::new(output))
    }

    async fn upload_part(
        &self,
        req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = req.input;
        let len = input.content_length.and_then(|len| u64::try_from(len).ok());
        let len = len.ok_or_else(|| s3_error!(MissingContentLength))?;
        let mut body = input.body.ok_or_else(|| s3_error!(IncompleteBody))?;
        let (number, id) = (input.part_number, input.upload_id);
        let (path, offset) = self.place(&id, number, len)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let mut file = options.open(&path).await.map_err(internal)?;
        file.seek(SeekFrom::Start(offset)).await.map_err(internal)?;
        let mut out = BufWriter::new(file);
        let (mut md5, mut crc32) = (Md5::new(), Crc32::new());
        let mut came = 0;
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|_| s3_error!(IncompleteBody))?;
            md5.update(&piece);
            crc32.update(&piece);
            came += piece.len() as u64;
            out.write_all(&piece).await.map_err(internal)?;
        }
        out.flush().await.map_err(internal)?;
        if came != len {
            return Err(s3_error!(IncompleteBody));
        }
        let (md5, crc32) = (md5.finalize(), crc32.finalize());
        if input.checksum_crc32.is_some_and(|sum| sum != base64(crc32)) {
            return Err(s3_error!(BadDigest));
        }
        let held = Held {
            path,
            offset,
            len,
            md5,
            crc32,
        };
        let etag = held.etag();
        let sign = self.folder(&id).join(format!("part-{number}"));
        fs::write(sign, "")
            .await
            .map_err(|_| s3_error!(NoSuchUpload))?;
        self.with(&id, |upload| upload.parts.insert(number, held))?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(etag),
            checksum_crc32: Some(base64(crc32)),
            ..Default::default()
        }))
    }

    async fn list_parts(
        &self,
        req: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let input = req.input;
        let after = input.part_number_marker.unwrap_or(0);
        let behind = |upload: &mut Upload| {
            let parts = upload.parts.iter().filter(|(number, _)| **number > after);
            let part = |(number, held): (&i32, &Held)| Part {
                part_number: Some(*number),
                size: i64::try_from(held.len).ok(),
                e_tag: Some(held.etag()),
                checksum_crc32: Some(base64(held.crc32)),
                ..Default::default()
            };
            parts.map(part).collect::<Vec<_>>()
        };
        let mut parts = self.with(&input.upload_id, behind)?;
        let more = parts.len() > PAGE;
        parts.truncate(PAGE);
        let last = parts.last().and_then(|part| part.part_number);
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            is_truncated: Some(more),
            next_part_number_marker: last.filter(|_| more),
            parts: Some(parts),
            ..Default::default()
        }))
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = req.input;
        let prefix = input.prefix.clone().unwrap_or_default();
        let state = self.state();
        let these = state.uploads.iter().filter(|(_, upload)| {
            upload.about.bucket == input.bucket && upload.about.key.starts_with(&prefix)
        });
        let uploads = these.map(|(id, upload)| MultipartUpload {
            key: Some(upload.about.key.clone()),
            upload_id: Some(id.clone()),
            ..Default::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket.clone()),
            prefix: input.prefix,
            is_truncated: Some(false),
            uploads: Some(uploads.collect()),
            ..Default::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = &req.input;
        let id = input.upload_id.clone();
        let named = input
            .multipart_upload
            .as_ref()
            .and_then(|all| all.parts.clone());
        let named = named.unwrap_or_default();
        let look = |upload: &mut Upload| {
            let parts = Parts::wanted(upload, &named)?;
            Ok::<_, S3Error>((parts, upload.about.clone()))
        };
        let (parts, about) = self.with(&id, look)??;
        let whole = joined(&self.folder(&id), &parts).await.map_err(internal)?;
        let object = self.root.join(&about.bucket).join(&about.key);
        let (bucket, key) = (about.bucket.clone(), about.key.clone());
        self.plain
            .put_object(req.map_input(|_| empty(about)))
            .await?;
        fs::rename(whole, object).await.map_err(internal)?;
        let sums = sums(&parts);
        self.state()
            .whole
            .insert((bucket.clone(), key.clone()), sums.clone());
        self.forget(&id);
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            e_tag: Some(ETag::Strong(sums.etag)),
            checksum_crc32: Some(sums.crc32),
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.with(&req.input.upload_id, |_| ())?;
        self.forget(&req.input.upload_id);
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}
