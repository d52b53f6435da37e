//! Options made from the table of parameters: help, range and choices as the plugin has them.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use tacet_realtime::parameters::{Choice, ParamId};

/// A parameter's help, as options have it: ASCII minus signs, no full stop.
pub fn help(id: ParamId) -> String {
    id.spec().help.trim_end_matches('.').replace('−', "-")
}

/// A number within a parameter's range, or "none" where that is one of its values.
pub fn within(id: ParamId) -> impl Fn(&str) -> Result<f32, String> + Clone {
    let number = id.number();
    move |text| match number.parse(text) {
        Some(value) if number.text(value).is_some() => Ok(value),
        _ => between(text, number.min, number.max),
    }
}

/// A number from `min` to `max`.
pub fn between(text: &str, min: f32, max: f32) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if (min..=max).contains(&value) => Ok(value),
        _ => Err(format!("a number from {min} to {max} is needed")),
    }
}

/// One of the values of a choice, by identifier.
pub fn one_of<T: Choice>() -> impl TypedValueParser<Value = T> {
    let values = T::TEXTS.iter().map(|text| PossibleValue::new(text.id).help(text.help));
    PossibleValuesParser::new(values).map(|id| T::from_choice_id(&id).unwrap_or_default())
}
