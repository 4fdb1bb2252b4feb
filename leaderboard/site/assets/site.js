// What the pages do beyond being read: draw figures when they come into view, sort and filter tables, open a record.
// Vega (figures) and DataTables (tables) do the work; texts of records are only ever set as text.
"use strict";

const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const json = (element) => JSON.parse(element.textContent);
const escaped = (text) => element("i", text).innerHTML;

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Figures ------------------------------------------------------------------------------------------------------------

const views = new Map();

function draw(figure) {
  if (views.has(figure)) return;
  const spec = json(figure.querySelector("script"));
  const plot = figure.querySelector(".plot");
  plot.replaceChildren();
  const view = new vega.View(vega.parse(spec), { renderer: "svg", container: plot, hover: true });
  views.set(figure, view.tooltip(showTip));
  view.run();
}

function showTip(handler, event, item, text) {
  const tip = document.querySelector(".tip") || document.body.appendChild(element("div", "", { class: "tip", role: "tooltip" }));
  tip.hidden = !text;
  tip.textContent = text || "";
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const above = event.clientY + 18 + tip.offsetHeight > innerHeight;
  tip.style.left = `${Math.max(left, 8)}px`;
  tip.style.top = `${above ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18}px`;
}

function figures() {
  const inView = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
      inView.unobserve(entry.target);
      draw(entry.target);
    }),
    { rootMargin: "300px" },
  );
  all("figure.chart").forEach((figure) => inView.observe(figure));
  addEventListener("beforeprint", () => all("figure.chart").forEach(draw));
}

// Tables: filter, order and choice of methods are in the address -----------------------------------------------------

const switches = new URLSearchParams(location.search);

function keep(name, value) {
  if (value) switches.set(name, value);
  else switches.delete(name);
  const query = switches.size ? `?${switches}` : "";
  history.replaceState(null, "", `${location.pathname}${query}${location.hash}`);
}

// On a phone a row is a card: every cell has the name of its column.
function named(row, table) {
  [...row.cells].forEach((cell, at) => (cell.dataset.label = table.tHead.rows[0].cells[at].textContent));
}

function tables() {
  all("table.sortable").forEach((table, number) => {
    const [text, order] = [`filter${number || ""}`, `order${number || ""}`];
    const [column, direction] = (switches.get(order) || "").split(" ");
    const sound = ["asc", "desc"].includes(direction) && Number(column) < table.rows[0].cells.length;
    const made = new DataTable(table, {
      paging: false, info: false, order: sound ? [[Number(column), direction]] : [], autoWidth: false, orderMulti: false,
      search: { search: switches.get(text) || "" },
      layout: { topStart: table.rows.length > 4 ? "search" : null, topEnd: null, bottomStart: null, bottomEnd: null },
      language: { search: "Filter", zeroRecords: "No row has this text" },
    });
    made.on("search", () => keep(text, made.search()));
    made.on("order", () => keep(order, made.order().map(([at, way]) => (way ? `${at} ${way}` : ""))[0]));
    nameFilter(table);
  });
  all(".facets").forEach(facets);
}

// A choice for each property that tells the methods of a page apart. Rows of other methods are hidden.
function facets(place) {
  const rows = all("tr[data-isolation]");
  const apply = () => rows.forEach((row) => {
    row.hidden = all("select", place).some(({ name, value }) => value && (row.dataset[name] || "not known") !== value);
  });
  for (const name of ["family", "year", "lane", "isolation"]) {
    const values = [...new Set(rows.map((row) => row.dataset[name] || "not known"))].sort();
    if (values.length < 2) continue;
    const select = element("select", undefined, { name, id: `only-${name}` });
    select.append(element("option", "all", { value: "" }), ...values.map((value) => element("option", value, { value })));
    select.value = values.includes(switches.get(name)) ? switches.get(name) : "";
    select.addEventListener("change", () => {
      keep(name, select.value);
      apply();
    });
    const item = element("span");
    item.append(element("label", `${name[0].toUpperCase()}${name.slice(1)}`, { for: select.id }), " ", select);
    place.append(item);
    place.hidden = false;
  }
  apply();
}

// A page has several tables: each filter says which one it is of, to those who do not see where it stands.
function nameFilter(table) {
  const label = table.closest(".dt-container").querySelector(".dt-search label");
  const name = table.closest("[aria-label]").getAttribute("aria-label");
  if (label) label.append(element("span", `: ${name}`, { class: "sr" }));
}

// Records ------------------------------------------------------------------------------------------------------------

const shards = {};

// Every shard calls this with its records, by hash.
function prunemarkRecords(records) {
  Object.assign(shards, records);
}

function recordList(table) {
  const index = json(document.getElementById("record-index"));
  const words = (kind) => (number, type) => (type === "display" ? escaped(index[kind][number]) : index[kind][number]);
  new DataTable(table, {
    data: index.rows, order: [], autoWidth: false, pageLength: 25, lengthMenu: [25, 100, 500],
    columns: [
      { data: 0, render: (hash, type) => (type === "display" ? `<a href="#${hash}"><code>${hash}</code></a>` : hash) },
      { data: 1, render: words("methods"), className: "words" },
      { data: 2, render: words("setups"), className: "words" },
      { data: 3, render: words("levels"), className: "words" },
      { data: 4 },
      { data: 5, render: words("statuses"), className: "words" },
      { data: 6, render: (number, type) => (type === "display" ? (number === null ? "" : number.toFixed(2)) : number) },
    ],
    createdRow: (row) => named(row, table),
    layout: { topStart: "search", topEnd: "pageLength", bottomStart: "info", bottomEnd: "paging" },
    language: { search: "Filter", zeroRecords: "No record has this text", lengthMenu: "_MENU_ a page", info: "_START_ to _END_ of _TOTAL_", infoFiltered: "(of _MAX_)", infoEmpty: "none" },
  });
  nameFilter(table);
  const open = () => openRecord(index, fragment());
  addEventListener("hashchange", open);
  open();
}

function fragment() {
  const given = location.hash.slice(1);
  try {
    return decodeURIComponent(given);
  } catch {
    return given; // such as #%, which is no encoded text
  }
}

function openRecord(index, hash) {
  const place = document.getElementById("record");
  const row = hash.length >= 8 && index.rows.find((row) => hash.startsWith(row[0]) || row[0].startsWith(hash));
  place.hidden = !row && (!hash || document.getElementById(hash) !== null); // a fragment of the page, such as #main
  if (place.hidden) return;
  if (!row) return showMissing(place, hash);
  const show = () => {
    const sha256 = Object.keys(shards).find((known) => known.startsWith(row[0]));
    showRecord(place, sha256, shards[sha256], index.pages[row[1]]);
  };
  if (Object.keys(shards).some((known) => known.startsWith(row[0]))) return show();
  const script = element("script", undefined, { src: `${index.folder}/${String(row[7]).padStart(3, "0")}.js` });
  script.addEventListener("load", show);
  script.addEventListener("error", () => place.replaceChildren(element("p", `${script.src} is missing: the site is not whole.`, { role: "alert" })));
  document.head.append(script);
}

function showMissing(place, hash) {
  const newer = json(document.getElementById("record-superseded"))[hash.slice(0, 12)];
  const why = element("p");
  if (newer) why.append("That trial was run again. ", element("a", `Record ${newer} took its place`, { href: `#${newer}` }));
  else why.append("It may be of ", element("a", "another track", { href: "records.html" }), ", or ", element("a", "left out", { href: "left-out.txt" }), ", or of another board.");
  const heading = element("h2", `No record ${hash} on this board`, { tabindex: "-1" });
  place.replaceChildren(heading, why);
  heading.focus();
}

function showRecord(place, sha256, { command, note, record }, page) {
  const { outcome, observed } = record;
  const invalid = json(document.getElementById("record-invalid"))[sha256.slice(0, 12)];
  const heading = element("h2", `${outcome.method.name}, ${outcome.setup}, level ${outcome.level}, seed ${outcome.seed}`, { tabindex: "-1" });
  const links = element("p");
  links.append(element("a", "About the method", { href: page }), " · ", element("a", "Close", { href: "#" }));
  place.replaceChildren(
    heading,
    element("p", sha256, { class: "identifier caption" }),
    facts(outcome, observed),
    ...(invalid ? [element("p", `Invalidated: ${invalid}. It does not count.`)] : []),
    ...(outcome.failure ? [element("p", `${outcome.status}: ${outcome.failure.evidence}`)] : []),
    element("h3", "Run it again"), element("pre", command, { tabindex: "0", role: "group", "aria-label": "Command" }),
    ...(/ --seeds \d+,/.test(command) ? [element("p", `The comma makes the seed a list of one: ${outcome.seed} without it would be a number of seeds.`, { class: "caption" })] : []),
    ...(note ? [element("p", note, { class: "caption" })] : []),
    element("h3", "What was determined"), definitions(outcome),
    element("h3", "What was observed"), definitions(observed),
    details("The whole record as JSON", JSON.stringify(record, null, 1)),
    links,
  );
  heading.focus({ preventScroll: true });
  place.scrollIntoView({ block: "start" });
}

function facts({ status, accuracy, base, compression }, { finished_at: finished }) {
  const list = element("ul", undefined, { class: "facts" });
  const add = (number, what) => {
    const item = element("li", ` ${what}`);
    item.prepend(element("strong", number));
    list.append(item);
  };
  add(status, finished.slice(0, 10));
  if (accuracy) add(`${accuracy.test_percent.toFixed(2)} %`, "test accuracy");
  if (base) add(`${base.test_percent.toFixed(2)} %`, "of the base model");
  if (compression && compression.sparsity) add(`${(100 * compression.sparsity).toFixed(1)} %`, "weights zero");
  else if (compression) add(`${compression.speedup_macs.toFixed(2)}×`, "speed-up in MACs");
  return list;
}

function details(title, text) {
  const made = element("details");
  made.append(element("summary", title), element("pre", text, { tabindex: "0", role: "group", "aria-label": title }));
  return made;
}

// Any JSON object as a list of terms. Long lists are folded, equal neighbours counted.
function definitions(object) {
  const list = element("dl");
  for (const [name, value] of Object.entries(object)) {
    const item = element("div");
    const body = element("dd");
    body.append(shown(value));
    item.append(element("dt", name.replaceAll("_", " ")), body);
    list.append(item);
  }
  return list;
}

function shown(value) {
  if (Array.isArray(value)) {
    const text = value.every((each) => typeof each !== "object") ? runs(value) : value.map((each) => JSON.stringify(each)).join("\n");
    return text.length > 200 ? details(`${value.length} entries`, text) : document.createTextNode(text || "none");
  }
  if (value !== null && typeof value === "object") return Object.keys(value).length ? definitions(value) : document.createTextNode("none");
  return document.createTextNode(value === null || value === "" ? "none" : String(value));
}

function runs(values) {
  const counted = [];
  for (const value of values) {
    const last = counted.at(-1);
    if (last && last[0] === value) last[1] += 1;
    else counted.push([value, 1]);
  }
  return counted.map(([value, times]) => (times > 1 ? `${value} × ${times}` : String(value))).join(", ");
}

// Everything at its place --------------------------------------------------------------------------------------------

for (const table of all("table.cards")) all("tbody tr", table).forEach((row) => named(row, table));
if (window.vega) figures();
if (window.DataTable) {
  tables();
  all("table.records").forEach(recordList);
}
