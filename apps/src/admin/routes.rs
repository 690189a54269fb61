//! Who needs an interface: the default routes of IPv4 and IPv6, also by way of bridges, bonds and VLANs.

use super::system::System;

/// The route is usable (`RTF_UP` of linux/route.h).
const UP: u32 = 0x1;
/// The route says that there is no way (`RTF_REJECT`).
const REJECT: u32 = 0x200;

/// The interfaces from `interface` up to the one that a default route names; none if no such route rests on it.
pub(super) fn way_to_default_route(system: &System, interface: &str) -> Option<Vec<String>> {
    let routes = default_routes(system);
    let mut ways = vec![vec![interface.to_owned()]];
    let mut seen = vec![];
    while let Some(way) = ways.pop() {
        let Some(top) = way.last().filter(|top| !seen.contains(*top)).cloned() else {
            continue;
        };
        if routes.contains(&top) {
            return Some(way);
        }
        for entry in system.names(&format!("/sys/class/net/{top}")) {
            if let Some(upper) = entry.strip_prefix("upper_") {
                ways.push([&way[..], &[upper.to_owned()]].concat());
            }
        }
        seen.push(top);
    }
    None
}

fn default_routes(system: &System) -> Vec<String> {
    let v4 = system.read("/proc/net/route").unwrap_or_default();
    let v6 = system.read("/proc/net/ipv6_route").unwrap_or_default();
    let v4 = v4.lines().skip(1).filter_map(default_of_v4);
    v4.chain(v6.lines().filter_map(default_of_v6)).collect()
}

/// Interface, destination, gateway, flags, three counters, mask.
fn default_of_v4(line: &str) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [interface, destination, _, flags, _, _, _, mask, ..] = fields[..] else {
        return None;
    };
    let everything = is_zero(destination) && is_zero(mask);
    (everything && is_usable(flags)).then(|| interface.to_owned())
}

/// Destination and its prefix, source and its prefix, next hop, three counters, flags, interface.
fn default_of_v6(line: &str) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [destination, prefix, _, _, _, _, _, _, flags, interface] = fields[..] else {
        return None;
    };
    let everything = is_zero(destination) && is_zero(prefix);
    (everything && is_usable(flags)).then(|| interface.to_owned())
}

fn is_zero(hex: &str) -> bool {
    hex.bytes().all(|digit| digit == b'0')
}

fn is_usable(flags: &str) -> bool {
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & (UP | REJECT) == UP)
}
