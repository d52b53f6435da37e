//! The lanes' states on the device, and the step: pack, upload once, compute, download once.
//!
//! A lane's last five inputs lie in a ring of rows, its recurrent state is one row; both stay on the device. Which rows
//! a step reads and writes is worked out on the host and travels with the inputs as numbers, so that the device's work
//! has the same shape in every step of a batch size: nothing is rolled, a lane that starts anew reads rows of zeros,
//! and the spare rows of a batch belong to a lane that nobody reads. That also makes a step recordable as a CUDA graph.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::rc::Rc;
use std::time::Instant;

use tacet_model::{LSNR_MAX_DB, LSNR_MIN_DB};
use tacet_torch_pack::abi::{Lane, N_INPUT, N_OUTPUT, StateUpdate, Timings};
use tch::{Device, Kind, Tensor};

use crate::graph::Graph;
use crate::network::{DecoderBuffers, EncoderBuffers, RING, Run, StageGate};
use crate::packing::{LaneTable, MAX_EXACT_LANES, N_SETTINGS, PACKED};
use crate::target::Target;
use crate::weights::Weights;
use crate::{Result, TorchError};

/// Most lanes of one step.
pub const MAX_LANES: usize = 512;

/// Lanes in device memory and the steps over them.
#[derive(Debug)]
pub struct Streams {
    device: OnDevice,
    table: LaneTable,
    batches: BTreeMap<usize, Batch>,
    /// Whether steps become CUDA graphs.
    record: bool,
    /// Scratch of the argument check.
    taken: Vec<bool>,
}

/// State shared by every batch.
#[derive(Debug)]
struct OnDevice {
    weights: Rc<Weights>,
    target: Target,
    /// Inputs, `[ring rows, 416]`.
    ring: Tensor,
    /// Recurrent state, `[state rows, S]`.
    state: Tensor,
    /// Booleans `[1, S]`: true where a column of it is a hidden state.
    hidden: Tensor,
}

/// Buffers of a batch size, allocated when it first occurs.
#[derive(Debug)]
struct Batch {
    rows: usize,
    /// The packed upload, on the host and on the device; on the CPU the same tensor.
    staging: Tensor,
    packed: Tensor,
    /// The packed download `[rows, 225]`, likewise.
    out: Tensor,
    landing: Tensor,
    encoder: EncoderBuffers,
    decoder: DecoderBuffers,
    /// Recorded steps: those in which every stage runs and every hidden state advances, and any.
    graphs: [Option<Graph>; 2],
}

impl Streams {
    /// Room for `n_lanes` lanes, all silent. With `record`, steps become CUDA graphs where possible.
    ///
    /// # Errors
    /// [`TorchError::Argument`] for too many or no lanes; the device's errors.
    pub fn new(weights: Rc<Weights>, n_lanes: usize, record: bool) -> Result<Self> {
        if !(1..=MAX_EXACT_LANES).contains(&n_lanes) {
            return Err(TorchError::Argument(format!(
                "{n_lanes} lanes are not within 1..={MAX_EXACT_LANES}"
            )));
        }
        let target = weights.target();
        let table = LaneTable::new(n_lanes);
        let zeros = |rows: usize, n: i64| Tensor::f_zeros([rows as i64, n], target.options());
        let n_state = weights.state_sizes().iter().sum();
        let hidden = Tensor::f_zeros([1, n_state], (Kind::Bool, target.device()))?;
        for (begin, length) in weights.hidden_columns() {
            let _ = hidden.f_narrow(1, begin, length)?.f_fill_(1)?;
        }
        let device = OnDevice {
            target,
            ring: zeros(table.n_ring_rows(), N_INPUT as i64)?,
            state: zeros(table.n_state_rows(), n_state)?,
            hidden,
            weights,
        };
        let record = record && target.device().is_cuda();
        Ok(Self { device, table, batches: BTreeMap::new(), record, taken: vec![false; n_lanes] })
    }

    /// The network on the device.
    pub fn weights(&self) -> &Rc<Weights> {
        &self.device.weights
    }

    /// Runs every batch size up to `n_lanes` lanes on the unused lane, so that no later step is the first of its shape.
    ///
    /// # Errors
    /// The device's errors.
    pub fn warm_up(&mut self, n_lanes: usize) -> Result<()> {
        let mut rows = 0;
        while rows < n_lanes.min(MAX_LANES) {
            rows = bucket(self.device.target, rows + 1);
            let batch = batch(&mut self.batches, self.device.target, rows)?;
            for is_general in [false, true] {
                if self.record {
                    batch.record(&mut self.device, &mut self.table, is_general, &mut self.record)?;
                }
                // Twice: libtorch decides on kernels and memory in the first run.
                for _ in 0..2 {
                    batch.pack(&mut self.table, &[], &[]);
                    batch.upload()?;
                    batch.run(&mut self.device, 0, is_general)?;
                    self.device.target.synchronize()?;
                }
            }
        }
        Ok(())
    }

    /// Infers one hop of the given lanes: `input` `[lanes][416]`, `output` `[lanes][225]`.
    ///
    /// # Errors
    /// [`TorchError::Argument`] for lanes or lengths that make no sense, before anything is done. Afterwards the
    /// device's errors; then the states of these lanes are undefined until they are reset.
    pub fn step(&mut self, lanes: &[Lane], input: &[f32], output: &mut [f32]) -> Result<Timings> {
        self.check(lanes, input, output)?;
        if lanes.is_empty() {
            return Ok(Timings::default());
        }
        let is_general = lanes.iter().any(|lane| may_stop(lane) || lane.update != StateUpdate::ADVANCE);
        let rows = bucket(self.device.target, lanes.len());
        let batch = batch(&mut self.batches, self.device.target, rows)?;
        if self.record {
            batch.record(&mut self.device, &mut self.table, is_general, &mut self.record)?;
        }
        let start = Instant::now();
        batch.pack(&mut self.table, lanes, input);
        batch.upload()?;
        self.device.target.synchronize()?;
        let uploaded = Instant::now();
        batch.run(&mut self.device, lanes.len(), is_general)?;
        self.device.target.synchronize()?;
        let computed = Instant::now();
        batch.download(output)?;
        Ok(timings(start, uploaded, computed))
    }

    /// Uploads and downloads the tensors of a step of `n_lanes` lanes and computes nothing.
    ///
    /// # Errors
    /// [`TorchError::Argument`] for no or too many lanes; the device's errors.
    pub fn round_trip(&mut self, n_lanes: usize) -> Result<Timings> {
        if !(1..=MAX_LANES).contains(&n_lanes) {
            return Err(TorchError::Argument(format!("{n_lanes} lanes are not within 1..={MAX_LANES}")));
        }
        let target = self.device.target;
        let rows = bucket(target, n_lanes);
        let batch = batch(&mut self.batches, self.device.target, rows)?;
        let mut output = vec![0.0; n_lanes * N_OUTPUT];
        target.synchronize()?;
        let start = Instant::now();
        batch.upload()?;
        target.synchronize()?;
        let uploaded = Instant::now();
        batch.download(&mut output)?;
        Ok(timings(start, uploaded, uploaded))
    }

    fn check(&mut self, lanes: &[Lane], input: &[f32], output: &[f32]) -> Result<()> {
        let n = lanes.len();
        let wrong = |what: String| Err(TorchError::Argument(what));
        if n > MAX_LANES {
            return wrong(format!("{n} lanes in a step, at most {MAX_LANES}"));
        }
        if input.len() != n * N_INPUT || output.len() != n * N_OUTPUT {
            return wrong(format!("{n} lanes with {} inputs and {} outputs", input.len(), output.len()));
        }
        self.taken.fill(false);
        for lane in lanes {
            if lane.leader as usize >= n {
                return wrong(format!("leader {} of {n} lanes", lane.leader));
            }
            if lane.update.0 > StateUpdate::RESTART.0 {
                return wrong(format!("update {} of hidden states", lane.update.0));
            }
            match self.taken.get_mut(lane.number as usize) {
                Some(taken) if !*taken => *taken = true,
                Some(_) => return wrong(format!("lane {} twice in a step", lane.number)),
                None => return wrong(format!("lane {} of {}", lane.number, self.table.len())),
            }
        }
        Ok(())
    }
}

/// The buffers of a batch size, made where it occurs for the first time.
fn batch(batches: &mut BTreeMap<usize, Batch>, target: Target, rows: usize) -> Result<&mut Batch> {
    match batches.entry(rows) {
        Entry::Occupied(batch) => Ok(batch.into_mut()),
        Entry::Vacant(place) => Ok(place.insert(Batch::new(target, rows)?)),
    }
}

impl Batch {
    fn new(target: Target, rows: usize) -> Result<Self> {
        let host = (Kind::Float, Device::Cpu);
        let staging = Tensor::f_zeros([(rows * PACKED) as i64], host)?;
        let landing = Tensor::f_zeros([rows as i64, N_OUTPUT as i64], host)?;
        // To the device it is on, a tensor goes as itself.
        let on_device = |tensor: &Tensor| tensor.f_to_device(target.device());
        Ok(Self {
            rows,
            packed: on_device(&staging)?,
            out: on_device(&landing)?,
            staging,
            landing,
            encoder: EncoderBuffers::new(target, rows as i64)?,
            decoder: DecoderBuffers::new(target, rows as i64)?,
            graphs: [None, None],
        })
    }

    fn pack(&mut self, table: &mut LaneTable, lanes: &[Lane], input: &[f32]) {
        let values = self.staging.data_ptr().cast::<f32>();
        // SAFETY: `staging` is a contiguous float32 tensor of rows * PACKED values in host memory (`Batch::new`), ours
        // alone while `self` is borrowed: no libtorch call runs meanwhile.
        let packed = unsafe { std::slice::from_raw_parts_mut(values, self.rows * PACKED) };
        table.pack(self.rows, lanes, input, packed);
    }

    fn upload(&mut self) -> Result<()> {
        if self.packed.device() != Device::Cpu {
            self.packed.f_copy_(&self.staging)?;
        }
        Ok(())
    }

    /// Copies the first `output.len() / 225` rows out. Waits for the device.
    fn download(&mut self, output: &mut [f32]) -> Result<()> {
        if self.out.device() != Device::Cpu {
            self.landing.f_copy_(&self.out)?;
        }
        let values = self.landing.data_ptr().cast::<f32>();
        // SAFETY: `landing` is a contiguous float32 tensor of rows * 225 values in host memory (`Batch::new`); the copy
        // above has waited for the device.
        output.copy_from_slice(
            &unsafe { std::slice::from_raw_parts(values, self.rows * N_OUTPUT) }[..output.len()],
        );
        Ok(())
    }

    /// The step on the device, from `packed` to `out`.
    fn run(&mut self, device: &mut OnDevice, n_lanes: usize, is_general: bool) -> Result<()> {
        match &self.graphs[usize::from(is_general)] {
            Some(graph) => graph.replay(),
            None => self.compute(device, n_lanes, is_general),
        }
    }

    /// Records the step, if it is not yet. Recording runs it more than once, so the unused lane is what it runs for.
    fn record(
        &mut self,
        device: &mut OnDevice,
        table: &mut LaneTable,
        is_general: bool,
        possible: &mut bool,
    ) -> Result<()> {
        let Device::Cuda(index) = device.target.device() else { return Ok(()) };
        if self.graphs[usize::from(is_general)].is_some() {
            return Ok(());
        }
        self.pack(table, &[], &[]);
        self.upload()?;
        match Graph::record(index, || self.compute(device, 0, is_general)) {
            Ok(graph) => self.graphs[usize::from(is_general)] = Some(graph),
            // The pack has no graphs: op by op works as well, only slower.
            Err(TorchError::NoDevice(_)) => *possible = false,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn compute(&mut self, device: &mut OnDevice, n_lanes: usize, is_general: bool) -> Result<()> {
        let OnDevice { weights, target, ring, state, hidden } = device;
        let Self { packed, out, encoder, decoder, .. } = self;
        let rows = self.rows as i64;
        let n_input = N_INPUT as i64;
        let input = packed.f_narrow(0, 0, rows * n_input)?.f_view([rows, n_input])?;
        let n_settings = N_SETTINGS as i64;
        let settings =
            packed.f_narrow(0, rows * n_input, n_settings * rows)?.f_view([n_settings, rows, 1])?;
        let numbers = packed.f_narrow(0, rows * (n_input + n_settings), rows * (4 + RING))?;
        let numbers = numbers.f_to_kind(Kind::Int64)?;
        let number = |i: i64| numbers.f_narrow(0, i * rows, rows);

        let _ = ring.f_index_copy_(0, &number(3)?, &input)?;
        let reads = numbers.f_narrow(0, 4 * rows, RING * rows)?;
        let frames = ring.f_index_select(0, &reads)?.f_view([rows, RING, n_input])?;
        let mut old = state.f_index_select(0, &number(0)?)?;
        let are = |update: StateUpdate| {
            Ok::<_, TorchError>(settings.f_select(0, 3)?.f_eq(f64::from(update.0))?.f_logical_and(hidden)?)
        };
        if is_general {
            old = old.f_masked_fill(&are(StateUpdate::RESTART)?, 0.0)?;
        }
        let mut hop = weights.hop(encoder, decoder, &frames, &old, |lsnr_db| {
            if !is_general {
                return Ok(StageGate { erb: Run::All, df: Run::All });
            }
            let lsnr_db = lsnr_db.f_index_select(0, &number(2)?)?;
            let stop_erb = lsnr_db.f_lt_tensor(&settings.f_select(0, 0)?)?;
            let stop_erb = stop_erb.f_logical_or(&lsnr_db.f_gt_tensor(&settings.f_select(0, 1)?)?)?;
            let stop_df = stop_erb.f_logical_or(&lsnr_db.f_gt_tensor(&settings.f_select(0, 2)?)?)?;
            Ok(StageGate {
                erb: run_unless(*target, stop_erb, n_lanes)?,
                df: run_unless(*target, stop_df, n_lanes)?,
            })
        })?;
        if is_general {
            hop.state = old.f_where_self(&are(StateUpdate::HOLD)?, &hop.state)?;
        }
        let _ = state.f_index_copy_(0, &number(1)?, &hop.state)?;
        let _ = Tensor::f_cat_out(out, &[hop.lsnr_db, hop.mask, hop.filtered], 1)?;
        Ok(())
    }
}

/// On the CPU looking at the mask is free, and a decoder that all or none of the lanes need is simpler.
fn run_unless(target: Target, stop: Tensor, n_lanes: usize) -> Result<Run> {
    if !target.is_host() {
        return Ok(Run::Unless(stop));
    }
    let mut stopped = vec![false; stop.numel()];
    stop.f_view([-1])?.f_copy_data(&mut stopped, stop.numel())?;
    let n_stopped = stopped[..n_lanes].iter().filter(|&&stopped| stopped).count();
    Ok(match n_stopped {
        0 => Run::All,
        n if n == n_lanes => Run::Nobody,
        _ => Run::Unless(stop),
    })
}

/// Whether a lane's thresholds can stop a decoder at all: the local SNR cannot leave -15..=35 dB.
fn may_stop(lane: &Lane) -> bool {
    let never = lane.min_db <= LSNR_MIN_DB && lane.max_erb_db >= LSNR_MAX_DB && lane.max_df_db >= LSNR_MAX_DB;
    !never
}

/// Batch size that `n` lanes run in: a few sizes, so that shapes repeat. On the CPU they are closer together, as a
/// spare row costs time there.
fn bucket(target: Target, n: usize) -> usize {
    let power = n.next_power_of_two();
    let between = power / 4 * 3;
    if target.is_host() && between >= n { between } else { power }
}

/// The timings of what ends now.
pub(crate) fn timings(start: Instant, uploaded: Instant, computed: Instant) -> Timings {
    let micros = |from: Instant, to: Instant| (to - from).as_secs_f32() * 1e6;
    Timings {
        upload_us: micros(start, uploaded),
        compute_us: micros(uploaded, computed),
        download_us: micros(computed, Instant::now()),
    }
}
