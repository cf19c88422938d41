#!/bin/sh
# `vigie.exe` for whoever checks a package on Windows: feature `verify` alone, which needs neither networks nor keys.
#     windows.sh        (from the repository's root: `make windows`); writes target/windows/vigie.exe
# Where wine is there (Debian: wine64), it is run on the sample packages: the good ones are intact, each of the others is not.
set -eu
. cross/common.sh
target=x86_64-pc-windows-gnu
build=$cross/build-windows
mkdir -p "$cross" target/windows
install_packages gcc-mingw-w64-x86-64 "compiles SQLite for Windows, and links"
rustup_target $target || fail "the Rust standard library for Windows is not there" "rustup target add $target" \
    "Debian has none for its newer compilers" "run it where rustup's servers can be reached"
CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_INCREMENTAL=0 "${CARGO:-cargo}" build --locked --release \
    --no-default-features --features verify --target $target --target-dir "$build"
cp "$build/$target/release/vigie.exe" target/windows/vigie.exe
ls -l target/windows/vigie.exe
x86_64-w64-mingw32-objdump -p target/windows/vigie.exe | sed -n 's/.*DLL Name: /  needs /p' | sort -u

wine=$(command -v wine || command -v wine64 || echo /usr/lib/wine/wine64)
if ! test -x "$wine"; then echo "wine is not installed: vigie.exe was not run"; exit 0; fi
export WINEDEBUG=-all WINEPREFIX="$cross/wine" LANG=C
# Wine 8 has no bcryptprimitives.dll, by which Rust's standard library asks Windows for randomness: one of our own, beside
# the program that is tried and nowhere else.
tried=$cross/windows-tried
mkdir -p "$tried" && cp target/windows/vigie.exe "$tried/"
x86_64-w64-mingw32-gcc -shared -o "$tried/bcryptprimitives.dll" -x c - -ladvapi32 <<'PRNG'
#include <windows.h>
BOOLEAN WINAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T length) { return SystemFunction036(bytes, length); }
PRNG
packages=testdata/vectors/package
said() { "$wine" "$tried/vigie.exe" verify "$@" > "$cross/wine.log" 2>&1 && echo 0 || echo $?; }
for package in "$packages"/*.zip; do
    case ${package##*/} in
    good.zip) expected=0 code=$(said "$package" --device testdata/vectors/desk.pub) ;;
    encrypted.zip) expected=0 code=$(said "$package" --passphrase-file "$packages/encrypted.passphrase") ;;
    *) expected=4 code=$(said "$package") ;;
    esac
    test "$code" = $expected || { cat "$cross/wine.log" >&2
        fail "vigie.exe judges a sample package wrongly" "$package" "exit code $code, expected $expected" "see above"; }
done
echo "run under $("$wine" --version): $(ls "$packages"/*.zip | wc -l) sample packages judged as on Linux"
