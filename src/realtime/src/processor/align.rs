//! The dry path: the input, delayed by exactly the reported latency. Audio thread; real-time safe after `new`.

/// Delay lines of equal length, one per channel.
pub struct DryDelay {
    lines: Vec<Vec<f32>>,
    delay_samples: usize,
    write_idx: usize,
}

impl DryDelay {
    /// Lines that delay `n_channels` by `delay_samples` and are written at most `max_portion` samples ahead of reading.
    pub fn new(n_channels: usize, delay_samples: usize, max_portion: usize) -> Self {
        Self { lines: vec![vec![0.0; delay_samples + max_portion]; n_channels], delay_samples, write_idx: 0 }
    }

    /// Writes the next samples of every channel.
    pub fn write<C: AsRef<[f32]>>(&mut self, block: &[C], from: usize, n_samples: usize) {
        for (line, channel) in self.lines.iter_mut().zip(block) {
            let new = &channel.as_ref()[from..from + n_samples];
            let n_first = n_samples.min(line.len() - self.write_idx);
            let (first, rest) = new.split_at(n_first);
            line[self.write_idx..self.write_idx + n_first].copy_from_slice(first);
            line[..rest.len()].copy_from_slice(rest);
        }
        self.write_idx = (self.write_idx + n_samples) % self.lines.first().map_or(1, Vec::len);
    }

    /// Reads what was written `delay_samples` before the last `out.len()` samples of `channel`.
    pub fn read(&self, channel: usize, out: &mut [f32]) {
        let line = &self.lines[channel];
        let n = out.len();
        let read_idx = (self.write_idx + 2 * line.len() - self.delay_samples - n) % line.len();
        let n_first = n.min(line.len() - read_idx);
        let (first, rest) = out.split_at_mut(n_first);
        first.copy_from_slice(&line[read_idx..read_idx + n_first]);
        rest.copy_from_slice(&line[..rest.len()]);
    }

    /// Forgets all samples.
    pub fn reset(&mut self) {
        for line in &mut self.lines {
            line.fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_by_exactly_its_length_in_any_portions() {
        let mut delay = DryDelay::new(1, 7, 5);
        let input: Vec<f32> = (1..100).map(|i| i as f32).collect();
        let mut out = Vec::new();
        let mut at = 0;
        for portion in [1, 5, 2, 3, 4].into_iter().cycle() {
            if at + portion > input.len() {
                break;
            }
            delay.write(&[&input], at, portion);
            let mut read = vec![0.0; portion];
            delay.read(0, &mut read);
            out.extend(read);
            at += portion;
        }
        assert_eq!(out[..7], [0.0; 7]);
        assert_eq!(out[7..], input[..out.len() - 7]);
    }
}
