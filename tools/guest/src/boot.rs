//! One guest from its parts to its report.

use std::fs::{self, File};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::control::{Host, NIC, Told};
use crate::initramfs::Initramfs;
use crate::machine::{End, Machine, Monitor};
use crate::packages::{Kernel, Packages};
use crate::relay::Wire;
use crate::report::Report;
use crate::{GuestError, disk, machine, modules, programs, workspace};

const INIT: &str = include_str!("../guest/init.sh");
const LIBRARY: &str = include_str!("../guest/library.sh");

/// The modules that every guest loads.
const MODULES: [&str; 9] = [
    "virtio_pci",
    "virtio_net",
    "virtio_blk",
    "ext4",
    "crc32c_generic",
    "vfio_pci",
    "vfio_iommu_type1",
    "8021q",
    "virtio_rng",
];

/// Where the guest's console goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Console {
    /// Into `console.log`.
    File,
    /// To this process's terminal, with a shell after the checks.
    Terminal,
}

/// A piece of script that shows one thing. It runs under `sh -eux`, after `library.sh`.
#[derive(Clone, Debug)]
pub struct Step {
    /// The check's name.
    pub name: String,
    /// What is run.
    pub script: String,
    /// How long it may take, in seconds.
    pub limit: u32,
}

/// A guest to be.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Names the folder of its results.
    pub name: String,
    /// The kernel.
    pub kernel: Kernel,
    /// The NIC under test, as QEMU calls it.
    pub nic: String,
    /// More of QEMU's devices, with their options.
    pub devices: Vec<String>,
    /// More modules to load.
    pub modules: Vec<String>,
    /// More words for the kernel's command line; the IOMMU is on by them.
    pub kernel_options: String,
    /// What is checked, in this order.
    pub steps: Vec<Step>,
    /// How long all of it may take.
    pub limit: Duration,
    /// Where the console goes.
    pub console: Console,
}

impl Setup {
    /// A guest with that NIC and an IOMMU, and nothing to do yet.
    #[must_use]
    pub fn new(name: &str, nic: &str) -> Self {
        Self {
            name: name.to_owned(),
            kernel: Kernel::Cloud,
            nic: nic.to_owned(),
            devices: Vec::new(),
            modules: Vec::new(),
            kernel_options: "intel_iommu=on".to_owned(),
            steps: Vec::new(),
            limit: Duration::from_secs(150),
            console: Console::File,
        }
    }
}

/// Gets all that guests are made of, so that the first to boot need not wait for it.
///
/// # Errors
/// A package cannot be had, or our programs do not build.
pub fn prepare() -> Result<(), GuestError> {
    Packages::fetch(Kernel::Cloud)?;
    Packages::fetch(Kernel::Full)?;
    disk::data()?;
    programs::build()?;
    Ok(())
}

/// Runs a guest until it powers off.
///
/// # Errors
/// There is no QEMU, no package, or a part of the guest cannot be made. A check that fails is no error here.
pub fn boot(setup: &Setup) -> Result<Report, GuestError> {
    machine::look_for_qemu()?;
    let packages = Packages::fetch(setup.kernel)?;
    let data = disk::data()?;
    let programs = programs::build()?;
    let folder = workspace().join("target/guest-results").join(&setup.name);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(GuestError::file(&folder))?;
    }
    fs::create_dir_all(&folder).map_err(GuestError::file(&folder))?;
    // Sockets want short paths.
    let place = tempfile::Builder::new()
        .prefix("guest-")
        .tempdir()
        .map_err(GuestError::file(&folder))?;
    let paths = Paths::new(place.path(), &folder);
    fs::write(&paths.initramfs, initramfs(setup, &packages, &programs)?)
        .map_err(GuestError::file(&paths.initramfs))?;
    disk::blank(&paths.results)?;

    let (told, end) = run(setup, &packages, &data, &paths)?;
    if told.ended {
        disk::unpack(&paths.results, &folder)?;
    }
    let during = told
        .under_way
        .map_or_else(String::new, |step| format!(" during {step}"));
    Ok(Report {
        checks: told.checks,
        folder,
        cut_short: (!told.ended).then(|| format!("{end}{during}")),
        crashed: matches!(end, End::Crashed(_)),
    })
}

/// The files and sockets of one boot.
struct Paths {
    initramfs: PathBuf,
    results: PathBuf,
    monitor: PathBuf,
    control: PathBuf,
    near: PathBuf,
    far: PathBuf,
    complaints: PathBuf,
    folder: PathBuf,
}

impl Paths {
    fn new(place: &Path, folder: &Path) -> Self {
        Self {
            initramfs: place.join("initramfs"),
            results: place.join("results"),
            monitor: place.join("monitor"),
            control: place.join("control"),
            near: place.join("near"),
            far: place.join("far"),
            complaints: folder.join("qemu.log"),
            folder: folder.to_owned(),
        }
    }
}

/// Runs QEMU and serves the guest. Also returns how QEMU ended.
fn run(setup: &Setup, packages: &Packages, data: &Path, paths: &Paths) -> Result<(Told, End), GuestError> {
    let ends = [&paths.near, &paths.far].map(|path| {
        let listener = UnixListener::bind(path).map_err(GuestError::file(path))?;
        listener.set_nonblocking(true).map_err(GuestError::file(path))?;
        Ok((listener, path))
    });
    let [near, far] = ends;
    let ((near, near_path), (far, far_path)) = (near?, far?);

    let interactive = setup.console == Console::Terminal;
    let complaints = File::create(&paths.complaints).map_err(GuestError::file(&paths.complaints))?;
    let arguments = arguments(setup, packages, data, paths);
    let mut machine = Machine::start(setup.limit, &arguments, complaints, interactive)?;
    let failed = |error: GuestError| GuestError::Guest {
        what: format!("did not start ({error})"),
        log: fs::read_to_string(&paths.complaints).unwrap_or_default(),
    };
    // QEMU waits for these two before it starts the guest.
    let control = machine.connect(&paths.control).map_err(failed)?;
    let monitor = machine.connect(&paths.monitor).map_err(failed)?;
    let mut accept = |listener: &UnixListener, path: &Path| {
        let stream = machine
            .wait_for(path, || Ok(listener.accept()?.0))
            .map_err(failed)?;
        stream.set_nonblocking(false).map_err(GuestError::file(path))?;
        Ok(stream)
    };
    let (near, far) = (accept(&near, near_path)?, accept(&far, far_path)?);
    let wire = Wire::join(near, far).map_err(GuestError::file(near_path))?;
    let mut monitor = Monitor::new(monitor).map_err(GuestError::file(&paths.monitor))?;
    let mut host = Host {
        wire: &wire,
        monitor: &mut monitor,
        folder: &paths.folder,
    };
    let told = host.serve(control).map_err(GuestError::file(&paths.control))?;
    let end = machine.wait().map_err(GuestError::file(&paths.monitor))?;
    wire.capture(None).map_err(GuestError::file(&paths.folder))?;
    Ok((told, end))
}

fn arguments(setup: &Setup, packages: &Packages, data: &Path, paths: &Paths) -> Vec<String> {
    let mut arguments: Vec<String> = Vec::new();
    let mut add = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
    let console = match setup.console {
        Console::File => format!("file:{}", paths.folder.join("console.log").display()),
        Console::Terminal => "mon:stdio".to_owned(),
    };
    add("-machine", "q35,accel=tcg".into());
    add("-cpu", "max".into());
    add("-smp", "2".into());
    add("-m", "768".into());
    add("-display", "none".into());
    add("-kernel", packages.kernel.display().to_string());
    add("-initrd", paths.initramfs.display().to_string());
    add(
        "-append",
        format!(
            "console=ttyS0 panic=-1 rdinit=/init quiet {}",
            setup.kernel_options
        ),
    );
    add("-serial", console);
    add("-chardev", socket("control", &paths.control));
    add("-serial", "chardev:control".into());
    add("-chardev", socket("monitor", &paths.monitor));
    add("-mon", "chardev=monitor,mode=control".into());
    add("-device", "intel-iommu,intremap=on,caching-mode=on".into());
    for (id, path) in [("near", &paths.near), ("far", &paths.far)] {
        let path = path.display();
        add(
            "-netdev",
            format!("stream,id={id},server=off,addr.type=unix,addr.path={path}"),
        );
    }
    add(
        "-device",
        format!("{},id={NIC},netdev=near,addr=3,romfile=", setup.nic),
    );
    add("-device", "virtio-net-pci,netdev=far,addr=4,romfile=".into());
    for (disk, path, address, options) in [
        ("data", data, 5, ",snapshot=on"),
        ("results", paths.results.as_path(), 6, ""),
    ] {
        let path = path.display();
        add(
            "-drive",
            format!("if=none,id={disk},format=raw,cache=unsafe,file={path}{options}"),
        );
        add("-device", format!("virtio-blk-pci,drive={disk},addr={address}"));
    }
    for device in &setup.devices {
        add("-device", device.clone());
    }
    arguments.extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(str::to_owned));
    arguments
}

/// A socket that QEMU makes, and where it waits for us.
fn socket(id: &str, path: &Path) -> String {
    format!("socket,id={id},server=on,wait=on,path={}", path.display())
}

fn initramfs(setup: &Setup, packages: &Packages, built: &[PathBuf]) -> Result<Vec<u8>, GuestError> {
    let mut archive = Initramfs::default();
    for folder in [
        "bin", "modules", "steps", "dev", "etc", "proc", "sys", "tmp", "data", "results", "root",
    ] {
        archive.folder(folder);
    }
    archive.copy("bin/busybox", &packages.busybox)?;
    for program in built {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        archive.copy(&format!("bin/{name}"), program)?;
    }
    archive.file("init", INIT.as_bytes());
    archive.file("library.sh", LIBRARY.as_bytes());
    archive.file(
        "etc/passwd",
        b"root::0:0:root:/root:/bin/sh\nsomebody::1000:1000:somebody:/tmp:/bin/sh\n",
    );
    archive.file("etc/group", b"root:x:0:\nsomebody:x:1000:\n");

    let wanted: Vec<&str> = MODULES
        .into_iter()
        .chain(setup.modules.iter().map(String::as_str))
        .collect();
    let mut order = String::new();
    for module in modules::in_load_order(&packages.modules, &wanted)? {
        let name = module
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        archive.copy(&format!("modules/{name}"), &module)?;
        order += &format!("{name}\n");
    }
    archive.file("modules/order", order.as_bytes());

    let mut order = String::new();
    for Step { name, script, limit } in &setup.steps {
        archive.file(&format!("steps/{name}"), script.as_bytes());
        order += &format!("{name} {limit}\n");
    }
    archive.file("steps/order", order.as_bytes());
    let interactive = u8::from(setup.console == Console::Terminal);
    archive.file(
        "environment",
        format!(
            "export NIC=0000:00:03.0 MODEL={} INTERACTIVE={interactive}\n",
            setup.nic
        )
        .as_bytes(),
    );
    Ok(archive.finish())
}
