// Two methods head to head: the choice is in the address, the pairs of a track and setup are a script loaded on demand.
"use strict";

const loaded = {};

// Every script of pairs calls this with its track and setup and its levels.
function prunemarkPairs(where, levels) {
  loaded[where.join(" ")] = levels;
}

const index = json(document.getElementById("compare-index"));
const fields = Object.fromEntries(all("#choice select").map((select) => [select.name, select]));
const place = document.getElementById("pair");
let address = Object.fromEntries(new URLSearchParams(location.search)); // empty once it was followed

function offer(name, values, wanted) {
  fields[name].replaceChildren(...values.map((value) => element("option", value, { value })));
  fields[name].value = values.includes(wanted) ? wanted : values[0];
  return fields[name].value;
}

// Fills every choice that depends on an earlier one, keeps what is still there, and shows the pair.
function choose(wanted) {
  const track = offer("track", Object.keys(index.tracks), wanted.track || index.first[0]);
  const setup = offer("setup", Object.keys(index.tracks[track]), wanted.setup || index.first[1]);
  const here = index.tracks[track][setup];
  const level = offer("level", here.levels, wanted.level);
  const show = () => {
    const found = loaded[`${track} ${setup}`][level];
    const names = [...found.rows.map(([name]) => name), ...Object.keys(found.unranked)];
    const a = offer("a", names, wanted.a);
    const b = offer("b", names.filter((name) => name !== a), wanted.b === a ? wanted.other : wanted.b || found.anchor);
    history.replaceState(null, "", `${location.pathname}?${new URLSearchParams({ track, setup, level, a, b })}`);
    const gone = Object.keys(fields).filter((name) => address[name] && address[name] !== fields[name].value);
    const warning = `The address names ${gone.map((name) => `${name} ${address[name]}`).join(", ")}, which cannot be shown: this is another comparison.`;
    place.replaceChildren(...(gone.length ? [element("p", warning, { role: "alert" })] : []), ...pairShown(found, a, b, here.page));
    address = {};
  };
  if (loaded[`${track} ${setup}`]) return show();
  const script = element("script", undefined, { src: here.pairs });
  script.addEventListener("load", show);
  script.addEventListener("error", () => place.replaceChildren(element("p", `${here.pairs} is missing: the site is not whole.`, { role: "alert" })));
  document.head.append(script);
}

function pairShown(found, a, b, page) {
  const entrants = [a, b].map((name) => found.rows.findIndex(([known]) => known === name));
  const absent = [a, b].filter((name, i) => entrants[i] < 0);
  const tables = element("p");
  tables.append(element("a", "The whole table", { href: page }));
  const command = [element("h3", "Check it"), element("pre", found.command, { tabindex: "0", role: "group", "aria-label": "Command" }), element("p", "In a clone of the repository. It computes the table again from the records.", { class: "caption" })];
  const told = entrants.filter((i) => i >= 0).map((i) => entrant(found.rows[i], found));
  const heading = element("h2", `${a} against ${b}`);
  if (absent.length) return [heading, ...absent.map((name) => element("p", `${name} is not ranked here: ${found.unranked[name]}.`)), ...told, ...command, tables];
  return [heading, ...verdictOf(found, a, b, ...entrants), ...told, ...command, tables];
}

function verdictOf(found, a, b, i, j) {
  const pair = found.pairs.find(([x, y]) => x === Math.min(i, j) && y === Math.max(i, j));
  if (!pair) return [element("p", "They have no seed in common, so that nothing compares them.", { class: "lesson" })];
  let [, , d, ends, seeds, ahead, behind, better, worse] = pair;
  if (i > j) [d, ends, ahead, behind, better, worse] = [-d, ends && [-ends[1], -ends[0]], behind, ahead, worse, better];
  const inside = ends && Math.max(...ends.map(Math.abs)) <= found.margin;
  const margin = `±${found.margin} pp`;
  const said = better === null ? "So few seeds test nothing." : better <= 0.05 ? `${a} is shown to be better than ${b}.` : worse <= 0.05 ? `${b} is shown to be better than ${a}.` : `Neither is shown to be better.${inside ? ` The interval lies inside the margin of ${margin}.` : ""}`;
  const rows = {
    [`${a} minus ${b}`]: `${signed(d)} pp, 95 % interval ${ends ? `[${ends.map(signed).join(", ")}]` : "[any]"}`,
    Seeds: `${seeds} that both have; ${a} is ahead on ${ahead}, ${b} on ${behind}`,
  };
  if (better !== null) rows["Adjusted p"] = `${better} that ${a} is better, ${worse} that ${b} is better: of all ${found.rows.length * (found.rows.length - 1)} ordered pairs together, judged at ${found.judged}`;
  rows.Margin = `${margin}: a smaller difference is too small to matter on this track`;
  return [element("p", said, { class: "lesson" }), terms(rows)];
}

// What the table says of one of the two: accuracy, and the verdict against the anchor with its reason.
function entrant([name, address, accuracy, verdict, why, more], { anchor }) {
  const made = element("section");
  const heading = element("h3");
  heading.append(address ? element("a", name, { href: address }) : name);
  const said = name === anchor ? "The anchor of the track." : `Against the anchor ${anchor}: ${verdict}. ${why}`;
  made.append(heading, element("p", `Accuracy ${accuracy} %. ${said}${more ? ` It pruned ${more} than the anchor.` : ""}`));
  return made;
}

function terms(rows) {
  const list = element("dl", undefined, { class: "terms" });
  for (const [name, text] of Object.entries(rows)) {
    const item = element("div");
    item.append(element("dt", name), element("dd", text));
    list.append(item);
  }
  return list;
}

const signed = (number) => `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(2)}`;
const now = () => Object.fromEntries(Object.entries(fields).map(([name, select]) => [name, select.value]));

document.getElementById("choice").hidden = false;
document.getElementById("choice").addEventListener("submit", (event) => event.preventDefault());
let before = {};
document.getElementById("choice").addEventListener("change", () => {
  choose({ ...now(), other: before.a });
  before = now();
});
choose(address);
before = now();
