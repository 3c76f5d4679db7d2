// Record with the phone, or choose a file. Each page has at most one studio; it fills the form's #recording.
import { blobOf, forget, keep, keepPiece, unfinished } from "./parts/drawer.js";
import { listen } from "./parts/level.js";
import { send } from "./parts/sender.js";

const PIECE_MS = 1000;
const RATE = 96_000;
const AGAIN_MS = 60_000;
const HERE_MS = 240_000;
const LOOK_MS = 5000;
const TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus", "audio/webm"];
const body = document.body;
const studio = document.querySelector("[data-studio]");

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

const open = () => {
  const find = (what) => studio.querySelector(`[data-${what}]`);
  const button = (name) => studio.querySelector(`[data-do=${name}]`);
  const words = JSON.parse(studio.dataset.said);
  const me = body.dataset.me;
  const use = studio.dataset.use;
  const most = Number(studio.dataset.most);
  const form = studio.closest("form");
  const file = document.querySelector("[data-studio-file]");
  let now = null; // what is being recorded
  let sending = null; // what is being sent, until the server has prepared it
  let localAddress = "";

  // Said in words that everybody sees, and read aloud once to who does not.
  const say = (key, fields = {}) => {
    const text = key ? (words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => fields[name] ?? "") : "";
    find("hint").textContent = text;
    find("hint").hidden = !text;
    if (find("aloud").textContent !== text) find("aloud").textContent = text;
  };
  const shown = (...names) => {
    for (const name of ["record", "stop", "pause", "again"]) button(name).hidden = !names.includes(name);
  };

  const hear = (blob) => {
    if (localAddress) URL.revokeObjectURL(localAddress);
    localAddress = blob ? URL.createObjectURL(blob) : "";
    const audio = find("local");
    if (blob) audio.src = localAddress;
    else audio.removeAttribute("src");
    audio.hidden = !blob;
  };

  // --- sending

  const progress = (share, key) => {
    find("sending").hidden = false;
    studio.querySelector(".studio-sent").value = Math.round(100 * share);
    find("sent-words").textContent = words[key].replace("{percent}", Math.round(100 * share));
    if (key !== "sending") find("aloud").textContent = find("sent-words").textContent;
  };

  const over = () => {
    sending = null;
    find("sending").hidden = true;
    form?.removeAttribute("aria-busy");
  };

  const hand = (blob, { id, title, local }) => {
    if (blob.size > Number(studio.dataset.max)) {
      const mega = (bytes) => Math.ceil(bytes / 1_000_000);
      say("too_large", { size: mega(blob.size), limit: Math.floor(studio.dataset.max / 1_000_000) });
      return;
    }
    sending?.way.abort();
    form?.setAttribute("aria-busy", "true");
    progress(0, "sending");
    let share = 0;
    const told = {
      progress: (reached) => progress((share = reached), "sending"),
      waiting: () => progress(share, "waiting"),
      failed: (sentence, status) => {
        progress(share, "failed");
        say(status === 401 ? "login" : (sentence ?? "failed"));
        if (sending) sending.stuck = true;
        if (sentence && status !== 401) over();
        else setTimeout(goOn, AGAIN_MS);
        list();
      },
      sent: (upload) => {
        progress(1, "sent");
        sending = { ...sending, upload };
        look(upload);
      },
    };
    sending = { id: local ? id : "", way: null };
    sending.way = send(blob, { name: `${me}-${id}`, title, use, token: body.dataset.token, told });
  };

  // From then on the piece of the page that comes back looks by itself.
  const look = (upload) => {
    if (sending?.upload !== upload || document.getElementById("preparing")?.dataset.upload === upload) return;
    htmx.ajax("GET", `/uploads/${upload}/rows`, { target: "#recording", swap: "innerHTML" })?.catch(() => {});
    setTimeout(look, LOOK_MS, upload);
  };

  const goOn = () => {
    if (!sending?.stuck || sending.upload) return;
    sending.stuck = false;
    say("");
    sending.way.start();
  };
  window.addEventListener("online", goOn);

  // The server has made something of it, or says why not: only then is it no longer kept here.
  body.addEventListener("recorded", (event) => {
    if (!sending?.upload || document.getElementById("preparing")) return;
    const { upload } = event.detail ?? {};
    // What was sent before it came late, into its place.
    if (upload && upload !== sending.upload) return look(sending.upload);
    const good = Boolean(upload && document.getElementById("asset")?.value);
    const { id } = sending;
    over();
    if (!good) return list();
    say("");
    hear(null);
    shown("record");
    find("time").hidden = true;
    if (id) forget(id).then(list, () => {});
  });

  form?.addEventListener("submit", (event) => {
    // While a part is cut out, the field still names the whole.
    if (!sending && !now && !document.getElementById("preparing")) return;
    if (["preview", "own"].includes(event.submitter?.value)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    say("wait");
    studio.scrollIntoView({ block: "center" });
  }, true);

  file?.addEventListener("change", () => {
    const chosen = file.files[0];
    if (!chosen) return;
    say("");
    hand(chosen, { id: `file-${chosen.name}-${chosen.size}-${chosen.lastModified}`, title: chosen.name, local: false });
    // What goes in pieces need not travel again with the form.
    file.value = "";
  });

  // --- what is still here from before

  const list = async () => {
    const place = find("unfinished");
    const found = (await unfinished(me)).filter((each) => each.use === use && each.id !== now?.recording.id && each.id !== sending?.id);
    for (const old of place.querySelectorAll(".studio-row")) old.remove();
    place.hidden = !found.length;
    for (const each of found) {
      const row = find("row").content.firstElementChild.cloneNode(true);
      const when = new Date(each.began).toLocaleString(document.documentElement.lang, { dateStyle: "short", timeStyle: "short" });
      row.querySelector("[data-what]").textContent = `${when} · ${clock(each.seconds)}`;
      const acts = {
        send: async () => hand(await blobOf(each), { id: each.id, title: `${when}.${each.type.includes("mp4") ? "m4a" : "webm"}`, local: true }) ?? list(),
        listen: async () => {
          hear(await blobOf(each));
          find("local").play().catch(() => {});
        },
        delete: async () => {
          if (!confirm(words.sure)) return;
          await forget(each.id);
          list();
        },
      };
      for (const [name, act] of Object.entries(acts)) row.querySelector(`[data-row-do=${name}]`).addEventListener("click", act);
      place.append(row);
    }
  };

  // --- recording

  const awake = async () => {
    try {
      now.lock = await navigator.wakeLock?.request("screen");
    } catch {
      // The screen may go dark; it records on.
    }
  };
  document.addEventListener("visibilitychange", () => now && document.visibilityState === "visible" && awake());

  const record = async () => {
    if (now || sending) return say(sending ? "wait" : "");
    button("record").disabled = true;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false, noiseSuppression: true, autoGainControl: true } });
    } catch (error) {
      const why = { NotAllowedError: "refused", NotFoundError: "no_microphone", NotReadableError: "in_use" };
      return say(why[error.name] ?? "no_microphone");
    } finally {
      button("record").disabled = false;
    }
    const type = TYPES.find((each) => MediaRecorder.isTypeSupported(each)) ?? "";
    const device = new MediaRecorder(stream, { ...(type && { mimeType: type }), audioBitsPerSecond: RATE });
    const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
    now = { device, stream, pieces: [], writes: Promise.resolve(), seconds: 0, since: performance.now() };
    now.recording = { id, me, use, type: device.mimeType || type, began: Date.now(), seconds: 0, bytes: 0 };
    device.addEventListener("dataavailable", (event) => event.data.size && took(now, event.data));
    device.addEventListener("stop", () => finished(now));
    stream.getAudioTracks()[0].addEventListener("ended", () => now && stop());
    hear(null);
    device.start(PIECE_MS);
    awake();
    shown("stop", "pause", "again");
    for (const what of ["time", "level"]) find(what).hidden = false;
    find("time").classList.add("studio-live");
    say("recording");
    button("stop").focus();
    list();
    const mine = now;
    // Who speaks for a quarter of an hour is here, although no key is pressed: the session must not end meanwhile.
    mine.here = setInterval(() => {
      if (mine.device.state === "recording" && mine.judgement !== "nothing") fetch("/api/v1/sessions").catch(() => {});
    }, HERE_MS);
    try {
      mine.meter = await listen(stream, (level, judgement) => heard(mine, level, judgement));
    } catch {
      mine.timer = setInterval(() => tick(mine), 250); // no meter here; the time goes on
    }
  };

  const tick = (it) => {
    if (it.device.state === "recording") {
      const at = performance.now();
      it.seconds += (at - it.since) / 1000;
      it.since = at;
    }
    find("time").textContent = clock(it.seconds);
    if (it.seconds >= most && it.device.state !== "inactive") {
      stop();
      say("longest");
    }
  };

  const heard = (it, level, judgement) => {
    if (it !== now) return;
    tick(it);
    find("level").value = it.device.state === "paused" ? -60 : Math.max(-60, level);
    if (it.device.state === "recording" && judgement && judgement !== it.judgement) {
      it.judgement = judgement;
      say(judgement);
    }
  };

  const took = (it, piece) => {
    if (it.dropped) return;
    const n = it.pieces.push(piece) - 1;
    it.recording = { ...it.recording, seconds: it.seconds, bytes: it.recording.bytes + piece.size };
    const { recording } = it;
    it.writes = it.writes.then(() => keepPiece(recording, n, piece)).catch(() => {
      // No room or a private window: it is still in memory, and that is said.
      if (!it.told) say("kept_off");
      it.told = true;
    });
  };

  const still = (it) => {
    it.meter?.stop();
    clearInterval(it.timer);
    clearInterval(it.here);
    for (const track of it.stream.getTracks()) track.stop();
    it.lock?.release().catch(() => {});
    find("level").hidden = true;
    find("time").classList.remove("studio-live");
  };

  const stop = () => now && now.device.state !== "inactive" && now.device.stop();

  const finished = async (it) => {
    still(it);
    await it.writes;
    if (now === it) now = null;
    if (it.dropped) {
      await forget(it.recording.id).catch(() => {});
      return list();
    }
    shown("record");
    button("record").focus();
    const blob = new Blob(it.pieces, { type: it.recording.type });
    if (!blob.size) return say("nothing");
    hear(blob);
    if (it.seconds < most) say("stopped", { time: clock(it.seconds) });
    const title = `${new Date(it.recording.began).toISOString().slice(0, 16)}.${it.recording.type.includes("mp4") ? "m4a" : "webm"}`;
    hand(blob, { id: it.recording.id, title, local: true });
  };

  button("record").addEventListener("click", record);
  button("stop").addEventListener("click", stop);
  button("pause").addEventListener("click", () => {
    const paused = now?.device.state === "paused";
    if (!now) return;
    tick(now);
    if (paused) {
      now.since = performance.now();
      now.device.resume();
    } else {
      now.device.pause();
      now.device.requestData?.();
    }
    now.judgement = "";
    button("pause").querySelector("span").textContent = words[paused ? "pause" : "go_on"];
    say(paused ? "recording" : "paused");
  });
  button("again").addEventListener("click", () => {
    if (!now || !confirm(words.sure)) return;
    now.dropped = true;
    const old = now;
    now = null;
    shown("record");
    find("time").hidden = true;
    say("");
    old.device.stop();
  });
  window.addEventListener("beforeunload", (event) => (now || (sending && !sending.upload)) && event.preventDefault());

  // --- where it cannot be

  if (!window.isSecureContext) {
    button("record").disabled = true;
    say("off_insecure");
  } else if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) {
    button("record").disabled = true;
    say("off_browser");
  }
  if (window.indexedDB) list().catch(() => {});
};

if (studio) open();
