// Distributions, as the portal has counted them.

import { axes, keptDrawn, text, theme, whole } from "./drawing.js";

export function histogram(canvas, { edges, counts, name, of, log = false }) {
  keptDrawn(canvas, (context, width, height) => {
    const look = theme(), box = { left: 84, top: 8, width: width - 102, height: height - 52 };
    const most = Math.max(1, ...counts), scaled = (value) => (log ? (value > 0 ? Math.log10(value) : 0) : value);
    const y = log
      ? { low: 0, high: Math.log10(most) || 1, label: text(of), ticks: Array.from({ length: Math.floor(Math.log10(most)) + 1 }, (_, i) => i), format: (at) => whole(10 ** at) }
      : { low: 0, high: most, label: text(of), format: whole };
    const { toX, toY } = axes(context, box, { low: edges[0], high: edges.at(-1), label: text(name) }, y, { grid: true });
    context.fillStyle = look.link;
    counts.forEach((count, bin) => {
      const left = toX(edges[bin]), right = toX(edges[bin + 1]), top = toY(scaled(count));
      if (count) context.fillRect(left + 0.5, Math.min(top, box.top + box.height - 1.5), Math.max(1, right - left - 1), Math.max(1.5, box.top + box.height - top));
    });
  });
}

export function histograms(root, prepared) {
  const { summary } = prepared;
  for (const canvas of root.querySelectorAll("canvas[data-histogram]")) {
    const name = canvas.dataset.histogram, of = canvas.dataset.of;
    if (name === "value") { // the last one holds all that is larger, and is drawn as wide as the others
      const { edges, counts } = summary.responses;
      histogram(canvas, { edges: [...edges, edges.at(-1) + edges[1] - edges[0]], counts, name, of, log: true });
    } else histogram(canvas, { ...summary.histograms[name], name, of });
  }
}
