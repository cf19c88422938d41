# Read by the scripts beside it, from the repository's root.
cross=$(pwd)/target/cross

# what, where, why, what to do
fail() {
    printf '%s: %s\n  where: %s\n  why: %s\n  what to do: %s\n' "${0##*/}" "$1" "$2" "$3" "$4" >&2
    exit 1
}

# install_packages NAME WHY: with root's rights or sudo's, unless it is there.
install_packages() {
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' && return
    command -v apt-get >/dev/null 2>&1 ||
        fail "$1 is needed" "this machine" "$2" "it has no apt-get: use Debian 12, or a container of it"
    as_root=
    if test "$(id -u)" -ne 0; then
        command -v sudo >/dev/null 2>&1 || fail "$1 is needed" "this machine" "$2" "as root: apt-get install $1"
        as_root=sudo
    fi
    echo "installing $1 from Debian: $2"
    { $as_root apt-get -qq update && DEBIAN_FRONTEND=noninteractive $as_root apt-get -qq install -y \
        --no-install-recommends "$1"; } > "$cross/apt.log" 2>&1 ||
        { cat "$cross/apt.log" >&2; fail "$1 cannot be installed" "this machine" "$2" "see the lines above"; }
}

# rustup_target TARGET: whether rustup has it, or can have it.
rustup_target() {
    command -v rustup >/dev/null 2>&1 || return 1
    rustup target list --installed 2>/dev/null | grep -qx "$1" && return
    echo "asking rustup for the Rust standard library for $1"
    timeout 300 rustup target add "$1" >/dev/null 2>&1
}
