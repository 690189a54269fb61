//! Frames that came to grief on their way in, and at the kernel's end of a cable, as reports tell them.
//!
//! Names and meanings are a promise: fields may be added, none renamed.

use std::fmt::{self, Formatter};

use pagewire::live::Counters;
use pagewire_emu::cable::Lost;
use serde::{Deserialize, Serialize};

use crate::summary::{count, line};

/// What never reached the stack, since the NIC was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Losses {
    /// Frames lost for want of a buffer.
    pub(crate) rx_missed: u64,
    /// Frames with a wrong checksum of Ethernet, IP, TCP or UDP, or of a wrong length: the sum of the next three.
    pub(crate) rx_errors: u64,
    pub(crate) rx_crc_errors: u64,
    pub(crate) rx_length_errors: u64,
    pub(crate) rx_checksum_errors: u64,
    /// Frames that the NIC has marked as damaged, or described in a way that cannot be.
    pub(crate) rx_discarded: u64,
    /// Frames that the cable has lost, both ways, by `--loss` or because too many were on their way.
    pub(crate) frames_lost_on_wire: u64,
    /// Null with a NIC in a slot, and with a TAP, whose end does not know.
    pub(crate) cable_lost: Option<CableLosses>,
}

/// What the kernel's end of a cable knows to be lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CableLosses {
    /// The kernel's packets: found the receive ring full, were too long for it, made no sense.
    pub(crate) no_slot: u64,
    pub(crate) too_long: u64,
    pub(crate) malformed: u64,
    /// Ours: dropped by the kernel as malformed, and given up while the interface was down.
    pub(crate) refused: u64,
    pub(crate) withdrawn: u64,
}

impl From<Lost> for CableLosses {
    fn from(lost: Lost) -> Self {
        let Lost {
            no_slot,
            too_long,
            malformed,
            refused,
            withdrawn,
        } = lost;
        Self {
            no_slot,
            too_long,
            malformed,
            refused,
            withdrawn,
        }
    }
}

impl From<&Counters> for Losses {
    fn from(counters: &Counters) -> Self {
        let nic = &counters.nic;
        // Some NICs count these frames, and some only mark them; the stack drops and counts what is marked.
        let checksums = nic.rx_checksum_errors.max(counters.stack.ingress.bad_checksums);
        Self {
            rx_missed: nic.rx_missed,
            rx_errors: nic.rx_crc_errors + nic.rx_length_errors + checksums,
            rx_crc_errors: nic.rx_crc_errors,
            rx_length_errors: nic.rx_length_errors,
            rx_checksum_errors: checksums,
            rx_discarded: counters.rx.errors,
            frames_lost_on_wire: counters.wire.lost + counters.wire.queue_full,
            cable_lost: counters.cable.map(CableLosses::from),
        }
    }
}

impl Losses {
    /// Each kind of which there is any, in words.
    fn in_words(&self) -> Vec<String> {
        let mut kinds = vec![
            (self.rx_missed, "for want of a buffer"),
            (self.rx_crc_errors, "with a wrong Ethernet checksum"),
            (self.rx_length_errors, "of a wrong length"),
            (self.rx_checksum_errors, "with a wrong IP, TCP or UDP checksum"),
            (self.rx_discarded, "that the NIC has marked as damaged"),
            (self.frames_lost_on_wire, "on the cable"),
        ];
        if let Some(cable) = &self.cable_lost {
            kinds.extend([
                (cable.no_slot, "that found the cable's receive ring full"),
                (cable.too_long, "too long for the cable's receive ring"),
                (cable.malformed, "of the kernel's that made no sense"),
                (cable.refused, "of ours that the kernel refused"),
                (cable.withdrawn, "of ours while the interface was down"),
            ]);
        }
        let some = kinds.into_iter().filter(|(frames, _)| *frames > 0);
        some.map(|(frames, why)| format!("{} {why}", count(frames, "frame")))
            .collect()
    }

    /// A line of a summary for each kind of which there is any.
    pub(crate) fn lines(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut name = "lost";
        for words in self.in_words() {
            line(f, name, format_args!("{words}"))?;
            name = "";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::tests::{outcome_with_losses, outcome_without_losses};

    #[test]
    fn every_kind_is_told_with_its_own_number_and_those_that_did_not_happen_are_not() {
        let some = Losses::from(&outcome_with_losses().counters);
        assert_eq!(
            some.in_words(),
            [
                "1,001 frames for want of a buffer",
                "2 frames with a wrong Ethernet checksum",
                "3 frames of a wrong length",
                "4 frames with a wrong IP, TCP or UDP checksum",
                "5 frames that the NIC has marked as damaged",
                "10 frames on the cable",
                "6 frames that found the cable's receive ring full",
                "7 frames too long for the cable's receive ring",
                "8 frames of the kernel's that made no sense",
                "9 frames of ours that the kernel refused",
                "1 frame of ours while the interface was down",
            ]
        );
        let none = Losses::from(&outcome_without_losses().counters);
        assert!(none.in_words().is_empty());
        let one = Losses {
            rx_length_errors: 1,
            ..none
        };
        assert_eq!(one.in_words(), ["1 frame of a wrong length"]);
    }
}
