// Sounds made here, each state its own, and amounts said aloud by a voice of this machine.

// Hertz and seconds, one after the other.
const TONES = {
  accepted: [[660, 0.1], [990, 0.22]],
  unproven: [[660, 0.1], [660, 0.1], [880, 0.2]],
  stopped: [[330, 0.35]],
  doubt: [[520, 0.14], [390, 0.14], [520, 0.14], [390, 0.14]],
  again: [[780, 0.07], [780, 0.07]],
};
const LOUDNESS = 0.2;

let context = null;

export const isMute = () => localStorage.getItem("mute") === "yes";

export function mute(silent) {
  localStorage.setItem("mute", silent ? "yes" : "no");
}

// A browser makes sounds only after somebody touched the page.
function wake() {
  if (!context && window.AudioContext) context = new AudioContext();
  if (context && context.state === "suspended") context.resume();
}
for (const kind of ["keydown", "pointerdown"]) document.addEventListener(kind, wake, { capture: true, passive: true });

export function play(name) {
  if (isMute()) return;
  if (navigator.vibrate && navigator.userActivation?.hasBeenActive) navigator.vibrate(TONES[name].map(([, length]) => length * 1000));
  if (!context || context.state !== "running") return;
  let at = context.currentTime;
  for (const [hertz, length] of TONES[name]) {
    const [tone, gain] = [context.createOscillator(), context.createGain()];
    tone.frequency.value = hertz;
    gain.gain.setValueAtTime(LOUDNESS, at);
    gain.gain.exponentialRampToValueAtTime(0.001, at + length);
    tone.connect(gain).connect(context.destination);
    tone.start(at);
    tone.stop(at + length);
    at += length + 0.03;
  }
}

// Only a voice that is here: nothing is sent anywhere to be said.
function voice(language) {
  const voices = window.speechSynthesis ? speechSynthesis.getVoices() : [];
  return voices.find((one) => one.localService && one.lang.toLowerCase().startsWith(language));
}

export const canSpeak = (language) => Boolean(voice(language));

export function speak(text, language) {
  const said = new SpeechSynthesisUtterance(text);
  said.voice = voice(language);
  said.lang = said.voice.lang;
  speechSynthesis.cancel();
  speechSynthesis.speak(said);
}

export function onVoices(tell) {
  if (window.speechSynthesis) speechSynthesis.addEventListener("voiceschanged", tell);
}
