#!/bin/sh
# The program of the box: feature `trap` alone, stripped, checked against cross/expected.toml.
#     program.sh arm64|amd64        (from the repository's root); writes target/cross/ARCH/vigie
set -eu
. cross/common.sh
arch=$1
sh cross/toolchain.sh "$arch"
. "$cross/$arch.env"
# The same compilers give the same bytes wherever it is built: no path of this machine is left in them.
export RUSTFLAGS="--remap-path-prefix=$(pwd)=/vigie --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
# One module of everything: smaller, for minutes of building.
export CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_INCREMENTAL=0
"${CARGO:-cargo}" build --locked --release --no-default-features --features trap \
    --target "$target" --target-dir "$build"
mkdir -p "$cross/$arch"
cp "$build/$target/release/vigie" "$cross/$arch/vigie"
python3 cross/check_binary.py "$cross/$arch/vigie" cross/expected.toml "$machine"
