//! Options made from the table of parameters: help, range and choices as the plugin has them.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use tacet_realtime::parameters::{Choice, Text};

/// One of the values of a choice, by identifier.
pub fn one_of<T: Choice>() -> impl TypedValueParser<Value = T> {
    let value = |text: &Text| match text.help {
        "" => PossibleValue::new(text.id),
        help => PossibleValue::new(text.id).help(help),
    };
    let values = T::TEXTS.iter().map(value);
    PossibleValuesParser::new(values).map(|id| T::from_choice_id(&id).unwrap_or_default())
}
