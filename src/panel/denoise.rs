//! The main view: controls at the left, spectrograms, reduction and meters at the right.

use egui::{
    Align2, Color32, Rect, Role as Access, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, lerp, pos2, vec2,
};
use tacet_model::{LSNR_MAX_DB, LSNR_MIN_DB};

use super::{
    Cx, advanced, limits, spectrogram,
    text::{self, Ink, NBSP},
    theme::{self, Theme},
    trace::{COLUMNS_PER_S, MAX_REDUCTION_DB, N_COLUMNS},
    view_model::ViewModel,
    widgets::{bar, button, icon, knob, meter, readable, row, segmented},
};
use crate::parameters::ParamId;

/// Width of the left column, points.
const LEFT: f32 = 212.0;
/// Width of the unfolded advanced controls, points.
const ADVANCED: f32 = 220.0;
/// Space around and between, points.
const MARGIN: f32 = 16.0;
const GAP: f32 = 10.0;
/// Beside the spectrograms: their scale, then meters with theirs.
const HZ_SCALE: f32 = 30.0;
const METERS: f32 = 84.0;
/// Least width of the pictures with what is beside them: eight seconds must be distinct.
const PICTURES: f32 = 260.0;
/// Below: the time ruler.
const RULER: f32 = 22.0;

/// Draws the view.
pub fn view(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) {
    let theme = cx.theme;
    let mut x = rect.left();
    // If both do not fit beside the meters, the drawer takes the controls' place, and only the way back stays.
    let is_alone = cx.settings.advanced && rect.width() < LEFT + ADVANCED + MARGIN + METERS;
    if !is_alone {
        let left = Rect::from_min_size(rect.min, vec2(LEFT, rect.height()));
        column(ui, cx, left.shrink2(vec2(MARGIN, 0.0)));
        x = left.right();
        ui.painter().vline(x - 0.5, rect.y_range(), Stroke::new(1.0, theme.border));
    }
    if cx.settings.advanced {
        let at = Rect::from_min_size(pos2(x, rect.top()), vec2(ADVANCED, rect.height()));
        ui.painter().rect_filled(at, 0, theme.bar);
        advanced::drawer(ui, cx, at.shrink2(vec2(MARGIN, 0.0)));
        if is_alone {
            unfold(ui, cx, foot(at.shrink2(vec2(MARGIN, 0.0))));
        }
        x = at.right();
        ui.painter().vline(x - 0.5, rect.y_range(), Stroke::new(1.0, theme.border));
    }
    let right = Rect::from_min_max(pos2(x + MARGIN - 1.0, rect.top() + 12.0), rect.max - vec2(MARGIN, 8.0));
    if right.width() >= PICTURES {
        pictures(ui, cx, right);
    } else {
        let width = METERS.min(right.width());
        let at = Rect::from_min_size(right.min, vec2(width, right.height()));
        let middle = at.translate(vec2((right.width() - width) / 2.0, 0.0));
        meters(ui, cx, middle);
    }
}

/// The place of the button that unfolds and folds.
fn foot(column: Rect) -> Rect {
    Rect::from_min_max(
        pos2(column.left(), column.bottom() - 38.0),
        pos2(column.right(), column.bottom() - 10.0),
    )
}

/// How much, and what is heard.
fn column(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) {
    let theme = cx.theme;
    // The spare height of a high window goes between the groups.
    let spare = ((rect.height() - 412.0) / 5.0).clamp(0.0, 36.0);
    let mut rest = rect;
    rest.min.y += 16.0 + spare / 2.0;

    knob::big(ui, cx, ParamId::Limit, row(&mut rest, 170.0, 16.0 + spare));

    let knobs = row(&mut rest, 78.0, 14.0 + spare);
    let width = knobs.width() / 3.0;
    for (i, (id, origin, role)) in [
        (ParamId::Mix, 0.0, theme.green),
        (ParamId::PostFilter, 0.0, theme.green),
        (ParamId::OutputGain, cx.params.default_value(ParamId::OutputGain), theme.blue),
    ]
    .into_iter()
    .enumerate()
    {
        let at = Rect::from_min_size(knobs.min + vec2(width * i as f32, 0.0), vec2(width, knobs.height()));
        knob::small(ui, cx, id, at, origin, role);
    }

    let listen = row(&mut rest, 18.0 + segmented::HEIGHT, 14.0 + spare);
    segmented::label(ui, cx, listen.min, ParamId::Listen);
    let switch = Rect::from_min_max(listen.min + vec2(0.0, 18.0), listen.max);
    // Slots are chosen in the device view.
    segmented::some_of_param(ui, cx, switch, ParamId::Listen, 2);

    local_snr(ui, cx, row(&mut rest, 30.0, 10.0 + spare));
    unfold(ui, cx, foot(rect));
}

fn local_snr(ui: &Ui, cx: &Cx<'_>, rect: Rect) {
    let theme = cx.theme;
    let painter = ui.painter();
    let label = Ink::new(theme::SMALL, theme.hint);
    text::draw(painter, rect.left_top(), Align2::LEFT_TOP, "Local SNR", label);
    let shown =
        cx.view_model.lsnr_db.map_or_else(|| text::DASH.into(), |db| format!("{}{NBSP}dB", text::db(db)));
    let value = Ink::value(theme::BODY, theme.value);
    text::draw(painter, rect.right_top() - vec2(0.0, 1.0), Align2::RIGHT_TOP, &shown, value);
    let share = |db: f32| (db - LSNR_MIN_DB) / (LSNR_MAX_DB - LSNR_MIN_DB);
    let at = Rect::from_min_max(pos2(rect.left(), rect.top() + 20.0), pos2(rect.right(), rect.top() + 26.0));
    // Thresholds at the ends of the scale do nothing and would only clutter it.
    let marks: Vec<f32> = [ParamId::MinSnr, ParamId::MaxDf, ParamId::MaxErb]
        .into_iter()
        .map(|id| share(cx.params.number(id)))
        .filter(|share| *share > 0.0 && *share < 1.0)
        .collect();
    bar::reading(ui, theme, at, cx.view_model.lsnr_db.map_or(0.0, share), &marks);
    let response = readable(ui, rect, "local snr", Access::Meter, || format!("Local SNR: {shown}"));
    button::hint(
        response,
        cx,
        "Local SNR",
        "Current ratio of speech to noise as estimated by the network, −15 to 35 dB. Marks show the thresholds under Advanced.",
    );
}

/// The button that unfolds the advanced controls.
fn unfold(ui: &Ui, cx: &mut Cx<'_>, rect: Rect) {
    let theme = cx.theme;
    let open = cx.settings.advanced;
    let ink = Ink::new(theme::BODY, theme.label);
    let galley = text::line(ui.painter(), "Advanced", ink);
    let at = Rect::from_center_size(rect.center(), vec2(galley.size().x + 36.0, 26.0));
    let response = ui.interact(at, ui.scope_id().with("advanced"), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Access::DisclosureTriangle, true, open, "Advanced"));
    if response.hovered() {
        ui.painter().rect_filled(at, theme::RADIUS, theme.control);
    }
    text::place(ui.painter(), at.center() - vec2(7.0, 0.0), Align2::CENTER_CENTER, galley);
    let sign = if open { icon::folds } else { icon::unfolds };
    sign(ui.painter(), pos2(at.right() - 14.0, at.center().y + 0.5), theme.label);
    super::widgets::param::focus_ring(ui, cx, &response, at);
    if response.on_hover_cursor(egui::CursorIcon::PointingHand).clicked() {
        cx.settings.advanced = !open;
    }
}

/// Spectrograms, reduction and meters on one time axis.
fn pictures(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) {
    let theme = cx.theme;
    let axis = cx.settings.axis;
    cx.panel.input.update(ui.ctx(), &cx.view_model.trace, axis);
    cx.panel.output.update(ui.ctx(), &cx.view_model.trace, axis);

    let plots = Rect::from_min_max(rect.min, rect.max - vec2(HZ_SCALE + METERS, RULER));
    let reduction_height = (plots.height() * 0.17).clamp(48.0, 110.0);
    let height = ((plots.height() - reduction_height) / 2.0 - GAP).floor();
    let input = Rect::from_min_size(plots.min, vec2(plots.width(), height));
    let output = input.translate(vec2(0.0, height + GAP));
    let reduction = Rect::from_min_max(pos2(plots.left(), output.bottom() + GAP), plots.max);

    for (picture, at, name) in [(&cx.panel.input, input, "In"), (&cx.panel.output, output, "Out")] {
        picture.draw(ui, theme, at, name);
        picture.scale(ui, theme, at, at.right() + 7.0);
        let what = if name == "In" { "Input" } else { "Output" };
        let read = || format!("{what} spectrogram, last 8 seconds");
        readable(ui, at, (name, "spectrogram"), Access::Image, read);
    }
    limits::draw(ui, cx, output);
    if cx.view_model.trace.n_pushed() == 0 {
        let why = if cx.view_model.stream.is_active() {
            "Waiting for sound"
        } else {
            "The host has not started audio"
        };
        spectrogram::plate(ui, input.center(), Align2::CENTER_CENTER, why);
    }
    crosshair(ui, cx, [input, output], reduction);
    curve(ui, cx, reduction);
    ruler(ui, theme, plots.x_range(), plots.bottom());

    meters(ui, cx, Rect::from_min_max(pos2(rect.right() - METERS, rect.top()), rect.max));
}

/// Input and output level, at the right of the pictures or, where there is no room for them, alone.
fn meters(ui: &mut Ui, cx: &mut Cx<'_>, rect: Rect) {
    let theme = cx.theme;
    let top = rect.top();
    let bottom = rect.bottom() - RULER - 26.0;
    let left = rect.right() - METERS;
    let [in_bar, out_bar] = [left + 10.0, left + METERS - 18.0 - 2.0]
        .map(|x| Rect::from_min_max(pos2(x, top), pos2(x + 18.0, bottom)));
    meter::meter(ui, theme, in_bar, "Input", &mut cx.view_model.input);
    meter::meter(ui, theme, out_bar, "Output", &mut cx.view_model.output);
    meter::scale(ui, theme, in_bar, (in_bar.right() + out_bar.left()) / 2.0);
    meter::caption(ui, theme, in_bar.center().x, bottom + 6.0, "In", &cx.view_model.input);
    meter::caption(ui, theme, out_bar.center().x, bottom + 6.0, "Out", &cx.view_model.output);
}

/// Frequency and time under the pointer, in both pictures at once.
fn crosshair(ui: &Ui, cx: &Cx<'_>, pictures: [Rect; 2], reduction: Rect) {
    let Some(pointer) = ui.ctx().pointer_hover_pos().filter(|_| ui.ui_contains_pointer()) else { return };
    let Some(over) = pictures.iter().find(|rect| rect.contains(pointer)) else { return };
    let stroke = Stroke::new(1.0, Color32::from_white_alpha(90));
    let from_top = pointer.y - over.top();
    for rect in pictures {
        ui.painter().hline(rect.x_range(), rect.top() + from_top, stroke);
        ui.painter().vline(pointer.x, rect.y_range(), stroke);
    }
    ui.painter().vline(pointer.x, reduction.y_range(), Stroke::new(1.0, cx.theme.border));
    let hz = cx.panel.input.hz_at(*over, pointer.y);
    let ago_s = (over.right() - pointer.x) / over.width() * N_COLUMNS as f32 / COLUMNS_PER_S;
    let hz = if hz < 1e3 { format!("{hz:.0}{NBSP}Hz") } else { format!("{:.2}{NBSP}kHz", hz / 1e3) };
    let ago = text::signed(format!("{:.1}", -ago_s));
    spectrogram::plate(
        ui,
        over.right_bottom() - vec2(8.0, 7.0),
        Align2::RIGHT_BOTTOM,
        &format!("{hz} · {ago}{NBSP}s"),
    );
}

/// The reduction, hanging from the top, and the limit as a line.
fn curve(ui: &Ui, cx: &Cx<'_>, rect: Rect) {
    let theme = cx.theme;
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    painter.rect(rect, theme::RADIUS, theme.card, Stroke::new(1.0, theme.border), StrokeKind::Inside);
    let inside = rect.shrink2(vec2(1.0, 5.0));
    let y = |db: f32| lerp(inside.top()..=inside.bottom(), (db / MAX_REDUCTION_DB).clamp(0.0, 1.0));
    for db in [10.0, 20.0, 30.0] {
        painter.hline(inside.x_range(), y(db), Stroke::new(1.0, theme.border.gamma_multiply(0.6)));
    }
    if cx.view_model.trace.n_pushed() > 0 {
        let points = outline(&cx.view_model.trace, inside, y);
        hanging(&painter, &points, inside.top(), theme.green.fill.gamma_multiply(0.22));
        painter.add(Shape::line(points, Stroke::new(1.4, theme.green.fill)));
    }
    let limit_db = cx.params.number(ParamId::Limit);
    if limit_db < MAX_REDUCTION_DB {
        let ends = [pos2(inside.left(), y(limit_db)), pos2(inside.right(), y(limit_db))];
        painter.extend(Shape::dashed_line(&ends, Stroke::new(1.0, theme.hint), 4.0, 4.0));
    }
    reading(&painter, cx, rect);
    for (db, number) in [(0.0, "0"), (20.0, "−20"), (40.0, "−40")] {
        let at = pos2(rect.right() + 7.0, y(db));
        text::draw(ui.painter(), at, Align2::LEFT_CENTER, number, Ink::new(10.0, theme.hint));
    }
    let response = readable(ui, rect, "reduction", Access::Meter, || spoken_reduction(cx.view_model));
    button::hint(response, cx, "Reduction", "Reduction of each hop in dB. The dashed line is the limit.");
}

/// The reduction as a number, on a ground of its own: the curve passes behind it.
fn reading(painter: &egui::Painter, cx: &Cx<'_>, rect: Rect) {
    let theme = cx.theme;
    let hint = Ink::new(theme::SMALL, theme.hint).tabular();
    let mut job = text::job(painter, "Reduction  ", hint);
    let shown = match cx.view_model.trace.n_pushed() {
        0 => text::DASH.to_owned(),
        _ => format!("{}{NBSP}dB", text::db(cx.view_model.trace.reduction_db())),
    };
    text::append(painter, &mut job, &shown, Ink { colour: theme.value, ..hint });
    let galley = painter.layout_job(job);
    let at = Align2::LEFT_BOTTOM.anchor_size(rect.left_bottom() + vec2(10.0, -6.0), galley.size());
    painter.rect_filled(at.expand2(vec2(4.0, 1.0)), 3, theme.card);
    text::place(painter, at.min, Align2::LEFT_TOP, galley);
}

fn spoken_reduction(shown: &ViewModel) -> String {
    format!("Reduction: {} dB", text::db(shown.trace.reduction_db()))
}

/// The curve with a point per pixel or so: more would only cost.
fn outline(trace: &super::trace::Trace, rect: Rect, y: impl Fn(f32) -> f32) -> Vec<egui::Pos2> {
    let n_points = (rect.width() as usize).clamp(2, N_COLUMNS);
    let mut sums = vec![(0.0, 0); n_points];
    for (i, db) in trace.reductions_db().enumerate() {
        let point = &mut sums[i * n_points / N_COLUMNS];
        *point = (point.0 + db, point.1 + 1);
    }
    let x = |i: usize| lerp(rect.left()..=rect.right(), i as f32 / (n_points - 1) as f32);
    sums.iter().enumerate().map(|(i, &(sum, n))| pos2(x(i), y(sum / n.max(1) as f32))).collect()
}

/// The area between the curve and the top.
fn hanging(painter: &egui::Painter, points: &[egui::Pos2], top: f32, colour: Color32) {
    let mut mesh = egui::Mesh::default();
    for (i, point) in points.iter().enumerate() {
        mesh.colored_vertex(pos2(point.x, top), colour);
        mesh.colored_vertex(*point, colour);
        if i > 0 {
            let at = 2 * i as u32;
            mesh.add_triangle(at - 2, at - 1, at);
            mesh.add_triangle(at - 1, at, at + 1);
        }
    }
    painter.add(Shape::mesh(mesh));
}

/// Seconds before now.
fn ruler(ui: &Ui, theme: &Theme, x_range: egui::Rangef, top: f32) {
    let seconds = (N_COLUMNS as f32 / COLUMNS_PER_S) as i32;
    for ago in (0..=seconds).step_by(2) {
        let x = lerp(x_range, 1.0 - ago as f32 / seconds as f32);
        let (align, shown) = match ago {
            0 => (Align2::RIGHT_TOP, "now".to_owned()),
            _ if ago == seconds => (Align2::LEFT_TOP, format!("−{ago}{NBSP}s")),
            _ => (Align2::CENTER_TOP, format!("−{ago}")),
        };
        text::draw(ui.painter(), pos2(x, top + 7.0), align, &shown, Ink::new(theme::SMALL, theme.hint));
    }
}
