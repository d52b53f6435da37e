//! The state of a device that an instance has chosen for a slot, from opening it to a failure.

use super::stream::StreamState;
use crate::device::Device;

/// How the device of a slot serves it, for the panel.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum DeviceState {
    /// Nobody uses the slot.
    #[default]
    Off,
    /// The device is being opened; meanwhile slot A plays on what it had.
    Opening(Device),
    /// The chosen device makes its first steps, or receives every hop and is about to take over.
    Warming(Device),
    /// The chosen device is compared with the native engine.
    Checking(Device),
    /// The chosen device serves.
    Live(Device),
    /// The chosen device failed, for this reason; slot A plays on the native engine, slot B is silent.
    FellBack {
        /// The device that was chosen.
        device: Device,
        /// Why it does not serve, with the next step.
        reason: String,
    },
}

impl DeviceState {
    /// The state of the device that is `wanted`, by the reason why it failed, the device that serves and whether it is heard,
    /// and the stream that is being opened.
    pub(super) fn decide(
        wanted: Option<Device>,
        failure: Option<&str>,
        served: Option<(Device, bool)>,
        opening: Option<StreamState>,
    ) -> Self {
        let Some(device) = wanted else { return Self::Off };
        if let Some(reason) = failure {
            return Self::FellBack { device, reason: reason.to_owned() };
        }
        match (served, opening) {
            (Some((served, true)), _) if served == device => Self::Live(device),
            (Some((served, false)), _) if served == device => Self::Warming(device),
            (_, Some(StreamState::WarmingUp)) => Self::Warming(device),
            (_, Some(StreamState::Checking)) => Self::Checking(device),
            _ => Self::Opening(device),
        }
    }

    /// The device that was chosen.
    pub fn device(&self) -> Option<Device> {
        match self {
            Self::Off => None,
            Self::Opening(device)
            | Self::Warming(device)
            | Self::Checking(device)
            | Self::Live(device)
            | Self::FellBack { device, .. } => Some(*device),
        }
    }
}
