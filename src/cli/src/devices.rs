//! `tacet devices`: what can run the network here, and what to know before choosing.

use std::io::Write as _;

use anyhow::Result;
use serde::Serialize;
use tacet_realtime::device::{self, Assessment, Device, Facts, MPS_FLOOR};
use tacet_realtime::engine::torch::TorchDevice;
use tacet_torch_pack::abi::TORCH_VERSION;

/// List every device with its availability, the reason if it is unavailable, and notes.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Report {
    system: String,
    libtorch: Option<String>,
    libtorch_problem: Option<String>,
    mps_floor: String,
    auto_files: String,
    devices: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    id: String,
    name: String,
    available: bool,
    reason: Option<String>,
    /// Whether steps are replayed as CUDA graphs; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    cuda_graphs: Option<bool>,
    df_method_live: &'static str,
    df_method_files: Option<&'static str>,
    df_method_files_reason: Option<&'static str>,
    warnings: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &Args) -> Result<bool> {
    let facts = Facts::gather();
    let devices = device::list(&facts, None);
    let report = Report {
        system: facts.system.to_string(),
        libtorch: facts.torch.as_ref().ok().map(|torch| torch.pack.clone()),
        libtorch_problem: facts.torch.as_ref().err().cloned(),
        mps_floor: MPS_FLOOR.to_string(),
        auto_files: device::choose(&devices, Device::Native).id(),
        devices: devices.iter().map(entry).collect(),
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        out.write_all(text(&report).as_bytes())?;
    }
    Ok(true)
}

fn entry(found: &Assessment) -> Entry {
    let native = found.device.is_native();
    Entry {
        id: found.device.id(),
        name: found.device.name(),
        available: found.is_available(),
        reason: found.unavailable.as_ref().map(ToString::to_string),
        cuda_graphs: (matches!(found.device, Device::Torch(TorchDevice::Cuda(_))) && found.is_available())
            .then(|| found.no_graphs().is_none()),
        df_method_live: if native { "native" } else { "real_one_step" },
        df_method_files: found.df.map(|df| device::df_method_name(df.method)),
        df_method_files_reason: found.df.map(|df| df.reason),
        warnings: found.warnings.iter().map(ToString::to_string).collect(),
    }
}

fn text(report: &Report) -> String {
    let mut lines = vec![format!("System     {}", report.system)];
    lines.push(match (&report.libtorch, &report.libtorch_problem) {
        (Some(pack), _) => format!("libtorch   {pack}"),
        (None, problem) => format!("libtorch   {}", problem.as_deref().unwrap_or("not there")),
    });
    lines.push(format!("MPS floor  macOS {} for libtorch {TORCH_VERSION}", report.mps_floor));
    lines.push(format!("Auto       {} for files", report.auto_files));
    for device in &report.devices {
        let state = if device.available { "available" } else { "not available" };
        lines.push(format!("\n{:<8} {:<17} {state}", device.id, device.name));
        lines.extend(device.reason.iter().map(|reason| format!("         {reason}")));
        if let (Some(method), Some(reason)) = (device.df_method_files, device.df_method_files_reason) {
            lines.push(format!(
                "         deep filter: {} live; {method} for files ({reason})",
                device.df_method_live
            ));
        }
        if device.cuda_graphs == Some(true) {
            lines.push("         live steps are replayed as CUDA graphs".to_owned());
        }
        lines.extend(device.warnings.iter().map(|warning| format!("         note: {warning}")));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_is_listed_with_its_reason() {
        let facts = Facts {
            system: tacet_realtime::device::System::Linux,
            torch: Err("no pack; install one".into()),
        };
        let devices = device::list(&facts, None);
        let report = Report {
            system: "Linux".into(),
            libtorch: None,
            libtorch_problem: Some("no pack; install one".into()),
            mps_floor: MPS_FLOOR.to_string(),
            auto_files: "native".into(),
            devices: devices.iter().map(entry).collect(),
        };
        let text = text(&report);
        for part in [
            "native for files",
            "native CPU        available",
            "native16 native CPU 16-bit available",
            "torch CPU",
            "no pack; install one",
            "MPS exists on macOS only",
            "14.0",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.lines().any(|line| line.len() > 200), "{text}");
    }
}
