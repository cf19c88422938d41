#!/bin/sh
# The packaged service under a real systemd, booted in the fresh Debian root of deb-test.sh, in namespaces of its own and
# without a network: it starts shut off, takes a card, is started again when it is killed or hangs, and stops in time.
#     boot-test.sh     (from the repository's root, as root, after deb-test.sh: `make deb-test` runs it)
set -eu
. cross/common.sh
skip() { echo "skipped: $1"; exit 0; }
arch=$(dpkg --print-architecture) root=$cross/boot name=vigie-boot-test
package=$(ls target/deb/vigie_*_"$arch".deb 2>/dev/null) || skip "no package for $arch"
test -e "$cross/root-$arch/.complete" || skip "no fresh root for $arch: cross/deb-test.sh makes it"
test -d /sys/fs/cgroup || skip "no control groups here"

# Its own groups: whatever ends this script, the kernel ends with its first process all that systemd started.
groups() {
    if test -e /sys/fs/cgroup/cgroup.controllers; then echo /sys/fs/cgroup; else ls -d /sys/fs/cgroup/*/; fi
}
clean_up() {
    test -z "${boot:-}" || { kill -9 "$boot" 2>/dev/null || true; wait "$boot" 2>/dev/null || true; }
    for group in $(groups); do
        find "${group%/}/$name" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
    umount "$root/proc" 2>/dev/null || true
    rm -rf "$root"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

prepare() {
    rm -rf "$root" && cp -a "$cross/root-$arch" "$root"
    mount -t proc proc "$root/proc"
    cp "$package" "$root/root/vigie.deb"
    chroot "$root" dpkg -i /root/vigie.deb
    mkdir -p "$root/media/vigie" "$root/old"
    cp -r testdata/card "$root/media/vigie/card"
    python3 testdata/redate.py "$root/media/vigie/card"
    sed -e 's|@MODELS@|/usr/share/vigie/models|; /@RUNTIME@/d; s|"vault"|"/var/lib/vigie"|; s|"card"$|"/media/vigie/card"|' \
        testdata/demo.toml > "$root/etc/vigie/trap.toml"
    chroot "$root" sh -c 'cd /etc/vigie && vigie keys trap-init box && vigie keys desk-init /root/desk &&
        vigie keys office-init /root/office && cp /root/office/service-*.pub box/service.pub &&
        cp /root/office/recovery-*.pub box/recovery.pub && cp /root/desk/desk.pub box/ &&
        chown -R vigie:vigie box /media/vigie'
    # Three minutes is long to wait for.
    mkdir -p "$root/etc/systemd/system/vigie.service.d"
    printf '[Service]\nWatchdogSec=20\n' > "$root/etc/systemd/system/vigie.service.d/soon.conf"
    umount "$root/proc"
}

# Run as the first process of the namespaces.
# shellcheck disable=SC2016
inside='
mount --make-rprivate / && mount --bind "$root" "$root"
mount -t proc proc "$root/proc" && mount -t sysfs -o ro sysfs "$root/sys"
if test -e /sys/fs/cgroup/cgroup.controllers; then mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"; else
    mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
    for group in memory pids devices; do
        mkdir "$root/sys/fs/cgroup/$group" && mount -t cgroup -o $group cgroup "$root/sys/fs/cgroup/$group"; done
    mkdir "$root/sys/fs/cgroup/systemd" && mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
fi
mount -t tmpfs -o mode=755 tmpfs "$root/dev" && mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir "$root/dev/shm" && mount -t tmpfs tmpfs "$root/dev/shm"
for node in null zero full random urandom tty; do
    : > "$root/dev/$node" && mount --bind "/dev/$node" "$root/dev/$node"; done
cd "$root" && pivot_root . old && umount -l /old
exec env -i container=vigie-boot-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=multi-user.target
'

boot() {
    for group in $(groups); do mkdir -p "${group%/}/$name" 2>/dev/null || true; done
    (
        for group in $(groups); do sh -c 'echo $PPID > "$0/cgroup.procs"' "${group%/}/$name" 2>/dev/null || true; done
        export root
        exec unshare --pid --fork --mount --uts --ipc --cgroup --net --kill-child sh -ec "$inside"
    ) > "$cross/boot.log" 2>&1 &
    boot=$!
}

here() {
    first=$(pgrep -P "$boot" | head -1)
    test -n "$first" && nsenter -t "$first" -m -p -u -i -n "$@"
}
says() { text=$1 && shift && here "$@" 2>&1 | grep -qF "$text"; }
# Within so many seconds.
promise() {
    what=$1 seconds=$2 && shift 2
    until "$@"; do
        seconds=$((seconds - 1))
        test "$seconds" -gt 0 || { here journalctl -u vigie --no-pager >&2 || cat "$cross/boot.log" >&2
            fail "not kept: $what" "$package in $root" "$*" "see the lines above"; }
        sleep 1
    done
    echo "ok: $what"
}
process() { here systemctl show vigie --property=MainPID --value; }
of_process() { here grep "^$1" "/proc/$(process)/status" | tr -s '\t ' ' '; }
is_shut_off() {
    test "$(of_process CapEff)" = "CapEff: 0000000000000000" && test "$(of_process Seccomp:)" = "Seccomp: 2" &&
        test "$(of_process NoNewPrivs)" = "NoNewPrivs: 1" && ! of_process Uid | grep -q ' 0'
}
stops() { here timeout 5 systemctl stop vigie && says inactive systemctl is-active vigie; }

prepare > "$cross/boot-prepare.log" 2>&1 || { cat "$cross/boot-prepare.log" >&2; exit 1; }
boot
promise "the service says that it is ready" 60 says active systemctl is-active vigie
promise "it runs as its own user, without capabilities, its system calls filtered" 1 is_shut_off
promise "it takes the card and seals two events" 120 says "2 sealed events" vigie --config /etc/vigie/trap.toml status
here systemctl kill -s SIGKILL vigie
promise "killed, it is started again, and says so" 30 says "1 restart" vigie --config /etc/vigie/trap.toml status
here systemctl kill -s SIGSTOP vigie
promise "hung, the watchdog ends it, and it is started again" 60 says "2 restarts" vigie --config /etc/vigie/trap.toml status
promise "it stops within five seconds" 1 stops
promise "nothing was written twice" 1 says "2 sealed events" vigie --config /etc/vigie/trap.toml status
