//! Colours, type sizes and their installation into egui.
//!
//! One quiet surface; colour carries meaning only: green is slot A, on, healthy; blue is slot B and output; amber warns;
//! red is a missed deadline or clipping. Text has three greys: value, label, hint. Every text colour has a contrast of at
//! least 4.5:1 (WCAG 2.2, AA) on every surface it is drawn on; a test computes it.

use std::io::Read as _;
use std::sync::{Arc, OnceLock};

use egui::epaint::RectShape;
use egui::{Color32, CornerRadius, FontData, FontDefinitions, FontFamily, Rect, Stroke, StrokeKind, vec2};
use flate2::read::ZlibDecoder;
use serde::{Deserialize, Serialize};

/// The variant of the colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Appearance {
    /// For dark rooms.
    #[default]
    Dark,
    /// For bright rooms.
    Light,
}

impl Appearance {
    /// Its colours.
    pub fn theme(self) -> &'static Theme {
        match self {
            Self::Dark => &DARK,
            Self::Light => &LIGHT,
        }
    }
}

/// A colour with a meaning: for shapes, and for text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Role {
    /// Fills and lines.
    pub fill: Color32,
    /// Text on any surface.
    pub text: Color32,
    /// Background of a selected or filled control.
    pub wash: Color32,
}

/// The colours by what they are for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Theme {
    /// Behind everything.
    pub window: Color32,
    /// Header and footer.
    pub bar: Color32,
    /// Cards, popups and tooltips.
    pub card: Color32,
    /// Buttons, pickers and switches.
    pub control: Color32,
    /// The same under the pointer.
    pub hovered: Color32,
    /// Lines around and between.
    pub border: Color32,
    /// Empty part of a knob's arc, a meter or a bar.
    pub groove: Color32,
    /// Knob caps.
    pub cap: Color32,
    /// Pointer of a knob, strong lines.
    pub mark: Color32,
    /// Values.
    pub value: Color32,
    /// Labels of values.
    pub label: Color32,
    /// Secondary text.
    pub hint: Color32,
    /// Slot A, on, healthy.
    pub green: Role,
    /// Slot B, output.
    pub blue: Role,
    /// A warning.
    pub amber: Role,
    /// A missed deadline, clipping.
    pub red: Role,
}

impl Theme {
    /// The surface of a card.
    pub(crate) fn card_shape(&self, rect: Rect) -> RectShape {
        RectShape::new(rect, CARD_RADIUS, self.card, Stroke::new(1.0, self.border), StrokeKind::Inside)
    }
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// For dark rooms.
pub(crate) const DARK: Theme = Theme {
    window: rgb(0x15171b),
    bar: rgb(0x1a1d22),
    card: rgb(0x1b1e23),
    control: rgb(0x23272d),
    hovered: rgb(0x2c3138),
    border: rgb(0x2e333a),
    groove: rgb(0x2a2e35),
    cap: rgb(0x212429),
    mark: rgb(0xf2f3f5),
    value: rgb(0xf2f3f5),
    label: rgb(0xb3b9c1),
    hint: rgb(0x979ea8),
    green: Role { fill: rgb(0x5ad7a3), text: rgb(0x5ad7a3), wash: rgb(0x22513f) },
    blue: Role { fill: rgb(0x8b9cf9), text: rgb(0xa5b2ff), wash: rgb(0x323a6b) },
    amber: Role { fill: rgb(0xe9b44c), text: rgb(0xf0c674), wash: rgb(0x3a2f17) },
    red: Role { fill: rgb(0xe5675b), text: rgb(0xff8a7d), wash: rgb(0x44211e) },
};

/// For bright rooms.
pub(crate) const LIGHT: Theme = Theme {
    window: rgb(0xf1f2f4),
    bar: rgb(0xfafbfc),
    card: rgb(0xffffff),
    control: rgb(0xe9ebee),
    hovered: rgb(0xdfe2e6),
    border: rgb(0xd3d7dc),
    groove: rgb(0xdadde2),
    cap: rgb(0xffffff),
    mark: rgb(0x1b1e23),
    value: rgb(0x16181c),
    label: rgb(0x434951),
    hint: rgb(0x565d67),
    green: Role { fill: rgb(0x1a9666), text: rgb(0x04613d), wash: rgb(0xc6ecdb) },
    blue: Role { fill: rgb(0x5b6ee1), text: rgb(0x3443b0), wash: rgb(0xd9defb) },
    amber: Role { fill: rgb(0xd19a1e), text: rgb(0x6f4b00), wash: rgb(0xfaeac6) },
    red: Role { fill: rgb(0xd4473a), text: rgb(0xa32418), wash: rgb(0xfadbd7) },
};

/// Behind labels on a spectrogram, in both appearances: the colours of sound stay the same.
pub(crate) const PLATE: Color32 = Color32::from_rgba_premultiplied(8, 8, 11, 190);
/// Text on a [`PLATE`].
pub(crate) const ON_PLATE: Color32 = rgb(0xf2f3f5);

/// Type sizes in points: hints and axes.
pub(crate) const SMALL: f32 = 11.0;
/// Labels and controls.
pub(crate) const BODY: f32 = 12.0;
/// Values.
pub const VALUE: f32 = 13.0;
/// The one big value.
pub(crate) const BIG: f32 = 23.0;

/// Corner radius of controls, points.
pub(crate) const RADIUS: u8 = 6;
/// Corner radius of cards, points.
pub(crate) const CARD_RADIUS: u8 = 8;

/// Puts fonts and colours into egui; once per window, and when the appearance changes.
pub fn install(ctx: &egui::Context, appearance: Appearance) {
    let base = match appearance {
        Appearance::Dark => egui::Theme::Dark,
        Appearance::Light => egui::Theme::Light,
    };
    let theme = appearance.theme();
    ctx.set_theme(base);
    ctx.all_styles_mut(|style| style_with(style, theme));
}

/// Puts the fonts into egui; once per window, before its first pass.
///
/// Inter alone, in its variable form: it has every sign the panel writes, and all weights in one file.
pub fn install_fonts(ctx: &egui::Context) {
    let mut fonts = FontDefinitions::empty();
    fonts.font_data.insert("Inter".into(), Arc::new(FontData::from_static(typeface())));
    for family in [FontFamily::Proportional, FontFamily::Monospace] {
        fonts.families.insert(family, vec!["Inter".into()]);
    }
    ctx.set_fonts(fonts);
}

/// Inter, decompressed by the first window of the process: 0.8 MB.
fn typeface() -> &'static [u8] {
    static INTER: OnceLock<Vec<u8>> = OnceLock::new();
    INTER.get_or_init(|| {
        let mut inter = Vec::new();
        let mut compressed = ZlibDecoder::new(&include_bytes!(concat!(env!("OUT_DIR"), "/inter.zlib"))[..]);
        compressed.read_to_end(&mut inter).expect("the build script wrote it");
        inter
    })
}

fn style_with(style: &mut egui::Style, theme: &Theme) {
    for (text_style, font) in &mut style.text_styles {
        font.size = match text_style {
            egui::TextStyle::Small => SMALL,
            egui::TextStyle::Heading => VALUE,
            _ => BODY,
        };
    }
    style.spacing.item_spacing = vec2(8.0, 6.0);
    style.spacing.button_padding = vec2(8.0, 4.0);
    style.spacing.tooltip_width = 300.0;
    style.spacing.menu_margin = egui::Margin::same(6);
    // Seen before the pointer comes near: the only sign that there is more.
    style.spacing.scroll =
        egui::style::ScrollStyle { dormant_handle_opacity: 0.6, ..egui::style::ScrollStyle::floating() };
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.5;

    let visuals = &mut style.visuals;
    visuals.override_text_color = Some(theme.label);
    visuals.panel_fill = theme.window;
    visuals.window_fill = theme.card;
    visuals.window_stroke = Stroke::new(1.0, theme.border);
    visuals.extreme_bg_color = theme.window;
    visuals.text_edit_bg_color = Some(theme.window);
    visuals.faint_bg_color = theme.control;
    visuals.hyperlink_color = theme.blue.text;
    visuals.selection.bg_fill = theme.green.wash;
    visuals.selection.stroke = Stroke::new(1.0, theme.green.fill);
    visuals.menu_corner_radius = CornerRadius::same(RADIUS);
    visuals.window_corner_radius = CornerRadius::same(RADIUS);
    visuals.interact_cursor = None;
    let widgets = &mut visuals.widgets;
    for (state, fill) in [
        (&mut widgets.noninteractive, theme.card),
        (&mut widgets.inactive, theme.control),
        (&mut widgets.hovered, theme.hovered),
        (&mut widgets.active, theme.hovered),
        (&mut widgets.open, theme.hovered),
    ] {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::new(1.0, theme.border);
        state.fg_stroke = Stroke::new(1.0, theme.value);
        state.corner_radius = CornerRadius::same(RADIUS);
        state.expansion = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance after WCAG 2.2.
    fn luminance(colour: Color32) -> f32 {
        let linear = |channel: u8| {
            let c = f32::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
    }

    /// Contrast ratio after WCAG 2.2, 1..=21.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        assert!((contrast(Color32::WHITE, Color32::BLACK) - 21.0).abs() < 1e-4);
        // #767676 on white is the lightest grey that passes AA.
        assert!(contrast(rgb(0x767676), Color32::WHITE) >= 4.5);
        assert!(contrast(rgb(0x777777), Color32::WHITE) < 4.5);
    }

    #[test]
    fn every_text_can_be_read_on_every_surface() {
        for (name, theme) in [("dark", DARK), ("light", LIGHT)] {
            let surfaces = [
                ("window", theme.window),
                ("bar", theme.bar),
                ("card", theme.card),
                ("control", theme.control),
                ("hovered", theme.hovered),
            ];
            let texts = [
                ("value", theme.value),
                ("label", theme.label),
                ("hint", theme.hint),
                ("green", theme.green.text),
                ("blue", theme.blue.text),
                ("amber", theme.amber.text),
                ("red", theme.red.text),
            ];
            for (surface, below) in surfaces {
                for (text, colour) in texts {
                    let ratio = contrast(colour, below);
                    assert!(ratio >= 4.5, "{name}: {text} on {surface} has {ratio:.2}:1");
                }
            }
        }
    }

    #[test]
    fn text_on_a_wash_can_be_read() {
        for theme in [DARK, LIGHT] {
            for (wash, texts) in [
                (theme.green.wash, [theme.value, theme.value]),
                (theme.blue.wash, [theme.value, theme.value]),
                (theme.amber.wash, [theme.value, theme.amber.text]),
                (theme.red.wash, [theme.value, theme.red.text]),
            ] {
                for text in texts {
                    assert!(contrast(text, wash) >= 4.5, "{text:?} on {wash:?}: {}", contrast(text, wash));
                }
            }
        }
    }

    /// Graphics need 3:1 against what surrounds them (WCAG 2.2, 1.4.11).
    #[test]
    fn every_line_can_be_seen() {
        for (name, theme) in [("dark", DARK), ("light", LIGHT)] {
            for role in [theme.green, theme.blue, theme.amber, theme.red] {
                for below in [theme.window, theme.card] {
                    let ratio = contrast(role.fill, below);
                    // Light amber cannot reach it and stay amber; it never stands without its dark text.
                    assert!(ratio >= 3.0 || role == LIGHT.amber, "{name}: {:?} has {ratio:.2}:1", role.fill);
                }
            }
        }
    }

    #[test]
    fn labels_on_a_spectrogram_can_be_read_on_its_brightest_colour() {
        let brightest = super::super::colour::of(255);
        let alpha = f32::from(PLATE.a()) / 255.0;
        let over = |plate: u8, below: u8| (f32::from(plate) + f32::from(below) * (1.0 - alpha)) as u8;
        let [r, g, b] = [(PLATE.r(), brightest.r()), (PLATE.g(), brightest.g()), (PLATE.b(), brightest.b())]
            .map(|(p, c)| over(p, c));
        assert!(contrast(ON_PLATE, Color32::from_rgb(r, g, b)) >= 4.5);
    }
}
