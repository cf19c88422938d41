#!/bin/sh
# What a program makes of a card: its lines, and its sealed events opened.
#     scan_card.sh PROGRAM RUNTIME CARD FOLDER        (from the repository's root; FOLDER is made anew)
# Writes FOLDER/scan.jsonl and FOLDER/opened/EVENT/. With KILL_AFTER=seconds the first run is killed then, as if the power
# went, and a second one ends what it left.
set -eu
program=$(realpath "$1") runtime=$(realpath "$2") card=$(realpath "$3") folder=$4 here=$(pwd)
rm -rf "$folder" && mkdir -p "$folder" && cp -r "$card" "$folder/card"
sed "s|@MODELS@|$here/models|; s|@RUNTIME@|$runtime|" testdata/demo.toml > "$folder/trap.toml"
cd "$folder"
export VIGIE_LOG=error
"$program" keys trap-init box > keys.log
"$program" keys office-init office >> keys.log
"$program" keys desk-init desk >> keys.log
for half in service recovery; do cp office/"$half"-*.pub "box/$half.pub"; done
cp desk/desk.pub box/

if test -n "${KILL_AFTER:-}"; then
    "$program" watch --until-idle > killed.log 2>&1 &
    sleep "$KILL_AFTER"
    kill -9 $!
    if wait $!; then echo "the first run had ended before it was killed" >&2; exit 1; fi
fi
"$program" watch --until-idle > watch.log || test $? -eq 3   # 3: a file that cannot be taken is listed
# What has its verdict is told again, not looked at again.
"$program" scan --json > scan.jsonl || test $? -eq 3
for event in $("$program" status --json | sed 's/"event":"/\n&/g' | sed -n 's/^"event":"\([0-9a-f]*\)".*/\1/p'); do
    "$program" open "$event" --key office/service-*.key --out "opened/$event" > /dev/null
done
