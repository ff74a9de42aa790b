//! Packet formats: views and representations, no state.

mod addr;

pub(crate) use addr::Addr;
pub use addr::FamilyNotBuiltIn;
