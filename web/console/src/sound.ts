// A short tone made in the browser; no file to load, off by choice.

const key = "wensheng.sound";

export const soundOn = () => localStorage.getItem(key) !== "off";

export const setSound = (on: boolean) => localStorage.setItem(key, on ? "on" : "off");

let context: AudioContext | undefined;

/** beep rings once; browsers allow it after the first click on the page. */
export function beep() {
  if (!soundOn()) return;
  try {
    context ??= new AudioContext();
    const osc = context.createOscillator();
    const gain = context.createGain();
    osc.frequency.value = 880;
    gain.gain.setValueAtTime(0.08, context.currentTime);
    gain.gain.exponentialRampToValueAtTime(0.0001, context.currentTime + 0.25);
    osc.connect(gain).connect(context.destination);
    osc.start();
    osc.stop(context.currentTime + 0.26);
  } catch {
    // no sound device: the badge and the notice remain
  }
}
