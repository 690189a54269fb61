//! Two sockets that are about to meet.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout, set_tcp_nodelay};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use crate::MethodError;

/// How long any call may wait for the other end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How often whoever waits for a connection looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);

/// A listener, and a socket that will connect to it. A socket belongs to the network namespace in which it was made, whatever
/// thread uses it later: so the path is chosen by where [`listen`](Self::listen) and [`socket`](Self::socket) are called.
#[derive(Debug)]
pub struct Ends {
    listener: TcpListener,
    socket: OwnedFd,
    to: SocketAddr,
}

impl Ends {
    /// Puts the two together.
    ///
    /// # Errors
    /// The listener does not know its address.
    pub fn new(listener: TcpListener, socket: OwnedFd) -> std::io::Result<Self> {
        let to = listener.local_addr()?;
        Ok(Self { listener, socket, to })
    }

    /// Both in the calling thread's network namespace, by its loopback.
    ///
    /// # Errors
    /// There is no loopback.
    pub fn loopback() -> std::io::Result<Self> {
        let address = IpAddr::from([127, 0, 0, 1]);
        Self::new(Self::listen(address)?, Self::socket(address)?)
    }

    /// A listener on a free port of `address`.
    ///
    /// # Errors
    /// As the system says.
    pub fn listen(address: IpAddr) -> std::io::Result<TcpListener> {
        let listener = TcpListener::bind((address, 0))?;
        set_socket_timeout(&listener, Timeout::Recv, Some(LOOK))?;
        Ok(listener)
    }

    /// A socket that can connect to `address`.
    ///
    /// # Errors
    /// As the system says.
    pub fn socket(address: IpAddr) -> std::io::Result<OwnedFd> {
        let family = match address {
            IpAddr::V4(_) => AddressFamily::INET,
            IpAddr::V6(_) => AddressFamily::INET6,
        };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        Ok(socket)
    }

    pub(crate) fn split(self) -> (TcpListener, Connecting) {
        let Self { listener, socket, to } = self;
        (listener, Connecting { socket, to })
    }
}

/// The first connection. Nobody may ever come: the flag is looked at meanwhile.
pub(crate) fn accept(listener: &TcpListener, stop: &AtomicBool) -> Result<TcpStream, MethodError> {
    let since = Instant::now();
    let stream = loop {
        match rustix::net::accept_with(listener, SocketFlags::CLOEXEC) {
            Ok(stream) => break TcpStream::from(stream),
            Err(_) if stop.load(Ordering::Relaxed) => return Err(MethodError::Interrupted),
            Err(Errno::AGAIN | Errno::INTR) if since.elapsed() < PATIENCE => {}
            Err(errno) => return Err(MethodError::of("accept")(errno)),
        }
    };
    set_socket_timeout(&stream, Timeout::Recv, Some(PATIENCE))
        .map_err(MethodError::of("setsockopt(SO_RCVTIMEO)"))?;
    Ok(stream)
}

/// The sender's end.
pub(crate) struct Connecting {
    socket: OwnedFd,
    to: SocketAddr,
}

impl Connecting {
    pub(crate) fn connect(self) -> Result<OwnedFd, MethodError> {
        set_tcp_nodelay(&self.socket, true).map_err(MethodError::of("setsockopt(TCP_NODELAY)"))?;
        connect(&self.socket, &self.to).map_err(MethodError::of("connect"))?;
        Ok(self.socket)
    }
}
