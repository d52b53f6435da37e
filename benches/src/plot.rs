//! Curves as an SVG picture, for the benches' documentation.

use std::path::Path;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 52.0;
/// One per curve, distinct for people with colour blindness as well.
const COLOURS: [&str; 4] = ["#2f6fd0", "#d07a1f", "#7a7a7a", "#2a8a4a"];
/// Lines across.
const N_TICKS: usize = 5;

/// A curve: its name and its points, both coordinates positive.
pub struct Curve {
    /// Label in the legend.
    pub name: String,
    /// `(x, y)` with rising `x`.
    pub points: Vec<(f64, f64)>,
}

/// Curves over a logarithmic x axis with a mark at every x of the first one; y is linear from 0. Panics without a point.
pub fn svg(title: &str, x_label: &str, y_label: &str, curves: &[Curve]) -> String {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let (first, last) = all().fold((f64::MAX, 0f64), |(low, high), &(x, _)| (low.min(x), high.max(x)));
    let top = all().map(|&(_, y)| y).fold(0f64, f64::max) * 1.1;
    assert!(last > 0.0 && top > 0.0, "nothing to draw");
    let span = (last / first).ln().max(f64::MIN_POSITIVE);
    let x_of = |x: f64| LEFT + (WIDTH - LEFT - RIGHT) * (x / first).ln() / span;
    let y_of = |y: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / top;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"#333\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let mut add = |line: String| svg += &(line + "\n");
    let text = |x: f64, y: f64, anchor: &str, text: &str| {
        format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>")
    };
    add(text(LEFT, 20.0, "start", title));
    add(text(LEFT, TOP - 10.0, "start", y_label));
    add(text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12.0, "middle", x_label));
    for tick in 0..N_TICKS {
        let value = top * tick as f64 / N_TICKS as f64;
        let y = y_of(value);
        add(format!(
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>",
            WIDTH - RIGHT
        ));
        add(text(LEFT - 8.0, y + 4.0, "end", &format!("{value:.2}")));
    }
    for &(x, _) in curves.iter().take(1).flat_map(|curve| &curve.points) {
        add(text(x_of(x), HEIGHT - BOTTOM + 18.0, "middle", &x.to_string()));
    }
    for (curve, (n, colour)) in curves.iter().zip(COLOURS.iter().cycle().enumerate()) {
        let points: Vec<_> =
            curve.points.iter().map(|&(x, y)| format!("{:.1},{:.1}", x_of(x), y_of(y))).collect();
        add(format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        ));
        for &(x, y) in &curve.points {
            add(format!("<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{colour}\"/>", x_of(x), y_of(y)));
        }
        let y = TOP + 16.0 + 18.0 * n as f64;
        add(format!(
            "<rect x=\"{}\" y=\"{}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>",
            WIDTH - 230.0,
            y - 6.0
        ));
        add(text(WIDTH - 210.0, y, "start", &curve.name));
    }
    svg + "</svg>\n"
}

/// Writes a picture as `NAME.svg` into `bench` of the target directory, beside `tmp`, and says where it is.
pub fn save(tmp: &str, name: &str, picture: &str) {
    let path = Path::new(tmp).join(format!("../bench/{name}.svg"));
    let written =
        path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, picture));
    match written {
        Ok(()) => println!("The picture is target/bench/{name}.svg"),
        Err(error) => println!("{} cannot be written: {error}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_in_the_picture_and_the_largest_is_highest() {
        let curve = Curve { name: "exact".into(), points: vec![(1.0, 0.3), (8.0, 0.1), (96.0, 0.2)] };
        let svg = svg("Cost", "streams", "share", &[curve]);
        let heights: Vec<f64> =
            svg.split("cy=\"").skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect();
        assert_eq!(heights.len(), 3);
        assert!(heights.iter().all(|y| (TOP..=HEIGHT - BOTTOM).contains(y)), "{heights:?}");
        assert!(heights[0] < heights[2] && heights[2] < heights[1], "{heights:?}");
        assert!(svg.contains(">exact<") && svg.contains(">96<") && svg.ends_with("</svg>\n"));
    }
}
