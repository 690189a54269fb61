//! What went over the wires, judged by Wireshark's dissectors.

use std::path::Path;
use std::process::Command;

/// One column each, as 0 for a bad checksum and 1 for a good one.
const CHECKSUMS: [&str; 5] = ["ip", "tcp", "udp", "icmp", "icmpv6"];
/// Set where a frame does not hold together, or ends too early.
const MALFORMED: [&str; 2] = ["_ws.malformed", "_ws.short"];
const BAD: &str = "0";
const GOOD: &str = "1";
/// A TCP checksum as it is, and as Wireshark wants it. QEMU's NICs write zero as all ones, which is the same number in
/// one's complement, and right to every receiver.
const ZERO: [&str; 2] = ["0xffff", "0x0000"];

/// Whether captures can be judged on this machine.
pub(crate) fn is_tshark_there() -> bool {
    Command::new("tshark").arg("--version").output().is_ok()
}

/// Fails if a frame of the capture is malformed or has a bad checksum, or if no checksum was looked at.
pub(crate) fn inspect(capture: &Path) {
    let mut tshark = Command::new("timeout");
    tshark.args(["120", "tshark", "-n", "-Q", "-r"]).arg(capture);
    for protocol in ["ip", "tcp", "udp"] {
        tshark.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    // Payload is noise, which one dissector or another would take for its own protocol, malformed.
    for port in [5001, 5002] {
        tshark.args(["-d", &format!("tcp.port=={port},data")]);
    }
    tshark.args([
        "-o",
        "tcp.analyze_sequence_numbers:FALSE",
        "-o",
        "tcp.desegment_tcp_streams:FALSE",
    ]);
    tshark.args(["-T", "fields", "-e", "frame.number"]);
    for protocol in CHECKSUMS {
        tshark.args(["-e", &format!("{protocol}.checksum.status")]);
    }
    for field in MALFORMED
        .into_iter()
        .chain(["tcp.checksum", "tcp.checksum_calculated"])
    {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().expect("`timeout` runs");
    let (frames, complaints) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let name = capture.display();
    assert!(
        output.status.success(),
        "tshark on {name}: {}: {complaints}",
        output.status
    );

    let mut good = 0;
    for frame in frames.lines() {
        let columns: Vec<&str> = frame.split('\t').collect();
        let (checksums, others) = columns[1..].split_at(CHECKSUMS.len());
        let (malformed, tcp) = others.split_at(MALFORMED.len());
        let is_bad = checksums
            .iter()
            .flat_map(|status| status.split(','))
            .any(|status| status == BAD);
        let is_malformed = malformed.iter().any(|told| !told.is_empty());
        assert!(
            !is_malformed && (!is_bad || tcp == ZERO),
            "{name}: bad frame (number, {CHECKSUMS:?}, {MALFORMED:?}): {frame}"
        );
        good += usize::from(checksums[1..].contains(&GOOD));
    }
    assert_ne!(good, 0, "{name}: no checksum was looked at");
}
