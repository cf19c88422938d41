//! The pieces of the hot path one by one, on the frame that the targets speak of: `cargo bench --bench pieces`.
//! Ratios to other ways are the other bench's.

#[allow(dead_code)]
#[path = "ratios/frames.rs"]
mod frames;

use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vigie::frame::Digest;
use vigie::jpeg::{Facts, Index, Layout, Scan};

fn pieces(criterion: &mut Criterion) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-frames");
    let file = frames::MAIN
        .file(&folder, false)
        .expect("the frame can be written");
    let bytes = fs::read(file).expect("just written");
    let layout = Layout::parse(&bytes).expect("whole");
    let scan = Scan::of(&bytes, &layout)
        .expect("sound")
        .expect("one sequential scan");
    let index = Index::build(&bytes, scan.clone()).expect("sound");
    let size = layout.size;

    let mut group = criterion.benchmark_group("20 MP 4:2:2");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("SHA-256", |b| b.iter(|| Digest::of(black_box(&bytes))));
    group.bench_function("markers", |b| b.iter(|| Layout::parse(black_box(&bytes))));
    group.bench_function("EXIF facts", |b| {
        b.iter(|| Facts::read(black_box(&bytes), &layout))
    });
    group.bench_function("tables and scan header", |b| {
        b.iter(|| Scan::of(black_box(&bytes), &layout))
    });
    group.bench_function("walk", |b| {
        b.iter(|| Index::build(black_box(&bytes), scan.clone()));
    });
    group.bench_function("1/8 picture", |b| {
        b.iter(|| black_box(&index).eighth(size.width, size.height));
    });
    group.finish();
}

criterion_group!(benches, pieces);
criterion_main!(benches);
