//! The rules by name.

/// How much the sanitizer looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Everything that can be known without reading payload. Always on: cheap enough for benches.
    #[default]
    On,
    /// Also [`Rule::PayloadChangedBeforeDone`] (hashes payload at the doorbell and again when it is sent) and
    /// [`Rule::RxReadBeforeDone`] (closes posted receive pages to software). For tests.
    Full,
}

/// What a driver must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// A descriptor, or a ring's base, names an address that no mapping ever held.
    UnmappedAddress,
    /// The device was to write memory mapped for reading, or the other way round.
    WrongDirection,
    /// A range begins in a mapping and runs over its end.
    CrossesMappingEnd,
    /// The address belonged to a mapping that has ended.
    AccessAfterUnmap,
    /// The tail overtook the head, or the head was moved: the device would fetch what was not published.
    FetchOutsideHeadTail,
    /// The tail is not a slot of the ring.
    DoorbellBeyondRing,
    /// Memory that the device may write stands in two posted descriptors at once.
    FramePostedTwice,
    /// A descriptor was other when the device fetched it than when its doorbell rang.
    DescriptorChangedAfterDoorbell,
    /// Bytes to send were other when the device sent them than when their doorbell rang. Level full.
    PayloadChangedBeforeDone,
    /// Software touched a receive buffer that is posted. Level full.
    RxReadBeforeDone,
    /// Memory was unmapped while it stands in a posted descriptor, or holds a ring that is on.
    ReleasedWhilePosted,
    /// Reserved bits, a write to a read-only register, a ring moved while it is on, bad alignment.
    RegisterMisuse,
    /// A descriptor that means nothing: no length, too long, an offload without its context.
    MalformedDescriptor,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 13] = [
        Self::UnmappedAddress,
        Self::WrongDirection,
        Self::CrossesMappingEnd,
        Self::AccessAfterUnmap,
        Self::FetchOutsideHeadTail,
        Self::DoorbellBeyondRing,
        Self::FramePostedTwice,
        Self::DescriptorChangedAfterDoorbell,
        Self::PayloadChangedBeforeDone,
        Self::RxReadBeforeDone,
        Self::ReleasedWhilePosted,
        Self::RegisterMisuse,
        Self::MalformedDescriptor,
    ];

    /// The name that reports use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnmappedAddress => "unmapped-address",
            Self::WrongDirection => "wrong-direction",
            Self::CrossesMappingEnd => "crosses-mapping-end",
            Self::AccessAfterUnmap => "access-after-unmap",
            Self::FetchOutsideHeadTail => "fetch-outside-head-tail",
            Self::DoorbellBeyondRing => "doorbell-beyond-ring",
            Self::FramePostedTwice => "frame-posted-twice",
            Self::DescriptorChangedAfterDoorbell => "descriptor-changed-after-doorbell",
            Self::PayloadChangedBeforeDone => "payload-changed-before-done",
            Self::RxReadBeforeDone => "rx-read-before-done",
            Self::ReleasedWhilePosted => "released-while-posted",
            Self::RegisterMisuse => "register-misuse",
            Self::MalformedDescriptor => "malformed-descriptor",
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
