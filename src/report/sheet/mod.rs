//! A4 sheets: blocks come in one after the other and find their place, then everything is painted.
//!
//! Promises: nothing runs into a margin or over another block, a heading never stands alone at the foot of a
//! sheet, a table's head comes again on each of its sheets; each piece of content hangs in the tree of
//! structure in reading order (ISO 32000-1 §14.8), and what only decorates is marked so. Leaves what is said
//! to its callers.

mod font;
mod paint;
mod table;

use std::num::NonZeroU16;

use krilla::image::Image;
use krilla::tagging::{ListNumbering, Tag, TagKind};

pub use font::{Face, Faces};
pub use paint::{Error, Paper};
pub use table::Column;

use crate::frame::Orientation;

/// ISO 216 A4, in points.
const PAGE: [f32; 2] = [595.28, 841.89];
const LEFT: f32 = 62.0;
const TOP: f32 = 74.0;
const BOTTOM: f32 = 776.0;
/// The width of the text.
pub const WIDTH: f32 = PAGE[0] - 2.0 * LEFT;
const LEADING: f32 = 1.42;
/// The size of what is read.
pub const BODY: f32 = 9.6;
/// The size of remarks and tables.
pub const SMALL: f32 = 8.2;
const SPACE: f32 = 5.0;

/// Black, for what is read.
pub const BLACK: u8 = 0;
/// Grey, for labels and remarks; contrast with white 7 : 1.
pub const GREY: u8 = 85;
/// For thin lines.
const RULE: u8 = 165;

/// Where a piece of content stands: in the tree, or as decoration.
enum Owner {
    Node { node: usize, slot: usize },
    Decoration,
}

struct Piece {
    owner: Owner,
    marks: Vec<Mark>,
}

enum Mark {
    Text {
        x: f32,
        y: f32,
        face: Face,
        size: f32,
        grey: u8,
        text: String,
    },
    Rule {
        from: [f32; 2],
        to: [f32; 2],
        width: f32,
        grey: u8,
    },
    Picture {
        picture: usize,
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        turn: Orientation,
    },
}

enum Child {
    Node(usize),
    Piece,
}

struct Node {
    tag: TagKind,
    children: Vec<Child>,
}

/// A document that is being set.
pub struct Sheets {
    faces: Faces,
    pages: Vec<Vec<Piece>>,
    nodes: Vec<Node>,
    open: Vec<usize>,
    pictures: Vec<Image>,
    outline: Vec<(String, usize, f32)>,
    y: f32,
}

/// How a text is set.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// The face.
    pub face: Face,
    /// In points.
    pub size: f32,
    /// 0 is black.
    pub grey: u8,
}

impl Style {
    /// What is read.
    pub const BODY: Self = Self {
        face: Face::Text,
        size: BODY,
        grey: BLACK,
    };
    /// What counts.
    pub const STRONG: Self = Self {
        face: Face::Bold,
        size: BODY,
        grey: BLACK,
    };
    /// A remark.
    pub const REMARK: Self = Self {
        face: Face::Italic,
        size: SMALL,
        grey: GREY,
    };
    /// Small print.
    pub const SMALL: Self = Self {
        face: Face::Text,
        size: SMALL,
        grey: BLACK,
    };

    fn leading(self) -> f32 {
        self.size * LEADING
    }
}

/// How lines stand in their column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// At the left.
    Left,
    /// In the middle.
    Middle,
    /// At the right.
    Right,
}

impl Sheets {
    /// An empty document; none if the fonts are damaged.
    pub fn new() -> Option<Self> {
        Some(Self {
            faces: Faces::load()?,
            pages: vec![Vec::new()],
            nodes: Vec::new(),
            open: Vec::new(),
            pictures: Vec::new(),
            outline: Vec::new(),
            y: TOP,
        })
    }

    /// A heading of the document itself.
    pub fn title(&mut self, text: &str) {
        self.within(heading(1, text), |sheets| {
            let style = Style {
                face: Face::Bold,
                size: 17.0,
                grey: BLACK,
            };
            sheets.lines(text, style, LEFT, WIDTH, Align::Middle);
        });
        self.skip(2.0);
    }

    /// A section's heading: never the last of its sheet.
    pub fn heading(&mut self, text: &str) {
        self.skip(9.0);
        self.need(70.0);
        self.outline.push((text.to_owned(), self.pages.len() - 1, self.y));
        self.within(heading(2, text), |sheets| {
            let style = Style {
                face: Face::Bold,
                size: 11.4,
                grey: BLACK,
            };
            sheets.lines(text, style, LEFT, WIDTH, Align::Left);
        });
        self.skip(1.5);
        self.rule(LEFT, PAGE[0] - LEFT, 0.6);
        self.skip(SPACE);
    }

    /// A heading within a section.
    pub fn subheading(&mut self, text: &str) {
        self.skip(3.0);
        self.need(52.0);
        self.within(heading(3, text), |sheets| {
            sheets.lines(
                text,
                Style {
                    size: 10.0,
                    ..Style::STRONG
                },
                LEFT,
                WIDTH,
                Align::Left,
            );
        });
        self.skip(2.0);
    }

    /// A paragraph; line ends in the text are kept.
    pub fn paragraph(&mut self, text: &str, style: Style, align: Align) {
        for part in text.split("\n\n").filter(|part| !part.trim().is_empty()) {
            self.within(Tag::P.into(), |sheets| {
                sheets.lines(part, style, LEFT, WIDTH, align)
            });
            self.skip(SPACE);
        }
    }

    /// Lines that belong together, one paragraph each; one that says nothing is left out.
    pub fn block(&mut self, lines: &[(&str, Style)], align: Align) {
        for (text, style) in lines.iter().filter(|(text, _)| !text.trim().is_empty()) {
            self.within(Tag::P.into(), |sheets| {
                sheets.lines(text, *style, LEFT, WIDTH, align)
            });
        }
    }

    /// Room to sign by hand.
    pub fn signatures(&mut self, who: [&str; 3]) {
        const HEIGHT: f32 = 86.0;
        self.skip(8.0);
        self.need(HEIGHT);
        let (y, width) = (self.y, WIDTH / who.len() as f32);
        for (nth, name) in who.into_iter().enumerate() {
            self.y = y;
            let x = LEFT + nth as f32 * width;
            let style = Style {
                size: 9.0,
                ..Style::STRONG
            };
            self.within(Tag::P.into(), |sheets| {
                sheets.lines(name, style, x, width - 12.0, Align::Left)
            });
            self.y = y + HEIGHT - 12.0;
            self.rule(x, x + width - 16.0, 0.4);
        }
        self.y = y + HEIGHT;
    }

    /// A paragraph with a bar at its left: what must not be read over.
    pub fn notice(&mut self, text: &str) {
        let style = Style::BODY;
        let count = self
            .faces
            .lines(
                style.face,
                style.size,
                &self.legible(style.face, text),
                WIDTH - 16.0,
            )
            .len();
        self.need((count as f32 * style.leading()).min(BOTTOM - TOP));
        let (page, top) = (self.pages.len(), self.y);
        self.within(Tag::P.into(), |sheets| {
            sheets.lines(text, style, LEFT + 16.0, WIDTH - 16.0, Align::Left)
        });
        if page == self.pages.len() {
            let (from, to) = ([LEFT + 4.0, top + 1.0], [LEFT + 4.0, self.y]);
            self.decorate(Mark::Rule {
                from,
                to,
                width: 2.2,
                grey: GREY,
            });
        }
        self.skip(SPACE);
    }

    /// A list with dashes, as French has it.
    pub fn list(&mut self, items: &[String], style: Style) {
        self.within(Tag::L(ListNumbering::None).into(), |sheets| {
            for item in items {
                sheets.item(item, style);
            }
        });
        self.skip(SPACE);
    }

    fn item(&mut self, item: &str, style: Style) {
        self.need(style.leading());
        self.within(Tag::LI.into(), |sheets| {
            let y = sheets.y;
            sheets.within(Tag::Lbl.into(), |sheets| {
                sheets.lines("–", style, LEFT + 4.0, 12.0, Align::Left);
            });
            sheets.y = y;
            sheets.within(Tag::LBody.into(), |sheets| {
                sheets.lines(item, style, LEFT + 18.0, WIDTH - 18.0, Align::Left);
            });
        });
        self.skip(1.0);
    }

    /// A picture with its caption, at most as large as told, upright. They stay together.
    pub fn figure(
        &mut self,
        image: Image,
        turn: Orientation,
        most: [f32; 2],
        alt: &str,
        caption: &[(String, Style)],
    ) {
        let (width, height) = fitted(&image, turn, most);
        let captions: f32 = caption.iter().map(|(_, style)| style.leading()).sum();
        self.need(height + captions + 14.0);
        let (x, y) = (LEFT + (WIDTH - width) / 2.0, self.y);
        self.picture(image, turn, [x, y, width, height], alt);
        self.y = y + height + 4.0;
        for (line, style) in caption {
            self.within(Tag::Caption.into(), |sheets| {
                sheets.lines(line, *style, LEFT, WIDTH, Align::Left)
            });
        }
        self.skip(10.0);
    }

    /// A picture in a box of this place and size.
    fn picture(&mut self, image: Image, turn: Orientation, [x, y, width, height]: [f32; 4], alt: &str) {
        self.pictures.push(image);
        let picture = self.pictures.len() - 1;
        self.within(Tag::Figure(Some(alt.to_owned())).into(), |sheets| {
            sheets.put(vec![Mark::Picture {
                picture,
                x,
                y,
                width,
                height,
                turn,
            }]);
        });
    }

    /// Small pictures, three in a row, each with a line below.
    pub fn contact_sheet(&mut self, pictures: Vec<(Image, Orientation, String, String)>) {
        const COLUMNS: usize = 3;
        const GAP: f32 = 10.0;
        let width = (WIDTH - GAP * (COLUMNS - 1) as f32) / COLUMNS as f32;
        let style = Style {
            size: 7.4,
            ..Style::SMALL
        };
        let mut pictures = pictures.into_iter().peekable();
        while pictures.peek().is_some() {
            let row: Vec<_> = pictures.by_ref().take(COLUMNS).collect();
            let sizes: Vec<_> = row
                .iter()
                .map(|(image, turn, ..)| fitted(image, *turn, [width, 130.0]))
                .collect();
            let height = sizes.iter().map(|size| size.1).fold(0.0, f32::max);
            self.need(height + 2.0 * style.leading() + 10.0);
            let y = self.y;
            for (nth, ((image, turn, alt, line), size)) in row.into_iter().zip(sizes).enumerate() {
                let x = LEFT + nth as f32 * (width + GAP);
                self.picture(image, turn, [x, y, size.0, size.1], &alt);
                self.y = y + height + 2.0;
                self.within(Tag::Caption.into(), |sheets| {
                    sheets.lines(&line, style, x, width, Align::Left)
                });
            }
            self.y = y + height + 2.0 * style.leading() + 10.0;
        }
    }

    /// Blank space, but not at the head of a sheet.
    pub fn skip(&mut self, points: f32) {
        if self.y > TOP {
            self.y += points;
        }
    }

    /// Begins another sheet if less than this is left of this one.
    pub fn need(&mut self, points: f32) {
        if self.y + points > BOTTOM && self.y > TOP {
            self.pages.push(Vec::new());
            self.y = TOP;
        }
    }

    /// Begins another sheet, unless this one is empty.
    pub fn next_sheet(&mut self) {
        self.need(f32::INFINITY);
    }

    /// A line across.
    fn rule(&mut self, from: f32, to: f32, width: f32) {
        let (from, to) = ([from, self.y], [to, self.y]);
        self.decorate(Mark::Rule {
            from,
            to,
            width,
            grey: RULE,
        });
    }

    fn legible(&self, face: Face, text: &str) -> String {
        let set = super::french::set(text);
        let lines: Vec<_> = set
            .split('\n')
            .map(|line| self.faces.legible(face, line))
            .collect();
        lines.join("\n")
    }

    /// Lines in the open node, over as many sheets as it takes.
    fn lines(&mut self, text: &str, style: Style, x: f32, width: f32, align: Align) {
        let text = self.legible(style.face, text);
        for line in self.faces.lines(style.face, style.size, &text, width) {
            self.need(style.leading());
            let y = self.y;
            self.line(line, style, [x, y, width], align);
            self.y += style.leading();
        }
    }

    /// One line whose top is at `y`; a blank one leaves nothing.
    fn line(&mut self, text: String, style: Style, [x, y, width]: [f32; 3], align: Align) {
        if text.trim().is_empty() {
            return;
        }
        let free = width - self.faces.width(style.face, style.size, &text);
        let x = x + match align {
            Align::Left => 0.0,
            Align::Middle => free / 2.0,
            Align::Right => free,
        };
        // A word at the end of a line is followed by one at the head of the next, and not by a letter.
        let text = format!("{text} ");
        let (y, Style { face, size, grey }) = (y + style.size * 1.08, style);
        self.put(vec![Mark::Text {
            x,
            y,
            face,
            size,
            grey,
            text,
        }]);
    }

    /// Opens a node, fills it, closes it.
    fn within(&mut self, tag: TagKind, fill: impl FnOnce(&mut Self)) {
        let node = self.nodes.len();
        self.nodes.push(Node {
            tag,
            children: Vec::new(),
        });
        if let Some(&parent) = self.open.last() {
            self.nodes[parent].children.push(Child::Node(node));
        }
        self.open.push(node);
        fill(self);
        self.open.pop();
    }

    /// Content of the open node; decoration where none is open.
    fn put(&mut self, marks: Vec<Mark>) {
        let owner = match self.open.last() {
            Some(&node) => {
                let children = &mut self.nodes[node].children;
                children.push(Child::Piece);
                Owner::Node {
                    node,
                    slot: children.len() - 1,
                }
            }
            None => Owner::Decoration,
        };
        if let Some(page) = self.pages.last_mut() {
            page.push(Piece { owner, marks });
        }
    }

    fn decorate(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(Piece {
                owner: Owner::Decoration,
                marks: vec![mark],
            });
        }
    }
}

fn heading(level: u16, text: &str) -> TagKind {
    Tag::Hn(
        NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN),
        Some(text.to_owned()),
    )
    .into()
}

/// The size of an upright picture within a box.
fn fitted(image: &Image, turn: Orientation, most: [f32; 2]) -> (f32, f32) {
    let (width, height) = image.size();
    let (width, height) = match turn.swaps() {
        true => (height, width),
        false => (width, height),
    };
    let (width, height) = (width.max(1) as f32, height.max(1) as f32);
    let scale = (most[0] / width).min(most[1] / height);
    (width * scale, height * scale)
}
