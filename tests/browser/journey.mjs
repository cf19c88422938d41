// The agent's day, from the bundle on the stick to the package that anyone can verify; the review on the keyboard alone.
import fs from 'node:fs';
import path from 'node:path';

const sends = (page, key) => Promise.all([page.waitForEvent('load'), page.keyboard.press(key)]);
const goes = async (page, key) => {
  const before = page.url();
  await page.keyboard.press(key);
  await page.waitForURL((url) => url.href !== before).catch(() => {});
  await page.waitForLoadState('load');
};

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
      await sends(agent, 'p');
      if (at === 1) await look(agent, 'evenement-plaque-designee');
    }
    if (at === 1) {
      await agent.keyboard.press('v');
      await look(agent, 'evenement-masques');
    }
    await sends(agent, 'c');
    if (at < frames) await goes(agent, 'k');
  }
  const confirmed = await agent.locator('.pellicule').getByText('confirmée').count();
  if (confirmed !== frames) faults.push(`${confirmed} of ${frames} frames confirmed`);
  await look(agent, 'evenement-confirme');
}

async function dismissThenTakeBack(agent, { look, faults }) {
  await goes(agent, 'x');
  if (await agent.locator('input[name=motif]').count()) {
    await agent.locator('input[name=motif]').first().check();
    await agent.locator('button[data-touche=o]').click();
  }
  await goes(agent, 'e');
  await look(agent, 'evenement-ecarte');
  await goes(agent, 'z');
  if (!(await agent.locator('body').innerText()).includes('Nouveau') && !(await agent.locator('[data-touche=e]').count())) {
    faults.push('what was put aside was not taken back');
  }
}

export async function run(all) {
  const { agent, look } = all;
  console.log('the agent takes the bundle and reviews');
  await takeTheBundle(agent, all);
  await openFirst(agent, all);
  await agent.keyboard.press('?');
  await look(agent, 'raccourcis');
  await agent.keyboard.press('Escape');
  await reviewEachFrame(agent, all);
  await goes(agent, 'r');
  await look(agent, 'evenement-retenu');
  await agent.goto(`${all.base}/file`);
  await dismissThenTakeBack(agent, all);
}
