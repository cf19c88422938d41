// Page keys: whatever bears data-touche="x" is clicked by that key; `?` lists them. Nothing here is needed: each key
// has a link or button beside it. Keys that need Shift on AZERTY are not used, but `?`, which has its own button.
'use strict';
(() => {
  const named = { ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓' };
  const typing = (target) => target.closest('input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]');
  const list = () => {
    const dialog = document.getElementById('raccourcis');
    const names = dialog.querySelector('dl');
    names.replaceChildren();
    for (const element of document.querySelectorAll('[data-touche]')) {
      const key = document.createElement('dt');
      key.textContent = named[element.dataset.touche] || element.dataset.touche;
      const what = document.createElement('dd');
      what.textContent = element.dataset.acte || element.getAttribute('aria-label') || element.textContent.trim();
      names.append(key, what);
    }
    if (!names.children.length) {
      const none = document.createElement('dd');
      none.textContent = 'Cette page n’a pas de raccourci.';
      names.append(none);
    }
    dialog.showModal();
  };
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || typing(event.target)) return;
    if (document.querySelector('dialog[open]')) return;
    if (event.key === '?') { list(); event.preventDefault(); return; }
    const asked = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const element = [...document.querySelectorAll('[data-touche]')].find((e) => e.dataset.touche === asked && !e.disabled);
    if (!element) return;
    event.preventDefault();
    if (element.matches('input, textarea, select')) element.focus(); else element.click();
  });
  const errors = document.querySelector('.erreurs[tabindex]');
  if (errors) errors.focus();
})();
