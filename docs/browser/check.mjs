// Opens pages of the report in a headless Chromium, and says what is wrong with them; exit code 1 where something is.
//
//   npm install --prefix DIR playwright axe-core
//   BROWSER_MODULES=DIR/node_modules CHROMIUM=/usr/bin/chromium node docs/browser/check.mjs PAGE… [-shots DIR]
//
// For each page, light and dark, 390 and 1,280 px wide: nothing overflows, the console is silent, nothing is asked of any
// network, and axe finds no serious or critical violation. Then what a reader does: switches of the axes, a table sorted
// and copied, a point pointed at, an anchor followed, the page printed, and all of it without JavaScript.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const require = createRequire(path.resolve(process.env.BROWSER_MODULES ?? "node_modules") + "/");
const { chromium } = require("playwright");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const pages = [];
let shots = "";
for (let i = 2; i < process.argv.length; i++) {
  if (process.argv[i] === "-shots") shots = process.argv[++i];
  else pages.push(path.resolve(process.argv[i]));
}

let wrong = 0;
const report = (what, ...more) => { wrong++; console.log("WRONG", what, ...more); };
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || undefined, args: ["--no-sandbox"] });

// open opens a page whose console and requests are watched.
async function open(file, options, where) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) report(`${where}: console: ${m.text()}`); });
  page.on("pageerror", (e) => report(`${where}: ${e}`));
  page.on("request", (r) => { if (r.url() !== "file://" + file) report(`${where}: asks for ${r.url()}`); });
  await page.goto("file://" + file);
  return page;
}

async function look(file) {
  const name = path.basename(path.dirname(file)) + "/" + path.basename(file);
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [390, 1280]) {
      const where = `${name} ${colorScheme} ${width}`;
      const options = { colorScheme, viewport: { width, height: width < 500 ? 844 : 900 } };
      const page = await open(file, options, where);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (over > 0) report(`${where}: ${over} px wider than the screen`);
      if (shots) await page.screenshot({ path: path.join(shots, where.replaceAll(/[ /]/g, "-") + ".png"), fullPage: true });
      await page.context().close();
      // The page's own policy keeps axe out: it is put aside for axe alone.
      const bypassed = await (await browser.newContext({ ...options, bypassCSP: true })).newPage();
      await bypassed.goto("file://" + file);
      await bypassed.evaluate(axe);
      const { violations, passes } = await bypassed.evaluate(() => window.axe.run());
      for (const v of violations) {
        const said = `${where}: axe ${v.impact}: ${v.id} at ${v.nodes.length}: ${v.nodes[0].html.slice(0, 160)}`;
        if (["serious", "critical"].includes(v.impact)) report(said);
        else console.log("note", said);
      }
      console.log(`${where}: axe passed ${passes.length} rules, ${violations.length} violated`);
      await bypassed.context().close();
    }
  }
}

const seen = (page, selector) => page.locator(selector).evaluateAll((all) => all.filter((e) => e.checkVisibility()).length);

async function use(file) {
  const name = path.basename(path.dirname(file)) + "/" + path.basename(file);
  const page = await open(file, { viewport: { width: 1280, height: 900 }, permissions: ["clipboard-read", "clipboard-write"] }, name);
  if (await page.locator("#scale-linear").count()) {
    const before = [await seen(page, ".drawing.log"), await seen(page, ".drawing.linear")];
    await page.locator("#scale-linear").check();
    const after = [await seen(page, ".drawing.log"), await seen(page, ".drawing.linear")];
    if (!(before[0] > 0 && before[1] === 0 && after[0] === 0 && after[1] === before[0])) report(`${name}: scales`, before, after);
  }
  if (await page.locator("#basis-gpu").count()) {
    await page.locator("#basis-gpu").check();
    if (await seen(page, ".drawing.total") !== 0 || await seen(page, ".drawing.gpu") === 0) report(`${name}: per GPU shows totals`);
  }
  const table = page.locator("#results .caption + .table:has(tbody tr:nth-child(2)) table").first();
  const column = () => table.locator("tbody tr td:nth-child(2)").evaluateAll((all) => all.map((e) => Number(e.dataset.n)));
  if (await table.count()) { // of one level alone there is nothing to sort
    const button = table.locator("thead th:nth-child(2) button");
    await button.click();
    const up = await column();
    await button.click();
    const down = await column();
    if (up.length < 2 || up.some((x, i) => i && x < up[i - 1]) || down.some((x, i) => i && x > down[i - 1])) report(`${name}: sorted`, up, down);
    await page.locator("#results .caption + .table:has(tbody tr:nth-child(2)) + .copy").first().click();
    await page.waitForTimeout(100);
    const csv = await page.evaluate(() => navigator.clipboard.readText());
    if (csv.trim().split("\n").length !== up.length + 1 || !csv.includes(String(down[0]))) report(`${name}: CSV`, csv);
  }
  const hit = page.locator(".hit:visible").first();
  await hit.scrollIntoViewIfNeeded();
  await hit.hover({ force: true });
  const tip = await page.locator("#tip").textContent();
  if (!tip || !(await page.locator("#tip").isVisible())) report(`${name}: pointing at a point shows nothing`);
  else console.log(`${name}: pointing shows`, JSON.stringify(tip));
  const anchors = await page.locator('a[href^="#"]').evaluateAll((all) => all.filter((a) => !document.getElementById(a.hash.slice(1))).length);
  if (anchors) report(`${name}: ${anchors} links lead nowhere`);
  await page.emulateMedia({ media: "print" });
  if (await seen(page, ".switches, nav, .copy")) report(`${name}: printed with its buttons`);
  await page.setViewportSize({ width: 720, height: 1000 }); // a sheet of A4 between its margins
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (beyond > 0) report(`${name}: printed ${beyond} px wider than a sheet`);
  await page.setViewportSize({ width: 1280, height: 900 });
  if (shots) await page.screenshot({ path: path.join(shots, "print.png"), clip: { x: 0, y: 0, width: 1280, height: 1800 }, fullPage: true });
  await page.context().close();

  const plain = await open(file, { javaScriptEnabled: false, viewport: { width: 1280, height: 900 } }, name + " without JavaScript");
  const sections = await plain.locator("main section").count();
  if (sections < 15 || await plain.locator(".copy").count()) report(`${name}: without JavaScript ${sections} sections, or dead buttons`);
  if (await plain.locator("#scale-linear").count()) {
    await plain.locator("#scale-linear").click(); // check() asks the page's script
    if (!(await plain.locator(".drawing.linear.wide").first().isVisible())) report(`${name}: the switch needs JavaScript`);
  }
  await plain.context().close();
}

for (const file of pages) {
  await look(file);
  await use(file);
}
await browser.close();
console.log(wrong ? `${wrong} things are wrong` : `${pages.length} pages, nothing is wrong`);
process.exit(wrong ? 1 : 0);
