//! Which ways there are, and why one may fail.

use std::io;

use rustix::io::Errno;

/// A way to send a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// `read` into a buffer of 64 KiB, `write` from it.
    ReadWrite64K,
    /// The same with a buffer of 1 MiB.
    ReadWrite1M,
    /// `write` from a map of the file.
    MmapWrite,
    /// `sendfile`.
    Sendfile,
    /// `splice` from the file into a pipe, and from the pipe into the socket.
    Splice,
    /// `send` with MSG_ZEROCOPY from a map of the file.
    MsgZerocopy,
    /// io_uring's SEND from a map of the file.
    UringSend,
    /// io_uring's SEND_ZC from a map of the file.
    UringSendZc,
    /// `vmsplice` of a private map into a pipe with SPLICE_F_GIFT, `splice` from the pipe into the socket.
    VmspliceGift,
}

impl Method {
    /// All of them, from the simplest on.
    pub const ALL: [Self; 9] = [
        Self::ReadWrite64K,
        Self::ReadWrite1M,
        Self::MmapWrite,
        Self::Sendfile,
        Self::Splice,
        Self::MsgZerocopy,
        Self::UringSend,
        Self::UringSendZc,
        Self::VmspliceGift,
    ];

    /// Its name in reports and on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadWrite64K => "read-write-64k",
            Self::ReadWrite1M => "read-write-1m",
            Self::MmapWrite => "mmap-write",
            Self::Sendfile => "sendfile",
            Self::Splice => "splice",
            Self::MsgZerocopy => "msg-zerocopy",
            Self::UringSend => "io-uring-send",
            Self::UringSendZc => "io-uring-send-zc",
            Self::VmspliceGift => "vmsplice-gift",
        }
    }
}

/// Why a file was not sent, or not received.
#[derive(Debug, thiserror::Error)]
pub enum MethodError {
    /// This kernel, or what it allows here, lacks the method.
    #[error("{why}")]
    NotAvailable {
        /// What was asked for and what it said.
        why: String,
    },
    /// A call failed that should not have.
    #[error("{call} failed: {cause}")]
    Failed {
        /// The call.
        call: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// Nothing has moved for too long.
    #[error("{call} has waited for {seconds} s and nothing has moved")]
    Stalled {
        /// The call.
        call: &'static str,
        /// How long it waited.
        seconds: u64,
    },
    /// The file ends before the bytes that were announced.
    #[error("the file now ends at byte {at}: measure again when nobody writes to it")]
    Short {
        /// Where it ends.
        at: u64,
    },
    /// The stop flag was raised.
    #[error("interrupted")]
    Interrupted,
}

impl MethodError {
    /// Names the call that failed. Sockets here have a time-out, which the kernel tells as EAGAIN.
    pub(crate) fn of(call: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| match errno {
            Errno::AGAIN | Errno::INPROGRESS => Self::Stalled {
                call,
                seconds: crate::ends::PATIENCE.as_secs(),
            },
            other => Self::Failed {
                call,
                cause: other.into(),
            },
        }
    }
}
