#!/bin/sh
# The demo: keys, a copy of the sample card, a scan, the way to the service and back, the sealed events opened there, a
# contact sheet.
#     demo.sh PROGRAM FOLDER       (from the repository's root; FOLDER is made anew)
set -eu
vigie=$(realpath "$1")
folder=$2
here=$(pwd)
say() { printf '\n\033[1m%s\033[0m\n' "$1"; }

rm -rf "$folder"
mkdir -p "$folder"
cp -r testdata/card "$folder/card"
python3 testdata/redate.py "$folder/card"   # as if the last photograph was taken yesterday
cp -r "$folder/card" "$folder/card-before"
sed "s|@MODELS@|$here/models|; s|@RUNTIME@|$here/runtime/libonnxruntime.so.1.27.0|" \
    testdata/demo.toml > "$folder/trap.toml"
cd "$folder"

say "1. Keys: one for the box, one for the desk, two for the service; the box gets only the public halves of these"
"$vigie" keys trap-init box
"$vigie" keys desk-init desk
"$vigie" keys office-init desk/keys
for half in service recovery; do cp desk/keys/"$half"-*.pub "box/$half.pub"; done
cp desk/desk.pub box/
mkdir desk/traps stick
cp box/device.pub desk/traps/

say "2. Before the box may erase anything, the desk shows that it opens what the box seals: a stick goes there and back"
"$vigie" transfer out stick
"$vigie" transfer in stick --desk desk
"$vigie" transfer out stick

say "3. Scan the card: look, decide, redact, seal, remove"
"$vigie" scan card || test $? -eq 3   # 3: done, and what cannot be taken was listed

say "4. The vault is what the box signed"
"$vigie" verify vault --device box/device.pub

say "5. A second scan finds nothing new to look at"
"$vigie" scan card || test $? -eq 3

say "6. The sealed events go to the service; anyone can check the bundle on the way"
"$vigie" transfer out stick
mkdir to-the-desk && cp -r desk stick to-the-desk/   # for `make demo-desk`, where the bundle is taken in the browser
"$vigie" verify stick/vigie-????????????????-????? --device box/device.pub
"$vigie" transfer in stick --desk desk

say "7. The service opens the events with its key; before and after, side by side"
"$here/.venv/bin/python" "$here/testdata/demo_sheet.py" \
    "$vigie" desk/keys/service-*.key desk/store card-before contact-sheet.png

say "8. The service has everything, and says so: only now does the box let go of it"
"$vigie" transfer out stick

say "9. How the box is doing"
"$vigie" status
printf '\nlook at %s/contact-sheet.png; the opened events are in %s/opened\n' "$folder" "$folder"
