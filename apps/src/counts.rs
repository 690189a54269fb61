//! What a machine on a network counts, as scripts see it: part of the reports, and what `stats` shows.
//!
//! Names and meanings are a promise: fields may be added, none renamed.

use std::fmt::{self, Formatter};

use pagewire::live::Counters;
use serde::{Deserialize, Serialize};

use crate::losses::Losses;
use crate::summary::{count, line};

/// Counts since the NIC was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// The driver: `e1000`, `e1000e` or `ixgbe`.
    pub(crate) nic: String,
    /// Whether it sleeps until the NIC interrupts; else it looks again and again.
    pub(crate) waits_for_interrupts: bool,
    pub(crate) link_up: bool,
    /// Mbit/s.
    pub(crate) link_mbps: u32,
    /// Frames and bytes that the NIC has sent and received, by its own registers.
    pub(crate) tx_packets: u64,
    pub(crate) tx_bytes: u64,
    pub(crate) rx_packets: u64,
    pub(crate) rx_bytes: u64,
    /// Frames that nobody got.
    #[serde(flatten)]
    pub(crate) losses: Losses,
    /// Segmentation requests, descriptors and tail writes of the transmit queue.
    pub(crate) tx_segments: u64,
    pub(crate) tx_descriptors: u64,
    pub(crate) tx_doorbells: u64,
    /// Payload bytes sent by reference, copied by the CPU, and sent more than once.
    pub(crate) gathered_bytes: u64,
    pub(crate) payload_bytes_copied: u64,
    pub(crate) retransmitted_bytes: u64,
    /// Packets that were kept from TCP, because they could only do harm.
    pub(crate) guarded_packets: u64,
    /// Memory mapped for the device.
    pub(crate) maps: u64,
    pub(crate) unmaps: u64,
    pub(crate) mappings: u64,
    pub(crate) pinned_bytes: u64,
    pub(crate) pinned_bytes_peak: u64,
    /// What the thread did that had nothing to do.
    pub(crate) sleeps: u64,
    pub(crate) interrupts: u64,
    pub(crate) wake_ups: u64,
    pub(crate) spurious_wake_ups: u64,
}

impl From<&Counters> for Counts {
    fn from(counters: &Counters) -> Self {
        let Counters {
            nic,
            tx,
            stack,
            mapper,
            idle,
            ..
        } = counters;
        Self {
            nic: counters.driver.name().to_owned(),
            waits_for_interrupts: counters.interrupts,
            link_up: counters.link.up,
            link_mbps: counters.link.mbps,
            tx_packets: nic.tx_packets,
            tx_bytes: nic.tx_bytes,
            rx_packets: nic.rx_packets,
            rx_bytes: nic.rx_bytes,
            losses: Losses::from(counters),
            tx_segments: tx.segments,
            tx_descriptors: tx.descriptors,
            tx_doorbells: tx.doorbells,
            gathered_bytes: stack.egress.gathered_bytes,
            payload_bytes_copied: stack.payload_bytes_copied,
            retransmitted_bytes: stack.retransmitted_bytes,
            guarded_packets: stack.guarded,
            maps: mapper.maps,
            unmaps: mapper.unmaps,
            mappings: mapper.mappings as u64,
            pinned_bytes: mapper.pinned_bytes,
            pinned_bytes_peak: mapper.pinned_bytes_peak,
            sleeps: idle.sleeps,
            interrupts: idle.interrupts,
            wake_ups: idle.wake_ups,
            spurious_wake_ups: idle.spurious,
        }
    }
}

impl Counts {
    /// The lines that every summary has. What was lost is told where anything was.
    pub(crate) fn losses_memory_and_waits(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.losses.lines(f)?;
        line(
            f,
            "memory",
            format_args!(
                "{}, {}; {} pinned at most",
                count(self.maps, "map"),
                count(self.unmaps, "unmap"),
                count(self.pinned_bytes_peak, "byte")
            ),
        )?;
        let (sleeps, wake_ups) = (count(self.sleeps, "sleep"), count(self.wake_ups, "wake-up"));
        let how = if self.waits_for_interrupts {
            "interrupts"
        } else {
            "polling"
        };
        line(
            f,
            "waited by",
            format_args!(
                "{how}: {sleeps}, {wake_ups}, {}",
                count(self.interrupts, "interrupt")
            ),
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use pagewire::live::{Driver, Outcome};
    use pagewire_bus::MapperCounters;
    use pagewire_emu::cable::Lost;
    use pagewire_emu::wire::WireCounters;
    use pagewire_nic::idle::IdleCounters;
    use pagewire_nic::port::{Link, RxCounters, Statistics, TxCounters};
    use pagewire_stack::StackCounters;

    use super::*;

    /// What a machine that met some of every trouble has counted.
    pub(crate) fn outcome_with_losses() -> Outcome {
        let mut stack = StackCounters::default();
        stack.ingress.bad_checksums = 4;
        let nic = Statistics {
            rx_missed: 1_001,
            rx_crc_errors: 2,
            rx_length_errors: 3,
            rx_checksum_errors: 1,
            ..Statistics::default()
        };
        let rx = RxCounters {
            errors: 5,
            ..RxCounters::default()
        };
        let cable = Some(Lost {
            no_slot: 6,
            too_long: 7,
            malformed: 8,
            refused: 9,
            withdrawn: 1,
        });
        outcome(Counters {
            nic,
            rx,
            stack,
            wire: WireCounters {
                lost: 10,
                ..WireCounters::default()
            },
            cable,
            ..quiet()
        })
    }

    /// One that met none.
    pub(crate) fn outcome_without_losses() -> Outcome {
        outcome(quiet())
    }

    fn quiet() -> Counters {
        Counters {
            driver: Driver::Ixgbe,
            interrupts: true,
            link: Link::default(),
            nic: Statistics::default(),
            wire: WireCounters::default(),
            cable: None,
            tx: TxCounters::default(),
            rx: RxCounters::default(),
            stack: StackCounters::default(),
            mapper: MapperCounters::default(),
            idle: IdleCounters::default(),
        }
    }

    fn outcome(counters: Counters) -> Outcome {
        Outcome {
            seconds: 1.0,
            setup_seconds: 0.1,
            beginning_seconds: 0.0,
            beginning_cpu_s: 0.0,
            cpu_s: 0.1,
            idle_poll_cpu_s: 0.0,
            device_cpu_s: 0.0,
            counters,
        }
    }

    /// What every report says of these two, as JSON and in words.
    pub(crate) fn tells_losses(report: impl Fn(&Outcome) -> (serde_json::Value, String)) {
        let (json, words) = report(&outcome_with_losses());
        for (field, frames) in [
            ("rx_missed", 1_001),
            ("rx_errors", 2 + 3 + 4),
            ("rx_crc_errors", 2),
            ("rx_length_errors", 3),
            ("rx_checksum_errors", 4),
            ("rx_discarded", 5),
            ("frames_lost_on_wire", 10),
        ] {
            assert_eq!(json[field], frames, "{field}");
        }
        let cable =
            serde_json::json!({"no_slot": 6, "too_long": 7, "malformed": 8, "refused": 9, "withdrawn": 1});
        assert_eq!(json["cable_lost"], cable);
        for told in [
            "  lost              1,001 frames for want of a buffer\n",
            "                    4 frames with a wrong IP, TCP or UDP checksum\n",
            "                    6 frames that found the cable's receive ring full\n",
        ] {
            assert!(words.contains(told), "{told} in {words}");
        }

        let (json, words) = report(&outcome_without_losses());
        for field in [
            "rx_missed",
            "rx_errors",
            "rx_crc_errors",
            "rx_discarded",
            "frames_lost_on_wire",
        ] {
            assert_eq!(json[field], 0, "{field}");
        }
        let fields = json.as_object().unwrap();
        assert!(fields["cable_lost"].is_null());
        assert!(!words.contains("lost"), "{words}");
    }

    #[test]
    fn what_a_board_says_of_losses_is_read_back() {
        let counts = Counts::from(&outcome_with_losses().counters);
        let said = serde_json::to_string(&counts).unwrap();
        assert_eq!(serde_json::from_str::<Counts>(&said).unwrap(), counts);
    }
}
