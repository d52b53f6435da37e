//! Strings as VST3 wants them: arrays that end with a zero, and pointers to such.

use std::ffi::{CStr, c_char};

use vst3::Steinberg::FIDString;

/// Writes as much of a text as there is room for, and a zero.
pub fn write(to: &mut [c_char], text: &str) {
    to.fill(0);
    let room = to.len().saturating_sub(1);
    to[..room].iter_mut().zip(text.as_bytes()).for_each(|(to, &byte)| *to = byte as c_char);
}

/// Writes as much of a text as there is room for, and a zero.
pub(crate) fn write_wide(to: &mut [u16], text: &str) {
    to.fill(0);
    let room = to.len().saturating_sub(1);
    to[..room].iter_mut().zip(text.encode_utf16()).for_each(|(to, unit)| *to = unit);
}

/// Reads a text; what is no text is replaced. At most 4096 characters.
///
/// # Safety
/// `text` is null or ends with a zero.
pub(crate) unsafe fn read_wide(text: *const u16) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: nothing behind the zero is read.
    let units = (0..4096).map(|at| unsafe { *text.add(at) }).take_while(|&unit| unit != 0);
    char::decode_utf16(units).map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Whether two names of VST3's are the same.
///
/// # Safety
/// `a` is null or ends with a zero, and so does `b`, which is not null.
pub unsafe fn is(a: FIDString, b: FIDString) -> bool {
    // SAFETY: the caller's promise.
    !a.is_null() && unsafe { CStr::from_ptr(a) == CStr::from_ptr(b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_and_end_with_a_zero() {
        let mut wide = [7; 4];
        write_wide(&mut wide, "dB");
        assert_eq!(wide, [100, 66, 0, 0]);
        write_wide(&mut wide, "decibel");
        assert_eq!(wide, [100, 101, 99, 0]);
        // SAFETY: it ends with a zero.
        assert_eq!(unsafe { read_wide(wide.as_ptr()) }, "dec");
        let mut narrow = [7; 3];
        write(&mut narrow, "Tacet");
        assert_eq!(narrow, [b'T' as c_char, b'a' as c_char, 0]);
    }
}
