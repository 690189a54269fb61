//! The guests, each of which boots when the first test asks for it.

use std::env;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use libtest_mimic::Failed;
use pagewire_guest::boot::Step;
use pagewire_guest::packages::Kernel;
use pagewire_guest::{GuestError, Report, Setup, boot};

/// The steps that a guest with a card under test goes through, in this order.
pub(crate) const STEPS: [&str; 19] = [
    "boots",
    "probes",
    "pings",
    "sends",
    "sends_ipv6",
    "receives",
    "receives_ipv6",
    "sends_with_loss",
    "receives_with_loss",
    "page_cache",
    "waits",
    "killed",
    "unprivileged",
    "link",
    "extras",
    "bad_input",
    "removed",
    "no_faults",
    "planted_faults",
];

/// The longest that a step may take, in seconds, unless it says otherwise.
const LIMIT: u32 = 30;

/// What `bad_input` needs: a NIC of a model that nobody here drives, and behind a bridge to conventional PCI, in one IOMMU
/// group, an 82540EM and a device that a driver of the kernel has.
const BAD_COMPANY: [&str; 4] = [
    "rtl8139,addr=7,romfile=",
    "pcie-pci-bridge,id=bridge,addr=8",
    "e1000,bus=bridge,addr=1,romfile=",
    "virtio-rng-pci,bus=bridge,addr=2",
];

/// One guest, booted at most once.
pub(crate) struct Guest {
    setup: fn() -> Setup,
    outcome: OnceLock<Result<Report, GuestError>>,
}

/// An 82540EM under test.
pub(crate) static E1000: Guest = Guest::new(|| with_all_steps("e1000"));
/// An 82574L under test.
pub(crate) static E1000E: Guest = Guest::new(|| with_all_steps("e1000e"));
/// The IOMMU is there, and off.
pub(crate) static NO_IOMMU: Guest = Guest::new(|| with_options("no_iommu", "intel_iommu=off"));
/// The IOMMU does not remap interrupts.
pub(crate) static NO_REMAPPING: Guest =
    Guest::new(|| with_options("no_remapping", "intel_iommu=on intremap=off"));
/// Linux's own driver has the card when it boots.
pub(crate) static LINUX_DRIVES: Guest = Guest::new(|| Setup {
    kernel: Kernel::Full,
    modules: vec!["e1000e".to_owned()],
    steps: vec![step("default_route"), numbers()],
    ..with_options("numbers", "intel_iommu=on")
});

impl Guest {
    const fn new(setup: fn() -> Setup) -> Self {
        Self {
            setup,
            outcome: OnceLock::new(),
        }
    }

    /// What the guest has shown, or nothing where it cannot run here and need not.
    ///
    /// # Errors
    /// It did not boot.
    pub(crate) fn report(&self) -> Result<Option<&Report>, Failed> {
        match self.outcome.get_or_init(|| run(&(self.setup)())) {
            Ok(report) => Ok(Some(report)),
            Err(GuestError::Unavailable(why)) => {
                skip(why);
                Ok(None)
            }
            Err(error) => Err(format!("no guest: {error}").into()),
        }
    }

    /// Whether the step went well.
    ///
    /// # Errors
    /// It did not, or the guest never got there.
    pub(crate) fn check(&self, step: &str) -> Result<(), Failed> {
        let shown = self.report()?.map_or(Ok(()), |report| report.check(step));
        shown.map_err(Failed::from)
    }
}

/// Boots the guest, and once more if QEMU itself crashes, which is no fault of ours: 7.2 was seen to, in the step `probes` on
/// an 82574L.
fn run(setup: &Setup) -> Result<Report, GuestError> {
    let report = boot(setup)?;
    match &report.cut_short {
        Some(why) if report.crashed => {
            eprintln!("once more: the guest {why}");
            boot(setup)
        }
        _ => Ok(report),
    }
}

/// Says why a test does not run here, which fails it where it has to.
pub(crate) fn skip(why: &str) {
    let is_required = env::var_os("PAGEWIRE_GUEST").is_some_and(|wish| wish == "required");
    assert!(!is_required, "may not be skipped: {why}");
    eprintln!("skipped: {why}");
}

/// A guest whose only step has its name.
fn with_options(name: &str, kernel_options: &str) -> Setup {
    Setup {
        kernel_options: kernel_options.to_owned(),
        steps: vec![step(name)],
        limit: Duration::from_secs(240),
        ..Setup::new(name, "e1000e")
    }
}

fn with_all_steps(nic: &str) -> Setup {
    Setup {
        devices: BAD_COMPANY.map(str::to_owned).to_vec(),
        steps: STEPS.iter().copied().map(step).collect(),
        limit: Duration::from_secs(600),
        ..Setup::new(nic, nic)
    }
}

/// Each way to send has one turn, which shows that it works, or as many as the environment says.
fn numbers() -> Step {
    let rounds = env::var("PAGEWIRE_GUEST_ROUNDS").unwrap_or_else(|_| "1".to_owned());
    let rounds: u32 = rounds.parse().expect("PAGEWIRE_GUEST_ROUNDS is a number");
    let Step { name, script, limit } = step("numbers");
    Step {
        name,
        script: format!("rounds={rounds}\n{script}"),
        limit: limit * rounds,
    }
}

/// A step from its file. A comment `# limit: N` in it gives it N seconds.
fn step(name: &str) -> Step {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/guest/steps/{name}.sh"));
    let script = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let limit = script.lines().find_map(|line| line.strip_prefix("# limit: "));
    Step {
        name: name.to_owned(),
        limit: limit.map_or(LIMIT, |seconds| seconds.parse().expect("a limit in seconds")),
        script,
    }
}
