#!/bin/sh
# What it takes to build the box's program: sets up, once, in target/cross, and says what it fetches and why.
#     toolchain.sh arm64|amd64        (from the repository's root; program.sh runs it)
#
#   the Rust standard library   for arm64 from rustup where it has it; else Debian's rustc-web, with the arm64 half of
#                               the same version (VIGIE_CROSS_RUST=debian asks for that)
#   gcc                         compiles SQLite, and links
#   Debian 11's C library       what is linked against decides on which boards the program starts: glibc 2.31
#                               (docs/decisions/0017-building-for-the-box.md)
# Writes target/cross/ARCH.env, which the other scripts read.
set -eu
. cross/common.sh
arch=$1
case $arch in
arm64) machine=aarch64 compiler=gcc-aarch64-linux-gnu ;;
amd64) machine=x86_64 compiler=gcc ;;
*) fail "$arch is no architecture of ours" "toolchain.sh" "packages are made for two" "say arm64 or amd64" ;;
esac
target=$machine-unknown-linux-gnu
sysroot=$cross/bullseye-$arch
pinned=cross/bullseye-$arch.sha256
mkdir -p "$cross"

# Debian's archive, through apt with lists of its own: nothing of the machine's own configuration is touched, and apt
# checks the archive's signatures.
private_apt() {
    mkdir -p "$cross/apt/lists/partial" "$cross/apt/cache/archives/partial"
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    test -r $keys || fail "the keys of Debian's archive are not there" "$keys" "apt would trust nothing" \
        "install debian-archive-keyring"
    cat > "$cross/apt/sources.list" <<SOURCES
deb [arch=arm64,amd64 signed-by=$keys] $mirror bullseye main
deb [arch=arm64 signed-by=$keys] http://deb.debian.org/debian-security bookworm-security main
SOURCES
    apt-get -o Dir::Etc::sourcelist="$cross/apt/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::lists="$cross/apt/lists" -o Dir::Cache="$cross/apt/cache" -o APT::Sandbox::User=root \
        -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o Acquire::Languages=none \
        -o Acquire::Check-Valid-Until=false -qq "$@"
}

# Debian 11 moves to the archive of old releases one day.
update_lists() {
    for mirror in http://deb.debian.org/debian http://archive.debian.org/debian; do
        private_apt update 2> "$cross/apt.log" && return
    done
    cat "$cross/apt.log" >&2
    fail "Debian's archive cannot be read" "$mirror" "the network, or a proxy" "see the lines above; try again"
}

# Its runtime libraries are there too: the emulator runs the tests with them.
make_sysroot() {
    echo "fetching Debian 11's C library for $arch (7 MB): what the box's program is linked against"
    update_lists
    rm -rf "$sysroot" "$cross/debs"
    mkdir -p "$sysroot" "$cross/debs"
    (
        cd "$cross/debs"
        for package in libc6 libc6-dev linux-libc-dev libcrypt1 libgcc-s1 libstdc++6; do
            private_apt download "$package:$arch/bullseye"
        done
        sha256sum --quiet --check ../../../"$pinned"
    ) || fail "a package is not there, or is not the pinned one" "$cross/debs" "Debian 11 was changed, or the download" \
        "check it, then change $pinned"
    for deb in "$cross"/debs/*.deb; do dpkg-deb -x "$deb" "$sysroot"; done
    # Absolute links would lead to the building machine's own libraries.
    find "$sysroot" -type l -lname '/*' | while read -r link; do
        ln -sf "$sysroot$(readlink "$link")" "$link"
    done
    cp "$pinned" "$sysroot/.complete"
}

# One compiler for C and for linking, which sees this C library and no other that the machine may have.
make_compiler() {
    gcc=$machine-linux-gnu-gcc
    headers=$($gcc -print-file-name=include)
    libraries=$sysroot/usr/lib/$machine-linux-gnu
    cat > "$cross/$arch-cc" <<COMPILER
#!/bin/sh
exec $gcc --sysroot="$sysroot" -nostdinc -isystem "$headers" \\
    -isystem "$sysroot/usr/include/$machine-linux-gnu" -isystem "$sysroot/usr/include" \\
    -B"$libraries" -L"$libraries" -L"$sysroot/lib/$machine-linux-gnu" "\$@"
COMPILER
    chmod +x "$cross/$arch-cc"
}

# Debian's compiler and its arm64 library must be of one build: the library is asked for in the compiler's version.
debian_rust() {
    install_packages rustc-web "Rust with a library for arm64 in the same version"
    version=$(dpkg-query -W -f '${Version}' rustc-web)
    if ! test -e "$cross/rust-arm64/$version"; then
        echo "fetching libstd-rust-web-dev:arm64 $version (34 MB): the Rust standard library for the box"
        update_lists
        rm -rf "$cross/rust-arm64" "$cross/debs"
        mkdir -p "$cross/debs"
        (cd "$cross/debs" && private_apt download "libstd-rust-web-dev:arm64=$version") ||
            fail "the Rust library for arm64 is not there in version $version" "libstd-rust-web-dev:arm64" \
                "rustc-web is older than the archive's" "apt-get update && apt-get install rustc-web"
        dpkg-deb -x "$cross"/debs/libstd-rust-web-dev_*.deb "$cross/rust-arm64"
        touch "$cross/rust-arm64/$version"
    fi
    rm -rf "$cross/rustlib" && mkdir -p "$cross/rustlib/lib/rustlib"
    ln -s /usr/lib/rustlib/x86_64-unknown-linux-gnu "$cross/rust-arm64/usr/lib/rustlib/$target" \
        "$cross/rustlib/lib/rustlib/"
    printf '#!/bin/sh\nexec /usr/bin/rustc --sysroot "%s/rustlib" "$@"\n' "$cross" > "$cross/rustc"
    chmod +x "$cross/rustc"
}

install_packages $compiler "compiles and links for the box"
cmp -s "$pinned" "$sysroot/.complete" || make_sysroot
make_compiler
if test "${VIGIE_CROSS_RUST:-rustup}" = rustup && rustup_target $target || test $arch = amd64; then
    rustc=rustc
    rust=$(rustc --version)
else
    debian_rust
    rustc=$cross/rustc
    rust="Debian's $("$rustc" --version)"
fi
variable=$(echo $target | tr a-z- A-Z_)
# C is SQLite and little else, which waits for the disk: small rather than fast.
cat > "$cross/$arch.env" <<ENV
export RUSTC='$rustc'
export CC_$(echo $target | tr - _)='$cross/$arch-cc'
export CFLAGS_$(echo $target | tr - _)=-Os
export CARGO_TARGET_${variable}_LINKER='$cross/$arch-cc'
machine=$machine
target=$target
sysroot='$sysroot'
# One folder for each: what runs while building is linked as the target is where they are of one kind, and made anew for it.
build='$cross/build-$arch'
ENV
echo "toolchain for $arch: $rust; $($gcc --version | head -1); Debian 11's C library"
