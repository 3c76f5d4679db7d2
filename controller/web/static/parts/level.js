// How loud a microphone is, and what is wrong with it: too quiet, breaking up, noisy.
const EVERY_MS = 100;
const LOOKED_BACK = 50;
const FLOOR = -90;

const decibels = (share) => (share > 0 ? Math.max(FLOOR, 20 * Math.log10(share)) : FLOOR);
const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];

// What to say of the last levels (dBFS, a tenth of a second each) and of how many of them touched full scale.
export const judged = (levels, clipped) => {
  if (clipped >= 2) return "loud";
  if (levels.length < 15) return "";
  const sorted = [...levels].sort((one, other) => one - other);
  const [noise, speech] = [percentile(sorted, 0.1), percentile(sorted, 0.9)];
  if (speech < -60) return "nothing";
  if (speech < -38) return "quiet";
  // A pause between words should be much softer than the words.
  if (noise > -45 && speech - noise < 12) return "noisy";
  return "good";
};

// Calls `tell(level, judgement)` ten times a second until `stop`.
export const listen = async (stream, tell) => {
  const Context = window.AudioContext ?? window.webkitAudioContext;
  const context = new Context();
  await context.resume();
  const meter = context.createAnalyser();
  meter.fftSize = 4096;
  context.createMediaStreamSource(stream).connect(meter);
  const samples = new Float32Array(meter.fftSize);
  const levels = [];
  const peaks = [];
  const timer = setInterval(() => {
    meter.getFloatTimeDomainData(samples);
    let sum = 0;
    let peak = 0;
    for (const sample of samples) {
      sum += sample * sample;
      peak = Math.max(peak, Math.abs(sample));
    }
    const level = decibels(Math.sqrt(sum / samples.length));
    levels.push(level);
    peaks.push(peak >= 0.985 ? 1 : 0);
    if (levels.length > LOOKED_BACK) {
      levels.shift();
      peaks.shift();
    }
    tell(level, judged(levels, peaks.reduce((one, other) => one + other, 0)));
  }, EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      context.close().catch(() => {});
    },
  };
};
