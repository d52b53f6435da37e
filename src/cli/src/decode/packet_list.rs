//! Packets of an MP4's track, each with its own time, as its tables list them.
//!
//! symphonia 0.6 adds up the durations of packets and passes over the times of fragments (`tfdt`), takes a later chunk for
//! one that lies further behind, and looks for a packet's time from the first packet on.

use std::io;

use super::input::Input;
use super::sample_table::{Run, Tables, chunks, packet_of, sizes, time_to_sample};

/// Packets of one duration whose samples are counted: where more have it, that is how their writer counts.
pub const MAX_ALIKE: u32 = 8;

/// Values that stay from a packet on, by its number.
type Steps<T> = Vec<(u32, T)>;

/// A track's packets, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PacketList {
    /// Their number.
    pub n_packets: u32,
    /// Places of packets that do not follow the one before.
    places: Steps<u64>,
    sizes: Steps<u32>,
    durations: Steps<u32>,
    /// Times of packets that do not begin where the one before ends.
    times: Steps<u64>,
    /// Time that is missing in front of packets, where one is before them.
    gaps: Steps<u64>,
    /// Place and time behind the last packet.
    end: u64,
    time: u64,
    /// Bytes that may still be listed: tables that point at the same bytes again and again are cut off there.
    left: u64,
}

impl PacketList {
    /// None, of a file of `n_bytes`.
    pub fn new(n_bytes: u64) -> Self {
        Self { left: n_bytes, ..Self::default() }
    }

    /// The packets that the tables of a track list.
    ///
    /// # Errors
    /// Errors of the input.
    pub fn of_tables(input: &mut Input, tables: &Tables) -> io::Result<Self> {
        let mut list = Self::new(input.len().unwrap_or(0));
        let chunks = chunks(input, tables)?;
        let durations = time_to_sample(input, tables)?;
        // Samples one by one, as QuickTime counts them, of packets of one size.
        if let (&[(_, 1)], Some((n_samples, n_bytes))) = (&durations[..], packet_of(&tables.stsd)) {
            for (at, n) in chunks {
                if !list.push(at, n / n_samples, n_bytes, n_samples) {
                    break;
                }
            }
            return Ok(list);
        }
        let mut durations = durations.into_iter();
        let (mut n_alike, mut duration) = (0, 0);
        let sizes = sizes(input, tables)?;
        let mut number = 0;
        for (at, n_packets) in chunks {
            let mut at = at;
            for _ in 0..n_packets {
                let Some(size) = sizes.get(number) else { return Ok(list) };
                number += 1;
                while n_alike == 0 {
                    let Some(next) = durations.next() else { break };
                    (n_alike, duration) = next;
                }
                n_alike = n_alike.saturating_sub(1);
                if !list.push(at, 1, size, duration) {
                    return Ok(list);
                }
                at = at.saturating_add(size.into());
            }
        }
        Ok(list)
    }

    /// The time of the next packet.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// Sets the time of the next packet.
    pub fn set_time(&mut self, time: u64) {
        if time > self.time && self.n_packets > 0 {
            match self.gaps.last_mut() {
                Some((number, gap)) if *number == self.n_packets => *gap += time - self.time,
                _ => self.gaps.push((self.n_packets, time - self.time)),
            }
        }
        if time != self.time {
            self.times.push((self.n_packets, time));
            self.time = time;
        }
    }

    /// Adds packets that lie one behind the other, as many as the file can hold; false if it cannot hold all.
    pub fn push(&mut self, at: u64, n: u32, size: u32, duration: u32) -> bool {
        // Packets without a byte count as well: a few words may state billions of them.
        let n_spent = u64::from(size.max(1));
        let n_held = self.left.div_ceil(n_spent).min(n.into()) as u32;
        let n_held = n_held.min(u32::MAX - self.n_packets);
        if n_held == 0 {
            return n == 0;
        }
        let n_bytes = u64::from(n_held) * u64::from(size);
        self.left = self.left.saturating_sub(u64::from(n_held) * n_spent);
        let number = self.n_packets;
        if at != self.end || number == 0 {
            self.places.push((number, at));
        }
        for (steps, value) in [(&mut self.sizes, size), (&mut self.durations, duration)] {
            if steps.last().is_none_or(|&(_, last)| last != value) {
                steps.push((number, value));
            }
        }
        self.n_packets += n_held;
        self.end = at.saturating_add(n_bytes);
        self.time = self.time.saturating_add(u64::from(n_held) * u64::from(duration));
        n_held == n
    }

    /// The first packet.
    pub fn first(&self) -> Option<Place> {
        Cursor::default().next(self)
    }

    /// The same as runs of samples of `frame_bytes`, behind `start` others. Between them is as much room as `hole` says of a
    /// time in which there are so many samples.
    pub fn runs(&self, frame_bytes: u64, mut start: u64, hole: impl Fn(u64, u64) -> u64) -> Vec<Run> {
        let mut runs = Vec::new();
        let ends = self.places.iter().skip(1).map(|&(number, _)| number).chain([self.n_packets]);
        let (mut sizes, mut durations) = (self.sizes.iter().peekable(), self.durations.iter().peekable());
        let (mut size, mut duration, mut gaps) = (0, 0, self.gaps.iter().peekable());
        for (&(first, mut at), end) in self.places.iter().zip(ends) {
            let (mut number, mut n_bytes) = (first, 0);
            let mut flush = |start: &mut u64, n_bytes: &mut u64| {
                let n_frames = *n_bytes / frame_bytes;
                if n_frames > 0 {
                    runs.push(Run { start: *start, at, n_frames });
                    *start += n_frames;
                }
                at = at.saturating_add(*n_bytes);
                *n_bytes = 0;
            };
            // A fragment has a place of its own.
            while let Some(&(_, gap)) = gaps.next_if(|&&(number, _)| number <= first) {
                start += hole(gap, 0);
            }
            while number < end {
                while let Some(&(_, next)) = sizes.next_if(|&&(from, _)| from <= number) {
                    size = u64::from(next);
                }
                while let Some(&(_, next)) = durations.next_if(|&&(from, _)| from <= number) {
                    duration = u64::from(next);
                }
                let next_size = sizes.peek().map_or(end, |&&(from, _)| from);
                let next_duration = durations.peek().map_or(end, |&&(from, _)| from);
                let until = end.min(next_size).min(next_duration);
                let n_more = match until - number {
                    n_alike @ 0..=MAX_ALIKE => hole(duration, size / frame_bytes) * u64::from(n_alike > 0),
                    _ => 0,
                };
                let n_each = if n_more > 0 { 1 } else { until - number };
                n_bytes += u64::from(n_each) * size;
                number += n_each;
                // Behind the last comes nothing.
                if n_more > 0 && number < self.n_packets {
                    flush(&mut start, &mut n_bytes);
                    start += n_more;
                }
            }
            flush(&mut start, &mut n_bytes);
        }
        runs
    }
}

/// A packet's place in the file, and its time and duration in units of its track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its first byte.
    pub at: u64,
    /// Its bytes.
    pub size: u32,
    /// Its time.
    pub time: u64,
    /// Its duration.
    pub duration: u32,
}

/// A place in a list, and those in its steps.
#[derive(Default)]
pub struct Cursor {
    number: u32,
    steps: [usize; 4],
    next: Place,
}

impl Cursor {
    /// The next packet.
    pub fn next(&mut self, list: &PacketList) -> Option<Place> {
        if self.number >= list.n_packets {
            return None;
        }
        let [places, sizes, durations, times] = &mut self.steps;
        let number = self.number;
        step(&list.places, places, number, &mut self.next.at);
        step(&list.sizes, sizes, number, &mut self.next.size);
        step(&list.durations, durations, number, &mut self.next.duration);
        step(&list.times, times, number, &mut self.next.time);
        let place = self.next;
        self.next.at = place.at.saturating_add(place.size.into());
        self.next.time = place.time.saturating_add(place.duration.into());
        self.number += 1;
        Some(place)
    }
}

/// Takes the values over that stand for the packet `number`, of which the last holds.
fn step<T: Copy>(steps: &Steps<T>, index: &mut usize, number: u32, value: &mut T) {
    while let Some(&(_, next)) = steps.get(*index).filter(|(from, _)| *from <= number) {
        *value = next;
        *index += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(list: &PacketList) -> Vec<(u64, u32, u64, u32)> {
        let mut cursor = Cursor::default();
        let next = || cursor.next(list).map(|place| (place.at, place.size, place.time, place.duration));
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn packets_come_in_their_order() {
        let mut list = PacketList::new(1_000);
        assert!(list.push(100, 2, 10, 5) && list.push(120, 1, 10, 6));
        list.set_time(16);
        assert!(list.push(130, 1, 7, 6));
        list.set_time(90);
        // Further in front.
        assert!(list.push(50, 1, 7, 6));
        let expected = [(100, 10, 0, 5), (110, 10, 5, 5), (120, 10, 10, 6), (130, 7, 16, 6), (50, 7, 90, 6)];
        assert_eq!((places(&list), list.n_packets), (expected.to_vec(), 5));
        let run = |start, at, n_frames| Run { start, at, n_frames };
        assert_eq!(list.runs(2, 9, |_, _| 0), [run(9, 100, 18), run(27, 50, 3)]);
        let gap = |time: u64, n_frames: u64| if n_frames == 0 { time / 2 } else { 0 };
        assert_eq!(list.runs(2, 9, gap), [run(9, 100, 18), run(61, 50, 3)]);
        assert_eq!(PacketList::new(9).runs(2, 0, |_, _| 0), []);
    }

    #[test]
    fn packets_that_last_longer_leave_holes() {
        let run = |start, at, n_frames| Run { start, at, n_frames };
        let hole = |time: u64, n_frames: u64| time.saturating_sub(n_frames);
        let mut list = PacketList::new(10_000);
        // Packets of 50 samples; two of them last longer, and the last.
        for (n, duration) in [(1, 50), (1, 90), (2, 50), (1, 60), (1, 99)] {
            assert!(list.push(list.end.max(100), n, 100, duration));
        }
        let apart = [run(7, 100, 100), run(7 + 140, 300, 150), run(7 + 300, 600, 50)];
        assert_eq!(list.runs(2, 7, hole), apart);
        assert_eq!(list.first().map(|place| (place.size, place.duration)), Some((100, 50)));
        // Every one of many does: that is how they are counted.
        let mut list = PacketList::new(10_000);
        assert!(list.push(100, MAX_ALIKE + 1, 100, 90));
        assert_eq!(list.runs(2, 0, hole), [run(0, 100, 50 * (u64::from(MAX_ALIKE) + 1))]);
    }

    #[test]
    fn no_more_bytes_are_listed_than_a_file_has() {
        let mut list = PacketList::new(100);
        assert!(!list.push(0, u32::MAX, 9, 1));
        // The last is cut off.
        assert_eq!(list.n_packets, 12);
        assert!(!list.push(0, 1, 9, 1) && list.push(0, 0, 9, 1));
        let mut list = PacketList::new(100);
        assert!(list.push(0, 7, 0, 1));
        assert!(!list.push(0, u32::MAX, 0, 1));
        assert_eq!(list.n_packets, 100);
    }
}
