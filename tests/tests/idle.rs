//! What connections at rest cost: memory, and the time of those that are not at rest.

use pagewire_cost::private_memory;
use pagewire_emu::sanitizer::Level;
use pagewire_tests::{Pair, Setup, address_v4};

const COUNT: usize = 10_000;
/// The most private memory of a connection at rest, in bytes.
const LIMIT: u64 = 4 << 10;

/// Memory of this process that is nobody else's, in bytes.
fn private_bytes() -> u64 {
    private_memory(std::process::id()).unwrap().all
}

#[test]
fn ten_thousand_connections_at_rest_take_less_than_four_kilobytes_each_and_so_they_do_after_use() {
    let mut pair = Pair::new(&Setup {
        level: Level::On,
        ..Setup::default()
    });
    // What two machines take that have a connection each.
    pair.connect(address_v4(2));
    let before = private_bytes();
    let ends: Vec<_> = (0..COUNT).map(|_| pair.connect(address_v4(2))).collect();
    pair.run_for(10);
    // Two ends each.
    let each = |bytes: u64| bytes.saturating_sub(before) / (2 * COUNT as u64);
    let fresh = each(private_bytes());
    println!("{fresh} bytes for a connection that was never used");
    let request = [b'a'; 3000];
    for &(near, far) in &ends {
        pair.near.stack.send_bytes(near, &request).unwrap();
        let mut taken = 0;
        pair.run_until(10, |pair| {
            taken += pair.far.stack.receive(far, <[u8]>::len);
            taken == request.len()
        });
        pair.far.stack.send_bytes(far, &request).unwrap();
        let mut taken = 0;
        pair.run_until(10, |pair| {
            taken += pair.near.stack.receive(near, <[u8]>::len);
            taken == request.len()
        });
    }
    let busy = each(private_bytes());
    pair.run_for(10);
    let used = each(private_bytes());
    println!("{busy} bytes for one that was just used, {used} for one that was");
    assert!(
        fresh < LIMIT,
        "a connection that was never used takes {fresh} bytes"
    );
    assert!(used < LIMIT, "a connection that was used takes {used} bytes");
    pair.finish();
}
