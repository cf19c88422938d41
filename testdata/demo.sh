#!/bin/sh
# The demo: keys, a copy of the sample card, a scan, the sealed events opened, a contact sheet.
#     demo.sh PROGRAM FOLDER       (from the repository's root; FOLDER is made anew)
set -eu
vigie=$(realpath "$1")
folder=$2
here=$(pwd)
say() { printf '\n\033[1m%s\033[0m\n' "$1"; }

rm -rf "$folder"
mkdir -p "$folder"
cp -r testdata/card "$folder/card"
sed "s|@MODELS@|$here/models|; s|@RUNTIME@|$here/runtime/libonnxruntime.so.1.27.0|" \
    testdata/demo.toml > "$folder/trap.toml"
cd "$folder"

say "1. Keys: one for the box, two for the service; the box gets only the public halves of these"
"$vigie" keys trap-init box
"$vigie" keys office-init office
for half in service recovery; do cp office/"$half"-*.pub "box/$half.pub"; done

say "2. Scan the card: look, decide, redact, seal, remove"
"$vigie" scan card || test $? -eq 3   # 3: done, and what cannot be taken was listed

say "3. The vault is what the box signed"
"$vigie" verify vault --device box/device.pub

say "4. A second scan finds nothing new to look at"
"$vigie" scan card || test $? -eq 3

say "5. The service opens the events with its key; before and after, side by side"
"$here/.venv/bin/python" "$here/testdata/demo_sheet.py" "$vigie" office/service-*.key "$here/testdata/card" contact-sheet.png

say "6. How the box is doing"
"$vigie" status
printf '\nlook at %s/contact-sheet.png; the opened events are in %s/opened\n' "$folder" "$folder"
