//! Writes packets to sockets.
//!
//! Not here: which packets, and when (`play`).

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, UdpSocket};

/// Packets of one frame in the order of sending; the header includes the four bytes of TCP's interleaving.
pub(super) type Outgoing<'a> = Vec<([u8; 16], &'a [u8])>;

pub(super) async fn send_tcp(
    stream: &TcpStream,
    outgoing: &Outgoing<'_>,
    half: bool,
) -> io::Result<()> {
    let slices = outgoing
        .iter()
        .flat_map(|(header, payload)| [IoSlice::new(header), IoSlice::new(payload)]);
    let mut slices: Vec<IoSlice> = slices.collect();
    if half {
        // A header without all of what it announces.
        slices.truncate(outgoing.len() / 2 * 2 + 1);
    }
    write_all(stream, &mut slices).await
}

pub(super) async fn send_udp(socket: &UdpSocket, to: SocketAddr, outgoing: &[([u8; 16], &[u8])]) {
    let mut packet = Vec::with_capacity(1_500);
    for (i, (header, payload)) in outgoing.iter().enumerate() {
        // Receivers on loopback have small buffers; cameras pace their packets too.
        if i % 32 == 31 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        packet.clear();
        packet.extend_from_slice(&header[4..]);
        packet.extend_from_slice(payload);
        // A client that is gone shows itself on TCP.
        let _ = socket.send_to(&packet, to).await;
    }
}

/// Writes all pieces, however many writes it takes.
pub(super) async fn write_all(
    stream: &TcpStream,
    mut pieces: &mut [IoSlice<'_>],
) -> io::Result<()> {
    IoSlice::advance_slices(&mut pieces, 0);
    while !pieces.is_empty() {
        stream.writable().await?;
        match stream.try_write_vectored(pieces) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut pieces, written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
