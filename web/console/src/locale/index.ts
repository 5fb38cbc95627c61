import { Problem, type ReplyWindow } from "../api";
import zh, { type Locale } from "./zh";

export const t: Locale = zh;

/** word is a code in words; an unknown one is shown as it is. */
export const word = (table: Record<string, string>, code: string) => table[code] ?? code;

/** reason words a handoff's reason, "signal:x" and "form:x" among them. */
export const reason = (code: string) =>
  code.startsWith("signal:") ? word(t.signal, code.slice(7)) : word(t.reason, code.startsWith("form:") ? "form" : code);

/** say words any failure for the person in front of the screen. */
export function say(err: unknown): string {
  if (!(err instanceof Problem)) return t.problem["internal"]!;
  if (err.code === "blocked_wording" && err.wording)
    return `${word(t.wording, err.wording)}${err.phrase ? "。" + t.wordingHit(err.phrase) : ""}`;
  if (err.status === 429 && err.retryAfter) return t.login.locked(err.retryAfter);
  return t.problem[err.code] ?? `${t.problem["internal"]!}（${err.code}）`;
}

/** person names a contact: as he is called, else by his channel and the end of his id. */
export const person = (contact: { id: string; name?: string } | undefined, channel: string) =>
  contact?.name || `${t.people[channel] ?? t.chat.contact}${contact ? " " + contact.id.slice(-4) : ""}`;

const two = (n: number) => String(n).padStart(2, "0");

/** clock is the time of day, with the date when it is not today. */
export function clock(at: string): string {
  const d = new Date(at);
  if (Number.isNaN(d.getTime()) || d.getFullYear() < 2000) return "";
  const time = `${two(d.getHours())}:${two(d.getMinutes())}`;
  return d.toDateString() === new Date().toDateString() ? time : `${two(d.getMonth() + 1)}-${two(d.getDate())} ${time}`;
}

/** replyWindow says how often and until when the contact can still be answered; over when not at all. */
export function replyWindow(w: ReplyWindow, now: number): { text: string; over: boolean } {
  const over = w.left < 1 || !w.until || new Date(w.until).getTime() <= now;
  return { over, text: over ? t.chat.windowOver : t.chat.windowLeft(w.left, clock(w.until!)) };
}
