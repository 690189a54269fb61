//! Whatever stands in rings and registers: the device neither panics nor stands still, and a good frame goes
//! through afterwards.

mod raw;

use pagewire_bus::{Bar, Direction};
use pagewire_emu::Model;
use pagewire_spec::{Register, e1000, e1000e, ixgbe};
use proptest::prelude::*;
use raw::{MAC_A, MAC_B, MODELS, Memory, Raw, Setup, frame, pair_of};

/// A word near what a driver would write: random fields over a real address, length and format.
fn word() -> impl Strategy<Value = (u64, u64)> {
    let format = prop_oneof![
        Just(0_u64),
        Just(0x20 << 24),
        Just(0x2f << 24 | 1 << 20),
        Just(0x2b << 24 | 3 << 20),
        Just(0xab << 24 | 3 << 20),
        Just(0x20 << 24 | 2 << 20),
        any::<u32>().prop_map(u64::from),
    ];
    let address = prop_oneof![0_u64..1 << 20, any::<u64>()];
    let other = prop_oneof![
        Just(0x02_7f_00_00_u64),
        Just((1460_u64 << 16) | 20 << 8),
        any::<u32>().prop_map(u64::from)
    ];
    let len = prop_oneof![Just(0_u64), Just(54), Just(60), 0_u64..17_000];
    let paylen = prop_oneof![Just(0_u64), Just(60), Just(54)];
    (format, address, other, len, paylen, any::<bool>()).prop_map(
        |(format, address, other, len, paylen, plain)| {
            (
                address,
                format | len | if plain { paylen << 46 } else { other << 32 },
            )
        },
    )
}

fn models() -> impl Strategy<Value = Model> {
    prop::sample::select(MODELS.to_vec())
}

fn raw_pair(model: Model) -> (Raw, Raw) {
    let mut far = Setup::new(model, MAC_B);
    far.coalesce = true;
    pair_of(&Setup::new(model, MAC_A), &far)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_transmit_descriptor_breaks_the_device(
        model in models(),
        words in prop::collection::vec(word(), 1..100),
        tails in prop::collection::vec(0_u32..70, 1..8),
    ) {
        let (mut a, mut b) = raw_pair(model);
        b.post(60);
        for (slot, (address, second)) in words.iter().enumerate() {
            let address = if *address < 1 << 20 { a.out.iova + address } else { *address };
            a.tx.memory.set_words(slot as u32 % raw::SLOTS, [address, *second]);
        }
        for tail in tails {
            a.bar.write32(a.tx.tail, tail);
            a.step();
        }
        still_works(&mut a, &mut b);
    }

    #[test]
    fn no_receive_descriptor_breaks_the_device(
        model in models(),
        words in prop::collection::vec((prop_oneof![0_u64..1 << 18, any::<u64>()], any::<u64>()), 1..64),
        lens in prop::collection::vec(20_usize..9000, 1..20),
    ) {
        let (mut a, b) = raw_pair(model);
        for (slot, (address, second)) in words.iter().enumerate() {
            let address = if *address < 1 << 18 { b.inn.iova + address } else { *address };
            b.rx.memory.set_words(slot as u32, [address, *second]);
        }
        b.bar.write32(b.rx.tail, words.len() as u32 - 1);
        for len in lens {
            a.out.write(0, &frame(MAC_B, len));
            a.send(0, len);
        }
        let _ = b.nic.report();
    }

    #[test]
    fn no_register_write_breaks_the_device(
        model in models(),
        writes in prop::collection::vec((any::<prop::sample::Index>(), any::<u32>(), any::<u32>()), 1..200),
    ) {
        let (mut a, mut b) = raw_pair(model);
        b.post(60);
        a.out.write(0, &frame(MAC_B, 100));
        let rows: &[Register] = match model {
            Model::E1000 => e1000::REGISTERS,
            Model::E1000e => e1000e::REGISTERS,
            Model::Ixgbe => ixgbe::REGISTERS,
        };
        for (row, index, value) in writes {
            let row = row.get(rows);
            for bar in [&a.bar, &b.bar] {
                bar.write32(row.at(index % row.count), value);
                bar.read32(row.at(index % row.count));
            }
            a.send(0, 100);
        }
        let _ = (a.nic.report(), b.nic.report());
    }
}

/// Whatever happened, a queue that is set up again carries a frame.
fn still_works(a: &mut Raw, b: &mut Raw) {
    let (off, on) = match a.model {
        Model::E1000 | Model::E1000e => (
            (e1000::TCTL.offset, 0),
            e1000::Tctl::new().with_en(true).with_psp(true).into_bits(),
        ),
        Model::Ixgbe => (
            (ixgbe::TXDCTL.at(0), 0),
            ixgbe::Txdctl::new().with_enable(true).into_bits(),
        ),
    };
    a.bar.write32(off.0, off.1);
    a.tx.memory = Memory::new(&a.nic, 4096, Direction::Bidirectional);
    let rows: [&Register; 4] = match a.model {
        Model::E1000 | Model::E1000e => [&e1000::TDBAL, &e1000::TDBAH, &e1000::TDH, &e1000::TDT],
        Model::Ixgbe => [&ixgbe::TDBAL, &ixgbe::TDBAH, &ixgbe::TDH, &ixgbe::TDT],
    };
    let values = [a.tx.memory.iova as u32, (a.tx.memory.iova >> 32) as u32, 0, 0];
    for (row, value) in rows.into_iter().zip(values) {
        a.bar.write32(row.at(0), value);
    }
    a.bar.write32(off.0, on);
    a.tx.next = 0;
    let head = match b.model {
        Model::E1000 | Model::E1000e => b.read(&e1000::RDH),
        Model::Ixgbe => b.read(&ixgbe::RDH),
    };
    if head >= 58 {
        return;
    }
    a.out.write(0, &frame(MAC_B, 333));
    a.send(0, 333);
    assert_eq!(b.received(head).expect("arrived").0, frame(MAC_B, 333));
}
