//! A small server: files by their path, and servers that misbehave.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is answered.
#[derive(Clone)]
pub enum Answer {
    /// All of it, with its length.
    File(Vec<u8>),
    /// All of it, without saying how much that is.
    Unmeasured(Vec<u8>),
    /// Says that it has all, sends the first so many bytes and hangs up.
    Broken(Vec<u8>, usize),
    /// Sends the first so many bytes and falls silent.
    Silent(Vec<u8>, usize),
    /// Sends this head, then a byte now and then, without end.
    Drops(&'static str),
    Redirect(String),
    Status(&'static str),
}

pub struct Server {
    pub address: String,
    pub answers: Arc<Mutex<HashMap<String, Answer>>>,
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// With TLS where there is a configuration for it.
    pub fn start(tls: Option<Arc<rustls::ServerConfig>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            address: listener.local_addr().unwrap().to_string(),
            answers: Arc::default(),
            asked: Arc::default(),
        };
        let (answers, asked) = (server.answers.clone(), server.asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answers, asked, tls) = (answers.clone(), asked.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None => serve(stream, &answers, &asked),
                    Some(config) => {
                        let talk = rustls::ServerConnection::new(config).unwrap();
                        serve(rustls::StreamOwned::new(talk, stream), &answers, &asked);
                    }
                });
            }
        });
        server
    }

    pub fn has(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn serve(
    stream: impl Read + Write,
    answers: &Mutex<HashMap<String, Answer>>,
    asked: &Mutex<Vec<String>>,
) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    if stream.read_line(&mut line).is_err() || line.is_empty() {
        return;
    }
    let mut header = String::new();
    while stream.read_line(&mut header).is_ok_and(|n| n > 2) {
        header.clear();
    }
    let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
    let path = path.split('?').next().unwrap().to_owned();
    asked.lock().unwrap().push(path.clone());
    let answer = answers.lock().unwrap().get(&path).cloned();
    // Who hangs up early has seen enough.
    let _ = send(
        stream.get_mut(),
        answer.unwrap_or(Answer::Status("404 Not Found")),
    );
}

fn send(out: &mut impl Write, answer: Answer) -> std::io::Result<()> {
    let head = |out: &mut dyn Write, status: &str, more: &str| {
        write!(out, "HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n")
    };
    let length = |bytes: &[u8]| format!("Content-Length: {}\r\n", bytes.len());
    match answer {
        Answer::File(bytes) => {
            head(out, "200 OK", &length(&bytes))?;
            out.write_all(&bytes)?;
        }
        Answer::Unmeasured(bytes) => {
            head(out, "200 OK", "")?;
            out.write_all(&bytes)?;
        }
        Answer::Broken(bytes, sent) => {
            head(out, "200 OK", &length(&bytes))?;
            out.write_all(&bytes[..sent])?;
        }
        Answer::Silent(bytes, sent) => {
            head(out, "200 OK", &length(&bytes))?;
            out.write_all(&bytes[..sent])?;
            out.flush()?;
            std::thread::sleep(Duration::from_secs(120));
        }
        Answer::Drops(head) => {
            write!(out, "HTTP/1.1 {head}")?;
            loop {
                out.write_all(b"u")?;
                out.flush()?;
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Answer::Redirect(to) => {
            head(
                out,
                "302 Found",
                &format!("Location: {to}\r\nContent-Length: 0\r\n"),
            )?;
        }
        Answer::Status(status) => head(out, status, "Content-Length: 0\r\n")?,
    }
    out.flush()
}

/// Nobody listens there.
pub fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
