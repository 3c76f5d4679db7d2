// Sends a recording in pieces (tus 1.0.0). A line that breaks is tried again by itself; what the server has is not sent
// twice, also after the page was closed.
import { Upload } from "tus-js-client";

const PIECE = 512 * 1024;
const TRIES = [0, 1000, 3000, 5000, 10_000, 20_000, 30_000, 60_000];

// `told`: progress(share), waiting(), failed(sentence or null), sent(id). `name` is what finds it again.
export const send = (blob, { name, title, use, token, told }) => {
  const upload = new Upload(blob, {
    endpoint: "/api/v1/uploads",
    chunkSize: PIECE,
    retryDelays: TRIES,
    removeFingerprintOnSuccess: true,
    fingerprint: async () => `loa-${name}`,
    metadata: { filename: title, use },
    headers: { "X-Form-Token": token },
    onShouldRetry: (error) => {
      const status = error.originalResponse?.getStatus() ?? 0;
      const again = status === 0 || status === 409 || status === 423 || status >= 500;
      if (again) told.waiting();
      return again;
    },
    onProgress: (sent, size) => told.progress(size ? sent / size : 1),
    onError: (error) => {
      const answer = error.originalResponse;
      let sentence = null;
      try {
        sentence = JSON.parse(answer?.getBody() ?? "{}").detail ?? null;
      } catch {
        // Not ours: a machine in between answered.
      }
      told.failed(sentence, answer?.getStatus() ?? 0);
    },
    onSuccess: () => told.sent(new URL(upload.url, location.href).pathname.split("/").pop()),
  });
  const start = async () => {
    const before = await upload.findPreviousUploads();
    if (before.length) upload.resumeFromPreviousUpload(before[0]);
    upload.start();
  };
  start();
  return { start, abort: () => upload.abort() };
};
