//! What the examples for the MPS2 board share: the Ethernet chip, the clock, sleep.
//!
//! Time is a count of SysTick's milliseconds. There is no handler for the Ethernet interrupt: while it is
//! pending the processor does not sleep, and the driver takes the interrupt back when it has seen all.
#![no_std]

use core::cell::Cell;

use cortex_m::interrupt::Mutex;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{NVIC, SYST};
use cortex_m_rt::exception;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE};
use goldcrest::phy::mcu::lan9118::{Error, Frames, Lan9118, Mmio};
use goldcrest::time::Instant;

/// Where the Ethernet chip is mapped (Arm DAI 0386, table 3-3).
const ETHERNET_BASE: usize = 0x4020_0000;
/// Processor clock in Hz.
const CLOCK: u32 = 25_000_000;

/// Lines of the interrupt controller.
#[derive(Clone, Copy)]
#[repr(u16)]
enum Interrupt {
    Ethernet = 13,
}

// SAFETY: 13 is the line of the Ethernet chip, below the 32 that the board has, and never changes.
unsafe impl cortex_m::interrupt::InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

/// Milliseconds since the clock was started; wraps after 49 days.
static MILLIS: Mutex<Cell<u32>> = Mutex::new(Cell::new(0));

#[exception]
fn SysTick() {
    cortex_m::interrupt::free(|cs| {
        let millis = MILLIS.borrow(cs);
        millis.set(millis.get().wrapping_add(1));
    });
}

/// A millisecond clock, and sleep.
pub struct Clock {
    last: u32,
    millis: i64,
}

impl Clock {
    /// Starts the clock at zero.
    pub fn start(mut timer: SYST) -> Clock {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(CLOCK / 1_000 - 1);
        timer.clear_current();
        timer.enable_counter();
        timer.enable_interrupt();
        Clock { last: 0, millis: 0 }
    }

    /// The time now.
    pub fn now(&mut self) -> Instant {
        let millis = cortex_m::interrupt::free(|cs| MILLIS.borrow(cs).get());
        self.millis += i64::from(millis.wrapping_sub(self.last));
        self.last = millis;
        Instant::from_millis(self.millis)
    }

    /// Sleeps until the Ethernet chip has something, or until `deadline`.
    pub fn sleep_until(&mut self, deadline: Option<Instant>) {
        // The line is latched; it stays pending if the chip still holds it.
        NVIC::unpend(Interrupt::Ethernet);
        while !NVIC::is_pending(Interrupt::Ethernet) && deadline.is_none_or(|deadline| self.now() < deadline)
        {
            cortex_m::interrupt::free(|_| wait_for_interrupt());
        }
    }
}

/// Sleeps until any interrupt is pending. Interrupts are off: a pending one ends the sleep all the same,
/// none can slip in between the caller's question and the sleep, and the Ethernet line needs no handler.
fn wait_for_interrupt() {
    // SAFETY: the caller has switched interrupts off, so nothing is entered; and there is no data that a
    // handler of this line could see unfinished.
    unsafe { NVIC::unmask(Interrupt::Ethernet) };
    cortex_m::asm::wfi();
    NVIC::mask(Interrupt::Ethernet);
}

/// Starts the Ethernet chip with the address `address`.
///
/// # Safety
/// To be called once.
pub unsafe fn ethernet(frames: &mut Frames, address: [u8; 6]) -> Result<Lan9118<'_>, Error> {
    // SAFETY: the board has the chip at this address, and by this function's contract nobody else uses it.
    let bus = unsafe { Mmio::new(ETHERNET_BASE) };
    Lan9118::new(bus, frames, address)
}

/// Prints a line on the debugger's console.
pub fn print(line: &str) {
    cortex_m_semihosting::export::hstdout_str(line);
    cortex_m_semihosting::export::hstdout_str("\n");
}

/// Prints a line and ends QEMU with status 1.
pub fn fail(line: &str) -> ! {
    print(line);
    loop {
        debug::exit(EXIT_FAILURE);
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    fail("panicked")
}
