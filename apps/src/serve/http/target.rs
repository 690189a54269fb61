//! Which file a request target names: percent-decoded, dot segments resolved, never above the root.
//!
//! This is the first wall. The second is the kernel's: the path that comes out is opened beneath the folder that is
//! served, whatever it says.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::Status;
use super::host::is_host;

/// What stands for itself in the path of a URI (RFC 3986 §3.3), as far as it needs no second thought.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'\'')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The target without what does not name a file: scheme, host, query. `None` where it is no path at all.
#[must_use]
pub fn path_of(target: &str) -> Option<&str> {
    let path = if target.starts_with('/') {
        target
    } else {
        // The absolute form (RFC 9112 §3.2.2): proxies are sent it, and servers must take it.
        let scheme = target.get(..7)?;
        if !scheme.eq_ignore_ascii_case("http://") {
            return None;
        }
        let rest = &target[7..];
        let (host, after) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // One without a host is none (RFC 9110 §4.2.1).
        if host.is_empty() || host.starts_with(':') || !is_host(host.as_bytes()) {
            return None;
        }
        if after.starts_with('/') { after } else { "/" }
    };
    let end = path.find('?').unwrap_or(path.len());
    Some(&path[..end])
}

/// The query with its question mark; empty where there is none.
#[must_use]
pub fn query_of(target: &str) -> &str {
    target.find('?').map_or("", |at| &target[at..])
}

/// A path beneath the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Names with slashes between them; empty for the root itself.
    pub path: Vec<u8>,
    /// Whether it ends in a slash, so that it must be a folder.
    pub folder: bool,
}

/// Finds the file that a path of a URI names.
///
/// # Errors
/// [`Status::BadRequest`]: it is no path, has a byte that no name has, or leads above the root.
pub fn resolve(path: &str) -> Result<Resolved, Status> {
    if !path.starts_with('/') || path.contains('#') || !has_whole_escapes(path.as_bytes()) {
        return Err(Status::BadRequest);
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    if decoded.contains(&0) {
        return Err(Status::BadRequest);
    }
    let mut names: Vec<&[u8]> = Vec::new();
    let mut folder = false;
    for name in decoded.split(|&byte| byte == b'/') {
        folder = matches!(name, b"" | b"." | b"..");
        match name {
            b"" | b"." => {}
            b".." => {
                names.pop().ok_or(Status::BadRequest)?;
            }
            name => names.push(name),
        }
    }
    Ok(Resolved {
        path: names.join(&b'/'),
        folder,
    })
}

/// The same path as a URI has it, from the root, with a slash at its end.
#[must_use]
pub fn folder_uri(path: &[u8]) -> String {
    let mut uri = String::from("/");
    for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
        uri.push_str(&encode(name));
        uri.push('/');
    }
    uri
}

/// One name as a URI has it.
#[must_use]
pub fn encode(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(text) => utf8_percent_encode(text, ENCODED).to_string(),
        Err(_) => percent_encoding::percent_encode(name, ENCODED).to_string(),
    }
}

/// Whether each percent sign has its two digits.
fn has_whole_escapes(path: &[u8]) -> bool {
    let is_escape =
        |rest: &[u8]| matches!(rest, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    path.iter()
        .enumerate()
        .all(|(at, &byte)| byte != b'%' || is_escape(&path[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(target: &str) -> String {
        String::from_utf8(resolve(target).unwrap().path).unwrap()
    }

    #[test]
    fn a_target_is_a_path_an_absolute_uri_or_nothing() {
        assert_eq!(path_of("/a/b?c=/d"), Some("/a/b"));
        assert_eq!(path_of("http://host:80/a?b"), Some("/a"));
        assert_eq!(path_of("HTTP://host"), Some("/"));
        assert_eq!(path_of("http://host?q=/x"), Some("/"));
        assert_eq!(path_of("*"), None);
        assert_eq!(path_of("host:443"), None);
        assert_eq!(path_of("ftp://host/a"), None);
        assert_eq!(path_of("http:/é"), None);
        for no_host in ["http:///a", "http://:80/a", "http://user@host/a", "http://ho st"] {
            assert_eq!(path_of(no_host), None, "{no_host}");
        }
        assert_eq!(query_of("/a?b?c"), "?b?c");
    }

    #[test]
    fn escapes_are_decoded_once() {
        assert_eq!(path("/a%20b/%c3%A9"), "a b/é");
        assert_eq!(path("/%2561"), "%61");
    }

    #[test]
    fn dot_segments_are_resolved_also_where_they_are_escaped() {
        assert_eq!(path("/a/./b/../c"), "a/c");
        assert_eq!(path("//a///b"), "a/b");
        assert_eq!(path("/a/%2e%2e/b"), "b");
        assert_eq!(path("/a%2f..%2fb"), "b");
        assert_eq!(path("/..a/..."), "..a/...");
    }

    #[test]
    fn what_ends_in_a_slash_or_a_dot_segment_is_a_folder() {
        for folder in ["/", "/a/", "/a/.", "/a/b/..", "/a%2f"] {
            assert!(resolve(folder).unwrap().folder, "{folder}");
        }
        assert!(!resolve("/a").unwrap().folder);
    }

    #[test]
    fn nothing_leads_above_the_root() {
        for bad in [
            "/..",
            "/../etc/passwd",
            "/a/../../b",
            "/%2e%2e/x",
            "/a/..%2f..%2fb",
            "/.%2e/",
        ] {
            assert_eq!(resolve(bad), Err(Status::BadRequest), "{bad}");
        }
    }

    #[test]
    fn broken_escapes_fragments_and_zero_bytes_are_no_paths() {
        for bad in ["/%", "/%2", "/%zz", "/a%00b", "/a#b", "a", ""] {
            assert_eq!(resolve(bad), Err(Status::BadRequest), "{bad}");
        }
    }

    #[test]
    fn a_name_that_is_encoded_is_the_same_when_decoded() {
        let name = "a b%/?#<\"é>&";
        assert_eq!(
            path(&format!("/{}", encode(name.replace('/', "").as_bytes()))),
            name.replace('/', "")
        );
        assert_eq!(folder_uri(b"a b/c"), "/a%20b/c/");
        assert_eq!(folder_uri(b""), "/");
        assert_eq!(encode(b"\xff"), "%FF");
    }
}
