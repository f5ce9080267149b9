// What all pictures share: sharp canvases that follow the page's size and theme, axes, legends, texts.

import { VIRIDIS, css } from "./colours.js";

export const words = JSON.parse(document.getElementById("words")?.textContent || "{}");

export function text(name, values = {}) {
  return (words[name] || name).replace(/%\((\w+)\)s/g, (_, key) => values[key]);
}

export function number(value) {
  if (!Number.isFinite(value)) return text("undefined");
  const size = Math.abs(value);
  return value.toLocaleString(document.documentElement.lang, size && (size < 1e-3 || size >= 1e6) ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: size < 10 ? 3 : size < 1000 ? 1 : 0 });
}

export function whole(value) {
  return value.toLocaleString(document.documentElement.lang);
}

export function theme() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { ink: of("--ink"), soft: of("--soft"), line: of("--line"), paper: of("--paper"), shade: of("--shade"), link: of("--link") };
}

export const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif";

// Call `draw(context, width, height)` now, and whenever size or theme change; returns a function that draws at the next frame.
export function keptDrawn(canvas, draw) {
  let asked = false;
  const now = () => {
    asked = false;
    const box = canvas.getBoundingClientRect();
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const width = Math.max(1, Math.round(box.width)), height = Math.max(1, Math.round(box.height));
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = FONT;
    draw(context, width, height, ratio);
    canvas.dataset.drawn = String(Number(canvas.dataset.drawn || 0) + 1);
  };
  const later = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(now);
  };
  new ResizeObserver(later).observe(canvas);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later);
  later();
  return later;
}

// Round numbers between two others, about so many.
export function ticks(low, high, about) {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, about), power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((each) => each * power >= rough * 0.999) || 10);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return found;
}

// Axes around a plot: `box` in pixels, `x` and `y` as {low, high, label}; y grows upwards unless `down`.
export function axes(context, box, x, y, { down = false, grid = false } = {}) {
  const look = theme();
  const toX = (value) => box.left + ((value - x.low) / (x.high - x.low || 1)) * box.width;
  const toY = (value) => {
    const part = (value - y.low) / (y.high - y.low || 1);
    return down ? box.top + part * box.height : box.top + (1 - part) * box.height;
  };
  context.lineWidth = 1;
  context.strokeStyle = look.soft;
  context.fillStyle = look.ink;
  context.beginPath();
  context.moveTo(box.left - 0.5, box.top);
  context.lineTo(box.left - 0.5, box.top + box.height + 0.5);
  context.lineTo(box.left + box.width, box.top + box.height + 0.5);
  context.stroke();
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const at of x.ticks || ticks(x.low, x.high, box.width / 90)) {
    const place = Math.round(toX(at)) + 0.5;
    context.beginPath();
    context.moveTo(place, box.top + box.height);
    context.lineTo(place, box.top + box.height + 4);
    context.stroke();
    context.fillText(number(at), place, box.top + box.height + 6);
  }
  context.fillText(x.label, box.left + box.width / 2, box.top + box.height + 22, box.width + box.left);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const at of y.ticks || ticks(y.low, y.high, box.height / 50)) {
    const place = Math.round(toY(at)) + 0.5;
    context.beginPath();
    context.moveTo(box.left - 4, place);
    context.lineTo(box.left, place);
    context.stroke();
    if (grid) {
      context.save();
      context.strokeStyle = look.line;
      context.beginPath();
      context.moveTo(box.left, place);
      context.lineTo(box.left + box.width, place);
      context.stroke();
      context.restore();
    }
    context.fillText((y.format || number)(at), box.left - 6, place);
  }
  context.save();
  context.translate(12, box.top + box.height / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  context.fillText(y.label, 0, 0, box.height + 30);
  context.restore();
  return { toX, toY };
}

// A bar of all colours with what its ends stand for.
export function colourBar(canvas) {
  let shown = { low: 0, high: 1, label: "" };
  const draw = keptDrawn(canvas, (context, width) => {
    const look = theme(), wide = Math.min(width - 2, 260);
    for (let i = 0; i < wide; i++) {
      context.fillStyle = css(VIRIDIS[Math.round((i / (wide - 1)) * 255)]);
      context.fillRect(i, 16, 1, 10);
    }
    context.fillStyle = look.ink;
    context.textBaseline = "top";
    context.textAlign = "left";
    context.fillText(shown.label, 0, 0, width);
    context.fillText(number(shown.low), 0, 29);
    context.textAlign = "right";
    context.fillText((shown.open ? "≥ " : "") + number(shown.high), wide, 29);
  });
  return (values) => {
    if (shown.low === values.low && shown.high === values.high && shown.label === values.label) return;
    shown = values;
    canvas.setAttribute("aria-label", `${values.label}: ${number(values.low)} – ${number(values.high)}`);
    draw();
  };
}

// Drag and pinch with one or two fingers or the mouse: `move(dx, dy)`, `zoom(factor, x, y)`, `hover(x, y)`, `leave()`.
export function gestures(canvas, { move, zoom, hover, leave }) {
  const down = new Map();
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  canvas.addEventListener("pointerdown", (event) => {
    down.set(event.pointerId, at(event));
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
  });
  canvas.addEventListener("pointermove", (event) => {
    const here = at(event), before = down.get(event.pointerId);
    if (!before) {
      hover?.(here.x, here.y);
      return;
    }
    if (down.size === 1) move(here.x - before.x, here.y - before.y);
    else {
      const other = [...down.entries()].find(([id]) => id !== event.pointerId)[1];
      const spread = (a) => Math.hypot(a.x - other.x, a.y - other.y) || 1;
      zoom(spread(here) / spread(before), (here.x + other.x) / 2, (here.y + other.y) / 2);
    }
    down.set(event.pointerId, here);
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(kind, (event) => {
      if (down.size === 1 && kind === "pointerup") hover?.(at(event).x, at(event).y);
      down.delete(event.pointerId);
    });
  }
  canvas.addEventListener("pointerleave", () => leave?.());
  // The wheel scrolls the page, unless the picture was chosen (by a click or by the keyboard), or Ctrl is held.
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (document.activeElement !== canvas && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const here = at(event);
      zoom(Math.exp(-Math.max(-100, Math.min(100, event.deltaY)) / 240), here.x, here.y);
    },
    { passive: false },
  );
}

export function limits(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 1];
}

// Values between which all but the outermost hundredths lie, so that one outlier does not take all the colours.
export function spread(values) {
  const sorted = Float32Array.from(values).filter(Number.isFinite).sort();
  if (!sorted.length) return [0, 1];
  const at = (part) => sorted[Math.round(part * (sorted.length - 1))];
  const [low, high] = [at(0.01), at(0.99)];
  return high > low ? [low, high] : [low, low + 1];
}
