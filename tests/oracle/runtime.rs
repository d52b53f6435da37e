//! The official runtime as a C library: the oracle of the tests and the peer of the benches.
//!
//! It comes with the model on Linux x86-64 and runs one channel at thresholds -15/35/35 dB. Nothing that ships opens it.

use std::ffi::{CString, c_char, c_void};
use std::path::{Path, PathBuf};
use std::ptr::{NonNull, null};

use libloading::Library;
use tacet_realtime::model::{HOP, ModelKind};

/// The folder of the models and the runtime of `cargo xtask setup`.
pub fn model_dir() -> PathBuf {
    tacet_realtime::weights::FETCHED_DIR.into()
}

type Create = unsafe extern "C" fn(*const c_char, f32, *const c_char) -> *mut c_void;
type ProcessFrame = unsafe extern "C" fn(*mut c_void, *mut f32, *mut f32) -> f32;
type SetFloat = unsafe extern "C" fn(*mut c_void, f32);
type FrameLength = unsafe extern "C" fn(*mut c_void) -> usize;
type Free = unsafe extern "C" fn(*mut c_void);

/// One stream of the official runtime.
pub struct OfficialRuntime {
    state: NonNull<c_void>,
    process_frame: ProcessFrame,
    set_limit: SetFloat,
    set_beta: SetFloat,
    free: Free,
    /// Keeps the code loaded.
    _library: Library,
}

impl OfficialRuntime {
    /// Opens the library and a stream of the official archive of `kind`, without limit and post filter; the error says
    /// what is missing.
    pub fn open(kind: ModelKind) -> Result<Self, String> {
        let path = model_dir().join("libdeepfilter.so");
        let archive = model_dir().join(kind.archive_file());
        for needed in [&path, &archive] {
            if !needed.exists() {
                return Err(format!("{} is not there; `cargo xtask setup` fetches it", needed.display()));
            }
        }
        Self::open_files(&path, &archive).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn open_files(path: &Path, archive: &Path) -> Result<Self, libloading::Error> {
        // SAFETY: the library is the one that `cargo xtask setup` verified by hash; its initialisers only set up Rust's
        // runtime.
        let library = unsafe { Library::new(path)? };
        // SAFETY: the names and signatures are those of libDF's C interface (capi.rs), checked against its header.
        let (create, process_frame, set_limit, set_beta, frame_length, free) = unsafe {
            (
                *library.get::<Create>(b"df_create\0")?,
                *library.get::<ProcessFrame>(b"df_process_frame\0")?,
                *library.get::<SetFloat>(b"df_set_atten_lim\0")?,
                *library.get::<SetFloat>(b"df_set_post_filter_beta\0")?,
                *library.get::<FrameLength>(b"df_get_frame_length\0")?,
                *library.get::<Free>(b"df_free\0")?,
            )
        };
        let archive = CString::new(archive.as_os_str().as_encoded_bytes()).expect("a path without NUL");
        // SAFETY: both strings outlive the call; a null log level means none.
        let state = unsafe { create(archive.as_ptr(), 100.0, null()) };
        let state = NonNull::new(state).expect("df_create returns a state or aborts");
        // SAFETY: `state` is the live state just made.
        let n_samples = unsafe { frame_length(state.as_ptr()) };
        assert_eq!(n_samples, HOP, "hop of the official runtime");
        Ok(Self { state, process_frame, set_limit, set_beta, free, _library: library })
    }

    /// Changes attenuation limit, in dB, and the post filter's strength from the next hop on.
    pub fn set(&mut self, attenuation_limit_db: f32, post_filter_beta: f32) {
        // SAFETY: the state is live.
        unsafe {
            (self.set_limit)(self.state.as_ptr(), attenuation_limit_db);
            (self.set_beta)(self.state.as_ptr(), post_filter_beta);
        }
    }

    /// Denoises one hop; returns the local SNR in dB.
    pub fn process(&mut self, input: &[f32; HOP], output: &mut [f32; HOP]) -> f32 {
        // The interface takes the input as mutable, though it only reads it.
        let mut input = *input;
        // SAFETY: the state is live, and both buffers hold the frame length that `open_files` asserted.
        unsafe { (self.process_frame)(self.state.as_ptr(), input.as_mut_ptr(), output.as_mut_ptr()) }
    }
}

impl Drop for OfficialRuntime {
    fn drop(&mut self) {
        // SAFETY: the state is live and never used again.
        unsafe { (self.free)(self.state.as_ptr()) }
    }
}
