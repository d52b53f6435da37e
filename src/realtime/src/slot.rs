//! The two slots of a stream: A is heard, B is compared with it.

/// Number of slots.
pub const N_SLOTS: usize = 2;

/// One of the two slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlotId {
    /// Heard.
    #[default]
    A = 0,
    /// Compared with A.
    B = 1,
}

impl SlotId {
    /// Both slots.
    pub const ALL: [Self; N_SLOTS] = [Self::A, Self::B];
}
