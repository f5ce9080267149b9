// Colours: viridis, whose steps look equal and that people with colour-blindness can read; and eight colours of tiers.

const STOPS = [
  "44015446075a470d6047136548186a481d6f482374482878472d7b46327e453781443b844240864045883e49893d4e8a",
  "3a538b38588c365c8d34608d32648e31688e2f6c8e2d708e2c738e2a778e297b8e277f8e26828e24868e238a8d218e8d",
  "20928c1f968b1f9a8a1f9e891fa18721a58523a98326ad812ab07f2fb47c35b7793bbb7542be714ac16d52c5695ac864",
  "65cb5e6ece5877d15381d34d8bd64695d840a0da39aadc32b5de2bc0df25cae11fd5e21adfe318eae51af4e61efde725",
].join("");

// 256 colours as the four bytes of a pixel (red first in memory, on all machines that browsers run on).
export const VIRIDIS = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  const place = (i / 255) * 63, low = Math.min(62, Math.floor(place)), part = place - low;
  const channel = (stop, c) => parseInt(STOPS.substr(6 * stop + 2 * c, 2), 16);
  const mixed = [0, 1, 2].map((c) => Math.round(channel(low, c) * (1 - part) + channel(low + 1, c) * part));
  VIRIDIS[i] = (255 << 24) | (mixed[2] << 16) | (mixed[1] << 8) | mixed[0];
}

export function css(pixel) {
  return `rgb(${pixel & 255}, ${(pixel >> 8) & 255}, ${(pixel >> 16) & 255})`;
}

// Of a value between two others; null where there is no value.
export function colourOf(value, low, high) {
  if (!Number.isFinite(value)) return null;
  const place = high > low ? (value - low) / (high - low) : 0.5;
  return VIRIDIS[Math.max(0, Math.min(255, Math.round(255 * place)))];
}

// Of tiers, in the order of the benchmark (most are Okabe and Ito's), as in looking.css; after the last, the first again.
const TIER_COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8a63b8", "#8c6d31"];
export function tierColour(code) {
  return TIER_COLOURS[code % TIER_COLOURS.length];
}
export const MISSING_COLOUR = "#8a929c";
