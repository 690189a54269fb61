//! A register table as Markdown, for docs/.

use std::fmt::Write;

use crate::table::Register;

/// The rows as a Markdown table: name, offset, count, access, reset, bits software may set, section, what it
/// is.
pub fn markdown_table(rows: &[Register]) -> String {
    let mut table = String::from(
        "| Name | Offset | Count | Access | Reset | Writable | Section | What |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        // Writing into a String can't fail.
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | `{:#010x}` | {} | {} |",
            row.name,
            place(row),
            row.count,
            row.access.abbreviation(),
            reset(row),
            row.writable,
            row.section,
            row.what
        );
    }
    table
}

fn place(row: &Register) -> String {
    let mut text = format!("`{:#07x}`", row.offset);
    if row.count > 1 {
        let _ = write!(text, " + {:#x}·n", row.stride);
    }
    if let Some(split) = row.split {
        let _ = write!(text, ", from {}: `{:#07x}`", split.from, split.offset);
    }
    text
}

fn reset(row: &Register) -> String {
    if row.count > 1 && row.reset != row.reset_rest {
        format!("`{:#010x}`, then `{:#010x}`", row.reset, row.reset_rest)
    } else {
        format!("`{:#010x}`", row.reset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_one_line_of_eight_cells() {
        for rows in [
            crate::e1000::REGISTERS,
            crate::e1000e::REGISTERS,
            crate::ixgbe::REGISTERS,
        ] {
            let table = markdown_table(rows);
            assert_eq!(table.lines().count(), rows.len() + 2);
            for line in table.lines() {
                assert_eq!(line.matches('|').count(), 9, "{line}");
            }
        }
    }
}
