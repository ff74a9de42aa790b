//! In place of VLAN tags where `iface-vlan` is not built in: no frame has one.

use crate::phy::DeviceCapabilities;
use crate::stats::DropReason;
use crate::wire::EtherType;

/// None.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct VlanTags;

impl VlanTags {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        0
    }

    #[inline]
    pub(crate) fn cost(&self, _capabilities: &DeviceCapabilities) -> usize {
        0
    }

    #[inline]
    pub(crate) fn outermost(&self, ethertype: EtherType) -> EtherType {
        ethertype
    }

    #[inline]
    pub(crate) fn emit<'f>(&self, rest: &'f mut [u8], _ethertype: EtherType) -> Option<&'f mut [u8]> {
        Some(rest)
    }

    #[inline]
    pub(crate) fn strip<'f>(
        &self,
        ethertype: EtherType,
        payload: &'f [u8],
    ) -> Result<(EtherType, &'f [u8]), DropReason> {
        Ok((ethertype, payload))
    }

    #[cfg(feature = "iface-router")]
    pub(crate) fn are_on(&self, _frame: &[u8]) -> bool {
        true
    }
}
