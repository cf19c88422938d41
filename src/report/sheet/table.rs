//! Tables: facts in two columns, and rows under heads.

use krilla::tagging::{TableHeaderScope, Tag};

use super::{Align, BOTTOM, Face, GREY, LEFT, SMALL, SPACE, Sheets, Style, WIDTH};

/// Where the values of facts begin.
const VALUES: f32 = 154.0;
const PADDING: f32 = 3.0;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// What stands over it.
    pub head: &'static str,
    /// Its share of the width.
    pub share: f32,
    /// How its lines stand.
    pub align: Align,
}

impl Sheets {
    /// Facts, each with its name at the left. One that is not told is left out.
    pub fn facts(&mut self, facts: &[(&str, String)]) {
        let told = facts.iter().filter(|(_, value)| !value.trim().is_empty());
        let told: Vec<_> = told.collect();
        if told.is_empty() {
            return;
        }
        self.within(Tag::Table.into(), |sheets| {
            for (name, value) in told {
                sheets.fact(name, value);
            }
        });
        self.skip(SPACE);
    }

    fn fact(&mut self, name: &str, value: &str) {
        let label = Style {
            grey: GREY,
            ..Style::BODY
        };
        let names = self.broken(name, label, VALUES - 10.0);
        let body = self.unbroken(value, Style::BODY, WIDTH - VALUES);
        let values = self.broken(value, body, WIDTH - VALUES);
        self.within(Tag::TR.into(), |sheets| {
            let head = [LEFT, VALUES - 10.0];
            let rest = [LEFT + VALUES, WIDTH - VALUES];
            let rows = [
                (names, label, head, Align::Left),
                (values, body, rest, Align::Left),
            ];
            sheets.row(rows, Style::BODY.leading(), true);
        });
        self.skip(1.5);
    }

    /// Rows under heads, which come again on each sheet.
    pub fn table(&mut self, columns: &[Column], rows: &[Vec<String>]) {
        self.need(60.0);
        let style = Style {
            size: SMALL,
            ..Style::BODY
        };
        self.within(Tag::Table.into(), |sheets| {
            sheets.within(Tag::TR.into(), |sheets| sheets.heads(columns));
            for row in rows {
                let cells: Vec<_> = placed(columns)
                    .zip(row)
                    .map(|((column, place), text)| {
                        (sheets.broken(text, style, place[1]), style, place, column.align)
                    })
                    .collect();
                let tallest = cells.iter().map(|cell| cell.0.len()).max().unwrap_or(1);
                if sheets.y + tallest as f32 * style.leading() > BOTTOM {
                    sheets.next_sheet();
                    sheets.heads_again(columns);
                }
                sheets.within(Tag::TR.into(), |sheets| sheets.row(cells, style.leading(), false));
                sheets.skip(PADDING / 2.0);
                sheets.rule(LEFT, LEFT + WIDTH, 0.3);
                sheets.skip(PADDING / 2.0);
            }
        });
        self.skip(SPACE);
    }

    fn heads(&mut self, columns: &[Column]) {
        let style = Style {
            face: Face::Bold,
            size: SMALL,
            grey: GREY,
        };
        let y = self.y;
        for (column, [x, width]) in placed(columns) {
            self.y = y;
            self.within(Tag::TH(TableHeaderScope::Column).into(), |sheets| {
                sheets.lines(column.head, style, x, width, column.align);
            });
        }
        self.y = y + style.leading();
        self.skip(1.0);
        self.rule(LEFT, LEFT + WIDTH, 0.6);
        self.skip(PADDING);
    }

    /// The heads once more, which a screen reader need not hear twice.
    fn heads_again(&mut self, columns: &[Column]) {
        let open = std::mem::take(&mut self.open);
        let style = Style {
            face: Face::Bold,
            size: SMALL,
            grey: GREY,
        };
        let y = self.y;
        for (column, [x, width]) in placed(columns) {
            let head = self.legible(style.face, column.head);
            self.line(head, style, [x, y, width], column.align);
        }
        self.y = y + style.leading() + 1.0;
        self.rule(LEFT, LEFT + WIDTH, 0.6);
        self.y += PADDING;
        self.open = open;
    }

    /// A style in which no word of the text, such as a fingerprint, need be broken; within reason.
    fn unbroken(&self, text: &str, style: Style, width: f32) -> Style {
        let widest = text
            .split_whitespace()
            .map(|word| self.faces.width(style.face, style.size, word));
        let widest = widest.fold(0.0, f32::max);
        match widest > width {
            true => Style {
                size: (style.size * width / widest - 0.05).max(7.0),
                ..style
            },
            false => style,
        }
    }

    fn broken(&self, text: &str, style: Style, width: f32) -> Vec<String> {
        let text = self.legible(style.face, text);
        self.faces.lines(style.face, style.size, &text, width)
    }

    /// Cells side by side, line by line, over as many sheets as it takes; the first one may be a head.
    fn row(
        &mut self,
        cells: impl IntoIterator<Item = (Vec<String>, Style, [f32; 2], Align)>,
        leading: f32,
        headed: bool,
    ) {
        let cells: Vec<_> = cells.into_iter().collect();
        let tallest = cells.iter().map(|cell| cell.0.len()).max().unwrap_or(0);
        // A short row is not torn apart.
        if tallest <= 8 {
            self.need(tallest as f32 * leading);
        }
        let first = self.pages.len() - 1;
        let start = self.y;
        let mut end = (first, start);
        for (nth, (lines, style, [x, width], align)) in cells.into_iter().enumerate() {
            let tag = match headed && nth == 0 {
                true => Tag::TH(TableHeaderScope::Row).into(),
                false => Tag::TD.into(),
            };
            self.within(tag, |sheets| {
                let (mut page, mut y) = (first, start);
                for line in lines {
                    if y + leading > BOTTOM {
                        page += 1;
                        y = super::TOP;
                    }
                    sheets.on(page, |sheets| sheets.line(line, style, [x, y, width], align));
                    y += leading;
                }
                end = match page.cmp(&end.0) {
                    std::cmp::Ordering::Greater => (page, y),
                    std::cmp::Ordering::Equal => (page, y.max(end.1)),
                    std::cmp::Ordering::Less => end,
                };
            });
        }
        self.y = end.1;
    }

    /// Puts something on a sheet that need not be the last; makes it if it is the next one.
    fn on(&mut self, page: usize, put: impl FnOnce(&mut Self)) {
        while self.pages.len() <= page {
            self.pages.push(Vec::new());
        }
        let later = self.pages.split_off(page + 1);
        put(self);
        self.pages.extend(later);
    }
}

/// Columns with place and width.
fn placed(columns: &[Column]) -> impl Iterator<Item = (&Column, [f32; 2])> {
    const GAP: f32 = 8.0;
    let mut x = LEFT;
    columns.iter().map(move |column| {
        let width = column.share * WIDTH;
        let is_last = x + width > LEFT + WIDTH - GAP;
        let place = [x, if is_last { width } else { width - GAP }];
        x += width;
        (column, place)
    })
}
