// @ts-check
// What moves in the console: the live table, countdowns, the dialog, and keys. Pages work without.

/** @typedef {{k:string,s:string,e:number,d:number,w:string,c:string,t:number,n:string,q:number,o:string,b:boolean}} Row */
/** @typedef {{now:number,put?:Row[],del?:string[],order?:string[],matching:number,totals:Record<string,number>,filled:boolean}} Message */

/** @returns {any} */
const $ = (/** @type {string} */ s, /** @type {ParentNode} */ at = document) => at.querySelector(s);
const one = $('#one'), rows = $('#rows'), live = $('#live'), lost = $('#lost'), dialog = $('#dialog');
let skew = Number(document.body.dataset.now) - Date.now();
let stale = false;

const span = (/** @type {number} */ ms) => {
  const s = Math.max(0, Math.ceil(ms / 1000));
  return s < 120 ? s + ' s' : s < 7200 ? Math.floor(s / 60) + ' min' : s < 172800 ? Math.floor(s / 3600) + ' h' : Math.floor(s / 86400) + ' d';
};

// Countdowns.

function tick(/** @type {any} */ el) {
  const now = Date.now() + skew, end = Number(el.dataset.e), left = $('.left', el), bar = $('.bar', el);
  const held = $('.held span', el);
  if (held) held.textContent = span(now - Number(el.dataset.t));
  if (!left) return;
  bar.hidden = end < 0;
  left.textContent = end < 0 ? '∞' : span(end - now);
  if (end < 0) return el.classList.remove('low');
  const part = Math.min(1, Math.max(0, (end - now) / 1000 / (Number(el.dataset.d) || 60)));
  el.classList.toggle('low', part < 1 / 3);
  left.title = part < 1 / 3 ? 'less than a third of its time is left' : '';
  bar.firstElementChild.style.transform = 'scaleX(' + part + ')';
}
function tickAll() {
  if (stale) return;
  if (rows) for (const tr of rows.children) if (!tr.classList.contains('gone')) tick(tr);
  if (one && $('.left', one)) tick(one);
}
tickAll();
setInterval(tickAll, 1000);

// The live table.

const find = (/** @type {string} */ k) => rows.querySelector('tr[data-k="' + CSS.escape(k) + '"]');

function put(/** @type {Row} */ r) {
  let tr = find(r.k);
  if (!tr) {
    tr = $('#row').content.firstElementChild.cloneNode(true);
    tr.dataset.k = r.k;
    tr.className = 'fresh';
    const at = r.k.indexOf('/');
    $('.dir', tr).textContent = r.k.slice(0, at + 1);
    const base = [...r.k.slice(at + 1)];
    $('.mid', tr).textContent = base.slice(0, -20).join('');
    $('.base', tr).textContent = base.slice(-20).join('');
    const link = 'name=' + encodeURIComponent(r.k), a = $('th a', tr);
    a.href = '/lease?' + link;
    a.title = r.k;
    const b = $('.break', tr);
    b.href = '/break?' + link;
    b.setAttribute('aria-label', 'Break ' + r.k);
    $('input', tr).setAttribute('aria-label', 'Select ' + r.k);
    rows.append(tr);
  }
  tr.classList.remove('gone');
  Object.assign(tr.dataset, { e: r.e, d: r.d, t: r.t, n: r.n });
  const tag = $('.tag', tr), holder = $('.holder', tr), orphan = $('.orphan', tr);
  tag.textContent = r.s;
  tag.hidden = r.s === 'leased';
  holder.title = r.c;
  holder.children[0].textContent = r.w;
  holder.children[1].textContent = r.c;
  orphan.hidden = !r.o;
  orphan.title = r.o;
  $('.waiting', tr).textContent = r.q || '';
  for (const el of [$('.break', tr), $('input', tr)]) if (el) el.hidden = !r.b;
  tick(tr);
}

let pointer = false, wanted = /** @type {string[]|null} */ (null);
function arrange() {
  if (!wanted || pointer) return;
  const order = new Map(wanted.map((k, i) => [k, i]));
  wanted = null;
  const sorted = [...rows.children].sort((a, b) => (order.get(a.dataset.k) ?? 1e9) - (order.get(b.dataset.k) ?? 1e9));
  sorted.forEach((tr, i) => { if (rows.children[i] !== tr) rows.insertBefore(tr, rows.children[i] ?? null); });
}

let spoken = 0;
function apply(/** @type {Message} */ m, /** @type {boolean} */ reset) {
  skew = m.now - Date.now();
  if (reset) {
    const keep = new Set((m.put ?? []).map(r => r.k));
    for (const tr of [...rows.children]) if (!keep.has(tr.dataset.k)) tr.remove();
  }
  (m.put ?? []).forEach(put);
  for (const k of m.del ?? []) {
    const tr = find(k);
    if (!tr) continue;
    tr.classList.add('gone');
    setTimeout(() => { if (tr.classList.contains('gone')) { tr.remove(); chosen(); } }, 1500);
  }
  if (m.order) { wanted = m.order; arrange(); }
  const t = m.totals;
  $('#matching').textContent = String(m.matching);
  $('#totals').textContent = `${t.Finite} finite · ${t.Infinite} infinite · ${t.Breaking} breaking · ${t.Waiting} waiting`;
  $('#totals').setAttribute('aria-live', Date.now() - spoken > 10000 ? 'polite' : 'off');
  if (Date.now() - spoken > 10000) spoken = Date.now();
  const filling = $('#filling');
  if (filling && m.filled) filling.remove();
  $('#empty').hidden = m.matching > 0 || rows.children.length > 0;
  $('#leases').hidden = !$('#empty').hidden;
  chosen();
}

/** @type {EventSource|null} */
let source = null;
let last = Date.now(), began = 0;
function mark(/** @type {boolean} */ on) {
  stale = !on;
  document.body.classList.toggle('stale', stale);
  live.className = 'live ' + (on ? 'on' : 'off');
  live.lastElementChild.textContent = on ? 'live' : 'stale';
  lost.hidden = on;
  if (!on) lost.textContent = 'No connection: shown as of ' + new Date(last).toLocaleTimeString() + '. Trying again.';
}
function open() {
  source?.close();
  began = Date.now();
  source = new EventSource('/events' + (one ? '?rows=500&q=' + encodeURIComponent(one.dataset.k) : location.search));
  for (const kind of ['reset', 'change', 'beat']) source.addEventListener(kind, e => {
    last = Date.now();
    const m = JSON.parse(/** @type {MessageEvent} */ (e).data);
    if (rows) apply(m, kind === 'reset');
    else follow(m);
    mark(true);
  });
  source.onerror = () => {
    mark(false);
    source?.close();
    source = null;
    setTimeout(() => { if (!source && !document.hidden) check(); }, 1000);
  };
}
// A session that is over must lead to the sign-in page, not to endless attempts.
async function check() {
  const r = await fetch('/health', { redirect: 'manual' }).catch(() => null);
  if (r && (r.type === 'opaqueredirect' || r.status === 401)) return location.assign('/sign-in');
  open();
}
// The page of one lease counts with its renewals, and is loaded again when something else happens to it.
function follow(/** @type {Message} */ m) {
  skew = m.now - Date.now();
  const r = (m.put ?? []).find(x => x.k === one.dataset.k);
  if (r && r.n === one.dataset.n && r.s === one.dataset.s) one.dataset.e = String(r.e);
  else if (r || one.dataset.n && (m.del ?? []).includes(one.dataset.k)) location.reload();
}
if (live) {
  open();
  setInterval(() => { if (source && Date.now() - Math.max(last, began) > 25000) { mark(false); open(); } }, 1000);
  let hide = 0;
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hide);
    if (document.hidden) hide = setTimeout(() => { source?.close(); source = null; mark(false); }, 30000);
    else if (!source) open();
  });
  const table = $('#leases');
  if (table) table.addEventListener('pointerenter', () => { pointer = true; });
  if (table) table.addEventListener('pointerleave', () => { pointer = false; arrange(); });
}

// Selection and the dialog.

const boxes = () => [...rows.querySelectorAll('.pick input')].filter(b => !b.hidden);
const selected = () => boxes().filter(b => b.checked).map(b => b.closest('tr'));
function chosen() {
  const n = selected().length;
  $('#count').textContent = String(n);
  $('#selection').hidden = n === 0;
}
/** @type {any} */
let opener = null;
function ask(/** @type {any[]} */ trs) {
  if (stale || trs.length === 0) return;
  opener = document.activeElement;
  const single = trs.length === 1, key = trs[0].dataset.k, form = $('form', dialog);
  form.reset();
  form.querySelectorAll('[name=item]').forEach((/** @type {any} */ i) => i.remove());
  for (const tr of trs) form.append(Object.assign(document.createElement('input'), { type: 'hidden', name: 'item', value: tr.dataset.n + ' ' + tr.dataset.k }));
  const waiting = Number($('.waiting', trs[0]).textContent) || 0;
  $('#dtitle').textContent = single ? 'Break ' + key + '?' : 'Break ' + trs.length + ' leases?';
  $('#dwhy').textContent = single
    ? `Its holder ${$('.holder span', trs[0]).textContent} has had it for ${$('.held span', trs[0]).textContent}. It loses the lease and is not told: work that relies on it may run twice.`
      + (waiting ? ` ${waiting} wait${waiting === 1 ? 's' : ''}; the first gets it at once.` : '')
    : 'Their holders lose them and are not told. One that changes hands meanwhile is left alone, and named.';
  const list = $('#dlist');
  list.hidden = single;
  list.replaceChildren(...trs.map(tr => Object.assign(document.createElement('li'), { textContent: tr.dataset.k })));
  $('#dname').textContent = single ? key : 'break ' + trs.length;
  $('#dok').textContent = single ? 'Break ' + key + ' now' : 'Break ' + trs.length + ' leases now';
  $('#dok').disabled = true;
  $('#dok').hidden = false;
  $('#dcancel').textContent = 'Cancel';
  $('#dresult').replaceChildren();
  dialog.showModal();
  $('#dtype').focus();
}
if (dialog) {
  const form = $('form', dialog), type = $('#dtype'), ok = $('#dok');
  type.addEventListener('input', () => { ok.disabled = stale || type.value !== $('#dname').textContent; });
  $('#dcancel').addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => { opener?.focus?.(); });
  form.addEventListener('submit', async (/** @type {Event} */ e) => {
    e.preventDefault();
    if (ok.disabled || type.value !== $('#dname').textContent) return;
    ok.disabled = true;
    const data = new URLSearchParams(/** @type {any} */ (new FormData(form)));
    data.set('token', document.body.dataset.token ?? '');
    const r = await fetch('/break', { method: 'POST', headers: { Accept: 'application/json' }, body: data }).catch(() => null);
    const answer = r ? await r.json().catch(() => null) : null;
    const results = answer?.results ?? [{ name: '', ok: false, message: answer?.message ?? 'No answer: look whether the lease is still there before you try again.' }];
    $('#dresult').replaceChildren(...results.map((/** @type {any} */ o) => Object.assign(document.createElement('span'),
      { className: o.ok ? 'good' : 'no', textContent: (results.length > 1 ? o.name + ' — ' : '') + o.message + ' ' })));
    ok.hidden = true;
    $('#dcancel').textContent = 'Close';
    $('#dcancel').focus();
    boxes().forEach(b => { b.checked = false; });
    chosen();
  });
  rows.addEventListener('click', (/** @type {any} */ e) => {
    const b = e.target.closest('.break');
    if (!b) return;
    e.preventDefault();
    ask([b.closest('tr')]);
  });
  rows.addEventListener('change', chosen);
  $('#all').addEventListener('change', (/** @type {any} */ e) => { boxes().forEach(b => { b.checked = e.target.checked; }); chosen(); });
  $('#bulk').addEventListener('click', () => ask(selected()));
  $('#csv').addEventListener('click', () => navigator.clipboard.writeText(['name,holder,held', ...selected().map(tr =>
    [tr.dataset.k, $('.holder span', tr).textContent, $('.held span', tr).textContent]
      .map(x => '"' + (/^[=+\-@]/.test(x) ? "'" : '') + x.replaceAll('"', '""') + '"').join(','))].join('\n')));
  if (matchMedia('(max-width: 640px)').matches) $('.filters').open = false;
}

// Keys; none inside a field.

let at = -1;
function go(/** @type {number} */ to) {
  const all = [...rows.children];
  all[at]?.classList.remove('at');
  at = Math.max(0, Math.min(all.length - 1, to));
  all[at]?.classList.add('at');
  $('th a', all[at] ?? document)?.focus();
}
addEventListener('keydown', e => {
  const target = /** @type {any} */ (e.target);
  if (!rows || dialog.open || e.ctrlKey || e.metaKey || e.altKey || target.closest('input:not([type=checkbox]),select,textarea')) return;
  const focused = target.closest?.('#rows tr') ?? rows.children[at];
  switch (e.key) {
    case '/': $('.filters').open = true; $('[name=q]').focus(); break;
    case 'j': go(at + 1); break;
    case 'k': go(at - 1); break;
    case 'x': { const box = focused && $('.pick input', focused); if (!box) return; box.checked = !box.checked; chosen(); break; }
    case 'b': if (!focused || !$('.break', focused) || $('.break', focused).hidden) return; ask([focused]); break;
    default: return;
  }
  e.preventDefault();
});
