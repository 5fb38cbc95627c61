// The knowledge API, as openapi.yaml has it.

import type { Api } from "../api";
import type { Evidence } from "../explain";

export type VersionState = "draft" | "review" | "approved" | "rejected" | "published" | "replaced";
export type ImportFormat = "xlsx" | "csv" | "rasa";
export type ExportFormat = ImportFormat | "yaml";
export type LearnState = "new" | "pending" | "applied" | "dismissed";

/** CURRENT names what is in force wherever a version's id may stand. */
export const CURRENT = "current";

export interface Overview {
  version: string;
  source: "embedded" | "directory" | "published";
  dir: string;
  editable: boolean;
  why: string;
  topics: number;
  phrasings: number;
  published: { id: string; title: string; by: string; at: string } | null;
  open: number;
  learn_new: number;
  /** What keeps a published version from being in force, if anything does. */
  problem?: string;
}

export interface Score {
  cases: number;
  passed: number;
}

export interface Worse {
  set: string;
  text: string;
  want: string;
  got_before: string;
  got_after: string;
}

export interface Gate {
  run: string;
  ok: boolean;
  at: string;
  before: Score;
  after: Score;
  worse: Worse[] | null;
  better: number;
}

export interface Version {
  id: string;
  title: string;
  note: string;
  state: VersionState;
  base: string;
  version: string;
  created_by: string;
  created_at: string;
  changed_at: string;
  authors?: string[];
  submitted_by: string;
  reviewed_by: string;
  review_note: string;
  published_by: string;
  published_at?: string;
  override: string;
  gate: Gate | null;
  /** The run of the check that was started last on this content. */
  check: string;
  revision: number;
}

export interface TopicLine {
  id: string;
  title: string;
  category: string;
  kind: string;
  phrasings: number;
  owner: string;
  review: string;
  until: string;
  problems: number;
  changed: "" | "added" | "changed";
}

export interface Topic {
  id: string;
  title: string;
  category: string;
  kind: string;
  form: string;
  phrasings: string[];
  answer: string;
  answers: Record<string, string>;
  follow_ups: string[];
  group: string;
  priority: string;
  sources: string[];
  from: string;
  until: string;
  owner: string;
  review: { state: string; by: string; on: string };
  file: string;
}

/** Finding is what lint says; one that is not a warning keeps a version from review. */
export interface Finding {
  file: string;
  line: number;
  topic: string;
  rule: string;
  message: string;
  warning: boolean;
}

export interface Edited {
  version: Version;
  problems: Finding[];
}

export interface FieldChange {
  field: string;
  before: string;
  after: string;
  added: string[] | null;
  removed: string[] | null;
}

export interface Diff {
  added: Topic[] | null;
  removed: Topic[] | null;
  changed: { topic: string; title: string; fields: FieldChange[] | null }[] | null;
  files?: { file: string; added: string[] | null; removed: string[] | null }[] | null;
}

export interface EvalReport {
  n: number;
  labels: number;
  hit1: number;
  hit3: number;
  mrr: number;
  confusions: { a: string; b: string; n: number; texts: string[] | null }[] | null;
  histogram: { from: number; to: number; n: number; right: number }[] | null;
  curve: { phrasings: number; hit1: number }[] | null;
  weakest: { topic: string; title: string; n: number; hit1: number; confused_with: string | string[] | null }[] | null;
}

export interface Decision {
  action: string;
  topic: string;
  confidence: number;
  intent: string;
  signals?: string[] | null;
  group?: string;
  priority?: string;
  reason?: string;
  reply: string;
  notice?: string;
  /** What is asked after the notice. */
  then?: string;
  options?: { id: string; label: string }[] | null;
  evidence: Evidence;
}

export interface BatchReport extends Score {
  failed: { text: string; want: string; got: string; decision: Decision }[] | null;
  more?: number;
}

export interface Verdicts {
  right: number;
  wrong: number;
  asked: number;
  missed: number;
}

export interface ReplayReport {
  n: number;
  before: Verdicts;
  after: Verdicts;
  better: { text: string; want: string; before: string; after: string }[] | null;
  worse: { text: string; want: string; before: string; after: string }[] | null;
}

export interface Run<R = unknown> {
  id: string;
  kind: "check" | "eval" | "batch" | "replay";
  state: "running" | "done" | "failed";
  done: number;
  total: number;
  error: string;
  report: R | null;
}

export interface Outcome extends Score {
  run: string;
  version: string;
  hash?: string;
  at: string;
  by?: string;
}

export interface SetLine {
  id: string;
  name: string;
  cases: number;
  by: string;
  at?: string;
  shipped?: boolean;
  last: Outcome | null;
}

export interface SetView {
  id: string;
  name: string;
  cases: { text: string; topic: string; action: string; channel: string }[] | null;
  history: Outcome[] | null;
  shipped?: boolean;
}

export interface Cluster {
  id: string;
  state: LearnState;
  count: number;
  sources: Record<string, number>;
  example: string;
  messages: { text: string; at: string; channel: string; source: string; topic: string; count?: number }[] | null;
  suggest: { topic: string; title: string; confidence: number } | null;
  by: string;
  at?: string;
  version: string;
  reason?: string;
}

export type Deal =
  | { do: "add"; topic: string; texts: string[]; version: string }
  | { do: "topic"; title: string; category?: string; texts: string[]; version: string }
  | { do: "dismiss"; reason: string }
  | { do: "restore" };

const fileType: Record<ImportFormat, string> = {
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  csv: "text/csv",
  rasa: "application/yaml",
};

const e = encodeURIComponent;

/** segment is an id within a path: what a path may hold stays as it is, so that it reads the same on both sides. */
const segment = (id: string) => e(id).replace(/%(3A|40|3D|2B|24|2C|3B|26)/g, decodeURIComponent);

/** Kb is the knowledge half of the client. */
export class Kb {
  constructor(private readonly api: Api) {}

  private of = (v: string, rest = "") => `/knowledge/versions/${segment(v)}${rest}`;
  /** names are of everybody who did something, by id, as the last list had them. */
  names: Record<string, string> = {};
  private items = async <T>(path: string): Promise<T[]> => {
    const r = await this.api.call<{ items: T[] | null; names?: Record<string, string> }>("GET", path);
    if (r.names) this.names = { ...this.names, ...r.names };
    return r.items ?? [];
  };
  /** match guards a change of a draft against somebody else's meanwhile. */
  private match = (revision: number) => ({ headers: { "If-Match": String(revision) } });
  private send = <T>(path: string, file: Blob, format: ImportFormat, headers = {}) =>
    this.api.call<T>("POST", path, undefined, { file: new Blob([file], { type: fileType[format] }), timeout: 60_000, headers });

  overview = () => this.api.call<Overview>("GET", "/knowledge");
  versions = () => this.items<Version>("/knowledge/versions");
  version = (v: string) => this.api.call<Version>("GET", this.of(v));
  create = (title: string, from = "") => this.api.call<Version>("POST", "/knowledge/versions", { title, from });
  drop = (v: string) => this.api.call<void>("DELETE", this.of(v));
  submit = (v: string, note: string) => this.api.call<Version>("POST", this.of(v, "/submit"), { note });
  review = (v: string, verdict: "approve" | "reject", note: string) => this.api.call<Version>("POST", this.of(v, "/review"), { verdict, note });
  reopen = (v: string) => this.api.call<Version>("POST", this.of(v, "/reopen"));
  publish = (v: string, override = "") => this.api.call<Version>("POST", this.of(v, "/publish"), { override }, { timeout: 60_000 });
  rollback = (to: string, reason: string) => this.api.call<Version>("POST", "/knowledge/rollback", { to, reason }, { timeout: 60_000 });
  rebase = (v: Version) => this.api.call<Edited & { conflicts: string[] | null }>("POST", this.of(v.id, "/rebase"), {}, this.match(v.revision));

  topics = (v: string) => this.items<TopicLine>(this.of(v, "/topics"));
  topic = (v: string, id: string) => this.api.call<Topic>("GET", this.of(v, "/topics/" + segment(id)));
  save = (v: string, revision: number, t: Topic) => this.api.call<Edited>("PUT", this.of(v, "/topics/" + segment(t.id)), t, this.match(revision));
  remove = (v: string, revision: number, id: string) => this.api.call<Edited>("DELETE", this.of(v, "/topics/" + segment(id)), undefined, this.match(revision));
  problems = (v: string) => this.items<Finding>(this.of(v, "/problems"));
  diff = (v: string, with_: string) => this.api.call<Diff>("GET", this.of(v, "/diff?with=" + e(with_)));

  export = (v: string, format: ExportFormat) => this.api.file(this.of(v, "/export?format=" + format));
  import = (v: string, revision: number, file: Blob, format: ImportFormat, mode: "merge" | "replace") =>
    this.send<Edited & { added: number; changed: number; removed: number }>(
      this.of(v, `/import?format=${format}&mode=${mode}`),
      file,
      format,
      { "If-Match": String(revision) },
    );

  check = async (v: string) => (await this.api.call<{ run: string }>("POST", this.of(v, "/check"))).run;
  eval = async (v: string) => (await this.api.call<{ run: string }>("POST", this.of(v, "/eval"))).run;
  replay = async (version: string) => (await this.api.call<{ run: string }>("POST", "/knowledge/replay", { version })).run;
  cancel = (run: string) => this.api.call<void>("DELETE", "/knowledge/runs/" + segment(run));
  run = <R>(id: string) => this.api.call<Run<R>>("GET", "/knowledge/runs/" + segment(id));

  sets = () => this.items<SetLine>("/knowledge/tests");
  set = (id: string) => this.api.call<SetView>("GET", "/knowledge/tests/" + segment(id));
  addSet = (name: string, file: Blob, format: "xlsx" | "csv") =>
    this.send<{ id: string }>(`/knowledge/tests?name=${e(name)}&format=${format}`, file, format);
  dropSet = (id: string) => this.api.call<void>("DELETE", "/knowledge/tests/" + segment(id));
  batch = async (id: string, version: string) =>
    (await this.api.call<{ run: string }>("POST", `/knowledge/tests/${segment(id)}/run`, { version })).run;

  /** A pick is the id of an option under the last answer. A draft may have to be trained first. */
  try = (text: string, channel: string, version: string, memory: unknown, pick = "") =>
    this.api.call<{ decision: Decision; memory: unknown }>("POST", "/knowledge/try", { text, channel, version, memory, ...(pick ? { pick } : {}) }, { timeout: 60_000 });
  learn = (state: LearnState) =>
    this.api.call<{ items: Cluster[] | null; counts: Record<string, number> }>("GET", "/knowledge/learn?state=" + state);
  deal = (id: string, deal: Deal) =>
    this.api.call<{ cluster: Cluster; version: Version | null }>("POST", "/knowledge/learn/" + segment(id), deal);
}
