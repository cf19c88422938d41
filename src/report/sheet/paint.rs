//! Paints the sheets as PDF/A-2a and PDF/UA-1 (ISO 19005-2, ISO 14289-1), as far as the writer checks them.

use krilla::color::rgb;
use krilla::configure::{Accessibility, Archival, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::error::KrillaError;
use krilla::geom::{PathBuilder, Point, Size, Transform};
use krilla::metadata::{DateTime as PdfTime, Metadata};
use krilla::num::NormalizedF32;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, Node as TagNode, SpanTag, TagGroup, TagTree,
};
use krilla::{Document, SerializeSettings};

use super::{Child, Face, GREY, LEFT, Mark, Owner, PAGE, Piece, Sheets};
use crate::frame::{BoxTime, Orientation};

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The fonts in the program are damaged.
    #[error("the fonts of the documents are damaged")]
    Fonts,
    /// An image is no JPEG that a PDF can hold.
    #[error("image {0} cannot stand in a PDF: {1}")]
    Image(u32, String),
    /// The writer's own checks (PDF/A-2a, PDF/UA-1) failed.
    #[error("the PDF does not hold what PDF/A asks for: {0}")]
    Form(String),
}

impl From<KrillaError> for Error {
    fn from(error: KrillaError) -> Self {
        Self::Form(format!("{error:?}"))
    }
}

/// What stands on every sheet, and what the file says of itself.
#[derive(Debug, Clone)]
pub struct Paper {
    /// The document's title.
    pub title: String,
    /// Whose it is.
    pub author: String,
    /// At the head of each sheet but the first.
    pub head: String,
    /// At the foot of each sheet, at the left.
    pub foot: String,
    /// Across each sheet: `BROUILLON`.
    pub watermark: Option<&'static str>,
    /// When it was drawn up.
    pub drawn: BoxTime,
}

impl Sheets {
    /// Paints everything.
    pub fn painted(self, paper: &Paper) -> Result<Vec<u8>, Error> {
        let configuration = ConfigurationBuilder::new()
            .with_archival_validator(Archival::A2_A)
            .with_accessibility_validator(Accessibility::UA1)
            .finish()
            .map_err(|_| Error::Form("PDF/A-2a and PDF/UA-1 exclude each other".to_owned()))?;
        let mut document = Document::new_with(SerializeSettings {
            configuration,
            enable_tagging: true,
            ..SerializeSettings::default()
        });
        let mut identifiers: Vec<Vec<Option<Identifier>>> = self
            .nodes
            .iter()
            .map(|node| vec![None; node.children.len()])
            .collect();
        let total = self.pages.len();
        for (nth, pieces) in self.pages.iter().enumerate() {
            let settings = PageSettings::from_wh(PAGE[0], PAGE[1])
                .ok_or_else(|| Error::Form("a sheet without a size".to_owned()))?;
            let mut page = document.start_page_with(settings);
            let mut surface = page.surface();
            self.frame(&mut surface, paper, nth, total);
            for piece in pieces {
                let identifier = self.piece(&mut surface, piece);
                if let Owner::Node { node, slot } = piece.owner {
                    identifiers[node][slot] = Some(identifier);
                }
            }
            surface.finish();
            page.finish();
        }
        document.set_tag_tree(self.tree(&identifiers));
        document.set_outline(self.outlined());
        document.set_metadata(told(paper));
        Ok(document.finish()?)
    }

    /// Head, foot and watermark.
    fn frame(&self, surface: &mut Surface<'_>, paper: &Paper, nth: usize, total: usize) {
        if let Some(text) = paper.watermark {
            decorated(surface, ArtifactType::Watermark, |surface| {
                self.watermark(surface, text)
            });
        }
        if nth > 0 {
            decorated(surface, ArtifactType::Header, |surface| {
                self.text(surface, [LEFT, 46.0], Face::Text, 8.0, GREY, &paper.head);
                line(surface, [LEFT, 52.0], [PAGE[0] - LEFT, 52.0], 0.4, 165);
            });
        }
        decorated(surface, ArtifactType::Footer, |surface| {
            let page = format!("page {} / {total}", nth + 1);
            let x = PAGE[0] - LEFT - self.faces.width(Face::Text, 8.0, &page);
            line(surface, [LEFT, 792.0], [PAGE[0] - LEFT, 792.0], 0.4, 165);
            self.text(surface, [LEFT, 804.0], Face::Text, 8.0, GREY, &paper.foot);
            self.text(surface, [x, 804.0], Face::Text, 8.0, GREY, &page);
        });
    }

    fn watermark(&self, surface: &mut Surface<'_>, text: &str) {
        const SIZE: f32 = 96.0;
        let width = self.faces.width(Face::Bold, SIZE, text);
        let middle = Transform::from_translate(PAGE[0] / 2.0, PAGE[1] / 2.0);
        surface.push_transform(&middle);
        surface.push_transform(&Transform::from_rotate(-52.0));
        self.text(surface, [-width / 2.0, SIZE / 3.0], Face::Bold, SIZE, 228, text);
        surface.pop();
        surface.pop();
    }

    fn piece(&self, surface: &mut Surface<'_>, piece: &Piece) -> Identifier {
        let is_text = piece.marks.iter().all(|mark| matches!(mark, Mark::Text { .. }));
        let identifier = surface.start_tagged(match piece.owner {
            Owner::Decoration => ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)),
            Owner::Node { .. } if is_text => ContentTag::Span(SpanTag::empty()),
            Owner::Node { .. } => ContentTag::Other,
        });
        for mark in &piece.marks {
            self.mark(surface, mark);
        }
        surface.end_tagged();
        identifier
    }

    fn mark(&self, surface: &mut Surface<'_>, mark: &Mark) {
        match mark {
            Mark::Text {
                x,
                y,
                face,
                size,
                grey,
                text,
            } => self.text(surface, [*x, *y], *face, *size, *grey, text),
            Mark::Rule {
                from,
                to,
                width,
                grey,
            } => line(surface, *from, *to, *width, *grey),
            Mark::Picture {
                picture,
                x,
                y,
                width,
                height,
                turn,
            } => {
                let (along, across) = match turn.swaps() {
                    true => (*height, *width),
                    false => (*width, *height),
                };
                let Some(size) = Size::from_wh(along, across) else {
                    return;
                };
                surface.push_transform(&Transform::from_translate(*x, *y));
                surface.push_transform(&turned(*turn, [*width, *height]));
                surface.draw_image(self.pictures[*picture].clone(), size);
                surface.pop();
                surface.pop();
            }
        }
    }

    fn text(&self, surface: &mut Surface<'_>, [x, y]: [f32; 2], face: Face, size: f32, grey: u8, text: &str) {
        let text = self.faces.legible(face, text);
        surface.set_fill(Some(ink(grey)));
        surface.set_stroke(None);
        let glyphs = self.faces.glyphs(face, &text);
        surface.draw_glyphs(
            Point::from_xy(x, y),
            &glyphs,
            self.faces.font(face),
            &text,
            size,
            false,
        );
    }

    fn tree(&self, identifiers: &[Vec<Option<Identifier>>]) -> TagTree {
        let mut is_child = vec![false; self.nodes.len()];
        for node in &self.nodes {
            for child in &node.children {
                if let Child::Node(child) = child {
                    is_child[*child] = true;
                }
            }
        }
        let mut tree = TagTree::new().with_lang(Some("fr-FR".to_owned()));
        for root in (0..self.nodes.len()).filter(|node| !is_child[*node]) {
            tree.push(self.group(root, identifiers));
        }
        tree
    }

    fn group(&self, node: usize, identifiers: &[Vec<Option<Identifier>>]) -> TagGroup {
        let mut group = TagGroup::new(self.nodes[node].tag.clone());
        for (child, identifier) in self.nodes[node].children.iter().zip(&identifiers[node]) {
            match (child, identifier) {
                (Child::Node(child), _) => group.push(TagNode::Group(self.group(*child, identifiers))),
                (Child::Piece, Some(identifier)) => group.push(TagNode::Leaf(*identifier)),
                (Child::Piece, None) => {}
            }
        }
        group
    }

    fn outlined(&self) -> Outline {
        let mut outline = Outline::new();
        for (text, page, y) in &self.outline {
            let to = XyzDestination::new(*page, Point::from_xy(LEFT, y - 10.0));
            outline.push_child(OutlineNode::new(text.clone(), to));
        }
        outline
    }
}

fn told(paper: &Paper) -> Metadata {
    let part = |value: i8| value.unsigned_abs();
    let time = paper.drawn.0.to_zoned(jiff::tz::TimeZone::UTC);
    let drawn = PdfTime::new(time.year().unsigned_abs())
        .month(part(time.month()))
        .day(part(time.day()))
        .hour(part(time.hour()))
        .minute(part(time.minute()))
        .second(part(time.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    Metadata::new()
        .title(paper.title.clone())
        .authors(vec![paper.author.clone()])
        .creator(format!("vigie {}", env!("CARGO_PKG_VERSION")))
        .language("fr-FR".to_owned())
        .creation_date(drawn)
        .document_id(format!("{} {}", paper.foot, paper.drawn))
}

fn decorated(surface: &mut Surface<'_>, kind: ArtifactType, draw: impl FnOnce(&mut Surface<'_>)) {
    surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(kind)));
    draw(surface);
    surface.end_tagged();
}

fn line(surface: &mut Surface<'_>, from: [f32; 2], to: [f32; 2], width: f32, grey: u8) {
    let mut path = PathBuilder::new();
    path.move_to(from[0], from[1]);
    path.line_to(to[0], to[1]);
    let Some(path) = path.finish() else { return };
    surface.set_fill(None);
    surface.set_stroke(Some(Stroke {
        paint: colour(grey).into(),
        width,
        ..Stroke::default()
    }));
    surface.draw_path(&path);
}

fn ink(grey: u8) -> Fill {
    Fill {
        paint: colour(grey).into(),
        opacity: NormalizedF32::ONE,
        rule: Default::default(),
    }
}

fn colour(grey: u8) -> rgb::Color {
    rgb::Color::new(grey, grey, grey)
}

/// From a stored picture, drawn from the origin, to the upright one of this size (EXIF 2.32, tag 0x0112).
fn turned(turn: Orientation, [width, height]: [f32; 2]) -> Transform {
    let [a, b, c, d, e, f] = match u16::from(turn) {
        2 => [-1.0, 0.0, 0.0, 1.0, width, 0.0],
        3 => [-1.0, 0.0, 0.0, -1.0, width, height],
        4 => [1.0, 0.0, 0.0, -1.0, 0.0, height],
        5 => [0.0, 1.0, 1.0, 0.0, 0.0, 0.0],
        6 => [0.0, 1.0, -1.0, 0.0, width, 0.0],
        7 => [0.0, -1.0, -1.0, 0.0, width, height],
        8 => [0.0, -1.0, 1.0, 0.0, 0.0, height],
        _ => [1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
    };
    Transform::from_row(a, b, c, d, e, f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameSize, Region};

    #[test]
    fn a_picture_is_painted_upright_in_all_eight_orientations() {
        let stored = FrameSize {
            width: 40,
            height: 30,
        };
        let corner = Region {
            x: 1,
            y: 2,
            width: 3,
            height: 5,
        };
        for tag in 1..=8 {
            let turn = Orientation::try_from(tag).expect("1 to 8");
            let upright = turn.turned(stored);
            let by = turned(turn, [upright.width as f32, upright.height as f32]);
            let at = |x: u32, y: u32| {
                let (x, y) = (x as f32, y as f32);
                [
                    by.sx() * x + by.kx() * y + by.tx(),
                    by.ky() * x + by.sy() * y + by.ty(),
                ]
            };
            let ends = [
                at(corner.x, corner.y),
                at(corner.x + corner.width, corner.y + corner.height),
            ];
            let low = |axis: usize| ends[0][axis].min(ends[1][axis]) as u32;
            let expected = turn.region_to_upright(corner, stored);
            assert_eq!([low(0), low(1)], [expected.x, expected.y], "orientation {tag}");
        }
    }
}
