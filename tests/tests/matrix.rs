//! A file goes over the wire whole: every NIC, mode, MTU, segmentation setting and kind of fault, under
//! simulated time, from fixed seeds, each run twice with equal traces.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::sync::atomic::{AtomicBool, AtomicU64};

use pagewire::transfer::{self, Impairments, Mode, NicModel, Outcome, Plan, SanitizerLevel, Sink};
use twox_hash::XxHash3_128;

/// Faults on the wire: none, each alone, all together.
const FAULTS: [[f64; 4]; 6] = [
    [0.0, 0.0, 0.0, 0.0],
    [0.02, 0.0, 0.0, 0.0],
    [0.0, 0.02, 0.0, 0.0],
    [0.0, 0.0, 0.02, 0.0],
    [0.0, 0.0, 0.0, 0.02],
    [0.01, 0.01, 0.01, 0.01],
];
const SEEDS: [u64; 2] = [1, 0x5eed_cafe];
/// No power of two, no multiple of any segment.
const LENGTH: u64 = 300_007;

/// Hashes what arrives, and counts the calls: two equal runs deliver in equal portions.
struct Witness {
    content: XxHash3_128,
    portions: Vec<usize>,
}

impl Sink for Witness {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.content.write(bytes);
        self.portions.push(bytes.len());
        Ok(())
    }
}

fn pattern(len: u64) -> (File, u128) {
    let mut file = tempfile::tempfile().unwrap();
    let mut bytes = Vec::with_capacity(len as usize);
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    while (bytes.len() as u64) < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len as usize);
    file.write_all(&bytes).unwrap();
    (file, XxHash3_128::oneshot(&bytes))
}

/// What a run shows: outcome without times, content, portions, and the capture of every frame.
struct Trace {
    outcome: Outcome,
    content: u128,
    portions: Vec<usize>,
    capture: Vec<u8>,
}

fn run(
    file: &File,
    nic: NicModel,
    mode: Mode,
    mtu: u16,
    tso: bool,
    [loss, duplicate, reorder, corrupt]: [f64; 4],
    seed: u64,
) -> Trace {
    let mut pcap = tempfile::tempfile().unwrap();
    let plan = Plan {
        file: file.try_clone().unwrap(),
        declared_len: LENGTH,
        nic,
        mode,
        mtu,
        tso,
        impairments: Impairments {
            loss,
            duplicate,
            reorder,
            corrupt,
            seed,
        },
        virtual_time: true,
        sanitizer: SanitizerLevel::Full,
        spinning_receiver: false,
        pcap: Some(pcap.try_clone().unwrap()),
    };
    let mut witness = Witness {
        content: XxHash3_128::new(),
        portions: vec![],
    };
    let progress = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let what = format!(
        "{nic:?} {mode:?} mtu {mtu} tso {tso} faults {loss}/{duplicate}/{reorder}/{corrupt} seed {seed}"
    );
    let outcome =
        transfer::run(plan, &mut witness, &progress, &stop).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(outcome.violations, Vec::<String>::new(), "{what}");
    let mut capture = vec![];
    pcap.rewind().unwrap();
    pcap.read_to_end(&mut capture).unwrap();
    Trace {
        outcome,
        content: witness.content.finish_128(),
        portions: witness.portions,
        capture,
    }
}

fn matrix(nic: NicModel, mode: Mode) {
    let (file, content) = pattern(LENGTH);
    for mtu in [576, 1500, 9000] {
        for tso in [true, false] {
            for faults in FAULTS {
                for seed in SEEDS {
                    let what = format!("{nic:?} {mode:?} mtu {mtu} tso {tso} faults {faults:?} seed {seed}");
                    let [first, second] = [0, 1].map(|_| run(&file, nic, mode, mtu, tso, faults, seed));
                    assert_eq!(first.outcome.bytes_received, LENGTH, "{what}");
                    assert_eq!(
                        first.content, content,
                        "{what}: the bytes that arrived are not the file's"
                    );
                    assert!(
                        first.portions == second.portions,
                        "{what}: two runs delivered differently"
                    );
                    assert!(
                        first.capture == second.capture,
                        "{what}: two runs put different frames on the wire"
                    );
                    assert_eq!(
                        first.outcome.virtual_seconds, second.outcome.virtual_seconds,
                        "{what}"
                    );
                    let copied = first.outcome.payload_bytes_copied;
                    match mode {
                        Mode::ZeroCopy => assert_eq!(copied, 0, "{what}: payload was copied"),
                        Mode::Copy => assert!(copied >= 2 * LENGTH, "{what}: copies were not counted"),
                    }
                    if faults[0] >= 0.02 && mtu < 9000 {
                        assert!(first.outcome.frames_lost_on_wire > 0, "{what}: nothing was lost");
                        assert!(
                            first.outcome.retransmitted_bytes > 0,
                            "{what}: nothing was sent again"
                        );
                    }
                    if tso && mtu == 1500 && faults == FAULTS[0] {
                        assert!(
                            first.outcome.tx_segments > 0,
                            "{what}: the device segmented nothing"
                        );
                    }
                    if !tso {
                        assert_eq!(first.outcome.tx_segments, 0, "{what}");
                    }
                    // Once is enough where there are no dice.
                    if faults == FAULTS[0] {
                        break;
                    }
                }
            }
        }
    }
}

#[test]
fn ixgbe_zero_copy_arrives_whole_and_repeats() {
    matrix(NicModel::Ixgbe, Mode::ZeroCopy);
}

#[test]
fn ixgbe_copy_arrives_whole_and_repeats() {
    matrix(NicModel::Ixgbe, Mode::Copy);
}

#[test]
fn e1000_zero_copy_arrives_whole_and_repeats() {
    matrix(NicModel::E1000, Mode::ZeroCopy);
}

#[test]
fn e1000_copy_arrives_whole_and_repeats() {
    matrix(NicModel::E1000, Mode::Copy);
}

#[test]
fn e1000e_zero_copy_arrives_whole_and_repeats() {
    matrix(NicModel::E1000e, Mode::ZeroCopy);
}

#[test]
fn e1000e_copy_arrives_whole_and_repeats() {
    matrix(NicModel::E1000e, Mode::Copy);
}
