//! The parameters as they were: undo, redo, and two sets to switch between. In the standalone alone: hosts have these.
//!
//! It looks at the parameters once per picture, so that it sees every change, whoever made it.

use super::host_params::{Gesture, HostParams};
use crate::parameters::ParamId;

/// Most steps that are kept.
const MAX_STEPS: usize = 200;

/// The parameters' values, in the order of [`ids`].
type Values = Vec<f32>;

/// All parameters except the momentary ones.
fn ids() -> impl Iterator<Item = ParamId> {
    ParamId::ALL.iter().copied().filter(|id| !id.is_momentary())
}

/// A set of parameters with its past and, after undoing, its future.
#[derive(Clone, Default)]
struct Set {
    now: Values,
    before: Vec<Values>,
    after: Vec<Values>,
}

impl Set {
    fn step_to(&mut self, values: Values) {
        let left = std::mem::replace(&mut self.now, values);
        self.before.push(left);
        if self.before.len() > MAX_STEPS {
            self.before.remove(0);
        }
        self.after.clear();
    }
}

/// See the module.
#[derive(Clone, Default)]
pub struct History {
    sets: [Set; 2],
    active: usize,
}

impl History {
    /// Looks at the parameters; a gesture under way is one step, when it ends.
    pub fn look(&mut self, params: &HostParams, gesture: &Gesture) {
        if gesture.is_under_way() {
            return;
        }
        let values: Values = ids().map(|id| params.value(id)).collect();
        if self.sets[0].now.is_empty() {
            // Both sets begin alike.
            self.sets.iter_mut().for_each(|set| set.now = values.clone());
        } else if self.sets[self.active].now != values {
            self.sets[self.active].step_to(values);
        }
    }

    /// Takes the last step back, or with `forward` the one taken back last forward.
    pub fn step(&mut self, params: &mut HostParams, forward: bool) {
        let Set { now, before, after } = &mut self.sets[self.active];
        let (from, to) = if forward { (after, before) } else { (before, after) };
        if let Some(values) = from.pop() {
            to.push(std::mem::replace(now, values));
            self.apply(params);
        }
    }

    /// The set in force, 0 or 1.
    pub fn active(&self) -> usize {
        self.active
    }

    /// Goes over to a set.
    pub fn choose(&mut self, params: &mut HostParams, set: usize) {
        self.active = set.min(1);
        self.apply(params);
    }

    /// Makes the other set like this one.
    pub fn copy(&mut self) {
        let values = self.sets[self.active].now.clone();
        let other = &mut self.sets[1 - self.active];
        if other.now != values {
            other.step_to(values);
        }
    }

    /// Whether there is a step to take, back or forward.
    pub fn has_step(&self, forward: bool) -> bool {
        let set = &self.sets[self.active];
        !(if forward { &set.after } else { &set.before }).is_empty()
    }

    fn apply(&self, params: &mut HostParams) {
        for (id, &value) in ids().zip(&self.sets[self.active].now) {
            if params.value(id) != value {
                params.change(id, value);
            }
        }
    }
}
