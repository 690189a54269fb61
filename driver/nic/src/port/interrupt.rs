//! What an interrupt says.

/// What has happened in a device. A removed device says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Causes {
    /// Packets have arrived, or were lost for want of a buffer.
    pub receive: bool,
    /// Packets were sent: their buffers can be reaped.
    pub transmit: bool,
    /// The link came up or went down.
    pub link: bool,
}

impl Causes {
    /// Whether anything has happened.
    #[must_use]
    pub fn any(self) -> bool {
        self.receive || self.transmit || self.link
    }
}
