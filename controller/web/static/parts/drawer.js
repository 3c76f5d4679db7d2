// Recordings on this device until the server has them: piece by piece, so that a closed page, an empty battery or a
// browser that dies loses a few seconds at the most.
const NAME = "loa-studio";
const promised = (request) =>
  new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });

let opened = null;
const open = () => {
  if (!opened) {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("recordings", { keyPath: "id" });
      request.result.createObjectStore("pieces", { keyPath: ["id", "n"] });
    };
    opened = promised(request);
  }
  return opened;
};

const within = async (mode, act) => {
  const base = await open();
  const change = base.transaction(["recordings", "pieces"], mode);
  const done = new Promise((good, bad) => {
    change.oncomplete = good;
    change.onerror = change.onabort = () => bad(change.error);
  });
  const answer = await act(change.objectStore("recordings"), change.objectStore("pieces"));
  await done;
  return answer;
};

const all = (id) => IDBKeyRange.bound([id, 0], [id, Infinity]);

// What is known of a recording: id, me, use, type, began, seconds, bytes.
export const keep = (recording) => within("readwrite", (recordings) => promised(recordings.put(recording)));

export const keepPiece = (recording, n, piece) =>
  within("readwrite", (recordings, pieces) => {
    recordings.put(recording);
    return promised(pieces.put({ id: recording.id, n, piece }));
  });

export const forget = (id) =>
  within("readwrite", (recordings, pieces) => {
    recordings.delete(id);
    return promised(pieces.delete(all(id)));
  });

export const unfinished = async (me) => {
  const found = await within("readonly", (recordings) => promised(recordings.getAll()));
  return found.filter((each) => each.me === me && each.bytes > 0).sort((one, other) => other.began - one.began);
};

export const blobOf = async (recording) => {
  const found = await within("readonly", (_, pieces) => promised(pieces.getAll(all(recording.id))));
  return new Blob(found.map((each) => each.piece), { type: recording.type });
};
