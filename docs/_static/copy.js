// A button on each block of code that copies it; of a terminal, what was typed and not what was printed.
"use strict";

function typed(text) {
  const lines = text.split("\n");
  if (!lines.some((line) => line.startsWith("$ "))) return text.trimEnd();
  const found = [];
  let goesOn = false;
  for (const line of lines) {
    if (goesOn || line.startsWith("$ ")) found.push(goesOn ? line : line.slice(2));
    goesOn = (goesOn || line.startsWith("$ ")) && line.endsWith("\\");
  }
  return found.join("\n");
}

function addButton(block) {
  if (/[─│►▼]/.test(block.textContent)) return; // a drawing
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(typed(block.querySelector("pre").textContent));
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  block.append(button);
}

addEventListener("DOMContentLoaded", () => document.querySelectorAll("div.highlight").forEach(addButton));
