//! SMSC LAN9118 and the chips with its registers: LAN9115 to LAN9118, LAN9215 to LAN9221.
//!
//! The chip holds frames in FIFOs of its own, which the processor fills and empties word by word; there
//! is no DMA. The driver keeps one received and one outgoing frame in [`Frames`], lent by the caller,
//! two octets into a word, so that what follows the Ethernet header is aligned.
//!
//! Register names are the data sheet's (SMSC LAN9118, chapter 5). Not done: flow control, wake-up
//! frames, the EEPROM, 16-bit buses other than through a [`Bus`] of the caller's.

use crate::phy::{Device, DeviceCapabilities, HardwareAddress, LinkState, Medium, RxToken, TxToken};
use crate::time::Instant;

/// Offsets of the registers that the processor sees, in octets.
mod reg {
    pub(super) const RX_DATA: usize = 0x00;
    pub(super) const TX_DATA: usize = 0x20;
    pub(super) const RX_STATUS: usize = 0x40;
    pub(super) const TX_STATUS: usize = 0x48;
    pub(super) const IRQ_CFG: usize = 0x54;
    pub(super) const INT_STS: usize = 0x58;
    pub(super) const INT_EN: usize = 0x5c;
    pub(super) const BYTE_TEST: usize = 0x64;
    pub(super) const FIFO_INT: usize = 0x68;
    pub(super) const RX_CFG: usize = 0x6c;
    pub(super) const TX_CFG: usize = 0x70;
    pub(super) const HW_CFG: usize = 0x74;
    pub(super) const RX_FIFO_INF: usize = 0x7c;
    pub(super) const TX_FIFO_INF: usize = 0x80;
    pub(super) const PMT_CTRL: usize = 0x84;
    pub(super) const RX_DROP: usize = 0xa0;
    pub(super) const MAC_CSR_CMD: usize = 0xa4;
    pub(super) const MAC_CSR_DATA: usize = 0xa8;
    pub(super) const AFC_CFG: usize = 0xac;
    pub(super) const E2P_CMD: usize = 0xb0;
}

/// Numbers of the registers behind `MAC_CSR_CMD`.
mod mac {
    pub(super) const CR: u32 = 1;
    pub(super) const ADDRH: u32 = 2;
    pub(super) const ADDRL: u32 = 3;
    pub(super) const HASHH: u32 = 4;
    pub(super) const HASHL: u32 = 5;
    pub(super) const MII_ACC: u32 = 6;
    pub(super) const MII_DATA: u32 = 7;
}

/// Numbers of the PHY's registers (IEEE 802.3 §22.2.4, and the chip's own from 16 on).
mod phy {
    pub(super) const BASIC_CONTROL: u32 = 0;
    pub(super) const BASIC_STATUS: u32 = 1;
    pub(super) const ADVERTISEMENT: u32 = 4;
    pub(super) const PARTNER_ABILITY: u32 = 5;
    pub(super) const INTERRUPT_SOURCE: u32 = 29;
    pub(super) const INTERRUPT_MASK: u32 = 30;
}

const BYTE_TEST_VALUE: u32 = 0x8765_4321;
/// Set while the chip works on what was asked through `MAC_CSR_CMD` or `E2P_CMD`.
const BUSY: u32 = 1 << 31;

/// `MAC_CSR_CMD`: read, not write.
const CSR_READ: u32 = 1 << 30;

// INT_STS and INT_EN
const INT_PHY: u32 = 1 << 18;
const INT_TX_ROOM: u32 = 1 << 9;
const INT_RX_STATUS: u32 = 1 << 3;
/// IRQ_CFG: enabled, active high, push-pull.
const IRQ_ON: u32 = 0x0000_0111;

// HW_CFG
const SOFT_RESET: u32 = 1 << 0;
/// 5 kB of the FIFO memory for transmission; the bit that must be one.
const HW_CONFIG: u32 = 5 << 16 | 1 << 20;
/// TX_CFG: on, and go on when nobody reads the statuses.
const TX_CONFIG: u32 = 1 << 2 | 1 << 1;
/// AFC_CFG: the thresholds that the data sheet recommends.
const FLOW_THRESHOLDS: u32 = 0x006e_3740;
/// PMT_CTRL: the chip is awake.
const READY: u32 = 1;

// MAC_CR
const FULL_DUPLEX: u32 = 1 << 20;
const ALL_MULTICAST: u32 = 1 << 19;
const HASH_MULTICAST: u32 = 1 << 13;
const TX_ENABLE: u32 = 1 << 3;
const RX_ENABLE: u32 = 1 << 2;

// RX_STATUS and TX_STATUS
const RX_ERROR: u32 = 1 << 15;
const TX_ERROR: u32 = 1 << 15;

/// TX_CMD_A: the buffer is the frame's first and its last.
const TX_WHOLE_FRAME: u32 = 1 << 13 | 1 << 12;

// The PHY's registers
const PHY_RESET: u32 = 1 << 15;
const PHY_NEGOTIATE: u32 = 1 << 12 | 1 << 9;
const PHY_LINK_UP: u32 = 1 << 2;
/// 10 and 100 Mbit/s, half and full duplex.
const PHY_ABILITIES: u32 = 0x01e1;
const PHY_100_FULL: u32 = 1 << 8;
const PHY_100_HALF: u32 = 1 << 7;
const PHY_10_FULL: u32 = 1 << 6;
/// Negotiation complete, link down.
const PHY_INTERRUPTS: u32 = 1 << 6 | 1 << 4;

/// Octets before the frame, so that what follows the Ethernet header is aligned.
const PAD: usize = 2;
/// The largest frame without FCS, in octets.
const MAX_FRAME_LEN: usize = 1_514;
/// The FCS, which the chip hands over with the frame, in octets.
const FCS_LEN: usize = 4;
/// Room for a frame with its pad and FCS, in octets; whole words.
const BUFFER_LEN: usize = 1_524;
const _: () = assert!(BUFFER_LEN >= PAD + MAX_FRAME_LEN + FCS_LEN && BUFFER_LEN.is_multiple_of(4));
/// Free octets in the transmit FIFO from which on any frame fits: the frame and its two commands.
const TX_ROOM: u32 = BUFFER_LEN as u32 + 8;
/// The same in the blocks of 64 octets that FIFO_INT counts in.
const TX_ROOM_BLOCKS: u32 = TX_ROOM.div_ceil(64);

/// How often a busy register is read before the chip counts as dead. The slowest answer, a transfer
/// on the PHY's serial management bus, takes 26 µs.
const MAX_READS: u32 = 100_000;
/// Bad frames that one call skips.
const MAX_SKIPPED: u32 = 8;

/// How the driver reaches the chip's registers.
pub trait Bus {
    /// Reads the 32-bit register at `offset` octets from the chip's start.
    fn read(&mut self, offset: usize) -> u32;
    /// Writes the 32-bit register at `offset` octets from the chip's start.
    fn write(&mut self, offset: usize, value: u32);
}

/// A chip that is mapped into memory, on a bus of 32 bits.
#[derive(Debug)]
pub struct Mmio {
    base: usize,
}

impl Mmio {
    /// The chip at the address `base`.
    ///
    /// # Safety
    /// `base` is a multiple of four; the 256 octets from there on are the registers of a chip of this
    /// family, mapped as device memory, and nothing else uses them while this value lives.
    #[allow(unsafe_code)]
    pub const unsafe fn new(base: usize) -> Mmio {
        Mmio { base }
    }
}

impl Bus for Mmio {
    #[inline]
    #[allow(unsafe_code)]
    fn read(&mut self, offset: usize) -> u32 {
        let register = core::ptr::with_exposed_provenance::<u32>(self.base + offset);
        // SAFETY: the offsets are this file's, below 256 and multiples of four; `new` promises the rest.
        unsafe { register.read_volatile() }
    }

    #[inline]
    #[allow(unsafe_code)]
    fn write(&mut self, offset: usize, value: u32) {
        let register = core::ptr::with_exposed_provenance_mut::<u32>(self.base + offset);
        // SAFETY: the offsets are this file's, below 256 and multiples of four; `new` promises the rest.
        unsafe { register.write_volatile(value) }
    }
}

/// Why the chip could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The test register does not read as it must: no such chip here, or wrong byte order.
    NotFound,
    /// The chip did not finish something in time: its clock or its PHY does not run.
    Timeout,
}

/// Memory for one received and one outgoing frame.
#[derive(Debug)]
#[repr(C, align(4))]
pub struct Frames {
    rx: [u8; BUFFER_LEN],
    tx: [u8; BUFFER_LEN],
}

impl Frames {
    /// Empty frames.
    pub const fn new() -> Frames {
        Frames { rx: [0; BUFFER_LEN], tx: [0; BUFFER_LEN] }
    }
}

impl Default for Frames {
    fn default() -> Frames {
        Frames::new()
    }
}

/// Frames that went wrong. The counters wrap.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Received with a bad FCS, a collision or another error of the line.
    pub rx_errors: u32,
    /// Received whole, but longer than 1,514 octets or too short for an Ethernet header.
    pub rx_wrong_len: u32,
    /// Not received for want of room in the chip's FIFO.
    pub rx_overruns: u32,
    /// Not sent: no carrier, too many collisions, or another error of the line.
    pub tx_errors: u32,
}

/// The driver.
#[derive(Debug)]
pub struct Lan9118<'a, B: Bus = Mmio> {
    bus: B,
    frames: &'a mut Frames,
    address: [u8; 6],
    link: LinkState,
    /// The bits of MAC_CR that say which groups are received.
    filter: u32,
    /// The interrupts that the caller wants; `INT_TX_ROOM` comes and goes beside them.
    interrupts: u32,
    waits_for_room: bool,
    counters: Counters,
}

impl<'a, B: Bus> Lan9118<'a, B> {
    /// Resets the chip and starts it with the Ethernet address `address`.
    ///
    /// The link comes up by itself when the PHY has negotiated, after up to three seconds. Frames to all
    /// groups are received until [`Device::set_multicast_filter`] is called.
    pub fn new(bus: B, frames: &'a mut Frames, address: [u8; 6]) -> Result<Self, Error> {
        let mut this = Lan9118 {
            bus,
            frames,
            address,
            link: LinkState::DOWN,
            filter: ALL_MULTICAST,
            interrupts: 0,
            waits_for_room: false,
            counters: Counters::default(),
        };
        this.reset()?;
        this.configure()?;
        this.start_phy()?;
        this.refresh_link()?;
        Ok(this)
    }

    /// Lets the chip raise its interrupt line (active high) for received frames and changes of the link,
    /// and for room in its transmit FIFO after [`Device::transmit`] found none.
    ///
    /// The line falls when [`Device::receive`] has returned `None`, so a superloop needs no handler: it
    /// polls until nothing is left, and sleeps.
    pub fn enable_interrupts(&mut self) {
        self.set_interrupts(INT_RX_STATUS | INT_PHY);
    }

    /// Keeps the chip from raising its interrupt line.
    pub fn disable_interrupts(&mut self) {
        self.set_interrupts(0);
    }

    /// Whether the interrupt line is, or would be, raised.
    pub fn is_interrupt_pending(&mut self) -> bool {
        let enabled = self.bus.read(reg::INT_EN);
        self.bus.read(reg::INT_STS) & enabled != 0
    }

    /// What went wrong so far.
    pub fn counters(&mut self) -> Counters {
        // The register clears itself.
        let overruns = self.bus.read(reg::RX_DROP);
        self.counters.rx_overruns = self.counters.rx_overruns.wrapping_add(overruns);
        self.counters
    }

    fn set_interrupts(&mut self, interrupts: u32) {
        self.interrupts = interrupts;
        self.bus.write(reg::INT_EN, interrupts);
        self.waits_for_room = false;
    }

    /// Reads a register until none of `bits` differs from `value`.
    fn wait(&mut self, register: usize, bits: u32, value: u32) -> Result<(), Error> {
        for _ in 0..MAX_READS {
            if self.bus.read(register) & bits == value {
                return Ok(());
            }
        }
        Err(Error::Timeout)
    }

    fn reset(&mut self) -> Result<(), Error> {
        // A write to this register wakes a chip that sleeps.
        self.bus.write(reg::BYTE_TEST, 0);
        self.wait(reg::BYTE_TEST, !0, BYTE_TEST_VALUE).map_err(|_| Error::NotFound)?;
        self.wait(reg::PMT_CTRL, READY, READY)?;
        self.bus.write(reg::HW_CFG, SOFT_RESET);
        self.wait(reg::HW_CFG, SOFT_RESET, 0)?;
        // The reset reloads the EEPROM's address, which must not overwrite ours later.
        self.wait(reg::E2P_CMD, BUSY, 0)
    }

    fn configure(&mut self) -> Result<(), Error> {
        self.bus.write(reg::HW_CFG, HW_CONFIG);
        self.bus.write(reg::AFC_CFG, FLOW_THRESHOLDS);
        self.bus.write(reg::INT_EN, 0);
        self.bus.write(reg::INT_STS, !0);
        // An interrupt for the first received frame, and for room for the largest outgoing one.
        self.bus.write(reg::FIFO_INT, TX_ROOM_BLOCKS << 24);
        self.bus.write(reg::IRQ_CFG, IRQ_ON);
        let [a, b, c, d, e, f] = self.address;
        self.write_mac(mac::ADDRL, u32::from_le_bytes([a, b, c, d]))?;
        self.write_mac(mac::ADDRH, u32::from_le_bytes([e, f, 0, 0]))?;
        self.bus.write(reg::RX_CFG, (PAD as u32) << 8);
        self.bus.write(reg::TX_CFG, TX_CONFIG);
        Ok(())
    }

    fn start_phy(&mut self) -> Result<(), Error> {
        self.write_phy(phy::BASIC_CONTROL, PHY_RESET)?;
        // A read takes 26 µs on the wire and the reset at most 0.5 s.
        for reads in 0.. {
            if self.read_phy(phy::BASIC_CONTROL)? & PHY_RESET == 0 {
                break;
            }
            if reads == 20_000 {
                return Err(Error::Timeout);
            }
        }
        self.write_phy(phy::ADVERTISEMENT, PHY_ABILITIES)?;
        self.write_phy(phy::INTERRUPT_MASK, PHY_INTERRUPTS)?;
        self.write_phy(phy::BASIC_CONTROL, PHY_NEGOTIATE)
    }

    /// Asks the PHY for the link's state and sets the MAC to the duplex that was negotiated.
    fn refresh_link(&mut self) -> Result<(), Error> {
        // Reading the source clears it, and with it the interrupt.
        self.read_phy(phy::INTERRUPT_SOURCE)?;
        // The link bit stays down until it is read once: the second reading is the present.
        self.read_phy(phy::BASIC_STATUS)?;
        let up = self.read_phy(phy::BASIC_STATUS)? & PHY_LINK_UP != 0;
        let common = self.read_phy(phy::ADVERTISEMENT)? & self.read_phy(phy::PARTNER_ABILITY)?;
        let (speed, full_duplex) = if common & PHY_100_FULL != 0 {
            (100_000, true)
        } else if common & PHY_100_HALF != 0 {
            (100_000, false)
        } else {
            (10_000, common & PHY_10_FULL != 0)
        };
        self.link = if up { LinkState { up, speed, full_duplex } } else { LinkState::DOWN };
        self.configure_mac()
    }

    fn configure_mac(&mut self) -> Result<(), Error> {
        let duplex = if self.link.full_duplex { FULL_DUPLEX } else { 0 };
        self.write_mac(mac::CR, TX_ENABLE | RX_ENABLE | duplex | self.filter)
    }

    fn read_mac(&mut self, register: u32) -> Result<u32, Error> {
        self.bus.write(reg::MAC_CSR_CMD, BUSY | CSR_READ | register);
        self.wait(reg::MAC_CSR_CMD, BUSY, 0)?;
        Ok(self.bus.read(reg::MAC_CSR_DATA))
    }

    fn write_mac(&mut self, register: u32, value: u32) -> Result<(), Error> {
        self.bus.write(reg::MAC_CSR_DATA, value);
        self.bus.write(reg::MAC_CSR_CMD, BUSY | register);
        self.wait(reg::MAC_CSR_CMD, BUSY, 0)
    }

    /// Starts a transfer with the internal PHY, which has the address 1, and waits for its end.
    fn access_phy(&mut self, register: u32, write: u32) -> Result<(), Error> {
        self.write_mac(mac::MII_ACC, 1 << 11 | register << 6 | write | 1)?;
        for _ in 0..MAX_READS {
            if self.read_mac(mac::MII_ACC)? & 1 == 0 {
                return Ok(());
            }
        }
        Err(Error::Timeout)
    }

    fn read_phy(&mut self, register: u32) -> Result<u32, Error> {
        self.access_phy(register, 0)?;
        self.read_mac(mac::MII_DATA)
    }

    fn write_phy(&mut self, register: u32, value: u32) -> Result<(), Error> {
        self.write_mac(mac::MII_DATA, value)?;
        self.access_phy(register, 2)
    }

    /// Takes the next good frame out of the chip and returns its length in octets.
    fn take_frame(&mut self) -> Option<usize> {
        for _ in 0..MAX_SKIPPED {
            if !self.is_frame_waiting() {
                return None;
            }
            let status = self.bus.read(reg::RX_STATUS);
            let len_with_fcs = (status >> 16 & 0x3fff) as usize;
            self.read_data(len_with_fcs);
            let len = len_with_fcs.saturating_sub(FCS_LEN); // 0 is refused below
            if status & RX_ERROR != 0 {
                self.counters.rx_errors = self.counters.rx_errors.wrapping_add(1);
            } else if !(14..=MAX_FRAME_LEN).contains(&len) {
                self.counters.rx_wrong_len = self.counters.rx_wrong_len.wrapping_add(1);
            } else {
                return Some(len);
            }
        }
        None
    }

    fn is_frame_waiting(&mut self) -> bool {
        if self.waiting_frames() > 0 {
            return true;
        }
        // The interrupt is acknowledged before the last look, so a frame that comes later raises it
        // again and none is slept over.
        let interrupts = self.bus.read(reg::INT_STS);
        if interrupts == 0 {
            return false;
        }
        self.bus.write(reg::INT_STS, interrupts);
        if interrupts & INT_PHY != 0 && self.refresh_link().is_err() {
            // A PHY that does not answer any more carries no frames.
            self.link = LinkState::DOWN;
        }
        self.waiting_frames() > 0
    }

    fn waiting_frames(&mut self) -> u32 {
        self.bus.read(reg::RX_FIFO_INF) >> 16 & 0xff
    }

    /// Empties the data FIFO of a frame; what does not fit into the buffer is lost.
    fn read_data(&mut self, len_with_fcs: usize) {
        let mut words = (PAD + len_with_fcs).div_ceil(4);
        for word in self.frames.rx.as_chunks_mut::<4>().0.iter_mut().take(words) {
            *word = self.bus.read(reg::RX_DATA).to_le_bytes();
            words -= 1;
        }
        // The chip's fast forward for such frames works only from four words on.
        for _ in 0..words {
            self.bus.read(reg::RX_DATA);
        }
    }

    /// Whether the largest frame fits into the transmit FIFO; if not, an interrupt will say when.
    fn has_room(&mut self) -> bool {
        let info = self.bus.read(reg::TX_FIFO_INF);
        for _ in 0..info >> 16 & 0xff {
            if self.bus.read(reg::TX_STATUS) & TX_ERROR != 0 {
                self.counters.tx_errors = self.counters.tx_errors.wrapping_add(1);
            }
        }
        let has_room = info & 0xffff >= TX_ROOM;
        // A look without need would cost a register access a frame.
        if has_room == self.waits_for_room {
            self.waits_for_room = !has_room;
            let extra = if has_room || self.interrupts == 0 { 0 } else { INT_TX_ROOM };
            self.bus.write(reg::INT_EN, self.interrupts | extra);
        }
        has_room
    }
}

impl<B: Bus> Device for Lan9118<'_, B> {
    type RxToken<'b>
        = RxFrame<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = TxFrame<'b, B>
    where
        Self: 'b;

    fn receive(&mut self, _now: Instant) -> Option<(RxFrame<'_>, Option<TxFrame<'_, B>>)> {
        let len = self.take_frame()?;
        let has_room = self.has_room();
        let Frames { rx, tx } = &mut *self.frames;
        let frame = rx.get(PAD..PAD + len)?;
        Some((RxFrame { frame }, has_room.then_some(TxFrame { bus: &mut self.bus, buffer: tx })))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TxFrame<'_, B>> {
        self.has_room().then_some(TxFrame { bus: &mut self.bus, buffer: &mut self.frames.tx })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        DeviceCapabilities::new(Medium::Ethernet, MAX_FRAME_LEN)
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }

    fn link(&self) -> LinkState {
        self.link
    }

    fn set_multicast_filter(&mut self, groups: &[HardwareAddress]) {
        let mut hash = [0u32; 2];
        for group in groups {
            if let HardwareAddress::Ethernet(address) = group {
                let bit = hash_bit(address);
                if bit < 32 { hash[0] |= 1 << bit } else { hash[1] |= 1 << (bit - 32) }
            }
        }
        self.filter = HASH_MULTICAST;
        let set = self
            .write_mac(mac::HASHL, hash[0])
            .and_then(|()| self.write_mac(mac::HASHH, hash[1]))
            .and_then(|()| self.configure_mac());
        if set.is_err() {
            self.link = LinkState::DOWN;
        }
    }
}

/// The bit of the 64 that a group's address selects: the upper six of its CRC-32.
fn hash_bit(address: &[u8; 6]) -> u32 {
    let mut crc = !0u32;
    for &octet in address {
        for i in 0..8 {
            let carry = crc >> 31 ^ u32::from(octet >> i & 1);
            crc = crc << 1 ^ if carry != 0 { 0x04c1_1db7 } else { 0 };
        }
    }
    crc >> 26
}

/// A received frame.
#[derive(Debug)]
pub struct RxFrame<'a> {
    frame: &'a [u8],
}

impl RxToken for RxFrame<'_> {
    fn consume<R, F>(self, f: F) -> R
    where
        F: FnOnce(&[u8]) -> R,
    {
        f(self.frame)
    }
}

/// Room for a frame.
#[derive(Debug)]
pub struct TxFrame<'a, B: Bus> {
    bus: &'a mut B,
    buffer: &'a mut [u8; BUFFER_LEN],
}

impl<B: Bus> TxToken for TxFrame<'_, B> {
    fn consume<R, F>(self, len: usize, f: F) -> R
    where
        F: FnOnce(&mut [u8]) -> R,
    {
        debug_assert!(len <= MAX_FRAME_LEN);
        // Longer is against the contract; cut, it breaks only itself.
        let len = len.min(MAX_FRAME_LEN);
        let result = f(&mut self.buffer[PAD..PAD + len]);
        self.bus.write(reg::TX_DATA, (PAD as u32) << 16 | TX_WHOLE_FRAME | len as u32);
        self.bus.write(reg::TX_DATA, len as u32);
        for word in self.buffer.as_chunks::<4>().0.iter().take((PAD + len).div_ceil(4)) {
            self.bus.write(reg::TX_DATA, u32::from_le_bytes(*word));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::vec::Vec;

    /// A chip as far as the driver can see it.
    #[derive(Default)]
    struct Chip {
        mac: [u32; 16],
        phy: [u32; 32],
        csr_data: u32,
        rx_status: VecDeque<u32>,
        rx_data: VecDeque<u32>,
        rx_underruns: usize,
        tx_words: Vec<u32>,
        tx_status: VecDeque<u32>,
        tx_free: u32,
        int_en: u32,
        int_sts: u32,
        drops: u32,
        missing: bool,
        stuck: bool,
    }

    impl Chip {
        fn new() -> Chip {
            let mut chip = Chip { tx_free: 4_608, ..Chip::default() };
            chip.phy[1] = 0x7829 | 4;
            chip.phy[5] = 0x0f71;
            chip
        }

        fn push(&mut self, frame: &[u8], flags: u32) {
            let mut octets = std::vec![0xee; PAD];
            octets.extend_from_slice(frame);
            octets.extend_from_slice(&[0xfc; FCS_LEN]);
            octets.resize(octets.len().next_multiple_of(4), 0xdd);
            for word in octets.as_chunks::<4>().0 {
                self.rx_data.push_back(u32::from_le_bytes(*word));
            }
            self.rx_status.push_back(((frame.len() + FCS_LEN) as u32) << 16 | flags);
            self.int_sts |= INT_RX_STATUS;
        }

        fn command(&mut self, command: u32) {
            let register = (command & 15) as usize;
            if command & CSR_READ != 0 {
                self.csr_data = self.mac[register];
                return;
            }
            self.mac[register] = self.csr_data;
            if register == mac::MII_ACC as usize {
                let phy_register = (self.csr_data >> 6 & 31) as usize;
                if self.csr_data & 2 != 0 {
                    self.phy[phy_register] = self.mac[mac::MII_DATA as usize] & !PHY_RESET;
                } else {
                    self.mac[mac::MII_DATA as usize] = self.phy[phy_register];
                }
                self.mac[register] &= !1;
            }
        }

        /// The frames that were sent, from the words of the FIFO.
        fn sent(&self) -> Vec<Vec<u8>> {
            let (mut words, mut frames) = (self.tx_words.iter(), Vec::new());
            while let Some(a) = words.next() {
                assert_eq!(a & TX_WHOLE_FRAME, TX_WHOLE_FRAME);
                let (len, pad) = ((a & 0x7ff) as usize, (a >> 16 & 31) as usize);
                assert_eq!(*words.next().unwrap() & 0x7ff, len as u32);
                let octets: Vec<u8> = (&mut words)
                    .take((pad + len).div_ceil(4))
                    .flat_map(|word| word.to_le_bytes())
                    .skip(pad)
                    .take(len)
                    .collect();
                assert_eq!(octets.len(), len);
                frames.push(octets);
            }
            frames
        }
    }

    impl Bus for &mut Chip {
        fn read(&mut self, offset: usize) -> u32 {
            match offset {
                reg::RX_DATA => self.rx_data.pop_front().unwrap_or_else(|| {
                    self.rx_underruns += 1;
                    0
                }),
                reg::RX_STATUS => self.rx_status.pop_front().unwrap(),
                reg::TX_STATUS => self.tx_status.pop_front().unwrap(),
                reg::INT_STS => self.int_sts,
                reg::INT_EN => self.int_en,
                reg::BYTE_TEST if self.missing => !0,
                reg::BYTE_TEST => BYTE_TEST_VALUE,
                reg::RX_FIFO_INF => (self.rx_status.len() as u32) << 16 | (self.rx_data.len() as u32) << 2,
                reg::TX_FIFO_INF => (self.tx_status.len() as u32) << 16 | self.tx_free,
                reg::PMT_CTRL => READY,
                reg::RX_DROP => core::mem::take(&mut self.drops),
                reg::MAC_CSR_CMD if self.stuck => BUSY,
                reg::MAC_CSR_DATA => self.csr_data,
                _ => 0,
            }
        }

        fn write(&mut self, offset: usize, value: u32) {
            match offset {
                reg::TX_DATA => self.tx_words.push(value),
                reg::INT_EN => self.int_en = value,
                reg::INT_STS => self.int_sts &= !value,
                reg::MAC_CSR_DATA => self.csr_data = value,
                reg::MAC_CSR_CMD => self.command(value),
                _ => {}
            }
        }
    }

    const ADDRESS: [u8; 6] = [2, 3, 4, 5, 6, 7];

    fn received(device: &mut impl Device) -> Option<Vec<u8>> {
        device.receive(Instant::ZERO).map(|(rx, _)| rx.consume(|frame| frame.to_vec()))
    }

    #[test]
    fn address_and_duplex_are_written_and_the_link_comes_up() {
        let (mut chip, mut frames) = (Chip::new(), Frames::new());
        let device = Lan9118::new(&mut chip, &mut frames, ADDRESS).unwrap();
        assert_eq!(device.link(), LinkState { up: true, speed: 100_000, full_duplex: true });
        assert_eq!(device.hardware_address(), HardwareAddress::Ethernet(ADDRESS));
        assert_eq!(chip.mac[mac::ADDRL as usize], 0x0504_0302);
        assert_eq!(chip.mac[mac::ADDRH as usize], 0x0706);
        assert_eq!(chip.mac[1], TX_ENABLE | RX_ENABLE | FULL_DUPLEX | ALL_MULTICAST);
    }

    #[test]
    fn a_missing_chip_and_a_dead_one_are_told_apart() {
        let mut frames = Frames::new();
        let mut missing = Chip { missing: true, ..Chip::new() };
        assert_eq!(Lan9118::new(&mut missing, &mut frames, ADDRESS).err(), Some(Error::NotFound));
        let mut stuck = Chip { stuck: true, ..Chip::new() };
        assert_eq!(Lan9118::new(&mut stuck, &mut frames, ADDRESS).err(), Some(Error::Timeout));
    }

    #[test]
    fn frames_of_every_length_come_in_whole_and_empty_the_fifo() {
        for len in 14..=MAX_FRAME_LEN {
            let frame: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let (mut chip, mut frames) = (Chip::new(), Frames::new());
            chip.push(&frame, 0);
            chip.push(&frame, 0);
            let mut device = Lan9118::new(&mut chip, &mut frames, ADDRESS).unwrap();
            assert_eq!(received(&mut device).as_deref(), Some(&frame[..]));
            assert_eq!(received(&mut device).as_deref(), Some(&frame[..]));
            assert_eq!(received(&mut device), None);
            assert_eq!((chip.rx_data.len(), chip.rx_underruns), (0, 0));
        }
    }

    #[test]
    fn bad_frames_are_skipped_and_counted() {
        let (mut chip, mut frames) = (Chip::new(), Frames::new());
        chip.push(&[1; 60], RX_ERROR);
        chip.push(&[2; 1_800], 0);
        chip.push(&[3; 13], 0);
        chip.push(&[4; 60], 0);
        chip.drops = 5;
        let mut device = Lan9118::new(&mut chip, &mut frames, ADDRESS).unwrap();
        assert_eq!(received(&mut device), Some(std::vec![4; 60]));
        let counters = Counters { rx_errors: 1, rx_wrong_len: 2, rx_overruns: 5, tx_errors: 0 };
        assert_eq!(device.counters(), counters);
        assert_eq!(device.counters(), counters, "the chip's own counter was counted twice");
        assert_eq!((chip.rx_data.len(), chip.rx_underruns), (0, 0));
    }

    #[test]
    fn a_status_of_no_octets_panics_nowhere() {
        let (mut chip, mut frames) = (Chip::new(), Frames::new());
        chip.rx_status.extend([0, !0, !RX_ERROR]);
        let mut device = Lan9118::new(&mut chip, &mut frames, ADDRESS).unwrap();
        assert_eq!(received(&mut device), None);
        assert_eq!(device.counters().rx_wrong_len, 2);
    }

    #[test]
    fn frames_of_every_length_go_out_whole() {
        let (mut chip, mut frames) = (Chip::new(), Frames::new());
        let mut device = Lan9118::new(&mut chip, &mut frames, ADDRESS).unwrap();
        for len in 14..=MAX_FRAME_LEN {
            device.transmit(Instant::ZERO).unwrap().consume(len, |frame| frame.fill(len as u8));
        }
        let expected: Vec<Vec<u8>> = (14..=MAX_FRAME_LEN).map(|len| std::vec![len as u8; len]).collect();
        assert_eq!(chip.sent(), expected);
    }

    #[test]
    fn a_full_fifo_gives_no_token_but_an_interrupt_when_there_is_room() {
        let (mut chip, mut frames) = (Chip::new(), Frames::new());
        chip.tx_free = TX_ROOM - 1;
        chip.tx_status.extend([0, TX_ERROR]);
        chip.push(&[1; 60], 0);
        let mut device = Lan9118::new(&mut chip, &mut frames, ADDRESS).unwrap();
        device.enable_interrupts();
        let (_, tx) = device.receive(Instant::ZERO).unwrap();
        assert!(tx.is_none());
        assert!(device.transmit(Instant::ZERO).is_none());
        assert_eq!(device.counters().tx_errors, 1);
        assert_eq!(device.bus.int_en, INT_RX_STATUS | INT_PHY | INT_TX_ROOM);
        device.bus.tx_free = TX_ROOM;
        assert!(device.transmit(Instant::ZERO).is_some());
        assert_eq!(chip.int_en, INT_RX_STATUS | INT_PHY);
    }

    #[test]
    fn the_interrupt_falls_when_nothing_is_left_and_not_before() {
        let (mut chip, mut frames) = (Chip::new(), Frames::new());
        chip.push(&[1; 60], 0);
        let mut device = Lan9118::new(&mut chip, &mut frames, ADDRESS).unwrap();
        // Starting the chip acknowledged what came before.
        device.bus.push(&[2; 60], 0);
        device.enable_interrupts();
        assert!(received(&mut device).is_some());
        assert!(device.is_interrupt_pending());
        assert!(received(&mut device).is_some());
        assert!(device.is_interrupt_pending());
        assert!(received(&mut device).is_none());
        assert!(!device.is_interrupt_pending());
    }

    #[test]
    fn a_lost_link_is_seen_through_the_interrupt() {
        let (mut chip, mut frames) = (Chip::new(), Frames::new());
        let mut device = Lan9118::new(&mut chip, &mut frames, ADDRESS).unwrap();
        device.bus.phy[1] &= !PHY_LINK_UP;
        assert!(received(&mut device).is_none());
        assert!(device.link().up, "the PHY is not asked at every poll");
        device.bus.int_sts |= INT_PHY;
        assert!(received(&mut device).is_none());
        assert_eq!(device.link(), LinkState::DOWN);
    }

    #[test]
    fn groups_set_their_bit_of_the_hash() {
        let (mut chip, mut frames) = (Chip::new(), Frames::new());
        let mut device = Lan9118::new(&mut chip, &mut frames, ADDRESS).unwrap();
        // The CRC-32 of the first begins with 111110, that of the second with 011111 (as zlib computes it).
        let groups = [[0x33, 0x33, 0, 0, 0, 1], [1, 0, 0x5e, 0, 0, 1]].map(HardwareAddress::Ethernet);
        device.set_multicast_filter(&groups);
        assert_eq!(chip.mac[1], TX_ENABLE | RX_ENABLE | FULL_DUPLEX | HASH_MULTICAST);
        assert_eq!((chip.mac[4], chip.mac[5]), (1 << (0b111110 - 32), 1 << 0b011111));
    }
}
