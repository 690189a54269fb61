//! The one place that knows what machines stand on: a NIC in a slot, or an emulated one on a cable.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use pagewire::live::{self, Application, OnCable, Outcome, Settings};
use pagewire::live::{Notice, Observer};
use pagewire_bus::vfio;
use pagewire_emu::cable::{Attachment, Impairments};

use super::NetworkError;
use super::recording::Recording;
use crate::arguments::{Cable, Machine, NicChoice, Place, unguessable};
use crate::interrupt::Interrupt;
use crate::stats::Board;
use crate::transfer::NicModel;

/// Runs `application` on a machine; its NIC is given back, or its cable pulled, when this returns.
pub(super) fn run<A: Application>(
    command: &'static str,
    machine: &Machine,
    application: &mut A,
    recording: &Recording,
    progress: &AtomicU64,
    interrupt: &Interrupt,
) -> Result<Outcome, NetworkError> {
    let Machine {
        place,
        settings,
        wire,
    } = machine;
    let counters = Arc::new(Mutex::new(None));
    let put_up = || Board::put_up(command, &place.to_string(), Arc::clone(&counters));
    let observer = Observer {
        stop: interrupt.flag(),
        progress,
        tell: &tell,
        wanted_back: &|| false,
        board: &counters,
    };
    match place {
        Place::Slot(address) => {
            let function = Arc::new(vfio::open(*address)?);
            tracing::info!("{place} is open, by {settings:?}");
            let _board = put_up();
            let asked = Arc::clone(&function);
            let observer = Observer {
                wanted_back: &|| asked.removal_requested() == Some(true),
                ..observer
            };
            Ok(live::run(function, settings, application, &observer)?)
        }
        Place::Cable(nic, cable) => {
            let wire = wire.impairments().faults();
            let machine = plug_in(*nic, cable, settings, &wire, recording)?;
            tracing::info!("{place} is plugged in, by {settings:?}");
            let _board = put_up();
            Ok(live::run_on_cable(&machine, settings, application, &observer)?)
        }
    }
}

/// An emulated NIC on a cable. Its address is one that nobody else on that network has.
fn plug_in(
    nic: NicChoice,
    cable: &Cable,
    settings: &Settings,
    wire: &Impairments,
    recording: &Recording,
) -> Result<OnCable, NetworkError> {
    let mtu = settings.stack.mtu as u32;
    let attachment = match cable {
        Cable::Tap(name) => Attachment::tap(name, mtu),
        Cable::Packet(name) => Attachment::packet(name, mtu),
    }?;
    let [_, a, b, c, d, e, ..] = unguessable().to_be_bytes();
    // Locally administered, of a single station (IEEE 802): the low bits of the first byte.
    let mac = [0x02, a, b, c, d, e];
    let model = NicModel::from(nic).into();
    Ok(OnCable::new(model, mac, attachment, wire, recording.tap()))
}

/// What a person should know at once is a warning; what one may want to know is for `-v`.
fn tell(notice: Notice) {
    match notice {
        Notice::LinkDown | Notice::LinkUp { .. } | Notice::Copying(_) => tracing::warn!("{notice}"),
        // Not for the log: it is what a server has to say.
        Notice::Listening { .. } => eprintln!("pagewire: {notice}; Ctrl-C ends it"),
        Notice::Connected { .. } | Notice::Leased(_) | Notice::NoInterrupts { .. } => {
            tracing::info!("{notice}")
        }
    }
}
