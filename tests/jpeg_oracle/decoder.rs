//! A slow, plain decoder of the coefficients of baseline and extended sequential Huffman JPEGs, straight from ITU-T
//! T.81 (A.2, B.2, C.2, F.2.2), bit by bit, which shares nothing with `vigie::jpeg`.
//!
//! It trusts nothing, but is in no hurry: what it does not know is an `Err` that says so.

/// A picture as its coefficients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coefficients {
    /// Width and height in pixels.
    pub size: [usize; 2],
    /// Grey, or three.
    pub components: Vec<Component>,
    /// MCUs between restart markers, in each scan; 0: none.
    pub restart_interval: usize,
}

/// One component: its blocks in rows, padded ones included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    pub id: u8,
    /// Horizontal and vertical sampling factors.
    pub factors: [usize; 2],
    /// In zigzag order, as DQT has it.
    pub quantiser: [u16; 64],
    /// Blocks in a row.
    pub columns: usize,
    /// Row by row; each in zigzag order, the DC coefficient itself at 0, not its difference.
    pub blocks: Vec<[i16; 64]>,
}

impl Coefficients {
    /// MCUs across and down, as an interleaved scan has them, or the only component's scan.
    pub fn mcus(&self) -> [usize; 2] {
        let [h, v] = self.mcu();
        [self.size[0].div_ceil(8 * h), self.size[1].div_ceil(8 * v)]
    }

    /// Width and height of an MCU in blocks of the component that has most.
    pub fn mcu(&self) -> [usize; 2] {
        let blocks: Vec<_> = self.components.iter().map(|c| self.blocks_in_mcu(c)).collect();
        [0, 1].map(|side| blocks.iter().map(|b| b[side]).max().unwrap_or(1))
    }

    /// A component's blocks across and down in an MCU: a lone component is not interleaved (A.2.2).
    pub fn blocks_in_mcu(&self, component: &Component) -> [usize; 2] {
        match self.components.len() {
            1 => [1, 1],
            _ => component.factors,
        }
    }

    /// The indices of a component's blocks in an MCU, in scan order (A.2.3).
    pub fn blocks_of(&self, component: usize, [column, row]: [usize; 2]) -> Vec<usize> {
        let component = &self.components[component];
        let [h, v] = self.blocks_in_mcu(component);
        let of_row = |y| (0..h).map(move |x| (row * v + y) * component.columns + column * h + x);
        (0..v).flat_map(of_row).collect()
    }

    /// The DC coefficients of an MCU, in scan order.
    pub fn dcs(&self, mcu: [usize; 2]) -> Vec<i16> {
        let component = |c: usize| {
            let blocks = &self.components[c].blocks;
            self.blocks_of(c, mcu).into_iter().map(|b| blocks[b][0])
        };
        (0..self.components.len()).flat_map(component).collect()
    }

    /// All coefficients of one component in an MCU, in scan order.
    pub fn of_mcu(&self, component: usize, mcu: [usize; 2]) -> Vec<[i16; 64]> {
        let blocks = &self.components[component].blocks;
        let indices = self.blocks_of(component, mcu);
        indices.into_iter().map(|b| blocks[b]).collect()
    }

    /// Whether an MCU holds the same coefficients in both pictures.
    pub fn is_same(&self, other: &Self, mcu: [usize; 2]) -> bool {
        (0..self.components.len()).all(|c| self.of_mcu(c, mcu) == other.of_mcu(c, mcu))
    }

    /// The one DC coefficient of all luma blocks of an MCU that holds nothing else at all.
    pub fn level(&self, mcu: [usize; 2]) -> Option<i16> {
        let level = self.of_mcu(0, mcu).first()?[0];
        let flat = |c: usize| {
            let mut expected = [0; 64];
            expected[0] = if c == 0 { level } else { 0 };
            self.of_mcu(c, mcu).iter().all(|block| *block == expected)
        };
        (0..self.components.len()).all(flat).then_some(level)
    }
}

/// A decoded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    pub picture: Coefficients,
    /// Where each MCU of the only scan begins: bits of its data, stuffed zeros and markers not counted. Empty where
    /// there are several scans.
    pub starts: Vec<u64>,
    /// How many scans there are.
    pub scans: usize,
    /// Whether a scan or restart interval is filled up with anything but ones (F.1.2.3 wants ones; decoders do not care).
    pub odd_padding: bool,
}

/// C.2 and F.2.2.3: tables as the standard's DECODE procedure wants them.
#[derive(Clone)]
struct Huffman {
    min_code: [i32; 17],
    max_code: [i32; 17],
    val_ptr: [i32; 17],
    values: Vec<u8>,
}

impl Huffman {
    /// Figures C.1, C.2 and F.15.
    fn new(bits: &[u8], values: &[u8]) -> Self {
        let sizes = (1..=16).flat_map(|i| std::iter::repeat_n(i, usize::from(bits[i - 1])));
        let mut codes = Vec::new();
        let (mut code, mut length) = (0i32, 1);
        for size in sizes {
            code <<= size - length;
            length = size;
            codes.push(code);
            code += 1;
        }
        let mut table = Self {
            min_code: [0; 17],
            max_code: [-1; 17],
            val_ptr: [0; 17],
            values: values.to_vec(),
        };
        let mut j = 0;
        for i in 1..=16 {
            let count = usize::from(bits[i - 1]);
            if count > 0 {
                table.val_ptr[i] = j as i32;
                table.min_code[i] = codes[j];
                j += count;
                table.max_code[i] = codes[j - 1];
            }
        }
        table
    }
}

/// The entropy-coded data of a scan, bit by bit (F.2.2.5).
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    b: u8,
    cnt: u32,
    /// Bits taken so far; the padding of a restart interval is added at its end.
    taken: u64,
    odd_padding: bool,
}

impl Bits<'_> {
    fn next_bit(&mut self) -> Result<u32, String> {
        if self.cnt == 0 {
            let byte = *self.bytes.get(self.at).ok_or("the file ends in a scan")?;
            self.at += 1;
            if byte == 0xFF {
                // Fill bytes (B.1.1.2) have no place here, but libjpeg passes over them.
                while self.bytes.get(self.at) == Some(&0xFF) {
                    self.at += 1;
                }
                match self.bytes.get(self.at) {
                    Some(0) => self.at += 1,
                    other => return Err(format!("marker {other:02X?} in the middle of an MCU")),
                }
            }
            self.b = byte;
            self.cnt = 8;
        }
        self.cnt -= 1;
        self.taken += 1;
        Ok(u32::from(self.b >> self.cnt & 1))
    }

    /// F.2.2.4.
    fn receive(&mut self, ssss: u32) -> Result<i32, String> {
        let mut v = 0;
        for _ in 0..ssss {
            v = v << 1 | self.next_bit()? as i32;
        }
        Ok(v)
    }

    /// F.2.2.1, figure F.12.
    fn extend(v: i32, t: u32) -> i32 {
        if t > 0 && v < 1 << (t - 1) {
            v + (-1 << t) + 1
        } else {
            v
        }
    }

    /// F.2.2.3, figure F.16.
    fn decode(&mut self, table: &Huffman) -> Result<u8, String> {
        let mut i = 1;
        let mut code = self.next_bit()? as i32;
        while code > table.max_code[i] {
            i += 1;
            if i > 16 {
                return Err("a code that does not exist".into());
            }
            code = code << 1 | self.next_bit()? as i32;
        }
        let j = table.val_ptr[i] + code - table.min_code[i];
        Ok(table.values[j as usize])
    }

    /// F.2.2.1 and F.2.2.2.
    fn block(&mut self, dc: &Huffman, ac: &Huffman, pred: &mut i32) -> Result<[i16; 64], String> {
        let mut zz = [0i16; 64];
        let t = u32::from(self.decode(dc)?);
        if t > 11 {
            return Err(format!("a DC difference of category {t}"));
        }
        *pred += Self::extend(self.receive(t)?, t);
        zz[0] = i16::try_from(*pred).map_err(|_| "a DC coefficient out of range")?;
        let mut k = 1;
        while k < 64 {
            let rs = self.decode(ac)?;
            let (r, s) = (usize::from(rs >> 4), u32::from(rs & 15));
            if s == 0 {
                if r != 15 {
                    break;
                }
                k += 16;
                continue;
            }
            k += r;
            let value = Self::extend(self.receive(s)?, s);
            *zz.get_mut(k).ok_or("a coefficient behind the 63rd")? = value as i16;
            k += 1;
        }
        if k > 64 {
            return Err("zeros behind the 63rd coefficient".into());
        }
        Ok(zz)
    }

    /// To the next RSTn (E.2.4), which must be this one.
    fn restart(&mut self, number: usize) -> Result<(), String> {
        self.align()?;
        while self.bytes.get(self.at..self.at + 2) == Some(&[0xFF, 0xFF]) {
            self.at += 1;
        }
        let expected = 0xD0 + (number % 8) as u8;
        match self.bytes.get(self.at..self.at + 2) {
            Some(&[0xFF, marker]) if marker == expected => self.at += 2,
            other => return Err(format!("{other:02X?} where RST{} must stand", number % 8)),
        }
        Ok(())
    }

    /// The rest of a byte (F.1.2.3).
    fn align(&mut self) -> Result<(), String> {
        while self.cnt > 0 {
            self.odd_padding |= self.next_bit()? == 0;
        }
        Ok(())
    }
}

/// Decodes one file; trailing bytes behind EOI do not matter.
pub fn decode(file: &[u8]) -> Result<Decoded, String> {
    let mut decoder = Decoder::default();
    if file.get(..2) != Some(&[0xFF, 0xD8]) {
        return Err("no SOI".into());
    }
    let mut at = 2;
    loop {
        if file.get(at) != Some(&0xFF) {
            return Err(format!("no marker at byte {at}"));
        }
        while file.get(at + 1) == Some(&0xFF) {
            at += 1;
        }
        let marker = *file.get(at + 1).ok_or("the file ends in a marker")?;
        at += 2;
        if marker == 0xD9 {
            break;
        }
        let length = file.get(at..at + 2).ok_or("the file ends in a segment")?;
        let length = usize::from(length[0]) << 8 | usize::from(length[1]);
        let payload = file
            .get(at + 2..at + length)
            .ok_or("the file ends in a segment")?;
        at += length;
        match marker {
            0xDB => decoder.dqt(payload)?,
            0xC4 => decoder.dht(payload)?,
            0xDD => decoder.interval = usize::from(payload[0]) << 8 | usize::from(payload[1]),
            0xC0 | 0xC1 => decoder.sof(payload)?,
            0xDA => at = decoder.scan(file, at, payload)?,
            0xE0..=0xEF | 0xFE => {}
            other => return Err(format!("marker {other:02X}, which this decoder does not know")),
        }
    }
    let picture = decoder.picture.ok_or("no frame header")?;
    if decoder.scans != 1 {
        decoder.starts.clear();
    }
    Ok(Decoded {
        picture,
        starts: decoder.starts,
        scans: decoder.scans,
        odd_padding: decoder.odd_padding,
    })
}

#[derive(Default)]
struct Decoder {
    quantisers: [Option<[u16; 64]>; 4],
    /// DC, AC.
    tables: [[Option<Huffman>; 4]; 2],
    interval: usize,
    picture: Option<Coefficients>,
    /// The quantiser that each component names.
    names: Vec<usize>,
    starts: Vec<u64>,
    scans: usize,
    odd_padding: bool,
}

impl Decoder {
    /// B.2.4.1.
    fn dqt(&mut self, mut payload: &[u8]) -> Result<(), String> {
        while let Some((&pq_tq, rest)) = payload.split_first() {
            let wide = usize::from(pq_tq >> 4) + 1;
            let (elements, rest) = rest.split_at_checked(64 * wide).ok_or("a short quantiser")?;
            let mut table = [0; 64];
            for (q, element) in table.iter_mut().zip(elements.chunks(wide)) {
                *q = element.iter().fold(0, |n, &b| n << 8 | u16::from(b));
            }
            self.quantisers[usize::from(pq_tq & 3)] = Some(table);
            payload = rest;
        }
        Ok(())
    }

    /// B.2.4.2.
    fn dht(&mut self, mut payload: &[u8]) -> Result<(), String> {
        while let Some((&tc_th, rest)) = payload.split_first() {
            let (bits, rest) = rest.split_at_checked(16).ok_or("a short Huffman table")?;
            let count = bits.iter().map(|&n| usize::from(n)).sum();
            let (values, rest) = rest.split_at_checked(count).ok_or("a short Huffman table")?;
            self.tables[usize::from(tc_th >> 4 & 1)][usize::from(tc_th & 3)] =
                Some(Huffman::new(bits, values));
            payload = rest;
        }
        Ok(())
    }

    /// B.2.2 and A.1.1, A.2.4: components with all the blocks that their MCUs hold.
    fn sof(&mut self, p: &[u8]) -> Result<(), String> {
        let two = |at: usize| usize::from(p[at]) << 8 | usize::from(p[at + 1]);
        if p.len() < 6 || p[0] != 8 || two(1) == 0 {
            return Err("a frame header that this decoder does not know".into());
        }
        let mut picture = Coefficients {
            size: [two(3), two(1)],
            components: Vec::new(),
            restart_interval: 0,
        };
        for spec in p[6..6 + 3 * usize::from(p[5])].chunks(3) {
            self.names.push(usize::from(spec[2]));
            picture.components.push(Component {
                id: spec[0],
                factors: [usize::from(spec[1] >> 4), usize::from(spec[1] & 15)],
                quantiser: [0; 64],
                columns: 0,
                blocks: Vec::new(),
            });
        }
        let [columns, rows] = picture.mcus();
        for c in 0..picture.components.len() {
            let [h, v] = picture.blocks_in_mcu(&picture.components[c]);
            picture.components[c].columns = columns * h;
            picture.components[c].blocks = vec![[0; 64]; columns * h * rows * v];
        }
        self.picture = Some(picture);
        Ok(())
    }

    /// B.2.3 and F.2.2; returns where the scan's data end.
    fn scan(&mut self, file: &[u8], start: usize, p: &[u8]) -> Result<usize, String> {
        self.scans += 1;
        let picture = self.picture.as_mut().ok_or("a scan before the frame header")?;
        picture.restart_interval = self.interval;
        let mut coded = Vec::new();
        for spec in p[1..1 + 2 * usize::from(p[0])].chunks(2) {
            let c = picture.components.iter().position(|c| c.id == spec[0]);
            let c = c.ok_or("a scan of an unknown component")?;
            picture.components[c].quantiser = self.quantisers[self.names[c]].ok_or("no such quantiser")?;
            let table = |class: usize, name: u8| self.tables[class][usize::from(name)].clone();
            let dc = table(0, spec[1] >> 4).ok_or("no such DC table")?;
            let ac = table(1, spec[1] & 15).ok_or("no such AC table")?;
            coded.push((c, dc, ac));
        }
        let mcus: Vec<Vec<(usize, usize)>> = mcus_of_scan(picture, coded.iter().map(|c| c.0).collect());
        let mut bits = Bits {
            bytes: file,
            at: start,
            b: 0,
            cnt: 0,
            taken: 0,
            odd_padding: false,
        };
        let mut preds = vec![0; coded.len()];
        for (number, mcu) in mcus.into_iter().enumerate() {
            if self.interval > 0 && number > 0 && number % self.interval == 0 {
                bits.restart(number / self.interval - 1)?;
                preds.fill(0);
            }
            self.starts.push(bits.taken);
            for (part, block) in mcu {
                let (c, dc, ac) = &coded[part];
                picture.components[*c].blocks[block] = bits.block(dc, ac, &mut preds[part])?;
            }
        }
        bits.align()?;
        self.odd_padding |= bits.odd_padding;
        Ok(bits.at)
    }
}

/// For each MCU of a scan of these components, its blocks in order: which of the scan's components, which block (A.2).
pub fn mcus_of_scan(picture: &Coefficients, components: Vec<usize>) -> Vec<Vec<(usize, usize)>> {
    if let &[alone] = components.as_slice() {
        let component = &picture.components[alone];
        // A.1.1: the component's own size in samples, then in blocks (A.2.2).
        let most = |side: usize| picture.components.iter().map(|c| c.factors[side]).max();
        let [across, down] = [0, 1].map(|side| {
            let samples = picture.size[side] * component.factors[side];
            samples.div_ceil(most(side).unwrap_or(1)).div_ceil(8)
        });
        let block = |y, x| vec![(0, y * component.columns + x)];
        let row = |y| (0..across).map(move |x| block(y, x));
        return (0..down).flat_map(row).collect();
    }
    let [columns, rows] = picture.mcus();
    let mut mcus = Vec::with_capacity(columns * rows);
    for row in 0..rows {
        for column in 0..columns {
            let part = |(part, &c): (usize, &usize)| {
                let blocks = picture.blocks_of(c, [column, row]);
                blocks.into_iter().map(move |b| (part, b))
            };
            mcus.push(components.iter().enumerate().flat_map(part).collect());
        }
    }
    mcus
}
