//! A page for a folder that has none.

use std::fmt::Write;

use rustix::fs::{Dir, FileType};

use crate::serve::http::{Status, target};

/// The most names on a page.
const MOST: usize = 10_000;

/// The page for the folder at `path`, whose names `entries` has.
pub(super) fn page(path: &[u8], entries: Dir) -> Result<String, Status> {
    let mut names = Vec::new();
    let mut more = false;
    for entry in entries {
        let entry = entry.map_err(|_| Status::InternalServerError)?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        if names.len() == MOST {
            more = true;
            break;
        }
        // Folders first.
        names.push((entry.file_type() != FileType::Directory, name.to_vec()));
    }
    names.sort_unstable();
    Ok(write(path, &names, more))
}

fn write(path: &[u8], names: &[(bool, Vec<u8>)], more: bool) -> String {
    let title = format!("/{}", escaped(path));
    let mut page = format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body><h1>{title}</h1>\n<ul>\n"
    );
    if !path.is_empty() {
        page.push_str("<li><a href=\"../\">../</a></li>\n");
    }
    for (is_file, name) in names {
        let slash = if *is_file { "" } else { "/" };
        // A name with a colon would begin with a scheme: it is written as one beneath this folder.
        let _ = writeln!(
            page,
            "<li><a href=\"./{}{slash}\">{}{slash}</a></li>",
            target::encode(name),
            escaped(name)
        );
    }
    page.push_str("</ul>\n");
    if more {
        let _ = writeln!(page, "<p>There are more than these {MOST}.</p>");
    }
    page.push_str("</body></html>\n");
    page
}

/// A name as text of a page.
fn escaped(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_and_links_whatever_is_in_them() {
        let names = [(false, b"a folder".to_vec()), (true, b"x:<i>&\"%.txt".to_vec())];
        let page = write(b"<b>", &names, false);
        assert!(page.contains("<title>/&lt;b&gt;</title>"), "{page}");
        assert!(page.contains("<a href=\"../\">"), "{page}");
        assert!(page.contains("<a href=\"./a%20folder/\">a folder/</a>"), "{page}");
        let file = "<a href=\"./x:%3Ci%3E%26%22%25.txt\">x:&lt;i&gt;&amp;&quot;%.txt</a>";
        assert!(page.contains(file), "{page}");
    }

    #[test]
    fn the_root_has_no_way_up_and_a_long_list_says_that_it_is_cut() {
        let page = write(b"", &[], true);
        assert!(
            !page.contains("../") && page.contains("more than these"),
            "{page}"
        );
    }
}
