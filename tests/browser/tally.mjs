// What people do on their way through the pages: keys, clicks, fields and pages, and how long the way takes.
//
// Screenshots and axe-core's checks do not count. How long a person's hands take is worked out by the keystroke-level
// model (Card, Moran and Newell, 1983): 1.35 s to think before each act, 1.1 s to point, 0.2 s to click, 0.28 s for a key,
// 0.4 s from the mouse to the keys and back. Looking at pictures and finding words comes on top.
const counted = { keys: 0, clicks: 0, fields: 0, characters: 0, pages: 0 };
let on = false;
let began = 0;
let aside = 0;

const WATCH = () => {
  const tell = (what) => window.didHere?.(what);
  addEventListener('keydown', (event) => event.isTrusted && tell({ keys: 1 }), true);
  addEventListener('click', (event) => event.isTrusted && event.detail > 0 && tell({ clicks: 1 }), true);
  addEventListener('change', ({ target }) => {
    if (!['radio', 'checkbox', 'file'].includes(target.type)) {
      tell({ fields: 1, characters: target.tagName === 'SELECT' ? 0 : String(target.value).length });
    }
  }, true);
};

export async function watch(page) {
  await page.exposeBinding('didHere', (_, what) => {
    if (on) for (const [name, times] of Object.entries(what)) counted[name] += times;
  });
  await page.addInitScript(WATCH);
  const goto = page.goto.bind(page);
  // An address that a test types is a link that a person clicks.
  page.goto = (...to) => { if (on) counted.pages++; return goto(...to); };
}

export function begin() { on = true; began = Date.now(); }

// What is not part of the way, and how long it takes.
export async function not(work) {
  const [was, start] = [on, Date.now()];
  on = false;
  try { return await work(); } finally { on = was; if (was) aside += Date.now() - start; }
}

export function end(what) {
  on = false;
  const { keys, clicks, fields, characters, pages } = counted;
  const acts = keys + clicks + fields + pages;
  const hands = 1.35 * acts + 0.28 * (keys + characters) + 1.3 * (clicks + pages + fields) + 0.8 * fields;
  const took = (Date.now() - began - aside) / 1000;
  return `${what}: ${acts} acts (${keys} keys, ${clicks} clicks, ${pages} links, ${fields} fields of ${characters} characters); `
    + `${took.toFixed(0)} s of program and browser, ${(hands / 60).toFixed(1)} minutes of hands`;
}
