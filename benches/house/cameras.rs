//! What cameras cost: CPU, memory, and how many two cores hold.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hindsight::base::{BootId, CameraId, RealClock, Stop};
use hindsight::config::checked::{Camera as CameraConfig, Reconnect, RingSettings, Transport};
use hindsight::demo::{Camera, Footage, Script, StartAt};
use hindsight::ingest;

use crate::Row;
use crate::process::{Running, cpu_in, cpu_s, median, role, rss_anon_mb, work_dir, write_bytes};

const BITRATE: u64 = 4_000_000;
const FPS: u32 = 25;
const SPAN: Duration = Duration::from_secs(30);
const LONG_SPAN: Duration = Duration::from_secs(60);

/// The roles in which this program starts itself.
pub fn play(name: &str, arguments: &[String]) {
    match name {
        "sender" => sender(arguments[0].parse().unwrap()),
        "floor" => floor(&arguments[0], arguments[1].parse().unwrap()),
        "ingest" => ingest_only(&arguments[0], arguments[1].parse().unwrap(), &arguments[2]),
        other => panic!("no such role: {other}"),
    }
}

/// Serves `threads` cameras of made-up footage, one thread each; prints their URLs.
fn sender(threads: usize) {
    let cameras: Vec<Camera> = (0..threads)
        .map(|_| {
            let script = Script {
                footage: Footage::synthetic(BITRATE, FPS, FPS),
                keep_log: false,
                audio: false,
                // Real cameras' key frames do not all come at once.
                start_at: StartAt::EachPlay,
                ..Script::default()
            };
            Camera::start(script).unwrap()
        })
        .collect();
    for camera in &cameras {
        println!("{}", camera.url());
    }
    let _ = std::io::stdout().flush();
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// The least that can be done with `count` streams: a request, a socket, a buffer.
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
        url: url.parse().unwrap(),
        credentials: None,
        transport: Transport::Tcp,
        latency_ms: 0,
    }
}

/// Ingest alone, with rings of 5 s. Answers each line on standard input with
/// what it has received so far.
fn ingest_only(urls: &str, count: usize, ring_dir: &str) {
    let urls: Vec<&str> = urls.split(',').collect();
    let cameras = (0..count)
        .map(|n| camera_config(format!("c{n}"), urls[n % urls.len()]))
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
    let running = ingest::start(settings, Arc::new(RealClock), Stop::default()).unwrap();
    loop {
        let states = running.states();
        let sum = |f: fn(&ingest::CameraState) -> u64| states.iter().map(f).sum::<u64>();
        let streaming = states
            .iter()
            .filter(|s| s.state == ingest::Phase::Streaming)
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

struct Sender {
    running: Running,
    urls: Vec<String>,
}

fn start_sender(threads: usize) -> Sender {
    let mut running = role("sender", &[threads.to_string()]);
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let urls = (0..threads)
        .map(|_| lines.next().unwrap().unwrap())
        .collect();
    Sender { running, urls }
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
    let child =
        Command::new(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/release/hindsight"))
            .arg("run")
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("target/release/hindsight: run benches/run, which builds it");
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

/// One camera: CPU against FFmpeg's segmenter, memory, bytes written.
pub fn one() -> Vec<Row> {
    let sender = start_sender(1);
    let url = &sender.urls[0];
    let service = start_service(1, url);
    let segments = work_dir().join("segments");
    std::fs::create_dir_all(&segments).unwrap();
    let ffmpeg = Command::new("ffmpeg")
        .args([
            "-y",
            "-v",
            "error",
            "-rtsp_transport",
            "tcp",
            "-i",
            url,
            "-c",
            "copy",
            "-f",
            "segment",
        ])
        .args(["-segment_time", "1", "-segment_wrap", "60"])
        .arg(segments.join("%03d.ts"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the bench needs ffmpeg");
    let ffmpeg = Running(ffmpeg);
    std::thread::sleep(Duration::from_secs(3));
    let written = write_bytes(service.running.pid());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let (a, b) = (cpu_s(service.running.pid()), cpu_s(ffmpeg.pid()));
        std::thread::sleep(LONG_SPAN / 4);
        ours.push((cpu_s(service.running.pid()) - a) * 4.0);
        theirs.push((cpu_s(ffmpeg.pid()) - b) * 4.0);
    }
    let written = write_bytes(service.running.pid()) - written;
    let memory = rss_anon_mb(service.running.pid());
    drop(ffmpeg);
    let _ = std::fs::remove_dir_all(&segments);
    let (ours, theirs) = (median(&ours), median(&theirs));
    vec![
        row(
            "CPU a camera-minute, 1 camera, against ffmpeg -c copy -f segment",
            format!("{:.2}×", ours / theirs),
            format!("{ours:.3} s against {theirs:.3} s"),
            "≤ 0.6×",
            "≤ 0.45×",
        ),
        row(
            "RssAnon, 1 camera, no press",
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

/// A hundred cameras against reading the sockets and throwing the bytes away.
pub fn hundred() -> Vec<Row> {
    const COUNT: usize = 100;
    let sender = start_sender(1);
    let url = &sender.urls[0];
    let service = start_service(COUNT, url);
    std::thread::sleep(Duration::from_secs(3));
    let ours = cpu_in(service.running.pid(), SPAN);
    let memory = rss_anon_mb(service.running.pid());
    drop(service);
    let mut floor = role("floor", &[url.clone(), COUNT.to_string()]);
    let mut line = String::new();
    BufReader::new(floor.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let theirs = cpu_in(floor.pid(), SPAN);
    let minute = |cpu: f64| cpu * 60.0 / SPAN.as_secs_f64() / COUNT as f64;
    vec![
        row(
            "the same at 100 cameras, against throwing the bytes away",
            format!("{:.2}×", ours / theirs),
            format!(
                "{:.4} s against {:.4} s a camera-minute",
                minute(ours),
                minute(theirs)
            ),
            "≤ 2.5×",
            "≤ 1.5×",
        ),
        row(
            "RssAnon, 100 cameras, no press",
            format!("{memory:.1} MB"),
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
    for count in [200, 300, 400, 500] {
        let Some(measured) = hold(count) else { break };
        best.value = count.to_string();
        best.measured = measured;
    }
    vec![best]
}

/// What it cost, if all of them were held.
fn hold(count: usize) -> Option<String> {
    let sender = start_sender(1);
    let ring_dir = PathBuf::from(format!(
        "/dev/shm/hindsight-bench-most-{}",
        std::process::id()
    ));
    std::fs::create_dir_all(&ring_dir).unwrap();
    let urls = sender.urls.join(",");
    let mut child = role(
        "ingest",
        &[urls, count.to_string(), ring_dir.display().to_string()],
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
    let (ours, theirs) = (cpu_s(child.pid()), cpu_s(sender.running.pid()));
    let mut after = counts();
    while started.elapsed() < LONG_SPAN {
        after = counts();
    }
    let seconds = started.elapsed().as_secs_f64();
    let (ours, theirs) = (
        cpu_s(child.pid()) - ours,
        cpu_s(sender.running.pid()) - theirs,
    );
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
