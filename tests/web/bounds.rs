//! What strangers cannot do: use up the service, or keep a press waiting.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use crate::house::{Answer, Fake, Gate, PRESS_ID, Running, start, start_with};

const SHORT: Duration = Duration::from_millis(300);

fn press(running: &Running) -> u16 {
    running
        .send("POST /save-clip HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .status
}

/// Reads until the other side closes (or resets); panics if it does not.
fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut some = [0; 65536];
    loop {
        match stream.read(&mut some) {
            Ok(0) => return all,
            Ok(n) => all.extend_from_slice(&some[..n]),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return all,
            Err(e) => panic!("it was not closed: {e}"),
        }
    }
}

#[test]
fn headers_that_do_not_end_are_cut_off() {
    let running = start_with(Fake::default(), |s| s.limits.headers = SHORT);
    let mut idle = running.connect();
    let mut slow = running.connect();
    slow.write_all(b"POST /save-clip HTTP/1.1\r\nhost: loc")
        .unwrap();
    let mut kept = running.connect();
    kept.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    assert_eq!(Answer::read(&mut kept, false).status, 200);
    for stream in [&mut idle, &mut slow, &mut kept] {
        until_closed(stream);
    }
    assert_eq!(press(&running), 200);
}

#[test]
fn a_drip_of_headers_does_not_keep_a_connection() {
    let running = start_with(Fake::default(), |s| s.limits.headers = SHORT);
    let mut slow = running.connect();
    let mut writer = slow.try_clone().unwrap();
    let dripping = std::thread::spawn(move || {
        let _ = writer.write_all(b"GET /health HTTP/1.1\r\n");
        // Until the server has had enough of it; each byte resets no clock.
        while writer.write_all(b"a: b\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    until_closed(&mut slow);
    drop(slow);
    dripping.join().unwrap();
}

#[test]
fn too_many_and_too_large_headers_are_refused() {
    let running = start(Fake::default());
    let many: String = (0..100).map(|n| format!("x-{n}: y\r\n")).collect();
    let large = format!("x: {}\r\n", "y".repeat(40_000));
    let uri = "a".repeat(40_000);
    for request in [
        format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"),
        format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{large}\r\n"),
        format!("GET /{uri} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
    ] {
        let mut stream = running.connect();
        // The server may hang up before it has read all of it.
        let _ = stream.write_all(request.as_bytes());
        let said = String::from_utf8_lossy(&until_closed(&mut stream)).into_owned();
        let refused = said.is_empty() || said.starts_with("HTTP/1.1 4");
        assert!(refused, "{said}");
    }
    assert_eq!(press(&running), 200);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let running = start_with(Fake::default(), |s| s.limits.body = SHORT);
    let answer = running.send(
        "POST /save-clip HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{",
    );
    assert_eq!(answer.status, 408);
    assert!(running.fake.pressed().is_empty());
}

#[test]
fn idle_connections_without_number_leave_room_for_a_press() {
    let running = start_with(Fake::default(), |s| s.limits.connections = 8);
    let idle: Vec<TcpStream> = (0..200).map(|_| running.connect()).collect();
    for _ in 0..20 {
        assert_eq!(press(&running), 200);
    }
    drop(idle);
}

const TOKEN: &str = "a-token-of-the-venue";

/// Eight places, two of a guest's address; 127.0.0.1 is this machine, and its other addresses are guests'.
fn start_among_guests(fake: Fake) -> Running {
    start_with(fake, |s| {
        s.token = Some(hindsight::config::Secret::new(TOKEN));
        s.limits.connections = 8;
        s.limits.per_origin = 2;
        s.limits.body = Duration::from_secs(600);
        s.limits.this_machine = |address| address == std::net::Ipv4Addr::LOCALHOST;
    })
}

fn connect_from(running: &Running, source: [u8; 4]) -> TcpStream {
    use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrStorage};
    let SocketAddr::V4(server) = running.addr else {
        panic!("an IPv4 server")
    };
    let socket = socket::socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    );
    let socket = socket.unwrap();
    let source = SockaddrStorage::from(SocketAddr::from((source, 0)));
    socket::bind(socket.as_raw_fd(), &source).unwrap();
    socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(server)).unwrap();
    let stream = TcpStream::from(socket);
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

/// A guest's request whose body does not come: it stays at work, or is turned away. `Some`: at work.
fn hang(running: &Running, source: [u8; 4]) -> Option<TcpStream> {
    let mut stream = connect_from(running, source);
    let request = "POST /api/session HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                   content-length: 9\r\nexpect: 100-continue\r\n\r\n";
    // One that is turned away may be hung up on before it has said all.
    let _ = stream.write_all(request.as_bytes());
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    match &status {
        b"HTTP/1.1 100" => Some(stream),
        b"HTTP/1.1 503" => None,
        other => panic!("{}", String::from_utf8_lossy(other)),
    }
}

fn press_with_token(stream: &mut TcpStream) -> u16 {
    let request = format!(
        "POST /save-clip HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    Answer::read(stream, false).status
}

#[test]
fn a_guest_with_many_connections_leaves_places_for_other_guests() {
    let running = start_among_guests(Fake::default());
    let hung: Vec<_> = (0..20)
        .filter_map(|_| hang(&running, [127, 0, 0, 2]))
        .collect();
    assert_eq!(hung.len(), 2);
    assert!(hang(&running, [127, 0, 0, 3]).is_some(), "another guest");
    assert_eq!(
        press_with_token(&mut connect_from(&running, [127, 0, 0, 2])),
        200,
        "of that address, too"
    );
}

#[test]
fn guests_from_everywhere_whose_requests_do_not_end_lose_no_press() {
    let running = start_among_guests(Fake::default());
    let hung: Vec<_> = (0..40)
        .filter_map(|n| hang(&running, [127, 0, 1, n]))
        .collect();
    assert_eq!(hung.len(), 6, "the other two are kept");
    for n in 0..10 {
        let mut venue = connect_from(&running, [127, 0, 0, 9]);
        assert_eq!(press_with_token(&mut venue), 200, "press {n}");
        assert_eq!(
            press_with_token(&mut running.connect()),
            200,
            "press {n} of this machine"
        );
    }
    assert_eq!(running.fake.pressed().len(), 20);
}

#[test]
fn guests_who_say_nothing_do_not_hang_up_on_who_showed_a_token() {
    let running = start_among_guests(Fake::default());
    let mut venue = connect_from(&running, [127, 0, 0, 9]);
    assert_eq!(press_with_token(&mut venue), 200);
    let idle: Vec<TcpStream> = (0..40)
        .map(|n| connect_from(&running, [127, 0, 1, n]))
        .collect();
    // The service has come to the last of them.
    let mut last = connect_from(&running, [127, 0, 2, 1]);
    last.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    assert_eq!(Answer::read(&mut last, false).status, 200);
    assert_eq!(
        press_with_token(&mut venue),
        200,
        "on the connection that it had"
    );
    drop(idle);
}

#[test]
fn health_is_told_however_many_are_at_work() {
    let running = start_among_guests(Fake::default());
    let hung: Vec<_> = (0..40)
        .filter_map(|n| hang(&running, [127, 0, 1, n]))
        .collect();
    for n in 0..20 {
        let mut guest = connect_from(&running, [127, 0, 2, n]);
        guest
            .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .unwrap();
        assert_eq!(Answer::read(&mut guest, false).status, 200);
    }
    drop(hung);
}

#[test]
fn when_all_connections_are_at_work_the_next_is_told_so_and_they_go_on() {
    let gate = Arc::new(Gate::default());
    let fake = Fake {
        press_gate: Some(gate.clone()),
        ..Fake::default()
    };
    let running = start_with(fake, |s| s.limits.connections = 4);
    let request = b"POST /save-clip HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut working: Vec<TcpStream> = (0..4).map(|_| running.connect()).collect();
    for stream in &mut working {
        stream.write_all(request).unwrap();
    }
    gate.wait_for(4);
    let mut turned_away = running.connect();
    let answer = Answer::read(&mut turned_away, false);
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["success"], false);
    gate.open();
    for stream in &mut working {
        assert_eq!(Answer::read(stream, false).status, 200);
    }
}

#[test]
fn those_who_wait_take_turns_and_do_not_keep_others_from_pressing() {
    let gate = Arc::new(Gate::default());
    let running = start(Fake {
        wait_gate: Some(gate.clone()),
        ..Fake::default()
    });
    let request = b"POST /save-clip?wait=true HTTP/1.1\r\nhost: localhost\r\n\r\n";
    // More than may wait at once.
    let mut waiting: Vec<TcpStream> = (0..30).map(|_| running.connect()).collect();
    for stream in &mut waiting {
        stream.write_all(request).unwrap();
    }
    // Each had a turn, and some a second.
    gate.wait_for(40);
    assert_eq!(press(&running), 200);
    gate.open();
    for stream in &mut waiting {
        assert_eq!(Answer::read(stream, false).status, 200);
    }
    assert_eq!(running.fake.pressed().len(), 31);
}

#[test]
fn a_disk_that_hangs_keeps_neither_health_nor_the_other_presses_answers() {
    let gate = Arc::new(Gate::default());
    let fake = Fake {
        press_gate: Some(gate.clone()),
        ..Fake::default()
    };
    let running = start_with(fake, |s| s.limits.press = SHORT);
    let answer = running.send("POST /save-clip HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("disk does not answer"), "{answer:?}");
    let health = running.send("GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(health.status, 200);
    gate.open();
}

#[test]
fn a_press_counts_from_its_headers_not_from_a_slow_body() {
    // The fake's clock stands at 77 ns.
    let running = start(Fake::default());
    let mut slow = running.connect();
    slow.write_all(b"POST /save-clip HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n")
        .unwrap();
    // Another press on another connection: the server has read the headers above by then.
    assert_eq!(press(&running), 200);
    running.clock.advance_ns(1_000_000);
    slow.write_all(b"{}").unwrap();
    assert_eq!(Answer::read(&mut slow, false).status, 200);
    let instants: Vec<u64> = running
        .fake
        .pressed()
        .iter()
        .map(|p| p.instant_mono_ns)
        .collect();
    assert_eq!(instants, [77, 77]);
}

#[test]
fn a_client_that_takes_nothing_of_a_clip_is_let_go() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("2026-11-21").join(PRESS_ID);
    std::fs::create_dir_all(&folder).unwrap();
    let clip = std::fs::File::create(folder.join("court1.mp4")).unwrap();
    clip.set_len(200_000_000).unwrap();
    let gate = Arc::new(Gate::default());
    let fake = Fake {
        press_gate: Some(gate.clone()),
        ..Fake::default()
    };
    let running = start_with(fake, |s| {
        s.highlights = place.path().to_owned();
        s.limits.stalled = SHORT;
        s.limits.connections = 3;
    });
    let request = format!(
        "GET /highlights/2026-11-21/{PRESS_ID}/court1.mp4 HTTP/1.1\r\nhost: localhost\r\n\r\n"
    );
    let mut stuck: Vec<TcpStream> = (0..3).map(|_| running.connect()).collect();
    for stream in &mut stuck {
        stream.write_all(request.as_bytes()).unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
    }
    // Three presses that stay at work need all places: those of the stuck ones.
    let mut pressing = Vec::new();
    for count in 1..=3 {
        pressing.push(press_until_let_in(&running, &gate, count));
    }
    for stream in &mut stuck {
        assert!(until_closed(stream).len() < 200_000_000);
    }
    gate.open();
    for stream in &mut pressing {
        assert_eq!(Answer::read(stream, false).status, 200);
    }
}

/// Presses again and again until one is not turned away; returns when it is the
/// `count`th that stands before the gate.
fn press_until_let_in(running: &Running, gate: &Gate, count: usize) -> TcpStream {
    let limit = std::time::Instant::now() + crate::house::PATIENCE;
    loop {
        let mut stream = running.connect();
        stream
            .write_all(b"POST /save-clip HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .unwrap();
        stream.set_nonblocking(true).unwrap();
        loop {
            if gate.count() >= count {
                stream.set_nonblocking(false).unwrap();
                return stream;
            }
            assert!(
                std::time::Instant::now() < limit,
                "the stuck are still there"
            );
            std::thread::sleep(Duration::from_millis(10));
            match stream.peek(&mut [0]) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                _ => break,
            }
        }
    }
}
