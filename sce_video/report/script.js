"use strict";
// Without this script everything is shown; the controls, which need it, then stay hidden.
for (const control of document.querySelectorAll(".control")) control.hidden = false;

const root = document.documentElement;
const play = document.getElementById("play");
if (!document.querySelector(".clip:not(.still):not(.missing)")) play.hidden = true;

function setPlaying(isPlaying) {
  root.dataset.playing = isPlaying ? "yes" : "no";
  play.textContent = isPlaying ? "Pause pictures" : "Play pictures";
}
play.addEventListener("click", () => setPlaying(root.dataset.playing !== "yes"));
setPlaying(!window.matchMedia("(prefers-reduced-motion: reduce)").matches);

for (const choice of document.querySelectorAll("select[data-filters]")) {
  const cards = [...document.querySelectorAll(choice.dataset.filters)];
  const count = document.getElementById("gallery-count");
  choice.addEventListener("change", () => {
    for (const card of cards) card.hidden = choice.value !== "" && card.dataset.label !== choice.value;
    count.textContent = cards.filter((card) => !card.hidden).length + " queries shown";
  });
}

for (const choice of document.querySelectorAll("select[data-highlights]")) {
  const dots = [...document.querySelectorAll(choice.dataset.highlights)];
  choice.addEventListener("change", () => {
    for (const dot of dots) {
      dot.classList.toggle("chosen", choice.value !== "" && dot.dataset.label === choice.value);
      dot.classList.toggle("dim", choice.value !== "" && dot.dataset.label !== choice.value);
      if (dot.classList.contains("chosen")) dot.parentNode.append(dot); // over the others
    }
  });
}
