//! Files over HTTP, from a server on one machine of a pair to clients on the other, by a clock that the test moves.

mod changing;
mod crowd;
mod ending;
mod limits;
mod site;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::atomic::AtomicBool;

use pagewire::serve::Limits;

use site::{Site, content, folder, head, head_len};

#[test]
fn a_file_arrives_as_it_is_with_nothing_of_it_copied() {
    let bytes = content(3_000_001, 1);
    let folder = folder(&[("big", &bytes), ("index.html", b"<p>"), ("empty", b"")]);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let (head, body) = site.fetch("GET /big", "");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(body == bytes, "other bytes arrived");
    assert_eq!(site.pair.near.stack.counters().payload_bytes_copied, 0);
    let (head, body) = site.fetch("GET /", "");
    assert!(
        head.contains("Content-Type: text/html\r\n") && body == b"<p>",
        "{head}"
    );
    let (head, body) = site.fetch("GET /empty", "");
    assert!(
        head.contains("Content-Length: 0\r\n") && body.is_empty(),
        "{head}"
    );
    let (head, body) = site.fetch("HEAD /big", "");
    assert!(
        head.contains("Content-Length: 3000001\r\n") && body.is_empty(),
        "{head}"
    );
    site.pair.finish();
}

#[test]
fn ranges_are_the_bytes_they_name_one_or_several() {
    let bytes = content(200_000, 2);
    let folder = folder(&[("a", &bytes)]);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let (head, body) = site.fetch("GET /a", "Range: bytes=70000-170000\r\n");
    assert!(
        head.starts_with("HTTP/1.1 206 ") && head.contains("bytes 70000-170000/200000"),
        "{head}"
    );
    assert!(body == bytes[70_000..=170_000]);
    let (head, body) = site.fetch("GET /a", "Range: bytes=0-99999,-100\r\n");
    let parts = String::from_utf8_lossy(&body)
        .matches("Content-Range: bytes")
        .count();
    assert!(head.starts_with("HTTP/1.1 206 ") && parts == 2, "{head}");
    let first = body
        .windows(100)
        .position(|run| run == &bytes[..100])
        .expect("the first part");
    assert!(body[first..first + 100_000] == bytes[..100_000]);
    assert!(
        body.windows(100).any(|run| run == &bytes[199_900..]),
        "the second part"
    );
}

#[test]
fn requests_that_were_sent_ahead_are_answered_in_their_order_in_whatever_pieces_they_come() {
    let names: Vec<String> = (0..20).map(|number| format!("f{number}")).collect();
    let bodies: Vec<Vec<u8>> = (0..20)
        .map(|number| content(1000 + 777 * number as usize, number))
        .collect();
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .map(String::as_str)
        .zip(bodies.iter().map(Vec::as_slice))
        .collect();
    let folder = folder(&files);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let requests: String = names
        .iter()
        .map(|name| format!("GET /{name} HTTP/1.1\r\nHost: h\r\n\r\n"))
        .collect();
    let mut visit = site.visit();
    for piece in requests.as_bytes().chunks(37) {
        site.say(&visit, std::str::from_utf8(piece).unwrap());
        site.round();
    }
    let total: usize = bodies.iter().map(Vec::len).sum();
    site.until(&mut visit, 60, |_, visit| {
        visit.arrived.len() > total && visit.arrived.ends_with(&bodies[19])
    });
    let mut rest = &visit.arrived[..];
    for body in &bodies {
        let end = head_len(rest).unwrap();
        assert!(head(rest).contains(&format!("Content-Length: {}\r\n", body.len())));
        assert!(rest[end..].starts_with(body));
        rest = &rest[end + body.len()..];
    }
    assert_eq!((site.served().connections, site.served().answers), (1, 20));
}

#[test]
fn folders_are_listed_redirected_to_and_never_left() {
    let folder = folder(&[("served/sub/x.txt", b"x"), ("secret", b"s")]);
    let never = AtomicBool::new(false);
    let mut site = Site::open(&folder.path().join("served"), Limits::default(), &never);
    let (head, _) = site.fetch("GET /sub?a=b", "");
    assert!(
        head.starts_with("HTTP/1.1 301 ") && head.contains("Location: /sub/?a=b\r\n"),
        "{head}"
    );
    let (_, body) = site.fetch("GET /sub/", "");
    assert!(String::from_utf8(body).unwrap().contains("href=\"./x.txt\""));
    for bad in [
        "/../secret",
        "/sub/../../secret",
        "/%2e%2e/secret",
        "/sub/..%2f..%2fsecret",
    ] {
        let (head, _) = site.fetch(&format!("GET {bad}"), "");
        assert!(head.starts_with("HTTP/1.1 400 "), "{bad}: {head}");
    }
    let (head, _) = site.fetch("GET /nothing", "");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    let (head, _) = site.fetch("DELETE /sub/x.txt", "");
    assert!(
        head.starts_with("HTTP/1.1 405 ") && head.contains("Allow: GET, HEAD\r\n"),
        "{head}"
    );
}

#[test]
fn a_file_too_long_to_be_kept_mapped_is_sent_in_parts() {
    let folder = folder(&[]);
    let len = 3_u64 << 30;
    let mut file = File::create(folder.path().join("long")).unwrap();
    file.set_len(len).unwrap();
    file.write_all(b"first").unwrap();
    file.write_all_at(b"last", len - 4).unwrap();
    drop(file);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let (head, body) = site.fetch("GET /long", "Range: bytes=-70004\r\n");
    assert!(head.contains(&format!("/{len}\r\n")), "{head}");
    assert!(body.len() == 70_004 && body.ends_with(b"last"));
    let (_, body) = site.fetch("GET /long", "Range: bytes=0-4,-4\r\n");
    let body = String::from_utf8(body).unwrap();
    assert!(
        body.contains("\r\n\r\nfirst\r\n--") && body.contains("\r\n\r\nlast\r\n--"),
        "{body}"
    );
}

#[test]
fn a_port_that_is_taken_is_told_and_who_has_it_goes_on() {
    let folder = folder(&[("a", b"a")]);
    let never = AtomicBool::new(false);
    let mut site = Site::open(folder.path(), Limits::default(), &never);
    let refused = site
        .open_another(folder.path(), &never)
        .expect_err("the port is taken");
    assert!(refused.contains("port 80 is taken"), "{refused}");
    assert_eq!(site.fetch("GET /a", "").1, b"a");
}
