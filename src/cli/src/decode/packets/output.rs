//! Hands a track's parts out: those of its media from the packets' queue, and silence.

use anyhow::Result;

use super::PacketSource;
use crate::decode::metadata::Metadata;
use crate::decode::parts::{BLOCK, Part, Queued, take_silence};
use crate::decode::source::{Findings, Format, Source};

impl PacketSource {
    /// The next block of the media from `start`, at most `left`; `None` at its end.
    fn media(&mut self, start: u64, left: Option<u64>) -> Result<Option<Vec<Vec<f32>>>> {
        if start < self.queue_at {
            self.rewind()?;
        }
        loop {
            let Some(queued) = self.queue.front() else {
                if self.fill()? {
                    continue;
                }
                return Ok(None);
            };
            let n_samples = queued.n_samples();
            let skip = start.saturating_sub(self.queue_at);
            if skip >= n_samples {
                self.queue_at += n_samples;
                self.queue.pop_front();
                continue;
            }
            let n = left.unwrap_or(u64::MAX).min(n_samples - skip);
            let (n, part) = match queued {
                Queued::Block(block) => {
                    let (from, to) = (skip as usize, (skip + n) as usize);
                    (n, block.iter().map(|channel| channel[from..to].to_vec()).collect())
                }
                Queued::Silence(_) => {
                    let n = n.min(BLOCK);
                    (n, vec![vec![0.0; n as usize]; self.format.n_channels])
                }
            };
            if skip + n == n_samples {
                self.queue_at += n_samples;
                self.queue.pop_front();
            }
            return Ok(Some(part));
        }
    }
}

impl Source for PacketSource {
    fn format(&self) -> &Format {
        &self.format
    }

    fn exact_length(&self) -> Option<u64> {
        self.format.n_samples.filter(|_| self.is_length_exact)
    }

    fn read(&mut self, block: &mut Vec<Vec<f32>>) -> Result<bool> {
        while let Some(part) = self.parts.front().copied() {
            if let Some(silence) = take_silence(&mut self.parts, self.format.n_channels) {
                self.n_handed_out += silence[0].len() as u64;
                *block = silence;
                return Ok(true);
            }
            match part {
                Part::Silence(_) | Part::Media { left: Some(0), .. } => {
                    self.parts.pop_front();
                }
                Part::Media { start, left } => {
                    let Some(next) = self.media(start, left)? else {
                        self.parts.pop_front();
                        self.is_over = true;
                        continue;
                    };
                    let n = next[0].len() as u64;
                    *block = next;
                    self.parts[0] = Part::Media { start: start + n, left: left.map(|left| left - n) };
                    self.n_handed_out += n;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn findings(&self) -> Findings {
        // Times are claims as well: where every packet that is listed came, nothing is missing.
        let is_short = self.n_listed == 0 || self.n_packets < self.n_listed;
        // Behind damage, the length that leads beyond the end is a wrong one.
        let is_cut = self.is_cut && self.n_before_resumption.is_none_or(|n| n == self.n_packets);
        let cut = is_cut.then(|| {
            "is cut off: it ends within a packet; copy it again if the original is longer".to_owned()
        });
        let cut_frame = self.is_flac_cut().then(|| {
            "its last frame is cut off or damaged and was left out; copy it again if the original is longer"
                .to_owned()
        });
        Findings {
            n_missing: self.announced.filter(|_| is_short).unwrap_or(0).saturating_sub(self.n_handed_out),
            n_damaged_samples: self.n_damaged_samples,
            n_gap_samples: self.n_gap_samples,
            notes: self.notes.iter().cloned().chain(cut).chain(cut_frame).collect(),
        }
    }

    fn lead_samples(&self) -> u64 {
        self.n_lead
    }

    fn removed_samples(&self) -> u64 {
        self.n_removed
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
