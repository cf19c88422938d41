// Leaving a page. A key or click that is sent while the next page loads goes to the page before: nothing goes on until the
// new document has loaded, even where it has the same address.
const leaves = (page, act) => Promise.all([page.waitForNavigation({ waitUntil: 'load' }), act()]);

export const goes = (page, key) => leaves(page, () => page.keyboard.press(key));
export const clicks = (page, locator) => leaves(page, () => locator.click());
