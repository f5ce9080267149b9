// Tiles of the raster: fetched by ranges of bytes, a run of neighbours at once, and kept as long as they are useful.

const KEPT = 400; // tiles of 64 kB

export class Tiles {
  constructor(prepared, order, levels, size, loaded) {
    this.prepared = prepared;
    this.file = `raster-${order}`;
    this.size = size;
    this.loaded = loaded;
    this.tiles = new Map();
    this.asked = new Set();
    let first = 0;
    this.levels = levels.map((level) => {
      const down = Math.ceil(level.rows / size), across = Math.ceil(level.columns / size);
      const own = { ...level, down, across, first };
      first += down * across;
      return own;
    });
    this.starts = prepared.once(`${this.file}.index`, async () => new Uint32Array(await prepared.bytes(`${this.file}.index`)));
  }

  tile(level, down, across) {
    const key = this.levels[level].first + down * this.levels[level].across + across;
    const found = this.tiles.get(key);
    if (found) { // the one that was used last goes last
      this.tiles.delete(key);
      this.tiles.set(key, found);
    }
    return found;
  }

  // Ask for all tiles of a rectangle that are not here.
  want(level, top, bottom, left, right) {
    const own = this.levels[level];
    for (let down = top; down <= bottom; down++) {
      let run = null;
      for (let across = left; across <= right + 1; across++) {
        const key = own.first + down * own.across + across;
        const missing = across <= right && !this.tiles.has(key) && !this.asked.has(key);
        if (missing) {
          run ??= [key, key];
          run[1] = key + 1;
          this.asked.add(key);
        } else if (run) {
          this.fetch(...run);
          run = null;
        }
      }
    }
  }

  async fetch(from, to) {
    try {
      const starts = await this.starts;
      const packed = await this.prepared.bytes(`${this.file}.tiles`, [starts[from], starts[to]]);
      await Promise.all(
        Array.from({ length: to - from }, async (_, i) => {
          const part = packed.slice(starts[from + i] - starts[from], starts[from + i + 1] - starts[from]);
          const plain = new Blob([part]).stream().pipeThrough(new DecompressionStream("deflate"));
          this.tiles.set(from + i, { codes: new Uint8Array(await new Response(plain).arrayBuffer()), canvas: null, colours: null });
        }),
      );
      for (const key of this.tiles.keys()) {
        if (this.tiles.size <= KEPT) break;
        this.tiles.delete(key);
      }
      this.loaded(null);
    } catch (error) {
      this.loaded(error);
    } finally {
      for (let key = from; key < to; key++) this.asked.delete(key);
    }
  }
}

// A tile's cells as a picture in these colours (one for each code).
export function painted(tile, size, colours) {
  if (tile.colours === colours) return tile.canvas;
  tile.canvas ??= Object.assign(document.createElement("canvas"), { width: size, height: size });
  const context = tile.canvas.getContext("2d"), picture = context.createImageData(size, size);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = colours[tile.codes[i]];
  context.putImageData(picture, 0, 0);
  tile.colours = colours;
  return tile.canvas;
}
