/** Cuts a byte stream into lines without their newline. A line above the limit is dropped whole and reported once. */
export class LineSplitter {
  private parts: Uint8Array[] = [];
  private size = 0;
  private dropping = false;
  private readonly maxBytes: number;
  private readonly onLine: (line: Uint8Array) => void;
  private readonly onTooLong: () => void;

  constructor(maxBytes: number, onLine: (line: Uint8Array) => void, onTooLong: () => void) {
    this.maxBytes = maxBytes;
    this.onLine = onLine;
    this.onTooLong = onTooLong;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      this.add(chunk.subarray(start, end));
      this.finish();
      start = end + 1;
    }
    this.add(chunk.subarray(start));
  }

  private add(part: Uint8Array): void {
    if (part.length === 0 || this.dropping) return;
    this.size += part.length;
    if (this.size > this.maxBytes) {
      this.dropping = true;
      this.parts = [];
    } else this.parts.push(part);
  }

  private finish(): void {
    const { parts, dropping } = this;
    this.parts = [];
    this.size = 0;
    this.dropping = false;
    if (dropping) this.onTooLong();
    else if (parts.length > 0) this.onLine(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts));
  }
}
