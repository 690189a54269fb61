//! What people fetch files with: curl, wget, and a browser.

use std::fs;
use std::path::Path;

use pagewire::serve::Limits;

use crate::network::{OURS, v6};
use crate::server::{content, have, url, while_serving};

pub(crate) fn curl_gets_files_parts_and_only_what_is_new() {
    if !have("curl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let big = content(20_000_003, 1);
    fs::write(folder.path().join("big"), &big).unwrap();
    fs::write(folder.path().join("a b.txt"), "small").unwrap();
    let kept = tempfile::tempdir().unwrap();
    let part = kept.path().join("part");
    let tag = kept.path().join("tag").display().to_string();
    fs::write(&part, &big[..7_000_000]).unwrap();
    let ((), served) = while_serving(folder.path(), Limits::default(), |network| {
        let curl = |words: &[&str]| network.says(&[&["curl", "-sS", "--fail-early"], words].concat());
        assert!(curl(&[&url("/big")]) == big, "other bytes arrived");
        assert!(curl(&["--http1.0", &url("/big")]) == big);
        assert!(curl(&["-g", &format!("http://[{}]/big", v6(OURS))]) == big);
        assert!(curl(&["-r", "1000000-1999999", &url("/big")]) == big[1_000_000..2_000_000]);
        curl(&["-C", "-", "-o", &part.display().to_string(), &url("/big")]);
        assert!(fs::read(&part).unwrap() == big, "the rest was not the rest");
        // Two files over one connection: the second makes none of its own.
        let (a, b) = (url("/a%20b.txt"), url("/a%20b.txt"));
        assert_eq!(curl(&["-w", "%{num_connects} ", &a, &b]), b"small1 small0 ");
        let head = String::from_utf8(curl(&["-I", &a])).unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 OK") && head.contains("Content-Type: text/plain"),
            "{head}"
        );
        curl(&["--etag-save", &tag, &a]);
        assert_eq!(curl(&["--etag-compare", &tag, "-w", "%{http_code}", &a]), b"304");
        assert_eq!(
            curl(&["-d", "body", "-w", "%{http_code}", "-o", "/dev/null", &a]),
            b"405"
        );
        assert_eq!(
            curl(&["-w", "%{http_code}", "-o", "/dev/null", &url("/none")]),
            b"404"
        );
    });
    assert_eq!(served.cut_short, 0);
}

pub(crate) fn wget_resumes_and_mirrors_a_tree() {
    if !have("wget") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (number, name) in ["a", "sub/b", "sub/deep/c & d", "sub/deep/é"].iter().enumerate() {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content(100_000 + number, number as u64)).unwrap();
    }
    let kept = tempfile::tempdir().unwrap();
    let into = kept.path().display().to_string();
    fs::write(kept.path().join("a"), &content(100_000, 0)[..40_000]).unwrap();
    while_serving(folder.path(), Limits::default(), |network| {
        let wget =
            |words: &[&str]| network.says(&[&["wget", "-nv", "--tries=1", "-P", &into], words].concat());
        wget(&["-c", &url("/a")]);
        wget(&[
            "-r",
            "-np",
            "-nH",
            "-e",
            "robots=off",
            "--restrict-file-names=nocontrol",
            &url("/sub/"),
        ]);
    });
    let same =
        |name: &str| fs::read(kept.path().join(name)).unwrap() == fs::read(folder.path().join(name)).unwrap();
    for name in ["a", "sub/b", "sub/deep/c & d", "sub/deep/é"] {
        assert!(same(name), "{name} is another");
    }
}

/// How many images the page has.
const IMAGES: usize = 50;

pub(crate) fn a_browser_loads_a_page_with_fifty_images() {
    if !have("chromium") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_page(folder.path());
    let profile = tempfile::tempdir().unwrap();
    let profile = format!("--user-data-dir={}", profile.path().display());
    let (dom, served) = while_serving(folder.path(), Limits::default(), |network| {
        let page = network.says(&[
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            &profile,
            "--timeout=60000",
            "--dump-dom",
            &url("/"),
        ]);
        String::from_utf8_lossy(&page).into_owned()
    });
    assert!(
        dom.contains(&format!("{IMAGES} images are as wide as they should be")),
        "{dom}"
    );
    assert!(served.answers > IMAGES as u64, "{served:?}");
    assert!(
        served.connections < IMAGES as u64,
        "it used a connection for each: {served:?}"
    );
}

/// A page whose images are each as wide as their number, which a script checks.
fn write_page(folder: &Path) {
    let images: String = (1..=IMAGES)
        .map(|number| format!("<img src=\"i{number}.bmp\">"))
        .collect();
    let script = "onload = () => { let right = [...document.images].filter((image, at) => image.naturalWidth == at + 1); \
        document.title = document.getElementById('said').textContent = \
        right.length + ' images are as wide as they should be'; }";
    let page = format!("<!DOCTYPE html><p id=\"said\">none</p>{images}<script>{script}</script>");
    fs::write(folder.join("index.html"), page).unwrap();
    for number in 1..=IMAGES {
        fs::write(folder.join(format!("i{number}.bmp")), bitmap(number as u32)).unwrap();
    }
}

/// A white picture of `width` by 100 pixels, of 24 bits each (BITMAPINFOHEADER).
fn bitmap(width: u32) -> Vec<u8> {
    const HEIGHT: u32 = 100;
    let pixels = (width * 3).next_multiple_of(4) * HEIGHT;
    let mut out = b"BM".to_vec();
    for word in [
        54 + pixels,
        0,
        54,
        40,
        width,
        HEIGHT,
        1 | 24 << 16,
        0,
        pixels,
        2835,
        2835,
        0,
        0,
    ] {
        out.extend(word.to_le_bytes());
    }
    out.resize(out.len() + pixels as usize, 0xff);
    out
}
