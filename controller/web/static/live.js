// Speak to the horns: the microphone's samples over one socket, and what the server says of them.
const RATE = 16_000; // what a horn can pass; a third of the bytes of 48 kHz
const HELD_S = 0.6; // more than this on its way, and what is said now would only come late
const AGAIN_MS = 1_000;
const FOR_MS = 7_500; // the server ends a voice that was lost for so long
const desk = document.querySelector("[data-live]");

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

const open = () => {
  const find = (what) => desk.querySelector(`[data-${what}]`);
  const button = (name) => desk.querySelector(`[data-do=${name}]`);
  const words = JSON.parse(desk.dataset.said);
  let microphone = null; // stream, context, rate
  let socket = null;
  let lost = 0; // since when there is no socket
  let over = false;

  const show = (state, sentence) => {
    desk.dataset.state = state;
    const text = sentence || words[state] || state;
    if (find("state-words").textContent !== text) find("state-words").textContent = text;
  };
  const hint = (text) => {
    find("hint").textContent = text ?? "";
    find("hint").hidden = !text;
  };

  const listen = async () => {
    if (!window.isSecureContext) throw new Error("insecure");
    if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) throw new Error("off");
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
    const wired = async (context) => {
      await context.audioWorklet.addModule(desk.dataset.worklet);
      const source = context.createMediaStreamSource(stream);
      const worklet = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
      source.connect(worklet);
      worklet.port.onmessage = ({ data }) => hand(data);
      await context.resume();
      return { stream, context, rate: context.sampleRate };
    };
    // Some browsers hear a microphone only at its own rate.
    let context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    try {
      return await wired(context);
    } catch {
      await context.close().catch(() => {});
      context = new AudioContext({ latencyHint: "interactive" });
      return wired(context);
    }
  };

  const hand = ({ buffer, level }) => {
    find("level").value = level;
    if (socket?.readyState !== WebSocket.OPEN || desk.dataset.state === "connecting") return;
    if (socket.bufferedAmount > HELD_S * 2 * microphone.rate) return;
    socket.send(buffer);
  };

  const finish = (state, sentence) => {
    over = true;
    show(state, sentence);
    hint("");
    socket?.close();
    microphone?.stream.getTracks().forEach((track) => track.stop());
    microphone?.context.close().catch(() => {});
    button("stop").hidden = true;
    button("speak").hidden = true;
    find("level").value = -60;
  };

  const heard = (told) => {
    if (told.state === "refused") {
      finish("refused", told.words);
      button("speak").hidden = false;
      over = false;
      socket = null;
      return;
    }
    if (told.state === "ended") {
      finish("ended", told.words);
      setTimeout(() => location.reload(), 4_000);
      return;
    }
    lost = 0;
    show(told.state);
    find("seconds").textContent = clock(told.seconds);
    find("left").textContent = words.left.replace("{time}", clock(told.left));
    if (told.silent_s >= 8) hint(words.quiet.replace("{seconds}", told.silent_s));
    else hint(told.late > 5 ? words.late.replace("{n}", told.late) : "");
  };

  const connect = () => {
    const way = new URL(desk.dataset.live, location.href);
    way.protocol = way.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(way);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(JSON.stringify({ token: document.body.dataset.token, rate: microphone.rate }));
    socket.onmessage = ({ data }) => heard(JSON.parse(data));
    socket.onclose = ({ code }) => {
      if (over || desk.dataset.state === "refused") return;
      if (code === 4401) return finish("refused", words.login);
      lost ||= Date.now();
      if (Date.now() - lost > FOR_MS) return finish("ended", words.lost);
      show("connecting", words.again);
      setTimeout(() => over || connect(), AGAIN_MS);
    };
  };

  button("speak").addEventListener("click", async () => {
    button("speak").hidden = true;
    over = false;
    lost = 0;
    show("asking");
    try {
      microphone = await listen();
    } catch (error) {
      const known = { NotAllowedError: "refused", NotFoundError: "no_microphone", NotReadableError: "in_use", Error: error.message };
      show("refused", words[known[error.name]] ?? words.off);
      button("speak").hidden = false;
      return;
    }
    button("stop").hidden = false;
    show("connecting");
    connect();
  });

  button("stop").addEventListener("click", async () => {
    button("stop").hidden = true;
    show("closing");
    const body = new URLSearchParams({ form_token: document.body.dataset.token });
    const way = desk.dataset.live.replace(/voice$/, "stop");
    const answer = await fetch(way, { method: "POST", body, redirect: "manual" }).catch(() => null);
    if (!over && answer?.type !== "opaqueredirect") button("stop").hidden = false; // it did not arrive
  });

  addEventListener("beforeunload", (event) => {
    if (microphone && !over) event.preventDefault();
  });
};

if (desk) open();
