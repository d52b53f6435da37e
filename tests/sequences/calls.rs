//! One sequence: instances are created, treated as hosts treat plugins, and destroyed.
//!
//! Most sequences are short in audio, because a hop of the network costs more than all other calls together; one in
//! [`LONG_EVERY`] plays for as long as a window and the lookahead need and longer.

use anyhow::{Context, Result, ensure};
use tacet_clap_host::{AudioThread, Change, Instance, Param, PluginFile};

/// One sequence in so many plays hops enough to fill the pipeline.
const LONG_EVERY: u64 = 50;
/// After so many sequences even the instance that keeps the inference thread alive is replaced.
const FRESH_EVERY: u64 = 500;
/// The largest block that hosts announce here.
const MAX_BLOCK: u32 = 4096;
/// For any input, no sample within full scale may come out above this: 24 dB of output gain, 12 dB of
/// voice, and resamplers' overshoot.
const MAX_OUTPUT: f32 = 256.0;

/// Numbers that depend on a sequence's number alone (SplitMix64, Steele et al. 2014).
pub struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Within 0..1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }
}

/// An instance under test.
struct Player {
    instance: Instance,
    n_channels: usize,
    is_active: bool,
    /// Whether nothing beyond full scale was fed since it was created.
    is_plain: bool,
}

/// State shared by sequences: the plugin file, and an instance that keeps the inference thread alive between them.
pub struct Session<'a> {
    file: &'a PluginFile,
    keeper: Option<Instance>,
    params: Vec<Param>,
    state: Vec<u8>,
    log: Vec<String>,
}

impl<'a> Session<'a> {
    pub fn new(file: &'a PluginFile) -> Self {
        let mut first = file.create().unwrap();
        let state = first.save().unwrap();
        Self { file, keeper: None, params: first.params().to_vec(), state, log: Vec::new() }
    }

    /// Calls of the last sequence.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    pub fn run(&mut self, number: u64) -> Result<()> {
        self.log.clear();
        if number.is_multiple_of(FRESH_EVERY) || self.keeper.is_none() {
            self.keeper = None;
            let mut keeper = self.file.create()?;
            keeper.activate(48e3, MAX_BLOCK)?;
            self.keeper = Some(keeper);
        }
        let random = &mut Random(number);
        let is_long = number.is_multiple_of(LONG_EVERY);
        let mut players = Vec::new();
        self.create(&mut players)?;
        let n_calls = 2 + random.below(10);
        for _ in 0..n_calls {
            if random.below(40) == 0 && players.len() < 3 {
                self.create(&mut players)?;
            }
            if players.is_empty() {
                break;
            }
            let which = random.below(players.len());
            if random.below(40) == 0 {
                self.log.push(format!("destroy {which}"));
                players.swap_remove(which);
                continue;
            }
            self.call(&mut players[which], random, is_long).with_context(|| format!("instance {which}"))?;
        }
        players.iter_mut().try_for_each(|player| check_values(player, &self.params))
    }

    fn create(&mut self, players: &mut Vec<Player>) -> Result<()> {
        self.log.push("create".into());
        players.push(Player {
            instance: self.file.create()?,
            n_channels: 2,
            is_active: false,
            is_plain: true,
        });
        Ok(())
    }

    fn call(&mut self, player: &mut Player, random: &mut Random, is_long: bool) -> Result<()> {
        if !player.is_active && random.below(3) > 0 {
            return self.activate(player, random);
        }
        match random.below(12) {
            0 => {
                self.log.push("deactivate".into());
                player.instance.deactivate();
                player.is_active = false;
                Ok(())
            }
            1 => {
                self.log.push("reset".into());
                player.instance.reset();
                Ok(())
            }
            2 => {
                let state = state(&self.state, random);
                self.log.push(format!("load {:?}", String::from_utf8_lossy(&state)));
                // Refused or not: the values are checked.
                let _ = player.instance.load(&state);
                check_values(player, &self.params)
            }
            3 => {
                self.log.push("save, load".into());
                let saved = player.instance.save()?;
                player.instance.load(&saved)?;
                ensure!(player.instance.save()? == saved, "a state changes when it is loaded and saved");
                Ok(())
            }
            4 => {
                let (param, value) = setting(&self.params, random);
                self.log.push(format!("set {} {value}", param.name));
                player.instance.set(&param.name, value)
            }
            5 => {
                let is_offline = random.below(2) == 0;
                self.log.push(format!("offline {is_offline}"));
                player.instance.set_offline(is_offline)
            }
            6 if player.is_active => self.play_while_the_main_thread_acts(player, random),
            _ if player.is_active => {
                let n_blocks = if is_long { 8 } else { 1 };
                for _ in 0..n_blocks {
                    let (mut block, changes) = self.block(player.n_channels, random, is_long);
                    player.is_plain &= is_plain(&block);
                    player.instance.process(&mut block, &changes)?;
                    check_output(&block, player.is_plain)?;
                }
                Ok(())
            }
            _ => self.activate(player, random),
        }
    }

    fn activate(&mut self, player: &mut Player, random: &mut Random) -> Result<()> {
        player.instance.deactivate();
        if random.below(4) == 0 {
            player.n_channels = 1 + random.below(2);
            player.instance.set_channels(player.n_channels)?;
        }
        let rate_hz = match random.below(20) {
            0 => random.one_of(&[8e3, 11.025e3, 22.05e3, 88.2e3, 96e3, 192e3, 768e3]),
            1 => 44.1e3,
            _ => 48e3,
        };
        self.log.push(format!("activate {rate_hz} Hz, {} channels", player.n_channels));
        player.instance.activate(rate_hz, MAX_BLOCK)?;
        player.is_active = true;
        ensure!(player.instance.latency() > 0, "no latency");
        Ok(())
    }

    /// A block of any size and content, and changes within it.
    fn block(
        &mut self,
        n_channels: usize,
        random: &mut Random,
        is_long: bool,
    ) -> (Vec<Vec<f32>>, Vec<Change>) {
        let n_samples = match random.below(8) {
            _ if is_long => 1 + random.below(MAX_BLOCK as usize),
            0 => 1,
            1 => 480,
            _ => 1 + random.below(64),
        };
        let kind = random.below(8);
        let mut sample = || match kind {
            0 => 0.0,
            1 => f32::from_bits(random.next() as u32),
            2 => random.one_of(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.1]),
            3 => f32::MIN_POSITIVE * random.unit() as f32,
            _ => random.unit() as f32 - 0.5,
        };
        let block: Vec<Vec<f32>> =
            (0..n_channels).map(|_| (0..n_samples).map(|_| sample()).collect()).collect();
        let mut changes: Vec<Change> = (0..random.below(4))
            .map(|_| {
                let (param, value) = setting(&self.params, random);
                Change { at: random.below(n_samples) as u32, id: param.id, value }
            })
            .collect();
        // Hosts sort events by time.
        changes.sort_by_key(|change| change.at);
        self.log.push(format!("process {n_samples} samples of kind {kind}, {changes:?}"));
        (block, changes)
    }

    /// Automation in blocks on one thread; states, values and saves on the other.
    fn play_while_the_main_thread_acts(&mut self, player: &mut Player, random: &mut Random) -> Result<()> {
        let blocks: Vec<_> = (0..4).map(|_| self.block(player.n_channels, random, false)).collect();
        let states: Vec<_> = (0..2).map(|_| state(&self.state, random)).collect();
        self.log.push("meanwhile load, save".into());
        player.is_plain &= blocks.iter().all(|(block, _)| is_plain(block));
        let is_plain = player.is_plain;
        let audio = move |thread: &mut AudioThread| {
            for (mut block, changes) in blocks {
                thread.process(&mut block, &changes)?;
                check_output(&block, is_plain)?;
            }
            thread.reset();
            Ok(())
        };
        let params = self.params.clone();
        player.instance.at_once(audio, |main| {
            for state in states {
                let _ = main.load(&state);
                main.save()?;
                main.latency();
                main.idle();
                for param in &params {
                    main.value(&param.name)?;
                }
            }
            Ok(())
        })
    }
}

/// A parameter and a value for it, at times beyond its range.
fn setting<'p>(params: &'p [Param], random: &mut Random) -> (&'p Param, f64) {
    // Devices other than the native one have tests of their own, and would be opened in earnest here.
    let choices: Vec<&Param> = params.iter().filter(|param| !param.name.starts_with("Device")).collect();
    let param = random.one_of(&choices);
    let value = match random.below(10) {
        0 => param.min,
        1 => param.max,
        2 => random.one_of(&[-1e30, -1.0, 1e30]),
        _ => param.min + (param.max - param.min) * random.unit(),
    };
    (param, value)
}

/// A saved state, whole or damaged.
fn state(saved: &[u8], random: &mut Random) -> Vec<u8> {
    let mut state = saved.to_vec();
    for _ in 0..random.below(4) {
        let at = random.below(state.len());
        match random.below(3) {
            0 => state[at] = random.next() as u8,
            1 => state.truncate(at.max(1)),
            _ => state.insert(at, random.next() as u8),
        }
    }
    if random.below(2) == 0 && state.len() > 8 {
        // A right length leads further into the reader.
        let length = (state.len() - 8) as u64;
        state[..8].copy_from_slice(&length.to_le_bytes());
    }
    state
}

fn is_plain(block: &[Vec<f32>]) -> bool {
    block.iter().flatten().all(|sample| sample.abs() <= 1.0)
}

fn check_output(block: &[Vec<f32>], is_plain: bool) -> Result<()> {
    let limit = if is_plain { MAX_OUTPUT } else { f32::MAX };
    let worst = block.iter().flatten().find(|sample| sample.is_nan() || sample.abs() > limit);
    ensure!(worst.is_none(), "{worst:?} came out");
    Ok(())
}

/// Every parameter is within its range whatever was set or loaded.
fn check_values(player: &mut Player, params: &[Param]) -> Result<()> {
    for param in params {
        let value = player.instance.value(&param.name)?;
        ensure!((param.min..=param.max).contains(&value), "{} is {value}", param.name);
    }
    Ok(())
}
