//! Addresses to listen on.

use std::io;
use std::net::SocketAddr;

use mio::net::TcpListener;
use socket2::{Domain, Socket, Type};

use super::protocol::Protocol;

/// How many connections the kernel may hold ready for the acceptor. It clamps this to its own
/// limit (`somaxconn`, 4,096 unless configured).
const BACKLOG: i32 = 4096;

/// An address to listen on and what is spoken there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Address and port; port 0 takes a free one.
    pub address: SocketAddr,
    /// What is spoken there.
    pub protocol: Protocol,
}

impl Endpoint {
    pub(super) fn listen(&self) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None)?;
        // A restarted server must not wait for the connections of its predecessor to fade.
        socket.set_reuse_address(true)?;
        if self.address.is_ipv6() {
            // So that the same port can be bound for IPv4 beside it.
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&self.address.into())?;
        socket.listen(BACKLOG)?;
        Ok(TcpListener::from_std(socket.into()))
    }
}
