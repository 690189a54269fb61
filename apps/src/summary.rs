//! The same report in words, for people.

use std::fmt::{self, Display, Formatter};

use crate::report::Report;

/// Prints as some lines of text.
pub(crate) struct Summary<'a>(pub(crate) &'a Report);

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let nic = match report.nic {
            "e1000" => "82540EM",
            "e1000e" => "82574L",
            _ => "82599",
        };
        let verdict = if report.verified {
            "arrived whole"
        } else {
            "arrived, but NOT as the file is"
        };
        let tso = if report.tso { "on" } else { "off" };
        writeln!(f, "{}: {} {verdict}", report.file, count(report.bytes, "byte"))?;
        line(
            f,
            "over",
            format_args!(
                "an {} {nic}, {}, MTU {}, TSO {tso}",
                report.backend, report.mode, report.mtu
            ),
        )?;
        line(
            f,
            "time",
            format_args!("{}{}", time(report.seconds), rates(report)),
        )?;
        line(
            f,
            "made ready in",
            format_args!(
                "{} before that (NICs, memory, the file's pages)",
                time(report.setup_seconds)
            ),
        )?;
        if let Some(seconds) = report.virtual_seconds {
            line(f, "simulated time", format_args!("{}", time(seconds)))?;
        }
        line(
            f,
            "CPU per GB",
            format_args!(
                "sender {}, receiver {}, emulated NICs {}",
                cpu(report.sender_cpu_s_per_gb),
                cpu(report.receiver_cpu_s_per_gb),
                cpu(report.device_cpu_s_per_gb)
            ),
        )?;
        let copied = count(report.payload_bytes_copied_by_sender_cpu, "payload byte");
        line(f, "copied by CPU", format_args!("{copied} on the sender"))?;
        line(
            f,
            "handed to the NIC",
            format_args!(
                "{}, {}, {}",
                count(report.tx_descriptors, "descriptor"),
                count(report.tx_doorbells, "doorbell"),
                count(report.tx_segments, "TSO segment")
            ),
        )?;
        let lost = count(report.frames_lost_on_wire, "frame");
        let again = count(report.retransmitted_bytes, "byte");
        line(f, "sent again", format_args!("{again}; {lost} lost on the wire"))?;
        match report.iommu_violations {
            0 => line(
                f,
                "sanitizer",
                format_args!("no rule broken ({})", report.sanitizer),
            )?,
            broken => line(
                f,
                "sanitizer",
                format_args!("{} ({})", count(broken, "violation"), report.sanitizer),
            )?,
        }
        for violation in &report.violations {
            line(f, "", format_args!("{violation}"))?;
        }
        line(f, "SHA-256", format_args!("{}", report.sha256))
    }
}

/// One line of a summary.
pub(crate) fn line(f: &mut Formatter<'_>, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(f, "  {name:<18}{value}")
}

fn rates(report: &Report) -> String {
    match report.memcpy_gb_per_s {
        Some(memcpy) => format!(", {:.2} GB/s (memcpy here: {memcpy:.2} GB/s)", report.gb_per_s),
        None if report.bytes == 0 => String::new(),
        None => format!(", {:.2} GB/s", report.gb_per_s),
    }
}

/// `12.345 ms`, `1.234 s`
pub(crate) fn time(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.3} ms", seconds * 1e3)
    } else {
        format!("{seconds:.3} s")
    }
}

fn cpu(seconds: f64) -> String {
    format!("{seconds:.4} s")
}

/// `1,234 bytes`, `1 byte`
pub(crate) fn count(number: u64, thing: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let plural = if number == 1 { "" } else { "s" };
    format!("{grouped} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::example;

    #[test]
    fn numbers_are_grouped_and_things_counted() {
        assert_eq!(count(0, "byte"), "0 bytes");
        assert_eq!(count(1, "byte"), "1 byte");
        assert_eq!(count(999, "byte"), "999 bytes");
        assert_eq!(count(1_000, "byte"), "1,000 bytes");
        assert_eq!(count(12_345_678, "frame"), "12,345,678 frames");
    }

    #[test]
    fn a_good_transfer_reads_well() {
        let words = Summary(&example(2_000_000_000)).to_string();
        assert!(words.contains("2,000,000,000 bytes arrived whole\n"), "{words}");
        assert!(
            words.contains("an emulated 82599, zero-copy, MTU 1500, TSO on\n"),
            "{words}"
        );
        assert!(
            words.contains("500.000 ms, 4.00 GB/s (memcpy here: 7.50 GB/s)\n"),
            "{words}"
        );
        assert!(words.contains("sender 0.0150 s,"), "{words}");
        assert!(words.contains("0 payload bytes on the sender\n"), "{words}");
        assert!(
            words.contains("1,234 descriptors, 0 doorbells, 0 TSO segments\n"),
            "{words}"
        );
        assert!(words.contains("no rule broken (on)\n"), "{words}");
    }

    #[test]
    fn a_bad_one_cannot_be_mistaken_for_it() {
        let broken = Report {
            verified: false,
            iommu_violations: 2,
            violations: vec!["frame-posted-twice: frame 7".into()],
            ..example(1)
        };
        let words = Summary(&broken).to_string();
        assert!(
            words.contains("1 byte arrived, but NOT as the file is\n"),
            "{words}"
        );
        assert!(words.contains("2 violations (on)\n"), "{words}");
        assert!(words.contains("frame-posted-twice: frame 7\n"), "{words}");
    }
}
