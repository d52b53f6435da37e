//! Options made from the table of parameters: help, range and choices as the plugin has them.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use tacet_realtime::parameters::Choice;

/// One of the values of a choice, by identifier.
pub fn one_of<T: Choice>() -> impl TypedValueParser<Value = T> {
    let values = T::TEXTS.iter().map(|text| PossibleValue::new(text.id).help(text.help));
    PossibleValuesParser::new(values).map(|id| T::from_choice_id(&id).unwrap_or_default())
}
