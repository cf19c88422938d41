#!/bin/sh
# The box's program under emulation, with ONNX Runtime for its processor: the test suite without networks, the sample card
# as on x86, and a power cut.
#     arm-test.sh [suite|card|cut]...      (from the repository's root, after `make models`: `make arm-test`)
# Emulated networks take 200 to 350 times as long as native ones: the suite runs without them, save that the runtime is
# loaded; VIGIE_ARM_CARD names another folder than the whole sample card.
set -eu
. cross/common.sh
sh cross/program.sh arm64
. "$cross/arm64.env"
python3 models/convert/runtime.py aarch64 "$cross/runtime-arm64"
library=$(echo "$cross"/runtime-arm64/libonnxruntime.so.*)
results=$cross/arm-test
mkdir -p "$results"

# Built with checks, and with some optimisation: what is emulated is slow enough.
build_suite() {
    CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 \
        "${CARGO:-cargo}" test --locked --no-run --no-default-features --features trap,verify --target "$target" \
        --target-dir "$build" --message-format=json-render-diagnostics > "$results/built.jsonl"
    sed -n 's/.*"reason":"compiler-artifact".*"executable":"\([^"]*\)".*/\1/p' "$results/built.jsonl" |
        grep /deps/ | sort > "$results/executables"
    test -s "$results/executables" || fail "no test was built" "$results/built.jsonl" "cargo" "look there"
}

# What cannot be asked of an emulator, each with its reason.
left_out() {
    case $1 in
    faults-* | faults_wipe-* | faults_transfer-* | quarter-*) echo "the calls that are made to fail are this machine's" ;;
    cli_package-*) echo "it clears its program's environment, by which the emulator finds its libraries" ;;
    hardening-*) echo "core files, memory locks and dumps are the emulator's own" ;;
    esac
}

# Single tests of the same kind.
skipped() {
    case $1 in
    card_lease-*) skip a_command_that_is_not_there_is_named "the emulator's vfork cannot tell that exec failed" ;;
    cli_contract-*) skip wrong_use_is_2_and_nothing_is_printed_on_standard_output "locking memory locks the emulator's" ;;
    vigie-*) skip hardening::tests:: "core files, memory locks and dumps are the emulator's own" ;;
    systemd_units-*) skip users_and_folders_are_made_as_they_are_written "the emulator's namespace has one user" ;;
    esac
}

skip() {
    echo "left out: $1: $2" >&2
    echo "--skip $1"
}

suite() {
    build_suite
    rm -f "$results"/*.log
    began=$(date +%s) failed=
    while read -r executable; do
        name=${executable##*/}
        why=$(left_out "$name")
        if test -n "$why"; then echo "left out: ${name%-*}: $why"; continue; fi
        # The tests that need networks look for a runtime, find none and say so; one asks for the runtime alone.
        case $name in vision_runtime-*) runtime=$library ;; *) runtime=$results/none ;; esac
        # One test at a time: a forked emulator holds its parent's files open longer than a program does, and another test
        # would find its store in use.
        # shellcheck disable=SC2046
        sh cross/emulated.sh env VIGIE_RUNTIME="$runtime" \
            timeout 1800 "$executable" --test-threads=1 $(skipped "$name") < /dev/null > "$results/$name.log" 2>&1 ||
            failed="$failed ${name%-*}"
    done < "$results/executables"
    cat "$results"/*.log | sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed;.*/\1 \2/p' |
        awk -v seconds=$(($(date +%s) - began)) '{ passed += $1; failed += $2 }
            END { printf "suite under emulation: %d passed, %d failed, %d s\n", passed, failed, seconds }'
    test -z "$failed" || fail "tests fail under emulation:$failed" "$results" "see their logs there" "run one:
    sh cross/emulated.sh \$(grep NAME $results/executables)"
}

natively() {
    sh cross/program.sh amd64
    python3 models/convert/runtime.py x86_64 "$cross/runtime-amd64"
    sh cross/scan_card.sh "$cross/amd64/vigie" "$cross"/runtime-amd64/libonnxruntime.so.* "$1" "$2"
}

# The same photographs of the same days for both.
sample_card() {
    rm -rf "$results/$1" && cp -r "${VIGIE_ARM_CARD:-testdata/card}" "$results/$1"
    python3 testdata/redate.py "$results/$1"
}

card() {
    sample_card card
    natively "$results/card" "$results/card-x86"
    began=$(date +%s)
    sh cross/emulated.sh sh cross/scan_card.sh "$cross/arm64/vigie" "$library" "$results/card" "$results/card-arm"
    echo "sample card under emulation: $(($(date +%s) - began)) s"
    python3 cross/compare_scans.py "$results/card-x86" "$results/card-arm"
}

# An event with a walker and one with a vehicle. Once cut while frames are looked at, once while they are sealed: at a third
# and at two thirds of what the whole takes.
cut() {
    sample_card short
    find "$results/short" -name '*.JPG' ! -name IMG_0008.JPG ! -name IMG_0005.JPG -delete
    natively "$results/short" "$results/short-x86"
    began=$(date +%s)
    sh cross/emulated.sh sh cross/scan_card.sh "$cross/arm64/vigie" "$library" "$results/short" "$results/short-arm"
    whole=$(($(date +%s) - began))
    for third in 1 2; do
        KILL_AFTER=$((whole * third / 3)) sh cross/emulated.sh sh cross/scan_card.sh \
            "$cross/arm64/vigie" "$library" "$results/short" "$results/short-cut"
        echo "power cut after $((whole * third / 3)) s of $whole s:"
        python3 cross/compare_scans.py "$results/short-x86" "$results/short-cut"
    done
}

for part in ${*:-suite card cut}; do $part; done
