//! Properties of saved states for arbitrary bytes; see `checks.rs`.

/// A saved state of any bytes: what is no state is refused by the framework's reader; what gets through is put in order,
/// complete, and in order already when it comes again.
pub fn plugin_state(data: &[u8]) -> Result<(), serde_json::Error> {
    use tacet::params::state::tidy;

    let mut state: nice_plug::prelude::PluginState = serde_json::from_slice(data)?;
    tidy(&mut state);
    let n_params = nice_plug::prelude::Params::param_map(&tacet::params::TacetParams::default()).len();
    assert!(state.params.is_empty() || state.params.len() == n_params);
    // Maps have no order of their own: values compare, bytes do not.
    let value =
        |state: &nice_plug::prelude::PluginState| serde_json::to_value(state).expect("it is plain data");
    let once = value(&state);
    let mut again: nice_plug::prelude::PluginState = serde_json::from_value(once.clone())?;
    tidy(&mut again);
    assert_eq!(value(&again), once);
    Ok(())
}
