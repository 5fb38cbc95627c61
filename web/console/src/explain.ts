// The explanation object of a Decision, and how a person wants to read it.
// It is stored with a message, printed by the test tool and by batch tests, and
// an older one may lack what a newer one has: everything here is optional.

import { t, word } from "./locale";

export interface Rule {
  rule: string;
  phrase?: string;
  text?: string;
}

/** Scored is one Topic; every number but p is a part of its score. */
export interface Scored {
  topic: string;
  title?: string;
  p: number;
  [part: string]: unknown;
}

export interface Feature {
  name: string;
  weight: number;
}

export interface Evidence {
  norm?: string;
  tokens?: string[];
  /** What was read as words that sound the same; norm is the text with those. */
  heard?: { from: string; to: string }[];
  rules?: Rule[];
  because?: string;
  top?: Scored[];
  features?: Feature[];
  nearest?: string;
  margin?: number;
  coverage?: number;
  negated?: boolean;
  exact?: boolean;
  context?: string;
  thresholds?: { high?: number; low?: number; [name: string]: number | undefined };
  knowledge?: string;
  /** The requests of a message that holds two; the first one was served first. */
  parts?: { text: string; topic: string; title?: string; p: number; first?: boolean }[];
  /** What the message was to a form under way. */
  form?: { id: string; did: string; slot?: string; tries?: number; state?: string };
}

export const percent = (n: number | undefined, digits = 0) =>
  n === undefined || Number.isNaN(n) ? "" : (n * 100).toFixed(digits) + "%";

/** ruleName words a signal or a built-in intent. */
export const ruleName = (id: string) => t.signal[id] ?? t.intent[id] ?? t.because[id] ?? id;

/** titleOf names a Topic, or the built-in intent that stands among them as builtin:<id>. */
export const titleOf = (s: Scored) => s.title || (s.topic.startsWith("builtin:") ? ruleName(s.topic.slice(8)) : s.topic);

const list = <T>(v: T[] | undefined | null): T[] => (Array.isArray(v) ? v : []);

/** hits are the rules found, one line each, without repeats. */
export const hits = (ev: Evidence): Rule[] => {
  const seen = new Set<string>();
  return list(ev.rules).filter((r) => !seen.has(r.rule) && seen.add(r.rule));
};

const quoted = (r: Rule | undefined) => r?.text || r?.phrase || "";

/** why words a reason; small talk and the like are called by their intent. */
const why = (id: string) => t.because[id] ?? t.intent[id] ?? id;

/**
 * headline says in one sentence what was decided and why. The answer of the
 * ranker is worded by its own numbers; a rule by what it found.
 */
export function headline(ev: Evidence): string {
  const w = t.explain;
  const [a, b] = list(ev.top);
  const high = ev.thresholds?.high;
  const low = ev.thresholds?.low;
  const rules = hits(ev);
  const found = (id: string) => quoted(rules.find((r) => r.rule === id) ?? rules[0]);
  switch (ev.because) {
    case "ranker":
    case "exact":
    case "likely":
      if (!a) break;
      if (ev.exact) return w.exact(titleOf(a), ev.nearest ?? "");
      if (high === undefined) return w.ranked(titleOf(a), percent(a.p));
      return a.p >= high ? w.sure(titleOf(a), ev.nearest ?? "", percent(a.p), percent(high)) : w.enough(titleOf(a), ev.nearest ?? "", percent(a.p), percent(high));
    case "between":
      if (!a) break;
      if (high !== undefined && a.p >= high && b) return w.close(titleOf(a), percent(a.p), titleOf(b), percent(b.p));
      return w.between(titleOf(a), percent(a.p), percent(high));
    case "negated":
      return a ? w.negated(titleOf(a)) : t.because["negated"]!;
    case "two_intents": {
      const asked = list(ev.parts);
      if (asked.length < 2) break;
      return w.two(asked.map((x) => `「${x.title || x.topic}」`).join("和"), asked.find((x) => x.first)?.title ?? "");
    }
    case "form":
      if (ev.form) return w.form(word(t.formDid, ev.form.did));
      break;
    case "nothing_known":
      return w.nothing;
    case "below_low":
    case "unsure":
      if (!a) return w.nothing;
      return low !== undefined && a.p < low ? w.unsure(titleOf(a), percent(a.p), percent(low)) : w.doubt(titleOf(a), percent(a.p));
    case "signal":
      return w.signal(rules.filter((r) => r.rule in t.signal).map((r) => ruleName(r.rule)).join("、") || t.because["signal"]!, found(rules.find((r) => r.rule in t.signal)?.rule ?? ""));
    default:
      if (ev.because && rules.length) return w.rule(why(ev.because), found(ev.because));
  }
  return ev.because ? why(ev.because) : "";
}

/** remarks are what else a person should know before trusting the headline. */
export function remarks(ev: Evidence): string[] {
  const w = t.explain;
  const out: string[] = [];
  for (const h of list(ev.heard)) out.push(w.heardAs(h.from, h.to));
  if (ev.context) out.push(w.context(contextTitle(ev)));
  if (ev.negated && ev.because !== "negated") out.push(w.negation);
  if (ev.coverage !== undefined && list(ev.top).length) out.push((ev.coverage < 0.5 ? w.uncovered : w.covered)(percent(ev.coverage)));
  const second = list(ev.top)[1];
  if (ev.margin !== undefined && second && !ev.exact) out.push(w.margin(titleOf(second), ev.margin.toFixed(2)));
  return out;
}

/** contextTitle names the Topic a follow-up was read with, where it is known. */
export const contextTitle = (ev: Evidence) => {
  const known = list(ev.top).find((x) => x.topic === ev.context);
  return known ? titleOf(known) : (ev.context ?? "");
};

/** parts are the pieces of a Topic's score, worded, in the table's order. */
export function parts(s: Scored): { name: string; value: number }[] {
  const order = Object.keys(t.part);
  const rank = (k: string) => (order.includes(k) ? order.indexOf(k) : order.length);
  return Object.entries(s)
    .filter((e): e is [string, number] => e[0] !== "p" && typeof e[1] === "number")
    .sort(([x], [y]) => rank(x) - rank(y))
    .map(([k, value]) => ({ name: word(t.part, k), value }));
}

/** A feature's name says its kind before a colon: a word, characters, pinyin … */
export function feature(f: Feature): { kind: string; text: string; weight: number } {
  const at = f.name.indexOf(":");
  const kind = at > 0 ? f.name.slice(0, at) : "";
  return { kind: t.feature[kind] ?? "", text: (at > 0 ? f.name.slice(at + 1) : f.name).replace(/[\^$]/g, "").replaceAll("_", " "), weight: f.weight };
}

export interface Piece {
  text: string;
  /** 0 nothing spoke for it, 3 the most. */
  level: 0 | 1 | 2 | 3;
}

/**
 * highlight cuts the compared text where the weight of its characters changes:
 * every place where a feature stands shares the feature's weight.
 */
export function highlight(norm: string, features: Feature[] | undefined): Piece[] {
  const chars = [...norm];
  const weight = new Array<number>(chars.length).fill(0);
  for (const f of list(features)) {
    const { text } = feature(f);
    const piece = [...text];
    if (f.weight <= 0 || !piece.length) continue;
    for (let i = 0; i + piece.length <= chars.length; i++)
      if (piece.every((c, j) => chars[i + j] === c)) for (let j = 0; j < piece.length; j++) weight[i + j]! += f.weight / piece.length;
  }
  const most = Math.max(...weight, 0);
  const out: Piece[] = [];
  chars.forEach((c, i) => {
    const level = (most > 0 ? Math.ceil((weight[i]! / most) * 3) : 0) as Piece["level"];
    const last = out[out.length - 1];
    if (last && last.level === level) last.text += c;
    else out.push({ text: c, level });
  });
  return out;
}

/** unseen are the features that stand nowhere in the text: sounds, synonyms. */
export const unseen = (ev: Evidence) => list(ev.features).filter((f) => !(ev.norm ?? "").includes(feature(f).text));
