//! What guest and host say to each other: lines on the guest's second serial port. The host answers each with `ok`, and
//! what the guest asked for, or with `error:` and why.
//!
//! | the guest says | and means |
//! |---|---|
//! | `begin NAME` | a check begins |
//! | `check NAME ok SECONDS`, `check NAME FAILED SECONDS` | it has ended |
//! | `drop N` | lose every N-th frame, 0 for none; the answer tells how many were lost so far |
//! | `capture NAME`, `capture` | record the frames in NAME.pcap; no longer |
//! | `link up`, `link down` | the link of the NIC under test |
//! | `end` | all is done and written |

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::machine::Monitor;
use crate::relay::Wire;
use crate::report::Check;

/// The NIC under test, by its name in QEMU.
pub const NIC: &str = "nic";

/// What the guest's requests are carried out on.
#[derive(Debug)]
pub struct Host<'a> {
    /// The wire between the NICs.
    pub wire: &'a Wire,
    /// QEMU's monitor.
    pub monitor: &'a mut Monitor,
    /// Where captures go.
    pub folder: &'a Path,
}

/// What the guest has told.
#[derive(Debug, Default)]
pub struct Told {
    /// The checks that ended.
    pub checks: BTreeMap<String, Check>,
    /// The check that had begun and not ended.
    pub under_way: Option<String>,
    /// Whether the guest said that it has come to its end.
    pub ended: bool,
}

impl Host<'_> {
    /// Answers the guest until it is gone.
    ///
    /// # Errors
    /// The connection fails; that QEMU closes it is no failure.
    pub fn serve(&mut self, stream: UnixStream) -> io::Result<Told> {
        let mut answers = stream.try_clone()?;
        let mut told = Told::default();
        for line in BufReader::new(stream).lines() {
            // QEMU that is killed resets the connection.
            let Ok(line) = line else { break };
            let answer = match self.carry_out(line.trim(), &mut told) {
                Ok(answer) => format!("ok {answer}\n"),
                Err(error) => format!("error: {error}\n"),
            };
            if answers.write_all(answer.as_bytes()).is_err() {
                break;
            }
        }
        Ok(told)
    }

    fn carry_out(&mut self, line: &str, told: &mut Told) -> io::Result<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["begin", name] => told.under_way = Some(name.to_owned()),
            ["check", name, outcome, seconds] => {
                let check = Check {
                    passed: outcome == "ok",
                    seconds: number(seconds)?,
                };
                told.checks.insert(name.to_owned(), check);
                told.under_way = None;
            }
            ["drop", every] => return Ok(self.wire.drop_every(number(every)?).to_string()),
            ["capture"] => self.wire.capture(None)?,
            ["capture", name] => self
                .wire
                .capture(Some(&self.folder.join(name).with_extension("pcap")))?,
            ["link", state @ ("up" | "down")] => self.monitor.set_link(NIC, state == "up")?,
            ["end"] => told.ended = true,
            _ => return Err(io::Error::other(format!("nobody understands `{line}`"))),
        }
        Ok(String::new())
    }
}

fn number<T: std::str::FromStr>(word: &str) -> io::Result<T> {
    word.parse()
        .map_err(|_| io::Error::other(format!("`{word}` is no number")))
}
