// Keeps the rows that have all words of the field; without JavaScript every row is there.
"use strict";

const field = document.querySelector("#words");
const rows = [...document.querySelectorAll("#headings tbody tr")];

function find() {
  const words = field.value.toLowerCase().split(/\s+/);
  for (const row of rows) row.hidden = !words.every((word) => row.dataset.words.includes(word));
  document.querySelector("#count").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
}

field.addEventListener("input", find);
find();
