// The neurons where they lie: a cloud that turns as it is dragged, and how many there are at each depth.

import { colourOf, css } from "./colours.js";
import { axes, colourBar, gestures, keptDrawn, limits, number, spread, text, theme, ticks } from "./drawing.js";

const AXES = ["x", "y", "z"], NEAR = 12; // pixels within which a neuron is meant

export async function cloud(root, prepared) {
  const columns = await prepared.columns();
  const canvas = root.querySelector("canvas[data-picture]"), depths = root.querySelector("canvas[data-depths]");
  const by = root.querySelector("[name=colour]"), readout = root.querySelector("output");
  const legend = colourBar(root.querySelector("canvas[data-legend]"));
  const places = AXES.map((axis) => columns[`neuron.${axis}`]), count = places[0].length;
  const ranges = places.map(limits), middle = ranges.map(([low, high]) => (low + high) / 2);
  const longest = Math.max(...ranges.map(([low, high]) => high - low), 1);
  let turn = { about: -0.6, over: 0.45, size: 1 };
  let values, shown, colours;
  const screen = { x: new Float32Array(count), y: new Float32Array(count) };
  const order = new Uint32Array(count), near = new Float32Array(count);
  const points = document.createElement("canvas"); // pixels are set there, and come to lie over the frame

  const recolour = () => {
    values = by.value === "depth" ? columns["neuron.z"] : columns[`neuron.${by.value}`];
    shown = spread(values);
    const missing = 0xff9c928a;
    colours = Uint32Array.from(values, (value) => colourOf(value, ...shown) ?? missing);
    legend({ low: shown[0], high: shown[1], label: text(by.value) });
  };

  // From µm to the screen: turned about the vertical axis (depth), then tilted; without perspective, so that lengths can be compared.
  const projection = (width, height) => {
    const [ca, sa, co, so] = [Math.cos(turn.about), Math.sin(turn.about), Math.cos(turn.over), Math.sin(turn.over)];
    const scale = (turn.size * 0.6 * Math.min(width, height * 1.5)) / longest;
    return (x, y, z) => {
      const [dx, dy, dz] = [x - middle[0], y - middle[1], z - middle[2]];
      const right = ca * dx - sa * dy, away = sa * dx + ca * dy;
      return [width / 2 + scale * right, height / 2 + scale * (co * dz - so * away), co * away + so * dz];
    };
  };

  const draw = keptDrawn(canvas, (context, width, height, ratio) => {
    const project = projection(width, height), look = theme();
    frame(context, project, look);
    for (let i = 0; i < count; i++) {
      const [x, y, away] = project(places[0][i], places[1][i], places[2][i]);
      screen.x[i] = x;
      screen.y[i] = y;
      near[i] = away;
      order[i] = i;
    }
    order.sort((a, b) => near[b] - near[a]); // far ones first
    const wide = Math.round(width * ratio), high = Math.round(height * ratio);
    const picture = new ImageData(wide, high), pixels = new Uint32Array(picture.data.buffer);
    const half = Math.max(1, Math.round(ratio * (count > 2000 ? 1.5 : 3) * Math.sqrt(turn.size)));
    for (const i of order) {
      const cx = Math.round(screen.x[i] * ratio), cy = Math.round(screen.y[i] * ratio);
      if (cx < half || cy < half || cx >= wide - half || cy >= high - half) continue;
      for (let y = -half; y <= half; y++) {
        const row = (cy + y) * wide + cx, reach = y === -half || y === half ? half - 1 : half; // without corners: nearly round
        pixels.fill(colours[i], row - reach, row + reach + 1);
      }
    }
    Object.assign(points, { width: wide, height: high });
    points.getContext("2d").putImageData(picture, 0, 0);
    context.drawImage(points, 0, 0, width, height);
  });

  const frame = (context, project, look) => {
    const corner = (bits) => project(...ranges.map((range, axis) => range[(bits >> axis) & 1]));
    context.strokeStyle = look.line;
    context.lineWidth = 1;
    for (let bits = 0; bits < 8; bits++) {
      for (let axis = 0; axis < 3; axis++) {
        if (bits & (1 << axis)) continue;
        const [from, to] = [corner(bits), corner(bits | (1 << axis))];
        context.beginPath();
        context.moveTo(from[0], from[1]);
        context.lineTo(to[0], to[1]);
        context.stroke();
      }
    }
    context.fillStyle = look.ink;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const [cx, cy] = project(...middle);
    for (let axis = 0; axis < 3; axis++) {
      // The edge of this direction that lies lowest on the screen (for depth: furthest to the left) carries the numbers.
      const edges = [0, 1, 2, 3].map((pair) => {
        const others = [0, 1, 2].filter((each) => each !== axis);
        const bits = ((pair & 1) << others[0]) | ((pair >> 1) << others[1]);
        return [corner(bits), corner(bits | (1 << axis)), bits];
      });
      const key = (edge) => (axis === 2 ? -(edge[0][0] + edge[1][0]) : edge[0][1] + edge[1][1]);
      const [from, to] = edges.reduce((best, edge) => (key(edge) > key(best) ? edge : best));
      const [low, high] = ranges[axis];
      const out = (x, y, by) => {
        const length = Math.hypot(x - cx, y - cy) || 1;
        return [Math.max(24, x + ((x - cx) / length) * by), y + ((y - cy) / length) * by];
      };
      if (Math.hypot(to[0] - from[0], to[1] - from[1]) < 40) continue; // seen from its end
      for (const at of ticks(low, high, 4)) {
        const part = (at - low) / (high - low || 1);
        context.fillText(number(at), ...out(from[0] + part * (to[0] - from[0]), from[1] + part * (to[1] - from[1]), 16));
      }
      context.fillText(`${AXES[axis]} (µm)`, ...out((from[0] + to[0]) / 2, (from[1] + to[1]) / 2, 42));
    }
  };

  const redrawDepths = histogramOfDepths(depths, prepared.summary.histograms.depth, columns["neuron.z"], () => ({ values, shown }));
  const again = () => { recolour(); draw(); redrawDepths(); };
  const zoom = (factor) => { turn.size = Math.max(0.5, Math.min(12, turn.size * factor)); draw(); };
  const rotate = (dx, dy) => {
    turn.about -= dx * 0.008;
    turn.over = Math.max(-1.57, Math.min(1.57, turn.over + dy * 0.008));
    draw();
  };
  const hover = async (x, y) => {
    let best = -1, least = NEAR ** 2;
    for (const i of order) { // of those in the same place, the one in front
      const away = (screen.x[i] - x) ** 2 + (screen.y[i] - y) ** 2;
      if (away <= least) [best, least] = [i, away];
    }
    if (best < 0) return;
    const names = await prepared.names();
    readout.textContent = `${text("unit")} ${names.units[best]} · x, y, z ${AXES.map((_, axis) => number(places[axis][best])).join(", ")} µm · ${text("response")} ${number(columns["neuron.response"][best])} · ${text("reliability")} ${number(columns["neuron.reliability"][best])}`;
  };
  gestures(canvas, { move: rotate, zoom, hover });
  const keys = {
    ArrowLeft: () => rotate(-12, 0), ArrowRight: () => rotate(12, 0), ArrowUp: () => rotate(0, -12), ArrowDown: () => rotate(0, 12),
    "+": () => zoom(1.2), "=": () => zoom(1.2), "-": () => zoom(1 / 1.2), 0: () => { turn = { about: -0.6, over: 0.45, size: 1 }; draw(); },
  };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  root.querySelector("[data-in]").addEventListener("click", () => zoom(1.3));
  root.querySelector("[data-out]").addEventListener("click", () => zoom(1 / 1.3));
  by.addEventListener("change", again);
  recolour();
}

// How many neurons lie at each depth, the surface on top, each bar in the colour of its neurons' mean.
function histogramOfDepths(canvas, { edges, counts }, z, chosen) {
  const draw = keptDrawn(canvas, (context, width, height) => {
    const { values, shown } = chosen();
    const sums = new Float64Array(counts.length), numbers = new Uint32Array(counts.length), first = edges[0], step = edges[1] - first || 1;
    for (let i = 0; i < z.length; i++) {
      if (!Number.isFinite(values[i])) continue;
      const bin = Math.max(0, Math.min(counts.length - 1, Math.floor((z[i] - first) / step)));
      sums[bin] += values[i];
      numbers[bin] += 1;
    }
    const box = { left: 66, top: 8, width: width - 84, height: height - 52 }, most = Math.max(...counts);
    const { toX, toY } = axes(context, box, { low: 0, high: most, label: text("neurons") }, { low: edges[0], high: edges.at(-1), label: text("depth") }, { down: true });
    for (let bin = 0; bin < counts.length; bin++) {
      const top = toY(edges[bin]), bottom = toY(edges[bin + 1]);
      const pixel = numbers[bin] ? colourOf(sums[bin] / numbers[bin], ...shown) : null;
      context.fillStyle = pixel === null ? theme().soft : css(pixel);
      context.fillRect(box.left, top + 0.5, toX(counts[bin]) - box.left, Math.max(1, bottom - top - 1));
    }
  });
  return draw;
}
