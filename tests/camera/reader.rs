//! retina as a client.

use std::time::Duration;

use futures::StreamExt;
use hindsight::demo::DemoCamera;
use retina::client::{
    Credentials, Demuxed, PlayOptions, Session, SessionOptions, SetupOptions, TcpTransportOptions,
    Transport, UdpTransportOptions,
};
use retina::codec::{CodecItem, FrameFormat};

pub struct Reader {
    runtime: tokio::runtime::Runtime,
    /// `None` only while it is dropped.
    session: Option<Demuxed>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        // retina says goodbye in a task of its own.
        let _inside = self.runtime.enter();
        self.session = None;
    }
}

/// A frame of video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub pts_90k: i64,
    pub key: bool,
    pub loss: u16,
    pub new_parameters: bool,
    pub data: Vec<u8>,
}

#[derive(Debug)]
pub enum Seen {
    Video(Frame),
    /// Timestamp and bytes.
    Audio(i64, Vec<u8>),
    /// Which track (0: video), NTP time, RTP timestamp if it could be placed.
    Report(usize, u64, i64),
}

pub struct Wanted {
    pub login: Option<(&'static str, &'static str)>,
    pub udp: bool,
}

pub const PLAIN: Wanted = Wanted {
    login: None,
    udp: false,
};

impl Reader {
    pub fn connect(camera: &DemoCamera, wanted: &Wanted) -> Result<Reader, retina::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let session = runtime.block_on(async {
            let creds = wanted.login.map(|(username, password)| Credentials {
                username: username.into(),
                password: password.into(),
            });
            let options = SessionOptions::default().creds(creds);
            let mut session = Session::describe(camera.url(), options).await?;
            for i in 0..session.streams().len() {
                let transport = match wanted.udp {
                    false => Transport::Tcp(TcpTransportOptions::default()),
                    true => Transport::Udp(UdpTransportOptions::default()),
                };
                let options = SetupOptions::default()
                    .transport(transport)
                    .frame_format(FrameFormat::MP4);
                session.setup(i, options).await?;
            }
            session.play(PlayOptions::default()).await?.demuxed()
        })?;
        Ok(Reader {
            runtime,
            session: Some(session),
        })
    }

    pub fn next(&mut self) -> Result<Seen, retina::Error> {
        loop {
            let session = self.session.as_mut().unwrap();
            let next =
                async { tokio::time::timeout(Duration::from_secs(30), session.next()).await };
            let item = self.runtime.block_on(next).expect("nothing came for 30 s");
            match item.unwrap()? {
                CodecItem::VideoFrame(frame) => {
                    return Ok(Seen::Video(Frame {
                        pts_90k: frame.timestamp().timestamp(),
                        key: frame.is_random_access_point(),
                        loss: frame.loss(),
                        new_parameters: frame.has_new_parameters(),
                        data: frame.into_data(),
                    }));
                }
                CodecItem::AudioFrame(frame) => {
                    return Ok(Seen::Audio(
                        frame.timestamp().timestamp(),
                        frame.data().to_vec(),
                    ));
                }
                CodecItem::Rtcp(rtcp) => {
                    let stream = rtcp.stream_id();
                    let at = rtcp.rtp_timestamp().map(|t| t.timestamp());
                    for packet in rtcp.pkts() {
                        if let Ok(Some(report)) = packet.as_sender_report()
                            && let Some(at) = at
                        {
                            return Ok(Seen::Report(stream, report.ntp_timestamp().0, at));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    pub fn frame(&mut self) -> Result<Frame, retina::Error> {
        loop {
            if let Seen::Video(frame) = self.next()? {
                return Ok(frame);
            }
        }
    }

    pub fn frames(&mut self, count: usize) -> Vec<Frame> {
        (0..count).map(|_| self.frame().unwrap()).collect()
    }
}
