//! Flushes denormal numbers to zero for as long as a guard lives, on the thread that made it.
//!
//! A decaying filter or a recurrent state would otherwise slow the CPU tenfold in silence. Hosts set these flags or do
//! not, so both of our threads set them and give back what they found.

use std::marker::PhantomData;

/// Flush-to-zero and denormals-are-zero, bits 15 and 6 of MXCSR (Intel SDM volume 1, 10.2.3).
#[cfg(target_arch = "x86_64")]
const FLUSH_BITS: u32 = (1 << 15) | (1 << 6);
/// Flush-to-zero of inputs and outputs, bit 24 of FPCR (Arm ARM, FPCR.FZ).
#[cfg(target_arch = "aarch64")]
const FLUSH_BITS: u64 = 1 << 24;

/// Denormals are zero on this thread until the guard is dropped. Real-time safe.
#[derive(Debug)]
pub struct FlushDenormals {
    #[cfg(target_arch = "x86_64")]
    before: u32,
    #[cfg(target_arch = "aarch64")]
    before: u64,
    /// The flags belong to a thread: neither `Send` nor `Sync`.
    _thread: PhantomData<*const ()>,
}

impl FlushDenormals {
    /// Sets the flags and remembers their state.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let before = control();
        set_control(before | FLUSH_BITS);
        Self { before, _thread: PhantomData }
    }
}

impl Drop for FlushDenormals {
    fn drop(&mut self) {
        // Only our bits: exception flags that the CPU raised meanwhile are the host's to see.
        set_control((control() & !FLUSH_BITS) | (self.before & FLUSH_BITS));
    }
}

#[cfg(target_arch = "x86_64")]
fn control() -> u32 {
    let mut mxcsr = 0u32;
    // SAFETY: `stmxcsr` stores 4 bytes at the address given, which is that of a `u32`. SSE is part of x86_64.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut mxcsr, options(nostack, preserves_flags)) };
    mxcsr
}

#[cfg(target_arch = "x86_64")]
fn set_control(mxcsr: u32) {
    // SAFETY: `ldmxcsr` loads 4 bytes from the address of a `u32`; the value differs from one that the CPU reported in
    // the flush bits only, so that no reserved bit is set and no exception is unmasked.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &mxcsr, options(nostack, preserves_flags)) };
}

#[cfg(target_arch = "aarch64")]
fn control() -> u64 {
    let fpcr: u64;
    // SAFETY: reading FPCR is allowed at every exception level and changes nothing.
    unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) fpcr, options(nomem, nostack, preserves_flags)) };
    fpcr
}

#[cfg(target_arch = "aarch64")]
fn set_control(fpcr: u64) {
    // SAFETY: the value differs from one that the CPU reported in the flush bit only.
    unsafe { std::arch::asm!("msr fpcr, {}", in(reg) fpcr, options(nomem, nostack, preserves_flags)) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    fn halved_denormal() -> f32 {
        black_box(f32::MIN_POSITIVE) * black_box(0.5)
    }

    #[test]
    fn flushes_while_it_lives_and_restores() {
        assert!(halved_denormal() > 0.0);
        {
            let _outer = FlushDenormals::new();
            assert_eq!(halved_denormal(), 0.0, "results are flushed");
            {
                let _inner = FlushDenormals::new();
                assert_eq!(black_box(f32::from_bits(1)) * black_box(1e30), 0.0, "operands are flushed");
            }
            assert_eq!(halved_denormal(), 0.0, "an inner guard does not end an outer one");
        }
        assert!(halved_denormal() > 0.0);
    }
}
