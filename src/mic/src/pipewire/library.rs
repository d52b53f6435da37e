//! The functions and structures of PipeWire's C interface that are used: those of version 0.3.50 and later, as
//! `pipewire/stream.h` and `spa/buffer/buffer.h` have them.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use anyhow::{Context as _, Result};

/// The library, by the name that all of its 0.3 and 1.x versions have.
const FILE: &str = "libpipewire-0.3.so.0";

/// Declares [`Library`] and opens it.
macro_rules! library {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// PipeWire's functions.
        #[derive(Debug)]
        pub struct Library {
            $($(#[$doc])* pub $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            _library: libloading::Library,
        }

        impl Library {
            fn load() -> Result<Self, libloading::Error> {
                // SAFETY: PipeWire's library may be loaded at any time; its initialisers touch nothing else. The symbols
                // have the types that its headers declare, and are used only while the library is here.
                unsafe {
                    let library = libloading::Library::new(FILE)?;
                    Ok(Self {
                        $($name: *library.get(concat!(stringify!($name), "\0").as_bytes())?,)*
                        _library: library,
                    })
                }
            }
        }
    };
}

library! {
    /// Initialises the library; may be called again.
    fn pw_init(*mut c_int, *mut *mut *mut c_char);
    /// Makes a loop with a thread of its own.
    fn pw_thread_loop_new(*const c_char, *const c_void) -> *mut Loop;
    /// Frees a stopped loop.
    fn pw_thread_loop_destroy(*mut Loop);
    /// The loop in it.
    fn pw_thread_loop_get_loop(*mut Loop) -> *mut c_void;
    /// Starts the thread.
    fn pw_thread_loop_start(*mut Loop) -> c_int;
    /// Ends the thread.
    fn pw_thread_loop_stop(*mut Loop);
    /// Keeps the thread out of what is done meanwhile.
    fn pw_thread_loop_lock(*mut Loop);
    /// Lets it in again.
    fn pw_thread_loop_unlock(*mut Loop);
    /// Makes a context on a loop; takes the properties.
    fn pw_context_new(*mut c_void, *mut Properties, usize) -> *mut Context;
    /// Frees it with everything in it.
    fn pw_context_destroy(*mut Context);
    /// Connects to the server; takes the properties.
    fn pw_context_connect(*mut Context, *mut Properties, usize) -> *mut Core;
    /// Leaves the server.
    fn pw_core_disconnect(*mut Core) -> c_int;
    /// Reads properties from a text.
    fn pw_properties_new_string(*const c_char) -> *mut Properties;
    /// Sets one.
    fn pw_properties_set(*mut Properties, *const c_char, *const c_char) -> c_int;
    /// Makes a stream; takes the properties.
    fn pw_stream_new(*mut Core, *const c_char, *mut Properties) -> *mut Stream;
    /// Frees it.
    fn pw_stream_destroy(*mut Stream);
    /// Names the callbacks.
    fn pw_stream_add_listener(*mut Stream, *mut Hook, *const Events, *mut c_void);
    /// Offers formats and asks for links.
    fn pw_stream_connect(*mut Stream, c_int, u32, c_int, *mut *const c_void, u32) -> c_int;
    /// A buffer with samples, or for them. Real-time safe.
    fn pw_stream_dequeue_buffer(*mut Stream) -> *mut StreamBuffer;
    /// Gives it back. Real-time safe.
    fn pw_stream_queue_buffer(*mut Stream, *mut StreamBuffer) -> c_int;
    /// Runs a stream that waits to be triggered. Real-time safe.
    fn pw_stream_trigger_process(*mut Stream) -> c_int;
}

impl Library {
    /// Opens and initialises it.
    ///
    /// # Errors
    /// It is not installed, or too old; the text holds the next step.
    pub fn open() -> Result<Self> {
        let library = Self::load().with_context(|| {
            format!(
                "{FILE} cannot be opened: install PipeWire 0.3.50 or later (Debian, Ubuntu: apt-get install pipewire \
                 wireplumber pipewire-pulse)"
            )
        })?;
        // SAFETY: without arguments to read, null is what its documentation asks for.
        unsafe { (library.pw_init)(ptr::null_mut(), ptr::null_mut()) };
        Ok(library)
    }
}

/// Declares structures of which only the address is known.
macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])* #[repr(C)] #[derive(Debug)] pub struct $name { _private: [u8; 0] })*
    };
}

opaque! {
    /// `pw_thread_loop`.
    Loop;
    /// `pw_context`.
    Context;
    /// `pw_core`.
    Core;
    /// `pw_properties`.
    Properties;
    /// `pw_stream`.
    Stream;
}

/// `spa_hook`: a place in a list of listeners, which the library links.
#[repr(C)]
#[derive(Debug)]
pub struct Hook([*mut c_void; 6]);

impl Default for Hook {
    fn default() -> Self {
        Self([ptr::null_mut(); 6])
    }
}

/// A callback that is not used.
type Unused = Option<unsafe extern "C" fn()>;

/// `pw_stream_events`, version 0: what later versions add is not asked for.
#[repr(C)]
#[derive(Debug)]
pub struct Events {
    /// Of this structure.
    pub version: u32,
    /// Not used.
    pub destroy: Unused,
    /// Old state, new state, and why, which may be null. On the loop's thread.
    pub state_changed: Option<unsafe extern "C" fn(*mut c_void, c_int, c_int, *const c_char)>,
    /// Not used.
    pub others: [Unused; 5],
    /// Samples are there, or wanted. On the server's real-time thread in this process.
    pub process: Option<unsafe extern "C" fn(*mut c_void)>,
    /// Not used.
    pub drained: Unused,
}

/// `pw_buffer`.
#[repr(C)]
#[derive(Debug)]
pub struct StreamBuffer {
    /// The planes.
    pub buffer: *mut Buffer,
    user_data: *mut c_void,
    size: u64,
    /// Samples wanted; 0 where it is not known.
    pub requested: u64,
}

/// `spa_buffer`.
#[repr(C)]
#[derive(Debug)]
pub struct Buffer {
    n_metas: u32,
    /// Planes.
    pub n_datas: u32,
    metas: *mut c_void,
    /// Of `n_datas`.
    pub datas: *mut Data,
}

/// `spa_data`: one plane.
#[repr(C)]
#[derive(Debug)]
pub struct Data {
    kind: u32,
    flags: u32,
    fd: i64,
    map_offset: u32,
    /// Bytes that fit.
    pub max_bytes: u32,
    /// The memory; null where there is none.
    pub data: *mut c_void,
    /// The valid part.
    pub chunk: *mut Chunk,
}

/// `spa_chunk`.
#[repr(C)]
#[derive(Debug)]
pub struct Chunk {
    /// Offset of the samples, in bytes.
    pub offset: u32,
    /// Their size in bytes.
    pub size: u32,
    /// Bytes between two samples.
    pub stride: i32,
    flags: i32,
}

/// `PW_STREAM_STATE_*`.
pub mod state {
    /// Of the stream's own accord, or because the server is gone.
    pub(crate) const UNCONNECTED: i32 = 0;
    /// For the reason that comes with it.
    pub(crate) const ERROR: i32 = -1;
    /// Linked or not, but nobody listens.
    pub(crate) const PAUSED: i32 = 2;
    /// Samples flow.
    pub(crate) const STREAMING: i32 = 3;
}

/// `PW_DIRECTION_*`.
pub mod direction {
    /// Samples come.
    pub const INPUT: i32 = 0;
    /// Samples go.
    pub const OUTPUT: i32 = 1;
}

/// `PW_STREAM_FLAG_*`.
pub mod flag {
    /// Let the session manager link it.
    pub(crate) const AUTOCONNECT: i32 = 1 << 0;
    /// Map the buffers' memory.
    pub(crate) const MAP_BUFFERS: i32 = 1 << 2;
    /// Call `process` on the real-time thread.
    pub(crate) const RT_PROCESS: i32 = 1 << 4;
    /// Call it when [`Library::pw_stream_trigger_process`](super::Library) says so, not when the server does.
    pub(crate) const TRIGGER: i32 = 1 << 9;
}

/// `PW_ID_ANY`: whatever the session manager finds.
pub(crate) const ANY: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    /// Offsets as a C compiler sees them, with the headers of PipeWire 0.3.65 on a 64-bit system.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn structures_are_laid_out_as_in_c() {
        assert_eq!(size_of::<Hook>(), 48);
        assert_eq!((offset_of!(Events, state_changed), offset_of!(Events, process)), (16, 64));
        assert_eq!(offset_of!(Events, drained), 72);
        assert_eq!((size_of::<StreamBuffer>(), offset_of!(StreamBuffer, requested)), (32, 24));
        assert_eq!((offset_of!(Buffer, n_datas), offset_of!(Buffer, datas)), (4, 16));
        assert_eq!((size_of::<Data>(), offset_of!(Data, max_bytes)), (40, 20));
        assert_eq!((offset_of!(Data, data), offset_of!(Data, chunk)), (24, 32));
        assert_eq!((size_of::<Chunk>(), offset_of!(Chunk, stride)), (16, 8));
    }
}
