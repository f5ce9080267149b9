// Small comforts; every page works without them.
"use strict";

// Times in the reader's zone and language.
function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.title = moment.toISOString();
    time.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }
}

// Banners that the reader has seen enough of.
function dismissible(root) {
  for (const banner of root.querySelectorAll("[data-dismiss]")) {
    const key = "dismissed-" + banner.dataset.dismiss;
    if (sessionStorage.getItem(key)) { banner.remove(); continue; }
    const button = document.createElement("button");
    button.className = "plain";
    button.textContent = "Dismiss";
    button.addEventListener("click", () => { sessionStorage.setItem(key, "1"); banner.remove(); });
    banner.querySelector("p").append(" ", button);
  }
}

document.addEventListener("DOMContentLoaded", () => { localTimes(document); dismissible(document); });
document.addEventListener("htmx:load", (event) => localTimes(event.detail.elt.parentElement || document));
