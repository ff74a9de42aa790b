//! A global allocator that counts what the stack holds, and that can refuse what a listener asks for.
//!
//! Counted is, for each thread, what is allocated and freed inside [`in_stack`]; the simulated network
//! and the test's own records are not.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[derive(Clone, Copy)]
struct Account {
    is_in_stack: bool,
    held: isize,
    most: isize,
    /// Allocations of these sizes are refused.
    refuse: [usize; 2],
    refused: u64,
}

thread_local! {
    static ACCOUNT: Cell<Account> =
        const { Cell::new(Account { is_in_stack: false, held: 0, most: 0, refuse: [0; 2], refused: 0 }) };
}

/// The system's allocator with books kept.
pub(crate) struct Counting;

// SAFETY: everything is passed on to the system's allocator, with the caller's own guarantees; what is
// added touches a thread-local cell that needs no allocation and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !admit(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(new_size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, new_size) }
    }
}

/// Notes an allocation, unless it is one to be refused.
fn admit(size: usize) -> bool {
    let account = ACCOUNT.get();
    if account.is_in_stack && account.refuse.contains(&size) {
        ACCOUNT.set(Account { refused: account.refused + 1, ..account });
        return false;
    }
    note(size as isize);
    true
}

fn note(change: isize) {
    let mut account = ACCOUNT.get();
    if account.is_in_stack {
        account.held += change;
        account.most = account.most.max(account.held);
        ACCOUNT.set(account);
    }
}

/// Runs a part of the stack; what it allocates and frees counts.
pub(crate) fn in_stack<R>(f: impl FnOnce() -> R) -> R {
    switch(true, f)
}

/// Runs a part of the world that the stack calls; nothing of it counts.
pub(crate) fn outside<R>(f: impl FnOnce() -> R) -> R {
    switch(false, f)
}

fn switch<R>(is_in_stack: bool, f: impl FnOnce() -> R) -> R {
    let before = ACCOUNT.get().is_in_stack;
    ACCOUNT.set(Account { is_in_stack, ..ACCOUNT.get() });
    let result = f();
    ACCOUNT.set(Account { is_in_stack: before, ..ACCOUNT.get() });
    result
}

/// Opens the books anew.
pub(crate) fn reset() {
    ACCOUNT.set(Account { is_in_stack: false, held: 0, most: 0, refuse: [0; 2], refused: 0 });
}

/// From now on allocations of exactly these sizes fail inside the stack; 0 for none.
pub(crate) fn refuse(sizes: [usize; 2]) {
    ACCOUNT.set(Account { refuse: sizes, ..ACCOUNT.get() });
}

/// The most octets that the stack held at once, and how many allocations it was refused.
pub(crate) fn books() -> (isize, u64) {
    let account = ACCOUNT.get();
    (account.most, account.refused)
}
