//! The live engine on emulated NICs: two machines that know nothing of each other, each on a thread of its own, their
//! devices on threads of their own as hardware would be, and a cable between them.

mod bench;
mod failures;
mod idling;
mod pings;
mod removable;
mod transfers;
