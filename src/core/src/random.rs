//! Numbers for signals that test something: at random to the ear, the same in every run and on every machine.

/// Numerical Recipes' linear congruential generator. Made from a seed, which the last number then replaces.
#[derive(Clone, Copy, Debug)]
pub struct Random(pub u32);

impl Random {
    /// The next number. Its low bits repeat soon.
    pub fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0
    }

    /// The next number in 0..1.
    pub fn share(&mut self) -> f32 {
        (self.bits() >> 8) as f32 / (1 << 24) as f32
    }

    /// The next sample of white noise, in -1..1.
    pub fn sample(&mut self) -> f32 {
        2.0 * self.share() - 1.0
    }
}
