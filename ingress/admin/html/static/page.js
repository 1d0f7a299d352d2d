/*
 * Keeps the page up to date: whenever the stream says that something has changed, the same page
 * is loaded again and its parts are replaced. Without this script everything works but that.
 */

import { replace } from "./replace.js";
import { openStream } from "./stream.js";

const root = document.documentElement;
const status = document.getElementById("live");
const note = document.getElementById("note");
const button = document.getElementById("pause");

const SOON = 250; // milliseconds from a change to the request for it
const MOST = 0.1; // the share of the time that requests may take

let isPaused = false;
let isLost = false;
let isFull = false; // so many browsers follow that this one has to ask now and then
let seen = null; // the last event
let shown = ""; // the revision of what the page shows
let timer = 0;
let dueAt = Infinity;
let notBefore = 0;
let request = null;
let unfollow = null;

function show() {
  const connected = isFull ? "full" : seen ? "live" : "waiting";
  const state = isPaused ? "paused" : isLost ? "lost" : connected;
  const words = {
    paused: "paused",
    lost: "connection lost",
    live: "live",
    full: "every 10 s",
    waiting: "connecting",
  };
  status.dataset.state = state;
  if (status.textContent !== words[state]) {
    status.textContent = words[state];
  }
  note.hidden = state !== "full";
  const told = note.hidden
    ? ""
    : "Too many browsers follow what happens here. This page looks again every 10 seconds, until one of the others is closed.";
  if (note.textContent !== told) {
    note.textContent = told;
  }
  button.textContent = isPaused ? "Go on" : "Pause";
}

function refreshAt(moment) {
  if (isPaused || moment >= dueAt) {
    return;
  }
  dueAt = moment;
  clearTimeout(timer);
  timer = setTimeout(refresh, Math.max(0, Math.max(moment, notBefore) - performance.now()));
}

function isSelecting() {
  const selection = document.getSelection();
  return selection !== null && !selection.isCollapsed;
}

function refresh() {
  dueAt = Infinity;
  if (isPaused || document.hidden || request !== null) {
    return;
  }
  if (isSelecting()) {
    refreshAt(performance.now() + 1000);
    return;
  }
  const began = performance.now();
  // This parses the answer without running or loading anything of it.
  request = new XMLHttpRequest();
  request.open("GET", location.href);
  request.responseType = "document";
  request.setRequestHeader("Accept", "text/html");
  request.timeout = 20000;
  request.onloadend = () => {
    const fresh = request.response;
    const isFine = request.status > 0 && request.status < 500;
    const revision = request.getResponseHeader("X-Revision");
    request = null;
    notBefore = performance.now() + Math.max(900, (performance.now() - began) / MOST);
    const main = fresh?.querySelector("main");
    if (main && isFine && !isPaused && !isSelecting()) {
      replace(document.querySelector("main"), main);
      document.title = fresh.title;
      shown = revision;
      root.dataset.refreshed = String(Number(root.dataset.refreshed || 0) + 1);
      compare();
    } else {
      refreshAt(performance.now() + 2000);
    }
  };
  request.send();
}

function take(message) {
  const wasLost = isLost;
  isLost = message.state === "lost";
  isFull = message.state === "full";
  const change = message.change;
  if (change) {
    if (change.version !== root.dataset.version) {
      reloadOnce(change.version);
      return;
    }
    if (wasLost) {
      shown = "";
    }
    if (seen && change.flow !== seen.flow) {
      refreshAt(performance.now() + Number(root.dataset.pace || 5) * 1000);
    }
    seen = change;
    compare();
  }
  show();
}

/** Load what is newer than what the page shows. */
function compare() {
  if (seen && seen.revision !== shown) {
    refreshAt(performance.now() + SOON);
  }
}

/** Load the page of another version, whose scripts and style are others. */
function reloadOnce(version) {
  if (sessionStorage.getItem("version") !== version) {
    sessionStorage.setItem("version", version);
    location.reload();
  }
}

const policy = self.trustedTypes?.createPolicy("page", { createScriptURL: (url) => url });

function follow() {
  if (unfollow !== null) {
    return;
  }
  if (typeof SharedWorker === "undefined") {
    unfollow = openStream(take);
    return;
  }
  const path = "/assets/stream_worker.js";
  const worker = new SharedWorker(policy?.createScriptURL(path) ?? path, { type: "module" });
  worker.port.onmessage = ({ data }) => take(data);
  worker.port.postMessage("follow");
  unfollow = () => {
    worker.port.postMessage("leave");
    worker.port.close();
  };
}

function leave() {
  unfollow?.();
  unfollow = null;
  shown = "";
}

document.addEventListener("visibilitychange", () => (document.hidden ? leave() : follow()));
addEventListener("pagehide", leave);
addEventListener("pageshow", (event) => event.persisted && follow());

button.hidden = false;
button.addEventListener("click", () => {
  isPaused = !isPaused;
  show();
  if (!isPaused) {
    refreshAt(performance.now());
  }
});

addEventListener("keydown", (event) => {
  const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.nodeName ?? "");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    const field = document.querySelector('input[type="search"]');
    field?.focus();
    field?.select();
  }
});

show();
if (!document.hidden) {
  follow();
}
