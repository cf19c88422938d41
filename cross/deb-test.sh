#!/bin/sh
# The life of the packages, each in a fresh Debian 12 without a network: install, scan of the sample card, upgrade, remove,
# purge.
#     deb-test.sh [arm64|amd64]...     (from the repository's root, as root, after deb.sh: `make deb-test`)
# The roots are made once, by debootstrap, in target/cross/root-ARCH. For another architecture than the machine's, the
# kernel is told of qemu's emulator while the test runs, unless it knows one.
set -eu
. cross/common.sh
skip() { echo "skipped: $1"; exit 0; }
test "$(id -u)" -eq 0 || skip "only root can make a Debian root and enter it"
install_packages debootstrap "makes a fresh Debian root to install the package in"

registered=/proc/sys/fs/binfmt_misc/vigie-deb-test
clean_up() {
    test ! -e $registered || echo -1 > $registered
    test -z "${root:-}" || { umount "$root/proc" 2>/dev/null || true; }
}
trap clean_up EXIT
trap 'exit 1' INT TERM

can_start() { chroot "$cross/root-$1" /bin/true 2>/dev/null; }

emulate() {
    install_packages qemu-user-static "runs the arm64 package's programs on this machine"
    test -e /proc/sys/fs/binfmt_misc/register || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc ||
        skip "the kernel takes no emulator for arm64 (binfmt_misc)"
    magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf '%s' ":${registered##*/}:M::$magic:$mask:$(command -v qemu-aarch64-static):PF" \
        > /proc/sys/fs/binfmt_misc/register || skip "the kernel takes no emulator for arm64 (binfmt_misc)"
    export QEMU_CPU=cortex-a72
}

# With what the package depends on, so that installing it needs no network.
make_root() {
    test ! -e "$cross/root-$1/.complete" || return 0
    echo "fetching Debian 12 for $1 (about 100 MB): a fresh root to install the package in"
    rm -rf "$cross/root-$1"
    debootstrap --arch="$1" --foreign --variant=minbase --include=libstdc++6,systemd bookworm "$cross/root-$1" \
        > "$cross/debootstrap.log" || { tail "$cross/debootstrap.log"; skip "debootstrap cannot make a root here"; }
    can_start "$1" || emulate
    chroot "$cross/root-$1" /debootstrap/debootstrap --second-stage >> "$cross/debootstrap.log" ||
        { tail "$cross/debootstrap.log"; skip "debootstrap cannot make a root here"; }
    rm -rf "$cross/root-$1"/var/cache/apt "$cross/root-$1"/var/lib/apt/lists
    touch "$cross/root-$1/.complete"
}

in_root() { unshare --net chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C ${QEMU_CPU:+QEMU_CPU=$QEMU_CPU} "$@"; }
as_vigie() { in_root setpriv --reuid=vigie --regid=vigie --clear-groups env VIGIE_CONFIG=/etc/vigie/trap.toml "$@"; }
promise() {
    what=$1 && shift
    if "$@" > "$cross/promise.log" 2>&1; then echo "ok: $what"; else
        cat "$cross/promise.log" >&2
        fail "not kept: $what" "$package in $root" "$*" "see the lines above"
    fi
}
says() { text=$1 && shift && "$@" 2>&1 | grep -F "$text"; }
gone() { ! test -e "$root/$1"; }
held() { (cd "$root" && find etc/vigie var/lib/vigie -exec stat -c '%n %U %a %s' {} + | LC_ALL=C sort | sha256sum); }

configure() {
    cp -r testdata/card "$root/media/card"
    # Emulated networks take hundreds of times as long: an event of one frame, a walker, a frame with nothing on it.
    test "$1" = amd64 || find "$root/media/card" -name '*.JPG' ! -name IMG_0008.JPG ! -name IMG_0005.JPG \
        ! -name RCNX0001.JPG -delete
    python3 testdata/redate.py "$root/media/card"
    in_root chown -R vigie:vigie /media/card
    sed -e 's|@MODELS@|/usr/share/vigie/models|; /@RUNTIME@/d; s|"vault"|"/var/lib/vigie"|; s|"card"$|"/media/card"|' \
        testdata/demo.toml > "$root/etc/vigie/trap.toml"
    in_root sh -c 'cd /etc/vigie && vigie keys trap-init box && vigie keys desk-init /root/desk &&
        vigie keys office-init /root/office && cp /root/office/service-*.pub box/service.pub &&
        cp /root/office/recovery-*.pub box/recovery.pub && cp /root/desk/desk.pub box/ && chown -R vigie:vigie box'
}

scan() {
    as_vigie vigie scan --json > "$root/root/scan.jsonl" || test $? -eq 3
    test "$(grep -c '"verdict":"keep"' "$root/root/scan.jsonl")" -eq "$1"
    as_vigie vigie status --json
}

next_version() {
    rm -rf "$cross/next" && dpkg-deb -R "$package" "$cross/next"
    sed -i 's/^Version: .*/&+next/' "$cross/next/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone --build "$cross/next" "$root/root/next.deb"
}

life() {
    package=$(ls target/deb/vigie_*_"$1".deb) root=$cross/fresh-$1
    make_root "$1"
    can_start "$1" || emulate
    rm -rf "$root" && cp -a "$cross/root-$1" "$root"
    mount -t proc proc "$root/proc"
    cp "$package" "$root/root/vigie.deb"

    promise "$1: installs without a network" in_root dpkg -i /root/vigie.deb
    promise "$1: says its version" says "vigie $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)" in_root vigie --version
    promise "$1: has a user of its own, who cannot log in" says nologin in_root getent passwd vigie
    promise "$1: nobody else looks into the vault" says "vigie 700" in_root stat -c '%U %a' /var/lib/vigie
    promise "$1: has a manual page for each command" test -s "$root/usr/share/man/man1/vigie-scan.1.gz"
    promise "$1: leaves no file that changed since it was built" in_root dpkg --verify vigie

    promise "$1: purged before it was used, it leaves nothing" says "the vault is empty" in_root dpkg --purge vigie
    promise "$1: the vault's folder is gone" gone var/lib/vigie
    promise "$1: the settings' folder is gone" gone etc/vigie

    promise "$1: installs again" in_root dpkg -i /root/vigie.deb
    promise "$1: is configured" configure "$1"
    promise "$1: scans the sample card as its own user" scan "$(test "$1" = amd64 && echo 8 || echo 1)"

    before=$(held)
    promise "$1: a newer package is made" next_version
    promise "$1: upgrades" in_root dpkg -i /root/next.deb
    promise "$1: the upgrade kept keys and vault" test "$before" = "$(held)"
    promise "$1: what was sealed is still known" says '"event"' as_vigie vigie status --json
    promise "$1: removing says what it keeps" says "are kept" in_root dpkg --remove vigie
    promise "$1: removing took the program" gone usr/bin/vigie
    promise "$1: removing kept keys and vault" test "$before" = "$(held)"
    promise "$1: purging refuses to erase evidence, and says so" says "NOT erased" in_root dpkg --purge vigie
    promise "$1: purging kept keys and vault" test "$before" = "$(held)"
    promise "$1: installs over a vault that was kept" in_root dpkg -i /root/vigie.deb
    promise "$1: continues that vault" says '"event"' as_vigie vigie status --json
    promise "$1: purging erases evidence where it is told to" \
        says "erased as VIGIE_PURGE_EVIDENCE=yes says" in_root env VIGIE_PURGE_EVIDENCE=yes dpkg --purge vigie
    promise "$1: the vault is gone" gone var/lib/vigie
    promise "$1: the keys are gone" gone etc/vigie
    umount "$root/proc"
    rm -rf "$root"
}

for each in ${*:-amd64 arm64}; do life "$each"; done
