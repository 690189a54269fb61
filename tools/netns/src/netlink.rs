//! One request to the kernel, and its answer.

use std::fmt::Debug;
use std::io;

use neli::consts::nl::{NlType, NlmF};
use neli::consts::socket::NlFamily;
use neli::err::SocketError;
use neli::nl::{NlPayload, NlmsghdrBuilder};
use neli::socket::synchronous::NlSocketHandle;
use neli::types::Buffer;
use neli::utils::Groups;
use neli::{Size, ToBytes};

/// Sends a request over a socket of the calling thread's network, and waits until the kernel has done it. Returns
/// what it says besides.
pub(crate) fn ask<T, P>(protocol: NlFamily, kind: T, flags: NlmF, request: P) -> io::Result<Option<Buffer>>
where
    T: NlType + Debug,
    P: Size + ToBytes + Debug,
{
    let socket = NlSocketHandle::connect(protocol, None, Groups::empty()).map_err(told)?;
    let message = NlmsghdrBuilder::default()
        .nl_type(kind)
        .nl_flags(NlmF::REQUEST | NlmF::ACK | flags)
        .nl_payload(NlPayload::Payload(request))
        .build()
        .map_err(io::Error::other)?;
    socket.send(&message).map_err(told)?;
    let mut answer = None;
    loop {
        let (messages, _) = socket.recv::<u16, Buffer>().map_err(told)?;
        for message in messages {
            match message.map_err(told)?.nl_payload() {
                NlPayload::Err(refusal) => return Err(io::Error::from_raw_os_error(-refusal.error())),
                NlPayload::Ack(_) => return Ok(answer),
                NlPayload::Payload(payload) => answer = Some(payload.clone()),
                NlPayload::DumpExtAck(_) | NlPayload::Empty => {}
            }
        }
    }
}

fn told(error: SocketError) -> io::Error {
    match error {
        SocketError::Io(cause) => io::Error::new(cause.kind(), cause.to_string()),
        other => io::Error::other(other.to_string()),
    }
}
