// What the portal has prepared of a recording: small files at addresses that never change.

const ARRAYS = { Float32: Float32Array, Uint8: Uint8Array, Uint16: Uint16Array, Uint32: Uint32Array, Int32: Int32Array };

export class Prepared {
  constructor(address, summary) {
    this.address = address;
    this.summary = summary;
    this.pending = new Map();
  }

  async bytes(file, range) {
    const headers = range ? { Range: `bytes=${range[0]}-${range[1] - 1}` } : {};
    const answer = await fetch(this.address + file, { headers });
    if (!answer.ok) throw new Error(`${file}: ${answer.status}`);
    return answer.arrayBuffer();
  }

  once(file, read) {
    if (!this.pending.has(file)) {
      const asked = read();
      asked.catch(() => this.pending.delete(file)); // the next one who needs it asks again
      this.pending.set(file, asked);
    }
    return this.pending.get(file);
  }

  // All columns by name; reading them costs nothing.
  columns() {
    return this.once("columns.bin", async () => {
      const buffer = await this.bytes("columns.bin");
      const found = {};
      for (const [name, [type, start, length]] of Object.entries(this.summary.columns)) {
        found[name] = new ARRAYS[type](buffer, start, length);
      }
      return found;
    });
  }

  // Ids of trials, images and units, which may be words.
  names() {
    return this.once("names.json", async () => JSON.parse(new TextDecoder().decode(await this.bytes("names.json"))));
  }
}
