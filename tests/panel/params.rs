//! The panel's access to the plugin's parameters: values, texts and choices as the host has them.

use tacet::enhance::StereoLink;
use tacet::latency::LatencyMode;
use tacet::model::ModelKind;
use tacet::panel::{Settings, host_params::Action};
use tacet::parameters::{Choice as _, ParamId};
use tacet::processor::controls::Listen;

use super::fixtures::{self, Bench, Event};

fn bench() -> Bench {
    Bench::new(fixtures::in_order(), &[], Settings::default())
}

#[test]
fn a_change_is_one_gesture_of_the_hosts() {
    let mut bench = bench();
    bench.params.change(ParamId::Limit, 0.24);
    assert_eq!(bench.params.number(ParamId::Limit), 24.0);
    let gesture =
        [Event::Begin(ParamId::Limit), Event::Set(ParamId::Limit, 0.24), Event::End(ParamId::Limit)];
    assert_eq!(bench.events(), gesture);
    assert_eq!(bench.params.take_actions(), []);
    bench.params.choose(ParamId::DeviceB, 3);
    bench.params.choose(ParamId::Compare, 1);
    assert_eq!(bench.params.take_actions(), [Action::OpenDevices]);
}

#[test]
fn texts_and_values_agree_for_every_parameter() {
    let params = bench().params;
    for &id in ParamId::ALL {
        for value in [0.0, 1.0] {
            let text = params.text(id, value);
            let back = params.parse(id, &text).unwrap_or_else(|| panic!("{id:?}: {text}"));
            assert!((back - value).abs() < 1e-3, "{id:?}: {text} came back as {back}");
        }
    }
    assert_eq!(params.text(ParamId::OutputGain, 0.0), "−24.0 dB");
    assert_eq!(params.parse(ParamId::OutputGain, "−12,5"), params.parse(ParamId::OutputGain, "-12.5 dB"));
}

#[test]
fn choices_reach_the_processor() {
    let mut params = bench().params;
    params.choose(ParamId::Listen, Listen::B.index());
    params.choose(ParamId::Link, StereoLink::Max.index());
    params.choose(ParamId::LatencyMode, LatencyMode::Lowest.index());
    params.choose(ParamId::Model, ModelKind::DeepFilterNet3Ll.index());
    params.choose(ParamId::Bypass, 1);
    assert_eq!(params.choice(ParamId::Listen), Listen::B.index());
    let plugin = params.params();
    let controls = plugin.controls();
    assert_eq!((controls.listen, controls.shaping.link), (Listen::B, StereoLink::Max));
    assert_eq!((plugin.latency_mode(), plugin.model()), (LatencyMode::Lowest, ModelKind::DeepFilterNet3Ll));
    assert!(controls.bypass);
}
