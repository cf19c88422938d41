// The desk in a real browser: from its first run to a verified package, as the guide tells it.
//
//     node desk.mjs PROGRAM DEMO_FOLDER OUT_FOLDER
//
// Promises: every page that is passed has no violation of axe-core (WCAG 2.1 A and AA), asks nothing of any other host,
// logs no error, and is left as a screenshot in OUT_FOLDER; no page of the program is left out without a reason. Chromium: $VIGIE_CHROMIUM, else /usr/bin/chromium.
import { chromium } from 'playwright-core';
import { createHmac } from 'node:crypto';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { followLinks, neverSeen, passed } from './everywhere.mjs';
import { clicks } from './moves.mjs';
import { not, watch } from './tally.mjs';

const [program, demo, out] = process.argv.slice(2).map((p) => path.resolve(p));
const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PASSWORD = 'une vigie au bord de la Seine';
const faults = [];
let shots = 0;

// RFC 6238; the desk takes each step once, so each person's codes go on from the last one.
const steps = new Map();
function code(secret) {
  const now = Math.floor(Date.now() / 30000);
  const step = Math.max(now, (steps.get(secret) ?? 0) + 1);
  steps.set(secret, step);
  let bits = '';
  for (const c of secret.replace(/ /g, '')) bits += 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac('sha1', key).update(counter).digest();
  const value = digest.readUInt32BE(digest[19] & 15) & 0x7fffffff;
  return { code: String(value % 1000000).padStart(6, '0'), usable: step <= now + 1, at: (step - 1) * 30000 };
}
async function freshCode(secret) {
  const { code: digits, usable, at } = code(secret);
  if (!usable) await new Promise((done) => setTimeout(done, at - Date.now() + 500));
  return digits;
}

const look = (page, name) => not(() => shoot(page, name));

async function shoot(page, name) {
  const file = path.join(out, `${String(++shots).padStart(2, '0')}-${name}.png`);
  await page.screenshot({ path: file, fullPage: true });
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }));
  for (const one of found.violations) {
    faults.push(`${name}: ${one.id}: ${one.help} (${one.nodes.map((node) => node.target.join(' ')).slice(0, 3).join('; ')})`);
  }
  const english = (await page.locator('main').innerText()).match(/\b(the|and|with|not|submit|login|password|error|page not found|warning)\b/i);
  if (english) faults.push(`${name}: an English word on screen: ${english[0]}`);
  console.log(`  ${path.basename(file)}  ${new URL(page.url()).pathname}`);
  passed(page.url());
}

async function newPerson(browser, host) {
  const context = await browser.newContext({ locale: 'fr-FR', viewport: { width: 1280, height: 900 } });
  context.setDefaultTimeout(90000);
  const page = await context.newPage();
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (!['data:', 'blob:'].includes(url.protocol) && url.host !== host) faults.push(`a request to ${url.host}`);
  });
  page.on('console', (message) => {
    // Browsers log each answer that is no success: those that the test asks for on purpose are named by their own step.
    if (message.type() === 'error' && !message.text().includes('status of 4')) faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`script: ${error.message}`));
  await watch(page);
  return page;
}

async function fill(page, fields) {
  for (const [name, value] of Object.entries(fields)) {
    const field = page.locator(`[name="${name}"]`).first();
    if (value === true) await field.check();
    else if (['radio', 'checkbox'].includes(await field.getAttribute('type'))) await page.locator(`[name="${name}"][value="${value}"]`).check();
    else if (await field.evaluate((e) => e.tagName) === 'SELECT') await field.selectOption(value === '' ? { index: 1 } : value);
    else await field.fill(value);
  }
}
const send = (page) => clicks(page, page.locator('main form button').first());
const secretOn = (page) => page.locator('details code').first().textContent();

const SHEET = {
  service: 'Service de lutte contre les incivilités', qualite: 'Agent de collectivité habilité et assermenté',
  formation: '2026-01-15', hab_autorite: "Maire d'Exemple-sur-Seine", hab_date: '2026-02-01',
  hab_objet: "Infractions relatives à l'abandon de déchets", serment_tribunal: "Tribunal judiciaire d'Exemple",
  serment_date: '2026-02-20', vis_fondement: '', vis_autorite: 'Préfet', vis_reference: 'arrêté n° 2026-0413', vis_date: '2026-02-25',
};

async function access(page) {
  const secret = await secretOn(page);
  await fill(page, { mot_de_passe: PASSWORD, encore: PASSWORD, code: await freshCode(secret) });
  return secret;
}

async function setUp(page, base, setUpCode) {
  await page.goto(`${base}/`);
  await look(page, 'mise-en-service');
  await fill(page, { code: setUpCode });
  await send(page);
  await look(page, 'mise-en-service-administrateur');
  await fill(page, { nom: 'Dominique Petit', identifiant: 'dominique.petit' });
  const admin = await access(page);
  await send(page);
  await look(page, 'codes-de-secours');
  await fill(page, { copies: true });
  await send(page);
  await look(page, 'mise-en-service-chef');
  await fill(page, { nom: 'Sylvie Garnier', identifiant: 'sylvie.garnier', numero: 'LCI-001', ...SHEET });
  const chef = await access(page);
  await send(page);
  await fill(page, { copies: true });
  await send(page);
  await look(page, 'mise-en-service-verifier');
  await fill(page, { exact: true, coffre: true });
  await send(page);
  return { admin, chef };
}

async function logIn(page, base, login, secret, name) {
  await page.goto(`${base}/entree`);
  if (name) await look(page, 'connexion');
  await fill(page, { identifiant: login, mot_de_passe: PASSWORD, code: await freshCode(secret) });
  await send(page);
  if (page.url().endsWith('/avis')) {
    if (name) await look(page, 'avis-de-confidentialite');
    await fill(page, { lu: true });
    await send(page);
  }
}

const half = async (page) => (await page.locator('main').innerText()).match(/moitié du code, affichée cette seule fois\s:\s([0-9A-Z-]+)/)[1];

// Two people let a third one in: each hands over half of the code.
async function invite(chef, other, person, base, { role, nom, identifiant, numero }) {
  await chef.goto(`${base}/comptes/nouveau`);
  await fill(chef, { nom, identifiant, role });
  await send(chef);
  const first = await half(chef);
  await look(chef, `compte-${role}`);
  await other.goto(chef.url());
  await look(other, `compte-${role}-a-confirmer`);
  await clicks(other, other.locator('form[action$="/confirmer"] button'));
  const code = first + await half(other);
  await look(other, `compte-${role}-confirme`);
  if (numero) {
    await clicks(chef, chef.locator('a[href^="/agents/"]').first());
    await fill(chef, { numero, ...SHEET });
    await look(chef, `fiche-${role}`);
    await send(chef);
  }
  await person.goto(`${base}/premiere-connexion`);
  await fill(person, { identifiant, code });
  await send(person);
  await look(person, `premiere-connexion-${role}`);
  const secret = await access(person);
  await send(person);
  await fill(person, { copies: true });
  await send(person);
  if (person.url().endsWith('/avis')) { await fill(person, { lu: true }); await send(person); }
  return secret;
}

/// Every page that the menu leads to.
async function walkMenu(page, who) {
  const links = await page.locator('nav.menu a').evaluateAll((all) => all.map((a) => a.getAttribute('href')));
  for (const to of links) {
    const answer = await page.goto(new URL(to, page.url()).href);
    if (answer.status() !== 200) faults.push(`${who}: ${to}: ${answer.status()}`);
    await look(page, `${who}${to.replaceAll('/', '-')}`);
  }
}

const journey = await import('./journey.mjs').catch(() => null);

function prepare() {
  const work = path.join(out, 'desk');
  fs.rmSync(out, { recursive: true, force: true });
  fs.mkdirSync(out, { recursive: true });
  fs.cpSync(path.join(demo, 'to-the-desk'), work, { recursive: true });
  fs.mkdirSync(path.join(work, 'safe'), { mode: 0o700 });
  for (const key of fs.readdirSync(path.join(work, 'desk/keys')).filter((name) => /^recovery-.*\.key$/.test(name))) {
    fs.renameSync(path.join(work, 'desk/keys', key), path.join(work, 'safe', key));
  }
  const example = fs.readFileSync(path.join(import.meta.dirname, '../../docs/desk.example.toml'), 'utf8');
  const config = example.replace('listen = "127.0.0.1:8080"', 'listen = "127.0.0.1:0"')
    .replace('sticks = []', `sticks = [${JSON.stringify(path.join(work, 'stick'))}]`);
  fs.writeFileSync(path.join(work, 'desk/desk.toml'), config);
  return path.join(work, 'desk');
}

let way = '';
const desk = prepare();
const served = spawn(program, ['desk', 'serve', '--desk', desk, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
const told = JSON.parse(await new Promise((done) => createInterface(served.stdout).once('line', done)));
const base = told.serving.replace(/\/$/, '');
const host = new URL(base).host;
const browser = await chromium.launch({ executablePath: process.env.VIGIE_CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--lang=fr-FR'], env: { ...process.env, LANGUAGE: 'fr', LANG: 'fr_FR.UTF-8' } });
try {
  const [admin, chef, agent, second, dpd] = await Promise.all([1, 2, 3, 4, 5].map(() => newPerson(browser, host)));
  console.log('first run');
  const founders = await setUp(admin, base, told.set_up_code);
  console.log('accounts');
  await logIn(chef, base, 'sylvie.garnier', founders.chef, true);
  await agent.goto(`${base}/premiere-connexion`);
  await look(agent, 'premiere-connexion');
  await logIn(admin, base, 'dominique.petit', founders.admin);
  await invite(chef, admin, agent, base, { role: 'agent', nom: 'Amina Roche', identifiant: 'amina.roche', numero: 'LCI-002' });
  await invite(chef, admin, second, base, { role: 'chef', nom: 'Bruno Vidal', identifiant: 'bruno.vidal', numero: 'LCI-003' });
  await invite(admin, chef, dpd, base, { role: 'dpd', nom: 'Claire Morel', identifiant: 'claire.morel' });
  if (journey) way = await journey.run({ agent, chef, second, base, out, desk, program, look, fill, send, faults, spawnSync });
  for (const [who, page] of Object.entries({ agent, chef, dpd, admin })) {
    console.log(`the menu of ${who}`);
    await walkMenu(page, who);
    await followLinks(page, who, look, faults);
  }
  for (const route of neverSeen()) faults.push(`no page of ${route} was looked at`);
} catch (error) {
  faults.push(`stopped: ${error.stack}`);
  for (const [at, context] of browser.contexts().entries()) {
    for (const page of context.pages()) await page.screenshot({ path: path.join(out, `stopped-${at}.png`), fullPage: true }).catch(() => {});
  }
} finally {
  await browser.close();
  served.kill('SIGTERM');
}
for (const fault of new Set(faults)) console.error(`! ${fault}`);
if (way) console.log(way);
console.log(faults.length ? `${new Set(faults).size} faults` : `${shots} pages, no fault`);
process.exitCode = faults.length ? 1 : 0;
