//! A connection: reads requests, answers as the camera's manners are, plays.
//!
//! Not here: what RTSP looks like in bytes (`rtsp`), RTP (`play`).

use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::broadcast;

use super::fault::{CameraFault, Manners, RtspStage};
use super::play::{AfterStep, Carried, Play, PlayTracks, Way};
use super::rtsp::{self, Front, RtspRequest};
use super::script::{LoggedRequest, Login, NonceLife, Scheme};
use super::send::write_all;
use super::shared::{ServerShared, now_ns};
use super::stream::{RtpState, scale};
use super::{auth, sdp};
use crate::base::lock;

/// Serves one connection until either side ends it.
pub(super) async fn serve(shared: Arc<ServerShared>, stream: TcpStream, number: u32) {
    // Without it small packets wait for acknowledgements. No more than a pity if refused.
    let _ = stream.set_nodelay(true);
    let mut connection = Connection::new(shared, stream, number);
    match connection.run().await {
        Ok(AfterStep::Freeze) => std::future::pending().await,
        Ok(_) => {}
        Err(error) => {
            log::debug!(target: "hindsight", event = "camera_demo_connection"; "built-in camera: connection {number}: {error}")
        }
    }
}

struct Connection {
    shared: Arc<ServerShared>,
    stream: TcpStream,
    number: u32,
    input: Vec<u8>,
    strikes: broadcast::Receiver<CameraFault>,
    /// Of Digest (its beginning), and the session's name.
    nonce: String,
    /// Requests that were let in, and since when.
    let_in: u32,
    since_ns: u64,
    refused_in_a_row: u32,
    muted: bool,
    tracks: PlayTracks,
    play: Option<Play>,
}

impl Connection {
    fn new(shared: Arc<ServerShared>, stream: TcpStream, number: u32) -> Connection {
        let mut rng =
            fastrand::Rng::with_seed(shared.script.seed.wrapping_mul(1_000) + u64::from(number));
        let mute_after = lock(&shared.state).manners.mute_after;
        Connection {
            strikes: shared.strikes.subscribe(),
            muted: mute_after == Some(RtspStage::Connect),
            nonce: format!("{:016x}", rng.u64(..)),
            let_in: 0,
            since_ns: now_ns(),
            refused_in_a_row: 0,
            input: Vec::new(),
            tracks: [None, None],
            play: None,
            shared,
            stream,
            number,
        }
    }

    async fn run(&mut self) -> io::Result<AfterStep> {
        loop {
            while let Some(request) = self.take_request()? {
                match self.handle(&request).await? {
                    AfterStep::GoOn => {}
                    end => return Ok(end),
                }
            }
            let due = match &mut self.play {
                Some(play) if !self.muted => play.due_mono_ns(&self.tracks),
                _ => None,
            };
            let mut fault = None;
            let mut send = false;
            tokio::select! {
                ready = self.stream.readable() => {
                    ready?;
                    if !self.read()? {
                        return Ok(AfterStep::Close);
                    }
                }
                struck = self.strikes.recv() => fault = struck.ok(),
                () = sleep_until(due) => send = true,
            }
            let Some(play) = &mut self.play else { continue };
            let next = match fault {
                Some(fault) => play.strike(&fault, &self.stream, &mut self.tracks).await?,
                None if send => play.send_due(&self.stream, &mut self.tracks).await?,
                None => AfterStep::GoOn,
            };
            if next != AfterStep::GoOn {
                return Ok(next);
            }
        }
    }

    /// False at the end of the stream.
    fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 4_096];
        match self.stream.try_read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(n) => {
                self.input.extend_from_slice(&buffer[..n]);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn take_request(&mut self) -> io::Result<Option<RtspRequest>> {
        loop {
            match rtsp::front(&self.input) {
                Front::Partial => return Ok(None),
                Front::Data(len) => drop(self.input.drain(..len)),
                Front::RtspRequest(request, len) => {
                    self.input.drain(..len);
                    return Ok(Some(request));
                }
                Front::Bad => return Err(io::Error::other("the client speaks no RTSP")),
            }
        }
    }

    async fn handle(&mut self, request: &RtspRequest) -> io::Result<AfterStep> {
        lock(&self.shared.asked).push(LoggedRequest {
            method: request.method.clone(),
            connection: self.number,
            mono_ns: now_ns(),
        });
        let manners = lock(&self.shared.state).manners.clone();
        let stage = stage(&request.method);
        let playing = self.play.is_some();
        // A session that plays keeps the manners it began with.
        if !playing && manners.mute_after.is_some_and(|last| stage > last) {
            self.muted = true;
        }
        if self.muted {
            return Ok(AfterStep::GoOn);
        }
        if !playing && manners.endless_headers {
            return self.write_headers_for_ever(request).await;
        }
        let hangs_up = playing && self.refused_in_a_row >= 2;
        if hangs_up {
            return Ok(AfterStep::Close);
        }
        let bytes = match manners.nonsense && !playing {
            true => b"\x16\x03\x01 what is RTSP? \r\n\r\n".to_vec(),
            false => self.answer(request, &manners).await?,
        };
        let bent = manners.bend.map(|bend| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            bend(&request.method, &text).unwrap_or_default()
        });
        self.say(&bent.unwrap_or(bytes), &manners).await?;
        if manners.mute_after == Some(stage) && !playing {
            self.muted = true;
        }
        match &mut self.play {
            Some(play) if !playing => play.strike_at_start(&self.stream, &mut self.tracks).await,
            _ => Ok(AfterStep::GoOn),
        }
    }

    async fn answer(&mut self, request: &RtspRequest, manners: &Manners) -> io::Result<Vec<u8>> {
        let stage = stage(&request.method);
        let refused = manners
            .refuse
            .filter(|(from, _)| stage >= *from && stage <= RtspStage::Play);
        if let Some((_, status)) = refused {
            return Ok(self.refuse(request, status));
        }
        if let (RtspStage::Describe, Some(to)) = (stage, &manners.redirect) {
            let headers = [("Location", to.clone())];
            return Ok(rtsp::answer(request, 302, &headers, ""));
        }
        if let Some(login) = &self.shared.script.login
            && stage > RtspStage::Options
        {
            let signed = request.header("Authorization");
            if !auth::opens(login, &self.nonce_now(), &request.method, signed) {
                self.refused_in_a_row += 1;
                return Ok(self.refuse(request, 401));
            }
            self.refused_in_a_row = 0;
            self.let_in += 1;
        }
        match request.method.as_str() {
            "OPTIONS" => {
                let methods =
                    "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN";
                Ok(rtsp::answer(
                    request,
                    200,
                    &[("Public", methods.into())],
                    "",
                ))
            }
            "DESCRIBE" => Ok(self.describe(request)),
            "SETUP" => self.setup(request).await,
            "PLAY" => Ok(self.start_playing(request)),
            "PAUSE" => {
                self.play = None;
                Ok(self.plain(request))
            }
            "TEARDOWN" => {
                self.play = None;
                self.tracks = [None, None];
                Ok(self.plain(request))
            }
            "GET_PARAMETER" | "SET_PARAMETER" => Ok(self.plain(request)),
            _ => Ok(self.refuse(request, 405)),
        }
    }

    /// What has to be signed with just now.
    fn nonce_now(&self) -> String {
        let life = self.shared.script.login.as_ref().map(|login| login.nonce);
        match life {
            Some(NonceLife::Once) => format!("{}x{}", self.nonce, self.let_in),
            Some(NonceLife::Ms(ms)) => {
                let age_ms = now_ns().saturating_sub(self.since_ns) / 1_000_000;
                format!("{}x{}", self.nonce, age_ms / ms.max(1))
            }
            Some(NonceLife::Connection) | None => self.nonce.clone(),
        }
    }

    fn refuse(&self, request: &RtspRequest, status: u16) -> Vec<u8> {
        let nobody = Login {
            username: String::new(),
            password: String::new(),
            scheme: Scheme::Digest,
            nonce: NonceLife::Connection,
        };
        let login = self.shared.script.login.as_ref().unwrap_or(&nobody);
        let renews = login.nonce != NonceLife::Connection && self.let_in > 0;
        let challenge = auth::challenge(login, &self.nonce_now(), renews);
        let challenge = [("WWW-Authenticate", challenge)];
        rtsp::answer(
            request,
            status,
            if status == 401 { &challenge } else { &[] },
            "",
        )
    }

    fn plain(&self, request: &RtspRequest) -> Vec<u8> {
        rtsp::answer(request, 200, &[("Session", self.session())], "")
    }

    fn session(&self) -> String {
        format!("{};timeout=60", self.nonce)
    }

    fn describe(&self, request: &RtspRequest) -> Vec<u8> {
        let script = &self.shared.script;
        let footage = lock(&self.shared.state).programme.last().clone();
        let body = sdp::describe(
            &footage,
            script.audio,
            script.parameters_in_sdp,
            script.back_channel,
        );
        let headers = [
            (
                "Content-Base",
                format!("{}/", request.url.trim_end_matches('/')),
            ),
            ("Content-Type", "application/sdp".into()),
        ];
        rtsp::answer(request, 200, &headers, &body)
    }

    async fn setup(&mut self, request: &RtspRequest) -> io::Result<Vec<u8>> {
        let footage = lock(&self.shared.state).programme.last().clone();
        let script = &self.shared.script;
        let (index, reel, offset) = match request.url.rsplit('/').next() {
            Some("trackID=1") => (0, Some(&footage.video), script.video_start_timestamp),
            Some("trackID=2") if script.audio => {
                (1, footage.audio.as_ref(), script.audio_start_timestamp)
            }
            _ => (0, None, 0),
        };
        let Some(reel) = reel else {
            return Ok(self.refuse(request, 404));
        };
        let asked = request.header("Transport").and_then(rtsp::transport);
        let seed = script
            .seed
            .wrapping_add(u64::from(self.number) * 2 + index as u64);
        let mut rng = fastrand::Rng::with_seed(seed);
        let wire = RtpState::new(&reel.coding, rng.u32(..), rng.u16(..), offset);
        let ssrc = wire.ssrc;
        let (way, transport) = match asked {
            Some(rtsp::TransportOffer::Tcp(channel)) => {
                let channel = channel.unwrap_or(if index == 0 { 0 } else { 2 });
                let pair = format!("{channel}-{}", channel.wrapping_add(1));
                (
                    Way::Tcp(channel),
                    format!("RTP/AVP/TCP;unicast;interleaved={pair};ssrc={ssrc:08X}"),
                )
            }
            Some(rtsp::TransportOffer::Udp(rtp, rtcp)) => {
                udp(&self.stream, rtp, rtcp, ssrc).await?
            }
            None => return Ok(self.refuse(request, 461)),
        };
        self.tracks[index] = Some(Carried { way, wire });
        let headers = [("Session", self.session()), ("Transport", transport)];
        Ok(rtsp::answer(request, 200, &headers, ""))
    }

    fn start_playing(&mut self, request: &RtspRequest) -> Vec<u8> {
        if self.tracks.iter().all(Option::is_none) {
            return self.refuse(request, 454);
        }
        let mut headers = vec![("Session", self.session()), ("Range", "npt=now-".into())];
        if self.play.is_none() {
            let play = Play::begin(self.shared.clone());
            if self.shared.script.rtp_info {
                headers.push(("RTP-Info", self.rtp_info(&request.url, play.start_90k())));
            }
            self.play = Some(play);
        }
        rtsp::answer(request, 200, &headers, "")
    }

    fn rtp_info(&self, url: &str, start_90k: i64) -> String {
        let footage = lock(&self.shared.state).programme.last().clone();
        let audio_rate = footage.audio.as_ref().map_or(90_000, |a| a.rate);
        let base = url.trim_end_matches('/');
        let tracks = (1..).zip(&self.tracks).zip([90_000, audio_rate]);
        let infos = tracks.filter_map(|((id, carried), rate)| {
            let wire = &carried.as_ref()?.wire;
            let time = wire.timestamp(scale(start_90k, rate));
            Some(format!(
                "url={base}/trackID={id};seq={};rtptime={time}",
                wire.sequence
            ))
        });
        infos.collect::<Vec<_>>().join(",")
    }

    async fn say(&mut self, bytes: &[u8], manners: &Manners) -> io::Result<()> {
        let Some(ms) = manners.slow_ms else {
            return write_all(&self.stream, &mut [IoSlice::new(bytes)]).await;
        };
        for byte in bytes {
            write_all(&self.stream, &mut [IoSlice::new(&[*byte])]).await?;
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        Ok(())
    }

    async fn write_headers_for_ever(&mut self, request: &RtspRequest) -> io::Result<AfterStep> {
        let cseq = request.header("CSeq").unwrap_or("0");
        let mut text = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n");
        for line in 0_u64.. {
            text += &format!("X-Endless-{line}: and there are more to come\r\n");
            if text.len() > 16_000 {
                write_all(&self.stream, &mut [IoSlice::new(text.as_bytes())]).await?;
                text.clear();
                // Endless, but not at full speed: it is not memory bandwidth that is tested.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Ok(AfterStep::Close)
    }
}

fn stage(method: &str) -> RtspStage {
    match method {
        "OPTIONS" => RtspStage::Options,
        "DESCRIBE" => RtspStage::Describe,
        "SETUP" => RtspStage::Setup,
        _ => RtspStage::Play,
    }
}

async fn udp(stream: &TcpStream, rtp: u16, rtcp: u16, ssrc: u32) -> io::Result<(Way, String)> {
    let client = stream.peer_addr()?.ip();
    let (rtp_socket, rtcp_socket) = udp_pair().await?;
    let port = rtp_socket.local_addr()?.port();
    let transport = format!(
        "RTP/AVP;unicast;client_port={rtp}-{rtcp};server_port={port}-{};ssrc={ssrc:08X}",
        port + 1
    );
    let way = Way::Udp {
        rtp: rtp_socket,
        rtcp: rtcp_socket,
        rtp_to: SocketAddr::new(client, rtp),
        rtcp_to: SocketAddr::new(client, rtcp),
    };
    Ok((way, transport))
}

/// Two sockets on an even port and the one above it.
async fn udp_pair() -> io::Result<(UdpSocket, UdpSocket)> {
    for _ in 0..200 {
        let rtp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = rtp.local_addr()?.port();
        if port % 2 == 0
            && let Ok(rtcp) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port + 1)).await
        {
            return Ok((rtp, rtcp));
        }
    }
    Err(io::Error::other(
        "no two UDP ports next to each other are free",
    ))
}

async fn sleep_until(due_mono_ns: Option<u64>) {
    match due_mono_ns {
        Some(due) => tokio::time::sleep(Duration::from_nanos(due.saturating_sub(now_ns()))).await,
        None => std::future::pending().await,
    }
}
