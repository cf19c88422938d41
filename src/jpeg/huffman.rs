//! Huffman codes as a JPEG defines them (ITU-T T.81 B.2.4.2, Annex C), to read with and to write with.
//!
//! Promises: a [`Code`] exists only if its lengths fit into 16 bits (C.2), so every look-up ends in a
//! symbol or in "no such code". Leaves what symbols mean to the walks and the writers.

use super::Error;

/// What a table codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Sizes of DC differences.
    Dc,
    /// Runs and sizes of AC coefficients.
    Ac,
}

/// One Huffman table: how many codes of each length, and their symbols in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    lengths: [u8; 16],
    symbols: Vec<u8>,
}

/// A code word: its bits, right-aligned, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// The bits.
    pub bits: u16,
    /// 1 to 16.
    pub length: u8,
}

/// One look-up of 16 bits: the code's length in the high byte (0: there is no such code), its symbol in
/// the low one.
pub type LookUp = Vec<u16>;

impl Code {
    /// A table of `lengths[i]` codes of length i + 1; none if there are more codes than fit, or not one
    /// symbol for each.
    pub fn new(lengths: [u8; 16], symbols: &[u8]) -> Option<Self> {
        let count: usize = lengths.iter().map(|&n| usize::from(n)).sum();
        let room: u32 = (1..=16)
            .zip(lengths)
            .map(|(length, n)| u32::from(n) << (16 - length))
            .sum();
        (count == symbols.len() && room <= 1 << 16).then(|| Self {
            lengths,
            symbols: symbols.to_vec(),
        })
    }

    /// The tables of one DHT segment whose marker stands at byte `at`: class, name (0 to 3), code.
    pub fn read_all(mut payload: &[u8], at: usize) -> Result<Vec<(Class, usize, Self)>, Error> {
        let corrupt = Error::Corrupt {
            at,
            what: "a Huffman table that is none",
        };
        let mut tables = Vec::new();
        while let Some((&class_and_name, rest)) = payload.split_first() {
            let (lengths, rest) = rest.split_first_chunk::<16>().ok_or(corrupt.clone())?;
            let count = lengths.iter().map(|&n| usize::from(n)).sum();
            let (symbols, rest) = rest.split_at_checked(count).ok_or(corrupt.clone())?;
            let code = Self::new(*lengths, symbols).ok_or(corrupt.clone())?;
            let class = match class_and_name >> 4 {
                0 => Class::Dc,
                1 => Class::Ac,
                _ => return Err(corrupt),
            };
            let name = usize::from(class_and_name & 15);
            if name > 3 {
                return Err(corrupt);
            }
            tables.push((class, name, code));
            payload = rest;
        }
        Ok(tables)
    }

    /// Its symbols, those of the shortest words first.
    pub fn symbols(&self) -> &[u8] {
        &self.symbols
    }

    /// With words for these symbols too, every word that there was unchanged; none if there is no room.
    /// New words are longer than all others, and the one of 1-bits alone stays unused (C.2).
    pub fn extended(&self, symbols: &[u8]) -> Option<Self> {
        let lengths = (1u32..).zip(self.lengths);
        let taken: u32 = lengths.clone().map(|(l, n)| u32::from(n) << (16 - l)).sum();
        let longest = lengths.filter(|(_, n)| *n > 0).map(|(l, _)| l).max().unwrap_or(1);
        let more = symbols.len() as u32;
        let length = (longest..=16).find(|length| taken + (more << (16 - length)) < 1 << 16)?;
        let mut extended = self.clone();
        let count = &mut extended.lengths[length as usize - 1];
        *count = count.checked_add(u8::try_from(more).ok()?)?;
        extended.symbols.extend_from_slice(symbols);
        Some(extended)
    }

    /// With words for these symbols too, at the price of one bit more for every word that has not 16:
    /// that frees half of all words. None if there are more symbols than a table can name.
    pub fn loosened(&self, symbols: &[u8]) -> Option<Self> {
        let mut loosened = self.clone();
        loosened.lengths.copy_within(0..15, 1);
        loosened.lengths[0] = 0;
        loosened.lengths[15] = self.lengths[14].checked_add(self.lengths[15])?;
        loosened.extended(symbols)
    }

    /// As in a DHT segment: 16 counts, then the symbols.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.lengths);
        out.extend_from_slice(&self.symbols);
    }

    /// For reading: the symbol of every 16 bits. Codes in order of length (C.2), each filling the
    /// entries that begin with it.
    pub fn look_up(&self) -> LookUp {
        let mut table = Vec::with_capacity(1 << 16);
        for (symbol, word) in self.words() {
            let entries = 1 << (16 - word.length);
            table.resize(
                table.len() + entries,
                u16::from(word.length) << 8 | u16::from(symbol),
            );
        }
        table.resize(1 << 16, 0);
        table
    }

    /// The symbol whose code these 16 bits begin with, and the code's length; none if no code does. For
    /// rare codes: it needs no table, but a step for each length.
    pub fn first(&self, bits: u16) -> Option<(u8, u32)> {
        let (mut next, mut rank) = (0, 0);
        for (length, n) in (1u32..).zip(self.lengths) {
            let within = (u32::from(bits) - next) >> (16 - length);
            if within < u32::from(n) {
                return Some((*self.symbols.get(rank + within as usize)?, length));
            }
            next += u32::from(n) << (16 - length);
            rank += usize::from(n);
        }
        None
    }

    /// For writing: the word of each symbol that has one.
    pub fn by_symbol(&self) -> [Option<Word>; 256] {
        let mut words = [None; 256];
        for (symbol, word) in self.words() {
            words[usize::from(symbol)] = Some(word);
        }
        words
    }

    /// All symbols with their words, shortest first (C.2).
    fn words(&self) -> impl Iterator<Item = (u8, Word)> {
        let lengths = (1u8..).zip(self.lengths);
        let lengths = lengths.flat_map(|(length, n)| std::iter::repeat_n(length, usize::from(n)));
        let mut next = 0u32;
        self.symbols.iter().zip(lengths).map(move |(&symbol, length)| {
            // `next` counts in units of the 16th bit, so it is the code of any length, left-aligned.
            let bits = (next >> (16 - length)) as u16;
            next += 1 << (16 - length);
            (symbol, Word { bits, length })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(first: [u8; 3]) -> [u8; 16] {
        std::array::from_fn(|i| first.get(i).copied().unwrap_or(0))
    }

    #[test]
    fn more_codes_than_there_is_room_for_are_no_table() {
        assert!(Code::new(lengths([3, 0, 0]), &[1, 2, 3]).is_none());
        assert!(Code::new(lengths([1, 3, 0]), &[1, 2, 3, 4]).is_none());
        assert!(Code::new(lengths([1, 1, 0]), &[1]).is_none());
        assert!(Code::new(lengths([1, 1, 0]), &[1, 2]).is_some());
    }

    #[test]
    fn a_code_takes_more_symbols_without_changing_a_word_or_using_up_its_ones() {
        let code = Code::new(lengths([0, 2, 3]), &[7, 8, 9, 10, 11]).expect("fits");
        let more = code
            .extended(&[1, 2, 3])
            .expect("room in the words that begin with 111");
        for (before, after) in code.by_symbol().iter().zip(more.by_symbol()) {
            assert!(before.is_none() || *before == after);
        }
        assert_eq!(more.look_up()[0xFFFF], 0);
        assert!([1, 2, 3].iter().all(|&s: &usize| more.by_symbol()[s].is_some()));
    }

    #[test]
    fn a_full_code_is_loosened_and_still_has_every_symbol() {
        let full = Code::new(lengths([1, 1, 2]), &[7, 8, 9, 10]).expect("fits");
        assert_eq!(full.extended(&[0]), None);
        let loose = full.loosened(&[0, 1]).expect("room");
        assert!(
            [0, 1, 7, 8, 9, 10]
                .iter()
                .all(|&s: &usize| loose.by_symbol()[s].is_some())
        );
        let deep: [u8; 16] = std::array::from_fn(|i| if i < 15 { 1 } else { 2 });
        let deep = Code::new(deep, &(10..27).collect::<Vec<_>>()).expect("fits");
        assert!(deep.loosened(&[0, 1]).is_some());
    }

    #[test]
    fn codes_are_given_out_as_annex_c_says() {
        let code = Code::new(lengths([0, 2, 3]), &[7, 8, 9, 10, 11]).expect("fits");
        let word = |symbol: usize| code.by_symbol()[symbol].map(|w| (w.bits, w.length));
        assert_eq!(word(7), Some((0b00, 2)));
        assert_eq!(word(8), Some((0b01, 2)));
        assert_eq!(word(9), Some((0b100, 3)));
        assert_eq!(word(11), Some((0b110, 3)));
        assert_eq!(word(12), None);
        let look_up = code.look_up();
        assert_eq!(look_up[0b0100_0000_0000_0000], 2 << 8 | 8);
        assert_eq!(look_up[0b1101_1111_1111_1111], 3 << 8 | 11);
        assert_eq!(look_up[0b1110_0000_0000_0000], 0);
    }

    #[test]
    fn the_first_symbol_of_any_16_bits_is_the_one_looked_up() {
        let usual = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125];
        let symbols: Vec<u8> = (0..162).collect();
        for (lengths, count) in [(lengths([0, 2, 3]), 5), (lengths([2, 0, 0]), 2), (usual, 162)] {
            let code = Code::new(lengths, &symbols[..count]).expect("fits");
            for (bits, entry) in (0..=u16::MAX).zip(code.look_up()) {
                let first = code
                    .first(bits)
                    .map_or(0, |(s, length)| (length as u16) << 8 | u16::from(s));
                assert_eq!(first, entry, "{bits:016b}");
            }
        }
    }
}
