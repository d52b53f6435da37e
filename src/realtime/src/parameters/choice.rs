//! Parameters with a few values: the identifiers and names of each value.

use tacet_model::ModelKind;

use crate::device::Device;
use crate::engine::torch::TorchDevice;
use crate::enhance::StereoLink;
use crate::latency::LatencyMode;
use crate::processor::controls::Listen;
use crate::rules::level::LevelMode;

/// Texts of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// Identifier in saved projects, presets and on the command line. Never changes.
    pub id: &'static str,
    /// Name in the host and in lists.
    pub name: &'static str,
    /// Short name on the panel's switches.
    pub label: &'static str,
    /// Description, where the name is not enough.
    pub help: &'static str,
}

/// A type whose values a parameter chooses from. New values go to the end of its lists: hosts automate positions.
pub trait Choice: Copy + Default + PartialEq + Send + Sync + 'static {
    /// Every value.
    const ALL: &'static [Self];
    /// Texts of each value, in the order of [`Self::ALL`].
    const TEXTS: &'static [Text];
    /// The identifiers alone.
    const IDS: &'static [&'static str];
    /// The names alone.
    const NAMES: &'static [&'static str];

    /// The position of this value; 0 for a value that is not in the list.
    fn index(self) -> usize {
        Self::ALL.iter().position(|&value| value == self).unwrap_or(0)
    }

    /// The value at a position; the default beyond the last.
    fn at(position: f32) -> Self {
        Self::ALL.get(position as usize).copied().unwrap_or_default()
    }

    /// The identifier of this value.
    fn choice_id(self) -> &'static str {
        Self::IDS[self.index()]
    }

    /// The value with this identifier.
    fn from_choice_id(id: &str) -> Option<Self> {
        Self::IDS.iter().position(|&known| known == id).map(|index| Self::ALL[index])
    }
}

impl Text {
    const fn new(id: &'static str, name: &'static str) -> Self {
        Self { id, name, label: name, help: "" }
    }

    const fn label(self, label: &'static str) -> Self {
        Self { label, ..self }
    }

    const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }
}

/// Implements [`Choice`], a line per value.
macro_rules! choices {
    ($type:ty: $($value:expr => $text:expr;)*) => {
        impl Choice for $type {
            const ALL: &'static [Self] = &[$($value),*];
            const TEXTS: &'static [Text] = &[$($text),*];
            const IDS: &'static [&'static str] = &[$($text.id),*];
            const NAMES: &'static [&'static str] = &[$($text.name),*];
        }
    };
}

choices! { Listen:
    Self::Denoised => Text::new("denoised", "Denoised");
    Self::Removed => Text::new("removed", "Removed");
    Self::A => Text::new("a", "A");
    Self::B => Text::new("b", "B");
}

choices! { StereoLink:
    Self::None => Text::new("none", "None").help("Each channel uses its own mask");
    Self::Max => Text::new("max", "Max").help("The larger gain of each band, for all channels");
    Self::Mean => Text::new("mean", "Mean").help("The mean gain of each band, for all channels");
}

choices! { LatencyMode:
    Self::Lowest => Text::new("lowest", "Lowest");
    Self::Safe => Text::new("safe", "Safe");
}

choices! { ModelKind:
    Self::DeepFilterNet3 => Text::new("dfn3", "DeepFilterNet3").label("Full");
    Self::DeepFilterNet3Ll => Text::new("dfn3-ll", "DeepFilterNet3 low latency").label("Low latency");
}

choices! { Device:
    Self::Native => Text::new("native", Self::Native.kind_name());
    Self::Native16 => Text::new("native-16", Self::Native16.kind_name());
    Self::Torch(TorchDevice::Cpu) => Text::new("torch-cpu", TorchDevice::Cpu.kind_name());
    Self::Torch(TorchDevice::Mps) => Text::new("torch-mps", TorchDevice::Mps.kind_name());
    Self::Torch(TorchDevice::Cuda(0)) => Text::new("torch-cuda", TorchDevice::Cuda(0).kind_name());
}

choices! { LevelMode:
    Self::Auto => Text::new("auto", "Auto");
    Self::Off => Text::new("off", "Off");
    Self::Fixed => Text::new("fixed", "Fixed");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Never change an identifier: saved projects and presets name values by it.
    fn assert_ids<T: Choice + std::fmt::Debug>(ids: &str) {
        assert_eq!(T::IDS.join(" "), ids);
        for (index, &value) in T::ALL.iter().enumerate() {
            assert_eq!((value.index(), T::from_choice_id(value.choice_id())), (index, Some(value)));
        }
        assert_eq!(T::from_choice_id("unknown"), None);
    }

    #[test]
    fn identifiers_are_those_of_every_saved_project() {
        assert_ids::<Listen>("denoised removed a b");
        assert_ids::<StereoLink>("none max mean");
        assert_ids::<LatencyMode>("lowest safe");
        assert_ids::<ModelKind>("dfn3 dfn3-ll");
        assert_ids::<LevelMode>("auto off fixed");
        assert_ids::<Device>("native native-16 torch-cpu torch-mps torch-cuda");
    }
}
