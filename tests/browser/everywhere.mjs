// Every page of the desk that a link leads to, for each role, and whether any page of the program was never looked at.
import fs from 'node:fs';
import path from 'node:path';

const pages = path.join(import.meta.dirname, '../../src/desk/web/pages');

// Routes that answer no page, and pages that this journey does not pass.
const LEFT_OUT = [
  [/\.(pdf|zip|tsq)$|\/original$|\/apercu\/|\/image\/|\/plaque\/|^\/import\/retour\/|^\/statique\/|\/acte\/|\/bordereau$/, 'a file or a picture'],
  [/^\/(entree|acces|)$|^\/import\/suivi$/, 'answers by another page'],
  [/^\/nouvel-acces$|^\/mise-en-service\/suite$|^\/codes-de-secours$|^\/avis$/, 'shown by the page before it, at its own address'],
  [/^\/echeances\/gels\/\{id\}\/renouveler$|^\/echeances\/taches\/\{tache\}/, 'needs a hold, or a task that is due'],
  [/^\/dossiers\/releves\/essai$/, 'needs a spreadsheet'],
];

/// The program's own list: the addresses that answer GET.
function routes() {
  const files = fs.readdirSync(pages, { recursive: true }).filter((name) => name.endsWith('.rs'));
  const found = files.flatMap((name) => [...fs.readFileSync(path.join(pages, name), 'utf8').matchAll(/\bget\(\s*"(\/[^"]*)"/g)]);
  return found.map((match) => match[1]).sort();
}

const known = routes();
const seen = new Set();

function routeOf(pathname) {
  const fits = (route) => new RegExp(`^${route.replace(/\{\w+\}/g, '[^/]+')}$`).test(pathname);
  return known.find((route) => route === pathname) ?? known.find(fits);
}

export const passed = (address) => seen.add(routeOf(new URL(address).pathname));
const leftOut = (route) => LEFT_OUT.some(([pattern]) => pattern.test(route));

/// Follows each link to a page that was not looked at, from those that the menu leads to.
export async function followLinks(page, who, look, faults) {
  const links = (where) => page.locator(where).evaluateAll((all) => all.map((a) => a.href));
  const waiting = await links('nav.menu a');
  const met = new Set();
  while (waiting.length) {
    const to = waiting.shift();
    const route = routeOf(new URL(to).pathname);
    if (new URL(to).host !== new URL(page.url()).host || !route || met.has(route) || leftOut(route)) continue;
    met.add(route);
    const answer = await page.goto(to);
    if (answer.status() !== 200) faults.push(`${who}: ${to}: ${answer.status()}`);
    if (!seen.has(routeOf(new URL(page.url()).pathname))) await look(page, `${who}${route.replaceAll('/', '-').replace(/[{}]/g, '')}`);
    waiting.push(...await links('main a[href]'));
  }
}

/// The pages that nobody looked at.
export const neverSeen = () => known.filter((route) => !seen.has(route) && !leftOut(route));
