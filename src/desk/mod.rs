//! The desk: what the sworn agents of the service work at.

pub mod retention;
