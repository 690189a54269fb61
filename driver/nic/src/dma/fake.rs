//! A mapper without a device, for tests.
