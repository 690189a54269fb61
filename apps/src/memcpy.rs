//! The yardstick: how fast one thread of this machine copies memory, DRAM to DRAM, in calls of 64 KiB.
//!
//! Both buffers are far larger than the cache (the largest L3 seen so far holds 260 MiB), so that no byte is read or
//! written there. The measurement runs in a process of its own: its gigabyte is no part of what a transfer uses.

use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

const CALL: usize = 64 << 10;
const BUFFER: usize = 512 << 20;
const PASSES: usize = 3;

/// GB/s (10⁹ bytes a second), measured in a child process; `None` where that cannot be done, with a warning.
pub(crate) fn measure_apart() -> Option<f64> {
    match ask_child() {
        Ok(rate) => Some(rate),
        Err(cause) => {
            tracing::warn!("memcpy could not be measured: {cause}");
            None
        }
    }
}

fn ask_child() -> io::Result<f64> {
    let answer = Command::new(std::env::current_exe()?)
        .arg("memcpy")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()?;
    let words = String::from_utf8_lossy(&answer.stdout);
    match words.trim().parse() {
        Ok(rate) if answer.status.success() => Ok(rate),
        _ => Err(io::Error::other(format!(
            "the measuring process ended with {}",
            answer.status
        ))),
    }
}

/// GB/s, measured here: the median of some passes over the buffers.
pub(crate) fn measure() -> io::Result<f64> {
    let length = buffer_length();
    // Filling both faults every page in, so that the passes measure copying and nothing else.
    let source = filled(length, 0x5a)?;
    let mut target = filled(length, 0xa5)?;
    let mut rates: Vec<f64> = (0..PASSES).map(|_| one_pass(&source, &mut target)).collect();
    rates.sort_by(f64::total_cmp);
    Ok(rates[PASSES / 2])
}

fn one_pass(source: &[u8], target: &mut [u8]) -> f64 {
    let begin = Instant::now();
    for (from, to) in source.chunks_exact(CALL).zip(target.chunks_exact_mut(CALL)) {
        to.copy_from_slice(from);
        std::hint::black_box(to);
    }
    source.len() as f64 / 1e9 / begin.elapsed().as_secs_f64().max(1e-9)
}

fn filled(length: usize, value: u8) -> io::Result<Vec<u8>> {
    let mut buffer = Vec::new();
    buffer
        .try_reserve_exact(length)
        .map_err(|_| io::Error::other("not enough memory"))?;
    buffer.resize(length, value);
    Ok(buffer)
}

/// 512 MiB, or an eighth of what is free where that is less.
fn buffer_length() -> usize {
    let free = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| available(&text));
    let length = free.map_or(BUFFER, |free| (free / 8).min(BUFFER));
    (length - length % CALL).max(CALL)
}

/// Bytes of `MemAvailable` in the text of /proc/meminfo.
fn available(meminfo: &str) -> Option<usize> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_copies_every_byte_and_tells_a_rate() {
        let source = filled(4 * CALL, 1).unwrap();
        let mut target = filled(4 * CALL, 2).unwrap();
        let rate = one_pass(&source, &mut target);
        assert!(rate.is_finite() && rate > 0.0);
        assert_eq!(source, target);
    }

    #[test]
    fn free_memory_is_read_in_kibibytes() {
        assert_eq!(
            available("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"),
            Some(2048 * 1024)
        );
        assert_eq!(available("MemTotal: 9 kB\n"), None);
        assert_eq!(available("MemAvailable: many kB\n"), None);
    }

    #[test]
    fn buffers_are_whole_calls() {
        let length = buffer_length();
        assert!((CALL..=BUFFER).contains(&length) && length.is_multiple_of(CALL));
    }
}
