#!/bin/sh
# Debian packages of the box's program: binary, networks, ONNX Runtime, service, manual pages, completions.
#     deb.sh [arm64|amd64]...      (from the repository's root: `make deb`, after `make models`); target/deb/vigie_*.deb
# The same sources and compilers give the same bytes: times are those of the last commit, or SOURCE_DATE_EPOCH.
set -eu
. cross/common.sh
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' cross/debian/changelog)
program=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
test "${version%-*}" = "$program" || fail "the package's version is not the program's" "cross/debian/changelog" \
    "it says $version, Cargo.toml says $program" "add an entry to the changelog"
python3 models/convert/check.py || fail "networks are missing, or not those of the manifest" "models/onnx" \
    "a package without them would not run" "make models"

# put MODE SOURCE PATH
put() { install -D -m "$1" "$2" "$root/$3"; }
# Without name and time of the source: they would differ between machines.
put_packed() { put 644 "$1" "$2" && gzip -9nf "$root/$2"; }

# The pages are of the commands that this program has; they are made by this machine.
make_pages() {
    sh cross/toolchain.sh amd64
    (
        . "$cross/amd64.env"
        CARGO_INCREMENTAL=0 "${CARGO:-cargo}" build --locked --release --no-default-features --features trap,pages \
            --bin vigie-pages --target "$target" --target-dir "$build"
        rm -rf "$cross/pages"
        "$build/$target/release/vigie-pages" "$cross/pages"
    )
}

put_program() {
    put 755 "$cross/$arch/vigie" usr/bin/vigie
    put 644 "$cross/runtime-$arch/$library" "usr/lib/vigie/$library"
    for page in "$cross"/pages/man/*.1; do put_packed "$page" "usr/share/man/man1/${page##*/}"; done
    put 644 "$cross/pages/completions/vigie.bash" usr/share/bash-completion/completions/vigie
    put 644 "$cross/pages/completions/_vigie" usr/share/zsh/vendor-completions/_vigie
    put 644 "$cross/pages/completions/vigie.fish" usr/share/fish/vendor_completions.d/vigie.fish
}

put_networks() {
    put 644 models/manifest.toml usr/share/vigie/models/manifest.toml
    for file in $(sed -n 's/^file = "\(.*\.onnx\)"/\1/p' models/manifest.toml); do
        put 644 "models/$file" "usr/share/vigie/models/$file"
    done
    for card in models/*.md; do put 644 "$card" "usr/share/vigie/$card"; done
}

# What `service` wrote, each in its folder. systemd reads /usr/lib on every Debian that has it.
put_service() {
    for unit in cross/systemd/*.service cross/systemd/*.socket cross/systemd/*.timer cross/systemd/*.mount; do
        test ! -e "$unit" || put 644 "$unit" "usr/lib/systemd/system/${unit##*/}"
    done
    for rule in cross/systemd/*.rules; do test ! -e "$rule" || put 644 "$rule" "usr/lib/udev/rules.d/${rule##*/}"; done
    put 644 cross/systemd/vigie.sysusers usr/lib/sysusers.d/vigie.conf
    test ! -e cross/systemd/vigie.tmpfiles || put 644 cross/systemd/vigie.tmpfiles usr/lib/tmpfiles.d/vigie.conf
}

put_documents() {
    documents=usr/share/doc/vigie
    put 644 docs/trap.example.toml $documents/examples/trap.toml
    for page in boards commands firmware keys; do
        test ! -e docs/$page.md || put_packed docs/$page.md $documents/$page.md
    done
    put_packed CHANGELOG.md $documents/changelog
    put_packed cross/debian/changelog $documents/changelog.Debian
    # Each line of the licence as the format wants it: indented, an empty one as a dot.
    { cat cross/debian/copyright && sed 's/^$/./; s/^/ /; s/[[:space:]]*$//' LICENSE; } > "$work/copyright"
    put 644 "$work/copyright" $documents/copyright
    python3 cross/crates.py "$target" > "$work/crates.txt"
    put_packed "$work/crates.txt" $documents/crates.txt
    put 644 "$cross/runtime-$arch/LICENSE" $documents/onnxruntime/LICENSE
    put_packed "$cross/runtime-$arch/ThirdPartyNotices.txt" $documents/onnxruntime/ThirdPartyNotices.txt
}

put_control() {
    glibc=$(python3 cross/check_binary.py --glibc "$root/usr/bin/vigie" "$root/usr/lib/vigie/$library")
    # Started, stopped and enabled by the maintainer scripts; what udev starts has no [Install] and is not.
    services=$(cd "$root/usr/lib/systemd/system" 2>/dev/null && grep -l '^\[Install\]' -- * | tr '\n' ' ') || services=
    mkdir -p "$root/DEBIAN"
    sed "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@GLIBC@/$glibc/; s/@SIZE@/$(du -sk "$root" | cut -f1)/" \
        cross/debian/control.in > "$root/DEBIAN/control"
    for script in postinst prerm postrm; do
        sed "s/@SERVICES@/${services% }/" cross/debian/$script > "$root/DEBIAN/$script"
        chmod 755 "$root/DEBIAN/$script"
    done
    (cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) \
        > "$work/md5sums"
    install -m 644 "$work/md5sums" "$root/DEBIAN/md5sums"
}

make_package() {
    arch=$1
    sh cross/program.sh "$arch"
    . "$cross/$arch.env"
    python3 models/convert/runtime.py "$machine" "$cross/runtime-$arch"
    library=$(cd "$cross/runtime-$arch" && echo libonnxruntime.so.*)
    work=$cross/deb-$arch root=$cross/deb-$arch/root
    rm -rf "$work" && mkdir -p "$root" target/deb
    put_program
    put_networks
    put_service
    put_documents
    find "$root" -type d -exec chmod 755 {} +
    put_control
    # One thread, so that the number of this machine's cores is not in the result.
    dpkg-deb --root-owner-group --threads-max=1 -Zxz --build "$root" "target/deb/vigie_${version}_$arch.deb"
}

umask 022
make_pages
for each in ${*:-arm64 amd64}; do make_package "$each"; done
