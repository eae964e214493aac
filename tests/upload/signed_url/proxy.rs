//! A TCP proxy that breaks, stalls or slows connections after so many bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

/// What happens once so many bytes went towards the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Reset,
    Stall,
}

pub struct Proxy {
    pub addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    server: SocketAddr,
    /// Bytes that still go through.
    left: AtomicI64,
    then: Mutex<Then>,
    slow: AtomicBool,
    over: AtomicBool,
    struck: AtomicI64,
}

impl Proxy {
    pub fn before(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            server,
            left: AtomicI64::new(i64::MAX),
            then: Mutex::new(Then::Reset),
            slow: AtomicBool::new(false),
            over: AtomicBool::new(false),
            struck: AtomicI64::new(0),
        });
        let accepting = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                for client in listener.incoming() {
                    if shared.over.load(SeqCst) {
                        break;
                    }
                    let shared = Arc::clone(&shared);
                    let client = client.unwrap();
                    std::thread::spawn(move || shared.serve(&client));
                }
            })
        };
        Proxy {
            addr,
            shared,
            accepting: Some(accepting),
        }
    }

    pub fn after(&self, bytes: i64, then: Then) {
        *self.shared.then.lock().unwrap() = then;
        self.shared.left.store(bytes, SeqCst);
    }

    pub fn through(&self) {
        self.shared.left.store(i64::MAX, SeqCst);
    }

    pub fn slow(&self) {
        self.shared.slow.store(true, SeqCst);
    }

    /// How often it did what it was told to.
    pub fn struck(&self) -> i64 {
        self.shared.struck.load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, SeqCst);
        let _ = TcpStream::connect(self.addr);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    fn serve(&self, client: &TcpStream) {
        let Ok(server) = TcpStream::connect(self.server) else {
            return;
        };
        let reset = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _ = std::io::copy(&mut &server, &mut &*client);
                // An orderly end would come before the reset.
                if !reset.load(SeqCst) {
                    let _ = client.shutdown(Shutdown::Write);
                }
            });
            self.forward(client, &server, &reset);
            let _ = server.shutdown(Shutdown::Both);
        });
    }

    fn forward(&self, mut client: &TcpStream, mut server: &TcpStream, reset: &AtomicBool) {
        let mut piece = [0; 4096];
        loop {
            let Ok(got @ 1..) = client.read(&mut piece) else {
                return;
            };
            let size = i64::try_from(got).unwrap();
            let left = self.left.fetch_sub(size, SeqCst);
            let through = usize::try_from(left.clamp(0, size)).unwrap();
            if server.write_all(&piece[..through]).is_err() {
                return;
            }
            if through < got {
                self.struck.fetch_add(1, SeqCst);
                return self.strike(client, reset);
            }
            if self.slow.load(SeqCst) {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }

    fn strike(&self, client: &TcpStream, reset: &AtomicBool) {
        if *self.then.lock().unwrap() == Then::Stall {
            while !self.over.load(SeqCst) && self.left.load(SeqCst) <= 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
            return;
        }
        reset.store(true, SeqCst);
        // Closed with bytes unsent and no time to linger: the other side hears a reset.
        let now = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        setsockopt(client, sockopt::Linger, &now).unwrap();
        let _ = client.shutdown(Shutdown::Read);
    }
}
