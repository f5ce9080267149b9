// The response raster: trials downwards, neurons to the right, at whatever resolution the screen can show.

import { MISSING_COLOUR, VIRIDIS, tierColour } from "./colours.js";
import { axes, colourBar, gestures, keptDrawn, number, text, theme, ticks, whole } from "./drawing.js";
import { Tiles, painted } from "./tiles.js";

const MISSING = 255, TOP = 254, STRIP = 9, CLOSEST = 24; // pixels of a cell

export async function raster(root, prepared) {
  const { summary } = prepared, { tile: size, largest, levels } = summary.raster;
  const canvas = root.querySelector("canvas[data-picture]"), readout = root.querySelector("output");
  const byTrials = root.querySelector("[name=trials]"), byNeurons = root.querySelector("[name=neurons]");
  const bright = root.querySelector("[name=brightness]");
  const legend = colourBar(root.querySelector("canvas[data-legend]"));
  const columns = await prepared.columns();
  const valueOf = (code) => largest * (code / TOP) ** 2;
  const all = { rows: summary.trials, columns: summary.neurons };
  let view = null; // first row and column, pixels of a cell downwards and across
  let tiles, colours, shownLevel = -1, shownBright = "", cursor = null, plot = { left: 0, top: 0, width: 1, height: 1 };
  let rows, cols, failed = false;

  const choose = () => {
    const order = `${byTrials.value}-${byNeurons.value}`;
    const fresh = new Tiles(prepared, order, levels[order], size, (error) => {
      failed = Boolean(error);
      if (failed) readout.textContent = text("failed");
      draw();
    });
    fresh.want(fresh.levels.length - 1, 0, 0, 0, 0); // the coarsest is here first
    tiles = fresh;
    rows = columns[`trials.${byTrials.value}`];
    cols = columns[`neurons.${byNeurons.value}`];
    shownLevel = -1;
  };

  const fit = () => { view = { row: 0, column: 0, down: plot.height / all.rows, across: plot.width / all.columns }; };

  const clamp = () => {
    view.down = Math.min(CLOSEST, Math.max(view.down, plot.height / all.rows));
    view.across = Math.min(CLOSEST, Math.max(view.across, plot.width / all.columns));
    view.row = Math.max(0, Math.min(view.row, all.rows - plot.height / view.down));
    view.column = Math.max(0, Math.min(view.column, all.columns - plot.width / view.across));
  };

  const zoom = (factor, x = plot.left + plot.width / 2, y = plot.top + plot.height / 2) => {
    const row = view.row + (y - plot.top) / view.down, column = view.column + (x - plot.left) / view.across;
    view.down = Math.min(CLOSEST, Math.max(view.down * factor, plot.height / all.rows));
    view.across = Math.min(CLOSEST, Math.max(view.across * factor, plot.width / all.columns));
    view.row = row - (y - plot.top) / view.down;
    view.column = column - (x - plot.left) / view.across;
    clamp();
    draw();
  };

  const move = (dx, dy) => {
    view.row -= dy / view.down;
    view.column -= dx / view.across;
    clamp();
    draw();
  };

  const levelFor = (ratio) => {
    const cells = Math.sqrt((1 / view.down) * (1 / view.across)) / ratio; // that share a pixel of the screen
    return Math.max(0, Math.min(tiles.levels.length - 1, Math.round(Math.log2(cells))));
  };

  const spanOf = (level) => {
    const cell = 2 ** level * size, own = tiles.levels[level];
    const last = (at, count) => Math.max(0, Math.min(count - 1, Math.floor((at - 1e-6) / cell)));
    return [last(view.row + 1e-5, own.down), last(view.row + plot.height / view.down, own.down), last(view.column + 1e-5, own.across), last(view.column + plot.width / view.across, own.across)];
  };

  const recolour = (level) => {
    if (colours && level === shownLevel && bright.value === shownBright) return;
    const { low, high } = tiles.levels[level];
    const top = low + (high - low) * 2 ** -Number(bright.value);
    colours = new Uint32Array(256);
    for (let code = 0; code < MISSING; code++) {
      const place = (valueOf(code) - low) / (top - low || 1);
      colours[code] = VIRIDIS[Math.max(0, Math.min(255, Math.round(255 * place)))];
    }
    colours[MISSING] = 0; // transparent: the hatching behind shows
    shownLevel = level;
    shownBright = bright.value;
    legend({ low, high: top, label: text("value"), open: true });
  };

  const layer = (context, level) => {
    const [top, bottom, left, right] = spanOf(level), step = 2 ** level * size;
    context.imageSmoothingEnabled = view.across * 2 ** level < 1.5;
    for (let down = top; down <= bottom; down++) {
      for (let across = left; across <= right; across++) {
        const tile = tiles.tile(level, down, across);
        if (!tile) continue;
        const x = plot.left + (across * step - view.column) * view.across, y = plot.top + (down * step - view.row) * view.down;
        context.clearRect(x, y, step * view.across, step * view.down);
        hatch(context, x, y, step * view.across, step * view.down);
        context.drawImage(painted(tile, size, colours), x, y, step * view.across, step * view.down);
      }
    }
  };

  let pattern = null;
  const hatch = (context, x, y, width, height) => {
    if (!pattern) {
      const piece = Object.assign(document.createElement("canvas"), { width: 8, height: 8 }), line = piece.getContext("2d");
      line.strokeStyle = MISSING_COLOUR;
      line.lineWidth = 1.5;
      for (const shift of [-8, 0, 8]) {
        line.moveTo(shift, 8);
        line.lineTo(shift + 8, 0);
      }
      line.stroke();
      pattern = context.createPattern(piece, "repeat");
    }
    context.fillStyle = pattern;
    context.fillRect(x, y, width, height);
  };

  const strip = (context) => {
    for (let y = 0; y < plot.height; y++) {
      const row = Math.floor(view.row + y / view.down);
      if (row >= all.rows) break;
      context.fillStyle = tierColour(columns["trial.tier"][rows[row]]);
      context.fillRect(plot.left - STRIP - 2, plot.top + y, STRIP, 1);
    }
  };

  const draw = keptDrawn(canvas, (context, width, height, ratio) => {
    const before = plot;
    plot = { left: 74, top: 6, width: Math.max(50, width - 92), height: Math.max(50, height - 50) };
    if (!view) fit();
    else if (before.width !== plot.width || before.height !== plot.height) {
      view.across *= plot.width / before.width;
      view.down *= plot.height / before.height;
    }
    clamp();
    const level = levelFor(ratio);
    recolour(level);
    context.save();
    context.beginPath();
    context.rect(plot.left, plot.top, Math.min(plot.width, (all.columns - view.column) * view.across), Math.min(plot.height, (all.rows - view.row) * view.down));
    context.clip();
    for (let coarse = tiles.levels.length - 1; coarse >= level; coarse--) layer(context, coarse); // the finest that are here lie on top
    context.restore();
    tiles.want(level, ...spanOf(level));
    strip(context);
    const outer = { ...plot, left: plot.left - STRIP - 3, width: plot.width + STRIP + 3 };
    axes(
      context,
      outer,
      { low: view.column - ((STRIP + 3) / view.across), high: view.column + plot.width / view.across, label: text(`by_${byNeurons.value}`), ticks: ticks(view.column, view.column + plot.width / view.across, plot.width / 90) },
      { low: view.row, high: view.row + plot.height / view.down, label: text(`in_order_of_${byTrials.value}`), format: whole },
      { down: true },
    );
    if (cursor) {
      const look = theme(), x = plot.left + (cursor.column + 0.5 - view.column) * view.across, y = plot.top + (cursor.row + 0.5 - view.row) * view.down;
      context.strokeStyle = look.paper;
      context.lineWidth = 3;
      cross(context, x, y);
      context.strokeStyle = look.ink;
      context.lineWidth = 1;
      cross(context, x, y);
    }
    canvas.dataset.level = level;
  });

  const cross = (context, x, y) => {
    context.beginPath();
    context.moveTo(x - 9, y);
    context.lineTo(x + 9, y);
    context.moveTo(x, y - 9);
    context.lineTo(x, y + 9);
    context.stroke();
  };

  const valueAt = (row, column) => {
    for (let level = Math.max(0, shownLevel); level < tiles.levels.length; level++) {
      const across = column >> level, down = row >> level;
      const tile = tiles.tile(level, Math.floor(down / size), Math.floor(across / size));
      if (tile) return { level, code: tile.codes[(down % size) * size + (across % size)] };
    }
    return null;
  };

  const say = async (row, column) => {
    if (row < 0 || column < 0 || row >= all.rows || column >= all.columns) return;
    const names = await prepared.names(), trial = rows[row], neuron = cols[column];
    const tier = columns["trial.tier"][trial], found = valueAt(row, column);
    let value = "…";
    if (found) {
      const cells = 2 ** found.level, exact = found.level === 0;
      value = found.code === MISSING ? text("withheld") : (found.code === TOP ? `${text("at_least")} ` : "") + number(valueOf(found.code));
      if (!exact) value += ` (${text("mean_of")} ${cells} × ${cells} ${text("cells")})`;
    }
    readout.textContent = `${text("trial")} ${names.trials[trial]} · ${text("tier")} ${summary.benchmark.tiers[tier]} · ${text("image")} ${names.images[columns["trial.image"][trial]]} · ${text("unit")} ${names.units[neuron]} · ${text("depth")} ${number(columns["neuron.z"][neuron])} · ${text("value")} ${value}`;
  };

  const hover = (x, y) => {
    cursor = null;
    if (x < plot.left || y < plot.top || x > plot.left + plot.width || y > plot.top + plot.height) return;
    say(Math.floor(view.row + (y - plot.top) / view.down), Math.floor(view.column + (x - plot.left) / view.across));
  };

  gestures(canvas, { move, zoom, hover });
  const keys = {
    ArrowUp: () => step(-1, 0), ArrowDown: () => step(1, 0), ArrowLeft: () => step(0, -1), ArrowRight: () => step(0, 1),
    "+": () => zoom(1.6), "=": () => zoom(1.6), "-": () => zoom(1 / 1.6), 0: () => { fit(); draw(); },
  };
  // The keyboard has a cursor: one cell, or as many as it takes to see it move.
  const step = (down, across) => {
    cursor ??= { row: Math.floor(view.row + plot.height / view.down / 2), column: Math.floor(view.column + plot.width / view.across / 2) };
    const by = (cell) => Math.max(1, Math.round(12 / cell));
    cursor.row = Math.max(0, Math.min(all.rows - 1, cursor.row + down * by(view.down)));
    cursor.column = Math.max(0, Math.min(all.columns - 1, cursor.column + across * by(view.across)));
    const margin = 20, x = (cursor.column - view.column) * view.across, y = (cursor.row - view.row) * view.down;
    if (x < margin) view.column -= (margin - x) / view.across;
    if (x > plot.width - margin) view.column += (x - plot.width + margin) / view.across;
    if (y < margin) view.row -= (margin - y) / view.down;
    if (y > plot.height - margin) view.row += (y - plot.height + margin) / view.down;
    clamp();
    say(cursor.row, cursor.column);
    draw();
  };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  root.querySelector("[data-in]").addEventListener("click", () => zoom(2));
  root.querySelector("[data-out]").addEventListener("click", () => zoom(0.5));
  root.querySelector("[data-all]").addEventListener("click", () => { fit(); draw(); });
  for (const select of [byTrials, byNeurons]) select.addEventListener("change", () => { choose(); draw(); });
  bright.addEventListener("input", draw);
  choose();
}
