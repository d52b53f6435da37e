//! File names and what is offered where.

/// A system and processor that packs are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Linux on x86-64: CPU, and CUDA on request.
    LinuxX86_64,
    /// macOS on Apple silicon: CPU and MPS.
    MacosArm64,
    /// Windows on x86-64: CPU.
    WindowsX86_64,
}

impl Platform {
    /// The one this program runs on; `None` where no libtorch of our version is published.
    pub const fn current() -> Option<Self> {
        if cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
            Some(Self::LinuxX86_64)
        } else if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
            Some(Self::MacosArm64)
        } else if cfg!(all(target_os = "windows", target_arch = "x86_64")) {
            Some(Self::WindowsX86_64)
        } else {
            None
        }
    }

    /// As a pack names it.
    pub fn id(self) -> &'static str {
        match self {
            Self::LinuxX86_64 => "linux-x86_64",
            Self::MacosArm64 => "macos-arm64",
            Self::WindowsX86_64 => "windows-x86_64",
        }
    }

    /// The backend's file name.
    pub fn backend_file(self) -> &'static str {
        match self {
            Self::LinuxX86_64 => "libtacet_torch.so",
            Self::MacosArm64 => "libtacet_torch.dylib",
            Self::WindowsX86_64 => "tacet_torch.dll",
        }
    }

    /// Marks of libtorch in the path of a loaded library: its core, under any version.
    pub fn libtorch_files(self) -> &'static [&'static str] {
        match self {
            Self::LinuxX86_64 => &["libtorch_cpu.so", "libc10.so"],
            Self::MacosArm64 => &["libtorch_cpu.dylib", "libc10.dylib"],
            Self::WindowsX86_64 => &["torch_cpu.dll", "c10.dll"],
        }
    }

    /// Names, or beginnings of names, of OpenMP runtimes that end a process in which they find another one, or that another
    /// one finds: LLVM's and Intel's. GNU's, of which there may be two, is not among them.
    pub fn openmp_files(self) -> &'static [&'static str] {
        match self {
            Self::LinuxX86_64 | Self::MacosArm64 => &["libomp", "libiomp5"],
            Self::WindowsX86_64 => &["libiomp5md.dll", "libomp.dll", "libomp140.x86_64.dll"],
        }
    }
}
