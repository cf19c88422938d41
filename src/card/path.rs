//! A file's path on its card: relative, without `..`, in bytes that need not be UTF-8, and the order in
//! which cameras number their files.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use super::Error;

/// A path below a card's root. Ordered as a camera writes: folder by folder, `IMG_9` before `IMG_10`.
/// `Display` is for humans and records: what is no UTF-8 becomes U+FFFD, control characters are escaped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CardPath(PathBuf);

impl CardPath {
    /// Checks that it stays below the root.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let below = path.components().all(|part| matches!(part, Component::Normal(_)));
        // `components` drops inner dots and doubled or trailing slashes, which would make two names of one file.
        let canonical = path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
        let nul = path.as_os_str().as_bytes().contains(&0);
        if below && canonical && !nul && path.file_name().is_some() {
            Ok(Self(path))
        } else {
            Err(Error::NotBelow(path))
        }
    }

    /// From the bytes of [`CardPath::as_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::new(OsStr::from_bytes(bytes))
    }

    /// Its bytes, which need not be UTF-8: what a record keeps to find the file again.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_os_str().as_bytes()
    }

    /// As a relative path.
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// The folder it lies in, relative to the root; empty for the root itself.
    pub fn folder(&self) -> &Path {
        self.0.parent().unwrap_or(Path::new(""))
    }

    /// Its last name.
    pub fn name(&self) -> &OsStr {
        self.0.file_name().unwrap_or_default()
    }
}

impl fmt::Display for CardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_string_lossy().chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

impl Ord for CardPath {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (self.folder().iter(), other.folder().iter());
        loop {
            return match (a.next(), b.next()) {
                (Some(x), Some(y)) => match natural(x.as_bytes(), y.as_bytes()) {
                    Ordering::Equal => continue,
                    order => order,
                },
                (None, None) => natural(self.name().as_bytes(), other.name().as_bytes()),
                (x, y) => x.is_some().cmp(&y.is_some()),
            };
        }
    }
}

impl PartialOrd for CardPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Runs of digits by value, letters without regard to case; names that still tie, by their bytes.
fn natural(a: &[u8], b: &[u8]) -> Ordering {
    let (mut x, mut y) = (a, b);
    loop {
        let order = match (x.first(), y.first()) {
            (None, None) => return a.cmp(b),
            (Some(p), Some(q)) if p.is_ascii_digit() && q.is_ascii_digit() => {
                let (m, n) = (number(&mut x), number(&mut y));
                m.len().cmp(&n.len()).then_with(|| m.cmp(n))
            }
            (Some(p), Some(q)) => {
                (x, y) = (&x[1..], &y[1..]);
                p.to_ascii_uppercase().cmp(&q.to_ascii_uppercase())
            }
            (p, q) => p.is_some().cmp(&q.is_some()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Takes the leading digits off `text` and returns them without their leading zeros: of two such, the
/// longer one is the greater number, however long.
fn number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text
        .iter()
        .position(|c| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    let zeros = digits.iter().take_while(|&&c| c == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> CardPath {
        CardPath::new(text).expect("below")
    }

    #[test]
    fn a_card_path_stays_below_the_root_and_is_the_only_name_of_its_file() {
        for bad in [
            "",
            ".",
            "..",
            "/etc/passwd",
            "DCIM/../../x",
            "./x",
            "a/./b",
            "a//b",
            "a/",
            "a\0b",
        ] {
            assert!(CardPath::new(bad).is_err(), "{bad:?}");
        }
        let odd = CardPath::from_bytes(b"DCIM/\xff\n.JPG").expect("bytes");
        assert_eq!(odd.to_string(), "DCIM/\u{fffd}\\n.JPG");
        assert_eq!(CardPath::from_bytes(odd.as_bytes()).expect("again"), odd);
    }

    #[test]
    fn files_come_in_the_order_in_which_the_camera_wrote_them() {
        let written = [
            "IMG_1.JPG",
            "DCIM/100MEDIA/IMG_9.JPG",
            "DCIM/100MEDIA/IMG_0010.JPG",
            "DCIM/100MEDIA/IMG_10.JPG",
            "DCIM/100MEDIA/img_11.jpg",
            "DCIM/100MEDIA/IMG_99999999999999999999999.JPG",
            "DCIM/100MEDIA/later/IMG_1.JPG",
            "DCIM/101MEDIA/IMG_1.JPG",
            "DCIM/1000MEDIA/IMG_1.JPG",
        ];
        let mut sorted: Vec<_> = written.iter().rev().map(|text| path(text)).collect();
        sorted.sort();
        let sorted: Vec<_> = sorted.iter().map(ToString::to_string).collect();
        assert_eq!(sorted, written);
    }

    proptest! {
        #[test]
        fn the_order_is_total(names in proptest::collection::vec("[aB01]{1,5}(/[aB01]{1,3})?", 3)) {
            let [a, b, c] = [0, 1, 2].map(|i| path(&names[i]));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
            if a < b && b < c {
                prop_assert!(a < c);
            }
        }
    }
}
