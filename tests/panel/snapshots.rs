//! Pictures of every view and state, compared with those in `tests/snapshots`.
//!
//! `UPDATE_SNAPSHOTS=1` writes new ones. They are drawn by whatever wgpu adapter there is, a software one if possible
//! (Mesa's lavapipe); without any the tests say so and pass, unless `TACET_REQUIRE_SNAPSHOTS=1`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use egui_kittest::{Harness, SnapshotOptions, kittest::Queryable, wgpu::WgpuTestRenderer};
use tacet::panel::{
    Axis, Page, Settings, View,
    theme::Appearance,
    view_model::{DeviceState, Notice, ViewModel},
};

use tacet::latency::{Latency, LatencyMode};
use tacet::parameters::ParamId;
use tacet::processor::resample::Plan;

use super::fixtures::{self, Bench};

/// Fonts are rasterised on the CPU, the same everywhere; adapters differ in how they round when they blend and
/// interpolate the spectrograms' texels.
fn options() -> SnapshotOptions {
    SnapshotOptions::new().output_path("tests/snapshots")
}

/// A renderer, or why there is none.
fn renderer() -> Option<WgpuTestRenderer> {
    match catch_unwind(AssertUnwindSafe(WgpuTestRenderer::new)) {
        Ok(renderer) => Some(renderer),
        Err(_) if std::env::var_os("TACET_REQUIRE_SNAPSHOTS").is_some_and(|required| required == "1") => {
            panic!("no wgpu adapter: install mesa-vulkan-drivers, or unset TACET_REQUIRE_SNAPSHOTS")
        }
        Err(_) => {
            eprintln!("skipped: no wgpu adapter to draw with (Debian: mesa-vulkan-drivers)");
            None
        }
    }
}

struct Picture {
    view_model: ViewModel,
    /// Parameters that are not at their defaults, in their units.
    changed: Vec<(ParamId, f32)>,
    settings: Settings,
    size: [f32; 2],
    scale: f32,
}

impl Default for Picture {
    fn default() -> Self {
        Self {
            view_model: fixtures::in_order(),
            changed: vec![(ParamId::Limit, 24.0), (ParamId::PostFilter, 0.01)],
            settings: Settings::default(),
            size: [860.0, 560.0],
            scale: 1.0,
        }
    }
}

impl Picture {
    fn of(view: View) -> Self {
        Self { settings: Settings { view, ..Settings::default() }, ..Self::default() }
    }

    /// Compares with the picture of this name after `act`.
    fn matches_after(self, name: &str, act: impl FnOnce(&mut Harness<'_, Bench>)) {
        let Some(renderer) = renderer() else { return };
        let builder = Harness::builder()
            .with_size(self.size)
            .with_pixels_per_point(self.scale)
            .with_render_cursor(false)
            .renderer(renderer);
        let mut harness =
            fixtures::window(builder, Bench::new(self.view_model, &self.changed, self.settings));
        harness.run();
        act(&mut harness);
        harness.run();
        harness.snapshot_options(name, &options());
    }

    fn matches(self, name: &str) {
        self.matches_after(name, |_| {});
    }
}

/// Both slots live and compared.
fn comparing() -> Picture {
    let mut picture = Picture::of(View::Devices);
    fixtures::run_on_gpu(&mut picture.view_model.slots[1]);
    picture.view_model.null_db = Some(-71.8);
    picture.changed.extend([(ParamId::DeviceB, fixtures::MPS), (ParamId::Compare, 1.0)]);
    picture
}

fn light(mut picture: Picture) -> Picture {
    picture.settings.appearance = Appearance::Light;
    picture
}

#[test]
fn denoise() {
    Picture::default().matches("denoise");
}

#[test]
fn denoise_light() {
    light(Picture::default()).matches("denoise_light");
}

#[test]
fn denoise_twice_as_fine() {
    Picture { scale: 2.0, ..Picture::default() }.matches("denoise_2x");
}

#[test]
fn denoise_in_a_large_window() {
    Picture { size: [1280.0, 800.0], ..Picture::default() }.matches("denoise_large");
}

#[test]
fn a_tiny_window_scrolls() {
    Picture { size: [420.0, 300.0], ..Picture::default() }.matches("denoise_tiny");
}

#[test]
fn room() {
    let mut picture = Picture::default();
    picture.settings.advanced = true;
    picture.changed.extend([
        (ParamId::Voice, 3.0),
        (ParamId::Ambience, -18.0),
        (ParamId::Hold, 60.0),
        (ParamId::Release, 200.0),
    ]);
    picture.matches("denoise_room");
}

#[test]
fn recording() {
    let mut picture = Picture::default();
    (picture.settings.advanced, picture.settings.page) = (true, Page::Recording);
    picture.changed.push((ParamId::Level, 1.0));
    picture.matches("denoise_recording");
}

#[test]
fn limits_by_frequency() {
    let mut picture = Picture::default();
    (picture.settings.advanced, picture.settings.limits) = (true, true);
    picture.changed.extend([
        (ParamId::Limit300Hz, 12.0),
        (ParamId::Limit1kHz, 18.0),
        (ParamId::Limit3kHz, 30.0),
    ]);
    picture.matches("denoise_limits");
}

#[test]
fn advanced() {
    let mut picture = Picture::default();
    (picture.settings.advanced, picture.settings.page) = (true, Page::Stages);
    picture.settings.axis = Axis::Linear;
    picture.changed.extend([(ParamId::MinSnr, -10.0), (ParamId::MaxDf, 20.0), (ParamId::MaxErb, 30.0)]);
    picture.matches("denoise_advanced");
}

#[test]
fn inactive() {
    Picture { view_model: fixtures::inactive(), ..Picture::default() }.matches("denoise_inactive");
}

#[test]
fn overload() {
    let mut picture = Picture::default();
    fixtures::run_on_gpu(&mut picture.view_model.slots[0]);
    picture.changed.push((ParamId::DeviceA, fixtures::MPS));
    picture.view_model.stream.n_late = 1_873;
    picture.view_model.input.advance(&[1.2, 0.9], 0.033);
    picture.matches("denoise_overload");
}

#[test]
fn bypassed_with_the_presets_open() {
    let mut picture = Picture::default();
    picture.changed.push((ParamId::Bypass, 1.0));
    picture.matches_after("presets", |harness| harness.get_by_label("Preset").click());
}

#[test]
fn typing_a_value() {
    Picture::default().matches_after("denoise_typing", |harness| {
        harness.get_by_label("Reduce by at most").focus();
        harness.run();
        harness.key_press(egui::Key::Enter);
    });
}

#[test]
fn devices() {
    comparing().matches("devices");
}

#[test]
fn devices_light() {
    light(comparing()).matches("devices_light");
}

#[test]
fn devices_before_anything_is_measured() {
    let picture = Picture { view_model: fixtures::inactive(), ..Picture::of(View::Devices) };
    picture.matches("devices_unmeasured");
}

#[test]
fn devices_while_loading() {
    let mut picture = comparing();
    picture.view_model.slots[1].state = DeviceState::Opening(fixtures::TORCH_MPS);
    picture.view_model.slots[1].summaries = Default::default();
    picture.view_model.slots[1].probe_us = None;
    picture.view_model.null_db = None;
    picture.matches("devices_loading");
}

#[test]
fn devices_on_an_old_macos() {
    let picture = Picture { view_model: fixtures::macos_13(), ..Picture::of(View::Devices) };
    picture.matches("devices_macos13");
}

#[test]
fn devices_after_falling_back() {
    let mut picture = comparing();
    picture.view_model.slots[1].state = DeviceState::FellBack { device: fixtures::TORCH_MPS, reason: "torch MPS missed 50 deadlines in a row (4.2 ms of 10 ms are usual). Close other programs that use the GPU, \
         then press Retry."
            .into() };
    picture.view_model.null_db = None;
    picture.matches("devices_fell_back");
}

#[test]
fn devices_without_torch() {
    let mut picture = Picture::of(View::Devices);
    fixtures::show(&fixtures::without_torch(), &mut picture.view_model);
    picture.matches_after("devices_no_torch", |harness| harness.get_by_label("Device A").click());
}

#[test]
fn about() {
    Picture::of(View::About).matches("about");
}

#[test]
fn about_at_another_rate() {
    let mut picture = light(Picture::of(View::About));
    picture.view_model.stream.rate_hz = 44.1e3;
    picture.view_model.latency = Some(Latency::new(2, LatencyMode::Safe, &Plan::new(44.1e3).unwrap()));
    picture.matches("about_resampling");
}

#[test]
fn audio_of_the_standalone() {
    let mut picture = Picture::of(View::Audio);
    picture.view_model.audio = Some(fixtures::audio());
    picture.matches("audio");
}

#[test]
fn a_notice() {
    let mut picture = comparing();
    picture.view_model.notice = Some(Notice {
        text: "Measurements saved to Documents/Tacet/measurements 1.csv".into(),
        is_error: false,
    });
    picture.matches("devices_notice");
}

#[test]
fn a_fault_of_the_standalone() {
    let mut picture = Picture::default();
    picture.view_model.audio = Some(fixtures::audio());
    picture.view_model.fault =
        Some("The audio device or its server is gone. Tacet begins again as soon as it is back.".into());
    picture.matches("denoise_fault");
}

#[test]
fn a_narrow_window() {
    Picture { size: [600.0, 500.0], ..Picture::default() }.matches("denoise_narrow");
}

#[test]
fn a_narrow_window_with_the_drawer() {
    let mut picture = Picture { size: [340.0, 520.0], ..Picture::default() };
    picture.settings.advanced = true;
    picture.matches("denoise_narrow_advanced");
}
