// Behaviour and the mean response, trial by trial.

import { tierColour } from "./colours.js";
import { gestures, keptDrawn, number, text, theme, ticks, whole } from "./drawing.js";

const HIGH = 78, STRIP = 8;

export async function traces(root, prepared) {
  const columns = await prepared.columns();
  const canvas = root.querySelector("canvas[data-picture]"), readout = root.querySelector("output");
  const span = root.querySelector("[name=span]"), from = root.querySelector("[name=from]");
  const order = columns["trials.time"] || columns["trials.file"], count = order.length;
  const label = text(columns["trials.time"] ? "in_order_of_time" : "in_order_of_file");
  const drawn = Object.entries(prepared.summary.benchmark.variables).flatMap(([variable, names]) => names.map((name) => `${variable}.${name}`));
  drawn.push("trial.response");
  const title = (name) => text(name === "trial.response" ? "population" : name);
  let first = 0, cursor = null;
  canvas.style.height = `${drawn.length * HIGH + 60}px`;
  const wide = () => Math.min(count, Number(span.value) || count);
  let box = { left: 66, width: 1 };

  const draw = keptDrawn(canvas, (context, width) => {
    const look = theme(), many = wide(), last = first + many;
    box = { left: 66, width: width - 78 };
    drawn.forEach((name, place) => {
      const values = columns[name], own = { ...box, top: place * HIGH + 20, height: HIGH - 30 };
      let low = Infinity, high = -Infinity;
      for (let i = first; i < last; i++) {
        const value = values[order[i]];
        if (value < low) low = value;
        if (value > high) high = value;
      }
      context.fillStyle = look.ink;
      context.textAlign = "left";
      context.textBaseline = "top";
      context.fillText(title(name), own.left, own.top - 17, own.width);
      if (!(low <= high)) {
        context.fillText(text("withheld"), own.left + 8, own.top + 8);
        return;
      }
      if (low === high) high = low + 1;
      const toY = (value) => own.top + (1 - (value - low) / (high - low)) * own.height;
      context.strokeStyle = look.line;
      context.fillStyle = look.ink;
      context.textAlign = "right";
      context.textBaseline = "middle";
      for (const at of ticks(low, high, 3.5)) {
        const y = Math.round(toY(at)) + 0.5;
        context.beginPath();
        context.moveTo(own.left, y);
        context.lineTo(own.left + own.width, y);
        context.stroke();
        context.fillText(number(at), own.left - 6, y);
      }
      context.strokeStyle = look.link;
      context.lineWidth = 1;
      context.beginPath();
      const each = own.width / many;
      if (each >= 1) { // one trial after another
        let open = false;
        for (let i = first; i < last; i++) {
          const value = values[order[i]];
          if (!Number.isFinite(value)) { open = false; continue; }
          context[open ? "lineTo" : "moveTo"](own.left + (i - first + 0.5) * each, toY(value));
          if (!open) context.lineTo(own.left + (i - first + 0.5) * each + 0.5, toY(value));
          open = true;
        }
      } else { // many trials share a pixel: from the least of them to the largest
        for (let x = 0; x < own.width; x++) {
          let least = Infinity, most = -Infinity;
          const end = Math.min(last, first + Math.ceil((x + 1) / each));
          for (let i = first + Math.floor(x / each); i < end; i++) {
            const value = values[order[i]];
            if (value < least) least = value;
            if (value > most) most = value;
          }
          if (!(least <= most)) continue;
          context.moveTo(own.left + x + 0.5, toY(most) - 0.5);
          context.lineTo(own.left + x + 0.5, toY(least) + 0.5);
        }
      }
      context.stroke();
    });
    const bottom = drawn.length * HIGH + 2;
    for (let x = 0; x < box.width; x++) {
      const at = Math.min(last - 1, first + Math.floor((x / box.width) * many));
      context.fillStyle = tierColour(columns["trial.tier"][order[at]]);
      context.fillRect(box.left + x, bottom, 1, STRIP);
    }
    context.fillStyle = context.strokeStyle = look.ink;
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const at of ticks(first, last, box.width / 90)) context.fillText(whole(at), box.left + ((at - first) / many) * box.width, bottom + STRIP + 4);
    context.fillText(label, width / 2, bottom + STRIP + 22, width - 10);
    if (cursor !== null && cursor >= first && cursor < last) {
      const x = Math.round(box.left + ((cursor - first + 0.5) / many) * box.width) + 0.5;
      context.strokeStyle = look.soft;
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, bottom + STRIP);
      context.stroke();
    }
  });

  const show = (start) => {
    first = Math.max(0, Math.min(count - wide(), Math.round(start)));
    from.max = count - wide();
    from.value = first;
    from.disabled = wide() === count;
    from.setAttribute("aria-valuetext", text("window", { from: whole(first + 1), to: whole(first + wide()), of: whole(count) }));
    draw();
  };
  const say = async () => {
    const names = await prepared.names(), trial = order[cursor];
    const parts = [`${text("trial")} ${names.trials[trial]}`, `${text("tier")} ${prepared.summary.benchmark.tiers[columns["trial.tier"][trial]]}`, `${text("image")} ${names.images[columns["trial.image"][trial]]}`];
    for (const name of drawn) {
      const value = columns[name][trial];
      parts.push(`${title(name)} ${Number.isFinite(value) ? number(value) : text("withheld")}`);
    }
    readout.textContent = parts.join(" · ");
    draw();
  };
  const point = (at) => {
    cursor = Math.max(0, Math.min(count - 1, at));
    if (cursor < first) show(cursor);
    else if (cursor >= first + wide()) show(cursor - wide() + 1);
    say();
  };
  gestures(canvas, {
    move: (dx) => show(first - (dx / box.width) * wide()),
    zoom: () => {},
    hover: (x) => { if (x >= box.left && x < box.left + box.width) point(first + Math.floor(((x - box.left) / box.width) * wide())); },
  });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -wide(), PageDown: wide() }[event.key];
    if (!by) return;
    event.preventDefault();
    point((cursor ?? first) + by);
  });
  span.addEventListener("change", () => show(first));
  from.addEventListener("input", () => show(Number(from.value)));
  show(0);
}
