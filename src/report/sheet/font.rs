//! The three faces of the documents, and how wide a text is in them. Pure.

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::charmap::Charmap;
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::{FontRef, MetadataProvider as _};

/// A face of Open Sans (fonts/ATTRIBUTION.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// For what is read.
    Text,
    /// For headings, labels and what counts.
    Bold,
    /// For remarks.
    Italic,
}

/// Stands for a sign that the font does not have: nothing is left out without a trace.
const UNKNOWN: char = '\u{fffd}';

static DATA: [&[u8]; 3] = [
    include_bytes!("../fonts/OpenSans-Regular.ttf"),
    include_bytes!("../fonts/OpenSans-Bold.ttf"),
    include_bytes!("../fonts/OpenSans-Italic.ttf"),
];

/// The faces, read once per document.
pub struct Faces([Loaded; 3]);

struct Loaded {
    font: Font,
    signs: Charmap<'static>,
    widths: GlyphMetrics<'static>,
    per_em: f32,
}

impl Faces {
    /// Reads the fonts; none if they are damaged, which the tests would show.
    pub fn load() -> Option<Self> {
        let [text, bold, italic] = DATA.map(Loaded::of);
        Some(Self([text?, bold?, italic?]))
    }

    fn of(&self, face: Face) -> &Loaded {
        &self.0[face as usize]
    }

    /// The face, for the writer.
    pub fn font(&self, face: Face) -> Font {
        self.of(face).font.clone()
    }

    /// The text with only such signs as the face has.
    pub fn legible(&self, face: Face, text: &str) -> String {
        let signs = &self.of(face).signs;
        let legible = |sign: char| match signs.map(sign) {
            Some(_) => sign,
            None if sign.is_whitespace() || sign.is_control() => ' ',
            None => UNKNOWN,
        };
        text.chars().map(legible).collect()
    }

    /// How wide a text is, in points.
    pub fn width(&self, face: Face, size: f32, text: &str) -> f32 {
        text.chars()
            .map(|sign| self.of(face).advance(sign).1)
            .sum::<f32>()
            * size
    }

    /// The glyphs of a text. What is measured is what is drawn.
    pub fn glyphs(&self, face: Face, text: &str) -> Vec<KrillaGlyph> {
        let loaded = self.of(face);
        let glyph = |(at, sign): (usize, char)| {
            let (id, advance) = loaded.advance(sign);
            let range = at..at + sign.len_utf8();
            KrillaGlyph::new(GlyphId::new(id), advance, 0.0, 0.0, 0.0, range, None)
        };
        text.char_indices().map(glyph).collect()
    }

    /// Breaks a text at its blanks, and a word that is longer than a line anywhere, into lines of at most `width`
    /// points; at least one line. Line ends of the text are kept.
    pub fn lines(&self, face: Face, size: f32, text: &str, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        for paragraph in text.split('\n') {
            let mut line = String::new();
            for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
                let longer = match line.is_empty() {
                    true => word.to_owned(),
                    false => format!("{line} {word}"),
                };
                if self.width(face, size, &longer) <= width {
                    line = longer;
                    continue;
                }
                if !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                }
                line = self.broken(face, size, word, width, &mut lines);
            }
            lines.push(line);
        }
        lines
    }

    /// Breaks one word; its last piece is given back.
    fn broken(&self, face: Face, size: f32, word: &str, width: f32, lines: &mut Vec<String>) -> String {
        let mut piece = String::new();
        for sign in word.chars() {
            piece.push(sign);
            if self.width(face, size, &piece) > width && piece.chars().count() > 1 {
                piece.pop();
                lines.push(std::mem::replace(&mut piece, sign.to_string()));
            }
        }
        piece
    }
}

impl Loaded {
    fn of(data: &'static [u8]) -> Option<Self> {
        let read = FontRef::new(data).ok()?;
        let font = Font::new(data.to_vec().into(), 0)?;
        Some(Self {
            per_em: font.units_per_em(),
            font,
            signs: read.charmap(),
            widths: read.glyph_metrics(Size::unscaled(), LocationRef::default()),
        })
    }

    /// The glyph of a sign, and its advance in shares of the size.
    fn advance(&self, sign: char) -> (u32, f32) {
        let glyph = self.signs.map(sign).or_else(|| self.signs.map(UNKNOWN));
        let Some(glyph) = glyph else { return (0, 0.0) };
        let advance = self.widths.advance_width(glyph).unwrap_or_default();
        (glyph.to_u32(), advance / self.per_em)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faces_have_every_sign_of_french_and_none_is_left_out_silently() {
        let faces = Faces::load().expect("sound fonts");
        let signs = "ÀÂÆÇÉÈÊËÎÏÔŒÙÛÜŸàâæçéèêëîïôœùûüÿ«»’“”–—…€°²³§n°½×\u{a0}";
        for face in [Face::Text, Face::Bold, Face::Italic] {
            assert_eq!(faces.legible(face, signs), signs);
            assert_eq!(faces.legible(face, "a\t日"), format!("a {UNKNOWN}"));
        }
    }

    #[test]
    fn lines_are_never_wider_than_the_column_and_lose_nothing() {
        let faces = Faces::load().expect("sound fonts");
        let text = format!("Le véhicule est arrivé à 22 h 05. {} fin", "f".repeat(120));
        let lines = faces.lines(Face::Text, 10.0, &text, 140.0);
        for line in &lines {
            assert!(faces.width(Face::Text, 10.0, line) <= 140.0, "{line}");
        }
        let joined: String = lines.concat().split(' ').collect();
        assert_eq!(joined, text.split(' ').collect::<String>());
        assert_eq!(faces.lines(Face::Text, 10.0, "", 140.0), [""]);
        assert_eq!(faces.lines(Face::Text, 10.0, "a\n\nb", 140.0), ["a", "", "b"]);
    }
}
