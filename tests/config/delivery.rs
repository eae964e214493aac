//! Marks, queue, uploads: what is written arrives; logos are looked at.

use hindsight::config::{Corner, Encoder, Never, SignedUrlFields, TargetKind};

use super::*;

/// A grey PNG.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    let pixels = vec![7; usize::try_from(width * height).unwrap()];
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    bytes
}

/// The same with another width and height in its header, and no right checksum.
fn sized(mut bytes: Vec<u8>, width: u32, height: u32) -> Vec<u8> {
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    bytes
}

fn with_logo(bytes: &[u8]) -> Desk {
    let desk = Desk::new();
    let file = desk.path("logo.png");
    fs::write(&file, bytes).unwrap();
    desk.toml(&format!("{CAMERA}[[logo]]\nfile = {file:?}\n"))
}

#[test]
fn a_logo_that_cannot_be_drawn_is_told_at_the_start() {
    let good = png(300, 100);
    assert_eq!(with_logo(&good).says(), "fine");
    let mut flipped = good.clone();
    let middle = flipped.len() - 20;
    flipped[middle] ^= 0xff;
    for (bytes, said) in [
        (
            vec![],
            "is no PNG; save the logo as PNG, with a transparent background",
        ),
        (
            b"GIF89a".repeat(20),
            "is no PNG; save the logo as PNG, with a transparent background",
        ),
        (
            good[..20].to_vec(),
            "is no PNG; save the logo as PNG, with a transparent background",
        ),
        (
            sized(good.clone(), 0, 100),
            "is 0 x 100 pixels; a logo needs some",
        ),
        (
            sized(good.clone(), 300, 0),
            "is 300 x 0 pixels; a logo needs some",
        ),
        (
            sized(good.clone(), 8193, 10),
            "is 8193 x 10 pixels; save it smaller, 8192 a side at most and 1000 is plenty",
        ),
        (
            good.iter().copied().chain(vec![0; 20_000_000]).collect(),
            "has 21 MB; save it smaller, 20 MB at most and 1 MB is plenty",
        ),
    ] {
        let wanted = format!("venue.toml:5: [[logo]] file = \"logo.png\" {said}");
        assert_eq!(with_logo(&bytes).says(), wanted);
    }
    for damaged in [
        &good[..good.len() / 2],
        &flipped,
        &sized(good.clone(), 301, 100),
    ] {
        let said = with_logo(damaged).says();
        let begin = "venue.toml:5: [[logo]] file = \"logo.png\" is damaged (";
        assert!(said.starts_with(begin), "{said}");
        assert!(said.ends_with("); save or copy it anew"), "{said}");
    }
}

#[test]
fn marks_and_the_queue_arrive() {
    let desk = Desk::new();
    let file = desk.path("logo.png");
    fs::write(&file, png(3, 2)).unwrap();
    let desk = desk.toml(&format!(
        "{CAMERA}[[logo]]\nfile = {file:?}\ncorner = \"center\"\nrel_width = 1\nmargin = 0\nopacity = 1.0\n\
         [[logo]]\nfile = {file:?}\n\
         [finish]\ntext = \"{{venue}} {{court}} {{time}}\"\ntext_corner = \"top-right\"\nvertical = true\n\
         crf = 20\npreset = \"fast\"\nencoder = \"h264_v4l2m2m\"\nffmpeg = \"/opt/ffmpeg\"\njobs = 2\n\
         [queue]\nmax_attempts = 5\nkeep = \"30d\"\nkeep_raw = false\n\
         [upload]\nmax_rate = \"5M\"\nwindow = \"22:00-06:30\"\n"
    ));
    assert_eq!(desk.says(), "fine");
    let config = desk.config();
    let (finish, queue) = (&config.finish, &config.queue);
    let [first, second] = &finish.logos[..] else {
        panic!("{:?}", finish.logos);
    };
    assert_eq!((first.corner, first.margin_px), (Corner::Center, 0));
    assert_eq!((first.rel_width, first.opacity), (1.0, 1.0));
    assert_eq!((second.corner, second.margin_px), (Corner::BottomRight, 24));
    assert_eq!((second.rel_width, second.opacity), (0.2, 0.6));
    let text = finish.text.as_ref().unwrap();
    assert_eq!(text.template, "{venue} {court} {time}");
    assert_eq!(text.corner, Corner::TopRight);
    assert!(finish.vertical && finish.marks());
    assert_eq!((finish.crf, finish.preset.as_deref()), (20, Some("fast")));
    assert_eq!((finish.encoder, finish.jobs), (Encoder::V4l2m2m, 2));
    assert_eq!(finish.ffmpeg, Path::new("/opt/ffmpeg"));
    assert_eq!((queue.max_attempts, queue.keep_raw), (5, false));
    assert_eq!(queue.keep_ms, Some(30 * 86_400_000));
    assert_eq!(queue.keep_uploaded_ms, 7 * 86_400_000);
    assert_eq!(config.upload.max_rate_bps, Some(5_000_000));
    let window = config.upload.window.unwrap();
    assert_eq!((window.from_min, window.to_min), (1320, 390));
}

const TARGETS: &str = "[[target]]\nid = \"nas\"\nkind = \"folder\"\npath = \"/mnt/nas\"\n\
    [[target]]\nid = \"cloud\"\nkind = \"s3\"\nendpoint = \"https://s3.example.com\"\nbucket = \"arena\"\n\
    access_key_id = \"AKIA\"\n\
    [[target]]\nid = \"backend\"\nkind = \"signed-url\"\nurl = \"https://api.example.com\"\n\
    device_id = \"box\"\nclient_id = \"arena\"\n";

/// The three targets, with their secrets from the environment.
fn three_targets() -> Desk {
    Desk::new()
        .toml(&format!("{CAMERA}{TARGETS}"))
        .env("HINDSIGHT_TARGET_CLOUD_SECRET_ACCESS_KEY", "canary-one")
        .env("HINDSIGHT_TARGET_BACKEND_SECRET", "canary-two")
}

#[test]
fn targets_need_little_and_the_rest_is_as_documented() {
    let desk = three_targets();
    assert_eq!(desk.says(), "fine");
    let config = desk.config();
    let ids: Vec<&str> = config
        .targets
        .iter()
        .map(|target| target.id.as_str())
        .collect();
    assert_eq!(ids, ["nas", "cloud", "backend"]);
    let kinds: Vec<&TargetKind> = config.targets.iter().map(|target| &target.kind).collect();
    let [
        TargetKind::Folder(nas),
        TargetKind::S3(cloud),
        TargetKind::SignedUrl(backend),
    ] = kinds[..]
    else {
        panic!("{kinds:?}");
    };
    assert_eq!(nas.path, Path::new("/mnt/nas"));
    assert_eq!(nas.key.as_str(), "{venue}/{date}/{press}-{camera}.mp4");
    assert_eq!(
        (cloud.key.as_str(), cloud.region.as_str()),
        (nas.key.as_str(), "us-east-1")
    );
    assert_eq!(cloud.endpoint.as_str(), "https://s3.example.com/");
    assert!(cloud.path_style);
    assert_eq!(
        cloud.cache_control.as_deref(),
        Some("max-age=31536000, immutable")
    );
    assert_eq!(
        (&cloud.storage_class, &cloud.encryption, &cloud.kms_key),
        (&None, &None, &None)
    );
    assert_eq!(cloud.secret_access_key.reveal(), "canary-one");
    assert_eq!(backend.secret.reveal(), "canary-two");
    assert_eq!(backend.register_path, "/api/v1/videos");
    assert_eq!(backend.finalize_path, "/api/v1/videos/{id}/finalize");
    assert_eq!(backend.fields, SignedUrlFields::default());
    assert_eq!(backend.fields.upload_url, "upload_url");
    let outside = Never {
        status: 403,
        word: Some("outside_allowed_window".to_owned()),
    };
    assert_eq!(backend.never, [outside]);
}

#[test]
fn all_of_a_target_arrives() {
    let config = three_targets()
        .env("HINDSIGHT_TARGET_CLOUD_REGION", "eu-central-1")
        .env(
            "HINDSIGHT_TARGET_CLOUD_KEY",
            "{court}/{time}-{press}-{camera}.mp4",
        )
        .env("HINDSIGHT_TARGET_CLOUD_PATH_STYLE", "false")
        .env("HINDSIGHT_TARGET_CLOUD_ENCRYPTION", "aws:kms")
        .env("HINDSIGHT_TARGET_CLOUD_KMS_KEY", "alias/x")
        .env("HINDSIGHT_TARGET_CLOUD_CACHE_CONTROL", "")
        .env("HINDSIGHT_TARGET_CLOUD_STORAGE_CLASS", "STANDARD_IA")
        .set("target.backend.never=403 closed, 410")
        .set("target.backend.fields=upload_url=data.url,size_bytes=bytes")
        .set("target.backend.finalize_path=/done/{id}")
        .config();
    let [_, cloud, backend] = &config.targets[..] else {
        panic!("{:?}", config.targets);
    };
    let (TargetKind::S3(cloud), TargetKind::SignedUrl(backend)) = (&cloud.kind, &backend.kind)
    else {
        panic!("{cloud:?} {backend:?}");
    };
    assert_eq!(cloud.region, "eu-central-1");
    assert_eq!(cloud.key.as_str(), "{court}/{time}-{press}-{camera}.mp4");
    assert!(!cloud.path_style);
    assert_eq!(cloud.encryption.as_deref(), Some("aws:kms"));
    assert_eq!(cloud.kms_key.as_deref(), Some("alias/x"));
    assert_eq!(cloud.cache_control, None);
    assert_eq!(cloud.storage_class.as_deref(), Some("STANDARD_IA"));
    assert_eq!(backend.finalize_path, "/done/{id}");
    assert_eq!(backend.fields.upload_url, "data.url");
    assert_eq!(backend.fields.size_bytes, "bytes");
    assert_eq!(backend.fields.sha256, "sha256");
    let words: Vec<_> = backend
        .never
        .iter()
        .map(|never| (never.status, never.word.as_deref()))
        .collect();
    assert_eq!(words, [(403, Some("closed")), (410, None)]);
}

#[test]
fn a_targets_secret_comes_from_file_or_systemd_and_is_never_told() {
    let desk = Desk::new();
    let file = desk.write("secret", "canary-one\n");
    let dir = desk.path("credentials");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("target.backend.secret"), "canary-two\n").unwrap();
    let desk = desk
        .toml(&format!("{CAMERA}{TARGETS}"))
        .env(
            "HINDSIGHT_TARGET_CLOUD_SECRET_ACCESS_KEY_FILE",
            file.to_str().unwrap(),
        )
        .env("CREDENTIALS_DIRECTORY", dir.to_str().unwrap());
    assert_eq!(desk.says(), "fine");
    let config = desk.config();
    let secrets: Vec<&str> = config
        .targets
        .iter()
        .filter_map(|target| match &target.kind {
            TargetKind::Folder(_) => None,
            TargetKind::S3(s3) => Some(s3.secret_access_key.reveal()),
            TargetKind::SignedUrl(backend) => Some(backend.secret.reveal()),
        })
        .collect();
    assert_eq!(secrets, ["canary-one", "canary-two"]);
    chmod(&file, 0o644);
    assert_eq!(
        desk.says(),
        "warning: environment: HINDSIGHT_TARGET_CLOUD_SECRET_ACCESS_KEY_FILE = \"secret\" may be read by \
         everybody on this machine; chmod o-r it"
    );
}

#[test]
fn a_certificate_authority_that_is_none_is_told() {
    let desk = three_targets();
    let file = desk.write("ca.pem", "canary");
    let desk = desk.env("HINDSIGHT_TARGET_CLOUD_CA_FILE", file.to_str().unwrap());
    assert_eq!(
        desk.says(),
        "environment: HINDSIGHT_TARGET_CLOUD_CA_FILE = \"ca.pem\" holds no certificate; it must be PEM, \
         with BEGIN CERTIFICATE"
    );
}
