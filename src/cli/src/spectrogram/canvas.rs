//! Pixels and text. Text is rasterised by ab_glyph, in the font that the panel embeds too.

use ab_glyph::{Font as _, FontRef, PxScale, ScaleFont as _, point};
use anyhow::{Context as _, Result};

use super::colour::Rgb;

/// The point of a text that its position names, horizontally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Its left end.
    Left,
    /// Its middle.
    Centre,
    /// Its right end.
    Right,
}

/// An RGB picture.
pub struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
    font: FontRef<'static>,
}

impl Canvas {
    /// A canvas filled with `background`.
    ///
    /// # Errors
    /// The embedded font cannot be read.
    pub fn new((width, height): (u32, u32), background: Rgb) -> Result<Self> {
        let font = FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT).context("embedded font")?;
        let pixels = background.repeat((width * height) as usize);
        Ok(Self { width, height, pixels, font })
    }

    /// Sets a pixel; outside the canvas nothing happens.
    pub fn set(&mut self, x: u32, y: u32, colour: Rgb) {
        if x < self.width && y < self.height {
            let at = ((y * self.width + x) * 3) as usize;
            self.pixels[at..at + 3].copy_from_slice(&colour);
        }
    }

    /// Fills a rectangle.
    pub fn fill(&mut self, (x, y): (u32, u32), (width, height): (u32, u32), colour: Rgb) {
        for row in y..y + height {
            for column in x..x + width {
                self.set(column, row, colour);
            }
        }
    }

    /// Draws a line of text whose capitals are vertically centred on `y`. Returns its width in pixels.
    pub fn text(&mut self, (x, y): (u32, u32), align: Align, size: f32, colour: Rgb, text: &str) -> f32 {
        let font = self.font.clone();
        let scaled = font.as_scaled(PxScale::from(size));
        let advance = |c: char| scaled.h_advance(scaled.glyph_id(c));
        let width: f32 = text.chars().map(advance).sum();
        let mut left = x as f32
            - match align {
                Align::Left => 0.0,
                Align::Centre => width / 2.0,
                Align::Right => width,
            };
        // Capitals and digits of the usual fonts are about 0.7 em high; ab_glyph's size is ascent to descent.
        let capital = 0.62 * size;
        let baseline = y as f32 + capital / 2.0;
        for c in text.chars() {
            let glyph = scaled.glyph_id(c).with_scale_and_position(size, point(left, baseline));
            left += advance(c);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let bounds = outline.px_bounds();
            outline.draw(|dx, dy, coverage| {
                let (x, y) = (bounds.min.x + dx as f32, bounds.min.y + dy as f32);
                if x >= 0.0 && y >= 0.0 {
                    self.blend(x as u32, y as u32, colour, coverage);
                }
            });
        }
        width
    }

    fn blend(&mut self, x: u32, y: u32, colour: Rgb, coverage: f32) {
        if x < self.width && y < self.height {
            let at = ((y * self.width + x) * 3) as usize;
            for (pixel, part) in self.pixels[at..at + 3].iter_mut().zip(colour) {
                let mixed =
                    f32::from(*pixel) + (f32::from(part) - f32::from(*pixel)) * coverage.clamp(0.0, 1.0);
                *pixel = mixed.round() as u8;
            }
        }
    }

    /// The picture as PNG.
    ///
    /// # Errors
    /// Errors of the encoder.
    pub fn png(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns and rows that hold anything but the background.
    fn inked(canvas: &Canvas) -> (Vec<u32>, Vec<u32>) {
        let ink = |x: u32, y: u32| canvas.pixels[((y * canvas.width + x) * 3) as usize] > 40;
        let columns = (0..canvas.width).filter(|&x| (0..canvas.height).any(|y| ink(x, y))).collect();
        let rows = (0..canvas.height).filter(|&y| (0..canvas.width).any(|x| ink(x, y))).collect();
        (columns, rows)
    }

    #[test]
    fn text_stands_at_its_position() {
        for (align, part_left) in [(Align::Left, 0.0), (Align::Centre, 0.5), (Align::Right, 1.0)] {
            let mut canvas = Canvas::new((200, 60), [0; 3]).unwrap();
            let width = canvas.text((100, 30), align, 20.0, [255; 3], "0H8");
            assert!((20.0..40.0).contains(&width), "{width}");
            let (columns, rows) = inked(&canvas);
            let left = 100.0 - part_left * width;
            // Glyphs have a pixel or two of air at their sides.
            assert!((columns[0] as f32 - left).abs() <= 3.0, "{columns:?}");
            assert!((columns[columns.len() - 1] as f32 - left - width).abs() <= 3.0, "{columns:?}");
            let middle = (rows[0] + rows[rows.len() - 1]) as f32 / 2.0;
            assert!((middle - 30.0).abs() <= 1.5, "{rows:?}");
        }
    }

    #[test]
    fn shapes_outside_are_cut_off() {
        let mut canvas = Canvas::new((20, 10), [0; 3]).unwrap();
        canvas.text((0, 0), Align::Centre, 40.0, [255; 3], "much too large");
        canvas.fill((15, 5), (100, 100), [9; 3]);
        assert_eq!(canvas.pixels.len(), 600);
    }
}
