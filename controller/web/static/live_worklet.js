// Samples of the microphone as 16-bit pieces of 40 ms, in the browser's own audio thread.
const PIECE_MS = 40;

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Int16Array(Math.round((sampleRate * PIECE_MS) / 1000));
    this.filled = 0;
    this.sum = 0;
  }

  process(inputs) {
    const channel = inputs[0]?.[0];
    if (!channel) return true;
    for (const sample of channel) {
      const held = Math.max(-1, Math.min(1, sample));
      this.piece[this.filled] = Math.round(held * 32767);
      this.filled += 1;
      this.sum += held * held;
      if (this.filled === this.piece.length) this.hand();
    }
    return true;
  }

  hand() {
    const level = this.sum > 0 ? 10 * Math.log10(this.sum / this.filled) : -90;
    const { buffer } = this.piece;
    this.piece = new Int16Array(this.piece.length);
    this.filled = 0;
    this.sum = 0;
    this.port.postMessage({ buffer, level: Math.max(-90, level) }, [buffer]);
  }
}

registerProcessor("microphone", Microphone);
