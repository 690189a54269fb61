//! What the runs of one case come to: a row of every table, and of `--json`.
//!
//! Names and meanings are a promise to scripts: fields may be added, none renamed. GB are 10⁹ bytes.

use serde::Serialize;

use super::case::Case;
use super::sample::Sample;

/// A median with its extremes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    /// Of one or more values.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.as_slice() {
            [] => 0.0,
            values if values.len() % 2 == 1 => values[middle],
            values => f64::midpoint(values[middle - 1], values[middle]),
        };
        Self {
            median,
            min: values.first().copied().unwrap_or(0.0),
            max: values.last().copied().unwrap_or(0.0),
        }
    }
}

/// One case. What has no extremes beside it is a median.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// `method`, `path`, `receiver`, `cache`, `bytes`.
    #[serde(flatten)]
    pub(crate) case: Case,
    /// Runs that counted.
    pub(crate) runs: u64,
    pub(crate) gb_per_s: f64,
    pub(crate) gb_per_s_min: f64,
    pub(crate) gb_per_s_max: f64,
    /// The sending thread's; of pagewire: stack and driver, without the emulated device and without polls that found nothing.
    pub(crate) sender_cpu_s_per_gb: f64,
    pub(crate) sender_cpu_s_per_gb_min: f64,
    pub(crate) sender_cpu_s_per_gb_max: f64,
    /// Everybody's: both ends, the emulated devices, idle polls, and the kernel's ksoftirqd threads.
    pub(crate) total_cpu_s_per_gb: f64,
    pub(crate) total_cpu_s_per_gb_min: f64,
    pub(crate) total_cpu_s_per_gb_max: f64,
    pub(crate) receiver_cpu_s_per_gb: f64,
    /// The emulated devices', whose work silicon would do.
    pub(crate) device_cpu_s_per_gb: f64,
    /// Polls of pagewire's sender that found nothing.
    pub(crate) idle_poll_cpu_s_per_gb: f64,
    /// Before the clock starts, where that is apart: NICs started, memory had, the file's pages mapped for the device.
    pub(crate) ready_seconds: f64,
    /// Copies of a payload byte by the sender's CPU, by what stands for a device's DMA, and by the receiver's CPU.
    pub(crate) sender_copies_per_byte: f64,
    pub(crate) device_copies_per_byte: f64,
    pub(crate) receiver_copies_per_byte: f64,
    /// Of both threads, voluntary and not.
    pub(crate) context_switches: f64,
    /// Of both threads, counted where they are made.
    pub(crate) system_calls: f64,
    /// Bytes handed over by the sender and not yet with the receiver, at most.
    pub(crate) in_flight_bytes: f64,
    /// Memory beside the file's own pages for each of them.
    pub(crate) extra_memory_per_byte_in_flight: f64,
    /// Of what the kernel was asked not to copy, the share of which it reported that it did; null for methods that report nothing.
    pub(crate) reported_copied: Option<f64>,
    /// The share of the file that was in the page cache before a run.
    pub(crate) resident: f64,
}

impl Row {
    /// Of one or more samples of a case.
    pub(crate) fn of(case: Case, samples: &[Sample]) -> Self {
        let of = |value: fn(&Sample) -> f64| Spread::of(samples.iter().map(value));
        let rate = of(|sample| sample.bytes / 1e9 / sample.seconds.max(1e-9));
        let per_gb = |value: fn(&Sample) -> f64| {
            Spread::of(samples.iter().map(|sample| value(sample) / (sample.bytes / 1e9)))
        };
        let per_byte = |value: fn(&Sample) -> f64| {
            Spread::of(samples.iter().map(|sample| value(sample) / sample.bytes)).median
        };
        let sender = per_gb(|sample| sample.sender_cpu);
        let total = per_gb(|sample| sample.total_cpu);
        let reported: Option<Vec<f64>> = samples
            .iter()
            .map(|sample| sample.reported_copied.map(|copied| copied / sample.bytes))
            .collect();
        Self {
            case,
            runs: samples.len() as u64,
            gb_per_s: rate.median,
            gb_per_s_min: rate.min,
            gb_per_s_max: rate.max,
            sender_cpu_s_per_gb: sender.median,
            sender_cpu_s_per_gb_min: sender.min,
            sender_cpu_s_per_gb_max: sender.max,
            total_cpu_s_per_gb: total.median,
            total_cpu_s_per_gb_min: total.min,
            total_cpu_s_per_gb_max: total.max,
            receiver_cpu_s_per_gb: per_gb(|sample| sample.receiver_cpu).median,
            device_cpu_s_per_gb: per_gb(|sample| sample.device_cpu).median,
            idle_poll_cpu_s_per_gb: per_gb(|sample| sample.idle_poll_cpu).median,
            ready_seconds: of(|sample| sample.ready_seconds).median,
            sender_copies_per_byte: per_byte(|sample| sample.sender_copied),
            device_copies_per_byte: per_byte(|sample| sample.device_copied),
            receiver_copies_per_byte: per_byte(|sample| sample.receiver_copied),
            context_switches: of(|sample| sample.switches).median,
            system_calls: of(|sample| sample.system_calls).median,
            in_flight_bytes: of(|sample| sample.in_flight).median,
            extra_memory_per_byte_in_flight: of(|sample| sample.extra_memory / sample.in_flight.max(1.0))
                .median,
            reported_copied: reported.map(|shares| Spread::of(shares.into_iter()).median),
            resident: of(|sample| sample.resident).median,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bench::case::{Cache, Path, Way};
    use pagewire_kernel_methods::{Method, Receiver};

    pub(crate) fn example(way: Way, path: Path, gb_per_s: f64) -> Row {
        let case = Case {
            bytes: 1_000_000_000,
            cache: Cache::Warm,
            receiver: Receiver::Blocking,
            way,
            path,
        };
        let sample = Sample {
            bytes: 1e9,
            seconds: 1.0 / gb_per_s,
            sender_cpu: 0.5 / gb_per_s,
            total_cpu: 1.0 / gb_per_s,
            ..Sample::default()
        };
        Row::of(case, &[sample])
    }

    #[test]
    fn the_median_lies_between_its_extremes_whatever_their_number() {
        let of = |values: &[f64]| Spread::of(values.iter().copied());
        let odd = of(&[3.0, 1.0, 2.0]);
        assert_eq!((odd.median, odd.min, odd.max), (2.0, 1.0, 3.0));
        assert_eq!(of(&[4.0, 1.0]).median, 2.5);
        assert_eq!(of(&[]).median, 0.0);
    }

    #[test]
    fn rates_are_by_10_to_the_9_bytes() {
        let row = example(Way::Kernel(Method::Sendfile), Path::Veth, 2.0);
        assert_eq!((row.gb_per_s, row.sender_cpu_s_per_gb), (2.0, 0.25));
        assert_eq!(row.reported_copied, None);
    }

    #[test]
    fn every_promised_field_is_there() {
        let row = serde_json::to_value(example(Way::ZeroCopy, Path::Pair, 8.0)).unwrap();
        let promised = "method path receiver cache bytes gb_per_s sender_cpu_s_per_gb total_cpu_s_per_gb \
            sender_copies_per_byte receiver_copies_per_byte context_switches system_calls \
            extra_memory_per_byte_in_flight resident";
        for field in promised.split_whitespace() {
            assert!(!row[field].is_null(), "{field}");
        }
    }
}
