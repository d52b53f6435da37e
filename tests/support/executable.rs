//! Properties of a program that Windows reads before it starts it.

use std::path::Path;

/// The subsystem of a program without and of one with a console.
#[allow(dead_code, reason = "each test takes one of them")]
pub const WINDOWS_SUBSYSTEM: u16 = 2;
#[allow(dead_code, reason = "each test takes one of them")]
pub const CONSOLE_SUBSYSTEM: u16 = 3;

/// The subsystem, and whether the manifest speaks of every screen's own scale, UTF-8 and long paths.
pub fn read(program: &Path) -> (u16, [bool; 3]) {
    let bytes = std::fs::read(program).expect("read the program");
    // Where the header begins is written at 0x3C; it has a signature, 20 bytes for all systems, and 68 before the subsystem.
    let header = u32::from_le_bytes(bytes[0x3C..0x40].try_into().expect("four bytes")) as usize;
    let subsystem = header + 4 + 20 + 68;
    let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    let subsystem = u16::from_le_bytes([bytes[subsystem], bytes[subsystem + 1]]);
    (subsystem, ["permonitorv2", "activeCodePage", "longPathAware"].map(has))
}
