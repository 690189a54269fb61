//! Where a function sits: domain, bus, slot, function, as `lspci` and sysfs write it.

use std::fmt;
use std::str::FromStr;

/// The address of a PCI function. Written as sysfs does, `0000:00:03.0`, which is also the name of its folder under
/// `/sys/bus/pci/devices`; the domain may be left out when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    domain: u32,
    bus: u8,
    slot: u8,
    function: u8,
}

/// A text that is no [`PciAddress`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not the address of a PCI device: write it as `lspci -D` or `pagewire list` shows it, like 0000:00:03.0"
)]
pub struct BadPciAddress {
    /// What was read.
    pub text: String,
}

impl FromStr for PciAddress {
    type Err = BadPciAddress;

    fn from_str(text: &str) -> Result<Self, BadPciAddress> {
        parse(text).ok_or_else(|| BadPciAddress {
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            domain,
            bus,
            slot,
            function,
        } = self;
        write!(f, "{domain:04x}:{bus:02x}:{slot:02x}.{function:x}")
    }
}

/// Four hexadecimal digits of domain (a virtual one, as those of Intel's VMD, may have more), two of bus, two of slot
/// (0 to 1f), one of function (0 to 7).
fn parse(text: &str) -> Option<PciAddress> {
    let (front, function) = text.rsplit_once('.')?;
    let (front, slot) = front.rsplit_once(':')?;
    let (domain, bus) = front.rsplit_once(':').unwrap_or(("0000", front));
    let domain_digits = domain.len().clamp(4, 8);
    let address = PciAddress {
        domain: hex(domain, domain_digits)?,
        bus: u8::try_from(hex(bus, 2)?).ok()?,
        slot: u8::try_from(hex(slot, 2)?).ok()?,
        function: u8::try_from(hex(function, 1)?).ok()?,
    };
    (address.slot < 0x20 && address.function < 8).then_some(address)
}

/// A number of exactly `digits` hexadecimal digits: `from_str_radix` alone would take a sign.
fn hex(text: &str, digits: usize) -> Option<u32> {
    let is_hex = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_as_sysfs_names_it() {
        for (text, shown) in [
            ("0000:00:03.0", "0000:00:03.0"),
            ("00:03.0", "0000:00:03.0"),
            ("af:1F.7", "0000:af:1f.7"),
            ("00ab:CD:00.1", "00ab:cd:00.1"),
            ("10000:e1:00.0", "10000:e1:00.0"),
        ] {
            let address: PciAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in [
            "",
            "eth0",
            "3",
            "00:03",
            "03.0",
            "0:3.0",
            "00:3.0",
            "00:20.0",
            "00:03.8",
            "00:03.00",
            "000:00:03.0",
            "0000:00:03.0 ",
            " 00:03.0",
            "+0:03.0",
            "00:03.-1",
            "0000:0000:00:03.0",
            "0000:00:03:0",
            "../..",
            "123456789:00:03.0",
            ":00:03.0",
            "00:0\u{663}.0",
        ] {
            let error = text.parse::<PciAddress>().unwrap_err();
            assert!(error.to_string().contains(&format!("`{text}`")), "{error}");
            assert!(error.to_string().contains("like 0000:00:03.0"), "{error}");
        }
    }
}
