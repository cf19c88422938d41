//! Long lists, a page at a time.

use super::Visit;

/// Rows on a page.
pub const PAGE: usize = 100;

/// Which page of a list is shown.
#[derive(Debug, Clone, Copy)]
pub struct Pager {
    /// Rows of the list.
    pub total: usize,
    /// The page, from 1.
    pub page: usize,
    /// How many pages there are.
    pub pages: usize,
    /// Where the list is.
    pub list: &'static str,
}

impl Pager {
    /// The page of `list` that is asked for, or the nearest that there is.
    pub fn of(visit: &Visit, list: &'static str, total: usize) -> Self {
        let pages = total.div_ceil(PAGE).max(1);
        let page = visit.query("page").and_then(|page| page.parse().ok());
        Self {
            total,
            page: page.unwrap_or(1).clamp(1, pages),
            pages,
            list,
        }
    }

    /// Rows before the page.
    pub const fn first(&self) -> usize {
        (self.page - 1) * PAGE
    }

    /// What of all rows is on the page.
    pub fn cut<T>(&self, rows: Vec<T>) -> impl Iterator<Item = T> {
        rows.into_iter().skip(self.first()).take(PAGE)
    }
}
