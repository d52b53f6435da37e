//! The engine of the files: chosen from the command line, the configuration and what this machine has, opened
//! once, and lent to the files of a run.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use tacet_realtime::denoiser::Settings;
use tacet_realtime::device::{self, Device, DfChoice, Facts, Warning};
use tacet_realtime::engine::EngineError;
use tacet_realtime::engine::native::{NativeModel, NativeSequence, Precision, SimdLevel};
use tacet_realtime::engine::torch::{TorchDevice, TorchEngine, TorchFile, TorchOptions, TorchSequence};
use tacet_realtime::rules::{FILE_AHEAD_HOPS, Rules};
use tacet_realtime::sequence::{Pool, Sequence};

use super::Args;
use super::choices::{DeviceChoice, EngineChoice, MethodChoice};
use crate::model::LoadedModel;
use crate::pipeline::HopProcessor;
use crate::usage;

/// Names the device where the command line does not.
const DEVICE_VARIABLE: &str = "TACET_DEVICE";
/// Files in work at once on a GPU: more would wait for each other there.
const MAX_GPU_JOBS: usize = 4;

/// The request of the options, before anything is opened.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wanted {
    /// This one, chosen or configured.
    This(Device, Reason),
    /// The first GPU there is, or this CPU.
    GpuOr(Device),
}

/// Why a device runs the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// The user named it.
    Explicit,
    /// The configuration names it.
    Configured,
    /// The first there is of CUDA, MPS and the CPU.
    Order,
    /// Nobody asked for anything.
    Default,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Explicit => "chosen",
            Self::Configured => "configured",
            Self::Order => "the first there is of CUDA, MPS and the CPU",
            Self::Default => "the same everywhere",
        })
    }
}

/// Without any option it is the native engine: the same everywhere, and nothing to open. A method of the deep filter asks
/// for libtorch, where alone there is a choice.
fn wanted(
    engine: Option<EngineChoice>,
    device: Option<DeviceChoice>,
    configured: Option<Device>,
    method: MethodChoice,
) -> Result<Wanted> {
    const NATIVE: Device = Device::Native;
    const CPU: Device = Device::Torch(TorchDevice::Cpu);
    let engine = match (engine, method) {
        (None, Some(_)) => Some(EngineChoice::Torch),
        (Some(EngineChoice::Native), Some(_)) => {
            return Err(usage(
                "the native engine computes the deep filter in one way: --df-op needs --engine torch",
            ));
        }
        (engine, _) => engine,
    };
    let explicit = match device {
        Some(DeviceChoice::This(device)) => Some(device),
        _ => None,
    };
    match (engine, explicit) {
        (Some(EngineChoice::Native), None | Some(CPU)) => Ok(Wanted::This(NATIVE, Reason::Explicit)),
        (Some(EngineChoice::Native), Some(device)) if device.is_native() => {
            Ok(Wanted::This(device, Reason::Explicit))
        }
        (Some(EngineChoice::Native), Some(device)) => Err(usage(format!(
            "the native engine runs on the CPU, not on {}: use --engine torch",
            device.id()
        ))),
        (Some(EngineChoice::Torch), Some(device)) if device.is_native() => {
            Err(usage(format!("libtorch has no device {}: use --engine native", device.id())))
        }
        (_, Some(device)) => Ok(Wanted::This(device, Reason::Explicit)),
        (Some(EngineChoice::Torch), None) => Ok(match configured.filter(|device| !device.is_native()) {
            Some(device) => Wanted::This(device, Reason::Configured),
            None => Wanted::GpuOr(CPU),
        }),
        (None, None) => Ok(match (configured, device) {
            (Some(device), _) => Wanted::This(device, Reason::Configured),
            (None, Some(_)) => Wanted::GpuOr(NATIVE),
            (None, None) => Wanted::This(NATIVE, Reason::Default),
        }),
    }
}

/// The engine, for the report.
#[derive(Clone, Debug, Serialize)]
pub struct EngineReport {
    /// "native CPU", "torch CUDA".
    pub device: String,
    /// The deep filter's method; the native engine has one way only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub df_op: Option<&'static str>,
    /// Why that method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub df_op_reason: Option<&'static str>,
    /// The runtime pack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libtorch: Option<String>,
}

/// The engines of a run.
pub struct Engines {
    kind: Kind,
    report: EngineReport,
    /// Lines for the user.
    notes: Vec<String>,
}

enum Kind {
    Native {
        model: Arc<NativeModel>,
        /// Threads that the files share, each with so many chunks in work at once; without, a file's own thread does it.
        pool: Option<(Pool, usize)>,
    },
    Torch {
        device: TorchDevice,
        df: DfChoice,
        /// Engines that no file uses at the moment.
        idle: Arc<Mutex<Vec<TorchEngine>>>,
    },
}

impl Engines {
    /// Chooses by the command line and `TACET_DEVICE`, and opens the first engine, so that what is missing is said before
    /// any file is touched. On the thread that will run the files if there is but one: Apple's GPU wants a single one.
    ///
    /// # Errors
    /// A [usage error](crate::Usage); the device cannot be used, with the reason and the next step.
    pub fn open(args: &Args, model: &LoadedModel) -> Result<Self> {
        let configured = match std::env::var(DEVICE_VARIABLE) {
            Ok(name) if !name.is_empty() && name != "auto" => {
                Some(name.parse::<Device>().map_err(|error| usage(format!("{DEVICE_VARIABLE}: {error}")))?)
            }
            _ => None,
        };
        let method = args.df_op.unwrap_or_default();
        let wanted = wanted(args.engine, args.device, configured, method)?;
        if let Wanted::This(device, _) = wanted
            && device.is_native()
        {
            return Self::native(device, Vec::new(), model);
        }
        let facts = Facts::gather();
        let (device, reason) = match wanted {
            Wanted::This(device, reason) => (device, reason),
            Wanted::GpuOr(fallback) => {
                (device::choose(&device::list(&facts, method), fallback), Reason::Order)
            }
        };
        match device {
            Device::Torch(torch) => Self::torch(torch, reason, method, &facts, model),
            native => Self::native(native, vec![format!("{} ({reason})", native.name())], model),
        }
    }

    fn native(device: Device, notes: Vec<String>, model: &LoadedModel) -> Result<Self> {
        // The exact weights are packed already, for whatever else this run needs them.
        let packed = match device.native_precision() {
            Some(Precision::I16) => NativeModel::with(model.model(), Precision::I16, SimdLevel::get())?,
            _ => model.packed(),
        };
        let report = EngineReport { device: device.name(), df_op: None, df_op_reason: None, libtorch: None };
        Ok(Self { kind: Kind::Native { model: packed, pool: None }, report, notes })
    }

    fn torch(
        device: TorchDevice,
        reason: Reason,
        method: MethodChoice,
        facts: &Facts,
        model: &LoadedModel,
    ) -> Result<Self> {
        let assessment = device::assess(Device::Torch(device), facts, method);
        let name = device.name();
        if let Some(why) = &assessment.unavailable {
            bail!(
                "{name} cannot be used: {why}; without --engine and --device the native engine does the work"
            );
        }
        let df = assessment.df.with_context(|| format!("{name} has no method for the deep filter"))?;
        let df_op = device::df_method_name(df.method);
        let mut notes = vec![format!("{name} ({reason}); deep filter by {df_op} ({})", df.reason)];
        let matters =
            |warning: &&Warning| matches!(warning, Warning::ChosenMethodFails(_) | Warning::FallbackOn);
        notes.extend(assessment.warnings.iter().filter(matters).map(|warning| format!("note: {warning}")));
        let first = make(device, model)?;
        let report = EngineReport {
            device: name,
            df_op: Some(df_op),
            df_op_reason: Some(df.reason),
            libtorch: facts.torch.as_ref().ok().map(|torch| torch.pack.clone()),
        };
        Ok(Self { kind: Kind::Torch { device, df, idle: Arc::new(Mutex::new(vec![first])) }, report, notes })
    }

    /// For the run's report.
    pub fn report(&self) -> &EngineReport {
        &self.report
    }

    /// A note for the user before the first file, if there is anything unusual.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Shares the processor out among `n_files` files: returns how many are in work at once, of the number that the user
    /// wants, and starts the threads that the native engine's sequences have in common. With as many files as threads each
    /// file has a thread of its own instead, which is cheaper.
    ///
    /// libtorch computes each file on one thread of the CPU: sixteen gained a sixth on an idle machine (49 times real time
    /// after 42), and wait for each other on a busy one.
    pub fn share_out(
        &mut self,
        jobs: Option<NonZeroUsize>,
        threads: Option<NonZeroUsize>,
        n_files: usize,
    ) -> usize {
        let n_cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let most = match &self.kind {
            Kind::Torch { device: TorchDevice::Mps, .. } => return 1,
            Kind::Torch { device: TorchDevice::Cuda(_), .. } => n_cores.min(MAX_GPU_JOBS),
            Kind::Torch { .. } => n_cores,
            Kind::Native { .. } => threads.map_or(n_cores, NonZeroUsize::get),
        };
        let n_jobs = jobs.map_or(most, NonZeroUsize::get).min(n_files).max(1);
        if let Kind::Native { pool, .. } = &mut self.kind {
            let n_threads = most;
            if n_jobs == 1 || n_jobs != n_threads {
                // If the system refuses a thread, each file's own does all the work.
                *pool = Pool::new(n_threads).ok().map(|pool| {
                    let max_inside = (pool.n_threads() + 2).div_ceil(n_jobs) + 1;
                    (pool, max_inside)
                });
            }
        }
        n_jobs
    }

    /// A processor for one file. With `is_heard_ahead` it looks [`FILE_AHEAD_HOPS`] ahead if a rule asks for it, and leaves the
    /// rule for clean recordings to the caller.
    ///
    /// # Errors
    /// The engine's.
    pub fn processor(
        &self,
        model: &LoadedModel,
        n_channels: usize,
        settings: Settings,
        is_heard_ahead: bool,
    ) -> Result<Box<dyn HopProcessor>> {
        match &self.kind {
            Kind::Native { model, pool } => {
                let engine = NativeSequence::new(model.clone(), n_channels);
                Ok(match pool {
                    Some((pool, max_inside)) => {
                        heard(Sequence::on(pool, engine, settings, *max_inside), settings, is_heard_ahead)
                    }
                    None => heard(Sequence::new(engine, settings), settings, is_heard_ahead),
                })
            }
            Kind::Torch { device, df, idle } => {
                let lent = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let engine = match lent {
                    Some(engine) => engine,
                    None => make(*device, model)?,
                };
                let idle = idle.clone();
                let file = TorchFile::new(engine, n_channels, df.method)?;
                let engine = TorchSequence::new(file, move |engine| {
                    idle.lock().unwrap_or_else(PoisonError::into_inner).push(engine);
                });
                Ok(heard(Sequence::new(engine, settings), settings, is_heard_ahead))
            }
        }
    }

    /// An error of a file, with the next step where it is the device's.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let is_devices = error.is::<EngineError>() && matches!(self.kind, Kind::Torch { .. });
        if is_devices { error.context("--engine native works without the device") } else { error }
    }
}

/// A sequence, with lookahead if the file allows it.
fn heard<W: Send + 'static>(
    sequence: Sequence<W>,
    settings: Settings,
    is_heard_ahead: bool,
) -> Box<dyn HopProcessor> {
    if !is_heard_ahead {
        return Box::new(sequence);
    }
    let ahead_hops = if settings.rules == Rules::REFERENCE { 0 } else { FILE_AHEAD_HOPS };
    Box::new(sequence.hearing_ahead(ahead_hops).deferring_dry())
}

/// Files need no recorded steps, and one batch size.
fn make(device: TorchDevice, model: &LoadedModel) -> Result<TorchEngine> {
    let options = TorchOptions { warm_up_channels: 1, graphs: false };
    Ok(TorchEngine::new(device, model.model(), &options)?)
}

#[cfg(test)]
mod tests {
    use tacet_torch_pack::abi::DfMethod;

    use super::super::choices::method;
    use super::*;

    const NATIVE: Device = Device::Native;
    const CPU: Device = Device::Torch(TorchDevice::Cpu);
    const CUDA: Device = Device::Torch(TorchDevice::Cuda(0));
    const MPS: Device = Device::Torch(TorchDevice::Mps);

    #[test]
    fn requests_decide_the_device() {
        use DeviceChoice::{Auto, This};
        use EngineChoice::{Native, Torch};
        let explicit = |device| Wanted::This(device, Reason::Explicit);
        let configured = |device| Wanted::This(device, Reason::Configured);
        for (engine, device, configuration, expected) in [
            (None, None, None, Wanted::This(NATIVE, Reason::Default)),
            (None, None, Some(MPS), configured(MPS)),
            (None, Some(Auto), None, Wanted::GpuOr(NATIVE)),
            (None, Some(Auto), Some(CPU), configured(CPU)),
            (None, Some(This(CUDA)), Some(CPU), explicit(CUDA)),
            (None, Some(This(CPU)), None, explicit(CPU)),
            (Some(Native), None, Some(CUDA), explicit(NATIVE)),
            (Some(Native), Some(This(CPU)), None, explicit(NATIVE)),
            (Some(Native), Some(This(Device::Native16)), None, explicit(Device::Native16)),
            (None, None, Some(Device::Native16), configured(Device::Native16)),
            (Some(Torch), None, None, Wanted::GpuOr(CPU)),
            (Some(Torch), Some(Auto), Some(NATIVE), Wanted::GpuOr(CPU)),
            (Some(Torch), None, Some(CUDA), configured(CUDA)),
            (Some(Torch), Some(This(MPS)), Some(CUDA), explicit(MPS)),
        ] {
            assert_eq!(
                wanted(engine, device, configuration, None).unwrap(),
                expected,
                "{engine:?} {device:?}"
            );
        }
    }

    #[test]
    fn contradictions_are_refused_and_a_method_asks_for_libtorch() {
        use EngineChoice::{Native, Torch};
        let this = |device| Some(DeviceChoice::This(device));
        let unfold = Some(DfMethod::REAL_UNFOLD);
        assert!(wanted(Some(Native), this(CUDA), None, None).is_err());
        assert!(wanted(Some(Torch), this(NATIVE), None, None).is_err());
        assert!(wanted(Some(Torch), this(Device::Native16), None, None).is_err());
        assert!(wanted(Some(Native), None, None, unfold).is_err());
        assert!(wanted(None, this(NATIVE), None, unfold).is_err());
        assert_eq!(wanted(None, None, None, unfold).unwrap(), Wanted::GpuOr(CPU));
    }

    #[test]
    fn methods_and_devices_are_read_by_name() {
        assert_eq!(method("auto"), Ok(None));
        assert_eq!(method("complex_strided"), Ok(Some(DfMethod::COMPLEX_STRIDED)));
        assert!(method("fastest").unwrap_err().contains("real_unfold"));
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        assert_eq!("cuda:1".parse(), Ok(DeviceChoice::This(Device::Torch(TorchDevice::Cuda(1)))));
        assert!("gpu".parse::<DeviceChoice>().unwrap_err().contains("or auto"));
    }
}
