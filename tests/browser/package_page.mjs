// The offline page (src/report/verifier.html) in a real browser, over the committed packages: it must say of each what
// their index says, ask the network for nothing, and be free of what axe-core finds.
//
//   node tests/browser/package_page.mjs [folder for screenshots]

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const vectors = join(root, "testdata/vectors/package");
const shots = process.argv[2];
const index = JSON.parse(readFileSync(join(vectors, "package.json"), "utf8"));
const desk = readFileSync(join(vectors, index.desk), "utf8");

const browser = await chromium.launch({ executablePath: process.env.VIGIE_CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1000, height: 900 }, locale: "fr-FR" });
const asked = [], wrong = [];
page.on("request", (request) => { if (!request.url().startsWith("file:")) asked.push(request.url()); });
page.on("pageerror", (error) => wrong.push(String(error)));
page.on("console", (message) => { if (message.type() === "error") wrong.push(message.text()); });

const verdict = async (choose) => {
  await page.evaluate(() => { document.getElementById("verdict").textContent = ""; });
  await choose();
  await page.waitForFunction(() => !["", "Vérification en cours…"].includes(document.getElementById("verdict").textContent));
  return page.evaluate(() => ({
    verdict: document.getElementById("verdict").textContent,
    findings: Array.from(document.querySelectorAll("#findings li"), (item) => item.textContent),
    remarks: Array.from(document.querySelectorAll("#remarks li"), (item) => item.textContent),
    focused: document.activeElement.id,
  }));
};
const shot = async (name) => { if (shots) { mkdirSync(shots, { recursive: true }); await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true }); } };
const zip = (name) => verdict(() => page.setInputFiles("#file", join(vectors, name)));

await page.goto(pathToFileURL(join(root, "src/report/verifier.html")).href);
await shot("verifier-0-vide");
await page.fill("#desk", desk);
for (const { file, page: expected } of index.packages) {
  const told = await zip(file);
  for (const words of expected)
    assert.ok([...told.findings, told.verdict].some((found) => found.startsWith(words)), `${file}: ${words}, not ${JSON.stringify(told)}`);
  assert.equal(told.verdict === "intact", expected.length === 0, `${file}: ${JSON.stringify(told)}`);
  assert.equal(told.focused, "verdict");
  await shot(`verifier-${file.replace(".zip", "")}`);
}

const sealed = await zip("encrypted.zip");
assert.match(sealed.verdict, /chiffré/);

const folder = mkdtempSync(join(tmpdir(), "package-"));
try {
  execFileSync("python3", ["-m", "zipfile", "-e", join(vectors, "good.zip"), join(folder, "paquet")]);
  const unpacked = await verdict(() => page.setInputFiles("#folder", join(folder, "paquet")));
  assert.equal(unpacked.verdict, "intact", JSON.stringify(unpacked));
} finally { rmSync(folder, { recursive: true }); }

await page.fill("#desk", "0".repeat(63) + "1");
assert.ok((await zip("good.zip")).findings.some((found) => found.startsWith("contenu.txt : signataire inconnu")));
await page.fill("#desk", "abc");
assert.match((await zip("good.zip")).verdict, /clé publique/);
await page.fill("#desk", "");
assert.ok((await zip("good.zip")).remarks.some((remark) => remark.startsWith("Le paquet dit lui-même")));

await page.evaluate(() => { const own = crypto.subtle.importKey.bind(crypto.subtle); crypto.subtle.importKey = (format, key, algorithm, ...rest) => algorithm.name === "Ed25519" ? Promise.reject(new DOMException("", "NotSupportedError")) : own(format, key, algorithm, ...rest); });
const without = await zip("good.zip");
assert.match(without.verdict, /signature non vérifiée/);
assert.match((await zip("altered.zip")).verdict, /NON intact/);

await page.reload();
await zip("altered.zip");
const axe = await browser.newContext({ bypassCSP: true, viewport: { width: 1000, height: 900 } });
const looked = await axe.newPage();
await looked.goto(page.url());
await looked.setInputFiles("#file", join(vectors, "altered.zip"));
await looked.waitForFunction(() => document.getElementById("verdict").textContent === "NON intact");
await looked.addScriptTag({ path: require.resolve("axe-core/axe.min.js") });
const found = await looked.evaluate(() => axe.run());
assert.deepEqual(found.violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]), []);

assert.deepEqual(asked, []);
assert.deepEqual(wrong, []);
await browser.close();
console.log(`${index.packages.length + 6} packages judged by the offline page as expected; no violation, no request`);
