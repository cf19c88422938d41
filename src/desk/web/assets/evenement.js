// The event's picture: zoom, pan, contrast, masks drawn by mouse or keyboard. Comfort only: without this file the
// picture opens at full size by its link, masks are typed as four numbers, and everything else is a plain form.
'use strict';
(() => {
  const scene = document.getElementById('scene');
  if (!scene) return;
  const layer = scene.querySelector('.calque');
  const svg = scene.querySelector('svg');
  const [width, height] = [Number(scene.dataset.largeur), Number(scene.dataset.hauteur)];
  const view = { zoom: 1, x: 0, y: 0 };
  const most = () => Math.max(4, 4 * width / scene.clientWidth);

  const place = () => {
    const room = (side, size) => Math.min(0, side - size * view.zoom);
    view.x = Math.max(room(scene.clientWidth, layer.clientWidth), Math.min(0, view.x));
    view.y = Math.max(room(scene.clientHeight, layer.clientHeight), Math.min(0, view.y));
    layer.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
    scene.classList.toggle('agrandie', view.zoom > 1);
  };
  const zoomAt = (factor, x, y) => {
    const before = view.zoom;
    if (before === 1 && factor > 1) scene.style.height = `${scene.clientHeight}px`;
    view.zoom = Math.max(1, Math.min(most(), before * factor));
    view.x = x - (x - view.x) * view.zoom / before;
    view.y = y - (y - view.y) * view.zoom / before;
    place();
  };
  const zoom = (factor) => zoomAt(factor, scene.clientWidth / 2, scene.clientHeight / 2);
  // The place in the picture, in its own pixels.
  const inPicture = (event) => {
    const box = svg.getBoundingClientRect();
    const part = (at, from, length, side) => Math.max(0, Math.min(side, (at - from) / length * side));
    return [part(event.clientX, box.left, box.width, width), part(event.clientY, box.top, box.height, height)];
  };

  const button = (words, key, act, go) => {
    const made = document.createElement('button');
    made.type = 'button';
    made.className = 'second';
    made.textContent = words;
    if (key) { made.dataset.touche = key; made.dataset.acte = act; }
    made.addEventListener('click', () => go(made));
    return made;
  };
  const contrast = button('Contraste', 'g', 'Renforcer le contraste à l’écran', (made) => {
    made.setAttribute('aria-pressed', String(scene.classList.toggle('contraste')));
  });
  contrast.setAttribute('aria-pressed', 'false');
  document.querySelector('.outils').append(
    button('Agrandir', 'a', 'Agrandir l’image', () => zoom(1.6)),
    button('Réduire', 'd', 'Réduire l’image', () => zoom(1 / 1.6)),
    contrast,
  );
  const shown = document.getElementById('voir-masques');
  shown.addEventListener('click', (event) => {
    event.preventDefault();
    const now = scene.classList.toggle('masques-vus');
    shown.textContent = now ? 'Cacher le tracé des masques' : 'Montrer le tracé des masques';
  });

  // Rectangles.
  const draw = document.getElementById('tracer');
  const form = document.getElementById('masquer');
  const list = document.getElementById('rectangles');
  const fields = ['gauche', 'haut', 'largeur', 'hauteur'].map((id) => document.getElementById(id));
  form.querySelectorAll('.trace').forEach((part) => { part.hidden = false; });
  let drawing = false;
  let current = null;
  const shape = (rect, kept) => {
    const made = kept || document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    made.setAttribute('class', 'trace-en-cours');
    ['x', 'y', 'width', 'height'].forEach((name, at) => made.setAttribute(name, Math.round(rect[at])));
    if (!kept) svg.append(made);
    return made;
  };
  const show = (rect) => {
    current = current || { rect, shape: shape(rect) };
    current.rect = rect;
    shape(rect, current.shape);
    fields.forEach((field, at) => { field.value = Math.round(rect[at]); });
  };
  const forget = () => {
    if (current) current.shape.remove();
    current = null;
    fields.forEach((field) => { field.value = ''; });
  };
  const keep = () => {
    if (!current || current.rect[2] < 1 || current.rect[3] < 1) return;
    const rect = current.rect.map(Math.round);
    const made = current.shape;
    current = null;
    fields.forEach((field) => { field.value = ''; });
    const item = document.createElement('li');
    const hidden = document.createElement('input');
    hidden.type = 'hidden';
    hidden.name = 'rectangle';
    hidden.value = rect.join(',');
    const words = document.createElement('span');
    words.textContent = `${rect[2]} × ${rect[3]} pixels, à ${rect[0]}, ${rect[1]} `;
    const away = button('Retirer', null, null, () => { made.remove(); item.remove(); draw.focus(); });
    away.className = 'discret';
    item.append(hidden, words, away);
    list.append(item);
  };
  const setDrawing = (on) => {
    drawing = on;
    scene.classList.toggle('trace-active', on);
    draw.setAttribute('aria-pressed', String(on));
    if (on) {
      show([width * 0.4, height * 0.4, width * 0.2, height * 0.2]);
      draw.focus();
      scene.scrollIntoView({ block: 'nearest' });
    } else if (current) forget();
  };
  draw.addEventListener('click', (event) => {
    if (drawing && event.detail === 0) return; // Enter on the button adds the rectangle.
    setDrawing(!drawing);
  });
  draw.addEventListener('keydown', (event) => {
    if (!drawing) return;
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === 'Escape') setDrawing(false);
    else if (event.key === 'Enter') { keep(); show([width * 0.4, height * 0.4, width * 0.2, height * 0.2]); }
    else if (step) {
      const [x, y, w, h] = current ? current.rect : [width * 0.4, height * 0.4, width * 0.2, height * 0.2];
      const [dx, dy] = [step[0] * width / 100, step[1] * height / 100];
      const within = (value, low, high) => Math.max(low, Math.min(high, value));
      show(event.shiftKey
        ? [x, y, within(w + dx, 1, width - x), within(h + dy, 1, height - y)]
        : [within(x + dx, 0, width - w), within(y + dy, 0, height - h), w, h]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  form.addEventListener('submit', () => { if (drawing && current && !current.touched && list.children.length) forget(); });

  let from = null;
  scene.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    const plate = event.target.closest('[data-plaque]');
    if (plate && !drawing) {
      const chosen = document.getElementById(`plaque-${plate.dataset.plaque}`);
      if (chosen) { chosen.checked = true; chosen.focus(); chosen.scrollIntoView({ block: 'center' }); }
      return;
    }
    scene.setPointerCapture(event.pointerId);
    from = drawing ? { at: inPicture(event) } : { x: event.clientX - view.x, y: event.clientY - view.y };
    if (drawing && current) forget();
    event.preventDefault();
  });
  scene.addEventListener('pointermove', (event) => {
    if (!from) return;
    if (from.at) {
      const [x, y] = inPicture(event);
      show([Math.min(x, from.at[0]), Math.min(y, from.at[1]), Math.abs(x - from.at[0]), Math.abs(y - from.at[1])]);
      current.touched = true;
    } else { view.x = event.clientX - from.x; view.y = event.clientY - from.y; place(); }
  });
  const release = () => { if (from && from.at) keep(); from = null; };
  scene.addEventListener('pointerup', release);
  scene.addEventListener('pointercancel', release);
  scene.addEventListener('wheel', (event) => {
    if (!event.ctrlKey && view.zoom === 1 && event.deltaY > 0) return;
    const box = scene.getBoundingClientRect();
    zoomAt(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.clientX - box.left, event.clientY - box.top);
    event.preventDefault();
  }, { passive: false });
})();
