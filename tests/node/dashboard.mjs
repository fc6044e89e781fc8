// Checks the dashboard in a real browser: light, dark and on a phone, with axe and by keyboard.
//
//   node dashboard.mjs BROWSER FOLDER ORIGIN NAME@PATH… [--retry]
//
// Saves a picture of every page in FOLDER. With --retry it retries the first dead letter by keyboard, after a page of
// another site has tried to. Prints one line for each fault and exits 1. Exits 2 if a step did not end in time.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const MODES = {
  light: { colorScheme: 'light', viewport: { width: 1280, height: 960 } },
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 960 } },
  phone: { colorScheme: 'light', viewport: { width: 360, height: 740 } },
};
const LONGEST_STEP_MS = 120_000;
const QUIET = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const [browserPath, folder, origin, ...rest] = process.argv.slice(2);
const pages = rest.filter((argument) => !argument.startsWith('--')).map((argument) => argument.split('@'));

// Each step has a time limit. All steps together have none, because a busy machine may be slow. The browser ends with
// this process.
let current = 'the start of the browser';
const watchdog = setTimeout(() => {
  console.log(`${current} did not end within ${LONGEST_STEP_MS / 1000} s`);
  process.exit(2);
}, LONGEST_STEP_MS).unref();

/** Names the step that begins now, and restarts the time limit. */
function step(what) {
  current = what;
  watchdog.refresh();
}

const wrong = [];
const holds = (condition, what) => { if (!condition) wrong.push(what); };

/** A page that collects warnings, errors, dialogs and requests to other origins. */
async function open(browser, mode) {
  const context = await browser.newContext(mode);
  context.setDefaultTimeout(LONGEST_STEP_MS);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`));
  page.on('dialog', async (dialog) => { complaints.push(`a dialog: ${dialog.message()}`); await dialog.dismiss(); });
  page.on('request', (request) => {
    const { protocol, origin: from } = new URL(request.url());
    if (protocol !== 'data:' && from !== origin) complaints.push(`${request.url()} was requested`);
  });
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective}`));
  });
  return { context, page, complaints };
}

/** Checks that the page is no wider than its window. */
async function fits(page, where) {
  step(`${where}: the width`);
  const { whole, seen } = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return { whole: scrollWidth, seen: clientWidth };
  });
  holds(whole <= seen, `${where}: ${whole} px wide in a window of ${seen} px`);
}

async function isAccessible(page, where) {
  step(`${where}: axe`);
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() => axe.run(document));
  holds(passes.length > 0, `${where}: axe looked at nothing`);
  for (const { id, help, nodes } of violations) {
    const places = nodes.slice(0, 3).map((node) => node.html.slice(0, 200));
    wrong.push(`${where}: axe ${id}: ${help}: ${places.join(' ')}`);
  }
}

/** Checks that submitted names appear as text: they made no element, and no script of theirs ran. */
async function isHarmless(page, where) {
  step(`${where}: the search for injected elements`);
  const found = await page.evaluate(() => ({
    ran: globalThis.ran,
    made: document.querySelectorAll('script, img, iframe, object, embed, base, [onload], [onerror]').length,
    steers: /[\u0000-\u0008\u202a-\u202e\u2066-\u2069]/.test(document.documentElement.textContent),
  }));
  holds(found.ran === undefined, `${where}: an injected script ran`);
  holds(found.made === 0, `${where}: a submitted name made an element`);
  holds(!found.steers, `${where}: the page has characters that steer text`);
}

/**
 * Checks that a chart which scrolls shows its newest period first, that the words of short names are not broken, and that
 * a label of two lines has room.
 */
async function isReadable(page, where) {
  step(`${where}: the charts and labels`);
  const { old, broken, crowded } = await page.evaluate(() => {
    const isOld = (box) => box.firstElementChild.getBoundingClientRect().right > box.getBoundingClientRect().right + 1;
    const old = [...document.querySelectorAll('.chart-over-time')].filter(isOld).length;
    const broken = [];
    for (const cell of document.querySelectorAll('td:is([data-label="Env"], [data-label="Team"], [data-label="Source"])')) {
      const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        for (const { 0: word, index } of texts.currentNode.data.matchAll(/\S{1,12}(?!\S)/g)) {
          const range = document.createRange();
          range.setStart(texts.currentNode, index);
          range.setEnd(texts.currentNode, index + word.length);
          if (range.getClientRects().length > 1) broken.push(word);
        }
      }
    }
    const cell = [...document.querySelectorAll('.cards td[data-label]')].find((cell) => cell.checkVisibility());
    if (!cell || getComputedStyle(cell, '::before').content === 'none') return { old, broken, crowded: false };
    const { label } = cell.dataset;
    cell.dataset.label = 'a label that is much wider than its place beside the value';
    const height = cell.getBoundingClientRect().height;
    cell.dataset.label = label;
    return { old, broken, crowded: height <= cell.getBoundingClientRect().height };
  });
  holds(old === 0, `${where}: ${old} charts do not begin with their newest period`);
  holds(broken.length === 0, `${where}: broken words: ${broken.join(' ')}`);
  holds(!crowded, `${where}: a label of several lines overlaps the next one`);
}

/** Checks that the Tab key reaches every control, and that the focus is visible and inside the window. */
async function worksByKeyboard(page, where) {
  const controls = await page.evaluate(() => {
    const kinds = 'a[href]:not([tabindex="-1"]), button, summary, select, input:not([type=hidden]), [tabindex="0"]';
    const shown = [...document.querySelectorAll(kinds)].filter((control) => control.checkVisibility());
    shown.forEach((control, index) => { control.dataset.control = index; });
    document.activeElement?.blur();
    return shown.map((control) => control.outerHTML.slice(0, 120));
  });
  const reached = new Set();
  for (let n = 0; n < controls.length + 5 && reached.size < controls.length; n += 1) {
    step(`${where}: Tab number ${n + 1}`);
    await page.keyboard.press('Tab');
    const focus = await page.evaluate(() => {
      const control = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(control);
      const { width, height, left, right, top, bottom } = control.getBoundingClientRect();
      const isInView = right > 0 && left < innerWidth && bottom > 0 && top < innerHeight;
      return {
        control: control.dataset.control,
        isMarked: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
        isInView: width > 0 && height > 0 && isInView,
      };
    });
    if (focus.control === undefined) continue;
    reached.add(Number(focus.control));
    holds(focus.isMarked, `${where}: the focus cannot be seen on ${controls[focus.control]}`);
    holds(focus.isInView, `${where}: the focus is outside of the window on ${controls[focus.control]}`);
  }
  controls.forEach((control, index) => holds(reached.has(index), `${where}: no Tab reaches ${control}`));
}

/** The part of the page that README shows: down to the charts, else the first screen. */
function top(page) {
  return page.evaluate(() => {
    const section = document.querySelector('[aria-labelledby="charts"]');
    const height = section ? section.getBoundingClientRect().bottom + scrollY + 24 : innerHeight;
    return { x: 0, y: 0, width: innerWidth, height };
  });
}

async function look(browser, name, mode) {
  const { context, page, complaints } = await open(browser, mode);
  for (const [title, path] of pages) {
    const where = `${title}, ${name}`;
    step(`${where}: loading`);
    const response = await page.goto(origin + path);
    holds(response.status() === 200, `${where}: ${response.status()}`);
    step(`${where}: the pictures`);
    await page.screenshot({ path: `${folder}/${title}-${name}.png`, fullPage: true });
    await page.screenshot({ path: `${folder}/${title}-${name}-top.png`, fullPage: true, clip: await top(page) });
    await fits(page, where);
    await isHarmless(page, where);
    await isReadable(page, where);
    await worksByKeyboard(page, where);
    await page.evaluate(() => { for (const details of document.querySelectorAll('details')) details.open = true; });
    await fits(page, `${where}, opened`);
    await isAccessible(page, `${where}, opened`);
    holds(complaints.length === 0, `${where}: ${complaints.splice(0).join('; ')}`);
  }
  await context.close();
}

/** Checks that a form of another site is refused, even with the right token. */
async function forged(browser, action, token) {
  step('the form of another site');
  const site = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html');
    const field = `<input name=token value="${token}">`;
    answer.end(`<form method=post action="${origin}${action}">${field}<button>Win</button></form>`);
  });
  await new Promise((ready) => site.listen(0, 'localhost', ready));
  const context = await browser.newContext();
  context.setDefaultTimeout(LONGEST_STEP_MS);
  const page = await context.newPage();
  await page.goto(`http://localhost:${site.address().port}/`);
  const answered = page.waitForResponse((response) => response.url() === origin + action);
  const [response] = await Promise.all([answered, page.click('button')]);
  holds(response.status() === 403, `a forged form was answered ${response.status()}`);
  await context.close();
  site.close();
}

async function retries(browser) {
  const { context, page, complaints } = await open(browser, MODES.light);
  await page.goto(`${origin}/outbox?state=dead`);
  const form = page.locator('td form[action$="/retry"]:not([action*="/group/"])').first();
  const action = await form.getAttribute('action');
  await forged(browser, new URL(action, page.url()).pathname, await form.locator('[name=token]').inputValue());
  step('the retry by keyboard');
  const focused = () => page.evaluate(() => document.activeElement.form?.getAttribute('action'));
  const isThere = async () => (await focused()) === action;
  for (let n = 0; n < 200 && !(await isThere()); n += 1) await page.keyboard.press('Tab');
  holds(await isThere(), 'no Tab reaches the retry');
  const [posted] = await Promise.all([
    page.waitForResponse((response) => response.request().method() === 'POST'),
    page.waitForURL(`${origin}/outbox`),
    page.keyboard.press('Enter'),
  ]);
  holds(posted.status() === 303, `the retry was answered ${posted.status()}`);
  // Reloading the page does not send the form again.
  const again = await page.reload();
  holds(again.request().method() === 'GET' && again.status() === 200, 'the page after a retry cannot be reloaded');
  holds(complaints.length === 0, `retry: ${complaints.join('; ')}`);
  await context.close();
}

const browser = await chromium.launch({ executablePath: browserPath, args: QUIET, timeout: LONGEST_STEP_MS });
try {
  for (const [name, mode] of Object.entries(MODES)) await look(browser, name, mode);
  if (rest.includes('--retry')) await retries(browser);
} finally {
  await browser.close();
}
for (const what of wrong) console.log(what);
process.exit(wrong.length === 0 ? 0 : 1);
