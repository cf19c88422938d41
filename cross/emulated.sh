#!/bin/sh
# Runs a command that may start programs for the box as if they were this machine's own: qemu's emulator, as a Cortex-A72,
# with Debian 11's libraries.
#     emulated.sh COMMAND...      (from the repository's root, after program.sh arm64)
# The kernel is told of the emulator in a namespace that ends with the command (Linux 6.7 or later), so that nothing of
# the machine changes; on one where an emulator is registered already, that one is used.
set -eu
. cross/common.sh
. "$cross/arm64.env"
install_packages qemu-user-static "runs the box's programs on this machine"
export QEMU_CPU=cortex-a72 QEMU_LD_PREFIX="$sysroot"
if test "${1:-}" != --inside && "$cross/arm64/vigie" --version >/dev/null 2>&1; then exec "$@"; fi

if test "${1:-}" != --inside; then
    unshare --user --map-root-user --mount sh "$0" --inside true 2>/dev/null ||
        fail "programs for the box cannot be started here" "this machine" \
            "the kernel allows no binfmt_misc in a namespace (before Linux 6.7, or forbidden)" \
            "as root: apt-get install binfmt-support qemu-user-static"
    exec unshare --user --map-root-user --mount sh "$0" --inside "$@"
fi
shift
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
# An ELF file of 64 bits for machine 0xb7 (binfmt_misc, Documentation/admin-guide). P: its own name stays its first argument;
# F: the emulator is opened now, whatever root is entered later.
printf '%s' ':vigie-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:'\
'\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'"$(command -v qemu-aarch64-static):PF" \
    > /proc/sys/fs/binfmt_misc/register
exec "$@"
