//! How each way works, in two sentences, and where a payload byte goes: for the page.

use pagewire_kernel_methods::Method;

use super::case::Way;

/// How a byte gets from one place to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hop {
    /// A CPU copies it.
    Copied,
    /// Its page is named; nothing moves.
    Referenced,
    /// A device fetches it; here a CPU does that in its place.
    Fetched,
}

impl Hop {
    /// As it is written on the arrow.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Copied => "copy",
            Self::Referenced => "by reference",
            Self::Fetched => "DMA",
        }
    }
}

/// What a way does.
pub(super) struct Explanation {
    /// Two sentences.
    pub(super) words: &'static str,
    /// The places after the page cache, each with how a byte gets there.
    pub(super) hops: &'static [(Hop, &'static str)],
}

use Hop::{Copied, Fetched, Referenced};

/// The explanation of a way.
pub(super) fn explain(way: Way) -> Explanation {
    let (words, hops): (_, &[(Hop, &str)]) = match way {
        Way::Kernel(Method::ReadWrite64K) => (
            "The program reads 64 KiB into a buffer and writes them to the socket, over and over. Each byte is copied twice before \
             it leaves, and the buffer stays in the processor's cache.",
            &[(Copied, "buffer"), (Copied, "socket"), (Copied, "receiver")],
        ),
        Way::Kernel(Method::ReadWrite1M) => (
            "The same with a buffer of 1 MiB. There are sixteen times fewer system calls, and the buffer no longer fits into the \
             smaller caches.",
            &[(Copied, "buffer"), (Copied, "socket"), (Copied, "receiver")],
        ),
        Way::Kernel(Method::MmapWrite) => (
            "The program maps the file and writes to the socket straight from the map. The copy into a buffer is saved; in its place \
             the kernel fills page tables.",
            &[(Copied, "socket"), (Copied, "receiver")],
        ),
        Way::Kernel(Method::Sendfile) => (
            "One system call tells the kernel to send a part of a file: the socket's packets name the pages of the page cache. Nobody \
             copies on the sending side, as long as the device can gather.",
            &[(Referenced, "socket"), (Copied, "receiver")],
        ),
        Way::SendfileWithoutSg => (
            "The same through a device that cannot gather a packet from several places (scatter-gather off). TCP sees that, and copies \
             the pages into packets of its own.",
            &[(Copied, "socket"), (Copied, "receiver")],
        ),
        Way::Kernel(Method::Splice) => (
            "Pages of the file are moved into a pipe and from there into the socket, by name. It is what sendfile does inside, with twice \
             the system calls and a pipe that the program can see.",
            &[(Referenced, "pipe"), (Referenced, "socket"), (Copied, "receiver")],
        ),
        Way::Kernel(Method::MsgZerocopy) => (
            "The program sends from a map of the file and asks the socket to refer to the pages; the kernel tells later when it has done \
             with them. A receiver on the same machine could keep them for ever, so the kernel copies on the way there after all, and \
             says so.",
            &[
                (Referenced, "socket"),
                (Copied, "far socket"),
                (Copied, "receiver"),
            ],
        ),
        Way::Kernel(Method::UringSend) => (
            "Requests to send from a map of the file are put into a ring that program and kernel share, here one at a time. The kernel \
             copies as it does for write.",
            &[(Copied, "socket"), (Copied, "receiver")],
        ),
        Way::Kernel(Method::UringSendZc) => (
            "The same ring, with requests that ask the kernel not to copy; a second completion tells when it has done with the pages. On one \
             machine it copies after all, as with MSG_ZEROCOPY, and says so.",
            &[
                (Referenced, "socket"),
                (Copied, "far socket"),
                (Copied, "receiver"),
            ],
        ),
        Way::Kernel(Method::VmspliceGift) => (
            "Pages of a private map are given to a pipe as a gift and spliced into the socket: a send buffer that is copied only if \
             somebody writes to it. Nobody does here, so nothing is copied.",
            &[(Referenced, "pipe"), (Referenced, "socket"), (Copied, "receiver")],
        ),
        Way::ZeroCopy => (
            "The file's pages are mapped for the NIC once, read only, and named in its descriptors next to TCP headers; no kernel is on \
             the way. The emulated NIC's memcpy, or the kernel's copy out of them into a TAP, stands for DMA.",
            &[
                (Referenced, "descriptors"),
                (Fetched, "far frames"),
                (Copied, "receiver"),
            ],
        ),
        Way::Copy => (
            "The same stack and the same driver, but the file is read into a TCP ring and copied from there into DMA memory, as an ordinary \
             stack does. What it costs more than zero-copy is what zero-copy saves.",
            &[
                (Copied, "TCP ring"),
                (Copied, "DMA memory"),
                (Fetched, "far frames"),
                (Copied, "receiver"),
            ],
        ),
    };
    Explanation { words, hops }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_explained_in_two_sentences_and_ends_with_the_receiver() {
        for way in Way::all() {
            let Explanation { words, hops } = explain(way);
            let name = way.name();
            assert_eq!(words.matches(". ").count() + 1, 2, "{name}: {words}");
            assert!(words.ends_with('.'), "{name}");
            assert_eq!(hops.last().map(|(_, place)| *place), Some("receiver"), "{name}");
        }
    }

    #[test]
    fn what_is_called_zero_copy_has_no_copy_on_the_sending_side() {
        for way in [
            Way::ZeroCopy,
            Way::Kernel(Method::Sendfile),
            Way::Kernel(Method::Splice),
        ] {
            let hops = explain(way).hops;
            assert!(
                hops[..hops.len() - 1].iter().all(|(hop, _)| *hop != Copied),
                "{}",
                way.name()
            );
        }
    }
}
