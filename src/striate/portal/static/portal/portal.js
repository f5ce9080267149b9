// Small comforts; every page works without them.
"use strict";

// Times in the reader's zone and language; with data-left, how long it is until then.
function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.title = moment.toISOString();
    time.textContent = moment.toLocaleString(locale(), { dateStyle: "medium", timeStyle: "short" });
    if ("left" in time.dataset) time.append(` (${untilThen(moment)})`);
  }
  for (const zone of root.querySelectorAll("[data-zone]")) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
}

// The language of the page, as the reader's country writes it: British or American English, say.
function locale() {
  const language = document.documentElement.lang;
  return navigator.languages.find((each) => each.split("-")[0] === language.split("-")[0]) || language;
}

function untilThen(moment) {
  const hours = (moment - Date.now()) / 3600e3;
  const [count, unit] = Math.abs(hours) >= 48 ? [hours / 24, "day"] : Math.abs(hours) >= 1 ? [hours, "hour"] : [hours * 60, "minute"];
  return new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" }).format(Math.trunc(count), unit);
}

// Banners that the reader has seen enough of.
function dismissible(root) {
  for (const banner of root.querySelectorAll("[data-dismiss]")) {
    const key = "dismissed-" + banner.dataset.dismiss;
    if (sessionStorage.getItem(key)) { banner.remove(); continue; }
    const button = document.createElement("button");
    button.className = "plain";
    button.textContent = banner.dataset.dismissWord;
    button.addEventListener("click", () => { sessionStorage.setItem(key, "1"); banner.remove(); });
    banner.querySelector("p").append(" ", button);
  }
}

// Forms that send files show how far they are, and keep what was filled in where the connection breaks.
function showProgress(form) {
  form.addEventListener("submit", (event) => {
    const progress = form.querySelector("progress");
    const told = form.querySelector("[data-told]");
    const button = form.querySelector("button");
    if (!progress || !window.FormData) return;
    event.preventDefault();
    const request = new XMLHttpRequest();
    const percent = (done) => { progress.value = done; told.textContent = told.dataset.told.replace("0", String(Math.round(100 * done))); };
    const open = (shown) => { progress.parentElement.hidden = !shown; button.disabled = shown; };
    request.upload.addEventListener("progress", (sent) => sent.lengthComputable && percent(sent.loaded / sent.total));
    request.upload.addEventListener("load", () => { percent(1); told.textContent = told.dataset.checked; });
    request.addEventListener("load", () => {
      const answer = new DOMParser().parseFromString(request.responseText, "text/html");
      const page = answer.querySelector("main");
      open(false);
      if (!page) { progress.parentElement.hidden = false; told.textContent = told.dataset.broken; return; }
      if (request.responseURL !== location.href) history.pushState({}, "", request.responseURL);
      document.title = answer.title;
      document.querySelector("main").replaceWith(page);
      start(page);
      htmx.process(page);
      const first = page.querySelector("[role=alert], [aria-invalid=true], h1");
      if (first.tabIndex < 0) first.tabIndex = -1;
      first.focus();
    });
    request.addEventListener("error", () => { open(false); progress.parentElement.hidden = false; told.textContent = told.dataset.broken; });
    open(true);
    percent(0);
    request.open("POST", form.action || location.href);
    request.send(new FormData(form));
  });
}

function start(root) {
  localTimes(root);
  dismissible(root);
  for (const form of root.querySelectorAll("form[data-progress]")) showProgress(form);
}

window.addEventListener("popstate", () => location.reload());
document.addEventListener("DOMContentLoaded", () => start(document));
document.addEventListener("htmx:load", (event) => localTimes(event.detail.elt.parentElement || document));
