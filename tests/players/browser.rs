//! Headless Chromium plays a clip; a page of ours reads the numbers out of the
//! frames it presents and sends them home over loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// What the page saw.
#[derive(Debug, serde::Deserialize)]
pub struct Played {
    /// Why it could not play, if it could not.
    pub error: Option<String>,
    /// (media time in seconds, number or -1) of every frame presented, in order.
    pub frames: Vec<(f64, i64)>,
    /// Number in the picture when the end was reached.
    pub last: i64,
    pub duration: f64,
    /// Bytes of sound were decoded.
    pub heard: bool,
}

impl Played {
    /// Numbers presented, each once.
    pub fn numbers(&self) -> Vec<i64> {
        let mut numbers: Vec<i64> = self.frames.iter().map(|(_, number)| *number).collect();
        numbers.push(self.last);
        numbers.dedup();
        numbers
    }
}

const PAGE: &str = r#"<!doctype html><title>clip</title><video id=v muted playsinline></video><script>
const v = document.getElementById('v'), c = document.createElement('canvas');
const frames = [];
function number() {
  const w = c.width = v.videoWidth, h = c.height = v.videoHeight, side = Math.floor(w / 20);
  const g = c.getContext('2d', { willReadFrequently: true });
  g.drawImage(v, 0, 0);
  let n = 0;
  for (let row = 0; row < 2; row++) for (let col = 0; col < 9; col++) {
    const p = g.getImageData((col + 1.5) * side, (row + 1.5) * side, 1, 1).data[1];
    if (p > 80 && p < 176) return -1;
    const bit = p >= 176 ? 1 : 0;
    if (col == 8) { if (bit != 1 - row) return -1; } else n = n * 2 + bit;
  }
  return n;
}
let sent = false;
function send(error) {
  if (sent) return;
  sent = true;
  const last = error ? -1 : number();
  fetch('/result', { method: 'POST', body: JSON.stringify({ error, frames, last, duration: v.duration || 0, heard: v.webkitAudioDecodedByteCount > 0 }) });
}
function each(now, meta) {
  frames.push([meta.mediaTime, number()]);
  v.requestVideoFrameCallback(each);
}
v.requestVideoFrameCallback(each);
v.onerror = () => send('error ' + v.error.code + ': ' + v.error.message);
v.onended = () => setTimeout(() => send(null), 300);
v.onloadeddata = () => setTimeout(() => { v.playbackRate = 0.5; v.play().catch(e => send(String(e))); }, 300);
v.src = '/clip.mp4';
</script>"#;

/// `None`: no Chromium here, and a loud line about it.
pub fn play(clip: &Path) -> Option<Played> {
    if Command::new("chromium").arg("--version").output().is_err() {
        println!(
            "SKIPPED: no chromium here; {} was not played in a browser",
            clip.display()
        );
        return None;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let bytes = std::fs::read(clip).unwrap();
    let (results, result) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (bytes, results) = (bytes.clone(), results.clone());
            std::thread::spawn(move || drop(serve(stream, &bytes, &results)));
        }
    });
    let profile = tempfile::tempdir().unwrap();
    let _browser = Running(
        Command::new("chromium")
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--mute-audio",
                "--no-first-run",
            ])
            .args([
                "--autoplay-policy=no-user-gesture-required",
                "--disable-background-networking",
            ])
            .args(["--disable-dev-shm-usage", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("http://{address}/"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let text = result
        .recv_timeout(Duration::from_secs(120))
        .expect("the page reports within two minutes");
    Some(serde_json::from_str(&text).unwrap())
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Answers one connection: the page, the clip with ranges, the result.
fn serve(mut stream: TcpStream, clip: &[u8], results: &Sender<String>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let request = std::mem::take(&mut line);
        let (mut length, mut from) = (0, None);
        while reader.read_line(&mut line)? > 2 {
            let header = std::mem::take(&mut line).to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if let Some(value) = header.strip_prefix("range: bytes=") {
                from = value
                    .split('-')
                    .next()
                    .and_then(|from| from.parse::<usize>().ok());
            }
        }
        line.clear();
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        if request.starts_with("POST /result") {
            let _ = results.send(String::from_utf8_lossy(&body).into_owned());
            answer(&mut stream, "204 No Content", "text/plain", "", b"")?;
        } else if request.starts_with("GET /clip.mp4") {
            let from = from.unwrap_or(0).min(clip.len());
            let range = format!(
                "Accept-Ranges: bytes\r\nContent-Range: bytes {from}-{}/{}\r\n",
                clip.len().saturating_sub(1),
                clip.len()
            );
            answer(
                &mut stream,
                "206 Partial Content",
                "video/mp4",
                &range,
                &clip[from..],
            )?;
        } else if request.starts_with("GET / ") {
            answer(&mut stream, "200 OK", "text/html", "", PAGE.as_bytes())?;
        } else {
            answer(&mut stream, "404 Not Found", "text/plain", "", b"")?;
        }
    }
    Ok(())
}

fn answer(
    stream: &mut TcpStream,
    status: &str,
    kind: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{headers}\r\n"
    )?;
    stream.write_all(body)
}
