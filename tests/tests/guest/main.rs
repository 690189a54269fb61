//! Real drivers on NICs that others have modelled: what `pagewire` does in Linux guests under QEMU.
//!
//! Booting is what costs, so each guest boots once and goes through all its steps (`steps/*.sh`); a test here asks how one of
//! them went. `guests` says which guests there are, with which steps. The logs stay in `target/guest-results`.
//!
//! Where QEMU or Debian's packages cannot be had, the tests say "skipped" and why. With `PAGEWIRE_GUEST=required` in
//! the environment that is a failure.

mod guests;

/// A test for each step on each NIC. libtest takes them by name, so two guests run beside each other.
macro_rules! steps {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            #[test]
            fn e1000() {
                crate::guests::E1000.check(stringify!($name));
            }

            #[test]
            fn e1000e() {
                crate::guests::E1000E.check(stringify!($name));
            }
        })*

        /// The steps that a guest goes through, in this order.
        const STEPS: &[&str] = &[$(stringify!($name)),*];
    };
}

steps! {
    boots,
}
