//! In place of the demultiplexing table where `iface-scale` is not built in: every lookup walks all
//! slots, in their order.

use managed::ManagedSlice;

use super::slots::{Marks, Slots};
use crate::wire::Addr;

/// No table: a slot is filed or not, and all that are filed share one chain.
#[derive(Debug)]
pub(crate) struct Table<'a>(core::marker::PhantomData<&'a ()>);

impl<'a> Table<'a> {
    pub(crate) fn new(_heads: impl Into<ManagedSlice<'a, u32>>, _key: [u32; 2]) -> Table<'a> {
        Table(core::marker::PhantomData)
    }

    pub(crate) fn hash_tuple(&self, _local: (&Addr, u16), _remote: (&Addr, u16), _protocol: u8) -> u32 {
        0
    }

    pub(crate) fn hash_port(&self, _protocol: u8, _port: u16) -> u32 {
        0
    }

    pub(crate) fn file<T>(&mut self, slots: &mut Slots<'_, T>, ix: u32, _hash: u32) {
        if let Some(links) = slots.links_mut(ix) {
            links.marks.insert(Marks::FILED);
        }
    }

    pub(crate) fn unfile<T>(&mut self, slots: &mut Slots<'_, T>, ix: u32) {
        if let Some(links) = slots.links_mut(ix) {
            links.marks.remove(Marks::FILED);
        }
    }

    pub(crate) fn filed_under<T>(&self, slots: &Slots<'_, T>, ix: u32) -> Option<u32> {
        slots.links(ix).filter(|links| links.marks.contains(Marks::FILED)).map(|_| 0)
    }

    /// All items that are filed, with the indices of their slots.
    pub(crate) fn chain<'s, T>(
        &self,
        slots: &'s Slots<'_, T>,
        _hash: u32,
    ) -> impl Iterator<Item = (u32, &'s T)> + use<'s, T> {
        let filed = (0..).zip(slots.all()).filter(|(_, slot)| slot.links.marks.contains(Marks::FILED));
        filed.filter_map(|(ix, slot)| Some((ix, slot.item()?)))
    }
}
