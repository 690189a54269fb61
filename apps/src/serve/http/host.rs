//! The host of a request (RFC 9110 §7.2, RFC 3986 §3.2.2): nothing hangs on it here, and still it is refused where it is none.
//! Somebody on the way may go by it, and read in it what we do not.

/// Whether `text` is a name or an address of a host, with a port or without. The name may be empty: some targets have none.
#[must_use]
pub fn is_host(text: &[u8]) -> bool {
    let (is_name, port) = match text {
        [b'[', literal @ ..] => match literal.iter().position(|&byte| byte == b']') {
            Some(end) => {
                let (address, rest) = literal.split_at(end);
                let is_address =
                    !address.is_empty() && address.iter().all(|&byte| byte == b':' || is_of_name(byte));
                (is_address, &rest[1..])
            }
            None => return false,
        },
        _ => {
            let end = text.iter().position(|&byte| byte == b':').unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            (name.iter().all(|&byte| is_of_name(byte)), rest)
        }
    };
    is_name
        && match port {
            [] => true,
            [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
            _ => false,
        }
}

/// What the name of a host may have in it.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3986_3_2_2_names_and_addresses_are_hosts_with_a_port_or_without() {
        for host in [
            "",
            "a",
            "a:80",
            "a:",
            "10.0.0.2:8080",
            "[fd00::2]",
            "[fd00::2]:80",
            "a_b.example",
            "%41",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn rfc9112_3_2_what_has_another_character_in_it_is_no_host() {
        for text in [
            "a b", "a/b", "u@a", "a?b", "a#b", "a\\b", "<a>", "a:b", "a:80:80", "[", "[fd00::2", "[]",
            "[::1]80", "é",
        ] {
            assert!(!is_host(text.as_bytes()), "{text}");
        }
    }
}
