// The agent's day, from the bundle on the stick to the package that anyone can verify; the review on the keyboard alone.
import fs from 'node:fs';
import path from 'node:path';
import { clicks, goes } from './moves.mjs';
import { begin, end, not } from './tally.mjs';

async function takeTheBundle(agent, { base, look, faults }) {
  await agent.goto(`${base}/import`);
  await look(agent, 'import');
  await goes(agent, 'i');
  await agent.getByText('Import terminé').waitFor({ timeout: 60000 });
  await look(agent, 'import-termine');
  if (!(await agent.getByText('Lot vérifié et pris').count())) faults.push('the bundle was not taken');
  await goes(agent, 'x');
  await look(agent, 'file-d-examen');
}

async function openFirst(agent, { look }) {
  await goes(agent, 'x');
  await look(agent, 'motif-de-consultation');
  await agent.keyboard.press('Tab');
  const radio = agent.locator('input[name=motif]').first();
  await radio.focus();
  await agent.keyboard.press('Space');
  await radio.evaluate((e) => e.blur());
  await goes(agent, 'o');
  await look(agent, 'evenement');
}

// Every frame is looked at; on each the involved plate is named where there are several, and the frame confirmed.
async function reviewEachFrame(agent, { look, faults }) {
  const frames = await agent.locator('.pellicule li').count();
  for (let at = 1; at <= frames; at++) {
    await agent.locator('.scene img').evaluate((img) => img.complete || new Promise((done) => img.addEventListener('load', done)));
    const plates = agent.locator('.plaque-vue input:not([disabled])');
    if (await plates.count() > 1) {
      await plates.first().focus();
      await agent.keyboard.press('Space');
      await plates.first().evaluate((e) => e.blur());
      await goes(agent, 'p');
      if (at === 1) await look(agent, 'evenement-plaque-designee');
    }
    if (at === 1) {
      await agent.keyboard.press('v');
      await look(agent, 'evenement-masques');
    }
    await goes(agent, 'c');
    if (at < frames) await goes(agent, 'k');
  }
  const confirmed = await agent.locator('.pellicule').getByText('confirmée').count();
  if (confirmed !== frames) faults.push(`${confirmed} of ${frames} frames confirmed`);
  await look(agent, 'evenement-confirme');
}

async function dismiss(agent, { base }) {
  await agent.goto(`${base}/file`);
  await goes(agent, 'x');
  if (await agent.locator('input[name=motif]').count()) {
    await agent.locator('input[name=motif]').first().check();
    await clicks(agent, agent.locator('button[data-touche=o]'));
  }
  await goes(agent, 'e');
}

async function dismissThenTakeBack(agent, all) {
  const { look, faults } = all;
  await dismiss(agent, all);
  await look(agent, 'evenement-ecarte');
  await goes(agent, 'z');
  if (!(await agent.locator('body').innerText()).includes('Nouveau') && !(await agent.locator('[data-touche=e]').count())) {
    faults.push('what was put aside was not taken back');
  }
}

// The motive, where a file asks for one.
async function enterFile(page, { base, look }, number, motive, name) {
  await page.goto(`${base}/dossier/${number}`);
  if (await page.locator('input[name=motif]').count()) {
    if (name) await look(page, name);
    await page.locator(`input[name=motif][value=${motive}]`).check();
    await clicks(page, page.locator('main form button').first());
  }
}

const SECTIONS = [
  ['faits', { horloge: '0', horloge_date: '02/10/2026', horloge_par: 'Amina Roche', faits: "J'ai vu, sur les images, un véhicule utilitaire s'arrêter, une personne masquée en sortir et déposer des sacs au pied des conteneurs, puis repartir." }],
  ['infraction', { infraction: 'cp-r635-8', acte: 'proces-verbal', voie: 'procureur-opj' }],
  ['dechets', { nature: 'rubble', volume: '1,5' }],
  ['vehicule', { plaque: 'VI-010-IE', lisibilite: 'whole', pays: 'F', genre: 'Camionnette' }],
  ['seconde-lecture', { plaque: 'vi 010 ie', lisibilite: 'whole' }],
  ['frais', { 'frais.0.type': 'work', 'frais.0.libelle': 'Deux agents', 'frais.0.quantite': '1,5', 'frais.0.unite': '32,10', 'frais.0.justificatif': 'BT 77' }],
];

async function writeUp(agent, all) {
  const { base, look, fill } = all;
  await agent.goto(`${base}/file?etat=retenus`);
  await clicks(agent, agent.locator('tbody a').first());
  await goes(agent, 'o');
  await look(agent, 'dossier-nouveau');
  await clicks(agent, agent.locator('main form button').first());
  const number = agent.url().match(/\/dossier\/([^/?]+)/)[1];
  await enterFile(agent, all, number, 'writing', 'dossier-motif');
  await look(agent, 'dossier');
  for (const [section, fields] of SECTIONS) {
    await agent.goto(`${base}/dossier/${number}/${section}`);
    await fill(agent, fields);
    await look(agent, `dossier-${section}`);
    await clicks(agent, agent.locator('main button[name=suite][value=dossier], main form button').first());
    if (agent.url().endsWith(section)) await look(agent, `dossier-${section}-faute`);
  }
  await agent.goto(`${base}/dossier/${number}/verification`);
  await look(agent, 'dossier-verification');
  await clicks(agent, agent.getByRole('button', { name: /Clore|clôturer/i }).first());
  await look(agent, 'dossier-clos');
  return number;
}

async function report(agent, chef, all, number) {
  const { base, look, faults, out } = all;
  await agent.goto(`${base}/dossier/${number}/rapport`);
  await look(agent, 'rapport');
  for (const box of (await agent.locator('input[name=image]:not([disabled])').all()).slice(0, 4)) await box.check();
  await agent.locator('#lieu_visionnage').fill('Hôtel de ville, bureau 12');
  await clicks(agent, agent.locator('main form button').first());
  await look(agent, 'rapport-choisi');
  await keep(agent, `${base}/dossier/${number}/rapport/brouillon.pdf`, path.join(out, 'brouillon.pdf'));
  await enterFile(chef, all, number, 'checking');
  await chef.goto(`${base}/dossier/${number}/rapport`);
  await look(chef, 'rapport-validation');
  const seal = chef.getByRole('button', { name: /Valider et sceller/ });
  if (await seal.isDisabled()) { faults.push(`the report lacks: ${await chef.locator('.attention').first().innerText()}`); return; }
  await clicks(chef, seal);
  await look(chef, 'rapport-valide');
  await keep(chef, `${base}/dossier/${number}/acte/1`, path.join(out, 'acte.pdf'));
}

// A file as the browser's session is given it.
async function keep(page, url, to) {
  const answer = await page.request.get(url);
  if (!answer.ok()) throw new Error(`${url}: ${answer.status()}`);
  fs.writeFileSync(to, await answer.body());
}

async function hand(agent, chef, all, number) {
  const { base, look, out } = all;
  await agent.goto(`${base}/dossier/${number}/paquet`);
  await look(agent, 'paquet');
  await agent.locator('input[name=acte]').first().check();
  for (const box of await agent.locator('input[name=image]').all()) await box.check();
  await agent.locator('#journal').check();
  await agent.locator('#destinataire').selectOption({ index: 1 });
  await agent.locator('#motif').fill('Transmission pour poursuites');
  await clicks(agent, agent.getByRole('button', { name: "Demander l'approbation" }));
  await look(agent, 'paquet-demande');
  await chef.goto(`${base}/transmissions`);
  await look(chef, 'transmissions-a-approuver');
  await clicks(chef, chef.locator('tbody a').first());
  await look(chef, 'transmission');
  await clicks(chef, chef.getByRole('button', { name: /Approuver/ }));
  await agent.goto(`${base}/dossier/${number}/paquet`);
  await look(agent, 'paquet-approuve');
  await clicks(agent, agent.locator('form[action$="/etablir"] button'));
  await look(agent, 'paquet-etabli');
  const zip = await agent.locator('a[href$="/paquet.zip"]').first().getAttribute('href');
  await keep(agent, base + zip, path.join(out, 'paquet.zip'));
  await keep(agent, base + zip.replace('paquet.zip', 'bordereau.pdf'), path.join(out, 'bordereau.pdf'));
}

// What the clerk of the court does: the program, or the page that lies in the package.
async function verify({ agent, program, desk, out, look, faults, spawnSync }) {
  const zip = path.join(out, 'paquet.zip');
  const run = (file) => spawnSync(program, ['verify', file, '--device', path.join(desk, 'desk.pub')], { encoding: 'utf8', env: { ...process.env, LANG: 'fr_FR.UTF-8' } });
  const good = run(zip);
  console.log(good.stdout.trim().split('\n').map((line) => `    ${line}`).join('\n'));
  if (good.status !== 0) faults.push(`verify of the package: ${good.status} ${good.stderr}`);
  const bytes = fs.readFileSync(zip);
  bytes[Math.floor(bytes.length / 3)] ^= 1;
  fs.writeFileSync(path.join(out, 'paquet-altere.zip'), bytes);
  if (run(path.join(out, 'paquet-altere.zip')).status !== 4) faults.push('verify does not find a changed bit in the package');
  const page = await agent.context().newPage();
  await page.goto(`file://${path.join(import.meta.dirname, '../../src/report/verifier.html')}`);
  for (const [file, name, word] of [[zip, 'verificateur', /intact/i], [path.join(out, 'paquet-altere.zip'), 'verificateur-altere', /altéré|refusée|modifié/i]]) {
    await page.locator('input[type=file]').first().setInputFiles(file);
    await page.locator('body').getByText(word).first().waitFor({ timeout: 20000 }).catch(() => faults.push(`the verifier's page does not say ${word} of ${path.basename(file)}`));
    await look(page, name);
  }
  await page.close();
}

export async function run(all) {
  const { agent, chef, look } = all;
  console.log('the agent takes the bundle and reviews');
  begin();
  await takeTheBundle(agent, all);
  await openFirst(agent, all);
  await not(async () => {
    await agent.keyboard.press('?');
    await look(agent, 'raccourcis');
    await agent.keyboard.press('Escape');
  });
  await reviewEachFrame(agent, all);
  await goes(agent, 'r');
  await look(agent, 'evenement-retenu');
  await not(() => dismissThenTakeBack(agent, all));
  console.log('the agent writes up, the chefs sign off and approve');
  const number = await writeUp(agent, all);
  await report(agent, chef, all, number);
  await hand(agent, chef, all, number);
  console.log('the clerk verifies');
  await verify(all);
  const way = end('from the bundle to the verified package');
  // The second destroys the first, with a certificate.
  await dismiss(agent, all);
  await dismiss(agent, all);
  return way;
}
