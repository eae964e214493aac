//! What cameras cost: CPU, memory, and how many two cores hold.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hindsight::base::{BootId, CameraId, RealClock, Stop};
use hindsight::config::{
    Camera as CameraConfig, CameraSound, IngestSettings, Reconnect, RingSettings, Transport,
};
use hindsight::demo::{DemoCamera, Footage, Script, StartAt};
use hindsight::ingest;

use crate::Row;
use crate::clip::footage_file;
use crate::process::{
    Running, Spent, cpu_s, family_rss_anon_mb, median, role, spent_in, work_dir, write_bytes,
};

const FPS: u32 = 25;
const ROUNDS: usize = 3;
const SPAN: Duration = Duration::from_secs(12);
const LONG_SPAN: Duration = Duration::from_secs(60);

/// The roles in which this program starts itself.
pub fn play(name: &str, arguments: &[String]) {
    match name {
        "sender" => sender(),
        "floor" => floor(&arguments[0], arguments[1].parse().unwrap()),
        "ingest" => ingest_only(&arguments[0], arguments[1].parse().unwrap(), &arguments[2]),
        other => panic!("no such role: {other}"),
    }
}

/// A camera of real footage for any number of clients; prints its URL.
fn sender() {
    let camera = DemoCamera::start(Script {
        footage: Footage::from_mp4(&footage_file()).unwrap(),
        keep_log: false,
        audio: false,
        // Real cameras' key frames do not all come at once.
        start_at: StartAt::EachPlay,
        ..Script::default()
    })
    .unwrap();
    println!("{}", camera.url());
    let _ = std::io::stdout().flush();
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// The least that can be done with `count` streams, as one would write it with
/// tokio: all on one thread, each with a buffer of 64 KiB of its own; when the
/// socket is readable, one read, and the bytes are thrown away.
fn floor(url: &str, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..count)
            .map(|_| {
                let socket = open_stream(url);
                tokio::spawn(async move {
                    let socket = tokio::net::TcpStream::from_std(socket).unwrap();
                    let mut buffer = vec![0; 65536];
                    loop {
                        socket.readable().await.unwrap();
                        match socket.try_read(&mut buffer) {
                            Ok(0) => break,
                            Ok(_) => {}
                            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                            Err(_) => break,
                        }
                    }
                })
            })
            .collect();
        println!("ready");
        for task in tasks {
            let _ = task.await;
        }
    });
}

/// A bare RTSP conversation up to PLAY over one TCP connection.
fn open_stream(url: &str) -> TcpStream {
    let address = url.trim_start_matches("rtsp://").split('/').next().unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    let mut ask = |line: String, more: &str| {
        write!(socket, "{line} RTSP/1.0\r\n{more}\r\n").unwrap();
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            socket.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        let text = String::from_utf8_lossy(&answer).into_owned();
        let header = |name: &str| {
            text.lines()
                .find_map(|l| {
                    l.split_once(':')
                        .filter(|(k, _)| k.eq_ignore_ascii_case(name))
                })
                .map(|(_, v)| v.trim().to_owned())
        };
        let length = header("content-length")
            .and_then(|v| v.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        socket.read_exact(&mut body).unwrap();
        (
            header("session"),
            header("content-base"),
            String::from_utf8_lossy(&body).into_owned(),
        )
    };
    let (_, base, sdp) = ask(
        format!("DESCRIBE {url}"),
        "CSeq: 1\r\nAccept: application/sdp\r\n",
    );
    let base = base.unwrap_or_else(|| format!("{url}/"));
    let control = sdp
        .split("m=video")
        .nth(1)
        .and_then(|v| v.lines().find_map(|l| l.strip_prefix("a=control:")))
        .unwrap()
        .to_owned();
    let track = if control.starts_with("rtsp://") {
        control
    } else {
        format!("{base}{control}")
    };
    let (session, _, _) = ask(
        format!("SETUP {track}"),
        "CSeq: 2\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n",
    );
    let session = session.unwrap();
    let session = session.split(';').next().unwrap();
    ask(
        format!("PLAY {url}"),
        &format!("CSeq: 3\r\nSession: {session}\r\n"),
    );
    socket.set_nonblocking(true).unwrap();
    socket
}

fn camera_config(id: String, url: &str) -> CameraConfig {
    CameraConfig {
        id: CameraId::new(&id).unwrap(),
        name: id,
        court: String::new(),
        url: url.parse().unwrap(),
        credentials: None,
        transport: Transport::Tcp,
        sound: CameraSound::Auto,
        latency_ms: 0,
    }
}

/// Ingest alone, with rings of 5 s. Answers each line on standard input with
/// what it has received so far.
fn ingest_only(url: &str, count: usize, ring_dir: &str) {
    let cameras = (0..count)
        .map(|n| camera_config(format!("c{n}"), url))
        .collect();
    let settings = ingest::Settings {
        cameras,
        ring: RingSettings {
            dir: PathBuf::from(ring_dir),
            seconds: 5,
            max_bitrate_bps: 5_000_000,
        },
        reconnect: Reconnect {
            initial_ms: 1000,
            max_ms: 30_000,
            max_attempts: None,
        },
        window_ms: 0,
        boot_id: BootId::of_this_boot().unwrap(),
    };
    // As the service has it by default.
    let processes = ingest::ReaderProcesses {
        program: PathBuf::from(env!("CARGO_BIN_EXE_hindsight")),
        count: IngestSettings::default().processes,
        memory_bytes: IngestSettings::default().memory_bytes,
    };
    let running = ingest::start_in_processes(
        settings,
        processes,
        Arc::new(RealClock),
        Stop::default(),
        ingest::Limits::default(),
    )
    .unwrap();
    loop {
        let states = running.states();
        let sum = |f: fn(&ingest::CameraState) -> u64| states.iter().map(f).sum::<u64>();
        let streaming = states
            .iter()
            .filter(|s| s.state == ingest::ConnectionPhase::Streaming)
            .count();
        println!(
            "{streaming} {} {} {} {}",
            sum(|s| s.access_units),
            sum(|s| s.lost_packets),
            sum(|s| s.connections),
            sum(|s| s.too_large_access_units)
        );
        let _ = std::io::stdout().flush();
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// The camera, and its URL.
fn start_sender() -> (Running, String) {
    // Made once, and by this process: the sender's output is read.
    footage_file();
    let mut running = role("sender", &[]);
    let mut line = String::new();
    BufReader::new(running.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (running, line.trim().to_owned())
}

/// `hindsight run` with `count` cameras, when all of them stream.
struct Service {
    running: Running,
    dir: PathBuf,
    ring_dir: PathBuf,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.running.0.kill();
        let _ = self.running.0.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
        let _ = std::fs::remove_dir_all(&self.ring_dir);
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn start_service(count: usize, url: &str) -> Service {
    let dir = work_dir().join(format!("service-{count}"));
    let ring_dir = PathBuf::from(format!(
        "/dev/shm/hindsight-bench-{}-{count}",
        std::process::id()
    ));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(dir.join("storage")).unwrap();
    std::fs::create_dir_all(&ring_dir).unwrap();
    let port = free_port();
    let mut text = format!(
        "[venue]\nname = \"Bench\"\ntimezone = \"UTC\"\n[storage]\npath = \"{}\"\n[ring]\ndir = \"{}\"\nseconds = 20\n\
         max_bitrate = \"5M\"\n[highlight]\npre = \"3s\"\npost = \"1s\"\n[http]\nlisten = \"127.0.0.1:{port}\"\n",
        dir.join("storage").display(),
        ring_dir.display()
    );
    for n in 0..count {
        text += &format!("[[camera]]\nid = \"c{n}\"\nname = \"c{n}\"\nurl = \"{url}\"\n");
    }
    let config = dir.join("hindsight.toml");
    std::fs::write(&config, text).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_hindsight"))
        .arg("run")
        .arg("--config")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starting the service");
    let service = Service {
        running: Running(child),
        dir,
        ring_dir,
    };
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        assert!(
            Instant::now() < deadline,
            "not all cameras came to streaming"
        );
        std::thread::sleep(Duration::from_millis(300));
        let Ok(mut answer) = ureq::get(format!("http://127.0.0.1:{port}/status")).call() else {
            continue;
        };
        let Ok(status) = answer.body_mut().read_json::<serde_json::Value>() else {
            continue;
        };
        let streaming = status["captures"]
            .to_string()
            .matches("\"streaming\"")
            .count();
        if streaming >= count {
            return service;
        }
    }
}

fn row(what: &str, value: String, measured: String, must: &'static str, aim: &'static str) -> Row {
    Row {
        what: what.to_owned(),
        value,
        measured,
        must,
        aim,
    }
}

/// FFmpeg as the predecessors ran it: a file a second, nothing decoded.
fn start_segmenter(url: &str, segments: &Path) -> Running {
    std::fs::create_dir_all(segments).unwrap();
    let ffmpeg = Command::new("ffmpeg")
        .args(["-y", "-v", "error", "-rtsp_transport", "tcp", "-i", url])
        .args(["-c", "copy", "-f", "segment"])
        .args(["-segment_time", "1", "-segment_wrap", "60"])
        .arg(segments.join("%03d.ts"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the bench needs ffmpeg");
    Running(ffmpeg)
}

/// One camera of real footage: CPU against FFmpeg's segmenter on the same
/// camera at the same time; memory; bytes written.
pub fn one() -> Vec<Row> {
    const PARTS: u32 = 6;
    let (_sender, url) = start_sender();
    let service = start_service(1, &url);
    let segments = work_dir().join("segments");
    let ffmpeg = start_segmenter(&url, &segments);
    std::thread::sleep(Duration::from_secs(5));
    let pids = [service.running.pid(), ffmpeg.pid()];
    let written = write_bytes(pids[0]);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..PARTS {
        let [a, b] = spent_in(pids, LONG_SPAN / PARTS);
        ours.push(a);
        theirs.push(b);
    }
    let written = write_bytes(pids[0]) - written;
    let memory = family_rss_anon_mb(pids[0]);
    let last = std::fs::metadata(segments.join("030.ts"));
    assert!(
        last.is_ok_and(|of| of.len() > 100_000),
        "FFmpeg wrote nothing"
    );
    drop(ffmpeg);
    let _ = std::fs::remove_dir_all(&segments);
    let span = LONG_SPAN / PARTS;
    vec![
        cpu_row(
            "CPU a camera-minute, 1 camera, against ffmpeg -c copy -f segment",
            (&ours, &theirs, span, 1),
            "≤ 0.6×",
            "≤ 0.45×",
        ),
        row(
            "RssAnon of all processes, 1 camera, no press",
            format!("{memory:.1} MB"),
            String::new(),
            "≤ 20.3 MB",
            "≤ 10.1 MB",
        ),
        row(
            "write_bytes in 60 s with no press",
            written.to_string(),
            String::new(),
            "0",
            "0",
        ),
    ]
}

/// CPU of both sides for a camera and a minute, as medians of the rounds.
fn cpu_row(
    what: &str,
    (ours, theirs, span, cameras): (&[Spent], &[Spent], Duration, usize),
    must: &'static str,
    aim: &'static str,
) -> Row {
    let of =
        |rounds: &[Spent], f: fn(&Spent) -> f64| median(&rounds.iter().map(f).collect::<Vec<_>>());
    let minute = |s: &[Spent]| of(s, |s| s.cpu_s) * 60.0 / span.as_secs_f64() / cameras as f64;
    let waits = |s: &[Spent]| of(s, |s| s.waits_a_second);
    let measured = format!(
        "{:.4} s against {:.4} s, {:.0} and {:.0} waits a second ({} rounds)",
        minute(ours),
        minute(theirs),
        waits(ours),
        waits(theirs),
        ours.len()
    );
    let value = format!("{:.2}×", minute(ours) / minute(theirs));
    row(what, value, measured, must, aim)
}

/// A hundred cameras, the whole service, against reading the sockets and
/// throwing the bytes away: in turns, on the same camera.
pub fn hundred() -> Vec<Row> {
    const COUNT: usize = 100;
    let (_sender, url) = start_sender();
    let (mut ours, mut theirs, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let service = start_service(COUNT, &url);
        std::thread::sleep(Duration::from_secs(3));
        ours.extend(spent_in([service.running.pid()], SPAN));
        memory.push(family_rss_anon_mb(service.running.pid()));
        drop(service);
        let mut floor = role("floor", &[url.clone(), COUNT.to_string()]);
        let mut line = String::new();
        BufReader::new(floor.0.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        std::thread::sleep(Duration::from_secs(3));
        theirs.extend(spent_in([floor.pid()], SPAN));
    }
    vec![
        cpu_row(
            "the same at 100 cameras, against reading the sockets (tokio, 64 KiB, one thread)",
            (&ours, &theirs, SPAN, COUNT),
            "≤ 2.5×",
            "≤ 1.5×",
        ),
        row(
            "RssAnon of all processes, 100 cameras, no press",
            format!("{:.1} MB", median(&memory)),
            String::new(),
            "≤ 50 MB",
            "≤ 20 MB",
        ),
    ]
}

/// How many cameras two cores hold for a minute without a lost access unit.
pub fn most() -> Vec<Row> {
    let mut best = row(
        "cameras of 4 Mbps held for 60 s, no AU lost",
        "0".to_owned(),
        String::new(),
        "≥ 200",
        "≥ 400",
    );
    for count in [200, 400, 500] {
        let Some(measured) = hold(count) else { break };
        best.value = count.to_string();
        best.measured = measured;
    }
    vec![best]
}

/// What it cost, if all of them were held.
fn hold(count: usize) -> Option<String> {
    let (sender, url) = start_sender();
    let ring_dir = PathBuf::from(format!(
        "/dev/shm/hindsight-bench-most-{}",
        std::process::id()
    ));
    std::fs::create_dir_all(&ring_dir).unwrap();
    let mut child = role(
        "ingest",
        &[url, count.to_string(), ring_dir.display().to_string()],
    );
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut counts = move || -> Vec<u64> {
        let line = lines.next().unwrap().unwrap();
        line.split(' ').map(|n| n.parse().unwrap()).collect()
    };
    let deadline = Instant::now() + Duration::from_secs(90);
    let all = u64::try_from(count).unwrap();
    while counts()[0] < all {
        if Instant::now() > deadline {
            let _ = std::fs::remove_dir_all(&ring_dir);
            return None;
        }
    }
    for _ in 0..6 {
        counts(); // settle
    }
    let before = counts();
    let started = Instant::now();
    let (ours, theirs) = (cpu_s(child.pid()), cpu_s(sender.pid()));
    let mut after = counts();
    while started.elapsed() < LONG_SPAN {
        after = counts();
    }
    let seconds = started.elapsed().as_secs_f64();
    let (ours, theirs) = (cpu_s(child.pid()) - ours, cpu_s(sender.pid()) - theirs);
    drop(child);
    let _ = std::fs::remove_dir_all(&ring_dir);
    let came = (after[1] - before[1]) as f64;
    let due = seconds * f64::from(FPS) * count as f64;
    let quiet =
        after[2] == before[2] && after[3] == before[3] && after[4] == before[4] && after[0] == all;
    println!(
        "{count} cameras: {came:.0} of {due:.0} AUs, {} packets lost, {} new connections; ours {:.0} %, sender {:.0} % of one core",
        after[2] - before[2],
        after[3] - before[3],
        ours / seconds * 100.0,
        theirs / seconds * 100.0
    );
    // The count is read at most half a second late, and a camera joins at a key frame.
    (quiet && came >= due - 1.5 * f64::from(FPS) * count as f64).then(|| {
        format!(
            "{:.0} % of one core, the sender {:.0} %; {came:.0} AUs",
            ours / seconds * 100.0,
            theirs / seconds * 100.0
        )
    })
}
