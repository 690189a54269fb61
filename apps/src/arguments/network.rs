//! Who a machine is on its network.

use std::net::{IpAddr, SocketAddr};

use clap::{Args, ValueEnum};
use pagewire::live::{Settings, Waiting};
use pagewire_stack::{IpAddress, IpCidr, IpEndpoint, StackConfig, VlanId};

use super::random;

/// Who the machine is on its network.
#[derive(Args, Debug)]
pub(crate) struct NetworkArguments {
    /// An own address with the length of its prefix (192.168.1.5/24, fd00::5/64); may be given several times
    #[arg(long, value_name = "ADDRESS/LENGTH", value_parser = own_address)]
    pub(crate) ip: Vec<IpCidr>,

    /// The default gateway; one of IPv4 and one of IPv6 may be given
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) gateway: Vec<IpAddress>,

    /// Ask a DHCP server for an IPv4 address and gateway
    #[arg(long)]
    pub(crate) dhcp: bool,

    /// The VLAN whose tag all frames have, 1 to 4094
    #[arg(long, value_name = "ID")]
    pub(crate) vlan: Option<VlanId>,

    /// What to do while nothing happens: sleep until the NIC interrupts, or look again and again
    #[arg(long, value_enum, default_value_t = WaitChoice::Interrupts)]
    pub(crate) wait: WaitChoice,
}

/// `--wait`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WaitChoice {
    /// Sleep until the NIC interrupts
    Interrupts,
    /// Look again and again, with naps
    Polling,
}

impl NetworkArguments {
    /// Whether anything of it was asked for.
    pub(crate) fn is_given(&self) -> bool {
        let addressed = !self.ip.is_empty() || !self.gateway.is_empty() || self.dhcp;
        addressed || self.vlan.is_some() || self.wait != WaitChoice::Interrupts
    }

    /// The machine that was asked for, with random numbers that nobody can guess.
    pub(crate) fn settings(&self, mtu: u16) -> Result<Settings, String> {
        if self.ip.is_empty() && !self.dhcp {
            return Err(
                "a machine needs an address on its network: --ip 192.168.1.5/24 (and --gateway, to reach others), \
                 or --dhcp"
                    .into(),
            );
        }
        let stack = StackConfig {
            addresses: self.ip.clone(),
            gateways: self.gateway.clone(),
            dhcp: self.dhcp,
            vlan: self.vlan,
            mtu: mtu.into(),
            ..StackConfig::by_dhcp(random::seed())
        };
        let waiting = match self.wait {
            WaitChoice::Interrupts => Waiting::Interrupts,
            WaitChoice::Polling => Waiting::Naps,
        };
        Ok(Settings { stack, waiting })
    }
}

/// An address of one's own, with its prefix.
fn own_address(text: &str) -> Result<IpCidr, String> {
    let read = || {
        let (address, length) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let length: u8 = length.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        (length <= longest).then(|| IpCidr::new(address.into(), length))
    };
    read().ok_or_else(|| {
        "an address has the length of its prefix behind it: 192.168.1.5/24 or fd00::5/64".into()
    })
}

/// An address of somebody else.
pub(crate) fn address(text: &str) -> Result<IpAddress, String> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(address.into()),
        Err(_) => Err("an address is written as 192.168.1.1 or fd00::1; names are not looked up here".into()),
    }
}

/// An address and a port of somebody else.
pub(crate) fn endpoint(text: &str) -> Result<IpEndpoint, String> {
    match text.parse::<SocketAddr>() {
        Ok(endpoint) => Ok(endpoint.into()),
        Err(_) => Err(
            "a peer is an address and a port, 192.168.1.9:5001 or [fd00::9]:5001; names are not looked up here".into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_have_a_prefix_that_fits() {
        for good in [
            "10.0.0.1/24",
            "10.0.0.1/32",
            "fd00::1/64",
            "fe80::1/128",
            "10.0.0.1/0",
        ] {
            assert!(own_address(good).is_ok(), "{good}");
        }
        for bad in [
            "10.0.0.1",
            "10.0.0.1/33",
            "fd00::1/129",
            "10.0.0/24",
            "/24",
            "10.0.0.1/",
            "host/24",
            "10.0.0.1/-1",
        ] {
            assert!(own_address(bad).unwrap_err().contains("192.168.1.5/24"), "{bad}");
        }
    }

    #[test]
    fn peers_have_a_port_and_are_no_names() {
        assert_eq!(
            endpoint("10.0.0.2:80"),
            Ok(IpEndpoint::new(IpAddress::v4(10, 0, 0, 2), 80))
        );
        assert!(endpoint("[fd00::2]:80").is_ok());
        for bad in [
            "10.0.0.2",
            "example.org:80",
            "fd00::2:80",
            "10.0.0.2:65536",
            ":80",
            "",
        ] {
            assert!(endpoint(bad).unwrap_err().contains("[fd00::9]:5001"), "{bad}");
        }
    }
}
