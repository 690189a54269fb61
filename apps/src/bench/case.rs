//! What can be measured: a way to send, over a path, to a receiver, from a page cache that has the file or not.

use std::fmt::{self, Display, Formatter};

use pagewire_kernel_methods::{Method, Receiver};
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// A way to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Way {
    /// One of the kernel's.
    Kernel(Method),
    /// `sendfile` through a device that cannot gather.
    SendfileWithoutSg,
    /// Ours, by reference.
    ZeroCopy,
    /// Ours, with payload copied.
    Copy,
}

impl Way {
    /// All of them, in the order of the tables.
    pub(crate) fn all() -> Vec<Self> {
        let kernel = Method::ALL.into_iter().map(Self::Kernel);
        kernel
            .chain([Self::SendfileWithoutSg, Self::ZeroCopy, Self::Copy])
            .collect()
    }

    /// Its name in reports and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kernel(method) => method.name(),
            Self::SendfileWithoutSg => "sendfile-without-sg",
            Self::ZeroCopy => "pagewire-zero-copy",
            Self::Copy => "pagewire-copy",
        }
    }

    /// Whether it is one of ours.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::ZeroCopy | Self::Copy)
    }
}

/// What is between sender and receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Path {
    /// The kernel's loopback.
    Loopback,
    /// A pair of virtual Ethernet devices between two networks.
    Veth,
    /// An emulated NIC on a cable into the kernel.
    Tap,
    /// Two emulated NICs on a cable: both ends are ours.
    Pair,
}

impl Path {
    pub(crate) const ALL: [Self; 4] = [Self::Loopback, Self::Veth, Self::Tap, Self::Pair];

    /// Its name in reports and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Veth => "veth",
            Self::Tap => "tap",
            Self::Pair => "pair",
        }
    }
}

/// Where the file is when it is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Cache {
    /// In memory.
    Warm,
    /// On disk.
    Cold,
}

impl Cache {
    pub(crate) const ALL: [Self; 2] = [Self::Warm, Self::Cold];

    /// Its name in reports and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Cold => "cold",
        }
    }
}

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Case {
    pub(crate) bytes: u64,
    pub(crate) cache: Cache,
    pub(crate) receiver: Receiver,
    pub(crate) way: Way,
    pub(crate) path: Path,
}

impl Case {
    /// Whether there is such a thing. The kernel's methods need two sockets of the kernel, and ours a NIC; an emulated receiver
    /// has no way to throw bytes away unread.
    pub(crate) fn exists(&self) -> bool {
        match (self.way, self.path) {
            (Way::Kernel(_), Path::Loopback | Path::Veth) => true,
            (Way::SendfileWithoutSg, path) => path == Path::Veth,
            (Way::ZeroCopy | Way::Copy, Path::Pair) => self.receiver != Receiver::Discard,
            (Way::ZeroCopy | Way::Copy, Path::Tap) => true,
            _ => false,
        }
    }

    /// Which of them is measured how often before another one's turn comes: short transfers are over before a clock has
    /// said much.
    pub(crate) fn repeats(&self) -> u32 {
        const ENOUGH: u64 = 4 << 20;
        (ENOUGH / self.bytes.max(1)).clamp(1, 8) as u32
    }
}

/// What goes where, in words.
impl Display for Case {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} over {}", self.way.name(), self.path.name())
    }
}

/// By names, in the fields that every row of `--json` begins with.
impl Serialize for Case {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Case", 5)?;
        fields.serialize_field("method", self.way.name())?;
        fields.serialize_field("path", self.path.name())?;
        fields.serialize_field("receiver", self.receiver.name())?;
        fields.serialize_field("cache", self.cache.name())?;
        fields.serialize_field("bytes", &self.bytes)?;
        fields.end()
    }
}

/// Which to choose from.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) ways: Vec<Way>,
    pub(crate) paths: Vec<Path>,
    pub(crate) receivers: Vec<Receiver>,
    pub(crate) caches: Vec<Cache>,
}

impl Choice {
    /// Every case of the choice that there is, for files of these lengths.
    pub(crate) fn cases(&self, lengths: &[u64]) -> Vec<Case> {
        let mut cases = Vec::new();
        for &bytes in lengths {
            for &cache in &self.caches {
                for &receiver in &self.receivers {
                    for &way in &self.ways {
                        let over = |&path| Case {
                            bytes,
                            cache,
                            receiver,
                            way,
                            path,
                        };
                        cases.extend(self.paths.iter().map(over).filter(Case::exists));
                    }
                }
            }
        }
        cases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> Choice {
        Choice {
            ways: Way::all(),
            paths: Path::ALL.to_vec(),
            receivers: Receiver::ALL.to_vec(),
            caches: Cache::ALL.to_vec(),
        }
    }

    #[test]
    fn every_way_is_measured_over_some_path_and_none_where_it_cannot_go() {
        let cases = everything().cases(&[4096]);
        for way in Way::all() {
            assert!(cases.iter().any(|case| case.way == way), "{}", way.name());
        }
        for case in &cases {
            assert_eq!(case.way.is_ours(), matches!(case.path, Path::Tap | Path::Pair));
        }
        // 9 over 2 paths and 1 over veth, to 3 receivers; 2 of ours over TAP to 3, over the pair to 2; 2 caches.
        assert_eq!(cases.len(), 2 * (3 * 19 + 2 * 3 + 2 * 2));
    }

    #[test]
    fn short_transfers_are_repeated() {
        let of = |bytes| everything().cases(&[bytes])[0].repeats();
        assert_eq!([of(4096), of(1 << 20), of(1 << 30)], [8, 4, 1]);
    }
}
