// The form: loads Python, hands it what was filled in, and shows what it answers. It decides nothing itself.
"use strict";

const prunemark = { parts: {}, sources: {} };
prunemark.part = (name, base64) => { prunemark.parts[name.replace(/\.gz$/, "")] = { base64, packed: name.endsWith(".gz") }; };
prunemark.files = (sources) => { prunemark.sources = sources; };

const SCRIPTS = ["pyodide.js", "pyodide.asm.js", "pyodide.asm.wasm.js", "python_stdlib.zip.js", "python.js"];
const TYPES = { "pyodide.asm.wasm": "application/wasm", "python_stdlib.zip": "application/zip" };
const LOCK = { info: { abi_version: "2025_0", arch: "wasm32", platform: "emscripten_4_0_9", python: "3.13.2" }, packages: {} };
const WAIT = 150; // milliseconds without a key before the verdict is asked for

const byId = (id) => document.getElementById(id);
const fields = () => [...byId("form").querySelectorAll("[name]")];

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// Python

function script(name) {
  return new Promise((resolve, reject) => {
    const made = element("script", undefined, { src: `form/${name}` });
    made.addEventListener("load", resolve);
    made.addEventListener("error", () => reject(new Error(`form/${name} is missing: the folder is not whole`)));
    document.head.append(made);
  });
}

async function response(name) {
  const { base64, packed } = prunemark.parts[name];
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  delete prunemark.parts[name];
  const stream = new Blob([bytes]).stream();
  const body = await new Response(packed ? stream.pipeThrough(new DecompressionStream("gzip")) : stream).arrayBuffer();
  return new Response(body, { headers: { "Content-Type": TYPES[name] } });
}

// Pyodide asks for its parts by fetch, which a page in a folder may not do: what the scripts brought is handed to it.
async function boot() {
  for (const name of SCRIPTS) await script(name);
  const network = window.fetch;
  window.fetch = (url) => response(String(url).split("/").pop());
  try {
    return await loadPyodide({ indexURL: new URL("form/", document.baseURI).href, lockFileContents: LOCK });
  } finally {
    window.fetch = network;
  }
}

async function start() {
  const python = await boot();
  for (const [path, text] of Object.entries(prunemark.sources)) {
    python.FS.mkdirTree(`/audit/${path.slice(0, path.lastIndexOf("/"))}`);
    python.FS.writeFile(`/audit/${path}`, text);
  }
  python.runPython("import sys; sys.path.insert(0, '/audit'); sys.dont_write_bytecode = True");
  const module = python.pyimport("prunemark.audit.form.answers");
  prunemark.answered = (answers) => JSON.parse(module.answered(JSON.stringify(answers)));
  prunemark.judged = (texts) => JSON.parse(module.judged_all(JSON.stringify(texts)));
}

// What was filled in, and what it comes to

let timer;

function answers() {
  return Object.fromEntries(fields().map((field) => [field.name, field.value]));
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(update, WAIT);
}

function update() {
  if (!prunemark.answered) return;
  let found;
  try {
    found = prunemark.answered(answers());
  } catch (problem) {
    byId("state").textContent = `The audit failed: ${problem.message.trim().split("\n").pop()}`;
    return;
  }
  for (const row of byId("form").querySelectorAll("[data-field]")) row.hidden = found.hidden.includes(row.dataset.field);
  point(found);
  show(found);
}

// An error stands at the field that it is about.
function point({ error, places = [] }) {
  for (const old of byId("form").querySelectorAll(".wrong")) old.remove();
  for (const field of fields()) {
    const wrong = places.includes(field.name);
    field.toggleAttribute("aria-invalid", wrong);
    if (!wrong) { field.removeAttribute("aria-describedby"); continue; }
    const id = `wrong-${field.name}`;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", id);
    field.closest("[data-field]").append(element("p", error, { class: "wrong", id }));
  }
}

function show(found) {
  const read = found.error === undefined;
  set("state", "");
  set("verdict", read ? found.verdict : "cannot be read");
  set("sentence", read ? found.sentence : found.error);
  set("exit", `prunemark audit ends with exit code ${found.exit_code}.`);
  byId("answer").dataset.code = found.exit_code;
  byId("bar").textContent = read ? found.verdict : "cannot be read";
  for (const part of ["reasons", "ask", "experiment", "remarks"]) list(part, read ? found[part] : []);
  byId("more").hidden = !read;
  set("setups", found.setups ?? "");
  byId("factors").replaceChildren(...(found.factors ?? []).map(factor));
  set("review", found.review ?? "");
  set("document", found.document);
  byId("save-review").disabled = !read;
  byId("save-document").disabled = false;
}

// Texts are set where they changed, so that a screen reader is told of a new verdict and not of the old one again.
function set(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

function list(id, texts) {
  byId(id).replaceChildren(...texts.map((text) => element("li", text)));
  byId(id).closest("section").hidden = texts.length === 0;
}

function factor({ mark, state, name, words }) {
  const row = element("tr");
  const cell = element("td");
  cell.append(element("span", mark, { "aria-hidden": "true" }), element("span", state.replaceAll("_", " "), { class: "sr" }));
  row.append(element("th", name, { scope: "row" }), cell, element("td", words, { class: "words" }));
  return row;
}

function save(name, text) {
  const link = element("a", undefined, { href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function fill(values) {
  for (const field of fields()) field.value = values[field.name] ?? "";
  update();
}

function listen() {
  byId("form").addEventListener("input", later);
  byId("form").addEventListener("submit", (event) => event.preventDefault());
  byId("example").addEventListener("click", () => fill(JSON.parse(byId("example-values").textContent)));
  byId("clear").addEventListener("click", () => fill({}));
  byId("save-document").addEventListener("click", () => save("comparison.yaml", byId("document").textContent));
  byId("save-review").addEventListener("click", () => save("review.txt", `${byId("review").textContent}\n`));
}

document.addEventListener("DOMContentLoaded", () => {
  listen();
  start().then(update).catch((problem) => { byId("state").textContent = `The audit could not be loaded: ${problem.message}`; });
});
