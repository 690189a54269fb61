//! The key by which a connection is found.

use std::hash::{Hash, Hasher};

use smoltcp::wire::{IpAddress, IpEndpoint, Ipv4Address, Ipv6Address};

/// A connection as a key: both endpoints, compact, cheap to compare and to hash.
///
/// IPv4 and IPv6 never compare equal, an IPv4-mapped IPv6 address included. The hash folds the local
/// address into the remote one: a host has few local addresses, so a stranger gains no collisions by it.
/// Use it with a keyed hasher all the same; the remote half is the stranger's choice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FourTuple {
    remote: [u64; 2],
    local: [u64; 2],
    /// IP version << 32 | local port << 16 | remote port.
    ports: u64,
}

impl FourTuple {
    /// The connection between `local`, this side, and `remote`.
    pub fn new(local: IpEndpoint, remote: IpEndpoint) -> Self {
        let version = match (local.addr, remote.addr) {
            (IpAddress::Ipv4(_), IpAddress::Ipv4(_)) => 4,
            _ => 6,
        };
        Self {
            remote: words(remote.addr),
            local: words(local.addr),
            ports: version << 32 | u64::from(local.port) << 16 | u64::from(remote.port),
        }
    }

    /// This side.
    pub fn local(&self) -> IpEndpoint {
        IpEndpoint::new(self.address(self.local), (self.ports >> 16) as u16)
    }

    /// The far side.
    pub fn remote(&self) -> IpEndpoint {
        IpEndpoint::new(self.address(self.remote), self.ports as u16)
    }

    fn address(&self, [high, low]: [u64; 2]) -> IpAddress {
        if self.ports >> 32 == 4 {
            IpAddress::Ipv4(Ipv4Address::from_bits(low as u32))
        } else {
            IpAddress::Ipv6(Ipv6Address::from_bits(u128::from(high) << 64 | u128::from(low)))
        }
    }
}

impl Hash for FourTuple {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.remote[0] ^ self.local[0]);
        state.write_u64(self.remote[1] ^ self.local[1]);
        state.write_u64(self.ports);
    }
}

impl std::fmt::Debug for FourTuple {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} <- {}", self.local(), self.remote())
    }
}

fn words(address: IpAddress) -> [u64; 2] {
    match address {
        IpAddress::Ipv4(address) => [0, u64::from(address.to_bits())],
        IpAddress::Ipv6(address) => {
            let bits = address.to_bits();
            [(bits >> 64) as u64, bits as u64]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::{BuildHasher, RandomState};

    fn tuples() -> Vec<FourTuple> {
        let addresses: [[IpAddress; 2]; 3] = [
            ["10.0.0.1", "10.0.0.2"],
            ["fd00::1", "fd00::2"],
            ["::ffff:10.0.0.1", "::ffff:10.0.0.2"],
        ]
        .map(|pair| pair.map(|address| address.parse().unwrap()));
        let mut tuples = Vec::new();
        for [one, other] in addresses {
            for (local, remote) in [(one, other), (other, one), (one, one)] {
                for ports in [(80, 4000), (4000, 80), (80, 4001)] {
                    tuples.push(FourTuple::new((local, ports.0).into(), (remote, ports.1).into()));
                }
            }
        }
        tuples
    }

    #[test]
    fn every_end_port_and_ip_version_makes_a_key_of_its_own() {
        assert_eq!(tuples().into_iter().collect::<HashSet<_>>().len(), tuples().len());
    }

    #[test]
    fn a_key_gives_its_endpoints_back() {
        for tuple in tuples() {
            assert_eq!(FourTuple::new(tuple.local(), tuple.remote()), tuple);
        }
        let tuple = tuples()[0];
        assert_eq!(format!("{tuple:?}"), "10.0.0.1:80 <- 10.0.0.2:4000");
    }

    #[test]
    fn equal_keys_hash_alike_and_different_remotes_differently() {
        let state = RandomState::new();
        let hashes: HashSet<u64> = (0..10_000u32)
            .map(|n| {
                let remote = IpEndpoint::new(
                    IpAddress::Ipv4(Ipv4Address::from_bits(0x0a00_0000 + n / 4)),
                    n as u16,
                );
                state.hash_one(FourTuple::new((IpAddress::v4(10, 0, 0, 1), 80).into(), remote))
            })
            .collect();
        assert_eq!(hashes.len(), 10_000);
        assert_eq!(state.hash_one(tuples()[5]), state.hash_one(tuples()[5]));
    }

    #[test]
    fn a_key_is_five_words() {
        assert_eq!(size_of::<FourTuple>(), 40);
    }
}
