//! Ranges and conditions, with nginx as the judge: the same requests for the same files have the same answers.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pagewire::serve::Limits;
use twox_hash::XxHash3_128;

use crate::network::{KERNEL, Network, OURS, v4};
use crate::server::{at, content, have, while_serving};

const NGINX: u16 = 8080;
const LEN: usize = 100_000;

/// The fields of requests for a file, `{tag}` and `{date}` being what the server says of it.
const REQUESTS: &[&str] = &[
    "",
    "Range: bytes=0-0\r\n",
    "Range: bytes=0-99999\r\n",
    "Range: bytes=0-1000000\r\n",
    "Range: bytes=99999-\r\n",
    "Range: bytes=100000-\r\n",
    "Range: bytes=-1\r\n",
    "Range: bytes=-0\r\n",
    "Range: bytes=-100000\r\n",
    "Range: bytes=-100001\r\n",
    "Range: bytes=5-2\r\n",
    "Range: bytes=a-b\r\n",
    "Range: bytes=\r\n",
    "Range: pages=1-2\r\n",
    "Range: bytes=0-0,2-2\r\n",
    "Range: bytes=50000-60000, 0-9 , -5\r\n",
    "Range: bytes=0-9,100000-\r\n",
    "Range: bytes=0-9,0-9,0-9\r\n",
    "Range: bytes=0-,0-\r\n",
    "Range: bytes=100000-,200000-\r\n",
    "If-Match: {tag}\r\n",
    "If-Match: *\r\n",
    "If-Match: \"x\"\r\n",
    "If-Match: \"x\", {tag}\r\n",
    "If-Match: W/{tag}\r\n",
    "If-None-Match: {tag}\r\n",
    "If-None-Match: W/{tag}\r\n",
    "If-None-Match: *\r\n",
    "If-None-Match: \"x\"\r\n",
    "If-None-Match: \"x\", {tag}\r\n",
    "If-Modified-Since: {date}\r\n",
    "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    "If-Modified-Since: Fri, 06 Nov 2093 08:49:37 GMT\r\n",
    "If-Modified-Since: nonsense\r\n",
    "If-Unmodified-Since: {date}\r\n",
    "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    "If-Unmodified-Since: Fri, 06 Nov 2093 08:49:37 GMT\r\n",
    "Range: bytes=0-9\r\nIf-Range: {tag}\r\n",
    "Range: bytes=0-9\r\nIf-Range: \"x\"\r\n",
    "Range: bytes=0-9\r\nIf-Range: W/{tag}\r\n",
    "Range: bytes=0-9\r\nIf-Range: {date}\r\n",
    "Range: bytes=0-9\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    "Range: bytes=0-9\r\nIf-None-Match: {tag}\r\n",
    "Range: bytes=0-9\r\nIf-Match: \"x\"\r\n",
    "If-Match: {tag}\r\nIf-None-Match: {tag}\r\n",
    "If-None-Match: {tag}\r\nIf-Modified-Since: {date}\r\n",
];

/// Request targets.
const TARGETS: &[&str] = &[
    "/",
    "/file",
    "/empty",
    "/none",
    "/sub",
    "/sub?a=b",
    "/sub/",
    "/sub/x",
    "/sub/./x",
    "/sub/../file",
    "/sub//x",
    "/file/",
    "/%66ile",
    "/a%20b",
    "/a+b",
    "/..",
    "/../file",
    "/sub/../../file",
    "/%2e%2e/file",
    "/%",
    "/%zz",
    "/sub%2fx",
    "/file?/../..",
    "http://host/file",
];

/// What is compared of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    status: u16,
    content_range: Option<String>,
    content_type: Option<String>,
    location: Option<String>,
    has_tag: bool,
    /// The body, or its parts, where there is a file behind it: the length of each, and its hash.
    parts: Vec<(usize, u128)>,
}

pub(crate) fn ranges_and_conditions_are_answered_as_nginx_does() {
    compare(|network, ours, theirs| {
        for target in ["/file", "/empty"] {
            for fields in REQUESTS {
                for method in ["GET", "HEAD"] {
                    // Range means something with GET alone (RFC 9110 §14.2); nginx heeds it with HEAD.
                    if method == "HEAD" && fields.contains("Range:") {
                        continue;
                    }
                    let [ours, theirs] =
                        [ours, theirs].map(|server| ask(network, server, method, target, fields));
                    assert_eq!(ours, theirs, "ours, nginx's: {method} {target} {fields:?}");
                }
            }
        }
    });
}

pub(crate) fn paths_lead_where_nginx_says() {
    compare(|network, ours, theirs| {
        for target in TARGETS {
            let [ours, theirs] = [ours, theirs].map(|server| ask(network, server, "GET", target, ""));
            assert_eq!(ours, theirs, "ours, nginx's: {target}");
        }
    });
}

/// Both servers on one folder.
fn compare(judge: impl FnOnce(&Network, SocketAddr, SocketAddr) + Send) {
    if !have("nginx") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let served = folder.path().join("served");
    fs::create_dir_all(served.join("sub")).unwrap();
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    for (name, len) in [
        ("file", LEN),
        ("empty", 0),
        ("sub/x", 10),
        ("a b", 11),
        ("a+b", 12),
        ("index.html", 13),
    ] {
        fs::write(served.join(name), content(len, len as u64)).unwrap();
        File::options()
            .write(true)
            .open(served.join(name))
            .unwrap()
            .set_modified(an_hour_ago)
            .unwrap();
    }
    let configuration = folder.path().join("nginx.conf");
    fs::write(&configuration, nginx(folder.path(), &served)).unwrap();
    while_serving(&served, Limits::default(), |network| {
        let configuration = configuration.display().to_string();
        network.says(&["nginx", "-c", &configuration]);
        let stop = Stop(network, &configuration);
        judge(network, at(v4(OURS)), SocketAddr::new(v4(KERNEL), NGINX));
        drop(stop);
    });
}

/// Ends nginx, which by then is nobody's child.
struct Stop<'a>(&'a Network, &'a str);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.program(10, &["nginx", "-c", self.1, "-s", "stop"]);
    }
}

fn nginx(folder: &Path, served: &Path) -> String {
    let at = folder.display();
    format!(
        "pid {at}/pid; error_log {at}/errors; worker_processes 1; user root;\n\
         events {{}}\n\
         http {{ access_log off; client_body_temp_path {at}/a; proxy_temp_path {at}/b; fastcgi_temp_path {at}/c;\n\
         uwsgi_temp_path {at}/d; scgi_temp_path {at}/e; if_modified_since before; default_type application/octet-stream;\n\
         types {{ text/html html; }} absolute_redirect off; autoindex on;\n\
         server {{ listen {}:{NGINX}; root {}; }} }}\n",
        v4(KERNEL),
        served.display()
    )
}

fn ask(network: &Network, server: SocketAddr, method: &str, target: &str, fields: &str) -> Said {
    let about = if fields.contains('{') {
        let answer = exchange(network, server, "HEAD", target, "");
        let of = |name| field(&head(&answer), name).expect("the server tells it");
        fields
            .replace("{tag}", &of("etag"))
            .replace("{date}", &of("last-modified"))
    } else {
        fields.to_string()
    };
    let answer = exchange(network, server, method, target, &about);
    let head = head(&answer);
    let status = head[9..12].parse().expect("a status");
    let body = &answer[head.len()..];
    let content_type = field(&head, "content-type");
    let boundary = content_type
        .as_deref()
        .and_then(|kind| kind.strip_prefix("multipart/byteranges; boundary="));
    let has_tag = field(&head, "etag").is_some();
    let is_file = has_tag && matches!(status, 200 | 206);
    let known = |part: &[u8]| (part.len(), XxHash3_128::oneshot(part));
    let parts = match boundary {
        Some(boundary) => parts(body, boundary).into_iter().map(known).collect(),
        None if is_file => vec![known(body)],
        // What a server says about a refusal, or writes as a list, is its own.
        None => vec![],
    };
    Said {
        status,
        content_range: field(&head, "content-range"),
        location: field(&head, "location"),
        has_tag,
        content_type: match boundary {
            Some(_) => Some("multipart".into()),
            None => content_type.filter(|_| is_file),
        },
        parts,
    }
}

fn exchange(network: &Network, server: SocketAddr, method: &str, target: &str, fields: &str) -> Vec<u8> {
    let text = format!("{method} {target} HTTP/1.1\r\nHost: host\r\nConnection: close\r\n{fields}\r\n");
    network.exchange(server, text.as_bytes()).expect("an answer")
}

fn head(answer: &[u8]) -> String {
    let end = answer
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .expect("a head")
        + 4;
    String::from_utf8(answer[..end].to_vec()).expect("text")
}

fn field(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then(|| value.trim().to_string())
    })
}

/// The parts of a body, each with its fields, the boundaries left out.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let line = format!("\r\n--{boundary}").into_bytes();
    let starts: Vec<usize> = (0..body.len())
        .filter(|&at| body[at..].starts_with(&line))
        .collect();
    let between = |pair: &[usize]| &body[pair[0] + line.len()..pair[1]];
    starts.windows(2).map(between).collect()
}
