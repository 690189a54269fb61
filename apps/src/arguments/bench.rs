//! What `pagewire bench` may be told.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};
use pagewire_kernel_methods::Receiver;

use crate::bench::{Cache, Choice, Path, Way};

/// The end of its help.
pub(super) const EXAMPLES: &str = "\
Examples:
  pagewire bench                                every way to send, files of 4 KiB to 1 GiB; 20 minutes or so
  pagewire bench --quick                        one length, warm, a blocking receiver; under a minute
  pagewire bench big.iso --quick                the same with a file of yours
  pagewire bench --html report.html             tables, plots, and how each method works
  pagewire bench --json > report.json           one JSON object, for scripts
  pagewire bench --method sendfile,pagewire-zero-copy --size 1GiB --cache warm --rounds 9

What happens:
  Each method sends each file to each kind of receiver, in turn, round after round. Networks and
  interfaces are made for it in namespaces of their own (a user namespace, where you are not root)
  and are gone afterwards. In a round that does not count, each byte that arrives is checked.

Receivers:
  blocking   sleeps until there are bytes, and copies them into its memory
  spinning   asks again and again, and copies them into its memory
  discard    asks again and again, and has the kernel throw them away: nobody reads them

Exit codes:
  0    it is measured
  1    something failed: one sentence on stderr says what and what to do
  2    the command line is wrong
  70   a fault in pagewire itself
  130  stopped by Ctrl-C (128 + the signal's number)";

/// What `pagewire bench` is told.
#[derive(Args, Debug)]
pub(crate) struct BenchArguments {
    /// The file to send, its first GiB at most; without one, a file is made in the folder for temporary ones
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,

    /// Measure only these ways to send
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = way())]
    pub(crate) method: Vec<Way>,

    /// Measure only over these
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = path())]
    pub(crate) path: Vec<Path>,

    /// Measure only with these receivers
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = receiver())]
    pub(crate) receiver: Vec<Receiver>,

    /// Measure only with the file in the page cache (warm), or on disk (cold)
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = cache())]
    pub(crate) cache: Vec<Cache>,

    /// Send only so many bytes: 4096, 64KiB, 16MiB, 1GiB
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = size)]
    pub(crate) size: Vec<u64>,

    /// How often each has its turn [default: 5, with --quick 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: Option<u32>,

    /// End within a minute: one length, a warm page cache, a blocking receiver, unless others are named
    #[arg(long)]
    pub(crate) quick: bool,

    /// Print one JSON object on stdout in place of the tables
    #[arg(long)]
    pub(crate) json: bool,

    /// Write a page with tables and plots, which a browser shows without a network
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
}

const ROUNDS: u32 = 5;
const QUICK_ROUNDS: u32 = 3;

impl BenchArguments {
    /// How often each case has its turn.
    pub(crate) fn rounds(&self) -> u32 {
        self.rounds
            .unwrap_or(if self.quick { QUICK_ROUNDS } else { ROUNDS })
    }

    /// What to choose cases from.
    pub(crate) fn choice(&self) -> Choice {
        let (receivers, caches) = if self.quick {
            (vec![Receiver::Blocking], vec![Cache::Warm])
        } else {
            (Receiver::ALL.to_vec(), Cache::ALL.to_vec())
        };
        Choice {
            ways: named_or(&self.method, Way::all()),
            paths: named_or(&self.path, Path::ALL.to_vec()),
            receivers: named_or(&self.receiver, receivers),
            caches: named_or(&self.cache, caches),
        }
    }
}

/// What was named, without repetitions and in its own order; else what is usual.
fn named_or<T: Copy + Ord>(named: &[T], usual: Vec<T>) -> Vec<T> {
    if named.is_empty() {
        return usual;
    }
    let mut named = named.to_vec();
    named.sort_unstable();
    named.dedup();
    named
}

fn way() -> impl TypedValueParser<Value = Way> {
    one_of(Way::all(), Way::name)
}

fn path() -> impl TypedValueParser<Value = Path> {
    one_of(Path::ALL.to_vec(), Path::name)
}

fn receiver() -> impl TypedValueParser<Value = Receiver> {
    one_of(Receiver::ALL.to_vec(), Receiver::name)
}

fn cache() -> impl TypedValueParser<Value = Cache> {
    one_of(Cache::ALL.to_vec(), Cache::name)
}

/// One of a list, by its name.
fn one_of<T: Copy + Send + Sync + 'static>(
    all: Vec<T>,
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let names = all.iter().map(|one| name(*one));
    PossibleValuesParser::new(names.collect::<Vec<_>>()).try_map(move |word| {
        let found = all.iter().find(|one| name(**one) == word);
        found.copied().ok_or("not one of the names")
    })
}

/// A length: a number of bytes, or of KiB, MiB or GiB.
fn size(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let (digits, shift) = [("gib", 30), ("mib", 20), ("kib", 10), ("", 0)]
        .into_iter()
        .find_map(|(unit, shift)| lower.strip_suffix(unit).map(|digits| (digits.trim(), shift)))
        .unwrap_or((&lower, 0));
    let number: Option<u64> = digits.parse().ok();
    match number.and_then(|number| number.checked_mul(1 << shift)) {
        Some(bytes @ 1..=0x4000_0000) => Ok(bytes),
        _ => Err("a length is 1 to 1073741824 bytes, such as 4096, 64KiB, 16MiB or 1GiB".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn bench(words: &[&str]) -> Result<BenchArguments, clap::Error> {
        let line = ["pagewire", "bench"].iter().chain(words);
        match Arguments::try_parse_from(line)?.command {
            Command::Bench(arguments) => Ok(arguments),
            other => panic!("not bench: {other:?}"),
        }
    }

    #[test]
    fn lengths_are_written_as_people_write_them() {
        for (text, bytes) in [
            ("1", 1),
            ("4096", 4096),
            ("64KiB", 64 << 10),
            ("16 mib", 16 << 20),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["0", "-1", "2GiB", "1.5MiB", "many", "", "KiB", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_quick_run_is_one_receiver_and_one_cache_unless_others_are_named() {
        let quick = bench(&["--quick"]).unwrap().choice();
        assert_eq!((quick.receivers.len(), quick.caches.len()), (1, 1));
        let named = bench(&["--quick", "--receiver", "discard,spinning"])
            .unwrap()
            .choice();
        assert_eq!(named.receivers, [Receiver::Spinning, Receiver::Discard]);
        let all = bench(&[]).unwrap().choice();
        assert_eq!((all.receivers.len(), all.caches.len()), (3, 2));
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_those_that_are() {
        for (option, known) in [
            ("--method", "pagewire-zero-copy"),
            ("--path", "loopback"),
            ("--receiver", "spinning"),
            ("--cache", "cold"),
        ] {
            let error = bench(&[option, "teleport"]).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{option}");
            assert!(error.to_string().contains(known), "{error}");
        }
    }
}
