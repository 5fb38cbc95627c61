// What the knowledge pages decide without a server: counts, hints, who may do
// what, where one is. Pure, and tested.

import type { Role } from "../api";
import { t } from "../locale";
import { finding } from "../locale/findings";
import { k } from "../locale/kb";
import { CURRENT, type Finding, type Topic, type TopicLine, type Version } from "./api";

export const tabs = ["topics", "versions", "files", "eval", "tests", "try", "learn"] as const;
export type Tab = (typeof tabs)[number];

/** Route is where one is: a page, what is open on it, and the version looked at. */
export interface Route {
  tab: Tab;
  id: string;
  v: string;
}

export function readRoute(path: string, search: string): Route {
  const [, tab = "", id = ""] = path.replace(/^\/console\/?/, "").split("/");
  let open = "";
  try {
    open = decodeURIComponent(id);
  } catch {
    // A broken address opens the list.
  }
  return { tab: (tabs as readonly string[]).includes(tab) ? (tab as Tab) : "topics", id: open, v: new URLSearchParams(search).get("v") || CURRENT };
}

export const writeRoute = (r: Route) =>
  `/console/kb/${r.tab}${r.id ? "/" + encodeURIComponent(r.id) : ""}${r.v === CURRENT ? "" : "?v=" + encodeURIComponent(r.v)}`;

const has = (roles: Role[], ...any: Role[]) => roles.some((r) => any.includes(r));
export const mayWrite = (roles: Role[]) => has(roles, "editor", "admin");
export const mayPublish = (roles: Role[]) => has(roles, "editor", "supervisor", "admin");
export const mayOverride = (roles: Role[]) => has(roles, "supervisor", "admin");

/** own tells that a person wrote in a version or submitted it, and so may not review it. */
export const own = (v: Version, user: string) => [v.created_by, v.submitted_by, ...(v.authors ?? [])].includes(user);

/** gateState is what the tests say about a version: nothing yet, good, or worse. */
export const gateState = (v: Version): "none" | "ok" | "worse" => (!v.gate ? "none" : v.gate.ok ? "ok" : "worse");

/** lines are the phrasings of a box: one a line, blank ones left out. */
export const lines = (text: string) =>
  text
    .split("\n")
    .map((s) => s.trim())
    .filter(Boolean);

const key = (s: string) =>
  s
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "");

const bare = (s: string) => key(s).replace(/[吗呢啊呀吧嘛的了么]/g, "");

/** Twin is two lines, counted from 1, that say the same, or nearly so. */
export interface Twin {
  a: number;
  b: number;
  same: boolean;
}

/**
 * twins finds the lines of one Topic that teach nothing new: the same but for
 * signs and width, or but for particles too. Other Topics are the lint's.
 */
export function twins(list: string[]): Twin[] {
  const out: Twin[] = [];
  const exact = new Map<string, number>();
  const near = new Map<string, number>();
  list.forEach((s, i) => {
    const k = key(s);
    const n = bare(s);
    const same = exact.get(k);
    const close = n ? near.get(n) : undefined;
    if (k && same !== undefined) out.push({ a: same, b: i + 1, same: true });
    else if (close !== undefined) out.push({ a: close, b: i + 1, same: false });
    if (!exact.has(k)) exact.set(k, i + 1);
    if (n && !near.has(n)) near.set(n, i + 1);
  });
  return out;
}

/** How much a channel takes. WeChat counts bytes of one message, an SMS is billed by parts. */
export const limits = { web: 400, wechat: 2048, wechatNice: 600, sms: 120, smsOne: 70, smsPart: 67 };

export interface Size {
  chars: number;
  bytes: number;
  /** Short messages it is billed as. */
  parts: number;
}

export function size(text: string): Size {
  const chars = [...text].length;
  return {
    chars,
    bytes: new TextEncoder().encode(text).length,
    parts: chars === 0 ? 0 : chars <= limits.smsOne ? 1 : Math.ceil(chars / limits.smsPart),
  };
}

/** wording is what a channel says: its own answer, else the common one. */
export const wording = (t: Topic, channel: string) => t.answers[channel]?.trim() || t.answer;

/** marks cuts a text into words and {{placeholders}}. */
export const marks = (text: string): { text: string; mark: boolean }[] =>
  text
    .split(/(\{\{\s*[\w.]+\s*\}\})/)
    .filter(Boolean)
    .map((s) => ({ text: s, mark: /^\{\{/.test(s) }));

export interface Filter {
  text: string;
  category: string;
  kind: string;
  only: "" | "problems" | "changed" | "unreviewed";
}

export function filterTopics(items: TopicLine[], f: Filter): TopicLine[] {
  const words = f.text.toLowerCase().split(/\s+/).filter(Boolean);
  return items.filter(
    (x) =>
      (!f.category || x.category === f.category) &&
      (!f.kind || x.kind === f.kind) &&
      (f.only !== "problems" || x.problems > 0) &&
      (f.only !== "changed" || !!x.changed) &&
      (f.only !== "unreviewed" || x.review !== "reviewed") &&
      words.every((w) => `${x.title} ${x.id} ${x.category} ${x.owner}`.toLowerCase().includes(w)),
  );
}

export const emptyTopic = (id = ""): Topic => ({
  id,
  title: "",
  category: "",
  kind: "answer",
  form: "",
  phrasings: [],
  answer: "",
  answers: {},
  follow_ups: [],
  group: "",
  priority: "",
  sources: [],
  from: "",
  until: "",
  owner: "",
  review: { state: "draft", by: "", on: "" },
  file: "",
});

export const topicID = /^[a-z][a-z0-9_]{1,63}$/;

const fields = ["title", "category", "kind", "form", "phrasings", "answer", "answers", "follow_ups", "group", "priority", "sources", "from", "until", "owner", "review"] as const;
export type Field = (typeof fields)[number];

const plain = (v: unknown): unknown => {
  if (Array.isArray(v)) return v;
  if (v && typeof v === "object") return Object.fromEntries(Object.entries(v).filter(([, x]) => x !== "").sort(([a], [b]) => (a < b ? -1 : 1)));
  return v ?? "";
};

/** entry is what a field holds, to be read: a list one a line. */
export const entry = (v: Topic[Field]): string => (typeof v === "string" ? v : (Array.isArray(v) ? v : Object.values(v).filter(Boolean)).join("\n"));

/** differ names the fields that two forms of a Topic have differently. */
export const differ = (a: Topic, b: Topic): Field[] => fields.filter((f) => JSON.stringify(plain(a[f])) !== JSON.stringify(plain(b[f])));

/**
 * merge brings mine onto theirs, both begun from base: what only one side
 * changed is taken; clash names the fields both changed to something different.
 */
export function merge(base: Topic, mine: Topic, theirs: Topic): { topic: Topic; clash: Field[] } {
  const topic = { ...theirs };
  const clash: Field[] = [];
  const changed = differ(base, theirs);
  for (const f of differ(base, mine)) {
    if (changed.includes(f) && differ(mine, theirs).includes(f)) clash.push(f);
    Object.assign(topic, { [f]: mine[f] });
  }
  return { topic, clash };
}

/** fieldOf is the field of the form that a finding is about. */
export function fieldOf(rule: string): Field {
  const table: Record<string, Field> = {
    duplicate_phrasing: "phrasings",
    near_duplicate: "phrasings",
    few_phrasings: "phrasings",
    value: "phrasings",
    same_title: "title",
    missing_sms: "answers",
    dead_link: "follow_ups",
    number_without_source: "sources",
    law_without_source: "sources",
    expired: "until",
    expires_soon: "until",
    no_owner: "owner",
    no_review: "review",
  };
  return table[rule] ?? "answer";
}

/** said words what a finding says, without the Topic that stands beside it; "" when its rule has to be enough. */
export const said = (p: Finding) => finding(p.topic ? p.message.replace(`topic ${p.topic}: `, "") : p.message);

/** place is where a finding is: a line of a file, or a row of the sheet that was brought in. */
export const place = (p: Finding) => (p.file && p.line ? `${p.file}:${p.line}` : p.file || (p.line ? k.problem.row(p.line) : ""));

/** split counts what keeps a version from review, and what only warns. */
export const split = (items: Finding[]) => ({ errors: items.filter((p) => !p.warning), warnings: items.filter((p) => p.warning) });

/** formatOf knows a file by its name. */
export function formatOf(name: string): "xlsx" | "csv" | "rasa" | undefined {
  const end = name.toLowerCase().split(".").pop();
  return end === "xlsx" || end === "csv" ? end : end === "yml" || end === "yaml" ? "rasa" : undefined;
}

/**
 * outcome words what a test wants or got: an action, an intent, a Topic, by their
 * ids and parted by blanks. A Topic is called by its title, where it is known.
 */
export const outcome = (code: string, title: (id: string) => string = (id) => id) =>
  code
    .split(" ")
    .map((x) => k.action[x] ?? t.intent[x] ?? title(x))
    .join(" · ");
