//! Memory for packed weights: large blocks that the matrices of a model share.
//!
//! A live engine reads all weights every 10 ms, with caches and address translations that went cold in between. On pages of
//! 4 KiB the translations alone take half of that time; on Linux the blocks ask for huge pages. Elsewhere they are plain
//! memory.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

/// Bytes of a huge page on the platforms that have them, and the size of a block beyond the first.
const HUGE_PAGE: usize = 2 << 20;
/// Bytes of a cache line: where every matrix starts.
const LINE: usize = 64;

/// A number of which any bits are a value.
///
/// # Safety
/// All bit patterns, zeros among them, are values of the type, and it is aligned to at most [`LINE`].
pub(super) unsafe trait Number: Copy {}
// SAFETY: any four bytes are a float.
unsafe impl Number for f32 {}
// SAFETY: any two bytes are an integer.
unsafe impl Number for i16 {}
// SAFETY: numbers one behind the other, aligned as one of them.
unsafe impl<T: Number, const N: usize> Number for [T; N] {}

/// Zeroed bytes.
struct Block {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a block is plain memory that it owns; who reads and writes which part of it is `Aligned`'s matter.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    /// At least `n_bytes`, of which there are some.
    fn new(n_bytes: usize) -> Self {
        let alignment = if n_bytes < HUGE_PAGE { LINE } else { HUGE_PAGE };
        let size = n_bytes.max(1).next_multiple_of(alignment);
        let layout =
            Layout::from_size_align(size, alignment).expect("a model's weights fit the address space");
        // SAFETY: the size is not 0.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        #[cfg(target_os = "linux")]
        if alignment == HUGE_PAGE {
            // SAFETY: the range is the allocation's; the advice changes no byte. A system without huge pages refuses it, and
            // nothing is lost.
            unsafe { libc::madvise(start.as_ptr().cast(), size, libc::MADV_HUGEPAGE) };
        }
        // SAFETY: `size` bytes from `start` on are this allocation's.
        unsafe { start.write_bytes(0, size) };
        Self { start, layout }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and nobody refers to it any more.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// Hands out parts of blocks.
pub(super) struct WeightMemory(RefCell<Unused>);

/// The part of the newest block that was not handed out yet, in bytes from its start.
struct Unused {
    block: Arc<Block>,
    start: usize,
}

impl WeightMemory {
    /// With a first block for about `n_bytes` of weights.
    pub(super) fn for_bytes(n_bytes: usize) -> Self {
        Self(RefCell::new(Unused { block: Arc::new(Block::new(n_bytes)), start: 0 }))
    }

    /// Zeros that start on a cache line.
    pub(super) fn zeros<T: Number>(&self, len: usize) -> Aligned<T> {
        let n_bytes = (len * size_of::<T>()).next_multiple_of(LINE);
        let mut unused = self.0.borrow_mut();
        if unused.block.layout.size() - unused.start < n_bytes {
            *unused = Unused { block: Arc::new(Block::new(n_bytes.max(HUGE_PAGE))), start: 0 };
        }
        let start = unused.start;
        unused.start += n_bytes;
        Aligned { block: Arc::clone(&unused.block), start, len, numbers: PhantomData }
    }
}

/// A slice of a block that starts on a cache line, which nobody else has a part of.
pub(super) struct Aligned<T> {
    block: Arc<Block>,
    /// In bytes.
    start: usize,
    len: usize,
    numbers: PhantomData<T>,
}

impl<T: Number> Aligned<T> {
    pub(super) fn get(&self) -> &[T] {
        // SAFETY: `WeightMemory::zeros` checked that the range lies in the block, starts it on a cache line and gives
        // each part of a block once; the bytes were zeroed, which is a value of `T`.
        unsafe {
            let start = self.block.start.as_ptr().add(self.start).cast::<T>();
            std::slice::from_raw_parts(start, self.len)
        }
    }

    pub(super) fn get_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `get`; `self` is borrowed exclusively, and no other slice shares its range.
        unsafe {
            let start = self.block.start.as_ptr().add(self.start).cast::<T>();
            std::slice::from_raw_parts_mut(start, self.len)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_zeroed_aligned_and_apart_also_beyond_the_first_block() {
        let memory = WeightMemory::for_bytes(1000);
        let mut parts: Vec<Aligned<f32>> = [3, 200, 0, 17, HUGE_PAGE].map(|len| memory.zeros(len)).into();
        let mut shorts: Aligned<i16> = memory.zeros(33);
        drop(memory);
        for (i, part) in parts.iter_mut().enumerate() {
            assert!(part.get().iter().all(|value| *value == 0.0));
            assert_eq!(part.get().as_ptr().addr() % LINE, 0);
            part.get_mut().fill(i as f32 + 1.0);
        }
        assert_eq!(shorts.get(), [0; 33]);
        shorts.get_mut().fill(-1);
        for (i, part) in parts.iter().enumerate() {
            assert!(part.get().iter().all(|value| *value == i as f32 + 1.0), "part {i}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_block_of_a_models_size_asks_for_huge_pages() {
        // It does not describe mappings.
        if crate::emulator::is_emulated() {
            return;
        }
        let memory = WeightMemory::for_bytes(3 * HUGE_PAGE);
        let part: Aligned<f32> = memory.zeros(16);
        let address = part.get().as_ptr().addr();
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut is_ours = false;
        let flags = maps.lines().find_map(|line| {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let ends = range.map(|(from, to)| [from, to].map(|end| usize::from_str_radix(end, 16)));
            if let Some([Ok(from), Ok(to)]) = ends {
                is_ours = (from..to).contains(&address);
            }
            line.strip_prefix("VmFlags:").filter(|_| is_ours).map(str::to_owned)
        });
        let flags = flags.expect("the kernel describes every mapping");
        // Kernels without huge pages refuse the advice.
        let has_them = std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists();
        assert!(!has_them || flags.split(' ').any(|flag| flag == "hg"), "{flags}");
    }
}
