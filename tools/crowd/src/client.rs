//! The clients: connections of the kernel's TCP that stay open.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::time::Duration;

use rustix::net::sockopt::set_tcp_nodelay;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

use crate::{Arguments, CrowdError, SERVER};

const PORT: u16 = 80;
/// How long a connection may take to be made and answered, or to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// What each of them asks for: [`FILE`](crate::server::FILE).
const REQUEST: &[u8] = b"GET /file HTTP/1.1\r\nHost: server\r\n\r\n";
/// What each answer begins with.
const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\n";

/// A connection that has been answered once.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    /// Bytes in an answer, head and body.
    answer: usize,
    /// Bytes of the present one that have come.
    come: usize,
}

/// Opens `count` connections from an address of this network. Each asks once.
pub(crate) fn open(from: Ipv4Addr, count: u32, arguments: &Arguments) -> Result<Vec<Client>, CrowdError> {
    let of = count as usize;
    let open = |number| {
        Client::open(from, arguments.file as usize).map_err(|cause| CrowdError::Client {
            number,
            of,
            what: format!("could not be opened: {cause}"),
        })
    };
    (1..=of).map(open).collect()
}

/// Ends connections in good order: the server has let go of all of them when this returns.
pub(crate) fn leave(clients: Vec<Client>) -> Result<(), CrowdError> {
    let of = clients.len();
    let failed = |number: usize| {
        move |cause: io::Error| CrowdError::Client {
            number: number + 1,
            of,
            what: format!("did not end well: {cause}"),
        }
    };
    for (number, client) in clients.iter().enumerate() {
        client.stream.shutdown(Shutdown::Write).map_err(failed(number))?;
    }
    for (number, client) in clients.iter().enumerate() {
        client.stream.set_nonblocking(false).map_err(failed(number))?;
        match (&client.stream).read(&mut [0]).map_err(failed(number))? {
            0 => {}
            _ => {
                return Err(failed(number)(io::Error::other(
                    "more has come than was asked for",
                )));
            }
        }
    }
    Ok(())
}

impl Client {
    fn open(from: Ipv4Addr, body: usize) -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        bind(&socket, &SocketAddrV4::new(from, 0))?;
        connect(&socket, &SocketAddrV4::new(SERVER, PORT))?;
        set_tcp_nodelay(&socket, true)?;
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(REQUEST)?;
        let mut said = vec![];
        let head = loop {
            let mut bytes = [0; 4096];
            match stream.read(&mut bytes)? {
                0 => return Err(io::Error::other("the server has ended the connection")),
                read => said.extend_from_slice(&bytes[..read]),
            }
            if let Some(end) = said.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        if !said.starts_with(GOOD) {
            let said = String::from_utf8_lossy(&said[..head]).into_owned();
            return Err(io::Error::other(said));
        }
        let answer = head + body;
        let mut rest = vec![0; answer.saturating_sub(said.len())];
        stream.read_exact(&mut rest)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            answer,
            come: 0,
        })
    }

    /// Asks for the file.
    pub(crate) fn ask(&mut self) -> io::Result<()> {
        // A request is far shorter than a socket's room: it goes whole.
        self.stream.write_all(REQUEST)
    }

    /// Takes what has come; returns whether the answer is whole.
    pub(crate) fn listen(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        loop {
            let read = match self.stream.read(buffer) {
                Ok(0) => return Err(io::Error::other("the server has ended the connection")),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            };
            let begins = &buffer[..read.min(GOOD.len())];
            if self.come == 0 && !GOOD.starts_with(begins) {
                return Err(io::Error::other("the answer is not the file"));
            }
            self.come += read;
            if self.come >= self.answer {
                if self.come > self.answer {
                    return Err(io::Error::other("more has come than was asked for"));
                }
                self.come = 0;
                return Ok(true);
            }
        }
    }
}
