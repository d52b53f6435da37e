//! Any parameter, whatever its type, as the panel, the presets and the audio thread's snapshot need it.

use nice_plug::context::gui::GuiContext;
use nice_plug::prelude::*;

/// A parameter. Values are normalised, 0..=1.
pub trait AnyParam: Send + Sync {
    /// Its name in the host.
    fn name(&self) -> &str;
    /// The value now, without the host's modulation.
    fn value(&self) -> f32;
    /// The value now in its unit, with the host's modulation. Real-time safe.
    fn modulated_plain(&self) -> f32;
    /// The value of a new instance.
    fn default_value(&self) -> f32;
    /// A value in its unit; the position of a choice.
    fn plain(&self, value: f32) -> f32;
    /// The value nearest to one in its unit.
    fn normalized(&self, plain: f32) -> f32;
    /// A value with its unit, as the host writes it.
    fn text(&self, value: f32) -> String;
    /// A value without its unit, for hosts that write that themselves.
    fn bare_text(&self, value: f32) -> String;
    /// The value that a text means, with or without unit.
    fn parse(&self, text: &str) -> Option<f32>;
    /// Steps between the ends: one less than its choices; `None` if it is continuous.
    fn steps(&self) -> Option<usize>;
    /// Sets the value, unknown to any host.
    fn start(&self, value: f32);
    /// Reports the beginning of a gesture to the host.
    fn begin(&self, host: &GuiContext);
    /// Reports a value to the host; within a gesture only.
    fn set(&self, host: &GuiContext, value: f32);
    /// Reports the end of a gesture to the host.
    fn end(&self, host: &GuiContext);
    /// The framework's pointer, valid as long as the parameter.
    fn as_ptr(&self) -> ParamPtr;
}

impl<P: Param + Send + Sync> AnyParam for P {
    fn name(&self) -> &str {
        Param::name(self)
    }

    fn value(&self) -> f32 {
        self.unmodulated_normalized_value()
    }

    fn modulated_plain(&self) -> f32 {
        // SAFETY: the pointer is that of `self`.
        unsafe { Param::as_ptr(self).modulated_plain_value() }
    }

    fn default_value(&self) -> f32 {
        self.default_normalized_value()
    }

    fn plain(&self, value: f32) -> f32 {
        // SAFETY: the pointer is that of `self`.
        unsafe { Param::as_ptr(self).preview_plain(value) }
    }

    fn normalized(&self, plain: f32) -> f32 {
        // SAFETY: the pointer is that of `self`.
        unsafe { Param::as_ptr(self).preview_normalized(plain) }
    }

    fn text(&self, value: f32) -> String {
        self.normalized_value_to_string(value, true)
    }

    fn bare_text(&self, value: f32) -> String {
        self.normalized_value_to_string(value, false)
    }

    fn parse(&self, text: &str) -> Option<f32> {
        self.string_to_normalized_value(text)
    }

    fn steps(&self) -> Option<usize> {
        self.step_count()
    }

    fn start(&self, value: f32) {
        // SAFETY: the pointer is that of `self`.
        unsafe { Param::as_ptr(self)._internal_set_normalized_value(value) };
    }

    fn begin(&self, host: &GuiContext) {
        host.param_setter().begin_set_parameter(self);
    }

    fn set(&self, host: &GuiContext, value: f32) {
        host.param_setter().set_parameter_normalized(self, value);
    }

    fn end(&self, host: &GuiContext) {
        host.param_setter().end_set_parameter(self);
    }

    fn as_ptr(&self) -> ParamPtr {
        Param::as_ptr(self)
    }
}
